"""Keys that arrive together do what they do one by one."""

import asyncio
import threading
from collections.abc import Callable
from types import ModuleType

import pytest
from console_driver import Driver, console, driven
from fake_runs import write_run
from textual import events
from textual.app import ComposeResult
from textual.screen import ModalScreen, Screen
from textual.widgets import Input
from textual.worker import Worker

from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.runs.store import Store
from alexnet_tui.studies import planning
from alexnet_tui.tui import download_question
from alexnet_tui.tui.screens.new_run.screen import NewRunScreen
from alexnet_tui.tui.screens.report import source as report_source
from alexnet_tui.tui.screens.report.screen import ReportScreen
from alexnet_tui.tui.screens.runs.filter_line import FilterLine
from alexnet_tui.tui.screens.runs.screen import RunsScreen
from alexnet_tui.tui.screens.studies.screen import StudiesScreen
from alexnet_tui.tui.screens.studies.study_form import StudyForm
from alexnet_tui.tui.workers import ASKING

CLEAR, TAB, BACK_TAB, ENTER, F5, CTRL_C, CTRL_R = "\x15", "\t", "\x1b[Z", "\r", "\x1b[15~", "\x03", "\x12"


@pytest.fixture
def run_id(store: Store) -> str:
    return write_run(store, RunConfig(epochs=2), label="old").id


def pasted(text: str) -> str:
    return f"\x1b[200~{text}\x1b[201~"


def label_of(c: Driver, run_id: str) -> str:
    notes = c.app.session.watcher.notes.get(run_id)
    return notes.label if notes else ""


async def form_at(c: Driver, name: str) -> NewRunScreen:
    """The form, with the cursor in a field whose text is selected."""
    await c.press("2")
    screen = c.app.screen
    assert isinstance(screen, NewRunScreen)
    for _ in range(9):
        if screen.focused is screen.rows[name].editor:
            return screen
        await c.press("tab")
    raise AssertionError(f"there is no field {name}")


@pytest.mark.slow
@pytest.mark.parametrize(("keys", "label"), [("new", "new"), (pasted("a paste") + "d", "a pasted"), ("x\x7fy", "y")])
@driven
async def test_a_label_typed_behind_its_key_is_saved(store: Store, run_id: str, keys: str, label: str) -> None:
    async with console(store) as c:
        c.burst(f"L{CLEAR}{keys}{ENTER}")
        await c.wait_for(lambda: "Label saved." in c.notifications())
        assert store.notes(run_id).label == label


@pytest.mark.slow
@pytest.mark.parametrize("keys", [f"3{TAB}12", f"{CLEAR}3{TAB}{CLEAR}12", f"{pasted('3')}{TAB}{pasted('12')}"])
@driven
async def test_what_is_typed_before_and_after_a_tab_is_in_two_fields(store: Store, keys: str) -> None:
    async with console(store) as c:
        form = await form_at(c, "seed")
        c.burst(keys)
        await c.wait_for(lambda: form.draft.texts["epochs"] == "12")
        assert form.draft.texts["seed"] == "3"


@driven
async def test_a_filter_typed_behind_its_key_narrows(store: Store, run_id: str) -> None:
    write_run(store, RunConfig(epochs=2))
    async with console(store) as c:
        c.burst("/old")
        await c.wait_for(lambda: c.shown == [run_id])
        assert c.runs.query_one(FilterLine).text == "old"


@pytest.mark.slow
@driven
async def test_a_tab_back_and_forth_in_a_plan_loses_nothing(store: Store) -> None:
    async with console(store, size=(80, 40)) as c:
        await c.press("w", "n")
        form = c.app.screen
        assert isinstance(form, StudyForm)
        epochs, images = form.query_one("#plan-epochs", Input), form.query_one("#plan-train_images", Input)
        epochs.focus()
        await c.pilot.pause()
        c.burst(f"{TAB}{CLEAR}60{BACK_TAB}{CLEAR}77")
        await c.wait_for(lambda: (epochs.value, images.value) == ("77", "60"))


@pytest.mark.slow
@driven
async def test_keys_behind_the_one_that_opens_a_form_are_keys_of_the_form(store: Store) -> None:
    keys = "2", F5, TAB, TAB, TAB, "3", TAB, "1", "3"
    found: list[dict[str, str]] = []
    for bursts in (keys, ["".join(keys)]):
        async with console(store) as c:
            for one in bursts:
                c.burst(one)
                await c.pilot.pause()
            form = c.app.screen
            assert isinstance(form, NewRunScreen)
            await c.wait_for(lambda form=form: any(text.endswith("13") for text in form.draft.texts.values()))  # type: ignore[misc]
            assert form.focused is not None
            found.append({**form.draft.texts, "cursor": form.focused.id or ""})
    assert found[0] == found[1]


@driven
async def test_a_key_held_down_counts_as_often_as_it_comes(store: Store) -> None:
    for epochs in range(1, 41):
        write_run(store, RunConfig(epochs=epochs))
    async with console(store) as c:
        c.runs.table.move_to(0)
        c.burst("\x1b[B" * 35 + "\x1b[A" * 3 + "/")
        await c.wait_for(lambda: c.runs.query_one(FilterLine).is_editing)
        assert c.runs.table.cursor == 32


@pytest.mark.slow
@driven
async def test_keys_behind_the_one_that_closes_a_dialog_are_of_what_lies_below(store: Store, run_id: str) -> None:
    async with console(store) as c:
        c.burst(f"L{CLEAR}new{ENTER}/new")
        await c.wait_for(lambda: c.runs.query_one(FilterLine).text == "new")
        await c.wait_for(lambda: label_of(c, run_id) == "new")


