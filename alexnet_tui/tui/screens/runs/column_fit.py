"""Which columns of the runs table fit into a width, how wide each is, and which are left out; pure."""

from collections.abc import Sequence

from alexnet_tui.text import counted
from alexnet_tui.tui.screens.runs.columns import COLUMNS, Column

GAP = 2
_CORE_RANK = 4  # Columns up to this one are narrowed before one of them goes.


def fit(width: int, *, has_pin: bool, is_grouped: bool) -> list[tuple[Column, int]]:
    """The columns that fit into `width` cells and how wide each is, the least important left out first."""
    offered = sorted(_offered(has_pin=has_pin, is_grouped=is_grouped), key=lambda column: column.rank)
    chosen = _choose(offered, width)
    if any(column.rank <= _CORE_RANK and column.key not in chosen for column in offered):
        chosen = _choose(offered, width, is_tight=True)
    return _grow([(column, chosen[column.key]) for column in COLUMNS if column.key in chosen], width)


def _choose(columns: Sequence[Column], width: int, *, is_tight: bool = False) -> dict[str, int]:
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


def tell_hidden(shown: Sequence[str], *, has_pin: bool, is_grouped: bool) -> str:
    """What a wider terminal would show, the most important first: ``2 columns hidden: gap, T25``; else nothing."""
    offered = _offered(has_pin=has_pin, is_grouped=is_grouped)
    hidden = sorted((column for column in offered if column.key not in shown), key=lambda column: column.rank)
    titles = ", ".join(column.title for column in hidden)
    return f"{counted(len(hidden), 'column')} hidden: {titles}" if hidden else ""


def _offered(*, has_pin: bool, is_grouped: bool) -> list[Column]:
    return [
        column for column in COLUMNS if (has_pin or not column.needs_pin) and (is_grouped or not column.needs_groups)
    ]


def _grow(kept: Sequence[tuple[Column, int]], width: int) -> list[tuple[Column, int]]:
    """Give what is left over to the columns that may grow, a cell each in turn."""
    widths = {column.key: cells for column, cells in kept}
    spare = width - 1 - sum(widths.values()) - GAP * (len(kept) - 1)
    growing = [column for column, _ in kept if column.max_width]
    while spare > 0 and growing:
        for column in list(growing):
            if widths[column.key] >= column.max_width:
                growing.remove(column)
            elif spare > 0:
                widths[column.key] += 1
                spare -= 1
    if kept and spare < 0:  # Too narrow for even one column: cut it.
        first = kept[0][0].key
        widths[first] = max(1, widths[first] + spare)
    return [(column, widths[column.key]) for column, _ in kept]
