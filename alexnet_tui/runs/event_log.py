"""The event log ``events.jsonl``: `EventWriter` appends to it, `EventReader` follows it, whatever state its end is in.

The reader keeps the byte offset behind the last whole line and opens the file anew each time: ten thousand readers hold
no descriptor between two reads.
"""

import os
import re
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from alexnet_tui.errors import StoreError
from alexnet_tui.files import FULL_DISK, is_line_open, reason_of
from alexnet_tui.folder import Folder
from alexnet_tui.runs.events import (
    FINAL_EVENTS,
    MAX_LINE_BYTES,
    Epoch,
    Event,
    KnownEvent,
    Step,
    System,
    decode,
    decode_lines,
    encode,
)

STEP_PREFIX = b'{"v":1,"kind":"step"'
"""How the line of a ``step`` event begins."""
# A literal first, so that the search leaps from one newline to the next.
_END_OF_STEPS = re.compile(rb'\n(?!\{"v":1,"kind":"step")')


class EventWriteError(OSError):
    """The events of a run cannot be written, for another reason than a full disk."""


class EventWriter:
    """Stamps events and appends each with a single `write`, so that a crash leaves whole lines.

    While the disk is full, lines are kept in memory and written in their order once there is room. A line that an
    earlier writer left without its end, as by a crash, is ended first: the next event is not its second half.

    Args:
        descriptor: An open file descriptor, in append mode where it is a file.
        attempt: Which start of the run this is, from 1.
        next_seq: Position of the first event.
        clock: Monotonic seconds; tests freeze it.
        wall_clock: Seconds since 1970.
    """

    def __init__(
        self,
        descriptor: int,
        *,
        attempt: int = 1,
        next_seq: int = 0,
        clock: Any = time.monotonic,
        wall_clock: Any = time.time,
    ) -> None:
        self._descriptor = descriptor
        self._attempt = attempt
        self._next_seq = next_seq
        self._clock = clock
        self._wall_clock = wall_clock
        self._start_seconds: float = clock()
        self._kept: deque[_Line] = deque()
        if is_line_open(descriptor):
            self._kept.append(_Line(b"\n", may_be_dropped=False))

    def write(self, event: Event) -> bool:
        """Stamp and append one event, after those kept; whether all are on the disk now.

        Raises:
            EventWriteError: The file cannot be written, or the reader of a pipe has gone.
        """
        event.seq, event.attempt = self._next_seq, self._attempt
        event.t = round(self._clock() - self._start_seconds, 6)
        event.wall = max(0.0, round(self._wall_clock(), 3))  # A clock may be set to before 1970.
        is_vital = isinstance(event, (Epoch, *FINAL_EVENTS))
        self._kept.append(_Line(encode(event), may_be_dropped=isinstance(event, (Step, System))))
        self._next_seq += 1
        is_written = self.flush()
        if is_vital and is_written:
            self._sync()
        return is_written

    def flush(self) -> bool:
        """Append the lines kept while the disk was full, as far as there is room; whether none is left.

        Raises:
            EventWriteError: The file cannot be written, or the reader of a pipe has gone.
        """
        while self._kept:
            line = self._kept[0]
            try:
                written = os.write(self._descriptor, line.rest)
            except OSError as error:
                if error.errno in FULL_DISK:
                    return False
                raise EventWriteError(error.errno, error.strerror) from error
            if written == len(line.rest):
                self._kept.popleft()
            else:  # Its end must follow its beginning before anything else.
                self._kept[0] = _Line(line.rest[written:], may_be_dropped=False)
        return True

    def drop_steps(self, limit_bytes: int) -> int:
        """Give up kept ``step`` and ``system`` events, the oldest first, until the rest fits; how many were given up.

        Readers see the gap in `seq` and count it.
        """
        size, dropped, left = sum(len(line.rest) for line in self._kept), 0, deque[_Line]()
        for line in self._kept:
            if line.may_be_dropped and size > limit_bytes:
                size -= len(line.rest)
                dropped += 1
            else:
                left.append(line)
        self._kept = left
        return dropped

    def _sync(self) -> None:
        """Make what was written survive a power cut, where the descriptor is a file."""
        try:
            os.fsync(self._descriptor)
        except OSError:  # A pipe or a terminal cannot be synced.
            return


class _Line(msgspec.Struct, frozen=True):
    """What is still to be written of a line."""

    rest: bytes
    may_be_dropped: bool


