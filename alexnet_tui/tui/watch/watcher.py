"""`RunsWatcher`: keeps every run's history in step with the disk, at next to no cost while nothing happens.

Reading and folding are apart: `read` touches the disk and may run in a thread; `apply` changes the public
dictionaries and belongs to the thread that draws, so that no view ever sees half a fold. The two take turns; what
the drawing thread wants meanwhile (`open`, `poll_eagerly`, `drop`) is noted, and the next `read` acts on it. A live run
is looked at on every call; settled runs take turns, because only a resume or a note changes them.
"""

import contextlib
import itertools
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import msgspec

from alexnet_tui.errors import StoreError
from alexnet_tui.locks import LOCK_FILE, read_owner
from alexnet_tui.runs.event_log import EventReader
from alexnet_tui.runs.events import FINAL_EVENTS, Finished, KnownEvent, Resumed, Started
from alexnet_tui.runs.follow import LARGE_LOG_BYTES
from alexnet_tui.runs.history import SYSTEM_COLUMNS, RunHistory, Series
from alexnet_tui.runs.liveness import is_at_work, is_heard_from
from alexnet_tui.runs.notes import Notes
from alexnet_tui.runs.origin import is_copy, is_imported
from alexnet_tui.runs.outline import Outline
from alexnet_tui.runs.record import RunRecord, read_record
from alexnet_tui.runs.run_files import EVENTS_FILE
from alexnet_tui.runs.state import State, derive_state
from alexnet_tui.runs.stop_request import is_stopping as is_asked_to_stop
from alexnet_tui.runs.store import Store
from alexnet_tui.tui.file_stamps import Stamp, file_stamp

_SCAN_SECONDS = 1.0
_SETTLE_SECONDS = 3.0
_LOCK_SECONDS = 1.0
_TURNS, _TURN_SECONDS = 20, 0.9
_MAX_SETTLED_PER_CALL = 100
_MAX_RETRIED_PER_TURN = 20
_EAGER_SECONDS = 10.0
_CHUNK_BYTES = 1 << 18  # What fits the cache of a core, and is freed before the next is read.
_SLICE_BYTES = 1 << 17  # After so much that is new of one run its views have a turn, and keys.
_LARGE_SLICE_BYTES = 1 << 21
_NEW_RUNS_PER_CALL = 400


class _Follower(msgspec.Struct):
    """What is known on disk of one run."""

    directory: Path
    reader: EventReader
    record: RunRecord
    events_path: str
    notes_path: str
    has_steps: bool = False
    whole: "_Whole | None" = None
    events_stamp: Stamp | None = None
    notes_stamp: Stamp | None = None
    is_locked: bool = False
    is_stopping: bool = False
    looked: float = -_LOCK_SECONDS
    is_live: bool = True
    is_finished: bool = False
    has_ended: bool = False

    def end_with(self, event: KnownEvent) -> None:
        """Whether the run is over, after its next event."""
        if isinstance(event, (Started, Resumed)):
            self.is_finished = self.has_ended = False
        elif isinstance(event, FINAL_EVENTS):
            self.is_finished, self.has_ended = isinstance(event, Finished), True

    def end_as(self, history: RunHistory) -> None:
        """Whether the run is over, by its whole history."""
        self.is_finished, self.has_ended = isinstance(history.final, Finished), history.final is not None


class _Whole(msgspec.Struct):
    """A run that is read from its start, a slice a call, while an outline of it is shown."""

    reader: EventReader
    history: RunHistory


