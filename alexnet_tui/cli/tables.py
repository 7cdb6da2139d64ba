"""Tables and lines that fit a terminal: the least important parts are left out first, and named."""

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Generic, TypeVar

import msgspec

from alexnet_tui.cli.output import as_written, can_draw, printing, say
from alexnet_tui.text import printable

if TYPE_CHECKING:
    from rich.box import Box
    from rich.table import Table

_GAP = 2
# The tones of `runs.state.STATE_TONES` as a terminal's own colours.
TONE_STYLES = {"live": "cyan", "good": "green", "warn": "yellow", "bad": "red", "muted": "dim"}
_Row = TypeVar("_Row")


class Column(msgspec.Struct, Generic[_Row], frozen=True):
    """A column of a table.

    Attributes:
        heading: Its title.
        rank: How early it goes when room is short: the highest first.
        cell: The text of a row; a column without any text is not shown.
        right: Aligned to the right.
        style: Of the cell.
        can_share: On a terminal, a text that all rows have is printed once above the table instead.
    """

    heading: str
    rank: int
    cell: Callable[[_Row], str]
    right: bool = False
    style: Callable[[_Row], str] = lambda _: ""
    can_share: bool = False


def fitting(parts: Sequence[tuple[int, int]], room: int | None) -> list[int]:
    """The parts that fit beside each other: indices, in order.

    Args:
        parts: Rank and width of each; the highest ranks go first, the lowest is always kept.
        room: Cells there are; None where nothing bounds them.
    """
    kept: list[int] = []
    left = sys.maxsize if room is None else room
    for index in sorted(range(len(parts)), key=lambda index: parts[index][0]):
        if kept and parts[index][1] > left:
            break
        kept.append(index)
        left -= parts[index][1]
    return sorted(kept)


def fit_line(parts: Sequence[tuple[int, str]], width: int) -> str:
    """Ranked parts of a line, as many as fit."""
    return "".join(parts[index][1] for index in fitting([(rank, len(text)) for rank, text in parts], width))


def fill_lines(parts: Sequence[str], width: int) -> str:
    """Foreign texts beside each other, as many to a line as fit; none is broken in two."""
    first, *others = map(printable, parts)
    lines = [first]
    for part in others:
        if len(f"{lines[-1]}, {part},") <= width:
            lines[-1] += f", {part}"
        else:
            lines[-1] += ","
            lines.append(part)
    return "\n".join(lines)


def make_table(
    columns: Sequence[Column[_Row]], rows: Sequence[_Row], max_width: int | None
) -> tuple["Table", list[str]]:
    """A table, and the headings of the columns that found no room.

    Args:
        max_width: Cells a line may take; None where nothing bounds it, as in a pipe.
    """
    from rich.cells import cell_len
    from rich.table import Table
    from rich.text import Text

    cells = [[as_written(column.cell(row), sys.stdout) for row in rows] for column in columns]
    filled = [index for index, texts in enumerate(cells) if any(texts) or not rows]
    # The gap behind the last column is where the table's own edges are.
    widths = [max(map(cell_len, (columns[index].heading, *cells[index]))) + _GAP for index in filled]
    ranked = [(columns[index].rank, width) for index, width in zip(filled, widths, strict=True)]
    kept = [filled[place] for place in fitting(ranked, max_width)]
    table = Table(box=table_box(), pad_edge=False, padding=(0, _GAP - 1, 0, 0), collapse_padding=True)
    for index in kept:
        table.add_column(columns[index].heading, justify="right" if columns[index].right else "left", no_wrap=True)
    for number, row in enumerate(rows):
        table.add_row(*(Text(cells[index][number], style=columns[index].style(row)) for index in kept))
    return table, [columns[index].heading for index in filled if index not in kept]


def print_table(columns: Sequence[Column[_Row]], rows: Sequence[_Row], elsewhere: str) -> None:
    """Print a table that fits the terminal; what found no room is named with where it is: ``--json``."""
    shared = _shared(columns, rows) if sys.stdout.isatty() else {}
    rest = [column for column in columns if column.heading not in shared]
    with printing() as console:
        if shared:
            console.print(f"all {len(rows)}: {', '.join(f'{heading} {text}' for heading, text in shared.items())}")
        table, left_out = make_table(rest, rows, console.width if sys.stdout.isatty() else None)
        console.print(table)
    if left_out:
        say(f"no room for {', '.join(left_out)}; a wider terminal{elsewhere} it.")


def _shared(columns: Sequence[Column[_Row]], rows: Sequence[_Row]) -> dict[str, str]:
    """The texts that all of several rows have, by the heading of their column."""
    texts = {column.heading: {column.cell(row) for row in rows} for column in columns if column.can_share}
    return {
        heading: found.pop() for heading, found in texts.items() if len(rows) > 1 and len(found) == 1 and any(found)
    }


def table_box() -> "Box | None":
    """How a table is ruled on a terminal; in a file or a pipe it has no rules, only columns."""
    from rich import box

    if not sys.stdout.isatty():
        return None
    # Rich would replace the first by one with a frame, for which no room was left.
    return box.SIMPLE if can_draw() else box.Box(str(box.SIMPLE).replace("─", "-"), ascii=True)
