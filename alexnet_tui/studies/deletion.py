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
    planned = _planned(store, run_ids)
    places = {run_id: (plan, cell) for plan, cells in planned for run_id, cell in cells.items()}
    sizes = {run_id: log_bytes(store.root / run_id) for run_id in places}
    gone: list[Entry] = []

    def note_gone() -> None:
        for plan, cells in planned:
            if entries := [entry for entry in gone if entry.run in cells]:
                with suppress(StoreError):  # The next update writes the lines: the runs are missing then.
                    _append(store, plan, entries)
        gone.clear()

    for plan, cells in planned:
        with suppress(StoreError):  # No ledger that cannot be written keeps anyone from removing a run.
            bookkeeping.update(store, plan, cells)
    try:
        for run_id in run_ids:
            place = places.get(run_id)
            state = _last_state(store, run_id) if place else ""
            if place and log_bytes(store.root / run_id) != sizes[run_id]:  # It went on while others were removed.
                note_gone()
                with suppress(StoreError):
                    bookkeeping.update(store, place[0], {run_id: place[1]})
            try:
                store.delete(run_id)
            except AlexnetTuiError as error:
                yield run_id, error
                continue
            if place:
                gone.append(Entry(kind="deleted", cell=place[1], run=run_id, outcome=state, wall=time.time()))
            yield run_id, None
    finally:
        note_gone()


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


def _append(store: Store, plan: Plan, entries: Sequence[Entry]) -> None:
    ledger.append(study_files.make_folder(store, plan.name), lambda _: entries)
