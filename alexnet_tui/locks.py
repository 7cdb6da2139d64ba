"""Locks on files, which a process that dies releases, and who holds them.

A run's ``lock`` names its trainer: number of the process, host, and when it started. Where a file system has no locks,
a file of this user on this host is locked in its place.
"""

import errno
import fcntl
import math
import os
import platform
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from alexnet_tui.errors import RunBusyError, StoreError
from alexnet_tui.files import open_regular, open_safely, read_small, reason_of
from alexnet_tui.folder import PRIVATE_FILE, PRIVATE_FOLDER, Folder
from alexnet_tui.json_io import UNDECODABLE
from alexnet_tui.text import printable

LOCK_FILE = "lock"
_POLL_SECONDS, _START_TOLERANCE_SECONDS = 0.01, 1.5
_FORBIDDEN = frozenset((errno.EROFS, errno.EACCES, errno.EPERM))


@contextmanager
def locked(path: Path, *, wait_seconds: float = math.inf) -> Iterator[None]:
    """Hold the lock on a file, made if need be, while the block runs; a process that dies releases it.

    What is locked may be another file in its place, and is not handed out: who writes the file opens it by its name.

    Args:
        path: The lock file.
        wait_seconds: How long to wait for another process to release it.

    Raises:
        RunBusyError: Another process holds it for longer than that.
        StoreError: The file cannot be made or is no regular file, or the file system has no locks.
    """
    descriptor = _take(path, f"{path} is held by", wait_seconds)
    try:
        yield
    finally:
        os.close(descriptor)


@contextmanager
def locked_and_removed(path: Path, *, on_wait: Callable[[], object] | None = None) -> Iterator[tuple[int, ...]]:
    """Hold the lock on a file that is removed with the lock, however long that takes.

    Yields the descriptors that a child process must inherit so that it keeps the lock should this one die. They are for
    ``pass_fds`` alone: what they lock may be another file in the place of this one.

    Args:
        path: The lock file.
        on_wait: Called once, before waiting.

    Raises:
        StoreError: The file cannot be made or is no regular file, or the file system has no locks.
    """
    while True:
        descriptor = _take(path, f"{path} is held by", math.inf, on_wait)
        try:
            if not _is_lock_of(descriptor, path):  # Its last holder removed it while this process waited.
                continue
            try:
                yield (descriptor,)
            finally:
                with suppress(OSError):
                    path.unlink()
            return
        finally:
            os.close(descriptor)


@contextmanager
def locked_folder(folder: Folder, *, wait_seconds: float = math.inf) -> Iterator[None]:
    """Hold the lock on a folder itself while the block runs.

    Raises:
        RunBusyError: Another process holds it for longer than `wait_seconds`.
    """
    descriptor = folder.fileno()
    if not has_locks(descriptor):
        with locked(_stand_in(folder.path), wait_seconds=wait_seconds):
            yield
        return
    if not _flock(descriptor, folder.path, wait_seconds):
        raise RunBusyError(f"{folder.path} is being changed by another process; try again.")
    try:
        yield
    finally:
        fcntl.flock(descriptor, fcntl.LOCK_UN)


def _take(path: Path, what_is_held: str, wait_seconds: float, on_wait: Callable[[], object] | None = None) -> int:
    """Take the lock on a file, made if need be; the descriptor that holds it."""
    descriptor = _open_lock(path)
    try:
        if not _flock(descriptor, path, wait_seconds, on_wait):
            raise RunBusyError(f"{what_is_held} {_describe_owner(path)}.")
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


_NO_LOCKS = frozenset((errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS))
"""What a file system says that has no locks, as some network drives."""
_stands_in_for: dict[int, Path] = {}
"""Descriptor of a stand-in to the lock file that cannot be locked itself."""


def _open_lock(path: Path) -> int:
    """A descriptor to lock: of the file, or, where its file system has no locks, of its stand-in on this host."""
    descriptor = _open_lock_file(path)
    if not has_locks(descriptor):
        try:
            stand_in = os.open(_stand_in(path), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, PRIVATE_FILE)
        except OSError as error:
            raise StoreError(path, f"the file system has no locks, nor has {_stand_in(path).parent}.") from error
        finally:
            os.close(descriptor)
        descriptor = stand_in
        _stands_in_for[descriptor] = path
    else:
        _stands_in_for.pop(descriptor, None)
    return descriptor


def _is_lock_of(descriptor: int, path: Path) -> bool:
    """Whether what a descriptor locks is what others would lock for a file; a stand-in is never removed."""
    if _stands_in_for.get(descriptor) == path:
        return True
    try:
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    except FileNotFoundError:
        return False


