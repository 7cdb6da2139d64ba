"""`read_logs` reads foreign histories from a TensorBoard log folder."""

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from pathlib import Path

from alexnet_tui.errors import StoreError, UsageError
from alexnet_tui.exchange.foreign import (
    PARTS,
    SECONDS,
    ForeignHistory,
    assign_columns,
    column_of,
    usable,
    why_second,
)
from alexnet_tui.exchange.tensorboard import Curves, read_tensorboard
from alexnet_tui.exchange.tensorboard_records import Point
from alexnet_tui.text import counted, printable, quoted


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
        folder = parts[-1] if parts and parts[-1].lower() in PARTS else ""
        together.setdefault(parts[:-1] if folder else parts, {})[folder] = curves
    _check_wanted(path, list(together.values()), wanted)
    top = path.resolve().name or "logs"
    histories = [_of_curves(group, wanted, printable("/".join(parts) or top, 200)) for parts, group in together.items()]
    problems = list(found.problems)
    if found.num_other:
        problems.append(f"{counted(found.num_other, 'record')} that are no scalars were passed over.")
    return usable(histories, path, [problem.rstrip(".") for problem in problems]), problems


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
    measured = [column for column in points if column not in {"learning_rate", *SECONDS}]
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
        assigned = assign_columns([(tag, PARTS.get(folder.lower(), "")) for tag in curves], asked, more)
        found += [(tag not in asked, column, _within(folder, tag), curves[tag]) for tag, column in assigned.items()]
        history.left_out += [_within(folder, text) for text in more.left_out]
    points: dict[str, list[Point]] = {}
    for _, column, name, curve in sorted(found, key=lambda one: one[0]):
        if column in points:
            history.left_out.append(why_second(name, column))
        else:
            points[column] = curve
            history.columns[column] = printable(name, 200)
    return points
