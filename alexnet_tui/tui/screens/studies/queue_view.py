"""A study's queue for the console: read from the disk in one go, put in the order of work, and as lines and rows."""

import math
import os
import socket
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

import msgspec
from rich.cells import cell_len
from textual.content import Content
from textual.style import Style

from alexnet_tui.config.protocols import PROTOCOLS
from alexnet_tui.errors import AlexnetTuiError, StoreError
from alexnet_tui.files import open_regular, read_tail
from alexnet_tui.launch import registry
from alexnet_tui.launch.engine import QueueStatus
from alexnet_tui.locks import LOCK_FILE, Owner, read_owner
from alexnet_tui.runs.follow import RunCache
from alexnet_tui.runs.history import RunHistory
from alexnet_tui.runs.state import State
from alexnet_tui.runs.stop_request import is_stopping
from alexnet_tui.runs.store import Store
from alexnet_tui.studies import cluster, orders, study_files
from alexnet_tui.studies import plan as study
from alexnet_tui.studies import queue as study_queue
from alexnet_tui.studies.plan import Plan
from alexnet_tui.studies.queue import Find, PlannedRun, PlannedRunState, Queue
from alexnet_tui.text import counted, format_duration, plural, printable
from alexnet_tui.tui import threads
from alexnet_tui.tui.glyphs import CANCELLED, DONE, PLANNED, REST, STATE_SIGNS, TONES, cut, join_fitting, shown_state
from alexnet_tui.tui.run_names import cut_settings
from alexnet_tui.tui.study_lookup import newest_studies
from alexnet_tui.tui.widgets import columns
from alexnet_tui.tui.widgets.columns import Column

NO_STUDIES = Content.assemble(
    ("No studies yet.\n\n", "bold"),
    "A study is a plan of many runs, fixed in advance, and a queue that works through it, also while the console is "
    "closed.\n\n",
    ("  r ", "bold $accent"),
    " reproduces the whole study: every variant with five seeds\n",
    ("  n ", "bold $accent"),
    " plans another one: which variants, seeds and epochs",
)
_LOG_TAIL_BYTES = 4096
_MAX_SEED_COLUMNS = 16
_MAX_BAR_CELLS, _GRID_GAP = 4, 2
_NARROW_SETTINGS = 32
_ENGINE_SECONDS, _START_SECONDS = 30.0, 10.0
_TONES: Mapping[str, str] = {
    **{str(state): tone for state, tone in TONES.items()},
    PlannedRunState.PLANNED: "",
    PlannedRunState.UNREADABLE: "bad",
}
_TONE_STYLES = {"live": "$running", "warn": "$warning", "bad": "$error", "muted": "$text-muted"}


