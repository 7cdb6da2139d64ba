"""`RunHistory`: all that is known of a run, computed from its events one after the other.

Every view is a function of histories. Pure: no disk, no clock. A run that is live and a run that ended are the same
thing to it.
"""

import math
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import groupby
from operator import attrgetter

import msgspec

from alexnet_tui.runs import events as ev
from alexnet_tui.runs.outline import Outline
from alexnet_tui.runs.record import RunRecord
from alexnet_tui.text import counted

LAST_EPOCHS = 5
# What an estimate of the time left looks back on.
_RECENT_EPOCHS, _RECENT_STEPS, _FEWEST_STEPS = 2, 20, 5


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
SYSTEM_COLUMNS = ("step", "wall", "cpu_percent", "gpu_percent")


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

    def rows(self, *names: str) -> list[tuple[float, ...]]:
        """Some columns, row by row."""
        return list(zip(*(self.columns[name] for name in names), strict=True))

    def drop_after(self, step: int, epoch: int | None = None) -> None:
        """Drop the rows of later steps than `step`, or of later epochs: one may end at the step of a checkpoint."""
        keep = bisect_left(self.columns["step"], step + 0.5)
        if epoch is not None:
            keep = min(keep, bisect_left(self.columns["epoch"], epoch + 0.5))
        for column in self.columns.values():
            del column[keep:]


def _known(value: float) -> float | None:
    """A number, or None for one that is missing."""
    return None if math.isnan(value) else value


def _as_float(value: ev.Number | None) -> float:
    return math.nan if value is None else float(value)


