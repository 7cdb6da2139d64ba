"""What the commands share: options that mean the same everywhere, shell completion, and what a command ends in."""

import functools
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from alexnet_tui.config.variants import VARIANTS
from alexnet_tui.errors import AlexnetTuiError
from alexnet_tui.paths import default_root, given
from alexnet_tui.runs.store import Store

option = functools.partial(typer.Option, show_default=False)
argument = functools.partial(typer.Argument, show_default=False)
"""An option, and an argument, whose help names its default itself."""
_runs_dir_of_program: Path | None = None


def set_default_runs_dir(runs_dir: Path | None) -> None:
    """Keep the --runs-dir that was given before the command."""
    global _runs_dir_of_program
    _runs_dir_of_program = runs_dir


def open_store(runs_dir: Path | None) -> Store:
    """The runs folder a command works on."""
    return Store(runs_dir or _runs_dir_of_program or default_root())


def _completed_store(context: typer.Context) -> Store:
    """The runs folder of a command line that is not yet whole: --runs-dir stands behind the command, or before it."""
    return open_store(context.params.get("runs_dir") or context.find_root().params.get("runs_dir"))


def complete_run(context: typer.Context, incomplete: str) -> list[str]:
    """Ids of runs that begin with what was typed."""
    try:
        ids = _completed_store(context).ids()
    except AlexnetTuiError:
        return []
    return [name for name in ("last", *ids) if name.startswith(incomplete)]


def completing(known: Mapping[str, Any]) -> Callable[[str], list[tuple[str, str]]]:
    """Completes the names of a table, with the ``summary`` of each entry."""
    return lambda incomplete: [(name, one.summary) for name, one in known.items() if name.startswith(incomplete)]


def complete_data(incomplete: str) -> list[str]:
    """Names of the data sets this machine knows."""
    from alexnet_tui.datasets.catalog import catalog

    try:
        names = [info.name for info in catalog()]
    except AlexnetTuiError:
        return []
    return [name for name in names if name.startswith(incomplete)]


RunsDir = Annotated[
    Path | None,
    option(
        "--runs-dir",
        metavar="DIR",
        parser=given,
        help="Folder that holds the runs (default: $ALEXNET_TUI_RUNS, else ./runs).",
    ),
]


def complete_study(context: typer.Context, incomplete: str) -> list[str]:
    """Names of studies that begin with what was typed."""
    from alexnet_tui.studies import study_files

    try:
        names = study_files.names(_completed_store(context))
    except AlexnetTuiError:
        return []
    return [name for name in names if name.startswith(incomplete)]


def complete_name(context: typer.Context, incomplete: str) -> list[str]:
    """Names of studies, variants and runs that begin with what was typed."""
    words = [name for name in (*VARIANTS, "reference") if name.startswith(incomplete)]
    return complete_study(context, incomplete) + words + complete_run(context, incomplete)


StudyName = Annotated[
    str,
    argument(metavar="NAME", help="Name of the study.", autocompletion=complete_study),
]
RunName = Annotated[
    str,
    argument(metavar="RUN", help="Id of a run, the letters it begins with, or `last`.", autocompletion=complete_run),
]
RunNames = Annotated[
    list[str] | None,
    argument(
        metavar="[STUDY_OR_RUN]...",
        help="Studies, variants, run ids, or `reference` (default: all own runs, else the reference runs).",
        autocompletion=complete_name,
    ),
]
Output = Annotated[
    Path | None,
    option("--output", "-o", metavar="FILE", parser=given, help="Write to this file, not to stdout."),
]
AsJson = Annotated[bool, option("--json", help="Print JSON instead of a table.")]
Headless = Annotated[
    bool,
    option("--headless", help="Follow the run here instead of opening the console."),
]
AsEvents = Annotated[
    bool,
    option("--json", help="Follow the run here, one JSON event per line (default in a pipe)."),
]


class ConsoleRequest(NamedTuple):
    """What a command returns to have the console opened in its place.

    Attributes:
        store: The runs folder.
        run_id: A run to open, or None for the table of runs.
    """

    store: Store
    run_id: str | None = None


Outcome = int | ConsoleRequest
"""What a command ends in: an exit code, or the console."""


def wants_console(headless: bool, as_json: bool) -> bool:
    """Whether a command that follows a run may open the console."""
    return not (headless or as_json) and sys.stdin.isatty() and sys.stdout.isatty()


def command_line() -> list[str]:
    """How this program was called, for the record."""
    return [os.path.basename(sys.argv[0]), *sys.argv[1:]]
