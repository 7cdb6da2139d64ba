"""The line above the table that narrows it while one types."""

from collections.abc import Iterator
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.suggester import Suggester
from textual.widget import Widget
from textual.widgets import Input, Static

from alexnet_tui.text import printable
from alexnet_tui.tui.keys import Keys
from alexnet_tui.tui.screens.runs import filter as query
from alexnet_tui.tui.widgets.line_input import LineInput

_key = Keys("filter")


class _Field(LineInput):
    BINDINGS: ClassVar[list[BindingType]] = [
        _key("enter", "submit", "Keep", "Keep the filter, back to the runs."),
        _key("right", "cursor_right", "Complete", "Take the word that is offered in grey."),
        _key("ctrl+u", "delete_left_all", "Clear", "Clear the filter line."),
    ]


class _Completion(Suggester):
    """Finishes the word that is being typed, in grey; the right arrow takes it."""

    async def get_suggestion(self, value: str) -> str | None:
        """The whole line with its last word finished."""
        return query.completed(value)


class FilterLine(Vertical):
    """Holds the last valid filter, and shows the error of an invalid one.

    Its parts are mounted with the first filter, to keep them out of the start.

    Args:
        text: The filter to begin with.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        _key("escape", "undo", "Undo", "Back to the filter as it was."),
    ]

    class Changed(Message):
        """Another filter holds."""

    class Left(Message):
        """The line was left; the table has the keys again."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text
        self._before = text
        self._is_open = False
        self._count = (-1, -1)
        try:
            self.query_now = query.parse(text)
        except query.QueryError:  # From settings of another version.
            self.text, self.query_now = "", query.parse("")
        self.display = bool(self.text)

    def compose(self) -> ComposeResult:
        """Its parts, where a filter was remembered."""
        if self.text:
            yield from self._parts()

    def _parts(self) -> Iterator[Widget]:
        """A prompt, the field, the count of hits; an error below."""
        field = _Field(
            self.text,
            placeholder=query.EXAMPLE,
            id="filter",
            compact=True,
            max_length=300,
            select_on_focus=False,
            suggester=_Completion(use_cache=False, case_sensitive=True),
        )
        field.cursor_blink = False
        prompt, count = Static(Content("/"), id="filter-prompt"), Static(id="filter-count")
        yield Horizontal(prompt, field, count, id="filter-row")
        yield Static(id="filter-error")

    @property
    def _field(self) -> Input:
        return self.query_one(_Field)

    @property
    def is_editing(self) -> bool:
        """Whether the field has the keys."""
        return bool(self.children) and self.screen.focused is self._field

    async def start(self) -> None:
        """Edit the filter."""
        self._before, self._is_open = self.text, True
        if not self.children:
            await self.mount_all(self._parts())
        self.display = True
        self.screen.set_focus(self._field)

    def clear(self) -> None:
        """Show every run again."""
        if not self.children:
            return
        self._field.value = ""
        self._read("")
        self.post_message(self.Left())

    def show_count(self, hits: int, total: int) -> None:
        """Say how many runs fit; hide the line where there is no filter."""
        is_shown = bool(self.text) or self.is_editing
        if self.display != is_shown:
            self.display = is_shown
        if is_shown and self._count != (hits, total):
            self._count = hits, total
            self.query_one("#filter-count", Static).update(Content(f"{hits} of {total}"))

    def action_undo(self) -> None:
        """Leave the line and the filter as it was."""
        self._field.value = self._before
        self._read(self._before)
        self._leave()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Narrow while typing."""
        event.stop()
        self._read(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Keep the filter; one that means nothing stays to be mended, with the reason."""
        event.stop()
        self._read(event.value)
        if not self._has_error:
            self._leave()

    def on_descendant_blur(self) -> None:
        """Tab or a click leaves it too: the words that mean something are kept. A terminal without focus does not."""
        if self._is_open and self.app.app_focus and not self.is_editing:
            if self._has_error:
                self._field.value = self.text
                self._show_error("")
            self._leave()

    def _leave(self) -> None:
        self._is_open = False
        self.post_message(self.Left())

    @property
    def _has_error(self) -> bool:
        return self.query_one("#filter-error").has_class("-shown")

    @on(LineInput.TooLong)
    def _refuse(self, message: LineInput.TooLong) -> None:
        self._show_error(message.sentence)

    def _show_error(self, sentence: str) -> None:
        """Show an error, or none."""
        error = self.query_one("#filter-error", Static)
        if sentence:
            error.update(Content(printable(sentence, 300)))
        error.set_class(bool(sentence), "-shown")

    def _read(self, text: str) -> None:
        """Take a filter in; while its last word means nothing, the words before it hold."""
        try:
            parsed = query.parse(text)
        except query.QueryError as problem:
            self._show_error(str(problem))
            text = query.without_last_word(text)
            try:
                parsed = query.parse(text)
            except query.QueryError:
                return
        else:
            self._show_error("")
        if text != self.text:
            self.text, self.query_now = text, parsed
            self.post_message(self.Changed())
