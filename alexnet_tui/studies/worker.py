"""The worker: the one process that starts runs of studies in a runs folder, order by order, to their end.

Whoever holds the lock in ``studies/.worker`` is it: a command in the foreground, or a process in the background that
the console or ``--detach`` started. A command that finds the folder served only watches its own study, and takes over
where the other one ends. Trainers are processes of their own and outlive it.
"""

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

import psutil

from alexnet_tui.command_lines import child_command, shell_command
from alexnet_tui.errors import LaunchError, RunBusyError, StoreError
from alexnet_tui.files import reason_of
from alexnet_tui.folder import Folder
from alexnet_tui.launch import local, stopping
from alexnet_tui.launch.engine import HERE, Launch
from alexnet_tui.launch.trainer_process import TRAINER
from alexnet_tui.locks import take_lock, write_owner
from alexnet_tui.runs.follow import RunCache
from alexnet_tui.runs.store import Store
from alexnet_tui.studies import orders, planned_runs, study_files, study_queue
from alexnet_tui.studies.cluster import check_not_active
from alexnet_tui.studies.orders import Order
from alexnet_tui.studies.plan import Plan, check_clock, check_is_current, load_runnable_plan
from alexnet_tui.studies.planned_runs import PlannedRun
from alexnet_tui.studies.scheduler import (
    Prepare,
    Say,
    Scheduler,
    is_disk_full,
    note_all,
    report_cells,
    withdraw_order,
)

WORKER = child_command("alexnet_tui", "study", "worker")
_SLICE_SECONDS = 0.1


def work(
    store: Store,
    plan: Plan,
    *,
    parallel: int = 1,
    launch: Launch = HERE,
    command: Sequence[str] = TRAINER,
    successor: Sequence[str] = WORKER,
    say: Say = lambda sentence: None,
    should_stop: Callable[[], bool] = lambda: False,
    prepare: Prepare = lambda config: None,
    poll_seconds: float = 2.0,
) -> list[PlannedRun]:
    """Work through a plan in the foreground until nothing is left to do; returns where every cell stands then.

    Finished runs, and failed ones that would fail again, are left alone; stopped, lost and otherwise failed ones are
    resumed once; a run whose trainer dies is resumed, `scheduler.MAX_STARTS` times at most by one worker.

    Args:
        parallel: How many runs may train at once in the folder.
        successor: Command of the worker that goes on with other studies' orders when this one is done.
        should_stop: Polled; once true, the runs of this study are stopped with a checkpoint.
        prepare: Makes the data of a study's runs ready.

    Raises:
        RunBusyError: This study is being worked through already, here or by an engine with a queue.
        LaunchError: That engine does not answer, so that nobody knows.
        RunNotFoundError: The study was removed meanwhile.
        StoreError: The runs folder cannot be read or written, the clock is behind the plan, or another study has its
            name now.
    """
    check_clock(store, plan)
    order = Order(study=plan.name, parallel=parallel, is_foreground=True, launch=launch)
    with ExitStack() as service, command_lock(store, plan.name):
        _until_there_is_room(lambda: _place(store, order), say, should_stop, poll_seconds)
        _begin_anew(store, plan.name)
        looker: Scheduler | _Watcher = _Watcher(store, plan, say)
        try:
            while not should_stop() and orders.is_ordered(store, plan.name, if_unreadable=True):
                if isinstance(looker, _Watcher) and (taken := take_service(store)) is not None:
                    service.callback(_ensure_worker, store, successor)
                    service.enter_context(taken)
                    looker = Scheduler(store, command=command, say=say, prepare=prepare, own=plan.name)
                if not looker.look():
                    _pause(poll_seconds, should_stop)
        finally:
            withdraw_order(store, plan.name)
        if should_stop():
            _stop_study(store, plan, say)
        check_is_current(store, plan)
        note_all(store, plan)
        return planned_runs.status(store, plan)


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
        scheduler = Scheduler(store, command=command, say=say, prepare=prepare)
        while not should_stop():
            if scheduler.look():
                continue
            with study_files.exclusive(store):
                if scheduler.is_done():
                    service.close()  # While nobody can place an order that this worker would not see.
                    return
            _pause(poll_seconds, should_stop)
        scheduler.stop()


class _Watcher:
    """Reports the progress of a study that another process works through."""

    def __init__(self, store: Store, plan: Plan, say: Say) -> None:
        self._store, self._plan, self._say = store, plan, say
        self._runs = RunCache(store)
        self._reported: dict[int, str] | None = None

    def look(self) -> bool:
        """Say what changed; never starts anything."""
        if self._reported is None:
            self._reported = {}
            self._say(
                f"another process starts the runs of this folder; study {self._plan.name} waits for its turn"
                f"{_before(self._store, self._plan.name)}."
            )
        with contextlib.suppress(StoreError):  # The process that works through it reports and mends.
            report_cells(planned_runs.status(self._store, self._plan, self._runs.find), self._reported, self._say)
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


def withdraw(store: Store, plan: Plan, say: Say) -> None:
    """Take a study's order back and stop its runs with a checkpoint; what a worker does for others goes on.

    Raises:
        StoreError: The study cannot be read, or the order not be taken back: a worker would start the next run.
    """
    orders.take_back(store, plan.name)
    _stop_study(store, plan, say)
    note_all(store, plan)


def _stop_study(store: Store, plan: Plan, say: Say) -> None:
    stopping.stop_all(store, [cell.run_id for cell in planned_runs.status(store, plan) if cell.run_id], say)


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
    check_clock(store, load_runnable_plan(store, name))
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


def _pause(seconds: float, should_stop: Callable[[], bool]) -> None:
    """Sleep, but not through a request to stop."""
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0 and not should_stop():
        time.sleep(min(left, _SLICE_SECONDS))
