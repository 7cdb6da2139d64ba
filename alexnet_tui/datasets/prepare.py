"""Data sets by name: open, prepare, add and remove them.

Importing this module costs little: numpy and Pillow load on first use, and torchvision only in the process
that downloads, which is named as a string. `datasets.catalog` answers what there is, `datasets.cache` owns the
decoded form.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from alexnet_tui.datasets.cache import (
    CACHE_VERSION,
    PixelFile,
    Progress,
    ProgressCallback,
    Split,
    building,
    drop_rows,
    hash_arrays,
    is_cache,
    open_cache,
    read_manifest,
    seal,
    write_error,
    write_labels,
    write_split,
)
from alexnet_tui.datasets.catalog import (
    BUILT_IN,
    DOWNLOADS,
    DatasetInfo,
    Source,
    cache_path,
    check_free_name,
    find,
    is_name,
    read_source,
    stored_size,
    unknown,
    write_source,
)
from alexnet_tui.datasets.left_out import LeftOut, Reason, is_hidden, total
from alexnet_tui.errors import DatasetError
from alexnet_tui.locks import locked_and_removed
from alexnet_tui.paths import child_command, child_environment, data_root, given
from alexnet_tui.text import counted, printable

if TYPE_CHECKING:
    from alexnet_tui.datasets.cache import Labels, Pixels
    from alexnet_tui.datasets.images import Scan

DOWNLOAD_MODULE = "alexnet_tui.train.images.download"
_NAMED_FAILURES = 3


class Dataset(msgspec.Struct, frozen=True, kw_only=True):
    """A data set that is open.

    Attributes:
        name: As asked for.
        sha256: Content hash of the source.
        class_names: In the order of the labels.
        train: Training split.
        test: Test split.
        image_size: Side in pixels of the stored images; the trainer scales them to its input on the device.
        mean: Per channel, of the training images, as fractions of 255.
        std: The same for the standard deviation; never zero.
    """

    name: str
    sha256: str
    class_names: tuple[str, ...]
    train: Split
    test: Split
    image_size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


def load(name: str, input_size: int) -> Dataset:
    """Open a data set for a network whose input is `input_size` pixels wide, preparing it where needed.

    Every byte of the cache is checked against its manifest (files above 8 GiB by size only).

    Raises:
        DatasetError: It is unknown, missing, damaged, or cannot be prepared.
    """
    source = prepare(name, input_size)
    manifest, splits = open_cache(name, cache_path(data_root(), name, source, input_size))
    if manifest.sha256 != source.sha256:
        raise DatasetError(
            name,
            f"its cache holds content {manifest.sha256}, its source is recorded as {source.sha256}."
            f" Run `alexnet-tui data remove {name}` and add it again.",
        )
    if hidden := [class_name for class_name in manifest.class_names if is_hidden(class_name)]:
        raise DatasetError(
            name,
            f"an older version took the hidden folder {hidden[0]} for a class. Run `alexnet-tui data remove {name}`"
            " and add it again; runs trained on it had a class too many.",
        )
    return Dataset(
        name=name,
        sha256=manifest.sha256,
        class_names=tuple(manifest.class_names),
        train=splits["train"],
        test=splits["test"],
        image_size=manifest.image_size,
        mean=manifest.mean,
        std=manifest.std,
    )


def open_split(name: str, input_size: int, split: str) -> tuple[str, Split] | None:
    """Content hash and one split of a data set that is prepared; None where it is not. Nothing is prepared for it.

    Raises:
        DatasetError: It is damaged.
    """
    root = data_root()
    source = read_source(root, name)
    directory = cache_path(root, name, source, input_size) if source else None
    if directory is None or not is_cache(directory):
        return None
    manifest, splits = open_cache(name, directory, (split,))
    return manifest.sha256, splits[split]


def prepare(name: str, input_size: int, progress: ProgressCallback | None = None) -> Source:
    """Make sure the cache for an input size is there.

    Raises:
        DatasetError: The set is unknown, missing, damaged, or the disk is full.
    """
    root = data_root()
    report = progress or _silent
    source = read_source(root, name)
    if source and is_cache(cache_path(root, name, source, input_size)):
        return source
    if source is None and name not in BUILT_IN:
        raise unknown(root, name)
    with _locked(root, name, report) as kept:
        source = read_source(root, name)
        if source and is_cache(cache_path(root, name, source, input_size)):
            return source
        if name in BUILT_IN:
            return _BUILDERS[BUILT_IN[name].kind](root, name, kept, report)
        if source is None:
            raise unknown(root, name)
        _build_images(root, name, source, input_size, report)
        return source


def add(
    path: Path,
    name: str,
    progress: ProgressCallback | None = None,
    *,
    input_size: int = 32,
    skip_unreadable: bool = False,
) -> DatasetInfo:
    """Register an image folder, or a tar or zip archive of one, under a name, and prepare it for an input size.

    Adding the same content again is no error.

    Raises:
        DatasetError: The name is taken or no name; the source is missing, damaged or not laid out as a set.
    """
    root = data_root()
    check_free_name(name)
    full = given(path).absolute()
    from alexnet_tui.datasets.sources import source_kind

    source = Source(
        kind=source_kind(full),
        path=str(full),
        added=time.time(),
        sha256="",
        num_train=0,
        num_test=0,
        num_classes=0,
        skip_unreadable=skip_unreadable,
    )
    report = progress or _silent
    with _locked(root, name, report):
        known = read_source(root, name)
        if known:
            source = msgspec.structs.replace(source, sha256=known.sha256)
        try:
            built = _build_images(root, name, source, input_size, report)
        except BaseException:  # Ctrl-c included.
            with suppress(OSError):  # There is something in it.
                (root / name).rmdir()
            raise
        try:
            write_source(root, name, built)
        except OSError as error:
            raise write_error(name, root, error) from error
    return find(name)


def remove(name: str) -> None:
    """Forget a data set and delete its caches; the folder or archive it was added from stays.

    Raises:
        DatasetError: There is none of that name on this disk.
    """
    root = data_root()
    if name == DOWNLOADS or not is_name(name) or not os.path.isdir(root / name) or os.path.islink(root / name):
        raise unknown(root, name)
    with _locked(root, name, _silent):
        try:
            shutil.rmtree(root / name)
        except OSError as error:
            raise write_error(name, root / name, error) from error


@contextmanager
def _locked(root: Path, name: str, report: ProgressCallback) -> Iterator[tuple[int, ...]]:
    """Hold a data set's lock, waiting for whoever builds it now; yields the descriptors with which a child keeps it."""
    waiting = Progress(done=0, total=0, what="waiting for another process that prepares it")
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_error(name, root, error) from error
    with locked_and_removed(root / f".{name}.lock", on_wait=lambda: report(waiting)) as kept:
        yield kept


