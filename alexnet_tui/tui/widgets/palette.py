"""The command palette, which stays up where Textual 8.2.8's own fails: page up and down in a list that is empty."""

from textual.command import CommandList, CommandPalette


class Palette(CommandPalette):
    """Every action of a screen by name."""

    def _action_command_list(self, action: str) -> None:
        if self.query_one(CommandList).option_count:
            super()._action_command_list(action)
