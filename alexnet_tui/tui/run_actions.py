"""What one can do to runs from any screen: stop, resume, delete, copy their paths, edit labels, tags and notes.

These functions take the screen they are asked from, which shows dialogs, and the session they act on. Beside them
is how any screen says what happened: `notify` answers a key, `announce` tells of what nobody on the screen asked for.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import msgspec
from textual.app import App
from textual.screen import ModalScreen, Screen
from textual.widgets import Input

from alexnet_tui.command_lines import quote_words
from alexnet_tui.errors import AlexnetTuiError, RunNotFoundError, StoreError
from alexnet_tui.runs.notes import Notes, NotesConflictError
from alexnet_tui.runs.state import State, would_fail_again
from alexnet_tui.text import counted, format_bytes, printable
from alexnet_tui.tui import threads
from alexnet_tui.tui.session import PollEagerly, RunsChanged, Session
from alexnet_tui.tui.widgets.bars import KeyBar

MARK_TWO = "Mark two or more runs in Runs with space, then press c."
_MAX_NAMED = 6
_MAX_CHARS = 1 << 22


def missing_to_compare(session: Session) -> str:
    """What is missing for a comparison, in a sentence: a run, a second one, or only the marks."""
    match len(session.watcher.histories):
        case 0:
            return "There are no runs yet to compare; press 2 to start one."
        case 1:
            return "There is one run, and nothing yet to compare it with; press 2 to start another one."
    return MARK_TWO


def notify(node: App[Any] | Screen[Any], text: str, *, is_error: bool = False) -> None:
    """Show a short message: in the screen's status line, else in place of the keys, or above a dialog."""
    show_status = getattr(node.screen, "show_status", None)
    bar = next(iter((node if isinstance(node, App) else node.app).screen.query(KeyBar)), None)
    if show_status is not None:
        show_status(text, is_error=is_error)
    elif bar is not None:
        bar.show_message(printable(text, 400), is_error=is_error)
    else:
        node.notify(printable(text, 400), severity="error" if is_error else "information", markup=False)
        # Where nothing else is painted, Textual (8.2) leaves a message on the terminal that it has removed.
        node.set_timer(App.NOTIFICATION_TIMEOUT + 1, node.app.refresh)


def _notify_outcome(screen: Screen[Any], done: Sequence[str], problems: Sequence[str], participle: str) -> None:
    """Say in one message what became of several runs, as each message takes the place of the one before.

    Args:
        screen: Where it was asked for.
        done: Sentences on what was done.
        problems: Why the rest was not, a sentence for each run; the first is shown, and how many more there are.
        participle: What was to be done: ``deleted``.
    """
    more = [f"{counted(len(problems) - 1, 'more run')} could not be {participle}."] if len(problems) > 1 else []
    if text := " ".join([*done, *problems[:1], *more]):
        notify(screen, text, is_error=bool(problems))


def announce(app: App[Any], text: str, *, is_error: bool = False) -> None:
    """Show what nobody on this screen asked for: in place of the keys, below any dialog, so that it covers nothing."""
    bars = (bar for screen in reversed(app.screen_stack) for bar in screen.query(KeyBar))
    if (bar := next(bars, None)) is not None:
        bar.show_message(printable(text, 400), is_error=is_error)


def post_runs_changed(app: App[Any], run_ids: Iterable[str]) -> None:
    """Post `RunsChanged` to whoever looks now: the topmost screen that is no dialog."""
    for screen in reversed(app.screen_stack):
        if not isinstance(screen, ModalScreen):
            screen.post_message(RunsChanged(frozenset(run_ids)))
            return


def copy(app: App[Any], text: str) -> None:
    """Put text on the clipboard of the terminal, which may be at the other end of an SSH session."""
    app.copy_to_clipboard(text)
    notify(app, f"Copied {text}")  # The message is shortened, where it is long; the copy never is.


def interrupt(app: App[Any]) -> None:
    """Copy what is selected; else say how to quit, once however often one asks."""
    field = app.focused if isinstance(app.focused, Input) else None
    selected = field.selected_text if field else app.screen.get_selected_text()
    if selected:
        copy(app, selected)
        return
    first = "esc, then " if field or isinstance(app.screen, ModalScreen) else ""
    app.clear_notifications()
    notify(app, f"Press {first}q to quit; runs continue.")


