"""The command palette, without a crash of Textual 8.2.8: page up and down in a list that is empty or not laid out."""

from contextlib import suppress

from textual.command import CommandList, CommandPalette
from textual.widgets import Input

_MAX_CHARS = 100


class Palette(CommandPalette):
    """Every action of a screen by name."""

    def on_mount(self) -> None:
        """A paste of a whole file would be compared with every name, letter by letter."""
        self.query_one(Input).max_length = _MAX_CHARS

    def _action_command_list(self, action: str) -> None:
        if self.query_one(CommandList).option_count:
            with suppress(KeyError):  # The line of an option is known after the first layout of the list.
                super()._action_command_list(action)
