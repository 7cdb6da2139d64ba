"""Claims before their runs: which may be registered, and what is to be known of them; pure."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress

from alexnet_tui.analysis import stats
from alexnet_tui.analysis.metrics import METRICS, Unit, quantity
from alexnet_tui.analysis.verdict.rules import MIN_EPOCHS, MIN_RUNS
from alexnet_tui.command_lines import shell_command
from alexnet_tui.config.claims import ALPHA, Claim, EffectUnit, group_config
from alexnet_tui.config.hyperparameters import NO_RESULT_FIELDS, RunConfig, settings_text, training_key
from alexnet_tui.config.variants import nearest
from alexnet_tui.errors import ConfigError
from alexnet_tui.text import counted, printable

_MUST_BE_EQUAL = "both groups must have the same {} for their runs to be compared; set it for the whole plan."
_UNDECIDABLE: Mapping[str, str] = {
    "seed": "seeds are what the runs of each group differ in; a claim is about another setting.",
    **{
        name: _MUST_BE_EQUAL.format(name.replace("_", " "))
        for name in (
            "data",
            "front_end",
            "split",
            "train_images",
            "train_eval_images",
            *sorted(NO_RESULT_FIELDS - {"variant", "seed"}),
        )
    },
}
"""Settings in which the groups of a claim may not differ, and why."""
UNITS: Mapping[Unit, Sequence[EffectUnit]] = {
    Unit.PERCENT: ("points", "ratio"),
    Unit.POINTS: ("points",),
    Unit.EPOCHS: ("ratio",),
    Unit.SECONDS: ("ratio",),
    Unit.RATE: ("ratio",),
    Unit.NATS: ("nats", "ratio"),
}
"""By the unit of a metric: in what its values may be compared."""
_COMPARED: Mapping[EffectUnit, str] = {
    "points": "points are of accuracies, errors and gaps",
    "nats": "nats are of losses",
    "ratio": "a ratio needs values above 0",
}
_USUAL_EFFECTS: Mapping[EffectUnit, tuple[float, float]] = {
    "points": (0.05, 10.0),
    "nats": (0.003, 1.0),
    "ratio": (1.005, 2.0),
}
"""By unit: what is remarked on where a smallest effect that matters lies outside.

