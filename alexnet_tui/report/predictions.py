"""``predictions.npz`` of a run, read as what it may be: a file that somebody else made.

The archive is parsed here and not by `numpy.load`: sizes are checked before anything is decompressed or allocated, and
an array of Python objects is refused.
"""

import io
import math
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alexnet_tui.errors import StoreError
from alexnet_tui.files import Folder

PREDICTIONS_FILE = "predictions.npz"
MAX_BYTES = 1 << 28
"""Of the file, and of each array once it is decompressed."""
_MAX_CLASSES, _MAX_KERNELS, _MAX_KERNEL_PIXELS = 2000, 4096, 64
_MAX_HEADER = 10_000
_FAULTS = (
    ValueError,
    TypeError,
    OSError,
    EOFError,
    MemoryError,
    OverflowError,
    RuntimeError,
    SyntaxError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What a damaged or hostile archive makes `zipfile` and `numpy` raise."""


@dataclass(frozen=True, slots=True)
class Predictions:
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
    kernels: NDArray[np.float64]

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
        wrong = np.flatnonzero(self.top_classes[:, 0] != self.labels)
        order = np.argsort(-self.top_probabilities[wrong, 0], kind="stable")
        return wrong[order[:most]]


def read_predictions(directory: Path) -> Predictions | None:
    """The predictions of a run; None where it has none.

    Raises:
        StoreError: The file is no such archive, too large, or holds what cannot be.
    """
    with Folder(directory) as folder:
        content = folder.read(PREDICTIONS_FILE, MAX_BYTES)
    if content is None:
        return None
    try:
        return _parse(content)
    except _FAULTS as error:
        raise StoreError(directory / PREDICTIONS_FILE, f"this holds no predictions ({error}).") from error


def _parse(content: bytes) -> Predictions:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        labels = _integers(_array(archive, "labels"), "labels", 1)
        classes = _integers(_array(archive, "top_classes"), "top_classes", 2)
        probabilities = _fractions(_array(archive, "top_probabilities"), "top_probabilities", 2)
        kernels = _fractions(_array(archive, "conv1_filters"), "conv1_filters", 4)
    if not len(labels):
        raise ValueError("there is no image")
    if len(classes) != len(labels) or classes.shape != probabilities.shape or not 1 <= classes.shape[1] <= 5:
        raise ValueError("the arrays do not fit each other")
    if min(labels.min(), classes.min()) < 0 or max(labels.max(), classes.max()) >= _MAX_CLASSES:
        raise ValueError("a class is out of range")
    if probabilities.min() < 0 or probabilities.max() > 1.001:
        raise ValueError("a probability is out of range")
    count, channels, height, width = kernels.shape
    sizes = 1 <= count <= _MAX_KERNELS and 1 <= height <= _MAX_KERNEL_PIXELS and 1 <= width <= _MAX_KERNEL_PIXELS
    if channels != 3 or not sizes:
        raise ValueError("the kernels have no shape of kernels")
    return Predictions(labels, classes, probabilities, kernels)


def _array(archive: zipfile.ZipFile, name: str) -> NDArray[Any]:
    """An array of the archive; nothing is allocated that its bytes do not fill."""
    try:
        entry = archive.getinfo(f"{name}.npy")
    except KeyError:
        raise ValueError(f"{name} is missing") from None
    if entry.file_size > MAX_BYTES:
        raise ValueError(f"{name} is larger than {MAX_BYTES >> 20} MiB")
    with archive.open(entry) as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise ValueError(f"{name} is larger than it says")
    stream = io.BytesIO(content)
    version = np.lib.format.read_magic(stream)
    if version == (1, 0):
        shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(stream, max_header_size=_MAX_HEADER)
    elif version == (2, 0):
        shape, is_fortran, dtype = np.lib.format.read_array_header_2_0(stream, max_header_size=_MAX_HEADER)
    else:
        raise ValueError(f"{name} has an unknown format")
    if dtype.hasobject or dtype.kind not in "iuf" or is_fortran:
        raise ValueError(f"{name} is no plain array of numbers")
    rest = content[stream.tell() :]
    if len(shape) > 4 or math.prod(shape) * dtype.itemsize != len(rest):
        raise ValueError(f"{name} has not the size it says")
    return np.frombuffer(rest, dtype).reshape(shape)


def _integers(array: NDArray[Any], name: str, dimensions: int) -> NDArray[np.int64]:
    if array.ndim != dimensions or array.dtype.kind not in "iu":
        raise ValueError(f"{name} is not what it should be")
    return array.astype(np.int64)


def _fractions(array: NDArray[Any], name: str, dimensions: int) -> NDArray[np.float64]:
    if array.ndim != dimensions or array.dtype.kind != "f" or not array.size:
        raise ValueError(f"{name} is not what it should be")
    values = array.astype(np.float64)
    if not np.isfinite(values).all():
        raise ValueError(f"{name} holds a number that is not finite")
    return values
