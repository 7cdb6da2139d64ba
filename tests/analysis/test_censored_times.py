"""Times of which only a bound is known: never reached, or within the first epoch."""

import msgspec
import pytest
from fake_claims import judged, verdict_of
from fake_histories import speeds

from alexnet_tui.analysis.metrics import METRICS
from alexnet_tui.analysis.samples import sample_text
from alexnet_tui.analysis.verdict.rules import Verdict
from alexnet_tui.config.claims import load_claims
from alexnet_tui.report.charts import interval_chart
from alexnet_tui.report.wording import facts

REACHED: list[float | None] = [6.0, 6.1, 5.9, 6.2, 6.3]
NEVER: list[float | None] = [None] * 5
LATER: list[float | None] = [1.2, 1.3, 1.5, 1.25, 1.4]
WITHIN: list[float | None] = [0.5, 0.6, 0.9, 1.0, 0.95]


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


@pytest.mark.parametrize("later", [LATER, REACHED, NEVER, [*REACHED[:4], None]])
def test_groups_within_the_first_epoch_and_behind_it_are_told_apart(later: list[float | None]) -> None:
    claims = load_claims("study")[1:2]
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
    (found,) = judged(speeds([1.01, 1.02, 1.03, 1.04, 1.05], WITHIN), claims=load_claims("study")[1:2])
    assert found.verdict is Verdict.INCONCLUSIVE
    assert found.effect is not None
    assert found.effect.estimate < 1.1


def test_seconds_within_the_first_epoch_are_compared_with_nothing() -> None:
    claim = msgspec.structs.replace(load_claims("study")[1], metric="t25_seconds")
    (found,) = judged(speeds(REACHED, WITHIN), claims=[claim])
    assert (found.verdict, found.effect) == (Verdict.NOT_ASSESSED, None)
