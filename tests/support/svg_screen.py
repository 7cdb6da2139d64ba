"""A terminal screen as SVG in which every cell stands where it belongs, whatever font the viewer has.

Textual's own export writes whole lines as one text, and the viewer's font decides how wide they get. Here each
word has its place, and dots, blocks and lines are drawn as shapes.
"""

from collections.abc import Iterable, Iterator
from itertools import groupby
from xml.sax.saxutils import escape

from rich.color import Color, blend_rgb
from rich.color_triplet import ColorTriplet
from rich.style import Style
from textual.strip import Strip

_FONT = "'DejaVu Sans Mono',Menlo,Consolas,monospace"
_SIZE, _WIDTH, _HEIGHT, _BASELINE = 15, 9.0, 18.0, 13.6
_MARGIN, _TITLE = 10, 30
_BLOCKS = " ▁▂▃▄▅▆▇█"
_LEFT_BLOCKS = " ▏▎▍▌▋▊▉"
# The arms of box drawings: up, down, left, right.
_LIGHT = {
    **{"─": "lr", "│": "ud", "┤": "udl", "├": "udr", "┴": "lru", "┬": "lrd", "┼": "lrud"},
    **{"└": "ur", "┘": "ul", "┌": "dr", "┐": "dl", "╴": "l", "╶": "r", "╵": "u", "╷": "d"},
}
_HEAVY = {"━": "lr", "┃": "ud", "┏": "dr", "┓": "dl", "┗": "ur", "┛": "ul", "╸": "l", "╺": "r"}
_ROUND = {"╭": "dr", "╮": "dl", "╰": "ur", "╯": "ul"}
_DASHED = {"┈": 4, "┄": 3, "╌": 2}
_BRAILLE = range(0x2800, 0x2900)
# The bits of the left and of the right dots, from above.
_DOT_BITS = (0, 1, 2, 6), (3, 4, 5, 7)
_STROKES = {
    "light": 'fill="none" stroke-width="1.1" stroke="{}"',
    "heavy": 'fill="none" stroke-width="2.4" stroke="{}"',
    "block": 'fill="{}" shape-rendering="crispEdges"',
}


class Drawing:
    """Shapes of equal colour gathered into one path each, and texts."""

    def __init__(self) -> None:
        self.paths: dict[tuple[str, str], list[str]] = {}
        self.texts: list[str] = []

    def draw(self, column: int, row: int, text: str, style: Style, color: str) -> None:
        """Cells of one style; blank ones need nothing."""
        for is_plain, group in groupby(enumerate(text, column), key=lambda cell: _is_word(cell[1])):
            cells = list(group)
            if is_plain:
                self._write(cells[0][0], row, "".join(symbol for _, symbol in cells), style, color)
                continue
            for place, symbol in cells:
                self._draw_symbol(place, row, symbol, style, color)

    def _draw_symbol(self, column: int, row: int, symbol: str, style: Style, color: str) -> None:
        if symbol in " \u2800":
            return
        left, top = column * _WIDTH, row * _HEIGHT
        kind, path = shape(symbol, left, top)
        if path:
            self.paths.setdefault((kind, color), []).append(path)
        else:
            self._write(column, row, symbol, style, color)

    def _write(self, column: int, row: int, text: str, style: Style, color: str) -> None:
        look = ' font-weight="bold"' * bool(style.bold) + ' font-style="italic"' * bool(style.italic)
        look += ' text-decoration="underline"' * bool(style.underline)
        place = f'x="{column * _WIDTH:g}" y="{row * _HEIGHT + _BASELINE:g}"'
        length = f' textLength="{len(text) * _WIDTH:g}"' if len(text) > 1 else ""
        self.texts.append(f'<text {place}{length} fill="{color}"{look}>{escape(text)}</text>')

    def lines(self) -> Iterator[str]:
        """The drawing as SVG elements."""
        for (kind, color), paths in self.paths.items():
            yield f'<path {_STROKES[kind].format(color)} d="{"".join(paths)}"/>'
        yield from self.texts


