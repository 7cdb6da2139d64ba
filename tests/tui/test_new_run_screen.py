"""The New run form, driven by keys in the real console with a trainer that is played."""

import asyncio
import contextlib
import itertools
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import fake_trainer
import pytest
from console_driver import console, driven, running
from fake_runs import write_run
from textual import events
from textual.app import App, ComposeResult
from textual.pilot import Pilot
from textual.widget import Widget
from textual.widgets import Static
from textual.widgets.collapsible import CollapsibleTitle

from alexnet_tui.analysis.time_estimate import step_settings
from alexnet_tui.config.first_run import FIRST_RUN
from alexnet_tui.config.hyperparameters import SPECS, RunConfig
from alexnet_tui.datasets.cache import Progress, ProgressCallback
from alexnet_tui.datasets.catalog import BUILT_IN, DOWNLOADS
from alexnet_tui.errors import DatasetError, LaunchError
from alexnet_tui.launch import stopping
from alexnet_tui.paths import data_root
from alexnet_tui.runs.follow import load
from alexnet_tui.runs.origin import IMPORTED_FILE
from alexnet_tui.runs.run_ids import REFERENCE
from alexnet_tui.runs.state import State
from alexnet_tui.runs.store import Store
from alexnet_tui.studies import planned_runs, study_files
from alexnet_tui.studies.plan import load_plan
from alexnet_tui.tui.screens.new_run import launch
from alexnet_tui.tui.screens.new_run import screen as screen_module
from alexnet_tui.tui.screens.new_run.draft import Draft, command_line
from alexnet_tui.tui.screens.new_run.screen import NewRunScreen
from alexnet_tui.tui.screens.new_run.step_timer import timed_sentence
from alexnet_tui.tui.session import OpenRun, Session
from alexnet_tui.tui.terminal.themes import THEMES, VARIABLE_DEFAULTS
from alexnet_tui.tui.widgets.dialogs import ConfirmScreen
from alexnet_tui.tui.widgets.fields import Card, CardField, ChoiceField, FieldEdited, FieldInfo, Option, TextField
from alexnet_tui.tui.widgets.form import FieldGroup, FieldRow

TOO_LONG = "Too long: the field holds 8,000 characters. Nothing was put in."
FINISHED_AT_ONCE = (sys.executable, "-c", "pass")


class FormApp(App[None]):
    """As much of the console as the form asks of it, noting which run it is asked to open."""

    CSS_PATH = Path(screen_module.__file__).with_name("screen.tcss")
    CSS = "TopBar, KeyBar { height: 1; }"
    ascii_only = False

    def __init__(self, store: Store) -> None:
        super().__init__()
        self.session = Session(store)
        self.opened: list[str] = []
        self.places: list[str] = []
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = THEMES[0].name

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return VARIABLE_DEFAULTS

    def on_mount(self) -> None:
        self.session.watcher.poll()

    def on_unmount(self) -> None:
        self.session.close()

    def on_open_run(self, message: OpenRun) -> None:
        self.opened.append(message.run_id)

    def action_place(self, place: str) -> None:
        self.places.append(place)

    def open_new_run(self, run_id: str | None) -> None:
        if "new" not in self._installed_screens:
            self.install_screen(NewRunScreen(self.session, run_id), "new")
        self.push_screen("new")


