"""One chart as rows of styled text: curves and a view in, a `RenderedChart` out; pure, the widget only paints it.

Charts do not lie: gaps stay gaps, the last point is marked, a clip or a logarithm says how many points it
hides, and every curve has a dash, a marker and a name beside its colour.
"""

import math
from collections.abc import Callable, Iterator, Sequence

import msgspec
from rich.cells import cell_len

from alexnet_tui.text import printable
from alexnet_tui.tui.charts import axis
from alexnet_tui.tui.charts.axis import Measure, Tick
from alexnet_tui.tui.charts.canvas import END_LABEL_CELLS, CellBuffer, PlotArea, marker_of, style_of
from alexnet_tui.tui.charts.model import ChartSpec, PreparedCurve, View, format_x, format_y, full_range
from alexnet_tui.tui.charts.raster import DotMode, Viewport
from alexnet_tui.tui.charts.series import Floats, Method, finite_ends, last_finite, limits, value_at

import numpy as np  # isort: skip  # After series, which sets numpy's threads.

_SAMPLES = {False: ("──", "╌╌", "┈┈", "─╌", "┄┄", "━━"), True: ("--", "- ", "..", "-.", ". ", "==")}
_LINES = {False: ("│", "─", "┤", "┴", "└", "┈"), True: ("|", "-", "+", "+", "+", ".")}
_WIDTH_WITH_END_LABELS = 76
_FEWEST_COLUMNS, _FEWEST_ROWS, _X_AXIS_ROWS = 4, 2, 2
_NAME_CELLS, _MORE_CELLS, _GAP = 24, 9, 2

_Entry = list[tuple[str, str]]
"""Texts of a legend's entry, each with its style."""


class RenderedChart(msgspec.Struct, frozen=True):
    """A drawn chart, and where its plane lies, for a mouse to find its way.

    `viewport` and the place of its top left cell are None and 0 where nothing was drawn.
    """

    buffer: CellBuffer
    viewport: Viewport | None = None
    left: int = 0
    top: int = 0
    notes: tuple[str, ...] = ()

    def x_at(self, column: int) -> float | None:
        """The x value under a column of the buffer, or None outside the plane."""
        viewport = self.viewport
        if viewport is None or not 0 <= column - self.left < viewport.columns:
            return None
        share = (column - self.left + 0.5) / viewport.columns
        return viewport.x_low + share * (viewport.x_high - viewport.x_low)


