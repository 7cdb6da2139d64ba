"""Numbers for people, and foreign text made safe to print.

Everything that comes from a file, a child process or another person passes `printable` before it reaches a
terminal: terminals obey control sequences, and some of them (OSC 52, title changes, bidirectional overrides)
do harm. What a terminal without Unicode gets instead of our symbols is here, too.
"""

import locale
import math
import os
import re
import sys
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby

_UNSAFE_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Control, format (bidirectional, zero-width) and surrogate characters, line and paragraph separators."""
_IGNORABLE = (
    (0xAD, 0xAD),
    (0x34F, 0x34F),
    (0x61C, 0x61C),
    (0x115F, 0x1160),
    (0x17B4, 0x17B5),
    (0x180B, 0x180F),
    (0x200B, 0x200F),
    (0x202A, 0x202E),
    (0x2060, 0x206F),
    (0x3164, 0x3164),
    (0xFE00, 0xFE0F),
    (0xFEFF, 0xFEFF),
    (0xFFA0, 0xFFA0),
    (0xFFF0, 0xFFF8),
    (0x1BCA0, 0x1BCA3),
    (0x1D173, 0x1D17A),
    (0xE0000, 0xE0FFF),
)
"""Default_Ignorable_Code_Point of Unicode 16, DerivedCoreProperties.txt: shown as nothing, so that names look alike."""
_MAX_MARKS = 4
"""Combining marks one letter keeps; no language needs more, and a thousand paint over the lines around."""
MISSING = "–"
_DIGITS = re.compile(r"(\d+)", re.ASCII)
ASCII_FALLBACK: Mapping[str, str] = {
    **dict.fromkeys("─┄┅┈┉╌╍▔▁−–—‐‑·", "-"),
    **dict.fromkeys("━═", "="),
    **dict.fromkeys("│┃┆┇┊┋╎╏║▎▍▌▐▏▕", "|"),
    **dict.fromkeys("┌┐└┘├┤┬┴┼╭╮╰╯┏┓┗┛┣┫┳┻╋╔╗╚╝╠╣╦╩╬▖▗▘▝", "+"),
    **dict.fromkeys("▂▃▄▅▆▇█▉▊▋▀▪■▓", "#"),
    **dict.fromkeys("░▒", ":"),
    **dict.fromkeys("●◉◆•★", "*"),
    **dict.fromkeys("○◯◇◌", "o"),
    **dict.fromkeys("▶▸►→", ">"),
    **dict.fromkeys("◀◂◄←", "<"),
    **dict.fromkeys("▲▴↑", "^"),
    **dict.fromkeys("▼▾↓", "v"),
    **dict.fromkeys("✗✘✖×⭘", "x"),
    **dict.fromkeys("…≈", "~"),
    **dict.fromkeys("’‘", "'"),
    **dict.fromkeys("“”", '"'),
    **dict.fromkeys("✓✔✚", "+"),
    "∙": ".",
}
"""How symbols look without Unicode, Textual's own and ours, one cell each."""
SPELLED_OUT: Mapping[str, str] = {"≤": "<=", "≥": ">=", "±": "+-", "→": "->"}
"""Signs that would say something else in one character of ASCII; they are replaced before a text is measured."""


def printable(text: str, limit: int = 2000, keep_newlines: bool = False) -> str:
    r"""Replace what a terminal would obey or not show by a visible escape, and cut what is too long.

    Control and format characters, everything that Unicode says to ignore by default, and lone surrogates become
    escapes such as ``\x1b``; combining marks beyond the fourth on one letter become ``…``. Newlines and tabs become
    spaces unless `keep_newlines`.
    """
    cut = text[: limit + 1]
    if not keep_newlines:
        cut = cut.replace("\n", " ").replace("\t", " ")
    safe = cut if cut.isascii() and cut.isprintable() else _escape_unsafe(cut)
    return safe if len(safe) <= limit else safe[: limit - 1] + "…"


def _escape_unsafe(text: str) -> str:
    from unicodedata import category  # Most text is ASCII.

    shown: list[str] = []
    num_marks = 0
    for character in text:
        kind = "" if " " <= character <= "~" or character in "\n\t" else category(character)
        is_mark = kind in {"Mn", "Me"}
        num_marks = num_marks + 1 if is_mark else 0
        if kind in _UNSAFE_CATEGORIES or (kind and _is_ignorable(ord(character))):
            shown.append(_escape(ord(character)))
            num_marks = 0
        elif is_mark and not shown:
            shown.append(f"\N{DOTTED CIRCLE}{character}")  # Else it would sit on what is printed before the text.
        elif num_marks <= _MAX_MARKS:
            shown.append(character)
        elif num_marks == _MAX_MARKS + 1:
            shown.append("…")
    return "".join(shown)


def _is_ignorable(code: int) -> bool:
    index = bisect_right(_IGNORABLE, (code, sys.maxunicode)) - 1
    return index >= 0 and code <= _IGNORABLE[index][1]


