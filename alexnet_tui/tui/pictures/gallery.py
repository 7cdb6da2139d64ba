"""Test images beside the five likeliest answers, the right one marked: the 2012 paper's Figure 4."""

from collections.abc import Sequence

import msgspec
from rich.segment import Segment
from textual.strip import Strip

from alexnet_tui.report.pictures.pixels import Pixels
from alexnet_tui.report.pictures.predictions import Predictions
from alexnet_tui.text import format_percent
from alexnet_tui.tui.glyphs import pad
from alexnet_tui.tui.pictures.painter import Painter, Words, resized

RIGHT = "✓"
_LARGEST_SIDE = 32
_LEAST_CARD, _LEAST_ANSWERS = 72, 20
_GAP = 2
_LEAST_NAME, _LEAST_BAR, _LONGEST_BAR, _OTHER_CELLS = 12, 2, 28, 9
_FIRST_ANSWER, _ANSWER_LINES = 3, 9


class Cards(msgspec.Struct, frozen=True):
    """How cards are laid out: lines and cells of one, and how many fit."""

    width: int
    height: int
    columns: int
    rows: int

    @property
    def count(self) -> int:
        """Cards on show."""
        return self.columns * self.rows


def cards_for(width: int, height: int, *, has_images: bool = True) -> Cards:
    """As many cards as have room for a whole image and its answers, or for the answers alone."""
    columns = max(1, (width + _GAP) // (_LEAST_CARD + _GAP))
    lines = _LARGEST_SIDE // 2 if has_images else _ANSWER_LINES
    rows = max(1, (height + 1) // (lines + 1))
    return Cards((width - _GAP * (columns - 1)) // columns, min(height, lines), columns, rows)


def card_lines(
    index: int, image: Pixels | None, found: Predictions, names: Sequence[str], painter: Painter, cards: Cards
) -> list[Strip]:
    """One test image and the answers.

    Args:
        index: Which test image.
        image: (3, height, width), or None where the images are not here.
        found: All answers.
        names: Of the classes.
        painter: What to draw with.
        cards: Its size.
    """
    drawn: list[list[Segment]] = []
    if image is not None:
        side = max(2, min(_LARGEST_SIDE, 2 * cards.height, cards.width - _LEAST_ANSWERS - _GAP))
        drawn = painter.picture(resized(image.transpose(1, 2, 0), side))
    left = max((sum(segment.cell_length for segment in line) for line in drawn), default=0)
    room = cards.width - (left + _GAP if left else 0)
    answers = _answers(index, found, names, painter, room)
    if len(answers) > cards.height:
        del answers[1:_FIRST_ANSWER]
    top = max(0, (min(cards.height, max(len(drawn), len(answers))) - len(answers)) // 2)
    texts: list[list[Words]] = [[] for _ in range(top)] + answers
    lines = []
    for row in range(cards.height):
        picture = drawn[row] if row < len(drawn) else painter.words((" " * left, ""))
        words = painter.line(room, *texts[row]) if row < len(texts) else painter.line(room)
        gap = painter.words((" " * _GAP, "")) if left else []
        lines.append(Strip([*picture, *gap, *words]).adjust_cell_length(cards.width, painter.styles[""]))
    return lines


def _answers(index: int, found: Predictions, names: Sequence[str], painter: Painter, width: int) -> list[list[Words]]:
    label = int(found.labels[index])
    classes, shares = found.top_classes[index].tolist(), found.top_probabilities[index].tolist()
    is_right = classes[0] == label
    taken = (" answered right", "muted") if is_right else (f" taken for {names[classes[0]]}", "")
    lines: list[list[Words]] = [[(names[label], "strong"), taken], [(f"test image {index}", "muted")], []]
    longest = max((len(names[number]) for number in classes), default=0)
    room = min(longest, max(width // 3, min(_LEAST_NAME, width - _LEAST_BAR - _OTHER_CELLS), 6))
    bar = max(_LEAST_BAR, min(_LONGEST_BAR, width - room - _OTHER_CELLS))
    for number, share in zip(classes, shares, strict=True):
        mark = RIGHT if number == label else " "
        lines.append(
            [
                (f"{mark} {pad(names[number], room)} ", "strong" if number == label else ""),
                *painter.bar(share, bar, "right" if number == label else "wrong"),
                (format_percent(share, 0).rjust(5), "strong" if number == label else "muted"),
            ]
        )
    if label not in classes:
        lines.append([(f"  {names[label]}", "strong"), (f" is not among its {len(classes)} likeliest", "muted")])
    return lines
