"""The registry of metrics: values by their definitions, how they are written, and what is better."""

import math

import pytest
from fake_histories import make_history

from alexnet_tui.analysis.metrics import METRICS, SELECTED_MARK, Metric
from alexnet_tui.analysis.published import Experiment
from alexnet_tui.runs.history import RunHistory

RUN = make_history(final=0.6, gap=0.3, t25=8.0)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("final_test", 0.6),
        ("test_error", 0.4),
        ("last_test", 0.6),
        ("max_test", 0.6),
        ("gap", 0.3),
        ("final_train", 0.9),
        ("train_error", 0.1),
        ("last_train", 0.9),
        ("max_train", 0.88),
        ("train_error_running", 0.12),
        ("max_gap", 0.28),
        ("t25", 8.0),
        ("t25_seconds", 16.0),
        ("t25_running", 9.0),
        ("t25_running_seconds", 18.0),
        ("time", 50.0),
        ("train_time", 40.0),
        ("rate", 25_000.0),
    ],
)
def test_a_metric_of_a_run_is_what_its_name_says(name: str, value: float) -> None:
    assert METRICS[name].value(RUN) == pytest.approx(value, abs=1e-4)


def test_a_run_without_an_epoch_has_no_number_and_invents_none() -> None:
    empty = RunHistory(RUN.record)
    assert {name: metric.value(empty) for name, metric in METRICS.items()} == dict.fromkeys(METRICS)
    never = make_history(t25=None, gap=0.1)
    assert (METRICS["t25"].value(never), METRICS["t25"].limit(never)) == (None, 20.0)


def test_numbers_are_written_in_the_metric_s_unit() -> None:
    texts = {
        "final_test": ("59.33", "-1.23"),
        "gap": ("59.33", "-1.23"),
        "t25": ("0.6", "-0.0"),
        "time": ("00:00:01", "-00:00:00"),
        "train_loss": ("0.5933", "-0.0123"),
    }
    for name, (value, difference) in texts.items():
        assert METRICS[name].text(0.5933) == value, name
        assert METRICS[name].difference(-0.0123).lstrip("+-") == difference.lstrip("+-"), name
        assert METRICS[name].text(math.nan) == METRICS[name].difference(None) == "–"


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("time", -0.4, "+00:00:00"),
        ("time", -0.6, "-00:00:01"),
        ("rate", -0.4, "+0"),
        ("t25", -0.04, "+0.0"),
        ("gap", -0.00001, "+0.00"),
    ],
)
def test_a_difference_that_is_zero_as_written_has_a_plus(name: str, value: float, text: str) -> None:
    assert METRICS[name].difference(value) == text


def test_what_is_better_is_known_where_it_is_a_merit() -> None:
    assert METRICS["final_test"].best([0.5, 0.7]) == 0.7
    assert METRICS["t25"].best([8.0, 6.0]) == 6.0
    assert METRICS["gap"].best([0.3, 0.1]) == 0.1
    assert METRICS["gap"].best([0.3, -0.1]) is None, "a run that underfits is no better for its gap"
    assert METRICS["max_train"].best([0.5, 0.7]) is None
    assert METRICS["final_test"].is_better(0.7, 0.5) is True
    assert METRICS["t25"].is_better(8.0, 6.0) is False
    assert METRICS["max_train"].is_better(0.7, 0.5) is None


def is_chosen_on_test(metric: Metric) -> bool:
    return metric.name.startswith("max_") and metric.name != "max_train"


def test_every_maximum_on_the_test_set_is_marked_and_every_published_field_exists() -> None:
    for name, metric in METRICS.items():
        assert metric.name == name
        assert metric.selected_on_test == is_chosen_on_test(metric), name
        assert metric.label.endswith(SELECTED_MARK) == metric.selected_on_test
        assert not metric.published or metric.published in Experiment.__struct_fields__


def test_the_spread_of_a_time_is_written_as_the_time_is() -> None:
    time = METRICS["time"]
    assert [time.sd_text(seconds) for seconds in (3.21, 41.2, 141, 7950)] == ["3.2s", "41s", "00:02:21", "02:12:30"]
