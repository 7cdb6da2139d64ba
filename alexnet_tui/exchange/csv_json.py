"""Histories as CSV and JSON."""

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from alexnet_tui.config.hyperparameters import SPECS, format_value
from alexnet_tui.json_io import json_text
from alexnet_tui.runs.history import EPOCH_COLUMNS, STEP_COLUMNS, RunHistory, Series
from alexnet_tui.runs.record import RunRecord
from alexnet_tui.text import printable

EXPORT_VERSION = 1
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_COUNTS = {"epoch", "step"}


def to_csv(histories: Iterable[RunHistory], labels: Mapping[str, str]) -> str:
    """One line for each epoch of each run: id, label, every hyperparameter, every column; missing is empty.

    Args:
        histories: The runs.
        labels: Labels given since a run was made, by its id.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["run_id", "label", *(f"config.{name}" for name in SPECS), *EPOCH_COLUMNS])
    for history in histories:
        config = history.record.config
        label = _cell(labels.get(history.id) or history.record.label)
        settings = (format_value(getattr(config, name)) if history.record.foreign is None else "" for name in SPECS)
        head = [history.id, label, *settings]
        for index in range(len(history.epochs)):
            writer.writerow(head + [_number(name, history.epochs[name][index]) for name in EPOCH_COLUMNS])
    return buffer.getvalue()


def _cell(text: str) -> str:
    """Foreign text that a spreadsheet does not take for a formula."""
    safe = printable(text)
    return f"'{safe}" if safe.startswith(_FORMULA) else safe


def _number(name: str, value: float) -> str:
    if math.isnan(value):
        return ""
    return str(int(value)) if name in _COUNTS else repr(value)


def to_json(histories: Iterable[RunHistory], labels: Mapping[str, str]) -> str:
    """Every run with its label, its record, its ``started`` event and its series; a missing value is null.

    So are the settings of a run that another program trained.

    Args:
        histories: The runs.
        labels: Labels given since a run was made, by its id.
    """
    runs = [
        {
            "label": labels.get(history.id) or history.record.label,
            "record": _record(history.record),
            "started": history.started,
            "final": history.final,
            "epochs": _columns(history.epochs, EPOCH_COLUMNS),
            "steps": _columns(history.steps, STEP_COLUMNS),
        }
        for history in histories
    ]
    return json_text({"v": EXPORT_VERSION, "runs": runs})


def _record(record: RunRecord) -> object:
    return record if record.foreign is None else {**msgspec.structs.asdict(record), "config": None}


def _columns(series: Series, names: Sequence[str]) -> dict[str, list[float | int | None]]:
    return {name: [_json_number(name, value) for value in series[name]] for name in names}


def _json_number(name: str, value: float) -> float | int | None:
    if not math.isfinite(value):
        return None
    return int(value) if name in _COUNTS else value
