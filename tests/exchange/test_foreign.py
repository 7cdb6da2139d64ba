"""Histories of other programs: read as they are, shown beside ours, and never counted."""

import json
import struct
from collections.abc import Mapping
from pathlib import Path

import pytest
from cli_caller import Run
from fake_runs import write_run

from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.errors import StoreError, UsageError
from alexnet_tui.exchange import csv_history
from alexnet_tui.exchange.csv_history import read_csv
from alexnet_tui.exchange.foreign import column_of, create_foreign, parse_columns
from alexnet_tui.exchange.log_history import read_logs
from alexnet_tui.exchange.tensorboard import read_tensorboard, write_tensorboard
from alexnet_tui.exchange.tensorboard_records import _bytes, _frame, _varint, _wall_field, version_record
from alexnet_tui.launch import local
from alexnet_tui.runs import store as runs_store
from alexnet_tui.runs.follow import load
from alexnet_tui.runs.notes import Notes
from alexnet_tui.runs.record import RunRecord, read_record
from alexnet_tui.runs.state import State
from alexnet_tui.runs.store import Store
from alexnet_tui.text import MISSING
from alexnet_tui.tui.run_names import Name
from alexnet_tui.tui.screens.runs.rows import run_row

KERAS = """epoch,accuracy,loss,lr,val_accuracy,val_loss
0,0.25,2.0,0.01,0.3,1.9
1,0.5,1.5,0.01,0.4,1.6
2,0.75,1.0,0.001,NA,nan
"""


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


# --- names


def test_names_of_other_programs_are_understood_or_left_out() -> None:
    known = {
        "accuracy": "train_accuracy",
        "val_acc": "val_accuracy",
        "Loss/train": "train_loss",
        "test/accuracy": "test_accuracy",
        "epoch_sparse_categorical_accuracy": "train_accuracy",
        "train_eval_accuracy": "train_eval_accuracy",
        "lr": "learning_rate",
        "epoch_learning_rate": "learning_rate",
        "validation loss": "val_loss",
    }
    assert {name: column_of(name) for name in known} == known
    for name in (
        "",
        "f1",
        "val_f1",
        "top_5_accuracy",
        "evaluation_loss_vs_iterations",
        "loss accuracy",
        "train val loss",
    ):
        assert column_of(name) == "", name
    assert column_of("epoch_loss", "val") == "val_loss"
    assert parse_columns(["test_accuracy=val_acc", "test_loss=a=b"]) == {"val_acc": "test_accuracy", "a=b": "test_loss"}
    for wrong in (["x=y"], ["test_loss"], ["test_loss="], ["test_loss=a", "test_loss=b"], ["epoch=e"]):
        with pytest.raises(UsageError):
            parse_columns(wrong)


# --- CSV


def test_a_log_of_keras_is_read_by_value(tmp_path: Path) -> None:
    (history,) = read_csv(write(tmp_path / "training.log", KERAS), {"val_accuracy": "test_accuracy"})
    assert history.columns["test_accuracy"] == "val_accuracy"
    assert [row["epoch"] for row in history.rows] == [1, 2, 3]  # Keras counts from 0.
    assert [row.get("test_accuracy") for row in history.rows] == [0.3, 0.4, None]
    assert [row["train_accuracy"] for row in history.rows] == [0.25, 0.5, 0.75]
    assert [row["learning_rate"] for row in history.rows] == [0.01, 0.01, 0.001]
    assert (history.name, history.left_out) == ("training", [])


def test_a_table_in_the_unicode_of_a_spreadsheet_is_read(tmp_path: Path) -> None:
    expected = read_csv(write(tmp_path / "training.log", KERAS), {})
    for encoding, text in (("utf-16", KERAS.replace(",", "\t")), ("utf-8-sig", KERAS.replace("\n", "\r\n"))):
        (tmp_path / "training.log").write_bytes(text.encode(encoding))
        assert read_csv(tmp_path / "training.log", {}) == expected


