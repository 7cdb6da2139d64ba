"""A claim's effect as lines of text: estimate, 95% interval, what is too small to matter, no effect, each run.

The places come from `report.charts.interval_plot`, as those of the HTML report do. The zone of effects too small to
matter is drawn with a character of its own, so that it is seen without colour too.
"""

from collections.abc import Iterator

from rich.cells import cell_len
from textual.content import Content

from alexnet_tui.analysis.claims import ClaimVerdict
from alexnet_tui.report import wording
from alexnet_tui.report.charts import IntervalPlot, interval_plot

LEGEND = (
    "● estimate, ├─┤ its 95% interval; • a run against the mean of the other group, of the group claimed to be larger"
    " above, of the other below, ○ where the mark was not reached; ◇ the study's value; ░ effects too small to matter;"
    " │ no effect"
)
_ZONE, _NO_EFFECT, _ESTIMATE, _STUDY, _RUN, _CENSORED = "░", "│", "●", "◇", "•", "○"
_FEWEST_CELLS = 16


def interval_lines(verdict: ClaimVerdict, width: int, style: str) -> list[Content]:
    """The plot in so many cells, the estimate in `style`; empty without a value to draw or without room."""
    plot = interval_plot(verdict)
    if width < _FEWEST_CELLS or (plot.estimate is None and not plot.dots):
        return []
    dots = {place: [dot for dot in plot.dots if dot.is_larger is place] for place in (True, False)}
    lines = []
    for is_larger in (True, False):
        line = _Line(plot, width)
        for dot in dots[is_larger]:
            line.put(dot.at, _CENSORED if dot.is_censored else _RUN, "")
        lines.append(line)
    middle = _Line(plot, width)
    if plot.estimate is not None:
        low, high = plot.interval
        first, last = (
            middle.cell(share) for share in (low if low is not None else 0.0, high if high is not None else 1.0)
        )
        for cell in range(first, last + 1):
            middle.put_cell(cell, "─", style)
        middle.put_cell(first, "◀" if low is None else "├", style)
        middle.put_cell(last, "▶" if high is None else "┤", style)
    if plot.published is not None:
        middle.put(plot.published, _STUDY, "bold $accent")
    if plot.estimate is not None:
        middle.put(plot.estimate, _ESTIMATE, f"bold {style}")
    return [lines[0].content(), middle.content(), lines[1].content(), _labels(verdict, plot, width)]


class _Line:
    """One line of the plot: characters with a style each, on the zone and the line of no effect."""

    def __init__(self, plot: IntervalPlot, width: int) -> None:
        self.width = width
        self.cells = [(" ", "")] * width
        for cell in range(self.cell(plot.zone[0]), self.cell(plot.zone[1]) + 1):
            self.cells[cell] = (_ZONE, "$faint")
        self.cells[self.cell(plot.no_effect)] = (_NO_EFFECT, "$text-muted")

    def cell(self, share: float) -> int:
        """The cell at a share of the axis."""
        return min(self.width - 1, max(0, round(share * (self.width - 1))))

    def put(self, share: float, character: str, style: str) -> None:
        """Draw a character at a share of the axis."""
        self.put_cell(self.cell(share), character, style)

    def put_cell(self, cell: int, character: str, style: str) -> None:
        """Draw a character in a cell."""
        self.cells[cell] = (character, style)

    def content(self) -> Content:
        """The line as styled text."""
        return Content.assemble(*self.cells)


def _labels(verdict: ClaimVerdict, plot: IntervalPlot, width: int) -> Content:
    """What the marks are, below them: no effect first, then the ends of the zone, where they have room."""
    taken = [" "] * width
    for text, share in _marks(verdict, plot):
        start = min(max(0, round(share * (width - 1)) - cell_len(text) // 2), width - cell_len(text))
        around = taken[max(0, start - 1) : start + cell_len(text) + 1]
        if start >= 0 and not "".join(around).strip():
            taken[start : start + len(text)] = text
    return Content.styled("".join(taken), "$text-muted")


def _marks(verdict: ClaimVerdict, plot: IntervalPlot) -> Iterator[tuple[str, float]]:
    is_ratio = verdict.unit == "ratio"
    yield ("1x" if is_ratio else "0"), plot.no_effect
    ends = (1 / verdict.delta, verdict.delta) if is_ratio else (-verdict.delta, verdict.delta)
    for share, end in zip(plot.zone, ends, strict=True):
        yield (f"{end:.2f}x" if is_ratio else f"{end:+g}"), share
    if plot.published is not None and verdict.published_effect is not None:
        yield wording.effect(verdict.published_effect, verdict.unit).removesuffix(" points"), plot.published
