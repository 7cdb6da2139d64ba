"""One chart as rows of styled text: curves and a view in, a `RenderedChart` out; pure, the widget only paints it.

Charts do not lie: gaps stay gaps, the last point is marked, a clip or a logarithm shows how many points it
hides, and every curve has a marker and a name beside its colour, and a dash where there is no colour.
"""

import math
from collections.abc import Iterator, Sequence

import msgspec
from rich.cells import cell_len

from alexnet_tui.text import counted, printable
from alexnet_tui.tui.charts import axis
from alexnet_tui.tui.charts.axis import Measure, Tick
from alexnet_tui.tui.charts.canvas import GRID_STYLE, MARKER_CELLS, CellBuffer, Label, PlotArea
from alexnet_tui.tui.charts.legend import draw_head, note_lines
from alexnet_tui.tui.charts.model import ChartSpec, PreparedCurve, View, format_x, format_y, full_range, value_of
from alexnet_tui.tui.charts.raster import Colours, DotMode, Viewport
from alexnet_tui.tui.charts.series import Floats, Method, finite_ends, limits

import numpy as np  # isort: skip  # After series, which sets numpy's threads.

_ASCII_LINES, _LINES = ("|", "-", "+", "+", "+", "."), ("│", "─", "┤", "┴", "└", "┈")
_WIDTH_WITH_END_LABELS, _FEWEST_LABEL_CELLS = 76, 22
_FEWEST_COLUMNS, _FEWEST_ROWS, _X_AXIS_ROWS = 4, 2, 2


class RenderedChart(msgspec.Struct, frozen=True):
    """A rendered chart, with what a mouse needs to find its way on it.

    Attributes:
        buffer: Its cells.
        viewport: What the plot area shows; None where nothing was plotted.
        left: First column of the plot area.
        top: First row of the plot area.
        notes: What is hidden or changed, in words.
        labels: Where each curve is named.
    """

    buffer: CellBuffer
    viewport: Viewport | None = None
    left: int = 0
    top: int = 0
    notes: tuple[str, ...] = ()
    labels: tuple[Label, ...] = ()

    def x_at(self, column: int) -> float | None:
        """The x value under a column of the buffer, or None outside the plot area."""
        viewport = self.viewport
        if viewport is None or not 0 <= column - self.left < viewport.columns:
            return None
        share = (column - self.left + 0.5) / viewport.columns
        return viewport.x_low + share * (viewport.x_high - viewport.x_low)

    def curve_at(self, column: int, row: int) -> str | None:
        """The curve named in a cell, or None."""
        return next((label.curve for label in self.labels if label.row == row and column in label.cells), None)


