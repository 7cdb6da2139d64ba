"""The statistics behind a verdict: numbers in, numbers out.

Small samples decide the choice of methods: exact permutation tests instead of asymptotic ones, Welch's
interval instead of the bootstrap (which covers 83% instead of 95% at five runs a group), and for censored
times ranks. The two samples are never paired: an equal seed does not pair two architectures.
"""

import itertools
import math
import random
import statistics
from collections.abc import Sequence

import msgspec

EXACT_SPLITS = 200_000
MONTE_CARLO_DRAWS = 20_000
MAX_DRAWN_VALUES, MIN_DRAWS = 400_000, 2_000
"""Large groups get fewer draws, so that a report does not take a minute."""
MAX_SEEDS = 1000
"""No larger groups are tried for the number of seeds that a difference takes."""


class Interval(msgspec.Struct, frozen=True):
    """A two-sided interval; an end is infinite where the data set no bound."""

    low: float
    high: float


class PermutationTest(msgspec.Struct, frozen=True):
    """A test over the ways to split the pooled values into two groups.

    Attributes:
        p_greater: Share of splits whose first group has at least the observed sum.
        p_less: Share of splits whose first group has at most the observed sum.
        num_splits: Splits looked at.
        is_exact: All splits were looked at; else they are seeded random draws.
    """

    p_greater: float
    p_less: float
    num_splits: int
    is_exact: bool


def mean(values: Sequence[float]) -> float:
    """The arithmetic mean; NaN where the sum is more than a float holds.

    Raises:
        ValueError: There is no value.
    """
    if not values:
        raise ValueError("the mean of nothing")
    try:
        return statistics.fmean(values)
    except (OverflowError, ValueError):  # ValueError: infinities of both signs.
        return math.nan


def variance(values: Sequence[float]) -> float:
    """The sample variance, with n - 1; 0 for fewer than two values, NaN where it is more than a float holds."""
    if len(values) < 2:
        return 0.0
    try:
        return statistics.variance(values)
    except (OverflowError, ValueError, AttributeError):  # AttributeError: an infinity among the values.
        return math.nan


def sd(values: Sequence[float]) -> float:
    """The sample standard deviation, with n - 1; 0 for fewer than two values."""
    return math.sqrt(variance(values))


def geometric_mean(values: Sequence[float]) -> float:
    """The geometric mean of positive values."""
    return math.exp(mean([math.log(value) for value in values]))


def t_tail(t: float, df: float) -> float:
    """P(T > t) of Student's distribution with `df` degrees of freedom, not necessarily whole."""
    from scipy.special import stdtr  # 0.1 s; only where a report is made.

    return float(stdtr(df, -t))


def t_quantile(probability: float, df: float) -> float:
    """The quantile of Student's distribution.

    Raises:
        ValueError: The probability is not inside (0, 1), or `df` is not positive.
    """
    if not 0 < probability < 1 or df <= 0:
        raise ValueError(f"there is no quantile {probability} at {df} degrees of freedom")
    from scipy.special import stdtrit

    return float(stdtrit(df, probability))


class _Welch(msgspec.Struct, frozen=True):
    """Difference of two means, its standard error, and Welch's degrees of freedom."""

    difference: float
    error: float
    df: float


def _welch(a: Sequence[float], b: Sequence[float]) -> _Welch:
    if min(len(a), len(b)) < 2:
        raise ValueError("a comparison of means needs two values a group")
    share_a, share_b = variance(a) / len(a), variance(b) / len(b)
    difference, square = mean(a) - mean(b), share_a + share_b
    if square == 0:
        return _Welch(difference, 0.0, math.inf)
    # Shares of the whole, because squares of tiny variances are 0.
    df = 1 / ((share_a / square) ** 2 / (len(a) - 1) + (share_b / square) ** 2 / (len(b) - 1))
    return _Welch(difference, math.sqrt(square), df)


