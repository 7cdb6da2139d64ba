"""Columns of the runs table as data: width, text, style, order. A new column is one entry here; pure."""

from collections.abc import Callable, Sequence

import msgspec
from rich.cells import cell_len

from alexnet_tui.analysis.metrics import METRICS
from alexnet_tui.analysis.seed_noise import Deviation, difference_tone
from alexnet_tui.runs.state import State
from alexnet_tui.sparkline import braille_sparkline, sparkline
from alexnet_tui.text import (
    MISSING,
    format_done,
    format_duration,
    format_points,
    is_ascii_terminal,
    natural_key,
    printable,
    spelled_out,
)
from alexnet_tui.tui.glyphs import (
    EXTENDED,
    FOREIGN,
    MARK,
    PIN,
    REFERENCE,
    SPREAD,
    STATE_SIGNS,
    TONES,
    cut,
    shown_state,
)
from alexnet_tui.tui.run_names import cut_name, fewest_cells
from alexnet_tui.tui.screens.runs.rows import ROW_METRICS, RunRow
from alexnet_tui.tui.widgets import columns
from alexnet_tui.tui.widgets.columns import StyledText


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """What a cell needs besides its row.

    Attributes:
        pinned: The run others are compared to, if any.
        marked: Ids of marked runs.
        has_groups: Some row is a group of the runs of one experiment.
        constant: Keys of columns that say the same in every row, and so are not shown.
        spread: How the best accuracy varies over seeds of the pinned run; None where it is not known.
        curve_range: Lowest and highest accuracy of all curves, which share one scale.
        now: Seconds since 1970, for ages.
    """

    pinned: RunRow | None = None
    marked: frozenset[str] = frozenset()
    has_groups: bool = False
    constant: frozenset[str] = frozenset()
    spread: Deviation | None = None
    curve_range: tuple[float, float] = (0.0, 1.0)
    now: float = 0.0


Column = columns.Column[RunRow, Context]


def _mark(row: RunRow, context: Context, _: int) -> StyledText:
    is_pinned = context.pinned is not None and context.pinned.id in row.members
    is_marked = not context.marked.isdisjoint(row.members)
    right = MARK if is_marked else REFERENCE if row.is_reference else EXTENDED if row.extends else " "
    return (PIN if is_pinned else " ") + right, "accent" if is_pinned or is_marked else "muted"


def _state(row: RunRow, _: Context, width: int) -> StyledText:
    if row.foreign:
        return f"{FOREIGN} foreign"[:width], "muted"
    return f"{STATE_SIGNS[row.state]} {shown_state(row.state, is_stopping=row.is_stopping)}"[:width], TONES[row.state]


def _name(row: RunRow, _: Context, width: int) -> StyledText:
    if row.is_labelled:
        return cut(row.name, width), ""
    return (row.name if cell_len(row.name) <= width else cut_name(row.short_name, width)), "muted"


def _age(row: RunRow, context: Context, _: int) -> StyledText:
    return (MISSING if row.begun is None else format_age(context.now - row.begun)), "muted"


def format_age(seconds: float) -> str:
    """How long ago in at most four cells: ``<1m``, ``12m``, ``3h``, ``15d``, ``2y``."""
    if seconds < 60:  # In seconds it would be wrong a second later.
        return "<1m"
    for size, unit, limit in ((60, "m", 60), (3600, "h", 24), (86400, "d", 1000)):
        if seconds < size * limit:
            return f"{int(seconds / size)}{unit}"
    return f"{int(seconds / (365.25 * 86400))}y"


def _progress(row: RunRow, _: Context, __: int) -> StyledText:
    return format_done(row.progress), "live" if row.state is State.RUNNING else "muted"


def delta_of(row: RunRow, context: Context) -> float | None:
    """Best accuracy minus the pinned run's; None where the two may not be compared."""
    return delta_to(row, context.pinned)


def delta_to(row: RunRow, pinned: RunRow | None) -> float | None:
    """Best accuracy minus another run's; None where the two may not be compared."""
    if pinned is None or row.best is None or pinned.best is None or not row.is_comparable(pinned):
        return None
    return row.best - pinned.best


def _delta(row: RunRow, context: Context, _: int) -> StyledText:
    if context.pinned is not None and row.id == context.pinned.id:
        return "base", "accent"
    delta = delta_of(row, context)
    if delta is None:
        return MISSING, "muted"
    assert context.pinned is not None
    return format_points(delta), delta_tone(delta, row, context.pinned, context.spread)


def delta_tone(delta: float, row: RunRow, pinned: RunRow, spread: Deviation | None) -> str:
    """Good or bad where a difference is beyond what seeds alone make; else muted.

    Args:
        delta: Best accuracy minus the pinned run's.
        row: A run or a group.
        pinned: The pinned run or group.
        spread: How a single run varies over seeds.
    """
    sides = [(one.spread, one.num_counted) for one in (row, pinned)]
    return difference_tone(delta, sides, spread, is_better=delta > 0)


