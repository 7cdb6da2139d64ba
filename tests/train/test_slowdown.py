"""A run that falls far below its own best rate for a minute says so once."""

from collections.abc import Sequence

import pytest
from fake_runs import a_step

from alexnet_tui.runs import events as ev
from alexnet_tui.train.machine.slowdown import watched

IMAGES_A_STEP, STEPS_AN_EVENT = 100, 10


def steps(*rates: float) -> list[ev.Event]:
    """A step event for each rate, in images a second."""
    return [a_step(1, STEPS_AN_EVENT * number, images_per_second=rate) for number, rate in enumerate(rates, 1)]


def warnings(rates: Sequence[float]) -> list[int]:
    """After how many step events warnings came."""
    seen, found = 0, []
    for event in watched(steps(*rates), threads=2, images_per_update=IMAGES_A_STEP):
        if isinstance(event, ev.Warned):
            found.append(seen)
            assert event.code == "slow"
        seen += isinstance(event, ev.Step)
    return found


@pytest.mark.parametrize(
    ("rates", "expected"),
    [
        ([1000.0] * 200, []),
        ([1000.0] * 20 + [350.0] * 200, []),  # Above a third.
        ([1000.0] * 20 + [100.0] * 5 + [1000.0] * 20 + [100.0] * 5, []),  # 50 s each time.
        (
            [1000.0] * 20 + [100.0] * 6 + [100.0] * 50,
            [27],
        ),  # 10 s an event, the first of them mixed with fast ones; once only.
        ([100.0] * 100, []),  # Slow from the start is no fall.
    ],
)
def test_it_warns_after_a_minute_below_a_third(rates: list[float], expected: list[int]) -> None:
    assert warnings(rates) == expected


def test_one_fast_update_is_no_best_rate() -> None:
    assert warnings([1000.0] * 10 + [90_000.0] + [900.0] * 300) == []


def test_it_says_the_rates_and_what_would_help() -> None:
    (message,) = (
        event.message for event in watched(steps(*[1000.0] * 9, *[90.0] * 9), threads=2, images_per_update=100)
        if isinstance(event, ev.Warned)
    )  # fmt: skip
    assert "90 images/s" in message
    assert "1,000" in message
    assert "nice" in message
