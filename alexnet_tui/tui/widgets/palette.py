"""The command palette, without a crash of Textual 8.2.8: page up and down in a list that is empty or not laid out."""

from contextlib import suppress

from textual.command import CommandList, CommandPalette


class Palette(CommandPalette):
    """Every action of a screen by name."""

    def _action_command_list(self, action: str) -> None:
        if self.query_one(CommandList).option_count:
            with suppress(KeyError):  # The line of an option is known after the first layout of the list.
                super()._action_command_list(action)
