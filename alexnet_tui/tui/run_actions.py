"""What one can do to runs from any screen: stop, resume, delete, copy their paths.

These functions take the screen they are asked from, which shows dialogs, and the session they act on.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from textual.screen import Screen

from alexnet_tui.command_lines import quote_words
from alexnet_tui.errors import AlexnetTuiError, StoreError
from alexnet_tui.runs.state import State, would_fail_again
from alexnet_tui.text import counted, format_bytes
from alexnet_tui.tui import threads
from alexnet_tui.tui.notifications import copy, notify, notify_outcome
from alexnet_tui.tui.session import PollEagerly, Session, post_runs_changed

_MAX_NAMED = 6


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
            notify_outcome(screen, copied, gone, "found")

    screen.run_worker(work(), group="copy")


def stop_runs(screen: Screen[Any], session: Session, run_ids: Sequence[str]) -> None:
    """Ask the trainers of runs to stop after a checkpoint."""
    running = [run_id for run_id in run_ids if session.watcher.states.get(run_id) is State.RUNNING]
    if not running:
        notify(screen, f"{session.label_of_runs(run_ids)} {'is' if len(run_ids) == 1 else 'are'} not running.")
        return
    if stopping := [run_id for run_id in running if run_id in session.watcher.stopping]:
        running = [run_id for run_id in running if run_id not in stopping]
        if not running:
            verb = "is" if len(stopping) == 1 else "are"
            notify(screen, f"{session.label_of_runs(stopping)} {verb} stopping already; a checkpoint is saved first.")
            return
    saves = "it saves a checkpoint" if len(running) == 1 else "each saves a checkpoint"
    notify(screen, f"Stopping {session.label_of_runs(running)}; {saves} first.")
    _in_thread(screen, session, running, partial(_stop, session), "stopped")


def resume_runs(screen: Screen[Any], session: Session, run_ids: Sequence[str]) -> None:
    """Continue runs that were stopped, failed or crashed, or start queued ones: by the launcher that started them."""
    states = {run_id: session.watcher.states.get(run_id) for run_id in run_ids}
    idle = [run_id for run_id, state in states.items() if state not in {State.RUNNING, State.FINISHED}]
    own = [run_id for run_id in idle if run_id not in session.watcher.references]
    histories = session.watcher.histories  # One that is gone is not in it; the start says so.
    resumable = [run_id for run_id in own if run_id not in histories or not would_fail_again(histories[run_id])]
    if resumable:
        notify(screen, f"Starting {session.label_of_runs(resumable)}.")
        _in_thread(screen, session, resumable, partial(_start, session), "started")
    elif own:
        notify(screen, f"{session.label_of_runs(own)} failed by its settings; d starts one with others.", is_error=True)
    elif idle:
        notify(screen, "This is a reference run; press d to start one like it.")
    elif len(run_ids) == 1:
        notify(screen, f"{session.label_of(run_ids[0])} is {states[run_ids[0]]}; there is nothing to resume.")
    else:
        notify(screen, f"{session.label_of_runs(run_ids)} are running or finished; there is nothing to resume.")


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
                said.append(await session.executors["launch"].run(act, run_id))
            except AlexnetTuiError as error:
                problems.append(str(error))
            screen.post_message(PollEagerly())
        notify_outcome(screen, [sentence for sentence in said if sentence], problems, participle)

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
    named = {run_id: session.listed_name(run_id) for run_id in deletable[:_MAX_NAMED]}

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

    title = f"Delete {session.label_of_runs(deletable)}?"
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
    executor, deletions = session.executors["delete"], deletion.delete_runs(session.store, run_ids)
    try:
        while done := await executor.run(lambda: next(deletions, None)):
            run_id, error = done
            if error is not None:
                problems.append(str(error))
                continue
            deleted.append(labels[run_id])
            session.watcher.drop(run_id)
            post_runs_changed(screen.app, [run_id])
    finally:
        executor.submit(deletions.close)  # Who leaves meanwhile leaves the rest, and what is gone is noted.
    what = deleted[0] if len(deleted) == 1 else counted(len(deleted), "run")
    notify_outcome(screen, [f"Deleted {what}."] if deleted else [], problems, "deleted")


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
    return f"{session.listed_name(run_id)}: {', '.join(parts)}"
