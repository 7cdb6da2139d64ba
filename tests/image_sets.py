"""Tiny image folders and archives for the tests of data sets."""

import io
import tarfile
from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = ("cat", "dog")


def picture(seed: int, size: tuple[int, int] = (8, 8), mode: str = "RGB", kind: str = "PNG") -> bytes:
    """The bytes of one random image of (width, height)."""
    bands = len(Image.new(mode, (1, 1)).getbands())
    shape = (size[1], size[0], bands) if bands > 1 else (size[1], size[0])
    pixels = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    buffer = io.BytesIO()
    Image.frombytes(mode, size, pixels.tobytes()).save(buffer, kind)
    return buffer.getvalue()


def small_set(size: tuple[int, int] = (8, 8), num_train: int = 3, num_test: int = 2) -> dict[str, bytes]:
    """File names to contents: two classes, `num_train` and `num_test` images of each."""
    counts = {"train": num_train, "test": num_test}
    return {
        f"{split}/{name}/{index}.png": picture(1000 * (split == "test") + 100 * (name == "dog") + index, size)
        for split, count in counts.items()
        for name in CLASSES
        for index in range(count)
    }


def write_folder(root: Path, files: dict[str, bytes]) -> Path:
    """Write files below a folder."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return root


def write_tar(path: Path, files: dict[str, bytes], extra: tuple[tarfile.TarInfo, ...] = (), mtime: int = 0) -> Path:
    """Write a tar archive, compressed as its name says; `extra` are members without content."""
    kind = {".gz": "gz", ".xz": "xz", ".bz2": "bz2"}.get(path.suffix, "")
    with tarfile.open(path, f"w:{kind}") as archive:  # type: ignore[call-overload]
        for member in extra:
            archive.addfile(member)
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(content), mtime
            archive.addfile(info, io.BytesIO(content))
    return path
