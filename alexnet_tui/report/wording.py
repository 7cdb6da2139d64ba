"""The report's numbers in words, once for every format: facts of a verdict, and provenance."""

import time
from collections.abc import Mapping, Sequence

from alexnet_tui.analysis.metrics import METRICS, Unit
from alexnet_tui.analysis.samples import Sample, sample_text
from alexnet_tui.analysis.verdict.effect import DIGITS, Ends, amount_text, digits_apart, p_value
from alexnet_tui.analysis.verdict.judge import ClaimVerdict
from alexnet_tui.analysis.verdict.rules import Verdict
from alexnet_tui.analysis.verdict.secondary import Secondary
from alexnet_tui.config.claims import Claim, EffectUnit
from alexnet_tui.config.protocols import BEST_LEARNING_RATE, PROTOCOLS
from alexnet_tui.report.content import Provenance, Report, Section
from alexnet_tui.report.table import Row
from alexnet_tui.runs.state import State
from alexnet_tui.text import (
    MISSING,
    counted,
    format_clock,
    format_count,
    format_difference,
    format_duration,
    format_percent,
    format_seeds,
    listed,
    plural,
)

TABLE_COLUMNS = ("max_train", "max_test", "max_epoch", "final_test", "gap", "t25", "converged", "time")
MORE_COLUMNS = ("t25_running", "t25_seconds", "overfits")
SELECTED_NOTE = (
    "* selected on test: the maximum over epochs of the accuracy on the test set, as the study did;"
    " shown only beside its own figures."
)
UNITS_NOTE = (
    "Accuracies in %, gap in points, T25 in epochs to 25% training error; ours: mean ± standard deviation over seeds,"
    " (3 of 5) where only three runs got there."
)
P_NOTE = (
    "Corrected p: the larger of the one-sided permutation test's and twice Welch's, after Holm's correction over the"
    " claims of the plan."
)
SPEED_NOTE = "Speed: the study's time over our mean time."
SIGNS = {
    Verdict.SUPPORTED: "✓",
    Verdict.CONTRADICTED: "✗",
    Verdict.NEGLIGIBLE: "≈",
    Verdict.NOT_SUPPORTED: "✗",
    Verdict.INCONCLUSIVE: "?",
    Verdict.NOT_ASSESSED: "–",
    Verdict.EXPLORATORY: "○",
}
TONES = {
    Verdict.SUPPORTED: "good",
    Verdict.CONTRADICTED: "bad",
    Verdict.NEGLIGIBLE: "bad",
    Verdict.NOT_SUPPORTED: "bad",
    Verdict.INCONCLUSIVE: "open",
    Verdict.NOT_ASSESSED: "open",
    Verdict.EXPLORATORY: "open",
}
"""What a verdict is to a claim: good, bad or open; each format has its colour for these."""
_NOT_STARTED = State.QUEUED.value
CAVEAT = "one run, no seed given"
_CARD_FACTS = ("Estimate", "95% interval", "Equivalence", "p", "P(A>B)", "Means", "Runs")


def heading(name: str) -> str:
    """The heading of a metric, starred where the number is selected on test."""
    return METRICS[name].label


def ours(row: Row, name: str) -> str:
    """Our cell in words."""
    if not row.num_runs:
        return MISSING
    return sample_text(row.cells[name].ours, METRICS[name])


def brief(row: Row, name: str) -> str:
    """Our cell where room is scarce: a time without its spread, as the study has none."""
    if METRICS[name].unit is Unit.SECONDS:
        return format_clock(row.cells[name].ours.mean)
    return ours(row, name)


def published(row: Row, name: str) -> str:
    """The study's cell in words."""
    return row.cells[name].published or MISSING


def time_ratio(row: Row) -> str:
    """How many times shorter our runs are than the study's: ``850x``."""
    if row.time_ratio is None:
        return MISSING
    return f"{row.time_ratio:.0f}x" if row.time_ratio >= 10 else f"{row.time_ratio:.2f}x"


