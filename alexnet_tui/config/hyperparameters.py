"""`RunConfig`: every hyperparameter once, with its default, unit, range and help.

The command line, the form, the README table and the layer that reads ``run.json`` are all generated from the
fields below; a new hyperparameter is one field. Text is parsed here and nowhere else.
"""

import math
import re
from array import array
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import msgspec

from alexnet_tui.config.architecture import POOL_KERNELS, Architecture, layer_shapes
from alexnet_tui.config.front_ends import FRONT_ENDS
from alexnet_tui.config.variants import EXPERIMENT_NAMES, VARIANTS, nearest
from alexnet_tui.errors import ConfigError
from alexnet_tui.files import sha256_of
from alexnet_tui.text import printable, quoted

Value = str | int | float | bool
_HIGH_UNTOLD = 10_000
LENGTH_SCHEDULES = frozenset(("step",))
"""Schedules whose learning rate depends on the number of epochs of the whole run."""
NO_RESULT_FIELDS = frozenset(
    ("variant", "seed", "device", "precision", "threads", "checkpoint_epochs", "log_steps"),
)
"""Hyperparameters that change no result, are compared by what they led to, or name a preset."""
_OTHERWISE_KEYED = frozenset(
    ("data", "train_images", "train_eval_images", "schedule", "rate_decay", "removed_conv_layer")
)
_ANY_CLASSES = 10
HOLDOUT_SHARE = 0.1  # Of the training images, what `split` holdout keeps back.


class Spec(msgspec.Struct, frozen=True, kw_only=True):
    """What a person needs to know to set one hyperparameter.

    Attributes:
        help: One sentence.
        group: Heading under which forms and help screens list it.
        short: What it is called where there is little room, and in filters; empty where its name is short.
        choices: The allowed words, or none.
        low: Smallest allowed number, or None.
        high: Largest allowed number, or None.
        low_open: The smallest number itself is not allowed.
        unit: What the number counts, or empty.
        pattern: Regular expression that text must match whole, or empty.
        zero: Word that the number 0 stands for, where it is no amount, or empty; it may be typed too.
        step: What one step up adds to the number; 0 where steps lead along 1, 2, 5, 10, 20, ...
        factor: What one step up multiplies the number by instead; 0 for none.
        first: The first number above 0 that steps along 1, 2, 5 lead to.
    """

    help: str
    group: str
    short: str = ""
    choices: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    low_open: bool = False
    unit: str = ""
    pattern: str = ""
    zero: str = ""
    step: float = 0.0
    factor: float = 0.0
    first: float = 1.0


class RunConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The complete description of one training run; the defaults are the study's own settings.

    Raises:
        ConfigError: A value is out of range or two values contradict each other.
    """

    variant: Annotated[
        str,
        Spec(
            help=f"The study's experiments: {EXPERIMENT_NAMES}.",
            group="experiment",
            choices=tuple(VARIANTS),
        ),
    ] = "baseline"
    front_end: Annotated[
        str,
        Spec(
            help="How an image enters the network; never compare runs across front ends.",
            group="experiment",
            choices=tuple(FRONT_ENDS),
        ),
    ] = "literal32"
    data: Annotated[
        str,
        Spec(
            help="Data set: synthetic, cifar10, cifar100, or a name given to `alexnet-tui data add`.",
            group="experiment",
            pattern=r"[a-z0-9][a-z0-9_-]{0,63}",
        ),
    ] = "cifar10"
    seed: Annotated[
        int,
        Spec(
            help="Decides initial weights, shuffling, augmentation and dropout.",
            group="experiment",
            low=0,
            high=2**31 - 1,
            step=1,
        ),
    ] = 0
    epochs: Annotated[
        int,
        Spec(help="Passes over the training images.", group="experiment", low=1, high=100_000, unit="epochs"),
    ] = 100
    activation: Annotated[
        str,
        Spec(
            help="Non-linearity after every layer but the last.",
            group="architecture",
            short="act",
            choices=("relu", "tanh"),
        ),
    ] = "relu"
    dropout: Annotated[
        float,
        Spec(
            help="Probability of zeroing a unit of the two hidden dense layers.",
            group="architecture",
            low=0,
            high=0.95,
            step=0.05,
        ),
    ] = 0.5
    removed_conv_layer: Annotated[
        str,
        Spec(
            help="Convolutional layer to leave out.",
            group="architecture",
            short="removed",
            choices=("none", "3", "4", "5"),
        ),
    ] = "none"
    lrn: Annotated[bool, Spec(help="Local response normalisation after layers 1 and 2.", group="architecture")] = False
    pooling: Annotated[
        str,
        Spec(
            help="Max pooling: overlapping windows, 3x3 with stride 2, as the 2012 paper; plain: 2x2 with stride 2.",
            group="architecture",
            choices=tuple(POOL_KERNELS),
        ),
    ] = "overlapping"
    groups: Annotated[
        int,
        Spec(
            help="2 splits layers 2, 4 and 5 as on the 2012 paper's two GPUs; 1 does not.",
            group="architecture",
            low=1,
            high=2,
            step=1,
        ),
    ] = 1
    init: Annotated[
        str,
        Spec(
            help="Initial weights: Glorot (Keras' default), the 2012 paper's N(0, 0.01) with biases of 1, or He.",
            group="architecture",
            choices=("glorot", "paper", "he"),
        ),
    ] = "glorot"
    learning_rate: Annotated[
        float,
        Spec(
            help="Step size of stochastic gradient descent.",
            group="optimisation",
            short="lr",
            low=0,
            low_open=True,
            high=1e6,
            first=1e-5,
        ),
    ] = 0.01
    schedule: Annotated[
        str,
        Spec(
            help="Learning rate: constant; plateau divides it by 10 when the error stalls, at most 3 times (the"
            " validation error, or the test error without --split holdout); step divides it by 10 after 50% and 75%"
            " of the epochs; inverse-time divides it by 1 + rate decay x updates so far.",
            group="optimisation",
            short="sched",
            choices=("constant", "plateau", "step", "inverse-time"),
        ),
    ] = "constant"
    rate_decay: Annotated[
        float,
        Spec(
            help="Decay of the learning rate per update, with --schedule inverse-time alone: Keras' SGD(decay=...).",
            group="optimisation",
            short="decay",
            low=0,
            high=1,
            first=1e-6,
        ),
    ] = 5e-4
    momentum: Annotated[
        float,
        Spec(
            help="Momentum of stochastic gradient descent.",
            group="optimisation",
            short="mom",
            low=0,
            high=0.9999,
            step=0.05,
        ),
    ] = 0.9
    weight_decay: Annotated[
        float,
        Spec(
            help="Decay of every weight, per unit of learning rate; biases do not decay.",
            group="optimisation",
            short="wd",
            low=0,
            high=1,
            first=1e-5,
        ),
    ] = 5e-4
    batch_size: Annotated[
        int,
        Spec(help="Images per update.", group="optimisation", short="bs", low=1, high=65_536, unit="images", factor=2),
    ] = 128
    augmentation: Annotated[
        str,
        Spec(
            help="Random changes to training images: mirror, mirror and shift, or these with PCA colour, as the 2012"
            " paper.",
            group="data",
            short="aug",
            choices=("none", "flip", "flip-crop", "paper"),
        ),
    ] = "flip"
    preprocessing: Annotated[
        str,
        Spec(
            help="standardise: mean 0 and standard deviation 1 per channel, as the study; mean: pixels from 0 to 255"
            " less the mean training image, as the 2012 paper.",
            group="data",
            short="prep",
            choices=("standardise", "mean"),
        ),
    ] = "standardise"
    split: Annotated[
        str,
        Spec(
            help="paper, as the 2012 paper, trains on every training image; holdout keeps a tenth back for validation.",
            group="data",
            choices=("paper", "holdout"),
        ),
    ] = "paper"
    train_images: Annotated[
        int,
        Spec(
            help="Training images to use, the same share of each class; 0 uses all.",
            group="data",
            short="images",
            low=0,
            high=100_000_000,
            unit="images",
            zero="all",
            first=100,
        ),
    ] = 0
    train_eval_images: Annotated[
        int,
        Spec(
            help="Training images, fixed and stratified, on which the training error is measured each epoch.",
            group="data",
            short="eval images",
            low=1,
            high=100_000_000,
            unit="images",
            first=100,
        ),
    ] = 10_000
    precision: Annotated[
        str,
        Spec(
            help="Arithmetic: bf16 keeps float32 master weights; auto takes bf16 where the hardware has it.",
            group="machine",
            choices=("auto", "fp32", "bf16"),
        ),
    ] = "auto"
    device: Annotated[
        str,
        Spec(
            help="Where to train: auto, cpu, cuda, cuda:1, mps.",
            group="machine",
            pattern=r"auto|cpu|cuda(:[0-9]{1,3})?|mps",
        ),
    ] = "auto"
    threads: Annotated[
        int,
        Spec(
            help="CPU threads; 0 (auto) times a few updates with every core, half of them and one, and takes the "
            "fastest.",
            group="machine",
            low=0,
            high=1024,
            unit="threads",
            zero="auto",
            step=1,
        ),
    ] = 0
    checkpoint_epochs: Annotated[
        int,
        Spec(help="Epochs between two checkpoints.", group="machine", low=1, high=100_000, unit="epochs"),
    ] = 10
    log_steps: Annotated[
        int,
        Spec(help="Updates between two reports of the loss.", group="machine", low=1, high=1_000_000, unit="steps"),
    ] = 10

    def __post_init__(self) -> None:
        for name, spec in SPECS.items():
            _check(name, getattr(self, name), spec)

    @classmethod
    def from_text(cls, fields: Mapping[str, str]) -> "RunConfig":
        """Parse what a person typed; fields left out take the variant's and the front end's defaults.

        Args:
            fields: Field name to text, as from a form or from command-line options.

        Raises:
            ConfigError: A field is unknown or its text is not a value in its range.
        """
        values = {name: parse_field(name, text) for name, text in fields.items()}
        preset = preset_settings(str(values.get("variant", "baseline")), str(values.get("front_end", "literal32")))
        merged: dict[str, Any] = {**preset, **values}
        return cls(**merged)

    def to_text(self) -> dict[str, str]:
        """Every field as text that `from_text` reads back to an equal config."""
        return {name: format_value(getattr(self, name)) for name in SPECS}

    def architecture(self, num_classes: int) -> Architecture:
        """The network this run trains."""
        removed = self.removed_conv_layer
        return Architecture(
            front_end=FRONT_ENDS[self.front_end],
            activation="tanh" if self.activation == "tanh" else "relu",
            dropout=self.dropout,
            removed_conv_layer=None if removed == "none" else int(removed),
            lrn=self.lrn,
            pool_kernel=POOL_KERNELS[self.pooling],
            groups=self.groups,
            num_classes=num_classes,
        )

    def num_val_images(self, available: int) -> int:
        """How many of a data set's training images are kept back for validation; none unless `split` is holdout."""
        return max(1, round(available * HOLDOUT_SHARE)) if self.split == "holdout" else 0

    @property
    def depends_on_length(self) -> bool:
        """Whether an epoch of training depends on how many epochs there are to be."""
        return self.schedule in LENGTH_SCHEDULES

    def changes(self) -> dict[str, tuple[Value, Value]]:
        """Fields that differ from the defaults of this variant and front end: name to (default, value)."""
        default = RunConfig.from_text({"variant": self.variant, "front_end": self.front_end})
        pairs = {name: (getattr(default, name), getattr(self, name)) for name in SPECS}
        return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def preset_settings(variant: str, front_end: str) -> dict[str, Value]:
    """The values a variant and a front end lay over the defaults.

    Raises:
        ConfigError: One of them is not known.
    """
    for name, value in (("variant", variant), ("front_end", front_end)):
        _check(name, value, SPECS[name])
    return {**FRONT_ENDS[front_end].settings, **VARIANTS[variant].settings}