def shape(symbol: str, left: float, top: float) -> tuple[str, str]:
    """Kind and path of a symbol that is drawn rather than written; no path for any other."""
    middle, center = left + _WIDTH / 2, top + _HEIGHT / 2
    ends = {
        "u": f"M{middle:g} {top:g}V{center:g}",
        "d": f"M{middle:g} {center:g}V{top + _HEIGHT:g}",
        "l": f"M{left:g} {center:g}H{middle:g}",
        "r": f"M{middle:g} {center:g}H{left + _WIDTH:g}",
    }
    if ord(symbol) in _BRAILLE:
        return "block", _dots(ord(symbol) - _BRAILLE.start, left, top)
    if symbol in _BLOCKS:
        height = _HEIGHT * _BLOCKS.index(symbol) / 8
        return "block", f"M{left:g} {top + _HEIGHT:g}v{-height:g}h{_WIDTH:g}v{height:g}z"
    if symbol in _LEFT_BLOCKS:
        return "block", f"M{left:g} {top:g}h{_WIDTH * _LEFT_BLOCKS.index(symbol) / 8:g}v{_HEIGHT:g}H{left:g}z"
    if symbol == "▀":
        return "block", f"M{left:g} {top:g}h{_WIDTH:g}v{_HEIGHT / 2:g}h{-_WIDTH:g}z"
    if symbol in _DASHED:
        step = _WIDTH / _DASHED[symbol]
        dashes = (f"M{left + step * index:g} {center:g}h{step / 2:g}" for index in range(_DASHED[symbol]))
        return "light", "".join(dashes)
    if symbol in _ROUND:
        start = top if "u" in _ROUND[symbol] else top + _HEIGHT
        end = left if "l" in _ROUND[symbol] else left + _WIDTH
        return "light", f"M{middle:g} {start:g}Q{middle:g} {center:g} {end:g} {center:g}"
    kind, arms = ("light", _LIGHT[symbol]) if symbol in _LIGHT else ("heavy", _HEAVY.get(symbol, ""))
    return kind, "".join(ends[arm] for arm in arms)


def _dots(bits: int, left: float, top: float) -> str:
    """The dots of a braille cell, each as large as its place, so that neighbours touch and a curve is a line."""
    wide, high = _WIDTH / 2, _HEIGHT / 4
    parts = []
    for column, places in enumerate(_DOT_BITS):
        rows = [row for row, bit in enumerate(places) if bits >> bit & 1]
        for first in (row for row in rows if row - 1 not in rows):
            length = next(row for row in range(first, 5) if row not in rows) - first
            parts.append(f"M{left + wide * column:g} {top + high * first:g}h{wide:g}v{high * length:g}h{-wide:g}z")
    return "".join(parts)


def to_svg(strips: Iterable[Strip], *, foreground: str, background: str) -> str:
    """The picture.

    Args:
        strips: The rows of the screen; every character is one cell wide.
        foreground: Colour of text without one, as ``#rrggbb``.
        background: Colour of the terminal.
    """
    rows = list(strips)
    ground = Color.parse(foreground).get_truecolor(), Color.parse(background).get_truecolor()
    width = max(row.cell_length for row in rows) * _WIDTH + 2 * _MARGIN
    height = len(rows) * _HEIGHT + _TITLE + _MARGIN
    fills, drawing = [], Drawing()
    for number, row in enumerate(rows):
        column = 0
        for segment in row:
            style = segment.style or Style.null()
            front, back = _colors(style, *ground)
            if back != ground[1]:
                fills.append((column, number, segment.cell_length, back.hex))
            drawing.draw(column, number, segment.text, style, front.hex)
            column += segment.cell_length
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}"'
            f' font-family="{_FONT}" font-size="{_SIZE}">',
            f'<rect x="0.5" y="0.5" width="{width - 1:g}" height="{height - 1:g}" rx="9" fill="{background}"'
            f' stroke="{foreground}" stroke-opacity="0.25"/>',
            '<circle cx="18" cy="15" r="5.5" fill="#ff5f57"/><circle cx="38" cy="15" r="5.5" fill="#febc2e"/>'
            '<circle cx="58" cy="15" r="5.5" fill="#28c840"/>',
            f'<g transform="translate({_MARGIN},{_TITLE})" xml:space="preserve">',
            *_grounds(fills),
            *drawing.lines(),
            "</g></svg>",
            "",
        ]
    )


def _grounds(fills: Iterable[tuple[int, int, int, str]]) -> Iterator[str]:
    """Coloured backgrounds; neighbours of one colour are one rectangle."""
    merged: list[tuple[int, int, int, str]] = []
    for column, row, cells, color in fills:
        if merged and merged[-1][1:4:2] == (row, color) and merged[-1][0] + merged[-1][2] == column:
            column, row, before, color = merged.pop()
            cells += before
        merged.append((column, row, cells, color))
    for column, row, cells, color in merged:
        place = f'x="{column * _WIDTH:g}" y="{row * _HEIGHT:g}" width="{cells * _WIDTH:g}" height="{_HEIGHT:g}"'
        yield f'<rect {place} fill="{color}" shape-rendering="crispEdges"/>'


def _colors(style: Style, front: ColorTriplet, back: ColorTriplet) -> tuple[ColorTriplet, ColorTriplet]:
    """What text and ground of a style look like."""
    if style.color is not None and not style.color.is_default:
        front = style.color.get_truecolor()
    if style.bgcolor is not None and not style.bgcolor.is_default:
        back = style.bgcolor.get_truecolor()
    if style.reverse:
        front, back = back, front
    return (blend_rgb(front, back, 0.5) if style.dim else front), back


def _is_word(symbol: str) -> bool:
    """Whether a symbol may be written with its neighbours; every font has these in one width."""
    return symbol.isascii() and symbol != " "
