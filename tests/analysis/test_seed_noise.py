"""What seeds alone make of a difference: by hand, against SciPy's quantiles, and how often it errs."""

import random
import statistics

import pytest

from alexnet_tui.analysis import stats
from alexnet_tui.analysis.seed_noise import _T_QUANTILES, Deviation, Side, difference_tone


def test_the_quantiles_are_those_of_student_s_t() -> None:
    for freedom, quantile in enumerate(_T_QUANTILES, start=1):
        assert quantile == pytest.approx(stats.t_quantile(0.975, freedom), abs=5e-4)


@pytest.mark.parametrize(
    ("sides", "half_width"),
    [
        # Standard error 0.1 x sqrt(2/3), four degrees of freedom.
        (((0.1, 3), (0.1, 3)), 0.0816497 * 2.776),
        # Both single runs are taken to vary as the same three do: two degrees of freedom.
        (((None, 1), (None, 1)), 0.1414214 * 4.303),
        # The three may be the runs whose spread the single one borrows: two degrees, not Welch's 3.2.
        (((None, 1), (0.1, 3)), 0.1154701 * 4.303),
        (((0.1, 100), (0.1, 100)), 0.0141421 * 2.042),
        (((0.0, 3), (0.0, 3)), 0.0),
    ],
)
def test_the_interval_by_hand(sides: list[Side], half_width: float) -> None:
    alike = Deviation(0.1, 3)

    def tone(difference: float) -> str:
        return difference_tone(difference, sides, alike, is_better=difference > 0)

    wider, narrower = half_width + 1e-5, max(0.0, half_width - 1e-5)
    assert [tone(wider), tone(-wider), tone(narrower), tone(-narrower)] == ["good", "bad", "muted", "muted"]


def test_a_difference_of_pure_chance_is_coloured_in_one_case_of_twenty() -> None:
    generator = random.Random(8)

    def share(sizes: tuple[int, int], alike: int = 0) -> float:
        coloured = 0
        for _ in range(2000):
            groups = [[generator.gauss(0, 1) for _ in range(size)] for size in sizes]
            like = [generator.gauss(0, 1) for _ in range(alike)]
            sides = [(statistics.stdev(one) if len(one) > 1 else None, len(one)) for one in groups]
            known = Deviation(statistics.stdev(like), alike) if alike else None
            difference = statistics.fmean(groups[0]) - statistics.fmean(groups[1])
            coloured += difference_tone(difference, sides, known, is_better=difference > 0) != "muted"
        return coloured / 2000

    assert share((3, 3)) < 0.06
    assert share((5, 5)) < 0.06
    assert 0.03 < share((1, 1), alike=3) < 0.07
    assert share((1, 4), alike=3) < 0.07


@pytest.mark.parametrize("size", [3, 4, 5])
def test_a_single_run_beside_the_mean_whose_spread_it_borrows_errs_in_one_case_of_twenty(size: int) -> None:
    generator, coloured = random.Random(8), 0
    for _ in range(10_000):
        runs, single = [generator.gauss(0, 1) for _ in range(size)], generator.gauss(0, 1)
        known = Deviation(statistics.stdev(runs), size)
        difference = single - statistics.fmean(runs)
        sides = [(None, 1), (known.value, size)]
        coloured += difference_tone(difference, sides, known, is_better=difference > 0) != "muted"
    assert 0.043 < coloured / 10_000 < 0.057