class Live(msgspec.Struct, frozen=True, kw_only=True):
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
        names: All studies, the newest plan first.
        plan: This one's plan.
        cells: Its cells in the order of work: what trains, what waits, what is over.
        num_waiting: How many of them wait.
        queue: What people changed.
        has_worker: Some process works through it.
        is_starting: It was ordered a moment ago, and its worker has yet to begin.
        last_words: The last line of the log of a worker that ended before its order was done, or empty.
        live: What is known of runs that train or are in a cluster's queue, by the position of their cells.
        engine_line: What the engine that its runs were handed to says in all; empty where it has nothing left to do.
        engine_problem: That it is being asked for the first time, or why it does not answer; else empty.
    """

    names: tuple[str, ...]
    plan: Plan
    cells: tuple[PlannedRun, ...]
    num_waiting: int
    queue: Queue
    has_worker: bool
    is_starting: bool
    last_words: str
    live: Mapping[int, Live] = msgspec.field(default_factory=dict)
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


def load_view(store: Store, engines: "Engines", name: str | None, find: Find | None = None) -> StudyView:
    """A study, or the one most worth looking at if there is none of that name."""
    names: tuple[str, ...] = ()
    try:
        names = tuple(newest_studies(store))
        if name not in names:
            name = next((one for one in names if orders.has_worker(store, one)), names[0] if names else None)
        return StudyView(names=names, name=name, now=read(store, engines, names, name, find) if name else None)
    except AlexnetTuiError as error:
        return StudyView(names=names, name=name, problem=printable(str(error), 400))


def read(store: Store, engines: "Engines", names: tuple[str, ...], name: str, find: Find | None = None) -> Snapshot:
    """The state of a study.

    Raises:
        StoreError: The plan or the queue cannot be read.
    """
    plan = study.load(store, name)
    queue = study_queue.load(store, name)
    cells = study_queue.status(store, plan, find)
    waiting = study_queue.in_order(cells, queue)
    running = [cell for cell in cells if cell.state == State.RUNNING]
    known = {cell.index for cell in (*running, *waiting)}
    answer = engines.last_answer(store, name)
    has_worker, is_starting = orders.has_worker(store, name), _is_starting(store, name)
    is_abandoned = not (has_worker or is_starting) and orders.is_ordered(store, name)
    return Snapshot(
        names=names,
        plan=plan,
        cells=(*running, *waiting, *(cell for cell in cells if cell.index not in known)),
        num_waiting=len(waiting),
        queue=queue,
        has_worker=has_worker,
        is_starting=is_starting,
        last_words=_last_log_line(store) if is_abandoned else "",
        live=_live_cells(store, answer.queues, cells, find or RunCache(store).find),
        engine_line="; ".join(cluster.summary(one, cells) for one in answer.queues.values() if one.is_active),
        engine_problem=answer.problem,
    )


def _live_cells(
    store: Store, queues: Mapping[str, QueueStatus], cells: Iterable[PlannedRun], find: Find
) -> dict[int, Live]:
    live: dict[int, Live] = {}
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
            live[cell.index] = Live(
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
    folder = store.root / study_files.STUDIES
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


# Drawing


def head(now: Snapshot, width: int, states: Mapping[str, State]) -> Content:
    """Which study, how far, and whether a process works on it; `states` has runs outside of it too."""
    plan = now.plan
    place = f"{now.names.index(plan.name) + 1} of {len(now.names)}" if plan.name in now.names else ""
    config = plan.configs[0]
    swept = PROTOCOLS[plan.protocol].swept.values() if plan.protocol in PROTOCOLS else ()
    factors = " x ".join(str(len(values)) for values in (plan.group_names, plan.seeds, *swept))
    runs = counted(len(plan.configs), "run")
    size = f"{runs} from the form New run" if plan.is_of_queue else f"{factors}: {runs}"
    protocol = f" · {plan.protocol}" if swept else ""
    front_ends = {one.front_end for one in plan.configs}
    front_end = config.front_end if len(front_ends) == 1 else counted(len(front_ends), "front end")
    what = f"{front_end} on {config.data}", counted(config.epochs, "epoch")
    counts = Counter(_word(cell, now.live.get(cell.index, Live())) for cell in now.cells)
    done = ", ".join(f"{count} {state}" for state, count in counts.most_common())
    name = printable(plan.name, 64)
    line = join_fitting([name, f"study {place}"], width)
    digests = (f" · SHA-256 {printable(plan.sha256[:size], 64)}" for size in (64, 12) if plan.sha256)
    line += next((digest for digest in digests if cell_len(line + digest) <= width), "")
    sizes = [size + protocol, done, *(printable(part, 100) for part in what)]
    lines = [
        Content.assemble((line[: len(name)], "bold"), (line[len(name) :], "$text-muted")),
        Content.styled(join_fitting(sizes, width), "$text-muted"),
        _worker_line(now, width, states),
    ]
    return Content("\n").join(lines)


def _worker_line(now: Snapshot, width: int, states: Mapping[str, State]) -> Content:
    """Whether a process works on the study, in the longest of a few sentences that fits; why it was given up, whole."""
    mine = {cell.run_id for cell in now.cells}
    others = [run_id for run_id, state in states.items() if state is State.RUNNING and run_id not in mine]
    style = "bold $warning"
    if now.engine_problem and (now.num_waiting or now.first_waiting):
        texts = [f"{printable(now.engine_problem, 200)}."]
    elif now.engine_line:
        texts, style = [f"{printable(now.engine_line, 200)}."], "$running"
    elif now.queue.is_paused:
        texts = ["Paused: nothing more is started; what trains continues. P resumes.", "Paused; P resumes."]
    elif now.has_worker and others and now.num_waiting and not now.first_waiting:
        texts = [f"Waiting: another run is training ({printable(others[0], 64)}).", "Waiting: another run is training."]
    elif now.has_worker:
        texts = ["A worker is running; it continues when the console is closed.", "A worker is running."]
        style = "$running"
    elif now.is_starting and now.num_waiting:
        texts, style = ["A worker is starting."], "$running"
    elif now.queue.given_up and now.num_waiting:
        return Content.styled(f"Given up: {printable(now.queue.given_up, 2000)} ^r tries again.", "bold $error")
    elif now.num_waiting:
        texts = ["No worker is running: ^r starts one."]
    elif deleted := study_queue.deleted_text(now.cells, f"alexnet-tui study extend {now.plan.name}"):
        texts, style = [deleted, "Runs were deleted: `study extend` adds seeds."], ""
    else:
        texts, style = ["Nothing is left to do: v shows the report.", "All done: v shows the report."], ""
    text = next((text for text in texts if cell_len(text) <= width), texts[-1])
    words = f"  {now.last_words}" if now.last_words and now.num_waiting else ""
    return Content.assemble((cut(text, width), style), (cut(words, max(0, width - len(text))), "$text-muted"))


def has_grid(plan: Plan) -> bool:
    """Whether groups x seeds say which cell is which."""
    places = {(plan.group_of(index), config.seed) for index, config in enumerate(plan.configs)}
    is_whole = len(places) == len(plan.configs) == len(plan.group_names) * len(plan.seeds)
    return is_whole and len(plan.group_names) > 1 and len(plan.seeds) <= _MAX_SEED_COLUMNS


def grid(now: Snapshot, chosen: int | None, width: int, *, cursor: str) -> Content:
    """Groups down, seeds across: of each cell its sign, and a bar of its share done where `width` has room for it."""
    places = {(cell.group, cell.seed): cell for cell in now.cells}
    room = max(map(len, now.plan.group_names)) + 2
    bar_cells = max(0, min(_MAX_BAR_CELLS, (width - room) // len(now.plan.seeds) - _GRID_GAP - 1))
    pitch = bar_cells + 1 + _GRID_GAP
    seeds = "".join(str(seed).ljust(pitch) for seed in now.plan.seeds)
    lines = [Content.styled("seed".rjust(room - _GRID_GAP) + " " * _GRID_GAP + seeds, "$text-muted")]
    for group in now.plan.group_names:
        parts = [Content(printable(group, 64).ljust(room))]
        for seed in now.plan.seeds:
            cell = places[group, seed]
            text = _grid_cell(cell, now.live.get(cell.index, Live()), bar_cells)
            text = text.stylize(cursor) if cell.index == chosen else text
            parts += [text.stylize(Style.from_meta({"cell": cell.index})), Content(" " * (pitch - text.cell_length))]
        lines.append(Content("").join(parts))
    below = legend(now.cells)
    if bar_cells:
        below = Content.assemble(below, "   ", (DONE * 2, "bold"), (REST * 2, "$faint"), (" share done", "$text-muted"))
    return Content("\n").join([*lines, below])


def _grid_cell(cell: PlannedRun, live: Live, bar_cells: int) -> Content:
    tone = _TONE_STYLES.get(tone_of(cell), "")
    sign = Content.styled(sign_of(cell), tone)
    if cell.state in {PlannedRunState.CANCELLED, PlannedRunState.DELETED}:
        return sign
    share = max(live.share, cell.num_epochs_done / cell.epochs if cell.epochs else 0.0)
    done = min(bar_cells, math.floor(share * bar_cells + 1e-9))
    return Content.assemble(sign, (DONE * done, tone), (REST * (bar_cells - done), "$faint"))


def legend(cells: Iterable[PlannedRun]) -> Content:
    """What the signs of these cells mean, each once: ``✓ finished   − cancelled or deleted``."""
    states: dict[str, dict[str, PlannedRun]] = {}
    for cell in cells:
        states.setdefault(sign_of(cell), {}).setdefault(shown_state(cell.state), cell)
    parts = [
        Content.assemble(
            (sign, _TONE_STYLES.get(tone_of(next(iter(named.values()))), "")), (f" {' or '.join(named)}", "$text-muted")
        )
        for sign, named in states.items()
    ]
    return Content("   ").join(parts)


def tone_of(cell: PlannedRun) -> str:
    """Name of the style of a cell's state, as tables have it."""
    return _TONES.get(cell.state, "muted")


