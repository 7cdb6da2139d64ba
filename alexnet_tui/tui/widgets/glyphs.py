"""The few symbols of the console by meaning, one cell each, and text cut or filled to a number of cells; pure.

A terminal without Unicode gets each as `terminal.ASCII_FALLBACK` has it; nothing here needs to know.
"""

import itertools
import math
import statistics
from collections.abc import Mapping, Sequence

from rich.cells import cell_len

from alexnet_tui.runs.state import STATE_TONES, State

STATE_SIGNS: Mapping[State, str] = {
    State.QUEUED: "○",
    State.RUNNING: "●",
    State.FINISHED: "✓",
    State.STOPPED: "■",
    State.FAILED: "✗",
    State.LOST: "?",
    State.COPY: "=",
}
"""The word is always beside the sign, so that colour is never the only difference."""
TONES: Mapping[State, str] = {**STATE_TONES, State.FINISHED: "muted"}
"""How a state is coloured: green is kept for differences, and most runs of a list are finished."""
MARK, PIN, REFERENCE, FOREIGN, EXTENDED = "◆", "▸", "·", "~", "+"
ASCENDING, DESCENDING = "▲", "▼"
CURSOR = "▌"
DONE, REST = "━", "─"
"""What progress bars are made of."""
CHOSEN, UNCHOSEN = "◉", "○"
ELLIPSIS, MINUS, SPREAD = "…", "−", "±"


def shown_state(state: str) -> str:
    """The word for a state on the screen; `State.LOST` keeps its name in files and commands."""
    return "crashed" if state == State.LOST else str(state)


def cut(text: str, width: int) -> str:
    """`text` in at most `width` cells; an ellipsis replaces what is missing."""
    if cell_len(text) <= width:
        return text
    kept = text[: max(0, width - 1)]
    while cell_len(kept) > max(0, width - 1):
        kept = kept[:-1]
    return kept + ELLIPSIS[:width]


def join_fitting(parts: Sequence[str], width: int) -> str:
    """The first of some parts, and each other one for which a line of `width` cells has room."""
    line = parts[0] if parts else ""
    for part in parts[1:]:
        if cell_len(longer := f"{line} · {part}") <= width:
            line = longer
    return cut(line, width)


def pad(text: str, width: int) -> str:
    """`text` cut or filled with blanks to `width` cells."""
    kept = cut(text, width)
    return kept + " " * (width - cell_len(kept))


_LEFT_DOTS, _RIGHT_DOTS = (0x40, 0x04, 0x02, 0x01), (0x80, 0x20, 0x10, 0x08)
_LEVELS = len(_LEFT_DOTS)


def braille_line(values: Sequence[float], width: int, low: float, high: float) -> str:
    """A curve one line high in `width` cells of braille, two points a cell; equal heights mean equal values.

    Args:
        values: The curve; a point that is not finite leaves a gap.
        width: Cells; a longer curve is thinned by means, a shorter one stretched.
        low: The value at the bottom.
        high: The value at the top.
    """
    count = 2 * width
    if not values or width < 1:
        return ""
    edges = [index * len(values) // count for index in range(count + 1)]
    points = [statistics.fmean(values[start : max(end, start + 1)]) for start, end in itertools.pairwise(edges)]
    span = high - low if high > low else 1.0
    levels = [
        min(_LEVELS - 1, max(0, int((point - low) / span * _LEVELS))) if math.isfinite(point) else None
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
