"""Data sets by name: prepared, added, opened, damaged and removed."""

import errno
import hashlib
import io
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from image_sets import picture, refusal, small_set, write_folder, write_tar
from PIL import Image

from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.datasets import cache as pixel_cache
from alexnet_tui.datasets import catalog as data_catalog
from alexnet_tui.datasets import images, synthetic
from alexnet_tui.datasets.prepare import add_dataset, load_dataset, remove_dataset
from alexnet_tui.errors import DatasetError, TooFewImagesError
from alexnet_tui.paths import data_root

REAL = Path(os.environ.get("ALEXNET_TUI_TEST_DATA", Path(__file__).parents[3] / "shared" / "data"))


def pixels_of(content: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(content)) as image:
        return np.asarray(image.convert("RGB")).transpose(2, 0, 1)


# Sources and what is read from them


def test_a_folder_gives_its_pixels_and_labels_in_the_order_of_names(tmp_path: Path) -> None:
    files = small_set()
    info = add_dataset(write_folder(tmp_path / "pets", files), "pets")
    assert (info.kind, info.state) == ("folder", "ready")
    assert (info.num_train, info.num_test, info.num_classes) == (6, 4, 2)

    opened = load_dataset("pets", 32)
    assert opened.class_names == ("cat", "dog")
    assert opened.image_size == 8
    assert opened.sha256 == info.sha256
    for split, share in (("train", opened.train), ("test", opened.test)):
        names = sorted(name for name in files if name.startswith(split))
        assert share.images.dtype == np.uint8
        assert share.labels.dtype == np.int64
        assert np.array_equal(share.images, np.stack([pixels_of(files[name]) for name in names]))
        assert share.labels.tolist() == [int("dog" in name) for name in names]
    assert not opened.train.images.flags.writeable
    fractions = np.asarray(opened.train.images, dtype=np.float64) / 255
    assert opened.mean == pytest.approx(fractions.mean(axis=(0, 2, 3)))
    assert opened.std == pytest.approx(fractions.std(axis=(0, 2, 3)))


def test_content_hash_ignores_order_time_compression_and_top_folder(tmp_path: Path) -> None:
    files = small_set()
    backwards = dict(reversed(files.items()))
    below = {f"./top/{name}": content for name, content in files.items()}
    sources = [
        write_folder(tmp_path / "folder", files),
        write_tar(tmp_path / "a.tar", files),
        write_tar(tmp_path / "b.tar.gz", backwards, mtime=10**9),
        write_tar(tmp_path / "c.tar.xz", below),
        write_tar(tmp_path / "d.tar.bz2", files),
    ]
    found = {add_dataset(path, f"set{number}").sha256 for number, path in enumerate(sources)}
    assert len(found) == 1
    changed = {**files, "train/cat/0.png": picture(99)}
    assert add_dataset(write_tar(tmp_path / "e.tar", changed), "other").sha256 not in found
    renamed = {("train/cat/9.png" if name == "train/cat/0.png" else name): data for name, data in files.items()}
    assert add_dataset(write_tar(tmp_path / "f.tar", renamed), "third").sha256 not in found


def test_val_serves_as_test_and_yields_to_it(tmp_path: Path) -> None:
    files = {name.replace("test/", "val/"): content for name, content in small_set().items()}
    assert add_dataset(write_folder(tmp_path / "a", files), "a").num_test == 4
    both = {**files, **small_set(num_test=1)}
    info = add_dataset(write_folder(tmp_path / "b", both), "b")
    assert (info.num_test, info.num_ignored) == (2, 4)
    assert "the images of val are the test images" in data_catalog.find("a").notes


@pytest.mark.parametrize(("input_size", "stored"), [(32, 32), (227, 256)])
def test_other_shapes_are_scaled_by_the_shorter_side_and_cut_in_the_middle(
    tmp_path: Path, input_size: int, stored: int
) -> None:
    # Red, green, blue from left to right: the central square of a 3:1 image is the green one.
    wide = Image.new("RGB", (300, 100), (255, 0, 0))
    wide.paste((0, 255, 0), (100, 0, 200, 100))
    wide.paste((0, 0, 255), (200, 0, 300, 100))
    buffer = io.BytesIO()
    wide.save(buffer, "PNG")
    files = {**small_set((40, 30)), "train/cat/0.png": buffer.getvalue()}
    add_dataset(write_folder(tmp_path / "pets", files), "pets", input_size=input_size)
    opened = load_dataset("pets", input_size)
    assert opened.image_size == stored
    middle = opened.train.images[0]
    assert middle.shape == (3, stored, stored)
    # The filter blends the outermost pixels with what was cut off.
    inner = middle[:, 4:-4, 4:-4]
    assert (inner[1] == 255).all()
    assert (inner[[0, 2]] == 0).all()


