"""The paper's Figure 1: each activation at its own best learning rate, nothing regularised; pure.

A learning-rate sweep, reported beside the verdict on the activations, which it never decides: the runs that choose
the rates are those that are measured. What chooses is training error alone, never the test set. These runs are known
by their settings, and they enter no group and no table of the study's experiments.
"""

from collections.abc import Iterable, Mapping

import msgspec

from alexnet_tui.analysis import stats
from alexnet_tui.analysis.conditions import unequal_surroundings
from alexnet_tui.analysis.groups import STUDY_FIELDS, Group, GroupedRuns, Grouping, GroupRuns, Protocol
from alexnet_tui.analysis.metrics import METRICS
from alexnet_tui.analysis.published import FIGURE_1
from alexnet_tui.analysis.samples import RunValue, Sample, make_sample, sample
from alexnet_tui.command_lines import ShellCommand, shell_command
from alexnet_tui.config.hyperparameters import RunConfig, Value, default_of, format_value
from alexnet_tui.config.protocols import BEST_LEARNING_RATE, PROTOCOLS, plan_command
from alexnet_tui.config.variants import VARIANTS
from alexnet_tui.runs.events import DIVERGED
from alexnet_tui.runs.history import RunHistory
from alexnet_tui.text import counted

SLOW, FAST = "tanh", "baseline"
_STUDY = "fig1"
NAME = "each activation at its best learning rate, no dropout, no weight decay"
_RATE = "learning_rate"
_SPEC = PROTOCOLS[BEST_LEARNING_RATE]


def _cell(variant: str, rate: Value) -> Group:
    """One activation at one learning rate."""
    known = {**VARIANTS[variant].settings, **_SPEC.settings, _RATE: rate}
    fields = dict.fromkeys((*STUDY_FIELDS, *_SPEC.fields))
    settings = {name: known.get(name, default_of(name)) for name in fields}
    return Group(
        name=f"{variant} {format_value(rate)}",
        title=f"{settings['activation']} at learning rate {format_value(rate)}",
        settings=settings,
    )


_RATES = {variant: [_cell(variant, cell[_RATE]) for cell in _SPEC.grid()] for variant in _SPEC.variants}
SWEEP = Grouping(group for groups in _RATES.values() for group in groups)
"""Activations and learning rates."""


def separate(histories: Iterable[RunHistory]) -> tuple[list[RunHistory], dict[Protocol, list[RunHistory]]]:
    """The runs of the study's own experiments, and those of the sweep by what they share."""
    others: list[RunHistory] = []
    sweeps: dict[Protocol, list[RunHistory]] = {}
    for history in histories:
        config = history.record.config
        (sweeps.setdefault(SWEEP.protocol_of(config), []) if SWEEP.group_of(config) else others).append(history)
    return others, sweeps


class BestRates(msgspec.Struct, frozen=True, kw_only=True):
    """What the protocol gives.

    Attributes:
        ratio: T25 of the slow activation over that of the fast one, each at its best rate; None without one.
        is_bound: The ratio is a lower bound: runs of the slow activation did not reach the mark.
        note: What a reader must know, or why there is none.
        samples: T25 of every run, activation by activation and rate by rate.
    """

    ratio: float | None = None
    is_bound: bool = False
    note: str
    samples: tuple[Sample, ...] = ()


def compare_best(runs: GroupedRuns | None, like: RunConfig | None, command: ShellCommand = shell_command) -> BestRates:
    """Choose each activation's rate by the geometric mean of T25, and compare the two.

    A run that did not reach 25% training error, or diverged, counts as slowest: as if it had at the last epoch.

    Args:
        runs: The runs, grouped by `SWEEP`, or None.
        like: A run with the settings that such runs would have, for the command that makes them.
        command: What makes that command's line.
    """
    groups = runs.groups if runs else {}
    if not groups:
        plan = command(*plan_command(BEST_LEARNING_RATE, _STUDY, like, SWEEP.protocol_fields))
        train = command("study", "run", _STUDY)
        return BestRates(note=f"no runs of it here; `{plan}` plans them, `{train}` trains them")
    samples = {name: _sample(groups.get(name) or GroupRuns(group)) for name, group in SWEEP.groups.items()}
    known = tuple(one for one in samples.values() if one.runs)
    if obstacles := [*_missing(samples), *_unequal(groups.values())]:
        return BestRates(note=" ".join(obstacles), samples=known)
    slow, fast = (_best(samples, variant) for variant in (SLOW, FAST))
    if fast.num_censored:
        note = f"{fast.num_censored} of {len(fast.runs)} runs of {fast.title}, its best, did not reach 25%"
        return BestRates(note=note, samples=known)
    if bounds := slow.num_upper_bounds + fast.num_upper_bounds:
        note = f"{counted(bounds, 'run')} of the best rates reached 25% before the first measurement"
        return BestRates(note=note, samples=known)
    return BestRates(
        ratio=_mean_time(slow) / _mean_time(fast),
        is_bound=bool(slow.num_censored),
        note=_note(slow, fast, groups.values()),
        samples=known,
    )


def _sample(runs: GroupRuns) -> Sample:
    values = sample(runs.used, METRICS["t25"], is_censored=True).runs
    limits = (
        RunValue(history.id, seed, None, float(history.record.config.epochs))
        for seed, history in _diverged(runs).items()
    )
    return make_sample((*values, *limits), runs.group.title)


def _diverged(runs: GroupRuns) -> dict[int, RunHistory]:
    """By its seed; of two the newest."""
    found = (history for history, word in runs.unfinished if word == DIVERGED)
    return {one.record.config.seed: one for one in sorted(found, key=lambda history: history.record.created)}


def _missing(samples: Mapping[str, Sample]) -> list[str]:
    lacking = [one.title for one in samples.values() if not one.runs]
    return [f"no finished run of {', '.join(lacking)}"] if lacking else []


def _unequal(groups: Iterable[GroupRuns]) -> list[str]:
    return unequal_surroundings([one for runs in groups for one in (*runs.used, *_diverged(runs).values())])


def _best(samples: Mapping[str, Sample], variant: str) -> Sample:
    """The rate with the smallest mean time; where two are equal, the one with fewer runs that did not reach 25%."""
    mine = [samples[group.name] for group in _RATES[variant]]
    return min(mine, key=lambda one: (_mean_time(one), one.num_censored))


def _mean_time(found: Sample) -> float:
    return stats.geometric_mean(found.lower_bounds)


def _note(slow: Sample, fast: Sample, groups: Iterable[GroupRuns]) -> str:
    parts = [f"{slow.title} (n = {len(slow.runs)}) over {fast.title} (n = {len(fast.runs)})"]
    if slow.num_censored:
        parts.insert(0, f"at least; {slow.num_censored} of {len(slow.runs)} {SLOW} runs not reached")
    unfinished = sum(word != DIVERGED for runs in groups for _, word in runs.unfinished)
    if lacking := unfinished + sum(len(runs.missing) for runs in groups):
        parts.append(f"{counted(lacking, 'run')} not finished or excluded")
    parts.append("choice and measure use the same runs, so this describes and decides nothing")
    parts.append(f"the paper's {FIGURE_1.place}: about {FIGURE_1.value:g}")
    return "; ".join(parts)
