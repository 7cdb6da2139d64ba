"""Files that survive crashes and hostile neighbours: atomic writes, reads that follow no link.

`Folder` is the one way into a folder that somebody else may have made, such as a run's. The functions that
take a path (`read_small`, `write_atomic`) are for files of the user's own; `write_output` is for a file that
a person named on the command line.
"""

import errno
import fcntl
import itertools
import os
import re
import stat
import sys
from contextlib import suppress
from pathlib import Path
from typing import Self

import msgspec

from alexnet_tui.errors import StoreError
from alexnet_tui.paths import shipped_runs
from alexnet_tui.text import json_text, printable, quoted

PRIVATE_FILE, PRIVATE_FOLDER = 0o600, 0o700
"""Modes of what is made in a run's folder: records name machines and paths."""
FULL_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What a write says that found no room: on the disk, in a quota, or below a limit on the size of files."""
_MAX_JSON_BYTES, _PIECE_BYTES = 1 << 20, 1 << 14
_SAFE = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
_OPEN_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_TEMPORARY = re.compile(r"\.(.+)\.\d+-[0-9a-f]{8}\.tmp", re.DOTALL)
"""What `_replace` calls a file until it is whole."""
_OPEN_DESCRIPTOR = re.compile(r"/dev/(std(?:in|out|err))|/(?:dev|proc/(?:self|\d+|thread-self))/fd/(\d+)")
_STANDARD = {"stdin": 0, "stdout": 1, "stderr": 2}
_F_GETPATH = 50  # Of macOS: the path of a descriptor.


# --- a folder somebody else may have made


class Folder:
    """A folder held open by its descriptor, and the one way to read, list, make, replace and remove what is in it.

    A name is one component, resolved against the descriptor and never through a link: neither a link planted in the
    folder nor a rename of the folder leads a read or a write elsewhere. Only regular files with a single name are
    opened: links, hard links, pipes, sockets and devices are refused, and no open blocks. Files are made with mode 600,
    folders with 700.

    A method that looks for something answers None where nothing has the name, and raises `StoreError`, whose message is
    a sentence, where what has it must not be touched. What the disk refuses while writing (full, read-only) comes as
    `OSError` with its number.

    Use it as a context manager, or `close` it::

        with Folder(run_directory) as run:
            content = run.read("notes.json")
            checkpoints = run.make_folder("checkpoints")

    Args:
        path: The folder; its last component must not be a link, unless it is one of the user's own (`follow`).

    Raises:
        StoreError: There is no such folder, it is a link or no folder, or may not be opened.

    Attributes:
        path: Where the folder was when it was opened; for messages, and `is_in_place`.
    """

    __slots__ = ("_descriptor", "path")

    def __init__(self, path: Path, *, follows: bool = False) -> None:
        self.path = path
        self._descriptor = -1
        descriptor = _open_folder(path, path, follows=follows)
        if descriptor is None:
            raise StoreError(path, "there is no such folder.")
        self._descriptor = descriptor

    @classmethod
    def find(cls, path: Path) -> Self | None:
        """The folder at a path, or None where nothing is there."""
        descriptor = _open_folder(path, path)
        return None if descriptor is None else cls._of(path, descriptor)

    @classmethod
    def follow(cls, path: Path) -> Self:
        """The folder at a path of the user's own, where a link is followed, as to a runs folder on another disk."""
        return cls(path, follows=True)

    @classmethod
    def _of(cls, path: Path, descriptor: int) -> Self:
        folder = cls.__new__(cls)
        folder.path, folder._descriptor = path, descriptor
        return folder

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """Give up the descriptor; files and folders opened through it stay open."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def fileno(self) -> int:
        """The descriptor, for `os` functions that take ``dir_fd``."""
        return self._descriptor

    # --- where it is

    def is_in_place(self) -> bool:
        """Whether the path the folder was opened by still leads to it; False once it was moved or removed."""
        try:
            there = os.stat(self.path, follow_symlinks=False)
        except OSError:
            return False
        return os.path.samestat(there, os.fstat(self._descriptor))

    def current_path(self) -> Path | None:
        """Where the folder is now, as the system knows it; None where it was removed or nobody can say."""
        try:
            if sys.platform == "darwin":
                found = fcntl.fcntl(self._descriptor, _F_GETPATH, bytes(1024)).rstrip(b"\0")
            else:
                found = os.readlink(f"/proc/self/fd/{self._descriptor}").encode(errors="surrogateescape")
            path = Path(os.fsdecode(found))
            is_here = os.path.samestat(os.stat(path, follow_symlinks=False), os.fstat(self._descriptor))
        except (OSError, ValueError):
            return None
        return path if is_here else None

    # --- reading

    def names(self) -> list[str]:
        """Names of everything in the folder, sorted."""
        try:
            return sorted(os.listdir(self._descriptor))
        except OSError as error:
            raise StoreError(self.path, f"the folder cannot be listed ({reason_of(error)}).") from error

    def folders(self) -> list[str]:
        """Names of the folders in it, sorted; links to folders are none."""
        return [name for name in self.names() if (status := self.stat(name)) and stat.S_ISDIR(status.st_mode)]

    def stat(self, name: str) -> os.stat_result | None:
        """Status of what has the name, itself and not what a link leads to."""
        try:
            return os.stat(_checked(self.path, name), dir_fd=self._descriptor, follow_symlinks=False)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(self.path / name, f"it cannot be looked at ({reason_of(error)}).") from error

    def exists(self, name: str) -> bool:
        """Whether anything has the name, be it a broken link."""
        return self.stat(name) is not None

    def open(self, name: str) -> int | None:
        """A read descriptor of a regular file."""
        return open_safely(self.path / name, _checked(self.path, name), os.O_RDONLY, self._descriptor)

    def read(self, name: str, limit_bytes: int = _MAX_JSON_BYTES) -> bytes | None:
        """The content of a regular file of at most `limit_bytes`; a larger one is refused."""
        descriptor = self.open(name)
        return None if descriptor is None else _read_all(descriptor, self.path / name, limit_bytes)

    def folder(self, name: str) -> "Folder | None":
        """A folder in this one, held open."""
        path = self.path / name
        descriptor = _open_folder(path, _checked(self.path, name), self._descriptor)
        return None if descriptor is None else Folder._of(path, descriptor)

    # --- writing

    def make_folder(self, name: str) -> "Folder":
        """A folder in this one, made if need be, held open.

        Raises:
            OSError: The disk is full or read-only.
            StoreError: Something else has the name.
        """
        with suppress(FileExistsError):
            os.mkdir(_checked(self.path, name), PRIVATE_FOLDER, dir_fd=self._descriptor)
        found = self.folder(name)
        if found is None:
            raise FileNotFoundError(errno.ENOENT, "the folder was removed while it was made", str(self.path / name))
        return found

    def append(self, name: str) -> int:
        """A descriptor of a regular file, made if need be, that reads anywhere and writes at its end only.

        Raises:
            OSError: The disk is full or read-only.
            StoreError: Something else has the name.
        """
        return self._writable(name, os.O_RDWR | os.O_APPEND | os.O_CREAT)

    def create(self, name: str) -> int:
        """A write descriptor of a file that is new.

        Raises:
            OSError: Something has the name already, or the disk is full or read-only.
        """
        return self._writable(name, os.O_RDWR | os.O_CREAT | os.O_EXCL)

    def _writable(self, name: str, flags: int) -> int:
        descriptor = open_safely(
            self.path / name, _checked(self.path, name), flags, self._descriptor, PRIVATE_FILE, writes=True
        )
        if descriptor is None:
            raise FileNotFoundError(errno.ENOENT, "the folder was removed", str(self.path / name))
        return descriptor

    def write(self, name: str, content: bytes | memoryview) -> None:
        """Replace a file so that a crash leaves the old content or the new; a link of that name is replaced itself.

        Raises:
            OSError: The disk is full or read-only; nothing half-written stays.
        """
        _replace(_checked(self.path, name), content, PRIVATE_FILE, self._descriptor)
        self.sync()

    def sweep(self, *names: str) -> None:
        """Remove what a `write` that was killed left of these files, or of any; the caller is the only one who writes.

        Raises:
            OSError: Something cannot be removed.
        """
        for name in self.names():
            found = _TEMPORARY.fullmatch(name)
            if found and (not names or found[1] in names):
                self.remove(name)

    def rename(self, old: str, new: str, target: "Folder | None" = None) -> None:
        """Rename what has a name, into another folder if one is given.

        Raises:
            OSError: There is none, or the new name is a folder that is not empty.
        """
        into = target or self
        os.rename(
            _checked(self.path, old),
            _checked(into.path, new),
            src_dir_fd=self._descriptor,
            dst_dir_fd=into._descriptor,
        )

    def set_aside(self, name: str, pattern: str) -> str:
        """Rename what has a name to the first free one of a pattern with the places 1, 2, 3...; the new name.

        Raises:
            OSError: There is none.
        """
        numbers = itertools.count(1)
        target = next(free for number in numbers if not self.exists(free := pattern.format(number)))
        self.rename(name, target)
        return target

    def remove(self, name: str) -> None:
        """Remove a file, a link itself, or a folder with all that is in it; nothing of the name is fine.

        Raises:
            OSError: Something in it cannot be removed; what could be is gone.
        """
        status = self.stat(name)
        if status is None:
            return
        if not stat.S_ISDIR(status.st_mode):
            os.unlink(name, dir_fd=self._descriptor)
            return
        import shutil  # Hardly anybody removes anything.

        shutil.rmtree(name, dir_fd=self._descriptor)

    def sync(self) -> None:
        """Make what was made, renamed or removed survive a power cut."""
        os.fsync(self._descriptor)


def _checked(path: Path, name: str) -> str:
    """The name, if it is a single component."""
    if not name or name in {".", ".."} or "/" in name or "\0" in name:
        raise StoreError(path, f"{quoted(name, 80)} is no name of a file.")
    return name


def _open_folder(path: Path, name: str | Path, dir_fd: int | None = None, *, follows: bool = False) -> int | None:
    try:
        return os.open(name, _OPEN_FOLDER | (0 if follows else os.O_NOFOLLOW), dir_fd=dir_fd)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno in {errno.ENOTDIR, errno.ELOOP}:
            raise StoreError(path, "this is a link or no folder; it is not opened.") from error
        raise StoreError(path, f"the folder cannot be opened ({reason_of(error)}).") from error


def open_safely(
    path: Path, name: str | Path, flags: int, dir_fd: int | None = None, mode: int = 0o666, *, writes: bool = False
) -> int | None:
    """A descriptor of a regular file with one name; None where there is none.

    Args:
        path: The file, for messages.
        name: What to open, relative to `dir_fd` if that is given.
        flags: How, beside what keeps it safe.
        dir_fd: Descriptor of a folder.
        mode: Of a file that is made.
        writes: What the disk refuses comes as `OSError`, else as `StoreError`.
    """
    try:
        descriptor = os.open(name, flags | _SAFE, mode, dir_fd=dir_fd)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.EMLINK}:
            raise StoreError(path, "this is a link; it is not followed.") from error
        if error.errno in {errno.ENXIO, errno.EISDIR, errno.ENODEV}:
            raise StoreError(path, "this is not a regular file; it is left alone.") from error
        if writes:
            raise
        raise StoreError(path, f"the file cannot be read ({reason_of(error)}).") from error
    status = os.fstat(descriptor)
    # No name at all: it was replaced just now. Installers link the files of a package to those of their cache.
    has_one_name = status.st_nlink <= 1 or (not writes and path.is_relative_to(shipped_runs()))
    if stat.S_ISREG(status.st_mode) and has_one_name:
        return descriptor
    os.close(descriptor)
    if stat.S_ISREG(status.st_mode):
        raise StoreError(path, "this file has another name elsewhere (a hard link); it is left alone.")
    raise StoreError(path, "this is not a regular file; it is left alone.")


def _read_all(descriptor: int, path: Path, limit_bytes: int) -> bytes:
    """Everything behind a descriptor, which is closed."""
    pieces: list[bytes] = []
    size = 0
    try:
        # In pieces that grow: room for the largest file would cost more than all there usually is to read.
        while size <= limit_bytes and (piece := os.read(descriptor, max(_PIECE_BYTES, size))):
            pieces.append(piece)
            size += len(piece)
    except OSError as error:
        raise StoreError(path, f"the file cannot be read ({reason_of(error)}).") from error
    finally:
        os.close(descriptor)
    if size > limit_bytes:
        raise StoreError(path, "the file is too large to be what it should be.")
    return b"".join(pieces)


def read_tail(descriptor: int | None, limit_bytes: int, start: int = 0) -> str:
    """The end of the text behind a descriptor, which is closed; of no more than what is behind `start`.

    Args:
        descriptor: None stands for no file, and gives no text.
    """
    if descriptor is None:
        return ""
    with os.fdopen(descriptor, "rb") as file:
        file.seek(max(start, os.fstat(descriptor).st_size - limit_bytes))
        return file.read(limit_bytes).decode(errors="replace")


def is_line_open(descriptor: int) -> bool:
    """Whether a file's last line has no end, as a crash leaves it; never true of a pipe or a terminal."""
    try:
        size = os.fstat(descriptor).st_size
        return size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
    except OSError:  # It cannot be read.
        return False


