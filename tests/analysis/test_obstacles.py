"""What keeps a claim from being assessed: missing runs, unequal conditions, values that cannot be compared."""

import msgspec
import pytest
from fake_claims import four_layers_verdict, judged, own_claim, verdict_of
from fake_histories import CLEAR, diverged, make_history, study, study_without
from fake_runs import curve, started

from alexnet_tui.analysis.groups import Missing, group_runs
from alexnet_tui.analysis.verdict.judge import ClaimVerdict, judge
from alexnet_tui.analysis.verdict.rules import Verdict
from alexnet_tui.config.claims import Precondition, load_claims
from alexnet_tui.runs import events as ev
from alexnet_tui.runs.history import RunHistory
from alexnet_tui.runs.state import State


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


def test_a_planned_run_that_is_not_there_withholds_the_verdict() -> None:
    gone = Missing(make_history("four-conv", 4).record.config, "deleted")
    third = judged([run for run in study(shift=CLEAR) if run.id != "four-conv-literal32-s4"], missing=[gone])[2]
    assert third.verdict is Verdict.NOT_ASSESSED
    assert (
        third.reasons[0]
        == "'Four convolutional layers': 4 of the 5 planned runs count (deleted: seed 4); a verdict needs 5."
    )


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


@pytest.mark.parametrize(("state", "word"), [(State.LOST, "crashed"), (State.RUNNING, "running")])
def test_an_unfinished_run_withholds_the_verdict(state: State, word: str) -> None:
    histories = [run for run in study(shift=CLEAR) if run.id != "baseline-literal32-s4"]
    histories.append(make_history("baseline", 4, finish=False, run_id="open"))
    for verdict in judged(histories, {"open": state}):
        assert verdict.verdict is Verdict.NOT_ASSESSED
        assert any(f"count ({word}: seed 4);" in reason for reason in verdict.reasons)


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
    histories = study_without("four-conv")
    histories += [
        make_history("four-conv", seed, final=0.5 + seed / 1000, **{field[0]: field[1]})  # type: ignore[arg-type]
        for seed in range(5)
    ]
    third = verdict_of(histories, 3)
    assert third.verdict is Verdict.NOT_ASSESSED
    assert any(f"differ in {field[0].replace('_', ' ')}" in reason for reason in third.reasons)


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


def test_two_groups_of_one_network_are_not_compared() -> None:
    claim = own_claim(metric="final_test", group={"removed_conv_layer": "4"}, reference={"removed_conv_layer": "3"})
    runs = [
        make_history("four-conv", seed, final=0.58 + seed / 1000, removed_conv_layer=layer, run_id=f"{layer}-{seed}")
        for layer in ("3", "4")
        for seed in range(5)
    ]
    (verdict,) = judge(group_runs(runs), [claim], {"epochs": "20", "data": "cifar10"})
    assert any("one and the same network" in reason for reason in verdict.reasons)


def test_a_precondition_withholds_the_verdict() -> None:
    shift = {**CLEAR, "low-dropout": {"final": 0.72, "gap": 0.04, "t25": 6.0}}
    first = verdict_of(study(shift=shift), 1)
    assert first.verdict is Verdict.NOT_ASSESSED
    assert any("there must be overfitting to reduce" in reason for reason in first.reasons)


def test_an_upper_bound_meets_no_precondition() -> None:
    within = {"t25": 0.5}
    runs = study(shift={**CLEAR, "baseline": {**CLEAR["baseline"], **within}})
    wanted = Precondition(metric="t25", of="reference", at_least=0.9, why="it must not be too easy")
    claim = msgspec.structs.replace(load_claims("study")[2], precondition=[wanted])
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


def test_an_untrained_group_withholds_the_verdict() -> None:
    third = four_layers_verdict(0.14)
    assert third.verdict is Verdict.NOT_ASSESSED
    assert any("no clear step above the 10.0% of guessing" in reason for reason in third.reasons)
    few = judged(
        [make_history(name, seed, final=0.5, epochs="3") for name in ("baseline", "four-conv") for seed in range(5)]
    )
    assert any("is not judged: only 3 epochs" in reason for reason in few[2].reasons)


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


def test_runs_without_any_spread_get_no_verdict() -> None:
    third = four_layers_verdict(0.57, spread=0.0)
    assert third.verdict is Verdict.NOT_ASSESSED
    assert any("which runs of different seeds do not." in reason for reason in third.reasons)


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
