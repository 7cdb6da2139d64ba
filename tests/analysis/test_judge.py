"""Verdicts: what the rules say, what stops them from saying anything, and how often they err."""

import math
import random

import msgspec
import pytest
from fake_histories import CLEAR, EPOCHS, diverged, judged, make_history, plan_of, planned, study
from fake_runs import curve, started

from alexnet_tui.analysis import stats
from alexnet_tui.analysis.copies import same_network
from alexnet_tui.analysis.groups import Group, GroupedRuns, Grouping, Missing, group_runs
from alexnet_tui.analysis.metrics import METRICS
from alexnet_tui.analysis.published import published_claim
from alexnet_tui.analysis.samples import RunValue, make_sample, sample_text
from alexnet_tui.analysis.verdict.case import find_group
from alexnet_tui.analysis.verdict.claim_checks import problems, remarks, unassessable
from alexnet_tui.analysis.verdict.effect import amount_text
from alexnet_tui.analysis.verdict.judge import ClaimVerdict, judge
from alexnet_tui.analysis.verdict.rules import Verdict, decide
from alexnet_tui.analysis.verdict.secondary import Secondary
from alexnet_tui.config.claims import Claim, Precondition, load, names
from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.report.build import build
from alexnet_tui.report.charts import interval_chart
from alexnet_tui.report.interval_plot import interval_plot
from alexnet_tui.report.wording import card, facts
from alexnet_tui.runs import events as ev
from alexnet_tui.runs.history import RunHistory
from alexnet_tui.runs.state import State

FOUR_LAYERS: dict[str, object] = {
    "group": {"removed_conv_layer": "none"},
    "reference": {"removed_conv_layer": "4"},
}
FOUR = {"gap": 0.25, "t25": 6.0}


def verdict_of(histories: list[RunHistory], number: int) -> ClaimVerdict:
    return judged(histories)[number - 1]


def with_four(final: float, spread: float = 0.001) -> ClaimVerdict:
    """The third claim where four layers reach `final`, five layers 60%."""
    return verdict_of(study(spread=spread, shift={**CLEAR, "four-conv": {**FOUR, "final": final}}), 3)


def without(variant: str) -> list[RunHistory]:
    return [run for run in study(shift=CLEAR) if run.record.config.variant != variant]


def exploratory(histories: list[RunHistory], states: dict[str, State] | None = None) -> tuple[ClaimVerdict, ...]:
    plan = plan_of(histories)
    return judge(group_runs(histories, states or {}), plan.claims, plan.overrides)


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
    third = with_four(0.63)
    assert third.verdict is Verdict.CONTRADICTED
    assert third.effect is not None
    assert third.effect.estimate == pytest.approx(-3.0)


def test_contradicted_asks_as_much_as_supported() -> None:
    assert with_four(0.5965, spread=0.0001).verdict is Verdict.NEGLIGIBLE, "real, but smaller than what matters"
    assert with_four(0.6035, spread=0.0001).verdict is Verdict.NEGLIGIBLE
    assert with_four(0.5935, spread=0.0001).verdict is Verdict.SUPPORTED
    assert with_four(0.6065, spread=0.0001).verdict is Verdict.CONTRADICTED


def test_a_wide_interval_below_delta_is_no_gain_and_not_negligible() -> None:
    third = with_four(0.64, spread=0.015)
    assert third.verdict is Verdict.NOT_SUPPORTED
    assert third.headline == "not supported: no gain of 0.5 points"
    assert third.p_reversed_holm is not None
    assert third.p_reversed_holm >= 0.05, "or it would be contradicted"


def test_inconclusive_says_which_condition_failed_and_how_many_seeds_it_takes() -> None:
    third = with_four(0.595, spread=0.005)
    assert third.verdict is Verdict.INCONCLUSIVE
    assert "Holm p is" in third.reasons[0]
    assert third.seeds_needed is not None
    assert f"With this spread {third.seeds_needed} seeds a group" in third.reasons[1]
    assert 5 < third.seeds_needed < 200


def test_more_seeds_are_not_advised_where_there_are_enough() -> None:
    third = with_four(0.5952, spread=0.001)
    assert third.verdict is Verdict.INCONCLUSIVE
    assert third.seeds_needed == 5, "three have the power, and no test of fewer than four can be significant here"
    assert "5 seeds a group are enough to tell 0.5 points from no effect" in third.reasons[1]


def test_outside_a_plan_there_are_numbers_and_no_verdict() -> None:
    for registered, free in zip(judged(study(shift=CLEAR)), exploratory(study(shift=CLEAR)), strict=True):
        assert free.verdict is Verdict.EXPLORATORY
        assert (free.effect, free.p_holm) == (registered.effect, registered.p_holm)


def test_three_seeds_are_too_few() -> None:
    for verdict in judged(study(3, shift=CLEAR), seeds=3):
        assert verdict.verdict is Verdict.NOT_ASSESSED
        assert any("has 3 finished runs; a verdict needs 5" in reason for reason in verdict.reasons)
        assert verdict.p_holm is None
        assert verdict.effect is not None  # The numbers are shown, the verdict is withheld.


def test_n_is_what_the_plan_says() -> None:
    for seeds in (4, 6):
        for verdict in judged(study(5, shift=CLEAR), seeds=seeds):
            assert verdict.verdict is Verdict.NOT_ASSESSED
            assert any(f"5 of the {seeds} planned runs count" in reason for reason in verdict.reasons)


def test_a_missing_group_concerns_its_claim_alone() -> None:
    first, second, third = judged(without("tanh"))
    assert second.verdict is Verdict.NOT_ASSESSED
    assert (first.verdict, third.verdict) == (Verdict.SUPPORTED, Verdict.SUPPORTED)
    assert first.p_holm == pytest.approx(3 / 252)  # Holm stays over three.


