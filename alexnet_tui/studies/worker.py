"""The worker: the one process that starts runs of studies in a runs folder, order by order, to their end.

Whoever holds the lock in ``studies/.worker`` is it: a command in the foreground, or a process in the background that
the console or ``--detach`` started. A command that finds the folder served only watches its own study, and takes over
where the other one ends. Nothing that matters is kept in memory alone: every decision is read from the disk, so a
worker may be killed at any moment and another one started. Trainers are processes of their own and outlive it.
"""

import contextlib
import os
import platform
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

import msgspec
import psutil

from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.errors import AlexnetTuiError, LaunchError, RunBusyError, StoreError
from alexnet_tui.files import FULL_DISK, Folder, reason_of
from alexnet_tui.launch import local, registry, stopping
from alexnet_tui.launch.registry import HERE, Launch, StartOptions
from alexnet_tui.launch.trainer_process import TRAINER, is_training
from alexnet_tui.locks import take_lock, write_owner
from alexnet_tui.paths import child_command, shell_command
from alexnet_tui.runs.follow import RunCache
from alexnet_tui.runs.state import State
from alexnet_tui.runs.store import Store
from alexnet_tui.studies import allocation, bookkeeping, orders, study_files
from alexnet_tui.studies import plan as study
from alexnet_tui.studies import queue as study_queue
from alexnet_tui.studies.allocation import Allocation
from alexnet_tui.studies.cluster import check_not_active
from alexnet_tui.studies.orders import Order

WORKER = child_command("alexnet_tui", "study", "worker")
MAX_STARTS = 3
_STOP_PATIENCE_SECONDS = 60.0
_DAMAGE_PATIENCE_SECONDS = 2.0
"""How long a damaged file is read again before it is set aside: an editor may be writing it."""
_SLICE_SECONDS = 0.1
_T = TypeVar("_T")
Say = Callable[[str], None]
Prepare = Callable[[RunConfig], None]
"""Makes the data of a run ready."""


class _Session(msgspec.Struct):
    """What a worker knows of one order beyond the disk.

    Attributes:
        order: The order.
        plan: Its study's plan.
        run_ids: The run of every cell.
        starts: How often this worker started each cell.
        seen: Cells seen training under this order; if one of them stops, a person wanted that.
        refusals: Why a cell could not be started the last time, by its position.
        reported: The last sentence said about each cell, so that nothing is said twice.
        noted: Run, state and attempts of each cell when the ledger was last written.
    """

    order: Order
    plan: study.Plan
    run_ids: list[str]
    starts: Counter[int] = msgspec.field(default_factory=Counter)
    seen: set[int] = msgspec.field(default_factory=set)
    refusals: dict[int, str] = msgspec.field(default_factory=dict)
    reported: dict[int, str] = msgspec.field(default_factory=dict)
    noted: dict[int, tuple[str, str, int]] = msgspec.field(default_factory=dict)

    def may_start(self, cell: study_queue.PlannedRun) -> bool:
        """Whether the worker should try a cell that needs training, once more or at all."""
        was_ours = bool(self.starts[cell.index]) or cell.index in self.seen
        if was_ours and cell.state in {State.STOPPED, State.FAILED}:
            return False
        return self.starts[cell.index] < MAX_STARTS


class Worker:
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
        first: tuple[_Session, list[study_queue.PlannedRun]] | None = None
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
            _withdraw(self._store, name)
        # All trainers are asked before the first is waited for.
        sessions = list(self._sessions.values())
        stop_runs(self._store, [run_id for session in sessions for run_id in self._own_runs(session)], self._say)
        for session in sessions:
            _note_all(self._store, session.plan)

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

    def _refresh(self, order: Order) -> list[study_queue.PlannedRun]:
        """Report and note what changed in an order's study; its cells that may be started now."""
        session = self._session(order)
        if session is None:
            return []
        cells = study_queue.status(self._store, session.plan, self._runs.find)
        _note(self._store, session, cells)
        _report_cells(cells, session, lambda sentence: self._report(order.study, sentence))
        session.seen |= {cell.index for cell in cells if cell.state == State.RUNNING}
        queue = study_queue.load(self._store, order.study)
        waiting = [cell for cell in study_queue.in_order(cells, queue) if session.may_start(cell)]
        if not waiting and not any(cell.state == State.RUNNING for cell in cells):
            refused = [cell for cell in cells if cell.needs_training and cell.index in session.refusals]
            if refused:
                self._give_up(order.study, session.refusals[refused[-1].index])
            self._finish(order)
        return [] if queue.is_paused else waiting

    def _session(self, order: Order) -> _Session | None:
        """What is known of an order; a new one's data and runs are made first, None where that cannot be done."""
        known = self._sessions.get(order.study)
        if known is not None and known.order.placed == order.placed:
            return known
        try:
            plan = study.load_runnable(self._store, order.study)
            for config in plan.one_of_each_image_size:
                self._prepare(config)
        except AlexnetTuiError as error:
            self._give_up(order.study, str(error))
            _withdraw(self._store, order.study)
            return None
        self._sessions[order.study] = session = _Session(order, plan, study_queue.prepare_runs(self._store, plan))
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

    def _start_next(self, session: _Session, waiting: Sequence[study_queue.PlannedRun]) -> bool:
        """Start the first cell that waits if the machine has room; whether it was started."""
        name = session.plan.name
        with study_files.exclusive(self._store):
            # Others change the queue only while they hold the same lock: what is first, or cancelled, is known here.
            queue = study_queue.load(self._store, name)
            cell = next(iter(study_queue.in_order(waiting, queue)), None)
            if cell is None or queue.is_paused:
                return False
            training = [run_id for run_id in self._store.ids() if _is_locked(self._store, run_id)]
            if len(training) >= session.order.parallel:
                return False
            study.check_clock(self._store, session.plan)
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

    def _allocation(self, session: _Session, cell: study_queue.PlannedRun, training: Sequence[str]) -> Allocation:
        """Which part of the machine a run gets."""
        parallel, threads = session.order.parallel, session.plan.configs[cell.index].threads
        if parallel == 1:
            return Allocation()
        owners = filter(None, map(self._store.owner, training))
        taken = [allocation.allocation_of_process(owner.pid) for owner in owners if owner.host == platform.node()]
        return allocation.freest(allocation.allocations(self._machine, parallel, threads), taken)

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


