"""The trace: the runs and values behind every verdict and every number of the report, line by line."""

from collections.abc import Iterator

from alexnet_tui.analysis.metrics import METRICS, Unit
from alexnet_tui.analysis.samples import Sample
from alexnet_tui.report.content import Report, Section
from alexnet_tui.report.table import REPORTED
from alexnet_tui.report.wording import facts, heading, ours, provenance, registered, secondary_text, section_title
from alexnet_tui.text import MISSING


def explain(report: Report) -> Iterator[str]:
    """The runs, values and test behind every verdict and every number of the table, line by line."""
    for section in report.sections:
        yield section_title(section)
        yield registered(section)
        for verdict in section.claims:
            yield ""
            yield f"Claim {verdict.number}: {verdict.statement} {verdict.headline.upper()}"
            yield from (f"  {reason}" for reason in verdict.reasons)
            yield from (f"  {label}: {text}" for label, text in facts(verdict))
            metric = METRICS.get(verdict.claim.metric)
            for sample, name in ((verdict.larger, "A = "), (verdict.smaller, "B = ")):
                yield from _explain_sample(metric.unit if metric else Unit.POINTS, sample, name)
            for found in verdict.secondary:
                yield f"  also: {secondary_text(found)}"
                for one in found.samples:
                    yield from _explain_sample(METRICS["t25"].unit, one, "of ")
        yield ""
        yield from _explain_table(section)
        yield from (f"{label}: {text}" for label, text in provenance(section.provenance))
        yield ""
    yield from (f"Could not be read: {problem}" for problem in report.problems)


def _explain_sample(unit: Unit, found: Sample, before: str) -> Iterator[str]:
    yield f"  {before}{found.title}"
    for run in found.runs:
        value = run.limit if run.value is None else run.value
        text = MISSING if value is None else f"{100 * value:.4f} points" if unit.is_share else f"{value:.4f} {unit}"
        more = "at most " if run.is_upper_bound else "more than " if run.value is None and value is not None else ""
        yield f"    {run.run_id} (seed {run.seed}): {more}{text}"


def _explain_table(section: Section) -> Iterator[str]:
    for row in section.rows:
        for name in REPORTED:
            cell = row.cells[name]
            values = ", ".join(f"{run.run_id} {METRICS[name].text(run.value)}" for run in cell.ours.runs)
            yield f"{row.title}, {heading(name)}: {ours(row, name)} from {values or 'no run'}"
            if cell.published:
                yield f"{row.title}, {heading(name)}, study: {cell.published} (section {cell.place})"
