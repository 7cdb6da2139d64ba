"""Histories that other programs wrote, beside ours: to look at and compare, never for a verdict, never resumed.

A foreign history is a set of named curves over epochs. What a name stands for is known where it is one of ours, and
where it is made of a part (train, val, test) and a metric (loss, accuracy), as Keras, PyTorch and Lightning have it;
the caller may say more. What is not understood is left out and named.
"""

import codecs
import csv
import io
import itertools
import math
import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.errors import StoreError, UsageError
from alexnet_tui.exchange.tensorboard import TAGS, Curves, Point, read_tensorboard
from alexnet_tui.files import reason_of, sha256_of
from alexnet_tui.runs import events as ev
from alexnet_tui.runs.history import EPOCH_COLUMNS
from alexnet_tui.runs.store import EVENTS_FILE, Foreign, RunRecord, Store
from alexnet_tui.text import counted, printable, quoted

CURVES = tuple(name for name in EPOCH_COLUMNS if name not in {"epoch", "step"})
"""Columns of a history that a foreign name may stand for."""
_ACCURACIES = frozenset(name for name in CURVES if name.endswith("accuracy"))
_SECONDS = frozenset(name for name in CURVES if name.endswith("seconds"))
_MAX_CSV_BYTES, _MAX_ROWS, _MAX_NAMES, _MAX_CELLS, _MAX_RUNS = 1 << 26, 100_000, 500, 1 << 22, 1000
_PARTS = {
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
_METRICS = {"loss": "loss", "accuracy": "accuracy", "acc": "accuracy"}
_FILLERS = frozenset(("epoch", "sparse", "categorical", "binary", "mean", "running", "avg", "metrics"))
_OTHERS = {("lr",): "learning_rate", ("learning", "rate"): "learning_rate"}
_NO_NUMBER = frozenset(("", "nan", "none", "null", "na", "n/a", "-"))
_NAMED = 3
_TABLE = "a table has a line with the names of its columns, as epoch,loss,val_accuracy, and below it one line an epoch"
_KNOWN = "loss, val_accuracy and test/loss"
_EPOCH_NAMES, _RUN_NAMES = ("epoch", "epochs"), ("run_id",)


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
    parts = [_PARTS[word] for word in words if word in _PARTS]
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


def _assign(names: Sequence[tuple[str, str]], wanted: Mapping[str, str], history: ForeignHistory) -> dict[str, str]:
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
            history.left_out.append(_second(name, column))
        else:
            found[name] = column
    history.columns = {column: printable(name, 200) for name, column in found.items()}
    return found


def _second(name: str, column: str) -> str:
    return f"{printable(name, 80)}: another name stands for {column} already"


# --- CSV


def read_csv(path: Path, wanted: Mapping[str, str]) -> list[ForeignHistory]:
    """The histories of a CSV file with one line an epoch: one, or one for each value of a column ``run_id``.

    Args:
        path: The file; columns are separated by commas, semicolons or tabs.
        wanted: What the caller says that names stand for.

    Raises:
        StoreError: The file cannot be read, or holds no history.
        UsageError: A name that was asked for is not there.
    """
    if not (text := _text(path)).strip():
        raise StoreError(path, f"it is empty; {_TABLE}.")
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text))
    try:
        names = [name.strip() for name in next(lines, [])]
        if not any(names) or len(names) > _MAX_NAMES or len(set(names)) < len(names):
            raise StoreError(path, "its first line does not name columns, each by another name.")
        most = min(_MAX_ROWS, _MAX_CELLS // len(names))
        # A spreadsheet writes lines of separators alone below a table.
        rows = list(itertools.islice((row for row in lines if any(map(str.strip, row))), most + 1))
    except csv.Error as error:
        raise StoreError(path, f"this is no table ({printable(str(error), 100)}).") from error
    if len(rows) > most:
        raise StoreError(path, f"it has more than {most:,} lines of {counted(len(names), 'column')}.")
    if absent := [name for name in wanted if name not in names]:
        raise UsageError(f"{path} has no column {quoted(absent[0], 80)}; it has {printable(', '.join(names), 500)}.")
    if not rows:
        raise StoreError(
            path, f"it names columns ({printable(', '.join(names), 200)}) and has no line below; {_TABLE}."
        )
    run_name = next((name for name in names if name.lower() in _RUN_NAMES), "")
    runs: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        cells = dict(zip(names, row, strict=False))
        runs.setdefault(cells.get(run_name, "") if run_name else "", []).append(cells)
    if len(runs) > _MAX_RUNS:
        raise StoreError(path, f"it has more than {_MAX_RUNS:,} runs.")
    found = [_of_table(names, rows, wanted, printable(run or path.stem, 200)) for run, rows in runs.items()]
    remark = (
        f"its first line names {printable(', '.join(names), 200)}, with {counted(len(rows), 'line')} below; columns are"
        " separated by commas, semicolons or tabs, and numbers have a decimal point"
    )
    return _with_curves(found, path, [remark])


def _text(path: Path) -> str:
    try:
        if not path.is_file():
            wrong = "this is a folder; name one table in it." if path.is_dir() else "this is no file."
            raise StoreError(path, wrong if path.exists() else "there is no such file.")
        with path.open("rb") as file:
            content = file.read(_MAX_CSV_BYTES + 1)
    except OSError as error:
        raise StoreError(path, f"the file cannot be read ({reason_of(error)}).") from error
    if len(content) > _MAX_CSV_BYTES:
        raise StoreError(path, "the file is too large for a history.")
    # Excel's "Unicode text" is UTF-16; it begins with a mark that no UTF-8 has.
    encoding = "utf-16" if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    return content.decode(encoding, "replace").replace("\0", "")


def _delimiter(text: str) -> str:
    first = text.partition("\n")[0]
    return max(",;\t", key=first.count)


def _of_table(
    names: Sequence[str], rows: Sequence[Mapping[str, str]], wanted: Mapping[str, str], name: str
) -> ForeignHistory:
    history = ForeignHistory(name)
    epoch_name = next((one for one in names if one.lower() in _EPOCH_NAMES and one not in wanted), "")
    # Hyperparameters, labels and counts are no curves; a name for one of ours is.
    curves = [one for one in names if one != epoch_name and (one in wanted or _has_number(one, rows))]
    assigned = _assign([(one, "") for one in curves], wanted, history)
    by_epoch: dict[int, dict[str, float]] = {}
    replaced: set[int] = set()
    # Without that column a line is an epoch; a column without a name, as pandas writes its index, is none.
    numbers = [_number(row.get(epoch_name, "") if epoch_name else "") for row in rows]
    shift = int(min((number for number in numbers if number >= 0), default=1) < 1)  # Keras counts from 0.
    for position, (row, number) in enumerate(zip(rows, numbers, strict=True), 1):
        epoch = int(number) + shift if math.isfinite(number) and 0 <= number < 2**53 else position
        values = {column: _number(row.get(theirs, "")) for theirs, column in assigned.items()}
        # Lightning writes training and validation of one epoch on lines of their own.
        known, new = by_epoch.setdefault(epoch, {}), {name: one for name, one in values.items() if not math.isnan(one)}
        if not known.keys().isdisjoint(new):
            replaced.add(epoch)
        known.update(new)
    history.rows = [{**by_epoch[epoch], "epoch": epoch, "step": epoch} for epoch in sorted(by_epoch)]
    for theirs in assigned:
        texts = [text for row in rows if not _is_number_or_none(text := row.get(theirs, ""))]
        if texts:
            shown = ", ".join(quoted(text, 20) for text in texts[:_NAMED]) + (", ..." if len(texts) > _NAMED else "")
            history.left_out.append(
                f"{printable(theirs, 80)}: {counted(len(texts), 'cell')} without a number ({shown})"
            )
    if replaced:
        history.left_out.append(f"values of {counted(len(replaced), 'epoch')} that a later line gives again")
    return history


def _has_number(name: str, rows: Sequence[Mapping[str, str]]) -> bool:
    return any(not math.isnan(_number(row.get(name, ""))) for row in rows)


def _is_number_or_none(text: str | None) -> bool:
    """Whether a cell says a number, or that there is none."""
    said = (text or "").strip().lower()
    return said in _NO_NUMBER or not math.isnan(_number(said))


def _number(text: str) -> float:
    """A number; NaN for what is none."""
    try:
        return float(text) if len(text) < 100 else math.nan
    except ValueError:
        return math.nan


# --- TensorBoard


def read_logs(path: Path, wanted: Mapping[str, str]) -> tuple[list[ForeignHistory], list[str]]:
    """The histories of a TensorBoard log folder, and a sentence for each thing that was not read.

    Folders called train, validation or test beside each other, as Keras writes them, are one history.

    Raises:
        StoreError: There is no such folder, or no scalar in it.
        UsageError: A name that was asked for is not there.
    """
    found = read_tensorboard(path)
    if not found.num_files:
        raise StoreError(
            path,
            "no file in it or below it is a log of TensorBoard: such a file has tfevents in its name. --csv FILE reads"
            " a table with one line an epoch.",
        )
    together: dict[tuple[str, ...], dict[str, Curves]] = {}
    for parts, curves in found.runs.items():
        folder = parts[-1] if parts and parts[-1].lower() in _PARTS else ""
        together.setdefault(parts[:-1] if folder else parts, {})[folder] = curves
    _check_wanted(path, list(together.values()), wanted)
    top = path.resolve().name or "logs"
    histories = [_of_curves(group, wanted, printable("/".join(parts) or top, 200)) for parts, group in together.items()]
    problems = list(found.problems)
    if found.num_other:
        problems.append(f"{counted(found.num_other, 'record')} that are no scalars were passed over.")
    return _with_curves(histories, path, [problem.rstrip(".") for problem in problems]), problems


def _within(folder: str, tag: str) -> str:
    """What a tag is called beside those of other parts: ``validation/epoch_loss``."""
    return f"{folder}/{tag}" if folder else tag


def _check_wanted(path: Path, groups: Sequence[Mapping[str, Curves]], wanted: Mapping[str, str]) -> None:
    """Whether what was asked for is there, and is one thing."""
    known: dict[str, list[str]] = {}
    for group in groups:
        for folder, curves in group.items():
            for tag in curves:
                known.setdefault(tag, []).append(_within(folder, tag))
    full = dict.fromkeys(name for names in known.values() for name in names)
    for name in wanted:
        if name not in known and name not in full:
            raise UsageError(f"{path} has no scalar {quoted(name, 80)}; it has {printable(', '.join(full), 500)}.")
        several = list(dict.fromkeys(known.get(name, ())))
        if len(several) > 1 and name not in several:
            one_of = printable(" or ".join(several), 500)
            raise UsageError(f"{path} has {quoted(name, 80)} of several parts; name one of them: {one_of}.")


def _of_curves(group: Mapping[str, Curves], wanted: Mapping[str, str], name: str) -> ForeignHistory:
    history = ForeignHistory(name)
    points = _understood(group, wanted, history)
    # Some curves have a point for every few updates: an epoch is where the one with the fewest points has one.
    measured = [column for column in points if column not in {"learning_rate", *_SECONDS}]
    if not measured:
        return history
    parts = {column: _part(column, history.columns[column]) for column in measured}
    with_curves = {part for column, part in parts.items() if len(points[column]) > 1}

    def rank(column: str) -> tuple[bool, int]:
        """A lone point is no axis: a test after the training, or one beside curves of its part."""
        num_points = len(points[column])
        return num_points == 1 and parts[column] in {"test", *with_curves}, num_points

    axis = min(measured, key=rank)
    steps = [point.step for point in points[axis]]
    start = min(curve[0].wall for curve in points.values())
    elapsed = 0.0
    shift = 1 if steps[0] == 0 else 0
    before = -1
    for epoch, (step, at) in enumerate(zip(steps, points[axis], strict=True), 1):
        elapsed = max(elapsed, at.wall - start)  # A clock that was set back takes no time back.
        row: dict[str, float] = {"epoch": epoch, "step": step + shift, "elapsed_seconds": elapsed}
        for column, curve in points.items():
            last = curve[max(0, bisect_right(curve, step, key=lambda point: point.step) - 1)]
            if before < last.step <= step and not math.isnan(last.value):
                row[column] = last.value
        history.rows.append(row)
        before = step
    for column, curve in points.items():
        late = [point.value for point in curve if point.step > before and not math.isnan(point.value)]
        if late and not any(column in row for row in history.rows):
            history.rows[-1][column] = late.pop()
        if late:
            history.left_out.append(f"{history.columns[column]}: {counted(len(late), 'point')} after the last epoch")
    return history


def _part(column: str, name: str) -> str:
    """The part of the data that a curve is about: by the name it had, where that says it."""
    return (column_of(name) or column).partition("_")[0]


def _understood(
    group: Mapping[str, Curves], wanted: Mapping[str, str], history: ForeignHistory
) -> dict[str, list[Point]]:
    """Column to the points of the curve that stands for it; the history gets the columns, and what is left out."""
    found: list[tuple[bool, str, str, list[Point]]] = []
    for folder, curves in group.items():
        more = ForeignHistory(history.name)
        asked = {tag: wanted[one] for tag in curves for one in (tag, _within(folder, tag)) if one in wanted}
        assigned = _assign([(tag, _PARTS.get(folder.lower(), "")) for tag in curves], asked, more)
        found += [(tag not in asked, column, _within(folder, tag), curves[tag]) for tag, column in assigned.items()]
        history.left_out += [_within(folder, text) for text in more.left_out]
    points: dict[str, list[Point]] = {}
    for _, column, name, curve in sorted(found, key=lambda one: one[0]):
        if column in points:
            history.left_out.append(_second(name, column))
        else:
            points[column] = curve
            history.columns[column] = printable(name, 200)
    return points


# --- into a runs folder


def _with_curves(found: Sequence[ForeignHistory], path: Path, remarks: Sequence[str]) -> list[ForeignHistory]:
    """Those that have a curve, with accuracies as fractions.

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
    elif column in _SECONDS and any(not 0 <= value <= 1e11 for value in values):
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
