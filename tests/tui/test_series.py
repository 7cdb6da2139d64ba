"""Arrays behind the charts: every value against a plain loop, every gap kept, everything left out counted."""

import math
from array import array

import numpy as np
import pytest

from alexnet_tui.tui.charts.series import (
    Limits,
    Method,
    Smoothing,
    Spread,
    band,
    clean,
    copy_column,
    finite_ends,
    last_finite,
    lead,
    limits,
    nearest_index,
    smooth,
    to_log,
    value_at,
)

NAN, INF = math.nan, math.inf


def naive_ema(values: list[float], weight: float) -> list[float]:
    total, norm, out = 0.0, 0.0, []
    for value in values:
        total, norm = weight * total + value, weight * norm + 1
        out.append(total / norm)
    return out


@pytest.mark.parametrize("weight", [0.0, 0.3, 0.6, 0.9, 0.98])
def test_exponential_smoothing_equals_the_loop(weight: float) -> None:
    values = np.random.default_rng(0).standard_normal(3000).cumsum()
    smoothed = smooth(values, Smoothing(Method.EXPONENTIAL, weight))
    np.testing.assert_allclose(smoothed, naive_ema(values.tolist(), weight), rtol=1e-9, atol=1e-9)


def test_centred_smoothing_shrinks_symmetrically_at_the_ends() -> None:
    values = np.array([0.0, 3.0, 6.0, 0.0, 3.0])
    np.testing.assert_allclose(smooth(values, Smoothing(Method.CENTRED, 3)), [0, 3, 3, 3, 3])
    np.testing.assert_allclose(smooth(values, Smoothing(Method.CENTRED, 5)), [0, 3, 2.4, 3, 3])


@pytest.mark.parametrize("smoothing", [Smoothing(Method.EXPONENTIAL, 0.6), Smoothing(Method.CENTRED, 3), Smoothing()])
def test_smoothing_keeps_gaps_and_lets_them_weigh_nothing(smoothing: Smoothing) -> None:
    values = np.array([1.0, NAN, 1.0, 1.0, NAN, NAN, 1.0])
    np.testing.assert_allclose(smooth(values, smoothing), values)


def test_smoothing_of_nothing_is_nothing() -> None:
    nothing = np.array([NAN, NAN])
    np.testing.assert_array_equal(smooth(nothing, Smoothing(Method.EXPONENTIAL, 0.9)), nothing)
    assert len(smooth(np.empty(0), Smoothing(Method.CENTRED, 5))) == 0


def test_copied_column_lets_the_column_grow() -> None:
    column = array("d", [1.0, 2.0])
    copied = copy_column(column)
    column.append(3.0)
    assert copied.tolist() == [1.0, 2.0]


def test_clean_sorts_drops_rows_without_a_place_and_turns_infinity_into_a_gap() -> None:
    x, y = clean(np.array([3.0, 1.0, NAN, 2.0]), np.array([30.0, INF, 5.0, 20.0]))
    assert x.tolist() == [1.0, 2.0, 3.0]
    np.testing.assert_array_equal(y, [NAN, 20.0, 30.0])


def test_clean_drops_what_is_too_large_to_draw() -> None:
    x, y = clean(np.array([1.0, 2.0, 1e307]), np.array([-1e307, 1e299, 1.0]))
    assert x.tolist() == [1.0, 2.0]
    np.testing.assert_array_equal(y, [NAN, 1e299])


def test_logarithm_of_what_has_none_is_a_gap() -> None:
    np.testing.assert_allclose(to_log(np.array([100.0, 0.0, -1.0, NAN, 0.1])), [2, NAN, NAN, NAN, -1])


def test_band_is_mean_and_extremes_of_the_seeds() -> None:
    x = np.array([1.0, 2.0, 3.0])
    seeds = [(x, np.array([1.0, 2.0, 3.0])), (x, np.array([3.0, 4.0, 8.0]))]
    merged = band(seeds)
    assert merged.x.tolist() == [1, 2, 3]
    assert merged.mean.tolist() == [2, 3, 5.5]
    assert merged.low.tolist() == [1, 2, 3]
    assert merged.high.tolist() == [3, 4, 8]
    deviation = band(seeds, Spread.DEVIATION)
    np.testing.assert_allclose(deviation.high - deviation.mean, [math.sqrt(2), math.sqrt(2), 5 / math.sqrt(2)])


