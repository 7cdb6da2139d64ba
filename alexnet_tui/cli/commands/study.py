"""``study``: plan a reproduction, work through it, see where it stands, and judge it."""

import platform
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from alexnet_tui.cli import options
from alexnet_tui.cli.commands import readings, study_run
from alexnet_tui.cli.commands.claims import complete_set, read_claims
from alexnet_tui.cli.commands.study_run import Parallel, study_command, work_through
from alexnet_tui.cli.output import Json, printing, say, write_json
from alexnet_tui.cli.tables import TONE_STYLES, table_box
from alexnet_tui.config import claims as registered_claims
from alexnet_tui.config.hyperparameters import Value, settings_text
from alexnet_tui.config.protocols import PROTOCOLS, REPORT, plan_configs, size_text
from alexnet_tui.config.variants import VARIANTS, nearest
from alexnet_tui.datasets import catalog as data_catalog
from alexnet_tui.errors import AlexnetTuiError, ClaimError, ExitCode, LaunchError, StoreError, UsageError
from alexnet_tui.launch import registry
from alexnet_tui.launch.engine import QueueStatus
from alexnet_tui.runs.state import STATE_TONES, State
from alexnet_tui.runs.stop_request import STOPPING, is_stopping
from alexnet_tui.runs.store import Store
from alexnet_tui.studies import bookkeeping, cluster, orders, planning, study_files
from alexnet_tui.studies import plan as study
from alexnet_tui.studies import queue as study_queue
from alexnet_tui.studies.ledger import Ledger
from alexnet_tui.text import counted, format_duration, printable, quoted

if TYPE_CHECKING:
    from rich.table import Table


_ALL, _DEFAULT_SEEDS, _MAX_SEEDS = "all", 5, 1000
_NEWER = "a newer alexnet-tui wrote this plan; it can only be looked at"
_REPRODUCTION = "reproduction"
_SET_BY_THE_PLAN = ("variant", "seed")
_NEW_HELP = """Write the plan of a study: every variant with every seed, fixed in advance.

Example: alexnet-tui study new mine --variants all --seeds 5 --front-end literal32 --epochs 100

Example: alexnet-tui study new fig1 --protocol best-learning-rate --seeds 5

Example: alexnet-tui study new decay --claims my-claims.toml --seeds 5
"""
_REPRODUCE_HELP = """Reproduce the whole report: plan, run and judge in one command; the same command goes on.

Example: alexnet-tui study reproduce --seeds 5 --data cifar10
"""


