"""The size of an effect: two samples in, estimate, intervals, tests and effect sizes out; pure.

Effects count in the direction that a claim says: above "no effect" speaks for it. Differences of shares are in points,
those of losses in nats, and tested as they are; ratios are tested on logarithms. A time that was not reached is
censored: it is known to be longer than the run. Such samples are compared by ranks, and by Welch's test as if it had
been reached at the end.
Where every run of one sample got there within the first epoch and every run of the other later, ranks are not enough
and Welch's test has no spread to go by: if both had one median, the runs of one of them would all lie on one side of
it, which has a chance of at most a half to the power of their number, however they spread.
"""

import itertools
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from alexnet_tui.analysis import stats
from alexnet_tui.analysis.samples import Sample
from alexnet_tui.config.claims import ALPHA, EffectUnit
from alexnet_tui.text import MISSING

LEVEL = 0.95
_LEAST_OF_RATIO, _MOST_OF_RATIO = 1e-9, 1e12
"""No run has other values above 0; of these no ratio, and no end of an interval, is more than a float holds."""
DIGITS: Mapping[EffectUnit, int] = {"points": 2, "nats": 3, "ratio": 2}
"""Digits after the point that an effect is written with, by its unit."""
_MOST_DIGITS, _DIGITS_OF_P = 6, 4
_FACTORS: Mapping[EffectUnit, float] = {"points": 100.0, "nats": 1.0}
Ends = tuple[float | None, float | None]
"""An interval; None is no bound."""


class Effect(msgspec.Struct, frozen=True, kw_only=True):
    """The effect of one sample over another, as a difference or as a ratio.

    Attributes:
        estimate: Difference of means, or ratio of geometric means (of the pairs' median where censored).
        bound: ``at least`` or ``at most`` where the estimate is no more than that, else empty.
        interval: The 95% interval.
        p: One-sided p-value of "above no effect", by permutation.
        p_reversed: The same of "below no effect".
        p_welch: One minus the level at which Welch's interval begins to hold no effect, for "above no effect"; of
            censored times at their bounds. Where the spreads are unequal, the permutation test alone errs more often
            than it says. Of times before the first measurement that of one median in its place.
        p_welch_reversed: The same as `p_reversed`.
        p_below: One-sided p-value of "smaller than the smallest effect that matters"; of censored times the larger of
            that of the ranks and Welch's at their bounds.
        p_above: One-sided p-value of "larger than its mirror image".
        superiority: P(a run of the larger group is above one of the smaller).
        hedges_g: The effect in pooled standard deviations; None where censored or without spread.
        cohen_d: The same without correction for few runs.
        test: The test, for people.
        num_splits: Splits of the runs that the test looked at.
        variances: Of the two samples, on the scale of the test; None where censored.
    """

    estimate: float
    bound: str = ""
    interval: Ends
    p: float
    p_reversed: float
    p_welch: float
    p_welch_reversed: float
    p_below: float
    p_above: float
    superiority: float
    hedges_g: float | None
    cohen_d: float | None
    test: str
    num_splits: int
    variances: tuple[float, float] | None = None

    @property
    def p_larger(self) -> float:
        """The p-value that decides "above no effect": the larger of that of the test and that of the interval."""
        return max(self.p, self.p_welch)

    @property
    def p_smaller(self) -> float:
        """The p-value that decides "below no effect": the larger of that of the test and that of the interval."""
        return max(self.p_reversed, self.p_welch_reversed)

    @property
    def p_equivalence(self) -> float:
        """P-value of "nearer to no effect than the smallest effect that matters": two one-sided tests."""
        return max(self.p_below, self.p_above)


