"""The kernels of a network's first layer as a run stored them: in the course of training, and with its predictions."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from alexnet_tui.folder import Folder
from alexnet_tui.report.pictures.npz import Arrays, read_arrays
from alexnet_tui.runs.run_files import KERNELS, kernel_epochs, kernels_file

Kernels = NDArray[np.float64]
"""(C, 3, h, w) weights."""
_MAX_BYTES = 1 << 23
_MAX_KERNELS, _MAX_SIDE = 4096, 64


def checked_kernels(kernels: Kernels) -> Kernels:
    """The same array.

    Raises:
        ValueError: Its shape is none of kernels.
    """
    count, channels, height, width = kernels.shape
    if channels != 3 or not (1 <= count <= _MAX_KERNELS and 1 <= height <= _MAX_SIDE and 1 <= width <= _MAX_SIDE):
        raise ValueError("the kernels have no shape of kernels")
    return kernels


def stored_epochs(directory: Path) -> list[int]:
    """Epochs after which a run stored its kernels, the earliest first; 0 is before training.

    Raises:
        StoreError: The folder of kernels is a link, no folder, or cannot be read.
    """
    with Folder(directory) as run:
        folder = run.folder(KERNELS)
        if folder is None:
            return []
        with folder:
            return kernel_epochs(folder)


def read_kernels(directory: Path, epoch: int) -> Kernels | None:
    """The kernels of a run after an epoch; None where it stored none then.

    Raises:
        StoreError: The file is no such archive, too large, or holds what cannot be.
    """
    with Folder(directory) as run:
        folder = run.folder(KERNELS)
        if folder is None:
            return None
        with folder:
            return read_arrays(folder, kernels_file(epoch), _MAX_BYTES, _parse, "kernels")


def _parse(arrays: Arrays) -> Kernels:
    steps, scale = arrays.integers("kernels", 4), arrays.fractions("scale", 1)
    if len(scale) != len(steps) or np.abs(steps).max(initial=0) > 127:
        raise ValueError("the arrays do not fit each other")
    return checked_kernels(steps * scale[:, None, None, None])


def nearest(epochs: Sequence[int], epoch: int) -> int:
    """The stored epoch next to another one."""
    return min(epochs, key=lambda stored: abs(stored - epoch))