def effect(value: float, unit: EffectUnit, digits: int = 0) -> str:
    """An effect in its unit: ``+1.23 points``, ``-0.031 nats`` or ``1.37x``; with the usual digits for 0."""
    number = _number(value, unit, digits)
    return number if unit == "ratio" else f"{number} {unit}"


def estimate(verdict: ClaimVerdict) -> str:
    """The effect that was found, or that there is none."""
    if verdict.effect is None:
        return "no estimate"
    bound = f"{verdict.effect.bound} " if verdict.effect.bound else ""
    found = verdict.effect.estimate
    digits = digits_apart(found, verdict.zone, DIGITS[verdict.unit])
    return f"{bound}{effect(found, verdict.unit, digits)}"


def interval(verdict: ClaimVerdict) -> str:
    """The ends of the 95% interval: ``+1.02 to +1.55``."""
    if verdict.effect is None:
        return MISSING
    return _interval(verdict.effect.interval, verdict)


def facts(verdict: ClaimVerdict) -> list[tuple[str, str]]:
    """The facts of a verdict, as pairs of a label and a text."""
    pairs = [("Effect", verdict.metric)]
    found = verdict.effect
    if found:
        pairs += [
            ("Estimate", f"{estimate(verdict)} (matters from {verdict.delta:g})"),
            ("95% interval", interval(verdict)),
        ]
        if verdict.equivalence_level is not None:
            level = f"{100 * verdict.equivalence_level:.1f}% interval"
            ends = _interval(verdict.equivalence_interval, verdict)
            inside = f"negligible inside {_zone(verdict)}"
            pairs.append(("Equivalence", f"{level} {ends} ({inside}), {_p(verdict.p_equivalence_holm, 'Holm p')}"))
        pairs += [
            ("p", _p_text(verdict)),
            ("Test", found.test),
            ("P(A>B)", f"{found.superiority:.2f}{_g_text(found.hedges_g)}"),
        ]
    if metric := METRICS.get(verdict.claim.metric):
        larger, smaller = (sample_text(one, metric) for one in (verdict.larger, verdict.smaller))
        pairs.append(("Means", f"{metric.label} {larger} against {smaller}"))
    pairs.append(("Runs", f"{_runs(verdict.larger)} against {_runs(verdict.smaller)}"))
    if verdict.published_effect is not None:
        pairs.append(("The study", f"{effect(verdict.published_effect, verdict.unit)}. {verdict.published}"))
    if verdict.own:
        pairs.append(("Ours, its way", secondary_text(verdict.own)))
    if verdict.paper:
        pairs.append(("The paper", verdict.paper))
    pairs += [("" if index else "Remarks", text) for index, text in enumerate(verdict.remarks)]
    return pairs


def card(verdict: ClaimVerdict) -> list[tuple[str, str]]:
    """What a short card shows: the numbers, the study's own with its caveat, and other metrics of the same runs."""
    told = dict(facts(verdict))
    pairs = [(label, told[label]) for label in _CARD_FACTS if label in told]
    if verdict.published_effect is not None:
        pairs.append(("The study", f"{effect(verdict.published_effect, verdict.unit)} ({CAVEAT})"))
    if verdict.own:
        pairs.append(("Ours, its way", secondary_text(verdict.own)))
    own = verdict.own.name if verdict.own else ""
    # The means above are the levels of the metric.
    others = [one for one in verdict.secondary if one.name != own and one.unit != "level"]
    pairs += [("" if index else "Also", secondary_text(one)) for index, one in enumerate(others)]
    return pairs + [("" if index else "Remarks", text) for index, text in enumerate(verdict.remarks)]