def test_a_planned_run_that_is_not_there_withholds_the_verdict() -> None:
    gone = Missing(make_history("four-conv", 4).record.config, "deleted")
    third = judged([run for run in study(shift=CLEAR) if run.id != "four-conv-literal32-s4"], missing=[gone])[2]
    assert third.verdict is Verdict.NOT_ASSESSED
    assert (
        third.reasons[0]
        == "'Four convolutional layers': 4 of the 5 planned runs count (deleted: seed 4); a verdict needs 5."
    )


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"device_class": "NVIDIA H100"}, "device class"),
        ({"precision": "bf16"}, "precision"),
        ({"data_sha256": "cd" * 32}, "data"),
        ({"arithmetic": 7}, "arithmetic"),
        ({"versions": {"torch": "1.7.0"}}, "torch"),
        ({"num_train_eval_images": 5_000}, "images"),
    ],
)
def test_unequal_conditions_withhold_the_verdict(change: dict[str, object], word: str) -> None:
    odd = make_history("four-conv", 4, final=0.57, change_started=change)
    histories = [*(run for run in study(shift=CLEAR) if run.id != odd.id), odd]
    first, _, third = judged(histories)
    assert third.verdict is Verdict.NOT_ASSESSED
    assert any(f"The runs differ in {word}: " in reason and "(9 runs)" in reason for reason in third.reasons)
    assert first.verdict is Verdict.SUPPORTED


@pytest.mark.parametrize(
    ("change", "remark"),
    [
        ({"commit": "deadbeef"}, "Code: commit c0ffee, commit deadbeef"),
        ({"commit": "c0ffee+"}, "Code: commit c0ffee, commit c0ffee+"),
        ({"fingerprint": "another CPU", "threads": 64}, "2 machines or numbers of threads"),
        ({"versions": {"torch": "2.9.1"}}, ""),  # A patch release.
    ],
)
def test_a_commit_another_processor_and_a_patch_release_are_told_and_decide_nothing(
    change: dict[str, object], remark: str
) -> None:
    odd = make_history("four-conv", 4, final=0.57, change_started=change)
    third = verdict_of([*(run for run in study(shift=CLEAR) if run.id != odd.id), odd], 3)
    assert third.verdict is Verdict.SUPPORTED
    assert any(one.startswith(remark) for one in third.remarks) or not remark


@pytest.mark.parametrize("commit", ["deadbeef", "c0ffee+"])
def test_where_no_arithmetic_is_on_record_the_code_must_be_one_commit(commit: str) -> None:
    old: dict[str, object] = {"arithmetic": 0}
    runs = [
        make_history(name, seed, final=final + seed / 1000, change_started=old)
        for name, final in (("baseline", 0.6), ("four-conv", 0.57))
        for seed in range(5)
    ]
    assert verdict_of(runs, 3).verdict is Verdict.SUPPORTED
    odd = make_history("four-conv", 4, final=0.574, change_started={**old, "commit": commit})
    third = verdict_of([*runs[:-1], odd], 3)
    assert third.verdict is Verdict.NOT_ASSESSED
    assert "the code is not one commit" in third.reasons[0]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"device_class": "NVIDIA H100"}, "changed its device class when it was resumed: cpu, then NVIDIA H100."),
        ({"precision": "bf16"}, "changed its precision when it was resumed: fp32, then bf16."),
        ({"data_sha256": "cd" * 32}, "changed its data when it was resumed: abababababab, then cdcdcdcdcdcd."),
        ({"arithmetic": 7}, "changed its arithmetic when it was resumed: version 3, then version 7."),
    ],
)
def test_a_run_of_two_places_gets_no_verdict_even_if_all_ended_in_one(change: dict[str, object], sentence: str) -> None:
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
    first, _, third = judged([*histories[:-1], moved])
    assert third.verdict is Verdict.NOT_ASSESSED
    assert f"Run {odd.id} {sentence}" in third.reasons
    assert any("mixed (" in reason for reason in third.reasons)
    assert first.verdict is Verdict.SUPPORTED


@pytest.mark.parametrize(
    "field", [("front_end", "same32"), ("learning_rate", "0.02"), ("data", "cifar100"), ("split", "holdout")]
)
def test_other_hyperparameters_may_not_differ(field: tuple[str, str]) -> None:
    histories = without("four-conv")
    histories += [
        make_history("four-conv", seed, final=0.5 + seed / 1000, **{field[0]: field[1]})  # type: ignore[arg-type]
        for seed in range(5)
    ]
    third = verdict_of(histories, 3)
    assert third.verdict is Verdict.NOT_ASSESSED
    assert any(f"differ in {field[0].replace('_', ' ')}" in reason for reason in third.reasons)


def test_a_diverged_run_must_be_replaced() -> None:
    histories = [run for run in study(shift=CLEAR) if run.id != "four-conv-literal32-s4"]
    broken = make_history("four-conv", 4, end=diverged(), run_id="broken")
    third = verdict_of([*histories, broken], 3)
    assert third.verdict is Verdict.NOT_ASSESSED
    assert (
        "'Four convolutional layers': 4 of the 5 planned runs count (diverged: seed 4); a verdict needs 5."
        in third.reasons
    )
    assert verdict_of([*study(shift=CLEAR), broken], 3).verdict is Verdict.SUPPORTED


@pytest.mark.parametrize(("state", "word"), [(State.LOST, "lost"), (State.RUNNING, "running")])
def test_an_unfinished_run_withholds_the_verdict(state: State, word: str) -> None:
    histories = [run for run in study(shift=CLEAR) if run.id != "baseline-literal32-s4"]
    histories.append(make_history("baseline", 4, finish=False, run_id="open"))
    for verdict in judged(histories, {"open": state}):
        assert verdict.verdict is Verdict.NOT_ASSESSED
        assert any(f"count ({word}: seed 4);" in reason for reason in verdict.reasons)


def test_of_two_runs_of_a_seed_the_first_finished_counts() -> None:
    later = make_history("baseline", 0, final=0.61, created=1_800_000_000.0, run_id="later")
    runs = group_runs([later, *study(shift=CLEAR)])
    assert runs.runs("baseline").used[0].id == "baseline-literal32-s0"
    assert [one.reason for one in runs.excluded] == [
        "repeated; the finished run baseline-literal32-s0 of the same seed counts"
    ]


