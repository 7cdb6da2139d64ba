"""The four named variants of the report, and the front ends, as data.

A variant and a front end are each a set of hyperparameter values laid over `RunConfig`'s defaults. Nothing
outside this module asks for either by name: a fifth variant is one entry here.
"""

import difflib
from collections.abc import Iterable, Mapping
from types import MappingProxyType

import msgspec

from alexnet_tui.config.architecture import FrontEnd, Setting


class Variant(msgspec.Struct, frozen=True, kw_only=True):
    """One experiment of the report: what it changes, what it is about, and what the report found.

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

FRONT_ENDS: Mapping[str, FrontEnd] = MappingProxyType(
    {
        "literal32": FrontEnd(
            image_size=32,
            conv1_padding=0,
            pool_partial=False,
            summary="One reading of the study's network: unpadded 11x11/4, no LRN (maps 6-2-1).",
        ),
        "same32": FrontEnd(
            image_size=32,
            conv1_padding=5,
            summary="The 2012 paper's network with LRN and groups, padded to fit 32 px (maps 8-4-2-1).",
            settings=MappingProxyType({"lrn": True, "groups": 2}),
        ),
        "resize227": FrontEnd(
            image_size=227,
            conv1_padding=0,
            pool_partial=False,
            summary="The 2012 paper's own geometry on images resized to 227 px; for a GPU.",
            settings=MappingProxyType({"lrn": True, "groups": 2}),
        ),
        "keras-valid": FrontEnd(
            image_size=32,
            conv1_padding=0,
            pool_same=True,
            summary="A reading of the study: unpadded first layer, then Keras' padding same (maps 6-3-2-1).",
        ),
        "keras-same": FrontEnd(
            image_size=32,
            conv1_padding=3,
            conv1_padding_end=4,
            pool_same=True,
            summary="A reading of the study: Keras' padding same in every layer (maps 8-4-2-1).",
        ),
        "cifar3x3": FrontEnd(
            image_size=32,
            conv1_kernel=3,
            conv1_stride=1,
            conv1_padding=1,
            summary="A small modern stem, 3x3/1: what 32 px images allow (maps 32-16-8-4).",
            settings=MappingProxyType({"augmentation": "flip-crop", "schedule": "step"}),
        ),
    }
)


def nearest(name: str, names: Iterable[str]) -> str:
    """A hint for a misspelt name: the nearest known one, or all of them."""
    known = list(names)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean {close[0]}?" if close else f"choose one of {', '.join(known)}."
