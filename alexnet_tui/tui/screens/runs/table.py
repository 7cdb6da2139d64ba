"""`RunsTable`: rows drawn line by line, so that ten thousand cost no more than those on the screen.

Textual's own table measures and stores every cell and paints the whole view for one changed cell; this one
formats a row when it comes into view and repaints single lines.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec
from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.events import Click, Resize
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from alexnet_tui.tui.screens.runs.column_fit import GAP, fit, tell_hidden
from alexnet_tui.tui.screens.runs.columns import Column, Context
from alexnet_tui.tui.screens.runs.rows import RunRow
from alexnet_tui.tui.widgets.glyphs import UNICODE

_STYLES = ("muted", "faint", "good", "bad", "live", "warn", "accent", "strong", "curve")
_CACHE_LINES = 512


class RunsTable(ScrollView, can_focus=True, inherit_bindings=False):
    """A table of runs with a cursor line; it shows rows and posts what is done to them.

    Its screen has the keys, so that they work from the filter line too.
    """

    ALLOW_SELECT = False

    COMPONENT_CLASSES = {
        "runs-table--header",
        "runs-table--sorted",
        "runs-table--cursor",
        "runs-table--marked",
        *(f"runs-table--{name}" for name in _STYLES),
    }

    @dataclass
    class Highlighted(Message):
        """The cursor came to rest on another row; None where there are no rows."""

        row: RunRow | None

    @dataclass
    class Opened(Message):
        """A row was clicked a second time."""

        row: RunRow

    @dataclass
    class HeaderClicked(Message):
        """The head of a column was clicked."""

        column: str

    def __init__(self) -> None:
        super().__init__()
        self.rows: Sequence[RunRow] = ()
        self.context = Context(glyphs=UNICODE, ascii_only=False, pinned=None, marked=frozenset())
        self.cursor = 0
        self._sort = ("created", True)
        self._is_grouped = False
        self._layout: list[tuple[Column, int]] = []
        self._layout_width = -1
        self._cell_context = self.context
        self._lines: dict[tuple[str, bool], Strip] = {}
        self._told: RunRow | None = None
        self._palette: dict[str, Style] | None = None

    @property
    def row(self) -> RunRow | None:
        """The row under the cursor."""
        return self.rows[self.cursor] if 0 <= self.cursor < len(self.rows) else None

    @property
    def _width(self) -> int:
        """Cells beside the scroll bar."""
        return self.scrollable_content_region.width

    @property
    def columns(self) -> list[str]:
        """Keys of the columns there is room for."""
        return [column.key for column, _ in self._layout]

    def show(self, rows: Sequence[RunRow], context: Context, *, sort: tuple[str, bool], is_grouped: bool) -> None:
        """Show other rows, or the same in another order; the cursor stays on its run while it is there."""
        before = self.row
        self.rows, self.context = rows, context
        self._sort, self._is_grouped = sort, is_grouped
        if before is not None:
            self.cursor = self._find(before, self.cursor)
        self.cursor = max(0, min(self.cursor, len(rows) - 1))
        self._relayout()
        self._tell()

    def can_update(self, rows: Sequence[RunRow], context: Context, *, sort: tuple[str, bool], is_grouped: bool) -> bool:
        """Whether the same lines stand in the same order, so that `update_rows` is enough."""
        return (
            self._sort == sort
            and self._is_grouped == is_grouped
            and self.context == context
            and [row.id for row in rows] == [row.id for row in self.rows]
        )

    def update_rows(self, changed: Iterable[RunRow]) -> None:
        """Show new values of rows that keep their place; only their lines are painted."""
        fresh = {row.id: row for row in changed}
        if not fresh:
            return
        self.rows = [fresh.get(row.id, row) for row in self.rows]
        for run_id in fresh:
            self._lines.pop((run_id, True), None)
            self._lines.pop((run_id, False), None)
        top = self.scroll_offset.y
        for index in range(top, min(len(self.rows), top + self.size.height)):
            if self.rows[index].id in fresh:
                self._refresh_row(index)

    def move(self, rows: int) -> None:
        """Move the cursor by so many rows."""
        self._move_to(self.cursor + rows)

    def page(self, pages: int) -> None:
        """Move the cursor by so many screens."""
        self._move_to(self.cursor + pages * max(1, self.size.height - 2))

    def render_line(self, y: int) -> Strip:
        """The head, or the row at that height."""
        width = self._width
        if self._layout_width != width:
            self._lay_out()
        if y == 0:
            return Strip.blank(width, self.rich_style) if self.has_class("-bare") else self._head(width)
        index = y - 1 + self.scroll_offset.y
        if index >= len(self.rows):
            return self._aside(width) if y == self.size.height - 1 else Strip.blank(width, self.rich_style)
        row, is_cursor = self.rows[index], index == self.cursor
        key = (row.id, is_cursor)
        strip = self._lines.get(key)
        if strip is None:
            if len(self._lines) > _CACHE_LINES:
                self._lines.clear()
            strip = self._lines[key] = self._line(row, is_cursor, width)
        return strip

    def notify_style_update(self) -> None:
        """Another theme, or the focus came or went: every line looks different."""
        super().notify_style_update()
        self._palette = None
        self._lines.clear()

    def on_resize(self, event: Resize) -> None:
        """Other columns may fit."""
        if self._layout_width != self._width:
            self._relayout()
        self._scroll_to_cursor()

    def on_click(self, event: Click) -> None:
        """A click moves the cursor, a second one opens; a click on a head sorts."""
        if event.y == 0:
            self._click_head(event.x)
            return
        index = event.y - 1 + self.scroll_offset.y
        if index >= len(self.rows):
            return
        if index == self.cursor and event.chain > 1:
            self.post_message(self.Opened(self.rows[index]))
        self._move_to(index)

    def _click_head(self, x: int) -> None:
        left = 1
        for column, width in self._layout:
            if left <= x < left + width + GAP:
                self.post_message(self.HeaderClicked(column.key))
                return
            left += width + GAP

    def _find(self, before: RunRow, otherwise: int) -> int:
        for index, row in enumerate(self.rows):
            if row.id == before.id or before.id in row.members:
                return index
        return otherwise

    def _relayout(self) -> None:
        self._lay_out()
        self.virtual_size = Size(self._width, len(self.rows) + 1)
        self.refresh()

    def _lay_out(self) -> None:
        """Choose the columns for the width there is."""
        self._lines.clear()
        self._layout_width = self._width
        # The last column does not touch the scroll bar.
        self._layout = fit(self._width - 1, has_pin=self.context.pinned is not None, is_grouped=self._is_grouped)
        self._cell_context = msgspec.structs.replace(self.context, names_variants="variant" not in self.columns)

    def _move_to(self, index: int) -> None:
        index = max(0, min(index, len(self.rows) - 1))
        if index != self.cursor:
            old, self.cursor = self.cursor, index
            self._refresh_row(old)
            self._refresh_row(index)
            self._scroll_to_cursor()
        self._tell()

    def _scroll_to_cursor(self) -> None:
        visible, top = max(1, self.size.height - 1), self.scroll_offset.y
        if self.cursor < top:
            self.scroll_to(y=self.cursor, animate=False, immediate=True)
        elif self.cursor >= top + visible:
            self.scroll_to(y=self.cursor - visible + 1, animate=False, immediate=True)

    def _refresh_row(self, index: int) -> None:
        y = index - self.scroll_offset.y + 1
        if 0 < y < self.size.height:
            self.refresh(Region(0, y, self._width, 1))

    def _tell(self) -> None:
        row = self.row
        if row is not self._told:
            self._told = row
            self.post_message(self.Highlighted(row))

    def _head(self, width: int) -> Strip:
        plain = self.get_component_rich_style("runs-table--header")
        lit = self.get_component_rich_style("runs-table--sorted")
        key, is_descending = self._sort
        segments = [Segment(" ", plain)]
        for position, (column, cells) in enumerate(self._layout):
            is_sorted = column.key == key
            if position:
                arrow = self.context.glyphs.down if is_descending else self.context.glyphs.up
                segments.append(Segment((arrow if is_sorted else " ").rjust(GAP), lit if is_sorted else plain))
            title = column.title.rjust(cells) if column.align_right else column.title.ljust(cells)
            segments.append(Segment(title[:cells], lit if is_sorted else plain))
        return Strip(segments).adjust_cell_length(width, plain)

    @property
    def tells_hidden(self) -> bool:
        """Whether the last line is free to name the columns there is no room for."""
        return len(self.rows) + 1 < self.size.height

    def _aside(self, width: int) -> Strip:
        hidden = tell_hidden(self.columns, has_pin=self.context.pinned is not None, is_grouped=self._is_grouped)
        text = self.context.glyphs.cut(hidden, max(0, width - 2)) if self.rows else ""
        return Strip([Segment(f" {text}", self.rich_style + self._colours()["muted"])]).adjust_cell_length(
            width, self.rich_style
        )

    def _line(self, row: RunRow, is_cursor: bool, width: int) -> Strip:
        base = self._base(row, is_cursor)
        palette = self._colours()
        segments = [Segment(" ", base)]
        for position, (column, cells) in enumerate(self._layout):
            text, name = column.cell(row, self._cell_context, cells)
            style = base if not name else palette[name] + base if is_cursor else base + palette[name]
            if is_cursor and name:
                style = base + Style(color=palette[name].color)
            blanks = " " * (cells - cell_len(text))
            aligned = blanks + text if column.align_right else text + blanks
            if position:
                segments.append(Segment(" " * GAP, base))
            segments.append(Segment(aligned, style))
        return Strip(segments).simplify().adjust_cell_length(width, base)

    def _base(self, row: RunRow, is_cursor: bool) -> Style:
        if is_cursor:
            return self.get_component_rich_style("runs-table--cursor")
        if not self.context.marked.isdisjoint(row.members):
            return self.get_component_rich_style("runs-table--marked")
        return self.rich_style

    def _colours(self) -> dict[str, Style]:
        """The colour classes without a background, which belongs to the line."""
        if self._palette is None:
            self._palette = {}
            for name in _STYLES:
                style = self.get_component_rich_style(f"runs-table--{name}", partial=True)
                self._palette[name] = Style(color=style.color, bold=style.bold)
        return self._palette
