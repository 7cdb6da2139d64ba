"""The rules: which verdict the statistics of a claim give; pure.

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
which only an upper bound is known are not assessed, unless all of one group are such and none of the other.

What is not assessed is decided by `obstacles`, before any statistics. Whoever changes these rules raises
`RULES_VERSION`.
"""

from collections.abc import Iterable, Sequence
from enum import StrEnum

import msgspec

from alexnet_tui.analysis import stats
from alexnet_tui.analysis.samples import Sample
from alexnet_tui.analysis.verdict.effect import (
    DIGITS,
    Effect,
    Scale,
    amount_text,
    compare_samples,
    digits_apart,
    p_value,
)
from alexnet_tui.config.claims import ALPHA, Claim
from alexnet_tui.runs.history import LAST_EPOCHS

MIN_RUNS = 5
"""Runs a group; with fewer there is no verdict."""
MIN_EPOCHS = LAST_EPOCHS
"""Epochs of a run, likewise: the mean of so many counts."""


class Verdict(StrEnum):
    """What the runs say about a claim."""

    SUPPORTED = "supported"
    CONTRADICTED = "contradicted"
    NEGLIGIBLE = "negligible"
    NOT_SUPPORTED = "not supported"
    INCONCLUSIVE = "inconclusive"
    NOT_ASSESSED = "not assessed"
    EXPLORATORY = "exploratory"


class HolmValues(msgspec.Struct, frozen=True):
    """P-values of a claim, corrected by Holm over the claims of its plan.

    Attributes:
        forward: Of "above no effect", in the direction of the claim.
        reversed: Of "below no effect".
        equivalence: Of "between the smallest effect that matters and its mirror image".
        below: Of "smaller than the smallest effect that matters".
        level: That of the interval which decides between negligible and not, by Holm's procedure.
    """

    forward: float
    reversed: float
    equivalence: float
    below: float
    level: float


def correct(effects: Sequence[Effect | None]) -> list[HolmValues]:
    """The p-values of a plan's claims after Holm's correction.

    Args:
        effects: Of each claim; None for one that cannot be tested, which counts as a test without a finding.
    """

    def p_values(name: str) -> list[float]:
        return [getattr(effect, name) if effect else 1.0 for effect in effects]

    equivalence = p_values("p_equivalence")
    columns = zip(
        stats.holm(p_values("p_larger")),
        stats.holm(p_values("p_smaller")),
        stats.holm(equivalence),
        stats.holm(p_values("p_below")),
        (1 - 2 * level for level in stats.holm_levels(equivalence, ALPHA)),
        strict=True,
    )
    return [HolmValues(*values) for values in columns]


def verdict_of(claim: Claim, effect: Effect | None, holm: HolmValues) -> tuple[Verdict, str]:
    """The verdict on a claim, and why, as a sentence; no sentence where it could not be tested, without an effect."""
    if effect is None:
        return Verdict.NOT_ASSESSED, ""
    scale = Scale(claim.unit)
    neutral, mirror = scale.restore(0.0), scale.restore(-scale.effect(claim.smallest_effect))
    digits = DIGITS[claim.unit]
    estimate, least, most_against = _told_apart(effect.estimate, claim.smallest_effect, mirror, digits)
    unit = "" if scale.is_ratio else f" {claim.unit}"
    low, high = effect.interval
    begin, end = (_end(value, neutral, digits) for value in effect.interval)
    supports = {
        f"Holm p is {p_value(holm.forward)} (needed: below {ALPHA:g})": holm.forward < ALPHA,
        f"the 95% interval begins at {begin} (needed: above {neutral:g})": low is not None and low > neutral,
        f"the effect is {estimate}{unit} (needed: at least {least})":
            effect.estimate >= claim.smallest_effect,
    }  # fmt: skip
    contradicts = {
        f"Holm p is {p_value(holm.reversed)} for the other direction": holm.reversed < ALPHA,
        f"the 95% interval ends at {end}, below {neutral:g}": high is not None and high < neutral,
        f"the effect is {estimate}{unit}, at most {most_against}": effect.estimate <= mirror,
    }
    if all(supports.values()):
        return Verdict.SUPPORTED, _sentence(supports)
    if all(contradicts.values()):
        return Verdict.CONTRADICTED, _sentence(contradicts)
    if holm.equivalence < ALPHA:
        inside = f"The effect lies between {most_against} and {least}{unit}"
        return Verdict.NEGLIGIBLE, f"{inside}: two one-sided tests, Holm p is {p_value(holm.equivalence)}."
    if holm.below < ALPHA:
        words = f"The effect is below the {least}{unit} that would matter"
        return Verdict.NOT_SUPPORTED, f"{words}: Holm p is {p_value(holm.below)}."
    failed = [name for name, passed in supports.items() if not passed]
    return Verdict.INCONCLUSIVE, _sentence(failed)


def decide(claims: Sequence[Claim], samples: Iterable[tuple[Sample, Sample]]) -> list[Verdict]:
    """The verdicts that samples of at least two runs give by statistics alone, with no obstacle looked for.

    Args:
        claims: What is claimed.
        samples: For each claim the sample claimed to have the larger values, and the other.
    """
    effects = [
        compare_samples(*pair, unit=claim.unit, delta=claim.smallest_effect)
        for claim, pair in zip(claims, samples, strict=True)
    ]
    return [
        verdict_of(claim, effect, holm)[0]
        for claim, effect, holm in zip(claims, effects, correct(effects), strict=True)
    ]


def _told_apart(estimate: float, least: float, most_against: float, digits: int) -> tuple[str, str, str]:
    """An estimate and the two limits that it is held against, so that it is seen on which side of these it lies."""
    digits = digits_apart(estimate, [least, most_against], digits)
    return f"{estimate:z.{digits}f}", amount_text(least, digits), amount_text(most_against, digits)


def _end(value: float | None, neutral: float, digits: int) -> str:
    return "no bound" if value is None else f"{value:z.{digits_apart(value, [neutral], digits)}f}"


def _sentence(parts: Iterable[str]) -> str:
    text = "; ".join(parts)
    return f"{text[:1].upper()}{text[1:]}."