class Form:
    """The screen and the keys that drive it."""

    def __init__(self, app: FormApp, pilot: Pilot[Any], screen: NewRunScreen) -> None:
        self.app, self.pilot, self.screen = app, pilot, screen

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)

    async def until(self, condition: Callable[[], bool], seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "waited in vain"
            await asyncio.sleep(0.01)

    async def type(self, name: str, text: str) -> None:
        if not self.row(name).parent:
            self.group_of(name).collapsed = False
            await self.pilot.pause()
        self.row(name).editor.focus()
        await self.pilot.pause()
        await self.press("end", "ctrl+u", *text)

    def burst(self, *keys: str) -> None:
        """Press keys one on the heels of the other; nothing is waited for, not even that they arrive."""
        for key in keys:
            self.app.simulate_key(key)

    def row(self, name: str) -> FieldRow:
        return self.screen.rows[name]

    def group_of(self, name: str) -> FieldGroup:
        groups = self.screen.query(FieldGroup)
        return next(group for group in groups if self.row(name) in group.rows)

    def text(self, selector: str) -> str:
        return str(self.screen.query_one(selector, Static).render())

    def message(self, name: str) -> str:
        return "".join(str(self.row(name).render()).splitlines()[1:])

    def focused(self) -> str:
        return (self.screen.focused.id or "") if self.screen.focused else ""


@asynccontextmanager
async def opened(
    store: Store,
    *,
    template: str | None = None,
    size: tuple[int, int] = (160, 45),
    trainer: str = "normal",
    is_downloaded: bool = True,
) -> AsyncIterator[Form]:
    """The form, on a machine with CIFAR-10 unless the test has data of its own."""
    archive = data_root() / DOWNLOADS / BUILT_IN["cifar10"].archive
    if is_downloaded and not data_root().exists():
        archive.parent.mkdir(parents=True)
        archive.touch()
    app = FormApp(store)
    async with running(app, size) as pilot:
        app.open_new_run(template)
        await pilot.pause()
        screen = app.screen
        assert isinstance(screen, NewRunScreen)
        app.session.commands.trainer, app.session.commands.worker = fake_trainer.command(trainer), FINISHED_AT_ONCE
        form = Form(app, pilot, screen)
        # Lines that come with the data sets and the summary move what is below them.
        await form.until(lambda: bool(form.text("#brief") and screen.catalog))
        await pilot.pause()
        yield form
        for run_id in store.ids():
            with contextlib.suppress(LaunchError):  # It left by itself meanwhile.
                stopping.kill(store, run_id)


# ---------------------------------------------------------------------- draft


def test_choosing_a_variant_lays_its_preset() -> None:
    draft = Draft()
    assert draft.edit("variant", "low-dropout") == {"variant", "dropout"}
    assert draft.config().dropout == 0.01
    assert draft.edit("variant", "tanh") == {"variant", "dropout", "activation"}
    assert (draft.config().dropout, draft.config().activation) == (0.5, "tanh")


def test_a_touched_field_keeps_its_value_under_another_preset() -> None:
    draft = Draft()
    draft.edit("dropout", "0.3")
    draft.edit("variant", "low-dropout")
    draft.edit("front_end", "same32")
    assert draft.config().dropout == 0.3
    assert draft.config().lrn
    assert draft.differs("dropout")
    assert draft.preset_text("dropout") == "0.01"


def test_a_field_put_back_by_hand_follows_presets_again() -> None:
    draft = Draft()
    draft.edit("dropout", "0.3")
    draft.edit("dropout", "0.50")
    draft.edit("variant", "low-dropout")
    assert draft.config().dropout == 0.01


@pytest.mark.parametrize("text", ["1e3", "1000", "1000.0"])
def test_numbers_are_what_was_typed(text: str) -> None:
    draft = Draft()
    draft.edit("epochs", text)
    assert draft.config().epochs == 1000


def test_errors_name_every_bad_field() -> None:
    draft = Draft()
    draft.edit("epochs", "1.5")
    draft.edit("learning_rate", "0")
    assert set(draft.errors()) == {"epochs", "learning_rate"}


def test_a_draft_of_a_config_gives_it_back() -> None:
    config = RunConfig.from_text({"variant": "tanh", "front_end": "same32", "learning_rate": "0.03"})
    draft = Draft.of(config)
    assert draft.config() == config
    assert draft.touched == {"learning_rate"}


def test_a_study_is_every_variant_with_every_seed_and_the_same_touched_fields() -> None:
    draft = Draft()
    for name, text in (("variants", "all"), ("seeds", "2"), ("seed", "7"), ("momentum", "0.8")):
        draft.edit(name, text)
    configs = draft.configs()
    assert draft.num_runs == len(configs) == 8
    assert [(config.variant, config.seed) for config in configs[:5]] == [
        ("baseline", 7),
        ("low-dropout", 7),
        ("tanh", 7),
        ("four-conv", 7),
        ("baseline", 8),
    ]
    assert {config.momentum for config in configs} == {0.8}
    assert [config.dropout for config in configs[:2]] == [0.5, 0.01]
    assert draft.texts["variant"] == "baseline"


def test_seeds_are_so_many_from_the_seed_on_or_those_named() -> None:
    draft = Draft()
    draft.edit_all({"seed": "7", "seeds": "2"})
    assert [config.seed for config in draft.configs()] == [7, 8]
    draft.edit("seeds", "3-5")
    assert [config.seed for config in draft.configs()] == [3, 4, 5]
    assert draft.num_runs == 3
    for text in ("0", "101", "5-", "-5", "9-5", "5 9", "1e2", "9" * 5000):
        draft.edit("seeds", text)
        assert "from 1 to 100" in draft.error("seeds")
        assert draft.num_runs == 1


def test_the_command_line_makes_the_same_run() -> None:
    config = RunConfig.from_text({"variant": "tanh", "front_end": "same32", "epochs": "7", "lrn": "no"})
    options = ["--front-end", "same32", "--epochs", "7", "--no-lrn", "--label", "mine"]
    assert command_line(config, "mine") == ["alexnet-tui", "run", "tanh", *options]


# --------------------------------------------------------------------- screen


@pytest.mark.slow
@driven
async def test_a_form_begins_with_data_that_is_here_and_then_with_the_last_settings(
    store: Store, prepared_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALEXNET_TUI_DATA", str(prepared_data))
    async with opened(store, is_downloaded=False) as form:
        await form.until(lambda: form.row("data").editor.text == "synthetic")
        assert form.row("data").is_differing
        await form.press("f5")
        assert form.screen.draft.config() == FIRST_RUN
        form.screen.query_one("#edit-variant", CardField).choose("tanh")
        await form.press("ctrl+r")
        await form.until(lambda: bool(form.app.opened))
        run_id = form.app.opened[0]
    wanted = RunConfig.from_text({**FIRST_RUN.to_text(), "variant": "tanh", "activation": "tanh"})
    assert store.record(run_id).config == wanted
    async with opened(store, is_downloaded=False) as form:
        assert form.screen.draft.config() == wanted
        assert "settings that were started last" in form.text("#help")
        await form.press("f6")
        assert form.screen.draft.config() == RunConfig()


def test_settings_that_are_none_any_more_are_left_out() -> None:
    last = {"front_end": "same32", "epochs": "0", "gone": "1", "learning_rate": "0.5", "data": "mine"}
    assert Draft.of_last(last).config() == RunConfig.from_text(
        {"front_end": "same32", "learning_rate": "0.5", "data": "mine"}
    )
    assert Draft.of_last({"variant": "gone"}).config() == RunConfig()


@driven
async def test_every_hyperparameter_has_an_editor_with_its_default(store: Store) -> None:
    async with opened(store) as form:
        await form.press("f3")
        for name, text in RunConfig().to_text().items():
            editor = form.screen.query_one(f"#edit-{name}")
            assert getattr(editor, "text", None) == text, name
        assert form.screen.draft.touched == set()
        assert {type(form.row(name).editor) for name in ("epochs", "schedule")} == {TextField, ChoiceField}


@driven
async def test_cards_choose_the_variant_by_key_and_tell_the_reports_result(store: Store) -> None:
    async with opened(store) as form:
        assert form.focused() == "edit-variant"
        cards = [str(card.render()) for card in form.screen.query(".card")]
        assert "59.33%" in cards[0]
        assert "61.02%" in cards[3]
        await form.press("right", "right")
        assert form.screen.draft.config().activation == "tanh"
        assert form.row("activation").editor.text == "tanh"
        await form.press("down")
        assert form.focused() == "edit-front_end"
        await form.press("right")
        assert form.screen.draft.config().front_end == "same32"
        assert form.row("groups").editor.text == "2"


@pytest.mark.slow
@driven
async def test_typing_shows_one_error_line_and_the_summary_follows(store: Store) -> None:
    async with opened(store) as form:
        await form.type("epochs", "1.5")
        assert "must be a whole number" in form.message("epochs")
        await form.until(lambda: "whole number" in form.text("#brief"))
        await form.type("epochs", "1e3")
        assert form.message("epochs") == ""
        await form.until(lambda: "391,000 steps" in form.text("#brief"))
        assert form.screen.draft.config().epochs == 1000


@driven
async def test_every_pasted_line_is_in_the_field_and_what_does_not_fit_is_refused_in_a_sentence(store: Store) -> None:
    async with opened(store) as form:
        await form.type("label", "")
        form.app.post_message(events.Paste("first\r\nsecond\n"))
        await form.until(lambda: form.screen.draft.texts["label"] == "first second")
        form.row("seed").editor.focus()
        await form.pilot.pause()
        form.app.post_message(events.Paste("9" * 100_000))
        await form.until(lambda: form.text("#help") == TOO_LONG)
        assert form.row("seed").editor.text == "0"
        await form.press("7")
        await form.until(lambda: form.screen.draft.texts["seed"] == "7")
        assert form.text("#help") == SPECS["seed"].help


@pytest.mark.slow
@driven
async def test_what_is_typed_fast_is_what_the_field_says(store: Store) -> None:
    fields = (("epochs", "12", "345"), ("label", "ab", "cdefg"), ("learning_rate", "0.", "001"))
    async with opened(store, size=(80, 24)) as form:
        for ticks, (name, first, second) in itertools.product((0, 3, 13), fields):
            await form.type(name, "")
            editor = form.row(name).editor
            assert isinstance(editor, TextField)
            form.burst(*first)
            for _ in range(ticks):  # So much later that what the first keys led to is half done.
                await asyncio.sleep(0)
            form.burst(*second)
            await form.until(lambda name=name, text=first + second: form.screen.draft.texts[name] == text)  # type: ignore[misc]
            await form.pilot.pause()
            assert (editor.value, editor.cursor_position) == (first + second, len(first + second))


@pytest.mark.slow
@driven
async def test_keys_fed_while_a_redraw_is_due_lose_nothing(store: Store) -> None:
    async with opened(store, size=(80, 24)) as form:
        await form.type("label", "")
        text = "abcdefghijklmnopqrstuvwxyz" * 2
        for letter in text:
            form.burst(letter)
            form.screen.show_catalog([])
            form.screen._show_summary()
            await asyncio.sleep(0.002)
        await form.until(lambda: form.screen.draft.texts["label"] == text)
        assert form.row("label").editor.text == text


@driven
async def test_an_old_message_of_an_editor_writes_nothing_over_what_it_says_now(store: Store) -> None:
    async with opened(store, size=(80, 24)) as form:
        await form.type("epochs", "12345")
        editor = form.row("epochs").editor
        assert isinstance(editor, TextField)
        form.screen.post_message(TextField.Changed(editor, "12"))
        await form.pilot.pause()
        assert (editor.value, editor.cursor_position) == ("12345", 5)
        assert form.screen.draft.texts["epochs"] == "12345"
        await form.press("f4")
        form.screen.post_message(TextField.Changed(editor, "12345"))
        await form.pilot.pause()
        assert editor.value == form.screen.draft.texts["epochs"] == "100", "a reset holds"


@pytest.mark.parametrize(
    ("name", "last", "old"), [("variant", "four-conv", "low-dropout"), ("removed_conv_layer", "5", "3")]
)
@driven
async def test_a_choice_moves_as_often_as_its_key_is_pressed(store: Store, name: str, last: str, old: str) -> None:
    async with opened(store) as form:
        editor = form.screen.query_one(f"#edit-{name}")
        editor.focus()
        await form.pilot.pause()
        form.burst("right", "right", "right")
        await form.until(lambda: form.screen.draft.texts[name] == last)
        form.screen.post_message(FieldEdited(name, old))  # What a slow machine still has to tell.
        await form.pilot.pause()
        assert getattr(editor, "text", None) == form.screen.draft.texts[name] == last


@pytest.mark.slow
@driven
async def test_a_start_takes_what_the_field_says_even_before_its_message(store: Store, synthetic: Path) -> None:
    async with opened(store) as form:
        form.screen.query_one("#edit-data", ChoiceField).choose("synthetic")
        form.row("epochs").editor.set_text("23")
        await form.press("ctrl+r")
        await form.until(lambda: bool(form.app.opened))
        assert store.record(form.app.opened[0]).config.epochs == 23


@driven
async def test_a_small_run_is_said_to_take_one_time_only(store: Store) -> None:
    async with opened(store, size=(80, 24)) as form:
        await form.press("f5")
        await form.until(lambda: "240 steps" in form.text("#brief"))
        assert ("time unknown" in form.text("#brief"), "about half a minute" in form.text("#help")) == (True, True)
        form.app.session.step_seconds[step_settings(FIRST_RUN)] = 0.25
        await form.press("f5")
        await form.until(lambda: "240 steps · about 1m 34s" in form.text("#brief"))
        assert "about half a minute" not in form.text("#help")


@driven
async def test_summary_tells_time_from_past_runs_and_the_layer_table(store: Store) -> None:
    write_run(store, RunConfig(epochs=10))
    write_run(Store(store.root / REFERENCE), RunConfig(epochs=10, seed=1))
    imported = write_run(store, RunConfig(epochs=10, seed=2))
    (store.path(imported.id) / IMPORTED_FILE).write_text("{}")
    async with opened(store) as form:
        await form.until(lambda: "1 run of this network here" in form.text("#summary"))
        summary = form.text("#summary")
        assert "39,100" in summary
        assert "21,622,154" in summary
        assert "46m 51s" in summary  # 2.5 s for 1,280 images and 11,280 evaluated ones; 50,000 and 20,000, 100 epochs.
        assert "conv 5" in summary
        assert "dense 8" in summary
        # Timed just now: that is what was asked for, whatever a past run says.
        form.app.session.commands.prober = answering(
            'print(\'{"device": "cpu", "precision": "fp32", "step_milliseconds": 100}\')'
        )
        await form.press("f8")
        await form.until(lambda: "about 1h 13m (five steps timed here)" in form.text("#brief"))


@driven
async def test_a_summary_that_is_due_while_the_screen_is_closed_ends_nothing(store: Store) -> None:
    async with opened(store) as form:
        await form.screen.query_one("#brief").remove()
        form.screen._show_summary()
        await form.screen.query_one("#body").remove()
        form.screen._show_summary()
        await form.screen.query("StatusLine").remove()
        form.screen.show_status("Late.")
        await form.pilot.pause()


@driven
async def test_without_past_runs_the_summary_says_so(store: Store) -> None:
    async with opened(store) as form:
        assert "time unknown (f8 times it)" in form.text("#brief")
        assert "no run of 100 steps here to go by" in form.text("#summary")
        assert "f8 times five steps" in form.text("#summary")


def answering(code: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code)


@pytest.mark.slow
@driven
async def test_a_trial_of_five_steps_tells_the_time_for_every_run_like_it(store: Store) -> None:
    answer = '{"device": "cpu", "precision": "fp32", "step_milliseconds": 100}'
    async with opened(store) as form:
        form.app.session.commands.prober = answering(f"import sys; assert sys.argv[2] == '--probe'; print({answer!r})")
        await form.press("f8")
        await form.until(lambda: "Five steps were timed: 100 ms each." in form.text("#help"))
        # 0.1 s for 128 images: 50,000 trained, 10,000 + 10,000 evaluated at a third of that, 100 epochs.
        await form.until(lambda: "about 1h 13m (five steps timed here)" in form.text("#brief"))
        assert "five steps timed here" in form.text("#summary")
        await form.type("epochs", "10")
        await form.until(lambda: "about 7m 23s (five steps" in form.text("#brief"))
        await form.type("batch_size", "64")
        await form.until(lambda: "time unknown (f8 times it)" in form.text("#brief"))
        await form.type("batch_size", "128")
        await form.until(lambda: "about 7m 23s" in form.text("#brief"))


@pytest.mark.parametrize(
    ("seconds", "told"), [(2.82, "2,820 ms"), (12.3456, "12,346 ms"), (0.0996, "100 ms"), (0.01234, "12.3 ms")]
)
def test_a_trial_tells_its_time_in_plain_numbers(seconds: float, told: str) -> None:
    assert timed_sentence(seconds) == f"Five steps were timed: {told} each."


@pytest.mark.slow
@driven
async def test_one_trial_goes_on_at_a_time(store: Store, tmp_path: Path) -> None:
    began, may_end = tmp_path / "began", tmp_path / "may_end"
    answer = '{"device": "cpu", "precision": "fp32", "step_milliseconds": 100}'
    script = f"""import os, time
open({str(began)!r}, "a").write("x")
while not os.path.exists({str(may_end)!r}):
    time.sleep(0.01)
print({answer!r})"""
    async with opened(store) as form:
        form.app.session.commands.prober = answering(script)
        await form.press("f8", "f8")
        await form.until(began.exists)
        await form.press("f8")
        assert "Five steps are being timed here" in form.text("#help")
        may_end.touch()
        await form.until(lambda: "Five steps were timed: 100 ms each" in form.text("#help"))
        assert began.read_text() == "x"


@pytest.mark.slow
@driven
async def test_a_trial_that_fails_is_a_sentence(store: Store) -> None:
    async with opened(store) as form:
        form.app.session.commands.prober = answering("import sys; sys.exit('no \\x1b[2J such device')")
        await form.press("f8")
        await form.until(lambda: "No time: " in form.text("#help"))
        assert "no \\x1b[2J such device" in form.text("#help")
        assert "time unknown" in form.text("#brief")


@driven
async def test_any_error_of_a_trial_or_of_preparing_data_is_a_sentence(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ValueError("no such thing")

    monkeypatch.setattr("alexnet_tui.launch.probe.probe", fail)
    monkeypatch.setattr(PREPARE, fail)
    async with opened(store) as form:
        await form.press("f8")
        await form.until(lambda: "No time: an unexpected error (ValueError: no such thing)" in form.text("#help"))
        assert not form.screen._step_timer.is_busy
        await form.press("ctrl+g")
        await form.until(lambda: form.text("#help").startswith("an unexpected error"))
        assert form.screen.launcher.preparing == ""


@driven
async def test_no_trial_of_a_run_that_cannot_be(store: Store) -> None:
    async with opened(store) as form:
        form.app.session.commands.prober = answering("raise SystemExit('was asked')")
        await form.type("epochs", "many")
        await form.press("f8")
        await form.until(lambda: "epochs: must be a number" in form.text("#help"))
        assert not form.screen._step_timer.is_busy


@driven
async def test_escape_leaves_the_field_first_then_the_form(store: Store) -> None:
    async with opened(store) as form:
        await form.type("label", "my run")
        await form.press("escape")
        assert form.app.screen is form.screen
        assert form.focused() == ""
        await form.press("escape")
        assert form.app.screen is not form.screen
        form.app.open_new_run(None)
        await form.pilot.pause()
        assert form.row("label").editor.text == "my run"


@driven
async def test_letters_in_a_field_are_text_and_no_command(store: Store) -> None:
    async with opened(store) as form:
        await form.type("label", "q1t")
        assert form.screen.draft.texts["label"] == "q1t"
        assert form.app.screen is form.screen


@driven
async def test_start_refuses_and_goes_to_the_bad_field_in_its_folded_group(store: Store) -> None:
    async with opened(store, size=(80, 24)) as form:
        await form.type("learning_rate", "fast")
        group = form.group_of("learning_rate")
        group.collapsed = True
        form.screen.query_one("#edit-variant").focus()
        await form.press("ctrl+r")
        await form.until(lambda: form.focused() == "edit-learning_rate")
        assert not group.collapsed
        assert "learning rate" in form.text("#help")
        assert store.ids() == []


@pytest.mark.slow
@driven
async def test_a_group_is_made_when_it_is_opened_and_keeps_what_it_was_given(store: Store) -> None:
    record = write_run(store, RunConfig.from_text({"momentum": "0.8", "threads": "2"}))
    async with opened(store, template=record.id, size=(80, 24)) as form:
        assert not form.screen.query("#edit-momentum, #edit-threads")
        assert form.screen.draft.config().momentum == 0.8
        form.row("momentum").editor.set_text("much")
        await form.press("ctrl+r")
        await form.until(lambda: form.focused() == "edit-momentum")
        assert "must be a number" in form.message("momentum")
        assert not form.screen.query("#edit-threads")
        await form.press("ctrl+u", *"0.7", "f3", "f3")
        assert (form.row("momentum").editor.text, form.row("threads").editor.text) == ("0.7", "2")
        assert (form.screen.draft.config().momentum, form.screen.draft.config().threads) == (0.7, 2)


@driven
async def test_keys_alone_start_a_run_and_open_it(store: Store, synthetic: Path) -> None:
    async with opened(store, size=(80, 24)) as form:
        await form.press("right", "right", "right")
        assert form.screen.draft.config().variant == "four-conv"
        await form.press("tab", "down", "left")
        assert form.screen.draft.config().data == "synthetic"
        await form.press("down", "down", "2", "down", "down", "down", *"mine", "ctrl+r")
        await form.until(lambda: bool(form.app.opened))
        run_id = form.app.opened[0]
        record = store.record(run_id)
        assert (record.config.variant, record.config.epochs, record.label) == ("four-conv", 2, "mine")
        assert record.argv[:3] == ["alexnet-tui", "run", "four-conv"]
        await form.until(lambda: load(store, run_id)[1] is State.FINISHED)
        await form.until(lambda: form.focused() == "edit-variant")
        assert form.row("label").editor.text == "mine", "another run begins with what this one had"


@driven
async def test_the_console_goes_on_while_runs_are_made_and_makes_them_once(store: Store, synthetic: Path) -> None:
    async with opened(store) as form:
        form.screen.query_one("#edit-data", ChoiceField).choose("synthetic")
        with study_files.exclusive(store):  # A worker elsewhere has its turn.
            await form.press("ctrl+s", "ctrl+s")
            before = [group.collapsed for group in form.screen.query(FieldGroup)]
            await form.press("f3")
            assert [group.collapsed for group in form.screen.query(FieldGroup)] != before
            assert store.ids() == []
        await form.until(lambda: "Queued" in form.text("#help"))
        assert len(store.ids()) == len(study_files.names(store)) == 1


@pytest.mark.slow
@driven
async def test_seeds_make_a_study_whose_first_run_starts_at_once(store: Store, synthetic: Path) -> None:
    async with opened(store, trainer="endless") as form:
        form.screen.query_one("#edit-data", ChoiceField).choose("synthetic")
        await form.type("seeds", "3")
        await form.press("ctrl+r")
        await form.until(lambda: bool(form.app.opened))
        first = form.app.opened[0]
        runs = {record.id: record for record in store.list().runs}
        assert sorted(record.config.seed for record in runs.values()) == [0, 1, 2]
        assert runs[first].config.seed == 0
        plan = load_plan(store, runs[first].study)
        assert [cell.state for cell in planned_runs.status(store, plan)] == ["running", "queued", "queued"]
        assert (form.row("seeds").editor.text, form.screen.draft.num_runs) == ("1", 1), "the next start is of one run"
        assert not form.row("seeds").is_differing


@driven
async def test_a_queued_study_is_not_queued_again_by_the_next_key(store: Store, synthetic: Path) -> None:
    async with opened(store) as form:
        form.screen.query_one("#edit-data", ChoiceField).choose("synthetic")
        form.screen.query_one("#edit-variants", ChoiceField).choose("all")
        await form.press("ctrl+s")
        await form.until(lambda: "Queued" in form.text("#help"))
        assert len(store.ids()) == 4
        assert form.row("variants").editor.text == "chosen"
        await form.press("ctrl+s")
        await form.until(lambda: len(store.ids()) == 5 and "Queued" in form.text("#help"))


@pytest.mark.slow
@driven
async def test_more_runs_than_one_are_marked_and_numbers_are_told_of_each(store: Store) -> None:
    write_run(store, RunConfig(epochs=10))
    async with opened(store, size=(80, 24)) as form:
        await form.until(lambda: form.text("#brief").startswith("39,100 steps · 46m 51s ("))
        assert not any(row.is_differing for row in form.screen.rows.values())
        await form.type("seeds", "2")
        each = "2 runs: a study with a queue · 39,100 steps each · 46m 51s each"
        await form.until(lambda: form.text("#brief").startswith(each))
        assert "Each of 2 runs will take" in form.text("#summary")
        assert "39,100 each" in form.text("#summary")
        form.screen.query_one("#edit-variants", ChoiceField).choose("all")
        await form.until(lambda: "Each of 8 runs will take" in form.text("#summary"))
        assert {name for name, row in form.screen.rows.items() if row.is_differing} == {
            "seeds",
            "variants",
        }
        assert str(form.row("seeds").render()).startswith("• seeds ")
        assert form.row("seeds").hint == "1 to 100 · preset 1"
        await form.press("f4")
        await form.until(lambda: "Each of 4 runs will take" in form.text("#summary"))
        assert form.row("seeds").editor.text == "1"


@driven
async def test_queue_starts_nothing_itself(store: Store, synthetic: Path) -> None:
    async with opened(store) as form:
        form.screen.query_one("#edit-data", ChoiceField).choose("synthetic")
        await form.press("ctrl+s")
        await form.until(lambda: "Queued" in form.text("#help"))
        assert [load(store, run_id)[1] for run_id in store.ids()] == [State.QUEUED]
        assert form.app.opened == []


@pytest.mark.parametrize("size", [(160, 45), (40, 12)])
@driven
async def test_up_and_down_go_past_cards_side_by_side_and_choose_nothing(store: Store, size: tuple[int, int]) -> None:
    async with opened(store, size=size) as form:
        await form.press("up")
        assert form.focused() == "edit-variant", "the first field holds"
        await form.press("right", "down")
        assert form.focused() == "edit-front_end"
        await form.press("up")
        assert form.focused() == "edit-variant"
        assert form.screen.draft.config().variant == "low-dropout"


@driven
async def test_up_and_down_choose_among_cards_in_lines_and_leave_beyond_the_last(store: Store) -> None:
    async with opened(store, size=(80, 24)) as form:
        chosen = []
        for key in ("up", "down", "down", "down", "up", "down"):
            await form.press(key)
            assert form.focused() == "edit-variant"
            chosen.append(form.screen.draft.config().variant)
        assert chosen == ["baseline", "low-dropout", "tanh", "four-conv", "tanh", "four-conv"]
        await form.press("down")
        assert form.focused() == "edit-front_end"
        await form.press("up", "left")
        assert (form.focused(), form.screen.draft.config().variant) == ("edit-variant", "tanh")
        await form.press("enter")
        assert (form.focused(), form.screen.draft.config().variant) == ("edit-front_end", "tanh")


@driven
async def test_the_chosen_card_and_the_key_bar_say_which_keys_choose(store: Store) -> None:
    async with console(store, size=(80, 24)) as driver:
        await driver.press("2")
        await driver.wait_for(lambda: "←/→ choose, tab next" in driver.text())
        line = next(line for line in driver.text().splitlines() if "tab next" in line)
        assert "Original model" in line
        assert "59.33%" in line
        assert "←/→ Choose" in driver.text().splitlines()[-1]
        await driver.press("tab")
        await driver.wait_for(lambda: "tab next" not in driver.text())
        assert "←/→ Choose" in driver.text().splitlines()[-1], "the front end is chosen so, too"


@pytest.mark.slow
@pytest.mark.parametrize("size", [(160, 45), (120, 40)])
@driven
async def test_cards_side_by_side_say_how_to_choose_and_go_on(store: Store, size: tuple[int, int]) -> None:
    async with console(store, size=size) as driver:
        await driver.press("2")
        await driver.wait_for(lambda: "←/→ choose, tab next" in driver.text())
        cards = driver.app.screen.query(Card)
        await driver.press("right")
        assert [str(card.border_subtitle) for card in cards] == ["", "←/→ choose, tab next", "", ""]
        await driver.pilot.resize_terminal(80, 24)
        await driver.wait_for(lambda: "←/→ choose, tab next" in driver.text())
        await driver.pilot.resize_terminal(*size)
        await driver.wait_for(lambda: "←/→ choose, tab next" in driver.text())
        await driver.press("tab")
        await driver.wait_for(lambda: "tab next" not in driver.text())


@pytest.mark.slow
@driven
async def test_numbers_change_by_mouse_alone(store: Store) -> None:
    async with opened(store, size=(120, 40)) as form:
        row = form.row("epochs")
        assert "[+]" not in str(row.render())
        await form.pilot.click(row, offset=(2, 0))
        assert form.focused() == "edit-epochs", "a click on the label is one on the field"
        line = str(row.render())
        for sign, text in (("[+]", "200"), ("[-]", "100"), ("[-]", "50")):
            await form.pilot.click(row, offset=(line.index(sign) + 1, 0))
            await form.until(lambda text=text: form.screen.draft.texts["epochs"] == text)  # type: ignore[misc]
        wheel = events.MouseScrollUp(row.editor, 1, 0, 0, -1, 0, shift=False, meta=False, ctrl=False)
        row.editor.post_message(wheel)
        await form.until(lambda: form.screen.draft.texts["epochs"] == "100")
        await form.pilot.click(form.row("seed").editor, offset=(1, 0))
        await form.press("1", "2")
        assert form.screen.draft.texts["seed"] == "12", "typed over the old number, as after tab"
        await form.pilot.click(form.row("seed").editor, offset=(0, 0))
        await form.press("3")
        assert form.screen.draft.texts["seed"] == "312"
        await form.type("seed", "0")
        row.editor.focus()
        await form.until(lambda: form.focused() == "edit-epochs")
        seed = form.row("seed")
        seed.editor.post_message(events.MouseScrollUp(seed.editor, 1, 0, 0, -1, 0, shift=False, meta=False, ctrl=False))
        await form.pilot.pause()
        assert form.screen.draft.texts["seed"] == "0", "the wheel over another field scrolls"


@pytest.mark.slow
@driven
async def test_what_a_front_end_changes_is_marked_and_says_so(store: Store) -> None:
    async with opened(store) as form:
        await form.press("f3")
        form.screen.query_one("#edit-front_end", ChoiceField).choose("cifar3x3")
        row = form.row("augmentation")
        await form.until(lambda: row.is_differing)
        assert row.hint == "by cifar3x3, default flip"
        await form.until(lambda: row.editor.region.right <= row.region.right - len(row.hint))


@pytest.mark.slow
@driven
async def test_a_digit_beside_a_number_does_not_leave_the_form(store: Store) -> None:
    async with opened(store) as form:
        await form.press("f3")
        await form.pilot.click(form.row("split"), offset=(2, 0))
        await form.press("2", "5")
        assert form.app.places == []
        assert form.focused() == "edit-split"
        await form.until(lambda: "esc leaves the form" in form.text("#help"))


@driven
async def test_a_page_key_scrolls_the_form_from_the_cards_too(store: Store) -> None:
    async with opened(store, size=(80, 24)) as form:
        await form.press("f3", "pagedown")
        scroller = form.screen.query_one("#form")
        assert form.focused() == "edit-variant"
        await form.until(lambda: scroller.scroll_offset.y == scroller.size.height - 1)
        await form.press("pageup")
        await form.until(lambda: scroller.scroll_offset.y == 0)


@pytest.mark.slow
@driven
async def test_the_layer_table_scrolls_by_keys(store: Store) -> None:
    async with opened(store, size=(80, 24)) as form:
        await form.press("f2")
        panel = form.screen.query_one("#panel")
        await form.until(lambda: panel.max_scroll_y > 0)
        await form.press("pagedown")
        await form.until(lambda: panel.scroll_offset.y > 0)
        await form.press("end")
        await form.until(lambda: panel.scroll_offset.y == panel.max_scroll_y)
        await form.press("escape")
        await form.until(lambda: form.focused() == "edit-variant")
        assert not form.screen.has_class("-layers")


@driven
async def test_the_form_opens_with_the_cursor_at_the_top(store: Store) -> None:
    record = write_run(store, RunConfig(epochs=2))
    async with opened(store, size=(80, 24)) as form:
        for template in (None, record.id):
            await form.press("tab", "down", "down")
            assert form.focused() == "edit-seed"
            form.app.pop_screen()
            form.screen.show(template)
            form.app.open_new_run(template)
            await form.pilot.pause()
            assert form.focused() == "edit-variant"


@pytest.mark.slow
@driven
async def test_a_download_asks_first_and_says_how_much_and_how_long(store: Store) -> None:
    record = write_run(store, RunConfig(epochs=10))
    async with opened(store, size=(80, 24), is_downloaded=False) as form:
        await form.until(lambda: form.row("data").editor.text == "synthetic")
        form.screen.query_one("#edit-data", ChoiceField).choose("cifar10")
        await form.until(lambda: "not here yet: 170 MB to download" in form.message("data"))
        await form.press("ctrl+r")
        await form.until(lambda: isinstance(form.app.screen, ConfirmScreen))
        text = " ".join(str(part.render()) for part in form.app.screen.query(Static))
        assert "cifar10 is not here yet" in text
        assert "170 MB to download" in text
        assert "100 epochs, about 46m 51s" in text
        await form.press("n")
        await form.until(lambda: form.app.screen is form.screen)
        assert form.text("#help") == SPECS["variant"].help, "nothing is being prepared"
        assert store.ids() == [record.id]


@driven
async def test_an_error_can_be_read_to_its_end_on_a_small_screen(store: Store) -> None:
    sentence = "cifar10: " + "its archive could not be downloaded. " * 9 + "Then try again."
    async with opened(store, size=(80, 24)) as form:
        form.screen.show_status(sentence, is_error=True)
        await form.until(lambda: "Then try again." in form.text("#help"))
        help_line = form.screen.query_one("#help")
        await form.until(lambda: help_line.content_size.height * help_line.content_size.width >= len(sentence))
        await form.press("f6")
        await form.until(lambda: help_line.content_size.height == 2)


PREPARE = "alexnet_tui.tui.screens.new_run.launch.prepare_dataset"


def request_of(seed: int, *, is_queued: bool = False) -> launch.LaunchRequest:
    config = RunConfig(seed=seed, epochs=1, data="synthetic", train_images=64)
    return launch.LaunchRequest(configs=(config,), label="", is_queued=is_queued, draft=Draft.of(config))


@driven
async def test_a_start_that_waited_for_its_data_is_not_lost_while_another_run_is_being_started(
    store: Store, synthetic: Path
) -> None:
    async with opened(store) as form:
        launcher, may_start = form.screen.launcher, threading.Event()
        form.app.session.executors["launch"].submit(may_start.wait)  # The other start takes its time.
        launcher.submit(request_of(1))
        await form.until(lambda: launcher.is_starting)
        request = request_of(2)
        launcher.prepare(request.configs[0], request)
        await form.until(lambda: not launcher.preparing)
        launcher.submit(request_of(3))  # A key pressed twice.
        await form.pilot.pause()
        may_start.set()
        await form.until(lambda: len(store.ids()) == 2 and not launcher.is_starting)
        assert sorted(store.record(run_id).config.seed for run_id in store.ids()) == [1, 2]


@pytest.mark.parametrize(
    ("error", "request_", "words"),
    [
        ("the download broke off.", request_of(1), "the download broke off."),
        ("", request_of(2, is_queued=True), "Queued: baseline-s2"),
        ("", None, "synthetic is ready."),
    ],
)
@driven
async def test_who_left_the_form_is_told_what_became_of_it(
    store: Store, monkeypatch: pytest.MonkeyPatch, error: str, request_: launch.LaunchRequest | None, words: str
) -> None:
    may_end = threading.Event()

    def prepare(*_: object) -> None:
        may_end.wait()
        if error:
            raise DatasetError("synthetic", error)

    monkeypatch.setattr(PREPARE, prepare)
    async with console(store) as c:
        c.app.session.commands.worker = FINISHED_AT_ONCE
        await c.press("2")
        await c.wait_for(lambda: isinstance(c.app.screen, NewRunScreen))
        form = c.app.screen
        assert isinstance(form, NewRunScreen)
        form.launcher.prepare(request_of(1).configs[0], request_)
        c.app.show_runs()
        may_end.set()
        await c.wait_for(lambda: words in c.text())
        assert c.app.screen is c.runs


@driven
async def test_a_start_that_waited_for_its_data_leaves_who_types_in_the_form_alone(
    store: Store, synthetic: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_end = threading.Event()
    monkeypatch.setattr(PREPARE, lambda *_: may_end.wait())
    async with opened(store) as form:
        launcher, request = form.screen.launcher, request_of(1)
        launcher.prepare(request.configs[0], request)
        await form.type("seeds", "3")
        await form.type("label", "the next")
        may_end.set()
        await form.until(lambda: form.text("#help").endswith(" has started."))
        assert form.app.opened == [], "the form stays"
        assert (form.row("seeds").editor.text, form.row("label").editor.text) == ("3", "the next")
        assert form.app.session.settings.new_run["seed"] == "1", "what was started is remembered"


@driven
async def test_how_far_a_data_set_is_prepared_is_shown_and_a_second_one_is_refused(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_end = threading.Event()

    def prepare(name: str, side: int, report: ProgressCallback) -> None:
        report(Progress(done=1, total=4, what="downloading"))
        report(Progress(done=3, total=4, what="downloading"))
        may_end.wait()

    monkeypatch.setattr(PREPARE, prepare)
    async with opened(store) as form:
        launcher, request = form.screen.launcher, request_of(1)
        launcher.prepare(request.configs[0], request)
        assert form.text("#help") == "Preparing synthetic, then the run starts."
        await form.until(lambda: form.text("#help") == "synthetic: downloading 75%. Then the run starts.")
        launcher.prepare(request.configs[0], None)
        assert form.text("#help") == "synthetic is still being prepared; wait for it."
        may_end.set()
        await form.until(lambda: not launcher.preparing)


@driven
async def test_notices_on_a_small_form_leave_its_buttons_in_sight(store: Store) -> None:
    async with console(store, size=(80, 24)) as c:
        await c.press("2")
        await c.wait_for(lambda: isinstance(c.app.screen, NewRunScreen))
        c.app.action_place("compare")
        await c.wait_for(lambda: "There are no runs yet" in c.text())
        assert c.notifications() == []
        assert "Start " in c.text()


@driven
async def test_data_that_cannot_be_had_is_a_sentence_on_the_form(store: Store) -> None:
    async with opened(store) as form:
        await form.type("label", "x")
        form.screen.query_one("#edit-data", ChoiceField).set_text("missing-set")
        await form.press("ctrl+r")
        await form.until(lambda: "missing-set" in form.text("#help") and "data set" in form.text("#help"))
        assert store.ids() == []


@pytest.mark.slow
@driven
async def test_more_images_than_there_are_is_a_sentence_at_their_field(store: Store, synthetic: Path) -> None:
    async with opened(store) as form:
        form.screen.query_one("#edit-data", ChoiceField).choose("synthetic")
        await form.type("train_images", "257")
        await form.press("ctrl+r")
        await form.until(lambda: "has 256 training images" in form.text("#help"))
        await form.until(lambda: form.screen.focused is form.row("train_images").editor)
        assert store.ids() == []


@driven
async def test_a_runs_folder_that_cannot_be_written_is_a_sentence_on_the_form(tmp_path: Path, synthetic: Path) -> None:
    blocked = tmp_path / "blocked"
    async with opened(Store(blocked / "runs")) as form:
        blocked.write_text("a file where the folder should be")
        form.screen.query_one("#edit-data", ChoiceField).choose("synthetic")
        await form.press("ctrl+r")
        await form.until(lambda: "cannot be created here" in form.text("#help"))
        blocked.unlink()


@driven
async def test_no_run_is_started_in_place_of_a_runs_folder_that_is_gone(
    store: Store, tmp_path: Path, synthetic: Path
) -> None:
    write_run(store, RunConfig(epochs=1))
    async with opened(store) as form:
        await form.until(lambda: bool(form.app.session.watcher.states))
        store.root.rename(tmp_path / "away")
        form.app.session.watcher.poll()
        form.screen.query_one("#edit-data", ChoiceField).choose("synthetic")
        await form.press("ctrl+r")
        await form.until(lambda: "No run is started" in form.text("#help"))
        assert "the runs folder is gone" in form.text("#help")
        assert not store.root.exists()


@driven
async def test_a_past_run_is_a_template_with_its_differences_marked(store: Store) -> None:
    config = RunConfig.from_text(
        {"variant": "tanh", "front_end": "same32", "learning_rate": "0.03", "data": "synthetic", "epochs": "4"}
    )
    record = write_run(store, config)
    async with opened(store, template=record.id) as form:
        await form.until(lambda: form.row("learning_rate").is_differing)
        assert form.screen.draft.config() == config
        differing = {name for name, row in form.screen.rows.items() if row.is_differing}
        of_front_end = {"front_end", "lrn", "groups"}
        assert differing == {"learning_rate", "data", "epochs", "activation", *of_front_end}
        assert form.row("lrn").hint.endswith("by same32, default no")
        assert form.row("activation").hint.endswith("by tanh, default relu")
        assert form.row("learning_rate").hint.endswith("preset 0.01")
        form.row("learning_rate").editor.focus()
        await form.press("f4")
        assert form.screen.draft.config().learning_rate == 0.01
        await form.press("f6")
        assert form.screen.draft.config() == RunConfig()


@pytest.mark.slow
@driven
async def test_folded_groups_tell_what_differs(store: Store) -> None:
    async with opened(store, size=(80, 24)) as form:
        await form.type("momentum", "0.8")
        titles = [str(group.title) for group in form.screen.query(FieldGroup)]
        assert any("momentum 0.8" in title for title in titles)


@driven
async def test_unfold_key_opens_and_closes_every_group(store: Store) -> None:
    async with opened(store, size=(80, 24)) as form:
        assert all(group.collapsed for group in form.screen.query(FieldGroup))
        await form.press("f3")
        assert not any(group.collapsed for group in form.screen.query(FieldGroup))
        await form.press("f3")
        assert all(group.collapsed for group in form.screen.query(FieldGroup))


@pytest.mark.slow
@driven
async def test_the_field_with_the_cursor_stays_in_sight_while_groups_unfold(store: Store) -> None:
    async with opened(store, size=(80, 24)) as form:
        window = form.screen.query_one("#form")

        def is_in_sight(widget: Widget) -> bool:
            return form.screen.focused is widget and window.region.contains_region(widget.region)

        for name in ("label", "dropout", "threads"):
            await form.type(name, "")
            editor = form.row(name).editor
            await form.press("f3")
            await form.pilot.pause()
            assert not any(group.collapsed for group in form.screen.query(FieldGroup))
            await form.until(lambda editor=editor: is_in_sight(editor))  # type: ignore[misc]
            await form.press("f3")
            await form.pilot.pause()
            assert all(group.collapsed for group in form.screen.query(FieldGroup))
            left = editor if name == "label" else form.group_of(name).query_one(CollapsibleTitle)
            await form.until(lambda left=left: is_in_sight(left))  # type: ignore[misc]


@driven
async def test_a_group_opened_by_its_heading_comes_into_sight(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(store, size=(80, 24)) as form:
        group = form.group_of("threads")
        # As at times on a busy machine: Textual scrolls to it before its rows have their places.
        monkeypatch.setattr(group, "call_after_refresh", lambda callback, *given, **named: callback(*given, **named))
        group.query_one(CollapsibleTitle).focus()
        await form.press("enter")
        window = form.screen.query_one("#form")
        await form.until(lambda: window.region.contains_region(group.rows[-1].region))


@driven
async def test_layers_key_shows_the_table_on_a_narrow_screen_and_escape_steps_out(store: Store) -> None:
    async with opened(store, size=(80, 24)) as form:
        panel = form.screen.query_one("#panel")
        assert not panel.display
        await form.press("f2")
        assert panel.display
        await form.press("escape")
        assert not panel.display
        assert form.app.screen is form.screen


@pytest.mark.slow
@pytest.mark.parametrize("size", [(80, 24), (40, 12)])
@driven
async def test_every_field_can_be_reached_by_tab_and_is_in_sight(store: Store, size: tuple[int, int]) -> None:
    async with opened(store, size=size) as form:
        await form.press("f3")
        window, seen = form.screen.query_one("#form"), set[str]()
        wanted = {f"edit-{name}" for name in SPECS} | {"start", "queue"}
        for _ in range(len(SPECS) + 20):
            focused = form.screen.focused
            seen.add(form.focused())
            if wanted <= seen:
                break
            if isinstance(focused, TextField | ChoiceField):
                await form.until(lambda field=focused: window.region.contains_region(field.region))  # type: ignore[misc]
            form.app.simulate_key("tab")  # As a press, without its wait for all to rest.
            await form.until(lambda field=focused: form.screen.focused is not field)  # type: ignore[misc]
        assert wanted <= seen


@driven
async def test_foreign_text_in_a_template_cannot_reach_the_terminal(store: Store) -> None:
    record = write_run(store, RunConfig(epochs=2), label="[red]\x1b]0;evil\x07[/bold]")
    async with opened(store, template=record.id) as form:
        assert "\x1b" not in form.text("#help")


@driven
async def test_a_key_leads_to_the_queues(store: Store) -> None:
    async with opened(store) as form:
        await form.type("label", "w")  # The app's own key is a letter in a field.
        assert form.app.places == []
        await form.press("f7")
        await form.until(lambda: form.app.places == ["study"])


@pytest.mark.slow
@driven
async def test_after_a_start_keys_are_commands_again(store: Store, synthetic: Path) -> None:
    async with console(store, size=(80, 24)) as driver:
        await driver.press("2")
        screen = driver.app.screen
        assert isinstance(screen, NewRunScreen)
        driver.app.session.commands.trainer = fake_trainer.command("normal")
        screen.query_one("#edit-data", ChoiceField).choose("synthetic")
        screen.query_one("#edit-label").focus()
        await driver.press("ctrl+r")
        await driver.wait_for(lambda: driver.app.screen is not screen)
        await driver.press("escape")
        await driver.wait_for(lambda: driver.app.screen is screen)
        assert screen.focused is screen.query_one("#edit-variant")
        await driver.press("1")
        await driver.wait_for(lambda: driver.app.screen is driver.runs)
        await driver.wait_for(lambda: load(store, store.ids()[0])[1] is State.FINISHED)


@driven
async def test_the_help_line_tells_of_headings_buttons_and_of_no_field(store: Store) -> None:
    async with opened(store, size=(80, 24)) as form:
        form.row("label").editor.focus()
        await form.until(lambda: "own name for the run" in form.text("#help"))
        await form.press("down")
        await form.until(lambda: form.text("#help") == "7 fields; enter opens them.")
        await form.press("enter")
        await form.until(lambda: form.text("#help") == "7 fields; enter folds them.")
        await form.press("down")
        await form.until(lambda: form.text("#help") == SPECS["activation"].help)
        form.screen.query_one("#queue").focus()
        await form.until(lambda: "once nothing else is being trained" in form.text("#help"))
        form.row("label").editor.focus()
        await form.press("escape")
        await form.until(lambda: form.text("#help") == "esc leaves the form; down begins at its top.")


@pytest.mark.slow
@driven
async def test_a_zero_that_stands_for_something_says_what(store: Store) -> None:
    async with opened(store) as form:
        await form.press("f3")
        assert form.row("train_images").hint == "= all · 0 or more images"
        assert form.row("threads").hint == f"= {SPECS['threads'].zero} · 0 to 1024"
        assert not form.row("seed").hint.startswith("="), "a seed of 0 is a seed of 0"
        machine = form.group_of("threads")
        machine.collapsed = True
        await form.until(lambda: f"threads 0 ({SPECS['threads'].zero})" in str(machine.title))
        await form.type("train_images", "500")
        assert form.row("train_images").hint == "0 or more images · preset 0 (all)"
        await form.until(lambda: "0 (all) -> 500" in form.text("#summary"))


@pytest.mark.slow
@pytest.mark.parametrize("size", [(160, 45), (120, 40), (80, 24)])
@driven
async def test_nothing_of_a_row_or_a_heading_is_cut(store: Store, size: tuple[int, int]) -> None:
    async with opened(store, size=size, is_downloaded=False) as form:
        form.screen.query_one("#edit-data", ChoiceField).choose("cifar10")
        await form.until(lambda: "not here yet" in form.message("data"))
        await form.pilot.pause()
        folded = [group for group in form.screen.query(FieldGroup) if group.collapsed]
        for group in folded:
            heading = group.query_one(CollapsibleTitle)
            assert len(str(heading.render())) <= heading.content_size.width
            assert str(group.title).endswith(("more", *(group_last(group),)))
        await form.press("f3")
        await form.pilot.pause()
        for name, row in form.screen.rows.items():
            line, editor = str(row.render()).splitlines()[0], row.editor
            assert row.region.right <= form.screen.query_one("#form").content_region.right, name
            assert line.startswith(row.label), name
            assert line[editor.region.right - row.region.x :].strip() == row.hint, name
            assert len(line) <= row.size.width, name
            assert editor.region.x - row.region.x > len(row.label), name
            if isinstance(editor, ChoiceField):
                assert len(str(editor.render())) <= editor.content_size.width, name


def group_last(group: FieldGroup) -> str:
    """How the heading of a group ends that has room for all its values."""
    last = group.rows[-1]
    return f"{last.info.title} {last.editor.text}"


@driven
async def test_a_heading_tells_as_many_values_as_fit_whole_and_how_many_do_not(store: Store) -> None:
    async with opened(store, size=(80, 24)) as form:
        title = str(form.group_of("dropout").title)
        assert title == "architecture  activation relu, dropout 0.5, +5 more"
        await form.pilot.resize_terminal(100, 24)
        await form.until(lambda: "removed conv layer none" in str(form.group_of("dropout").title))


@pytest.mark.slow
@driven
async def test_the_summary_line_leaves_out_what_does_not_fit(store: Store) -> None:
    async with opened(store, size=(80, 24)) as form:
        await form.until(lambda: form.text("#brief").endswith("265 MiB memory · 21.6 M weights"))
        await form.pilot.resize_terminal(60, 24)
        await form.until(lambda: form.text("#brief").endswith("265 MiB memory"))
        await form.pilot.resize_terminal(40, 24)
        await form.until(lambda: form.text("#brief") == "39,100 steps · time unknown")


@pytest.mark.parametrize(("width", "text"), [(40, "< a-name > 1/2"), (12, "< a-name >"), (8, "< a-n… >")])
@driven
async def test_a_choice_without_room_shows_the_chosen_word(width: int, text: str) -> None:
    choice = ChoiceField(FieldInfo("x", "x", "", options=(Option("a-name"), Option("another-" + "long" * 9))))

    class OneChoice(App[None]):
        def compose(self) -> ComposeResult:
            yield choice

    async with running(OneChoice(), (width, 3)) as pilot:
        choice.set_text("a-name")
        await pilot.pause()
        assert str(choice.render()) == text


@pytest.mark.parametrize(
    ("width", "clicked", "chosen"),
    [
        (20, "<", "one"),
        (20, ">", "three"),
        (20, "two", "two"),
        (20, "2/3", "two"),
        (60, "one", "one"),
        (60, "number three", "three"),
    ],
)
@driven
async def test_a_click_chooses_by_what_is_shown(width: int, clicked: str, chosen: str) -> None:
    words = (Option("one"), Option("two", title="number two"), Option("three", title="number three"))
    choice = ChoiceField(FieldInfo("x", "x", "", options=words))

    class OneChoice(App[None]):
        CSS = "ChoiceField { padding: 0 1; }"

        def compose(self) -> ComposeResult:
            yield choice

    async with running(OneChoice(), (width, 3)) as pilot:
        choice.set_text("two")
        await pilot.pause()
        shown = str(choice.render())
        assert shown == ("< number two > 2/3" if width == 20 else "○ one  ◉ number two  ○ number three")
        await pilot.click(choice, offset=(1 + shown.index(clicked), 0))
        assert choice.text == chosen


@driven
async def test_the_layers_key_does_nothing_where_the_layers_are_beside_the_form(store: Store) -> None:
    async with opened(store, size=(160, 45)) as form:
        await form.press("f2")
        assert not form.screen.has_class("-layers")
        assert form.screen.query_one("#form").display
        assert "f2" not in {key for key, one in form.screen.active_bindings.items() if one.enabled}


@driven
async def test_a_form_that_grows_wide_shows_itself_again(store: Store) -> None:
    async with opened(store, size=(80, 24)) as form:
        await form.press("f2")
        assert form.screen.has_class("-layers")
        await form.pilot.resize_terminal(160, 45)
        await form.until(lambda: not form.screen.has_class("-layers"))
        assert form.screen.query_one("#form").display
