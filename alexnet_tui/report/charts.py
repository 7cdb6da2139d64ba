"""The report's pictures as SVG strings: curves with a band over seeds, and an interval against its marks.

Colours are classes of the page's style sheet, so that one picture serves light, dark and print; series differ
in dash and label too. Every number comes from our own data, and every text is escaped.
"""

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from alexnet_tui.analysis.claims import ClaimVerdict
from alexnet_tui.analysis.published import EXPERIMENTS, MARKS_LABEL, Experiment
from alexnet_tui.report.build import Curve
from alexnet_tui.runs.history import T25_ERROR
from alexnet_tui.text import printable

_STEPS = (1, 2, 5, 10, 20, 25, 50, 100, 200, 250, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000)
LABELS = {"train_accuracy": "train", "test_accuracy": "test"}


@dataclass(frozen=True, slots=True)
class _Frame:
    """A plot area in pixels: epochs from 0 to `last` to the right, fractions from `low` to `high` upwards."""

    width: int
    height: int
    last: int
    low: float = 0.0
    high: float = 1.0
    left: int = 40
    right: int = 14
    top: int = 14
    bottom: int = 40

    def x(self, epoch: float) -> float:
        return round(self.left + (self.width - self.left - self.right) * epoch / self.last, 1)

    def y(self, fraction: float) -> float:
        share = (min(max(fraction, self.low), self.high) - self.low) / (self.high - self.low)
        return round(self.height - self.bottom - (self.height - self.top - self.bottom) * share, 1)


def escape(text: str) -> str:
    """Foreign text that a browser shows as it is."""
    return html.escape(printable(text, 4000))


def whole_ticks(last: int, most: int = 6) -> list[int]:
    """Round whole numbers from 0 to `last`, no two equal."""
    step = next((step for step in _STEPS if last <= step * most), last)
    return list(range(0, last + 1, step))


def experiment_chart(curves: Sequence[Curve], experiment: Experiment | None) -> str:
    """Training and test accuracy of one experiment, with the marks of the report's figure."""
    last = max([1, *(epoch for curve in curves for epoch in curve.epochs)])
    frame = _Frame(width=520, height=300, last=last)
    parts = list(_axes(frame))
    for index, curve in enumerate(curves):
        parts += _series(frame, curve, index, LABELS.get(curve.column, curve.column))
    parts += [*_published(frame, experiment), _legend(frame, MARKS_LABEL)] if experiment else ()
    title = f"Accuracy by epoch: {curves[0].title}" if curves else "Accuracy by epoch"
    return _svg(frame, title, parts)


def overlay_chart(curves: Sequence[Curve]) -> str:
    """One curve for each experiment, on an axis cut to where they are."""
    last = max([1, *(epoch for curve in curves for epoch in curve.epochs)])
    maxima = {
        index: (found.max_val_epoch.value, found.max_val_accuracy.value)
        for index, curve in enumerate(curves)
        if (found := EXPERIMENTS.get(curve.group)) and found.max_val_epoch.value <= last
    }
    highest = max([0.5, *(max(curve.means, default=0.0) for curve in curves), *(top for _, top in maxima.values())])
    frame = _Frame(width=1060, height=340, last=last, high=min(1.0, (int(highest * 10) + 1) / 10), right=230)
    parts = list(_axes(frame))
    places: list[float] = []
    for index, curve in enumerate(curves):
        parts += _series(frame, curve, index, "")
    parts += [_diamond(frame, *place, f"m{index}") for index, place in maxima.items()]
    parts += [_legend(frame, f"{MARKS_LABEL}: its maximum, in the colour of the experiment")] if maxima else []
    ends = sorted(enumerate(curves), key=lambda pair: -pair[1].means[-1] if pair[1].means else 0)
    for index, curve in ends:
        if curve.means:
            wanted = frame.y(curve.means[-1]) + 4
            y = max(wanted, places[-1] + 16) if places else wanted
            places.append(y)
            label = f"{curve.title} {100 * curve.means[-1]:.1f}%"
            parts.append(f'<text class="t{index}" x="{frame.x(last) + 8}" y="{y}">{escape(label)}</text>')
    return _svg(frame, "Test accuracy by epoch, all experiments", parts)


def interval_chart(verdict: ClaimVerdict) -> str:
    """The estimate and its 95% interval, against no effect, the smallest that matters, and the report's."""
    evidence = verdict.effect
    if evidence is None:
        return ""
    neutral = 1.0 if verdict.unit == "ratio" else 0.0
    ends = [end for end in evidence.interval if end is not None]
    marks = [neutral, verdict.delta, verdict.published_effect, evidence.estimate, *ends]
    low, high = min(marks), max(marks)
    span = (high - low) or 1.0
    low, high = low - 0.08 * span, high + 0.08 * span

    def x(value: float) -> float:
        return round(10 + 300 * (value - low) / (high - low), 1)

    start, end = (
        x(value) if value is not None else edge for value, edge in zip(evidence.interval, (10, 310), strict=True)
    )
    diamond = x(verdict.published_effect)
    return (
        '<svg viewBox="0 0 320 74" role="img"><title>Estimate with 95% interval</title>'
        f'<rect class="zone" x="{x(verdict.delta)}" y="14" width="{max(0.0, 310 - x(verdict.delta)):.1f}" height="36"/>'
        f'<line class="axis" x1="{x(neutral)}" x2="{x(neutral)}" y1="8" y2="54"/>'
        f'<text class="tick" text-anchor="middle" x="{x(neutral)}" y="68">no effect</text>'
        f'<path class="mark" d="M{diamond} 26l6 6l-6 6l-6 -6z"><title>the report</title></path>'
        f'<line class="bar" x1="{start}" x2="{end}" y1="32" y2="32"/>'
        f'<circle class="dot" cx="{x(evidence.estimate)}" cy="32" r="6"/></svg>'
    )


