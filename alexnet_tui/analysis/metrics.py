"""What is measured on one finished run, beyond what `RunHistory` offers; pure.

Everything is None where the run does not allow it, and never an invented number.
"""

import math
from collections.abc import Sequence

from alexnet_tui.runs.history import LAST_EPOCHS, RunHistory

CONVERGED_WITHIN = 0.01
"""A run has converged once its smoothed accuracy is within one point of its own maximum."""


def finite(value: float | None) -> float | None:
    """A number, or None where it is missing or not finite."""
    return value if value is not None and math.isfinite(value) else None


def gap(history: RunHistory) -> float | None:
    """Training accuracy in evaluation mode minus test accuracy, mean of the last five epochs."""
    return finite(history.gap)


def final_test_accuracy(history: RunHistory) -> float | None:
    """Mean test accuracy of the last five epochs."""
    return finite(history.final_test_accuracy)


def last_test_accuracy(history: RunHistory) -> float | None:
    """Test accuracy after the last epoch."""
    return finite(history.last_test_accuracy)


def max_test_accuracy(history: RunHistory) -> float | None:
    """Highest test accuracy after any epoch: selected on test."""
    return finite(history.best_test_accuracy)


def max_train_accuracy(history: RunHistory) -> float | None:
    """Highest running training accuracy."""
    return finite(history.best_train_accuracy)


def max_test_epoch(history: RunHistory) -> float | None:
    """Epoch of the highest test accuracy: selected on test."""
    epoch = history.best_epoch
    return None if epoch is None else float(epoch)


def val_selected_test_accuracy(history: RunHistory) -> float | None:
    """Test accuracy at the epoch whose validation accuracy is highest; None without a validation set."""
    index = _selected_index(history)
    return None if index is None else finite(history.epochs["test_accuracy"][index])


def val_selected_gap(history: RunHistory) -> float | None:
    """The gap at the epoch whose validation accuracy is highest; None without a validation set."""
    index, epochs = _selected_index(history), history.epochs
    return None if index is None else finite(epochs["train_eval_accuracy"][index] - epochs["test_accuracy"][index])


def _selected_index(history: RunHistory) -> int | None:
    """Where validation accuracy is highest, the first of equals."""
    accuracies = history.epochs["val_accuracy"]
    known = [index for index, accuracy in enumerate(accuracies) if math.isfinite(accuracy)]
    return max(known, key=lambda index: accuracies[index], default=None)


def t25_epochs(history: RunHistory) -> float | None:
    """Epochs until training error, in evaluation mode, fell to 25%; None if it never did."""
    return history.crossing().epochs


def t25_seconds(history: RunHistory) -> float | None:
    """Seconds of training until training error, in evaluation mode, fell to 25%."""
    return history.crossing().train_seconds


def t25_epochs_running(history: RunHistory) -> float | None:
    """Epochs until the running training error, as Keras prints it, fell to 25%: the report's way."""
    return history.crossing("train_accuracy").epochs


def elapsed_seconds(history: RunHistory) -> float | None:
    """Seconds of training, evaluation and checkpoints, over all attempts."""
    return finite(history.elapsed_seconds)


def converged_epoch(history: RunHistory) -> float | None:
    """First epoch whose smoothed accuracy is within a point of its maximum.

    None if the maximum lies in the last five epochs: then the run has not converged. Accuracy is that of the
    validation set, or of the test set where the run kept none back.
    """
    smooth = smoothed(_held_out(history, "accuracy"))
    if not smooth:
        return None
    highest = max(smooth)
    if not math.isfinite(highest) or smooth.index(highest) >= len(smooth) - LAST_EPOCHS:
        return None
    first = next(index for index, value in enumerate(smooth) if value >= highest - CONVERGED_WITHIN)
    return history.epochs["epoch"][first]


def overfitting_epoch(history: RunHistory) -> float | None:
    """Epoch from which the smoothed validation loss only got worse than its minimum."""
    smooth = smoothed(_held_out(history, "loss"))
    if not smooth or not all(map(math.isfinite, smooth)):
        return None
    return history.epochs["epoch"][smooth.index(min(smooth))]


def smoothed(values: Sequence[float]) -> list[float]:
    """Centred means of five values; the window is cut short at the edges."""
    half = LAST_EPOCHS // 2
    windows = (values[max(0, index - half) : index + half + 1] for index in range(len(values)))
    return [sum(window) / len(window) for window in windows]  # `fsum` raises where losses are huge.


def _held_out(history: RunHistory, quantity: str) -> Sequence[float]:
    validation = history.epochs[f"val_{quantity}"]
    if len(validation) and math.isfinite(validation[-1]):
        return validation
    return history.epochs[f"test_{quantity}"]
