"""What each entry point really loads, seen in a fresh interpreter's `sys.modules`."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import fake_runs
import pytest

from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.runs.store import Store

ROOT = Path(__file__).parent.parent
HEAVY = {"torch", "torchvision", "textual", "numpy", "PIL", "pydantic"}
OF_A_TERMINAL = {"rich", "typer", "textual"}
_REPORT = "import json, sys; sys.stderr.write(json.dumps(sorted(sys.modules)))"


def loaded(code: str) -> set[str]:
    """Top-level names of the modules an interpreter has loaded after running `code`."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{_REPORT}"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return {name.partition(".")[0] for name in json.loads(done.stderr.splitlines()[-1])}


def of_command(*arguments: str) -> set[str]:
    command = f"main({list(arguments)!r})"
    return loaded(
        f"from alexnet_tui.cli.main import main\ntry: {command}\nexcept SystemExit as end: assert not end.code"
    )


@pytest.fixture
def runs_dir(store: Store) -> str:
    fake_runs.write_run(store, RunConfig(epochs=3), label="a run")
    return str(store.root)


def test_help_loads_nothing_heavy() -> None:
    for arguments in (["--help"], ["run", "--help"], ["--version"]):
        assert of_command(*arguments) & (HEAVY | {"rich", "psutil"}) == set(), arguments


@pytest.mark.slow
def test_looking_at_runs_loads_neither_torch_nor_textual_nor_numpy(runs_dir: str) -> None:
    for arguments in (["runs"], ["runs", "--json"], ["show", "last"], ["show", "last", "--json"]):
        assert of_command(*arguments, "--runs-dir", runs_dir) & (HEAVY | {"psutil"}) == set(), arguments


@pytest.mark.slow
def test_templates_are_loaded_for_the_formats_that_have_one_alone(runs_dir: str) -> None:
    for form in ("terminal", "json", "latex"):
        names = of_command("report", "--format", form, "--runs-dir", runs_dir)
        assert names & {"jinja2", "markupsafe", "torch", "textual"} == set(), form


def test_vocabulary_record_and_claims_need_neither_torch_nor_a_terminal() -> None:
    modules = (
        "errors",
        "text",
        "files",
        "folder",
        "json_io",
        "output_file",
        "paths",
        "command_lines",
        "config.architecture",
        "config.variants",
        "config.hyperparameters",
        "runs.events",
        "runs.event_log",
        "runs.store",
        "runs.history",
        "analysis.published",
        "analysis.stats",
        "analysis.verdict.judge",
        "launch.local",
        "launch.stopping",
        "launch.probe",
    )
    code = "\n".join(f"import alexnet_tui.{module}" for module in modules)
    assert loaded(code) & ({"torch", "torchvision"} | OF_A_TERMINAL) == set()


def test_the_console_never_loads_torch() -> None:
    names = loaded("import alexnet_tui.tui.app")
    assert "textual" in names
    assert names & {"torch", "torchvision"} == set()


@pytest.mark.slow
def test_the_console_begins_without_what_its_first_screen_does_not_show() -> None:
    places = ("new_run", "run", "compare", "report", "studies")
    unseen = [f"alexnet_tui.tui.screens.{place}.screen" for place in places]
    unseen += [
        "json",
        "alexnet_tui.tui.widgets.help",
        "alexnet_tui.tui.widgets.dialogs",
        "alexnet_tui.tui.charts.widget",
        "alexnet_tui.report.build",
        "alexnet_tui.cli.app",
    ]
    code = "import sys, alexnet_tui.cli.main, alexnet_tui.tui.app"
    assert not loaded(code) & {"numpy", "typer", "psutil", "torch"}
    assert loaded(f"{code}\nassert not sys.modules.keys() & set({unseen!r})")


def test_the_package_itself_loads_nothing() -> None:
    before = loaded("pass")
    assert loaded("import alexnet_tui") - before == {"alexnet_tui"}


def test_attack_16_no_module_listens_for_connections() -> None:
    servers = re.compile(
        r"\b(?:socketserver|http\.server|wsgiref|xmlrpc|aiohttp|websockets|textual_serve|start_server|listen\()"
    )
    modules = list((ROOT / "alexnet_tui").rglob("*.py"))
    assert len(modules) > 100
    assert [path.name for path in modules if servers.search(path.read_text())] == []
