"""What the console costs, beside its bars and beside an empty Textual app; on Linux, with a processor left over.

    python tests/benchmarks/bench_console.py [--rounds 7] [--idle 15] [--follow 15] [--beside PROGRAM]

Each program runs on a pseudo-terminal of 160x45. CPU is user and system time of the whole process; on a shared
machine it grows by a third, so the smallest of some rounds stands first, the median second, and the empty app,
which runs in turns with ours, says how busy the machine was. `PROGRAM` is the ``alexnet-tui`` of another commit, of
which all but the keys to pages is measured in turns with ours. The numbers:

    start       CPU until the preview's chart of the newest of 200 runs is drawn
    long run    CPU until both charts of a run of 100,000 steps are drawn
    idle        share of a core, and bytes to the terminal, with nothing happening
    follow      share of a core, and bytes to the terminal, while a run logs 10 points a second
    latency     from the stamp in a line of the record to its step on the screen
    key         from a key to what it asks for on the screen, while 10,000 events a second arrive
"""

import argparse
import fcntl
import itertools
import os
import pty
import re
import select
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pyte

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from benchmarks.make_runs import write_one
from fake_runs import a_step, curve, open_writer, started

from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.config.variants import VARIANTS
from alexnet_tui.locks import take_lock
from alexnet_tui.runs import events as ev
from alexnet_tui.runs.run_files import EVENTS_FILE
from alexnet_tui.runs.store import Store

OURS = str(Path(sys.executable).with_name("alexnet-tui"))
TOTAL_STEPS = 90_000_000
EPOCH_SECONDS = 5
SCREEN_BYTES = 30_000
"""About what it takes to paint 160x45 cells once; a console that does so for every point sends that many for each."""
EMPTY_APP = """
from textual.app import App
from textual.widgets import Footer, Header, Label

class Empty(App):
    def compose(self):
        yield Header()
        yield Label("this-is-all")
        yield Footer()

Empty().run()
"""
_CURVE = rb"(?:\xe2[\xa1-\xa3][\x80-\xbf]){2}"
"""Braille cells beside each other, none of them empty or nearly so."""
_QUIET_SECONDS = 0.15


class Terminal:
    """A program on a pseudo-terminal; what it writes is kept, and shown to nobody until `emulate` is called."""

    def __init__(self, command: Sequence[str]) -> None:
        environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        environment["XDG_STATE_HOME"] = "/dev/null/nowhere"  # As a newcomer: nothing remembered, nothing kept.
        self.output = bytearray()
        self.read_at = 0.0
        self._screen: pyte.Screen | None = None
        self.pid, self._descriptor = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 45, 160, 0, 0))
            os.execvpe(command[0], list(command), environment)

    def read(self, seconds: float) -> bytes:
        """What comes within a time, or nothing."""
        data = b""
        while select.select([self._descriptor], [], [], 0 if data else seconds)[0]:
            data += os.read(self._descriptor, 1 << 20)
            self.read_at = time.time()
        self.output += data
        if self._screen is not None:  # It takes its time for a whole screen, which is not the console's.
            self._stream.feed(data)
        return data

    def emulate(self) -> None:
        """From now on know what the terminal shows: of a text that changed, only the cells that did are written."""
        self._screen = pyte.Screen(160, 45)
        self._stream = pyte.ByteStream(self._screen)
        self._stream.feed(bytes(self.output))

    def find(self, pattern: str) -> re.Match[str] | None:
        """What the terminal shows of a pattern."""
        assert self._screen is not None
        return re.search(pattern, "\n".join(self._screen.display))

    def watch(self, seconds: float) -> None:
        """Read for a time."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.read(left)

    def wait_for(self, pattern: bytes, seconds: float = 30) -> None:
        """Read until the pattern has been written."""
        wanted, end = re.compile(pattern, re.DOTALL), time.monotonic() + seconds
        while not wanted.search(self.output):
            if time.monotonic() > end:
                raise SystemExit(f"{pattern!r} never came; the last output: {bytes(self.output[-300:])!r}")
            self.read(0.05)

    def wait_to_see(self, pattern: str, seconds: float = 30) -> float:
        """Read until the terminal shows a pattern; when that was, in seconds since 1970."""
        end = time.monotonic() + seconds
        while not self.find(pattern):
            if time.monotonic() > end:
                raise SystemExit(f"{pattern!r} is never shown")
            self.read(0.05)
        return self.read_at

    def settle(self) -> None:
        """Read until nothing has come for a moment."""
        while self.read(_QUIET_SECONDS):
            pass

    def send(self, keys: str) -> None:
        """Press keys."""
        os.write(self._descriptor, keys.encode())

    @property
    def cpu_seconds(self) -> float:
        """Processor time of all its threads, to the nanosecond."""
        tasks = Path(f"/proc/{self.pid}/task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9

    @property
    def peak_megabytes(self) -> float:
        """The most memory it ever held."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) / 1024

    def close(self) -> None:
        """End the program."""
        os.kill(self.pid, signal.SIGTERM)
        try:
            while True:
                self.read(5)
        except OSError:  # The other end is closed.
            pass
        os.waitpid(self.pid, 0)
        os.close(self._descriptor)


