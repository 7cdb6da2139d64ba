"""Image data sets: their content hash, and their decoding.

A source is streamed twice: once to hash it and to measure the images, once to decode them on all cores. EXIF
orientation is ignored, as the usual loaders of ImageNet do.
"""

import hashlib
import io
import os
import warnings
import zlib
from collections import Counter, deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from alexnet_tui.datasets.archive import LAYOUT, Key, Listing, members
from alexnet_tui.datasets.cache import PixelFile, Progress, Report
from alexnet_tui.errors import DatasetError
from alexnet_tui.text import printable

if TYPE_CHECKING:
    from PIL import Image

    from alexnet_tui.datasets.cache import Pixels

_FORMATS = ("JPEG", "PNG")
_TINY_SIZE = 64
_MAX_PIXELS = 64_000_000
_BATCH_FILES, _BATCH_BYTES = 64, 8 << 20


class Row(NamedTuple):
    """Where an image goes in the cache; `digest` is the sha256 of its file."""

    split: str
    place: int
    digest: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Scan:
    """What a source holds.

    Attributes:
        sha256: Over the sorted names and the hashes of their bytes; no order, date or compression changes it.
        class_names: Sorted; the same for both splits.
        rows: Each image's place in the cache.
        labels: Per split, the class of each row.
        native_size: Side in pixels where all images are squares of one size, else 0.
        num_ignored: Entries that were left alone: links, devices, other names.
    """

    sha256: str
    class_names: tuple[str, ...]
    rows: dict[Key, Row]
    labels: dict[str, list[int]]
    native_size: int
    num_ignored: int


def scan(name: str, path: Path, report: Report) -> Scan:
    """Read a source once: what is in it, and its hash.

    Raises:
        DatasetError: The source is missing, damaged, or not laid out as a data set.
    """
    listing, digests, sizes = Listing(name=name), {}, Counter[tuple[int, int]]()
    for key, content in members(path, listing):
        if key in digests:
            raise DatasetError(name, f"{path} holds {printable(key.name, 200)} twice; keep one of them.")
        digests[key] = hashlib.sha256(content).digest()
        size = _measure(content)
        if size:
            sizes[size] += 1
        if len(digests) % 500 == 0:
            report(Progress(done=len(digests), total=0, what="reading"))
    test = "test" if any(key.split == "test" for key in digests) else "val"
    used = {key: digests[key] for key in sorted(digests) if key.split in {"train", test}}
    folders = {folder for folder in listing.folders if folder[0] in {"train", test}}
    class_names = _check_classes(name, path, set(used), folders, test)
    side, other = next(iter(sizes)) if len(sizes) == 1 else (0, -1)
    labels: dict[str, list[int]] = {"train": [], "test": []}
    numbers = {class_name: number for number, class_name in enumerate(class_names)}
    rows, total = {}, hashlib.sha256()
    for key, digest in used.items():
        split = "train" if key.split == "train" else "test"
        rows[key] = Row(split, len(labels[split]), digest)
        labels[split].append(numbers[key.class_name])
        total.update(key.name.encode(errors="surrogateescape") + b"\0" + digest)
    return Scan(
        sha256=total.hexdigest(),
        class_names=tuple(printable(class_name, 200) for class_name in class_names),
        rows=rows,
        labels=labels,
        native_size=side if side == other else 0,
        num_ignored=listing.num_ignored + len(digests) - len(used),
    )


def _check_classes(name: str, path: Path, keys: set[Key], folders: set[tuple[str, str]], test: str) -> list[str]:
    full = {(key.split, key.class_name) for key in keys}
    train, tested = ({folder[1] for folder in full if folder[0] == split} for split in ("train", test))
    empty = sorted(folders - full)
    reason = ""
    if not train:
        reason = f"there are no training images in it. It must hold {LAYOUT}."
    elif not tested:
        reason = f"there are no test images in it. It must hold {LAYOUT}."
    elif empty:
        more = f" (and {len(empty) - 1} more)" if len(empty) > 1 else ""
        reason = f"{printable('/'.join(empty[0]), 200)}{more} holds no image. Fill or remove that folder."
    elif tested - train:
        stray = printable(min(tested - train), 100)
        reason = f"the class {stray} is in {test} but not in train. Both splits need the same classes."
    elif len(train) < 2:
        reason = "there is one class in it; telling classes apart needs two at least."
    if reason:
        raise DatasetError(name, f"{path}: {reason}")
    return sorted(train)


