"""Child processes run nothing of the folder they were started in: it may be somebody else's archive."""

import os
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from fake_runs import write_run
from terminal_driver import Terminal
from waiting import wait_for

from alexnet_tui import paths
from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.datasets import prepare as datasets
from alexnet_tui.launch import local
from alexnet_tui.runs.history import State, load
from alexnet_tui.runs.store import Store

PACKAGE = Path(paths.__file__).parent
PROGRAM = Path(sysconfig.get_path("scripts")) / "alexnet-tui"
TINY = ("--data", "synthetic", "--train-images", "32", "--epochs", "1", "--threads", "1", "--batch-size", "32")
TINY_CONFIG = {"data": "synthetic", "train_images": "32", "epochs": "1", "threads": "1", "batch_size": "32"}


class HostileFolder:
    """A current folder with a module of every name that Python could look for; each one that is run signs its name."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.signed = path / "signed.txt"
        code = (
            "import sys\n"
            f"open({str(self.signed)!r}, 'a').write(__name__ + ' in ' + repr(sys.argv) + chr(10))\n"
            "raise ImportError('decoy')\n"
        )
        names = {*sys.stdlib_module_names, *packages_distributions(), "usercustomize", "sitecustomize"}
        for name in names - {"__main__"}:
            if name.isidentifier():
                (path / f"{name}.py").write_text(code)

    def run(self, *arguments: str, code: int = 0, **variables: str) -> None:
        """Call the program in the folder; it must end as if the folder were empty."""
        done = subprocess.run(
            [PROGRAM, *arguments],
            cwd=self.path,
            env={**os.environ, **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert not self.signed.exists(), (arguments, self.signed.read_text())
        assert done.returncode == code, (arguments, done.stderr)


@pytest.fixture
def hostile(tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> HostileFolder:
    folder = tmp_path / "hostile"
    folder.mkdir()
    data_root = tmp_path / "data"
    datasets.prepare("synthetic", 32, data_dir=data_root)
    monkeypatch.setenv("ALEXNET_TUI_DATA", str(data_root))
    monkeypatch.setenv("ALEXNET_TUI_RUNS", str(store.root))
    for seed in (0, 1):
        write_run(store, RunConfig(epochs=3, seed=seed))
    return HostileFolder(folder)


@pytest.mark.slow
def test_attack_14_no_command_runs_files_of_the_current_folder(hostile: HostileFolder) -> None:
    for arguments in (
        ["runs"],
        ["show", "last"],
        ["report"],
        ["compare", "baseline"],
        ["export"],
        ["data", "list"],
        ["study", "list"],
        ["run", "baseline", *TINY, "--dry-run"],
        ["run", "baseline", *TINY, "--headless"],
        ["attach", "last", "--headless"],
        ["doctor"],
        ["study", "new", "q", *TINY, "--seeds", "1", "--variants", "baseline"],
        ["study", "run", "q"],
    ):
        hostile.run(*arguments)
    hostile.run("data", "prepare", "cifar10", code=3, HTTPS_PROXY="http://127.0.0.1:9", HTTP_PROXY="http://127.0.0.1:9")


@pytest.mark.slow
def test_attack_14_an_empty_entry_of_the_module_path_is_not_handed_down(
    hostile: HostileFolder, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(hostile.path)
    monkeypatch.setenv("PYTHONPATH", f":{PACKAGE.parent}")
    run_id = store.create(RunConfig.from_text(TINY_CONFIG)).id
    local.start(store, run_id)
    wait_for(lambda: not store.is_locked(run_id))
    assert load(store, run_id)[1] is State.FINISHED, store.log_tail(run_id)
    assert not hostile.signed.exists()


@pytest.fixture
def console(hostile: HostileFolder, store: Store) -> Iterator[Terminal]:
    environment = {name: os.environ[name] for name in ("ALEXNET_TUI_DATA", "ALEXNET_TUI_RUNS")}
    terminal = Terminal([], folder=hostile.path, program=[str(PROGRAM)], environment=environment, size=(120, 40))
    yield terminal
    terminal.close()
    for run_id in store.ids():
        if store.is_locked(run_id):
            local.kill(store, run_id)


@pytest.mark.slow
def test_attack_14_the_console_starts_nothing_of_the_current_folder(
    console: Terminal, hostile: HostileFolder, store: Store
) -> None:
    unfinished = store.create(RunConfig.from_text({**TINY_CONFIG, "epochs": "500"})).id
    console.wait_for(unfinished[:20])
    console.press("R")
    console.wait_until(lambda: load(store, unfinished)[0].step > 0)
    assert not hostile.signed.exists()


def test_one_function_builds_the_command_of_every_child() -> None:
    """Beside it only ``git`` is started; so none can forget ``-P``."""
    users = {
        path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py") if "sys.executable" in path.read_text()
    }
    assert users == {"paths.py"}
    assert paths.child_command("m", "a")[1:] == ("-P", "-m", "m", "a")


def test_the_module_path_of_a_child_has_no_relative_entries(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for given, kept in (
        ("", None),
        (":", None),
        ("lib:/opt/x:", "/opt/x"),
        (":/opt/x::/opt/y", "/opt/x:/opt/y"),
    ):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("PYTHONPATH", given)
        assert paths.child_environment().get("PYTHONPATH") == kept
    monkeypatch.chdir(PACKAGE.parent)
    monkeypatch.setenv("PYTHONPATH", "")
    assert paths.child_environment(A="1")["A"] == "1"
    monkeypatch.setenv("PYTHONPATH", ".:lib")
    assert paths.child_environment()["PYTHONPATH"] == str(PACKAGE.parent)
