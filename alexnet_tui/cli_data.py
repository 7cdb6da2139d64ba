"""The commands of ``alexnet-tui data``: add, list, prepare and remove data sets.

stdout carries the answer, stderr the progress: a bar on a terminal, a line for each act elsewhere.
"""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from alexnet_tui.errors import UsageError
from alexnet_tui.text import format_bytes, format_count, printable
from alexnet_tui.variants import FRONT_ENDS, nearest

if TYPE_CHECKING:
    from rich.progress import TaskID

    from alexnet_tui.datasets import DatasetInfo, Progress

DEFAULT_FRONT_END = "literal32"

data_app = typer.Typer(
    name="data",
    help="Data sets: list, add your own images, prepare, remove.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


def _complete_data(incomplete: str) -> list[str]:
    from alexnet_tui import data_catalog

    return [info.name for info in data_catalog.catalog() if info.name.startswith(incomplete)]


def _complete_front_end(incomplete: str) -> list[str]:
    return [name for name in FRONT_ENDS if name.startswith(incomplete)]


FrontEndOption = Annotated[
    str,
    typer.Option(
        help=f"Prepare for this front end's image size: {', '.join(FRONT_ENDS)}.",
        autocompletion=_complete_front_end,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@data_app.command("add")
def add_command(
    path: Annotated[Path, typer.Argument(help="Folder, or tar archive of one, plain or compressed.")],
    name: Annotated[str, typer.Option(help="What to call it from now on: letters, digits, - and _.")],
    skip_unreadable: Annotated[
        bool, typer.Option("--skip-unreadable", help="Leave out images that cannot be read.")
    ] = False,
    front_end: FrontEndOption = DEFAULT_FRONT_END,
    as_json: JsonOption = False,
) -> None:
    """Add your own images: train/CLASS/*.jpg and test/CLASS/*.jpg (val too; jpeg, png).

    Reads the folder or archive once to check it, once to decode it; it is not changed or extracted.
    An unreadable image stops it unless --skip-unreadable is given.

    Example: alexnet-tui data add pets.tar.gz --name pets
    """
    from alexnet_tui import datasets

    input_size = _input_size(front_end)
    with _progress() as report:
        info = datasets.add(path, name, report, input_size=input_size, skip_unreadable=skip_unreadable)
    _answer(info, as_json)


@data_app.command("list")
def list_command(as_json: JsonOption = False) -> None:
    """List the data sets that can be trained on, and what is left to do for each.

    Example: alexnet-tui data list --json
    """
    from alexnet_tui import data_catalog

    infos = data_catalog.catalog()
    if as_json:
        _write_json([asdict(info) for info in infos])
    else:
        _write_table(infos)


@data_app.command("prepare")
def prepare_command(
    name: Annotated[str, typer.Argument(help="Data set to prepare.", autocompletion=_complete_data)],
    front_end: FrontEndOption = DEFAULT_FRONT_END,
    as_json: JsonOption = False,
) -> None:
    """Download and decode a data set now, so that a run can start at once.

    A run does the same by itself when it has to.

    Example: alexnet-tui data prepare cifar10
    """
    from alexnet_tui import datasets

    input_size = _input_size(front_end)
    with _progress() as report:
        datasets.prepare(name, input_size, report)
    _answer(datasets.find(name), as_json)


@data_app.command("remove")
def remove_command(
    name: Annotated[str, typer.Argument(help="Data set to remove.", autocompletion=_complete_data)],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete a data set's prepared pixels and forget its name; the source it was added from stays.

    Asks first; without a terminal to ask on, --yes is needed.

    Example: alexnet-tui data remove pets --yes
    """
    from alexnet_tui import datasets

    info = datasets.find(name)
    what = f"{format_bytes(info.size_bytes)} of prepared images of {name}"
    if not yes:
        if not sys.stdin.isatty():
            raise UsageError(f"this deletes {what}; give --yes to do so without being asked.")
        typer.confirm(f"Delete {what}? Its source stays: {info.source}.", abort=True, err=True)
    datasets.remove(name)
    typer.echo(f"Removed {name}: {what}.", err=True)


def _input_size(front_end: str) -> int:
    if front_end not in FRONT_ENDS:
        shown = printable(front_end, 60)
        raise UsageError(f"there is no front end {shown!r}; {nearest(front_end, FRONT_ENDS)}")
    return FRONT_ENDS[front_end].image_size


def _answer(info: "DatasetInfo", as_json: bool) -> None:
    if as_json:
        _write_json(asdict(info))
        return
    typer.echo(
        f"{info.name}: {format_count(info.num_train)} training and {format_count(info.num_test)} test images"
        f" of {info.num_classes} classes, {format_bytes(info.size_bytes)}, sha256 {info.sha256}"
    )
    if info.num_ignored:
        typer.echo(f"{info.num_ignored} entries that are no images of it were ignored.", err=True)
    if info.num_skipped:
        typer.echo(f"{info.num_skipped} unreadable images were left out.", err=True)


def _write_json(content: object) -> None:
    import msgspec

    typer.echo(msgspec.json.format(msgspec.json.encode(content)).decode())


_COLUMNS: tuple[tuple[str, "Callable[[DatasetInfo], str]"], ...] = (
    ("name", lambda info: info.name),
    ("state", lambda info: info.state),
    ("train", lambda info: format_count(info.num_train)),
    ("test", lambda info: format_count(info.num_test)),
    ("classes", lambda info: str(info.num_classes)),
    ("on disk", lambda info: format_bytes(info.size_bytes) if info.size_bytes else ""),
    ("sha256", lambda info: info.sha256[:12]),
    ("source", lambda info: printable(info.source)),
)


def _write_table(infos: "Iterable[DatasetInfo]") -> None:
    rows = [[title for title, _ in _COLUMNS], *([cell(info) for _, cell in _COLUMNS] for info in infos)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
    for row in rows:
        padded = (text.ljust(width) for text, width in zip(row, widths, strict=True))
        typer.echo("  ".join(padded).rstrip())


@contextmanager
def _progress() -> "Iterator[Callable[[Progress], None]]":
    """A function that shows progress on stderr while the block runs."""
    if sys.stderr.isatty():
        with _bar() as report:
            yield report
        return
    said: set[str] = set()

    def say(progress: "Progress") -> None:
        if progress.what not in said:
            said.add(progress.what)
            total = f" {format_count(progress.total)} images" if progress.total else ""
            typer.echo(f"{progress.what}{total} …", err=True)

    yield say


@contextmanager
def _bar() -> "Iterator[Callable[[Progress], None]]":
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    tasks: dict[str, TaskID] = {}
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:

        def show(progress: "Progress") -> None:
            if progress.what not in tasks:
                tasks[progress.what] = bar.add_task(progress.what, total=None)
            bar.update(tasks[progress.what], completed=progress.done, total=progress.total or None)

        yield show