# --- files of the user's own


def read_small(path: Path) -> bytes | None:
    """Content of a regular file of at most 1 MiB, or None where there is none; never follows a link.

    Raises:
        StoreError: The file is larger than a record can be, is no regular file, or cannot be read.
    """
    descriptor = open_regular(path)
    return None if descriptor is None else _read_all(descriptor, path, _MAX_JSON_BYTES)


def open_regular(path: Path) -> int | None:
    """A read descriptor of a regular file; None where there is no such file.

    Raises:
        StoreError: The path is a link, has a second name, is a pipe or a device, or may not be read.
    """
    return open_safely(path, path, os.O_RDONLY)


def write_atomic(path: Path, content: bytes | memoryview, mode: int | None = None) -> None:
    """Replace a file so that a crash leaves the old content or the new, never a part; a link is replaced itself.

    Args:
        path: The file.
        content: What is in it then.
        mode: Its permissions; None gives it those of a new file.

    Raises:
        OSError: The folder cannot be written.
    """
    folder = os.open(path.parent, _OPEN_FOLDER)
    try:
        _replace(path.name, content, mode, folder)
        os.fsync(folder)
    finally:
        os.close(folder)


def temporary_name(name: str) -> str:
    """What a file or folder is called until it is whole: nobody can foresee it, and `Folder.sweep` knows it."""
    return f".{name[:200]}.{os.getpid()}-{os.urandom(4).hex()}.tmp"


