"""The on-disk form of a decoded data set: four ``.npy`` files and a manifest, made whole or not at all.

A cache is written under a temporary name, fsynced and renamed, so a killed builder leaves nothing that is
ever opened. Rows are written with ``pwrite`` and not through a memory map: on a full disk a map ends the
process with SIGBUS where a write says what is wrong. numpy is imported inside functions: the console lists
data sets without it.
"""

import hashlib
import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from alexnet_tui.errors import DatasetError, StoreError
from alexnet_tui.files import FULL_DISK, read_small, reason_of, sync_directory, write_atomic
from alexnet_tui.json_io import UNDECODABLE, version_of
from alexnet_tui.text import format_bytes

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]
    Labels = NDArray[np.int64]

# 2: EXIF orientation is applied; WebP and BMP are read; what was left out is on record.
# 3: squares of 33 to 256 pixels are scaled to the input of a small network, which saw their centre alone before.
CACHE_VERSION = 3
MANIFEST_FILE = "manifest.json"
TEMPORARY_PREFIX = ".tmp-"
SPLITS = ("train", "test")
# Above this, reading every byte again at each start would cost more than it protects; sizes are checked.
_VERIFIED_BYTES = 8 << 30
_CHUNK_BYTES = 32 << 20
_NAMED = 100


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a long act is.

    Attributes:
        done: Finished units.
        total: All units, or 0 where that is not known yet.
        what: What is being done, for people: ``decoding``.
    """

    done: int
    total: int
    what: str


ProgressCallback = Callable[[Progress], None]


class Split(msgspec.Struct, frozen=True, kw_only=True):
    """The images and labels of one split.

    Attributes:
        images: uint8 of shape (N, 3, H, W), a read-only memory map.
        labels: int64 of shape (N,).
    """

    images: "Pixels"
    labels: "Labels"


class FileRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What a file of the cache must be to be trusted."""

    sha256: str
    size_bytes: int


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """``manifest.json``: what a cache holds, written last.

    Attributes:
        v: Version of the format.
        sha256: Content hash of the source.
        image_size: Side in pixels of the stored images.
        class_names: In the order of the labels.
        num_train: Training images.
        num_test: Test images.
        mean: Per channel, of the training images, as fractions of 255.
        std: The same for the standard deviation.
        skipped: The first unreadable images that were left out, by name.
        num_skipped: How many were left out.
        shared: The first test images whose pixels are those of a training image, with that one's name.
        num_shared: How many there are.
        files: Name of each file to its size and hash.
    """

    v: int = CACHE_VERSION
    sha256: str
    image_size: int
    class_names: list[str]
    num_train: int
    num_test: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    skipped: list[str] = []
    num_skipped: int = 0
    shared: list[str] = []
    num_shared: int = 0
    files: dict[str, FileRecord]


class PixelFile:
    """A ``.npy`` file of images that threads fill row by row, in any order."""

    def __init__(self, path: Path, num_images: int, image_size: int) -> None:
        from numpy.lib import format as npy

        header = {
            "descr": "|u1",
            "fortran_order": False,
            "shape": (num_images, 3, image_size, image_size),
        }
        with path.open("wb") as file:
            npy.write_array_header_1_0(file, header)
            self._start = file.tell()
        self._row_bytes = 3 * image_size * image_size
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        os.ftruncate(self._descriptor, self._start + num_images * self._row_bytes)

    def write(self, row: int, pixels: "Pixels") -> None:
        """Write images of shape (3, H, W) or (N, 3, H, W) from row `row` on."""
        view, offset = pixels.data.cast("B"), self._start + row * self._row_bytes
        while view:
            written = os.pwrite(self._descriptor, view, offset)
            view, offset = view[written:], offset + written

    def close(self) -> None:
        """Release the file; the content is synced when the cache is sealed."""
        os.close(self._descriptor)


@contextmanager
def building(name: str, final: Path, needed_bytes: int) -> Iterator[Path]:
    """A temporary folder that becomes `final` when the block ends well, and vanishes when it does not.

    The caller holds the data set's lock, so any other temporary folder beside it belongs to a dead builder.

    Raises:
        DatasetError: The disk is full or cannot be written.
    """
    parent = final.parent
    try:
        parent.mkdir(parents=True, exist_ok=True)
        for leftover in parent.glob(f"{TEMPORARY_PREFIX}*"):
            shutil.rmtree(leftover, ignore_errors=True)
        _check_space(name, parent, needed_bytes)
        temporary = parent / f"{TEMPORARY_PREFIX}{os.getpid()}-{secrets.token_hex(4)}"
        temporary.mkdir()
        try:
            yield temporary
            if final.exists():
                shutil.rmtree(final)
            temporary.rename(final)
            sync_directory(parent)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    except OSError as error:
        raise write_error(name, parent, error) from error


