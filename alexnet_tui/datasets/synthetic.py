"""A small data set computed by arithmetic: ten shapes on 32x32 colour images, for a machine without any data.

The shape tells the class and its colour hints at it; place, size, angle, background, clutter and noise are
drawn without regard to it, and a few training labels are wrong on purpose, so a network can overfit and its
variants differ. Randomness comes from fixed seeds through PCG64; changing any constant here means raising the
revision in `datasets.catalog`.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from alexnet_tui.datasets.cache import Labels, Pixels

    Plane = NDArray[np.float32]
    Mask = NDArray[np.bool_]

CLASS_NAMES = (
    "disc",
    "ring",
    "square",
    "frame",
    "triangle",
    "plus",
    "bar",
    "two bars",
    "stripes",
    "checkerboard",
)
IMAGE_SIZE = 32
_SEEDS = {"train": 20_120, "test": 20_121}
_WRONG_LABELS = {"train": 0.04, "test": 0.0}
_CHUNK = 1000
# Mean red, green and blue of each class's shape.
_TINTS = (
    (250, 110, 110),
    (250, 180, 95),
    (220, 245, 90),
    (140, 250, 95),
    (90, 250, 160),
    (90, 220, 250),
    (100, 130, 250),
    (165, 95, 250),
    (250, 95, 225),
    (200, 200, 200),
)


def draw(split: str, count: int) -> "tuple[Pixels, Labels]":
    """Draw a split: `count` images in a random order, the classes equally often.

    Returns:
        uint8 images of shape (count, 3, 32, 32) and int64 labels.
    """
    import numpy as np

    rng = np.random.default_rng(_SEEDS[split])
    classes = rng.permutation(np.arange(count, dtype=np.int64) % len(CLASS_NAMES))
    images = np.concatenate([_draw_chunk(rng, classes[start : start + _CHUNK]) for start in range(0, count, _CHUNK)])
    labels = classes.copy()
    wrong = rng.random(count) < _WRONG_LABELS[split]
    labels[wrong] = rng.integers(0, len(CLASS_NAMES), int(wrong.sum()))
    return images, labels


def _draw_chunk(rng: "np.random.Generator", classes: "Labels") -> "Pixels":
    import numpy as np

    count = len(classes)
    u, v = _local_coordinates(rng, count, low=7.5, high=11.5, spread=3.5)
    mask = np.zeros(u.shape, dtype=np.bool_)
    for number in range(len(CLASS_NAMES)):
        mine = classes == number
        mask[mine] = _shape(number, u[mine], v[mine])
    background = _uniform(rng, (count, 3, 1, 1), 35, 105)
    # A hint and no more: the colours of neighbouring classes overlap widely.
    tint = np.array(_TINTS, dtype=np.float32)[classes][:, :, None, None]
    colour = tint + _uniform(rng, (count, 3, 1, 1), -70, 70)
    image = background + _gradient(rng, count)
    # Three in ten images show their shape faintly: these keep the last points of accuracy apart.
    is_faint = rng.random((count, 1, 1, 1)) < 0.3
    strength = np.where(is_faint, _uniform(rng, (count, 1, 1, 1), 0.05, 0.35), np.float32(1))
    image = image + strength * mask[:, None] * (colour - image)
    for _ in range(2):
        du, dv = _local_coordinates(rng, count, low=1.5, high=3.0, spread=14.0)
        clutter = (np.maximum(np.abs(du), np.abs(dv)) < 1)[:, None]
        image = np.where(clutter, _uniform(rng, (count, 3, 1, 1), 20, 235), image)
    noise = rng.integers(-20, 21, image.shape, dtype=np.int16)
    pixels: Pixels = np.clip(np.rint(image) + noise, 0, 255).astype(np.uint8)
    return pixels


def _uniform(rng: "np.random.Generator", shape: tuple[int, ...], low: float, high: float) -> "Plane":
    import numpy as np

    return np.float32(low) + rng.random(shape, dtype=np.float32) * np.float32(high - low)


def _local_coordinates(
    rng: "np.random.Generator", count: int, low: float, high: float, spread: float
) -> "tuple[Plane, Plane]":
    """Each pixel in the frame of a shape: centred on it, turned with it, its half side being 1."""
    import numpy as np

    pixels = np.arange(IMAGE_SIZE, dtype=np.float32) - np.float32((IMAGE_SIZE - 1) / 2)
    scale = _uniform(rng, (count, 1, 1), low, high)
    across = pixels[None, None, :] - _uniform(rng, (count, 1, 1), -spread, spread)
    down = pixels[None, :, None] - _uniform(rng, (count, 1, 1), -spread, spread)
    angle = rng.random((count, 1, 1)) * 0.7 - 0.35
    cosine: Plane = np.cos(angle).astype(np.float32)
    sine: Plane = np.sin(angle).astype(np.float32)
    u, v = (across * cosine + down * sine) / scale, (down * cosine - across * sine) / scale
    return u.astype(np.float32, copy=False), v.astype(np.float32, copy=False)


def _gradient(rng: "np.random.Generator", count: int) -> "Plane":
    """A slope of brightness over the whole image, different in each channel."""
    import numpy as np

    ramp = np.linspace(-1, 1, IMAGE_SIZE, dtype=np.float32)
    across, down = _uniform(rng, (count, 3, 1, 1), -22, 22), _uniform(rng, (count, 3, 1, 1), -22, 22)
    return across * ramp[None, None, None, :] + down * ramp[None, None, :, None]


def _shape(number: int, u: "Plane", v: "Plane") -> "Mask":
    """The pixels inside shape `number` of `CLASS_NAMES`."""
    import numpy as np

    square = np.maximum(np.abs(u), np.abs(v)) < 1
    radius = u * u + v * v
    cells_u, cells_v = np.floor(u * 2), np.floor(v * 2)
    shapes = (
        lambda: radius < 1,
        lambda: (radius < 1) & (radius > 0.36),
        lambda: np.maximum(np.abs(u), np.abs(v)) < 0.87,
        lambda: square & (np.maximum(np.abs(u), np.abs(v)) > 0.6),
        lambda: (v < 0.8) & (v > -1) & (np.abs(u) < (v + 1) * 0.6),
        lambda: square & (np.minimum(np.abs(u), np.abs(v)) < 0.28),
        lambda: square & (np.abs(v) < 0.35),
        lambda: square & (np.abs(np.abs(v) - 0.6) < 0.28),
        lambda: square & (np.floor(v * 3.5 + 0.5) % 2 == 0),
        lambda: square & ((cells_u + cells_v) % 2 == 0),
    )
    inside: Mask = shapes[number]()
    return inside
