"""``pictures``: what a trained network sees and mistakes, on a terminal or as a PNG."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from alexnet_tui.cli import options
from alexnet_tui.cli.output import can_draw, printing, say
from alexnet_tui.errors import ExitCode, StoreError, UsageError
from alexnet_tui.output_file import write_output
from alexnet_tui.paths import given
from alexnet_tui.runs import events as ev
from alexnet_tui.runs.follow import load
from alexnet_tui.runs.history import RunHistory
from alexnet_tui.text import format_count, format_percent, printable

if TYPE_CHECKING:
    from rich.console import Console

    from alexnet_tui.report.pictures.kernels import Kernels
    from alexnet_tui.report.pictures.pixels import Pixels
    from alexnet_tui.report.pictures.predictions import Predictions

_MOST_MISTAKES, _MOST_CONFUSED = 12, 5
_PRINTED_CLASSES = 20
_PNG_FACTOR, _PNG_COLUMNS = 6, 16


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command("pictures", short_help="First-layer kernels, confusion matrix, worst mistakes.")(pictures)


def pictures(
    run: options.RunName,
    kernels: Annotated[bool, options.option("--kernels", help="The first layer's kernels (the default).")] = False,
    confusion: Annotated[bool, options.option("--confusion", help="Test images by true and predicted class.")] = False,
    mistakes: Annotated[bool, options.option("--mistakes", help="The mistakes the network was surest of.")] = False,
    epoch: Annotated[
        int | None,
        options.option("--epoch", min=0, help="With --kernels: after which epoch; 0 is before training."),
    ] = None,
    output: Annotated[
        Path | None,
        options.option("--output", "-o", metavar="FILE", parser=given, help="PNG file to write instead."),
    ] = None,
    runs_dir: options.RunsDir = None,
) -> int:
    """Show what a run's network sees: its kernels also while it trains, the rest once it has finished.

    Example: alexnet-tui pictures last --confusion
    """
    if kernels + confusion + mistakes > 1:
        raise UsageError("one picture at a time: --kernels, --confusion or --mistakes.")
    if epoch is not None and (confusion or mistakes):
        raise UsageError("--epoch goes with --kernels; matrix and mistakes are those of the last epoch.")
    if output is not None and output.suffix.lower() != ".png":
        raise UsageError(f"{printable(str(output), 200)}: a picture is written as a PNG; end its name in .png.")
    store = options.open_store(runs_dir)
    run_id = store.resolve(run)
    history, _ = load(store, run_id, skip_steps=True, may_outline=True)
    if confusion:
        _show_confusion(history, _predictions(history, store.path(run_id)), output)
    elif mistakes:
        _show_mistakes(history, _predictions(history, store.path(run_id)), output)
    else:
        _show_kernels(history, *_kernels(history, store.path(run_id), epoch), output)
    return ExitCode.DONE


def _predictions(history: RunHistory, directory: Path) -> "Predictions":
    """The predictions of a run.

    Raises:
        StoreError: It has none, or what it has cannot be read.
    """
    from alexnet_tui.report.pictures.predictions import read_predictions
    from alexnet_tui.runs.run_files import PREDICTIONS_FILE

    found = read_predictions(directory)
    if found is None:
        is_over = isinstance(history.final, ev.Finished)
        reason = "none is kept with this run." if is_over else "the run has none; it is written when a run finishes."
        raise StoreError(directory / PREDICTIONS_FILE, reason)
    return found


def _kernels(history: RunHistory, directory: Path, epoch: int | None) -> tuple["Kernels", int]:
    """The kernels of a run after an epoch, or the last it stored, and that epoch.

    Raises:
        StoreError: It has none of that epoch, or what it has cannot be read.
    """
    from alexnet_tui.report.pictures.kernels import read_kernels, stored_epochs

    epochs = stored_epochs(directory)
    if epoch is None and not epochs:  # Of a program that stored none while it trained.
        return _predictions(history, directory).kernels, history.num_epochs_done
    epoch = epochs[-1] if epoch is None else epoch
    found = read_kernels(directory, epoch)
    if found is None:
        shown = f"there are those of epochs {', '.join(map(str, epochs))}" if epochs else "it stored none at all"
        raise StoreError(directory, f"the run stored no kernels after epoch {epoch}; {shown}.")
    return found, epoch


def _write(picture: "Pixels", output: Path) -> None:
    from alexnet_tui.report.pictures.pixels import png

    write_output(output, png(picture))
    say(f"wrote {output}")


def _show_kernels(history: RunHistory, kernels: "Kernels", epoch: int, output: Path | None) -> None:
    from alexnet_tui.report.pictures.pixels import GAP, RAMP, blank_line_gap, columns_for, enlarge, kernel_tiles, sheet

    tiles = kernel_tiles(kernels)
    if output is not None:
        _write(enlarge(sheet(tiles, _PNG_COLUMNS), _PNG_FACTOR), output)
        return
    height, width = tiles[0].shape[:2]
    largest = abs(kernels).max(axis=(1, 2, 3))
    with printing() as console:
        console.print(f"run {history.id} after epoch {epoch}: {len(tiles)} kernels of {height}x{width} pixels")
        is_plain = _is_plain(console)
        low, zero, high = ("blank", RAMP[len(RAMP) // 2], RAMP[-1]) if is_plain else ("black", "grey", "white")
        weights = f"{largest.min():.2g} to {largest.max():.2g}"
        console.print(f"{zero} is 0; {low} and {high} are each kernel's largest weight, {weights}")
        row_gap = blank_line_gap(height) if is_plain else GAP
        _draw(console, sheet(tiles, columns_for(width, min(console.width, 120)), row_gap))


def _is_plain(console: "Console") -> bool:
    """Whether pictures are drawn in characters: without colours, or without half blocks."""
    return console.color_system is None or not can_draw()


def _draw(console: "Console", picture: "Pixels") -> None:
    """A picture in half blocks, or in characters where there is no colour."""
    from rich.text import Text

    from alexnet_tui.report.pictures.pixels import half_blocks, shades

    if _is_plain(console):
        for line in shades(picture):
            console.print(Text(line))
        return
    for row in half_blocks(picture):
        cells = (("▀", "rgb({},{},{}) on rgb({},{},{})".format(*upper, *lower)) for upper, lower in row)
        console.print(Text.assemble(*cells))


def _class_names(history: RunHistory, count: int) -> list[str]:
    names = [printable(name, 40) for name in history.started.class_names] if history.started else []
    return [names[index] if index < len(names) else f"class {index}" for index in range(count)]


def _show_confusion(history: RunHistory, found: "Predictions", output: Path | None) -> None:
    from alexnet_tui.report.pictures.pixels import heat_map

    matrix = found.confusion()
    if output is not None:
        _write(heat_map(matrix, max(2, min(24, 2400 // len(matrix)))), output)
        return
    names, counts = _class_names(history, len(matrix)), matrix.tolist()
    right = sum(counts[index][index] for index in range(len(counts)))
    say(f"{format_percent(right / len(found.labels))} of {format_count(len(found.labels))} test images right.")
    with printing() as console:
        if len(counts) <= _PRINTED_CLASSES:
            _print_matrix(console, names, counts)
        for line in _most_confused(names, counts):
            console.print(line)


def _print_matrix(console: "Console", names: Sequence[str], counts: Sequence[Sequence[int]]) -> None:
    """Rows by true class; the darker a cell, the larger its share of the row."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 0, 0, 1))
    table.add_column("true \\ predicted", no_wrap=True)
    for index in range(len(names)):
        table.add_column(str(index), justify="right", min_width=4)
    for index, row in enumerate(counts):
        total = max(1, sum(row))
        cells = (
            Text(str(count) if count else ".", style="bold" if place == index else _shade(count / total))
            for place, count in enumerate(row)
        )
        table.add_row(Text(f"{index:>2} {names[index]}"), *cells)
    console.print(table)