def _replace(name: str, content: bytes | memoryview, mode: int | None, folder: int) -> None:
    # A name nobody can foresee, opened only if it is new: a link planted there would send the content elsewhere.
    temporary = temporary_name(name)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(temporary, flags, 0o666 if mode is None else mode, dir_fd=folder)
    try:
        with os.fdopen(descriptor, "wb") as file:
            if mode is not None:
                with suppress(OSError):  # A disk without permissions.
                    os.fchmod(descriptor, mode)  # The umask took some away.
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        os.unlink(temporary, dir_fd=folder)
        raise


def sync_directory(directory: Path) -> None:
    """Make a rename in a folder survive a power cut."""
    descriptor = os.open(directory, _OPEN_FOLDER)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256_of(content: bytes) -> str:
    """The SHA-256 of some bytes, in hexadecimal."""
    import hashlib  # Loads OpenSSL.

    return hashlib.sha256(content).hexdigest()


UNDECODABLE = (msgspec.MsgspecError, RecursionError, UnicodeDecodeError)
"""What decoding JSON that somebody else wrote may raise."""


class _Versioned(msgspec.Struct, frozen=True):
    v: int


_PLACE = re.compile(r" - at `\$\.?(.*)`\Z", re.DOTALL)
_MISSING_FIELD = re.compile(r"Object missing required field `(.*)`\Z", re.DOTALL)


