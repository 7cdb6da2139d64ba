"""Verdicts: what the groups of a plan come to by the rules, and the numbers and words of a verdict."""

import random

import msgspec
import pytest
from fake_claims import exploratory, four_layers_verdict, judged, own_claim, planned, verdict_of
from fake_histories import CLEAR, make_history, study, study_without

from alexnet_tui.analysis import stats
from alexnet_tui.analysis.groups import group_runs
from alexnet_tui.analysis.verdict.effect import amount_text
from alexnet_tui.analysis.verdict.judge import judge
from alexnet_tui.analysis.verdict.rules import Verdict
from alexnet_tui.config.claims import load_claims
from alexnet_tui.report.wording import facts
from alexnet_tui.runs.history import RunHistory


def test_clear_effects_support_all_three_claims() -> None:
    verdicts = judged(study(shift=CLEAR))
    assert [verdict.number for verdict in verdicts] == [1, 2, 3]
    assert [verdict.verdict for verdict in verdicts] == [Verdict.SUPPORTED] * 3
    assert [verdict.num_runs for verdict in verdicts] == [(5, 5)] * 3


def test_a_verdict_shows_the_numbers_of_its_definition() -> None:
    third = verdict_of(study(shift=CLEAR), 3)
    base = [0.60 + 0.001 * step for step in (-2, 0, 2, -1, 1)]
    four = [0.57 + 0.001 * step for step in (-2, 0, 2, -1, 1)]
    assert third.larger.values == pytest.approx(base)
    assert third.smaller.values == pytest.approx(four)
    assert third.effect is not None
    assert third.effect.estimate == pytest.approx(3.0)
    interval = stats.welch_interval([100 * x for x in base], [100 * x for x in four])
    assert third.effect.interval == pytest.approx((interval.low, interval.high))
    assert third.effect.p == pytest.approx(1 / 252)
    assert third.p_holm == pytest.approx(3 / 252)
    assert third.effect.superiority == 1.0
    assert third.effect.num_splits == 252


def test_the_study_s_figure_and_ours_stand_in_the_study_s_measure() -> None:
    first, second, third = judged(study(shift=CLEAR))
    assert first.published_effect == pytest.approx(100 * (0.9248 - 0.5973 - 0.9576 + 0.5933))
    assert first.own is not None
    assert (first.own.name, first.own.note) == (
        "Gap of maxima: Reduced dropout minus Original model",
        "selected on test",
    )
    assert first.own.value == pytest.approx(5.0)
    assert second.published_effect == pytest.approx(6041 / 5116)
    assert second.own is not None
    assert second.own.name.startswith("T25 running, time")
    assert third.published_effect == pytest.approx(-1.69)
    assert third.own is not None
    assert third.own.value == pytest.approx(3.0, abs=0.05)
    assert third.own.note == "selected on test"


def test_the_ratio_of_times_is_judged_on_logarithms() -> None:
    second = verdict_of(study(shift=CLEAR), 2)
    assert second.unit == "ratio"
    assert second.effect is not None
    assert second.effect.estimate == pytest.approx(1.5, rel=1e-3)


def test_equal_groups_are_negligible_and_a_reversed_effect_is_contradicted() -> None:
    assert [verdict.verdict for verdict in judged(study())] == [Verdict.NEGLIGIBLE] * 3
    third = four_layers_verdict(0.63)
    assert third.verdict is Verdict.CONTRADICTED
    assert third.effect is not None
    assert third.effect.estimate == pytest.approx(-3.0)


def test_contradicted_asks_as_much_as_supported() -> None:
    assert four_layers_verdict(0.5965, spread=0.0001).verdict is Verdict.NEGLIGIBLE, (
        "real, but smaller than what matters"
    )
    assert four_layers_verdict(0.6035, spread=0.0001).verdict is Verdict.NEGLIGIBLE
    assert four_layers_verdict(0.5935, spread=0.0001).verdict is Verdict.SUPPORTED
    assert four_layers_verdict(0.6065, spread=0.0001).verdict is Verdict.CONTRADICTED


def test_a_wide_interval_below_delta_is_no_gain_and_not_negligible() -> None:
    third = four_layers_verdict(0.64, spread=0.015)
    assert third.verdict is Verdict.NOT_SUPPORTED
    assert third.headline == "not supported: no gain of 0.5 points"
    assert third.p_reversed_holm is not None
    assert third.p_reversed_holm >= 0.05, "or it would be contradicted"


def test_inconclusive_says_which_condition_failed_and_how_many_seeds_it_takes() -> None:
    third = four_layers_verdict(0.595, spread=0.005)
    assert third.verdict is Verdict.INCONCLUSIVE
    assert "Holm p is" in third.reasons[0]
    assert third.seeds_needed is not None
    assert f"With this spread {third.seeds_needed} seeds a group" in third.reasons[1]
    assert 5 < third.seeds_needed < 200


