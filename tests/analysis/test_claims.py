"""Verdicts: what the rule says, what stops it from saying anything, and how often it errs."""

import math
import random

import pytest
from fake_histories import CLEAR, diverged, make_history, study
from fake_runs import curve, started

from alexnet_tui.analysis import stats
from alexnet_tui.analysis.claims import CLAIMS, ClaimVerdict, Verdict, judge
from alexnet_tui.analysis.secondary import Secondary
from alexnet_tui.runs import events as ev
from alexnet_tui.runs.history import RunHistory, State


def verdict_of(histories: list[RunHistory], number: int) -> ClaimVerdict:
    return judge(histories).verdicts[number - 1]


def test_clear_effects_support_all_three_claims() -> None:
    verdicts = judge(study(shift=CLEAR)).verdicts
    assert [verdict.number for verdict in verdicts] == [1, 2, 3]
    assert [verdict.verdict for verdict in verdicts] == [Verdict.SUPPORTED] * 3
    assert [verdict.num_runs for verdict in verdicts] == [(5, 5)] * 3


def test_a_verdict_shows_the_numbers_of_its_definition() -> None:
    histories = study(shift=CLEAR)
    third = verdict_of(histories, 3)
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
    assert third.published_effect == pytest.approx(-1.69)


def test_the_ratio_of_times_is_judged_on_logarithms() -> None:
    second = verdict_of(study(shift=CLEAR), 2)
    assert second.unit == "ratio"
    assert second.effect is not None
    assert second.effect.estimate == pytest.approx(1.5, rel=1e-3)
    assert second.published_effect == pytest.approx(6041 / 5116)


def test_equal_arms_are_negligible_and_a_reversed_effect_is_contradicted() -> None:
    assert [verdict.kind for verdict in judge(study()).verdicts] == ["negligible"] * 3
    reversed_effect = {**CLEAR, "four-conv": {"final": 0.63, "gap": 0.25, "t25": 6.0}}
    third = verdict_of(study(shift=reversed_effect), 3)
    assert (third.verdict, third.kind) == (Verdict.NOT_SUPPORTED, "contradicted")
    assert "other way" in third.reasons[0]


def test_a_real_but_tiny_effect_is_not_support() -> None:
    tiny = {**CLEAR, "four-conv": {"final": 0.5965, "gap": 0.25, "t25": 6.0}}
    third = verdict_of(study(spread=0.0001, shift=tiny), 3)
    assert third.effect is not None
    assert third.effect.p < 0.01
    assert third.headline == "not supported (negligible)"


def test_wide_arms_are_inconclusive_and_say_which_condition_failed() -> None:
    wide = {**CLEAR, "four-conv": {"final": 0.59, "gap": 0.25, "t25": 6.0}}
    third = verdict_of(study(spread=0.01, shift=wide), 3)
    assert third.verdict is Verdict.INCONCLUSIVE
    assert "Holm p is" in third.reasons[0]


def test_three_seeds_are_too_few() -> None:
    for verdict in judge(study(3, shift=CLEAR)).verdicts:
        assert verdict.verdict is Verdict.INCONCLUSIVE
        assert any("has 3 finished runs; a verdict needs 5" in reason for reason in verdict.reasons)
        assert verdict.p_holm is None
        assert verdict.effect is not None  # The numbers are shown, the verdict is withheld.


