"""Which data sets there are and where they lie on this disk; cheap enough for a screen to ask for.

``<data root>/<name>/source.json`` says where a set came from and what its content hash is;
``<data root>/<name>/<hash>-<size>/`` is its decoded form (`datasets.cache`). Nothing here loads numpy.
"""

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Literal

import msgspec

from alexnet_tui.config.hyperparameters import SPECS, RunConfig
from alexnet_tui.config.variants import nearest
from alexnet_tui.datasets.cache import CACHE_VERSION, is_cache, newer_error
from alexnet_tui.datasets.left_out import LeftOut, list_left_out, named
from alexnet_tui.errors import DatasetError, HomeError, StoreError, TooFewImagesError
from alexnet_tui.files import read_small, write_atomic
from alexnet_tui.json_io import UNDECODABLE, version_of
from alexnet_tui.paths import data_root
from alexnet_tui.text import counted, printable

DatasetState = Literal["ready", "prepare", "download", "newer"]
SOURCE_FILE = "source.json"
DOWNLOADS = "downloads"
_PAPER_SIZE = 256
_SMALL_INPUT = 64


class BuiltIn(msgspec.Struct, frozen=True, kw_only=True):
    """A data set that needs no adding.

    Attributes:
        kind: How it is made: generated here, or downloaded.
        summary: One line for people.
        origin: Where it comes from, for people, where the summary does not say it.
        download: How much there is to download, for people, or empty.
        num_train: Training images.
        num_test: Test images.
        num_classes: Classes.
        archive: File that a download leaves in the downloads folder, or empty.
        unpacked: Files that a download unpacks to, in the downloads folder.
        md5: Published checksum of the archive, or empty.
        revision: Raised whenever the program draws other pixels than before.
    """

    kind: str
    summary: str
    num_train: int
    num_test: int
    num_classes: int
    origin: str = ""
    download: str = ""
    archive: str = ""
    unpacked: tuple[str, ...] = ()
    md5: str = ""
    revision: int = 0