def _shade(share: float) -> str:
    """Colour of a wrong answer by its share of the row."""
    return "red" if share >= 0.1 else "yellow" if share >= 0.03 else "dim"


def _most_confused(names: Sequence[str], counts: Sequence[Sequence[int]]) -> Iterator[str]:
    pairs = [(count, row, place) for row, line in enumerate(counts) for place, count in enumerate(line) if row != place]
    for count, row, place in sorted(pairs, key=lambda pair: (-pair[0], pair[1:]))[:_MOST_CONFUSED]:
        if count:
            yield f"{names[row]} taken for {names[place]}: {format_count(count)}"


def _show_mistakes(history: RunHistory, found: "Predictions", output: Path | None) -> None:
    from alexnet_tui.report.pictures.images import read_test_images
    from alexnet_tui.report.pictures.pixels import enlarge, sheet

    images = read_test_images(history, len(found.labels))
    places = found.worst(_MOST_MISTAKES).tolist()
    if not places:
        say("the network made no mistake on the test images.")
        return
    tiles = [images[place].transpose(1, 2, 0) for place in places]
    if output is not None:
        _write(enlarge(sheet(tiles, 4), 4), output)
        return
    names = _class_names(history, found.num_classes)
    with printing() as console:
        for place, tile in zip(places, tiles, strict=True):
            console.print(f"test image {place}: {names[found.labels[place]]}, taken for")
            answers = zip(found.top_classes[place].tolist(), found.top_probabilities[place].tolist(), strict=True)
            for number, probability in answers:
                mark = "  (right)" if number == found.labels[place] else ""
                console.print(f"  {names[number]:<16} {format_percent(probability)}{mark}")
            _draw(console, tile)
