"""Remarks beside a verdict: what differs between runs, or is to be known of a claim, and decides nothing."""

import msgspec
import pytest
from fake_claims import judged, own_claim, planned, verdict_of
from fake_histories import CLEAR, make_history, study

from alexnet_tui.analysis.groups import group_runs
from alexnet_tui.analysis.metrics import METRICS
from alexnet_tui.analysis.verdict.claim_checks import problems, remarks
from alexnet_tui.analysis.verdict.judge import judge
from alexnet_tui.analysis.verdict.rules import Verdict
from alexnet_tui.config.claims import Precondition, load_claims
from alexnet_tui.report.build import build
from alexnet_tui.runs import events as ev
from alexnet_tui.runs.history import RunHistory


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


def test_two_claims_that_compare_the_same_networks_are_no_second_opinion() -> None:
    claims = [one for one in load_claims("paper2012") if one.name.startswith("convolution")]
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
