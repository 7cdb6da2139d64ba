"""``python -m alexnet_tui.train RUN_DIR`` starts or resumes a run; events go to standard output.

The first thing it does is to keep standard output for events alone: whatever a library prints goes to standard
error, which the launcher points at ``trainer.log``. SIGTERM, SIGINT and SIGUSR1 ask for a checkpoint and an end;
a second one ends at once.
"""

import contextlib
import os
import signal
import sys
import traceback
from pathlib import Path
from types import FrameType

from alexnet_tui import events as ev
from alexnet_tui.errors import AlexnetTuiError, ExitCode, RunBusyError
from alexnet_tui.files import STOP_SIGNALS, reason_of, take_lock, write_owner
from alexnet_tui.history import RunHistory
from alexnet_tui.store import EVENTS_FILE, EventReader, Store
from alexnet_tui.text import printable

LOCK_VARIABLE = "ALEXNET_TUI_LOCK_FD"


class StopRequest:
    """Remembers that a signal asked for an end; a second signal ends the process at once."""

    def __init__(self) -> None:
        self.is_set = False
        for number in STOP_SIGNALS:
            signal.signal(number, self._on_signal)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.is_set:
            os._exit(ExitCode.TERMINATED)
        self.is_set = True

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
    writer = ev.EventWriter(descriptor, attempt=history.attempts + 1, next_seq=history.next_seq)
    try:
        return _run(directory, writer, history, stop, from_scratch)
    except OSError as error:
        traceback.print_exc()
        full = error.errno in ev.FULL_DISK
        message = f"The run's events could not be written ({reason_of(error)}) in {directory}. Free space and resume."
        return _fail(writer, "disk_full" if full else "error", message if full else str(error))
    except AlexnetTuiError as error:
        traceback.print_exc()
        _fail(writer, "data" if error.exit_code == ExitCode.STORE_OR_DATA else "error", str(error))
        return error.exit_code
    except Exception as error:  # noqa: BLE001 - the last door: the record must say how the run ended
        traceback.print_exc()
        return _fail(writer, *_explain(error))


def _run(directory: Path, writer: ev.EventWriter, history: RunHistory, stop: StopRequest, from_scratch: bool) -> int:
    # Here, not above: a refused or finished run does not pay for loading torch.
    from alexnet_tui.train.session import open_session

    session = open_session(history, directory, should_stop=stop, from_scratch=from_scratch)
    for event in session.opening_events:
        writer.write(event)
    final: ev.Event | None = None
    for event in session.trainer.fit():
        if isinstance(event, ev.Finished):
            session.save_predictions(directory)
        writer.write(event)
        final = event
    if isinstance(final, ev.Finished):
        return ExitCode.DONE
    return ExitCode.TERMINATED if isinstance(final, ev.Stopped) else ExitCode.TRAINING_FAILED


def _past(directory: Path) -> RunHistory:
    """What earlier attempts wrote.

    Raises:
        StoreError: The directory holds no readable run.
    """
    record = Store(directory.parent).record(directory.name)
    history = RunHistory(record)
    reader = EventReader(directory / EVENTS_FILE, skip_steps=False)
    while events := reader.read_new():
        history.fold(events)
    return history


def _explain(error: Exception) -> tuple[str, str]:
    """A reason word and a sentence for an error nobody foresaw."""
    text = printable(str(error), 300)
    out_of_memory = type(error).__name__ == "OutOfMemoryError" or "can't allocate memory" in text
    if isinstance(error, MemoryError) or out_of_memory:
        return "oom", f"Out of memory{_peak_memory()}. Try a smaller batch size or front end. ({text})"
    return "error", f"{type(error).__name__}: {text} The traceback is in trainer.log."


def _peak_memory() -> str:
    import torch

    if not torch.cuda.is_available():
        return ""
    return f" after {torch.cuda.max_memory_allocated() / 2**30:.1f} GiB on the GPU"


def _fail(writer: ev.EventWriter, reason: str, message: str) -> int:
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
