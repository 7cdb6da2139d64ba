"""The curves of the Report place: mean and band over seeds, and what the study says of its own; pure."""

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

from alexnet_tui.analysis.published import EXPERIMENTS, MARKS_LABEL, Experiment
from alexnet_tui.analysis.time_to_accuracy import T25_ERROR
from alexnet_tui.report.content import Section
from alexnet_tui.tui.charts.model import Curve

import numpy as np  # isort: skip  # After curves, which set numpy's threads.

_MARK_SHARE = 0.03
_MIN_MARK_EPOCHS = 1.0

Mark = tuple[float, float, float]
"""First epoch, last epoch and accuracy of a published statement; equal epochs are one point."""


def _maximum(experiment: Experiment) -> Iterator[Mark]:
    epoch = experiment.max_val_epoch.value
    yield epoch, epoch, experiment.max_val_accuracy.value


def _t25(experiment: Experiment) -> Iterator[Mark]:
    if (found := experiment.t25_epochs) is not None:
        yield found.low, found.high, 1 - T25_ERROR


_MARKS: Mapping[str, Callable[[Experiment], Iterator[Mark]]] = MappingProxyType(
    {"test_accuracy": _maximum, "train_accuracy": _t25}
)


def curves(section: Section, column: str) -> list[Curve]:
    """Every experiment with its band, then the study's marks, each in the colour of its experiment."""
    plotted = [*_means(section, column)]
    last = max((float(one.x[-1]) for one in plotted if len(one.x)), default=0.0)
    for one in tuple(plotted):
        experiment = EXPERIMENTS.get(one.name)
        for low, high, value in _MARKS[column](experiment) if experiment else ():
            if high <= last:  # What lies beyond our last epoch is left out.
                plotted.append(_mark(one, (low, high), value, last))
    return plotted


def has_marks(section: Section) -> bool:
    """Whether some of the study's marks are plotted."""
    return any(one.is_faint for column in _MARKS for one in curves(section, column))


def _means(section: Section, column: str) -> Iterator[Curve]:
    found = [one for one in section.curves if one.column == column]
    for slot, one in enumerate(found):
        mean, sd = np.array(one.means, dtype=np.float64), np.array(one.sds, dtype=np.float64)
        has_band = one.num_runs > 1
        yield Curve(
            name=one.group,
            x=np.array(one.epochs, dtype=np.float64),
            y=mean,
            slot=slot,
            low=np.maximum(mean - sd, 0.0) if has_band else None,
            high=np.minimum(mean + sd, 1.0) if has_band else None,
        )


def _mark(of: Curve, epochs: tuple[float, float], value: float, last: float) -> Curve:
    """A short level line, wide enough to be seen; no legend names it, the line below the charts does."""
    half = max(_MIN_MARK_EPOCHS, _MARK_SHARE * last) / 2
    low, high = (epochs[0], epochs[1]) if epochs[1] > epochs[0] else (epochs[0] - half, epochs[0] + half)
    ends = np.array([max(low, 1.0), min(high, last)], dtype=np.float64)
    return Curve(name=MARKS_LABEL, x=ends, y=np.full(2, value), slot=of.slot, is_faint=True)
