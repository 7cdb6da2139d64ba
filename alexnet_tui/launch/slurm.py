"""SLURM: runs as one array job, one task a run.

Only SLURM's own commands are called, with a list of arguments and no shell. A task is signalled `NOTICE_SECONDS` before
its time limit, writes a checkpoint and puts itself back into the queue; what a cluster preempts, SLURM puts back. The
job is noted in ``slurm.json``, in the folder of the study or of the single run.
"""

import os
import re
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import msgspec

from alexnet_tui.command_lines import child_command
from alexnet_tui.errors import LaunchError, RunBusyError, StoreError, UsageError
from alexnet_tui.files import reason_of
from alexnet_tui.folder import Folder
from alexnet_tui.json_io import UNDECODABLE, json_bytes, reason_of_damage
from alexnet_tui.launch import checks
from alexnet_tui.launch.engine import REQUEUE_SIGNAL, VANISHED, WITHDRAW_SIGNAL, Options, QueueStatus, StartOptions
from alexnet_tui.launch.seal import is_sealed, seal
from alexnet_tui.locks import take_lock
from alexnet_tui.runs.liveness import CARRIER_FILE
from alexnet_tui.runs.store import Store
from alexnet_tui.text import printable, quoted

JOB_FILE = "slurm.json"

NOTICE_SECONDS = 120
# The signals go to a task alone; TERM would reach its trainer too, and a second one costs its checkpoint.
_REQUEUE, _WITHDRAW = (number.name.removeprefix("SIG") for number in (REQUEUE_SIGNAL, WITHDRAW_SIGNAL))
_TIMEOUT_SECONDS = 60
_OPTION = re.compile(r"[a-z][a-z0-9-]*")
_OURS = frozenset(("array", "requeue", "no-requeue", "signal", "open-mode", "output", "parsable", "job-name", "wrap"))
_LIVING = frozenset(
    (
        "PENDING",
        "CONFIGURING",
        "POWER_UP_NODE",
        "RUNNING",
        "RESIZING",
        "SIGNALING",
        "SUSPENDED",
        "STOPPED",
        "EXPEDITING",
        "REQUEUED",
        "REQUEUE_FED",
        "REQUEUE_HOLD",
        "RESV_DEL_HOLD",
        "SPECIAL_EXIT",
        "COMPLETING",
        "STAGE_OUT",
    )
)
"""States of a task that SLURM will start, runs, or is about to take away; it is over in every other one."""
_UNKNOWN_JOB = "Invalid job id"
_JOB_NUMBER = r"[0-9]{1,12}"
_TASK = re.compile(r"[0-9]+_(?:([0-9]+)|\[([0-9,%-]+)\])")
_INDEX = re.compile(r"[0-9]{1,9}")


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """``slurm.json``: an array job.

    Attributes:
        job: Its number.
        run_ids: The run of each task, in the order of their indices.
        options: What ``sbatch`` was given beside this program's own options.
        at_once: How many tasks may run at once; 0 leaves that to the cluster.
        withdrawn: Runs that were taken out of the queue.
        seal: This user's seal on the options, where there are any.
    """

    job: Annotated[str, msgspec.Meta(pattern=rf"\A{_JOB_NUMBER}\Z")]
    run_ids: list[str]
    options: dict[str, str] = {}
    at_once: int = 0
    withdrawn: list[str] = []
    seal: str = ""


def check(options: Options) -> None:
    """Refuse options of ``sbatch`` that are none, or this program's to decide; see `Engine.check`."""
    parse_options(options.get("slurm", ()))


def launch(store: Store, run_id: str, options: Options, how: StartOptions) -> None:
    """Queue one run; see `Engine.launch`."""
    checks.check_handover(store, run_id, how)
    folder = store.path(run_id)
    lock = take_lock(folder, name=CARRIER_FILE)  # Of two who ask at once the second finds the first one's job.
    try:
        if (known := queue(folder)) is not None and known.is_active:
            raise RunBusyError(f"run {run_id} is in the queue already, as {known.label}.")
        submit(folder, run_id, store.root, [run_id], options, at_once=0)
    finally:
        os.close(lock)


def submit(folder: Path, name: str, root: Path, run_ids: Sequence[str], options: Options, *, at_once: int) -> str:
    """Queue runs as one array job and note it in a folder; what to call it.

    Without options of ``sbatch`` those of the job before are used, if this user gave them; where somebody else wrote
    them down, it is a `LaunchError`. See `QueueEngine.submit`.
    """
    asked = parse_options(options.get("slurm", ())) or _options_before(folder)
    number = _submit(script(root, run_ids), name, len(run_ids), folder.absolute(), asked, at_once)
    own = seal(folder.name, asked) if asked else ""
    job = Job(job=number, run_ids=list(run_ids), options=asked, at_once=at_once, seal=own)
    try:
        _note(folder, job)
    except StoreError:
        _call("scancel", number)  # A job that is noted nowhere could not be taken back.
        raise
    return _label(job)


