"""The report as Markdown, under the headings of the ML Reproducibility Challenge, and its table as LaTeX."""

from collections.abc import Container, Iterable, Iterator, Sequence

from alexnet_tui import paper
from alexnet_tui.claims import ClaimVerdict
from alexnet_tui.export import LATEX_FIT, LATEX_PREAMBLE
from alexnet_tui.report import Report, Section
from alexnet_tui.report_table import COLUMNS, Row, best_cells
from alexnet_tui.report_words import (
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
from alexnet_tui.text import MISSING, escape_latex, escape_markdown


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
    yield from (f"- Beside it: {text(side(found))}" for found in verdict.sides)


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


def to_latex(report: Report) -> str:
    """LaTeX tables of each section and of its verdicts; the first lines say what they need."""
    return "\n".join([*LATEX_PREAMBLE, *(line for one in report.sections for line in _latex_section(one))]) + "\n"


def _latex_section(section: Section) -> Iterator[str]:
    columns = TABLE_COLUMNS
    best = [best_cells(COLUMNS[name], [row.cells[name].ours for row in section.rows]) for name in columns]
    yield from (r"\begin{table}", r"\centering", LATEX_FIT)
    yield from (rf"\begin{{tabular}}{{ll{'r' * len(columns)}}}", r"\toprule")
    yield _latex_row(["Experiment", "Source", *map(heading, columns)])
    yield r"\midrule"
    for index, row in enumerate(section.rows):
        if row.is_published:
            yield _latex_row([row.title, "report", *(published(row, name) for name in columns)])
        bold = {place for place, marks in enumerate(best, 2) if marks[index]}
        cells = [row.title, f"ours, n = {row.num_runs}", *(ours(row, name) for name in columns)]
        yield _latex_row(cells, bold)
    yield from (r"\bottomrule", r"\end{tabular}}")
    caption = f"{section_title(section)}. {UNITS_NOTE} {SELECTED_NOTE} Best of ours in bold."
    yield from (rf"\caption{{{escape_latex(caption)}}}", r"\end{table}", "")
    yield from (r"\begin{table}", r"\centering", LATEX_FIT, r"\begin{tabular}{llrrrl}", r"\toprule")
    yield r"Claim & Verdict & Estimate & 95\% interval & Holm $p$ & Report \\"
    yield r"\midrule"
    yield from (_latex_row(_latex_verdict(verdict)) for verdict in section.claims)
    yield from (r"\bottomrule", r"\end{tabular}}")
    yield rf"\caption{{{escape_latex(f'Verdicts, {section_title(section)}.')}}}"
    yield from (r"\end{table}", "")
    sides = [f"Beside claim {verdict.number}: {side(one)}" for verdict in section.claims for one in verdict.sides]
    if sides:
        yield from (r"\begin{itemize}\sloppy", *(rf"\item {escape_latex(one)}" for one in sides), r"\end{itemize}", "")


def _latex_verdict(verdict: ClaimVerdict) -> list[str]:
    told = dict(facts(verdict))
    return [
        f"{verdict.number}. {verdict.statement}",
        verdict.headline,
        told.get("Estimate", MISSING).split(" (")[0],
        told.get("95% interval", MISSING),
        MISSING if verdict.p_holm is None else f"{verdict.p_holm:.4f}",
        told["The report"].split(". ")[0],
    ]


def _latex_row(cells: Sequence[str], bold: Container[int] = ()) -> str:
    texts = (escape_latex(cell) for cell in cells)
    return " & ".join(rf"\textbf{{{text}}}" if place in bold else text for place, text in enumerate(texts)) + r" \\"
