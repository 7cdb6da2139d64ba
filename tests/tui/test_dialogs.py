"""Dialogs: they answer once however many keys come at once, and to the mouse; help fits any terminal."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
from console_driver import Driver, console, driven
from fake_runs import write_run
from textual import events
from textual.screen import Screen
from textual.widgets import Input, Static

from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.runs.store import Store
from alexnet_tui.tui.screens.runs.screen import RunsScreen
from alexnet_tui.tui.screens.studies.request import defaults
from alexnet_tui.tui.screens.studies.study_form import StudyForm
from alexnet_tui.tui.widgets.dialogs import ChoiceScreen, ConfirmScreen, DialogScreen, TextScreen
from alexnet_tui.tui.widgets.help import HelpScreen
from alexnet_tui.tui.widgets.palette import Palette


@pytest.fixture
def run_id(store: Store) -> str:
    return write_run(store, RunConfig(epochs=1)).id


def at_once(c: Driver, *keys: str) -> None:
    """Keys as a fast hand types them: all of them are read before the first is answered."""
    for key in keys:
        c.app.post_message(events.Key(key, key if len(key) == 1 else None))


@pytest.mark.slow
@driven
async def test_two_keys_at_once_are_one_answer(store: Store, run_id: str) -> None:
    async with console(store) as c:
        for opens, keys in (
            ("s", "23"),
            ("s", ("enter", "escape")),
            ("L", ("enter", "enter")),
            ("D", "nn"),
            ("D", ("escape", "n")),
            ("f1", ("escape", "escape")),
        ):
            await c.press(opens)
            assert not isinstance(c.app.screen, RunsScreen)
            at_once(c, *keys)
            await c.wait_for(lambda: not isinstance(c.app.screen, DialogScreen))
            await c.press("down")
            assert c.app.is_running
            assert store.ids() == [run_id]


@driven
async def test_the_mouse_answers(store: Store, run_id: str) -> None:
    async with console(store) as c:
        await c.press("s")
        assert isinstance(c.app.screen, ChoiceScreen)
        await c.pilot.click("#choices", offset=(5, 3))
        assert isinstance(c.app.screen, RunsScreen)
        assert c.app.session.folder.sort == "variant"
        await c.press("s")
        await c.pilot.click(offset=(1, 1))
        assert isinstance(c.app.screen, RunsScreen), "a click beside a list of choices closes it"
        assert c.app.session.folder.sort == "variant"
        await c.press("D")
        assert isinstance(c.app.screen, ConfirmScreen)
        await c.pilot.click(".dialog-keys", offset=(12, 0))
        assert isinstance(c.app.screen, RunsScreen)
        await c.press("L")
        await c.type("mine")
        assert isinstance(c.app.screen, TextScreen)
        await c.pilot.click(".dialog-keys", offset=(1, 0))
        await c.wait_for(lambda: store.notes(run_id).label == "mine")


@driven
async def test_a_choice_moves_round_and_scrolls(store: Store, run_id: str) -> None:
    async with console(store, size=(80, 12)) as c:
        await c.press("s", "end", "enter")
        assert c.app.session.folder.sort == "curve"
        await c.press("s", "home", "up", "up", "enter")
        assert c.app.session.folder.sort == "seconds"


@driven
async def test_a_dialog_keeps_its_keys_on_a_terminal_made_low(store: Store, run_id: str) -> None:
    async with console(store) as c:
        await c.press("s")
        await c.pilot.resize_terminal(60, 8)
        await c.wait_for(lambda: c.app.screen.has_class("-short"))
        assert "Choose" in c.text()


@pytest.mark.parametrize("size", [(80, 19), (80, 12), (30, 8)])
@driven
async def test_a_question_longer_than_the_screen_keeps_its_keys_and_is_read_to_its_end(
    store: Store, size: tuple[int, int]
) -> None:
    for seed in range(6):
        store.create(RunConfig(epochs=1, seed=seed), label="a long label of a run " * 5)
    async with console(store, size=size) as c:
        c.app.session.toggle_marks(store.ids())
        await c.press("D")
        await c.wait_for(lambda: "y Delete   n No" in c.text())
        assert "cannot be undone" not in c.text()
        for _ in range(20):
            await c.press("down")
        assert "cannot be undone." in " ".join(c.text().split())
        assert "y Delete   n No" in c.text()


@pytest.mark.parametrize("keys", [("ctrl+p",), ("f1",), ("slash",), ("L",)])
@driven
async def test_a_field_takes_no_paste_of_a_whole_file(store: Store, run_id: str, keys: tuple[str, ...]) -> None:
    async with console(store) as c:
        await c.press(*keys)
        field = next(iter(c.app.screen.query(Input)))
        field.focus()
        await c.pilot.pause()
        before = field.value
        c.app.post_message(events.Paste("P" * 300_000))
        await c.type("x")
        assert field.value == f"{before}x", "nothing of it, and the next letter is taken"


@pytest.mark.slow
@driven
async def test_help_fits_any_terminal(store: Store, run_id: str) -> None:
    async with console(store) as c:
        await c.press("f1")
        assert isinstance(c.app.screen, HelpScreen)
        for width in (*range(1, 40, 3), 200):
            await c.pilot.resize_terminal(width, 10)
            assert isinstance(c.app.screen, HelpScreen)
        await c.type("xyzzy")
        assert "No matches." in c.text()


@driven
async def test_the_mouse_alone_closes_the_help(store: Store, run_id: str) -> None:
    async with console(store) as c:
        before = c.app.screen
        await c.press("question_mark")
        await c.pilot.click("HelpScreen .dialog-keys", offset=(1, 0))
        await c.pilot.pause()
        assert c.app.screen is before


_SHOWN = r"a\x1b]0;x\x07\u202eb\x9b2J"


@pytest.mark.parametrize(("opens", "kept"), [("L", _SHOWN), ("f1", _SHOWN), ("ctrl+p", "")])
@driven
async def test_nothing_that_is_pasted_reaches_the_terminal_as_it_is(
    store: Store, run_id: str, opens: str, kept: str
) -> None:
    async with console(store) as c:
        await c.press(opens)
        c.app.post_message(events.Paste("a\x1b]0;x\x07\u202eb\x9b2J"))
        await c.pilot.pause()
        assert c.app.screen.query_one(Input).value == kept
        assert not any(character in c.text() for character in "\x1b\x07\x9b\u202e")
        c.app.post_message(events.Paste("Grüße"))
        await c.pilot.pause()
        assert c.app.screen.query_one(Input).value == f"{kept}Grüße"


class SlowToClose(Static):
    """A widget whose removal lasts until something else has happened."""

    def __init__(self, removing: asyncio.Event, is_over: Callable[[], bool]) -> None:
        super().__init__()
        self._removing, self._is_over = removing, is_over

    async def on_unmount(self) -> None:
        self._removing.set()
        while not self._is_over():
            await asyncio.sleep(0.01)


@driven
async def test_details_that_arrive_while_the_dialog_closes_are_dropped(store: Store, run_id: str) -> None:
    asked, may_answer, removing = threading.Event(), threading.Event(), asyncio.Event()

    def details() -> list[str]:
        asked.set()
        may_answer.wait(120)
        return ["late"]

    async with console(store) as c:
        dialog = ConfirmScreen("Sure?", ["…"], action="Do", details=details)
        c.app.push_screen(dialog)
        await c.wait_for(asked.is_set)
        (worker,) = (worker for worker in c.app.workers if worker.node is dialog)
        await dialog.mount(SlowToClose(removing, lambda: worker.is_finished))
        c.app.post_message(events.Key("n", "n"))
        await asyncio.wait_for(removing.wait(), 60)
        may_answer.set()
        await c.wait_for(lambda: worker.is_finished)
        assert worker.is_cancelled
        assert c.app.is_running


@pytest.mark.parametrize("loops", [0, 1, 4])
@pytest.mark.parametrize(
    "dialog",
    [
        lambda: TextScreen("Label", "old", hint=""),
        lambda: ChoiceScreen("Which?", [("one", "One"), ("two", "Two")]),
        lambda: ConfirmScreen("Sure?", ["…"], action="Do", details=lambda: ["more"]),
        lambda: HelpScreen([], filter_words=(), messages=()),
        lambda: StudyForm(defaults("")),
        Palette,
    ],
)
@driven
async def test_a_dialog_that_is_closed_before_it_is_drawn_stops_nothing(
    store: Store, dialog: Callable[[], Screen[Any]], loops: int
) -> None:
    async with console(store) as c:
        c.app.push_screen(dialog())
        for _ in range(loops):
            await asyncio.sleep(0)
        c.app.show_runs()
        await c.pilot.pause()
        assert c.app.screen is c.runs
        assert c.app.is_running


@driven
async def test_an_answer_below_another_screen_closes_neither(store: Store) -> None:
    answers = list[bool | None]()
    async with console(store) as c:
        lower, upper = (ConfirmScreen(title, ["…"], action="Do") for title in ("Sure?", "Really?"))
        await c.app.push_screen(lower, answers.append)
        await c.app.push_screen(upper, answers.append)
        lower.answer(True)
        await c.pilot.pause()
        assert (c.app.screen, answers) == (upper, [])
        await c.press("n", "y")
        assert (c.app.screen, answers) == (c.runs, [False, True])


@driven
async def test_a_palette_may_be_opened_while_one_is_being_closed(store: Store) -> None:
    async with console(store) as c:
        for _ in range(3):
            c.app.action_command_palette()
            await asyncio.sleep(0)
            c.app.show_runs()
        c.app.action_command_palette()
        await c.pilot.pause()
        assert isinstance(c.app.screen, Palette)
        assert c.app.is_running
