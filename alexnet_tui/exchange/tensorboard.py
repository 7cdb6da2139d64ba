"""TensorBoard event files: histories written as such, and the scalars of others read.

Both by hand: a record is a length, a payload and two checksums, and a scalar needs a few fields of its protocol buffer.
The libraries that read and write them bring a web server, TensorFlow or pandas along.

A log folder to read is hostile input: links are not followed, the checksums are checked, records too large for a
scalar are passed over, and files, records and names are counted.
"""

import math
import os
import stat
import struct
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, NamedTuple

import msgspec

from alexnet_tui.errors import StoreError
from alexnet_tui.files import Folder, reason_of, write_atomic
from alexnet_tui.runs.history import RunHistory

_TAGS: Mapping[str, str] = {
    "train_loss": "loss/train",
    "train_accuracy": "accuracy/train",
    "train_eval_loss": "loss/train_eval",
    "train_eval_accuracy": "accuracy/train_eval",
    "test_loss": "loss/test",
    "test_accuracy": "accuracy/test",
    "val_loss": "loss/val",
    "val_accuracy": "accuracy/val",
    "learning_rate": "learning_rate",
    "images_per_second": "images_per_second",
}
TAGS: Mapping[str, str] = {tag: column for column, tag in _TAGS.items()}
"""Tag of an epoch's value, as written here, to the column of a history."""
_STEP_TAGS: Mapping[str, str] = {"train_loss": "loss/train_step", "train_accuracy": "accuracy/train_step"}


_MAX_FILES, _MAX_DEPTH, _MAX_FILE_BYTES = 1000, 12, 1 << 31
_MAX_RECORD_BYTES, _MAX_POINTS, _MAX_TAGS = 1 << 12, 1 << 20, 500
_FLOAT, _DOUBLE = 1, 2
"""Types of a tensor."""


def write_tensorboard(histories: Iterable[RunHistory], folder: Path) -> list[Path]:
    """Write one event file a run, ``folder/RUN_ID/events.out.tfevents.…``; the files' paths.

    Raises:
        StoreError: The folder cannot be written.
    """
    paths = []
    for history in histories:
        path = folder / history.id / f"events.out.tfevents.{int(history.record.created)}.{history.id}"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(path, b"".join(map(_frame, _events(history))))
        except OSError as error:
            raise StoreError(path, f"the file cannot be written ({reason_of(error)}).") from error
        paths.append(path)
    return paths


def _events(history: RunHistory) -> Iterator[bytes]:
    """TensorBoard ``Event`` messages: the version, then one for each value, in order of step."""
    yield _double(1, history.record.created) + _bytes(3, b"brain.Event:2")
    rows, clock = list[tuple[float, str, float]](), _clock(history)
    for series, tags in ((history.steps, _STEP_TAGS), (history.epochs, _TAGS)):
        for name, tag in tags.items():
            pairs = zip(series["step"], series[name], strict=True)
            rows.extend((step, tag, value) for step, value in pairs if not math.isnan(value))
    for step, tag, value in sorted(rows, key=lambda row: row[0]):
        scalar = _bytes(1, _bytes(1, tag.encode()) + struct.pack("<Bf", 2 << 3 | 5, _as_float32(value)))
        wall = history.record.created + _elapsed(clock, step)
        yield _double(1, wall) + b"\x10" + _varint(int(step)) + _bytes(5, scalar)


def _clock(history: RunHistory) -> tuple[list[float], list[float]]:
    """The updates at the ends of epochs, and the seconds until then, as far as these are known; the start first."""
    pairs = zip(history.epochs["step"], history.epochs["elapsed_seconds"], strict=True)
    known = [(step, seconds) for step, seconds in pairs if math.isfinite(seconds)]
    if not known or known[0][0] > 0:
        known.insert(0, (0.0, 0.0))
    return [step for step, _ in known], [seconds for _, seconds in known]


