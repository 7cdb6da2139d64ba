"""``import``: runs and studies that `export --archive` packed."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from alexnet_tui.cli import options
from alexnet_tui.cli.output import say
from alexnet_tui.errors import ExitCode
from alexnet_tui.paths import given, shell_command
from alexnet_tui.runs.store import Store
from alexnet_tui.text import counted

if TYPE_CHECKING:
    from alexnet_tui.studies.transfer import ImportResult

_NAMED = 3


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command("import", short_help="Unpack runs and studies of an archive.")(import_)


def import_(
    archive: Annotated[
        Path,
        typer.Argument(metavar="ARCHIVE", parser=given, help="What `export --archive` wrote.", show_default=False),
    ],
    runs_dir: options.RunsDir = None,
) -> int:
    """Unpack runs and studies that `export --archive` packed, all of them or none.

    A run or study whose name is taken here gets a new one; one that is here already is not doubled.

    Example: alexnet-tui import mine.tar.gz
    """
    from alexnet_tui.studies.transfer import import_archive

    store = options.open_store(runs_dir)
    _tell(store, archive, import_archive(store, archive))
    return ExitCode.DONE


def _tell(store: Store, archive: Path, found: "ImportResult") -> None:
    kinds = (("run", found.runs, found.present_runs), ("study", found.studies, found.present_studies))
    for what, names, present in kinds:
        for name, new in names.items():
            if name in present:
                say(f"{what} {name} is here already{f', as {new}' if new != name else ''}; it is not doubled.")
            elif new != name:
                say(f"{what} {name} is called {new} here: there is another {what} {name}.")
    for name in found.released:
        say(f"run {found.runs[name]} belongs to no study here: the study it was made for is here and does not change.")
    for reason, entries in found.left_out.items():
        more = ", …" if len(entries) > _NAMED else ""
        noun = "entry" if len(entries) == 1 else "entries"
        say(f"left out: {len(entries):,} {noun} {reason} ({', '.join(entries[:_NAMED])}{more})")
    num_runs, num_studies = (len(names.keys() - present) for _, names, present in kinds)
    studies = f" and {num_studies:,} {'study' if num_studies == 1 else 'studies'}" if num_studies else ""
    lists = shell_command("runs", root=store.root)
    say(f"imported {counted(num_runs, 'run')}{studies} from {archive} into {store.root}; `{lists}` lists them.")
