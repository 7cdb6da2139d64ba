"""The interval plot of a claim's effect in the console's colours."""

from collections.abc import Mapping

from textual.content import Content

from alexnet_tui.analysis.verdict.judge import ClaimVerdict
from alexnet_tui.report import interval_text
from alexnet_tui.report.interval_text import Role

_STYLES: Mapping[Role, str] = {
    Role.ZONE: "$faint",
    Role.NO_EFFECT: "$text-muted",
    Role.STUDY: "bold $accent",
    Role.LABEL: "$text-muted",
}


def interval_lines(verdict: ClaimVerdict, width: int, style: str) -> list[Content]:
    """The plot in so many cells, the estimate in `style`; empty without a value to draw or without room."""
    styles = {**_STYLES, Role.INTERVAL: style, Role.ESTIMATE: f"bold {style}"}
    lines = interval_text.interval_lines(verdict, width)
    return [Content.assemble(*((character, styles.get(role, "")) for character, role in line)) for line in lines]
