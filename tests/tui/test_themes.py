"""Themes: what has to be told from its background can be."""

import pytest
from textual.color import Color
from textual.theme import Theme

from alexnet_tui.tui.glyphs import NUM_SERIES
from alexnet_tui.tui.terminal.themes import THEMES, first_theme, other_theme

SIGNS = (
    *("accent", "primary", "success", "warning", "error", "running", "curve", "series-pinned"),
    *(f"series-{number}" for number in range(1, NUM_SERIES + 1)),
)
LINE_SIGNS = ("accent", "success", "warning", "error", "running", "text-muted")


def luminance(color: Color) -> float:
    """Relative luminance by WCAG 2."""
    parts = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in color.normalized]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def contrast(one: Color, other: Color) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [theme for theme in THEMES if not theme.ansi], ids=lambda theme: theme.name)
def test_signs_and_text_stand_out_from_every_background_they_are_on(theme: Theme) -> None:
    variables = {**theme.to_color_system().generate(), **theme.variables}

    def colour(name: str) -> Color:
        return Color.parse(variables[name])

    background = colour("background")
    assert contrast(Color.parse("#000000"), Color.parse("#ffffff")) == pytest.approx(21)
    pairs = [(name, "background", 3.0) for name in SIGNS]
    pairs += [("text-muted", "background", 4.5), ("text-muted", "surface", 4.5)]
    for line in ("cursor-bg", "mark-bg"):
        pairs += [(name, line, 3.0) for name in LINE_SIGNS] + [("foreground", line, 7.0)]
    weak = {(name, on): contrast(colour(name), colour(on)) for name, on, least in pairs}
    assert not [pair for pair, (_, _, least) in zip(weak, pairs, strict=True) if weak[pair] < least], weak
    assert contrast(colour("foreground"), background) >= 7


def test_the_theme_key_turns_between_dark_and_light() -> None:
    dark, light, ansi = (theme.name for theme in THEMES)
    assert (other_theme(dark), other_theme(light), other_theme(ansi)) == (light, dark, dark)
    assert first_theme(light, no_color=False, num_colors=256) == light
    assert first_theme("unknown", no_color=False, num_colors=256) == dark
    assert first_theme(light, no_color=True, num_colors=256) == ansi
    assert first_theme(light, no_color=False, num_colors=16) == ansi