def test_a_missing_arm_concerns_its_claim_alone() -> None:
    histories = [run for run in study(shift=CLEAR) if run.record.config.variant != "tanh"]
    first, second, third = judge(histories).verdicts
    assert second.verdict is Verdict.INCONCLUSIVE
    assert second.reasons[0] == "There is no finished run of 'Tanh activation'."
    assert (first.verdict, third.verdict) == (Verdict.SUPPORTED, Verdict.SUPPORTED)
    assert first.p_holm == pytest.approx(3 / 252)  # Holm stays over three.


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"device_class": "NVIDIA H100"}, "device class"),
        ({"precision": "bf16"}, "precision"),
        ({"data_sha256": "cd" * 32}, "data"),
        ({"arithmetic": 7}, "arithmetic"),
    ],
)
def test_unequal_conditions_are_inconclusive(change: dict[str, object], word: str) -> None:
    histories = study(shift=CLEAR)
    odd = make_history("four-conv", 4, final=0.57, change_started=change)
    histories = [run for run in histories if run.id != odd.id] + [odd]
    first, _, third = judge(histories).verdicts
    assert third.verdict is Verdict.INCONCLUSIVE
    assert any(f"The runs differ in {word}: " in reason and "(9 runs)" in reason for reason in third.reasons)
    assert first.verdict is Verdict.SUPPORTED


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"device_class": "NVIDIA H100"}, "changed its device class when it was resumed: cpu, then NVIDIA H100."),
        ({"precision": "bf16"}, "changed its precision when it was resumed: fp32, then bf16."),
        ({"data_sha256": "cd" * 32}, "changed its data when it was resumed: abababababab, then cdcdcdcdcdcd."),
        ({"arithmetic": 7}, "changed its arithmetic when it was resumed: unknown, then version 7."),
    ],
)
def test_a_run_of_two_places_is_inconclusive_even_if_all_ended_in_one(change: dict[str, object], sentence: str) -> None:
    histories = study(shift=CLEAR, change_started=change)  # type: ignore[arg-type]
    odd = histories[-1]
    first_half = [
        started(odd.record.config),
        *(curve(epoch, 20) for epoch in range(1, 11)),
        started(odd.record.config, **change),
        ev.Resumed(epoch=10, step=100, checkpoint="e0010", bit_exact=False),
    ]
    moved = RunHistory(odd.record).fold(first_half)  # type: ignore[arg-type]
    moved.fold([curve(epoch, 20) for epoch in range(11, 21)])
    moved.fold([ev.Finished(epoch=20, step=200, train_seconds=40.0, elapsed_seconds=50.0)])
    first, _, third = judge([*histories[:-1], moved]).verdicts
    assert third.verdict is Verdict.INCONCLUSIVE
    assert f"Run {odd.id} {sentence}" in third.reasons
    assert any("mixed (" in reason for reason in third.reasons)
    assert first.verdict is Verdict.SUPPORTED


@pytest.mark.parametrize(
    "field", [("front_end", "same32"), ("learning_rate", "0.02"), ("data", "cifar100"), ("split", "holdout")]
)
def test_other_hyperparameters_may_not_differ(field: tuple[str, str]) -> None:
    histories = [run for run in study(shift=CLEAR) if run.record.config.variant != "four-conv"]
    histories += [
        make_history("four-conv", seed, final=0.5, **{field[0]: field[1]})  # type: ignore[arg-type]
        for seed in range(5)
    ]
    third = verdict_of(histories, 3)
    assert third.verdict is Verdict.INCONCLUSIVE
    assert any(f"differ in {field[0].replace('_', ' ')}" in reason for reason in third.reasons)


def test_a_diverged_run_must_be_replaced() -> None:
    histories = [*study(shift=CLEAR), make_history("four-conv", 5, end=diverged(), run_id="broken")]
    third = verdict_of(histories, 3)
    assert third.verdict is Verdict.INCONCLUSIVE
    assert third.reasons == (
        "Run broken (Four convolutional layers, seed 5): diverged, and no finished run replaces it.",
    )
    replaced = [*histories, make_history("four-conv", 5, final=0.57, gap=0.25)]
    judgement = judge(replaced)
    assert judgement.verdicts[2].verdict is Verdict.SUPPORTED
    assert [(aside.run_id, aside.reason.split(";")[0]) for aside in judgement.runs.excluded] == [("broken", "diverged")]


@pytest.mark.parametrize(("state", "word"), [(State.LOST, "lost"), (State.RUNNING, "running")])
def test_an_unfinished_run_withholds_the_verdict(state: State, word: str) -> None:
    histories = [*study(shift=CLEAR), make_history("baseline", 9, finish=False, run_id="open")]
    for verdict in judge(histories, {"open": state}).verdicts:
        assert verdict.verdict is Verdict.INCONCLUSIVE
        assert f"Run open (Original model, seed 9): {word}, " in verdict.reasons[0]


