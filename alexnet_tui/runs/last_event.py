"""The last event of an attempt whose trainer wrote none, written in its place by a process that knows how it ended."""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

from alexnet_tui.errors import RunBusyError, StoreError
from alexnet_tui.folder import Folder
from alexnet_tui.locks import take_lock
from alexnet_tui.runs import events as ev
from alexnet_tui.runs.event_log import EventWriter
from alexnet_tui.runs.follow import RunFollower
from alexnet_tui.runs.history import RunHistory
from alexnet_tui.runs.run_files import EVENTS_FILE

RESERVE_FILE = ".reserve"
"""A small file that a trainer makes, whose space is freed for the last event of a run on a full disk."""


def write_last_event(
    directory: Path, decide: Callable[[RunHistory], ev.Stopped | ev.Failed | None], *, attempt: int = 1
) -> None:
    """Append the last event of a run that nobody trains; where a trainer is at work, it is left to that.

    Args:
        directory: The run's.
        decide: From what the record says to the event, or to None where there is none to write; called while no trainer
            can begin.
        attempt: The attempt that has ended, for one that ended before its first event.

    Raises:
        StoreError: The record cannot be read or written.
        OSError: The disk refuses.
    """
    with contextlib.suppress(RunBusyError), Folder(directory) as folder:
        lock = take_lock(directory)
        try:
            history = _whole_history(directory)
            if history.is_newer or (event := decide(history)) is None:
                return
            free_reserve(folder)
            descriptor = folder.append(EVENTS_FILE)
            try:
                writer = EventWriter(descriptor, attempt=max(history.attempts, attempt), next_seq=history.next_seq)
                writer.write(event)
            finally:
                os.close(descriptor)
        finally:
            os.close(lock)


def _whole_history(directory: Path) -> RunHistory:
    """Steps included: the number of the next event follows from the last one, whatever that is."""
    run = RunFollower(directory)
    for _ in run.read():
        pass
    return run.history


def free_reserve(folder: Folder) -> None:
    """Give the space back that a trainer kept for the last event of its run."""
    with contextlib.suppress(OSError, StoreError):
        folder.remove(RESERVE_FILE)
