"""Foreign text made harmless, and numbers for people."""

import ast
import math
import random
import unicodedata
from pathlib import Path

import pytest

import alexnet_tui
from alexnet_tui.text import (
    ASCII_FALLBACK,
    MISSING,
    SPELLED_OUT,
    counted,
    format_bytes,
    format_clock,
    format_count,
    format_difference,
    format_done,
    format_duration,
    format_gap,
    format_loss,
    format_percent,
    format_points,
    format_seeds,
    printable,
    quoted,
    spelled_out,
)


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b]52;c;aGk=\x07", r"\x1b]52;c;aGk=\x07"),
        ("a\x00b\x7f", r"a\x00b\x7f"),
        ("x\ry", r"x\x0dy"),
        ("\x9b2J\x85", r"\x9b2J\x85"),
        ("\u202eexe", r"\u202eexe"),
        ("\u2066\u061c", r"\u2066\u061c"),
        ("a\u200bb\ufeff\u2060\xad", r"a\u200bb\ufeff\u2060\xad"),
        ("a\u2028b\u2029", r"a\u2028b\u2029"),
        ("\ud800\udcff", r"\ud800\udcff"),
        ("\U000e0041", r"\U000e0041"),
        ("a\tb\nc", "a b c"),
        ("Zoë 漢字 🙂 \\ '\"", "Zoë 漢字 🙂 \\ '\""),
    ],
)
def test_attack_01_what_a_terminal_would_obey_is_shown(hostile: str, shown: str) -> None:
    assert printable(hostile) == shown


@pytest.mark.slow
def test_attack_01_no_character_of_unicode_reaches_the_terminal_as_a_command() -> None:
    harmful = {"Cc", "Cs", "Zl", "Zp"}
    for code in range(0x30000):
        safe = printable(chr(code))
        assert not any(unicodedata.category(character) in harmful for character in safe), hex(code)
        assert not any(unicodedata.bidirectional(character) in {"RLO", "LRO", "RLI", "PDF"} for character in safe)


def test_attack_04_what_shows_as_nothing_is_marked() -> None:
    hidden = [0x34F, 0x115F, 0x3164, 0xFFA0, 0x17B4, 0xFE00, 0xFE0F, 0xE0100, 0xE01EF, 0x1D173, 0x1BCA0, 0x600, 0x110BD]
    hidden += [0x13430, 0x180B, 0x2065, 0xFFF0, 0xE0FFF, 0xAD]
    for code in hidden:
        safe = printable(f"a{chr(code)}b")
        assert safe.isascii(), hex(code)
        assert safe != "ab"
    for code in range(0x110000):  # By property, whatever the version of Unicode that Python knows.
        if unicodedata.category(chr(code)) == "Cf":
            assert printable(chr(code)).isascii(), hex(code)


def test_attack_04_a_letter_has_four_marks_at_most() -> None:
    assert printable("Việt Nam, שָׁלוֹם") == "Việt Nam, שָׁלוֹם"
    decomposed = unicodedata.normalize("NFD", "Việt")
    assert printable(decomposed) == decomposed
    assert printable("e" + "\u0301" * 5000 + "x", 6000) == "e" + "\u0301" * 4 + "…x"
    assert printable("\u0301x") == "\u25cc\u0301x"  # Nothing sits on what is printed before.


def test_newlines_stay_where_they_are_wanted() -> None:
    assert printable("a\n\tb\r\n", keep_newlines=True) == "a\n\tb\\x0d\n"


def test_long_text_is_cut_with_an_ellipsis() -> None:
    assert printable("abcdef", 6) == "abcdef"
    assert printable("abcdefg", 6) == "abcde…"
    assert printable("\x1b" * 3, 6) == r"\x1b\…"
    assert len(printable("x" * 5_000_000)) == 2000


def test_random_text_is_encodable_and_within_its_limit() -> None:
    rng = random.Random(3)
    for _ in range(500):
        text = "".join(chr(rng.randrange(0x11000)) for _ in range(rng.randrange(60)))
        limit = rng.randrange(1, 50)
        assert len(printable(text, limit)) <= limit
        printable(text).encode()


