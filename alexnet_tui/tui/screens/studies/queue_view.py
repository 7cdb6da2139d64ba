"""A study as the Studies screen shows it: the lines above, the grid of its cells, and the rows of its queue."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import msgspec
from rich.cells import cell_len
from textual.content import Content
from textual.style import Style

from alexnet_tui.config.protocols import size_text
from alexnet_tui.runs.state import State
from alexnet_tui.studies import planned_runs
from alexnet_tui.studies.plan import Plan
from alexnet_tui.studies.planned_runs import PlannedRun, PlannedRunState
from alexnet_tui.text import counted, printable
from alexnet_tui.tui.glyphs import CANCELLED, DONE, PLANNED, REST, STATE_SIGNS, TONES, cut, join_fitting, shown_state
from alexnet_tui.tui.run_names import cut_settings
from alexnet_tui.tui.screens.studies.source import LiveRun, Snapshot
from alexnet_tui.tui.widgets import columns
from alexnet_tui.tui.widgets.columns import Column
from alexnet_tui.tui.widgets.text import TONE_STYLES

NO_STUDIES = Content.assemble(
    ("No studies yet.\n\n", "bold"),
    "A study is a plan of many runs, fixed in advance, and a queue that works through it, also while the console is "
    "closed.\n\n",
    ("  r ", "bold $accent"),
    " reproduces the whole study: every variant with five seeds\n",
    ("  n ", "bold $accent"),
    " plans another one: which variants, seeds and epochs",
)
_MAX_SEED_COLUMNS = 16
_MAX_BAR_CELLS, _GRID_GAP = 4, 2
_NARROW_SETTINGS = 32
_TONES: Mapping[str, str] = {
    **{str(state): tone for state, tone in TONES.items()},
    PlannedRunState.PLANNED: "",
    PlannedRunState.UNREADABLE: "bad",
}


def head(now: Snapshot, names: Sequence[str], width: int, states: Mapping[str, State]) -> Content:
    """Which study of all `names`, how far, and whether a process works on it; `states` has runs outside of it too."""
    lines = [_title_line(now.plan, names, width), _size_line(now, width), _worker_line(now, width, states)]
    return Content("\n").join(lines)


def _title_line(plan: Plan, names: Sequence[str], width: int) -> Content:
    """The study's name, which one of how many it is, and as much of its plan's digest as there is room for."""
    name = printable(plan.name, 64)
    place = f"{names.index(plan.name) + 1} of {len(names)}" if plan.name in names else ""
    line = join_fitting([name, f"study {place}"], width)
    digests = (f" · SHA-256 {printable(plan.sha256[:size], 64)}" for size in (64, 12) if plan.sha256)
    line += next((digest for digest in digests if cell_len(line + digest) <= width), "")
    return Content.assemble((line[: len(name)], "bold"), (line[len(name) :], "$text-muted"))


def _size_line(now: Snapshot, width: int) -> Content:
    """How many runs of what, in which states, and what they train on."""
    plan, config = now.plan, now.plan.configs[0]
    counts = Counter(_word(cell, now.live.get(cell.index, LiveRun())) for cell in now.cells)
    done = ", ".join(f"{count} {state}" for state, count in counts.most_common())
    front_ends = {one.front_end for one in plan.configs}
    front_end = config.front_end if len(front_ends) == 1 else counted(len(front_ends), "front end")
    what = (printable(f"{front_end} on {config.data}", 100), counted(config.epochs, "epoch"))
    size, runs = _size(plan), counted(len(plan.configs), "run")
    fitting = size if cell_len(f"{size} · {done}") <= width else runs
    protocol = [plan.protocol] if len(plan.factors) > 2 else []  # Beside groups and seeds.
    return Content.styled(join_fitting([fitting, done, *protocol, *what], width), "$text-muted")


def _size(plan: Plan) -> str:
    """How many runs a plan has, of how many groups and seeds; of several things tried in how many combinations."""
    runs = counted(len(plan.configs), "run")
    if plan.is_of_queue or not plan.factors:
        return f"{runs} from the form New run" if plan.is_of_queue else runs
    (groups, num_groups), (seeds, num_seeds), *tried = plan.factors.items()
    if len(tried) > 1:
        tried = [("combination", math.prod(count for _, count in tried))]
    return size_text({groups: num_groups, seeds: num_seeds, **dict(tried)})


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
    elif deleted := planned_runs.deleted_text(now.cells, f"alexnet-tui study extend {now.plan.name}"):
        texts, style = [deleted, "Runs were deleted: `study extend` adds seeds."], ""
    else:
        texts, style = ["Nothing is left to do: v shows the report.", "All done: v shows the report."], ""
    text = next((text for text in texts if cell_len(text) <= width), texts[-1])
    words = f"  {now.last_log_line}" if now.last_log_line and now.num_waiting else ""
    return Content.assemble((cut(text, width), style), (cut(words, max(0, width - len(text))), "$text-muted"))


def has_grid(plan: Plan, width: int) -> bool:
    """Whether groups x seeds say which cell is which, and there is room for them in `width` cells."""
    places = {(plan.group_of(index), config.seed) for index, config in enumerate(plan.configs)}
    is_whole = len(places) == len(plan.configs) == len(plan.group_names) * len(plan.seeds)
    if not is_whole or len(plan.group_names) < 2 or len(plan.seeds) > _MAX_SEED_COLUMNS:
        return False
    return sum(_grid_columns(plan, bar_cells=0)) <= width


def _grid_columns(plan: Plan, *, bar_cells: int) -> tuple[int, ...]:
    """The widths of the names of groups and of each seed's column, with the gap behind each."""
    seed = max(1 + bar_cells, max(len(str(seed)) for seed in plan.seeds)) + _GRID_GAP
    return max(map(len, plan.group_names)) + 2, *(seed for _ in plan.seeds)


