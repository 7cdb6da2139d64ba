"""The data set as tensors on the device, and batches cut from it.

The pixels live on the device as uint8; a batch is gathered, augmented and preprocessed as whole tensors.

Legend: N images, C channels, H and W pixels.
"""

import math
from collections.abc import Sequence

import msgspec
import numpy as np
import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from alexnet_tui.config.front_ends import FRONT_ENDS
from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.datasets.cache import Split, channel_moments
from alexnet_tui.datasets.prepare import Dataset
from alexnet_tui.errors import AlexnetTuiError, TooFewImagesError
from alexnet_tui.text import format_bytes
from alexnet_tui.train.images import augment
from alexnet_tui.train.machine.device import DeviceSetup, memory_bytes, stream_seed

# The split does not change with the seed of a run, so that all runs are judged on the same images.
_SPLIT_SEED = 2012
_CROP_PADDING = 4
_COLOUR_IMAGES, _COLOUR_CHUNK = 10_000, 200
_MEAN_CHUNK = 1000


class DataTooLargeError(AlexnetTuiError):
    """The images of a run do not fit into memory, whatever the batch size."""

    def __init__(self, name: str, needed_bytes: int, limit: str) -> None:
        super().__init__(
            f"Out of memory: the images of {name} take {format_bytes(needed_bytes)}, and {limit}. Train on a part of"
            " them (--train-images, --train-eval-images); a smaller batch does not help."
        )


class Images(msgspec.Struct, frozen=True):
    """One split on the device: pixels (N, C, H, W) as uint8, labels (N,) as int64."""

    pixels_NCHW: Tensor
    labels_N: Tensor

    def __len__(self) -> int:
        return len(self.labels_N)


class Data(msgspec.Struct, frozen=True):
    """Everything a run reads: `train` to learn from, `train_eval` a fixed part of it, `val` only with holdout."""

    train: Images
    train_eval: Images
    test: Images
    val: Images | None
    batches: "BatchMaker"


def prepare(dataset: Dataset, config: RunConfig, setup: DeviceSetup) -> Data:
    """Put the parts of a data set that a run needs on its device.

    Raises:
        TooFewImagesError: Fewer training images than the configuration asks for.
        DataTooLargeError: The images do not fit into the device's memory.
    """
    labels = np.asarray(dataset.train.labels)
    train_index = np.arange(len(labels))
    val_index: np.ndarray | None = None
    if num_val := config.num_val_images(len(labels)):
        val_index = stratified(labels, num_val, "holdout")
        train_index = np.setdiff1d(train_index, val_index)
    if config.train_images:
        if config.train_images > len(train_index):
            raise TooFewImagesError(dataset.name, len(labels), num_val, config.train_images)
        train_index = train_index[stratified(labels[train_index], config.train_images, "train")]
    count = min(config.train_eval_images, len(train_index))
    eval_index = train_index[stratified(labels[train_index], count, "train_eval")]
    num_val_images = 0 if val_index is None else len(val_index)
    _check_memory(dataset, len(train_index) + count + num_val_images + len(dataset.test.labels), setup)
    train = _on_device(dataset.train, train_index, setup)
    # The same numbers as a data set states of all its training images; a held-out part must not leak into them.
    is_whole = len(train) == len(labels)
    moments = (dataset.mean, dataset.std) if is_whole else channel_moments(train.pixels_NCHW.cpu().numpy())
    return Data(
        train=train,
        train_eval=_on_device(dataset.train, eval_index, setup),
        test=_on_device(dataset.test, None, setup),
        val=None if val_index is None else _on_device(dataset.train, val_index, setup),
        batches=BatchMaker(train, moments, config, setup),
    )


def stratified(labels: np.ndarray, count: int, stream: str) -> np.ndarray:
    """Sorted places of `count` labels, each class in its share, the same every time.

    Args:
        labels: Class of each image, (N,).
        count: At most N.
        stream: Name of the choice; different names choose independently.
    """
    order = np.random.default_rng(stream_seed(_SPLIT_SEED, stream)).permutation(len(labels))
    by_class = order[np.argsort(labels[order], kind="stable")]
    # Every N/count-th image of the list sorted by class takes each class in its share.
    places = (np.arange(count) * len(labels)) // count
    return np.sort(by_class[places])


