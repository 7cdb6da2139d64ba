"""``study``: plan a reproduction, work through it, see where it stands, and judge it."""

import inspect
import platform
import signal
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from alexnet_tui import paths as advice
from alexnet_tui.cli import options
from alexnet_tui.cli import run as cli_run
from alexnet_tui.config.hyperparameters import SPECS
from alexnet_tui.config.protocols import PROTOCOLS, REPORT, size_text
from alexnet_tui.config.variants import VARIANTS, nearest
from alexnet_tui.errors import AlexnetTuiError, ExitCode, UsageError
from alexnet_tui.runs.history import State
from alexnet_tui.runs.store import Store
from alexnet_tui.studies import orders, progress
from alexnet_tui.studies import plan as study
from alexnet_tui.studies import queue as study_queue
from alexnet_tui.studies.ledger import Ledger
from alexnet_tui.text import counted, format_duration, printable, quoted

if TYPE_CHECKING:
    from rich.table import Table

_ALL, _DEFAULT_SEEDS, _MAX_SEEDS = "all", 5, 1000
_REPRODUCTION = "reproduction"
_SET_BY_THE_PLAN = ("variant", "seed")
_NEW_HELP = """Write the plan of a study: every variant with every seed, fixed in advance.

Example: alexnet-tui study new mine --variants all --seeds 5 --front-end literal32 --epochs 100

Example: alexnet-tui study new fig1 --protocol best-learning-rate --seeds 5
"""
_REPRODUCE_HELP = """Reproduce the whole report: plan, run and judge in one command; the same command goes on.

Example: alexnet-tui study reproduce --seeds 5 --data cifar10
"""
_STATE_STYLES = {"running": "cyan", "finished": "green", "failed": "red", "lost": "magenta", "stopped": "yellow"}


def _complete_study(context: typer.Context, incomplete: str) -> list[str]:
    names = study.names(options.open_store(context.params.get("runs_dir")))
    return [name for name in names if name.startswith(incomplete)]


_Name = Annotated[
    str,
    typer.Argument(metavar="NAME", help="Name of the study.", autocompletion=_complete_study, show_default=False),
]
_Parallel = Annotated[
    int,
    typer.Option(
        "--parallel", metavar="N", min=1, max=64, help="Runs that may train at once (default 1).", show_default=False
    ),
]
_Variants = Annotated[
    str,
    typer.Option(
        "--variants",
        metavar="LIST",
        help=f"`all` of the protocol, or some of {','.join(VARIANTS)} (default all).",
        show_default=False,
    ),
]
_Seeds = Annotated[
    int,
    typer.Option(
        "--seeds",
        metavar="N",
        min=1,
        max=_MAX_SEEDS,
        help=f"Seeds of each variant; fewer than five leave every verdict open (default {_DEFAULT_SEEDS}).",
        show_default=False,
    ),
]
_FirstSeed = Annotated[
    int,
    typer.Option("--first-seed", metavar="N", min=0, help="The first of them (default 0).", show_default=False),
]
_Protocol = Annotated[
    str,
    typer.Option(
        "--protocol",
        metavar="NAME",
        help=" ".join(f"{name}: {one.summary}" for name, one in PROTOCOLS.items()) + f" (default {REPORT})",
        autocompletion=lambda incomplete: [name for name in PROTOCOLS if name.startswith(incomplete)],
        show_default=False,
    ),
]


def register(app: typer.Typer) -> None:
    """Mount the commands."""
    studies = typer.Typer(
        name="study", help="Plan variants x seeds in advance, and work through them.", rich_markup_mode=None
    )
    generated = (
        ("new", new, _NEW_HELP, "Write the plan of a study: variants x seeds."),
        ("reproduce", reproduce, _REPRODUCE_HELP, "Reproduce the whole report in one command."),
    )
    for name, command, text, short in generated:
        _add_field_options(command)
        studies.command(name, help=text, short_help=short, cls=cli_run.GroupedCommand)(command)
    studies.command("run")(run)
    studies.command("worker", hidden=True)(worker)
    studies.command("status")(status)
    studies.command("list")(list_studies)
    studies.command("verify")(verify)
    app.add_typer(studies)


def _add_field_options(command: object) -> None:
    """Give a command an option for every hyperparameter that a plan does not set itself."""
    own = [one for one in inspect.signature(command).parameters.values() if one.kind is not one.VAR_KEYWORD]  # type: ignore[arg-type]
    own = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in own]
    fields = [cli_run.field_option(name) for name in SPECS if name not in _SET_BY_THE_PLAN]
    parameters = [*own, *fields]
    command.__signature__ = inspect.Signature(parameters, return_annotation=int)  # type: ignore[attr-defined]
    command.__annotations__ = {one.name: one.annotation for one in parameters}


