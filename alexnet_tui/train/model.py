"""AlexNet from an `Architecture`.

Legend: N images, C channels, H and W pixels, K classes, U hidden units; O and I channels out and in of a kernel,
P = N*H*W pixels of all images.

Two operations are computed otherwise than the paper writes them, with the same result: a convolution whose kernel
covers the whole map is one matrix product, and response normalisation sums its neighbours by another.

Shapes of the maps (C x H x W of one image) by front end, with overlapping pooling; a removed layer leaves its row
out, and plain pooling changes the maps of ``literal32`` only, whose first pooling gives 96x3x3:

| after            | literal32  | same32     | resize227  | keras-valid | keras-same | cifar3x3   |
|------------------|------------|------------|------------|-------------|------------|------------|
| image            | 3x32x32    | 3x32x32    | 3x227x227  | 3x32x32     | 3x32x32    | 3x32x32    |
| convolution 1    | 96x6x6     | 96x8x8     | 96x55x55   | 96x6x6      | 96x8x8     | 96x32x32   |
| pooling          | 96x2x2     | 96x4x4     | 96x27x27   | 96x3x3      | 96x4x4     | 96x16x16   |
| convolution 2    | 256x2x2    | 256x4x4    | 256x27x27  | 256x3x3     | 256x4x4    | 256x16x16  |
| pooling          | 256x1x1    | 256x2x2    | 256x13x13  | 256x2x2     | 256x2x2    | 256x8x8    |
| convolution 3    | 384x1x1    | 384x2x2    | 384x13x13  | 384x2x2     | 384x2x2    | 384x8x8    |
| convolution 4    | 384x1x1    | 384x2x2    | 384x13x13  | 384x2x2     | 384x2x2    | 384x8x8    |
| convolution 5    | 256x1x1    | 256x2x2    | 256x13x13  | 256x2x2     | 256x2x2    | 256x8x8    |
| pooling          | 256x1x1    | 256x1x1    | 256x6x6    | 256x1x1     | 256x1x1    | 256x4x4    |
| units of layer 6 | 256        | 256        | 9216       | 256         | 256        | 4096       |
"""

from collections.abc import Callable, Iterator, Mapping

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from alexnet_tui.config.architecture import POOL_STRIDE, Architecture, ConvLayer, layers

# The paper's constants (section 3.3); its alpha multiplies the plain sum of squares, where PyTorch divides by n.
LRN_SIZE, LRN_ALPHA, LRN_BETA, LRN_K = 5, 1e-4, 0.75, 2.0
_PAPER_STANDARD_DEVIATION = 0.01
_ACTIVATIONS: Mapping[str, Callable[[Tensor], Tensor]] = {"relu": torch.relu, "tanh": torch.tanh}
_BIASED_IN_PAPER = (2, 4, 5, 6, 7)


