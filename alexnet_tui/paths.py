"""Where runs, data and state are; command lines to paste, and those that start this program's own child processes."""

import functools
import os
import shlex
import sys
import time
from collections.abc import Callable
from pathlib import Path

from alexnet_tui import __version__
from alexnet_tui.errors import HomeError, UsageError
from alexnet_tui.text import printable, quoted

PROGRAM = "alexnet-tui"
ShellCommand = Callable[..., str]
"""From the words of a command to its command line."""
_MAX_CRASH_LOG_BYTES = 1 << 20


def default_root() -> Path:
    """The runs folder of this session: ``ALEXNET_TUI_RUNS``, else ``./runs``."""
    return given(os.environ.get("ALEXNET_TUI_RUNS") or "runs")


def shipped_runs() -> Path:
    """The folder of the reference runs in an installed package; there is none in a checkout, which has ``runs``."""
    return Path(__file__).parent / "reference"


def data_root() -> Path:
    """The folder of all data sets: ``ALEXNET_TUI_DATA``, else a folder in the user's cache.

    Raises:
        HomeError: Nothing says where the user's files are.
    """
    if chosen := os.environ.get("ALEXNET_TUI_DATA"):
        return _absolute(given(chosen))
    return _user_folder("user_cache_dir", ".cache", "ALEXNET_TUI_DATA") / "data"


def state_dir() -> Path:
    """The folder of what the console remembers, and of the crash log.

    Raises:
        HomeError: Nothing says where the user's files are.
    """
    return _user_folder("user_state_dir", ".local/state", "XDG_STATE_HOME")


def _user_folder(kind: str, below_home: str, variable: str) -> Path:
    """This program's folder of a kind, where the platform has it.

    Args:
        kind: A function of `platformdirs`.
        below_home: Where earlier versions had it on every platform.
        variable: The environment variable that names another place.
    """
    import platformdirs  # Most commands need no such folder.

    try:
        folder = Path(getattr(platformdirs, kind)(PROGRAM, appauthor=False))
    except RuntimeError:  # It knows no home either; older releases leave the tilde in the path.
        folder = Path("~")
    home = Path(os.path.expanduser("~"))
    if not home.is_absolute():  # Neither HOME nor a user of this number.
        if folder.is_absolute():
            return folder
        raise HomeError(variable)
    earlier = home / below_home / PROGRAM
    is_moved = sys.platform == "darwin" and earlier.exists() and not folder.exists()
    return folder if folder.is_absolute() and not is_moved else earlier


def given(text: str | os.PathLike[str]) -> Path:
    """A path as a person gave it; a tilde at its start is a home folder, also where no shell replaced it.

    Raises:
        UsageError: It begins with the home of nobody.
    """
    path = Path(text)
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise UsageError(f"{quoted(str(path), 200)} begins with a home folder that is not known.") from error


def log_crash() -> str:
    """Append the exception being handled to ``crash.log``; a sentence on where it is. Raises nothing."""
    try:
        import traceback  # Hardly ever needed.

        path = state_dir() / "crash.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        is_full = path.exists() and path.stat().st_size > _MAX_CRASH_LOG_BYTES
        with path.open("w" if is_full else "a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(f"--- {time.strftime('%Y-%m-%d %H:%M:%S')} {PROGRAM} {__version__}\n")
            file.write(traceback.format_exc())
    except Exception as error:  # noqa: BLE001 - whatever went wrong before, this must not hide it.
        return f"The details could not be saved ({printable(str(error), 200)})."
    return f"The details are in {path}."


def shell_command(*words: str, root: Path | None = None) -> str:
    """A command line that does what it says when it is pasted: ``alexnet-tui study run mine --runs-dir /tmp/runs``.

    Args:
        words: The command, its arguments and options.
        root: The runs folder; named only where the program would take another one by itself.
    """
    is_usual = root is None or _absolute(root) == _absolute(default_root())
    place = () if is_usual else ("--runs-dir", str(root))
    end = words.index("--") if "--" in words else len(words)
    return quote_words(PROGRAM, *words[:end], *place, *words[end:])


def _absolute(path: Path) -> Path:
    """The path from the root of the file system; a relative one stays so where the current folder was removed."""
    try:
        return path.absolute()
    except FileNotFoundError:
        return path


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
