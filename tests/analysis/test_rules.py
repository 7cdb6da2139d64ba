"""The rules of the verdict against independent implementations, and by simulation."""

import importlib.util
import itertools
import math
import random
import sys
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import scipy  # Loads `stats` when a test uses it, a second that other workers save.

from alexnet_tui.analysis import stats
from alexnet_tui.analysis.samples import RunValue, Sample, make_sample
from alexnet_tui.analysis.verdict.effect import compare_samples, interval_at, is_apart, p_value
from alexnet_tui.analysis.verdict.rules import HolmValues, Verdict, decide, verdict_of
from alexnet_tui.config.claims import load_claims

NEAR = 1e-9
PATH = Path(__file__).parents[1] / "benchmarks" / "bench_verdict.py"


def benchmark() -> Any:
    """The benchmark's module, which lies outside the tests' own path."""
    spec = importlib.util.spec_from_file_location("bench_verdict", PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # Dataclasses look their module up.
    spec.loader.exec_module(module)
    return module


bench_verdict = benchmark()


def sample(values: "list[float]", limit: float = math.inf) -> Sample:
    """Values of a group; what lies above the limit was not reached."""
    return make_sample(
        RunValue(str(seed), seed, value if value <= limit else None, limit if value > limit else None)
        for seed, value in enumerate(values)
    )


def draws(count: int) -> "list[tuple[list[float], list[float]]]":
    generator = random.Random(5)
    pairs = []
    for _ in range(count):
        sizes = generator.randint(3, 8), generator.randint(3, 8)
        spread = generator.choice((0.001, 0.02)), generator.choice((0.001, 0.02))
        shift = generator.choice((0.0, 0.005, -0.03))
        pairs.append(
            (
                [0.6 + shift + generator.gauss(0, spread[0]) for _ in range(sizes[0])],
                [0.6 + generator.gauss(0, spread[1]) for _ in range(sizes[1])],
            )
        )
    return pairs


def exact_test(a: "np.ndarray", b: "np.ndarray") -> float:
    """Scipy's one-sided permutation test of means over all splits."""
    found = scipy.stats.permutation_test(
        (a, b),
        lambda x, y, axis: x.mean(axis) - y.mean(axis),
        alternative="greater",
        n_resamples=np.inf,
        vectorized=True,
    )
    return float(found.pvalue)


@pytest.mark.slow
def test_an_effect_in_points_agrees_with_scipy_and_statsmodels() -> None:
    import statsmodels.stats.weightstats  # Here: it loads pandas, seconds that workers without this test save.

    for a, b in draws(25):
        found = compare_samples(sample(a), sample(b), unit="points", delta=1.0)
        left, right = 100 * np.array(a), 100 * np.array(b)
        welch = scipy.stats.ttest_ind(left, right, equal_var=False)
        ends = welch.confidence_interval(0.95)
        assert found.estimate == pytest.approx(left.mean() - right.mean(), rel=NEAR)
        assert found.interval == pytest.approx((ends.low, ends.high), rel=NEAR)
        exact = exact_test(left, right)
        assert found.p == pytest.approx(exact, rel=NEAR)
        compared = statsmodels.stats.weightstats.CompareMeans.from_data(left, right)
        p, (above, below) = compared.ttost_ind(-1.0, 1.0, usevar="unequal")
        assert found.p_above == pytest.approx(above[1], rel=NEAR, abs=1e-12)
        assert found.p_below == pytest.approx(below[1], rel=NEAR, abs=1e-12)
        assert found.p_equivalence == pytest.approx(p, rel=NEAR, abs=1e-12)
        low, high = interval_at(sample(a), sample(b), unit="points", level=0.9)
        ends = welch.confidence_interval(0.9)
        assert (low, high) == pytest.approx((ends.low, ends.high), rel=NEAR)


def test_the_interval_at_holm_s_level_and_the_two_tests_say_the_same() -> None:
    for a, b in draws(60):
        found = compare_samples(sample(a), sample(b), unit="points", delta=1.0)
        for alpha in (0.05, 0.05 / 3):
            low, high = interval_at(sample(a), sample(b), unit="points", level=1 - 2 * alpha)
            assert low is not None
            assert high is not None
            assert (low > -1.0 and high < 1.0) == (found.p_equivalence < alpha)


def test_a_ratio_agrees_with_scipy_on_logarithms() -> None:
    for a, b in draws(15):
        found = compare_samples(sample(a), sample(b), unit="ratio", delta=1.1)
        left, right = np.log(a), np.log(b)
        ends = scipy.stats.ttest_ind(left, right, equal_var=False).confidence_interval(0.95)
        assert found.estimate == pytest.approx(math.exp(left.mean() - right.mean()), rel=NEAR)
        assert found.interval == pytest.approx((math.exp(ends.low), math.exp(ends.high)), rel=NEAR)


def test_times_that_were_not_reached_agree_with_scipy_s_exact_ranks() -> None:
    generator = random.Random(3)
    for _ in range(15):
        a = [generator.uniform(10, 30) for _ in range(5)]
        b = [generator.uniform(5, 19) for _ in range(5)]
        found = compare_samples(sample(a, 20.0), sample(b, 20.0), unit="ratio", delta=1.1)
        if not any(value > 20 for value in a):
            continue
        ranks = scipy.stats.rankdata([99.0 if value > 20 else value for value in (*a, *b)])
        exact = exact_test(ranks[:5], ranks[5:])
        assert found.p == pytest.approx(exact, rel=NEAR)
        if found.interval[0] is not None:
            assert found.interval[0] <= found.estimate * (1 + NEAR)


def test_a_number_next_to_a_limit_is_written_so_that_one_sees_on_which_side_it_lies() -> None:
    claim = load_claims("study")[0]  # 1 point matters.
    just_under = [0.50998 + 0.00001 * place for place in range(-2, 3)]
    half = [0.5 + 0.00001 * place for place in range(-2, 3)]
    effect = compare_samples(sample(just_under), sample(half), unit="points", delta=1.0)
    holm = HolmValues(0.049996, 1.0, 1.0, 1.0, 0.95)
    verdict, reason = verdict_of(claim, effect, holm)
    assert verdict is Verdict.INCONCLUSIVE
    assert reason == "The effect is 0.998 points (needed: at least 1.000)."
    narrow = msgspec.structs.replace(effect, estimate=1.0, interval=(0.0004, 2.0))
    assert verdict_of(claim, narrow, holm) == (
        Verdict.SUPPORTED,
        "Holm p is 0.049996 (needed: below 0.05); the 95% interval begins at 0.0004 (needed: above 0); the effect is"
        " 1.00 points (needed: at least 1.00).",
    )
    assert [p_value(p) for p in (0.05, 0.0119, 0.04994, 0.050003, 0.0009)] == [
        "0.0500", "0.0119", "0.0499", "0.050003", "< 0.001",
    ]  # fmt: skip


def test_holm_agrees_with_the_closed_test() -> None:
    """Its definition: a hypothesis is rejected where Bonferroni rejects every set of hypotheses that it is in."""
    generator = random.Random(1)
    for _ in range(30):
        values = [generator.random() ** 3 for _ in range(generator.randint(1, 8))]
        subsets = [
            subset for size in range(1, len(values) + 1) for subset in itertools.combinations(range(len(values)), size)
        ]
        expected = [
            max(min(1.0, len(subset) * min(values[other] for other in subset)) for subset in subsets if one in subset)
            for one in range(len(values))
        ]
        assert stats.holm(values) == pytest.approx(expected, rel=NEAR)


def test_once_holm_s_procedure_has_stopped_its_level_stays() -> None:
    assert stats.holm_levels([0.04, 0.001], 0.05) == pytest.approx([0.05, 0.025])
    assert stats.holm_levels([0.03, 0.04], 0.05) == pytest.approx([0.025, 0.025])
    assert stats.holm_levels([0.04, 0.9, 0.012, 0.03], 0.04) == pytest.approx([0.01] * 4)
    assert stats.holm_levels([0.9, 0.03, 0.012], 0.05) == pytest.approx([0.025, 0.025, 0.05 / 3])
    generator = random.Random(4)
    for _ in range(200):
        values = [generator.random() ** 4 for _ in range(generator.randint(1, 6))]
        tested = zip(values, stats.holm_levels(values, 0.05), strict=True)
        assert [value < level for value, level in tested] == [value < 0.05 for value in stats.holm(values)]


def test_the_number_of_seeds_agrees_with_statsmodels_and_is_the_smallest() -> None:
    import statsmodels.stats.power

    for sd, delta, alpha in ((1.0, 1.0, 0.05), (0.8, 1.0, 0.05 / 3), (0.45, 0.5, 0.05 / 3), (0.2, 1.0, 0.05)):
        found = stats.seeds_needed(sd**2, sd**2, delta, alpha=alpha, power=0.8)
        assert found is not None
        power = statsmodels.stats.power.TTestIndPower().power
        at = [power(delta / sd, count, alpha, alternative="larger") for count in (found - 1, found)]
        assert at[1] >= 0.8
        assert at[0] < 0.8 or found == 2
    assert stats.seeds_needed(1e9, 1e9, 1.0, alpha=0.05, power=0.8) is None
    assert stats.seeds_needed(0.01, 0.01, 1.0, alpha=0.05, power=0.8, least=7) == 7


def test_fewer_values_than_these_are_never_significant() -> None:
    for alpha, count in ((0.05, 4), (0.05 / 3, 4), (0.01, 5), (0.001, 7)):
        assert stats.fewest_values(alpha) == count
        high, low = [1.0 + index for index in range(count)], [-1.0 - index for index in range(count)]
        assert stats.permutation_test(high, low).p_greater < alpha
        assert stats.permutation_test(high[1:], low[1:]).p_greater >= alpha


@pytest.mark.slow
def test_simulated_studies_err_as_seldom_as_they_should() -> None:
    """The short form of the benchmark: every cell, 60 studies, twice the rate allowed for chance."""
    found = {cell: list(bench_verdict.studies(cell, 60)) for cell in bench_verdict.CELLS}
    assert [one for cell, some in found.items() for one in bench_verdict.problems(cell, some, limit=0.10)] == []


def test_what_the_readme_says_of_the_limits_of_the_rules() -> None:
    """One in 32 is the chance that all five of a wide group lie above its median, which is that of the narrow one."""
    assert bench_verdict.wide_times(400, 1) == pytest.approx(1 / 32, abs=0.02)
    assert bench_verdict.wide_times(100, 3, 8) < 0.08
    assert bench_verdict.rare_failures(400) == pytest.approx(0.8**5, abs=0.06)


def test_times_that_were_not_reached_support_nothing_by_a_wide_spread_alone() -> None:
    """All ranks speak for an effect, and Welch's test of the times and bounds does not, after Holm."""
    claims = [claim for claim in load_claims("study") if claim.metric == "t25"] * 3
    narrow = make_sample(
        RunValue(str(seed), seed, value) for seed, value in enumerate((29.9, 29.95, 30.0, 30.05, 30.1))
    )
    reached = [RunValue(str(seed), seed, value) for seed, value in enumerate((31.0, 33.0, 38.0))]
    wide = make_sample([*reached, RunValue("3", 3, None, 40.0), RunValue("4", 4, None, 40.0)])
    effect = compare_samples(wide, narrow, unit="ratio", delta=1.1)
    assert effect.p == pytest.approx(1 / 252)
    logs = np.log([31.0, 33.0, 38.0, 40.0, 40.0]), np.log([29.9, 29.95, 30.0, 30.05, 30.1])
    assert effect.p_welch == pytest.approx(scipy.stats.ttest_ind(*logs, equal_var=False).pvalue)
    assert decide(claims[:1], [(wide, narrow)]) == [Verdict.SUPPORTED]
    assert decide(claims, [(wide, narrow)] * 3) == [Verdict.INCONCLUSIVE] * 3


def test_times_that_were_not_reached_say_no_gain_by_a_wide_spread_alone_neither() -> None:
    """All ranks speak for an effect below what matters, and Welch's test of the times and bounds does not."""
    claims = [claim for claim in load_claims("study") if claim.metric == "t25"] * 3
    narrow, wide = sample([29.9, 29.95, 30.0, 30.05, 30.1]), sample([27.8, 29.0, 33.0, 50.0, 50.0], 40.0)
    effect = compare_samples(narrow, wide, unit="ratio", delta=1.1)
    below = np.log(np.array(narrow.values) / 1.1), np.log([27.8, 29.0, 33.0, 40.0, 40.0])
    assert below[0].max() < below[1].min()
    assert effect.p_below == pytest.approx(
        scipy.stats.ttest_ind(*below, equal_var=False, alternative="less").pvalue, rel=NEAR
    )
    turned = compare_samples(wide, narrow, unit="ratio", delta=1.1)
    assert turned.p_above == pytest.approx(effect.p_below, rel=NEAR)
    assert decide(claims[:1], [(narrow, wide)]) == [Verdict.NOT_SUPPORTED]
    assert decide(claims, [(narrow, wide)] * 3) == [Verdict.INCONCLUSIVE] * 3


@pytest.mark.parametrize("spreads", [(0.3, 0.3), (0.001, 3.0), (3.0, 0.001)])
@pytest.mark.parametrize("median", [0.9995, 1.0, 1.0005])
def test_a_first_epoch_that_tells_groups_of_one_median_apart_errs_as_seldom_as_it_says(
    median: float, spreads: tuple[float, float]
) -> None:
    """However they spread: either all five of one lie on one side of the median, or no group is told from the other."""
    claim = next(claim for claim in load_claims("study") if claim.metric == "t25")
    generator, count, wrong = random.Random(f"{median} {spreads}"), 1000, 0
    for _ in range(count):
        times = [[median * math.exp(generator.gauss(0, spread)) for _ in range(5)] for spread in spreads]
        pair = [
            make_sample(RunValue(str(seed), seed, max(1.0, value), None, value <= 1) for seed, value in enumerate(one))
            for one in times
        ]
        wrong += is_apart(*pair) and decide([claim], [(pair[0], pair[1])]) == [Verdict.SUPPORTED]
    assert wrong / count < 2**-5 + 3 * math.sqrt(2**-5 / count)


def test_the_same_distance_either_way_gives_mirrored_verdicts() -> None:
    claims = load_claims("study")
    generator = random.Random(2)
    mirror = {Verdict.SUPPORTED: Verdict.CONTRADICTED, Verdict.CONTRADICTED: Verdict.SUPPORTED}
    for effect in (0.0, 1.0, 2.0, -4.0):
        pairs = [
            (bench_verdict.group(generator, claim, effect, 1.0), bench_verdict.group(generator, claim, 0.0, 1.0))
            for claim in claims
        ]
        forward, backward = decide(claims, pairs), decide(claims, [(b, a) for a, b in pairs])
        for one, other in zip(forward, backward, strict=True):
            if one in mirror:
                assert other is mirror[one]
            assert (one is Verdict.NEGLIGIBLE) == (other is Verdict.NEGLIGIBLE)


def test_times_of_which_only_bounds_are_known_give_mirrored_verdicts_too() -> None:
    claim = next(claim for claim in load_claims("study") if claim.metric == "t25")
    generator, found = random.Random(8), []
    mirror = {Verdict.SUPPORTED: Verdict.CONTRADICTED, Verdict.CONTRADICTED: Verdict.SUPPORTED}
    for _ in range(400):
        middle, spread = generator.choice((0.5, 30.0, 36.0, 60.0)), generator.choice((0.05, 0.3))
        early = middle < 1 and [RunValue(str(seed), seed, 1.0, None, True) for seed in range(5)]
        one = make_sample(early) if early else sample(times(generator, middle, spread), 36.0)
        other = sample(times(generator, generator.choice((30.0, 33.0)), generator.choice((0.01, 0.05))), 36.0)
        (forward,), (backward,) = decide([claim], [(one, other)]), decide([claim], [(other, one)])
        found.append(forward)
        assert (mirror.get(forward), mirror.get(backward)) in {(None, None), (backward, forward)}
        assert (forward is Verdict.NEGLIGIBLE) == (backward is Verdict.NEGLIGIBLE)
    assert {*mirror, Verdict.NEGLIGIBLE, Verdict.NOT_SUPPORTED, Verdict.INCONCLUSIVE} == set(found)


def times(generator: random.Random, middle: float, spread: float) -> "list[float]":
    return [middle * math.exp(generator.gauss(0, spread)) for _ in range(5)]
