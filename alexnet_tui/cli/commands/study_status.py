"""``study status`` and ``study list``: where the runs of studies stand."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import msgspec

from alexnet_tui.cli import options
from alexnet_tui.cli.commands.study_run import study_command
from alexnet_tui.cli.commands.study_show import NEWER_PLAN, ledger_facts, ledger_text
from alexnet_tui.cli.output import Json, printing, say, write_json
from alexnet_tui.cli.tables import TONE_STYLES, table_box
from alexnet_tui.errors import AlexnetTuiError, ExitCode, LaunchError, StoreError, UsageError
from alexnet_tui.launch import registry
from alexnet_tui.launch.engine import QueueStatus
from alexnet_tui.runs.state import STATE_TONES, State, shown_word
from alexnet_tui.runs.stop_request import STOPPING, is_stopping
from alexnet_tui.runs.store import Store
from alexnet_tui.studies import bookkeeping, cluster, orders, planned_runs, study_files, study_queue
from alexnet_tui.studies.plan import Plan, load_plan, verify_hash
from alexnet_tui.studies.planned_runs import PlannedRun, PlannedRunState
from alexnet_tui.text import printable

if TYPE_CHECKING:
    from rich.table import Table


class _Status(msgspec.Struct, frozen=True):
    """A study and where it stands.

    Attributes:
        plan: Its plan.
        cells: Its planned runs.
        queue: Its queue, as people left it.
        has_worker: Whether some process works through it, or will once it is its turn.
    """

    plan: Plan
    cells: list[PlannedRun]
    queue: study_queue.Queue
    has_worker: bool

    @property
    def work_text(self) -> str:
        """What its worker does, in a word or two; empty where there is nothing to say."""
        if self.has_worker:
            return "paused" if self.queue.is_paused else "at work"
        ended = {State.FINISHED, PlannedRunState.CANCELLED}
        return "given up" if self.queue.given_up and any(cell.state not in ended for cell in self.cells) else ""


_WORK_SENTENCES = {"paused": "paused, nothing more is started", "at work": "a worker is at work"}


def _look(store: Store, name: str) -> _Status:
    plan = load_plan(store, name)
    cells = planned_runs.status(store, plan)
    return _Status(plan, cells, study_queue.load(store, name), orders.has_worker(store, name))


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
    found, queues = _look(store, name), _queues(store, name)
    if as_json:
        write_json(_facts(store, found, queues))
        return ExitCode.DONE
    plan, cells, work = found.plan, found.cells, found.work_text
    with printing() as console:
        console.print(_table(store, plan, cells, {name: cluster.states(one, cells) for name, one in queues.items()}))
    say(f"study {name}: {planned_runs.counts_text(cells)}; {_WORK_SENTENCES.get(work, 'no worker is at work')}.")
    if deleted := planned_runs.deleted_text(cells, study_command(store, "extend", name)):
        say(deleted)
    again, ends = study_command(store, "run", name), study_command(store, "cancel", name)
    if work == "paused":
        say(f"It was paused: `{again}`, or P on its page of the console (5), resumes it; `{ends}` ends it.")
    if work == "given up":
        say(f"It was given up: {printable(found.queue.given_up, 1000)} `{again}` tries again.")
    for queue in queues.values():
        say(f"{cluster.summary(queue, cells)}.")
    if plan.is_newer:
        say(f"{NEWER_PLAN}.")
    if plan.sha256:
        state = ledger_text(bookkeeping.read(store, plan))
        say(f"plan's SHA-256: {plan.sha256}; {verify_hash(store, plan) or f'{state}.'}")
    return ExitCode.DONE


def _facts(store: Store, found: _Status, queues: Mapping[str, QueueStatus]) -> dict[str, Json]:
    """What JSON has of a study's status."""
    plan = found.plan
    return {
        "name": plan.name,
        **{
            launcher: {"job": one.job, "tasks": dict(one.states)} if (one := queues.get(launcher)) else None
            for launcher, entry in registry.LAUNCHERS.items()
            if entry.has_queue
        },
        "plan_sha256": plan.sha256,
        "plan_problem": verify_hash(store, plan),
        "is_newer": plan.is_newer,
        "claims": [claim.name for claim in plan.claims],
        **ledger_facts(store, plan),
        "has_worker": found.has_worker,
        "is_paused": found.queue.is_paused,
        "given_up": found.queue.given_up,
        "cells": [msgspec.structs.asdict(cell) for cell in found.cells],
    }


def _queues(store: Store, name: str) -> dict[str, QueueStatus]:
    """Launcher to what its engine says of a study's runs; none where they were handed to none, or it is silent."""
    try:
        return {
            launcher: queue for launcher, (_, queue) in registry.queues(study_files.folder_path(store, name)).items()
        }
    except (LaunchError, StoreError) as error:  # The runs' own records say the rest.
        say(str(error))
        return {}


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
    found: list[_Status] = []
    for name in study_files.names(store):
        try:
            found.append(_look(store, name))
        except AlexnetTuiError as error:
            say(f"not listed: {error}")
    if as_json:
        write_json(
            [
                {
                    "name": one.plan.name,
                    "created": one.plan.created,
                    "variants": one.plan.variants,
                    "seeds": one.plan.seeds,
                    "states": dict(Counter(cell.state for cell in one.cells)),
                    "has_worker": one.has_worker,
                    "is_paused": one.queue.is_paused,
                }
                for one in found
            ]
        )
    elif found:
        with printing() as console:
            console.print(_list_table(found))
    else:
        say(f"no studies yet; `{study_command(store, 'new', 'mine')}` plans one.")
    return ExitCode.DONE


def _table(store: Store, plan: Plan, cells: Sequence[PlannedRun], states: Mapping[str, Mapping[str, str]]) -> "Table":
    from rich.table import Table
    from rich.text import Text

    swept = ["tried with"] if any(cell.swept for cell in cells) else []
    group = "group" if plan.cell_groups else "variant"
    table = Table(group, "seed", *swept, "state", *states, "epochs", "run", box=table_box(), pad_edge=False)
    for cell in cells:
        is_leaving = cell.state == State.RUNNING and is_stopping(store.root / cell.run_id, cell.state)
        state = f"{cell.state} ({cell.reason})" if cell.reason else STOPPING if is_leaving else shown_word(cell.state)
        table.add_row(
            printable(cell.group, 60),
            str(cell.seed),
            *([cell.swept] if swept else []),
            Text(printable(state, 60), style=_style(cell.state)),
            *(of_engine.get(cell.run_id, "") for of_engine in states.values()),
            f"{cell.num_epochs_done}/{cell.epochs}",
            Text(printable(cell.run_id, 70)),
        )
    return table


def _style(state: str) -> str:
    """The colour of a cell's state; one that is no run's has none of its own."""
    return TONE_STYLES[STATE_TONES.get(State(state), "muted")] if state in set(State) else "dim"


def _list_table(found: Sequence[_Status]) -> "Table":
    from rich.table import Table

    table = Table("study", "runs", "states", "worker", box=table_box(), pad_edge=False)
    for one in found:
        table.add_row(one.plan.name, str(len(one.cells)), planned_runs.counts_text(one.cells), one.work_text)
    return table
