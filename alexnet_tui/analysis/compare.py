"""Runs side by side: one comparison for the command line and the console; pure.

Runs of one configuration are taken as a report takes them: finished runs of different seeds are averaged, of several of
one seed the first made; every other run is shown by itself, with the reason. What differs between the groups is named:
hyperparameters, and what the runs were trained with (data, images, arithmetic, device, code). Unlike a report this
judges nothing.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType

import msgspec

from alexnet_tui.analysis.conditions import CONDITIONS, NON_BLOCKING_CONDITIONS
from alexnet_tui.analysis.groups import NO_STATES, Group, Grouping, States, group_runs, state_word
from alexnet_tui.analysis.metrics import METRICS
from alexnet_tui.analysis.samples import Sample, sample
from alexnet_tui.config.hyperparameters import SPECS, default_of, format_value, meaning_of, settings_text
from alexnet_tui.runs.history import RunHistory
from alexnet_tui.runs.state import State
from alexnet_tui.studies.planned_runs import PlannedGroup
from alexnet_tui.text import MISSING

Read = Callable[[RunHistory], str]
"""A setting or a condition of a run, in words."""
_ALIKE = Grouping([Group(name="alike", title="", settings={})])
COMPARED = ("max_train", "max_test", "last_test", "final_test", "gap", "t25", "time")
"""Metrics compared where none are asked for."""


class ComparedGroup(msgspec.Struct, frozen=True, kw_only=True):
    """Finished runs of one configuration, the seed aside; or a single run.

    Attributes:
        name: The label of a single run, the id of one that is not averaged with its like, else what the plan calls it
            that its runs were made for, else the variant.
        distinction: What tells it from other groups of its name, or empty: what their plan tries, as it is called there
            (``decay of the rate``), else settings: ``learning rate 0.03``. What runs have by themselves is left out.
        run_ids: Its runs, by seed.
        seeds: Their seeds; none of a run that another program trained.
        states: Their states in words.
        settings: The values of what differs between the groups, by name.
        cells: Mean and standard deviation, by metric.
        differences: Mean minus that of the base; None where either has none, or not of every run.
        is_base: The others are measured against this group.
        is_pinned: It holds the pinned run.
        alone: Why a run is not averaged with others of its configuration; else empty.
        is_finished: All of its runs reached their last epoch, or came from another program.
    """

    name: str
    run_ids: tuple[str, ...]
    seeds: tuple[int, ...]
    states: tuple[str, ...]
    settings: Mapping[str, str]
    cells: Mapping[str, Sample]
    differences: Mapping[str, float | None]
    is_base: bool
    is_pinned: bool
    distinction: str = ""
    alone: str = ""
    is_finished: bool = True


class Comparison(msgspec.Struct, frozen=True):
    """Groups in the order given.

    Attributes:
        groups: At least one.
        differing: Names of the hyperparameters and conditions that are not equal in all groups.
    """

    groups: tuple[ComparedGroup, ...]
    differing: tuple[str, ...]


class _Members(msgspec.Struct, frozen=True):
    """Runs of one group, by seed, and why a run is by itself."""

    runs: tuple[RunHistory, ...]
    alone: str = ""


def compare(
    histories: Sequence[RunHistory],
    states: States = NO_STATES,
    *,
    labels: Mapping[str, str] | None = None,
    planned: Mapping[str, PlannedGroup] = MappingProxyType({}),
    pinned: str | None = None,
    is_grouped: bool = True,
    metrics: Sequence[str] = COMPARED,
) -> Comparison:
    """Put runs side by side.

    Args:
        histories: The runs, in the order to show.
        states: State of a run by its id, where known.
        labels: The user's name of a run by its id; the record's own label where it is missing.
        planned: What its plan calls the group of a run, by the run's id.
        pinned: Id of the run the others are measured against; the first run if None or not among them.
        is_grouped: Average runs that differ in their seed alone.
        metrics: Names of the metrics to compare.
    """
    groups = _grouped(histories, states) if is_grouped else [_Members((history,)) for history in histories]
    differing = _differing(histories, is_grouped)
    has_pin = [pinned in {run.id for run in one.runs} for one in groups]
    base = has_pin.index(True) if any(has_pin) else 0
    cells = [{name: sample(one.runs, METRICS[name]) for name in metrics} for one in groups]
    names = [_name(one, labels or {}, planned) for one in groups]
    firsts = [one.runs[0] for one in groups]
    distinctions = _distinctions(names, firsts, differing, [planned.get(first.id) for first in firsts])
    compared = tuple(
        ComparedGroup(
            name=names[index],
            distinction=distinctions[index],
            run_ids=tuple(run.id for run in one.runs),
            seeds=tuple(run.record.config.seed for run in one.runs if run.record.foreign is None),
            states=tuple("foreign" if run.record.foreign else state_word(run, states) for run in one.runs),
            settings={name: ", ".join(dict.fromkeys(map(read, one.runs))) for name, read in differing.items()},
            cells=cells[index],
            differences={name: _difference(cells[index][name], cells[base][name]) for name in metrics},
            is_base=index == base,
            is_pinned=has_pin[index],
            alone=one.alone,
            is_finished=all(run.record.foreign or state_word(run, states) == State.FINISHED for run in one.runs),
        )
        for index, one in enumerate(groups)
    )
    return Comparison(compared, tuple(differing))


def _name(members: _Members, labels: Mapping[str, str], planned: Mapping[str, PlannedGroup]) -> str:
    """What a group is called: see `ComparedGroup.name`."""
    first = members.runs[0]
    label = labels.get(first.id) or first.record.label
    if len(members.runs) == 1 and label:
        return label
    if members.alone:
        return first.id
    names = {planned[run.id].name if run.id in planned else "" for run in members.runs}
    return (names.pop() if len(names) == 1 else "") or first.record.config.variant


def _distinctions(
    names: Sequence[str],
    firsts: Sequence[RunHistory],
    differing: Iterable[str],
    planned: Sequence[PlannedGroup | None],
) -> list[str]:
    """What tells each group from the others of its name: see `ComparedGroup.distinction`."""
    configs = [first.record.config for first in firsts]
    values = {field: [getattr(config, field) for config in configs] for field in differing if field in SPECS}
    found = []
    for index, name in enumerate(names):
        if firsts[index].record.foreign:  # Its settings are not known.
            found.append("")
            continue
        namesakes = [place for place, other in enumerate(names) if other == name]
        settings = {
            field: of_all[index]
            for field, of_all in values.items()
            if len({of_all[place] for place in namesakes}) > 1
            and (field == "seed" or of_all[index] != default_of(field))
        }
        found.append(_swept_text(index, namesakes, planned) or settings_text(settings))
    return found


def _swept_text(index: int, namesakes: Sequence[int], planned: Sequence[PlannedGroup | None]) -> str:
    """What a group's plan tries and its namesakes have otherwise; empty where that does not tell them all apart."""
    swept = [one.swept if one else {} for one in (planned[place] for place in namesakes)]
    titles = dict.fromkeys(title for one in swept for title in one)
    told = [title for title in titles if len({one.get(title) for one in swept}) > 1]
    if len({tuple(one.get(title) for title in told) for one in swept}) < len(namesakes):
        return ""
    own = swept[namesakes.index(index)]
    return ", ".join(f"{title} {option}" for title, option in own.items() if title in told)


