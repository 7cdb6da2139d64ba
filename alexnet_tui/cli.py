"""The command line: parse, delegate, exit code. What a command does lives in the ``cli_`` modules beside it.

Nothing heavy is imported here: `--help`, `runs` and `show` must answer at once.
"""

import os
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from alexnet_tui import __version__, cli_control, cli_data, cli_doctor, cli_results, cli_run, cli_runs, cli_study
from alexnet_tui.cli_options import RunsDir, open_store, say
from alexnet_tui.errors import AlexnetTuiError, ExitCode, UsageError
from alexnet_tui.text import printable

PROGRAM = "alexnet-tui"
_MAX_CRASH_LOG_BYTES = 1 << 20

app = typer.Typer(
    name=PROGRAM,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    no_args_is_help=False,
    epilog="Exit codes: 0 done, 1 training failed, 2 usage, 3 runs or data, 75 already running,"
    " 130 and 143 interrupted.",
)


@app.callback(invoke_without_command=True)
def console(
    context: typer.Context,
    runs_dir: RunsDir = None,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and leave.", show_default=False)
    ] = False,
) -> int:
    """Reproduce the AlexNet experiments of a reproducibility report: run, watch, compare, judge.

    Without a command, opens the console. Example: alexnet-tui run baseline --data synthetic --epochs 2
    """
    if version:
        sys.stdout.write(f"{PROGRAM} {__version__}\n")
        raise typer.Exit
    if context.invoked_subcommand is not None:
        if runs_dir is not None:  # For the command behind it.
            os.environ["ALEXNET_TUI_RUNS"] = str(runs_dir)
        return ExitCode.DONE
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("the console needs a terminal; `alexnet-tui --help` lists what works without one.")
    from alexnet_tui.tui.app import run_console

    return run_console(open_store(runs_dir), None)


for _module in (cli_run, cli_control, cli_runs, cli_results, cli_study, cli_doctor):
    _module.register(app)
app.add_typer(cli_data.data_app, name="data")


def main(arguments: Sequence[str] | None = None) -> None:
    """The one door: every error leaves here as a sentence and an exit code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # A terminal without UTF-8 gets escapes, not a traceback.
            stream.reconfigure(errors="backslashreplace")
    try:
        code = app(args=None if arguments is None else list(arguments), prog_name=PROGRAM, standalone_mode=False)
        sys.stdout.flush()
    except AlexnetTuiError as error:
        say(f"{PROGRAM}: {error}")
        code = error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        code = ExitCode.INTERRUPTED
    except BrokenPipeError:  # Whoever read our output has seen enough; do not fail again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = ExitCode.DONE
    except Exception as error:  # noqa: BLE001 - the last door before the user.
        code = _explain(error)
    sys.exit(int(code or 0))


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
