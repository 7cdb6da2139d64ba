"""Fixtures with the synthetic data set, made once for all tests."""

from pathlib import Path

import pytest

from alexnet_tui.datasets import synthetic as shapes
from alexnet_tui.datasets.build import store_arrays
from alexnet_tui.datasets.prepare import prepare_dataset


def prepare_few_images(root: Path) -> None:
    """The synthetic set with few images, since evaluation would take most of the time of a short training."""
    images, labels = {}, {}
    for split, count in (("train", 256), ("test", 50)):
        images[split], labels[split] = shapes.draw(split, count)
    store_arrays(root, "synthetic", images, labels, shapes.CLASS_NAMES)


@pytest.fixture(scope="session")
def prepared_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder in which `synthetic` is ready."""
    folder = tmp_path_factory.mktemp("data")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ALEXNET_TUI_DATA", str(folder))
        prepare_dataset("synthetic", 32)
    return folder


@pytest.fixture(scope="session")
def few_images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder in which `synthetic` is ready, with 256 training images and 50 test images."""
    folder = tmp_path_factory.mktemp("few-images")
    prepare_few_images(folder)
    return folder


@pytest.fixture
def synthetic(few_images: Path, monkeypatch: pytest.MonkeyPatch, isolated: None) -> Path:
    """Makes the program, and every process it starts, use `few_images`."""
    monkeypatch.setenv("ALEXNET_TUI_DATA", str(few_images))
    return few_images
