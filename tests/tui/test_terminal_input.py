"""What is pasted is text, whatever is in it and however the terminal sends it; escape is a key of its own."""

import pytest
from textual._xterm_parser import XTermParser
from textual.events import Key, Paste

from alexnet_tui.tui.terminal.input import InputParser

_START, _END = "\x1b[200~", "\x1b[201~"


def events_of(parts: list[str]) -> list[str]:
    """Pastes as they are, keys by their names."""
    parser, found = InputParser(), []
    for part in parts:
        for event in parser.feed(part):
            assert isinstance(event, Key | Paste)
            found.append(event.key if isinstance(event, Key) else f"pasted {event.text}")
    return found


@pytest.mark.parametrize(
    "pasted",
    ["plain", "\x1b[31mDy\x1b[0m", "Dy\x1b", "\x1b[20", "\x1b\x1b[A", _START, "a\rb\x1b[200", "", "\x1b[2001~"],
)
def test_no_key_is_in_a_paste(pasted: str) -> None:
    whole = f"x\x1b[A{_START}{pasted}{_END}y{_START}D{_END}z"
    shown = pasted.replace("\x1b", "\\x1b")
    expected = ["x", "up", f"pasted {shown}", "y", "pasted D", "z"]
    for size in (1, 2, 3, 5, 7, len(whole)):
        parts = [whole[place : place + size] for place in range(0, len(whole), size)]
        assert events_of(parts) == expected, size


@pytest.mark.parametrize("typed", ["\x1b", "\x1b\x1b", "\x1bb", "\x1b[", "\x1b[A\x1b[20~", "\x1b[<0;3;4M"])
def test_what_is_typed_is_not_held_back(typed: str) -> None:
    ours, theirs = InputParser(), XTermParser()
    for character in typed:
        assert list(map(repr, ours.feed(character))) == list(map(repr, theirs.feed(character)))


def keys_of(typed: str) -> list[tuple[str, str | None]]:
    parser = InputParser()
    events = [*parser.feed(typed), *parser.feed("")]  # The end comes in place of a pause.
    return [(event.key, event.character) for event in events if isinstance(event, Key)]


@pytest.mark.parametrize("key", ["q", "D", "5", "1", "/", "?", " ", "-", "=", "O", "[", "\r", "é", "qw"])
def test_escape_and_a_key_that_arrive_together_are_two_keys(key: str) -> None:
    assert keys_of(f"\x1b{key}") == [("escape", "\x1b"), *keys_of(key)]


def test_the_keys_of_a_line_of_text_that_begin_with_an_escape_stay() -> None:
    assert [keys_of(f"\x1b{key}")[0][0] for key in ("b", "f", "\x7f", "\t")] == [
        "ctrl+left",
        "ctrl+right",
        "ctrl+w",
        "shift+tab",
    ]
