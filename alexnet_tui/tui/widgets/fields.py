"""Editors of one text each: a line to type in, words in a line, cards. They know no hyperparameter.

An editor posts `FieldEdited` when a person changed its text; setting the text from the program posts nothing.
Plain text inputs are used throughout, because typed ones drop characters without a word.
"""

from collections.abc import Callable, Sequence
from typing import ClassVar

import msgspec
from textual import events
from textual.actions import SkipAction
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive
from textual.style import Style
from textual.widget import Widget
from textual.widgets import Input, Static

from alexnet_tui.text import printable
from alexnet_tui.tui.glyphs import CHOSEN, UNCHOSEN
from alexnet_tui.tui.keys import Keys
from alexnet_tui.tui.widgets.line_input import LineInput

_key = Keys("form")
_NAME_LIMIT = 64
_TITLE_CELLS = 29
_MAX_CHARS = 8000
"""A thousand seeds, one by one."""


class Option(msgspec.Struct, frozen=True):
    """One of the words a field may hold.

    Attributes:
        value: The word.
        title: Its name for people; the word itself where empty.
        note: A sentence about it.
        result: A short fact, shown apart.
    """

    value: str
    title: str = ""
    note: str = ""
    result: str = ""

    @property
    def label(self) -> str:
        """What people read."""
        return self.title or self.value


class FieldInfo(msgspec.Struct, frozen=True):
    """What a row shows around its editor.

    Attributes:
        name: Name of the field.
        title: Label for people.
        help: One sentence.
        hint: Range and unit, short.
        options: The words to choose from; a text field where there are none.
        step: Of a number: the text and 1 or -1 to the text of the next number, up or down.
    """

    name: str
    title: str
    help: str
    hint: str = ""
    options: tuple[Option, ...] = ()
    step: Callable[[str, int], str] | None = None


