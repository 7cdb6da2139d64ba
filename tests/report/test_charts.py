"""The interval plot of a claim: where its marks are on the axis, and that they are drawn there."""

import math
import re
from importlib import resources

import pytest
from fake_histories import CLEAR, make_history, study

from alexnet_tui import report
from alexnet_tui.report.build import build
from alexnet_tui.report.charts import interval_chart, overlay_chart
from alexnet_tui.report.content import Curve
from alexnet_tui.report.interval_plot import interval_plot
from alexnet_tui.report.interval_text import interval_lines


def test_places_are_in_the_order_of_the_effects_and_inside_the_axis() -> None:
    for verdict in build(study(shift=CLEAR)).claims:
        assert verdict.effect is not None
        plot = interval_plot(verdict)
        known = [(verdict.effect.estimate, plot.estimate), *zip(verdict.effect.interval, plot.interval, strict=True)]
        known += [(verdict.published_effect, plot.published), *((dot.effect, dot.at) for dot in plot.dots)]
        known += [(1.0 if verdict.unit == "ratio" else 0.0, plot.no_effect), (verdict.delta, plot.zone[1])]
        pairs = [(effect, at) for effect, at in known if effect is not None and at is not None]
        assert len(pairs) == len(known)
        assert [at for _, at in sorted(pairs)] == sorted(at for _, at in pairs)
        assert all(0 < at < 1 for _, at in pairs)
        assert plot.zone[0] + plot.zone[1] == pytest.approx(2 * plot.no_effect)  # On the axis of a ratio too.


def test_each_run_is_a_dot_at_its_effect_against_the_other_groups_mean() -> None:
    gap, speed, _ = build(study(shift=CLEAR)).claims
    plot = interval_plot(gap)
    assert len(plot.dots) == 10
    mean = sum(run.value or 0.0 for run in gap.smaller.runs) / 5
    assert [dot.effect for dot in plot.dots if dot.is_larger] == pytest.approx(
        [100 * ((run.value or 0.0) - mean) for run in gap.larger.runs]
    )
    assert gap.effect is not None
    assert sum(dot.effect for dot in plot.dots) / 10 == pytest.approx(gap.effect.estimate)
    ratios = [math.log(dot.effect) for dot in interval_plot(speed).dots]
    assert speed.effect is not None
    assert sum(ratios) / 10 == pytest.approx(math.log(speed.effect.estimate))


def test_a_time_that_was_not_reached_is_a_hollow_dot_at_the_last_epoch() -> None:
    runs = [make_history("tanh", seed, t25=None if seed else 9.0, final=0.4 if seed else 0.6) for seed in range(5)]
    verdict = build([*runs, *(make_history("baseline", seed, t25=8.0) for seed in range(5))]).claims[1]
    dots = [dot for dot in interval_plot(verdict).dots if dot.is_larger]
    assert [dot.is_censored for dot in dots] == [False, True, True, True, True]
    assert dots[1].effect == pytest.approx(20 / 8)
    assert interval_chart(verdict).count('class="seed censored"') == 4


def test_without_both_groups_there_are_only_the_axis_and_the_studys_own_value() -> None:
    plot = interval_plot(build([make_history("baseline")]).claims[0])
    assert (plot.dots, plot.estimate, plot.interval) == ((), None, (None, None))
    assert plot.published is not None


def test_the_drawing_has_every_mark_at_its_place() -> None:
    verdict = build(study(shift=CLEAR)).claims[0]
    plot, svg = interval_plot(verdict), interval_chart(verdict)
    assert plot.estimate is not None
    circles = [float(x) for x in re.findall(r'<circle class="(?:seed|dot)" cx="([\d.]+)"', svg)]
    assert circles == pytest.approx([10 + 300 * at for at in (*(dot.at for dot in plot.dots), plot.estimate)], abs=0.06)
    assert len(re.findall("<title>low-dropout-literal32-s\\d \\(seed \\d\\): \\+[\\d.]+ points", svg)) == 5
    assert svg.count('class="mark"') == svg.count('class="zone"') == svg.count('class="bar"') == 1


def test_in_characters_every_mark_is_in_the_cell_of_its_share() -> None:
    verdict = build(study(shift=CLEAR)).claims[0]
    plot = interval_plot(verdict)
    for width in (16, 41, 120):
        upper, middle, lower, _ = (
            "".join(character for character, _ in line) for line in interval_lines(verdict, width)
        )
        assert {len(upper), len(middle), len(lower)} == {width}
        assert plot.estimate is not None
        assert middle.index("●") == round(plot.estimate * (width - 1))
        for line, is_larger in ((upper, True), (lower, False)):
            wanted = {round(dot.at * (width - 1)) for dot in plot.dots if dot.is_larger is is_larger}
            assert {cell for cell, character in enumerate(line) if character == "•"} == wanted
            assert "░" in line
            assert line[round(plot.no_effect * (width - 1))] == "│"
    assert interval_lines(verdict, 15) == []


def test_every_curve_of_many_is_drawn_and_none_like_another() -> None:
    sheet = resources.files(report).joinpath("templates/report.css").read_text(encoding="utf-8")
    epochs, means, sds = (1, 2), (0.1, 0.2), (0.01, 0.01)
    curves = [
        Curve(group=name, title=name, column="test_accuracy", num_runs=2, epochs=epochs, means=means, sds=sds)
        for name in "abcdefghijklmn"
    ]
    svg = overlay_chart(curves)
    lines = re.findall(r'<polyline class="([^"]*)"', svg)
    assert len(set(lines)) == len(curves)
    used = set(" ".join(re.findall(r'class="((?:[a-z][0-9]+ ?)+)"', svg)).split())
    assert used <= set(re.findall(r"[.]([a-z][0-9]+)\b", sheet))