def reason_of_damage(error: Exception) -> str:
    """Why JSON cannot be read, in plain words; `error` is one of `UNDECODABLE`, or has words of this program."""
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, UnicodeDecodeError):
        return "it is no UTF-8 text"
    if isinstance(error, msgspec.DecodeError) and not isinstance(error, msgspec.ValidationError):
        return "it is no JSON, or not all of it"
    text = str(error)
    if isinstance(error, msgspec.ValidationError):
        found = _PLACE.search(text)
        text, where = (text[: found.start()], found[1]) if found else (text, "")
        if missing := _MISSING_FIELD.match(text):
            text = f"{where}.{missing[1]} is missing".lstrip(".")
        elif text.startswith(("Expected ", "Invalid ")):
            text = f"{where} is of the wrong kind or out of range" if where else "it is JSON of another kind"
    return printable(text.rstrip("."), 200)


def version_of(content: bytes) -> int:
    """Version of the format of a JSON object that may be of a newer program, or 0."""
    try:
        return msgspec.json.decode(content, type=_Versioned).v
    except UNDECODABLE:
        return 0


def json_bytes(value: object) -> bytes:
    """JSON for a file that people may open, in UTF-8; what of a file name is no Unicode becomes question marks."""
    return json_text(value, is_ascii=False).encode(errors="replace")


