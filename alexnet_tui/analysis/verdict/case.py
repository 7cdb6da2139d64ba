"""A claim with the runs of its two groups: what is tested, if nothing keeps it from being assessed; pure."""

from collections.abc import Mapping

import msgspec

from alexnet_tui.analysis.groups import Group, GroupedRuns, GroupRuns
from alexnet_tui.analysis.metrics import METRICS, Metric
from alexnet_tui.analysis.samples import Sample, sample
from alexnet_tui.analysis.verdict.claim_checks import faults
from alexnet_tui.analysis.verdict.effect import Effect, compare_samples
from alexnet_tui.analysis.verdict.obstacles import (
    incomparable_values,
    missing_runs,
    unequal_groups,
    unusable_values,
)
from alexnet_tui.analysis.verdict.registration import Registration
from alexnet_tui.config.claims import Claim, group_config
from alexnet_tui.config.hyperparameters import Value, settings_text
from alexnet_tui.config.variants import VARIANTS
from alexnet_tui.errors import ConfigError


class Case(msgspec.Struct, frozen=True):
    """A claim with what the runs at hand give for it.

    Attributes:
        number: From 1, in the order of the plan.
        claim: The claim.
        larger: The group claimed to have the larger values.
        smaller: The other one.
        samples: The claim's metric of the larger and of the smaller group.
        obstacles: Why there is no verdict, as sentences.
        effect: None where there are fewer than two values a group, or they cannot be compared.
    """

    number: int
    claim: Claim
    larger: GroupRuns
    smaller: GroupRuns
    samples: tuple[Sample, Sample]
    obstacles: tuple[str, ...]
    effect: Effect | None = None

    @property
    def tested_effect(self) -> Effect | None:
        """The effect, where nothing keeps the claim from being assessed."""
        return None if self.obstacles else self.effect


def make_case(
    number: int, claim: Claim, runs: GroupedRuns, overrides: Mapping[str, str], registration: Registration | None
) -> Case:
    """Find a claim's groups among runs, and look for obstacles; for the arguments see `judge`."""
    claim_faults = [f"{claim.name}: {fault}" for fault in faults(claim, overrides)]
    obstacles = [*(registration.faults if registration else ()), *claim_faults]
    try:
        group, reference = (find_group(runs, settings, overrides) for settings in claim.groups)
    except ConfigError as error:
        obstacles.append(f"The plan does not allow the claim's settings: {error}.")
        group, reference = (GroupRuns(Group(name="", title="", settings=settings)) for settings in claim.groups)
    larger, smaller = claim.turned(group, reference)
    if not (metric := METRICS.get(claim.metric)):
        empty = Sample(None, None, 0, ())
        return Case(number, claim, larger, smaller, (empty, empty), tuple(obstacles))
    samples = (_sample(claim, larger, metric), _sample(claim, smaller, metric))
    incomparable = list(incomparable_values(claim, samples, metric))
    obstacles += [
        *missing_runs(larger, registration),
        *missing_runs(smaller, registration),
        *unequal_groups(runs, larger, smaller, metric),
        *incomparable,
        *unusable_values(claim, (larger, smaller), samples, metric),
    ]
    effect = None
    is_reached = any(one.values for one in samples)
    if not is_reached and all(one.lower_bounds for one in samples):
        obstacles.append(f"No run of either group has a {metric.heading}: there is nothing to compare.")
    is_comparable = is_reached and not incomparable and not claim_faults
    if is_comparable and min(len(one.lower_bounds) for one in samples) > 1:
        effect = compare_samples(*samples, unit=claim.unit, delta=claim.smallest_effect)
    return Case(number, claim, larger, smaller, samples, tuple(dict.fromkeys(obstacles)), effect)


def find_group(runs: GroupedRuns, settings: Mapping[str, Value], overrides: Mapping[str, str]) -> GroupRuns:
    """The runs of one side of a claim; empty where the runs at hand have no such group."""
    config = group_config(settings, overrides)
    group, grouping = runs.grouping.group_of(config), runs.grouping
    if group and grouping.protocol_of(config) == grouping.protocol_of(group_config({}, overrides)):
        return runs.runs(group.name)
    usual = group_config(settings, {})
    title = settings_text(settings) if usual.changes() else VARIANTS[usual.variant].title
    return GroupRuns(Group(name="", title=title, settings={}))


def _sample(claim: Claim, group: GroupRuns, metric: Metric) -> Sample:
    return sample(group.used, metric, group.group.title, is_censored=claim.is_ratio)
