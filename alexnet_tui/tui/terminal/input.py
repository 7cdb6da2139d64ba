"""What a terminal sends, taken apart into keys and pastes."""

from collections.abc import Iterable

from textual._ansi_sequences import ANSI_SEQUENCES_KEYS
from textual._xterm_parser import BRACKETED_PASTE_END, BRACKETED_PASTE_START, XTermParser
from textual.events import Key
from textual.message import Message

_ESC, _SHOWN = "\x1b", "\\x1b"


class InputParser(XTermParser):
    """Textual's parser, for which an escape in a paste is text, and one before another key a key of its own.

    Textual (8.2) takes what follows an escape in a paste for keys: of a coloured log, which tmux pastes as it is, the
    letters would stop and delete runs. And it takes escape and a key that arrive together for that key with alt, which
    nothing here has; tmux sends them so when one is pressed within half a second of the other.
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

    def _sequence_to_key_events(self, sequence: str, alt: bool = False) -> Iterable[Key]:
        is_symbol = len(sequence) == 2 and isinstance(ANSI_SEQUENCES_KEYS.get(sequence), str)
        if alt or is_symbol:
            yield Key("escape", _ESC)
        yield from super()._sequence_to_key_events(sequence[-1] if is_symbol else sequence)

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