def test_groups_are_known_by_their_settings_and_not_by_the_variant_s_name() -> None:
    disguised = [
        make_history("baseline", seed, final=0.57 + seed / 1000, removed_conv_layer="4", run_id=f"other{seed}")
        for seed in range(5)
    ]
    runs = group_runs([*without("four-conv"), *disguised])
    assert len(runs.runs("four-conv").used) == 5
    odd = make_history("baseline", 0, dropout="0.3", run_id="odd")
    assert group_runs([odd]).excluded[0].reason.startswith("no experiment of the study")


def test_a_precondition_withholds_the_verdict() -> None:
    shift = {**CLEAR, "low-dropout": {"final": 0.72, "gap": 0.04, "t25": 6.0}}
    first = verdict_of(study(shift=shift), 1)
    assert first.verdict is Verdict.NOT_ASSESSED
    assert any("there must be overfitting to reduce" in reason for reason in first.reasons)


def test_an_upper_bound_meets_no_precondition() -> None:
    within = {"t25": 0.5}
    runs = study(shift={**CLEAR, "baseline": {**CLEAR["baseline"], **within}})
    wanted = Precondition(metric="t25", of="reference", at_least=0.9, why="it must not be too easy")
    claim = msgspec.structs.replace(load("study")[2], precondition=[wanted])
    (found,) = judged(runs, claims=[claim])
    assert found.verdict is Verdict.NOT_ASSESSED
    assert found.reasons == (
        "T25 of 'Original model' must be at least 0.9 (it must not be too easy), and of 5 runs only an upper bound is"
        " known.",
    )


def test_a_precondition_without_a_value_withholds_the_verdict() -> None:
    wanted = Precondition(metric="val_selected_test", of="reference", at_least=50.0, why="it must have learned")
    claim = own_claim(
        metric="final_test",
        group={"removed_conv_layer": 4},
        reference={"removed_conv_layer": "none"},
        precondition=[wanted],
    )
    (verdict,) = judged(study(shift=CLEAR), claims=[claim])
    assert verdict.verdict is Verdict.NOT_ASSESSED
    assert "must be at least 50 (it must have learned), and 5 runs gave no value of it" in " ".join(verdict.reasons)


def test_times_of_several_machines_are_not_compared() -> None:
    claim = own_claim(
        metric="train_time",
        group={"activation": "tanh"},
        reference={"activation": "relu"},
        direction="higher",
        unit="ratio",
        smallest_effect=1.1,
    )

    def runs(**changes: object) -> list[RunHistory]:
        return [
            make_history(name, seed, final=0.5 + seed / 1000, change_started=changes if name == "tanh" else {})
            for name in ("baseline", "tanh")
            for seed in range(5)
        ]

    (same,), (several,) = (judged(runs(**one), claims=[claim]) for one in ({}, {"fingerprint": "a slow one"}))
    assert not any("machines" in reason for reason in same.reasons)
    assert several.verdict is Verdict.NOT_ASSESSED
    assert "The runs have 2 machines or numbers of threads" in " ".join(several.reasons)


def test_a_claim_about_time_says_how_many_runs_trained_at_once() -> None:
    def runs(begins: dict[str, list[float]], length: float = 100.0) -> list[RunHistory]:
        found = []
        for name, walls in begins.items():
            for seed, wall in enumerate(walls):
                run = make_history(name, seed, final=0.5 + seed / 1000, change_started={"wall": wall}, finish=False)
                end = ev.Finished(epoch=20, step=20 * 391, train_seconds=40.0, elapsed_seconds=50.0, wall=wall + length)
                found.append(run.fold([end]))
        return found

    claim = own_claim(
        metric="rate",
        group={"activation": "tanh"},
        reference={"activation": "relu"},
        unit="ratio",
        smallest_effect=1.1,
    )
    alone = {"tanh": [1000.0 * n for n in range(1, 6)], "baseline": [1000.0 * n for n in range(6, 11)]}
    told = "Other runs trained at the same time, on average"
    (verdict,) = judged(runs(alone), claims=[claim])
    assert not any(remark.startswith(told) for remark in verdict.remarks)
    crowded = {**alone, "baseline": [9000.0, 9000.0, 9050.0, 9050.0, 9200.0]}
    (verdict,) = judged(runs(crowded), claims=[claim])
    # Four of five have one beside them all the time, and two of the others for half of it.
    numbers = "1.6 beside a run of 'Original model' and 0.0 beside a run of 'Tanh activation'"
    assert f"{told} {numbers}: Images/s tells that too." in verdict.remarks
    (verdict,) = judged(runs(crowded), claims=[msgspec.structs.replace(claim, metric="t25")])
    assert not any(remark.startswith(told) for remark in verdict.remarks)


def test_an_untrained_group_withholds_the_verdict() -> None:
    third = with_four(0.14)
    assert third.verdict is Verdict.NOT_ASSESSED
    assert any("no clear step above the 10.0% of guessing" in reason for reason in third.reasons)
    few = judged(
        [make_history(name, seed, final=0.5, epochs="3") for name in ("baseline", "four-conv") for seed in range(5)]
    )
    assert any("is not judged: only 3 epochs" in reason for reason in few[2].reasons)


def test_runs_without_any_spread_get_no_verdict() -> None:
    third = with_four(0.57, spread=0.0)
    assert third.verdict is Verdict.NOT_ASSESSED
    assert any("seeds make a difference" in reason for reason in third.reasons)


def test_equal_whole_epochs_are_a_value_like_any_other() -> None:
    def with_plateau(run: RunHistory, epoch: int) -> RunHistory:
        column = run.epochs.columns["test_accuracy"]
        column[:] = type(column)(
            "d", [0.6 - 0.02 * max(0, epoch - e) - 0.0001 * max(0, e - epoch) for e in range(1, 21)]
        )
        return run

    runs = [with_plateau(make_history("baseline", seed), 10 + seed % 2) for seed in range(5)]
    runs += [with_plateau(make_history("low-dropout", seed), 5) for seed in range(5)]
    claim = own_claim(
        metric="converged",
        group={"dropout": 0.5},
        reference={"dropout": 0.01},
        direction="higher",
        unit="ratio",
        smallest_effect=1.4,
    )
    (verdict,) = judged(runs, claims=[claim])
    assert verdict.verdict is Verdict.SUPPORTED, verdict.reasons


