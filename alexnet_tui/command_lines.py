"""Command lines of this program: those for a person to paste, and those of its own child processes."""

import functools
import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

from alexnet_tui.paths import PROGRAM, absolute, default_root
from alexnet_tui.text import printable

ShellCommand = Callable[..., str]
"""From the words of a command to its command line."""


def shell_command(*words: str, root: Path | None = None) -> str:
    """A command line that does what it says when it is pasted: ``alexnet-tui study run mine --runs-dir /tmp/runs``.

    Args:
        words: The command, its arguments and options.
        root: The runs folder; named only where the program would take another one by itself.
    """
    is_usual = root is None or absolute(root) == absolute(default_root())
    place = () if is_usual else ("--runs-dir", str(root))
    end = words.index("--") if "--" in words else len(words)
    return quote_words(PROGRAM, *words[:end], *place, *words[end:])


def quote_words(*words: str) -> str:
    """A line for a shell: words quoted where need be, with what a terminal would obey as an escape in ``$'...'``."""
    return " ".join(map(_quote, words))


def _quote(word: str) -> str:
    if word.isprintable() and printable(word, len(word)) == word:
        return shlex.quote(word)
    escaped = (
        f"\\{character}" if character in "'\\" else character if " " <= character <= "~" else _escape(character)
        for character in word
    )
    return f"$'{''.join(escaped)}'"


def _escape(character: str) -> str:
    """A character as the bytes it has in a file's name."""
    return "".join(f"\\x{byte:02x}" for byte in os.fsencode(character))


def commands_on(root: Path) -> ShellCommand:
    """`shell_command` on a runs folder."""
    return functools.partial(shell_command, root=root)


def child_command(module: str, *arguments: str) -> tuple[str, ...]:
    """The command that runs a module of this program as a process of its own, for use with `child_environment`.

    ``-P`` keeps the current folder off the module search path: ``python -m`` alone puts it before the standard
    library, and whoever made the folder could then run code by a file called ``torch.py``.
    """
    return (sys.executable, "-P", "-m", module, *arguments)


def child_environment(**variables: str) -> dict[str, str]:
    """The environment of a child process: this one's, with `variables`, and with no way to the current folder.

    An empty or relative entry of ``PYTHONPATH`` (``PYTHONPATH=$PYTHONPATH:/opt/x`` where it was not set before)
    means the current folder; it is left out unless this program itself was found through it.
    """
    environment = {**os.environ, "PYTHONSAFEPATH": "1", **variables}
    entries = environment.pop("PYTHONPATH", "").split(os.pathsep)
    kept = [entry for entry in entries if os.path.isabs(entry) or _holds_this_package(entry)]
    if kept:
        environment["PYTHONPATH"] = os.pathsep.join(map(os.path.abspath, kept))
    return environment


def _holds_this_package(entry: str) -> bool:
    try:
        return os.path.samefile(entry or os.curdir, Path(__file__).parents[1])
    except OSError:  # There is no such folder, or the current one was removed.
        return False
