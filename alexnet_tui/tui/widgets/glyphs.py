"""The few symbols of the console, each with an ASCII twin for terminals that have no Unicode."""

import msgspec
from rich.cells import cell_len

from alexnet_tui.runs.history import State
from alexnet_tui.text import MISSING


class Glyphs(msgspec.Struct, frozen=True, kw_only=True):
    """Symbols by meaning; every one is a single cell wide, so that rows stay aligned.

    Attributes:
        state: One symbol a state; the word stands beside it, so colour is never the only sign.
        full: A filled cell of a bar.
        empty: An unfilled cell of a bar.
    """

    state: dict[State, str]
    mark: str
    pin: str
    reference: str
    up: str
    down: str
    bullet: str
    ellipsis: str
    minus: str
    missing: str
    rule: str
    full: str
    empty: str
    spread: str

    def bar(self, fraction: float, width: int) -> str:
        """A progress bar of `width` cells."""
        done = round(max(0.0, min(1.0, fraction)) * width)
        return self.full * done + self.empty * (width - done)

    def cut(self, text: str, width: int) -> str:
        """`text` in at most `width` cells; an ellipsis stands for what is missing."""
        if cell_len(text) <= width:
            return text
        kept = text[: max(0, width - 1)]
        while cell_len(kept) > max(0, width - 1):
            kept = kept[:-1]
        return kept + self.ellipsis[:width]

    def fit(self, text: str, width: int) -> str:
        """`text` cut or filled with blanks to `width` cells."""
        kept = self.cut(text, width)
        return kept + " " * (width - cell_len(kept))


UNICODE = Glyphs(
    state={
        State.QUEUED: "○",
        State.RUNNING: "●",
        State.FINISHED: "✓",
        State.STOPPED: "■",
        State.FAILED: "✗",
        State.LOST: "?",
    },
    mark="◆",
    pin="▸",
    reference="·",
    up="▲",
    down="▼",
    bullet="·",
    ellipsis="…",
    minus="−",
    missing=MISSING,
    rule="─",
    full="━",
    empty="─",
    spread="±",
)
ASCII = Glyphs(
    state={
        State.QUEUED: "o",
        State.RUNNING: "*",
        State.FINISHED: "+",
        State.STOPPED: "#",
        State.FAILED: "x",
        State.LOST: "?",
    },
    mark="*",
    pin=">",
    reference=".",
    up="^",
    down="v",
    bullet="-",
    ellipsis="~",
    minus="-",
    missing="-",
    rule="-",
    full="=",
    empty=".",
    spread="~",
)


def glyphs(ascii_only: bool) -> Glyphs:
    """The symbols for this terminal."""
    return ASCII if ascii_only else UNICODE
