"""Predictions of a run: read safely, counted rightly, drawn as they are."""

import contextlib
import io
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_runs import write_run
from PIL import Image

from alexnet_tui.cli.app import call
from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.errors import StoreError, UsageError
from alexnet_tui.report.pictures import pixels, predictions
from alexnet_tui.report.pictures.kernels import read_kernels, stored_epochs
from alexnet_tui.report.pictures.predictions import Predictions, read_predictions
from alexnet_tui.runs.run_files import KERNELS, PREDICTIONS_FILE, kernels_file
from alexnet_tui.runs.store import Store


def arrays() -> dict[str, np.ndarray]:
    """Six images of three classes: four right, and the last two mistaken with 0.9 and 0.6."""
    classes = np.array([[0, 1], [0, 2], [1, 0], [2, 1], [2, 0], [1, 2]], np.int32)
    probabilities = np.array([[0.8, 0.1], [0.7, 0.2], [0.6, 0.3], [0.9, 0.05], [0.9, 0.1], [0.6, 0.4]], np.float16)
    kernels = np.random.default_rng(0).normal(size=(4, 3, 5, 5)).astype(np.float32)
    labels = np.array([0, 0, 1, 2, 1, 2], np.int32)
    return {"top_classes": classes, "top_probabilities": probabilities, "labels": labels, "conv1_filters": kernels}


def write(folder: Path, **changes: np.ndarray) -> None:
    np.savez_compressed(folder / PREDICTIONS_FILE, **{**arrays(), **changes})  # type: ignore[arg-type]


def read(folder: Path) -> Predictions:
    found = read_predictions(folder)
    assert found is not None
    return found


def test_the_matrix_counts_every_image_and_the_surest_mistake_is_first(tmp_path: Path) -> None:
    assert read_predictions(tmp_path) is None
    write(tmp_path)
    found = read(tmp_path)
    assert found.confusion().tolist() == [[2, 0, 0], [0, 1, 1], [0, 1, 1]]
    assert found.worst(5).tolist() == [4, 5]
    np.testing.assert_array_equal(found.kernels, arrays()["conv1_filters"])


def archive(**entries: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in entries.items():
            file.writestr(f"{name}.npy", content)
    return buffer.getvalue()


def npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=True)
    return buffer.getvalue()


def with_entry(**entries: bytes) -> bytes:
    return archive(**{**{name: npy(array) for name, array in arrays().items()}, **entries})


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "no predictions"),
        (b"PK\x03\x04 nothing", "no predictions"),
        (with_entry()[:-40], "no predictions"),
        (archive(labels=npy(arrays()["labels"])), "top_classes is missing"),
        (with_entry(labels=npy(np.array([{}], object))), "no plain array"),
        (with_entry(labels=b"\x93NUMPY\x01\x00\xff\xff{}"), "no predictions"),
        (with_entry(labels=b"\x93NUMPY\x09\x00"), "no predictions"),
        (with_entry(labels=npy(arrays()["labels"])[:-1]), "not the size it says"),
        (with_entry(labels=npy(arrays()["labels"].astype(np.float32))), "labels is not what it should be"),
        (with_entry(labels=npy(np.zeros(0, np.int32))), "no image"),
        (with_entry(labels=npy(np.zeros(5, np.int32))), "do not fit"),
        (with_entry(labels=npy(-arrays()["labels"])), "class is out of range"),
        (with_entry(top_classes=npy(arrays()["top_classes"] + 1_000_000)), "class is out of range"),
        (with_entry(top_probabilities=npy(arrays()["top_probabilities"] * 3)), "probability is out of range"),
        (with_entry(conv1_filters=npy(np.full((4, 3, 5, 5), np.nan, np.float32))), "not finite"),
        (with_entry(conv1_filters=npy(np.zeros((4, 1, 5, 5), np.float32))), "no shape of kernels"),
        (with_entry(conv1_filters=npy(np.zeros((1, 3, 500, 5), np.float32))), "no shape of kernels"),
    ],
)
def test_what_holds_no_predictions_is_a_sentence(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / PREDICTIONS_FILE).write_bytes(content)
    with pytest.raises(StoreError, match=reason):
        read_predictions(tmp_path)


