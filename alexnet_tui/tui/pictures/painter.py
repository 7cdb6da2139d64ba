"""Pixels and words as lines of a terminal: two pixels a cell where it has colours and blocks, less where it lacks them.

A line is a list of segments of a known length; what a style is called here, a widget gives a colour.
"""

from collections.abc import Mapping, Sequence
from enum import Enum

import msgspec
from rich.cells import cell_len
from rich.color import Color
from rich.color_triplet import ColorTriplet
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from alexnet_tui.report.pictures.pixels import BLOCK_RAMP, RAMP, Pixels, shades
from alexnet_tui.tui.glyphs import cut

import numpy as np  # isort: skip
from numpy.typing import NDArray  # isort: skip

Words = tuple[str, str]
"""A text and the name of its style."""
Mask = NDArray[np.bool_]


class Mode(Enum):
    """How a pixel is shown."""

    HALVES = "two in a cell, in colour"
    GROUNDS = "two mixed in a cell, in colour"
    SHADES = "two mixed in a cell, as a shaded block"
    STROKES = "two mixed in a cell, as the strokes of a character"


_UPPER = "▀"
_RAMPS = {Mode.SHADES: BLOCK_RAMP, Mode.STROKES: RAMP}
_BITS = 5
_MOST_CELLS = 20_000
_NOTHING = 1 << 3 * _BITS


class Painter(msgspec.Struct):
    """Draws pixels and words as lines.

    Attributes:
        mode: How pixels are shown.
        styles: Terminal styles by name; the one named by nothing is the plain one.
        ground: The colour behind everything, where there are colours.
    """

    mode: Mode
    styles: Mapping[str, Style]
    ground: tuple[int, int, int] = (0, 0, 0)
    _cells: dict[int, Segment] = msgspec.field(default_factory=dict)
    _colours: dict[int, Color] = msgspec.field(default_factory=dict)

    @property
    def has_colours(self) -> bool:
        """Whether a cell may have any colour."""
        return self.mode not in _RAMPS

    def words(self, *parts: Words) -> list[Segment]:
        """Texts beside each other."""
        plain = self.styles[""]
        return [Segment(text, plain + self.styles[name]) for text, name in parts if text]

    def line(self, width: int, *parts: Words) -> Strip:
        """Texts beside each other on a line of its own, cut where there is no room."""
        return Strip(self.words(*fitted(parts, width))).adjust_cell_length(width, self.styles[""])

    def picture(self, pixels: Pixels, is_drawn: Mask | None = None) -> list[list[Segment]]:
        """Two rows of pixels a line.

        Args:
            pixels: The picture.
            is_drawn: (height, width) where it covers the ground; None is everywhere.
        """
        if len(self._cells) > _MOST_CELLS:
            self._cells.clear()
        drawn = np.ones(pixels.shape[:2], np.bool_) if is_drawn is None else is_drawn
        if len(pixels) % 2:
            pixels, drawn = (np.concatenate([one, np.zeros_like(one[:1])]) for one in (pixels, drawn))
        if ramp := _RAMPS.get(self.mode):
            lines = shades(np.where(drawn[..., None], pixels, 0), ramp)
            return [[Segment(line.ljust(pixels.shape[1]), self.styles[""])] for line in lines]
        if self.mode is Mode.GROUNDS:
            pixels = np.where(drawn[..., None], pixels, self.ground).astype(np.uint16)
            pixels = ((pixels[0::2] + pixels[1::2]) // 2).repeat(2, axis=0)
            drawn = (drawn[0::2] | drawn[1::2]).repeat(2, axis=0)
        # Fewer colours than pixels may have: the eye does not miss them, and styles are made once.
        parts = (pixels >> (8 - _BITS)).astype(np.int64)
        places = np.where(drawn, parts @ np.array([1 << 2 * _BITS, 1 << _BITS, 1]), _NOTHING)
        pairs = places[0::2] * (_NOTHING + 1) + places[1::2]
        return [[self._cells.get(pair) or self._cell(pair) for pair in line] for line in pairs.tolist()]

    def _cell(self, pair: int) -> Segment:
        upper, lower = divmod(pair, _NOTHING + 1)
        if upper == lower == _NOTHING:
            segment = Segment(" ", self.styles[""])
        else:
            symbol = _UPPER if upper != lower else " "
            segment = Segment(symbol, Style.from_color(self._colour(upper), self._colour(lower)))
        self._cells[pair] = segment
        return segment

    def _colour(self, place: int) -> Color:
        found = self._colours.get(place)
        if found is None:
            low = (1 << _BITS) - 1
            parts = (place >> 2 * _BITS, place >> _BITS & low, place & low)
            rgb = self.ground if place == _NOTHING else (part * 255 // low for part in parts)
            found = self._colours[place] = Color.from_triplet(ColorTriplet(*rgb))
        return found

    def bar(self, share: float, width: int, name: str) -> list[Words]:
        """A share in [0, 1] of so many cells, to an eighth of a cell."""
        eighths = round(max(0.0, min(1.0, share)) * width * 8)
        whole, part = divmod(eighths, 8)
        drawn = "█" * whole + (" ▏▎▍▌▋▊▉"[part] if part else "")
        return [(drawn, name), (" " * (width - len(drawn)), "")]


def fitted(parts: Sequence[Words], width: int) -> list[Words]:
    """The texts that fit into so many cells; the last of them is cut."""
    kept: list[Words] = []
    for text, name in parts:
        room = width - sum(cell_len(before) for before, _ in kept)
        if room <= 0:
            break
        kept.append((cut(text, room), name))
    return kept


def resized(pixels: Pixels, side: int) -> Pixels:
    """A picture whose longer side is as asked: means of the pixels, or every pixel enlarged a whole number of times."""
    height, width = pixels.shape[:2]
    longest = max(height, width)
    if side >= longest:
        factor = max(1, side // longest)
        return pixels.repeat(factor, axis=0).repeat(factor, axis=1)
    rows, columns = (_coverage(size, max(1, round(size * side / longest))) for size in (height, width))
    mixed = np.einsum("ij,jkc,lk->ilc", rows, pixels.astype(np.float64), columns)
    small: Pixels = np.rint(mixed).astype(np.uint8)
    return small


def _coverage(size: int, wanted: int) -> NDArray[np.float64]:
    """(wanted, size) the share of each old pixel in each new one."""
    edges = np.linspace(0, size, wanted + 1)
    old = np.arange(size)
    overlap = np.minimum(edges[1:, None], old + 1) - np.maximum(edges[:-1, None], old)
    shares: NDArray[np.float64] = np.maximum(overlap, 0) * (wanted / size)
    return shares
