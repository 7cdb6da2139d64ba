"""Seals on what decides which commands are run later, and is kept in a runs folder until then.

A runs folder may come from somebody else, with an order that names a command, or a noted job that names options of a
cluster. What a person gave on this account is therefore sealed with a key that is in no runs folder, and what has no
right seal is not used.
"""

import errno
import functools
import hmac
import os
from pathlib import Path

import msgspec

from alexnet_tui.errors import HomeError, RunBusyError, StoreError
from alexnet_tui.files import read_small, write_atomic
from alexnet_tui.folder import PRIVATE_FILE
from alexnet_tui.locks import locked, private_temporary_folder
from alexnet_tui.paths import state_dir

_KEY_FILE, _KEY_BYTES = "seal.key", 32
_LOCK_SECONDS = 5.0
_READ_ONLY = frozenset((errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR))
"""Why a folder can never be made at a place; the last where the home of a service is ``/dev/null``."""
_read_last: dict[Path, bytes] = {}
"""The folder in which this process has read the key last, to that key; at most one."""


def seal(name: str, content: object) -> str:
    """The seal on something that belongs to a study or a run of this name."""
    return hmac.new(_key(), name.encode() + b"\0" + msgspec.json.encode(content, order="sorted"), "sha256").hexdigest()


def is_sealed(found: str, name: str, content: object) -> bool:
    """Whether a seal is this user's own on just this."""
    return hmac.compare_digest(found.encode(), seal(name, content).encode())


def _key() -> bytes:
    """The user's key, made when it is needed first.

    Where it cannot be read just now, the one that this process has read before is used. Where there is none, as when
    another process holds the lock of a new key for long or the disk is full, the key is of this process alone. No seal
    made with that outlives the fault: it is refused later, which is safe.
    """
    try:
        folder = _key_folder()
        key = _key_in(folder)
    except (OSError, RunBusyError, StoreError):
        return next(iter(_read_last.values()), b"") or _passing_key()
    _read_last.clear()
    _read_last[folder] = key
    return key


def _key_folder() -> Path:
    """The state folder; a private one of this host where there is no home, or the state folder is read-only.

    A key that a read-only state folder has already, or from which this process has read it, is used all the same.

    Raises:
        OSError: The state folder cannot be made for another reason.
        StoreError: The private folder belongs to somebody else.
    """
    try:
        folder = state_dir()
        folder.mkdir(parents=True, exist_ok=True)
    except HomeError:
        return private_temporary_folder()
    except OSError as error:
        if error.errno in _READ_ONLY and folder not in _read_last:
            return private_temporary_folder()
        raise
    is_usable = os.access(folder, os.W_OK | os.X_OK) or os.path.lexists(folder / _KEY_FILE)
    return folder if is_usable or folder in _read_last else private_temporary_folder()


def _key_in(folder: Path) -> bytes:
    path = folder / _KEY_FILE
    if len(known := read_small(path) or b"") == _KEY_BYTES:
        return known
    with locked(path.with_suffix(".lock"), wait_seconds=_LOCK_SECONDS):
        if len(known := read_small(path) or b"") != _KEY_BYTES:
            write_atomic(path, known := os.urandom(_KEY_BYTES), PRIVATE_FILE)
    return known


@functools.cache
def _passing_key() -> bytes:
    """A key of this process alone."""
    return os.urandom(_KEY_BYTES)
