"""Tables of the report and of a comparison as LaTeX."""

import re
from collections.abc import Container, Iterable, Iterator, Sequence

from alexnet_tui.analysis.compare import COMPARED, Comparison, shown_setting
from alexnet_tui.analysis.metrics import METRICS
from alexnet_tui.analysis.samples import Sample, best_cells, sample_text
from alexnet_tui.analysis.verdict.effect import p_value
from alexnet_tui.analysis.verdict.judge import ClaimVerdict
from alexnet_tui.report.content import Report, Section
from alexnet_tui.report.wording import (
    P_NOTE,
    SELECTED_NOTE,
    TABLE_COLUMNS,
    UNITS_NOTE,
    effect,
    estimate,
    experiment_names,
    heading,
    interval,
    ours,
    published,
    secondary_text,
    section_title,
)
from alexnet_tui.text import MISSING, printable

_PREAMBLE = (
    "% Needs in the preamble:",
    r"% \usepackage[T1]{fontenc}",
    r"% \usepackage{booktabs}",
    r"% \usepackage{graphicx}",
)
# A table wider than the text is made as wide as the text; a narrower one stays as it is.
_FIT = r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%"
_LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "`": r"\textasciigrave{}",
    # Behind the end of a table's row these two would be its options.
    "[": "{[}",
    "*": "{*}",
    "±": r"$\pm$",
    "–": r"\textendash{}",
    "−": "$-$",
    "≤": r"$\le$",
    "≥": r"$\ge$",
}
# What pdflatex sets with the font encoding T1, beyond Latin-1.
_LATEX_KNOWN = frozenset(map(chr, range(0x100, 0x17F))) - set("ĦħĸĿŀŉŦŧ") | set("‘’“”„…—†‡•€™←→↑↓")
_TWO_HYPHENS = re.compile("-(?=-)")


def to_latex(report: Report) -> str:
    """LaTeX tables of each section and of its verdicts; comments say what they need, and what could not be read."""
    tables = (line for section in report.sections for line in _section(section))
    return _text([*tables, *(f"% Could not be read: {printable(problem, 4000)}" for problem in report.problems)])


def comparison_to_latex(comparison: Comparison) -> str:
    """A table of the groups, the best mean of each column among finished runs in bold; others say their state."""
    groups = comparison.groups
    finished = [group for group in groups if group.is_finished]
    marks = iter(_best_places(COMPARED, [[group.cells[name] for name in COMPARED] for group in finished]))
    bold = [next(marks) if group.is_finished else set[int]() for group in groups]
    before = 2 + len(comparison.differing)
    rows = [
        _row(
            [
                group.name if group.is_finished else f"{group.name} ({', '.join(dict.fromkeys(group.states))})",
                str(len(group.run_ids)),
                *(shown_setting(name, group.settings[name]) for name in comparison.differing),
                *(sample_text(group.cells[name], METRICS[name]) for name in COMPARED),
            ],
            {before + place for place in places},
        )
        for group, places in zip(groups, bold, strict=True)
    ]
    names = [name.replace("_", " ") for name in comparison.differing]
    headings = ["Run", "n", *names, *(METRICS[name].heading for name in COMPARED)]
    return _text(_tabular(f"lr{'l' * len(names)}{'r' * len(COMPARED)}", headings, rows))


def _text(lines: Iterable[str]) -> str:
    return "\n".join([*_PREAMBLE, *lines]) + "\n"


def _section(section: Section) -> Iterator[str]:
    columns = TABLE_COLUMNS
    bold = _best_places(columns, [[row.cells[name].ours for name in columns] for row in section.rows])
    rows = []
    for row, places in zip(section.rows, bold, strict=True):
        if row.is_published:
            rows.append(_row([row.title, "study", *(published(row, name) for name in columns)]))
        cells = [row.title, f"ours, n = {row.num_runs}", *(ours(row, name) for name in columns)]
        rows.append(_row(cells, {2 + place for place in places}))
    notes = (f"{section_title(section)}.", experiment_names(section), UNITS_NOTE, SELECTED_NOTE)
    caption = " ".join([*filter(None, notes), "Best of ours in bold."])
    headings = ["Experiment", "Source", *map(heading, columns)]
    yield from _table(_tabular(f"ll{'r' * len(columns)}", headings, rows), caption)
    headings = ["Claim", "Verdict", "Estimate", "95% interval", "Corrected p", "Study"]
    verdicts = (_row(_verdict_cells(verdict)) for verdict in section.claims)
    yield from _table(_tabular("llrrrl", headings, verdicts), f"Verdicts, {section_title(section)}. {P_NOTE}")
    others = [
        f"Also on claim {verdict.number}: {secondary_text(one)}"
        for verdict in section.claims
        for one in verdict.secondary
    ]
    if others:
        yield from (r"\begin{itemize}\sloppy", *(rf"\item {escape_latex(one)}" for one in others), r"\end{itemize}", "")


def _verdict_cells(verdict: ClaimVerdict) -> list[str]:
    return [
        f"{verdict.number}. {verdict.statement}",
        verdict.headline,
        estimate(verdict) if verdict.effect else MISSING,
        interval(verdict),
        p_value(verdict.p_holm),
        MISSING if verdict.published_effect is None else effect(verdict.published_effect, verdict.unit),
    ]


def _best_places(names: Sequence[str], rows: Sequence[Sequence[Sample]]) -> list[set[int]]:
    """For each row the columns in which it is the best."""
    marks = [best_cells(METRICS[name], [row[place] for row in rows]) for place, name in enumerate(names)]
    return [{place for place, column in enumerate(marks) if column[index]} for index in range(len(rows))]


def _table(tabular: Iterable[str], caption: str) -> Iterator[str]:
    yield from (r"\begin{table}", r"\centering", *tabular, rf"\caption{{{escape_latex(caption)}}}", r"\end{table}", "")


def _tabular(columns: str, headings: Sequence[str], rows: Iterable[str]) -> Iterator[str]:
    yield from (_FIT, rf"\begin{{tabular}}{{{columns}}}", r"\toprule", _row(headings), r"\midrule", *rows)
    yield from (r"\bottomrule", r"\end{tabular}}")


def _row(cells: Sequence[str], bold: Container[int] = ()) -> str:
    texts = (escape_latex(cell) for cell in cells)
    return " & ".join(rf"\textbf{{{text}}}" if place in bold else text for place, text in enumerate(texts)) + r" \\"


def escape_latex(text: str) -> str:
    """Foreign text that LaTeX sets as it is; a character that its fonts lack is replaced by its code, ``[U+2713]``."""
    return _TWO_HYPHENS.sub("-{}", "".join(map(_latex_character, printable(text, 4000))))


def _latex_character(character: str) -> str:
    if character in _LATEX or character in _LATEX_KNOWN or character < "\u0100":
        return _LATEX.get(character, character)
    return f"{{[}}U+{ord(character):04X}]"
