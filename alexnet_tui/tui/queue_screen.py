"""The queue: every study that is not done, run by run; reorder, pause, cancel."""

from dataclasses import dataclass
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import DataTable, Static

from alexnet_tui import study, study_worker
from alexnet_tui.errors import AlexnetTuiError
from alexnet_tui.history import RunHistory, State
from alexnet_tui.store import Store
from alexnet_tui.text import printable
from alexnet_tui.tui.chrome import KeyBar, TopBar
from alexnet_tui.tui.console import console_of
from alexnet_tui.tui.messages import RunsChanged

_COLUMNS = (("state", 18), ("variant", 14), ("seed", 6), ("epochs", 11), ("study", 34))
_NOTHING = "Nothing waits. ctrl+s in the New run form queues a run; several seeds or all variants make a study."


@dataclass(frozen=True, slots=True)
class _Line:
    """One row of the table."""

    plan: study.Plan
    cell: study.Cell


class QueueScreen(Screen[None]):
    """Runs that wait or train, in the order in which they start."""

    AUTO_FOCUS = "#queue-table"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "Open", id="queue.open", tooltip="Look at this run."),
        Binding("u", "first", "First", id="queue.first", tooltip="Start this run before the others of its study."),
        Binding("s", "pause", "Pause", id="queue.pause", tooltip="Start no more runs of this study, or go on."),
        Binding("x", "cancel", "Cancel", id="queue.cancel", tooltip="Take this run out of the queue, or put it back."),
        Binding("w", "work", "Work", id="queue.work", tooltip="Start a worker for this study, if it has none."),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._plans: dict[str, study.Plan] = {}
        self._lines: list[_Line] = []

    def compose(self) -> ComposeResult:
        """A table and what is said about it."""
        yield TopBar("new")
        yield DataTable[Text](id="queue-table", cursor_type="row", zebra_stripes=False)
        yield Static(id="queue-said", markup=False)
        yield KeyBar()

    def on_mount(self) -> None:
        """Make the columns and fill them."""
        table = self.query_one(DataTable)
        for name, width in _COLUMNS:
            table.add_column(name, width=width, key=name)
        self._refill()

    def on_runs_changed(self, _: RunsChanged) -> None:
        """A run came, went on or ended."""
        self._refill()

    def action_open(self) -> None:
        """Go to the run under the cursor."""
        line = self._line()
        if line is not None and line.cell.run_id:
            console_of(self.app).open_run(line.cell.run_id)

    def on_data_table_row_selected(self) -> None:
        """Enter and a click open the run."""
        self.action_open()

    def action_first(self) -> None:
        """Put the run at the head of its study."""
        line = self._line()
        if line is not None:
            study.move_first(self._store, line.plan.name, line.cell.index)
            self._refill(follow=line)

    def action_cancel(self) -> None:
        """Cancel, or take that back."""
        line = self._line()
        if line is None:
            return
        is_cancelled = line.cell.state != study.CellState.CANCELLED
        if is_cancelled and not line.cell.needs_training:
            self._say(f"This run is {line.cell.state}; the Run screen stops it with x.")
            return
        study.cancel(self._store, line.plan.name, line.cell.index, is_cancelled=is_cancelled)
        self._refill(follow=line)

    def action_pause(self) -> None:
        """Pause the study, or go on."""
        line = self._line()
        if line is not None:
            is_paused = study.queue(self._store, line.plan.name).is_paused
            study.pause(self._store, line.plan.name, not is_paused)
            self._refill(follow=line)

    def action_work(self) -> None:
        """Start the worker of the study."""
        line = self._line()
        if line is None:
            return
        try:
            is_new = study_worker.start_worker(self._store, line.plan.name)
        except AlexnetTuiError as error:
            self._say(str(error))
            return
        self._say(f"study {line.plan.name}: a worker {'has started' if is_new else 'is at work already'}.")

    @property
    def _store(self) -> Store:
        return console_of(self.app).store

    def _line(self) -> _Line | None:
        row = self.query_one(DataTable).cursor_row
        return self._lines[row] if 0 <= row < len(self._lines) else None

    def _say(self, sentence: str) -> None:
        self.query_one("#queue-said", Static).update(printable(sentence, 400))

    def _find(self, run_id: str) -> tuple[RunHistory, State] | None:
        watcher = console_of(self.app).watcher
        known = watcher.histories.get(run_id), watcher.states.get(run_id, State.QUEUED)
        return None if known[0] is None else (known[0], known[1])

    def _refill(self, follow: _Line | None = None) -> None:
        """Read the studies again; the cursor stays with its run."""
        kept = follow or self._line()
        try:
            self._lines = self._read()
        except AlexnetTuiError as error:
            self._say(str(error))
            return
        table = self.query_one(DataTable)
        table.clear()
        for line in self._lines:
            table.add_row(*self._texts(line))
        same = [
            row
            for row, line in enumerate(self._lines)
            if kept and (line.plan.name, line.cell.index) == (kept.plan.name, kept.cell.index)
        ]
        table.move_cursor(row=same[0] if same else 0)
        self._say("" if self._lines else _NOTHING)

    def _read(self) -> list[_Line]:
        """Runs that are not done, study by study, the oldest study first."""
        for name in study.names(self._store):
            if name not in self._plans:
                self._plans[name] = study.load(self._store, name)
        lines: list[_Line] = []
        for plan in sorted(self._plans.values(), key=lambda plan: (plan.created, plan.name)):
            order = study.queue(self._store, plan.name).order
            rank = {index: place for place, index in enumerate(order)}
            cells = study.status(self._store, plan, self._find)
            cells.sort(key=lambda cell: (cell.state != State.RUNNING, rank.get(cell.index, len(rank)), cell.index))
            if any(cell.needs_training or cell.state == State.RUNNING for cell in cells):
                lines += [_Line(plan, cell) for cell in cells if cell.state not in _DONE]
        return lines

    def _texts(self, line: _Line) -> tuple[Text, ...]:
        cell, name = line.cell, line.plan.name
        paused = " (paused)" if study.queue(self._store, name).is_paused else ""
        idle = "" if study.has_worker(self._store, name) else " (no worker)"
        texts = (
            cell.state,
            cell.variant,
            str(cell.seed),
            f"{cell.num_epochs_done}/{cell.epochs}",
            f"{name}{paused or idle}",
        )
        return tuple(Text(printable(text, 60)) for text in texts)


_DONE = frozenset((State.FINISHED, study.CellState.DELETED))
