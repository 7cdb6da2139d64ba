"""`ConsoleApp`: the places of the console, its global keys, and the one worker that reads the runs folder."""

import asyncio
import contextlib
import gc
import importlib
import os
import signal
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

from rich.color import ColorSystem
from rich.console import RenderableType
from rich.text import Text
from textual import events
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.app import App, SystemCommand
from textual.await_remove import AwaitRemove
from textual.binding import Binding, BindingType
from textual.css.query import NoMatches
from textual.dom import DOMNode
from textual.reactive import reactive
from textual.screen import ModalScreen, Screen
from textual.widget import Widget
from textual.widgets import Input

from alexnet_tui.command_lines import shell_command
from alexnet_tui.paths import log_crash
from alexnet_tui.runs.state import State
from alexnet_tui.runs.store import Store
from alexnet_tui.text import counted, is_ascii_terminal, printable
from alexnet_tui.tui.key_queue import KeyQueue
from alexnet_tui.tui.keys import Keys, key_name
from alexnet_tui.tui.notifications import announce, copy, notify
from alexnet_tui.tui.screens.runs.screen import RunsScreen
from alexnet_tui.tui.session import (
    OpenCompare,
    OpenNewRun,
    OpenPictures,
    OpenReport,
    OpenRun,
    OpenStudy,
    Session,
    StartRun,
    post_runs_changed,
)
from alexnet_tui.tui.terminal.changed_cells import ShownCells, WrittenUpdate
from alexnet_tui.tui.terminal.driver import ConsoleDriver, check_terminal, draw_in_ascii, has_hung_up, outlive_terminal
from alexnet_tui.tui.terminal.themes import THEMES, VARIABLE_DEFAULTS, first_theme, other_theme
from alexnet_tui.tui.watch.watch_loop import WatchLoop
from alexnet_tui.tui.watch.watcher import newest

_HERE = Path(__file__).parent
_PLACES = {
    "new": ("new_run", "NewRunScreen"),
    "run": ("run", "RunScreen"),
    "compare": ("compare", "CompareScreen"),
    "pictures": ("pictures", "PicturesScreen"),
    "report": ("report", "ReportScreen"),
    "study": ("studies", "StudiesScreen"),
}
_SETTLE_SECONDS = 2.0
_HANG_UP_SECONDS = 2.0
_MOST_ENDS = 3
_key = Keys("app")


