"""What seeds alone make of a difference: one rule for every table that colours differences; pure."""

import math
import statistics
from collections.abc import Iterable, Sequence

import msgspec

from alexnet_tui.analysis.groups import first_of_each_seed
from alexnet_tui.analysis.metrics import Metric
from alexnet_tui.config.hyperparameters import RESULT_FIELDS
from alexnet_tui.runs.history import RunHistory

FEWEST_SEEDS = 3
"""Fewer runs say nothing about their spread."""
_T_QUANTILES = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
    2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086,
    2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)  # fmt: skip
"""The 97.5% quantile of Student's t at 1 to 30 degrees of freedom: `stats.t_quantile` would load SciPy here."""

Side = tuple[float | None, int]
"""Standard deviation over the seeds of a mean, where it is known, and the number of runs in that mean."""
_Share = tuple[float, int]
"""What an estimate of a spread adds to the variance of a difference, and its degrees of freedom."""


class Deviation(msgspec.Struct, frozen=True):
    """A standard deviation over seeds, and the number of runs that it is of."""

    value: float
    num_runs: int


def runs_like(base: RunHistory, histories: Iterable[RunHistory]) -> list[RunHistory]:
    """The finished runs that differ from a run in their seed alone, as far as results go; the first made of each."""
    config = base.record.config
    return first_of_each_seed(
        history
        for history in histories
        if all(getattr(history.record.config, name) == getattr(config, name) for name in RESULT_FIELDS)
        and history.record.foreign is None
    )


def deviation(runs: Sequence[RunHistory], metric: Metric) -> Deviation | None:
    """Standard deviation of a metric over runs; None for too few of them."""
    values = [value for run in runs if (value := metric.value(run)) is not None]
    return Deviation(statistics.stdev(values), len(values)) if len(values) >= FEWEST_SEEDS else None


def difference_tone(
    difference: float, sides: Iterable[Side], alike: Deviation | None, *, is_better: bool | None
) -> str:
    """Good or bad where a difference of two means is outside Welch's 95% interval around none; else muted.

    Args:
        difference: One mean minus the other.
        sides: The two means.
        alike: That of runs like one of the two, for a mean of too few runs; None where it is not known.
        is_better: Whether the one mean is the better; None where neither is.
    """
    shares: list[_Share] = []
    assumed = 0.0
    for own, count in sides:
        if own is not None and count >= FEWEST_SEEDS:
            shares.append((own**2 / count, count - 1))
        elif alike is None:
            return "muted"
        else:
            assumed += alike.value**2 / count
    if alike is not None and assumed:
        # A mean beside it may be of these very runs: then the two spreads are one estimate.
        freedom = min([alike.num_runs - 1, *(own for _, own in shares)])
        shares = [(assumed + sum(share for share, _ in shares), freedom)]
    if is_better is None or abs(difference) <= _half_width(shares):
        return "muted"
    return "good" if is_better else "bad"


def _half_width(shares: Sequence[_Share]) -> float:
    """Half of Welch's interval of a difference."""
    square = sum(share for share, _ in shares)
    if not square:
        return 0.0
    freedom = 1 / sum((share / square) ** 2 / own for share, own in shares)
    quantile = _T_QUANTILES[min(int(freedom + 1e-9), len(_T_QUANTILES)) - 1]
    return quantile * math.sqrt(square)