BUILT_IN = {
    "synthetic": BuiltIn(
        kind="synthetic",
        summary="drawn by this program, offline",
        num_train=10_000,
        num_test=2_000,
        num_classes=10,
        revision=1,
    ),
    "cifar10": BuiltIn(
        kind="torchvision",
        summary="downloaded, 170 MB",
        origin="the University of Toronto",
        download="170 MB",
        num_train=50_000,
        num_test=10_000,
        num_classes=10,
        archive="cifar-10-python.tar.gz",
        unpacked=tuple(
            f"cifar-10-batches-py/{name}"
            for name in (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch", "batches.meta")
        ),
        md5="c58f30108f718f92721af3b95e74349a",
    ),
    "cifar100": BuiltIn(
        kind="torchvision",
        summary="downloaded, 169 MB",
        origin="the University of Toronto",
        download="169 MB",
        num_train=50_000,
        num_test=10_000,
        num_classes=100,
        archive="cifar-100-python.tar.gz",
        unpacked=("cifar-100-python/train", "cifar-100-python/test", "cifar-100-python/meta"),
        md5="eb9058c3a382ffc7106e4002c42a8d85",
    ),
}


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """``source.json``: where a data set came from and what was found in it.

    Attributes:
        v: Version of the format.
        kind: ``folder``, ``tar``, ``zip``, ``synthetic`` or ``torchvision``.
        path: Absolute path of an added set, or empty.
        added: Seconds since 1970.
        sha256: Content hash.
        revision: Of the generator that drew it, else 0.
        native_size: Side in pixels where all images are squares of one size, else 0.
        num_train: Training images.
        num_test: Test images.
        num_classes: Classes.
        num_ignored: Entries of the source that are no images of it.
        num_skipped: Unreadable images that were left out.
        left_out: Both, by reason; empty in a record of version 1.
        links: The first links inside the source that were followed.
        num_links: How many were followed.
        test_split: The folder of the test images: ``test`` or ``val``.
        shared: The first test images whose pixels are those of a training image.
        num_shared: How many there are.
        skip_unreadable: Whether unreadable images may be left out.
    """

    v: int = CACHE_VERSION
    kind: str
    path: str = ""
    added: float
    sha256: str
    revision: int = 0
    native_size: int = 0
    num_train: int
    num_test: int
    num_classes: int
    num_ignored: int = 0
    num_skipped: int = 0
    left_out: list[LeftOut] = []
    links: list[str] = []
    num_links: int = 0
    test_split: str = "test"
    shared: list[str] = []
    num_shared: int = 0
    skip_unreadable: bool = False


class DatasetInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the catalogue.

    Attributes:
        name: What `load` takes.
        kind: ``synthetic``, ``torchvision``, ``folder``, ``tar`` or ``zip``.
        source: Where it comes from, for people.
        state: ``ready`` to train, ``prepare`` (decode first), ``download``, or made by a ``newer`` version.
        num_train: Training images.
        num_test: Test images.
        num_classes: Classes.
        size_bytes: What its caches take on this disk.
        sha256: Content hash, or empty before it is known.
        num_ignored: Entries of the source that are no images of it.
        num_skipped: Unreadable images that were left out.
        notes: What a person should know of it: what was left out, links that were followed, test images that are
            training images; sentences, safe to print.
        left_out: What was left out, by reason.
    """

    name: str
    kind: str
    source: str
    state: DatasetState
    num_train: int
    num_test: int
    num_classes: int
    size_bytes: int
    sha256: str
    num_ignored: int = 0
    num_skipped: int = 0
    notes: tuple[str, ...] = ()
    left_out: tuple[LeftOut, ...] = ()


def stored_size(native_size: int, input_size: int) -> int:
    """Side in pixels of the cache for a network's input.

    Images are scaled and cropped to the paper's 256, from which it cuts its patches, or to a small network's own input.
    Squares that are no larger than that are kept as they are.
    """
    largest = _PAPER_SIZE if input_size > _SMALL_INPUT else input_size
    return native_size if 0 < native_size <= largest else largest


def catalog() -> list[DatasetInfo]:
    """Every data set that can be asked for: the built-in ones, then the added ones by name."""
    root = data_root()
    names = list(BUILT_IN)
    with suppress(OSError):  # Of a folder that cannot be read no set can be used; who asks for one is told.
        names += sorted(path.parent.name for path in root.glob(f"*/{SOURCE_FILE}") if path.parent.name not in BUILT_IN)
    return [info for name in names if (info := _describe(root, name))]


def find(name: str) -> DatasetInfo:
    """One data set of the catalogue.

    Raises:
        DatasetError: There is none of that name.
    """
    root = data_root()
    info = _describe(root, name)
    if info is None:
        raise unknown_error(root, name)
    return info


def is_prepared(name: str, input_size: int) -> bool:
    """Whether `load` would find its cache and need no decoding or download."""
    root = data_root()
    source = read_source(root, name)
    return source is not None and is_cache(cache_path(root, name, source, input_size))


def check_num_images(config: RunConfig) -> None:
    """Refuse a run that asks for more training images than its data set has, as far as that is on record.

    Raises:
        TooFewImagesError: With both numbers.
    """
    if not config.train_images:
        return
    if (facts := known_facts(config.data)) is not None:
        num_val = config.num_val_images(facts.num_train)
        if config.train_images > facts.num_train - num_val:
            raise TooFewImagesError(config.data, facts.num_train, num_val, config.train_images)


def known_facts(name: str) -> Source | BuiltIn | None:
    """What is recorded about a data set, or known of a built-in one that is not here yet; None where nothing is."""
    with suppress(DatasetError, HomeError):  # What a newer program wrote is refused where it is read.
        if source := read_source(data_root(), name):
            return source
    return BUILT_IN.get(name)


def cache_path(root: Path, name: str, source: Source, input_size: int) -> Path:
    """Folder of the cache for a network's input."""
    return root / name / f"{source.sha256[:16]}-{stored_size(source.native_size, input_size)}"


def read_source(root: Path, name: str) -> Source | None:
    """What is recorded about a data set; None where nothing is, or what is there is outdated or damaged.

    Raises:
        DatasetError: It was made by a newer version of this program.
    """
    if not is_name(name):
        return None
    path = root / name / SOURCE_FILE
    try:
        content = read_small(path)
        version = version_of(content) if content else 0
        source = msgspec.json.decode(content, type=Source) if content and version <= CACHE_VERSION else None
    except (*UNDECODABLE, StoreError):
        return None
    if version > CACHE_VERSION:
        raise newer_error(name, path, version)
    if source is None or not re.fullmatch("[0-9a-f]{64}", source.sha256):
        return None
    built_in = BUILT_IN.get(name)
    return None if built_in and built_in.revision != source.revision else source


def write_source(root: Path, name: str, source: Source) -> None:
    """Record where a data set came from.

    Raises:
        OSError: The folder cannot be written.
    """
    (root / name).mkdir(parents=True, exist_ok=True)
    write_atomic(root / name / SOURCE_FILE, msgspec.json.encode(source))


def is_name(name: str) -> bool:
    """Whether a text can name a data set at all."""
    return re.fullmatch(SPECS["data"].pattern, name) is not None and name != DOWNLOADS


def check_free_name(name: str) -> None:
    """Raise the sentence that says why a name cannot be given to a data set.

    Raises:
        DatasetError: It is not a name, or it is taken by this program.
    """
    if name in BUILT_IN or name == DOWNLOADS:
        raise DatasetError(name, "this name is taken by alexnet-tui itself; choose another.")
    if not is_name(name):
        raise DatasetError(
            printable(repr(name), 80),
            "a name has at most 64 characters: lower-case letters, digits, - and _, not - or _ first.",
        )


def unknown_error(root: Path, name: str) -> DatasetError:
    """The sentence for a data set that is not in the catalogue."""
    hint = nearest(name, [info.name for info in catalog()])
    return DatasetError(printable(name, 80), f"there is none of that name; {hint} Add one with `alexnet-tui data add`.")


def _describe(root: Path, name: str) -> DatasetInfo | None:
    built_in = BUILT_IN.get(name)
    try:
        source = read_source(root, name)
    except DatasetError as error:
        return DatasetInfo(
            name=name,
            kind="",
            source=str(root / name),
            state="newer",
            num_train=0,
            num_test=0,
            num_classes=0,
            size_bytes=0,
            sha256="",
            notes=(str(error).partition(": ")[2],),
        )
    if source is None and built_in is None:
        return None
    facts = source or built_in
    assert facts is not None
    is_ready, size_bytes = _caches(root / name, source)
    state: DatasetState = "ready" if is_ready else "prepare"
    if built_in and built_in.archive and not is_ready and not _is_downloaded(root, built_in):
        state = "download"
    return DatasetInfo(
        name=name,
        kind=facts.kind,
        source=(built_in.origin or built_in.summary) if built_in else printable(source.path if source else ""),
        state=state,
        num_train=facts.num_train,
        num_test=facts.num_test,
        num_classes=facts.num_classes,
        size_bytes=size_bytes,
        sha256=source.sha256 if source else "",
        num_ignored=source.num_ignored if source else 0,
        num_skipped=source.num_skipped if source else 0,
        notes=tuple(_notes(source)) if source else (),
        left_out=tuple(source.left_out) if source else (),
    )


def _notes(source: Source) -> Iterator[str]:
    if source.left_out:
        yield f"left out: {list_left_out(source.left_out)}"
    elif source.num_ignored or source.num_skipped:  # A record of version 1.
        unreadable = counted(source.num_skipped, "unreadable image")
        yield f"left out: {counted(source.num_ignored, 'other file')}, {unreadable}"
    if source.num_links:
        yield f"followed {counted(source.num_links, 'link')} inside the source{named(source.links, source.num_links)}"
    if source.test_split != "test":
        yield f"the images of {printable(source.test_split, 20)} are the test images"
    if source.num_shared:
        names = named(source.shared, source.num_shared)
        yield f"{counted(source.num_shared, 'test image')} also in training{names}: test accuracy comes out too high"


def _caches(directory: Path, source: Source | None) -> tuple[bool, int]:
    """Whether a cache is there for the recorded content, and what all of them take in bytes."""
    if source is None:
        return False, 0
    sizes = [_size_bytes(path) for path in directory.glob(f"{source.sha256[:16]}-*") if is_cache(path)]
    return bool(sizes), sum(sizes)


def _size_bytes(cache: Path) -> int:
    """What a cache takes; 0 for one that is removed at this moment."""
    try:
        return sum(file.stat().st_size for file in cache.iterdir())
    except OSError:
        return 0


def _is_downloaded(root: Path, built_in: BuiltIn) -> bool:
    downloads = root / DOWNLOADS
    is_packed = os.path.isfile(downloads / built_in.archive)
    return is_packed or all(os.path.isfile(downloads / name) for name in built_in.unpacked)
