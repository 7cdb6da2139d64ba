"""Whether runs are copies of each other, or differ where they should be equal bit for bit; pure."""

import itertools
import math
from collections.abc import Iterable, Sequence
from statistics import median

import msgspec

from alexnet_tui.analysis.conditions import machines
from alexnet_tui.analysis.integrity import Check, Result, has_diverged
from alexnet_tui.config.architecture import layer_shapes
from alexnet_tui.config.hyperparameters import RESULT_FIELDS, RunConfig
from alexnet_tui.runs.history import RunHistory

_BEGIN_ALIKE = frozenset(("schedule", "rate_decay", "train_images", "train_eval_images"))
"""Settings in which runs of one seed may differ and train alike all the same, until their learning rates part."""
_LOSSES = ("test_loss", "train_loss")
_EQUAL_LOSS = 1e-9
_EQUAL_CHANGE = 4 * _EQUAL_LOSS
"""The changes between two losses that are equal in two runs differ by less, rounding included."""
_LARGEST_ROUNDED_WELL = 1e6
_ALIKE_FIELDS = tuple(
    name for name in (*RESULT_FIELDS, "seed") if name not in ("epochs", "removed_conv_layer", "rate_decay")
)
"""Settings in which runs that have to be equal do not differ."""


def check_together(histories: Sequence[RunHistory]) -> dict[str, Check]:
    """A check for each run that was started: none of these is a copy of it, or should equal it and does not.

    Runs of equal settings, seed and machine are equal bit for bit, up to where they diverge.
    """
    started = [run for run in histories if run.segments]
    failed: dict[str, Check] = {}
    for first, second in sorted(_of_equal_settings(started) | _of_equal_changes(started)):
        one, other = started[first], started[second]
        if fault := _fault(one, other):
            for run, beside in ((one, other), (other, one)):
                failed.setdefault(run.id, Check("other runs", Result.FAILED, f"{fault} run {beside.id}."))
    return {run.id: failed.get(run.id, Check("other runs", Result.PASSED)) for run in started}


def _of_equal_settings(runs: Sequence[RunHistory]) -> set[tuple[int, int]]:
    """Pairs of places in `runs`, among them all that should be equal."""
    alike: dict[tuple[object, ...], list[int]] = {}
    for place, run in enumerate(runs):
        alike.setdefault(tuple(getattr(run.record.config, name) for name in _ALIKE_FIELDS), []).append(place)
    return {pair for places in alike.values() for pair in itertools.combinations(places, 2)}


def _of_equal_changes(runs: Sequence[RunHistory]) -> set[tuple[int, int]]:
    """Pairs of places in `runs`, among them all whose losses are equal, or lie equally far apart, in half their epochs.

    Of more than half of all epochs two follow each other, or every other one is among them: over these the losses of
    both runs change alike. To look for such changes takes time for each run, and not for each pair of runs. Runs with
    losses that are no numbers, or are huge, are in a pair with every other one.
    """
    found = set[tuple[int, int]]()
    for column in _LOSSES:
        losses = {place: run.epochs[column] for place, run in enumerate(runs)}
        odd = [place for place, one in losses.items() if not all(abs(loss) <= _LARGEST_ROUNDED_WELL for loss in one)]
        found |= {(min(pair), max(pair)) for pair in itertools.product(odd, losses) if pair[0] != pair[1]}
        for place in odd:
            del losses[place]
        longest = max(map(len, losses.values()), default=0)
        for step, epoch in itertools.product((1, 2), range(longest)):
            end = epoch + step
            found |= _close((one[end] - one[epoch], place) for place, one in losses.items() if end < len(one))
    return found


def _close(changes: Iterable[tuple[float, int]]) -> set[tuple[int, int]]:
    """Pairs of places whose changes are equal."""
    found = set[tuple[int, int]]()
    before: list[tuple[float, int]] = []
    for change, place in sorted(changes):
        before = [one for one in before if change - one[0] < _EQUAL_CHANGE]
        found |= {(min(place, other), max(place, other)) for _, other in before}
        before.append((change, place))
    return found


