"""Groups: runs that differ in their seed alone, and which runs of a group count; pure.

A `Grouping` is a set of groups that are told apart by the values of a few hyperparameters: the study's experiments
(`STUDY`), the cells of a learning-rate sweep, the groups of a claim. The name of a variant decides nothing: settings
do. Every other hyperparameter that can change a result is the groups' *protocol* and may not differ between them.
"""

import functools
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

import msgspec

from alexnet_tui.config.hyperparameters import RESULT_FIELDS, RunConfig, Value, default_of, format_value
from alexnet_tui.config.variants import VARIANTS
from alexnet_tui.runs import events as ev
from alexnet_tui.runs.history import RunHistory
from alexnet_tui.runs.state import State, derive_state, shown_word

STUDY_FIELDS = ("activation", "dropout", "removed_conv_layer")
"""What the study's experiments vary."""

States = Mapping[str, State]
NO_STATES: States = MappingProxyType({})
Protocol = tuple[Value, ...]
"""Values of a grouping's `protocol_fields`."""


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Runs that differ in their seed alone.

    Attributes:
        name: For files and commands.
        title: For people.
        settings: The hyperparameters that tell it from the other groups of its grouping.
    """

    name: str
    title: str
    settings: Mapping[str, Value]


class Grouping:
    """Groups that are told apart by the same hyperparameters.

    Args:
        groups: The groups; what one does not set it has from `base`.
        base: What all runs have but for their group; the program's defaults where it is None.

    Attributes:
        groups: By name.
        fields: The hyperparameters that tell them apart.
        protocol_fields: The hyperparameters that must be equal in runs that are compared.
    """

    def __init__(self, groups: Iterable[Group], base: RunConfig | None = None) -> None:
        self._base = base
        self.groups: Mapping[str, Group] = MappingProxyType({group.name: group for group in groups})
        self.fields = tuple(dict.fromkeys(name for group in self.groups.values() for name in group.settings))
        self.protocol_fields = tuple(name for name in RESULT_FIELDS if name not in self.fields)
        self._by_settings = {self._key(group.settings): group for group in reversed(list(self.groups.values()))}

    def _key(self, settings: Mapping[str, Value]) -> tuple[Value, ...]:
        usual = default_of if self._base is None else functools.partial(getattr, self._base)
        return tuple(settings.get(name, usual(name)) for name in self.fields)

    def group_of(self, config: RunConfig) -> Group | None:
        """The group that a run belongs to, or None if its settings are none of them."""
        return self._by_settings.get(tuple(getattr(config, name) for name in self.fields))

    def protocol_of(self, config: RunConfig) -> Protocol:
        """The values of `protocol_fields`."""
        return tuple(getattr(config, name) for name in self.protocol_fields)

    def protocol_changes(self, protocol: Protocol) -> dict[str, Value]:
        """The fields of a protocol that differ from the program's defaults."""
        pairs = zip(self.protocol_fields, protocol, strict=True)
        return {name: value for name, value in pairs if value != default_of(name)}


_SENSITIVITY = {
    "without-conv3": ("Without convolution 3", {"removed_conv_layer": "3"}),
    "without-conv5": ("Without convolution 5", {"removed_conv_layer": "5"}),
}
_EXPERIMENTS: Mapping[str, tuple[str, Mapping[str, Value]]] = {
    **{
        name: (variant.title, variant.settings)
        for name, variant in VARIANTS.items()
        if set(variant.settings) <= set(STUDY_FIELDS)
    },
    **_SENSITIVITY,
}
STUDY = Grouping(
    Group(name=name, title=title, settings={field: settings.get(field, default_of(field)) for field in STUDY_FIELDS})
    for name, (title, settings) in _EXPERIMENTS.items()
)
"""The study's experiments, and the same network without another layer."""


class Excluded(msgspec.Struct, frozen=True):
    """A run that counts for nothing here, and why."""

    run_id: str
    reason: str


class Missing(msgspec.Struct, frozen=True):
    """A run that a plan asks for and that is not there or is excluded, with the reason in a word or two."""

    config: RunConfig
    reason: str


class GroupRuns(msgspec.Struct, frozen=True):
    """The runs of one group.

    Attributes:
        group: The group.
        used: Finished runs, one a seed, in order of seed.
        unfinished: Runs that did not finish and that no other run replaces, with their state in words.
        missing: Planned runs that are not there, or are all excluded.
    """

    group: Group
    used: tuple[RunHistory, ...] = ()
    unfinished: tuple[tuple[RunHistory, str], ...] = ()
    missing: tuple[Missing, ...] = ()


class GroupedRuns(msgspec.Struct, frozen=True):
    """Runs sorted into the groups of a grouping.

    Attributes:
        grouping: The grouping.
        groups: By name, only groups that have a run or miss one, in the order of the grouping.
        excluded: Runs that were left out, and why.
        sweep: Runs of the learning-rate sweep that belong beside these, in groups of their own.
    """

    grouping: Grouping
    groups: Mapping[str, GroupRuns]
    excluded: tuple[Excluded, ...] = ()
    sweep: "GroupedRuns | None" = None

    @property
    def used(self) -> list[RunHistory]:
        """Every run that counts."""
        return [run for one in self.groups.values() for run in one.used]

    @property
    def histories(self) -> list[RunHistory]:
        """Every run in a group, finished or not."""
        return [run for one in self.groups.values() for run in (*one.used, *(run for run, _ in one.unfinished))]

    def runs(self, name: str) -> GroupRuns:
        """The runs of a group; empty if it has none."""
        return self.groups.get(name) or GroupRuns(self.grouping.groups[name])


