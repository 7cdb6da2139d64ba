"""The report as Markdown, under the headings of the ML Reproducibility Challenge."""

import re
from collections.abc import Iterable, Iterator, Sequence

from alexnet_tui.analysis import published as paper
from alexnet_tui.analysis.claims import ClaimVerdict
from alexnet_tui.report.build import Report, Section
from alexnet_tui.report.table import Row
from alexnet_tui.report.wording import (
    MORE_COLUMNS,
    SELECTED_NOTE,
    TABLE_COLUMNS,
    UNITS_NOTE,
    facts,
    heading,
    ours,
    provenance,
    published,
    section_title,
    side,
    time_ratio,
)
from alexnet_tui.text import printable

_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>#|~])")


def to_markdown(report: Report) -> str:
    """The whole report in Markdown."""
    return "\n".join(_markdown(report)) + "\n"


def _markdown(report: Report) -> Iterator[str]:
    text = escape_markdown
    yield f"# {text(paper.REPORT_TITLE)}: a second look"
    yield from ("", f"Runs: {text(report.title)}. Report examined: {text(paper.REPORT_AUTHORS)}.")
    yield from ("", "## Reproducibility Summary", "", "### Scope of Reproducibility", "")
    yield "Three claims of the report, each made there from single runs, tested over seeds with fixed rules:"
    yield from ("", *(f"- Claim {number}: {text(claim.statement)}" for number, claim in paper.CLAIMS.items()))
    yield from ("", "### Methodology", "")
    yield (
        "AlexNet's four variants are trained anew. Effects carry Welch's 95% interval; p-values come from the"
        " exact unpaired one-sided permutation test with Holm's correction over the three claims; fewer than"
        " five runs an arm, unequal conditions or an unreplaced failure make a claim inconclusive."
    )
    yield from ("", "### Results", "")
    for section in report.sections:
        yield f"- {text(section_title(section))}: " + "; ".join(
            f"claim {verdict.number} **{verdict.headline}**" for verdict in section.claims
        )
    yield from ("", "### What was easy", "", "One command trains, judges and writes this text.")
    yield from ("", "### What was difficult", "")
    yield "The report does not state its learning rate, padding, augmentation, seeds or device; see below."
    yield from ("", "### Communication with original authors", "", "None.")
    yield from ("", "## Results reproducing original paper")
    for section in report.sections:
        yield from _markdown_section(section)
    yield from ("", "## Contradictions inside the report", "")
    yield from _markdown_table(
        ("#", "Place", "One side", "The other side", "Consequence"),
        ([str(c.number), c.place, c.one, c.other, c.consequence] for c in report.contradictions),
    )
    yield from ("", "## The 2012 paper", "")
    yield from _markdown_table(
        ("Figure", "Value", "Place"),
        ([result.what, f"{result.value:g}", result.place] for result in report.paper),
    )
    if report.problems:
        yield from ("", "## Runs that could not be read", "", *(f"- {text(one)}" for one in report.problems))


def _markdown_section(section: Section) -> Iterator[str]:
    text = escape_markdown
    yield from ("", f"### {text(section_title(section))}", "")
    yield from (f"{text(note)}  " for note in section.notes)
    yield ""
    yield from _markdown_table(
        ("Experiment", "Source", *map(heading, TABLE_COLUMNS), "Speed"), _cells(section.rows, TABLE_COLUMNS)
    )
    yield from ("", text(UNITS_NOTE) + "  ", text(SELECTED_NOTE), "")
    yield from _markdown_table(
        ("Experiment", "Source", *map(heading, MORE_COLUMNS)),
        (cells[:-1] for cells in _cells(section.rows, MORE_COLUMNS)),
    )
    for verdict in section.claims:
        yield from _markdown_claim(verdict)
    yield from ("", "#### Computational requirements and provenance", "")
    yield from (f"- {label}: {text(value)}" for label, value in provenance(section.provenance))


def _markdown_claim(verdict: ClaimVerdict) -> Iterator[str]:
    text = escape_markdown
    yield from ("", f"#### Claim {verdict.number}: {text(verdict.statement)}", "")
    yield f"**{verdict.headline.capitalize()}.** " + text(" ".join(verdict.reasons))
    yield ""
    yield from (f"- {text(label)}: {text(value)}" for label, value in facts(verdict))
    yield from (f"- Beside it: {text(side(found))}" for found in verdict.secondary)


def _cells(rows: Iterable[Row], columns: Sequence[str]) -> Iterator[list[str]]:
    for row in rows:
        if row.is_published:
            yield [row.title, "report", *(published(row, name) for name in columns), ""]
        yield [row.title, f"ours, n={row.num_runs}", *(ours(row, name) for name in columns), time_ratio(row)]


def _markdown_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(map(escape_markdown, headings))} |"
    yield f"|{' --- |' * len(headings)}"
    for row in rows:
        yield f"| {' | '.join(map(escape_markdown, row))} |"


def escape_markdown(text: str) -> str:
    """Foreign text that Markdown shows as it is."""
    return _MARKDOWN.sub(r"\\\1", printable(text, 4000))
