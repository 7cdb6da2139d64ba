"""Augmentation: what each function may and may not change."""

import pytest
import torch

from alexnet_tui.train.images.augment import center_crop, pca_colour, random_crop, random_flip


def numbered(count: int, side: int) -> torch.Tensor:
    """Images whose every pixel has a value of its own."""
    return torch.arange(count * 3 * side * side, dtype=torch.float32).view(count, 3, side, side)


def test_flip_mirrors_about_half_of_the_images_whole() -> None:
    images = numbered(400, 4)
    flipped = random_flip(images, torch.Generator().manual_seed(0))
    is_mirrored = (flipped == images.flip(3)).flatten(1).all(1)
    is_same = (flipped == images).flatten(1).all(1)
    assert bool((is_mirrored ^ is_same).all())
    assert 150 < int(is_mirrored.sum()) < 250


def test_crop_is_a_window_of_each_image() -> None:
    images = numbered(50, 8)
    cropped = random_crop(images, 5, torch.Generator().manual_seed(0))
    assert cropped.shape == (50, 3, 5, 5)
    places = set()
    for image, window in zip(images, cropped, strict=True):
        top, left = divmod(int(window[0, 0, 0] - image[0, 0, 0]), 8)
        assert torch.equal(window, image[:, top : top + 5, left : left + 5])
        places.add((top, left))
    assert len(places) > 8


def test_padded_crop_keeps_the_size_and_fills_with_zero() -> None:
    images = torch.ones(64, 3, 32, 32)
    cropped = random_crop(images, 32, torch.Generator().manual_seed(0), padding=4)
    assert cropped.shape == images.shape
    assert 0 < float(cropped.mean()) < 1


def test_crop_larger_than_the_image_is_refused() -> None:
    with pytest.raises(ValueError, match="33 pixels"):
        random_crop(torch.zeros(1, 3, 32, 32), 33, torch.Generator())


def test_center_crop() -> None:
    assert torch.equal(center_crop(numbered(2, 5), 3), numbered(2, 5)[:, :, 1:4, 1:4])


def test_colour_shift_is_one_vector_an_image_along_the_components() -> None:
    components = torch.tensor([[2.0, 0, 0], [0, 0, 0], [0, 0, 0]])
    shifted = pca_colour(torch.zeros(1000, 3, 2, 2), components, torch.Generator().manual_seed(0))
    assert float(shifted[:, 1:].abs().max()) == 0
    assert float(shifted.std(dim=(2, 3)).abs().max()) == 0
    assert float(shifted[:, 0].std()) == pytest.approx(0.2, rel=0.1)
