"""``study readings``: which settings that the study does not state bring its published figures nearest."""

import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from alexnet_tui.cli import options
from alexnet_tui.cli.output import Json, printing, say, write_json
from alexnet_tui.cli.tables import table_box
from alexnet_tui.command_lines import shell_command
from alexnet_tui.config.hyperparameters import RunConfig, format_value, shown_value
from alexnet_tui.config.protocols import PROTOCOLS, READINGS
from alexnet_tui.errors import ExitCode
from alexnet_tui.text import MISSING

if TYPE_CHECKING:
    from rich.table import Table

    from alexnet_tui.analysis.readings import Reading


def register(studies: typer.Typer) -> None:
    """Mount the command."""
    studies.command("readings")(readings)


def readings(
    names: Annotated[
        list[str] | None,
        options.argument(metavar="[NAME]...", help="Studies or runs (default: all own runs)."),
    ] = None,
    as_json: options.AsJson = False,
    runs_dir: options.RunsDir = None,
) -> int:
    """Which unstated settings come nearest to the published figures.

    Example: alexnet-tui study new readings --protocol readings --variants baseline --seeds 1
    """
    from alexnet_tui.analysis import readings as analysis
    from alexnet_tui.analysis.selection import select_runs

    store = options.open_store(runs_dir)
    selection = select_runs(store, names or ())
    found = analysis.read(selection.histories, selection.states)
    for problem in selection.problems:
        say(problem)
    if as_json:
        write_json({"readings": [_reading_facts(one) for one in found], "caveat": analysis.CAVEAT})
    elif found:
        with printing() as console:
            console.print(_readings_table(found))
        say("distance: mean of the differences, in points of accuracy or in fives of epochs. > is a lower bound.")
        say(analysis.CAVEAT)
    else:
        plans = shell_command("study", "new", "NAME", "--protocol", READINGS, "--seeds", "1", root=store.root)
        say(f"no finished run here is one of the study's experiments; `{plans}` plans them.")
    return ExitCode.DONE


def _reading_facts(one: "Reading") -> dict[str, Json]:
    return {
        "experiment": one.experiment,
        "settings": {title: PROTOCOLS[READINGS].option_of(title, one.config) for title in PROTOCOLS[READINGS].swept},
        "changes": {name: value for name, (_, value) in one.config.changes().items()},
        "epochs": one.config.epochs,
        "data": one.config.data,
        "seeds": list(one.seeds),
        "distance": one.distance if math.isfinite(one.distance) else None,
        "figures": {
            figure.metric.name: {"ours": figure.ours, "published": figure.published, "is_bound": figure.is_bound}
            for figure in one.figures
        },
    }


def _readings_table(found: Sequence["Reading"]) -> "Table":
    from rich.table import Table

    from alexnet_tui.analysis.published import EXPERIMENTS
    from alexnet_tui.analysis.readings import other_settings

    others = other_settings(found)
    titles = list(PROTOCOLS[READINGS].swept)
    metrics = [figure.metric for figure in found[0].figures]
    names = [*titles, *(name.replace("_", " ") for name in others)]
    headings = ["experiment", *names, "epochs", "seeds", *(metric.label for metric in metrics), "distance"]
    table = Table(*headings, box=table_box(), pad_edge=False)
    for experiment, members in itertools.groupby(found, key=lambda one: one.experiment):
        given = [EXPERIMENTS[experiment].number(metric) for metric in metrics]
        blanks = [""] * (len(names) - 1)
        table.add_row(
            experiment, "as published", *blanks, "100", "1", *(one[0] if one else MISSING for one in given), ""
        )
        for one in members:
            ours = [f"{'>' * figure.is_bound}{figure.metric.text(figure.ours)}" for figure in one.figures]
            distance = f"{one.distance:.2f}" if math.isfinite(one.distance) else MISSING
            settings = [_reading_option(title, one.config) for title in titles]
            settings += [shown_value(name, getattr(one.config, name)) for name in others]
            table.add_row("", *settings, str(one.config.epochs), str(len(one.seeds)), *ours, distance)
    return table


def _reading_option(title: str, config: RunConfig) -> str:
    """What a run has of one of the things the study leaves open; also a value that the protocol does not try."""
    known = PROTOCOLS[READINGS].option_of(title, config)
    return known or format_value(getattr(config, title.replace(" ", "_"), "other"))
