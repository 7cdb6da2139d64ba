"""The few symbols of the console by meaning, one cell each, and text cut or filled to a number of cells; pure.

A terminal without Unicode gets each as `text.ASCII_FALLBACK` has it; nothing here needs to know.
"""

from collections.abc import Mapping, Sequence

from rich.cells import cell_len

from alexnet_tui.runs.state import STATE_TONES, State, shown_word
from alexnet_tui.runs.stop_request import STOPPING

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
PLANNED, CANCELLED = "∙", "−"
ASCENDING, DESCENDING = "▲", "▼"
CURSOR = "▌"
DONE, REST = "━", "─"
"""What progress bars are made of."""
CHOSEN, UNCHOSEN = "◉", "○"
ELLIPSIS, SPREAD = "…", "±"
NUM_SERIES = 8
"""How many curves, and signs of curves, a theme has a colour for; those beyond take them again."""


def shown_state(state: str, *, is_stopping: bool = False) -> str:
    """The word for a state on the screen, or for a stop that was asked for."""
    return STOPPING if is_stopping and state == State.RUNNING else shown_word(state)


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
