"""What one can do to runs from any screen: stop, resume, delete, and say something about them."""

import asyncio
import contextlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from textual.screen import ModalScreen
from textual.widgets import Input

from alexnet_tui.errors import AlexnetTuiError, StoreError
from alexnet_tui.runs.history import State
from alexnet_tui.runs.store import Notes
from alexnet_tui.text import counted, format_bytes, printable

if TYPE_CHECKING:
    from alexnet_tui.tui.app import AlexnetApp

_MAX_NAMED = 6
_MAX_CHARS = 1 << 22


def tell(app: "AlexnetApp", text: str, *, is_error: bool = False) -> None:
    """A short message in the corner; never markup, never control characters."""
    app.notify(printable(text, 400), severity="error" if is_error else "information", markup=False)


def interrupt(app: "AlexnetApp") -> None:
    """Copy what is selected; else say how to quit, once however often one asks."""
    field = app.focused if isinstance(app.focused, Input) else None
    selected = field.selected_text if field else app.screen.get_selected_text()
    if selected:
        app.copy(selected)
        return
    first = "esc, then " if field or isinstance(app.screen, ModalScreen) else ""
    app.clear_notifications()
    tell(app, f"Press {first}q to quit; runs go on.")


def find_folder(app: "AlexnetApp", run_id: str) -> Path | None:
    """The folder of a run; None, and a word about it, where somebody else deleted it a moment ago."""
    try:
        return app.store.path(run_id)
    except StoreError:
        tell(app, f"{app.label_of(run_id)} is gone.", is_error=True)
        return None


def copy_folder(app: "AlexnetApp", run_id: str) -> None:
    """Copy where a run is."""
    if folder := find_folder(app, run_id):
        app.copy(printable(str(folder.absolute()), 4000))


def stop_run(app: "AlexnetApp", run_id: str) -> None:
    """Ask a run's trainer to leave after a checkpoint."""
    if app.watcher.states.get(run_id) is not State.RUNNING:
        tell(app, f"{app.label_of(run_id)} is not running.")
        return
    tell(app, f"Stopping {app.label_of(run_id)}; it saves a checkpoint first.")
    app.watcher.expect(run_id)
    _in_thread(app, lambda local: local.stop(app.store, run_id))


def resume_run(app: "AlexnetApp", run_id: str) -> None:
    """Go on with a run that was stopped, failed or lost, or begin a queued one."""
    state = app.watcher.states.get(run_id)
    if state in {State.RUNNING, State.FINISHED}:
        tell(app, f"{app.label_of(run_id)} is {state}; there is nothing to resume.")
        return
    if run_id in app.watcher.references:
        tell(app, "This is a reference run; press d to start one like it.")
        return
    tell(app, f"Starting {app.label_of(run_id)}.")
    app.watcher.expect(run_id)
    trainer = app.trainer
    _in_thread(app, lambda local: local.start(app.store, run_id, **({"command": trainer} if trainer else {})))


def _in_thread(app: "AlexnetApp", act: Callable[[Any], object]) -> None:
    """Start or stop outside the event loop: both may wait for another process."""

    async def work() -> None:
        from alexnet_tui.launch import local

        try:
            await asyncio.to_thread(act, local)
        except AlexnetTuiError as error:
            tell(app, str(error), is_error=True)
        app.wake()

    app.run_worker(work(), group="launch")


def delete_runs(app: "AlexnetApp", run_ids: Sequence[str], then: Callable[[], object] = lambda: None) -> None:
    """Ask, naming what is lost, then delete; reference and running runs stay.

    Args:
        app: The console.
        run_ids: The runs.
        then: What to do once all that may be deleted are.
    """
    doomed = [
        run_id
        for run_id in run_ids
        if run_id not in app.watcher.references and app.watcher.states.get(run_id) is not State.RUNNING
    ]
    if not doomed:
        is_running = any(app.watcher.states.get(run_id) is State.RUNNING for run_id in run_ids)
        reason = "It is running: stop it first with x." if is_running else "Reference runs are not deleted."
        tell(app, reason, is_error=True)
        return
    kept = len(run_ids) - len(doomed)
    folders = {run_id: folder for run_id in doomed if (folder := find_folder(app, run_id))}
    if not (doomed := list(folders)):
        return
    lines = [lost(app, run_id, folders[run_id]) for run_id in doomed[:_MAX_NAMED]]
    if len(doomed) > _MAX_NAMED:
        lines.append(f"and {len(doomed) - _MAX_NAMED} more")
    if kept:
        lines.append(f"{kept} running or reference run{'s' * (kept > 1)} will stay.")
    lines.append("This cannot be undone.")
    title = f"Delete {app.label_of(doomed[0])}?" if len(doomed) == 1 else f"Delete {len(doomed)} runs?"

    def answer(is_sure: bool | None) -> None:
        if is_sure:
            for run_id in doomed:
                _delete(app, run_id)
            if not any(run_id in app.watcher.histories for run_id in doomed):
                then()

    from alexnet_tui.tui.widgets.dialogs import ConfirmScreen  # Not needed to start.

    app.push_screen(ConfirmScreen(title, lines, action="Delete", destructive=True), answer)


