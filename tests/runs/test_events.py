"""One JSON line an event: a frozen public format, decoded from anybody, written whole or not at all."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from fake_runs import curve, started

from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.runs import event_log
from alexnet_tui.runs import events as ev

STAMPS = ("v", "kind", "seq", "attempt", "t", "wall")
# The public format, written out: kind -> fields besides the stamps.
FORMAT: dict[str, list[str]] = {
    "started": [
        "device",
        "device_class",
        "precision",
        "threads",
        "thread_milliseconds",
        "processes",
        "settings",
        "versions",
        "fingerprint",
        "data",
        "data_sha256",
        "num_classes",
        "class_names",
        "num_train_images",
        "num_test_images",
        "num_val_images",
        "num_train_eval_images",
        "num_parameters",
        "steps_per_epoch",
        "total_steps",
        "epochs",
        "commit",
        "pid",
        "arithmetic",
    ],
    "resumed": ["epoch", "step", "checkpoint", "bit_exact", "reason"],
    "step": ["epoch", "step", "train_loss", "train_accuracy", "learning_rate", "images_per_second"],
    "epoch": [
        "epoch",
        "step",
        "train_loss",
        "train_accuracy",
        "train_eval_loss",
        "train_eval_accuracy",
        "test_loss",
        "test_accuracy",
        "learning_rate",
        "train_seconds",
        "elapsed_seconds",
        "images_per_second",
        "val_loss",
        "val_accuracy",
    ],
    "checkpoint": ["epoch", "step", "name", "size_bytes", "seconds", "kernels"],
    "system": [
        *("cpu_percent", "memory_bytes", "gpu_percent", "gpu_memory_bytes", "gpu_name"),
        *("step", "train_loss", "images_per_second"),
    ],
    "warning": ["code", "message"],
    "finished": ["epoch", "step", "train_seconds", "elapsed_seconds"],
    "stopped": ["epoch", "step", "reason"],
    "failed": ["reason", "message", "epoch", "step"],
}
EXAMPLES: list[ev.Event] = [
    started(RunConfig()),
    ev.Resumed(epoch=2, step=20, checkpoint="e0002", bit_exact=False, reason="other threads"),
    ev.Step(epoch=1, step=3, train_loss=2.3, train_accuracy=0.1, learning_rate=0.01, images_per_second=640.0),
    curve(3, 10),
    ev.Checkpoint(epoch=1, step=10, name="e0001", size_bytes=7, seconds=0.5),
    ev.System(cpu_percent=12.5, memory_bytes=1 << 33),
    ev.Warned(code="disk", message="Zoë\n\x1b[2J\u2028"),
    ev.Finished(epoch=1, step=10, train_seconds=2.0, elapsed_seconds=2.5),
    ev.Stopped(epoch=1, step=10, reason="asked"),
    ev.Failed(reason="diverged", message="The loss is nan."),
]
STEP = b'{"v":1,"kind":"step","epoch":1,"step":1,"train_loss":2.5,"train_accuracy":0.5,' + (
    b'"learning_rate":0.01,"images_per_second":9.0,"seq":4,"attempt":1,"t":1.5,"wall":2.5}'
)


@pytest.mark.parametrize("event", EXAMPLES, ids=lambda event: type(event).__name__)
def test_kinds_and_fields_are_the_published_ones(event: ev.Event) -> None:
    fields = json.loads(ev.encode(event))
    assert list(fields)[:2] == ["v", "kind"]
    assert fields["v"] == ev.FORMAT_VERSION == 1
    assert sorted(fields) == sorted((*FORMAT[fields["kind"]], *STAMPS))


def test_every_published_kind_has_an_example() -> None:
    assert {json.loads(ev.encode(event))["kind"] for event in EXAMPLES} == set(FORMAT)


@pytest.mark.parametrize("event", EXAMPLES, ids=lambda event: type(event).__name__)
def test_an_event_survives_its_line(event: ev.Event) -> None:
    line = ev.encode(event)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert ev.decode(line) == ev.decode(line[:-1]) == event


@pytest.mark.parametrize(("value", "word"), [(float("nan"), "nan"), (float("inf"), "inf"), (-float("inf"), "-inf")])
def test_numbers_json_has_no_word_for_travel_as_text(value: float, word: str) -> None:
    epoch = curve(1, 2)
    epoch.train_loss = ev.number(value)
    line = ev.encode(epoch)
    assert json.loads(line)["train_loss"] == word
    assert str(float(ev.decode(line).train_loss)) == word  # type: ignore[arg-type, union-attr]
    epoch.train_loss = value
    with pytest.raises(ValueError, match="non-finite"):
        ev.encode(epoch)


def test_a_name_that_is_no_utf8_does_not_cost_the_message() -> None:
    line = ev.encode(ev.Failed(reason="data", message="cannot read 'caf\udce9.jpg'"))
    assert ev.decode(line) == ev.Failed(reason="data", message="cannot read 'caf?.jpg'")


def changed(old: bytes, new: bytes) -> bytes:
    assert STEP.count(old) == 1
    return STEP.replace(old, new)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\n",
        b"null",
        b"[]",
        b"7",
        b"{}",
        b'{"v":1}',
        b'{"kind":7}',
        b'{"kind":null,"v":9}',
        b'{"v":1,"kind":"step"}',
        STEP[:-1],
        STEP + STEP,
        STEP + b" x",
        b"\x00" * 4096,
        b"\xff\xfe{}",
        b"[" * 200_000,
        b'{"kind":' * 100_000,
        b'{"v":9,"kind":"new","deep":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"v":9,"kind":"new","x":1e999}',
        b'{"v":9,"kind":"new","x":"\xff"}',
        changed(b"2.5,", b"1e999,"),
        changed(b"2.5,", b"NaN,"),
        changed(b"2.5,", b'"abc",'),
        changed(b"2.5,", b'"1_0",'),
        changed(b"2.5,", b"1" + b"0" * 400 + b","),
        changed(b'"step":1,', b'"step":-1,'),
        changed(b'"step":1,', b'"step":1.5,'),
        changed(b'"step":1,', b'"step":true,'),
        changed(b'"step":1,', b'"step":1' + b"0" * 400 + b","),
        changed(b'"seq":4', b'"seq":9007199254740993'),
        changed(b'"wall":2.5', b'"wall":1e300'),
        changed(b'"train_accuracy":0.5,', b""),
        STEP + b" " * ev.MAX_LINE_BYTES,
        b"x" * (2 << 20),
    ],
    ids=lambda line: str(line[:60]),
)
def test_attack_13_what_is_no_event_is_a_value_error(line: bytes) -> None:
    with pytest.raises(ValueError, match="not an event|a line of"):
        ev.decode(line)


def test_fields_of_a_newer_program_are_ignored_and_keys_given_twice_are_read_once() -> None:
    known = ev.decode(STEP)
    assert ev.decode(changed(b'"epoch":1,', b'"flux":{"a":[1]},"epoch":1,')) == known
    assert ev.decode(changed(b'"epoch":1,', b'"epoch":7,"epoch":1,')) == known


def test_kinds_and_versions_of_a_newer_program_are_kept() -> None:
    unknown = ev.decode(b'{"v":1,"kind":"gradient","seq":12,"norm":0.5}')
    assert unknown == ev.Unknown(v=1, seq=12, raw={"v": 1, "kind": "gradient", "seq": 12, "norm": 0.5})
    newer = ev.decode(b'{"v":2,"kind":"step","position":[1,2]}')
    assert isinstance(newer, ev.Unknown)
    assert (newer.v, newer.seq) == (2, -1)
    readable = ev.decode(changed(b'"v":1', b'"v":2'))
    assert isinstance(readable, ev.Step)
    assert readable.v == 2


def test_random_damage_is_an_event_or_a_value_error() -> None:
    rng = random.Random(11)
    lines = [ev.encode(event) for event in EXAMPLES]
    decoded = 0
    for _ in range(4000):
        line = bytearray(rng.choice(lines))
        for _ in range(rng.randrange(1, 4)):
            line[rng.randrange(len(line))] = rng.randrange(256)
        try:
            event = ev.decode(bytes(line[: -rng.randrange(9)] if rng.random() < 0.1 else line))
        except ValueError:
            continue
        decoded += 1
        assert isinstance(event, ev.Event)
    assert decoded > 100


def test_the_writer_stamps_and_sends_each_event_in_one_write() -> None:
    reading, writing = os.pipe2(os.O_DIRECT) if hasattr(os, "O_DIRECT") and sys.platform == "linux" else os.pipe()
    try:
        ticks = iter([100.0, 101.5, 103.0000004])
        writer = event_log.EventWriter(
            writing, attempt=3, next_seq=40, clock=lambda: next(ticks), wall_clock=lambda: 1_700_000_000.1239
        )
        for step in (1, 2):
            writer.write(ev.Stopped(epoch=1, step=step, reason="asked"))
        # A packet pipe gives back one write at a time.
        first = os.read(reading, 65536)
        second = os.read(reading, 65536) if sys.platform == "linux" else first
    finally:
        os.close(reading)
        os.close(writing)
    if sys.platform == "linux":
        assert first.count(b"\n") == second.count(b"\n") == 1
        event = ev.decode(second)
        assert (event.seq, event.attempt, event.t, event.wall) == (41, 3, 3.0, 1_700_000_000.124)
    assert ev.decode(first.split(b"\n")[0]).t == 1.5


def test_fault_23_durations_and_order_do_not_depend_on_the_wall_clock(tmp_path: Path) -> None:
    path, ticks = tmp_path / "events.jsonl", iter([10.0, 11.0, 12.0, 13.0, 14.0])
    walls = iter([1_700_000_000.0, 1_700_000_000.0 - 86_400, 1_700_000_000.0 + 172_800, -5.0])
    with path.open("ab") as file:
        writer = event_log.EventWriter(file.fileno(), clock=lambda: next(ticks), wall_clock=lambda: next(walls))
        for _ in range(4):
            writer.write(ev.Warned(code="c", message="m"))
    events = event_log.EventReader(path).read_new()
    assert [(event.seq, event.t) for event in events] == [(0, 1.0), (1, 2.0), (2, 3.0), (3, 4.0)]
    assert events[3].wall == 0


def test_a_reader_that_has_gone_is_an_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        with pytest.raises(event_log.EventWriteError, match="Broken pipe"):
            event_log.EventWriter(writing).write(ev.Warned(code="a", message="b"))
    finally:
        os.close(writing)


# A file-size limit is a full disk that a test may have: the write that reaches it is cut short, the next one fails.
FULL_DISK = """
import os, resource, sys
from alexnet_tui.runs import event_log, events as ev
path, limit_bytes = sys.argv[1], int(sys.argv[2])
descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (350, hard))
writer = event_log.EventWriter(descriptor)
written = [writer.write(ev.Warned(code="c", message=str(index) * 60)) for index in range(5)]
for index in range(5, 9):
    written.append(writer.write(ev.System(cpu_percent=index)))
