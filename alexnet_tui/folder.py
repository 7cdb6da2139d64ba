"""`Folder`: the one way into a folder that somebody else may have made, such as a run's."""

import errno
import fcntl
import itertools
import os
import stat
import sys
from contextlib import suppress
from pathlib import Path
from typing import Self

from alexnet_tui.errors import StoreError
from alexnet_tui.files import MAX_JSON_BYTES, OPEN_FOLDER, TEMPORARY, open_safely, read_all, reason_of, replace
from alexnet_tui.text import quoted

PRIVATE_FILE, PRIVATE_FOLDER = 0o600, 0o700
"""Modes of what is made in a run's folder: records name machines and paths."""
_F_GETPATH = 50  # Of macOS: the path of a descriptor.


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

    def read(self, name: str, limit_bytes: int = MAX_JSON_BYTES) -> bytes | None:
        """The content of a regular file of at most `limit_bytes`; a larger one is refused."""
        descriptor = self.open(name)
        return None if descriptor is None else read_all(descriptor, self.path / name, limit_bytes)

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
        replace(_checked(self.path, name), content, PRIVATE_FILE, self._descriptor)
        self.sync()

    def sweep(self, *names: str) -> None:
        """Remove what a `write` that was killed left of these files, or of any; the caller is the only one who writes.

        Raises:
            OSError: Something cannot be removed.
        """
        for name in self.names():
            found = TEMPORARY.fullmatch(name)
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
        return os.open(name, OPEN_FOLDER | (0 if follows else os.O_NOFOLLOW), dir_fd=dir_fd)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno in {errno.ENOTDIR, errno.ELOOP}:
            raise StoreError(path, "this is a link or no folder; it is not opened.") from error
        raise StoreError(path, f"the folder cannot be opened ({reason_of(error)}).") from error
