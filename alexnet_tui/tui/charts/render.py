"""One chart as rows of styled text: curves and a view in, a `Picture` out; pure, the widget only paints it.

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
from alexnet_tui.tui.charts.canvas import END_LABEL_CELLS, Plane, Sheet, marker_of, style_of
from alexnet_tui.tui.charts.model import Face, Prepared, View, format_x, format_y, full_range
from alexnet_tui.tui.charts.raster import Ink, Window
from alexnet_tui.tui.charts.series import Floats, Method, finite_ends, last_finite, limits, value_at

import numpy as np  # isort: skip  # After series, which sets numpy's threads.

_SAMPLES = {False: ("──", "╌╌", "┈┈", "─╌", "┄┄", "━━"), True: ("--", "- ", "..", "-.", ". ", "==")}
_LINES = {False: ("│", "─", "┤", "┴", "└", "┈"), True: ("|", "-", "+", "+", "+", ".")}
_WIDTH_WITH_END_LABELS = 76
_FEWEST_COLUMNS, _FEWEST_ROWS, _X_AXIS_ROWS = 4, 2, 2
_NAME_CELLS, _MORE_CELLS, _GAP = 24, 9, 2

_Entry = list[tuple[str, str]]
"""Texts of a legend's entry, each with its style."""


class Picture(msgspec.Struct, frozen=True):
    """A drawn chart, and where its plane lies, for a mouse to find its way.

    `window` and the place of its top left cell are None and 0 where nothing was drawn.
    """

    sheet: Sheet
    window: Window | None = None
    left: int = 0
    top: int = 0
    notes: tuple[str, ...] = ()

    def x_at(self, column: int) -> float | None:
        """The x value under a column of the sheet, or None outside the plane."""
        window = self.window
        if window is None or not 0 <= column - self.left < window.columns:
            return None
        share = (column - self.left + 0.5) / window.columns
        return window.x_low + share * (window.x_high - window.x_low)


