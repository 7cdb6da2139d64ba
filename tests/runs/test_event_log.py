"""The event log: read while it grows, whatever state its end is in, and by its outline where it is large."""

import json
import os
from pathlib import Path
from random import Random

import pytest
from fake_runs import a_step, curve, open_writer, write_run

from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.errors import StoreError
from alexnet_tui.runs import events as ev
from alexnet_tui.runs import outline as outline_module
from alexnet_tui.runs.event_log import EventReader
from alexnet_tui.runs.events import MAX_LINE_BYTES
from alexnet_tui.runs.follow import load
from alexnet_tui.runs.history import RunHistory
from alexnet_tui.runs.outline import Outline
from alexnet_tui.runs.run_files import EVENTS_FILE
from alexnet_tui.runs.state import State
from alexnet_tui.runs.store import Store


@pytest.fixture
def events_path(tmp_path: Path) -> Path:
    return tmp_path / EVENTS_FILE


def line(number: int, message: str = "é") -> bytes:
    return ev.encode(ev.Warned(seq=number, code="c", message=message))


def numbers(events: list[ev.KnownEvent]) -> list[int]:
    return [event.seq for event in events]


def append(path: Path, content: bytes) -> None:
    with path.open("ab") as file:
        file.write(content)


def test_fault_08_a_torn_tail_is_not_yet_an_event(events_path: Path) -> None:
    reader = EventReader(events_path)
    assert reader.read_new() == []
    whole = line(0) + line(1)
    seen: list[int] = []
    for index in range(len(whole)):  # Byte by byte: each cut is tried, also within a character.
        append(events_path, whole[index : index + 1])
        seen += numbers(reader.read_new())
    assert seen == [0, 1]
    assert (reader.bad_lines, reader.offset) == (0, len(whole))


def test_fault_09_damage_in_the_middle_is_counted_and_passed(events_path: Path) -> None:
    damaged = bytearray(line(0) + line(1) + line(2) + line(3))
    damaged[len(line(0)) + 5 : len(line(0)) + 25] = b"#" * 20
    events_path.write_bytes(bytes(damaged) + b"\x00" * 4096 + b"\n\n" + line(4))
    reader = EventReader(events_path)
    assert numbers(reader.read_new()) == [0, 2, 3, 4]
    assert reader.bad_lines == 2
    assert reader.read_new() == []
    assert reader.bad_lines == 2


def test_a_file_that_became_shorter_is_read_again(events_path: Path) -> None:
    events_path.write_bytes(b"bad\n" + line(0) + line(1))
    reader = EventReader(events_path)
    reader.read_new()
    assert (reader.was_reset, reader.bad_lines) == (False, 1)
    events_path.write_bytes(line(7))
    assert numbers(reader.read_new()) == [7]
    assert (reader.was_reset, reader.bad_lines) == (True, 0)
    assert reader.read_new() == []
    assert not reader.was_reset


def test_a_torn_line_before_the_place_to_stop_at_does_not_lead_beyond_it(events_path: Path) -> None:
    torn = line(0)[:20]
    events_path.write_bytes(torn + b"\n" + line(1))
    reader = EventReader(events_path)
    assert reader.read_new(len(torn), until=len(torn)) == []
    assert numbers(reader.read_new()) == [1]
    assert reader.bad_lines == 1


def test_a_small_limit_gives_everything_in_turns(events_path: Path) -> None:
    events_path.write_bytes(b"".join(line(index) for index in range(9)))
    reader, turns = EventReader(events_path), []
    while events := reader.read_new(limit_bytes=3 * len(line(0))):
        turns.append(numbers(events))
    assert turns == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
    assert numbers(EventReader(events_path).read_new(until=2 * len(line(0)))) == [0, 1]
    assert EventReader(events_path).read_new(limit_bytes=0) == []


def test_empty_means_caught_up_even_behind_a_stretch_without_events(events_path: Path) -> None:
    events_path.write_bytes(b"bad\n" * 1000 + line(1))
    reader = EventReader(events_path)
    assert numbers(reader.read_new(limit_bytes=200)) == [1]
    assert reader.bad_lines == 1000


def test_attack_13_a_monstrous_line_is_counted_once_however_it_arrives(events_path: Path) -> None:
    reader = EventReader(events_path)
    events_path.write_bytes(line(0) + b"x" * (MAX_LINE_BYTES + 9))
    assert numbers(reader.read_new()) == [0]
    reader.read_new()
    append(events_path, b"y" * 5000)
    assert reader.read_new() == []
    append(events_path, b"z\n" + line(1))
    assert numbers(reader.read_new()) == [1]
    assert reader.bad_lines == 1
    append(events_path, b"x" * (3 * MAX_LINE_BYTES) + b"\n" + line(2))
    assert numbers(reader.read_new()) == [2]
    assert reader.bad_lines == 2


