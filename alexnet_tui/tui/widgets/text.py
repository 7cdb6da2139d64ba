"""Small parts of the Run and Compare screens: a strip of page names, and a page of text that scrolls."""

from collections.abc import Sequence

from textual.app import ComposeResult, RenderResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.events import Click
from textual.message import Message
from textual.reactive import reactive
from textual.style import Style
from textual.widget import Widget
from textual.widgets import Static

from alexnet_tui.tui.terminal import TWINS

_ASCII = str.maketrans(dict(TWINS))  # One cell each, so that styles stay where they are.
_STYLES = {"": "", "error": "$error", "warning": "$warning", "good": "$success", "muted": "$text-muted"}


def style_of(name: str) -> str:
    """The theme's style for a word of `screens.run.facts`."""
    return _STYLES[name]


def plain(content: Content, ascii_only: bool) -> Content:
    """The same text in ASCII where the terminal has no more."""
    return Content(content.plain.translate(_ASCII), spans=list(content.spans)) if ascii_only else content


class PageStrip(Widget):
    """Names of pages on one line; the open one is lit."""

    page: reactive[int] = reactive(0)
    note: reactive[Content] = reactive(Content(""), always_update=True)

    class Chosen(Message):
        """A page was clicked."""

        def __init__(self, page: int) -> None:
            self.page = page
            super().__init__()

    def __init__(self, names: Sequence[str], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.names = tuple(names)

    def render(self) -> RenderResult:
        """One line, and what else there is to say at its right."""
        parts = []
        for index, name in enumerate(self.names):
            is_open = index == self.page
            lit = "bold reverse" if self.app.no_color else "bold $accent underline"
            style = lit if is_open else "$text-muted"
            text = Content.styled(f" {name} ", style).stylize(Style.from_meta({"page": index}))
            parts.append(text)
        left = Content(" ").join(parts)
        room = self.size.width - left.cell_length - 1
        note = self.note if self.note.cell_length < room else Content("")
        return left + Content(" " * max(1, room - note.cell_length)) + note

    def on_click(self, event: Click) -> None:
        """A click on a name opens its page."""
        page = event.style.meta.get("page")
        if isinstance(page, int):
            self.post_message(self.Chosen(page))


class TextPage(VerticalScroll):
    """A page of text; it keeps its place, or follows the end while one looks at the end."""

    def __init__(self, *, id: str | None = None, follows: bool = False) -> None:
        super().__init__(id=id)
        self._follows = follows
        self._shown: Content | None = None

    def compose(self) -> ComposeResult:
        """One block of text."""
        yield Static(id="text", markup=False)

    def show(self, content: Content) -> None:
        """Replace the text, if it is another one."""
        if self._shown is not None and self._shown.is_same(content):
            return
        at_end = self._shown is None or self.scroll_offset.y >= self.max_scroll_y - 1
        self._shown = content
        self.query_one("#text", Static).update(content)
        if self._follows and at_end:
            self.call_after_refresh(self.scroll_end, animate=False)
