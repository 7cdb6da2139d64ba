"""A run's history as a fold over its events: values worked out by hand."""

import math
import os
import random
from pathlib import Path

import pytest
from fake_runs import a_step, curve, open_writer, started, write_run

from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.locks import take_lock
from alexnet_tui.runs import events as ev
from alexnet_tui.runs.follow import load
from alexnet_tui.runs.history import RunHistory
from alexnet_tui.runs.record import RunRecord
from alexnet_tui.runs.run_files import EVENTS_FILE
from alexnet_tui.runs.state import State, derive_state
from alexnet_tui.runs.store import Store

CONFIG = RunConfig(epochs=10)
NAN = math.nan


def history(*events: ev.KnownEvent) -> RunHistory:
    return RunHistory(RunRecord(id="run", created=1.0, config=CONFIG)).fold(events)


def begin(attempt: int = 1) -> ev.Started:
    event = started(CONFIG)
    event.attempt = attempt
    return event


def epoch(number: int, test: ev.Number = 0.5, train: ev.Number = 0.5, *, seconds: float | None = None) -> ev.Epoch:
    row = curve(number, 10)
    row.test_accuracy, row.train_eval_accuracy, row.train_accuracy = test, train, train
    row.train_seconds = 10.0 * number if seconds is None else seconds
    row.elapsed_seconds = 12.0 * number
    return row


