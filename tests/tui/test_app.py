"""The console as a whole: places, themes, help, leaving, and what it does to the terminal."""

import asyncio
import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import fake_trainer
import pytest
from console_driver import console, driven
from fake_runs import write_run
from textual import events

from alexnet_tui.command_lines import shell_command
from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.errors import LaunchError, UsageError
from alexnet_tui.launch import stopping
from alexnet_tui.locks import take_lock
from alexnet_tui.paths import state_dir
from alexnet_tui.runs.state import State
from alexnet_tui.runs.store import Store
from alexnet_tui.text import is_ascii_terminal
from alexnet_tui.tui.app import run_console
from alexnet_tui.tui.keys import key_name
from alexnet_tui.tui.screens.compare.screen import CompareScreen
from alexnet_tui.tui.screens.new_run.screen import NewRunScreen
from alexnet_tui.tui.screens.run.screen import RunScreen
from alexnet_tui.tui.screens.runs.screen import RunsScreen
from alexnet_tui.tui.session import OpenCompare
from alexnet_tui.tui.settings import change_settings, load_settings
from alexnet_tui.tui.terminal.driver import to_ascii
from alexnet_tui.tui.terminal.themes import ANSI, DARK, LIGHT
from alexnet_tui.tui.widgets.bars import PLACES
from alexnet_tui.tui.widgets.help import FIRST_STEPS, HelpScreen, help_entries

ROOT = Path(__file__).parents[2]


@pytest.fixture
def two(store: Store) -> list[str]:
    return [write_run(store, RunConfig(epochs=2, seed=seed)).id for seed in (1, 2)]


# Places


@driven
async def test_digits_go_to_places_and_escape_comes_back(store: Store, two: list[str]) -> None:
    async with console(store) as c:
        for key, screen in (("2", NewRunScreen), ("3", RunScreen)):
            await c.press(key)
            await c.wait_for(lambda screen=screen: isinstance(c.app.screen, screen))  # type: ignore[misc]
            assert len(c.app.screen_stack) == 2
            await c.press("1")
            await c.wait_for(lambda: isinstance(c.app.screen, RunsScreen))
        await c.press("escape", "escape")
        assert isinstance(c.app.screen, RunsScreen)


@driven
async def test_what_is_missing_to_compare_is_said(store: Store) -> None:
    async with console(store) as c:
        await c.press("4")
        assert "no runs yet" in c.notifications()[-1]
        write_run(store, RunConfig(epochs=1))
        await c.wait_for(lambda: len(c.app.session.watcher.histories) == 1)
        await c.press("4")
        assert "one run" in c.notifications()[-1]


@driven
async def test_compare_shows_the_marked_runs(store: Store, two: list[str]) -> None:
    async with console(store) as c:
        await c.press("4")
        assert "Mark two or more runs" in c.notifications()[-1]
        await c.press("space", "space", "c")
        await c.wait_for(lambda: isinstance(c.app.screen, CompareScreen))
        await c.press("1", "4")
        await c.wait_for(lambda: isinstance(c.app.screen, CompareScreen))


@driven
async def test_enter_opens_the_run_and_screens_are_made_once(store: Store, two: list[str]) -> None:
    async with console(store) as c:
        await c.press("enter")
        await c.wait_for(lambda: isinstance(c.app.screen, RunScreen))
        first = c.app.screen
        await c.press("1", "down", "enter")
        await c.wait_for(lambda: c.app.screen is first)
        assert c.app.screen_stack[1:] == [first]


@driven
async def test_n_and_d_open_the_form(store: Store, two: list[str]) -> None:
    async with console(store) as c:
        await c.press("n")
        await c.wait_for(lambda: isinstance(c.app.screen, NewRunScreen))
        c.app.show_runs()
        await c.press("d")
        await c.wait_for(lambda: isinstance(c.app.screen, NewRunScreen))


@driven
async def test_a_run_can_be_opened_at_once(store: Store, two: list[str]) -> None:
    async with console(store, run_id=two[0]) as c:
        await c.wait_for(lambda: isinstance(c.app.screen, RunScreen))
        await c.press("1")
        await c.wait_for(lambda: isinstance(c.app.screen, RunsScreen))


