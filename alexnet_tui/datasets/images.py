"""Image data sets: their content hash, and their decoding.

A source is streamed twice: once to hash it and to measure the images, once to decode them on all cores. An image
is turned as its EXIF orientation says.
"""

import hashlib
import io
import warnings
import zlib
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from alexnet_tui.cores import num_cores
from alexnet_tui.datasets.cache import PixelFile, Progress, ProgressCallback
from alexnet_tui.datasets.left_out import LeftOut, Reason, list_left_out
from alexnet_tui.datasets.sources import LAYOUT, MAX_FILE_BYTES, ImageKey, SourceContents, read_images
from alexnet_tui.errors import DatasetError
from alexnet_tui.text import printable

if TYPE_CHECKING:
    from PIL import Image

    from alexnet_tui.datasets.cache import Pixels

_FORMATS = ("JPEG", "PNG", "WEBP", "BMP")
_FIRST_FORMATS = ("JPEG", "PNG")
_TINY_SIZE = 64
_MAX_PIXELS = 64_000_000
_ONCE_CUT_SIZES = range(33, 257)
"""Sides of square images of which version 2 of the cache gave small networks the centre alone."""
_MAX_NAMES_BYTES = 800_000
"""Of all classes: they stand in the cache's manifest and in one line of each run's record, of a mebibyte at most."""
_BATCH_FILES, _BATCH_BYTES = 64, 8 << 20
_ORIENTATION_TAG = 0x0112
_SPEAKING = (OSError, ValueError, SyntaxError, EOFError, OverflowError, zlib.error)
"""Errors of Pillow whose texts are about the image; those of others are about Pillow."""


class Row(NamedTuple):
    """Where an image goes in the cache; `digest` is the sha256 of its file."""

    split: str
    place: int
    digest: bytes


class Scan(msgspec.Struct, frozen=True, kw_only=True):
    """What a source holds.

    Attributes:
        sha256: Over the sorted names and the hashes of their bytes; no order, date or compression changes it.
            What an older version of the cache decoded otherwise, or not at all, adds how it is decoded now.
        class_names: Sorted; the same for both splits.
        rows: Each image's place in the cache.
        labels: Per split, the class of each row.
        native_size: Side in pixels where all training and test images are squares of one size, else 0.
        test_split: The folder whose images are the test images: ``test`` or ``val``.
        left_out: Entries of the source that are no images of it.
        links: The first links that were followed, by name.
        num_links: How many were followed.
    """

    sha256: str
    class_names: tuple[str, ...]
    rows: dict[ImageKey, Row]
    labels: dict[str, list[int]]
    native_size: int
    test_split: str
    left_out: list[LeftOut]
    links: list[str]
    num_links: int


class _Scanned(NamedTuple):
    """An image of a source as it was scanned.

    Attributes:
        digest: The sha256 of its file.
        size: Width and height in pixels, or None where its header cannot be read.
        decoding: What sets its decoding apart from version 1 of the cache, or empty.
    """

    digest: bytes
    size: tuple[int, int] | None
    decoding: bytes


def scan(name: str, path: Path, report: ProgressCallback) -> Scan:
    """Read a source once: what is in it, and its hash.

    Raises:
        DatasetError: The source is missing, damaged, or not laid out as a data set.
    """
    contents = SourceContents(name=name)
    images = _scan_images(name, path, contents, report)
    for key in sorted(contents.settle() & images.keys()):
        contents.left_out.add(Reason.OUTSIDE, key)
        del images[key]
    test = "test" if any(key.split == "test" for key in images) else "val"
    used = {key: images[key] for key in sorted(images) if key.split in {"train", test}}
    for key in sorted(images.keys() - used.keys()):
        contents.left_out.add(Reason.SPLIT, key)
    left_out = contents.left_out.result()
    folders = {folder for folder in contents.class_folders if folder[0] in {"train", test}}
    class_names = _check_classes(name, path, set(used), folders, test, left_out)
    labels: dict[str, list[int]] = {"train": [], "test": []}
    numbers = {class_name: number for number, class_name in enumerate(class_names)}
    rows, total = {}, hashlib.sha256()
    for key, image in used.items():
        split = "train" if key.split == "train" else "test"
        rows[key] = Row(split, len(labels[split]), image.digest)
        labels[split].append(numbers[key.class_name])
        total.update(key.name.encode(errors="surrogateescape") + b"\0" + image.digest + image.decoding)
    native_size = _common_side({image.size for image in used.values() if image.size})
    if native_size in _ONCE_CUT_SIZES:
        total.update(b"\0scaled")
    return Scan(
        sha256=total.hexdigest(),
        class_names=tuple(printable(class_name, 200) for class_name in class_names),
        rows=rows,
        labels=labels,
        native_size=native_size,
        test_split=test,
        left_out=left_out,
        links=contents.links,
        num_links=contents.num_links,
    )