def test_band_stops_at_the_shortest_seed_and_meets_other_grids_halfway() -> None:
    long = (np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 2.0, 3.0, 4.0]))
    short = (np.array([1.5, 2.5]), np.array([0.0, 0.0]))
    merged = band([long, short, (np.empty(0), np.empty(0))])
    assert merged.x.tolist() == [1.5, 2.0, 2.5]
    assert merged.mean.tolist() == [0.75, 1.0, 1.25]


def test_band_of_nothing_and_of_one_seed() -> None:
    assert len(band([]).x) == 0
    one = band([(np.array([1.0]), np.array([5.0]))], Spread.DEVIATION)
    assert (one.mean.tolist(), one.low.tolist(), one.high.tolist()) == ([5.0], [5.0], [5.0])


def test_limits_ignore_gaps_and_a_clip_counts_what_it_hides() -> None:
    values = np.concatenate([np.linspace(1, 2, 100), [500.0, 900.0, NAN, INF]])
    whole, clipped = limits([values]), limits([values], clip=True)
    assert whole is not None
    assert clipped is not None
    assert (whole.low, whole.high, whole.num_hidden) == (1, 900, 0)
    assert (clipped.low, clipped.high, clipped.num_hidden) == (1, 2, 2)
    assert limits([np.array([NAN])]) is None
    assert limits([]) is None


def test_a_clip_without_outliers_hides_nothing() -> None:
    found = limits([np.linspace(0, 1, 50)], clip=True)
    assert found is not None
    assert (found.low, found.high, found.num_hidden) == (0, 1, 0)
    constant = limits([np.full(9, 3.0)], clip=True)
    assert constant is not None
    assert (constant.low, constant.high, constant.num_hidden) == (3, 3, 0)


def test_value_at_takes_the_nearest_point_and_none_beyond_the_ends() -> None:
    x, y = np.array([1.0, 2.0, 3.0]), np.array([10.0, NAN, 30.0])
    assert value_at(x, y, 1.2) == 10
    assert value_at(x, y, 2.0) is None
    assert value_at(x, y, 3.4) == 30
    assert value_at(x, y, 4.0) is None
    assert value_at(np.empty(0), np.empty(0), 1.0) is None
    assert [nearest_index(x, at) for at in (-5, 1.4, 1.6, 9)] == [0, 0, 1, 2]


def test_a_lead_compares_when_the_best_value_was_reached() -> None:
    epochs = np.arange(1.0, 11.0)
    pace = epochs / 10

    def ahead(*values: float) -> float | None:
        found = lead(epochs[: len(values)], np.array(values), epochs, pace)
        assert found is not None
        assert found.best == max(values)
        return found.ahead

    assert ahead(0.1, 0.3, 0.55) == pytest.approx(2.5)
    assert ahead(0.1, 0.1, 0.1, 0.2) == pytest.approx(-2)
    assert ahead(0.5, 0.3) == pytest.approx(4), "noise after the best"
    assert ahead(1.5) is None, "above all the other reached"
    assert ahead(0.05) == 0, "the other's first value is above it"
    unknown = np.full(10, NAN)
    assert lead(np.empty(0), np.empty(0), epochs, pace) is None
    assert lead(epochs, unknown, epochs, pace) is None
    assert lead(epochs, pace, epochs, unknown) is None


@pytest.mark.parametrize("where", [[0], [2047], [4999], [3, 1024], [0, 4999], []])
def test_the_ends_of_what_has_a_value_are_found_from_outside(where: list[int]) -> None:
    x, y = np.arange(5000.0), np.full(5000, NAN)
    y[where] = 1.0
    assert last_finite(y) == (where[-1] if where else None)
    assert finite_ends(x, y).tolist() == ([where[0], where[-1]] if where else [])


def test_limits_leave_gaps_and_infinite_values_out() -> None:
    gaps = np.array([NAN, NAN])
    assert limits([gaps, np.array([NAN, 2.0, -1.0])]) == Limits(-1.0, 2.0)
    assert limits([np.array([1.0, math.inf, 3.0, -math.inf]), gaps]) == Limits(1.0, 3.0)
    assert limits([gaps, np.empty(0)]) is None
