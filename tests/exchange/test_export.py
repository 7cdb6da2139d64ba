"""Exports read back by other means than those that wrote them."""

import csv
import json
import math
import struct
from array import array
from pathlib import Path

import pytest
from fake_histories import make_history, study
from fake_runs import write_run
from msgspec.structs import replace

from alexnet_tui.analysis.compare import compare
from alexnet_tui.config.hyperparameters import SPECS, RunConfig
from alexnet_tui.errors import StoreError
from alexnet_tui.exchange.csv_json import to_csv, to_json
from alexnet_tui.exchange.tensorboard import write_tensorboard
from alexnet_tui.exchange.tensorboard_records import crc32c
from alexnet_tui.report.latex import comparison_to_latex
from alexnet_tui.runs.follow import load
from alexnet_tui.runs.history import EPOCH_COLUMNS, RunHistory
from alexnet_tui.runs.record import Foreign
from alexnet_tui.runs.store import Store


def slow_crc32c(content: bytes) -> int:
    """Bit by bit, most significant first on reversed input: another algorithm than the one under test."""
    register = 0xFFFFFFFF
    for byte in content:
        for position in range(8):
            bit = byte >> position & 1
            top = register >> 31
            register = register << 1 & 0xFFFFFFFF
            if top ^ bit:
                register ^= 0x1EDC6F41
    return int(f"{register:032b}"[::-1], 2) ^ 0xFFFFFFFF


def unmask(masked: int) -> int:
    rotated = (masked - 0xA282EAD8) % 2**32
    return (rotated >> 17 | rotated << 15) % 2**32


def records(content: bytes) -> list[bytes]:
    """TFRecords, with both checksums checked."""
    found, offset = [], 0
    while offset < len(content):
        (length,) = struct.unpack_from("<Q", content, offset)
        (length_crc,) = struct.unpack_from("<I", content, offset + 8)
        payload = content[offset + 12 : offset + 12 + length]
        (payload_crc,) = struct.unpack_from("<I", content, offset + 12 + length)
        assert unmask(length_crc) == slow_crc32c(content[offset : offset + 8])
        assert unmask(payload_crc) == slow_crc32c(payload)
        assert len(payload) == length
        found.append(payload)
        offset += 16 + length
    return found


