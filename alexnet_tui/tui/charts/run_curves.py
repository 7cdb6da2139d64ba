"""A run's history as curves, and how far it is ahead of another run; columns are copied, never viewed."""

import msgspec

from alexnet_tui.runs.history import RunHistory
from alexnet_tui.tui.charts.model import Curve
from alexnet_tui.tui.charts.series import Floats, Lead, copy_column, lead

import numpy as np  # isort: skip  # After series, which sets numpy's threads.

_SMALL_CHART_POINTS = 48
_PAUSE_SECONDS = 900.0


def curve(history: RunHistory, column: str, name: str, *, slot: int, is_baseline: bool = False) -> Curve:
    """One column of a run's epochs."""
    return Curve(
        name=name,
        x=copy_column(history.epochs["epoch"]),
        y=copy_column(history.epochs[column]),
        slot=slot,
        is_baseline=is_baseline,
    )


def step_curve(history: RunHistory, name: str, *, slot: int) -> Curve:
    """The running training loss between epochs and at the newest update: a faint background once there are epochs."""
    x, y = _epochs_of_steps(history), copy_column(history.steps["train_loss"])
    position, per_epoch = history.position, history.started.steps_per_epoch if history.started else 0
    if position is not None and position.step and position.train_loss is not None and per_epoch:
        x, y = np.append(x, position.step / per_epoch), np.append(y, float(position.train_loss))
    return Curve(
        name=name,
        x=x,
        y=y,
        slot=slot,
        is_faint=len(history.epochs) > 1,
    )


def _epochs_of_steps(history: RunHistory) -> Floats:
    """Where step events are on an axis of epochs: between their ends."""
    per_epoch = history.started.steps_per_epoch if history.started else 0
    return copy_column(history.steps["step"]) / per_epoch if per_epoch else copy_column(history.steps["epoch"])


def loss_curves(history: RunHistory, baseline: RunHistory | None, baseline_name: str) -> list[Curve]:
    """Training and test loss; the baseline is the other run's test loss."""
    curves: list[Curve] = []
    if len(history.steps) or history.position is not None:
        curves.append(step_curve(history, "train", slot=0))
    if len(history.epochs) > 1 or (len(history.epochs) and not curves):
        curves.append(curve(history, "train_loss", "train", slot=0))
    return _known(curves) + _measured(history, "loss", baseline, baseline_name)


def accuracy_curves(history: RunHistory, baseline: RunHistory | None, baseline_name: str) -> list[Curve]:
    """Training accuracy in evaluation mode, or as trained where nothing else is known, and test accuracy."""
    train = curve(history, "train_eval_accuracy", "train", slot=0)
    if not np.isfinite(train.y).any():
        train = curve(history, "train_accuracy", "train", slot=0)
    return _known([train]) + _measured(history, "accuracy", baseline, baseline_name)


def _measured(history: RunHistory, kind: str, baseline: RunHistory | None, baseline_name: str) -> list[Curve]:
    test = msgspec.structs.replace(curve(history, f"test_{kind}", "test", slot=1), is_chosen=True)
    validation = curve(history, f"val_{kind}", "validation", slot=2)
    behind = [curve(baseline, f"test_{kind}", baseline_name, slot=3, is_baseline=True)] if baseline else []
    return _known([test, validation, *behind])


def learning_rate_curves(history: RunHistory) -> list[Curve]:
    """The learning rate, of each step event where there are any."""
    return _of_steps(history, "learning_rate")


def throughput_curves(history: RunHistory) -> list[Curve]:
    """Images a second; of many step events, means of so many in a row that a small chart has room for them."""
    return [_in_means(one) for one in _of_steps(history, "images_per_second")]


def _of_steps(history: RunHistory, column: str) -> list[Curve]:
    if len(history.steps):
        return [Curve(name=column, x=_epochs_of_steps(history), y=copy_column(history.steps[column]))]
    return _known([curve(history, column, column, slot=0)])


def _in_means(one: Curve) -> Curve:
    size = len(one.y) // _SMALL_CHART_POINTS
    if size < 2:
        return one
    starts = np.arange(0, len(one.y), size)
    ends = np.minimum(starts + size, len(one.y))
    return msgspec.structs.replace(one, x=one.x[ends - 1], y=np.add.reduceat(one.y, starts) / (ends - starts))


def machine_curves(history: RunHistory) -> list[Curve]:
    """What CPU and GPU were doing, in percent, over the seconds since the first reading; pauses stay gaps."""
    if history.system_rows is None or not len(history.system_rows):
        return []
    wall = copy_column(history.system_rows["wall"])
    pauses = np.flatnonzero(np.diff(wall) > _PAUSE_SECONDS) + 1
    x = np.insert(wall - wall[0], pauses, wall[pauses] - wall[0])
    curves = [
        Curve(name=name, x=x, y=np.insert(copy_column(history.system_rows[column]), pauses, np.nan), slot=slot)
        for slot, (name, column) in enumerate((("CPU", "cpu_percent"), ("GPU", "gpu_percent")))
    ]
    return _known(curves)


def _known(curves: list[Curve]) -> list[Curve]:
    """Those of which there is any value: a run of another program need not have each."""
    return [one for one in curves if np.isfinite(one.y).any()]


def lead_over(history: RunHistory, baseline: RunHistory) -> Lead | None:
    """How much earlier a run reached its best test accuracy than the other run did; None where one has none."""
    column = "test_accuracy"
    return lead(
        copy_column(history.epochs["epoch"]),
        copy_column(history.epochs[column]),
        copy_column(baseline.epochs["epoch"]),
        copy_column(baseline.epochs[column]),
    )