def _escape(code: int) -> str:
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def quoted(text: str, limit: int = 60) -> str:
    """Foreign text between quotes, for messages; unlike `repr`, it escapes nothing twice."""
    safe = printable(text, limit)
    return f'"{safe}"' if "'" in safe else f"'{safe}'"


def format_percent(fraction: float | None, digits: int = 2) -> str:
    """A fraction in [0, 1] as percent: ``59.33%``."""
    if fraction is None or not math.isfinite(fraction):
        return MISSING
    return f"{100 * fraction:.{digits}f}%"


def format_done(share: float) -> str:
    """How much of something is done, rounded down, so that ``100%`` is all of it: 0.999 is ``99%``."""
    return f"{math.floor(100 * share + 1e-9)}%"


def format_points(fraction: float | None) -> str:
    """A difference of fractions in percentage points, signed: ``+0.40``."""
    return MISSING if fraction is None else format_difference(100 * fraction, 2)


def format_gap(fraction: float | None) -> str:
    """Training minus test accuracy in points, signed, as every table has it: ``+30.5``."""
    return MISSING if fraction is None else format_difference(100 * fraction, 1)


def format_difference(value: float | None, digits: int) -> str:
    """A signed number: ``+4.7``, ``-0.31``; the minus is the hyphen that every terminal has, and zero has a plus."""
    return MISSING if value is None or not math.isfinite(value) else f"{value:+z.{digits}f}"


def format_loss(loss: float | None) -> str:
    """A loss in nats with four digits, so that columns stay even: ``1.380``, ``0.0307``, ``inf``, ``nan``."""
    if loss is None:
        return MISSING
    if 0.01 <= abs(loss) < 1:
        return f"{loss:.4f}"
    return f"{loss:#.4g}".rstrip(".") if loss else "0"


def format_duration(seconds: float | None) -> str:
    """Seconds as ``0.8s``, ``42s``, ``3m 05s``, ``2h 07m`` or ``3d 04h``."""
    if seconds is None or not math.isfinite(seconds):
        return MISSING
    if seconds < 10:
        return f"{seconds:.1f}s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02d}s"
    if whole < 86400:
        return f"{whole // 3600}h {whole % 3600 // 60:02d}m"
    return f"{whole // 86400}d {whole % 86400 // 3600:02d}h"


def format_clock(seconds: float | None) -> str:
    """Seconds as the study writes them: ``03:22:33``."""
    if seconds is None or not math.isfinite(seconds):
        return MISSING
    whole = round(seconds)
    return f"{whole // 3600:02d}:{whole % 3600 // 60:02d}:{whole % 60:02d}"


def format_count(count: float | None) -> str:
    """A count with thousands separators: ``60,965,224``."""
    return MISSING if count is None or not math.isfinite(count) else f"{count:,.0f}"


def counted(count: int, noun: str) -> str:
    """A count with its noun: ``1 epoch``, ``2,000 epochs``."""
    return f"{count:,} {plural(count, noun)}"


def listed(words: Sequence[str]) -> str:
    """Words as a sentence lists them: ``a, b and c``."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def format_seeds(seeds: Iterable[int]) -> str:
    """Seeds in their order, three and more that follow one another by the first and the last: ``0 to 4, 7``."""
    ordered = sorted(set(seeds))
    parts = list[str]()
    for _, follows in groupby(enumerate(ordered), key=lambda item: item[1] - item[0]):
        run = [seed for _, seed in follows]
        parts += [f"{run[0]} to {run[-1]}"] if len(run) > 2 else map(str, run)
    return ", ".join(parts)


def natural_key(text: str) -> list[str | int]:
    """A key by which ``run-9`` comes before ``run-10``."""
    return [int(part) if part.isdecimal() else part for part in _DIGITS.split(text)]


def plural(count: int, noun: str) -> str:
    """A noun as it follows a count: ``epoch`` after 1, ``epochs`` after all others."""
    return noun if count == 1 else f"{noun}s"


def format_bytes(size_bytes: float | None) -> str:
    """Bytes in binary units: ``1.5 GiB``."""
    if size_bytes is None:
        return MISSING
    size = float(size_bytes)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" or size >= 100 else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"


def format_rate(images_per_second: float | None) -> str:
    """Throughput: ``3,120/s``."""
    return MISSING if images_per_second is None else f"{images_per_second:,.0f}/s"


def spelled_out(text: str) -> str:
    """The text for a terminal; ``≤ 1.0 ±0.2`` is ``<= 1.0 +-0.2`` where that has no Unicode."""
    is_replaced = not text.isascii() and is_ascii_terminal()
    return "".join(SPELLED_OUT.get(symbol, symbol) for symbol in text) if is_replaced else text


def is_ascii_terminal() -> bool:
    """Whether the terminal cannot be trusted with Unicode: its encoding is not UTF-8, or a person said so."""
    if os.environ.get("ALEXNET_TUI_ASCII"):
        return True
    # Of the locale itself: in Python's UTF-8 mode, which LC_ALL=C turns on, streams and the rest say UTF-8 anyhow.
    return locale.getencoding().lower().replace("-", "") not in {"utf8", "utf8sig"}
