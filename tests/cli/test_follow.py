"""Following runs that `fake_trainer` plays, in pipes and on a pseudo-terminal."""

import contextlib
import io
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import fake_runs
import fake_trainer
import pytest
from rich.console import Console
from waiting import wait_for

from alexnet_tui.cli import follow as headless
from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.errors import LaunchError
from alexnet_tui.launch import local, stopping
from alexnet_tui.launch.engine import StartOptions
from alexnet_tui.runs import events as ev
from alexnet_tui.runs.follow import load
from alexnet_tui.runs.history import RunHistory
from alexnet_tui.runs.state import State
from alexnet_tui.runs.store import Store

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("forked")]
ROOT = Path(__file__).parents[2]
CAPTURE = pytest.CaptureFixture[bytes]


def follow(store: Store, run_id: str, *, stop_on_interrupt: bool = True, from_offset: int = 0) -> int:
    return headless.follow(store, run_id, as_json=True, stop_on_interrupt=stop_on_interrupt, from_offset=from_offset)


def begin(store: Store, script: str, epochs: int = 3) -> str:
    run_id = store.create(RunConfig(epochs=epochs)).id
    local.start(store, run_id, StartOptions(command=fake_trainer.command(script)))
    return run_id


def has_trained(store: Store, run_id: str) -> bool:
    return any(isinstance(event, ev.Step) for event in store.reader(run_id).read_new())


def spawn(store: Store, run_id: str, *, as_json: bool, stops: bool, terminal: int | None = None) -> "Watched":
    code = (
        "import sys; from pathlib import Path; from alexnet_tui.runs.store import Store;"
        "from alexnet_tui.cli.follow import follow;"
        f"sys.exit(follow(Store(Path({str(store.root)!r})), {run_id!r}, as_json={as_json},"
        f" stop_on_interrupt={stops}))"
    )
    return Watched(code, terminal)


