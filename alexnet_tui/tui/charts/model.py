"""What a chart shows: curves, the view a person chose, and the curves made ready for that view; pure."""

import math
from collections.abc import Sequence

import msgspec

from alexnet_tui.text import format_gap, format_loss, format_percent
from alexnet_tui.tui.charts import axis
from alexnet_tui.tui.charts.axis import MOST_DIGITS, SMALLEST_FIXED, Measure
from alexnet_tui.tui.charts.series import (
    SMOOTHINGS,
    Floats,
    Smoothing,
    clean,
    count_gaps,
    finite_ends,
    last_finite,
    limits,
    smooth,
    to_log,
    value_at,
)

import numpy as np  # isort: skip  # After series, which sets numpy's threads.

_LARGE_RATE = 100.0


class Curve(msgspec.Struct, frozen=True, kw_only=True):
    """A named line.

    Attributes:
        name: What legends call it; made safe here.
        x: Places, in the unit of the chart's x axis.
        y: Values; NaN is a gap.
        slot: Which colour, dash and marker it has, from 0; the same number looks the same on every chart.
        is_baseline: What the others are compared with: drawn in a muted colour, behind them.
        low: Lower edge of a band around it, or None.
        high: Upper edge of that band.
        is_faint: A background to a curve of the same slot; no legend names it.
        is_chosen: Drawn over all others, two dots thick.
        is_cut: A mean that ends where the first of its runs does, while others go on.
    """

    name: str
    x: Floats
    y: Floats
    slot: int = 0
    is_baseline: bool = False
    low: Floats | None = None
    high: Floats | None = None
    is_faint: bool = False
    is_chosen: bool = False
    is_cut: bool = False


class View(msgspec.Struct, frozen=True, kw_only=True):
    """What a person chose to see; charts that belong together share one.

    Attributes:
        log: Logarithmic y axis.
        smoothing: How curves are smoothed; the raw curve stays, faint.
        clip: Leave outliers out of the y axis, and say how many.
        x_low: Left end when zoomed, else None.
        x_high: Right end when zoomed, else None.
        crosshair: Where the crosshair is, or None.
        hidden: Names of curves not to draw.
    """

    log: bool = False
    smoothing: Smoothing = SMOOTHINGS[0]
    clip: bool = False
    x_low: float | None = None
    x_high: float | None = None
    crosshair: float | None = None
    hidden: frozenset[str] = frozenset()


class ChartSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What a chart is about.

    Attributes:
        title: What is plotted, for the heading.
        y: What the y axis counts.
        x: What the x axis counts.
        x_title: Its name, at the left of its labels.
        x_covers: A part of the x axis that is on screen also where no curve has a point, or None.
        empty: What to show while there is no point.
        has_names: Name the curves; without, their markers and values are shown alone.
        y_span: How far apart the values on screen are; `render.draw` sets it for the digits in legends.
    """

    title: str
    y: Measure = Measure.NUMBER
    x: Measure = Measure.COUNT
    x_title: str = "epoch"
    x_covers: tuple[float, float] | None = None
    empty: str = "no points yet"
    has_names: bool = True
    y_span: float = 0.0


class PreparedCurve(msgspec.Struct, frozen=True):
    """A curve ready to draw under one view.

    Attributes:
        curve: What it was made of.
        x: Places in ascending order.
        y: Values as plotted: cleaned, smoothed, logarithms taken.
        raw: The same without the smoothing.
        raw_values: Values only cleaned, for legends.
        low: Lower edge of the band as plotted, or None.
        high: Upper edge of the band as plotted, or None.
        num_hidden: Points that cannot be plotted: infinite ones, and those without a logarithm.
    """

    curve: Curve
    x: Floats
    y: Floats
    raw: Floats
    raw_values: Floats
    low: Floats | None
    high: Floats | None
    num_hidden: int


def prepare(curves: Sequence[Curve], view: View) -> list[PreparedCurve]:
    """Curves under a view; depends on no size, so zooming and the crosshair reuse it."""
    prepared = []
    for curve in curves:
        x, raw = clean(curve.x, curve.y)
        values = raw
        y = smooth(raw, view.smoothing)
        low, high = curve.low, curve.high
        hidden = int(np.count_nonzero(np.isinf(curve.y)))
        if view.log:
            before = count_gaps(raw)
            y, raw = to_log(y), to_log(raw)
            hidden += count_gaps(raw) - before
            low, high = (None if edge is None else to_log(edge) for edge in (low, high))
        prepared.append(PreparedCurve(curve, x, y, raw, values, low, high, hidden))
    return prepared


def value_of(one: PreparedCurve, view: View) -> float | None:
    """The value legends show: the one under the crosshair, else the last on screen; None without one there."""
    if view.crosshair is not None:
        return value_at(one.x, one.raw_values, view.crosshair)
    stop = len(one.x) if view.x_high is None else int(np.searchsorted(one.x, view.x_high, side="right"))
    start = 0 if view.x_low is None else int(np.searchsorted(one.x, view.x_low))
    last = last_finite(one.raw_values[:stop])
    return None if last is None or last < start else float(one.raw_values[last])


def full_range(prepared: Sequence[PreparedCurve], spec: ChartSpec) -> tuple[float, float] | None:
    """Ends of the x axis that show every point; None without one."""
    found = limits([finite_ends(one.x, one.y) for one in prepared])
    if found is None:
        return None
    low, high = axis.padded(found.low, found.high, spec.x)
    return (low, high) if spec.x_covers is None else (min(low, spec.x_covers[0]), max(high, spec.x_covers[1]))


def format_y(value: float | None, spec: ChartSpec) -> str:
    """A value of the y axis for legends, with the digits of tables, and more where the values are closer together."""
    if spec.y is Measure.POINTS:
        return format_gap(value)
    if spec.y is Measure.RATE and value is not None:
        return f"{value:,.0f}" if value >= _LARGE_RATE else f"{value:g}"
    if spec.y is Measure.SHARE:
        return format_percent(value)
    text = format_loss(value)
    digits = min(MOST_DIGITS, 1 - math.floor(math.log10(spec.y_span))) if spec.y_span > 0 else 0
    is_short = value is not None and math.isfinite(value) and len(text.partition(".")[2]) < digits
    return f"{value:.{digits}f}" if is_short and abs(value or 0) >= SMALLEST_FIXED else text


def format_x(value: float, spec: ChartSpec) -> str:
    """A place on the x axis for a person: ``epoch 23``, ``time 3m 05s``."""
    if spec.x is Measure.SECONDS:
        return f"{spec.x_title} {axis.short_duration(value)}"
    return f"{spec.x_title} {value:,.0f}" if float(value).is_integer() else f"{spec.x_title} {value:,.2f}"