class EventReader:
    """Follows one ``events.jsonl``: each call returns the complete new lines, decoded.

    An unterminated tail is "not yet". A terminated line that is no event is skipped and counted. A file that
    became shorter is read again from its start, and `was_reset` says so.

    Args:
        path: The file, opened through its folder; it need not exist yet.
        skip_steps: Leave ``step`` events undecoded, for views that need only epochs.
        keep_lines: Keep the lines themselves, for who hands them on.
        offset: Where to begin, behind a newline.

    Attributes:
        bad_lines: Terminated lines that are no events, so far.
        was_reset: Whether the last call found the file shorter than it had been, and read it from its start.
        lines: The line of each event the last call returned, without its newline; only with `keep_lines`.
    """

    def __init__(self, path: Path, *, skip_steps: bool = False, keep_lines: bool = False, offset: int = 0) -> None:
        self.path = path
        self.lines: list[bytes] = []
        self._keep_lines = keep_lines
        self.bad_lines = 0
        self.was_reset = False
        self._offset = offset
        self._is_inside_bad_line = False
        self._skip_steps = skip_steps

    def read_new(self, limit_bytes: int = 1 << 26, *, until: int | None = None) -> list[KnownEvent]:
        """Events of the lines completed since the last call, oldest first; empty when there are no more.

        Args:
            limit_bytes: How much one call reads; it reads further only while that held no event.
            until: Offset at which the file counts as ended, or None for its true end.

        Raises:
            StoreError: The file is not a regular file, or cannot be read.
        """
        self.was_reset = False
        self.lines = []
        descriptor = open_log(self.path)
        if descriptor is None:
            return []
        try:
            return self._read(descriptor, limit_bytes, until)
        except OSError as error:
            raise StoreError(self.path, f"the events cannot be read ({reason_of(error)}).") from error
        finally:
            os.close(descriptor)

    def _read(self, descriptor: int, limit_bytes: int, until: int | None) -> list[KnownEvent]:
        size = os.fstat(descriptor).st_size
        if size < self._offset:
            self._offset, self.bad_lines, self.was_reset, self._is_inside_bad_line = 0, 0, True, False
        size = size if until is None else min(size, until)
        events: list[KnownEvent] = []
        while not events and self._offset < size and limit_bytes:
            before = self._offset
            events = self._take(os.pread(descriptor, min(limit_bytes, size - before), before))
            if self._offset == before:
                if limit_bytes > MAX_LINE_BYTES or limit_bytes >= size - before:
                    break
                limit_bytes = MAX_LINE_BYTES + 1  # This line is longer than one call was to read.
        return events

    def _take(self, chunk: bytes) -> list[KnownEvent]:
        """Advance over the whole lines of a chunk; a line that no writer can mean is left piece by piece."""
        if self._is_inside_bad_line:
            newline = chunk.find(b"\n")
            self._is_inside_bad_line = newline < 0
            self._offset += newline + 1 or len(chunk)
            return []
        end = chunk.rfind(b"\n") + 1
        self._offset += end
        if not end and len(chunk) > MAX_LINE_BYTES:
            self._offset += len(chunk)
            self.bad_lines += 1
            self._is_inside_bad_line = True
        chunk = chunk[:end]
        if self._skip_steps:
            return list(self._decode(chunk))
        events: list[KnownEvent] = []
        for piece in _pieces(chunk):
            decoded = decode_lines(piece)
            if decoded is None:
                events += self._decode(piece)
            else:
                events += decoded
                if self._keep_lines:
                    self.lines += piece.split(b"\n")[:-1]
        return events

    @property
    def offset(self) -> int:
        """Bytes read so far."""
        return self._offset

    def _decode(self, chunk: bytes) -> Iterator[KnownEvent]:
        for line in self._lines(chunk):
            try:
                event = decode(line)
            except ValueError:
                self.bad_lines += 1
                continue
            if not (self._skip_steps and type(event) is Step):
                if self._keep_lines:
                    self.lines.append(line)
                yield event

    def _lines(self, chunk: bytes) -> Iterator[bytes]:
        """Lines that are not empty; consecutive steps are passed over at once where steps are skipped."""
        start = 0
        while start < len(chunk):
            if self._skip_steps and chunk.startswith(STEP_PREFIX, start):
                steps = _END_OF_STEPS.search(chunk, start)
                assert steps is not None  # A chunk ends with a newline.
                start = steps.end()
                continue
            end = chunk.index(b"\n", start)
            if end > start:
                yield chunk[start:end]
            start = end + 1


def open_log(path: Path) -> int | None:
    """A read descriptor of an event log, None where there is none."""
    folder = Folder.find(path.parent)
    if folder is None:
        return None
    with folder:
        return folder.open(path.name)


def _pieces(chunk: bytes) -> Iterator[bytes]:
    """Whole lines, as many at a time as make no more than the longest line may have."""
    start = 0
    while start < len(chunk):
        end = chunk.rfind(b"\n", start, start + MAX_LINE_BYTES) + 1 or chunk.index(b"\n", start) + 1
        yield chunk[start:end]
        start = end
