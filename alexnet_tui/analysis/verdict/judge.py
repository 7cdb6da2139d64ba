"""`judge`: claims and the runs of their groups in, verdicts out; pure.

The rules are fixed before any run and are the same in both directions. `delta` is the smallest effect that matters;
Holm's correction goes over the claims of a plan, in each direction.

================  ======================================================================================
supported         Holm p below alpha in the claimed direction, 95% interval above no effect, estimate at
                  least delta
contradicted      the mirror image
negligible        two one-sided tests: Holm p below alpha that the effect lies inside (-delta, delta)
not supported     none of these, and Holm p below alpha that the effect is smaller than delta
inconclusive      anything else, with the number of seeds that the spread seen would need
not assessed      a precondition fails, the plan was changed, or planned runs do not count
exploratory       the runs were not registered before they were made: numbers, and no verdict
================  ======================================================================================

Tests are exact one-sided permutation tests; Welch's interval at the level that Holm asks for must exclude no effect
too, because permutation alone errs too often where the spreads are unequal. Equivalence is by Welch's t. Ratios of
times are tested on logarithms; times that were not reached by ranks, and by Welch's test at their bounds. Times of
which only an upper bound is known are not assessed, unless all of one group are such and none of the other. A metric
whose epoch held-out images select says so in a remark.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from enum import StrEnum

import msgspec

from alexnet_tui.analysis import stats
from alexnet_tui.analysis.groups import (
    CONDITIONS,
    Group,
    GroupedRuns,
    GroupRuns,
    Sample,
    sample,
    unequal_conditions,
)
from alexnet_tui.analysis.integrity import MIN_EPOCHS, Result, check_train_eval, check_trained, same_network
from alexnet_tui.analysis.metrics import METRICS, Metric, Unit, quantity
from alexnet_tui.analysis.published import PublishedClaim, published_claim
from alexnet_tui.analysis.verdict.effect import (
    Effect,
    Ends,
    Scale,
    amount_text,
    compare_samples,
    interval_at,
    is_apart,
    is_of_ratio,
)
from alexnet_tui.analysis.verdict.registration import Registration
from alexnet_tui.analysis.verdict.secondary import Secondary, own_measure, secondary_outcomes
from alexnet_tui.config.claims import ALPHA, Claim, Precondition, effect_fault, group_config
from alexnet_tui.config.hyperparameters import NO_RESULT_FIELDS, RunConfig, Value, settings_text, training_key
from alexnet_tui.config.variants import VARIANTS
from alexnet_tui.errors import ConfigError
from alexnet_tui.runs.history import RunHistory
from alexnet_tui.text import counted, plural, printable

MIN_RUNS = 5
POWER = 0.8


class Verdict(StrEnum):
    """What the runs say about a claim."""

    SUPPORTED = "supported"
    CONTRADICTED = "contradicted"
    NEGLIGIBLE = "negligible"
    NOT_SUPPORTED = "not supported"
    INCONCLUSIVE = "inconclusive"
    NOT_ASSESSED = "not assessed"
    EXPLORATORY = "exploratory"


class ClaimVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """One claim, judged, with everything behind it.

    Attributes:
        number: From 1, in the order of the plan.
        claim: The claim as it is registered.
        metric: The effect, in words.
        verdict: What the runs say.
        headline: The verdict in words.
        reasons: Why, as sentences.
        remarks: What does not decide and must be known.
        larger: The sample claimed to have the larger values.
        smaller: The other one.
        effect: None where there are fewer than two values a group.
        p_holm: The larger of the permutation test's and Welch's p-value, corrected for the claims of the plan; None
            where the claim could not be tested.
        p_reversed_holm: The same in the other direction.
        p_equivalence_holm: The same of "negligible".
        equivalence_level: Level of the interval that decides between negligible and not, after Holm's procedure.
        equivalence_interval: That interval.
        seeds_needed: Seeds a group at which delta would be told from no effect; where inconclusive.
        published_effect: The study's own figure, in its own measure; None for other claims.
        published: One sentence on it.
        paper: What the 2012 paper says.
        own: Ours in the study's measure.
        secondary: Other metrics of the same runs.
    """

    number: int
    claim: Claim
    metric: str
    verdict: Verdict
    headline: str
    reasons: tuple[str, ...]
    remarks: tuple[str, ...] = ()
    larger: Sample
    smaller: Sample
    effect: Effect | None = None
    p_holm: float | None = None
    p_reversed_holm: float | None = None
    p_equivalence_holm: float | None = None
    equivalence_level: float | None = None
    equivalence_interval: Ends = (None, None)
    seeds_needed: int | None = None
    published_effect: float | None = None
    published: str = ""
    paper: str = ""
    own: Secondary | None = None
    secondary: tuple[Secondary, ...] = ()

    @property
    def statement(self) -> str:
        """The claim in the words of who made it."""
        return self.claim.statement

    @property
    def unit(self) -> str:
        """What the effect counts: points or ratio."""
        return self.claim.unit

    @property
    def delta(self) -> float:
        """The smallest effect that matters, in `unit`."""
        return self.claim.smallest_effect

    @property
    def zone(self) -> tuple[float, float]:
        """Between these, in `unit`, an effect is too small to matter; both are no effect where `delta` is none."""
        if effect_fault(self.claim):
            return (1.0, 1.0) if self.unit == "ratio" else (0.0, 0.0)
        return (1 / self.delta, self.delta) if self.unit == "ratio" else (-self.delta, self.delta)

    @property
    def num_runs(self) -> tuple[int, int]:
        """Runs in the larger and in the smaller group."""
        return len(self.larger.runs), len(self.smaller.runs)


class _Case(msgspec.Struct, frozen=True):
    """A claim with its groups and samples, and the obstacles to a verdict."""

    number: int
    claim: Claim
    larger: GroupRuns
    smaller: GroupRuns
    samples: tuple[Sample, Sample]
    obstacles: tuple[str, ...]
    effect: Effect | None
    published: PublishedClaim | None

    @property
    def is_testable(self) -> bool:
        return not self.obstacles and self.effect is not None

    def p(self, name: str) -> float:
        """A p-value; a claim that cannot be tested counts as a test without a finding."""
        found: float = getattr(self.effect, name) if self.is_testable else 1.0
        return found


class _Corrected(msgspec.Struct, frozen=True):
    """P-values corrected by Holm over the claims of a plan."""

    forward: float
    reversed: float
    equivalence: float
    below: float
    level: float


def judge(
    runs: GroupedRuns,
    claims: Sequence[Claim],
    overrides: Mapping[str, str],
    registration: Registration | None = None,
) -> tuple[ClaimVerdict, ...]:
    """Judge claims on these runs, and on nothing else.

    Args:
        runs: The runs by group; unequal conditions stop a verdict, they are never mixed.
        claims: What is claimed.
        overrides: What the plan sets for all runs, as a person would type it.
        registration: The plan; None for runs that no plan registered, whose numbers are exploratory.
    """
    cases = [_case(number, claim, runs, overrides, registration) for number, claim in enumerate(claims, start=1)]
    return tuple(
        _verdict(case, corrected, registration, runs, cases)
        for case, corrected in zip(cases, _correct(cases), strict=True)
    )


def decide(claims: Sequence[Claim], samples: Sequence[tuple[Sample, Sample]]) -> list[Verdict]:
    """The verdicts that samples of at least two runs give by statistics alone, with no precondition looked at.

    Args:
        claims: What is claimed.
        samples: For each claim the sample claimed to have the larger values, and the other.
    """
    none = GroupRuns(Group(name="", title="", settings={}))
    cases = []
    for number, (claim, pair) in enumerate(zip(claims, samples, strict=True), start=1):
        effect = compare_samples(*pair, is_ratio=claim.unit == "ratio", delta=claim.smallest_effect)
        cases.append(_Case(number, claim, none, none, pair, (), effect, None))
    return [_decide(case, by)[0] for case, by in zip(cases, _correct(cases), strict=True)]


def _correct(cases: Sequence[_Case]) -> Iterator[_Corrected]:
    equivalence = [case.p("p_equivalence") for case in cases]
    columns = zip(
        stats.holm([case.p("p_larger") for case in cases]),
        stats.holm([case.p("p_smaller") for case in cases]),
        stats.holm(equivalence),
        stats.holm([case.p("p_below") for case in cases]),
        (1 - 2 * level for level in stats.holm_levels(equivalence, ALPHA)),
        strict=True,
    )
    yield from (_Corrected(*values) for values in columns)


_MUST_BE_EQUAL = "both groups must have the same {} for their runs to be compared; set it for the whole plan."
_UNDECIDABLE: Mapping[str, str] = {
    "seed": "seeds are what the runs of each group differ in; a claim is about another setting.",
    **{
        name: _MUST_BE_EQUAL.format(name.replace("_", " "))
        for name in (
            "data",
            "split",
            "train_images",
            "train_eval_images",
            *sorted(NO_RESULT_FIELDS - {"variant", "seed"}),
        )
    },
}
"""Settings in which the groups of a claim may not differ, and why."""


def problems(claims: Sequence[Claim], overrides: Mapping[str, str] = {}) -> list[str]:
    """A sentence for each claim that could not be judged whatever the runs say.

    Args:
        claims: The claims.
        overrides: What their plan sets for all runs, as a person would type it.
    """
    found = [f"{claim.name}: {fault}" for claim in claims for fault in _faults(claim, overrides)]
    tested = [(claim, _tested(claim, overrides)) for claim in claims]
    for (one, one_test), (other, other_test) in itertools.combinations(tested, 2):
        if one_test == other_test:
            same = "the same number" if one.metric == other.metric else f"{one.metric} and {other.metric}, one number,"
            found.append(f"{other.name}: it compares {same} of the same groups as {one.name}; register one of the two.")
    return found


def _faults(claim: Claim, overrides: Mapping[str, str]) -> Iterator[str]:
    """Why a claim could not be judged, as sentences."""
    for name in claim.metrics:
        if name not in METRICS:
            yield f"there is no metric {printable(name, 60)!r}; choose one of {', '.join(METRICS)}."
    metric = METRICS.get(claim.metric)
    if metric and claim.unit == "ratio" and metric.unit in (Unit.POINTS, Unit.NATS):
        yield f"a ratio needs values above 0, and {metric.heading} may be below."
    if metric and claim.unit == "points" and not metric.unit.is_share:
        yield f"points are of accuracies, errors and gaps; {metric.heading} needs a ratio."
    undecidable = [reason for field in claim.group if (reason := _UNDECIDABLE.get(field))]
    yield from undecidable
    if fault := effect_fault(claim):
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
    if (metric := METRICS.get(claim.metric)) and claim.unit == "ratio":
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


def _case(
    number: int, claim: Claim, runs: GroupedRuns, overrides: Mapping[str, str], registration: Registration | None
) -> _Case:
    empty = Sample(None, None, 0, ())
    faults = [f"{claim.name}: {fault}" for fault in _faults(claim, overrides)]
    obstacles = [*(registration.faults if registration else ()), *faults]
    try:
        pair = [_group(runs, settings, overrides) for settings in claim.groups]
    except ConfigError as error:
        obstacles.append(f"The plan does not allow the claim's settings: {error}.")
        pair = [GroupRuns(Group(name="", title="", settings=settings)) for settings in claim.groups]
    larger, smaller = pair if claim.direction == "higher" else pair[::-1]
    if not (metric := METRICS.get(claim.metric)):
        return _Case(number, claim, larger, smaller, (empty, empty), tuple(obstacles), None, None)
    samples = (_sample(claim, larger, metric), _sample(claim, smaller, metric))
    obstacles += [one for group in (larger, smaller) for one in _missing_runs(group, registration)]
    obstacles += _unlike(runs, larger, smaller, metric)
    # An epoch is a mark that is set in advance; a number of seconds is not.
    is_known = metric.unit is Unit.EPOCHS and is_apart(*samples)
    off_scale = [one for found in samples for one in _off_scale(claim, found, metric, is_known=is_known)]
    obstacles += [*off_scale, *_values(claim, (larger, smaller), samples, metric)]
    effect = None
    is_reached = any(one.values for one in samples)
    if not is_reached and all(one.lower_bounds for one in samples):
        obstacles.append(f"No run of either group has a {metric.heading}: there is nothing to compare.")
    is_comparable = is_reached and not off_scale and not faults
    if is_comparable and min(len(one.lower_bounds) for one in samples) > 1:
        effect = compare_samples(*samples, is_ratio=claim.unit == "ratio", delta=claim.smallest_effect)
    published = published_claim(claim)
    return _Case(number, claim, larger, smaller, samples, tuple(dict.fromkeys(obstacles)), effect, published)


def _group(runs: GroupedRuns, settings: Mapping[str, Value], overrides: Mapping[str, str]) -> GroupRuns:
    """The runs of one side of a claim; empty where the runs at hand have no such group."""
    config = group_config(settings, overrides)
    group, grouping = runs.grouping.group_of(config), runs.grouping
    if group and grouping.protocol_of(config) == grouping.protocol_of(group_config({}, overrides)):
        return runs.runs(group.name)
    usual = group_config(settings, {})
    title = settings_text(settings) if usual.changes() else VARIANTS[usual.variant].title
    return GroupRuns(Group(name="", title=title, settings={}))


def _sample(claim: Claim, group: GroupRuns, metric: Metric) -> Sample:
    return sample(group.used, metric, group.group.title, is_censored=claim.unit == "ratio")


def fewest_seeds(num_claims: int) -> int:
    """Seeds a group below which none of so many claims can be supported or contradicted, whatever the values are."""
    return max(MIN_RUNS, stats.fewest_values(ALPHA / num_claims))


def remarks(claims: Sequence[Claim], num_seeds: int = MIN_RUNS) -> list[str]:
    """What is to be known of claims before they are registered: clauses without a full stop."""
    found = [f"{one.name}: {remark}" for one in claims for remark in _claim_remarks(one)]
    needed = fewest_seeds(len(claims)) if claims else MIN_RUNS
    if num_seeds < needed and needed > MIN_RUNS:  # Fewer than MIN_RUNS are told by `unassessable`.
        found.append(
            f"of {len(claims)} claims in one plan none can be supported or contradicted with fewer than {needed} seeds"
            f" a group (--seeds {needed})"
        )
    return found


def _claim_remarks(claim: Claim) -> list[str]:
    """What a claim's metrics and its smallest effect must say of themselves: clauses without a full stop."""
    found = [metric.remark for name in claim.metrics if (metric := METRICS.get(name)) and metric.remark]
    low, high = _USUAL_EFFECTS[claim.unit]
    if effect_fault(claim):
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


