"""Curves as arrays: copies of columns, smoothing, seeds on one grid, limits, and what a limit hides.

Pure numpy. A missing value is NaN and stays one: nothing here invents a point, and whatever leaves a point
out says how many.
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # Halves the import; nothing here multiplies matrices.

from array import array
from collections.abc import Sequence
from enum import StrEnum

import msgspec
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_MAX_GRID = 1024
_LARGEST = 1e300
"""Values beyond it are not drawn: their differences and rounded limits would overflow."""
_BLOCK_GROWTH = 1e6
_SOUGHT_AT_ONCE = 1024
_ROUNDING = 1e-12


class Spread(StrEnum):
    """What a band over seeds spans."""

    RANGE = "min..max"
    DEVIATION = "mean±sd"


class Method(StrEnum):
    """How a curve is smoothed."""

    NONE = "none"
    EXPONENTIAL = "EMA"
    CENTRED = "centred mean"


class Smoothing(msgspec.Struct, frozen=True):
    """One way to smooth: a weight in [0, 1) for `EXPONENTIAL`, an odd number of points for `CENTRED`."""

    method: Method = Method.NONE
    amount: float = 0.0

    def __str__(self) -> str:
        """For people: ``EMA 0.9``."""
        return f"{self.method} {self.amount:g}"


SMOOTHINGS = (
    Smoothing(),
    Smoothing(Method.EXPONENTIAL, 0.6),
    Smoothing(Method.EXPONENTIAL, 0.9),
    Smoothing(Method.EXPONENTIAL, 0.98),
    Smoothing(Method.CENTRED, 5),
)


class Band(msgspec.Struct, frozen=True):
    """Several seeds as one curve: the mean and what is around it, where every seed has a value.

    Attributes:
        x: The common grid.
        mean: Mean over seeds.
        low: Lower edge of the band.
        high: Upper edge of the band.
        is_cut: It ends with the shortest of them, while others go on.
    """

    x: Floats
    mean: Floats
    low: Floats
    high: Floats
    is_cut: bool = False


class Limits(msgspec.Struct, frozen=True):
    """A range of values to draw, and how many points lie outside it."""

    low: float
    high: float
    num_hidden: int = 0


def copy_column(column: "array[float] | Sequence[float]") -> Floats:
    """A copy of a history's column; a view would keep the column from growing."""
    return np.array(column, dtype=np.float64)