@driven
async def test_a_click_on_a_tab_and_on_a_key(store: Store, two: list[str]) -> None:
    async with console(store) as c:
        x = c.text().splitlines()[0].index("New run")
        await c.pilot.click("TopBar", offset=(x, 0))
        await c.wait_for(lambda: isinstance(c.app.screen, NewRunScreen))
        c.app.show_runs()
        await c.pilot.pause()
        x = c.text().splitlines()[-1].index("Mark")
        await c.pilot.click("KeyBar", offset=(x, 0))
        await c.wait_for(lambda: len(c.app.session.marked_run_ids) == 1)


@driven
async def test_the_bar_of_a_narrow_terminal_keeps_the_present_place(store: Store, two: list[str]) -> None:
    async with console(store, size=(40, 12)) as c:
        first, *_, last = c.text().splitlines()
        assert first.split()[:8] == ["1", "Runs", "2", "3", "4", "5", "6", "2"]
        assert last.endswith("q Quit")


@driven
async def test_without_runs_there_is_no_run_to_show(store: Store) -> None:
    async with console(store) as c:
        await c.press("3")
        assert "There is no run yet" in c.notifications()[-1]


@pytest.mark.parametrize("loops", [0, 1, 4])
@pytest.mark.parametrize("place", [place for place, _ in PLACES[1:]])
@driven
async def test_a_place_may_be_left_with_the_console_before_it_is_drawn(
    store: Store, two: list[str], place: str, loops: int
) -> None:
    async with console(store) as c:
        c.app.session.toggle_marks(two)
        c.app.action_place(place)
        for _ in range(loops):
            await asyncio.sleep(0)
        assert c.app.screen is not c.runs
        c.app.action_leave()
    assert c.app.return_code == 0


# Stop and resume


@pytest.mark.slow
@driven
async def test_resume_and_stop_a_run_from_the_table(store: Store) -> None:
    record = store.create(RunConfig(epochs=500))
    async with console(store) as c:
        c.app.session.commands.trainer = fake_trainer.command("endless")
        try:
            await c.press("R")
            await c.wait_for(lambda: c.app.session.watcher.states[record.id] is State.RUNNING)
            await c.wait_for(lambda: c.app.session.watcher.histories[record.id].num_epochs_done)
            assert c.app.session.num_running() == 1
            await c.press("x")
            await c.wait_for(lambda: c.app.session.watcher.states[record.id] is State.STOPPED)
            await c.wait_for(lambda: any("stopped" in text for text in c.notifications()))
        finally:
            with contextlib.suppress(LaunchError):
                stopping.kill(store, record.id)


# Everywhere


@driven
async def test_help_lists_every_key_of_the_screen_and_can_be_searched(store: Store, two: list[str]) -> None:
    async with console(store, size=(120, 80)) as c:
        wanted = help_entries(list(c.app.screen.active_bindings.values()))
        await c.press("question_mark")
        screen = c.app.screen
        assert isinstance(screen, HelpScreen)
        text = c.text()
        for line in wanted:
            assert line.text.split(";")[0].split(":")[0][:50] in text, line
        assert "lr>=0.01" in text
        await c.type("baseline")
        assert [
            line.keys for line in screen.matching("baseline") if line.group not in {"Words", FIRST_STEPS[0].group}
        ] == ["p"]
        assert "Make the run the baseline" in c.text()
        assert "Start a run." not in c.text()
        await c.type("zzz")
        assert "No matches." in c.text()
        await c.press("escape")
        assert isinstance(c.app.screen, RunsScreen), "one esc closes, as the line of the search says"


@driven
async def test_help_repeats_the_last_messages_of_the_screen(store: Store, two: list[str]) -> None:
    async with console(store, size=(80, 24)) as c:
        await c.press("c", "y", "question_mark")
        await c.type("last messages")
        lines = [line.strip("│ ") for line in c.text().splitlines()]
        begin = lines.index("Last messages here")
        told = [line.split()[:2] for line in lines[begin + 1 :] if line.startswith("·")]
        assert told == [["·", "Copied"], ["·", "Mark"]], "the newest first"


