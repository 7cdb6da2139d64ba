"""The process that trains a run: whether there is one, and which it is.

A lock file alone proves nothing, as another user may have written it: the process it names must be a trainer of that
very run.
"""

import os
import signal
import time
from pathlib import Path

import psutil

from alexnet_tui.command_lines import child_command
from alexnet_tui.errors import LaunchError, StoreError
from alexnet_tui.locks import LOCK_FILE, Owner, is_locked, lock_status
from alexnet_tui.runs import liveness
from alexnet_tui.runs.follow import load
from alexnet_tui.runs.state import State, is_training_elsewhere
from alexnet_tui.runs.store import Store
from alexnet_tui.text import printable

TRAINER_MODULE = "alexnet_tui.train"
TRAINER = child_command(TRAINER_MODULE)
LOCK_VARIABLE = "ALEXNET_TUI_LOCK_FD"
"""Environment variable with the descriptor of the lock that the launcher took for its trainer."""
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
"""Signals that make a trainer write a checkpoint and end; blocked in it until its handlers are set."""
POLL_SECONDS, REMOTE_POLL_SECONDS = 0.02, 0.5
_NAME_PATIENCE_SECONDS = 1.0


def is_training(store: Store, run_id: str) -> bool:
    """Whether a run is being trained, here or elsewhere, or is on its way to another machine."""
    return store.is_locked(run_id) or trainer_elsewhere(store, run_id) is not None


def trainer_elsewhere(store: Store, run_id: str) -> Owner | None:
    """Who trains a run on another host now: its lock is seen to be held, or its record grows; else None."""
    directory = store.path(run_id)
    owner = liveness.owner_elsewhere(directory)
    if owner is None:
        return None
    if is_locked(directory / LOCK_FILE):
        return owner
    if not liveness.unseen_locks(directory):
        return None
    history, state = load(store, run_id, skip_steps=True)
    if history.final is not None and state is State.RUNNING:
        # So it is also while something carries it to a machine, but one that has ended there is nobody's.
        return owner if is_training_elsewhere(directory, history.record, has_ended=True) else None
    return owner if state is State.RUNNING else None


def find_owner(store: Store, run_id: str) -> Owner:
    """The process that trains a run now, proven to be that process.

    The name in the lock file may be a moment old, hence the patience.

    Raises:
        LaunchError: Nobody trains the run, or its trainer is on another machine or cannot be identified.
    """
    deadline = time.monotonic() + _NAME_PATIENCE_SECONDS
    while True:
        if not store.is_locked(run_id):
            raise LaunchError(f"run {run_id} is not being trained.")
        owner = store.owner(run_id)
        if owner is not None and is_here(owner) and is_trainer(owner, store.path(run_id)):
            return owner
        if time.monotonic() >= deadline:
            raise LaunchError(_why_unknown(run_id, owner))
        time.sleep(POLL_SECONDS)


def _why_unknown(run_id: str, owner: Owner | None) -> str:
    if owner is None:
        return f"run {run_id} is locked by a process that left no name; nothing was stopped."
    if not is_here(owner):
        host = printable(owner.host, 80)
        return f"run {run_id} is being trained on {host} (process {owner.pid}); it can be ended at once only there."
    return f"run {run_id} is locked, but process {owner.pid} is not its trainer; nothing was stopped."


def is_here(owner: Owner) -> bool:
    """Whether a process is on this host."""
    return owner.host == os.uname().nodename


def is_trainer(owner: Owner, directory: Path, lock_name: str = LOCK_FILE) -> bool:
    """Whether a process is the trainer of a run, or holds another of its locks.

    The lock file alone is no proof: another user may have written it.

    It runs as this user (where this user is root: as root or the lock file's owner), has the lock file of this very
    folder open, and its command line names a trainer or the folder. Its start time must be the one in the lock file;
    that moves when somebody sets the clock, and a command line that names the folder is proof in its place.
    """
    if owner.pid <= 1:
        return False
    try:
        lock = lock_status(directory / lock_name)
        process = psutil.Process(owner.pid)
        if lock is None or process.uids().real not in _possible_users(lock.st_uid):
            return False
        command_line = process.cmdline()
        names_folder = any(_is_same_folder(argument, directory) for argument in command_line)
        if not names_folder and TRAINER_MODULE not in command_line:
            return False
        is_same_start = owner.has_started_at(process.create_time())
        return (is_same_start or names_folder) and _has_open(process, lock)
    except (psutil.Error, StoreError):
        return False


def _possible_users(lock_uid: int) -> set[int]:
    """Users a trainer may run as; anybody but root can signal only their own processes."""
    return {os.getuid()} if os.getuid() else {0, lock_uid}


def _is_same_folder(argument: str, directory: Path) -> bool:
    try:
        return os.path.isabs(argument) and os.path.samefile(argument, directory)
    except (OSError, ValueError):
        return False


def _has_open(process: psutil.Process, file: os.stat_result) -> bool:
    """Whether a process has a file open, wherever the file has been moved to."""
    descriptors = Path(f"/proc/{process.pid}/fd")
    try:
        paths = list(descriptors.iterdir())
    except OSError:  # No Linux.
        paths = [Path(opened.path) for opened in process.open_files()]
    return any(_is_file(path, file) for path in paths)


def _is_file(path: Path, status: os.stat_result) -> bool:
    try:
        return os.path.samestat(path.stat(), status)
    except OSError:
        return False
