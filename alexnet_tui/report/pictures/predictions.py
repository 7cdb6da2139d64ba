"""``predictions.npz`` of a run: what a trained network said of the test images."""

from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from alexnet_tui.folder import Folder
from alexnet_tui.report.pictures.kernels import Kernels, checked_kernels
from alexnet_tui.report.pictures.npz import Arrays, read_arrays
from alexnet_tui.runs.run_files import PREDICTIONS_FILE

MAX_BYTES = 1 << 26
"""Of the file, and of each array once it is decompressed."""
_MAX_CLASSES = 2000


class Predictions(msgspec.Struct, frozen=True):
    """What a trained network said of the test images.

    Attributes:
        labels: (N,) the true classes.
        top_classes: (N, k) the likeliest classes, the likeliest first; k is at most 5.
        top_probabilities: (N, k) their probabilities.
        kernels: (C, 3, h, w) the first layer's kernels.
    """

    labels: NDArray[np.int64]
    top_classes: NDArray[np.int64]
    top_probabilities: NDArray[np.float64]
    kernels: Kernels

    @property
    def num_classes(self) -> int:
        """One more than the highest class that occurs."""
        return 1 + int(max(self.labels.max(), self.top_classes.max()))

    def confusion(self) -> NDArray[np.int64]:
        """(K, K) counts of images: the row is the true class, the column the likeliest one."""
        count = self.num_classes
        cells = np.bincount(self.labels * count + self.top_classes[:, 0], minlength=count * count)
        return cells.reshape(count, count)

    def worst(self, most: int) -> NDArray[np.int64]:
        """Places of the mistakes that the network was surest of, the surest first."""
        return self._surest(self.top_classes[:, 0] != self.labels)[:most]

    def of_cell(self, label: int, answer: int) -> NDArray[np.int64]:
        """Places of the images of one class that were taken for a class, the surest first."""
        return self._surest((self.labels == label) & (self.top_classes[:, 0] == answer))

    def _surest(self, is_wanted: NDArray[np.bool_]) -> NDArray[np.int64]:
        places = np.flatnonzero(is_wanted)
        return places[np.argsort(-self.top_probabilities[places, 0], kind="stable")]


def read_predictions(directory: Path) -> Predictions | None:
    """The predictions of a run; None where it has none.

    Raises:
        StoreError: The file is no such archive, too large, or holds what cannot be.
    """
    with Folder(directory) as folder:
        return read_arrays(folder, PREDICTIONS_FILE, MAX_BYTES, _parse, "predictions")


def _parse(arrays: Arrays) -> Predictions:
    labels, classes = arrays.integers("labels", 1), arrays.integers("top_classes", 2)
    probabilities, kernels = arrays.fractions("top_probabilities", 2), arrays.fractions("conv1_filters", 4)
    if not len(labels):
        raise ValueError("there is no image")
    if len(classes) != len(labels) or classes.shape != probabilities.shape or not 1 <= classes.shape[1] <= 5:
        raise ValueError("the arrays do not fit each other")
    if min(labels.min(), classes.min()) < 0 or max(labels.max(), classes.max()) >= _MAX_CLASSES:
        raise ValueError("a class is out of range")
    if probabilities.min() < 0 or probabilities.max() > 1.001:
        raise ValueError("a probability is out of range")
    return Predictions(labels, classes, probabilities, checked_kernels(kernels))
