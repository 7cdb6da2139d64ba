"""Where images come from: a folder, a tar or a zip archive, read front to back and never extracted.

A source is hostile input. Only regular files named ``[TOP/]train|test|val/CLASS/NAME.jpg|jpeg|png|webp|bmp``
are read. Links are followed as long as they stay inside the source. Everything else is counted by reason
(`datasets.left_out`). What an archive may inflate to has a budget.
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from alexnet_tui.archive_reader import ZIP_MAGIC, Entry, Kind, Limits, entries, inside
from alexnet_tui.datasets.left_out import LeftOutCounter, Reason, is_hidden
from alexnet_tui.errors import ArchiveError, DatasetError
from alexnet_tui.files import reason_of
from alexnet_tui.text import printable

_SPLITS = ("train", "test", "val")
_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")
# Images are compressed already, so an archive that inflates far beyond its own size is not one of images.
_BUDGET_BYTES, _BUDGET_RATIO = 1 << 30, 50
MAX_FILE_BYTES = 64 << 20
_MAX_LINK_HOPS = 8
LAYOUT = "train/CLASS/*.jpg and test/CLASS/*.jpg (or val/...; .jpeg, .png, .webp and .bmp too)"


class ImageKey(NamedTuple):
    """The path of an image inside its source, without a top folder."""

    split: str
    class_name: str
    file_name: str

    @property
    def name(self) -> str:
        """The path as text."""
        return "/".join(self)


class SourceContents(msgspec.Struct, kw_only=True):
    """Collected while a source is read.

    Attributes:
        name: Of the data set.
        tops: Folders above train, test and val.
        class_folders: Split and class of every class folder, empty ones too.
        undecided: Folders like ``test/train`` and those in them: which they are is known once all is read.
        loose: Images in such folders.
        left_out: Entries that are no images of the set.
        links: Links that were followed, by name.
        num_links: How many were followed.
    """

    name: str
    tops: set[str] = msgspec.field(default_factory=set)
    class_folders: set[tuple[str, str]] = msgspec.field(default_factory=set)
    undecided: set[tuple[str, ...]] = msgspec.field(default_factory=set)
    loose: set[ImageKey] = msgspec.field(default_factory=set)
    left_out: LeftOutCounter = msgspec.field(default_factory=LeftOutCounter)
    links: list[str] = msgspec.field(default_factory=list)
    num_links: int = 0

    def enter(self, parts: tuple[str, ...]) -> bool:
        """Note a folder; whether anything in it may be an image."""
        found = _judge(parts, is_folder=True)
        if isinstance(found, _Misplaced):
            self.left_out.add(found.reason, parts[: found.length], is_folder=True)
            return False
        if _has_two_splits(parts):
            self.undecided.add(parts)
        elif found:
            self.class_folders.add(found[:2])
        return True

    def image(self, parts: tuple[str, ...]) -> ImageKey | None:
        """The key of an image file, or None for a file that is none; that one is counted."""
        found = _judge(parts, is_folder=False)
        if isinstance(found, _Misplaced):
            self.left_out.add(found.reason, parts[: found.length], is_folder=found.length < len(parts))
            return None
        assert found is not None
        if len(parts) == 3 and _has_two_splits(parts):
            self.loose.add(found)
            self.undecided.add(parts[:2])
            return found
        self._enter_top("/".join(parts[: len(parts) - 3]))
        self.class_folders.add(found[:2])
        return found

    def _enter_top(self, top: str) -> None:
        self.tops.add(top)
        if len(self.tops) > 1:
            names = " and ".join(printable(item, 60) or "the top" for item in sorted(self.tops))
            raise DatasetError(self.name, f"there are train, test or val folders in {names}; add one of them.")

    def settle(self) -> set[ImageKey]:
        """Decide, once all is read, what folders like ``test/train`` are; the images in them that lie outside the set.

        Such a folder is the class train of the test images, or, where images lie deeper in it, the training images of a
        set whose top folder is called test.
        """
        top = next(iter(self.tops), "")
        is_top = top in _SPLITS
        stray = {key for key in self.loose if is_top and key.split == top}
        if self.loose - stray:
            self._enter_top("")
        for parts in sorted(self.undecided):
            is_in_top = is_top and parts[0] == top
            if len(parts) == 2 + is_in_top:
                self.class_folders.add((parts[-2], parts[-1]))
            elif not is_in_top:
                self.left_out.add(Reason.DEEPER, parts, is_folder=True)
        return stray

    def followed(self, name: str) -> None:
        """Count a link that was followed."""
        self.num_links += 1
        if len(self.links) < 5:
            self.links.append(printable(name, 200))


class _Misplaced(NamedTuple):
    """Why a path is no image; `length` is the number of its parts that the entry left out has."""

    reason: Reason
    length: int


def _has_two_splits(parts: tuple[str, ...]) -> bool:
    """Whether a path begins as ``test/train`` does: with a class of that name, or with a top folder of that name."""
    return len(parts) > 1 and parts[0] in _SPLITS and parts[1] in _SPLITS


def _judge(parts: tuple[str, ...], is_folder: bool) -> ImageKey | _Misplaced | None:
    """The place of a path in a data set; of a class folder the key with an empty file name.

    None for a folder above the classes.
    """
    for length, part in enumerate(parts, 1):
        if is_hidden(part):
            return _Misplaced(Reason.HIDDEN, length)
    size = len(parts) + is_folder
    depth = 0 if parts[0] in _SPLITS and not (size >= 4 and parts[1] in _SPLITS) else 1
    if len(parts) <= depth:
        return None if is_folder else _Misplaced(Reason.OUTSIDE, len(parts))
    if parts[depth] not in _SPLITS:
        return _Misplaced(Reason.OUTSIDE, depth + 1)
    if size > depth + 3:
        return _Misplaced(Reason.DEEPER, depth + 3)
    if size < depth + 3:
        return None if is_folder else _Misplaced(Reason.OUTSIDE, len(parts))
    key = ImageKey(parts[depth], parts[depth + 1], "" if is_folder else parts[-1])
    if not is_folder and not key.file_name.lower().endswith(_SUFFIXES):
        return _Misplaced(Reason.FORMAT, len(parts))
    return key


def read_images(path: Path, contents: SourceContents) -> Iterator[tuple[ImageKey, bytes]]:
    """Every image of a source with its bytes, in the source's own order.

    Raises:
        DatasetError: The source is missing, damaged, or inflates beyond its budget.
    """
    name = contents.name
    try:
        if path.is_dir():
            yield from _folder_images(path, contents)
        elif path.is_file():
            yield from _archive_images(path, contents)
        else:
            what = "is neither a folder nor an archive" if path.exists() else "does not exist"
            raise DatasetError(name, f"{path} {what}. Give a folder, or a tar or zip archive, that holds {LAYOUT}.")
    except ArchiveError as error:
        raise DatasetError(name, f"{error} Or unpack it and add the folder.") from error
    except OSError as error:
        place = getattr(error, "filename", None) or path
        raise DatasetError(
            name, f"{printable(os.fsdecode(place), 300)} cannot be read ({reason_of(error)})."
        ) from error


def source_kind(path: Path) -> str:
    """``folder``, ``zip`` or ``tar``; the last for anything else, too."""
    if path.is_dir():
        return "folder"
    if not path.is_file():  # Opening a pipe would wait for a writer.
        return "tar"
    try:
        with path.open("rb") as file:
            return "zip" if file.read(4) in ZIP_MAGIC else "tar"
    except OSError:
        return "tar"


def _folder_images(
    folder: Path, contents: SourceContents, root: Path | None = None, parts: tuple[str, ...] = ()
) -> Iterator[tuple[ImageKey, bytes]]:
    """The images below a folder of the source; `parts` is its path inside the source, `root` the source's own."""
    root = root or folder.resolve(strict=True)
    with os.scandir(folder) as listed:
        entries = sorted(listed, key=lambda entry: entry.name)
    for entry in entries:
        inside = (*parts, entry.name)
        path = _follow(entry, root)
        if isinstance(path, Reason):
            contents.left_out.add(path, inside)
        elif path.is_dir():
            if contents.enter(inside):
                if entry.is_symlink():
                    contents.followed("/".join(inside) + "/")
                yield from _folder_images(path, contents, root, inside)
        elif key := contents.image(inside):
            content = _content(path) if path.is_file() else None
            if content is None:
                contents.left_out.add(Reason.SPECIAL, inside)
                continue
            if entry.is_symlink():
                contents.followed(key.name)
            yield key, content


