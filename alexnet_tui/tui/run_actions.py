"""What one can do to runs from any screen: stop, resume, delete, and edit their labels, tags and notes.

Every function takes the screen it is asked from, which shows dialogs and messages, and the session it acts on.
"""

import asyncio
import contextlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from textual.app import App
from textual.screen import ModalScreen, Screen
from textual.widgets import Input

from alexnet_tui.errors import AlexnetTuiError, StoreError
from alexnet_tui.runs.history import State
from alexnet_tui.runs.notes import Notes
from alexnet_tui.text import counted, format_bytes, printable
from alexnet_tui.tui.session import PollEagerly, RunsChanged, Session

_MAX_NAMED = 6
_MAX_CHARS = 1 << 22


def notify(node: App[Any] | Screen[Any], text: str, *, is_error: bool = False) -> None:
    """A short message in the corner; never markup, never control characters."""
    node.notify(printable(text, 400), severity="error" if is_error else "information", markup=False)


def copy(app: App[Any], text: str) -> None:
    """Put text on the clipboard of the terminal, which may be at the other end of an SSH session."""
    app.copy_to_clipboard(text)
    notify(app, f"Copied {text}")


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


def find_folder(screen: Screen[Any], session: Session, run_id: str) -> Path | None:
    """The folder of a run; None, and a message, where somebody else deleted it a moment ago."""
    try:
        return session.store.path(run_id)
    except StoreError:
        notify(screen, f"{session.label_of(run_id)} is gone.", is_error=True)
        return None


def copy_folder(screen: Screen[Any], session: Session, run_id: str) -> None:
    """Copy the path of a run's folder."""
    if folder := find_folder(screen, session, run_id):
        copy(screen.app, printable(str(folder.absolute()), 4000))


def stop_run(screen: Screen[Any], session: Session, run_id: str) -> None:
    """Ask a run's trainer to stop after a checkpoint."""
    label = session.label_of(run_id)
    if session.watcher.states.get(run_id) is not State.RUNNING:
        notify(screen, f"{label} is not running.")
        return
    notify(screen, f"Stopping {label}; it saves a checkpoint first.")
    session.watcher.poll_eagerly(run_id)
    _in_thread(screen, lambda local: local.stop(session.store, run_id))


def resume_run(screen: Screen[Any], session: Session, run_id: str) -> None:
    """Continue a run that was stopped, failed or crashed, or start a queued one."""
    state, label = session.watcher.states.get(run_id), session.label_of(run_id)
    if state in {State.RUNNING, State.FINISHED}:
        notify(screen, f"{label} is {state}; there is nothing to resume.")
        return
    if run_id in session.watcher.references:
        notify(screen, "This is a reference run; press d to start one like it.")
        return
    notify(screen, f"Starting {label}.")
    session.watcher.poll_eagerly(run_id)
    _in_thread(screen, lambda local: local.start(session.store, run_id, command=session.commands.trainer))


def _in_thread(screen: Screen[Any], act: Callable[[Any], object]) -> None:
    """Start or stop outside the event loop: both may wait for another process."""

    async def work() -> None:
        from alexnet_tui.launch import local

        try:
            await asyncio.to_thread(act, local)
        except AlexnetTuiError as error:
            notify(screen, str(error), is_error=True)
        screen.post_message(PollEagerly())

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
    deletable = [
        run_id
        for run_id in run_ids
        if run_id not in watcher.references and watcher.states.get(run_id) is not State.RUNNING
    ]
    if not deletable:
        is_running = any(watcher.states.get(run_id) is State.RUNNING for run_id in run_ids)
        reason = "It is running: stop it first with x." if is_running else "Reference runs are not deleted."
        notify(screen, reason, is_error=True)
        return
    kept = len(run_ids) - len(deletable)
    folders = {run_id: folder for run_id in deletable if (folder := find_folder(screen, session, run_id))}
    if not (deletable := list(folders)):
        return
    lines = [deletion_summary(session, run_id, folders[run_id]) for run_id in deletable[:_MAX_NAMED]]
    if len(deletable) > _MAX_NAMED:
        lines.append(f"and {len(deletable) - _MAX_NAMED} more")
    if kept:
        lines.append(f"{kept} running or reference run{'s' * (kept > 1)} will stay.")
    lines.append("This cannot be undone.")
    title = f"Delete {session.label_of(deletable[0])}?" if len(deletable) == 1 else f"Delete {len(deletable)} runs?"

    def answer(is_sure: bool | None) -> None:
        if is_sure:
            for run_id in deletable:
                _delete(screen, session, run_id)
            if not any(run_id in watcher.histories for run_id in deletable):
                then()

    from alexnet_tui.tui.widgets.dialogs import ConfirmScreen  # Not needed to start.

    screen.app.push_screen(ConfirmScreen(title, lines, action="Delete", destructive=True), answer)


