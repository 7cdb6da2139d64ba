"""The frame of a form: the row around each editor, foldable groups, the line of help. It knows no hyperparameter."""

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.events import Resize
from textual.widget import Widget
from textual.widgets import Collapsible, Static
from textual.widgets.collapsible import CollapsibleTitle

from alexnet_tui.text import counted, printable
from alexnet_tui.tui.widgets.fields import ChoiceField, FieldInfo, TextField

Editor = TextField | ChoiceField
_LEFT_OUT = " +{} more"
_FOLD_SYMBOL = 2  # A triangle and a blank.


class FieldRow(Widget):
    """Label, editor and hint of one field in a line; a note or an error below when there is one."""

    def __init__(self, info: FieldInfo) -> None:
        super().__init__(id=f"row-{info.name}", classes="field-row" + (" -choice" if info.options else ""))
        self.info = info
        self.editor: Editor = ChoiceField(info) if info.options else TextField(info)
        self._label = Static(Content(f"  {info.title}"), classes="label")
        self._hint = Static(Content(info.hint), classes="hint")
        self._message = Static(classes="message")
        self._shown: tuple[str, str, str, bool, str] | None = None

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

    def show(self, text: str, *, meaning: str, error: str, differs: bool, preset: str) -> None:
        """Bring the row up to date.

        Args:
            text: The text of the field.
            meaning: What the text means, where that is something else, or empty.
            error: Why that is no value, or empty.
            differs: It is not the value of the preset.
            preset: The value of the preset, or empty.
        """
        self.editor.set_text(text)
        note = error or (self.editor.note if isinstance(self.editor, ChoiceField) else "")
        wanted = (note, meaning, error, differs, preset)
        if wanted == self._shown:
            return
        self._shown = wanted
        self._label.update(Content(f"{'•' if differs else ' '} {self.info.title}"), layout=False)
        self.set_class(differs, "-differs")
        self.set_class(bool(error), "-invalid")
        usual = f"preset {printable(preset, 80)}" if differs and preset else ""
        parts = (f"= {meaning}" if meaning else "", self.info.hint, usual)
        # Beside words to choose from, the hint takes no more than it needs.
        self._hint.update(Content(" · ".join(part for part in parts if part)), layout=bool(self.info.options))
        self._message.update(Content(printable(note, 300)))
        self._message.display = bool(note)


class FieldGroup(Collapsible, inherit_css=False):
    """A foldable group of rows; folded, its title has the values that its line has room for.

    It does without Textual's own style: a `:focus-within` rule in it would style every row anew at each key.
    """

    def __init__(self, group: str, rows: Sequence[FieldRow]) -> None:
        super().__init__(*rows, title="", collapsed=True, classes="group")
        self.group = group
        self.rows = tuple(rows)
        self._values: list[tuple[str, str]] = []
        self._width = 0

    @property
    def help(self) -> str:
        """What the heading means, and what a key does to it."""
        return f"{counted(len(self.rows), 'field')}; enter {'opens' if self.collapsed else 'folds'} them."

    def show_values(self, differing: Sequence[str], others: Sequence[str]) -> None:
        """Show in the title what differs from the preset, and, while folded, the rest."""
        self._values = [(printable(word, 100), "bold $accent") for word in differing]
        self._values += [(printable(word, 100), "$text-muted") for word in others if self.collapsed]
        self._draw()

    def scroll_visible(self, *_: object, **__: object) -> None:
        """Bring what was unfolded into sight, if the cursor is on the heading; else the screen stays at the cursor."""
        heading = self.query_one(CollapsibleTitle)
        if heading.has_focus:
            super().scroll_visible(animate=False)
            heading.scroll_visible(animate=False)

    def on_resize(self, event: Resize) -> None:
        """There is room for more, or for less."""
        if event.size.width != self._width:
            self._width = event.size.width
            self._draw()

    def _draw(self) -> None:
        """Write the title: as many values as fit whole, and how many do not."""
        title, left = Content(f"{self.group:<14}").stylize("bold"), len(self._values)
        room = (self._width or 1000) - _FOLD_SYMBOL
        for word, style in self._values:
            left -= 1
            comma = "," if left else ""
            rest = len(_LEFT_OUT.format(left)) if left else 0
            if title.cell_length + len(word) + len(comma) + 1 + rest > room:
                title += Content(_LEFT_OUT.format(left + 1)[1:]).stylize("$text-muted")
                break
            title += Content(word + comma).stylize(style) + " "
        self.title = title.rstrip()  # type: ignore[assignment]


class StatusLine(Static):
    """The last message, until the next action; else the help of the field with the cursor."""

    def __init__(self) -> None:
        super().__init__(id="help")
        self._status = self._help = ""

    def show_status(self, sentence: str, *, is_error: bool = False) -> None:
        """Show a message; an empty one shows the field's help again. An error takes the lines it needs."""
        self._status = sentence
        is_new_height = is_error or self.has_class("-error")
        self.set_class(is_error, "-error")
        self._draw(layout=is_new_height)

    def show_help(self, text: str) -> None:
        """Show the help of the field with the cursor."""
        self._help = text
        self._draw()

    def _draw(self, *, layout: bool = False) -> None:
        self.update(Content(printable(self._status or self._help, 700)), layout=layout)


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