def welch_interval(a: Sequence[float], b: Sequence[float], level: float = 0.95) -> Interval:
    """The interval of mean(a) - mean(b) that does not assume equal variances.

    Raises:
        ValueError: A group has fewer than two values.
    """
    found = _welch(a, b)
    half = t_quantile((1 + level) / 2, found.df) * found.error if found.error else 0.0
    return Interval(found.difference - half, found.difference + half)


def welch_p_below(a: Sequence[float], b: Sequence[float], bound: float) -> float:
    """One-sided p-value of mean(a) - mean(b) < `bound`, against "at least `bound`".

    Raises:
        ValueError: A group has fewer than two values.
    """
    found = _welch(a, b)
    if not found.error:
        return 0.0 if found.difference < bound else 1.0
    return t_tail((bound - found.difference) / found.error, found.df)


def fewest_values(alpha: float) -> int:
    """Values a group below which no exact permutation test is significant, whatever the values are."""
    return next(count for count in itertools.count(1) if 1 / math.comb(2 * count, count) < alpha)


def seeds_needed(
    variance_a: float, variance_b: float, delta: float, *, alpha: float, power: float, least: int = 2
) -> int | None:
    """Values a group that Welch's one-sided test needs to find a difference of `delta`.

    Args:
        variance_a: Variance of the first group.
        variance_b: Variance of the second.
        delta: The difference, above 0.
        alpha: Level of the test.
        power: Chance of finding it.
        least: The fewest that are asked for.

    Returns:
        None where that is more than `MAX_SEEDS`.
    """
    from scipy.special import nctdtr

    total = variance_a + variance_b
    if total <= 0:
        return least
    shape = total**2 / (variance_a**2 + variance_b**2)

    def is_enough(count: int) -> bool:
        df = (count - 1) * shape
        noncentrality = delta / math.sqrt(total / count)
        return 1 - float(nctdtr(df, noncentrality, t_quantile(1 - alpha, df))) >= power

    return next((count for count in range(least, MAX_SEEDS + 1) if is_enough(count)), None)