def _fault(one: RunHistory, other: RunHistory) -> str:
    """What is wrong between two runs, a sentence that ends with the name of the other one; or empty."""
    is_same_seed = one.record.config.seed == other.record.config.seed
    # A longer run of the same settings begins like a shorter one, at least as long as its schedule does.
    if not (is_same_seed and same_network(one.record.config, _of_length(other, one))):
        first = _epochs_alike(one, other) if is_same_seed else 0
        return "its losses are those of" if has_losses_of(one, other, first) else ""
    if not _should_be_equal(one, other):
        return ""
    if not _is_equal(one, other):
        return "it has the seed, the settings and the machine of, and other numbers than,"
    if any(_diverged_before(a, b) for a, b in ((one, other), (other, one))):
        return "it has the seed, the settings and the machine of, and one diverged where the other went on:"
    return ""


def _epochs_alike(one: RunHistory, other: RunHistory) -> int:
    """In how many epochs, from the first, two runs of one seed and other settings must be equal all the same."""
    if len({place.num_train_images for run in (one, other) for place in run.segments}) > 1:
        return 0
    mine, others = one.record.config, _of_length(other, one)
    if any(getattr(mine, name) != getattr(others, name) for name in RESULT_FIELDS if name not in _BEGIN_ALIKE):
        return 0
    rates = zip(one.epochs["learning_rate"], other.epochs["learning_rate"], strict=False)
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], rates))


def has_losses_of(one: RunHistory, other: RunHistory, first: int = 0) -> bool:
    """Whether the losses of two runs are equal, or lie apart by one and the same amount, in half of their epochs.

    Args:
        one: A run.
        other: Another.
        first: Index of the first epoch that is looked at.
    """
    for column in _LOSSES:
        pairs = zip(one.epochs[column][first:], other.epochs[column][first:], strict=False)
        apart = [a - b for a, b in pairs if math.isfinite(a - b)]
        if len(apart) < 2:
            continue
        usual = median(apart)
        if sum(abs(value - usual) < _EQUAL_LOSS for value in apart) > max(1, len(apart) // 2):
            return True
    return False


def _should_be_equal(one: RunHistory, other: RunHistory) -> bool:
    """Same settings, seed, data and machine, on a processor: such runs are equal bit for bit."""
    mine, others = one.record.config, other.record.config
    is_exact = all(run.bit_exact and run.segments[0].device_class == "cpu" for run in (one, other))
    is_one_machine = len(machines((one, other))) == 1
    places = one.segments + other.segments
    is_one_data_set = len({(place.data_sha256, place.num_train_images, place.num_test_images) for place in places}) == 1
    is_same_schedule = mine.epochs == others.epochs or not mine.depends_on_length
    is_same_training = is_same_schedule and _results(mine) == _results(_of_length(other, one))
    return is_exact and is_one_machine and is_one_data_set and is_same_training


def _of_length(run: RunHistory, other: RunHistory) -> RunConfig:
    """The configuration of a run, but with as many epochs as another one."""
    return msgspec.structs.replace(run.record.config, epochs=other.record.config.epochs)


def _diverged_before(one: RunHistory, other: RunHistory) -> bool:
    """Whether a run diverged before the other one's end."""
    return has_diverged(one) and one.step < other.step


def _is_equal(one: RunHistory, other: RunHistory) -> bool:
    count = min(len(one.epochs), len(other.epochs))
    columns = ("train_loss", "test_loss", "test_accuracy")
    pairs = ((one.epochs[name][row], other.epochs[name][row]) for name in columns for row in range(count))
    return all(mine == others or (math.isnan(mine) and math.isnan(others)) for mine, others in pairs)


def _results(config: RunConfig) -> tuple[object, ...]:
    return tuple(getattr(config, name) for name in (*RESULT_FIELDS, "seed"))


def same_network(one: RunConfig, other: RunConfig, num_classes: int = 10) -> bool:
    """Whether two configurations train the same network in the same way: layers of equal shapes, all else equal.

    In ``literal32``, where convolutions 3 to 5 see one place, leaving out the third or the fourth gives one network.
    """
    rest = set(RESULT_FIELDS) - {"removed_conv_layer"}
    if "inverse-time" not in (one.schedule, other.schedule):
        rest -= {"rate_decay"}  # No other schedule uses it.
    if any(getattr(one, name) != getattr(other, name) for name in rest):
        return False
    return layer_shapes(one.architecture(num_classes)) == layer_shapes(other.architecture(num_classes))
