"""`AlexnetApp`: the places of the console, its global keys, and the one worker that reads the store."""

import asyncio
import contextlib
import gc
import importlib
import os
import signal
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar

from rich.text import Text
from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen, Screen

from alexnet_tui.paths import command
from alexnet_tui.runs.history import State
from alexnet_tui.runs.store import Store
from alexnet_tui.text import format_percent, printable
from alexnet_tui.tui import run_actions
from alexnet_tui.tui.crash import log_crash
from alexnet_tui.tui.screens.runs.screen import RunsScreen
from alexnet_tui.tui.session import RunsChanged
from alexnet_tui.tui.settings import load_settings, save_settings
from alexnet_tui.tui.terminal import check_terminal, draw_in_ascii, has_hung_up, is_ascii_terminal
from alexnet_tui.tui.themes import THEMES, VARIABLE_DEFAULTS, first_theme, other_theme
from alexnet_tui.tui.watch_loop import Lookout
from alexnet_tui.tui.watcher import RunsWatcher, newest

_HERE = Path(__file__).parent
_PLACES = {
    "new": ("new_run", "NewRunScreen"),
    "run": ("run", "RunScreen"),
    "compare": ("compare", "CompareScreen"),
    "report": ("report", "ReportScreen"),
    "study": ("studies", "QueueScreen"),
}
_SETTLE_SECONDS = 2.0
_HANG_UP_SECONDS = 2.0


def _key(keys: str, action: str, name: str, tooltip: str, *, id: str = "", show: bool = False) -> Binding:
    identifier = f"app.{id or action.replace('_', '-')}"
    return Binding(keys, action, name, id=identifier, tooltip=tooltip, show=show)


