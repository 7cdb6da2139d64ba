"""The building of data sets' caches: from a folder or an archive, drawn by this program, or downloaded.

The caller holds the data set's lock. numpy and Pillow load on first use, and torchvision only in the process that
downloads, which is named as a string.
"""

import subprocess
import time
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from alexnet_tui.command_lines import child_command, child_environment
from alexnet_tui.datasets.cache import (
    CACHE_VERSION,
    PixelFile,
    Progress,
    ProgressCallback,
    building,
    drop_rows,
    hash_arrays,
    is_cache,
    read_manifest,
    write_labels,
    write_manifest,
    write_split,
)
from alexnet_tui.datasets.catalog import BUILT_IN, Source, cache_path, read_source, stored_size, write_source
from alexnet_tui.datasets.left_out import LeftOut, Reason, total
from alexnet_tui.errors import DatasetError
from alexnet_tui.text import counted, printable

if TYPE_CHECKING:
    from alexnet_tui.datasets.cache import Labels, Pixels
    from alexnet_tui.datasets.images import Scan

_DOWNLOAD_MODULE = "alexnet_tui.train.images.download"
_NAMED_FAILURES = 3


def build_images(root: Path, name: str, source: Source, input_size: int, report: ProgressCallback) -> Source:
    """Decode a folder or an archive into a cache; returns the source with what was found in it.

    Raises:
        DatasetError: The source is missing, damaged, not laid out as a data set, or holds other images than recorded;
            or the disk is full.
    """
    from alexnet_tui.datasets import images

    path = Path(source.path)
    found = images.scan(name, path, report)
    if source.sha256 not in {"", found.sha256}:
        older = ", or an older version read them otherwise" if source.v < CACHE_VERSION else ""
        raise DatasetError(
            name,
            f"{path} holds other images than were added under this name (content hash {found.sha256}, was"
            f" {source.sha256}){older}. Run `alexnet-tui data remove {name}` first, or choose another name.",
        )
    source = msgspec.structs.replace(source, sha256=found.sha256, native_size=found.native_size)
    final, size = cache_path(root, name, source, input_size), stored_size(found.native_size, input_size)
    if not is_cache(final) or read_manifest(name, final).v < CACHE_VERSION:
        with building(name, final, len(found.rows) * 3 * size * size) as directory:
            failures, shared = _decode(name, path, found, size, directory, report)
            _check_unreadable(name, path, failures, len(failures), source.skip_unreadable)
            write_manifest(directory, found.sha256, found.class_names, failures, shared)
    manifest = read_manifest(name, final)
    _check_unreadable(name, path, manifest.skipped, manifest.num_skipped, source.skip_unreadable)
    left_out = list(found.left_out)
    if manifest.num_skipped:
        names = manifest.skipped[:_NAMED_FAILURES]
        left_out.append(LeftOut(reason=Reason.UNREADABLE, count=manifest.num_skipped, names=names))
    return msgspec.structs.replace(
        source,
        num_train=manifest.num_train,
        num_test=manifest.num_test,
        num_classes=len(found.class_names),
        num_ignored=total(found.left_out),
        num_skipped=manifest.num_skipped,
        left_out=left_out,
        links=found.links,
        num_links=found.num_links,
        test_split=found.test_split,
        shared=manifest.shared[:_NAMED_FAILURES],
        num_shared=manifest.num_shared,
    )


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


def _check_unreadable(name: str, path: Path, failures: list[str], count: int, skip_unreadable: bool) -> None:
    """Raise when images cannot be read, `count` in all, and nobody said that they may be left out."""
    if not count or skip_unreadable:
        return
    shown = ", ".join(failures[:_NAMED_FAILURES]) + (", ..." if count > _NAMED_FAILURES else "")
    raise DatasetError(
        name,
        f"{counted(count, 'image')} in {path} cannot be read: {shown}."
        " Replace them, or leave them out with --skip-unreadable.",
    )


def build_built_in(root: Path, name: str, kept: tuple[int, ...], report: ProgressCallback) -> Source:
    """Make the cache of a built-in data set; returns what is recorded about it.

    Args:
        kept: Descriptors with which a child process keeps the data set's lock.

    Raises:
        DatasetError: It cannot be downloaded, or the disk is full.
    """
    if BUILT_IN[name].kind == "synthetic":
        return _draw(root, name, report)
    return _download(root, name, kept, report)


def _draw(root: Path, name: str, report: ProgressCallback) -> Source:
    from alexnet_tui.datasets import synthetic

    total = BUILT_IN[name].num_train + BUILT_IN[name].num_test
    report(Progress(done=0, total=total, what="drawing"))
    images, labels = {}, {}
    for split, count in (("train", BUILT_IN[name].num_train), ("test", BUILT_IN[name].num_test)):
        images[split], labels[split] = synthetic.draw(split, count)
    report(Progress(done=total, total=total, what="drawing"))
    return store_arrays(root, name, images, labels, synthetic.CLASS_NAMES)


def _download(root: Path, name: str, kept: tuple[int, ...], report: ProgressCallback) -> Source:
    """Let a process of its own download and store the set; it keeps the lock should this one die."""
    report(Progress(done=0, total=0, what="downloading"))
    result = subprocess.run(
        child_command(_DOWNLOAD_MODULE, name, str(root)),
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
        write_manifest(directory, source.sha256, class_names)
        write_source(root, name, source)
    return source