def grid(now: Snapshot, chosen: int | None, width: int, *, cursor: str) -> Content:
    """Groups down, seeds across: of each cell its sign, and a bar of its share done where `width` has room for it."""
    places = {(cell.group, cell.seed): cell for cell in now.cells}
    layouts = {cells: _grid_columns(now.plan, bar_cells=cells) for cells in range(_MAX_BAR_CELLS, -1, -1)}
    bar_cells = next((cells for cells, widths in layouts.items() if sum(widths) <= width), 0)
    room, pitch, *_ = layouts[bar_cells]
    seeds = "".join(str(seed).ljust(pitch) for seed in now.plan.seeds)
    lines = [Content.styled("seed".rjust(room - _GRID_GAP) + " " * _GRID_GAP + seeds, "$text-muted")]
    for group in now.plan.group_names:
        parts = [Content(printable(group, 64).ljust(room))]
        for seed in now.plan.seeds:
            cell = places[group, seed]
            text = _grid_cell(cell, now.live.get(cell.index, LiveRun()), bar_cells)
            text = text.stylize(cursor) if cell.index == chosen else text
            parts += [text.stylize(Style.from_meta({"cell": cell.index})), Content(" " * (pitch - text.cell_length))]
        lines.append(Content("").join(parts))
    below = legend(now.cells)
    if bar_cells:
        below = Content.assemble(below, "   ", (DONE * 2, "bold"), (REST * 2, "$faint"), (" share done", "$text-muted"))
    return Content("\n").join([*lines, below])


def _grid_cell(cell: PlannedRun, live: LiveRun, bar_cells: int) -> Content:
    tone = TONE_STYLES[tone_of(cell)]
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
            (sign, TONE_STYLES[tone_of(next(iter(named.values())))]), (f" {' or '.join(named)}", "$text-muted")
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
    live: LiveRun = LiveRun()

    @property
    def id(self) -> str:
        """Its position in the plan."""
        return str(self.cell.index)


def rows_of(now: Snapshot) -> list[QueueRow]:
    """The cells in the order of work."""
    turns = (place - now.first_waiting + 1 for place in range(len(now.cells)))
    return [
        QueueRow(cell, turn if 1 <= turn <= now.num_waiting else None, now.live.get(cell.index, LiveRun()))
        for cell, turn in zip(now.cells, turns, strict=True)
    ]