def test_sizes_are_checked_before_anything_is_allocated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    header = b"{'descr': '<i4', 'fortran_order': False, 'shape': (999999999999999,), }"
    header += b" " * (117 - len(header)) + b"\n"
    promise = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
    (tmp_path / PREDICTIONS_FILE).write_bytes(with_entry(labels=promise))
    with pytest.raises(StoreError, match="not the size it says"):
        read_predictions(tmp_path)
    monkeypatch.setattr(predictions, "MAX_BYTES", 4096)
    (tmp_path / PREDICTIONS_FILE).write_bytes(with_entry(labels=npy(np.zeros(10_000, np.int32))))
    with pytest.raises(StoreError, match="larger than"):
        read_predictions(tmp_path)


def test_attack_09_an_archive_of_many_names_is_refused_before_it_is_listed(tmp_path: Path) -> None:
    many, whole = archive(**{f"a{number}": b"" for number in range(1400)}), with_entry()
    for content in (many, whole[:-22] + b"PK\x06\x07" + bytes(16) + whole[-22:], whole + b"\0", whole[-22:][:21]):
        (tmp_path / PREDICTIONS_FILE).write_bytes(content)
        with pytest.raises(StoreError, match=r"directory|too short"):
            read_predictions(tmp_path)


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    write(tmp_path)
    (tmp_path / "run" / PREDICTIONS_FILE).symlink_to(tmp_path / PREDICTIONS_FILE)
    with pytest.raises(StoreError):
        read_predictions(tmp_path / "run")


def store_kernels(run: Path, epoch: int, **changes: np.ndarray) -> None:
    (run / KERNELS).mkdir(exist_ok=True)
    steps = np.arange(-54, 54, dtype=np.int8).reshape(4, 3, 3, 3)
    found = {"kernels": steps, "scale": np.full(4, 0.5, np.float32), **changes}
    np.savez(run / KERNELS / kernels_file(epoch), **found)  # type: ignore[arg-type]


def test_stored_kernels_are_steps_times_their_scale(tmp_path: Path) -> None:
    assert stored_epochs(tmp_path) == []
    assert read_kernels(tmp_path, 3) is None
    for epoch in (12, 3):
        store_kernels(tmp_path, epoch)
    for other in ("e0003.npz.tmp", "e00004.npz", "x"):
        (tmp_path / KERNELS / other).write_bytes(b"")
    assert stored_epochs(tmp_path) == [3, 12]
    found = read_kernels(tmp_path, 3)
    assert found is not None
    assert (found[0, 0, 0].tolist(), found[3, 2, 2].tolist()) == ([-27.0, -26.5, -26.0], [25.5, 26.0, 26.5])


def test_what_holds_no_kernels_is_a_sentence(tmp_path: Path) -> None:
    hostile: list[dict[str, np.ndarray]] = [
        {"scale": np.full(4, np.inf, np.float32)},
        {"scale": np.full(3, 1, np.float32)},
        {"kernels": np.full((4, 3, 3, 3), -128, np.int8)},
        {"kernels": np.zeros((4, 3, 3, 3), np.float32)},
        {"kernels": np.zeros((4, 1, 3, 3), np.int8)},
        {"kernels": np.zeros((4, 3, 65, 1), np.int8)},
        {"kernels": np.array([[[[{}]]]], object)},
    ]
    for changes in hostile:
        store_kernels(tmp_path, 1, **changes)
        with pytest.raises(StoreError, match="holds no kernels"):
            read_kernels(tmp_path, 1)
    path = tmp_path / KERNELS / kernels_file(1)
    path.unlink()
    path.symlink_to("/etc/passwd")
    with pytest.raises(StoreError, match="link"):
        read_kernels(tmp_path, 1)
    (tmp_path / KERNELS).rename(tmp_path / "moved")
    (tmp_path / KERNELS).symlink_to("moved")
    for read_any in (stored_epochs, lambda run: read_kernels(run, 1)):
        with pytest.raises(StoreError, match="link"):
            read_any(tmp_path)


def test_kernels_are_grey_at_zero_and_reach_the_ends_of_the_scale() -> None:
    kernels = np.zeros((2, 3, 1, 2))
    kernels[0, :, 0, 0], kernels[0, 0, 0, 1] = 2.0, -2.0
    first, second = pixels.kernel_tiles(kernels)
    assert first.tolist() == [[[255, 255, 255], [0, 128, 128]]]
    assert second.tolist() == [[[128] * 3, [128] * 3]]


def test_tiles_are_a_pixel_apart_and_every_pixel_is_half_a_cell() -> None:
    tiles = [np.full((2, 2, 3), value, np.uint8) for value in (10, 20, 30)]
    picture = pixels.sheet(tiles, 2)
    first, second = [10, 10, 0, 20, 20], [30, 30, 0, 0, 0]
    assert picture[..., 0].tolist() == [first, first, [0] * 5, second, second]
    lines = pixels.half_blocks(picture)
    assert [len(line) for line in lines] == [5, 5, 5]
    assert lines[1][0] == ((0, 0, 0), (30, 30, 30))
    assert lines[2][0] == ((30, 30, 30), (0, 0, 0))


