"""The files of the studies in a runs folder: where they are, and how they are read and written.

``runs/studies/NAME.json`` is a study's plan, written once (`studies.plan`); the folder ``runs/studies/NAME/`` beside it
holds what changes: its queue, its ledger, its lock.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec

from alexnet_tui.errors import ConfigError, StoreError
from alexnet_tui.files import reason_of, write_atomic
from alexnet_tui.folder import Folder
from alexnet_tui.json_io import UNDECODABLE, json_bytes, reason_of_damage
from alexnet_tui.locks import locked
from alexnet_tui.runs.run_ids import STUDIES
from alexnet_tui.runs.store import Store

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_LOCK_OF_STUDIES = ".turn"
_T = TypeVar("_T")


def is_name(name: str) -> bool:
    """Whether a study can be called so."""
    return _NAME.fullmatch(name) is not None


def names(store: Store) -> list[str]:
    """Names of all studies, in alphabetical order.

    Raises:
        StoreError: Their folder cannot be read.
    """
    folder = store.root / STUDIES
    try:
        found = [Path(name) for name in os.listdir(folder)]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise StoreError(folder, f"the folder of the studies cannot be read ({reason_of(error)}).") from error
    return sorted(path.stem for path in found if path.suffix == ".json" and is_name(path.stem))


def plan_path(store: Store, name: str) -> Path:
    """Where the plan of a study is, if it is there."""
    return store.root / STUDIES / f"{name}.json"


def folder_path(store: Store, name: str) -> Path:
    """Where the folder of what changes in a study is, if it is there."""
    return store.root / STUDIES / name


def make_folder(store: Store, name: str) -> Path:
    """The folder of what changes in a study, made if need be.

    Raises:
        StoreError: It cannot be made, or is a link to another.
    """
    folder = folder_path(store, name)
    check_no_link(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(folder, f"it cannot be made ({reason_of(error)}).") from error
    return folder


def check_no_link(folder: Path) -> None:
    """Refuse a study's folder that is a link.

    Raises:
        StoreError: It is one.
    """
    if folder.is_symlink():
        raise StoreError(folder, "this is a link; a study's state is not read or written through it. Remove it.")


@contextmanager
def exclusive(store: Store) -> Iterator[None]:
    """Hold off everybody else who changes studies of this folder, or makes or starts their runs."""
    with locked(make_folder(store, ".").resolve() / _LOCK_OF_STUDIES):
        yield


def write_json(path: Path, content: object) -> None:
    """Replace one of a study's files.

    Raises:
        StoreError: It cannot be written.
    """
    try:
        write_atomic(path, json_bytes(content))
    except OSError as error:
        raise StoreError(path, f"the study cannot be written ({reason_of(error)}).") from error


def decode(path: Path, content: bytes, kind: type[_T]) -> _T:
    """What one of a study's files says.

    Raises:
        StoreError: It is damaged.
    """
    try:
        return msgspec.json.decode(content, type=kind)
    except (*UNDECODABLE, ConfigError) as error:
        raise StoreError(path, f"the study cannot be read: {reason_of_damage(error)}.") from error


def set_aside(path: Path) -> Path:
    """Rename a damaged file so that a new one can be written; where it is then.

    Raises:
        StoreError: It cannot be renamed.
    """
    try:
        with Folder(path.parent) as folder:
            return path.with_name(folder.set_aside(path.name, f"{path.name}.damaged-{{}}"))
    except FileNotFoundError:  # Somebody else was faster.
        return path
    except OSError as error:
        raise StoreError(path, f"the damaged file cannot be set aside ({reason_of(error)}).") from error
