"""The queue worker: takes a study's runs one by one, or a few at a time, to their end.

It keeps nothing in memory that matters: every decision is read from the disk, so it may be killed at any
moment and started again. The trainers are processes of their own and outlive it. At most `parallel` runs train
at once in a runs folder, whoever started them; an older study goes first.
"""

import os
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import psutil

from alexnet_tui import paths as advice
from alexnet_tui.errors import AlexnetTuiError, LaunchError, RunBusyError, StoreError
from alexnet_tui.files import reason_of, take_lock, write_owner
from alexnet_tui.launch import local
from alexnet_tui.runs.history import State
from alexnet_tui.runs.history_cache import RunCache
from alexnet_tui.runs.store import Store
from alexnet_tui.studies import plan as study
from alexnet_tui.studies import progress
from alexnet_tui.studies import queue as study_queue

WORKER = advice.child_command("alexnet_tui", "study", "run")
MAX_STARTS = 3
WORKER_LOG = "worker.log"
_STOP_PATIENCE_SECONDS = 60.0
_SLICE_SECONDS = 0.1
Say = Callable[[str], None]


@dataclass(slots=True)
class _Session:
    """One life of a worker.

    Attributes:
        starts: How often this worker started each cell.
        seen: Cells seen training during this life; if one of them stops, a person wanted that.
        told: The last sentence said about each cell, so that nothing is said twice.
        noted: Run, state and attempts of every cell when the ledger was last written.
    """

    starts: Counter[int] = field(default_factory=Counter)
    seen: set[int] = field(default_factory=set)
    told: dict[int, str] = field(default_factory=dict)
    noted: tuple[tuple[str, str, int], ...] = ()


def work(
    store: Store,
    plan: study.Plan,
    *,
    parallel: int = 1,
    command: Sequence[str] = local.TRAINER,
    say: Say = lambda sentence: None,
    should_stop: Callable[[], bool] = lambda: False,
    poll_seconds: float = 2.0,
) -> list[study_queue.Cell]:
    """Work through a plan until nothing is left to do; returns where every cell stands then.

    Finished and diverged runs are left alone; stopped, lost and otherwise failed ones are resumed once; a run
    whose trainer dies is resumed, `MAX_STARTS` times at most in one life of the worker.

    Args:
        store: The runs folder.
        plan: What to run.
        parallel: How many runs may train at once.
        command: The trainer.
        say: Takes a sentence about what happens.
        should_stop: Polled; once true, the runs of this study are stopped with a checkpoint.
        poll_seconds: Pause between two looks.

    Raises:
        RunBusyError: Another worker works through this study.
        StoreError: The runs folder cannot be read or written.
    """
    with _worker_lock(store, plan.name):
        run_ids = study_queue.prepare_runs(store, plan)
        session, runs = _Session(), RunCache(store)
        while not should_stop():
            cells = study_queue.status(store, plan, runs.find)
            _tell(cells, session, say)
            _note(store, plan, cells, session)
            session.seen |= {cell.index for cell in cells if cell.state == State.RUNNING}
            ordered = study_queue.in_order(cells, study_queue.load(store, plan.name))
            waiting = [cell for cell in ordered if _may_start(cell, session)]
            num_running = sum(cell.state == State.RUNNING for cell in cells)
            if not waiting and not num_running:
                return cells
            may_start = bool(waiting) and num_running < parallel
            if not (may_start and _start_next(store, plan, waiting, parallel, command, session, say)):
                _pause(poll_seconds, should_stop)
        _stop_all(store, run_ids, say)
        return study_queue.status(store, plan)


def _pause(seconds: float, should_stop: Callable[[], bool]) -> None:
    """Sleep, but not through a request to stop."""
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0 and not should_stop():
        time.sleep(min(left, _SLICE_SECONDS))


