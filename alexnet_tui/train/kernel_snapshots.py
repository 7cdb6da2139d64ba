"""The first layer's kernels in the course of training, small enough to keep: what pictures show of a run.

``kernels/e0010.npz``, the state after epoch 10, holds ``kernels``, (C, 3, k, k) whole numbers from -127 to 127, and
``scale``, (C,): kernel times scale is the weight. The largest weight of each kernel is 127 of these steps, as fine as
a screen's colours, so that 96 kernels of 11x11 take 35 kB.
"""

import io

import numpy as np
import torch
from torch import Tensor

from alexnet_tui.folder import Folder
from alexnet_tui.runs.run_files import KERNELS, kernel_epochs, kernels_file

EARLY_EPOCHS = 10
"""Kernels change most at the beginning: up to here they are stored after every epoch, later with each checkpoint."""
MOST_FILES = 100


def save(run: Folder, epoch: int, weights_C3KK: Tensor) -> str:
    """Write the kernels after an epoch into a run's folder; returns the name of the file.

    Where there are more than `MOST_FILES`, the one whose neighbours are nearest to each other is removed.

    Raises:
        OSError: The disk is full or the folder cannot be written; nothing half-written stays.
        StoreError: ``kernels`` is a link or no folder.
    """
    weights = weights_C3KK.detach().float().cpu().contiguous()
    scale_C = weights.abs().amax(dim=(1, 2, 3)) / 127
    steps = weights / torch.where(scale_C > 0, scale_C, 1.0)[:, None, None, None]
    buffer = io.BytesIO()
    np.savez(buffer, kernels=steps.round().to(torch.int8).numpy(), scale=scale_C.numpy())
    name = kernels_file(epoch)
    with run.make_folder(KERNELS) as folder:
        folder.write(name, buffer.getbuffer())
        epochs = kernel_epochs(folder)
        if len(epochs) > MOST_FILES:
            triples = zip(epochs, epochs[1:], epochs[2:], strict=False)
            surplus = min(triples, key=lambda triple: triple[2] - triple[0])[1]
            folder.remove(kernels_file(surplus))
    return name