class Scale(msgspec.Struct, frozen=True):
    """How values are compared: by differences, shares in points and losses in nats, or by the logarithms of ratios."""

    unit: EffectUnit

    @property
    def is_ratio(self) -> bool:
        """Whether logarithms are compared."""
        return self.unit == "ratio"

    def value(self, number: float) -> float:
        """A value on the scale of the test."""
        return math.log(number) if self.is_ratio else _FACTORS[self.unit] * number

    def between(self, number: float, other: float) -> float:
        """The effect of one value over another, in `unit`."""
        return number / other if self.is_ratio else _FACTORS[self.unit] * (number - other)

    def effect(self, number: float) -> float:
        """An effect, in `unit`, on the scale of the test."""
        return math.log(number) if self.is_ratio else number

    def restore(self, number: float) -> float:
        """An effect on the scale of the test, in `unit`."""
        return math.exp(number) if self.is_ratio else number

    def ends(self, interval: stats.Interval) -> Ends:
        """An interval, in `unit`."""
        low, high = (self.restore(end) if math.isfinite(end) else None for end in (interval.low, interval.high))
        return low, high


def is_of_ratio(value: float) -> bool:
    """Whether a ratio can be made of a value."""
    return _LEAST_OF_RATIO <= value <= _MOST_OF_RATIO


def digits_apart(value: float, limits: Iterable[float], least: int) -> int:
    """How many digits after the point, so many or more, tell a value from limits that it is held against.

    As many as usual where six would not: it lies at the limit.
    """
    others = [limit for limit in limits if limit != value]

    def are_apart(digits: int) -> bool:
        return all(f"{value:z.{digits}f}" != f"{limit:z.{digits}f}" for limit in others)

    return next(filter(are_apart, range(least, _MOST_DIGITS + 1)), least)


def amount_text(value: float, digits: int = 2) -> str:
    """An effect with so many digits after the point, and with more where these would say that there is none."""
    text = f"{value:.{digits}f}"
    return text if float(text) not in (0.0, 1.0) or value == float(text) else f"{value:.6g}"


def p_value(value: float | None) -> str:
    """A p-value: ``0.0119``, ``< 0.001``, ``0.04998``."""
    if value is None:
        return MISSING
    return "< 0.001" if value < 0.001 else f"{value:.{digits_apart(value, [ALPHA], _DIGITS_OF_P)}f}"


def compare_samples(larger: Sample, smaller: Sample, *, unit: EffectUnit, delta: float) -> Effect:
    """Compare two samples of at least two values each.

    Args:
        larger: The sample that is claimed to have the larger values.
        smaller: The other one.
        unit: What the effect counts.
        delta: The smallest effect that matters, in that unit.

    Raises:
        ValueError: A value has no logarithm.
    """
    scale = Scale(unit)
    if _has_bounds(larger, smaller):
        return _compare_censored(larger, smaller, scale, scale.effect(delta))
    a, b = ([scale.value(value) for value in sample.values] for sample in (larger, smaller))
    test, threshold = stats.permutation_test(a, b), scale.effect(delta)
    return Effect(
        estimate=scale.restore(stats.mean(a) - stats.mean(b)),
        interval=scale.ends(stats.welch_interval(a, b, LEVEL)),
        p=test.p_greater,
        p_reversed=test.p_less,
        p_welch=_p_welch(a, b),
        p_welch_reversed=_p_welch(b, a),
        p_below=stats.welch_p_below(a, b, threshold),
        p_above=stats.welch_p_below(b, a, threshold),
        superiority=stats.superiority(a, b),
        hedges_g=stats.hedges_g(a, b),
        cohen_d=stats.cohen_d(a, b),
        test=_test_name("of logarithms" if scale.is_ratio else "of means", test),
        num_splits=test.num_splits,
        variances=(stats.variance(a), stats.variance(b)),
    )


def interval_at(larger: Sample, smaller: Sample, *, unit: EffectUnit, level: float) -> Ends:
    """The interval of the same effect at another level."""
    scale = Scale(unit)
    if _has_bounds(larger, smaller):
        (low_a, high_a), (low_b, high_b) = (_bounds(sample, scale) for sample in (larger, smaller))
        return scale.ends(_shift_interval(low_a, high_a, low_b, high_b, level))
    a, b = ([scale.value(value) for value in sample.values] for sample in (larger, smaller))
    return scale.ends(stats.welch_interval(a, b, level))


