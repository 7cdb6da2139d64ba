"""One run, whether it is live, finished, crashed or not yet started: curves, configuration, log, system, checks."""

import asyncio
import math
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.geometry import Size
from textual.timer import Timer
from textual.widgets import ContentSwitcher

from alexnet_tui.runs.history import RunHistory
from alexnet_tui.runs.liveness import silence_text
from alexnet_tui.runs.state import State, would_fail_again
from alexnet_tui.text import printable
from alexnet_tui.tui import run_actions, threads
from alexnet_tui.tui.charts.axis import Measure
from alexnet_tui.tui.charts.model import ChartSpec, View
from alexnet_tui.tui.charts.run_curves import accuracy_curves, lead_over, loss_curves
from alexnet_tui.tui.charts.screen import CHART_ACTIONS, CHART_BINDINGS, ChartScreen
from alexnet_tui.tui.charts.widget import MetricChart
from alexnet_tui.tui.keys import Keys, new_run_key
from alexnet_tui.tui.notifications import notify
from alexnet_tui.tui.run_names import names_beside
from alexnet_tui.tui.screens.run.facts import empty_text, lead_text
from alexnet_tui.tui.screens.run.header import Head, HeadView, summary_panel
from alexnet_tui.tui.screens.run.pace import StepsPace
from alexnet_tui.tui.screens.run.pages import ConfigPage, LogPage, RunPage, SystemPage, VerifyPage
from alexnet_tui.tui.screens.run.side import SMALL_CHARTS, SidePanel
from alexnet_tui.tui.session import OpenCompare, OpenNewRun, OpenRuns, RunsChanged, Session
from alexnet_tui.tui.widgets.bars import KeyBar, TabStrip, TopBar
from alexnet_tui.tui.widgets.text import TONE_STYLES
from alexnet_tui.tui.workers import CoalescingWorker

_key = Keys("run")
_PAGES = ("curves", "pictures", "config", "log", "system", "verify")
_SIDE_WIDTH, _ONE_CHART_WIDTH = 120, 60
_CHARTS = ("loss", "accuracy")
_SIDE_SECONDS, _ROWS_ABOVE_SIDE = 2.0, 6
_LOW_HEIGHT, _TALL_HEIGHT = 16, 34
_HEAD_SECONDS, _TICK_SECONDS, _SILENCE_SECONDS = 0.9, 1.0, 5.0
_RECENT_SECONDS = 1.4  # Younger than this, an age is plotted with the next event.
_CURVES_ACTIONS = CHART_ACTIONS | {"next_chart", "step_out"}


