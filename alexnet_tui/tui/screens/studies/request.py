"""What a person asks for in the form of a study: the texts of its fields, and the plan that they make; no widgets."""

import functools
from collections.abc import Collection, Mapping
from types import MappingProxyType

import msgspec

from alexnet_tui.analysis.metrics import heading_of
from alexnet_tui.config.claims import Claim, find_claims, group_config, groups_of
from alexnet_tui.config.hyperparameters import RunConfig, format_value, settings_text
from alexnet_tui.config.protocols import (
    CLAIMS,
    PROTOCOLS,
    REPORT,
    contents_text,
    factors_of,
    parse_seeds,
    plan_configs,
    size_text,
)
from alexnet_tui.errors import ClaimError, ConfigError, UsageError
from alexnet_tui.files import Stamp, file_stamp
from alexnet_tui.studies.plan import MAX_CELLS
from alexnet_tui.studies.study_queue import MAX_AT_ONCE
from alexnet_tui.text import counted, printable, quoted

MAX_SEEDS = 1000
REPRODUCTION = "reproduction"
PROTOCOLS_OWN = "protocol"
"""The choice of claims that leaves them to the protocol."""
ALL = "all"
_CONFIGURED = "front end, data, epochs and images are those above, everything else stays as each variant's preset."
_CONFIG_FIELDS = ("front_end", "data", "epochs", "train_images")


@functools.lru_cache(8)
def _claims_of(name: str, _: Stamp | None) -> list[Claim] | str:
    """The claims of a set or of a file in some state, or why there are none: with every key they are asked for."""
    try:
        return find_claims(name)
    except (ClaimError, UsageError) as error:
        return str(error)


def free_name(protocol: str, taken: Collection[str]) -> str:
    """A name for a study of a protocol that no other study has."""
    stem = REPRODUCTION if protocol == REPORT else protocol
    names = (stem, *(f"{stem}-{number}" for number in range(2, len(taken) + 3)))
    return next(name for name in names if name not in taken)


def defaults(name: str) -> dict[str, str]:
    """The whole study: all variants, five seeds."""
    config = RunConfig()
    return {
        "name": name,
        "protocol": REPORT,
        "variants": ALL,
        "seeds": "5",
        "claims": PROTOCOLS_OWN,
        **{one: format_value(getattr(config, one)) for one in _CONFIG_FIELDS},
        "at_once": "1",
    }


class StudyRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What a person asked for, as typed.

    Attributes:
        texts: Field to what is in it.
        starts: A worker is to start at once.
        may_download: The person has agreed to a download of its data set.
    """

    texts: Mapping[str, str] = msgspec.field(default_factory=lambda: MappingProxyType({}))
    starts: bool
    may_download: bool = False

    @property
    def name(self) -> str:
        """Name of the study."""
        return self.texts["name"].strip()

    @property
    def protocol(self) -> str:
        """Name of its protocol."""
        return self.texts["protocol"]

    @property
    def has_own_claims(self) -> bool:
        """Whether a set of claims, and not the protocol, decides the groups of runs."""
        return self.texts["claims"] != PROTOCOLS_OWN

    @property
    def claims(self) -> list[Claim]:
        """What the plan registers; none where the protocol has no claims.

        Raises:
            ConfigError: The set or the file cannot be read.
        """
        name = self.texts["claims"] if self.has_own_claims else PROTOCOLS[self.protocol].claims
        found = _claims_of(name, file_stamp(name, follows_links=True)) if name else []
        if isinstance(found, str):
            raise ConfigError("claims", found)
        return found

    @property
    def variants(self) -> list[str]:
        """The variants, as `planning.plan_variants` takes them."""
        text = self.texts["variants"].strip()
        words = [word.strip() for word in text.split(",") if word.strip()]
        if not words:
            raise ConfigError("variants", f"name some, or {ALL}")
        if repeated := next((word for word in words if words.count(word) > 1), ""):
            raise ConfigError("variants", f"{quoted(repeated, 40)} is named more than once")
        return list(PROTOCOLS[self.protocol].variants) if text == ALL else words

    @property
    def seeds(self) -> range:
        """The seeds, as `parse_seeds` reads them."""
        return parse_seeds(self.texts["seeds"], most=MAX_SEEDS)

    @property
    def at_once(self) -> int:
        """How many runs may train at the same time."""
        text = self.texts["at_once"].strip()
        if not (text.isdecimal() and 1 <= int(text[:6]) <= MAX_AT_ONCE):
            raise ConfigError("at_once", f"a number from 1 to {MAX_AT_ONCE}")
        return int(text)

    @property
    def overrides(self) -> dict[str, str]:
        """The fields of every run that differ from the defaults."""
        usual = defaults("")
        texts = {name: self.texts[name].strip() for name in _CONFIG_FIELDS}
        return {name: text for name, text in texts.items() if text != usual[name]}

    def description(self) -> str:
        """What the plan registers, claim by claim, and how its runs are set."""
        try:
            claims = self.claims
        except ConfigError as problem:
            return printable(problem.reason, 400)
        heading = f"Registers {counted(len(claims), 'claim')}:" if claims else "Registers no claims."
        notes = [f"Note: {reason}." for reason in self.notes()]
        registered = "\n".join([*notes, heading, *(f"- {claim_text(claim)}" for claim in claims)])
        if self.has_own_claims:
            return f"{registered}\nIts runs are those that the claims need, with every seed; {_CONFIGURED}"
        summary = PROTOCOLS[self.protocol].summary
        return f"{registered}\n{summary} {contents_text(self.protocol)}; {_CONFIGURED}"

    def notes(self) -> list[str]:
        """What to know of the claims, and why some get no verdict; nothing where what is typed makes no plan."""
        from alexnet_tui.analysis.verdict.claim_checks import remarks, unassessable  # Not needed to open the form.

        try:
            claims, seeds = self.claims, self.seeds
            if self.has_own_claims:
                groups = groups_of(claims, self.overrides).values()
                configs = [group_config(settings, self.overrides) for settings in groups]
            else:
                configs = plan_configs(self.protocol, self.variants, seeds[:1], self.overrides)
        except ConfigError:
            return []
        return [*remarks(claims, len(seeds)), *unassessable(claims, configs, len(seeds))]

    def size(self) -> str:
        """How many runs that makes.

        Raises:
            ConfigError: What is typed makes no plan.
        """
        variants, seeds = self.variants, self.seeds
        if self.has_own_claims:
            return self._size_of_claims(len(seeds))
        largest = plan_configs(self.protocol, variants, seeds[-1:], self.overrides)  # Only it can be out of range.
        _check_num_runs(len(largest), len(seeds))
        _ = self.at_once
        return size_text(factors_of(self.protocol, len(variants), len(seeds)))

    def _size_of_claims(self, num_seeds: int) -> str:
        for name in ("protocol", "variants"):
            if self.texts[name].strip() != defaults("")[name]:
                raise ConfigError(name, f"the claims decide the groups of runs; leave it at {defaults('')[name]}")
        from alexnet_tui.analysis.verdict.claim_checks import problems  # Not needed to open the form.

        _ = self.at_once
        claims = self.claims
        if found := problems(claims, self.overrides):
            raise ConfigError("claims", " ".join(found))
        groups = groups_of(claims, self.overrides)
        _check_num_runs(len(groups), num_seeds)
        return size_text(factors_of(CLAIMS, len(groups), num_seeds))


def _check_num_runs(runs_a_seed: int, num_seeds: int) -> None:
    if runs_a_seed * num_seeds > MAX_CELLS:
        runs = f"{runs_a_seed * num_seeds:,} runs"
        raise ConfigError("seeds", f"{counted(num_seeds, 'seed')} make {runs}; a study has {MAX_CELLS:,} at most")


def claim_text(claim: Claim) -> str:
    """A claim in one sentence: ``relu-...: t25 lower with activation relu than tanh, 1.1 times or more``."""
    differing = [name for name in claim.group if claim.group[name] != claim.reference[name]]
    group = settings_text({name: claim.group[name] for name in differing})
    reference = ", ".join(format_value(claim.reference[name]) for name in differing)
    least = claim.smallest_effect_text
    return f"{claim.name}: {heading_of(claim.metric)} {claim.direction} with {group} than {reference}, {least} or more"
