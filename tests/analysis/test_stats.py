"""Our statistics against scipy on random inputs, and against hand-counted cases."""

import itertools
import math
import random
import time
from typing import Any

import numpy as np
import pytest
import scipy  # Loads its parts when a test uses them.

from alexnet_tui.analysis import stats


def near(expected: float) -> Any:
    return pytest.approx(expected, rel=1e-9, abs=1e-9)


def samples(seed: int, low: int = 2, high: int = 9) -> tuple[list[float], list[float]]:
    generator = random.Random(seed)
    a = [generator.gauss(0.6, 0.01) for _ in range(generator.randint(low, high))]
    b = [generator.gauss(0.59, 0.03) for _ in range(generator.randint(low, high))]
    return a, b


def test_moments_agree_with_numpy() -> None:
    for seed in range(20):
        a, _ = samples(seed)
        assert stats.mean(a) == near(float(np.mean(a)))
        assert stats.sd(a) == near(float(np.std(a, ddof=1)))


def test_t_quantile_agrees_with_scipy() -> None:
    for df, probability in itertools.product(
        [1.0, 1.3, 2.0, 4.71, 8.0, 33.3, 250.0, 1e4], [0.001, 0.05, 0.3, 0.5, 0.9, 0.95, 0.975, 0.9999]
    ):
        expected = float(scipy.stats.t.ppf(probability, df))
        assert stats.t_quantile(probability, df) == near(expected)
        assert stats.t_tail(expected, df) == near(1 - probability)


def test_welch_interval_agrees_with_scipy() -> None:
    for seed, level in itertools.product(range(30), [0.9, 0.95]):
        a, b = samples(seed)
        expected = scipy.stats.ttest_ind(a, b, equal_var=False).confidence_interval(level)
        ours = stats.welch_interval(a, b, level)
        assert ours.low == near(float(expected.low))
        assert ours.high == near(float(expected.high))


def first_sum(a: np.ndarray, b: np.ndarray, axis: int = -1) -> np.ndarray:
    return np.asarray(np.sum(a, axis=axis))


def test_permutation_test_agrees_with_scipy() -> None:
    for seed, largest in itertools.product(range(12), [10**12, 60]):
        # scipy gets whole numbers, whose sums are exact: on fractions it takes rounding for a difference.
        generator = random.Random(seed)
        a, b = ([generator.randint(0, largest) for _ in range(generator.randint(3, 6))] for _ in range(2))
        ours = stats.permutation_test([value / largest for value in a], [value / largest for value in b])
        assert ours.is_exact
        assert ours.num_splits == math.comb(len(a) + len(b), len(a))
        for p, alternative in ((ours.p_greater, "greater"), (ours.p_less, "less")):
            expected = scipy.stats.permutation_test(
                (a, b), first_sum, vectorized=True, n_resamples=np.inf, alternative=alternative
            ).pvalue
            assert p == near(float(expected))


def test_rank_test_agrees_with_exact_mann_whitney() -> None:
    for seed in range(12):
        a, b = samples(seed, 3, 6)
        expected = scipy.stats.mannwhitneyu(a, b, alternative="greater", method="exact")
        assert stats.rank_test(a, b).p_greater == near(float(expected.pvalue))
        assert stats.superiority(a, b) == near(float(expected.statistic) / len(a) / len(b))


def test_ranks_agree_with_scipy_on_ties() -> None:
    for seed in range(5):
        generator = random.Random(seed)
        values = [float(generator.randint(0, 5)) for _ in range(15)] + [math.inf, math.inf]
        assert stats.ranks(values) == pytest.approx(scipy.stats.rankdata(values).tolist())


def test_smallest_p_of_n_runs_an_arm_is_one_split_of_all() -> None:
    for n, expected in ((3, 0.05), (4, 1 / 70), (5, 1 / 252)):
        a, b = [1.0 + i / 10 for i in range(n)], [0.1 * i - 3 for i in range(n)]
        assert stats.permutation_test(a, b).p_greater == pytest.approx(expected)
        assert stats.permutation_test(a, b).p_less == 1.0


@pytest.mark.slow
def test_ten_an_arm_is_exact_and_eleven_is_seeded_draws_near_the_truth() -> None:
    generator = random.Random(7)
    a = [generator.gauss(1, 1) for _ in range(11)]
    b = [generator.gauss(0, 1) for _ in range(11)]
    assert stats.permutation_test(a[:10], b[:10]).num_splits == 184_756
    drawn = stats.permutation_test(a, b)
    assert not drawn.is_exact
    assert drawn == stats.permutation_test(a, b)
    pooled = [*a, *b]
    sums = [sum(split) for split in itertools.combinations(pooled, 11)]
    truth = sum(total >= sum(a) - 1e-12 for total in sums) / len(sums)
    assert drawn.p_greater == pytest.approx(truth, abs=4 * math.sqrt(truth / stats.MONTE_CARLO_DRAWS) + 1e-4)


