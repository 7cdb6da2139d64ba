"""Which runs may be compared: arms known by their settings, protocols never mixed, nothing lost in silence.

An arm is what an experiment varies (activation, dropout, the layer left out); a protocol is every other
hyperparameter that can change a result. The name of a variant decides nothing: its settings do.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from alexnet_tui.config.hyperparameters import SPECS, RunConfig, Value, default_of, format_value, shown_value
from alexnet_tui.config.variants import VARIANTS
from alexnet_tui.runs import events as ev
from alexnet_tui.runs.history import RunHistory, State

ARM_FIELDS = ("activation", "dropout", "removed_conv_layer")
_FREE_FIELDS = {
    "variant",
    "seed",
    *ARM_FIELDS,
    "device",
    "precision",
    "threads",
    "checkpoint_epochs",
    "log_steps",
}
PROTOCOL_FIELDS = tuple(name for name in SPECS if name not in _FREE_FIELDS)
"""Hyperparameters that must be equal for two runs to stand in one table."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Arm:
    """One experiment: a name, a title and the values of `ARM_FIELDS` that make it."""

    name: str
    title: str
    settings: tuple[Value, ...]


def _settings(changed: Mapping[str, Value]) -> tuple[Value, ...]:
    return tuple(changed.get(name, default_of(name)) for name in ARM_FIELDS)


_SENSITIVITY = {
    "without-conv3": ("Without convolution 3", {"removed_conv_layer": "3"}),
    "without-conv5": ("Without convolution 5", {"removed_conv_layer": "5"}),
}
ARMS: Mapping[str, Arm] = MappingProxyType(
    {
        name: Arm(name=name, title=title, settings=_settings(settings))
        for name, (title, settings) in {
            **{
                name: (variant.title, variant.settings)
                for name, variant in VARIANTS.items()
                if set(variant.settings) <= set(ARM_FIELDS)
            },
            **_SENSITIVITY,
        }.items()
    }
)
_ARM_BY_SETTINGS = {arm.settings: arm for arm in reversed(list(ARMS.values()))}

Protocol = tuple[Value, ...]


def arm_of(config: RunConfig) -> Arm | None:
    """The experiment a run belongs to, or None if its settings are no experiment of the report."""
    return _ARM_BY_SETTINGS.get(tuple(getattr(config, name) for name in ARM_FIELDS))


def protocol_of(config: RunConfig) -> Protocol:
    """The values of `PROTOCOL_FIELDS`."""
    return tuple(getattr(config, name) for name in PROTOCOL_FIELDS)


def protocol_changes(protocol: Protocol) -> dict[str, Value]:
    """The fields of a protocol that differ from the program's defaults."""
    pairs = zip(PROTOCOL_FIELDS, protocol, strict=True)
    return {name: value for name, value in pairs if value != default_of(name)}


@dataclass(frozen=True, slots=True)
class SetAside:
    """A run that counts for nothing here, and why."""

    run_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Absent:
    """A run that a plan asks for and that is not there, with the reason in a word or two."""

    config: RunConfig
    reason: str


@dataclass(frozen=True, slots=True)
class ArmRuns:
    """The runs of one arm.

    Attributes:
        arm: The experiment.
        used: Finished runs, one a seed, in order of seed.
        unfinished: Runs that did not finish and that no other run replaces, with their state in words.
        absent: Planned runs that are not there.
    """

    arm: Arm
    used: tuple[RunHistory, ...] = ()
    unfinished: tuple[tuple[RunHistory, str], ...] = ()
    absent: tuple[Absent, ...] = ()


@dataclass(frozen=True, slots=True)
class Cohort:
    """Runs sorted into arms.

    Attributes:
        arms: By name, only arms that have a run, in the order of `ARMS`.
        set_aside: Runs that were left out, and why.
        tuned: Runs of the paper's own protocol for the claim on activations, sorted likewise; they stand beside
            the claim's verdict and never in an arm.
    """

    arms: Mapping[str, ArmRuns]
    set_aside: tuple[SetAside, ...] = field(default=())
    tuned: "Cohort | None" = None

    @property
    def histories(self) -> list[RunHistory]:
        """Every run in an arm, finished or not."""
        return [run for arm in self.arms.values() for run in (*arm.used, *(run for run, _ in arm.unfinished))]

    def runs(self, name: str) -> ArmRuns:
        """The runs of an arm; empty if it has none."""
        return self.arms.get(name) or ArmRuns(ARMS[name])


States = Mapping[str, State]
NO_STATES: States = MappingProxyType({})


def assemble(
    histories: Sequence[RunHistory],
    states: States = NO_STATES,
    absent: Sequence[Absent] = (),
    *,
    arms: Mapping[str, Arm] = ARMS,
    arm_of: Callable[[RunConfig], Arm | None] = arm_of,
) -> Cohort:
    """Sort runs into arms; of two finished runs of one seed the newest counts.

    Args:
        histories: Any runs; those of other protocols are not separated here, see `split_by_protocol`.
        states: State of a run by its id, where it is known; else it follows from the last event.
        absent: Runs that a plan asks for and that are not there.
        arms: The arms there are.
        arm_of: The arm a run belongs to, or None.
    """
    aside: list[SetAside] = []
    repeats: dict[tuple[str, int, Protocol], list[RunHistory]] = {}
    for history in histories:
        config = history.record.config
        arm = arm_of(config)
        if arm is None:
            shown = ", ".join(f"{name} {format_value(getattr(config, name))}" for name in ARM_FIELDS)
            aside.append(SetAside(history.id, f"no experiment of the report: {shown}"))
        else:
            repeats.setdefault((arm.name, config.seed, protocol_of(config)), []).append(history)
    used: dict[str, list[RunHistory]] = {}
    unfinished: dict[str, list[tuple[RunHistory, str]]] = {}
    for (name, *_), group in sorted(repeats.items(), key=lambda item: item[0][1]):
        finished = sorted(filter(is_finished, group), key=lambda history: history.record.created)
        if finished:
            used.setdefault(name, []).append(finished[-1])
            aside.extend(_replaced(group, finished[-1], states))
        else:
            unfinished.setdefault(name, []).extend((history, state_word(history, states)) for history in group)
    lacking: dict[str, list[Absent]] = {}
    for one in absent:
        arm = arm_of(one.config)
        if arm and (arm.name, one.config.seed, protocol_of(one.config)) not in repeats:
            lacking.setdefault(arm.name, []).append(one)
    sorted_runs = {
        name: ArmRuns(arm, tuple(used.get(name, ())), tuple(unfinished.get(name, ())), tuple(lacking.get(name, ())))
        for name, arm in arms.items()
        if name in used or name in unfinished or name in lacking
    }
    return Cohort(sorted_runs, tuple(aside))


