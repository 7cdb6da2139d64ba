"""What is told beside a verdict and never decides it: other measures of the same runs; pure."""

from collections.abc import Callable
from dataclasses import dataclass

from alexnet_tui import measures, stats
from alexnet_tui.cohort import Cohort
from alexnet_tui.history import RunHistory

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
    """

    name: str
    value: float | None
    unit: str = "points"
    note: str = ""


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
    return sides


def speed_sides(cohort: Cohort) -> list[Side]:
    """Claim 2: the same ratio in seconds and in the report's own way of measuring."""
    sides = []
    runs = [*cohort.runs("tanh").used, *cohort.runs("baseline").used]
    fingerprints = {place.fingerprint for run in runs for place in run.places}
    if len(fingerprints) == 1:
        sides += _ratio(cohort, measures.t25_seconds, "T25 in seconds of training, tanh over ReLU")
    elif fingerprints:
        note = "the runs have several machine fingerprints"
        sides.append(Side("T25 in seconds of training", None, "", note))
    sides += _ratio(cohort, measures.t25_epochs_running, "T25 by running training error (Keras' way)")
    sides.append(Side("protocol", None, "", "one learning rate for both; the paper's Figure 1 chose one for each"))
    return sides


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
            title, count = cohort.runs(arm).arm.title.lower(), len(cohort.runs(arm).used)
            sides.append(Side(f"sensitivity: five layers minus {title}", value, note=f"n = {count}"))
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


def _ratio(cohort: Cohort, measure: Measure, name: str) -> list[Side]:
    slow, fast = (_values(cohort, arm, measure) for arm in ("tanh", "baseline"))
    if not slow or not fast:
        return []
    missing = len(cohort.runs("tanh").used) + len(cohort.runs("baseline").used) - len(slow) - len(fast)
    note = f"{missing} not reached, left out" if missing else ""
    return [Side(name, stats.mean(slow) / stats.mean(fast), "ratio", note)]
