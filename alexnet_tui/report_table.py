"""Our table beside the published one, as data: one column a quantity, one row an experiment; pure.

Every cell keeps the runs and values its mean comes from, so that each printed number can be traced.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from alexnet_tui import measures, stats
from alexnet_tui.cohort import ArmRuns, Cohort
from alexnet_tui.history import RunHistory
from alexnet_tui.paper import EXPERIMENTS, REPORT_EPOCHS, Experiment
from alexnet_tui.text import MISSING, format_clock

_REPORT_WORK = {"data": "cifar10", "epochs": REPORT_EPOCHS, "train_images": 0, "split": "paper"}


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
        is_best_high: More is better; None if neither is.
    """

    heading: str
    help: str
    kind: Kind
    measure: Callable[[RunHistory], float | None]
    published: Callable[[Experiment], "tuple[str, str] | None"] = lambda experiment: None
    selected_on_test: bool = False
    is_best_high: bool | None = None


def _t25_range(experiment: Experiment) -> tuple[str, str] | None:
    found = experiment.t25_epochs
    return (f"{found.low:g}–{found.high:g}", found.place) if found else None


def _t25_clock(experiment: Experiment) -> tuple[str, str] | None:
    found = experiment.t25_seconds
    return (format_clock(found.value), found.place) if found else None


COLUMNS: Mapping[str, Column] = MappingProxyType(
    {
        "max_train": Column(
            heading="Train max",
            help="Highest running training accuracy.",
            kind=Kind.PERCENT,
            measure=measures.max_train_accuracy,
            published=lambda e: (write(e.max_train_accuracy.value, Kind.PERCENT), e.max_train_accuracy.place),
            is_best_high=True,
        ),
        "max_test": Column(
            heading="Test max",
            help="Highest test accuracy over epochs.",
            kind=Kind.PERCENT,
            measure=measures.max_test_accuracy,
            published=lambda e: (write(e.max_val_accuracy.value, Kind.PERCENT), e.max_val_accuracy.place),
            selected_on_test=True,
            is_best_high=True,
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
            is_best_high=True,
        ),
        "last_test": Column(
            heading="Test last",
            help="Test accuracy after the last epoch.",
            kind=Kind.PERCENT,
            measure=measures.last_test_accuracy,
            is_best_high=True,
        ),
        "gap": Column(
            heading="Gap",
            help="Training accuracy (evaluation mode) minus test accuracy, last five epochs, in points.",
            kind=Kind.POINTS,
            measure=measures.gap,
            is_best_high=False,
        ),
        "t25": Column(
            heading="T25",
            help="Epochs until training error (evaluation mode) fell to 25%.",
            kind=Kind.EPOCHS,
            measure=measures.t25_epochs,
            published=_t25_range,
            is_best_high=False,
        ),
        "t25_running": Column(
            heading="T25 running",
            help="Epochs until the running training error, as Keras prints it, fell to 25%.",
            kind=Kind.EPOCHS,
            measure=measures.t25_epochs_running,
            published=_t25_range,
            is_best_high=False,
        ),
        "t25_seconds": Column(
            heading="T25 time",
            help="Training time until training error fell to 25%.",
            kind=Kind.CLOCK,
            measure=measures.t25_seconds,
            published=_t25_clock,
            is_best_high=False,
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
            published=lambda e: (format_clock(e.seconds.value), e.seconds.place),
            is_best_high=False,
        ),
    }
)


@dataclass(frozen=True, slots=True)
class Cell:
    """One quantity of one experiment, ours and the report's."""

    ours: Spread
    published: str | None
    place: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One experiment.

    Attributes:
        arm: Its name.
        title: Its title.
        num_runs: Finished runs behind it.
        cells: By the name of the column.
        time_ratio: The report's time over our mean time; above 1, ours is faster. None where the work differs.
    """

    arm: str
    title: str
    num_runs: int
    cells: Mapping[str, Cell]
    time_ratio: float | None

    @property
    def is_published(self) -> bool:
        """Whether the report has this experiment too."""
        return any(cell.published for cell in self.cells.values())


def build_rows(cohort: Cohort) -> tuple[Row, ...]:
    """A row for each arm that has a finished run, and for each experiment of the report in any case."""
    names = [*EXPERIMENTS, *(name for name in cohort.arms if name not in EXPERIMENTS)]
    rows = (_row(cohort.runs(name), EXPERIMENTS.get(name)) for name in names)
    return tuple(row for row in rows if row.num_runs or row.arm in EXPERIMENTS)


def _row(arm: ArmRuns, experiment: Experiment | None) -> Row:
    cells = {}
    for name, column in COLUMNS.items():
        published = column.published(experiment) if experiment else None
        text, place = published or (None, "")
        cells[name] = Cell(spread(arm.used, column.measure), text, place)
    ours = cells["time"].ours.mean
    return Row(
        arm=arm.arm.name,
        title=arm.arm.title,
        num_runs=len(arm.used),
        cells=cells,
        time_ratio=experiment.seconds.value / ours if experiment and ours and _is_same_work(arm.used) else None,
    )


def _is_same_work(runs: Sequence[RunHistory]) -> bool:
    """Whether runs made as many epochs over as many images of the same data set as the report's."""
    configs = [run.record.config for run in runs]
    return all(tuple(getattr(one, name) for name in _REPORT_WORK) == tuple(_REPORT_WORK.values()) for one in configs)


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
