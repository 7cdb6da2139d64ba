"""The report's three claims as data, and `judge`: run histories in, verdicts out; pure.

A verdict follows from a rule fixed before any run: enough finished runs under equal conditions, the exact
one-sided permutation test with Holm's correction over the three claims, Welch's 95% interval, and the
smallest effect that matters. Nothing here selects an epoch on the test set.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from alexnet_tui.analysis import published as paper
from alexnet_tui.analysis import stats
from alexnet_tui.analysis.effect import Effect, compare_samples
from alexnet_tui.analysis.groups import (
    NO_STATES,
    GroupedRuns,
    GroupRuns,
    Missing,
    Sample,
    States,
    group_runs,
    sample,
    unequal_conditions,
)
from alexnet_tui.analysis.metrics import METRICS, Metric
from alexnet_tui.analysis.secondary import Secondary, dropout_outcomes, layer_outcomes, speed_outcomes
from alexnet_tui.runs.history import RunHistory
from alexnet_tui.text import counted

MIN_RUNS = 5
ALPHA = 0.05
MIN_GAP_POINTS = 5.0


class Verdict(StrEnum):
    """What the runs say about a claim."""

    SUPPORTED = "supported"
    NOT_SUPPORTED = "not supported"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """A claim as a comparison of two arms.

    Attributes:
        number: As in the report.
        metric: The effect, in a formula for people.
        larger: Arm whose value the claim says is larger.
        smaller: The other arm.
        measure: The value of one run; None is "not reached" for a ratio of times, else "no value".
        is_ratio: The effect is a ratio of times, tested on logarithms; else a difference of fractions, in
            points.
        delta: The smallest effect that matters, in points or as a ratio.
        precondition: A sentence if the arms (larger, smaller) do not allow the claim to be judged.
        secondary: What is told beside the verdict and never decides it.
    """

    number: int
    metric: str
    larger: str
    smaller: str
    measure: Metric
    is_ratio: bool = False
    delta: float
    precondition: Callable[["Sample", "Sample"], str | None]
    secondary: Callable[[GroupedRuns], list[Secondary]]

    @property
    def statement(self) -> str:
        """The claim in the report's words."""
        return paper.CLAIMS[self.number].statement

    @property
    def unit(self) -> str:
        """What the effect counts."""
        return "ratio" if self.is_ratio else "points"


@dataclass(frozen=True, kw_only=True, slots=True)
class ClaimVerdict:
    """One claim, judged, with everything behind it.

    Attributes:
        kind: For "not supported": contradicted or negligible; else empty.
        reasons: Why, as sentences.
        p_holm: The p-value corrected for three claims; None where the claim could not be tested.
    """

    number: int
    statement: str
    metric: str
    unit: str
    delta: float
    verdict: Verdict
    kind: str
    reasons: tuple[str, ...]
    larger: Sample
    smaller: Sample
    effect: Effect | None
    p_holm: float | None
    p_reversed_holm: float | None
    published_effect: float
    published: str
    paper: str
    secondary: tuple[Secondary, ...]

    @property
    def headline(self) -> str:
        """The verdict in words: ``not supported (contradicted)``."""
        return f"{self.verdict.value} ({self.kind})" if self.kind else self.verdict.value

    @property
    def num_runs(self) -> tuple[int, int]:
        """Runs in the larger and in the smaller arm."""
        return len(self.larger.runs), len(self.smaller.runs)


@dataclass(frozen=True, slots=True)
class Judgement:
    """The three verdicts and the runs they rest on."""

    verdicts: tuple[ClaimVerdict, ...]
    runs: GroupedRuns


def _has_gap(larger: Sample, smaller: Sample) -> str | None:
    points = 100 * stats.mean(larger.values)
    if points >= MIN_GAP_POINTS:
        return None
    return f"Without dropout the gap is {points:.2f} points, below {MIN_GAP_POINTS:g}: nothing to reduce."


def _all_reach(larger: Sample, smaller: Sample) -> str | None:
    if not smaller.num_censored:
        return None
    count = len(smaller.runs)
    return f"{smaller.num_censored} of {count} runs of {smaller.title!r} never reached 25% training error."


def _nothing(larger: Sample, smaller: Sample) -> str | None:
    return None


CLAIMS: tuple[Claim, ...] = (
    Claim(
        number=1,
        metric="gap(dropout 0.01) - gap(dropout 0.5); gap = train - test accuracy, mean of last five epochs",
        larger="low-dropout",
        smaller="baseline",
        measure=METRICS["gap"],
        delta=1.0,
        precondition=_has_gap,
        secondary=dropout_outcomes,
    ),
    Claim(
        number=2,
        metric="T25(tanh) / T25(ReLU), T25 = epochs to 25% training error",
        larger="tanh",
        smaller="baseline",
        measure=METRICS["t25"],
        is_ratio=True,
        delta=1.10,
        precondition=_all_reach,
        secondary=speed_outcomes,
    ),
    Claim(
        number=3,
        metric="test accuracy(five layers) - test accuracy(four); mean of last five epochs",
        larger="baseline",
        smaller="four-conv",
        measure=METRICS["final_test"],
        delta=0.5,
        precondition=_nothing,
        secondary=layer_outcomes,
    ),
)


