"""`RunFollower`: reads the events of one run as they come, and whether a trainer is at work on it."""

import itertools
import math
from collections.abc import Iterator
from pathlib import Path

import msgspec

from alexnet_tui.files import Stamp, file_stamp
from alexnet_tui.locks import LOCK_FILE, read_owner
from alexnet_tui.runs.event_log import EventReader
from alexnet_tui.runs.events import FINAL_EVENTS, Finished, KnownEvent, Resumed, Started
from alexnet_tui.runs.follow import LARGE_LOG_BYTES
from alexnet_tui.runs.history import SYSTEM_COLUMNS, RunHistory, Series
from alexnet_tui.runs.liveness import is_at_work
from alexnet_tui.runs.origin import is_copy
from alexnet_tui.runs.outline import Outline
from alexnet_tui.runs.record import RunRecord, read_record
from alexnet_tui.runs.run_files import EVENTS_FILE
from alexnet_tui.runs.state import State, is_training_elsewhere
from alexnet_tui.runs.stop_request import is_stopping as is_asked_to_stop
from alexnet_tui.tui.watch.batch import Batch

_CHUNK_BYTES = 1 << 18  # What fits the cache of a core, and is freed before the next is read.
_SLICE_BYTES = 1 << 17  # After so much that is new of one run its views have a turn, and keys.
_LARGE_SLICE_BYTES = 1 << 21


class _Whole(msgspec.Struct):
    """A run that is read from its start, a slice a call, while an outline of it is shown."""

    reader: EventReader
    history: RunHistory