def decode(
    name: str, path: Path, found: Scan, image_size: int, files: dict[str, PixelFile], report: Report
) -> dict[Key, str]:
    """Decode every image of a scanned source into the cache's files, on all cores.

    Returns:
        The images that cannot be read, each with the reason.

    Raises:
        DatasetError: The source is no longer the one that was scanned.
    """
    # Decoding a tiny image is mostly Python; threads would only wait for each other there.
    threads = 1 if 0 < found.native_size <= _TINY_SIZE else _num_threads()
    failures: dict[Key, str] = {}
    done = 0
    pending: deque[Future[dict[Key, str]]] = deque()
    listing = Listing(name=name)
    with ThreadPoolExecutor(threads) as pool:
        try:
            for batch in _batches(members(path, listing), found):
                pending.append(pool.submit(_decode_batch, batch, found, image_size, files))
                done += len(batch)
                if len(pending) > 2 * threads:
                    failures.update(pending.popleft().result())
                    report(Progress(done=done, total=len(found.rows), what="decoding"))
            while pending:
                failures.update(pending.popleft().result())
        finally:
            for future in pending:
                future.cancel()
    if done != len(found.rows) or _CHANGED in failures.values():
        raise DatasetError(name, f"{path} changed while it was read; try again.")
    report(Progress(done=done, total=done, what="decoding"))
    return failures


_CHANGED = "changed"


def _num_threads() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def _batches(stream: Iterator[tuple[Key, bytes]], found: Scan) -> Iterator[list[tuple[Key, bytes]]]:
    batch: list[tuple[Key, bytes]] = []
    size = 0
    for key, content in stream:
        if key not in found.rows:
            continue
        batch.append((key, content))
        size += len(content)
        if len(batch) >= _BATCH_FILES or size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _decode_batch(
    batch: list[tuple[Key, bytes]], found: Scan, image_size: int, files: dict[str, PixelFile]
) -> dict[Key, str]:
    failures = {}
    for key, content in batch:
        row = found.rows[key]
        if hashlib.sha256(content).digest() != row.digest:
            failures[key] = _CHANGED
            continue
        try:
            pixels = decode_image(content, image_size)
        # Pillow's decoders raise nearly anything on hostile bytes; these are all they are known to raise.
        except (OSError, ValueError, SyntaxError, EOFError, OverflowError, zlib.error) as error:
            failures[key] = _reason(error)
            continue
        files[row.split].write(row.place, pixels)
    return failures


def _reason(error: Exception) -> str:
    """Why an image cannot be read; Pillow names an unknown one by where it lies in memory."""
    from PIL import UnidentifiedImageError

    if isinstance(error, UnidentifiedImageError):
        return "it is no whole JPEG or PNG image"
    return printable(str(error) or type(error).__name__, 100)


def decode_image(content: bytes, image_size: int) -> "Pixels":
    """Decode a JPEG or PNG to uint8 (3, S, S): shorter side scaled to S, then the central square.

    Source: Krizhevsky et al. 2012, section 2.

    Raises:
        OSError: The bytes are no whole image.
        ValueError: The image is too large or too narrow to be one.
    """
    import numpy as np
    from PIL import Image

    try:
        with Image.open(io.BytesIO(content), formats=_FORMATS) as opened:
            _check_size(opened.size)
            opened.load()
            image = _to_rgb(opened)
    except Image.DecompressionBombError as error:  # A plain Exception, which nobody else would expect.
        raise ValueError(str(error)) from error
    width, height = image.size
    if (width, height) != (image_size, image_size):
        side = min(width, height)
        left, top = (width - side) / 2, (height - side) / 2
        # Cropping and scaling in one step: what is cut off is never scaled.
        image = image.resize(
            (image_size, image_size),
            Image.Resampling.BICUBIC,
            box=(left, top, left + side, top + side),
        )
    return np.ascontiguousarray(np.asarray(image, dtype=np.uint8).transpose(2, 0, 1))


def _to_rgb(image: "Image.Image") -> "Image.Image":
    import numpy as np
    from PIL import Image

    if image.mode.startswith("I"):
        # 16-bit grey: Pillow would clip it to white instead of scaling it.
        deep = np.clip(np.asarray(image, dtype=np.int64), 0, 65_535)
        image = Image.fromarray((deep >> 8).astype(np.uint8))
    return image if image.mode == "RGB" else image.convert("RGB")


def _measure(content: bytes) -> tuple[int, int] | None:
    """Width and height of an image, or None where the header cannot be read."""
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with Image.open(io.BytesIO(content), formats=_FORMATS) as image:
                _check_size(image.size)
                return image.size
        except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError):
            return None


def _check_size(size: tuple[int, int]) -> None:
    if size[0] * size[1] > _MAX_PIXELS:
        raise ValueError(f"{size[0]}x{size[1]} pixels are more than {_MAX_PIXELS:,}")