def default_of(name: str) -> Value:
    """The default of a field before any variant or front end."""
    value: Value = getattr(_DEFAULTS, name)
    return value


def training_key(config: RunConfig) -> tuple[object, ...]:
    """What decides the numbers of a run beside its images: two runs of one key train alike, as far as both go.

    Settings that say the same in other words have one key: a decay of the rate that the schedule does not use, or that
    is 0, the third and the fourth layer where these are equal, numbers that float32 does not tell apart.
    """
    length = config.epochs if config.depends_on_length else 0
    schedule = "constant" if config.schedule == "inverse-time" and not config.rate_decay else config.schedule
    return (length, schedule, *first_epoch_key(config))


def first_epoch_key(config: RunConfig) -> tuple[object, ...]:
    """What decides the numbers of a run's first epoch beside its images: no schedule but inverse-time acts in it."""
    decay = config.rate_decay if config.schedule == "inverse-time" else 0.0
    shapes = layer_shapes(config.architecture(_ANY_CLASSES))
    others = (getattr(config, name) for name in DECIDING_FIELDS if name not in _OTHERWISE_KEYED)
    return (shapes, *map(_in_float32, (decay, *others)))


def _in_float32(value: Value) -> Value:
    """A setting as the arithmetic of training has it."""
    return array("f", [value])[0] if isinstance(value, float) else value