def test_quoted_escapes_nothing_twice() -> None:
    assert quoted("a\\b") == "'a\\b'"
    assert quoted("\x1b") == r"'\x1b'"
    assert quoted("it's") == '"it\'s"'
    assert quoted("x" * 99, 5) == "'xxxx…'"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.84, "0.8s"),
        (42, "42s"),
        (59.6, "1m 00s"),
        (185, "3m 05s"),
        (7620, "2h 07m"),
        (273_600, "3d 04h"),
        (None, MISSING),
        (math.nan, MISSING),
        (math.inf, MISSING),
    ],
)
def test_durations(seconds: float | None, words: str) -> None:
    assert format_duration(seconds) == words


def test_other_numbers() -> None:
    assert (format_percent(0.5933), format_percent(None), format_percent(math.inf)) == ("59.33%", MISSING, MISSING)
    assert (format_points(0.004), format_points(-0.0142)) == ("+0.40", "-1.42")
    assert (format_points(-0.00001), format_gap(-0.0002), format_gap(0.258)) == ("+0.00", "+0.0", "+25.8")
    assert [format_difference(value, 1) for value in (4.66, -4.66, math.nan, None)] == [
        "+4.7",
        "-4.7",
        MISSING,
        MISSING,
    ]
    assert [format_loss(loss) for loss in (1.38, 0.3, 0.05, 12.0, 1234.0, 1e-5)] == [
        "1.380",
        "0.3000",
        "0.0500",
        "12.00",
        "1234",
        "1.000e-05",
    ]
    assert [format_loss(loss) for loss in (1.23456, 0.0, math.inf, math.nan, None)] == [
        "1.235",
        "0",
        "inf",
        "nan",
        MISSING,
    ]
    assert format_clock(12153) == "03:22:33"
    assert format_count(60965224) == "60,965,224"
    assert [counted(count, "epoch") for count in (0, 1, 2000)] == ["0 epochs", "1 epoch", "2,000 epochs"]
    assert [format_bytes(size) for size in (0, 1023, 1536, 3 << 40)] == ["0 B", "1023 B", "1.5 KiB", "3.0 TiB"]


def test_seeds_that_follow_one_another_are_a_span() -> None:
    assert format_seeds([]) == ""
    assert format_seeds([3]) == "3"
    assert format_seeds([1, 0]) == "0, 1"
    assert format_seeds([4, 2, 3, 0, 7, 7, 1]) == "0 to 4, 7"
    assert format_seeds([0, 1, 5, 6, 7, 8, 1000]) == "0, 1, 5 to 8, 1000"


@pytest.mark.slow
def test_what_is_done_is_rounded_down() -> None:
    shares = {0.0: "0%", 0.29: "29%", 0.379: "37%", 0.9999: "99%", 1.0: "100%"}
    assert {share: format_done(share) for share in shares} == shares


@pytest.mark.slow
def test_every_symbol_that_the_program_draws_has_an_ascii_form() -> None:
    trees = [ast.parse(path.read_text("utf-8")) for path in Path(alexnet_tui.__path__[0]).rglob("*.py")]
    words = [node.value for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    symbols = {symbol for word in words if isinstance(word, str) for symbol in word if "\u2190" <= symbol <= "\u27bf"}
    assert len(symbols) > 50
    assert symbols - ASCII_FALLBACK.keys() - SPELLED_OUT.keys() == set()


def test_signs_whose_sense_one_ascii_character_would_change_are_spelled_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("locale.getencoding", lambda: "utf-8")
    assert spelled_out("≤ 1.0 ±0.2") == "≤ 1.0 ±0.2"
    monkeypatch.setenv("ALEXNET_TUI_ASCII", "1")
    assert spelled_out("≤ 1.0 ±0.2, x ≥ 2: cat → dog …") == "<= 1.0 +-0.2, x >= 2: cat -> dog …"
    assert not {"≤", "≥", "±"} & ASCII_FALLBACK.keys(), "no one-cell form says the same"