@pytest.mark.parametrize("height", [3, 4, 11])
def test_rows_of_tiles_are_a_blank_line_apart(height: int) -> None:
    tiles = [np.full((height, 2, 3), 255, np.uint8)] * 3
    lines = pixels.shades(pixels.sheet(tiles, 1, pixels.blank_line_gap(height)))
    num_lines = -(-height // 2)
    assert [bool(line) for line in lines[: 2 * num_lines + 2]] == ([True] * num_lines + [False]) * 2


def test_a_png_holds_the_pixels() -> None:
    picture = np.random.default_rng(1).integers(0, 256, (7, 9, 3), np.uint8)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(pixels.png(picture)))), picture)


@pytest.fixture
def run_id(store: Store) -> str:
    record = write_run(store, RunConfig(epochs=6, data="no-such-data"))
    write(store.path(record.id))
    return record.id


def test_the_command_draws_kernels_and_matrix_and_writes_pngs(
    store: Store, run_id: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def printed(*options: str) -> str:
        assert call(["pictures", run_id, *options, "--runs-dir", str(store.root)]) == 0
        return capsys.readouterr().out

    head, scale, *rows = printed().splitlines()
    assert head == f"run {run_id} after epoch 6: 4 kernels of 5x5 pixels"
    assert len(rows) == 2  # Five rows of pixels; a row without a partner is left out.
    largest = np.abs(arrays()["conv1_filters"]).max(axis=(1, 2, 3))
    assert re.findall(r"\d\.\d+", scale) == [f"{largest.min():.2g}", f"{largest.max():.2g}"]
    lines = printed("--confusion").splitlines()
    assert [line.split()[-3:] for line in lines[1:4]] == [["2", ".", "."], [".", "1", "1"], [".", "1", "1"]]
    assert lines[4] == "class1 taken for class2: 1"
    for epoch in (0, 2):
        store_kernels(store.path(run_id), epoch)
    assert printed("--epoch", "2") == printed()
    assert printed("--epoch", "0").startswith(f"run {run_id} after epoch 0: ")
    with pytest.raises(StoreError, match="after epoch 1; there are those of epochs 0, 2"):
        printed("--epoch", "1")
    with pytest.raises(UsageError, match="--epoch goes with --kernels"):
        printed("--confusion", "--epoch", "2")
    sizes: dict[str, Any] = {}
    for kind in ("kernels", "confusion"):
        path = tmp_path / f"{kind}.png"
        printed(f"--{kind}", "-o", str(path))
        sizes[kind] = Image.open(path).size
    assert sizes == {"kernels": ((4 * 4 - 1) * 6, 3 * 6), "confusion": (72, 72)}
    with pytest.raises(UsageError, match="not here|no-such-data"):
        printed("--mistakes")
    with pytest.raises(UsageError, match="one picture"):
        printed("--mistakes", "--kernels")
    with pytest.raises(UsageError, match=r"\.png"):
        printed("-o", str(tmp_path / "x.gif"))


def test_why_a_run_has_no_predictions_depends_on_whether_it_has_finished(store: Store) -> None:
    finished = write_run(store, RunConfig(epochs=6)).id
    stopped = write_run(store, RunConfig(epochs=6, seed=1), epochs_done=2).id
    for run, reason in ((finished, "none is kept with this run"), (stopped, "it is written when a run finishes")):
        with pytest.raises(StoreError, match=reason):
            call(["pictures", run, "--confusion", "--runs-dir", str(store.root)])


def test_the_html_report_shows_them(store: Store, run_id: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["report", run_id, "--format", "html", "--runs-dir", str(store.root)]) == 0
    page = capsys.readouterr().out
    assert page.count('src="data:image/png;base64,') == 2
    assert "img-src data:" in page


def test_no_damage_of_the_archive_is_more_than_a_sentence(tmp_path: Path) -> None:
    random, whole = np.random.default_rng(2), bytearray(with_entry())
    for _ in range(300):
        content = whole.copy()
        for place in random.integers(0, len(content), 3).tolist():
            content[place] = int(random.integers(256))
        (tmp_path / PREDICTIONS_FILE).write_bytes(content)
        with contextlib.suppress(StoreError):  # Any other exception fails the test.
            read_predictions(tmp_path)
