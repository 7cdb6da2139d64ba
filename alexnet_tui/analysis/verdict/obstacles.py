"""What keeps a claim from being assessed: missing runs, unequal conditions, values that cannot be compared; pure.

Each obstacle is a sentence.
"""

from collections.abc import Iterator, Sequence

from alexnet_tui.analysis.groups import CONDITIONS, GroupedRuns, GroupRuns, Sample, sample, unequal_conditions
from alexnet_tui.analysis.integrity import Result, check_train_eval, check_trained, same_network
from alexnet_tui.analysis.metrics import METRICS, Metric, Unit
from alexnet_tui.analysis.verdict.effect import is_apart, is_of_ratio
from alexnet_tui.analysis.verdict.registration import Registration
from alexnet_tui.analysis.verdict.rules import MIN_RUNS
from alexnet_tui.config.claims import Claim, Precondition
from alexnet_tui.runs.history import RunHistory
from alexnet_tui.text import counted, plural

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
    return f"{plural(len(seeds), 'seed')} {', '.join(map(str, sorted(set(seeds))))}"


def unequal_groups(runs: GroupedRuns, larger: GroupRuns, smaller: GroupRuns, metric: Metric) -> list[str]:
    """What else differs between the groups than the claim says; or that nothing does."""
    used = [*larger.used, *smaller.used]
    found = unequal_conditions(used, runs.grouping)
    machines = {place.fingerprint for run in used for place in run.segments}
    if metric.unit.is_of_a_machine and len(machines) > 1:
        found.append(f"The runs have {len(machines)} machines or numbers of threads, and {metric.heading} tells these.")
    if any(not place.arithmetic for run in used for place in run.segments) and not _is_one_commit(used):
        found.append("No version of the arithmetic is on record, and the code is not one commit.")
    if larger.used and smaller.used and larger.group != smaller.group:
        configs = larger.used[0].record.config, smaller.used[0].record.config
        if same_network(*configs):
            found.append("Both groups train one and the same network: these layers have equal shapes here.")
    return found


def _is_one_commit(runs: Sequence[RunHistory]) -> bool:
    codes = {CONDITIONS["code"](run) for run in runs}
    return len(codes) == 1 and not any(code.endswith("+") for code in codes)


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
        if claim.unit == "ratio" and (without := sum(not is_of_ratio(value) for value in found.lower_bounds)):
            runs = f"{counted(without, 'run')} of {found.title!r}"
            yield f"{runs} gave no {metric.heading} above 0 that a ratio could be made of."


def unusable_values(
    claim: Claim, groups: tuple[GroupRuns, GroupRuns], samples: tuple[Sample, Sample], metric: Metric
) -> Iterator[str]:
    """What the values themselves do not allow."""
    for group, found in zip(groups, samples, strict=True):
        if lacking := len(found.runs) - len(found.lower_bounds):
            yield f"{counted(lacking, 'run')} of {group.group.title!r} gave no value of {metric.heading}."
        if group.used and (trained := check_trained(group.used)).result is Result.FAILED:
            yield f"{group.group.title!r} is not judged: {trained.sentence}"
        if metric.is_on_training_images and (measured := check_train_eval(group.used)).result is Result.FAILED:
            yield f"{metric.heading} of {group.group.title!r} is not judged: {measured.sentence}"
        has_spread = found.num_upper_bounds or found.sd or (metric.is_whole and any(one.sd for one in samples))
        if len(found.values) > 1 and not found.num_missing and not has_spread:
            yield f"All runs of {group.group.title!r} have the same {metric.heading}: seeds make a difference."
    for one in claim.precondition:
        is_group_first = claim.direction == "higher"
        group = groups[0] if (one.of == "group") == is_group_first else groups[1]
        if looked_at := METRICS.get(one.metric):
            yield from _precondition(one, group, looked_at)


def _precondition(wanted: Precondition, group: GroupRuns, metric: Metric) -> Iterator[str]:
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