def test_gap_down_by_underfitting_is_flagged() -> None:
    shift = {**CLEAR, "low-dropout": {"final": 0.62, "gap": 0.30, "t25": 6.0}}
    first = verdict_of(study(shift=shift), 1)
    assert first.verdict is Verdict.SUPPORTED
    assert [one.note for one in first.secondary if one.note] == ["gap down by underfitting"]


def speeds(tanh: list[float | None], relu: list[float | None]) -> list[RunHistory]:
    groups = {"tanh": tanh, "baseline": relu}
    return [
        make_history(group, seed, t25=t25, final=0.5 + seed / 1000, gap=0.3 if t25 else 0.1)
        for group, values in groups.items()
        for seed, t25 in enumerate(values)
    ]


REACHED: list[float | None] = [6.0, 6.1, 5.9, 6.2, 6.3]
NEVER: list[float | None] = [None] * 5


def test_a_group_that_never_gets_there_where_the_other_always_does_is_a_finding() -> None:
    second = verdict_of(speeds(NEVER, REACHED), 2)
    assert second.larger.num_censored == 5
    assert second.verdict is Verdict.SUPPORTED
    assert second.effect is not None
    assert "ranks" in second.effect.test
    assert second.effect.bound == "at least"
    assert second.effect.p == pytest.approx(1 / 252)
    assert second.effect.estimate == pytest.approx(20 / 6.1, rel=0.01)
    assert second.effect.interval[0] == pytest.approx(20 / 6.3, rel=0.05)
    assert second.effect.interval[1] is None
    other = verdict_of(speeds(REACHED, NEVER), 2)
    assert other.verdict is Verdict.CONTRADICTED
    assert other.effect is not None
    assert other.effect.bound == "at most"
    neither = verdict_of(speeds(NEVER, NEVER), 2)
    assert (neither.verdict, neither.effect) == (Verdict.NOT_ASSESSED, None)
    assert "No run of either group has a T25: there is nothing to compare." in neither.reasons


def test_nothing_at_all_is_three_times_not_assessed() -> None:
    verdicts = judge(group_runs([]), load("study"), {})
    assert [verdict.verdict for verdict in verdicts] == [Verdict.EXPLORATORY] * 3
    assert all(verdict.effect is None for verdict in verdicts)


def own_claim(**changes: object) -> Claim:
    fields: dict[str, object] = {
        "name": "decay",
        "statement": "Weight decay lowers the training error.",
        "metric": "train_error",
        "group": {"weight_decay": 0.0005},
        "reference": {"weight_decay": 0.0},
        "direction": "lower",
        "unit": "points",
        "smallest_effect": 0.5,
    }
    return Claim(**{**fields, **changes})  # type: ignore[arg-type]


def test_a_claim_that_no_run_could_decide_is_refused_with_a_sentence() -> None:
    assert problems([own_claim()]) == []
    assert [problem for name in names() for problem in problems(load(name))] == []
    assert "there is no metric 'speed'" in problems([own_claim(metric="speed")])[0]
    assert "needs a ratio" in problems([own_claim(metric="t25")])[0]
    assert "a ratio needs values above 0" in problems([own_claim(metric="gap", unit="ratio")])[0]
    lengths = own_claim(group={"train_images": 5000}, reference={"train_images": 0})
    assert "both groups must have the same train images" in problems([lengths])[0]
    bad = Precondition(metric="nothing", of="group", at_least=1.0, why="so")
    assert "there is no metric 'nothing'" in problems([own_claim(precondition=[bad])])[0]
    assert judged(study(), claims=[own_claim(metric="speed")])[0].verdict is Verdict.NOT_ASSESSED


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


RUNNING = "T25 running: Tanh activation over Original model"


def running_outcome(histories: list[RunHistory]) -> tuple[float | None, str]:
    found = next(one for one in exploratory(histories)[1].secondary if one.name == RUNNING)
    return found.value, found.note


def test_the_ratio_beside_claim_2_is_of_geometric_means_and_a_bound_where_tanh_is_censored() -> None:
    # The running accuracy is two points below, which is one epoch of this curve.
    value, note = running_outcome(speeds([7.0, 14.0], [3.0, 3.0]))
    assert value == pytest.approx(math.sqrt(8 * 15) / 4, rel=1e-3)
    assert note == ""
    value, note = running_outcome(speeds([7.0, None], [3.0, 3.0]))
    assert value == pytest.approx(math.sqrt(8 * 20) / 4, rel=1e-3)  # At least the 20 epochs that were trained.
    assert note == "at least; 1 of 2 runs of 'Tanh activation' not reached"
    assert running_outcome(speeds([7.0, 7.0], [3.0, None])) == (None, "1 of 2 runs of 'Original model' not reached")


GAP_AT_SELECTED = "Gap at best validation: Reduced dropout minus Original model"


def test_the_gap_at_the_epoch_chosen_on_validation_stands_beside_claim_1() -> None:
    assert GAP_AT_SELECTED not in [one.name for one in verdict_of(study(shift=CLEAR), 1).secondary]
    histories = study(shift=CLEAR, split="holdout")
    for run in histories:
        for index, epoch in enumerate(run.epochs["epoch"]):
            run.epochs.columns["val_accuracy"][index] = 0.5 - abs(epoch - 12) / 100
            run.epochs.columns["train_eval_accuracy"][index] = 0.9
            is_low = run.record.config.variant == "low-dropout"
            run.epochs.columns["test_accuracy"][index] = 0.6 - 0.07 * (is_low and epoch == 12)
    found = next(one for one in exploratory(histories)[0].secondary if one.name == GAP_AT_SELECTED)
    assert found.value == pytest.approx(7.0)
    assert found.unit == "points"


