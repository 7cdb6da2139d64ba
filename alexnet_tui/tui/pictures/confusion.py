"""The confusion matrix as a heat map with numbers: rows by true class, columns by the answer, a cursor on one cell."""

import itertools
from collections.abc import Sequence

import msgspec
from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.strip import Strip

from alexnet_tui.text import format_count, format_percent, spelled_out
from alexnet_tui.tui.glyphs import pad
from alexnet_tui.tui.pictures.painter import Painter

import numpy as np  # isort: skip
from numpy.typing import NDArray  # isort: skip

_LONGEST_NAME, _SHARE_CELLS = 14, 7
_WIDEST_CELL, _BARE_CELL = 11, 2
_SHORTEST_NAME, _MOST_NUMBERED = 5, 24
_TALL_FROM = 3
_NUM_PAIRS = 10
SIDE_CELLS, _SIDE_GAP = 31, 3
_CONTRAST, _FAINT = 0.7, 0.06


class Matrix(msgspec.Struct, frozen=True):
    """A confusion matrix and the names of its classes, safe to print."""

    counts: NDArray[np.int64]
    names: Sequence[str]

    @property
    def size(self) -> int:
        """Number of classes."""
        return len(self.names)

    def share(self, row: int, column: int) -> float:
        """Of the images of a class, those that got an answer."""
        return float(self.counts[row, column]) / max(1, int(self.counts[row].sum()))

    def sentence(self, row: int, column: int) -> str:
        """What a cell says."""
        count, total = int(self.counts[row, column]), int(self.counts[row].sum())
        what = f"{self.names[row]} right" if row == column else f"{self.names[row]} taken for {self.names[column]}"
        return f"{what}: {format_count(count)} of {format_count(total)} ({format_percent(self.share(row, column), 1)})"

    def most_confused(self, most: int) -> list[tuple[int, int]]:
        """Cells off the diagonal with the most images."""
        wrong = self.counts.copy()
        np.fill_diagonal(wrong, 0)
        order = np.argsort(-wrong, axis=None, kind="stable")[:most]
        cells = [divmod(int(place), self.size) for place in order]
        return [cell for cell in cells if wrong[cell]]

    @property
    def accuracy(self) -> float:
        """Share of right answers."""
        return float(np.trace(self.counts)) / max(1, int(self.counts.sum()))


class Fit(msgspec.Struct, frozen=True):
    """How much of a matrix is shown, and how.

    Attributes:
        cell: Cells of a terminal across one of the matrix.
        tall: Lines of one.
        top: First row shown.
        left: First column shown.
        rows: Rows shown.
        columns: Columns shown.
        names: Cells of the names at the left.
        has_share: A last column has the share of right answers.
        has_numbers: Each cell has its number.
    """

    cell: int
    tall: int
    top: int
    left: int
    rows: int
    columns: int
    names: int
    has_share: bool
    has_numbers: bool

    def at(self, x: int, y: int) -> tuple[int, int] | None:
        """Row and column of the matrix at a place below the line of heads, or None."""
        row, column = y // self.tall, (x - self.names) // self.cell
        is_inside = 0 <= row < self.rows and x >= self.names and column < self.columns
        return (self.top + row, self.left + column) if is_inside else None


