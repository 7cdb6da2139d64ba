"""The registry of metrics: every number of a run once, with its name, heading, unit and value; pure.

Each table, form, export, filter and claim reads it::

    from alexnet_tui.analysis.metrics import METRICS

    METRICS["gap"].heading              # "Gap"
    METRICS["gap"].value(history)       # 0.305: a fraction, or None where the run has no such number yet
    METRICS["gap"].text(0.305)          # "30.50"
    METRICS["gap"].difference(-0.0123)  # "-1.23"
    METRICS["gap"].is_better(a, b)      # whether a is better than b; None where neither is
    METRICS["max_test"].label           # "Test max *", starred because the epoch is selected on the test set

Accuracies, errors and gaps are fractions in [-1, 1] here and points on the screen; times are seconds or epochs. A
value is None where the run does not allow it, and never an invented number. A new metric is one entry of `METRICS`.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType

import msgspec

from alexnet_tui.analysis.time_to_accuracy import time_to_accuracy
from alexnet_tui.runs.history import LAST_EPOCHS, RunHistory
from alexnet_tui.text import MISSING, format_clock, format_count, format_difference, format_loss

CONVERGED_WITHIN = 0.01
"""A run has converged once its smoothed accuracy is within one point of its own maximum."""

SELECTED_ON_TEST = "selected on test"
SELECTED_MARK = " *"
"""Follows the heading of every number whose epoch the test set selects."""


class Unit(StrEnum):
    """What a metric counts, and so how it is written."""

    PERCENT = "percent"
    POINTS = "points"
    EPOCHS = "epochs"
    SECONDS = "seconds"
    NATS = "nats"
    RATE = "images/s"

    @property
    def is_share(self) -> bool:
        """A fraction that is shown times 100."""
        return self in (Unit.PERCENT, Unit.POINTS)

    @property
    def is_of_a_machine(self) -> bool:
        """Depends on what trained the run, and not on its settings alone."""
        return self in (Unit.SECONDS, Unit.RATE)

    @property
    def is_time(self) -> bool:
        """Never negative, and compared by ratios."""
        return self in (Unit.EPOCHS, Unit.SECONDS)


Value = Callable[[RunHistory], float | None]
_RUNNING = "train_accuracy"


class Metric(msgspec.Struct, frozen=True, kw_only=True):
    """A number of a run.

    Attributes:
        name: In claims, filters, settings and JSON.
        heading: For tables.
        help: One sentence.
        unit: What it counts.
        value: The number of one run, None where there is none.
        mark: Of a time to 25% training error, the column of the accuracy that tells it; else empty.
        higher_is_better: None where neither direction is a merit.
        least: A value below this is neither better nor worse than any other.
        published: Field of `published.Experiment` with the study's number, or empty.
        selected_on_test: The number is that of an epoch chosen by the accuracy on the test set.
        selected_on_held_out: The same, of the validation images; of the test images where a run keeps none.
        needs_validation: Only runs that hold images back for validation have it.
        is_whole: It counts whole epochs: runs of several seeds may well have the same.
        same_as: Name of the metric of which this is one minus the value, or its inverse: one test decides both; or
            empty.
        is_on_training_images: It rests on the accuracy on the training images that are evaluated after each epoch.
    """

    name: str
    heading: str
    help: str
    unit: Unit
    value: Value
    mark: str = ""
    higher_is_better: bool | None = None
    least: float = -math.inf
    published: str = ""
    selected_on_test: bool = False
    selected_on_held_out: bool = False
    needs_validation: bool = False
    is_whole: bool = False
    same_as: str = ""
    is_on_training_images: bool = False

    @property
    def remark(self) -> str:
        """What a claim that this metric decides must say of it, a clause without a full stop; or empty."""
        if self.selected_on_test:
            return f"{self.heading} goes by the epoch of the highest test accuracy: selected on the test images"
        if self.selected_on_held_out:
            return f"{self.heading} is selected on the validation images, or the test images of a run that keeps none"
        return ""

    @property
    def label(self) -> str:
        """The heading, starred where the number is selected on test."""
        return f"{self.heading}{SELECTED_MARK}" if self.selected_on_test else self.heading

    def limit(self, history: RunHistory) -> float | None:
        """What the time of a run that has not reached the mark is known to exceed; None where nobody measured it."""
        if not self.mark or not any(map(math.isfinite, history.epochs[self.mark])):
            return None
        return _epochs_done(history) if self.unit is Unit.EPOCHS else _train_seconds(history)

    def is_upper_bound(self, history: RunHistory) -> bool:
        """Whether the time to the mark is only known not to be exceeded, as it was reached in the first epoch."""
        return bool(self.mark) and time_to_accuracy(history, self.mark).is_upper_bound

    def bounds(self, num_epochs: int) -> tuple[float, float]:
        """The least and the greatest value that a run of so many epochs can have."""
        match self.unit:
            case Unit.PERCENT:
                return 0.0, 1.0
            case Unit.POINTS:
                return -1.0, 1.0
            case Unit.EPOCHS:
                return 1.0, float(num_epochs)
        return 0.0, math.inf

    def text(self, value: float | None) -> str:
        """One number for people, without its unit: ``59.33``, ``36.4``, ``03:22:33``; shares carry no sign."""
        if value is None or not math.isfinite(value):
            return MISSING
        match self.unit:
            case Unit.SECONDS:
                return format_clock(value)
            case Unit.EPOCHS:
                return f"{value:.1f}".removesuffix(".0")
            case Unit.NATS:
                return format_loss(value)
            case Unit.RATE:
                return format_count(value)
        return f"{100 * value:.2f}"

    def mean_text(self, value: float | None) -> str:
        """A mean over runs: as `text`, but epochs always have a digit after the point."""
        is_known = value is not None and math.isfinite(value)
        return f"{value:.1f}" if is_known and self.unit is Unit.EPOCHS else self.text(value)

    def sd_text(self, value: float) -> str:
        """A standard deviation; of a time as the time itself is written, and in seconds below a minute."""
        match self.unit:
            case Unit.SECONDS if value < 60:
                return f"{value:.1f}s" if value < 10 else f"{value:.0f}s"
            case Unit.SECONDS:
                return format_clock(value)
            case Unit.EPOCHS:
                return f"{value:.1f}"
        return self.text(value)

    def difference(self, value: float | None) -> str:
        """A difference of two values, signed: ``+4.70`` points, ``-0.3`` epochs, ``+00:03:12``; zero has a plus."""
        if value is None or not math.isfinite(value):
            return MISSING
        if self.unit.is_share:
            return format_difference(100 * value, 2)
        if self.unit is Unit.EPOCHS:
            return format_difference(value, 1)
        text = self.text(abs(value))
        return f"{'-' if value < 0 and text != self.text(0.0) else '+'}{text}"

    def best(self, values: Sequence[float]) -> float | None:
        """The best of several values; None where none is."""
        if not values or self.higher_is_better is None or min(values) < self.least:
            return None
        return max(values) if self.higher_is_better else min(values)

    def is_better(self, value: float, other: float) -> bool | None:
        """Whether a value is better than another; None where the two are equal or no merit."""
        best = self.best([value, other]) if value != other else None
        return None if best is None else best == value


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _property(name: str) -> Value:
    """A property of `RunHistory` where it is finite."""
    return lambda history: _finite(getattr(history, name))


def _last(column: str) -> Value:
    """The value after the last epoch."""

    def value(history: RunHistory) -> float | None:
        values = history.epochs[column]
        return _finite(values[-1]) if len(values) else None

    return value


def _last_mean(column: str, sign: int = 1, offset: float = 0.0) -> Value:
    """``offset + sign * mean`` of the last five epochs."""

    def value(history: RunHistory) -> float | None:
        tail = history.epochs[column][-LAST_EPOCHS:]
        return _finite(offset + sign * sum(tail) / len(tail)) if len(tail) else None

    return value


def _maxima_gap(history: RunHistory) -> float | None:
    train, test = _finite(history.best_train_accuracy), _finite(history.best_test_accuracy)
    return None if train is None or test is None else train - test


def _max_test_epoch(history: RunHistory) -> float | None:
    epoch = history.best_epoch
    return None if epoch is None else float(epoch)


def _selected_on_validation(history: RunHistory) -> int | None:
    """Row of the highest validation accuracy, the first of equals; None without a validation set."""
    accuracies = history.epochs["val_accuracy"]
    known = [index for index, accuracy in enumerate(accuracies) if math.isfinite(accuracy)]
    return max(known, key=lambda index: accuracies[index], default=None)


def _val_selected_test(history: RunHistory) -> float | None:
    index = _selected_on_validation(history)
    return None if index is None else _finite(history.epochs["test_accuracy"][index])


def _val_selected_gap(history: RunHistory) -> float | None:
    index, epochs = _selected_on_validation(history), history.epochs
    return None if index is None else _finite(epochs["train_eval_accuracy"][index] - epochs["test_accuracy"][index])


def _epochs_done(history: RunHistory) -> float | None:
    return float(history.num_epochs_done) or None


def _train_seconds(history: RunHistory) -> float | None:
    return _finite(history.train_seconds)


def _mean_rate(history: RunHistory) -> float | None:
    """Training images a second of training, over all epochs done; the latest throughput before the first's end."""
    seconds, started = _finite(history.train_seconds), history.started
    if seconds and started and started.num_train_images:
        return _finite(history.num_epochs_done * started.num_train_images / seconds)
    return _finite(history.images_per_second)