def work(
    store: Store,
    plan: study.Plan,
    *,
    parallel: int = 1,
    launch: Launch = HERE,
    command: Sequence[str] = TRAINER,
    successor: Sequence[str] = WORKER,
    say: Say = lambda sentence: None,
    should_stop: Callable[[], bool] = lambda: False,
    prepare: Prepare = lambda config: None,
    poll_seconds: float = 2.0,
) -> list[study_queue.PlannedRun]:
    """Work through a plan in the foreground until nothing is left to do; returns where every cell stands then.

    Finished runs, and failed ones that would fail again, are left alone; stopped, lost and otherwise failed ones are
    resumed once; a run whose trainer dies is resumed, `MAX_STARTS` times at most by one worker.

    Args:
        parallel: How many runs may train at once in the folder.
        successor: Command of the worker that goes on with other studies' orders when this one is done.
        should_stop: Polled; once true, the runs of this study are stopped with a checkpoint.
        prepare: Makes the data of a study's runs ready.

    Raises:
        RunBusyError: This study is being worked through already, here or by an engine with a queue.
        LaunchError: That engine does not answer, so that nobody knows.
        StoreError: The runs folder cannot be read or written, or the clock is behind the plan.
    """
    study.check_clock(store, plan)
    order = Order(study=plan.name, parallel=parallel, is_foreground=True, launch=launch)
    with ExitStack() as service, command_lock(store, plan.name):
        _until_there_is_room(lambda: _place(store, order), say, should_stop, poll_seconds)
        _begin_anew(store, plan.name)
        act: Worker | _Watcher = _Watcher(store, plan, say)
        try:
            while not should_stop() and _is_ordered(store, plan.name):
                if isinstance(act, _Watcher) and (taken := take_service(store)) is not None:
                    service.callback(_ensure_worker, store, successor)
                    service.enter_context(taken)
                    act = Worker(store, command=command, say=say, prepare=prepare, own=plan.name)
                if not act.look():
                    _pause(poll_seconds, should_stop)
        finally:
            _withdraw(store, plan.name)
        if should_stop():
            _stop_study(store, plan, say)
        _note_all(store, plan)
        return study_queue.status(store, plan)


def serve(
    store: Store,
    *,
    command: Sequence[str] = TRAINER,
    say: Say = lambda sentence: None,
    should_stop: Callable[[], bool] = lambda: False,
    prepare: Prepare = lambda config: None,
    poll_seconds: float = 2.0,
) -> None:
    """Serve the orders of a folder until none is left; returns where another process serves it.

    Args:
        should_stop: Polled; once true, all orders are given up and their runs stopped with a checkpoint.
        prepare: Makes the data of a study's runs ready.

    Raises:
        StoreError: The runs folder cannot be read or written.
    """
    service = take_service(store)
    if service is None:
        return
    with service:
        worker = Worker(store, command=command, say=say, prepare=prepare)
        while not should_stop():
            if worker.look():
                continue
            with study_files.exclusive(store):
                if worker.is_done():
                    service.close()  # While nobody can place an order that this worker would not see.
                    return
            _pause(poll_seconds, should_stop)
        worker.stop()


