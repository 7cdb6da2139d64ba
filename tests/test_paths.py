"""Where files are, for users without a home and without a current folder too."""

import os
import pwd
import sys
from pathlib import Path

import pytest
from cli_caller import Run

from alexnet_tui import paths
from alexnet_tui.errors import ExitCode, HomeError, UsageError

XDG = ("XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "ALEXNET_TUI_DATA")


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container whose user number is in no table."""

    def unknown(number: int) -> object:
        raise KeyError(f"getpwuid(): uid not found: {number}")

    for name in (*XDG, "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)


@pytest.mark.skipif(sys.platform != "linux", reason="other platforms have other places")
def test_where_data_and_state_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert paths.data_root() == tmp_path / "data"
    assert paths.state_dir() == tmp_path / "state" / "alexnet-tui"
    monkeypatch.delenv("ALEXNET_TUI_DATA")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert paths.data_root() == tmp_path / "cache" / "alexnet-tui" / "data"
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("XDG_CACHE_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, "relative")  # By the XDG rules as good as none.
    assert paths.data_root() == tmp_path / ".cache" / "alexnet-tui" / "data"
    assert paths.state_dir() == tmp_path / ".local" / "state" / "alexnet-tui"
    monkeypatch.setenv("ALEXNET_TUI_DATA", "~/elsewhere")
    assert paths.data_root() == tmp_path / "elsewhere"


def test_the_runs_folder_of_the_session(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert paths.default_root() == Path("runs")
    monkeypatch.setenv("ALEXNET_TUI_RUNS", "")
    assert paths.default_root() == Path("runs")
    monkeypatch.setenv("ALEXNET_TUI_RUNS", "/elsewhere")
    assert paths.default_root() == Path("/elsewhere")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("ALEXNET_TUI_RUNS", "~/runs")
    assert paths.default_root() == tmp_path / "runs"


def test_a_home_that_nobody_has_is_a_sentence() -> None:
    with pytest.raises(UsageError, match="home folder that is not known"):
        paths.given("~nobody-has-this-name/runs")


@pytest.mark.usefixtures("homeless")
def test_without_a_home_there_is_one_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, run: Run) -> None:
    monkeypatch.chdir(tmp_path)
    for find, variable in ((paths.data_root, "ALEXNET_TUI_DATA"), (paths.state_dir, "XDG_STATE_HOME")):
        with pytest.raises(HomeError, match=f"set HOME, or {variable}"):
            find()
    assert run("runs").code == ExitCode.DONE
    for arguments in (["data", "list"], ["run", "--dry-run"], ["run", "--headless", "--data", "synthetic"]):
        result = run(*arguments)
        assert (result.code, result.err.count("\n")) == (ExitCode.STORE_OR_DATA, 1)
    assert os.listdir(tmp_path) == []
    monkeypatch.setenv("ALEXNET_TUI_DATA", str(tmp_path))
    assert run("data", "list").code == ExitCode.DONE


@pytest.mark.usefixtures("homeless")
def test_a_crash_without_a_home_is_told_all_the_same() -> None:
    try:
        raise ZeroDivisionError
    except ZeroDivisionError:
        assert paths.log_crash().startswith("The details could not be saved (no home folder is known")


@pytest.mark.slow
def test_a_current_folder_that_was_removed_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    monkeypatch.delenv("ALEXNET_TUI_RUNS")
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    for arguments in (["runs"], ["show", "last"], ["delete", "last"], ["report"], ["run", "--headless"], ["doctor"]):
        result = run(*arguments)
        assert "unexpected" not in result.err
        assert result.err.strip()