def draw(
    spec: ChartSpec,
    prepared: Sequence[PreparedCurve],
    view: View,
    size: tuple[int, int],
    dot_mode: DotMode = DotMode.BRAILLE,
    *,
    no_color: bool = False,
) -> RenderedChart:
    """The chart at `size` cells, width and height; `no_color` repeats markers where there is no colour."""
    width, height = size
    viewport, notes = _window(spec, prepared, view)
    buffer, top = _headed(spec, prepared, view, notes, dot_mode, size)
    if viewport is None:
        message = printable(spec.empty, width)
        buffer.put(top + (height - top) // 2, max(0, (width - cell_len(message)) // 2), message, "label")
        return RenderedChart(buffer, notes=notes)
    named = [one for one in prepared if not one.curve.is_faint]
    with_ends = width >= _WIDTH_WITH_END_LABELS and len(named) > 1
    most = max(END_LABEL_CELLS, width // 5)
    right = min(most, max(cell_len(one.curve.name) for one in named)) + 2 if with_ends else 1
    rows = height - top - _X_AXIS_ROWS
    y_ticks = axis.ticks(viewport.y_low, viewport.y_high, spec.y, max(2, min(9, rows * 2 // 5)), log=view.log)
    left = max(len(spec.x_title), max((len(tick.label) for tick in y_ticks), default=0)) + 2
    viewport = msgspec.structs.replace(viewport, columns=width - left - right, rows=rows)
    if viewport.columns < _FEWEST_COLUMNS or rows < _FEWEST_ROWS:
        return RenderedChart(_too_small(spec, buffer), notes=notes)
    _axes(buffer, spec, viewport, y_ticks, (left, top), prepared, dot_mode)
    plane = PlotArea(buffer, viewport, left, top, dot_mode)
    plane.curves(prepared, no_color)
    if view.crosshair is not None:
        plane.crosshair(spec, named, view.crosshair)
    if with_ends:
        plane.end_labels(named, most)
    return RenderedChart(buffer, viewport, left, top, notes)


def _headed(
    spec: ChartSpec,
    prepared: Sequence[PreparedCurve],
    view: View,
    notes: tuple[str, ...],
    dot_mode: DotMode,
    size: tuple[int, int],
) -> tuple[CellBuffer, int]:
    """A buffer with its head, and the first row below; legend, then notes, give way where no plane would be left."""
    width, height = size
    aside = _note_lines(notes, width, dot_mode)
    short = [_cut(f"{aside[0]} ", width, dot_mode, is_cut=True)] if aside[1:] else aside
    choices = [(0, short), (0, aside), (max(1, min(4, height // 5)), aside)]
    while True:
        legend_rows, lines = choices.pop()
        buffer = CellBuffer(width, height)
        top = _head(buffer, spec, prepared, view, lines, dot_mode, legend_rows)
        if not choices or height - top - _X_AXIS_ROWS >= _FEWEST_ROWS:
            return buffer, top


def _note_lines(notes: Sequence[str], width: int, dot_mode: DotMode) -> list[str]:
    """Notes side by side, on as many lines as they need."""
    lines: list[str] = []
    separator = " . " if dot_mode is DotMode.ASCII else " · "
    for note in notes:
        longer = lines[-1] + separator + note if lines else note
        if lines and cell_len(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(note)
    return [_cut(line, width, dot_mode, is_cut=cell_len(line) > width) for line in lines]


def _cut(text: str, width: int, dot_mode: DotMode, *, is_cut: bool) -> str:
    """A line with a sign that some of it is missing, if it is."""
    return text[: max(0, width - 1)] + ("~" if dot_mode is DotMode.ASCII else "…") if is_cut else text


def _too_small(spec: ChartSpec, drawn: CellBuffer) -> CellBuffer:
    """A word in place of a chart there is no room for."""
    buffer = CellBuffer(drawn.width, drawn.height)
    column = buffer.put(0, 0, spec.title, "title")
    words = "needs a larger window"
    fits = column + 2 + len(words) <= buffer.width or buffer.height < 2
    buffer.put(*((0, column + 2) if fits else (1, 0)), words, "label")
    return buffer


def _window(spec: ChartSpec, prepared: Sequence[PreparedCurve], view: View) -> tuple[Viewport | None, tuple[str, ...]]:
    """The limits of the plane, still without a size, and what they and the view hide."""
    ends = full_range(prepared, spec.x)
    if ends is None:
        return None, ()
    x_low = ends[0] if view.x_low is None else view.x_low
    x_high = ends[1] if view.x_high is None else view.x_high
    seen: list[Floats] = []
    for one in prepared:
        inside = slice(np.searchsorted(one.x, x_low), np.searchsorted(one.x, x_high, side="right"))
        seen += [one.y[inside], one.raw[inside]] if view.smoothing.method is not Method.NONE else [one.y[inside]]
        if one.low is not None and one.high is not None:
            seen += [one.low[inside], one.high[inside]]
    found = limits(seen, clip=view.clip)
    notes = list(_notes(view, sum(one.num_hidden for one in prepared))) + _cut_means(spec, prepared)
    if found is None:
        return Viewport(x_low, x_high, 0.0, 1.0, 0, 0), tuple(notes)
    if spec.y is Measure.SHARE:
        beyond = _count_beyond(prepared, 0.0 if view.log else 1.0)
        notes += [f"{beyond} point{'s' * (beyond > 1)} above 100%"] if beyond else []
    if found.num_hidden:
        notes.append(f"clip hides {found.num_hidden} point{'s' * (found.num_hidden > 1)}")
    elif view.clip:
        notes.append("clip: nothing hidden")
    measure = Measure.NUMBER if view.log else spec.y
    y_low, y_high = axis.padded(found.low, found.high, measure)
    if view.log and spec.y is Measure.SHARE:
        y_high = min(0.0, y_high)
    return Viewport(x_low, x_high, y_low, y_high, 0, 0), tuple(notes)


def _cut_means(spec: ChartSpec, prepared: Sequence[PreparedCurve]) -> list[str]:
    """Where means over runs end although some of the runs go on; nothing where none does."""
    ends = sorted({float(one.x[-1]) for one in prepared if one.curve.is_cut and len(one.x)})
    if len(ends) > 1:
        return [f"means end with their shortest runs, from {format_x(ends[0], spec)} on"]
    return [f"mean to {format_x(end, spec)}, the shortest run" for end in ends]


def _count_beyond(prepared: Sequence[PreparedCurve], most: float) -> int:
    return sum(int(np.count_nonzero(one.raw > most)) for one in prepared)


def _notes(view: View, num_hidden: int) -> Iterator[str]:
    if view.log:
        yield "log"
    if view.smoothing.method is not Method.NONE:
        yield str(view.smoothing)
    if num_hidden:
        why = "not above 0" if view.log else "not finite"
        yield f"{num_hidden} point{'s' * (num_hidden > 1)} {why}"


def _head(
    buffer: CellBuffer,
    spec: ChartSpec,
    prepared: Sequence[PreparedCurve],
    view: View,
    notes: Sequence[str],
    dot_mode: DotMode,
    legend_rows: int,
) -> int:
    """Title, lines of notes, and a legend of so many more rows; returns the first row below them."""
    title = spec.title
    if view.crosshair is not None and prepared:
        title += f" at {format_x(view.crosshair, spec)}"
    column = buffer.put(0, 0, title, "title") + 2
    more = 0 if legend_rows else _MORE_CELLS
    fits = len(notes) == 1 and cell_len(notes[0]) + column + more <= buffer.width
    free = buffer.width - (cell_len(notes[0]) + 2 if fits else 0)
    named = [one for one in prepared if not one.curve.is_faint]

    def entries_of(cells: int) -> list[_Entry]:
        return [_legend_entry(one, spec, view, dot_mode, cells) for one in named]

    row = _legend(buffer, entries_of, column, free, legend_rows)
    if fits:
        buffer.put(0, buffer.width - cell_len(notes[0]), notes[0], "label")
        return row
    for index, note in enumerate(notes):  # What is hidden is said, if it takes lines of its own.
        buffer.put(row + index, 0, note, "label")
    return row + len(notes)


def _legend(buffer: CellBuffer, entries_of: Callable[[int], list[_Entry]], column: int, free: int, last: int) -> int:
    """Names and values, as many as a few lines hold, and how many more there are; the first row below.

    Names are cut only where whole ones would take another line, leave a curve out, or push a value off the buffer.
    """
    entries = entries_of(buffer.width)
    x_positions = _legend_places(buffer, entries, column, free, last)
    if any(cell_len(entry[1][0]) > _NAME_CELLS + 1 for entry in entries):
        cut = entries_of(_NAME_CELLS)
        wanted = _legend_places(buffer, cut, column, free, last)
        is_inside = all(_size(entry) <= buffer.width for entry in entries)
        if not is_inside or _extent(x_positions) != _extent(wanted):
            entries, x_positions = cut, wanted
    row = 0
    for (row, column), entry in zip(x_positions, entries, strict=False):
        for text, style in entry:
            column = buffer.put(row, column, text, style)
        column += _GAP
    if len(x_positions) < len(entries):
        buffer.put(row, column, f"+{len(entries) - len(x_positions)} more", "label")
    return row + 1


def _extent(x_positions: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """How many entries of a legend found a place, and the row of the last."""
    return len(x_positions), x_positions[-1][0] if x_positions else 0


def _legend_places(
    buffer: CellBuffer, entries: Sequence[_Entry], column: int, free: int, last: int
) -> list[tuple[int, int]]:
    """Row and column of each entry that fits into the legend's lines."""
    x_positions: list[tuple[int, int]] = []
    row = 0
    for index, entry in enumerate(entries):
        room = free if row == 0 else buffer.width
        if row == last and index + 1 < len(entries):
            room -= _MORE_CELLS
        if column and column + _size(entry) > room:
            if row == last:
                break
            row, column = row + 1, 0
        x_positions.append((row, column))
        column += _size(entry) + _GAP
    return x_positions


def _size(entry: _Entry) -> int:
    return sum(cell_len(text) for text, _ in entry)


def _legend_entry(one: PreparedCurve, spec: ChartSpec, view: View, dot_mode: DotMode, cells: int) -> _Entry:
    samples = _SAMPLES[dot_mode is DotMode.ASCII]
    sample = samples[2 if one.curve.is_baseline else one.curve.slot % len(samples)]
    marker = marker_of(one.curve.slot, dot_mode)
    style = style_of(one.curve)
    if view.crosshair is not None:
        value = value_at(one.x, one.plain, view.crosshair)
    else:
        last = last_finite(one.plain)
        value = None if last is None else float(one.plain[last])
    name = printable(one.curve.name, cells)
    return [(f"{sample}{marker} ", style), (f"{name} ", "name"), (format_y(value, spec.y), "value")]


def _axes(
    buffer: CellBuffer,
    spec: ChartSpec,
    viewport: Viewport,
    y_ticks: Sequence[Tick],
    corner: tuple[int, int],
    prepared: Sequence[PreparedCurve],
    dot_mode: DotMode,
) -> None:
    """Axis lines, grid, ticks and labels."""
    left, top = corner
    vertical, horizontal, mark, foot, bend, grid = _LINES[dot_mode is DotMode.ASCII]
    bottom = top + viewport.rows
    for row in range(top, bottom):
        buffer.put(row, left - 1, vertical, "axis")
    buffer.put(bottom, left - 1, bend + horizontal * viewport.columns, "axis")
    used: set[int] = set()
    for tick in reversed(y_ticks):
        share = (viewport.y_high - tick.at) / (viewport.y_high - viewport.y_low)
        row = top + viewport.row(share, dot_mode)
        if row in used or not top <= row < bottom:
            continue
        used.add(row)
        buffer.put(row, left - 2 - len(tick.label), tick.label, "label")
        buffer.put(row, left - 1, mark, "axis")
        if dot_mode is not DotMode.ASCII:
            buffer.put(row, left, grid * viewport.columns, "grid")
    buffer.put(bottom + 1, left - 2 - len(spec.x_title), spec.x_title, "label")
    for tick in _x_ticks(spec, viewport, prepared):
        share = (tick.at - viewport.x_low) / (viewport.x_high - viewport.x_low)
        column = left + viewport.column(share, dot_mode)
        buffer.put(bottom, column, foot, "axis")
        start = min(max(left - 1, column - len(tick.label) // 2), buffer.width - len(tick.label))
        buffer.put(bottom + 1, start, tick.label, "label")


def _x_ticks(spec: ChartSpec, viewport: Viewport, prepared: Sequence[PreparedCurve]) -> list[Tick]:
    """Ticks of the x axis; the last whole place that has a point is among them."""
    span = viewport.x_high - viewport.x_low
    widest = max(len(axis.label([end], spec.x, 1.0)[0].label) for end in (viewport.x_low, viewport.x_high))
    ticks = axis.ticks(viewport.x_low, viewport.x_high, spec.x, max(2, viewport.columns // (widest + 4)))
    stops = [int(np.searchsorted(one.x, viewport.x_high, side="right")) for one in prepared]
    found = limits([finite_ends(one.x[:stop], one.y[:stop]) for one, stop in zip(prepared, stops, strict=True)])
    if found is None or found.high < viewport.x_low:
        return ticks
    last = float(math.floor(found.high)) if spec.x is Measure.COUNT else found.high
    if last < viewport.x_low:
        return ticks
    gap = span * (widest + 2) / max(1, viewport.columns)
    before = [tick for tick in ticks if tick.at <= last]
    after = [tick for tick in ticks if tick.at - last >= gap]
    return [*axis.with_last(before, last, spec.x, gap), *after]
