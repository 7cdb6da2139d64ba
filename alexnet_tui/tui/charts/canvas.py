"""The plot area of a chart: cells of text, and curves, bands, markers and a crosshair drawn into them."""

from collections.abc import Iterator, Sequence

import msgspec
from rich.cells import cell_len

from alexnet_tui.tui.charts.curve_styles import BASELINE_DASH, DASHES, EDGE_DASH, marker_of, style_of
from alexnet_tui.tui.charts.model import ChartSpec, Curve, PreparedCurve, View, format_x, format_y, value_of
from alexnet_tui.tui.charts.raster import (
    Colours,
    DotMode,
    Dots,
    Viewport,
    character,
    column_extents,
    covered_cells,
    dashed,
    dithered,
    dots,
    pack_cells,
    thickened,
)
from alexnet_tui.tui.charts.series import Floats, last_finite, nearest_index, value_at
from alexnet_tui.tui.run_names import cut_name

import numpy as np  # isort: skip  # After series, which sets numpy's threads.

_REACH = 5
MARKER_CELLS = 2
"""A marker before a label's name, and a blank."""
GRID_STYLE = "grid"


class CellBuffer:
    """Cells of text with the name of a style each; a cell behind a wide character is empty text.

    `tints` names the background of each cell of a row, or is None for a row without any.
    """

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self.chars = [[" "] * width for _ in range(height)]
        self.styles = [[""] * width for _ in range(height)]
        self.tints: list[list[str] | None] = [None] * height

    def put(self, row: int, column: int, text: str, style: str) -> int:
        """Write text, cut at the buffer's edges; returns the column behind it."""
        for char in text:
            size = cell_len(char)
            if not size:
                continue
            if 0 <= row < self.height and column >= 0 and column + size <= self.width:
                self.chars[row][column], self.styles[row][column] = char, style
                if size == 2:
                    self.chars[row][column + 1], self.styles[row][column + 1] = "", style
            column += size
        return column

    def tint(self, row: int, column: int, name: str) -> None:
        """Give a cell a background."""
        line = self.tints[row]
        if line is None:
            line = self.tints[row] = [""] * self.width
        line[column] = name

    def is_row_equal(self, other: "CellBuffer", row: int) -> bool:
        """Whether a row looks the same in another buffer of the same size."""
        return (
            self.chars[row] == other.chars[row]
            and self.styles[row] == other.styles[row]
            and self.tints[row] == other.tints[row]
        )

    def spans(self, row: int) -> Iterator[tuple[str, str, str]]:
        """Text, style and background of each stretch that has one style and one background."""
        start = 0
        styles, chars, tints = self.styles[row], self.chars[row], self.tints[row]
        keys: Sequence[object] = styles if tints is None else list(zip(styles, tints, strict=True))
        for column in range(1, self.width + 1):
            if column == self.width or keys[column] != keys[start]:
                yield "".join(chars[start:column]), styles[start], "" if tints is None else tints[start]
                start = column


