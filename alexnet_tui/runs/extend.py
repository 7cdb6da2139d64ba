"""A run that trains another one further: a new run that begins as a copy of it up to its last checkpoint.

Its log begins with the parent's lines up to that checkpoint, so that its history is whole and a trainer goes on from
there as after any interruption. The parent is not changed.
"""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import msgspec

from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.errors import StoreError, UsageError
from alexnet_tui.folder import Folder
from alexnet_tui.runs.checkpoint_files import is_whole
from alexnet_tui.runs.events import MAX_LINE_BYTES, Checkpoint, decode
from alexnet_tui.runs.follow import load
from alexnet_tui.runs.history import RunHistory
from alexnet_tui.runs.record import Extension, RunRecord
from alexnet_tui.runs.run_files import CHECKPOINTS, EVENTS_FILE, KERNELS
from alexnet_tui.runs.state import State
from alexnet_tui.runs.store import Store
from alexnet_tui.text import counted

_PIECE_BYTES = 1 << 20


def extended_config(store: Store, parent_id: str, epochs: int) -> RunConfig:
    """The configuration of a run that trains another one to so many epochs.

    Raises:
        RunBusyError: The parent is being trained.
        StoreError: It cannot be read, or a newer program wrote it.
        UsageError: It has as many epochs already, or no checkpoint to go on from.
        ConfigError: No run has so many epochs.
    """
    history, state = load(store, parent_id, skip_steps=True)
    if state is State.RUNNING:
        raise store.busy(parent_id)
    if history.is_newer:
        raise StoreError(store.path(parent_id), "a newer alexnet-tui wrote in this run; it can only be looked at.")
    config = history.record.config
    if epochs <= config.epochs:
        raise UsageError(
            f"run {parent_id} has {counted(config.epochs, 'epoch')} of its own; name more with --epochs to extend it."
        )
    _last_checkpoint(store, history)
    return msgspec.structs.replace(config, epochs=epochs)


def create_extension(
    store: Store, parent_id: str, epochs: int, *, label: str = "", argv: Iterable[str] = ()
) -> RunRecord:
    """Make the run; nothing is left of one that could not be made.

    Raises:
        RunBusyError: As `extended_config`; so are the other errors.
        StoreError: The parent cannot be read, or the runs folder cannot be written.
    """
    config = extended_config(store, parent_id, epochs)
    parent = load(store, parent_id, skip_steps=True)[0]
    name = _last_checkpoint(store, parent)
    earlier = parent.record.extends
    extends = Extension(
        runs=[parent_id, *(earlier.runs if earlier else [])], epochs=parent.record.config.epochs, checkpoint=name
    )
    with store.folder(parent_id) as source:

        def fill(target: Folder) -> None:
            _copy(source, target, EVENTS_FILE, _end_of_checkpoint(source, name))
            _copy_folder(source, target, KERNELS)
            _copy_checkpoint(source, target, name)

        return store.create(config, label=label, argv=argv, extends=extends, fill=fill)


def _last_checkpoint(store: Store, history: RunHistory) -> str:
    """The newest checkpoint that belongs to the history and is on disk as it was written, as a resume takes it.

    Raises:
        UsageError: There is none.
    """
    found = [name for name in store.checkpoints(history.id) if name in history.checkpoints]
    folder = store.path(history.id) / CHECKPOINTS
    whole = next((name for name in reversed(found) if _is_whole(folder / name)), "")
    if not whole:
        what = "no undamaged checkpoint" if found else "no checkpoint"
        raise UsageError(f"run {history.id} has {what} here to go on from; start a new run with more epochs.")
    return whole


def _is_whole(path: Path) -> bool:
    with suppress(StoreError), Folder(path) as checkpoint:
        return is_whole(checkpoint)
    return False


def _end_of_checkpoint(run: Folder, name: str) -> int:
    """Where the line that names the checkpoint ends; of several, the last one's.

    Raises:
        StoreError: The log cannot be read, or has no such line.
    """
    descriptor = run.open(EVENTS_FILE)
    end = offset = 0
    if descriptor is not None:
        with os.fdopen(descriptor, "rb") as file:
            while line := file.readline(MAX_LINE_BYTES):
                offset += len(line)
                if b'"checkpoint"' in line and _names(line, name):
                    end = offset
    if not end:
        raise StoreError(run.path / EVENTS_FILE, f"no line of it is about the checkpoint {name}.")
    return end


def _names(line: bytes, name: str) -> bool:
    try:
        event = decode(line)
    except ValueError:
        return False
    return isinstance(event, Checkpoint) and event.name == name


def _copy_checkpoint(source: Folder, target: Folder, name: str) -> None:
    checkpoints = source.folder(CHECKPOINTS)
    if checkpoints is None:
        raise StoreError(source.path / CHECKPOINTS, "the checkpoint was removed meanwhile.")
    with checkpoints, target.make_folder(CHECKPOINTS) as copies:
        _copy_folder(checkpoints, copies, name)


def _copy_folder(source: Folder, target: Folder, name: str) -> None:
    """Copy the files of a folder, if it is there."""
    folder = source.folder(name)
    if folder is None:
        return
    with folder, target.make_folder(name) as copy:
        for file in folder.names():
            _copy(folder, copy, file)


def _copy(source: Folder, target: Folder, name: str, size: int | None = None) -> None:
    """Copy a file, or its first bytes."""
    descriptor = source.open(name)
    if descriptor is None:
        return
    with os.fdopen(descriptor, "rb") as file, os.fdopen(target.create(name), "wb") as copy:
        left = os.fstat(descriptor).st_size if size is None else size
        while left > 0 and (piece := file.read(min(left, _PIECE_BYTES))):
            copy.write(piece)
            left -= len(piece)
        copy.flush()
        os.fsync(copy.fileno())
