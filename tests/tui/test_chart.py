"""Charts: what is drawn is what the numbers say, for any numbers, any size, any terminal."""

import itertools
import math
import os
import re
import time
from collections.abc import Sequence

import numpy as np
import pytest
from console_driver import driven, running
from textual.app import App, ComposeResult
from textual.events import MouseDown, MouseScrollDown, MouseScrollUp, MouseUp
from textual.pilot import Pilot

from alexnet_tui.tui.charts import raster
from alexnet_tui.tui.charts.axis import Measure
from alexnet_tui.tui.charts.curve_styles import DASHES, marker_of
from alexnet_tui.tui.charts.model import ChartSpec, Curve, View, prepare
from alexnet_tui.tui.charts.raster import (
    Colours,
    DotMode,
    Viewport,
    column_extents,
    dashed,
    detect_dot_mode,
    dots,
    pack_cells,
)
from alexnet_tui.tui.charts.render import RenderedChart, draw
from alexnet_tui.tui.charts.series import SMOOTHINGS
from alexnet_tui.tui.charts.widget import MetricChart, series_colour
from alexnet_tui.tui.terminal.themes import THEMES, VARIABLE_DEFAULTS

NAN, INF = math.nan, math.inf
SIZE = (60, 20)


def curve(y: Sequence[float], name: str = "test", slot: int = 0, **more: object) -> Curve:
    values = np.array(y, dtype=float)
    return Curve(name=name, x=np.arange(1.0, len(values) + 1), y=values, slot=slot, **more)  # type: ignore[arg-type]


def rendered(
    *curves: Curve,
    spec: ChartSpec | None = None,
    view: View | None = None,
    size: tuple[int, int] = SIZE,
    dot_mode: DotMode = DotMode.BRAILLE,
    colours: Colours = Colours.FULL,
) -> RenderedChart:
    chosen = view or View()
    return draw(spec or ChartSpec(title="Loss"), prepare(curves, chosen), chosen, size, dot_mode, colours)


def rows(drawn: RenderedChart) -> list[str]:
    return ["".join(row) for row in drawn.buffer.chars]


def text(drawn: RenderedChart) -> str:
    return "\n".join(rows(drawn))


def plane(drawn: RenderedChart) -> list[str]:
    viewport = drawn.viewport
    assert viewport is not None
    return ["".join(row[drawn.left :][: viewport.columns]) for row in drawn.buffer.chars[drawn.top :][: viewport.rows]]


def is_inked(char: str) -> bool:
    return 0x2800 < ord(char) <= 0x28FF or char in "●▲■◆▼★✚✖"


# The rasteriser


def test_every_column_covers_what_the_line_covers_there() -> None:
    viewport = Viewport(0.0, 10.0, 0.0, 10.0, 10, 5)
    low, high = column_extents(np.array([0.0, 10.0]), np.array([0.0, 10.0]), viewport, DotMode.BRAILLE)
    assert (low[0], high[-1]) == (0, 10)
    assert np.all(low[1:] <= high[:-1]), "neighbours join"
    assert np.all(np.diff(low) >= 0)


def test_one_spike_among_100_000_points_is_drawn_at_its_height() -> None:
    y = np.zeros(100_000)
    y[43_210] = 5.0
    viewport = Viewport(0.0, 99_999.0, 0.0, 5.0, 50, 10)
    _, high = column_extents(np.arange(100_000.0), y, viewport, DotMode.BRAILLE)
    assert np.flatnonzero(high == 5.0).tolist() == [round(43_210 / 99_999 * 99)]


def test_a_gap_stays_a_gap_and_a_lone_point_a_point() -> None:
    viewport = Viewport(0.0, 6.0, 0.0, 1.0, 20, 4)
    low, _ = column_extents(np.arange(7.0), np.array([0, 0, NAN, 1, NAN, 0, 0]), viewport, DotMode.BRAILLE)
    drawn = set(np.flatnonzero(np.isfinite(low)).tolist())
    assert drawn == {*range(8), 19, 20, *range(32, 40)}


