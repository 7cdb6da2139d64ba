"""The planned runs of a study: the state of each, which are made, and which of them need training.

``cells.json`` in ``runs/studies/NAME/`` says which run serves which cell of the plan, and so does the ledger, so that a
deleted or failed run is never replaced in silence.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from enum import StrEnum
from pathlib import Path

import msgspec

from alexnet_tui.config.protocols import swept_text, unusual_options
from alexnet_tui.errors import StoreError
from alexnet_tui.files import read_small
from alexnet_tui.runs.events import Failed
from alexnet_tui.runs.follow import RunCache
from alexnet_tui.runs.history import RunHistory
from alexnet_tui.runs.record import RunRecord
from alexnet_tui.runs.state import State, are_settings_at_fault, shown_word
from alexnet_tui.runs.store import Store
from alexnet_tui.studies import bookkeeping, ledger, study_files, study_queue
from alexnet_tui.studies.ledger import Entry
from alexnet_tui.studies.plan import LEDGER_SINCE, Plan, check_clock, load_plan
from alexnet_tui.studies.study_queue import Queue
from alexnet_tui.text import counted, printable

CELLS_FILE = "cells.json"
_PLAN = "plan_sha256"
"""What ``cells.json`` calls the hash of the plan whose cells it has; files of earlier programs have none."""


class PlannedRunState(StrEnum):
    """The state of a planned run that is none of a run's own."""

    PLANNED = "planned"
    CANCELLED = "cancelled"
    DELETED = "deleted"
    UNREADABLE = "unreadable"


class PlannedRun(msgspec.Struct, frozen=True, kw_only=True):
    """One run of the plan, a cell of its grid, and its state.

    Attributes:
        index: Position in the plan.
        variant: The variant it trains.
        seed: Its seed.
        state: The run's state, or that of a cell without one.
        run_id: The run, or empty before there is one.
        reason: Why it failed or cannot be read, or empty.
        num_epochs_done: Whole epochs finished.
        epochs: Epochs planned.
        swept: What sets it apart from the other cells of its group and seed, or empty.
        group: The group of runs it belongs to: the variant, or a name of the plan's.
        attempts: How often its run was started.
    """

    index: int
    variant: str
    seed: int
    state: str
    run_id: str = ""
    reason: str = ""
    num_epochs_done: int = 0
    epochs: int = 0
    swept: str = ""
    group: str = ""
    attempts: int = 0

    @property
    def needs_training(self) -> bool:
        """Whether the worker has something to do here: a run that would fail again stays as it is."""
        return self.state in _UNFINISHED or (self.state == State.FAILED and not are_settings_at_fault(self.reason))


class PlannedGroup(msgspec.Struct, frozen=True):
    """What a plan calls the runs that differ in their seed alone.

    Attributes:
        name: The variant, or a name of the plan's.
        swept: Of everything that the plan tries with each group: its title to the option that these runs have, without
            what runs have by themselves.
    """

    name: str
    swept: Mapping[str, str]


_UNFINISHED = frozenset((PlannedRunState.PLANNED, State.QUEUED, State.STOPPED, State.LOST, State.COPY))
Find = Callable[[str], tuple[RunHistory, State] | None]
"""Where to look a run up: its history and state, None where it is gone; a StoreError makes it unreadable."""


def status(store: Store, plan: Plan, find: Find | None = None) -> list[PlannedRun]:
    """The state of every cell of a plan.

    Args:
        find: Where runs are known already; else they are read from the disk.
    """
    look = find or RunCache(store).find
    run_ids = _runs_of_cells(store, plan)
    cancelled = set(study_queue.load(store, plan.name).cancelled)
    return [
        _cell(plan, index, run_ids.get(index, ""), look, is_cancelled=index in cancelled)
        for index in range(len(plan.configs))
    ]


def are_left(store: Store, plan: Plan, find: Find | None = None) -> bool:
    """Whether a run of a plan has still to be trained, or is being trained."""
    return any(cell.needs_training or cell.state == State.RUNNING for cell in status(store, plan, find))


def _cell(plan: Plan, index: int, run_id: str, find: Find, *, is_cancelled: bool) -> PlannedRun:
    """One cell of a plan, with the run that serves it, if there is one."""
    config = plan.configs[index]
    history, problem = None, ""
    state: str = PlannedRunState.DELETED if run_id else PlannedRunState.PLANNED
    try:
        if run_id and (found := find(run_id)):
            history, state = found
    except StoreError as error:  # One damaged run must not hide or hold up all others.
        state, problem = PlannedRunState.UNREADABLE, error.reason
    # Another run must not be stopped or trained in its name, nor be noted as this cell's.
    if history is not None and not (plan.has_made(history.record) and history.record.config == config):
        problem = f"{printable(run_id, 80)} is no run of this cell of the study."
        history, state, run_id = None, PlannedRunState.UNREADABLE, ""
    if is_cancelled and state in _UNFINISHED:
        state = PlannedRunState.CANCELLED
    final = history.final if history else None
    return PlannedRun(
        index=index,
        variant=config.variant,
        seed=config.seed,
        state=str(state),
        run_id=run_id,
        reason=final.reason if isinstance(final, Failed) and state == State.FAILED else problem,
        num_epochs_done=history.num_epochs_done if history else 0,
        epochs=config.epochs,
        swept=swept_text(plan.protocol, config),
        group=plan.group_of(index),
        attempts=history.attempts if history else 0,
    )


