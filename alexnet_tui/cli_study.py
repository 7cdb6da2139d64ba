"""``study``: plan a reproduction, work through it, see where it stands, and judge it."""

import inspect
import signal
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from alexnet_tui import cli_options as options
from alexnet_tui import cli_run, study
from alexnet_tui.config import RunConfig
from alexnet_tui.errors import AlexnetTuiError, ExitCode, UsageError
from alexnet_tui.store import Store
from alexnet_tui.text import format_duration, printable
from alexnet_tui.variants import VARIANTS

if TYPE_CHECKING:
    from rich.table import Table

_ALL = "all"
_MAX_SEEDS = 100
_SET_BY_THE_PLAN = ("variant", "seed")
_NEW_HELP = """Write the plan of a study: every variant with every seed, fixed in advance.

Example: alexnet-tui study new report --variants all --seeds 5 --front-end literal32 --epochs 100
"""
_REPRODUCE_HELP = """Reproduce the whole report: plan, run and judge in one command; run it again to go on.

Example: alexnet-tui study reproduce --seeds 5 --data cifar10
"""
_STATE_STYLES = {"running": "cyan", "finished": "green", "failed": "red", "lost": "magenta", "stopped": "yellow"}

_Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the study.", show_default=False)]
_Parallel = Annotated[
    int, typer.Option("--parallel", metavar="N", min=1, max=64, help="Runs that may train at once.")
]


def register(app: typer.Typer) -> None:
    """Mount the commands."""
    studies = typer.Typer(
        name="study", help="Variants x seeds, planned in advance and worked through.", rich_markup_mode=None
    )
    for name, command, own, text in (
        ("new", new, (_name_parameter(), *_plan_parameters()), _NEW_HELP),
        ("reproduce", reproduce, (*_plan_parameters(), *_reproduce_parameters()), _REPRODUCE_HELP),
    ):
        fields = [field for field in cli_run.field_options() if field.name not in _SET_BY_THE_PLAN]
        cli_run.sign(command, [*own, *fields, cli_run.parameter("runs_dir", options.RunsDir, None, None)])
        studies.command(name, help=text, cls=cli_run.GroupedCommand)(command)
    studies.command("run")(run)
    studies.command("status")(status)
    studies.command("list")(list_studies)
    app.add_typer(studies)
