"""What people write on runs, edited from any screen: labels, tags and notes.

Another viewer may have written meanwhile: tags are added and removed word by word, and of two labels or notes the
person is asked which one is kept.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from textual.screen import Screen

from alexnet_tui.errors import AlexnetTuiError, RunNotFoundError
from alexnet_tui.runs.notes import Notes, NotesConflictError
from alexnet_tui.text import counted, printable
from alexnet_tui.tui.notifications import notify, notify_outcome
from alexnet_tui.tui.session import Session, post_runs_changed

_MAX_CHARS = 1 << 22


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
    title = f"Label of {run_ids[0] if len(run_ids) == 1 else session.label_of_runs(run_ids)}"
    _TextEdit(screen, session, run_ids, "label").ask(title, before, hint=hint, limit=120)


def edit_note(screen: Screen[Any], session: Session, run_ids: Sequence[str]) -> None:
    """Ask for the note of a run, or the one note of all runs of a group."""
    notes = {_notes(session, run_id).note for run_id in run_ids}
    if len(notes) > 1:
        notify(screen, f"These {len(run_ids)} runs have different notes; g shows each run.", is_error=True)
        return
    title = f"Note on {session.label_of_runs(run_ids)}"
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

    _ask(screen, f"Tags of {session.label_of_runs(run_ids)}", " ".join(before), take, hint=hint, limit=400)


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
                now = await session.executors["notes"].run(session.store.edit_notes, run_id, notes, change(notes))
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
        notify_outcome(screen, done if saved else [], problems, "changed")
        if is_unsaved:
            again()
        if conflicts:
            on_conflicts(conflicts)
        post_runs_changed(screen.app, [run_id for run_id, _ in run_notes])

    screen.run_worker(work(), group="notes")