def _converged(history: RunHistory) -> float | None:
    """First epoch whose smoothed accuracy is within a point of its maximum; None if that lies in the last five."""
    smooth = smoothed(_held_out(history, "accuracy"))
    if not smooth:
        return None
    highest = max(smooth)
    if not math.isfinite(highest) or smooth.index(highest) >= len(smooth) - LAST_EPOCHS:
        return None
    first = next(index for index, value in enumerate(smooth) if value >= highest - CONVERGED_WITHIN)
    return history.epochs["epoch"][first]


def _overfits(history: RunHistory) -> float | None:
    """Epoch from which the smoothed held-out loss only got worse than its minimum; None if that is in the last five."""
    smooth = smoothed(_held_out(history, "loss"))
    if not smooth or not all(map(math.isfinite, smooth)):
        return None
    lowest = smooth.index(min(smooth))
    return None if lowest >= len(smooth) - LAST_EPOCHS else history.epochs["epoch"][lowest]


def smoothed(values: Sequence[float]) -> list[float]:
    """Centred means of five values; the window is cut short at the edges."""
    half = LAST_EPOCHS // 2
    windows = (values[max(0, index - half) : index + half + 1] for index in range(len(values)))
    return [sum(window) / len(window) for window in windows]  # `fsum` raises where losses are huge.