def _options_before(folder: Path) -> dict[str, str]:
    """The options of the last job that was noted in a folder: they decide what a cluster executes.

    Raises:
        LaunchError: Not this user gave them.
    """
    before = load(folder)
    if before is None or not before.options:
        return {}
    if not is_sealed(before.seal, folder.name, before.options):
        given = printable(",".join(f"{name}={value}" for name, value in before.options.items()), 200)
        raise LaunchError(
            f"{folder / JOB_FILE} names options of sbatch that were not given here ({given}); name with --slurm those"
            " that are right, or remove that file."
        )
    return before.options


def _note(folder: Path, job: Job) -> None:
    try:
        with Folder(folder) as opened:
            opened.write(JOB_FILE, json_bytes(job))
    except OSError as error:
        raise StoreError(folder / JOB_FILE, f"the job could not be noted ({reason_of(error)}).") from error


def load(folder: Path) -> Job | None:
    """The last job that was noted in a folder, or None.

    Raises:
        StoreError: The note is damaged or cannot be read.
    """
    found = Folder.find(folder)
    if found is None:
        return None
    with found:
        content = found.read(JOB_FILE)
    try:
        return msgspec.json.decode(content, type=Job) if content else None
    except UNDECODABLE as error:
        advice = "if SLURM has none of these runs any more, remove it"
        raise StoreError(folder / JOB_FILE, f"the file is damaged ({reason_of_damage(error)}); {advice}.") from error


def label(folder: Path) -> str:
    """What to call the job that was noted in a folder; see `QueueEngine.label`."""
    job = load(folder)
    return _label(job) if job is not None else ""


def queue(folder: Path) -> QueueStatus | None:
    """What SLURM says of the job that was noted in a folder; `VANISHED` where it knows nothing of a task any more.

    It is to know nothing of one that was taken out of the queue. See `QueueEngine.queue`.
    """
    job = load(folder)
    if job is None:
        return None
    try:
        known = states(job.job, folder.name)
    except LaunchError as error:
        note = f"{folder / JOB_FILE} says that {_label(job)} has these runs; if it is over for good, remove that file."
        raise LaunchError(f"{str(error).rstrip('.')}. {note}") from error
    every = {
        run_id: known.get(index, VANISHED)
        for index, run_id in enumerate(job.run_ids)
        if index in known or run_id not in job.withdrawn
    }
    return QueueStatus(job.job, _label(job), every, any(map(is_waiting_or_running, every.values())))


def withdraw(folder: Path, run_id: str = "") -> None:
    """Take the job that was noted in a folder, or one run's task, out of the queue; see `QueueEngine.withdraw`."""
    job = load(folder)
    if job is None or (run_id and run_id not in job.run_ids):
        return
    cancel(f"{job.job}_{job.run_ids.index(run_id)}" if run_id else job.job, folder.name)
    withdrawn = [*job.withdrawn, run_id] if run_id else job.run_ids
    _note(folder, msgspec.structs.replace(job, withdrawn=withdrawn))


def _label(job: Job) -> str:
    return f"SLURM job {job.job}"


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


def script(root: Path, run_ids: Sequence[str]) -> str:
    """The batch script: it becomes the task that trains the run of its index, so that signals reach it.

    The runs are named in it and not in a file: SLURM keeps the script as it was, and a task may start before the job
    is noted.
    """
    task = child_command("alexnet_tui", "task", "--runs-dir", str(root.absolute()))
    return f'#!/bin/sh\nset -- {shlex.join(run_ids)}\nshift "$SLURM_ARRAY_TASK_ID"\nexec {shlex.join(task)} -- "$1"\n'


def _submit(text: str, name: str, num_tasks: int, log: Path, options: Mapping[str, str], at_once: int) -> str:
    """Queue tasks 0 to `num_tasks` - 1 of a batch script; the job's number.

    Raises:
        LaunchError: SLURM is not here, or refuses.
    """
    limit = f"%{at_once}" if at_once else ""
    answer = _call(
        "sbatch",
        "--parsable",
        f"--job-name={_job_name(name)}",
        f"--array=0-{num_tasks - 1}{limit}",
        "--requeue",
        f"--signal=B:{_REQUEUE}@{NOTICE_SECONDS}",
        "--open-mode=append",
        f"--output={log}/slurm-%A_%a.log",
        *(f"--{option}={value}" for option, value in options.items()),
        text=text,
    )
    # Words of the site may precede the number, and a cluster's name may follow it.
    job = answer.strip().rpartition("\n")[2].partition(";")[0]
    if not re.fullmatch(_JOB_NUMBER, job):
        takes_out = f"scancel --me --name={_job_name(name)}"
        raise LaunchError(
            f"sbatch gave no job number: {quoted(answer, 100)}. If it queued a job all the same, `{takes_out}` takes it"
            " out."
        )
    return job