@contextmanager
def running(command: Sequence[str]) -> Iterator[Terminal]:
    """A program while the block runs."""
    terminal = Terminal(command)
    try:
        yield terminal
    finally:
        terminal.close()


@dataclass(frozen=True)
class Start:
    """One start: processor time until something is drawn, and memory."""

    cpu_seconds: float
    megabytes: float


def start(command: Sequence[str], pattern: bytes) -> Start:
    """Start a program until a pattern is drawn."""
    with running(command) as terminal:
        terminal.wait_for(pattern)
        terminal.settle()
        return Start(terminal.cpu_seconds, terminal.peak_megabytes)


def idle(command: Sequence[str], seconds: float) -> tuple[float, float]:
    """Percent of a core, and bytes a second, of a program left alone."""
    with running(command) as terminal:
        terminal.watch(5)
        return usage(terminal, seconds)


def usage(terminal: Terminal, seconds: float) -> tuple[float, float]:
    """Percent of a core, and bytes a second, from now on."""
    cpu, size = terminal.cpu_seconds, len(terminal.output)
    terminal.watch(seconds)
    return 100 * (terminal.cpu_seconds - cpu) / seconds, (len(terminal.output) - size) / seconds


def write_live(root: Path, rate: float) -> None:
    """Be a trainer that logs at a rate, until it is killed."""
    config = RunConfig.from_text({"epochs": "1000", "data": "synthetic"})
    steps_per_epoch = max(1, round(rate * EPOCH_SECONDS))
    store = Store(root)
    directory = store.path(store.create(config, label="live").id)
    lock = take_lock(directory)
    with open_writer(directory) as writer:
        writer.write(started(config, steps_per_epoch=steps_per_epoch, total_steps=TOTAL_STEPS))
        print("up", flush=True)
        begin, step = time.monotonic(), 0
        while lock >= 0:
            while step < (time.monotonic() - begin) * rate:
                step += 1
                loss = 2.3 / (1 + step / 1000) * (1 + 0.02 * (step * 7919 % 101 - 50) / 50)
                epoch = 1 + step // steps_per_epoch
                writer.write(a_step(epoch, step, train_loss=loss, images_per_second=1700.0))
                if step % steps_per_epoch == 0:
                    writer.write(msgspec.structs.replace(curve(epoch - 1, config.epochs), step=step))
            time.sleep(min(0.01, 1 / rate))