def _held_out(history: RunHistory, quantity: str) -> Sequence[float]:
    """The validation set's series, or the test set's where the run kept no validation set."""
    validation = history.epochs[f"val_{quantity}"]
    if len(validation) and math.isfinite(validation[-1]):
        return validation
    return history.epochs[f"test_{quantity}"]


_METRICS = (
    Metric(
        name="max_train",
        heading="Train max",
        help="Highest running training accuracy.",
        unit=Unit.PERCENT,
        # Measured with dropout at work, and high where a run overfits: no merit in itself.
        value=_property("best_train_accuracy"),
        published="max_train_accuracy",
    ),
    Metric(
        name="max_test",
        heading="Test max",
        help="Highest test accuracy over epochs.",
        unit=Unit.PERCENT,
        value=_property("best_test_accuracy"),
        higher_is_better=True,
        published="max_val_accuracy",
        selected_on_test=True,
    ),
    Metric(
        name="max_epoch",
        heading="at epoch",
        help="Epoch of the highest test accuracy.",
        unit=Unit.EPOCHS,
        value=_max_test_epoch,
        is_whole=True,
        published="max_val_epoch",
        selected_on_test=True,
    ),
    Metric(
        name="final_test",
        heading="Test last 5",
        help="Mean test accuracy of the last five epochs; nothing is selected.",
        unit=Unit.PERCENT,
        value=_property("final_test_accuracy"),
        higher_is_better=True,
    ),
    Metric(
        name="last_test",
        heading="Test last",
        help="Test accuracy after the last epoch.",
        unit=Unit.PERCENT,
        value=_property("last_test_accuracy"),
        higher_is_better=True,
    ),
    Metric(
        name="gap",
        heading="Gap",
        help="Training accuracy (evaluation mode) minus test accuracy, last five epochs, in points.",
        unit=Unit.POINTS,
        value=_property("gap"),
        higher_is_better=False,
        least=0.0,  # A run with a gap below 0 underfits, and is neither better nor worse for it.
        is_on_training_images=True,
    ),
    Metric(
        name="t25",
        heading="T25",
        help="Epochs until training error (evaluation mode) fell to 25%; 1 where it did within the first.",
        unit=Unit.EPOCHS,
        value=lambda history: time_to_accuracy(history).epochs,
        mark="train_eval_accuracy",
        higher_is_better=False,
        published="t25_epochs",
        is_on_training_images=True,
    ),
    Metric(
        name="t25_running",
        heading="T25 running",
        help="Epochs until the running training error, as Keras prints it, fell to 25%.",
        unit=Unit.EPOCHS,
        value=lambda history: time_to_accuracy(history, _RUNNING).epochs,
        mark=_RUNNING,
        higher_is_better=False,
        published="t25_epochs",
    ),
    Metric(
        name="t25_seconds",
        heading="T25 time",
        help="Training time until training error fell to 25%.",
        unit=Unit.SECONDS,
        value=lambda history: time_to_accuracy(history).train_seconds,
        mark="train_eval_accuracy",
        higher_is_better=False,
        published="t25_seconds",
        is_on_training_images=True,
    ),
    Metric(
        name="t25_running_seconds",
        heading="T25 running, time",
        help="Training time until the running training error, as Keras prints it, fell to 25%.",
        unit=Unit.SECONDS,
        value=lambda history: time_to_accuracy(history, _RUNNING).train_seconds,
        mark=_RUNNING,
        higher_is_better=False,
    ),
    Metric(
        name="converged",
        heading="Converged",
        help="First epoch within a point of the maximum of smoothed accuracy (the study: by eye).",
        unit=Unit.EPOCHS,
        value=_converged,  # A maximum at the very end tells no epoch, not even a bound that could be ranked.
        is_whole=True,
        selected_on_held_out=True,
        published="converged_epoch",
    ),
    Metric(
        name="overfits",
        heading="Overfits from",
        help="Epoch of the minimum of the smoothed held-out loss (test, or validation where kept; the study: by eye).",
        unit=Unit.EPOCHS,
        value=_overfits,
        is_whole=True,
        selected_on_held_out=True,
        published="overfitting_epoch",
    ),
    Metric(
        name="time",
        heading="Time",
        help="Time of the whole run, evaluation included.",
        unit=Unit.SECONDS,
        value=_property("elapsed_seconds"),  # No best: it may be a part.
        published="seconds",
    ),
    Metric(
        name="train_time",
        heading="Training time",
        help="Time of training alone, over all attempts.",
        unit=Unit.SECONDS,
        value=_train_seconds,
    ),
    Metric(
        name="rate",
        heading="Images/s",
        help="Training images a second of training, mean of the whole run.",
        unit=Unit.RATE,
        value=_mean_rate,
        higher_is_better=True,
        same_as="train_time",
    ),
    Metric(
        name="max_gap",
        heading="Gap of maxima",
        help="Highest running training accuracy minus highest test accuracy, as the study measures overfitting.",
        unit=Unit.POINTS,
        value=_maxima_gap,
        selected_on_test=True,
    ),
    Metric(
        name="final_train",
        heading="Train last 5",
        help="Mean training accuracy (evaluation mode) of the last five epochs.",
        unit=Unit.PERCENT,
        value=_last_mean("train_eval_accuracy"),
        is_on_training_images=True,
    ),
    Metric(
        name="train_error",
        heading="Train error",
        help="Mean training error (evaluation mode) of the last five epochs.",
        unit=Unit.PERCENT,
        value=_last_mean("train_eval_accuracy", -1, 1.0),
        same_as="final_train",
        is_on_training_images=True,
    ),
    Metric(
        name="train_error_running",
        heading="Train error running",
        help="Mean running training error, as Keras prints it, of the last five epochs.",
        unit=Unit.PERCENT,
        value=_last_mean("train_accuracy", -1, 1.0),
    ),
    Metric(
        name="test_error",
        heading="Test error",
        help="Mean test error of the last five epochs; nothing is selected.",
        unit=Unit.PERCENT,
        value=_last_mean("test_accuracy", -1, 1.0),
        higher_is_better=False,
        same_as="final_test",
    ),
    Metric(
        name="last_train",
        heading="Train last",
        help="Training accuracy (evaluation mode) after the last epoch.",
        unit=Unit.PERCENT,
        value=_last("train_eval_accuracy"),
        is_on_training_images=True,
    ),
    Metric(
        name="train_loss",
        heading="Train loss",
        help="Running training loss of the last epoch.",
        unit=Unit.NATS,
        value=_last("train_loss"),
    ),
    Metric(
        name="test_loss",
        heading="Test loss",
        help="Test loss after the last epoch.",
        unit=Unit.NATS,
        value=_last("test_loss"),
        higher_is_better=False,
    ),
    Metric(
        name="val_selected_test",
        heading="Test at best validation",
        help="Test accuracy at the epoch whose validation accuracy is highest.",
        unit=Unit.PERCENT,
        value=_val_selected_test,
        needs_validation=True,
        higher_is_better=True,
    ),
    Metric(
        name="val_selected_gap",
        heading="Gap at best validation",
        help="The gap at the epoch whose validation accuracy is highest.",
        unit=Unit.POINTS,
        value=_val_selected_gap,
        needs_validation=True,
        is_on_training_images=True,
    ),
)
METRICS: Mapping[str, Metric] = MappingProxyType({metric.name: metric for metric in _METRICS})


def quantity(name: str) -> str:
    """What a metric measures: of two that are one number in other words the name of one; a name that is none stays."""
    metric = METRICS.get(name)
    return metric.same_as or name if metric else name


def heading_of(name: str) -> str:
    """What tables call a metric; a name that is none, as of a newer program, stays."""
    metric = METRICS.get(name)
    return metric.heading if metric else name
