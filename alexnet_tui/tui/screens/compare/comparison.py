"""What the Compare screen compares: runs or groups of seeds as entries, their curves, and their table; pure."""

import math
import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec
from rich.cells import cell_len

from alexnet_tui.config.hyperparameters import SPECS, shown_value
from alexnet_tui.runs.history import RunHistory
from alexnet_tui.text import MISSING, format_difference, format_duration, format_gap, format_points, printable
from alexnet_tui.tui.charts.axis import Measure
from alexnet_tui.tui.charts.model import Curve
from alexnet_tui.tui.charts.run_curves import x_values
from alexnet_tui.tui.charts.series import Floats, Spread, band, copy_column

_NAME_CELLS = 28
_VALUE_CELLS, _MOST_VALUE_CELLS = 18, 60
_FEW = 3
_ALWAYS = ("variant", "front_end", "data", "seed", "epochs")


@dataclass(frozen=True, slots=True)
class Metric:
    """Something to draw: a column of epochs, or the difference of two."""

    title: str
    column: str
    measure: Measure
    minus: str = ""

    def values(self, history: RunHistory) -> Floats:
        """One value an epoch."""
        values = copy_column(history.epochs[self.column])
        return values - copy_column(history.epochs[self.minus]) if self.minus else values


METRICS = (
    Metric("Test accuracy", "test_accuracy", Measure.SHARE),
    Metric("Test loss", "test_loss", Measure.NUMBER),
    Metric("Train accuracy", "train_eval_accuracy", Measure.SHARE),
    Metric("Train loss", "train_loss", Measure.NUMBER),
    Metric("Gap", "train_eval_accuracy", Measure.POINTS, minus="test_accuracy"),
    Metric("Learning rate", "learning_rate", Measure.RATE),
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the comparison: a run, or all seeds of one configuration.

    Attributes:
        name: What to call it; safe to show.
        histories: Its runs, at least one.
        slot: Colour, dash and marker of its curves.
        is_pinned: It is, or holds, the run others are compared to.
        is_guest: It is only here because others are compared to it.
    """

    name: str
    histories: tuple[RunHistory, ...]
    slot: int
    is_pinned: bool
    is_guest: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """A column of results: a number of a run, how to say it, and how to say a difference or a ratio."""

    title: str
    rank: int
    value: Callable[[RunHistory], float | None]
    text: Callable[[float], str]
    delta: Callable[[float, float], str]


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.2f}"


def _points(own: float, other: float) -> str:
    return format_points(own - other)


RESULTS = (
    Result("best %", -1, lambda history: history.best_test_accuracy, _percent, _points),
    Result("last 5 %", 1, lambda history: history.final_test_accuracy, _percent, _points),
    Result("gap", 2, lambda history: history.gap, format_gap, lambda own, other: format_gap(own - other)),
    Result(
        "T25 ep.",
        3,
        lambda history: history.time_to_accuracy().epochs,
        lambda epochs: f"{epochs:.1f}",
        lambda own, other: format_difference(own - other, 1),
    ),
    Result("last %", 5, lambda history: history.last_test_accuracy, _percent, _points),
    Result(
        "time",
        4,
        lambda history: history.elapsed_seconds,
        format_duration,
        lambda own, other: f"×{own / other:.2f}" if other else "",
    ),
)


def entries_of(
    histories: Sequence[RunHistory],
    name_of: Callable[[str], str],
    *,
    is_grouped: bool,
    pinned_id: str | None,
    guest: RunHistory | None = None,
) -> list[Entry]:
    """Runs in their order, or groups of runs that differ only in their seed; before them the pinned run as a guest."""
    names = short_names([*([guest] if guest else []), *histories], name_of)
    own = _own_entries(histories, names, name_of, is_grouped=is_grouped, pinned_id=pinned_id)
    return [Entry(names[guest.id], (guest,), len(own), is_pinned=True, is_guest=True), *own] if guest else own


def _own_entries(
    histories: Sequence[RunHistory],
    names: Mapping[str, str],
    name_of: Callable[[str], str],
    *,
    is_grouped: bool,
    pinned_id: str | None,
) -> list[Entry]:
    if not is_grouped:
        return [
            Entry(names[history.id], (history,), slot, history.id == pinned_id)
            for slot, history in enumerate(histories)
        ]
    groups: dict[bytes, list[RunHistory]] = {}
    for history in histories:
        key = msgspec.json.encode(msgspec.structs.replace(history.record.config, seed=0))
        groups.setdefault(key, []).append(history)
    return [
        Entry(
            names[group[0].id] if len(group) == 1 else _group_name(group, name_of),
            tuple(group),
            slot,
            any(one.id == pinned_id for one in group),
        )
        for slot, group in enumerate(groups.values())
    ]


def short_names(histories: Iterable[RunHistory], name_of: Callable[[str], str]) -> dict[str, str]:
    """By id, what to call runs side by side: a label, or variant and seed; the id where these leave a doubt."""
    runs = {history.id: history for history in histories}
    names = {}
    for run_id, history in runs.items():
        config, label = history.record.config, name_of(run_id)
        names[run_id] = label if label != run_id else printable(f"{config.variant} s{config.seed}", 80)
    counts = Counter(names.values())
    return {run_id: name if counts[name] == 1 else run_id for run_id, name in names.items()}


def _group_name(group: Sequence[RunHistory], name_of: Callable[[str], str]) -> str:
    labels = {name_of(history.id) for history in group if name_of(history.id) != history.id}
    stem = labels.pop() if len(labels) == 1 else printable(group[0].record.config.variant, 80)
    return f"{stem} n={len(group)}"


def curve_of(
    entry: Entry,
    metric: Metric,
    x_axis: str,
    spread: Spread,
    *,
    is_chosen: bool = False,
) -> Curve | None:
    """An entry's curve, with a band where it holds several seeds, a guest's as a baseline; None without a point."""
    rows = [
        (x_values(history, history.epochs, x_axis), metric.values(history))
        for history in entry.histories
        if len(history.epochs)
    ]
    if not rows:
        return None
    merged = band(rows, spread) if len(rows) > 1 else None
    return Curve(
        name=entry.name,
        x=rows[0][0] if merged is None else merged.x,
        y=rows[0][1] if merged is None else merged.mean,
        slot=entry.slot,
        is_baseline=entry.is_guest,
        low=None if merged is None else merged.low,
        high=None if merged is None else merged.high,
        is_chosen=is_chosen,
        is_cut=merged is not None and merged.is_cut,
    )


def differing(entries: Iterable[Entry], *, is_grouped: bool) -> list[str]:
    """Hyperparameters that are not the same everywhere; a seed says nothing about a group."""
    configs = [entry.histories[0].record.config for entry in entries]
    names = [name for name in SPECS if not (is_grouped and name == "seed")]
    return [name for name in names if len({getattr(config, name) for config in configs}) > 1]


def _is_implied(name: str, entries: Iterable[Entry]) -> bool:
    """Whether every value is the default of its own variant and front end, which have columns themselves."""
    return all(name not in entry.histories[0].record.config.changes() for entry in entries)


@dataclass(frozen=True, slots=True)
class Cell:
    """A value and its difference to the pinned run."""

    text: str
    delta: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the table; the smallest ranks stay where there is no room for all."""

    title: str
    rank: int
    cells: tuple[Cell, ...]
    is_number: bool = True
    is_setting: bool = False

    @property
    def width(self) -> int:
        """Cells it needs in all."""
        delta = max(len(cell.delta) for cell in self.cells)
        return max(len(self.title), max(len(cell.text) for cell in self.cells) + (delta + 1 if delta else 0))


def columns_of(entries: Sequence[Entry], *, is_grouped: bool) -> list[Column]:
    """The table: what differs, then results with deltas to the pinned entry."""
    base = next((entry.histories for entry in entries if entry.is_pinned), ())
    names = differing(entries, is_grouped=is_grouped)
    names.sort(key=lambda name: name not in _ALWAYS and _is_implied(name, entries))
    columns = [
        Column(
            name.replace("_", " "),
            index if index < _FEW and (name in _ALWAYS or not _is_implied(name, entries)) else 10 + index,
            tuple(
                Cell(printable(shown_value(name, getattr(entry.histories[0].record.config, name)), _MOST_VALUE_CELLS))
                for entry in entries
            ),
            is_number=not SPECS[name].choices,
            is_setting=True,
        )
        for index, name in enumerate(names)
    ]
    for result in RESULTS:
        other = _mean(result, base)
        cells = tuple(_result_cell(result, entry, None if entry.is_pinned else other) for entry in entries)
        columns.append(Column(result.title, result.rank, cells))
    return columns


def _mean(result: Result, histories: Iterable[RunHistory]) -> float | None:
    values = _values(result, histories)
    return statistics.fmean(values) if values else None


def _values(result: Result, histories: Iterable[RunHistory]) -> list[float]:
    found = (result.value(history) for history in histories)
    return [value for value in found if value is not None and math.isfinite(value)]


def _result_cell(result: Result, entry: Entry, other: float | None) -> Cell:
    """The value, or mean ± standard deviation over seeds and how many of them have it."""
    values = _values(result, entry.histories)
    if not values:
        return Cell(MISSING)
    mean = statistics.fmean(values)
    text = result.text(mean)
    if len(values) > 1:
        text += f"±{result.text(statistics.stdev(values)).removeprefix('+')}"
    if len(values) < len(entry.histories):
        text += f" ({len(values)} of {len(entry.histories)})"
    return Cell(text, "" if other is None else result.delta(mean, other))


def fitting(columns: Sequence[Column], width: int, name_cells: int) -> list[Column]:
    """The columns that fit beside a name, those of the largest rank left out first, in their order."""
    kept = sorted(columns, key=lambda column: column.rank)
    while kept and name_cells + sum(column.width + 2 for column in kept) > width:
        kept.pop()
    return [column for column in columns if column in kept]


def _narrow(column: Column) -> Column:
    """The same with its values cut."""
    return replace(column, cells=tuple(Cell(printable(cell.text, _VALUE_CELLS)) for cell in column.cells))


@dataclass(frozen=True, slots=True)
class Layout:
    """What a table has room for.

    Attributes:
        shown: Columns beside the names.
        hidden: Those there is no room for, the most important first.
        name_cells: Width of the names.
    """

    shown: Sequence[Column]
    hidden: Sequence[Column]
    name_cells: int


def layout(entries: Sequence[Entry], width: int, *, is_grouped: bool) -> Layout:
    """The table in so many cells; names and values are cut only where they would cost a column or do not fit."""
    longest = max((cell_len(entry.name) for entry in entries), default=4)
    room = max(4, min(longest, _NAME_CELLS, width // 3))
    columns = columns_of(entries, is_grouped=is_grouped) if entries else []
    shown = fitting(columns, width, room)
    if len(shown) < len(columns):
        columns = [_narrow(column) if column.is_setting else column for column in columns]
        shown = fitting(columns, width, room)
    spare = width - room - sum(column.width + 2 for column in shown)
    hidden = sorted((column for column in columns if column not in shown), key=lambda column: column.rank)
    return Layout(shown, hidden, min(max(longest, room), room + max(0, spare)))


def known(run_ids: Iterable[str], histories: Mapping[str, RunHistory]) -> list[RunHistory]:
    """Histories of the runs that are still there, each once."""
    return [histories[run_id] for run_id in dict.fromkeys(run_ids) if run_id in histories]