def write_error(name: str, place: Path, error: OSError) -> DatasetError:
    """The sentence for a failed write below the data folder."""
    if error.errno in FULL_DISK:
        return DatasetError(
            name,
            f"there is no room left in {place} ({reason_of(error)}). Free some space, or set ALEXNET_TUI_DATA to"
            " another disk.",
        )
    return DatasetError(
        name, f"{place} cannot be written ({reason_of(error)}). Set ALEXNET_TUI_DATA to a folder that can."
    )


def _check_space(name: str, parent: Path, needed_bytes: int) -> None:
    free = shutil.disk_usage(parent).free
    if needed_bytes > free:
        raise DatasetError(
            name,
            f"its pixels need {format_bytes(needed_bytes)} and {parent} has {format_bytes(free)} free."
            " Free some space, or set ALEXNET_TUI_DATA to another disk.",
        )


def write_split(directory: Path, split: str, images: "Pixels", labels: "Labels") -> None:
    """Write one split that is in memory: uint8 (N, 3, H, W) and int64 (N,)."""
    file = PixelFile(directory / f"{split}-images.npy", len(images), images.shape[2])
    try:
        for start in range(0, len(images), 4096):
            file.write(start, _contiguous(images[start : start + 4096]))
    finally:
        file.close()
    write_labels(directory, split, labels)


def write_labels(directory: Path, split: str, labels: "Labels") -> None:
    """Write the labels of one split."""
    import numpy as np

    np.save(directory / f"{split}-labels.npy", np.asarray(labels, dtype=np.int64), allow_pickle=False)


def drop_rows(directory: Path, split: str, rows: set[int]) -> None:
    """Rewrite a split without some of its rows."""
    import numpy as np

    if not rows:
        return
    path = directory / f"{split}-images.npy"
    images = np.load(path, mmap_mode="r")
    labels = np.load(directory / f"{split}-labels.npy")
    kept = [row for row in range(len(images)) if row not in rows]
    file = PixelFile(directory / "compact.npy", len(kept), images.shape[2])
    try:
        for place, row in enumerate(kept):
            file.write(place, _contiguous(images[row]))
    finally:
        file.close()
    (directory / "compact.npy").replace(path)
    write_labels(directory, split, labels[kept])


def write_manifest(
    directory: Path,
    sha256: str,
    class_names: tuple[str, ...],
    skipped: Sequence[str] = (),
    shared: Sequence[str] = (),
) -> Manifest:
    """Measure the written splits, write the manifest and push everything to the disk."""
    import numpy as np

    images = {split: np.load(directory / f"{split}-images.npy", mmap_mode="r") for split in SPLITS}
    mean, std = channel_moments(images["train"])
    files = {}
    for path in sorted(directory.iterdir()):
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            os.fsync(file.fileno())
        files[path.name] = FileRecord(sha256=digest, size_bytes=path.stat().st_size)
    manifest = Manifest(
        sha256=sha256,
        image_size=images["train"].shape[2],
        class_names=list(class_names),
        num_train=len(images["train"]),
        num_test=len(images["test"]),
        mean=mean,
        std=std,
        skipped=list(skipped[:_NAMED]),
        num_skipped=len(skipped),
        shared=list(shared[:_NAMED]),
        num_shared=len(shared),
        files=files,
    )
    write_atomic(directory / MANIFEST_FILE, msgspec.json.encode(manifest))
    return manifest


def is_cache(directory: Path) -> bool:
    """Whether a folder is a finished cache: its manifest can be read, and the files it lists have their sizes.

    A cache of a newer version counts; opening it says what it is.
    """
    try:
        manifest = _decode_manifest(read_small(directory / MANIFEST_FILE) or b"")
        if isinstance(manifest, int):
            return True
        return bool(manifest.files) and all(
            (directory / Path(name).name).stat().st_size == record.size_bytes for name, record in manifest.files.items()
        )
    except (OSError, ValueError, RecursionError, StoreError):
        return False


