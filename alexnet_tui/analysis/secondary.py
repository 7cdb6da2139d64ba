"""Secondary outcomes: other metrics of the runs behind a verdict, which never decide it; pure."""

from dataclasses import dataclass

from alexnet_tui.analysis import figure1, stats
from alexnet_tui.analysis.groups import GroupedRuns, Sample, sample, unequal_conditions
from alexnet_tui.analysis.metrics import METRICS, SELECTED_ON_TEST


@dataclass(frozen=True, slots=True)
class Secondary:
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


def dropout_outcomes(grouped: GroupedRuns) -> list[Secondary]:
    """Claim 1: whether the gap fell only because the network learned less."""
    sides = []
    for name in ("baseline", "low-dropout"):
        if (gap := _mean(grouped, name, "gap")) is not None:
            sides.append(Secondary(f"gap of {grouped.runs(name).group.title!r}", 100 * gap, "level"))
    accuracy = _difference(grouped, "baseline", "low-dropout", "final_test")
    if accuracy is not None:
        gap = _difference(grouped, "low-dropout", "baseline", "gap")
        fell = gap is not None and gap > 0 > accuracy
        note = "gap down by underfitting" if fell else ""
        sides.append(Secondary("test accuracy, dropout 0.5 minus 0.01", accuracy, note=note))
    if (selected := _difference(grouped, "low-dropout", "baseline", "val_selected_gap")) is not None:
        sides.append(Secondary("gap, dropout 0.01 minus 0.5, at the epoch chosen on validation", selected))
    return sides


def speed_outcomes(grouped: GroupedRuns) -> list[Secondary]:
    """Claim 2: the same ratio in seconds, in the report's own way of measuring, and under the paper's protocol."""
    sides = []
    runs = [*grouped.runs("tanh").used, *grouped.runs("baseline").used]
    fingerprints = {place.fingerprint for run in runs for place in run.places}
    if len(fingerprints) == 1:
        sides += _ratio(grouped, "t25_seconds", "T25 in seconds of training, tanh over ReLU")
    elif fingerprints:
        note = "the runs have several machine fingerprints"
        sides.append(Secondary("T25 in seconds of training", None, "", note))
    sides += _ratio(grouped, "t25_running", "T25 by running training error (Keras' way)")
    return [*sides, _sweep_outcome(grouped)]


def _sweep_outcome(grouped: GroupedRuns) -> Secondary:
    like = next((run.record.config for run in grouped.histories), None)
    found = figure1.compare_best(grouped.sweep, like)
    return Secondary(figure1.NAME, found.ratio, "ratio", found.note, found.samples)


def layer_outcomes(grouped: GroupedRuns) -> list[Secondary]:
    """Claim 3: other readings of the test accuracy, and other layers left out."""
    readings: tuple[tuple[str, str, str], ...] = (
        ("after the last epoch", "last_test", ""),
        ("at the epoch chosen on validation", "val_selected_test", ""),
        ("maximum over epochs", "max_test", SELECTED_ON_TEST),
    )
    sides = []
    for name, metric, note in readings:
        if (value := _difference(grouped, "baseline", "four-conv", metric)) is not None:
            sides.append(Secondary(f"five layers minus four, {name}", value, note=note))
    for arm in ("without-conv3", "without-conv5"):
        value = _difference(grouped, "baseline", arm, "final_test")
        if value is not None:
            runs = grouped.runs(arm)
            name = f"sensitivity: five layers minus {runs.group.title.lower()}"
            if reasons := unequal_conditions([*grouped.runs("baseline").used, *runs.used]):
                sides.append(Secondary(name, None, "", " ".join(reasons)))
            else:
                sides.append(Secondary(name, value, note=f"n = {len(runs.used)}"))
    return sides


def _mean(grouped: GroupedRuns, group: str, metric: str) -> float | None:
    return sample(grouped.runs(group).used, METRICS[metric]).mean


def _difference(grouped: GroupedRuns, first: str, second: str, metric: str) -> float | None:
    """Mean of one group minus mean of another, in points."""
    a, b = (_mean(grouped, group, metric) for group in (first, second))
    return None if a is None or b is None else 100 * (a - b)


def _ratio(grouped: GroupedRuns, metric: str, name: str) -> list[Secondary]:
    """The ratio of geometric means; a slow run that never got there counts at its limit: a lower bound."""
    slow, fast = (sample(grouped.runs(group).used, METRICS[metric], is_censored=True) for group in ("tanh", "baseline"))
    if not slow.runs or not fast.runs:
        return []
    if lacking := fast.num_missing:  # Then the ratio is neither a value nor a bound.
        return [Secondary(name, None, "", f"{lacking} of {len(fast.runs)} ReLU runs not reached")]
    if len(slow.lower_bounds) < len(slow.runs) or min(*slow.lower_bounds, *fast.values) <= 0:
        return []
    note = f"at least; {slow.num_censored} of {len(slow.runs)} tanh runs not reached" if slow.num_censored else ""
    ratio = stats.geometric_mean(slow.lower_bounds) / stats.geometric_mean(fast.values)
    return [Secondary(name, ratio, "ratio", note)]
