"""Tar and zip archives from somebody else, read front to back and never extracted by the libraries' own means.

An archive is hostile input: what it may inflate to and how many entries it may have is limited, a name that leads out
of it is none, damage is an error, and links, devices and sparse files are named as what they are.
"""

import bz2
import errno
import gzip
import io
import lzma
import os
import posixpath
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum, auto
from pathlib import Path
from typing import IO, Self

import msgspec

from alexnet_tui.errors import ArchiveError
from alexnet_tui.text import printable

ZIP_MAGIC = (b"PK\x03\x04", b"PK\x05\x06")
_MAX_HEADER_BYTES = 1 << 20
_PIECE_BYTES = 1 << 20
_DAMAGED = (
    tarfile.TarError,
    zipfile.BadZipFile,
    EOFError,
    zlib.error,
    lzma.LZMAError,
    # A zip archive's directory with impossible numbers, and its ways of compression that Python lacks.
    NotImplementedError,
    OverflowError,
    ValueError,  # A tar archive's header whose numbers or names are none.
    struct.error,
)
_DAMAGED_ERRNOS = (None, errno.EINVAL)
"""Of an `OSError` that says damage: bz2 raises one without a number, a zip archive's place before its start EINVAL."""


class Kind(Enum):
    """What an entry of an archive is."""

    FILE = auto()
    FOLDER = auto()
    LINK = auto()
    SPECIAL = auto()


