"""SLURM: many runs as one array job, one task a run.

Only SLURM's own commands are called, with a list of arguments and no shell. A task is signalled `NOTICE_SECONDS` before
its time limit, writes a checkpoint and puts itself back into the queue; what a cluster preempts, SLURM puts back.
"""

import re
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from alexnet_tui.errors import LaunchError, UsageError
from alexnet_tui.files import reason_of
from alexnet_tui.text import printable, quoted

NOTICE_SECONDS = 120
CANCEL_SIGNAL = "USR2"
"""Asks a task alone to stop its trainer; TERM would reach the trainer too, and a second one costs its checkpoint."""
VANISHED = "vanished"
_TIMEOUT_SECONDS = 60
_OPTION = re.compile(r"[a-z][a-z0-9-]*")
_OURS = frozenset(("array", "requeue", "no-requeue", "signal", "open-mode", "output", "parsable", "job-name", "wrap"))
_OVER = ("COMPLETED", "CANCELLED", "FAILED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY", "BOOT_FAIL", "DEADLINE")
_TASK = re.compile(r"\d+_(?:(\d+)|\[([\d,%-]+)\])")


def parse_options(texts: Sequence[str]) -> dict[str, str]:
    """Options for ``sbatch``: ``partition=gpu`` is ``--partition=gpu``; a comma separates several.

    Raises:
        UsageError: One is no option, or is this program's to decide.
    """
    found: dict[str, str] = {}
    for word in (word.strip() for text in texts for word in re.split(r",(?=[a-z][a-z0-9-]*=)", text)):
        name, equals, value = word.partition("=")
        if not (equals and value and _OPTION.fullmatch(name)) or not value.isprintable():
            raise UsageError(f"--slurm: name=value, as in partition=gpu, not {quoted(word)}.")
        if name in _OURS:
            raise UsageError(f"--slurm: {name} is decided by alexnet-tui.")
        found[name] = value
    return found


def script(command: Sequence[str]) -> str:
    """The batch script: it becomes the command, with the task's index as last argument, so that signals reach it."""
    return f'#!/bin/sh\nexec {shlex.join(command)} "$SLURM_ARRAY_TASK_ID"\n'


def submit(path: Path, *, name: str, num_tasks: int, at_once: int, log: Path, options: Mapping[str, str]) -> str:
    """Queue an array job; its id.

    Args:
        path: The batch script.
        name: Name of the job.
        num_tasks: Tasks 0 to `num_tasks` - 1.
        at_once: How many may run at once; 0 leaves that to the cluster.
        log: Folder of the tasks' output.
        options: Further options of ``sbatch``.

    Raises:
        LaunchError: SLURM is not here, or refuses.
    """
    limit = f"%{at_once}" if at_once else ""
    answer = _call(
        "sbatch",
        "--parsable",
        f"--job-name=alexnet-{name}",
        f"--array=0-{num_tasks - 1}{limit}",
        "--requeue",
        f"--signal=B:USR1@{NOTICE_SECONDS}",
        "--open-mode=append",
        f"--output={log}/slurm-%A_%a.log",
        *(f"--{option}={value}" for option, value in options.items()),
        str(path),
    )
    job = answer.strip().partition(";")[0]  # A cluster's name may follow.
    if not job.isdigit():
        raise LaunchError(f"sbatch gave no job number: {quoted(answer, 100)}.")
    return job


def states(job: str) -> dict[int, str]:
    """State of each task that SLURM still knows, in its words (``PENDING``, ``RUNNING``, ``COMPLETED``...).

    Raises:
        LaunchError: SLURM is not here, or does not answer.
    """
    queued = _call("squeue", "--noheader", "--array", f"--jobs={job}", "--format=%K|%T", may_fail=True)
    past = _call(
        "sacct", "--noheader", "--parsable2", "--allocations", f"--jobs={job}", "--format=JobID,State", may_fail=True
    )
    found: dict[int, str] = {}
    for line in past.splitlines():
        task, _, state = line.partition("|")
        if (fits := _TASK.fullmatch(task.strip())) and state:
            found |= dict.fromkeys(_indices(fits[1] or fits[2]), state.split()[0])
    for line in queued.splitlines():
        index, _, state = line.strip().partition("|")
        if index.isdigit() and state:
            found[int(index)] = state.strip()
    return {index: printable(state, 30) for index, state in found.items()}


def is_waiting_or_running(state: str) -> bool:
    """Whether SLURM still has something to do for a task in this state."""
    return state != VANISHED and not state.startswith(_OVER)


def cancel(job: str) -> None:
    """Take a job's tasks out of the queue; those that run write a checkpoint and leave by themselves.

    Raises:
        LaunchError: SLURM is not here, or refuses.
    """
    _call("scancel", "--state=PENDING", job)
    _call("scancel", "--batch", f"--signal={CANCEL_SIGNAL}", "--state=RUNNING", job)


def requeue(task: str) -> None:
    """Put a task that runs back into the queue.

    Args:
        task: ``JOB_INDEX``.

    Raises:
        LaunchError: SLURM is not here, or refuses.
    """
    _call("scontrol", "requeue", task)


def _indices(text: str) -> list[int]:
    """``3``, ``4-7%2`` or ``1,4-6`` as numbers."""
    found: list[int] = []
    for part in text.partition("%")[0].split(","):
        first, dash, last = part.partition("-")
        if first.isdigit() and (not dash or last.isdigit()):
            found += range(int(first), min(int(last or first), int(first) + 100_000) + 1)
    return found


def _call(program: str, *arguments: str, may_fail: bool = False) -> str:
    """What one of SLURM's commands answers; a failure is empty where it may fail."""
    try:
        done = subprocess.run(
            [program, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_TIMEOUT_SECONDS,
            check=False,
        )
    except FileNotFoundError as error:
        if may_fail and program == "sacct":
            return ""
        raise LaunchError(f"{program} is not here: this machine has no SLURM, or it is not on the PATH.") from error
    except subprocess.TimeoutExpired as error:
        raise LaunchError(f"{program} gave no answer for {_TIMEOUT_SECONDS} s.") from error
    except OSError as error:
        raise LaunchError(f"{program} could not be started ({reason_of(error)}).") from error
    if done.returncode == 0:
        return done.stdout.decode(errors="replace")
    if may_fail:
        return ""
    words = printable(done.stderr.decode(errors="replace").strip(), 300)
    raise LaunchError(f"{program} failed with code {done.returncode}: {words or 'it said nothing'}")
