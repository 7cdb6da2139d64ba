"""Checkpoints: written whole or not at all, and believed only after their hash was checked.

``checkpoints/e0010``, the state after epoch 10, holds ``state.pt`` and ``manifest.json`` with its size and
SHA-256. `torch.load` alone accepts flipped bits, so the hash decides. There is no generator state: random streams
are seeded by their place (see `device.stream_seed`), and the place is in the checkpoint.
"""

import hashlib
import io
import os
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import torch
from torch import Tensor

from alexnet_tui.errors import CheckpointError
from alexnet_tui.files import sync_directory
from alexnet_tui.runs.store import CHECKPOINT_NAME, checkpoint_place
from alexnet_tui.text import printable

KEEP = 2
_STATE, _MANIFEST = "state.pt", "manifest.json"
_DAMAGED = ".damaged-"


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """Where training stands, and the sums that belong to the unfinished epoch.

    Attributes:
        epoch: Epoch under way, from 1.
        step: Updates done in the whole run.
        step_in_epoch: Updates done in this epoch.
        train_seconds: Seconds of training so far.
        elapsed_seconds: Seconds of training, evaluation and checkpoints so far.
        errors: Error after each epoch, for the schedule.
        epoch_sums: Sum of losses, right answers and images in this epoch.
        interval_sums: The same since the last ``step`` event.
    """

    epoch: int
    step: int
    step_in_epoch: int
    train_seconds: float
    elapsed_seconds: float
    errors: list[float]
    epoch_sums: tuple[float, float, float]
    interval_sums: tuple[float, float, float]


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What makes a checkpoint believable, and what it belongs to.

    `sha256` is that of ``state.pt``, `seal` that of this manifest with an empty seal.
    """

    v: int = 1
    seal: str = ""
    size_bytes: int
    sha256: str
    fingerprint: str
    data_sha256: str
    position: Position


@dataclass(frozen=True, slots=True)
class State:
    """A loaded checkpoint: float32 weights and velocities in the network's order."""

    name: str
    manifest: Manifest
    masters: list[Tensor]
    velocities: list[Tensor]


def save(
    directory: Path,
    position: Position,
    masters: list[Tensor],
    velocities: list[Tensor],
    fingerprint: str,
    data: str,
) -> tuple[str, int]:
    """Write a checkpoint and prune old ones; returns its name and size in bytes.

    A checkpoint of this name with this very content is left as it is.

    Raises:
        OSError: The disk is full or the folder cannot be written; nothing half-written stays.
    """
    directory.mkdir(parents=True, exist_ok=True)
    name = f"e{position.epoch - 1:04d}" + (f"-s{position.step:08d}" if position.step_in_epoch else "")
    temporary = directory / f".{name}.{uuid.uuid4().hex[:8]}.tmp"
    buffer = io.BytesIO()
    torch.save({"masters": masters, "velocities": velocities}, buffer)
    content = buffer.getbuffer()
    manifest = Manifest(
        size_bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        fingerprint=fingerprint,
        data_sha256=data,
        position=position,
    )
    target = directory / name
    if _holds(target, manifest.sha256):
        return name, len(content)
    try:
        temporary.mkdir()
        _write(temporary / _STATE, content)
        _write(temporary / _MANIFEST, msgspec.json.encode(_sealed(manifest)))
        sync_directory(temporary)
        if target.exists():  # Damaged, or of a line of training that was given up.
            target.rename(directory / f"{_DAMAGED}{name}.{uuid.uuid4().hex[:8]}")
        temporary.rename(target)
        sync_directory(directory)
    except OSError:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    _prune(directory)
    return name, len(content)


def set_aside(directory: Path) -> None:
    """Move all checkpoints out of the way of a run that starts again; nothing is deleted."""
    if not directory.is_dir():
        return
    number = 1
    while (target := directory.with_name(f"{directory.name}-before-{number}")).exists():
        number += 1
    directory.rename(target)


def load_newest(directory: Path, problems: list[str]) -> State | None:
    """The newest checkpoint whose hash is right, or None where there is no checkpoint at all.

    Newer ones that cannot be believed are renamed, so that they never count as one of those to keep.

    Args:
        directory: The run's ``checkpoints`` folder.
        problems: Gets a sentence for each newer checkpoint that could not be believed.

    Raises:
        CheckpointError: There are checkpoints, and none can be believed.
    """
    names = list_names(directory)
    for position, name in enumerate(names):
        try:
            state = _load(directory, name)
        except (CheckpointError, OSError) as error:
            problems.append(str(error))
            continue
        for damaged in names[:position]:
            (directory / damaged).rename(directory / f"{_DAMAGED}{damaged}.{uuid.uuid4().hex[:8]}")
        return state
    if names:
        raise CheckpointError(
            f"{directory}: no checkpoint can be trusted ({'; '.join(problems)}). Nothing was deleted; "
            "`alexnet-tui resume RUN --from-scratch` starts the run again from its first epoch."
        )
    return None


def list_names(directory: Path) -> list[str]:
    """Names of the checkpoints in a folder, the furthest in training first; what else lies there is not ours."""
    if not directory.is_dir():
        return []
    found = (entry.name for entry in directory.iterdir() if entry.is_dir() and not entry.is_symlink())
    return sorted(filter(CHECKPOINT_NAME.fullmatch, found), key=checkpoint_place, reverse=True)


def _load(directory: Path, name: str) -> State:
    folder = directory / name
    manifest = _read_manifest(folder)
    content = (folder / _STATE).read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if len(content) != manifest.size_bytes or digest != manifest.sha256:
        raise CheckpointError(f"checkpoint {name}: its content does not match its hash")
    try:
        state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # Foreign bytes may raise anything.
        raise CheckpointError(f"checkpoint {name}: {printable(str(error), 200)}") from error
    return State(name, manifest, state["masters"], state["velocities"])


def _read_manifest(folder: Path) -> Manifest:
    name = folder.name
    try:
        manifest = msgspec.json.decode((folder / _MANIFEST).read_bytes(), type=Manifest)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise CheckpointError(f"checkpoint {name}: its manifest cannot be read ({error})") from error
    if _sealed(manifest) != manifest:
        raise CheckpointError(f"checkpoint {name}: its manifest does not match its seal")
    return manifest


def _sealed(manifest: Manifest) -> Manifest:
    """The manifest with the hash of all the rest of it."""
    open_manifest = msgspec.structs.replace(manifest, seal="")
    return msgspec.structs.replace(manifest, seal=hashlib.sha256(msgspec.json.encode(open_manifest)).hexdigest())


def _holds(folder: Path, sha256: str) -> bool:
    """Whether a checkpoint is there already, whole, with this very content."""
    try:
        return hashlib.sha256((folder / _STATE).read_bytes()).hexdigest() == sha256 and bool(_read_manifest(folder))
    except (OSError, CheckpointError):
        return False


def _write(path: Path, content: bytes | memoryview) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _prune(directory: Path) -> None:
    """Keep the last two; then drop damaged ones and what attempts that died left behind."""
    for name in _superseded(directory):
        shutil.rmtree(directory / name, ignore_errors=True)


def _superseded(directory: Path) -> Iterator[str]:
    names = list_names(directory)
    yield from names[KEEP:]
    for entry in directory.iterdir():
        if entry.name.endswith(".tmp") or (entry.name.startswith(_DAMAGED) and len(names) >= KEEP):
            yield entry.name
