"""``export``: runs as CSV, JSON, TensorBoard event files, a LaTeX table, or an archive for another runs folder."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from alexnet_tui.cli import options
from alexnet_tui.cli.output import format_by_ending, say, say_unreadable, write_text
from alexnet_tui.command_lines import shell_command
from alexnet_tui.errors import ExitCode, UsageError
from alexnet_tui.paths import given
from alexnet_tui.runs.store import Store
from alexnet_tui.text import counted, printable


class ExportFormat(StrEnum):
    """What `export` writes."""

    CSV = "csv"
    JSON = "json"
    TENSORBOARD = "tensorboard"
    LATEX = "latex"


_EXPORT_ENDINGS = {
    "": ExportFormat.CSV,
    ".csv": ExportFormat.CSV,
    ".json": ExportFormat.JSON,
    ".tex": ExportFormat.LATEX,
}


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command("export", short_help="Write CSV, JSON, TensorBoard, LaTeX, or an archive.")(export)


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
    runs: options.RunNames = None,
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
    if archive and form is not None:
        raise UsageError("--archive is a format of its own; leave out --format.")
    if archive:
        return _export_archive(options.open_store(runs_dir), runs or [], output, with_checkpoints=checkpoints)
    from alexnet_tui.analysis.compare import compare
    from alexnet_tui.analysis.selection import select_runs
    from alexnet_tui.exchange.csv_json import to_csv, to_json
    from alexnet_tui.exchange.tensorboard import write_tensorboard
    from alexnet_tui.report.latex import comparison_to_latex
    from alexnet_tui.studies.planned_runs import groups_of

    form = form or (ExportFormat.CSV if output is None else format_by_ending(output, _EXPORT_ENDINGS))
    if form is ExportFormat.TENSORBOARD and output is None:
        raise UsageError("TensorBoard reads folders; name one with --output FOLDER.")
    store = options.open_store(runs_dir)
    needs_steps = form in (ExportFormat.JSON, ExportFormat.TENSORBOARD)
    found = select_runs(store, runs or (), skip_steps=not needs_steps, has_foreign=True, needs_finished=False)
    say_unreadable(found.problems, shell_command("runs", "--all", root=store.root))
    if runs:
        found.need_runs()
    elif not found.histories:
        say(f"no runs in {store.root} to export.")
    histories = found.histories
    labels = store.labels([history.id for history in histories])
    if form is ExportFormat.TENSORBOARD and output is not None:
        paths = write_tensorboard(histories, output)
        say(f"wrote {counted(len(paths), 'event file')} under {output}; `tensorboard --logdir {output}` shows them.")
    elif form is ExportFormat.LATEX:
        planned = groups_of(store, [history.record for history in histories])
        write_text(comparison_to_latex(compare(histories, found.states, labels=labels, planned=planned)), output)
    elif form is ExportFormat.JSON:
        write_text(to_json(histories, labels), output)
    else:
        write_text(to_csv(histories, labels), output)
    return ExitCode.DONE


def _export_archive(store: Store, names: list[str], output: Path | None, *, with_checkpoints: bool) -> int:
    from alexnet_tui.exchange.archive_export import write_archive

    if output is None:
        raise UsageError("an archive is a file; name one with --output FILE.tar.gz.")
    if output.suffix and not output.name.endswith((".tar.gz", ".tgz")):
        raise UsageError(f"an archive ends in .tar.gz or .tgz, not as {printable(str(output), 200)} does.")
    if not names:
        say_unreadable(store.list().problems, shell_command("runs", "--all", root=store.root))
    result = write_archive(store, names, output, with_checkpoints=with_checkpoints)
    for reason in result.left_out:
        say(f"left out: {reason}")
    is_fallback = bool(result.runs) and all(map(store.is_reference, result.runs))
    title = printable(", ".join(names), 200) or ("the reference runs" if is_fallback else "")
    what = f"{title}: " if title else ""
    unpacks = shell_command("import", str(output))
    less = f" ({len(result.left_out):,} left out)" if result.left_out else ""
    say(f"packed {what}{counted(len(result.runs), 'run')}{less} into {output}; `{unpacks}` unpacks it.")
    return ExitCode.DONE