@pytest.mark.parametrize(
    ("side", "stored"),
    [(8, {32: 8, 227: 8}), (33, {32: 32, 227: 33}), (256, {32: 32, 227: 256}), (257, {32: 32, 227: 256})],
)
def test_squares_are_never_larger_than_what_other_shapes_are_scaled_to(
    tmp_path: Path, side: int, stored: dict[int, int]
) -> None:
    add_dataset(write_folder(tmp_path / "pets", small_set((side, side))), "pets")
    assert {size: load_dataset("pets", size).image_size for size in stored} == stored


def test_a_set_of_which_an_older_version_cut_the_centre_out_is_another_one(tmp_path: Path) -> None:
    source = write_folder(tmp_path / "pets", small_set((64, 64)))
    plain = hashlib.sha256()
    for path in sorted(path.relative_to(source) for path in source.rglob("*.png")):
        plain.update(str(path).encode() + b"\0" + hashlib.sha256((source / path).read_bytes()).digest())
    older = {"kind": "folder", "path": str(source), "added": 0, "sha256": plain.hexdigest(), "native_size": 64}
    record = data_root() / "pets" / "source.json"
    record.parent.mkdir(parents=True)
    record.write_bytes(msgspec.json.encode({"v": 2, "num_train": 4, "num_test": 4, "num_classes": 2, **older}))
    with pytest.raises(DatasetError, match=r"an older version read them otherwise.*data remove pets"):
        load_dataset("pets", 32)


def test_each_input_size_of_mixed_images_gets_its_own_cache(tmp_path: Path) -> None:
    add_dataset(write_folder(tmp_path / "pets", small_set((40, 30))), "pets")
    assert data_catalog.is_prepared("pets", 32)
    assert not data_catalog.is_prepared("pets", 227)
    assert load_dataset("pets", 227).image_size == 256
    assert data_catalog.is_prepared("pets", 227)


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "P", "1", "CMYK", "I;16"])
def test_every_colour_mode_becomes_rgb(mode: str) -> None:
    buffer = io.BytesIO()
    if mode == "I;16":
        Image.fromarray(np.full((8, 8), 200 * 257, dtype=np.uint16)).save(buffer, "PNG")
    else:
        Image.new("RGB", (8, 8), (200, 200, 200)).convert(mode).save(buffer, "JPEG" if mode == "CMYK" else "PNG")
    got = images.decode_image(buffer.getvalue(), 8)
    assert got.shape == (3, 8, 8)
    assert got.dtype == np.uint8
    assert (abs(got.astype(int) - (255 if mode == "1" else 200)).max() < 10) or mode in {"1", "P"}
    assert abs(got.mean() - 200) < 60


def test_greyscale_sixteen_bit_keeps_its_brightness() -> None:
    buffer = io.BytesIO()
    Image.fromarray(np.full((8, 8), 51_200, dtype=np.uint16)).save(buffer, "PNG")
    assert (images.decode_image(buffer.getvalue(), 8) == 200).all()


# The cache


def test_fault_26_a_changed_pixel_is_found_at_load_and_both_hashes_are_named(tmp_path: Path) -> None:
    add_dataset(write_folder(tmp_path / "pets", small_set()), "pets")
    file = next(data_root().glob("pets/*/test-images.npy"))
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    manifest = msgspec.json.decode((file.parent / "manifest.json").read_bytes(), type=pixel_cache.Manifest)
    with pytest.raises(DatasetError) as caught:
        load_dataset("pets", 32)
    assert manifest.files["test-images.npy"].sha256 in str(caught.value)
    assert hashlib.sha256(content).hexdigest() in str(caught.value)


