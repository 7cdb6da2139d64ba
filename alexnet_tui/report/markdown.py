"""The report as Markdown, under the headings of the ML Reproducibility Challenge."""

import re
from collections.abc import Sequence

from alexnet_tui.analysis import published
from alexnet_tui.report import wording
from alexnet_tui.report.content import Report
from alexnet_tui.report.table import Row
from alexnet_tui.report.template import render
from alexnet_tui.text import printable

_OBEYED = re.compile(r"([\\`*_{}\[\]<>#|~])")


def to_markdown(report: Report) -> str:
    """The whole report in Markdown."""
    return render(
        "report.md",
        escape_markdown,
        report=report,
        study=published,
        words=wording,
        number_table=_number_table,
    )


def escape_markdown(text: str) -> str:
    """Foreign text that Markdown shows as it is."""
    return _OBEYED.sub(r"\\\1", printable(text, 4000))


def _number_table(rows: Sequence[Row], columns: Sequence[str], has_speed: bool) -> tuple[list[str], list[list[str]]]:
    """Headings and cells: of each experiment the study's row, where it has one, and ours."""
    cells = []
    for row in rows:
        if row.is_published:
            theirs = [wording.published(row, name) for name in columns]
            cells.append([row.title, "study", *theirs, *(["1x"] if has_speed else [])])
        ours = [wording.ours(row, name) for name in columns]
        cells.append([row.title, f"ours, n={row.num_runs}", *ours, *([wording.time_ratio(row)] if has_speed else [])])
    speed = ["Speed"] if has_speed else []
    return ["Experiment", "Source", *map(wording.heading, columns), *speed], cells
