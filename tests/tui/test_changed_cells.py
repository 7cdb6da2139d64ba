"""Only cells that changed go to the terminal, and it shows the same as if all had gone there."""

import random
from collections.abc import Sequence

import pyte
import pytest
from rich.color import ColorSystem
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.geometry import Region
from textual.strip import Strip

from alexnet_tui.tui.terminal.changed_cells import ShownCells

WIDTH, HEIGHT = 24, 4
STYLES = (
    None,
    *map(Style.parse, ("red on black", "#ff0000 on #101010", "bold #00ff00 on #101010", "reverse", "on blue")),
)
WORDS = ("abc", "  ", "⣿⢸", "漢字", "x漢", "0.123", "─┤")
Cuts = Sequence[int]


def line(rng: random.Random) -> Strip:
    segments = [Segment(rng.choice(WORDS), rng.choice(STYLES)) for _ in range(12)]
    return Strip(segments).adjust_cell_length(WIDTH)


def layout(lines: Sequence[Strip]) -> LayoutUpdate:
    return LayoutUpdate([[line] for line in lines], Region(0, 0, WIDTH, HEIGHT))


def chops(lines: Sequence[Strip], cuts: Cuts, spans: Sequence[tuple[int, int, int]]) -> ChopsUpdate:
    starts, ends = [0, *cuts], [*cuts, WIDTH]
    pieces = [dict(zip(starts, line.divide(ends), strict=True)) for line in lines]
    return ChopsUpdate(pieces, list(spans), [ends] * HEIGHT)


def whole(update: ChopsUpdate) -> LayoutUpdate:
    strips = [[piece for piece in line.values() if piece is not None] for line in update.chops]
    return LayoutUpdate(list(strips), Region(0, 0, WIDTH, HEIGHT))


def screen(*written: str) -> dict[tuple[int, int], object]:
    """What a terminal shows after all that."""
    emulator = pyte.Screen(WIDTH, HEIGHT)
    stream = pyte.Stream(emulator)
    for text in written:
        stream.feed(text.replace("\n", ""))
    return {(row, column): emulator.buffer[row][column] for row in range(HEIGHT) for column in range(WIDTH)}


@pytest.mark.slow
def test_a_terminal_shows_what_it_would_if_everything_were_sent() -> None:
    for seed in range(60):
        rng, shown = random.Random(seed), ShownCells()
        lines = [line(rng) for _ in range(HEIGHT)]
        written = [shown.changes(layout(lines), ColorSystem.TRUECOLOR)]
        for _ in range(5):
            changed = rng.randrange(HEIGHT)
            lines[changed] = line(rng) if rng.random() < 0.5 else lines[changed].crop(0, 9).adjust_cell_length(WIDTH)
            cuts = sorted(rng.sample(range(1, WIDTH), 2))
            update = chops(lines, cuts, [(row, 0, WIDTH) for row in range(HEIGHT)])
            written.append(shown.changes(update, ColorSystem.TRUECOLOR))
            assert screen(*written) == screen(whole(update).render_segments(Console(color_system="truecolor"))), seed


def test_what_covered_a_part_of_wide_text_is_gone_when_the_text_is_drawn_again() -> None:
    text = Strip([Segment("漢字漢字 x")]).adjust_cell_length(WIDTH)
    blank = Strip.blank(WIDTH)
    for first in range(2, 9, 2):
        shown = ShownCells()
        below = layout([text, *[blank] * (HEIGHT - 1)])
        over = ChopsUpdate(
            [{0: None, first: Strip([Segment("abcd")]), first + 4: None}, *[{0: None}] * (HEIGHT - 1)],
            [(0, first, first + 4)],
            [[first, first + 4, WIDTH], *[[WIDTH]] * (HEIGHT - 1)],
        )
        written = [shown.changes(update, ColorSystem.TRUECOLOR) for update in (below, over, below)]
        assert screen(*written) == screen(below.render_segments(Console(color_system="truecolor"))), first


def test_what_is_shown_already_is_not_sent_again() -> None:
    shown, rng = ShownCells(), random.Random(1)
    update = chops([line(rng) for _ in range(HEIGHT)], [5, 9], [(row, 0, WIDTH) for row in range(HEIGHT)])
    shown.changes(whole(update), ColorSystem.TRUECOLOR)
    assert shown.changes(update, ColorSystem.TRUECOLOR) == ""
    shown.forget()
    sent = shown.changes(update, ColorSystem.TRUECOLOR)
    assert screen(sent) == screen(whole(update).render_segments(Console(color_system="truecolor")))


@pytest.mark.parametrize(
    ("before", "after", "sent"),
    [
        ("step 109/200", "step 110/200", "\x1b[1;7H10"),
        ("a         b", "c         d", "\x1b[1;1Hc\x1b[11Gd"),
        ("⣿⣿⣿⣿⣿⣿", "⣿⣿⣿⣷⣿⣿", "\x1b[1;4H⣷"),
        ("漢字 1", "漢字 2", "\x1b[1;6H2"),
    ],
)
def test_a_figure_that_changed_is_sent_alone(before: str, after: str, sent: str) -> None:
    shown = ShownCells()
    for text in (before, after):
        strip = Strip([Segment(text[:2]), Segment(text[2:])]).adjust_cell_length(WIDTH)
        written = shown.changes(ChopsUpdate([{0: strip}], [(0, 0, WIDTH)], [[WIDTH]]), ColorSystem.TRUECOLOR)
    assert written == sent


def test_colours_are_sent_where_they_change() -> None:
    on_dark = [Style.parse(f"{color} on #101010") for color in ("#ff0000", "#00ff00")]
    strip = Strip([Segment("ab", on_dark[0]), Segment("c", on_dark[0]), Segment("d", on_dark[1])])
    sent = ShownCells().changes(LayoutUpdate([[strip]], Region(0, 0, 4, 1)), ColorSystem.TRUECOLOR)
    assert sent == "\x1b[1;1H\x1b[38;2;255;0;0;48;2;16;16;16mabc\x1b[38;2;0;255;0md\x1b[0m"