def _delete(app: "AlexnetApp", run_id: str) -> None:
    from alexnet_tui.studies.progress import delete_run  # Not needed to start.

    label = app.label_of(run_id)
    try:
        delete_run(app.store, run_id)
    except AlexnetTuiError as error:
        tell(app, str(error), is_error=True)
        return
    app.watcher.forget(run_id)
    app.tell_screens({run_id})
    tell(app, f"Deleted {label}.")


def lost(app: "AlexnetApp", run_id: str, directory: Path) -> str:
    """One line: what deleting a run destroys."""
    size_bytes, num_checkpoints = 0, 0
    for folder, folders, files in os.walk(directory):
        if os.path.basename(folder) == "checkpoints":
            num_checkpoints = len(folders)
        for name in files:
            with contextlib.suppress(OSError):  # Deleted meanwhile.
                size_bytes += os.lstat(os.path.join(folder, name)).st_size
    parts = []
    if history := app.watcher.histories.get(run_id):
        parts.append(f"{history.num_epochs_done} of {counted(history.record.config.epochs, 'epoch')}")
    if num_checkpoints:
        parts.append(counted(num_checkpoints, "checkpoint"))
    parts.append(format_bytes(size_bytes))
    return f"{app.label_of(run_id)}: {', '.join(parts)}"


def edit_label(app: "AlexnetApp", run_id: str) -> None:
    """Ask for another label; empty goes back to the one the run was made with."""
    notes = app.watcher.notes.get(run_id) or Notes()
    history = app.watcher.histories.get(run_id)
    _ask(
        app,
        f"Label of {run_id}",
        notes.label or (history.record.label if history else ""),
        lambda text: _save(app, [run_id], lambda old: msgspec.structs.replace(old, label=text.strip()), "Label"),
        hint="Empty shows the id.",
        limit=120,
    )


def edit_tags(app: "AlexnetApp", run_ids: Sequence[str]) -> None:
    """Ask for the tags of one run or several."""
    tags = dict.fromkeys(tag for run_id in run_ids for tag in (app.watcher.notes.get(run_id) or Notes()).tags)
    title = f"Tags of {app.label_of(run_ids[0])}" if len(run_ids) == 1 else f"Tags of {len(run_ids)} runs"
    _ask(
        app,
        title,
        " ".join(tags),
        lambda text: _save(
            app, run_ids, lambda old: msgspec.structs.replace(old, tags=list(dict.fromkeys(text.split()))), "Tags"
        ),
        hint="Words with spaces between; find them with tag:word.",
        limit=400,
    )


def edit_note(app: "AlexnetApp", run_id: str) -> None:
    """Ask for the note of a run."""
    notes = app.watcher.notes.get(run_id) or Notes()
    _ask(
        app,
        f"Note on {app.label_of(run_id)}",
        notes.note,
        lambda text: _save(app, [run_id], lambda old: msgspec.structs.replace(old, note=text.strip()), "Note"),
        hint="One line, kept in notes.json.",
    )


def _ask(
    app: "AlexnetApp", title: str, before: str, take: Callable[[str], None], *, hint: str, limit: int = 2000
) -> None:
    """Ask for a line of text; one that was not changed is not taken, and a longer one of others is not cut."""
    from alexnet_tui.tui.widgets.dialogs import TextScreen  # Not needed to start.

    shown = printable(before, _MAX_CHARS)

    def answer(text: str | None) -> None:
        if text is not None and text != shown:
            take(text)

    app.push_screen(TextScreen(title, shown, hint=hint, limit=max(limit, len(shown))), answer)


def _save(app: "AlexnetApp", run_ids: Sequence[str], change: Callable[[Notes], Notes], what: str) -> None:
    """Change the notes of runs and say so."""
    num_saved = 0
    for run_id in run_ids:
        try:
            app.watcher.change_notes(run_id, change)
            num_saved += 1
        except AlexnetTuiError as error:
            tell(app, str(error), is_error=True)
    if num_saved:
        tell(app, f"{what} saved." if num_saved == 1 else f"{what} of {num_saved} runs saved.")
    app.tell_screens(set(run_ids))
