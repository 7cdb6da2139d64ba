"""Checkpoints: written whole or not at all, and loaded only if every part of them is what the run would write.

``checkpoints/e0010``, the state after epoch 10, holds ``state.pt`` and ``manifest.json`` with its size and SHA-256.
`torch.load` alone accepts flipped bits, so the hash decides; a hash has no key, so that the content of a right hash is
checked too: a run may come from somebody else. There is no generator state: random streams are seeded by the position
in training (see `device.stream_seed`), and the position is in the manifest.
"""

import hashlib
import io
import math
import os
import uuid
import zipfile
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import msgspec
import torch
from torch import Tensor

from alexnet_tui.command_lines import shell_command
from alexnet_tui.errors import CheckpointError, StoreError
from alexnet_tui.files import temporary_name
from alexnet_tui.folder import Folder
from alexnet_tui.json_io import UNDECODABLE, reason_of_damage, version_of
from alexnet_tui.runs.checkpoint_files import MANIFEST_FILE, WEIGHTS_FILE, is_sealed, sealed
from alexnet_tui.runs.run_files import CHECKPOINTS, KERNELS, checkpoint_names

KEEP = 2
FORMAT_VERSION = 1
_DAMAGED = ".damaged-"
# Above the tensors' own bytes: names, shapes and the archive's directory.
_OVERHEAD_BYTES = 1 << 20
_MAX_SECONDS = 1e11


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """How far training has come, and the sums that belong to the unfinished epoch.

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
    """Hashes of a checkpoint, and the settings, data and position it belongs to.

    `sha256` is that of ``state.pt``, `seal` that of this manifest with an empty seal; see `checkpoint_files`.
    `settings` is the hash of what decides a run's numbers, its seed too; empty where it was not noted yet.
    """

    v: int = FORMAT_VERSION
    seal: str = ""
    size_bytes: int
    sha256: str
    fingerprint: str
    data_sha256: str
    settings: str = ""
    position: Position


class State(msgspec.Struct, frozen=True):
    """A loaded checkpoint: float32 weights and velocities in the network's order."""

    name: str
    manifest: Manifest
    master_weights: list[Tensor]
    velocities: list[Tensor]


class Expected(msgspec.Struct, frozen=True):
    """What every checkpoint of a run agrees with.

    Attributes:
        shapes: Shapes of its weights, in the network's order.
        epochs: Length of the run.
        num_images: Images of an epoch.
        batch_size: Images of an update; the last one of an epoch may have fewer.
        settings: Hash of its settings.
    """

    shapes: Sequence[torch.Size]
    epochs: int
    num_images: int
    batch_size: int
    settings: str = ""

    @property
    def size_bytes(self) -> int:
        """The most that weights and velocities in float32 take on disk."""
        return 8 * sum(shape.numel() for shape in self.shapes) + _OVERHEAD_BYTES

    def check_position(self, position: Position) -> None:
        """Refuse a position that training cannot reach.

        Raises:
            ValueError: With the reason.
        """
        steps_per_epoch = math.ceil(self.num_images / self.batch_size)
        last_step = 0 if position.epoch == self.epochs + 1 else steps_per_epoch
        if not (1 <= position.epoch <= self.epochs + 1 and 0 <= position.step_in_epoch <= last_step):
            raise ValueError(
                f"it claims epoch {position.epoch}, update {position.step_in_epoch}, of a run of"
                f" {self.epochs} epochs of {steps_per_epoch} updates"
            )
        if position.step != (position.epoch - 1) * steps_per_epoch + position.step_in_epoch:
            raise ValueError("its counts of epochs and updates contradict each other")
        seconds = (position.train_seconds, position.elapsed_seconds)
        if not all(0 <= value <= _MAX_SECONDS for value in seconds):
            raise ValueError("its times are no durations")
        if len(position.errors) != position.epoch - 1 or not all(0 <= error <= 1 for error in position.errors):
            raise ValueError("its errors are not one for each epoch")
        images = min(position.step_in_epoch * self.batch_size, self.num_images)
        for loss_sum, right, count in (position.epoch_sums, position.interval_sums):
            if not (0 <= loss_sum < math.inf and 0 <= right <= count < math.inf):
                raise ValueError("its sums are no sums of losses and right answers")
        if position.epoch_sums[2] != images:
            raise ValueError("its sums are of another number of images")


