"""Ticks: round, distinct, never too many, whole on a counting axis, never beyond 100%."""

import itertools
import math

import pytest

from alexnet_tui.tui.charts.axis import Measure, even_scale, padded, short_duration, ticks, with_last

RANGES = [(0.0, 1e-6), (0.0, 0.9), (0.58, 0.6), (1.0, 100.0), (0.0, 39_000.0), (-3.0, 7.5), (1e5, 1.00001e5), (2, 1e9)]


def test_ticks_are_inside_distinct_and_few() -> None:
    for ends, measure, most in itertools.product(RANGES, Measure, (1, 2, 3, 8, 20)):
        low, high = padded(*ends, measure)
        found = ticks(low, high, measure, most)
        labels = [tick.label for tick in found]
        assert len(labels) == len(set(labels)) <= most, (ends, measure, most)
        assert all(low - 1e-9 * abs(low) <= tick.at <= high * (1 + 1e-9) + 1e-9 for tick in found), (
            ends,
            measure,
            most,
        )
        if measure is Measure.COUNT:
            assert all(float(tick.at).is_integer() for tick in found), (ends, most)
            assert not any("." in label for label in labels), (ends, most)


def test_an_even_scale_covers_the_values_and_puts_ticks_on_rows_equally_far_apart() -> None:
    for ends, measure, rows, dots in itertools.product(RANGES, Measure, (4, 7, 12, 20, 41), (1, 2, 4)):
        case = (ends, measure, rows, dots)
        scale = even_scale(*ends, measure, rows, dots)
        if scale is None:
            assert rows < 12, case
            continue
        low, high, found = scale
        last = rows * dots - 1
        if measure is not Measure.SHARE or ends[1] <= 1:
            assert low <= ends[0] + 1e-9 * max(ends[1], 1), case
            assert high >= ends[1] - 1e-9 * abs(ends[1]), case
        assert high <= 1 or measure is not Measure.SHARE, case
        at = [round((high - tick.at) / (high - low) * last) // dots for tick in found]
        assert all(0 <= row < rows for row in at), case
        gaps = {above - below for below, above in itertools.pairwise(at)}
        assert len(gaps) <= 1 or len({tick.label for tick in found}) < len(found) or measure is Measure.SECONDS, case
        labels = [tick.label for tick in found]
        assert len(labels) == len(set(labels)), case


def test_an_even_scale_wastes_little_room() -> None:
    for ends in ((0.0, 1.0), (0.31, 0.62), (1.05, 2.31), (0.02, 0.9), (3.0, 97.0)):
        low, high, found = even_scale(*ends, Measure.NUMBER, 20, 4) or (0.0, 0.0, [])
        assert high - low <= 1.35 * (ends[1] - ends[0]), ends
        assert 3 <= len(found) <= 9, ends


def test_labels_say_what_the_place_is() -> None:
    assert [tick.label for tick in ticks(0.0, 1.0, Measure.SHARE, 6)] == ["0%", "20%", "40%", "60%", "80%", "100%"]
    assert [tick.label for tick in ticks(0.5, 0.52, Measure.SHARE, 5)] == ["50.0%", "50.5%", "51.0%", "51.5%", "52.0%"]
    assert [tick.label for tick in ticks(0, 39_000, Measure.COUNT, 5)] == ["0", "10,000", "20,000", "30,000"]
    assert [tick.label for tick in ticks(0, 200, Measure.SECONDS, 5)] == ["0", "1m", "2m", "3m"]
    assert [tick.label for tick in ticks(0, 9000, Measure.SECONDS, 6)] == ["0", "30m", "1h", "1h 30m", "2h", "2h 30m"]


def test_a_log_axis_has_round_values_of_the_thing_itself() -> None:
    assert [tick.label for tick in ticks(-2, 1, Measure.NUMBER, 12, log=True)][:4] == ["0.01", "0.02", "0.05", "0.1"]
    assert ticks(-6, 1, Measure.NUMBER, 8, log=True)[0].label == "1e-06"
    within = ticks(math.log10(1.2), math.log10(1.8), Measure.NUMBER, 4, log=True)
    assert [tick.label for tick in within] == ["1.2", "1.4", "1.6", "1.8"]
    assert all(math.log10(1.2) - 1e-9 <= tick.at <= math.log10(1.8) + 1e-9 for tick in within)


def test_an_accuracy_axis_never_passes_100_percent_nor_0() -> None:
    low, high = padded(0.0, 1.0, Measure.SHARE)
    assert (low, high) == (0.0, 1.0)
    assert padded(0.999, 1.0, Measure.SHARE)[1] == 1.0
    assert padded(1.0, 1.0, Measure.SHARE) == (0.95, 1.0)
    assert padded(7.0, 7.0, Measure.SHARE) == (0.95, 1.0), "no accuracy"
    assert padded(0.0, 0.0, Measure.SHARE)[0] == 0.0


def test_one_value_still_gives_an_axis() -> None:
    for measure, value in itertools.product(Measure, (0.0, 1.0, 7.0, 0.5)):
        low, high = padded(value, value, measure)
        assert low < high, (measure, value)
        assert low <= value <= high or measure is Measure.SHARE, (measure, value)


def test_the_last_point_has_a_tick_and_crowding_ones_give_way() -> None:
    chosen = ticks(0, 43, Measure.COUNT, 5)
    labels = [tick.label for tick in with_last(chosen, 43, Measure.COUNT, gap=5)]
    assert labels == ["0", "10", "20", "30", "43"]


def test_no_ticks_without_a_range() -> None:
    for ends in ((math.nan, 1.0), (0.0, math.inf), (1.0, 1.0), (2.0, 1.0)):
        assert ticks(*ends, Measure.NUMBER, 5) == []


def test_short_durations_drop_zero_parts() -> None:
    assert [short_duration(seconds) for seconds in (30, 60, 90, 3600, 5400, 86400)] == [
        "30s", "1m", "1m 30s", "1h", "1h 30m", "1d",
    ]  # fmt: skip


@pytest.mark.parametrize("low", [0.5, 2.302, 123.4])
def test_an_axis_of_close_values_has_three_different_labels_or_more(low: float) -> None:
    for power in range(6):
        scale = even_scale(low, low + 10.0**-power, Measure.NUMBER, 16, 4)
        assert scale is not None
        labels = [tick.label for tick in scale[2]]
        assert len(set(labels)) >= 3, labels
        assert [float(one) for one in labels] == pytest.approx([tick.at for tick in scale[2]], abs=1e-9)