def test_of_two_runs_of_a_seed_the_first_finished_counts() -> None:
    later = make_history("baseline", 0, final=0.61, created=1_800_000_000.0, run_id="later")
    judgement = judge([later, *study(shift=CLEAR)])
    assert judgement.verdicts[2].larger.runs[0].run_id == "baseline-literal32-s0"
    assert judgement.runs.excluded[0].reason.startswith("repeated; the finished run baseline-literal32-s0")


def test_arms_are_known_by_their_settings_and_not_by_the_variant_s_name() -> None:
    disguised = [make_history("baseline", seed, final=0.57, removed_conv_layer="4") for seed in range(5)]
    others = [run for run in study(shift=CLEAR) if run.record.config.variant != "four-conv"]
    disguised = [*disguised, *others]
    assert verdict_of(disguised, 3).smaller.title == "Four convolutional layers"
    assert verdict_of(disguised, 3).verdict is Verdict.SUPPORTED
    odd = make_history("baseline", 0, dropout="0.3", run_id="odd")
    assert judge([odd]).runs.excluded[0].reason.startswith("no experiment of the report")


def test_without_a_gap_there_is_nothing_to_reduce() -> None:
    shift = {**CLEAR, "low-dropout": {"final": 0.72, "gap": 0.04, "t25": 6.0}}
    first = verdict_of(study(shift=shift), 1)
    assert first.verdict is Verdict.INCONCLUSIVE
    assert any("nothing to reduce" in reason for reason in first.reasons)


def test_gap_down_by_underfitting_is_flagged() -> None:
    shift = {**CLEAR, "low-dropout": {"final": 0.62, "gap": 0.30, "t25": 6.0}}
    first = verdict_of(study(shift=shift), 1)
    assert first.verdict is Verdict.SUPPORTED
    assert [side.note for side in first.secondary if side.note] == ["gap down by underfitting"]


def test_tanh_runs_that_never_get_there_are_censored_and_ranked() -> None:
    histories = [run for run in study(shift=CLEAR) if run.record.config.variant != "tanh"]
    histories += [make_history("tanh", seed, final=0.4, gap=0.3, t25=None) for seed in range(5)]
    second = verdict_of(histories, 2)
    assert second.larger.num_censored == 5
    assert second.verdict is Verdict.SUPPORTED
    assert second.effect is not None
    assert "ranks" in second.effect.test
    assert second.effect.p == pytest.approx(1 / 252)
    assert second.effect.estimate == pytest.approx(20 / 6, rel=0.01)
    assert second.effect.interval[0] == pytest.approx(20 / 6, rel=0.01)
    assert second.effect.interval[1] is None


def test_relu_runs_must_all_reach_the_mark() -> None:
    histories = [run for run in study(shift=CLEAR) if run.record.config.variant != "baseline"]
    histories += [make_history("baseline", seed, final=0.4, gap=0.3, t25=None) for seed in range(5)]
    second = verdict_of(histories, 2)
    assert second.verdict is Verdict.INCONCLUSIVE
    assert any("never reached 25% training error" in reason for reason in second.reasons)


def test_nothing_at_all_is_three_times_inconclusive() -> None:
    judgement = judge([])
    assert [verdict.verdict for verdict in judgement.verdicts] == [Verdict.INCONCLUSIVE] * 3
    assert all(verdict.effect is None for verdict in judgement.verdicts)


def simulated(generator: random.Random, effect_sd: float) -> list[RunHistory]:
    """Four arms of five runs whose values scatter by a known spread, `effect_sd` spreads apart."""
    histories = []
    for variant in ("baseline", "low-dropout", "tanh", "four-conv"):
        for seed in range(5):
            gap = 0.25 + generator.gauss(effect_sd * (variant == "low-dropout"), 1) * 0.01
            final = 0.60 - generator.gauss(effect_sd * (variant == "four-conv"), 1) * 0.005
            t25 = 6.0 * 1.05 ** generator.gauss(effect_sd * (variant == "tanh"), 1)
            histories.append(make_history(variant, seed, final=final, gap=gap, t25=t25))
    return histories


