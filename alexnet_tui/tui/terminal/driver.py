"""The terminal the console draws on: whether it can, whether it is still there, and one that knows only ASCII."""

import codecs
import io
import os
import select
import sys
from typing import TYPE_CHECKING

from rich.cells import cell_len
from textual.drivers import linux_driver
from textual.drivers.linux_driver import LinuxDriver

from alexnet_tui.errors import UsageError
from alexnet_tui.text import ASCII_FALLBACK
from alexnet_tui.tui.terminal.input import InputParser

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_ERROR_HANDLER = "ascii-fallback"
_HEADLESS_HINT = "Use the headless commands instead: alexnet-tui run --headless, or alexnet-tui runs."


def check_terminal() -> None:
    """Refuse terminals the console cannot draw on.

    Raises:
        UsageError: Input or output is no terminal, or one without cursor movement.
    """
    if os.environ.get("TERM", "") == "dumb":
        raise UsageError(f"This terminal (TERM=dumb) cannot show the console. {_HEADLESS_HINT}")
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(f"The console needs a terminal. {_HEADLESS_HINT}")


class ConsoleDriver(LinuxDriver):
    """Textual's driver; it draws all of the screen again after a stop, and leaves an empty one behind.

    A shell writes on the screen of a console that was stopped from elsewhere. A tmux that was resized keeps lines of
    a screen that is not empty, and shows them above the shell's.
    """

    _has_terminal = False

    def run_input_thread(self) -> None:
        """Read what the terminal sends."""
        vars(linux_driver)["XTermParser"] = InputParser  # Textual has no other way to choose it.
        super().run_input_thread()

    def start_application_mode(self) -> None:
        """Take the terminal."""
        super().start_application_mode()  # type: ignore[no-untyped-call]
        self._has_terminal = True

    def _sigcont_application(self, *_: object) -> None:
        """Take the terminal again: it was given up before a stop, or, where the stop came unannounced, was not."""
        if self._has_terminal:
            self._app.call_later(self._take_again)
        else:
            super()._sigcont_application()

    async def _take_again(self) -> None:
        """Set the terminal up again and draw all of it; a second thread that reads keys would never end."""
        before = self.attrs_before
        self.disable_input()
        self.write("\x1b[<u")
        self.close()
        self.start_application_mode()
        self.attrs_before = before
        await self._app.run_action("redraw")

    def stop_application_mode(self) -> None:
        """Clear the screen and return to the shell's."""
        self._has_terminal = False
        self.write("\x1b[2J\x1b[H")
        super().stop_application_mode()


class _LastingOutput(io.FileIO):
    """A terminal's output that may be closed at the other end: what is written then goes nowhere, without an error."""

    def write(self, content: "ReadableBuffer", /) -> int:
        """Write what fits; how much that was."""
        try:
            return super().write(content)
        except OSError:
            return memoryview(content).nbytes


def outlive_terminal() -> None:
    """Let the stream that Textual draws on take everything after the terminal has been closed, too.

    SIGHUP is followed by SIGCONT, after which Textual starts a new thread that writes. A write error would end that
    thread, and the console's exit would block on the thread's full queue.
    """
    stream = sys.__stderr__
    if isinstance(stream, io.TextIOWrapper):
        output = io.BufferedWriter(_LastingOutput(stream.fileno(), "wb", closefd=False))
        sys.__stderr__ = io.TextIOWrapper(output, encoding=stream.encoding, errors=stream.errors)  # type: ignore[misc]


def draw_in_ascii() -> None:
    """Let the stream that Textual draws on write every symbol as one of ASCII, as wide as it was."""
    if isinstance(sys.__stderr__, io.TextIOWrapper):
        codecs.register_error(_ERROR_HANDLER, _replace)
        sys.__stderr__.reconfigure(encoding="ascii", errors=_ERROR_HANDLER)


def has_hung_up() -> bool:
    """Whether the terminal is closed; no signal reports that where it is not our controlling terminal."""
    if sys.__stdin__ is None:
        return True
    poll = select.poll()
    poll.register(
        sys.__stdin__.fileno(), 0
    )  # A hang-up is always reported; some systems report other events of terminals.
    return any(events & select.POLLHUP for _, events in poll.poll(0))


def to_ascii(text: str) -> str:
    """The text as a terminal without Unicode shows it, every symbol as wide as it was."""
    return "".join(
        symbol if symbol.isascii() else ASCII_FALLBACK.get(symbol) or "?" * cell_len(symbol) for symbol in text
    )


def _replace(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    return to_ascii(error.object[error.start : error.end]), error.end