class Entry(msgspec.Struct, frozen=True):
    """A member of an archive.

    Attributes:
        name: As the archive has it; not safe to print or to use as a path, see `inside`.
        kind: What it is.
        pieces: Gives the content of a file, piece by piece, before the next entry is asked for.
        target: Path that a link leads to, from the archive's root; None where it leads out of it.
    """

    name: str
    kind: Kind
    pieces: Callable[[], Iterator[bytes]] = lambda: iter(())
    target: tuple[str, ...] | None = None

    def read(self, limit_bytes: int) -> bytes:
        """The content of a file, cut off after `limit_bytes` and one more."""
        content = bytearray()
        for piece in self.pieces():
            content += piece
            if len(content) > limit_bytes:
                break
        return bytes(content[: limit_bytes + 1])


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How large an archive may be.

    Attributes:
        least_bytes: What any archive may inflate to.
        ratio: How many times its own size it may inflate to beyond that.
        entries: How many entries it may have.
    """

    least_bytes: int
    ratio: int
    entries: int = 1 << 40


def inside(path: str) -> tuple[str, ...] | None:
    """The parts of a relative path that stays inside the archive, or None."""
    if path.startswith("/") or "\0" in path:
        return None
    parts = tuple(part for part in path.split("/") if part not in {"", "."})
    return None if ".." in parts else parts


def entries(path: Path, limits: Limits) -> Iterator[Entry]:
    """The entries of an archive in its own order.

    Raises:
        ArchiveError: It is no archive, damaged, encrypted, or larger than the limits.
        OSError: It cannot be read.
    """
    with _damage_named(path), path.open("rb") as raw:
        magic = raw.read(6)
        raw.seek(0)
        budget = _Budget(path, limits.least_bytes + limits.ratio * os.fstat(raw.fileno()).st_size)
        if magic.startswith(ZIP_MAGIC):
            found = _zip_entries(raw, budget)
        else:
            opener = next((opener for start, opener in _OPENERS if magic.startswith(start)), None)
            inflated: IO[bytes] = opener(raw) if opener else raw  # type: ignore[assignment]
            found = _tar_entries(_BoundedStream(inflated, budget), path)
        for number, entry in enumerate(found, 1):
            if number > limits.entries:
                raise ArchiveError(f"{path} has more than {limits.entries:,} entries.")
            yield entry


@contextmanager
def _damage_named(path: Path) -> Iterator[None]:
    """Turn what the libraries raise for damage into an `ArchiveError`."""
    try:
        yield
    except (*_DAMAGED, OSError) as error:
        if isinstance(error, OSError) and error.errno not in _DAMAGED_ERRNOS:
            raise
        raise ArchiveError(
            f"{path} is not a whole tar or zip archive ({printable(str(error), 200)}). Copy or download it again."
        ) from error


_OPENERS = ((b"\x1f\x8b", gzip.open), (b"BZh", bz2.open), (b"\xfd7zXZ", lzma.open))


class _Budget:
    """Counts down the bytes that an archive may inflate to: a bomb is cut off while it inflates."""

    def __init__(self, path: Path, budget_bytes: int) -> None:
        self.path, self._left = path, budget_bytes
        self._refusal = f"{path} inflates to more than {budget_bytes:,} bytes; that is no archive of this kind."

    def spend(self, content: bytes) -> bytes:
        """Count some content, and give it back."""
        self._left -= len(content)
        if self._left < 0:
            raise ArchiveError(self._refusal)
        return content


class _BoundedStream(io.RawIOBase):
    """A stream that refuses to give more bytes than its budget has."""

    def __init__(self, file: IO[bytes], budget: _Budget) -> None:
        self._file, self._budget = file, budget

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        return self._budget.spend(self._file.read(min(size, _PIECE_BYTES) if size >= 0 else _PIECE_BYTES))


class _StrictTarInfo(tarfile.TarInfo):
    """A header reader that does not take damage for the end of the archive, as tarfile does."""

    _LONG_HEADERS = (tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE, tarfile.XGLTYPE)

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        """A header; tarfile would read names of any length into memory."""
        header = super().frombuf(buf, encoding, errors)
        if header.type in cls._LONG_HEADERS and header.size > _MAX_HEADER_BYTES:
            raise tarfile.ReadError(f"a name in it has {header.size:,} bytes")
        return header

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> Self:
        try:
            return super().fromtarfile(archive)
        except tarfile.HeaderError as error:
            # The zero block that ends every archive; its class is not in the public interface.
            if type(error).__name__ == "EOFHeaderError":
                raise
            raise tarfile.ReadError(f"it ends early or is damaged: {error}") from error


def _tar_entries(stream: _BoundedStream, path: Path) -> Iterator[Entry]:
    with tarfile.open(fileobj=stream, mode="r|", tarinfo=_StrictTarInfo) as archive:
        for member in archive:
            # In a stream tarfile would keep every header; a million of them is a lot of memory.
            archive.members = []  # type: ignore[attr-defined]
            if member.isdir():
                yield Entry(member.name, Kind.FOLDER)
            elif member.isreg() and not member.issparse():  # The holes of a sparse file cost no byte of the archive.
                yield Entry(member.name, Kind.FILE, lambda member=member: _tar_pieces(archive, member, path))  # type: ignore[misc]
            elif member.issym() or member.islnk():
                base = posixpath.dirname(member.name) if member.issym() else ""
                yield Entry(member.name, Kind.LINK, target=_link_target(base, member.linkname))
            else:
                yield Entry(member.name, Kind.SPECIAL)
    # What follows the last member still has to inflate: the checksum of the archive is there.
    while stream.read(_PIECE_BYTES):
        pass


def _link_target(base: str, target: str) -> tuple[str, ...] | None:
    """Where a link leads from a folder of the archive; None out of the archive."""
    return None if target.startswith("/") else inside(posixpath.normpath(posixpath.join(base, target)))


def _tar_pieces(archive: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> Iterator[bytes]:
    with _damage_named(path):
        file = archive.extractfile(member)
        assert file is not None
        while piece := file.read(_PIECE_BYTES):
            yield piece


def _zip_entries(raw: IO[bytes], budget: _Budget) -> Iterator[Entry]:
    with zipfile.ZipFile(raw) as archive:
        for member in archive.infolist():
            if member.flag_bits & 1:
                raise ArchiveError(f"{budget.path} is encrypted. Decrypt it first.")
            # The upper half is the mode where the archive was made by a Unix; zero elsewhere.
            mode = member.external_attr >> 16
            if member.filename.endswith("/"):
                yield Entry(member.filename, Kind.FOLDER)
            elif stat.S_ISLNK(mode):
                target = next(_zip_pieces(archive, member, budget), b"")[:4096].decode(errors="surrogateescape")
                base = posixpath.dirname(member.filename)
                yield Entry(member.filename, Kind.LINK, target=_link_target(base, target))
            elif stat.S_IFMT(mode) in {0, stat.S_IFREG}:
                yield Entry(
                    member.filename,
                    Kind.FILE,
                    lambda member=member: _zip_pieces(archive, member, budget),  # type: ignore[misc]
                )
            else:
                yield Entry(member.filename, Kind.SPECIAL)


def _zip_pieces(archive: zipfile.ZipFile, member: zipfile.ZipInfo, budget: _Budget) -> Iterator[bytes]:
    with _damage_named(budget.path), archive.open(member) as file:
        while piece := budget.spend(file.read(_PIECE_BYTES)):
            yield piece
