"""Small questions over a screen. Escape always means no; what destroys says what is lost.

Texts are shown as they are: nothing in them is markup. Keys named in the last line answer clicks too.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec
from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.events import Click, Key, Resize
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Input, Static

from alexnet_tui.text import printable
from alexnet_tui.tui.glyphs import pad
from alexnet_tui.tui.keys import Keys, key_name, row_keys
from alexnet_tui.tui.threads import call
from alexnet_tui.tui.widgets.columns import Column
from alexnet_tui.tui.widgets.line_input import LineInput
from alexnet_tui.tui.widgets.pressable import KeysText, pressable
from alexnet_tui.tui.widgets.table import LineTable

Answer = TypeVar("Answer")
_SHORT_HEIGHT = 18
_dialog, _confirm, _text, _choice = Keys("dialog"), Keys("confirm"), Keys("text"), Keys("choice")


class KeysLine(KeysText):
    """The last line of a dialog: what to press; a click on a key presses it."""

    def __init__(self, *keys: tuple[str, str]) -> None:
        parts = [
            pressable(Content.assemble((key_name(key), "bold $accent"), " ", (name, "$text-muted")), key)
            for key, name in keys
        ]
        super().__init__(Content("   ").join(parts), classes="dialog-keys")


class DialogScreen(ModalScreen[Answer]):
    """A box in the middle of the screen that escape closes."""

    AUTO_FOCUS = ""
    BINDINGS = [_dialog("escape", "cancel", "Back", "Close this and change nothing.")]

    def __init__(self, title: str) -> None:
        super().__init__()
        self._title = printable(title, 300)
        self._is_answered = False

    def on_mount(self) -> None:
        """Leave out blank lines on a low terminal."""
        self.set_class(self.app.size.height < _SHORT_HEIGHT, "-short")

    def on_resize(self, event: Resize) -> None:
        """The terminal may have become lower under the dialog."""
        self.set_class(event.size.height < _SHORT_HEIGHT, "-short")

    def can_view_entire(self, widget: Widget) -> bool:
        """Whether a widget is in sight and not below the line of keys; where it is not, focusing it scrolls there."""
        covered = any(widget.region.overlaps(keys.region) for keys in self.query(KeysLine))
        return super().can_view_entire(widget) and not covered

    def answer(self, result: Answer | None) -> None:
        """Close with an answer; further ones, as from two keys read at once, come too late.

        One that comes when another screen lies above already would close that one; the dialog asks on.
        """
        if self.app.screen is self and not self._is_answered:
            self._is_answered = True
            self.dismiss(result)

    def action_cancel(self) -> None:
        """Close without an answer."""
        self.answer(None)


class ConfirmScreen(DialogScreen[bool]):
    """Asks before an act; only y is a yes, since all that is asked about takes hours, downloads or destroys.

    Args:
        title: The question.
        lines: What the act does, or what is lost.
        action: The act, one or two words.
        destructive: Something cannot be brought back; the box shows it.
        details: Makes better lines in a thread, where that takes a while.
    """

    BINDINGS = [
        _confirm("y", "confirm", "Yes", "Do it."),
        _confirm("n", "cancel", "No", "Change nothing."),
        _confirm("up,pageup", "scroll(-1)", "Read up", "What is above.", show=False),
        _confirm("down,pagedown", "scroll(1)", "Read on", "What is below.", show=False),
    ]

    def __init__(
        self,
        title: str,
        lines: Sequence[str],
        *,
        action: str,
        destructive: bool = False,
        details: Callable[[], Sequence[str]] | None = None,
    ) -> None:
        super().__init__(title)
        self._lines = [printable(line, 500) for line in lines]
        self._action = action
        self._is_destructive = destructive
        self._details = details

    def compose(self) -> ComposeResult:
        """Title, what happens, keys."""
        with Vertical(classes="dialog -destructive" if self._is_destructive else "dialog"):
            yield Static(Content(self._title), classes="dialog-title")
            yield Static(Content("\n".join(self._lines)), classes="dialog-text")
            yield KeysLine(("y", self._action), ("n", "No"), ("escape", "Back"))

    def on_mount(self) -> None:
        """Have the details made."""
        if self._details is not None:
            self.run_worker(self._show_details(self._details))

    async def _show_details(self, details: Callable[[], Sequence[str]]) -> None:
        lines = await call(details)
        self.query_one(".dialog-text", Static).update(Content("\n".join(printable(line, 500) for line in lines)))

    def action_scroll(self, pages: int) -> None:
        """Read on in a text that has more lines than the box."""
        box = self.query_one(".dialog")
        box.scroll_relative(y=pages * max(1, box.size.height // 2), animate=False)

    def action_confirm(self) -> None:
        """Yes."""
        self.answer(True)

    def action_cancel(self) -> None:
        """No."""
        self.answer(False)


class TextScreen(DialogScreen[str | None]):
    """Asks for one line of text; escape gives None.

    Args:
        title: What is asked.
        value: The text to begin with; the cursor is behind it, and typing adds to it.
        hint: One line below the field.
    """

    AUTO_FOCUS = "Input"
    BINDINGS = [_text("enter", "submit", "Save", "Save the text.", show=False)]

    def __init__(self, title: str, value: str, *, hint: str, limit: int = 2000) -> None:
        super().__init__(title)
        self._value = printable(value, limit)
        self._hint = printable(hint, 500)
        self._limit = limit

    def compose(self) -> ComposeResult:
        """Title, field, hint, keys."""
        field = LineInput(self._value, max_length=self._limit, id="dialog-input", compact=True, select_on_focus=False)
        field.cursor_blink = False
        with Vertical(classes="dialog"):
            yield Static(Content(self._title), classes="dialog-title")
            yield field
            hint = Static(Content(self._hint), classes="dialog-hint")
            hint.display = bool(self._hint)
            yield hint
            yield KeysLine(("enter", "Save"), ("escape", "Back"))

    def on_mount(self) -> None:
        """Begin behind the text."""
        self.call_after_refresh(self._show_end)  # Once the field has its size.

    def _show_end(self) -> None:
        for field in self.query(Input):  # None, where the dialog was closed before it was drawn.
            field.action_home()  # A cursor that is at the end already scrolls nothing.
            field.action_end()

    @on(LineInput.TooLong)
    def _refuse(self, message: LineInput.TooLong) -> None:
        self._show_hint(message.sentence)

    def on_input_changed(self) -> None:
        """A refusal is over once something is typed."""
        self._show_hint(self._hint)

    def _show_hint(self, text: str) -> None:
        hint = self.query_one(".dialog-hint", Static)
        hint.display = bool(text)
        hint.update(Content(text))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter saves."""
        event.stop()
        self.answer(event.value)

    def action_submit(self) -> None:
        """Save, when the field has lost the focus."""
        self.answer(self.query_one(Input).value)


