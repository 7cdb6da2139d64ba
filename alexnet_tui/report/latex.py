"""The report's tables as LaTeX."""

from collections.abc import Container, Iterator, Sequence

from alexnet_tui.analysis.claims import ClaimVerdict
from alexnet_tui.analysis.groups import best_cells
from alexnet_tui.analysis.metrics import METRICS
from alexnet_tui.report.build import Report, Section
from alexnet_tui.report.export import LATEX_FIT, LATEX_PREAMBLE
from alexnet_tui.report.wording import (
    SELECTED_NOTE,
    TABLE_COLUMNS,
    UNITS_NOTE,
    facts,
    heading,
    ours,
    published,
    section_title,
    side,
)
from alexnet_tui.text import MISSING, escape_latex


def to_latex(report: Report) -> str:
    """LaTeX tables of each section and of its verdicts; the first lines say what they need."""
    return "\n".join([*LATEX_PREAMBLE, *(line for one in report.sections for line in _latex_section(one))]) + "\n"


def _latex_section(section: Section) -> Iterator[str]:
    columns = TABLE_COLUMNS
    best = [best_cells(METRICS[name], [row.cells[name].ours for row in section.rows]) for name in columns]
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
    sides = [f"Beside claim {verdict.number}: {side(one)}" for verdict in section.claims for one in verdict.secondary]
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
