"""Sparklines: a curve in one line of characters."""

import itertools
import math
from collections.abc import Sequence

_BLOCKS = "▁▂▃▄▅▆▇█"
_ASCII_BLOCKS = "_.-=+*#@"
_LEFT_DOTS, _RIGHT_DOTS = (0x40, 0x04, 0x02, 0x01), (0x80, 0x20, 0x10, 0x08)
_DOT_ROWS = len(_LEFT_DOTS)


def sparkline(values: Sequence[float], width: int, ascii_only: bool = False) -> str:
    """At most `width` characters that show the shape of a series; a gap or NaN stays a blank."""
    if not values or width < 1:
        return ""
    picked = values if len(values) <= width else _means(values, width)
    finite = [value for value in picked if math.isfinite(value)]
    if not finite:
        return " " * len(picked)
    low, high = min(finite), max(finite)
    blocks = _ASCII_BLOCKS if ascii_only else _BLOCKS
    half = high / 2 - low / 2  # Halved, so that no two floats are too far apart to subtract.
    top, middle = len(blocks) - 1, len(blocks) // 2
    heights = (round((value / 2 - low / 2) / half * top) if half else middle for value in finite)
    return "".join(blocks[next(heights)] if math.isfinite(value) else " " for value in picked)


def braille_sparkline(values: Sequence[float], width: int, low: float, high: float) -> str:
    """A sparkline in `width` characters of braille, two points each, on a scale that several of them may share.

    Args:
        values: The curve; a point that is not finite leaves a gap.
        width: Cells; a longer curve is thinned by means, a shorter one stretched.
        low: The value at the bottom.
        high: The value at the top.
    """
    if not values or width < 1:
        return ""
    points = _means(values, 2 * width)
    span = high - low if high > low else 1.0
    levels = [
        min(_DOT_ROWS - 1, max(0, int((point - low) / span * _DOT_ROWS))) if math.isfinite(point) else None
        for point in points
    ]
    cells = [0] * width
    before: int | None = None
    for index, level in enumerate(levels):
        if level is not None:
            dots = _RIGHT_DOTS if index % 2 else _LEFT_DOTS
            start = level if before is None or before == level else before + (1 if level > before else -1)
            for one in range(min(start, level), max(start, level) + 1):
                cells[index // 2] |= dots[one]
        before = level
    return "".join(chr(0x2800 + cell) if cell else " " for cell in cells)


def _means(values: Sequence[float], count: int) -> list[float]:
    """Means of `count` equal stretches of a series; a value of a shorter series is in several of them."""
    edges = [index * len(values) // count for index in range(count + 1)]
    parts = (values[start : max(end, start + 1)] for start, end in itertools.pairwise(edges))
    return [sum(part) / len(part) for part in parts]
