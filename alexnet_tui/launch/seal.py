"""Seals on what decides which commands are run later, and is kept in a runs folder until then.

A runs folder may come from somebody else, with an order that names a command, or a noted job that names options of a
cluster. What a person gave on this account is therefore sealed with a key that is in no runs folder, and what has no
right seal is not used.
"""

import functools
import hmac
import os

import msgspec

from alexnet_tui.errors import HomeError, RunBusyError, StoreError
from alexnet_tui.files import PRIVATE_FILE, locked, read_small, write_atomic
from alexnet_tui.paths import state_dir

_KEY_FILE, _KEY_BYTES = "seal.key", 32
_LOCK_SECONDS = 5.0


def seal(name: str, content: object) -> str:
    """The seal on something that belongs to a study or a run of this name."""
    return hmac.new(_key(), name.encode() + b"\0" + msgspec.json.encode(content, order="sorted"), "sha256").hexdigest()


def is_sealed(found: str, name: str, content: object) -> bool:
    """Whether a seal is this user's own on just this."""
    return hmac.compare_digest(found.encode(), seal(name, content).encode())


def _key() -> bytes:
    """The user's key, made when it is needed first; one for this process alone where none can be kept."""
    try:
        path = state_dir() / _KEY_FILE
        if len(known := read_small(path) or b"") == _KEY_BYTES:
            return known
        path.parent.mkdir(parents=True, exist_ok=True)
        with locked(path.with_suffix(".lock"), wait_seconds=_LOCK_SECONDS):
            if len(known := read_small(path) or b"") != _KEY_BYTES:
                write_atomic(path, known := os.urandom(_KEY_BYTES), PRIVATE_FILE)
        return known
    except (HomeError, OSError, RunBusyError, StoreError):
        return _passing_key()


@functools.cache
def _passing_key() -> bytes:
    return os.urandom(_KEY_BYTES)
