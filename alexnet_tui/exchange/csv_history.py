"""`read_csv` reads foreign histories from a table with one line an epoch, as Keras' CSVLogger writes it."""

import codecs
import csv
import io
import itertools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from alexnet_tui.errors import StoreError, UsageError
from alexnet_tui.exchange.foreign import ForeignHistory, assign_columns, usable
from alexnet_tui.files import reason_of
from alexnet_tui.text import counted, printable, quoted

_MAX_CSV_BYTES, _MAX_ROWS, _MAX_NAMES, _MAX_CELLS, _MAX_RUNS = 1 << 26, 100_000, 500, 1 << 22, 1000
_NO_NUMBER = frozenset(("", "nan", "none", "null", "na", "n/a", "-"))
_NAMED, _DIGITS = 3, 6
_TABLE = "a table has a line with the names of its columns, as epoch,loss,val_accuracy, and below it one line an epoch"
_EPOCH_NAMES, _RUN_NAMES = ("epoch", "epochs"), ("run_id",)


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
    return usable(found, path, [remark])


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
    assigned = assign_columns([(one, "") for one in curves], wanted, history)
    by_epoch: dict[int, dict[str, float]] = {}
    replaced: set[int] = set()
    # Without that column a line is an epoch; a column without a name, as pandas writes its index, is none.
    places = _places([_number(row.get(epoch_name, "") if epoch_name else "") for row in rows])
    # Within an epoch the line that was written further in training counts; of two at one place, the later one.
    for place, row in sorted(zip(places, rows, strict=True), key=lambda one: one[0]):
        epoch = max(1, math.ceil(place))
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


def _places(numbers: Sequence[float]) -> list[float]:
    """How many epochs were done at each line, by the number it gives; by its position where that is none.

    Keras counts from 0, in whole numbers; fractions, as Hugging Face's Trainer writes them, are epochs done: the first
    one ends at 1.
    """
    known = [round(number, _DIGITS) if 0 <= number < 2**53 else math.nan for number in numbers]
    said = [number for number in known if not math.isnan(number)]
    shift = int(min(said, default=1) == 0 and all(map(float.is_integer, said)))
    return [position if math.isnan(number) else number + shift for position, number in enumerate(known, 1)]


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