class RunHistory(msgspec.Struct):
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
        system_rows: One row a reading of the machine, `SYSTEM_COLUMNS`; None where only the last is kept.
        first_wall: Wall clock of the first event, seconds since 1970; 0 before it.
        last_wall: The same of the last one.
        num_events: Events folded so far.
        attempts: How often the run was started.
        bit_exact: False once a resume could not promise identical numbers.
        given_up: Epoch to the losses it had, of epochs that a later attempt trains again: all different ones.
        newer_version: Some event is of a newer format than this program knows.
        bad_lines: Lines of the log that are no events; not counted in an outline.
        missing_events: Gaps in the numbering of events; counted only where step events are read too.
        next_seq: The number the next event should have.
        step_stride: Of step events only one in so many has a row in `steps`, so that a long run fits into memory.
        is_outline: Only an outline of the log was read: what happened in the middle of epochs is not in it.
    """

    record: RunRecord
    started: ev.Started | None = None
    epochs: Series = msgspec.field(default_factory=lambda: Series(EPOCH_COLUMNS))
    steps: Series = msgspec.field(default_factory=lambda: Series(STEP_COLUMNS))
    final: ev.Finished | ev.Stopped | ev.Failed | None = None
    checkpoints: list[str] = msgspec.field(default_factory=list)
    warnings: list[str] = msgspec.field(default_factory=list)
    system: ev.System | None = None
    system_rows: Series | None = None
    first_wall: float = 0.0
    last_wall: float = 0.0
    num_events: int = 0
    attempts: int = 0
    bit_exact: bool = True
    given_up: dict[int, set[tuple[float, ...]]] = msgspec.field(default_factory=dict)
    newer_version: bool = False
    bad_lines: int = 0
    missing_events: int = 0
    next_seq: int = 0
    step_stride: int = 1
    is_outline: bool = False
    _segments: list[tuple[int, ev.Started]] = msgspec.field(default_factory=list)
    _has_read_steps: bool = False

    def fold(self, events: Iterable[ev.KnownEvent]) -> "RunHistory":
        """Add events in the order they were written; returns itself."""
        if not (every := list(events)):
            return self
        if ev.Resumed in set(map(type, every)):
            for _, segment in groupby(every, lambda event: type(event) is ev.Resumed):
                self._fold_segment(list(segment))
        else:
            self._fold_segment(every)
        return self

    def fold_outline(self, outline: Outline) -> "RunHistory":
        """Take an outline in place of all events of a large log; the one step it has is the last."""
        self.fold(outline.events)
        self.is_outline = True
        if outline.last_step is not None:
            self.steps.extend([outline.last_step])
            self.last_wall = max(self.last_wall, outline.last_step.wall)
        return self

    def _fold_segment(self, events: Sequence[ev.KnownEvent]) -> None:
        """Add events between which no row is taken back: whole columns at once."""
        steps = [event for event in events if type(event) is ev.Step]
        if self.step_stride > 1:
            self.steps.extend([event for event in steps if event.step % self.step_stride == 0])
        else:
            self.steps.extend(steps)
        self.epochs.extend([event for event in events if type(event) is ev.Epoch])
        for event in events:
            if type(event) is not ev.Step:
                self.newer_version = self.newer_version or event.v > ev.FORMAT_VERSION
                self._fold_rare(event)
        self.newer_version = self.newer_version or max(events[0].v, events[-1].v) > ev.FORMAT_VERSION
        self._count(events, has_steps=bool(steps))

    def _count(self, events: Sequence[ev.KnownEvent], *, has_steps: bool) -> None:
        """Count events and the gaps in their numbering; `has_steps` says whether there are steps among them."""
        self.num_events += len(events)
        # An attempt may have ended before its ``started`` event.
        self.attempts = max(self.attempts, *map(attrgetter("attempt"), events))
        has_read_steps, self._has_read_steps = self._has_read_steps, self._has_read_steps or has_steps
        self.first_wall = self.first_wall or next((event.wall for event in events if event.wall), 0.0)
        self.last_wall = next((event.wall for event in reversed(events) if event.wall), self.last_wall)
        numbers = list(map(attrgetter("seq"), events))
        if numbers == list(range(self.next_seq, self.next_seq + len(events))):  # As good as always.
            self.next_seq += len(events)
            return
        for event in events:
            has_read_steps = has_read_steps or type(event) is ev.Step
            if event.seq < 0:  # A line of a newer program, without a number.
                continue
            if event.seq > self.next_seq and has_read_steps:
                self.missing_events += event.seq - self.next_seq
            self.next_seq = event.seq + 1

    def _fold_rare(self, event: ev.KnownEvent) -> None:
        match event:
            case ev.Started():
                self.started, self.final = event, None
                self._segments.append((0, event))
                self.attempts = max(self.attempts + 1, event.attempt)
            case ev.Resumed():
                self._give_up_after(event)
                self.steps.drop_after(event.step)
                self._drop_checkpoints_after(event.checkpoint)
                self._take_over_at(event.step)
                self._drop_position_after(event.step)
                self.bit_exact = event.bit_exact and (self.bit_exact or not event.checkpoint)
                self.final = None
            case ev.Checkpoint():
                self.checkpoints.append(event.name)
            case ev.System():
                self.system = event
                if self.system_rows is not None:
                    self.system_rows.extend([event])
            case ev.Warned():
                self.warnings.append(event.message)
            case ev.Finished() | ev.Stopped() | ev.Failed():
                self.final = event

    def _give_up_after(self, event: ev.Resumed) -> None:
        """Drop the epochs that are trained again; what they came to is kept."""
        before = self.epochs.rows("epoch", "train_loss", "test_loss")
        self.epochs.drop_after(event.step, epoch=event.epoch)
        for epoch, *losses in before[len(self.epochs) :]:
            if all(map(math.isfinite, losses)):
                self.given_up.setdefault(int(epoch), set()).add(tuple(losses))

    @property
    def outcomes(self) -> dict[int, int]:
        """Epoch to the number of different losses it came to, of epochs that were given up and trained again."""
        again = {int(epoch): tuple(losses) for epoch, *losses in self.epochs.rows("epoch", "train_loss", "test_loss")}
        return {
            epoch: len(before | {again[epoch]} if epoch in again else before) for epoch, before in self.given_up.items()
        }

    @property
    def epochs_changed(self) -> int:
        """How many epochs were given up and came out with other losses when they were trained again, each time anew."""
        return sum(self.outcomes.values()) - len(self.given_up)

    def _take_over_at(self, step: int) -> None:
        """The newest attempt trains from this step on; attempts that began at or behind it contribute nothing."""
        if self._segments:
            _, newest = self._segments.pop()
            self._segments = [segment for segment in self._segments if segment[0] < step]
            self._segments.append((step, newest))

    def _drop_position_after(self, step: int) -> None:
        """Forget how far training was beyond a step: those updates are made again."""
        if self.system is not None and (self.system.step or 0) > step:
            self.system = msgspec.structs.replace(self.system, step=None)

    def _drop_checkpoints_after(self, name: str) -> None:
        """Drop checkpoints later than the one a resume began from; no name means that it began from the start."""
        keep = self.checkpoints.index(name) + 1 if name in self.checkpoints else 0
        if keep or not name:
            del self.checkpoints[keep:]

    @property
    def id(self) -> str:
        """The run's id."""
        return self.record.id

    @property
    def is_newer(self) -> bool:
        """Whether a newer program wrote the record or an event: the run is shown and never appended to."""
        return self.newer_version or self.record.is_newer

    @property
    def segments(self) -> list[ev.Started]:
        """The ``started`` event of each attempt that contributes steps, the oldest first.

        While no attempt does, the newest alone.
        """
        done = self.step
        trained = [started for begin, started in self._segments if begin < done]
        return trained or [started for _, started in self._segments[-1:]]

    def planned_epochs(self, started: ev.Started) -> int:
        """Length of the run to which an attempt belongs: this one's, or that of one it continues."""
        extends = self.record.extends
        return started.epochs if extends and started.epochs <= extends.epochs else self.record.config.epochs

    @property
    def has_begun(self) -> bool:
        """Whether its own trainer has written an event; the log of an extended run begins with its parent's."""
        if self.started is None or self.record.extends is None:
            return self.num_events > 0
        return self.started.epochs > self.record.extends.epochs

    @property
    def begun(self) -> float | None:
        """When its own trainer first wrote an event, in seconds since 1970; None before."""
        return max(self.record.created, self.first_wall) if self.has_begun else None

    @property
    def num_epochs(self) -> int:
        """Epochs to train, those done among them: what its trainer has found, or what it was asked for."""
        found = self.started.epochs if self.started and self.has_begun else 0
        return found or self.record.config.epochs

    @property
    def total_steps(self) -> int:
        """Updates to make, those done among them; 0 before a trainer has counted them."""
        if self.started is None:
            return 0
        if self.has_begun or not self.started.epochs:
            return self.started.total_steps
        return self.started.total_steps * self.num_epochs // self.started.epochs

    @property
    def num_epochs_done(self) -> int:
        """Whole epochs finished."""
        return int(self.epochs["epoch"][-1]) if len(self.epochs) else 0

    @property
    def step(self) -> int:
        """The last update any event is about."""
        return max(
            self._last_row_step, self.system.step or 0 if self.system else 0, self.final.step if self.final else 0
        )

    @property
    def _last_row_step(self) -> int:
        """The last update a ``step`` or ``epoch`` event is about."""
        return max((int(series["step"][-1]) for series in (self.epochs, self.steps) if len(series)), default=0)

    @property
    def position(self) -> ev.System | None:
        """How far training is behind the last ``step`` or ``epoch`` event, where something said so since."""
        system = self.system
        return system if system is not None and (system.step or 0) > self._last_row_step else None

    @property
    def progress(self) -> float:
        """Share of the updates done, in [0, 1]."""
        if isinstance(self.final, ev.Finished):
            return 1.0
        total = self.total_steps
        return min(1.0, self.step / total) if total else 0.0

    @property
    def best_test_accuracy(self) -> float | None:
        """Highest test accuracy after any epoch: what the study did, selected on test."""
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
        return _known(values[-1]) if len(values) else None

    @property
    def final_test_accuracy(self) -> float | None:
        """Mean test accuracy of the last five epochs; selects nothing on the test set."""
        return _tail_mean(self.epochs["test_accuracy"])

    @property
    def best_train_accuracy(self) -> float | None:
        """Highest running training accuracy, as Keras prints it and the study tabulates it."""
        return self._best("train_accuracy")

    @property
    def gap(self) -> float | None:
        """Training accuracy in evaluation mode minus test accuracy, mean of the last five epochs."""
        pairs = zip(self.epochs["train_eval_accuracy"], self.epochs["test_accuracy"], strict=True)
        return _tail_mean([train - test for train, test in pairs])

    @property
    def train_seconds(self) -> float | None:
        """Seconds of training alone, over all attempts."""
        return _known(self.epochs["train_seconds"][-1]) if len(self.epochs) else None

    @property
    def elapsed_seconds(self) -> float | None:
        """Seconds of training, evaluation and checkpoints, over all attempts."""
        if isinstance(self.final, ev.Finished):
            return self.final.elapsed_seconds
        return _known(self.epochs["elapsed_seconds"][-1]) if len(self.epochs) else None

    @property
    def images_per_second(self) -> float | None:
        """The latest throughput."""
        if (position := self.position) is not None and position.images_per_second is not None:
            return position.images_per_second
        for series in (self.steps, self.epochs):
            if len(series):
                return _known(series["images_per_second"][-1])
        return None

    @property
    def remaining_seconds(self) -> float | None:
        """Estimated seconds until the last epoch, at the speed of the last epochs and of the steps since."""
        if self.started is None or self.final is not None:
            return None
        left = max(0, self.total_steps - self.step)
        images_per_step = self.started.num_train_images / max(1, self.started.steps_per_epoch)
        rate = self._recent_rate()
        if len(self.epochs) and self.epochs["step"][-1]:
            usual = self._seconds_per_step("train_seconds")
            # The steps since then say whether the machine has become faster or slower.
            change = images_per_step / rate / usual if rate and usual > 0 else 1
            return left * self._seconds_per_step("elapsed_seconds") * change
        rate = rate or self.images_per_second
        return left * images_per_step / rate if rate else None

    def _seconds_per_step(self, column: str) -> float:
        """Seconds an update took by this column, over the last epochs; over the first where there is but one."""
        steps, seconds = self.epochs["step"], self.epochs[column]
        begin = max(0, len(steps) - 1 - _RECENT_EPOCHS)
        done, took = steps[-1] - steps[begin], seconds[-1] - seconds[begin]
        return took / done if done > 0 and took > 0 else seconds[-1] / steps[-1]

    def _recent_rate(self) -> float | None:
        """Images a second over the last steps behind the last epoch; None while there are too few."""
        since = self.epochs["step"][-1] if len(self.epochs) else 0
        begin = max(bisect_left(self.steps["step"], since + 0.5), len(self.steps) - _RECENT_STEPS)
        rates = [rate for rate in self.steps["images_per_second"][begin:] if rate > 0 and math.isfinite(rate)]
        return len(rates) / sum(1 / rate for rate in rates) if len(rates) >= _FEWEST_STEPS else None

    @property
    def is_untouched(self) -> bool:
        """Whether no event of its own is in the log; that of an extended run begins with a copy of its parent's."""
        return not self.has_begun and (self.record.extends is not None or not len(self.steps))

    def _best(self, column: str) -> float | None:
        return max((value for value in self.epochs[column] if math.isfinite(value)), default=None)


def _tail_mean(values: Sequence[float]) -> float | None:
    tail = list(values[-LAST_EPOCHS:])
    mean = sum(tail) / len(tail) if tail else math.nan
    return mean if math.isfinite(mean) else None


def threads_text(started: ev.Started) -> str:
    """A run's processes and CPU threads, for people, and what an update took with each number that was tried first."""
    tried = ", ".join(f"{threads}: {value:.0f} ms" for threads, value in sorted(started.thread_milliseconds.items()))
    processes = f"{started.processes} processes with " if started.processes > 1 else ""
    return processes + counted(started.threads, "thread") + (f" (timed, an update with {tried})" if tried else "")
