"""Keys: one factory for every binding, how a key is written on the screen, and texts that press one when clicked.

A place makes its bindings with one factory, and each gets an id of place and action, by which help groups them and
a person may assign other keys::

    key = Keys("runs")
    BINDINGS = [key("x", "stop", "Stop", "Stop the run after a checkpoint.")]  # id "runs.stop"
"""

import msgspec
from textual.binding import Binding
from textual.content import Content
from textual.events import Click
from textual.style import Style
from textual.widget import Widget
from textual.widgets import Static

_ARROWS = {"left": "←", "right": "→", "up": "↑", "down": "↓"}
_KEY_NAMES = {
    "question_mark": "?",
    "slash": "/",
    "escape": "esc",
    "delete": "del",
    "pageup": "pgup",
    "pagedown": "pgdn",
    "plus": "+",
    "minus": "-",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "full_stop": ".",
    "comma": ",",
    "equals_sign": "=",
    **_ARROWS,
}


class Keys(msgspec.Struct, frozen=True):
    """Makes the bindings of one place.

    Attributes:
        place: First part of their ids.
    """

    place: str

    def __call__(
        self, keys: str, action: str, name: str, tooltip: str, *, show: bool = True, display: str | None = None
    ) -> Binding:
        """A binding.

        Args:
            keys: What to press, alternatives with commas between.
            action: What it does, as Textual writes it: ``move(-1)``.
            name: One or two words for the key bar.
            tooltip: One sentence for help and palette, with a full stop.
            show: Whether the key bar names it.
            display: How the key bar writes the key, where that is not its own name.
        """
        return Binding(keys, action, name, id=f"{self.place}.{action}", tooltip=tooltip, show=show, key_display=display)


def row_keys(place: str, what: str) -> tuple[Binding, ...]:
    """The keys that move the cursor of a table; the screen answers `move` and `page`."""
    key = Keys(place)
    return (
        key("up,k", "move(-1)", "Up", f"One {what} up.", show=False),
        key("down,j", "move(1)", "Down", f"One {what} down.", show=False),
        key("pageup", "page(-1)", "Page up", "A page up.", show=False),
        key("pagedown", "page(1)", "Page down", "A page down.", show=False),
        key("home", "move(-1000000)", "First", f"The first {what}.", show=False),
        key("end", "move(1000000)", "Last", f"The last {what}.", show=False),
    )


def new_run_key(place: str) -> Binding:
    """The key that starts a run, the same on every screen about runs."""
    return Binding("n", "app.place('new')", "New", id=f"{place}.new", tooltip="Start a run.")


def key_name(key: str) -> str:
    """A key as the console writes it everywhere: ``?``, ``esc``, ``^p``, ``R``."""
    key = key.partition(",")[0]
    if key.startswith("ctrl+"):
        return "^" + key[5:]
    if key.startswith("shift+"):
        return key[6:].upper() if len(key) == 7 else f"shift+{key_name(key[6:])}"
    return _KEY_NAMES.get(key, key)


def pressable(content: Content, key: str) -> Content:
    """A text that presses a key where it is clicked, in a widget that hands its clicks to `press_clicked`."""
    return content.stylize(Style.from_meta({"press": key}))


def press_clicked(widget: Widget, event: Click) -> None:
    """Press the key of the text under the mouse, if it has one."""
    if (key := event.style.meta.get("press")) and event.button == 1:
        widget.app.simulate_key(str(key).partition(",")[0])


class KeysText(Static):
    """A text whose `pressable` parts can be clicked."""

    def on_click(self, event: Click) -> None:
        """Press the key under the mouse."""
        press_clicked(self, event)
