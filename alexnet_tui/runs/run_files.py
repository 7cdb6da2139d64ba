"""The files in a run's directory: what they are called, and what their names say."""

import re
from pathlib import Path

from alexnet_tui.folder import Folder

RECORD_FILE, EVENTS_FILE, LOG_FILE = "run.json", "events.jsonl", "trainer.log"
PREDICTIONS_FILE = "predictions.npz"
CHECKPOINTS, KERNELS = "checkpoints", "kernels"
CHECKPOINT_NAME = re.compile(r"e[0-9]{4,}(-s[0-9]{8,})?")
_KERNELS_NAME = re.compile(r"e([0-9]{4,9})\.npz")


def log_bytes(directory: Path) -> int:
    """How long the event log in a run's directory is; 0 where there is none, or it cannot be looked at."""
    try:
        return (directory / EVENTS_FILE).lstat().st_size
    except OSError:
        return 0


def checkpoint_names(folder: Folder) -> list[str]:
    """Names of the checkpoints in a folder, the furthest in training last; other names are no checkpoints."""
    return sorted(filter(CHECKPOINT_NAME.fullmatch, folder.folders()), key=checkpoint_place)


def checkpoint_place(name: str) -> list[int]:
    """Epochs and steps done at a checkpoint, from its name; sorts."""
    return [int(digits) for digits in re.findall(r"\d+", name)]


def kernels_file(epoch: int) -> str:
    """Name of the file in the folder `KERNELS` that holds the first layer's kernels after an epoch; 0 is the start."""
    return f"e{epoch:04d}.npz"


def is_kernels_file(name: str) -> bool:
    """Whether a name is one that `kernels_file` gives."""
    return _epoch_of(name) is not None


def kernel_epochs(folder: Folder) -> list[int]:
    """Epochs after which kernels are stored in a folder of them, the earliest first; other names are no such files."""
    return sorted(epoch for name in folder.names() if (epoch := _epoch_of(name)) is not None)


def _epoch_of(name: str) -> int | None:
    found = _KERNELS_NAME.fullmatch(name)
    return epoch if found and kernels_file(epoch := int(found[1])) == name else None