def registered(section: Section) -> str:
    """The plan a section's verdicts rest on, in one line; or that there is none."""
    plan = section.registration
    if plan is None and not any(row.num_runs for row in section.rows):
        words = "No run has finished yet: the figures are the study's own, and no claim has numbers"
        return f"{words}; `{section.register}` registers the claims and new runs."
    if plan is None:
        words = "Exploratory: no plan registered these runs before they were made, so they get numbers and no verdict"
        return f"{words}; `{section.register}` registers the claims and new runs."
    seeds = f"{counted(plan.num_seeds, 'seed')} a group"
    extends = f", extending {plan.extends} (look {plan.look})" if plan.extends else ""
    words = f"Registered as {plan.study} on {_day(plan.created)}, plan {plan.sha256[:12]}, {seeds}{extends}."
    if not section.extend:
        return words
    return (
        f"{words} `{section.extend}` plans as many further seeds as what is inconclusive needs with this spread; they"
        " are judged by themselves."
    )


def scope(report: Report) -> list[tuple[str, tuple[ClaimVerdict, ...]]]:
    """Each set of claims that is judged here once, below a sentence that says whose claims they are."""
    sets = list[tuple[list[Claim], list[Section]]]()
    for section in report.sections:
        claims = [one.claim for one in section.claims]
        alike = next((sections for known, sections in sets if known == claims), None)
        if alike is None:
            sets.append((claims, [section]))
        else:
            alike.append(section)
    return [(_whose_claims(sections), sections[0].claims) for _, sections in sets]


def _whose_claims(sections: Sequence[Section]) -> str:
    if all(verdict.published for verdict in sections[0].claims):
        return "The claims of the study, each made there from single runs, tested over seeds with fixed rules:"
    names = [section.registration.study for section in sections if section.registration]
    return f"The claims registered as {listed(names)}, tested over seeds with fixed rules:"


def families(report: Report) -> str:
    """How many families of tests this report looks at; empty for one."""
    if report.num_families < 2:
        return ""
    return (
        f"{report.num_families} families of tests are looked at here; each is corrected by itself, and the more of"
        " them there are, the more is found by chance."
    )


def _zone(verdict: ClaimVerdict) -> str:
    low, high = verdict.zone
    digits = DIGITS[verdict.unit]
    return f"{amount_text(low, digits)} to {amount_text(high, digits)}"


def _interval(ends: Ends, verdict: ClaimVerdict) -> str:
    limits = [*verdict.zone, 1.0 if verdict.claim.is_ratio else 0.0]

    def text(end: float) -> str:
        return _number(end, verdict.unit, digits_apart(end, limits, DIGITS[verdict.unit]))

    low, high = ("" if end is None else text(end) for end in ends)
    return f"{low or 'no lower bound'} to {high or 'no upper bound'}"


def _number(value: float, unit: EffectUnit, digits: int = 0) -> str:
    digits = digits or DIGITS[unit]
    return f"{value:.{digits}f}x" if unit == "ratio" else format_difference(value, digits)


def _p(value: float | None, name: str) -> str:
    if value is None:
        return MISSING
    return f"{name} {p_value(value)}" if value < 0.001 else f"{name} = {p_value(value)}"


def _p_text(verdict: ClaimVerdict) -> str:
    assert verdict.effect is not None
    is_early = verdict.larger.num_upper_bounds + verdict.smaller.num_upper_bounds > 0
    other = "all runs on one side of a median" if is_early else "2 x Welch"
    both = f"permutation {p_value(verdict.effect.p)}, {other} {p_value(verdict.effect.p_welch)}"
    decides = "not corrected" if verdict.p_holm is None else f"the larger, after Holm: {p_value(verdict.p_holm)}"
    return f"{both}; {decides}"


def _g_text(hedges_g: float | None) -> str:
    return "" if hedges_g is None else f", Hedges' g {hedges_g:.1f}"


def _runs(found: Sample) -> str:
    censored = f", {found.num_censored} not reached" if found.num_censored else ""
    return f"{len(found.runs)} x {found.title}{censored}"


def secondary_text(found: Secondary) -> str:
    """A secondary outcome in words."""
    value = "" if found.value is None else f" {_secondary_value(found)}"
    note = f" ({found.note})" if found.note and found.value is not None else ""
    remark = f" {found.note}" if found.note and found.value is None else ""
    return f"{found.name}:{value}{note}{remark}"