def _axes(frame: _Frame) -> Iterable[str]:
    right, bottom = frame.width - frame.right, frame.height - frame.bottom
    for tenth in range(round(frame.low * 100), round(frame.high * 100) + 1, 25 if frame.high >= 1 else 10):
        y = frame.y(tenth / 100)
        yield f'<line class="grid" x1="{frame.left}" x2="{right}" y1="{y}" y2="{y}"/>'
        yield f'<text class="tick" text-anchor="end" x="{frame.left - 6}" y="{y + 4}">{tenth}%</text>'
    for epoch in whole_ticks(frame.last):
        yield f'<text class="tick" text-anchor="middle" x="{frame.x(epoch)}" y="{bottom + 16}">{epoch}</text>'
    yield f'<line class="axis" x1="{frame.left}" x2="{right}" y1="{bottom}" y2="{bottom}"/>'
    yield f'<text class="tick" text-anchor="end" x="{right}" y="{frame.height - 4}">epoch</text>'


def _series(frame: _Frame, curve: Curve, index: int, label: str) -> Iterable[str]:
    points = list(zip(curve.epochs, curve.means, curve.sds, strict=True))
    if not points:
        return
    if curve.num_runs > 1:
        upper = [f"{frame.x(epoch)},{frame.y(mean + sd)}" for epoch, mean, sd in points]
        lower = [f"{frame.x(epoch)},{frame.y(mean - sd)}" for epoch, mean, sd in reversed(points)]
        yield f'<polygon class="b{index}" points="{" ".join(upper + lower)}"/>'
    line = " ".join(f"{frame.x(epoch)},{frame.y(mean)}" for epoch, mean, _ in points)
    yield f'<polyline class="s{index}" points="{line}"/>'
    if label:
        epoch, mean, _ = points[-1]
        place = f'text-anchor="end" x="{frame.x(epoch)}" y="{frame.y(mean) - 9}"'
        yield f'<text class="t{index}" {place}>{escape(label)}</text>'


def _published(frame: _Frame, experiment: Experiment) -> Iterable[str]:
    """The report's own marks; what lies beyond our last epoch is left out."""
    found, onset, crossing = experiment.max_val_epoch.value, experiment.overfitting_epoch.value, experiment.t25_epochs
    if onset <= frame.last:
        x, bottom = frame.x(onset), frame.height - frame.bottom
        yield f'<line class="ref dotted" x1="{x}" x2="{x}" y1="{frame.top}" y2="{bottom}"/>'
        yield f'<text class="reft" x="{x + 5}" y="{bottom - 8}">report: overfits more after ~{onset:g}</text>'
    if crossing and crossing.high <= frame.last:
        y = frame.y(1 - T25_ERROR)
        x1, x2 = frame.x(crossing.low), frame.x(crossing.high)
        yield f'<line class="ref thick" x1="{x1}" x2="{x2}" y1="{y}" y2="{y}"/>'
        yield f'<text class="reft" x="{x2 + 5}" y="{y + 14}">report: 25% training error</text>'
    highest = experiment.max_train_accuracy.value
    y, right = frame.y(highest), frame.width - frame.right
    yield f'<line class="ref dotted" x1="{frame.left}" x2="{right}" y1="{y}" y2="{y}"/>'
    yield f'<text class="reft" x="{frame.left + 5}" y="{y + 14}">report: max training {100 * highest:.2f}%</text>'
    if found <= frame.last:
        x, y = frame.x(found), frame.y(experiment.max_val_accuracy.value)
        text = f"report: max {100 * experiment.max_val_accuracy.value:.2f}% at {found:g}"
        anchor, shift = ("end", -9) if found > 0.7 * frame.last else ("start", 9)
        yield _diamond(frame, found, experiment.max_val_accuracy.value)
        yield f'<text class="reft" text-anchor="{anchor}" x="{x + shift}" y="{y + 20}">{text}</text>'


def _diamond(frame: _Frame, epoch: float, fraction: float, colour: str = "") -> str:
    return f'<path class="{f"mark {colour}".strip()}" d="{_diamond_path(frame.x(epoch), frame.y(fraction))}"/>'


def _diamond_path(x: float, y: float) -> str:
    return f"M{x} {round(y - 6, 1)}l6 6l-6 6l-6 -6z"


def _legend(frame: _Frame, text: str) -> str:
    """What the marks are, below the axis."""
    y = frame.height - 8
    diamond = f'<path class="mark" d="{_diamond_path(frame.left + 6, y)}"/>'
    return f'{diamond}<text class="reft" x="{frame.left + 17}" y="{y + 4}">{escape(text)}</text>'


def _svg(frame: _Frame, title: str, parts: Iterable[str]) -> str:
    return (
        f'<svg viewBox="0 0 {frame.width} {frame.height}" role="img"><title>{escape(title)}</title>'
        f"{''.join(parts)}</svg>"
    )
