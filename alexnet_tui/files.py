"""Files that must survive crashes and hostile neighbours: atomic writes, locks, reads that follow no link."""

import fcntl
import os
import platform
import signal
import stat
import time
from pathlib import Path

import msgspec

from alexnet_tui.errors import RunBusyError, StoreError
from alexnet_tui.text import printable

LOCK_FILE = "lock"
LOCK_VARIABLE = "ALEXNET_TUI_LOCK_FD"
"""Tells a trainer which descriptor holds the lock that its launcher took for it."""
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
"""What asks a trainer to write a checkpoint and leave; a launcher holds them back until it can answer."""
_MAX_JSON_BYTES, _PIECE_BYTES = 1 << 20, 1 << 14


class Owner(msgspec.Struct, frozen=True, kw_only=True):
    """Who holds a run's lock: enough to know the process again."""

    pid: int
    host: str
    start_seconds: float


def take_lock(directory: Path, patience_seconds: float = 0.5) -> int:
    """Take a run's lock and return the descriptor that holds it; closing every copy releases it.

    Viewers hold the lock for microseconds when they look, hence the patience.

    Raises:
        RunBusyError: Another trainer holds it.
        StoreError: The lock file cannot be written, or the file system has no locks.
    """
    path = directory / LOCK_FILE
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags, 0o644)
    except OSError as error:
        raise StoreError(path, f"the run cannot be locked ({reason_of(error)}).") from error
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise StoreError(path, "this is not a regular file; the run cannot be locked.")
        if not _flock_patiently(descriptor, path, patience_seconds):
            raise RunBusyError(f"run {directory.name} is already being trained by {_describe_owner(path)}.")
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _flock_patiently(descriptor: int, path: Path, patience_seconds: float) -> bool:
    """Take the lock if it comes free within the time; whether it did."""
    deadline = time.monotonic() + patience_seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.01)
        except OSError as error:
            raise StoreError(path, f"the run cannot be locked ({reason_of(error)}).") from error
        else:
            return True


def _describe_owner(path: Path) -> str:
    """Who says in the lock file to hold it, for people."""
    try:
        owner = msgspec.json.decode(read_small(path) or b"", type=Owner)
    except (StoreError, msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return "an unknown process"
    return f"process {owner.pid} on {printable(owner.host, 80)}"


def write_owner(descriptor: int, pid: int, start_seconds: float) -> None:
    """Write into the lock file who holds it; `start_seconds` is the process' start since 1970."""
    content = msgspec.json.encode(Owner(pid=pid, host=platform.node(), start_seconds=start_seconds))
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, content, 0)


def write_atomic(path: Path, content: bytes) -> None:
    """Replace a file so that a crash leaves the old content or the new, never a part.

    Raises:
        OSError: The folder cannot be written.
    """
    # A name nobody can foresee, opened only if it is new: a link planted there would send the content elsewhere.
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{os.urandom(4).hex()}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def sync_directory(directory: Path) -> None:
    """Make a rename in a folder survive a power cut."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_small(path: Path) -> bytes | None:
    """Content of a small regular file, or None where there is none; never follows a link.

    Raises:
        StoreError: The file is larger than a record can be, or cannot be read.
    """
    descriptor = open_regular(path)
    if descriptor is None:
        return None
    content = b""
    try:
        # In small pieces: room for the largest file would cost more than all there is to read.
        while len(content) <= _MAX_JSON_BYTES and (piece := os.read(descriptor, _PIECE_BYTES)):
            content += piece
    finally:
        os.close(descriptor)
    if len(content) > _MAX_JSON_BYTES:
        raise StoreError(path, "the file is too large to be what it should be.")
    return content


def reason_of(error: OSError) -> str:
    """What the operating system says, in lower case: ``no space left on device``."""
    return (error.strerror or str(error)).lower()


def is_locked(path: Path) -> bool:
    """Whether some process holds the lock on a file; False where there is no file.

    Raises:
        StoreError: The path is no regular file, may not be read, or lies where there are no locks.
    """
    descriptor = open_regular(path)
    if descriptor is None:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError as error:
        raise StoreError(path, f"the lock cannot be looked at ({reason_of(error)}).") from error
    finally:
        os.close(descriptor)
    return False


def open_regular(path: Path) -> int | None:
    """A read descriptor of a regular file; None where there is no such file.

    Raises:
        StoreError: The path is a link, a pipe or a device, or may not be read.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreError(path, f"the file cannot be read ({reason_of(error)}).") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise StoreError(path, "this is not a regular file; it is not read.")
    return descriptor