def write_output(path: Path, content: bytes) -> None:
    """Write a file that a person named with ``-o``, the way a shell's ``>`` would, but whole or not at all.

    A link is followed and its target replaced; a device, a pipe or an open descriptor (``/dev/null``, ``/dev/stdout``)
    is written to, never replaced.

    Raises:
        StoreError: It names a folder, or cannot be written.
    """
    try:
        target = _end_of_links(path)
        if (number := _descriptor_number(target)) is not None:
            _write_all(number, content)
        elif target.is_dir():
            raise StoreError(path, "this is a folder; name a file.")
        elif _is_replaceable(target):
            mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else None
            write_atomic(target, content, mode)
        else:
            descriptor = os.open(target, os.O_WRONLY | os.O_NOCTTY | os.O_CLOEXEC)
            try:
                _write_all(descriptor, content)
            finally:
                os.close(descriptor)
    except OSError as error:
        raise StoreError(path, f"the file cannot be written ({reason_of(error)}).") from error


def _end_of_links(path: Path) -> Path:
    """What a chain of links leads to; a link that stands for an open descriptor is the end of one."""
    for _ in range(40):
        if _descriptor_number(path) is not None or not path.is_symlink():
            return path
        path = path.parent / os.readlink(path)
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))


def _descriptor_number(path: Path) -> int | None:
    found = _OPEN_DESCRIPTOR.fullmatch(str(path))
    if found is None:
        return None
    return _STANDARD[found[1]] if found[1] else int(found[2])


def _is_replaceable(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except FileNotFoundError:
        return True


def _write_all(descriptor: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def reason_of(error: OSError) -> str:
    """What the operating system says, in lower case: ``no space left on device``."""
    return (error.strerror or str(error)).lower()
