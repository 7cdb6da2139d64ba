"""Whether a run's record agrees with itself, with its configuration and with the records beside it; pure.

Every check is a function that gives a `Check`: passed, failed, or not applicable, with a sentence. A run that fails
one counts for no verdict. They find mix-ups, copies, damage and numbers that cannot come from the recorded
configuration; a forgery made with care passes.
"""

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from statistics import median

import msgspec

from alexnet_tui.analysis.groups import is_finished
from alexnet_tui.analysis.metrics import METRICS
from alexnet_tui.config.architecture import layer_shapes, num_parameters
from alexnet_tui.config.hyperparameters import RESULT_FIELDS, SPECS, RunConfig, format_value, setting_text
from alexnet_tui.errors import ConfigError
from alexnet_tui.runs.events import Failed
from alexnet_tui.runs.history import LAST_EPOCHS, RunHistory
from alexnet_tui.runs.record import RunRecord
from alexnet_tui.text import counted

MIN_TEST_IMAGES = 1000
MIN_TRAIN_EVAL_IMAGES = 1000
MIN_EPOCHS = LAST_EPOCHS
MIN_STANDARD_ERRORS, MIN_POINTS = 3.0, 0.05
"""How far above chance a trained network is, at least."""
_WHOLE = 1e-3
"""How far a count of images that a fraction stands for may be from a whole number."""
_BEGIN_ALIKE = frozenset(("schedule", "rate_decay", "train_images", "train_eval_images"))
"""Settings in which runs of one seed may differ and train alike all the same, until their learning rates part."""
_EQUAL_LOSS = 1e-9
_RATE_FACTOR = 1.5
"""Throughput may differ by so much from images over seconds: the clocks begin and end elsewhere."""


class Result(StrEnum):
    """What a check found."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_APPLICABLE = "not applicable"


class Check(msgspec.Struct, frozen=True):
    """One check of a run.

    Attributes:
        name: What was looked at.
        result: What was found.
        sentence: What is wrong, why it could not be looked at, or what one should know though nothing is wrong; empty
            where there is nothing to say.
    """

    name: str
    result: Result
    sentence: str = ""


_Found = str | Check | None
"""A sentence on what is wrong, or nothing; a check that has more to say; None where the record does not say."""


def check_run(history: RunHistory) -> tuple[Check, ...]:
    """Every check that needs one run alone, in order."""
    if history.record.foreign:
        return (Check("start", Result.NOT_APPLICABLE, "another program trained it: there is nothing to check it by."),)
    if not history.num_events:
        return (Check("start", Result.NOT_APPLICABLE, "it was not started yet."),)
    if not history.segments and not (len(history.epochs) or len(history.steps) or is_finished(history)):
        return (Check("start", Result.NOT_APPLICABLE, "it ended before it started."),)
    if not history.segments:
        return (Check("start", Result.FAILED, "there is no started event."),)
    if not len(history.epochs):
        return (Check("start", Result.NOT_APPLICABLE, "no epoch was finished yet."),)
    checks = tuple(_checked(name, check, history) for name, check in _CHECKS.items())
    return (*checks, _extension(history.record)) if history.record.extends else checks


def _extension(record: RunRecord) -> Check:
    """Whether a run that trains another one further is what a run of its length would have been."""
    assert record.extends is not None
    if not record.config.depends_on_length:
        return Check("extension", Result.PASSED)
    first = counted(record.extends.epochs, "epoch")
    sentence = (
        f"the schedule {record.config.schedule} was planned for {first} and then for {record.config.epochs:,}: it is"
        " not comparable with a run of that length."
    )
    return Check("extension", Result.NOT_APPLICABLE, sentence)


def _checked(name: str, check: Callable[[RunHistory], _Found], history: RunHistory) -> Check:
    try:
        found = check(history)
    except (ConfigError, OverflowError, ValueError, ZeroDivisionError) as error:
        return Check(name, Result.FAILED, f"it cannot be computed ({error}).")
    if isinstance(found, Check):
        return found
    if found is None:
        return Check(name, Result.NOT_APPLICABLE, "the record does not say.")
    return Check(name, Result.FAILED if found else Result.PASSED, found)


def failures(checks: Sequence[Check]) -> list[str]:
    """The sentences of the checks that failed."""
    return [f"{check.name}: {check.sentence}" for check in checks if check.result is Result.FAILED]


def _agrees_with_record(history: RunHistory) -> str:
    """Each attempt's `started` event against ``run.json``."""
    config = history.record.config
    problems = []
    for started in history.segments:
        wanted = {
            "data": (started.data, config.data),
            "epochs": (started.epochs, history.planned_epochs(started)),
            "precision": (started.precision, config.precision),
            "evaluated training images": (
                started.num_train_eval_images,
                min(config.train_eval_images or started.num_train_images, started.num_train_images),
            ),
        }
        problems += [
            f"{name} {found} in the events, {said} in run.json"
            for name, (found, said) in wanted.items()
            if found != said and said != "auto"
        ]
        problems += [
            f"{setting_text(name, value)} in the events, {format_value(getattr(config, name))} in run.json"
            for name, value in started.settings.items()
            if name in SPECS and getattr(config, name) != value
        ]
        if config.train_images and started.num_train_images > config.train_images:
            problems.append(f"{started.num_train_images:,} training images, at most {config.train_images:,} asked for")
        if (config.split == "holdout") != (started.num_val_images > 0):
            problems.append(f"{started.num_val_images:,} validation images with the split {config.split}")
        if (config.device == "cpu") > (started.device_class == "cpu"):
            problems.append(f"device {started.device_class} where the CPU was asked for")
    return _sentence(problems)