def _compare_censored(larger: Sample, smaller: Sample, scale: Scale, threshold: float) -> Effect:
    """Ranks, where a time is only known to be above the last epoch, or below the first."""
    (low_a, high_a), (low_b, high_b) = (_bounds(sample, scale) for sample in (larger, smaller))
    test = stats.rank_test(high_a, high_b)
    # The bounds of the effect are tested with each censored time where it speaks against what is tested.
    below = stats.rank_test([value - threshold for value in high_a], low_b)
    above = stats.rank_test([value + threshold for value in low_a], high_b)
    at_a, at_b = ([scale.value(value) for value in sample.lower_bounds] for sample in (larger, smaller))
    if larger.num_upper_bounds or smaller.num_upper_bounds:
        p_above = p_welch = _p_apart(at_a, at_b)
        p_below = p_welch_reversed = _p_apart(at_b, at_a)
    else:  # Ranks alone take the wider of two groups with one median for the larger one too often.
        p_welch, p_welch_reversed = _p_welch(at_a, at_b), _p_welch(at_b, at_a)
        p_below, p_above = stats.welch_p_below(at_a, at_b, threshold), stats.welch_p_below(at_b, at_a, threshold)
    is_more = larger.num_censored > 0 or smaller.num_upper_bounds > 0
    is_less = smaller.num_censored > 0 or larger.num_upper_bounds > 0
    bounds = {(True, False): "at least", (False, True): "at most"}
    shift = [x - y for x, y in itertools.product(at_a, at_b)]
    return Effect(
        estimate=scale.restore(statistics.median(shift)),
        bound=bounds.get((is_more, is_less), "about"),
        interval=scale.ends(_shift_interval(low_a, high_a, low_b, high_b, LEVEL)),
        p=test.p_greater,
        p_reversed=test.p_less,
        p_welch=p_welch,
        p_welch_reversed=p_welch_reversed,
        p_below=max(below.p_less, p_below),
        p_above=max(above.p_greater, p_above),
        superiority=stats.superiority(high_a, high_b),
        hedges_g=None,
        cohen_d=None,
        test=_test_name("of ranks (censored times)", test),
        num_splits=test.num_splits,
    )


def _p_welch(a: Sequence[float], b: Sequence[float]) -> float:
    """One minus the level at which Welch's interval of mean(a) - mean(b) begins to hold 0, where it is above 0."""
    return min(1.0, 2 * stats.welch_p_below(b, a, 0.0))


def _bounds(sample: Sample, scale: Scale) -> tuple[list[float], list[float]]:
    """Each value at its least and at its most."""
    known = [scale.value(value) for value in sample.lower_bounds]
    low = [-math.inf if run.is_upper_bound else value for run, value in zip(sample.runs, known, strict=True)]
    high = [math.inf if run.value is None else value for run, value in zip(sample.runs, known, strict=True)]
    return low, high


def _has_bounds(*samples: Sample) -> bool:
    """Whether of some time only a bound is known."""
    return any(sample.num_censored or sample.num_upper_bounds for sample in samples)


def is_apart(one: Sample, other: Sample) -> bool:
    """Whether every run of one sample got to a mark before the first measurement, and every run of the other later."""
    samples = [(one, other), (other, one)]
    return any(
        0 < early.num_upper_bounds == len(early.runs)
        and not late.num_upper_bounds
        and 0 < len(late.runs) == len(late.lower_bounds)
        and max(early.values) < min(late.lower_bounds)
        for early, late in samples
    )


def _p_apart(a: Sequence[float], b: Sequence[float]) -> float:
    """P-value of all of `a` above a mark that was set in advance, and all of `b` not, if both had one median."""
    return 0.5 ** min(len(a), len(b)) if min(a) > max(b) else 1.0


def _shift_interval(
    low_a: Sequence[float], high_a: Sequence[float], low_b: Sequence[float], high_b: Sequence[float], level: float
) -> stats.Interval:
    # A difference is least where the first time is at its least and the second at its most.
    least = [x - y for x, y in itertools.product(low_a, high_b)]
    most = [x - y for x, y in itertools.product(high_a, low_b)]
    return stats.shift_interval(least, most, len(low_a), len(low_b), level)


def _test_name(what: str, test: stats.PermutationTest) -> str:
    how = "exact" if test.is_exact else "seeded random"
    return f"{how} one-sided permutation test {what}, unpaired, {test.num_splits:,} splits"
