"""What the command line does without its parser: open the console, and speak to the person."""

import sys

from alexnet_tui.errors import UsageError
from alexnet_tui.store import Store
from alexnet_tui.text import printable

PROGRAM = "alexnet-tui"


def open_console(store: Store) -> int:
    """Open the console on a runs folder; its exit code.

    Raises:
        UsageError: There is no terminal.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("the console needs a terminal; `alexnet-tui --help` lists what works without one.")
    from alexnet_tui.tui.app import run_console

    return run_console(store)


def say(message: str) -> None:
    """A line for the person, not for a program: to stderr, safe to print."""
    sys.stderr.write(printable(message, keep_newlines=True) + "\n")
    sys.stderr.flush()