def test_ready_is_said_after_a_look_at_the_files(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "pets", small_set())
    add_dataset(folder, "pets")
    for name, content in (("test-images.npy", b"short"), ("train-labels.npy", None), ("manifest.json", b"{")):
        file = next(data_root().glob(f"pets/*/{name}"))
        if content is None:
            file.unlink()
        else:
            file.write_bytes(content)
        assert not data_catalog.is_prepared("pets", 32)
        assert data_catalog.find("pets").state == "prepare"
        assert len(load_dataset("pets", 32).train.images) == 6  # It is made again.
        assert data_catalog.find("pets").state == "ready"


def test_fault_24_newer_records_and_caches_are_named_and_not_read(tmp_path: Path) -> None:
    add_dataset(write_folder(tmp_path / "pets", small_set()), "pets")
    manifest = next(data_root().glob("pets/*/manifest.json"))
    source = data_root() / "pets" / "source.json"
    for file in (manifest, source):
        content, version = file.read_bytes(), b'"v":%d' % pixel_cache.CACHE_VERSION
        file.write_bytes(content.replace(version, b'"v":99'))
        for act in (lambda: load_dataset("pets", 32), lambda: add_dataset(tmp_path / "pets", "pets")):
            with pytest.raises(DatasetError, match="made by a newer version of alexnet-tui"):
                act()
        assert b'"v":99' in file.read_bytes()
        file.write_bytes(content.replace(version, b'"v":1'))
        assert len(load_dataset("pets", 32).train.images) == 6
        file.write_bytes(content)
    source.write_bytes(b'{"v":99}')
    assert [info.state for info in data_catalog.catalog() if info.name == "pets"] == ["newer"]


def test_a_dead_builders_leavings_are_never_chosen_and_cleared(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "pets", small_set())
    add_dataset(folder, "pets")
    cache = next(data_root().glob("pets/*-8"))
    leftover = cache.with_name(".tmp-1-dead")
    shutil.copytree(cache, leftover)
    shutil.rmtree(cache)
    assert not data_catalog.is_prepared("pets", 32)
    assert [info.state for info in data_catalog.catalog() if info.name == "pets"] == ["prepare"]
    assert len(load_dataset("pets", 32).train.images) == 6
    assert not leftover.exists()


def test_fault_06_too_little_space_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=100))
    assert "100 B free" in refusal(write_folder(tmp_path / "pets", small_set()))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_disk_that_fills_while_writing_is_a_sentence(tmp_path: Path) -> None:
    final = tmp_path / "data" / "pets" / "x"
    with (
        pytest.raises(DatasetError, match="no room left"),
        pixel_cache.building("pets", final, 0),
        open("/dev/full", "wb") as full,
    ):
        full.write(b"x")
    assert list(final.parent.iterdir()) == []


def test_fault_29_a_data_folder_that_cannot_be_made_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ALEXNET_TUI_DATA", str(tmp_path / "file" / "below"))
    with pytest.raises(DatasetError, match="cannot be written"):
        load_dataset("synthetic", 32)


@pytest.mark.parametrize("code", [errno.EROFS, errno.EACCES, errno.ENOSPC])
def test_fault_29_a_data_folder_where_nothing_can_be_made_is_told_with_where_else_to_put_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    system_open = os.open

    def refusing(path: Any, flags: int, *rest: Any, **more: Any) -> int:
        if flags & os.O_CREAT:
            raise OSError(code, os.strerror(code), path)
        return system_open(path, flags, *rest, **more)

    monkeypatch.setattr(os, "open", refusing)
    with pytest.raises(DatasetError, match=f"{tmp_path / 'data'} .*ALEXNET_TUI_DATA"):
        load_dataset("synthetic", 32)


@pytest.mark.slow
def test_four_processes_may_prepare_the_same_set_at_once(tmp_path: Path) -> None:
    add_dataset(write_folder(tmp_path / "pets", small_set()), "pets")
    shutil.rmtree(next(data_root().glob("pets/*-8")))
    code = "from alexnet_tui.datasets.prepare import load_dataset; print(len(load_dataset('pets', 32).train.images))"
    command = [sys.executable, "-c", code]
    workers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    assert [worker.communicate(timeout=60)[0].strip() for worker in workers] == ["6"] * 4
    assert len(list(data_root().glob("pets/*-8"))) == 1


def test_an_interrupted_add_leaves_nothing(tmp_path: Path) -> None:
    def interrupt(progress: pixel_cache.Progress) -> None:
        raise KeyboardInterrupt

    folder = write_folder(tmp_path / "pets", small_set())
    with pytest.raises(KeyboardInterrupt):
        add_dataset(folder, "pets", interrupt)
    assert list(data_root().iterdir()) == []
    assert add_dataset(folder, "pets").num_train == 6


