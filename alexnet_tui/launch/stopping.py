"""Stop a run's trainer, or what carries the run to one, wherever and by whatever launcher it was started."""

import contextlib
import os
import signal
import time
from collections.abc import Callable, Sequence

import psutil

from alexnet_tui.errors import AlexnetTuiError, LaunchError, StoreError
from alexnet_tui.files import reason_of
from alexnet_tui.launch.trainer_process import (
    POLL_SECONDS,
    REMOTE_POLL_SECONDS,
    find_owner,
    is_here,
    is_trainer,
    is_training,
    trainer_elsewhere,
)
from alexnet_tui.locks import LOCK_FILE, Owner, is_locked, read_owner
from alexnet_tui.runs import events as ev
from alexnet_tui.runs.history import RunHistory
from alexnet_tui.runs.last_event import write_last_event
from alexnet_tui.runs.liveness import CARRIER_FILE, abandoned_group, owner_elsewhere
from alexnet_tui.runs.stop_request import is_stop_requested, request_stop
from alexnet_tui.runs.store import Store

ENDED_AT_ONCE = "ended at once on request, without a new checkpoint"
"""Reason of the ``stopped`` event of a run whose trainer was not given the time to write one."""
_KILL_SECONDS = 10.0
"""A process that is killed while it writes to a slow disk ends only when the write is done."""
_STOP_ALL_SECONDS, _STOP_ALL_POLL_SECONDS = 60.0, 0.1


def stop(store: Store, run_id: str, patience_seconds: float = 0.0) -> bool:
    """Ask a run's trainer to write a checkpoint and leave; one that was asked before is not asked again.

    Returns:
        Whether the trainer has left.

    Raises:
        LaunchError: Nobody trains the run, or its trainer cannot be identified; or it was asked, and is suspended.
    """
    is_asked = was_asked_to_stop(store, run_id)  # A second request would end it without its checkpoint.
    if (other := trainer_elsewhere(store, run_id)) is not None:
        if not is_asked:
            _request_stop(store, run_id, other)
    elif not _signal_carrier(store, run_id, signal.SIGTERM):
        owner = find_owner(store, run_id)
        if not is_asked:
            _signal(owner.pid, signal.SIGTERM)
            # Without the note the stop is a stop all the same.
            with contextlib.suppress(LaunchError):
                _request_stop(store, run_id, owner)
        if _is_suspended(owner.pid):
            raise LaunchError(
                f"run {run_id}: its trainer, process {owner.pid}, is suspended; `kill -CONT {owner.pid}` lets it go on,"
                " and then it stops with a checkpoint."
            )
    return wait_free(store, run_id, patience_seconds)


def _is_suspended(pid: int) -> bool:
    """Whether a process does nothing until it gets SIGCONT."""
    with contextlib.suppress(psutil.Error):  # It has left.
        return bool(psutil.Process(pid).status() == psutil.STATUS_STOPPED)
    return False


def _request_stop(store: Store, run_id: str, owner: Owner) -> None:
    try:
        with store.folder(run_id) as folder:
            request_stop(folder, owner)
    except (OSError, StoreError) as error:
        raise LaunchError(f"run {run_id} could not be asked to stop ({error}).") from error


def was_asked_to_stop(store: Store, run_id: str) -> bool:
    """Whether the process that holds a run's lock has been asked to stop already."""
    try:
        with store.folder(run_id) as folder:
            return is_stop_requested(folder)
    except StoreError:
        return False


def kill(store: Store, run_id: str, patience_seconds: float = 2.0) -> bool:
    """Make a run's trainer, or what carries the run to one, leave now, without a new checkpoint.

    A trainer is not asked, for the first request is one for a checkpoint: the system ends it, and its record is ended
    here. What carries a run is asked first.

    Args:
        patience_seconds: How long to wait before what is still there is ended once more, by the system.

    Returns:
        Whether the trainer has left.

    Raises:
        LaunchError: Its trainer is on another machine or not to be known again.
    """
    ended: Owner | None = None
    for number, seconds in ((signal.SIGTERM, patience_seconds), (signal.SIGKILL, _KILL_SECONDS)):
        try:
            if not _signal_carrier(store, run_id, number):
                owner = find_owner(store, run_id)
                _end(store, run_id, owner)
                ended = owner
        except LaunchError:
            if store.is_locked(run_id):
                raise
            break  # It left by itself, before the look or during it.
        if wait_free(store, run_id, seconds):
            break
    else:
        return False
    if ended is not None:
        _end_record(store, run_id, ended)
    return True


