"""What the New run form says about each field: generated from `hyperparameters.SPECS`, the study and the catalogue."""

import functools
from collections.abc import Sequence

from alexnet_tui.analysis.published import EXPERIMENTS
from alexnet_tui.analysis.time_estimate import TYPICAL_IMAGES, TYPICAL_TEST_IMAGES
from alexnet_tui.config.first_run import FIRST_RUN
from alexnet_tui.config.front_ends import FRONT_ENDS
from alexnet_tui.config.hyperparameters import SPECS, TYPES, default_of, range_text
from alexnet_tui.config.steps import stepped
from alexnet_tui.config.variants import VARIANTS
from alexnet_tui.datasets.catalog import BUILT_IN, DatasetInfo
from alexnet_tui.text import format_bytes, format_clock, format_count, format_percent, printable
from alexnet_tui.tui.screens.new_run.draft import ALL_VARIANTS, LABEL, MAX_SEEDS, ONLY_CHOSEN, SEEDS, VARIANTS_FIELD
from alexnet_tui.tui.widgets.fields import FieldInfo, Option

# What is reckoned with until the data set has been looked at.
TYPICAL_DATA = DatasetInfo(
    name="",
    kind="",
    source="",
    state="download",
    num_train=TYPICAL_IMAGES,
    num_test=TYPICAL_TEST_IMAGES,
    num_classes=10,
    size_bytes=0,
    sha256="",
)


def _step_seeds(text: str, direction: int) -> str:
    number = text.strip()
    return str(max(1, min(MAX_SEEDS, int(number) + direction))) if number.isdecimal() and len(number) < 4 else text


EXTRA_FIELDS = (
    FieldInfo(
        SEEDS,
        "seeds",
        "Runs with this seed and the ones after it, one after another; five are the least a verdict needs.",
        f"1 to {MAX_SEEDS}",
        step=_step_seeds,
    ),
    FieldInfo(
        VARIANTS_FIELD,
        "variants",
        "Only the chosen experiment, or a study: all of them with these settings and seeds.",
        options=(Option(ONLY_CHOSEN), Option(ALL_VARIANTS)),
    ),
    FieldInfo(LABEL, "label", "Your own name for the run; may stay empty.", ""),
)


def field_infos() -> dict[str, FieldInfo]:
    """Every hyperparameter's row."""
    return {name: _field_info(name) for name in SPECS}


def _field_info(name: str) -> FieldInfo:
    spec = SPECS[name]
    options = _OPTIONS[name] if name in _OPTIONS else tuple(Option(word) for word in spec.choices)
    if TYPES[name] is bool:
        options = (Option("yes"), Option("no"))
    is_number = spec.low is not None
    unit = spec.unit if spec.unit != name else ""
    hint = " ".join(part for part in (range_text(name) if is_number else "", unit) if part)
    step = functools.partial(stepped, name) if is_number else None
    return FieldInfo(name, name.replace("_", " "), spec.help, hint, options, step)


def _variant_options() -> tuple[Option, ...]:
    return tuple(Option(name, variant.title, variant.summary, _published(name)) for name, variant in VARIANTS.items())


def _published(name: str) -> str:
    """What the study found, short; empty for a variant it has not."""
    if name not in EXPERIMENTS:
        return ""
    found = EXPERIMENTS[name]
    accuracy, seconds = found.max_val_accuracy.value, found.seconds.value
    return f"study: {format_percent(accuracy)} in {format_clock(seconds)}"


def data_option(info: DatasetInfo) -> Option:
    """A data set with its state in words."""
    images = f"{format_count(info.num_train)} + {format_count(info.num_test)} images"
    if info.state == "ready":
        return Option(info.name, note=f"ready: {images}, {format_bytes(info.size_bytes)} on this disk")
    if info.state == "download":
        size = BUILT_IN[info.name].download if info.name in BUILT_IN else ""
        return Option(info.name, note=f"not here yet: {size or 'all'} to download; {images} (^g downloads it now)")
    if info.state == "newer":
        return Option(info.name, note="made by a newer version of alexnet-tui; this one cannot read it")
    return Option(info.name, note=f"not prepared yet: {images}; {printable(info.source, 80)} (Start or ^g)")


def data_at_hand(infos: Sequence[DatasetInfo]) -> str:
    """The data set a form begins with: the default where that is here, else one that is ready, else one drawn here."""
    states = {info.name: info.state for info in infos}
    usual = str(default_of("data"))
    if states.get(usual) in {"ready", "prepare"}:
        return usual
    return next((name for name, state in states.items() if state == "ready"), FIRST_RUN.data)


_OPTIONS = {
    "variant": _variant_options(),
    "front_end": tuple(Option(name, note=front_end.summary) for name, front_end in FRONT_ENDS.items()),
    "data": tuple(Option(name, note=built_in.summary) for name, built_in in BUILT_IN.items()),
}
