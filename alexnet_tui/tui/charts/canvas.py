"""The plane of a chart: cells of text, and curves, bands, markers and a crosshair drawn into them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from rich.cells import cell_len

from alexnet_tui.text import printable
from alexnet_tui.tui.charts.model import Curve, Face, Prepared, format_x
from alexnet_tui.tui.charts.raster import (
    DASHES,
    EDGE_DASH,
    MARKERS,
    PACE_DASH,
    Dots,
    Ink,
    Window,
    character,
    dashed,
    dots,
    pack,
    stippled,
    trace,
)
from alexnet_tui.tui.charts.series import Floats, last_finite, nearest_index, value_at

import numpy as np  # isort: skip  # After series, which sets numpy's threads.

END_LABEL_CELLS = 14
_REACH = 5


@dataclass(slots=True)
class Sheet:
    """Cells of text with the name of a style each; a cell behind a wide character is empty text."""

    width: int
    height: int
    chars: list[list[str]] = field(init=False)
    styles: list[list[str]] = field(init=False)

    def __post_init__(self) -> None:
        self.chars = [[" "] * self.width for _ in range(self.height)]
        self.styles = [[""] * self.width for _ in range(self.height)]

    def put(self, row: int, column: int, text: str, style: str) -> int:
        """Write text, cut at the sheet's edges; returns the column behind it."""
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


def marker_of(slot: int, ink: Ink) -> str:
    """The marker of the curves with this slot."""
    return MARKERS[ink][slot % len(MARKERS[ink])]


def style_of(curve: Curve) -> str:
    """The name of a curve's style."""
    return "pace" if curve.is_pace else f"series-{curve.slot}"


