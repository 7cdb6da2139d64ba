"""Readings of the study: which settings that it does not state bring its published figures nearest.

A reading is a setting of everything the study leaves open. Its distance from the published figures is the mean over
the figures of |ours - published| / scale, where the scale is one point for an accuracy and five epochs for an epoch:
a rule to sort by, no test. T25 counts as the number of epochs trained where the training error never fell that far.
"""

from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean

import msgspec

from alexnet_tui.analysis.groups import STUDY, group_runs, split_by_protocol
from alexnet_tui.analysis.metrics import METRICS, Metric, Unit
from alexnet_tui.analysis.published import EXPERIMENTS, Published, PublishedRange
from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.config.protocols import PROTOCOLS, READINGS
from alexnet_tui.runs.history import RunHistory
from alexnet_tui.runs.state import State

FIGURES = ("max_test", "max_train", "max_epoch", "t25_running", "overfits")
"""The metrics that the study publishes of a run and that do not depend on its machine."""
CAVEAT = (
    "A near reading proves nothing: the figures are those of one run each, read off curves in part, and several"
    " settings may give the same ones. What counts is what the registered plan says."
)
_SCALES: Mapping[Unit, float] = {Unit.PERCENT: 0.01, Unit.POINTS: 0.01, Unit.EPOCHS: 5.0}


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One published figure and ours.

    Attributes:
        metric: What is compared.
        ours: Mean over the seeds, or None where a run has no such number.
        published: The study's, the nearer end of a range; None where it gives none.
        is_bound: Some run never got there; `ours` is then the least it can be.
    """

    metric: Metric
    ours: float | None
    published: float | None
    is_bound: bool = False

    @property
    def distance(self) -> float | None:
        """In scales of the metric's unit; None where one of the two is missing.

        A bound tells a distance, the least it can be, only beyond what was published.
        """
        if self.ours is None or self.published is None or (self.is_bound and self.ours <= self.published):
            return None
        return abs(self.ours - self.published) / _SCALES[self.metric.unit]


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """Runs of one experiment that differ in the seed alone, held against the study's figures.

    Attributes:
        experiment: Which of the study's four.
        config: The configuration of one of them.
        seeds: Their seeds.
        figures: In the order of `FIGURES`.
    """

    experiment: str
    config: RunConfig
    seeds: tuple[int, ...]
    figures: tuple[Figure, ...]

    @property
    def num_missing(self) -> int:
        """Figures that the study gives and these runs do not."""
        return sum(one.published is not None and one.distance is None for one in self.figures)

    @property
    def distance(self) -> float:
        """Mean distance of the figures that both have; infinite where there is none."""
        known = [one.distance for one in self.figures if one.distance is not None]
        return fmean(known) if known else float("inf")


def read(histories: Iterable[RunHistory], states: Mapping[str, State]) -> list[Reading]:
    """The readings among some runs, the nearest first within each experiment.

    Those runs count that count in a table of results, see `group_runs`.

    Args:
        histories: The runs.
        states: State of a run by its id.
    """
    tables = [group_runs(alike, states) for alike in split_by_protocol(histories).values()]
    order = list(EXPERIMENTS)
    found = [_reading(name, used) for table in tables for name in order if (used := table.runs(name).used)]
    return sorted(found, key=lambda one: (order.index(one.experiment), one.num_missing, one.distance))


def other_settings(found: Sequence[Reading]) -> list[str]:
    """The settings that neither an experiment, a front end nor what the protocol tries says.

    Those in which a reading is not as by default.
    """
    tried = dict.fromkeys(
        name
        for title, options in PROTOCOLS[READINGS].swept.items()
        if all(PROTOCOLS[READINGS].option_of(title, one.config) for one in found)
        for settings in options.values()
        for name in settings
    )
    named = {"epochs", *tried, *(title.replace(" ", "_") for title in PROTOCOLS[READINGS].swept)}
    changed = {name for one in found for name in one.config.changes()}
    return [name for name in STUDY.protocol_fields if name in changed - named]


def _reading(experiment: str, members: Sequence[RunHistory]) -> Reading:
    return Reading(
        experiment=experiment,
        config=members[0].record.config,
        seeds=tuple(one.record.config.seed for one in members),
        figures=tuple(_figure(METRICS[name], experiment, members) for name in FIGURES),
    )


def _figure(metric: Metric, experiment: str, members: Sequence[RunHistory]) -> Figure:
    values = [metric.value(one) for one in members]
    is_bound = bool(metric.mark) and None in values
    values = [metric.limit(one) if value is None else value for one, value in zip(members, values, strict=True)]
    known = [value for value in values if value is not None]
    ours = fmean(known) if len(known) == len(values) else None
    return Figure(metric=metric, ours=ours, published=_published(metric, experiment, ours), is_bound=is_bound)


def _published(metric: Metric, experiment: str, ours: float | None) -> float | None:
    found: Published | PublishedRange | None = getattr(EXPERIMENTS[experiment], metric.published)
    if isinstance(found, PublishedRange):
        return found.low if ours is None else min(max(ours, found.low), found.high)
    return None if found is None else found.value