class _Watcher:
    """Reports the progress of a study that another process works through."""

    def __init__(self, store: Store, plan: study.Plan, say: Say) -> None:
        self._store, self._plan, self._say = store, plan, say
        self._runs = RunCache(store)
        self._session: _Session | None = None

    def look(self) -> bool:
        """Say what changed; never starts anything."""
        if self._session is None:
            self._session = _Session(Order(study=self._plan.name), self._plan, [])
            self._say(
                f"another process starts the runs of this folder; study {self._plan.name} waits for its turn"
                f"{_before(self._store, self._plan.name)}."
            )
        with contextlib.suppress(StoreError):  # The process that works through it reports and mends.
            _report_cells(study_queue.status(self._store, self._plan, self._runs.find), self._session, self._say)
        return False


def _before(store: Store, name: str) -> str:
    """Which studies have their turn before one, and what ends them: a phrase, or empty."""
    ordered: list[str] = []
    with contextlib.suppress(StoreError):  # The process that serves them mends the list.
        ordered = [order.study for order in orders.active(store)]
    ahead = ordered[: ordered.index(name)] if name in ordered else []
    if not ahead:
        return ""
    ends = shell_command("study", "cancel", ahead[0], root=store.root)
    return f" behind {', '.join(ahead)} (`{ends}` ends {'it' if len(ahead) == 1 else 'the first'})"


def withdraw(store: Store, plan: study.Plan, say: Say) -> None:
    """Take a study's order back and stop its runs with a checkpoint; what a worker does for others goes on.

    Raises:
        StoreError: The study cannot be read.
    """
    _withdraw(store, plan.name)
    _stop_study(store, plan, say)
    _note_all(store, plan)


def _stop_study(store: Store, plan: study.Plan, say: Say) -> None:
    stop_runs(store, [cell.run_id for cell in study_queue.status(store, plan) if cell.run_id], say)


def _note_all(store: Store, plan: study.Plan) -> None:
    """Bring a study's ledger up to date; what cannot be written now is written by the next worker."""
    with contextlib.suppress(StoreError):
        cells = study_queue.status(store, plan)
        bookkeeping.update(store, plan, {cell.run_id: cell.index for cell in cells if cell.run_id})


def start_worker(
    store: Store, name: str, *, parallel: int = 1, launch: Launch = HERE, command: Sequence[str] = WORKER
) -> bool:
    """Order a study and see that a worker serves it, one that outlives this process; False where it is served already.

    Args:
        parallel: How many runs may train at once.
        command: What to run where no process serves the folder.

    Raises:
        RunBusyError: An engine with a queue still has something to do for it.
        LaunchError: The worker cannot be started.
        StoreError: The order cannot be written, its log is no regular file, a newer program wrote the plan, or the
            clock is behind it.
    """
    study.check_clock(store, study.load_runnable(store, name))
    check_not_active(store, name)
    _begin_anew(store, name)
    with study_files.exclusive(store):
        if orders.has_worker(store, name):
            return False
        orders.place(store, Order(study=name, parallel=parallel, launch=launch))
    _ensure_worker(store, command)
    return True


def _ensure_worker(store: Store, command: Sequence[str]) -> None:
    """Start a worker in the background if nobody serves the orders that were placed for one."""
    with study_files.exclusive(store):
        if orders.is_folder_served(store) or all(order.is_foreground for order in orders.active(store)):
            return
    try:
        with Folder(orders.worker_folder(store)) as folder:
            log = folder.append(orders.log_path(store).name)
        with os.fdopen(log, "ab"):
            local.spawn([*command, "--runs-dir", str(store.root.absolute())], stdout=log, stderr=log)
    except OSError as error:
        raise LaunchError(f"the worker of {store.root} could not be started ({reason_of(error)}).") from error


def take_service(store: Store) -> ExitStack | None:
    """Become the one process that starts runs in a folder, until the result is closed; None where another one is."""
    try:
        descriptor = take_lock(orders.worker_folder(store))
    except RunBusyError:
        return None
    _sign(descriptor)
    service = ExitStack()
    service.callback(os.close, descriptor)
    return service


@contextmanager
def command_lock(store: Store, name: str) -> Iterator[None]:
    """Mark a study as worked through by this command, as long as the block runs.

    Raises:
        RunBusyError: Another process works through it, or an engine with a queue still has something to do for it.
        LaunchError: That engine does not answer, so that nobody knows.
    """
    shows = shell_command("study", "status", name, root=store.root)
    busy = f"study {name} is already being worked through; `{shows}` shows it."
    with study_files.exclusive(store):
        if orders.has_worker(store, name):
            raise RunBusyError(busy)
        try:
            descriptor = take_lock(study_files.make_folder(store, name))
        except RunBusyError as error:
            raise RunBusyError(busy) from error
    try:
        _sign(descriptor)
        check_not_active(store, name)
        yield
    finally:
        os.close(descriptor)


