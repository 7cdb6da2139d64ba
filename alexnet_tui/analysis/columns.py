"""The quantities of a run that tables show: one column a quantity, its spread over runs, and how it is written; pure.

Every spread keeps the runs and values its mean comes from, so that each printed number can be traced.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from alexnet_tui.analysis import metrics as measures
from alexnet_tui.analysis import stats
from alexnet_tui.analysis.published import Experiment
from alexnet_tui.runs.history import RunHistory
from alexnet_tui.text import MISSING, format_clock


class Kind(StrEnum):
    """How a quantity is written."""

    PERCENT = "percent"
    POINTS = "points"
    EPOCHS = "epochs"
    CLOCK = "clock"


@dataclass(frozen=True, slots=True)
class RunValue:
    """What one run contributed; None where it never reached the mark or has no such value."""

    run_id: str
    seed: int
    value: float | None


@dataclass(frozen=True, slots=True)
class Spread:
    """Mean and standard deviation over the runs that have a value.

    Attributes:
        mean: Over the values; None if there is none.
        sd: With n - 1; None for fewer than two values.
        num_missing: Runs without a value.
        runs: Every run, with its value.
    """

    mean: float | None
    sd: float | None
    num_missing: int
    runs: tuple[RunValue, ...]

    @property
    def values(self) -> list[float]:
        """The values there are."""
        return [run.value for run in self.runs if run.value is not None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """A quantity: what it is called, how a run gives it and where the report has it.

    Attributes:
        heading: For tables.
        help: One sentence.
        kind: How it is written.
        measure: Its value in one run.
        published: The report's number and its place, or None.
        selected_on_test: The number is a maximum over epochs on the test set.
        best: Which of at least two means is the best, if any; by default none is.
    """

    heading: str
    help: str
    kind: Kind
    measure: Callable[[RunHistory], float | None]
    published: Callable[[Experiment], "tuple[str, str] | None"] = lambda experiment: None
    selected_on_test: bool = False
    best: Callable[[Sequence[float]], float | None] = lambda means: None


def _t25_range(experiment: Experiment) -> tuple[str, str] | None:
    found = experiment.t25_epochs
    return (f"{found.low:g}–{found.high:g}", found.place) if found else None


def _t25_clock(experiment: Experiment) -> tuple[str, str] | None:
    found = experiment.t25_seconds
    return (format_clock(found.value), found.place) if found else None


def _least_overfitting(gaps: Sequence[float]) -> float | None:
    """The smallest gap; none where one is below 0: that run underfits, and is neither better nor worse for it."""
    return min(gaps) if min(gaps) >= 0 else None


COLUMNS: Mapping[str, Column] = MappingProxyType(
    {
        "max_train": Column(
            heading="Train max",
            help="Highest running training accuracy.",
            kind=Kind.PERCENT,
            measure=measures.max_train_accuracy,
            # Measured with dropout at work, and high where a run overfits: no merit in itself.
            published=lambda e: (write(e.max_train_accuracy.value, Kind.PERCENT), e.max_train_accuracy.place),
        ),
        "max_test": Column(
            heading="Test max",
            help="Highest test accuracy over epochs.",
            kind=Kind.PERCENT,
            measure=measures.max_test_accuracy,
            published=lambda e: (write(e.max_val_accuracy.value, Kind.PERCENT), e.max_val_accuracy.place),
            selected_on_test=True,
            best=max,
        ),
        "max_epoch": Column(
            heading="at epoch",
            help="Epoch of the highest test accuracy.",
            kind=Kind.EPOCHS,
            measure=measures.max_test_epoch,
            published=lambda e: (f"{e.max_val_epoch.value:g}", e.max_val_epoch.place),
            selected_on_test=True,
        ),
        "final_test": Column(
            heading="Test last 5",
            help="Mean test accuracy of the last five epochs; nothing is selected.",
            kind=Kind.PERCENT,
            measure=measures.final_test_accuracy,
            best=max,
        ),
        "last_test": Column(
            heading="Test last",
            help="Test accuracy after the last epoch.",
            kind=Kind.PERCENT,
            measure=measures.last_test_accuracy,
            best=max,
        ),
        "gap": Column(
            heading="Gap",
            help="Training accuracy (evaluation mode) minus test accuracy, last five epochs, in points.",
            kind=Kind.POINTS,
            measure=measures.gap,
            best=_least_overfitting,
        ),
        "t25": Column(
            heading="T25",
            help="Epochs until training error (evaluation mode) fell to 25%.",
            kind=Kind.EPOCHS,
            measure=measures.t25_epochs,
            published=_t25_range,
            best=min,
        ),
        "t25_running": Column(
            heading="T25 running",
            help="Epochs until the running training error, as Keras prints it, fell to 25%.",
            kind=Kind.EPOCHS,
            measure=measures.t25_epochs_running,
            published=_t25_range,
            best=min,
        ),
        "t25_seconds": Column(
            heading="T25 time",
            help="Training time until training error fell to 25%.",
            kind=Kind.CLOCK,
            measure=measures.t25_seconds,
            published=_t25_clock,
            best=min,
        ),
        "converged": Column(
            heading="Converged",
            help="First epoch within a point of the maximum of smoothed accuracy (the report: by eye).",
            kind=Kind.EPOCHS,
            measure=measures.converged_epoch,
            published=lambda e: (f"~{e.converged_epoch.value:g}", e.converged_epoch.place),
        ),
        "overfits": Column(
            heading="Overfits from",
            help="Epoch of the minimum of smoothed validation loss (the report: by eye).",
            kind=Kind.EPOCHS,
            measure=measures.overfitting_epoch,
            published=lambda e: (f"~{e.overfitting_epoch.value:g}", e.overfitting_epoch.place),
        ),
        "time": Column(
            heading="Time",
            help="Time of the whole run, evaluation included.",
            kind=Kind.CLOCK,
            measure=measures.elapsed_seconds,
            published=lambda e: (format_clock(e.seconds.value), e.seconds.place),  # No best: it may be a part.
        ),
    }
)


def spread(runs: Sequence[RunHistory], measure: Callable[[RunHistory], float | None]) -> Spread:
    """Mean and standard deviation of a measure over runs."""
    values = tuple(RunValue(run.id, run.record.config.seed, measure(run)) for run in runs)
    known = [run.value for run in values if run.value is not None]
    return Spread(
        mean=stats.mean(known) if known else None,
        sd=stats.sd(known) if len(known) > 1 else None,
        num_missing=len(values) - len(known),
        runs=values,
    )


def best_cells(column: Column, cells: Sequence[Spread]) -> list[bool]:
    """Which cells of a column hold its best mean; none where there is nothing to compare, or no mean is better.

    A mean over only some of a group's runs, those that reached a mark, is not compared with others.
    """
    known = [cell.mean for cell in cells if cell.mean is not None and not cell.num_missing]
    best = column.best(known) if len(known) > 1 else None
    return [best is not None and cell.mean == best and not cell.num_missing for cell in cells]


def write(value: float | None, kind: Kind) -> str:
    """One number for people: ``59.33``, ``36.4``, ``03:22:33``; percent and points carry no sign."""
    if value is None or not math.isfinite(value):
        return MISSING
    if kind is Kind.CLOCK:
        return format_clock(value)
    if kind is Kind.EPOCHS:
        return f"{value:.1f}".removesuffix(".0")
    return f"{100 * value:.2f}"


def write_spread(found: Spread, kind: Kind) -> str:
    """Mean and standard deviation: ``61.52 ±0.38``; ``41.0 ±1.4 (3 of 5)`` where only three have a value."""
    if found.mean is None:
        return "not reached" if found.num_missing and kind is not Kind.PERCENT else MISSING
    text = f"{found.mean:.1f}" if kind is Kind.EPOCHS else write(found.mean, kind)
    if found.sd is not None:
        text += f" ±{_write_sd(found.sd, kind)}"
    return f"{text} ({len(found.values)} of {len(found.runs)})" if found.num_missing else text


def _write_sd(value: float, kind: Kind) -> str:
    if kind is Kind.CLOCK:
        return f"{value:.1f}s" if value < 10 else f"{value:.0f}s"
    return f"{value:.1f}" if kind is Kind.EPOCHS else f"{100 * value:.2f}"
