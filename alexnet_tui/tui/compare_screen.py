"""Runs or groups of seeds side by side: overlaid curves, and a table of what differs and what came out."""

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.geometry import Region
from textual.widgets import Static

from alexnet_tui.text import printable
from alexnet_tui.tui.axis import Measure
from alexnet_tui.tui.chart import MetricChart
from alexnet_tui.tui.chrome import KeyBar, TopBar
from alexnet_tui.tui.compare_data import (
    METRICS,
    Column,
    Entry,
    columns_of,
    curve_of,
    entries_of,
    fitting,
    known,
    name_cells,
    short_names,
)
from alexnet_tui.tui.console import Console, console_of
from alexnet_tui.tui.curves import Curve, Face
from alexnet_tui.tui.glyphs import glyphs
from alexnet_tui.tui.linked import CHART_BINDINGS, ChartScreen
from alexnet_tui.tui.messages import RunsChanged
from alexnet_tui.tui.pages import plain
from alexnet_tui.tui.plane import marker_of
from alexnet_tui.tui.raster import detect_ink
from alexnet_tui.tui.run_curves import X_AXES
from alexnet_tui.tui.series import Spread

_TWO_CHARTS_WIDTH = 110
_X_FACES = {
    "epoch": (Measure.COUNT, "epoch"),
    "step": (Measure.COUNT, "step"),
    "seconds": (Measure.SECONDS, "time"),
}
_NOTHING = (
    "Nothing to compare yet.\n\n"
    "On the Runs screen (1), mark runs with space, then press c.\n"
    "Runs that differ only in their seed become one mean curve with g."
)


