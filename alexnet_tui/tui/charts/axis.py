"""Axes: positions and labels of ticks. Pure: limits in, ticks out.

Labels of one axis are distinct, ticks of a counting axis are whole numbers, and accuracies end at 100%.
"""

import math
from collections.abc import Sequence
from enum import StrEnum

import msgspec

from alexnet_tui.text import format_duration

_DURATION_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400)
_LOG_MANTISSAS = ((1.0, 2.0, 5.0), (1.0, 3.0), (1.0,))
_SMALLEST_SPAN = 1e-9
MOST_DIGITS, SMALLEST_FIXED = 9, 0.01
"""Digits behind the point that a label may have, and the value below which it has a power of ten in their place."""


class Measure(StrEnum):
    """What an axis counts, which decides its limits, its ticks and its labels."""

    COUNT = "count"
    SECONDS = "seconds"
    NUMBER = "number"
    RATE = "rate"
    SHARE = "share"
    POINTS = "points"


_SCALES = {Measure.SHARE: (100.0, "%"), Measure.POINTS: (100.0, "")}
"""What a value is multiplied by and followed by; a share ends at 100%, a difference of shares does not."""


class Tick(msgspec.Struct, frozen=True):
    """A place on an axis, in the axis' own units, and its label."""

    at: float
    label: str


def padded(low: float, high: float, measure: Measure, air: float = 0.04) -> tuple[float, float]:
    """Limits for curves between `low` and `high`, with a part of their distance as air; a share stays in [0, 1]."""
    if measure is Measure.COUNT:
        low, high = math.floor(low), math.ceil(high)
        return (low, high) if high > low else (low - 1 if low else 0, low + 1)
    if measure is Measure.SECONDS:
        return (low, high) if high > low else (low - 0.5, low + 0.5)
    margin = (high - low) * air or abs(high) * 0.05 or 0.05
    low, high = low - margin, high + margin
    if measure is Measure.SHARE:
        low, high = min(max(0.0, low), 0.95), max(min(1.0, high), 0.05)
        return (low, high) if high - low > _SMALLEST_SPAN else (max(0.0, low - 0.05), min(1.0, high + 0.05))
    return low, high


def ticks(low: float, high: float, measure: Measure, most: int, *, log: bool = False) -> list[Tick]:
    """At most `most` ticks between the limits, at round values; on a log axis limits are logarithms."""
    if most < 1 or not (math.isfinite(low) and math.isfinite(high)) or high <= low:
        return []
    if log:
        return _log_ticks(low, high, measure, most)
    step = _step(low, high, most, measure)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return label([index * step for index in range(first, last + 1)][:most], measure, step)


def even_scale(
    low: float, high: float, measure: Measure, rows: int, dots_per_row: int
) -> tuple[float, float, list[Tick]] | None:
    """Limits around values from `low` to `high` whose ticks are the same whole number of rows apart.

    Of all round steps it takes the one that leaves little room empty and puts ticks three to six rows apart. None
    where `rows` are too few for two ticks.
    """
    low, high = padded(low, high, measure, 0.015)
    last = rows * dots_per_row - 1
    wanted_apart = min(6.0, max(3.0, rows / 6))
    best: tuple[float, float, float] | None = None
    for step in _steps_near(high - low, measure):
        rows_apart = int(step * (last - 1) / (dots_per_row * (high - low)) + 1e-9) if last > 1 else 0
        if not 2 <= rows_apart < rows:
            continue
        span = step * last / (dots_per_row * rows_apart)
        cost = span / (high - low) + 0.05 * abs(rows_apart - wanted_apart)
        if best is None or cost < best[0]:
            best = cost, step, span
    if best is None:
        return None
    _, step, span = best
    dot = span / last
    wanted = high + (span - (high - low)) / 2
    if wanted - span < 0 <= low:
        wanted = span
    if measure is Measure.SHARE:
        wanted = min(1.0, wanted)
    first = math.floor(wanted / step + 1e-9) * step
    top = first + math.ceil((max(wanted, high) - first) / dot - 1e-6) * dot
    bottom = top - span
    indices = range(math.ceil(bottom / step - 1e-6), math.floor(top / step + 1e-6) + 1)
    at = [index * step for index in indices if measure is not Measure.SHARE or -1e-9 <= index * step <= 1 + 1e-9]
    return (bottom, top, label(at, measure, step)) if at else None