def draw(
    face: Face,
    prepared: Sequence[Prepared],
    view: View,
    size: tuple[int, int],
    ink: Ink = Ink.BRAILLE,
    *,
    is_plain: bool = False,
) -> Picture:
    """The chart at `size` cells, width and height; `is_plain` repeats markers where there is no colour."""
    width, height = size
    window, notes = _window(face, prepared, view)
    sheet, top = _headed(face, prepared, view, notes, ink, size)
    if window is None:
        message = printable(face.empty, width)
        sheet.put(top + (height - top) // 2, max(0, (width - cell_len(message)) // 2), message, "label")
        return Picture(sheet, notes=notes)
    named = [one for one in prepared if not one.curve.is_faint]
    with_ends = width >= _WIDTH_WITH_END_LABELS and len(named) > 1
    most = max(END_LABEL_CELLS, width // 5)
    right = min(most, max(cell_len(one.curve.name) for one in named)) + 2 if with_ends else 1
    rows = height - top - _X_AXIS_ROWS
    y_ticks = axis.ticks(window.y_low, window.y_high, face.y, max(2, min(9, rows * 2 // 5)), log=view.log)
    left = max(len(face.x_title), max((len(tick.label) for tick in y_ticks), default=0)) + 2
    window = msgspec.structs.replace(window, columns=width - left - right, rows=rows)
    if window.columns < _FEWEST_COLUMNS or rows < _FEWEST_ROWS:
        return Picture(_too_small(face, sheet), notes=notes)
    _axes(sheet, face, window, y_ticks, (left, top), prepared, ink)
    plane = Plane(sheet, window, left, top, ink)
    plane.curves(prepared, is_plain)
    if view.cross is not None:
        plane.cross(face, named, view.cross)
    if with_ends:
        plane.end_labels(named, most)
    return Picture(sheet, window, left, top, notes)


def _headed(
    face: Face,
    prepared: Sequence[Prepared],
    view: View,
    notes: tuple[str, ...],
    ink: Ink,
    size: tuple[int, int],
) -> tuple[Sheet, int]:
    """A sheet with its head, and the first row below; legend, then notes, give way where no plane would be left."""
    width, height = size
    aside = _note_lines(notes, width, ink)
    short = [_cut(f"{aside[0]} ", width, ink, is_cut=True)] if aside[1:] else aside
    choices = [(0, short), (0, aside), (max(1, min(4, height // 5)), aside)]
    while True:
        legend_rows, lines = choices.pop()
        sheet = Sheet(width, height)
        top = _head(sheet, face, prepared, view, lines, ink, legend_rows)
        if not choices or height - top - _X_AXIS_ROWS >= _FEWEST_ROWS:
            return sheet, top


def _note_lines(notes: Sequence[str], width: int, ink: Ink) -> list[str]:
    """Notes side by side, on as many lines as they need."""
    lines: list[str] = []
    separator = " . " if ink is Ink.ASCII else " · "
    for note in notes:
        longer = lines[-1] + separator + note if lines else note
        if lines and cell_len(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(note)
    return [_cut(line, width, ink, is_cut=cell_len(line) > width) for line in lines]


def _cut(text: str, width: int, ink: Ink, *, is_cut: bool) -> str:
    """A line with a sign that some of it is missing, if it is."""
    return text[: max(0, width - 1)] + ("~" if ink is Ink.ASCII else "…") if is_cut else text


def _too_small(face: Face, drawn: Sheet) -> Sheet:
    """A word in place of a chart there is no room for."""
    sheet = Sheet(drawn.width, drawn.height)
    column = sheet.put(0, 0, face.title, "title")
    words = "needs a larger window"
    fits = column + 2 + len(words) <= sheet.width or sheet.height < 2
    sheet.put(*((0, column + 2) if fits else (1, 0)), words, "label")
    return sheet


def _window(face: Face, prepared: Sequence[Prepared], view: View) -> tuple[Window | None, tuple[str, ...]]:
    """The limits of the plane, still without a size, and what they and the view hide."""
    ends = full_range(prepared, face.x)
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
    notes = list(_notes(view, sum(one.num_hidden for one in prepared))) + _cut_means(face, prepared)
    if found is None:
        return Window(x_low, x_high, 0.0, 1.0, 0, 0), tuple(notes)
    if face.y is Measure.SHARE:
        beyond = _count_beyond(prepared, 0.0 if view.log else 1.0)
        notes += [f"{beyond} point{'s' * (beyond > 1)} above 100%"] if beyond else []
    if found.num_hidden:
        notes.append(f"clip hides {found.num_hidden} point{'s' * (found.num_hidden > 1)}")
    elif view.clip:
        notes.append("clip: nothing hidden")
    measure = Measure.NUMBER if view.log else face.y
    y_low, y_high = axis.padded(found.low, found.high, measure)
    if view.log and face.y is Measure.SHARE:
        y_high = min(0.0, y_high)
    return Window(x_low, x_high, y_low, y_high, 0, 0), tuple(notes)


def _cut_means(face: Face, prepared: Sequence[Prepared]) -> list[str]:
    """Where means over runs end although some of the runs go on; nothing where none does."""
    ends = sorted({float(one.x[-1]) for one in prepared if one.curve.is_cut and len(one.x)})
    if len(ends) > 1:
        return [f"means end with their shortest runs, from {format_x(ends[0], face)} on"]
    return [f"mean to {format_x(end, face)}, the shortest run" for end in ends]


def _count_beyond(prepared: Sequence[Prepared], most: float) -> int:
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
    sheet: Sheet,
    face: Face,
    prepared: Sequence[Prepared],
    view: View,
    notes: Sequence[str],
    ink: Ink,
    legend_rows: int,
) -> int:
    """Title, lines of notes, and a legend of so many more rows; returns the first row below them."""
    title = face.title
    if view.cross is not None and prepared:
        title += f" at {format_x(view.cross, face)}"
    column = sheet.put(0, 0, title, "title") + 2
    more = 0 if legend_rows else _MORE_CELLS
    fits = len(notes) == 1 and cell_len(notes[0]) + column + more <= sheet.width
    free = sheet.width - (cell_len(notes[0]) + 2 if fits else 0)
    named = [one for one in prepared if not one.curve.is_faint]

    def entries_of(cells: int) -> list[_Entry]:
        return [_legend_entry(one, face, view, ink, cells) for one in named]

    row = _legend(sheet, entries_of, column, free, legend_rows)
    if fits:
        sheet.put(0, sheet.width - cell_len(notes[0]), notes[0], "label")
        return row
    for index, note in enumerate(notes):  # What is hidden is said, if it takes lines of its own.
        sheet.put(row + index, 0, note, "label")
    return row + len(notes)


def _legend(sheet: Sheet, entries_of: Callable[[int], list[_Entry]], column: int, free: int, last: int) -> int:
    """Names and values, as many as a few lines hold, and how many more there are; the first row below.

    Names are cut only where whole ones would take another line, leave a curve out, or push a value off the sheet.
    """
    entries = entries_of(sheet.width)
    places = _legend_places(sheet, entries, column, free, last)
    if any(cell_len(entry[1][0]) > _NAME_CELLS + 1 for entry in entries):
        cut = entries_of(_NAME_CELLS)
        wanted = _legend_places(sheet, cut, column, free, last)
        is_inside = all(_size(entry) <= sheet.width for entry in entries)
        if not is_inside or _extent(places) != _extent(wanted):
            entries, places = cut, wanted
    row = 0
    for (row, column), entry in zip(places, entries, strict=False):
        for text, style in entry:
            column = sheet.put(row, column, text, style)
        column += _GAP
    if len(places) < len(entries):
        sheet.put(row, column, f"+{len(entries) - len(places)} more", "label")
    return row + 1


def _extent(places: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """How many entries of a legend found a place, and the row of the last."""
    return len(places), places[-1][0] if places else 0


def _legend_places(sheet: Sheet, entries: Sequence[_Entry], column: int, free: int, last: int) -> list[tuple[int, int]]:
    """Row and column of each entry that fits into the legend's lines."""
    places: list[tuple[int, int]] = []
    row = 0
    for index, entry in enumerate(entries):
        room = free if row == 0 else sheet.width
        if row == last and index + 1 < len(entries):
            room -= _MORE_CELLS
        if column and column + _size(entry) > room:
            if row == last:
                break
            row, column = row + 1, 0
        places.append((row, column))
        column += _size(entry) + _GAP
    return places


def _size(entry: _Entry) -> int:
    return sum(cell_len(text) for text, _ in entry)


def _legend_entry(one: Prepared, face: Face, view: View, ink: Ink, cells: int) -> _Entry:
    samples = _SAMPLES[ink is Ink.ASCII]
    sample = samples[2 if one.curve.is_pace else one.curve.slot % len(samples)]
    marker = marker_of(one.curve.slot, ink)
    style = style_of(one.curve)
    if view.cross is not None:
        value = value_at(one.x, one.plain, view.cross)
    else:
        last = last_finite(one.plain)
        value = None if last is None else float(one.plain[last])
    name = printable(one.curve.name, cells)
    return [(f"{sample}{marker} ", style), (f"{name} ", "name"), (format_y(value, face.y), "value")]


def _axes(
    sheet: Sheet,
    face: Face,
    window: Window,
    y_ticks: Sequence[Tick],
    corner: tuple[int, int],
    prepared: Sequence[Prepared],
    ink: Ink,
) -> None:
    """Axis lines, grid, ticks and labels."""
    left, top = corner
    vertical, horizontal, mark, foot, bend, grid = _LINES[ink is Ink.ASCII]
    bottom = top + window.rows
    for row in range(top, bottom):
        sheet.put(row, left - 1, vertical, "axis")
    sheet.put(bottom, left - 1, bend + horizontal * window.columns, "axis")
    used: set[int] = set()
    for tick in reversed(y_ticks):
        share = (window.y_high - tick.at) / (window.y_high - window.y_low)
        row = top + window.row(share, ink)
        if row in used or not top <= row < bottom:
            continue
        used.add(row)
        sheet.put(row, left - 2 - len(tick.label), tick.label, "label")
        sheet.put(row, left - 1, mark, "axis")
        if ink is not Ink.ASCII:
            sheet.put(row, left, grid * window.columns, "grid")
    sheet.put(bottom + 1, left - 2 - len(face.x_title), face.x_title, "label")
    for tick in _x_ticks(face, window, prepared):
        share = (tick.at - window.x_low) / (window.x_high - window.x_low)
        column = left + window.column(share, ink)
        sheet.put(bottom, column, foot, "axis")
        start = min(max(left - 1, column - len(tick.label) // 2), sheet.width - len(tick.label))
        sheet.put(bottom + 1, start, tick.label, "label")


def _x_ticks(face: Face, window: Window, prepared: Sequence[Prepared]) -> list[Tick]:
    """Ticks of the x axis; the last whole place that has a point is among them."""
    span = window.x_high - window.x_low
    widest = max(len(axis.label([end], face.x, 1.0)[0].label) for end in (window.x_low, window.x_high))
    ticks = axis.ticks(window.x_low, window.x_high, face.x, max(2, window.columns // (widest + 4)))
    stops = [int(np.searchsorted(one.x, window.x_high, side="right")) for one in prepared]
    found = limits([finite_ends(one.x[:stop], one.y[:stop]) for one, stop in zip(prepared, stops, strict=True)])
    if found is None or found.high < window.x_low:
        return ticks
    last = float(math.floor(found.high)) if face.x is Measure.COUNT else found.high
    if last < window.x_low:
        return ticks
    gap = span * (widest + 2) / max(1, window.columns)
    before = [tick for tick in ticks if tick.at <= last]
    after = [tick for tick in ticks if tick.at - last >= gap]
    return [*axis.with_last(before, last, face.x, gap), *after]
