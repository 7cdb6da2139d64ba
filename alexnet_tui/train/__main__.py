"""``python -m alexnet_tui.train RUN_DIR`` starts or resumes a run; events go to standard output.

The first thing it does is to keep standard output for events alone: whatever a library prints goes to standard
error, which the launcher points at ``trainer.log``. SIGTERM, SIGINT and SIGUSR1 ask for a checkpoint and an end;
a second one, later than a second after it, ends at once.

``--nproc N`` trains the run in N processes that ``torchrun`` starts; each of them is this program once more.
"""

import argparse
import contextlib
import json
import os
import re
import signal
import sys
import time
import traceback
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from alexnet_tui.errors import AlexnetTuiError, ExitCode, PeerLostError, RunBusyError
from alexnet_tui.files import reason_of
from alexnet_tui.folder import Folder
from alexnet_tui.launch.trainer_process import LOCK_VARIABLE, STOP_SIGNALS
from alexnet_tui.locks import take_lock, write_owner
from alexnet_tui.runs import event_log
from alexnet_tui.runs import events as ev
from alexnet_tui.runs.history import RunHistory
from alexnet_tui.text import format_bytes, printable
from alexnet_tui.train.machine import process_rank
from alexnet_tui.train.run_writer import RunWriter, exit_code, past_events

if TYPE_CHECKING:
    from alexnet_tui.train.attempt import Attempt

_SAME_REQUEST_SECONDS = 1.0
_REASONS = {
    "DatasetError": "data",
    "TooFewImagesError": "data_count",
    "DataTooLargeError": "data_size",
    "DeviceError": "device",
    "CheckpointError": "checkpoint",
    "StoreError": "checkpoint",
}
"""Name of an error to the reason a ``failed`` event gives; a class would load torch with its module."""


class StopSignals:
    """Remembers that a signal asked for an end; a second signal ends the process at once.

    Two within a second are one request: a stop from two places must not cost the checkpoint.
    """

    def __init__(self) -> None:
        self.is_set = False
        self._first_seconds = 0.0
        for number in STOP_SIGNALS:
            signal.signal(number, self._on_signal)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if self.is_set and now - self._first_seconds > _SAME_REQUEST_SECONDS:
            os._exit(ExitCode.TERMINATED)
        if not self.is_set:
            self.is_set, self._first_seconds = True, now

    def __call__(self) -> bool:
        """Whether to stop."""
        return self.is_set


def main() -> int:
    """Train the run named on the command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m alexnet_tui.train", allow_abbrev=False)
    parser.add_argument("directory", metavar="RUN_DIR", type=Path)
    parser.add_argument("--from-scratch", action="store_true")
    parser.add_argument("--nproc", metavar="N", type=int, default=1)
    options = parser.parse_args()
    descriptor = _keep_stdout_for_events()
    directory: Path = options.directory.absolute()
    try:
        if options.nproc > 1:
            return _train_in_processes(directory, descriptor, options.nproc, from_scratch=options.from_scratch)
        stop = StopSignals()
        _take_lock(directory)
        with Folder(directory) as folder:
            if process_rank.rank():
                return _assist(folder, stop, from_scratch=options.from_scratch)
            return _train(folder, descriptor, stop, from_scratch=options.from_scratch)
    except AlexnetTuiError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code


def _train_in_processes(directory: Path, descriptor: int, count: int, *, from_scratch: bool) -> int:
    """Let ``torchrun`` start this program `count` times on one run.

    Raises:
        RunBusyError: Another trainer is at work on the run.
        StoreError: The folder holds no readable run.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    lock = _take_lock(directory)
    with Folder(directory) as folder:
        before = past_events(directory)
        if isinstance(before.final, ev.Finished):
            return ExitCode.DONE
        try:
            from alexnet_tui.train.torchrun import train

            return train(folder, lock, descriptor, before, num_processes=count, from_scratch=from_scratch)
        except Exception as error:  # noqa: BLE001 - whatever it is, the record must say how the run ended
            _print_traceback()
            return _fail_for_all(folder, descriptor, before, error)


def _fail_for_all(folder: Folder, descriptor: int, before: RunHistory, error: Exception) -> int:
    """End the record of a run whose processes could not be started or watched, unless the first of them has ended it.

    Raises:
        StoreError: The record cannot be read.
    """
    after = past_events(folder.path)
    if after.num_events == before.num_events or after.final is None:
        writer = event_log.EventWriter(descriptor, attempt=before.attempts + 1, next_seq=after.next_seq)
        _fail(RunWriter(folder, writer, lambda: False), *_reason_and_message(error, folder.path))
    return error.exit_code if isinstance(error, AlexnetTuiError) else ExitCode.TRAINING_FAILED


def _train(folder: Folder, descriptor: int, stop: StopSignals, *, from_scratch: bool) -> int:
    """Run the training and turn every way it can end into a final event and an exit code.

    Raises:
        StoreError: The folder holds no readable run.
    """
    history = past_events(folder.path)
    if isinstance(history.final, ev.Finished):
        return ExitCode.DONE
    writer = event_log.EventWriter(descriptor, attempt=history.attempts + 1, next_seq=history.next_seq)
    run = RunWriter(folder, writer, stop)
    try:
        return _run(run, history, from_scratch)
    except PeerLostError as error:  # The process that started all of them knows why, and writes the last event.
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    except Exception as error:  # noqa: BLE001 - whatever it is, the record must say how the run ended
        _print_traceback()
        _fail(run, *_reason_and_message(error, folder.path))
        return error.exit_code if isinstance(error, AlexnetTuiError) else ExitCode.TRAINING_FAILED


