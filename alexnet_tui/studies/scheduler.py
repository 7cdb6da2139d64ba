"""The scheduler: which run of the ordered studies is started next, and what is reported and noted of those that train.

`studies.worker` is the process that asks it to look again and again. Nothing that matters is kept in memory alone:
every decision is read from the disk, so a worker may be killed at any moment and another one started.
"""

import contextlib
import platform
import time
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

import msgspec

from alexnet_tui.command_lines import shell_command
from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.errors import AlexnetTuiError, RunBusyError, StoreError
from alexnet_tui.files import FULL_DISK, Stamp, file_stamp
from alexnet_tui.launch import registry, stopping
from alexnet_tui.launch.engine import StartOptions
from alexnet_tui.launch.trainer_process import TRAINER
from alexnet_tui.runs.follow import RunCache
from alexnet_tui.runs.state import State, shown_word
from alexnet_tui.runs.store import Store
from alexnet_tui.studies import allocation, bookkeeping, orders, planned_runs, study_files, study_queue
from alexnet_tui.studies.allocation import Allocation
from alexnet_tui.studies.orders import Order
from alexnet_tui.studies.plan import Plan, check_clock, load_runnable_plan
from alexnet_tui.studies.planned_runs import PlannedRun
from alexnet_tui.studies.study_files import plan_path

MAX_STARTS = 3
"""How often one worker starts a run whose trainer dies."""
_DAMAGE_PATIENCE_SECONDS = 2.0
"""How long a damaged file is read again before it is set aside: an editor may be writing it."""
_T = TypeVar("_T")
Say = Callable[[str], None]
"""Takes a sentence for people."""
Prepare = Callable[[RunConfig], None]
"""Makes the data of a run ready."""


class _Session(msgspec.Struct):
    """What a worker knows of one order beyond the disk.

    Attributes:
        order: The order.
        plan: Its study's plan.
        run_ids: The run of every cell.
        plan_stamp: Of the plan's file when it was read: a study may be removed, or planned anew, at any time.
        starts: How often this worker started each cell.
        seen: Cells seen training under this order; if one of them stops, a person wanted that.
        refusals: Why a cell could not be started the last time, by its position.
        reported: The last sentence said about each cell, so that nothing is said twice.
        noted: Run, state and attempts of each cell when the ledger was last written.
    """

    order: Order
    plan: Plan
    run_ids: list[str]
    plan_stamp: Stamp | None = None
    starts: Counter[int] = msgspec.field(default_factory=Counter)
    seen: set[int] = msgspec.field(default_factory=set)
    refusals: dict[int, str] = msgspec.field(default_factory=dict)
    reported: dict[int, str] = msgspec.field(default_factory=dict)
    noted: dict[int, tuple[str, str, int]] = msgspec.field(default_factory=dict)

    def may_start(self, cell: PlannedRun) -> bool:
        """Whether the worker should try a cell that needs training, once more or at all."""
        was_ours = bool(self.starts[cell.index]) or cell.index in self.seen
        if was_ours and cell.state in {State.STOPPED, State.FAILED}:
            return False
        return self.starts[cell.index] < MAX_STARTS


