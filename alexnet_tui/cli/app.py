"""The commands: which there are, and what `alexnet-tui` without one does."""

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from alexnet_tui import __version__
from alexnet_tui.cli import claims as cli_claims
from alexnet_tui.cli import control as cli_control
from alexnet_tui.cli import data as cli_data
from alexnet_tui.cli import doctor as cli_doctor
from alexnet_tui.cli import imports as cli_imports
from alexnet_tui.cli import pictures as cli_pictures
from alexnet_tui.cli import results as cli_results
from alexnet_tui.cli import run as cli_run
from alexnet_tui.cli import runs as cli_runs
from alexnet_tui.cli import study as cli_study
from alexnet_tui.cli import verify as cli_verify
from alexnet_tui.cli.options import ConsoleRequest, Outcome, RunsDir, open_store, set_default_runs_dir
from alexnet_tui.errors import ExitCode
from alexnet_tui.paths import PROGRAM

app = typer.Typer(
    name=PROGRAM,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    no_args_is_help=False,
    epilog="Exit codes: 0 done, 1 training failed or could not start or stop, 2 usage, 3 runs or data,"
    " 75 already being trained, 129 terminal closed, 130 ctrl-c, 143 terminated.",
)


@app.callback(invoke_without_command=True)
def console(
    context: typer.Context,
    runs_dir: RunsDir = None,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and leave.", show_default=False)
    ] = False,
) -> Outcome:
    """Reproduce the AlexNet experiments of a reproducibility report: run, watch, compare, judge.

    Without a command, opens the console.

    Example: alexnet-tui run baseline --data synthetic --epochs 2
    """
    if version:
        sys.stdout.write(f"{PROGRAM} {__version__}\n")
        raise typer.Exit
    if context.invoked_subcommand is not None:
        set_default_runs_dir(runs_dir)
        return ExitCode.DONE
    return ConsoleRequest(open_store(runs_dir))


for _module in (
    cli_run,
    cli_control,
    cli_runs,
    cli_results,
    cli_imports,
    cli_pictures,
    cli_verify,
    cli_study,
    cli_claims,
    cli_doctor,
):
    _module.register(app)
app.add_typer(cli_data.data_app, name="data")


def call(arguments: Sequence[str] | None) -> Outcome:
    """Parse a command line and do what it says."""
    try:
        outcome = app(args=None if arguments is None else list(arguments), prog_name=PROGRAM, standalone_mode=False)
    except typer.Abort:
        return ExitCode.INTERRUPTED
    finally:
        set_default_runs_dir(None)
    return outcome if isinstance(outcome, ConsoleRequest) else int(outcome or 0)
