"""The console's own themes. Every colour of every screen is named here, and nowhere else.

Textual's built-in themes are not offered, although the curve colours would keep a contrast of 3:1 on each of their
backgrounds: every pair of colours here is tested for contrast, and those of nineteen more themes would have to be.
"""

from textual.color import Color
from textual.theme import Theme

DARK, LIGHT, ANSI = "alexnet-dark", "alexnet-light", "alexnet-ansi"


def _derived(background: str, foreground: str, primary: str, accent: str) -> dict[str, str]:
    """Lines, backgrounds and scroll bars out of a theme's own colours."""

    def tint(colour: str, share: float) -> str:
        return Color.parse(background).blend(Color.parse(colour), share).hex

    line, cursor = tint(foreground, 0.17), tint(primary, 0.15)
    return {
        "faint": line,
        "cursor-bg": cursor,
        "mark-bg": tint(accent, 0.07),
        "border": line,
        "border-blurred": line,
        "input-cursor-background": accent,
        "input-cursor-foreground": background,
        "input-selection-background": tint(primary, 0.3),
        "block-cursor-background": cursor,
        "block-cursor-foreground": foreground,
        "block-cursor-text-style": "bold",
        "scrollbar": line,
        "scrollbar-hover": tint(foreground, 0.27),
        "scrollbar-active": tint(foreground, 0.45),
        "scrollbar-background": background,
        "scrollbar-background-hover": background,
        "scrollbar-background-active": background,
        "scrollbar-corner-color": background,
    }


_DARK_VARIABLES = {
    **_derived(background="#11151c", foreground="#dde2eb", primary="#74b9ff", accent="#f2b263"),
    "text-muted": "#8b94a7",
    "running": "#74b9ff",
    "curve": "#6b7896",
    "series-1": "#74b9ff",
    "series-2": "#f2b263",
    "series-3": "#7fd6a4",
    "series-4": "#ef8fae",
    "series-5": "#b9a3f5",
    "series-6": "#e8dc7c",
    "series-7": "#58c7cc",
    "series-8": "#c08a68",
    "series-pinned": "#77819a",
}
_LIGHT_VARIABLES = {
    **_derived(background="#fcfbf8", foreground="#20242c", primary="#1c62b9", accent="#b36200"),
    "text-muted": "#5f6978",
    "running": "#1c62b9",
    "curve": "#838d9d",
    "series-1": "#1c62b9",
    "series-2": "#b36200",
    "series-3": "#1f8a55",
    "series-4": "#b8336a",
    "series-5": "#6a4fc0",
    "series-6": "#857400",
    "series-7": "#0d7f88",
    "series-8": "#7c4a2a",
    "series-pinned": "#7b8492",
}
_ANSI_VARIABLES = {
    "text-muted": "ansi_default",
    "faint": "ansi_bright_black",
    "cursor-bg": "ansi_default",
    "mark-bg": "ansi_default",
    "running": "ansi_cyan",
    "curve": "ansi_default",
    "series-1": "ansi_bright_blue",
    "series-2": "ansi_yellow",
    "series-3": "ansi_green",
    "series-4": "ansi_magenta",
    "series-5": "ansi_cyan",
    "series-6": "ansi_red",
    "series-7": "ansi_bright_green",
    "series-8": "ansi_bright_magenta",
    "series-pinned": "ansi_default",
    "border": "ansi_bright_black",
    "border-blurred": "ansi_bright_black",
    "ansi-background": "ansi_black",
    "ansi-foreground": "ansi_white",
    "input-cursor-background": "ansi_white",
    "input-cursor-foreground": "ansi_black",
    "input-cursor-text-style": "reverse",
    "input-selection-background": "ansi_bright_blue",
    "input-selection-foreground": "ansi_black",
    "block-cursor-background": "ansi_white",
    "block-cursor-foreground": "ansi_black",
    "scrollbar": "ansi_white",
    "scrollbar-background": "ansi_default",
    "scrollbar-corner-color": "ansi_default",
}

THEMES = (
    Theme(
        name=DARK,
        primary="#74b9ff",
        secondary="#8fa3c4",
        accent="#f2b263",
        success="#7fd6a4",
        warning="#f2b263",
        error="#f27d88",
        foreground="#dde2eb",
        background="#11151c",
        surface="#171c25",
        panel="#1d2430",
        dark=True,
        variables=_DARK_VARIABLES,
    ),
    Theme(
        name=LIGHT,
        primary="#1c62b9",
        secondary="#51617c",
        accent="#b36200",
        success="#1f7a4b",
        warning="#a05a00",
        error="#b8323f",
        foreground="#20242c",
        background="#fcfbf8",
        surface="#f4f2ec",
        panel="#ebe8e0",
        dark=False,
        variables=_LIGHT_VARIABLES,
    ),
    Theme(
        name=ANSI,
        ansi=True,
        primary="ansi_blue",
        secondary="ansi_cyan",
        accent="ansi_yellow",
        success="ansi_green",
        warning="ansi_yellow",
        error="ansi_red",
        foreground="ansi_default",
        background="ansi_default",
        surface="ansi_default",
        panel="ansi_default",
        boost="ansi_default",
        variables=_ANSI_VARIABLES,
    ),
)
# Any other theme, as one set by TEXTUAL_THEME, draws curves in these.
VARIABLE_DEFAULTS = _DARK_VARIABLES


def first_theme(remembered: str, *, no_color: bool, num_colors: int) -> str:
    """The theme to start with; without colours, or with sixteen, the terminal's own palette serves best."""
    if no_color or num_colors <= 16:
        return ANSI
    return remembered if remembered in {DARK, LIGHT, ANSI} else DARK


def other_theme(name: str) -> str:
    """What the theme key turns to."""
    return {DARK: LIGHT, LIGHT: DARK}.get(name, DARK)