def group_runs(
    histories: Sequence[RunHistory],
    states: States = NO_STATES,
    missing: Sequence[Missing] = (),
    *,
    grouping: Grouping = STUDY,
) -> GroupedRuns:
    """Sort runs into groups; of several finished runs of one seed the first made counts.

    Args:
        histories: Any runs; those of other protocols are not separated here, see `split_by_protocol`.
        states: State of a run by its id, where it is known; else it follows from the last event.
        missing: Runs that a plan asks for and that are not there or are excluded.
        grouping: The groups there are.
    """
    excluded = list[Excluded]()
    of_one_seed = defaultdict[tuple[str, int, Protocol], list[RunHistory]](list)
    for history in histories:
        config = history.record.config
        group = grouping.group_of(config)
        if has_stretched_schedule(history):
            excluded.append(Excluded(history.id, f"extended, and the schedule {config.schedule} depends on the length"))
        elif group is None:
            shown = ", ".join(f"{name} {format_value(getattr(config, name))}" for name in grouping.fields)
            excluded.append(Excluded(history.id, f"no experiment of the study: {shown}"))
        else:
            of_one_seed[group.name, config.seed, grouping.protocol_of(config)].append(history)
    used = defaultdict[str, list[RunHistory]](list)
    unfinished = defaultdict[str, list[tuple[RunHistory, str]]](list)
    lacking = defaultdict[str, list[Missing]](list)
    for (name, *_), runs in sorted(of_one_seed.items(), key=lambda item: item[0][1]):
        if counting := first_of_each_seed(runs):
            used[name] += counting
            excluded.extend(_excluded_for(counting[0], runs, states))
        else:
            unfinished[name] += [(history, state_word(history, states)) for history in runs]
    for one in missing:
        group = grouping.group_of(one.config)
        if group and (group.name, one.config.seed, grouping.protocol_of(one.config)) not in of_one_seed:
            lacking[group.name].append(one)
    found = {
        name: GroupRuns(group, tuple(used[name]), tuple(unfinished[name]), tuple(lacking[name]))
        for name, group in grouping.groups.items()
        if name in used or name in unfinished or name in lacking
    }
    return GroupedRuns(grouping, found, tuple(excluded))


def first_of_each_seed(histories: Iterable[RunHistory]) -> list[RunHistory]:
    """Of runs that differ in their seed alone, those that count, in order of seed: the first made of the finished."""
    counting = (history for history in histories if is_finished(history) and not has_stretched_schedule(history))
    first: dict[int, RunHistory] = {}
    for history in sorted(counting, key=lambda history: history.record.created):
        first.setdefault(history.record.config.seed, history)
    return [first[seed] for seed in sorted(first)]


def has_stretched_schedule(history: RunHistory) -> bool:
    """Whether a run was extended though its schedule depends on its length: it trained as no whole run does."""
    return bool(history.record.extends) and history.record.config.depends_on_length


def _excluded_for(kept: RunHistory, runs: Iterable[RunHistory], states: States) -> Iterable[Excluded]:
    for history in runs:
        if history is not kept:
            word = "repeated" if is_finished(history) else state_word(history, states)
            yield Excluded(history.id, f"{word}; the finished run {kept.id} of the same seed counts")


def is_finished(history: RunHistory) -> bool:
    """Whether a run reached its last epoch and its record holds every epoch."""
    return isinstance(history.final, ev.Finished) and is_whole(history)


def is_whole(history: RunHistory) -> bool:
    """Whether the record holds one row for every epoch done."""
    return len(history.epochs) == history.record.config.epochs == history.num_epochs_done


def state_word(history: RunHistory, states: States = NO_STATES) -> str:
    """A run's state for people: ``finished``, ``diverged``, ``failed (oom)``, ``crashed``."""
    state = states.get(history.id) or derive_state(history, is_locked=False)
    if isinstance(history.final, ev.Failed) and state is State.FAILED:
        reason = history.final.reason
        return reason if reason == ev.DIVERGED else f"failed ({reason})"
    if state is State.FINISHED and not is_whole(history):
        return "finished, but its record lacks epochs"
    return shown_word(state)


def split_by_protocol(histories: Iterable[RunHistory]) -> dict[Protocol, list[RunHistory]]:
    """Runs of the study's groups that may be in one table, set by set; the fullest and least changed protocol first."""
    sets: dict[Protocol, list[RunHistory]] = {}
    for history in histories:
        sets.setdefault(STUDY.protocol_of(history.record.config), []).append(history)

    def rank(protocol: Protocol) -> tuple[int, int, str]:
        finished = (STUDY.group_of(run.record.config) for run in sets[protocol] if is_finished(run))
        names = {group.name for group in finished if group}
        return -len(names & VARIANTS.keys()), len(STUDY.protocol_changes(protocol)), str(protocol)

    return {protocol: sets[protocol] for protocol in sorted(sets, key=rank)}