def test_the_longest_line_allowed_is_read(events_path: Path) -> None:
    room = MAX_LINE_BYTES - len(line(5, ""))
    events_path.write_bytes(line(5, "m" * room) + line(6, "m" * (room + 2)))
    reader = EventReader(events_path)
    assert numbers(reader.read_new()) == [5]
    assert reader.bad_lines == 1


def test_a_line_longer_than_one_read_is_not_waited_for_forever(events_path: Path) -> None:
    events_path.write_bytes(line(0, "m" * 5000) + line(1) + b"x" * (MAX_LINE_BYTES + 9) + b"\n" + line(2))
    reader = EventReader(events_path)
    found: list[int] = []
    while events := reader.read_new(limit_bytes=1000):
        found += numbers(events)
    assert (found, reader.bad_lines) == ([0, 1, 2], 1)


def test_a_long_file_with_a_bad_line_is_read_whole(events_path: Path) -> None:
    line = b'{"v":1,"kind":"warning","code":"x","message":"' + b"m" * 1000 + b'","seq":0}'
    lines = [line] * 3000  # About three times the longest line.
    lines[1500] = b"broken"
    events_path.write_bytes(b"\n".join(lines) + b"\n")
    reader = EventReader(events_path)
    assert len(reader.read_new()) == 2999
    assert (reader.bad_lines, reader.offset) == (1, events_path.stat().st_size)


def test_an_event_spread_over_two_lines_is_two_bad_lines(events_path: Path) -> None:
    events_path.write_bytes(line(0) + line(1).replace(b",", b",\n", 1) + line(2))
    reader = EventReader(events_path)
    assert (numbers(reader.read_new()), reader.bad_lines) == ([0, 2], 2)


def test_steps_are_skipped_in_whatever_order_their_keys_come(store: Store) -> None:
    record = write_run(store, RunConfig(epochs=2))
    path = store.path(record.id) / EVENTS_FILE
    first = next(row for row in path.read_bytes().splitlines() if b'"kind":"step"' in row)
    turned = json.dumps(dict(reversed(json.loads(first).items()))).encode() + b"\n"
    append(path, turned + b'{"v":1,"kind":"stepper","seq":99}\n')
    kinds = [type(event).__name__ for event in store.reader(record.id, skip_steps=True).read_new()]
    assert kinds == ["Started", "Epoch", "Epoch", "Finished", "Unknown"]
    whole = store.reader(record.id).read_new()
    assert sum(type(event) is ev.Step for event in whole) == 21


@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_attack_10_only_a_regular_file_is_followed(events_path: Path, kind: str) -> None:
    if kind == "link":
        events_path.symlink_to("/dev/zero")
    elif kind == "pipe":
        os.mkfifo(events_path)
    else:
        events_path.mkdir()
    with pytest.raises(StoreError):
        EventReader(events_path).read_new()
    with pytest.raises(StoreError, match="not a regular file"):
        EventReader(Path("/dev/zero")).read_new()


def test_two_attempts_are_one_record(store: Store) -> None:
    record = store.create(RunConfig())
    for attempt in (1, 2):
        with open_writer(store.path(record.id), attempt=attempt, next_seq=3 * (attempt - 1)) as writer:
            for _ in range(3):
                writer.write(ev.System())
    events = store.reader(record.id).read_new()
    assert numbers(events) == [0, 1, 2, 3, 4, 5]
    assert [event.attempt for event in events] == [1, 1, 1, 2, 2, 2]


def test_fault_30_an_outline_holds_all_but_the_steps_of_a_large_log(store: Store) -> None:
    run_id = store.create(RunConfig(epochs=40)).id
    path = store.path(run_id) / EVENTS_FILE
    lines, wanted, seq = list[bytes](), list[tuple[str, int]](), 0

    def add(event: ev.Event) -> None:
        nonlocal seq
        event.seq, seq = seq, seq + 1
        lines.append(ev.encode(event))
        if not isinstance(event, ev.Step):
            wanted.append((type(event).__name__, event.seq))

    # A second attempt goes back; some epochs have thousands of steps, some few, some none.
    for attempt, epochs in ((1, range(1, 25)), (2, range(20, 41))):
        add(ev.Warned(attempt=attempt, code="c", message="m" * 5000))
        for epoch in epochs:
            for step in range([400, 3, 0, 2000][epoch % 4]):
                add(a_step(epoch, epoch * 2000 + step, attempt=attempt))
            add(ev.Checkpoint(attempt=attempt, epoch=epoch, step=epoch, name="e", size_bytes=1, seconds=1))
    add(a_step(41, 99_999, attempt=2))
    path.write_bytes(b"".join(lines) + b'{"v":1,"kind":"step","torn')
    outline = Outline(path)
    assert [(type(event).__name__, event.seq) for event in outline.events] == wanted
    assert outline.last_step is not None
    assert outline.last_step.step == 99_999
    whole, sketched = load(store, run_id)[0], RunHistory(store.record(run_id)).fold(outline.events)
    assert sketched.checkpoints == whole.checkpoints


