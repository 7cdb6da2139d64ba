"""`ChartScreen`: a screen whose charts share one view, so that one key or one wheel turn moves them all."""

import msgspec
from textual.binding import BindingType
from textual.screen import Screen

from alexnet_tui.tui.charts.model import View
from alexnet_tui.tui.charts.series import SMOOTHINGS
from alexnet_tui.tui.charts.widget import MetricChart
from alexnet_tui.tui.keys import Keys

_key = Keys("chart")
CHART_BINDINGS: tuple[BindingType, ...] = (
    _key(
        "left",
        "crosshair(-1)",
        "Crosshair",
        "Move the crosshair one point to the left; legends show the values under it.",
        display="←/→",
        id="left",
    ),
    _key("right", "crosshair(1)", "Crosshair", "Move the crosshair one point to the right.", show=False, id="right"),
    _key(
        "plus,equals_sign",
        "zoom(1)",
        "Zoom",
        "Show less of the x axis, around the crosshair; or drag the mouse over a part of it.",
        display="+/-",
        id="zoom-in",
    ),
    _key("minus", "zoom(-1)", "Zoom out", "Show more of the x axis.", show=False, id="zoom-out"),
    _key("shift+left", "pan(-1)", "Pan left", "Move a zoomed chart.", show=False, id="pan-left"),
    _key("shift+right", "pan(1)", "Pan right", "Move a zoomed chart.", show=False, id="pan-right"),
    _key("0", "reset_zoom", "Zoom off", "Show every point again.", show=False, id="reset"),
    _key("h", "hide", "Hide", "Hide one curve after the other, then show all; or click a name."),
    _key("G", "log", "Log", "Logarithmic y axis, on and off."),
    _key(
        "S",
        "smooth",
        "Smooth",
        "Next smoothing: exponential moving averages (EMA), then a centred mean; the raw curve stays, faint.",
    ),
    _key("O", "clip", "Outliers", "Leave outliers out of the y axis; the chart says how many points that hides."),
    _key(
        "escape", "step_out", "Back", "Out of the crosshair, then the zoom, then the screen.", show=False, id="escape"
    ),
)
"""Keys for charts; a screen lists them behind those of its own that matter more on a narrow key bar."""
CHART_ACTIONS = frozenset(("crosshair", "zoom", "pan", "reset_zoom", "hide", "log", "smooth", "clip"))
"""The actions of these keys, stepping out aside, which leads on to the screen before."""


class ChartScreen(Screen[None]):
    """A screen that answers `CHART_BINDINGS` for all its charts: crosshair, zoom, logarithm, smoothing."""

    @property
    def view(self) -> View:
        """What the charts show of their curves."""
        return next((chart.view for chart in self.charts()), View())

    def charts(self) -> list[MetricChart]:
        """The charts that share the view."""
        return list(self.query(MetricChart))

    def change_view(self, **changes: object) -> None:
        """Let every chart show another view."""
        self._share(msgspec.structs.replace(self.view, **changes))

    def _share(self, view: View) -> None:
        for chart in self.charts():
            chart.view = view

    def on_metric_chart_view_changed(self, message: MetricChart.ViewChanged) -> None:
        """One chart was zoomed or read: the others follow."""
        message.stop()
        if message.chart in self.charts():
            self._share(message.view)

    def _leading(self) -> MetricChart | None:
        """The chart that turns keys into places on the x axis: the first with points, shown ones first."""
        with_points = [chart for chart in self.charts() if len(chart.x_positions())]
        return next((chart for chart in with_points if chart.display), None)

    def action_crosshair(self, direction: int) -> None:
        """Move the crosshair."""
        if chart := self._leading():
            chart.step_crosshair(direction)

    def action_zoom(self, direction: int) -> None:
        """Zoom the x axis."""
        if chart := self._leading():
            chart.zoom(direction)

    def action_pan(self, direction: int) -> None:
        """Move the viewport of zoomed charts."""
        if chart := self._leading():
            chart.pan(direction)

    def action_reset_zoom(self) -> None:
        """Show every point."""
        self.change_view(x_low=None, x_high=None)

    def action_hide(self) -> None:
        """Hide the next curve instead of the last one, and after the last of them none."""
        named = dict.fromkeys(
            curve.name for chart in self.charts() if chart.display for curve in chart.curves if not curve.is_faint
        )
        steps = [frozenset[str](), *(frozenset({name}) for name in named)]
        hidden = self.view.hidden
        self.change_view(hidden=steps[(steps.index(hidden) + 1) % len(steps)] if hidden in steps else frozenset())

    def action_log(self) -> None:
        """Switch the logarithm."""
        self.change_view(log=not self.view.log)

    def action_smooth(self) -> None:
        """The next smoothing."""
        index = SMOOTHINGS.index(self.view.smoothing)
        self.change_view(smoothing=SMOOTHINGS[(index + 1) % len(SMOOTHINGS)])

    def action_clip(self) -> None:
        """Switch the outlier clip."""
        self.change_view(clip=not self.view.clip)

    async def action_step_out(self) -> None:
        """Leave the crosshair, then the zoom, then the screen."""
        if self.view.crosshair is not None:
            self.change_view(crosshair=None)
        elif self.view.x_low is not None or self.view.x_high is not None:
            self.action_reset_zoom()
        else:
            await self.app.run_action("app.back")
