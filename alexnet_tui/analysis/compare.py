"""`compare`: any runs side by side, grouped over seeds, with only what differs; pure.

Unlike the report it compares what it is given, finished or not; it judges nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from alexnet_tui.analysis.columns import COLUMNS, Spread, spread
from alexnet_tui.analysis.groups import CONDITIONS, NO_STATES, States, state_word
from alexnet_tui.config.hyperparameters import SPECS, format_value, meaning_of
from alexnet_tui.runs.history import RunHistory

Read = Callable[[RunHistory], str]
"""How a run tells a setting or a condition."""
COMPARED = ("max_train", "max_test", "last_test", "final_test", "gap", "t25", "time")


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """Runs of one configuration, the seed aside; or a single run.

    Attributes:
        name: The label of a single run, else the variant.
        run_ids: Its runs, by seed.
        seeds: Their seeds.
        states: Their states in words.
        settings: The values of what differs between the groups, by name.
        cells: Mean and standard deviation of each quantity, by the name of its column.
        differences: Mean minus that of the base; None where either has none.
        is_base: The others are measured against this group.
        is_pinned: It holds the pinned run.
    """

    name: str
    run_ids: tuple[str, ...]
    seeds: tuple[int, ...]
    states: tuple[str, ...]
    settings: Mapping[str, str]
    cells: Mapping[str, Spread]
    differences: Mapping[str, float | None]
    is_base: bool
    is_pinned: bool


@dataclass(frozen=True, slots=True)
class Comparison:
    """Groups in the order given.

    Attributes:
        groups: At least one.
        differing: Names of the hyperparameters and conditions that are not equal in all groups.
    """

    groups: tuple[Group, ...]
    differing: tuple[str, ...]


def compare(
    histories: Sequence[RunHistory],
    states: States = NO_STATES,
    *,
    labels: Mapping[str, str] | None = None,
    pinned: str | None = None,
    is_grouped: bool = True,
) -> Comparison:
    """Put runs side by side.

    Args:
        histories: The runs, in the order to show.
        states: State of a run by its id, where known.
        labels: The user's name of a run by its id; the record's own label where it is missing.
        pinned: Id of the run the others are measured against; the first run if None or not among them.
        is_grouped: Put runs that differ in their seed alone into one group.
    """
    members: dict[tuple[object, ...], list[RunHistory]] = {}
    for history in histories:
        members.setdefault(_key(history, is_grouped), []).append(history)
    groups = [sorted(runs, key=lambda run: run.record.config.seed) for runs in members.values()]
    differing = _differing(groups, is_grouped)
    has_pin = any(history.id == pinned for history in histories)
    anchor = next((runs for runs in groups if pinned in {run.id for run in runs}), groups[0] if groups else [])
    base = {name: spread(anchor, COLUMNS[name].measure).mean for name in COMPARED}
    return Comparison(
        tuple(
            _group(
                runs,
                states,
                labels or {},
                differing,
                base,
                is_base=runs is anchor,
                is_pinned=has_pin and runs is anchor,
            )
            for runs in groups
        ),
        tuple(differing),
    )


def _key(history: RunHistory, is_grouped: bool) -> tuple[object, ...]:
    if not is_grouped:
        return (history.id,)
    return tuple(getattr(history.record.config, name) for name in SPECS if name != "seed")


def _differing(groups: Sequence[Sequence[RunHistory]], is_grouped: bool) -> dict[str, Read]:
    """What is not equal in all runs, and how a run tells it.

    A setting and a condition may share a name, as the data do: the condition is told only where the setting is equal.
    """
    runs = [run for group in groups for run in group]
    readers = {name: _setting(name) for name in SPECS if not (is_grouped and name == "seed")}
    found = {name: read for name, read in readers.items() if len({read(run) for run in runs}) > 1}
    for name, condition in CONDITIONS.items():
        if name not in found and len({condition(run) for run in runs}) > 1:
            found[name] = _both(readers[name], condition) if name in readers else condition
    return found


def _setting(name: str) -> Read:
    return lambda history: format_value(getattr(history.record.config, name))


def shown_setting(name: str, text: str) -> str:
    """A setting for people: a 0 that stands for something says for what."""
    return meaning_of(name, text) or text


def _both(setting: Read, condition: Read) -> Read:
    return lambda history: f"{setting(history)} {condition(history)}"


def _group(
    runs: Sequence[RunHistory],
    states: States,
    labels: Mapping[str, str],
    differing: Mapping[str, Read],
    base: Mapping[str, float | None],
    *,
    is_base: bool,
    is_pinned: bool,
) -> Group:
    first = runs[0]
    label = labels.get(first.id) or first.record.label
    cells = {name: spread(runs, COLUMNS[name].measure) for name in COMPARED}
    return Group(
        name=label if label and len(runs) == 1 else first.record.config.variant,
        run_ids=tuple(run.id for run in runs),
        seeds=tuple(run.record.config.seed for run in runs),
        states=tuple(state_word(run, states) for run in runs),
        settings={name: ", ".join(dict.fromkeys(read(run) for run in runs)) for name, read in differing.items()},
        cells=cells,
        differences={name: _minus(cells[name].mean, base[name]) for name in COMPARED},
        is_base=is_base,
        is_pinned=is_pinned,
    )


def _minus(value: float | None, base: float | None) -> float | None:
    return None if value is None or base is None else value - base