@contextmanager
def live_run(root: Path, rate: float) -> Iterator[Store]:
    """A run that another process writes while the block runs."""
    command = [sys.executable, __file__, "--write", str(root), "--rate", str(rate)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as trainer:
        assert trainer.stdout is not None
        trainer.stdout.readline()
        try:
            yield Store(root)
        finally:
            trainer.kill()


def follow(root: Path, rate: float, seconds: float, program: str = OURS) -> tuple[float, float, list[float]]:
    """Percent of a core, bytes a second, and the delay of every line, of following a run."""
    seen: list[tuple[float, int]] = []
    with live_run(root, rate) as store, running(console(root, "attach", "last", program=program)) as terminal:
        terminal.watch(4)
        terminal.emulate()
        cpu, begin, start = terminal.cpu_seconds, time.time(), len(terminal.output)
        while time.time() < begin + seconds:
            terminal.read(0.05)
            if match := terminal.find(rf"([\d,]+)/{TOTAL_STEPS:,}"):
                step = int(match[1].replace(",", ""))
                if not seen or step > seen[-1][1]:
                    seen.append((terminal.read_at, step))
        elapsed = time.time() - begin
        percent = 100 * (terminal.cpu_seconds - cpu) / elapsed
        bytes_per_second = (len(terminal.output) - start) / elapsed
        lines = (store.path(store.resolve("last")) / EVENTS_FILE).read_bytes().splitlines()
    walls = {event.step: event.wall for event in map(ev.decode, lines[:-1]) if isinstance(event, ev.Step)}
    delays, last = list[float](), seen[0][1]
    for at, step in seen:
        delays += [at - walls[one] for one in range(last + 1, step + 1) if one in walls]
        last = max(last, step)
    return percent, bytes_per_second, delays


CHART_KEYS = (("\x1b[D", "at epoch"), ("G", r"Loss.*\blog\b"), ("S", r"EMA 0\.6"))
PAGE_KEYS = (("]", "kernels"), ("[", "Loss"))
"""Keys, and what each brings to the screen; a page is loaded when it is opened first."""


def keys(root: Path, rate: float, rounds: int, asked: Sequence[tuple[str, str]], program: str) -> list[float]:
    """Seconds from a key to its effect while events pour in."""
    delays: list[float] = []
    with live_run(root, rate), running(console(root, "attach", "last", program=program)) as terminal:
        terminal.wait_for(_CURVE)
        terminal.watch(3)
        terminal.emulate()
        for round_ in range(rounds):
            for index, (key, effect) in enumerate(asked):
                terminal.watch(0.2 + 0.037 * ((round_ * 5 + index) % 7))  # Not in step with anything.
                assert not terminal.find(effect), f"{effect!r} is shown before its key is pressed"
                before = time.time()
                terminal.send(key)
                delays.append(terminal.wait_to_see(effect) - before)
            for key in ("S", "S", "S", "S", "G", "\x1b") if asked is CHART_KEYS else ():  # Back to where it began.
                terminal.send(key)
                terminal.watch(0.3)
    return delays


def all_keys(folder: Path, rate: int, rounds: int, programs: Mapping[str, str]) -> None:
    """Keys of the charts, in turns, and those that open pages, of ours."""
    found: dict[str, list[float]] = {name: [] for name in programs}
    for half in range(2):
        for name, program in programs.items():
            found[name] += keys(folder / f"{name.strip()}keys{half}", rate, rounds, CHART_KEYS, program)
    bars = {50: 0.05, 95: 0.05}
    for name, delays in found.items():
        tell_delays(f"{name}key of a chart: {rate:,} events/s", delays, bars)
    tell_delays(f"key to a page: {rate:,} events/s", keys(folder / "pages", rate, rounds, PAGE_KEYS, OURS), bars)


def console(root: Path, *arguments: str, program: str = OURS) -> list[str]:
    """The command that opens the console on a folder."""
    return [program, *arguments, "--runs-dir", str(root)]


def tell(name: str, values: Sequence[float], bar: float, unit: str, empty: Sequence[float] = ()) -> None:
    """One line: smallest, median, how the smallest stands to the bar, and the empty app beside it."""
    best, middle = min(values), statistics.median(values)
    line = f"{name:40s} {best:8.3f} min {middle:8.3f} median {unit:8s} bar {bar:<6g} ratio {best / bar:5.2f}"
    if empty:
        line += (
            f"   empty app {min(empty):.3f} min {statistics.median(empty):.3f} median, {best / min(empty):.2f} of it"
        )
    print(f"{line}   n={len(values)}", flush=True)


def tell_delays(name: str, delays: Sequence[float], bars: dict[int, float]) -> None:
    """One line: percentiles of delays beside their bars."""
    ordered = sorted(delays)
    parts = []
    for percent, bar in bars.items():
        value = ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]
        parts.append(
            f"{'max' if percent == 100 else f'p{percent}'} {value:.3f} s (bar {bar:g}, ratio {value / bar:.2f})"
        )
    print(f"{name:40s} {', '.join(parts)}   n={len(ordered)}", flush=True)


