"""The real program in a pseudo-terminal, as a person meets it: by keys alone, with real training beside it."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fake_runs import a_step, open_writer, started, write_run
from terminal_driver import Terminal
from waiting import wait_for

from alexnet_tui.config.hyperparameters import SPECS, RunConfig
from alexnet_tui.errors import LaunchError
from alexnet_tui.launch import stopping
from alexnet_tui.locks import take_lock
from alexnet_tui.runs import events as ev
from alexnet_tui.runs.follow import load
from alexnet_tui.runs.notes import Notes
from alexnet_tui.runs.run_files import EVENTS_FILE, LOG_FILE
from alexnet_tui.runs.state import State
from alexnet_tui.runs.store import Store
from alexnet_tui.studies import orders, planning
from alexnet_tui.tui.terminal.driver import outlive_terminal

pytestmark = pytest.mark.slow

SMALL = {
    "data": "synthetic",
    "batch_size": "8",
    "train_images": "256",
    "train_eval_images": "32",
    "threads": "1",
    "log_steps": "1",
}
Open = Callable[..., Terminal]


@pytest.fixture
def open_console(store: Store, tmp_path: Path, few_images: Path) -> Iterator[Open]:
    """Opens the console on the test's runs folder; in the end nothing of it is left running."""
    terminals: list[Terminal] = []

    def start(*arguments: str, size: tuple[int, int] = (80, 24), **environment: str) -> Terminal:
        always = {"ALEXNET_TUI_DATA": str(few_images), "ALEXNET_TUI_RUNS": str(store.root)}
        terminals.append(Terminal(arguments, folder=tmp_path, environment={**always, **environment}, size=size))
        return terminals[-1]

    yield start
    for terminal in terminals:
        terminal.close()
    for run_id in store.ids():
        try:
            stopping.kill(store, run_id)
        except LaunchError:
            assert not store.is_locked(run_id)


@pytest.fixture
def two(store: Store) -> list[str]:
    return [write_run(store, RunConfig(epochs=20, seed=seed)).id for seed in (1, 2)]


def leave(terminal: Terminal) -> None:
    """Quit, and look at what is left of the program."""
    terminal.press("q")
    assert terminal.finish() == 0
    assert terminal.borrowed() == set()


def sequence(store: Store, run_id: str) -> list[int]:
    """The numbers of all events of a run."""
    lines = (store.path(run_id) / EVENTS_FILE).read_bytes().splitlines()
    return [json.loads(line)["seq"] for line in lines]


# A first visit


def set_field(terminal: Terminal, name: str, *keys: str) -> None:
    """Go down the form to a field, which says what it is for, and put something else into it."""
    terminal.press_until("tab", SPECS[name].help[:50])
    terminal.press(*keys)


def test_by_keys_alone_from_nothing_to_a_comparison(open_console: Open, store: Store) -> None:
    terminal = open_console()
    terminal.wait_for("No runs here yet", "f  trains a first, small network")
    terminal.press("n")
    terminal.wait_for("Original model", "study: 59.33%")
    set_field(terminal, "data", "left")
    terminal.wait_for("◉ synthetic", "ready: 256 + 50 images")
    set_field(terminal, "epochs", "2")
    terminal.press("f3")  # Unfold what is still folded.
    for name, text in SMALL.items():
        if name != "data":
            set_field(terminal, name, text)
    terminal.wait_for("64 steps")
    terminal.press("ctrl+r")
    terminal.wait_for("running", "epoch 0/2", "last point", "images/s")  # Live: steps arrive.
    before = terminal.text()
    terminal.wait_until(lambda: terminal.text() != before)
    terminal.press("q")
    assert terminal.finish() == 0
    assert terminal.borrowed() == set()
    assert terminal.last_words() == "1 run continues in the background; `alexnet-tui` shows it again."

    [run_id] = store.ids()
    assert load(store, run_id)[1] is State.RUNNING
    other = write_run(store, RunConfig.from_text({"data": "synthetic", "epochs": "2", "variant": "tanh"})).id
    terminal = open_console(size=(160, 45))
    terminal.wait_for("2 runs", "tanh")
    terminal.wait_until(lambda: terminal.text().count("✓ finished") == 2)
    history, state = load(store, run_id)
    assert state is State.FINISHED
    assert (history.num_epochs_done, history.step, len(history.steps)) == (2, 64, 64)
    config = history.record.config
    assert (config.data, config.batch_size, config.train_images) == ("synthetic", 8, 256)
    assert sequence(store, run_id) == list(range(history.num_events))
    terminal.press("space", "space", "c")
    best = f"{100 * (load(store, other)[0].best_test_accuracy or 0):.2f}"
    terminal.wait_for("Test accuracy", "2 runs", "baseline", "tanh", best)
    leave(terminal)
    assert terminal.last_words() == ""


