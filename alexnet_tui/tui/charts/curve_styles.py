"""How curves are told apart: by slot a marker, a pattern of dashes, and a style whose colour the theme has."""

from alexnet_tui.tui.charts.model import Curve
from alexnet_tui.tui.charts.raster import Dash, DotMode

DASHES = (Dash(), Dash(8, 2), Dash(4, 2), Dash(8, 2, 2, 2), Dash(2, 2), Dash(12, 4))
BASELINE_DASH, EDGE_DASH = Dash(1, 2), Dash(1, 1)
"""Dashes of the slots, where there is no colour; the pinned run's; those of a band's edges."""
MARKERS = {
    DotMode.BRAILLE: "●▲■◆▼★✚✖",
    DotMode.BLOCKS: "*ox+#%@&",
    DotMode.ASCII: "*ox+#%@&",
}


def marker_of(slot: int, dot_mode: DotMode) -> str:
    """The marker of the curves with this slot."""
    return MARKERS[dot_mode][slot % len(MARKERS[dot_mode])]


def style_of(curve: Curve) -> str:
    """The name of a curve's style."""
    return "baseline" if curve.is_baseline else f"series-{curve.slot}"