def _elapsed(clock: tuple[list[float], list[float]], step: float) -> float:
    """About how many seconds passed until an update, linear between two known times; 0 where none is known."""
    steps, seconds = clock
    index = bisect_left(steps, step)
    if index in (0, len(steps)):
        return seconds[min(index, len(steps) - 1)]
    share = (step - steps[index - 1]) / (steps[index] - steps[index - 1])
    return seconds[index - 1] + share * (seconds[index] - seconds[index - 1])


def _frame(payload: bytes) -> bytes:
    """A TFRecord: length, its checksum, payload, its checksum."""
    length = struct.pack("<Q", len(payload))
    return length + struct.pack("<I", _masked(length)) + payload + struct.pack("<I", _masked(payload))


def _as_float32(value: float) -> float:
    """A number that fits in 32 bits; what is too large becomes infinite."""
    return math.copysign(math.inf, value) if abs(value) > 3.4028234e38 else value


def _double(field: int, value: float) -> bytes:
    return struct.pack("<Bd", field << 3 | 1, value)


def _bytes(field: int, content: bytes) -> bytes:
    return bytes([field << 3 | 2]) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)


def _crc_table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return tuple(table)


_CRC_TABLE = _crc_table()


def crc32c(content: bytes) -> int:
    """The Castagnoli checksum."""
    crc = 0xFFFFFFFF
    for byte in content:
        crc = _CRC_TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def _masked(content: bytes) -> int:
    crc = crc32c(content)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


# --- reading


class Point(NamedTuple):
    """A value of a scalar: after which update or epoch, when in seconds since 1970, and how much."""

    step: int
    wall: float
    value: float


Curves = dict[str, list[Point]]
"""Tag to its points, by rising step."""


class LogFolder(msgspec.Struct):
    """The scalars of a folder of event files.

    Attributes:
        runs: Folder with event files, as a path from the top, to its curves.
        problems: A sentence for each file that was not read to its end, and for what was too much.
        num_other: Records that are no scalars, or too large for one: images, graphs, histograms.
        num_files: Files that were read, or begun.
    """

    runs: dict[tuple[str, ...], Curves] = msgspec.field(default_factory=dict)
    problems: list[str] = msgspec.field(default_factory=list)
    num_other: int = 0
    num_files: int = 0
    _num_points: int = 0

    def _is_full(self) -> bool:
        return self.num_files >= _MAX_FILES or self._num_points >= _MAX_POINTS


def read_tensorboard(path: Path) -> LogFolder:
    """The scalars below a log folder; of a training that was started again, each step's last value.

    Raises:
        StoreError: There is no such folder, or it cannot be read.
    """
    found = LogFolder()
    with Folder.follow(path) as folder:
        _read_folder(folder, (), found)
    if found._is_full():
        found.problems.append(f"{path}: only {found.num_files:,} files and {found._num_points:,} points were read.")
    return found


def _read_folder(folder: Folder, parts: tuple[str, ...], found: LogFolder) -> None:
    points: dict[str, dict[int, Point]] = {}
    for name in folder.names():
        if found._is_full():
            break
        status = folder.stat(name)
        if status is None:
            continue
        if stat.S_ISDIR(status.st_mode) and len(parts) < _MAX_DEPTH and (below := folder.folder(name)):
            with below:
                _read_folder(below, (*parts, name), found)
        elif "tfevents" in name:
            try:
                _read_events(folder, name, points, found)
            except StoreError as error:
                found.problems.append(str(error))
    if points:
        found.runs[parts] = {tag: [by_step[step] for step in sorted(by_step)] for tag, by_step in points.items()}


def _read_events(folder: Folder, name: str, points: dict[str, dict[int, Point]], found: LogFolder) -> None:
    descriptor = folder.open(name)
    if descriptor is None:
        return
    found.num_files += 1
    with os.fdopen(descriptor, "rb") as file:
        end = os.fstat(descriptor).st_size
        if end > _MAX_FILE_BYTES:
            raise StoreError(folder.path / name, "the file is too large to be read.")
        try:
            for payload in _records(file, end, found):
                for tag, point in _scalars(payload):
                    if tag not in points and len(points) >= _MAX_TAGS:
                        raise ValueError(f"it has more than {_MAX_TAGS:,} names")
                    points.setdefault(tag, {})[point.step] = point
                    found._num_points += 1
                if found._is_full():
                    return
        except (ValueError, struct.error) as error:
            raise StoreError(folder.path / name, f"it was read up to a damaged record ({error}).") from error
        except OSError as error:
            raise StoreError(folder.path / name, f"it cannot be read ({reason_of(error)}).") from error


