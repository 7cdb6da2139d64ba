"""``python -m alexnet_tui.train RUN_DIR`` starts or resumes a run; events go to standard output.

The first thing it does is to keep standard output for events alone: whatever a library prints goes to standard
error, which the launcher points at ``trainer.log``. SIGTERM, SIGINT and SIGUSR1 ask for a checkpoint and an end;
a second one, later than a second after it, ends at once.
"""

import contextlib
import os
import signal
import sys
import time
import traceback
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from alexnet_tui.errors import (
    AlexnetTuiError,
    CheckpointError,
    DatasetError,
    DeviceError,
    ExitCode,
    RunBusyError,
    StoreError,
)
from alexnet_tui.files import reason_of, take_lock, write_owner
from alexnet_tui.launch.local import LOCK_VARIABLE, STOP_SIGNALS
from alexnet_tui.runs import event_log
from alexnet_tui.runs import events as ev
from alexnet_tui.runs.history import RunFollower, RunHistory
from alexnet_tui.text import printable

if TYPE_CHECKING:
    from alexnet_tui.train.session import Session

_SAME_REQUEST_SECONDS = 1.0
_REASONS: dict[type[AlexnetTuiError], str] = {
    DatasetError: "data",
    DeviceError: "device",
    CheckpointError: "checkpoint",
}
_OUT_OF_MEMORY = ("outofmemoryerror", "out of memory", "can't allocate memory", "alloc_failed")


class StopRequest:
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
    if len(sys.argv) not in (2, 3) or sys.argv[2:] not in ([], ["--from-scratch"]):
        sys.stderr.write("usage: python -m alexnet_tui.train RUN_DIR [--from-scratch]\n")
        return ExitCode.USAGE
    descriptor = _keep_stdout_for_events()
    stop = StopRequest()
    directory = Path(sys.argv[1]).absolute()
    try:
        lock = _inherit_or_take_lock(directory)
    except AlexnetTuiError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    with contextlib.closing(os.fdopen(lock, "rb", closefd=True)):
        return _train(directory, descriptor, stop, from_scratch=len(sys.argv) == 3)


def _train(directory: Path, descriptor: int, stop: StopRequest, *, from_scratch: bool) -> int:
    """Run the training and turn every way it can end into a final event and an exit code."""
    try:
        history = _past(directory)
    except AlexnetTuiError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    if isinstance(history.final, ev.Finished):
        return ExitCode.DONE
    writer = event_log.EventWriter(descriptor, attempt=history.attempts + 1, next_seq=history.next_seq)
    try:
        return _run(directory, writer, history, stop, from_scratch)
    except OSError as error:
        traceback.print_exc()
        full = error.errno in event_log.FULL_DISK
        message = f"The run's events could not be written ({reason_of(error)}) in {directory}. Free space and resume."
        return _fail(writer, "disk_full" if full else "error", message if full else str(error))
    except AlexnetTuiError as error:
        traceback.print_exc()
        _fail(writer, _REASONS.get(type(error), "error"), str(error))
        return error.exit_code
    except Exception as error:  # noqa: BLE001 - the last door: the record must say how the run ended
        traceback.print_exc()
        return _fail(writer, *_explain(error))


def _run(
    directory: Path, writer: event_log.EventWriter, history: RunHistory, stop: StopRequest, from_scratch: bool
) -> int:
    # Here, not above: a refused or finished run does not pay for loading torch.
    from alexnet_tui.train.session import open_session

    session = open_session(history, directory, should_stop=stop, from_scratch=from_scratch)
    for event in session.opening_events:
        writer.write(event)
    final: ev.Event | None = None
    for event in session.trainer.fit():
        if isinstance(event, ev.Finished):
            _save_predictions(session, directory, writer)
        writer.write(event)
        final = event
    if isinstance(final, ev.Finished):
        return ExitCode.DONE
    return ExitCode.TERMINATED if isinstance(final, ev.Stopped) else ExitCode.TRAINING_FAILED


def _save_predictions(session: "Session", directory: Path, writer: event_log.EventWriter) -> None:
    """The run is complete without them: a full disk here is a warning."""
    try:
        session.save_predictions(directory)
    except OSError as error:
        message = f"The predictions on the test images were not written ({reason_of(error)})."
        writer.write(ev.Warned(code="predictions_failed", message=message))


def _past(directory: Path) -> RunHistory:
    """What earlier attempts wrote.

    Raises:
        StoreError: The directory holds no readable run.
    """
    run = RunFollower(directory)
    for _ in run.read():
        pass
    if run.history.is_newer:
        raise StoreError(directory, "a newer alexnet-tui wrote in this run; it can only be looked at.")
    return run.history


def _explain(error: Exception) -> tuple[str, str]:
    """A reason word and a sentence for an error nobody foresaw."""
    text = printable(str(error), 300)
    said = f"{type(error).__name__} {text}".lower()
    if isinstance(error, MemoryError) or any(word in said for word in _OUT_OF_MEMORY):
        return "oom", f"Out of memory{_peak_memory()}. Try a smaller batch size or front end. ({text})"
    return "error", f"{type(error).__name__}: {text} The traceback is in trainer.log."


def _peak_memory() -> str:
    import torch

    if not torch.cuda.is_available():
        return ""
    peak = max(torch.cuda.max_memory_allocated(index) for index in range(torch.cuda.device_count()))
    return f" after {peak / 2**30:.1f} GiB on the GPU" if peak else ""


def _fail(writer: event_log.EventWriter, reason: str, message: str) -> int:
    with contextlib.suppress(OSError):
        writer.write(ev.Failed(reason=reason, message=printable(message, 500)))
    return ExitCode.TRAINING_FAILED


def _inherit_or_take_lock(directory: Path) -> int:
    """The lock a launcher handed down, or one taken now by a trainer started by hand.

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