def _scan_images(name: str, path: Path, contents: SourceContents, report: ProgressCallback) -> dict[ImageKey, _Scanned]:
    """Every image of a source; `contents` gets what else is in it."""
    images: dict[ImageKey, _Scanned] = {}
    with warnings.catch_warnings(action="ignore"):  # Of Pillow: what cannot be read is reported by name.
        for key, content in read_images(path, contents):
            if key in images:
                raise DatasetError(name, f"{path} holds {printable(key.name, 200)} twice; keep one of them.")
            images[key] = _Scanned(hashlib.sha256(content).digest(), *_read_header(content))
            if len(images) % 500 == 0:
                report(Progress(done=len(images), total=0, what="reading"))
    return images


def _common_side(sizes: set[tuple[int, int]]) -> int:
    """Side in pixels of images that are squares of one size, else 0."""
    width, height = sizes.pop() if len(sizes) == 1 else (0, -1)
    return width if width == height else 0


def _check_classes(
    name: str,
    path: Path,
    keys: set[ImageKey],
    folders: set[tuple[str, str]],
    test: str,
    left_out: Sequence[LeftOut],
) -> list[str]:
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
    elif tested != train:
        stray = min(tested ^ train)
        there, missing = (test, "train") if stray in tested else ("train", test)
        reason = f"the class {printable(stray, 100)} is in {there} but not in {missing}. Both need the same classes."
    elif len(train) < 2:
        reason = "there is one class in it; telling classes apart needs two at least."
    elif (size := len(msgspec.json.encode([printable(class_name, 200) for class_name in train]))) > _MAX_NAMES_BYTES:
        reason = f"the names of its {len(train):,} classes take {size:,} bytes, more than {_MAX_NAMES_BYTES:,}."
    if reason:
        rest = f" Left out: {list_left_out(left_out)}." if left_out else ""
        raise DatasetError(name, f"{path}: {reason}{rest}")
    return sorted(train)


class Decoded(msgspec.Struct, kw_only=True):
    """What came of decoding a source.

    Attributes:
        failures: The images that cannot be read, each with the reason.
        shared: Test images whose pixels are those of a training image, with that one.
    """

    failures: dict[ImageKey, str] = msgspec.field(default_factory=dict)
    shared: list[tuple[ImageKey, ImageKey]] = msgspec.field(default_factory=list)


def decode(
    name: str, path: Path, found: Scan, image_size: int, files: dict[str, PixelFile], report: ProgressCallback
) -> Decoded:
    """Decode every image of a scanned source into the cache's files, on all cores.

    Raises:
        DatasetError: The source is no longer the one that was scanned.
    """
    # Decoding a tiny image is mostly Python; threads would only wait for each other there.
    threads = 1 if 0 < found.native_size <= _TINY_SIZE else num_cores()
    failures: dict[ImageKey, str] = {}
    pixels: dict[ImageKey, bytes] = {}
    done = 0
    pending: deque[Future[_Batch]] = deque()

    def take(batch: _Batch) -> None:
        failures.update(batch.failures)
        pixels.update(batch.pixels)

    with warnings.catch_warnings(action="ignore"), ThreadPoolExecutor(threads) as pool:
        try:
            for batch in _batches(read_images(path, SourceContents(name=name)), found):
                pending.append(pool.submit(_decode_batch, batch, found, image_size, files))
                done += len(batch)
                if len(pending) > 2 * threads:
                    take(pending.popleft().result())
                    report(Progress(done=done, total=len(found.rows), what="decoding"))
            while pending:
                take(pending.popleft().result())
        finally:
            for future in pending:
                future.cancel()
    if done != len(found.rows) or _CHANGED in failures.values():
        raise DatasetError(name, f"{path} changed while it was read; try again.")
    report(Progress(done=done, total=done, what="decoding"))
    training = {digest: key for key, digest in pixels.items() if key.split == "train"}
    tests = sorted(key for key in pixels if key.split != "train")
    shared = [(key, training[pixels[key]]) for key in tests if pixels[key] in training]
    return Decoded(failures=failures, shared=shared)


_CHANGED = "changed"


