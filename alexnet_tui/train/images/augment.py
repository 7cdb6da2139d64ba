"""Random changes to whole batches: pure tensor functions, one generator in, no loop over images.

Legend: N images, C channels, H and W pixels.
"""

import torch
from torch import Generator, Tensor

PCA_STANDARD_DEVIATION = 0.1


def random_flip(images_NCHW: Tensor, generator: Generator) -> Tensor:
    """Mirror each image left to right with probability one half.

    Source: Krizhevsky et al. 2012, section 4.1.
    """
    count = images_NCHW.shape[0]
    mirrored_N = torch.rand(count, device=images_NCHW.device, generator=generator) < 0.5
    return torch.where(mirrored_N[:, None, None, None], images_NCHW.flip(3), images_NCHW)


def random_crop(images_NCHW: Tensor, size: int, generator: Generator, padding: int = 0) -> Tensor:
    """Cut a square from each image at its own random place.

    Args:
        images_NCHW: Any dtype, on any device.
        size: Side of the square in pixels, at most min(H, W) + 2 * padding.
        generator: On the images' device.
        padding: Zeros added at each border first.

    Returns:
        Same dtype and device, shape (N, C, size, size).

    Raises:
        ValueError: The square is larger than the padded image.

    Source: Krizhevsky et al. 2012, section 4.1 (224 of 256 pixels, no padding); the padding is the usual way to
    do the same on 32 pixels.
    """
    padded = torch.nn.functional.pad(images_NCHW, (padding,) * 4) if padding else images_NCHW
    count, _, height, width = padded.shape
    if size > min(height, width):
        raise ValueError(f"a square of {size} pixels does not fit into {height}x{width}")
    device = padded.device
    tops_N = torch.randint(height - size + 1, (count,), device=device, generator=generator)
    lefts_N = torch.randint(width - size + 1, (count,), device=device, generator=generator)
    steps = torch.arange(size, device=device)
    rows = (tops_N[:, None] + steps)[:, :, None]
    columns = (lefts_N[:, None] + steps)[:, None, :]
    image_index = torch.arange(count, device=device)[:, None, None]
    # Indexing around the channel axis puts it last: (N, size, size, C).
    return padded[image_index, :, rows, columns].permute(0, 3, 1, 2)


def center_crop(images_NCHW: Tensor, size: int) -> Tensor:
    """The central square of `size` pixels; the images themselves where they have that size."""
    height, width = images_NCHW.shape[2:]
    top, left = (height - size) // 2, (width - size) // 2
    return images_NCHW[:, :, top : top + size, left : left + size]


def pca_colour(images_NCHW: Tensor, components_CC: Tensor, generator: Generator) -> Tensor:
    """Shift each image's colour along the principal components of the training set's pixels.

    Args:
        images_NCHW: Pixel values in the scale of `components_CC`.
        components_CC: Columns are eigenvectors of the colour covariance, each times its eigenvalue.
        generator: On the images' device.

    Source: Krizhevsky et al. 2012, section 4.1: one Gaussian draw of standard deviation 0.1 an image and a
    component.
    """
    count = images_NCHW.shape[0]
    draws_NC = torch.randn(count, 3, device=images_NCHW.device, generator=generator) * PCA_STANDARD_DEVIATION
    shift_NC = draws_NC @ components_CC.T
    return images_NCHW + shift_NC[:, :, None, None].to(images_NCHW.dtype)
