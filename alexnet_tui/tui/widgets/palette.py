"""The command palette, without a crash of Textual 8.2.8: page up and down in a list that is empty or not laid out."""

from contextlib import suppress

from textual.command import CommandList, CommandPalette
from textual.widgets import Input

_MAX_CHARS, _TYPED = 100, r"[ -~\w]*"


class Palette(CommandPalette):
    """Every action of a screen by name."""

    def on_mount(self) -> None:
        """Take no paste of a whole file, to be compared with every name, nor one that a terminal would obey."""
        field = self.query_one(Input)
        field.max_length, field.restrict = _MAX_CHARS, _TYPED

    def _action_command_list(self, action: str) -> None:
        if self.query_one(CommandList).option_count:
            with suppress(KeyError):  # The line of an option is known after the first layout of the list.
                super()._action_command_list(action)
