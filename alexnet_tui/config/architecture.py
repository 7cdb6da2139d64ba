"""The network as data: an `Architecture`, the geometry of its input, and its layers with their parameter counts."""

import itertools
from collections.abc import Mapping
from operator import attrgetter
from types import MappingProxyType
from typing import Literal

import msgspec

Activation = Literal["relu", "tanh"]
Setting = str | int | float | bool

# Side in pixels of the pooling windows, two pixels apart: z of s = 2 and z = 3, or of s = z = 2.
# Source: Krizhevsky et al. 2012, section 3.4.
POOL_KERNELS: Mapping[str, int] = MappingProxyType({"overlapping": 3, "plain": 2})
POOL_STRIDE = 2


class FrontEnd(msgspec.Struct, frozen=True, kw_only=True):
    """How an image enters the network: its size and the first layer's geometry.

    Attributes:
        image_size: Side in pixels of the square image the network sees.
        conv1_kernel: Side in pixels of the first layer's kernels.
        conv1_stride: Step in pixels between two places of a kernel.
        conv1_padding: Zeros in pixels added at each border before the first layer.
        conv1_padding_end: Zeros at the right and the lower border, where other than at the left and the upper one:
            padding ``same`` of Keras puts the odd one there.
        pool_partial: The last pooling window may reach over the border.
        pool_same: Pooling halves every map, as with padding ``same``: on a map of odd size the first 3x3 window
            reaches over the border too.
        summary: One sentence for people.
        settings: Hyperparameters whose default this front end moves.
    """

    image_size: int
    conv1_kernel: int = 11
    conv1_stride: int = 4
    conv1_padding: int
    conv1_padding_end: int | None = None
    pool_partial: bool = True
    pool_same: bool = False
    summary: str
    settings: Mapping[str, Setting] = msgspec.field(default_factory=lambda: MappingProxyType({}))