dropped = writer.drop_steps(limit_bytes)
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
print(written, dropped, writer.flush(), writer.write(ev.Warned(code="c", message="9")))
"""


def fill_disk(path: Path, limit_bytes: int) -> tuple[str, list[ev.KnownEvent]]:
    command = [sys.executable, "-c", FULL_DISK, str(path), str(limit_bytes)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    return done.stdout, [ev.decode(line) for line in path.read_bytes().splitlines()]


def test_fault_07_lines_kept_while_the_disk_is_full_follow_when_there_is_room(tmp_path: Path) -> None:
    said, events = fill_disk(tmp_path / "events.jsonl", 1 << 20)
    assert said == f"{[True] * 2 + [False] * 7} 0 True True\n"  # The second line fits, the third is cut.
    assert [event.seq for event in events] == list(range(10))
    assert [event.message[0] for event in events if isinstance(event, ev.Warned)] == list("012349")


def test_fault_07_where_only_a_little_fits_steps_are_given_up_and_missed(tmp_path: Path) -> None:
    said, events = fill_disk(tmp_path / "events.jsonl", 1)
    assert said == f"{[True] * 2 + [False] * 7} 4 True True\n"
    assert [event.seq for event in events] == [0, 1, 2, 3, 4, 9]


def test_decoding_gives_what_plain_json_gives() -> None:
    for event in EXAMPLES:
        line = ev.encode(event)
        assert msgspec.json.decode(line) == json.loads(line)


@pytest.mark.parametrize(
    ("name", "value"),
    [("test_accuracy", "1.7e308"), ("train_accuracy", "-0.1"), ("val_accuracy", '"inf"'), ("epoch", "0")],
)
def test_an_epoch_with_an_impossible_number_is_a_bad_line(name: str, value: str) -> None:
    row = json.loads(ev.encode(curve(1, 2)))
    whole = json.dumps({**row, "train_accuracy": "nan", "val_accuracy": 1, "test_loss": 1.7e308})
    assert isinstance(ev.decode(whole.encode()), ev.Epoch)
    row[name] = json.loads(value)
    with pytest.raises(ValueError, match="not an event"):
        ev.decode(json.dumps(row).encode())
