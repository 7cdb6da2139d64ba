"""Studies: plan variants x seeds, and change the queue that works through them, here or with the console closed."""

import functools
from collections.abc import Callable
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.events import Click, Resize
from textual.screen import Screen
from textual.widgets import Static

from alexnet_tui.errors import AlexnetTuiError
from alexnet_tui.runs.state import State, shown_word
from alexnet_tui.studies import study_queue
from alexnet_tui.studies import worker as study_worker
from alexnet_tui.studies.cluster import withdraw_run
from alexnet_tui.studies.plan import MAX_CELLS, Plan, load_plan
from alexnet_tui.studies.planned_runs import PlannedRun, PlannedRunState
from alexnet_tui.text import counted
from alexnet_tui.tui import download_question, run_actions, threads
from alexnet_tui.tui.keys import Keys, row_keys
from alexnet_tui.tui.notifications import notify
from alexnet_tui.tui.screens.studies import queue_view, source
from alexnet_tui.tui.screens.studies.planner import StudyPlanner
from alexnet_tui.tui.screens.studies.queue_view import QueueRow
from alexnet_tui.tui.screens.studies.request import REPRODUCTION, StudyRequest
from alexnet_tui.tui.screens.studies.source import Snapshot
from alexnet_tui.tui.session import OpenReport, OpenRun, RunsChanged, Session
from alexnet_tui.tui.study_lookup import MAX_STUDIES
from alexnet_tui.tui.widgets.bars import KeyBar, TopBar
from alexnet_tui.tui.widgets.dialogs import ChoiceScreen
from alexnet_tui.tui.widgets.table import LineTable
from alexnet_tui.tui.workers import CoalescingWorker, ask_once

_POLL_SECONDS = 1.0
_GRID_FROM_HEIGHT = 20
_GRID_PADDING = 4
_key = Keys("study")
_WITHOUT_STUDIES = {"new", "reproduce"}


