"""A study on a cluster: its array job, noted in ``slurm.json`` in the study's folder, and what each task does."""

import contextlib
import math
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence

import msgspec

from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.errors import ExitCode, LaunchError
from alexnet_tui.files import read_small
from alexnet_tui.launch import local, slurm
from alexnet_tui.paths import child_command
from alexnet_tui.runs.history import State
from alexnet_tui.runs.history import load as load_history
from alexnet_tui.runs.store import Store
from alexnet_tui.studies import plan as study
from alexnet_tui.studies import progress

JOB_FILE, _SCRIPT_FILE = "slurm.json", "slurm.sh"
_TERM_PATIENCE_SECONDS = 20.0
"""How long a trainer that SLURM itself asked to stop has for its checkpoint before it is asked once more."""


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """An array job.

    Attributes:
        job: Its number.
        run_ids: The run of each task, in the order of their indices.
        options: What ``sbatch`` was given beside this program's own options.
        at_once: How many tasks may run at once; 0 leaves that to the cluster.
    """

    job: str
    run_ids: list[str]
    options: dict[str, str] = {}
    at_once: int = 0


def load(store: Store, name: str) -> Job | None:
    """The last job of a study, or None.

    Raises:
        StoreError: The file is damaged or cannot be read.
    """
    path = store.root / study.STUDIES / name / JOB_FILE
    content = read_small(path)
    return study.decode(path, content, Job) if content else None


def submit(store: Store, name: str, run_ids: Sequence[str], *, at_once: int, options: Mapping[str, str]) -> Job:
    """Queue runs of a study as one array job and note it.

    Raises:
        LaunchError: SLURM is not here, or refuses.
        StoreError: The study's folder cannot be written.
    """
    folder = study.study_folder(store, name).absolute()
    command = child_command("alexnet_tui", "study", "task", "--runs-dir", str(store.root.absolute()), name)
    study.write_text(folder / _SCRIPT_FILE, slurm.script(command))
    number = slurm.submit(
        folder / _SCRIPT_FILE, name=name, num_tasks=len(run_ids), at_once=at_once, log=folder, options=options
    )
    job = Job(job=number, run_ids=list(run_ids), options=dict(options), at_once=at_once)
    study.write(folder / JOB_FILE, job)
    return job


def is_active(job: Job) -> bool:
    """Whether SLURM still has something to do for a job.

    Raises:
        LaunchError: SLURM is not here, or does not answer.
    """
    return any(map(slurm.is_waiting_or_running, states(job).values()))


def states(job: Job) -> dict[str, str]:
    """Run to the state of its task; ``vanished`` where SLURM no longer knows it.

    Raises:
        LaunchError: SLURM is not here, or does not answer.
    """
    known = slurm.states(job.job)
    return {run_id: known.get(index, slurm.VANISHED) for index, run_id in enumerate(job.run_ids)}


def train_task(
    store: Store,
    plan: study.Plan,
    run_id: str,
    *,
    say: Callable[[str], None] = lambda sentence: None,
    prepare: Callable[[RunConfig], None] = lambda config: None,
    command: Sequence[str] = local.TRAINER,
    poll_seconds: float = 1.0,
) -> int:
    """Train one run as a task of an array job, until it ends; the exit code.

    ``USR1`` comes before the time limit: the run stops with a checkpoint and the task goes back into the queue. After
    ``USR2`` (`slurm.CANCEL_SIGNAL`) it stops and stays out. ``TERM`` may reach the trainer from SLURM too; only a
    trainer that does not leave by itself is asked again, for a second request would cost its checkpoint.

    Args:
        store: The runs folder.
        plan: The study's plan.
        run_id: The run.
        say: Takes a sentence about what happens.
        prepare: Makes the data of the run ready.
        command: The trainer.
        poll_seconds: Pause between two looks at the run.

    Raises:
        RunBusyError: Somebody else trains the run.
        LaunchError: The trainer cannot be started, or the task not be put back into the queue.
        StoreError: The run cannot be read or written.
    """
    caught: list[int] = []
    signals = (signal.SIGUSR1, signal.SIGUSR2, signal.SIGTERM)
    before = {number: signal.signal(number, lambda number, _: caught.append(number)) for number in signals}
    try:
        if load_history(store, run_id, skip_steps=True)[1] is not State.FINISHED:
            prepare(store.record(run_id).config)
            local.start(store, run_id, command=command)
            _wait(store, run_id, caught, poll_seconds)
        progress.update(store, plan)
        state = load_history(store, run_id, skip_steps=True)[1]
        say(f"run {run_id}: {state}")
        if state is State.FINISHED:
            return ExitCode.DONE
        if signal.SIGUSR1 in caught:
            slurm.requeue(f"{os.environ.get('SLURM_ARRAY_JOB_ID', '')}_{os.environ.get('SLURM_ARRAY_TASK_ID', '')}")
            return ExitCode.DONE
        return ExitCode.TERMINATED if caught else ExitCode.TRAINING_FAILED
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _wait(store: Store, run_id: str, caught: Sequence[int], poll_seconds: float) -> None:
    """Wait until a run's trainer has left; pass a signal that was caught on to it, once."""
    asks_at = math.inf
    is_asked = False
    while store.is_locked(run_id):
        if caught and not is_asked:
            patience = _TERM_PATIENCE_SECONDS if caught[0] == signal.SIGTERM else 0.0
            asks_at = min(asks_at, time.monotonic() + patience)
        if time.monotonic() >= asks_at and not is_asked:
            is_asked = True
            with contextlib.suppress(LaunchError):  # It has left meanwhile.
                local.stop(store, run_id)
        time.sleep(poll_seconds)
