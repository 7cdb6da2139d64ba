"""How often the rules of the verdict err, by simulation: ``python tests/benchmarks/bench_verdict.py [STUDIES]``.

A cell of the table is so many studies of three claims, five runs a group, whose true effects are all the same
multiple of the smallest effect that matters. The spread over seeds is that of the reference runs' kind: 0.8 points of
the gap, 5% of T25, 0.45 points of the accuracy. Where the runs have a last epoch, all three claims are about T25, which
runs whose error does not fall that soon do not reach. A word is wrong where it says what is not so: "supported" of an
effect that is not above zero, "contradicted" of one that is not below, "negligible" of one of the size that matters
or more, "no gain" of one of that size in the direction claimed.

Below the table stands how often they err where what it takes for granted does not hold: spreads that are those of a
normal distribution, of which the one is at most a few times the other, and one look at a claim.
"""

import argparse
import math
import random
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from alexnet_tui.analysis.samples import RunValue, Sample, make_sample
from alexnet_tui.analysis.verdict.rules import Verdict, decide
from alexnet_tui.config.claims import Claim, load_claims

RUNS = 5
LIMIT = 0.05
POWER, POWER_AT = 0.9, 3.0
BASE = {"gap": 0.25, "t25": 30.0, "final_test": 0.65}
SPREAD = {"gap": 0.008, "t25": 0.05, "final_test": 0.0045}
"""Standard deviation over seeds: fractions, and of logarithms for times."""


@dataclass(frozen=True)
class Cell:
    """What is simulated: the true effect in smallest effects that matter, how the spread is, and the last epoch."""

    effect: float
    ratio: float = 1.0
    scale: float = 1.0
    last_epoch: float = field(default=math.inf, repr=False)

    @property
    def name(self) -> str:
        spread = "" if self.scale == 1 else f", spread x {self.scale:g}"
        ratio = f", sd {self.ratio:g}:1" if self.ratio != 1 else ""
        ends = f", {self.last_epoch:g} epochs" if math.isfinite(self.last_epoch) else ""
        return f"{self.effect:+g} delta{spread}{ratio}{ends}"


CELLS = (
    Cell(0),
    Cell(0, ratio=3),
    Cell(0, scale=0.1),
    Cell(1),
    Cell(1, ratio=3),
    Cell(1, scale=0.3),
    Cell(-1),
    Cell(-1, ratio=3),
    Cell(-0.2, scale=0.1),
    Cell(2),
    Cell(3),
    Cell(3, ratio=3),
    Cell(-4),
    Cell(-4, ratio=3),
    Cell(-4, scale=3),
    Cell(0, last_epoch=31),
    Cell(0, ratio=3, scale=2, last_epoch=40),
    Cell(3, last_epoch=36),
)
WRONG: Mapping[str, tuple[Verdict, float, float]] = {
    "supported": (Verdict.SUPPORTED, -math.inf, 0.0),
    "contradicted": (Verdict.CONTRADICTED, 0.0, math.inf),
    "negligible": (Verdict.NEGLIGIBLE, 1.0, math.inf),
    "no gain": (Verdict.NOT_SUPPORTED, 1.0, math.inf),
}
"""A word, and from where to where the true effect makes it wrong."""


def is_wrong(word: str, effect: float) -> bool:
    _, low, high = WRONG[word]
    return low <= (abs(effect) if word == "negligible" else effect) <= high


def group(
    generator: random.Random,
    claim: Claim,
    effect: float,
    spread: float,
    last_epoch: float = math.inf,
    runs: int = RUNS,
) -> Sample:
    """Some runs; `effect` moves their mean, in smallest effects that matter."""
    base, sd = BASE[claim.metric], SPREAD[claim.metric] * spread
    if claim.unit == "ratio":
        values = [base * math.exp(generator.gauss(effect * math.log(claim.smallest_effect), sd)) for _ in range(runs)]
    else:
        values = [base + generator.gauss(effect * claim.smallest_effect / 100, sd) for _ in range(runs)]
    return make_sample(
        RunValue(str(seed), seed, value) if value <= last_epoch else RunValue(str(seed), seed, None, last_epoch)
        for seed, value in enumerate(values)
    )