def test_attack_09_a_table_of_nothing_but_commas_is_refused_before_it_fills_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_history, "_MAX_CELLS", 1000)
    names = ",".join(f"c{number}" for number in range(100))
    with pytest.raises(StoreError, match="more than 10 lines of 100 columns"):
        read_csv(write(tmp_path / "x.csv", f"{names}\n" + ("1" + "," * 99 + "\n") * 11), {})
    with pytest.raises(StoreError, match="has no line below"):
        read_csv(write(tmp_path / "x.csv", f"{names}\n" + ("," * 99 + "\n") * 11), {})


def test_lines_of_training_and_validation_of_one_epoch_are_one_epoch(tmp_path: Path) -> None:
    training, validation = ["0,99,2.2,,", "1,199,1.8,,"], ["0,99,,0.3,2.1", "1,199,,0.4,1.9"]
    orders = (training + validation, validation + training, [training[0], validation[0], validation[1], training[1]])
    for lines in orders:
        table = write(tmp_path / "metrics.csv", "\n".join(("epoch,step,train_loss,val_acc,val_loss", *lines)) + "\n")
        (history,) = read_csv(table, {})
        found = [(row["epoch"], row["train_loss"], row["val_accuracy"], row["val_loss"]) for row in history.rows]
        assert found == [(1, 2.2, 0.3, 2.1), (2, 1.8, 0.4, 1.9)], lines
        assert [text.partition(":")[0] for text in history.left_out] == ["step"]


def test_an_index_column_of_pandas_is_no_run_id(tmp_path: Path) -> None:
    table = write(tmp_path / "frame.csv", ",loss,val_accuracy\n0,2.0,0.1\n1,1.5,0.2\n")
    (history,) = read_csv(table, {})
    assert [(row["epoch"], row["train_loss"]) for row in history.rows] == [(1, 2.0), (2, 1.5)]


def test_percentages_restarts_and_other_separators(tmp_path: Path) -> None:
    text = "Epoch;Train Acc;note;Val F1\n1;10;a;3\n2;20;b;4\n2;30;c;5\n3;95.5;d;6\n"
    (history,) = read_csv(write(tmp_path / "x.csv", text), {})
    assert [(row["epoch"], row["train_accuracy"]) for row in history.rows] == [(1, 0.1), (2, 0.3), (3, 0.955)]
    assert len(history.left_out) == 2  # The metric that is not known, and a line.
    assert history.percentages
    (plain,) = read_csv(write(tmp_path / "y.csv", "loss\n3\n2\n"), {})
    assert [(row["epoch"], row["train_loss"]) for row in plain.rows] == [(1, 3), (2, 2)]


@pytest.mark.parametrize(
    "text",
    ["", "\n", "a,a\n1,2\n", "note\nx\n", "accuracy\n-1\n", "accuracy\n1e9\n", "loss\n", "\0\0\0", '"' + "x" * 200_000],
)
def test_a_table_without_a_history_is_a_sentence(tmp_path: Path, text: str) -> None:
    with pytest.raises(StoreError):
        read_csv(write(tmp_path / "x.csv", text), {})


def test_a_line_without_a_value_is_no_epoch(tmp_path: Path) -> None:
    (history,) = read_csv(write(tmp_path / "x.csv", "epoch,val_accuracy\n1,0.4\n,\n2,0.5\n , \n,\n\n"), {})
    assert [row["epoch"] for row in history.rows] == [1, 2]


