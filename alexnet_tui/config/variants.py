"""The four named variants of the study, as data.

A variant is a set of hyperparameter values laid over `RunConfig`'s defaults. No code branches on one's name: a fifth
variant is one entry here.
"""

import difflib
from collections.abc import Iterable, Mapping
from types import MappingProxyType

import msgspec

from alexnet_tui.config.architecture import Setting


class Variant(msgspec.Struct, frozen=True, kw_only=True):
    """One experiment of the study: what it changes, and what it is about.

    Attributes:
        title: The study's name for it.
        summary: One sentence for people.
        settings: Hyperparameters that differ from the baseline.
    """

    title: str
    summary: str
    settings: Mapping[str, Setting]


VARIANTS: Mapping[str, Variant] = MappingProxyType(
    {
        "baseline": Variant(
            title="Original model",
            summary="AlexNet as published: five convolutions, ReLU, dropout 0.5.",
            settings=MappingProxyType({}),
        ),
        "low-dropout": Variant(
            title="Reduced dropout",
            summary="Dropout 0.01 instead of 0.5: does dropout reduce overfitting?",
            settings=MappingProxyType({"dropout": 0.01}),
        ),
        "tanh": Variant(
            title="Tanh activation",
            summary="tanh instead of ReLU: does ReLU converge faster?",
            settings=MappingProxyType({"activation": "tanh"}),
        ),
        "four-conv": Variant(
            title="Four convolutional layers",
            summary="Without convolution 4: does the network need all five?",
            settings=MappingProxyType({"removed_conv_layer": "4"}),
        ),
    }
)


EXPERIMENT_NAMES = ", ".join(f"{variant.title} ({name})" for name, variant in VARIANTS.items())
"""The study's names of its experiments, and those of the variants: ``Original model (baseline), ...``."""


def nearest(name: str, names: Iterable[str]) -> str:
    """A hint for a misspelt name: the nearest known one, or all of them."""
    known = list(names)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean {close[0]}?" if close else f"choose one of {', '.join(known)}."