def _sign(descriptor: int) -> None:
    """Write into a lock file who holds it; on a full disk the lock holds without."""
    with contextlib.suppress(OSError):
        write_owner(descriptor, os.getpid(), psutil.Process().create_time())


def _begin_anew(store: Store, name: str) -> None:
    """`study_queue.begin_anew`; a damaged queue is mended by the worker."""
    with contextlib.suppress(StoreError):
        study_queue.begin_anew(store, name)


def _place(store: Store, order: Order) -> None:
    with study_files.exclusive(store):
        orders.place(store, order)


def _withdraw(store: Store, name: str) -> None:
    """Take a study off the list; a list that cannot be written now is mended by the next worker."""
    if not orders.orders_path(store).exists():  # The runs folder may be gone: it is not made anew.
        return
    with contextlib.suppress(StoreError), study_files.exclusive(store):
        orders.withdraw(store, name)


def _is_ordered(store: Store, name: str) -> bool:
    """Whether a study is still to be worked through; a damaged list leaves it so."""
    try:
        return any(order.study == name for order in orders.active(store))
    except StoreError:
        return True


def _until_there_is_room(act: Callable[[], None], say: Say, should_stop: Callable[[], bool], seconds: float) -> None:
    """Do something that writes; while the disk is full, say so once and try again."""
    is_told = False
    while True:
        try:
            act()
            return
        except StoreError as error:
            if not is_disk_full(error) or should_stop():
                raise
            if not is_told:
                say(f"{error} It goes on once there is room.")
            is_told = True
            _pause(seconds, should_stop)


def is_disk_full(error: BaseException | None) -> bool:
    """Whether an error, or one behind it, is that of a write that found no room (`files.FULL_DISK`)."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in FULL_DISK:
            return True
        error = error.__cause__
    return False


def _is_damaged_state(error: StoreError) -> bool:
    """Whether an error is about the content of a file of ours that can be made anew."""
    is_ours = Path(error.path).name in {study_queue.QUEUE_FILE, study_queue.CELLS_FILE, orders.ORDERS_FILE}
    return is_ours and not isinstance(error.__cause__, OSError)


def _pause(seconds: float, should_stop: Callable[[], bool]) -> None:
    """Sleep, but not through a request to stop."""
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0 and not should_stop():
        time.sleep(min(left, _SLICE_SECONDS))


def _is_locked(store: Store, run_id: str) -> bool:
    """Whether a run trains; one that was deleted meanwhile or cannot be looked at does not."""
    try:
        return store.is_locked(run_id)
    except StoreError:
        return False


def _note(store: Store, session: _Session, cells: Sequence[study_queue.PlannedRun]) -> None:
    """Bring the ledger up to date where a run began, ended or is gone."""
    now = {cell.index: (cell.run_id, cell.state, cell.attempts) for cell in cells if cell.run_id}
    changed = {seen[0]: index for index, seen in now.items() if session.noted.get(index) != seen}
    if changed:
        bookkeeping.update(store, session.plan, changed)
        session.noted = now


def _report_cells(cells: Sequence[study_queue.PlannedRun], session: _Session, say: Say) -> None:
    """Say what changed since the last look."""
    for cell in cells:
        sentence = f"{_name(cell)}: {cell.state}" + (f" ({cell.reason})" if cell.reason else "")
        before = session.reported.get(cell.index)
        session.reported[cell.index] = sentence
        is_news = before is not None and cell.state not in {State.RUNNING, State.QUEUED}
        if sentence != before and is_news:
            say(f"{sentence}, run {cell.run_id}")


def _name(cell: study_queue.PlannedRun) -> str:
    return f"{cell.group} seed {cell.seed}" + (f", {cell.swept}" if cell.swept else "")


def _is_training(store: Store, run_id: str) -> bool:
    """Whether a run trains, here or elsewhere; one that was deleted meanwhile does not."""
    try:
        return is_training(store, run_id)
    except StoreError:
        return False


def stop_runs(store: Store, run_ids: Sequence[str], say: Say) -> None:
    """Ask trainers for a checkpoint, all of them, then wait until they have left.

    A trainer that was asked before is only waited for: a second request would cost its checkpoint.

    Args:
        run_ids: The runs; those that do not train are passed over.
    """
    leaving = []
    for run_id in run_ids:
        try:
            if not is_training(store, run_id):
                continue
            say(f"stopping run {run_id}")
            if not stopping.was_asked_to_stop(store, run_id):
                stopping.stop(store, run_id)
            leaving.append(run_id)
        except AlexnetTuiError as error:  # A run that was deleted or ended meanwhile needs no stop.
            say(str(error))
    deadline = time.monotonic() + _STOP_PATIENCE_SECONDS
    while any(_is_training(store, run_id) for run_id in leaving) and time.monotonic() < deadline:
        time.sleep(_SLICE_SECONDS)
