"""Where runs, data sets and this program's own state are."""

import os
import sys
import time
from pathlib import Path

from alexnet_tui import __version__
from alexnet_tui.errors import HomeError, UsageError
from alexnet_tui.text import printable, quoted

PROGRAM = "alexnet-tui"
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
        return absolute(given(chosen))
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


def absolute(path: Path) -> Path:
    """The path from the root of the file system; a relative one stays so where the current folder was removed."""
    try:
        return path.absolute()
    except FileNotFoundError:
        return path


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