def _committed_code(history: RunHistory) -> str | None:
    """The program's own files were those of a commit; None outside a checkout."""
    commits = [started.commit for started in history.segments if started.commit]
    changed = [commit for commit in dict.fromkeys(commits) if commit.endswith("+")]
    if not commits:
        return None
    return f"it was trained by a program with uncommitted changes ({', '.join(changed)})" if changed else ""


def _data_stay(history: RunHistory) -> str:
    """The data under one name are the same in every attempt."""
    seen = {(one.data_sha256, one.num_train_images, one.num_test_images, one.num_classes) for one in history.segments}
    return "its attempts used different data." if len(seen) > 1 else ""


def _parameters(history: RunHistory) -> str | None:
    found = {one.num_parameters for one in history.segments}
    if found == {0}:
        return None
    wanted = num_parameters(history.record.config.architecture(history.segments[-1].num_classes))
    wrong = sorted(found - {wanted})
    return f"the events say {wrong[0]:,}; this architecture has {wanted:,}." if wrong else ""


def _steps_per_epoch(history: RunHistory) -> str:
    batch = history.record.config.batch_size
    for started in history.segments:
        epochs = history.planned_epochs(started)
        wanted = math.ceil(started.num_train_images / batch)
        if started.steps_per_epoch != wanted or started.total_steps != wanted * epochs:
            return (
                f"the events say {started.steps_per_epoch:,} of {started.total_steps:,}; {started.num_train_images:,}"
                f" images in batches of {batch} make {wanted:,} of {wanted * epochs:,}."
            )
    return ""


def _epoch_numbers(history: RunHistory) -> str:
    """Epochs 1 to E, each once, each at the update that ends it."""
    epochs, steps = history.epochs["epoch"], history.epochs["step"]
    per_epoch = history.segments[-1].steps_per_epoch
    for wanted, (epoch, step) in enumerate(zip(epochs, steps, strict=True), start=1):
        if epoch != wanted:
            return f"epoch {epoch:g} is recorded where epoch {wanted} should be."
        if step != wanted * per_epoch:
            return f"epoch {wanted} ends at update {step:g}, not at {wanted * per_epoch:,}."
    if is_finished(history) and history.step != len(epochs) * per_epoch:
        return f"the run ends at update {history.step:,}, its last epoch at {len(epochs) * per_epoch:,}."
    return ""


def _step_numbers(history: RunHistory) -> str | None:
    """Step events are multiples of the interval, rising, in the epoch they belong to."""
    numbers, epochs = history.steps["step"], history.steps["epoch"]
    if not numbers:
        return None
    every, per_epoch = history.record.config.log_steps, history.segments[-1].steps_per_epoch
    before = 0.0
    for number, epoch in zip(numbers, epochs, strict=True):
        is_due = number % every == 0 or number % per_epoch == 0
        if number <= before or not is_due or epoch != math.ceil(number / per_epoch):
            return f"update {number:g} of epoch {epoch:g} cannot follow update {before:g} with an event every {every}."
        before = number
    return ""


