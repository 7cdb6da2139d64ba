"""Runs or groups of seeds side by side: overlaid curves, and a table of what differs and what came out."""

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.geometry import Region
from textual.widgets import Static

from alexnet_tui.runs.history import RunHistory
from alexnet_tui.text import counted, printable
from alexnet_tui.tui.charts.axis import Measure
from alexnet_tui.tui.charts.canvas import marker_of
from alexnet_tui.tui.charts.model import ChartSpec, Curve
from alexnet_tui.tui.charts.raster import detect_dot_mode
from alexnet_tui.tui.charts.run_curves import X_AXES
from alexnet_tui.tui.charts.screen import CHART_ACTS, CHART_BINDINGS, ChartScreen
from alexnet_tui.tui.charts.series import Spread
from alexnet_tui.tui.charts.widget import NUM_COLOURS, MetricChart
from alexnet_tui.tui.screens.compare.comparison import (
    METRICS,
    Column,
    Entry,
    curve_of,
    entries_of,
    known,
    layout,
)
from alexnet_tui.tui.session import OpenRun, RunsChanged, Session
from alexnet_tui.tui.widgets.bars import KeyBar, TopBar
from alexnet_tui.tui.widgets.glyphs import PIN, pad
from alexnet_tui.tui.widgets.keys import new_run_key

_TWO_CHARTS_WIDTH = 110
_MARGINS, _SIGN_CELLS, _FEW_CELLS = 3, 4, 8
_X_AXES = {
    "epoch": (Measure.COUNT, "epoch"),
    "step": (Measure.COUNT, "step"),
    "seconds": (Measure.SECONDS, "time"),
}
_ONE_RUN = "space on Runs (1) marks more runs"
_NOTHING = (
    "Nothing to compare yet.\n\n"
    "On the Runs screen (1), mark runs with space, then press c.\n"
    "Runs that differ only in their seed become one mean curve with g."
)