def step(number: int, rate: float = 640.0) -> ev.Step:
    return a_step((number - 1) // 10 + 1, number, train_loss=2.0, images_per_second=rate)


def finished() -> ev.Finished:
    return ev.Finished(epoch=10, step=100, train_seconds=100.0, elapsed_seconds=125.0)


def resumed(at: int, *, epoch: int | None = None, checkpoint: str = "e0001", bit_exact: bool = True) -> ev.Resumed:
    return ev.Resumed(epoch=at // 10 if epoch is None else epoch, step=at, checkpoint=checkpoint, bit_exact=bit_exact)


def saved(name: str) -> ev.Checkpoint:
    return ev.Checkpoint(epoch=1, step=10, name=name, size_bytes=1, seconds=0.1)


STOPPED = ev.Stopped(epoch=1, step=10, reason="asked")
FAILED = ev.Failed(reason="diverged", message="The loss is nan.")


def test_nothing_is_known_of_a_run_that_said_nothing() -> None:
    empty = history()
    assert (empty.id, empty.num_epochs_done, empty.step, empty.progress, empty.attempts) == ("run", 0, 0, 0.0, 0)
    for value in (
        empty.best_test_accuracy,
        empty.best_epoch,
        empty.last_test_accuracy,
        empty.final_test_accuracy,
        empty.gap,
        empty.train_seconds,
        empty.elapsed_seconds,
        empty.images_per_second,
        empty.remaining_seconds,
    ):
        assert value is None


@pytest.mark.parametrize(
    ("events", "free", "locked"),
    [
        ((), State.QUEUED, State.RUNNING),
        ((begin(),), State.LOST, State.RUNNING),
        ((begin(), epoch(1)), State.LOST, State.RUNNING),
        ((begin(), finished()), State.FINISHED, State.FINISHED),
        ((begin(), STOPPED), State.STOPPED, State.RUNNING),
        ((begin(), FAILED), State.FAILED, State.RUNNING),
        ((FAILED,), State.FAILED, State.RUNNING),
        ((begin(), STOPPED, begin()), State.LOST, State.RUNNING),
        ((begin(), FAILED, resumed(0)), State.LOST, State.RUNNING),
        ((begin(), STOPPED, begin(), resumed(10), finished()), State.FINISHED, State.FINISHED),
        ((ev.Unknown(raw={}),), State.LOST, State.RUNNING),
    ],
)
def test_the_last_event_and_the_lock_decide_the_state(
    events: tuple[ev.KnownEvent, ...], free: State, locked: State
) -> None:
    assert derive_state(history(*events), is_locked=False) is free
    assert derive_state(history(*events), is_locked=True) is locked


def test_a_resume_drops_what_came_after_its_checkpoint() -> None:
    first: list[ev.KnownEvent] = [
        begin(),
        *map(step, range(1, 26)),
        epoch(1, 0.1),
        epoch(2, 0.9),
        saved("e0001"),
        saved("e0002"),
    ]
    told = history(*first, begin(), resumed(10), step(11, 99.0), epoch(2, 0.3))
    assert list(told.steps["step"]) == [float(number) for number in range(1, 12)]
    assert told.steps["images_per_second"][-1] == 99.0
    assert list(told.epochs["step"]) == [10.0, 20.0]
    assert list(told.epochs["test_accuracy"]) == [0.1, 0.3]
    assert told.checkpoints == ["e0001"]
    assert (told.attempts, told.best_test_accuracy, told.bit_exact, told.final) == (2, 0.3, True, None)


def test_a_resume_from_nothing_starts_over_and_one_elsewhere_is_not_exact() -> None:
    told = history(begin(), epoch(1), saved("e0001"), resumed(0, checkpoint="", bit_exact=False))
    assert (len(told.epochs), told.checkpoints, told.bit_exact) == (0, [], False)
    assert history(saved("e0001"), resumed(10, checkpoint="elsewhere")).checkpoints == ["e0001"]


def test_an_epoch_measured_at_the_step_of_its_checkpoint_counts_once_after_two_resumes() -> None:
    again: list[ev.KnownEvent] = [begin(), resumed(10, epoch=0, checkpoint="e0000-s00000010")]
    told = history(begin(), saved("e0000-s00000010"), *again, epoch(1, 0.4), *again, epoch(1, 0.4), epoch(2, 0.5))
    assert list(told.epochs["epoch"]) == [1.0, 2.0]


def test_attempts_that_could_not_begin_are_counted_and_a_new_beginning_is_exact_again() -> None:
    failed = ev.Failed(reason="data", message="not here", epoch=0, step=0, attempt=2)
    told = history(begin(), failed)
    assert told.attempts == 2
    told.fold([begin(attempt=3), resumed(10, bit_exact=False)])
    assert (told.attempts, told.bit_exact) == (3, False)
    told.fold([begin(attempt=4), resumed(0, checkpoint="")])
    assert (told.attempts, told.bit_exact) == (4, True)


def test_folding_in_pieces_is_folding_at_once() -> None:
    events: list[ev.KnownEvent] = [
        begin(),
        *map(step, range(1, 31)),
        epoch(1),
        epoch(2),
        epoch(3),
        resumed(20),
        step(21),
        epoch(3),
        STOPPED,
    ]
    whole, rng = history(*events), random.Random(5)
    for _ in range(20):
        pieces, rest = history(), list(events)
        while rest:
            cut = rng.randrange(1, 9)
            pieces.fold(rest[:cut])
            rest = rest[cut:]
        assert pieces.epochs.columns.keys() == whole.epochs.columns.keys()
        assert list(pieces.steps["step"]) == list(whole.steps["step"])
        assert list(pieces.epochs["test_accuracy"]) == list(whole.epochs["test_accuracy"])
        assert (pieces.final, pieces.num_events) == (whole.final, len(events))


def test_best_last_final_and_gap() -> None:
    tests = [0.2, 0.61, 0.5, 0.52, 0.61, 0.55, 0.57]
    trains = [0.2, 0.6, 0.6, 0.7, 0.8, 0.9, 1.0]
    told = history(begin(), *(epoch(index + 1, test, trains[index]) for index, test in enumerate(tests)))
    assert (told.best_test_accuracy, told.best_epoch, told.last_test_accuracy) == (0.61, 2, 0.57)
    assert told.final_test_accuracy == pytest.approx((0.5 + 0.52 + 0.61 + 0.55 + 0.57) / 5, abs=1e-15)
    assert told.gap == pytest.approx((0.1 + 0.18 + 0.19 + 0.35 + 0.43) / 5, abs=1e-15)
    assert told.best_train_accuracy == 1.0
    assert (told.train_seconds, told.elapsed_seconds, told.num_epochs_done) == (70.0, 84.0, 7)
    short = history(epoch(1, 0.2, 0.4), epoch(2, 0.4, 0.8))
    assert short.final_test_accuracy == pytest.approx(0.3)
    assert short.gap == pytest.approx(0.3)


def test_rows_that_are_no_numbers_are_left_out() -> None:
    told = history(epoch(1, 0.4), epoch(2, "nan"), epoch(3, "inf"), epoch(4, "-inf"))
    assert (told.best_test_accuracy, told.best_epoch) == (0.4, 1)
    assert math.isnan(told.epochs["test_accuracy"][1])
    assert told.final_test_accuracy is None
    assert told.gap is None
    assert history(epoch(1, "nan")).best_epoch is None


def test_validation_accuracy_is_a_gap_where_there_is_none() -> None:
    row = epoch(2)
    row.val_accuracy = 0.25
    values = history(epoch(1), row).epochs["val_accuracy"]
    assert math.isnan(values[0])
    assert values[1] == 0.25


def test_remaining_seconds() -> None:
    assert history(begin(), step(5, rate=1280.0)).remaining_seconds == pytest.approx(95 * 128 / 1280)
    two = history(begin(), epoch(1), epoch(2), step(25))
    assert two.remaining_seconds == pytest.approx(75 * 24 / 20)
    assert (two.progress, two.step) == (0.25, 25)
    whole = RunHistory(RunRecord(id="run", created=1.0, config=RunConfig(batch_size=65_536, epochs=10)))
    one_batch = whole.fold([started(whole.record.config), a_step(5, 5, images_per_second=1280.0)])
    assert one_batch.remaining_seconds == pytest.approx(5 * 1280 / 1280)  # An update has the images that there are.
    assert history(begin(), epoch(1), STOPPED).remaining_seconds is None
    assert history(begin()).remaining_seconds is None
    assert history(begin(), step(5, rate=0.0)).remaining_seconds is None


def test_senseless_positions_give_no_senseless_estimate() -> None:
    nowhere = epoch(1)
    nowhere.step = 0
    assert history(begin(), nowhere).remaining_seconds == pytest.approx(100 * 128 / 640)
    beyond = epoch(1)
    beyond.step = 1_000_000
    told = history(begin(), beyond)
    assert (told.remaining_seconds, told.progress) == (0.0, 1.0)
    assert history(started(CONFIG, total_steps=0), step(5)).progress == 0.0


def test_a_finished_run_is_at_its_end() -> None:
    told = history(begin(), epoch(1), finished())
    assert (told.progress, told.elapsed_seconds, told.remaining_seconds) == (1.0, 125.0, None)


def test_unknown_events_change_nothing_but_the_version_seen() -> None:
    told = history(begin(), ev.Unknown(v=1, seq=-1, raw={"kind": "gradient"}))
    assert (told.num_events, told.newer_version, told.missing_events) == (2, False, 0)
    assert told.fold([ev.Unknown(v=2, seq=-1, raw={"kind": "step"})]).newer_version
    newer = begin()
    newer.v = 2
    assert history(newer).newer_version


def test_the_latest_words_are_kept() -> None:
    system, warned = ev.System(cpu_percent=50.0, wall=20.0), ev.Warned(code="disk", message="full", wall=0.0)
    told = history(begin(), ev.System(cpu_percent=1.0, wall=10.0), system, warned)
    assert told.system is system
    assert told.warnings == ["full"]
    assert told.last_wall == 20.0


def test_the_position_between_steps_counts_until_a_step_or_a_resume_is_past_it() -> None:
    told = history(begin(), step(10), ev.System(step=13, train_loss=1.5, images_per_second=40.0))
    first = told.position
    assert first is not None
    assert (told.step, first.train_loss, told.images_per_second) == (13, 1.5, 40.0)
    assert history(begin(), ev.System(step=3, images_per_second=40.0)).remaining_seconds, "before any step event"
    resumed = ev.Resumed(epoch=0, step=10, checkpoint="", bit_exact=True)
    assert (told.fold([resumed]).step, told.position) == (10, None)
    told.fold([ev.System(step=17), step(20)])
    assert (told.step, told.position, len(told.steps)) == (20, None, 2)


def numbered(*events: tuple[int, ev.Event]) -> list[ev.KnownEvent]:
    found: list[ev.KnownEvent] = []
    for seq, event in events:
        event.seq = seq
        found.append(ev.decode(ev.encode(event)))
    return found


def test_missing_numbers_are_counted() -> None:
    assert history(*numbered((0, begin()), (1, step(1)), (2, step(2)))).missing_events == 0
    assert history(*numbered((0, begin()), (3, step(1)), (4, step(2)), (9, epoch(1)))).missing_events == 6


def test_skipped_steps_are_not_missing(store: Store) -> None:
    record = write_run(store, CONFIG)
    skipped, _ = load(store, record.id, skip_steps=True)
    whole, _ = load(store, record.id)
    assert (skipped.missing_events, whole.missing_events) == (0, 0)
    assert (len(skipped.steps), len(whole.steps), len(skipped.epochs)) == (0, 100, 10)


def test_load_tells_the_state_from_the_disk(store: Store) -> None:
    record = store.create(CONFIG)
    assert load(store, record.id)[1] is State.QUEUED
    lock = take_lock(store.path(record.id))
    assert load(store, record.id)[1] is State.RUNNING
    with open_writer(store.path(record.id)) as writer:
        writer.write(begin())
    assert load(store, record.id)[1] is State.RUNNING
    os.close(lock)
    assert load(store, record.id)[1] is State.LOST
    with open_writer(store.path(record.id), next_seq=1) as writer:
        writer.write(STOPPED)
    told, state = load(store, record.id)
    assert (state, told.attempts, told.missing_events) == (State.STOPPED, 1, 0)


def test_attack_13_a_run_of_a_stranger_is_read_to_its_end(store: Store, tmp_path: Path) -> None:
    record = write_run(store, RunConfig(epochs=1))
    path = store.path(record.id) / EVENTS_FILE
    damage = b'{"v":1,"kind":"epoch","step":1e999}\n\x00\x00\n{"v":9,"kind":"warp"}\n'
    path.write_bytes(damage + path.read_bytes() + damage)
    told, state = load(store, record.id)
    assert (state, told.num_epochs_done, told.newer_version) == (State.FINISHED, 1, True)


def at(place: str) -> ev.Started:
    return started(CONFIG, device_class=place)


def test_places_are_those_whose_training_is_still_in_the_run() -> None:
    def places(*events: ev.KnownEvent) -> list[str]:
        return [place.device_class for place in history(*events).segments]

    assert places() == []
    assert places(at("a")) == ["a"]
    assert places(at("a"), epoch(1), at("b"), resumed(10)) == ["a"]  # The second has not trained yet.
    assert places(at("a"), epoch(1), at("b"), resumed(10), epoch(2)) == ["a", "b"]
    assert places(at("a"), epoch(1), at("b"), resumed(0, checkpoint=""), epoch(1)) == ["b"]  # From the very start.
    told = (at("a"), epoch(1), at("b"), resumed(10), epoch(2), at("c"), resumed(10), epoch(2))
    assert places(*told) == ["a", "c"]  # What the second did was taken back.


def test_the_time_left_follows_the_speed_of_late() -> None:
    """Five slow epochs, five fast ones: the estimate is for the fast speed, or for that of the newest steps."""
    run = history(begin())
    elapsed, images = 0.0, 10 * run.record.config.batch_size
    for number in range(1, 6):
        elapsed += 100.0 if number <= 3 else 10.0
        row = epoch(number, seconds=elapsed)
        row.elapsed_seconds, row.images_per_second = elapsed, images * number / elapsed
        run.fold([row])
    assert run.started is not None
    per_epoch = run.epochs["step"][0]
    left = run.started.total_steps - run.step
    assert run.remaining_seconds == pytest.approx(10.0 * left / per_epoch)
    run.fold([step(int(5 * per_epoch) + number, rate=images / 20.0) for number in range(1, 7)])
    left = run.started.total_steps - run.step
    assert run.remaining_seconds == pytest.approx(20.0 * left / per_epoch)