def sensitivity(layer: str, front_end: str = "literal32", **changes: object) -> Secondary:
    runs = [
        make_history(final=0.6, front_end=front_end),
        make_history("four-conv", final=0.58, front_end=front_end),
        make_history(removed_conv_layer=layer, final=0.5, front_end=front_end, change_started=changes),
    ]
    plan = plan_of(runs, overrides={"epochs": "20", "data": "cifar10", "front_end": front_end})
    third = judge(group_runs(runs), plan.claims, plan.overrides)[2]
    return next(one for one in third.secondary if one.name.startswith("sensitivity"))


def test_another_layer_left_out_is_a_second_opinion_only_where_it_is_another_network() -> None:
    same = sensitivity("3")
    assert (same.value, same.note) == (
        None,
        "it is the same network as 'Four convolutional layers': no second opinion",
    )
    assert sensitivity("5").value == pytest.approx(10)
    assert sensitivity("3", "same32").value == pytest.approx(10)
    elsewhere = sensitivity("5", device_class="GPU")
    assert elsewhere.value is None
    assert elsewhere.note == "The runs differ in device class: cpu (1 run), GPU (1 run)."


def test_two_groups_of_one_network_are_not_compared() -> None:
    claim = own_claim(metric="final_test", group={"removed_conv_layer": "4"}, reference={"removed_conv_layer": "3"})
    runs = [
        make_history("four-conv", seed, final=0.58 + seed / 1000, removed_conv_layer=layer, run_id=f"{layer}-{seed}")
        for layer in ("3", "4")
        for seed in range(5)
    ]
    (verdict,) = judge(group_runs(runs), [claim], {"epochs": "20", "data": "cifar10"})
    assert any("one and the same network" in reason for reason in verdict.reasons)


@pytest.mark.parametrize(
    ("group", "reference"),
    [
        ({"removed_conv_layer": "none"}, {"removed_conv_layer": "none"}),
        ({}, {}),
        ({"dropout": 0.5}, {"removed_conv_layer": "none"}),
        ({"schedule": "inverse-time", "rate_decay": 0.0}, {"schedule": "constant", "rate_decay": 0.0}),
        ({"removed_conv_layer": "3"}, {"removed_conv_layer": "4"}),
    ],
)
def test_a_group_is_not_compared_with_itself(group: dict[str, object], reference: dict[str, object]) -> None:
    """A file is refused for it; of a plan that says it all the same, the effect would be none whatever is trained."""
    claim = own_claim(metric="final_test", group=group, reference=reference)
    assert problems([claim]) == ["decay: group and reference train alike: they are the same runs."]
    (verdict,) = judged(study(shift=CLEAR), claims=[claim])
    assert verdict.verdict is Verdict.NOT_ASSESSED
    longer = msgspec.structs.replace(claim, group={**group, "epochs": 20}, reference={**reference, "epochs": 30})
    assert problems([longer]) == []


def test_every_setting_of_a_claim_counts_and_not_only_what_the_study_varies() -> None:
    plan = plan_of(study(shift=CLEAR))
    (verdict,) = judge(group_runs(study(shift=CLEAR)), [own_claim()], plan.overrides)
    assert verdict.smaller.runs or verdict.larger.runs
    assert "There are no runs of 'weight decay 0' here." in verdict.reasons
    assert RunConfig().weight_decay == 0.0005


def test_a_group_without_runs_is_called_as_the_study_calls_it() -> None:
    runs = GroupedRuns(Grouping([Group(name="tanh", title="", settings={"activation": "tanh"})]), {})
    wanted: dict[str, dict[str, str | float]] = {
        "Original model": {"removed_conv_layer": "none"},
        "Reduced dropout": {"dropout": 0.01},
        "dropout 0.2": {"dropout": 0.2},
    }
    assert [find_group(runs, settings, {}).group.title for settings in wanted.values()] == [*wanted]


def test_one_run_that_learned_nothing_withholds_the_verdict() -> None:
    runs = [make_history("baseline", seed, final=0.6 + seed / 1000) for seed in range(5)]
    runs += [make_history("four-conv", seed, final=0.55 + seed / 1000 if seed else 0.1) for seed in range(5)]
    third = judged(runs)[2]
    assert third.verdict is Verdict.NOT_ASSESSED
    assert any("1 of its 5 runs learned nothing" in reason for reason in third.reasons)


def test_a_gap_on_few_training_images_is_not_judged() -> None:
    def first(number: int) -> ClaimVerdict:
        places: dict[str, object] = {"num_train_eval_images": number}
        runs = [
            make_history(name, seed, gap=gap + seed / 1000, change_started=places)
            for name, gap in (("baseline", 0.2), ("low-dropout", 0.4))
            for seed in range(5)
        ]
        return judged(runs)[0]

    assert first(1000).verdict is Verdict.SUPPORTED
    few = first(20)
    assert few.verdict is Verdict.NOT_ASSESSED
    assert any("20 training images are evaluated, fewer than 1,000" in reason for reason in few.reasons)


def test_a_claim_in_the_studys_words_that_tests_something_else_has_not_the_studys_figure() -> None:
    claim = load("study")[1]
    assert published_claim(claim) is not None
    changes: list[dict[str, object]] = [{"direction": "higher"}, {"metric": "train_error"}, {"unit": "points"}]
    assert [published_claim(msgspec.structs.replace(claim, **change)) for change in changes] == [None] * 3


def test_a_setting_that_no_schedule_uses_makes_no_other_network() -> None:
    one, other = RunConfig(rate_decay=0.005), RunConfig()
    assert same_network(one, other)
    used = {"schedule": "inverse-time"}
    assert not same_network(msgspec.structs.replace(one, **used), msgspec.structs.replace(other, **used))