def judge(
    histories: Sequence[RunHistory],
    states: States = NO_STATES,
    missing: Sequence[Missing] = (),
    *,
    sweep: GroupedRuns | None = None,
) -> Judgement:
    """Judge the three claims on these runs, and on nothing else.

    Args:
        histories: Runs of one protocol; unequal conditions make a claim inconclusive, they are never mixed.
        states: State of a run by its id, where known; it tells a running run from a lost one.
        missing: Runs that the study's plan asks for and that are not there.
        sweep: Runs of the learning-rate sweep, told beside claim 2.
    """
    runs = replace(group_runs(histories, states, missing), sweep=sweep)
    cases = [_Case.of(claim, runs) for claim in CLAIMS]
    # A claim that cannot be tested counts as a test without a finding: Holm's correction stays over three.
    forward = stats.holm([case.effect.p if case.is_testable and case.effect else 1.0 for case in cases])
    backward = stats.holm([case.effect.p_reversed if case.is_testable and case.effect else 1.0 for case in cases])
    verdicts = (
        _decide(case, runs, p, p_reversed) for case, p, p_reversed in zip(cases, forward, backward, strict=True)
    )
    return Judgement(tuple(verdicts), runs)


@dataclass(frozen=True, slots=True)
class _Case:
    """A claim with its samples, and what stands in the way of a verdict."""

    claim: Claim
    larger: Sample
    smaller: Sample
    obstacles: tuple[str, ...]
    effect: Effect | None

    @property
    def is_testable(self) -> bool:
        return not self.obstacles and self.effect is not None

    @classmethod
    def of(cls, claim: Claim, runs: GroupedRuns) -> "_Case":
        groups = [runs.runs(claim.larger), runs.runs(claim.smaller)]
        larger, smaller = (_sample(claim, group) for group in groups)
        obstacles = [sentence for group in groups for sentence in _missing_runs(group)]
        for group, found in zip(groups, (larger, smaller), strict=True):
            if lacking := len(group.used) - len(found.lower_bounds):
                obstacles.append(f"{counted(lacking, 'run')} of {group.group.title!r} gave no value.")
        obstacles += unequal_conditions([*groups[0].used, *groups[1].used])
        enough = min(len(larger.lower_bounds), len(smaller.lower_bounds))
        if enough and (failed := claim.precondition(larger, smaller)):
            obstacles.append(failed)
        return cls(
            claim,
            larger,
            smaller,
            tuple(obstacles),
            compare_samples(larger, smaller, is_ratio=claim.is_ratio) if enough > 1 else None,
        )


def _missing_runs(runs: GroupRuns) -> list[str]:
    sentences = []
    if not runs.used:
        sentences.append(f"There is no finished run of {runs.group.title!r}.")
    elif len(runs.used) < MIN_RUNS:
        finished = counted(len(runs.used), "finished run")
        sentences.append(f"{runs.group.title!r} has {finished}; a verdict needs {MIN_RUNS}.")
    for history, word in runs.unfinished:
        who = f"Run {history.id} ({runs.group.title}, seed {history.record.config.seed})"
        sentences.append(f"{who}: {word}, and no finished run replaces it.")
    for one in runs.missing:
        sentences.append(f"The plan's run of {runs.group.title!r} with seed {one.config.seed} is {one.reason}.")
    return sentences


def _sample(claim: Claim, runs: GroupRuns) -> Sample:
    return sample(runs.used, claim.measure, runs.group.title, is_censored=claim.is_ratio)


def _decide(case: _Case, runs: GroupedRuns, p: float, p_reversed: float) -> ClaimVerdict:
    verdict, kind, reasons = _verdict(case, p, p_reversed)
    claim, published = case.claim, paper.CLAIMS[case.claim.number]
    return ClaimVerdict(
        number=claim.number,
        statement=claim.statement,
        metric=claim.metric,
        unit=claim.unit,
        delta=claim.delta,
        verdict=verdict,
        kind=kind,
        reasons=reasons,
        larger=case.larger,
        smaller=case.smaller,
        effect=case.effect,
        p_holm=p if case.is_testable else None,
        p_reversed_holm=p_reversed if case.is_testable else None,
        published_effect=published.effect if claim.is_ratio else 100 * published.effect,
        published=published.found,
        paper=published.paper,
        secondary=tuple(claim.secondary(runs)),
    )


def _verdict(case: _Case, p: float, p_reversed: float) -> tuple[Verdict, str, tuple[str, ...]]:
    effect, claim = case.effect, case.claim
    if case.obstacles or effect is None:
        return Verdict.INCONCLUSIVE, "", case.obstacles
    neutral, unit = (1.0, "") if claim.is_ratio else (0.0, " points")
    low, high90 = effect.interval[0], effect.interval90[1]
    begin = "no bound" if low is None else f"{low:.2f}"
    checks: Mapping[str, bool] = {
        f"Holm p is {p:.3f} (needed: below {ALPHA})": p < ALPHA,
        f"the 95% interval begins at {begin} (needed: above {neutral:g})":
            low is not None and low > neutral,
        f"the effect is {effect.estimate:.2f}{unit} (needed: at least {claim.delta:.2f})":
            effect.estimate >= claim.delta,
    }  # fmt: skip
    if all(checks.values()):
        return Verdict.SUPPORTED, "", (_sentence(checks),)
    if p_reversed < ALPHA:
        reason = f"The effect goes the other way: reversed Holm p is {p_reversed:.3f}."
        return Verdict.NOT_SUPPORTED, "contradicted", (reason,)
    if high90 is not None and high90 < claim.delta:
        reason = f"The 90% interval ends at {high90:.2f}{unit}, below the {claim.delta:.2f} that would matter."
        return Verdict.NOT_SUPPORTED, "negligible", (reason,)
    failed = [name for name, passed in checks.items() if not passed]
    return Verdict.INCONCLUSIVE, "", (_sentence(failed),)


def _sentence(parts: "Mapping[str, bool] | list[str]") -> str:
    text = "; ".join(parts)
    return f"{text[:1].upper()}{text[1:]}."