@driven
async def test_keys_behind_one_that_asks_after_a_look_at_the_disk_are_answers(store: Store) -> None:
    async with console(store) as c:
        await c.press("w")
        await c.wait_for(lambda: "No studies yet" in c.text())
        c.burst("rn")  # No, rather than another plan.
        await c.wait_for(lambda: c.app._key_queue._wait is None and all(one.is_finished for one in asking(c)))
        assert isinstance(c.app.screen, StudiesScreen)
        await c.press("6")
        c.burst("f1")  # The first of what there is to report on, rather than the first place.
        await c.wait_for(lambda: c.app._key_queue._wait is None and all(one.is_finished for one in asking(c)))
        assert isinstance(c.app.screen, ReportScreen)


@pytest.mark.parametrize(
    ("place", "key", "look"),
    [
        ("6", "f", (report_source, "sources")),
        ("w", "r", (download_question, "missing")),
        ("w", CTRL_R, (download_question, "missing")),
    ],
)
@driven
async def test_a_key_pressed_again_before_the_disk_is_read_asks_once(
    store: Store, monkeypatch: pytest.MonkeyPatch, place: str, key: str, look: tuple[ModuleType, str]
) -> None:
    planning.plan_variants(store, "whole", variants=("tanh",), seeds=[0], overrides={"epochs": "1"})
    begun, may_end, at_once = list[None](), threading.Event(), getattr(*look)

    def slow(*args: object, **kwargs: object) -> object:
        begun.append(None)
        may_end.wait(120)
        return at_once(*args, **kwargs)

    async with console(store) as c:
        await c.press(place)
        screen = c.app.screen
        await c.wait_for(lambda: not isinstance(screen, StudiesScreen) or screen.now is not None)
        monkeypatch.setattr(*look, slow)
        c.burst(key * 2)
        await until(lambda: begun and c.app._key_queue._wait is None and not c.app._key_queue._waiting, 30)
        may_end.set()
        await c.wait_for(lambda: not asking(c))
        assert (len(begun), sum(isinstance(one, ModalScreen) for one in c.app.screen_stack)) == (1, 1)


@driven
async def test_a_disk_that_is_not_read_holds_up_keys_once(store: Store) -> None:
    async with console(store) as c:
        question, is_read = await asked(c), asyncio.Event()
        c.app.run_worker(is_read.wait(), group=ASKING)
        c.burst("\x1b[17~" * 40)
        await until(lambda: question.keys == ["f6"] * 40, 15)
        is_read.set()


@driven
async def test_keys_behind_the_last_one_do_nothing(store: Store, run_id: str) -> None:
    async with console(store) as c:
        c.burst("q2")
        await c.wait_for(lambda: not c.app.is_running)
        assert c.app.return_value == 0
        assert not c.app.is_screen_installed("new")


class _Question(ModalScreen[None]):
    """A field, and a key that is not handled before it is told so."""

    def __init__(self) -> None:
        super().__init__()
        self.keys = list[str]()
        self.may_go_on = asyncio.Event()

        self.field = Input()

    def compose(self) -> ComposeResult:
        yield self.field

    async def on_key(self, event: events.Key) -> None:
        self.keys.append(event.key)
        if event.key == "f9":
            await self.may_go_on.wait()


async def until(condition: Callable[[], object], seconds: float) -> None:
    """Wait, but not for the console to be at rest."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


def asking(c: Driver) -> list[Worker[object]]:
    return [worker for worker in c.app.workers if worker.group == ASKING]


async def asked(c: Driver) -> _Question:
    question = _Question()
    await c.app.push_screen(question)
    await c.pilot.pause()
    return question


@driven
async def test_keys_to_a_field_that_is_gone_hold_up_no_other(store: Store) -> None:
    async with console(store) as c:
        question = await asked(c)
        field = question.field
        await field.remove()
        question.set_reactive(Screen.focused, field)
        c.burst("abc")
        await c.pilot.pause()
        question.set_reactive(Screen.focused, None)
        c.burst("d")
        await c.wait_for(lambda: question.keys == ["d"])


@driven
async def test_a_key_that_is_never_done_holds_up_the_others_once(store: Store) -> None:
    async with console(store) as c:
        question = await asked(c)
        c.burst("\x1b[20~" + "a" * 40 + CTRL_C)
        # Not half a second for each of them.
        await until(lambda: any("quit" in said for said in c.notifications()), 15)
        assert (question.keys, question.field.value) == (["f9"], "a" * 40)
        question.may_go_on.set()
        c.burst("b")
        await c.wait_for(lambda: question.field.value == "a" * 40 + "b")


@driven
async def test_a_screen_that_is_never_drawn_holds_up_keys_once(
    store: Store, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with console(store) as c:
        monkeypatch.setattr(_Question, "_invoke_later", lambda *_: None)
        question = _Question()
        c.app.push_screen(question)
        c.burst("a" * 40)
        await until(lambda: question.field.value == "a" * 40, 15)


@driven
async def test_keys_on_the_heels_of_a_screen_that_is_opened_otherwise_are_its_own(store: Store, run_id: str) -> None:
    async with console(store) as c:
        question = _Question()
        c.app.push_screen(question)
        c.burst("abc")
        await c.wait_for(lambda: question.field.value == "abc")
        assert isinstance(c.runs, RunsScreen)