def groups_of(store: Store, records: Iterable[RunRecord]) -> dict[str, PlannedGroup]:
    """By the id of a run, its group in the plan that it was made for; of runs without a readable plan nothing."""
    of_study = defaultdict[str, list[RunRecord]](list)
    for record in records:
        of_study[record.study].append(record)
    found = dict[str, PlannedGroup]()
    for name, made in of_study.items():
        with suppress(StoreError):
            plan = load_plan(store, name)
            cells = plan.cells
            for record in made:
                if plan.has_made(record) and record.config in cells:
                    group = plan.group_of(cells[record.config])
                    found[record.id] = PlannedGroup(group, unusual_options(plan.protocol, record.config))
    return found


def prepare(store: Store, plan: Plan) -> list[str]:
    """Make the runs that are still missing, all queued; ids of the runs of all cells, in the plan's order.

    A cell whose run was deleted keeps that run's id: it is not replaced.

    Raises:
        StoreError: The runs folder cannot be written, or the clock is behind the plan.
    """
    with study_files.exclusive(store):
        run_ids = _runs_of_cells(store, plan)
        if len(run_ids) < len(plan.configs):
            check_clock(store, plan)
        command = ("alexnet-tui", "study", "run", plan.name)
        folder, new = study_files.make_folder(store, plan.name), set[int]()
        for index, config in enumerate(plan.configs):
            if index not in run_ids:
                new.add(index)
                run_ids[index] = store.create(
                    config, label=plan.label, argv=command, study=plan.name, plan_sha256=plan.sha256
                ).id
        if plan.v >= LEDGER_SINCE:  # Whoever trains them, and if they vanish: they are known of.
            bookkeeping.note_made(store, plan, run_ids, new)
        cells = {str(index): run_id for index, run_id in sorted(run_ids.items())}
        study_files.write_json(folder / CELLS_FILE, {**cells, _PLAN: plan.sha256})
    return [run_ids[index] for index in range(len(plan.configs))]


def _runs_of_cells(store: Store, plan: Plan) -> dict[int, str]:
    """Positions in the plan to run ids: as written down; else as the ledger and then the runs' own records say."""
    path = study_files.folder_path(store, plan.name) / CELLS_FILE
    content = read_small(path)
    noted = study_files.decode(path, content, dict[str, str]) if content else {}
    if noted.get(_PLAN, plan.sha256) != plan.sha256:  # It is an earlier plan's of this name.
        noted = {}
    run_ids = {index: noted[str(index)] for index in range(len(plan.configs)) if str(index) in noted}
    if len(run_ids) == len(plan.configs):
        return run_ids
    run_ids = _runs_in_ledger(store, plan) | run_ids
    cells = plan.cells
    taken = set(run_ids.values())
    for record in reversed(store.list().runs):  # The oldest run of a cell is the one that counts.
        index = cells.get(record.config) if plan.has_made(record) else None
        if index is not None and record.id not in taken and store.is_in(record.id):
            run_ids.setdefault(index, record.id)
    return run_ids


def _runs_in_ledger(store: Store, plan: Plan) -> dict[int, str]:
    """Positions in the plan to the runs that its ledger names: who is gone is not made anew.

    Of several the first that finished, else the first that is there, else the first.
    """
    entries = ledger.read_file(study_files.folder_path(store, plan.name) / ledger.LEDGER_FILE).entries
    begins = max(
        (place for place, entry in enumerate(entries) if entry.is_beginning and entry.plan_sha256 == plan.sha256),
        default=len(entries),
    )  # What is before that is an earlier plan's of this name.
    of_cell = defaultdict[int, list[Entry]](list)
    for entry in entries[begins:]:
        if entry.run and entry.cell is not None and 0 <= entry.cell < len(plan.configs):
            of_cell[entry.cell].append(entry)
    return {
        cell: max(named, key=lambda entry: 2 if entry.is_finish else store.is_in(entry.run)).run
        for cell, named in of_cell.items()
    }


def run_ids(folder: Path) -> set[str]:
    """Ids of all runs that were made for a study, of those that are gone too.

    Args:
        folder: That of the study's state.

    Raises:
        StoreError: Its files cannot be read.
    """
    content = read_small(folder / CELLS_FILE)
    cells = study_files.decode(folder / CELLS_FILE, content, dict[str, str]) if content else {}
    noted = {run_id for cell, run_id in cells.items() if cell != _PLAN}
    return noted | {entry.run for entry in ledger.read_file(folder / ledger.LEDGER_FILE).entries if entry.run}


def in_order(cells: Iterable[PlannedRun], queue: Queue) -> list[PlannedRun]:
    """The cells of a study that need training, in the order in which a worker starts them."""
    waiting = {cell.index: cell for cell in cells if cell.needs_training and cell.index not in queue.cancelled}
    return [waiting[index] for index in queue.in_order(waiting)]


def deleted_text(cells: Iterable[PlannedRun], command: str) -> str:
    """A sentence on planned runs that were deleted; empty where there are none.

    Args:
        cells: The planned runs.
        command: What plans another seed.
    """
    count = sum(cell.state == PlannedRunState.DELETED for cell in cells)
    if not count:
        return ""
    were, are = ("was", "is") if count == 1 else ("were", "are")
    return f"{counted(count, 'run')} {were} deleted and {are} not trained again: `{command}` plans another seed."


def counts_text(cells: Iterable[PlannedRun]) -> str:
    """How many cells are in which state: ``3 finished, 1 failed (diverged)``."""
    counts = Counter(f"{cell.state} ({cell.reason})" if cell.reason else shown_word(cell.state) for cell in cells)
    return ", ".join(f"{count} {printable(state, 60)}" for state, count in counts.most_common())
