"""The named protocols of a study, as data: which variants, what all their runs share, and what each is tried with.

A plan is a protocol's variants x seeds x tried values. Nothing outside this module's tables knows a protocol's
settings: another one is one entry here.
"""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

import msgspec

from alexnet_tui.config.hyperparameters import (
    RunConfig,
    Value,
    default_of,
    format_value,
    option_name,
    option_words,
    preset_settings,
    setting_text,
)
from alexnet_tui.config.variants import VARIANTS, nearest
from alexnet_tui.errors import ConfigError
from alexnet_tui.text import counted, quoted


class StudyProtocol(msgspec.Struct, frozen=True, kw_only=True):
    """How the runs of a study are set.

    Attributes:
        summary: One sentence for people.
        variants: The experiments it is about.
        settings: Hyperparameters that all its runs share.
        swept: What every variant and seed is trained with, once for each combination: title (``learning rate``) to
            option (``0.003``) to the settings that make it.
        claims: Name of the set of claims that its studies register, or empty.
    """

    summary: str
    variants: tuple[str, ...]
    settings: Mapping[str, Value] = msgspec.field(default_factory=lambda: MappingProxyType({}))
    swept: Mapping[str, Mapping[str, Mapping[str, Value]]] = msgspec.field(default_factory=lambda: MappingProxyType({}))
    claims: str = ""

    @property
    def fields(self) -> tuple[str, ...]:
        """The hyperparameters it decides, beside those of its variants."""
        every = [settings for options in self.swept.values() for settings in options.values()]
        return tuple(dict.fromkeys((*self.settings, *itertools.chain.from_iterable(every))))

    def grid(self) -> Iterator[dict[str, Value]]:
        """Its settings with every combination of what is tried."""
        for combination in itertools.product(*(options.values() for options in self.swept.values())):
            yield {name: value for settings in (self.settings, *combination) for name, value in settings.items()}

    def option_of(self, title: str, config: RunConfig) -> str:
        """Which option of what is tried a run has, or empty."""
        fits = (
            option
            for option, settings in self.swept[title].items()
            if all(getattr(config, name) == value for name, value in settings.items())
        )
        return next(fits, "")


def _values(name: str, *values: Value) -> Mapping[str, Mapping[str, Mapping[str, Value]]]:
    """Values of one hyperparameter, as `StudyProtocol.swept` has them."""
    options = {format_value(value): MappingProxyType({name: value}) for value in values}
    return MappingProxyType({name.replace("_", " "): MappingProxyType(options)})


REPORT, BEST_LEARNING_RATE, READINGS = "report", "best-learning-rate", "readings"
CLAIMS = "claims"
"""What a plan names in place of a protocol if its groups are those that its claims need."""
_DECAYS: Mapping[str, Mapping[str, Value]] = {
    "of weights": MappingProxyType({"schedule": "constant", "weight_decay": 5e-4}),
    "of the rate": MappingProxyType({"schedule": "inverse-time", "rate_decay": 5e-4, "weight_decay": 0.0}),
}
_MIRRORING: Mapping[str, Mapping[str, Value]] = {
    "yes": MappingProxyType({"augmentation": "flip"}),
    "no": MappingProxyType({"augmentation": "none"}),
}
PROTOCOLS: Mapping[str, StudyProtocol] = MappingProxyType(
    {
        REPORT: StudyProtocol(
            summary="As the study: its four experiments with one learning rate.",
            variants=tuple(VARIANTS),
            claims="study",
        ),
        # Krizhevsky et al. 2012, Figure 1; the rates are those of this program, the paper names none.
        BEST_LEARNING_RATE: StudyProtocol(
            summary="As the paper's Figure 1: ReLU and tanh at three learning rates each, nothing regularised.",
            variants=("baseline", "tanh"),
            settings=MappingProxyType({"dropout": 0.0, "weight_decay": 0.0}),
            swept=_values("learning_rate", 0.003, 0.01, 0.03),
        ),
        # What the study leaves open: whether its decay of 0.0005 is of weights or of the rate (`SGD(decay=0.0005)` in
        # Keras then), whether images are mirrored, the learning rate, and the padding of its Keras layers.
        READINGS: StudyProtocol(
            summary="What the study does not say: its decay, mirroring, learning rate and padding, each way.",
            variants=tuple(VARIANTS),
            swept=MappingProxyType(
                {
                    **_values("front_end", "literal32", "keras-valid", "keras-same"),
                    "decay": MappingProxyType(_DECAYS),
                    "mirroring": MappingProxyType(_MIRRORING),
                    **_values("learning_rate", 0.003, 0.006, 0.01),
                }
            ),
        ),
    }
)