class RunScreen(ChartScreen):
    """Everything about one run.

    Args:
        session: The session.
        run_id: The run to show; `show` changes it.
    """

    AUTO_FOCUS = ""
    BINDINGS: ClassVar[list[BindingType]] = [
        _key("x", "stop", "Stop", "Stop this run after a checkpoint."),
        _key("R", "resume", "Resume", "Resume this run from its last checkpoint."),
        _key("right_square_bracket", "page(1)", "Pages", f"Next page: {', '.join(_PAGES)}.", display="[/]"),
        _key("left_square_bracket", "page(-1)", "Previous", "Previous page.", show=False),
        _key("c", "compare", "Compare", "Compare this run with the pinned and the marked ones."),
        _key("d", "duplicate", "Duplicate", "Open the form filled in from this run."),
        new_run_key("run"),
        *CHART_BINDINGS,
        _key("p", "pin", "Pin", "Make this run the baseline of all others; again, no longer."),
        _key("D,delete", "delete", "Delete", "Delete this run; asks first."),
        _key(
            "m", "next_chart", "Maximise", "One chart after the other alone, then all: also the small ones at the side."
        ),
        _key("o,y", "folder", "Path", "Copy the path of this run's folder.", show=False),
    ]

    def __init__(self, session: Session, run_id: str) -> None:
        super().__init__()
        self.session = session
        self.run_id = run_id
        self._plotted: tuple[object, ...] = ()
        self._state: tuple[State, bool] | None = None
        self._pace = StepsPace()
        self._head_painted_at = self._changed_at = 0.0
        self._maximised = ""
        self._window = Size(0, 0)
        """What the charts and the head were fitted to; the screen's own size is not known when it is mounted."""
        self._side_timer: Timer | None = None
        self._side_plotted: tuple[object, ...] = ()
        self._silence, self._silence_read_at = "", -math.inf
        self._silence_reading = CoalescingWorker(self, self._read_silence)
        self._pictures = CoalescingWorker(self, self._show_pictures)

    def compose(self) -> ComposeResult:
        """The strip of pages, always on the same line, the head, which is lower on some of them, and the pages."""
        yield TopBar("run")
        yield TabStrip([name.capitalize() for name in _PAGES], id="strip")
        yield HeadView(id="head")
        with ContentSwitcher(initial="curves", id="pages"):
            with Horizontal(id="curves"):
                yield MetricChart(ChartSpec(title="Loss"), id="loss")
                yield MetricChart(ChartSpec(title="Accuracy", y=Measure.SHARE), id="accuracy")
                yield SidePanel(id="side")
            yield Vertical(id="pictures")
            yield ConfigPage(self.session, self.run_id, id="config")
            yield LogPage(self.session, self.run_id, id="log")
            yield SystemPage(self.session, self.run_id, id="system")
            yield VerifyPage(self.session, self.run_id, id="verify")
        yield KeyBar()

    @property
    def history(self) -> RunHistory | None:
        """What is known of the run, or None if it is gone."""
        return self.session.watcher.histories.get(self.run_id)

    @property
    def pinned(self) -> RunHistory | None:
        """The run to compare with: the pinned one, unless it is this one."""
        pinned_id = self.session.pinned_run_id
        return None if pinned_id == self.run_id else self.session.watcher.histories.get(pinned_id or "")

    @property
    def page(self) -> str:
        """The open page's name."""
        return str(self.query_one(ContentSwitcher).current)

    def show(self, run_id: str) -> None:
        """Turn to another run; everything a person zoomed or read on the old one is forgotten."""
        if run_id == self.run_id:
            return
        self.session.watcher.close(self.run_id)
        self.run_id = run_id
        self.session.watcher.open(run_id)
        self._plotted = self._side_plotted = ()
        if self._side_timer is not None:  # It was to wait for more points of the old one.
            self._side_timer.stop()
            self._side_timer = None
        self._silence, self._silence_read_at = "", -math.inf
        for chart in self.query(MetricChart):
            chart.view = View(log=chart.view.log, smoothing=chart.view.smoothing, clip=chart.view.clip)
        for page in self.query(RunPage):
            page.turn_to(run_id)
        if self.is_mounted:
            self._turn_to(0)  # The charts and the numbers are drawn at once.

    def on_mount(self) -> None:
        """Follow the steps, and let the age of the last point grow."""
        self.session.watcher.open(self.run_id)
        self._ticker = self.set_interval(_TICK_SECONDS, self._tick)
        self._fit(self.app.size)  # Fitting later would lay it out twice.
        self._refresh()

    def on_screen_resume(self) -> None:
        """Catch up with what happened while another screen was on top."""
        self._refresh()

    def on_resize(self) -> None:
        """Choose what fits."""
        self._fit(self.size)
        self._refresh()

    def on_runs_changed(self, message: RunsChanged) -> None:
        """Draw again what changed."""
        if message.run_ids & {self.run_id, self.session.folder.pinned}:  # Also one that is gone.
            self._changed_at = asyncio.get_running_loop().time()
            self._refresh()

    def _tick(self) -> None:
        """Once a second: ages grow, logs too."""
        is_live = self.session.watcher.states.get(self.run_id) is State.RUNNING
        now = asyncio.get_running_loop().time()
        is_old = now - self._head_painted_at >= _HEAD_SECONDS and now - self._changed_at >= _RECENT_SECONDS
        if self.is_current and is_live and is_old:
            self._refresh()
        elif self.is_current and self.page == "log":
            self.query_one(LogPage).read()

    def _fit(self, size: Size) -> None:
        was_narrow, is_narrow = 0 < self._window.width < _ONE_CHART_WIDTH, size.width < _ONE_CHART_WIDTH
        if was_narrow and not is_narrow:
            self._maximised = ""  # It was chosen where only one fitted.
        self._window = size
        self.set_class(size.height < _LOW_HEIGHT, "-low")
        shown = self._maximised or (_CHARTS[-1] if is_narrow else "")
        for name in _CHARTS:
            self.query_one(f"#{name}").display = shown in {"", name}
        is_small = shown in SMALL_CHARTS
        side = self.query_one(SidePanel)
        side.display = is_small or (not shown and size.width >= _SIDE_WIDTH)
        side.set_class(is_small, "-maximised")
        side.fit(size.height - _ROWS_ABOVE_SIDE, shown if is_small else "")

    def _refresh(self) -> None:
        if not self.is_mounted or not self.query("#head"):
            return
        history = self.history
        state = self.session.state_of(self.run_id)
        if state is State.RUNNING or self.page == "log":
            self._ticker.resume()
        else:
            self._ticker.pause()  # Nothing here grows older.
        now = self._head_painted_at = asyncio.get_running_loop().time()
        self.query_one("#head", HeadView).show(self._head(history, state))
        if self._state != (now_is := (state, self.run_id in self.session.watcher.stopping)):
            self._state, self._silence_read_at = now_is, -math.inf
            self.query_one(KeyBar).refresh()  # Other acts are possible now.
        if state in {State.RUNNING, State.LOST} and now - self._silence_read_at >= _SILENCE_SECONDS:
            self._silence_read_at = now
            self._silence_reading.request()
        if history is None:
            self._empty()
            if self.page == "pictures":
                self._pictures.request()  # They say themselves what is not there.
        else:
            self._show_page(history, state)

    def _empty(self) -> None:
        """Show nothing of any run below the head; what is read later for this one may fill it again."""
        self._plotted = self._side_plotted = ()
        for chart in self.query(MetricChart):
            chart.show([])
        self.query_one(SidePanel).show_numbers(Content(""))
        self._show_lead(None)
        for page in self.query(RunPage):
            page.clear()

    def _show_page(self, history: RunHistory, state: State) -> None:
        match self.page:
            case "curves":
                self._show_curves()
            case "pictures":
                self._pictures.request()
            case page:
                self.query_one(f"#{page}", RunPage).show_run(history, state)

    async def _show_pictures(self) -> None:
        """What the run's network learned; loaded and read only for who looks."""
        from alexnet_tui.tui.pictures.panel import PicturesPanel

        holder = self.query_one("#pictures")
        panels = list(holder.query(PicturesPanel))
        if panels:
            await panels[0].show([self.run_id])
            panels[0].update()
        else:
            panels = [PicturesPanel(self.session, [self.run_id])]
            await holder.mount(*panels)
        if self.page == "pictures" and self.focused is None:
            panels[0].focus()

    def _show_curves(self) -> None:
        """Draw the charts if a point is new; steps alone wait a moment for others."""
        history = self.history
        assert history is not None
        loss, accuracy = self.query_one("#loss", MetricChart), self.query_one("#accuracy", MetricChart)
        plotted, now = self._plotted_of(history, has_loss=loss.display), asyncio.get_running_loop().time()
        is_new, self._plotted = plotted != self._plotted, plotted
        epochs = accuracy.spec.x_covers
        if is_new or self._pace.is_due(history.step, now):
            with self._pace.drawing(history.step, now):
                self._draw_loss(loss, history)
            epochs = loss.full_range
        if is_new or accuracy.spec.x_covers != epochs:
            self._draw_accuracy(accuracy, history, epochs, has_names=not loss.display)
        if is_new:
            self.query_one(SidePanel).show_numbers(summary_panel(history, self.pinned))
            self._show_lead(history)
        if self._side_timer is None:
            # Behind the large charts, and seldom: nobody waits for these.
            self._side_timer = self.set_timer(_SIDE_SECONDS if self._side_plotted else 0.05, self._draw_side)

    def _plotted_of(self, history: RunHistory, *, has_loss: bool) -> tuple[object, ...]:
        """What the large charts are drawn from, but for the steps."""
        pinned, state = self.pinned, self.session.state_of(self.run_id)
        of_pinned = (id(pinned), len(pinned.epochs) if pinned else 0, self._pinned_label())
        return id(history), len(history.epochs), state, empty_text(history, state), of_pinned, has_loss

    def _draw_loss(self, chart: MetricChart, history: RunHistory) -> None:
        empty = empty_text(history, self.session.state_of(self.run_id))
        chart.show(loss_curves(history, self.pinned, self._pinned_label()), ChartSpec(title="Loss", empty=empty))

    def _draw_accuracy(
        self, chart: MetricChart, history: RunHistory, epochs: tuple[float, float] | None, *, has_names: bool
    ) -> None:
        spec = ChartSpec(
            title="Accuracy",
            y=Measure.SHARE,
            x_covers=epochs,  # The same epochs are above each other, also before the first one has ended.
            empty=empty_text(history, self.session.state_of(self.run_id)),
            has_names=has_names,  # Else the curves of the loss say which is which.
        )
        chart.show(accuracy_curves(history, self.pinned, self._pinned_label()), spec)

    def _draw_side(self) -> None:
        self._side_timer = None
        history = self.history
        plotted = (id(history), history.step, history.num_events, self._maximised, self.size) if history else ()
        if history is not None and plotted != self._side_plotted:
            self._side_plotted = plotted
            for side in self.query(SidePanel):  # None, where the timer ends while the console is being left.
                side.show_charts(history)

    def charts(self) -> list[MetricChart]:
        """The large charts, which share the view, or a small one that is shown alone."""
        names = (self._maximised,) if self._maximised in SMALL_CHARTS else _CHARTS
        return [chart for chart in self.query(MetricChart) if chart.id in names]

    def _pinned_label(self) -> str:
        history, pinned = self.history, self.pinned
        return names_beside([history, pinned], self.session.label_of)[pinned.id].full if history and pinned else ""

    def _show_lead(self, history: RunHistory | None) -> None:
        """Say at the right of the pages how far the run is ahead of the pinned one; nothing where it is not known."""
        notes, pinned = list[Content](), self.pinned
        if history is not None and pinned is not None and (lead := lead_over(history, pinned)) is not None:
            for label in (self._pinned_label(), "pinned"):
                text, tone = lead_text(lead, label)
                notes.append(Content.styled(text, f"bold {TONE_STYLES[tone]}".rstrip()))
        self.query_one("#strip", TabStrip).note = tuple(notes)

    def _head(self, history: RunHistory | None, state: State) -> list[Content]:
        if history is None:
            why = printable(self.session.watcher.why_unknown(self.run_id), 400)
            return [Content(printable(self.run_id, 80)), Content.styled(why, "$warning")]
        news = self._silence if state in {State.RUNNING, State.LOST} else ""
        width, height = self._window
        head = Head(history, state, max(10, width - 2), news, is_stopping=self.run_id in self.session.watcher.stopping)
        has_side = width >= _SIDE_WIDTH
        is_low = height < (_TALL_HEIGHT if self.page == "pictures" else _LOW_HEIGHT)
        return head.lines(self.session.label_of(self.run_id), is_low=is_low, has_numbers=not has_side)

    async def _read_silence(self) -> None:
        """For how long nothing came from another host that trains the run; its lock file names that host."""
        run_id = self.run_id
        news = await threads.call(silence_text, self.session.store.root / run_id)
        if run_id == self.run_id and news != self._silence:
            self._silence = news
            self._refresh()

    def on_tab_strip_chosen(self, message: TabStrip.Chosen) -> None:
        """A page's name was clicked."""
        self._turn_to(message.tab)

    def action_page(self, direction: int) -> None:
        """The next or the previous page."""
        self._turn_to((_PAGES.index(self.page) + direction) % len(_PAGES))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keys of the charts mean nothing where there are none."""
        return action not in _CURVES_ACTIONS or not self.is_mounted or self.page == "curves"

    def _turn_to(self, page: int) -> None:
        self.query_one("#strip", TabStrip).tab = page
        self.query_one(ContentSwitcher).current = _PAGES[page]
        self._refresh()
        self.refresh_bindings()
        pages = self.query(f"#{_PAGES[page]}").results(RunPage)
        self.set_focus(next(iter(pages), None))

    def offers(self, action: str) -> bool:
        """Whether the key bar should name an act: what cannot be done now is only explained when asked for."""
        state = self.session.state_of(self.run_id)
        if action in {"stop", "delete"}:
            is_new = action == "delete" or self.run_id not in self.session.watcher.stopping
            return is_new and (action == "stop") is (state is State.RUNNING)
        if action == "resume":
            history = self.session.watcher.histories.get(self.run_id)
            helps = state is not State.FAILED or history is None or not would_fail_again(history)
            return state not in {State.RUNNING, State.FINISHED} and helps
        return True

    def action_next_chart(self) -> None:
        """One chart alone, then the next; behind the last all again, where there is room for all."""
        names = (
            ("", *_CHARTS, *SMALL_CHARTS)
            if self.size.width >= _ONE_CHART_WIDTH
            else (*reversed(_CHARTS), *SMALL_CHARTS)
        )
        before = names.index(self._maximised) if self._maximised in names else 0
        self._maximised = names[(before + 1) % len(names)]
        self._fit(self.size)
        self._refresh()
        if self._side_timer is not None:
            self._side_timer.stop()
        self._draw_side()  # Somebody waits for a small chart that is shown now.

    def action_stop(self) -> None:
        """Ask the trainer to stop after a checkpoint."""
        run_actions.stop_runs(self, self.session, [self.run_id])

    def action_resume(self) -> None:
        """Resume, or start a queued run."""
        run_actions.resume_runs(self, self.session, [self.run_id])

    def action_duplicate(self) -> None:
        """Open the form filled in from this run."""
        self.post_message(OpenNewRun(self.run_id))

    def action_compare(self) -> None:
        """This run beside the pinned and the marked ones."""
        others = [self.session.pinned_run_id, *self.session.marked_run_ids]
        if compared := list(dict.fromkeys(run_id for run_id in others if run_id and run_id != self.run_id)):
            self.post_message(OpenCompare([self.run_id, *compared]))
        else:
            notify(self, "Nothing to compare with: mark runs in Runs with space, or pin one there with p.")

    def action_pin(self) -> None:
        """Make this run the baseline, or no longer."""
        self.session.toggle_pin([self.run_id])
        self._refresh()
        notify(self, self.session.pin_note(self.session.label_of(self.run_id)))

    def action_delete(self) -> None:
        """Delete the run, after a question, and go back to the others, unless one went elsewhere meanwhile."""
        run_id = self.run_id

        def leave() -> None:
            if self.app.screen is self and self.run_id == run_id:
                self.post_message(OpenRuns())

        run_actions.delete_runs(self, self.session, [run_id], then=leave)

    def action_folder(self) -> None:
        """Copy the path of the run; a message shows it."""
        run_actions.copy_folders(self, self.session, [self.run_id])
