"""The frame of a form: the row around each editor, foldable groups, the line of help. It knows no hyperparameter."""

from collections.abc import Sequence
from fractions import Fraction
from typing import ClassVar

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.events import Click, Resize
from textual.geometry import NULL_OFFSET, NULL_SPACING, Region, Size
from textual.layout import ArrangeResult, Layout, WidgetPlacement
from textual.style import Style
from textual.widget import AwaitMount, Widget
from textual.widgets import Collapsible, Static
from textual.widgets.collapsible import CollapsibleTitle

from alexnet_tui.text import counted, printable
from alexnet_tui.tui.widgets.fields import ChoiceField, FieldInfo, TextField

Editor = TextField | ChoiceField
_LEFT_OUT = " +{} more"
_FOLD_SYMBOL = 2  # A triangle and a blank.
_STEPS = Content(" ").join(
    [
        Content.styled(f"[{sign}]", "$accent").stylize(Style.from_meta({"step": direction}))
        for sign, direction in (("-", -1), ("+", 1))
    ]
) + Content(" ")
"""Beside a number with the cursor: what makes it smaller and larger by a click."""
# Cells of a row: before the editor, before the note, between a text and the hint.
_LABEL, _NARROW_LABEL, _NARROW_INDENT, _GAP = 22, 21, 2, 2


class _RowLayout(Layout):
    """Puts the editor of a row between its label and its hint."""

    name = "editor-row"

    def arrange(self, parent: Widget, children: list[Widget], size: Size, greedy: bool = True) -> ArrangeResult:
        """The one placement there is."""
        assert isinstance(parent, EditorRow)
        place = parent.editor_region(size.width)
        return [WidgetPlacement(place, NULL_OFFSET, NULL_SPACING, child) for child in children]


class EditorRow(Widget):
    """Label, editor and hint in a line.

    The row writes all but the editor itself: as widgets of their own they made a form slow to open.

    Attributes:
        editor: Holds the text.
    """

    _layout = _RowLayout()
    _gap = 1
    """Blank cells before the hint."""
    wide_from: ClassVar[int]
    """The width of a screen that is not narrow."""

    def __init__(self, editor: Widget, label: str, hint: str, *, id: str | None = None) -> None:
        super().__init__(id=id, classes="field-row")
        self.editor = editor
        self._label, self._hint = label, hint

    @property
    def layout(self) -> Layout:
        """Where the editor is."""
        return self._layout

    @property
    def label(self) -> str:
        """What is left of the editor."""
        return self._label

    @property
    def hint(self) -> str:
        """What is right of the editor."""
        return self._hint

    @property
    def is_narrow(self) -> bool:
        """Whether the screen is."""
        return self.app.size.width < self.wide_from

    def editor_region(self, width: int) -> Region:
        """Where the editor is in a row that many cells wide."""
        raise NotImplementedError

    def compose(self) -> ComposeResult:
        """The editor."""
        yield self.editor

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """One line."""
        return 1

    def render(self) -> Content:
        """Label and hint with room for the editor."""
        width = self.size.width
        place = self.editor_region(width)
        start = place.right + self._gap
        label = Content.styled(self.label, self.label_style()).truncate(place.x, pad=True)
        hint = self.styled_hint().truncate(max(0, width - start), ellipsis=True)
        return label + Content(" " * (start - place.x)) + hint

    def styled_hint(self) -> Content:
        """The hint as it is written."""
        return Content(self.hint)

    def label_style(self) -> str:
        """How the label is written."""
        return ""


