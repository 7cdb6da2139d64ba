"""`RunHistory`: a fold over a run's events; every view is a function of histories.

Pure: no disk, no clock. A run that is live and a run that stopped talking are the same thing here.
"""

import math
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import groupby
from operator import attrgetter

from alexnet_tui.runs import events as ev
from alexnet_tui.runs.store import RunRecord, Store

T25_ERROR = 0.25
LAST_EPOCHS = 5


class State(StrEnum):
    """What a run is doing, derived from its last event and its lock."""

    QUEUED = "queued"
    RUNNING = "running"
    FINISHED = "finished"
    STOPPED = "stopped"
    FAILED = "failed"
    LOST = "lost"


EPOCH_COLUMNS = (
    "epoch",
    "step",
    "train_loss",
    "train_accuracy",
    "train_eval_loss",
    "train_eval_accuracy",
    "test_loss",
    "test_accuracy",
    "val_loss",
    "val_accuracy",
    "learning_rate",
    "train_seconds",
    "elapsed_seconds",
    "images_per_second",
)
STEP_COLUMNS = ("epoch", "step", "train_loss", "train_accuracy", "learning_rate", "images_per_second")


class Series:
    """Columns of equal length that only grow at the end, or lose their end when a run resumes.

    A missing value is NaN. Columns are `array('d')`: numpy reads them without copying.
    """

    def __init__(self, columns: Sequence[str]) -> None:
        self.columns = {name: array("d") for name in columns}

    def __getitem__(self, name: str) -> "array[float]":
        return self.columns[name]

    def __len__(self) -> int:
        return len(self.columns["step"])

    def extend(self, events: Sequence[ev.Event]) -> None:
        """Add a row for each event; numbers that travel as text become floats again."""
        if not events:
            return
        for name, column in self.columns.items():
            try:
                column.extend(array("d", list(map(attrgetter(name), events))))
            except TypeError:
                column.extend(_as_float(getattr(event, name)) for event in events)

    def drop_after(self, step: int, epoch: int | None = None) -> None:
        """Forget the rows of later steps than `step`, or of later epochs: one may end at the step of a checkpoint."""
        keep = bisect_left(self.columns["step"], step + 0.5)
        if epoch is not None:
            keep = min(keep, bisect_left(self.columns["epoch"], epoch + 0.5))
        for column in self.columns.values():
            del column[keep:]


def _as_float(value: ev.Number | None) -> float:
    return math.nan if value is None else float(value)


@dataclass(frozen=True, slots=True)
class Crossing:
    """When training error first fell to 25% (linear between the ends of two epochs).

    `epochs` and `train_seconds` are None while it has not happened.
    """

    epochs: float | None
    train_seconds: float | None


