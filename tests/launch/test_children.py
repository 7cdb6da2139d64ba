"""Child processes run nothing of the folder they were started in: it may be somebody else's archive."""

import functools
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from fake_runs import write_run
from fork_server import SHRINK
from terminal_driver import Terminal
from waiting import wait_for

from alexnet_tui import command_lines
from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.launch import local, stopping
from alexnet_tui.launch.engine import StartOptions
from alexnet_tui.runs.follow import load
from alexnet_tui.runs.store import Store

PACKAGE = Path(command_lines.__file__).parent
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
        first = path / "decoy.py"
        first.write_text(code)
        for name in module_names():
            (path / f"{name}.py").hardlink_to(first)

    def assert_unsigned(self) -> None:
        assert not self.signed.exists(), self.signed.read_text()


@functools.cache
def module_names() -> frozenset[str]:
    """Everything that could be imported, and what Python imports by itself."""
    names = {*sys.stdlib_module_names, *packages_distributions(), "usercustomize", "sitecustomize"}
    return frozenset(name for name in names - {"__main__"} if name.isidentifier())


@pytest.fixture
def hostile(tmp_path: Path, store: Store, few_images: Path, monkeypatch: pytest.MonkeyPatch) -> HostileFolder:
    folder = tmp_path / "hostile"
    folder.mkdir()
    monkeypatch.setenv("ALEXNET_TUI_DATA", str(shutil.copytree(few_images, tmp_path / "data")))
    monkeypatch.setenv("ALEXNET_TUI_RUNS", str(store.root))
    for seed in (0, 1):
        write_run(store, RunConfig(epochs=3, seed=seed))
    return HostileFolder(folder)


@pytest.mark.slow
def test_attack_14_no_command_runs_files_of_the_current_folder(hostile: HostileFolder, tmp_path: Path) -> None:
    commands = (
        ["runs"],
        ["show", "last"],
        ["report"],
        ["compare", "baseline"],
        ["export"],
        ["data", "list"],
        ["data", "prepare", "cifar10"],  # Its child downloads.
        ["study", "list"],
        ["attach", "last", "--headless"],
        ["doctor"],
        ["run", "baseline", *TINY, "--dry-run"],
        ["study", "new", "q", *TINY, "--seeds", "1", "--variants", "baseline"],
        ["study", "run", "q"],  # Its child trains.
    )
    # As the installed program does it, but all in one process: the folder of the script is the first to be searched.
    script = tmp_path / "all_commands.py"
    script.write_text(
        "from alexnet_tui.cli import main as cli\n"
        f"for arguments in {commands!r}:\n"
        "    try:\n"
        "        cli.main(arguments)\n"
        "    except SystemExit as end:\n"
        "        print('exit', end.code, *arguments[:2], flush=True)\n"
    )
    # A small network, and no search for the best number of threads: what children compute matters to nobody here.
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(SHRINK)
    done = subprocess.run(
        [sys.executable, script],
        cwd=hostile.path,
        env={
            **os.environ,
            "HTTPS_PROXY": "http://127.0.0.1:9",
            "HTTP_PROXY": "http://127.0.0.1:9",
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": str(tmp_path / "site"),
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    hostile.assert_unsigned()
    ends = [line for line in done.stdout.splitlines() if line.startswith("exit ")]
    expected = [" ".join(["exit", "3" if "prepare" in words else "0", *words[:2]]) for words in commands]
    assert ends == expected, done.stderr
    assert "could not be downloaded" in done.stderr


def test_attack_14_an_empty_entry_of_the_module_path_is_not_handed_down(
    hostile: HostileFolder, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(hostile.path)
    monkeypatch.setenv("PYTHONPATH", f":{PACKAGE.parent}")
    run_id = store.create(RunConfig(epochs=3, seed=7)).id
    local.start(store, run_id, StartOptions(command=command_lines.child_command("alexnet_tui", "runs", "--help")))
    wait_for(lambda: not store.is_locked(run_id))
    assert "Usage" in store.reader(run_id).path.read_text(), store.log_tail(run_id)
    hostile.assert_unsigned()


@pytest.fixture
def console(hostile: HostileFolder, store: Store) -> Iterator[Terminal]:
    environment = {name: os.environ[name] for name in ("ALEXNET_TUI_DATA", "ALEXNET_TUI_RUNS")}
    terminal = Terminal([], folder=hostile.path, program=[str(PROGRAM)], environment=environment, size=(120, 40))
    yield terminal
    terminal.close()
    for run_id in store.ids():
        if store.is_locked(run_id):
            stopping.kill(store, run_id)


@pytest.mark.slow
def test_attack_14_the_console_starts_nothing_of_the_current_folder(
    console: Terminal, hostile: HostileFolder, store: Store
) -> None:
    unfinished = store.create(RunConfig.from_text({**TINY_CONFIG, "epochs": "500"})).id
    console.wait_for("queued")
    console.press("down", "down")  # A run that waits comes after those begun.
    console.wait_for(unfinished[:20])
    console.press("R")
    console.wait_until(lambda: load(store, unfinished)[0].step > 0)
    hostile.assert_unsigned()


def test_one_function_builds_the_command_of_every_child() -> None:
    """Beside it only ``git`` is started; so none can forget ``-P``."""
    users = {
        path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py") if "sys.executable" in path.read_text()
    }
    assert users == {"command_lines.py"}
    assert command_lines.child_command("m", "a")[1:] == ("-P", "-m", "m", "a")


def test_the_module_path_of_a_child_has_no_relative_entries(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for given, kept in (
        ("", None),
        (":", None),
        ("lib:/opt/x:", "/opt/x"),
        (":/opt/x::/opt/y", "/opt/x:/opt/y"),
    ):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("PYTHONPATH", given)
        assert command_lines.child_environment().get("PYTHONPATH") == kept
    monkeypatch.chdir(PACKAGE.parent)
    monkeypatch.setenv("PYTHONPATH", "")
    assert command_lines.child_environment(A="1")["A"] == "1"
    monkeypatch.setenv("PYTHONPATH", ".:lib")
    assert command_lines.child_environment()["PYTHONPATH"] == str(PACKAGE.parent)
