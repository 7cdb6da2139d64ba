"""Runs or groups of seeds side by side: overlaid curves, and a table of what differs and what came out."""

from collections.abc import Sequence
from typing import ClassVar

import msgspec
from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Static

from alexnet_tui.analysis.compare import Comparison
from alexnet_tui.runs.history import RunHistory
from alexnet_tui.studies import planned_runs
from alexnet_tui.studies.planned_runs import PlannedGroup
from alexnet_tui.text import counted, spelled_out
from alexnet_tui.tui import threads
from alexnet_tui.tui.charts.axis import Measure
from alexnet_tui.tui.charts.model import ChartSpec, Curve
from alexnet_tui.tui.charts.raster import detect_dot_mode
from alexnet_tui.tui.charts.screen import CHART_ACTIONS, CHART_BINDINGS, ChartScreen
from alexnet_tui.tui.charts.series import Spread
from alexnet_tui.tui.charts.widget import MetricChart
from alexnet_tui.tui.glyphs import join_fitting
from alexnet_tui.tui.keys import Keys, new_run_key, row_keys
from alexnet_tui.tui.notifications import notify
from alexnet_tui.tui.screens.compare.comparison import (
    CHARTED,
    ChartedColumn,
    Entry,
    columns_of,
    curve_of,
    entries_of,
    histories_of,
)
from alexnet_tui.tui.session import OpenPictures, OpenRun, RunsChanged, Session
from alexnet_tui.tui.widgets.bars import KeyBar, TopBar
from alexnet_tui.tui.widgets.columns import Column
from alexnet_tui.tui.widgets.table import LineTable

_key = Keys("compare")
_TWO_CHARTS_WIDTH = 110
_X_AXES = {
    "epoch": (Measure.COUNT, "epoch"),
    "step": (Measure.COUNT, "step"),
    "train_seconds": (Measure.SECONDS, "time"),
}
"""Columns of epochs that runs are compared over, with what they count and the title of their axis."""
_ONE_RUN = "space on Runs (1) marks more runs"
_NOTHING = (
    "Nothing to compare yet.\n\n"
    "On the Runs screen (1), mark runs with space, then press c.\n"
    "Runs that differ only in their seed become one mean curve with g."
)


class _TakenOut(msgspec.Struct, frozen=True):
    """What was compared before a row was taken out: its name, all runs, and the pinned one if it was unpinned."""

    name: str
    run_ids: tuple[str, ...]
    unpinned: str | None