def permutation_test(a: Sequence[float], b: Sequence[float]) -> PermutationTest:
    """Unpaired one-sided tests of mean(a) > mean(b) and of mean(a) < mean(b).

    Exact up to `EXACT_SPLITS` splits, which ten values a group stay below; beyond that, seeded draws, with the
    observed split counted among them.

    Raises:
        ValueError: A group is empty.
    """
    if not a or not b:
        raise ValueError("a test needs a value in each group")
    centre = mean([*a, *b])
    pooled = [value - centre for value in (*a, *b)]
    observed = sum(pooled[: len(a)])
    slack = 1e-12 * sum(map(abs, pooled))  # Sums of equal values in another order are equal.
    if math.comb(len(pooled), len(a)) <= EXACT_SPLITS:
        sums = [sum(split) for split in itertools.combinations(pooled, len(a))]
        sampled = 0
    else:
        generator = random.Random(0)
        few = min(len(a), len(b))  # The sum of the smaller group gives that of the other: all sum to zero.
        sign = 1 if few == len(a) else -1
        draws = max(MIN_DRAWS, min(MONTE_CARLO_DRAWS, MAX_DRAWN_VALUES // few))
        sums = [sign * sum(generator.sample(pooled, few)) for _ in range(draws)]
        sampled = 1
    greater = sum(total >= observed - slack for total in sums) + sampled
    less = sum(total <= observed + slack for total in sums) + sampled
    count = len(sums) + sampled
    return PermutationTest(greater / count, less / count, len(sums), not sampled)


def ranks(values: Sequence[float]) -> list[float]:
    """Ranks from 1; equal values share the mean of theirs."""
    order = sorted(range(len(values)), key=values.__getitem__)
    result = [0.0] * len(values)
    for _, group in itertools.groupby(enumerate(order, start=1), key=lambda pair: values[pair[1]]):
        tied = list(group)
        shared = (tied[0][0] + tied[-1][0]) / 2
        for _, index in tied:
            result[index] = shared
    return result


def rank_test(a: Sequence[float], b: Sequence[float]) -> PermutationTest:
    """The permutation test on ranks; a censored time is infinity, and ties with every other one."""
    joint = ranks([*a, *b])
    return permutation_test(joint[: len(a)], joint[len(a) :])


def shift_interval(
    low_differences: Sequence[float], high_differences: Sequence[float], num_a: int, num_b: int, level: float
) -> Interval:
    """The distribution-free interval of a shift, from all differences a - b (Hodges and Lehmann).

    Args:
        low_differences: Each difference, a censored value taken at its least.
        high_differences: Each difference, a censored value taken at its most.
        num_a: Values in the first group.
        num_b: Values in the second group.
        level: Coverage; the exact one is at least this.

    Raises:
        ValueError: There are not `num_a` times `num_b` differences.
    """
    if not len(low_differences) == len(high_differences) == num_a * num_b:
        raise ValueError("every pair must give one difference")
    counts = _rank_sum_counts(num_a, num_b)
    total, cumulative, cut = sum(counts), 0, 0
    for count in counts:
        cumulative += count
        if cumulative / total > (1 - level) / 2:
            break
        cut += 1
    if not cut:
        return Interval(-math.inf, math.inf)
    return Interval(sorted(low_differences)[cut - 1], sorted(high_differences)[-cut])


def _rank_sum_counts(num_a: int, num_b: int) -> list[int]:
    """How many splits give each value of Mann and Whitney's U, from 0 to num_a * num_b."""
    # The Gaussian binomial coefficient: multiply by (1 - q^(b+i)), divide by (1 - q^i).
    size = num_a * num_b + 1
    counts = [1] + [0] * (size - 1)
    for i in range(1, num_a + 1):
        for u in range(size - 1, num_b + i - 1, -1):
            counts[u] -= counts[u - num_b - i]
        for u in range(i, size):
            counts[u] += counts[u - i]
    return counts


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values adjusted so that the chance of any false rejection stays below the level (Holm 1979)."""
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    adjusted, largest = [0.0] * len(p_values), 0.0
    for place, index in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - place) * p_values[index]))
        adjusted[index] = largest
    return adjusted


def holm_levels(p_values: Sequence[float], alpha: float) -> list[float]:
    """The level at which Holm's procedure tests each p-value.

    It is below that level exactly where the adjusted p-value is below `alpha`: once a test has failed, the procedure
    has stopped, and all further ones have the level of that test.
    """
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    levels, num_rejected = [0.0] * len(p_values), 0
    for place, index in enumerate(order):
        levels[index] = alpha / (len(p_values) - num_rejected)
        num_rejected += num_rejected == place and p_values[index] < levels[index]
    return levels


def cohen_d(a: Sequence[float], b: Sequence[float]) -> float | None:
    """The difference of means in pooled standard deviations; None where there is no spread."""
    df = len(a) + len(b) - 2
    if df < 1:
        return None
    pooled = ((len(a) - 1) * variance(a) + (len(b) - 1) * variance(b)) / df
    return (mean(a) - mean(b)) / math.sqrt(pooled) if pooled > 0 else None


def hedges_g(a: Sequence[float], b: Sequence[float]) -> float | None:
    """Cohen's d without its bias in small samples; None where there is no spread."""
    d, df = cohen_d(a, b), len(a) + len(b) - 2
    if d is None or df < 2:
        return d
    return d * math.exp(math.lgamma(df / 2) - math.lgamma((df - 1) / 2)) / math.sqrt(df / 2)


def superiority(a: Sequence[float], b: Sequence[float]) -> float:
    """P(A > B): the chance that a random value of `a` is above one of `b`, ties counted half.

    Raises:
        ValueError: A group is empty.
    """
    if not a or not b:
        raise ValueError("P(A > B) needs a value in each group")
    wins = sum((x > y) + 0.5 * (x == y) for x, y in itertools.product(a, b))
    return wins / (len(a) * len(b))