class Watched:
    """A follower in a process of its own, its output read as it comes."""

    def __init__(self, code: str, terminal: int | None) -> None:
        # Under `nohup` the tests ignore the signal of a lost terminal, and what they start would, too.
        obeys = "import signal; signal.signal(signal.SIGHUP, signal.SIG_DFL);"
        self.process = subprocess.Popen(
            [sys.executable, "-c", obeys + code],
            env={**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color", "COLUMNS": "100"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if terminal is None else terminal,
            stderr=subprocess.PIPE,
        )
        self.said = b""
        self.out = b""
        assert self.process.stderr is not None
        self._threads = [threading.Thread(target=self._read_said, daemon=True)]
        if terminal is None:
            self._threads.append(threading.Thread(target=self._read_out, daemon=True))
        for thread in self._threads:
            thread.start()

    def _read_said(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.said += line

    def _read_out(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.out += line

    def wait(self) -> int:
        code = self.process.wait(timeout=90)
        for thread in self._threads:
            thread.join(60)
        return code


def test_a_pipe_gets_the_record_line_by_line_unchanged(store: Store, capfdbinary: CAPTURE) -> None:
    run_id = begin(store, "normal")
    assert follow(store, run_id) == 0
    captured = capfdbinary.readouterr()
    assert captured.out == (store.path(run_id) / "events.jsonl").read_bytes()
    said = captured.err.decode().splitlines()
    assert said[0] == f"run {run_id} finished: test accuracy 59.08%, best 59.08% after epoch 3, in 1.2s"
    assert len(said) == 3


def test_unknown_kinds_are_handed_on_and_bad_lines_are_not(store: Store, capfdbinary: CAPTURE) -> None:
    record = fake_runs.write_run(store, RunConfig(epochs=1), finish=False, epochs_done=0)
    path = store.path(record.id) / "events.jsonl"
    newer = b'{"v":99,"kind":"teleported","seq":1,"where":"here"}\n'
    end = b'{"v":1,"kind":"finished","seq":2,"epoch":1,"step":10,"train_seconds":1,"elapsed_seconds":1}\n'
    with path.open("ab") as file:
        file.write(newer + b"\x00\x00garbage\n" + end + b'{"v":1,"kind":"st')
    assert follow(store, record.id) == 0
    lines = capfdbinary.readouterr().out.splitlines(keepends=True)
    assert lines[1:] == [newer, end]


@pytest.mark.parametrize(
    ("end", "code"),
    [
        (ev.Finished(epoch=1, step=10, train_seconds=1, elapsed_seconds=1), 0),
        (ev.Failed(reason="diverged", message="the loss is nan"), 1),
        (ev.Failed(reason="data", message="the data set is gone"), 3),
        (ev.Failed(reason="checkpoint", message="no checkpoint can be trusted"), 3),
        (ev.Failed(reason="device", message="there is no GPU"), 2),
        (ev.Failed(reason="oom", message="out of memory"), 1),
        (ev.Failed(reason="disk_full", message="no space left"), 1),
        (ev.Stopped(epoch=0, step=3, reason="SIGTERM"), 143),
    ],
)
def test_the_last_event_is_the_exit_code(store: Store, end: ev.Event, code: int) -> None:
    record = fake_runs.write_run(store, RunConfig(epochs=1), end=end)
    assert follow(store, record.id) == code


def test_a_stopped_run_goes_on_as_it_was_followed(store: Store, capfdbinary: CAPTURE) -> None:
    record = fake_runs.write_run(store, RunConfig(epochs=1), end=ev.Stopped(epoch=0, step=3, reason="SIGTERM"))
    follow(store, record.id)
    said = capfdbinary.readouterr().err.decode()
    resume = f"alexnet-tui resume {record.id} --headless --runs-dir {store.root}"
    assert said == f"run {record.id} stopped after step 3; go on: {resume}\n"


def test_a_diverged_run_says_so(store: Store, capfdbinary: CAPTURE) -> None:
    run_id = begin(store, "diverge")
    assert follow(store, run_id) == 1
    said = capfdbinary.readouterr().err.decode()
    assert said == f"run {run_id} failed (diverged): the loss is not finite.\n"


def test_a_crashed_run_shows_the_end_of_its_log_made_safe(store: Store, capfdbinary: CAPTURE) -> None:
    run_id = begin(store, "crash")
    assert follow(store, run_id) == 1
    captured = capfdbinary.readouterr()
    said = captured.err.decode()
    assert f"run {run_id} crashed: its trainer ended" in said
    assert r"Traceback: \x1b]0;evil\x07 something broke" in said
    assert captured.out.endswith(b"\n")
    assert [json.loads(line)["kind"] for line in captured.out.splitlines()].count("epoch") == 1


def test_earlier_attempts_are_neither_printed_nor_the_outcome(store: Store, capfdbinary: CAPTURE) -> None:
    stopped = ev.Stopped(epoch=1, step=10, reason="SIGTERM")
    record = fake_runs.write_run(store, RunConfig(epochs=3), epochs_done=1, end=stopped)
    path = store.path(record.id) / "events.jsonl"
    before = path.read_bytes()
    assert follow(store, record.id, from_offset=len(before)) == 1
    assert " crashed: " in capfdbinary.readouterr().err.decode()
    local.start(store, record.id, StartOptions(command=fake_trainer.command("normal")))
    assert follow(store, record.id, from_offset=len(before)) == 0
    assert capfdbinary.readouterr().out == path.read_bytes()[len(before) :]


def test_ctrl_c_stops_the_trainer_with_a_checkpoint(store: Store) -> None:
    run_id = begin(store, "endless", epochs=1000)
    watched = spawn(store, run_id, as_json=True, stops=True)
    wait_for(lambda: b'"step"' in watched.out)
    watched.process.send_signal(signal.SIGINT)
    assert watched.wait() == 130
    loaded, state = load(store, run_id)
    assert state is State.STOPPED
    assert loaded.checkpoints
    assert watched.out == (store.path(run_id) / "events.jsonl").read_bytes()
    assert b"stopping with a checkpoint" in watched.said
    assert f"alexnet-tui resume {run_id}".encode() in watched.said
    assert b"Traceback" not in watched.said


def test_sigterm_stops_the_trainer_too(store: Store) -> None:
    run_id = begin(store, "endless", epochs=1000)
    watched = spawn(store, run_id, as_json=True, stops=True)
    wait_for(lambda: b'"step"' in watched.out)
    watched.process.send_signal(signal.SIGTERM)
    assert watched.wait() == 143
    assert load(store, run_id)[1] is State.STOPPED


def test_ctrl_c_twice_leaves_at_once(store: Store) -> None:
    run_id = begin(store, "stubborn", epochs=1000)
    watched = spawn(store, run_id, as_json=True, stops=True)
    wait_for(lambda: b'"step"' in watched.out)
    watched.process.send_signal(signal.SIGINT)
    wait_for(lambda: b"stopping" in watched.said)
    assert store.is_locked(run_id)
    watched.process.send_signal(signal.SIGINT)
    assert watched.wait() == 130
    assert not store.is_locked(run_id)


def test_ctrl_c_on_somebody_elses_run_only_leaves(store: Store) -> None:
    run_id = begin(store, "endless", epochs=1000)
    watched = spawn(store, run_id, as_json=True, stops=False)
    wait_for(lambda: b'"step"' in watched.out)
    watched.process.send_signal(signal.SIGINT)
    assert watched.wait() == 130
    assert b"it goes on" in watched.said
    seen = len(store.reader(run_id).read_new())
    wait_for(lambda: len(store.reader(run_id).read_new()) > seen)
    assert stopping.kill(store, run_id)


def test_a_follower_that_dies_does_not_take_the_trainer_along(store: Store) -> None:
    run_id = begin(store, "endless", epochs=1000)
    watched = spawn(store, run_id, as_json=True, stops=True)
    wait_for(lambda: b'"step"' in watched.out)
    watched.process.kill()
    watched.wait()
    seen = len(store.reader(run_id).read_new())
    wait_for(lambda: len(store.reader(run_id).read_new()) > seen)
    assert stopping.kill(store, run_id)
    sequence = [event.seq for event in store.reader(run_id).read_new()]
    assert sequence == list(range(len(sequence)))


def read_terminal(descriptor: int, until: Callable[[bytes], bool], seconds: float = 90) -> bytes:
    """What a terminal received until a condition holds or the other side is closed."""
    content, deadline = b"", time.monotonic() + seconds
    while not until(content):
        assert time.monotonic() < deadline, content[-2000:]
        if select.select([descriptor], [], [], 0.1)[0]:
            try:
                chunk = os.read(descriptor, 65536)
            except OSError:  # Linux: the last process on the other side has gone.
                return content
            if not chunk:
                return content
            content += chunk
    return content


def test_a_terminal_gets_a_display_and_survives_its_own_loss(store: Store) -> None:
    run_id = begin(store, "endless", epochs=1000)
    master, slave = pty.openpty()
    watched = spawn(store, run_id, as_json=False, stops=True, terminal=slave)
    os.close(slave)
    screen = read_terminal(master, lambda seen: re.search(rb"epoch [2-9]\d*/1,?000", seen) is not None)
    text = re.sub(rb"\x1b\[[0-9;?]*[A-Za-z]", b"", screen).decode()
    assert f"baseline, literal32, cifar10, seed 0: {run_id}" in text
    assert re.search(r"step \d+/10,000  ETA \d", text)
    assert re.search(r"loss 1\.5\d*  train 50\.0% .* test [\d.]+%.* 640/s  lr 0\.01", text)
    seen = len(store.reader(run_id).read_new())
    os.close(master)
    watched.process.send_signal(signal.SIGHUP)
    watched.wait()
    wait_for(lambda: len(store.reader(run_id).read_new()) > seen + 100)  # Two seconds of training and more.
    with contextlib.suppress(LaunchError):  # On a slow machine it has finished meanwhile.
        stopping.kill(store, run_id)


def rendered(history_: RunHistory, width: int, encoding: str = "utf-8", label: str = "") -> str:
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    console = Console(file=file, width=width, force_terminal=False, markup=False)
    console.print(headless.render(history_, console, label=label))
    file.flush()
    assert isinstance(file.buffer, io.BytesIO)
    return file.buffer.getvalue().decode(encoding)


def test_the_display_names_the_run_as_it_is_called_now(store: Store) -> None:
    record = fake_runs.write_run(store, RunConfig(epochs=4), label="old", epochs_done=2)
    loaded = load(store, record.id)[0]
    assert rendered(loaded, 120).splitlines()[0].endswith(f'{record.id} "old"')
    assert rendered(loaded, 120, label="new\x1b[2J").splitlines()[0].endswith(f'{record.id} "new\\x1b[2J"')


def test_the_display_fits_a_narrow_terminal_in_ascii(store: Store) -> None:
    record = fake_runs.write_run(store, RunConfig(epochs=4), epochs_done=2)
    code = (
        "import sys; from pathlib import Path; from rich.console import Console; from alexnet_tui.cli import output;"
        "from alexnet_tui.cli.follow import render; from alexnet_tui.runs.follow import load;"
        "from alexnet_tui.runs.store import Store; output.prepare_streams();"
        f"loaded = load(Store(Path({str(store.root)!r})), {record.id!r})[0];"
        "Console(width=40).print(render(loaded, Console(width=40)))"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "ascii"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert all(line.isascii() and len(line) <= 40 for line in lines)
    assert lines[1].startswith("epoch 3/4 ==")
    assert lines[3].startswith("loss @")


def test_what_does_not_fit_is_left_out_by_importance(store: Store) -> None:
    record = fake_runs.write_run(store, RunConfig(epochs=4), label="mine", epochs_done=2)
    loaded = load(store, record.id)[0]
    title, bar, numbers, shape = rendered(loaded, 80).splitlines()
    assert max(map(len, (title, bar, numbers, shape))) <= 80
    assert "…" not in title + bar + numbers
    assert title.endswith(f'{record.id} "mine"')
    assert " 50%  step 20/40  ETA " in bar
    assert numbers.startswith("loss ")
    assert "  test " in numbers
    assert "end of the epoch" not in numbers
    assert "end of the epoch" in rendered(loaded, 100).splitlines()[2]


def test_before_the_first_update_the_learning_rate_is_the_one_it_takes(store: Store) -> None:
    record = fake_runs.write_run(store, RunConfig(epochs=4, learning_rate=0.003, schedule="step"), epochs_done=0)
    loaded = load(store, record.id)[0]
    assert rendered(loaded, 100).splitlines()[2].endswith("  lr 0.003")
    update = fake_runs.a_step(learning_rate=0.0003)
    assert rendered(loaded.fold([update]), 100).splitlines()[2].endswith("  lr 0.0003")


def test_a_run_without_a_step_has_no_curve(store: Store) -> None:
    record = fake_runs.write_run(store, RunConfig(epochs=4), epochs_done=0)
    assert not [line for line in rendered(load(store, record.id)[0], 80).splitlines() if line.strip() == "loss"]


def test_a_hostile_label_and_warning_are_shown_and_not_obeyed(store: Store) -> None:
    record = fake_runs.write_run(
        store,
        RunConfig(epochs=2),
        label="[red]x[/] \x1b]52;c;YQ==\x07",
        epochs_done=1,
        end=ev.Warned(code="x", message="\x1b[2J\u202eboo [/]"),
    )
    text = rendered(load(store, record.id)[0], 160)
    assert r'"[red]x[/] \x1b]52;c;YQ==\x07"' in text
    assert r"warning: \x1b[2J\u202eboo [/]" in text
    assert "\x1b" not in text


def test_json_on_a_terminal_passes_over_what_only_a_lenient_reader_takes(store: Store) -> None:
    record = fake_runs.write_run(store, RunConfig(epochs=1))
    path = store.path(record.id) / "events.jsonl"
    lines = path.read_bytes().splitlines()
    lines[-1] = lines[-1][:-1] + b',"strange":"\xff\xfe\x9b2J","long":' + b"9" * 5000 + b"}"
    path.write_bytes(b"\n".join(lines) + b"\n")
    master, slave = pty.openpty()
    watched = spawn(store, record.id, as_json=True, stops=True, terminal=slave)
    os.close(slave)
    content = read_terminal(master, lambda seen: b"99999" in seen and b"next:" in seen)
    assert watched.wait() == 0
    os.close(master)
    assert not re.search(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\xff]", content)


def test_json_on_a_terminal_holds_nothing_to_obey(store: Store) -> None:
    record = fake_runs.write_run(store, RunConfig(epochs=1), change_started={"class_names": ["\x9b2J\x7f\u202e", "é"]})
    master, slave = pty.openpty()
    watched = spawn(store, record.id, as_json=True, stops=True, terminal=slave)
    os.close(slave)
    content = read_terminal(master, lambda seen: b"finished" in seen)
    watched.wait()
    os.close(master)
    assert not re.search(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\xff]", content)
    first = json.loads(content.splitlines()[0])
    assert first["class_names"] == ["\x9b2J\x7f\u202e", "é"]


def test_a_reader_that_leaves_does_not_end_the_run(store: Store) -> None:
    run_id = begin(store, "endless", epochs=1000)
    wait_for(lambda: has_trained(store, run_id))
    code = (
        "import sys; from pathlib import Path; from alexnet_tui.runs.store import Store;"
        "from alexnet_tui.cli.follow import follow;"
        f"sys.exit(follow(Store(Path({str(store.root)!r})), {run_id!r}, as_json=True, stop_on_interrupt=True))"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    try:
        for command, expected in (("| head -c 10 >/dev/null; exit ${PIPESTATUS[0]}", 0), (">/dev/full", 3)):
            if "full" in command and not Path("/dev/full").exists():
                continue
            done = subprocess.run(
                ["bash", "-c", f'{sys.executable} -c "$CODE" {command}'],
                env={**environment, "CODE": code},
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            assert (done.returncode, done.stderr.count("\n")) == (expected, 1), done.stderr
            assert f"it goes on. Follow it again: alexnet-tui attach {run_id}" in done.stderr
            assert store.is_locked(run_id)
    finally:
        stopping.kill(store, run_id)
