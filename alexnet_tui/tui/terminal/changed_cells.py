"""`ShownCells`: what the terminal shows, so that an update of the screen sends only the cells that changed.

Textual sends every widget that was painted again, each stretch of one style with all its colours. Over SSH that is
most of what a live run costs: of a curve that grew by one point a few cells changed, of a clock one figure.
"""

from collections.abc import Iterator
from functools import lru_cache

from rich.cells import cell_len, get_character_cell_size
from rich.color import ColorSystem
from rich.console import Console
from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate
from textual.strip import Strip

_UNKNOWN = ""
"""In place of a character: what the cell shows is not known, or what was written further left reaches into it."""
_CLOSE_CELLS = 3
_BOTH_TRUE_COLORS = 9  # Semicolons.
_FOREGROUNDS, _BACKGROUNDS = {*range(30, 40), *range(90, 98)}, {*range(40, 50), *range(100, 108)}


class ShownCells:
    """The characters and styles of every cell of a terminal, as far as they are known.

    Styles are the parameters of the escape sequence that sets them: what looks the same is the same.
    """

    def __init__(self) -> None:
        self._size = (0, 0)
        self._chars: list[list[str]] = []
        self._styles: list[list[str]] = []
        self._strips: list[dict[int, Strip]] = []
        """What was written last in each row, by its first column."""

    def forget(self) -> None:
        """The terminal may show anything now: the next update sends every cell it has."""
        self._size = (0, 0)

    def changes(self, update: ChopsUpdate | LayoutUpdate, color_system: ColorSystem) -> str:
        """What to write to the terminal so that it shows an update; empty where it does already."""
        width, height = _size(update)
        if (width, height) != self._size:
            self._size = width, height
            self._chars = [[_UNKNOWN] * width for _ in range(height)]
            self._styles = [[""] * width for _ in range(height)]
            self._strips = [{} for _ in range(height)]
        out: list[str] = []
        style = ""
        for row, column, strip in _pieces(update):
            style = self._put(row, column, strip, out, style, color_system)
        if style:
            out.append("\x1b[0m")
        return "".join(out)

    def _put(self, row: int, column: int, strip: Strip, out: list[str], style: str, color_system: ColorSystem) -> str:
        """Write the cells of a strip that changed, after text in `style`; the style of the last one written."""
        strips = self._strips[row]
        if strips.get(column) is strip:
            return style
        chars, styles = _cells(strip, color_system)
        end = min(column + len(chars), len(self._chars[row]))
        del chars[end - column :], styles[end - column :]
        for start in [one for one, old in strips.items() if one < end and one + old.cell_length > column]:
            del strips[start]
        strips[column] = strip
        old_chars, old_styles = self._chars[row][column:end], self._styles[row][column:end]
        if chars == old_chars and styles == old_styles:
            return style
        self._forget_cut_text(row, column)
        self._chars[row][column:end], self._styles[row][column:end] = chars, styles
        at = -1  # The cell where the cursor is; -1 where that is not certain.
        for index, (char, wanted) in enumerate(zip(chars, styles, strict=True)):
            if (char == old_chars[index] and wanted == old_styles[index]) or not char:
                continue
            if 0 <= at < index <= at + _CLOSE_CELLS and all(one == style for one in styles[at:index]):
                out.extend(chars[at:index])  # Shorter than to go there.
            elif at != index:
                out.append(f"\x1b[{row + 1};{column + index + 1}H" if at < 0 else f"\x1b[{column + index + 1}G")
            if wanted != style:
                out.append(_change(style, wanted))
                style = wanted
            out.append(char)
            at = index + 1 if len(char) == 1 else -1
        return style

    def _forget_cut_text(self, row: int, column: int) -> None:
        """Text of several cells that is written over from its second one on is no longer what its first one shows."""
        chars, first = self._chars[row], column
        while first > 0 and chars[first] == _UNKNOWN:
            first -= 1
        if first < column:
            chars[first] = _UNKNOWN


class WrittenUpdate(CompositorUpdate):
    """An update of the screen that is the characters and escape sequences to write."""

    def __init__(self, text: str) -> None:
        self._text = text

    def render_segments(self, console: Console) -> str:
        """What to write."""
        return self._text


def _size(update: ChopsUpdate | LayoutUpdate) -> tuple[int, int]:
    """Width and height of the screen that is updated."""
    if isinstance(update, LayoutUpdate):
        return update.region.right, update.region.bottom
    return update.chop_ends[0][-1], len(update.chops)


def _pieces(update: ChopsUpdate | LayoutUpdate) -> Iterator[tuple[int, int, Strip]]:
    """Row, first column and text of each piece of a line that may have changed."""
    if isinstance(update, LayoutUpdate):
        for row, line in enumerate(update.strips, update.region.y):
            column = update.region.x
            for strip in line:
                yield row, column, strip
                column += strip.cell_length
        return
    for row, left, right in update.spans:
        for end, (column, piece) in zip(update.chop_ends[row], update.chops[row].items(), strict=True):
            if piece is not None and column < right and end > left:
                yield row, column, piece


def _cells(strip: Strip, color_system: ColorSystem) -> tuple[list[str], list[str]]:
    """The character and the style of each cell; text that has wide or joining characters is one with its first cell."""
    chars: list[str] = []
    styles: list[str] = []
    for text, style, _ in strip:
        ansi = "" if style is None else style._ansi
        if style is not None and ansi is None:
            ansi = Strip.render_ansi(style, color_system)
        if text.isascii() or _is_one_cell_each(text):
            chars += text
            size = len(text)
        else:
            size = cell_len(text)
            chars += [text, *[_UNKNOWN] * (size - 1)] if size else []
        styles += [ansi or ""] * size
    return chars, styles


@lru_cache(maxsize=4096)
def _is_one_cell_each(text: str) -> bool:
    return all(get_character_cell_size(char) == 1 for char in set(text))


def _change(before: str, after: str) -> str:
    """The shortest escape sequence from one style to another."""
    old_attributes, old_foreground, old_background = _parts(before)
    attributes, foreground, background = _parts(after)
    if attributes != old_attributes:
        return f"\x1b[0;{after}m" if after and before else f"\x1b[{after}m"
    if foreground == old_foreground:
        return f"\x1b[{background or '49'}m"
    if background == old_background:
        return f"\x1b[{foreground or '39'}m"
    return f"\x1b[{foreground or '39'};{background or '49'}m"


@lru_cache(maxsize=4096)
def _parts(style: str) -> tuple[str, str, str]:
    """The parameters of a style apart: attributes, foreground, background."""
    if style.startswith("38;2;") and style.count(";") == _BOTH_TRUE_COLORS:  # Of a picture every cell has its own.
        foreground, _, background = style.rpartition(";48;2;")
        return "", foreground, f"48;2;{background}"
    parts: list[list[str]] = [[], [], []]
    numbers = style.split(";") if style else []
    while numbers:
        code = int(numbers[0])
        place = 1 if code in _FOREGROUNDS else 2 if code in _BACKGROUNDS else 0
        size = 1
        if code in {38, 48}:
            size = 5 if numbers[1] == "2" else 3
        parts[place] += numbers[:size]
        numbers = numbers[size:]
    return ";".join(parts[0]), ";".join(parts[1]), ";".join(parts[2])