@pytest.mark.slow
@pytest.mark.parametrize(("effect_sd", "draws"), [(0.0, 1000), (5.0, 300)])
def test_simulated_studies_find_effects_that_exist_and_only_those(effect_sd: float, draws: int) -> None:
    generator = random.Random(11)
    supported = [0] * len(CLAIMS)
    any_supported = 0
    for _ in range(draws):
        found = [verdict.verdict is Verdict.SUPPORTED for verdict in judge(simulated(generator, effect_sd)).verdicts]
        supported = [count + is_found for count, is_found in zip(supported, found, strict=True)]
        any_supported += any(found)
    if effect_sd:
        assert min(supported) >= 0.9 * draws
    else:
        assert any_supported <= 0.05 * draws


RUNNING_SIDE = "T25 by running training error (Keras' way)"


def running_side(histories: list[RunHistory]) -> tuple[float | None, str]:
    side = next(side for side in verdict_of(histories, 2).secondary if side.name == RUNNING_SIDE)
    return side.value, side.note


def speeds(tanh: list[float | None], relu: list[float | None]) -> list[RunHistory]:
    arms = {"tanh": tanh, "baseline": relu}
    return [
        make_history(arm, seed, t25=t25, gap=0.3 if t25 else 0.1)
        for arm, values in arms.items()
        for seed, t25 in enumerate(values)
    ]


def test_the_ratio_beside_claim_2_is_of_geometric_means_and_a_bound_where_tanh_is_censored() -> None:
    # The running accuracy is two points below, which is one epoch of this curve.
    value, note = running_side(speeds([7.0, 14.0], [3.0, 3.0]))
    assert value == pytest.approx(math.sqrt(8 * 15) / 4)
    assert note == ""
    value, note = running_side(speeds([7.0, None], [3.0, 3.0]))
    assert value == pytest.approx(math.sqrt(8 * 20) / 4)  # At least the 20 epochs that were trained.
    assert note == "at least; 1 of 2 tanh runs not reached"
    assert running_side(speeds([7.0, 7.0], [3.0, None])) == (None, "1 of 2 ReLU runs not reached")


def test_an_older_finished_run_is_not_called_newer() -> None:
    late = make_history("baseline", 0, end=diverged(), created=1_800_000_000.0, run_id="late")
    (aside,) = judge([*study(shift=CLEAR), late]).runs.excluded
    assert aside.reason == "diverged; the finished run baseline-literal32-s0 of the same seed counts"


GAP_AT_SELECTED = "gap, dropout 0.01 minus 0.5, at the epoch chosen on validation"


def test_the_gap_at_the_epoch_chosen_on_validation_stands_beside_claim_1() -> None:
    assert GAP_AT_SELECTED not in [side.name for side in verdict_of(study(shift=CLEAR), 1).secondary]
    histories = study(shift=CLEAR, split="holdout")
    for run in histories:
        for index, epoch in enumerate(run.epochs["epoch"]):
            run.epochs.columns["val_accuracy"][index] = 0.5 - abs(epoch - 12) / 100
            run.epochs.columns["train_eval_accuracy"][index] = 0.9
            is_low = run.record.config.variant == "low-dropout"
            run.epochs.columns["test_accuracy"][index] = 0.6 - 0.07 * (is_low and epoch == 12)
    side = next(side for side in verdict_of(histories, 1).secondary if side.name == GAP_AT_SELECTED)
    assert side.value == pytest.approx(7.0)
    assert side.unit == "points"


def test_layers_left_out_elsewhere_are_no_number_beside_claim_3() -> None:
    def sensitivity(**changes: object) -> Secondary:
        other = make_history(removed_conv_layer="3", final=0.5, change_started=changes)
        sides = verdict_of([make_history(final=0.6), other], 3).secondary
        return next(side for side in sides if side.name.startswith("sensitivity"))

    assert sensitivity().value == pytest.approx(10)
    elsewhere = sensitivity(device_class="GPU")
    assert elsewhere.value is None
    assert elsewhere.note == "The runs differ in device class: cpu (1 run), GPU (1 run)."