def test_two_claims_that_compare_the_same_networks_are_no_second_opinion() -> None:
    claims = [one for one in load("paper2012") if one.name.startswith("convolution")]
    runs = [make_history(seed=seed, final=0.6 + seed / 1000, run_id=f"five-{seed}") for seed in range(5)]
    runs += [
        make_history(seed=seed, final=0.57 + seed / 1000, removed_conv_layer=layer, run_id=f"{layer}-{seed}")
        for layer in ("3", "4", "5")
        for seed in range(5)
    ]
    verdicts = judge(group_runs(runs), claims, {"epochs": "20", "data": "cifar10"})
    assert [verdict.remarks for verdict in verdicts] == [
        ("Claim 2 compares the same networks, so it is no second opinion.",),
        ("Claim 1 compares the same networks, so it is no second opinion.",),
        (),
    ]


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


def test_a_mark_that_was_reached_within_the_first_epoch_is_compared_with_nothing() -> None:
    within: list[float | None] = [0.5, 0.6, 0.9, 1.0, 1.01]
    alike: list[float | None] = [0.5] * 5
    for tanh, relu in ((within, within), (within, REACHED), (REACHED, within), (alike, alike)):
        second = verdict_of(speeds(tanh, relu), 2)
        assert (second.verdict, second.effect) == (Verdict.NOT_ASSESSED, None)
        sentence = "reached the mark of T25 before the first measurement, at the end of an epoch: when is not known."
        titles = ["Tanh activation"] * (tanh is not REACHED) + ["Original model"] * (relu is not REACHED)
        count = 5 if tanh is alike else 4
        assert second.reasons == tuple(f"{count} runs of {title!r} {sentence}" for title in titles)
        times = [one for one in second.secondary if one.name.startswith("T25 time")]
        assert [(one.value, one.note.partition(" ")[2]) for one in times] == [
            (None, "runs got there before the first measurement")
        ]
    assert sample_text(second.larger, METRICS["t25"]) == "≤ 1.0 ±0.0"


LATER: list[float | None] = [1.2, 1.3, 1.5, 1.25, 1.4]
WITHIN: list[float | None] = [0.5, 0.6, 0.9, 1.0, 0.95]


@pytest.mark.parametrize("later", [LATER, REACHED, NEVER, [*REACHED[:4], None]])
def test_groups_within_the_first_epoch_and_behind_it_are_told_apart(later: list[float | None]) -> None:
    claims = load("study")[1:2]
    (found,) = judged(speeds(later, WITHIN), claims=claims)
    (turned,) = judged(speeds(WITHIN, later), claims=claims)
    assert (found.verdict, turned.verdict) == (Verdict.SUPPORTED, Verdict.CONTRADICTED)
    assert found.effect is not None
    assert turned.effect is not None
    assert (found.effect.bound, turned.effect.bound) == ("at least", "at most")
    assert found.effect.p == pytest.approx(1 / 252)
    assert found.p_holm == turned.p_reversed_holm == 2**-5
    known = [value or 20.0 for value in later]
    assert found.effect.estimate == pytest.approx(sorted(known)[2], rel=1e-3)
    assert (found.effect.interval[1], turned.effect.interval[0]) == (None, None)
    assert found.effect.interval[0] == pytest.approx(min(known), rel=1e-3)
    assert turned.effect.interval[1] == pytest.approx(1 / min(known), rel=1e-3)
    told = "permutation 0.0040, all runs on one side of a median 0.0312; the larger, after Holm: 0.0312"
    assert dict(facts(found))["p"] == told
    assert found.p_equivalence_holm == 1.0
    assert "no effect" in interval_chart(found)
    three = judged(speeds(later, WITHIN))[1]
    assert three.verdict is Verdict.INCONCLUSIVE, "five runs are too few for one of three claims"
    assert three.p_holm == 3 * 2**-5


def test_a_first_epoch_tells_nothing_less_than_what_matters() -> None:
    (found,) = judged(speeds([1.01, 1.02, 1.03, 1.04, 1.05], WITHIN), claims=load("study")[1:2])
    assert found.verdict is Verdict.INCONCLUSIVE
    assert found.effect is not None
    assert found.effect.estimate < 1.1


def test_seconds_within_the_first_epoch_are_compared_with_nothing() -> None:
    claim = msgspec.structs.replace(load("study")[1], metric="t25_seconds")
    (found,) = judged(speeds(REACHED, WITHIN), claims=[claim])
    assert (found.verdict, found.effect) == (Verdict.NOT_ASSESSED, None)


@pytest.mark.parametrize(("metric", "unit"), [("max_test", "points"), ("max_gap", "points"), ("max_epoch", "ratio")])
def test_a_claim_whose_epoch_the_test_set_selects_says_so(metric: str, unit: str) -> None:
    claim = own_claim(
        metric=metric, group={"dropout": 0.5}, reference={"dropout": 0.01}, unit=unit, smallest_effect=1.5
    )
    (verdict,) = judged(study(shift=CLEAR), claims=[claim])
    heading = METRICS[metric].heading
    sentence = f"{heading} goes by the epoch of the highest test accuracy: selected on the test images"
    assert f"{sentence}." in verdict.remarks
    assert remarks([claim]) == [f"decay: {sentence}"]
    assert remarks([own_claim()]) == []


def test_a_ratio_of_errors_of_which_one_is_zero_is_not_assessed_and_can_be_drawn() -> None:
    runs = [make_history("baseline", seed, final=0.6, gap=0.2 + seed / 1000) for seed in range(5)]
    runs += [make_history("low-dropout", seed, final=0.6, gap=0.39 + min(seed / 200, 0.01)) for seed in range(5)]
    claim = own_claim(
        group={"dropout": 0.01}, reference={"dropout": 0.5}, unit="ratio", smallest_effect=2.0, direction="lower"
    )
    assert problems([claim]) == []
    built = build([], planned=[planned(runs, claims=[claim])])
    (verdict,) = built.claims
    assert (verdict.verdict, verdict.effect) == (Verdict.NOT_ASSESSED, None)
    assert verdict.reasons == (
        "3 runs of 'Reduced dropout' gave no Train error above 0 that a ratio could be made of.",
    )
    assert interval_plot(verdict).dots == ()
    assert "no effect" in interval_chart(verdict)


