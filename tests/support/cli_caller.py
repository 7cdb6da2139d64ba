"""Fixtures that call the command line in the test's own process."""

import contextlib
import io
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import fake_trainer
import pytest
from msgspec.structs import replace

from alexnet_tui.cli import main as cli
from alexnet_tui.launch import local
from alexnet_tui.launch.engine import DEFAULT_START
from alexnet_tui.runs.store import Store


def on_a_terminal(
    *arguments: str, columns: int = 80, environment: Mapping[str, str] = MappingProxyType({})
) -> list[str]:
    """The lines that a command prints where stdout is a terminal, without colours."""
    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "alexnet_tui", *arguments]
    variables = {**os.environ, "COLUMNS": str(columns), "LINES": "24", "TERM": "xterm", **environment}
    process = subprocess.Popen(command, stdout=follower, stderr=subprocess.DEVNULL, env=variables)
    os.close(follower)
    content = b""
    with contextlib.suppress(OSError):  # Linux: the last process on the other side has gone.
        while chunk := os.read(leader, 65_536):
            content += chunk
    os.close(leader)
    assert process.wait(timeout=60) == 0
    text = re.sub(rb"\x1b\[[0-9;?]*[A-Za-z]", b"", content).decode()
    return [line.rstrip() for line in text.splitlines()]


class Result:
    """What a command left behind."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


Run = Callable[..., Result]
Play = Callable[[str], None]


@pytest.fixture
def run(store: Store, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Calls the program in this process, on the test's runs folder, without a terminal."""
    monkeypatch.setenv("ALEXNET_TUI_RUNS", str(store.root))
    monkeypatch.setattr(sys, "stdin", io.StringIO())

    def call(*arguments: str) -> Result:
        capfd.readouterr()
        with pytest.raises(SystemExit) as end:
            cli.main(arguments)
        assert isinstance(end.value.code, int)
        return Result(end.value.code, *capfd.readouterr())

    return call


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch, prepared_data: Path, forked: None) -> Play:
    """Lets `fake_trainer` play a script instead of the trainer."""
    monkeypatch.setenv("ALEXNET_TUI_DATA", str(prepared_data))
    start = local.start

    def play(script: str) -> None:
        command = fake_trainer.command(script)
        monkeypatch.setattr(
            local, "start", lambda store, run_id, how=DEFAULT_START: start(store, run_id, replace(how, command=command))
        )

    return play