With the spreads of the reference runs (0.45 points, 0.03 nats, 5% of a time) the least of these takes more than
`MAX_SEEDS` seeds.
"""


def problems(claims: Sequence[Claim], overrides: Mapping[str, str] = {}) -> list[str]:
    """A sentence for each claim that could not be judged whatever the runs say.

    Args:
        claims: The claims.
        overrides: What their plan sets for all runs, as a person would type it.
    """
    found = [f"{claim.name}: {fault}" for claim in claims for fault in faults(claim, overrides)]
    tested = [(claim, _tested(claim, overrides)) for claim in claims]
    for (one, one_test), (other, other_test) in itertools.combinations(tested, 2):
        if one_test == other_test:
            same = "the same number" if one.metric == other.metric else f"{one.metric} and {other.metric}, one number,"
            found.append(f"{other.name}: it compares {same} of the same groups as {one.name}; register one of the two.")
    return found


def faults(claim: Claim, overrides: Mapping[str, str]) -> Iterator[str]:
    """Why a claim could not be judged, as sentences."""
    for name in claim.metrics:
        if name not in METRICS:
            what = f"there is no metric {printable(name, 60)!r}; {nearest(name, METRICS)}"
            yield f"{what} `{shell_command('claims')}` says what each is."
    metric = METRICS.get(claim.metric)
    if metric and claim.unit not in (fitting := UNITS[metric.unit]):
        needed = " or ".join("a ratio" if one == "ratio" else one for one in fitting)
        yield f"{_COMPARED[claim.unit]}; {metric.heading} needs {needed}."
    undecidable = [reason for field in claim.group if (reason := _UNDECIDABLE.get(field))]
    yield from undecidable
    if fault := claim.effect_fault:
        yield fault
    with suppress(ConfigError):  # The plan of such a claim is refused for that.
        group, reference = (group_config(one, overrides) for one in claim.groups)
        is_same = (training_key(group), group.epochs) == (training_key(reference), reference.epochs)
        if is_same and not undecidable:
            yield "group and reference train alike: they are the same runs."
        yield from _beyond_bounds(claim, max(group.epochs, reference.epochs))


def _beyond_bounds(claim: Claim, num_epochs: int) -> Iterator[str]:
    """What a claim asks of its metrics that no run of so many epochs can give."""
    runs = f"of runs of {counted(num_epochs, 'epoch')}"
    if (metric := METRICS.get(claim.metric)) and claim.is_ratio:
        low, high = metric.bounds(num_epochs)
        if low > 0 and claim.smallest_effect * low >= high:
            yield (
                f"smallest_effect must be below {high / low:g}, not {claim.smallest_effect:g}: {metric.heading} {runs}"
                f" lies between {low:g} and {high:g}."
            )
    for one in claim.precondition:
        if looked_at := METRICS.get(one.metric):
            most = looked_at.bounds(num_epochs)[1] * (100 if looked_at.unit.is_share else 1)
            if one.at_least > most:
                yield f"{looked_at.heading} {runs} is never {one.at_least:g}, as a precondition asks: at most {most:g}."


def _tested(claim: Claim, overrides: Mapping[str, str]) -> tuple[object, ...]:
    """The quantity and the two groups that a claim compares, whatever it calls them and says of them."""
    try:
        groups = [group_config(one, overrides) for one in claim.groups]
    except ConfigError:  # The plan of such a claim is refused for that.
        return (claim.name,)
    return quantity(claim.metric), frozenset(groups)


def fewest_seeds(num_claims: int) -> int:
    """Seeds a group below which none of so many claims can be supported or contradicted, whatever the values are."""
    return max(MIN_RUNS, stats.fewest_values(ALPHA / num_claims))


def remarks(claims: Sequence[Claim], num_seeds: int = MIN_RUNS) -> list[str]:
    """What is to be known of claims before they are registered: clauses without a full stop."""
    found = [f"{one.name}: {remark}" for one in claims for remark in claim_remarks(one)]
    needed = fewest_seeds(len(claims)) if claims else MIN_RUNS
    if num_seeds < needed and needed > MIN_RUNS:  # Fewer than MIN_RUNS are told by `unassessable`.
        found.append(
            f"of {len(claims)} claims in one plan none can be supported or contradicted with fewer than {needed} seeds"
            f" a group (--seeds {needed})"
        )
    return found


def claim_remarks(claim: Claim) -> list[str]:
    """What a claim's metrics and its smallest effect must say of themselves: clauses without a full stop."""
    found = [metric.remark for name in claim.metrics if (metric := METRICS.get(name)) and metric.remark]
    low, high = _USUAL_EFFECTS[claim.unit]
    if claim.effect_fault:
        return found
    if claim.smallest_effect < low:
        found.append(
            f"{claim.smallest_effect_text} takes more than {stats.MAX_SEEDS:,} seeds a group to be told from no effect"
            " at the spread of the reference runs"
        )
    elif claim.smallest_effect > high:
        found.append(
            f"{claim.smallest_effect_text} is a wide margin: every smaller effect counts as too small to matter, so"
            " negligible and not supported say little"
        )
    return found


def unassessable(claims: Sequence[Claim], configs: Sequence[RunConfig], num_seeds: int) -> list[str]:
    """Why claims of a plan cannot get a verdict, whatever its runs come to: clauses without a full stop.

    Args:
        claims: The claims.
        configs: The runs; those of one seed say enough.
        num_seeds: Seeds of each group.
    """
    reasons = []
    if claims and num_seeds < MIN_RUNS:
        reasons.append(f"a verdict needs {MIN_RUNS} seeds, and this plan has {num_seeds}")
    num_epochs = max((run.epochs for run in configs), default=MIN_EPOCHS)
    if claims and num_epochs < MIN_EPOCHS:
        reasons.append(f"a verdict needs {MIN_EPOCHS} epochs, and this plan has {num_epochs}")
    for one in claims:
        found = one.effect_fault, *_beyond_bounds(one, max(num_epochs, MIN_EPOCHS))
        reasons += [f"{one.name}: {fault.removesuffix('.')}" for fault in found if fault]
        reasons += _not_planned(one, configs)
    return reasons


def _not_planned(claim: Claim, configs: Sequence[RunConfig]) -> Iterator[str]:
    """What a claim needs that no run of its plan has."""
    metrics = [METRICS[name] for name in claim.metrics if name in METRICS]
    if any(metric.needs_validation for metric in metrics) and not any(run.num_val_images(10) for run in configs):
        yield f"{claim.name} needs images held back for validation, and no run of this plan has split holdout"
    for settings in claim.groups:
        # A plan that was changed by hand may name settings that are none.
        if not any(all(getattr(run, name, None) == value for name, value in settings.items()) for run in configs):
            yield printable(f"no run of this plan has {settings_text(settings)}, as {claim.name} needs", 400)
