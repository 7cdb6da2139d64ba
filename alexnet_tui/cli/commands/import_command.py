"""``import``: runs and studies that `export --archive` packed, and histories that other programs wrote."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from alexnet_tui.cli import options
from alexnet_tui.cli.output import say
from alexnet_tui.command_lines import quote_words, shell_command
from alexnet_tui.errors import ExitCode, StoreError, UsageError
from alexnet_tui.paths import given
from alexnet_tui.runs.run_ids import RESERVED
from alexnet_tui.runs.store import Store
from alexnet_tui.text import counted, printable

if TYPE_CHECKING:
    from alexnet_tui.exchange.archive_import import ImportResult
    from alexnet_tui.exchange.foreign import ForeignHistory

_NAMED = 3
_TABLES = frozenset((".csv", ".tsv"))


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command("import", short_help="Unpack an archive of runs, or read histories of other programs.")(import_)


Archive = Annotated[
    Path | None,
    options.argument(metavar="[ARCHIVE]", parser=given, help="What `export --archive` wrote."),
]
LogFolder = Annotated[
    Path | None,
    options.option("--tensorboard", metavar="DIR", parser=given, help="A TensorBoard log folder."),
]
Table = Annotated[
    Path | None,
    options.option(
        "--csv", metavar="FILE", parser=given, help="A table with one line an epoch, as Keras' CSVLogger writes it."
    ),
]
Columns = Annotated[
    list[str] | None,
    options.option(
        "--column",
        metavar="OURS=THEIRS",
        help="What a name stands for, as in test_accuracy=val_acc; may be given several times.",
    ),
]
Label = Annotated[str, options.option("--label", metavar="TEXT", help="Your own name for a foreign history.")]


def import_(
    archive: Archive = None,
    tensorboard: LogFolder = None,
    csv: Table = None,
    column: Columns = None,
    label: Label = "",
    runs_dir: options.RunsDir = None,
) -> int:
    """Unpack runs and studies that `export --archive` packed, or put histories of other programs beside yours.

    Of an archive all is unpacked or nothing; a run or study whose name is taken gets a new one. Histories of other
    programs are shown and compared, marked as foreign; they are never judged and never resumed.

    Example: alexnet-tui import --csv training.log --column test_accuracy=val_accuracy
    """
    store = options.open_store(runs_dir)
    sources = [source for source in (archive, tensorboard, csv) if source is not None]
    if len(sources) != 1:
        raise UsageError("import takes one thing: an ARCHIVE, --tensorboard DIR, or --csv FILE.")
    if archive is not None:
        if column or label:
            raise UsageError("--column and --label are for histories of other programs; an archive needs neither.")
        is_folder = os.path.isdir(archive)
        if is_folder or (archive.suffix.lower() in _TABLES and os.path.isfile(archive)):
            what = "a folder" if is_folder else "a table"
            more = "`import --tensorboard DIR` reads a folder of logs, `import --csv FILE` a table"
            raise StoreError(archive, f"this is {what}, not an archive that `export --archive` packed; {more}.")
        from alexnet_tui.exchange.archive_import import import_archive

        _say_unpacked(store, archive, import_archive(store, archive))
        return ExitCode.DONE
    from alexnet_tui.exchange.csv_history import read_csv
    from alexnet_tui.exchange.foreign import parse_columns
    from alexnet_tui.exchange.log_history import read_logs

    wanted = parse_columns(column or [])
    if csv is not None:
        return _add(store, csv, "csv", read_csv(csv, wanted), label)
    assert tensorboard is not None
    histories, problems = read_logs(tensorboard, wanted)
    for problem in problems:
        say(printable(problem, 500))
    return _add(store, tensorboard, "tensorboard", histories, label)


def _add(store: Store, source: Path, format_name: str, histories: "Sequence[ForeignHistory]", label: str) -> int:
    """Make a run of each history, and say what was understood."""
    from alexnet_tui.exchange.foreign import create_foreign, known_foreign

    known = known_foreign(store)
    for number, history in enumerate(histories):
        own = label if len(histories) == 1 or not label else f"{label} {history.name}"
        record, is_present = create_foreign(
            store, history, known, format_name=format_name, source=source.name, label=own
        )
        if is_present:
            say(f"{history.name} is here already, as {record.id}; it is not doubled.")
            continue
        names = ", ".join(f"{column} from {name}" for column, name in history.columns.items())
        say(f"run {record.id}: {counted(len(history.rows), 'epoch')}, {names}; foreign, for looking and comparing.")
        if "test_accuracy" not in history.columns and (validation := history.columns.get("val_accuracy")):
            again = quote_words("--column", f"test_accuracy={validation}")
            delete = shell_command("delete", record.id, root=store.root)
            say(
                f"it has no test accuracy, which lists and curves show: `{delete}`, then import it again with {again}, "
                "takes the validation's for it."
            )
        if history.percentages and not number:
            say(f"taken as percentages: {', '.join(history.percentages)}.")
        if history.left_out and not number:
            more = f", and {len(history.left_out) - _NAMED} more" if len(history.left_out) > _NAMED else ""
            say(f"left out: {'; '.join(history.left_out[:_NAMED])}{more}.")
    return ExitCode.DONE


def _say_unpacked(store: Store, archive: Path, found: "ImportResult") -> None:
    from alexnet_tui.studies.planning import RESERVED as STUDY_WORDS

    kept, deleted = "alexnet-tui keeps that name for itself", "a study here had a run of that name, which was deleted"
    kinds = (
        ("run", found.runs, found.present_runs, dict.fromkeys(RESERVED, kept) | dict.fromkeys(found.gone, deleted)),
        ("study", found.studies, found.present_studies, dict.fromkeys(STUDY_WORDS, kept)),
    )
    for what, names, present, reasons in kinds:
        for name, new in names.items():
            if name in present:
                say(f"{what} {name} is here already{f', as {new}' if new != name else ''}; it is not doubled.")
            elif new != name:
                say(f"{what} {name} is called {new} here: {reasons.get(name, 'that name is taken')}.")
    elsewhere = f"{shell_command('import', str(archive))} --runs-dir FOLDER"
    if found.untaken:
        shown = ", ".join(list(found.untaken)[:_NAMED]) + (", ..." if len(found.untaken) > _NAMED else "")
        say(
            f"checkpoints not taken, of {counted(len(found.untaken), 'run')} here already ({shown}): a run that is here"
            f" does not change; `{elsewhere}` unpacks them into another folder."
        )
    for name in found.released:
        say(f"run {found.runs[name]} belongs to no study here: the study it was made for is here and does not change.")
    if found.released:
        say(f"`{elsewhere}` unpacks all of the study into another folder.")
    for reason, entries in found.left_out.items():
        more = ", ..." if len(entries) > _NAMED else ""
        noun = "entry" if len(entries) == 1 else "entries"
        say(f"left out: {len(entries):,} {noun} {reason} ({', '.join(entries[:_NAMED])}{more})")
    num_runs, num_studies = (len(names.keys() - present) for _, names, present, _ in kinds)
    studies = f" and {num_studies:,} {'study' if num_studies == 1 else 'studies'}" if num_studies else ""
    is_all_studies = num_studies and not num_runs
    lists = (
        shell_command("study", "list", root=store.root) if is_all_studies else shell_command("runs", root=store.root)
    )
    if not (num_runs or num_studies):
        say(f"nothing new in {archive}; `{lists}` lists what is here.")
        return
    say(f"imported {counted(num_runs, 'run')}{studies} from {archive} into {store.root}; `{lists}` lists them.")
