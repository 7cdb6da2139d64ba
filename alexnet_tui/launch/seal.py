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


_known: dict[Path | None, tuple[Path, bytes]] = {}
"""State folder, None without a home, to where this process read the key last, and that key."""


def _key() -> bytes:
    """The user's key, made when it is needed first.

    Where it cannot be read just now, it is what it was when this process read it last. Where it never could be read or
    made, as when another process holds its lock for long or the disk is full, the key is of this process alone. No seal
    made with that outlives the fault: it is refused later, which is safe.
    """
    state = _state_folder()
    known = _known.get(state)
    try:
        folder = _key_folder(state)
        if known is None or folder in {state, known[0]}:  # Else the state folder is not to be reached just now.
            known = _known[state] = folder, _key_in(folder)
    except (OSError, RunBusyError, StoreError):
        pass
    return known[1] if known else _passing_key()


def _state_folder() -> Path | None:
    try:
        return state_dir()
    except HomeError:
        return None


def _key_folder(state: Path | None) -> Path:
    """The state folder; a private one of this host where there is no home, or the state folder is read-only.

    A key that a read-only state folder has already is used all the same.

    Raises:
        OSError: The state folder cannot be made for another reason.
        StoreError: The private folder belongs to somebody else.
    """
    if state is None:
        return private_temporary_folder()
    try:
        state.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        if error.errno in _READ_ONLY:
            return private_temporary_folder()
        raise
    is_usable = os.access(state, os.W_OK | os.X_OK) or os.path.lexists(state / _KEY_FILE)
    return state if is_usable else private_temporary_folder()


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
