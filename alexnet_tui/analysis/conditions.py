"""Conditions: what runs were trained with beside their settings, and where runs that are compared differ; pure."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType

from alexnet_tui.analysis.groups import Grouping
from alexnet_tui.config.hyperparameters import shown_value
from alexnet_tui.runs import events as ev
from alexnet_tui.runs.history import RunHistory
from alexnet_tui.text import counted

_OF_ATTEMPT: Mapping[str, Callable[[ev.Started, RunHistory], str]] = MappingProxyType(
    {
        "device class": lambda started, run: started.device_class,
        "precision": lambda started, run: started.precision,
        "data": lambda started, run: started.data_sha256[:12],
        "images": lambda started, run: _images(started),
        "arithmetic": lambda started, run: f"version {started.arithmetic}" if started.arithmetic else "unknown",
        "torch": lambda started, run: ".".join(started.versions.get("torch", "unknown").split(".")[:2]),
        "code": lambda started, run: _code(started.commit, run),
    }
)


def condition_values(history: RunHistory, name: str) -> list[str]:
    """The values a condition had in the attempts that trained a run, the first attempt's first; never empty."""
    of_attempt = _OF_ATTEMPT[name]
    values = dict.fromkeys(of_attempt(started, history) for started in history.segments)
    return list(values) or [_code("", history) if name == "code" else "unknown"]


def _condition(name: str) -> Callable[[RunHistory], str]:
    def condition(history: RunHistory) -> str:
        values = condition_values(history, name)
        return values[0] if len(values) == 1 else f"mixed ({', then '.join(values)})"

    return condition


CONDITIONS: Mapping[str, Callable[[RunHistory], str]] = MappingProxyType(
    {name: _condition(name) for name in _OF_ATTEMPT}
)
"""What a run was trained with, by name; ``mixed`` where a resume changed it."""
NON_BLOCKING_CONDITIONS = frozenset(("code",))
"""Conditions that may differ between runs that are compared, because they decide no number by themselves."""


def machines(histories: Iterable[RunHistory]) -> set[str]:
    """The machines that trained runs; another number of threads makes another one."""
    return {started.fingerprint for run in histories for started in run.segments}


def codes(histories: Iterable[RunHistory]) -> set[str]:
    """The programs that trained runs, each by its commit or its version."""
    return {CONDITIONS["code"](run) for run in histories}


def is_one_commit(histories: Iterable[RunHistory]) -> bool:
    """Whether one program trained all of some runs, and its files were those of its commit."""
    found = codes(histories)
    return len(found) == 1 and not any(code.endswith("+") for code in found)


def _images(started: ev.Started) -> str:
    numbers = (started.num_train_images, started.num_train_eval_images, started.num_test_images)
    return "{:,} trained on, {:,} evaluated, {:,} tested on".format(*numbers)


def _code(commit: str, history: RunHistory) -> str:
    """The program that trained a run: its commit, or its version outside a checkout."""
    commit = commit or history.record.commit
    return f"commit {commit}" if commit else f"version {history.record.package_version}"


def unequal_conditions(histories: Sequence[RunHistory], grouping: Grouping) -> list[str]:
    """A sentence for each condition or hyperparameter that is not equal in all runs, the groups' own aside."""
    sentences = []
    for name in grouping.protocol_fields:
        values = Counter(shown_value(name, getattr(run.record.config, name)) for run in histories)
        sentences.extend(_mixed(name.replace("_", " "), values))
    return [*sentences, *unequal_surroundings(histories)]


def unequal_surroundings(histories: Sequence[RunHistory]) -> list[str]:
    """A sentence for each condition that is not equal in all runs, or not throughout one."""
    sentences = []
    for name, condition in CONDITIONS.items():
        if name in NON_BLOCKING_CONDITIONS:
            continue
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
    shown = ", ".join(f"{value} ({counted(count, 'run')})" for value, count in values.most_common())
    return [f"The runs differ in {name}: {shown}."]
