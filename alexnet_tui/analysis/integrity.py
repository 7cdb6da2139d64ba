"""Whether a run's record agrees with itself and with its configuration; pure.

Every check is a function that gives a `Check`: passed, failed, or not applicable, with a sentence. A run that fails
one counts for no verdict. They find mix-ups, damage and numbers that cannot come from the recorded configuration, as
`copies` finds copies; a forgery made with care passes.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from statistics import median

import msgspec

from alexnet_tui.analysis.groups import is_finished
from alexnet_tui.config.architecture import num_parameters
from alexnet_tui.config.hyperparameters import SPECS, format_value, setting_text
from alexnet_tui.errors import ConfigError
from alexnet_tui.runs.events import DIVERGED, Failed
from alexnet_tui.runs.history import RunHistory
from alexnet_tui.runs.record import RunRecord
from alexnet_tui.text import counted

_WHOLE = 1e-3
"""How far a count of images that a fraction stands for may be from a whole number."""
_MOST_OUTCOMES = 2
"""An epoch may have been trained twice with different results: before a crash and after it, on other machines."""
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
        if config.device == "cpu" and started.device_class != "cpu":
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
    every, per_epoch = history.record.config.log_steps, history.segments[-1].steps_per_epoch
    if not numbers:
        return "" if history.step < every else None  # No event is due of fewer updates.
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
    train_before, whole_before, factors = 0.0, 0.0, []  # An epoch's throughput is the mean since training began.
    for epoch, (seconds, whole, rate) in enumerate(zip(train, elapsed, rates, strict=True), start=1):
        if not train_before < seconds <= whole or whole < whole_before or not math.isfinite(whole):
            return (
                f"epoch {epoch} ends after {seconds:g} s of training and {whole:g} s in all, the one before it after"
                f" {train_before:g} s and {whole_before:g} s."
            )
        factors.append(rate * seconds / (epoch * images))
        train_before, whole_before = seconds, whole
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
            may_lack = column == "val_accuracy" and not math.isfinite(accuracy)
            if not (may_lack or _is_whole(accuracy * size)):
                return f"{column.replace('_', ' ')} {accuracy:.6f} of epoch {epoch} is no whole number of {size:,}."
    return ""


def _is_whole(number: float) -> bool:
    return math.isfinite(number) and abs(number - round(number)) < _WHOLE


def _finite_losses(history: RunHistory) -> str | Check:
    """Losses are numbers from 0 on; the last epoch of a run that diverged and says so may have none."""
    diverged = ""
    for column in ("train_loss", "train_eval_loss", "test_loss"):
        for epoch, loss in enumerate(history.epochs[column], start=1):
            if math.isfinite(loss) and loss >= 0:
                continue
            found = f"{column.replace('_', ' ')} of epoch {epoch} is {loss:g}."
            if loss < 0 or epoch < len(history.epochs) or not has_diverged(history):
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
    """What was trained once was not given up for other numbers: epochs that were dropped come out the same again.

    A part may come out otherwise, as after a crash on another machine; nobody may choose between results.
    """
    changed, outcomes = history.epochs_changed, history.outcomes
    if (often := max(outcomes, key=outcomes.__getitem__, default=0)) and outcomes[often] > _MOST_OUTCOMES:
        return f"epoch {often} was given up and trained again until it had come to {outcomes[often]} different results."
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


def has_diverged(history: RunHistory) -> bool:
    """Whether a run ended because its loss was no number any more."""
    return isinstance(history.final, Failed) and history.final.reason == DIVERGED
