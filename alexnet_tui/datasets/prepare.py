"""Data sets by name: open, prepare, add and remove them.

`datasets.catalog` answers what there is, `datasets.build` makes the decoded form, and `datasets.cache` owns it.
Importing this module costs little: numpy and Pillow load on first use.
"""

import errno
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import msgspec

from alexnet_tui.datasets.build import build_built_in, build_images
from alexnet_tui.datasets.cache import (
    Progress,
    ProgressCallback,
    Split,
    is_cache,
    open_cache,
    write_error,
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
    unknown_error,
    write_source,
)
from alexnet_tui.datasets.left_out import is_hidden
from alexnet_tui.errors import DatasetError, StoreError
from alexnet_tui.files import FULL_DISK
from alexnet_tui.locks import locked_and_removed
from alexnet_tui.paths import data_root, given

_UNWRITABLE = frozenset((errno.EROFS, errno.EACCES, errno.EPERM, *FULL_DISK))


class Dataset(msgspec.Struct, frozen=True, kw_only=True):
    """A data set that is open.

    Attributes:
        name: As asked for.
        sha256: Content hash of the source.
        class_names: In the order of the labels.
        train: Training split.
        test: Test split.
        image_size: Side in pixels of the stored images; the trainer enlarges or cuts them to its input on the device.
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


def load_dataset(name: str, input_size: int) -> Dataset:
    """Open a data set for a network whose input is `input_size` pixels wide, preparing it where needed.

    Every byte of the cache is checked against its manifest (files above 8 GiB by size only).

    Raises:
        DatasetError: It is unknown, missing, damaged, or cannot be prepared.
    """
    source = prepare_dataset(name, input_size)
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


def prepare_dataset(name: str, input_size: int, progress: ProgressCallback | None = None) -> Source:
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
        raise unknown_error(root, name)
    with _locked(root, name, report) as kept:
        source = read_source(root, name)
        if source and is_cache(cache_path(root, name, source, input_size)):
            return source
        if name in BUILT_IN:
            return build_built_in(root, name, kept, report)
        if source is None:
            raise unknown_error(root, name)
        build_images(root, name, source, input_size, report)
        return source


def add_dataset(
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
            built = build_images(root, name, source, input_size, report)
        except BaseException:  # Ctrl-c included.
            with suppress(OSError):  # There is something in it.
                (root / name).rmdir()
            raise
        try:
            write_source(root, name, built)
        except OSError as error:
            raise write_error(name, root, error) from error
    return find(name)


def remove_dataset(name: str) -> None:
    """Forget a data set and delete its caches; the folder or archive it was added from stays.

    Raises:
        DatasetError: There is none of that name on this disk.
    """
    root = data_root()
    if name == DOWNLOADS or not is_name(name) or not os.path.isdir(root / name) or os.path.islink(root / name):
        raise unknown_error(root, name)
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
    with ExitStack() as stack:
        try:
            kept = stack.enter_context(locked_and_removed(root / f".{name}.lock", on_wait=lambda: report(waiting)))
        except StoreError as error:
            if isinstance(cause := error.__cause__, OSError) and cause.errno in _UNWRITABLE:
                raise write_error(name, root, cause) from error
            raise
        yield kept


def _silent(progress: Progress) -> None:
    """Report no progress."""
