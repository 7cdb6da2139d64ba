"""`EventReader`: follows a growing ``events.jsonl``, whatever state its end is in.

It keeps the byte offset behind the last whole line and opens the file anew each time: ten thousand readers hold
no descriptor between two looks.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from alexnet_tui.errors import StoreError
from alexnet_tui.events import MAX_LINE_BYTES, KnownEvent, Step, decode, decode_lines
from alexnet_tui.files import open_regular, reason_of

_STEP = b'{"v":1,"kind":"step"'
# A literal first, so that the search leaps from one newline to the next.
_END_OF_STEPS = re.compile(rb'\n(?!\{"v":1,"kind":"step")')


class EventReader:
    """Follows one ``events.jsonl``: each call returns the complete new lines, decoded.

    An unterminated tail is "not yet". A terminated line that is no event is skipped and counted. A file that
    became shorter is read again from its start, and `was_reset` says so.

    Args:
        path: The file; it need not exist yet.
        skip_steps: Leave ``step`` events undecoded, for views that need only epochs.
    """

    def __init__(self, path: Path, *, skip_steps: bool = False) -> None:
        self.path = path
        self.bad_lines = 0
        self.was_reset = False
        self._offset = 0
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
        descriptor = open_regular(self.path)
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
            events += self._decode(piece) if decoded is None else decoded
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
                yield event

    def _lines(self, chunk: bytes) -> Iterator[bytes]:
        """Lines that are not empty; stretches of steps nobody wants are passed over in one go."""
        start = 0
        while start < len(chunk):
            if self._skip_steps and chunk.startswith(_STEP, start):
                steps = _END_OF_STEPS.search(chunk, start)
                assert steps is not None  # A chunk ends with a newline.
                start = steps.end()
                continue
            end = chunk.index(b"\n", start)
            if end > start:
                yield chunk[start:end]
            start = end + 1


def _pieces(chunk: bytes) -> Iterator[bytes]:
    """Whole lines, as many at a time as make no more than the longest line may have."""
    start = 0
    while start < len(chunk):
        end = chunk.rfind(b"\n", start, start + MAX_LINE_BYTES) + 1 or chunk.index(b"\n", start) + 1
        yield chunk[start:end]
        start = end
