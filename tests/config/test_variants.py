"""The network as data: the paper's parameter counts and the maps of each front end."""

import itertools

import pytest

from alexnet_tui.config.architecture import POOL_KERNELS, Architecture, FrontEnd, layers, num_parameters, pooled_size
from alexnet_tui.config.front_ends import FRONT_ENDS
from alexnet_tui.config.variants import VARIANTS, nearest

PAPER_FRONT = FrontEnd(image_size=224, conv1_padding=2, pool_partial=False, summary="The paper's.")


def test_the_variants_are_the_report_s_four() -> None:
    assert {name: dict(variant.settings) for name, variant in VARIANTS.items()} == {
        "baseline": {},
        "low-dropout": {"dropout": 0.01},
        "tanh": {"activation": "tanh"},
        "four-conv": {"removed_conv_layer": "4"},
    }


@pytest.mark.parametrize(("groups", "count"), [(2, 60_965_224), (1, 62_378_344)])
def test_parameters_are_the_paper_s(groups: int, count: int) -> None:
    assert num_parameters(Architecture(front_end=PAPER_FRONT, groups=groups, num_classes=1000)) == count


@pytest.mark.parametrize(
    ("name", "maps"),
    [
        ("literal32", [(6, 2), (2, 1), (1, 1), (1, 1), (1, 1)]),
        ("same32", [(8, 4), (4, 2), (2, 2), (2, 2), (2, 1)]),
        ("resize227", [(55, 27), (27, 13), (13, 13), (13, 13), (13, 6)]),
        ("keras-valid", [(6, 3), (3, 2), (2, 2), (2, 2), (2, 1)]),
        ("keras-same", [(8, 4), (4, 2), (2, 2), (2, 2), (2, 1)]),
        ("cifar3x3", [(32, 16), (16, 8), (8, 8), (8, 8), (8, 4)]),
    ],
)
def test_each_front_end_s_maps(name: str, maps: list[tuple[int, int]]) -> None:
    convolutions, dense = layers(Architecture(front_end=FRONT_ENDS[name]))
    assert [(layer.output_size, layer.pooled_size) for layer in convolutions] == maps
    assert dense[0].in_features == 256 * maps[-1][1] ** 2
    assert [layer.out_features for layer in dense] == [4096, 4096, 10]
    assert [layer.number for layer in dense] == [6, 7, 8]


@pytest.mark.parametrize("removed", [3, 4, 5])
def test_a_removed_layer_leaves_a_network_whose_sizes_fit(removed: int) -> None:
    whole, _ = layers(Architecture(front_end=FRONT_ENDS["same32"]))
    convolutions, dense = layers(Architecture(front_end=FRONT_ENDS["same32"], removed_conv_layer=removed))
    assert [layer.number for layer in convolutions] == [number for number in range(1, 6) if number != removed]
    for before, after in itertools.pairwise(convolutions):
        assert (after.in_channels, after.input_size) == (before.out_channels, before.pooled_size)
    assert convolutions[-1].pools
    assert convolutions[-1].pooled_size == whole[-1].pooled_size == 1
    assert dense[0].in_features == convolutions[-1].out_channels


def test_parameters_and_multiplications_of_one_layer_by_hand() -> None:
    second = layers(Architecture(front_end=PAPER_FRONT, groups=2, lrn=True))[0][1]
    assert second.num_parameters == 256 * (48 * 25 + 1)
    assert second.num_multiply_adds == 27 * 27 * 256 * 48 * 25
    assert second.lrn
    assert second.groups == 2


@pytest.mark.parametrize(
    ("size", "partial", "pooled"), [(6, False, 2), (6, True, 3), (55, False, 27), (2, False, 1), (1, True, 1)]
)
def test_pooled_size(size: int, partial: bool, pooled: int) -> None:
    assert pooled_size(size, POOL_KERNELS["overlapping"], partial=partial) == pooled


def test_nearest() -> None:
    assert nearest("tahn", VARIANTS) == "did you mean tanh?"
    assert nearest("", ["a", "b"]) == "choose one of a, b."