def studies(cell: Cell, count: int, seed: int = 7) -> Iterator[list[Verdict]]:
    """The verdicts of so many studies; which of the two groups has the larger spread is drawn."""
    generator, claims = random.Random(f"{cell} {seed}"), load_claims("study")
    if math.isfinite(cell.last_epoch):
        claims = [claim for claim in claims if claim.metric == "t25"] * len(claims)
    for _ in range(count):
        samples = []
        for claim in claims:
            spreads = [cell.scale, cell.scale * cell.ratio]
            generator.shuffle(spreads)
            ours, reference = (
                group(generator, claim, effect, spread, cell.last_epoch)
                for effect, spread in zip((cell.effect, 0.0), spreads, strict=True)
            )
            samples.append((ours, reference))
        yield decide(claims, samples)


def wide_times(count: int, num_claims: int, runs: int = RUNS, seed: int = 7) -> float:
    """Share of studies of claims on T25 that support one, where no group is slower.

    The times of the group that is said to be slower spread over orders of magnitude, those of the other hardly, and
    runs end at epoch 36.
    """
    generator = random.Random(seed)
    claims = [claim for claim in load_claims("study") if claim.metric == "t25"] * num_claims

    def pair(claim: Claim) -> tuple[Sample, Sample]:
        wide, narrow = (group(generator, claim, 0.0, spread, 36.0, runs) for spread in (20.0, 0.2))
        return wide, narrow

    return sum(Verdict.SUPPORTED in decide(claims, [pair(one) for one in claims]) for _ in range(count)) / count


def rare_failures(count: int, seed: int = 7) -> float:
    """Share of studies that call the effect on the accuracy negligible, where one seed in five ends 5 points lower."""
    generator = random.Random(seed)
    claim = next(one for one in load_claims("study") if one.metric == "final_test")

    def failing(found: Sample) -> Sample:
        values = [value - 0.05 * (generator.random() < 0.2) for value in found.values]
        return make_sample(RunValue(str(seed), seed, value) for seed, value in enumerate(values))

    verdicts = [
        decide([claim], [(group(generator, claim, 0.0, 0.3), failing(group(generator, claim, 0.0, 0.3)))])
        for _ in range(count)
    ]
    return verdicts.count([Verdict.NEGLIGIBLE]) / count


def looks(count: int, number: int) -> float:
    """Share of families of so many looks, each with seeds of its own, of which one supports a claim by chance."""
    found = [Verdict.SUPPORTED in one for one in studies(Cell(0), count * number)]
    return sum(any(found[first : first + number]) for first in range(0, len(found), number)) / count


def rates(found: Sequence[Sequence[Verdict]], word: str) -> tuple[float, list[float]]:
    """The share of studies with the word for any claim, and the share of each claim."""
    verdict = WRONG[word][0]
    families = sum(verdict in one for one in found) / len(found)
    return families, [sum(one[index] is verdict for one in found) / len(found) for index in range(len(found[0]))]


def problems(cell: Cell, found: Sequence[Sequence[Verdict]], limit: float = LIMIT) -> Iterator[str]:
    """Where a cell errs more often than it may, or finds less than it should."""
    for word in WRONG:
        families, _ = rates(found, word)
        if is_wrong(word, cell.effect) and families > limit:
            yield f"{cell.name}: {word} is wrong in {families:.1%} of studies"
    if cell.effect >= POWER_AT and cell.scale <= 1 and cell.ratio == 1:
        _, claims = rates(found, "supported")
        if min(claims) < POWER:
            yield f"{cell.name}: power {min(claims):.2f}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("studies", nargs="?", type=int, default=2000, help="studies a cell (default 2000)")
    count: int = parser.parse_args().studies
    words = tuple(WRONG)
    print(f"{count} studies a cell, {RUNS} runs a group; share of studies with the word for any claim, and by claim")
    print("| true effect | " + " | ".join(words) + " |")
    print("|---|" + "---|" * len(words))
    failed: list[str] = []
    for cell in CELLS:
        found = list(studies(cell, count))
        cells = []
        for word in words:
            families, claims = rates(found, word)
            text = f"{families:.3f} ({' '.join(f'{one:.2f}' for one in claims)})"
            cells.append(f"**{text}**" if is_wrong(word, cell.effect) else text)
        print(f"| {cell.name} | {' | '.join(cells)} |", flush=True)
        failed += problems(cell, found)
    print("In bold: where the word is wrong. Where what the table takes for granted does not hold:")
    for num_claims, runs in ((1, RUNS), (3, RUNS), (12, RUNS), (3, 8)):
        print(f"times not reached, {runs} runs, {num_claims} such claims: {wide_times(count, num_claims, runs):.3f}")
    print(f"one seed in five fails, called negligible: {rare_failures(count):.3f}")
    print(f"five looks, a claim supported: {looks(count, 5):.3f}")
    print("\n".join(failed) or "Every rate is within its bound.")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
