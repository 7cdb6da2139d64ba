"""``compare``: runs, or groups of seeds, side by side."""

import sys
from typing import Annotated

import typer

from alexnet_tui.cli import options
from alexnet_tui.cli.output import printing, say_unreadable
from alexnet_tui.command_lines import shell_command
from alexnet_tui.errors import ExitCode, UsageError
from alexnet_tui.json_io import json_text
from alexnet_tui.text import counted


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command("compare", short_help="Put runs, or groups of seeds, side by side.")(compare)


def compare(
    runs: Annotated[
        list[str],
        options.argument(
            metavar="RUN...",
            help="Run ids, the letters they begin with, `last`, variants, studies, their groups, or `reference`.",
            autocompletion=options.complete_name,
        ),
    ],
    as_json: options.AsJson = False,
    group: Annotated[
        bool, typer.Option("--group/--no-group", help="Put runs that differ in their seed alone together.")
    ] = True,
    runs_dir: options.RunsDir = None,
) -> int:
    """Put runs side by side: mean ± standard deviation over seeds, and only the settings that differ.

    Differences are to the run that is pinned in the console, else to the first.

    A group of a study is named as its plan names it: `mine/dropout-0`, or `dropout-0` for those of all studies.

    Example: alexnet-tui compare baseline tanh --json
    """
    from alexnet_tui.analysis import compare as comparison
    from alexnet_tui.analysis.selection import select_runs
    from alexnet_tui.studies.planned_runs import groups_of
    from alexnet_tui.tui.settings import load_settings

    store = options.open_store(runs_dir)
    found = select_runs(store, runs, has_foreign=True)
    say_unreadable(found.problems, shell_command("runs", "--all", root=store.root))
    ids = [history.id for history in found.histories]
    if len(ids) < 2:
        raise UsageError(
            f"compare needs two or more runs, or a study that has them; this is {counted(len(ids), 'run')}."
        )
    pinned = load_settings().folder(store.root).pinned
    compared = comparison.compare(
        found.histories,
        found.states,
        labels=store.labels(ids),
        planned=groups_of(store, [history.record for history in found.histories]),
        pinned=pinned if pinned in ids else None,
        is_grouped=group,
    )
    if as_json:
        sys.stdout.write(json_text(compared))
    else:
        from alexnet_tui.cli.report_view import print_comparison

        with printing() as console:
            print_comparison(console, compared)
    return ExitCode.DONE