class BatchMaker:
    """Turns pixels into what the network reads.

    Args:
        train: The images trained on; their pixels give the PCA colours.
        moments: Their mean and standard deviation per channel as fractions of 255, which standardise all images.
        config: Names the preprocessing, the augmentation and the front end.
        setup: Device and precision of the batches.
    """

    def __init__(
        self, train: Images, moments: tuple[Sequence[float], Sequence[float]], config: RunConfig, setup: DeviceSetup
    ) -> None:
        self._setup = setup
        self._augmentation = config.augmentation
        self.size = FRONT_ENDS[config.front_end].image_size
        device = setup.device
        self._mean: Tensor  # (1, C, 1, 1) or (1, C, H, W), in grey levels
        self._deviation: Tensor | None = None
        if config.preprocessing == "mean":
            self._mean = mean_image(train.pixels_NCHW)
        else:
            self._mean = torch.tensor(moments[0], device=device).view(1, 3, 1, 1) * 255
            self._deviation = torch.tensor(moments[1], device=device).view(1, 3, 1, 1) * 255
        self._components: Tensor | None = None
        if config.augmentation == "paper":
            self._components = colour_components(train.pixels_NCHW).to(device)

    def training(self, pixels_NCHW: Tensor, generator: Generator) -> Tensor:
        """A preprocessed and augmented batch (N, C, size, size) in the network's precision."""
        images = self._centre(pixels_NCHW, colour_generator=generator)
        if self._augmentation in ("flip-crop", "paper"):
            images = self._shift(images, generator)
        images = self._fit(images)
        if self._augmentation != "none":
            images = augment.random_flip(images, generator)
        return self._finish(images)

    def evaluation(self, pixels_NCHW: Tensor) -> Tensor:
        """A preprocessed batch, the centre of each image."""
        return self._finish(self._fit(self._centre(pixels_NCHW)))

    def _centre(self, pixels_NCHW: Tensor, colour_generator: Generator | None = None) -> Tensor:
        images = pixels_NCHW.float()
        if self._components is not None and colour_generator is not None:
            images = augment.pca_colour(images, self._components, colour_generator)
        images.sub_(self._mean)
        return images if self._deviation is None else images.div_(self._deviation)

    def _shift(self, images_NCHW: Tensor, generator: Generator) -> Tensor:
        """A random window: of the network's size where images are larger, else with a padded border."""
        side = min(images_NCHW.shape[2:])
        if side > self.size:
            return augment.random_crop(images_NCHW, self.size, generator)
        return augment.random_crop(images_NCHW, side, generator, padding=max(1, side * _CROP_PADDING // 32))

    def _fit(self, images_NCHW: Tensor) -> Tensor:
        """The network's size: the centre of larger images, smaller ones enlarged."""
        side = min(images_NCHW.shape[2:])
        if side < self.size:
            return F.interpolate(images_NCHW, size=(self.size, self.size), mode="bilinear", align_corners=False)
        return augment.center_crop(images_NCHW, self.size)

    def _finish(self, images_NCHW: Tensor) -> Tensor:
        return images_NCHW.to(self._setup.dtype, memory_format=torch.channels_last)


def mean_image(pixels_NCHW: Tensor) -> Tensor:
    """Mean of all images, pixel by pixel, in grey levels, (1, C, H, W).

    Source: Krizhevsky et al. 2012, section 2: "subtracting the mean activity over the training set from each pixel".
    """
    # Sums of whole numbers below 2**53 are exact in any order; an Apple GPU has no float64.
    exact = torch.int64 if pixels_NCHW.device.type == "mps" else torch.float64
    total = torch.zeros(pixels_NCHW.shape[1:], dtype=exact, device=pixels_NCHW.device)
    for chunk in pixels_NCHW.split(_MEAN_CHUNK):
        total += chunk.to(exact).sum(0)
    return (total.cpu().double() / len(pixels_NCHW)).float().to(pixels_NCHW.device)[None]


def colour_components(pixels_NCHW: Tensor) -> Tensor:
    """Columns are the eigenvectors of the training pixels' colour covariance, times their eigenvalues, (3, 3).

    The paper does not give the scale of its pixels; here the components are those of RGB values from 0 to 1, and
    the shift is then brought to the 0 to 255 of the pixels it is added to.
    """
    every = max(1, len(pixels_NCHW) // _COLOUR_IMAGES)
    images, count = pixels_NCHW[::every].cpu().numpy(), 0
    sums, products = np.zeros(3), np.zeros((3, 3))
    for start in range(0, len(images), _COLOUR_CHUNK):
        pixels = np.asarray(images[start : start + _COLOUR_CHUNK], dtype=np.float64)
        flat = pixels.transpose(1, 0, 2, 3).reshape(3, -1) / 255
        sums, products, count = sums + flat.sum(1), products + flat @ flat.T, count + flat.shape[1]
    mean = sums / count
    values, vectors = np.linalg.eigh(products / count - np.outer(mean, mean))
    return torch.from_numpy(vectors * values * 255).float()


def epoch_order(num_images: int, seed: int, epoch: int) -> Tensor:
    """The order of the training images in one epoch, (N,); a function of its arguments alone."""
    generator = torch.Generator().manual_seed(stream_seed(seed, "shuffle", epoch))
    return torch.randperm(num_images, generator=generator)


def _on_device(split: Split, index: np.ndarray | None, setup: DeviceSetup) -> Images:
    """The split's images of the given indices, or all of them, copied once."""
    whole = index is None or len(index) == len(split.labels)
    # Indexing with an array copies already; the cache behind a whole split is read-only and is copied here.
    pixels = np.array(split.images) if whole else np.asarray(split.images[index])
    labels = np.array(split.labels if whole else split.labels[index], dtype=np.int64)
    return Images(torch.from_numpy(pixels).to(setup.device), torch.from_numpy(labels).to(setup.device))


def _check_memory(dataset: Dataset, num_images: int, setup: DeviceSetup) -> None:
    """Refuse images that take more than all memory there is, before they are read.

    Raises:
        DataTooLargeError: With what would fit.
    """
    needed = num_images * math.prod(dataset.train.images.shape[1:])
    limit = memory_bytes(setup.device)
    if needed > limit:
        raise DataTooLargeError(dataset.name, needed, f"there are {format_bytes(limit)}")
