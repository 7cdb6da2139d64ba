"""The report as one HTML file that needs nothing else: inline style and pictures, light, dark and print."""

import base64
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec

from alexnet_tui.analysis import published
from alexnet_tui.analysis.metrics import METRICS
from alexnet_tui.analysis.published import EXPERIMENTS, Experiment
from alexnet_tui.errors import StoreError
from alexnet_tui.report import charts, wording
from alexnet_tui.report.content import Curve, Report, Section
from alexnet_tui.report.pictures.pixels import enlarge, heat_map, kernel_tiles, png, sheet
from alexnet_tui.report.pictures.predictions import read_predictions
from alexnet_tui.report.table import Row
from alexnet_tui.report.template import render

_MAX_MATRIX = 100
"""Of more classes a confusion matrix is no picture that one can read."""


class RunPictures(msgspec.Struct, frozen=True):
    """Of one run, for the HTML report.

    Attributes:
        run_id: The run.
        title: The title of its group.
        kernels: The first layer's kernels, a PNG in base64.
        confusion: The confusion matrix, likewise; empty where there are too many classes.
    """

    run_id: str
    title: str
    kernels: str
    confusion: str


def pictures_of(report: Report, directory: Callable[[str], Path]) -> Iterator[RunPictures]:
    """Pictures of the first run of every group that left predictions; a file that holds none is passed over.

    Args:
        report: The report.
        directory: Where a run is, by its id.
    """
    for row in (row for section in report.sections for row in section.rows):
        for run in row.cells["final_test"].ours.runs:
            try:
                found = read_predictions(directory(run.run_id))
            except StoreError:
                continue
            if found is not None:
                kernels = png(enlarge(sheet(kernel_tiles(found.kernels), 16), 3))
                matrix = found.confusion()
                confusion = png(heat_map(matrix)) if len(matrix) <= _MAX_MATRIX else b""
                yield RunPictures(
                    run.run_id, row.title, *(base64.b64encode(one).decode() for one in (kernels, confusion))
                )
                break


def to_html(report: Report, pictures: Sequence[RunPictures] = ()) -> str:
    """The whole report as one HTML document, with pictures of runs where there are any."""
    return render(
        "report.html",
        charts.escape,
        report=report,
        pictures=pictures,
        study=published,
        words=wording,
        metrics=METRICS,
        mean_and_spread=_mean_and_spread,
        interval_chart=charts.interval_chart,
        interval_legend=charts.INTERVAL_LEGEND,
        overlay_chart=_overlay_chart,
        experiment_chart=charts.experiment_chart,
        experiments=_experiments,
    )


def _mean_and_spread(row: Row, name: str) -> tuple[str, str]:
    """Our cell in two parts: the mean, and what follows it."""
    text, mean = wording.ours(row, name), row.cells[name].ours.mean
    head = METRICS[name].mean_text(mean) if row.num_runs and mean is not None else text
    return head, text.removeprefix(head)


def _overlay_chart(section: Section) -> str:
    return charts.overlay_chart([curve for curve in section.curves if curve.column == "test_accuracy"])


def _experiments(section: Section) -> Iterator[tuple[list[Curve], Experiment | None]]:
    """The curves of each experiment, and what the study says of it."""
    for group in dict.fromkeys(curve.group for curve in section.curves):
        yield [curve for curve in section.curves if curve.group == group], EXPERIMENTS.get(group)