class FieldRow(EditorRow):
    """The row of a field of a run; a note or an error is below its line when there is one.

    Attributes:
        info: The field.
        note: The sentence below the line, or empty.
        is_differing: The text is not the default.
    """

    editor: Editor
    wide_from = 110

    def __init__(self, info: FieldInfo) -> None:
        editor = ChoiceField(info) if info.options else TextField(info)
        super().__init__(editor, info.title, info.hint, id=f"row-{info.name}")
        self.info = info
        self.note = ""
        self.is_differing = self._is_invalid = False
        # Beside words to choose from, the hint takes no more than it needs.
        self._gap = 0 if info.options else _GAP

    @property
    def label(self) -> str:
        """What is left of the editor."""
        return f"{'•' if self.is_differing else ' '} {self._label}"

    @property
    def hint(self) -> str:
        """What is right of the editor; a narrow screen has no room for it beside words to choose from."""
        return "" if self.info.options and self.is_narrow else self._hint

    def styled_hint(self) -> Content:
        """The hint; before it, beside a number with the cursor, the signs that change it."""
        has_signs = self.editor.has_focus and self.info.step is not None
        return Content.assemble(_STEPS, self.hint) if has_signs else Content(self.hint)

    def editor_region(self, width: int) -> Region:
        """A share of the row; of words to choose from, all that the hint leaves."""
        label, share = (_NARROW_LABEL, Fraction(2, 5)) if self.is_narrow else (_LABEL, Fraction(3, 8))
        room = max(0, width - label)
        taken = room - cell_len(self.hint) if self.info.options else int(room * share) - _GAP
        return Region(label, 0, max(0, taken), 1)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """The line, and those of the note."""
        return 1 + len(self._note_lines(width))

    def _note_lines(self, width: int) -> list[Content]:
        if not self.note:
            return []
        indent = _NARROW_INDENT if self.is_narrow else _LABEL
        note = Content.styled(printable(self.note, 300), "$error" if self._is_invalid else "")
        return [Content(" " * indent) + line for line in note.wrap(max(1, width - indent))]

    def render(self) -> Content:
        """The line, then the note."""
        return Content("\n").join([super().render(), *self._note_lines(self.size.width)])

    def label_style(self) -> str:
        """Lit with the cursor, coloured where the field differs from the preset or holds no value."""
        is_focused, has_colors = self.editor.has_focus, not self.app.native_ansi_color
        color = "$foreground" if is_focused else ""
        if self._is_invalid or self.is_differing:
            color = "$error" if self._is_invalid else "$accent"
        # Without colours a cursor must still be seen.
        is_bold = is_focused or (self.is_differing and not has_colors)
        return f"{color}{' bold' if is_bold else ''}{' reverse' if is_focused and not has_colors else ''}"

    def on_descendant_focus(self) -> None:
        """Light the label; a `:focus-within` rule would redraw the whole screen at every key."""
        self.refresh()

    def on_descendant_blur(self) -> None:
        """Dim the label."""
        self.refresh()

    def on_click(self, event: Click) -> None:
        """A click beside the editor gives it the cursor; one on a sign beside a number changes that."""
        if event.widget is self:
            self.editor.focus()
            if (direction := event.style.meta.get("step")) and isinstance(self.editor, TextField):
                self.editor.step(direction)

    def show(self, text: str, *, meaning: str, error: str, origin: str) -> None:
        """Bring the row up to date.

        Args:
            text: The text of the field.
            meaning: What the text means, where that is something else, or empty.
            error: Why that is no value, or empty.
            origin: Why it is not the default, a phrase such as ``preset 0.5``; empty where it is.
        """
        self.editor.set_text(text)
        differs, parts = bool(origin), (f"= {meaning}" if meaning else "", self.info.hint, printable(origin, 90))
        hint = " · ".join(part for part in parts if part)
        note = error or (self.editor.note if isinstance(self.editor, ChoiceField) else "")
        shown = (self.note, self._hint, self.is_differing, self._is_invalid)
        if shown == (note, hint, differs, bool(error)):
            return
        is_moved = note != self.note or (hint != self._hint and bool(self.info.options))
        self.note, self._hint, self.is_differing, self._is_invalid = note, hint, differs, bool(error)
        self.refresh(layout=is_moved)
        if is_moved:
            self.editor.refresh(layout=True)  # Else the row keeps it where it was, over the hint.


class FieldGroup(Collapsible, inherit_css=False):
    """A foldable group of rows; folded, its title has the values that its line has room for.

    The rows are mounted when it is unfolded for the first time.
    It does without Textual's own style: a `:focus-within` rule in it would style every row anew at each key.
    """

    def __init__(self, group: str, rows: Sequence[FieldRow]) -> None:
        super().__init__(title="", collapsed=True, classes="group -collapsed")
        self.group = group
        self.rows = tuple(rows)
        self._values: list[tuple[str, str]] = []
        self._width = self._height = 0
        self._mounting: AwaitMount | None = None

    @property
    def help(self) -> str:
        """What the heading means, and what a key does to it."""
        return f"{counted(len(self.rows), 'field')}; enter {'opens' if self.collapsed else 'folds'} them."

    def show_values(self, differing: Sequence[str], others: Sequence[str]) -> None:
        """Show in the title what differs from the preset, and, while folded, the rest."""
        self._values = [(printable(word, 100), "bold $accent") for word in differing]
        self._values += [(printable(word, 100), "$text-muted") for word in others if self.collapsed]
        self._draw()

    def watch_collapsed(self, collapsed: bool) -> None:
        """Mount the rows once they are to be seen."""
        if not collapsed and self._mounting is None:
            self._mounting = self.query_one(Collapsible.Contents).mount(*self.rows)

    async def unfold(self) -> None:
        """Unfold the group; the rows are mounted when this returns."""
        self.collapsed = False
        if self._mounting is not None:
            await self._mounting

    def scroll_visible(self, *_: object, **__: object) -> None:
        """Bring what was unfolded into sight, if the cursor is on the heading; else the screen stays at the cursor."""
        heading = self.query_one(CollapsibleTitle)
        if heading.has_focus:
            super().scroll_visible(animate=False)
            heading.scroll_visible(animate=False)

    def on_resize(self, event: Resize) -> None:
        """There is room for more, or for less; or it was unfolded, and its rows are laid out now."""
        has_grown, self._height = event.size.height > self._height, event.size.height
        if event.size.width != self._width:
            self._width = event.size.width
            self._draw()
        if has_grown:  # Textual scrolls too, but at times before the rows have their places.
            self.scroll_visible()

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
    """The scrolling column of a form; its keys are left to the screen, where the cursor may be beside it."""

    async def unfold_what_fits(self, groups: Sequence[FieldGroup]) -> None:
        """A tall screen shows as many groups as it has room for, from its first frame on."""
        size = _size_to_be(self)
        room = size.height - self.arrange(size).total_region.height
        for group in groups:
            room -= len(group.rows) + 1
            if room < 0:
                break
            await group.unfold()


def _size_to_be(widget: Widget) -> Size:
    """The inner size that a widget has once its screen is laid out."""
    if not isinstance(parent := widget.parent, Widget):
        return widget.app.size
    placements = parent.arrange(_size_to_be(parent)).placements
    place = next(placement.region for placement in placements if placement.widget is widget)
    return place.shrink(widget.styles.gutter).size