_Variants = Annotated[
    str,
    options.option(
        "--variants", metavar="LIST", help=f"`all` of the protocol, or some of {','.join(VARIANTS)} (default all)."
    ),
]
_Seeds = Annotated[
    int,
    options.option(
        "--seeds",
        metavar="N",
        min=1,
        max=_MAX_SEEDS,
        help=f"Seeds of each variant; fewer than five leave every verdict open (default {_DEFAULT_SEEDS}).",
    ),
]
_FirstSeed = Annotated[
    int,
    options.option("--first-seed", metavar="N", min=0, help="The first of them (default 0)."),
]
_Claims = Annotated[
    str,
    options.option(
        "--claims",
        metavar="FILE|SET",
        help=f"Plan the groups these claims need: a TOML file, or a set ({', '.join(registered_claims.names())}).",
        autocompletion=complete_set,
    ),
]
_Protocol = Annotated[
    str,
    options.option(
        "--protocol",
        metavar="NAME",
        help=" ".join(f"{name}: {one.summary}" for name, one in PROTOCOLS.items()) + f" (default {REPORT})",
        autocompletion=options.completing(PROTOCOLS),
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
        studies.command(name, help=text, short_help=short, cls=options.GroupedCommand)(
            options.with_hyperparameters(command, without=_SET_BY_THE_PLAN)
        )
    study_run.register(studies)
    studies.command("status")(status)
    studies.command("show")(show)
    studies.command("extend")(extend)
    readings.register(studies)
    studies.command("list")(list_studies)
    studies.command("verify")(verify)
    app.add_typer(studies)


def new(
    name: options.StudyName,
    variants: _Variants = _ALL,
    seeds: _Seeds = _DEFAULT_SEEDS,
    first_seed: _FirstSeed = 0,
    protocol: _Protocol = REPORT,
    claims: _Claims = "",
    label: Annotated[str, options.option("--label", metavar="TEXT", help="Label of every run.")] = "",
    runs_dir: options.RunsDir = None,
    **fields: str | bool | None,
) -> int:
    """Write a plan; the signature typer sees has an option for each hyperparameter."""
    store = options.open_store(runs_dir)
    overrides, all_seeds = options.given_text(fields), range(first_seed, first_seed + seeds)
    if claims:
        if (variants, protocol) != (_ALL, REPORT):
            raise UsageError("--claims decides the groups of runs; leave --variants and --protocol away.")
        try:
            from alexnet_tui.analysis.metrics import METRICS
            from alexnet_tui.analysis.verdict.judge import problems

            registered = read_claims(claims)
            if found := problems(registered, overrides):
                raise ClaimError(claims, found)
            plan = planning.plan_claims(
                store,
                name,
                registered,
                seeds=all_seeds,
                known_metrics=METRICS,
                overrides=overrides,
                label=label,
            )
        except ClaimError as error:
            for problem in error.problems:
                say(printable(f"{claims}: {problem}", 400))
            say("nothing was planned.")
            return ExitCode.USAGE
    else:
        plan = planning.plan_variants(
            store,
            name,
            variants=_variants(variants, protocol),
            seeds=all_seeds,
            overrides=overrides,
            label=label,
            protocol=protocol,
        )
    return _print_plan(store, plan)


def _print_plan(store: Store, plan: study.Plan) -> int:
    """Print what was registered, claim by claim, and the next command."""
    from alexnet_tui.analysis.verdict.judge import remarks, unassessable

    registered = f", {counted(len(plan.claims), 'claim')} registered" if plan.claims else ""
    following = study_command(store, "run", plan.name)
    say(f"study {plan.name}: {_size(plan)}{registered}{_expected(store, plan)}. Next: {following}")
    for line in _claim_lines(plan):
        say(line)
    num_seeds = len(plan.seeds)
    for note in (*remarks(plan.claims, num_seeds), *unassessable(plan.claims, plan.configs, num_seeds)):
        say(f"note: {note}.")
    say(f"plan's SHA-256: {plan.sha256}")
    return ExitCode.DONE


def _size(plan: study.Plan) -> str:
    if plan.protocol in PROTOCOLS:
        return size_text(plan.protocol, len(plan.variants), len(plan.seeds))
    groups, seeds = counted(len(plan.groups), "group"), counted(len(plan.seeds), "seed")
    return f"{groups} x {seeds} = {counted(len(plan.configs), 'run')}"


def _claim_lines(plan: study.Plan) -> list[str]:
    """What a plan registers, a sentence a claim."""
    return [
        printable(
            f"claim {one.name}: {one.metric} with {_described(one.group)} is {one.direction} than with"
            f" {_described(one.reference)}; {one.smallest_effect_text} or more matters",
            400,
        )
        for one in plan.claims
    ]


def extend(
    name: options.StudyName,
    seeds: _Seeds = _DEFAULT_SEEDS,
    new_name: Annotated[
        str,
        options.option("--name", metavar="NAME", help="Name of the new plan (default NAME-2)."),
    ] = "",
    runs_dir: options.RunsDir = None,
) -> int:
    """Plan further seeds for a study, one more look at its claims.

    Example: alexnet-tui study extend mine --seeds 5
    """
    store = options.open_store(runs_dir)
    return _print_plan(store, planning.extend(store, name, seeds, new_name=new_name))


def show(name: options.StudyName, as_json: options.AsJson = False, runs_dir: options.RunsDir = None) -> int:
    """What a study registered: groups, seeds, claims, hash, ledger.

    Example: alexnet-tui study show mine
    """
    store = options.open_store(runs_dir)
    plan = study.load(store, name)
    if as_json:
        content = msgspec.to_builtins(plan)
        kept = {name: value for name, value in content.items() if name not in {"configs", "cell_groups"}}
        write_json({**kept, **_ledger_facts(store, plan)})
        return ExitCode.DONE
    lines = [
        f"study {plan.name}: {_size(plan)}, planned {time.strftime('%Y-%m-%d %H:%M', time.localtime(plan.created))}",
        *(f"group {group}: {_described(settings)}" for group, settings in plan.groups.items()),
        f"all runs: {_described(plan.overrides)}",
        f"seeds: {', '.join(map(str, plan.seeds[:50]))}",
        *_claim_lines(plan),
        f"plan's SHA-256: {plan.sha256}" if plan.sha256 else "",
        f"plan: {problem}" if (problem := study.verify_hash(store, plan)) else "",
        _ledger_sentence(bookkeeping.read(store, plan)),
    ]
    if plan.extends:
        lines.append(f"extends study {plan.extends} (SHA-256 {plan.extends_sha256}); look {plan.look} at its claims")
    if plan.is_newer:
        lines.append(_NEWER)
    sys.stdout.write("".join(f"{printable(line, 400)}\n" for line in lines if line))
    return ExitCode.DONE


def _described(settings: Mapping[str, Value]) -> str:
    return settings_text(settings) or "as by default"


def _ledger_facts(store: Store, plan: study.Plan) -> dict[str, Json]:
    ledger = bookkeeping.read(store, plan)
    return {
        "ledger": {
            "num_entries": len(ledger.entries),
            "num_written": ledger.num_written,
            "is_rebuilt": ledger.is_rebuilt,
            "problems": list(ledger.problems),
        }
    }


def _ledger_sentence(ledger: Ledger) -> str:
    if ledger.problems:
        return f"ledger: {ledger.problems[0]}"
    if ledger.is_rebuilt:
        return "ledger: rebuilt from the runs' own records; it was not written as things happened"
    return f"ledger: {counted(ledger.num_written, 'line')}, an unbroken chain"


def status(
    name: Annotated[
        str | None,
        options.argument(
            metavar="[NAME]", help="Name of the study (default: the only one).", autocompletion=options.complete_study
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
    queues, queue_file = _queues(store, name), study_queue.load(store, name)
    if as_json:
        write_json(
            {
                "name": name,
                **{
                    launcher: {"job": one.job, "tasks": dict(one.states)} if (one := queues.get(launcher)) else None
                    for launcher, entry in registry.LAUNCHERS.items()
                    if entry.has_queue
                },
                "plan_sha256": plan.sha256,
                "plan_problem": study.verify_hash(store, plan),
                "is_newer": plan.is_newer,
                "claims": [claim.name for claim in plan.claims],
                **_ledger_facts(store, plan),
                "has_worker": orders.has_worker(store, name),
                "is_paused": queue_file.is_paused,
                "given_up": queue_file.given_up,
                "cells": [{field: getattr(cell, field) for field in cell.__struct_fields__} for cell in cells],
            }
        )
        return ExitCode.DONE
    with printing() as console:
        console.print(_table(store, plan, cells, {name: cluster.states(one, cells) for name, one in queues.items()}))
    say(f"study {name}: {study_queue.counts_text(cells)}; {_work_text(store, name)}.")
    if deleted := study_queue.deleted_text(cells, study_command(store, "extend", name)):
        say(deleted)
    if queue_file.is_paused and orders.has_worker(store, name):
        again, ends = study_command(store, "run", name), study_command(store, "cancel", name)
        say(f"It was paused: `{again}`, or P on its page of the console (5), resumes it; `{ends}` ends it.")
    if _is_given_up(store, name, cells):
        again = study_command(store, "run", name)
        say(f"It was given up: {printable(queue_file.given_up, 1000)} `{again}` tries again.")
    for queue in queues.values():
        say(f"{cluster.summary(queue, cells)}.")
    if plan.is_newer:
        say(f"{_NEWER}.")
    if plan.sha256:
        state = _ledger_sentence(bookkeeping.read(store, plan))
        say(f"plan's SHA-256: {plan.sha256}; {study.verify_hash(store, plan) or f'{state}.'}")
    return ExitCode.DONE


def _is_given_up(store: Store, name: str, cells: Sequence[study_queue.PlannedRun]) -> bool:
    """Whether the last worker gave a study up, and runs of it are still to be trained."""
    ended = {State.FINISHED, study_queue.PlannedRunState.CANCELLED}
    if orders.has_worker(store, name) or all(cell.state in ended for cell in cells):
        return False
    return bool(study_queue.load(store, name).given_up)


def _work_text(store: Store, name: str) -> str:
    """Whether a process works through a study, and whether a person paused it."""
    if not orders.has_worker(store, name):
        return "no worker is at work"
    return "paused, nothing more is started" if study_queue.load(store, name).is_paused else "a worker is at work"


def _queues(store: Store, name: str) -> dict[str, QueueStatus]:
    """Launcher to what its engine says of a study's runs; none where they were handed to none, or it is silent."""
    try:
        return {
            launcher: queue for launcher, (_, queue) in registry.queues(study_files.folder_path(store, name)).items()
        }
    except (LaunchError, StoreError) as error:  # The runs' own records say the rest.
        say(str(error))
        return {}


def verify(
    name: options.StudyName,
    rebuild: Annotated[
        bool,
        options.option(
            "--rebuild",
            help="First write what the ledger lacks, from the runs' own records; it says that it was rebuilt.",
        ),
    ] = False,
    as_json: options.AsJson = False,
    runs_dir: options.RunsDir = None,
) -> int:
    """Check a study's plan and ledger, and its runs against them.

    Recomputes the plan's hash and the ledger's chain of hashes; 0 where nothing is wrong, else 3.

    Example: alexnet-tui study verify mine --json
    """
    store = options.open_store(runs_dir)
    plan = study.load(store, name)
    if rebuild:
        bookkeeping.update(store, study.load_runnable(store, name))
    ledger = bookkeeping.read(store, plan)
    account = bookkeeping.account(ledger)
    plan_problem = study.verify_hash(store, plan)
    problems = [*ledger.problems, *bookkeeping.changed_records(store, ledger)]
    is_sound = not problems and (not plan_problem or plan.v < study.HASH_SINCE)
    if as_json:
        write_json(
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
    plan: study.Plan, plan_problem: str, ledger: Ledger, problems: Sequence[str], account: bookkeeping.Account
) -> list[str]:
    """What `verify` found, a sentence a line."""
    lines = [
        f"plan: {plan_problem}" if plan_problem else f"plan: unchanged since it was written, SHA-256 {plan.sha256}"
    ]
    lines += [f"ledger: {problem}" for problem in problems]
    if ledger.is_rebuilt or not problems:
        lines.append(f"{_ledger_sentence(ledger)}.")
    num_gone = sum(run_id in account.deleted for run_id in account.counted.values())
    lines.append(
        f"runs: {len(account.counted)} of {counted(len(plan.configs), 'planned run')} finished"
        + (f"; {num_gone} of them {'is' if num_gone == 1 else 'are'} gone." if num_gone else ".")
    )
    lines += [f"excluded: {run_id} is repeated; another run of its seed finished first." for run_id in account.repeated]
    lines += [f"deleted: {run_id} ({state})." for run_id, state in account.deleted.items()]
    lines += [f"failed: {run_id} ({reason})." for run_id, reason in account.failed.items()]
    return [printable(line, 400) for line in lines]


def _only_study(store: Store) -> str:
    names = study_files.names(store)
    if not names:
        raise UsageError(f"there are no studies yet; `{study_command(store, 'new', 'mine')}` plans one.")
    if len(names) > 1:
        raise UsageError(f"there are several studies; name one of them: {', '.join(names)}.")
    return names[0]


def list_studies(as_json: options.AsJson = False, runs_dir: options.RunsDir = None) -> int:
    """Every study and how far it is.

    Example: alexnet-tui study list
    """
    store = options.open_store(runs_dir)
    found: list[tuple[study.Plan, list[study_queue.PlannedRun]]] = []
    for name in study_files.names(store):
        try:
            plan = study.load(store, name)
            found.append((plan, study_queue.status(store, plan)))
        except AlexnetTuiError as error:
            say(f"not listed: {error}")
    if as_json:
        write_json(
            [
                {
                    "name": plan.name,
                    "created": plan.created,
                    "variants": plan.variants,
                    "seeds": plan.seeds,
                    "states": dict(Counter(cell.state for cell in cells)),
                    "has_worker": orders.has_worker(store, plan.name),
                    "is_paused": study_queue.load(store, plan.name).is_paused,
                }
                for plan, cells in found
            ]
        )
    elif found:
        with printing() as console:
            console.print(_list_table(store, found))
    else:
        say(f"no studies yet; `{study_command(store, 'new', 'mine')}` plans one.")
    return ExitCode.DONE


def reproduce(
    name: Annotated[
        str,
        options.argument(metavar="[NAME]", help=f"Name of the study (default {_REPRODUCTION})."),
    ] = _REPRODUCTION,
    variants: _Variants = _ALL,
    seeds: _Seeds = _DEFAULT_SEEDS,
    first_seed: _FirstSeed = 0,
    parallel: Parallel = "1",
    runs_dir: options.RunsDir = None,
    **fields: str | bool | None,
) -> int:
    """Plan, run and judge; the signature typer sees has an option for each hyperparameter."""
    store = options.open_store(runs_dir)
    overrides = options.given_text(fields)
    chosen, planned_seeds = _variants(variants, REPORT), range(first_seed, first_seed + seeds)
    configs = plan_configs(REPORT, chosen, planned_seeds, overrides)
    data_catalog.find(configs[0].data)
    if name in study_files.names(store):
        plan = study.load(store, name)
        # By value: an option that says what is so anyhow changes nothing.
        if (plan.protocol, plan.configs) != (REPORT, configs):
            raise UsageError(
                f"study {name} was planned with other variants, seeds or settings, and plans do not change;"
                " give the same ones, or another NAME."
            )
    else:
        plan = planning.plan_variants(store, name, variants=chosen, seeds=planned_seeds, overrides=overrides)
        say(f"study {name}: {counted(len(plan.configs), 'run')} planned{_expected(store, plan)}.")
    code = work_through(store, plan, parallel)
    if code in {ExitCode.INTERRUPTED, ExitCode.TERMINATED}:
        return code
    from alexnet_tui.cli.commands.report import report

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


def _expected(store: Store, plan: study.Plan) -> str:
    """How long the whole study may take, from past runs here, or nothing."""
    from alexnet_tui.analysis import cost_estimate
    from alexnet_tui.runs.follow import load
    from alexnet_tui.runs.origin import is_imported

    past = []
    for record in store.list().runs:
        try:
            if not (store.is_reference(record.id) or is_imported(store.path(record.id))):
                past.append(load(store, record.id, skip_steps=True)[0])
        except AlexnetTuiError:  # An unreadable run tells no time.
            continue
    sizes = {info.name: (info.num_train, info.num_test) for info in data_catalog.catalog()}
    found = cost_estimate.total_time(plan.configs, past, host=platform.node(), sizes=sizes)
    return f", about {format_duration(found[0])} one after another ({found[1]})" if found else ""


def _table(
    store: Store, plan: study.Plan, cells: Sequence[study_queue.PlannedRun], words: Mapping[str, Mapping[str, str]]
) -> "Table":
    from rich.table import Table
    from rich.text import Text

    swept = ["tried with"] if any(cell.swept for cell in cells) else []
    group = "group" if plan.cell_groups else "variant"
    table = Table(group, "seed", *swept, "state", *words, "epochs", "run", box=table_box(), pad_edge=False)
    for cell in cells:
        is_leaving = cell.state == State.RUNNING and is_stopping(store.root / cell.run_id, cell.state)
        state = f"{cell.state} ({cell.reason})" if cell.reason else STOPPING if is_leaving else cell.state
        table.add_row(
            printable(cell.group, 60),
            str(cell.seed),
            *([cell.swept] if swept else []),
            Text(printable(state, 60), style=_style(cell.state)),
            *(of_engine.get(cell.run_id, "") for of_engine in words.values()),
            f"{cell.num_epochs_done}/{cell.epochs}",
            Text(printable(cell.run_id, 70)),
        )
    return table


def _style(state: str) -> str:
    """The colour of a cell's state; one that is no run's has none of its own."""
    return TONE_STYLES[STATE_TONES.get(State(state), "muted")] if state in set(State) else "dim"


def _list_table(store: Store, found: Sequence[tuple[study.Plan, list[study_queue.PlannedRun]]]) -> "Table":
    from rich.table import Table

    table = Table("study", "runs", "states", "worker", box=table_box(), pad_edge=False)
    for plan, cells in found:
        at_work = ""
        if orders.has_worker(store, plan.name):
            at_work = "paused" if study_queue.load(store, plan.name).is_paused else "at work"
        elif _is_given_up(store, plan.name, cells):
            at_work = "given up"
        table.add_row(plan.name, str(len(cells)), study_queue.counts_text(cells), at_work)
    return table
