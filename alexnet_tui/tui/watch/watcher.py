"""`RunsWatcher`: keeps every run's history in step with the disk, at next to no cost while nothing happens.

Reading and folding are apart: `read` touches the disk and may run in a thread; `apply` changes the public
dictionaries and belongs to the thread that draws, so that no view ever sees half a fold. The two take turns; what
the drawing thread wants meanwhile (`open`, `poll_eagerly`, `drop`) is noted, and the next `read` acts on it. A live run
is looked at on every call; settled runs take turns, because only a resume or a note changes them.
"""

import contextlib
import itertools
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from alexnet_tui.errors import StoreError
from alexnet_tui.files import Stamp, file_stamp
from alexnet_tui.runs.history import RunHistory
from alexnet_tui.runs.notes import Notes
from alexnet_tui.runs.origin import is_imported
from alexnet_tui.runs.record import read_record
from alexnet_tui.runs.run_files import RECORD_FILE
from alexnet_tui.runs.state import State, derive_state
from alexnet_tui.runs.store import Store
from alexnet_tui.tui.watch.batch import Batch
from alexnet_tui.tui.watch.follower import RunFollower

_SCAN_SECONDS = 1.0
_SETTLE_SECONDS = 3.0
_LOCK_SECONDS = 1.0
_TURNS, _TURN_SECONDS = 20, 0.9
_MAX_SETTLED_PER_CALL = 100
_MAX_RETRIED_PER_TURN = 20
_EAGER_SECONDS = 10.0
_NEW_RUNS_PER_CALL = 400
_MAX_AWAITED = 100


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
        self._followers: dict[str, RunFollower] = {}
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
        self._awaited: list[str] = []
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
                with contextlib.suppress(StoreError, OSError):
                    closed.drop_steps(batch)
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
        elif now - self._root_changed > _SETTLE_SECONDS and "" not in self.problems and not self._has_new_record():
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
        self._awaited = self._missing_records(present)
        batch.gone = (set(self._followers) | set(self.problems) - {""}) - present
        for run_id in batch.gone:
            self._followers.pop(run_id, None)
            self._open.discard(run_id)
        known = set(self._followers) | set(self._waiting) | set(self.problems)
        new = sorted(set(found) - known, key=_creation_key, reverse=True)
        self._waiting.update((run_id, found[run_id]) for run_id in new)

    def _missing_records(self, present: set[str]) -> list[str]:
        """Where some folders without a record would have it: a run may be on its way here, file by file."""
        try:
            with os.scandir(self.store.root) as entries:
                others = (one.path for one in entries if one.name not in present and one.is_dir(follow_symlinks=False))
                records = (f"{path}/{RECORD_FILE}" for path in others)
                missing = (record for record in records if not os.path.lexists(record))
                return list(itertools.islice(missing, _MAX_AWAITED))
        except OSError:  # There is no such folder, or no longer.
            return []

    def _has_new_record(self) -> bool:
        return any(map(os.path.lexists, self._awaited))

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
            self._followers[run_id] = RunFollower.of(run_id, directory, batch.fresh[run_id].record)
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

    def _check_run(self, run_id: str, follower: RunFollower, batch: Batch, now: float) -> None:
        has_changed = follower.look()
        if not follower.read(batch, has_changed=has_changed, wants_steps=run_id in self._open):
            return  # Its lock is checked when its last events have been read.
        if not has_changed and run_id not in batch.fresh and now - follower.checked < _LOCK_SECONDS:
            return
        follower.checked = now
        notes_stamp = file_stamp(follower.notes_path)
        if notes_stamp != follower.notes_stamp:
            batch.notes[run_id] = self.store.notes(run_id) if notes_stamp else Notes()
            follower.notes_stamp = notes_stamp
        elif run_id in batch.fresh:
            batch.notes[run_id] = self.notes.get(run_id) or Notes()
        follower.check_lock(batch)


def _creation_key(run_id: str) -> str:
    """Ids end in date and time: good enough to read the newest first, before any record is read."""
    return run_id[run_id.rfind("-s") + 1 :].partition("-")[2]


def newest(histories: Iterable[RunHistory]) -> str | None:
    """The id of the run begun last, or, where none is, made last; None where there is none."""
    ranked = ((history.begun or 0.0, history.record.created, history.id) for history in histories)
    return max(ranked, default=(0.0, 0.0, None))[2]
