"""What keeps a claim from being assessed: missing runs, unequal conditions, values that cannot be compared; pure.

Each obstacle is a sentence.
"""

import math
from collections.abc import Iterator, Sequence

from alexnet_tui.analysis.conditions import is_one_commit, machines, unequal_conditions
from alexnet_tui.analysis.copies import same_network
from alexnet_tui.analysis.groups import GroupedRuns, GroupRuns
from alexnet_tui.analysis.metrics import METRICS, Metric, Unit
from alexnet_tui.analysis.samples import Sample, sample
from alexnet_tui.analysis.verdict.effect import is_apart, is_of_ratio
from alexnet_tui.analysis.verdict.registration import Registration
from alexnet_tui.analysis.verdict.rules import MIN_EPOCHS, MIN_RUNS
from alexnet_tui.config.claims import Claim, Precondition
from alexnet_tui.runs.history import RunHistory
from alexnet_tui.text import counted, format_seeds, plural

_MIN_TEST_IMAGES = 1000
_MIN_TRAIN_EVAL_IMAGES = 1000
_MIN_STANDARD_ERRORS, _MIN_ABOVE_CHANCE = 3.0, 0.05
"""How far above chance, a fraction, the test accuracy of a trained network is: both, at least."""
_NOT_BEGUN = {"planned": "not begun", "queued": "not begun"}


def missing_runs(group: GroupRuns, registration: Registration | None) -> Iterator[str]:
    """Why a group has too few runs, or other ones than were planned."""
    title, count = group.group.title, len(group.used)
    if not group.group.name:
        yield f"There are no runs of {title!r} here."
        return
    lacking: dict[str, list[int]] = {}
    for history, word in group.unfinished:
        lacking.setdefault(word, []).append(history.record.config.seed)
    for one in group.missing:
        lacking.setdefault(one.reason, []).append(one.config.seed)
    details = "; ".join(f"{_NOT_BEGUN.get(word, word)}: {_seeds(seeds)}" for word, seeds in lacking.items())
    if registration and count != registration.num_seeds:
        planned = counted(registration.num_seeds, "planned run")
        verb = "counts" if count == 1 else "count"
        enough = f"; a verdict needs {MIN_RUNS}" * (count < MIN_RUNS)
        yield f"{title!r}: {count} of the {planned} {verb}{f' ({details})' * bool(details)}{enough}."
        return
    if lacking:
        yield f"Runs of {title!r} did not finish, and no others replace them ({details})."
    if not count and not registration:
        yield f"There is no finished run of {title!r}."
    elif 0 < count < MIN_RUNS:
        yield f"{title!r} has {counted(count, 'finished run')}; a verdict needs {MIN_RUNS}."


def _seeds(seeds: Sequence[int]) -> str:
    return f"{plural(len(seeds), 'seed')} {format_seeds(seeds)}"


def unequal_groups(runs: GroupedRuns, larger: GroupRuns, smaller: GroupRuns, metric: Metric) -> list[str]:
    """What else differs between the groups than the claim says; or that nothing does."""
    used = [*larger.used, *smaller.used]
    found = unequal_conditions(used, runs.grouping)
    num_machines = len(machines(used))
    if metric.unit.is_of_a_machine and num_machines > 1:
        found.append(f"The runs have {num_machines} machines or numbers of threads, and {metric.heading} tells these.")
    if any(not place.arithmetic for run in used for place in run.segments) and not is_one_commit(used):
        found.append("No version of the arithmetic is on record, and the code is not one commit.")
    if larger.used and smaller.used and larger.group != smaller.group:
        configs = larger.used[0].record.config, smaller.used[0].record.config
        if same_network(*configs):
            found.append("Both groups train one and the same network: these layers have equal shapes here.")
    return found


def incomparable_values(claim: Claim, samples: tuple[Sample, Sample], metric: Metric) -> Iterator[str]:
    """Why the values of two samples cannot be compared on the scale of their claim."""
    # An epoch is a mark that is set in advance; a number of seconds is not.
    is_known = metric.unit is Unit.EPOCHS and is_apart(*samples)
    for found in samples:
        if found.num_upper_bounds and not is_known:
            yield (
                f"{counted(found.num_upper_bounds, 'run')} of {found.title!r} reached the mark of {metric.heading}"
                " before the first measurement, at the end of an epoch: when is not known."
            )
        if claim.is_ratio and (without := sum(not is_of_ratio(value) for value in found.lower_bounds)):
            runs = f"{counted(without, 'run')} of {found.title!r}"
            yield f"{runs} gave no {metric.heading} above 0 that a ratio could be made of."


