"""Text on a screen: a page that scrolls, and lines that hang under their first."""

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from alexnet_tui.text import printable, spelled_out
from alexnet_tui.tui.keys import row_keys

TONE_STYLES = {
    "": "",
    "good": "$success",
    "bad": "$error",
    "warn": "$warning",
    "live": "$running",
    "muted": "$text-muted",
}
"""The theme's styles for the words that pure code has for colours; cells of tables have them in the style sheet."""
_LEAST_CELLS = 16
_MAX_CHARS = 4000


def hanging(label: str, text: str, width: int, *, label_style: str = "", style: str = "") -> list[Content]:
    """A label and a text in lines of at most `width` cells, the text wrapped under itself.

    The lines are longer where the label leaves the text fewer than 16 cells. Ids and options such as
    ``--train-images`` stay whole where they fit into a line.
    """
    indent = cell_len(label)
    room = max(2, min(_LEAST_CELLS, width), width - indent)
    first, *rest = (line.plain for line in Content(spelled_out(printable(text, _MAX_CHARS))).wrap(room))
    lines = [Content.assemble((label, label_style), (first, style))]
    return [*lines, *(Content.assemble(" " * indent, (part, style)) for part in rest)]


class TextPage(VerticalScroll, inherit_bindings=False):
    """A page of text; it keeps its place, or follows the end while one looks at the end."""

    BINDINGS = [*row_keys("page", "line")]

    def __init__(self, *, id: str | None = None, follows: bool = False) -> None:
        super().__init__(id=id)
        self._follows = follows
        self._shown: Content | None = None

    def compose(self) -> ComposeResult:
        """One block of text."""
        yield Static(id="text", markup=False)

    def action_move(self, lines: int) -> None:
        """Scroll by lines."""
        self.scroll_relative(y=lines, animate=False)

    def action_page(self, pages: int) -> None:
        """Scroll by what is shown at a time."""
        self.scroll_relative(y=pages * self.size.height, animate=False)

    def show(self, content: Content) -> None:
        """Replace the text, if it is another one."""
        if self._shown is not None and self._shown.is_same(content):
            return
        at_end = self._shown is None or self.scroll_offset.y >= self.max_scroll_y - 1
        self._shown = content
        self.query_one("#text", Static).update(content)
        if self._follows and at_end:
            self.call_after_refresh(self.scroll_end, animate=False)