# Names


def test_a_source_that_changed_or_went_away_is_noticed(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "pets", small_set((40, 30)))
    add_dataset(folder, "pets")
    (folder / "train/cat/0.png").write_bytes(picture(77, (40, 30)))
    with pytest.raises(DatasetError, match="holds other images than were added"):
        load_dataset("pets", 227)
    with pytest.raises(DatasetError, match="holds other images"):
        add_dataset(folder, "pets")
    shutil.rmtree(folder)
    assert len(load_dataset("pets", 32).train.images) == 6
    with pytest.raises(DatasetError, match="does not exist"):
        load_dataset("pets", 227)


def test_adding_the_same_content_again_is_no_error(tmp_path: Path) -> None:
    first = add_dataset(write_folder(tmp_path / "pets", small_set()), "pets")
    again = add_dataset(write_tar(tmp_path / "pets.tar", small_set()), "pets")
    assert again.sha256 == first.sha256
    assert again.source == str(tmp_path / "pets.tar")


@pytest.mark.parametrize("name", ["synthetic", "cifar10", "cifar100", "downloads"])
def test_names_of_the_program_cannot_be_given(tmp_path: Path, name: str) -> None:
    with pytest.raises(DatasetError, match="taken by alexnet-tui itself"):
        add_dataset(write_folder(tmp_path / "pets", small_set()), name)


@pytest.mark.parametrize("name", ["", "../x", "-rf", "A", "a b", "x" * 65, "a\n", "\x1b[2J"])
def test_what_is_no_name_is_refused_everywhere(tmp_path: Path, name: str) -> None:
    folder = write_folder(tmp_path / "pets", small_set())
    for act in (
        lambda: add_dataset(folder, name),
        lambda: load_dataset(name, 32),
        lambda: remove_dataset(name),
    ):
        with pytest.raises(DatasetError) as caught:
            act()
        assert "\x1b" not in str(caught.value)
    assert not data_catalog.is_prepared(name, 32)


def test_an_unknown_name_gets_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="did you mean synthetic"):
        load_dataset("sinthetic", 32)


def test_remove_forgets_the_set_and_keeps_the_source(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "pets", small_set())
    add_dataset(folder, "pets")
    remove_dataset("pets")
    assert not (data_root() / "pets").exists()
    assert len(list(folder.rglob("*.png"))) == 10
    with pytest.raises(DatasetError, match="none of that name"):
        remove_dataset("pets")


# Built-in sets


