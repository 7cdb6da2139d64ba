"""What holds for every text, every log and every series of events, however they came about."""

import itertools
import json
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alexnet_tui.analysis.time_to_accuracy import time_to_accuracy
from alexnet_tui.config.hyperparameters import SPECS, RunConfig
from alexnet_tui.errors import AlexnetTuiError
from alexnet_tui.runs import events as ev
from alexnet_tui.runs.event_log import EventReader
from alexnet_tui.runs.history import RunHistory
from alexnet_tui.runs.origin import origin_text
from alexnet_tui.runs.outline import Outline
from alexnet_tui.runs.record import RunRecord, read_record
from alexnet_tui.runs.run_ids import STUDIES
from alexnet_tui.runs.state import State, derive_state
from alexnet_tui.runs.store import Store
from alexnet_tui.studies import planning, study_files
from alexnet_tui.studies.plan import load_plan, verify_hash
from alexnet_tui.text import printable

FAST = settings(
    max_examples=40, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

COUNTS = st.integers(0, 50)
NUMBERS = st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.sampled_from(["nan", "inf", "-inf"]))
FRACTIONS = st.one_of(st.floats(0, 1), st.just("nan"))
SECONDS = st.floats(0, 1e11)
FINITE = st.floats(-1e300, 1e300)
COMMON = {"attempt": st.integers(0, 4), "seq": COUNTS, "wall": SECONDS, "t": SECONDS}


def events() -> st.SearchStrategy[ev.KnownEvent]:
    measured = {
        "train_loss": NUMBERS,
        "train_accuracy": FRACTIONS,
        "learning_rate": FINITE,
        "images_per_second": FINITE,
    }
    evaluated = dict.fromkeys(("train_eval_accuracy", "test_accuracy"), FRACTIONS) | dict.fromkeys(
        ("train_eval_loss", "test_loss"), NUMBERS
    )
    times = {"train_seconds": SECONDS, "elapsed_seconds": SECONDS}
    place: dict[str, Any] = {"epoch": COUNTS, "step": COUNTS}
    return st.one_of(
        st.builds(ev.Step, **COMMON, **place, **measured),
        st.builds(ev.Epoch, **COMMON, **{**place, "epoch": st.integers(1, 50)}, **measured, **evaluated, **times),
        st.builds(ev.Resumed, **COMMON, **place, checkpoint=st.sampled_from(["", "e1"]), bit_exact=st.booleans()),
        st.builds(
            ev.Checkpoint,
            **COMMON,
            **place,
            name=st.sampled_from(["e0001", "e0002"]),
            size_bytes=COUNTS,
            seconds=SECONDS,
        ),
        st.builds(ev.Warned, **COMMON, code=st.text(max_size=5), message=st.text(max_size=20)),
        st.builds(ev.Finished, **COMMON, **place, **times),
        st.builds(ev.Stopped, **COMMON, **place, reason=st.text(max_size=5)),
        st.builds(ev.Failed, **COMMON, **place, reason=st.text(max_size=5), message=st.text(max_size=5)),
    )


LINES = st.lists(
    st.one_of(
        events().map(ev.encode),
        st.binary(max_size=80).map(lambda content: content.replace(b"\n", b"") + b"\n"),
        st.sampled_from(
            [b"\n", b"\0" * 30 + b"\n", b'{"kind":"epoch"}\n', b'{"v":9,"kind":"new"}\n', b"[" * 5000 + b"\n"]
        ),
    ),
    max_size=8,
)


