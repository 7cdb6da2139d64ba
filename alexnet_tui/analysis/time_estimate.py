"""How long a run may take before it is started: steps, and time from past runs on this machine.

Pure: no disk, no clock, no torch. The time is that of the closest past runs, scaled by images and arithmetic
where they did something else, or of a few steps timed for it; it says which.
"""

import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType

import msgspec

from alexnet_tui.analysis.network_size import num_multiply_adds
from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.runs.history import RunHistory
from alexnet_tui.text import counted

TYPICAL_IMAGES, TYPICAL_TEST_IMAGES = 50_000, 10_000

_RECENT_RUNS = 5
_FEWEST_STEPS, _SHORTEST_SECONDS = 100, 30
"""Below both, too much of a run's time is its start and what else the machine does."""
_FORWARD_SHARE = 1 / 3  # Evaluation makes no gradients, which are two thirds of the work.


class TimeEstimate(msgspec.Struct, frozen=True, kw_only=True):
    """How long a run may take, and why one thinks so.

    Attributes:
        seconds_per_epoch: Training, evaluation and checkpoints of one epoch.
        total_seconds: All epochs.
        basis: What it is taken from, a phrase: ``3 runs of this network here``.
        is_rough: It is not that of whole runs of this network: arithmetic scaled it.
        run_ids: The past runs it is taken from; none where steps were timed.
    """

    seconds_per_epoch: float
    total_seconds: float
    basis: str
    is_rough: bool
    run_ids: frozenset[str] = frozenset()


def num_train_images(config: RunConfig, available: int) -> int:
    """Images one epoch trains on.

    Args:
        config: The run.
        available: Training images the data set has.
    """
    left = max(1, available - config.num_val_images(available))
    return min(config.train_images, left) if config.train_images else left


