"""The records of TensorBoard's event files: written, and the scalars in them read.

By hand: a record is a length, a payload and two checksums, and a scalar needs a few fields of its protocol buffer. The
libraries that read and write them bring a web server, TensorFlow or pandas along.
"""

import math
import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

_MAX_RECORD_BYTES = 1 << 12
_MAX_STEP = 2**53 - 1
"""Counted from 1, it still is a number of steps that an event may have."""
_FLOAT, _DOUBLE = 1, 2
"""Types of a tensor."""


class Point(NamedTuple):
    """A value of a scalar: after which update or epoch, when in seconds since 1970, and how much."""

    step: int
    wall: float
    value: float


def version_record(wall: float) -> bytes:
    """The first record of a file, written at a time in seconds since 1970."""
    return _frame(_wall_field(wall) + _bytes(3, b"brain.Event:2"))


def scalar_record(tag: str, point: Point) -> bytes:
    """The record of one value of a scalar; a value too large for 32 bits becomes infinite."""
    value = math.copysign(math.inf, point.value) if abs(point.value) > 3.4028234e38 else point.value
    scalar = _bytes(1, _bytes(1, tag.encode()) + struct.pack("<Bf", 2 << 3 | 5, value))
    return _frame(_wall_field(point.wall) + b"\x10" + _varint(point.step) + _bytes(5, scalar))


def read_records(file: BinaryIO, end: int) -> Iterator[bytes | None]:
    """Payloads up to the last whole record, which ends at the offset `end` at the latest; None for one too large.

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
            file.seek(offset)
            yield None
            continue
        payload = file.read(length)
        if struct.unpack("<I", file.read(4))[0] != _masked(payload):
            raise ValueError(f"the checksum of a record is wrong at byte {offset - 4 - length:,}")
        yield payload


def scalars_in(event: bytes) -> Iterator[tuple[str, Point]]:
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
            if number == 1 and isinstance(value, bytes) and (scalar := _scalar(value)) and 0 <= step <= _MAX_STEP:
                yield scalar[0], Point(step, wall if 0 <= wall <= 1e11 else 0.0, scalar[1])


def _frame(payload: bytes) -> bytes:
    """A TFRecord: length, its checksum, payload, its checksum."""
    length = struct.pack("<Q", len(payload))
    return length + struct.pack("<I", _masked(length)) + payload + struct.pack("<I", _masked(payload))


def _masked(content: bytes) -> int:
    crc = crc32c(content)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


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


def _wall_field(wall: float) -> bytes:
    return struct.pack("<Bd", 1 << 3 | 1, wall)


def _bytes(field: int, content: bytes) -> bytes:
    return bytes([field << 3 | 2]) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)


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