class CompareScreen(ChartScreen):
    """A comparison.

    Args:
        run_ids: The runs to compare; `show` changes them.
    """

    AUTO_FOCUS = ""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("m", "metric", "Metric", id="compare.metric", tooltip="Draw the next metric"),
        Binding("X", "x_axis", "Axis", id="compare.x-axis", tooltip="Epochs, steps, or seconds of training"),
        Binding(
            "g",
            "group",
            "Seeds",
            id="compare.group",
            tooltip="Runs that differ only in their seed as one mean curve with a band",
        ),
        Binding(
            "b",
            "spread",
            "Band",
            id="compare.band",
            tooltip="The band over seeds: from least to most, or a deviation around the mean",
            show=False,
        ),
        Binding(
            "up", "row(-1)", "Row up", id="compare.up", tooltip="The run above; its curve is drawn on top", show=False
        ),
        Binding(
            "down",
            "row(1)",
            "Row down",
            id="compare.down",
            tooltip="The run below; its curve is drawn on top",
            show=False,
        ),
        Binding("enter", "open", "Open", id="compare.open", tooltip="Look at the run of this row"),
        *CHART_BINDINGS,
        Binding("p", "pin", "Pin", id="compare.pin", tooltip="Compare all others with the run of this row"),
    ]

    def __init__(self, run_ids: Sequence[str]) -> None:
        super().__init__()
        self.run_ids = tuple(run_ids)
        self.x_axis = X_AXES[0]
        self.metric = 0
        self.is_grouped = False
        self.spread = Spread.RANGE
        self.row = 0
        self.entries: list[Entry] = []
        self._drawn: tuple[object, ...] = ()

    def compose(self) -> ComposeResult:
        """A line of what is compared, charts, table."""
        yield TopBar("compare")
        yield Static(_NOTHING, id="nothing", markup=False)
        with Horizontal(id="charts"):
            yield MetricChart(Face(title=""), id="first")
            yield MetricChart(Face(title=""), id="second")
        yield Static(id="status", markup=False)
        with VerticalScroll(id="table", can_focus=False):
            yield Static(id="rows", markup=False)
        yield KeyBar()

    @property
    def console(self) -> Console:
        """The app."""
        return console_of(self.app)

    def show(self, run_ids: Sequence[str]) -> None:
        """Compare other runs; the zoom of the old ones is forgotten."""
        if tuple(run_ids) != self.run_ids:
            self.run_ids, self.row = tuple(run_ids), 0
            self.change_view(x_low=None, x_high=None, cross=None)
        self._refresh()

    def on_mount(self) -> None:
        """Draw for the first time."""
        self._fit()
        self._refresh()

    def on_screen_resume(self) -> None:
        """Catch up with what happened meanwhile."""
        self._refresh()

    def on_resize(self) -> None:
        """Choose what fits."""
        self._fit()
        self._drawn = ()
        self._refresh()

    def on_runs_changed(self, message: RunsChanged) -> None:
        """Draw again if the news are about one of these runs."""
        if message.run_ids & {*self.run_ids, self.console.pinned_run_id}:
            self._refresh()

    def _fit(self) -> None:
        self.set_class(self.size.width >= _TWO_CHARTS_WIDTH, "-two-charts")
        self.set_class(self.size.height < 16, "-low")

    def _refresh(self) -> None:
        if not self.is_mounted or not self.query("#rows"):
            return
        watcher, pinned_id = self.console.watcher, self.console.pinned_run_id
        histories = known(self.run_ids, watcher.histories)
        drawn = (
            self._choices(),
            pinned_id,
            tuple((id(history), len(history.epochs), watcher.states.get(history.id)) for history in histories),
            tuple(self.console.label_of(history.id) for history in histories),
        )
        if drawn == self._drawn:
            return
        self._drawn = drawn
        self.entries = entries_of(histories, self.console.label_of, is_grouped=self.is_grouped, pinned_id=pinned_id)
        self.row = min(self.row, max(0, len(self.entries) - 1))
        self.set_class(not self.entries, "-empty")
        self._draw_charts()
        self._draw_table()

    def _choices(self) -> tuple[object, ...]:
        return self.x_axis, self.metric, self.is_grouped, self.spread, self.row

    def _draw_charts(self) -> None:
        measure, title = _X_FACES[self.x_axis]
        for index, chart in enumerate(self.charts()):
            metric = METRICS[(self.metric + index) % len(METRICS)]
            chart.face = Face(title=metric.title, y=metric.measure, x=measure, x_title=title)
            chart.show(self._curves(index))

    def _curves(self, index: int) -> list[Curve]:
        """A chart's curves; the pinned run joins as a pace line, the row under the cursor is drawn last."""
        metric = METRICS[(self.metric + index) % len(METRICS)]
        curves = [
            curve_of(entry, metric, self.x_axis, self.spread, is_on_top=row == self.row)
            for row, entry in enumerate(self.entries)
        ]
        pinned = self.console.watcher.histories.get(self.console.pinned_run_id or "")
        if pinned is not None and self.entries and not any(entry.is_pinned for entry in self.entries):
            compared = [history for entry in self.entries for history in entry.histories]
            name = short_names([*compared, pinned], self.console.label_of)[pinned.id]
            entry = Entry(name, (pinned,), len(self.entries), True)
            curves.append(curve_of(entry, metric, self.x_axis, self.spread, is_pace=True))
        return [curve for curve in curves if curve is not None]

    def _draw_table(self) -> None:
        width = max(10, self.size.width - 3)
        pinned = self.console.watcher.histories.get(self.console.pinned_run_id or "")
        columns = columns_of(self.entries, pinned, is_grouped=self.is_grouped) if self.entries else []
        room = name_cells(self.entries, width)
        shown = fitting(columns, width, room + 4)
        lines = [self._heading(shown, room)]
        lines += [self._line(index, entry, shown, room) for index, entry in enumerate(self.entries)]
        ascii_only = self.console.ascii_only
        self.query_one("#rows", Static).update(plain(Content("\n").join(lines), ascii_only))
        self.query_one("#status", Static).update(plain(self._status(len(columns) - len(shown)), ascii_only))
        self.query_one("#table", VerticalScroll).scroll_to_region(
            Region(0, self.row + 1, 1, 1), animate=False, force=True
        )

    def _heading(self, columns: Sequence[Column], room: int) -> Content:
        parts = [("run" if not self.is_grouped else "group").ljust(room + 4)]
        parts += [
            column.title.rjust(column.width) if column.is_number else column.title.ljust(column.width)
            for column in columns
        ]
        return Content.styled("  ".join(parts), "bold $text-muted")

    def _line(self, index: int, entry: Entry, columns: Sequence[Column], room: int) -> Content:
        symbols = glyphs(self.console.ascii_only)
        name = symbols.cut(printable(entry.name, 80), room).ljust(room)
        line = Content.assemble(
            (symbols.pin if entry.is_pinned else " ", "bold $accent"),
            (f"{marker_of(entry.slot, detect_ink())} ", f"$series-{entry.slot % 8 + 1}"),
            (name, "bold" if entry.is_pinned else ""),
            " ",
        )
        for column in columns:
            cell = column.cells[index]
            delta = (
                f" {cell.delta.rjust(max(len(one.delta) for one in column.cells))}"
                if any(one.delta for one in column.cells)
                else ""
            )
            text = cell.text.rjust(column.width - len(delta)) if column.is_number else cell.text.ljust(column.width)
            line = Content.assemble(line, "  ", text, (delta, "$accent"))
        if index == self.row:
            line = line.pad_right(max(0, self.size.width - 3 - line.cell_length))
            line = line.stylize("reverse" if self.app.no_color else "on $cursor-bg")
        return line

    def _status(self, num_hidden: int) -> Content:
        """What is compared with what, in words."""
        runs = sum(len(entry.histories) for entry in self.entries)
        words = [f"{runs} run{'s' * (runs != 1)}"]
        if self.is_grouped:
            words[0] += f" in {len(self.entries)} group{'s' * (len(self.entries) != 1)}"
            words.append(f"band {self.spread}")
        pinned_id = self.console.pinned_run_id
        words.append(f"deltas to {self.console.label_of(pinned_id)}" if pinned_id else "p pins a run to compare with")
        if num_hidden:
            words.append(f"{num_hidden} columns more on a wider terminal")
        if self.is_grouped:
            words.append("means stop where the shortest seed does")
        kept = words[:1]
        for word in words[1:]:
            if len(" · ".join([*kept, word])) <= self.size.width - 2:
                kept.append(word)
        return Content.styled(" · ".join(kept), "$text-muted")

    def action_metric(self) -> None:
        """The next metric, or the next two where two are drawn."""
        self.metric = (self.metric + (2 if self.has_class("-two-charts") else 1)) % len(METRICS)
        self._refresh()

    def action_x_axis(self) -> None:
        """The next x axis; a zoom on the old one means nothing on it."""
        self.x_axis = X_AXES[(X_AXES.index(self.x_axis) + 1) % len(X_AXES)]
        self.change_view(x_low=None, x_high=None, cross=None)
        self._refresh()

    def action_group(self) -> None:
        """Runs, or groups over seeds."""
        self.is_grouped, self.row = not self.is_grouped, 0
        self._refresh()

    def action_spread(self) -> None:
        """The other band."""
        self.spread = Spread.DEVIATION if self.spread is Spread.RANGE else Spread.RANGE
        self._refresh()

    def action_row(self, direction: int) -> None:
        """Another row."""
        self.row = min(max(0, self.row + direction), max(0, len(self.entries) - 1))
        self._refresh()

    def _chosen(self) -> str | None:
        return self.entries[self.row].histories[0].id if self.entries else None

    def action_open(self) -> None:
        """Look at the run of the row."""
        if run_id := self._chosen():
            self.console.open_run(run_id)

    def action_pin(self) -> None:
        """Compare all others with the run of the row, or with none."""
        if run_id := self._chosen():
            self.console.toggle_pin(run_id)
            self._refresh()
