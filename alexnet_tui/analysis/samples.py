"""Samples: a metric of several runs, with what is known of times that were not reached; pure."""

from collections.abc import Iterable, Sequence

import msgspec

from alexnet_tui.analysis import stats
from alexnet_tui.analysis.metrics import Metric
from alexnet_tui.runs.history import RunHistory
from alexnet_tui.text import MISSING


class RunValue(msgspec.Struct, frozen=True, omit_defaults=True):
    """A metric of one run.

    Attributes:
        run_id: The run.
        seed: Its seed; None of a run that another program trained.
        value: In the metric's unit; None where the run has none.
        limit: Where a mark was not reached: what the time is known to exceed (a censored value).
        is_upper_bound: The value is only known not to be exceeded.
    """

    run_id: str
    seed: int | None
    value: float | None
    limit: float | None = None
    is_upper_bound: bool = False


class Sample(msgspec.Struct, frozen=True, omit_defaults=True):
    """A metric of the runs of a group.

    Attributes:
        mean: Over the values there are; None if there is none.
        sd: With n - 1; None for fewer than two values.
        num_missing: Runs without a value.
        runs: Every run, with its value.
        title: The group's, or empty.
        num_not_reached: Of the runs without a value those that are known not to have reached the mark.
    """

    mean: float | None
    sd: float | None
    num_missing: int
    runs: tuple[RunValue, ...]
    title: str = ""
    num_not_reached: int = 0

    @property
    def values(self) -> list[float]:
        """The values there are."""
        return [run.value for run in self.runs if run.value is not None]

    @property
    def lower_bounds(self) -> list[float]:
        """The values, a censored one at its limit."""
        known = (run.limit if run.value is None else run.value for run in self.runs)
        return [value for value in known if value is not None]

    @property
    def num_censored(self) -> int:
        """Runs that did not reach the mark."""
        return sum(run.value is None and run.limit is not None for run in self.runs)

    @property
    def num_upper_bounds(self) -> int:
        """Runs whose value is only known not to be exceeded."""
        return sum(run.is_upper_bound for run in self.runs)


def make_sample(values: Iterable[RunValue], title: str = "", *, num_not_reached: int = 0) -> Sample:
    """A sample with its mean and standard deviation."""
    runs = tuple(values)
    known = [run.value for run in runs if run.value is not None]
    return Sample(
        mean=stats.mean(known) if known else None,
        sd=stats.sd(known) if len(known) > 1 else None,
        num_missing=len(runs) - len(known),
        runs=runs,
        title=title,
        num_not_reached=num_not_reached,
    )


def sample(runs: Iterable[RunHistory], metric: Metric, title: str = "", *, is_censored: bool = False) -> Sample:
    """A metric of runs.

    Args:
        runs: The runs.
        metric: What is looked at.
        title: The group's title.
        is_censored: A time that was not reached counts as longer than the run.
    """
    values, num_not_reached = list[RunValue](), 0
    for run in runs:
        found = metric.value(run)
        limit = metric.limit(run) if found is None else None
        num_not_reached += limit is not None
        is_upper_bound = found is not None and metric.is_upper_bound(run)
        seed = None if run.record.foreign else run.record.config.seed
        values.append(RunValue(run.id, seed, found, limit if is_censored else None, is_upper_bound))
    return make_sample(values, title, num_not_reached=num_not_reached)


def best_cells(metric: Metric, samples: Sequence[Sample]) -> list[bool]:
    """Which samples have the best mean; none where there is nothing to compare, or no mean is better.

    A mean over only some of a group's runs, those that reached a mark, is not compared with others. One of times that
    were reached before the first measurement may be lower than it says: no other mean is better than that.
    """
    known = [one.mean for one in samples if one.mean is not None and not one.num_missing]
    best = metric.best(known) if len(known) > 1 else None
    marks = [best is not None and one.mean == best and not one.num_missing for one in samples]
    bounded = [one.num_upper_bounds > 0 and not one.num_missing for one in samples]
    is_known = not any(bounded) or (sum(bounded) == 1 and marks == bounded)
    return marks if is_known else [False] * len(samples)


def sample_text(found: Sample, metric: Metric) -> str:
    """Mean and standard deviation: ``61.52 ±0.38``; ``41.0 ±1.4 (3 of 5)`` where only three have a value.

    ``≤ 1.0 ±0.0`` where a value is only known not to be exceeded.
    """
    if found.mean is None:
        return "not reached" if found.num_not_reached else MISSING
    text = mean_text(found, metric)
    if found.sd is not None:
        text += f" ±{metric.sd_text(found.sd)}"
    return f"{text} ({len(found.values)} of {len(found.runs)})" if found.num_missing else text


def mean_text(found: Sample, metric: Metric) -> str:
    """The mean, and whether it is only known not to be exceeded."""
    return f"{'≤ ' * bool(found.num_upper_bounds)}{metric.mean_text(found.mean)}"