class Scheduler:
    """Serves the orders of a runs folder; make one only while holding the folder's lock (`take_service`).

    Args:
        prepare: Makes the data of a study's runs ready before the first starts.
        own: The study whose sentences need not name it, or empty.
    """

    def __init__(
        self,
        store: Store,
        *,
        command: Sequence[str] = TRAINER,
        say: Say = lambda sentence: None,
        prepare: Prepare = lambda config: None,
        own: str = "",
    ) -> None:
        self._store = store
        self._command = command
        self._say = say
        self._prepare = prepare
        self._own = own
        self._runs = RunCache(store)
        self._machine = allocation.this_machine()
        self._sessions: dict[str, _Session] = {}
        self._troubles: dict[str, tuple[str, float]] = {}
        self._refused: set[str] = set()

    def look(self) -> bool:
        """Look at every order, end those that are done, start a run if one may start; whether one was started.

        Raises:
            StoreError: The runs folder is gone.
        """
        if not self._store.root.is_dir():
            raise StoreError(self._store.root, "the runs folder is gone; nothing more is started.")
        try:
            listed = orders.listed(self._store)
        except StoreError as error:
            self._mend("", error)
            return False
        active = [order for order in listed if order.is_own]
        self._refuse([order.study for order in listed if not order.is_own])
        self._sessions = {order.study: one for order in active if (one := self._sessions.get(order.study))}
        first: tuple[_Session, list[PlannedRun]] | None = None
        for order in active:
            waiting = self._guarded(order.study, partial(self._refresh, order)) or []
            if waiting and first is None:  # Nothing of a later order goes before it.
                first = self._sessions[order.study], waiting
        if first is None:
            return False
        session, waiting = first
        return bool(self._guarded(session.plan.name, partial(self._start_next, session, waiting)))

    def is_done(self) -> bool:
        """Whether no order is left."""
        try:
            return not orders.active(self._store)
        except StoreError:
            return False

    def stop(self) -> None:
        """Give all orders up and stop their runs with a checkpoint."""
        for name in self._sessions:
            withdraw_order(self._store, name)
        # All trainers are asked before the first is waited for.
        sessions = list(self._sessions.values())
        stopping.stop_all(
            self._store, [run_id for session in sessions for run_id in self._own_runs(session)], self._say
        )
        for session in sessions:
            note_all(self._store, session.plan)

    def _own_runs(self, session: _Session) -> list[str]:
        """The runs of an order's study; the list of its cells may name those of another one."""
        own = []
        for run_id in session.run_ids:
            with contextlib.suppress(StoreError):  # Deleted meanwhile.
                if self._store.record(run_id).study == session.plan.name:
                    own.append(run_id)
        return own

    def _guarded(self, name: str, act: Callable[[], _T]) -> _T | None:
        """Do something for an order; None, and a sentence, where the disk does not let us."""
        try:
            result = act()
        except StoreError as error:
            self._mend(name, error)
            return None
        self._troubles.pop(name, None)
        return result

    def _refresh(self, order: Order) -> list[PlannedRun]:
        """Report and note what changed in an order's study; its cells that may be started now."""
        session = self._session(order)
        if session is None:
            return []
        cells = planned_runs.status(self._store, session.plan, self._runs.find)
        _note(self._store, session, cells)
        report_cells(cells, session.reported, lambda sentence: self._report(order.study, sentence))
        session.seen |= {cell.index for cell in cells if cell.state == State.RUNNING}
        queue = study_queue.load(self._store, order.study)
        waiting = [cell for cell in planned_runs.in_order(cells, queue) if session.may_start(cell)]
        if not waiting and not any(cell.state == State.RUNNING for cell in cells):
            refused = [cell for cell in cells if cell.needs_training and cell.index in session.refusals]
            if refused:
                self._give_up(order.study, session.refusals[refused[-1].index])
            self._finish(order)
        return [] if queue.is_paused else waiting

    def _session(self, order: Order) -> _Session | None:
        """What is known of an order; a new one's data and runs are made first, None where that cannot be done.

        Raises:
            StoreError: A file is damaged that can be made anew, or the runs cannot be made now.
        """
        known, stamp = self._sessions.get(order.study), file_stamp(plan_path(self._store, order.study))
        if known is not None and (known.order.placed, known.plan_stamp) == (order.placed, stamp):
            return known
        try:
            plan = load_runnable_plan(self._store, order.study)
            if planned_runs.are_left(self._store, plan, self._runs.find):
                for config in plan.one_of_each_image_size:
                    self._prepare(config)
        except AlexnetTuiError as error:
            if isinstance(error, StoreError) and _is_damaged_state(error):
                raise
            self._give_up(order.study, str(error))
            withdraw_order(self._store, order.study)
            return None
        self._sessions[order.study] = session = _Session(order, plan, planned_runs.prepare(self._store, plan), stamp)
        return session

    def _give_up(self, name: str, reason: str) -> None:
        """Say why no more runs of a study are started, and write it down for those who look later."""
        self._report(name, f"given up: {reason}")
        with contextlib.suppress(StoreError):
            study_queue.give_up(self._store, name, reason)

    def _finish(self, order: Order) -> None:
        with study_files.exclusive(self._store):
            if any(one.placed == order.placed for one in orders.active(self._store) if one.study == order.study):
                orders.withdraw(self._store, order.study)
        self._sessions.pop(order.study, None)

    def _start_next(self, session: _Session, waiting: Sequence[PlannedRun]) -> bool:
        """Start the first cell that waits if the machine has room; whether it was started."""
        name = session.plan.name
        with study_files.exclusive(self._store):
            # Others change the queue only while they hold the same lock: what is first, or cancelled, is known here.
            queue = study_queue.load(self._store, name)
            cell = next(iter(planned_runs.in_order(waiting, queue)), None)
            if cell is None or queue.is_paused:
                return False
            training = [run_id for run_id in self._store.ids() if _is_locked(self._store, run_id)]
            if len(training) >= session.order.parallel:
                return False
            check_clock(self._store, session.plan)
            share = self._allocation(session, cell, training)
            try:
                how = StartOptions(command=self._command, cores=share.cores, environment=share.variables())
                registry.start(self._store, cell.run_id, session.order.launch, how)
            except RunBusyError:  # Someone else was faster: as good.
                return False
            except AlexnetTuiError as error:
                if is_disk_full(error):
                    raise StoreError(self._store.root, f"{_name(cell)} could not be started: {error}") from error
                session.starts[cell.index] += 1
                session.refusals[cell.index] = f"{_name(cell)}: {error}"
                self._report(name, session.refusals[cell.index])
                return False
            session.starts[cell.index] += 1
            session.refusals.pop(cell.index, None)
        verb = "resumed" if cell.state != State.QUEUED else "started"
        self._report(name, f"{_name(cell)}: {verb} as {cell.run_id}")
        return True

    def _allocation(self, session: _Session, cell: PlannedRun, training: Sequence[str]) -> Allocation:
        """Which part of the machine a run gets."""
        parallel, threads = session.order.parallel, session.plan.configs[cell.index].threads
        if parallel == 1:
            return Allocation()
        owners = filter(None, map(self._store.owner, training))
        taken = [allocation.allocation_of_process(owner.pid) for owner in owners if owner.host == platform.node()]
        return allocation.least_loaded(allocation.allocations(self._machine, parallel, threads), taken)

    def _refuse(self, names: Sequence[str]) -> None:
        """Say once of each order that somebody else placed that it is not served."""
        for name in names:
            if name not in self._refused:
                again = shell_command("study", "run", name, root=self._store.root)
                self._report(name, f"its order was not placed on this account, and is not served: {again}")
        self._refused = set(names)

    def _mend(self, name: str, error: StoreError) -> None:
        """Say what is wrong, once; a damaged file is set aside if it stays so, everything else is tried again."""
        sentence, since = self._troubles.get(name, ("", time.monotonic()))
        self._troubles[name] = (str(error), since)
        if sentence != str(error):
            self._report(name, f"{error} It is tried again.")
        elif _is_damaged_state(error) and time.monotonic() - since > _DAMAGE_PATIENCE_SECONDS:
            with contextlib.suppress(StoreError), study_files.exclusive(self._store):
                self._report(
                    name, f"{error.path} stayed damaged; it is kept as {study_files.set_aside(error.path).name}."
                )
                if not name:
                    orders.write(self._store, [session.order for session in self._sessions.values()])
            self._troubles.pop(name, None)

    def _report(self, name: str, sentence: str) -> None:
        self._say(sentence if not name or name == self._own else f"study {name}: {sentence}")


