"""The first and the last line of every screen: where one is, and what one can press."""

from collections.abc import Iterable

from textual.app import RenderResult
from textual.binding import ActiveBinding, Binding
from textual.content import Content
from textual.events import Click
from textual.reactive import reactive
from textual.style import Style
from textual.widget import Widget
from textual.widgets import Input

from alexnet_tui.text import printable

PLACES = (("runs", "Runs"), ("new", "New run"), ("run", "Run"), ("compare", "Compare"), ("report", "Report"))
_ALWAYS = ("app.help", "app.quit")
_ASCII_ARROWS = str.maketrans("←→", "<>")
_ARROWS = {"left": "←", "right": "→", "up": "↑", "down": "↓"}
_KEY_NAMES = {
    "question_mark": "?",
    "slash": "/",
    "escape": "esc",
    "delete": "del",
    "space": "space",
    "enter": "enter",
    "plus": "+",
    "minus": "-",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "full_stop": ".",
    "comma": ",",
    "equals_sign": "=",
}


def key_name(key: str, ascii_only: bool = False) -> str:
    """A key as people write it: ``?``, ``esc``, ``^p``, ``R``."""
    key = key.partition(",")[0]
    if key.startswith("ctrl+"):
        return "^" + key[5:]
    if key.startswith("shift+") and len(key) == 7:
        return key[6:].upper()
    return _KEY_NAMES.get(key) or (key if ascii_only else _ARROWS.get(key, key))


def shown_key(binding: Binding, key: str, ascii_only: bool) -> str:
    """What a key bar says of a binding's key, in ASCII where the terminal has no more."""
    shown = binding.key_display or key_name(key, ascii_only)
    return shown.translate(_ASCII_ARROWS) if ascii_only else shown


def new_run_key(place: str) -> Binding:
    """The key that starts a run, the same on every screen about runs."""
    return Binding("n", "app.place('new')", "New", id=f"{place}.new", tooltip="Start a run.")


class TopBar(Widget):
    """The places as tabs, the present one lit, and a note at the right.

    Args:
        place: Which of `PLACES` this screen is.
    """

    note: reactive[str] = reactive("")

    def __init__(self, place: str) -> None:
        super().__init__()
        self.place = place

    def render(self) -> RenderResult:
        """One line; on a narrow terminal the other places shrink to their digits."""
        width = self.size.width
        note = printable(self.note, 200)
        for show_names in (True, False):
            tabs = self._tabs(show_names)
            if tabs.cell_length + len(note) + 2 <= width:
                break
        room = max(0, width - tabs.cell_length - 2)
        note = note if len(note) <= room else note[: max(0, room - 1)] + "…" * bool(room)
        gap = Content(" " * max(0, width - tabs.cell_length - len(note) - 1))
        return Content.assemble(tabs, gap, (note, "$text-muted"))

    def _tabs(self, show_names: bool) -> Content:
        parts: list[Content] = []
        for number, (place, name) in enumerate(PLACES, 1):
            is_here = place == self.place
            text = f" {number} {name} " if show_names or is_here else f" {number} "
            style = "$text-muted"
            if is_here:
                style = "bold reverse" if self.app.no_color else "bold $accent on $panel"
            parts.append(Content.styled(text, style).stylize(Style.from_meta({"place": place})))
        return Content("").join(parts)

    async def on_click(self, event: Click) -> None:
        """A click on a tab goes there."""
        if place := event.style.meta.get("place"):
            await self.app.run_action(f"app.place('{place}')")


class KeyBar(Widget):
    """One line of keys, made from the bindings that are active now; help and quit stay at the right."""

    def on_mount(self) -> None:
        """Follow the bindings."""
        self.screen.bindings_updated_signal.subscribe(self, self._redraw)

    def _redraw(self, _: object) -> None:
        self.refresh()

    def render(self) -> RenderResult:
        """As many keys as there is room for, in the order they are declared."""
        typing = isinstance(self.screen.focused, Input)
        offers = getattr(self.screen, "offers", lambda action: True)
        active = [
            item
            for item in self.screen.active_bindings.values()
            if item.binding.show and offers(item.binding.action) and not (typing and _types(item.binding.key))
        ]
        ours = _distinct(item for item in active if item.node is self.app)
        right = self._line([item for item in ours if item.binding.id in _ALWAYS])
        room = self.size.width - right.cell_length - 1
        left = Content(" ")
        theirs = _distinct(item for item in active if item.node is not self.app)
        names = {item.binding.description for item in theirs}
        extra = [item for item in ours if item.binding.id not in _ALWAYS and item.binding.description not in names]
        for item in (*theirs, *extra):
            longer = left + self._line([item])
            if longer.cell_length > room:
                break
            left = longer
        return left + Content(" " * max(1, self.size.width - left.cell_length - right.cell_length)) + right

    def _line(self, items: list[ActiveBinding]) -> Content:
        ascii_only = bool(getattr(self.app, "ascii_only", False))
        parts: list[Content] = []
        for item in items:
            key = shown_key(item.binding, item.binding.key, ascii_only)
            text = Content.assemble((key, "bold $accent"), " ", (item.binding.description, "$text-muted"))
            parts += (text.stylize(Style.from_meta({"press": item.binding.key})), Content("  "))
        return Content("").join(parts)

    def on_click(self, event: Click) -> None:
        """A click on a key presses it."""
        if key := event.style.meta.get("press"):
            self.app.simulate_key(str(key).partition(",")[0])


def _types(key: str) -> bool:
    """Whether a key would write a character instead of doing its act."""
    name = key_name(key.partition(",")[0])
    return len(name) == 1 and name.isascii()


def _distinct(items: Iterable[ActiveBinding]) -> list[ActiveBinding]:
    """One entry for each act: several keys may do the same."""
    seen: set[str] = set()
    kept: list[ActiveBinding] = []
    for item in items:
        if item.binding.action not in seen:
            seen.add(item.binding.action)
            kept.append(item)
    return kept