_USUAL_EFFECTS: Mapping[str, tuple[float, float]] = {"points": (0.05, 10.0), "ratio": (1.005, 2.0)}
"""By unit: what is remarked on where a smallest effect that matters lies outside.

With the spreads of the reference runs (0.45 points, 5% of a time) the least of these takes more than `MAX_SEEDS` seeds.
"""


_NOT_BEGUN = {"planned": "not begun", "queued": "not begun"}


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
        faults = effect_fault(one), *_beyond_bounds(one, max(num_epochs, MIN_EPOCHS))
        reasons += [f"{one.name}: {fault.removesuffix('.')}" for fault in faults if fault]
        metrics = [METRICS[name] for name in one.metrics if name in METRICS]
        if any(metric.needs_validation for metric in metrics) and not any(run.num_val_images(10) for run in configs):
            reasons.append(
                f"{one.name} needs images held back for validation, and no run of this plan has split holdout"
            )
        for settings in one.groups:
            if not any(all(getattr(run, name) == value for name, value in settings.items()) for run in configs):
                reasons.append(
                    printable(f"no run of this plan has {settings_text(settings)}, as {one.name} needs", 400)
                )
    return reasons


def _missing_runs(group: GroupRuns, registration: Registration | None) -> Iterator[str]:
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


def _unlike(runs: GroupedRuns, larger: GroupRuns, smaller: GroupRuns, metric: Metric) -> list[str]:
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