def test_fault_30_an_outline_misses_no_epoch_wherever_the_log_is_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outline_module, "_LEAF_BYTES", 900)
    monkeypatch.setattr(outline_module, "_PROBE_BYTES", 500)
    random, path = Random(1), tmp_path / EVENTS_FILE
    for _ in range(100):
        lines, wanted = list[bytes](), list[ev.Event]()
        for attempt in range(1, random.randrange(1, 4)):
            events: list[ev.Event] = [ev.Resumed(epoch=0, step=0, checkpoint="", bit_exact=True)]
            for epoch in range(attempt * 2, attempt * 2 + random.randrange(6)):
                steps = random.choice([0, 1, 5, 60])
                events += [a_step(epoch, epoch * 100 + step, attempt=attempt) for step in range(steps)]
                events.append(ev.Stopped(epoch=epoch, step=0, reason="x" * random.randrange(200)))
            for event in events:
                event.attempt, event.seq = attempt, len(lines)
                lines.append(ev.encode(event))
                wanted += [] if isinstance(event, ev.Step) else [event]
        path.write_bytes(b"".join(lines))
        outline = Outline(path)
        assert outline.events == wanted
        assert outline.end == path.stat().st_size


def test_an_outline_shows_no_step_that_a_resume_gave_up(store: Store) -> None:
    run_id = store.create(RunConfig()).id
    opening = [curve(1, 10), *(a_step(2, step) for step in range(11, 19)), a_step(2, 19)]
    cases: dict[str, tuple[list[ev.Event], int]] = {
        "the last step counts": ([], 19),
        "given up": ([ev.Resumed(epoch=1, step=10, checkpoint="", bit_exact=True)], 10),
        "from its own checkpoint": ([ev.Resumed(epoch=1, step=19, checkpoint="", bit_exact=True)], 19),
        "given up and made again": ([ev.Resumed(epoch=1, step=10, checkpoint="", bit_exact=True), a_step(2, 12)], 12),
    }
    for name, (more, step) in cases.items():
        (store.path(run_id) / EVENTS_FILE).write_bytes(b"".join(map(ev.encode, [*opening, *more])))
        outline = Outline(store.path(run_id) / EVENTS_FILE)
        sketched = RunHistory(store.record(run_id)).fold_outline(outline)
        assert (sketched.step, load(store, run_id)[0].step) == (step, step), name


@pytest.mark.slow
def test_fault_30_a_large_log_is_looked_at_without_reading_it(
    store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run_id = store.create(RunConfig()).id
    path = store.path(run_id) / EVENTS_FILE
    line_bytes = ev.encode(a_step(1, 1))
    with path.open("wb") as file:
        for epoch in range(1, 5):
            file.write(ev.encode(a_step(epoch, epoch)) * (10_000_000 // len(line_bytes)))
    read_bytes, pread = 0, os.pread

    def counting(descriptor: int, length: int, offset: int) -> bytes:
        nonlocal read_bytes
        content = pread(descriptor, length, offset)
        read_bytes += len(content)
        return content

    monkeypatch.setattr(os, "pread", counting)
    history, state = load(store, run_id, may_outline=True)
    assert (history.is_outline, history.step, state) == (True, 4, State.LOST)
    assert read_bytes < 2_000_000 < path.stat().st_size
    assert not load(store, run_id)[0].is_outline  # Verdicts read everything.


def test_an_outline_of_anything_else_is_a_sentence_or_nothing(tmp_path: Path) -> None:
    assert Outline(tmp_path / "nothing" / "at-all").events == []
    (tmp_path / "empty").touch()
    assert Outline(tmp_path / "empty").events == []
    (tmp_path / "noise").write_bytes(os.urandom(300_000))
    assert all(isinstance(event, ev.Unknown) for event in Outline(tmp_path / "noise").events)
    with pytest.raises(StoreError):
        Outline(Path("/dev/zero"))


def test_a_reader_can_keep_the_lines_of_its_events(events_path: Path) -> None:
    good = [line(0), line(1), ev.encode(a_step())]
    events_path.write_bytes(good[0] + b"bad\n\n" + good[1] + good[2])
    reader = EventReader(events_path, keep_lines=True)
    assert len(reader.read_new()) == 3
    assert reader.lines == [one.rstrip(b"\n") for one in good]
    append(events_path, good[0])
    assert len(reader.read_new()) == len(reader.lines) == 1
    assert (reader.read_new(), reader.lines) == ([], [])


def test_an_event_behind_a_torn_line_is_not_its_second_half(events_path: Path) -> None:
    events_path.write_bytes(line(0) + line(1)[:20])
    with open_writer(events_path.parent, attempt=2, next_seq=1) as writer:
        assert writer.write(ev.Stopped(epoch=1, step=1, reason="asked"))
    reader = EventReader(events_path)
    assert [(event.seq, event.attempt) for event in reader.read_new()] == [(0, 1), (1, 2)]
    assert reader.bad_lines == 1
