"""Random keys, clicks and sizes on every screen: whatever comes, the console stays up.

``MONKEY_SEEDS=100:120 MONKEY_ACTS=2000 pytest tests/tui/test_monkey.py`` plays longer games than the few of every day.
"""

import asyncio
import os
import random
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from console_driver import Driver, console, driven
from fake_runs import write_run
from textual import events
from textual.keys import _character_to_key

from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.errors import StoreError
from alexnet_tui.runs.events import Failed
from alexnet_tui.runs.notes import Notes
from alexnet_tui.runs.store import Store
from alexnet_tui.studies import planning
from alexnet_tui.tui.screens.new_run import launch
from alexnet_tui.tui.session import OpenCompare, OpenNewRun, OpenPictures, OpenReport, OpenRun, OpenRuns, OpenStudy

CHARACTERS = "abcdefghijklmnoprstuvwxyzABCDEFGHIJKLMNOPRSTUVWXYZ0123456789[]+-=/?!:<>., "
NAMED = (
    *("enter", "escape", "tab", "shift+tab", "backspace", "delete", "left", "right", "up", "down"),
    *("home", "end", "pageup", "pagedown", "shift+left", "shift+right", "shift+up", "shift+down"),
    *("f1", "f2", "f3", "f4", "f6", "f7", "f8", "ctrl+r", "ctrl+s", "ctrl+g", "ctrl+u", "ctrl+p", "ctrl+c"),
)
OPENING = ("?", "L", "T", "D", "s", "i", "]", "f", "w", "ctrl+p", "escape")
"""Keys that open a dialog, a page or a place, and the one that closes them."""
SIZES = ((80, 24), (160, 45), (40, 12), (110, 36), (5, 3), (6, 10), (1, 1), (200, 8))


def fill(store: Store) -> None:
    """Some runs of every kind, hostile names among them, and a study."""
    for seed in range(3):
        write_run(store, RunConfig(epochs=3, seed=seed), label="[b]x[/red]" if seed else "")
        write_run(store, RunConfig(epochs=3, seed=seed, front_end="literal32"), final=0.5)
    failed = write_run(
        store, RunConfig(epochs=3, seed=9), epochs_done=1, end=Failed(reason="oom", message="m\x1b[2J", epoch=1, step=9)
    )
    store.change_notes(failed.id, lambda _: Notes(label="日本語" * 20, tags=["a b", "\u202e"], note="n" * 300))
    store.create(RunConfig(epochs=5, seed=4))
    planning.plan_variants(store, "mine", variants=["baseline", "tanh"], seeds=range(5, 7), overrides={"epochs": "2"})


def key_of(character: str) -> events.Key:
    return events.Key(_character_to_key(character), character)


async def act(c: Driver, chance: random.Random) -> str:
    """One burst of keys, a click, or another size of the terminal; what it was."""
    kind, size = chance.random(), c.app.size
    if kind < 0.06:
        width, height = chance.choice(SIZES)
        await c.pilot.resize_terminal(width, height)
        return f"size {width}x{height}"
    if kind < 0.2:
        x, y = chance.randrange(size.width), chance.randrange(size.height)
        await c.pilot.click(offset=(x, y), times=chance.choice((1, 1, 2)))
        return f"click {x},{y}"
    keys = []
    for _ in range(chance.choice((1, 1, 2, 4))):  # Several in one read, as from a fast hand or a paste.
        if chance.random() < 0.45:
            keys.append(events.Key(chance.choice(NAMED), None))
        else:
            keys.append(key_of(chance.choice(CHARACTERS if chance.random() < 0.8 else "123450w")))
    for key in keys:
        c.app.post_message(key)
    await c.pilot.pause()
    return " ".join(key.key for key in keys)


async def play(store: Store, seed: int, num_acts: int) -> None:
    chance, done = random.Random(seed), list[str]()
    async with console(store) as c:
        nothing = (sys.executable, "-c", "pass")
        commands = c.app.session.commands
        commands.trainer = commands.worker = commands.prober = nothing
        for _ in range(num_acts):
            done.append(await act(c, chance))
            assert c.app.is_running and c.app._exception is None, done[-10:]  # noqa: PT018
        c.text()


def happen(c: Driver, chance: random.Random, run_ids: Sequence[str]) -> None:
    """A key, a way to a place, news of runs, or a run that goes; nothing is waited for."""
    first, second = chance.sample(run_ids, 2)
    key = chance.choice((*OPENING, *NAMED, *CHARACTERS) if chance.random() < 0.5 else OPENING)
    ways = [
        OpenRun(first),
        OpenCompare([first, second]),
        OpenPictures([first, second]),
        OpenNewRun(chance.choice((first, None))),
        OpenReport(chance.choice(("mine", None))),
        OpenStudy(None),
        OpenRuns(),
    ]
    match chance.randrange(8):
        case 0 | 1 | 2:
            c.app.post_message(events.Key(key, None) if key in NAMED else key_of(key))
        case 3 | 4 | 5:
            c.app.post_message(chance.choice(ways))
        case 6:
            c.app.post_runs_changed(run_ids)
        case 7 if chance.random() < 0.3:
            shutil.rmtree(c.app.session.store.root / first, ignore_errors=True)


@pytest.fixture(autouse=True)
def harmless(store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing is downloaded, and exports go to a folder of the test."""

    def refuse(*_: object) -> None:
        raise StoreError(tmp_path, "there is no network here.")

    monkeypatch.setattr(launch, "prepare_dataset", refuse)
    monkeypatch.chdir(tmp_path)
    fill(store)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
@driven
async def test_random_input_never_ends_the_console(store: Store, seed: int) -> None:
    await play(store, seed, 50)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [12, 14])  # They once found crashes.
@driven
async def test_much_random_input_never_ends_the_console(store: Store, seed: int) -> None:
    await play(store, seed, 120)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 16, 50])  # The last two once made it hang.
@driven
async def test_what_comes_on_the_heels_of_something_else_never_ends_the_console(store: Store, seed: int) -> None:
    chance, run_ids = random.Random(seed), store.ids()
    async with console(store) as c:
        commands = c.app.session.commands
        commands.trainer = commands.worker = commands.prober = (sys.executable, "-c", "pass")
        for _ in range(80):
            happen(c, chance, run_ids)
            for _ in range(chance.choice((0, 0, 1, 2, 3, 5, 9))):
                await asyncio.sleep(0)
            if chance.random() < 0.1:
                await c.pilot.pause()
            assert c.app._exception is None


@pytest.mark.skipif("MONKEY_SEEDS" not in os.environ, reason="only where asked for")
@pytest.mark.timeout(0)
@driven
async def test_very_much_random_input_never_ends_the_console(tmp_path: Path) -> None:
    for seed in range(*map(int, os.environ["MONKEY_SEEDS"].split(":"))):
        store = Store(tmp_path / f"runs-{seed}")
        fill(store)
        await play(store, seed, int(os.environ.get("MONKEY_ACTS", "1000")))
