"""A claim's effect as lines of characters: estimate, 95% interval, what is too small to matter, no effect, each run.

The places come from `interval_plot`, as those of the HTML report do. Every cell has a role beside its character,
which a terminal or the console may colour; without colour the characters alone tell the roles apart.
"""

from collections.abc import Iterator
from enum import Enum, auto

from alexnet_tui.analysis.verdict.effect import amount_text
from alexnet_tui.analysis.verdict.judge import ClaimVerdict
from alexnet_tui.report import wording
from alexnet_tui.report.interval_plot import IntervalPlot, interval_plot

LEGEND = (
    "● estimate, ├─┤ its 95% interval; • a run against the mean of the other group, of the group claimed to be larger"
    " above, of the other below, ○ where the mark was not reached; ◇ the study's value; ░ effects too small to matter;"
    " │ no effect"
)
_FEWEST_CELLS = 16


class Role(Enum):
    """What a cell shows."""

    BLANK = auto()
    ZONE = auto()
    NO_EFFECT = auto()
    INTERVAL = auto()
    ESTIMATE = auto()
    STUDY = auto()
    RUN = auto()
    LABEL = auto()


Cells = list[tuple[str, Role]]
"""One line: a character of one cell each, with its role."""


def interval_lines(verdict: ClaimVerdict, width: int) -> list[Cells]:
    """Runs of the larger group, estimate and interval, runs of the other group, labels: four lines of so many cells.

    Empty without a value to draw or without room.
    """
    plot = interval_plot(verdict)
    if width < _FEWEST_CELLS or (plot.estimate is None and not plot.dots):
        return []
    upper, middle, lower = _Line(plot, width), _Line(plot, width), _Line(plot, width)
    for dot in plot.dots:
        (upper if dot.is_larger else lower).put(dot.at, "○" if dot.is_censored else "•", Role.RUN)
    if plot.estimate is not None:
        low, high = plot.interval
        first, last = middle.cell(0.0 if low is None else low), middle.cell(1.0 if high is None else high)
        middle.cells[first : last + 1] = [("─", Role.INTERVAL)] * (last + 1 - first)
        middle.cells[first] = ("◀" if low is None else "├", Role.INTERVAL)
        middle.cells[last] = ("▶" if high is None else "┤", Role.INTERVAL)
    if plot.published is not None:
        middle.put(plot.published, "◇", Role.STUDY)
    if plot.estimate is not None:
        middle.put(plot.estimate, "●", Role.ESTIMATE)
    return [upper.cells, middle.cells, lower.cells, _labels(verdict, plot, width)]


class _Line:
    """One line of the plot, on the zone and the mark of no effect."""

    def __init__(self, plot: IntervalPlot, width: int) -> None:
        self.width = width
        self.cells: Cells = [(" ", Role.BLANK)] * width
        first, last = (self.cell(share) for share in plot.zone)
        self.cells[first : last + 1] = [("░", Role.ZONE)] * (last + 1 - first)
        self.put(plot.no_effect, "│", Role.NO_EFFECT)

    def cell(self, share: float) -> int:
        """The cell at a share of the axis."""
        return min(self.width - 1, max(0, round(share * (self.width - 1))))

    def put(self, share: float, character: str, role: Role) -> None:
        """Draw a character at a share of the axis."""
        self.cells[self.cell(share)] = (character, role)


def _labels(verdict: ClaimVerdict, plot: IntervalPlot, width: int) -> Cells:
    """What the marks are, below them: no effect first, then the others where they have room."""
    taken = [" "] * width
    for text, share in _marks(verdict, plot):
        start = min(max(0, round(share * (width - 1)) - len(text) // 2), width - len(text))
        around = taken[max(0, start - 1) : start + len(text) + 1]
        if start >= 0 and not "".join(around).strip():
            taken[start : start + len(text)] = text
    return [(character, Role.LABEL) for character in taken]


def _marks(verdict: ClaimVerdict, plot: IntervalPlot) -> Iterator[tuple[str, float]]:
    is_ratio = verdict.claim.is_ratio
    yield ("1x" if is_ratio else "0"), plot.no_effect
    for share, end in zip(plot.zone, verdict.zone, strict=True):
        yield (f"{amount_text(end)}x" if is_ratio else f"{end:+g}"), share
    if plot.published is not None and verdict.published_effect is not None:
        yield wording.effect(verdict.published_effect, verdict.unit).removesuffix(" points"), plot.published
