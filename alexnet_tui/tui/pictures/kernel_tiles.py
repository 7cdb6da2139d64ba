"""The first layer's kernels as tiles: all of them at once where they can be made out, else a part."""

import msgspec
from rich.segment import Segment
from textual.strip import Strip

from alexnet_tui.report.pictures.kernels import Kernels
from alexnet_tui.report.pictures.pixels import kernel_tiles
from alexnet_tui.tui.pictures.painter import Painter, resized

import numpy as np  # isort: skip

_LEAST_SIDE, _LARGEST_FACTOR = 7, 3
_GAP = 1


class Grid(msgspec.Struct, frozen=True):
    """Square tiles in rows.

    Attributes:
        side: Of a tile, in pixels.
        columns: Tiles beside each other, a pixel apart.
        gap: Pixels between two rows of tiles.
    """

    side: int
    columns: int
    gap: int

    @property
    def lines_a_row(self) -> int:
        """Lines of a terminal from one row of tiles to the next, rounded up."""
        return -(-(self.side + self.gap) // 2)

    def lines(self, count: int) -> int:
        """Lines of a terminal that so many tiles take, without the gap below the last row."""
        rows = -(-count // self.columns)
        return -(-(rows * (self.side + self.gap) - self.gap) // 2)

    def whole_tiles(self, top: int, height: int, count: int) -> range:
        """Of so many tiles those that are whole in some lines of a terminal."""
        pitch = self.side + self.gap
        first, last = -(-2 * top // pitch), (2 * (top + height) + self.gap) // pitch
        return range(min(count, first * self.columns), min(count, last * self.columns))


def grid_for(count: int, kernel_side: int, width: int, height: int, *, zoom: int = 0, is_mixed: bool = False) -> Grid:
    """The largest tiles that all fit into so many cells, but none too small to make out.

    Args:
        count: How many tiles.
        kernel_side: Weights along the longer side of a kernel.
        width: Cells.
        height: Lines, of two pixels each.
        zoom: Pixels to add to the side.
        is_mixed: The two pixels of a cell are mixed, so that every row of tiles must begin with a cell.
    """
    gap = 2 if is_mixed else _GAP
    fitting = (
        min((width + _GAP) // columns - _GAP, (2 * height + gap) // -(-count // columns) - gap)
        for columns in range(1, count + 1)
    )
    most = min(width, kernel_side * _LARGEST_FACTOR)
    side = max(min(kernel_side, _LEAST_SIDE), min(most, max(fitting))) + zoom
    side = max(1, min(side, most))
    if side > kernel_side:
        side -= side % kernel_side  # Enlarged a whole number of times.
    elif is_mixed:
        side += side % 2
    columns = max(1, min(count, (width + _GAP) // (side + _GAP)))
    rows = -(-count // columns)
    return Grid(side, -(-count // rows), gap + side % 2 if is_mixed else gap)


def kernel_lines(kernels: Kernels, grid: Grid, painter: Painter, width: int) -> list[Strip]:
    """All lines of the tiles, in the middle of so many cells."""
    plain = painter.styles[""]
    tiles = [resized(tile, grid.side) for tile in kernel_tiles(kernels)]
    across, down = grid.side + _GAP, grid.side + grid.gap
    rows = -(-len(tiles) // grid.columns)
    sheet = np.zeros((rows * down - grid.gap, grid.columns * across - _GAP, 3), np.uint8)
    is_tile = np.zeros(sheet.shape[:2], np.bool_)
    for index, tile in enumerate(tiles):
        top, left = index // grid.columns * down, index % grid.columns * across
        place = np.s_[top : top + tile.shape[0], left : left + tile.shape[1]]
        sheet[place], is_tile[place] = tile, True
    margin = Segment(" " * max(0, (width - sheet.shape[1]) // 2), plain)
    lines = painter.picture(sheet, is_tile)
    return [Strip([margin, *segments]).adjust_cell_length(width, plain) for segments in lines]
