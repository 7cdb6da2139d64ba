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
    _TextEdit(screen, session, run_ids, "label", title, before, hint=hint, limit=120).ask()


def edit_note(screen: Screen[Any], session: Session, run_ids: Sequence[str]) -> None:
    """Ask for the note of a run, or the one note of all runs of a group."""
    notes = {_notes(session, run_id).note for run_id in run_ids}
    if len(notes) > 1:
        notify(screen, f"These {len(run_ids)} runs have different notes; g shows each run.", is_error=True)
        return
    title = f"Note on {session.label_of_runs(run_ids)}"
    _TextEdit(screen, session, run_ids, "note", title, notes.pop(), hint="One line, kept in notes.json.").ask()


def edit_tags(screen: Screen[Any], session: Session, run_ids: Sequence[str]) -> None:
    """Ask for the tags of one run or several; words added or removed there are added to or removed from each."""
    before = list(dict.fromkeys(tag for run_id in run_ids for tag in _notes(session, run_id).tags))
    hint = "Words with spaces or commas between; find them with tag:word."
    if len({frozenset(_notes(session, run_id).tags) for run_id in run_ids}) > 1:
        hint = "The tags of all of them; each keeps its own but for what you add or remove here."
    title = f"Tags of {session.label_of_runs(run_ids)}"
    _TagsEdit(screen, session, run_ids, "tags", title, " ".join(before), hint=hint, limit=400).ask()


def _notes(session: Session, run_id: str) -> Notes:
    return session.watcher.notes.get(run_id) or Notes()


class _Edit:
    """Asks for a line of text, and changes the notes of runs by it.

    Args:
        screen: Where it was asked for.
        session: The session.
        run_ids: The runs.
        field: What is edited, as the notes call it.
        title: Of the dialog.
        before: The text as it is now.
        hint: Of the dialog.
        limit: The most characters a text may have; one that is longer already is not cut.
    """

    def __init__(
        self,
        screen: Screen[Any],
        session: Session,
        run_ids: Sequence[str],
        field: str,
        title: str,
        before: str,
        *,
        hint: str,
        limit: int = 2000,
    ) -> None:
        self._screen, self._session, self._field = screen, session, field
        self._title, self._hint, self._limit = title, hint, limit
        self._shown = printable(before, _MAX_CHARS)
        self._seen = {run_id: _notes(session, run_id) for run_id in run_ids}
        """The runs, and their notes as the person saw them; as they are saved, those take their place."""

    def ask(self, typed: str | None = None) -> None:
        """Ask for the text; one that was not changed is not taken.

        Args:
            typed: What is in the field at first, where that is not the text as it is now.
        """
        from alexnet_tui.tui.widgets.dialogs import TextScreen  # Not needed to start.

        def answer(text: str | None) -> None:
            if text is not None and text != self._shown:
                self._take(text)

        value = self._shown if typed is None else typed
        limit = max(self._limit, len(value))
        self._screen.app.push_screen(TextScreen(self._title, value, hint=self._hint, limit=limit), answer)

    def _take(self, text: str) -> None:
        """Save a text that was typed."""
        raise NotImplementedError

    def _settle(self, conflicts: Mapping[str, Notes], text: str) -> None:
        """What to do about runs of which another viewer changed the same text meanwhile; their notes now."""

    def _save(
        self, seen: dict[str, Notes], change: Callable[[Notes], Notes], text: str, again: Callable[[], None]
    ) -> None:
        """Change the notes outside the event loop - another viewer may hold their lock - and say so.

        Args:
            seen: The runs, and their notes as the person saw them. Runs with a conflict are taken out of it.
            change: Makes the new notes out of those.
            text: The text that they get.
            again: Asks once more for the text where it could not be saved, as on a full disk: it may be a long one.
        """
        session, run_notes = self._session, list(seen.items())

        async def work() -> None:
            saved, is_unsaved, problems, conflicts = 0, False, list[str](), dict[str, Notes]()
            for run_id, notes in run_notes:
                try:
                    edit = session.store.edit_notes
                    now = await session.executors["notes"].run(edit, run_id, notes, change(notes))
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
            what = self._field.capitalize()
            done = [f"{what} saved." if len(run_notes) == 1 else f"{what} of {counted(saved, 'run')} saved."]
            notify_outcome(self._screen, done if saved else [], problems, "changed")
            if is_unsaved:
                again()
            if conflicts:
                self._settle(conflicts, text)
            post_runs_changed(self._screen.app, [run_id for run_id, _ in run_notes])

        self._screen.run_worker(work(), group="notes")


class _TagsEdit(_Edit):
    """An edit of tags, by the words that are added and removed."""

    def _take(self, text: str) -> None:
        shown = self._shown.split()
        # A comma ends a word, but in a tag that has one already it stays.
        wanted = [part for word in text.split() for part in ([word] if word in shown else word.split(",")) if part]
        removed = set(shown) - set(wanted)
        added = [word for word in wanted if word not in shown]

        def change(notes: Notes) -> Notes:
            kept = [tag for tag in notes.tags if removed.isdisjoint(printable(tag).split())]
            return msgspec.structs.replace(notes, tags=list(dict.fromkeys([*kept, *added])))

        self._save(self._seen, change, text, lambda: self.ask(typed=text))


class _TextEdit(_Edit):
    """An edit of a whole text: the label or the note."""

    def _take(self, text: str) -> None:
        self._save_text(self._seen, text.strip(), lambda: self.ask(typed=text))

    def _save_text(self, seen: dict[str, Notes], text: str, again: Callable[[], None]) -> None:
        self._save(seen, lambda notes: msgspec.structs.replace(notes, **{self._field: text}), text, again)

    def _settle(self, conflicts: Mapping[str, Notes], text: str) -> None:
        """Ask which text holds, once for all runs that have the same one now."""
        for theirs in dict.fromkeys(getattr(notes, self._field) for notes in conflicts.values()):
            alike = {run_id: one for run_id, one in conflicts.items() if getattr(one, self._field) == theirs}
            self._choose(alike, text, theirs)

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
                self._save_text(current, answers[name], lambda: self._choose(current, mine, theirs))

        of_runs = f"the {self._field} of {len(current)} runs" if len(current) > 1 else f"this {self._field}"
        title = f"Another viewer changed {of_runs} meanwhile. Which one is kept?"
        self._screen.app.push_screen(ChoiceScreen(title, choices), answer)