class ConsoleApp(App[int]):
    """The console of one runs folder.

    Args:
        store: The runs folder.
        run_id: A run to open at once, or None for the table.
    """

    TITLE = "alexnet-tui"
    # What is running and how far the study at work is, for the first line of every screen.
    live_notes: reactive[tuple[str, ...]] = reactive((), repaint=False)
    study_note: reactive[str] = reactive("", repaint=False)
    CSS_PATH: ClassVar = _HERE / "app.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        _key("question_mark,f1", "help", "Help", "Every key of this screen, searchable."),
        _key("q", "leave", "Quit", "Leave the console; runs continue."),
        _key("1", "place('runs')", "Runs", "All runs.", show=False),
        _key("2", "place('new')", "New run", "Start a run.", show=False),
        _key("3", "place('run')", "Run", "The run looked at last, or the newest.", show=False),
        _key("4", "place('compare')", "Compare", "Overlay the marked runs.", show=False),
        _key("5,w", "place('study')", "Studies", "Plans of many runs, and their queue.", show=False),
        _key("6", "place('report')", "Report", "Our table beside the published one.", show=False),
        _key("ctrl+p", "command_palette", "Palette", "Every action of this screen by name.", show=False),
        _key("escape", "back", "Back", "One layer out.", show=False),
        _key("t", "toggle_theme", "Theme", "Dark or light.", show=False),
        Binding("ctrl+c", "interrupt", show=False, priority=True, tooltip="Copy what is selected, or say how to quit."),
        _key("ctrl+l", "redraw", "Redraw", "Draw the screen again, where something else wrote on it.", show=False),
        _key("ctrl+z", "suspend_process", "Suspend", "To the shell; fg comes back.", show=False),
    ]

    def __init__(self, store: Store, run_id: str | None = None) -> None:
        # The charts need no threads, and starting them costs half of numpy's import.
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
        # Without colours the terminal's own palette is used from the start: Textual chooses its filter here.
        super().__init__(driver_class=ConsoleDriver, ansi_color=True if "NO_COLOR" in os.environ else None)
        self.session = Session(store)
        self.animation_level = "none"
        self._first_run = run_id
        self._last_run = run_id
        self._last_compared: list[str] = []
        self._live: set[str] = set()
        self._watch_loop = WatchLoop(self.session.watcher, lambda: bool(self._live))
        self._shown_cells = ShownCells()
        self._key_queue = KeyQueue(self, super().on_event)
        self._set_up_themes()

    def _set_up_themes(self) -> None:
        for theme in THEMES:
            self.register_theme(theme)
        ours = {theme.name for theme in THEMES}
        colors = {"truecolor": 1 << 24, "256": 256}.get(self.console.color_system or "", 16)
        # Assigned the usual way, a theme has every style sheet parsed a second and a third time at the start.
        self.set_reactive(
            App.theme, first_theme(self.session.settings.theme, no_color=self.no_color, num_colors=colors)
        )
        self.set_class(self.current_theme.dark, "-dark-mode", update=False)
        self.set_class(not self.current_theme.dark, "-light-mode", update=False)
        self._refresh_truecolor_filter(self.ansi_theme)
        self.stylesheet.set_variables(self.get_css_variables())
        for name in set(self.available_themes) - ours:
            self.unregister_theme(name)

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Our own variables, for themes that lack them."""
        return VARIABLE_DEFAULTS

    def get_default_screen(self) -> Screen[Any]:
        """The runs table is the lowest screen."""
        return RunsScreen(self.session)

    # Keys

    async def on_event(self, event: events.Event) -> None:
        """Keys and pastes are queued; one that was handled there comes back here for the bindings."""
        if isinstance(event, events.Key | events.Paste) and not event.is_forwarded:
            await self._key_queue.put(event)
        else:
            await super().on_event(event)

    # Following the runs folder

    def on_mount(self) -> None:
        """Know the runs before the first frame, then follow them."""
        self.set_keymap(self.session.settings.keymap)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            # Outside the main thread, as under a test runner, there are no signals to handle.
            with contextlib.suppress(RuntimeError, ValueError, NotImplementedError):
                loop.add_signal_handler(number, self._exit_on, number)
        if self._first_run is not None:
            self.session.watcher.open(self._first_run)  # Now, so that its events are read once.
        # The terminal has forgotten all; Textual itself paints only what changes in size.
        self.app_resume_signal.subscribe(self, lambda _: self.action_redraw())
        self._follow_ends(self.session.watcher.poll())
        self.on_runs_changed()
        self.run_worker(self._watch_loop.follow(self._take_changes), name="watcher")
        if self._first_run is not None:
            self.open_run(self._first_run)
        self.set_timer(_SETTLE_SECONDS, _collect_again)
        if not self.is_headless:
            self.set_interval(_HANG_UP_SECONDS, self._leave_if_hung_up)

    def on_unmount(self) -> None:
        """Keep what is to be remembered."""
        self.session.close()

    def _exit_on(self, number: signal.Signals) -> None:
        self.exit(return_code=128 + number)

    def _leave_if_hung_up(self) -> None:
        if has_hung_up():
            self._exit_on(signal.SIGHUP)

    def _take_changes(self, changed: set[str]) -> None:
        self._follow_ends(changed)
        self.post_runs_changed(changed)

    def on_poll_eagerly(self) -> None:
        """A run was asked to start or stop."""
        self._watch_loop.poll_eagerly()

    def _follow_ends(self, changed: set[str]) -> None:
        """Notify of runs that ended, of those that ended together in one message."""
        states = self.session.watcher.states
        running = {run_id for run_id in changed if states.get(run_id) is State.RUNNING}
        ended = sorted(self._live & (changed - running))
        self._live = (self._live | running).difference(ended)
        told = {run_id: note for run_id in ended if (note := self.session.end_note(run_id))}
        if told:
            more = [f"{counted(len(told) - _MOST_ENDS, 'more run')} ended."] if len(told) > _MOST_ENDS else []
            is_error = any(states.get(run_id) in {State.FAILED, State.LOST} for run_id in told)
            announce(self, " ".join([*list(told.values())[:_MOST_ENDS], *more]), is_error=is_error)

    def on_runs_changed(self) -> None:
        """Say what is running, and how far the study at work is: something was read of runs, or changed here."""
        self.live_notes, self.study_note = self.session.live_notes(), self.session.study_note()

    def post_runs_changed(self, run_ids: Iterable[str]) -> None:
        """Post `RunsChanged` to the topmost screen that is no dialog."""
        post_runs_changed(self, run_ids)

    # Places

    def on_open_run(self, message: OpenRun) -> None:
        """Show one run."""
        self.open_run(message.run_id)

    def open_run(self, run_id: str) -> None:
        """Show one run."""
        self._last_run = run_id
        self.session.watcher.open(run_id)
        self._watch_loop.poll_now()
        self._show("run", run_id)

    def on_open_compare(self, message: OpenCompare) -> None:
        """Overlay runs."""
        self._last_compared = message.run_ids
        self._show("compare", message.run_ids)

    def on_open_pictures(self, message: OpenPictures) -> None:
        """What two runs learned, beside each other."""
        self._show("pictures", message.run_ids)

    def on_open_new_run(self, message: OpenNewRun) -> None:
        """Show the form, filled from a run if one is named."""
        history = self.session.watcher.histories.get(message.template_run_id or "")
        if history is not None and history.record.foreign:
            notify(self.screen, "Another program trained this run; its settings are not known.")
            return
        self._show("new", message.template_run_id)

    def on_start_run(self, message: StartRun) -> None:
        """Start a run; the form shows what is started, and its progress until it is."""
        self._show("new", message.config)

    def on_open_report(self, message: OpenReport) -> None:
        """Show our table beside the published one, of a study or of what was reported last."""
        self._show("report", message.study)

    def on_open_study(self, message: OpenStudy) -> None:
        """Show a study's queue, or the one looked at last."""
        self._show("study", message.study)

    def on_open_runs(self) -> None:
        """Close everything but the runs table."""
        self.show_runs()

    def show_runs(self) -> None:
        """Close everything but the runs table."""
        while len(self.screen_stack) > 1:
            self.pop_screen()

    def _show(self, place: str, argument: object) -> None:
        """Bring a place to the top; its screen is made once, then shown with another argument."""
        if not self.is_screen_installed(place):
            folder, name = _PLACES[place]
            found = importlib.import_module(f"alexnet_tui.tui.screens.{folder}.screen")
            sheet = (
                _HERE / "screens" / folder / "screen.tcss"
            )  # As a screen's `CSS_PATH` it would have all others parsed anew.
            self.stylesheet.add_source(sheet.read_text("utf-8"), (str(sheet), ""))
            self.install_screen(getattr(found, name)(self.session, argument), place)
            self.push_screen(place)
            return
        screen: Any = self.get_screen(place)
        screen.show(argument)
        if screen in self.screen_stack:
            while self.screen is not screen:
                self.pop_screen()
        else:
            self.push_screen(place)

    def action_place(self, place: str) -> None:
        """Go to a place by its number."""
        if isinstance(self.screen, ModalScreen):
            return
        if place == "runs":
            self.show_runs()
        elif place == "run":
            histories = self.session.watcher.histories
            run_id = self._last_run if self._last_run in histories else newest(histories.values())
            if run_id is None:
                notify(self, "There is no run yet; press 2 to start one.")
            else:
                self.open_run(run_id)
        elif place == "compare":
            known = self.session.watcher.histories
            last = [run_id for run_id in self._last_compared if run_id in known]
            compared = self.session.comparison() or last
            if compared:
                self._last_compared = compared
                self._show("compare", compared)
            else:
                notify(self, self.session.missing_to_compare())
        else:
            self._show(place, None)

    def action_back(self) -> None:  # type: ignore[override]  # Screens call it; nothing to await.
        """One layer out; the runs table is the last."""
        if len(self.screen_stack) > 1:
            self.pop_screen()

    async def _replace_screen(self, screen: Screen[Any]) -> Screen[Any]:
        """Remove a screen that was closed, but not before its widgets are there: else it misses them when it begins."""
        if screen._task is not None and not self.is_screen_installed(screen):
            await screen._mounted_event.wait()
        return await super()._replace_screen(screen)

    def _prune(self, *nodes: Widget, parent: DOMNode | None = None) -> AwaitRemove:
        """Remove widgets; their workers end first, which would write into those that are removed before the others."""
        for worker in list(self.workers):
            if not set(nodes).isdisjoint(worker.node.ancestors_with_self):
                worker.cancel()
        return super()._prune(*nodes, parent=parent)

    # The terminal

    def _display(self, screen: Screen[Any], renderable: RenderableType | None) -> None:
        """Send only the cells that changed, and nothing at all where none did."""
        is_sent = self._running and not (self._closed or self._batch_count or self.is_headless)
        if is_sent and isinstance(renderable, ChopsUpdate | LayoutUpdate):
            text = self._shown_cells.changes(renderable, self.console._color_system or ColorSystem.TRUECOLOR)
            has_moved = self.screen.outer_size.clamp_offset(self.cursor_position) != self._previous_cursor_position
            renderable = WrittenUpdate(text) if text or has_moved else None  # type: ignore[assignment]
        super()._display(screen, renderable)

    @property
    def _background_screens(self) -> list[Screen[Any]]:
        """Screens below the topmost that shine through; Textual also paints one that is covered, and all above anew."""
        is_covered = self.screen.styles.background.a == 1
        return [] if is_covered else super()._background_screens

    def on_resize(self) -> None:
        """A terminal of another size may show anything."""
        self._shown_cells.forget()

    def action_redraw(self) -> None:
        """Draw the whole screen again."""
        self._shown_cells.forget()
        self.refresh()

    # Everywhere

    def on_metric_chart_not_zoomed(self) -> None:
        """A chart shows as little of its x axis as it can."""
        notify(self, "The chart cannot be zoomed further.")

    def action_help(self) -> None:
        """The keys of the screen below."""
        from alexnet_tui.tui.screens.runs.filter import HELP
        from alexnet_tui.tui.widgets.bars import KeyBar
        from alexnet_tui.tui.widgets.help import HelpScreen, help_entries

        if isinstance(self.screen, ModalScreen):
            return
        entries = help_entries(list(self.screen.active_bindings.values()))
        words = HELP if isinstance(self.screen, RunsScreen) else ()
        messages = [text for bar in self.screen.query(KeyBar) for text in bar.messages]
        self.push_screen(HelpScreen(entries, filter_words=words, messages=messages))

    def action_command_palette(self) -> None:
        """Every action of the screen by name."""
        from alexnet_tui.tui.widgets.palette import Palette  # Not needed to start.

        if not isinstance(self.screen, ModalScreen):
            self.push_screen(Palette())

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """The palette has what the screen's keys do, under the same names, also where a text field has the keys."""
        focused = screen.focused
        nodes = list(focused.ancestors_with_self) if focused else [screen, self]
        found: dict[str, tuple[Binding, DOMNode]] = {}
        actions = set[str]()
        for node in nodes:
            for one in (one for same in node._bindings.key_to_bindings.values() for one in same):
                action = one.action.removeprefix("app.")
                is_plain = one.id and one.tooltip and "(" not in action.replace("place('", "")
                is_new = one.description not in found and action not in {*actions, "command_palette"}
                if is_plain and is_new and node.check_action(action, ()):
                    found[one.description] = one, node
                    actions.add(action)
        for name, (one, node) in sorted(found.items(), key=lambda item: item[0].casefold()):
            yield SystemCommand(name, f"{one.tooltip} {key_name(one.key)}", self._runner(one.action, node))

    def _runner(self, action: str, node: DOMNode) -> Any:
        return lambda: self.call_later(self.run_action, action, node)

    def action_toggle_theme(self) -> None:
        """Dark or light."""
        self.theme = other_theme(self.theme)
        self.session.change_settings(theme=self.theme)

    def action_interrupt(self) -> None:
        """Copy what is selected; else say how to quit, once however often one asks."""
        field = self.focused if isinstance(self.focused, Input) else None
        selected = field.selected_text if field else self.screen.get_selected_text()
        if selected:
            copy(self, selected)
            return
        first = "esc, then " if field or isinstance(self.screen, ModalScreen) else ""
        self.clear_notifications()
        notify(self, f"Press {first}q to quit; runs continue.")

    def action_leave(self) -> None:
        """Leave; runs continue."""
        self.exit(0)

    def _handle_exception(self, error: Exception) -> None:
        """Stop because of a fault; that a screen misses widgets once the console is left is none.

        Textual (8.2) goes on with a screen that was just opened, and mounts nothing in it any more.
        """
        if not (self._exit and isinstance(error, NoMatches)):
            super()._handle_exception(error)

    def _fatal_error(self) -> None:
        """A fault of ours: the traceback goes to a file, a sentence to the terminal."""
        self.panic(Text(f"The console stopped because of a fault of its own. {log_crash()} Runs continue."))


def _collect_again() -> None:
    """Collect garbage again, but never look at the objects made at the start, which stay."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()


def run_console(store: Store, run_id: str | None = None) -> int:
    """Run the console until it is left.

    Returns:
        0, or 1 after a crash, or 128 and the signal's number.

    Raises:
        UsageError: There is no terminal to draw on.
    """
    check_terminal()
    app = ConsoleApp(store, run_id)
    outlive_terminal()
    if is_ascii_terminal():
        draw_in_ascii()
    app.run()
    if running := app.session.num_running():
        goes, them = ("1 run continues", "it") if running == 1 else (f"{running} runs continue", "them")
        note = f"{goes} in the background; `{shell_command(root=store.root)}` shows {them} again."
        with contextlib.suppress(OSError):  # The terminal may be gone.
            sys.stderr.write(printable(note) + "\n")
    return app.return_code or 0
