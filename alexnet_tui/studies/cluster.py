"""Runs that were handed to an engine with a queue of its own, such as SLURM: their states, and taking them out."""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from alexnet_tui.command_lines import shell_command
from alexnet_tui.errors import RunBusyError
from alexnet_tui.launch import registry
from alexnet_tui.launch.engine import VANISHED, QueueEngine, QueueStatus
from alexnet_tui.runs.store import Store
from alexnet_tui.studies import study_files
from alexnet_tui.studies.planned_runs import PlannedRun


def states(queue: QueueStatus, cells: Iterable[PlannedRun]) -> dict[str, str]:
    """Run to its state in the engine's queue; ``vanished`` only of runs that still need training."""
    return {
        cell.run_id: state
        for cell in cells
        if (state := queue.states.get(cell.run_id)) and (state != VANISHED or cell.needs_training)
    }


def summary(queue: QueueStatus, cells: Iterable[PlannedRun]) -> str:
    """What an engine says, counted: ``SLURM job 77: 2 RUNNING, 2 PENDING``."""
    counts = Counter(states(queue, cells).values())
    said = ", ".join(f"{count} {state}" for state, count in counts.most_common())
    return f"{queue.label}: {said or 'all its tasks are over'}"


def check_not_active(store: Store, name: str) -> None:
    """A study is trained from here or by an engine with a queue, not by both.

    Raises:
        RunBusyError: The engine still has something to do for it.
        LaunchError: The engine does not answer, so that nobody knows.
    """
    for _, queue in registry.queues(study_files.folder_path(store, name)).values():
        if queue.is_active:
            cancels = shell_command("study", "cancel", name, root=store.root)
            raise RunBusyError(f"study {name} is queued as {queue.label}; `{cancels}` takes it out.")


def withdraw_run(store: Store, run_id: str) -> str:
    """Take one run out of the queue it was handed to, alone or with its study; what that is called, or nothing.

    Raises:
        LaunchError: The engine is not here, or refuses.
        StoreError: The run cannot be read.
    """
    for folder, engine, queue in _handed_over(store, run_id):
        if queue.is_active and queue.states.get(run_id, VANISHED) != VANISHED:
            engine.withdraw(folder, run_id)
            return queue.label
    return ""


def state_text(store: Store, run_id: str) -> str:
    """The state of a run in the queue of an engine: ``SLURM job 77: PENDING``; empty where it was handed to none.

    Raises:
        LaunchError: The engine is not here, or does not answer.
        StoreError: The run cannot be read.
    """
    return next(
        (
            f"{queue.label}: {state}"
            for _, _, queue in _handed_over(store, run_id)
            if (state := queue.states.get(run_id))
        ),
        "",
    )


def _handed_over(store: Store, run_id: str) -> Iterator[tuple[Path, QueueEngine, QueueStatus]]:
    """Where a run was handed over to engines, alone or with its study, to which, and what those say."""
    name = store.record(run_id).study
    folders = [store.path(run_id), *([study_files.folder_path(store, name)] if study_files.is_name(name) else [])]
    for folder in folders:
        for engine, queue in registry.queues(folder).values():
            yield folder, engine, queue
