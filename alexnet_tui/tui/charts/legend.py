"""The head of a chart: its title, the curves that no label in the plot area names, and what is hidden."""

from collections.abc import Iterator, Sequence

from rich.cells import cell_len

from alexnet_tui.tui.charts.canvas import CellBuffer, Label
from alexnet_tui.tui.charts.curve_styles import marker_of, style_of
from alexnet_tui.tui.charts.model import ChartSpec, PreparedCurve, View, format_x, format_y, value_of
from alexnet_tui.tui.charts.raster import DotMode
from alexnet_tui.tui.glyphs import cut
from alexnet_tui.tui.run_names import cut_name

_FEWEST_NAME_CELLS, _MORE_CELLS, _GAP = 6, 9, 2
_ROWS_PER_NOTE_LINE = 6
_SEPARATOR = " · "

_Entry = tuple[str, list[tuple[str, str]]]
"""A curve's name, and the texts of its entry, each with its style."""


def note_lines(
    spec: ChartSpec,
    view: View,
    entries: Sequence[PreparedCurve],
    notes: Sequence[str],
    size: tuple[int, int],
) -> list[str]:
    """Notes that take rows of their own: none where they fit beside the legend, or where a chart is low."""
    width, height = size
    named = cell_len(_title(spec, view)) + sum(_GAP + _width(_entry(one, spec, view, width)) for one in entries)
    if not notes or named + _GAP + cell_len(_SEPARATOR.join(notes)) <= width or height < _ROWS_PER_NOTE_LINE:
        return []
    lines: list[str] = []
    for note in notes:
        longer = f"{lines[-1]}{_SEPARATOR}{note}" if lines else note
        if lines and (cell_len(longer) <= width or len(lines) == height // _ROWS_PER_NOTE_LINE):
            lines[-1] = longer
        else:
            lines.append(note)
    return [cut(line, width) for line in lines]


def draw_head(
    buffer: CellBuffer,
    spec: ChartSpec,
    view: View,
    entries: Sequence[PreparedCurve],
    notes: Sequence[str],
    lines: Sequence[str],
    dot_mode: DotMode,
) -> list[Label]:
    """Title, entries and notes in one row, or `lines` of notes below; returns where each curve is named.

    Names are cut first; where there is still no room for all curves, their number is all that is said.
    """
    room = buffer.width
    for row, line in enumerate(lines, start=1):
        buffer.put(row, 0, line, "label")
    if notes and not lines:
        needed = cell_len(_title(spec, view)) + _GAP + (_MORE_CELLS if entries else 0)
        shown = cut(_SEPARATOR.join(notes), max(0, buffer.width - needed))
        buffer.put(0, buffer.width - cell_len(shown), shown, "label")
        room -= cell_len(shown) + _GAP
    return _draw_entries(buffer, spec, view, entries, room, dot_mode)


def _layouts(
    spec: ChartSpec, view: View, shown: Sequence[PreparedCurve], dot_mode: DotMode, room: int
) -> Iterator[tuple[str, list[_Entry]]]:
    """Titles and entries, the fullest first: names are cut, then values go, or names where a crosshair reads values."""
    dropped = "name" if view.crosshair is not None else "value"
    for title, without in ((_title(spec, view), ""), (spec.title, ""), (spec.title, dropped)):
        entries = [_entry(one, spec, view, room, dot_mode, without) for one in shown]
        yield title, entries
        lengths = [cell_len(cut_name(name, room)) for name, _ in entries]
        free = room - cell_len(title) - _GAP - _total(entries) + sum(lengths)
        cells = max(_FEWEST_NAME_CELLS, longest_that_fits(lengths, free))
        yield title, [_entry(one, spec, view, cells, dot_mode, without) for one in shown]


def longest_that_fits(lengths: Sequence[int], room: int) -> int:
    """The greatest length to cut all to so that together they take no more than `room`."""
    for index, length in enumerate(sorted(lengths)):
        if length * (len(lengths) - index) > room:
            return room // (len(lengths) - index)
        room -= length
    return max(lengths, default=0)


def _draw_entries(
    buffer: CellBuffer,
    spec: ChartSpec,
    view: View,
    shown: Sequence[PreparedCurve],
    room: int,
    dot_mode: DotMode,
) -> list[Label]:
    title, entries = "", list[_Entry]()
    for title, entries in _layouts(spec, view, shown, dot_mode, room):
        if cell_len(title) + _GAP + _total(entries) <= room:
            break
    column = buffer.put(0, 0, title, "title") + _GAP
    labels: list[Label] = []
    if column + _total(entries) > room and len(entries) > 1:
        buffer.put(0, column, f"+{len(entries)} more", "label")
        return labels
    for entry in entries:
        start = column
        for text, style in entry[1]:
            column = buffer.put(0, column, text, style)
        labels.append(Label(0, range(start, column), entry[0]))
        column += _GAP
    return labels


def _title(spec: ChartSpec, view: View) -> str:
    return spec.title if view.crosshair is None else f"{spec.title} at {format_x(view.crosshair, spec)}"


def _entry(
    one: PreparedCurve,
    spec: ChartSpec,
    view: View,
    cells: int,
    dot_mode: DotMode = DotMode.BRAILLE,
    without: str = "",
) -> _Entry:
    """Marker, name and value of a curve, or two of them; of a hidden one, the word instead."""
    name = cut_name(one.curve.name, cells) if spec.has_names or one.curve.name in view.hidden else ""
    if one.curve.name in view.hidden:
        return one.curve.name, [(f"{name} hidden", "label")]
    marker, value = marker_of(one.curve.slot, dot_mode), format_y(value_of(one, view), spec)
    texts = [(marker, style_of(one.curve)), (f" {name}" if name else "", "name"), (f" {value}", "value")]
    return one.curve.name, [(text, style) for text, style in texts if text and style != without]


def _width(entry: _Entry) -> int:
    return sum(cell_len(text) for text, _ in entry[1])


def _total(entries: Sequence[_Entry]) -> int:
    return sum(_width(entry) + _GAP for entry in entries) - _GAP
