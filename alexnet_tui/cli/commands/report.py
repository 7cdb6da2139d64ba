"""``report``: our table beside the published one, the verdicts and the curves."""

import io
import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from alexnet_tui.cli import options
from alexnet_tui.cli.output import format_by_ending, say, say_foreign, say_unreadable, terminal, write_text
from alexnet_tui.command_lines import shell_command
from alexnet_tui.config.first_run import FIRST_RUN_WORDS
from alexnet_tui.errors import ExitCode, UsageError
from alexnet_tui.runs.store import Store
from alexnet_tui.text import printable

if TYPE_CHECKING:
    from alexnet_tui.report.content import Report


class ReportFormat(StrEnum):
    """What `report` writes."""

    TERMINAL = "terminal"
    MARKDOWN = "markdown"
    HTML = "html"
    LATEX = "latex"
    JSON = "json"


_FILE_WIDTH = 100


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command("report", short_help="Table, verdicts and curves, in five formats.")(report)


def report(
    names: options.RunNames = None,
    form: Annotated[
        ReportFormat | None,
        options.option("--format", help="What to write (default: by the file's ending, else terminal)."),
    ] = None,
    output: options.Output = None,
    explain: Annotated[
        bool,
        options.option("--explain", help="Print the runs, values and test behind each number."),
    ] = False,
    runs_dir: options.RunsDir = None,
) -> int:
    """Our table beside the published one, and whether the report's three claims hold.

    Example: alexnet-tui report reference --format html --output report.html
    """
    from alexnet_tui.analysis.selection import select_runs
    from alexnet_tui.report.build import build_selection

    if form is None and output is not None:
        form = format_by_ending(output, _report_endings())
    chosen = form or ReportFormat.TERMINAL
    if explain and chosen is not ReportFormat.TERMINAL:
        raise UsageError(
            f"--explain writes plain text and not {chosen}; leave out --format, or name a file that ends in .txt."
        )
    store = options.open_store(runs_dir)
    found = select_runs(store, names or ())
    say_unreadable(found.problems, shell_command("runs", "--all", root=store.root))
    say_foreign(found.foreign)
    if names:
        found.need_runs()
    if not found.histories and (explain or chosen is ReportFormat.TERMINAL):
        say(
            f"no runs in {store.root} to report on; `{found.train}` trains and judges them all,"
            f" `{shell_command(*FIRST_RUN_WORDS, root=store.root)}` trains a first one in about half a minute."
        )
        return ExitCode.DONE
    _write(build_selection(found), store, chosen, output, explain=explain)
    return ExitCode.DONE


def _write(built: "Report", store: Store, chosen: ReportFormat, output: Path | None, *, explain: bool) -> None:
    """Write the report in a format, or the runs, values and tests behind its numbers."""
    if explain:
        from alexnet_tui.report.trace import explain as lines

        write_text("".join(f"{printable(line)}\n" for line in lines(built)), output)
    elif chosen is not ReportFormat.TERMINAL:
        from alexnet_tui.report.formats import Format, render

        write_text(render(built, Format(chosen), store.path), output)
    elif output is None and sys.stdout.isatty():
        from alexnet_tui.cli.report_view import print_report

        print_report(terminal(), built)
    else:
        write_text(_plain_text(built, None if output else sys.stdout), output)


def _report_endings() -> dict[str, ReportFormat]:
    from alexnet_tui.report.formats import ENDINGS

    return {".txt": ReportFormat.TERMINAL, **{ending: ReportFormat(form) for ending, form in ENDINGS.items()}}


def _plain_text(built: "Report", stream: TextIO | None) -> str:
    """What a terminal would show, without colour and without blanks at the ends of lines.

    Args:
        built: The report.
        stream: What it is written to, which may lack some signs; None for a file, which lacks none.
    """
    from rich.console import Console

    from alexnet_tui.cli.report_view import print_report

    columns = os.environ.get("COLUMNS", "")
    width = int(columns[:4]) if columns.isdecimal() else 0  # Zero where a terminal does not know its width.
    encoding, errors = (stream.encoding, stream.errors) if stream else ("utf-8", "strict")
    buffer = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors=errors)
    print_report(Console(file=buffer, width=width or _FILE_WIDTH, markup=False, highlight=False, emoji=False), built)
    buffer.seek(0)
    return "".join(f"{line.rstrip()}\n" for line in buffer.read().splitlines())
