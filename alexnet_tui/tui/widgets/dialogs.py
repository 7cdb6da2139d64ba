"""Small questions over a screen. Escape always means no; what destroys says what is lost.

Texts are shown as they are: nothing in them is markup.
"""

from collections.abc import Sequence
from typing import TypeVar

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.events import Key
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from alexnet_tui.text import printable

Answer = TypeVar("Answer")


class DialogScreen(ModalScreen[Answer]):
    """A box in the middle of the screen that escape closes."""

    AUTO_FOCUS = ""
    BINDINGS = [Binding("escape", "cancel", "Back", id="dialog.cancel", tooltip="Close this and change nothing.")]

    def __init__(self, title: str) -> None:
        super().__init__()
        self._title = printable(title, 300)

    def on_mount(self) -> None:
        """A low terminal has no room for air."""
        self.set_class(self.app.size.height < 18, "-short")

    def keys_line(self, *keys: tuple[str, str]) -> Static:
        """The line that says what to press."""
        parts = [Content.assemble((key, "bold $accent"), " ", (name, "$text-muted")) for key, name in keys]
        return Static(Content("   ").join(parts), classes="dialog-keys")

    def action_cancel(self) -> None:
        """Close without an answer."""
        self.dismiss(None)


class ConfirmScreen(DialogScreen[bool]):
    """Asks before an act; the answer is True only for y or the act's key.

    Args:
        title: The question.
        lines: What the act does, or what is lost.
        action: The act, one or two words.
        destructive: Something cannot be brought back: enter is then not enough.
    """

    BINDINGS = [
        Binding("y", "confirm", "Yes", id="confirm.yes", tooltip="Do it."),
        Binding("n", "cancel", "No", id="confirm.no", tooltip="Change nothing."),
        Binding("enter", "enter", "Yes", id="confirm.enter", show=False, tooltip="Do it, unless something is lost."),
    ]

    def __init__(
        self, title: str, lines: Sequence[str] = (), *, action: str = "Yes", destructive: bool = False
    ) -> None:
        super().__init__(title)
        self._lines = [printable(line, 500) for line in lines]
        self._action = action
        self._is_destructive = destructive

    def compose(self) -> ComposeResult:
        """Title, what happens, keys."""
        with Vertical(classes="dialog -destructive" if self._is_destructive else "dialog"):
            yield Static(Content(self._title), classes="dialog-title")
            yield Static(Content("\n".join(self._lines)), classes="dialog-text")
            yield self.keys_line(("y", self._action), ("n", "No"), ("esc", "Back"))

    def action_confirm(self) -> None:
        """Yes."""
        self.dismiss(True)

    def action_enter(self) -> None:
        """Enter is yes only where nothing is lost."""
        if not self._is_destructive:
            self.dismiss(True)

    def action_cancel(self) -> None:
        """No."""
        self.dismiss(False)


class TextScreen(DialogScreen[str | None]):
    """Asks for one line of text; escape gives None.

    Args:
        title: What is asked.
        value: The text to begin with.
        hint: One line below the field.
    """

    AUTO_FOCUS = "Input"
    BINDINGS = [
        Binding("enter", "submit", "Save", id="text.save", show=False, tooltip="Save the text."),
    ]

    def __init__(self, title: str, value: str = "", *, hint: str = "", limit: int = 2000) -> None:
        super().__init__(title)
        self._value = printable(value, limit)
        self._hint = printable(hint, 500)
        self._limit = limit

    def compose(self) -> ComposeResult:
        """Title, field, hint, keys."""
        field = Input(self._value, max_length=self._limit, id="dialog-input", compact=True)
        field.cursor_blink = False
        with Vertical(classes="dialog"):
            yield Static(Content(self._title), classes="dialog-title")
            yield field
            if self._hint:
                yield Static(Content(self._hint), classes="dialog-hint")
            yield self.keys_line(("enter", "Save"), ("esc", "Back"))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter saves."""
        event.stop()
        self.dismiss(event.value)

    def action_submit(self) -> None:
        """Save, when the field has lost the focus."""
        self.dismiss(self.query_one(Input).value)


class ChoiceScreen(DialogScreen[str | None]):
    """Asks for one of a few things, each with a key of its own; escape gives None.

    Args:
        title: What is asked.
        choices: Value and name, in order; the first nine and then letters are their keys.
        current: The value chosen now.
    """

    _KEYS = "123456789abcdefghilmnopqrstuvwxyz"
    BINDINGS = [
        Binding("up,k", "move(-1)", "Up", id="choice.up", show=False, tooltip="One choice up."),
        Binding("down,j", "move(1)", "Down", id="choice.down", show=False, tooltip="One choice down."),
        Binding("enter", "choose", "Choose", id="choice.choose", show=False, tooltip="Take this choice."),
    ]

    def __init__(self, title: str, choices: Sequence[tuple[str, str]], current: str = "") -> None:
        super().__init__(title)
        self._choices = list(choices)
        self._index = next((index for index, item in enumerate(choices) if item[0] == current), 0)

    def compose(self) -> ComposeResult:
        """Title, the choices, keys."""
        with Vertical(classes="dialog -list"):
            yield Static(Content(self._title), classes="dialog-title")
            yield Static(self._list(), id="choices", classes="dialog-text")
            yield self.keys_line(("enter", "Choose"), ("esc", "Back"))

    def _list(self) -> Content:
        lines = []
        rows = max(1, self.app.size.height - 8)
        width = max(8, min(72, self.app.size.width * 96 // 100) - 11)
        top = max(0, min(self._index - rows // 2, len(self._choices) - rows))
        for index, (key, (_, name)) in list(enumerate(zip(self._KEYS, self._choices, strict=False)))[top : top + rows]:
            is_here = index == self._index
            style = "bold reverse" if is_here and self.app.no_color else "bold on $cursor-bg" if is_here else ""
            lines.append(Content.assemble((f" {key} ", "$accent"), (f" {printable(name, width):<{width}} ", style)))
        return Content("\n").join(lines)

    def action_move(self, rows: int) -> None:
        """Move to another choice."""
        self._index = (self._index + rows) % len(self._choices)
        self.query_one("#choices", Static).update(self._list())

    def action_choose(self) -> None:
        """Take the choice under the cursor."""
        self.dismiss(self._choices[self._index][0])

    def on_key(self, event: Key) -> None:
        """A choice's own key takes it at once."""
        position = self._KEYS.find(event.character) if event.character else -1
        if 0 <= position < len(self._choices) and len(event.character or "") == 1:
            event.stop()
            self.dismiss(self._choices[position][0])
