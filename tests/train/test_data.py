"""Splits, batches and order: what a run reads is a function of its configuration."""

import numpy as np
import pytest
import torch

from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.datasets.cache import Split, channel_moments
from alexnet_tui.datasets.prepare import Dataset
from alexnet_tui.errors import TooFewImagesError
from alexnet_tui.train.images import data
from alexnet_tui.train.machine.device import select_device


def dataset(side: int = 32, count: int = 200) -> Dataset:
    rng = np.random.default_rng(0)
    train = Split(
        images=rng.integers(0, 256, (count, 3, side, side), dtype=np.uint8),
        labels=np.arange(count, dtype=np.int64) % 10,
    )
    test = Split(images=train.images[:50], labels=train.labels[:50])
    names = tuple(f"class{index}" for index in range(10))
    grey = (0.5, 0.5, 0.5)
    return Dataset(
        name="random", sha256="", class_names=names, train=train, test=test, image_size=side, mean=grey, std=grey
    )


def prepared(side: int = 32, **fields: str) -> data.Data:
    config = RunConfig.from_text({"threads": "1", "precision": "fp32", **fields})
    return data.prepare(dataset(side), config, select_device(config))


def test_holdout_keeps_a_stratified_tenth_out_of_training() -> None:
    parts = prepared(split="holdout")
    assert parts.val is not None
    assert (len(parts.train), len(parts.val)) == (180, 20)
    assert parts.val.labels_N.bincount().tolist() == [2] * 10
    seen = {image.numpy().tobytes() for image in parts.train.pixels_NCHW}
    assert not any(image.numpy().tobytes() in seen for image in parts.val.pixels_NCHW)


def test_what_is_held_out_never_enters_standardisation_or_colours() -> None:
    def standardised(held_out: int) -> tuple[torch.Tensor, torch.Tensor]:
        images = dataset()
        config = RunConfig.from_text({"threads": "1", "precision": "fp32", "split": "holdout", "augmentation": "paper"})
        index = data.stratified(np.asarray(images.train.labels), 20, "holdout")
        images.train.images[index] = held_out
        parts = data.prepare(images, config, select_device(config))
        generator = torch.Generator().manual_seed(0)
        unseen = torch.from_numpy(np.asarray(dataset().test.images))
        return parts.batches.evaluation(unseen), parts.batches.training(parts.train.pixels_NCHW, generator)

    for dark, bright in zip(standardised(0), standardised(255), strict=True):
        assert torch.equal(dark, bright)


def test_mean_preprocessing_subtracts_the_mean_training_image_and_nothing_else() -> None:
    parts = prepared(preprocessing="mean", augmentation="none")
    pixels = parts.train.pixels_NCHW.numpy().astype(np.float64)
    batch = parts.batches.evaluation(parts.train.pixels_NCHW[:20]).numpy()
    np.testing.assert_allclose(batch, pixels[:20] - pixels.mean(0), atol=1e-4)


def test_moments_are_those_a_data_set_states_of_itself() -> None:
    pixels = np.asarray(dataset(count=2300).train.images)
    means, deviations = channel_moments(pixels)
    flat = np.asarray(pixels, dtype=np.float64).transpose(1, 0, 2, 3).reshape(3, -1) / 255
    assert means == pytest.approx(flat.mean(1), rel=1e-12)
    assert deviations == pytest.approx(flat.std(1), rel=1e-12)
    assert channel_moments(np.zeros((2, 3, 4, 4), dtype=np.uint8)) == ((0.0,) * 3, (1 / 255,) * 3)


def test_moments_of_a_part_are_exact_to_the_last_bit() -> None:
    """As sums of whole numbers over tensors gave them, which earlier runs were standardised by."""
    tensor = torch.from_numpy(np.asarray(dataset(count=2300).train.images))[::3]
    count = tensor.numel() // 3
    totals = tensor.sum((0, 2, 3), dtype=torch.int64).tolist()
    squares = tensor.int().square().sum((0, 2, 3), dtype=torch.int64).tolist()
    means = [total / count for total in totals]
    deviations = [(square / count - mean * mean) ** 0.5 for square, mean in zip(squares, means, strict=True)]
    expected = tuple(mean / 255 for mean in means), tuple(deviation / 255 for deviation in deviations)
    assert channel_moments(tensor.numpy()) == expected


def test_what_is_held_out_is_what_the_estimate_counts_on() -> None:
    parts = prepared(split="holdout")
    assert parts.val is not None
    assert len(parts.val) == RunConfig(split="holdout").num_val_images(200) == 20


def test_paper_split_trains_on_everything() -> None:
    parts = prepared()
    assert parts.val is None
    assert (len(parts.train), len(parts.test), len(parts.train_eval)) == (200, 50, 200)


def test_fewer_training_images_are_stratified_and_the_same_every_time() -> None:
    first, second = prepared(train_images="40"), prepared(train_images="40", seed="7")
    assert first.train.labels_N.bincount().tolist() == [4] * 10
    assert torch.equal(first.train.pixels_NCHW, second.train.pixels_NCHW)


def test_more_images_than_there_are_is_a_sentence() -> None:
    with pytest.raises(TooFewImagesError, match="200 training images; --train-images asks for 201"):
        prepared(train_images="201")
    with pytest.raises(TooFewImagesError, match="200 training images, 20 of them held out; .* for 181"):
        prepared(train_images="181", split="holdout")


def test_epoch_order_is_a_permutation_of_its_own() -> None:
    order = data.epoch_order(100, seed=0, epoch=1)
    assert sorted(order.tolist()) == list(range(100))
    assert torch.equal(order, data.epoch_order(100, 0, 1))
    assert not torch.equal(order, data.epoch_order(100, 0, 2))
    assert not torch.equal(order, data.epoch_order(100, 1, 1))


@pytest.mark.parametrize("augmentation", ["none", "flip", "flip-crop", "paper"])
@pytest.mark.parametrize(("side", "front_end", "expected"), [(32, "literal32", 32), (256, "resize227", 227)])
def test_batches_have_the_networks_size(augmentation: str, side: int, front_end: str, expected: int) -> None:
    parts = prepared(side, front_end=front_end, augmentation=augmentation, train_images="20")
    stream = torch.Generator().manual_seed(0)
    assert parts.batches.training(parts.train.pixels_NCHW[:4], stream).shape == (4, 3, expected, expected)
    assert parts.batches.evaluation(parts.test.pixels_NCHW[:4]).shape == (4, 3, expected, expected)


def test_small_images_are_enlarged_for_a_large_front_end() -> None:
    parts = prepared(32, front_end="resize227", train_images="20")
    assert parts.batches.evaluation(parts.test.pixels_NCHW[:2]).shape == (2, 3, 227, 227)


@pytest.mark.slow
def test_without_augmentation_training_reads_what_evaluation_reads() -> None:
    parts = prepared(augmentation="none")
    pixels = parts.train.pixels_NCHW[:8]
    batch = parts.batches.evaluation(pixels)
    assert torch.equal(parts.batches.training(pixels, torch.Generator()), batch)
    torch.testing.assert_close(batch, (pixels.float() / 255 - 0.5) / 0.5)
