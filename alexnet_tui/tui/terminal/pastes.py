"""What a terminal sends, with pastes that hold no escape, of which Textual's parser would make keys."""

from collections.abc import Iterable

from textual._xterm_parser import BRACKETED_PASTE_END, BRACKETED_PASTE_START, XTermParser
from textual.message import Message

_ESC, _SHOWN = "\x1b", "\\x1b"


class PasteParser(XTermParser):
    """Textual's parser, for which an escape in a paste is text.

    Textual (8.2) takes what follows it for keys: of a coloured log, which tmux pastes as it is, the letters would stop
    and delete runs.
    """

    def __init__(self, debug: bool = False) -> None:
        super().__init__(debug)
        self._is_in_paste = False
        self._before = ""
        self._held = ""

    def feed(self, data: str) -> Iterable[Message]:
        """The events in the next part of what the terminal sends; an empty part ends it."""
        shown = self._without_escapes(data)
        return () if data and not shown else super().feed(shown)

    def _without_escapes(self, data: str) -> str:
        """Replace the escapes in pastes by what shows them; a mark of the end may come in parts, and is held back."""
        shown, rest, self._held = "", self._held + data, ""
        while rest:
            if self._is_in_paste:
                text, end, rest = rest.partition(BRACKETED_PASTE_END)
                if not end:
                    self._held = _beginning_of_end(text)
                    text = text.removesuffix(self._held)
                shown += text.replace(_ESC, _SHOWN) + end
                self._is_in_paste = not end
            else:
                before, start, _ = (self._before + rest).partition(BRACKETED_PASTE_START)
                length = len(before + start) - len(self._before)
                shown, rest = shown + rest[:length], rest[length:]
                self._is_in_paste = bool(start)
                self._before = "" if start else before[1 - len(BRACKETED_PASTE_START) :]
        return shown


def _beginning_of_end(text: str) -> str:
    """The part of the mark of a paste's end with which a text ends."""
    lengths = range(len(BRACKETED_PASTE_END) - 1, 0, -1)
    return next((BRACKETED_PASTE_END[:length] for length in lengths if text.endswith(BRACKETED_PASTE_END[:length])), "")
