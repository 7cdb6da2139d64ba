"""Curves to characters: a numpy rasteriser with min/max decimation, for braille, half blocks or plain ASCII.

Each column of dots covers what the polyline covers there: the points in it and the polyline at its two edges.
So a spike of one point among a million is plotted, neighbours join, and a gap stays a gap, at a cost that the
screen's width decides once the points are sorted into columns.
"""

import os
from enum import Enum

import msgspec

from alexnet_tui.text import is_ascii_terminal
from alexnet_tui.tui.charts.series import Floats

import numpy as np  # isort: skip  # After series, which sets numpy's threads.
from numpy.typing import NDArray  # isort: skip

Dots = NDArray[np.bool_]


class DotMode(Enum):
    """Which characters draw curves; the value is dots across and dots down in one cell."""

    BRAILLE = (2, 4)
    BLOCKS = (1, 2)
    ASCII = (1, 1)


class Viewport(msgspec.Struct, frozen=True):
    """The part of the plane on screen, and its size in cells."""

    x_low: float
    x_high: float
    y_low: float
    y_high: float
    columns: int
    rows: int

    def row(self, share: float, dot_mode: DotMode) -> int:
        """The row of cells at a share of the way from the top, by the dots of `dot_mode`."""
        down = dot_mode.value[1]
        return min(self.rows - 1, max(0, round(share * (self.rows * down - 1)) // down))

    def column(self, share: float, dot_mode: DotMode) -> int:
        """The column of cells at a share of the way from the left, by the dots of `dot_mode`."""
        across = dot_mode.value[0]
        return min(self.columns - 1, max(0, round(share * (self.columns * across - 1)) // across))


class Colours(Enum):
    """What a terminal has besides characters to tell curves apart: nothing, sixteen colours, or any."""

    NONE = 0
    ANSI = 1
    FULL = 2


class Dash(msgspec.Struct, frozen=True):
    """A pattern along x in dots: `on` drawn, `off` left out, and so on; the first is solid."""

    on: int = 1
    off: int = 0
    on2: int = 0
    off2: int = 0


_DOT_OF_BIT = {
    DotMode.BRAILLE: ((0, 0), (1, 0), (2, 0), (0, 1), (1, 1), (2, 1), (3, 0), (3, 1)),
    DotMode.BLOCKS: ((0, 0), (1, 0)),
    DotMode.ASCII: ((0, 0),),
}
"""Row and column of a dot in its cell for each bit of the cell's number, the lowest bit first."""
_BLOCKS = " ▀▄█"
_MANY_A_COLUMN = 8


def detect_dot_mode() -> DotMode:
    """What this terminal can show; the font of a bare console lacks braille."""
    if is_ascii_terminal():
        return DotMode.ASCII
    return DotMode.BLOCKS if os.environ.get("TERM") == "linux" else DotMode.BRAILLE


def column_extents(x: Floats, y: Floats, viewport: Viewport, dot_mode: DotMode) -> tuple[Floats, Floats]:
    """The lowest and highest value of the polyline in each column of dots; NaN where there is none."""
    width = viewport.columns * dot_mode.value[0]
    low = np.full(width, np.nan)
    high = np.full(width, np.nan)
    if not len(x) or width < 1 or viewport.x_high <= viewport.x_low:
        return low, high
    start = max(int(np.searchsorted(x, viewport.x_low)) - 1, 0)
    x, y = x[start:], y[start:]
    stop = int(np.searchsorted(x, viewport.x_high, side="right")) + 1
    x, y = x[:stop], y[:stop]
    if not len(x):
        return low, high
    if len(x) > _MANY_A_COLUMN * width > _MANY_A_COLUMN:
        return _extents_of_many(x, y, viewport, width)
    place = (x - viewport.x_low) / (viewport.x_high - viewport.x_low) * (width - 1)
    edges = np.interp(np.arange(width + 1) - 0.5, place, y, left=np.nan, right=np.nan)
    low = np.fmin(edges[:-1], edges[1:])
    high = np.fmax(edges[:-1], edges[1:])
    inside = (place > -0.5) & (place < width - 0.5)
    columns, values = np.rint(place[inside]).astype(np.intp), y[inside]
    if len(columns):
        firsts = np.flatnonzero(np.concatenate([[True], columns[1:] != columns[:-1]]))
        hit = columns[firsts]
        low[hit] = np.fmin(low[hit], np.fmin.reduceat(values, firsts))
        high[hit] = np.fmax(high[hit], np.fmax.reduceat(values, firsts))
    return low, high


def _extents_of_many(x: Floats, y: Floats, viewport: Viewport, width: int) -> tuple[Floats, Floats]:
    """The same where many points share a column: the columns are sought among the points, not the other way."""
    borders = viewport.x_low + (np.arange(width + 1) - 0.5) / (width - 1) * (viewport.x_high - viewport.x_low)
    edges = np.interp(borders, x, y, left=np.nan, right=np.nan)
    low, high = np.fmin(edges[:-1], edges[1:]), np.fmax(edges[:-1], edges[1:])
    starts = np.searchsorted(x, borders)
    hit = np.flatnonzero(starts[1:] > starts[:-1])
    if len(hit):
        values, firsts = y[: starts[-1]], starts[hit]
        low[hit] = np.fmin(low[hit], np.fmin.reduceat(values, firsts))
        high[hit] = np.fmax(high[hit], np.fmax.reduceat(values, firsts))
    return low, high


def dots(low: Floats, high: Floats, viewport: Viewport, dot_mode: DotMode) -> Dots:
    """Which dots lie between `low` and `high` of their column; rows from the top."""
    height = viewport.rows * dot_mode.value[1]
    span = viewport.y_high - viewport.y_low
    scale = (height - 1) / span if span > 0 else 0.0
    with np.errstate(invalid="ignore"):
        top = np.rint(np.clip((viewport.y_high - high) * scale, -2, height + 1))
        bottom = np.rint(np.clip((viewport.y_high - low) * scale, -2, height + 1))
        rows = np.arange(height)[:, None]
        filled: Dots = (rows >= top) & (rows <= bottom)
    return filled


def dashed(filled: Dots, dash: Dash) -> Dots:
    """The dots that a dash pattern leaves."""
    period = dash.on + dash.off + dash.on2 + dash.off2
    phase = np.arange(filled.shape[1]) % period
    second = dash.on + dash.off
    keep = (phase < dash.on) | ((phase >= second) & (phase < second + dash.on2))
    return filled & keep


def thickened(filled: Dots) -> Dots:
    """A line two dots thick: each dot with those below it and to its right."""
    thick = filled.copy()
    thick[1:] |= filled[:-1]
    thick[:, 1:] |= thick[:, :-1].copy()
    return thick


def dithered(filled: Dots) -> Dots:
    """Every fourth dot of an area, so that curves on top of it can be told apart."""
    rows, columns = np.indices(filled.shape)
    kept: Dots = filled & ((columns + 2 * (rows // 2)) % 4 == 0) & (rows % 2 == 0)
    return kept


def covered_cells(filled: Dots, dot_mode: DotMode) -> Dots:
    """Cells of which an area covers half or more; where it is thinner than that, each cell it touches."""
    across, down = dot_mode.value
    counts = filled.reshape(filled.shape[0] // down, down, filled.shape[1] // across, across).sum(axis=(1, 3))
    half = counts * 2 >= across * down
    cells: Dots = half | ((counts > 0) & ~half.any(axis=0))
    return cells


def pack_cells(filled: Dots, dot_mode: DotMode) -> NDArray[np.uint8]:
    """One number a cell that says which of its dots are set."""
    across, down = dot_mode.value
    packed = np.zeros((filled.shape[0] // down, filled.shape[1] // across), np.uint8)
    for bit, (row, column) in enumerate(_DOT_OF_BIT[dot_mode]):
        packed |= filled[row::down, column::across].view(np.uint8) << bit
    return packed


def character(code: int, dot_mode: DotMode, marker: str) -> str:
    """The character for a packed cell; ASCII draws a curve with its own marker."""
    if dot_mode is DotMode.BRAILLE:
        return chr(0x2800 | code)
    return _BLOCKS[code] if dot_mode is DotMode.BLOCKS else marker