def draw(
    spec: ChartSpec,
    prepared: Sequence[PreparedCurve],
    view: View,
    size: tuple[int, int],
    dot_mode: DotMode = DotMode.BRAILLE,
    colours: Colours = Colours.FULL,
) -> RenderedChart:
    """The chart at `size` cells, width and height."""
    width, height = size
    named = [one for one in prepared if not one.curve.is_faint]
    shown = [one for one in prepared if one.curve.name not in view.hidden]
    viewport, notes = _viewport(spec, prepared, shown, view)
    buffer = CellBuffer(width, height)
    if viewport is None:
        labels = draw_head(buffer, spec, view, named, notes, [], dot_mode)
        message = printable(spec.empty if not view.hidden or shown else "every curve is hidden", width)
        buffer.put((height + 1) // 2, max(0, (width - cell_len(message)) // 2), message, "label")
        return RenderedChart(buffer, notes=notes, labels=tuple(labels))
    if not view.log:
        spec = msgspec.structs.replace(spec, y_span=viewport.y_high - viewport.y_low)
    ends = [one for one in named if one.curve.name not in view.hidden]
    with_ends = width >= _WIDTH_WITH_END_LABELS and len(ends) > 1
    in_head = [one for one in named if one.curve.name in view.hidden] if with_ends else named
    lines = note_lines(spec, view, in_head, notes, size)
    top = 1 + len(lines)
    name_cells, right = _end_label_cells(spec, ends, view, width) if with_ends else (0, 1)
    rows = height - top - _X_AXIS_ROWS
    viewport, y_ticks = _scaled(spec, viewport, view, rows, dot_mode)
    left = max(len(spec.x_title), max((len(tick.label) for tick in y_ticks), default=0)) + 2
    viewport = msgspec.structs.replace(viewport, columns=width - left - right, rows=rows)
    if viewport.columns < _FEWEST_COLUMNS or rows < _FEWEST_ROWS:
        return RenderedChart(_too_small(spec, buffer), notes=notes)
    _axes(buffer, spec, viewport, y_ticks, (left, top), prepared, dot_mode)
    area = PlotArea(buffer, viewport, left, top, dot_mode, colours)
    area.draw_curves(shown)
    if view.crosshair is not None:
        area.draw_crosshair(spec, ends, view.crosshair)
    if not with_ends:
        area.draw_end_markers(ends)
    labels = area.draw_end_labels(spec, ends, view, name_cells) if with_ends else []
    beside = {label.curve for label in labels}
    # Values alone say nothing of curves that are named on another chart.
    is_named = spec.has_names or not with_ends
    in_head = [one for one in named if one.curve.name not in beside and (is_named or one.curve.name in view.hidden)]
    labels += draw_head(buffer, spec, view, in_head, notes, lines, dot_mode)
    return RenderedChart(buffer, viewport, left, top, notes, tuple(labels))


def _end_label_cells(spec: ChartSpec, ends: Sequence[PreparedCurve], view: View, width: int) -> tuple[int, int]:
    """Cells of the longest name behind a curve's end, and of the margin that holds name and value."""
    values = max(cell_len(format_y(value_of(one, view), spec)) for one in ends)
    if not spec.has_names:
        return 0, values + 2 + MARKER_CELLS
    longest = max(cell_len(one.curve.name) for one in ends)
    names = min(longest, max(_FEWEST_LABEL_CELLS, width // 4) - values - 1)
    return names, names + 1 + values + 2 + MARKER_CELLS


def _scaled(
    spec: ChartSpec, viewport: Viewport, view: View, rows: int, dot_mode: DotMode
) -> tuple[Viewport, list[Tick]]:
    """The viewport's limits moved so that ticks are evenly spaced on whole rows, and those ticks."""
    low, high = viewport.y_low, viewport.y_high
    measure = Measure.NUMBER if view.log else spec.y
    if not view.log and (scale := axis.even_scale(low, high, measure, rows, dot_mode.value[1])):
        return msgspec.structs.replace(viewport, y_low=scale[0], y_high=scale[1]), scale[2]
    y_low, y_high = axis.padded(low, high, measure)
    if view.log and spec.y is Measure.SHARE:
        y_high = min(0.0, y_high)
    most = max(2, min(9, rows * 2 // 5))
    return (
        msgspec.structs.replace(viewport, y_low=y_low, y_high=y_high),
        axis.ticks(y_low, y_high, spec.y, most, log=view.log),
    )


def _too_small(spec: ChartSpec, chart: CellBuffer) -> CellBuffer:
    """A word in place of a chart there is no room for."""
    buffer = CellBuffer(chart.width, chart.height)
    column = buffer.put(0, 0, spec.title, "title")
    words = "needs a larger window"
    fits = column + 2 + len(words) <= buffer.width or buffer.height < 2
    buffer.put(*((0, column + 2) if fits else (1, 0)), words, "label")
    return buffer


def _viewport(
    spec: ChartSpec, prepared: Sequence[PreparedCurve], shown: Sequence[PreparedCurve], view: View
) -> tuple[Viewport | None, tuple[str, ...]]:
    """The limits of what is shown, without a size and without air, and what they and the view hide."""
    ends = full_range(prepared, spec)
    if ends is None or not shown:
        return None, ()
    x_low = ends[0] if view.x_low is None else view.x_low
    x_high = ends[1] if view.x_high is None else view.x_high
    seen: list[Floats] = []
    for one in shown:
        inside = slice(np.searchsorted(one.x, x_low), np.searchsorted(one.x, x_high, side="right"))
        seen += [one.y[inside], one.raw[inside]] if view.smoothing.method is not Method.NONE else [one.y[inside]]
        if one.low is not None and one.high is not None:
            seen += [one.low[inside], one.high[inside]]
    found = limits(seen, clip=view.clip)
    notes = list(_notes(view, sum(one.num_hidden for one in shown))) + _cut_means(spec, shown)
    if found is None:
        return Viewport(x_low, x_high, 0.0, 1.0, 0, 0), tuple(notes)
    if spec.y is Measure.SHARE:
        beyond = _count_beyond(shown, 0.0 if view.log else 1.0)
        notes += [f"{counted(beyond, 'point')} above 100%"] if beyond else []
    if found.num_hidden:
        notes.append(f"clip hides {counted(found.num_hidden, 'point')}")
    elif view.clip:
        notes.append("clip: nothing hidden")
    return Viewport(x_low, x_high, found.low, found.high, 0, 0), tuple(notes)


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
        yield f"smoothed: {view.smoothing}"
    if num_hidden:
        why = "not above 0" if view.log else "not finite"
        yield f"{counted(num_hidden, 'point')} {why}"


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
    vertical, horizontal, mark, foot, bend, grid = _ASCII_LINES if dot_mode is DotMode.ASCII else _LINES
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
            buffer.put(row, left, grid * viewport.columns, GRID_STYLE)
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
