"""The entry point of the program: every error ends here as a sentence and an exit code; `cli.app` does the parsing.

Nothing heavy is imported here. The console, which is what `alexnet-tui` alone opens, must not wait for the parser.
"""

import errno
import gc
import os
import sys
from collections.abc import Sequence

from alexnet_tui.cli.output import prepare_streams, say, silence_stdout
from alexnet_tui.command_lines import shell_command
from alexnet_tui.errors import AlexnetTuiError, AmbiguousRunError, ConfigError, ExitCode, UsageError
from alexnet_tui.files import FULL_DISK
from alexnet_tui.paths import PROGRAM, default_root, given, log_crash
from alexnet_tui.runs.store import Store
from alexnet_tui.text import printable

_COMPLETION = "_ALEXNET_TUI_COMPLETE"


def main(arguments: Sequence[str] | None = None) -> None:
    """Do what the command line asks for, and exit; an error is a sentence and an exit code."""
    _fill_streams()
    prepare_streams()
    try:
        code = _call(arguments)
        sys.stdout.flush()
    except ConfigError as error:
        say(f"{PROGRAM}: {_option(error.field)}: {error.reason}")
        code = error.exit_code
    except AmbiguousRunError as error:
        say(f"{PROGRAM}: {error}{_narrowed(error, arguments)}")
        code = error.exit_code
    except AlexnetTuiError as error:
        say(f"{PROGRAM}: {error}")
        code = error.exit_code
    except KeyboardInterrupt:
        code = ExitCode.INTERRUPTED
    except BrokenPipeError:  # Whoever read our output has seen enough; do not fail again at exit.
        silence_stdout()
        code = ExitCode.DONE
    except Exception as error:  # noqa: BLE001 - the last place before the user.
        code = _explain_full_output(error) if _is_of_output(error) else _explain(error)
    sys.exit(int(code))


def _fill_streams() -> None:
    """Give the process the standard streams it was started without: another file would get their numbers, and text.

    An stdout that was closed cannot be written; whoever writes an answer to it learns so.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        if descriptor == 1:
            unwritable = os.open(os.devnull, os.O_RDONLY)
            os.dup2(unwritable, 1)
            os.close(unwritable)
    os.close(descriptor)
    # Open for as long as the process runs.
    sys.stdin = sys.stdin or open(os.devnull)  # noqa: SIM115
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115


def _is_of_output(error: Exception) -> bool:
    """Whether an error comes from writing to stdout, which, unlike a file, has no name."""
    return isinstance(error, OSError) and error.filename is None and error.errno in (*FULL_DISK, errno.EIO, errno.EBADF)


def _explain_full_output(error: Exception) -> int:
    say(f"{PROGRAM}: the output could not be written ({getattr(error, 'strerror', error)}).")
    silence_stdout()
    return ExitCode.STORE_OR_DATA


def _call(arguments: Sequence[str] | None) -> int:
    """Open the console where nothing else is asked for; leave the rest to the parser, which takes 0.05 s to load."""
    match list(sys.argv[1:] if arguments is None else arguments):
        case _ if _COMPLETION in os.environ:  # The shell calls without arguments too.
            pass
        case []:
            return open_console(Store(default_root()))
        case ["--runs-dir", folder] if not folder.startswith("-"):
            return open_console(Store(given(folder)))
    from alexnet_tui.cli.app import call

    outcome = call(arguments)
    return outcome if isinstance(outcome, int) else open_console(*outcome)


def open_console(store: Store, run_id: str | None = None) -> int:
    """Open the console on a runs folder, or on one of its runs; its exit code.

    Raises:
        UsageError: There is no terminal.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("the console needs a terminal; `alexnet-tui --help` lists what works without one.")
    # Loading makes much and throws away nothing: no collection until the console is up, which turns it on again.
    gc.disable()
    gc.set_threshold(20_000, 20, 20)
    from alexnet_tui.tui.app import run_console

    return run_console(store, run_id)


def _option(field: str) -> str:
    """What a person writes to set a hyperparameter; a name that is none stays as it is."""
    from alexnet_tui.cli.generated_options import POSITIONAL
    from alexnet_tui.config.hyperparameters import SPECS, option_name

    if field == POSITIONAL:
        return field.upper()
    return option_name(field) if field in SPECS else field


def _narrowed(error: AmbiguousRunError, arguments: Sequence[str] | None) -> str:
    """The command that was called, with the newest of the runs in place of the name that means several."""
    words = sys.argv[1:] if arguments is None else arguments
    if words.count(error.text) != 1:
        return ""
    narrowed = shell_command(*(error.newest if word == error.text else word for word in words))
    return f" The newest: `{narrowed}`." if printable(narrowed, 400) == narrowed else ""


def _explain(error: Exception) -> int:
    """Say what the parser did not understand, or where the traceback of a fault of ours went."""
    if hasattr(error, "format_message"):  # Usage errors of typer, whichever its version.
        from alexnet_tui.cli.usage_errors import usage_sentence

        path = getattr(getattr(error, "ctx", None), "command_path", PROGRAM)
        say(f"{PROGRAM}: {usage_sentence(error)} (`{path} --help` explains.)")
        return int(getattr(error, "exit_code", ExitCode.USAGE))
    reason = printable(f"{type(error).__name__}: {error}", 300)
    if isinstance(error, FileNotFoundError) and not _has_current_folder():
        say(f"{PROGRAM}: the current folder was removed; change to another one.")
        return ExitCode.STORE_OR_DATA
    say(f"{PROGRAM}: something unexpected happened ({reason}). {log_crash()}")
    return ExitCode.TRAINING_FAILED


def _has_current_folder() -> bool:
    try:
        os.getcwd()
    except FileNotFoundError:
        return False
    return True
