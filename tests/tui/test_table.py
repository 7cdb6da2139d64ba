"""The line table: cursor, mouse, scrolling and columns, whatever its rows are."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from console_driver import driven, running
from textual.app import App, ComposeResult
from textual.pilot import Pilot

from alexnet_tui.tui.terminal.themes import THEMES
from alexnet_tui.tui.widgets.columns import Column
from alexnet_tui.tui.widgets.table import LineTable


@dataclass(frozen=True)
class Item:
    id: str
    value: int = 0


COLUMNS: tuple[Column[Item, None], ...] = (
    Column(key="name", title="name", width=6, rank=0, cell=lambda row, _, width: (row.id[:width], "")),
    Column(
        key="value",
        title="value",
        width=6,
        rank=1,
        align_right=True,
        cell=lambda row, _, __: (str(row.value), "series-2"),
    ),
)


class TableApp(App[None]):
    """One table, and every message it posts."""

    CSS = """
    LineTable { overflow-y: scroll; overflow-x: hidden; scrollbar-size-vertical: 1; height: 1fr; }
    LineTable > .line-table--cursor { text-style: reverse; }
    """

    def __init__(self, rows: Sequence[Item], **options: Any) -> None:
        super().__init__()
        self.table: LineTable[Item, None] = LineTable(COLUMNS, None, **options)
        self.items = rows
        self.opened: list[str] = []
        self.heads: list[str] = []
        self.highlighted: list[str] = []
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = THEMES[0].name

    def compose(self) -> ComposeResult:
        yield self.table

    def on_mount(self) -> None:
        self.table.show(self.items, None)

    def on_line_table_opened(self, message: LineTable.Opened) -> None:
        self.opened.append(message.row.id)

    def on_line_table_head_clicked(self, message: LineTable.HeadClicked) -> None:
        self.heads.append(message.column)

    def on_line_table_highlighted(self, message: LineTable.Highlighted) -> None:
        self.highlighted.append(message.row.id if message.row else "")

    def lines(self) -> list[str]:
        strips = self.screen._compositor.render_strips()
        return ["".join(segment.text for segment in strip).rstrip() for strip in strips]


@asynccontextmanager
async def shown(
    rows: Sequence[Item], size: tuple[int, int] = (30, 8), **options: Any
) -> AsyncIterator[tuple[TableApp, Pilot[Any]]]:
    app = TableApp(rows, **options)
    async with running(app, size) as pilot:
        await pilot.pause()
        yield app, pilot


def items(count: int) -> list[Item]:
    return [Item(f"r{index}", index) for index in range(count)]


@driven
async def test_the_cursor_stays_on_its_row_and_in_sight() -> None:
    async with shown(items(100)) as (app, pilot):
        table = app.table
        table.move(50)
        table.show(items(100)[::-1], None)
        await pilot.pause()
        assert table.row is not None
        assert table.row.id == "r50"
        assert any("r50" in line for line in app.lines())
        table.show(items(3), None)
        assert table.row.id in {"r0", "r1", "r2"}
        table.move(-1000)
        table.page(1)
        assert table.cursor == 2
        table.show([], None)
        assert table.row is None


@driven
async def test_who_scrolled_away_from_the_cursor_is_not_taken_back_by_news() -> None:
    async with shown(items(100)) as (app, pilot):
        table = app.table
        table.scroll_to(y=40, animate=False, immediate=True)
        for rows in (items(100), items(100)[::-1], items(101)):
            table.show(rows, None)
            await pilot.pause()
            assert table.scroll_offset.y == 40
        await pilot.resize_terminal(30, 5)
        assert table.scroll_offset.y == 40, "a message took some lines"
        table.move(0)
        assert table.scroll_offset.y == 0
        table.scroll_to(y=40, animate=False, immediate=True)
        table.show(items(10), None)
        await pilot.pause()
        assert [line.split()[0] for line in app.lines()[1:]] == ["r6", "r7", "r8", "r9"]
        table.move(1)
        assert [table.cursor, table.scroll_offset.y] == [1, 1]


@driven
async def test_a_cursor_in_sight_stays_there_where_lines_are_taken_away() -> None:
    async with shown(items(100)) as (app, pilot):
        app.table.move(6)
        assert app.table.scroll_offset.y == 0
        await pilot.resize_terminal(30, 5)
        assert app.table.scroll_offset.y == 3
        app.table.show(items(100)[::-1], None)
        assert app.table.scroll_offset.y == 90, "93 is the last of four"


@driven
async def test_the_mouse_moves_opens_and_sorts() -> None:
    async with shown(items(100)) as (app, pilot):
        await pilot.click(LineTable, offset=(2, 3))
        assert app.table.cursor == 2
        assert app.opened == []
        await pilot.click(LineTable, offset=(2, 3), times=2)
        assert app.opened == ["r2"]
        await pilot.click(LineTable, offset=(10, 0))
        assert app.heads == ["value"]
        app.table.scroll_to(y=40, animate=False, immediate=True)
        await pilot.click(LineTable, offset=(2, 1))
        assert app.table.cursor == 40


@driven
async def test_one_click_opens_a_choice_and_no_head_is_shown() -> None:
    async with shown(items(3), has_head=False, opens_on_click=True) as (app, pilot):
        assert app.lines()[0].split() == ["▌r0", "0"]
        await pilot.click(LineTable, offset=(2, 1))
        assert app.opened == ["r1"]
        await pilot.click(LineTable, offset=(2, 6))
        assert app.opened == ["r1"], "nothing is below the last row"


@driven
async def test_columns_without_room_are_named_below_the_rows() -> None:
    async with shown(items(3), size=(12, 8)) as (app, pilot):
        assert app.table.columns == ["name"]
        assert app.lines()[-1].strip().startswith("1 column")
        await pilot.resize_terminal(40, 8)
        assert app.table.columns == ["name", "value"]
        assert app.lines()[-1].strip() == ""


@driven
async def test_ten_thousand_rows_cost_no_more_cells_than_are_on_the_screen() -> None:
    formatted = 0

    def counted(row: Item, _: None, width: int) -> tuple[str, str]:
        nonlocal formatted
        formatted += 1
        return row.id[:width], ""

    async with shown(items(10_000)) as (app, pilot):
        app.table.show(items(10_000), None, columns=[Column(key="n", title="n", width=6, rank=0, cell=counted)])
        await pilot.pause()
        assert 0 < formatted <= 8
        before = formatted
        app.table.move(1)
        await pilot.pause()
        assert formatted - before <= 2, "only the two lines the cursor touches"
        before = formatted
        app.table.update_rows([Item("r2", 5), Item("r9000", 5)])
        await pilot.pause()
        await asyncio.sleep(0)
        assert formatted - before == 1, "a row out of sight is not formatted"
        assert app.highlighted[-1] == "r1"
