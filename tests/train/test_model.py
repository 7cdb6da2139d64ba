"""The network: shapes, parameter counts, and that the fast forms compute what the plain ones do."""

import itertools
import math

import msgspec
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from alexnet_tui.config.architecture import POOL_KERNELS, Architecture, FrontEnd, layers, num_parameters, pooled_size
from alexnet_tui.config.front_ends import FRONT_ENDS
from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.train import model
from alexnet_tui.train.model import AlexNet, Convolution, Dropout, local_response_norm, max_pool

PAPER = FrontEnd(image_size=224, conv1_padding=2, pool_partial=False, summary="")


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(("groups", "expected"), [(2, 60_965_224), (1, 62_378_344)])
def test_parameter_counts_of_the_paper(groups: int, expected: int) -> None:
    architecture = Architecture(front_end=PAPER, groups=groups, num_classes=1000)
    assert num_parameters(architecture) == expected
    with torch.device("meta"):
        network = AlexNet(architecture, "paper", torch.Generator(device="cpu"))
    assert sum(parameter.numel() for parameter in network.parameters()) == expected


@pytest.mark.parametrize(
    ("front_end", "maps"),
    [
        ("literal32", [6, 2, 2, 1, 1, 1, 1, 1]),
        ("same32", [8, 4, 4, 2, 2, 2, 2, 1]),
        ("resize227", [55, 27, 27, 13, 13, 13, 13, 6]),
        ("cifar3x3", [32, 16, 16, 8, 8, 8, 8, 4]),
    ],
)
def test_map_sizes_of_the_front_ends(front_end: str, maps: list[int]) -> None:
    convolutions, dense = layers(Architecture(front_end=FRONT_ENDS[front_end]))
    sizes = [convolutions[0].output_size, convolutions[0].pooled_size]
    sizes += [convolutions[1].output_size, convolutions[1].pooled_size]
    sizes += [layer.output_size for layer in convolutions[2:]] + [convolutions[-1].pooled_size]
    assert sizes == maps
    assert dense[0].in_features == 256 * maps[-1] ** 2


@pytest.mark.parametrize(
    ("front_end", "maps"), [("literal32", [6, 3, 3, 1, 1, 1, 1, 1]), ("same32", [8, 4, 4, 2, 2, 2, 2, 1])]
)
def test_plain_pooling_is_that_of_torch(front_end: str, maps: list[int]) -> None:
    architecture = RunConfig.from_text({"front_end": front_end, "pooling": "plain"}).architecture(10)
    network = AlexNet(architecture, "he", generator()).double()
    maps_seen, expected = [], torch.randn(2, 3, 32, 32, dtype=torch.float64, generator=generator())
    logits = network(expected)
    for layer, convolution in zip(network.geometry, network.convolutions, strict=True):
        assert isinstance(convolution, Convolution)
        expected = torch.relu(
            F.conv2d(expected, convolution.weight, convolution.bias, layer.stride, layer.padding, groups=layer.groups)
        )
        maps_seen.append(expected.shape[-1])
        if layer.lrn:
            expected = local_response_norm(expected)
        if layer.pools:
            # The one place that is left of a map cannot be halved again.
            expected = nn.MaxPool2d(2, 2)(expected) if expected.shape[-1] > 1 else expected
            maps_seen.append(expected.shape[-1])
    expected = expected.flatten(1)
    for hidden in network.dense[:-1]:
        expected = torch.relu(hidden(expected))
    torch.testing.assert_close(logits, network.dense[-1](expected))
    assert maps_seen == maps
    assert sum(parameter.numel() for parameter in network.parameters()) == num_parameters(architecture)


@pytest.mark.parametrize("partial", [False, True])
def test_pooling_of_either_kind_is_that_of_torch_at_every_size(partial: bool) -> None:
    layer = layers(Architecture(front_end=FRONT_ENDS["same32"]))[0][0]
    for kernel, size in itertools.product(POOL_KERNELS.values(), range(3, 12)):
        maps = torch.randn(2, 3, size, size, generator=generator(size))
        here = msgspec.structs.replace(
            layer, pool_kernel=kernel, output_size=size, pooled_size=pooled_size(size, kernel, partial=partial)
        )
        assert torch.equal(max_pool(maps, here), nn.MaxPool2d(kernel, 2, ceil_mode=partial)(maps)), (kernel, size)