class FieldEdited(Message):
    """A person changed the text of a field."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__()
        self.name = name
        self.text = text


class TextField(LineInput):
    """A line of text; the first escape leaves it, the arrows go to the neighbours."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Leave field", show=False, id="form.leave"),
    ]

    def __init__(self, info: FieldInfo) -> None:
        # A class of its own for compact or valid fields would have each styled twice.
        super().__init__(max_length=_MAX_CHARS, id=f"edit-{info.name}", validate_on=())
        self.info = info
        self.cursor_blink = False
        self._is_new = False

    @property
    def text(self) -> str:
        """The text of the field."""
        return self.value

    def set_text(self, text: str) -> None:
        """Replace the text without a message."""
        if text != self.value:
            with self.prevent(Input.Changed):
                self.value = text

    def action_leave(self) -> None:
        """Give up the cursor, keep the text."""
        self.screen.set_focus(None)

    def on_focus(self) -> None:
        """The first click selects the text, as tab does: what is typed takes its place."""
        self._is_new = True

    def on_key(self) -> None:
        """From here on a click puts the cursor where it is."""
        self._is_new = False

    def on_click(self) -> None:
        """Select the text, but for what was selected by dragging."""
        if self._is_new and self.selection.is_empty:
            self.select_all()
        self._is_new = False

    def step(self, direction: int) -> None:
        """Put in the next number, up or down, as a person does; only a number has one."""
        if self.info.step is not None:
            self.value = self.info.step(self.value, direction)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Over the field with the cursor the wheel changes its number; elsewhere it scrolls the form."""
        self._step_by_wheel(event, 1)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """The number before."""
        self._step_by_wheel(event, -1)

    def _step_by_wheel(self, event: events.MouseEvent, direction: int) -> None:
        if self.has_focus and self.info.step is not None:
            event.stop()
            event.prevent_default()
            self.step(direction)


class ChoiceField(Widget, can_focus=True):
    """Words in one line, one of them chosen with left and right; too many for the line show one at a time.

    A click on a word chooses it; beside one that is alone, a click on an arrow chooses its neighbour.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        _key("left", "move(-1)", "Choose", "Choose a neighbour.", display="←/→", id="previous"),
        _key("right,space", "move(1)", "Next", "Choose the next word.", show=False, id="next"),
        # Beside a number they are meant for it, not for another place.
        Binding("0,1,2,3,4,5,6,7,8,9", "refuse_digit", show=False),
    ]

    class DigitRefused(Message):
        """A digit was typed where words are chosen."""

    text: reactive[str] = reactive("")

    def __init__(self, info: FieldInfo) -> None:
        super().__init__(id=f"edit-{info.name}")
        self.info = info
        self.options: tuple[Option, ...] = info.options

    def set_text(self, text: str) -> None:
        """Choose a word without a message; one that is not offered is added."""
        if text not in self._values():
            self.options = (*self.options, Option(text))
        self.text = text

    def set_options(self, options: Sequence[Option]) -> None:
        """Offer other words; the chosen one stays."""
        self.options = tuple(options)
        self.set_text(self.text)
        self.refresh()

    @property
    def note(self) -> str:
        """The sentence about the chosen word."""
        return next((option.note for option in self.options if option.value == self.text), "")

    def render(self) -> Content:
        """The words with the chosen one marked, or only that one where the line is short."""
        parts = [self._part(option) for option in self.options]
        if sum(part.cell_length for part in parts) + 2 * len(parts) - 2 <= self.size.width:
            return Content("  ").join(parts)
        values, width = self._values(), self.size.width
        place = values.index(self.text) + 1 if self.text in values else 0
        title = next((option.label for option in self.options if option.value == self.text), self.text)
        word = printable(title, max(1, min(_NAME_LIMIT, width - len("<  >"))))
        before, after = (Content(arrow).stylize(_on_click("move", step)) for arrow, step in (("< ", -1), (" >", 1)))
        alone = Content.assemble(before, (word, "$accent bold"), after)
        placed = alone + Content(f" {place}/{len(values)}").stylize("$text-muted")
        return placed if placed.cell_length <= width else alone

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Always one line."""
        return 1

    def action_move(self, step: int) -> None:
        """Choose a neighbour; the ends hold."""
        values = self._values()
        index = values.index(self.text) if self.text in values else 0
        self.choose(values[max(0, min(len(values) - 1, index + step))])

    def action_refuse_digit(self) -> None:
        """Do nothing, and say so."""
        self.post_message(self.DigitRefused())

    def choose(self, value: str) -> None:
        """Choose a word as a person does."""
        if value != self.text:
            self.text = value
            self.post_message(FieldEdited(self.info.name, value))

    def on_click(self, event: events.Click) -> None:
        """Choose the word under the mouse, or the neighbour that an arrow stands for."""
        meta = event.style.meta
        if "choose" in meta:
            self.choose(meta["choose"])
        elif "move" in meta:
            self.action_move(meta["move"])

    def _values(self) -> list[str]:
        return [option.value for option in self.options]

    def _part(self, option: Option) -> Content:
        chosen = option.value == self.text
        word = Content(f"{CHOSEN if chosen else UNCHOSEN} {printable(option.label, _NAME_LIMIT)}")
        return word.stylize("$accent bold" if chosen else "$text-muted").stylize(_on_click("choose", option.value))


def _on_click(action: str, argument: object) -> Style:
    """What `ChoiceField.on_click` finds at the text under the mouse."""
    return Style.from_meta({action: argument})


class Card(Static):
    """One option with its sentence; `CardField` chooses."""

    def __init__(self, option: Option) -> None:
        super().__init__(classes="card")
        self.option = option
        self.chosen = False

    def show(self, chosen: bool) -> None:
        """Draw the card as chosen or not."""
        self.chosen = chosen
        self.set_class(chosen, "-chosen")
        self.border_subtitle = self._keys().strip()
        self.refresh()

    def render(self) -> Content:
        """Title, result and sentence; the style sheet decides how much of it fits."""
        title = f"{CHOSEN if self.chosen else UNCHOSEN} {self.option.label}"
        head = Content(title).stylize("bold $accent" if self.chosen else "bold")
        result = Content(self.option.result).stylize("$text-muted")
        if self.content_size.height > 1:
            return Content("\n").join([head, Content(self.option.note), result])
        keys = Content(self._keys()).stylize("$accent")
        whole = Content.assemble(head.pad_right(max(0, _TITLE_CELLS - len(title))), " ", result, keys)
        return whole if whole.cell_length <= self.content_size.width else head + keys

    def _keys(self) -> str:
        """Which keys choose, while the field is the one being edited."""
        field = self.parent
        if not (self.chosen and isinstance(field, CardField) and field.has_focus):
            return ""
        return "  ←/→ choose, tab next"


class CardField(Widget, can_focus=True):
    """Options as cards side by side, or as lines where the screen is narrow; the arrows along them choose.

    Up and down walk through the lines; beyond the first and the last, or across cards, they are the screen's.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        _key("left", "move(-1)", "Choose", "Choose a neighbour.", display="←/→", id="card_left"),
        _key("right,space", "move(1)", "Next", "Choose the next card.", show=False, id="card_right"),
        _key("up", "step(-1)", "Up", "Choose the line above, or leave.", show=False, id="card_up"),
        _key("down", "step(1)", "Down", "Choose the line below, or leave.", show=False, id="card_down"),
    ]

    def __init__(self, info: FieldInfo) -> None:
        super().__init__(id=f"edit-{info.name}")
        self.info = info
        self.text = info.options[0].value
        self._cards = [Card(option) for option in info.options]

    def compose(self) -> ComposeResult:
        """One card an option."""
        yield from self._cards

    def on_mount(self) -> None:
        """Draw the first choice."""
        self.set_text(self.text)

    def set_text(self, text: str) -> None:
        """Choose a card without a message."""
        self.text = text
        for card in self._cards:
            card.show(card.option.value == text)

    @property
    def is_stacked(self) -> bool:
        """Whether the cards are lines, one below the other."""
        return len({card.region.y for card in self._cards if card.display}) > 1

    def action_move(self, step: int) -> None:
        """Choose a neighbour; the ends hold."""
        index = self._index()
        self.choose(self._cards[max(0, min(len(self._cards) - 1, index + step))].option.value)

    def action_step(self, step: int) -> None:
        """Choose the line above or below.

        Raises:
            SkipAction: There is none there; the key is the screen's.
        """
        if not (self.is_stacked and 0 <= self._index() + step < len(self._cards)):
            raise SkipAction
        self.action_move(step)

    def choose(self, value: str) -> None:
        """Choose a card as a person does."""
        if value != self.text:
            self.set_text(value)
            self.post_message(FieldEdited(self.info.name, value))

    def on_click(self, event: events.Click) -> None:
        """Choose the card under the mouse."""
        if isinstance(event.widget, Card):
            self.choose(event.widget.option.value)

    def watch_has_focus(self, has_focus: bool) -> None:
        """Show on the chosen card which keys choose, while the cards have the cursor."""
        super().watch_has_focus(has_focus)
        self.set_text(self.text)

    def _index(self) -> int:
        values = [card.option.value for card in self._cards]
        return values.index(self.text) if self.text in values else 0
