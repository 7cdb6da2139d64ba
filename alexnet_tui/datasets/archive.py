"""Where images come from: a folder or a tar archive, read front to back and never extracted.

A source is hostile input. Only regular files named ``[TOP/]train|test|val/CLASS/NAME.jpg|jpeg|png`` are
read; links, devices, names that lead outside and everything else are counted and left alone. What an archive
may inflate to has a budget.
"""

import bz2
import gzip
import io
import lzma
import os
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, NamedTuple, Self

from alexnet_tui.errors import DatasetError, StoreError
from alexnet_tui.files import open_regular, reason_of
from alexnet_tui.text import printable

_SPLITS = ("train", "test", "val")
_SUFFIXES = (".jpg", ".jpeg", ".png")
# Images are compressed already, so an archive that inflates far beyond its own size is not one of images.
_BUDGET_BYTES, _BUDGET_RATIO = 1 << 30, 50
_MAX_FILE_BYTES = 64 << 20
LAYOUT = "train/CLASS/*.jpg and test/CLASS/*.jpg (or val/...; .jpeg and .png too)"


class Key(NamedTuple):
    """Where an image stands in its source."""

    split: str
    class_name: str
    file_name: str

    @property
    def name(self) -> str:
        """The path inside the source, without a top folder."""
        return "/".join(self)


@dataclass(kw_only=True, slots=True)
class Listing:
    """Collected while a source is read.

    Attributes:
        name: Of the data set.
        tops: Folders above train, test and val.
        folders: Split and class of every class folder, empty ones too.
        num_ignored: Entries that are no images of the set.
    """

    name: str
    tops: set[str] = field(default_factory=set)
    folders: set[tuple[str, str]] = field(default_factory=set)
    num_ignored: int = 0

    def folder(self, path: str) -> None:
        """Note a folder that may be a class."""
        parts = _parts(path)
        key = _locate([*parts, "x.png"]) if parts else None
        if key:
            self.folders.add(key[1][:2])

    def file(self, path: str) -> Key | None:
        """The key of an image, or None for what is not one of ours."""
        parts = _parts(path)
        found = _locate(parts) if parts else None
        if found is None or not found[1].file_name.lower().endswith(_SUFFIXES):
            self.num_ignored += 1
            return None
        top, key = found
        self.tops.add(top)
        if len(self.tops) > 1:
            names = " and ".join(printable(item, 60) or "the top" for item in sorted(self.tops))
            raise DatasetError(self.name, f"there are train, test or val folders in {names}; add one of them.")
        self.folders.add(key[:2])
        return key


def _parts(path: str) -> list[str] | None:
    """The parts of a relative path that stays inside, or None."""
    if path.startswith("/") or "\0" in path:
        return None
    parts = [part for part in path.split("/") if part not in {"", "."}]
    return None if ".." in parts else parts


def _locate(parts: list[str]) -> tuple[str, Key] | None:
    for depth in (0, 1):
        if len(parts) == depth + 3 and parts[depth] in _SPLITS and not parts[-1].startswith("."):
            return "/".join(parts[:depth]), Key(*parts[depth:])
    return None


def members(path: Path, listing: Listing) -> Iterator[tuple[Key, bytes]]:
    """Every image of a source with its bytes, in the source's own order.

    Raises:
        DatasetError: The source is missing, damaged, or inflates beyond its budget.
    """
    name = listing.name
    try:
        if path.is_dir():
            yield from _folder_members(path, listing)
        elif path.is_file():
            yield from _tar_members(path, listing)
        else:
            what = "is neither a folder nor an archive" if path.exists() else "does not exist"
            raise DatasetError(name, f"{path} {what}. Give a folder or a tar archive that holds {LAYOUT}.")
    except (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise DatasetError(name, f"{path} is not a whole tar archive ({error}). Copy or download it again.") from error
    except (OSError, StoreError) as error:
        reason = reason_of(error) if isinstance(error, OSError) else str(error)
        raise DatasetError(name, f"{path} cannot be read ({reason}).") from error


def _folder_members(path: Path, listing: Listing) -> Iterator[tuple[Key, bytes]]:
    """Links inside the folder are not followed."""

    def refuse(error: OSError) -> None:
        raise error

    for folder, folders, files in os.walk(path, onerror=refuse):
        inside = Path(folder).relative_to(path)
        folders.sort()
        if len(inside.parts) >= 4:
            folders.clear()
        listing.folder(inside.as_posix())
        listing.num_ignored += sum((Path(folder) / name).is_symlink() for name in folders)
        for file_name in sorted(files):
            full = Path(folder) / file_name
            key = listing.file((inside / file_name).as_posix())
            if key is None:
                continue
            if full.is_symlink() or not full.is_file():
                listing.num_ignored += 1
                continue
            descriptor = open_regular(full)
            if descriptor is not None:
                with os.fdopen(descriptor, "rb") as file:
                    yield key, file.read(_MAX_FILE_BYTES)


class _StrictTarInfo(tarfile.TarInfo):
    """A header reader that does not take damage for the end of the archive, as tarfile does."""

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> Self:
        try:
            return super().fromtarfile(archive)
        except tarfile.HeaderError as error:
            # The zero block that ends every archive; its class is not in the public interface.
            if type(error).__name__ == "EOFHeaderError":
                raise
            raise tarfile.ReadError(f"it ends early or is damaged: {error}") from error


class _Budget(io.RawIOBase):
    """A stream that refuses to give more bytes than its budget: a bomb is cut off while it inflates."""

    def __init__(self, name: str, path: Path, file: IO[bytes], budget_bytes: int) -> None:
        self._file, self._left = file, budget_bytes
        self._refusal = f"{path} inflates to more than {budget_bytes:,} bytes; it is no archive of images."
        self._name = name

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        content = self._file.read(min(size, 1 << 20) if size >= 0 else 1 << 20)
        self._left -= len(content)
        if self._left < 0:
            raise DatasetError(self._name, self._refusal)
        return content


_OPENERS = ((b"\x1f\x8b", gzip.open), (b"BZh", bz2.open), (b"\xfd7zXZ", lzma.open))


def _tar_members(path: Path, listing: Listing) -> Iterator[tuple[Key, bytes]]:
    with path.open("rb") as raw:
        magic = raw.read(6)
        raw.seek(0)
        opener = next((opener for start, opener in _OPENERS if magic.startswith(start)), None)
        inflated: IO[bytes] = opener(raw) if opener else raw  # type: ignore[assignment]
        size = os.fstat(raw.fileno()).st_size
        budget = _Budget(listing.name, path, inflated, _BUDGET_BYTES + _BUDGET_RATIO * size)
        with tarfile.open(fileobj=budget, mode="r|", tarinfo=_StrictTarInfo) as archive:
            for member in archive:
                # In a stream tarfile would keep every header; a million of them is a lot of memory.
                archive.members = []  # type: ignore[attr-defined]
                if member.isdir():
                    listing.folder(member.name)
                    continue
                if not member.isreg():
                    listing.num_ignored += 1
                    continue
                key = listing.file(member.name)
                if key is None:
                    continue
                file = archive.extractfile(member)
                assert file is not None
                content = file.read(min(member.size, _MAX_FILE_BYTES))
                yield key, content
        # What follows the last member still has to inflate: the checksum of the archive stands there.
        while budget.read(1 << 20):
            pass
