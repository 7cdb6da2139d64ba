"""A study whose runs were handed to a cluster with a queue of its own, such as SLURM: what the cluster says of them."""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from alexnet_tui.errors import RunBusyError
from alexnet_tui.launch import registry
from alexnet_tui.launch.registry import Queue, QueueEngine
from alexnet_tui.paths import shell_command
from alexnet_tui.runs.store import Store
from alexnet_tui.studies import study_files
from alexnet_tui.studies.queue import PlannedRun


def words(queue: Queue, cells: Iterable[PlannedRun]) -> dict[str, str]:
    """Run to its engine's word for it; ``vanished`` only of runs that still need training."""
    return {
        cell.run_id: word
        for cell in cells
        if (word := queue.states.get(cell.run_id)) and (word != registry.VANISHED or cell.needs_training)
    }


def summary(queue: Queue, cells: Iterable[PlannedRun]) -> str:
    """What an engine says, counted: ``SLURM job 77: 2 RUNNING, 2 PENDING``."""
    counts = Counter(words(queue, cells).values())
    said = ", ".join(f"{count} {word}" for word, count in counts.most_common())
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
        if queue.is_active and queue.states.get(run_id, registry.VANISHED) != registry.VANISHED:
            engine.withdraw(folder, run_id)
            return queue.label
    return ""


def word_for(store: Store, run_id: str) -> str:
    """What an engine that a run was handed to says of it: ``SLURM job 77: PENDING``; empty where there is none.

    Raises:
        LaunchError: The engine is not here, or does not answer.
        StoreError: The run cannot be read.
    """
    return next(
        (f"{queue.label}: {word}" for _, _, queue in _handed_over(store, run_id) if (word := queue.states.get(run_id))),
        "",
    )


def _handed_over(store: Store, run_id: str) -> Iterator[tuple[Path, QueueEngine, Queue]]:
    """Where a run was handed over to engines, alone or with its study, to which, and what those say."""
    name = store.record(run_id).study
    folders = [store.path(run_id), *([study_files.folder_path(store, name)] if study_files.is_name(name) else [])]
    for folder in folders:
        for engine, queue in registry.queues(folder).values():
            yield folder, engine, queue
