"""Pictures as arrays of pixels, (height, width, 3) of bytes, and how a terminal and a PNG show them.

The first layer's kernels are those of the 2012 paper's Figure 3, the mistakes those of its Figure 4.
"""

import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
RAMP, BLOCK_RAMP = " .:-=+*#%@", " ░▒▓█"
GAP = 1


def kernel_tiles(kernels: NDArray[np.float64]) -> list[Pixels]:
    """Each kernel in colour: zero is grey, the largest weight of each kernel black or white."""
    largest = np.abs(kernels).max(axis=(1, 2, 3), keepdims=True)
    shares = 0.5 + 0.5 * kernels / np.where(largest > 0, largest, 1.0)
    return list(np.rint(255 * shares).astype(np.uint8).transpose(0, 2, 3, 1))


def sheet(tiles: Sequence[Pixels], columns: int, row_gap: int = GAP) -> Pixels:
    """Tiles of one size in rows of so many, a pixel apart; `row_gap` pixels are between two rows."""
    height, width = tiles[0].shape[0] + row_gap, tiles[0].shape[1] + GAP
    columns = max(1, min(columns, len(tiles)))
    rows = -(-len(tiles) // columns)
    picture = np.zeros((rows * height - row_gap, columns * width - GAP, 3), np.uint8)
    for index, tile in enumerate(tiles):
        top, left = index // columns * height, index % columns * width
        picture[top : top + height - row_gap, left : left + width - GAP] = tile
    return picture


def blank_line_gap(tile_height: int) -> int:
    """The gap between rows of tiles that is a blank line where a line of text is two rows of pixels."""
    return 2 + tile_height % 2


def columns_for(tile_width: int, width: int) -> int:
    """How many tiles are beside each other in so many cells."""
    return max(1, (width + GAP) // (tile_width + GAP))


def half_blocks(picture: Pixels) -> list[list[tuple[tuple[int, int, int], tuple[int, int, int]]]]:
    """Two rows of pixels a line: of each cell the colour of its upper and of its lower half."""
    if len(picture) % 2:
        picture = np.concatenate([picture, np.zeros((1, *picture.shape[1:]), np.uint8)])
    pairs = zip(picture[0::2].tolist(), picture[1::2].tolist(), strict=True)
    return [[(tuple(above), tuple(below)) for above, below in zip(upper, lower, strict=True)] for upper, lower in pairs]


def shades(picture: Pixels, ramp: str = RAMP) -> list[str]:
    """Lines of characters for a terminal without colour: the darker, the earlier in the ramp."""
    height = len(picture) // 2 * 2 or 1
    luminance = picture[:height].astype(float) @ np.array([0.299, 0.587, 0.114])
    lines = (luminance[0::2] + luminance[1::2]) / 2 if height > 1 else luminance
    places = np.minimum(lines * len(ramp) / 256, len(ramp) - 1).astype(int)
    return ["".join(ramp[place] for place in line).rstrip() for line in places.tolist()]


def enlarge(picture: Pixels, factor: int) -> Pixels:
    """Every pixel as a square of so many."""
    return picture.repeat(factor, axis=0).repeat(factor, axis=1)


def heat_map(matrix: NDArray[np.int64], cell: int = 24) -> Pixels:
    """A confusion matrix: of each row the share of its images, white for none, dark blue for all."""
    totals = matrix.sum(axis=1, keepdims=True)
    shares = np.sqrt(matrix / np.maximum(totals, 1))[..., None]
    colours = (1 - shares) * np.array([255, 255, 255]) + shares * np.array([18, 52, 120])
    return enlarge(np.rint(colours).astype(np.uint8), cell)


def png(picture: Pixels) -> bytes:
    """The picture as a PNG file."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