@dataclass(slots=True)
class Plane:
    """The part of a sheet between the axes."""

    sheet: Sheet
    window: Window
    left: int
    top: int
    ink: Ink

    def curves(self, prepared: Sequence[Prepared], is_plain: bool) -> None:
        """Bands first, then raw curves behind smoothed ones, pace lines, and the curves themselves."""
        for one in prepared:
            if one.low is not None and one.high is not None:
                self._area(one)
        for one in prepared:
            if one.raw is not one.y:
                self._line(one.x, one.raw, one.curve, "-faint")
            if one.curve.is_faint:
                self._line(one.x, one.y, one.curve, "-faint")
        named = [one for one in prepared if not one.curve.is_faint]
        ordered = sorted(named, key=lambda one: (one.curve.is_on_top, not one.curve.is_pace, -one.curve.slot))
        for one in ordered:
            self._line(one.x, one.y, one.curve, "")
        for one in ordered:
            self._markers(one, is_plain)

    def _area(self, one: Prepared) -> None:
        assert one.low is not None
        assert one.high is not None
        low, _ = trace(one.x, one.low, self.window, self.ink)
        _, high = trace(one.x, one.high, self.window, self.ink)
        if self.ink is not Ink.ASCII:
            filled = stippled(dots(low, high, self.window, self.ink))
            self._paint(filled, style_of(one.curve) + "-faint", ".")
        for edge in (one.low, one.high):
            self._line(one.x, edge, one.curve, "-faint", ".")

    def _line(self, x: Floats, y: Floats, curve: Curve, suffix: str, marker: str = "") -> None:
        low, high = trace(x, y, self.window, self.ink)
        filled = dots(low, high, self.window, self.ink)
        dash = DASHES[0] if suffix else DASHES[curve.slot % len(DASHES)]
        if curve.is_pace or marker:
            dash = EDGE_DASH if marker else PACE_DASH
        if self.ink is Ink.BRAILLE:
            filled = dashed(filled, dash)
        sign = marker or ("." if suffix or curve.is_pace else marker_of(curve.slot, self.ink))
        self._paint(filled, style_of(curve) + suffix, sign)

    def _paint(self, filled: Dots, style: str, marker: str) -> None:
        packed = pack(filled, self.ink)
        rows, columns = np.nonzero(packed)
        for row, column, code in zip(rows.tolist(), columns.tolist(), packed[rows, columns].tolist(), strict=True):
            line, styles = self.sheet.chars[self.top + row], self.sheet.styles[self.top + row]
            if self.ink is Ink.BRAILLE and not styles[self.left + column].endswith("-faint"):
                old = ord(line[self.left + column])
                code |= old & 0xFF if 0x2800 <= old <= 0x28FF else 0
            line[self.left + column] = character(code, self.ink, marker)
            styles[self.left + column] = style

    def cell(self, x: float, y: float) -> tuple[int, int] | None:
        """Row and column on the sheet of a point, or None outside the plane."""
        window = self.window
        across = (x - window.x_low) / (window.x_high - window.x_low)
        down = (window.y_high - y) / (window.y_high - window.y_low)
        if not (-1e-9 <= across <= 1 + 1e-9 and -1e-9 <= down <= 1 + 1e-9):
            return None
        return self.top + window.row(down, self.ink), self.left + window.column(across, self.ink)

    def _markers(self, one: Prepared, is_plain: bool) -> None:
        """A marker on the last point, and where colour tells nothing apart, on others along the curve."""
        last = self._last_seen(one)
        if last is None or one.x[last] < self.window.x_low:
            return
        chosen = {last}
        if is_plain and not one.curve.is_pace:
            finite = np.flatnonzero(np.isfinite(one.y) & (one.x >= self.window.x_low) & (one.x <= self.window.x_high))
            count = max(2, self.window.columns // 14)
            offset = (one.curve.slot % 8) / 8
            chosen |= {int(finite[int((step + offset) * len(finite) / count)]) for step in range(count)}
        for index in chosen:
            self._mark(float(one.x[index]), float(one.y[index]), one.curve)

    def _last_seen(self, one: Prepared) -> int | None:
        """Index of a curve's last point that is not right of the window."""
        return last_finite(one.y[: int(np.searchsorted(one.x, self.window.x_high, side="right"))])

    def _mark(self, x: float, y: float, curve: Curve, style: str = "") -> None:
        place = self.cell(x, y)
        if place is not None:
            self.sheet.put(*place, marker_of(curve.slot, self.ink), style or style_of(curve))

    def cross(self, face: Face, prepared: Sequence[Prepared], at: float) -> None:
        """A vertical line through the plane, each curve's point on it, and the place on the axis."""
        place = self.cell(at, self.window.y_low)
        if place is None:
            return
        column = place[1]
        line = "|" if self.ink is Ink.ASCII else "│"
        for row in range(self.top, self.top + self.window.rows):
            if self.sheet.styles[row][column] in {"", "grid"}:
                self.sheet.put(row, column, line, "cross")
        for one in prepared:
            if len(one.x) and value_at(one.x, one.y, at) is not None:
                index = nearest_index(one.x, at)
                self._mark(float(one.x[index]), float(one.y[index]), one.curve, style_of(one.curve) + "-cross")
        shown = f" {format_x(at, face).removeprefix(face.x_title).strip()} "
        start = min(max(self.left, column - len(shown) // 2), self.sheet.width - len(shown))
        row = self.top + self.window.rows + 1
        self._clear_label(row, start - 1, -1)
        self._clear_label(row, start + len(shown), 1)
        self.sheet.put(row, start, shown, "cross-label")

    def _clear_label(self, row: int, column: int, direction: int) -> None:
        """Take away the rest of a tick's label that the crosshair's own covers in part."""
        while self.left - 1 <= column < self.sheet.width and self.sheet.chars[row][column] != " ":
            self.sheet.put(row, column, " ", "")
            column += direction

    def end_labels(self, prepared: Sequence[Prepared], most: int) -> None:
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
                self.sheet.put(free, column + 2, name, style_of(curve))

    def _near(self, row: int) -> Iterator[int]:
        """Rows of the plane within reach of a label, the nearest first."""
        for distance in sorted(range(-_REACH, _REACH + 1), key=abs):
            if self.top <= row + distance < self.top + self.window.rows:
                yield row + distance


def _touch(cells: range, other: range) -> bool:
    return cells.start <= other.stop and other.start <= cells.stop