def clean(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Sorted by `x` without rows that have none; values that cannot be drawn become gaps."""
    keep = np.abs(x) <= _LARGEST
    if not keep.all():
        x, y = x[keep], y[keep]
    if (x[1:] < x[:-1]).any():
        order = np.argsort(x, kind="stable")
        x, y = x[order], y[order]
    drawable = np.abs(y) <= _LARGEST
    return x, y if drawable.all() else np.where(drawable, y, np.nan)


def count_gaps(y: Floats) -> int:
    """How many values are not finite."""
    return int(np.count_nonzero(~np.isfinite(y)))


def smooth(values: Floats, smoothing: Smoothing) -> Floats:
    """The curve smoothed; gaps stay where they are and lend no weight."""
    finite = np.isfinite(values)
    if smoothing.method is Method.NONE or not finite.any():
        return values
    kept = values if finite.all() else values[finite]
    is_exponential = smoothing.method is Method.EXPONENTIAL
    smoothed = _exponential(kept, smoothing.amount) if is_exponential else _centred(kept, int(smoothing.amount))
    if len(kept) == len(values):
        return smoothed
    result = np.full(len(values), np.nan)
    result[finite] = smoothed
    return result


def _exponential(values: Floats, weight: float) -> Floats:
    """Exponential mean without the bias towards zero of its first values.

    Blocks are short enough that the growing factors stay exact; only their carries are a Python loop.
    """
    if weight <= 0:
        return values
    count = len(values)
    length = max(1, int(np.log(_BLOCK_GROWTH) / -np.log(weight)))
    rows = np.zeros((-(-count // length), length))
    result: Floats = rows.reshape(-1)[:count]
    result[:] = values
    powers = weight ** np.arange(1, length + 1)
    np.cumsum(np.divide(rows, powers, out=rows), axis=1, out=rows)
    carries, carry = np.empty((len(rows), 1)), 0.0
    for index, last in enumerate((rows[:, -1] * powers[-1]).tolist()):
        carries[index] = carry
        carry = carry * powers[-1] + last
    rows += carries
    rows *= powers * (1 - weight)
    biased = result[: int(np.log(np.finfo(float).eps / 2) / np.log(weight)) + 1]  # Later the bias is none.
    biased /= 1 - weight ** np.arange(1, len(biased) + 1)
    return result


def _centred(values: Floats, width: int) -> Floats:
    """Mean of `width` neighbours, of fewer and still symmetric ones near the ends."""
    count = len(values)
    index = np.arange(count)
    reach = np.minimum(np.minimum(index, count - 1 - index), width // 2)
    sums = np.concatenate([[0.0], np.cumsum(values)])
    result: Floats = (sums[index + reach + 1] - sums[index - reach]) / (2 * reach + 1)
    return result


def to_log(values: Floats) -> Floats:
    """Base-10 logarithm; what has none becomes a gap."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(values > 0, np.log10(np.where(values > 0, values, 1.0)), np.nan)


def band(curves: Sequence[tuple[Floats, Floats]], spread: Spread = Spread.RANGE) -> Band:
    """Seeds as one mean curve with a band, on the stretch of `x` that all of them cover.

    The mean of a changing set of seeds would jump where one ends, so it stops at the shortest.
    """
    cleaned = [_finite(x, y) for x, y in curves]
    usable = [(x, y) for x, y in cleaned if len(x)]
    empty = np.empty(0)
    if not usable:
        return Band(empty, empty, empty, empty)
    low = max(float(x[0]) for x, _ in usable)
    high = min(float(x[-1]) for x, _ in usable)
    is_cut = any(float(x[-1]) > high for x, _ in usable)
    grid = np.unique(np.concatenate([x for x, _ in usable]))
    grid = grid[(grid >= low) & (grid <= high)]
    if len(grid) > _MAX_GRID:
        grid = np.linspace(low, high, _MAX_GRID)
    rows = np.array([np.interp(grid, x, y) for x, y in usable])
    mean = rows.mean(axis=0)
    if spread is Spread.RANGE:
        return Band(grid, mean, rows.min(axis=0), rows.max(axis=0), is_cut)
    deviation = rows.std(axis=0, ddof=1) if len(usable) > 1 else np.zeros(len(grid))
    return Band(grid, mean, mean - deviation, mean + deviation, is_cut)


def _finite(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    x, y = clean(x, y)
    keep = np.isfinite(y)
    return x[keep], y[keep]


def limits(values: Sequence[Floats], *, clip: bool = False) -> Limits | None:
    """The range of all finite values, or with `clip` the range without outliers; None without a value.

    An outlier lies further than half of the middle 96% outside of them. A range no wider than the rounding of its
    values is none.
    """
    found = _limits(values, clip=clip)
    if found is not None and found.high - found.low <= _ROUNDING * max(abs(found.low), abs(found.high)):
        return msgspec.structs.replace(found, low=found.high)
    return found


def _limits(values: Sequence[Floats], *, clip: bool) -> Limits | None:
    if not clip and (found := _plain_limits(values)) is not None:
        return found
    arrays = [array_[np.isfinite(array_)] for array_ in values]
    every = np.concatenate(arrays) if arrays else np.empty(0)
    if not len(every):
        return None
    low, high = float(every.min()), float(every.max())
    if not clip:
        return Limits(low, high)
    inner_low, inner_high = (float(value) for value in np.percentile(every, (2, 98)))
    reach = (inner_high - inner_low) / 2
    inside = every[(every >= inner_low - reach) & (every <= inner_high + reach)]
    if not len(inside) or len(inside) == len(every):
        return Limits(low, high)
    return Limits(float(inside.min()), float(inside.max()), len(every) - len(inside))


def _plain_limits(values: Sequence[Floats]) -> Limits | None:
    """Least and greatest value, gaps left out, without a copy; None where there is none, or one is infinite."""
    filled = [array_ for array_ in values if len(array_)]
    low = min((float(np.fmin.reduce(array_)) for array_ in filled), key=_nan_last, default=np.nan)
    high = max((float(np.fmax.reduce(array_)) for array_ in filled), key=_nan_first, default=np.nan)
    return Limits(low, high) if np.isfinite(low) and np.isfinite(high) else None


def _nan_last(value: float) -> float:
    return np.inf if np.isnan(value) else value


def _nan_first(value: float) -> float:
    return -np.inf if np.isnan(value) else value


def last_finite(y: Floats) -> int | None:
    """Index of the last value that is no gap, sought from the end; None without one."""
    stop = len(y)
    while stop > 0:
        start = max(0, stop - _SOUGHT_AT_ONCE)
        found = np.flatnonzero(np.isfinite(y[start:stop]))
        if len(found):
            return start + int(found[-1])
        stop = start
    return None


def finite_ends(x: Floats, y: Floats) -> Floats:
    """First and last place of the sorted `x` that has a value; empty without one."""
    last, first_from_end = last_finite(y), last_finite(y[::-1])
    if last is None or first_from_end is None:
        return x[:0]
    return x[[len(y) - 1 - first_from_end, last]]


def thin(values: Floats, most: int) -> Floats:
    """At most `most` of the values, evenly picked, the first and last among them."""
    if len(values) <= most:
        return values
    return values[np.unique(np.linspace(0, len(values) - 1, most).astype(np.intp))]


def value_at(x: Floats, y: Floats, position: float) -> float | None:
    """The value of the point nearest to `position`; None outside the curve or in a gap."""
    if not len(x):
        return None
    half = (float(x[-1] - x[0]) / max(1, len(x) - 1)) / 2 if len(x) > 1 else 0.5
    if position < x[0] - half or position > x[-1] + half:
        return None
    index = nearest_index(x, position)
    value = float(y[index])
    return value if np.isfinite(value) else None


def nearest_index(x: Floats, position: float) -> int:
    """Index of the value of the sorted, non-empty `x` nearest to `position`."""
    right = int(np.searchsorted(x, position))
    if right == 0:
        return 0
    if right == len(x) or position - x[right - 1] <= x[right] - position:
        return right - 1
    return right


class Lead(msgspec.Struct, frozen=True):
    """How early a curve reached its best value, beside a baseline.

    Attributes:
        best: The best value.
        ahead: How many `x` earlier than the baseline it got there, negative when later; None where the baseline never
            got so far.
    """

    best: float
    ahead: float | None


def lead(x: Floats, y: Floats, baseline_x: Floats, baseline_y: Floats) -> Lead | None:
    """How far a curve is ahead of a baseline; None where either has no value.

    The best value so far counts on both sides, so that noise cannot make a run overtake itself.
    """
    x, y = _finite(x, y)
    baseline_x, baseline_y = _finite(baseline_x, baseline_y)
    if not len(x) or not len(baseline_x):
        return None
    reached = float(y.max())
    position = float(x[int(np.argmax(y))])
    best = np.maximum.accumulate(baseline_y)
    index = int(np.searchsorted(best, reached))
    if index == len(best):
        return Lead(reached, None)
    if index == 0:
        return Lead(reached, float(baseline_x[0]) - position)
    rise = float(best[index] - best[index - 1])
    share = (reached - float(best[index - 1])) / rise if rise else 1.0
    there = float(baseline_x[index - 1]) + share * float(baseline_x[index] - baseline_x[index - 1])
    return Lead(reached, there - position)