def _off_scale(claim: Claim, found: Sample, metric: Metric, *, is_known: bool) -> Iterator[str]:
    """Why the values of a sample cannot be compared on the scale of its claim.

    Args:
        claim: The claim.
        found: The sample.
        metric: What is looked at.
        is_known: Its upper bounds tell it apart from the other sample.
    """
    if found.num_upper_bounds and not is_known:
        yield (
            f"{counted(found.num_upper_bounds, 'run')} of {found.title!r} reached the mark of {metric.heading} before"
            " the first measurement, at the end of an epoch: when is not known."
        )
    if claim.unit == "ratio" and (without := sum(not is_of_ratio(value) for value in found.lower_bounds)):
        runs = f"{counted(without, 'run')} of {found.title!r}"
        yield f"{runs} gave no {metric.heading} above 0 that a ratio could be made of."


def _values(
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


def _verdict(
    case: _Case,
    corrected: _Corrected,
    registration: Registration | None,
    runs: GroupedRuns,
    cases: Sequence[_Case],
) -> ClaimVerdict:
    claim, effect = case.claim, case.effect
    verdict, reasons = _decide(case, corrected)
    needed = None
    if verdict is Verdict.INCONCLUSIVE and effect and effect.variances:
        delta = Scale(claim.unit == "ratio").effect(claim.smallest_effect)
        # Holm's strictest step: enough whatever the other claims show.
        level = ALPHA / len(cases)
        least = fewest_seeds(len(cases))
        # Welch's p is two-sided in the decision (`p_larger`), and this test has one side.
        needed = stats.seeds_needed(*effect.variances, delta, alpha=level / 2, power=POWER, least=least)
        reasons = (*reasons, _needed_text(needed, claim, min(len(one.runs) for one in case.samples)))
    if registration is None:
        verdict, reasons = Verdict.EXPLORATORY, case.obstacles
    elif registration.look > 1:
        chance = f"in so many looks a wrong one is supported by chance in up to {min(1, registration.look * ALPHA):.0%}"
        reasons = (*reasons, f"These claims are looked at for the {_ordinal(registration.look)} time: {chance}.")
    published = case.published
    is_tested = case.is_testable and effect is not None
    return ClaimVerdict(
        number=case.number,
        claim=claim,
        metric=_effect_text(claim, case),
        verdict=verdict,
        headline=_headline(verdict, claim),
        reasons=reasons,
        remarks=(*_repeats(case, cases), *_remarks(case, registration), *_company(case, runs)),
        larger=case.samples[0],
        smaller=case.samples[1],
        effect=effect,
        p_holm=corrected.forward if is_tested else None,
        p_reversed_holm=corrected.reversed if is_tested else None,
        p_equivalence_holm=corrected.equivalence if is_tested else None,
        equivalence_level=corrected.level if is_tested else None,
        equivalence_interval=interval_at(*case.samples, is_ratio=claim.unit == "ratio", level=corrected.level)
        if is_tested
        else (None, None),
        seeds_needed=needed,
        published_effect=published.shown_effect if published else None,
        published=published.found if published else "",
        paper=published.paper if published else "",
        own=own_measure(published, case.larger, case.smaller) if published else None,
        secondary=tuple(secondary_outcomes(claim, case.larger, case.smaller, runs)),
    )


def _decide(case: _Case, corrected: _Corrected) -> tuple[Verdict, tuple[str, ...]]:
    claim, effect = case.claim, case.effect
    if not case.is_testable or effect is None:
        return Verdict.NOT_ASSESSED, case.obstacles
    scale = Scale(claim.unit == "ratio")
    neutral, mirror = scale.restore(0.0), scale.restore(-scale.effect(claim.smallest_effect))
    least, most_against = amount_text(claim.smallest_effect), amount_text(mirror)
    unit = "" if scale.is_ratio else " points"
    low, high = effect.interval
    supports = {
        f"Holm {p_text(corrected.forward)} (needed: below {ALPHA:g})": corrected.forward < ALPHA,
        f"the 95% interval begins at {_end(low)} (needed: above {neutral:g})": low is not None and low > neutral,
        f"the effect is {effect.estimate:.2f}{unit} (needed: at least {least})":
            effect.estimate >= claim.smallest_effect,
    }  # fmt: skip
    contradicts = {
        f"Holm {p_text(corrected.reversed)} for the other direction": corrected.reversed < ALPHA,
        f"the 95% interval ends at {_end(high)}, below {neutral:g}": high is not None and high < neutral,
        f"the effect is {effect.estimate:.2f}{unit}, at most {most_against}": effect.estimate <= mirror,
    }
    if all(supports.values()):
        return Verdict.SUPPORTED, (_sentence(supports),)
    if all(contradicts.values()):
        return Verdict.CONTRADICTED, (_sentence(contradicts),)
    if corrected.equivalence < ALPHA:
        inside = f"The effect lies between {most_against} and {least}{unit}"
        return Verdict.NEGLIGIBLE, (f"{inside}: two one-sided tests, Holm {p_text(corrected.equivalence)}.",)
    if corrected.below < ALPHA:
        words = f"The effect is below the {least}{unit} that would matter"
        return Verdict.NOT_SUPPORTED, (f"{words}: Holm {p_text(corrected.below)}.",)
    failed = [name for name, passed in supports.items() if not passed]
    return Verdict.INCONCLUSIVE, (_sentence(failed),)


def _headline(verdict: Verdict, claim: Claim) -> str:
    if verdict is not Verdict.NOT_SUPPORTED:
        return verdict.value
    return f"not supported: no gain of {claim.smallest_effect_text}"


def _needed_text(needed: int | None, claim: Claim, count: int) -> str:
    effect = claim.smallest_effect_text
    if needed is not None and needed <= count:
        return (
            f"With this spread {count} seeds a group are enough to tell {effect} from no effect; an effect between"
            " these two takes more."
        )
    number = f"more than {stats.MAX_SEEDS:,}" if needed is None else f"{needed:,}"
    return f"With this spread {number} seeds a group would tell {effect} from no effect (power {POWER:g})."


def _ordinal(number: int) -> str:
    endings = {1: "st", 2: "nd", 3: "rd"} if number % 100 not in {11, 12, 13} else {}
    return {2: "second", 3: "third"}.get(number, f"{number}{endings.get(number % 10, 'th')}")


def _effect_text(claim: Claim, case: _Case) -> str:
    metric = METRICS.get(claim.metric)
    name = metric.heading if metric else claim.metric
    sign = "over" if claim.unit == "ratio" else "minus"
    pair = f"{case.larger.group.title} {sign} {case.smaller.group.title}"
    return f"{name}: {pair}. {metric.help}" if metric else f"{name}: {pair}"


def _repeats(case: _Case, cases: Sequence[_Case]) -> Iterator[str]:
    """The other claims that compare the same networks by the same metric: their outcome is no second opinion."""
    for other in cases:
        is_same_quantity = quantity(other.claim.metric) == quantity(case.claim.metric)
        if other is not case and is_same_quantity and _are_same_networks(case, other):
            yield f"Claim {other.number} compares the same networks, so it is no second opinion."


def _are_same_networks(case: _Case, other: _Case) -> bool:
    """Whether two claims compare the same two networks, whichever of them is said to have the larger values."""
    turns = ((other.larger, other.smaller), (other.smaller, other.larger))
    return any(_is_one_network(case.larger, one) and _is_one_network(case.smaller, two) for one, two in turns)


def _is_one_network(one: GroupRuns, other: GroupRuns) -> bool:
    return bool(one.used and other.used) and same_network(one.used[0].record.config, other.used[0].record.config)


def _remarks(case: _Case, registration: Registration | None) -> Iterator[str]:
    """What a claim must say of itself, what differs between runs, or happened to them, and decides nothing."""
    yield from (f"{remark}." for remark in _claim_remarks(case.claim))
    used = [*case.larger.used, *case.smaller.used]
    codes = {CONDITIONS["code"](run) for run in used}
    if len(codes) > 1 or any(code.endswith("+") for code in codes):
        yield f"Code: {', '.join(sorted(codes))}; the version of the arithmetic decides, not the commit."
    machines = {place.fingerprint for run in used for place in run.segments}
    if len(machines) > 1:
        yield f"{len(machines)} machines or numbers of threads: {'; '.join(sorted(machines))}."
    seeds = [{run.record.config.seed for run in group.used} for group in (case.larger, case.smaller)]
    if all(seeds) and seeds[0] != seeds[1]:
        yield "The two groups have different seeds."
    if registration:
        yield from registration.remarks


def _company(case: _Case, runs: GroupedRuns) -> Iterator[str]:
    """How many other runs trained beside those of each group, where a claim is about a machine's speed."""
    metric = METRICS.get(case.claim.metric)
    if metric is None or not metric.unit.is_of_a_machine:
        return
    spans = {run.id: span for run in runs.histories if (span := _span(run))}
    beside = {}
    for one in (case.larger, case.smaller):
        known = [run.id for run in one.used if run.id in spans]
        if not known:
            return
        beside[one.group.title] = stats.mean([_overlaps(run_id, spans) for run_id in known])
    if max(beside.values()) >= _NO_COMPANY:
        numbers = " and ".join(f"{number:.1f} beside a run of {title!r}" for title, number in beside.items())
        yield f"Other runs trained at the same time, on average {numbers}: {metric.heading} tells that too."


_NO_COMPANY = 0.05
"""Fewer runs at the same time than this are none: one may begin while another is ending."""


def _span(run: RunHistory) -> tuple[float, float] | None:
    """When a run began and ended, in seconds since 1970; None where its events do not say."""
    begin = min((place.wall for place in run.segments), default=0.0)
    return (begin, run.last_wall) if 0 < begin < run.last_wall else None


def _overlaps(run_id: str, spans: Mapping[str, tuple[float, float]]) -> float:
    """How many other runs went on during one, on average."""
    begin, end = spans[run_id]
    others = (span for other, span in spans.items() if other != run_id)
    return sum(max(0.0, min(end, last) - max(begin, first)) for first, last in others) / (end - begin)


def p_text(value: float) -> str:
    """A p-value for people: ``p is 0.0119``, ``p is < 0.001``."""
    return "p is < 0.001" if value < 0.001 else f"p is {value:.4f}"


def _end(value: float | None) -> str:
    return "no bound" if value is None else f"{value:.2f}"


def _sentence(parts: "Mapping[str, bool] | list[str]") -> str:
    text = "; ".join(parts)
    return f"{text[:1].upper()}{text[1:]}."