class AlexNet(nn.Module):
    """The network of Krizhevsky et al. 2012, section 3.5, without its two-GPU placement.

    Args:
        init: ``glorot``, ``paper`` or ``he``.
        generator: CPU generator of the initial weights.
    """

    def __init__(self, architecture: Architecture, init: str, generator: Generator) -> None:
        super().__init__()
        conv_layers, dense_layers = layers(architecture)
        self.architecture = architecture
        self.geometry = conv_layers
        self.convolutions = nn.ModuleList(Convolution(layer) for layer in conv_layers)
        self.dense = nn.ModuleList(nn.Linear(layer.in_features, layer.out_features) for layer in dense_layers)
        self._activate: Callable[[Tensor], Tensor] = _ACTIVATIONS[architecture.activation]
        self._numbers = [layer.number for layer in conv_layers] + [layer.number for layer in dense_layers]
        self._initialise(init, generator)

    def forward(self, images_NCHW: Tensor, dropout: "Dropout | None" = None) -> Tensor:
        """Logits (N, K) of standardised images.

        Args:
            images_NCHW: Of the front end's size, in the network's precision.
            dropout: Source of the masks in training; None in evaluation.
        """
        maps_NCHW = images_NCHW
        for layer, convolution in zip(self.geometry, self.convolutions, strict=True):
            maps_NCHW = self._activate(convolution(maps_NCHW))  # (N, out_channels, output_size, output_size)
            if layer.lrn:
                maps_NCHW = local_response_norm(maps_NCHW)  # The same shape.
            if layer.pools:
                maps_NCHW = max_pool(maps_NCHW, layer)  # (N, out_channels, pooled_size, pooled_size)
        units_NU = maps_NCHW.flatten(1)  # (N, units of layer 6)
        for hidden in self.dense[:-1]:
            units_NU = self._activate(hidden(units_NU))  # (N, 4096), twice
            if dropout is not None:
                units_NU = dropout(units_NU)
        logits_NK: Tensor = self.dense[-1](units_NU)  # (N, K)
        return logits_NK

    def weights_and_biases(self) -> Iterator[tuple[int, nn.Parameter, nn.Parameter]]:
        """The paper's number of each layer, its weight and its bias."""
        for number, layer in zip(self._numbers, [*self.convolutions, *self.dense], strict=True):
            yield number, layer.weight, layer.bias

    @torch.no_grad()
    def _initialise(self, init: str, generator: Generator) -> None:
        for number, weight, bias in self.weights_and_biases():
            bias.zero_()
            if init == "paper":
                weight.normal_(0, _PAPER_STANDARD_DEVIATION, generator=generator)
                bias.fill_(1.0 if number in _BIASED_IN_PAPER else 0.0)
            elif init == "he":
                nn.init.kaiming_normal_(weight, nonlinearity="relu", generator=generator)
            else:
                nn.init.xavier_uniform_(weight, generator=generator)


