"""Columns of a table as data, and which of them fit into a width; pure, no Textual."""

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import msgspec

from alexnet_tui.text import counted

Row = TypeVar("Row")
Context = TypeVar("Context")
StyledText = tuple[str, str]
"""Text, and the name of its style in `table.STYLES`, empty for the plain one."""
SortValue = float | str | None
GAP = 2
"""Blank cells between two columns."""
CORE_RANK = 5
"""Columns up to this rank are narrowed before one of them is left out, others before one of these cannot grow."""


class Column(msgspec.Struct, Generic[Row, Context], frozen=True, kw_only=True):
    """One column.

    Attributes:
        key: Name in settings and messages.
        title: Head of the column; one without belongs to the column before it.
        width: Cells; the smallest where the column may grow.
        max_width: How far it may grow; 0 where it may not.
        narrow: Cells that are enough where there are no more; 0 where there are none.
        rank: Importance, 0 first; the least important are left out when there is no room.
        cell: Text and style of a row in so many cells.
        order: What rows are sorted by; rows without it come last either way. None where one cannot sort by it.
        align_right: Numbers end at the same cell.
        is_descending: Sorting begins with the largest.
        is_offered: Whether there is anything to say in it now.
        help: One sentence.
    """

    key: str
    title: str
    width: int
    rank: int
    cell: Callable[[Row, Context, int], StyledText]
    order: Callable[[Row, Context], SortValue] | None = None
    max_width: int = 0
    narrow: int = 0
    align_right: bool = False
    is_descending: bool = False
    is_offered: Callable[[Context], bool] = lambda _: True
    help: str = ""


Fitted = list[tuple[Column[Row, Context], int]]
"""Columns in their order, and how wide each is."""


def fit(columns: Sequence[Column[Row, Context]], width: int) -> Fitted[Row, Context]:
    """The columns that fit into `width` cells and how wide each is, the least important left out first."""
    by_rank = sorted(columns, key=lambda column: column.rank)
    chosen = _choose(by_rank, width)
    core = [column for column in by_rank if column.rank <= CORE_RANK]
    if any(column.key not in chosen for column in core):
        chosen = _choose(core, width, is_tight=True)
    return _grow([(column, chosen[column.key]) for column in columns if column.key in chosen], width)


def _choose(columns: Sequence[Column[Row, Context]], width: int, *, is_tight: bool = False) -> dict[str, int]:
    """Keys and widths of the first columns that fit; if it is tight, each as narrow as it may be."""
    chosen: dict[str, int] = {}
    used = 1
    for column in columns:
        wished = (column.narrow or column.width,) if is_tight else (column.width, column.narrow)
        cells = next((cells for cells in wished if 0 < cells <= width - used), 0)
        if chosen and not cells:
            break
        chosen[column.key] = cells or column.width
        used += chosen[column.key] + GAP
    return chosen


def _grow(kept: Fitted[Row, Context], width: int) -> Fitted[Row, Context]:
    """Give what is left over to the columns that may grow, the most important first.

    For those of the core that is not enough for, the others are narrowed, the least important first.
    """
    widths = {column.key: cells for column, cells in kept}
    by_rank = sorted((column for column, _ in kept), key=lambda column: column.rank)
    spare = width - 1 - sum(widths.values()) - GAP * (len(kept) - 1)
    wanted = sum(max(0, one.max_width - widths[one.key]) for one in by_rank if one.rank <= CORE_RANK)
    for column in reversed(by_rank):
        if column.narrow and column.rank > CORE_RANK:
            less = max(0, min(widths[column.key] - column.narrow, wanted - spare))
            widths[column.key] -= less
            spare += less
    for column in by_rank:
        more = max(0, min(spare, column.max_width - widths[column.key]))
        widths[column.key] += more
        spare -= more
    if kept and spare < 0:  # Too narrow for even one column: cut it.
        first = kept[0][0].key
        widths[first] = max(1, widths[first] + spare)
    return [(column, widths[column.key]) for column, _ in kept]


def hidden_text(columns: Sequence[Column[Row, Context]], shown: Sequence[str]) -> str:
    """What is left out, the most important first: ``2 columns hidden (widen the terminal): gap, T25``; else nothing."""
    left_out = (column for column in columns if column.title and column.key not in shown)
    hidden = sorted(left_out, key=lambda column: column.rank)
    titles = ", ".join(column.title for column in hidden)
    return f"{counted(len(hidden), 'column')} hidden (widen the terminal): {titles}" if hidden else ""