def test_synthetic_is_the_same_everywhere_and_balanced(prepared_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALEXNET_TUI_DATA", str(prepared_data))
    opened = load_dataset("synthetic", 32)
    assert opened.train.images.shape == (10_000, 3, 32, 32)
    assert opened.test.images.shape == (2_000, 3, 32, 32)
    assert opened.class_names == synthetic.CLASS_NAMES
    assert np.bincount(opened.test.labels).tolist() == [200] * 10
    again, labels = synthetic.draw("test", 2_000)
    assert np.array_equal(again, opened.test.images)
    assert np.array_equal(labels, opened.test.labels)
    # Training labels are wrong now and then, test labels never; no test image is a training image.
    counts = np.bincount(opened.train.labels)
    assert counts.tolist() != [1000] * 10
    assert all(900 < count < 1100 for count in counts)
    train = {row.tobytes() for row in np.asarray(opened.train.images)}
    assert not any(row.tobytes() in train for row in np.asarray(opened.test.images))
    assert min(opened.std) > 0.1


def test_the_catalogue_is_cheap_and_loads_neither_numpy_nor_pillow(tmp_path: Path) -> None:
    code = "import sys; from alexnet_tui.datasets import catalog as data_catalog;"
    code += "data_catalog.catalog(); data_catalog.is_prepared('cifar10', 32);"
    code += "print([name for name in ('numpy', 'PIL', 'torch', 'torchvision', 'rich') if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert result.stdout.strip() == "[]"


def test_more_training_images_than_are_on_record_are_refused() -> None:
    root = data_root()
    small = data_catalog.Source(
        kind="folder", added=0, sha256="0" * 64, num_train=250, num_test=10, num_classes=2, native_size=32
    )
    data_catalog.write_source(root, "mine", small)
    (root / "newer").mkdir()
    (root / "newer" / "source.json").write_text('{"v": 99}')
    most = {
        ("mine", "paper"): (250, "250 training images;"),
        ("mine", "holdout"): (225, "250 training images, 25 of them held out;"),
        ("synthetic", "paper"): (10_000, "10,000 training images;"),
        ("synthetic", "holdout"): (9_000, "10,000 training images, 1,000 of them held out;"),
        ("cifar10", "holdout"): (45_000, "50,000 training images, 5,000 of them held out;"),
    }
    for (name, split), (count, what_it_has) in most.items():
        enough = RunConfig(data=name, split=split, train_images=count)
        data_catalog.check_num_images(enough)
        data_catalog.check_num_images(msgspec.structs.replace(enough, train_images=0))
        with pytest.raises(TooFewImagesError, match=f"has {what_it_has} --train-images asks for {count + 1:,}"):
            data_catalog.check_num_images(msgspec.structs.replace(enough, train_images=count + 1))
    for unknown in ("nothing", "newer"):
        data_catalog.check_num_images(RunConfig(data=unknown, train_images=10**8))


def test_states_of_the_built_in_sets(prepared_data: Path) -> None:
    def states() -> dict[str, str]:
        return {info.name: info.state for info in data_catalog.catalog()}

    assert states() == {"synthetic": "prepare", "cifar10": "download", "cifar100": "download"}
    downloads = data_root() / "downloads"
    write_folder(downloads, {"cifar-10-python.tar.gz": b"x", "cifar-100-python/train": b"x"})
    shutil.copytree(prepared_data / "synthetic", data_root() / "synthetic")
    assert states() == {"synthetic": "ready", "cifar10": "prepare", "cifar100": "download"}, "half is not here"
    write_folder(downloads, {"cifar-100-python/test": b"x", "cifar-100-python/meta": b"x"})
    assert states()["cifar100"] == "prepare"


def test_attack_07_a_tampered_cifar_archive_is_refused_before_anything_parses_it() -> None:
    write_folder(data_root() / "downloads", {"cifar-10-python.tar.gz": b"evil"})
    with pytest.raises(DatasetError) as caught:
        load_dataset("cifar10", 32)
    assert "c58f30108f718f92721af3b95e74349a" in str(caught.value)
    assert hashlib.md5(b"evil").hexdigest() in str(caught.value)


# The real thing


@pytest.mark.real_data
@pytest.mark.skipif(not (REAL / "imagenet-sample.tar").is_file(), reason=f"no imagenet-sample.tar in {REAL}")
def test_the_imagenet_sample() -> None:
    info = add_dataset(REAL / "imagenet-sample.tar", "imagenet-sample", input_size=227)
    assert (info.num_train, info.num_test, info.num_classes, info.num_skipped) == (100, 100, 100, 0)
    assert info.sha256 == "f153a3b8ef9a7ce998cc685f0ca8a3f37327b86fad2ec1fad8a96011cf5cc48b"
    opened = load_dataset("imagenet-sample", 227)
    assert opened.train.images.shape == (100, 3, 256, 256)
    assert opened.mean == pytest.approx((0.48, 0.45, 0.40), abs=0.03)


@pytest.mark.slow
@pytest.mark.real_data
@pytest.mark.skipif(not (REAL / "cifar10-jpeg.tar.gz").is_file(), reason=f"no cifar10-jpeg.tar.gz in {REAL}")
def test_cifar10_as_images() -> None:
    info = add_dataset(REAL / "cifar10-jpeg.tar.gz", "cifar10-jpeg")
    assert (info.num_train, info.num_test, info.num_classes) == (50_000, 10_000, 10)
    assert info.sha256 == "8f2f77ec36d282d215026ab23dfdfecf0f900826092b4f7a8bbc11763bf6a69e"
    opened = load_dataset("cifar10-jpeg", 227)
    assert opened.image_size == 32
    assert np.bincount(opened.train.labels).tolist() == [5000] * 10
    assert opened.mean == pytest.approx((0.4914, 0.4822, 0.4465), abs=0.001)
    assert opened.std == pytest.approx((0.247, 0.2435, 0.2616), abs=0.004)


def test_a_cache_that_vanishes_while_it_is_listed_counts_nothing(tmp_path: Path) -> None:
    assert data_catalog._size_bytes(tmp_path / "gone") == 0
