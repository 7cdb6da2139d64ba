"""Curves in one line of characters."""

import math

import pytest

from alexnet_tui.sparkline import braille_sparkline, sparkline


def test_sparklines_show_the_shape_and_keep_gaps() -> None:
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7], 8) == "▁▂▃▄▅▆▇█"
    assert sparkline([0, math.nan, 1], 3) == "▁ █"
    assert sparkline([5, 5], 2) == "▅▅"
    assert sparkline([0, 0, 4, 4], 2, ascii_only=True) == "_@"
    assert sparkline([], 5) == sparkline([1], 0) == ""


@pytest.mark.parametrize(
    "values",
    [
        [1e308, -1e308],
        [1e308] * 30,
        [math.inf, -math.inf] * 20,
        [5e-324, 0.0],
        [1e308, -1e308, math.nan, math.inf, 5e-324] * 9,
    ],
)
def test_sparklines_survive_any_float(values: list[float]) -> None:
    assert len(sparkline(values, 7)) == min(7, len(values))


def test_curves_are_on_one_scale() -> None:
    high, low = braille_sparkline([0.6] * 20, 4, 0.1, 0.6), braille_sparkline([0.3] * 20, 4, 0.1, 0.6)
    assert high == "⠉" * 4
    assert low == "⠤" * 4
    assert braille_sparkline([math.nan] * 4 + [0.6] * 4, 4, 0.1, 0.6) == "  ⠉⠉"
    assert braille_sparkline([], 4, 0, 1) == ""
    assert len(braille_sparkline([0.1, 0.5], 7, 0.0, 0.0)) == 7
