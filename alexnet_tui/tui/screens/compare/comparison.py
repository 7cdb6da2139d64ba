"""The Compare screen's rows, columns and curves, made of the comparison in `analysis.compare`; pure."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType

import msgspec
from rich.cells import cell_len

from alexnet_tui.analysis.compare import COMPARED, ComparedGroup, Comparison, compare, shown_setting
from alexnet_tui.analysis.groups import States
from alexnet_tui.analysis.metrics import METRICS, Metric
from alexnet_tui.analysis.samples import mean_text
from alexnet_tui.analysis.seed_noise import Deviation, deviation, difference_tone
from alexnet_tui.config.hyperparameters import SPECS, default_of
from alexnet_tui.runs.history import RunHistory
from alexnet_tui.studies.planned_runs import PlannedGroup
from alexnet_tui.text import MISSING, printable, spelled_out
from alexnet_tui.tui.charts.axis import Measure
from alexnet_tui.tui.charts.curve_styles import marker_of
from alexnet_tui.tui.charts.model import Curve
from alexnet_tui.tui.charts.raster import DotMode
from alexnet_tui.tui.charts.series import Floats, Spread, band, copy_column
from alexnet_tui.tui.glyphs import NUM_SERIES, PIN, SPREAD
from alexnet_tui.tui.run_names import Name, cut_name, fewest_cells, names_beside, settings_text
from alexnet_tui.tui.widgets.columns import Column, StyledText

_NAME_CELLS, _LONG_NAME_CELLS, _VALUE_CELLS = 24, 38, 18
_FEWEST_NAME_CELLS, _NARROW_NAME_CELLS = 12, 20
"""Cells of a name where there is little room: without settings, and with some."""
_ALWAYS = ("variant", "front_end", "data", "seed", "epochs")
_NAMED = {"variant": "{}", "seed": "s{}"}
"""Settings that are words of a name without a label."""
_FEW = 3
_SETTING_RANK = 3
_FIRST_METRICS = ("max_test", "final_test", "gap", "t25", "time", "last_test", "max_train")
"""Metrics by importance, for a table that has no room for all."""


class ChartedColumn(msgspec.Struct, frozen=True):
    """Something to draw over epochs: a column of them, or the difference of two."""

    title: str
    column: str
    measure: Measure
    minus: str = ""

    def values(self, history: RunHistory) -> Floats:
        """One value an epoch."""
        values = copy_column(history.epochs[self.column])
        return values - copy_column(history.epochs[self.minus]) if self.minus else values


CHARTED = (
    ChartedColumn("Test accuracy", "test_accuracy", Measure.SHARE),
    ChartedColumn("Test loss", "test_loss", Measure.NUMBER),
    ChartedColumn("Train accuracy", "train_eval_accuracy", Measure.SHARE),
    ChartedColumn("Train loss", "train_loss", Measure.NUMBER),
    ChartedColumn("Gap", "train_eval_accuracy", Measure.POINTS, minus="test_accuracy"),
    ChartedColumn("Learning rate", "learning_rate", Measure.RATE),
)


class Entry(msgspec.Struct, frozen=True):
    """One row: a run, or the averaged runs of one configuration.

    Attributes:
        name: What to call it; safe to show, and no other row's name.
        short_name: The same where there is little room; no other row's either.
        histories: Its runs, at least one.
        slot: Colour and marker of its curve.
        group: Its settings, numbers and differences.
        is_implicit: It is only here because others are compared to it.
    """

    name: str
    short_name: str
    histories: tuple[RunHistory, ...]
    slot: int
    group: ComparedGroup
    is_implicit: bool = False

    @property
    def id(self) -> str:
        """Id of its first run."""
        return self.histories[0].id


def entries_of(
    histories: Sequence[RunHistory],
    name_of: Callable[[str], str],
    *,
    is_grouped: bool,
    pinned_id: str | None,
    states: States,
    planned: Mapping[str, PlannedGroup] = MappingProxyType({}),
    implicit: RunHistory | None = None,
) -> tuple[Comparison, list[Entry]]:
    """The comparison of runs in their order, the implicit baseline before them, and a row for each group."""
    every = {run.id: run for run in [*([implicit] if implicit else []), *histories]}
    labels = {run_id: label for run_id in every if (label := name_of(run_id)) != run_id}
    compared = compare(
        list(every.values()), states, labels=labels, planned=planned, pinned=pinned_id, is_grouped=is_grouped
    )
    single = names_beside(every.values(), name_of)
    names = [
        Name(_group_name(group, labels), _group_name(group, labels)) if group.seeds[1:] else single[group.run_ids[0]]
        for group in compared.groups
    ]
    full, short = _numbered([name.full for name in names]), _numbered([name.short for name in names])
    are_implicit = [implicit is not None and group.run_ids == (implicit.id,) for group in compared.groups]
    entries, own = [], 0
    for group, name, short_name, is_implicit in zip(compared.groups, full, short, are_implicit, strict=True):
        slot = are_implicit.count(False) if is_implicit else own
        own += not is_implicit
        runs = tuple(every[run_id] for run_id in group.run_ids)
        entries.append(Entry(name, short_name, runs, slot, group, is_implicit))
    return compared, entries


def _group_name(group: ComparedGroup, labels: Mapping[str, str]) -> str:
    """The label that all its runs have, else the variant, how many they are, and what tells them from namesakes."""
    found = {labels.get(run_id, "") for run_id in group.run_ids}
    stem = (found.pop() if len(found) == 1 else "") or printable(group.name, 80)
    distinction = f" · {group.distinction}" if group.distinction else ""
    return f"{stem} n={len(group.run_ids)}{distinction}"


def _numbered(names: Iterable[str]) -> list[str]:
    seen: Counter[str] = Counter()
    numbered = []
    for name in names:
        seen[name] += 1
        numbered.append(name if seen[name] == 1 else f"{name} #{seen[name]}")
    return numbered


def curve_of(
    entry: Entry, charted: ChartedColumn, x_axis: str, spread: Spread, *, is_chosen: bool = False
) -> Curve | None:
    """An entry's curve, with a band over seeds; the implicit baseline as one. None without a point.

    Args:
        x_axis: The column of epochs that the curve is drawn over.
    """
    rows = [
        (copy_column(history.epochs[x_axis]), charted.values(history))
        for history in entry.histories
        if len(history.epochs)
    ]
    if not rows:
        return None
    merged = band(rows, spread) if len(rows) > 1 else None
    return Curve(
        name=entry.short_name,
        x=rows[0][0] if merged is None else merged.x,
        y=rows[0][1] if merged is None else merged.mean,
        slot=entry.slot,
        is_baseline=entry.is_implicit,
        low=None if merged is None else merged.low,
        high=None if merged is None else merged.high,
        is_chosen=is_chosen,
        is_cut=merged is not None and merged.is_cut,
    )


def columns_of(
    compared: Comparison, entries: Sequence[Entry], dot_mode: DotMode, alike: Sequence[RunHistory] = ()
) -> list[Column[Entry, None]]:
    """The table: who, what differs, and each metric with its difference to the base.

    Args:
        compared: The comparison.
        entries: Its rows.
        dot_mode: What markers are made of.
        alike: Runs that differ from the base in their seed alone; a single run is taken to vary as they do.
    """
    needed = max((fewest_cells(entry.short_name) for entry in entries), default=0)
    longest = max((cell_len(entry.name) for entry in entries), default=4)
    columns: list[Column[Entry, None]] = [
        Column(key="sign", title="", width=2, rank=0, cell=lambda entry, _, __: _sign(entry, dot_mode)),
        Column(
            key="name",
            title="run",
            width=min(max(_NAME_CELLS, min(_LONG_NAME_CELLS, needed)), longest),
            narrow=max(_FEWEST_NAME_CELLS, min(_NARROW_NAME_CELLS, needed)),
            max_width=80,
            rank=0,
            cell=lambda entry, _, cells: (_shown_name(entry, cells), "strong" if entry.group.is_base else ""),
        ),
    ]
    if any(state != "finished" for entry in entries for state in entry.group.states):
        columns.append(
            _text_column("state", 6, {entry.id: ", ".join(dict.fromkeys(entry.group.states)) for entry in entries})
        )
    columns += _setting_columns(compared, entries)
    for name in COMPARED:
        columns += _metric_columns(METRICS[name], _metric_rank(name), entries, alike)
    return columns


def _shown_name(entry: Entry, cells: int) -> str:
    return entry.name if cell_len(entry.name) <= cells else cut_name(entry.short_name, cells)


def _metric_rank(name: str) -> int:
    """The first metric is wanted before what differs, the others after it; each leaves a rank to its difference."""
    place = _FIRST_METRICS.index(name)
    return 2 * place + (1 if place == 0 else _SETTING_RANK + _FEW - 2)


def _sign(entry: Entry, dot_mode: DotMode) -> StyledText:
    style = "series-pinned" if entry.is_implicit else f"series-{entry.slot % NUM_SERIES + 1}"
    return (PIN if entry.group.is_pinned else " ") + marker_of(entry.slot, dot_mode), style


def _setting_columns(compared: Comparison, entries: Sequence[Entry]) -> list[Column[Entry, None]]:
    """What differs, the most telling first: what names or variants tell already comes last."""

    def is_told(name: str) -> bool:
        if name in _NAMED:
            return all(_NAMED[name].format(entry.group.settings[name]) in entry.name.split() for entry in entries)
        if name in SPECS and all(_names_setting(entry, name) for entry in entries):
            return True
        return name not in _ALWAYS and all(name not in entry.histories[0].record.config.changes() for entry in entries)

    columns = []
    for index, name in enumerate(sorted(compared.differing, key=is_told)):
        rank = _SETTING_RANK + index if index < _FEW and not is_told(name) else 20 + index
        texts = {entry.id: printable(shown_setting(name, entry.group.settings[name]), 60) for entry in entries}
        columns.append(_text_column(name.replace("_", " "), rank, texts))
    return columns


def _names_setting(entry: Entry, name: str) -> bool:
    """Whether the name of a row says what a setting is, if only by leaving away what runs have by themselves."""
    value = getattr(entry.histories[0].record.config, name)
    return value == default_of(name) or settings_text([(name, value)]) in entry.name.partition(" · ")[2].split(", ")


def _text_column(title: str, rank: int, texts: Mapping[str, str]) -> Column[Entry, None]:
    """A column of words; where there is little room it is cut."""
    longest = max(len(title), *(cell_len(text) for text in texts.values()))
    width = min(longest, _VALUE_CELLS)
    return Column(
        key=title,
        title=title,
        width=width,
        max_width=longest if longest > width else 0,
        rank=rank,
        cell=lambda entry, _, cells: (printable(texts[entry.id], cells), ""),
    )


def _metric_columns(
    metric: Metric, rank: int, entries: Sequence[Entry], alike: Sequence[RunHistory]
) -> list[Column[Entry, None]]:
    """A metric's values, and beside them the differences to the base where there are any."""
    spread = deviation(alike, metric)
    values = {entry.id: _value_text(metric, entry) for entry in entries}
    differences = {entry.id: _difference(metric, entry, entries, spread) for entry in entries}
    columns: list[Column[Entry, None]] = [
        Column(
            key=metric.name,
            title=metric.label,
            width=max(len(metric.label), *(cell_len(text) for text in values.values())),
            rank=rank,
            align_right=True,
            cell=lambda entry, _, __: (values[entry.id], "strong" if entry.group.is_base else ""),
            help=metric.help,
        )
    ]
    if any(text for text, _ in differences.values()):
        columns.append(
            Column(
                key=f"{metric.name} difference",
                title="",
                width=max(cell_len(text) for text, _ in differences.values()),
                rank=rank + 1,
                align_right=True,
                cell=lambda entry, _, __: differences[entry.id],
            )
        )
    return columns


