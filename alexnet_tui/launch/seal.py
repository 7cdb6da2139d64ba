"""Seals on what decides which commands are run later, and is kept in a runs folder until then.

A runs folder may come from somebody else, with an order that names a command, or a noted job that names options of a
cluster. What a person gave on this account is therefore sealed with a key that is in no runs folder, and what has no
right seal is not used.
"""

import functools
import hmac
import os
from contextlib import suppress
from pathlib import Path

import msgspec

from alexnet_tui.errors import HomeError, RunBusyError, StoreError
from alexnet_tui.files import PRIVATE_FILE, locked, private_temporary_folder, read_small, write_atomic
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
    """The user's key, made when it is needed first; where there is no home to keep it in, one for this host."""
    for find_folder in (state_dir, private_temporary_folder):
        with suppress(HomeError, OSError, RunBusyError, StoreError):
            return _key_in(find_folder())
    return _passing_key()


def _key_in(folder: Path) -> bytes:
    path = folder / _KEY_FILE
    if len(known := read_small(path) or b"") == _KEY_BYTES:
        return known
    folder.mkdir(parents=True, exist_ok=True)
    with locked(path.with_suffix(".lock"), wait_seconds=_LOCK_SECONDS):
        if len(known := read_small(path) or b"") != _KEY_BYTES:
            write_atomic(path, known := os.urandom(_KEY_BYTES), PRIVATE_FILE)
    return known


@functools.cache
def _passing_key() -> bytes:
    """A key of this process alone."""
    return os.urandom(_KEY_BYTES)