class CompareScreen(ChartScreen):
    """A comparison.

    Args:
        session: The session.
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
        new_run_key("compare"),
        *CHART_BINDINGS,
        Binding("p", "pin", "Pin", id="compare.pin", tooltip="Compare all others with the run of this row"),
    ]

    def __init__(self, session: Session, run_ids: Sequence[str]) -> None:
        super().__init__()
        self.session = session
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
            yield MetricChart(ChartSpec(title=""), id="first")
            yield MetricChart(ChartSpec(title=""), id="second")
        yield Static(id="status", markup=False)
        with VerticalScroll(id="table", can_focus=False):
            yield Static(id="rows", markup=False)
        yield KeyBar()

    def show(self, run_ids: Sequence[str]) -> None:
        """Compare other runs; the zoom of the old ones is forgotten."""
        if tuple(run_ids) != self.run_ids:
            self.run_ids, self.entries = tuple(run_ids), []
            self.change_view(x_low=None, x_high=None, crosshair=None)
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
        if message.run_ids & {*self.run_ids, self.session.pinned_run_id}:
            self._refresh()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keys of the charts mean nothing where there are none."""
        return action not in CHART_ACTS | {"step_out"} or not self.is_mounted or bool(self.entries)

    def _fit(self) -> None:
        self.set_class(self.size.width >= _TWO_CHARTS_WIDTH, "-two-charts")
        self.set_class(self.size.height < 16, "-low")

    def _refresh(self) -> None:
        if not self.is_mounted or not self.query("#rows"):
            return
        watcher, pinned_id = self.session.watcher, self.session.pinned_run_id
        histories = known(self.run_ids, watcher.histories)
        guest = self._guest(histories)
        on_show = [*histories, *([guest] if guest else [])]
        drawn = (
            (self.run_ids, self.x_axis, self.metric, self.is_grouped, self.spread),
            pinned_id,
            tuple((id(history), len(history.epochs), watcher.states.get(history.id)) for history in on_show),
            tuple(self.session.label_of(history.id) for history in on_show),
        )
        if (drawn, self.row) == self._drawn:
            return
        chosen = self._chosen()
        self.entries = entries_of(
            histories, self.session.label_of, is_grouped=self.is_grouped, pinned_id=pinned_id, guest=guest
        )
        self.row = self._row_of(chosen)
        self._drawn = drawn, self.row
        self.set_class(not self.entries, "-empty")
        if chosen is None or not self.entries:
            self.refresh_bindings()  # Charts came or went, and their keys with them.
        self._draw_charts()
        self._draw_table()

    def _guest(self, histories: Sequence[RunHistory]) -> RunHistory | None:
        """The pinned run, where it is not one of the runs to compare."""
        pinned = self.session.watcher.histories.get(self.session.pinned_run_id or "")
        return None if not histories or pinned is None or any(one.id == pinned.id for one in histories) else pinned

    def _row_of(self, run_id: str | None) -> int:
        """Where the run under the cursor is now; at first, the cursor stands on a run that was asked for."""
        if run_id is None:
            return next((row for row, entry in enumerate(self.entries) if not entry.is_guest), 0)
        rows = (row for row, entry in enumerate(self.entries) if any(one.id == run_id for one in entry.histories))
        return next(rows, min(self.row, max(0, len(self.entries) - 1)))

    def _draw_charts(self) -> None:
        measure, title = _X_AXES[self.x_axis]
        for index, chart in enumerate(self.charts()):
            metric = METRICS[(self.metric + index) % len(METRICS)]
            chart.spec = ChartSpec(title=metric.title, y=metric.measure, x=measure, x_title=title)
            chart.show(self._curves(index))

    def _curves(self, index: int) -> list[Curve]:
        """A chart's curves; a guest joins as a baseline, the row under the cursor is drawn last."""
        metric = METRICS[(self.metric + index) % len(METRICS)]
        drawn = [
            curve_of(entry, metric, self.x_axis, self.spread, is_chosen=row == self.row)
            for row, entry in enumerate(self.entries)
        ]
        return sorted((curve for curve in drawn if curve is not None), key=lambda curve: curve.slot)

    def _draw_table(self) -> None:
        found = layout(self.entries, max(10, self.size.width - _MARGINS) - _SIGN_CELLS, is_grouped=self.is_grouped)
        shown, room = found.shown, found.name_cells
        lines = [self._heading(shown, room)]
        lines += [self._line(index, entry, shown, room) for index, entry in enumerate(self.entries)]
        self.query_one("#rows", Static).update(Content("\n").join(lines))
        status = self._status([column.title for column in found.hidden])
        self.query_one("#status", Static).update(status)
        self.query_one("#table", VerticalScroll).scroll_to_region(
            Region(0, self.row + 1, 1, 1), animate=False, force=True
        )

    def _heading(self, columns: Sequence[Column], room: int) -> Content:
        parts = [("run" if not self.is_grouped else "group").ljust(room + _SIGN_CELLS)]
        parts += [
            column.title.rjust(column.width) if column.is_number else column.title.ljust(column.width)
            for column in columns
        ]
        return Content.styled("  ".join(parts), "bold $text-muted")

    def _line(self, index: int, entry: Entry, columns: Sequence[Column], room: int) -> Content:
        name = pad(printable(entry.name, 80), room)
        line = Content.assemble(
            (PIN if entry.is_pinned else " ", "bold $accent"),
            (f"{marker_of(entry.slot, detect_dot_mode())} ", _style_of(entry)),
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
            line = line.pad_right(max(0, self.size.width - _MARGINS - line.cell_length))
            line = line.stylize("reverse" if self.app.no_color else "on $cursor-bg")
        return line

    def _status(self, hidden: Sequence[str]) -> Content:
        """What is compared with what, in words; what does not fit is left out."""
        own = [entry for entry in self.entries if not entry.is_guest]
        runs = counted(sum(len(entry.histories) for entry in own), "run")
        pinned = next((entry.name for entry in self.entries if entry.is_pinned), "")
        words = [
            f"{runs} in {counted(len(own), 'group')}" if self.is_grouped else runs,
            f"deltas to {pinned}" if pinned else "p pins a run to compare with",
        ]
        if len(self.entries) == 1 and len(own[0].histories) == 1:
            words.insert(1, _ONE_RUN)
        asides = [f"band {self.spread}"] if self.is_grouped else []
        if hidden:
            count = f"{counted(len(hidden), 'column')} hidden"
            room = self.size.width - 2 - len(" · ".join([*words, *asides[:1], ""]))
            told = printable(f"{count}: {', '.join(hidden)}", max(1, room))
            words.append(told if len(told) > len(count) + _FEW_CELLS else count)
        words += asides
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
        self.change_view(x_low=None, x_high=None, crosshair=None)
        self._refresh()

    def action_group(self) -> None:
        """Runs, or groups over seeds."""
        self.is_grouped = not self.is_grouped
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
            self.post_message(OpenRun(run_id))

    def action_pin(self) -> None:
        """Compare all others with the run of the row, or with none."""
        if self.entries:
            self.session.toggle_pin([history.id for history in self.entries[self.row].histories])
            self._refresh()


def _style_of(entry: Entry) -> str:
    """The colour of its curves."""
    return "$series-pinned" if entry.is_guest else f"$series-{entry.slot % NUM_COLOURS + 1}"