# A slow line


def test_a_point_of_a_live_run_costs_a_slow_line_little(open_console: Open, store: Store) -> None:
    config = RunConfig.from_text({"data": "synthetic", "epochs": "4"})
    directory = store.path(store.create(config).id)
    lock = take_lock(directory)
    terminal = open_console("attach", "last", size=(160, 45), COLORTERM="truecolor")
    with open_writer(directory) as writer:
        writer.write(started(config, steps_per_epoch=50, total_steps=200))
        for step in range(1, 11):
            point = a_step(step=step)
            point.train_loss = 2 + step % 3
            writer.write(point)
            terminal.wait_for(f"step {step}/200")
            if step == 5:
                terminal.rest()
                before = len(terminal.raw)
    terminal.rest()
    os.close(lock)
    assert len(terminal.raw) - before < 5 * 1_000  # A whole screen has 24,000 bytes.
    before = len(terminal.raw)
    terminal.press("\x0c")
    assert len(terminal.raw) - before > 10_000
    leave(terminal)


# Nothing ends a run but a stop


def test_fault_15_16_the_run_outlives_a_closed_terminal_and_a_killed_console(open_console: Open, store: Store) -> None:
    config = RunConfig.from_text({**SMALL, "epochs": "3"})
    run_id = store.create(config).id
    terminal = open_console()
    terminal.wait_for("queued")
    terminal.press("R")
    wait_for(lambda: load(store, run_id)[0].step > 2)
    terminal.hang_up()
    terminal.finish()
    assert store.is_locked(run_id), "the trainer is still at work"

    terminal = open_console("attach", run_id)
    terminal.wait_for("running", "last point")
    terminal.signal(signal.SIGKILL)
    assert terminal.finish() == -signal.SIGKILL
    seen = load(store, run_id)[0].step
    assert store.is_locked(run_id), "the trainer is still at work"

    terminal = open_console("attach", run_id)
    terminal.wait_for("running", "last point")
    terminal.wait_for("finished", "epoch 3/3")
    history, state = load(store, run_id)
    assert state is State.FINISHED
    assert history.step == 96 > seen
    assert (history.attempts, history.missing_events) == (1, 0)
    assert sequence(store, run_id) == list(range(history.num_events))
    leave(terminal)


# What it leaves behind


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_leaves_a_clean_terminal(open_console: Open, two: list[str], number: signal.Signals) -> None:
    terminal = open_console()
    terminal.wait_for("finished")
    terminal.press("enter")
    terminal.wait_for("Accuracy", "best test")
    assert "mode 1049" in terminal.borrowed(), "it has taken the screen, or nothing is tested here"
    terminal.signal(number)
    assert terminal.finish() == 128 + number
    assert terminal.borrowed() == set()
    assert terminal.last_words() == ""


def test_what_a_shell_wrote_while_the_console_was_stopped_is_drawn_over(open_console: Open, two: list[str]) -> None:
    terminal = open_console()
    terminal.wait_for("finished")
    terminal.rest()
    before = terminal.text()
    terminal.signal(signal.SIGSTOP)
    terminal.screen.cursor_position(2, 1)
    terminal.screen.draw("[1]+  Stopped")
    assert terminal.text() != before
    terminal.signal(signal.SIGCONT)
    terminal.wait_until(lambda: terminal.text() == before)
    leave(terminal)


@pytest.mark.parametrize("moment", ["● running", "epoch 2 of 9"])
def test_fault_15_a_closed_terminal_is_no_fault_of_ours(
    open_console: Open, store: Store, tmp_path: Path, moment: str
) -> None:
    record = write_run(store, RunConfig(epochs=9), epochs_done=2)
    lock = take_lock(store.path(record.id))
    try:
        terminal = open_console()
        terminal.wait_for(moment)
        terminal.hang_up()
        terminal.finish()
    finally:
        os.close(lock)
    assert not (tmp_path / "state" / "alexnet-tui" / "crash.log").exists()


