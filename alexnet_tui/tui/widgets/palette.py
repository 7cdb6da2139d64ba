"""The command palette, without two crashes of Textual 8.2.8.

Page up and down in a list that is empty or not laid out; and a palette that is closed before it is there.
"""

from contextlib import suppress

from textual.command import CommandList, CommandPalette
from textual.events import Mount
from textual.widgets import Input

_MAX_CHARS, _TYPED = 100, r"[ -~\w]*"


class Palette(CommandPalette):
    """Every action of a screen by name."""

    def on_mount(self, event: Mount) -> None:
        """Take no paste of a whole file, to be compared with every name, nor one that a terminal would obey."""
        if self not in self.app.screen_stack:
            event.prevent_default()  # There is no screen below it to ask for its actions.
        field = self.query_one(Input)
        field.max_length, field.restrict = _MAX_CHARS, _TYPED

    def _action_command_list(self, action: str) -> None:
        if self.query_one(CommandList).option_count:
            with suppress(KeyError):  # The line of an option is known after the first layout of the list.
                super()._action_command_list(action)
