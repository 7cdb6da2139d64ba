"""The head of a chart: its title, the curves that no label in the plot area names, and what is hidden."""

from collections.abc import Sequence

from rich.cells import cell_len

from alexnet_tui.text import printable
from alexnet_tui.tui.charts.canvas import CellBuffer, Label, marker_of, style_of
from alexnet_tui.tui.charts.model import ChartSpec, PreparedCurve, View, format_x, format_y, value_of
from alexnet_tui.tui.charts.raster import DotMode

_FEWEST_NAME_CELLS, _MORE_CELLS, _GAP = 8, 9, 2
_ROWS_PER_NOTE_LINE = 6

_Entry = tuple[str, list[tuple[str, str]]]
"""A curve's name, and the texts of its entry, each with its style."""


def note_lines(
    spec: ChartSpec,
    view: View,
    entries: Sequence[PreparedCurve],
    notes: Sequence[str],
    size: tuple[int, int],
    dot_mode: DotMode,
) -> list[str]:
    """Notes that take rows of their own: none where they fit beside the legend, or where a chart is low."""
    width, height = size
    separator = " . " if dot_mode is DotMode.ASCII else " · "
    named = cell_len(_title(spec, view)) + sum(_GAP + _width(_entry(one, spec, view, width)) for one in entries)
    if not notes or named + _GAP + cell_len(separator.join(notes)) <= width or height < _ROWS_PER_NOTE_LINE:
        return []
    lines: list[str] = []
    for note in notes:
        longer = f"{lines[-1]}{separator}{note}" if lines else note
        if lines and (cell_len(longer) <= width or len(lines) == height // _ROWS_PER_NOTE_LINE):
            lines[-1] = longer
        else:
            lines.append(note)
    return [_cut(line, width, dot_mode) for line in lines]


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

    Names are cut before a curve is left out, and how many are left out is said.
    """
    column = buffer.put(0, 0, _title(spec, view), "title") + _GAP
    room = buffer.width
    for row, line in enumerate(lines, start=1):
        buffer.put(row, 0, line, "label")
    if notes and not lines:
        needed = _MORE_CELLS if entries else 0
        separator = " . " if dot_mode is DotMode.ASCII else " · "
        cut = _cut(separator.join(notes), max(0, buffer.width - column - needed), dot_mode)
        buffer.put(0, buffer.width - cell_len(cut), cut, "label")
        room -= cell_len(cut) + _GAP
    return _draw_entries(buffer, spec, view, entries, column, room, dot_mode)


def _draw_entries(
    buffer: CellBuffer,
    spec: ChartSpec,
    view: View,
    shown: Sequence[PreparedCurve],
    column: int,
    room: int,
    dot_mode: DotMode,
) -> list[Label]:
    cells = buffer.width
    entries = [_entry(one, spec, view, cells, dot_mode) for one in shown]
    if entries and column + _total(entries) > room:
        fixed = sum(_width(entry) - cell_len(printable(entry[0], cells)) + _GAP for entry in entries)
        cells = max(_FEWEST_NAME_CELLS, (room - column - fixed) // len(entries))
        entries = [_entry(one, spec, view, cells, dot_mode) for one in shown]
    labels: list[Label] = []
    for index, entry in enumerate(entries):
        rest = len(entries) - index - 1
        if column + _width(entry) > room - (_MORE_CELLS if rest else 0) and column + _total(entries[index:]) > room:
            buffer.put(0, column, f"+{rest + 1} more", "label")
            break
        start = column
        for text, style in entry[1]:
            column = buffer.put(0, column, text, style)
        labels.append(Label(0, range(start, column), entry[0]))
        column += _GAP
    return labels


def _title(spec: ChartSpec, view: View) -> str:
    return spec.title if view.crosshair is None else f"{spec.title} at {format_x(view.crosshair, spec)}"


def _entry(one: PreparedCurve, spec: ChartSpec, view: View, cells: int, dot_mode: DotMode = DotMode.BRAILLE) -> _Entry:
    """Marker, name and value of a curve; of a hidden one, the word instead."""
    marker = f"{marker_of(one.curve.slot, dot_mode)} "
    name = printable(one.curve.name, cells) if spec.has_names or one.curve.name in view.hidden else ""
    if one.curve.name in view.hidden:
        return one.curve.name, [(f"{name} hidden", "label")]
    texts = [(marker, style_of(one.curve)), (f"{name} ", "name"), (format_y(value_of(one, view), spec.y), "value")]
    return one.curve.name, [(text, style) for text, style in texts if text.strip()]


def _width(entry: _Entry) -> int:
    return sum(cell_len(text) for text, _ in entry[1])


def _total(entries: Sequence[_Entry]) -> int:
    return sum(_width(entry) + _GAP for entry in entries) - _GAP


def _cut(text: str, width: int, dot_mode: DotMode) -> str:
    """A line with a sign that some of it is missing, if it is."""
    if cell_len(text) <= width:
        return text
    return text[: max(0, width - 1)] + ("~" if dot_mode is DotMode.ASCII else "…")
