"""``report``, ``compare`` and ``export``: what the runs say, for people and for other programs."""

import io
import os
import sys
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from alexnet_tui.cli import options
from alexnet_tui.cli.output import printing, say, say_foreign, say_unreadable, terminal
from alexnet_tui.config.first_run import FIRST_RUN_WORDS
from alexnet_tui.config.variants import VARIANTS
from alexnet_tui.errors import ExitCode, StoreError, UsageError
from alexnet_tui.files import write_output
from alexnet_tui.paths import given, shell_command
from alexnet_tui.runs.store import Store
from alexnet_tui.text import counted, json_text, printable

if TYPE_CHECKING:
    from alexnet_tui.report.build import Report


class ReportFormat(StrEnum):
    """What `report` writes."""

    TERMINAL = "terminal"
    MARKDOWN = "markdown"
    HTML = "html"
    LATEX = "latex"
    JSON = "json"


class ExportFormat(StrEnum):
    """What `export` writes."""

    CSV = "csv"
    JSON = "json"
    TENSORBOARD = "tensorboard"
    LATEX = "latex"


_Form = TypeVar("_Form", bound=StrEnum)
_FILE_WIDTH = 100
_EXPORT_ENDINGS = {
    "": ExportFormat.CSV,
    ".csv": ExportFormat.CSV,
    ".json": ExportFormat.JSON,
    ".tex": ExportFormat.LATEX,
}


def complete_name(context: typer.Context, incomplete: str) -> list[str]:
    """Names of studies, variants and runs that begin with what was typed."""
    words = [name for name in (*VARIANTS, "reference") if name.startswith(incomplete)]
    return options.complete_study(context, incomplete) + words + options.complete_run(context, incomplete)


Names = Annotated[
    list[str] | None,
    options.argument(
        metavar="[STUDY_OR_RUN]...",
        help="Studies, variants, run ids, or `reference` (default: all own runs, else the reference runs).",
        autocompletion=complete_name,
    ),
]
Output = Annotated[
    Path | None,
    options.option("--output", "-o", metavar="FILE", parser=given, help="Write to this file, not to stdout."),
]


def register(app: typer.Typer) -> None:
    """Mount the commands."""
    app.command("report", short_help="Table, verdicts and curves, in five formats.")(report)
    app.command("compare", short_help="Put runs, or groups of seeds, side by side.")(compare)
    app.command("export", short_help="Write CSV, JSON, TensorBoard, LaTeX, or an archive.")(export)