def _follow(entry: "os.DirEntry[str]", root: Path) -> Path | Reason:
    """Where an entry of a folder leads, or why it is not followed."""
    path = Path(entry.path)
    if is_hidden(entry.name) or not entry.is_symlink():
        return path
    try:
        path = path.resolve(strict=True)
    except (OSError, RuntimeError):  # It leads nowhere, or in a circle.
        return Reason.LINK_BROKEN
    return path if path.is_relative_to(root) else Reason.LINK_OUTSIDE


def _content(path: Path) -> bytes | None:
    """The bytes of a regular file, up to one more than it may have; None for a pipe or a device.

    A second name of the file elsewhere is no matter here: it is only read.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        return file.read(MAX_FILE_BYTES + 1) if stat.S_ISREG(os.fstat(descriptor).st_mode) else None


class _Links(msgspec.Struct):
    """The links of an archive: where each leads, and those in an image's place."""

    targets: dict[tuple[str, ...], tuple[str, ...]] = msgspec.field(default_factory=dict)
    images: dict[tuple[str, ...], ImageKey] = msgspec.field(default_factory=dict)


def _entries(path: Path) -> Iterator[Entry]:
    return entries(path, Limits(least_bytes=_BUDGET_BYTES, ratio=_BUDGET_RATIO))