def test_no_line_is_left_out_silently(tmp_path: Path) -> None:
    for text, epochs, num_replaced in (
        ("epoch,loss\n0.5,3\n0.7,2\n1.5,1\n", [1, 2], 1),
        ("epoch,loss\n-1,3\n0,2\n1,1\n", [1, 2], 1),
        ("epoch,loss\n1,3\n2,2\n1,5\n2,4\n", [1, 2], 2),
        ("epoch,loss\n3,1\n2,2\n1,3\n", [1, 2, 3], 0),
        ("epoch,loss\n1,9\n1,8\n1,7\n2,6\n2,5\n2,4\n", [1, 2], 2),  # Epochs, not lines.
        ("epoch,loss\n0.5,4\n1.0,3\n1.5,2\n2.0,1\n", [1, 2], 2),
    ):
        (history,) = read_csv(write(tmp_path / "x.csv", text), {})
        assert [row["epoch"] for row in history.rows] == epochs, text
        assert len(history.left_out) == (num_replaced > 0), text
        assert all(str(num_replaced) in sentence for sentence in history.left_out), text


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ("0,9 1,8 2,7", {1: 9, 2: 8, 3: 7}),
        ("1,9 2,8 3,7", {1: 9, 2: 8, 3: 7}),
        ("0.0,9 1.0,8", {1: 9, 2: 8}),
        ("0.5,9 1.0,8 1.5,7 2.0,6", {1: 8, 2: 6}),  # As Hugging Face's Trainer counts.
        ("0,9 0.5,8 1,7 1.5,6", {1: 7, 2: 6}),
        ("0.99,9 1.98,8 2.97,7", {1: 9, 2: 8, 3: 7}),
        ("1.0,9 2.0000000000000004,8 2.9999999999999996,7", {1: 9, 2: 8, 3: 7}),
        ("0.9,9 0.5,8 1.4,7", {1: 9, 2: 7}),  # Not the later line, but the one that is further.
    ],
)
def test_a_fraction_of_an_epoch_belongs_to_the_epoch_under_way(
    tmp_path: Path, lines: str, found: dict[int, float]
) -> None:
    (history,) = read_csv(write(tmp_path / "x.csv", "\n".join(["epoch,loss", *lines.split()])), {})
    assert {row["epoch"]: row["train_loss"] for row in history.rows} == found


def test_cells_that_are_no_numbers_are_counted_and_named(tmp_path: Path) -> None:
    table = write(tmp_path / "x.csv", 'epoch,val_accuracy\n0,0.1\n1,0.1x\n2,0.6\n3,"0,7"\n4,nan\n5,\n')
    (history,) = read_csv(table, {})
    assert [row.get("val_accuracy") for row in history.rows] == [0.1, None, 0.6, None, None, None]
    assert history.left_out == ["val_accuracy: 2 cells without a number ('0.1x', '0,7')"]


def test_the_reason_that_nothing_was_read_is_what_was_found(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"train_loss\|epoch.*1 line below") as found:
        read_csv(write(tmp_path / "x.csv", "train_loss|epoch\n1|2\n"), {})
    assert "empty" not in str(found.value)
    write_log(tmp_path / "logs", b"x" * 100)
    with pytest.raises(StoreError, match="checksum of a length"):
        read_logs(tmp_path / "logs", {})


def test_a_column_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        read_csv(write(tmp_path / "x.csv", KERAS), {"val_acc": "test_accuracy"})


# --- TensorBoard


def scalar(tag: str, step: int, value: float, *, wall: float = 100.0, is_tensor: bool = False) -> bytes:
    """A record as TensorFlow 2 (a tensor) or PyTorch (a number) writes it."""
    tensor = b"\x08\x01" + _bytes(2, b"") + _bytes(4, struct.pack("<f", value))
    content = _bytes(8, tensor) if is_tensor else b"\x15" + struct.pack("<f", value)
    summary = _bytes(1, _bytes(1, tag.encode()) + content)
    return _frame(_wall_field(wall) + b"\x10" + _varint(step) + _bytes(5, summary))


def write_log(folder: Path, *records: bytes) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "events.out.tfevents.1.host"
    path.write_bytes(version_record(1.0) + b"".join(records))
    return path


def test_what_is_written_here_is_read_again(store: Store, tmp_path: Path) -> None:
    history = load(store, write_run(store, RunConfig(data="synthetic", epochs=3)).id)[0]
    write_tensorboard([history], tmp_path / "logs")
    ((found,), problems) = read_logs(tmp_path / "logs", {})
    assert (found.name, problems) == (history.id, [])
    for column in ("train_loss", "test_accuracy", "train_eval_accuracy", "learning_rate"):
        assert [row[column] for row in found.rows] == pytest.approx(list(history.epochs[column])), column
    assert [row["step"] for row in found.rows] == list(history.epochs["step"])