def test_fault_15_what_is_drawn_after_the_terminal_has_gone_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error would end the thread of Textual's that writes, and the console with it."""
    here, there = pty.openpty()
    with open(there, "w", encoding="utf-8") as stream:
        monkeypatch.setattr(sys, "__stderr__", stream)
        outlive_terminal()
        drawn = sys.__stderr__
        assert drawn is not None
        drawn.write("é")
        drawn.flush()
        assert os.read(here, 10) == "é".encode()
        os.close(here)
        with pytest.raises(OSError, match="Input/output"):
            os.write(there, b"x")
        for _ in range(3):
            assert drawn.write("x" * 100_000) == 100_000
            drawn.flush()


# Terminals of all kinds


def test_a_dumb_terminal_gets_the_command_that_works_there(open_console: Open, two: list[str]) -> None:
    terminal = open_console(TERM="dumb")
    assert terminal.finish() == 2
    assert "alexnet-tui run --headless" in " ".join(terminal.text().split())
    assert b"\x1b" not in terminal.raw


def test_no_color_sends_none_and_the_cursor_is_seen(open_console: Open, two: list[str]) -> None:
    terminal = open_console(NO_COLOR="1")
    terminal.wait_for("finished")
    row = next(number for number, line in enumerate(terminal.screen.display) if "finished" in line)
    below = terminal.screen.buffer[row + 1]
    assert all(terminal.screen.buffer[row][column].reverse for column in range(5, 40))
    assert not any(below[column].reverse for column in range(5, 40))
    terminal.press("enter")
    terminal.wait_for("Accuracy", "best test")
    leave(terminal)
    codes = {code for found in re.findall(rb"\x1b\[([\d;]+)m", terminal.raw) for code in found.split(b";")}
    assert codes <= {b"0", b"1", b"2", b"3", b"4", b"7", b"39", b"49"}


def test_a_plain_c_locale_works(open_console: Open, two: list[str]) -> None:
    terminal = open_console(LANG="C", LC_ALL="")
    terminal.wait_for("finished", "2 runs")
    leave(terminal)


def test_a_terminal_that_goes_without_a_signal_ends_the_console(store: Store) -> None:
    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "alexnet_tui", "--runs-dir", str(store.root)]
    environment = {**os.environ, "TERM": "xterm-256color"}
    with subprocess.Popen(command, stdin=follower, stdout=follower, stderr=follower, env=environment) as program:
        os.close(follower)
        seen = b""
        while b"No runs here yet" not in seen:
            seen += os.read(leader, 1 << 16)
        os.close(leader)
        assert program.wait(timeout=60) == 128 + signal.SIGHUP


def test_a_locale_without_unicode_gets_ascii(open_console: Open, two: list[str]) -> None:
    terminal = open_console(size=(120, 40), LC_ALL="C")
    terminal.wait_for("+ finished", "2 runs")
    terminal.press("space", "space", "c")
    terminal.wait_for("Test accuracy", "2 runs")
    assert terminal.text().isascii()
    terminal.press("enter")
    terminal.wait_for("best test")
    terminal.press("2")
    terminal.wait_for("Original model", "v architecture", "> optimisation")
    terminal.press("escape", "?")
    terminal.wait_for("| Charts")
    assert re.findall(r"\?(?! Help|  f1)", terminal.text()) == [], "every symbol has a twin"
    terminal.press("escape")
    leave(terminal)
    assert bytes(terminal.raw).isascii()


def test_a_small_terminal_and_a_change_of_size(open_console: Open, two: list[str]) -> None:
    terminal = open_console(size=(40, 12))
    terminal.wait_for("✓", "q Quit")
    for columns, rows in ((160, 45), (80, 24), (40, 12)):
        terminal.resize(columns, rows)
        terminal.wait_until(lambda: terminal.screen.display[-1].rstrip().endswith("q Quit"))
        terminal.rest()
        lines = terminal.text().splitlines()
        assert len(lines) == rows
        assert lines[-1].endswith("q Quit")
        assert len(lines[-1]) > columns - 3, "the last line ends at the right edge"
    terminal.press("enter")
    terminal.wait_for("finished", "epoch 20/20")
    terminal.press("2")
    terminal.wait_for("Original model")
    leave(terminal)


def test_no_paste_presses_a_key(open_console: Open, store: Store, two: list[str]) -> None:
    terminal = open_console()
    terminal.wait_for("✓", "q Quit")
    terminal.press("\x1b[200~\x1b[1mD\x1b[0my\x1b[201~", "N")
    terminal.wait_for("Note on")
    terminal.press("\x1b[200~a \x1b[31mred\x1b[0m\rword\x1b[201~", "enter")
    terminal.wait_for("Note saved.")
    assert sorted(store.ids()) == sorted(two)
    assert {store.notes(run_id).note for run_id in two} == {"", r"a \x1b[31mred\x1b[0m word"}
    leave(terminal)