def starts(folder: Path, rounds: int, programs: Mapping[str, str]) -> None:
    """The two starts, in turns with the empty app."""
    many, long = folder / "many", folder / "long"
    for index in range(200):
        write_one(Store(many), list(VARIANTS)[index % 4], index // 4, 200)
    write_one(Store(long), "baseline", 0, 100_000)
    commands = {"empty": ([sys.executable, "-c", EMPTY_APP], rb"this-is-all")}
    for name, program in programs.items():
        commands[f"{name}many"] = console(many, program=program), _CURVE
        commands[f"{name}long"] = console(long, "attach", "last", program=program), rb"last steps.*" + _CURVE
    found: dict[str, list[Start]] = {name: [] for name in commands}
    for _ in range(rounds + 1):
        for name, (command, pattern) in commands.items():
            found[name].append(start(command, pattern))
    cpu = {name: [one.cpu_seconds for one in values[1:]] for name, values in found.items()}
    memory = {name: [one.megabytes for one in values[1:]] for name, values in found.items()}
    for name in programs:
        tell(f"{name}start: 200 runs, first chart", cpu[f"{name}many"], 0.35, "s CPU", cpu["empty"])
        tell(f"{name}start: memory", memory[f"{name}many"], 70, "MB", memory["empty"])
        tell(f"{name}long run: 100,000 steps drawn", cpu[f"{name}long"], 0.9, "s CPU", cpu["empty"])
        tell(f"{name}long run: memory", memory[f"{name}long"], 90, "MB", memory["empty"])


def idles(folder: Path, seconds: float, programs: Mapping[str, str]) -> None:
    """Two screens left alone, after the empty app."""
    empty = idle([sys.executable, "-c", EMPTY_APP], seconds)
    for name, program in programs.items():
        for place, folder_name, arguments in (("Runs", "many", ()), ("Run", "long", ("attach", "last"))):
            percent, sent = idle(console(folder / folder_name, *arguments, program=program), seconds)
            tell(f"{name}idle: {place} screen", [percent], 0.3, "% core", [empty[0]])
            print(f"{'':40s} {sent:.0f} bytes/s (bar 0; empty app {empty[1]:.0f})")


def follows(folder: Path, rate: float, seconds: float, rounds: int, programs: Mapping[str, str]) -> None:
    """A live run at one rate, in turns."""
    found: dict[str, list[tuple[float, float, list[float]]]] = {name: [] for name in programs}
    for round_ in range(rounds):
        for name, program in programs.items():
            found[name].append(follow(folder / f"{name.strip()}live{rate}-{round_}", rate, seconds, program))
    for name, rows in found.items():
        percents, sent, delays = zip(*rows, strict=True)
        tell(f"{name}follow: {rate} points/s", percents, 4, "% core")
        tell(f"{name}follow: bytes to the terminal", sent, 15_000, "B/s")
        print(f"{'':40s} {min(sent) / (rate * SCREEN_BYTES):.3f} of a whole screen for every point")
        tell_delays(f"{name}latency: {rate} points/s", list(itertools.chain(*delays)), {50: 0.15, 100: 0.35})


def main() -> None:
    """Measure all and print it beside the bars."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--idle", type=float, default=15)
    parser.add_argument("--follow", type=float, default=15)
    parser.add_argument("--beside", metavar="PROGRAM")
    parser.add_argument("--write", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--rate", type=float, default=10, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.write is not None:
        write_live(arguments.write, arguments.rate)
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores at the start")
    programs = {"": OURS} | ({"beside ": arguments.beside} if arguments.beside else {})
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        starts(folder, arguments.rounds, programs)
        idles(folder, arguments.idle, programs)
        for rate in (1, 10):
            follows(folder, rate, arguments.follow, max(1, arguments.rounds // 2), programs)
        all_keys(folder, 10_000, arguments.rounds, programs)
    print(f"load {os.getloadavg()[0]:.1f} at the end")


if __name__ == "__main__":
    main()
