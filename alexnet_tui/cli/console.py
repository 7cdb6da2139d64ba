"""What the command line does without its parser: open the console, and speak to the person."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from alexnet_tui.errors import UsageError
from alexnet_tui.paths import PROGRAM as PROGRAM
from alexnet_tui.runs.store import Store
from alexnet_tui.text import format_count, printable

if TYPE_CHECKING:
    from alexnet_tui.datasets.cache import Progress, ProgressCallback


def open_console(store: Store, run_id: str | None = None) -> int:
    """Open the console on a runs folder, or on one of its runs; its exit code.

    Raises:
        UsageError: There is no terminal.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("the console needs a terminal; `alexnet-tui --help` lists what works without one.")
    # Loading makes much and throws away nothing: the collector waits until the console stands, which starts it again.
    gc.disable()
    gc.set_threshold(20_000, 20, 20)
    from alexnet_tui.tui.app import run_console

    return run_console(store, run_id)


def say(message: str) -> None:
    """A line for the person, not for a program: to stderr, safe to print."""
    sys.stderr.write(printable(message, keep_newlines=True) + "\n")
    sys.stderr.flush()


@contextmanager
def progress_bar(title: str) -> Iterator["ProgressCallback"]:
    """A progress bar on stderr while the block runs; one line per act where stderr is no terminal."""
    from rich import progress as bars
    from rich.console import Console

    console = Console(stderr=True, markup=False, highlight=False, emoji=False)
    columns = (
        bars.TextColumn("{task.description}", markup=False),
        bars.BarColumn(),
        bars.MofNCompleteColumn(),
        bars.TimeRemainingColumn(),
    )
    said: set[str] = set()
    with bars.Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(title, total=None)

        def report(step: "Progress") -> None:
            what = printable(f"{title}: {step.what}", 100)
            bar.update(task, description=what, completed=step.done, total=step.total or None)
            if not console.is_terminal and what not in said:
                said.add(what)
                say(what + (f" {format_count(step.total)} images" if step.total else "") + " …")

        yield report
