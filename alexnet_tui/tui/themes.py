"""The console's own themes. Every colour of every screen is named here, and nowhere else.

Curve colours differ in lightness as well as in hue, so that they stay apart for most colour-blind readers
and on a grey screen; shapes and words carry the meaning wherever there is no colour.
"""

from textual.theme import Theme

DARK, LIGHT, ANSI = "alexnet-dark", "alexnet-light", "alexnet-ansi"

_DARK_VARIABLES = {
    "text-muted": "#8b94a7",
    "faint": "#333c4d",
    "cursor-bg": "#253043",
    "mark-bg": "#1d2534",
    "running": "#74b9ff",
    "curve": "#566380",
    "series-1": "#74b9ff",
    "series-2": "#f2b263",
    "series-3": "#7fd6a4",
    "series-4": "#ef8fae",
    "series-5": "#b9a3f5",
    "series-6": "#e8dc7c",
    "series-7": "#58c7cc",
    "series-8": "#c08a68",
    "series-pinned": "#77819a",
    "border": "#333c4d",
    "border-blurred": "#333c4d",
    "input-cursor-background": "#f2b263",
    "input-cursor-foreground": "#11151c",
    "input-selection-background": "#3b4d6b",
    "block-cursor-background": "#253043",
    "block-cursor-foreground": "#e3e7ef",
    "block-cursor-text-style": "bold",
    "scrollbar": "#333c4d",
    "scrollbar-hover": "#465268",
    "scrollbar-active": "#77819a",
    "scrollbar-background": "#11151c",
    "scrollbar-background-hover": "#11151c",
    "scrollbar-background-active": "#11151c",
    "scrollbar-corner-color": "#11151c",
}
_LIGHT_VARIABLES = {
    "text-muted": "#667080",
    "faint": "#d6d3ca",
    "cursor-bg": "#dfe7f2",
    "mark-bg": "#efece4",
    "running": "#1c62b9",
    "curve": "#bac3d1",
    "series-1": "#1c62b9",
    "series-2": "#b36200",
    "series-3": "#1f8a55",
    "series-4": "#b8336a",
    "series-5": "#6a4fc0",
    "series-6": "#857400",
    "series-7": "#0d7f88",
    "series-8": "#7c4a2a",
    "series-pinned": "#8d95a3",
    "border": "#d6d3ca",
    "border-blurred": "#d6d3ca",
    "input-cursor-background": "#1c62b9",
    "input-cursor-foreground": "#fcfbf8",
    "input-selection-background": "#c5d7ee",
    "block-cursor-background": "#dfe7f2",
    "block-cursor-foreground": "#20242c",
    "block-cursor-text-style": "bold",
    "scrollbar": "#d6d3ca",
    "scrollbar-hover": "#bdb9ae",
    "scrollbar-active": "#8d95a3",
    "scrollbar-background": "#fcfbf8",
    "scrollbar-background-hover": "#fcfbf8",
    "scrollbar-background-active": "#fcfbf8",
    "scrollbar-corner-color": "#fcfbf8",
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
