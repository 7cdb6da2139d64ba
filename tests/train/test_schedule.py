"""Learning-rate schedules: the rate of each update."""

import pytest

from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.train.update.schedule import LearningRateSchedule, count_plateaus


def schedule(**fields: str) -> LearningRateSchedule:
    return LearningRateSchedule(RunConfig.from_text(fields))


def test_constant_schedule() -> None:
    assert {schedule().learning_rate(epoch, 391 * epoch) for epoch in (1, 50, 100)} == {0.01}


def test_step_schedule_drops_after_half_and_three_quarters() -> None:
    rates = [schedule(schedule="step", epochs="8").learning_rate(epoch, 0) for epoch in range(1, 9)]
    assert rates == pytest.approx([1e-2] * 4 + [1e-3] * 2 + [1e-4] * 2)


def test_inverse_time_schedule_is_that_of_keras() -> None:
    inverse = schedule(schedule="inverse-time", learning_rate="0.02", rate_decay="0.001")
    rates = [inverse.learning_rate(1, update) for update in (0, 1, 1000, 39_099)]
    assert rates == pytest.approx([0.02, 0.02 / 1.001, 0.01, 0.02 / 40.099])


def test_plateau_drops_ten_epochs_after_the_last_progress_and_three_times_at_most() -> None:
    plateau = schedule(schedule="plateau")
    for epoch in range(60):
        plateau.add(0.5 if epoch else 0.6)
    assert plateau.learning_rate(12, 0) == pytest.approx(0.01)
    assert plateau.learning_rate(13, 0) == pytest.approx(0.001)
    assert count_plateaus([0.5] * 100) == 3
    assert count_plateaus([1 / (1 + epoch) for epoch in range(100)]) == 0