class CompareScreen(ChartScreen):
    """A comparison.

    Args:
        session: The session.
        run_ids: The runs to compare; `show` changes them.
    """

    AUTO_FOCUS = ""
    BINDINGS: ClassVar[list[BindingType]] = [
        _key("m", "metric", "Metric", "Draw the next metric."),
        _key("X", "x_axis", "Axis", "Epochs, steps, or seconds of training."),
        _key("g", "group", "Seeds", "Finished runs that differ only in their seed as one mean curve with a band."),
        _key(
            "b",
            "spread",
            "Band",
            "The band over seeds: from least to most, or a deviation around the mean.",
            show=False,
        ),
        *row_keys("compare", "run"),
        _key("u", "bring_back", "Bring back", "Compare the runs again that were taken out last."),
        _key("enter", "open", "Open", "Open the run of this row."),
        _key("x", "take_out", "Take out", "Take the runs of this row out of the comparison; they stay as they are."),
        _key("i", "pictures", "Pictures", "Kernels, confusion matrix and mistakes of this run and another one."),
        new_run_key("compare"),
        *CHART_BINDINGS,
        _key("p", "pin", "Pin", "Compare all others with the run of this row."),
    ]

    def __init__(self, session: Session, run_ids: Sequence[str]) -> None:
        super().__init__()
        self.session = session
        self.run_ids = tuple(run_ids)
        self.x_axis = "epoch"
        self.metric = 0
        self.is_grouped = False
        self.spread = Spread.RANGE
        self.comparison = Comparison((), ())
        self.entries: list[Entry] = []
        self._taken_out: list[_TakenOut] = []
        self._planned: dict[str, PlannedGroup] = {}
        self._plotted: tuple[object, ...] = ()

    def compose(self) -> ComposeResult:
        """A line of what is compared, charts, table."""
        yield TopBar("compare")
        yield Static(_NOTHING, id="nothing", markup=False)
        with Horizontal(id="charts"):
            yield MetricChart(ChartSpec(title=""), id="first")
            yield MetricChart(ChartSpec(title=""), id="second")
        yield Static(id="status", markup=False)
        yield LineTable[Entry, None]((), None, id="table")
        yield KeyBar()

    @property
    def table(self) -> "LineTable[Entry, None]":
        """The rows."""
        return self.query_one("#table", LineTable)

    def show(self, run_ids: Sequence[str]) -> None:
        """Compare other runs; the zoom of the old ones is forgotten."""
        if tuple(run_ids) != self.run_ids:
            self.run_ids, self._taken_out = tuple(run_ids), []
            self.table.show([], None)
            self.change_view(hidden=frozenset(), x_low=None, x_high=None, crosshair=None)
            self._read_plans()
        self._refresh()

    def on_mount(self) -> None:
        """Draw for the first time."""
        self._fit()
        self._read_plans()
        self._refresh()

    @work(exclusive=True)
    async def _read_plans(self) -> None:
        """Take the names of groups from the plans that the runs were made for."""
        histories = histories_of(self.run_ids, self.session.watcher.histories)
        records = [history.record for history in histories]
        self._planned = await threads.call(planned_runs.groups_of, self.session.store, records)
        self._plotted = ()
        self._refresh()

    def on_screen_resume(self) -> None:
        """Catch up with what happened meanwhile."""
        self._refresh()

    def on_resize(self) -> None:
        """Choose what fits."""
        self._fit()
        self._plotted = ()
        self._refresh()

    def on_runs_changed(self, message: RunsChanged) -> None:
        """Draw again if the news are about one of these runs."""
        if message.run_ids & {*self.run_ids, self.session.folder.pinned}:  # Also one that is gone.
            self._refresh()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keys of the charts mean nothing where there are none; there is something to bring back or not."""
        if action == "bring_back":
            return bool(self._taken_out)
        return action not in CHART_ACTIONS | {"step_out"} or not self.is_mounted or bool(self.entries)

    def _fit(self) -> None:
        self.set_class(self.size.width >= _TWO_CHARTS_WIDTH, "-two-charts")
        self.set_class(self.size.height < 16, "-low")

    def _refresh(self) -> None:
        if not self.is_mounted or not self.query("#table"):
            return
        watcher, pinned_id = self.session.watcher, self.session.pinned_run_id
        histories = histories_of(self.run_ids, watcher.histories)
        implicit = self._implicit_baseline(histories)
        on_show = [*histories, *([implicit] if implicit else [])]
        plotted = (
            (self.run_ids, self.x_axis, self.metric, self.is_grouped, self.spread),
            pinned_id,
            tuple((id(history), len(history.epochs), watcher.states.get(history.id)) for history in on_show),
            tuple(self.session.label_of(history.id) for history in on_show),
        )
        if plotted == self._plotted:
            return
        chosen = self._chosen()
        self.comparison, self.entries = entries_of(
            histories,
            self.session.label_of,
            is_grouped=self.is_grouped,
            pinned_id=pinned_id,
            states=watcher.states,
            planned=self._planned,
            implicit=implicit,
        )
        self._plotted = plotted
        self.set_class(not self.entries, "-empty")
        if chosen is None or not self.entries:
            self.refresh_bindings()  # Charts came or went, and their keys with them.
        self._draw_table(self._row_of(chosen))
        self._draw_charts()

    def _implicit_baseline(self, histories: Sequence[RunHistory]) -> RunHistory | None:
        """The pinned run, where it is not one of the runs to compare."""
        pinned = self.session.watcher.histories.get(self.session.pinned_run_id or "")
        return None if not histories or pinned is None or any(one.id == pinned.id for one in histories) else pinned

    def _row_of(self, run_id: str | None) -> int:
        """Where the run under the cursor is now; at first, the cursor stands on a run that was asked for."""
        if run_id is None:
            return next((row for row, entry in enumerate(self.entries) if not entry.is_implicit), 0)
        rows = (row for row, entry in enumerate(self.entries) if any(one.id == run_id for one in entry.histories))
        return next(rows, min(self.table.cursor, max(0, len(self.entries) - 1)))

    def _draw_charts(self) -> None:
        measure, title = _X_AXES[self.x_axis]
        for index, chart in enumerate(self.charts()):
            charted = CHARTED[(self.metric + index) % len(CHARTED)]
            spec = ChartSpec(
                title=charted.title,
                y=charted.measure,
                x=measure,
                x_title=title,
                has_names=index == 0,  # The table and the first chart name the curves already.
            )
            chart.show(self._curves(charted), spec)

    def _curves(self, charted: ChartedColumn) -> list[Curve]:
        """A chart's curves; the implicit baseline is one of them, the row under the cursor is plotted last."""
        plotted = [
            curve_of(entry, charted, self.x_axis, self.spread, is_chosen=row == self.table.cursor)
            for row, entry in enumerate(self.entries)
        ]
        return sorted((curve for curve in plotted if curve is not None), key=lambda curve: curve.slot)

    def _draw_table(self, cursor: int) -> None:
        table = self.table
        columns: Sequence[Column[Entry, None]] = ()
        if self.entries:
            base = next(entry for entry in self.entries if entry.group.is_base)
            columns = columns_of(self.comparison, self.entries, detect_dot_mode(), self.session.runs_like(base.id))
        table.styles.height = min(len(self.entries) + 2, max(3, self.size.height * 2 // 5))
        table.show(self.entries, None, columns=columns)
        if cursor != table.cursor:
            table.move_to(cursor)
        self._show_status()

    def _show_status(self) -> None:
        """What is compared with what, and why the run of the row is not averaged; what does not fit is left out."""
        own = [entry for entry in self.entries if not entry.is_implicit]
        base = next((entry.name for entry in self.entries if entry.group.is_base), "")
        runs = counted(sum(len(entry.histories) for entry in own), "run")
        words = [f"{runs} in {counted(len(own), 'group')}" if self.is_grouped else runs]
        if len(self.entries) == 1 and len(own) == 1 and len(own[0].histories) == 1:
            words.append(_ONE_RUN)
        elif base:
            words.append(f"differences to {base}")
        if self.session.pinned_run_id is None and len(self.entries) > 1:
            words.append("p compares all with the run of this row")
        row = self.table.row
        if row is not None and row.group.alone:
            words.insert(1, row.group.alone)
        if self.is_grouped:
            words.append(spelled_out(f"band {self.spread}"))
        text = join_fitting(words, self.size.width - 2)
        self.query_one("#status", Static).update(Content.styled(text, "$text-muted"), layout=False)

    @on(LineTable.Highlighted)
    def _choose(self) -> None:
        """Another row: its curve comes to the front."""
        self._draw_charts()
        self._show_status()

    def action_metric(self) -> None:
        """The next metric, or the next two where two are plotted."""
        self.metric = (self.metric + (2 if self.has_class("-two-charts") else 1)) % len(CHARTED)
        self._refresh()

    def action_x_axis(self) -> None:
        """The next x axis; a zoom on the old one means nothing on it."""
        axes = list(_X_AXES)
        self.x_axis = axes[(axes.index(self.x_axis) + 1) % len(axes)]
        self.change_view(x_low=None, x_high=None, crosshair=None)
        self._refresh()

    def action_group(self) -> None:
        """Runs, or groups over seeds where there are any."""
        self.is_grouped = not self.is_grouped
        self._refresh()
        if self.is_grouped and not any(entry.group.seeds[1:] or entry.group.alone for entry in self.entries):
            self.is_grouped = False
            self._refresh()
            notify(self, "No two of these runs differ in their seed alone, so there is nothing to average.")

    def action_spread(self) -> None:
        """The other band, where there is one."""
        if not any(entry.group.seeds[1:] for entry in self.entries):
            notify(self, "Only runs averaged over seeds have a band; g averages those that differ in their seed alone.")
            return
        self.spread = Spread.DEVIATION if self.spread is Spread.RANGE else Spread.RANGE
        self._refresh()

    def action_move(self, rows: int) -> None:
        """Another row."""
        self.table.move(rows)

    def action_page(self, pages: int) -> None:
        """A page of rows up or down."""
        self.table.page(pages)

    def action_hide(self) -> None:
        """Hide or show the curve of the row."""
        if (row := self.table.row) is not None:
            self.change_view(hidden=self.view.hidden ^ {row.short_name})

    def action_take_out(self) -> None:
        """Leave the runs of the row out of the comparison; the pinned run would come back, and is unpinned."""
        if (row := self.table.row) is None:
            return
        ids = {history.id for history in row.histories}
        unpinned = self.session.pinned_run_id if self.session.pinned_run_id in ids else None
        self._taken_out.append(_TakenOut(row.name, self.run_ids, unpinned))
        if unpinned:
            self.session.toggle_pin([unpinned])
        self.run_ids = tuple(run_id for run_id in self.run_ids if run_id not in ids)
        self._refresh()
        self.refresh_bindings()
        notify(self, f"Taken out{' and unpinned' if unpinned else ''}: {row.name}. u brings it back.")

    def action_bring_back(self) -> None:
        """Compare again what was taken out last; a run that was unpinned by it is pinned again."""
        last = self._taken_out.pop()
        self.run_ids = last.run_ids
        if last.unpinned:
            self.session.change_folder(pinned=last.unpinned)
        self._refresh()
        self.refresh_bindings()
        notify(self, f"Compared again: {last.name}.")

    def _chosen(self) -> str | None:
        row = self.table.row
        return None if row is None else row.id

    def action_pictures(self) -> None:
        """The pictures of the run of the row beside those of the one compared with, or of the first other one."""
        if (run_id := self._chosen()) is not None:
            based = sorted(self.entries, key=lambda entry: not entry.group.is_base)
            others = [entry.id for entry in based if entry.id != run_id]
            self.post_message(OpenPictures([*others[:1], run_id]))

    @on(LineTable.Opened)
    def action_open(self) -> None:
        """Open the run of the row."""
        if run_id := self._chosen():
            self.post_message(OpenRun(run_id))

    def action_pin(self) -> None:
        """Compare all others with the run of the row, or with none."""
        if (row := self.table.row) is not None:
            self.session.toggle_pin([history.id for history in row.histories])
            self._refresh()
            notify(self, self.session.pin_note(row.name))
