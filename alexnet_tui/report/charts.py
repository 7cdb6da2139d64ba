"""The report's pictures as SVG strings: curves with a band over seeds, and an interval against its marks.

Colours are classes of the page's style sheet, so that one picture serves light, dark and print; series differ
in dash and label too. Every number comes from our own data, and every text is escaped.
"""

import html
from collections.abc import Iterable, Sequence

import msgspec

from alexnet_tui.analysis.published import EXPERIMENTS, MARKS_LABEL, Experiment
from alexnet_tui.analysis.time_to_accuracy import T25_ERROR
from alexnet_tui.analysis.verdict.judge import ClaimVerdict
from alexnet_tui.report.content import Curve
from alexnet_tui.report.interval_plot import interval_plot
from alexnet_tui.report.wording import effect
from alexnet_tui.text import printable

_MOST_TICKS = 6
_STEPS = (1, 2, 5, 10, 20, 25, 50, 100, 200, 250, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000)
INTERVAL_LEGEND = (
    "● estimate with its 95% interval; small dots: each run against the mean of the other group, above those of the"
    " group that is claimed to have the larger values, below those of the other, hollow where the mark was not reached;"
    " ◇ the study's own value (one run, no seed given); shaded: effects too small to matter."
)
NUM_COLOURS = 6
"""Colours, and patterns of dashes, of the style sheet."""
LABELS = {"train_accuracy": "train", "test_accuracy": "test"}


class _Frame(msgspec.Struct, frozen=True):
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


def whole_ticks(last: int) -> list[int]:
    """Round whole numbers from 0 to `last`, no two equal."""
    step = next((step for step in _STEPS if last <= _MOST_TICKS * step), last)
    return list(range(0, last + 1, step))


def experiment_chart(curves: Sequence[Curve], experiment: Experiment | None) -> str:
    """Training and test accuracy of one experiment, with the marks of the study's figure."""
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
    parts += [_diamond(frame, *place, f"m{_colour(index)}") for index, place in maxima.items()]
    parts += [_legend(frame, f"{MARKS_LABEL}: its maximum, in the colour of the experiment")] if maxima else []
    ends = sorted(enumerate(curves), key=lambda pair: -pair[1].means[-1] if pair[1].means else 0)
    for index, curve in ends:
        if curve.means:
            wanted = frame.y(curve.means[-1]) + 4
            y = max(wanted, places[-1] + 16) if places else wanted
            places.append(y)
            label = f"{curve.title} {100 * curve.means[-1]:.1f}%"
            parts.append(f'<text class="t{_colour(index)}" x="{frame.x(last) + 8}" y="{y}">{escape(label)}</text>')
    return _svg(frame, "Test accuracy by epoch, all experiments", parts)


def interval_chart(verdict: ClaimVerdict) -> str:
    """A claim's effect on one axis: estimate, interval, each run, no effect, what is too small, the study's value."""
    plot = interval_plot(verdict)

    def x(share: float) -> float:
        return round(10 + 300 * share, 1)

    left, right = (x(share) for share in plot.zone)
    parts = [
        f'<rect class="zone" x="{left}" y="10" width="{right - left:.1f}" height="62"/>',
        f'<line class="axis" x1="{x(plot.no_effect)}" x2="{x(plot.no_effect)}" y1="6" y2="76"/>',
        f'<text class="tick" text-anchor="middle" x="{x(plot.no_effect)}" y="90">no effect</text>',
    ]
    for dot in plot.dots:
        title = escape(f"{dot.run_id} (seed {dot.seed}): {effect(dot.effect, verdict.unit)}")
        kind, y = "seed censored" if dot.is_censored else "seed", 24 if dot.is_larger else 58
        parts.append(f'<circle class="{kind}" cx="{x(dot.at)}" cy="{y}" r="3.5"><title>{title}</title></circle>')
    if plot.published is not None:
        path = _diamond_path(x(plot.published), 41)
        parts.append(f'<path class="mark" d="{path}"><title>the study</title></path>')
    if plot.estimate is not None:
        start, end = (x(edge if share is None else share) for share, edge in zip(plot.interval, (0, 1), strict=True))
        parts.append(f'<line class="bar" x1="{start}" x2="{end}" y1="41" y2="41"/>')
        parts.append(f'<circle class="dot" cx="{x(plot.estimate)}" cy="41" r="6"/>')
    title = f"<title>{escape(f'Effect of claim {verdict.number}')}</title>"
    return f'<svg viewBox="0 0 320 96" role="img">{title}{"".join(parts)}</svg>'


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


def _colour(index: int) -> int:
    """Which of the style sheet's colours a curve has."""
    return index % NUM_COLOURS


def _dashes(index: int) -> int:
    """Which of its dash patterns: with each turn of the colours they move on by one."""
    return (index + index // NUM_COLOURS) % NUM_COLOURS


def _series(frame: _Frame, curve: Curve, index: int, label: str) -> Iterable[str]:
    points = list(zip(curve.epochs, curve.means, curve.sds, strict=True))
    if not points:
        return
    if curve.num_runs > 1:
        upper = [f"{frame.x(epoch)},{frame.y(mean + sd)}" for epoch, mean, sd in points]
        lower = [f"{frame.x(epoch)},{frame.y(mean - sd)}" for epoch, mean, sd in reversed(points)]
        yield f'<polygon class="b{_colour(index)}" points="{" ".join(upper + lower)}"/>'
    line = " ".join(f"{frame.x(epoch)},{frame.y(mean)}" for epoch, mean, _ in points)
    yield f'<polyline class="s{_colour(index)} d{_dashes(index)}" points="{line}"/>'
    if label:
        epoch, mean, _ = points[-1]
        place = f'text-anchor="end" x="{frame.x(epoch)}" y="{frame.y(mean) - 9}"'
        yield f'<text class="t{_colour(index)}" {place}>{escape(label)}</text>'


def _published(frame: _Frame, experiment: Experiment) -> Iterable[str]:
    """The study's own marks; what lies beyond our last epoch is left out."""
    found, onset, crossing = experiment.max_val_epoch.value, experiment.overfitting_epoch.value, experiment.t25_epochs
    if onset <= frame.last:
        x, bottom = frame.x(onset), frame.height - frame.bottom
        yield f'<line class="ref dotted" x1="{x}" x2="{x}" y1="{frame.top}" y2="{bottom}"/>'
        yield f'<text class="reft" x="{x + 5}" y="{bottom - 8}">study: overfits more after ~{onset:g}</text>'
    if crossing and crossing.high <= frame.last:
        y = frame.y(1 - T25_ERROR)
        x1, x2 = frame.x(crossing.low), frame.x(crossing.high)
        yield f'<line class="ref thick" x1="{x1}" x2="{x2}" y1="{y}" y2="{y}"/>'
        yield f'<text class="reft" x="{x2 + 5}" y="{y + 14}">study: 25% training error</text>'
    highest = experiment.max_train_accuracy.value
    y, right = frame.y(highest), frame.width - frame.right
    yield f'<line class="ref dotted" x1="{frame.left}" x2="{right}" y1="{y}" y2="{y}"/>'
    yield f'<text class="reft" x="{frame.left + 5}" y="{y + 14}">study: max training {100 * highest:.2f}%</text>'
    if found <= frame.last:
        x, y = frame.x(found), frame.y(experiment.max_val_accuracy.value)
        text = f"study: max {100 * experiment.max_val_accuracy.value:.2f}% at {found:g}"
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