class _Choice(msgspec.Struct, frozen=True):
    """One of the choices: its key, its value and its name."""

    key: str
    id: str
    name: str


_CHOICE_COLUMNS: tuple[Column[_Choice, None], ...] = (
    Column(key="key", title="", width=1, rank=1, cell=lambda row, _, __: (row.key, "accent")),
    Column(
        key="name",
        title="",
        width=8,
        max_width=300,
        rank=0,
        cell=lambda row, _, width: (pad(printable(row.name, 300), width), ""),
    ),
)


class ChoiceScreen(DialogScreen[str | None]):
    """Asks for one of a few things, each with a key of its own; escape gives None.

    Args:
        title: What is asked.
        choices: Value and name, in order; the first nine and then letters are their keys.
        current: The value chosen now.
    """

    _KEYS = "123456789abcdefghilmnopqrstuvwxyz"
    BINDINGS = [*row_keys("choice", "choice"), _choice("enter", "choose", "Choose", "Take this choice.", show=False)]

    def __init__(self, title: str, choices: Sequence[tuple[str, str]], current: str = "") -> None:
        super().__init__(title)
        keys = self._KEYS + " " * max(0, len(choices) - len(self._KEYS))
        self._choices = [_Choice(key, value, name) for key, (value, name) in zip(keys, choices, strict=False)]
        self._current = current

    @property
    def table(self) -> LineTable[_Choice, None]:
        """The choices."""
        return self.query_one(LineTable)

    def compose(self) -> ComposeResult:
        """Title, the choices, keys."""
        table = LineTable(_CHOICE_COLUMNS, None, has_head=False, opens_on_click=True, id="choices")
        table.can_focus = False
        with Vertical(classes="dialog -list"):
            yield Static(Content(self._title), classes="dialog-title")
            yield table
            yield KeysLine(("enter", "Choose"), ("escape", "Back"))

    def on_click(self, event: Click) -> None:
        """A click beside the box closes it."""
        if event.widget is self:
            self.action_cancel()

    def on_mount(self) -> None:
        """Begin at the present choice."""
        self._fit(self.app.size.height)
        self.table.show(self._choices, None)
        self.table.move_to(next((place for place, one in enumerate(self._choices) if one.id == self._current), 0))

    def on_resize(self, event: Resize) -> None:
        """More or fewer choices are shown at a time."""
        self._fit(event.size.height)

    def _fit(self, height: int) -> None:
        frame = 5 if height < _SHORT_HEIGHT else 8
        self.table.styles.height = max(1, min(len(self._choices), height - frame))

    def action_move(self, rows: int) -> None:
        """Move to another choice; beyond the last is the first."""
        count = len(self._choices)
        self.table.move_to((self.table.cursor + rows) % count if abs(rows) == 1 else self.table.cursor + rows)

    def action_page(self, pages: int) -> None:
        """Move by as many choices as are shown."""
        self.table.page(pages)

    @on(LineTable.Opened)
    def action_choose(self) -> None:
        """Take the choice under the cursor."""
        if row := self.table.row:
            self.answer(row.id)

    def on_key(self, event: Key) -> None:
        """A choice's own key takes it at once."""
        chosen = next((one for one in self._choices if one.key == event.character and one.key.strip()), None)
        if chosen is not None:
            event.stop()
            self.answer(chosen.id)