def test_censored_times_tie_above_every_other() -> None:
    result = stats.rank_test([math.inf, math.inf, 90.0, 80.0, math.inf], [40.0, 42.0, 45.0, 41.0, 39.0])
    assert result.p_greater == pytest.approx(1 / 252)


def test_counts_of_u_are_those_of_all_splits() -> None:
    for num_a, num_b in [(2, 3), (4, 4), (5, 5), (3, 7)]:
        counted = [0] * (num_a * num_b + 1)
        for split in itertools.combinations(range(num_a + num_b), num_a):
            counted[sum(split) - num_a * (num_a - 1) // 2] += 1
        assert stats._rank_sum_counts(num_a, num_b) == counted


def test_shift_interval_drops_the_right_number_of_differences() -> None:
    # Five against five at 95% two-sided: critical U = 2, so the third difference from each end.
    differences = [float(value) for value in range(25)]
    random.Random(1).shuffle(differences)
    assert stats.shift_interval(differences, differences, 5, 5, 0.95) == stats.Interval(2.0, 22.0)
    assert stats.shift_interval([0.0] * 9, [1.0] * 9, 3, 3, 0.95) == stats.Interval(-math.inf, math.inf)


def test_shift_interval_covers_at_least_its_level() -> None:
    generator, hits = random.Random(3), 0
    for _ in range(1000):
        a = [generator.gauss(0.5, 1) for _ in range(5)]
        b = [generator.gauss(0, 1) for _ in range(5)]
        pairs = [x - y for x, y in itertools.product(a, b)]
        interval = stats.shift_interval(pairs, pairs, 5, 5, 0.95)
        hits += interval.low <= 0.5 <= interval.high
    assert 0.95 <= hits / 1000 < 0.995


def test_holm_agrees_with_the_stepwise_definition() -> None:
    assert stats.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert stats.holm([0.5, 0.004, 0.9]) == pytest.approx([1.0, 0.012, 1.0])
    generator = random.Random(5)
    for _ in range(50):
        p_values = [generator.random() ** 3 for _ in range(3)]
        order = sorted(p_values)
        passed = list(itertools.takewhile(lambda pair: pair[1] <= 0.05 / (3 - pair[0]), enumerate(order)))
        assert sum(value <= 0.05 for value in stats.holm(p_values)) == len(passed)


@pytest.mark.parametrize("seed", range(10))
def test_effect_sizes_by_their_definition(seed: int) -> None:
    a, b = samples(seed, 3, 8)
    n, m = len(a), len(b)
    pooled = math.sqrt(((n - 1) * np.var(a, ddof=1) + (m - 1) * np.var(b, ddof=1)) / (n + m - 2))
    d = float((np.mean(a) - np.mean(b)) / pooled)
    correction = float(
        scipy.special.gamma((n + m - 2) / 2) / (math.sqrt((n + m - 2) / 2) * scipy.special.gamma((n + m - 3) / 2))
    )
    assert stats.cohen_d(a, b) == near(d)
    assert stats.hedges_g(a, b) == near(d * correction)


def test_arms_without_spread_have_a_point_interval_and_no_effect_size() -> None:
    assert stats.welch_interval([2.0, 2.0], [1.0, 1.0]) == stats.Interval(1.0, 1.0)
    assert stats.cohen_d([2.0, 2.0], [1.0, 1.0]) is None


def test_nothing_to_compute_with_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing"):
        stats.mean([])
    with pytest.raises(ValueError, match="two values"):
        stats.welch_interval([1.0], [1.0, 2.0])
    with pytest.raises(ValueError, match="each group"):
        stats.permutation_test([], [1.0])


def test_large_arms_are_tested_in_a_moment() -> None:
    generator = random.Random(3)
    many = [generator.gauss(0.0, 1.0) for _ in range(500)]
    few = [generator.gauss(0.3, 1.0) for _ in range(300)]
    begin = time.process_time()
    test = stats.permutation_test(few, many)
    assert time.process_time() - begin < 5
    assert (test.num_splits, test.is_exact) == (stats.MIN_DRAWS, False)
    expected = scipy.stats.ttest_ind(few, many, alternative="greater").pvalue
    assert test.p_greater == pytest.approx(expected, abs=0.01)
    swapped = stats.permutation_test(many, few)
    assert swapped.p_less == pytest.approx(test.p_greater, abs=0.01)


def test_no_number_is_too_large_or_too_small() -> None:
    assert math.isnan(stats.mean([1.7e308, 1.7e308]))
    assert math.isnan(stats.mean([math.inf, -math.inf]))
    tiny = stats.welch_interval([0.0, 1e-100], [0.0, 2e-100])
    assert tiny.low < 0 < tiny.high < 1e-98