def _records(file: BinaryIO, end: int, found: LogFolder) -> Iterator[bytes]:
    """Payloads that may be scalars, up to the last whole record.

    Raises:
        ValueError: A checksum is wrong.
    """
    offset = 0
    while len(head := file.read(12)) == 12:
        (length, check) = struct.unpack("<QI", head)
        if check != _masked(head[:8]):
            raise ValueError(f"the checksum of a length is wrong at byte {offset:,}")
        offset += 16 + length
        if offset > end:  # Still being written, or cut off.
            return
        if length > _MAX_RECORD_BYTES:
            found.num_other += 1
            file.seek(offset)
            continue
        payload = file.read(length)
        if struct.unpack("<I", file.read(4))[0] != _masked(payload):
            raise ValueError(f"the checksum of a record is wrong at byte {offset - 4 - length:,}")
        yield payload


def _scalars(event: bytes) -> Iterator[tuple[str, Point]]:
    """Tags and points in an ``Event`` message.

    Raises:
        ValueError: It is no message.
    """
    wall, step, summaries = 0.0, 0, list[bytes]()
    for number, value in _fields(event):
        match number, value:
            case 1, bytes() if len(value) == 8:
                (wall,) = struct.unpack("<d", value)
            case 2, int():
                step = value
            case 5, bytes():
                summaries.append(value)
    for summary in summaries:
        for number, value in _fields(summary):
            if number == 1 and isinstance(value, bytes) and (scalar := _scalar(value)) and 0 <= step <= 2**53:
                yield scalar[0], Point(step, wall if 0 <= wall <= 1e11 else 0.0, scalar[1])


def _scalar(message: bytes) -> tuple[str, float] | None:
    """Tag and value of a ``Summary.Value``, or None for one that is no scalar."""
    tag, found = "", None
    for number, value in _fields(message):
        match number, value:
            case 1, bytes():
                tag = value.decode("utf-8", "replace")
            case 2, bytes() if len(value) == 4:
                (found,) = struct.unpack("<f", value)
            case 8, bytes():
                found = _tensor(value)
    return (tag, found) if found is not None else None


def _tensor(message: bytes) -> float | None:
    """The value of a tensor of one float, which may be written in three ways."""
    kind, content, has_shape = 0, b"", False
    for number, value in _fields(message):
        match number, value:
            case 1, int():
                kind = value
            case 2, bytes():
                has_shape = bool(value)
            case ((4 | 5 | 6), bytes()):
                content += value
    if has_shape:
        return None
    if kind == _FLOAT and len(content) == 4:
        return float(struct.unpack("<f", content)[0])
    return float(struct.unpack("<d", content)[0]) if kind == _DOUBLE and len(content) == 8 else None


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Number and content of each field of a protocol buffer: a whole number, or bytes.

    Raises:
        ValueError: It is none.
    """
    offset = 0
    while offset < len(message):
        key, offset = _read_varint(message, offset)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, offset = _read_varint(message, offset)
            yield number, value
            continue
        if wire == 2:
            length, offset = _read_varint(message, offset)
        elif wire in {1, 5}:
            length = 8 if wire == 1 else 4
        else:
            raise ValueError("a field of no known kind")
        if length > len(message) - offset:
            raise ValueError("a field longer than its message")
        yield number, message[offset : offset + length]
        offset += length


def _read_varint(message: bytes, offset: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if offset >= len(message):
            raise ValueError("a number that is cut off")
        byte = message[offset]
        offset += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, offset
    raise ValueError("a number too long")
