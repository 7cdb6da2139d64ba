"""What a record must agree with to count: checks of one run by its numbers alone."""

import math

import pytest
from fake_histories import make_history

from alexnet_tui.analysis.integrity import Result, check_run, failures
from alexnet_tui.runs.history import RunHistory


def changed(column: str, epoch: int, value: float, **fields: str) -> RunHistory:
    run = make_history(**fields)  # type: ignore[arg-type]
    run.epochs.columns[column][epoch - 1] = value
    return run


def test_a_run_whose_numbers_agree_fails_no_check() -> None:
    assert failures(check_run(make_history())) == []


@pytest.mark.parametrize(
    ("column", "epoch", "value", "sentence"),
    [
        (
            *("train_seconds", 3, 1.0),
            "times and throughput: epoch 3 ends after 1 s of training and 7.5 s in all, the one before it after 4 s and"
            " 5 s.",
        ),
        (
            *("elapsed_seconds", 2, 1.0),
            "times and throughput: epoch 2 ends after 4 s of training and 1 s in all, the one before it after 2 s and"
            " 2.5 s.",
        ),
        ("test_accuracy", 4, 0.55555, "accuracies: test accuracy 0.555550 of epoch 4 is no whole number of 10,000."),
        ("test_accuracy", 4, math.nan, "accuracies: test accuracy nan of epoch 4 is no whole number of 10,000."),
    ],
)
def test_a_number_that_cannot_be_fails_its_check(column: str, epoch: int, value: float, sentence: str) -> None:
    assert failures(check_run(changed(column, epoch, value))) == [sentence]


def test_only_an_accuracy_on_validation_images_may_be_missing() -> None:
    assert failures(check_run(make_history(split="holdout"))) == []
    assert failures(check_run(changed("val_accuracy", 2, 0.12345, split="holdout"))) == [
        "accuracies: val accuracy 0.123450 of epoch 2 is no whole number of 5,000."
    ]


def test_a_run_of_fewer_updates_than_an_event_comes_every_lacks_none() -> None:
    found = {
        log_steps: {check.name: check.result for check in check_run(make_history(log_steps=log_steps))}
        for log_steps in ("100", "1000000")
    }
    assert found["1000000"]["numbers of updates"] is Result.PASSED
    assert found["100"]["numbers of updates"] is Result.NOT_APPLICABLE, "events were due, and this record has none"