def _secondary_value(found: Secondary) -> str:
    """A secondary outcome's number in its unit; a level carries no sign."""
    assert found.value is not None
    return f"{found.value:.2f} points" if found.unit == "level" else effect(found.value, found.unit or "points")


def provenance(found: Provenance) -> list[tuple[str, str]]:
    """Where a section's numbers come from, as pairs of a label and a text."""
    states = {"started": sum(found.states.values()) - found.states.get(_NOT_STARTED, 0), "finished": 0, **found.states}
    pairs = [("Runs", ", ".join(f"{count} {word}" for word, count in states.items()))]
    if found.beside:
        pairs.append(
            ("Learning-rate sweep", f"{found.beside} of the finished: {PROTOCOLS[BEST_LEARNING_RATE].summary}")
        )
    pairs += [(name.capitalize(), _counts(values)) for name, values in found.conditions.items()]
    pairs += [
        ("Data sets", "; ".join(found.data) or MISSING),
        ("Machines", "; ".join(found.hosts) or MISSING),
        ("Versions", ", ".join(found.versions) or MISSING),
        ("Seeds", format_seeds(found.seeds) or MISSING),
        ("Total compute", f"{format_duration(found.total_seconds)} of run time, failed runs included"),
        ("Made", " to ".join(dict.fromkeys((_day(found.first_created), _day(found.last_created))))),
        ("Resumed", f"{counted(found.num_resumed, 'run')}, {found.num_not_bit_exact} of them not bit for bit"),
    ]
    pairs += [("Not finished", f"{one.run_id}: {one.reason}") for one in found.unfinished]
    pairs += [("Excluded", f"{one.run_id}: {one.reason}") for one in found.excluded]
    return [(label, text) for label, text in pairs if text not in ("", MISSING)]


def contradictions(report: Report) -> list[tuple[str, ...]]:
    """The study's contradictions as rows of a table: number, place, one side, the other, and what follows."""
    found = report.contradictions
    return [(str(each.number), each.place, each.one, each.other, each.consequence) for each in found]


def paper_results(report: Report) -> list[tuple[str, ...]]:
    """Figures of the 2012 paper as rows of a table: what it is, its value, and its place."""
    return [(result.what, _figure(result.value), result.place) for result in report.paper]


def _figure(value: float) -> str:
    """A fraction in percent, a count in full, a ratio as it is."""
    if value < 1:
        return format_percent(value, 1)
    return format_count(value) if value >= 1000 else f"{value:g}"


def _counts(values: Mapping[str, int]) -> str:
    if len(values) == 1:
        return next(iter(values))  # All runs are alike in it; the line above counts them.
    return ", ".join(f"{count} {value}" for value, count in values.items())


def _day(seconds: float) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(seconds)) if seconds else MISSING


def experiment_names(section: Section) -> str:
    """What the study calls the experiments of a section, where its name is another: ``Original model (baseline)``."""
    names = [f"{row.title} ({row.group})" for row in section.rows if row.title != row.group]
    return f"Experiments: {', '.join(names)}." if names else ""


def section_title(section: Section) -> str:
    """The protocol of a section in one line."""
    if not section.front_ends:
        return "No runs"
    study = f"Study {section.registration.study}: " if section.registration else ""
    moved = {
        name: value for name, value in section.settings.items() if name not in ("front_end", "data", "epochs", "split")
    }
    extra = "".join(f", {name.replace('_', ' ')} {value}" for name, value in moved.items())
    front_ends, splits = section.front_ends, section.splits
    parts = (
        f"{plural(len(front_ends), 'Front end')} {listed(front_ends)} on {listed(section.data_sets)}",
        epochs_text(section.epochs),
        f"{plural(len(splits), 'split')} {listed(splits)}",
    )
    return f"{study}{', '.join(parts)}{extra}"


def epochs_text(epochs: Sequence[int]) -> str:
    """Lengths of runs: ``5 and 100 epochs``."""
    return f"{listed([format_count(one) for one in epochs])} {plural(epochs[-1], 'epoch')}"
