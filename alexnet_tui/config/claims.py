"""Claims as data: what a claim compares, and the TOML files that hold sets of them.

A claim names a metric and two groups of runs by the hyperparameters in which they differ. What a study registers is
a list of these, word for word.
"""

import math
import os
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import msgspec

from alexnet_tui.config.hyperparameters import RunConfig, Value, default_of, format_value, parse_field
from alexnet_tui.config.variants import VARIANTS, nearest
from alexnet_tui.errors import ClaimError, ConfigError, UsageError
from alexnet_tui.files import reason_of
from alexnet_tui.text import printable, quoted
from alexnet_tui.validation_errors import Fault, fault_of

RULES_VERSION = 8
"""Version of the rules by which claims are judged; part of every plan.

3 leaves out runs whose numbers were known before the plan and runs that were begun anew for other numbers, asks every
precondition for a value of each run, compares times of one machine only, knows no bound of an epoch of convergence, and
compares nothing where no run of either group got there. 4 asks each run, not the mean of its group, to have learned
something; asks for 1,000 training images behind a gap or a training error; takes numbers for known from the first epoch
on; and knows no onset of over-fitting of a run whose loss still fell. 5 compares no times of runs that reached the mark
before their first measurement, and lets none of these meet a precondition. 6 asks Welch's test too where times were not
reached. 7 assesses no claim whose smallest effect is larger than any effect can be, and no plan of another alpha; asks
Welch's test of such times also where an effect is said to be smaller than what matters; and tells two groups apart of
which all runs of the one reached the mark within the first epoch and all of the other later. 8 takes for known what has
the first epoch of an earlier run, by its settings as float32 has them or by its loss, whatever its schedule, and though
it was deleted; counts no run of which an epoch was trained again until it had come to three results; compares no front
ends; and compares losses, by differences in nats or by ratios.
"""
ALPHA = 0.05
"""Probability, over all claims of a plan, of calling one supported that is not."""
EffectUnit = Literal["points", "nats", "ratio"]
SMALLEST_EFFECTS: Mapping[EffectUnit, tuple[float, float]] = {
    "points": (0.0, 100.0),
    "nats": (0.0, 100.0),
    "ratio": (1.0, 1000.0),
}
"""By unit: between these lies every effect that may be registered as the smallest that matters.

No accuracies lie 100 points apart, no losses 100 nats, and a thousandfold effect is too small to matter for nobody:
within a wider margin the effect lies whatever the runs say.
"""
MAX_CLAIMS = 50
_MAX_BYTES = 1 << 20
_FOLDER = Path(__file__).parent / "claim_sets"
_T = TypeVar("_T")
_Name = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,63}\Z")]
_Metric = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9_]{1,64}$")]
_Sentence = Annotated[str, msgspec.Meta(min_length=1, max_length=500)]