def copy_folders(screen: Screen[Any], session: Session, run_ids: Sequence[str]) -> None:
    """Copy the paths of runs as words of a command line."""

    def find() -> dict[str, str]:
        folders = {}
        for run_id in run_ids:
            with suppress(StoreError):  # Somebody else deleted it a moment ago.
                folders[run_id] = str(session.store.path(run_id).absolute())
        return folders

    async def work() -> None:
        folders = await threads.call(find)
        gone = [f"{session.label_of(run_id)} is gone." for run_id in run_ids if run_id not in folders]
        if folders:
            copy(screen.app, quote_words(*folders.values()))
        if gone:
            copied = [f"Copied {counted(len(folders), 'path')}."] if folders else []
            _notify_outcome(screen, copied, gone, "found")

    screen.run_worker(work(), group="copy")


def stop_runs(screen: Screen[Any], session: Session, run_ids: Sequence[str]) -> None:
    """Ask the trainers of runs to stop after a checkpoint."""
    running = [run_id for run_id in run_ids if session.watcher.states.get(run_id) is State.RUNNING]
    if not running:
        notify(screen, f"{_named(session, run_ids)} {'is' if len(run_ids) == 1 else 'are'} not running.")
        return
    if stopping := [run_id for run_id in running if run_id in session.watcher.stopping]:
        running = [run_id for run_id in running if run_id not in stopping]
        if not running:
            verb = "is" if len(stopping) == 1 else "are"
            notify(screen, f"{_named(session, stopping)} {verb} stopping already; a checkpoint is saved first.")
            return
    saves = "it saves a checkpoint" if len(running) == 1 else "each saves a checkpoint"
    notify(screen, f"Stopping {_named(session, running)}; {saves} first.")
    _in_thread(screen, session, running, partial(_stop, session), "stopped")


def resume_runs(screen: Screen[Any], session: Session, run_ids: Sequence[str]) -> None:
    """Continue runs that were stopped, failed or crashed, or start queued ones: by the launcher that started them."""
    states = {run_id: session.watcher.states.get(run_id) for run_id in run_ids}
    idle = [run_id for run_id, state in states.items() if state not in {State.RUNNING, State.FINISHED}]
    own = [run_id for run_id in idle if run_id not in session.watcher.references]
    histories = session.watcher.histories  # One that is gone is not in it; the start says so.
    resumable = [run_id for run_id in own if run_id not in histories or not would_fail_again(histories[run_id])]
    if resumable:
        notify(screen, f"Starting {_named(session, resumable)}.")
        _in_thread(screen, session, resumable, partial(_start, session), "started")
    elif own:
        notify(screen, f"{_named(session, own)} failed by its settings; d starts one with others.", is_error=True)
    elif idle:
        notify(screen, "This is a reference run; press d to start one like it.")
    elif len(run_ids) == 1:
        notify(screen, f"{session.label_of(run_ids[0])} is {states[run_ids[0]]}; there is nothing to resume.")
    else:
        notify(screen, f"{_named(session, run_ids)} are running or finished; there is nothing to resume.")


def _named(session: Session, run_ids: Sequence[str]) -> str:
    return session.label_of(run_ids[0]) if len(run_ids) == 1 else counted(len(run_ids), "run")


def _stop(session: Session, run_id: str) -> str:
    from alexnet_tui.launch import stopping  # Not needed to start.

    stopping.stop(session.store, run_id)
    return ""


def _start(session: Session, run_id: str) -> str:
    """Start a run as this user started it last; how that was, unless it trains here as usual."""
    from alexnet_tui.launch import registry  # Not needed to start.
    from alexnet_tui.launch.engine import StartOptions

    launch = registry.noted(session.store, run_id)
    registry.start(session.store, run_id, launch, StartOptions(command=session.commands.trainer))
    words = registry.option_words(launch)
    return f"{session.label_of(run_id)} is started as last time, with {quote_words(*words)}." if words else ""


