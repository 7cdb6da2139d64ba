"""Remarks beside a verdict: what differs between runs, or happened to them, and decides nothing; pure."""

from collections.abc import Iterator, Mapping, Sequence

from alexnet_tui.analysis import stats
from alexnet_tui.analysis.conditions import codes, is_one_commit, machines
from alexnet_tui.analysis.copies import same_network
from alexnet_tui.analysis.groups import GroupedRuns, GroupRuns
from alexnet_tui.analysis.metrics import METRICS, quantity
from alexnet_tui.analysis.verdict.case import Case
from alexnet_tui.analysis.verdict.claim_checks import claim_remarks
from alexnet_tui.analysis.verdict.registration import Registration
from alexnet_tui.runs.history import RunHistory

_FEWEST_BESIDE = 0.05
"""Fewer runs at the same time than this are none: one may begin while another is ending."""


def remarks_on(
    case: Case, cases: Sequence[Case], runs: GroupedRuns, registration: Registration | None
) -> tuple[str, ...]:
    """Every remark on a claim, as sentences.

    Args:
        case: The claim.
        cases: All claims of its plan.
        runs: The runs by group.
        registration: The plan; None where there is none.
    """
    return (
        *_repeats(case, cases),
        *(f"{remark}." for remark in claim_remarks(case.claim)),
        *_differences(case),
        *(registration.remarks if registration else ()),
        *_trained_beside(case, runs),
    )


def _repeats(case: Case, cases: Sequence[Case]) -> Iterator[str]:
    """The other claims that compare the same networks by the same metric: their outcome is no second opinion."""
    for other in cases:
        is_same_quantity = quantity(other.claim.metric) == quantity(case.claim.metric)
        if other is not case and is_same_quantity and _are_same_networks(case, other):
            yield f"Claim {other.number} compares the same networks, so it is no second opinion."


def _are_same_networks(case: Case, other: Case) -> bool:
    """Whether two claims compare the same two networks, whichever of them is said to have the larger values."""
    turns = ((other.larger, other.smaller), (other.smaller, other.larger))
    return any(_is_one_network(case.larger, one) and _is_one_network(case.smaller, two) for one, two in turns)


def _is_one_network(one: GroupRuns, other: GroupRuns) -> bool:
    return bool(one.used and other.used) and same_network(one.used[0].record.config, other.used[0].record.config)


def _differences(case: Case) -> Iterator[str]:
    """What differs between the runs of a claim, and does not keep them from being compared."""
    used = [*case.larger.used, *case.smaller.used]
    if used and not is_one_commit(used):
        yield f"Code: {', '.join(sorted(codes(used)))}; the version of the arithmetic decides, not the commit."
    if len(known := machines(used)) > 1:
        yield f"{len(known)} machines or numbers of threads: {'; '.join(sorted(known))}."
    seeds = [{run.record.config.seed for run in group.used} for group in (case.larger, case.smaller)]
    if all(seeds) and seeds[0] != seeds[1]:
        yield "The two groups have different seeds."


def _trained_beside(case: Case, runs: GroupedRuns) -> Iterator[str]:
    """How many other runs trained beside those of each group, where a claim is about a machine's speed."""
    metric = METRICS.get(case.claim.metric)
    if metric is None or not metric.unit.is_of_a_machine:
        return
    spans = {run.id: span for run in runs.histories if (span := _span(run))}
    beside = {}
    for one in (case.larger, case.smaller):
        known = [run.id for run in one.used if run.id in spans]
        if not known:
            return
        beside[one.group.title] = stats.mean([_overlaps(run_id, spans) for run_id in known])
    if max(beside.values()) >= _FEWEST_BESIDE:
        numbers = " and ".join(f"{number:.1f} beside a run of {title!r}" for title, number in beside.items())
        yield f"Other runs trained at the same time, on average {numbers}: {metric.heading} tells that too."


def _span(run: RunHistory) -> tuple[float, float] | None:
    """When a run began and ended, in seconds since 1970; None where its events do not say."""
    begin = min((place.wall for place in run.segments), default=0.0)
    return (begin, run.last_wall) if 0 < begin < run.last_wall else None


def _overlaps(run_id: str, spans: Mapping[str, tuple[float, float]]) -> float:
    """How many other runs went on during one, on average."""
    begin, end = spans[run_id]
    others = (span for other, span in spans.items() if other != run_id)
    return sum(max(0.0, min(end, last) - max(begin, first)) for first, last in others) / (end - begin)