def test_folders_of_keras_become_one_run(tmp_path: Path) -> None:
    for part, shift in (("train", 0.0), ("validation", 0.1)):
        records = [scalar("epoch_accuracy", step, 0.5 + shift, wall=100.0 + step, is_tensor=True) for step in range(3)]
        more = [scalar("evaluation_loss_vs_iterations", 5, 1.0), scalar("epoch_loss", 1, 2.0 - shift, is_tensor=True)]
        write_log(tmp_path / "logs" / "first" / part, *records, *more)
    write_log(tmp_path / "logs" / "second", scalar("Loss/train", 10, 1.5), scalar("Loss/train", 20, 1.25))
    (first, second), _ = read_logs(tmp_path / "logs", {})
    assert (first.name, second.name) == ("first", "second")
    assert [row["train_accuracy"] for row in first.rows] == [0.5, 0.5, 0.5], "a loss of one point is no axis"
    assert {round(row["val_accuracy"], 6) for row in first.rows} == {0.6}
    assert [row["train_loss"] for row in second.rows] == [1.5, 1.25]
    assert [row["step"] for row in second.rows] == [10, 20]
    assert all("vs_iterations" in text for text in first.left_out)


def test_a_second_tag_for_a_column_is_named_and_not_mixed_in(tmp_path: Path) -> None:
    write_log(tmp_path / "logs" / "train", *(scalar(tag, 1, 7.0) for tag in ("epoch_loss", "accuracy")))
    write_log(tmp_path / "logs", *(scalar(tag, 1, 0.5) for tag in ("loss/train", "train_loss", "foo")))
    (history,), _ = read_logs(tmp_path / "logs", {"foo": "train_accuracy"})
    assert [(row["train_loss"], row["train_accuracy"]) for row in history.rows] == [(7.0, 0.5)]
    assert history.columns == {"train_loss": "train/epoch_loss", "train_accuracy": "foo"}, (
        "what was asked for comes first"
    )
    left_out = {text.partition(": ")[0] for text in history.left_out if "another name stands for" in text}
    assert left_out == {"train_loss", "loss/train", "train/accuracy"}


def test_a_curve_with_many_points_is_read_where_the_epochs_end(tmp_path: Path) -> None:
    steps = [scalar("train_loss", step, float(step)) for step in range(1, 41)]
    write_log(tmp_path, *steps, *(scalar("val_acc", step, step / 100, wall=50.0 + step) for step in (20, 40)))
    ((found,), _) = read_logs(tmp_path, {})
    assert [(row["epoch"], row["step"], row["train_loss"]) for row in found.rows] == [(1, 20, 20.0), (2, 40, 40.0)]


def test_a_test_after_the_training_stands_beside_its_last_epoch(tmp_path: Path) -> None:
    curve = [scalar("train_loss", step, float(step)) for step in range(1, 46)]
    ends = [scalar("val_acc", step, step / 100) for step in (20, 40)]
    write_log(tmp_path, *curve, *ends, scalar("test_acc", 45, 0.5))
    ((found,), _) = read_logs(tmp_path, {})
    assert [row["val_accuracy"] for row in found.rows] == pytest.approx([0.2, 0.4])
    assert [row.get("test_accuracy") for row in found.rows] == [None, 0.5]
    assert found.left_out == ["train_loss: 5 points after the last epoch"]


def test_a_training_of_one_epoch_is_one_epoch_however_often_its_loss_was_written(tmp_path: Path) -> None:
    losses = [scalar("train_loss", step, float(step)) for step in range(10, 401, 10)]
    ends = [scalar("val_acc", 400, 0.25), scalar("val_loss", 400, 1.5)]
    for name, more in (
        ("plain", []),
        ("epoch", [scalar("train_acc", 400, 0.5)]),
        ("test", [scalar("test_acc", 400, 0)]),
    ):
        write_log(tmp_path / name, *losses, *ends, *more)
        ((found,), _) = read_logs(tmp_path / name, {})
        (row,) = found.rows
        assert (row["epoch"], row["step"], row["train_loss"]) == (1, 400, 400.0), name
        assert (row["val_accuracy"], row["val_loss"]) == (0.25, 1.5), name
    ((found,), _) = read_logs(tmp_path / "plain", {"val_acc": "test_accuracy"})
    assert [row["test_accuracy"] for row in found.rows] == [0.25], "it is still of the validation"


