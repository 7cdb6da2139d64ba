"""The paper's Figure 1: each activation at its own best learning rate, nothing regularised; pure.

It stands beside the verdict on the activations and decides nothing: the runs that choose the rates are those
that are measured. What chooses is training error alone, never the test set. These runs are known by their
settings, and they enter no arm and no table of the report's experiments.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from alexnet_tui.analysis import metrics as measures
from alexnet_tui.analysis import published as paper
from alexnet_tui.analysis import stats
from alexnet_tui.analysis.effect import Observation, Sample
from alexnet_tui.analysis.groups import (
    ARM_FIELDS,
    NO_STATES,
    PROTOCOL_FIELDS,
    Absent,
    Arm,
    ArmRuns,
    Cohort,
    States,
    assemble,
    plural,
    unequal_surroundings,
)
from alexnet_tui.config.hyperparameters import RunConfig, Value, default_of, format_value
from alexnet_tui.config.protocols import BEST_LEARNING_RATE, PROTOCOLS, plan_command
from alexnet_tui.config.variants import VARIANTS
from alexnet_tui.paths import command
from alexnet_tui.runs.history import RunHistory

SLOW, FAST = "tanh", "baseline"
DIVERGED = "diverged"
_STUDY = "fig1"
NAME = "each activation at its best learning rate, no dropout, no weight decay"
_RATE = "learning_rate"
_SPEC = PROTOCOLS[BEST_LEARNING_RATE]
_ARM_FIELDS = (*ARM_FIELDS, *(name for name in _SPEC.fields if name not in ARM_FIELDS))
_BASE_FIELDS = tuple(name for name in PROTOCOL_FIELDS if name not in _SPEC.fields)

Base = tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class _Tried:
    """One activation at one learning rate."""

    variant: str
    rate: Value


def _settings(variant: str, changed: Mapping[str, Value]) -> tuple[Value, ...]:
    known = {**VARIANTS[variant].settings, **changed}
    return tuple(known.get(name, default_of(name)) for name in _ARM_FIELDS)


def _title(variant: str, rate: Value) -> str:
    activation = VARIANTS[variant].settings.get("activation", default_of("activation"))
    return f"{activation} at learning rate {format_value(rate)}"


_TRIED: Mapping[str, _Tried] = MappingProxyType(
    {
        f"{variant} {format_value(cell[_RATE])}": _Tried(variant, cell[_RATE])
        for variant in _SPEC.variants
        for cell in _SPEC.grid()
    }
)
ARMS: Mapping[str, Arm] = MappingProxyType(
    {
        name: Arm(
            name=name,
            title=_title(one.variant, one.rate),
            settings=_settings(one.variant, {**_SPEC.settings, _RATE: one.rate}),
        )
        for name, one in _TRIED.items()
    }
)
_ARM_BY_SETTINGS = {arm.settings: arm for arm in ARMS.values()}


def arm_of(config: RunConfig) -> Arm | None:
    """The activation and rate a run tries, or None if it is no run of this protocol."""
    return _ARM_BY_SETTINGS.get(tuple(getattr(config, name) for name in _ARM_FIELDS))


def base_of(config: RunConfig) -> Base:
    """Everything that can change a result and that the protocol leaves open; equal in what may be compared."""
    return tuple(getattr(config, name) for name in _BASE_FIELDS)


def separate(histories: Iterable[RunHistory]) -> tuple[list[RunHistory], dict[Base, list[RunHistory]]]:
    """The runs of the report's own experiments, and those of this protocol by their base."""
    others: list[RunHistory] = []
    tuned: dict[Base, list[RunHistory]] = {}
    for history in histories:
        config = history.record.config
        (tuned.setdefault(base_of(config), []) if arm_of(config) else others).append(history)
    return others, tuned


def sort_runs(histories: Sequence[RunHistory], states: States = NO_STATES, absent: Sequence[Absent] = ()) -> Cohort:
    """Sort runs of one base into activations and rates; of two finished runs of one seed the newest counts."""
    return assemble(histories, states, absent, arms=ARMS, arm_of=arm_of)