def varint(content: bytes, offset: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = content[offset]
        value |= (byte & 0x7F) << shift
        shift, offset = shift + 7, offset + 1
        if byte < 0x80:
            return value, offset


def message(content: bytes) -> dict[int, bytes | int]:
    """Fields of a protocol buffer by number; fixed-width ones as bytes."""
    fields: dict[int, bytes | int] = {}
    offset = 0
    while offset < len(content):
        key, offset = varint(content, offset)
        number, wire = key >> 3, key & 7
        if wire == 0:
            fields[number], offset = varint(content, offset)
        else:
            length, offset = (8, offset) if wire == 1 else (4, offset) if wire == 5 else varint(content, offset)
            fields[number], offset = content[offset : offset + length], offset + length
    return fields


def scalars(path: Path) -> list[tuple[str, int, float, float]]:
    """(tag, step, value, wall) of every scalar in an event file."""
    first, *others = map(message, records(path.read_bytes()))
    assert first[3] == b"brain.Event:2"
    rows = []
    for event in others:
        summary = event[5]
        assert isinstance(summary, bytes)
        value = message(summary)[1]
        assert isinstance(value, bytes)
        fields = message(value)
        tag, number, wall = fields[1], fields[2], event[1]
        assert isinstance(tag, bytes)
        assert isinstance(number, bytes)
        assert isinstance(wall, bytes)
        step = event.get(2, 0)
        assert isinstance(step, int)
        rows.append((tag.decode(), step, *struct.unpack("<f", number), *struct.unpack("<d", wall)))
    return rows


@pytest.fixture
def history(store: Store) -> RunHistory:
    record = write_run(store, RunConfig(epochs=5, data="synthetic"), label="=cmd()")
    return load(store, record.id)[0]


def test_crc32c_of_the_known_vector() -> None:
    assert crc32c(b"123456789") == 0xE3069283
    assert slow_crc32c(b"123456789") == 0xE3069283


def test_tensorboard_files_hold_every_value(history: RunHistory, tmp_path: Path) -> None:
    (path,) = write_tensorboard([history], tmp_path / "logs")
    assert path.parent == tmp_path / "logs" / history.id
    assert path.name.startswith("events.out.tfevents.")
    rows = scalars(path)
    test = [(step, value) for tag, step, value, _ in rows if tag == "accuracy/test"]
    assert [step for step, _ in test] == [10, 20, 30, 40, 50]
    assert [value for _, value in test] == pytest.approx(list(history.epochs["test_accuracy"]), rel=1e-6)
    losses = [value for tag, _, value, _ in rows if tag == "loss/train_step"]
    assert losses == pytest.approx(list(history.steps["train_loss"]), rel=1e-6)
    assert not [tag for tag, *_ in rows if tag.endswith("/val")]  # There was no validation set: no invented zeros.
    walls = [wall for *_, wall in rows]
    assert walls == sorted(walls)
    assert walls[-1] - history.record.created == pytest.approx(12.5)


def test_tensorboard_keeps_infinities_and_large_steps(tmp_path: Path) -> None:
    run = make_history()
    run.epochs.columns["train_loss"][0] = math.inf
    run.epochs.columns["train_loss"][1] = 1e300
    for index in range(20):
        run.epochs.columns["step"][index] += 5_000_000_000
    (path,) = write_tensorboard([run], tmp_path)
    rows = [(step, value) for tag, step, value, _ in scalars(path) if tag == "loss/train"]
    assert rows[:2] == [(5_000_000_391, math.inf), (5_000_000_782, math.inf)]


def test_csv_has_a_line_an_epoch_that_reads_back(history: RunHistory) -> None:
    rows = list(csv.DictReader(to_csv([history, make_history()], {}).splitlines()))
    assert len(rows) == 5 + 20
    assert list(rows[0]) == ["run_id", "label", *(f"config.{name}" for name in SPECS), *EPOCH_COLUMNS]
    assert [float(row["test_accuracy"]) for row in rows[:5]] == list(history.epochs["test_accuracy"])
    assert [row["epoch"] for row in rows[:5]] == ["1", "2", "3", "4", "5"]
    assert rows[0]["val_accuracy"] == ""
    assert rows[0]["label"] == "'=cmd()"  # No spreadsheet takes it for a formula.


def test_json_has_the_whole_record(history: RunHistory) -> None:
    (run,) = json.loads(to_json([history], {}))["runs"]
    assert run["record"]["id"] == history.id
    assert run["started"]["device_class"] == "cpu"
    assert run["epochs"]["test_accuracy"] == list(history.epochs["test_accuracy"])
    assert run["epochs"]["val_accuracy"] == [None] * 5
    assert len(run["steps"]["train_loss"]) == 50


def foreign(**times: list[float]) -> RunHistory:
    """A run of another program that did not say how long it took, but for these epochs' times."""
    history = make_history()
    history.record = replace(history.record, foreign=Foreign(format="csv", source="x", columns={}, sha256="0"))
    for name in ("train_seconds", "elapsed_seconds"):
        history.epochs.columns[name] = array("d", times.get(name, [math.nan] * len(history.epochs)))
    return history


def test_json_of_a_foreign_run_states_no_settings(history: RunHistory) -> None:
    ours, theirs = json.loads(to_json([history, foreign()], {}))["runs"]
    assert ours["record"]["config"]["epochs"] == 5
    assert theirs["record"]["config"] is None
    assert theirs["record"]["foreign"]["format"] == "csv"
    assert theirs["record"].keys() == ours["record"].keys()


def test_tensorboard_of_a_run_without_times_has_the_one_when_it_was_made(tmp_path: Path) -> None:
    (path,) = write_tensorboard([foreign()], tmp_path)
    rows = scalars(path)
    assert {wall for *_, wall in rows} == {1_700_000_000.0}
    assert {tag for tag, *_ in rows} >= {"loss/train", "accuracy/test"}


def test_tensorboard_times_between_those_that_are_known_are_linear(tmp_path: Path) -> None:
    known = {1: 10.0, 5: 50.0, 10: 200.0}
    times = [known.get(epoch, math.nan) for epoch in range(1, 21)]
    (path,) = write_tensorboard([foreign(elapsed_seconds=times)], tmp_path)
    walls = [wall - 1_700_000_000.0 for tag, *_, wall in scalars(path) if tag == "loss/train"]
    assert walls == pytest.approx([10, 20, 30, 40, 50, 80, 110, 140, 170, 200, *[200] * 10])


def test_latex_marks_the_best_of_each_column() -> None:
    text = comparison_to_latex(compare(study(2, shift={"tanh": {"final": 0.7, "gap": 0.2}})))
    lines = {line.split(" & ")[0]: line for line in text.splitlines() if " & " in line}
    assert r"\textbf{70.10 $\pm$0.14}" not in lines["baseline"]
    assert r"\textbf{" in lines["tanh"].split(" & ")[-4]
    assert text.count("{") - text.count(r"\{") == text.count("}") - text.count(r"\}")


def gaps_in_bold(**gaps: float) -> set[str]:
    """The variants whose gap is marked, where the runs have these gaps."""
    groups = compare([make_history(name.replace("_", "-"), gap=gap) for name, gap in gaps.items()])
    lines = [line for line in comparison_to_latex(groups).splitlines() if line.endswith(r"\\") and " & 1 & " in line]
    return {line.split(" & ")[0] for line in lines if r"\textbf{" in line.split(" & ")[-3]}


def test_the_best_gap_is_the_smallest_and_none_is_where_a_run_underfits() -> None:
    assert gaps_in_bold(baseline=0.25, low_dropout=0.3, tanh=0.02) == {"tanh"}
    assert gaps_in_bold(baseline=0.25, low_dropout=0.3, tanh=-0.1) == set()
    assert gaps_in_bold(baseline=-0.2, tanh=-0.1) == set()
    assert gaps_in_bold(baseline=0.25) == set()


def test_neither_training_accuracy_nor_a_mean_of_a_few_lucky_runs_is_best() -> None:
    lucky = [make_history("tanh", 0, t25=3.0), make_history("tanh", 1, t25=None, final=0.4)]
    slow = [make_history("baseline", seed, t25=9.0) for seed in range(2)]
    slower = [make_history("four-conv", seed, t25=11.0) for seed in range(2)]
    text = comparison_to_latex(compare([*lucky, *slow, *slower]))
    rows = {
        line.split(" & ")[0]: line.removesuffix(r" \\").split(" & ") for line in text.splitlines() if " & 2 & " in line
    }
    assert rows["tanh"][-2].endswith("(1 of 2)")
    assert {name for name, row in rows.items() if "textbf" in row[-2]} == {"baseline"}
    assert not any("textbf" in row[-7] for row in rows.values())


def test_a_folder_that_cannot_be_made_is_an_error_in_words(history: RunHistory, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be written"):
        write_tensorboard([history], tmp_path / "file" / "logs")


def test_labels_given_later_are_exported() -> None:
    history = make_history(run_id="run")
    labels = {"run": "renamed", "other": "no"}
    (row, *_) = csv.DictReader(to_csv([history], labels).splitlines())
    assert row["label"] == "renamed"
    (run,) = json.loads(to_json([history], labels))["runs"]
    assert (run["label"], run["record"]["label"]) == ("renamed", "")