def new(
    name: _Name,
    variants: _Variants = _ALL,
    seeds: _Seeds = _DEFAULT_SEEDS,
    first_seed: _FirstSeed = 0,
    protocol: _Protocol = REPORT,
    label: Annotated[str, typer.Option("--label", metavar="TEXT", help="Label of every run.", show_default=False)] = "",
    runs_dir: options.RunsDir = None,
    **fields: str | bool | None,
) -> int:
    """Write a plan; the signature typer sees has an option for each hyperparameter."""
    store = options.open_store(runs_dir)
    plan = study.plan(
        store,
        name,
        variants=_variants(variants, protocol),
        seeds=range(first_seed, first_seed + seeds),
        overrides=cli_run.given_text(fields),
        label=label,
        protocol=protocol,
    )
    size = size_text(protocol, len(plan.variants), len(plan.seeds))
    claims = f", {counted(len(plan.claims), 'claim')} registered" if plan.claims else ""
    options.say(f"study {name}: {size}{claims}{_expected(store, plan)}. Next: {_command(store, 'run', name)}")
    options.say(f"plan's SHA-256: {plan.sha256}")
    return ExitCode.DONE


def run(
    name: _Name,
    parallel: _Parallel = 1,
    detach: Annotated[bool, typer.Option("--detach", help="Go on without this terminal.", show_default=False)] = False,
    runs_dir: options.RunsDir = None,
) -> int:
    """Work through a study; the same command goes on after anything.

    Ctrl-c once stops its runs with a checkpoint, twice leaves at once and lets them train.
    Example: alexnet-tui study run mine --parallel 2
    """
    store = options.open_store(runs_dir)
    plan = study.load_runnable(store, name)
    if detach:
        from alexnet_tui.studies.worker import start_worker

        is_new = start_worker(store, name, parallel=parallel)
        verb = "goes on in the background" if is_new else "is already being worked through"
        options.say(f"study {name} {verb}; `{_command(store, 'status', name)}` shows it.")
        return ExitCode.DONE if is_new else ExitCode.BUSY
    return _work(store, plan, parallel)


def worker(runs_dir: options.RunsDir = None) -> int:
    """Work through the studies that were started in the background; ends when none is left."""
    from alexnet_tui.studies.worker import serve

    store = options.open_store(runs_dir)
    with _signals() as caught:
        serve(store, say=options.say, should_stop=lambda: bool(caught), prepare=cli_run.prepare_data)
    return ExitCode.TERMINATED if caught else ExitCode.DONE


def status(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]",
            help="Name of the study (default: the only one).",
            autocompletion=_complete_study,
            show_default=False,
        ),
    ] = None,
    as_json: options.AsJson = False,
    runs_dir: options.RunsDir = None,
) -> int:
    """Where every run of a study stands.

    Example: alexnet-tui study status mine --json
    """
    store = options.open_store(runs_dir)
    name = name or _only_study(store)
    plan = study.load(store, name)
    cells = study_queue.status(store, plan)
    if as_json:
        options.write_json(
            {
                "name": name,
                "has_worker": orders.has_worker(store, name),
                "is_paused": study_queue.load(store, name).is_paused,
                "cells": [{field: getattr(cell, field) for field in cell.__struct_fields__} for cell in cells],
            }
        )
        return ExitCode.DONE
    with options.printing() as console:
        console.print(_table(cells))
    at_work = "a worker is at work" if orders.has_worker(store, name) else "no worker is at work"
    options.say(f"study {name}: {_counts(cells)}; {at_work}.")
    return ExitCode.DONE


def verify(name: _Name, as_json: options.AsJson = False, runs_dir: options.RunsDir = None) -> int:
    """Check that a study's plan and ledger are as they were written, and that its runs agree with them.

    Recomputes the plan's hash and the ledger's chain of hashes; 0 where nothing is wrong, else 3.
    Example: alexnet-tui study verify mine --json
    """
    store = options.open_store(runs_dir)
    plan = study.load(store, name)
    ledger = progress.read(store, plan)
    account = progress.account(ledger)
    plan_problem = study.verify_hash(store, plan)
    problems = [*ledger.problems, *progress.changed_records(store, ledger)]
    is_sound = not problems and (not plan_problem or not plan.sha256)
    if as_json:
        options.write_json(
            {
                "name": name,
                "is_sound": is_sound,
                "plan_sha256": plan.sha256,
                "plan_problem": plan_problem,
                "ledger_problems": problems,
                "is_rebuilt": ledger.is_rebuilt,
                "num_entries": len(ledger.entries),
                "num_written": ledger.num_written,
                "counted": {str(cell): run_id for cell, run_id in account.counted.items()},
                "repeated": dict(account.repeated),
                "deleted": dict(account.deleted),
                "failed": dict(account.failed),
            }
        )
    else:
        sys.stdout.write("".join(f"{line}\n" for line in _verified(plan, plan_problem, ledger, problems, account)))
    return ExitCode.DONE if is_sound else ExitCode.STORE_OR_DATA