class PlotArea(msgspec.Struct):
    """The part of a buffer between the axes."""

    buffer: CellBuffer
    viewport: Viewport
    left: int
    top: int
    dot_mode: DotMode
    colours: Colours

    def draw_curves(self, prepared: Sequence[PreparedCurve]) -> None:
        """Bands first, then raw curves behind smoothed ones, baselines, and the curves themselves."""
        named = [one for one in prepared if not one.curve.is_faint]
        ordered = sorted(named, key=_drawing_order)
        for one in ordered:
            if one.low is not None and one.high is not None:
                self._draw_band(one, one.low, one.high)
        for one in prepared:
            if one.raw is not one.y:
                self._draw_line(one.x, one.raw, one.curve, is_faint=True)
            if one.curve.is_faint:
                self._draw_line(one.x, one.y, one.curve, is_faint=True)
        for one in ordered:
            self._draw_line(one.x, one.y, one.curve)
        if self.colours is Colours.NONE:
            for one in ordered:
                self._draw_markers(one)

    def _draw_band(self, one: PreparedCurve, low_edge: Floats, high_edge: Floats) -> None:
        """A tinted background; dots and the two edges where the terminal cannot tint."""
        low, _ = column_extents(one.x, low_edge, self.viewport, self.dot_mode)
        _, high = column_extents(one.x, high_edge, self.viewport, self.dot_mode)
        filled = dots(low, high, self.viewport, self.dot_mode)
        if self.colours is Colours.FULL:
            rows, columns = np.nonzero(covered_cells(filled, self.dot_mode))
            for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
                self.buffer.tint(self.top + row, self.left + column, style_of(one.curve))
            return
        if self.dot_mode is not DotMode.ASCII:
            self._paint(dithered(filled), style_of(one.curve) + "-faint", ".")
        for edge in (low_edge, high_edge):
            edge_dots = dots(*column_extents(one.x, edge, self.viewport, self.dot_mode), self.viewport, self.dot_mode)
            if self.dot_mode is DotMode.BRAILLE:
                edge_dots = dashed(edge_dots, EDGE_DASH)
            self._paint(edge_dots, style_of(one.curve) + "-faint", ".")

    def _draw_line(self, x: Floats, y: Floats, curve: Curve, *, is_faint: bool = False) -> None:
        """A solid line; dashed by its slot where no colour tells curves apart."""
        low, high = column_extents(x, y, self.viewport, self.dot_mode)
        filled = dots(low, high, self.viewport, self.dot_mode)
        if curve.is_chosen and not is_faint and self.dot_mode is DotMode.BRAILLE:
            filled = thickened(filled)
        if self.colours is Colours.NONE and self.dot_mode is DotMode.BRAILLE and not is_faint:
            filled = dashed(filled, BASELINE_DASH if curve.is_baseline else DASHES[curve.slot % len(DASHES)])
        marker = "." if is_faint or curve.is_baseline else marker_of(curve.slot, self.dot_mode)
        self._paint(filled, style_of(curve) + ("-faint" if is_faint else ""), marker)

    def _paint(self, filled: Dots, style: str, marker: str) -> None:
        packed = pack_cells(filled, self.dot_mode)
        rows, columns = np.nonzero(packed)
        for row, column, code in zip(rows.tolist(), columns.tolist(), packed[rows, columns].tolist(), strict=True):
            line, styles = self.buffer.chars[self.top + row], self.buffer.styles[self.top + row]
            if self.dot_mode is DotMode.BRAILLE and not styles[self.left + column].endswith("-faint"):
                old = ord(line[self.left + column])
                code |= old & 0xFF if 0x2800 <= old <= 0x28FF else 0
            line[self.left + column] = character(code, self.dot_mode, marker)
            styles[self.left + column] = style

    def cell(self, x: float, y: float) -> tuple[int, int] | None:
        """Row and column in the buffer of a point, or None outside the plot area."""
        viewport = self.viewport
        across = (x - viewport.x_low) / (viewport.x_high - viewport.x_low)
        down = (viewport.y_high - y) / (viewport.y_high - viewport.y_low)
        if not (-1e-9 <= across <= 1 + 1e-9 and -1e-9 <= down <= 1 + 1e-9):
            return None
        return self.top + viewport.row(down, self.dot_mode), self.left + viewport.column(across, self.dot_mode)

    def _draw_markers(self, one: PreparedCurve) -> None:
        """Markers along a curve, where no colour tells curves apart."""
        is_inside = (one.x >= self.viewport.x_low) & (one.x <= self.viewport.x_high)
        finite = np.flatnonzero(np.isfinite(one.y) & is_inside)
        if one.curve.is_baseline or not len(finite):
            return
        count = max(2, self.viewport.columns // 14)
        offset = (one.curve.slot % 8) / 8
        for index in {int(finite[int((step + offset) * len(finite) / count)]) for step in range(count)}:
            self._mark(float(one.x[index]), float(one.y[index]), one.curve)

    def draw_end_markers(self, prepared: Sequence[PreparedCurve]) -> None:
        """A marker on the last point of each curve, as measured and not smoothed; the chosen one's above the others."""
        for one in sorted(prepared, key=_drawing_order):
            last = self._last_seen(one)
            if last is not None:
                self._mark(float(one.x[last]), float(one.raw[last]), one.curve)

    def _last_seen(self, one: PreparedCurve) -> int | None:
        """Index of a curve's last point that is not right of the viewport."""
        return last_finite(one.y[: int(np.searchsorted(one.x, self.viewport.x_high, side="right"))])

    def _mark(self, x: float, y: float, curve: Curve, style: str = "") -> None:
        place = self.cell(x, y)
        if place is not None:
            self.buffer.put(*place, marker_of(curve.slot, self.dot_mode), style or style_of(curve))

    def draw_crosshair(self, spec: ChartSpec, prepared: Sequence[PreparedCurve], at: float) -> None:
        """A vertical line through the plot area, each curve's point on it as measured, and its place on the axis."""
        place = self.cell(at, self.viewport.y_low)
        if place is None:
            return
        column = place[1]
        line = "|" if self.dot_mode is DotMode.ASCII else "│"
        for row in range(self.top, self.top + self.viewport.rows):
            if self.buffer.styles[row][column] in {"", GRID_STYLE}:
                self.buffer.put(row, column, line, "crosshair")
        for one in prepared:
            if len(one.x) and value_at(one.x, one.y, at) is not None:
                index = nearest_index(one.x, at)
                self._mark(float(one.x[index]), float(one.raw[index]), one.curve, style_of(one.curve) + "-crosshair")
        shown = f" {format_x(at, spec).removeprefix(spec.x_title).strip()} "
        start = min(max(self.left, column - len(shown) // 2), self.buffer.width - len(shown))
        row = self.top + self.viewport.rows + 1
        self._clear_label(row, start - 1, -1)
        self._clear_label(row, start + len(shown), 1)
        self.buffer.put(row, start, shown, "crosshair-label")

    def _clear_label(self, row: int, column: int, direction: int) -> None:
        """Remove the rest of a tick's label that the crosshair's own covers in part."""
        while self.left - 1 <= column < self.buffer.width and self.buffer.chars[row][column] != " ":
            self.buffer.put(row, column, " ", "")
            column += direction

    def draw_end_labels(
        self, spec: ChartSpec, prepared: Sequence[PreparedCurve], view: View, name_cells: int
    ) -> list["Label"]:
        """Marker, name and value behind each curve's last point, moved apart where they would touch, off the curves.

        Where one had to be moved, each has a marker before its name: the point beside it may be another curve's.

        Returns the labels that found room within a few rows of their point.
        """
        wanted: list[tuple[float, int, int, PreparedCurve]] = []
        for one in prepared:
            last = self._last_seen(one)
            place = None if last is None else self.cell(float(one.x[last]), float(one.raw[last]))
            if last is not None and place is not None:
                wanted.append((float(one.raw[last]), *place, one))
        wanted.sort(key=lambda entry: -entry[0])
        self.draw_end_markers(prepared)
        placed: list[Label] = []
        texts: list[tuple[PreparedCurve, str, str]] = []
        is_moved = False
        for _, row, column, one in wanted:
            value, marker = format_y(value_of(one, view), spec), marker_of(one.curve.slot, self.dot_mode)
            # A curve that ends early leaves more room than the margin has.
            room = max(name_cells, self.buffer.width - column - 3 - MARKER_CELLS - cell_len(value))
            name = cut_name(one.curve.name, room) if spec.has_names else ""
            width = MARKER_CELLS + cell_len(name) + bool(name) + cell_len(value)
            start = max(0, min(column + 2, self.buffer.width - width))
            cells = range(start, start + width)
            # Below every label it would touch that belongs to a higher curve: the order is that of the curves.
            above = max((label.row for label in placed if _touch(cells, label.cells)), default=-1)
            free = next((near for near in self._near(row) if near > above and self._is_clear(near, cells)), None)
            if free is None:
                continue
            placed.append(Label(free, cells, one.curve.name))
            texts.append((one, name, value))
            is_moved |= free != row or self.buffer.chars[row][column] != marker
        for label, (one, name, value) in zip(placed, texts, strict=True):
            marker = f"{marker_of(one.curve.slot, self.dot_mode)} " if is_moved else ""
            end = self.buffer.put(
                label.row, label.cells.start, marker + (f"{name} " if name else ""), style_of(one.curve)
            )
            self.buffer.put(label.row, end, value, "value" if name else style_of(one.curve))
        return placed

    def _is_clear(self, row: int, cells: range) -> bool:
        """Whether no curve passes through these cells."""
        return all(style in {"", GRID_STYLE} for style in self.buffer.styles[row][cells.start : cells.stop])

    def _near(self, row: int) -> Iterator[int]:
        """Rows of the plot area within reach of a label, the nearest first."""
        for distance in sorted(range(-_REACH, _REACH + 1), key=abs):
            if self.top <= row + distance < self.top + self.viewport.rows:
                yield row + distance


class Label(msgspec.Struct, frozen=True):
    """A curve's name on a chart: its row, its cells, and the curve's own name."""

    row: int
    cells: range
    curve: str


def _drawing_order(one: PreparedCurve) -> tuple[bool, bool, int]:
    """Baselines are drawn first, the chosen curve last."""
    return one.curve.is_chosen, not one.curve.is_baseline, -one.curve.slot


def _touch(cells: range, other: range) -> bool:
    return cells.start <= other.stop and other.start <= cells.stop