def test_a_lone_point_of_a_test_or_beside_curves_of_its_part_is_no_epoch(tmp_path: Path) -> None:
    losses = [scalar("train_loss", step, float(step)) for step in (20, 40, 60)]
    for tag in ("test_acc", "train_acc"):
        write_log(tmp_path / tag, *losses, scalar(tag, 60, 0.5))
        ((found,), _) = read_logs(tmp_path / tag, {})
        assert [(row["step"], row["train_loss"]) for row in found.rows] == [(20, 20.0), (40, 40.0), (60, 60.0)], tag
    ((found,), _) = read_logs(tmp_path / "test_acc", {"test_acc": "val_accuracy"})
    assert [row.get("val_accuracy") for row in found.rows] == [None, None, 0.5], "it is still of the test"
    write_log(tmp_path / "alone", scalar("test_acc", 60, 0.5), scalar("test_loss", 60, 1.5))
    ((found,), _) = read_logs(tmp_path / "alone", {})
    assert [(row["test_accuracy"], row["test_loss"]) for row in found.rows] == [(0.5, 1.5)]


def test_a_tag_that_two_parts_have_is_asked_for_by_its_part(tmp_path: Path) -> None:
    for part, value in (("train", 0.75), ("validation", 0.5)):
        write_log(tmp_path / "logs" / part, scalar("epoch_accuracy", 0, value))
    ((found,), _) = read_logs(tmp_path / "logs", {"validation/epoch_accuracy": "test_accuracy"})
    assert [(row["train_accuracy"], row["test_accuracy"]) for row in found.rows] == [(0.75, 0.5)]
    assert found.columns == {"test_accuracy": "validation/epoch_accuracy", "train_accuracy": "train/epoch_accuracy"}
    with pytest.raises(UsageError, match="train/epoch_accuracy or validation/epoch_accuracy"):
        read_logs(tmp_path / "logs", {"epoch_accuracy": "test_accuracy"})


def test_fault_23_a_log_whose_clock_was_set_back_takes_no_time_back(tmp_path: Path) -> None:
    walls = (1000.0, 1060.0, 1060.0 - 86_400, 1120.0)
    write_log(tmp_path, *(scalar("train_loss", step, 1.0, wall=wall) for step, wall in enumerate(walls, 1)))
    ((found,), _) = read_logs(tmp_path, {})
    assert [row["elapsed_seconds"] for row in found.rows] == [0.0, 60.0, 60.0, 120.0]


def test_the_largest_step_counted_from_1_is_one_that_a_record_may_have(store: Store, tmp_path: Path) -> None:
    write_log(tmp_path, *(scalar("train_loss", step, 1.0) for step in (0, 5, 2**53 - 1, 2**53, 2**60)))
    ((found,), _) = read_logs(tmp_path, {})
    record, _ = create_foreign(store, found, {}, format_name="tensorboard", source="logs")
    history, state = load(store, record.id)
    assert (list(history.epochs["step"]), state, history.bad_lines) == ([1, 6, 2**53], State.FINISHED, 0)


def test_damage_is_named_and_what_came_before_it_is_kept(tmp_path: Path) -> None:
    good = [scalar("loss", step, 1.0) for step in (1, 2)]
    bad = bytearray(scalar("loss", 3, 9.0))
    bad[-6] ^= 1
    wrong_length = bytearray(scalar("loss", 3, 9.0))
    wrong_length[0] ^= 1
    cut = scalar("loss", 3, 9.0)[:-3]
    nonsense = _frame(b"\xff" * 30)
    huge = struct.pack("<Q", 1 << 60)
    endings: Mapping[str, tuple[bytes, int]] = {
        "a wrong checksum": (bytes(bad), 1),
        "a wrong length": (bytes(wrong_length), 1),
        "cut off": (cut, 0),
        "no message": (nonsense, 1),
        "a length beyond the end": (_frame(b"")[:0] + huge + struct.pack("<I", 0), 1),
    }
    for what, (ending, num_problems) in endings.items():
        write_log(tmp_path, *good, ending)
        found = read_tensorboard(tmp_path)
        assert [point.step for point in found.runs[()]["loss"]] == [1, 2], what
        assert len(found.problems) == num_problems, what


