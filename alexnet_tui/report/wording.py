"""The report's numbers in words, once for every format: facts of a verdict, provenance, and the trace."""

import time
from collections.abc import Iterator, Mapping

from alexnet_tui.analysis.claims import ClaimVerdict, Verdict
from alexnet_tui.analysis.groups import Sample, sample_text
from alexnet_tui.analysis.metrics import METRICS, Unit
from alexnet_tui.analysis.secondary import Secondary
from alexnet_tui.config.protocols import BEST_LEARNING_RATE, PROTOCOLS
from alexnet_tui.report.build import Provenance, Report, Section
from alexnet_tui.report.table import REPORTED, Row
from alexnet_tui.runs.history import State
from alexnet_tui.text import MISSING, format_clock, format_difference, format_duration

TABLE_COLUMNS = ("max_train", "max_test", "max_epoch", "final_test", "gap", "t25", "converged", "time")
MORE_COLUMNS = ("t25_running", "t25_seconds", "overfits")
SELECTED_NOTE = (
    "* selected on test: the maximum over epochs of the accuracy on the test set, as the report did;"
    " shown only beside its own figures."
)
UNITS_NOTE = (
    "Accuracies in %, gap in points, T25 in epochs to 25% training error; ours: mean ± standard deviation over seeds,"
    " (3 of 5) where only three runs got there."
)
SIGNS = {Verdict.SUPPORTED: "✓", Verdict.NOT_SUPPORTED: "✗", Verdict.INCONCLUSIVE: "?"}
_NOT_STARTED = State.QUEUED.value
CAVEAT = "one run, no seed given"
_CARD_FACTS = ("Estimate", "95% interval", "p", "P(A>B)", "Runs")


def heading(name: str) -> str:
    """The heading of a metric, starred where the number is selected on test."""
    return METRICS[name].label


def ours(row: Row, name: str) -> str:
    """Our cell in words."""
    if not row.num_runs:
        return MISSING
    return sample_text(row.cells[name].ours, METRICS[name])


def brief(row: Row, name: str) -> str:
    """Our cell where room is scarce: a time without its spread, as the report has none."""
    if METRICS[name].unit is Unit.SECONDS:
        return format_clock(row.cells[name].ours.mean)
    return ours(row, name)


def published(row: Row, name: str) -> str:
    """The report's cell in words."""
    return row.cells[name].published or MISSING


def time_ratio(row: Row) -> str:
    """How many times shorter our runs are than the report's: ``850x``."""
    if row.time_ratio is None:
        return MISSING
    return f"{row.time_ratio:.0f}x" if row.time_ratio >= 10 else f"{row.time_ratio:.2f}x"


def effect(value: float, unit: str) -> str:
    """An effect in its unit: ``+1.23 points`` or ``1.37x``; a level carries no sign."""
    if unit == "level":
        return f"{value:.2f} points"
    return f"{value:.2f}x" if unit == "ratio" else f"{format_difference(value, 2)} points"


def facts(verdict: ClaimVerdict) -> list[tuple[str, str]]:
    """What stands on a verdict's card, as pairs of a label and a text."""
    pairs = [("Effect", verdict.metric)]
    found = verdict.effect
    if found:
        bound = "at least " if verdict.larger.num_censored else ""
        low, high = (MISSING if end is None else effect(end, verdict.unit).split(" ")[0] for end in found.interval)
        pairs += [
            ("Estimate", f"{bound}{effect(found.estimate, verdict.unit)} (matters from {verdict.delta:g})"),
            ("95% interval", f"{low} to {high if found.interval[1] is not None else 'no upper bound'}"),
            ("p", _p_text(verdict)),
            ("Test", found.test),
            ("P(A>B)", f"{found.superiority:.2f}{_g_text(found.hedges_g)}"),
        ]
    pairs += [
        ("Runs", f"{_runs(verdict.larger)} against {_runs(verdict.smaller)}"),
        ("The report", f"{effect(verdict.published_effect, verdict.unit)}. {verdict.published}"),
        ("The paper", verdict.paper),
    ]
    return pairs


def card(verdict: ClaimVerdict) -> list[tuple[str, str]]:
    """What a short card shows: the numbers, the report's own with its caveat, and what stands beside them."""
    told = dict(facts(verdict))
    pairs = [(label, told[label]) for label in _CARD_FACTS if label in told]
    pairs.append(("The report", f"{effect(verdict.published_effect, verdict.unit)} ({CAVEAT})"))
    return pairs + [("" if index else "Beside it", side(one)) for index, one in enumerate(verdict.secondary)]


def _p_text(verdict: ClaimVerdict) -> str:
    assert verdict.effect is not None
    if verdict.p_holm is None:
        return f"{verdict.effect.p:.3f} (not a verdict)"
    return f"{verdict.effect.p:.4f}, Holm over three claims {verdict.p_holm:.4f}"


