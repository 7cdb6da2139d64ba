"""One run in several processes of this machine, started and watched by ``torchrun``.

This process holds the run's lock, gets its signals and passes them on to the trainers; each trainer inherits the lock
as its standard input, so that no other start of the run succeeds while one of them is alive. The first trainer writes
the record. What it cannot write, because another one failed or all were killed, is written here when all have ended.
"""

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping

import psutil
from torch.distributed import run as torchrun
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError, ProcessFailure

from alexnet_tui.cores import num_cores
from alexnet_tui.folder import Folder
from alexnet_tui.launch.trainer_process import LOCK_VARIABLE, STOP_SIGNALS, TRAINER_MODULE
from alexnet_tui.runs import events as ev
from alexnet_tui.runs.event_log import EventWriter
from alexnet_tui.runs.history import RunHistory
from alexnet_tui.text import printable
from alexnet_tui.train.machine.device import threads_of_environment
from alexnet_tui.train.run_writer import RunWriter, exit_code, past_events

_STDIN = 0
_POLL_SECONDS = 0.05


def train(folder: Folder, lock: int, events: int, before: RunHistory, *, num_processes: int, from_scratch: bool) -> int:
    """Train a run in several processes until all have ended; returns the exit code.

    The stop signals must be blocked: the trainers inherit that and are asked to stop only when they can.

    Args:
        before: What earlier attempts wrote.

    Raises:
        StoreError: The record cannot be read.
        EventWriteError: It cannot be written.
        Exception: ``torchrun`` could not start the processes, or not watch them.
    """
    os.dup2(lock, _STDIN)
    os.dup2(events, 1)  # The trainers keep their own standard output for events.
    os.environ[LOCK_VARIABLE] = str(_STDIN)
    if not threads_of_environment():  # torchrun itself would give each process one.
        os.environ["OMP_NUM_THREADS"] = str(max(1, num_cores() // num_processes))
    asked = threading.Event()
    threading.Thread(target=_pass_signals_on, args=(asked, num_processes), daemon=True, name="signals").start()
    try:
        failure = _run(
            "--standalone",
            "--local-addr=127.0.0.1",
            f"--nproc-per-node={num_processes}",
            "--max-restarts=0",
            "--monitor-interval=0.1",
            "-m",
            TRAINER_MODULE,
            str(folder.path),
            *(["--from-scratch"] if from_scratch else []),
        )
    finally:
        os.dup2(2, 1)
    after = past_events(folder.path)
    final = after.final if after.num_events > before.num_events else None
    if final is None:
        final = _final(failure, num_processes, after, is_asked=asked.is_set())
        writer = EventWriter(events, attempt=before.attempts + 1, next_seq=after.next_seq)
        RunWriter(folder, writer, asked.is_set).finish(final, is_saved=False)
    return exit_code(final)


def _run(*arguments: str) -> Mapping[int, ProcessFailure]:
    """Let ``torchrun`` start processes and watch them: each that failed by its number, until it ended the others."""
    try:
        torchrun.run(torchrun.parse_args(arguments))
    except ChildFailedError as error:
        sys.stderr.write(f"{error}\n")
        return error.failures
    return {}


def _final(
    failures: Mapping[int, ProcessFailure], count: int, history: RunHistory, *, is_asked: bool
) -> ev.Stopped | ev.Failed:
    """The last event of an attempt whose first trainer has written none."""
    if is_asked:
        return ev.Stopped(
            epoch=history.num_epochs_done, step=history.step, reason="asked to stop, without a new checkpoint"
        )
    if not failures:
        return ev.Failed(reason="error", message="The processes of this run ended without an event; see trainer.log.")
    # One that ended only because another did leaves no reason of its own, or aborts: its connection broke.
    rank = max(
        failures, key=lambda rank: (bool(_reason(failures[rank])), failures[rank].exitcode != -signal.SIGABRT, -rank)
    )
    how = _reason(failures[rank]) or f"ended with code {failures[rank].exitcode}; the reason is in trainer.log."
    message = f"Process {rank} of {count} {how}"
    return ev.Failed(reason="error", message=printable(message, 500), epoch=history.num_epochs_done, step=history.step)


def _reason(failure: ProcessFailure) -> str:
    """How a trainer ended, where a signal ended it or it left a message; else nothing.

    ``torchrun`` ends the others by SIGTERM, which is no reason.
    """
    if failure.exitcode < 0 and failure.exitcode != -signal.SIGTERM:
        return f"was ended by {failure.signal_name()}."
    left = failure.error_file_data.get("message")
    return f"failed: {left}" if isinstance(left, str) and os.path.isfile(failure.error_file) else ""


def _pass_signals_on(asked: threading.Event, num_processes: int) -> None:
    """Send each stop signal to all trainers; one that comes before they are there is passed on once they are."""
    were_there = False
    while True:
        signal.sigwait(STOP_SIGNALS)
        asked.set()
        trainers = psutil.Process().children()
        while not were_there and len(trainers) < num_processes:
            time.sleep(_POLL_SECONDS)
            trainers = psutil.Process().children()
        were_there = True
        for trainer in trainers:
            with contextlib.suppress(psutil.Error):  # It has left.
                trainer.send_signal(signal.SIGTERM)