class Batch(msgspec.Struct):
    """What one `read` found.

    Attributes:
        fresh: Histories read from the start; they replace the old ones.
        events: New events of runs already known, oldest first.
        locks: Whether a trainer holds the lock, of the runs where that or anything else is new.
        stops: Whether a run that trains has been asked to stop, of the runs where that is new.
        orphans: Runs that were started once and have no trainer now.
        copies: Runs without a trainer here that are copies of others, which may be training.
        notes: Notes that were new or changed.
        gone: Runs whose directories are no longer there.
        missing: Runs that were opened and are not there.
        problems: A sentence for each run that cannot be read; "" is the folder itself.
        solved: Problems that are none any more.
        has_more: There was more to read than one call should take.
    """

    fresh: dict[str, RunHistory] = msgspec.field(default_factory=dict)
    events: dict[str, list[KnownEvent]] = msgspec.field(default_factory=dict)
    locks: dict[str, bool] = msgspec.field(default_factory=dict)
    stops: dict[str, bool] = msgspec.field(default_factory=dict)
    orphans: set[str] = msgspec.field(default_factory=set)
    copies: set[str] = msgspec.field(default_factory=set)
    notes: dict[str, Notes] = msgspec.field(default_factory=dict)
    gone: set[str] = msgspec.field(default_factory=set)
    missing: set[str] = msgspec.field(default_factory=set)
    problems: dict[str, str] = msgspec.field(default_factory=dict)
    solved: set[str] = msgspec.field(default_factory=set)
    has_more: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether nothing was found."""
        found = (self.fresh, self.events, self.locks, self.stops, self.notes, self.gone, self.missing)
        return not (self.has_more or any(found) or self.problems or self.solved)


class RunsWatcher:
    """Histories, states and notes of all runs of a store.

    Histories hold epochs only; `open` adds the steps of one run.

    Args:
        store: The runs folder.
        clock: Monotonic seconds; tests replace it.

    Attributes:
        histories: Run id to history.
        states: Run id to what the run is doing.
        stopping: Ids of running runs that have been asked to stop.
        notes: Run id to what people say about it.
        problems: Run id to the sentence that says why it cannot be read.
        missing: Ids of runs that were opened and are not there, or no longer.
        references: Ids of the runs that came with the program.
        imported: Ids of the runs that came out of an archive.
    """

    def __init__(self, store: Store, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.store = store
        self.histories: dict[str, RunHistory] = {}
        self.states: dict[str, State] = {}
        self.stopping: set[str] = set()
        self.notes: dict[str, Notes] = {}
        self.problems: dict[str, str] = {}
        self.missing: set[str] = set()
        self.references: set[str] = set()
        self.imported: set[str] = set()
        self._clock = clock
        self._followers: dict[str, _Follower] = {}
        self._waiting: dict[str, Path] = {}
        self._open: set[str] = set()
        self._sought: set[str] = set()
        self._dropped: set[str] = set()
        self._edited: set[str] = set()
        self._closed: set[str] = set()
        self._eager_until: dict[str, float] = {}
        self._retry: list[str] = []
        self._turn: list[str] = []
        self._turn_size = 0
        self._turned = -_TURN_SECONDS
        self._root_stamps: tuple[Stamp | None, ...] = ()
        self._root_changed = -_SETTLE_SECONDS
        self._scanned = -_SCAN_SECONDS
        self._was_there = False

    def poll(self) -> set[str]:
        """Read and apply what is new; the ids of the runs it is about."""
        return self.apply(self.read())

    def open(self, run_id: str) -> None:
        """Follow the steps of a run too; they arrive with the next read, which also looks for a run not seen yet."""
        self._open.add(run_id)
        if run_id not in self.histories:
            self._sought.add(run_id)

    def close(self, run_id: str) -> None:
        """No longer follow the steps of a run; those read so far are dropped with the next read."""
        self._open.discard(run_id)
        self._closed.add(run_id)

    def poll_eagerly(self, run_id: str) -> None:
        """Look at a run as often as at a live one for a while: something was asked of it."""
        self._eager_until[run_id] = self._clock() + _EAGER_SECONDS

    def read(self) -> Batch:
        """Look at the disk; safe in a thread, one call at a time."""
        batch, now = Batch(), self._clock()
        self._edited.clear()
        while self._dropped:
            run_id = self._dropped.pop()
            self._followers.pop(run_id, None)
            self._waiting.pop(run_id, None)
        is_there = file_stamp(self.store.root) is not None
        self._was_there |= is_there
        if self._was_there and not is_there:
            gone = f"{self.store.root}: the runs folder is gone."
            batch.problems |= {} if self.problems.get("") == gone else {"": gone}
            return batch
        sought = {self._sought.pop() for _ in range(len(self._sought))}
        if sought or now - self._scanned >= _SCAN_SECONDS:
            self._scanned = now
            self._scan(batch, now)
        self._read_waiting(batch)
        known = (self._followers, self._waiting, self.problems, batch.problems)
        batch.missing = sought.difference(*known)
        while self._closed:
            run_id = self._closed.pop()
            closed = self._followers.get(run_id)
            if closed is not None and run_id not in self._open:
                closed.whole = None
            if closed is not None and closed.has_steps and run_id not in self._open:
                with contextlib.suppress(StoreError, OSError):
                    self._read_whole(run_id, closed, batch, has_steps=False)
        self._check_runs(batch, now)
        batch.problems = {key: text for key, text in batch.problems.items() if self.problems.get(key) != text}
        return batch

    def apply(self, batch: Batch) -> set[str]:
        """Take in what `read` found; the ids of the runs that changed."""
        # A run deleted while this was being read is not to come back with it.
        fresh = {run_id: history for run_id, history in batch.fresh.items() if run_id not in self._dropped}
        changed = set(fresh) | set(batch.events) & set(self.histories) | batch.gone | batch.missing | batch.solved
        self.histories.update(fresh)
        for run_id, events in batch.events.items():
            if run_id in self.histories:
                self.histories[run_id].fold(events)
        for run_id in batch.gone:
            for known in (self.histories, self.states, self.notes, self.problems):
                known.pop(run_id, None)
            self.references.discard(run_id)
            self.imported.discard(run_id)
            self.stopping.discard(run_id)
        self.missing = (self.missing | batch.gone | batch.missing) - fresh.keys()
        for run_id, is_stopping in batch.stops.items():
            if run_id in self.histories and (run_id in self.stopping) is not is_stopping:
                self.stopping.symmetric_difference_update((run_id,))
                changed.add(run_id)
        for run_id, locked in batch.locks.items():
            history = self.histories.get(run_id)
            if history is None:
                continue
            is_orphan, is_copied = run_id in batch.orphans, run_id in batch.copies
            state = derive_state(history, is_locked=locked, was_started=is_orphan, is_copy=is_copied)
            if self.states.get(run_id) is not state:
                self.states[run_id] = state
                changed.add(run_id)
        changed |= self._apply_notes(batch)
        changed |= {run_id for run_id in batch.problems if run_id not in self.problems}
        unsolved = {run_id: text for run_id, text in self.problems.items() if run_id not in batch.solved}
        self.problems = unsolved | batch.problems
        return changed

    def _apply_notes(self, batch: Batch) -> set[str]:
        changed = set[str]()
        for run_id in self._edited & set(batch.notes):
            batch.notes.pop(run_id)
            if follower := self._followers.get(run_id):
                follower.notes_stamp = None  # Read once more: these may be older than the edit.
        for run_id, notes in batch.notes.items():
            if run_id in self.histories and self.notes.get(run_id) != notes:
                self.notes[run_id] = notes
                changed.add(run_id)
        return changed

    def set_notes(self, run_id: str, notes: Notes) -> None:
        """Show notes that were just written; a `read` that began before may still bring older ones."""
        self._edited.add(run_id)
        self.notes[run_id] = notes

    def why_unknown(self, run_id: str) -> str:
        """Why there is no history of a run: a sentence."""
        if run_id in self.missing:
            return "No such run: it was deleted, or never was in this folder."
        return self.problems.get(run_id) or "Reading the run …"

    def drop(self, run_id: str) -> None:
        """Drop a run at once, as after deleting it."""
        self._open.discard(run_id)
        self._dropped.add(run_id)
        self.apply(Batch(gone={run_id}))

    def _scan(self, batch: Batch, now: float) -> None:
        """Find new and vanished runs; looks closer only while a folder's own time stamp is young."""
        roots = (self.store.root, self.store.reference_root)
        stamps = tuple(file_stamp(root) for root in roots)
        if stamps != self._root_stamps:
            self._root_stamps, self._root_changed = stamps, now
        elif now - self._root_changed > _SETTLE_SECONDS and "" not in self.problems:
            return
        try:
            found, strays = self.store.scan()
        except StoreError as error:
            batch.problems[""] = str(error)
            return
        if "" in self.problems:
            batch.solved.add("")
        batch.problems |= strays
        present = set(found) | set(strays)
        batch.gone = (set(self._followers) | set(self.problems) - {""}) - present
        for run_id in batch.gone:
            self._followers.pop(run_id, None)
            self._open.discard(run_id)
        known = set(self._followers) | set(self._waiting) | set(self.problems)
        new = sorted(set(found) - known, key=_creation_key, reverse=True)
        self._waiting.update((run_id, found[run_id]) for run_id in new)

    def _read_waiting(self, batch: Batch) -> None:
        """Read runs seen for the first time, the newest first."""
        now_reading = list(itertools.islice(self._waiting.items(), _NEW_RUNS_PER_CALL))
        for run_id, directory in now_reading:
            del self._waiting[run_id]
            try:
                batch.fresh[run_id] = RunHistory(read_record(directory))
                if is_imported(directory):
                    self.imported.add(run_id)
            except StoreError as error:
                batch.problems[run_id] = str(error)
                continue
            if self.store.holds_reference(directory):
                self.references.add(run_id)
            self._followers[run_id] = _follow(directory, batch.fresh[run_id].record)
            if run_id in self.problems:
                batch.solved.add(run_id)
        batch.has_more = bool(self._waiting)

    def _due(self, now: float) -> list[str]:
        """Runs to check now: the live and the opened ones, and once a second some settled ones in turn."""
        for run_id, until in list(self._eager_until.items()):
            if until <= now:
                self._eager_until.pop(run_id, None)
        wanted = self._open | set(self._eager_until)
        live = [name for name, follower in self._followers.items() if follower.is_live or name in wanted]
        if now - self._turned < _TURN_SECONDS:
            return live
        self._turned = now
        self._retry_unreadable()
        if not self._turn:
            self._turn = [name for name, follower in self._followers.items() if not follower.is_live]
            self._turn_size = min(_MAX_SETTLED_PER_CALL, -(-len(self._turn) // _TURNS))
        taken, self._turn = self._turn[: self._turn_size], self._turn[self._turn_size :]
        return live + [name for name in taken if name in self._followers and name not in wanted]

    def _retry_unreadable(self) -> None:
        """Read some runs again that could not be read: one may have been copied here meanwhile."""
        if not self._retry:
            self._retry = [run_id for run_id in list(self.problems) if run_id and run_id not in self._followers]
        taken, self._retry = self._retry[:_MAX_RETRIED_PER_TURN], self._retry[_MAX_RETRIED_PER_TURN:]
        for run_id in taken:
            with contextlib.suppress(StoreError):  # It is gone.
                self._waiting[run_id] = self.store.path(run_id)

    def _check_runs(self, batch: Batch, now: float) -> None:
        for run_id in self._due(now):
            follower = self._followers[run_id]
            try:
                self._check_run(run_id, follower, batch, now)
            except (StoreError, OSError) as error:
                batch.problems[run_id] = str(error)
                batch.solved.discard(run_id)
                follower.events_stamp = None  # So that what could not be read now is read later.
                if run_id not in self.histories:  # Nothing is known of it that could be shown.
                    batch.fresh.pop(run_id, None)
                    del self._followers[run_id]
                continue
            if run_id in self.problems:
                batch.solved.add(run_id)

    def _check_run(self, run_id: str, follower: _Follower, batch: Batch, now: float) -> None:
        stamp = file_stamp(follower.events_path)
        has_changed, follower.events_stamp = stamp != follower.events_stamp, stamp
        is_large = stamp is not None and stamp[1] > LARGE_LOG_BYTES
        wants_steps = run_id in self._open and not follower.has_steps
        if wants_steps and not is_large:
            self._read_whole(run_id, follower, batch, has_steps=True)
        elif run_id in batch.fresh and is_large:
            _read_outline(batch.fresh[run_id], follower)
            batch.has_more |= wants_steps
        elif wants_steps and not self._read_slice(run_id, follower, batch):
            batch.has_more = True
        elif has_changed and not self._read_events(run_id, follower, batch, enough_bytes=_SLICE_BYTES):
            follower.events_stamp, batch.has_more = None, True
            return  # Its lock is checked when its last events have been read.
        if not has_changed and run_id not in batch.fresh and now - follower.looked < _LOCK_SECONDS:
            return
        follower.looked = now
        notes_stamp = file_stamp(follower.notes_path)
        if notes_stamp != follower.notes_stamp:
            batch.notes[run_id] = self.store.notes(run_id) if notes_stamp else Notes()
            follower.notes_stamp = notes_stamp
        elif run_id in batch.fresh:
            batch.notes[run_id] = self.notes.get(run_id) or Notes()
        self._check_lock(run_id, follower, batch)

    def _check_lock(self, run_id: str, follower: _Follower, batch: Batch) -> None:
        """Only a lock distinguishes a running trainer from a crashed one; a finished run needs none."""
        was_locked = follower.is_locked
        follower.is_locked = not follower.is_finished and (
            is_at_work(follower.directory) or (not follower.has_ended and is_heard_from(follower.directory))
        )
        if was_locked and not follower.is_locked:
            # Its last events may have been written between our reading and the check of the lock.
            self._read_events(run_id, follower, batch)
        is_stopping = is_asked_to_stop(follower.directory, State.RUNNING if follower.is_locked else "")
        if is_stopping is not follower.is_stopping:
            follower.is_stopping = batch.stops[run_id] = is_stopping
        # A run without an event may start at any moment.
        follower.is_live = follower.is_locked or not follower.events_stamp or not follower.events_stamp[1]
        if was_locked != follower.is_locked or run_id in batch.events or run_id in batch.fresh:
            batch.locks[run_id] = follower.is_locked
            if follower.is_locked or follower.is_finished:
                return
            if read_owner(follower.directory / LOCK_FILE):
                batch.orphans.add(run_id)
            if is_copy(follower.directory, follower.record):
                batch.copies.add(run_id)

    def _read_events(self, run_id: str, follower: _Follower, batch: Batch, *, enough_bytes: int | None = None) -> bool:
        """Read what is new; False where `enough_bytes` of a run that is shown already came and there is more."""
        reader, stamp = follower.reader, follower.events_stamp
        start = reader.offset
        first = reader.read_new(_CHUNK_BYTES)
        if reader.was_reset:
            batch.fresh[run_id] = RunHistory(read_record(follower.directory))
        for events in itertools.chain((first,), _rest(reader, stamp)):
            if run_id in batch.fresh:
                batch.fresh[run_id].fold(events)
            elif events:
                batch.events.setdefault(run_id, []).extend(events)
            for event in events:
                follower.end_with(event)
            is_enough = enough_bytes is not None and reader.offset - start >= enough_bytes
            if is_enough and run_id not in batch.fresh and stamp is not None and reader.offset < stamp[1]:
                return False
        return True

    def _read_slice(self, run_id: str, follower: _Follower, batch: Batch) -> bool:
        """Read on in a large log, whose steps are thinned; whether its end was reached, and it is shown whole."""
        assert follower.events_stamp is not None
        size = follower.events_stamp[1]
        if follower.whole is None:
            stride = -(-size // LARGE_LOG_BYTES)
            history = RunHistory(follower.record, system_rows=Series(SYSTEM_COLUMNS), step_stride=stride)
            follower.whole = _Whole(EventReader(follower.directory / EVENTS_FILE), history)
        reader, history = follower.whole.reader, follower.whole.history
        before = reader.offset
        events = reader.read_new(_LARGE_SLICE_BYTES, until=size)
        if reader.was_reset:
            follower.whole = None
            return False
        history.fold(events)
        if before != reader.offset < size:
            return False
        follower.whole, follower.reader, follower.has_steps = None, reader, True
        follower.end_as(history)
        batch.fresh[run_id] = history
        return True

    def _read_whole(self, run_id: str, follower: _Follower, batch: Batch, *, has_steps: bool) -> None:
        """Read a run again from its start, with or without its steps; the old reader is done with."""
        if not has_steps and follower.events_stamp and follower.events_stamp[1] > LARGE_LOG_BYTES:
            batch.fresh[run_id], follower.has_steps = RunHistory(follower.record), False
            _read_outline(batch.fresh[run_id], follower)
            return
        reader = EventReader(follower.directory / EVENTS_FILE, skip_steps=not has_steps)
        system_rows = Series(SYSTEM_COLUMNS) if has_steps else None
        history = RunHistory(read_record(follower.directory), system_rows=system_rows)
        for events in _rest(reader, follower.events_stamp):
            history.fold(events)
        follower.reader, follower.has_steps = reader, has_steps
        follower.end_as(history)
        batch.fresh[run_id] = history


def _read_outline(history: RunHistory, follower: _Follower) -> None:
    """Show a large log at once, by its outline, and follow it from there; its steps are read when it is opened."""
    outline = Outline(follower.directory / EVENTS_FILE)
    history.fold_outline(outline)
    follower.reader = EventReader(follower.directory / EVENTS_FILE, skip_steps=True, offset=outline.end)
    follower.end_as(history)


def _rest(reader: EventReader, stamp: Stamp | None) -> Iterator[list[KnownEvent]]:
    """What is left of a file that was `stamp` long; a chunk of nothing but skipped steps is not its end."""
    before = -1
    while stamp is not None and before != reader.offset < stamp[1]:
        before = reader.offset
        yield reader.read_new(_CHUNK_BYTES)


def _follow(directory: Path, record: RunRecord) -> _Follower:
    # Paths as text: joining them anew for every check would cost more than the check.
    reader = EventReader(directory / EVENTS_FILE, skip_steps=True)
    return _Follower(directory, reader, record, str(reader.path), f"{directory}/notes.json")


def _creation_key(run_id: str) -> str:
    """Ids end in date and time: good enough to read the newest first, before any record is read."""
    return run_id[run_id.rfind("-s") + 1 :].partition("-")[2]


def newest(histories: Iterable[RunHistory]) -> str | None:
    """The id of the run begun last, or, where none is, made last; None where there is none."""
    ranked = ((history.begun or 0.0, history.record.created, history.id) for history in histories)
    return max(ranked, default=(0.0, 0.0, None))[2]