def save(
    run: Folder,
    position: Position,
    master_weights: list[Tensor],
    velocities: list[Tensor],
    fingerprint: str,
    data: str,
    settings: str = "",
) -> tuple[str, int]:
    """Write a checkpoint into a run's folder and prune old ones; returns its name and size in bytes.

    A checkpoint of this name with this very content is left as it is.

    Raises:
        OSError: The disk is full or the folder cannot be written; nothing half-written stays.
        StoreError: ``checkpoints`` is a link or no folder.
    """
    buffer = io.BytesIO()
    torch.save({"masters": master_weights, "velocities": velocities}, buffer)
    content = buffer.getbuffer()
    manifest = Manifest(
        size_bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        fingerprint=fingerprint,
        data_sha256=data,
        settings=settings,
        position=position,
    )
    name = name_of(position)
    with run.make_folder(CHECKPOINTS) as folder:
        if not _holds(folder, name, manifest):
            _write(folder, name, content, manifest)
            _prune(folder)
    return name, len(content)


def name_of(position: Position) -> str:
    """``e0010`` after epoch 10; ``e0010-s00004321`` after update 4321, inside epoch 11."""
    return f"e{position.epoch - 1:04d}" + (f"-s{position.step:08d}" if position.step_in_epoch else "")


def set_aside(run: Folder) -> None:
    """Move all checkpoints and stored kernels out of the way of a run that starts again; nothing is deleted."""
    for name in (CHECKPOINTS, KERNELS):
        if run.exists(name):
            run.set_aside(name, f"{name}-before-{{}}")


def load_newest(run: Folder, expected: Expected, problems: list[str]) -> State | None:
    """The newest checkpoint that is what this run would write, or None where there is no checkpoint at all.

    Newer ones that are not are renamed, so that they never count as one of those to keep.

    Args:
        expected: What the checkpoint must agree with.
        problems: Gets a sentence for each newer checkpoint that was refused.

    Raises:
        CheckpointError: There are checkpoints, and all are refused; or the newest is of a newer program.
        StoreError: ``checkpoints`` is a link or no folder.
    """
    folder = run.folder(CHECKPOINTS)
    if folder is None:
        return None
    with folder:
        names = checkpoint_names(folder)[::-1]
        again = shell_command("resume", run.path.name, "--from-scratch", root=run.path.parent)
        for index, name in enumerate(names):
            try:
                state = _load(folder, name, expected)
            except _NewerFormatError as error:
                raise CheckpointError(f"{error}; update to go on, or start the run again: `{again}`.") from error
            except (CheckpointError, StoreError) as error:
                problems.append(str(error).rstrip("."))
                continue
            for damaged in names[:index]:
                with suppress(OSError):
                    folder.rename(damaged, f"{_DAMAGED}{damaged}.{uuid.uuid4().hex[:8]}")
            return state
    if names:
        raise CheckpointError(
            f"{folder.path}: no checkpoint can be trusted ({'; '.join(problems)}). Nothing was deleted; "
            f"`{again}` starts the run again from its first epoch."
        )
    return None


class _NewerFormatError(CheckpointError):
    """A newer program wrote the checkpoint."""


def _load(folder: Folder, name: str, expected: Expected) -> State:
    """One checkpoint, checked.

    Raises:
        CheckpointError: Whatever is wrong with it, in a sentence that names it.
        StoreError: A part of it is a link, a pipe or a device, or cannot be read.
    """
    with _opened(folder, name) as checkpoint:
        manifest = _read_manifest(checkpoint)
        if manifest.size_bytes > expected.size_bytes:
            raise CheckpointError(f"checkpoint {name}: it is larger than one of this run")
        if manifest.settings and manifest.settings != expected.settings:
            raise CheckpointError(f"checkpoint {name}: a run of other settings, or of another seed, wrote it")
        content = checkpoint.read(WEIGHTS_FILE, limit_bytes=expected.size_bytes) or b""
    if len(content) != manifest.size_bytes or hashlib.sha256(content).hexdigest() != manifest.sha256:
        raise CheckpointError(f"checkpoint {name}: its content does not match its hash")
    try:
        expected.check_position(manifest.position)
        if name != name_of(manifest.position):
            raise ValueError(f"its content is that of {name_of(manifest.position)}")
    except ValueError as error:
        raise CheckpointError(f"checkpoint {name}: {error}") from error
    try:
        tensors = _read_tensors(content, expected)
    except Exception as error:  # Foreign bytes may raise anything; torch's own words advise to switch safety off.
        raise CheckpointError(
            f"checkpoint {name}: its content is not the weights of this run ({type(error).__name__})"
        ) from error
    return State(name, manifest, tensors["masters"], tensors["velocities"])


