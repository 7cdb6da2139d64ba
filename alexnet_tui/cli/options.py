"""What the commands share: options that mean the same everywhere, shell completion, and how they print."""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from alexnet_tui.cli.console import say as say
from alexnet_tui.config.variants import FRONT_ENDS, VARIANTS
from alexnet_tui.errors import AlexnetTuiError
from alexnet_tui.paths import default_root
from alexnet_tui.runs.store import Store
from alexnet_tui.text import json_text

if TYPE_CHECKING:
    from rich.box import Box
    from rich.console import Console

Json = None | bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"]
_WIDTH_OF_FILES = 250


_named_first: Path | None = None


def name_first(runs_dir: Path | None) -> None:
    """Keep the folder that stood before the command, for the command behind it."""
    global _named_first
    _named_first = runs_dir


def open_store(runs_dir: Path | None) -> Store:
    """The runs folder a command works on."""
    return Store(runs_dir or _named_first or default_root())


def complete_run(context: typer.Context, incomplete: str) -> list[str]:
    """Ids of runs that begin with what was typed."""
    try:
        ids = open_store(context.params.get("runs_dir")).ids()
    except AlexnetTuiError:
        return []
    return [name for name in ("last", *ids) if name.startswith(incomplete)]


def complete_variant(incomplete: str) -> list[tuple[str, str]]:
    """Names of variants, with what each is about."""
    return [(name, variant.summary) for name, variant in VARIANTS.items() if name.startswith(incomplete)]


def complete_front_end(incomplete: str) -> list[tuple[str, str]]:
    """Names of front ends, with what each is about."""
    return [(name, front.summary) for name, front in FRONT_ENDS.items() if name.startswith(incomplete)]


def complete_data(incomplete: str) -> list[str]:
    """Names of the data sets this machine knows."""
    from alexnet_tui.datasets import prepare as datasets

    try:
        names = [info.name for info in datasets.catalog()]
    except AlexnetTuiError:
        return []
    return [name for name in names if name.startswith(incomplete)]


RunsDir = Annotated[
    Path | None,
    typer.Option(
        "--runs-dir",
        metavar="DIR",
        help="Folder that holds the runs (default: $ALEXNET_TUI_RUNS, else ./runs).",
        show_default=False,
    ),
]
RunName = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        help="Id of a run, the letters it begins with, or `last`.",
        autocompletion=complete_run,
        show_default=False,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.", show_default=False)]
Headless = Annotated[
    bool,
    typer.Option("--headless", help="Follow the run here instead of opening the console.", show_default=False),
]
AsEvents = Annotated[
    bool,
    typer.Option(
        "--json", help="Follow the run here, one JSON event per line (default in a pipe).", show_default=False
    ),
]


def wants_console(headless: bool, as_json: bool) -> bool:
    """Whether a command that follows a run may open the console."""
    return not (headless or as_json) and sys.stdin.isatty() and sys.stdout.isatty()


def terminal() -> "Console":
    """A rich console on stdout that obeys no markup; in a file or a pipe it cuts nothing to a screen's width."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else _WIDTH_OF_FILES
    return Console(markup=False, highlight=False, emoji=False, width=width)


@contextmanager
def printing() -> Iterator["Console"]:
    """A console for a command's answer; a file or a pipe gets its lines without blanks at their ends."""
    console = terminal()
    if sys.stdout.isatty():
        yield console
        return
    with console.capture() as captured:
        yield console
    sys.stdout.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))


def table_box() -> "Box | None":
    """How a table is ruled on a terminal; in a file or a pipe it has no rules, only columns."""
    from rich import box

    return box.SIMPLE if sys.stdout.isatty() else None


def can_draw() -> bool:
    """Whether stdout takes block characters."""
    return "utf" in (sys.stdout.encoding or "").lower()


def write_json(value: Json) -> None:
    """JSON to stdout, in ASCII, so that a terminal finds nothing to obey in it."""
    sys.stdout.write(json_text(value))


def command_line() -> list[str]:
    """How this program was called, for the record."""
    return [os.path.basename(sys.argv[0]), *sys.argv[1:]]
