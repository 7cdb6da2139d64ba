"""What is told beside a verdict and never decides it: other measures of the same runs; pure."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from alexnet_tui.analysis import figure1 as best_rate
from alexnet_tui.analysis import metrics as measures
from alexnet_tui.analysis import stats
from alexnet_tui.analysis.effect import Sample
from alexnet_tui.analysis.groups import Cohort, unequal_conditions
from alexnet_tui.runs.history import RunHistory

Measure = Callable[[RunHistory], float | None]
SELECTED_ON_TEST = "selected on test"


@dataclass(frozen=True, slots=True)
class Side:
    """One number beside a verdict.

    Attributes:
        name: What it is.
        value: The number, in `unit`; None if there is only a remark.
        unit: points (a difference), level (points), ratio, or empty.
        note: A remark, or empty.
        samples: The runs and values behind it, where they are not those of the verdict.
    """

    name: str
    value: float | None
    unit: str = "points"
    note: str = ""
    samples: tuple[Sample, ...] = ()


def dropout_sides(cohort: Cohort) -> list[Side]:
    """Claim 1: whether the gap fell only because the network learned less."""
    sides = []
    for name in ("baseline", "low-dropout"):
        if (gap := _mean(cohort, name, measures.gap)) is not None:
            sides.append(Side(f"gap of {cohort.runs(name).arm.title!r}", 100 * gap, "level"))
    accuracy = _difference(cohort, "baseline", "low-dropout", measures.final_test_accuracy)
    if accuracy is not None:
        gap = _difference(cohort, "low-dropout", "baseline", measures.gap)
        fell = gap is not None and gap > 0 > accuracy
        note = "gap down by underfitting" if fell else ""
        sides.append(Side("test accuracy, dropout 0.5 minus 0.01", accuracy, note=note))
    if (selected := _difference(cohort, "low-dropout", "baseline", measures.val_selected_gap)) is not None:
        sides.append(Side("gap, dropout 0.01 minus 0.5, at the epoch chosen on validation", selected))
    return sides


def speed_sides(cohort: Cohort) -> list[Side]:
    """Claim 2: the same ratio in seconds, in the report's own way of measuring, and under the paper's protocol."""
    sides = []
    runs = [*cohort.runs("tanh").used, *cohort.runs("baseline").used]
    fingerprints = {place.fingerprint for run in runs for place in run.places}
    if len(fingerprints) == 1:
        sides += _ratio(cohort, measures.t25_seconds, "T25 in seconds of training, tanh over ReLU", _all_seconds)
    elif fingerprints:
        note = "the runs have several machine fingerprints"
        sides.append(Side("T25 in seconds of training", None, "", note))
    sides += _ratio(cohort, measures.t25_epochs_running, "T25 by running training error (Keras' way)", _all_epochs)
    return [*sides, _best_rate_side(cohort)]


def _best_rate_side(cohort: Cohort) -> Side:
    like = next((run.record.config for run in cohort.histories), None)
    found = best_rate.find(cohort.tuned, like)
    return Side(best_rate.NAME, found.ratio, "ratio", found.note, found.samples)


def _all_seconds(history: RunHistory) -> float | None:
    return measures.finite(history.train_seconds)


def _all_epochs(history: RunHistory) -> float | None:
    return float(history.num_epochs_done)


def layer_sides(cohort: Cohort) -> list[Side]:
    """Claim 3: other readings of the test accuracy, and other layers left out."""
    readings: tuple[tuple[str, Measure, str], ...] = (
        ("after the last epoch", measures.last_test_accuracy, ""),
        ("at the epoch chosen on validation", measures.val_selected_test_accuracy, ""),
        ("maximum over epochs", measures.max_test_accuracy, SELECTED_ON_TEST),
    )
    sides = []
    for name, measure, note in readings:
        if (value := _difference(cohort, "baseline", "four-conv", measure)) is not None:
            sides.append(Side(f"five layers minus four, {name}", value, note=note))
    for arm in ("without-conv3", "without-conv5"):
        value = _difference(cohort, "baseline", arm, measures.final_test_accuracy)
        if value is not None:
            runs = cohort.runs(arm)
            name = f"sensitivity: five layers minus {runs.arm.title.lower()}"
            if reasons := unequal_conditions([*cohort.runs("baseline").used, *runs.used]):
                sides.append(Side(name, None, "", " ".join(reasons)))
            else:
                sides.append(Side(name, value, note=f"n = {len(runs.used)}"))
    return sides


def _values(cohort: Cohort, arm: str, measure: Measure) -> list[float]:
    return [value for run in cohort.runs(arm).used if (value := measure(run)) is not None]


def _mean(cohort: Cohort, arm: str, measure: Measure) -> float | None:
    values = _values(cohort, arm, measure)
    return stats.mean(values) if values else None


def _difference(cohort: Cohort, first: str, second: str, measure: Measure) -> float | None:
    """Mean of one arm minus mean of another, in points."""
    a, b = (_mean(cohort, arm, measure) for arm in (first, second))
    return None if a is None or b is None else 100 * (a - b)


def _geometric_mean(values: Sequence[float]) -> float:
    return math.exp(stats.mean([math.log(value) for value in values]))


def _ratio(cohort: Cohort, measure: Measure, name: str, longest: Measure) -> list[Side]:
    """The ratio of geometric means; `longest` stands in for a slow run that never got there: a lower bound."""
    slow_runs, fast_runs = cohort.runs("tanh").used, cohort.runs("baseline").used
    fast = _values(cohort, "baseline", measure)
    if not slow_runs or not fast_runs:
        return []
    if lacking := len(fast_runs) - len(fast):  # Then the ratio is neither a value nor a bound.
        return [Side(name, None, "", f"{lacking} of {len(fast_runs)} ReLU runs not reached")]
    reached = [measure(run) for run in slow_runs]
    num_censored = reached.count(None)
    pairs = zip(reached, slow_runs, strict=True)
    slow = [longest(run) or 0.0 if value is None else value for value, run in pairs]
    if min(*slow, *fast) <= 0:
        return []
    note = f"at least; {num_censored} of {len(slow)} tanh runs not reached" if num_censored else ""
    return [Side(name, _geometric_mean(slow) / _geometric_mean(fast), "ratio", note)]