def _grouped(histories: Sequence[RunHistory], states: States) -> list[_Members]:
    """Runs to average, and single runs, in the order of the first run of each configuration."""
    alike: dict[tuple[object, ...], list[RunHistory]] = {}
    for history in histories:
        own = history.id if history.record.foreign else ""  # Its settings are not known.
        alike.setdefault((own, _ALIKE.protocol_of(history.record.config), *_conditions(history)), []).append(history)
    return [one for runs in alike.values() for one in _members(runs, states)]


def _conditions(history: RunHistory) -> tuple[str, ...]:
    return tuple(read(history) for name, read in CONDITIONS.items() if name not in NON_BLOCKING_CONDITIONS)


def _members(runs: Sequence[RunHistory], states: States) -> list[_Members]:
    """The runs of one configuration as a report takes them: those that count together, the others by themselves."""
    if len(runs) == 1:
        return [_Members(tuple(runs))]
    found = group_runs(runs, states, grouping=_ALIKE)
    why_alone = {one.run_id: one.reason for one in found.excluded}
    why_alone |= {
        run.id: f"{word}; only finished runs are averaged"
        for one in found.groups.values()
        for run, word in one.unfinished
    }
    alone = [_Members((run,), why_alone[run.id]) for run in runs if run.id in why_alone]
    return [_Members(tuple(found.used)), *alone] if found.used else alone


def _differing(runs: Sequence[RunHistory], is_grouped: bool) -> dict[str, Read]:
    """What is not equal in all runs, those of other programs aside: nothing is known of these.

    A setting and a condition may share a name, as the data do: the condition is shown only where the setting is equal.
    A run that has not begun has no conditions.
    """
    runs = [run for run in runs if run.record.foreign is None]
    readers = {name: _setting(name) for name in SPECS if not (is_grouped and name == "seed")}
    found = {name: read for name, read in readers.items() if len({read(run) for run in runs}) > 1}
    for name, condition in CONDITIONS.items():
        if name not in found and len({condition(run) for run in runs if run.segments}) > 1:
            begun = _of_begun(condition)
            found[name] = _both(readers[name], begun) if name in readers else begun
    return {name: _of_ours(read) for name, read in found.items()}


def _of_ours(read: Read) -> Read:
    return lambda history: MISSING if history.record.foreign else read(history)


def _of_begun(condition: Read) -> Read:
    return lambda history: condition(history) if history.segments else MISSING


def _setting(name: str) -> Read:
    return lambda history: format_value(getattr(history.record.config, name))


def shown_setting(name: str, text: str) -> str:
    """A setting for people: a 0 that stands for something says for what."""
    return meaning_of(name, text) or text


def _both(setting: Read, condition: Read) -> Read:
    return lambda history: f"{setting(history)} {condition(history)}"


def _difference(of: Sample, base: Sample) -> float | None:
    """Of two means; one over only the runs that reached a mark, or of upper bounds, tells nothing of a difference."""
    if of.mean is None or base.mean is None or of.num_missing or base.num_missing:
        return None
    if of.num_upper_bounds or base.num_upper_bounds:
        return None
    return of.mean - base.mean