def _g_text(hedges_g: float | None) -> str:
    return "" if hedges_g is None else f", Hedges' g {hedges_g:.1f}"


def _runs(found: Sample) -> str:
    censored = f", {found.num_censored} not reached" if found.num_censored else ""
    return f"{len(found.runs)} x {found.title}{censored}"


def side(found: Secondary) -> str:
    """A side report in words."""
    value = f" {effect(found.value, found.unit)}" if found.value is not None else ""
    note = f" ({found.note})" if found.note and found.value is not None else ""
    remark = f" {found.note}" if found.note and found.value is None else ""
    return f"{found.name}:{value}{note}{remark}"


def provenance(found: Provenance) -> list[tuple[str, str]]:
    """Where a section's numbers come from, as pairs of a label and a text."""
    counted = {"started": sum(found.states.values()) - found.states.get(_NOT_STARTED, 0), "finished": 0}
    pairs = [("Runs", ", ".join(f"{count} {word}" for word, count in {**counted, **found.states}.items()))]
    if found.beside:
        pairs.append(("Beside claim 2", f"{found.beside} of the finished: {PROTOCOLS[BEST_LEARNING_RATE].summary}"))
    pairs += [(name.capitalize(), _counts(values)) for name, values in found.conditions.items()]
    pairs += [
        ("Data sets", "; ".join(found.data) or MISSING),
        ("Machines", "; ".join(found.hosts) or MISSING),
        ("Versions", ", ".join(found.versions) or MISSING),
        ("Seeds", ", ".join(map(str, found.seeds)) or MISSING),
        ("Total compute", f"{format_duration(found.total_seconds)} of run time, failed runs included"),
        ("Made", f"{_day(found.first_created)} to {_day(found.last_created)}" if found.last_created else MISSING),
        ("Resumed", f"{found.num_resumed} runs, {found.num_not_bit_exact} of them not bit for bit"),
    ]
    pairs += [("Not finished", f"{one.run_id}: {one.reason}") for one in found.unfinished]
    pairs += [("Excluded", f"{one.run_id}: {one.reason}") for one in found.excluded]
    return [(label, text) for label, text in pairs if text not in ("", MISSING)]


def _counts(values: Mapping[str, int]) -> str:
    if len(values) == 1:
        return next(iter(values))  # All runs are alike in it; the line above counts them.
    return ", ".join(f"{count} {value}" for value, count in values.items())


def _day(seconds: float) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(seconds)) if seconds else MISSING


def section_title(section: Section) -> str:
    """The protocol of a section in one line."""
    if not section.front_end:
        return "No runs"
    moved = {
        name: value for name, value in section.settings.items() if name not in ("front_end", "data", "epochs", "split")
    }
    extra = "".join(f", {name.replace('_', ' ')} {value}" for name, value in moved.items())
    epochs = f"{section.epochs} epoch{'s' * (section.epochs != 1)}"
    return f"Front end {section.front_end} on {section.data}, {epochs}, split {section.split}{extra}"


def explain(report: Report) -> Iterator[str]:
    """The runs, values and test behind every verdict and every number of the table, line by line."""
    for section in report.sections:
        yield section_title(section)
        for verdict in section.claims:
            yield ""
            yield f"Claim {verdict.number}: {verdict.statement} {verdict.headline.upper()}"
            yield from (f"  {reason}" for reason in verdict.reasons)
            yield from (f"  {label}: {text}" for label, text in facts(verdict))
            yield from _explain_sample(verdict.unit, verdict.larger, "A = ")
            yield from _explain_sample(verdict.unit, verdict.smaller, "B = ")
            for found in verdict.secondary:
                yield f"  beside it: {side(found)}"
                for one in found.samples:
                    yield from _explain_sample(found.unit, one, "of ")
        yield ""
        yield from _explain_table(section)
        yield from (f"{label}: {text}" for label, text in provenance(section.provenance))
        yield ""


def _explain_sample(unit: str, found: Sample, before: str) -> Iterator[str]:
    yield f"  {before}{found.title}"
    for run in found.runs:
        value = run.limit if run.value is None else run.value
        text = MISSING if value is None else f"{value:.4f} epochs" if unit == "ratio" else f"{100 * value:.4f} points"
        more = "more than " if run.value is None and value is not None else ""
        yield f"    {run.run_id} (seed {run.seed}): {more}{text}"


def _explain_table(section: Section) -> Iterator[str]:
    for row in section.rows:
        for name in REPORTED:
            cell = row.cells[name]
            values = ", ".join(f"{run.run_id} {METRICS[name].text(run.value)}" for run in cell.ours.runs)
            yield f"{row.title}, {heading(name)}: {ours(row, name)} from {values or 'no run'}"
            if cell.published:
                yield f"{row.title}, {heading(name)}, report: {cell.published} (section {cell.place})"
