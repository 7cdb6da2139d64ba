"""TensorBoard log folders: histories written as event files, and the scalars of others read.

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

import msgspec

from alexnet_tui.errors import StoreError
from alexnet_tui.exchange.tensorboard_records import Point, read_records, scalar_record, scalars_in, version_record
from alexnet_tui.files import reason_of, write_atomic
from alexnet_tui.folder import Folder
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
_MAX_POINTS, _MAX_TAGS = 1 << 20, 500
Curves = dict[str, list[Point]]
"""Tag to its points, by rising step."""


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
            write_atomic(path, b"".join(_records(history)))
        except OSError as error:
            raise StoreError(path, f"the file cannot be written ({reason_of(error)}).") from error
        paths.append(path)
    return paths


def _records(history: RunHistory) -> Iterator[bytes]:
    """The records of a run: the version, then one for each value, in order of step."""
    yield version_record(history.record.created)
    rows, clock = list[tuple[float, str, float]](), _clock(history)
    for series, tags in ((history.steps, _STEP_TAGS), (history.epochs, _TAGS)):
        for name, tag in tags.items():
            pairs = zip(series["step"], series[name], strict=True)
            rows.extend((step, tag, value) for step, value in pairs if not math.isnan(value))
    for step, tag, value in sorted(rows, key=lambda row: row[0]):
        yield scalar_record(tag, Point(int(step), history.record.created + _elapsed(clock, step), value))


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
            for payload in read_records(file, end):
                found.num_other += payload is None
                for tag, point in scalars_in(payload or b""):
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
