"""Checkpoints: written whole or not at all, and believed only after their hash was checked.

``checkpoints/e0010``, the state after epoch 10, holds ``state.pt`` and ``manifest.json`` with its size and
SHA-256. `torch.load` alone accepts flipped bits, so the hash decides. There is no generator state: random streams
are seeded by their place (see `device.stream_seed`), and the place is in the checkpoint.
"""

import hashlib
import io
import os
import re
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
from alexnet_tui.text import printable

KEEP = 2
_STATE, _MANIFEST = "state.pt", "manifest.json"


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
    """What makes a checkpoint believable, and what it belongs to."""

    v: int = 1
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
    try:
        temporary.mkdir()
        _write(temporary / _STATE, content)
        _write(temporary / _MANIFEST, msgspec.json.encode(manifest))
        sync_directory(temporary)
        target = directory / name
        if target.exists():
            shutil.rmtree(target)
        temporary.rename(target)
        sync_directory(directory)
    except OSError:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    _prune(directory)
    return name, len(content)


def load_newest(directory: Path, problems: list[str]) -> State | None:
    """The newest checkpoint whose hash is right, or None where there is no checkpoint at all.

    Args:
        directory: The run's ``checkpoints`` folder.
        problems: Gets a sentence for each newer checkpoint that could not be believed.

    Raises:
        CheckpointError: There are checkpoints, and none can be believed.
    """
    names = list_names(directory)
    for name in names:
        try:
            return _load(directory, name)
        except (CheckpointError, OSError) as error:
            problems.append(str(error))
    if names:
        raise CheckpointError(
            f"{directory}: no checkpoint can be trusted ({'; '.join(problems)}). Nothing was deleted; "
            "`alexnet-tui resume RUN --from-scratch` starts the run again from its first epoch."
        )
    return None


def list_names(directory: Path) -> list[str]:
    """Names of the checkpoints in a folder, the furthest in training first."""
    if not directory.is_dir():
        return []
    found = [entry.name for entry in directory.iterdir() if entry.is_dir() and not entry.name.startswith(".")]
    return sorted(found, key=lambda name: [int(digits) for digits in re.findall(r"\d+", name)], reverse=True)


def _load(directory: Path, name: str) -> State:
    folder = directory / name
    try:
        manifest = msgspec.json.decode((folder / _MANIFEST).read_bytes(), type=Manifest)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise CheckpointError(f"checkpoint {name}: its manifest cannot be read ({error})") from error
    content = (folder / _STATE).read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if len(content) != manifest.size_bytes or digest != manifest.sha256:
        raise CheckpointError(f"checkpoint {name}: its content does not match its hash")
    try:
        state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # Foreign bytes may raise anything.
        raise CheckpointError(f"checkpoint {name}: {printable(str(error), 200)}") from error
    return State(name, manifest, state["masters"], state["velocities"])


def _write(path: Path, content: bytes | memoryview) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _prune(directory: Path) -> None:
    """Keep the last two; drop temporary folders of attempts that died."""
    for name in _superseded(directory):
        shutil.rmtree(directory / name, ignore_errors=True)


def _superseded(directory: Path) -> Iterator[str]:
    yield from list_names(directory)[KEEP:]
    yield from (entry.name for entry in directory.iterdir() if entry.name.endswith(".tmp"))
