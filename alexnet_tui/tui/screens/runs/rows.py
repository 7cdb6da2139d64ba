"""Rows of the runs table: one run, or the runs of one experiment. Pure; no Textual."""

import math
import operator
import statistics
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from alexnet_tui.analysis.metrics import METRICS
from alexnet_tui.config.hyperparameters import RESULT_FIELDS, RunConfig, Value
from alexnet_tui.runs.history import RunHistory
from alexnet_tui.runs.notes import Notes
from alexnet_tui.runs.state import State, begun
from alexnet_tui.text import printable
from alexnet_tui.tui.run_names import Name, RunNames, experiment_names
from alexnet_tui.tui.watch.watcher import RunsWatcher

ROW_METRICS = {
    "best": "max_test",
    "last": "last_test",
    "final": "final_test",
    "gap": "gap",
    "t25": "t25",
    "seconds": "time",
}
"""Fields of a row that are metrics of its run, and their names in the registry; filters use the fields' names."""
_experiment = operator.attrgetter("variant", *RESULT_FIELDS)
"""What the runs of a group have in common: all that a result depends on but the seed."""
_LIVE_FIRST = (State.RUNNING, State.QUEUED, State.FAILED, State.LOST, State.COPY, State.STOPPED, State.FINISHED)
_COUNTS_FIRST = {State.FINISHED: 2, State.RUNNING: 1, State.QUEUED: 1}
"""Of a seed that was tried more than once, the states whose run counts before any that ended early."""


class RunRow(msgspec.Struct, frozen=True, kw_only=True):
    """What the table, the filter and the preview know of one line.

    Attributes:
        id: The run, or the newest run of a group.
        name: The label, safe to print, or variant and seed, and of namesakes what sets them apart.
        short_name: The same where there is little room, without settings that others of it tell.
        is_labelled: A person chose the name.
        config: The run's configuration; of a group, that of its newest run.
        epochs_done: Whole epochs finished.
        progress: Share of the updates done.
        best: Highest test accuracy.
        last: Test accuracy after the last epoch.
        final: Mean test accuracy of the last five epochs.
        gap: Training minus test accuracy.
        t25: Epochs until the training error fell to 25%.
        seconds: Seconds of training, evaluation and checkpoints.
        curve: Test accuracy of each epoch.
        created: When it was made, seconds since 1970.
        begun: When its training began, seconds since 1970; None where it waits. Of a group, of the run begun last.
        members: Every run of a group, or just `id`.
        runs: The rows of a group's runs; none for a run.
        hits: Of a group, the runs that the filter asks for, where those are not all.
        num_counted: How many runs of a group the figures are means of: one a seed.
        spread: Standard deviation of `best` over a group.
        is_stopping: It is running and has been asked to stop; of a group, every run of it that is running.
        extends: Id of the run that it trains further, or empty.
        studies: Names of the studies that its runs were made for.
        hosts: The machines that made its runs.
        devices: What they train on: ``cuda:0``, ``cuda``, and the name of the GPU.
        foreign: Where the history comes from, of a run that another program trained; else empty.
    """

    id: str
    name: str
    short_name: str
    is_labelled: bool
    config: RunConfig
    state: State
    epochs_done: int
    progress: float
    best: float | None
    last: float | None
    final: float | None
    gap: float | None
    t25: float | None
    seconds: float | None
    curve: Sequence[float]
    created: float
    begun: float | None
    tags: tuple[str, ...]
    note: str
    is_reference: bool
    members: tuple[str, ...]
    runs: tuple["RunRow", ...] = ()
    hits: tuple[str, ...] | None = None
    num_counted: int = 1
    spread: float | None = None
    is_stopping: bool = False
    extends: str = ""
    studies: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    foreign: str = ""

    def setting(self, name: str) -> Value | None:
        """A hyperparameter; None for a run that another program trained."""
        value: Value = getattr(self.config, name)
        return None if self.foreign else value

    def is_comparable(self, other: "RunRow") -> bool:
        """Whether accuracies may be subtracted: same data, seen through the same front end."""
        names = ("data", "front_end")
        return all(self.setting(name) == other.setting(name) is not None for name in names)

    @property
    def is_like_others(self) -> bool:
        """Whether runs with the same settings are comparable with it, so that they may be averaged."""
        return not self.foreign and not (self.extends and self.config.depends_on_length)

    @property
    def is_group(self) -> bool:
        """Whether the row is a group of several runs."""
        return len(self.members) > 1

    @property
    def acted_on(self) -> tuple[str, ...]:
        """The runs that keys act on: all of the row, or those that the filter asks for."""
        return self.members if self.hits is None else self.hits

    @property
    def newest_acted_on(self) -> str:
        """The newest of the runs that keys act on, for keys that take one."""
        return max((one for one in self.runs or (self,) if one.id in self.acted_on), key=_recency).id


