"""The command line: the door every call comes in by and every error leaves by; `cli.app` does the parsing.

Nothing heavy is imported here. The console, which is what `alexnet-tui` alone opens, must not wait for the parser.
"""

import os
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

from alexnet_tui import __version__
from alexnet_tui.cli.console import PROGRAM, open_console, say
from alexnet_tui.errors import AlexnetTuiError, ConfigError, ExitCode
from alexnet_tui.paths import default_root
from alexnet_tui.runs.store import Store
from alexnet_tui.text import printable

_COMPLETION = "_ALEXNET_TUI_COMPLETE"
_MAX_CRASH_LOG_BYTES = 1 << 20


def main(arguments: Sequence[str] | None = None) -> None:
    """The one door: every error leaves here as a sentence and an exit code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # A terminal without UTF-8 gets escapes, not a traceback.
            stream.reconfigure(errors="backslashreplace")
    try:
        code = _call(arguments)
        sys.stdout.flush()
    except ConfigError as error:
        say(f"{PROGRAM}: {_option(error.field)}: {error.reason}")
        code = error.exit_code
    except AlexnetTuiError as error:
        say(f"{PROGRAM}: {error}")
        code = error.exit_code
    except KeyboardInterrupt:
        code = ExitCode.INTERRUPTED
    except BrokenPipeError:  # Whoever read our output has seen enough; do not fail again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = ExitCode.DONE
    except Exception as error:  # noqa: BLE001 - the last door before the user.
        code = _explain(error)
    sys.exit(int(code))


def _call(arguments: Sequence[str] | None) -> int:
    """Open the console where nothing else is asked for; leave the rest to the parser, which takes 0.05 s to load."""
    match list(sys.argv[1:] if arguments is None else arguments):
        case _ if _COMPLETION in os.environ:  # The shell calls without arguments too.
            pass
        case []:
            return open_console(Store(default_root()))
        case ["--runs-dir", folder] if not folder.startswith("-"):
            return open_console(Store(Path(folder)))
    from alexnet_tui.cli.app import call

    return call(arguments)


def _option(field: str) -> str:
    """What a person writes to set a hyperparameter; a name that is none stays as it is."""
    from alexnet_tui.cli.run import POSITIONAL
    from alexnet_tui.config.hyperparameters import SPECS, option_name

    if field == POSITIONAL:
        return field.upper()
    return option_name(field) if field in SPECS else field


def _explain(error: Exception) -> int:
    """Say what the parser did not understand, or where the traceback of a fault of ours went."""
    format_message = getattr(error, "format_message", None)  # Usage errors of typer, whichever its version.
    if format_message is not None:
        path = getattr(getattr(error, "ctx", None), "command_path", PROGRAM)
        say(f"{PROGRAM}: {' '.join(format_message().split())} (`{path} --help` explains.)")
        return int(getattr(error, "exit_code", ExitCode.USAGE))
    reason = printable(f"{type(error).__name__}: {error}", 300)
    say(f"{PROGRAM}: something unexpected happened ({reason}). {_write_crash_log()}")
    return ExitCode.TRAINING_FAILED


def _write_crash_log() -> str:
    """Append the current traceback to the crash log; where it is, or why it is nowhere."""
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    path = Path(state) / PROGRAM / "crash.log"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        is_full = path.exists() and path.stat().st_size > _MAX_CRASH_LOG_BYTES
        with path.open("w" if is_full else "a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(f"--- {time.strftime('%Y-%m-%d %H:%M:%S')} {PROGRAM} {__version__}\n")
            file.write(traceback.format_exc())
    except OSError as error:
        return f"The details could not be saved ({error})."
    return f"Details: {path}"
