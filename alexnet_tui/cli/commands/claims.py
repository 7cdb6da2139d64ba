"""``claims``: the sets of claims there are, what each says, and whether a file of one's own can be judged."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from alexnet_tui.analysis.metrics import METRICS, heading_of
from alexnet_tui.cli import options
from alexnet_tui.cli.output import say, write_json
from alexnet_tui.config.claims import (
    Claim,
    claim_set_path,
    claim_sets,
    find_claims,
    groups_of,
    load_claims,
    read_claim_file,
)
from alexnet_tui.config.hyperparameters import settings_text
from alexnet_tui.errors import ClaimError, ExitCode
from alexnet_tui.text import counted, printable


def register(app: typer.Typer) -> None:
    """Mount the commands."""
    claims = typer.Typer(
        name="claims",
        help="Sets of claims that a study can register: list them, show one, check a file of your own.",
        rich_markup_mode=None,
        invoke_without_command=True,
    )
    claims.callback()(list_sets)
    claims.command("show", short_help="Show the claims of a set or of a file.")(show)
    claims.command("check", short_help="Check a file of claims before anything is trained.")(check)
    app.add_typer(claims, short_help="Sets of claims that a study can register.")


def list_sets(context: typer.Context, as_json: options.AsJson = False) -> int:
    """Sets of claims that a study can register, and the metrics that a claim may name.

    Example: alexnet-tui claims show study
    """
    if context.invoked_subcommand is not None:
        return ExitCode.DONE
    sets = {name: load_claims(name) for name in claim_sets()}
    if as_json:
        write_json(msgspec.to_builtins(sets))
        return ExitCode.DONE
    for name, claims in sets.items():
        sys.stdout.write(f"{name}: {counted(len(claims), 'claim')}\n")
        sys.stdout.write("".join(f"  {claim.name}\n" for claim in claims))
    from alexnet_tui.analysis.verdict.claim_checks import UNITS

    sys.stdout.write("metrics that a claim may name, and the units of its effect\n")
    width = max(map(len, METRICS))
    for name, metric in METRICS.items():
        sys.stdout.write(f"  {name:{width}}  {metric.heading}: {metric.help} [{' or '.join(UNITS[metric.unit])}]\n")
    say("`alexnet-tui claims show NAME` shows a set; `alexnet-tui study new STUDY --claims NAME` registers it.")
    say(f"A file of your own is written like {claim_set_path('study')}; `alexnet-tui claims check FILE` checks it.")
    return ExitCode.DONE


def complete_set(incomplete: str) -> list[str]:
    """Names of the program's sets that begin with what was typed."""
    return [name for name in claim_sets() if name.startswith(incomplete)]


def show(
    name: Annotated[
        str,
        typer.Argument(metavar="NAME_OR_FILE", help="A set of the program, or a file.", autocompletion=complete_set),
    ],
    as_json: options.AsJson = False,
) -> int:
    """Show the claims of a set, and the groups of runs that a study of them trains.

    2 where a claim cannot be judged, as `claims check` says.

    Example: alexnet-tui claims show paper2012
    """
    from alexnet_tui.analysis.verdict.claim_checks import problems

    claims = find_claims(name)
    if as_json:
        write_json(msgspec.to_builtins(claims))
    else:
        lines = [line for claim in claims for line in _lines(claim)]
        groups = groups_of(claims, {})
        lines.append(f"{counted(len(groups), 'group')} of runs: {', '.join(groups)}")
        sys.stdout.write("".join(f"{printable(line, 600)}\n" for line in lines))
    if found := problems(claims):
        return _print_problems(name, found)
    _say_remarks(claims)
    return ExitCode.DONE


def check(
    file: Annotated[Path, options.argument(metavar="FILE", help="A TOML file of claims.")],
) -> int:
    """Check a file of claims, line by line, before anything is registered or trained.

    0 where every claim can be judged, else 2.

    Example: alexnet-tui claims check mine.toml
    """
    from alexnet_tui.analysis.verdict.claim_checks import problems

    try:
        claims = read_claim_file(file)
    except ClaimError as error:
        return _print_problems(file, error.problems)
    if found := problems(claims):
        return _print_problems(file, found)
    groups = groups_of(claims, {})
    say(f"{file}: {counted(len(claims), 'claim')} of {counted(len(groups), 'group')} of runs; all can be judged.")
    _say_remarks(claims)
    return ExitCode.DONE


def _say_remarks(claims: Sequence[Claim]) -> None:
    from alexnet_tui.analysis.verdict.claim_checks import remarks

    for note in remarks(claims):
        say(printable(f"note: {note}.", 400))


def _print_problems(file: Path | str, sentences: Sequence[str]) -> int:
    for sentence in sentences:
        say(printable(f"{file}: {sentence}", 600))
    return ExitCode.USAGE


def _lines(claim: Claim) -> Iterator[str]:
    yield f"{claim.name}"
    yield f"  {claim.statement} ({claim.source})"
    group, reference = settings_text(claim.group), settings_text(claim.reference)
    yield f"  {heading_of(claim.metric)} of {group} is {claim.direction} than of {reference}"
    yield f"  the smallest effect that matters is {claim.smallest_effect_text}"
    for one in claim.precondition:
        yield f"  only if {heading_of(one.metric)} of the {one.of} is at least {one.at_least:g}: {one.why}"
