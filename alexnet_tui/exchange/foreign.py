"""Foreign histories: curves that other programs wrote, to look at and compare, never for a verdict, never resumed.

A foreign history is a set of named curves over epochs, read by `csv_history` or `log_history`. What a name stands for
is known where it is one of ours, and where it is made of a part (train, val, test) and a metric (loss, accuracy), as
Keras, PyTorch and Lightning have it; the caller may say more. What is not understood is left out and named.
"""

import itertools
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.errors import StoreError, UsageError
from alexnet_tui.exchange.tensorboard import TAGS
from alexnet_tui.files import sha256_of
from alexnet_tui.runs import events as ev
from alexnet_tui.runs.history import EPOCH_COLUMNS
from alexnet_tui.runs.record import Foreign, RunRecord
from alexnet_tui.runs.run_files import EVENTS_FILE
from alexnet_tui.runs.store import Store
from alexnet_tui.text import printable, quoted

CURVES = tuple(name for name in EPOCH_COLUMNS if name not in {"epoch", "step"})
"""Columns of a history that a foreign name may stand for."""
SECONDS = frozenset(name for name in CURVES if name.endswith("seconds"))
_ACCURACIES = frozenset(name for name in CURVES if name.endswith("accuracy"))
PARTS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "eval": "val",
    "test": "test",
    "testing": "test",
}
"""Words for the parts of a data set to train, val and test."""
_METRICS = {"loss": "loss", "accuracy": "accuracy", "acc": "accuracy"}
_FILLERS = frozenset(("epoch", "sparse", "categorical", "binary", "mean", "running", "avg", "metrics"))
_OTHERS = {("lr",): "learning_rate", ("learning", "rate"): "learning_rate"}
_KNOWN = "loss, val_accuracy and test/loss"


class ForeignHistory(msgspec.Struct):
    """Curves of one training.

    Attributes:
        name: What it was called where it was.
        rows: Epoch by epoch, from 1: column of a history to its value; a missing one is left out.
        columns: Column of a history to the name it had.
        left_out: Names that were not understood, and why.
        percentages: Names of accuracies that were percentages.
    """

    name: str
    rows: list[dict[str, float]] = msgspec.field(default_factory=list)
    columns: dict[str, str] = msgspec.field(default_factory=dict)
    left_out: list[str] = msgspec.field(default_factory=list)
    percentages: list[str] = msgspec.field(default_factory=list)


def column_of(name: str, part: str = "") -> str:
    """The column that a name stands for, or nothing.

    Args:
        name: ``val_accuracy``, ``Loss/train``, ``epoch_loss``.
        part: The part of the data it is about where the name does not say: train, val or test.
    """
    lowered = name.strip().lower()
    if lowered in CURVES:
        return lowered
    if ours := TAGS.get(lowered):
        return ours
    words = [word for word in re.split(r"[^a-z0-9]+", lowered) if word and word not in _FILLERS]
    if other := _OTHERS.get(tuple(words)):
        return other
    parts = [PARTS[word] for word in words if word in PARTS]
    metrics = [_METRICS[word] for word in words if word in _METRICS]
    if len(metrics) != 1 or len(parts) > 1 or len(words) != len(parts) + 1:
        return ""
    return f"{parts[0] if parts else part or 'train'}_{metrics[0]}"


def parse_columns(pairs: Sequence[str]) -> dict[str, str]:
    """Foreign name to column, from ``test_accuracy=val_acc``.

    Raises:
        UsageError: A column is not known, or named twice.
    """
    found: dict[str, str] = {}
    for pair in pairs:
        column, equals, name = pair.partition("=")
        if not equals or not name or column not in CURVES:
            raise UsageError(
                f"--column takes OURS=THEIRS, as in test_accuracy=val_acc, not {quoted(pair, 80)}; ours are"
                f" {', '.join(CURVES)}."
            )
        if column in found.values() or name in found:
            raise UsageError(f"--column names {quoted(column if column in found.values() else name, 80)} twice.")
        found[name] = column
    return found


def assign_columns(
    names: Sequence[tuple[str, str]], wanted: Mapping[str, str], history: ForeignHistory
) -> dict[str, str]:
    """Name to column, of the names that are understood; those that were asked for first.

    Args:
        names: Each name, and the part of the data that it is about where that is known otherwise.
        wanted: What the caller says that names stand for.
        history: Gets the columns, and what is left out.
    """
    found = {name: wanted[name] for name, _ in names if name in wanted}
    for name, part in names:
        column = column_of(name, part)
        if name in found:
            continue
        if not column:
            history.left_out.append(f"{printable(name, 80)}: not known; --column OURS=THEIRS says what it is")
        elif column in found.values():
            history.left_out.append(why_second(name, column))
        else:
            found[name] = column
    history.columns = {column: printable(name, 200) for name, column in found.items()}
    return found


