"""Pictures of the console's screens: as SVG for people, and as text with styles for tests to compare.

A scene is a screen of the fixed runs of `picture_runs`; machine, clock, time zone and settings are fixed too.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from string import ascii_letters
from typing import cast
from unittest.mock import patch

import picture_runs
from console_driver import Driver
from picture_runs import HOST, NOW, SEEDS, SHAPES

from alexnet_tui.store import Store
from alexnet_tui.tui.app import AlexnetApp
from alexnet_tui.tui.report_screen import ReportScreen
from alexnet_tui.tui.themes import DARK, LIGHT

SIZES = ((160, 45), (80, 24))
THEMES = {"dark": DARK, "light": LIGHT}
_STEADY_SECONDS, _PATIENCE_SECONDS = 0.3, 30.0


@dataclass(frozen=True, slots=True)
class Gallery:
    """The fixed runs on disk.

    Attributes:
        store: Their folder.
        run_ids: In the order they were made, the live one last.
    """

    store: Store
    run_ids: tuple[str, ...]

    @property
    def live(self) -> str:
        """The run that is being trained."""
        return self.run_ids[-1]

    @property
    def study(self) -> tuple[str, ...]:
        """The finished runs: every variant with every seed."""
        return self.run_ids[: SEEDS * len(SHAPES)]


@dataclass(frozen=True, slots=True)
class Scene:
    """A screen to draw.

    Attributes:
        keys: What to press.
        shown: Texts that are on the screen once it is complete.
        compares: Lay the study's runs over each other.
        opens: Begin with the live run.
    """

    keys: tuple[str, ...] = ()
    shown: tuple[str, ...] = ()
    compares: bool = False
    opens: bool = False


SCENES = {
    "runs": Scene(shown=("four-conv", "running")),
    "new-run": Scene(keys=("2",), shown=("Start", "ready: 50,000")),
    "run": Scene(shown=("epoch 64/100", "behind", "last steps"), opens=True),
    "compare": Scene(keys=("g",), shown=("in 4 groups", "tanh n=5"), compares=True),
    "report": Scene(keys=("5",), shown=("Verdict",)),
}


def hang(root: Path) -> Gallery:
    """Write the runs and the data set into an empty folder."""
    store = Store(root / "runs")
    picture_runs.write_data(root / "data")
    return Gallery(store, tuple(picture_runs.write(store)))


@contextmanager
def fixed_world(root: Path) -> Iterator[None]:
    """The same terminal, time, place and machine for everybody; no setting of a person is read or written."""
    environment = {
        "TERM": "xterm-256color",
        "COLORTERM": "truecolor",
        "TZ": "UTC",
        "LC_ALL": "C.UTF-8",
        "TEXTUAL_ANIMATIONS": "none",
        "ALEXNET_TUI_DATA": str(root / "data"),
        "XDG_STATE_HOME": str(root / "state"),
        "XDG_CONFIG_HOME": str(root / "config"),
    }
    kept = {name: value for name, value in os.environ.items() if name not in _FOREIGN}
    with ExitStack() as stack:
        stack.enter_context(patch.dict(os.environ, {**kept, **environment}, clear=True))
        time.tzset()
        stack.callback(time.tzset)
        stack.enter_context(patch("time.time", lambda: NOW))
        stack.enter_context(patch("platform.node", lambda: HOST))
        yield
    time.tzset()


_FOREIGN = (
    "NO_COLOR",
    "SSH_CONNECTION",
    "ALEXNET_TUI_ASCII",
    "ALEXNET_TUI_RUNS",
    "TEXTUAL_THEME",
    "TEXTUAL_COLOR_SYSTEM",
)


@asynccontextmanager
async def staged(gallery: Gallery, name: str, size: tuple[int, int]) -> AsyncIterator[Driver]:
    """The console at a scene, complete and still."""
    scene = SCENES[name]
    app = AlexnetApp(gallery.store, gallery.live if scene.opens else None)
    app.folder.pinned = gallery.study[0]
    app.folder.marked = list(gallery.study[-4:])
    with picture_runs.trained(gallery.store, gallery.live):
        async with app.run_test(size=size) as pilot:
            driver = Driver(app, pilot)
            await pilot.pause()
            if scene.compares:
                app.open_compare(gallery.study)
                await pilot.pause()
            await driver.press(*scene.keys)
            screen = app.screen
            if isinstance(screen, ReportScreen):
                await driver.wait_for(lambda: cast("ReportScreen", screen).report is not None)
            await driver.wait_for(lambda: _is_complete(driver.text(), scene, size), _PATIENCE_SECONDS)
            await still(driver)
            yield driver


def _is_complete(text: str, scene: Scene, size: tuple[int, int]) -> bool:
    """Whether a screen shows all it will; a small one need not have room for more than its first text."""
    wanted = scene.shown if size == SIZES[0] else scene.shown[:1]
    return all(one in text for one in wanted)


async def still(driver: Driver) -> None:
    """Wait until the screen no longer changes."""
    before, since = "", time.monotonic()
    deadline = since + _PATIENCE_SECONDS
    while time.monotonic() - since < _STEADY_SECONDS:
        assert time.monotonic() < deadline, "the screen does not come to rest"
        if (now := "\n".join(grid(driver))) != before:
            before, since = now, time.monotonic()
        await asyncio.sleep(0.03)
        await driver.pilot.pause()


async def turn_to(driver: Driver, theme: str) -> None:
    """Show the scene in another theme."""
    driver.app.theme = theme
    await driver.pilot.pause()
    await still(driver)


def svg(driver: Driver) -> str:
    """The screen as a picture."""
    return driver.app.export_screenshot(title="alexnet-tui", simplify=True)


def grid(driver: Driver) -> list[str]:
    """The screen as text, a line a row, and behind it a line of styles for each row, and what they mean."""
    strips = driver.app.screen._compositor.render_strips()
    legend: dict[str, str] = {}
    styles = []
    for strip in strips:
        runs: list[list[str | int]] = []
        for segment in strip:
            look = str(segment.style) if segment.style else "none"
            letter = legend.setdefault(look, _letter(len(legend)))
            if runs and runs[-1][1] == letter:
                runs[-1][0] = cast("int", runs[-1][0]) + segment.cell_length
            else:
                runs.append([segment.cell_length, letter])
        styles.append("".join(f"{count}{letter}" for count, letter in runs))
    text = ["".join(segment.text for segment in strip).rstrip() for strip in strips]
    return [*text, "", *styles, "", *(f"{letter} {look}" for look, letter in legend.items())]


def _letter(index: int) -> str:
    """A short name for a style: a, b, ... Z, aa, ab, ..."""
    first, second = divmod(index, len(ascii_letters))
    return (ascii_letters[first - 1] if first else "") + ascii_letters[second]


def snapshot(looks: Sequence[tuple[str, list[str]]]) -> str:
    """The stored form of a scene at one size: its text once, and its styles in every theme."""
    first = looks[0][1]
    height = first.index("")
    text = first[:height] if False else _text(first)
    parts = ["\n".join(text)]
    for theme, lines in looks:
        assert _text(lines) == text, f"the text is another one in {theme}"
        parts.append("\n".join([f"=== {theme}", *lines[len(text) + 1 :]]))
    return "\n".join(parts) + "\n"


def _text(lines: list[str]) -> list[str]:
    raise NotImplementedError


def capture(gallery: Gallery, name: str, size: tuple[int, int], draw: Callable[[Driver], str]) -> dict[str, str]:
    """A scene in every theme."""

    async def run() -> dict[str, str]:
        found = {}
        async with staged(gallery, name, size) as driver:
            for key, theme in THEMES.items():
                await turn_to(driver, theme)
                found[key] = draw(driver)
        return found

    return asyncio.run(run())
