"""The plane of a chart: cells of text, and curves, bands, markers and a crosshair drawn into them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from rich.cells import cell_len

from alexnet_tui.text import printable
from alexnet_tui.tui.charts.model import ChartSpec, Curve, PreparedCurve, format_x
from alexnet_tui.tui.charts.raster import (
    BASELINE_DASH,
    DASHES,
    EDGE_DASH,
    MARKERS,
    DotMode,
    Dots,
    Viewport,
    character,
    column_extents,
    dashed,
    dithered,
    dots,
    pack_cells,
)
from alexnet_tui.tui.charts.series import Floats, last_finite, nearest_index, value_at

import numpy as np  # isort: skip  # After series, which sets numpy's threads.

END_LABEL_CELLS = 14
_REACH = 5


@dataclass(slots=True)
class CellBuffer:
    """Cells of text with the name of a style each; a cell behind a wide character is empty text."""

    width: int
    height: int
    chars: list[list[str]] = field(init=False)
    styles: list[list[str]] = field(init=False)

    def __post_init__(self) -> None:
        self.chars = [[" "] * self.width for _ in range(self.height)]
        self.styles = [[""] * self.width for _ in range(self.height)]

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

    def runs(self, row: int) -> Iterator[tuple[str, str]]:
        """Text and style name of each stretch of one style."""
        start = 0
        styles, chars = self.styles[row], self.chars[row]
        for column in range(1, self.width + 1):
            if column == self.width or styles[column] != styles[start]:
                yield "".join(chars[start:column]), styles[start]
                start = column


def marker_of(slot: int, dot_mode: DotMode) -> str:
    """The marker of the curves with this slot."""
    return MARKERS[dot_mode][slot % len(MARKERS[dot_mode])]


def style_of(curve: Curve) -> str:
    """The name of a curve's style."""
    return "baseline" if curve.is_baseline else f"series-{curve.slot}"