def test_escape_and_a_key_pressed_soon_after_it_both_count(open_console: Open, two: list[str]) -> None:
    terminal = open_console()
    terminal.wait_for("✓", "q Quit")
    terminal.press("L")
    terminal.wait_for("Label of")
    terminal.press("\x1bN")
    terminal.wait_for("Note on")
    terminal.press("\x1b5")
    terminal.wait_for("No studies yet")
    leave(terminal)


# Strangers' words

EVIL = (
    "\x1b]52;c;ZXZpbA==\x07 \x1b]0;evil\x07 \x1b[2J \x9b31m \x90q\x9c \u202eelive\u202c \u200bx\x08\x7f"
    " [bold]loud[/bold] [@click=app.leave]here[/] \U000e0041"
)
# Parts of what must not come through; none of them has a meaning of its own in what the console draws.
RAW = [
    b"]52;",
    b"]0;evil",
    *(text.encode() for text in ("\x9b", "\x90", "\x9c", "\u202e", "\u202c", "\u200b", "\x7f", "\U000e0041")),
]


def leaked(drawn: bytes) -> list[bytes]:
    """What of `RAW` a terminal would obey; escaped, an escape sequence is drawn as the text behind its escape."""
    return [raw for raw in RAW if (raw if raw[0] >= 0x7F else b"\x1b" + raw) in drawn]


def test_attack_01_words_of_strangers_reach_no_terminal(open_console: Open, store: Store) -> None:
    failed = ev.Failed(reason="error", message=EVIL, epoch=3, step=30)
    hostile: dict[str, object] = {
        "device": EVIL[:60],
        "class_names": [EVIL] * 10,
        "versions": {EVIL[:40]: EVIL},
        "fingerprint": EVIL,
    }
    write_run(store, RunConfig(epochs=9, seed=1), label=EVIL)
    record = write_run(store, RunConfig(epochs=9), epochs_done=3, end=failed, label=f"A {EVIL}", change_started=hostile)
    directory = store.path(record.id)
    (directory / LOG_FILE).write_text(f"log {EVIL}\n" * 5)
    store.change_notes(record.id, lambda _: Notes(label=f"B {EVIL}", tags=[EVIL], note=EVIL))
    planning.plan_variants(store, "theirs", variants=["baseline"], seeds=[7], label=EVIL)
    path = store.root / "studies" / "theirs.json"
    theirs = json.loads(path.read_text()) | {"protocol": EVIL, "overrides": {EVIL: EVIL}, "package_version": EVIL}
    theirs["claims"] = [{**claim, "statement": EVIL} for claim in theirs["claims"]]
    path.write_text(json.dumps(theirs))
    orders.worker_folder(store)
    orders.log_path(store).write_text(EVIL)
    terminal = open_console(size=(160, 45))
    terminal.wait_for("failed", "B \\x1b]52;c")
    terminal.press("enter")
    terminal.wait_for("Failed (error)", "[bold]loud[/bold]")
    for page in ("No kernels", "Changed from the defaults", "log \\x1b]52;c", "fingerprint"):
        terminal.press("]")
        terminal.wait_for(page)
    terminal.press("1", "space", "space", "c")
    terminal.wait_for("Test accuracy", "2 runs")
    terminal.press("6")
    terminal.wait_for("Verdicts")
    terminal.press("1")
    for key, title in (("L", "Label of"), ("T", "Tags of"), ("N", "Note on"), ("D", "Delete"), ("s", "Sort by")):
        terminal.press(key)
        terminal.wait_for(title)
        terminal.press("escape")
        terminal.wait_until(lambda title=title: title not in terminal.text())  # type: ignore[misc]
    terminal.press("2")
    terminal.wait_for("Original model")
    terminal.press("5")
    terminal.wait_for("theirs", "planned")
    leave(terminal)
    assert leaked(EVIL.encode()) == RAW, "what is looked for is there to be found"
    assert leaked(bytes(terminal.raw)) == []
    drawn, end = terminal.raw.split(b"\x1b[?1049h", 1)[1].rsplit(b"\x1b[2J\x1b[H", 1)
    assert b"\x1b[2J" not in drawn, "no flicker"
    assert b"\x1b[?1049l" in end, "an empty screen is left behind"
