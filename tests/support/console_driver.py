"""Driving the console in a test: press keys, wait for conditions, never sleep."""

import asyncio
import functools
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from settling_loop import SettlingLoop
from textual._xterm_parser import XTermParser
from textual.app import App
from textual.css.model import RuleSet
from textual.css.stylesheet import Stylesheet
from textual.pilot import Pilot
from textual.screen import Screen

from alexnet_tui.runs.store import Store
from alexnet_tui.tui.app import ConsoleApp
from alexnet_tui.tui.screens.run import pace as run_pace
from alexnet_tui.tui.screens.run import screen as run_screen
from alexnet_tui.tui.screens.runs.screen import RunsScreen
from alexnet_tui.tui.screens.studies import screen as studies_screen
from alexnet_tui.tui.watch import watch_loop, watcher
from alexnet_tui.tui.widgets.bars import KeyBar


def driven(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """A test that runs in an event loop of its own."""

    @functools.wraps(test)
    def run(*args: object, **kwargs: object) -> None:
        with asyncio.Runner(loop_factory=SettlingLoop) as runner:
            runner.run(test(*args, **kwargs))

    return run


class Driver:
    """The console, its keyboard and its screen."""

    def __init__(self, app: ConsoleApp, pilot: Pilot[Any]) -> None:
        self.app, self.pilot = app, pilot

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()
        # A key that waits for a drawing under a dialog is not done yet, though the loop has nothing left to do.
        await self.wait_for(lambda: self.app._key_queue._wait is None)

    def burst(self, data: str) -> None:
        """What a terminal sends at once; nothing is waited for, not even that it arrives."""
        driver = self.app._driver
        assert driver is not None
        for message in XTermParser().feed(data):
            driver.process_message(message)

    async def type(self, text: str) -> None:
        await self.press(*["space" if character == " " else character for character in text])

    async def wait_for(self, condition: Callable[[], object], seconds: float = 60) -> None:
        """Wait until something holds; fail after `seconds`."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "waited in vain"
            await asyncio.sleep(0.02)
            await self.pilot.pause()

    def toggle_pin(self, run_id: str) -> None:
        """Pin or unpin a run as if another screen had done it."""
        self.app.session.toggle_pin([run_id])
        self.app.post_runs_changed(self.app.session.watcher.histories)

    @property
    def runs(self) -> RunsScreen:
        screen = self.app.screen_stack[0]
        assert isinstance(screen, RunsScreen)
        return screen

    @property
    def shown(self) -> list[str]:
        """Ids of the rows on show."""
        return [row.id for row in self.runs.shown]

    @property
    def cursor(self) -> str:
        row = self.runs.table.row
        assert row is not None
        return row.id

    def text(self) -> str:
        """Everything on the screen, as plain text."""
        lines = self.app.screen._compositor.render_strips()
        return "\n".join("".join(segment.text for segment in strip).rstrip() for strip in lines)

    def notifications(self) -> list[str]:
        """What was said: in the corner, then in place of the keys of each screen that was ever shown."""
        bars = [bar for screen in self._screens() for bar in screen.query(KeyBar)]
        corner = [notification.message for notification in self.app._notifications]
        return corner + [text for bar in bars for text in bar.messages]

    def clear_notifications(self) -> None:
        self.app.clear_notifications()
        for screen in self._screens():
            for bar in screen.query(KeyBar):
                bar.messages.clear()

    def _screens(self) -> list[Screen[Any]]:
        installed = [one for one in self.app._installed_screens.values() if isinstance(one, Screen)]
        return [one for one in dict.fromkeys([*self.app.screen_stack, *installed]) if one.is_mounted]


_parse_rules, _rules = Stylesheet._parse_rules, dict[object, list[RuleSet]]()


def _rules_of(sheet: Stylesheet, *source: object, **more: object) -> list[RuleSet]:
    """The rules of a style sheet, parsed once for the apps of all tests."""
    key = (source, *more.items(), *sheet._variables.items())
    if key not in _rules:
        _rules[key] = _parse_rules(sheet, *source, **more)  # type: ignore[arg-type]
    return _rules[key]


Stylesheet._parse_rules = _rules_of  # type: ignore[assignment, method-assign]
# Seconds between two looks at the disk and two drawings, which a person hardly sees pass.
_PAUSES = (
    (watch_loop, "_QUIET_SECONDS"),
    (watcher, "_SCAN_SECONDS"),
    (watcher, "_LOCK_SECONDS"),
    (watcher, "_TURN_SECONDS"),
    (studies_screen, "_POLL_SECONDS"),
    (run_screen, "_TICK_SECONDS"),
    (run_pace, "_LEAST_REST_SECONDS"),
    (run_pace, "_LONGEST_REST_SECONDS"),
    (run_screen, "_SIDE_SECONDS"),
)
_SHORT_SECONDS, _LONGEST_SECONDS = 0.05, 2.0


@contextmanager
def _short_pauses() -> Iterator[None]:
    """What the console does once or twice a second it does all the time; a longer pause of a test's own stays."""
    before = [vars(module)[name] for module, name in _PAUSES]
    for (module, name), seconds in zip(_PAUSES, before, strict=True):
        if seconds <= _LONGEST_SECONDS:
            vars(module)[name] = _SHORT_SECONDS
    try:
        yield
    finally:
        for (module, name), seconds in zip(_PAUSES, before, strict=True):
            vars(module)[name] = seconds


@asynccontextmanager
async def running(app: App[Any], size: tuple[int, int], *, notifications: bool = False) -> AsyncIterator[Pilot[Any]]:
    """An app without a terminal; it is left as by its user, so that its timers and workers end before its widgets.

    Textual's `run_test` removes the widgets of an app that runs on.
    """
    async with app.run_test(size=size, notifications=notifications) as pilot:
        try:
            yield pilot
        finally:
            if not app._exit:
                app.exit(app.return_value, app.return_code or 0)
            assert app._task is not None
            await asyncio.wait([app._task])


@asynccontextmanager
async def console(
    store: Store, *, size: tuple[int, int] = (80, 24), run_id: str | None = None
) -> AsyncIterator[Driver]:
    """The console on a runs folder."""
    with _short_pauses():
        app = ConsoleApp(store, run_id)
        async with running(app, size) as pilot:
            await pilot.pause()
            yield Driver(app, pilot)
