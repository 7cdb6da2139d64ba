"""`Outline`: a large event log without its steps, and without reading all of it."""

import os
from collections.abc import Iterator
from pathlib import Path

from alexnet_tui.errors import StoreError
from alexnet_tui.files import reason_of
from alexnet_tui.runs.event_log import STEP_PREFIX, open_log
from alexnet_tui.runs.events import FORMAT_VERSION, MAX_LINE_BYTES, KnownEvent, Resumed, Step, decode

_LEAF_BYTES, _PROBE_BYTES, _OUTLINE_BYTES = 1 << 15, 1 << 12, 1 << 26


class Outline:
    """What a log says between its steps, without reading the steps.

    Attempts and epochs only grow along a log. Where two lines are of the same attempt and epoch, so is all between
    them, and it is not read; where they differ, the place of the change is found by halving the distance. A log of
    1 GB costs some thousand small reads. What is left out are warnings, checkpoints and readings of the machine in the
    middle of epochs, and a log that is damaged or forged may hide more: an outline is for display, not for a verdict.
    However it was made, no more than 64 MiB of it are read: its ends, then what comes next to the first.

    Attributes:
        size: Bytes of the log.
        end: Offset behind its last whole line, where an `EventReader` may go on.
        events: Events other than steps, in order.
        last_step: The last ``step`` event; None also where a resume behind it gave it up.

    Raises:
        StoreError: The log is not a regular file, or cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.size = self.end = 0
        self.events: list[KnownEvent] = []
        self.last_step: Step | None = None
        self._left_bytes = _OUTLINE_BYTES
        descriptor = open_log(path)
        if descriptor is None:
            return
        try:
            self.size = os.fstat(descriptor).st_size
            end = min(self.size, _LEAF_BYTES)
            tail = max(end, self.size - _LEAF_BYTES)
            last = self._read(descriptor, tail, self.size)
            self.end = self.size - len(os.pread(descriptor, self.size - tail, tail).rpartition(b"\n")[2])
            found = [*self._read(descriptor, 0, end), *self._between(descriptor, end, tail), *last]
        except OSError as error:
            raise StoreError(path, f"the events cannot be read ({reason_of(error)}).") from error
        finally:
            os.close(descriptor)
        for event in found:
            if type(event) is Step:
                self.last_step = event
            else:
                self.events.append(event)
                if type(event) is Resumed and self.last_step is not None and self.last_step.step > event.step:
                    self.last_step = None

    def _between(self, descriptor: int, start: int, end: int) -> Iterator[KnownEvent]:
        """What may be of interest between two offsets, as `_read` gives it."""
        if self._left_bytes <= 0:
            return
        if end - start <= _LEAF_BYTES:
            yield from self._read(descriptor, start, end)
            return
        before = _place_at(descriptor, start - _PROBE_BYTES)
        if before is not None and before == _place_at(descriptor, end):
            return
        middle = (start + end) // 2
        yield from self._between(descriptor, start, middle)
        yield from self._between(descriptor, middle, end)

    def _read(self, descriptor: int, start: int, end: int) -> list[KnownEvent]:
        """The events in the lines that begin between two offsets; of steps that follow each other only the last."""
        self._left_bytes -= end - start
        before = 1 if start else 0
        chunk = os.pread(descriptor, end - start + before, start - before)
        begin = chunk.find(b"\n") + 1 if before else 0
        if before and not begin:
            return []
        newline = chunk.rfind(b"\n") + 1
        if newline < len(chunk) and end < self.size:  # The last line goes on behind the end.
            chunk += _rest_of_line(descriptor, end)
            newline = chunk.rfind(b"\n") + 1
        events: list[KnownEvent] = []
        for line in filter(None, chunk[begin:newline].split(b"\n")):
            try:
                event = decode(line)
            except ValueError:
                continue
            if type(event) is Step and events and type(events[-1]) is Step:
                events[-1] = event
            else:
                events.append(event)
        return events


def _rest_of_line(descriptor: int, offset: int) -> bytes:
    """What is left of the line at an offset, with its newline; nothing if that is longer than a line may be."""
    for length in (_PROBE_BYTES, MAX_LINE_BYTES):
        rest = os.pread(descriptor, length, offset)
        if newline := rest.find(b"\n") + 1:
            return rest[:newline]
    return b""


def _place_at(descriptor: int, offset: int) -> tuple[int, int] | None:
    """Attempt and epoch of the first whole ``step`` line in the few kilobytes from an offset; None if there is none."""
    for line in os.pread(descriptor, _PROBE_BYTES, offset).split(b"\n")[1:-1]:
        if line.startswith(STEP_PREFIX):
            try:
                event = decode(line)
            except ValueError:
                continue
            if type(event) is Step:
                return event.attempt, event.epoch
    return None


def is_newer(path: Path) -> bool:
    """Whether the first or the last lines of a log are of a newer format than this program writes.

    Raises:
        StoreError: The log is not a regular file, or cannot be read.
    """
    outline = Outline(path)
    return any(event.v > FORMAT_VERSION for event in (*outline.events, outline.last_step) if event is not None)