@dataclass(slots=True)
class PlotArea:
    """The part of a buffer between the axes."""

    buffer: CellBuffer
    viewport: Viewport
    left: int
    top: int
    dot_mode: DotMode

    def curves(self, prepared: Sequence[PreparedCurve], no_color: bool) -> None:
        """Bands first, then raw curves behind smoothed ones, baselines, and the curves themselves."""
        for one in prepared:
            if one.low is not None and one.high is not None:
                self._area(one)
        for one in prepared:
            if one.raw is not one.y:
                self._line(one.x, one.raw, one.curve, "-faint")
            if one.curve.is_faint:
                self._line(one.x, one.y, one.curve, "-faint")
        named = [one for one in prepared if not one.curve.is_faint]
        ordered = sorted(named, key=lambda one: (one.curve.is_chosen, not one.curve.is_baseline, -one.curve.slot))
        for one in ordered:
            self._line(one.x, one.y, one.curve, "")
        for one in ordered:
            self._markers(one, no_color)

    def _area(self, one: PreparedCurve) -> None:
        assert one.low is not None
        assert one.high is not None
        low, _ = column_extents(one.x, one.low, self.viewport, self.dot_mode)
        _, high = column_extents(one.x, one.high, self.viewport, self.dot_mode)
        if self.dot_mode is not DotMode.ASCII:
            filled = dithered(dots(low, high, self.viewport, self.dot_mode))
            self._paint(filled, style_of(one.curve) + "-faint", ".")
        for edge in (one.low, one.high):
            self._line(one.x, edge, one.curve, "-faint", ".")

    def _line(self, x: Floats, y: Floats, curve: Curve, suffix: str, marker: str = "") -> None:
        low, high = column_extents(x, y, self.viewport, self.dot_mode)
        filled = dots(low, high, self.viewport, self.dot_mode)
        dash = DASHES[0] if suffix else DASHES[curve.slot % len(DASHES)]
        if curve.is_baseline or marker:
            dash = EDGE_DASH if marker else BASELINE_DASH
        if self.dot_mode is DotMode.BRAILLE:
            filled = dashed(filled, dash)
        sign = marker or ("." if suffix or curve.is_baseline else marker_of(curve.slot, self.dot_mode))
        self._paint(filled, style_of(curve) + suffix, sign)

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
        """Row and column on the buffer of a point, or None outside the plane."""
        viewport = self.viewport
        across = (x - viewport.x_low) / (viewport.x_high - viewport.x_low)
        down = (viewport.y_high - y) / (viewport.y_high - viewport.y_low)
        if not (-1e-9 <= across <= 1 + 1e-9 and -1e-9 <= down <= 1 + 1e-9):
            return None
        return self.top + viewport.row(down, self.dot_mode), self.left + viewport.column(across, self.dot_mode)

    def _markers(self, one: PreparedCurve, no_color: bool) -> None:
        """A marker on the last point, and where colour tells nothing apart, on others along the curve."""
        last = self._last_seen(one)
        if last is None or one.x[last] < self.viewport.x_low:
            return
        chosen = {last}
        if no_color and not one.curve.is_baseline:
            finite = np.flatnonzero(
                np.isfinite(one.y) & (one.x >= self.viewport.x_low) & (one.x <= self.viewport.x_high)
            )
            count = max(2, self.viewport.columns // 14)
            offset = (one.curve.slot % 8) / 8
            chosen |= {int(finite[int((step + offset) * len(finite) / count)]) for step in range(count)}
        for index in chosen:
            self._mark(float(one.x[index]), float(one.y[index]), one.curve)

    def _last_seen(self, one: PreparedCurve) -> int | None:
        """Index of a curve's last point that is not right of the viewport."""
        return last_finite(one.y[: int(np.searchsorted(one.x, self.viewport.x_high, side="right"))])

    def _mark(self, x: float, y: float, curve: Curve, style: str = "") -> None:
        place = self.cell(x, y)
        if place is not None:
            self.buffer.put(*place, marker_of(curve.slot, self.dot_mode), style or style_of(curve))

    def crosshair(self, spec: ChartSpec, prepared: Sequence[PreparedCurve], at: float) -> None:
        """A vertical line through the plane, each curve's point on it, and the place on the axis."""
        place = self.cell(at, self.viewport.y_low)
        if place is None:
            return
        column = place[1]
        line = "|" if self.dot_mode is DotMode.ASCII else "│"
        for row in range(self.top, self.top + self.viewport.rows):
            if self.buffer.styles[row][column] in {"", "grid"}:
                self.buffer.put(row, column, line, "crosshair")
        for one in prepared:
            if len(one.x) and value_at(one.x, one.y, at) is not None:
                index = nearest_index(one.x, at)
                self._mark(float(one.x[index]), float(one.y[index]), one.curve, style_of(one.curve) + "-crosshair")
        shown = f" {format_x(at, spec).removeprefix(spec.x_title).strip()} "
        start = min(max(self.left, column - len(shown) // 2), self.buffer.width - len(shown))
        row = self.top + self.viewport.rows + 1
        self._clear_label(row, start - 1, -1)
        self._clear_label(row, start + len(shown), 1)
        self.buffer.put(row, start, shown, "crosshair-label")

    def _clear_label(self, row: int, column: int, direction: int) -> None:
        """Take away the rest of a tick's label that the crosshair's own covers in part."""
        while self.left - 1 <= column < self.buffer.width and self.buffer.chars[row][column] != " ":
            self.buffer.put(row, column, " ", "")
            column += direction

    def end_labels(self, prepared: Sequence[PreparedCurve], most: int) -> None:
        """Names of at most so many cells behind the curves' last points, moved apart where they would touch."""
        wanted: list[tuple[float, int, int, Curve]] = []
        for one in prepared:
            last = self._last_seen(one)
            place = None if last is None else self.cell(float(one.x[last]), float(one.y[last]))
            if last is not None and place is not None:
                wanted.append((float(one.y[last]), *place, one.curve))
        wanted.sort(key=lambda entry: -entry[0])
        placed: list[tuple[int, range]] = []
        for _, row, column, curve in wanted:
            name = printable(curve.name, most)
            cells = range(column + 2, column + 2 + cell_len(name))
            # Below every name it would touch that belongs to a higher curve: names stand in the order of the curves.
            above = max((other for other, taken in placed if _touch(cells, taken)), default=-1)
            free = next((near for near in self._near(row) if near > above), None)
            if free is not None:
                placed.append((free, cells))
                self.buffer.put(free, column + 2, name, style_of(curve))

    def _near(self, row: int) -> Iterator[int]:
        """Rows of the plane within reach of a label, the nearest first."""
        for distance in sorted(range(-_REACH, _REACH + 1), key=abs):
            if self.top <= row + distance < self.top + self.viewport.rows:
                yield row + distance


def _touch(cells: range, other: range) -> bool:
    return cells.start <= other.stop and other.start <= cells.stop
