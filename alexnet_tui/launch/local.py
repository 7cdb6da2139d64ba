"""Start a trainer on this machine, detached from the process that asks for it.

The run's lock is taken here and inherited by the trainer, so a second start is refused at
any moment. The trainer's stdout is ``events.jsonl`` itself: no pipe ties it to this process or to a terminal.
"""

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Collection, Iterator, Sequence

import psutil

from alexnet_tui.command_lines import child_environment
from alexnet_tui.errors import LaunchError, RunBusyError
from alexnet_tui.files import reason_of
from alexnet_tui.launch.checks import check_startable
from alexnet_tui.launch.engine import DEFAULT_START, Options, StartOptions
from alexnet_tui.launch.trainer_process import LOCK_VARIABLE, STOP_SIGNALS, TRAINER, trainer_elsewhere
from alexnet_tui.launch.trust import check_or_note_trust
from alexnet_tui.locks import take_lock, write_owner
from alexnet_tui.runs.run_files import EVENTS_FILE, LOG_FILE
from alexnet_tui.runs.store import Store
from alexnet_tui.text import printable


def check(options: Options) -> None:
    """There are no options of this launcher."""


def launch(store: Store, run_id: str, options: Options, how: StartOptions) -> None:
    """Start a run on this machine; see `Engine.launch`."""
    start(store, run_id, how)


def start(store: Store, run_id: str, how: StartOptions = DEFAULT_START) -> int:
    """Start or resume a run in a process of its own that outlives this one; the number of that process.

    See `Engine.launch` for the errors.
    """
    check_startable(store, run_id)
    check_or_note_trust(store, run_id, how)
    if (other := trainer_elsewhere(store, run_id)) is not None:
        where = f"process {other.pid} on {printable(other.host, 80)}"
        raise RunBusyError(f"run {run_id} is already being trained by {where}.")
    with store.folder(run_id) as folder:
        arguments = [*(how.command or TRAINER), str(folder.path.absolute())]
        arguments += ["--from-scratch"] if how.from_scratch else []
        descriptors = [take_lock(folder.path)]
        try:
            descriptors.append(folder.append(EVENTS_FILE))
            descriptors.append(folder.append(LOG_FILE))
            if os.fstat(descriptors[-1]).st_size:  # The reason that an earlier attempt ended is not this one's.
                os.write(descriptors[-1], time.strftime("\n--- started again %Y-%m-%d %H:%M:%S ---\n").encode())
            variables = {**how.environment, LOCK_VARIABLE: str(descriptors[0])}
            with _stops_blocked(), cpu_affinity(how.cores):
                return spawn(arguments, lock=descriptors[0], stdout=descriptors[1], stderr=descriptors[2], **variables)
        except OSError as error:
            raise LaunchError(f"run {run_id}: the trainer could not be started ({reason_of(error)}).") from error
        finally:
            for descriptor in descriptors:
                os.close(descriptor)


@contextlib.contextmanager
def cpu_affinity(cores: Collection[int]) -> Iterator[None]:
    """Start processes that inherit a set of CPU cores; what cannot be set is left as it is."""
    if not cores or not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)  # Of this thread alone.
    with contextlib.suppress(OSError):
        os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextlib.contextmanager
def _stops_blocked() -> Iterator[None]:
    """Start processes in which stop signals are blocked until their handlers are set.

    A stop in the first moments of a trainer is then one with a checkpoint.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def spawn(arguments: Sequence[str], *, stdout: int, stderr: int, lock: int | None = None, **variables: str) -> int:
    """Start a process that outlives this one, in a session of its own; its number.

    Args:
        lock: A lock that it inherits, and that its name is written into.
        variables: Of its environment.

    Raises:
        OSError: It could not be started, or not be named.
    """
    process = subprocess.Popen(
        arguments,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        start_new_session=True,
        pass_fds=() if lock is None else (lock,),
        env=child_environment(**variables),
    )
    # A console may live longer than what it started; somebody must collect the exit status.
    threading.Thread(target=process.wait, daemon=True, name=f"reap-{process.pid}").start()
    if lock is not None:
        start_seconds = time.time()
        with contextlib.suppress(psutil.Error):  # It has already left; its log says why.
            start_seconds = psutil.Process(process.pid).create_time()
        try:
            write_owner(lock, process.pid, start_seconds)
        except OSError:
            process.kill()  # A process without a name in its lock could never be stopped.
            process.wait()
            raise
    return process.pid
