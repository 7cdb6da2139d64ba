"""What a reader of the checkout may rely on: its top level, and that the README's test command checks everything."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TOP_LEVEL = {"alexnet_tui", "tests", "runs", "pyproject.toml", "README.md", "LICENSE"}
CHECKS = ("ruff check .", "ruff format --check .", "lint-imports", "mypy", "pytest")


def test_the_readme_has_one_test_command_and_it_runs_every_check() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"<!-- test command -->\n```sh\n(.*?)\n```", text, re.DOTALL)
    steps = [step.strip() for step in command.split("&&")]
    assert [check for check in CHECKS if not any(step.startswith(check) for step in steps)] == []


def test_the_top_level_holds_what_the_owner_named() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    names = {line.split("/")[0] for line in listed.stdout.splitlines()}
    assert {name for name in names if not name.startswith(".")} <= TOP_LEVEL
