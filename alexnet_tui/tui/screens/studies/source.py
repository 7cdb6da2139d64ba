"""What the Studies screen reads from the disk, in a thread: a study's plan, its queue, and the state of its runs."""

import os
import socket
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress

import msgspec

from alexnet_tui.errors import AlexnetTuiError, StoreError
from alexnet_tui.files import open_regular, read_tail
from alexnet_tui.launch import registry
from alexnet_tui.launch.engine import QueueStatus
from alexnet_tui.locks import LOCK_FILE, Owner, read_owner
from alexnet_tui.runs.follow import RunCache
from alexnet_tui.runs.history import RunHistory
from alexnet_tui.runs.run_ids import STUDIES
from alexnet_tui.runs.state import State
from alexnet_tui.runs.stop_request import is_stopping
from alexnet_tui.runs.store import Store
from alexnet_tui.studies import cluster, orders, planned_runs, study_files, study_queue
from alexnet_tui.studies.plan import Plan, load_plan
from alexnet_tui.studies.planned_runs import Find, PlannedRun
from alexnet_tui.studies.study_queue import Queue
from alexnet_tui.text import counted, format_duration, plural, printable
from alexnet_tui.tui import threads
from alexnet_tui.tui.study_lookup import newest_studies

_LOG_TAIL_BYTES = 4096
_ENGINE_SECONDS, _START_SECONDS = 30.0, 10.0


class LiveRun(msgspec.Struct, frozen=True, kw_only=True):
    """What a cell shows of its run beside the state.

    Attributes:
        share: Of its updates done, in [0, 1].
        where: Where it trains and until when, or what the cluster's queue says of it; else empty.
        is_stopping: It trains and has been asked to stop.
    """

    share: float = 0.0
    where: str = ""
    is_stopping: bool = False


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """The state of a study.

    Attributes:
        plan: Its plan.
        cells: Its cells in the order of work: what trains, what waits, what is over.
        num_waiting: How many of them wait.
        queue: What people changed.
        has_worker: Some process works through it.
        is_starting: It was ordered a moment ago, and its worker has yet to begin.
        last_log_line: Of the log of a worker that ended before its order was done; else empty.
        live: What is known of runs that train or are in a cluster's queue, by the position of their cells.
        engine_line: What the engine that its runs were handed to says in all; empty where it has nothing left to do.
        engine_problem: That it is being asked for the first time, or why it does not answer; else empty.
    """

    plan: Plan
    cells: tuple[PlannedRun, ...]
    num_waiting: int
    queue: Queue
    has_worker: bool
    is_starting: bool
    last_log_line: str
    live: Mapping[int, LiveRun] = msgspec.field(default_factory=dict)
    engine_line: str = ""
    engine_problem: str = ""

    @property
    def waiting(self) -> tuple[PlannedRun, ...]:
        """The cells a worker will start, in its order."""
        return self.cells[self.first_waiting : self.first_waiting + self.num_waiting]

    @property
    def first_waiting(self) -> int:
        """Place of the first cell that waits."""
        return sum(cell.state == State.RUNNING for cell in self.cells)


class StudyView(msgspec.Struct, frozen=True, kw_only=True):
    """The studies there are, and the one to show.

    Attributes:
        names: All studies, the newest plan first.
        name: The one to show, or None where there is none.
        now: Its state, or None where that cannot be read.
        problem: Why not, or empty.
    """

    names: tuple[str, ...] = ()
    name: str | None = None
    now: Snapshot | None = None
    problem: str = ""


def load(store: Store, engines: "Engines", name: str | None, find: Find | None = None) -> StudyView:
    """A study, or the one most worth looking at if there is none of that name."""
    names: tuple[str, ...] = ()
    try:
        names = tuple(newest_studies(store))
        if name not in names:
            name = next((one for one in names if orders.has_worker(store, one)), names[0] if names else None)
        return StudyView(names=names, name=name, now=read(store, engines, name, find) if name else None)
    except AlexnetTuiError as error:
        return StudyView(names=names, name=name, problem=printable(str(error), 400))


def read(store: Store, engines: "Engines", name: str, find: Find | None = None) -> Snapshot:
    """The state of a study.

    Raises:
        StoreError: The plan or the queue cannot be read.
    """
    plan = load_plan(store, name)
    queue = study_queue.load(store, name)
    cells = planned_runs.status(store, plan, find)
    waiting = planned_runs.in_order(cells, queue)
    running = [cell for cell in cells if cell.state == State.RUNNING]
    known = {cell.index for cell in (*running, *waiting)}
    answer = engines.last_answer(store, name)
    has_worker, is_starting = orders.has_worker(store, name), _is_starting(store, name)
    is_abandoned = not (has_worker or is_starting) and orders.is_ordered(store, name)
    return Snapshot(
        plan=plan,
        cells=(*running, *waiting, *(cell for cell in cells if cell.index not in known)),
        num_waiting=len(waiting),
        queue=queue,
        has_worker=has_worker,
        is_starting=is_starting,
        last_log_line=_last_log_line(store) if is_abandoned else "",
        live=_live_cells(store, answer.queues, cells, find or RunCache(store).find),
        engine_line="; ".join(cluster.summary(one, cells) for one in answer.queues.values() if one.is_active),
        engine_problem=answer.problem,
    )