def _verified(
    plan: study.Plan, plan_problem: str, ledger: Ledger, problems: Sequence[str], account: progress.Account
) -> list[str]:
    """What `verify` found, a sentence a line."""
    lines = [
        f"plan: {plan_problem}" if plan_problem else f"plan: unchanged since it was written, SHA-256 {plan.sha256}"
    ]
    lines += [f"ledger: {problem}" for problem in problems]
    if ledger.is_rebuilt:
        lines.append("ledger: rebuilt from the runs' own records; it was not written as things happened.")
    elif not problems:
        lines.append(f"ledger: {counted(ledger.num_written, 'line')}, an unbroken chain that agrees with the runs.")
    lines.append(f"runs: {len(account.counted)} of {counted(len(plan.configs), 'cell')} finished.")
    lines += [f"excluded: {run_id} is repeated; another run of its cell finished first." for run_id in account.repeated]
    lines += [f"deleted: {run_id} ({state})." for run_id, state in account.deleted.items()]
    lines += [f"failed: {run_id} ({reason})." for run_id, reason in account.failed.items()]
    return [printable(line, 400) for line in lines]


def _command(store: Store, *words: str) -> str:
    """The command line of a study's command."""
    return advice.command("study", *words, root=store.root)


def _only_study(store: Store) -> str:
    names = study.names(store)
    if not names:
        raise UsageError(f"there are no studies yet; `{_command(store, 'new', 'mine')}` plans one.")
    if len(names) > 1:
        raise UsageError(f"there are several studies; name one of them: {', '.join(names)}.")
    return names[0]


def list_studies(as_json: options.AsJson = False, runs_dir: options.RunsDir = None) -> int:
    """Every study and how far it is.

    Example: alexnet-tui study list
    """
    store = options.open_store(runs_dir)
    found: list[tuple[study.Plan, list[study_queue.Cell]]] = []
    for name in study.names(store):
        try:
            plan = study.load(store, name)
            found.append((plan, study_queue.status(store, plan)))
        except AlexnetTuiError as error:
            options.say(f"not listed: {error}")
    if as_json:
        options.write_json(
            [
                {
                    "name": plan.name,
                    "created": plan.created,
                    "variants": plan.variants,
                    "seeds": plan.seeds,
                    "states": dict(Counter(cell.state for cell in cells)),
                    "has_worker": orders.has_worker(store, plan.name),
                }
                for plan, cells in found
            ]
        )
    elif found:
        with options.printing() as console:
            console.print(_list_table(store, found))
    else:
        options.say(f"no studies yet; `{_command(store, 'new', 'mine')}` plans one.")
    return ExitCode.DONE


def reproduce(
    name: Annotated[
        str,
        typer.Argument(metavar="[NAME]", help=f"Name of the study (default {_REPRODUCTION}).", show_default=False),
    ] = _REPRODUCTION,
    variants: _Variants = _ALL,
    seeds: _Seeds = _DEFAULT_SEEDS,
    first_seed: _FirstSeed = 0,
    parallel: _Parallel = 1,
    runs_dir: options.RunsDir = None,
    **fields: str | bool | None,
) -> int:
    """Plan, run and judge; the signature typer sees has an option for each hyperparameter."""
    store = options.open_store(runs_dir)
    overrides = cli_run.given_text(fields)
    wanted = (_variants(variants, REPORT), list(range(first_seed, first_seed + seeds)), overrides, REPORT)
    if name in study.names(store):
        plan = study.load(store, name)
        if (plan.variants, plan.seeds, plan.overrides, plan.protocol) != wanted:
            raise UsageError(
                f"study {name} was planned with other variants, seeds or settings, and plans do not change;"
                " give the same ones, or another NAME."
            )
    else:
        plan = study.plan(store, name, variants=wanted[0], seeds=wanted[1], overrides=overrides)
        options.say(f"study {name}: {counted(len(plan.configs), 'run')} planned{_expected(store, plan)}.")
    code = _work(store, plan, parallel)
    if code in {ExitCode.INTERRUPTED, ExitCode.TERMINATED}:
        return code
    from alexnet_tui.cli.results import report

    report([name], runs_dir=runs_dir)
    return code


