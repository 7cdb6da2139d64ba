"""Arrays of numbers in an ``.npz`` file, read as what it may be: a file that somebody else made.

The archive is parsed here and not by `numpy.load`: sizes are checked before anything is decompressed or allocated, and
an array of Python objects is refused.
"""

import io
import math
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from alexnet_tui.errors import StoreError
from alexnet_tui.folder import Folder

_MAX_HEADER = 10_000
_END, _MAX_DIRECTORY = struct.Struct("<4s4HLLH"), 1 << 16
"""The last record of an archive without a comment: its fields from the fourth on are the number of entries, the bytes
and the place of its directory, and the length of the comment."""
_FAULTS = (
    ValueError,
    TypeError,
    OSError,
    EOFError,
    MemoryError,
    OverflowError,
    RuntimeError,
    SyntaxError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What a damaged or hostile archive makes `zipfile` and `numpy` raise."""
Parsed = TypeVar("Parsed")


class Arrays:
    """The arrays of one archive; every method raises `ValueError` where something is not what it should be.

    Args:
        content: The archive.
        limit_bytes: The most that one array may have once it is decompressed.
    """

    def __init__(self, content: bytes, limit_bytes: int) -> None:
        _check_directory(content)
        self._archive = zipfile.ZipFile(io.BytesIO(content))
        self._limit_bytes = limit_bytes

    def integers(self, name: str, dimensions: int) -> NDArray[np.int64]:
        """An array of whole numbers."""
        array = self._array(name)
        if array.ndim != dimensions or array.dtype.kind not in "iu":
            raise ValueError(f"{name} is not what it should be")
        return array.astype(np.int64)

    def fractions(self, name: str, dimensions: int) -> NDArray[np.float64]:
        """An array of finite numbers, at least one."""
        array = self._array(name)
        if array.ndim != dimensions or array.dtype.kind != "f" or not array.size:
            raise ValueError(f"{name} is not what it should be")
        values = array.astype(np.float64)
        if not np.isfinite(values).all():
            raise ValueError(f"{name} holds a number that is not finite")
        return values

    def _array(self, name: str) -> NDArray[Any]:
        """Any array of numbers; nothing is allocated that its bytes do not fill."""
        try:
            entry = self._archive.getinfo(f"{name}.npy")
        except KeyError:
            raise ValueError(f"{name} is missing") from None
        if entry.file_size > self._limit_bytes:
            raise ValueError(f"{name} is larger than {self._limit_bytes >> 10:,} KiB")
        with self._archive.open(entry) as file:
            content = file.read(self._limit_bytes + 1)
        if len(content) > self._limit_bytes:
            raise ValueError(f"{name} is larger than it says")
        stream = io.BytesIO(content)
        version = np.lib.format.read_magic(stream)
        if version == (1, 0):
            shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(stream, max_header_size=_MAX_HEADER)
        elif version == (2, 0):
            shape, is_fortran, dtype = np.lib.format.read_array_header_2_0(stream, max_header_size=_MAX_HEADER)
        else:
            raise ValueError(f"{name} has an unknown format")
        if dtype.hasobject or dtype.kind not in "iuf" or is_fortran:
            raise ValueError(f"{name} is no plain array of numbers")
        rest = content[stream.tell() :]
        if len(shape) > 4 or math.prod(shape) * dtype.itemsize != len(rest):
            raise ValueError(f"{name} has not the size it says")
        return np.frombuffer(rest, dtype).reshape(shape)


def _check_directory(content: bytes) -> None:
    """Refuse an archive with far more entries than arrays: each costs `zipfile` memory and time before it is read.

    Raises:
        ValueError: It is one, or no archive as `numpy` writes it.
    """
    if len(content) < _END.size:
        raise ValueError("it is too short for an archive")
    signature, *_, directory_bytes, _, comment_bytes = _END.unpack(content[-_END.size :])
    is_plain = signature == b"PK\x05\x06" and not comment_bytes and b"PK\x06\x07" not in content[-_END.size - 20 :]
    if not is_plain or directory_bytes > _MAX_DIRECTORY:
        raise ValueError("its directory is none of a few arrays")


def read_arrays(
    folder: Folder, name: str, limit_bytes: int, parse: Callable[[Arrays], Parsed], what: str
) -> Parsed | None:
    """What `parse` makes of a file's arrays; None where there is no file.

    Args:
        folder: The folder of the file.
        name: Its name.
        limit_bytes: The most that the file, and each array once it is decompressed, may have.
        parse: Raises `ValueError` where the arrays are not what they should be.
        what: What the file should hold, for the message.

    Raises:
        StoreError: The file is no such archive, too large, or holds what cannot be.
    """
    content = folder.read(name, limit_bytes)
    if content is None:
        return None
    try:
        return parse(Arrays(content, limit_bytes))
    except _FAULTS as error:
        raise StoreError(Path(folder.path, name), f"this holds no {what} ({error}).") from error