class RunFollower(msgspec.Struct):
    """One run on the disk: how far its events have been read, and what was seen of it last.

    Attributes:
        id: Its id.
        directory: Its folder.
        reader: Has read its events so far.
        record: What it was made with.
        events_path: Path of its events; a text, as a path would be made anew for every check.
        notes_path: Likewise of its notes.
        has_steps: Its history has steps, and not epochs alone.
        whole: Its whole history as far as that is read, while an outline of it is shown.
        events_stamp: Of the events when they were read.
        notes_stamp: Of the notes when they were read.
        lock_path: Path of its lock, as a text.
        lock_stamp: Of the lock, which names the trainer, when it was looked at.
        has_news: Its state may be another one than that which was handed over last.
        is_locked: A trainer is at work.
        is_stopping: It trains and has been asked to stop.
        checked: When its notes and its lock were checked last, by the watcher's clock.
        is_live: It may change at any moment.
        is_finished: It trained to its end.
        has_ended: It finished, failed or was stopped.
    """

    id: str
    directory: Path
    reader: EventReader
    record: RunRecord
    events_path: str
    notes_path: str
    lock_path: str
    has_steps: bool = False
    whole: _Whole | None = None
    events_stamp: Stamp | None = None
    notes_stamp: Stamp | None = None
    lock_stamp: Stamp | None = None
    has_news: bool = True
    is_locked: bool = False
    is_stopping: bool = False
    checked: float = -math.inf
    is_live: bool = True
    is_finished: bool = False
    has_ended: bool = False

    @classmethod
    def of(cls, run_id: str, directory: Path, record: RunRecord) -> "RunFollower":
        """A follower of a run of which nothing was read yet."""
        reader = EventReader(directory / EVENTS_FILE, skip_steps=True)
        notes_path, lock_path = f"{directory}/notes.json", f"{directory}/{LOCK_FILE}"
        return cls(run_id, directory, reader, record, str(reader.path), notes_path, lock_path)

    def look(self) -> bool:
        """Whether the events have changed since the last look."""
        before, self.events_stamp = self.events_stamp, file_stamp(self.events_path)
        return self.events_stamp != before

    def read(self, batch: Batch, *, has_changed: bool, wants_steps: bool) -> bool:
        """Read what is new; False where there was more than its views should wait for.

        Args:
            batch: Gets it.
            has_changed: What `look` has just said.
            wants_steps: The history is to have steps.
        """
        is_large = self.events_stamp is not None and self.events_stamp[1] > LARGE_LOG_BYTES
        needs_steps = wants_steps and not self.has_steps
        if needs_steps and not is_large:
            self._read_whole(batch, has_steps=True)
        elif self.id in batch.fresh and is_large:
            self._read_outline(batch.fresh[self.id])
            batch.has_more |= needs_steps
        elif needs_steps and not self._read_slice(batch):
            batch.has_more = True
        elif has_changed and not self._read_events(batch, enough_bytes=_SLICE_BYTES):
            self.events_stamp, batch.has_more = None, True
            return False
        return True

    def drop_steps(self, batch: Batch) -> None:
        """Read the history again without its steps, if it has them, and stop reading them."""
        self.whole = None
        if self.has_steps:
            self._read_whole(batch, has_steps=False)

    def check_lock(self, batch: Batch) -> None:
        """Only a lock distinguishes a running trainer from a crashed one; a finished run needs none."""
        was_locked = self.is_locked
        self.is_locked = not self.is_finished and (
            is_at_work(self.directory) or is_training_elsewhere(self.directory, self.record, has_ended=self.has_ended)
        )
        if was_locked and not self.is_locked:
            # Its last events may have been written between our reading and the check of the lock.
            self._read_events(batch)
        before, self.lock_stamp = self.lock_stamp, file_stamp(self.lock_path)
        # A trainer that came and went between two looks has left its name at least.
        self.has_news |= was_locked != self.is_locked or before != self.lock_stamp
        is_stopping = is_asked_to_stop(self.directory, State.RUNNING if self.is_locked else "")
        if is_stopping is not self.is_stopping:
            self.is_stopping = batch.stops[self.id] = is_stopping
        # A run without an event may start at any moment.
        self.is_live = self.is_locked or not self.events_stamp or not self.events_stamp[1]
        if not self.has_news:
            return
        batch.locks[self.id] = self.is_locked
        if not (self.is_locked or self.is_finished):
            if read_owner(self.directory / LOCK_FILE):
                batch.orphans.add(self.id)
            if is_copy(self.directory, self.record):
                batch.copies.add(self.id)
        self.has_news = False

    def _end_with(self, event: KnownEvent) -> None:
        """Whether the run is over, after its next event."""
        if isinstance(event, (Started, Resumed)):
            self.is_finished = self.has_ended = False
        elif isinstance(event, FINAL_EVENTS):
            self.is_finished, self.has_ended = isinstance(event, Finished), True

    def _end_as(self, history: RunHistory) -> None:
        """Whether the run is over, by its whole history."""
        self.is_finished, self.has_ended = isinstance(history.final, Finished), history.final is not None

    def _read_events(self, batch: Batch, *, enough_bytes: int | None = None) -> bool:
        """Read what is new; False where `enough_bytes` of a run that is shown already came and there is more."""
        reader, stamp = self.reader, self.events_stamp
        start = reader.offset
        first = reader.read_new(_CHUNK_BYTES)
        if reader.was_reset:
            batch.fresh[self.id] = RunHistory(read_record(self.directory))
        for events in itertools.chain((first,), _rest(reader, stamp)):
            self.has_news |= bool(events) or self.id in batch.fresh
            if self.id in batch.fresh:
                batch.fresh[self.id].fold(events)
            elif events:
                batch.events.setdefault(self.id, []).extend(events)
            for event in events:
                self._end_with(event)
            is_enough = enough_bytes is not None and reader.offset - start >= enough_bytes
            if is_enough and self.id not in batch.fresh and stamp is not None and reader.offset < stamp[1]:
                return False
        return True

    def _read_slice(self, batch: Batch) -> bool:
        """Read on in a large log, whose steps are thinned; whether its end was reached, and it is shown whole."""
        assert self.events_stamp is not None
        size = self.events_stamp[1]
        if self.whole is None:
            stride = -(-size // LARGE_LOG_BYTES)
            history = RunHistory(self.record, system_rows=Series(SYSTEM_COLUMNS), step_stride=stride)
            self.whole = _Whole(EventReader(self.directory / EVENTS_FILE), history)
        reader, history = self.whole.reader, self.whole.history
        before = reader.offset
        events = reader.read_new(_LARGE_SLICE_BYTES, until=size)
        if reader.was_reset:
            self.whole = None
            return False
        history.fold(events)
        if before != reader.offset < size:
            return False
        self.whole, self.reader, self.has_steps, self.has_news = None, reader, True, True
        self._end_as(history)
        batch.fresh[self.id] = history
        return True

    def _read_whole(self, batch: Batch, *, has_steps: bool) -> None:
        """Read a run again from its start, with or without its steps; the old reader is done with."""
        if not has_steps and self.events_stamp and self.events_stamp[1] > LARGE_LOG_BYTES:
            batch.fresh[self.id], self.has_steps, self.has_news = RunHistory(self.record), False, True
            self._read_outline(batch.fresh[self.id])
            return
        reader = EventReader(self.directory / EVENTS_FILE, skip_steps=not has_steps)
        system_rows = Series(SYSTEM_COLUMNS) if has_steps else None
        history = RunHistory(read_record(self.directory), system_rows=system_rows)
        for events in _rest(reader, self.events_stamp):
            history.fold(events)
        self.reader, self.has_steps, self.has_news = reader, has_steps, True
        self._end_as(history)
        batch.fresh[self.id] = history

    def _read_outline(self, history: RunHistory) -> None:
        """Show a large log at once, by its outline, and follow it from there; its steps are read when it is opened."""
        outline = Outline(self.directory / EVENTS_FILE)
        history.fold_outline(outline)
        self.reader = EventReader(self.directory / EVENTS_FILE, skip_steps=True, offset=outline.end)
        self._end_as(history)


def _rest(reader: EventReader, stamp: Stamp | None) -> Iterator[list[KnownEvent]]:
    """What is left of a file that was `stamp` long; a chunk of nothing but skipped steps is not its end."""
    before = -1
    while stamp is not None and before != reader.offset < stamp[1]:
        before = reader.offset
        yield reader.read_new(_CHUNK_BYTES)