def sign_of(cell: PlannedRun) -> str:
    """One character for a cell's state."""
    if cell.state in {PlannedRunState.CANCELLED, PlannedRunState.DELETED}:
        return CANCELLED
    if cell.state == PlannedRunState.PLANNED:
        return PLANNED
    if cell.state == PlannedRunState.UNREADABLE:
        return STATE_SIGNS[State.LOST]
    return STATE_SIGNS[State(cell.state)]


class QueueRow(msgspec.Struct, frozen=True):
    """One row of the queue.

    Attributes:
        cell: The planned run.
        turn: When the worker starts it, from 1; None where it does not.
        live: What is known of its run beside the state.
    """

    cell: PlannedRun
    turn: int | None
    live: Live = Live()

    @property
    def id(self) -> str:
        """Its position in the plan."""
        return str(self.cell.index)


def rows_of(now: Snapshot) -> list[QueueRow]:
    """The cells in the order of work."""
    turns = (place - now.first_waiting + 1 for place in range(len(now.cells)))
    return [
        QueueRow(cell, turn if 1 <= turn <= now.num_waiting else None, now.live.get(cell.index, Live()))
        for cell, turn in zip(now.cells, turns, strict=True)
    ]


def columns_of(cells: Sequence[PlannedRun], live: Iterable[Live] = ()) -> tuple[Column[QueueRow, None], ...]:
    """The queue's columns, wide enough for these cells; what tells cells apart comes before the names of runs."""
    where = max((len(one.where) for one in live), default=0)
    group, tried, run = (
        max((len(text) for text in texts), default=0)
        for texts in zip(*((_group(cell), cell.swept, cell.run_id) for cell in cells), strict=True)
    )
    shown: list[Column[QueueRow, None]] = [
        Column(key="turn", title="#", width=5, rank=4, align_right=True, cell=_turn_cell),
        Column(key="group", title="variant", width=14, narrow=11, max_width=max(14, group), rank=0, cell=_group_cell),
        Column(key="seed", title="seed", width=4, rank=1, align_right=True, cell=_seed_cell),
        Column(key="state", title="state", width=20, narrow=10, rank=2, cell=_state_cell),
        Column(key="epochs", title="epochs", width=9, rank=5, align_right=True, cell=_epochs_cell),
    ]
    if tried:
        width = max(10, tried)
        narrow = min(width, _NARROW_SETTINGS)
        shown.append(
            Column(
                key="tried", title="tried with", width=width, narrow=narrow, max_width=width, rank=3, cell=_setting_cell
            )
        )
    if where:
        shown.append(Column(key="where", title="where", width=16, max_width=max(16, where), rank=6, cell=_where_cell))
    if run:
        shown.append(Column(key="run", title="run", width=run, rank=7, cell=_run_cell))
    return tuple(shown)


