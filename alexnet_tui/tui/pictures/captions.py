"""What a picture shows, in words: forms of which the longest comes first, so that none has to be cut."""

from collections.abc import Sequence

from alexnet_tui.report.pictures.kernels import Kernels
from alexnet_tui.text import format_count, format_percent
from alexnet_tui.tui.pictures.confusion import Matrix
from alexnet_tui.tui.pictures.kernel_tiles import Grid
from alexnet_tui.tui.pictures.painter import Words
from alexnet_tui.tui.pictures.source import Found

_LONGEST_SLIDER, _SHORTEST_SLIDER = 24, 10


def kernel_captions(found: Found, num_epochs: int, grid: Grid, tiles: range, style: str) -> list[list[Words]]:
    """After which epoch, how much of the kernels is shown, and where that epoch is among those stored.

    Args:
        found: The kernels.
        num_epochs: Epochs of the whole run.
        grid: How the kernels are laid out.
        tiles: Those on show.
        style: Of the epoch.
    """
    kernels, epochs, epoch = found.kernels, found.epochs, found.epoch
    if kernels is None or epoch is None:
        return []
    when = f"after epoch {epoch} of {num_epochs}" if epoch else "before training"
    part = _part_shown(tiles, len(kernels))
    both, short = part + _size_shown(kernels, grid), when.removeprefix("after ")
    forms = [(when, both, _LONGEST_SLIDER), (when, both, _SHORTEST_SLIDER), (when, both, 0), (short, both, 0)]
    forms += [(when, part, cells) for cells in (_SHORTEST_SLIDER, 0)]
    return [
        *[[(f"{words}  ", style), (note, "muted"), *_slider(epochs, epoch, cells)] for words, note, cells in forms],
        [(when, style)],
        [(f"epoch {epoch}", style)],
    ]


def _part_shown(tiles: range, count: int) -> str:
    """Which of the kernels there is room for, where that is not all."""
    if len(tiles) == count:
        return ""
    arrows = "↑" * (tiles.start > 0) + "↓" * (tiles.stop < count)
    return f"{tiles.start + 1}-{tiles.stop} of {count} {arrows}  "


def _size_shown(kernels: Kernels, grid: Grid) -> str:
    """In how many pixels a kernel is shown, where it has more weights than that."""
    across = max(kernels.shape[2:])
    return f"{across}×{across} as {grid.side}×{grid.side}  " if grid.side < across else ""


def _slider(epochs: Sequence[int], epoch: int, width: int) -> list[Words]:
    """Where an epoch is among those that are stored, each as far from the others as any."""
    if width < 6 or len(epochs) < 2:
        return []
    cells = min(width - 2, max(6, len(epochs)))
    place = round(epochs.index(epoch) / (len(epochs) - 1) * (cells - 1)) if epoch in epochs else 0
    ends = ("muted" if place else "faint", "muted" if place < cells - 1 else "faint")
    return [
        ("◂", ends[0]),
        ("━" * place, "right"),
        ("●", "accent"),
        ("─" * (cells - 1 - place), "faint"),
        ("▸", ends[1]),
    ]


def matrix_captions(matrix: Matrix) -> list[list[Words]]:
    """How many answers are right."""
    right = format_percent(matrix.accuracy)
    return _muted(f"{right} of {format_count(int(matrix.counts.sum()))} test images right", f"{right} right", right)


def image_captions(matrix: Matrix, cell: tuple[int, int] | None, shown: range, num_images: int) -> list[list[Words]]:
    """Which of the images to look through are on show.

    Args:
        matrix: The confusion matrix.
        cell: Whose images they are; None for the worst mistakes.
        shown: Places of those on show.
        num_images: How many there are to look through.
    """
    first, last = shown.start + 1, min(num_images, shown.stop)
    which = f"images {first}-{last}" if last > first else f"image {first}"
    if cell is None:
        return _muted(f"{which} of the {num_images} worst mistakes", f"{which} of {num_images}")
    row, column = cell
    answer = "answered right" if row == column else f"taken for {matrix.names[column]}"
    return _muted(f"{which} of {num_images}: {matrix.names[row]} {answer}", f"{which} of {num_images}")


def _muted(*texts: str) -> list[list[Words]]:
    return [[(text, "muted")] for text in texts]
