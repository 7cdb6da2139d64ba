"""Secondary outcomes: other metrics of the runs behind a verdict, which never decide it; pure."""

from collections.abc import Iterator, Mapping
from typing import Literal

import msgspec

from alexnet_tui.analysis import stats
from alexnet_tui.analysis.conditions import machines, unequal_conditions
from alexnet_tui.analysis.copies import same_network
from alexnet_tui.analysis.groups import GroupedRuns, GroupRuns
from alexnet_tui.analysis.metrics import METRICS, SELECTED_ON_TEST, Metric, Unit
from alexnet_tui.analysis.published import PublishedClaim
from alexnet_tui.analysis.samples import Sample, sample
from alexnet_tui.analysis.verdict import figure1
from alexnet_tui.analysis.verdict.effect import is_of_ratio
from alexnet_tui.command_lines import ShellCommand
from alexnet_tui.config.claims import Claim
from alexnet_tui.text import counted

SecondaryUnit = Literal["points", "nats", "ratio", "level", ""]


class Secondary(msgspec.Struct, frozen=True):
    """One number beside a verdict.

    Attributes:
        name: What it is.
        value: The number, in `unit`; None if there is only a remark.
        unit: points (a difference), level (points), or ratio; nothing where there is no number.
        note: A remark, or empty.
        samples: The runs and values behind it, where they are not those of the verdict.
    """

    name: str
    value: float | None
    unit: SecondaryUnit = "points"
    note: str = ""
    samples: tuple[Sample, ...] = ()


SAME_QUANTITY: Mapping[str, tuple[str, ...]] = {
    "gap": ("val_selected_gap",),
    "t25": ("t25_seconds", "t25_running"),
    "final_test": ("last_test", "val_selected_test", "max_test"),
}
"""By the metric of a claim: other measures of the same quantity, compared in the direction of the claim."""
TRADE_OFFS: Mapping[str, tuple[str, ...]] = {
    "gap": ("final_test",),
    "train_error": ("test_error", "gap"),
    "converged": ("final_test",),
}
"""By the metric of a claim: what may be lost for it, the claim's group minus its reference."""


def secondary_outcomes(
    claim: Claim, larger: GroupRuns, smaller: GroupRuns, runs: GroupedRuns, command: ShellCommand
) -> Iterator[Secondary]:
    """Other metrics of a claim's two groups, and other groups by the claim's metric."""
    group, reference = claim.turned(larger, smaller)
    metric = METRICS.get(claim.metric)
    if metric is None:
        return
    if claim.metric in TRADE_OFFS and metric.unit.is_share:
        for one in (group, reference):
            if (level := sample(one.used, metric).mean) is not None:
                yield Secondary(f"{metric.heading} of {one.group.title!r}", 100 * level, "level")
    for name in TRADE_OFFS.get(claim.metric, ()):
        if (found := _compared(METRICS[name], group, reference, is_ratio=False)) and found.value is not None:
            yield Secondary(found.name, found.value, note=_trade_off(claim, name, found.value, (larger, smaller)))
    for name in SAME_QUANTITY.get(claim.metric, ()):
        if found := _compared(METRICS[name], larger, smaller, is_ratio=claim.is_ratio):
            yield found
    yield from _sensitivity(claim, metric, reference, group, runs)
    if set(claim.group) == {"activation"} and claim.metric == "t25":
        yield _sweep(runs, command)


def own_measure(published: PublishedClaim, larger: GroupRuns, smaller: GroupRuns) -> Secondary | None:
    """Our number in the measure that the study's own figure is in."""
    metric = METRICS[published.measure]
    return _compared(metric, larger, smaller, is_ratio=metric.unit.is_time)


def _compared(metric: Metric, first: GroupRuns, second: GroupRuns, *, is_ratio: bool) -> Secondary | None:
    """The ratio or the difference of two groups; None where neither has a value."""
    if is_ratio:
        return _ratio(metric, first, second)
    a, b = (sample(one.used, metric).mean for one in (first, second))
    if a is None or b is None:
        return None
    name = f"{metric.heading}: {first.group.title} minus {second.group.title}"
    return Secondary(name, 100 * (a - b), note=SELECTED_ON_TEST if metric.selected_on_test else "")


def _ratio(metric: Metric, slow: GroupRuns, fast: GroupRuns) -> Secondary | None:
    """The ratio of geometric means; a slow run that never got there counts at its limit: a lower bound."""
    name = f"{metric.heading}: {slow.group.title} over {fast.group.title}"
    a, b = (sample(one.used, metric, is_censored=True) for one in (slow, fast))
    if not a.runs or not b.runs:
        return None
    if metric.unit is Unit.SECONDS and len(machines([*slow.used, *fast.used])) > 1:
        return Secondary(name, None, "", "the runs have several machine fingerprints")
    # In the next two cases the ratio is neither a value nor a bound.
    if bounds := a.num_upper_bounds + b.num_upper_bounds:
        return Secondary(name, None, "", f"{counted(bounds, 'run')} got there before the first measurement")
    if b.num_missing:
        return Secondary(name, None, "", f"{b.num_missing} of {len(b.runs)} runs of {fast.group.title!r} not reached")
    if len(a.lower_bounds) < len(a.runs) or not all(map(is_of_ratio, (*a.lower_bounds, *b.values))):
        return None
    runs = f"{a.num_censored} of {len(a.runs)} runs of {slow.group.title!r}"
    ratio = stats.geometric_mean(a.lower_bounds) / stats.geometric_mean(b.values)
    return Secondary(name, ratio, "ratio", f"at least; {runs} not reached" if a.num_censored else "")


def _trade_off(claim: Claim, name: str, difference: float, pair: tuple[GroupRuns, GroupRuns]) -> str:
    """Whether the gap fell only because the network learned less."""
    if (claim.metric, claim.direction, name) != ("gap", "lower", "final_test") or difference >= 0:
        return ""
    larger, smaller = (sample(one.used, METRICS["gap"]).mean for one in pair)
    return "gap down by underfitting" if larger is not None and smaller is not None and larger > smaller else ""


def _sensitivity(
    claim: Claim, metric: Metric, reference: GroupRuns, group: GroupRuns, runs: GroupedRuns
) -> Iterator[Secondary]:
    """The same comparison with other groups that differ from the reference in what the claim is about."""
    base = runs.grouping.groups.get(reference.group.name)
    if base is None or not reference.used or not metric.unit.is_share:
        return
    for name, other in runs.groups.items():
        settings = other.group.settings
        changed = {field for field in runs.grouping.fields if settings.get(field) != base.settings.get(field)}
        if name == group.group.name or not other.used or changed != set(claim.group):
            continue
        title = f"sensitivity, {metric.heading}: {base.title} minus {other.group.title.lower()}"
        if group.used and same_network(group.used[0].record.config, other.used[0].record.config):
            yield Secondary(title, None, "", f"it is the same network as {group.group.title!r}: no second opinion")
        elif reasons := unequal_conditions([*reference.used, *other.used], runs.grouping):
            yield Secondary(title, None, "", " ".join(reasons))
        elif found := _compared(metric, reference, other, is_ratio=False):
            yield Secondary(title, found.value, note=f"n = {len(other.used)}")


def _sweep(runs: GroupedRuns, command: ShellCommand) -> Secondary:
    like = next((run.record.config for run in runs.histories), None)
    found = figure1.compare_best(runs.sweep, like, command)
    return Secondary(figure1.NAME, found.ratio, "ratio", found.note, found.samples)