@given(st.text(max_size=200), st.booleans())
@settings(max_examples=300, deadline=None, database=None)
def test_a_text_is_harmless_short_and_safe_twice(text: str, keep_newlines: bool) -> None:
    safe = printable(text, 100, keep_newlines)
    assert len(safe) <= 100
    safe.encode()
    for character in safe.replace("\n", "").replace("\t", ""):
        assert unicodedata.category(character) not in {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert printable(safe, 100, keep_newlines) == safe
    if not keep_newlines:
        assert "\n" not in safe


@given(events())
@FAST
def test_an_event_survives_its_line(event: ev.KnownEvent) -> None:
    line = ev.encode(event)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert ev.decode(line) == event


@given(lines=LINES, tail=st.binary(max_size=30), cuts=st.lists(st.integers(0, 4000), max_size=6), skip=st.booleans())
@FAST
def test_a_log_gives_the_same_events_however_it_grows(
    tmp_path: Path, lines: Sequence[bytes], tail: bytes, cuts: Sequence[int], skip: bool
) -> None:
    content, path = b"".join(lines) + tail.replace(b"\n", b""), tmp_path / "events.jsonl"
    wanted, wanted_lines, bad = list[ev.KnownEvent](), list[bytes](), 0
    for line in content.split(b"\n")[:-1]:
        try:
            event = ev.decode(line) if line else None
        except ValueError:
            bad += 1
            continue
        if event is not None and not (skip and isinstance(event, ev.Step)):
            wanted.append(event)
            wanted_lines.append(line)
    path.write_bytes(b"")
    reader, seen, seen_lines = EventReader(path, skip_steps=skip, keep_lines=True), list[ev.KnownEvent](), list[bytes]()
    for cut in (*sorted(cuts), len(content)):
        path.write_bytes(content[:cut])
        while found := reader.read_new(200):
            seen += found
            seen_lines += reader.lines
    assert seen == wanted
    assert seen_lines == wanted_lines
    assert skip or reader.bad_lines == bad  # Steps that are passed over are not looked at.
    outline = Outline(path)
    assert outline.events == [event for event in wanted if not isinstance(event, ev.Step)]


def contents(history: RunHistory) -> dict[str, object]:
    """All there is in a history, with columns as bytes, in which NaN equals itself."""
    fields = {name: getattr(history, name) for name in history.__struct_fields__}
    for name in ("epochs", "steps"):
        fields[name] = {key: column.tobytes() for key, column in fields[name].columns.items()}
    return fields


@given(st.lists(events(), max_size=12), st.lists(st.integers(0, 12), max_size=3))
@FAST
def test_a_history_does_not_depend_on_how_its_events_arrive(told: list[ev.KnownEvent], cuts: list[int]) -> None:
    record = RunRecord(id="x", created=0, config=RunConfig())
    whole, parts = RunHistory(record).fold(told), RunHistory(record)
    edges = [0, *sorted(min(cut, len(told)) for cut in cuts), len(told)]
    for start, end in itertools.pairwise(edges):
        parts.fold(told[start:end])
    assert contents(whole) == contents(parts)
    for series in (whole.epochs, whole.steps):
        assert len({len(column) for column in series.columns.values()}) == 1
    assert 0 <= whole.progress <= 1
    assert derive_state(whole, is_locked=False) in State
    for name in ("gap", "best_test_accuracy", "best_epoch", "final_test_accuracy", "remaining_seconds", "step"):
        getattr(whole, name)
    time_to_accuracy(whole)


@pytest.mark.parametrize("content", [b"", b"\n", b"x"])
def test_a_log_of_nothing_has_no_events(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "events.jsonl").write_bytes(content)
    assert EventReader(tmp_path / "events.jsonl").read_new() == []


# What strangers write into files: the value, or a sentence.

JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), st.text(max_size=20)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=6,
)


T = TypeVar("T")


def value_or_sentence(read: Callable[[], T]) -> T | None:
    """What a reader gives; None where it refuses, in words that are safe to print."""
    try:
        return read()
    except AlexnetTuiError as error:
        refusal = str(error)
    assert refusal
    assert printable(refusal) == refusal
    return None


@given(fields=st.dictionaries(st.sampled_from(sorted(SPECS)), st.text(max_size=12), max_size=3))
@FAST
def test_any_text_is_a_configuration_or_a_sentence(fields: dict[str, str]) -> None:
    config = value_or_sentence(lambda: RunConfig.from_text(fields))
    assert config is None or RunConfig(**{name: getattr(config, name) for name in SPECS}) == config


def damaged(good: bytes, changes: dict[str, Any], flips: Sequence[tuple[int, int]]) -> bytes:
    """A JSON object with other values for some of its fields, and some bytes changed."""
    content = bytearray(json.dumps({**json.loads(good), **changes}).encode(errors="replace"))
    for place, value in flips:
        content[place % len(content)] = value
    return bytes(content)


def some_of(names: Iterable[str]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(st.sampled_from(sorted(names)), JSON, max_size=2)


FLIPS = st.lists(st.tuples(st.integers(0, 1 << 16), st.integers(0, 255)), max_size=3)


@given(fields=some_of(RunRecord.__struct_fields__), settings=some_of(SPECS), flips=FLIPS)
@FAST
def test_any_record_is_a_run_or_a_sentence(
    tmp_path: Path, fields: dict[str, Any], settings: dict[str, Any], flips: list[tuple[int, int]]
) -> None:
    store = Store(tmp_path / "runs")
    directory = store.path(next(iter(store.ids()), "") or store.create(RunConfig()).id)
    good = (directory / "run.json").read_bytes()
    config = {**json.loads(good)["config"], **settings}
    (directory / "run.json").write_bytes(damaged(good, {"config": config, **fields}, flips))
    try:
        record = value_or_sentence(lambda: read_record(directory))
    finally:
        (directory / "run.json").write_bytes(good)
    if record is not None:
        assert record.id == directory.name
        origin = origin_text(directory, record)
        assert printable(origin) == origin


@given(data=st.data(), flips=FLIPS)
@FAST
def test_any_plan_is_a_study_or_a_sentence(tmp_path: Path, data: st.DataObject, flips: list[tuple[int, int]]) -> None:
    store = Store(tmp_path / "runs")
    if not study_files.names(store):
        planning.plan_variants(store, "s", variants=["baseline"], seeds=[0, 1], overrides={"epochs": "1"})
    [path] = (store.root / STUDIES).glob("*.json")
    good = path.read_bytes()
    changes = data.draw(some_of(json.loads(good)))
    path.write_bytes(damaged(good, changes, flips))
    try:
        plan = value_or_sentence(lambda: load_plan(store, "s"))
        is_sound = plan is not None and value_or_sentence(lambda: verify_hash(store, plan)) == ""
    finally:
        path.write_bytes(good)
    assert plan is None or plan.configs
    assert is_sound or changes or flips