class Architecture(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that decides the network's shape; nothing about its training.

    Attributes:
        front_end: Geometry of the input and of the first layer.
        activation: Non-linearity after every layer but the last.
        dropout: Probability of zeroing a unit of the two hidden dense layers.
        removed_conv_layer: 3, 4 or 5, or None for all five layers.
        lrn: Local response normalisation after layers 1 and 2.
        pool_kernel: Side in pixels of the max pooling windows, one of `POOL_KERNELS`; they are two pixels apart.
        groups: 2 gives layers 2, 4 and 5 half of the maps each, as on the paper's two GPUs; 1 gives all.
        num_classes: Width of the last layer.
    """

    front_end: FrontEnd
    activation: Activation = "relu"
    dropout: float = 0.5
    removed_conv_layer: int | None = None
    lrn: bool = False
    pool_kernel: int = POOL_KERNELS["overlapping"]
    groups: int = 1
    num_classes: int = 10


class ConvLayer(msgspec.Struct, frozen=True, kw_only=True):
    """One convolution and what follows it; sizes are sides of square maps in pixels.

    Attributes:
        number: The paper's number, 1 to 5; a removed layer leaves its number out.
        groups: Into how many independent halves the channels fall.
        lrn: Local response normalisation follows.
        pools: Max pooling with stride 2 follows.
        pool_kernel: Side of the pooling windows, where pooling follows.
        output_size: Side after the convolution.
        pooled_size: Side after pooling; equal to `output_size` where none follows.
        padding_end: Zeros in pixels at the right and the lower border; `padding` is that of the other two.
    """

    number: int
    in_channels: int
    out_channels: int
    kernel: int
    stride: int
    padding: int
    groups: int
    lrn: bool
    pools: bool
    pool_kernel: int
    input_size: int
    output_size: int
    pooled_size: int
    padding_end: int

    @property
    def num_parameters(self) -> int:
        """Weights and biases."""
        return self.out_channels * (self.in_channels // self.groups * self.kernel**2 + 1)

    @property
    def num_multiply_adds(self) -> int:
        """Multiplications of one forward pass of one image."""
        return self.output_size**2 * (self.num_parameters - self.out_channels)


class DenseLayer(msgspec.Struct, frozen=True, kw_only=True):
    """One fully connected layer; the paper's numbers are 6 to 8."""

    number: int
    in_features: int
    out_features: int

    @property
    def num_parameters(self) -> int:
        """Weights and biases."""
        return (self.in_features + 1) * self.out_features

    @property
    def num_multiply_adds(self) -> int:
        """Multiplications of one forward pass of one image."""
        return self.in_features * self.out_features


# Number, channels out, kernel side, whether two groups split it, whether pooling follows.
# Source: Krizhevsky et al. 2012, section 3.5.
_CONVOLUTIONS = (
    (1, 96, 11, False, True),
    (2, 256, 5, True, True),
    (3, 384, 3, False, False),
    (4, 384, 3, True, False),
    (5, 256, 3, True, True),
)
_HIDDEN_UNITS = 4096
_NORMALISED = (1, 2)


def layers(architecture: Architecture) -> tuple[list[ConvLayer], list[DenseLayer]]:
    """The network layer by layer: what `train.model` builds and what estimates and tables are made of."""
    front = architecture.front_end
    kept = [row for row in _CONVOLUTIONS if row[0] != architecture.removed_conv_layer]
    channels, size = 3, front.image_size
    convolutions: list[ConvLayer] = []
    for number, out_channels, kernel, grouped, pools in kept:
        first = number == 1
        side, stride = (front.conv1_kernel, front.conv1_stride) if first else (kernel, 1)
        padding = front.conv1_padding if first else kernel // 2
        end = padding if not first or front.conv1_padding_end is None else front.conv1_padding_end
        output = (size + padding + end - side) // stride + 1
        pools_here = pools or number == kept[-1][0]
        convolutions.append(
            ConvLayer(
                number=number,
                in_channels=channels,
                out_channels=out_channels,
                kernel=side,
                stride=stride,
                padding=padding,
                groups=architecture.groups if grouped else 1,
                lrn=architecture.lrn and number in _NORMALISED,
                pools=pools_here,
                pool_kernel=architecture.pool_kernel,
                input_size=size,
                output_size=output,
                pooled_size=_pooled_size(output, architecture) if pools_here else output,
                padding_end=end,
            )
        )
        channels, size = out_channels, convolutions[-1].pooled_size
    widths = (channels * size**2, _HIDDEN_UNITS, _HIDDEN_UNITS, architecture.num_classes)
    dense = [
        DenseLayer(number=6 + index, in_features=wide, out_features=out)
        for index, (wide, out) in enumerate(itertools.pairwise(widths))
    ]
    return convolutions, dense


def layer_shapes(architecture: Architecture) -> tuple[tuple[object, ...], ...]:
    """What the layers compute, whatever they are called: two networks of one value are one network."""
    convolutions, dense = layers(architecture)
    shape_of = attrgetter("in_channels", "out_channels", "kernel", "stride", "padding", "groups", "lrn", "pooled_size")
    return (*map(shape_of, convolutions), *((one.in_features, one.out_features) for one in dense))


def _pooled_size(size: int, architecture: Architecture) -> int:
    front = architecture.front_end
    if front.pool_same:
        return -(-size // POOL_STRIDE)
    return pooled_size(size, architecture.pool_kernel, partial=front.pool_partial)


def pooled_size(size: int, kernel: int, *, partial: bool) -> int:
    """Side of a map after max pooling with stride 2; a map smaller than the window pools to one place.

    Args:
        size: Side before pooling.
        kernel: Side of the window.
        partial: A last window may reach over the border.
    """
    rest = max(0, size - kernel)
    return (-(-rest // POOL_STRIDE) if partial else rest // POOL_STRIDE) + 1


def num_parameters(architecture: Architecture) -> int:
    """Weights and biases of the whole network."""
    convolutions, dense = layers(architecture)
    return sum(layer.num_parameters for layer in convolutions) + sum(layer.num_parameters for layer in dense)
