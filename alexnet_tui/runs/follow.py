"""Histories in step with the disk: `load` reads a run once, `RunFollower` what is new, `RunCache` many runs again."""

import os
from collections.abc import Iterator
from pathlib import Path

from alexnet_tui.errors import RunNotFoundError, StoreError
from alexnet_tui.runs import events as ev
from alexnet_tui.runs.event_log import EventReader
from alexnet_tui.runs.history import RunHistory
from alexnet_tui.runs.liveness import is_at_work
from alexnet_tui.runs.outline import Outline
from alexnet_tui.runs.record import read_record
from alexnet_tui.runs.run_files import EVENTS_FILE, RECORD_FILE, log_bytes
from alexnet_tui.runs.state import State, state_of
from alexnet_tui.runs.store import Store

LARGE_LOG_BYTES = 1 << 25
"""Of larger logs `load` may read an outline only."""


class RunFollower:
    """One run, read as far as it is written.

    Args:
        skip_steps: Leave ``step`` events out of the history.
        keep_lines: Keep the lines of the events of each batch, in `lines`.

    Raises:
        StoreError: The run cannot be read.

    Attributes:
        history: What was read so far.
    """

    def __init__(self, directory: Path, *, skip_steps: bool = False, keep_lines: bool = False) -> None:
        self.directory = directory
        self.history = RunHistory(read_record(directory))
        self._reader = EventReader(directory / EVENTS_FILE, skip_steps=skip_steps, keep_lines=keep_lines)
        self._size = -1  # Also what has no size, as a pipe, is opened once, and told.

    @property
    def bad_lines(self) -> int:
        """Lines of the log that are no events."""
        return self._reader.bad_lines

    @property
    def lines(self) -> list[bytes]:
        """The lines of the events `read` gave last."""
        return self._reader.lines

    def read(self, limit_bytes: int = 1 << 26, *, until: int | None = None) -> Iterator[list[ev.KnownEvent]]:
        """Fold what is new, and give it in batches; a log that became shorter is read again from its start.

        Args:
            until: Offset at which the log counts as ended, or None for its true end.

        Raises:
            StoreError: The log cannot be read.
        """
        while True:
            events = self._reader.read_new(limit_bytes, until=until)
            if self._reader.was_reset:
                self.history = RunHistory(self.history.record)
            if not events:
                return
            self.history.fold(events)
            yield events

    def refresh(self) -> State:
        """Read what is new; what the run is doing now.

        Raises:
            StoreError: The run cannot be read.
        """
        size = log_bytes(self.directory)
        if isinstance(self.history.final, ev.Finished) and size == self._size:
            return State.FINISHED
        # Asked before reading: a trainer that ends in between leaves its last event, not a lost run.
        lock = _look_at_lock(self.directory)
        size = log_bytes(self.directory)
        if size != self._size:
            for _ in self.read():
                pass
            self.history.bad_lines = self.bad_lines
            self._size = size  # Not before: what could not be read must be looked at again.
        return _state(self.history, self.directory, lock)


def load(store: Store, run_id: str, *, skip_steps: bool = False, may_outline: bool = False) -> tuple[RunHistory, State]:
    """A run's whole history and its state now.

    Args:
        skip_steps: Leave out ``step`` events.
        may_outline: Of a log of more than 32 MiB read only an outline, in a fraction of a second: every epoch, and the
            last step. For showing a run; not for a comparison or a verdict.

    Raises:
        StoreError: The run cannot be read.
    """
    follower = RunFollower(store.path(run_id), skip_steps=skip_steps)
    if not may_outline or log_bytes(follower.directory) <= LARGE_LOG_BYTES:
        state = follower.refresh()
        return follower.history, state
    lock = _look_at_lock(follower.directory)
    history = follower.history.fold_outline(Outline(follower.directory / EVENTS_FILE))
    return history, _state(history, follower.directory, lock)


def _look_at_lock(directory: Path) -> bool | StoreError:
    """Whether a run is at work, or why that cannot be told."""
    try:
        return is_at_work(directory)
    except StoreError as error:
        return error


def _state(history: RunHistory, directory: Path, lock: bool | StoreError) -> State:
    """What a run is doing; one that has finished needs no lock."""
    if isinstance(history.final, ev.Finished):
        return State.FINISHED
    if isinstance(lock, StoreError):
        raise lock
    return state_of(history, directory, lock)


class RunCache:
    """Histories without steps, of runs that are looked up again and again: each time only what is new is read."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[str, RunFollower] = {}

    def find(self, run_id: str) -> tuple[RunHistory, State] | None:
        """A run's history and state now, or None where it is gone.

        Raises:
            StoreError: The run cannot be read.
        """
        known = self._known.get(run_id)
        if known is not None and not os.path.lexists(known.directory / RECORD_FILE):
            known = self._known.pop(run_id) and None
        if known is None:
            try:
                known = self._known[run_id] = RunFollower(self._store.path(run_id), skip_steps=True)
            except RunNotFoundError:
                return None
        state = known.refresh()
        return known.history, state

    def drop(self, run_id: str) -> None:
        """Drop a run; the next `find` reads it from its start."""
        self._known.pop(run_id, None)
