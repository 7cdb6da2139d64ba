"""Files that survive crashes and hostile neighbours: opened without following a link, replaced as a whole.

For files of the user's own, by path. What is in a folder that somebody else may have made is reached through `Folder`,
which builds on the functions here; a file that a person named with ``-o`` is written by `write_output`.
"""

import errno
import os
import re
import stat
from contextlib import suppress
from pathlib import Path

from alexnet_tui.errors import StoreError
from alexnet_tui.paths import shipped_runs

FULL_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What a write says that found no room: on the disk, in a quota, or below a limit on the size of files."""
OPEN_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
MAX_JSON_BYTES = 1 << 20
TEMPORARY = re.compile(r"\.(.+)\.\d+-[0-9a-f]{8}\.tmp", re.DOTALL)
"""What `temporary_name` gives, with the name it was made of."""
_PIECE_BYTES = 1 << 14
Stamp = tuple[int, int, int]
_SAFE = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY


def reason_of(error: OSError) -> str:
    """What the operating system says, in lower case: ``no space left on device``."""
    return (error.strerror or str(error)).lower()


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


def read_all(descriptor: int, path: Path, limit_bytes: int) -> bytes:
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


def read_small(path: Path) -> bytes | None:
    """Content of a regular file of at most 1 MiB, or None where there is none; never follows a link.

    Raises:
        StoreError: The file is larger than a record can be, is no regular file, or cannot be read.
    """
    descriptor = open_regular(path)
    return None if descriptor is None else read_all(descriptor, path, MAX_JSON_BYTES)


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
    folder = os.open(path.parent, OPEN_FOLDER)
    try:
        replace(path.name, content, mode, folder)
        os.fsync(folder)
    finally:
        os.close(folder)


def temporary_name(name: str) -> str:
    """What a file or folder is called until it is whole: nobody can foresee it, and `Folder.sweep` knows it."""
    return f".{name[:200]}.{os.getpid()}-{os.urandom(4).hex()}.tmp"


def replace(name: str, content: bytes | memoryview, mode: int | None, folder: int) -> None:
    """Replace a file of a folder that is open; see `write_atomic`. The caller makes the rename last with `os.fsync`.

    Raises:
        OSError: The folder cannot be written; nothing half-written stays.
    """
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


def file_stamp(path: Path | str, *, follows_links: bool = False) -> Stamp | None:
    """Date, size and number of a file or folder, which change whenever it does; None where there is none."""
    try:
        status = os.stat(path, follow_symlinks=follows_links)
    except (OSError, ValueError):  # A text that a person types may be no path.
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def sync_directory(directory: Path) -> None:
    """Make a rename in a folder survive a power cut."""
    descriptor = os.open(directory, OPEN_FOLDER)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256_of(content: bytes) -> str:
    """The SHA-256 of some bytes, in hexadecimal."""
    import hashlib  # Loads OpenSSL.

    return hashlib.sha256(content).hexdigest()