class _Batch(NamedTuple):
    """What came of some images: those that cannot be read, and a hash of the pixels of the others."""

    failures: dict[ImageKey, str]
    pixels: dict[ImageKey, bytes]


def _batches(stream: Iterator[tuple[ImageKey, bytes]], found: Scan) -> Iterator[list[tuple[ImageKey, bytes]]]:
    batch: list[tuple[ImageKey, bytes]] = []
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
    batch: list[tuple[ImageKey, bytes]], found: Scan, image_size: int, files: dict[str, PixelFile]
) -> _Batch:
    done = _Batch({}, {})
    for key, content in batch:
        row = found.rows[key]
        if hashlib.sha256(content).digest() != row.digest:
            done.failures[key] = _CHANGED
            continue
        try:
            pixels = decode_image(content, image_size)
        except MemoryError:  # This says something of the machine.
            raise
        except Exception as error:  # noqa: BLE001 - on hostile bytes an image library raises nearly anything.
            done.failures[key] = _reason(error)
            continue
        files[row.split].write(row.place, pixels)
        done.pixels[key] = hashlib.blake2b(pixels.data, digest_size=16).digest()
    return done


def _reason(error: Exception) -> str:
    """Why an image cannot be read; Pillow names an unknown one by its address in memory."""
    from PIL import UnidentifiedImageError

    if isinstance(error, UnidentifiedImageError):
        return "it is no whole JPEG, PNG, WebP or BMP image"
    if not isinstance(error, _SPEAKING):
        return "it is damaged"
    return printable(str(error) or type(error).__name__, 100)


def decode_image(content: bytes, image_size: int) -> "Pixels":
    """Decode an image to uint8 (3, S, S): upright, the shorter side scaled to S, then the central square.

    Source: Krizhevsky et al. 2012, section 2.

    Raises:
        OSError: The bytes are no whole image.
        ValueError: The image is too large or too narrow to be one.
    """
    import numpy as np
    from PIL import Image

    with _open(content) as opened:
        orientation = _orientation(opened)
        opened.load()
        image = _to_rgb(opened)
    if orientation != 1:
        image = image.transpose(Image.Transpose[_TURNS[orientation]])
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


def _open(content: bytes) -> "Image.Image":
    """An image whose header has been read and whose size is bounded."""
    from PIL import Image

    if len(content) > MAX_FILE_BYTES:
        raise ValueError(f"it has more than {MAX_FILE_BYTES:,} bytes")
    # Pillow's own bound is higher than the one below; it would only add a warning.
    Image.MAX_IMAGE_PIXELS = None
    image = Image.open(io.BytesIO(content), formats=_FORMATS)
    if image.size[0] * image.size[1] > _MAX_PIXELS:
        raise ValueError(f"{image.size[0]}x{image.size[1]} pixels are more than {_MAX_PIXELS:,}")
    return image


# EXIF orientation to the transposition that undoes it.
_TURNS = {
    2: "FLIP_LEFT_RIGHT",
    3: "ROTATE_180",
    4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE",
    6: "ROTATE_270",
    7: "TRANSVERSE",
    8: "ROTATE_90",
}


def _orientation(image: "Image.Image") -> int:
    """The EXIF orientation from the image's header: 2 to 8, else 1 (upright)."""
    from PIL import Image

    if "exif" not in image.info:
        return 1
    exif = Image.Exif()
    try:
        exif.load(image.info["exif"])
        value = exif.get(_ORIENTATION_TAG)
    except Exception:  # noqa: BLE001 - a damaged EXIF block raises nearly anything, and says nothing of the pixels.
        return 1
    return value if isinstance(value, int) and value in _TURNS else 1


def _to_rgb(image: "Image.Image") -> "Image.Image":
    import numpy as np
    from PIL import Image

    if image.mode.startswith("I"):
        # 16-bit grey: Pillow would clip it to white instead of scaling it.
        deep = np.clip(np.asarray(image, dtype=np.int64), 0, 65_535)
        image = Image.fromarray((deep >> 8).astype(np.uint8))
    return image if image.mode == "RGB" else image.convert("RGB")


def _read_header(content: bytes) -> tuple[tuple[int, int] | None, bytes]:
    """`_Scanned.size` and `_Scanned.decoding` of an image, by its header."""
    try:
        with _open(content) as image:
            kind, orientation, size = image.format or "", _orientation(image), image.size
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - as where it is decoded, which names the image.
        return None, b""
    decoding = "" if kind in _FIRST_FORMATS else f"\0{kind}"
    if orientation != 1:
        decoding += f"\0exif{orientation}"
    return size, decoding.encode()
