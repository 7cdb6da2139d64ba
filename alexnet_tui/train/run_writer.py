"""Writes the events of a run while it trains, also when its folder is moved or the disk is full."""

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path

from alexnet_tui.command_lines import shell_command
from alexnet_tui.errors import ExitCode, StoreError
from alexnet_tui.folder import Folder
from alexnet_tui.runs import events as ev
from alexnet_tui.runs.event_log import EventWriter
from alexnet_tui.runs.follow import RunFollower
from alexnet_tui.runs.history import RunHistory
from alexnet_tui.runs.last_event import RESERVE_FILE, free_reserve
from alexnet_tui.runs.run_files import CHECKPOINTS, KERNELS, PREDICTIONS_FILE
from alexnet_tui.runs.stop_request import is_stop_requested
from alexnet_tui.text import format_duration, printable

RESERVE_BYTES = 1 << 18
"""Freed for the last events of a run whose disk is full: an epoch takes 400 bytes."""
FULL_DISK_PATIENCE_SECONDS = 300.0
_CHECK_SECONDS = 5.0
_RETRY_SECONDS = 0.5


_EXIT_CODES = {ev.Finished: ExitCode.DONE, ev.Stopped: ExitCode.TERMINATED}


def exit_code(final: ev.Event) -> ExitCode:
    """The exit code of a trainer whose last event this is."""
    return _EXIT_CODES.get(type(final), ExitCode.TRAINING_FAILED)


class RunWriter:
    """Appends the events of a run that is being trained.

    While the disk is full, events are kept in memory and training goes on. After `patience_seconds` without room, or
    when asked to stop, the last events are written into the space of a small file made at the start.

    The folder is held open, so that a run that is moved while it trains stays whole: checkpoints and events go where
    the folder is. Every few seconds `should_stop` compares it with its path, and looks for a request to stop in it.

    Args:
        folder: The run's folder; its `path` follows a move.
        writer: Appends to its event log.
        is_asked_to_stop: Whether a signal asked for an end.
        patience_seconds: How long a full disk is borne.
        check_seconds: Pause between two checks of the folder's place.
    """

    def __init__(
        self,
        folder: Folder,
        writer: EventWriter,
        is_asked_to_stop: Callable[[], bool],
        *,
        patience_seconds: float = FULL_DISK_PATIENCE_SECONDS,
        check_seconds: float = _CHECK_SECONDS,
    ) -> None:
        self.folder = folder
        self._writer = writer
        self._is_asked_to_stop = is_asked_to_stop
        self._patience_seconds = patience_seconds
        self._check_seconds = check_seconds
        self._next_check_seconds = time.monotonic() + check_seconds
        self._full_since: float | None = None
        self._is_lost = self._is_asked_by_file = False
        _sweep(folder)
        _make_reserve(folder)

    def should_stop(self) -> bool:
        """Whether to leave: asked to, or out of patience with a full disk, or without a folder to write to."""
        if time.monotonic() >= self._next_check_seconds:
            self._check_folder()
        return self._is_asked_to_stop() or self._is_asked_by_file or self._is_lost or self._is_out_of_patience()

    def write(self, event: ev.Event) -> None:
        """Append an event, now or when there is room.

        Raises:
            EventWriteError: The file cannot be written.
        """
        self._note(self._writer.write(event))

    def finish(self, event: ev.Event, *, is_saved: bool) -> ev.Event:
        """Write the final event, or the one that a full disk or a lost folder makes of it; the one written.

        Args:
            event: Finished, stopped or failed.
            is_saved: Whether a checkpoint holds the weights as they are now.

        Raises:
            EventWriteError: The file cannot be written.
        """
        while not self._flush() and isinstance(event, ev.Finished) and not self.should_stop():
            time.sleep(_RETRY_SECONDS)
        if self._full_since is not None:
            if not is_saved and not isinstance(event, ev.Failed):
                event = self._disk_full(event)
            self._writer.drop_steps(RESERVE_BYTES // 2)
        elif self._is_lost and isinstance(event, ev.Stopped):
            event.reason = "its folder was moved to where it cannot be found, or removed" + (
                "" if is_saved else "; no checkpoint was written"
            )
        free_reserve(self.folder)  # First: nobody cleans up behind a final event.
        self._writer.write(event)
        return event

    def _flush(self) -> bool:
        is_written = self._writer.flush()
        self._note(is_written)
        return is_written

    def _note(self, is_written: bool) -> None:
        if is_written:
            self._full_since = None
        elif self._full_since is None:
            self._full_since = time.monotonic()

    def _is_out_of_patience(self) -> bool:
        return self._full_since is not None and time.monotonic() - self._full_since > self._patience_seconds

    def _disk_full(self, event: ev.Event) -> ev.Failed:
        assert self._full_since is not None
        duration = format_duration(time.monotonic() - self._full_since)
        resume = shell_command("resume", self.folder.path.name, root=self.folder.path.parent)
        return ev.Failed(
            reason="disk_full",
            message=f"The disk has been full for {duration}, and no checkpoint could be written."
            f" Free space in {self.folder.path}; `{resume}` goes on from the last checkpoint.",
            epoch=getattr(event, "epoch", 0),
            step=getattr(event, "step", 0),
        )

    def _check_folder(self) -> None:
        """Follow the folder to where it is now, and see whether somebody on another host asks for an end."""
        self._next_check_seconds = time.monotonic() + self._check_seconds
        self._flush()
        self._is_asked_by_file = is_stop_requested(self.folder)
        if self.folder.is_in_place():
            return
        found = self.folder.current_path()
        if found is None:
            self._is_lost = True
            return
        old, self.folder.path = self.folder.path, found
        message = f"The run's folder was moved from {old} to {found}; training continues there."
        self.write(ev.Warned(code="moved", message=printable(message, 500)))


def past_events(directory: Path) -> RunHistory:
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


def _sweep(folder: Folder) -> None:
    """Remove what earlier trainers left half-written when they were killed."""
    with contextlib.suppress(OSError, StoreError):
        folder.sweep(PREDICTIONS_FILE)
        for name in (KERNELS, CHECKPOINTS):
            below = folder.folder(name)
            if below is not None:
                with below:
                    below.sweep()


def _make_reserve(folder: Folder) -> None:
    """Make a file whose space can be freed later, if there is room for it."""
    with contextlib.suppress(OSError, StoreError):
        folder.remove(RESERVE_FILE)
        descriptor = folder.create(RESERVE_FILE)
        try:
            os.write(descriptor, os.urandom(RESERVE_BYTES))  # A file system that compresses gives nothing for zeros.
        finally:
            os.close(descriptor)