@pytest.mark.parametrize("metric", ["train_time", "t25_seconds", "rate"])
@pytest.mark.parametrize(("slow", "fast"), [(1e9, 1e-300), (1e-300, 1e9), (5e-324, 1e9), (1e-320, 1e-320)])
def test_times_that_no_machine_can_have_are_not_assessed_and_can_be_drawn(
    metric: str, slow: float, fast: float
) -> None:
    runs = study(shift=CLEAR)
    for run in runs:
        column = run.epochs.columns["train_seconds"]
        factor = slow if run.record.config.variant == "tanh" else fast
        column[:] = type(column)("d", [seconds * factor * (1 + run.record.config.seed / 100) for seconds in column])
    claim = own_claim(
        metric=metric,
        group={"activation": "tanh"},
        reference={"activation": "relu"},
        direction="higher",
        unit="ratio",
        smallest_effect=1.1,
    )
    built = build([], planned=[planned(runs, claims=[claim, load("study")[1]])])
    assert built.claims[0].verdict is Verdict.NOT_ASSESSED
    for verdict in built.claims:
        assert "no effect" in interval_chart(verdict)
        assert "infx" not in " ".join(text for _, text in card(verdict))


@pytest.mark.parametrize(("unit", "effect"), [("ratio", 0.0), ("ratio", 1.0), ("ratio", -2.0), ("points", 0.0)])
def test_a_registered_effect_that_is_none_is_not_assessed_and_can_be_drawn(unit: str, effect: float) -> None:
    claim = own_claim(
        metric="t25" if unit == "ratio" else "gap",
        group={"dropout": 0.01},
        reference={"dropout": 0.5},
        unit=unit,
        smallest_effect=effect,
    )
    (verdict,) = build([], planned=[planned(study(shift=CLEAR), claims=[claim])]).claims
    assert verdict.verdict is Verdict.NOT_ASSESSED
    assert any("smallest_effect must be a" in reason for reason in verdict.reasons)
    assert "no effect" in interval_chart(verdict)


@pytest.mark.parametrize(
    ("metric", "unit", "effect", "words"),
    [
        ("test_error", "points", 100.0, "smallest_effect must be a number above 0 and below 100, not 100."),
        ("gap", "points", 1e6, "smallest_effect must be a number above 0 and below 100, not 1e+06."),
        ("train_error", "ratio", 1000.0, "smallest_effect must be a ratio above 1 and below 1000, not 1000."),
        ("train_time", "ratio", 1e8, "smallest_effect must be a ratio above 1 and below 1000, not 1e+08."),
        ("t25", "ratio", 20.0, "must be below 20, not 20: T25 of runs of 20 epochs lies between 1 and 20."),
        ("converged", "ratio", 100.0, "must be below 20, not 100: Converged of runs of 20 epochs lies between 1 and"),
    ],
)
def test_a_margin_that_holds_every_effect_decides_nothing(metric: str, unit: str, effect: float, words: str) -> None:
    """Whatever the runs say, the effect lies within: no plan takes it, and of an old one the claim is not assessed."""
    claim = own_claim(
        metric=metric, unit=unit, smallest_effect=effect, group={"dropout": 0.01}, reference={"dropout": 0.5}
    )
    plan = {"epochs": str(EPOCHS)}
    (problem,) = problems([claim], plan)
    assert words in problem
    assert words.removesuffix(".") in " ".join(unassessable([claim], [make_history().record.config], 5))
    built = build([], planned=[planned(study(shift=CLEAR), claims=[claim, load("study")[2]])])
    void, other = built.claims
    assert (void.verdict, other.verdict) == (Verdict.NOT_ASSESSED, Verdict.SUPPORTED)
    assert any(words in reason for reason in void.reasons)
    assert "no effect" in interval_chart(void)
    assert problems([msgspec.structs.replace(claim, smallest_effect=19.9)], plan) == []


def test_a_longer_run_may_have_a_larger_ratio_of_epochs() -> None:
    claim = own_claim(metric="t25", unit="ratio", smallest_effect=150.0)
    assert "must be below 100, not 150" in problems([claim])[0]
    assert problems([claim], {"epochs": "151"}) == []
    of_group = msgspec.structs.replace(
        claim, group={**claim.group, "epochs": 200}, reference={**claim.reference, "epochs": 50}
    )
    assert problems([of_group]) == []


@pytest.mark.parametrize(
    ("unit", "effect", "words"),
    [
        ("points", 0.001, "0.001 points takes more than 1,000 seeds a group"),
        ("ratio", 1.004, "1.004x takes more than 1,000 seeds a group"),
        ("points", 99.0, "99 points is a wide margin: every smaller effect counts as too small to matter"),
        ("ratio", 5.0, "5x is a wide margin"),
        ("points", 0.05, ""),
        ("points", 10.0, ""),
        ("ratio", 1.005, ""),
        ("ratio", 2.0, ""),
    ],
)
def test_a_doubtful_margin_is_remarked_on(unit: str, effect: float, words: str) -> None:
    claim = own_claim(unit=unit, smallest_effect=effect, group={"dropout": 0.01}, reference={"dropout": 0.5})
    assert problems([claim]) == []
    assert [note.partition(words)[0] for note in remarks([claim])] == ["decay: "] * bool(words)
    (verdict,) = judged(study(shift=CLEAR), claims=[claim])
    assert verdict.verdict is not Verdict.NOT_ASSESSED
    assert [one for one in verdict.remarks if "seeds a group" in one or "margin" in one] == [
        f"{note.removeprefix('decay: ')}." for note in remarks([claim])
    ]


def test_the_least_margin_without_a_remark_is_what_a_thousand_seeds_can_tell() -> None:
    for sd, effect in ((0.45, 0.05), (0.05, math.log(1.005))):
        needed = [stats.seeds_needed(sd**2, sd**2, factor * effect, alpha=0.025, power=0.8) for factor in (0.999, 2.0)]
        assert needed[0] is None
        assert needed[1] is not None