def _job_name(name: str) -> str:
    """What the job of a study or of a run is called in the queue.

    Numbers begin anew on another cluster, and a note may be forged: a job is ours by its number and its name.
    """
    return f"alexnet-{name}"


def states(job: str, name: str) -> dict[int, str]:
    """State of each task that SLURM still knows, in its words (``PENDING``, ``RUNNING``, ``COMPLETED``...).

    Args:
        job: The job's number.
        name: Name of the study or run that it is for.

    Raises:
        LaunchError: SLURM is not here, or does not answer.
    """
    which = (f"--jobs={job}", f"--name={_job_name(name)}")
    queued = _squeue("--array", *which, "--format=%K|%T")
    past = _sacct("--allocations", *which, "--format=JobID,State")
    found: dict[int, str] = {}
    for line in past.splitlines():
        task, _, state = line.partition("|")
        if (fits := _TASK.fullmatch(task.strip())) and (words := state.split()):
            found |= dict.fromkeys(_indices(fits[1] or fits[2]), words[0])
    for line in queued.splitlines():
        index, _, state = line.strip().partition("|")
        if _INDEX.fullmatch(index) and state:
            found[int(index)] = state.strip()
    return {index: printable(state, 30) for index, state in found.items()}


def is_waiting_or_running(state: str) -> bool:
    """Whether SLURM still has something to do for a task in this state."""
    return state in _LIVING


def cancel(job: str, name: str) -> None:
    """Take a job's tasks, or the one task of ``JOB_INDEX``, out of the queue; those that run save and leave.

    Args:
        job: The job's number, or that of a task.
        name: Name of the study or run that it is for; another's job is left alone.

    Raises:
        LaunchError: SLURM is not here, or refuses.
    """
    ours = f"--name={_job_name(name)}"
    _call("scancel", "--state=PENDING", ours, job)
    try:
        _call("scancel", "--batch", f"--signal={_WITHDRAW}", "--state=RUNNING", ours, job)
    except LaunchError:  # A job of which nothing is left is unknown.
        if _squeue(f"--jobs={job}", ours, "--states=RUNNING", "--format=%i").strip():
            raise


def requeue_this_task() -> bool:
    """Put the task that this process is back into the queue; see `QueueEngine.requeue_this_task`."""
    job, index = (os.environ.get(f"SLURM_ARRAY_{part}_ID", "") for part in ("JOB", "TASK"))
    if job and index:
        _call("scontrol", "requeue", f"{job}_{index}")
    return bool(job and index)


def _squeue(*arguments: str) -> str:
    """What is in the queue; nothing where SLURM knows no such job any more.

    Raises:
        LaunchError: SLURM is not here, or its controller does not answer: then nobody knows.
    """
    try:
        return _call("squeue", "--noheader", *arguments)
    except LaunchError as error:
        if _UNKNOWN_JOB in str(error):
            return ""
        raise


def _sacct(*arguments: str) -> str:
    """What is on a cluster's books; nothing where it keeps none, or where they cannot be read now."""
    try:
        return _call("sacct", "--noheader", "--parsable2", *arguments)
    except LaunchError:
        return ""


def _indices(text: str) -> list[int]:
    """``3``, ``4-7%2`` or ``1,4-6`` as numbers."""
    found: list[int] = []
    for part in text.partition("%")[0].split(","):
        first, dash, last = part.partition("-")
        if _INDEX.fullmatch(first) and (not dash or _INDEX.fullmatch(last)):
            found += range(int(first), min(int(last or first), int(first) + 100_000) + 1)
    return found


def _call(program: str, *arguments: str, text: str = "") -> str:
    """What one of SLURM's commands answers, given a text to read.

    Raises:
        LaunchError: It is not here, gives no answer, or fails.
    """
    try:
        done = subprocess.run(
            [program, *arguments],
            input=text.encode(),
            capture_output=True,
            timeout=_TIMEOUT_SECONDS,
            check=False,
        )
    except FileNotFoundError as error:
        raise LaunchError(f"{program} is not here: this machine has no SLURM, or it is not on the PATH.") from error
    except subprocess.TimeoutExpired as error:
        raise LaunchError(f"{program} gave no answer for {_TIMEOUT_SECONDS} s.") from error
    except OSError as error:
        raise LaunchError(f"{program} could not be started ({reason_of(error)}).") from error
    if done.returncode == 0:
        return done.stdout.decode(errors="replace")
    words = printable(done.stderr.decode(errors="replace").strip(), 300)
    raise LaunchError(f"{program} failed with code {done.returncode}: {words or 'it said nothing'}")
