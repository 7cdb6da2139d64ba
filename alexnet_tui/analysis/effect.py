"""The size of an effect: two samples in, estimate, intervals, test and effect sizes out; pure."""

import itertools
import math
import statistics
from collections.abc import Callable
from dataclasses import dataclass

from alexnet_tui.analysis import stats
from alexnet_tui.analysis.groups import Sample


@dataclass(frozen=True, kw_only=True, slots=True)
class Effect:
    """The effect of one sample over another, in points or as a ratio; censored samples give a lower bound.

    Attributes:
        estimate: Difference of means, or ratio of geometric means (of the pairs' median where censored).
        interval: The 95% interval; None is no bound.
        interval90: The 90% interval, for "negligible".
        p: One-sided p-value in the claimed direction.
        p_reversed: The same in the other direction.
        superiority: P(a run of the larger group is above one of the smaller).
        hedges_g: The effect in pooled standard deviations; None where censored or without spread.
        test: The test, for people.
        num_splits: Splits of the runs that the test looked at.
    """

    estimate: float
    interval: tuple[float | None, float | None]
    interval90: tuple[float | None, float | None]
    p: float
    p_reversed: float
    superiority: float
    hedges_g: float | None
    cohen_d: float | None
    test: str
    num_splits: int


def compare_samples(larger: Sample, smaller: Sample, *, is_ratio: bool) -> Effect:
    """Compare two samples of at least two values each; a difference in points, or a ratio of times."""
    if larger.num_censored or smaller.num_censored:
        return _compare_censored(larger, smaller)
    prepare: Callable[[float], float] = math.log if is_ratio else (lambda value: 100 * value)
    restore: Callable[[float], float] = math.exp if is_ratio else float
    a, b = ([prepare(value) for value in sample.values] for sample in (larger, smaller))
    test = stats.permutation_test(a, b)
    return Effect(
        estimate=restore(stats.mean(a) - stats.mean(b)),
        interval=_ends(stats.welch_interval(a, b, 0.95), restore),
        interval90=_ends(stats.welch_interval(a, b, 0.90), restore),
        p=test.p_greater,
        p_reversed=test.p_less,
        superiority=stats.superiority(a, b),
        hedges_g=stats.hedges_g(a, b),
        cohen_d=stats.cohen_d(a, b),
        test=_test_name("of logarithms" if is_ratio else "of means", test),
        num_splits=test.num_splits,
    )


def _compare_censored(larger: Sample, smaller: Sample) -> Effect:
    """Ranks, where a time is only known to be above the last epoch; the estimate is a lower bound."""
    samples = (larger, smaller)
    low = [[math.log(value) for value in sample.lower_bounds] for sample in samples]
    high = [[math.inf if run.value is None else math.log(run.value) for run in sample.runs] for sample in samples]
    # A difference is least where the first time is at its least and the second at its most.
    least = [x - y for x, y in itertools.product(low[0], high[1])]
    most = [x - y for x, y in itertools.product(high[0], low[1])]
    shift = [x - y for x, y in itertools.product(low[0], low[1])]
    test = stats.rank_test(high[0], high[1])
    sizes = len(low[0]), len(low[1])
    return Effect(
        estimate=math.exp(statistics.median(shift)),
        interval=_ends(stats.shift_interval(least, most, *sizes, 0.95), math.exp),
        interval90=_ends(stats.shift_interval(least, most, *sizes, 0.90), math.exp),
        p=test.p_greater,
        p_reversed=test.p_less,
        superiority=stats.superiority(high[0], high[1]),
        hedges_g=None,
        cohen_d=None,
        test=_test_name("of ranks (censored times)", test),
        num_splits=test.num_splits,
    )


def _ends(interval: stats.Interval, restore: Callable[[float], float]) -> tuple[float | None, float | None]:
    low, high = (restore(end) if math.isfinite(end) else None for end in (interval.low, interval.high))
    return low, high


def _test_name(what: str, test: stats.PermutationTest) -> str:
    how = "exact" if test.is_exact else "seeded random"
    return f"{how} one-sided permutation test {what}, unpaired, {test.num_splits:,} splits"
