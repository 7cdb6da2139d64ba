"""Learning-rate schedules: the rate of each update, from its epoch, its number and the errors so far."""

from collections.abc import Callable, Mapping

from alexnet_tui.config.hyperparameters import RunConfig

_PLATEAU_PATIENCE_EPOCHS = 10
_MAX_PLATEAUS = 3


class LearningRateSchedule:
    """The learning rate of each update.

    Args:
        config: Names the schedule and the first rate.
        errors: Errors after each epoch so far, on the data that `plateau` watches.
    """

    def __init__(self, config: RunConfig, errors: list[float] | None = None) -> None:
        self._config = config
        self.errors: list[float] = errors or []
        self._divisor: Callable[[int, int], float] = self._divisors()[config.schedule]

    def add(self, error: float) -> None:
        """Note the error after an epoch; `plateau` looks at nothing else."""
        self.errors.append(error)

    def learning_rate(self, epoch: int, update: int) -> float:
        """The rate of one update.

        Args:
            epoch: Its epoch, counted from 1.
            update: Its number in the whole run, counted from 0.
        """
        divisor = self._divisor(epoch, update)
        return self._config.learning_rate / divisor if divisor != 1 else self._config.learning_rate

    def _divisors(self) -> Mapping[str, Callable[[int, int], float]]:
        """Schedule to the number that divides the first rate, as a function of epoch and update."""
        config = self._config
        return {
            "constant": lambda epoch, update: 1,
            "step": lambda epoch, update: 10 ** sum(2 * epoch - 2 >= config.epochs * half for half in (1.0, 1.5)),
            "plateau": lambda epoch, update: 10 ** count_plateaus(self.errors[: epoch - 1]),
            # Keras' `SGD(decay=...)` until 2022: rate / (1 + decay * iterations).
            "inverse-time": lambda epoch, update: 1 + config.rate_decay * update,
        }


def count_plateaus(errors: list[float]) -> int:
    """How often the error went ten epochs without a new minimum, three at most (section 5: "three times")."""
    best, since, plateaus = float("inf"), 0, 0
    for error in errors:
        since = 0 if error < best else since + 1
        best = min(best, error)
        if since == _PLATEAU_PATIENCE_EPOCHS and plateaus < _MAX_PLATEAUS:
            plateaus, since = plateaus + 1, 0
    return plateaus
