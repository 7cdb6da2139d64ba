"""The watcher: in step with the disk, and quiet while nothing happens."""

import os
import random
import shutil
from pathlib import Path
from typing import Any

import pytest
from fake_runs import a_step, curve, open_writer, started, write_run

from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.errors import StoreError
from alexnet_tui.locks import LOCK_FILE, is_locked, take_lock, write_owner
from alexnet_tui.runs import events as ev
from alexnet_tui.runs import store as runs_store
from alexnet_tui.runs.event_log import EventReader
from alexnet_tui.runs.follow import LARGE_LOG_BYTES, load
from alexnet_tui.runs.notes import Notes
from alexnet_tui.runs.origin import IMPORTED_FILE
from alexnet_tui.runs.run_files import EVENTS_FILE
from alexnet_tui.runs.run_ids import REFERENCE
from alexnet_tui.runs.state import State
from alexnet_tui.runs.store import Store
from alexnet_tui.tui.watch import follower
from alexnet_tui.tui.watch.watcher import RunsWatcher, newest


class Clock:
    """Seconds that pass only when told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def watcher(store: Store, clock: Clock) -> RunsWatcher:
    return RunsWatcher(store, clock=clock)


def later(watcher: RunsWatcher, clock: Clock, seconds: float = 1.5, polls: int = 21) -> set[str]:
    """What changed over enough looks for every settled run to have had its turn."""
    changed = set[str]()
    for _ in range(polls):
        clock.now += seconds
        changed |= watcher.poll()
    return changed


def test_reads_epochs_of_all_runs_but_no_steps(store: Store, watcher: RunsWatcher) -> None:
    record = write_run(store, RunConfig(epochs=3), final=0.6)
    assert watcher.poll() == {record.id}
    history = watcher.histories[record.id]
    assert list(history.epochs["epoch"]) == [1, 2, 3]
    assert len(history.steps) == 0
    assert watcher.states[record.id] is State.FINISHED
    assert watcher.notes[record.id] == Notes()


def test_says_nothing_while_nothing_changes(store: Store, watcher: RunsWatcher, clock: Clock) -> None:
    write_run(store, RunConfig(epochs=2))
    write_run(store, RunConfig(epochs=2), epochs_done=1)
    watcher.poll()
    assert later(watcher, clock) == set()


def test_a_settled_run_is_not_opened_again(store: Store, watcher: RunsWatcher, clock: Clock) -> None:
    record = write_run(store, RunConfig(epochs=2))
    watcher.poll()
    # A file that cannot be read would be noticed at once.
    events = store.path(record.id) / EVENTS_FILE
    stamp = events.stat()
    events.write_bytes(b"x" * stamp.st_size)
    os.utime(events, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert later(watcher, clock) == set()
    assert watcher.histories[record.id].num_epochs_done == 2


def test_follows_a_live_run_line_by_line(store: Store, watcher: RunsWatcher, clock: Clock) -> None:
    record = store.create(RunConfig(epochs=5))
    lock = take_lock(store.path(record.id))
    try:
        watcher.poll()
        assert watcher.states[record.id] is State.RUNNING
        with open_writer(store.path(record.id)) as writer:
            writer.write(started(RunConfig(epochs=5)))
            writer.write(curve(1, 5))
            assert watcher.poll() == {record.id}
            assert watcher.histories[record.id].num_epochs_done == 1
            writer.write(curve(2, 5))
            assert watcher.poll() == {record.id}
            assert watcher.histories[record.id].num_epochs_done == 2
            assert watcher.poll() == set()
    finally:
        os.close(lock)
    assert later(watcher, clock) == {record.id}
    assert watcher.states[record.id] is State.LOST


def test_fault_30_a_large_log_is_shown_by_its_outline_and_followed(
    store: Store, watcher: RunsWatcher, clock: Clock
) -> None:
    record = store.create(RunConfig(epochs=9))
    path = store.path(record.id) / EVENTS_FILE
    with open_writer(store.path(record.id)) as writer:
        writer.write(started(RunConfig(epochs=9)))
        writer.write(curve(1, 9))
    step = ev.encode(a_step(2, 17))
    with path.open("ab") as file:
        file.write(step * (LARGE_LOG_BYTES // len(step) + 1))
    lock = take_lock(store.path(record.id))
    try:
        watcher.poll()
        history = watcher.histories[record.id]
        assert (history.is_outline, history.num_epochs_done, history.step) == (True, 1, 17)
        with open_writer(store.path(record.id)) as writer:
            writer.write(curve(2, 9))
            assert watcher.poll() == {record.id}
            assert watcher.histories[record.id].num_epochs_done == 2
    finally:
        os.close(lock)
    assert later(watcher, clock) == {record.id}
    assert watcher.states[record.id] is State.LOST


def test_fault_30_the_steps_of_a_large_log_come_in_slices_and_thinned(
    store: Store, watcher: RunsWatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = 1 << 19
    monkeypatch.setattr("alexnet_tui.tui.watch.follower.LARGE_LOG_BYTES", large)
    monkeypatch.setattr("alexnet_tui.tui.watch.follower._LARGE_SLICE_BYTES", large // 16)
    record = store.create(RunConfig(epochs=9))
    path = store.path(record.id) / EVENTS_FILE
    with open_writer(store.path(record.id)) as writer:
        writer.write(started(RunConfig(epochs=9)))
        writer.write(curve(1, 9))
    with path.open("ab") as file:
        size, step = 0, 17
        while size <= large:
            event = a_step(2, step, seq=step - 15, train_loss=1, train_accuracy=0, images_per_second=1)
            lines = ev.encode(event)
            size, step = size + file.write(lines), step + 1
    watcher.open(record.id)
    watcher.poll()
    history = watcher.histories[record.id]
    assert (history.is_outline, history.num_epochs_done, history.step) == (True, 1, step - 1)
    num_calls = 0
    while watcher.histories[record.id].is_outline:
        batch = watcher.read()
        assert batch.has_more or batch.fresh
        watcher.apply(batch)
        num_calls += 1
    assert num_calls > 10
    history = watcher.histories[record.id]
    assert (history.step_stride, len(history.steps), history.missing_events) == (2, (step - 17 + 1) // 2, 0)
    assert history.num_epochs_done == 1
    with open_writer(store.path(record.id)) as writer:
        writer.write(curve(2, 9))
    watcher.poll()
    assert watcher.histories[record.id].num_epochs_done == 2
    watcher.close(record.id)
    watcher.poll()
    assert watcher.histories[record.id].is_outline


def test_a_runs_folder_that_never_was_is_not_gone(
    store: Store, watcher: RunsWatcher, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped = write_run(Store(tmp_path / "shipped"), RunConfig(epochs=1)).id
    monkeypatch.setattr(runs_store, "shipped_runs", lambda: tmp_path / "shipped")
    watcher.poll()
    later(watcher, clock, polls=3)
    assert (list(watcher.histories), watcher.problems, store.root.exists()) == ([shipped], {}, False)
    own = write_run(store, RunConfig(epochs=1, seed=1)).id
    later(watcher, clock, polls=3)
    assert set(watcher.histories) == {shipped, own}
    store.root.rename(tmp_path / "away")
    later(watcher, clock)
    assert "the runs folder is gone" in watcher.problems[""]


def test_a_runs_folder_that_had_no_runs_yet_may_be_gone_too(
    store: Store, watcher: RunsWatcher, clock: Clock, tmp_path: Path
) -> None:
    store.root.mkdir()
    watcher.poll()
    store.root.rename(tmp_path / "away")
    later(watcher, clock)
    assert "the runs folder is gone" in watcher.problems[""]
    (tmp_path / "away").rename(store.root)
    later(watcher, clock)
    assert watcher.problems == {}


def test_fault_29_what_was_known_stays_while_the_runs_folder_is_away(
    store: Store, watcher: RunsWatcher, clock: Clock, tmp_path: Path
) -> None:
    record = store.create(RunConfig(epochs=5))
    with open_writer(store.path(record.id)) as writer:
        writer.write(started(RunConfig(epochs=5)))
        writer.write(curve(1, 5))
    lock = take_lock(store.path(record.id))
    watcher.poll()
    store.root.rename(tmp_path / "away")
    later(watcher, clock)
    assert watcher.states == {record.id: State.RUNNING}
    assert watcher.histories[record.id].num_epochs_done == 1
    assert "the runs folder is gone" in watcher.problems[""]
    (tmp_path / "away").rename(store.root)
    os.close(lock)
    later(watcher, clock)
    assert (watcher.states, watcher.problems) == ({record.id: State.LOST}, {})
    store.root.rename(tmp_path / "away")
    store.root.mkdir()
    later(watcher, clock)
    assert watcher.histories == {}


def test_a_burst_is_taken_in_slices_and_its_end_is_no_loss(store: Store, watcher: RunsWatcher, clock: Clock) -> None:
    record = store.create(RunConfig(epochs=5))
    lock = take_lock(store.path(record.id))
    watcher.open(record.id)
    watcher.poll()
    with open_writer(store.path(record.id)) as writer:
        writer.write(started(RunConfig(epochs=5)))
        for step in range(1, 5001):
            writer.write(a_step(1, step))
        writer.write(ev.Failed(epoch=1, step=5000, reason="loss", message="It is not finite."))
    os.close(lock)
    clock.now += 2
    slices = 0
    while True:
        batch = watcher.read()
        watcher.apply(batch)
        if not batch.has_more:
            break
        slices += 1
        assert len(batch.events[record.id]) < 2500
        assert watcher.states[record.id] is State.RUNNING, "its last words are not read yet"
    assert slices >= 3
    assert list(watcher.histories[record.id].steps["step"]) == list(range(1, 5001))
    assert watcher.states[record.id] is State.FAILED


def test_half_a_line_behind_a_burst_is_waited_for_without_haste(
    store: Store, watcher: RunsWatcher, clock: Clock
) -> None:
    record = store.create(RunConfig(epochs=5))
    lock = take_lock(store.path(record.id))
    watcher.poll()
    with open_writer(store.path(record.id)) as writer:
        for epoch in range(1, 2001):
            writer.write(curve(epoch, 2000))
    with (store.path(record.id) / EVENTS_FILE).open("a") as file:
        file.write('{"v":1,"kind":"ep')
    reads = 0
    while watcher.poll():
        reads += 1
        assert reads < 20
    assert watcher.histories[record.id].num_epochs_done == 2000
    assert not watcher.read().has_more
    os.close(lock)


def test_a_look_that_finds_nothing_hands_over_nothing(store: Store, watcher: RunsWatcher, clock: Clock) -> None:
    write_run(store, RunConfig(epochs=2))
    (store.root / "broken").mkdir()
    (store.root / "broken" / "run.json").write_text("no record")
    live = store.create(RunConfig(epochs=5, seed=3))
    lock = take_lock(store.path(live.id))
    with open_writer(store.path(live.id)) as writer:
        writer.write(started(RunConfig(epochs=5)))
    watcher.poll()
    assert "broken" in watcher.problems
    for _ in range(25):
        clock.now += 0.7
        assert watcher.read().is_empty
    os.close(lock)


def test_an_end_written_just_before_the_lock_goes_is_no_loss(
    store: Store, watcher: RunsWatcher, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = store.create(RunConfig(epochs=1))
    lock = take_lock(store.path(record.id))
    with open_writer(store.path(record.id)) as writer:
        writer.write(started(RunConfig(epochs=1)))
        watcher.poll()

        def leave_then_look(path: Path) -> bool:
            """The trainer says its last word after we read, and is gone when we look at its lock."""
            writer.write(ev.Stopped(epoch=1, step=10, reason="asked"))
            os.close(lock)
            return is_locked(path / LOCK_FILE)

        monkeypatch.setattr("alexnet_tui.tui.watch.follower.is_at_work", leave_then_look)
        clock.now += 2
        watcher.poll()
    assert watcher.states[record.id] is State.STOPPED


def test_a_run_that_is_opened_is_looked_for_at_once(store: Store, watcher: RunsWatcher) -> None:
    watcher.poll()
    record = write_run(store, RunConfig(epochs=1))
    watcher.open(record.id)
    watcher.open("never-was")
    assert watcher.why_unknown(record.id) == watcher.why_unknown("never-was") == "Reading the run …"
    assert watcher.poll() == {record.id, "never-was"}, "without waiting for the next look at the folder"
    assert watcher.histories[record.id].num_epochs_done == record.config.epochs
    assert "No such run" in watcher.why_unknown("never-was")
    watcher.drop(record.id)
    assert "No such run" in watcher.why_unknown(record.id)


def test_new_runs_and_deleted_runs_are_noticed(store: Store, watcher: RunsWatcher, clock: Clock) -> None:
    first = write_run(store, RunConfig(epochs=1))
    watcher.poll()
    second = write_run(store, RunConfig(epochs=1, seed=2))
    assert watcher.poll() == set()  # At most one look at the folder a second.
    assert later(watcher, clock) == {second.id}
    store.delete(first.id)
    assert later(watcher, clock) == {first.id}
    assert set(watcher.histories) == set(watcher.states) == set(watcher.notes) == {second.id}


def test_a_record_that_lands_after_its_directory_is_found(store: Store, watcher: RunsWatcher, clock: Clock) -> None:
    record = write_run(store, RunConfig(epochs=1))
    path = store.path(record.id) / "run.json"
    content = path.read_bytes()
    path.unlink()
    assert watcher.poll() == set()
    assert later(watcher, clock) == set(), "copying it here takes long"
    path.write_bytes(content)
    assert later(watcher, clock) == {record.id}


def test_open_brings_the_steps_and_goes_on_with_them(store: Store, watcher: RunsWatcher, clock: Clock) -> None:
    record = write_run(store, RunConfig(epochs=2), epochs_done=1)
    watcher.poll()
    watcher.open(record.id)
    assert watcher.poll() == {record.id}
    assert len(watcher.histories[record.id].steps) == 10
    assert watcher.histories[record.id].num_epochs_done == 1
    with open_writer(store.path(record.id), next_seq=99) as writer:
        writer.write(a_step(2, 11))
    assert watcher.poll() == {record.id}
    assert list(watcher.histories[record.id].steps["step"])[-1] == 11
    watcher.close(record.id)
    assert later(watcher, clock) == {record.id}, "its steps are dropped"
    assert later(watcher, clock) == set()


def test_a_record_that_became_shorter_is_read_again(store: Store, watcher: RunsWatcher, clock: Clock) -> None:
    record = write_run(store, RunConfig(epochs=4), epochs_done=3)
    watcher.poll()
    events = store.path(record.id) / EVENTS_FILE
    lines = events.read_bytes().splitlines(keepends=True)
    events.write_bytes(b"".join(lines[:12]))
    assert later(watcher, clock) == {record.id}
    assert watcher.histories[record.id].num_epochs_done == 1


def test_a_resumed_run_is_live_again(store: Store, watcher: RunsWatcher, clock: Clock) -> None:
    record = write_run(store, RunConfig(epochs=4), epochs_done=2, end=ev.Stopped(epoch=2, step=20, reason="asked"))
    watcher.poll()
    assert watcher.states[record.id] is State.STOPPED
    lock = take_lock(store.path(record.id))
    try:
        assert later(watcher, clock) == {record.id}
        assert watcher.states[record.id] is State.RUNNING
    finally:
        os.close(lock)


def test_a_long_stretch_of_steps_is_not_the_end(store: Store, watcher: RunsWatcher) -> None:
    record = write_run(store, RunConfig(epochs=2), epochs_done=1)
    events = store.path(record.id) / EVENTS_FILE
    step = next(line for line in events.read_bytes().splitlines(keepends=True) if b'"kind":"step"' in line)
    with events.open("ab") as file:
        file.write(step * ((3 << 20) // len(step)))
    with open_writer(store.path(record.id)) as writer:
        writer.write(curve(2, 2))
    watcher.poll()
    assert watcher.histories[record.id].num_epochs_done == 2


def test_notes_of_another_viewer_arrive(store: Store, watcher: RunsWatcher, clock: Clock) -> None:
    record = write_run(store, RunConfig(epochs=1))
    watcher.poll()
    store.change_notes(record.id, lambda _: Notes(label="mine", tags=["paper"]))
    assert later(watcher, clock) == {record.id}
    assert watcher.notes[record.id].label == "mine"


def test_saving_notes_needs_no_reading(store: Store, watcher: RunsWatcher, clock: Clock) -> None:
    record = write_run(store, RunConfig(epochs=1))
    watcher.poll()
    watcher.set_notes(record.id, store.change_notes(record.id, lambda old: Notes(label="mine")))
    assert watcher.notes[record.id].label == "mine"
    assert later(watcher, clock) == set()


def test_an_edit_is_not_undone_by_a_read_that_began_before(store: Store, watcher: RunsWatcher, clock: Clock) -> None:
    record = write_run(store, RunConfig(epochs=1))
    watcher.poll()
    store.change_notes(record.id, lambda _: Notes(note="older"))
    batches = []
    for _ in range(25):  # Settled runs take turns.
        clock.now += 1
        batches.append(watcher.read())
        if batches[-1].notes:
            break
        watcher.apply(batches[-1])
    assert batches[-1].notes[record.id].note == "older"
    watcher.set_notes(record.id, store.change_notes(record.id, lambda old: Notes(note="mine")))
    watcher.apply(batches[-1])
    assert watcher.notes[record.id].note == "mine"
    store.change_notes(record.id, lambda _: Notes(note="newer"))
    later(watcher, clock)
    assert watcher.notes[record.id].note == "newer"


def test_a_closed_run_has_no_steps_and_gets_no_more(store: Store, watcher: RunsWatcher, clock: Clock) -> None:
    record = write_run(store, RunConfig(epochs=2), epochs_done=1)
    watcher.open(record.id)
    watcher.poll()
    assert len(watcher.histories[record.id].steps) == 10
    watcher.close(record.id)
    watcher.poll()
    with open_writer(store.path(record.id), next_seq=99) as writer:
        for step in (11, 12):
            writer.write(a_step(2, step))
    later(watcher, clock)
    assert len(watcher.histories[record.id].steps) == 0
    assert watcher.histories[record.id].num_epochs_done == 1
    watcher.open(record.id)
    later(watcher, clock)
    assert list(watcher.histories[record.id].steps["step"]) == list(range(1, 13))


def test_runs_that_were_polled_eagerly_are_not_kept_for_ever(store: Store, watcher: RunsWatcher, clock: Clock) -> None:
    for seed in range(3):
        watcher.poll_eagerly(write_run(store, RunConfig(epochs=1, seed=seed)).id)
    watcher.poll()
    assert len(watcher._eager_until) == 3
    clock.now += 60
    watcher.poll()
    assert watcher._eager_until == {}


def test_one_damaged_run_costs_one_sentence_not_the_others(store: Store, watcher: RunsWatcher, clock: Clock) -> None:
    good = write_run(store, RunConfig(epochs=1))
    bad = write_run(store, RunConfig(epochs=1, seed=1))
    (store.path(bad.id) / "run.json").write_text("{")
    watcher.poll()
    assert set(watcher.histories) == {good.id}
    assert "cannot be read" in watcher.problems[bad.id]
    assert later(watcher, clock) == set()


def test_a_run_whose_events_are_a_link_is_told_and_not_listed(
    store: Store, watcher: RunsWatcher, clock: Clock, tmp_path: Path
) -> None:
    record = write_run(store, RunConfig(epochs=1))
    events = store.path(record.id) / EVENTS_FILE
    events.rename(tmp_path / "elsewhere")
    events.symlink_to(tmp_path / "elsewhere")
    watcher.poll()
    assert "is a link" in watcher.problems[record.id]
    assert watcher.histories == {}
    assert later(watcher, clock) == set()
    assert "is a link" in watcher.problems[record.id], "it is looked at again and again"
    events.unlink()
    (tmp_path / "elsewhere").rename(events)
    later(watcher, clock, polls=3)
    assert (list(watcher.histories), watcher.problems) == ([record.id], {})


def test_a_started_run_whose_events_say_nothing_has_crashed(store: Store, watcher: RunsWatcher) -> None:
    record = write_run(store, RunConfig(epochs=1))
    lock = take_lock(store.path(record.id))
    write_owner(lock, os.getpid(), 1.0)
    os.close(lock)
    (store.path(record.id) / EVENTS_FILE).write_bytes(bytes(range(256)) * 9)
    watcher.poll()
    assert watcher.states[record.id] is State.LOST
    assert load(store, record.id)[1] is State.LOST, "as on the command line"


def test_a_trainer_that_came_and_went_between_two_looks_has_crashed(
    store: Store, watcher: RunsWatcher, clock: Clock
) -> None:
    run_id = store.create(RunConfig()).id
    later(watcher, clock)
    assert watcher.states[run_id] is State.QUEUED
    lock = take_lock(store.path(run_id))
    write_owner(lock, 2**22 + 1, 0.0)
    os.close(lock)
    assert later(watcher, clock) == {run_id}
    assert watcher.states[run_id] is State.LOST


def test_what_begins_a_burst_counts_where_its_end_holds_nothing_but_steps(
    store: Store, watcher: RunsWatcher, clock: Clock
) -> None:
    stopped = ev.Stopped(epoch=1, step=10, reason="asked to stop")
    run_id = write_run(store, RunConfig(epochs=9), epochs_done=1, end=stopped).id
    later(watcher, clock)
    assert watcher.states[run_id] is State.STOPPED
    with open_writer(store.path(run_id)) as writer:
        writer.write(ev.Resumed(epoch=1, step=10, checkpoint="e0001", bit_exact=True))
        for step in range(11, 2_000):
            writer.write(a_step(2, step))
    later(watcher, clock)
    assert watcher.states[run_id] is State.LOST


def test_runs_that_come_from_elsewhere_are_known_as_such(store: Store, watcher: RunsWatcher) -> None:
    reference = write_run(Store(store.root / REFERENCE), RunConfig(epochs=1))
    own = write_run(store, RunConfig(epochs=1, seed=1))
    imported = write_run(store, RunConfig(epochs=1, seed=2))
    (store.path(imported.id) / IMPORTED_FILE).write_text("{}")
    watcher.poll()
    assert set(watcher.histories) == {reference.id, own.id, imported.id}
    assert watcher.references == {reference.id}
    assert watcher.imported == {imported.id}
    watcher.drop(imported.id)
    assert watcher.imported == set()


def test_a_folder_that_is_not_there_yet_is_no_error(tmp_path: Path, clock: Clock) -> None:
    store = Store(tmp_path / "later")
    watcher = RunsWatcher(store, clock=clock)
    assert watcher.poll() == set()
    record = write_run(store, RunConfig(epochs=1))
    assert later(watcher, clock) == {record.id}


def test_newest() -> None:
    assert newest([]) is None


def test_forget(store: Store, watcher: RunsWatcher, clock: Clock) -> None:
    record = write_run(store, RunConfig(epochs=1))
    watcher.poll()
    store.delete(record.id)
    watcher.drop(record.id)
    assert watcher.histories == {}
    assert later(watcher, clock) == set()


def test_deleting_while_the_disk_is_read_is_no_accident_and_leaves_no_ghost(
    store: Store, watcher: RunsWatcher, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    doomed, kept = (write_run(store, RunConfig(epochs=1, seed=seed)).id for seed in (1, 2))
    look = RunsWatcher._check_run

    def look_slowly(self: RunsWatcher, run_id: str, *arguments: Any) -> None:
        look(self, run_id, *arguments)
        if doomed in store.ids():  # As the drawing thread does it in the middle of a read.
            store.delete(doomed)
            watcher.drop(doomed)

    monkeypatch.setattr(RunsWatcher, "_check_run", look_slowly)
    assert watcher.poll() == {kept}
    later(watcher, clock)
    assert set(watcher.histories) == set(watcher.states) == {kept}
    assert watcher.problems == {}


def test_what_could_not_be_read_for_a_moment_is_read_later(
    store: Store, watcher: RunsWatcher, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = write_run(store, RunConfig(epochs=3))
    read_new = EventReader.read_new

    def refuse(self: EventReader, *arguments: Any, **more: Any) -> list[ev.KnownEvent]:
        raise StoreError(self.path, "the events cannot be read (Too many open files).")

    monkeypatch.setattr(EventReader, "read_new", refuse)
    watcher.poll()
    assert "Too many open files" in watcher.problems[record.id]
    monkeypatch.setattr(EventReader, "read_new", read_new)
    later(watcher, clock)
    assert watcher.histories[record.id].num_epochs_done == 3
    assert watcher.states[record.id] is State.FINISHED
    assert watcher.problems == {}


def test_a_run_that_is_whole_at_last_is_listed(store: Store, watcher: RunsWatcher, clock: Clock) -> None:
    record = write_run(store, RunConfig(epochs=1))
    path = store.path(record.id) / "run.json"
    content = path.read_bytes()
    path.write_bytes(content[:20])
    watcher.poll()
    assert list(watcher.problems) == [record.id]
    later(watcher, clock)
    path.write_bytes(content)
    later(watcher, clock, polls=3)
    assert (list(watcher.histories), watcher.problems) == ([record.id], {})


def test_a_run_something_was_asked_of_is_looked_at_like_a_live_one(
    store: Store, watcher: RunsWatcher, clock: Clock
) -> None:
    records = [write_run(store, RunConfig(epochs=3, seed=seed), epochs_done=1) for seed in range(30)]
    later(watcher, clock)
    asked = records[17].id
    lock = take_lock(store.path(asked))
    watcher.poll_eagerly(asked)
    clock.now += 1.1
    watcher.poll()
    assert watcher.states[asked] is State.RUNNING
    os.close(lock)


class Folders:
    """Trainers, people and slow copies at work in a runs folder, by chance."""

    def __init__(self, store: Store, watcher: RunsWatcher, clock: Clock, seed: int) -> None:
        self.chance = random.Random(seed)
        self.store, self.watcher, self.clock = store, watcher, clock
        self.locks: dict[str, int] = {}
        self.acts = (
            self.make,
            self.log,
            self.end,
            self.begin,
            self.leave,
            self.leave,
            self.delete,
            self.hide,
            self.look,
        )

    def act(self) -> None:
        """One thing happens to one run."""
        self.chance.choice(self.acts)(self.chance.choice(self.store.ids() or [""]))
        if self.chance.random() < 0.5:
            self.clock.now += self.chance.choice((0.0, 0.3, 1.1, 4.0))
            self.watcher.poll()

    def make(self, _: str) -> None:
        config = RunConfig(seed=self.chance.randrange(10**6), epochs=9)
        if len(self.store.ids()) > 2:
            return
        if self.chance.random() < 0.5:
            self.store.create(config)
        else:
            write_run(self.store, config, epochs_done=self.chance.randrange(3), finish=False)

    def log(self, run_id: str) -> None:
        if run_id and (count := self.chance.choice((0, 0, 10, 40))):
            with open_writer(self.store.path(run_id)) as writer:
                for step in range(count):
                    writer.write(a_step(2, step + 1))
                if self.chance.random() < 0.5:
                    writer.write(curve(self.chance.randint(1, 5), 9))

    def end(self, run_id: str) -> None:
        self.append(run_id, ev.Stopped(epoch=1, step=10, reason="asked to stop"))

    def begin(self, run_id: str) -> None:
        if run_id and run_id not in self.locks:
            self.locks[run_id] = take_lock(self.store.path(run_id))
            write_owner(self.locks[run_id], 2**22 + 1, self.clock.now)
            if self.chance.random() < 0.5:
                self.append(run_id, ev.Resumed(epoch=1, step=10, checkpoint="e0001", bit_exact=True))
            if self.chance.random() < 0.5:
                self.log(run_id)
                self.leave(run_id)

    def leave(self, run_id: str) -> None:
        if run_id in self.locks:
            os.close(self.locks.pop(run_id))

    def delete(self, run_id: str) -> None:
        if run_id:
            self.leave(run_id)
            shutil.rmtree(self.store.path(run_id))

    def hide(self, run_id: str) -> None:
        """A record is missing for some time, as while a run is copied here."""
        if run_id:
            record = self.store.path(run_id) / "run.json"
            content = record.read_bytes()
            record.unlink()
            later(self.watcher, self.clock, polls=self.chance.randrange(30))
            record.write_bytes(content)

    def look(self, run_id: str) -> None:
        self.watcher.open(run_id)
        later(self.watcher, self.clock, polls=self.chance.randrange(3))
        self.watcher.close(run_id)

    def append(self, run_id: str, *events: ev.Event) -> None:
        if run_id:
            with open_writer(self.store.path(run_id)) as writer:
                for event in events:
                    writer.write(event)


def seen(watcher: RunsWatcher) -> dict[str, tuple[object, ...]]:
    """What a watcher shows of each run."""
    return {
        run_id: (watcher.states[run_id], history.num_epochs_done, history.attempts, list(history.epochs["epoch"]))
        for run_id, history in watcher.histories.items()
    }


@pytest.mark.parametrize("slice_bytes", [500, None])
def test_who_watched_all_along_sees_what_who_begins_now_does(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch, slice_bytes: int | None
) -> None:
    if slice_bytes:
        monkeypatch.setattr(follower, "_SLICE_BYTES", slice_bytes)
        monkeypatch.setattr(follower, "_CHUNK_BYTES", slice_bytes)
    for seed in range(80):
        store = Store(tmp_path / str(seed))
        watcher = RunsWatcher(store, clock=clock)
        folders = Folders(store, watcher, clock, seed)
        for _ in range(25):
            folders.act()
        later(watcher, clock, polls=40)
        fresh = RunsWatcher(store, clock=clock)
        later(fresh, clock)
        assert seen(watcher) == seen(fresh), seed
        assert watcher.problems == {}
        for run_id in list(folders.locks):
            folders.leave(run_id)
