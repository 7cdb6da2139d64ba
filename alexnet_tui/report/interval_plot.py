"""A claim's effect on one axis: where estimate, interval, runs and marks belong, whatever draws them; pure."""

import math
import statistics

import msgspec

from alexnet_tui.analysis.samples import RunValue
from alexnet_tui.analysis.verdict.effect import Scale, is_of_ratio
from alexnet_tui.analysis.verdict.judge import ClaimVerdict


class RunDot(msgspec.Struct, frozen=True):
    """One run on the axis of an effect: the effect it would have by itself, against the mean of the other group.

    Attributes:
        run_id: The run.
        seed: Its seed.
        effect: In the unit of the claim.
        at: Its place, a share of the axis.
        is_larger: It belongs to the group that is claimed to have the larger values.
        is_censored: A time that was not reached, at the last epoch of the run.
    """

    run_id: str
    seed: int | None
    effect: float
    at: float
    is_larger: bool
    is_censored: bool


class IntervalPlot(msgspec.Struct, frozen=True, kw_only=True):
    """An effect on an axis. Places are shares of the axis: 0 is its left end, 1 its right one.

    Attributes:
        no_effect: Where both groups are equal.
        zone: Between these an effect is too small to matter.
        estimate: The estimate; None where there is none.
        interval: Ends of the 95% interval; None where it has no end, or where there is no estimate.
        published: The study's own value; None where it has none.
        dots: The runs of both groups.
    """

    no_effect: float
    zone: tuple[float, float]
    estimate: float | None
    interval: tuple[float | None, float | None]
    published: float | None
    dots: tuple[RunDot, ...]


def interval_plot(verdict: ClaimVerdict) -> IntervalPlot:
    """Where everything of a claim's effect belongs on one axis; ratios on a logarithmic one."""
    is_ratio = verdict.claim.is_ratio
    found = verdict.effect

    def scale(effect: float) -> float:
        return math.log(effect) if is_ratio else effect

    zone = verdict.zone
    effects = _run_effects(verdict, Scale(verdict.unit))
    marks = [*zone, verdict.published_effect, *((found.estimate, *found.interval) if found else ())]
    places = [scale(mark) for mark in (*marks, *(effect for *_, effect in effects)) if mark is not None]
    low, high = min(places), max(places)
    margin = 0.06 * (high - low) or 1.0

    def at(effect: float) -> float:
        return (scale(effect) - low + margin) / (high - low + 2 * margin)

    def known(effect: float | None) -> float | None:
        return None if effect is None else at(effect)

    return IntervalPlot(
        no_effect=at(1.0 if is_ratio else 0.0),
        zone=(at(zone[0]), at(zone[1])),
        estimate=at(found.estimate) if found else None,
        interval=(known(found.interval[0]), known(found.interval[1])) if found else (None, None),
        published=known(verdict.published_effect),
        dots=tuple(
            RunDot(run.run_id, run.seed, effect, at(effect), is_larger, run.value is None)
            for run, is_larger, effect in effects
        ),
    )


def _run_effects(verdict: ClaimVerdict, scale: Scale) -> list[tuple[RunValue, bool, float]]:
    """Each run with a value, whether it is of the larger group, and its effect against the mean of the other group.

    None where values have no place on the axis: upper bounds, and on the axis of a ratio what makes none.
    """
    samples = (verdict.larger, verdict.smaller)
    if not all(sample.lower_bounds and not sample.num_upper_bounds for sample in samples):
        return []
    if scale.is_ratio and not all(is_of_ratio(bound) for sample in samples for bound in sample.lower_bounds):
        return []
    found = []
    for sample, other in zip(samples, reversed(samples), strict=True):
        is_larger = sample is samples[0]
        bounds = other.lower_bounds
        middle = statistics.geometric_mean(bounds) if scale.is_ratio else statistics.fmean(bounds)
        for run in sample.runs:
            value = run.limit if run.value is None else run.value
            if value is None:
                continue
            pair = (value, middle) if is_larger else (middle, value)
            found.append((run, is_larger, scale.between(*pair)))
    return found
