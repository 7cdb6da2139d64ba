"""`judge`: claims and the runs of their groups in, verdicts out; pure.

`case` finds the runs of a claim's groups, `obstacles` keep them from being assessed, `rules` decide by the effect, and
`remarks` and `secondary` outcomes are told beside the verdict.
"""

from collections.abc import Mapping, Sequence

import msgspec

from alexnet_tui.analysis import stats
from alexnet_tui.analysis.groups import GroupedRuns
from alexnet_tui.analysis.metrics import METRICS
from alexnet_tui.analysis.published import published_claim
from alexnet_tui.analysis.samples import Sample
from alexnet_tui.analysis.verdict.case import Case, make_case
from alexnet_tui.analysis.verdict.claim_checks import fewest_seeds
from alexnet_tui.analysis.verdict.effect import Effect, Ends, Scale, interval_at
from alexnet_tui.analysis.verdict.registration import Registration
from alexnet_tui.analysis.verdict.remarks import remarks_on
from alexnet_tui.analysis.verdict.rules import HolmValues, Verdict, correct, verdict_of
from alexnet_tui.analysis.verdict.secondary import Secondary, own_measure, secondary_outcomes
from alexnet_tui.command_lines import ShellCommand, shell_command
from alexnet_tui.config.claims import ALPHA, Claim, EffectUnit

POWER = 0.8


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
    def unit(self) -> EffectUnit:
        """What the effect counts."""
        return self.claim.unit

    @property
    def delta(self) -> float:
        """The smallest effect that matters, in `unit`."""
        return self.claim.smallest_effect

    @property
    def zone(self) -> tuple[float, float]:
        """Between these, in `unit`, an effect is too small to matter; both are no effect where `delta` is none."""
        if self.claim.effect_fault:
            return (1.0, 1.0) if self.claim.is_ratio else (0.0, 0.0)
        return (1 / self.delta, self.delta) if self.claim.is_ratio else (-self.delta, self.delta)

    @property
    def num_runs(self) -> tuple[int, int]:
        """Runs in the larger and in the smaller group."""
        return len(self.larger.runs), len(self.smaller.runs)


def judge(
    runs: GroupedRuns,
    claims: Sequence[Claim],
    overrides: Mapping[str, str],
    registration: Registration | None = None,
    *,
    command: ShellCommand = shell_command,
) -> tuple[ClaimVerdict, ...]:
    """Judge claims on these runs, and on nothing else.

    Args:
        runs: The runs by group; unequal conditions stop a verdict, they are never mixed.
        claims: What is claimed.
        overrides: What the plan sets for all runs, as a person would type it.
        registration: The plan; None for runs that no plan registered, whose numbers are exploratory.
        command: What makes the command lines that are advised.
    """
    cases = [make_case(number, claim, runs, overrides, registration) for number, claim in enumerate(claims, start=1)]
    corrected = correct([case.tested_effect for case in cases])
    return tuple(
        _judge_case(case, holm, registration, runs, cases, command) for case, holm in zip(cases, corrected, strict=True)
    )


def _judge_case(
    case: Case,
    holm: HolmValues,
    registration: Registration | None,
    runs: GroupedRuns,
    cases: Sequence[Case],
    command: ShellCommand,
) -> ClaimVerdict:
    """One claim with its verdict and all that stands beside it."""
    claim, published = case.claim, published_claim(case.claim)
    verdict, reasons, seeds_needed = _decide(case, holm, registration, len(cases))
    found = ClaimVerdict(
        number=case.number,
        claim=claim,
        metric=_effect_text(claim, case),
        verdict=verdict,
        headline=_headline(verdict, claim),
        reasons=reasons,
        remarks=remarks_on(case, cases, runs, registration),
        larger=case.samples[0],
        smaller=case.samples[1],
        effect=case.effect,
        seeds_needed=seeds_needed,
        published_effect=published.shown_effect if published else None,
        published=published.found if published else "",
        paper=published.paper if published else "",
        own=own_measure(published, case.larger, case.smaller) if published else None,
        secondary=tuple(secondary_outcomes(claim, case.larger, case.smaller, runs, command)),
    )
    if case.tested_effect is None:
        return found
    return msgspec.structs.replace(
        found,
        p_holm=holm.forward,
        p_reversed_holm=holm.reversed,
        p_equivalence_holm=holm.equivalence,
        equivalence_level=holm.level,
        equivalence_interval=interval_at(*case.samples, unit=claim.unit, level=holm.level),
    )


def _decide(
    case: Case, holm: HolmValues, registration: Registration | None, num_claims: int
) -> tuple[Verdict, tuple[str, ...], int | None]:
    """The verdict on a claim, why, and how many seeds it would take where these are too few."""
    claim, effect, needed = case.claim, case.effect, None
    verdict, reason = verdict_of(claim, case.tested_effect, holm)
    reasons = (reason,) if reason else case.obstacles
    if verdict is Verdict.INCONCLUSIVE and effect and effect.variances:
        needed = _seeds_needed(claim, effect.variances, num_claims)
        reasons = (*reasons, _needed_text(needed, claim, min(len(one.runs) for one in case.samples)))
    if registration is None:
        return Verdict.EXPLORATORY, case.obstacles, needed
    if registration.look > 1:
        chance = f"in so many looks a wrong one is supported by chance in up to {min(1, registration.look * ALPHA):.0%}"
        reasons = (*reasons, f"These claims are looked at for the {_ordinal(registration.look)} time: {chance}.")
    return verdict, reasons, needed


def _seeds_needed(claim: Claim, variances: tuple[float, float], num_claims: int) -> int | None:
    """Seeds a group at which the smallest effect that matters would be told from none; None for more than are tried."""
    delta = Scale(claim.unit).effect(claim.smallest_effect)
    # Holm's strictest step: enough whatever the other claims show.
    level = ALPHA / num_claims
    # Welch's p is two-sided in the decision (`p_larger`), and this test has one side.
    return stats.seeds_needed(*variances, delta, alpha=level / 2, power=POWER, least=fewest_seeds(num_claims))


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


def _effect_text(claim: Claim, case: Case) -> str:
    metric = METRICS.get(claim.metric)
    name = metric.heading if metric else claim.metric
    sign = "over" if claim.is_ratio else "minus"
    pair = f"{case.larger.group.title} {sign} {case.smaller.group.title}"
    return f"{name}: {pair}. {metric.help}" if metric else f"{name}: {pair}"
