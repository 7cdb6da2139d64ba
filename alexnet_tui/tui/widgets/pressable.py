"""Texts that press a key where they are clicked."""

from textual.content import Content
from textual.events import Click
from textual.style import Style
from textual.widget import Widget
from textual.widgets import Static


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