def _assist(folder: Folder, stop: StopSignals, *, from_scratch: bool) -> int:
    """Compute a part of each batch of a run whose record another process writes.

    Raises:
        StoreError: The folder holds no readable run.
        PeerLostError: Another process of the run has ended.
    """
    from alexnet_tui.train.attempt import begin_attempt
    from alexnet_tui.train.update.distributed import joined

    try:
        with joined() as ranks:
            history = past_events(folder.path)
            attempt = begin_attempt(history, folder, should_stop=stop, from_scratch=from_scratch, ranks=ranks)
            for _ in attempt.trainer.fit():
                pass
        return ExitCode.DONE
    except PeerLostError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, who started this process must know why
        _print_traceback()
        _leave_reason(_reason_and_message(error, folder.path)[1])
        return ExitCode.TRAINING_FAILED


def _leave_reason(message: str) -> None:
    """Leave the reason of a failure where ``torchrun`` looks for it."""
    path = process_rank.error_file()
    if path is not None:
        path.write_text(json.dumps({"message": message, "timestamp": str(int(time.time()))}), encoding="utf-8")


def _run(run: RunWriter, history: RunHistory, from_scratch: bool) -> int:
    # Here, not above: a refused or finished run does not pay for loading torch.
    from alexnet_tui.train.attempt import begin_attempt
    from alexnet_tui.train.machine.slowdown import watched
    from alexnet_tui.train.update.distributed import joined

    with joined() as ranks:
        attempt = begin_attempt(
            history, run.folder, should_stop=run.should_stop, from_scratch=from_scratch, ranks=ranks
        )
        for event in attempt.opening_events:
            run.write(event)
        trainer = attempt.trainer
        threads, images = trainer.setup.threads, trainer.images_per_update
        for event in watched(trainer.fit(), threads=threads, images_per_update=images):
            if not isinstance(event, ev.FINAL_EVENTS):
                run.write(event)
                continue
            if isinstance(event, ev.Finished):
                _save_predictions(attempt, run)
            final = run.finish(event, is_saved=attempt.trainer.is_saved)
            if not ranks.is_alone:  # torchrun takes any other code of one process for a failure of all.
                return ExitCode.DONE
            return exit_code(final)
    raise AssertionError("training ended without a final event")


def _save_predictions(attempt: "Attempt", run: RunWriter) -> None:
    """The run is complete without them: whatever goes wrong here is a warning."""
    try:
        attempt.save_predictions(run.folder, run.write)
    except Exception as error:  # noqa: BLE001 - neither a full disk nor lack of memory makes a finished run a failed one
        _print_traceback()
        reason = reason_of(error) if isinstance(error, OSError) else printable(str(error), 200)
        message = f"The predictions on the test images were not written ({reason})."
        run.write(ev.Warned(code="predictions_failed", message=message))


def _reason_and_message(error: Exception, directory: Path) -> tuple[str, str]:
    """Reason and message of the ``failed`` event for an error."""
    match error:
        case AlexnetTuiError():
            return _REASONS.get(type(error).__name__, "error"), str(error)
        case event_log.EventWriteError():
            return "error", f"The run's events could not be written ({reason_of(error)}) in {directory}."
    return _explain(error)


def _explain(error: Exception) -> tuple[str, str]:
    """Reason and message of the ``failed`` event for an unforeseen error."""
    text = printable(str(error), 300)
    what = ": ".join(filter(None, (type(error).__name__, text.rstrip("."))))
    unforeseen = "error", f"{what}. The traceback is in trainer.log."
    try:
        from alexnet_tui.train.machine.device import is_out_of_memory, peak_memory_bytes
    except Exception:  # noqa: BLE001 - torch is not there or broken, in whatever way: that is the error
        return unforeseen
    if is_out_of_memory(error):
        peak, of_what = peak_memory_bytes()
        wanted = re.search(r"tried to allocate (\d{1,18}) bytes", text)
        if wanted:  # The rest is about torch's own source.
            text = f"{format_bytes(int(wanted[1]))} more were needed"
        detail = f" ({text})" if text else ""
        return "oom", (
            f"Out of memory after {format_bytes(peak)} of {of_what}. Try a smaller batch size or front end.{detail}"
        )
    return unforeseen


def _print_traceback() -> None:
    with contextlib.suppress(OSError):  # The log is on the same disk, which may be full.
        traceback.print_exc()


def _fail(run: RunWriter, reason: str, message: str) -> None:
    with contextlib.suppress(OSError):
        run.finish(ev.Failed(reason=reason, message=printable(message, 500)), is_saved=False)


def _take_lock(directory: Path) -> int:
    """The descriptor of the run's lock: the one a launcher handed down, or one taken now, of a trainer started by hand.

    It stays open until the process has ended: a process that is still there, and whose lock is free, looks like one
    that trains the run in another folder.

    Raises:
        RunBusyError: Another trainer is at work on the run.
        StoreError: There is no such folder.
    """
    inherited = os.environ.pop(LOCK_VARIABLE, "")
    if inherited.isdigit():
        try:
            os.set_inheritable(int(inherited), False)
        except OSError as error:
            raise RunBusyError(f"{directory}: the lock handed down by the launcher is not open.") from error
        return int(inherited)
    import psutil

    lock = take_lock(directory)
    write_owner(lock, os.getpid(), psutil.Process().create_time())
    return lock


def _keep_stdout_for_events() -> int:
    """A private copy of standard output; the original then points at standard error."""
    descriptor = os.dup(1)
    os.dup2(2, 1)
    return descriptor


if __name__ == "__main__":
    sys.exit(main())