def _variants(text: str, protocol: str) -> list[str]:
    if protocol not in PROTOCOLS:
        raise UsageError(f"--protocol: there is no {quoted(protocol)}; {nearest(protocol, PROTOCOLS)}")
    known = PROTOCOLS[protocol].variants
    names = list(known) if text == _ALL else [word.strip() for word in text.split(",") if word.strip()]
    for name in names:
        if name not in known:
            raise UsageError(f"--variants: there is no {quoted(name)}; {nearest(name, known)}")
    return names


def _work(store: Store, plan: study.Plan, parallel: int) -> int:
    """Work through a plan here; the exit code."""
    from alexnet_tui.studies.worker import work

    for config in {(config.data, config.front_end): config for config in plan.configs}.values():
        cli_run.prepare_data(config)
    with _signals() as caught:
        cells = work(
            store,
            plan,
            parallel=parallel,
            say=options.say,
            should_stop=lambda: bool(caught),
            prepare=cli_run.prepare_data,
        )
    options.say(f"study {plan.name}: {_counts(cells)}.")
    if caught:
        options.say(f"`{_command(store, 'run', plan.name)}` goes on.")
        return ExitCode.INTERRUPTED if caught[0] == signal.SIGINT else ExitCode.TERMINATED
    is_whole = all(cell.state in {State.FINISHED, study_queue.CellState.CANCELLED} for cell in cells)
    return ExitCode.DONE if is_whole else ExitCode.TRAINING_FAILED


@contextmanager
def _signals() -> Iterator[list[int]]:
    """Collect SIGINT and SIGTERM instead of dying; a second one dies."""
    caught: list[int] = []

    def catch(number: int, _: FrameType | None) -> None:
        if caught:
            raise KeyboardInterrupt
        caught.append(number)
        options.say("stopping after a checkpoint; once more leaves at once and lets the runs train.")

    before = {number: signal.signal(number, catch) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield caught
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _expected(store: Store, plan: study.Plan) -> str:
    """How long the whole study may take, from past runs here, or nothing."""
    from alexnet_tui.analysis import estimate
    from alexnet_tui.datasets import prepare as datasets
    from alexnet_tui.runs import history

    past = []
    for record in store.list().runs:
        try:
            past.append(history.load(store, record.id, skip_steps=True)[0])
        except AlexnetTuiError:  # An unreadable run tells no time.
            continue
    images = {info.name: info.num_train for info in datasets.catalog()}
    total, basis = 0.0, ""
    for config in plan.configs:
        found = estimate.estimate_time(config, past, host=platform.node(), available=images.get(config.data, 50_000))
        if found is None:
            return ""
        total, basis = total + found.total_seconds, found.basis
    return f", about {format_duration(total)} one after another ({basis})"


def _counts(cells: Sequence[study_queue.Cell]) -> str:
    counts = Counter(f"{cell.state} ({cell.reason})" if cell.reason else cell.state for cell in cells)
    return ", ".join(f"{count} {printable(state, 60)}" for state, count in counts.most_common())


def _table(cells: Sequence[study_queue.Cell]) -> "Table":
    from rich.table import Table
    from rich.text import Text

    tried = ["tried with"] if any(cell.tried for cell in cells) else []
    table = Table("variant", "seed", *tried, "state", "epochs", "run", box=options.table_box(), pad_edge=False)
    for cell in cells:
        state = f"{cell.state} ({cell.reason})" if cell.reason else cell.state
        table.add_row(
            cell.variant,
            str(cell.seed),
            *([cell.tried] if tried else []),
            Text(printable(state, 60), style=_STATE_STYLES.get(cell.state, "dim")),
            f"{cell.num_epochs_done}/{cell.epochs}",
            Text(printable(cell.run_id, 70)),
        )
    return table


def _list_table(store: Store, found: Sequence[tuple[study.Plan, list[study_queue.Cell]]]) -> "Table":
    from rich.table import Table

    table = Table("study", "runs", "states", "worker", box=options.table_box(), pad_edge=False)
    for plan, cells in found:
        at_work = "at work" if orders.has_worker(store, plan.name) else ""
        table.add_row(plan.name, str(len(cells)), _counts(cells), at_work)
    return table