def _value_text(metric: Metric, entry: Entry) -> str:
    """The value, or mean and standard deviation over seeds, and how many of them have it."""
    sample = entry.group.cells[metric.name]
    if sample.mean is None:
        return MISSING
    text = mean_text(sample, metric)
    if sample.sd is not None:
        text += f"{SPREAD}{metric.sd_text(sample.sd)}"
    return spelled_out(text) + (f" ({len(sample.values)} of {len(sample.runs)})" if sample.num_missing else "")


def _difference(metric: Metric, entry: Entry, entries: Sequence[Entry], spread: Deviation | None) -> StyledText:
    """The difference to the base, coloured where it is beyond what seeds alone make."""
    own = entry.group.cells[metric.name]
    base = next(one.group.cells[metric.name] for one in entries if one.group.is_base)
    difference = entry.group.differences[metric.name]
    if entry.group.is_base or difference is None or own.mean is None or base.mean is None:
        return "", ""
    sides = [(one.sd, len(one.values)) for one in (own, base)]
    is_better = metric.is_better(own.mean, base.mean)
    return metric.difference(difference), difference_tone(difference, sides, spread, is_better=is_better)


def histories_of(run_ids: Iterable[str], histories: Mapping[str, RunHistory]) -> list[RunHistory]:
    """Histories of the runs that are still there, each once."""
    return [histories[run_id] for run_id in dict.fromkeys(run_ids) if run_id in histories]
