"""The Report place: our table beside the published one, the three verdicts, and where the study contradicts itself."""

from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.geometry import Size
from textual.widgets import ContentSwitcher, Static

from alexnet_tui.errors import AlexnetTuiError
from alexnet_tui.report.content import Report, Section
from alexnet_tui.runs.state import State
from alexnet_tui.text import printable, spelled_out
from alexnet_tui.tui import threads
from alexnet_tui.tui.charts.axis import Measure
from alexnet_tui.tui.charts.model import ChartSpec
from alexnet_tui.tui.charts.screen import CHART_ACTIONS, CHART_BINDINGS, ChartScreen
from alexnet_tui.tui.charts.widget import MetricChart
from alexnet_tui.tui.keys import Keys
from alexnet_tui.tui.notifications import notify
from alexnet_tui.tui.screens.report import curves as report_curves
from alexnet_tui.tui.screens.report import source as report_source
from alexnet_tui.tui.screens.report import text as report_view
from alexnet_tui.tui.screens.report.source import OWN, Source
from alexnet_tui.tui.session import OpenStudy, RunsChanged, Session
from alexnet_tui.tui.widgets.bars import KeyBar, TabStrip, TopBar
from alexnet_tui.tui.widgets.dialogs import ChoiceScreen, ConfirmScreen, TextScreen
from alexnet_tui.tui.widgets.text import TextPage
from alexnet_tui.tui.workers import ASKING, CoalescingWorker, ask_once

PAGES = ("verdicts", "table", "curves", "contradictions", "source", "verify")
_WIDE, _LOW, _MOST_SIDE_BY_SIDE = 110, 18, 3
_SCROLLBAR_AND_PADDING = 4
_CHART_ACTIONS = CHART_ACTIONS | {"chart"}
_key = Keys("report")
_CHARTS = {"test_accuracy": "Test accuracy, mean ± sd", "train_accuracy": "Running train accuracy, mean ± sd"}


