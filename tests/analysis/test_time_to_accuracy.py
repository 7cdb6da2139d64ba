"""T25 of accuracies worked out by hand."""

import pytest
from fake_runs import curve

from alexnet_tui.analysis.time_to_accuracy import TimeToAccuracy, time_to_accuracy
from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.runs import events as ev
from alexnet_tui.runs.history import RunHistory
from alexnet_tui.runs.record import RunRecord


def history(*epochs: tuple[int, ev.Number, float]) -> RunHistory:
    """A run with a training accuracy and a training time at the end of each epoch."""
    rows = []
    for number, accuracy, seconds in epochs:
        row = curve(number, 10)
        row.train_eval_accuracy, row.train_accuracy, row.train_seconds = accuracy, accuracy, seconds
        rows.append(row)
    return RunHistory(RunRecord(id="run", created=1.0, config=RunConfig(epochs=10))).fold(rows)


@pytest.mark.parametrize(
    ("accuracies", "crossing"),
    [
        # Error 0.5 -> 0.3 -> 0.1: a quarter of the way through the third epoch.
        ([0.5, 0.7, 0.9], TimeToAccuracy(2.25, 22.5)),
        ([0.5, 0.75, 0.9], TimeToAccuracy(2.0, 20.0)),
        ([0.5, 0.6, 0.7], TimeToAccuracy(None, None)),
        ([0.8, 0.9], TimeToAccuracy(1.0, 10.0, is_upper_bound=True)),
        # The first crossing counts, also when the error rises again.
        ([0.65, 0.85, 0.6, 0.9], TimeToAccuracy(1.5, 15.0)),
        # No line is drawn across a gap.
        ([0.5, "nan", 0.9], TimeToAccuracy(3.0, 30.0, is_upper_bound=True)),
        ([0.5, "nan", 0.7, 0.8], TimeToAccuracy(3.5, 35.0)),
        ([], TimeToAccuracy(None, None)),
    ],
)
def test_t25_by_hand(accuracies: list[ev.Number], crossing: TimeToAccuracy) -> None:
    trained = history(*((index + 1, value, 10.0 * (index + 1)) for index, value in enumerate(accuracies)))
    for column in ("train_eval_accuracy", "train_accuracy"):
        found = time_to_accuracy(trained, column)
        assert found.is_upper_bound is crossing.is_upper_bound
        if crossing.epochs is None or crossing.train_seconds is None:
            assert found == crossing
        else:
            assert found.epochs == pytest.approx(crossing.epochs, abs=1e-12)
            assert found.train_seconds == pytest.approx(crossing.train_seconds, abs=1e-11)


def test_t25_counts_training_seconds_not_epochs_alone() -> None:
    trained = history((1, 0.65, 100.0), (2, 0.85, 104.0))
    assert time_to_accuracy(trained).train_seconds == pytest.approx(102.0)