def _in_thread(
    screen: Screen[Any], session: Session, run_ids: Sequence[str], act: Callable[[str], str], participle: str
) -> None:
    """Start or stop runs outside the event loop, as both may wait for another process; say what `act` returns.

    Args:
        screen: Where it was asked for.
        session: The session.
        run_ids: The runs.
        act: Starts or stops one; a sentence to show, or empty.
        participle: What it does: ``started``.
    """
    for run_id in run_ids:
        session.watcher.poll_eagerly(run_id)

    async def work() -> None:
        said, problems = list[str](), list[str]()
        for run_id in run_ids:
            try:
                said.append(await session.lanes["launch"].run(act, run_id))
            except AlexnetTuiError as error:
                problems.append(str(error))
            screen.post_message(PollEagerly())
        _notify_outcome(screen, [sentence for sentence in said if sentence], problems, participle)

    screen.run_worker(work(), group="launch")


def delete_runs(
    screen: Screen[Any], session: Session, run_ids: Sequence[str], then: Callable[[], object] = lambda: None
) -> None:
    """Ask, naming what is lost, then delete; reference and running runs stay.

    Args:
        screen: Where it was asked for.
        session: The session.
        run_ids: The runs.
        then: What to do once all that may be deleted are.
    """
    watcher = session.watcher
    if not (deletable := _deletable(screen, session, run_ids)):
        return
    kept = sum(_stays(session, run_id) for run_id in run_ids)
    more = [f"and {len(deletable) - _MAX_NAMED} more"] if len(deletable) > _MAX_NAMED else []
    rest = [f"{counted(kept, 'running or reference run')} will stay."] if kept else []
    rest.append("This cannot be undone.")
    named = {run_id: session.label_of(run_id) for run_id in deletable[:_MAX_NAMED]}

    def measure() -> list[str]:
        from alexnet_tui.studies import deletion  # Not needed to start.

        lost = [deletion_summary(session, run_id) for run_id in named]
        return lost + more + deletion.deletion_warnings(session.store, deletable) + rest

    async def delete() -> None:
        await _delete(screen, session, deletable)
        if not any(run_id in watcher.histories for run_id in deletable):
            then()

    def answer(is_sure: bool | None) -> None:
        if is_sure:
            screen.run_worker(delete(), group="delete")

    from alexnet_tui.tui.widgets.dialogs import ConfirmScreen  # Not needed to start.

    title = f"Delete {_named(session, deletable)}?"
    lines = [f"{label}: measuring…" for label in named.values()] + more + rest
    screen.app.push_screen(ConfirmScreen(title, lines, action="Delete", destructive=True, details=measure), answer)


def _stays(session: Session, run_id: str) -> bool:
    """Whether a run may not be deleted."""
    return run_id in session.watcher.references or session.watcher.states.get(run_id) is State.RUNNING


def _deletable(screen: Screen[Any], session: Session, run_ids: Sequence[str]) -> list[str]:
    """The runs that may be deleted; where there are none, a message says why."""
    deletable = [run_id for run_id in run_ids if not _stays(session, run_id)]
    if not deletable:
        is_running = any(session.watcher.states.get(run_id) is State.RUNNING for run_id in run_ids)
        reason = "It is running: stop it first with x." if is_running else "Reference runs are not deleted."
        notify(screen, reason, is_error=True)
    return deletable


async def _delete(screen: Screen[Any], session: Session, run_ids: Sequence[str]) -> None:
    """Delete runs outside the event loop; each row goes with its run, and in the end a message says what stayed."""
    from alexnet_tui.studies import deletion  # Not needed to start.

    labels, deleted, problems = {run_id: session.label_of(run_id) for run_id in run_ids}, list[str](), list[str]()
    lane, deletions = session.lanes["delete"], deletion.delete_runs(session.store, run_ids)
    try:
        while done := await lane.run(lambda: next(deletions, None)):
            run_id, error = done
            if error is not None:
                problems.append(str(error))
                continue
            deleted.append(labels[run_id])
            session.watcher.drop(run_id)
            post_runs_changed(screen.app, [run_id])
    finally:
        lane.submit(deletions.close)  # Who leaves meanwhile leaves the rest, and what is gone is noted.
    what = deleted[0] if len(deleted) == 1 else counted(len(deleted), "run")
    _notify_outcome(screen, [f"Deleted {what}."] if deleted else [], problems, "deleted")