@pytest.mark.parametrize("front_end", ["literal32", "same32", "cifar3x3"])
@pytest.mark.parametrize("removed", [None, 3, 4, 5])
def test_every_network_maps_images_to_logits(front_end: str, removed: int | None) -> None:
    architecture = Architecture(front_end=FRONT_ENDS[front_end], removed_conv_layer=removed, lrn=True, groups=2)
    network = AlexNet(architecture, "glorot", generator())
    images = torch.randn(2, 3, 32, 32, generator=generator())
    assert network(images).shape == (2, 10)
    assert sum(parameter.numel() for parameter in network.parameters()) == num_parameters(architecture)


@pytest.mark.parametrize("front_end", ["literal32", "same32"])
@pytest.mark.parametrize("groups", [1, 2])
def test_convolution_equals_torch_forward_and_back(front_end: str, groups: int) -> None:
    for layer in layers(Architecture(front_end=FRONT_ENDS[front_end], groups=groups))[0]:
        convolution = Convolution(layer).double()
        torch.nn.init.normal_(convolution.weight, generator=generator(1))
        torch.nn.init.normal_(convolution.bias, generator=generator(2))
        side = layer.input_size
        maps = torch.randn(3, layer.in_channels, side, side, dtype=torch.float64, generator=generator(3))
        maps.requires_grad_()
        leaves = [maps, convolution.weight, convolution.bias]
        ours = convolution(maps)
        plain = F.conv2d(maps, convolution.weight, convolution.bias, layer.stride, layer.padding, groups=layer.groups)
        torch.testing.assert_close(ours, plain)
        direction = torch.randn(plain.shape, dtype=torch.float64, generator=generator(4))
        for mine, theirs in zip(
            torch.autograd.grad(ours, leaves, direction), torch.autograd.grad(plain, leaves, direction), strict=True
        ):
            torch.testing.assert_close(mine, theirs)


def test_later_layers_of_small_front_ends_are_dense() -> None:
    spans = {
        name: [Convolution(layer).spans_map for layer in layers(Architecture(front_end=FRONT_ENDS[name]))[0]]
        for name in ("literal32", "same32", "cifar3x3")
    }
    assert spans["literal32"] == [False, True, True, True, True]
    assert spans["same32"] == [False, False, True, True, True]
    assert spans["cifar3x3"] == [False] * 5


def test_response_norm_is_the_papers_formula() -> None:
    maps = torch.randn(2, 9, 3, 3, dtype=torch.float64, generator=generator()) * 30
    expected = torch.empty_like(maps)
    for channel in range(9):
        near = maps[:, max(0, channel - 2) : channel + 3]
        expected[:, channel] = maps[:, channel] / (2 + 1e-4 * (near**2).sum(1)) ** 0.75
    torch.testing.assert_close(local_response_norm(maps), expected, rtol=1e-6, atol=1e-6)


