"""A field of one line in which nothing that is typed or pasted is lost without a word."""

from textual.events import Paste
from textual.message import Message
from textual.widgets import Input

from alexnet_tui.text import printable

_ESCAPE_CHARS = 10
"""The most that one character becomes: ``\\U000e0001``."""


class LineInput(Input):
    """A plain text input: pasted lines become one, without characters that a terminal would obey or not show.

    A text that does not fit is refused.
    """

    class TooLong(Message):
        """A text was typed or pasted that does not fit; the field is as it was.

        Attributes:
            sentence: Says so.
        """

        def __init__(self, limit: int) -> None:
            super().__init__()
            self.sentence = f"Too long: the field holds {limit:,} characters. Nothing was put in."

    def restricted(self) -> None:
        """In place of the bell."""
        self.post_message(self.TooLong(self.max_length or 0))

    def on_paste(self, event: Paste) -> None:
        """Take every line; `Input` itself drops all but the first without a word."""
        event.prevent_default()
        event.stop()
        line = " ".join(event.text.splitlines())
        self.replace(printable(line, _ESCAPE_CHARS * len(line)), *self.selection)