class StudiesScreen(Screen[None]):
    """A study and its queue.

    Args:
        session: The session.
        name: The study to show, or None for the one at work or the newest; `show` changes it.
    """

    AUTO_FOCUS = ""
    BINDINGS: ClassVar[list[BindingType]] = [
        _key("n", "new", "New", "Plan a study: variants x seeds, front end, data, epochs."),
        _key("r", "reproduce", "Reproduce", "Reproduce the whole study, or continue it."),
        _key("ctrl+r", "start", "Start", "Start a worker that goes through the queue, also with the console closed."),
        _key("P", "pause", "Pause", "Start nothing more for now, or resume; what trains continues."),
        _key(
            "x",
            "cancel",
            "Cancel",
            "Take the cell out of the queue, and go one down; stop it after a checkpoint if it trains.",
        ),
        _key("K,shift+up", "shift(-1)", "Order", "Start this cell one turn earlier.", display="K/J", id="shift-1"),
        _key("J,shift+down", "shift(1)", "Later", "Start this cell one turn later.", show=False, id="shift1"),
        _key("F", "first", "First", "Start this cell next.", show=False),
        _key(
            "R", "resume", "Put back", "Put a cancelled cell back, and go one down; resume a stopped one.", show=False
        ),
        _key("enter", "open", "Open", "Open the run of this cell."),
        _key("v", "report", "Report", "Our table and the verdicts on this study."),
        _key("f", "choose", "Studies", "Choose another study.", show=False),
        _key("right_square_bracket", "turn(1)", "Next study", "An older study.", show=False, id="turn1"),
        _key("left_square_bracket", "turn(-1)", "Last study", "A newer study.", show=False, id="turn-1"),
        *row_keys("study", "cell"),
        _key("w", "back", "Back", "Back to where one came from.", show=False),
    ]

    def __init__(self, session: Session, name: str | None = None) -> None:
        super().__init__()
        self.session = session
        self.study_name = name
        self.now: Snapshot | None = None
        self._names: tuple[str, ...] = ()
        self._problem = ""
        self._stamp: tuple[object, ...] = ()
        self._engines = source.Engines()
        self._planner = StudyPlanner(self, session, self._take_plan)
        self._reading = CoalescingWorker(self, self._take)
        self._polling = CoalescingWorker(self, self._poll)

    def compose(self) -> ComposeResult:
        """Which study, its cells as a grid, its queue, keys."""
        yield TopBar("study")
        yield Static(queue_view.NO_STUDIES, id="nothing", markup=False)
        yield Static(id="head", markup=False)
        yield Static(id="grid", markup=False)
        yield LineTable[QueueRow, None]((), None, id="queue")
        yield KeyBar()

    # What is shown

    @property
    def table(self) -> "LineTable[QueueRow, None]":
        """The cells in the order of work."""
        return self.query_one("#queue", LineTable)

    def offers(self, action: str) -> bool:
        """Whether the key bar names an action: without a study, only what plans one."""
        return self.now is not None or action in _WITHOUT_STUDIES

    def show(self, name: str | None) -> None:
        """Turn to a study; None keeps the one on show."""
        if name is not None and name != self.study_name:
            self.study_name = name
            if self.is_mounted:
                self.table.show([], None)
        self._read()

    def on_mount(self) -> None:
        """Read, and look for changes made elsewhere."""
        self.set_interval(_POLL_SECONDS, self._polling.request)
        self._read()

    def on_screen_resume(self) -> None:
        """Runs may have ended meanwhile."""
        self._read()

    def on_resize(self, event: Resize) -> None:
        """More or fewer cells fit."""
        self.call_after_refresh(self._draw)

    def on_runs_changed(self, message: RunsChanged) -> None:
        """A cell trains on, or has begun."""
        if self.now is None or any(not cell.run_id or cell.run_id in message.run_ids for cell in self.now.cells):
            self._read()
        else:
            self._draw_head(self.now)  # A run outside may have ended, for which the worker waited.

    async def _poll(self) -> None:
        """Read again if another process changed the queue."""
        if self.is_current and self.study_name is not None:
            stamp = await threads.call(source.stamp, self.session.store, self._engines, self.study_name)
            if stamp != self._stamp:
                self._stamp = stamp
                self._read()

    def _read(self) -> None:
        if self.is_mounted:
            self._reading.request()

    async def _take(self) -> None:
        wanted = self.study_name
        found = await threads.call(source.load, self.session.store, self._engines, wanted, self.session.find_run)
        if wanted != self.study_name:  # Another one was chosen meanwhile; it is read next.
            return
        if found.problem and found.problem != self._problem:
            notify(self, found.problem, is_error=True)
        self._names, self.study_name, self.now, self._problem = found.names, found.name, found.now, found.problem
        self._draw()

    @property
    def _name_shown(self) -> str | None:
        """The study on show; None while another one, which was asked for, is still being read."""
        name = self.now.plan.name if self.now else None
        return name if name == self.study_name else None

    @property
    def cell(self) -> PlannedRun | None:
        """The cell under the cursor."""
        row = self.table.row if self.now else None
        return None if row is None else row.cell

    def _draw(self) -> None:
        if not self.query("#queue"):
            return
        if self.has_class("-empty") is not (self.now is None):
            self.query_one(KeyBar).refresh()  # With the first study, more keys do something.
        self.set_class(self.now is None, "-empty")
        if self.now is None:
            self.query_one("#nothing", Static).update(
                self._problem or self.session.watcher.problems.get("") or queue_view.NO_STUDIES
            )
            return
        self._draw_head(self.now)
        self.table.show(
            queue_view.rows_of(self.now), None, columns=queue_view.columns_of(self.now.cells, self.now.live.values())
        )
        self._draw_grid(self.now)

    def _draw_head(self, now: Snapshot) -> None:
        head = queue_view.head(now, self._names, max(20, self.size.width - 2), self.session.watcher.states)
        self.query_one("#head", Static).update(head)

    def _draw_grid(self, now: Snapshot) -> None:
        grid = self.query_one("#grid", Static)
        width = self.size.width - _GRID_PADDING
        grid.display = self.size.height >= _GRID_FROM_HEIGHT and queue_view.has_grid(now.plan, width)
        if grid.display:
            chosen = None if self.cell is None else self.cell.index
            grid.update(queue_view.grid(now, chosen, width, cursor=self._cursor))

    @property
    def _cursor(self) -> str:
        """How the cursor looks; without colours of our own it is inverted."""
        is_plain = self.app.no_color or self.app.current_theme.ansi
        return "reverse" if is_plain else "on $cursor-bg"

    # The cursor

    @on(LineTable.Highlighted)
    def _choose(self) -> None:
        """Another cell: its sign in the grid has the cursor."""
        if self.now is not None:
            self._draw_grid(self.now)

    def on_click(self, event: Click) -> None:
        """A click on a cell of the grid moves the cursor there, a second one opens it."""
        chosen = event.style.meta.get("cell")
        cells = self.now.cells if self.now is not None and event.button == 1 else ()
        place = next((place for place, cell in enumerate(cells) if cell.index == chosen), None)
        if place is not None:  # The study may have changed since the cell was drawn.
            self.table.move_to(place)
            if event.chain > 1:
                self.action_open()

    def action_move(self, rows: int) -> None:
        """Move the cursor."""
        self.table.move(rows)

    def action_page(self, pages: int) -> None:
        """Move the cursor by a page."""
        self.table.page(pages)

    def action_turn(self, step: int) -> None:
        """Another study."""
        if self.study_name in self._names:
            place = self._names.index(self.study_name) + step
            self.show(self._names[place % len(self._names)])

    def action_choose(self) -> None:
        """Ask which study."""

        def answer(name: str | None) -> None:
            if name is not None:
                self.show(name)

        if self._names:
            choices = [(name, name) for name in self._names[:MAX_STUDIES]]
            self.app.push_screen(ChoiceScreen("Show a study", choices, self.study_name or ""), answer)

    @on(LineTable.Opened)
    def action_open(self) -> None:
        """Open the run of the cell."""
        cell = self.cell
        if cell is None or cell.run_id not in self.session.watcher.histories:
            notify(self, "This cell has no run to look at.")
        else:
            self.post_message(OpenRun(cell.run_id))

    def action_report(self) -> None:
        """Report on this study."""
        self.post_message(OpenReport(self.study_name))

    async def action_back(self) -> None:
        """Leave."""
        await self.app.run_action("app.back")

    # The queue

    @work(group="change")
    async def _change(self, change: Callable[[], str | None]) -> None:
        """Change something on the disk in a thread, one key after the other, and show the sentence it returns.

        A worker may hold the queue for a moment; what is on show may be older than the change before.
        """
        try:
            sentence = await self.session.executors["studies"].run(change)
        except AlexnetTuiError as error:
            notify(self, str(error), is_error=True)
        else:
            if sentence:
                notify(self, sentence)
        self._read()

    def action_pause(self) -> None:
        """Pause, or go on."""
        if (name := self._name_shown) is not None:
            self._change(lambda: study_queue.toggle_pause(self.session.store, name))

    def action_cancel(self) -> None:
        """Cancel a cell that waits, stop one that trains."""
        cell, now = self.cell, self.now
        if cell is None or now is None:
            return
        if cell.state == State.RUNNING:
            run_actions.stop_runs(self, self.session, [cell.run_id])
        elif cell.needs_training:
            self._change(lambda: self._take_out(now.plan.name, cell))
            self.table.move(1)  # The cell goes to the end of the queue; the cursor stays where the next one comes.
        else:
            notify(self, f"This cell is {shown_word(cell.state)}: there is nothing to cancel.")

    def _take_out(self, name: str, cell: PlannedRun) -> str:
        study_queue.cancel(self.session.store, name, cell.index)
        label = withdraw_run(self.session.store, cell.run_id) if cell.run_id else ""
        return f"Taken out of {label}." if label else ""

    def action_resume(self) -> None:
        """Put a cancelled cell back, resume a stopped one."""
        cell, now = self.cell, self.now
        if cell is None or now is None:
            return
        if cell.index in now.queue.cancelled:
            self._change(lambda: study_queue.cancel(self.session.store, now.plan.name, cell.index, False))
            self.table.move(1)
        elif cell.run_id and cell.state not in {PlannedRunState.DELETED, PlannedRunState.UNREADABLE}:
            run_actions.resume_runs(self, self.session, [cell.run_id])
        else:
            notify(self, f"This cell is {shown_word(cell.state)}; ^r starts a worker for those that wait.")

    def action_shift(self, step: int) -> None:
        """Another turn for the cell."""
        cell, now = self.cell, self.now
        if cell is None or now is None:
            return
        waiting, store = [one.index for one in now.waiting], self.session.store
        if cell.index in waiting:
            self._change(lambda: study_queue.shift(store, now.plan.name, waiting, cell.index, step))
        else:
            notify(self, f"This cell is {shown_word(cell.state)}: it has no turn to change.")

    def action_first(self) -> None:
        """The next turn for the cell."""
        self.action_shift(-MAX_CELLS)

    # Plans and workers

    def action_start(self) -> None:
        """Start the worker; a paused queue goes on."""
        if (name := self._name_shown) is not None:
            self._start(name)

    def _start(self, name: str) -> None:
        """Start the worker of a study; asks first where its data must be downloaded."""
        ask_once(self, f"start {name}", functools.partial(self._ask_and_start, name))

    async def _ask_and_start(self, name: str) -> None:
        try:
            plan = await threads.call(load_plan, self.session.store, name)
            missing = await threads.call(download_question.missing, plan.one_of_each_image_size)
        except AlexnetTuiError as error:
            notify(self, str(error), is_error=True)
            return
        if missing:
            lines = [f"Then study {name} starts: {counted(len(plan.configs), 'run')}, one after another."]
            download_question.ask(self, missing[0], lines, lambda: self._start_worker(name))
        else:
            self._start_worker(name)

    def _start_worker(self, name: str) -> None:
        store, find, command = self.session.store, self.session.find_run, self.session.commands.worker
        engines = self._engines

        def start() -> str:
            now = source.read(store, engines, name, find)
            if not now.first_waiting and not now.num_waiting:
                return f"Nothing is left to do in study {name}; v shows the report."
            if study_worker.start_worker(store, name, parallel=now.queue.at_once, command=command):
                return f"A worker was started for study {name}; it continues when the console is closed."
            return f"A worker runs study {name} already."

        self._change(start)

    def action_new(self) -> None:
        """Ask for a plan."""
        self._planner.ask(self._names)

    def action_reproduce(self) -> None:
        """Ask, then reproduce the whole study or go on with it."""
        if REPRODUCTION in self._names:
            self.show(REPRODUCTION)
            self._start(REPRODUCTION)
        else:
            self._planner.ask_reproduction()

    def _take_plan(self, request: StudyRequest, plan: Plan) -> None:
        """A plan is written: show it, and start it if that was asked for."""
        name, at_once = request.name, request.at_once
        self.show(name)
        self._change(lambda: study_queue.set_at_once(self.session.store, name, at_once))
        following = "" if request.starts else " ^r starts it."
        registered = f"{counted(len(plan.claims), 'claim')} registered, " if plan.claims else ""
        notify(self, f"Study {name} is planned: {registered}SHA-256 {plan.sha256}.{following}")
        if request.may_download:  # Nobody is asked twice.
            self._start_worker(name)
        elif request.starts:
            self._start(name)
