"""The commands: which there are, and what `alexnet-tui` without one does."""

import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Annotated

import typer
from typer.core import TyperCommand

from alexnet_tui import __version__
from alexnet_tui.cli.options import ConsoleRequest, Outcome, RunsDir, open_store, option, set_default_runs_dir
from alexnet_tui.errors import ExitCode
from alexnet_tui.paths import PROGRAM

_COMMANDS: Mapping[str, tuple[str, ...]] = {
    "run": ("run",),
    "control": ("resume", "stop", "task", "attach", "rename", "delete"),
    "runs": ("runs",),
    "show": ("show",),
    "report": ("report",),
    "compare": ("compare",),
    "export": ("export",),
    "import_command": ("import",),
    "pictures": ("pictures",),
    "verify": ("verify",),
    "study": ("study",),
    "claims": ("claims",),
    "doctor": ("doctor",),
    "data": ("data",),
}
"""Modules of `cli.commands` to the commands that their `register` mounts, in the order of the help."""

_HYPHEN = "\N{NON-BREAKING HYPHEN}"


class _HelpFormatter(TyperCommand.context_class.formatter_class):  # type: ignore[name-defined, misc]
    """Ends no line of help inside a word with a hyphen: an option that is cut in two cannot be copied."""

    def write_text(self, text: str) -> None:
        super().write_text(text.replace("-", _HYPHEN))

    def write_dl(self, rows: Sequence[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        super().write_dl([(name, text.replace("-", _HYPHEN)) for name, text in rows], col_max, col_spacing)

    def getvalue(self) -> str:
        text: str = super().getvalue()
        return text.replace(_HYPHEN, "-")


# Where click lets a program choose how all its help is set.
TyperCommand.context_class.formatter_class = _HelpFormatter


def parser(command: str = "") -> typer.Typer:
    """The program's commands; where `command` is one of them, only its module is loaded."""
    app = typer.Typer(
        name=PROGRAM,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        no_args_is_help=False,
        epilog="Exit codes: 0 done, 1 training failed or could not start or stop, 2 usage, 3 runs or data,"
        " 75 already being trained, 129 terminal closed, 130 ctrl-c, 143 terminated.",
    )
    app.callback(invoke_without_command=True)(console)
    named = [module for module, commands in _COMMANDS.items() if command in commands]
    for module in named or _COMMANDS:
        import_module(f"alexnet_tui.cli.commands.{module}").register(app)
    return app


def console(
    context: typer.Context,
    runs_dir: RunsDir = None,
    version: Annotated[bool, option("--version", help="Print the version and leave.")] = False,
) -> Outcome:
    """Reproduce the AlexNet experiments of a reproducibility report: run, watch, compare, judge.

    Without a command, opens the console.

    Example: alexnet-tui run baseline --data synthetic --epochs 12 --learning-rate 0.05 --train-images 2500
    """
    if version:
        sys.stdout.write(f"{PROGRAM} {__version__}\n")
        raise typer.Exit
    if context.invoked_subcommand is not None:
        set_default_runs_dir(runs_dir)
        return ExitCode.DONE
    return ConsoleRequest(open_store(runs_dir))


def call(arguments: Sequence[str] | None) -> Outcome:
    """Parse a command line and do what it says."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        app = parser(*words[:1])
        outcome = app(args=None if arguments is None else words, prog_name=PROGRAM, standalone_mode=False)
    except typer.Abort:
        return ExitCode.INTERRUPTED
    finally:
        set_default_runs_dir(None)
    return outcome if isinstance(outcome, ConsoleRequest) else int(outcome or 0)