def _times(history: RunHistory) -> str:
    """Seconds rise, evaluation costs some, and images over seconds are, by and large, the throughput."""
    train, elapsed = history.epochs["train_seconds"], history.epochs["elapsed_seconds"]
    rates, images = history.epochs["images_per_second"], history.segments[-1].num_train_images
    before, factors = (0.0, 0.0), []  # An epoch's throughput is the mean since training began.
    for epoch, (seconds, whole, rate) in enumerate(zip(train, elapsed, rates, strict=True), start=1):
        if not before[0] < seconds <= whole or whole < before[1] or not math.isfinite(whole):
            return f"epoch {epoch} ends after {seconds:g} s of training and {whole:g} s in all, before it {before}."
        factors.append(rate * seconds / (epoch * images))
        before = (seconds, whole)
    usual = median(factors)
    if not 1 / _RATE_FACTOR <= usual <= _RATE_FACTOR:
        return f"the images/s that epochs say are {usual:.2f} times their images over their seconds."
    return ""


def _whole_images(history: RunHistory) -> str:
    """Each accuracy is a number of images over the images looked at."""
    started = history.segments[-1]
    sizes = {
        "test_accuracy": started.num_test_images,
        "train_eval_accuracy": started.num_train_eval_images,
        "train_accuracy": started.num_train_images,
        "val_accuracy": started.num_val_images,
    }
    for column, size in sizes.items():
        if not size:
            continue
        for epoch, accuracy in enumerate(history.epochs[column], start=1):
            images = accuracy * size
            if not abs(images - round(images)) < _WHOLE if math.isfinite(images) else column != "val_accuracy":
                return f"{column.replace('_', ' ')} {accuracy:.6f} of epoch {epoch} is no whole number of {size:,}."
    return ""


def _finite_losses(history: RunHistory) -> str | Check:
    """Losses are numbers from 0 on; the last epoch of a run that diverged and says so may have none."""
    diverged = ""
    for column in ("train_loss", "train_eval_loss", "test_loss"):
        for epoch, loss in enumerate(history.epochs[column], start=1):
            if math.isfinite(loss) and loss >= 0:
                continue
            found = f"{column.replace('_', ' ')} of epoch {epoch} is {loss:g}."
            if loss < 0 or epoch < len(history.epochs) or not _has_diverged(history):
                return found
            diverged = diverged or f"it diverged, and says so: {found}"
    return Check("losses", Result.PASSED, diverged)


def _learning_rate(history: RunHistory) -> str | None:
    config, rates = history.record.config, history.epochs["learning_rate"]
    if config.schedule == "constant":
        wrong = [rate for rate in rates if not math.isclose(rate, config.learning_rate, rel_tol=1e-6)]
        return f"the events say {wrong[0]:g}, run.json {config.learning_rate:g}." if wrong else ""
    over = [rate for rate in rates if rate > config.learning_rate * (1 + 1e-6)]
    return f"the events say {over[0]:g}, above the {config.learning_rate:g} of run.json." if over else ""


def _one_training(history: RunHistory) -> str:
    """What was trained once was not given up for other numbers: epochs that were dropped come out the same again."""
    changed = history.epochs_changed
    if 2 * changed <= history.record.config.epochs:
        return ""
    return f"{counted(changed, 'epoch')} were trained, given up, and trained again with other numbers."


def _all_events(history: RunHistory) -> str:
    return f"{counted(history.missing_events, 'event')} missing." if history.missing_events else ""


_CHECKS: Mapping[str, Callable[[RunHistory], _Found]] = {
    "start and run.json": _agrees_with_record,
    "code": _committed_code,
    "one data set": _data_stay,
    "parameters": _parameters,
    "updates an epoch": _steps_per_epoch,
    "numbers of epochs": _epoch_numbers,
    "numbers of updates": _step_numbers,
    "times and throughput": _times,
    "accuracies": _whole_images,
    "losses": _finite_losses,
    "learning rate": _learning_rate,
    "all events": _all_events,
    "one training": _one_training,
}


def _sentence(parts: Sequence[str]) -> str:
    return f"{'; '.join(dict.fromkeys(parts))}." if parts else ""


