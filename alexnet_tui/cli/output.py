"""Output of the command line: answers to stdout, sentences and progress to stderr, ASCII where a terminal has no more.

No module here loads the parser, and rich only where a table is printed.
"""

import codecs
import io
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from enum import StrEnum
from pathlib import Path
from typing import IO, TYPE_CHECKING, TypeVar

from alexnet_tui.errors import StoreError, UsageError
from alexnet_tui.json_io import json_text
from alexnet_tui.text import ASCII_FALLBACK, SPELLED_OUT, format_count, is_ascii_terminal, printable

if TYPE_CHECKING:
    from rich.console import Console

    from alexnet_tui.datasets.cache import Progress, ProgressCallback

Form = TypeVar("Form", bound=StrEnum)
Json = None | bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"]
_WIDTH_OF_FILES = 250
_STDERR = 2
_NOT_PRINTABLE_ASCII = re.compile(r"[^ -~]")
_FALLBACK = "alexnet-tui-ascii"
_SYMBOLS = {**ASCII_FALLBACK, **SPELLED_OUT}


def prepare_streams() -> None:
    """Let stdout and stderr write what their encoding lacks as ASCII: a like symbol, or a visible escape."""
    codecs.register_error(_FALLBACK, _in_fallback)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            if stream.isatty() and is_ascii_terminal():
                stream.reconfigure(encoding="ascii", errors=_FALLBACK)
            else:
                stream.reconfigure(errors=_FALLBACK)


def _in_fallback(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    symbols = error.object[error.start : error.end]
    return "".join(
        _SYMBOLS.get(symbol) or symbol.encode("ascii", "backslashreplace").decode() for symbol in symbols
    ), error.end


def as_written(text: str, stream: IO[str]) -> str:
    """A text as a stream writes it, which may be longer: a text is measured after that."""
    encoding, errors = (getattr(stream, name, None) for name in ("encoding", "errors"))
    return text.encode(encoding, errors or "strict").decode(encoding) if encoding else text


def say(message: str) -> None:
    """A line for the person, not for a program: to stderr, safe to print, also from a signal handler."""
    line = printable(message, keep_newlines=True) + "\n"
    with suppress(AttributeError, OSError, ValueError):  # There may be no stderr, or nobody who reads it.
        try:
            sys.stderr.write(line)
            sys.stderr.flush()
        except RuntimeError:  # A signal came while this stream was being written.
            os.write(_STDERR, line.encode("ascii", "backslashreplace"))


def say_unreadable(problems: Sequence[str], everywhere: str) -> None:
    """One line about all runs that could not be read; `everywhere` is the command that names them all."""
    if len(problems) == 1:
        say(f"not read: {problems[0]}")
    elif problems:
        say(f"not read: {len(problems):,} runs, the first {problems[0].rstrip('.')}; `{everywhere}` names them all.")


def say_foreign(run_ids: Sequence[str]) -> None:
    """One line about runs that other programs trained and that are left out where runs are judged."""
    if run_ids:
        shown = ", ".join(run_ids[:3]) + (", ..." if len(run_ids) > 3 else "")
        say(f"not counted: {shown}: other programs trained them; `compare` and `show` have them.")


def silence_stdout() -> None:
    """Nothing more goes to stdout, which cannot be written; Python would complain of it once more as it leaves."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def write_json(value: Json) -> None:
    """JSON to stdout, in ASCII, so that a terminal finds nothing to obey in it."""
    sys.stdout.write(json_text(value))


def in_ascii(text: str) -> str:
    """A line of JSON with every character that is not printable ASCII as an escape."""
    return _NOT_PRINTABLE_ASCII.sub(lambda found: json_text(found[0])[1:-2], text)


def terminal() -> "Console":
    """A rich console on stdout that obeys no markup; in a file or a pipe it cuts nothing to a screen's width."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else _WIDTH_OF_FILES
    return Console(markup=False, highlight=False, emoji=False, width=width)


@contextmanager
def printing() -> Iterator["Console"]:
    """A console for a command's answer; a file or a pipe gets its lines without blanks at their ends."""
    console = terminal()
    if sys.stdout.isatty():
        yield console
        return
    with console.capture() as captured:
        yield console
    sys.stdout.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))


def can_draw() -> bool:
    """Whether stdout takes block characters."""
    return "utf" in (sys.stdout.encoding or "").lower()


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
    posted: set[str] = set()
    with bars.Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(title, total=None)

        def report(step: "Progress") -> None:
            what = printable(f"{title}: {step.what}", 100)
            bar.update(task, description=what, completed=step.done, total=step.total or None)
            if not console.is_terminal and what not in posted:
                posted.add(what)
                say(what + (f" {format_count(step.total)} images" if step.total else "") + " ...")

        yield report


def write_text(text: str, output: Path | None) -> None:
    """Write to a file and say so, or to stdout."""
    if output is None:
        sys.stdout.write(text)
        return
    from alexnet_tui.output_file import write_output

    write_output(output, text.encode("utf-8", errors="replace"))
    say(f"wrote {output}")


def format_by_ending(output: Path, endings: Mapping[str, Form]) -> Form:
    """The format that a file's ending stands for."""
    if os.path.isdir(output):
        raise StoreError(output, "this is a folder; name a file.")
    try:
        return endings[output.suffix.lower()]
    except KeyError:
        raise UsageError(
            f"the ending of {printable(str(output), 200)} names no format; use one of"
            f" {', '.join(filter(None, endings))}, or --format."
        ) from None