def _word(cell: PlannedRun, live: Live) -> str:
    return shown_state(cell.state, is_stopping=live.is_stopping)


def _turn_cell(row: QueueRow, context: None, width: int) -> columns.StyledText:
    return "" if row.turn is None else str(row.turn), "muted"


def _group_cell(row: QueueRow, context: None, width: int) -> columns.StyledText:
    return cut(printable(_group(row.cell), 64), width), ""


def _seed_cell(row: QueueRow, context: None, width: int) -> columns.StyledText:
    return cut(str(row.cell.seed), width), ""


def _state_cell(row: QueueRow, context: None, width: int) -> columns.StyledText:
    cell = row.cell
    state = _word(cell, row.live) + (f" ({cell.reason})" if cell.reason else "")
    return cut(f"{sign_of(cell)} {printable(state, 64)}", width), tone_of(cell)


def _epochs_cell(row: QueueRow, context: None, width: int) -> columns.StyledText:
    return cut(f"{row.cell.num_epochs_done}/{row.cell.epochs}", width), ""


def _setting_cell(row: QueueRow, context: None, width: int) -> columns.StyledText:
    return cut_settings(row.cell.swept, width), ""


def _where_cell(row: QueueRow, context: None, width: int) -> columns.StyledText:
    return cut(row.live.where, width), "live" if row.cell.state == State.RUNNING else "muted"


def _run_cell(row: QueueRow, context: None, width: int) -> columns.StyledText:
    return cut(printable(row.cell.run_id, 64), width), "muted"


def _group(cell: PlannedRun) -> str:
    return cell.group or cell.variant