def check_trained(histories: Sequence[RunHistory]) -> Check:
    """Whether each of a group's finished runs learned anything: its test accuracy against chance."""
    name = "trained at all"
    starts = [run.segments[-1] for run in histories if run.segments]
    values = [value for run in histories if (value := METRICS["final_test"].value(run)) is not None]
    if not starts or not values:
        return Check(name, Result.NOT_APPLICABLE, "there is no finished run.")
    images = min(start.num_test_images for start in starts)
    if images < MIN_TEST_IMAGES:
        return Check(name, Result.FAILED, f"{images:,} test images are fewer than {MIN_TEST_IMAGES:,}.")
    epochs = min(run.num_epochs_done for run in histories)
    if epochs < MIN_EPOCHS:
        few = f"only {counted(epochs, 'epoch')}, and the mean of the last {MIN_EPOCHS} counts."
        return Check(name, Result.FAILED, few)
    chance = 1 / max(2, starts[-1].num_classes)
    error = math.sqrt(chance * (1 - chance) / images)
    least, lowest = chance + max(MIN_STANDARD_ERRORS * error, MIN_POINTS), min(values)
    if lowest < least:
        number = sum(value < least for value in values)
        who = f"{number} of its {counted(len(values), 'run')}" if len(values) > 1 else "it"
        words = f"a test accuracy of {100 * lowest:.1f}% is no clear step above the {100 * chance:.1f}% of guessing"
        return Check(name, Result.FAILED, f"{who} learned nothing: {words}; {100 * least:.1f}% would be.")
    return Check(name, Result.PASSED)


def check_train_eval(histories: Sequence[RunHistory]) -> Check:
    """Whether numbers on training images rest on enough of them: the same ones in every run share an error."""
    name = "training images evaluated"
    starts = [run.segments[-1] for run in histories if run.segments]
    few = [
        place for place in starts if place.num_train_eval_images < min(MIN_TRAIN_EVAL_IMAGES, place.num_train_images)
    ]
    if not few:
        return Check(name, Result.PASSED if starts else Result.NOT_APPLICABLE)
    images = min(place.num_train_eval_images for place in few)
    sentence = f"{images:,} training images are evaluated, fewer than {MIN_TRAIN_EVAL_IMAGES:,}."
    return Check(name, Result.FAILED, sentence)


def check_together(histories: Sequence[RunHistory]) -> dict[str, Check]:
    """A check for each run that was started: none of these is a copy of it, or should equal it and does not.

    Runs of equal settings, seed and machine are equal bit for bit, up to where they diverge.
    """
    started = [run for run in histories if run.segments]
    failed: dict[str, Check] = {}
    for one, other in itertools.combinations(started, 2):
        if sentence := _pair(one, other):
            for run, beside in ((one, other), (other, one)):
                failed.setdefault(run.id, Check("other runs", Result.FAILED, f"{sentence} run {beside.id}."))
    return {run.id: failed.get(run.id, Check("other runs", Result.PASSED)) for run in started}


def _pair(one: RunHistory, other: RunHistory) -> str:
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
    for column in ("test_loss", "train_loss"):
        pairs = zip(one.epochs[column][first:], other.epochs[column][first:], strict=False)
        apart = [a - b for a, b in pairs if math.isfinite(a - b)]
        if len(apart) < 2:
            continue
        usual = median(apart)
        if sum(abs(value - usual) < _EQUAL_LOSS for value in apart) > max(1, len(apart) // 2):
            return True
    return False


def _should_be_equal(one: RunHistory, other: RunHistory) -> bool:
    """Same settings, seed and machine, on a processor: such runs are equal bit for bit."""
    starts = [run.segments for run in (one, other)]
    prints = {start.fingerprint for attempts in starts for start in attempts}
    is_exact = all(run.bit_exact and run.segments and run.segments[0].device_class == "cpu" for run in (one, other))
    is_same_schedule = one.record.config.epochs == other.record.config.epochs or not one.record.config.depends_on_length
    is_exact &= len(prints) == 1 and is_same_schedule
    return is_exact and _results(one.record.config) == _results(_of_length(other, one))


def _of_length(run: RunHistory, other: RunHistory) -> RunConfig:
    """The configuration of a run, but with as many epochs as another one."""
    return msgspec.structs.replace(run.record.config, epochs=other.record.config.epochs)


def _diverged_before(one: RunHistory, other: RunHistory) -> bool:
    """Whether a run diverged before the other one's end."""
    return _has_diverged(one) and one.step < other.step


def _has_diverged(history: RunHistory) -> bool:
    return isinstance(history.final, Failed) and history.final.reason == "diverged"


def _is_equal(one: RunHistory, other: RunHistory) -> bool:
    count = min(len(one.epochs), len(other.epochs))
    columns = ("train_loss", "test_loss", "test_accuracy")
    return all(one.epochs[name][:count] == other.epochs[name][:count] for name in columns)


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