def report(
    names: Names = None,
    form: Annotated[
        ReportFormat | None,
        options.option("--format", help="What to write (default: by the file's ending, else terminal)."),
    ] = None,
    output: Output = None,
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

    chosen = form or (ReportFormat.TERMINAL if output is None or explain else _by_ending(output, _report_endings()))
    store = options.open_store(runs_dir)
    found = select_runs(store, names or ())
    say_unreadable(found.problems, shell_command("runs", "--all", root=store.root))
    say_foreign(found.foreign)
    if not found.histories and names:
        raise UsageError(f"{printable(found.title)} has no run yet; `{found.train}` trains what is planned.")
    if not found.histories and (explain or chosen is ReportFormat.TERMINAL):
        say(
            f"no runs in {store.root} to report on; `{found.train}` trains and judges them all,"
            f" `{shell_command(*FIRST_RUN_WORDS, root=store.root)}` trains a first one in about a minute."
        )
        return ExitCode.DONE
    built = build_selection(found)
    if explain:
        from alexnet_tui.report.wording import explain as lines

        _write_output("".join(f"{printable(line)}\n" for line in lines(built)), output)
    elif chosen is ReportFormat.TERMINAL and output is None and sys.stdout.isatty():
        from alexnet_tui.cli.report_view import print_report

        print_report(terminal(), built)
    elif chosen is ReportFormat.TERMINAL:
        columns = os.environ.get("COLUMNS", "")
        width = int(columns[:4]) if columns.isdecimal() else 0  # Zero where a terminal does not know its width.
        _write_output(_plain_text(built, width or _FILE_WIDTH), output)
    else:
        from alexnet_tui.report.formats import Format, render

        _write_output(render(built, Format(chosen), store.path), output)
    return ExitCode.DONE


def _report_endings() -> dict[str, ReportFormat]:
    from alexnet_tui.report.formats import ENDINGS

    return {".txt": ReportFormat.TERMINAL, **{ending: ReportFormat(form) for ending, form in ENDINGS.items()}}


def _by_ending(output: Path, endings: Mapping[str, _Form]) -> _Form:
    """The format that a file's ending stands for."""
    if output.is_dir():
        raise StoreError(output, "this is a folder; name a file.")
    try:
        return endings[output.suffix.lower()]
    except KeyError:
        raise UsageError(
            f"the ending of {printable(str(output), 200)} names no format; use one of"
            f" {', '.join(filter(None, endings))}, or --format."
        ) from None


def _plain_text(built: "Report", width: int) -> str:
    """What a terminal would show, without colour and without blanks at the ends of lines."""
    from rich.console import Console

    from alexnet_tui.cli.report_view import print_report

    buffer = io.StringIO()
    print_report(Console(file=buffer, width=width, markup=False, highlight=False, emoji=False), built)
    return "".join(f"{line.rstrip()}\n" for line in buffer.getvalue().splitlines())


def _write_output(text: str, output: Path | None) -> None:
    if output is None:
        sys.stdout.write(text)
        return
    write_output(output, text.encode("utf-8", errors="replace"))
    say(f"wrote {output}")


def compare(
    runs: Annotated[
        list[str],
        options.argument(
            metavar="RUN...",
            help="Run ids, the letters they begin with, `last`, variants, studies, or `reference`.",
            autocompletion=complete_name,
        ),
    ],
    as_json: options.AsJson = False,
    group: Annotated[
        bool, typer.Option("--group/--no-group", help="Put runs that differ in their seed alone together.")
    ] = True,
    runs_dir: options.RunsDir = None,
) -> int:
    """Put runs side by side: mean ± standard deviation over seeds, and only the settings that differ.

    Differences are to the pinned run, else to the first.

    Example: alexnet-tui compare baseline tanh --json
    """
    from alexnet_tui.analysis import compare as comparison
    from alexnet_tui.analysis.selection import select_runs

    store = options.open_store(runs_dir)
    found = select_runs(store, runs, has_foreign=True)
    say_unreadable(found.problems, shell_command("runs", "--all", root=store.root))
    ids = [history.id for history in found.histories]
    if len(ids) < 2:
        raise UsageError(
            f"compare needs two or more runs, or a study that has them; this is {counted(len(ids), 'run')}."
        )
    compared = comparison.compare(
        found.histories,
        found.states,
        labels=_labels(store, ids),
        pinned=next((run_id for run_id in ids if store.notes(run_id).pinned), None),
        is_grouped=group,
    )
    if as_json:
        sys.stdout.write(json_text(compared))
    else:
        from alexnet_tui.cli.report_view import print_comparison

        with printing() as console:
            print_comparison(console, compared)
    return ExitCode.DONE


def _labels(store: Store, ids: list[str]) -> dict[str, str]:
    return {run_id: label for run_id in ids if (label := store.notes(run_id).label)}


Format = Annotated[
    ExportFormat | None,
    typer.Option(
        "--format",
        help="csv: one line an epoch; latex: a table, the best in bold (default: by the file's ending, else csv).",
        show_default=False,
    ),
]
ExportOutput = Annotated[
    Path | None,
    options.option(
        "--output",
        "-o",
        parser=given,
        metavar="PATH",
        help="File to write (default: stdout); needed for --archive, and for tensorboard, where it is a folder.",
    ),
]
IsArchive = Annotated[
    bool,
    options.option("--archive", help="Pack the records of runs, or of studies, for `import`: a .tar.gz."),
]
HasCheckpoints = Annotated[bool, options.option("--checkpoints", help="Pack weights too, with --archive.")]


def export(
    runs: Names = None,
    form: Format = None,
    output: ExportOutput = None,
    archive: IsArchive = False,
    checkpoints: HasCheckpoints = False,
    runs_dir: options.RunsDir = None,
) -> int:
    """Write runs for other programs (CSV, JSON, TensorBoard event files, a LaTeX table), or for another runs folder.

    Example: alexnet-tui export mine --archive --output mine.tar.gz
    """
    if checkpoints and not archive:
        raise UsageError("--checkpoints belongs to --archive; other formats hold no weights.")
    if archive:
        return _export_archive(options.open_store(runs_dir), runs or [], output, with_checkpoints=checkpoints)
    from alexnet_tui.analysis.compare import compare
    from alexnet_tui.analysis.selection import select_runs
    from alexnet_tui.exchange.csv_json import to_csv, to_json
    from alexnet_tui.exchange.tensorboard import write_tensorboard
    from alexnet_tui.report.latex import comparison_to_latex

    form = form or (ExportFormat.CSV if output is None else _by_ending(output, _EXPORT_ENDINGS))
    if form is ExportFormat.TENSORBOARD and output is None:
        raise UsageError("TensorBoard reads folders; name one with --output FOLDER.")
    store = options.open_store(runs_dir)
    needs_steps = form in (ExportFormat.JSON, ExportFormat.TENSORBOARD)
    found = select_runs(store, runs or (), skip_steps=not needs_steps, has_foreign=True)
    say_unreadable(found.problems, shell_command("runs", "--all", root=store.root))
    histories = found.histories
    if not histories:
        say(f"no runs in {store.root} to export.")
    labels = _labels(store, [history.id for history in histories])
    if form is ExportFormat.TENSORBOARD and output is not None:
        paths = write_tensorboard(histories, output)
        say(f"wrote {counted(len(paths), 'event file')} under {output}; `tensorboard --logdir {output}` shows them.")
    elif form is ExportFormat.LATEX:
        _write_output(comparison_to_latex(compare(histories, found.states, labels=labels)), output)
    elif form is ExportFormat.JSON:
        _write_output(to_json(histories, labels), output)
    else:
        _write_output(to_csv(histories, labels), output)
    return ExitCode.DONE


def _export_archive(store: Store, names: list[str], output: Path | None, *, with_checkpoints: bool) -> int:
    from alexnet_tui.exchange.archive import write_archive

    if output is None:
        raise UsageError("an archive is a file; name one with --output FILE.tar.gz.")
    if output.suffix and not output.name.endswith((".tar.gz", ".tgz")):
        raise UsageError(f"an archive ends in .tar.gz or .tgz, not as {printable(str(output), 200)} does.")
    packed = write_archive(store, names, output, with_checkpoints=with_checkpoints)
    what = f"{printable(', '.join(names), 200)}: " if names else ""
    unpacks = shell_command("import", str(output))
    say(f"packed {what}{counted(len(packed), 'run')} into {output}; `{unpacks}` unpacks it.")
    return ExitCode.DONE