def _delete(screen: Screen[Any], session: Session, run_id: str) -> None:
    from alexnet_tui.studies.progress import delete_run  # Not needed to start.

    label = session.label_of(run_id)
    try:
        delete_run(session.store, run_id)
    except AlexnetTuiError as error:
        notify(screen, str(error), is_error=True)
        return
    session.watcher.drop(run_id)
    screen.post_message(RunsChanged(frozenset((run_id,))))
    notify(screen, f"Deleted {label}.")


def deletion_summary(session: Session, run_id: str, directory: Path) -> str:
    """One line: what deleting a run destroys."""
    size_bytes, num_checkpoints = 0, 0
    for folder, folders, files in os.walk(directory):
        if os.path.basename(folder) == "checkpoints":
            num_checkpoints = len(folders)
        for name in files:
            with contextlib.suppress(OSError):  # Deleted meanwhile.
                size_bytes += os.lstat(os.path.join(folder, name)).st_size
    parts = []
    if history := session.watcher.histories.get(run_id):
        parts.append(f"{history.num_epochs_done} of {counted(history.record.config.epochs, 'epoch')}")
    if num_checkpoints:
        parts.append(counted(num_checkpoints, "checkpoint"))
    parts.append(format_bytes(size_bytes))
    return f"{session.label_of(run_id)}: {', '.join(parts)}"


def edit_label(screen: Screen[Any], session: Session, run_id: str) -> None:
    """Ask for another label; empty restores the one the run was made with."""
    notes = session.watcher.notes.get(run_id) or Notes()
    history = session.watcher.histories.get(run_id)
    _ask(
        screen,
        f"Label of {run_id}",
        notes.label or (history.record.label if history else ""),
        lambda text: _save(
            screen, session, [run_id], lambda old: msgspec.structs.replace(old, label=text.strip()), "Label"
        ),
        hint="Empty shows the id.",
        limit=120,
    )


def edit_tags(screen: Screen[Any], session: Session, run_ids: Sequence[str]) -> None:
    """Ask for the tags of one run or several."""
    notes = session.watcher.notes
    tags = dict.fromkeys(tag for run_id in run_ids for tag in (notes.get(run_id) or Notes()).tags)
    title = f"Tags of {session.label_of(run_ids[0])}" if len(run_ids) == 1 else f"Tags of {len(run_ids)} runs"
    _ask(
        screen,
        title,
        " ".join(tags),
        lambda text: _save(
            screen,
            session,
            run_ids,
            lambda old: msgspec.structs.replace(old, tags=list(dict.fromkeys(text.split()))),
            "Tags",
        ),
        hint="Words with spaces between; find them with tag:word.",
        limit=400,
    )


def edit_note(screen: Screen[Any], session: Session, run_id: str) -> None:
    """Ask for the note of a run."""
    notes = session.watcher.notes.get(run_id) or Notes()
    _ask(
        screen,
        f"Note on {session.label_of(run_id)}",
        notes.note,
        lambda text: _save(
            screen, session, [run_id], lambda old: msgspec.structs.replace(old, note=text.strip()), "Note"
        ),
        hint="One line, kept in notes.json.",
    )


def _ask(
    screen: Screen[Any], title: str, before: str, take: Callable[[str], None], *, hint: str, limit: int = 2000
) -> None:
    """Ask for a line of text; one that was not changed is not taken, and a longer one of others is not cut."""
    from alexnet_tui.tui.widgets.dialogs import TextScreen  # Not needed to start.

    shown = printable(before, _MAX_CHARS)

    def answer(text: str | None) -> None:
        if text is not None and text != shown:
            take(text)

    screen.app.push_screen(TextScreen(title, shown, hint=hint, limit=max(limit, len(shown))), answer)


def _save(
    screen: Screen[Any], session: Session, run_ids: Sequence[str], change: Callable[[Notes], Notes], what: str
) -> None:
    """Change the notes of runs and say so."""
    num_saved = 0
    for run_id in run_ids:
        try:
            session.watcher.change_notes(run_id, change)
            num_saved += 1
        except AlexnetTuiError as error:
            notify(screen, str(error), is_error=True)
    if num_saved:
        notify(screen, f"{what} saved." if num_saved == 1 else f"{what} of {num_saved} runs saved.")
    screen.post_message(RunsChanged(frozenset(run_ids)))
