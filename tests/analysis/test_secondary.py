"""Secondary outcomes: other numbers of the same runs, which decide nothing."""

import math

import pytest
from fake_claims import exploratory, plan_of, verdict_of
from fake_histories import CLEAR, make_history, speeds, study

from alexnet_tui.analysis.groups import group_runs
from alexnet_tui.analysis.verdict.judge import judge
from alexnet_tui.analysis.verdict.rules import Verdict
from alexnet_tui.analysis.verdict.secondary import Secondary
from alexnet_tui.runs.history import RunHistory


def test_gap_down_by_underfitting_is_flagged() -> None:
    shift = {**CLEAR, "low-dropout": {"final": 0.62, "gap": 0.30, "t25": 6.0}}
    first = verdict_of(study(shift=shift), 1)
    assert first.verdict is Verdict.SUPPORTED
    assert [one.note for one in first.secondary if one.note] == ["gap down by underfitting"]


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
