"""Keys: one factory for every binding, and how a key is written on the screen.

A place makes its bindings with one factory, and each gets an id of place and action, by which help groups them and
a person may assign other keys::

    key = Keys("runs")
    BINDINGS = [key("x", "stop", "Stop", "Stop the run after a checkpoint.")]  # id "runs.stop"
"""

import msgspec
from textual.binding import Binding

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
        self,
        keys: str,
        action: str,
        name: str,
        tooltip: str,
        *,
        show: bool = True,
        display: str | None = None,
        id: str = "",
    ) -> Binding:
        """A binding.

        Args:
            keys: What to press, alternatives with commas between.
            action: What it does, as Textual writes it: ``move(-1)``.
            name: One or two words for the key bar.
            tooltip: One sentence for help and palette, with a full stop.
            show: Whether the key bar names it.
            display: How the key bar writes the key, where that is not its own name.
            id: Second part of its id, where that is not the action.
        """
        identifier = f"{self.place}.{id or action}"
        return Binding(keys, action, name, id=identifier, tooltip=tooltip, show=show, key_display=display)


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
    return Keys(place)("n", "app.place('new')", "New", "Start a run.", id="new")


def key_name(key: str) -> str:
    """A key as the console writes it everywhere: ``?``, ``esc``, ``^p``, ``R``."""
    key = key.partition(",")[0]
    if key.startswith("ctrl+"):
        return "^" + key[5:]
    if key.startswith("shift+"):
        return key[6:].upper() if len(key) == 7 else f"shift+{key_name(key[6:])}"
    return _KEY_NAMES.get(key, key)