def _end(store: Store, run_id: str, owner: Owner) -> None:
    """End a trainer and the processes that it started, at once and together, and wait until those have ended."""
    with contextlib.suppress(LaunchError):  # Where the record cannot be ended later, the note says that it was asked.
        _request_stop(store, run_id, owner)
    processes: list[psutil.Process] = []
    with contextlib.suppress(psutil.Error):  # It has left.
        trainer = psutil.Process(owner.pid)
        trainer.suspend()  # It starts no other one meanwhile.
        processes = trainer.children(recursive=True)
    _signal(owner.pid, signal.SIGKILL)
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.kill()
    # The lock may be free before they have ended, and one of them may still write an event.
    deadline = time.monotonic() + _KILL_SECONDS
    while any(_is_at_work(process) for process in processes) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)


def _is_at_work(process: psutil.Process) -> bool:
    """Whether a process has not ended; one whose exit code nobody has collected yet has."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    return False


def _end_record(store: Store, run_id: str, ended: Owner) -> None:
    """Write that a trainer was ended on request, unless it had ended its record itself, or another one has begun."""

    def decide(history: RunHistory) -> ev.Stopped | None:
        if history.final is not None or store.owner(run_id) != ended:
            return None
        return ev.Stopped(epoch=history.num_epochs_done, step=history.step, reason=ENDED_AT_ONCE)

    with contextlib.suppress(OSError, StoreError):  # Its note in the folder says as much.
        write_last_event(store.path(run_id), decide)


def wait_free(store: Store, run_id: str, patience_seconds: float) -> bool:
    """Wait until no process trains a run; whether that came true in time."""
    deadline = time.monotonic() + patience_seconds
    while is_training(store, run_id):
        if time.monotonic() >= deadline:
            return False
        time.sleep(POLL_SECONDS if owner_elsewhere(store.path(run_id)) is None else REMOTE_POLL_SECONDS)
    return True


def stop_all(store: Store, run_ids: Sequence[str], say: Callable[[str], None]) -> None:
    """Ask trainers for a checkpoint, all of them, then wait until they have left.

    A trainer that was asked before is only waited for: a second request would cost its checkpoint.

    Args:
        run_ids: The runs; those that do not train are passed over.
        say: Takes a sentence for people on each.
    """
    leaving = []
    for run_id in run_ids:
        try:
            if not is_training(store, run_id):
                continue
            say(f"stopping run {run_id}")
            if not was_asked_to_stop(store, run_id):
                stop(store, run_id)
            leaving.append(run_id)
        except AlexnetTuiError as error:  # A run that was deleted or ended meanwhile needs no stop.
            say(str(error))
    deadline = time.monotonic() + _STOP_ALL_SECONDS
    while any(_is_still_training(store, run_id) for run_id in leaving) and time.monotonic() < deadline:
        time.sleep(_STOP_ALL_POLL_SECONDS)


def _is_still_training(store: Store, run_id: str) -> bool:
    """Whether a run trains, here or elsewhere; one that was deleted meanwhile does not."""
    try:
        return is_training(store, run_id)
    except StoreError:
        return False


def _signal_carrier(store: Store, run_id: str, number: signal.Signals) -> bool:
    """Signal what carries a run from this host to another, unless a trainer holds the run's lock; whether it was.

    A carrier hands SIGTERM on to its command; anything else, and what is left of a command whose carrier was killed,
    gets the signal as a process group.
    """
    directory = store.path(run_id)
    if is_locked(directory / LOCK_FILE):
        return False
    carrier = read_owner(directory / CARRIER_FILE) if is_locked(directory / CARRIER_FILE) else None
    if carrier is not None and is_here(carrier) and is_trainer(carrier, directory, CARRIER_FILE):
        target = carrier.pid if number == signal.SIGTERM else -carrier.pid
    elif (group := abandoned_group(directory)) is not None:
        target = -group
    else:
        return False
    _signal(target, number)
    return True


def _signal(pid: int, number: signal.Signals) -> None:
    """Signal a process, or the process group of a negative number."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:  # It left between the look and the signal: what was asked for.
        return
    except OSError as error:
        raise LaunchError(f"process {abs(pid)} could not be stopped ({reason_of(error)}).") from error