def _archive_images(path: Path, contents: SourceContents) -> Iterator[tuple[ImageKey, bytes]]:
    """Files first; the archive is read once more if links lead to some of its files."""
    links = _Links()
    for entry in _entries(path):
        parts = inside(entry.name)
        if parts is None:
            contents.left_out.add(Reason.UNSAFE_NAME, (entry.name,))
        elif parts and entry.kind is Kind.FILE:
            if key := contents.image(parts):
                yield key, entry.read(MAX_FILE_BYTES)
        elif parts:
            _note(entry, parts, contents, links)
    if links.images:
        yield from _linked_images(path, contents, links)


def _note(entry: Entry, parts: tuple[str, ...], contents: SourceContents, links: _Links) -> None:
    """Take in a member of an archive that is no file."""
    if entry.kind is Kind.FOLDER:
        contents.enter(parts)
    elif entry.kind is Kind.SPECIAL:
        contents.left_out.add(Reason.SPECIAL, parts)
    elif entry.target is None:
        contents.left_out.add(Reason.LINK_OUTSIDE, parts)
    else:
        links.targets[parts] = entry.target
        if parts not in links.images and (key := contents.image(parts)):
            links.images[parts] = key


def _linked_images(path: Path, contents: SourceContents, links: _Links) -> Iterator[tuple[ImageKey, bytes]]:
    wanted: dict[tuple[str, ...], list[ImageKey]] = {}
    for parts, key in links.images.items():
        wanted.setdefault(_last_target(links.targets, parts), []).append(key)
    for entry in _entries(path):
        parts = inside(entry.name) or ()
        if entry.kind is Kind.FILE and parts in wanted:
            content = entry.read(MAX_FILE_BYTES)
            for key in wanted.pop(parts):
                contents.followed(key.name)
                yield key, content
    for key in (key for keys in wanted.values() for key in keys):
        contents.left_out.add(Reason.LINK_BROKEN, key)


def _last_target(links: dict[tuple[str, ...], tuple[str, ...]], parts: tuple[str, ...]) -> tuple[str, ...]:
    for _ in range(_MAX_LINK_HOPS):
        if parts not in links:
            break
        parts = links[parts]
    return parts