@dataclass(frozen=True, kw_only=True, slots=True)
class BestRates:
    """What the protocol gives.

    Attributes:
        ratio: T25 of the slow activation over that of the fast one, each at its best rate; None without one.
        is_bound: The ratio is a lower bound: runs of the slow activation did not reach the mark.
        note: What a person must know to read it, or why there is none.
        samples: T25 of every run, activation by activation and rate by rate.
    """

    ratio: float | None = None
    is_bound: bool = False
    note: str
    samples: tuple[Sample, ...] = ()


def find(cohort: Cohort | None, like: RunConfig | None) -> BestRates:
    """Choose each activation's rate by the geometric mean of T25, and compare the two.

    A run that did not reach 25% training error, or diverged, counts as slowest: as if it had at the last epoch.

    Args:
        cohort: The runs, as `sort_runs` gives them, or None.
        like: A run with the settings that such runs would have, for the command that makes them.
    """
    arms = cohort.arms if cohort else {}
    if not arms:
        plan = command(*plan_command(BEST_LEARNING_RATE, _STUDY, like, _BASE_FIELDS))
        train = command("study", "run", _STUDY)
        return BestRates(note=f"no runs of it here; `{plan}` plans them, `{train}` trains them")
    samples = {name: _sample(ARMS[name], arms.get(name) or ArmRuns(ARMS[name])) for name in ARMS}
    counted = [sample for sample in samples.values() if sample.observations]
    if obstacles := [*_missing(samples), *_unequal(arms.values())]:
        return BestRates(note=" ".join(obstacles), samples=tuple(counted))
    slow, fast = (_best(samples, variant) for variant in (SLOW, FAST))
    if fast.num_censored:
        note = f"{fast.num_censored} of {len(fast.values)} runs of {fast.title}, its best, did not reach 25%"
        return BestRates(note=note, samples=tuple(counted))
    return BestRates(
        ratio=_geometric_mean(slow) / _geometric_mean(fast),
        is_bound=bool(slow.num_censored),
        note=_note(slow, fast, arms.values()),
        samples=tuple(counted),
    )


def _sample(arm: Arm, runs: ArmRuns) -> Sample:
    observations = []
    for history in runs.used:
        value = measures.t25_epochs(history)
        limit = float(history.record.config.epochs)
        observations.append(
            Observation(history.id, history.record.config.seed, limit if value is None else value, value is None)
        )
    for seed, history in _diverged(runs).items():
        observations.append(Observation(history.id, seed, float(history.record.config.epochs), True))
    return Sample(arm.name, arm.title, tuple(observations))


def _diverged(runs: ArmRuns) -> dict[int, RunHistory]:
    """By its seed; of two the newest."""
    found = (history for history, word in runs.unfinished if word == DIVERGED)
    return {one.record.config.seed: one for one in sorted(found, key=lambda history: history.record.created)}


def _missing(samples: Mapping[str, Sample]) -> list[str]:
    lacking = [sample.title for sample in samples.values() if not sample.observations]
    return [f"no finished run of {', '.join(lacking)}"] if lacking else []


def _unequal(arms: Iterable[ArmRuns]) -> list[str]:
    return unequal_surroundings([one for arm in arms for one in (*arm.used, *_diverged(arm).values())])


def _best(samples: Mapping[str, Sample], variant: str) -> Sample:
    """The rate with the smallest mean; of equals the one that more runs reached the mark with."""
    mine = [samples[name] for name, tried in _TRIED.items() if tried.variant == variant]
    return min(mine, key=lambda sample: (_geometric_mean(sample), sample.num_censored))


def _geometric_mean(sample: Sample) -> float:
    return math.exp(stats.mean([math.log(value) for value in sample.values]))


def _note(slow: Sample, fast: Sample, arms: Iterable[ArmRuns]) -> str:
    parts = [f"{slow.title} (n = {len(slow.values)}) over {fast.title} (n = {len(fast.values)})"]
    if slow.num_censored:
        parts.insert(0, f"at least; {slow.num_censored} of {len(slow.values)} {SLOW} runs not reached")
    open_runs = sum(word != DIVERGED for arm in arms for _, word in arm.unfinished)
    if lacking := open_runs + sum(len(arm.absent) for arm in arms):
        parts.append(f"{lacking} {plural(lacking, 'run')} not finished")
    parts.append("choice and measure use the same runs, so this describes and decides nothing")
    parts.append(f"the paper's {paper.FIGURE_1.place}: about {paper.FIGURE_1.value:g}")
    return "; ".join(parts)