def deletion_summary(session: Session, run_id: str) -> str:
    """One line: what deleting a run destroys. Looks at every file of it."""
    try:
        size_bytes = session.store.size_on_disk(run_id)
        num_checkpoints = len(session.store.checkpoints(run_id))
    except StoreError:  # Somebody else deleted it a moment ago.
        return f"{session.label_of(run_id)} is gone."
    parts = []
    if history := session.watcher.histories.get(run_id):
        parts.append(f"{history.num_epochs_done} of {counted(history.record.config.epochs, 'epoch')}")
    if num_checkpoints:
        parts.append(counted(num_checkpoints, "checkpoint"))
    parts.append(format_bytes(size_bytes))
    return f"{session.label_of(run_id)}: {', '.join(parts)}"


def edit_label(screen: Screen[Any], session: Session, run_ids: Sequence[str]) -> None:
    """Ask for another label of one run, or of all runs of a group; empty restores the one it was made with."""
    watcher = session.watcher
    labels = {
        _notes(session, run_id).label or (history.record.label if (history := watcher.histories.get(run_id)) else "")
        for run_id in run_ids
    }
    before, hint = "", "They have different labels; the one you type takes the place of all."
    if len(labels) == 1:
        before, hint = labels.pop(), "Empty shows the label it was made with, or else variant and seed."
    title = f"Label of {run_ids[0] if len(run_ids) == 1 else _named(session, run_ids)}"
    _TextEdit(screen, session, run_ids, "label").ask(title, before, hint=hint, limit=120)


def edit_note(screen: Screen[Any], session: Session, run_ids: Sequence[str]) -> None:
    """Ask for the note of a run, or the one note of all runs of a group."""
    notes = {_notes(session, run_id).note for run_id in run_ids}
    if len(notes) > 1:
        notify(screen, f"These {len(run_ids)} runs have different notes; g shows each run.", is_error=True)
        return
    title = f"Note on {_named(session, run_ids)}"
    _TextEdit(screen, session, run_ids, "note").ask(title, notes.pop(), hint="One line, kept in notes.json.")


def edit_tags(screen: Screen[Any], session: Session, run_ids: Sequence[str]) -> None:
    """Ask for the tags of one run or several; words added or removed there are added to or removed from each."""
    before = list(dict.fromkeys(tag for run_id in run_ids for tag in _notes(session, run_id).tags))
    hint = "Words with spaces or commas between; find them with tag:word."
    if len({frozenset(_notes(session, run_id).tags) for run_id in run_ids}) > 1:
        hint = "The tags of all of them; each keeps its own but for what you add or remove here."

    seen = {run_id: _notes(session, run_id) for run_id in run_ids}

    def take(text: str, again: Callable[[], None]) -> None:
        shown = printable(" ".join(before), _MAX_CHARS).split()
        # A comma ends a word, but in a tag that has one already it stays.
        wanted = [part for word in text.split() for part in ([word] if word in shown else word.split(",")) if part]
        removed = set(shown) - set(wanted)
        added = [word for word in wanted if word not in shown]

        def change(notes: Notes) -> Notes:
            kept = [tag for tag in notes.tags if removed.isdisjoint(printable(tag).split())]
            return msgspec.structs.replace(notes, tags=list(dict.fromkeys([*kept, *added])))

        _save(screen, session, seen, change, "Tags", again)

    _ask(screen, f"Tags of {_named(session, run_ids)}", " ".join(before), take, hint=hint, limit=400)


def _notes(session: Session, run_id: str) -> Notes:
    return session.watcher.notes.get(run_id) or Notes()


