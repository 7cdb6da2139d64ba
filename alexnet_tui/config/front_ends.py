"""The front ends, as data: how an image of 32 pixels enters a network that was made for 224.

A front end may also move defaults of `RunConfig`. No code branches on one's name.
"""

from collections.abc import Mapping
from types import MappingProxyType

from alexnet_tui.config.architecture import FrontEnd

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