def _spread(row: RunRow, _: Context, width: int) -> StyledText:
    if row.spread is None:
        return "", "muted"
    number = f"{100 * row.spread:.2f}"
    text = spelled_out(f"{SPREAD}{number}")
    return (text if len(text) <= width else number), "muted"


def _seed(row: RunRow, _: Context, __: int) -> StyledText:
    return _seed_text(row), "" if row.is_group else "muted"


def _seed_text(row: RunRow) -> str:
    return f"n={row.num_counted}" if row.is_group else _shown(row, "seed")


def _shown(row: RunRow, name: str) -> str:
    value = row.setting(name)
    return MISSING if value is None else str(value)


def _time(row: RunRow, _: Context, __: int) -> StyledText:
    return (MISSING if row.seconds is None else format_duration(row.seconds)), "muted"


def _curve(row: RunRow, context: Context, width: int) -> StyledText:
    """As much of the width as of the run is done, so that one that ended early is short."""
    low, high = context.curve_range
    cells = min(width, max(1, round(width * row.progress)))
    if is_ascii_terminal():
        line = sparkline(row.curve, cells, ascii_only=True)
    else:
        line = braille_sparkline(row.curve, cells, low, high)
    return line, "live" if row.state is State.RUNNING else "curve"


def _text(value: Callable[[RunRow], str], style: str = "") -> Callable[[RunRow, Context, int], StyledText]:
    return lambda row, _, width: (cut(printable(value(row), 80), width), style)


def _metric(field: str, style: str = "") -> Callable[[RunRow, Context, int], StyledText]:
    metric = METRICS[ROW_METRICS[field]]

    def cell(row: RunRow, _: Context, __: int) -> StyledText:
        text = metric.mean_text(getattr(row, field))
        return text, "muted" if text == MISSING else style

    return cell


_STATE_ORDER = list(TONES)

COLUMNS: tuple[Column, ...] = (
    Column(
        key="mark",
        title="",
        width=2,
        rank=0,
        cell=_mark,
        order=lambda row, context: float(not context.marked.isdisjoint(row.members)),
        is_descending=True,
        help="Marked and pinned runs.",
    ),
    Column(
        key="state",
        title="state",
        width=10,
        narrow=1,
        rank=3,
        cell=_state,
        order=lambda row, _: float(_STATE_ORDER.index(row.state)),
        help="What the run is doing.",
    ),
    Column(
        key="name",
        title="run",
        width=16,
        narrow=12,
        max_width=90,
        rank=1,
        cell=_name,
        order=lambda row, _: row.name.lower(),
        help="Label, or variant and seed, and how namesakes differ.",
    ),
    Column(
        key="created",
        title="age",
        width=4,
        rank=5,
        align_right=True,
        cell=_age,
        order=lambda row, _: row.begun,
        is_descending=True,
        help="How long ago training began; the newest first, and last what waits.",
    ),
    Column(
        key="variant",
        title="variant",
        width=11,
        rank=12,
        cell=_text(lambda row: _shown(row, "variant")),
        order=lambda row, _: row.setting("variant"),
        help="Experiment of the study.",
    ),
    Column(
        key="front_end",
        title="front end",
        width=9,
        max_width=11,
        rank=13,
        is_offered=lambda context: "front_end" not in context.constant,
        cell=_text(lambda row: _shown(row, "front_end"), "muted"),
        order=lambda row, _: row.setting("front_end"),
        help="How an image enters the network.",
    ),
    Column(
        key="data",
        title="data",
        width=9,
        max_width=12,
        rank=14,
        is_offered=lambda context: "data" not in context.constant,
        cell=_text(lambda row: _shown(row, "data"), "muted"),
        order=lambda row, _: row.setting("data"),
        help="Data set.",
    ),
    Column(
        key="seed",
        title="seed",
        width=4,
        max_width=10,
        rank=11,
        align_right=True,
        cell=_seed,
        order=lambda row, _: row.setting("seed"),
        help="Seed, or how many.",
    ),
    Column(
        key="progress",
        title="done",
        width=4,
        rank=7,
        align_right=True,
        cell=_progress,
        order=lambda row, _: row.progress,
        is_descending=True,
        help="Share of the updates done.",
    ),
    Column(
        key="best",
        title="best %",
        width=6,
        rank=2,
        align_right=True,
        cell=_metric("best", "strong"),
        order=lambda row, _: row.best,
        is_descending=True,
        help="Highest test accuracy of any epoch.",
    ),
    Column(
        key="spread",
        title="sd",
        width=6,
        rank=6,
        align_right=True,
        cell=_spread,
        order=lambda row, _: row.spread,
        is_offered=lambda context: context.has_groups,
        help="Standard deviation of the best over seeds.",
    ),
    Column(
        key="delta",
        title="vs pin",
        width=6,
        rank=4,
        align_right=True,
        cell=_delta,
        order=delta_of,
        is_descending=True,
        is_offered=lambda context: context.pinned is not None,
        help="Best minus the pinned run's.",
    ),
    Column(
        key="last",
        title="last %",
        width=6,
        rank=8,
        align_right=True,
        cell=_metric("last"),
        order=lambda row, _: row.last,
        is_descending=True,
        help="Test accuracy of the last epoch.",
    ),
    Column(
        key="gap",
        title="gap",
        width=6,
        rank=9,
        align_right=True,
        cell=_metric("gap"),
        order=lambda row, _: row.gap,
        is_descending=True,
        help="Training minus test accuracy, in points: overfitting.",
    ),
    Column(
        key="t25",
        title="T25",
        width=5,
        rank=10,
        align_right=True,
        cell=_metric("t25"),
        order=lambda row, _: row.t25,
        help="Epochs until the training error fell to 25%.",
    ),
    Column(
        key="seconds",
        title="time",
        width=7,
        rank=10,
        align_right=True,
        cell=_time,
        order=lambda row, _: row.seconds,
        is_descending=True,
        help="Training, evaluation and checkpoints.",
    ),
    Column(
        key="curve",
        title="curve",
        width=12,
        narrow=8,
        max_width=26,
        rank=6,
        cell=_curve,
        order=lambda row, _: row.begun,
        is_descending=True,
        help="Test accuracy over epochs, on one scale; sorts by age.",
    ),
)


