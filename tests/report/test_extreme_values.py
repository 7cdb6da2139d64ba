"""Claims and values that no study has: they are not assessed, and can be drawn."""

import pytest
from fake_claims import own_claim, planned
from fake_histories import CLEAR, make_history, study

from alexnet_tui.analysis.verdict.claim_checks import problems
from alexnet_tui.analysis.verdict.rules import Verdict
from alexnet_tui.config.claims import load_claims
from alexnet_tui.report.build import build
from alexnet_tui.report.charts import interval_chart
from alexnet_tui.report.interval_plot import interval_plot
from alexnet_tui.report.wording import card


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
    built = build([], planned=[planned(runs, claims=[claim, load_claims("study")[1]])])
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