def columns_of(cells: Sequence[PlannedRun], live: Iterable[LiveRun] = ()) -> tuple[Column[QueueRow, None], ...]:
    """The queue's columns, wide enough for these cells; what tells cells apart comes before the names of runs."""
    live = list(live)
    where = max((len(one.where) for one in live), default=0)
    group, tried, run = (
        max((len(text) for text in texts), default=0)
        for texts in zip(*((_group(cell), cell.swept, cell.run_id) for cell in cells), strict=True)
    )
    title = "group" if any(_group(cell) != cell.variant for cell in cells) else "variant"
    state = max((len(_state_text(cell, LiveRun(is_stopping=True))) for cell in cells), default=0)
    shown: list[Column[QueueRow, None]] = [
        Column(key="turn", title="#", width=5, rank=4, align_right=True, cell=_turn_cell),
        Column(key="group", title=title, width=14, narrow=11, max_width=max(14, group), rank=0, cell=_group_cell),
        Column(key="seed", title="seed", width=4, rank=1, align_right=True, cell=_seed_cell),
        Column(key="state", title="state", width=min(20, max(10, state)), narrow=10, rank=2, cell=_state_cell),
        Column(key="epochs", title="epochs", width=9, rank=5, align_right=True, cell=_epochs_cell),
    ]
    if tried:
        # What is the same in all rows, or told by their states, leaves its room to what tells them apart.
        told = {"group": len({_group(cell) for cell in cells}) == 1, "seed": len({cell.seed for cell in cells}) == 1}
        told["epochs"] = all(cell.num_epochs_done in {0, cell.epochs} for cell in cells)
        shown = [column for column in shown if not told.get(column.key)]
        width, swept = max(10, tried), frozenset(cell.swept for cell in cells)
        shown.append(
            Column(
                key="tried",
                title="tried with",
                width=width,
                narrow=min(width, _NARROW_SETTINGS),
                max_width=width,
                rank=0 if told["group"] else 3,
                cell=lambda row, _, cells: (cut_settings(swept, cells)[row.cell.swept], ""),
            )
        )
    if where:
        shown.append(Column(key="where", title="where", width=16, max_width=max(16, where), rank=6, cell=_where_cell))
    if run:
        shown.append(Column(key="run", title="run", width=run, rank=7, cell=_run_cell))
    return tuple(shown)


def _word(cell: PlannedRun, live: LiveRun) -> str:
    return shown_state(cell.state, is_stopping=live.is_stopping)


def _state_text(cell: PlannedRun, live: LiveRun) -> str:
    state = _word(cell, live) + (f" ({cell.reason})" if cell.reason else "")
    return f"{sign_of(cell)} {printable(state, 64)}"


def _turn_cell(row: QueueRow, context: None, width: int) -> columns.StyledText:
    return "" if row.turn is None else str(row.turn), "muted"


def _group_cell(row: QueueRow, context: None, width: int) -> columns.StyledText:
    return cut(printable(_group(row.cell), 64), width), ""


def _seed_cell(row: QueueRow, context: None, width: int) -> columns.StyledText:
    return cut(str(row.cell.seed), width), ""


def _state_cell(row: QueueRow, context: None, width: int) -> columns.StyledText:
    return cut(_state_text(row.cell, row.live), width), tone_of(row.cell)


def _epochs_cell(row: QueueRow, context: None, width: int) -> columns.StyledText:
    return cut(f"{row.cell.num_epochs_done}/{row.cell.epochs}", width), ""


def _where_cell(row: QueueRow, context: None, width: int) -> columns.StyledText:
    return cut(row.live.where, width), "live" if row.cell.state == State.RUNNING else "muted"


def _run_cell(row: QueueRow, context: None, width: int) -> columns.StyledText:
    return cut(printable(row.cell.run_id, 64), width), "muted"


def _group(cell: PlannedRun) -> str:
    return cell.group or cell.variant