def run_row(
    history: RunHistory,
    state: State,
    notes: Notes,
    name: Name,
    *,
    is_reference: bool = False,
    is_stopping: bool = False,
) -> RunRow:
    """The row of one run; `name` is what it is called where it has no label."""
    record = history.record
    label = printable(notes.label or record.label, 200).strip()
    figures: dict[str, Any] = {field: METRICS[name].value(history) for field, name in ROW_METRICS.items()}
    return RunRow(
        id=record.id,
        name=label or name.full,
        short_name=label or name.short,
        is_labelled=bool(label),
        config=record.config,
        state=state,
        epochs_done=history.num_epochs_done,
        progress=history.progress,
        curve=history.epochs["test_accuracy"],
        created=record.created,
        begun=begun(history, state),
        tags=tuple(printable(tag, 60) for tag in notes.tags[:50]),
        note=printable(notes.note, 2000),
        is_reference=is_reference,
        members=(record.id,),
        is_stopping=is_stopping,
        extends=printable(record.extends.runs[0], 80) if record.extends else "",
        studies=(printable(record.study, 80),) if record.study else (),
        hosts=(printable(record.host, 80),) if record.host else (),
        devices=_devices(history),
        foreign=str(record.foreign) if record.foreign else "",
        **figures,
    )


def _devices(history: RunHistory) -> tuple[str, ...]:
    """What a run trains on, from the particular to the general; before it starts, what it was told to take."""
    if (started := history.started) is None:
        return () if history.record.foreign else (printable(history.record.config.device, 80),)
    names = (started.device, started.device.partition(":")[0], started.device_class)
    return tuple(printable(name, 80) for name in dict.fromkeys(names))


def group_rows(rows: Iterable[RunRow]) -> list[RunRow]:
    """One row for all runs of one experiment, which differ in their seed, in the order of their first run."""
    groups: dict[tuple[object, ...], list[RunRow]] = {}
    for row in rows:
        key = (row.is_reference, "" if row.is_like_others else row.id, *_experiment(row.config))
        groups.setdefault(key, []).append(row)
    firsts = [members[0] for members in groups.values()]
    name_of = experiment_names({row.id: row.config for row in firsts if not row.foreign})
    return [members[0] if len(members) == 1 else _merge(members, name_of(members[0].id)) for members in groups.values()]


def _merge(rows: Sequence[RunRow], name: Name) -> RunRow:
    """The row of a group: means of what its runs have; `name` is what it is called where they share no label."""
    rows = sorted(rows, key=lambda row: (row.config.seed, row.created))
    newest = max(rows, key=_recency)
    # A run cut short says nothing about the others: while any is finished, only finished ones count.
    counted = _one_a_seed([row for row in rows if row.state is State.FINISHED] or rows)
    values = {field: _present(getattr(row, field) for row in counted) for field in ROW_METRICS}
    figures: dict[str, Any] = {field: statistics.fmean(known) if known else None for field, known in values.items()}
    current = _one_a_seed(rows)
    is_labelled = all(row.is_labelled for row in rows) and len({row.name for row in rows}) == 1
    return RunRow(
        id=newest.id,
        name=newest.name if is_labelled else name.full,
        short_name=newest.name if is_labelled else name.short,
        is_labelled=is_labelled,
        config=newest.config,
        state=min((row.state for row in current), key=_LIVE_FIRST.index),
        epochs_done=min(row.epochs_done for row in current),
        progress=statistics.fmean(row.progress for row in current),
        curve=mean_curve([row.curve for row in counted]),
        created=newest.created,
        begun=newest.begun,
        tags=tuple(dict.fromkeys(tag for row in rows for tag in row.tags)),
        note=newest.note,
        studies=tuple(dict.fromkeys(name for row in rows for name in row.studies)),
        hosts=tuple(dict.fromkeys(host for row in rows for host in row.hosts)),
        devices=tuple(dict.fromkeys(device for row in rows for device in row.devices)),
        is_reference=newest.is_reference,
        members=tuple(row.id for row in rows),
        runs=tuple(rows),
        num_counted=len(counted),
        is_stopping=all(row.is_stopping for row in rows if row.state is State.RUNNING),
        spread=statistics.stdev(values["best"]) if len(values["best"]) > 1 else None,
        **figures,
    )


def _recency(row: RunRow) -> tuple[bool, float]:
    """Grows from runs that wait to those begun last."""
    return (False, row.created) if row.begun is None else (True, row.begun)


def _one_a_seed(rows: Iterable[RunRow]) -> list[RunRow]:
    """The run that counts of each seed: a finished one, else one under way, else the one that got furthest.

    Of those that got as far it is the first made.
    """
    first_last = sorted(rows, key=lambda row: (_COUNTS_FIRST.get(row.state, 0), row.epochs_done, -row.created))
    return list({row.config.seed: row for row in first_last}.values())


def _present(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None and math.isfinite(value)]


def mean_curve(curves: Sequence[Sequence[float]]) -> list[float]:
    """The mean of several curves at each epoch, over those that got that far."""
    longest = max((len(curve) for curve in curves), default=0)
    columns = ([curve[index] for curve in curves if index < len(curve)] for index in range(longest))
    return [statistics.fmean(column) for column in columns]


def rows_of(watcher: RunsWatcher, names: RunNames, only: Iterable[str] | None = None) -> dict[str, RunRow]:
    """The rows of all runs, or of some."""
    histories = watcher.histories
    wanted = histories if only is None else [run_id for run_id in only if run_id in histories]
    return {
        run_id: run_row(
            histories[run_id],
            watcher.states.get(run_id, State.QUEUED),
            watcher.notes.get(run_id) or _NO_NOTES,
            names[run_id],
            is_reference=run_id in watcher.references,
            is_stopping=run_id in watcher.stopping,
        )
        for run_id in wanted
    }


_NO_NOTES = Notes()