def has_locks(descriptor: int) -> bool:
    """Whether the file system of an open file has locks at all."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        fcntl.flock(descriptor, fcntl.LOCK_UN)
    except OSError as error:
        return error.errno not in _NO_LOCKS
    return True


def _stand_in(path: Path) -> Path:
    """The file that is locked on this host in place of one that cannot be; it is this user's own.

    Raises:
        StoreError: Its folder belongs to somebody else.
    """
    import hashlib

    return private_temporary_folder() / hashlib.sha256(os.fsencode(os.path.realpath(path))).hexdigest()[:32]


def private_temporary_folder() -> Path:
    """A folder of this user alone on this host, until it is started again.

    Raises:
        StoreError: It belongs to somebody else.
    """
    import tempfile  # Hardly ever needed.

    folder = Path(tempfile.gettempdir()) / f"alexnet-tui-locks-{os.getuid()}"
    with suppress(FileExistsError):
        folder.mkdir(PRIVATE_FOLDER)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
        raise StoreError(folder, "this should be a folder of yours; remove it.")
    return folder


def lock_status(path: Path) -> os.stat_result | None:
    """Status of what is locked for a lock file: the file itself, or its stand-in."""
    descriptor = open_regular(path)
    if descriptor is None:
        return None
    try:
        return os.fstat(descriptor) if has_locks(descriptor) else _stand_in(path).stat()
    except FileNotFoundError:
        return None
    finally:
        os.close(descriptor)


def _open_lock_file(path: Path) -> int:
    try:
        descriptor = open_safely(path, path, os.O_RDWR | os.O_CREAT, mode=PRIVATE_FILE, writes=True)
    except OSError as error:
        advice = " Nothing can be changed or trained where you may not write: use a copy of the folder."
        is_forbidden = error.errno in _FORBIDDEN
        raise StoreError(path, f"the lock cannot be taken ({reason_of(error)}).{advice * is_forbidden}") from error
    if descriptor is None:
        raise StoreError(path, "the lock cannot be taken (its folder is missing).")
    return descriptor


def _flock(descriptor: int, path: Path, wait_seconds: float, on_wait: Callable[[], object] | None = None) -> bool:
    """Take the lock if it comes free within the time; whether it did."""
    deadline = time.monotonic() + wait_seconds
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    return False
                if on_wait is not None:
                    on_wait()
                    on_wait = None
                if math.isinf(wait_seconds):
                    fcntl.flock(descriptor, fcntl.LOCK_EX)
                    return True
                time.sleep(_POLL_SECONDS)
            else:
                return True
    except OSError as error:
        raise StoreError(path, f"the lock cannot be taken ({reason_of(error)}).") from error


class Owner(msgspec.Struct, frozen=True, kw_only=True):
    """Who holds a run's lock: enough to know the process again.

    Attributes:
        pid: Its number.
        host: The machine.
        start_seconds: When the process started, in seconds since 1970.
    """

    pid: int
    host: str
    start_seconds: float

    def has_started_at(self, seconds: float) -> bool:
        """Whether a process that started then, by the system's own clock, may be this one."""
        return abs(seconds - self.start_seconds) < _START_TOLERANCE_SECONDS


def take_lock(directory: Path, patience_seconds: float = 0.5, name: str = LOCK_FILE) -> int:
    """Take a run's lock and return the descriptor that holds it; closing every copy releases it.

    Viewers hold the lock for microseconds when they look, hence the patience.

    Args:
        directory: The run's.
        patience_seconds: How long to wait for another process to release it.
        name: Name of the lock file.

    Raises:
        RunBusyError: Another trainer holds it.
        StoreError: The lock file cannot be written, or the file system has no locks.
    """
    return _take(directory / name, f"run {directory.name} is already being trained by", patience_seconds)


def read_owner(path: Path) -> Owner | None:
    """Who last took a lock, as the lock file says; None where it does not say.

    Raises:
        StoreError: The file is no regular file, or cannot be read.
    """
    return decode_owner(read_small(path))


def decode_owner(content: bytes | None) -> Owner | None:
    """Who took a lock, as its file says; None where there is no file, or it does not say."""
    try:
        return msgspec.json.decode(content or b"", type=Owner)
    except UNDECODABLE:
        return None


def _describe_owner(path: Path) -> str:
    try:
        owner = read_owner(path)
    except StoreError:
        owner = None
    return f"process {owner.pid} on {printable(owner.host, 80)}" if owner else "an unknown process"


def write_owner(descriptor: int, pid: int, start_seconds: float) -> None:
    """Write into the lock file who holds it; `start_seconds` is the process' start since 1970."""
    content = msgspec.json.encode(Owner(pid=pid, host=platform.node(), start_seconds=start_seconds))
    path = _stands_in_for.get(descriptor)
    target = descriptor if path is None else _open_lock_file(path)
    try:
        os.ftruncate(target, 0)
        os.pwrite(target, content, 0)
    finally:
        if path is not None:
            os.close(target)


def is_locked(path: Path) -> bool:
    """Whether some process holds the lock on a file; False where there is no file.

    Raises:
        StoreError: The path is no regular file, may not be read, or is where there are no locks.
    """
    try:
        return _is_held(path)
    except OSError as error:
        if error.errno in _NO_LOCKS:
            return _is_held(_stand_in(path))
        raise StoreError(path, f"the lock cannot be looked at ({reason_of(error)}).") from error


def _is_held(path: Path) -> bool:
    descriptor = open_regular(path)
    if descriptor is None:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