def report_cells(cells: Sequence[PlannedRun], reported: dict[int, str], say: Say) -> None:
    """Say what changed since the last look.

    Args:
        reported: The last sentence on each cell, by its position; brought up to date.
    """
    for cell in cells:
        sentence = f"{_name(cell)}: {shown_word(cell.state)}" + (f" ({cell.reason})" if cell.reason else "")
        before = reported.get(cell.index)
        reported[cell.index] = sentence
        is_news = before is not None and cell.state not in {State.RUNNING, State.QUEUED}
        if sentence != before and is_news:
            say(f"{sentence}, run {cell.run_id}")


def _name(cell: PlannedRun) -> str:
    return f"{cell.group} seed {cell.seed}" + (f", {cell.swept}" if cell.swept else "")


def _note(store: Store, session: _Session, cells: Sequence[PlannedRun]) -> None:
    """Bring the ledger up to date where a run began, ended or is gone."""
    now = {cell.index: (cell.run_id, cell.state, cell.attempts) for cell in cells if cell.run_id}
    changed = {seen[0]: index for index, seen in now.items() if session.noted.get(index) != seen}
    if changed:
        bookkeeping.update(store, session.plan, changed)
        session.noted = now


def note_all(store: Store, plan: Plan) -> None:
    """Bring a study's ledger up to date; what cannot be written now is written by the next worker."""
    with contextlib.suppress(StoreError):
        cells = planned_runs.status(store, plan)
        bookkeeping.update(store, plan, {cell.run_id: cell.index for cell in cells if cell.run_id})


def withdraw_order(store: Store, name: str) -> None:
    """Take a study off the list; a list that cannot be written now is mended by the next worker."""
    with contextlib.suppress(StoreError):
        orders.take_back(store, name)


def is_disk_full(error: BaseException | None) -> bool:
    """Whether an error, or one behind it, is that of a write that found no room (`files.FULL_DISK`)."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in FULL_DISK:
            return True
        error = error.__cause__
    return False


def _is_damaged_state(error: StoreError) -> bool:
    """Whether an error is about the content of a file of ours that can be made anew."""
    is_ours = Path(error.path).name in {study_queue.QUEUE_FILE, planned_runs.CELLS_FILE, orders.ORDERS_FILE}
    return is_ours and not isinstance(error.__cause__, OSError)


def _is_locked(store: Store, run_id: str) -> bool:
    """Whether a run trains; one that was deleted meanwhile or cannot be looked at does not."""
    try:
        return store.is_locked(run_id)
    except StoreError:
        return False
