"""The table of ``runs``: as many columns as the terminal holds, the least telling left out first."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from alexnet_tui.analysis.metrics import METRICS, SELECTED_MARK
from alexnet_tui.cli import options
from alexnet_tui.runs.history import RunHistory, State
from alexnet_tui.text import (
    format_duration,
    format_percent,
    format_points,
    printable,
    sparkline,
)

if TYPE_CHECKING:
    from rich.table import Table

_STATE_STYLES = {
    State.RUNNING: "cyan",
    State.FINISHED: "green",
    State.FAILED: "red",
    State.LOST: "magenta",
    State.STOPPED: "yellow",
}
_SPARKLINE_WIDTH = 16
_GAP = 2


@dataclass(frozen=True, slots=True)
class Row:
    """What a line of the table is made of."""

    history: RunHistory
    state: State
    label: str
    is_reference: bool


@dataclass(frozen=True, slots=True)
class _Column:
    """A column and how early it goes when room is short: the highest `rank` first."""

    heading: str
    rank: int
    cell: Callable[[Row], str]
    right: bool = False


def _value(row: Row, metric: str) -> float | None:
    return METRICS[metric].value(row.history)


_COLUMNS = (
    _Column("run", 0, lambda row: row.history.id),
    _Column("label", 6, lambda row: printable(row.label, 40)),
    _Column("variant", 12, lambda row: row.history.record.config.variant),  # A run's id begins with it.
    _Column("front end", 8, lambda row: row.history.record.config.front_end),
    _Column("data", 9, lambda row: printable(row.history.record.config.data, 40)),
    _Column("seed", 11, lambda row: str(row.history.record.config.seed), right=True),
    _Column("state", 1, lambda row: f"{row.state}{' (ref)' if row.is_reference else ''}"),
    _Column("done", 2, lambda row: f"{100 * row.history.progress:.0f}%", right=True),
    _Column(f"best{SELECTED_MARK}", 4, lambda row: format_percent(_value(row, "max_test")), right=True),
    _Column("last", 3, lambda row: format_percent(_value(row, "last_test")), right=True),
    _Column("gap", 7, lambda row: format_points(_value(row, "gap")), right=True),
    _Column("T25", 10, lambda row: METRICS["t25"].mean_text(_value(row, "t25")), right=True),
    _Column("time", 5, lambda row: format_duration(_value(row, "time")), right=True),
    _Column("test accuracy", 13, lambda row: _curve(row.history)),
)


def runs_table(rows: Sequence[Row], max_width: int | None) -> tuple["Table", list[str]]:
    """The table, and the headings of the columns that found no room.

    Args:
        rows: In the order shown.
        max_width: Cells a line may take; None where nothing bounds it, as in a pipe.
    """
    from rich.table import Table
    from rich.text import Text

    cells = [[column.cell(row) for row in rows] for column in _COLUMNS]
    kept = _that_fit(cells, max_width)
    table = Table(box=options.table_box(), pad_edge=False, padding=(0, _GAP - 1, 0, 0), collapse_padding=True)
    for index in kept:
        column = _COLUMNS[index]
        table.add_column(column.heading, justify="right" if column.right else "left", no_wrap=True)
    for number, row in enumerate(rows):
        style = _STATE_STYLES.get(row.state, "")
        texts = [(_COLUMNS[index].heading, cells[index][number]) for index in kept]
        table.add_row(*(Text(text, style=style if heading == "state" else "") for heading, text in texts))
    return table, [column.heading for index, column in enumerate(_COLUMNS) if index not in kept and any(cells[index])]


def _that_fit(cells: Sequence[Sequence[str]], max_width: int | None) -> list[int]:
    """Places of the columns that fit side by side; an empty one takes no room and is left out."""
    from rich.cells import cell_len

    widths = [
        max(map(cell_len, (column.heading, *texts))) + _GAP for column, texts in zip(_COLUMNS, cells, strict=True)
    ]
    kept: list[int] = []
    room = sys.maxsize if max_width is None else max_width
    for index in sorted((i for i, texts in enumerate(cells) if any(texts)), key=lambda i: _COLUMNS[i].rank):
        if kept and widths[index] > room:
            break
        kept.append(index)
        room -= widths[index]
    return sorted(kept)


def _curve(history: RunHistory) -> str:
    return sparkline(history.epochs["test_accuracy"], _SPARKLINE_WIDTH, ascii_only=not options.can_draw())