class AlexnetApp(App[int]):
    """The console of one runs folder.

    Args:
        store: The runs folder.
        run_id: A run to open at once, or None for the table.

    Attributes:
        trainer: The command that trains, where it is not the usual one; tests play it.
    """

    TITLE = "alexnet-tui"
    CSS_PATH: ClassVar = _HERE / "app.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        _key("question_mark,f1", "help", "Help", "Every key of this screen, searchable.", show=True),
        _key("q", "leave", "Quit", "Leave the console; runs go on.", id="quit", show=True),
        _key("1", "place('runs')", "Runs", "All runs.", id="runs"),
        _key("2", "place('new')", "New run", "Start a run.", id="new"),
        _key("3", "place('run')", "Run", "The run looked at last, or the newest.", id="run"),
        _key("4", "place('compare')", "Compare", "The marked runs over each other.", id="compare"),
        _key("5", "place('report')", "Report", "Our table beside the published one.", id="report"),
        _key("w", "place('study')", "Studies", "Plans of many runs, and their queue.", id="study", show=True),
        _key("escape", "back", "Back", "One layer out."),
        _key("t", "toggle_theme", "Theme", "Dark or light.", id="theme"),
        Binding("ctrl+c", "interrupt", show=False, priority=True, tooltip="Copy what is selected, or say how to quit."),
        _key("ctrl+z", "suspend_process", "Suspend", "To the shell; fg comes back.", id="suspend"),
    ]

    def __init__(self, store: Store, run_id: str | None = None) -> None:
        # The charts need no threads, and starting them costs half of numpy's import.
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
        # Without colours the terminal's own palette is used from the start: Textual chooses its filter here.
        super().__init__(ansi_color=True if "NO_COLOR" in os.environ else None)
        self.store = store
        self.watcher = RunsWatcher(store)
        self.settings = load_settings()
        self.folder = self.settings.folder(store.root)
        self.ascii_only = is_ascii_terminal()
        self.animation_level = "none"
        self.trainer: tuple[str, ...] | None = None
        self._first_run = run_id
        self._last_run = run_id
        self._last_compared: list[str] = []
        self._live: set[str] = set()
        self._lookout = Lookout(self.watcher, lambda: bool(self._live))
        self._set_up_themes()

    def _set_up_themes(self) -> None:
        for theme in THEMES:
            self.register_theme(theme)
        ours = {theme.name for theme in THEMES}
        colors = {"truecolor": 1 << 24, "256": 256}.get(self.console.color_system or "", 16)
        # Assigned the usual way, a theme has every style sheet parsed a second and a third time at the start.
        self.set_reactive(App.theme, first_theme(self.settings.theme, no_color=self.no_color, num_colors=colors))
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
        """The runs table lies under everything."""
        return RunsScreen()

    # What screens ask

    @property
    def pinned_run_id(self) -> str | None:
        """The run others are compared to, if it is still there."""
        return self.folder.pinned if self.folder.pinned in self.watcher.histories else None

    @property
    def marked_run_ids(self) -> list[str]:
        """Marked runs that are still there, in the order they were marked."""
        return [run_id for run_id in self.folder.marked if run_id in self.watcher.histories]

    def label_of(self, run_id: str) -> str:
        """What to call a run, safe to show, never markup."""
        history = self.watcher.histories.get(run_id)
        notes = self.watcher.notes.get(run_id)
        label = (notes.label if notes else "") or (history.record.label if history else "")
        return printable(label.strip() or run_id, 120)

    def num_running(self) -> int:
        """How many runs are being trained now."""
        return sum(state is State.RUNNING for state in self.watcher.states.values())

    # Following the store

    def on_mount(self) -> None:
        """Know the runs before the first frame, then follow them."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP):
            # Outside the main thread, as under a test runner, there are no signals to handle.
            with contextlib.suppress(RuntimeError, ValueError, NotImplementedError):
                loop.add_signal_handler(number, self._exit_on, number)
        if self._first_run is not None:
            self.watcher.open(self._first_run)  # Now, so that its events are read once.
        # The terminal has forgotten all; Textual itself paints only what changes in size.
        self.app_resume_signal.subscribe(self, lambda _: self.refresh())
        self._follow_ends(self.watcher.poll())
        self.run_worker(self._lookout.follow(self._tell), name="watcher")
        if self._first_run is not None:
            self.open_run(self._first_run)
        self.set_timer(_SETTLE_SECONDS, _collect_again)
        if not self.is_headless:
            self.set_interval(_HANG_UP_SECONDS, self._leave_if_hung_up)

    def _exit_on(self, number: signal.Signals) -> None:
        self.exit(return_code=128 + number)

    def _leave_if_hung_up(self) -> None:
        if has_hung_up():
            self._exit_on(signal.SIGHUP)

    def _tell(self, changed: set[str]) -> None:
        self._follow_ends(changed)
        self.tell_screens(changed)

    def wake(self) -> None:
        """Read the store now, and often for a while: something was asked of a run."""
        self._lookout.wake(is_awaited=True)

    def _follow_ends(self, changed: set[str]) -> None:
        """Tell of runs that ended."""
        for run_id in sorted(changed):
            is_running = self.watcher.states.get(run_id) is State.RUNNING
            if is_running:
                self._live.add(run_id)
            elif run_id in self._live:
                self._live.discard(run_id)
                self._tell_end(run_id)

    def _tell_end(self, run_id: str) -> None:
        history, state = self.watcher.histories.get(run_id), self.watcher.states.get(run_id)
        if history is None or state is None:
            return
        best = format_percent(history.best_test_accuracy)
        run_actions.tell(
            self,
            f"{self.label_of(run_id)} {state}: best test accuracy {best}.",
            is_error=state in {State.FAILED, State.LOST},
        )

    def tell_screens(self, run_ids: Iterable[str]) -> None:
        """Post `RunsChanged` to the topmost screen that is no dialog."""
        for screen in reversed(self.screen_stack):
            if not isinstance(screen, ModalScreen):
                screen.post_message(RunsChanged(frozenset(run_ids)))
                return

    # Places

    def open_run(self, run_id: str) -> None:
        """Show one run."""
        self._last_run = run_id
        self.watcher.open(run_id)
        self._lookout.wake()
        self._show("run", run_id)

    def open_compare(self, run_ids: Sequence[str]) -> None:
        """Lay runs over each other."""
        self._last_compared = list(run_ids)
        self._show("compare", list(run_ids))

    def open_new_run(self, template_run_id: str | None = None) -> None:
        """Show the form, filled from a run if one is named."""
        self._show("new", template_run_id)

    def open_report(self, study: str | None = None) -> None:
        """Show our table beside the published one, of a study or of what was reported last."""
        self._show("report", study)

    def open_study(self, name: str | None = None) -> None:
        """Show a study's queue, or the one looked at last."""
        self._show("study", name)

    def go_home(self) -> None:
        """Close everything but the runs table."""
        while len(self.screen_stack) > 1:
            self.pop_screen()

    def _show(self, place: str, argument: object) -> None:
        """Bring a place to the top; screens are made once and told what to show."""
        if not self.is_screen_installed(place):
            folder, name = _PLACES[place]
            found = importlib.import_module(f"alexnet_tui.tui.screens.{folder}.screen")
            sheet = (
                _HERE / "screens" / folder / "screen.tcss"
            )  # As a screen's `CSS_PATH` it would have all others parsed anew.
            self.stylesheet.add_source(sheet.read_text("utf-8"), (str(sheet), ""))
            self.install_screen(getattr(found, name)(argument), place)
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
            self.go_home()
        elif place == "run":
            histories = self.watcher.histories
            run_id = self._last_run if self._last_run in histories else newest(histories.values())
            if run_id is None:
                run_actions.tell(self, "There is no run yet; press 2 to start one.")
            else:
                self.open_run(run_id)
        elif place == "compare":
            compared = self.marked_run_ids or [
                run_id for run_id in self._last_compared if run_id in self.watcher.histories
            ]
            if compared:
                self.open_compare(compared)
            else:
                run_actions.tell(self, "Mark two or more runs with space, then press c.")
        else:
            self._show(place, None)

    def action_back(self) -> None:  # type: ignore[override]  # Screens call it; nothing to await.
        """One layer out; the runs table is the last."""
        if len(self.screen_stack) > 1:
            self.pop_screen()

    # Marks, pin, acts on runs

    def toggle_pin(self, run_id: str) -> None:
        """Make a run the baseline, or no longer."""
        self.folder.pinned = "" if self.folder.pinned == run_id else run_id
        self._changed_everywhere()

    def toggle_marks(self, run_ids: Sequence[str]) -> None:
        """Mark runs; if all of them are marked already, unmark them."""
        marked = self.folder.marked
        if set(run_ids) <= set(marked):
            self.folder.marked = [run_id for run_id in marked if run_id not in set(run_ids)]
        else:
            self.folder.marked = marked + [run_id for run_id in run_ids if run_id not in marked]
        self._changed_everywhere()

    def _changed_everywhere(self) -> None:
        self.remember()
        screen = self.screen
        if isinstance(screen, RunsScreen):
            screen.refresh_rows()
        else:
            self.tell_screens(self.watcher.histories)

    def stop_run(self, run_id: str) -> None:
        """Ask a run's trainer to leave after a checkpoint."""
        run_actions.stop_run(self, run_id)

    def resume_run(self, run_id: str) -> None:
        """Go on with a run, or begin a queued one."""
        run_actions.resume_run(self, run_id)

    def copy(self, text: str) -> None:
        """Put text on the clipboard of the terminal, which may be at the other end of an SSH session."""
        self.copy_to_clipboard(text)
        run_actions.tell(self, f"Copied {text}")

    # Everywhere

    def action_help(self) -> None:
        """The keys of the screen below."""
        from alexnet_tui.tui.screens.runs.filter import HELP
        from alexnet_tui.tui.widgets.help import HelpScreen, help_lines

        if isinstance(self.screen, ModalScreen):
            return
        lines = help_lines(list(self.screen.active_bindings.values()), ascii_only=self.ascii_only)
        self.push_screen(HelpScreen(lines, filter_words=HELP if isinstance(self.screen, RunsScreen) else ()))

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """The palette holds what the screen's keys do, under the same names."""
        found = {
            item.binding.description: item.binding  # By name: two keys may do the same.
            for item in reversed(list(screen.active_bindings.values()))
            if item.binding.id and "(" not in item.binding.action.replace("place('", "")
        }
        for name, binding in found.items():
            yield SystemCommand(name, binding.tooltip, self._runner(binding.key))

    def _runner(self, key: str) -> Any:
        return lambda: self.simulate_key(key)

    def action_toggle_theme(self) -> None:
        """Dark or light."""
        self.theme = other_theme(self.theme)
        self.settings.theme = self.theme
        self.remember()

    def remember(self) -> None:
        """Keep the settings; a full disk must not end the console."""
        with contextlib.suppress(OSError):
            save_settings(self.settings)

    def action_interrupt(self) -> None:
        """Copy what is selected; else say how to quit."""
        run_actions.interrupt(self)

    def action_leave(self) -> None:
        """Leave; what runs goes on."""
        self.remember()
        self.exit(0)

    def _fatal_error(self) -> None:
        """A fault of ours: the traceback goes to a file, a sentence to the terminal."""
        self.panic(Text(f"The console stopped because of a fault of its own. {log_crash()} Runs go on."))


def _collect_again() -> None:
    """What the start made stays: the collector, which the start does without, need never look at it."""
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
    app = AlexnetApp(store, run_id)
    if app.ascii_only:
        draw_in_ascii()
    app.run()
    if running := app.num_running():
        goes, them = ("1 run goes", "it") if running == 1 else (f"{running} runs go", "them")
        told = f"{goes} on in the background; `{command(root=store.root)}` shows {them} again."
        with contextlib.suppress(OSError):  # The terminal may be gone.
            sys.stderr.write(printable(told) + "\n")
    return app.return_code or 0
