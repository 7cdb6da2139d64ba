"""T25: the time until training error first falls to 25%, as in the paper's Figure 1."""

import math

import msgspec

from alexnet_tui.runs.history import RunHistory

T25_ERROR = 0.25


class TimeToAccuracy(msgspec.Struct, frozen=True):
    """When training error first fell to 25%, linear between the ends of two epochs.

    Attributes:
        epochs: None while it has not happened.
        train_seconds: The same in seconds of training.
        is_upper_bound: It was so at the first measurement, the end of the first epoch: when within it is not known.
    """

    epochs: float | None
    train_seconds: float | None
    is_upper_bound: bool = False


def time_to_accuracy(history: RunHistory, column: str = "train_eval_accuracy") -> TimeToAccuracy:
    """When training error, 1 - `column`, first fell to 25%.

    The definition uses ``train_eval_accuracy``; ``train_accuracy`` gives the study's Keras-style value.
    """
    epochs, seconds = history.epochs["epoch"], history.epochs["train_seconds"]
    last: tuple[float, float, float] | None = None  # Epoch, seconds and error at the end of the epoch before.
    for epoch, second, accuracy in zip(epochs, seconds, history.epochs[column], strict=True):
        error = 1 - accuracy
        if error <= T25_ERROR:
            if last is None:
                return _crossing(epoch, second, is_upper_bound=True)
            last_epoch, last_second, last_error = last
            share = (last_error - T25_ERROR) / (last_error - error)
            return _crossing(last_epoch + share * (epoch - last_epoch), last_second + share * (second - last_second))
        last = (epoch, second, error) if math.isfinite(error) else None
    return TimeToAccuracy(None, None)


def _crossing(epochs: float, seconds: float, *, is_upper_bound: bool = False) -> TimeToAccuracy:
    return TimeToAccuracy(epochs, None if math.isnan(seconds) else seconds, is_upper_bound)
