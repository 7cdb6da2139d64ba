"""Claims before their runs: which are refused, and what is said of the others."""

import math
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from fake_claims import judged, own_claim, planned
from fake_histories import CLEAR, EPOCHS, make_history, study

from alexnet_tui.analysis import stats
from alexnet_tui.analysis.metrics import METRICS
from alexnet_tui.analysis.samples import RunValue, make_sample
from alexnet_tui.analysis.verdict.claim_checks import problems, remarks, unassessable
from alexnet_tui.analysis.verdict.registration import PlannedStudy, Registration
from alexnet_tui.analysis.verdict.rules import Verdict, decide
from alexnet_tui.config.claims import Precondition, claim_sets, load_claims
from alexnet_tui.config.hyperparameters import SPECS, Value, default_of
from alexnet_tui.report.build import build
from alexnet_tui.report.charts import interval_chart
from alexnet_tui.report.wording import facts
from alexnet_tui.runs.history import RunHistory
from alexnet_tui.runs.store import Store
from alexnet_tui.studies import planning
from alexnet_tui.studies.plan import Plan


def test_a_claim_that_no_run_could_decide_is_refused_with_a_sentence() -> None:
    assert problems([own_claim()]) == []
    assert [problem for name in claim_sets() for problem in problems(load_claims(name))] == []
    assert "there is no metric 'speed'" in problems([own_claim(metric="speed")])[0]
    assert "needs a ratio" in problems([own_claim(metric="t25")])[0]
    assert "a ratio needs values above 0" in problems([own_claim(metric="gap", unit="ratio")])[0]
    assert "Test loss needs nats or a ratio" in problems([own_claim(metric="test_loss")])[0]
    assert "nats are of losses; Gap needs points" in problems([own_claim(metric="gap", unit="nats")])[0]
    lengths = own_claim(group={"train_images": 5000}, reference={"train_images": 0})
    assert "both groups must have the same train images" in problems([lengths])[0]
    bad = Precondition(metric="nothing", of="group", at_least=1.0, why="so")
    assert "there is no metric 'nothing'" in problems([own_claim(precondition=[bad])])[0]
    assert judged(study(), claims=[own_claim(metric="speed")])[0].verdict is Verdict.NOT_ASSESSED


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_can_decide_a_claim(name: str) -> None:
    units = {"points": 1.0, "nats": 0.1, "ratio": 1.1}
    claims = [own_claim(metric=name, unit=unit, smallest_effect=effect) for unit, effect in units.items()]
    assert any(problems([claim]) == [] for claim in claims)


def _two_values(name: str) -> tuple[Value, Value]:
    spec, usual = SPECS[name], default_of(name)
    if spec.choices:
        return next(one for one in spec.choices if one != usual), usual
    if isinstance(usual, bool) or name == "groups":
        return type(usual)(1 - usual) if isinstance(usual, bool) else 2, usual
    if isinstance(usual, str):
        return {"data": "cifar100", "device": "cpu"}[name], usual
    return usual / 2 if isinstance(usual, float) else usual + 1, usual


@pytest.mark.parametrize("front_end", ["literal32", "same32", "cifar3x3"])
@pytest.mark.parametrize("name", [name for name in SPECS if name != "variant"])
def test_a_claim_about_any_setting_is_refused_or_can_be_judged(store: Store, name: str, front_end: str) -> None:
    group, reference = _two_values(name)
    claim = own_claim(metric="final_test", direction="higher", group={name: group}, reference={name: reference})
    plan = {"front_end": front_end, "data": "cifar10", **({} if name == "epochs" else {"epochs": str(EPOCHS)})}
    if problems([claim], plan):
        return
    made = planning.plan_claims(store, "mine", [claim], seeds=range(5), overrides=plan)
    runs = []
    for config in made.configs:
        more = 0.001 * (config.seed % 3) + (0.05 if getattr(config, name) == group else 0)
        fields: dict[str, Any] = {key: text for key, text in config.to_text().items() if key not in ("variant", "seed")}
        run_id = f"{config.variant}-{config.seed}-{getattr(config, name)}"
        runs.append(make_history(config.variant, config.seed, final=0.6 + more, gap=0.2, run_id=run_id, **fields))
    (verdict,) = build([], planned=[planned_by(made, runs)]).claims
    assert verdict.verdict is Verdict.SUPPORTED, verdict.reasons


def planned_by(plan: Plan, runs: Sequence[RunHistory]) -> PlannedStudy:
    registration = Registration(
        study=plan.name, sha256=plan.sha256, created=0.0, protocol=plan.protocol, alpha=plan.alpha, num_seeds=5
    )
    return PlannedStudy(plan=plan, registration=registration, histories=tuple(runs))


def test_front_ends_are_not_compared() -> None:
    for name in ("same32", "cifar3x3", "keras-valid"):
        claim = own_claim(group={"front_end": name}, reference={"front_end": "literal32"})
        assert "both groups must have the same front end" in problems([claim])[0]


def test_a_difference_of_losses_is_in_nats() -> None:
    setting = {"group": {"dropout": 0.01}, "reference": {"dropout": 0.5}}
    claim = own_claim(metric="test_loss", unit="nats", smallest_effect=0.05, **setting)
    assert (problems([claim]), remarks([claim])) == ([], [])
    (verdict,) = judged(study(), claims=[claim])
    assert verdict.verdict is Verdict.NEGLIGIBLE
    assert verdict.reasons[0].startswith("The effect lies between -0.050 and 0.050 nats: two one-sided tests")
    told = dict(facts(verdict))
    assert told["Estimate"].endswith("0.000 nats (matters from 0.05)")
    assert verdict.larger.mean == pytest.approx(1.55, abs=1e-3)
    assert claim.smallest_effect_text == "0.05 nats"


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
    built = build([], planned=[planned(study(shift=CLEAR), claims=[claim, load_claims("study")[2]])])
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


def test_the_least_margin_without_a_remark_is_what_a_thousand_seeds_can_tell() -> None:
    for sd, effect in ((0.45, 0.05), (0.05, math.log(1.005))):
        needed = [stats.seeds_needed(sd**2, sd**2, factor * effect, alpha=0.025, power=0.8) for factor in (0.999, 2.0)]
        assert needed[0] is None
        assert needed[1] is not None


def test_a_precondition_that_no_run_can_meet_is_refused() -> None:
    def asking(metric: str, at_least: float) -> list[str]:
        wanted = Precondition(metric=metric, of="group", at_least=at_least, why="so")
        return problems([own_claim(precondition=[wanted])], {"epochs": "50"})

    assert asking("gap", 100.0) == asking("converged", 50.0) == asking("train_time", 1e9) == []
    assert "Gap of runs of 50 epochs is never 101, as a precondition asks: at most 100." in asking("gap", 101.0)[0]
    assert "Converged of runs of 50 epochs is never 51" in asking("converged", 51.0)[0]


def test_few_epochs_are_told_before_they_are_trained() -> None:
    short = [make_history(epochs="4").record.config]
    told = unassessable(load_claims("study")[:1], short, 5)
    assert "a verdict needs 5 epochs, and this plan has 4" in told
    assert not any("epochs" in one for one in unassessable(load_claims("study")[:1], [make_history().record.config], 5))


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