@dataclass(slots=True)
class RunHistory:
    """All that is known of one run; `fold` adds events to it.

    Attributes:
        record: The run's record, as created.
        started: The first ``started`` event of the newest attempt.
        epochs: One row an epoch, `EPOCH_COLUMNS`.
        steps: One row a step event, `STEP_COLUMNS`.
        final: The event that ended the newest attempt, or None.
        checkpoints: Names of the checkpoints written and still valid for this line of training.
        warnings: Messages of ``warning`` events.
        system: The last reading of the machine.
        last_wall: Wall clock of the last event, seconds since 1970; 0 before the first.
        num_events: Events folded so far.
        attempts: How often the run was started.
        bit_exact: False once a resume could not promise identical numbers.
        newer_version: Some event is of a newer format than this program knows.
        missing_events: Gaps in the numbering of events; counted only where step events are read too.
        next_seq: The number the next event should have.
    """

    record: RunRecord
    started: ev.Started | None = None
    epochs: Series = field(default_factory=lambda: Series(EPOCH_COLUMNS))
    steps: Series = field(default_factory=lambda: Series(STEP_COLUMNS))
    final: ev.Finished | ev.Stopped | ev.Failed | None = None
    checkpoints: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    system: ev.System | None = None
    last_wall: float = 0.0
    num_events: int = 0
    attempts: int = 0
    bit_exact: bool = True
    newer_version: bool = False
    missing_events: int = 0
    next_seq: int = 0
    _stretches: list[tuple[int, ev.Started]] = field(default_factory=list)

    def fold(self, events: Iterable[ev.KnownEvent]) -> "RunHistory":
        """Add events in the order they were written; returns itself."""
        if not (every := list(events)):
            return self
        if ev.Resumed in set(map(type, every)):
            for _, stretch in groupby(every, lambda event: type(event) is ev.Resumed):
                self._fold_stretch(list(stretch))
        else:
            self._fold_stretch(every)
        return self

    def _fold_stretch(self, events: Sequence[ev.KnownEvent]) -> None:
        """Add events between which no row is taken back: whole columns at once."""
        has_steps = len(self.steps) > 0
        self.steps.extend([event for event in events if type(event) is ev.Step])
        self.epochs.extend([event for event in events if type(event) is ev.Epoch])
        for event in events:
            if type(event) is not ev.Step:
                self.newer_version = self.newer_version or event.v > ev.FORMAT_VERSION
                self._fold_rare(event)
        self._count(events, has_steps)

    def _count(self, events: Sequence[ev.KnownEvent], has_steps: bool) -> None:
        """Count events and the gaps in their numbering."""
        self.num_events += len(events)
        self.attempts = max(self.attempts, events[-1].attempt)  # One may have ended before it could say "started".
        self.last_wall = next((event.wall for event in reversed(events) if event.wall), self.last_wall)
        numbers = list(map(attrgetter("seq"), events))
        if numbers == list(range(self.next_seq, self.next_seq + len(events))):  # As good as always.
            self.next_seq += len(events)
            return
        for event in events:
            has_steps = has_steps or type(event) is ev.Step
            if event.seq < 0:  # A line of a newer program, without a number.
                continue
            if event.seq > self.next_seq and has_steps:
                self.missing_events += event.seq - self.next_seq
            self.next_seq = event.seq + 1

    def _fold_rare(self, event: ev.KnownEvent) -> None:
        match event:
            case ev.Started():
                self.started, self.final = event, None
                self._stretches.append((0, event))
                self.attempts = max(self.attempts + 1, event.attempt)
            case ev.Resumed():
                self.epochs.drop_after(event.step, epoch=event.epoch)
                self.steps.drop_after(event.step)
                self._drop_checkpoints_after(event.checkpoint)
                self._take_over_at(event.step)
                self.bit_exact = event.bit_exact and (self.bit_exact or not event.checkpoint)
                self.final = None
            case ev.Checkpoint():
                self.checkpoints.append(event.name)
            case ev.System():
                self.system = event
            case ev.Warned():
                self.warnings.append(event.message)
            case ev.Finished() | ev.Stopped() | ev.Failed():
                self.final = event

    def _take_over_at(self, step: int) -> None:
        """From here the newest attempt trains; one that began at or behind this point left nothing."""
        if self._stretches:
            _, newest = self._stretches.pop()
            self._stretches = [stretch for stretch in self._stretches if stretch[0] < step]
            self._stretches.append((step, newest))

    def _drop_checkpoints_after(self, name: str) -> None:
        """Forget checkpoints of training that a resume went back behind; no name means the very start."""
        keep = self.checkpoints.index(name) + 1 if name in self.checkpoints else 0
        if keep or not name:
            del self.checkpoints[keep:]

    @property
    def id(self) -> str:
        """The run's id."""
        return self.record.id

    @property
    def places(self) -> list[ev.Started]:
        """What the attempts said whose training is in this run, the oldest first; the newest while none trained."""
        done = self.step
        trained = [started for begin, started in self._stretches if begin < done]
        return trained or [started for _, started in self._stretches[-1:]]

    @property
    def num_epochs_done(self) -> int:
        """Whole epochs finished."""
        return int(self.epochs["epoch"][-1]) if len(self.epochs) else 0

    @property
    def step(self) -> int:
        """The last update anything was said about."""
        told = [int(series["step"][-1]) for series in (self.epochs, self.steps) if len(series)]
        return max([*told, self.final.step if self.final else 0])

    @property
    def progress(self) -> float:
        """Share of the updates done, in [0, 1]."""
        if isinstance(self.final, ev.Finished):
            return 1.0
        total = self.started.total_steps if self.started else 0
        return min(1.0, self.step / total) if total else 0.0

    @property
    def best_test_accuracy(self) -> float | None:
        """Highest test accuracy after any epoch: what the report did, selected on test."""
        return self._best("test_accuracy")

    @property
    def best_epoch(self) -> int | None:
        """Epoch of the highest test accuracy."""
        values = self.epochs["test_accuracy"]
        best = self.best_test_accuracy
        return None if best is None else int(self.epochs["epoch"][values.index(best)])

    @property
    def last_test_accuracy(self) -> float | None:
        """Test accuracy after the last epoch."""
        values = self.epochs["test_accuracy"]
        return values[-1] if len(values) else None

    @property
    def final_test_accuracy(self) -> float | None:
        """Mean test accuracy of the last five epochs; selects nothing on the test set."""
        return _tail_mean(self.epochs["test_accuracy"])

    @property
    def best_train_accuracy(self) -> float | None:
        """Highest running training accuracy, as Keras prints it and the report tabulates it."""
        return self._best("train_accuracy")

    @property
    def gap(self) -> float | None:
        """Training accuracy in evaluation mode minus test accuracy, mean of the last five epochs."""
        pairs = zip(self.epochs["train_eval_accuracy"], self.epochs["test_accuracy"], strict=True)
        return _tail_mean([train - test for train, test in pairs])

    @property
    def train_seconds(self) -> float | None:
        """Seconds of training alone, over all attempts."""
        return self.epochs["train_seconds"][-1] if len(self.epochs) else None

    @property
    def elapsed_seconds(self) -> float | None:
        """Seconds of training, evaluation and checkpoints, over all attempts."""
        if isinstance(self.final, ev.Finished):
            return self.final.elapsed_seconds
        return self.epochs["elapsed_seconds"][-1] if len(self.epochs) else None

    @property
    def images_per_second(self) -> float | None:
        """The latest throughput."""
        for series in (self.steps, self.epochs):
            if len(series):
                return series["images_per_second"][-1]
        return None

    @property
    def remaining_seconds(self) -> float | None:
        """Estimated seconds until the last epoch, from the epochs so far or the latest throughput."""
        if self.started is None or self.final is not None:
            return None
        left = max(0, self.started.total_steps - self.step)
        if len(self.epochs) and self.epochs["step"][-1]:
            return left * self.epochs["elapsed_seconds"][-1] / self.epochs["step"][-1]
        rate = self.images_per_second
        return left * self.record.config.batch_size / rate if rate else None

    def crossing(self, column: str = "train_eval_accuracy") -> Crossing:
        """T25: when training error, 1 - `column`, first fell to 25%.

        The definition uses ``train_eval_accuracy``; ``train_accuracy`` gives the report's Keras-style value.
        """
        epochs, seconds = self.epochs["epoch"], self.epochs["train_seconds"]
        before: tuple[float, float, float] | None = None
        for epoch, second, accuracy in zip(epochs, seconds, self.epochs[column], strict=True):
            error = 1 - accuracy
            if error <= T25_ERROR:
                if before is None or not before[2] > error:
                    return Crossing(epoch, second)
                share = (before[2] - T25_ERROR) / (before[2] - error)
                return Crossing(before[0] + share * (epoch - before[0]), before[1] + share * (second - before[1]))
            before = (epoch, second, error) if math.isfinite(error) else None
        return Crossing(None, None)

    def state(self, *, is_locked: bool) -> State:
        """What the run is doing; `is_locked` says whether a trainer holds its lock now."""
        match self.final:
            case ev.Finished():
                return State.FINISHED
            case _ if is_locked:
                return State.RUNNING
            case ev.Stopped():
                return State.STOPPED
            case ev.Failed():
                return State.FAILED
        return State.LOST if self.num_events else State.QUEUED

    def _best(self, column: str) -> float | None:
        return max((value for value in self.epochs[column] if math.isfinite(value)), default=None)


def _tail_mean(values: Sequence[float]) -> float | None:
    tail = list(values[-LAST_EPOCHS:])
    mean = sum(tail) / len(tail) if tail else math.nan
    return mean if math.isfinite(mean) else None


def load(store: Store, run_id: str, *, skip_steps: bool = False) -> tuple[RunHistory, State]:
    """A run's whole history and its state now.

    Raises:
        StoreError: The run cannot be read.
    """
    # Asked before reading: a trainer that ends in between leaves its last words, not a lost run.
    is_locked = store.is_locked(run_id)
    reader = store.reader(run_id, skip_steps=skip_steps)
    history = RunHistory(store.record(run_id))
    while events := reader.read_new():
        history.fold(events)
    return history, history.state(is_locked=is_locked)
