"""The real program in a pseudo-terminal: press keys, look at an emulated screen, wait for conditions."""

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import psutil
import pyte

ROOT = Path(__file__).parents[2]
KEYS = {
    "enter": "\r",
    "escape": "\x1b",
    "tab": "\t",
    "space": " ",
    "up": "\x1b[A",
    "down": "\x1b[B",
    "right": "\x1b[C",
    "left": "\x1b[D",
    "f3": "\x1bOR",
    "ctrl+r": "\x12",
}
# Alternate screen, mouse in all its ways, focus reports, bracketed paste: what a program must give back.
_BORROWED_MODES = {"1049", "1000", "1002", "1003", "1004", "1006", "1015", "1016", "2004", "2048"}
_PATIENCE_SECONDS = 60.0
_REST_SECONDS, _LOOK_SECONDS, _NUM_LOOKS = 10.0, 0.01, 4
# The program sleeps a tenth of a second before it takes an escape for a key and not for the begin of a longer one.
_NUM_LOOKS_AFTER_ESCAPE = 20


class Terminal:
    """A program and the terminal it draws on.

    Args:
        arguments: Of the program.
        environment: Variables beside the few that are always set.
        program: What to run; by default ``python -m alexnet_tui``.
        size: Columns and rows.
        folder: Home, settings and working directory of the program.

    Attributes:
        raw: Every byte the program wrote.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        folder: Path,
        environment: Mapping[str, str] | None = None,
        program: Sequence[str] = (sys.executable, "-m", "alexnet_tui"),
        size: tuple[int, int] = (80, 24),
    ) -> None:
        self.raw = bytearray()
        self.screen = pyte.Screen(*size)
        self._stream = pyte.ByteStream(self.screen)
        everything = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "XDG_STATE_HOME": str(folder / "state"),
            "PYTHONPATH": str(ROOT),
            "TERM": "xterm-256color",
            "COLORTERM": "truecolor",
            "LANG": "C.UTF-8",
            **(environment or {}),
        }
        self.pid, self.descriptor = pty.fork()
        if self.pid == 0:
            try:
                fcntl.ioctl(0, termios.TIOCSWINSZ, _window(*size))
                os.chdir(folder)
                os.execve(program[0], [*program, *arguments], everything)
            finally:
                os._exit(127)

    def text(self) -> str:
        """What stands on the screen."""
        return "\n".join(line.rstrip() for line in self.screen.display)

    def read(self, seconds: float) -> bool:
        """Take what the program writes next; False once it has closed the terminal."""
        if not select.select([self.descriptor], [], [], seconds)[0]:
            return True
        try:
            data = os.read(self.descriptor, 1 << 16)
        except OSError:
            return False
        self.raw += data
        if b"\x1b[?2026$p" in data:  # Real terminals answer what they are asked.
            os.write(self.descriptor, b"\x1b[?2026;2$y")
        self._stream.feed(data)
        return bool(data)

    def wait_for(self, *texts: str, seconds: float = _PATIENCE_SECONDS) -> None:
        """Wait until all texts stand on the screen at once."""
        self.wait_until(lambda: all(text in self.text() for text in texts), seconds=seconds)

    def wait_until(self, condition: Callable[[], object], seconds: float = _PATIENCE_SECONDS) -> None:
        """Wait until something holds while the program goes on drawing."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert self.read(0.05), f"the program has gone:\n{self.text()}"
            assert time.monotonic() < deadline, f"waited in vain:\n{self.text()}"

    def rest(self, num_looks: int = _NUM_LOOKS) -> None:
        """Read until the program sleeps and nothing more comes."""
        num_quiet, deadline = 0, time.monotonic() + _REST_SECONDS
        while num_quiet < num_looks and time.monotonic() < deadline:
            seen = len(self.raw)
            if not self.read(_LOOK_SECONDS):
                return
            num_quiet = num_quiet + 1 if len(self.raw) == seen and self._sleeps() else 0

    def _sleeps(self) -> bool:
        """Whether all threads of the program wait for something; one that waits for a core does not sleep."""
        with contextlib.suppress(psutil.Error):
            processes = [psutil.Process(self.pid)]
            if sys.platform == "linux":  # Elsewhere a thread's number is no process'.
                processes += [psutil.Process(thread.id) for thread in processes[0].threads()]
            return all(one.status() == psutil.STATUS_SLEEPING for one in processes)
        return False

    def press(self, *keys: str) -> None:
        """Press keys by name, or type a text; each is answered before the next is pressed."""
        for key in keys:
            os.write(self.descriptor, KEYS.get(key, key).encode())
            self.rest(_NUM_LOOKS_AFTER_ESCAPE if key == "escape" else _NUM_LOOKS)

    def press_until(self, key: str, text: str, most: int = 60) -> None:
        """Press a key again and again, until a text is on the screen."""
        for _ in range(most):
            if text in self.text():
                return
            self.press(key)
        raise AssertionError(f"{key} never led to {text!r}:\n{self.text()}")

    def resize(self, columns: int, rows: int) -> None:
        """Make the terminal another size."""
        self.screen.resize(rows, columns)
        fcntl.ioctl(self.descriptor, termios.TIOCSWINSZ, _window(columns, rows))

    def signal(self, number: signal.Signals) -> None:
        """Send the program a signal."""
        os.kill(self.pid, number)

    def hang_up(self) -> None:
        """Close the terminal under the program."""
        os.close(self.descriptor)
        self.descriptor = -1

    def finish(self, seconds: float = _PATIENCE_SECONDS) -> int:
        """Read to the end; the exit code, negative for a signal."""
        deadline = time.monotonic() + seconds
        while not (gone := os.waitpid(self.pid, os.WNOHANG))[0]:
            assert time.monotonic() < deadline, f"it does not end:\n{self.text()}"
            if self.descriptor < 0 or not self.read(0.05):
                time.sleep(0.02)
        self.pid = 0
        if self.descriptor >= 0:
            while select.select([self.descriptor], [], [], 0)[0] and self.read(0):
                pass
        return os.waitstatus_to_exitcode(gone[1])

    def close(self) -> None:
        """End the program, whatever it does, and let go of the terminal."""
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        if self.descriptor >= 0:
            os.close(self.descriptor)

    def borrowed(self) -> set[str]:
        """What the program has taken from the terminal and not given back."""
        modes: dict[str, str] = {}
        for numbers, letter in re.findall(r"\x1b\[\?([\d;]+)([hl])", self.raw.decode(errors="replace")):
            modes |= dict.fromkeys(numbers.split(";"), letter)
        kept = {f"mode {mode}" for mode in _BORROWED_MODES if modes.get(mode) == "h"}
        if modes.get("25") == "l":
            kept.add("cursor")
        if self.raw.count(b"\x1b[>1u") > self.raw.count(b"\x1b[<u"):
            kept.add("keyboard protocol")
        return kept

    def last_words(self) -> str:
        """What stands on the terminal after the alternate screen is left."""
        after = self.raw[self.raw.rfind(b"\x1b[?1049l") :].decode(errors="replace")
        return " ".join(re.sub(r"\x1b\[[?>=<]?[\d;]*[a-zA-Z]", "", after).split())


def _window(columns: int, rows: int) -> bytes:
    return struct.pack("HHHH", rows, columns, 0, 0)
