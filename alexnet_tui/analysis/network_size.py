"""How large a network is: its layers with their shapes and work, and the memory of training it; pure."""

import math

import msgspec

from alexnet_tui.config.architecture import POOL_STRIDE, Architecture, ConvLayer, layers, num_parameters
from alexnet_tui.config.hyperparameters import RunConfig

_COPIES_OF_WEIGHTS = 3
_BYTES = {"fp32": 4, "bf16": 2}


class LayerRow(msgspec.Struct, frozen=True, kw_only=True):
    """One layer of the network.

    Attributes:
        name: What it is, for people: ``conv 1  11x11/4``.
        shape: Output for one image: channels, height, width; or units.
        num_parameters: Weights and biases.
        num_multiply_adds: Multiplications of one forward pass of one image.
    """

    name: str
    shape: tuple[int, ...]
    num_parameters: int = 0
    num_multiply_adds: int = 0


def layer_table(architecture: Architecture) -> list[LayerRow]:
    """Every layer in order of execution, the input first."""
    convolutions, dense = layers(architecture)
    size = architecture.front_end.image_size
    rows = [LayerRow(name="input", shape=(3, size, size))]
    for layer in convolutions:
        rows.extend(_convolution_rows(layer))
    rows.extend(
        LayerRow(
            name=f"dense {unit.number}",
            shape=(unit.out_features,),
            num_parameters=unit.num_parameters,
            num_multiply_adds=unit.num_multiply_adds,
        )
        for unit in dense
    )
    return rows


def _convolution_rows(layer: ConvLayer) -> list[LayerRow]:
    shape = (layer.out_channels, layer.output_size, layer.output_size)
    geometry = f"{layer.kernel}x{layer.kernel}/{layer.stride}"
    rows = [
        LayerRow(
            name=f"conv {layer.number}  {geometry}" + (f" x{layer.groups}" if layer.groups > 1 else ""),
            shape=shape,
            num_parameters=layer.num_parameters,
            num_multiply_adds=layer.num_multiply_adds,
        )
    ]
    if layer.lrn:
        rows.append(LayerRow(name="  norm", shape=shape))
    if layer.pools:
        window = f"{layer.pool_kernel}x{layer.pool_kernel}/{POOL_STRIDE}"
        rows.append(LayerRow(name=f"  pool  {window}", shape=(shape[0], layer.pooled_size, layer.pooled_size)))
    return rows


def num_multiply_adds(architecture: Architecture) -> int:
    """Multiplications of one forward pass of one image."""
    return sum(row.num_multiply_adds for row in layer_table(architecture))


def memory_bytes(config: RunConfig, num_classes: int, num_images: int) -> int:
    """About what weights, their gradients, momentum, and one batch's activations take.

    The library itself and the data set come on top.

    Args:
        config: The run.
        num_classes: Classes of its data set.
        num_images: Images of its epoch; a batch has no more.
    """
    architecture = config.architecture(num_classes)
    weights = num_parameters(architecture) * _BYTES["fp32"] * _COPIES_OF_WEIGHTS
    units = sum(math.prod(row.shape) for row in layer_table(architecture))
    activations = 2 * units * min(config.batch_size, num_images) * _BYTES.get(config.precision, _BYTES["fp32"])
    return weights + activations