class _TextEdit:
    """An edit of one text in the notes of runs: the label or the note.

    Args:
        screen: Where it was asked for.
        session: The session.
        run_ids: The runs.
        field: Name of the text in the notes.
    """

    def __init__(self, screen: Screen[Any], session: Session, run_ids: Sequence[str], field: str) -> None:
        self._screen, self._session, self._field = screen, session, field
        self._seen = {run_id: _notes(session, run_id) for run_id in run_ids}

    def ask(self, title: str, before: str, *, hint: str, limit: int = 2000) -> None:
        """Ask for the text, and save it for every run."""
        _ask(
            self._screen,
            title,
            before,
            lambda text, again: self._save(self._seen, text.strip(), again),
            hint=hint,
            limit=limit,
        )

    def _save(self, seen: dict[str, Notes], text: str, again: Callable[[], None]) -> None:
        def change(notes: Notes) -> Notes:
            return msgspec.structs.replace(notes, **{self._field: text})

        def settle(conflicts: Mapping[str, Notes]) -> None:
            for theirs in dict.fromkeys(getattr(notes, self._field) for notes in conflicts.values()):
                alike = {run_id: one for run_id, one in conflicts.items() if getattr(one, self._field) == theirs}
                self._choose(alike, text, theirs)

        _save(self._screen, self._session, seen, change, self._field.capitalize(), again, settle)

    def _choose(self, current: dict[str, Notes], mine: str, theirs: str) -> None:
        """Ask which text holds of runs for which another viewer wrote one meanwhile, the same for each.

        Args:
            current: The runs, and their notes with the other viewer's text.
            mine: The person's text.
            theirs: The other viewer's.
        """
        from alexnet_tui.tui.widgets.dialogs import ChoiceScreen  # Not needed to start.

        answers = {"mine": mine} | ({"both": f"{theirs} / {mine}"} if self._field == "note" else {})
        choices = [("mine", f"Yours: {mine}"), ("theirs", f"Theirs: {theirs}")]
        choices += [("both", f"Both: {answers[name]}") for name in answers if name == "both"]

        def answer(name: str | None) -> None:
            for run_id, notes in current.items():
                self._session.watcher.set_notes(run_id, notes)
            if name in answers:
                self._save(current, answers[name], lambda: self._choose(current, mine, theirs))

        of_runs = f"the {self._field} of {len(current)} runs" if len(current) > 1 else f"this {self._field}"
        title = f"Another viewer changed {of_runs} meanwhile. Which one is kept?"
        self._screen.app.push_screen(ChoiceScreen(title, choices), answer)


def _ask(
    screen: Screen[Any],
    title: str,
    before: str,
    take: Callable[[str, Callable[[], None]], None],
    *,
    hint: str,
    limit: int = 2000,
    typed: str | None = None,
) -> None:
    """Ask for a line of text; one that was not changed is not taken, and a longer one of others is not cut.

    Args:
        before: The text as it is now.
        take: Gets the new text, and what asks again with that in the field: it may have failed to save it.
        typed: What is in the field at first, where that is not the text as it is now.
    """
    from alexnet_tui.tui.widgets.dialogs import TextScreen  # Not needed to start.

    shown = printable(before, _MAX_CHARS)

    def answer(text: str | None) -> None:
        if text is not None and text != shown:
            take(text, lambda: _ask(screen, title, before, take, hint=hint, limit=limit, typed=text))

    value = shown if typed is None else typed
    screen.app.push_screen(TextScreen(title, value, hint=hint, limit=max(limit, len(value))), answer)


def _save(
    screen: Screen[Any],
    session: Session,
    seen: dict[str, Notes],
    change: Callable[[Notes], Notes],
    what: str,
    again: Callable[[], None],
    on_conflicts: Callable[[Mapping[str, Notes]], None] = lambda _: None,
) -> None:
    """Change the notes of runs outside the event loop - another viewer may hold their lock - and say so.

    Args:
        screen: Where it was asked for.
        session: The session.
        seen: The runs, and their notes as the person saw them; as they are saved, those take their place. Runs with
            a conflict are taken out of it.
        change: Makes the new notes out of those.
        what: What was changed, for the message.
        again: Asks once more for the text where it could not be saved, as on a full disk: it may be a long one.
        on_conflicts: Called with the runs of which another viewer changed the same text meanwhile, and their notes.
    """
    run_notes = list(seen.items())

    async def work() -> None:
        saved, is_unsaved, problems, conflicts = 0, False, list[str](), dict[str, Notes]()
        for run_id, notes in run_notes:
            try:
                now = await session.lanes["notes"].run(session.store.edit_notes, run_id, notes, change(notes))
            except NotesConflictError as conflict:
                conflicts[run_id] = conflict.current
                del seen[run_id]
            except AlexnetTuiError as error:
                problems.append(str(error))
                is_unsaved |= not isinstance(error, RunNotFoundError)
            else:
                session.watcher.set_notes(run_id, now)
                seen[run_id] = now
                saved += 1
        done = [f"{what} saved." if len(run_notes) == 1 else f"{what} of {counted(saved, 'run')} saved."]
        _notify_outcome(screen, done if saved else [], problems, "changed")
        if is_unsaved:
            again()
        if conflicts:
            on_conflicts(conflicts)
        post_runs_changed(screen.app, [run_id for run_id, _ in run_notes])

    screen.run_worker(work(), group="notes")
