"""A small real training run: the synthetic images, decoded once for all tests."""

from pathlib import Path

import pytest

from alexnet_tui.datasets import prepare as datasets


@pytest.fixture(scope="session")
def synthetic_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the synthetic set ready."""
    root = tmp_path_factory.mktemp("data")
    datasets.prepare("synthetic", 32, data_dir=root)
    return root


@pytest.fixture
def synthetic(synthetic_root: Path, monkeypatch: pytest.MonkeyPatch, isolated: None) -> Path:
    """Makes the program, and every process it starts, use `synthetic_root`."""
    monkeypatch.setenv("ALEXNET_TUI_DATA", str(synthetic_root))
    return synthetic_root