class Precondition(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What must hold for a claim to be assessed: the mean of a metric over one group's runs is large enough.

    Attributes:
        metric: Name of the metric.
        of: The group that is looked at.
        at_least: Smallest mean, in the metric's unit (points for accuracies and gaps).
        why: The reason, for people.
    """

    metric: _Metric
    of: Literal["group", "reference"]
    at_least: float
    why: _Sentence


class Claim(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One claim: `metric` of `group` is said to be `direction` than that of `reference`.

    Attributes:
        name: For files and commands.
        statement: The claim in the words of who made it.
        source: Who made it, and where.
        metric: Name of the metric that decides.
        group: Hyperparameters that make the runs the claim is about; all others are those of the plan.
        reference: Hyperparameters of the runs they are compared with; the same names as in `group`.
        direction: How the metric of `group` is said to lie to that of `reference`.
        unit: What the effect counts: a difference of shares in points or of losses in nats, or a ratio of values.
        smallest_effect: The smallest effect that matters, in that unit.
        precondition: What must hold for the claim to be assessed.
    """

    name: _Name
    statement: _Sentence
    source: _Sentence = "own claim"
    metric: _Metric
    group: dict[str, Value]
    reference: dict[str, Value]
    direction: Literal["higher", "lower"]
    unit: EffectUnit
    smallest_effect: float
    precondition: list[Precondition] = []

    @property
    def groups(self) -> tuple[Mapping[str, Value], Mapping[str, Value]]:
        """The settings of both groups, that of the claim first."""
        return self.group, self.reference

    @property
    def is_ratio(self) -> bool:
        """Whether the effect is a ratio of values, not a difference."""
        return self.unit == "ratio"

    def turned(self, one: _T, other: _T) -> tuple[_T, _T]:
        """From (group, reference) to (claimed to be larger, claimed to be smaller), and back."""
        return (one, other) if self.direction == "higher" else (other, one)

    @property
    def effect_fault(self) -> str:
        """What is wrong with the smallest effect that matters, or empty."""
        low, high = SMALLEST_EFFECTS[self.unit]
        if low < self.smallest_effect < high:
            return ""
        kind = "ratio" if self.is_ratio else "number"
        return f"smallest_effect must be a {kind} above {low:g} and below {high:g}, not {self.smallest_effect:g}."

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metric that decides, and those of the preconditions."""
        return tuple(dict.fromkeys((self.metric, *(one.metric for one in self.precondition))))

    @property
    def smallest_effect_text(self) -> str:
        """The smallest effect that matters, with its unit: ``1 point``, ``0.05 nats``, ``1.1x``."""
        if self.is_ratio:
            return f"{self.smallest_effect:g}x"
        return f"{self.smallest_effect:g} {self.unit.removesuffix('s') if self.smallest_effect == 1 else self.unit}"


class _ClaimFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    claim: Annotated[list[Claim], msgspec.Meta(min_length=1, max_length=MAX_CLAIMS)]


_VALUES = {
    "name": "small letters, digits and -, at most 64",
    "statement": "a sentence of at most 500 letters",
    "source": "a sentence of at most 500 letters",
    "metric": "the name of a metric",
    "group": "hyperparameters and their values, as { dropout = 0.5 }",
    "reference": "hyperparameters and their values, as { dropout = 0.5 }",
    "direction": "higher or lower",
    "unit": "points, nats or ratio",
    "smallest_effect": "a number",
    "precondition": "tables, each below [[claim.precondition]]",
    "of": "group or reference",
    "at_least": "a number",
    "why": "a sentence of at most 500 letters",
}
"""What each field of a claim and of a precondition holds."""


def _in_plain_words(fault: Fault) -> str:
    """What is wrong with a file of claims, as a sentence for who wrote it."""
    tables = list(zip((Claim, Precondition), fault.positions, strict=False))
    where = ", ".join(f"{table.__name__.lower()} {position + 1}" for table, position in tables)
    if where and fault.missing is not None:
        return f"{where}: {fault.missing} is missing ({_VALUES[fault.missing]})."
    if where and fault.unknown is not None:
        hint = nearest(fault.unknown, tables[-1][0].__struct_fields__)
        return f"{where}: there is no field {quoted(fault.unknown)}; {hint}"
    if where and fault.names[-1] in _VALUES:
        return f"{where}: {fault.names[-1]} must be {_VALUES[fault.names[-1]]}."
    only = f"it holds 1 to {MAX_CLAIMS} claims, each below a line [[claim]], and nothing else"
    return f"{only}; take out {quoted(fault.unknown)}." if fault.unknown is not None else f"{only}."


def claim_sets() -> list[str]:
    """The sets of claims that come with the package."""
    return sorted(path.stem for path in _FOLDER.glob("*.toml"))


def load_claims(name: str) -> list[Claim]:
    """A set of claims that comes with the package.

    Raises:
        ClaimError: There is no such set.
    """
    if name not in claim_sets():
        raise ClaimError("claims", [f"there is no set {quoted(name)}; {nearest(name, claim_sets())}"])
    return read_claim_file(claim_set_path(name))


def claim_set_path(name: str) -> Path:
    """Where a set of the package lies: an example of how a file of claims is written."""
    return _FOLDER / f"{name}.toml"


def find_claims(text: str) -> list[Claim]:
    """The claims of a set of the program or of a file.

    Raises:
        UsageError: There is neither.
        ClaimError: The file holds no claims, or wrong ones.
    """
    if text in claim_sets():
        return load_claims(text)
    if not os.path.lexists(text):
        hint = nearest(text, claim_sets())
        raise UsageError(f"there is no set of claims and no file {quoted(text)}; {hint}")
    return read_claim_file(Path(text))


def claim_files(folder: Path) -> list[str]:
    """Names of the TOML files of a folder that have claims in them, right ones or wrong ones."""
    found = []
    for path in sorted(folder.glob("*.toml")):
        if os.path.isfile(path):  # Nothing is ever read from a pipe that nobody was asked about.
            with suppress(ClaimError):
                found += [path.name] if "claim" in _read_toml(path) else []
    return found


def read_claim_file(path: Path) -> list[Claim]:
    """The claims of a TOML file, each checked.

    Raises:
        ClaimError: The file cannot be read, or a claim in it is not one; with a sentence for each fault.
    """
    try:
        claims = msgspec.convert(_read_toml(path), _ClaimFile).claim
    except msgspec.ValidationError as error:
        raise ClaimError(path, [printable(_in_plain_words(fault_of(error)), 300)]) from error
    problems: list[str] = []
    claims = [_checked(claim, problems) for claim in claims]
    repeated = sorted({claim.name for claim in claims if sum(one.name == claim.name for one in claims) > 1})
    problems += [f"{name}: there are several claims of this name." for name in repeated]
    if problems:
        raise ClaimError(path, problems)
    return claims


def _read_toml(path: Path) -> dict[str, object]:
    """What a TOML file holds.

    Raises:
        ClaimError: It cannot be read.
    """
    import tomllib  # The command line begins without it.

    try:
        with path.open("rb") as file:
            text = file.read(_MAX_BYTES + 1)
        if len(text) > _MAX_BYTES:
            raise ClaimError(path, ["it is too large for claims."])
        return tomllib.loads(text.decode())
    except OSError as error:
        raise ClaimError(path, [f"it cannot be read ({reason_of(error)})."]) from error
    except (ValueError, RecursionError) as error:  # No UTF-8, no TOML, or a number of thousands of digits.
        raise ClaimError(path, [f"it is no TOML: {printable(str(error), 200)}"]) from error


def group_config(settings: Mapping[str, Value], overrides: Mapping[str, str], seed: int = 0) -> RunConfig:
    """A run of a group: what a plan sets for all runs, and on top of it what makes the group.

    Args:
        settings: The group's hyperparameters, as `Claim.group` or `Claim.reference` has them.
        overrides: The plan's, as a person would type them.
        seed: The run's seed.

    Raises:
        ConfigError: A value is out of range, or two contradict each other.
    """
    fields = {**overrides, **{name: format_value(value) for name, value in settings.items()}, "seed": str(seed)}
    config = RunConfig.from_text(fields)
    # The variant is a name: that of the preset which says most of what is set here.
    alike = [name for name, variant in VARIANTS.items() if _has(config, variant.settings)]
    return msgspec.structs.replace(config, variant=max(alike, key=lambda name: len(VARIANTS[name].settings)))


def _has(config: RunConfig, settings: Mapping[str, Value]) -> bool:
    return all(getattr(config, name) == value for name, value in settings.items())


def groups_of(claims: Sequence[Claim], overrides: Mapping[str, str]) -> dict[str, dict[str, Value]]:
    """The groups that a plan of these claims needs, each once: name to what makes it differ from the plan's base.

    ``group_config(settings, overrides, seed)`` is the configuration of each of its runs.

    Args:
        claims: What is to be judged.
        overrides: What the plan sets for all its runs, as a person would type it.

    Raises:
        ConfigError: A group has a value that its other settings do not allow.
    """
    base = group_config({}, overrides)
    groups: dict[str, dict[str, Value]] = {}
    known: dict[RunConfig, str] = {}
    for claim in claims:
        for settings in reversed(claim.groups):
            changed = {name: value for name, value in settings.items() if getattr(base, name) != value}
            config = group_config(changed, overrides)
            if config not in known:
                known[config] = _group_name(config, changed)
                groups[known[config]] = changed
    return groups


def _group_name(config: RunConfig, changed: Mapping[str, Value]) -> str:
    """The variant, where that says it all; else the settings: ``lrn-true``, ``dropout-0-weight-decay-0``."""
    if changed == dict(VARIANTS[config.variant].settings):
        return config.variant
    text = "-".join(f"{name}-{format_value(value)}" for name, value in changed.items())
    return re.sub(r"[^a-z0-9.]+", "-", text.lower()) or config.variant


def _without_presets(claim: Claim) -> list[Mapping[str, Value]]:
    """The settings of both groups, with those that a variant stands for in place of its name."""
    variants = [VARIANTS.get(str(settings.get("variant", ""))) for settings in claim.groups]
    known = [variant for variant in variants if variant is not None]
    if len(known) < len(variants):
        return list(claim.groups)
    meant = dict.fromkeys(name for variant in known for name in variant.settings)
    return [
        {name: variant.settings.get(name, default_of(name)) for name in meant}
        | {name: value for name, value in settings.items() if name != "variant"}
        for variant, settings in zip(known, claim.groups, strict=True)
    ]


def _checked(claim: Claim, problems: list[str]) -> Claim:
    """The claim with its settings as values of their hyperparameters' types: 0.5 and "0.5" are one.

    Args:
        claim: As a file has it.
        problems: Gets a sentence for each fault.
    """
    found = []
    canonical: tuple[dict[str, Value], dict[str, Value]] = ({}, {})
    for settings, values in zip(_without_presets(claim), canonical, strict=True):
        for field, value in settings.items():
            try:
                values[field] = parse_field(field, format_value(value))
            except ConfigError as error:
                found.append(str(error))
    if not claim.group or claim.group.keys() != claim.reference.keys():
        found.append("group and reference must set the same hyperparameters, at least one.")
    elif canonical[0] == canonical[1]:
        found.append("group and reference are the same runs.")
    if fault := claim.effect_fault:
        found.append(fault)
    for number, one in enumerate(claim.precondition, start=1):
        if not math.isfinite(one.at_least):
            found.append(f"precondition {number}: at_least must be {_VALUES['at_least']}, not {one.at_least:g}.")
    problems += [f"{claim.name}: {problem}" for problem in found]
    return msgspec.structs.replace(claim, group=canonical[0], reference=canonical[1])