def _live_cells(
    store: Store, queues: Mapping[str, QueueStatus], cells: Iterable[PlannedRun], find: Find
) -> dict[int, LiveRun]:
    live: dict[int, LiveRun] = {}
    every = list(cells)
    words = {
        run_id: f"{launcher} {word}"
        for launcher, one in queues.items()
        for run_id, word in cluster.states(one, every).items()
    }
    for cell in every:
        found = None
        with suppress(StoreError):
            found = find(cell.run_id) if cell.state == State.RUNNING else None
        task = words.get(cell.run_id, "") if cell.state != State.FINISHED else ""
        if found is not None or task:
            parts = ([printable(task, 40)] if task else []) + (_where(store, found[0]) if found else [])
            live[cell.index] = LiveRun(
                share=found[0].progress if found else 0.0,
                where=" · ".join(parts),
                is_stopping=is_stopping(store.path(cell.run_id), cell.state) if found else False,
            )
    return live


class _Answer(msgspec.Struct):
    """What engines with queues of their own said of a study's runs last.

    Attributes:
        queues: By launcher.
        problem: A sentence where there is no answer yet, or none to the last question.
        is_awaited: They are being asked now.
        asked_again: When, by the monotonic clock.
    """

    queues: Mapping[str, QueueStatus] = msgspec.field(default_factory=dict)
    problem: str = ""
    is_awaited: bool = False
    asked_again: float = 0.0


class Engines:
    """Engines with queues of their own, to which a console's studies handed runs over.

    They are asked seldom, and in a thread of their own: some take a minute to answer.
    """

    def __init__(self) -> None:
        self._answers: dict[str, _Answer] = {}

    def last_answer(self, store: Store, name: str) -> _Answer:
        """What the engines of a study said last."""
        labels: list[str] = []
        with suppress(StoreError):  # The runs' own records say the rest.
            labels = registry.handed_over(study_files.folder_path(store, name))
        if not labels:
            return _Answer()
        answer = self._answers.setdefault(name, _Answer(problem=f"{labels[0]}: asking for its state"))
        if not answer.is_awaited and time.monotonic() >= answer.asked_again:
            answer.is_awaited = True
            threads.start(_await, store, name, labels[0], answer)
        return answer


def _await(store: Store, name: str, label: str, answer: _Answer) -> None:
    try:
        found = registry.queues(study_files.folder_path(store, name))
        answer.queues, answer.problem = {launcher: queue for launcher, (_, queue) in found.items()}, ""
    except AlexnetTuiError as error:  # What was said before is shown still, and the runs' own records.
        answer.problem = f"{label}: {str(error).partition('. ')[0]}"
    finally:
        answer.asked_again = time.monotonic() + _ENGINE_SECONDS
        answer.is_awaited = False


def _where(store: Store, history: RunHistory) -> list[str]:
    """Device, threads or cores, host and time left of a run that trains: ``cpu``, ``core 1``, ``node7``, ``ETA 3m``."""
    parts: list[str] = []
    owner = None
    with suppress(StoreError):
        owner = read_owner(store.path(history.id) / LOCK_FILE)
    if started := history.started:
        cores = _cores(owner) or counted(started.threads, "thread")
        parts += [printable(started.device, 20), *([cores] if started.threads else [])]
    if owner is not None:
        parts.append(printable(owner.host, 40))
    if history.remaining_seconds is not None:
        parts.append(f"ETA {format_duration(history.remaining_seconds)}")
    return parts


def _cores(owner: Owner | None) -> str:
    """The CPU cores a trainer on this machine is held to, where those are not all; else empty."""
    if owner is None or owner.host != socket.gethostname() or not hasattr(os, "sched_getaffinity"):
        return ""
    try:
        cores = sorted(os.sched_getaffinity(owner.pid))
    except OSError:
        return ""
    if len(cores) == os.cpu_count():
        return ""
    is_range = len(cores) > 2 and cores[-1] - cores[0] == len(cores) - 1
    return f"{plural(len(cores), 'core')} " + (f"{cores[0]}-{cores[-1]}" if is_range else ",".join(map(str, cores)))


def stamp(store: Store, engines: Engines, name: str) -> tuple[object, ...]:
    """What changes when anybody changes the study, its queue, its worker or its engine; cheap to ask for."""
    folder = store.root / STUDIES
    answer = engines.last_answer(store, name)
    stamps: list[object] = [_worker_stamp(store, name), _is_starting(store, name), repr(answer.queues), answer.problem]
    for path in (folder, folder / name, orders.orders_path(store), orders.log_path(store)):
        try:
            stamps.append(path.stat().st_mtime_ns)
        except OSError:  # Not there yet, or not any more.
            stamps.append(None)
    return tuple(stamps)


def _worker_stamp(store: Store, name: str) -> object:
    try:
        return orders.has_worker(store, name)
    except StoreError as error:  # A lock that is none; who reads the study is told.
        return str(error)


def _is_starting(store: Store, name: str) -> bool:
    with suppress(StoreError):
        placed = next((order.placed for order in orders.active(store) if order.study == name), 0.0)
        return 0 <= time.time() - placed < _START_SECONDS and not orders.has_worker(store, name)
    return False


def _last_log_line(store: Store) -> str:
    try:
        lines = read_tail(open_regular(orders.log_path(store)), _LOG_TAIL_BYTES).split("\n")
    except StoreError:  # A link or a pipe.
        return ""
    return printable(next((line.strip() for line in reversed(lines) if line.strip()), ""), 300)