def steps_per_epoch(config: RunConfig, available: int) -> int:
    """Updates in one epoch; the last, smaller batch counts."""
    return -(-num_train_images(config, available) // config.batch_size)


_IsLike = Callable[[RunConfig, RunHistory], bool]
"""Whether a past run is like one that is planned, in one respect."""


def _same_machine_setting(config: RunConfig, past: RunHistory) -> bool:
    """Same device, arithmetic and threads: as configured, or as it turned out to be."""
    other, started = past.record.config, past.started
    found = (
        (config.device, other.device, started.device if started else ""),
        (config.precision, other.precision, started.precision if started else ""),
        (config.threads, other.threads, started.threads if started else 0),
    )
    return all(wanted in (configured, actual) for wanted, configured, actual in found)


def _same_network(config: RunConfig, past: RunHistory) -> bool:
    return _shape(config) == _shape(past.record.config)


def _shape(config: RunConfig) -> tuple[object, ...]:
    """What decides the time of a step; the rate of dropout does not."""
    return (
        config.front_end,
        config.activation,
        config.removed_conv_layer,
        config.lrn,
        config.pooling,
        config.groups,
        config.batch_size,
        config.augmentation,
    )


def _same_front_end(config: RunConfig, past: RunHistory) -> bool:
    return config.front_end == past.record.config.front_end


_LIKENESSES: tuple[tuple[tuple[_IsLike, ...], str, bool], ...] = (
    ((_same_machine_setting, _same_network), "of this network here", False),
    ((_same_machine_setting, _same_front_end), "with this front end here, scaled", True),
    ((_same_machine_setting,), "of another network here, scaled", True),
)
"""How past runs may be like a planned one, the closest first; how to call them, and whether their time is scaled."""


def estimate_time(
    config: RunConfig, histories: Iterable[RunHistory], *, host: str, num_train: int, num_test: int
) -> TimeEstimate | None:
    """The time a run may take, from the closest past runs on this machine; None where there are none.

    Runs of a few steps and seconds do not count.

    Args:
        config: The run.
        histories: Past runs, in any order; none that came with the program or out of an archive, whose machine may
            have the name of this one.
        host: Name of this machine; runs from elsewhere do not count.
        num_train: Training images the data set has.
        num_test: Test images the data set has.
    """
    here = [past for past in histories if past.record.host == host and _is_long_enough(past)]
    for tests, phrase, is_rough in _LIKENESSES:
        close = [past for past in here if all(is_like(config, past) for is_like in tests)]
        if close:
            recent = sorted(close, key=lambda past: past.record.created)[-_RECENT_RUNS:]
            images = _images_per_epoch(config, num_train, num_test)
            per_epoch = statistics.median(_seconds_per_epoch(config, images, past) for past in recent)
            return TimeEstimate(
                seconds_per_epoch=per_epoch,
                total_seconds=per_epoch * config.epochs,
                basis=f"{counted(len(recent), 'run')} {phrase}",
                is_rough=is_rough,
                run_ids=frozenset(past.id for past in recent),
            )
    return None


def step_settings(config: RunConfig) -> tuple[object, ...]:
    """What decides the time of a step here: two runs that agree in it need not both be timed."""
    return (*_shape(config), config.device, config.precision, config.threads)


def time_of_steps(config: RunConfig, step_seconds: float, *, num_train: int, num_test: int) -> TimeEstimate:
    """The time a run may take, from its own steps.

    Args:
        config: The run.
        step_seconds: How long one update takes.
        num_train: Training images the data set has.
        num_test: Test images the data set has.
    """
    per_epoch = step_seconds * _images_per_epoch(config, num_train, num_test) / config.batch_size
    return TimeEstimate(
        seconds_per_epoch=per_epoch,
        total_seconds=per_epoch * config.epochs,
        basis="five steps timed here",
        is_rough=True,
    )


def total_time(
    configs: Iterable[RunConfig],
    past: Iterable[RunHistory],
    *,
    host: str,
    sizes: Mapping[str, tuple[int, int]] = MappingProxyType({}),
    step_seconds: Mapping[tuple[object, ...], float] = MappingProxyType({}),
) -> tuple[float, str] | None:
    """Seconds that runs may take one after another, and what that is taken from; None where that of one is unknown.

    Args:
        configs: The runs.
        past: Runs to learn from, as for `estimate_time`.
        host: The machine they will run on.
        sizes: Training and test images of data sets; others are taken to be as large as CIFAR-10.
        step_seconds: What an update took where it was timed, by its `step_settings`.
    """
    past = tuple(past)

    def time_of(config: RunConfig) -> TimeEstimate | None:
        num_train, num_test = sizes.get(config.data, (TYPICAL_IMAGES, TYPICAL_TEST_IMAGES))
        seconds = step_seconds.get(step_settings(config))
        if seconds is not None:
            return time_of_steps(config, seconds, num_train=num_train, num_test=num_test)
        return estimate_time(config, past, host=host, num_train=num_train, num_test=num_test)

    counts = Counter(msgspec.structs.replace(config, seed=0) for config in configs)
    times = [(time_of(config), count) for config, count in counts.items()]
    known = [(time, count) for time, count in times if time is not None]
    if not known or len(known) < len(times):
        return None
    return sum(time.total_seconds * count for time, count in known), _basis_of_all([time for time, _ in known])


def _basis_of_all(times: Sequence[TimeEstimate]) -> str:
    """What several estimates are taken from together, a phrase."""
    if len({(time.basis, time.run_ids) for time in times}) == 1:
        return times[0].basis
    from_runs = [time for time in times if time.run_ids]
    runs = counted(len(frozenset[str]().union(*(time.run_ids for time in from_runs))), "run")
    scaled = ", some scaled" if any(time.is_rough for time in from_runs) else ""
    timed = [time.basis for time in times if not time.run_ids][:1]
    return " and ".join([*([f"{runs} here{scaled}"] if from_runs else []), *timed])


def _is_long_enough(past: RunHistory) -> bool:
    if past.started is None or not len(past.epochs):
        return False
    return past.epochs["step"][-1] >= _FEWEST_STEPS or past.epochs["elapsed_seconds"][-1] >= _SHORTEST_SECONDS


def _images_per_epoch(config: RunConfig, num_train: int, num_test: int) -> float:
    """Images of an epoch by the work they make: one that is only evaluated makes a share of it."""
    trained = num_train_images(config, num_train)
    evaluated = min(config.train_eval_images, trained) + num_test + config.num_val_images(num_train)
    return trained + _FORWARD_SHARE * evaluated


def _seconds_per_epoch(config: RunConfig, images: float, past: RunHistory) -> float:
    """An epoch of a past run, scaled to this run's images, counted by their work, and to its arithmetic."""
    started, epochs = past.started, past.epochs
    assert started is not None
    seconds = epochs["elapsed_seconds"][-1] / epochs["epoch"][-1]
    evaluated = started.num_train_eval_images + started.num_test_images + started.num_val_images
    images_of_past = started.num_train_images + _FORWARD_SHARE * evaluated
    work = num_multiply_adds(config.architecture(started.num_classes)) / num_multiply_adds(
        past.record.config.architecture(started.num_classes)
    )
    return seconds * images / max(1.0, images_of_past) * work
