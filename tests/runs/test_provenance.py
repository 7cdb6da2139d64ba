"""The commit that a run records."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import alexnet_tui

ASK = "import sys; from alexnet_tui.runs.provenance import package_commit; print(package_commit(float(sys.argv[1])))"
SLOW_GIT = """#!/bin/sh
case "$*" in *status*) {first};; esac
exec {git} "$@"
"""


def commit_of(checkout: Path, patience_seconds: float = 30.0, path: str = os.environ["PATH"]) -> str:
    """What a program that runs from the checkout records."""
    environment = {**os.environ, "PYTHONPATH": str(checkout), "PYTHONDONTWRITEBYTECODE": "1", "PATH": path}
    command = [sys.executable, "-c", ASK, str(patience_seconds)]
    return subprocess.run(command, env=environment, cwd="/", check=True, capture_output=True, text=True).stdout.strip()


def make_checkout(folder: Path) -> Path:
    """The program in a folder, not committed yet; its package."""
    package = folder / "alexnet_tui"
    shutil.copytree(Path(alexnet_tui.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "README.md").write_text("a")
    return package


def commit_all(folder: Path) -> None:
    git = ["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@example.org"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "all"]):
        subprocess.run([*git, *words], check=True)


def test_only_changes_of_the_program_itself_mark_its_commit(tmp_path: Path) -> None:
    package, readme = make_checkout(tmp_path), tmp_path / "README.md"
    assert commit_of(tmp_path) == ""
    commit_all(tmp_path)
    commit = commit_of(tmp_path)
    assert len(commit) == 12
    readme.write_text("a note")
    assert commit_of(tmp_path) == commit
    (package / "text.py").write_text((package / "text.py").read_text() + "\n")
    assert commit_of(tmp_path) == f"{commit}+"


def test_a_program_of_which_git_says_too_little_is_not_said_to_be_changed(tmp_path: Path) -> None:
    checkout, programs = tmp_path / "checkout", tmp_path / "programs"
    programs.mkdir()
    make_checkout(checkout)
    commit_all(checkout)
    path = f"{programs}:{os.environ['PATH']}"
    for first, patience_seconds, length in (("sleep 0.5", 30.0, 12), ("exec sleep 60", 0.5, 0), ("exit 128", 30.0, 0)):
        (programs / "git").write_text(SLOW_GIT.format(first=first, git=shutil.which("git")))
        (programs / "git").chmod(0o755)
        assert len(commit_of(checkout, patience_seconds, path)) == length, first