class ReportScreen(ChartScreen):
    """A report on some runs, read and judged in a thread.

    Args:
        session: The session.
        study: The study to report on, or None for the user's own runs; `show` changes it.
    """

    AUTO_FOCUS = ""
    BINDINGS: ClassVar[list[BindingType]] = [
        _key("right_square_bracket,tab", "page(1)", "Pages", "Next page of the report.", display="[/]"),
        _key("left_square_bracket,shift+tab", "page(-1)", "Back a page", "Previous page of the report.", show=False),
        _key("enter", "details", "Details", "Show or hide the statistics of each claim."),
        _key("f", "choose", "Source", "Choose what is reported: a study, own, marked or reference runs."),
        _key("e", "export", "Export", "Write the report to a file: HTML, Markdown, LaTeX or JSON."),
        _key("w", "studies", "Study", "The queue of the study that is reported.", show=False),
        _key(
            "s", "section", "Next section", "Runs of another protocol, where there are several; they are never mixed."
        ),
        _key("m", "chart", "Chart", "Test or training accuracy, where only one chart fits.", show=False),
        _key("down,j", "scroll(1)", "Down", "Scroll down.", show=False),
        _key("up,k", "scroll(-1)", "Up", "Scroll up.", show=False),
        *CHART_BINDINGS,
    ]

    def __init__(self, session: Session, study: str | None = None) -> None:
        super().__init__()
        self.session = session
        self.source: Source = report_source.of_study(study) if study else OWN
        self.report: Report | None = None
        self.checks: list[report_source.RunChecks] = []
        self.section_index = 0
        self._path = "report.html"
        self._seen: dict[str, State] = {}
        self._reading = CoalescingWorker(self, self._make)
        self._has_details = False
        self._drawn: set[str] = set()

    def compose(self) -> ComposeResult:
        """The strip of pages, always on the same line, what is reported, the pages, keys."""
        self._fit(self.app.size)  # Now, while there is nothing else to style.
        self.set_class(True, "-empty")
        yield TopBar("report")
        yield TabStrip([name.capitalize() for name in PAGES], id="strip")
        yield Static("Reading the runs…", id="head", markup=False)
        with ContentSwitcher(initial=PAGES[0], id="pages"):
            with VerticalScroll(id="verdicts"):
                yield Static(id="caveats", markup=False)
                yield Vertical(id="cards")
                yield Static(id="key", markup=False)
            yield TextPage(id="table")
            with Vertical(id="curves"):
                with Horizontal(id="charts"):
                    for column, title in _CHARTS.items():
                        spec = ChartSpec(title=spelled_out(title), y=Measure.SHARE, empty="no finished run")
                        yield MetricChart(spec, id=column)
                yield Static(id="figures", markup=False)
            yield TextPage(id="contradictions")
            yield TextPage(id="source")
            yield TextPage(id="verify")
        yield KeyBar()

    # What is shown

    def show(self, study: str | None) -> None:
        """Report on a study; None keeps what is chosen."""
        if study is not None:
            self._take_source(report_source.of_study(study))

    def on_mount(self) -> None:
        """Read."""
        self._turn_to(0)
        self._read()

    def on_screen_resume(self) -> None:
        """Runs may have ended meanwhile."""
        self._read_if(self.session.watcher.states != self._seen)

    def on_runs_changed(self, message: RunsChanged) -> None:
        """Only an end or a beginning of a run changes a report, or that the runs folder went or came back."""
        states = self.session.watcher.states
        self._read_if(
            "" in message.run_ids or any(states.get(run_id) != self._seen.get(run_id) for run_id in message.run_ids)
        )

    def on_resize(self) -> None:
        """Wrap anew."""
        self._fit(self.size)
        self._draw()

    def _fit(self, size: Size) -> None:
        self.set_class(size.width >= _WIDE, "-wide")
        self.set_class(size.height < _LOW, "-low")

    def _read_if(self, is_news: bool) -> None:
        if is_news and self.is_mounted:
            self._read()

    def _take_source(self, source: Source) -> None:
        if source != self.source:
            self.source, self.section_index, self.report = source, 0, None
            self.change_view(x_low=None, x_high=None, crosshair=None)
        if self.is_mounted:
            self._read()

    def _read(self) -> None:
        """Read and judge in a thread."""
        if self.report is None:
            self._show_message("Reading the runs…")
        self._reading.request()

    async def _make(self) -> None:
        if gone := self.session.watcher.problems.get(""):  # A report that is shown already stays.
            if self.report is None:
                self._show_message(gone, is_error=True)
            return
        wanted, self._seen = self.source, dict(self.session.watcher.states)
        report, checks, problem = None, list[report_source.RunChecks](), ""
        try:
            report, checks = await threads.call(report_source.make, self.session.store, wanted, self.session.find_run)
        except AlexnetTuiError as error:
            problem = str(error)
        if wanted != self.source:  # Another one was chosen meanwhile; it is read next.
            return
        self.report, self.checks = report, checks
        if report is None:
            self._show_message(problem, is_error=True)
        else:
            self.section_index = min(self.section_index, len(report.sections) - 1)
            self._draw()

    @property
    def section(self) -> Section | None:
        """The comparable set on show."""
        return self.report.sections[self.section_index] if self.report else None

    def _show_message(self, sentence: str, *, is_error: bool = False) -> None:
        content = Content.styled(printable(sentence, 600), "$error" if is_error else "$text-muted")
        self.query_one("#head", Static).update(content)
        self.set_class(True, "-empty")

    # Drawing

    def _draw(self) -> None:
        report, section = self.report, self.section
        if report is None or section is None or not self.query("#head"):
            return
        self.set_class(False, "-empty")
        self.query_one("#head", Static).update(report_view.head(report, self.section_index, self._width + 2))
        self.query_one("#strip", TabStrip).note = (report_view.signs(section),)
        self._drawn.clear()
        self._draw_page(report, section)
        self.refresh_bindings()

    @property
    def _width(self) -> int:
        return max(20, self.size.width - _SCROLLBAR_AND_PADDING)

    def _draw_page(self, report: Report, section: Section) -> None:
        """Draw the open page, unless it shows this report already."""
        page, width = self.page, self._width
        if page in self._drawn:
            return
        self._drawn.add(page)
        match page:
            case "verdicts":
                caveats = [*report_view.families(report, width), *report_view.caveats(section, width)]
                self.query_one("#caveats", Static).update(Content("\n").join(caveats))
                self._draw_cards(section, width)
            case "curves":
                for column in _CHARTS:
                    self.query_one(f"#{column}", MetricChart).show(report_curves.curves(section, column))
                self.query_one("#figures", Static).update(report_view.figures(section, width))
            case _:
                text = {
                    "table": lambda: report_view.table(section, width),
                    "contradictions": lambda: report_view.contradictions(report.contradictions, width),
                    "source": lambda: report_view.sources(report, self.section_index, width),
                    "verify": lambda: report_view.records(self.checks, width),
                }
                self.query_one(f"#{page}", TextPage).show(text[page]())

    def _draw_cards(self, section: Section, width: int) -> None:
        """A card a claim; side by side where there is room for that."""
        box, count = self.query_one("#cards", Vertical), len(section.claims)
        is_wide = self.has_class("-wide") and count <= _MOST_SIDE_BY_SIDE
        box.set_class(is_wide, "-side-by-side")
        room = width // max(1, count) - 4 if is_wide else width - 3
        has_runs = report_view.has_runs(section)
        contents = [
            report_view.card(verdict, room, has_runs=has_runs, has_details=self._has_details)
            for verdict in section.claims
        ]
        cards = list(box.query(Static))
        if len(cards) != count:
            box.remove_children()
            cards = [Static(markup=False) for _ in contents]
            box.mount_all(cards)
        for card, content, verdict in zip(cards, contents, section.claims, strict=True):
            card.set_classes(["card", report_view.css_class(verdict.verdict)])
            card.update(content)
        self.query_one("#key", Static).update(report_view.key(section, width))

    def action_details(self) -> None:
        """Show or hide the statistics of each claim."""
        self._has_details = not self._has_details
        self._draw()

    # Pages

    @property
    def page(self) -> str:
        """The open page's name."""
        return str(self.query_one(ContentSwitcher).current)

    def action_page(self, step: int) -> None:
        """Another page."""
        self._turn_to((PAGES.index(self.page) + step) % len(PAGES))

    @on(TabStrip.Chosen)
    def _choose_page(self, message: TabStrip.Chosen) -> None:
        self._turn_to(message.tab)

    def _turn_to(self, page: int) -> None:
        self.query_one("#strip", TabStrip).tab = page
        self.query_one(ContentSwitcher).current = PAGES[page]
        if self.report is not None and self.section is not None:
            self._draw_page(self.report, self.section)
        self.set_focus(self._scroller())
        self.refresh_bindings()

    def _scroller(self) -> VerticalScroll | None:
        return next(iter(self.query(f"#{self.page}").results(VerticalScroll)), None)

    def action_scroll(self, rows: int) -> None:
        """Scroll the page by lines."""
        if scroller := self._scroller():
            scroller.scroll_relative(y=rows, animate=False)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keys of charts belong to the page of curves; sets to reports that have several."""
        if action in _CHART_ACTIONS:
            return self.page == "curves"
        if action == "details":
            return self.page == "verdicts"
        return action != "section" or (self.report is not None and len(self.report.sections) > 1)

    def action_chart(self) -> None:
        """The other chart, where only one fits."""
        self.toggle_class("-second")

    def action_section(self) -> None:
        """The next comparable set."""
        if self.report is not None:
            self.section_index = (self.section_index + 1) % len(self.report.sections)
            self.change_view(x_low=None, x_high=None, crosshair=None)
            self._draw()

    # Acts

    def action_studies(self) -> None:
        """To the queue of studies."""
        self.post_message(OpenStudy(self.source.study or None))

    def action_choose(self) -> None:
        """Ask what to report on."""
        ask_once(self, "what to report on", self._ask_source)

    async def _ask_source(self) -> None:
        session = self.session
        try:
            found = await threads.call(
                report_source.sources,
                session.store,
                session.marked_run_ids,
                has_references=bool(session.watcher.references),
            )
        except AlexnetTuiError as error:
            notify(self, str(error), is_error=True)
            return

        def answer(key: str | None) -> None:
            if chosen := next((one for one in found if one.key == key), None):
                self._take_source(chosen)

        self.app.push_screen(
            ChoiceScreen("Report on", [(one.key, one.title) for one in found], self.source.key), answer
        )

    def action_export(self) -> None:
        """Ask for a file, then write."""
        if self.report is None:
            notify(self, "There is no report to write yet.", is_error=True)
            return
        self._ask_path(report_source.FORMATS_HINT)

    def _ask_path(self, hint: str) -> None:
        self.app.push_screen(TextScreen("Write the report to", self._path, hint=hint), self._take_path)

    def _take_path(self, text: str | None) -> None:
        if text is None or not text.strip():
            return
        self._path = text.strip()
        self.run_worker(self._ask_and_write(self._path), group=ASKING)

    async def _ask_and_write(self, text: str) -> None:
        try:
            path = report_source.target(text)
            is_there = await threads.call(report_source.is_there, path)
        except AlexnetTuiError as error:
            self._ask_path(str(error))
            return

        def answer(is_sure: bool | None) -> None:
            if is_sure:
                self._write(path)

        if is_there:
            lines = [str(path), "What is in it now is lost."]
            question = ConfirmScreen("Replace this file?", lines, action="Replace", destructive=True)
            self.app.push_screen(question, answer)
        else:
            self._write(path)

    def _write(self, path: Path) -> None:
        if self.report is not None:
            self.run_worker(self._write_file(self.report, path), group="export")

    async def _write_file(self, report: Report, path: Path) -> None:
        try:
            await self.session.executors["export"].run(report_source.write, report, path, self.session.store)
        except AlexnetTuiError as error:
            notify(self, str(error), is_error=True)
        else:
            notify(self, f"Wrote {path}")
