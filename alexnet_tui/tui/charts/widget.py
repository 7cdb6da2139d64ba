"""`MetricChart`: one chart in the terminal, with zoom, pan and a crosshair; its screen owns the keys.

It paints what `render.draw` composes, one row at a time (Textual's line API), and draws again only when its
curves, its view, its size or the theme changed. It owns no data and reads no disk.
"""

import itertools
from collections.abc import Sequence
from typing import ClassVar

import msgspec
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.color import Color, ColorParseError
from textual.geometry import Region, Size
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from alexnet_tui.tui.charts.axis import Measure
from alexnet_tui.tui.charts.model import ChartSpec, Curve, PreparedCurve, View, full_range, prepare
from alexnet_tui.tui.charts.raster import Colours, DotMode, detect_dot_mode
from alexnet_tui.tui.charts.render import RenderedChart, draw
from alexnet_tui.tui.charts.series import Floats, nearest_index, thin
from alexnet_tui.tui.glyphs import NUM_SERIES

import numpy as np  # isort: skip  # After series, which sets numpy's threads.

_ZOOM_FACTOR = 0.7
_PAN_SHARE = 0.1
_SMALLEST_COUNT_SPAN = 2.0
_SMALLEST_SPAN_SHARE = 1e-4
_FALLBACKS = ("primary", "warning", "success", "error", "accent", "secondary")
_ROWS_A_REGION_COSTS = 3
_TINT = 0.18


