"""Widgets of a form: radio lines, cards, text fields, and the row around each. They know no hyperparameter.

An editor holds one text and posts `FieldEdited` when a person changed it; setting the text from the program
posts nothing. Plain text inputs are used throughout, because typed ones drop characters without a word.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget
from textual.widgets import Collapsible, Input, Static

from alexnet_tui.text import printable


@dataclass(frozen=True, slots=True)
class Option:
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


@dataclass(frozen=True, slots=True)
class FieldInfo:
    """What a row shows around its editor.

    Attributes:
        name: Name of the field.
        title: Label for people.
        help: One sentence.
        hint: Range and unit, short.
        options: The words to choose from; a text field where there are none.
    """

    name: str
    title: str
    help: str
    hint: str = ""
    options: tuple[Option, ...] = ()


class FieldEdited(Message):
    """A person changed the text of a field."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__()
        self.name = name
        self.text = text


class FieldFocused(Message):
    """The cursor came to a field."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name


class TextField(Input):
    """A line of text; the first escape leaves it, the arrows go to the neighbours."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Leave field", show=False, id="form.leave"),
    ]

    def __init__(self, info: FieldInfo) -> None:
        super().__init__(compact=True, id=f"edit-{info.name}")
        self.info = info
        self.cursor_blink = False

    @property
    def text(self) -> str:
        """What the field says."""
        return self.value

    def set_text(self, text: str) -> None:
        """Say something else without telling anyone."""
        if text != self.value:
            with self.prevent(Input.Changed):
                self.value = text

    def action_leave(self) -> None:
        """Give up the cursor, keep the text."""
        self.screen.set_focus(None)

    def on_focus(self) -> None:
        """Say which field the cursor is in."""
        self.post_message(FieldFocused(self.info.name))


class ChoiceField(Widget, can_focus=True):
    """Words in one line, one of them chosen with left and right; too many for the line show one at a time."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "move(-1)", "Previous", show=False, id="form.previous", tooltip="Choose the word before."),
        Binding("right,space", "move(1)", "Next", show=False, id="form.next", tooltip="Choose the next word."),
    ]

    text: reactive[str] = reactive("")

    def __init__(self, info: FieldInfo) -> None:
        super().__init__(id=f"edit-{info.name}")
        self.info = info
        self.options: tuple[Option, ...] = info.options

    def set_text(self, text: str) -> None:
        """Choose a word without telling anyone; one that is not offered is added."""
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
        if sum(len(part.plain) for part in parts) + 2 * len(parts) - 2 <= self.size.width:
            return Content("  ").join(parts)
        values = self._values()
        place = values.index(self.text) + 1 if self.text in values else 0
        shown = Content(printable(self.text, 40)).stylize("$accent bold")
        return Content.assemble("< ", shown, " > ", (f"{place}/{len(values)}", "$text-muted"))

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """One line, whatever there is to say."""
        return 1

    def action_move(self, step: int) -> None:
        """Choose a neighbour; the ends hold."""
        values = self._values()
        index = values.index(self.text) if self.text in values else 0
        self.choose(values[max(0, min(len(values) - 1, index + step))])

    def choose(self, value: str) -> None:
        """Choose a word as a person does."""
        if value != self.text:
            self.text = value
            self.post_message(FieldEdited(self.info.name, value))

    def on_click(self, event: events.Click) -> None:
        """Choose the word under the mouse."""
        edge = 0
        for option in self.options:
            edge += len(self._part(option).plain) + 2
            if event.x < edge:
                self.choose(option.value)
                return

    def on_focus(self) -> None:
        """Say which field the cursor is in."""
        self.post_message(FieldFocused(self.info.name))

    def _values(self) -> list[str]:
        return [option.value for option in self.options]

    def _part(self, option: Option) -> Content:
        chosen = option.value == self.text
        word = f"{radio(self.app, chosen)} {printable(option.title or option.value, 40)}"
        return Content(word).stylize("$accent bold" if chosen else "$text-muted")


def radio(app: object, chosen: bool) -> str:
    """The mark before a word, in plain letters where the terminal has no others."""
    if getattr(app, "ascii_only", False):
        return "(*)" if chosen else "( )"
    return "◉" if chosen else "○"


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
        self.refresh(layout=True)

    def render(self) -> Content:
        """Title, result and sentence; the style sheet decides how much of it fits."""
        title = f"{radio(self.app, self.chosen)} {self.option.title or self.option.value}"
        head = Content(title).stylize("bold $accent" if self.chosen else "bold")
        result = Content(self.option.result).stylize("$text-muted")
        if self.content_size.height <= 1 or self.has_class("-line"):
            keys = ("   < > choose", "$accent") if self.chosen and self._has_keys() else ""
            return Content.assemble(head.pad_right(max(0, 30 - len(title))), " ", result, keys)
        return Content("\n").join([head, Content(self.option.note), result])

    def _has_keys(self) -> bool:
        """Whether the field that chooses is the one being edited."""
        return isinstance(self.parent, CardField) and self.parent.has_focus


class CardField(Widget, can_focus=True):
    """Options as cards side by side, or as lines where the screen is narrow; only left and right choose."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "move(-1)", "Previous", show=False, id="form.card_left", tooltip="Choose the card before."),
        Binding("right,space", "move(1)", "Next", show=False, id="form.card_right", tooltip="Choose the next card."),
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
        """Choose a card without telling anyone."""
        self.text = text
        for card in self._cards:
            card.show(card.option.value == text)

    def action_move(self, step: int) -> None:
        """Choose a neighbour; the ends hold."""
        index = self._index()
        self.choose(self._cards[max(0, min(len(self._cards) - 1, index + step))].option.value)

    def choose(self, value: str) -> None:
        """Choose a card as a person does."""
        if value != self.text:
            self.set_text(value)
            self.post_message(FieldEdited(self.info.name, value))

    def on_click(self, event: events.Click) -> None:
        """Choose the card under the mouse."""
        if isinstance(event.widget, Card):
            self.choose(event.widget.option.value)

    def on_focus(self) -> None:
        """Say which field the cursor is in."""
        self.post_message(FieldFocused(self.info.name))
        self.set_text(self.text)

    def on_blur(self) -> None:
        """The chosen card no longer says which keys choose."""
        self.set_text(self.text)

    def _index(self) -> int:
        values = [card.option.value for card in self._cards]
        return values.index(self.text) if self.text in values else 0