@pytest.mark.slow
@driven
async def test_help_names_keys_of_charts_only_where_there_are_charts(store: Store, two: list[str]) -> None:
    def groups() -> dict[str, str]:
        return {line.keys: line.group for line in help_entries(list(c.app.screen.active_bindings.values()))}

    async with console(store, size=(120, 80)) as c:
        await c.press("3")
        assert groups()["esc"] == "Charts"
        await c.press("right_square_bracket")
        assert "Charts" not in groups().values()
        assert groups()["esc"] == "Everywhere"
        await c.press("question_mark")
        assert "Charts" not in c.text()
        assert len(re.findall(r"│ +Run +│", c.text())) == 1, "keys of a place stand together"
        await c.press("escape", "escape")
        assert isinstance(c.app.screen, RunsScreen)
        c.app.on_open_compare(OpenCompare([]))
        await c.wait_for(lambda: "Nothing to compare yet" in c.text())
        assert "Charts" not in groups().values()
        c.app.on_open_compare(OpenCompare(two))
        await c.wait_for(lambda: "2 runs" in c.text())
        assert groups()["esc"] == "Charts"
        assert "Crosshair" in c.text().splitlines()[-1]


@pytest.mark.slow
@driven
async def test_help_says_what_the_figures_on_a_screen_mean(store: Store, two: list[str]) -> None:
    async with console(store, size=(120, 40)) as c:
        await c.press("space", "space")
        for place in ("1", "3", "4", "6"):
            await c.press(place, "question_mark")
            for word, meaning in (("t25", "fell to 25%"), ("gap", "Accuracy on the training set")):
                await c.type(word)
                assert isinstance(c.app.screen, HelpScreen)
                await c.wait_for(lambda meaning=meaning: meaning in c.text())  # type: ignore[misc]
                await c.press("ctrl+u")
            c.app.pop_screen()
            await c.pilot.pause()


@pytest.mark.slow
@pytest.mark.parametrize("place", ["1", "3", "4"])
@driven
async def test_n_starts_a_run_from_every_screen_about_runs(store: Store, two: list[str], place: str) -> None:
    async with console(store, size=(160, 45)) as c:
        await c.press("space", "space", place)
        assert "n New" in c.text().splitlines()[-1]
        keys = {line.keys: line for line in help_entries(list(c.app.screen.active_bindings.values()))}
        assert keys["n"].text.startswith("Start a run")
        assert keys["n"].group == {"1": "Runs", "3": "Run", "4": "Compare"}[place]
        await c.press("n")
        assert isinstance(c.app.screen, NewRunScreen)


@driven
async def test_two_keys_of_one_act_are_parted(store: Store, two: list[str]) -> None:
    async with console(store, size=(160, 24)) as c:
        await c.press("enter")
        bar = c.text().splitlines()[-1]
        for shown in ("[/] Pages", "←/→ Crosshair", "+/- Zoom"):
            assert shown in bar
        lines = {line.text: line.keys for line in help_entries(list(c.app.screen.active_bindings.values()))}
        assert next(keys for text, keys in lines.items() if text.startswith("Show less of the x axis")) == "+  ="
        assert lines["Next page: curves, pictures, config, log, system, verify."] == "]"


@pytest.mark.slow
@driven
async def test_every_minus_is_the_same(store: Store) -> None:
    runs = [write_run(store, RunConfig(epochs=20, seed=seed), final=0.6 - 0.1 * seed).id for seed in (0, 1)]
    async with console(store, size=(160, 45)) as c:
        c.toggle_pin(runs[0])
        c.app.session.toggle_marks(runs)
        places = {"1": RunsScreen, "3": RunScreen, "4": CompareScreen}
        for place, screen in places.items():
            if place == "3":
                c.app.open_run(runs[1])
            else:
                await c.press(place)
            await c.wait_for(lambda screen=screen: isinstance(c.app.screen, screen) and "-9." in c.text())  # type: ignore[misc]
            assert "\N{MINUS SIGN}" not in c.text()