def test_images_are_passed_over_and_links_are_not_followed(tmp_path: Path) -> None:
    path = write_log(tmp_path / "a", _frame(b"\0" * 100_000), scalar("loss", 1, 1.0), scalar("loss", 1, 0.5))
    (tmp_path / "a" / "tfevents.link").symlink_to(path)
    (tmp_path / "b").symlink_to(tmp_path / "a")
    found = read_tensorboard(tmp_path)
    assert list(found.runs) == [("a",)]
    assert [point.value for point in found.runs["a",]["loss"]] == [0.5]  # Of a step that was repeated, the last.
    assert found.num_other == 1
    assert len(found.problems) == 1
    with pytest.raises(StoreError):
        read_logs(tmp_path / "none", {})
    (tmp_path / "empty").mkdir()
    with pytest.raises(StoreError):
        read_logs(tmp_path / "empty", {})


# --- in a runs folder


def test_fault_30_a_table_of_many_runs_reads_each_record_of_the_folder_once(
    run: Run, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time for a thousand runs was quadratic; of two runs with one history the second is not made."""
    lines = "".join(f"{name},{value}\n" for name, value in (("a", 1), ("b", 2), ("c", 3), ("twin", 1)))
    read: list[str] = []

    def counted(directory: Path) -> RunRecord:
        read.append(directory.name)
        return read_record(directory)

    monkeypatch.setattr(runs_store, "read_record", counted)
    present = write_run(store, RunConfig(epochs=1)).id
    found = run("import", "--csv", str(write(tmp_path / "x.csv", f"run_id,loss\n{lines}")))
    assert (found.code, store.ids()) == (0, ["a", "b", present, "c"])
    assert "twin is here already, as a" in found.err
    assert read == [present]


def test_a_history_without_test_accuracy_says_how_to_name_it_and_shows_what_it_has(
    run: Run, store: Store, tmp_path: Path
) -> None:
    path = write(tmp_path / "val.log", "epoch,val_acc\n0,0.3\n1,0.4\n")
    advice = run("import", "--csv", str(path)).err
    (run_id,) = store.ids()
    assert " --column test_accuracy=val_acc, takes" in advice
    assert f" delete {run_id}`" in advice
    text = run("show", run_id).out
    assert not [word for word in ("accuracy", "gap", "time", "T25", "nan", "by epoch") if f"\n{word}" in text], text
    named = run("import", "--csv", str(path), "--column", "test_accuracy=val_acc")
    assert (named.code, "no test accuracy" in named.err, len(store.ids())) == (0, False, 2)
    text = run("show", (set(store.ids()) - {run_id}).pop()).out
    assert "\ntest accuracy, by epoch\n" in text
    refused = run("report", run_id)
    assert (refused.code, "has no run that this program trained" in refused.err) == (2, True)


def test_a_foreign_run_is_shown_and_compared_and_counts_for_nothing(run: Run, store: Store, tmp_path: Path) -> None:
    path = write(tmp_path / "training.log", KERAS)
    words = ("import", "--csv", str(path), "--column", "test_accuracy=val_accuracy", "--label", "Their run")
    assert run(*words).code == 0
    assert "is here already" in run(*words).err
    assert store.ids() == ["their-run"]
    own = write_run(store, RunConfig(data="synthetic", epochs=6)).id

    (row,) = [row for row in json.loads(run("runs", "--json").out) if row["id"] == "their-run"]
    assert (row["variant"], row["data"], row["seed"], row["state"], row["epochs"]) == (None, None, None, "finished", 3)
    assert (row["best_test_accuracy"], row["elapsed_seconds"]) == (0.4, None)
    assert row["foreign"]["columns"]["test_accuracy"] == "val_accuracy"
    assert "(foreign)" in run("runs").out
    shown = json.loads(run("show", "their-run", "--json").out)
    assert (shown["config"], shown["epochs_table"][1]["train_loss"]) == (None, 1.5)
    text = run("show", "their-run").out
    assert "foreign: csv training.log" in text
    assert "T25 not known; by running accuracy" in " ".join(text.split()), "no such curve is in that file"

    compared = json.loads(run("compare", own, "their-run", "--json").out)
    assert [group["states"] for group in compared["groups"]] == [["finished"], ["foreign"]]
    assert compared["differing"] == []
    assert compared["groups"][1]["cells"]["max_test"]["mean"] == 0.4
    assert [group["seeds"] for group in compared["groups"]] == [[0], []]
    assert [group["cells"]["t25"]["runs"][0]["seed"] for group in compared["groups"]] == [0, None]
    rows = [line.split() for line in run("compare", own, "their-run").out.splitlines()]
    assert ["seeds", "0", "not", "known"] in rows
    assert next(row for row in rows if row[:1] == ["T25"])[-1] == MISSING

    report = run("report", "--format", "json")
    assert ("their-run" in report.out, "their-run" in report.err) == (False, True)
    assert "their-run" not in run("report", "baseline", "--format", "json").out
    assert [one["id"] for one in json.loads(run("verify", "--json").out)["runs"]] == [own]
    assert run("resume", "their-run").code == 2
    with pytest.raises(StoreError):
        local.start(store, "their-run")
    assert run("run", "--extend", "their-run", "--epochs", "9").code == 2
    lines = run("export", "their-run").out.splitlines()
    assert lines[1].split(",")[2] == ""
    assert json.loads(run("export", "their-run", "--format", "json").out)["runs"][0]["epochs"]["test_accuracy"] == [
        0.3,
        0.4,
        None,
    ]
    (again,) = read_csv(write(tmp_path / "again.csv", run("export", own).out), {})
    assert again.name == own
    assert [row["train_loss"] for row in again.rows] == list(load(store, own)[0].epochs["train_loss"])


def test_what_import_is_given_is_one_thing(run: Run, tmp_path: Path) -> None:
    path = str(write(tmp_path / "x.csv", KERAS))
    for words in ((), ("--csv", path, path), (path, "--label", "x"), ("--csv", path, "--column", "nothing")):
        assert run("import", *words).code == 2, words
    assert run("import", "--tensorboard", str(tmp_path / "none")).code == 3
    assert run("import", "--csv", "/dev/null").code == 3


def test_what_holds_no_history_is_told_what_was_looked_for_and_what_to_do(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "tables"
    folder.mkdir()
    table = str(write(folder / "x.csv", KERAS))
    header = str(write(tmp_path / "header.csv", "epoch,loss,acc\n"))
    other = str(write(tmp_path / "other.csv", "epoch,foo\n1,2\n"))
    for words, said in (
        (("--tensorboard", str(folder)), "such a file has tfevents in its name. --csv FILE reads a table"),
        (("--csv", str(folder)), "this is a folder; name one table in it."),
        ((str(folder),), "this is a folder, not an archive that `export --archive` packed; `import --tensorboard DIR`"),
        ((table,), "this is a table, not an archive that `export --archive` packed;"),
        ((str(tmp_path / "none.csv"),), "none.csv: there is no such file."),
        (("--csv", header), "it names columns (epoch, loss, acc) and has no line below; a table has a line"),
        (("--csv", str(write(tmp_path / "empty.csv", "\n"))), "it is empty; a table has a line"),
        (("--csv", other), "known here, as loss, val_accuracy and test/loss are (foo: not known; --column OURS=THEIRS"),
    ):
        found = run("import", *words)
        assert (found.code, said in found.err) == (3, True), found.err


def test_names_in_a_foreign_record_never_reach_the_terminal_as_they_are(run: Run, store: Store) -> None:
    hostile = "\x1b]0;x\x07[bold]\u202e"
    folder = store.root / "x"
    folder.mkdir(parents=True)
    foreign = {"format": hostile, "source": hostile, "columns": {hostile: hostile}, "sha256": ""}
    extends = {"runs": [hostile], "epochs": 3, "checkpoint": hostile}
    record = {"v": 1, "id": "x", "created": 1, "config": {}, "foreign": foreign, "extends": extends}
    (folder / "run.json").write_text(json.dumps(record))
    for words in (("show", "x"), ("runs",), ("verify", "x"), ("report", "x"), ("resume", "x")):
        result = run(*words)
        assert not {"\x1b", "\x07", "\u202e"} & set(result.out + result.err), words
    history, state = load(store, "x")
    row = run_row(history, state, Notes(), Name("x", "x"))
    assert not {"\x1b", "\x07", "\u202e"} & set(row.foreign + row.extends)