def unusable_values(
    claim: Claim, groups: tuple[GroupRuns, GroupRuns], samples: tuple[Sample, Sample], metric: Metric
) -> Iterator[str]:
    """What the values themselves do not allow."""
    for group, found in zip(groups, samples, strict=True):
        if lacking := len(found.runs) - len(found.lower_bounds):
            yield f"{counted(lacking, 'run')} of {group.group.title!r} gave no value of {metric.heading}."
        if reason := _untrained(group.used):
            yield f"{group.group.title!r} is not judged: {reason}"
        if metric.is_on_training_images and (reason := _too_few_evaluated(group.used)):
            yield f"{metric.heading} of {group.group.title!r} is not judged: {reason}"
        has_spread = found.num_upper_bounds or found.sd or (metric.is_whole and any(one.sd for one in samples))
        if len(found.values) > 1 and not found.num_missing and not has_spread:
            title = group.group.title
            yield f"All runs of {title!r} have the same {metric.heading}, which runs of different seeds do not."
    of_group, of_reference = claim.turned(*groups)
    for one in claim.precondition:
        group = of_group if one.of == "group" else of_reference
        if looked_at := METRICS.get(one.metric):
            yield from _precondition(one, group, looked_at)


def _untrained(histories: Sequence[RunHistory]) -> str:
    """Why a group's finished runs cannot be said to have learned anything, by their test accuracy; or nothing."""
    starts = [run.segments[-1] for run in histories if run.segments]
    values = [value for run in histories if (value := METRICS["final_test"].value(run)) is not None]
    if not starts or not values:
        return ""
    images = min(start.num_test_images for start in starts)
    if images < _MIN_TEST_IMAGES:
        return f"{images:,} test images are fewer than {_MIN_TEST_IMAGES:,}."
    epochs = min(run.num_epochs_done for run in histories)
    if epochs < MIN_EPOCHS:
        return f"only {counted(epochs, 'epoch')}, and the mean of the last {MIN_EPOCHS} counts."
    chance = 1 / max(2, starts[-1].num_classes)
    error = math.sqrt(chance * (1 - chance) / images)
    least, lowest = chance + max(_MIN_STANDARD_ERRORS * error, _MIN_ABOVE_CHANCE), min(values)
    if lowest >= least:
        return ""
    number = sum(value < least for value in values)
    who = f"{number} of its {counted(len(values), 'run')}" if len(values) > 1 else "it"
    words = f"a test accuracy of {100 * lowest:.1f}% is no clear step above the {100 * chance:.1f}% of guessing"
    return f"{who} learned nothing: {words}; {100 * least:.1f}% would be."


def _too_few_evaluated(histories: Sequence[RunHistory]) -> str:
    """Why numbers on training images rest on too few: the same ones in every run share an error; or nothing."""
    numbers = [
        place.num_train_eval_images
        for run in histories
        for place in run.segments[-1:]
        if place.num_train_eval_images < min(_MIN_TRAIN_EVAL_IMAGES, place.num_train_images)
    ]
    if not numbers:
        return ""
    return f"{min(numbers):,} training images are evaluated, fewer than {_MIN_TRAIN_EVAL_IMAGES:,}."


def _precondition(wanted: Precondition, group: GroupRuns, metric: Metric) -> Iterator[str]:
    """Why a group's runs do not meet what a claim asks of them."""
    found = sample(group.used, metric)
    name = f"{metric.heading} of {group.group.title!r}"
    if found.num_missing:
        without = counted(found.num_missing, "run")
        yield f"{name} must be at least {wanted.at_least:g} ({wanted.why}), and {without} gave no value of it."
    elif found.num_upper_bounds:
        bounds = counted(found.num_upper_bounds, "run")
        why = f"({wanted.why}), and of {bounds} only an upper bound is known"
        yield f"{name} must be at least {wanted.at_least:g} {why}."
    elif found.mean is not None:
        value = 100 * found.mean if metric.unit.is_share else found.mean
        if value < wanted.at_least:
            yield f"{name} is {value:.2f}, below {wanted.at_least:g}: {wanted.why}."