@driven
async def test_help_scrolls_on_a_small_screen(store: Store, two: list[str]) -> None:
    async with console(store) as c:
        await c.wait_for(lambda: c.text().splitlines()[-2].lstrip().startswith("epoch"))  # The preview's curve.
        await c.press("f1")
        before = c.text()
        await c.press("pagedown")
        await c.wait_for(lambda: c.text() != before)
        await c.press("pageup", "down", "up")
        await c.wait_for(lambda: c.text() == before)


@driven
async def test_the_palette_holds_the_keys_of_the_screen(store: Store, two: list[str]) -> None:
    async with console(store) as c:
        titles = {command.title: command for command in c.app.get_system_commands(c.app.screen)}
        assert {"Open", "Sort", "Pin", "Quit", "Theme", "Compare"} <= set(titles)
        titles["Mark"].callback()
        await c.wait_for(lambda: len(c.app.session.marked_run_ids) == 1)


@driven
async def test_the_theme_turns_and_is_remembered(store: Store) -> None:
    async with console(store) as c:
        assert c.app.theme == DARK
        await c.press("t")
        assert c.app.theme == LIGHT
        c.app.session.close()
        assert load_settings().theme == LIGHT
    async with console(store) as c:
        assert c.app.theme == LIGHT
        assert set(c.app.available_themes) == {DARK, LIGHT, ANSI}


@pytest.mark.slow
@driven
async def test_every_dialog_lets_go(store: Store, two: list[str]) -> None:
    async with console(store) as c:
        for key in ("s", "L", "T", "N", "D", "question_mark", "ctrl+p"):
            await c.press(key)
            await c.wait_for(lambda: len(c.app.screen_stack) == 2)
            await c.press("escape")
            await c.wait_for(lambda: len(c.app.screen_stack) == 1)
            assert sorted(store.ids()) == sorted(two)


@driven
async def test_a_full_disk_does_not_end_the_console(store: Store, two: list[str]) -> None:
    state_dir().parent.mkdir(parents=True, exist_ok=True)
    state_dir().write_text("in the way")
    async with console(store) as c:
        await c.press("p", "t", "space")
        assert c.app.session.pinned_run_id is not None


