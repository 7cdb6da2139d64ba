"""Histories as TensorBoard event files.

They are written by hand: a record is a length, a payload and two checksums, and a scalar needs five fields of its
protocol buffer. The library that writes them brings a web server along.
"""

import math
import struct
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from alexnet_tui.errors import StoreError
from alexnet_tui.files import reason_of, write_atomic
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
_STEP_TAGS: Mapping[str, str] = {"train_loss": "loss/train_step", "train_accuracy": "accuracy/train_step"}


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
    rows: list[tuple[float, str, float]] = []
    for series, tags in ((history.steps, _STEP_TAGS), (history.epochs, _TAGS)):
        for name, tag in tags.items():
            pairs = zip(series["step"], series[name], strict=True)
            rows.extend((step, tag, value) for step, value in pairs if not math.isnan(value))
    for step, tag, value in sorted(rows, key=lambda row: row[0]):
        scalar = _bytes(1, _bytes(1, tag.encode()) + struct.pack("<Bf", 2 << 3 | 5, _as_float32(value)))
        yield _double(1, _wall(history, step)) + b"\x10" + _varint(int(step)) + _bytes(5, scalar)


def _wall(history: RunHistory, step: float) -> float:
    """About when an update happened: creation plus elapsed time, linear between the ends of two epochs."""
    steps, seconds = history.epochs["step"], history.epochs["elapsed_seconds"]
    index = bisect_left(steps, step)
    if not len(steps):
        return history.record.created
    if index == len(steps):
        return history.record.created + seconds[-1]
    step_before, second_before = (steps[index - 1], seconds[index - 1]) if index else (0.0, 0.0)
    share = (step - step_before) / (steps[index] - step_before) if steps[index] > step_before else 1.0
    return history.record.created + second_before + share * (seconds[index] - second_before)


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
