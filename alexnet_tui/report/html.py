"""The report as one HTML file that needs nothing else: inline style and pictures, light, dark and print."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from alexnet_tui.analysis import published
from alexnet_tui.analysis.metrics import METRICS
from alexnet_tui.analysis.published import EXPERIMENTS, Experiment
from alexnet_tui.report import charts, wording
from alexnet_tui.report.build import Curve, Report, Section
from alexnet_tui.report.rendering import render
from alexnet_tui.report.table import Row

if TYPE_CHECKING:
    from alexnet_tui.report.pictures import RunPictures


def to_html(report: Report, pictures: "Sequence[RunPictures]" = ()) -> str:
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
        contradictions=[(c.number, c.place, c.one, c.other, c.consequence) for c in report.contradictions],
        paper_rows=[(result.what, f"{result.value:g}", result.place) for result in report.paper],
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