def fit(matrix: Matrix, width: int, height: int, cursor: tuple[int, int], *, has_colours: bool = True) -> Fit:
    """As many cells as there is room for, around the cursor: with numbers if all fit, else in colours alone.

    Before a number goes, the names are cut; without colours, numbers of some are more than none of all.
    """
    count, numbers = matrix.size, 1 + len(str(int(matrix.counts.max(initial=0))))
    indices = 1 + len(str(count - 1))
    names = indices + 1 + max((min(_LONGEST_NAME, cell_len(name)) for name in matrix.names), default=0)
    names = min(names, max(4, width // 3))
    short = min(names, indices + _SHORTEST_NAME)
    room = width - count * numbers
    layouts = [(least, share) for least in (names, short) for share in (_SHARE_CELLS, 0)]
    if fitting := [(min(names, room - share), share) for least, share in layouts if room - share >= least]:
        has_numbers, (names, share) = True, fitting[0]
        cell = min(_WIDEST_CELL, (width - names - share) // count)
    else:
        share, bare_room = 0, width - count * _BARE_CELL
        has_numbers = count <= _MOST_NUMBERED and not (has_colours and bare_room >= short)
        cell = numbers if has_numbers else _BARE_CELL
        names = min(names, max(short, bare_room)) if not has_numbers else names
    tall = _TALL_FROM if height >= _TALL_FROM * count and has_numbers else 1
    rows, columns = min(count, max(1, height // tall)), min(count, max(1, (width - names - share) // cell))
    top = min(max(0, cursor[0] - rows // 2), count - rows)
    left = min(max(0, cursor[1] - columns // 2), count - columns)
    return Fit(cell, tall, top, left, rows, columns, names, has_share=share > 0, has_numbers=has_numbers)


def matrix_lines(matrix: Matrix, placed: Fit, cursor: tuple[int, int], painter: Painter, width: int) -> list[Strip]:
    """Heads and rows of what is shown of a matrix."""
    plain = painter.styles[""]
    columns = range(placed.left, placed.left + placed.columns)
    lines = [Strip(_heads(matrix, placed, cursor, painter)).adjust_cell_length(width, plain)]
    for row in range(placed.top, placed.top + placed.rows):
        for part in range(placed.tall):
            is_middle = part == placed.tall // 2
            number = f"{row:>{len(str(matrix.size - 1))}} "
            name = pad(number + matrix.names[row], placed.names - 1) + " " if is_middle else " " * placed.names
            segments = painter.words((name, "strong" if row == cursor[0] else "muted"))
            for column in columns:
                text = _number(matrix, row, column, placed) if is_middle else ""
                style = _cell_style(matrix, row, column, painter, is_cursor=(row, column) == cursor)
                segments.append(Segment(text.center(placed.cell)[: placed.cell], style))
            if placed.has_share and is_middle:
                segments += painter.words((format_percent(matrix.share(row, row), 0).rjust(_SHARE_CELLS), "muted"))
            lines.append(Strip(segments).adjust_cell_length(width, plain))
    return lines


def _heads(matrix: Matrix, placed: Fit, cursor: tuple[int, int], painter: Painter) -> list[Segment]:
    columns = range(placed.left, placed.left + placed.columns)
    lengths = [cell_len(name) for name in matrix.names]
    are_apart = all(one + other < 2 * placed.cell - 1 for one, other in itertools.pairwise(lengths))
    have_names = are_apart and max(lengths) <= placed.cell
    parts = [(pad("true", placed.names - 1) + " ", "muted")]
    for column in columns:
        text = matrix.names[column] if have_names else str(column) if len(str(column)) < placed.cell else ""
        parts.append((text.center(placed.cell), "strong" if column == cursor[1] else "muted"))
    if placed.has_share:
        parts.append(("right".rjust(_SHARE_CELLS), "muted"))
    return painter.words(*parts)


def _number(matrix: Matrix, row: int, column: int, placed: Fit) -> str:
    count = int(matrix.counts[row, column])
    if not placed.has_numbers:
        return ""
    return str(count) if count else "·"


def _cell_style(matrix: Matrix, row: int, column: int, painter: Painter, *, is_cursor: bool) -> Style:
    """The larger its share of the row, the more colour; the diagonal in one of its own."""
    if is_cursor:
        return painter.styles["cursor"]
    share = matrix.share(row, column) ** _CONTRAST
    plain = painter.styles[""]
    if not painter.has_colours:
        return plain + Style(bold=row == column, dim=share < _FAINT)
    hue = painter.styles["right" if row == column else "wrong"].color
    assert hue is not None
    ground = Color(*painter.ground)
    colour = ground.blend(Color.from_rich_color(hue), 0.9 * share)
    front = plain.color if share < 0.5 or plain.color is None else colour.get_contrast_text(1.0).rich_color
    return plain + Style(color=front, bgcolor=colour.rich_color, bold=row == column)


def pair_lines(matrix: Matrix, painter: Painter) -> list[Strip]:
    """The most frequent confusions, in `SIDE_CELLS` beside the matrix."""
    width = SIDE_CELLS - _SIDE_GAP
    rows = [[("Most confused", "strong")], []]
    for row, column in matrix.most_confused(_NUM_PAIRS):
        count = format_count(int(matrix.counts[row, column]))
        pair = spelled_out(f"{matrix.names[row]} → {matrix.names[column]}")
        rows.append([(pad(pair, width - 6), ""), (count.rjust(6), "muted")])
    return [painter.line(SIDE_CELLS, (" " * _SIDE_GAP, ""), *parts) for parts in rows]