class Convolution(nn.Module):
    """A convolution; where its kernel covers the whole map from every output pixel, a matrix product.

    On 32-pixel images the later maps are 2x2 or 1x1, where a library's convolution spends most of its time on padding.
    The weights (O, I / groups, k, k) keep their shape, decay and count as in any framework, also those that only ever
    meet padding.
    """

    def __init__(self, layer: ConvLayer) -> None:
        super().__init__()
        self.weight = nn.Parameter(
            torch.empty(layer.out_channels, layer.in_channels // layer.groups, layer.kernel, layer.kernel)
        )
        self.bias = nn.Parameter(torch.empty(layer.out_channels))
        self.layer = layer
        reach = min(layer.padding - (layer.output_size - 1), layer.kernel - layer.padding - layer.input_size)
        self.spans_map = layer.stride == 1 and reach >= 0

    def forward(self, maps_NCHW: Tensor) -> Tensor:
        """Maps (N, C', H', W') before the non-linearity."""
        layer = self.layer
        if self.spans_map:
            return self._as_dense(maps_NCHW)
        padding = layer.padding
        if layer.padding_end != padding:  # A convolution pads all borders alike.
            maps_NCHW, padding = F.pad(maps_NCHW, (padding, layer.padding_end) * 2), 0
        return F.conv2d(maps_NCHW, self.weight, self.bias, layer.stride, padding, groups=layer.groups)

    def _as_dense(self, maps_NCHW: Tensor) -> Tensor:
        layer, size = self.layer, self.layer.output_size
        maps_NHWC = maps_NCHW.permute(0, 2, 3, 1)
        outputs = []
        for inputs, weight, bias in zip(
            maps_NHWC.chunk(layer.groups, dim=3),
            self.weight.chunk(layer.groups),
            self.bias.chunk(layer.groups),
            strict=True,
        ):
            matrix = _SpreadKernel.apply(weight, size, layer.input_size, layer.padding)
            rows = F.linear(inputs.flatten(1), matrix, bias.repeat(size * size))  # (N, size * size * O / groups)
            outputs.append(rows.view(len(rows), size, size, len(bias)))
        joined = outputs[0] if len(outputs) == 1 else torch.cat(outputs, dim=3)
        return joined.permute(0, 3, 1, 2)


class _SpreadKernel(torch.autograd.Function):
    """The matrix (m*m*O, n*n*I) that convolving an n x n map to m x m places multiplies by.

    Row block (y, x) is the window of the kernel that the whole map sees from output place (y, x).
    """

    @staticmethod
    def forward(
        ctx: "torch.autograd.function.FunctionCtx",
        weight_OIHW: Tensor,
        out_size: int,
        in_size: int,
        padding: int,
    ) -> Tensor:
        ctx.shape, ctx.sizes = weight_OIHW.shape, (out_size, in_size, padding)  # type: ignore[attr-defined]
        weight_OHWI = weight_OIHW.permute(0, 2, 3, 1)
        outputs, inputs = weight_OIHW.shape[:2]
        matrix = weight_OIHW.new_empty(out_size, out_size, outputs, in_size, in_size, inputs)
        for y, x, window in _windows(out_size, in_size, padding):
            matrix[y, x] = weight_OHWI[window]
        return matrix.view(out_size**2 * outputs, in_size**2 * inputs)

    @staticmethod
    def backward(ctx: "torch.autograd.function.FunctionCtx", gradient: Tensor) -> tuple[Tensor, None, None, None]:
        outputs, inputs, height, width = ctx.shape  # type: ignore[attr-defined]
        out_size, in_size, padding = ctx.sizes  # type: ignore[attr-defined]
        blocks = gradient.view(out_size, out_size, outputs, in_size, in_size, inputs)
        weight_OHWI = gradient.new_zeros(outputs, height, width, inputs)
        for y, x, window in _windows(out_size, in_size, padding):
            weight_OHWI[window] += blocks[y, x]
        return weight_OHWI.permute(0, 3, 1, 2), None, None, None


def _windows(out_size: int, in_size: int, padding: int) -> Iterator[tuple[int, int, tuple[slice, slice, slice]]]:
    """Each output place, and which rows and columns of the kernel (O, H, W, I) the map meets from there."""
    for y in range(out_size):
        for x in range(out_size):
            top, left = padding - y, padding - x
            yield y, x, (slice(None), slice(top, top + in_size), slice(left, left + in_size))


class Dropout:
    """Inverted dropout with 16-bit random numbers: four to a draw, so that masks cost little.

    Units are kept with probability 1 - p and divided by it, which is the paper's halving at test time moved
    to training (section 4.2). The probability is rounded to 1/65536 and the scale follows the rounded value.

    Args:
        probability: Chance of zeroing a unit.
        generator: On the units' device; the caller seeds it once a step.

    Attributes:
        first, count: The first image of the batch that is computed here, and the images of the whole batch; each unit
            gets the number of its place in the whole. A count of 0 is a batch computed here as a whole.
    """

    def __init__(self, probability: float, generator: Generator) -> None:
        levels = 1 << 16
        dropped = round(probability * levels)
        self._threshold = dropped - levels // 2
        self._scale = levels / (levels - dropped)
        self.generator = generator
        self.first = self.count = 0

    def __call__(self, units_NU: Tensor) -> Tensor:
        """The units, some zero, the others scaled up."""
        first, count = self.first * units_NU.shape[1], units_NU.numel()
        words = self._words(self.count * units_NU.shape[1] or count, units_NU.device)
        kept = words[first : first + count].view_as(units_NU) >= self._threshold
        # The scale by itself: a number is multiplied in float32, a tensor would round it to the units' precision.
        return (units_NU * kept.to(units_NU.dtype)).mul(self._scale)

    def _words(self, count: int, device: torch.device) -> Tensor:
        """At least `count` random int16."""
        if device.type == "mps":  # It has no draws of whole 64-bit words.
            words = torch.randint(-(2**15), 2**15, (count,), dtype=torch.int32, device=device, generator=self.generator)
            return words.to(torch.int16)
        bits = torch.empty((count + 3) // 4, dtype=torch.int64, device=device)
        return bits.random_(-(2**63), None, generator=self.generator).view(torch.int16)


def max_pool(maps_NCHW: Tensor, layer: ConvLayer) -> Tensor:
    """Max pooling with stride 2 (section 3.4); a map no larger than one window is seen whole."""
    size, kernel = layer.output_size, layer.pool_kernel
    if layer.pooled_size == 1 and size <= kernel:
        return maps_NCHW if size == 1 else maps_NCHW.amax((2, 3), keepdim=True)
    first_outside = int(layer.pooled_size > -(-(size - kernel) // POOL_STRIDE) + 1)  # 3x3, padding same, odd size.
    partial = (size - kernel) // POOL_STRIDE + 1 < layer.pooled_size
    return F.max_pool2d(maps_NCHW, kernel, POOL_STRIDE, padding=first_outside, ceil_mode=partial and not first_outside)


def local_response_norm(maps_NCHW: Tensor) -> Tensor:
    """Each unit divided by (k + alpha * sum of squares of five neighbouring maps) ** beta.

    Source: Krizhevsky et al. 2012, section 3.3, with its constants.
    """
    normalised: Tensor = _LocalResponseNorm.apply(maps_NCHW)
    return normalised


class _LocalResponseNorm(torch.autograd.Function):
    """The sum over neighbouring maps as a product with a banded matrix, forward and back."""

    @staticmethod
    def forward(ctx: "torch.autograd.function.FunctionCtx", maps_NCHW: Tensor) -> Tensor:
        rows_PC = _as_rows(maps_NCHW)
        band_CC = _band(rows_PC.shape[1], rows_PC.device, rows_PC.dtype)
        sums_PC = (rows_PC * rows_PC) @ band_CC
        base_PC = sums_PC.float().mul_(LRN_ALPHA).add_(LRN_K)
        factor_PC = base_PC.pow(-LRN_BETA).to(rows_PC.dtype)
        ctx.save_for_backward(rows_PC, base_PC.to(rows_PC.dtype), factor_PC)
        return _as_maps(rows_PC * factor_PC, maps_NCHW.shape)

    @staticmethod
    def backward(ctx: "torch.autograd.function.FunctionCtx", *gradients: Tensor) -> Tensor:
        rows_PC, base_PC, factor_PC = ctx.saved_tensors  # type: ignore[attr-defined]
        shape = gradients[0].shape
        gradient_PC = _as_rows(gradients[0])
        band_CC = _band(rows_PC.shape[1], rows_PC.device, rows_PC.dtype)
        direct_PC = gradient_PC * factor_PC
        through_PC = (direct_PC * rows_PC / base_PC) @ band_CC
        return _as_maps(direct_PC.addcmul_(rows_PC, through_PC, value=-2 * LRN_ALPHA * LRN_BETA), shape)


def _as_rows(maps_NCHW: Tensor) -> Tensor:
    """One row of channels a place, (N*H*W, C); a view where maps are channels-last."""
    return maps_NCHW.permute(0, 2, 3, 1).reshape(-1, maps_NCHW.shape[1])


def _as_maps(rows_PC: Tensor, shape: torch.Size) -> Tensor:
    """The inverse of `_as_rows`."""
    images, channels, height, width = shape
    return rows_PC.view(images, height, width, channels).permute(0, 3, 1, 2)


_BANDS: dict[tuple[int, torch.device, torch.dtype], Tensor] = {}


def _band(channels: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Ones where two maps are at most two apart, (C, C)."""
    key = (channels, device, dtype)
    if key not in _BANDS:
        index = torch.arange(channels, device=device)
        _BANDS[key] = ((index[:, None] - index[None, :]).abs() <= LRN_SIZE // 2).to(dtype)
    return _BANDS[key]