@pytest.mark.parametrize("ends", [(0.0, 1.0), (0.3, 0.4), (-0.5, 2.0), (0.9995, 0.9996)])
def test_many_points_a_column_are_traced_like_few(ends: tuple[float, float], monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    x = np.sort(random.random(20_000))
    y = np.cumsum(random.normal(size=20_000))
    y[random.random(20_000) < 0.2] = NAN
    y[5_000:6_000] = NAN
    viewport = Viewport(*ends, -100.0, 100.0, 20, 5)
    many = column_extents(x, y, viewport, DotMode.BRAILLE)
    monkeypatch.setattr(raster, "_MANY_A_COLUMN", 1_000_000)
    few = column_extents(x, y, viewport, DotMode.BRAILLE)
    np.testing.assert_allclose(many, few)
    assert np.isfinite(few).any()


def test_dots_become_the_right_braille_blocks_and_signs() -> None:
    filled = np.zeros((4, 2), dtype=bool)
    filled[0, 0] = filled[3, 1] = True
    assert pack_cells(filled, DotMode.BRAILLE).tolist() == [[0x01 | 0x80]]
    assert pack_cells(np.array([[True], [False], [True], [True]]), DotMode.BLOCKS).tolist() == [[1], [3]]
    assert pack_cells(np.array([[True, False]]), DotMode.ASCII).tolist() == [[1, 0]]


def test_dashes_differ_from_each_other() -> None:
    full = np.ones((1, 240), dtype=bool)
    patterns = {tuple(dashed(full, dash)[0].tolist()) for dash in DASHES}
    assert len(patterns) == len(DASHES)
    assert dashed(full, DASHES[0]).all()


def test_dots_outside_the_limits_are_not_drawn() -> None:
    viewport = Viewport(0.0, 1.0, 0.0, 1.0, 1, 1)
    assert not dots(np.array([2.0, -9.0]), np.array([3.0, -8.0]), viewport, DotMode.BRAILLE).any()


@pytest.mark.parametrize(
    ("variables", "expected"),
    [({}, DotMode.BRAILLE), ({"ALEXNET_TUI_ASCII": "1"}, DotMode.ASCII), ({"TERM": "linux"}, DotMode.BLOCKS)],
)
def test_the_terminal_decides_the_ink(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], expected: DotMode
) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("ALEXNET_TUI_ASCII", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert detect_dot_mode() is expected


# The rendered


def test_a_falling_curve_falls_and_its_last_point_is_marked() -> None:
    drawn = rendered(curve([3, 2, 1]))
    lines = plane(drawn)
    first = next(index for index, line in enumerate(lines) if is_inked(line[0]))
    last = next(index for index, line in enumerate(lines) if line[-1] == "●")
    assert first < last
    assert "test 1" in rows(drawn)[0]


def test_axis_labels_are_whole_distinct_and_end_with_the_last_point() -> None:
    labels = rows(rendered(curve(np.linspace(2, 1, 43).tolist())))[-1].split()
    assert labels[0] == "epoch"
    assert labels[-1] == "43"
    numbers = [int(label) for label in labels[1:]]
    assert numbers == sorted(set(numbers))


def test_values_that_are_close_together_have_the_digits_to_differ() -> None:
    shown = text(rendered(curve([2.3026, 2.3021], "one"), curve([2.3025, 2.3023], "two", slot=1)))
    assert "2.30210" in shown
    assert "2.30230" in shown
    assert "1.900" in text(rendered(curve([2.3, 1.9]))), "as in tables, where that is enough"


def test_an_accuracy_axis_ends_at_100_percent() -> None:
    spec = ChartSpec(title="Accuracy", y=Measure.SHARE)
    drawn = rendered(curve([0.2, 0.99, 1.0]), spec=spec)
    assert drawn.viewport is not None
    assert drawn.viewport.y_high == 1.0
    assert "100%" in text(drawn)
    percents = [int(found) for found in re.findall(r"(\d+)% ┤", text(drawn))]
    assert percents == sorted(set(percents), reverse=True)
    assert max(percents) == 100


def test_impossible_accuracies_are_counted_not_drawn() -> None:
    drawn = rendered(curve([0.5, 7.0, 0.6]), spec=ChartSpec(title="Accuracy", y=Measure.SHARE))
    assert drawn.viewport is not None
    assert drawn.viewport.y_high == 1.0
    assert "1 point above 100%" in rows(drawn)[0]


def test_nan_leaves_a_hole_and_infinity_is_counted() -> None:
    drawn = rendered(curve([1, 1, NAN, NAN, NAN, 1, INF, 1, 1]))
    lines = plane(drawn)
    middle = len(lines[0]) * 3 // 8
    assert not any(is_inked(line[middle]) for line in lines)
    assert any(is_inked(line[2]) for line in lines)
    assert drawn.notes == ("1 point not finite",)


def test_log_draws_decades_evenly_and_counts_what_has_no_logarithm() -> None:
    drawn = rendered(curve([100, 10, 1, 0, -2]), view=View(log=True))
    assert drawn.viewport is not None
    assert drawn.viewport.y_low < 0 < 2 < drawn.viewport.y_high
    assert drawn.notes == ("log", "2 points not above 0")
    assert "100 ┤" in text(drawn)


def test_a_clip_says_how_many_points_it_hides() -> None:
    values = [*np.linspace(2, 1, 99).tolist(), 900.0]
    assert rendered(curve(values)).notes == ()
    clipped = rendered(curve(values), view=View(clip=True))
    assert clipped.viewport is not None
    assert clipped.viewport.y_high < 3
    assert clipped.notes == ("clip hides 1 point",)
    assert "clip hides 1 point" in rows(clipped)[0]
    assert rendered(curve([1, 2]), view=View(clip=True)).notes == ("clip: nothing hidden",)


def test_smoothing_keeps_the_raw_curve_faint_behind() -> None:
    noisy = np.random.default_rng(0).standard_normal(200).tolist()
    drawn = rendered(curve(noisy), view=View(smoothing=SMOOTHINGS[2]))
    styles = {style for row in drawn.buffer.styles for style in row}
    assert {"series-0", "series-0-faint"} <= styles
    assert drawn.notes == ("smoothed: EMA 0.9",)
    assert f"{noisy[-1]:.4g}" in rows(drawn)[0], "the legend says the real value"


def test_the_crosshair_reads_every_curve() -> None:
    drawn = rendered(curve([3, 2, 1], "train"), curve([9, 8], "test", 1), view=View(crosshair=2.0))
    head = " ".join(rows(drawn)[:2])
    assert "Loss at epoch 2" in head
    assert "train 2" in head
    assert "test 8" in head
    assert " 2 " in rows(drawn)[-1]
    column = drawn.buffer.styles[drawn.top].index("crosshair")
    assert drawn.x_at(column) == pytest.approx(2.0, abs=0.05)
    beyond = rendered(curve([3, 2, 1], "train"), curve([9, 8], "test", 1), view=View(crosshair=3.0))
    assert "test –" in " ".join(rows(beyond)[:2])


def test_a_zoom_shows_its_part_and_scales_to_it() -> None:
    drawn = rendered(curve([100, 50, 3, 2, 1]), view=View(x_low=3, x_high=5))
    assert drawn.viewport is not None
    assert (drawn.viewport.x_low, drawn.viewport.x_high) == (3, 5)
    assert drawn.viewport.y_high < 4
    assert rows(drawn)[-1].split() == ["epoch", "3", "4", "5"]
    cut = rendered(curve([100, 50, 3, 2, 1]), view=View(x_low=2, x_high=4))
    assert "2.000" in "\n".join(rows(cut)), "the value beside the end is that at the end"
    ended = [curve(range(10), "whole"), curve([7.0], "ended", 1)]
    assert "ended –" in " ".join(rows(rendered(*ended, view=View(x_low=4, x_high=9)))[:2]), "nothing of it is on screen"


def test_a_band_is_a_tint_where_there_is_colour_and_dots_where_there_is_none() -> None:
    banded = curve([2, 2, 2], low=np.array([1.0, 1.0, 1.0]), high=np.array([3.0, 3.0, 3.0]))
    curves = banded, curve([2.5, 2.5, 2.5], "base", 1, is_baseline=True)
    for colours in Colours:
        drawn = rendered(*curves, colours=colours)
        styles = {style for row in drawn.buffer.styles for style in row}
        assert {"series-0", "baseline"} <= styles
        assert ("series-0-faint" in styles) == (colours is not Colours.FULL)
        assert drawn.viewport is not None
        assert drawn.viewport.y_low < 1 < 3 < drawn.viewport.y_high
        tinted = [row for row, tints in enumerate(drawn.buffer.tints) if tints and any(tints)]
        if colours is not Colours.FULL:
            assert not tinted
            continue
        span = drawn.viewport.y_high - drawn.viewport.y_low
        assert len(tinted) == pytest.approx(2 / span * drawn.viewport.rows, abs=1)
        assert tinted == list(range(tinted[0], tinted[-1] + 1))


def test_a_band_thinner_than_a_cell_is_still_seen() -> None:
    values = np.linspace(0, 10, 9)
    drawn = rendered(curve(values.tolist(), low=values - 0.01, high=values + 0.01))
    assert drawn.viewport is not None
    columns = {column for tints in drawn.buffer.tints if tints for column, name in enumerate(tints) if name}
    assert len(columns) == drawn.viewport.columns


def test_curves_are_solid_with_colour_and_dashed_without() -> None:
    level = curve([1.0, 1.0], "level", 4), curve([0.0, 2.0], "rise")

    def num_gaps(colours: Colours) -> int:
        drawn = rendered(*level, colours=colours)
        line = max(plane(drawn), key=lambda line: sum(0x2800 < ord(char) <= 0x28FF for char in line))
        return len(re.findall("[^\u2801-\u28ff●▼]+", line.strip()))

    assert num_gaps(Colours.FULL) == num_gaps(Colours.ANSI) == 0
    dots_with, dots_without = (
        sum(
            (ord(char) & 0xFF).bit_count()
            for line in plane(rendered(*level, colours=colours))
            for char in line
            if 0x2800 < ord(char) <= 0x28FF
        )
        for colours in (Colours.FULL, Colours.NONE)
    )
    assert dots_without < 0.9 * dots_with


def test_the_chosen_curve_is_two_dots_thick() -> None:
    thin, thick = (
        sum(
            (ord(char) & 0xFF).bit_count()
            for line in plane(rendered(curve([1, 1.0], is_chosen=chosen)))
            for char in line
            if 0x2800 < ord(char) <= 0x28FF
        )
        for chosen in (False, True)
    )
    assert thick == pytest.approx(2 * thin, rel=0.05)


def test_grid_rows_are_equally_far_apart() -> None:
    for top, height in itertools.product((0.13, 1.0, 7.3, 940.0), (9, 14, 20, 31)):
        drawn = rendered(curve([0.01, top]), size=(60, height))
        grid = [row for row, line in enumerate(rows(drawn)) if "┤" in line]
        assert len({below - above for above, below in itertools.pairwise(grid)}) == 1, (top, height)


def test_hidden_curves_keep_a_place_to_click_and_lend_no_limits() -> None:
    for size in ((60, 20), (90, 20)):
        curves = curve([1, 2], "low"), curve([90, 100], "high", 1), curve([1, 3], "middle", 2)
        drawn = rendered(*curves, view=View(hidden=frozenset({"high"})), size=size)
        assert drawn.viewport is not None
        assert drawn.viewport.y_high < 10
        assert "high hidden" in rows(drawn)[0]
        assert {label.curve for label in drawn.labels} == {"low", "high", "middle"}
        for label in drawn.labels:
            assert drawn.curve_at(label.cells.start, label.row) == label.curve
        assert drawn.curve_at(drawn.left + 1, drawn.top) is None
    every = rendered(*curves, view=View(hidden=frozenset({"low", "high", "middle"})))
    assert "every curve is hidden" in text(every)
    assert len(every.labels) == 3


def test_end_labels_name_the_curves_on_a_wide_chart() -> None:
    drawn = rendered(curve([1, 2], "low one"), curve([1, 9], "high one", 1), size=(90, 20))
    lines = rows(drawn)[drawn.top :]
    high = next(index for index, line in enumerate(lines) if "▲ high one" in line)
    low = next(index for index, line in enumerate(lines) if "● low one" in line)
    assert high < low


def test_end_labels_never_cover_each_other() -> None:
    curves = [curve([1, 2 + index / 1000], f"name{index}", index) for index in range(6)]
    drawn = rendered(*curves, size=(90, 24))
    lines = rows(drawn)[drawn.top :]
    assert all(sum(f"name{index}" in line for line in lines) == 1 for index in range(6))


def test_a_marker_is_beside_each_name_and_on_the_last_point_of_each_curve() -> None:
    curves = [curve([1, 2 + index / 1000], f"name{index}", index) for index in range(4)]
    apart = [curve([1, 2 + 3 * index], f"name{index}", index) for index in range(4)]
    for colours in (Colours.FULL, Colours.NONE):
        for found in (curves, apart):
            lines = rows(rendered(*found, size=(90, 24), colours=colours))
            for index in range(4):
                (line,) = (line for line in lines if f"name{index}" in line)
                assert line[: line.index("name")].rstrip().endswith(marker_of(index, DotMode.BRAILLE)), line
        drawn = rendered(*apart, curve([1, 2.01], "near", 4), size=(90, 24), colours=colours)
        lines = rows(drawn)
        column = drawn.left + drawn.viewport.columns - 1  # type: ignore[union-attr]
        at_end = [
            line[column] for line in lines if line[column] in {marker_of(index, DotMode.BRAILLE) for index in range(4)}
        ]
        assert at_end == [marker_of(index, DotMode.BRAILLE) for index in (3, 2, 1, 0)], "where the points are"


def test_a_name_covers_no_other_curve() -> None:
    short = curve([9.0] * 4, "short", 1)
    waves = [curve([height] * 40, f"wave{index}", index) for index, height in ((0, 3.0), (2, 9.0), (3, 17.0))]
    for width in (90, 120):
        alone = rendered(*waves, curve([np.nan], "short", 1), size=(width, 24))
        both = rendered(*waves, short, size=(width, 24))
        (label,) = (label for label in both.labels if label.curve == "short")
        assert "short" in text(both)
        assert not any(
            0x2800 < ord(cell) <= 0x28FF for cell in rows(alone)[label.row][label.cells.start : label.cells.stop]
        )


def test_smoothing_leaves_a_constant_flat_and_the_marker_at_the_measured_value() -> None:
    for smoothing in SMOOTHINGS:
        drawn = rendered(curve([0.01] * 50), view=View(smoothing=smoothing), size=(90, 20))
        filled = [row for row in plane(drawn) if any(0x2800 < ord(cell) <= 0x28FF for cell in row)]
        assert len(filled) == 1, smoothing
    jump = curve([1.0] * 30 + [9.0])
    found = [rendered(jump, view=View(smoothing=smoothing), size=(60, 20)) for smoothing in SMOOTHINGS]
    assert len({next(row for row, line in enumerate(plane(drawn)) if "●" in line) for drawn in found}) == 1


def test_curves_are_told_apart_without_colour() -> None:
    drawn = rendered(curve(range(9), "a"), curve(range(1, 10), "b", 1), colours=Colours.NONE)
    inside = "".join(plane(drawn))
    assert inside.count("●") > 2
    assert inside.count("▲") > 2


def test_a_long_legend_says_how_many_more_there_are() -> None:
    drawn = rendered(*(curve([1, 2], f"run number {index}", index) for index in range(30)))
    found = re.search(r"\+(\d+) more", text(drawn))
    assert found
    assert len(drawn.labels) + int(found.group(1)) == 30
    assert drawn.top == 1


def test_a_legend_cuts_names_only_where_whole_ones_have_no_room() -> None:
    name = "a label of more than twenty-four cells"
    assert f"{name} 2.000" in rows(rendered(curve([1, 2], name), size=(60, 20)))[0]
    narrow = rows(rendered(curve([1, 2], name), size=(40, 20)))
    assert re.search("a label of more than tw.*… 2.000", narrow[0])


def test_names_on_a_wide_chart_are_each_written_once() -> None:
    drawn = rendered(*(curve([1, 2 + index], f"name{index}", index) for index in range(3)), size=(90, 20))
    assert [text(drawn).count(f"name{index}") for index in range(3)] == [1, 1, 1]
    assert "name0" not in rows(drawn)[0]
    assert any("name2 4.000" in line for line in rows(drawn))
    bare = rendered(
        *(curve([1, 2 + index], f"name{index}", index) for index in range(3)),
        spec=ChartSpec(title="Loss", has_names=False),
        size=(90, 20),
    )
    assert "name" not in text(bare)
    assert any("4.000" in line for line in rows(bare))


@pytest.mark.parametrize(
    ("measure", "value", "shown"),
    [
        (Measure.SHARE, 0.65, "65.00%"),
        (Measure.NUMBER, 1.38, "1.380"),
        (Measure.NUMBER, 0.3, "0.3000"),
        (Measure.POINTS, 0.258, "+25.8"),
        (Measure.POINTS, -0.012, "-1.2"),
        (Measure.RATE, 0.01, "0.01"),
    ],
)
def test_legends_have_the_digits_of_the_tables(measure: Measure, value: float, shown: str) -> None:
    drawn = rendered(curve([value, value], "x"), spec=ChartSpec(title="t", y=measure))
    assert rows(drawn)[0].split()[-1] == shown


def test_ascii_and_blocks_use_nothing_else() -> None:
    drawn = rendered(
        curve([3, 1, 2]), curve([1, 2, 3], "b", 1), view=View(crosshair=2.0, log=True), dot_mode=DotMode.ASCII
    )
    assert text(drawn).translate({0x2026: "~", 0xB7: "."}).isascii()
    blocks = "".join(plane(rendered(curve([3, 1, 2]), dot_mode=DotMode.BLOCKS)))
    assert set(blocks) & set("▀▄█")
    assert not any(0x2800 <= ord(char) <= 0x28FF for char in blocks)


HOSTILE = [
    "run [lr=0.1] [/] x", "[@click=app.bell]link[/]", "a\x1b]0;PWNED\x07b\x1b[2Jc", "c1\x9b31mx", "\ud800bad",
    "é漢字\u202eRTL\u200b", "x" * 500, "line1\nline2\ttab", "",
]  # fmt: skip


def test_names_are_text_and_never_obeyed() -> None:
    for name, size in itertools.product(HOSTILE, ((60, 20), (100, 30), (40, 12))):
        drawn = rendered(curve([1, 2], name), curve([2, 1], name, 1), size=size)
        assert not re.search("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u200b\ud800-\udfff]", text(drawn).replace("\n", ""))
        for row in drawn.buffer.chars:
            assert len(row) == size[0]


SIZES = ((1, 1), (2, 3), (5, 5), (10, 4), (12, 6), (20, 8), (200, 60))
NUMBERS: list[list[float]] = [
    [], [1.0], [NAN], [INF, -INF], [0.0, 0.0], [1e300, -1e300], [1e-300, 2e-300], [NAN, 5.0, NAN],
]  # fmt: skip
VIEWS = (View(), View(log=True, clip=True, crosshair=1.0, smoothing=SMOOTHINGS[1]), View(hidden=frozenset({"test"})))


def test_any_numbers_at_any_size() -> None:
    for size, values, view in itertools.product(SIZES, NUMBERS, VIEWS):
        for measure in (Measure.NUMBER, Measure.SHARE):
            drawn = rendered(curve(values), spec=ChartSpec(title="Loss", y=measure), view=view, size=size)
            assert [len(row) for row in drawn.buffer.chars] == [size[0]] * size[1]


def test_without_a_point_the_chart_says_so() -> None:
    spec = ChartSpec(title="Loss", empty="loading data and torch…")
    assert "loading data and torch…" in text(rendered(spec=spec))
    assert "loading data and torch…" in text(rendered(curve([NAN]), spec=spec))
    assert rendered(spec=spec).viewport is None


def test_where_the_chart_has_no_room_a_word_says_so_and_notes_are_cut_last() -> None:
    for dot_mode, height in itertools.product((DotMode.BRAILLE, DotMode.ASCII), range(3, 20)):
        curves = [curve([1, 2, 3, 900] + [2] * 60, f"curve {index}", index, is_cut=True) for index in range(6)]
        view = View(log=True, clip=True, smoothing=SMOOTHINGS[1])
        drawn = rendered(*curves, view=view, size=(40, height), dot_mode=dot_mode)
        shown = text(drawn)
        if height < 5:
            assert drawn.viewport is None
            assert "needs a larger window" in shown
        else:
            assert drawn.viewport is not None
            assert drawn.viewport.rows >= 2
            assert "log" in shown
            assert "EMA 0.6" in shown
            assert ("clip: nothing hidden" in shown) != any(
                line.rstrip().endswith("…") for line in rows(drawn)[: drawn.top]
            )
        assert shown.translate({0x2026: "~", 0xB7: "."}).isascii() or dot_mode is not DotMode.ASCII


def test_means_that_end_apart_are_told_by_the_first() -> None:
    drawn = rendered(curve([1, 2], "a", is_cut=True), curve([1, 2, 3], "b", 1, is_cut=True), curve(range(9), "c", 2))
    assert drawn.notes == ("means end with their shortest runs, from epoch 2 on",)


def test_one_point_is_drawn() -> None:
    assert sum(char == "●" for line in plane(rendered(curve([2.5]))) for char in line) == 1


# The widget


class Host(App[None]):
    CSS = "MetricChart { height: 20; width: 70; }"

    def __init__(self, *curves: Curve) -> None:
        super().__init__()
        self.curves = curves
        self.views: list[View] = []
        self.num_refused = 0

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return VARIABLE_DEFAULTS

    def compose(self) -> ComposeResult:
        yield MetricChart(ChartSpec(title="Loss"), dot_mode=DotMode.BRAILLE)

    def on_mount(self) -> None:
        for theme in THEMES:
            self.register_theme(theme)

    @property
    def chart(self) -> MetricChart:
        return self.query_one(MetricChart)

    def on_metric_chart_view_changed(self, message: MetricChart.ViewChanged) -> None:
        assert message.control is message.chart
        self.views.append(message.view)

    def on_metric_chart_not_zoomed(self) -> None:
        self.num_refused += 1


async def shown(pilot: Pilot[None]) -> MetricChart:
    """The chart, once it is laid out and holds the host's curves."""
    app = pilot.app
    assert isinstance(app, Host)
    deadline = time.monotonic() + 60
    while not app.query(MetricChart) or not app.chart.size.width:
        assert time.monotonic() < deadline
        await pilot.pause()
    app.chart.show(app.curves)
    await pilot.pause()
    return app.chart


LONG = curve(np.linspace(2, 1, 100).tolist())


@driven
async def test_keys_of_a_screen_zoom_pan_and_read() -> None:
    async with running(Host(LONG), (80, 24)) as pilot:
        chart = await shown(pilot)
        chart.step_crosshair(1)
        assert chart.view.crosshair == 100, "it begins at the last point"
        chart.step_crosshair(-1)
        chart.step_crosshair(-1)
        assert chart.view.crosshair == 98
        chart.step_crosshair(1)
        chart.step_crosshair(1)
        chart.step_crosshair(1)
        assert chart.view.crosshair == 100
        chart.view = View()
        chart.pan(1)
        assert chart.view == View(), "what is whole cannot move"
        chart.zoom(1)
        low, high = chart.view.x_low, chart.view.x_high
        assert low is not None
        assert high is not None
        assert high - low == pytest.approx(99 * 0.7)
        assert (low + high) / 2 == pytest.approx(50.5)
        chart.pan(-1)
        assert chart.view.x_low == pytest.approx(low - (high - low) * 0.1)
        for _ in range(50):
            chart.pan(1)
        assert chart.view.x_high == 100
        for _ in range(50):
            chart.zoom(1)
        assert chart.view.x_low is not None
        assert chart.view.x_high is not None
        assert chart.view.x_high - chart.view.x_low == pytest.approx(2), "two whole x_positions at least"
        for _ in range(50):
            chart.zoom(-1)
        assert chart.view == View()


@driven
async def test_zoom_stays_around_the_crosshair() -> None:
    async with running(Host(LONG), (80, 24)) as pilot:
        chart = await shown(pilot)
        chart.view = View(crosshair=10.0)
        chart.zoom(1)
        assert chart.view.x_low is not None
        assert chart.view.x_high is not None
        share = (10 - chart.view.x_low) / (chart.view.x_high - chart.view.x_low)
        assert share == pytest.approx(9 / 99)


async def wheel(pilot: Pilot[None], kind: type[MouseScrollUp | MouseScrollDown]) -> None:
    await pilot._post_mouse_events([kind], MetricChart, offset=(40, 8), button=0)
    await pilot.pause()


@driven
async def test_the_mouse_zooms_reads_and_drags() -> None:
    app = Host(LONG)
    async with running(app, (80, 24)) as pilot:
        await shown(pilot)
        under = app.chart.rendered.x_at(40)
        assert under is not None
        await wheel(pilot, MouseScrollUp)
        assert app.views[-1].x_low is not None
        assert app.chart.rendered.x_at(40) == pytest.approx(under, abs=0.2), "what is under the pointer stays"
        span = app.views[-1].x_high - app.views[-1].x_low  # type: ignore[operator]
        await pilot.mouse_down(MetricChart, offset=(30, 8))
        await pilot.hover(MetricChart, offset=(45, 8))
        marked = [segment.style for segment in app.chart.render_line(8) if segment.style and segment.style.bgcolor]
        assert len({style.bgcolor for style in marked}) == 2, "the span is marked while it is dragged"
        ends = [app.chart.rendered.x_at(column) for column in (30, 45)]
        await pilot.mouse_up(MetricChart, offset=(45, 8))
        dragged = app.views[-1]
        assert dragged.crosshair is None, "a drag is no click"
        assert [dragged.x_low, dragged.x_high] == pytest.approx(ends)
        assert dragged.x_high - dragged.x_low < span  # type: ignore[operator]
        await pilot.click(MetricChart, offset=(40, 8))
        assert app.views[-1].crosshair == pytest.approx(app.chart.rendered.x_at(40), abs=1)
        for _ in range(6):
            await wheel(pilot, MouseScrollDown)
        assert app.views[-1].x_low is None
        await wheel(pilot, MouseScrollUp)
        assert app.views[-1].x_low is not None
        await pilot.click(MetricChart, offset=(40, 8), times=2)
        assert app.views[-1].x_low is None, "two clicks show all"


@driven
async def test_a_zoom_beyond_what_a_chart_can_show_says_so() -> None:
    app = Host(curve([0.1, 0.2]))
    async with running(app, (80, 24)) as pilot:
        await shown(pilot)
        await wheel(pilot, MouseScrollUp)
        await pilot.mouse_down(MetricChart, offset=(30, 8))
        await pilot.hover(MetricChart, offset=(45, 8))
        await pilot.mouse_up(MetricChart, offset=(45, 8))
        await pilot.pause()
        assert (app.num_refused, app.views) == (2, [])


@driven
async def test_only_the_left_button_drags_and_sets_the_crosshair() -> None:
    app = Host(LONG)
    async with running(app, (80, 24)) as pilot:
        await shown(pilot)
        for button in (2, 3):
            await pilot._post_mouse_events([MouseDown], MetricChart, offset=(30, 8), button=button)
            assert app.mouse_captured is None
            await pilot._post_mouse_events([MouseUp], MetricChart, offset=(45, 8), button=button)
            await pilot.click(MetricChart, offset=(40, 8), button=button)
        assert app.chart.view == View()


@driven
async def test_a_click_on_a_name_hides_and_shows_its_curve() -> None:
    app = Host(LONG, curve([9, 8], "other", 1))
    async with running(app, (80, 24)) as pilot:
        await shown(pilot)
        for expected in (frozenset({"other"}), frozenset()):
            label = next(label for label in app.chart.rendered.labels if label.curve == "other")
            await pilot.click(MetricChart, offset=(label.cells.start + 1, label.row))
            assert app.views[-1].hidden == expected
            assert app.views[-1].crosshair is None


@driven
async def test_without_colour_nothing_breaks_and_markers_repeat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = Host(LONG)
    async with running(app, (80, 24)) as pilot:
        await shown(pilot)
        app.theme = "alexnet-ansi"
        await pilot.pause()
        app.chart.view = View(crosshair=50.0, smoothing=SMOOTHINGS[1])
        await pilot.pause()
        assert "".join(plane(app.chart.rendered)).count("●") > 2
        assert app.chart.render_line(0).cell_length == 70
    os.environ.pop("NO_COLOR", None)


@driven
async def test_only_rows_that_changed_are_painted_again() -> None:
    app = Host(LONG)
    async with running(app, (80, 24)) as pilot:
        await shown(pilot)
        first = app.chart.rendered
        app.chart.show([LONG])
        assert app.chart.rendered is not first
        assert rows(app.chart.rendered) == rows(first)
        app.chart.show([curve([5, 4, 3])])
        await pilot.pause()
        assert "test 3" in app.chart.render_line(0).text
        assert app.chart.render_line(19).text.split() == ["epoch", "1", "2", "3"]


@driven
async def test_a_chart_follows_its_size_and_theme() -> None:
    app = Host(LONG)
    async with running(app, (80, 24)) as pilot:
        await shown(pilot)
        before = {segment.style for segment in app.chart.render_line(8)}
        app.theme = "alexnet-light"
        await pilot.pause()
        assert {segment.style for segment in app.chart.render_line(8)} != before
        app.chart.styles.width = 40
        await pilot.pause()
        assert app.chart.render_line(3).cell_length == 40


def test_a_series_takes_the_themes_colour() -> None:
    assert series_colour({"series-1": "#ff0000"}, 0).hex == "#FF0000"
    assert series_colour({"series-1": "#ff0000"}, 8).hex == "#FF0000"
    assert series_colour({"primary": "#00ff00"}, 0).hex == "#00FF00"
    assert series_colour({"series-1": "nonsense", "primary": "#00ff00"}, 0).hex == "#00FF00"
    assert series_colour({}, 3).hex == "#808080"


@driven
async def test_the_crosshair_reads_the_runs_own_points_before_a_pace_line() -> None:
    app = Host(curve([3, 2, 1]), curve(range(1, 10), "base", 1, is_baseline=True))
    async with running(app, (80, 24)) as pilot:
        chart = await shown(pilot)
        chart.step_crosshair(-1)
        assert chart.view.crosshair == 3
        chart.show([curve(range(1, 10), "base", 1, is_baseline=True)])
        chart.view = View()
        chart.step_crosshair(-1)
        assert chart.view.crosshair == 9, "where there is nothing else, the baseline"


def test_a_logarithm_hides_what_is_infinite_and_what_is_not_positive() -> None:
    curve = Curve(name="a", x=np.arange(4.0), y=np.array([1.0, np.inf, 0.0, np.nan]))
    assert [prepare([curve], View(log=log))[0].num_hidden for log in (False, True)] == [1, 2]
