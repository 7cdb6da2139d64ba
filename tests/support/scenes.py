"""Pictures of the console's screens: as SVG for people, and as text with styles for tests to compare.

A scene is a screen of the fixed runs of `picture_runs`; machine, clock, time zone and settings are fixed too.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from string import ascii_letters
from typing import TypeVar
from unittest.mock import patch

import picture_runs
from console_driver import Driver, running
from picture_runs import HOST, NOW, SEEDS, SHAPES
from settling_loop import SettlingLoop
from svg_screen import to_svg

from alexnet_tui.runs.store import Store
from alexnet_tui.tui.app import ConsoleApp
from alexnet_tui.tui.screens.report.screen import ReportScreen
from alexnet_tui.tui.session import OpenCompare
from alexnet_tui.tui.terminal.themes import DARK, LIGHT

SIZES = ((160, 45), (80, 24))
THEMES = {"dark": DARK, "light": LIGHT}
_STEADY_SECONDS, _PATIENCE_SECONDS = 0.3, 30.0


@dataclass(frozen=True, slots=True)
class Gallery:
    """The runs that scenes show.

    Attributes:
        store: Their folder.
        compared: The runs of the study, in the order they were made; the first one is pinned.
        opened: The run of the Run screen.
        pictured: The run of the pages of pictures.
        live: The run that is being trained, or None.
        now: Seconds since 1970.
    """

    store: Store
    compared: tuple[str, ...]
    opened: str
    pictured: str
    live: str | None = None
    now: float = NOW


@dataclass(frozen=True, slots=True)
class Scene:
    """A screen to draw.

    Attributes:
        keys: What to press.
        shown: Texts that are on the screen once it is complete.
        shown_wide: More of them, on the largest screen.
        compares: Lay the study's runs over each other.
        opens: Begin with the gallery's opened run.
        opens_pictured: Begin with the gallery's pictured run.
    """

    keys: tuple[str, ...] = ()
    shown: tuple[str, ...] = ()
    shown_wide: tuple[str, ...] = ()
    compares: bool = False
    opens: bool = False
    opens_pictured: bool = False


SCENES = {
    "runs": Scene(shown=("running", "four-conv"), shown_wide=("Test accuracy", "to go")),
    "new-run": Scene(keys=("2",), shown=("20m 02s", "ready: 50,000"), shown_wide=("augmentation", "dense 8")),
    "run": Scene(shown=("epoch 64/100", "last steps", "behind"), shown_wide=("T25",), opens=True),
    "kernels": Scene(keys=("right_square_bracket", "left"), shown=("epoch 5 of 100",), opens_pictured=True),
    "confusion": Scene(keys=("right_square_bracket", "m", "right"), shown=("class0 taken for",), opens_pictured=True),
    "compare": Scene(keys=("g",), shown=("in 4 groups", "tanh n=5"), compares=True),
    "report": Scene(keys=("6",), shown=("Claim 1", "SUPPORTED"), shown_wide=("Claim 3",)),
}
_UNFINISHED = ("no points yet", "Reading", "loading")


def write_gallery(root: Path) -> Gallery:
    """Write the made-up runs and the data set into an empty folder."""
    store = Store(root / "runs")
    picture_runs.write_data(root / "data")
    *others, live = picture_runs.write(store)
    study = tuple(others[: SEEDS * len(SHAPES)])
    for run_id in study[:2]:
        picture_runs.write_pictures(store.path(run_id))
    return Gallery(store, study, opened=live, pictured=study[0], live=live)


@contextmanager
def fixed_world(root: Path, now: float = NOW) -> Iterator[None]:
    """The same terminal, time, place and machine for everybody; no setting of a person is read or written."""
    environment = {
        "TERM": "xterm-256color",
        "COLORTERM": "truecolor",
        "TZ": "UTC",
        "LC_ALL": "C.UTF-8",
        "TEXTUAL_ANIMATIONS": "none",
        "ALEXNET_TUI_DATA": str(root / "data"),
        "ALEXNET_TUI_RUNS": str(root / "runs"),
        "XDG_STATE_HOME": str(root / "state"),
        "XDG_CONFIG_HOME": str(root / "config"),
    }
    kept = {name: value for name, value in os.environ.items() if name not in _FOREIGN}
    with ExitStack() as stack:
        stack.enter_context(patch.dict(os.environ, {**kept, **environment}, clear=True))
        time.tzset()
        stack.callback(time.tzset)
        stack.enter_context(patch("locale.getencoding", lambda: "utf-8"))
        stack.enter_context(patch("time.time", lambda: now))
        stack.enter_context(patch("platform.node", lambda: HOST))
        stack.enter_context(patch("os.getloadavg", lambda: (0.0, 0.0, 0.0)))
        yield
    time.tzset()


_FOREIGN = (
    "NO_COLOR",
    "SSH_CONNECTION",
    "ALEXNET_TUI_ASCII",
    "TEXTUAL_THEME",
    "TEXTUAL_COLOR_SYSTEM",
)


@asynccontextmanager
async def staged(gallery: Gallery, name: str | Scene, size: tuple[int, int]) -> AsyncIterator[Driver]:
    """The console at a scene, complete and still."""
    scene = SCENES[name] if isinstance(name, str) else name
    first = gallery.opened if scene.opens else gallery.pictured if scene.opens_pictured else None
    app = ConsoleApp(gallery.store, first)
    app.session.folder.pinned = gallery.compared[0]
    app.session.folder.marked = list(gallery.compared[-4:]) if gallery.live else []
    with picture_runs.trained(gallery.store, gallery.live) if gallery.live else nullcontext():
        async with running(app, size) as pilot:
            driver = Driver(app, pilot)
            await pilot.pause()
            if scene.compares:
                app.on_open_compare(OpenCompare(gallery.compared))
                await pilot.pause()
            await driver.press(*scene.keys)
            if isinstance(screen := app.screen, ReportScreen):
                await driver.wait_for(lambda: screen.report is not None, _PATIENCE_SECONDS)
            await driver.wait_for(lambda: _is_complete(driver.text(), scene, size), _PATIENCE_SECONDS)
            await still(driver)
            yield driver


def _is_complete(text: str, scene: Scene, size: tuple[int, int]) -> bool:
    """Whether a screen shows all it will."""
    wanted = scene.shown + (scene.shown_wide if size == SIZES[0] else ())
    return all(one in text for one in wanted) and not any(one in text for one in _UNFINISHED)


async def still(driver: Driver) -> None:
    """Wait until the screen no longer changes."""
    before, since = None, time.monotonic()
    deadline = since + _PATIENCE_SECONDS
    while time.monotonic() - since < _STEADY_SECONDS:
        assert time.monotonic() < deadline, "the screen does not come to rest"
        if (now := look(driver)) != before:
            before, since = now, time.monotonic()
        await asyncio.sleep(0.03)
        await driver.pilot.pause()


def svg(driver: Driver) -> str:
    """The screen as a picture."""
    theme = driver.app.current_theme
    assert theme.foreground
    assert theme.background
    strips = driver.app.screen._compositor.render_strips()
    return to_svg(strips, foreground=theme.foreground, background=theme.background)


@dataclass(frozen=True, slots=True)
class Look:
    """What stands in every cell of a screen.

    Attributes:
        text: Its rows.
        styles: For each row the lengths and the letters of its styles: ``3a77b``.
        legend: What each letter means.
    """

    text: tuple[str, ...]
    styles: tuple[str, ...]
    legend: tuple[str, ...]


def look(driver: Driver) -> Look:
    """The screen as it is now."""
    letters: dict[str, str] = {}
    text, styles = [], []
    for strip in driver.app.screen._compositor.render_strips():
        text.append("".join(segment.text for segment in strip).rstrip())
        runs: list[tuple[str, int]] = []
        for segment in strip:
            style = str(segment.style or "none")
            letter = letters.setdefault(style, _letter(len(letters)))
            before = runs.pop()[1] if runs and runs[-1][0] == letter else 0
            runs.append((letter, before + segment.cell_length))
        styles.append("".join(f"{cells}{letter}" for letter, cells in runs))
    return Look(tuple(text), tuple(styles), tuple(f"{letter} {style}" for style, letter in letters.items()))


def _letter(index: int) -> str:
    """A short name for a style: a, b, ... Z, aa, ab, ..."""
    first, second = divmod(index, len(ascii_letters))
    return (ascii_letters[first - 1] if first else "") + ascii_letters[second]


def snapshot(looks: Mapping[str, Look]) -> str:
    """The stored form of a scene at one size: what is the same in every theme once, then what is not."""
    parts: list[str] = []
    for theme, one in looks.items():
        shared = ["\n".join(one.text), "\n".join(["=== styles", *one.styles])]
        parts += [part for part in shared if part not in parts]
        parts.append("\n".join([f"=== {theme}", *one.legend]))
    return "\n".join(parts) + "\n"


Drawing = TypeVar("Drawing")


def capture(
    gallery: Gallery, name: str | Scene, size: tuple[int, int], draw: Callable[[Driver], Drawing], themes: Iterable[str]
) -> dict[str, Drawing]:
    """A scene drawn in each of the themes."""

    async def run() -> dict[str, Drawing]:
        found = {}
        async with staged(gallery, name, size) as driver:
            for key in themes:
                driver.app.theme = THEMES[key]
                ground = f"on {driver.app.current_theme.background}"
                await driver.wait_for(lambda ground=ground: any(ground in one for one in look(driver).legend))  # type: ignore[misc]
                await still(driver)
                found[key] = draw(driver)
        return found

    with asyncio.Runner(loop_factory=SettlingLoop) as runner:
        return runner.run(run())