def read_manifest(name: str, directory: Path) -> Manifest:
    """The manifest of a finished cache.

    Raises:
        DatasetError: It is damaged, or made by a newer version.
    """
    try:
        manifest = _decode_manifest(read_small(directory / MANIFEST_FILE) or b"")
    except (*UNDECODABLE, StoreError) as error:
        raise _damaged(name, directory, str(error).rstrip(".")) from error
    if isinstance(manifest, int):
        raise newer_error(name, directory / MANIFEST_FILE, manifest)
    return manifest


def newer_error(name: str, path: Path, version: int) -> DatasetError:
    """The sentence for a file of a version that this program does not know."""
    return DatasetError(
        name,
        f"{path} was made by a newer version of alexnet-tui (format {version}, this one reads up to {CACHE_VERSION})."
        f" Update alexnet-tui, or delete {path.parent} and add the set again.",
    )


def _decode_manifest(content: bytes) -> Manifest | int:
    """A manifest, or the version of a newer one; raises one of `UNDECODABLE` where it is neither."""
    version = version_of(content)
    return version if version > CACHE_VERSION else msgspec.json.decode(content, type=Manifest)


def open_cache(name: str, directory: Path, wanted: Sequence[str] = SPLITS) -> tuple[Manifest, dict[str, Split]]:
    """Open a finished cache, all of it or the wanted splits, after checking every byte of them.

    Raises:
        DatasetError: A file is missing or is not what the manifest says.
    """
    import numpy as np

    manifest = read_manifest(name, directory)
    counts = {"train": manifest.num_train, "test": manifest.num_test}
    splits = {}
    try:
        for file_name, record in manifest.files.items():
            if any(file_name.startswith(f"{split}-") for split in wanted):
                _verify(name, directory, Path(file_name).name, record)
        for split in wanted:
            images = np.load(directory / f"{split}-images.npy", mmap_mode="r")
            labels = np.load(directory / f"{split}-labels.npy")
            side = manifest.image_size
            if images.shape != (counts[split], 3, side, side) or labels.shape != (counts[split],):
                raise _damaged(name, directory, f"{split} has the shape {images.shape}")
            splits[split] = Split(images=images, labels=labels)
    except (ValueError, EOFError) as error:
        raise _damaged(name, directory, str(error)) from error
    except OSError as error:
        raise _damaged(name, directory, reason_of(error)) from error
    return manifest, splits


def _damaged(name: str, directory: Path, what: str) -> DatasetError:
    advice = f"Delete that folder and run `alexnet-tui data prepare {name}`."
    return DatasetError(name, f"the cache {directory} is damaged: {what}. {advice}")


def _verify(name: str, directory: Path, file_name: str, record: FileRecord) -> None:
    size = (directory / file_name).stat().st_size
    if size != record.size_bytes:
        raise _damaged(name, directory, f"{file_name} has {size} bytes, the manifest says {record.size_bytes}")
    if size > _VERIFIED_BYTES:
        return
    with (directory / file_name).open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != record.sha256:
        raise _damaged(name, directory, f"{file_name} has the sha256 {found}, the manifest says {record.sha256}")


def hash_arrays(*arrays: "Pixels | Labels") -> str:
    """sha256 over the bytes of arrays, with their shapes."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(_contiguous(array).data.cast("B"))
    return digest.hexdigest()


def _contiguous(array: "NDArray[Any]") -> "NDArray[Any]":
    import numpy as np

    return np.ascontiguousarray(array)


def channel_moments(
    images: "Pixels",
) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Mean and standard deviation per channel of images (N, 3, H, W) as fractions of 255, from exact integer sums."""
    import numpy as np

    num_images, _, height, width = images.shape
    rows = max(1, _CHUNK_BYTES // (3 * height * width))
    total, squares = [0, 0, 0], [0, 0, 0]
    table = np.arange(256, dtype=np.int64)
    for start in range(0, num_images, rows):
        chunk = images[start : start + rows]
        for channel in range(3):
            counts = np.bincount(chunk[:, channel].ravel(), minlength=256)
            total[channel] += int(counts @ table)
            squares[channel] += int(counts @ (table * table))
    count = num_images * height * width
    means = [value / count for value in total]
    deviations = [max(0.0, square / count - mean * mean) ** 0.5 for square, mean in zip(squares, means, strict=True)]
    # A channel without any contrast must not make the trainer divide by zero.
    mean, std = [value / 255 for value in means], [max(value, 1.0) / 255 for value in deviations]
    return (mean[0], mean[1], mean[2]), (std[0], std[1], std[2])