def _opened(folder: Folder, name: str) -> Folder:
    found = folder.folder(name)
    if found is None:
        raise CheckpointError(f"checkpoint {name}: it is gone")
    return found


def _read_tensors(content: bytes, expected: Expected) -> dict[str, list[Tensor]]:
    """Weights and velocities.

    Raises:
        Exception: The bytes are anything else.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as archive:  # Not the old format, and nothing that inflates.
        if sum(member.file_size for member in archive.infolist()) > expected.size_bytes:
            raise ValueError("larger when unpacked")
    state: Any = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    found = {key: list(state[key]) for key in ("masters", "velocities")}
    for tensors in found.values():
        for tensor, shape in zip(tensors, expected.shapes, strict=True):
            if type(tensor) is not Tensor or tensor.dtype is not torch.float32 or tensor.shape != shape:
                raise ValueError("tensors of another network")
            if not bool(torch.isfinite(tensor).all()):
                raise ValueError("numbers that are not finite")
    return found


def _read_manifest(checkpoint: Folder) -> Manifest:
    name = checkpoint.path.name
    content = checkpoint.read(MANIFEST_FILE) or b""
    if (version := version_of(content)) > FORMAT_VERSION:
        raise _NewerFormatError(
            f"checkpoint {name}: a newer alexnet-tui wrote it (format {version}; this one reads {FORMAT_VERSION})"
        )
    try:
        manifest = msgspec.json.decode(content, type=Manifest)
    except UNDECODABLE as error:
        reason = reason_of_damage(error)
        raise CheckpointError(f"checkpoint {name}: its manifest cannot be read ({reason})") from error
    if not is_sealed(content):
        raise CheckpointError(f"checkpoint {name}: its manifest does not match its seal")
    return manifest


def _holds(folder: Folder, name: str, manifest: Manifest) -> bool:
    """Whether a checkpoint is there already, whole, with this very content."""
    try:
        with _opened(folder, name) as checkpoint:
            content = checkpoint.read(WEIGHTS_FILE, limit_bytes=manifest.size_bytes) or b""
            _read_manifest(checkpoint)
        return hashlib.sha256(content).hexdigest() == manifest.sha256
    except (CheckpointError, StoreError):
        return False


def _write(folder: Folder, name: str, content: memoryview, manifest: Manifest) -> None:
    temporary = temporary_name(name)
    try:
        with folder.make_folder(temporary) as made:
            _write_file(made, WEIGHTS_FILE, content)
            _write_file(made, MANIFEST_FILE, sealed(msgspec.json.encode(manifest)))
            made.sync()
        if folder.exists(name):  # Damaged, or of a line of training that was given up.
            folder.rename(name, f"{_DAMAGED}{name}.{uuid.uuid4().hex[:8]}")
        folder.rename(temporary, name)
        folder.sync()
    except OSError:
        with suppress(OSError, StoreError):
            folder.remove(temporary)
        raise


def _write_file(folder: Folder, name: str, content: bytes | memoryview) -> None:
    with os.fdopen(folder.create(name), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _prune(folder: Folder) -> None:
    """Keep the last two; then drop damaged ones and what attempts that died left behind."""
    names = checkpoint_names(folder)
    superseded = names[:-KEEP]
    for name in folder.names():
        if (name.startswith(".e") and name.endswith(".tmp")) or (name.startswith(_DAMAGED) and len(names) >= KEEP):
            superseded.append(name)
    for name in superseded:
        with suppress(OSError, StoreError):
            folder.remove(name)