def test_a_small_margin_is_not_written_as_none() -> None:
    claim = own_claim(metric="final_test", direction="higher", smallest_effect=0.001, **FOUR_LAYERS)
    (verdict,) = judged(study(shift=CLEAR), claims=[claim])
    assert "(needed: at least 0.001)" in verdict.reasons[0]
    assert "negligible inside -0.001 to 0.001" in dict(facts(verdict))["Equivalence"]
    assert [amount_text(value) for value in (1.0, 0.5, -0.5, 1.1, 1 / 1.1, 0.996, 1.001)] == [
        *("1.00", "0.50", "-0.50", "1.10", "0.91"),
        *("0.996", "1.001"),
    ]


def test_a_precondition_that_no_run_can_meet_is_refused() -> None:
    def asking(metric: str, at_least: float) -> list[str]:
        wanted = Precondition(metric=metric, of="group", at_least=at_least, why="so")
        return problems([own_claim(precondition=[wanted])], {"epochs": "50"})

    assert asking("gap", 100.0) == asking("converged", 50.0) == asking("train_time", 1e9) == []
    assert "Gap of runs of 50 epochs is never 101, as a precondition asks: at most 100." in asking("gap", 101.0)[0]
    assert "Converged of runs of 50 epochs is never 51" in asking("converged", 51.0)[0]


def test_few_epochs_are_told_before_they_are_trained() -> None:
    short = [make_history(epochs="4").record.config]
    told = unassessable(load("study")[:1], short, 5)
    assert "a verdict needs 5 epochs, and this plan has 4" in told
    assert not any("epochs" in one for one in unassessable(load("study")[:1], [make_history().record.config], 5))


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


def test_one_number_of_the_same_groups_is_registered_once() -> None:
    error = own_claim(name="error", metric="test_error")
    accuracy = own_claim(name="accuracy", metric="final_test", direction="higher")
    turned = own_claim(name="turned", metric="test_error", direction="higher")
    turned = msgspec.structs.replace(turned, group=error.reference, reference=error.group)
    other = own_claim(name="other", metric="final_test", group={"dropout": 0.1}, reference={"dropout": 0.5})
    assert problems([error, other]) == problems([error, own_claim(metric="train_error")]) == []
    assert problems([error, accuracy]) == [
        "accuracy: it compares test_error and final_test, one number, of the same groups as error; register one of the"
        " two."
    ]
    assert "the same number of the same groups as error" in problems([error, turned])[0]
    assert len(problems([error, accuracy, turned])) == 3
    rate, seconds = (
        own_claim(name=name, metric=name, unit="ratio", smallest_effect=1.1) for name in ("rate", "train_time")
    )
    assert "rate and train_time, one number, of the same groups" in problems([rate, seconds])[0]


def test_groups_with_a_setting_more_that_is_as_by_default_are_the_same() -> None:
    short = own_claim(name="short")
    long = own_claim(
        name="long",
        group={"weight_decay": 0.0005, "dropout": 0.5},
        reference={"weight_decay": 0.0, "dropout": 0.5},
    )
    assert "the same number of the same groups as short" in problems([short, long])[0]
    assert problems([short, long], {"dropout": "0.3"}) == []


def test_one_number_of_the_same_groups_that_an_old_plan_has_twice_is_no_second_opinion() -> None:
    settings = {"group": {"removed_conv_layer": "4"}, "reference": {"removed_conv_layer": "none"}}
    claims = [
        own_claim(metric="final_test", direction="lower", **settings),
        own_claim(metric="test_error", direction="higher", **settings),
    ]
    one, two = judged(study(shift=CLEAR), claims=claims)
    assert (one.verdict, two.verdict) == (Verdict.SUPPORTED, Verdict.SUPPORTED)
    assert "Claim 2 compares the same networks, so it is no second opinion." in one.remarks
    assert "Claim 1 compares the same networks, so it is no second opinion." in two.remarks


def test_a_precondition_on_a_number_selected_on_the_test_images_is_told_with_the_claim() -> None:
    wanted = Precondition(metric="max_test", of="group", at_least=1.0, why="so")
    claim = own_claim(metric="max_test", group={"dropout": 0.01}, reference={"dropout": 0.5}, precondition=[wanted])
    told = "Test max goes by the epoch of the highest test accuracy: selected on the test images"
    assert remarks([claim]) == [f"decay: {told}"]
    claim = msgspec.structs.replace(claim, metric="final_test")
    assert remarks([claim]) == [f"decay: {told}"]
    (verdict,) = build([], planned=[planned(study(shift=CLEAR), claims=[claim])]).claims
    assert f"{told}." in verdict.remarks


@pytest.mark.parametrize("metric", ["converged", "overfits"])
def test_an_epoch_that_held_out_images_tell_is_said_to_be_selected_on_them(metric: str) -> None:
    claim = own_claim(metric=metric, unit="ratio", smallest_effect=1.4)
    told = (
        f"{METRICS[metric].heading} is selected on the validation images, or the test images of a run that keeps none"
    )
    assert remarks([claim]) == [f"decay: {told}"]
    (verdict,) = build([], planned=[planned(study(shift=CLEAR), claims=[claim])]).claims
    assert f"{told}." in verdict.remarks


def test_many_claims_need_more_seeds_to_be_supported_at_all() -> None:
    """Five seeds a group have 252 splits: 13/252 is above 0.05, 12/252 below."""
    claims = [own_claim(name=f"decay-{number}") for number in range(13)]
    assert remarks(claims[:12]) == remarks(claims, 6) == []
    sentence = (
        "of 13 claims in one plan none can be supported or contradicted with fewer than 6 seeds a group (--seeds 6)"
    )
    assert remarks(claims) == [sentence]
    found = make_sample(RunValue(str(seed), seed, 0.9 + seed / 1e4) for seed in range(6))
    other = make_sample(RunValue(str(seed), seed, 0.1 + seed / 1e4) for seed in range(6))
    five = [msgspec.structs.replace(one, runs=one.runs[:5]) for one in (found, other)]
    assert decide(claims, [(five[0], five[1])] * 13) == [Verdict.INCONCLUSIVE] * 13
    assert decide(claims, [(found, other)] * 13) == [Verdict.SUPPORTED] * 13
    assert decide(claims[:12], [(five[0], five[1])] * 12) == [Verdict.SUPPORTED] * 12
