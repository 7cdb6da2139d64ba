"""The commands of ``alexnet-tui data``: add, list, prepare and remove data sets.

stdout carries the answer, stderr the progress.
"""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from alexnet_tui.cli import options
from alexnet_tui.cli.options import AsJson, complete_data, completing
from alexnet_tui.cli.output import Json, progress_bar, say, write_json
from alexnet_tui.cli.tables import Column, print_table
from alexnet_tui.config.front_ends import FRONT_ENDS
from alexnet_tui.config.variants import nearest
from alexnet_tui.errors import UsageError
from alexnet_tui.paths import data_root
from alexnet_tui.text import format_bytes, format_count, printable, quoted

if TYPE_CHECKING:
    from alexnet_tui.datasets.catalog import DatasetInfo

DEFAULT_FRONT_END = "literal32"


def register(app: typer.Typer) -> None:
    """Mount the commands."""
    data = typer.Typer(
        name="data", help="Data sets: list, add your own images, prepare, remove.", rich_markup_mode=None
    )
    data.command("add", short_help="Add your own images: a folder or an archive.")(add_command)
    data.command("list", short_help="List the data sets, and what is left to do for each.")(list_command)
    data.command("prepare", short_help="Download and decode a data set now.")(prepare_command)
    data.command("remove", short_help="Delete a data set's prepared pixels.")(remove_command)
    app.add_typer(data)


FrontEndOption = Annotated[
    str,
    typer.Option(
        metavar="TEXT",
        help=f"Prepare for this front end's image size: {', '.join(FRONT_ENDS)}.",
        autocompletion=completing(FRONT_ENDS),
    ),
]


def add_command(
    path: Annotated[Path, typer.Argument(metavar="SOURCE", help="Folder, or tar or zip archive of one.")],
    name: Annotated[str, typer.Option(metavar="NAME", help="What to call it from now on: letters, digits, - and _.")],
    skip_unreadable: Annotated[
        bool, typer.Option("--skip-unreadable", help="Leave out images that cannot be read.")
    ] = False,
    front_end: FrontEndOption = DEFAULT_FRONT_END,
    as_json: AsJson = False,
) -> None:
    """Add your own images: train/CLASS/*.jpg and test/CLASS/*.jpg (val too; jpeg, png, webp, bmp).

    Reads the folder or archive once to check it, once to decode it; it is not changed or extracted.
    Images are turned as their EXIF orientation says. Links are followed inside the source and refused outside it.
    What is left out (hidden entries, other formats, deeper folders) is counted by reason, here and in `data list`.
    An unreadable image stops it unless --skip-unreadable is given.

    Example: alexnet-tui data add pets.tar.gz --name pets
    """
    from alexnet_tui.datasets.prepare import add_dataset

    input_size = _input_size(front_end)
    with progress_bar(f"data set {name}") as report:
        info = add_dataset(path, name, report, input_size=input_size, skip_unreadable=skip_unreadable)
    _answer(info, as_json)


def list_command(as_json: AsJson = False) -> None:
    """List the data sets that can be trained on, and what is left to do for each.

    Example: alexnet-tui data list --json
    """
    from alexnet_tui.datasets.catalog import catalog

    infos = catalog()
    if as_json:
        write_json([_facts(info) for info in infos])
    else:
        print_table(_COLUMNS, infos, " and --json have")
        for info in infos:
            for note in info.notes:
                say(f"{info.name}: {note}")


def prepare_command(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Data set to prepare.", autocompletion=complete_data)],
    front_end: FrontEndOption = DEFAULT_FRONT_END,
    as_json: AsJson = False,
) -> None:
    """Download and decode a data set now, so that a run can start at once.

    A run does the same by itself when it has to.

    Example: alexnet-tui data prepare cifar10
    """
    from alexnet_tui.datasets.catalog import find
    from alexnet_tui.datasets.prepare import prepare_dataset

    input_size = _input_size(front_end)
    with progress_bar(f"data set {name}") as report:
        prepare_dataset(name, input_size, report)
    _answer(find(name), as_json)


def remove_command(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Data set to remove.", autocompletion=complete_data)],
    yes: Annotated[bool, options.option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete a data set's prepared pixels and forget its name; the source it was added from stays.

    Asks first; without a terminal to ask on, --yes is needed.

    Example: alexnet-tui data remove pets --yes
    """
    from alexnet_tui.datasets.catalog import find
    from alexnet_tui.datasets.prepare import remove_dataset

    info = find(name)
    if not os.path.isdir(data_root() / name):  # Known without being here: a built-in one.
        raise UsageError(f"{name} has no prepared images; there is nothing to remove.")
    what = f"{format_bytes(info.size_bytes)} of prepared images of {name}"
    if not yes:
        if not sys.stdin.isatty():
            raise UsageError(f"this deletes {what}; give --yes to do so without being asked.")
        if not typer.confirm(f"Delete {what}? Its source stays: {info.source}.", err=True):
            say("Nothing was deleted.")
            return
    remove_dataset(name)
    say(f"removed {name}: {what}.")


def _input_size(front_end: str) -> int:
    if front_end not in FRONT_ENDS:
        raise UsageError(f"there is no front end {quoted(front_end)}; {nearest(front_end, FRONT_ENDS)}")
    return FRONT_ENDS[front_end].image_size


def _facts(info: "DatasetInfo") -> Json:
    return {**msgspec.structs.asdict(info), "left_out": [msgspec.structs.asdict(item) for item in info.left_out]}


def _answer(info: "DatasetInfo", as_json: bool) -> None:
    if as_json:
        write_json(_facts(info))
        return
    typer.echo(
        f"{info.name}: {format_count(info.num_train)} training and {format_count(info.num_test)} test images"
        f" of {info.num_classes} classes, {format_bytes(info.size_bytes)}, sha256 {info.sha256}"
    )
    for note in info.notes:
        say(note)


def _state(info: "DatasetInfo") -> str:
    from alexnet_tui.datasets.catalog import BUILT_IN

    match info.state:
        case "download":
            return f"not here: {BUILT_IN[info.name].download} to download"
        case "newer":
            return "made by a newer version"
    return info.state


def _num_left_out(info: "DatasetInfo") -> int:
    return info.num_ignored + info.num_skipped


_COLUMNS: "tuple[Column[DatasetInfo], ...]" = (
    Column("name", 0, lambda info: info.name),
    Column("state", 1, _state),
    Column("train", 2, lambda info: format_count(info.num_train), right=True),
    Column("test", 3, lambda info: format_count(info.num_test), right=True),
    Column("classes", 4, lambda info: str(info.num_classes), right=True),
    Column("on disk", 5, lambda info: format_bytes(info.size_bytes) if info.size_bytes else "", right=True),
    Column("left out", 6, lambda info: format_count(_num_left_out(info)) if _num_left_out(info) else "", right=True),
    Column("sha256", 7, lambda info: info.sha256[:12]),
    Column("source", 8, lambda info: printable(info.source)),
)