def plan_configs(
    protocol: str, variants: Sequence[str], seeds: Sequence[int], overrides: Mapping[str, str]
) -> list[RunConfig]:
    """The runs of a plan, seed by seed so that a stopped study is balanced.

    Args:
        protocol: Name of the protocol.
        variants: Which of its experiments.
        seeds: The seeds of each.
        overrides: Other fields of every run, as a person would type them.

    Raises:
        ConfigError: A name is not known, an override is out of range, or it is for the protocol or a variant to decide.
    """
    if protocol not in PROTOCOLS:
        raise ConfigError("protocol", f"there is no {quoted(protocol)}; {nearest(protocol, PROTOCOLS)}")
    spec = PROTOCOLS[protocol]
    for variant in variants:
        if variant not in spec.variants:
            raise ConfigError("variants", f"there is no {quoted(variant)}; {nearest(variant, spec.variants)}")
    for name in spec.fields:
        if name in overrides:
            raise ConfigError(name, f"the protocol {protocol} decides it; leave {option_name(name)} away.")
    for variant in variants:
        for name, value in VARIANTS[variant].settings.items():
            if name in overrides:
                what = f"{setting_text(name, value)} is what makes {variant}"
                raise ConfigError(name, f"{what}; leave {option_name(name)} or that variant away.")
    cells = [{name: format_value(value) for name, value in cell.items()} for cell in spec.grid()]
    return [
        RunConfig.from_text({**overrides, **cell, "variant": variant, "seed": str(seed)})
        for seed in seeds
        for variant in variants
        for cell in cells
    ]


def swept_text(protocol: str, config: RunConfig) -> str:
    """What distinguishes runs of one variant and seed under a protocol: ``learning rate 0.003``; else empty."""
    return ", ".join(f"{title} {option}" for title, option in _swept_options(protocol, config).items())


def unusual_options(protocol: str, config: RunConfig) -> dict[str, str]:
    """The same by title, without what the program does by itself."""
    usual = _swept_options(protocol, RunConfig())
    return {title: one for title, one in _swept_options(protocol, config).items() if one != usual.get(title)}


def _swept_options(protocol: str, config: RunConfig) -> dict[str, str]:
    spec = PROTOCOLS.get(protocol, PROTOCOLS[REPORT])
    return {title: option for title in spec.swept if (option := spec.option_of(title, config))}


def factors_of(protocol: str, num_groups: int, num_seeds: int) -> dict[str, int]:
    """The numbers of which a plan's number of runs is the product, by what there are so many of."""
    if protocol not in PROTOCOLS:
        return {"group": num_groups, "seed": num_seeds}
    swept = PROTOCOLS[protocol].swept.items()
    return {"variant": num_groups, "seed": num_seeds, **{title: len(options) for title, options in swept}}


def size_text(factors: Mapping[str, int]) -> str:
    """How many runs a plan has: ``2 variants x 5 seeds x 3 learning rates = 30 runs``."""
    product = " x ".join(counted(count, noun) for noun, count in factors.items())
    return f"{product} = {counted(math.prod(factors.values()), 'run')}"


def contents_text(protocol: str) -> str:
    """What the runs of a protocol have apart and what it sets for all of them: the beginning of a sentence."""
    spec = PROTOCOLS[protocol]
    apart = [f"{title} ({', '.join(options)})" for title, options in {"variant": spec.variants, **spec.swept}.items()]
    shared = " and ".join(setting_text(name, value) for name, value in spec.settings.items())
    return f"Its runs differ in {', '.join(apart)} and seed alone" + (f"; all have {shared}" if shared else "")


def plan_command(
    protocol: str, name: str, like: RunConfig | None, fields: Sequence[str], *, first_seed: int = 0
) -> list[str]:
    """The words of the command that plans a study of a protocol.

    Args:
        protocol: Name of the protocol.
        name: Name of the study.
        like: A run whose settings the study is to have, where there is one.
        fields: Which of its settings.
        first_seed: The first that no run at hand has.
    """
    words = ["study", "new", name, "--protocol", protocol]
    if first_seed:
        words += ["--first-seed", str(first_seed)]
    if like is not None:
        preset = preset_settings("baseline", like.front_end)
        for one in fields:
            value, usual = getattr(like, one), preset.get(one, default_of(one))
            if value != usual and one not in PROTOCOLS[protocol].fields:
                words += option_words(one, value)
    return words


def parse_seeds(text: str, *, most: int, first: int = 0) -> range:
    """Seeds as a person writes them: ``5`` is that many from `first` on, ``10-14`` those five.

    Raises:
        ConfigError: The text is neither, or means more than `most` seeds.
    """
    allowed = f"a number from 1 to {most}, or two with a dash, such as 5-9"
    if not text.strip():
        raise ConfigError("seeds", f"needs {allowed}.")
    begin, dash, end = text.partition("-")
    try:
        start, stop = (int(begin), int(end) + 1) if dash else (first, first + int(begin))
    except ValueError:
        start = stop = 0
    if not 0 < stop - start <= most:  # Not len(range()): a number may be larger than any length.
        raise ConfigError("seeds", f"must be {allowed}, not {quoted(text, 30)}.")
    return range(start, stop)
