"""SLURM's commands as stubs on the PATH, which write down their arguments and answer what a test wants."""

import os
import stat
from pathlib import Path

import pytest


class Cluster:
    """Stub commands on the PATH that write down their arguments and answer what a test wants."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for program, answer in (("sbatch", "77"), ("squeue", ""), ("sacct", ""), ("scancel", ""), ("scontrol", "")):
            self.answers(program, answer)

    def answers(self, program: str, text: str, code: int = 0, error: str = "") -> None:
        path = self.folder / program
        log, output = self.folder / f"{program}.calls", self.folder / f"{program}.answer"
        output.write_text(text)
        path.write_text(
            f'#!/bin/sh\nprintf "%s\\n" "$@" -- >> "{log}"\ncat > "{path}.input"\n'
            f'cat "{output}"\necho "{error}" >&2\nexit {code}\n'
        )
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def calls(self, program: str) -> list[list[str]]:
        log = self.folder / f"{program}.calls"
        text = log.read_text() if log.exists() else ""
        return [call.strip().split("\n") for call in text.split("--\n") if call.strip()]


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    folder = tmp_path / "slurm bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return Cluster(folder)
