"""What seeds alone make of a difference: one rule for every table that colours differences; pure."""

import math
import statistics
from collections.abc import Iterable, Sequence

from alexnet_tui.analysis.groups import first_of_each_seed
from alexnet_tui.analysis.metrics import Metric
from alexnet_tui.config.hyperparameters import RESULT_FIELDS
from alexnet_tui.runs.history import RunHistory

FEWEST_SEEDS = 3
"""Fewer runs say nothing about their spread."""
_STANDARD_ERRORS = 2.0

Side = tuple[float | None, int]
"""Standard deviation over the seeds of a mean, where it is known, and the number of runs in that mean."""


def runs_like(base: RunHistory, histories: Iterable[RunHistory]) -> list[RunHistory]:
    """The finished runs that differ from a run in their seed alone, as far as results go; the first made of each."""
    config = base.record.config
    return first_of_each_seed(
        history
        for history in histories
        if all(getattr(history.record.config, name) == getattr(config, name) for name in RESULT_FIELDS)
        and history.record.foreign is None
    )


def deviation(runs: Sequence[RunHistory], metric: Metric) -> float | None:
    """Standard deviation of a metric over runs; None for too few of them."""
    values = [value for run in runs if (value := metric.value(run)) is not None]
    return statistics.stdev(values) if len(values) >= FEWEST_SEEDS else None


def difference_tone(difference: float, sides: Iterable[Side], alike: float | None, *, is_better: bool | None) -> str:
    """Good or bad where a difference of two means is more than seeds alone make, at about 95 %; else muted.

    Args:
        difference: One mean minus the other.
        sides: The two means.
        alike: Standard deviation of runs like one of the two, for a mean of too few runs; None where it is not known.
        is_better: Whether the one mean is the better; None where neither is.
    """
    variances = []
    for own, count in sides:
        known = own if own is not None and count >= FEWEST_SEEDS else alike
        if known is None:
            return "muted"
        variances.append(known**2 / count)
    if is_better is None or abs(difference) <= _STANDARD_ERRORS * math.sqrt(sum(variances)):
        return "muted"
    return "good" if is_better else "bad"