def _silent(progress: Progress) -> None:
    """Report no progress."""


def _build_images(root: Path, name: str, source: Source, input_size: int, report: ProgressCallback) -> Source:
    """Decode a folder or an archive into a cache; returns the source with what was found in it."""
    from alexnet_tui.datasets import images

    path = Path(source.path)
    found = images.scan(name, path, report)
    if source.sha256 not in {"", found.sha256}:
        raise DatasetError(
            name,
            f"{path} holds other images than were added under this name (content hash {found.sha256}, was"
            f" {source.sha256}){_older(source)}. Run `alexnet-tui data remove {name}` first, or choose another name.",
        )
    num_train, num_test = len(found.labels["train"]), len(found.labels["test"])
    source = msgspec.structs.replace(
        source,
        sha256=found.sha256,
        native_size=found.native_size,
        num_train=num_train,
        num_test=num_test,
        num_classes=len(found.class_names),
        num_ignored=total(found.left_out),
        left_out=found.left_out,
        links=found.links,
        num_links=found.num_links,
        test_split=found.test_split,
    )
    final, size = cache_path(root, name, source, input_size), stored_size(found.native_size, input_size)
    if not is_cache(final) or read_manifest(name, final).v < CACHE_VERSION:
        with building(name, final, (num_train + num_test) * 3 * size * size) as directory:
            failures, shared = _decode(name, path, found, size, directory, report)
            _judge(name, path, failures, len(failures), source.skip_unreadable)
            seal(directory, found.sha256, found.class_names, failures, shared)
    manifest = read_manifest(name, final)
    _judge(name, path, manifest.skipped, manifest.num_skipped, source.skip_unreadable)
    left_out = list(found.left_out)
    if manifest.num_skipped:
        names = manifest.skipped[:_NAMED_FAILURES]
        left_out.append(LeftOut(reason=Reason.UNREADABLE, count=manifest.num_skipped, names=names))
    return msgspec.structs.replace(
        source,
        num_train=manifest.num_train,
        num_test=manifest.num_test,
        num_skipped=manifest.num_skipped,
        left_out=left_out,
        shared=manifest.shared[:_NAMED_FAILURES],
        num_shared=manifest.num_shared,
    )


def _older(source: Source) -> str:
    """Why the same images may have another hash."""
    return ", or an older version read them otherwise" if source.v < CACHE_VERSION else ""