@driven
async def test_without_colour_the_cursor_is_seen(store: Store, two: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with console(store) as c:
        assert c.app.theme == ANSI
        row = c.app.screen._compositor.render_strips()[2]
        other = c.app.screen._compositor.render_strips()[3]
        assert all(segment.style and segment.style.reverse for segment in list(row)[:-1] if segment.text.strip())
        assert not any(segment.style and segment.style.reverse for segment in list(other)[:-1])


@pytest.mark.slow
@driven
async def test_every_symbol_has_an_ascii_twin(store: Store, two: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALEXNET_TUI_ASCII", "1")
    assert is_ascii_terminal()
    async with console(store, size=(160, 24)) as c:
        await c.press("p", "space", "s", "9")
        assert "+ finished" in to_ascii(c.text())
        for place in ("1", "2", "3", "4", "5", "6"):
            await c.press(place)
            missing = {symbol for symbol in c.text() if to_ascii(symbol) == "?"} - {"?"}
            assert not missing, place


# The terminal


def test_a_dumb_terminal_is_refused(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    with pytest.raises(UsageError, match="run --headless"):
        run_console(store)


def test_no_terminal_is_refused(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    with open(os.devnull) as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        with pytest.raises(UsageError, match="needs a terminal"):
            run_console(store)


def test_the_console_loads_no_torch_and_no_numpy_before_its_first_frame() -> None:
    code = (
        "import sys, alexnet_tui.tui.app;"
        "print([name for name in ('torch', 'numpy', 'rich.markdown') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "[]"


class Terminal:
    """The real console in a pseudo-terminal."""

    def __init__(self, store: Store, *, before: str = "", rows: int = 24, columns: int = 80) -> None:
        code = (
            f"import sys; sys.path.insert(0, {str(ROOT)!r});"
            "from pathlib import Path; from alexnet_tui.runs.store import Store; from alexnet_tui.tui import app;"
            f"{before}\nsys.exit(app.run_console(Store(Path({str(store.root)!r}))))"
        )
        self.seen = b""
        self.pid, self.descriptor = pty.fork()
        if self.pid == 0:
            environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8"}
            os.execve(sys.executable, [sys.executable, "-c", code], environment)
        fcntl.ioctl(self.descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self, seconds: float) -> bool:
        """Take what the program wrote; False once it is gone."""
        if select.select([self.descriptor], [], [], seconds)[0]:
            try:
                data = os.read(self.descriptor, 1 << 16)
            except OSError:
                return False
            self.seen += data
            return bool(data)
        return True

    def wait_for(self, text: str, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while text.encode() not in self.seen:
            assert self.read(0.1), self.seen[-600:]
            assert time.monotonic() < deadline, self.seen[-600:]

    def send(self, text: str) -> None:
        os.write(self.descriptor, text.encode())

    def finish(self, seconds: float = 60) -> int:
        """Read to the end; the exit code."""
        deadline = time.monotonic() + seconds
        while self.read(0.1):
            assert time.monotonic() < deadline, self.seen[-600:]
            if os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                while self.read(0.1) and select.select([self.descriptor], [], [], 0.1)[0]:
                    pass
                break
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def is_clean(self) -> bool:
        """The alternate screen, the mouse and the hidden cursor are all given back."""
        gone = self.seen.rfind(b"\x1b[?1049l") > self.seen.rfind(b"\x1b[?1049h")
        mouse = self.seen.rfind(b"\x1b[?1003l") > self.seen.rfind(b"\x1b[?1003h")
        cursor = self.seen.rfind(b"\x1b[?25h") > self.seen.rfind(b"\x1b[?25l")
        return gone and mouse and cursor

    def last_words(self) -> str:
        """What stands on the terminal after the console has gone."""
        after = self.seen[self.seen.rfind(b"\x1b[?1049l") :].decode(errors="replace")
        return " ".join(re.sub(r"\x1b\[[?>=<]?[\d;]*[a-zA-Z]", "", after).split())


@pytest.mark.slow
def test_quit_leaves_a_clean_terminal_and_says_what_goes_on(store: Store) -> None:
    record = write_run(store, RunConfig(epochs=9), epochs_done=2)
    lock = take_lock(store.path(record.id))
    try:
        terminal = Terminal(store)
        terminal.wait_for("running")
        terminal.send("q")
        assert terminal.finish() == 0
    finally:
        os.close(lock)
    assert terminal.is_clean()
    shown_by = shell_command(root=store.root)
    assert terminal.last_words() == f"1 run continues in the background; `{shown_by}` shows it again."


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_signals_leave_a_clean_terminal(store: Store, two: list[str], number: signal.Signals) -> None:
    terminal = Terminal(store)
    terminal.wait_for("finished")
    os.kill(terminal.pid, number)
    assert terminal.finish() == 128 + number
    assert terminal.is_clean()
    assert terminal.last_words() == ""


@pytest.mark.slow
def test_a_crash_is_a_sentence_a_log_and_an_exit_code(store: Store, two: list[str]) -> None:
    broken = "app.ConsoleApp.action_toggle_theme = lambda self: [][1]"
    terminal = Terminal(store, before=broken)
    terminal.wait_for("finished")
    terminal.send("t")
    assert terminal.finish() == 1
    assert terminal.is_clean()
    log = state_dir() / "crash.log"
    words = terminal.last_words()
    assert words.startswith("The console stopped because of a fault of its own. The details are in")
    assert "Traceback" not in words
    assert str(log) in words.replace(" ", "")
    assert "IndexError" in log.read_text()


@pytest.mark.slow
def test_no_color_means_no_colour(store: Store, two: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    terminal = Terminal(store)
    terminal.wait_for("finished")
    terminal.send("q")
    assert terminal.finish() == 0
    codes = {code for found in re.findall(rb"\x1b\[([\d;]+)m", terminal.seen) for code in found.split(b";")}
    assert b"7" in codes  # The cursor.
    assert codes <= {b"0", b"1", b"2", b"3", b"4", b"7", b"39", b"49"}


@pytest.mark.slow
def test_suspend_gives_the_terminal_back(store: Store, two: list[str]) -> None:
    terminal = Terminal(store)
    terminal.wait_for("finished")
    terminal.send("\x1a")
    deadline = time.monotonic() + 60
    while not os.waitid(os.P_PID, terminal.pid, os.WSTOPPED | os.WNOHANG):
        assert terminal.read(0.1)
        assert time.monotonic() < deadline
    while select.select([terminal.descriptor], [], [], 0)[0]:
        terminal.read(0)
    assert terminal.is_clean()
    terminal.seen = b""
    os.kill(terminal.pid, signal.SIGCONT)
    for part in ("1 Runs", "finished", "Quit"):  # All of it is drawn again, and it listens again.
        terminal.wait_for(part)
    terminal.send("q")
    assert terminal.finish() == 0
    assert terminal.is_clean()


def test_keys_have_the_names_people_write() -> None:
    keys = {"question_mark,f1": "?", "up": "↑", "a": "a", "ctrl+r": "^r", "shift+r": "R", "escape": "esc"}
    assert {key: key_name(key) for key in keys} == keys


@driven
async def test_ctrl_c_says_once_how_to_quit(store: Store) -> None:
    async with console(store) as driver:
        await driver.press("ctrl+c", "ctrl+c")
        assert driver.notifications() == ["Press q to quit; runs continue."]
        await driver.press("slash", "ctrl+c")
        assert driver.notifications()[1:] == ["Press esc, then q to quit; runs continue."]


@pytest.mark.slow
@driven
async def test_after_the_run_looked_at_last_was_deleted_the_newest_is_shown(store: Store, two: list[str]) -> None:
    async with console(store) as c:
        c.app.open_run(two[1])
        await c.press("1")
        store.delete(two[1])
        c.app.session.watcher.drop(two[1])
        await c.press("3")
        await c.wait_for(lambda: isinstance(c.app.screen, RunScreen))
        assert c.app.screen.run_id == two[0]  # type: ignore[attr-defined]


@driven
async def test_the_palette_has_every_place_also_in_a_text_field(store: Store, two: list[str]) -> None:
    async with console(store) as c:
        everywhere = {command.title for command in c.app.get_system_commands(c.app.screen)}
        await c.press("slash")
        names = [command.title for command in c.app.get_system_commands(c.app.screen)]
        assert {"Quit", "Runs", "New", "Report", "Studies", "Help"} <= set(names)
        assert everywhere <= set(names)
        assert len(set(names)) == len(names)
        assert names == sorted(names, key=str.casefold)
        report = next(one for one in c.app.get_system_commands(c.app.screen) if one.title == "Report")
        assert report.help.endswith(" 6")
        report.callback()
        await c.wait_for(lambda: type(c.app.screen).__name__ == "ReportScreen")


@driven
async def test_one_marked_run_is_compared_only_beside_a_pinned_one(store: Store, two: list[str]) -> None:
    async with console(store) as c:
        for key in ("4", "c"):
            c.clear_notifications()
            await c.press("home", "space", key)
            assert isinstance(c.app.screen, RunsScreen)
            assert c.notifications() == ["Mark two or more runs in Runs with space, then press c."]
            await c.press("u")
        await c.press("home", "space", "end", "p", "4")
        await c.wait_for(lambda: isinstance(c.app.screen, CompareScreen))


@driven
async def test_a_person_may_assign_other_keys(store: Store, two: list[str]) -> None:
    change_settings(lambda settings: settings.keymap.update({"runs.pin": "z", "no.such": "y", "runs.mark": ""}))
    async with console(store) as c:
        await c.press("z")
        assert c.app.session.pinned_run_id == c.cursor
        entries = help_entries(list(c.app.screen.active_bindings.values()))
        assert next(one.keys for one in entries if one.text.startswith("Make the run the baseline")) == "z"


@driven
async def test_the_palette_pages_through_a_list_that_is_empty(store: Store, two: list[str]) -> None:
    async with console(store) as c:
        await c.press("ctrl+p")
        for _ in range(3):
            c.app.post_message(events.Key("pageup", None))
            c.app.post_message(events.Key("pagedown", None))
        await c.type("xyzzy")
        await c.press("pageup", "pagedown", "escape", "escape")
        assert c.app.is_running
