"""The deletion of runs: those that studies planned leave their lines in the studies' ledgers."""

import time
from collections.abc import Generator, Sequence
from contextlib import suppress

from alexnet_tui.errors import AlexnetTuiError, StoreError
from alexnet_tui.runs.follow import load as load_history
from alexnet_tui.runs.record import RunRecord
from alexnet_tui.runs.run_files import log_bytes
from alexnet_tui.runs.store import Store
from alexnet_tui.studies import bookkeeping, ledger, study_files
from alexnet_tui.studies.ledger import Entry
from alexnet_tui.studies.plan import Plan, load_plan


def delete_run(store: Store, run_id: str) -> None:
    """Remove a run; one that a study planned leaves its line in the study's ledger.

    Raises:
        RunBusyError: A trainer is at work on it.
        StoreError: It is a reference run, or cannot be removed.
    """
    for _, error in delete_runs(store, [run_id]):
        if error is not None:
            raise error


def delete_runs(store: Store, run_ids: Sequence[str]) -> Generator[tuple[str, AlexnetTuiError | None], None, None]:
    """Remove runs one after the other, each with the next item; those that studies planned leave their lines.

    What their records say is noted before the first of them goes, and that they are gone once the last one is, or the
    generator is closed: however many runs there are, each plan is read once, and its ledger is written twice. Where the
    process dies in between, the next update finds them missing.

    Yields:
        Each run, and why it could not be removed, as `delete_run` raises it.
    """
    lines = _LedgerLines(store, run_ids)
    try:
        for run_id in run_ids:
            state = lines.last_state(run_id)
            try:
                store.delete(run_id)
            except AlexnetTuiError as error:
                yield run_id, error
                continue
            lines.add(run_id, state)
            yield run_id, None
    finally:
        lines.write()


class _LedgerLines:
    """The lines that runs leave in the ledgers of the studies that planned them.

    What the runs' records say is written when this is made; that they are gone, by `write`.
    """

    def __init__(self, store: Store, run_ids: Sequence[str]) -> None:
        self._store = store
        self._planned = _planned(store, run_ids)
        self._places = {run_id: (plan, cell) for plan, cells in self._planned for run_id, cell in cells.items()}
        self._sizes = {run_id: log_bytes(store.root / run_id) for run_id in self._places}
        self._gone: list[Entry] = []
        for plan, cells in self._planned:
            with suppress(StoreError):  # No ledger that cannot be written keeps anyone from removing a run.
                bookkeeping.update(store, plan, cells)

    def last_state(self, run_id: str) -> str:
        """The state of a planned run that is about to go, with the ledger brought up to date; empty for any other."""
        if run_id not in self._places:
            return ""
        state = _last_state(self._store, run_id)
        if log_bytes(self._store.root / run_id) != self._sizes[run_id]:  # It went on while others were removed.
            self.write()
            plan, cell = self._places[run_id]
            with suppress(StoreError):
                bookkeeping.update(self._store, plan, {run_id: cell})
        return state

    def add(self, run_id: str, state: str) -> None:
        """Remember that a run is gone, and the state it was in."""
        if run_id in self._places:
            _, cell = self._places[run_id]
            self._gone.append(Entry(kind="deleted", cell=cell, run=run_id, outcome=state, wall=time.time()))

    def write(self) -> None:
        """Note the runs that are gone."""
        for plan, cells in self._planned:
            if entries := [entry for entry in self._gone if entry.run in cells]:
                with suppress(StoreError):  # The next update writes the lines: the runs are missing then.
                    ledger.append(study_files.make_folder(self._store, plan.name), *entries)
        self._gone.clear()


def deletion_warnings(store: Store, run_ids: Sequence[str]) -> list[str]:
    """What a deletion of runs means for the studies that planned them: a sentence for each study."""
    sentences = []
    for plan, runs in _planned(store, run_ids):
        if runs:
            which, them = ("this run", "it") if len(run_ids) == 1 else (f"{len(runs)} of these runs", "them")
            seeds = "; its claims lose a seed" if plan.claims else ""
            sentences.append(f"Study {plan.name} planned {which} and does not train {them} again{seeds}.")
    return sentences


def _planned(store: Store, run_ids: Sequence[str]) -> list[tuple[Plan, dict[str, int]]]:
    """The plans that some runs were made for, each with those runs and their cells.

    Neither a damaged run nor a study that is gone keeps anyone from removing a run: these are left out.
    """
    records: dict[str, list[RunRecord]] = {}
    for run_id in run_ids:
        with suppress(StoreError):
            record = store.record(run_id)
            if record.study and store.is_in(run_id):
                records.setdefault(record.study, []).append(record)
    planned = []
    for name, made in records.items():
        with suppress(StoreError):
            plan = load_plan(store, name)
            cells = plan.cells
            runs = {one.id: cells[one.config] for one in made if plan.has_made(one) and one.config in cells}
            planned.append((plan, runs))
    return planned


def _last_state(store: Store, run_id: str) -> str:
    """The state of a run that is about to go."""
    try:
        return str(load_history(store, run_id, skip_steps=True)[1])
    except StoreError:
        return "unreadable"