def settings_sha256(config: RunConfig) -> str:
    """A hash of what decides a run's numbers; a setting that a later version adds with its default changes none."""
    values = {name: getattr(config, name) for name in DECIDING_FIELDS}
    changed = {name: value for name, value in values.items() if value != default_of(name)}
    return sha256_of(msgspec.json.encode(changed, order="sorted"))


def option_name(name: str) -> str:
    """The command-line option of a field: ``learning_rate`` is ``--learning-rate``."""
    return "--" + name.replace("_", "-")


def setting_text(name: str, value: Value) -> str:
    """A setting as people say it: ``learning rate 0.1``."""
    return f"{name.replace('_', ' ')} {format_value(value)}"


def settings_text(settings: Mapping[str, Value]) -> str:
    """Settings as people say them: ``learning rate 0.1, weight decay 0``."""
    return ", ".join(setting_text(name, value) for name, value in settings.items())


def option_words(name: str, value: Value) -> list[str]:
    """A field as the words of a command line: ``--learning-rate 0.01``, ``--no-lrn``."""
    if isinstance(value, bool):
        return [option_name(name) if value else f"--no-{option_name(name)[2:]}"]
    return [option_name(name), format_value(value)]


def command_words(config: RunConfig) -> list[str]:
    """The words of the command that trains a configuration: ``run tanh --epochs 5``."""
    words = ["run", config.variant]
    if config.front_end != default_of("front_end"):
        words += option_words("front_end", config.front_end)
    for name, (_, value) in config.changes().items():
        words += option_words(name, value)
    return words


def range_text(name: str) -> str:
    """The allowed values of a field, for people: ``0 to 0.95``, ``relu | tanh``, ``yes | no``."""
    spec = SPECS[name]
    if spec.choices:
        return " | ".join(spec.choices)
    if TYPES[name] is bool:
        return "yes | no"
    if spec.low is None or spec.high is None:
        return "text"
    word = "above " if spec.low_open else ""
    high = "" if spec.high >= _HIGH_UNTOLD else f" to {spec.high:g}"
    return f"{word}{spec.low:g}{high}" if high else (f"above {spec.low:g}" if word else f"{spec.low:g} or more")


def parse_field(name: str, text: str) -> Value:
    """One field's value from text.

    Raises:
        ConfigError: The field does not exist, or the text is no value in its range.
    """
    if name not in SPECS:
        raise ConfigError(printable(name), f"there is no such hyperparameter; {nearest(name, SPECS)}")
    _check(name, value := _convert(name, text.strip()), SPECS[name])
    return value


