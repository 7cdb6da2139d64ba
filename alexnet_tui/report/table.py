"""Our table beside the published one, as data: one row an experiment; pure."""

from collections.abc import Mapping, Sequence

import msgspec

from alexnet_tui.analysis.groups import GroupedRuns, GroupRuns
from alexnet_tui.analysis.metrics import METRICS
from alexnet_tui.analysis.published import EXPERIMENTS, STUDY_EPOCHS, Experiment
from alexnet_tui.analysis.samples import Sample, sample
from alexnet_tui.runs.history import RunHistory

REPORTED = (
    "max_train",
    "max_test",
    "max_epoch",
    "final_test",
    "last_test",
    "gap",
    "t25",
    "t25_running",
    "t25_seconds",
    "converged",
    "overfits",
    "time",
)
"""Metrics in the report's data, in order."""
_STUDY_WORK = (STUDY_EPOCHS, 50_000, 10_000)
"""Epochs, images trained on and images tested on in each."""


class Cell(msgspec.Struct, frozen=True):
    """One quantity of one experiment, ours and the study's."""

    ours: Sample
    published: str | None
    place: str


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One experiment.

    Attributes:
        group: Its name.
        title: Its title.
        num_runs: Finished runs behind it.
        cells: By the name of the metric.
        time_ratio: The study's time over our mean time; above 1, ours is faster. None where the work differs.
    """

    group: str
    title: str
    num_runs: int
    cells: Mapping[str, Cell]
    time_ratio: float | None

    @property
    def is_published(self) -> bool:
        """Whether the study has this experiment too."""
        return any(cell.published for cell in self.cells.values())


def build_rows(grouped: GroupedRuns) -> tuple[Row, ...]:
    """A row for each group that has a finished run, and for each experiment of the study in any case."""
    published = [name for name in EXPERIMENTS if name in grouped.grouping.groups]
    names = [*published, *(name for name in grouped.groups if name not in published)]
    rows = (_row(grouped.runs(name), EXPERIMENTS.get(name)) for name in names)
    return tuple(row for row in rows if row.num_runs or row.group in EXPERIMENTS)


def _row(runs: GroupRuns, experiment: Experiment | None) -> Row:
    cells = {}
    for name in REPORTED:
        published = experiment.number(METRICS[name]) if experiment else None
        text, place = published or (None, "")
        cells[name] = Cell(sample(runs.used, METRICS[name]), text, place)
    ours = cells["time"].ours.mean
    return Row(
        group=runs.group.name,
        title=runs.group.title,
        num_runs=len(runs.used),
        cells=cells,
        time_ratio=experiment.seconds.value / ours if experiment and ours and _is_same_work(runs.used) else None,
    )


def _is_same_work(runs: Sequence[RunHistory]) -> bool:
    """Whether runs made as many epochs over as many images as the study's."""
    told = [run.started for run in runs if run.started is not None]
    works = {(one.epochs, one.num_train_images, one.num_test_images) for one in told}
    return works == {_STUDY_WORK} and len(told) == len(runs)