def test_more_seeds_are_not_advised_where_there_are_enough() -> None:
    third = four_layers_verdict(0.5952, spread=0.001)
    assert third.verdict is Verdict.INCONCLUSIVE
    assert third.seeds_needed == 5, "three have the power, and no test of fewer than four can be significant here"
    assert "5 seeds a group are enough to tell 0.5 points from no effect" in third.reasons[1]


def test_outside_a_plan_there_are_numbers_and_no_verdict() -> None:
    for registered, free in zip(judged(study(shift=CLEAR)), exploratory(study(shift=CLEAR)), strict=True):
        assert free.verdict is Verdict.EXPLORATORY
        assert (free.effect, free.p_holm) == (registered.effect, registered.p_holm)


def test_nothing_at_all_is_three_times_not_assessed() -> None:
    verdicts = judge(group_runs([]), load_claims("study"), {})
    assert [verdict.verdict for verdict in verdicts] == [Verdict.EXPLORATORY] * 3
    assert all(verdict.effect is None for verdict in verdicts)


def test_a_missing_group_concerns_its_claim_alone() -> None:
    first, second, third = judged(study_without("tanh"))
    assert second.verdict is Verdict.NOT_ASSESSED
    assert (first.verdict, third.verdict) == (Verdict.SUPPORTED, Verdict.SUPPORTED)
    assert first.p_holm == pytest.approx(3 / 252)  # Holm stays over three.


@pytest.mark.parametrize("alpha", [0.2, 0.0, -1.0, 1.0, 50.0])
def test_no_plan_chooses_its_alpha(alpha: float) -> None:
    """The rules have one; a plan of another is void (see `test_forgeries`), and no number here depends on it."""
    spread = study(spread=0.02, shift=CLEAR)
    assert judged(spread, alpha=alpha) == judged(spread)


@pytest.mark.parametrize(
    ("look", "words"),
    [
        (2, "for the second time: in so many looks a wrong one is supported by chance in up to 10%."),
        (3, "for the third time: in so many looks a wrong one is supported by chance in up to 15%."),
        (40, "for the 40th time: in so many looks a wrong one is supported by chance in up to 100%."),
    ],
)
def test_a_further_look_says_what_so_many_looks_find_by_chance(look: int, words: str) -> None:
    found = planned(study(shift=CLEAR))
    registration = msgspec.structs.replace(found.registration, look=look)
    verdicts = judge(group_runs(found.histories), found.plan.claims, found.plan.overrides, registration)
    assert [verdict.reasons[-1] for verdict in verdicts] == [f"These claims are looked at {words}"] * 3


def test_a_small_margin_is_not_written_as_none() -> None:
    groups = {"group": {"removed_conv_layer": "none"}, "reference": {"removed_conv_layer": "4"}}
    claim = own_claim(metric="final_test", direction="higher", smallest_effect=0.001, **groups)
    (verdict,) = judged(study(shift=CLEAR), claims=[claim])
    assert "(needed: at least 0.001)" in verdict.reasons[0]
    assert "negligible inside -0.001 to 0.001" in dict(facts(verdict))["Equivalence"]
    assert [amount_text(value) for value in (1.0, 0.5, -0.5, 1.1, 1 / 1.1, 0.996, 1.001)] == [
        *("1.00", "0.50", "-0.50", "1.10", "0.91"),
        *("0.996", "1.001"),
    ]


def simulated(generator: random.Random, effect_sd: float, scale: float = 1.0) -> list[RunHistory]:
    """Four groups of five runs whose values scatter by `scale` times a known spread, `effect_sd` spreads apart."""
    histories = []
    for variant in ("baseline", "low-dropout", "tanh", "four-conv"):
        for seed in range(5):
            gap = 0.25 + generator.gauss(effect_sd * (variant == "low-dropout"), scale) * 0.01
            final = 0.60 - generator.gauss(effect_sd * (variant == "four-conv"), scale) * 0.005
            t25 = 6.0 * 1.05 ** generator.gauss(effect_sd * (variant == "tanh"), scale)
            histories.append(make_history(variant, seed, final=final, gap=gap, t25=t25))
    return histories


def test_effects_of_five_spreads_are_found() -> None:
    generator = random.Random(11)
    found = [verdict.verdict for _ in range(20) for verdict in judged(simulated(generator, 5.0))]
    assert found.count(Verdict.SUPPORTED) >= 54
    assert Verdict.CONTRADICTED not in found


def test_the_interval_of_equivalence_has_the_level_at_which_holm_tested_it() -> None:
    """It lies inside the zone exactly where the corrected p-value is below alpha, whatever the other claims came to."""
    generator, found = random.Random(23), []
    for _ in range(40):
        for verdict in judged(simulated(generator, generator.choice((0.0, 0.4, 0.8)), scale=0.5)):
            low, high = verdict.equivalence_interval
            assert low is not None
            assert high is not None
            assert verdict.p_equivalence_holm is not None
            found.append(verdict.zone[0] < low and high < verdict.zone[1])
            assert found[-1] == (verdict.p_equivalence_holm < 0.05)
    assert 10 < sum(found) < len(found) - 10
