"""The commit that a run records."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import alexnet_tui

ASK = "from alexnet_tui.runs.provenance import package_commit; print(package_commit())"


def commit_of(checkout: Path) -> str:
    """What a program that runs from the checkout records."""
    environment = {**os.environ, "PYTHONPATH": str(checkout), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", ASK]
    return subprocess.run(command, env=environment, cwd="/", check=True, capture_output=True, text=True).stdout.strip()


def test_only_changes_of_the_program_itself_mark_its_commit(tmp_path: Path) -> None:
    package = tmp_path / "alexnet_tui"
    shutil.copytree(Path(alexnet_tui.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    readme = tmp_path / "README.md"
    readme.write_text("a")
    assert commit_of(tmp_path) == ""
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@example.org"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "all"]):
        subprocess.run([*git, *words], check=True)
    commit = commit_of(tmp_path)
    assert len(commit) == 12
    readme.write_text("a note")
    assert commit_of(tmp_path) == commit
    (package / "text.py").write_text((package / "text.py").read_text() + "\n")
    assert commit_of(tmp_path) == f"{commit}+"