def start_worker(store: Store, name: str, *, parallel: int = 1, command: Sequence[str] = WORKER) -> bool:
    """Start a worker in a process of its own that outlives this one; False where one is at work already.

    Args:
        store: The runs folder.
        name: The study.
        parallel: How many runs may train at once.
        command: What to run, before the study's name and options.

    Raises:
        LaunchError: It cannot be started.
        StoreError: Its log is no regular file or cannot be written.
    """
    if study_queue.has_worker(store, name):
        return False
    folder = study.study_folder(store, name)
    options = ["--parallel", str(parallel), "--runs-dir", str(store.root.absolute())]
    try:
        with os.fdopen(local.open_append(folder / WORKER_LOG), "ab") as log:
            process = subprocess.Popen(
                [*command, name, *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=advice.child_environment(),
            )
    except OSError as error:
        raise LaunchError(f"study {name}: its worker could not be started ({reason_of(error)}).") from error
    # A console may live longer than the worker; somebody must collect its exit status.
    threading.Thread(target=process.wait, daemon=True, name=f"reap-{process.pid}").start()
    return True


def _may_start(cell: study_queue.Cell, session: _Session) -> bool:
    starts = session.starts[cell.index]
    was_ours = bool(starts) or cell.index in session.seen
    if was_ours and cell.state in {State.STOPPED, State.FAILED}:
        return False
    return starts < MAX_STARTS


def _start_next(
    store: Store,
    plan: study.Plan,
    waiting: Sequence[study_queue.Cell],
    parallel: int,
    command: Sequence[str],
    session: _Session,
    say: Say,
) -> bool:
    """Start the first cell that waits if the machine has room; whether it was started."""
    with study.turn(store):
        # People change the queue in turn too: which cell is first, or cancelled, is known only here.
        queue = study_queue.load(store, plan.name)
        cell = next(iter(study_queue.in_order(waiting, queue)), None)
        if cell is None or queue.is_paused or _is_behind(store, plan):
            return False
        others = [run_id for run_id in store.ids() if _is_locked(store, run_id)]
        if len(others) >= parallel:
            return False
        session.starts[cell.index] += 1
        try:
            local.start(store, cell.run_id, command=command)
        except RunBusyError:  # Someone else was faster: as good.
            return False
        except AlexnetTuiError as error:
            say(f"{_name(cell)}: {error}")
            return False
    verb = "resumed" if cell.state != State.QUEUED else "started"
    say(f"{_name(cell)}: {verb} as {cell.run_id}")
    return True


def _is_locked(store: Store, run_id: str) -> bool:
    """Whether a run trains; one that was deleted meanwhile or cannot be looked at does not."""
    try:
        return store.is_locked(run_id)
    except StoreError:
        return False


def _is_behind(store: Store, plan: study.Plan) -> bool:
    """Whether an older study with a worker has its turn first."""
    return any(_goes_first(store, name, plan) for name in study.names(store) if name != plan.name)


def _goes_first(store: Store, name: str, plan: study.Plan) -> bool:
    try:
        if not study_queue.has_worker(store, name) or study_queue.load(store, name).is_paused:
            return False
        other = study.load(store, name)
    except StoreError:  # A study that cannot be read cannot be worked through either.
        return False
    return (other.created, other.name) < (plan.created, plan.name)


def _note(store: Store, plan: study.Plan, cells: Sequence[study_queue.Cell], session: _Session) -> None:
    """Bring the ledger up to date where a run began, ended or is gone."""
    stamp = tuple((cell.run_id, cell.state, cell.attempts) for cell in cells)
    if stamp != session.noted:
        progress.update(store, plan, {cell.index: cell.run_id for cell in cells if cell.run_id})
        session.noted = stamp


def _tell(cells: Sequence[study_queue.Cell], session: _Session, say: Say) -> None:
    """Say what changed since the last look."""
    for cell in cells:
        sentence = f"{_name(cell)}: {cell.state}" + (f" ({cell.reason})" if cell.reason else "")
        before = session.told.get(cell.index)
        session.told[cell.index] = sentence
        is_news = before is not None and cell.state not in {State.RUNNING, State.QUEUED}
        if sentence != before and is_news:
            say(f"{sentence}, run {cell.run_id}")


def _name(cell: study_queue.Cell) -> str:
    return f"{cell.variant} seed {cell.seed}" + (f", {cell.tried}" if cell.tried else "")


def _stop_all(store: Store, run_ids: Sequence[str], say: Say) -> None:
    """Ask the trainers of this study for a checkpoint, all of them, then wait until they have left.

    A trainer that was asked before is only waited for: a second request would cost its checkpoint.
    """
    leaving = []
    for run_id in run_ids:
        try:
            if not store.is_locked(run_id):
                continue
            say(f"stopping run {run_id}")
            if not local.was_asked_to_stop(store, run_id):
                local.stop(store, run_id)
            leaving.append(run_id)
        except AlexnetTuiError as error:  # A run that was deleted or ended meanwhile needs no stop.
            say(str(error))
    deadline = time.monotonic() + _STOP_PATIENCE_SECONDS
    while any(_is_locked(store, run_id) for run_id in leaving) and time.monotonic() < deadline:
        time.sleep(_SLICE_SECONDS)


@contextmanager
def _worker_lock(store: Store, name: str) -> Iterator[None]:
    folder = study.study_folder(store, name)
    try:
        descriptor = take_lock(folder)
    except RunBusyError as error:
        shows = advice.command("study", "status", name, root=store.root)
        raise RunBusyError(f"study {name} is already being worked through; `{shows}` shows it.") from error
    try:
        write_owner(descriptor, os.getpid(), psutil.Process().create_time())
        yield
    finally:
        os.close(descriptor)