BY_KEY = {column.key: column for column in COLUMNS}
CREATED = BY_KEY["created"]
_SORTED_RANK = 4
_NAME_WIDTH, _LONG_NAME_WIDTH = 24, 38
"""Cells in which the values of three settings have room beside variant and seed, and of four with a front end."""
_SETTINGS = ("front_end", "data")


def columns_for(rows: Sequence[RunRow], sort: str = CREATED.key) -> list[Column]:
    """The columns; those of words grow no wider than the longest word of some rows.

    One that a person sorts by is wanted before most others: its head tells the order. The newest first is the usual.
    """
    texts = {
        "name": (row.name for row in rows),
        "seed": (_seed_text(row) for row in rows),
        **{key: (_shown(row, key) for row in rows) for key in _SETTINGS},
    }
    changed: dict[str, dict[str, int]] = {}
    for key, words in texts.items():
        longest = max(map(cell_len, words), default=0)
        changed[key] = {"max_width": max(BY_KEY[key].width, min(BY_KEY[key].max_width, longest))}
        if key in _SETTINGS:  # Their ends tell them apart: keras-same and keras-valid.
            changed[key]["width"] = changed[key]["max_width"]
    # Long names tell runs apart by their settings, whose values want room before the less important columns.
    needed = max((fewest_cells(row.short_name) for row in rows if not row.is_labelled), default=0)
    wanted = min(_LONG_NAME_WIDTH, max(_NAME_WIDTH, needed))
    changed["name"]["width"] = min(wanted, changed["name"]["max_width"])
    if changed["name"]["width"] > BY_KEY["name"].width:
        changed["curve"] = {"width": BY_KEY["curve"].narrow}
    if changed["name"]["width"] > _NAME_WIDTH:
        changed["curve"]["rank"] = BY_KEY["gap"].rank
    if not any(row.state is State.RUNNING for row in rows):
        changed["progress"] = {"rank": BY_KEY["last"].rank + 1}
    if sort in BY_KEY and sort != CREATED.key:
        changed.setdefault(sort, {})["rank"] = min(BY_KEY[sort].rank, _SORTED_RANK)
    return [msgspec.structs.replace(column, **changed.get(column.key, {})) for column in COLUMNS]


def shown_order(sort: str, context: Context, *, is_descending: bool) -> tuple[str, bool]:
    """The column that tells the order of rows: where the one asked for has nothing to say, the newest come first."""
    if sort in BY_KEY and BY_KEY[sort].is_offered(context):
        return sort, is_descending
    return CREATED.key, CREATED.is_descending


def sorted_rows(rows: Sequence[RunRow], context: Context, key: str, *, is_descending: bool) -> list[RunRow]:
    """Rows in the order of a column; those without a value come last either way, newest first among equals.

    Runs that wait come after those, the first made first: as they will be trained.
    """
    column = BY_KEY.get(key, CREATED)
    waiting = sorted((row for row in rows if row.begun is None), key=lambda row: (row.created, natural_key(row.id)))
    begun = [(row.begun, row.id, row) for row in rows if row.begun is not None]
    newest_first = [row for *_, row in sorted(begun, key=lambda item: item[:2], reverse=True)] + waiting
    order = column.order or CREATED.order
    assert order is not None
    valued = [(order(row, context), row) for row in newest_first]
    present = [item for item in valued if item[0] is not None and item[0] == item[0]]
    missing = [row for value, row in valued if value is None or value != value]
    present.sort(key=lambda item: item[0], reverse=is_descending)  # type: ignore[arg-type,return-value]
    return [row for _, row in present] + missing