def _decode(
    name: str, path: Path, found: "Scan", size: int, directory: Path, report: ProgressCallback
) -> tuple[list[str], list[str]]:
    """Fill a cache folder with a source's pixels.

    Returns:
        What cannot be read, each with the reason; the test images that are training images, each with that one.
    """
    import numpy as np

    from alexnet_tui.datasets import images

    for split, labels in found.labels.items():
        write_labels(directory, split, np.array(labels, dtype=np.int64))
    with ExitStack() as stack:
        files = {
            split: stack.enter_context(closing(PixelFile(directory / f"{split}-images.npy", len(labels), size)))
            for split, labels in found.labels.items()
        }
        decoded = images.decode(name, path, found, size, files, report)
    failures = decoded.failures
    for split in found.labels:
        lost = {found.rows[key].place for key in failures if found.rows[key].split == split}
        _check_left(name, path, found, split, lost)
        drop_rows(directory, split, lost)
    unreadable = [f"{printable(key.name, 200)} ({failures[key]})" for key in sorted(failures)]
    shared = [f"{printable(test.name, 200)} = {printable(train.name, 200)}" for test, train in decoded.shared]
    return unreadable, shared


def _check_left(name: str, path: Path, found: "Scan", split: str, lost: set[int]) -> None:
    """A class whose every image is unreadable is an error even when unreadable images may be skipped."""
    left = {label for row, label in enumerate(found.labels[split]) if row not in lost}
    gone = sorted(set(found.labels[split]) - left)
    if gone:
        raise DatasetError(name, f"{path}: no image of {split}/{found.class_names[gone[0]]} can be read. Replace them.")


def _judge(name: str, path: Path, failures: list[str], count: int, skip_unreadable: bool) -> None:
    """Raise when images cannot be read, `count` in all, and nobody said that they may be left out."""
    if not count or skip_unreadable:
        return
    shown = ", ".join(failures[:_NAMED_FAILURES]) + (", …" if count > _NAMED_FAILURES else "")
    raise DatasetError(
        name,
        f"{counted(count, 'image')} in {path} cannot be read: {shown}."
        " Replace them, or leave them out with --skip-unreadable.",
    )


def store_arrays(
    root: Path,
    name: str,
    images: "dict[str, Pixels]",
    labels: "dict[str, Labels]",
    class_names: tuple[str, ...],
) -> Source:
    """Write a built-in data set that is in memory, and record it; the caller holds the data set's lock.

    Args:
        root: The data folder.
        name: One of `BUILT_IN`.
        images: Per split, uint8 of shape (N, 3, S, S).
        labels: Per split, int64 of shape (N,).
        class_names: In the order of the labels.

    Raises:
        DatasetError: The disk is full or cannot be written.
    """
    size = images["train"].shape[2]
    source = Source(
        kind=BUILT_IN[name].kind,
        added=time.time(),
        sha256=hash_arrays(images["train"], labels["train"], images["test"], labels["test"]),
        revision=BUILT_IN[name].revision,
        native_size=size,
        num_train=len(images["train"]),
        num_test=len(images["test"]),
        num_classes=len(class_names),
    )
    final = cache_path(root, name, source, size)
    with building(name, final, sum(array.nbytes for array in images.values())) as directory:
        for split, pixels in images.items():
            write_split(directory, split, pixels, labels[split])
        seal(directory, source.sha256, class_names)
        write_source(root, name, source)
    return source


def _build_synthetic(root: Path, name: str, kept: tuple[int, ...], report: ProgressCallback) -> Source:
    from alexnet_tui.datasets import synthetic

    total = BUILT_IN[name].num_train + BUILT_IN[name].num_test
    report(Progress(done=0, total=total, what="drawing"))
    images, labels = {}, {}
    for split, count in (("train", BUILT_IN[name].num_train), ("test", BUILT_IN[name].num_test)):
        images[split], labels[split] = synthetic.draw(split, count)
    report(Progress(done=total, total=total, what="drawing"))
    return store_arrays(root, name, images, labels, synthetic.CLASS_NAMES)


def _build_download(root: Path, name: str, kept: tuple[int, ...], report: ProgressCallback) -> Source:
    """Let a process of its own download and store the set; it keeps the lock should this one die."""
    report(Progress(done=0, total=0, what="downloading"))
    result = subprocess.run(
        child_command(DOWNLOAD_MODULE, name, str(root)),
        stdout=subprocess.PIPE,
        text=True,
        errors="replace",
        pass_fds=kept,
        env=child_environment(),
        check=False,
    )
    source = read_source(root, name)
    if result.returncode == 0 and source is not None:
        return source
    lines = result.stdout.strip().splitlines()
    reason = printable(lines[-1], 600) if lines else f"the download ended with exit code {result.returncode}."
    raise DatasetError(name, reason)


_BUILDERS: dict[str, Callable[[Path, str, tuple[int, ...], ProgressCallback], Source]] = {
    "synthetic": _build_synthetic,
    "torchvision": _build_download,
}
