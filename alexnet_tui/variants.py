"""The network as data: an `Architecture`, the four named variants of the report, and the front ends.

A variant and a front end are each a set of hyperparameter values laid over `RunConfig`'s defaults. Nothing
outside this module asks for either by name: a fifth variant is one entry here.
"""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

Activation = Literal["relu", "tanh"]
Setting = str | int | float | bool


@dataclass(frozen=True, kw_only=True, slots=True)
class FrontEnd:
    """How an image enters the network: its size and the first layer's geometry.

    Attributes:
        image_size: Side in pixels of the square image the network sees.
        conv1_kernel: Side in pixels of the first layer's kernels.
        conv1_stride: Step in pixels between two places of a kernel.
        conv1_padding: Zeros in pixels added at each border before the first layer.
        summary: One sentence for people.
        settings: Hyperparameters whose default this front end moves.
    """

    image_size: int
    conv1_kernel: int = 11
    conv1_stride: int = 4
    conv1_padding: int
    summary: str
    settings: Mapping[str, Setting] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, kw_only=True, slots=True)
class Variant:
    """One experiment of the report: what it changes, what it is about, and what the report found.

    Attributes:
        title: The report's name for it.
        summary: One sentence for people.
        settings: Hyperparameters that differ from the baseline.
    """

    title: str
    summary: str
    settings: Mapping[str, Setting]


@dataclass(frozen=True, kw_only=True, slots=True)
class Architecture:
    """Everything that decides the network's shape; nothing about its training.

    Attributes:
        front_end: Geometry of the input and of the first layer.
        activation: Non-linearity after every layer but the last.
        dropout: Probability of zeroing a unit of the two hidden dense layers.
        removed_conv_layer: 3, 4 or 5, or None for all five layers.
        lrn: Local response normalisation after layers 1 and 2.
        groups: 2 gives layers 2, 4 and 5 half of the maps each, as on the paper's two GPUs; 1 gives all.
        num_classes: Width of the last layer.
    """

    front_end: FrontEnd
    activation: Activation = "relu"
    dropout: float = 0.5
    removed_conv_layer: int | None = None
    lrn: bool = False
    groups: int = 1
    num_classes: int = 10


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

FRONT_ENDS: Mapping[str, FrontEnd] = MappingProxyType(
    {
        "literal32": FrontEnd(
            image_size=32,
            conv1_padding=0,
            summary="The report's most plausible network: 32 px into an unpadded 11x11/4, no LRN (maps 6, 2, 1).",
        ),
        "same32": FrontEnd(
            image_size=32,
            conv1_padding=5,
            summary="The paper's network with LRN and groups, padded to fit 32 px (maps 8, 4, 2, 1).",
            settings=MappingProxyType({"lrn": True, "groups": 2}),
        ),
        "resize227": FrontEnd(
            image_size=227,
            conv1_padding=0,
            summary="The paper's own geometry on images resized to 227 px; for a GPU.",
            settings=MappingProxyType({"lrn": True, "groups": 2}),
        ),
        "cifar3x3": FrontEnd(
            image_size=32,
            conv1_kernel=3,
            conv1_stride=1,
            conv1_padding=1,
            summary="A modern small stem, 3x3/1: a reference for what 32 px images allow (maps 32, 16, 8, 4).",
            settings=MappingProxyType({"augmentation": "flip-crop", "schedule": "step"}),
        ),
    }
)


def nearest(name: str, names: Iterable[str]) -> str:
    """A hint for a misspelt name: the nearest known one, or all of them."""
    known = list(names)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean {close[0]}?" if close else f"choose one of {', '.join(known)}."