Editor = TextField | ChoiceField


class FieldRow(Widget):
    """Label, editor and hint of one field in a line; a note or an error below when there is one."""

    def __init__(self, info: FieldInfo) -> None:
        super().__init__(id=f"row-{info.name}", classes="field-row" + (" -choice" if info.options else ""))
        self.info = info
        self.editor: Editor = ChoiceField(info) if info.options else TextField(info)
        self._label = Static(Content(f"  {info.title}"), classes="label")
        self._hint = Static(Content(info.hint), classes="hint")
        self._message = Static(classes="message")
        self._shown: tuple[str, str, bool, str] | None = None

    def compose(self) -> ComposeResult:
        """The parts, in reading order."""
        yield self._label
        yield self.editor
        yield self._hint
        yield self._message

    def on_descendant_focus(self) -> None:
        """Light the label; a `:focus-within` rule would redraw the whole screen at every key."""
        self.add_class("-focused")

    def on_descendant_blur(self) -> None:
        """Dim the label."""
        self.remove_class("-focused")

    def show(self, text: str, *, error: str, differs: bool, preset: str) -> None:
        """Bring the row up to date.

        Args:
            text: What the field says.
            error: Why that is no value, or empty.
            differs: It is not what the preset says.
            preset: What the preset says.
        """
        self.editor.set_text(text)
        note = error or (self.editor.note if isinstance(self.editor, ChoiceField) else "")
        wanted = (note, error, differs, preset)
        if wanted == self._shown:
            return
        self._shown = wanted
        bullet = "*" if getattr(self.app, "ascii_only", False) else "•"
        self._label.update(Content(f"{bullet if differs else ' '} {self.info.title}"), layout=False)
        self.set_class(differs, "-differs")
        self.set_class(bool(error), "-invalid")
        default = f"preset {printable(preset, 30)}" if differs else ""
        self._hint.update(Content(" · ".join(part for part in (self.info.hint, default) if part)), layout=False)
        self._message.update(Content(printable(note, 300)))
        self._message.display = bool(note)


class FieldGroup(Collapsible, inherit_css=False):
    """A foldable group of rows; folded, its title tells the values in one line.

    It does without Textual's own style: a `:focus-within` rule in it would style every row anew at each key.
    """

    def __init__(self, group: str, rows: Sequence[FieldRow]) -> None:
        super().__init__(*rows, title="", collapsed=True, classes="group")
        self.group = group
        self.rows = tuple(rows)

    def show_values(self, differing: Sequence[str], others: Sequence[str]) -> None:
        """Write the title: what differs from the preset, and, while folded, the rest."""
        told = {"bold $accent": differing, "$text-muted": others if self.collapsed else ()}
        parts = [Content(f"{self.group:<14}").stylize("bold")]
        for style, words in told.items():
            parts.append(Content(printable("".join(f"{word}, " for word in words), 300)).stylize(style))
        self.title = Content("").join(parts).rstrip(", ")  # type: ignore[assignment]


class HelpLine(Static):
    """What was said last, until the next act; else the help of the field with the cursor."""

    def __init__(self) -> None:
        super().__init__(id="help")
        self._said = self._help = ""

    def say(self, sentence: str, *, is_error: bool = False) -> None:
        """Say something; empty gives the place back to the field's help. An error takes the lines it needs."""
        self._said = sentence
        is_new_height = is_error or self.has_class("-error")
        self.set_class(is_error, "-error")
        self._draw(layout=is_new_height)

    def explain(self, text: str) -> None:
        """The cursor is in another field."""
        self._help = text
        self._draw()

    def _draw(self, *, layout: bool = False) -> None:
        self.update(Content(printable(self._said or self._help, 700)), layout=layout)


class FormScroll(VerticalScroll, can_focus=False, inherit_bindings=False):
    """The scrolling column of a form; up and down are left to the screen, which goes from field to field."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("pageup", "page_up", "Page up", show=False, id="form.page_up", tooltip="Scroll up."),
        Binding("pagedown", "page_down", "Page down", show=False, id="form.page_down", tooltip="Scroll down."),
    ]

    def unfold_what_fits(self, groups: Sequence[FieldGroup]) -> None:
        """A tall screen shows as many groups as it has room for."""
        room = self.size.height - sum(child.outer_size.height for child in self.children)
        for group in groups:
            room -= len(group.rows) + 1
            if room < 0:
                break
            group.collapsed = False