class MetricChart(Widget):
    """Curves over a common x axis.

    Args:
        spec: What the chart is about.
        dot_mode: Which characters draw; found out from the terminal by default.
        id: The widget's id.
        classes: The widget's CSS classes.
    """

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "chart--title",
        "chart--axis",
        "chart--grid",
        "chart--label",
        "chart--name",
        "chart--value",
        "chart--baseline",
        "chart--crosshair",
        "chart--crosshair-label",
    }
    DEFAULT_CSS = """
    MetricChart {
        width: 1fr;
        height: 1fr;
        & > .chart--title { color: $foreground; text-style: bold; }
        & > .chart--axis { color: $foreground 35%; }
        & > .chart--grid { color: $foreground 12%; }
        & > .chart--label { color: $foreground 60%; }
        & > .chart--name { color: $foreground 80%; }
        & > .chart--value { color: $foreground; text-style: bold; }
        & > .chart--baseline { color: $foreground 45%; }
        & > .chart--crosshair { color: $warning; }
        & > .chart--crosshair-label { color: $warning; text-style: bold reverse; }
        &:ansi > .chart--axis { color: ansi_default; }
        &:ansi > .chart--grid { color: ansi_bright_black; }
        &:ansi > .chart--label { color: ansi_default; }
        &:ansi > .chart--name { color: ansi_default; }
        &:ansi > .chart--baseline { color: ansi_default; }
    }
    """

    class NotZoomed(Message):
        """A zoom was asked for where a chart shows as little of its x axis as it can."""

    class ViewChanged(Message):
        """A key or the mouse asked for another view; whoever holds linked charts gives it to all."""

        def __init__(self, chart: "MetricChart", view: View) -> None:
            self.chart = chart
            self.view = view
            super().__init__()

        @property
        def control(self) -> "MetricChart":
            """The chart it happened on."""
            return self.chart

    def __init__(
        self,
        spec: ChartSpec,
        *,
        dot_mode: DotMode | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self._spec = spec
        self._dot_mode = detect_dot_mode() if dot_mode is None else dot_mode
        self._view = View()
        self._curves: tuple[Curve, ...] = ()
        self._prepared: list[PreparedCurve] | None = None
        self._rendered: RenderedChart | None = None
        self._drawn_at = Size(0, 0)
        self._palette: dict[str, Style] = {}
        self._drag: tuple[int, int] | None = None

    @property
    def spec(self) -> ChartSpec:
        """What the chart is about."""
        return self._spec

    @property
    def view(self) -> View:
        """What the person chose to see."""
        return self._view

    @view.setter
    def view(self, view: View) -> None:
        if view == self._view:
            return
        if (view.log, view.smoothing) != (self._view.log, self._view.smoothing):
            self._prepared = None
        self._view = view
        self._redraw()

    @property
    def curves(self) -> tuple[Curve, ...]:
        """What is plotted."""
        return self._curves

    def show(self, curves: Sequence[Curve], spec: ChartSpec | None = None) -> None:
        """Draw these curves instead, and another chart of them if one is given."""
        self._spec = spec or self._spec
        self._curves = tuple(curves)
        self._prepared = None
        self._redraw()

    @property
    def prepared(self) -> list[PreparedCurve]:
        """The curves under the present view: cleaned, smoothed, logarithms taken."""
        if self._prepared is None:
            self._prepared = prepare(self._curves, self._view)
        return self._prepared

    @property
    def rendered(self) -> RenderedChart:
        """The chart as it is on screen."""
        if self._rendered is None or self._drawn_at != self.outer_size:  # Asked for each row: `size` is dear.
            self._drawn_at = self.outer_size if self.size else Size(0, 0)  # A hidden chart keeps its outer size.
            self._rendered = draw(
                self._spec,
                self.prepared,
                self._view,
                (self.size.width, self.size.height),
                self._dot_mode,
                self._colours(),
            )
        return self._rendered

    def render_line(self, y: int) -> Strip:
        """One row, in the theme's colours."""
        buffer = self.rendered.buffer
        if y >= buffer.height:
            return Strip.blank(buffer.width, self._style("base"))
        segments = [Segment(text, self._cell_style(name, tint)) for text, name, tint in buffer.spans(y)]
        strip = Strip(segments, buffer.width)
        return self._with_span(strip, y) if self._drag is not None else strip

    def notify_style_update(self) -> None:
        """The theme, the focus or the padding changed: colours are looked up again."""
        self._palette.clear()
        self._rendered = None
        super().notify_style_update()

    def _redraw(self) -> None:
        """Draw again, and paint only the rows that came out differently."""
        old, self._rendered = self._rendered, None
        if old is None or (old.buffer.width, old.buffer.height) != self.size or not self.is_attached:
            self.refresh()
            return
        buffer = self.rendered.buffer
        rows = [row for row in range(buffer.height) if not buffer.is_row_equal(old.buffer, row)]
        if rows:  # Each region costs as much as several rows.
            self.refresh(*(Region(0, top, buffer.width, height) for top, height in _stretches(rows)))

    def _style(self, name: str) -> Style:
        """The terminal style of a style name of `render`."""
        if not name:
            return Style.null()
        if name not in self._palette:
            find = self._series_style if name.startswith("series-") else self._part
            self._palette[name] = self.rich_style if name == "base" else find(name)
        return self._palette[name]

    def _cell_style(self, name: str, tint: str) -> Style:
        """The terminal style of a cell: of its text, on its background."""
        key = f"{name} on {tint}"
        if key not in self._palette:
            self._palette[key] = self._style("base") + self._style(name) + self._tint(tint)
        return self._palette[key]

    def _colours(self) -> Colours:
        if self.app.no_color:
            return Colours.NONE
        return Colours.ANSI if self.app.current_theme.ansi else Colours.FULL

    def _tint(self, name: str) -> Style:
        """The background of a band over seeds, by the style name of its curve."""
        if not name:
            return Style.null()
        key = f"tint-{name}"
        if key not in self._palette:
            colour = Color.from_rich_color(self._style(name).color)
            self._palette[key] = Style(bgcolor=self.background_colors[1].blend(colour, _TINT).rich_color)
        return self._palette[key]

    def _with_span(self, strip: Strip, row: int) -> Strip:
        """A row with the dragged part of the x axis marked."""
        span, rendered = self._dragged_columns(), self.rendered
        if span is None or rendered.viewport is None or not 0 <= row - rendered.top < rendered.viewport.rows:
            return strip
        mark = self._tint("crosshair") if self._colours() is Colours.FULL else Style(reverse=True)
        left, right = span[0], span[1] + 1
        inside = Segment.apply_style(strip.crop(left, right), post_style=mark)
        return Strip.join([strip.crop(0, left), Strip(inside, right - left), strip.crop(right, strip.cell_length)])

    def _part(self, name: str) -> Style:
        if name.startswith("baseline") and (pinned := self.app.theme_variables.get("series-pinned")):
            return Style(color=Color.parse(pinned).rich_color, bold=name.endswith("-crosshair"))
        part = name.removesuffix("-faint")
        if part != "crosshair":
            part = part.removesuffix("-crosshair")
        style = self.get_component_rich_style(f"chart--{part}")
        return Style(color=style.color, bold=style.bold, reverse=style.reverse, underline=style.underline)

    def _series_style(self, name: str) -> Style:
        slot = int(name.split("-")[1])
        colour = series_colour(self.app.theme_variables, slot)
        if name.endswith("-crosshair"):
            return Style(color=colour.rich_color, bold=True)
        if not name.endswith("-faint"):
            return Style(color=colour.rich_color)
        if colour.ansi is not None:
            return Style(color=colour.rich_color, dim=True)
        return Style(color=self.background_colors[1].blend(colour, 0.38).rich_color)

    def zoom(self, direction: int) -> None:
        """Show less (1) or more (-1) of the x axis, around the crosshair or the middle."""
        self._zoom(direction, self._view.crosshair)

    def pan(self, direction: int) -> None:
        """Move the viewport of a zoomed chart to the left (-1) or right (1)."""
        ends = self._ends()
        if ends is not None:
            self._pan(direction * _PAN_SHARE * (ends[1] - ends[0]))

    def reset_zoom(self) -> None:
        """Show every point again."""
        self._ask(x_low=None, x_high=None)

    def step_crosshair(self, direction: int) -> None:
        """Move the crosshair by one point; without one, put it on the last point."""
        x_positions = self.x_positions()
        if not len(x_positions):
            return
        at = self._view.crosshair
        index = len(x_positions) - 1 if at is None else nearest_index(x_positions, at) + direction
        self._ask(crosshair=float(x_positions[min(len(x_positions) - 1, max(0, index))]))

    def x_positions(self) -> Floats:
        """Every place on screen where a curve has a point, baselines aside; at most four a column."""
        ends = self._ends()
        hidden = self._view.hidden
        named = [one for one in self.prepared if not one.curve.is_faint and len(one.x) and one.curve.name not in hidden]
        if ends is None or not named:
            return np.empty(0)
        most = 4 * max(10, self.size.width)
        chosen = [one for one in named if not one.curve.is_baseline] or named
        return thin(np.unique(np.concatenate([thin(_places_within(one, ends), most) for one in chosen])), most)

    @property
    def full_range(self) -> tuple[float, float] | None:
        """Ends of the x axis that is not zoomed; None without a point."""
        return full_range(self.prepared, self._spec)

    def _ends(self) -> tuple[float, float] | None:
        """The x range on screen."""
        ends = self.full_range
        if ends is None:
            return None
        low, high = self._view.x_low, self._view.x_high
        return (ends[0] if low is None else low, ends[1] if high is None else high)

    def _zoom(self, direction: int, around: float | None) -> None:
        full, ends = self.full_range, self._ends()
        if full is None or ends is None:
            return
        whole = full[1] - full[0]
        if direction > 0 and not self._can_zoom(full, ends):
            return
        factor = _ZOOM_FACTOR if direction > 0 else 1 / _ZOOM_FACTOR
        span = max(min(self._smallest_span(full), whole), (ends[1] - ends[0]) * factor)
        if span >= whole:
            self.reset_zoom()
            return
        centre = sum(ends) / 2 if around is None else around
        share = (centre - ends[0]) / (ends[1] - ends[0])
        self._limit(centre - share * span, span, full)

    def _can_zoom(self, full: tuple[float, float], ends: tuple[float, float]) -> bool:
        """Whether less of the x axis than is on screen can be shown; a message says so if not."""
        can = self._smallest_span(full) < ends[1] - ends[0]
        if not can:
            self.post_message(self.NotZoomed())
        return can

    def _smallest_span(self, full: tuple[float, float]) -> float:
        is_count = self._spec.x is Measure.COUNT
        return _SMALLEST_COUNT_SPAN if is_count else (full[1] - full[0]) * _SMALLEST_SPAN_SHARE

    def _pan(self, distance: float) -> None:
        full, ends = self.full_range, self._ends()
        if full is not None and ends is not None and self._view.x_low is not None:
            self._limit(ends[0] + distance, ends[1] - ends[0], full)

    def _limit(self, low: float, span: float, full: tuple[float, float]) -> None:
        low = min(max(low, full[0]), full[1] - span)
        self._ask(x_low=low, x_high=low + span)

    def _ask(self, **changes: float | frozenset[str] | None) -> None:
        view = msgspec.structs.replace(self._view, **changes)
        if view != self._view:
            self.view = view
            self.post_message(self.ViewChanged(self, view))

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Zoom out around the pointer; with shift, move a zoomed chart to the right."""
        self._scroll(event, -1)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Zoom in around the pointer; with shift, move a zoomed chart to the left."""
        self._scroll(event, 1)

    def on_mouse_scroll_left(self, event: events.MouseScrollLeft) -> None:
        """Move a zoomed chart to the left."""
        event.stop()
        self.pan(-1)

    def on_mouse_scroll_right(self, event: events.MouseScrollRight) -> None:
        """Move a zoomed chart to the right."""
        event.stop()
        self.pan(1)

    def _scroll(self, event: events.MouseEvent, direction: int) -> None:
        place = self._x_under(event)
        if place is None:
            return
        event.stop()
        if event.shift:
            self.pan(-direction)
        else:
            self._zoom(direction, place)

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Start to drag a span; only the left button does."""
        offset = event.get_content_offset(self)
        if event.button == 1 and offset is not None:
            self._drag = (offset.x, offset.x)
            self.capture_mouse()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Mark the span up to the pointer."""
        if self._drag is None:
            return
        column = int(event.x) - self.gutter.left
        if column != self._drag[1]:
            self._drag = (self._drag[0], column)
            self.refresh()

    def on_mouse_up(self, event: events.MouseUp) -> None:
        """Zoom into a dragged span; a click hides or shows the curve it names, or sets the crosshair."""
        if self._drag is None:
            return
        self.release_mouse()
        span, is_click = self._dragged_columns(), self._drag[0] == self._drag[1]
        self._drag = None
        self.refresh()
        if not is_click:
            if span is not None:
                self._zoom_to(*span)
            return
        offset = event.get_content_offset(self)
        if offset is None:
            return
        if name := self.rendered.curve_at(offset.x, offset.y):
            self._ask(hidden=self._view.hidden ^ {name})
            return
        place, x_positions = self._x_under(event), self.x_positions()
        if place is not None and len(x_positions):
            self._ask(crosshair=float(x_positions[nearest_index(x_positions, place)]))

    def on_click(self, event: events.Click) -> None:
        """Two clicks in a row show every point again; on a curve's name they hide and show it."""
        offset = event.get_content_offset(self)
        if event.button == 1 and event.chain == 2 and offset and not self.rendered.curve_at(offset.x, offset.y):
            self.reset_zoom()

    def _dragged_columns(self) -> tuple[int, int] | None:
        """First and last column of the plot area that the mouse was dragged over; None without one."""
        viewport, left = self.rendered.viewport, self.rendered.left
        if viewport is None or self._drag is None or self._drag[0] == self._drag[1]:
            return None
        low, high = max(min(self._drag), left), min(max(self._drag), left + viewport.columns - 1)
        return (low, high) if low < high else None

    def _zoom_to(self, first: int, last: int) -> None:
        """Show the part of the x axis between two columns, or as much around it as a zoom must show."""
        full, low, high = self.full_range, self.rendered.x_at(first), self.rendered.x_at(last)
        ends = self._ends()
        if full is None or ends is None or low is None or high is None or not self._can_zoom(full, ends):
            return
        span = min(max(high - low, self._smallest_span(full)), full[1] - full[0])
        self._limit((low + high - span) / 2, span, full)

    def _x_under(self, event: events.MouseEvent) -> float | None:
        offset = event.get_content_offset(self)
        return None if offset is None else self.rendered.x_at(offset.x)


def _places_within(one: PreparedCurve, ends: tuple[float, float]) -> Floats:
    """Where a curve has points between two x values."""
    inside = slice(np.searchsorted(one.x, ends[0]), np.searchsorted(one.x, ends[1], side="right"))
    finite = np.isfinite(one.y[inside])
    return one.x[inside] if finite.all() else one.x[inside][finite]


def _stretches(rows: Sequence[int]) -> list[tuple[int, int]]:
    """First row and height of each stretch of sorted rows; a few rows between two do not part them."""
    stretches: list[tuple[int, int]] = []
    for row in rows:
        if stretches and row - sum(stretches[-1]) <= _ROWS_A_REGION_COSTS:
            top, _ = stretches.pop()
            stretches.append((top, row + 1 - top))
        else:
            stretches.append((row, 1))
    return stretches


def series_colour(variables: dict[str, str], slot: int) -> Color:
    """The colour of a slot: the theme's ``series-N``, or one of its general colours."""
    names = (f"series-{slot % NUM_SERIES + 1}", _FALLBACKS[slot % len(_FALLBACKS)])
    for name in itertools.filterfalse(lambda name: name not in variables, names):
        try:
            return Color.parse(variables[name])
        except ColorParseError:
            continue
    return Color(128, 128, 128)
