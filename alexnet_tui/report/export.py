"""Histories to other programs' formats: CSV, JSON, LaTeX and TensorBoard event files.

TensorBoard's files are written by hand: a record is a length, a payload and two checksums, and a scalar needs
five fields of its protocol buffer. The library that writes them brings a web server along.
"""

import csv
import io
import json
import math
import struct
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import msgspec

from alexnet_tui.analysis.compare import COMPARED, Comparison, shown_setting
from alexnet_tui.analysis.groups import best_cells, sample_text
from alexnet_tui.analysis.metrics import METRICS
from alexnet_tui.config.hyperparameters import SPECS, format_value
from alexnet_tui.errors import StoreError
from alexnet_tui.files import reason_of, write_atomic
from alexnet_tui.runs.history import EPOCH_COLUMNS, STEP_COLUMNS, RunHistory, Series
from alexnet_tui.text import escape_latex, printable

EXPORT_VERSION = 1
LATEX_PREAMBLE = (
    "% Needs in the preamble:",
    r"% \usepackage[T1]{fontenc}",
    r"% \usepackage{booktabs}",
    r"% \usepackage{graphicx}",
)
# A table wider than the text is made as wide as the text; a narrower one stays as it is.
LATEX_FIT = r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%"
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_COUNTS = {"epoch", "step"}
NO_LABELS: Mapping[str, str] = MappingProxyType({})


def to_csv(histories: Iterable[RunHistory], labels: Mapping[str, str] = NO_LABELS) -> str:
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
        head = [history.id, label, *(format_value(getattr(config, name)) for name in SPECS)]
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


def to_json(histories: Iterable[RunHistory], labels: Mapping[str, str] = NO_LABELS) -> str:
    """Every run with its label, its record, its ``started`` event and its series; a missing value is null.

    Args:
        histories: The runs.
        labels: Labels given since a run was made, by its id.
    """
    runs = [
        {
            "label": labels.get(history.id) or history.record.label,
            "record": history.record,
            "started": history.started,
            "final": history.final,
            "epochs": _columns(history.epochs, EPOCH_COLUMNS),
            "steps": _columns(history.steps, STEP_COLUMNS),
        }
        for history in histories
    ]
    return json_text({"v": EXPORT_VERSION, "runs": runs})


def json_text(value: object) -> str:
    """JSON in ASCII, so that a terminal finds nothing to obey in it; non-finite numbers are null."""
    plain = msgspec.json.decode(msgspec.json.encode(value))
    return json.dumps(plain, indent=1, allow_nan=False).replace("\x7f", "\\u007f") + "\n"


def _columns(series: Series, names: Sequence[str]) -> dict[str, list[float | int | None]]:
    return {name: [_json_number(name, value) for value in series[name]] for name in names}


def _json_number(name: str, value: float) -> float | int | None:
    if not math.isfinite(value):
        return None
    return int(value) if name in _COUNTS else value


def to_latex(comparison: Comparison) -> str:
    """A table of the groups, the best mean of each column in bold; its first lines say what it needs."""
    headings = ["Run", "$n$", *map(_heading, comparison.differing), *(METRICS[name].heading for name in COMPARED)]
    groups = comparison.groups
    best = {name: best_cells(METRICS[name], [group.cells[name] for group in groups]) for name in COMPARED}
    lines = [
        *LATEX_PREAMBLE,
        LATEX_FIT,
        rf"\begin{{tabular}}{{lr{'l' * len(comparison.differing)}{'r' * len(COMPARED)}}}",
        r"\toprule",
    ]
    lines += [" & ".join(headings) + r" \\", r"\midrule"]
    for place, group in enumerate(groups):
        cells = [escape_latex(group.name), str(len(group.run_ids))]
        cells += [escape_latex(shown_setting(name, group.settings[name])) for name in comparison.differing]
        for name in COMPARED:
            text = escape_latex(sample_text(group.cells[name], METRICS[name]))
            cells.append(rf"\textbf{{{text}}}" if best[name][place] else text)
        lines.append(" & ".join(cells) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}}"]) + "\n"


def _heading(name: str) -> str:
    return escape_latex(name.replace("_", " "))


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
_STEP_TAGS: Mapping[str, str] = {"train_loss": "loss/train_step", "train_accuracy": "accuracy/train_step"}


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
            write_atomic(path, b"".join(map(frame, _events(history))))
        except OSError as error:
            raise StoreError(path, f"the file cannot be written ({reason_of(error)}).") from error
        paths.append(path)
    return paths


def _events(history: RunHistory) -> Iterator[bytes]:
    """TensorBoard ``Event`` messages: the version, then one for each value, in order of step."""
    yield _double(1, history.record.created) + _bytes(3, b"brain.Event:2")
    rows: list[tuple[float, str, float]] = []
    for series, tags in ((history.steps, _STEP_TAGS), (history.epochs, _TAGS)):
        for name, tag in tags.items():
            pairs = zip(series["step"], series[name], strict=True)
            rows.extend((step, tag, value) for step, value in pairs if not math.isnan(value))
    for step, tag, value in sorted(rows, key=lambda row: row[0]):
        scalar = _bytes(1, _bytes(1, tag.encode()) + struct.pack("<Bf", 2 << 3 | 5, _as_float32(value)))
        yield _double(1, _wall(history, step)) + b"\x10" + _varint(int(step)) + _bytes(5, scalar)


def _wall(history: RunHistory, step: float) -> float:
    """About when an update happened: creation plus elapsed time, linear between the ends of two epochs."""
    steps, seconds = history.epochs["step"], history.epochs["elapsed_seconds"]
    index = bisect_left(steps, step)
    if not len(steps):
        return history.record.created
    if index == len(steps):
        return history.record.created + seconds[-1]
    step_before, second_before = (steps[index - 1], seconds[index - 1]) if index else (0.0, 0.0)
    share = (step - step_before) / (steps[index] - step_before) if steps[index] > step_before else 1.0
    return history.record.created + second_before + share * (seconds[index] - second_before)


def frame(payload: bytes) -> bytes:
    """A TFRecord: length, its checksum, payload, its checksum."""
    length = struct.pack("<Q", len(payload))
    return length + struct.pack("<I", _masked(length)) + payload + struct.pack("<I", _masked(payload))


def _as_float32(value: float) -> float:
    """A number that fits in 32 bits; what is too large becomes infinite."""
    return math.copysign(math.inf, value) if abs(value) > 3.4028234e38 else value


def _double(field: int, value: float) -> bytes:
    return struct.pack("<Bd", field << 3 | 1, value)


def _bytes(field: int, content: bytes) -> bytes:
    return bytes([field << 3 | 2]) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)


def _crc_table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return tuple(table)


_CRC_TABLE = _crc_table()


def crc32c(content: bytes) -> int:
    """The Castagnoli checksum."""
    crc = 0xFFFFFFFF
    for byte in content:
        crc = _CRC_TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def _masked(content: bytes) -> int:
    crc = crc32c(content)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