def format_value(value: Value) -> str:
    """A value as a person would type it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) and float(f"{value:g}") == value else str(value)


def shown_value(name: str, value: Value) -> str:
    """A field's value for people: as they would type it, but for a 0 that stands for something."""
    return meaning_of(name, text := format_value(value)) or text


def meaning_of(name: str, text: str) -> str:
    """What a field's text stands for where that is something else, as 0 for all; else empty."""
    return SPECS[name].zero if name in SPECS and _NUMBER.fullmatch(text.strip()) and not float(text) else ""


_WORDS = dict.fromkeys(("yes", "true", "on", "1"), True) | dict.fromkeys(("no", "false", "off", "0"), False)
_DIGITS = re.compile(r"[+-]?\d{1,400}")
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")


def _convert(name: str, text: str) -> Value:
    kind, shown = TYPES[name], quoted(text)
    if kind is str:
        return text
    if kind is bool:
        if text.lower() not in _WORDS:
            raise ConfigError(name, f"must be yes or no, not {shown}.")
        return _WORDS[text.lower()]
    if text and text.lower() == SPECS[name].zero:
        return 0
    word = f", or {SPECS[name].zero}" if SPECS[name].zero else ""
    if not text:
        raise ConfigError(name, f"needs a {'whole ' if kind is int else ''}number ({range_text(name)}){word}.")
    if not (text.isascii() and _NUMBER.fullmatch(text)):
        raise ConfigError(name, f"must be a number ({range_text(name)}){word}, not {shown}.")
    number = float(text)
    if kind is float:
        return number
    if not math.isfinite(number) or not number.is_integer():
        raise ConfigError(name, f"must be a whole number ({range_text(name)}), not {shown}.")
    # Digits alone are the number they say; a float rounds those of a large one.
    return int(text) if _DIGITS.fullmatch(text) else int(number)


def _check(name: str, value: Value, spec: Spec) -> None:
    """Raise the sentence that says why `value` cannot be field `name`."""
    if spec.choices:
        if value not in spec.choices:
            word = str(value)[:200]
            raise ConfigError(name, f"there is no {quoted(word)}; {nearest(word, spec.choices)}")
    elif spec.pattern:
        if not re.fullmatch(spec.pattern, str(value)):
            raise ConfigError(name, f"{quoted(str(value))} is not valid. {spec.help}")
    elif spec.low is not None and spec.high is not None:
        # Compared as it is: an integer of a foreign record may be too large for a float.
        number = value if isinstance(value, int) else float(value)
        if not (spec.low < number if spec.low_open else spec.low <= number):
            raise ConfigError(name, f"must be {range_text(name)}, not {printable(format_value(value), 60)}.")
        if number > spec.high:
            allowed = f"at most {spec.high:,.0f}" if spec.high >= _HIGH_UNTOLD else range_text(name)
            raise ConfigError(name, f"must be {allowed}, not {printable(format_value(value), 60)}.")


def _read_fields() -> Iterator[tuple[str, type, Spec]]:
    hints = get_type_hints(RunConfig, include_extras=True)
    for name in RunConfig.__struct_fields__:
        annotated = hints[name]
        assert get_origin(annotated) is Annotated, name
        kind, spec = get_args(annotated)
        yield name, kind, spec


SPECS: dict[str, Spec] = {}
TYPES: dict[str, type] = {}
for _name, _kind, _spec in _read_fields():
    SPECS[_name], TYPES[_name] = _spec, _kind
RESULT_FIELDS = tuple(name for name in SPECS if name not in NO_RESULT_FIELDS)
DECIDING_FIELDS = (*(name for name in RESULT_FIELDS if name != "epochs"), "seed")
"""What decides the numbers of each epoch, unless a schedule depends on the number of epochs."""
_DEFAULTS = RunConfig()