def _steps_near(span: float, measure: Measure) -> list[float]:
    """Round distances from a hundredth of a span to all of it."""
    power = 10.0 ** math.floor(math.log10(span))
    steps = [factor * power for factor in (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)]
    return [step for step in steps if step >= 1 or measure is not Measure.COUNT]


def label(places: Sequence[float], measure: Measure, step: float) -> list[Tick]:
    """Ticks at `places`, with as many digits as `step` needs."""
    if measure is Measure.COUNT:
        return [Tick(place, f"{place:,.0f}") for place in places]
    if measure is Measure.SECONDS:
        return _distinct([Tick(place, "0" if not place else short_duration(place)) for place in places])
    scale, sign = _SCALES.get(measure, (1.0, ""))
    digits = max(0, -math.floor(math.log10(step * scale) + 1e-9))
    largest = max((abs(place) * scale for place in places), default=0.0)
    if digits > (MOST_DIGITS if largest >= SMALLEST_FIXED else 4):
        return _distinct([Tick(place, f"{place * scale:.3g}{sign}") for place in places])
    return [Tick(place, f"{place * scale:.{digits}f}{sign}".replace("-0%", "0%")) for place in places]


def short_duration(seconds: float) -> str:
    """A duration without the parts that are zero: ``2h``, ``3m``, ``1m 30s``."""
    return format_duration(seconds).replace(" 00s", "").replace(" 00m", "").replace(" 00h", "")


def _distinct(candidates: Sequence[Tick]) -> list[Tick]:
    kept: dict[str, Tick] = {}
    for tick in candidates:
        kept.setdefault(tick.label, tick)
    return list(kept.values())


def _step(low: float, high: float, most: int, measure: Measure) -> float:
    """The smallest round distance that puts at most `most` ticks between the limits."""
    step = _round_up((high - low) / (most + 1), measure)
    while math.floor(high / step + 1e-9) - math.ceil(low / step - 1e-9) + 1 > most:
        step = _round_up(step * 1.01, measure)
    return step


def _round_up(rough: float, measure: Measure) -> float:
    if measure is Measure.SECONDS and rough > 1:
        return float(next((step for step in _DURATION_STEPS if step >= rough), _nice(rough / 86400) * 86400))
    return max(1.0, _nice(rough)) if measure is Measure.COUNT else _nice(rough)


def _nice(rough: float) -> float:
    power = 10.0 ** math.floor(math.log10(rough))
    return float(next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9)))


def _log_ticks(low: float, high: float, measure: Measure, most: int) -> list[Tick]:
    if high - low < 1:  # Less than a decade: round values of the linear axis, at their logarithms.
        linear = ticks(_unlog(low), _unlog(high), measure, most)
        return [Tick(math.log10(tick.at), tick.label) for tick in linear if tick.at > 0]
    scale, sign = _SCALES.get(measure, (1.0, ""))
    decades = range(math.floor(low), math.ceil(high) + 1)
    places: list[float] = []
    for mantissas in _LOG_MANTISSAS:
        places = [decade + math.log10(mantissa) for decade in decades for mantissa in mantissas]
        places = [place for place in places if low <= place <= high]
        if len(places) <= most:
            break
    places = places[:: math.ceil(len(places) / most)] if places else []
    return _distinct([Tick(place, f"{scale * _unlog(place):.3g}{sign}") for place in places])


def _unlog(place: float) -> float:
    """What a place on a log axis stands for, kept within what a float can hold."""
    return math.pow(10.0, min(max(place, -300.0), 300.0))


def with_last(chosen: Sequence[Tick], last: float, measure: Measure, gap: float) -> list[Tick]:
    """The ticks and one at the last point; those nearer to it than `gap` give way."""
    end = label([last], measure, 1.0)
    kept = [tick for tick in chosen if last - tick.at >= gap and tick.label != end[0].label]
    return [*kept, *end]