def test_response_norm_gradient_equals_torchs() -> None:
    maps = (torch.randn(2, 96, 4, 4, dtype=torch.float64, generator=generator()) * 30).requires_grad_()

    def gradient(normalised: Tensor) -> Tensor:
        return torch.autograd.grad(normalised.sin().sum(), maps)[0]

    # PyTorch divides alpha by the window size; five times alpha is the paper's.
    theirs = gradient(F.local_response_norm(maps, 5, alpha=5e-4, beta=0.75, k=2.0))
    torch.testing.assert_close(gradient(local_response_norm(maps)), theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("probability", [0.5, 0.01, 0.3])
def test_the_scale_of_kept_units_is_not_rounded_to_their_precision(probability: float) -> None:
    units = torch.rand(400, 1001, generator=generator()).add_(1).bfloat16()
    kept = Dropout(probability, generator())(units)
    is_kept = kept != 0
    ratio = kept[is_kept].float().mean().item() / units[is_kept].float().mean().item()
    assert ratio == pytest.approx(1 / (1 - probability), rel=5e-4)


@pytest.mark.parametrize("probability", [0.5, 0.01, 0.3])
def test_dropout_keeps_the_expected_share_and_the_mean(probability: float) -> None:
    units = torch.ones(400, 1001)
    dropped = Dropout(probability, generator())(units)
    assert (dropped == 0).float().mean().item() == pytest.approx(probability, abs=0.004)
    assert dropped.mean().item() == pytest.approx(1.0, abs=0.005)
    assert len(set(dropped.flatten().tolist())) == 2


def test_dropout_repeats_with_its_generator_and_nowhere_else() -> None:
    stream = generator()
    dropout = Dropout(0.5, stream)
    units = torch.ones(8, 64)
    first, second = dropout(units), dropout(units)
    stream.manual_seed(0)
    assert torch.equal(dropout(units), first)
    assert not torch.equal(first, second)


def test_paper_initialisation_has_its_biases() -> None:
    network = AlexNet(Architecture(front_end=FRONT_ENDS["same32"]), "paper", generator())
    biases = {number: sorted(set(bias.tolist())) for number, _, bias in network.weights_and_biases()}
    assert biases == {1: [0], 2: [1], 3: [0], 4: [1], 5: [1], 6: [1], 7: [1], 8: [0]}
    weights = dict((number, weight) for number, weight, _ in network.weights_and_biases())
    assert weights[7].std().item() == pytest.approx(0.01, rel=0.01)


def test_glorot_initialisation_is_keras_default() -> None:
    network = AlexNet(Architecture(front_end=FRONT_ENDS["literal32"]), "glorot", generator())
    weight = network.convolutions[0].weight
    assert isinstance(weight, Tensor)
    limit = (6 / (3 * 121 + 96 * 121)) ** 0.5
    assert weight.abs().max().item() == pytest.approx(limit, rel=0.01)


@pytest.mark.parametrize("size", range(1, 10))
def test_padding_same_is_that_of_keras(size: int) -> None:
    """TensorFlow: ceil(n / stride) places; of the zeros (or minus infinities) needed, the odd one goes to the end."""
    maps = torch.randn(2, 3, size, size)
    places = -(-size // 2)
    total = max((places - 1) * 2 + 3 - size, 0)
    before, after = total // 2, total - total // 2
    expected = F.max_pool2d(F.pad(maps, (before, after, before, after), value=-math.inf), 3, 2)
    layer = msgspec.structs.replace(
        layers(Architecture(front_end=FRONT_ENDS["keras-same"]))[0][0], output_size=size, pooled_size=places
    )
    assert torch.equal(max_pool(maps, layer), expected)


def test_the_first_layer_of_keras_same_is_padded_unevenly() -> None:
    network = AlexNet(Architecture(front_end=FRONT_ENDS["keras-same"]), "glorot", torch.Generator())
    images, first = torch.randn(2, 3, 32, 32), network.convolutions[0]
    assert isinstance(first, Convolution)
    expected = F.conv2d(F.pad(images, (3, 4, 3, 4)), first.weight, first.bias, 4)
    assert torch.equal(first(images), expected)
    assert expected.shape[2:] == (8, 8)


def test_the_table_of_shapes_is_that_of_the_layers() -> None:
    rows = [line.strip("|").split("|") for line in (model.__doc__ or "").splitlines() if line.startswith("|")]
    names = [cell.strip() for cell in rows[0][1:]]
    assert names == list(FRONT_ENDS)
    for column, name in enumerate(names, start=1):
        conv_layers, dense_layers = layers(Architecture(front_end=FRONT_ENDS[name]))
        sides = [f"3x{FRONT_ENDS[name].image_size}x{FRONT_ENDS[name].image_size}"]
        for layer in conv_layers:
            sides.append(f"{layer.out_channels}x{layer.output_size}x{layer.output_size}")
            if layer.pools:
                sides.append(f"{layer.out_channels}x{layer.pooled_size}x{layer.pooled_size}")
        assert [row[column].strip() for row in rows[2:]] == [*sides, str(dense_layers[0].in_features)]
