"""The side of the Run screen: the results, and small charts of learning rate, throughput and the machine."""

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from alexnet_tui.runs.history import RunHistory
from alexnet_tui.tui.charts.axis import Measure
from alexnet_tui.tui.charts.model import ChartSpec
from alexnet_tui.tui.charts.run_curves import learning_rate_curves, machine_curves, throughput_curves
from alexnet_tui.tui.charts.widget import MetricChart

_SPECS = {
    "learning-rate": ChartSpec(title="Learning rate", y=Measure.RATE, has_names=False, empty="none recorded"),
    "throughput": ChartSpec(title="Images/s", y=Measure.RATE, has_names=False, empty="none recorded"),
    "machine": ChartSpec(
        title="Load %", y=Measure.RATE, x=Measure.SECONDS, x_title="time", empty="no reading of CPU and GPU"
    ),
}
_CURVES = {"learning-rate": learning_rate_curves, "throughput": throughput_curves, "machine": machine_curves}
SMALL_CHARTS = tuple(_SPECS)
"""Ids of the small charts, the most wanted first."""
_FEWEST_ROWS, _NUMBERS_ROWS = 7, 11


class SidePanel(Vertical):
    """Results and small charts, as many as there are rows for; each is a chart of its own that no other follows."""

    def compose(self) -> ComposeResult:
        """Numbers above, charts below."""
        yield Static(id="numbers", markup=False)
        for name, spec in _SPECS.items():
            yield MetricChart(spec, id=name, classes="small")

    def show_numbers(self, numbers: Content) -> None:
        """Replace the results."""
        widget = self.query_one("#numbers", Static)
        before = widget.content
        is_as_high = isinstance(before, Content) and len(before.plain.splitlines()) == len(numbers.plain.splitlines())
        widget.update(numbers, layout=not is_as_high)

    def show_charts(self, history: RunHistory) -> None:
        """Draw the small charts that are on the screen."""
        for chart in self.query(MetricChart):
            if chart.display and chart.id:
                chart.show(_CURVES[chart.id](history))

    def fit(self, rows: int, maximised: str) -> None:
        """Choose the charts for so many rows, or the one that has all of them."""
        num_shown = max(0, rows - _NUMBERS_ROWS) // _FEWEST_ROWS
        for place, name in enumerate(SMALL_CHARTS):
            self.query_one(f"#{name}").display = maximised == name if maximised else place < num_shown
        self.query_one("#numbers").display = not maximised