def why_second(name: str, column: str) -> str:
    """Why a name is left out that stands for a column which another name stands for."""
    return f"{printable(name, 80)}: another name stands for {column} already"


def usable(found: Sequence[ForeignHistory], path: Path, remarks: Sequence[str]) -> list[ForeignHistory]:
    """The histories that have a curve, with accuracies as fractions.

    Args:
        found: The histories.
        path: Where they were found.
        remarks: What was found there instead, for the error.

    Raises:
        StoreError: None has.
    """
    for history in found:
        for column in list(history.columns):
            _check_range(history, column)
    kept = [
        history
        for history in found
        if history.columns and any(history.columns.keys() & row.keys() for row in history.rows)
    ]
    if not kept:
        left_out = dict.fromkeys(text for history in found for text in history.left_out[:5])
        reasons = "; ".join([*itertools.islice(left_out, 5), *map(printable, remarks[:3])])
        raise StoreError(
            path, f"there is no curve in it that is known here, as {_KNOWN} are ({reasons or 'it has no scalar'})."
        )
    return kept


def _check_range(history: ForeignHistory, column: str) -> None:
    """Make percentages fractions, and leave out a curve with values that it cannot have."""
    name = history.columns[column]
    values = [row[column] for row in history.rows if column in row]
    reason = ""
    if column in _ACCURACIES:
        if any(not 0 <= value <= 100 for value in values):
            reason = "no accuracies"
        elif any(value > 1 for value in values):
            for row in history.rows:
                if column in row:
                    row[column] /= 100
            history.percentages.append(name)
    elif column in SECONDS and any(not 0 <= value <= 1e11 for value in values):
        reason = "no durations"
    elif not column.endswith("loss") and not all(map(math.isfinite, values)):
        reason = "not finite"
    if reason:
        del history.columns[column]
        for row in history.rows:
            row.pop(column, None)
        history.left_out.append(f"{name}: {reason}")


def known_foreign(store: Store) -> dict[str, RunRecord]:
    """The foreign runs of a runs folder by the hash of their history."""
    return {record.foreign.sha256: record for record in reversed(store.list().runs) if record.foreign is not None}


def create_foreign(
    store: Store,
    history: ForeignHistory,
    known: dict[str, RunRecord],
    *,
    format_name: str,
    source: str,
    label: str = "",
) -> tuple[RunRecord, bool]:
    """Make a run of a foreign history; a history that is here already is not doubled.

    Args:
        known: The foreign runs that are here (`known_foreign`); the new one joins them.

    Returns:
        Its record, and whether it was here already.

    Raises:
        StoreError: The runs folder cannot be written.
    """
    content = b"".join(map(ev.encode, _events(history)))
    sha256 = sha256_of(content)
    if sha256 in known:
        return known[sha256], True
    known[sha256] = store.create(
        RunConfig(epochs=min(100_000, max(1, int(history.rows[-1]["epoch"])))),
        label=label or history.name,
        foreign=Foreign(format=format_name, source=printable(source, 200), columns=history.columns, sha256=sha256),
        fill=lambda folder: folder.write(EVENTS_FILE, content),
    )
    return known[sha256], False


def _events(history: ForeignHistory) -> list[ev.Event]:
    events: list[ev.Event] = [_epoch(row, sequence) for sequence, row in enumerate(history.rows)]
    last = history.rows[-1]
    events.append(
        ev.Finished(
            seq=len(events),
            epoch=int(last["epoch"]),
            step=int(last["step"]),
            train_seconds=last.get("train_seconds"),
            elapsed_seconds=last.get("elapsed_seconds"),
        )
    )
    return events


def _epoch(row: Mapping[str, float], sequence: int) -> ev.Epoch:
    def number(column: str) -> ev.Number:
        return ev.number(row.get(column, math.nan))

    return ev.Epoch(
        seq=sequence,
        epoch=int(row["epoch"]),
        step=int(row["step"]),
        train_loss=number("train_loss"),
        train_accuracy=number("train_accuracy"),
        train_eval_loss=number("train_eval_loss"),
        train_eval_accuracy=number("train_eval_accuracy"),
        test_loss=number("test_loss"),
        test_accuracy=number("test_accuracy"),
        learning_rate=row.get("learning_rate"),
        train_seconds=row.get("train_seconds"),
        elapsed_seconds=row.get("elapsed_seconds"),
        images_per_second=row.get("images_per_second"),
        val_loss=number("val_loss") if "val_loss" in row else None,
        val_accuracy=number("val_accuracy") if "val_accuracy" in row else None,
    )
