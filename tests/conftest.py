"""Fixtures every test may use; nothing of the machine leaks into a test."""

import gc
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from alexnet_tui.runs.store import Store

_HERE = Path(__file__).parent
sys.path[:0] = [str(_HERE / "support"), str(_HERE)]
# Compiling every module once more for each process would cost a fifth of the time.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
pytest_plugins = ["cli_caller", "fork_server", "slurm_stub", "synthetic_data"]


def pytest_collection_finish() -> None:
    """Imported modules and collected tests stay; looking through them at every collection costs a fifth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 50)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow tests first, so that none of them begins when the other worker is about to end."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """A worker that has nothing left takes tests from the other one."""
    from xdist.scheduler import WorkStealingScheduling

    return WorkStealingScheduling(config, log)


@pytest.fixture(autouse=True)
def isolated(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test reads the user's data, settings or environment, nor writes outside its own folder."""
    monkeypatch.setenv("ALEXNET_TUI_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("TEXTUAL_ANIMATIONS", "none")
    monkeypatch.setattr(os, "getloadavg", lambda: (0.0, 0.0, 0.0))
    # No test cuts the power, and waiting for the disk was a third of the time; child processes do wait.
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    for name in ("ALEXNET_TUI_RUNS", "NO_COLOR", "COLUMNS", "LINES"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty runs folder."""
    return Store(tmp_path / "runs")
