"""Command lines that a message tells people to paste: quoted for a shell, and on the runs folder that is meant."""

import functools
import os
import shlex
from collections.abc import Callable
from pathlib import Path

PROGRAM = "alexnet-tui"
Advise = Callable[..., str]
"""From the words of a command to its command line."""


def default_root() -> Path:
    """The runs folder of this session: ``ALEXNET_TUI_RUNS``, else ``./runs``."""
    return Path(os.environ.get("ALEXNET_TUI_RUNS", "runs"))


def command(*words: str, root: Path | None = None) -> str:
    """A command line that does what it says when it is pasted: ``alexnet-tui study run mine --runs-dir /tmp/runs``.

    Args:
        words: The command, its arguments and options.
        root: The runs folder; named only where the program would take another one by itself.
    """
    is_usual = root is None or root.absolute() == default_root().absolute()
    return shlex.join((PROGRAM, *words, *(() if is_usual else ("--runs-dir", str(root)))))


def on(root: Path) -> Advise:
    """`command` on a runs folder."""
    return functools.partial(command, root=root)
