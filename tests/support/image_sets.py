"""Tiny image folders and archives for the tests of data sets."""

import io
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from alexnet_tui.datasets import catalog as data_catalog
from alexnet_tui.datasets.prepare import add_dataset
from alexnet_tui.errors import DatasetError, ExitCode
from alexnet_tui.paths import data_root

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


def write_zip(path: Path, files: dict[str, bytes], links: dict[str, str] | None = None) -> Path:
    """Write a zip archive; `links` are symbolic links by name."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
        for name, target in (links or {}).items():
            info = zipfile.ZipInfo(name)
            info.external_attr = 0o120777 << 16
            archive.writestr(info, target)
    return path


def refusal(path: Path, name: str = "pets", skip_unreadable: bool = False) -> str:
    """The sentence with which adding a source is refused; nothing may be left on the disk."""
    with pytest.raises(DatasetError) as caught:
        add_dataset(path, name, skip_unreadable=skip_unreadable)
    assert caught.value.exit_code == ExitCode.STORE_OR_DATA
    assert name not in [info.name for info in data_catalog.catalog()]
    assert list(data_root().glob(f"*{name}*")) == []
    return str(caught.value)