def _replaced(group: Iterable[RunHistory], kept: RunHistory, states: States) -> Iterable[SetAside]:
    for history in group:
        if history is not kept:
            word = state_word(history, states)
            yield SetAside(history.id, f"{word}; the finished run {kept.id} of the same seed counts")


def is_finished(history: RunHistory) -> bool:
    """Whether a run reached its last epoch and its record holds every epoch."""
    return isinstance(history.final, ev.Finished) and is_whole(history)


def is_whole(history: RunHistory) -> bool:
    """Whether the record holds one row for every epoch done."""
    return len(history.epochs) == history.record.config.epochs == history.num_epochs_done


def state_word(history: RunHistory, states: States = NO_STATES) -> str:
    """A run's state for people: ``finished``, ``diverged``, ``failed (oom)``, ``lost``."""
    state = states.get(history.id) or history.state(is_locked=False)
    if isinstance(history.final, ev.Failed) and state is State.FAILED:
        reason = history.final.reason
        return reason if reason == "diverged" else f"failed ({reason})"
    if state is State.FINISHED and not is_whole(history):
        return "finished, but its record lacks epochs"
    return state.value


def split_by_protocol(histories: Iterable[RunHistory]) -> dict[Protocol, list[RunHistory]]:
    """Runs that may stand in one table, set by set; the fullest and least changed protocol first."""
    sets: dict[Protocol, list[RunHistory]] = {}
    for history in histories:
        sets.setdefault(protocol_of(history.record.config), []).append(history)

    def rank(protocol: Protocol) -> tuple[int, int, str]:
        members = sets[protocol]
        arms = {arm.name for run in members if is_finished(run) and (arm := arm_of(run.record.config))}
        return -len(arms & VARIANTS.keys()), len(protocol_changes(protocol)), str(protocol)

    return {protocol: sets[protocol] for protocol in sorted(sets, key=rank)}


_OF_PLACE: Mapping[str, Callable[[ev.Started, RunHistory], str]] = MappingProxyType(
    {
        "device class": lambda place, run: place.device_class,
        "precision": lambda place, run: place.precision,
        "data": lambda place, run: place.data_sha256[:12],
        "code": lambda place, run: _code(place.commit, run),
    }
)


def condition_values(history: RunHistory, name: str) -> list[str]:
    """The values a condition had in the attempts that trained a run, the first attempt's first; never empty."""
    of_place = _OF_PLACE[name]
    values = dict.fromkeys(of_place(place, history) for place in history.places)
    return list(values) or [_code("", history) if name == "code" else "unknown"]


def _condition(name: str) -> Callable[[RunHistory], str]:
    def condition(history: RunHistory) -> str:
        values = condition_values(history, name)
        return values[0] if len(values) == 1 else f"mixed ({', then '.join(values)})"

    return condition


CONDITIONS: Mapping[str, Callable[[RunHistory], str]] = MappingProxyType({name: _condition(name) for name in _OF_PLACE})
"""What a run's surroundings must share with the other arm's, by name; ``mixed`` where a resume changed them."""


def _code(commit: str, history: RunHistory) -> str:
    """The program that trained a run: its commit, or its version outside a checkout."""
    commit = commit or history.record.commit
    return f"commit {commit}" if commit else f"version {history.record.package_version}"


def unequal_conditions(histories: Sequence[RunHistory]) -> list[str]:
    """A sentence for each condition or hyperparameter that is not equal in all runs, the arms' own aside."""
    sentences = []
    for name in PROTOCOL_FIELDS:
        values = Counter(shown_value(name, getattr(run.record.config, name)) for run in histories)
        sentences.extend(_mixed(name.replace("_", " "), values))
    return [*sentences, *unequal_surroundings(histories)]


def unequal_surroundings(histories: Sequence[RunHistory]) -> list[str]:
    """A sentence for each condition that is not equal in all runs, or not throughout one."""
    sentences = []
    for name, condition in CONDITIONS.items():
        sentences.extend(_mixed(name, Counter(condition(run) for run in histories)))
        for run in histories:
            if len(values_of_run := condition_values(run, name)) > 1:
                sentences.append(
                    f"Run {run.id} changed its {name} when it was resumed: {', then '.join(values_of_run)}."
                )
    return sentences


def _mixed(name: str, values: Counter[str]) -> list[str]:
    if len(values) < 2:
        return []
    shown = ", ".join(f"{value} ({count} {plural(count, 'run')})" for value, count in values.most_common())
    return [f"The runs differ in {name}: {shown}."]


def plural(count: int, noun: str) -> str:
    """The noun, with an s unless there is one."""
    return noun if count == 1 else f"{noun}s"
