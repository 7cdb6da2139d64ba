"""The Run screen's pages of text: configuration, log, system, and the checks of the record.

What a page shows beside the history of the run it reads in a thread, and only while it is on the screen.
"""

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from textual.content import Content

from alexnet_tui.analysis.integrity import Check, Result, check_run
from alexnet_tui.config.hyperparameters import SPECS, Value, shown_value
from alexnet_tui.errors import StoreError
from alexnet_tui.files import Stamp, file_stamp
from alexnet_tui.runs.event_log import EventReader
from alexnet_tui.runs.follow import load
from alexnet_tui.runs.history import RunHistory, threads_text
from alexnet_tui.runs.notes import Notes
from alexnet_tui.runs.run_files import EVENTS_FILE, LOG_FILE
from alexnet_tui.runs.state import State
from alexnet_tui.runs.store import Store
from alexnet_tui.text import format_bytes, format_count, printable
from alexnet_tui.tui import threads
from alexnet_tui.tui.session import Session
from alexnet_tui.tui.widgets.text import TextPage, hanging
from alexnet_tui.tui.workers import CoalescingWorker

_NAME_CELLS = 20
_MAX_VALUE_CHARS = 2000
"""Of a value, so that a note is read whole."""
_VALUE_CELLS = 16
_SLICE_BYTES = 1 << 20
_RESULT_STYLES = {Result.PASSED: "$success", Result.FAILED: "bold $error", Result.NOT_APPLICABLE: "$text-muted"}
_RESULT_CELLS = max(map(len, Result)) + 2
_VERIFY_NOTE = "A run whose record fails a check counts for no verdict."
_CHECKING = "Checking the record …"
_NO_LOG = "Empty. Libraries print here, and a training that failed says why."
_UNREAD = (-1, -1, -1)
_BORDER_CELLS = 3  # Padding at both sides, and the scroll bar.


class RunPage(TextPage):
    """A page of text about one run.

    Args:
        session: The session.
        run_id: The run; `turn_to` changes it.
        id: Id of the widget.
        follows: It stays at its end while one looks there.
    """

    def __init__(self, session: Session, run_id: str, *, id: str, follows: bool = False) -> None:
        super().__init__(id=id, follows=follows)
        self.session = session
        self.run_id = run_id

    @property
    def line_width(self) -> int:
        """Cells of a line; the screen knows its size before the page is laid out."""
        return max(1, self.screen.size.width - _BORDER_CELLS)

    def turn_to(self, run_id: str) -> None:
        """Forget what was read of one run, and show nothing of it; another one is shown next."""
        self.run_id = run_id
        if self.is_mounted:
            self.clear()

    def clear(self) -> None:
        """Show no text of any run."""
        self.show(Content(""))

    def show_run(self, history: RunHistory, state: State) -> None:
        """Show what is known of the run now, and read what is new of it."""
        raise NotImplementedError


class ConfigPage(RunPage):
    """Every hyperparameter."""

    def show_run(self, history: RunHistory, state: State) -> None:
        """Show them."""
        self.show(_config_text(history, self.line_width))


class LogPage(RunPage):
    """The end of the trainer's log."""

    def __init__(self, session: Session, run_id: str, *, id: str) -> None:
        super().__init__(session, run_id, id=id, follows=True)
        self._stamp: Stamp | None = _UNREAD
        self._reading = CoalescingWorker(self, self._read)

    def clear(self) -> None:
        """Show no text of any run."""
        self._stamp = _UNREAD
        super().clear()

    def show_run(self, history: RunHistory, state: State) -> None:
        """Read the log."""
        self.read()

    def read(self) -> None:
        """Read the log, if it has changed."""
        self._reading.request()

    async def _read(self) -> None:
        run_id, store = self.run_id, self.session.store
        try:
            folder = await threads.call(store.path, run_id)
            stamp = await threads.call(file_stamp, folder / LOG_FILE)
            if stamp == self._stamp:
                return
            text = await threads.call(store.log_tail, run_id)
        except StoreError as error:
            stamp, text = None, str(error)
        if run_id == self.run_id:
            self._stamp = stamp
            self.show(Content(text.rstrip("\n") or _NO_LOG))


class SystemPage(RunPage):
    """Where and with what the run was made, and everything out of the ordinary."""

    def __init__(self, session: Session, run_id: str, *, id: str) -> None:
        super().__init__(session, run_id, id=id)
        self._directory, self._bad_lines = "", 0
        self._events_stamp: Stamp | None = None
        self._reading = CoalescingWorker(self, self._read)

    def turn_to(self, run_id: str) -> None:
        """Forget what was read of one run; another one is shown next."""
        super().turn_to(run_id)
        self._directory, self._bad_lines, self._events_stamp = "", 0, None

    def show_run(self, history: RunHistory, state: State) -> None:
        """Show what is known, then where the run is and how many lines of its record are no events."""
        self._show(history)
        self._reading.request()

    def _show(self, history: RunHistory) -> None:
        notes = self.session.watcher.notes.get(self.run_id) or Notes()
        self.show(_system_text(history, notes, self._directory, self._bad_lines, self.line_width))

    async def _read(self) -> None:
        run_id = self.run_id
        try:
            folder = (await threads.call(self.session.store.path, run_id)).absolute()
        except StoreError:  # Somebody deleted it a moment ago; soon the head says so.
            return
        stamp = await threads.call(file_stamp, folder / EVENTS_FILE)
        if str(folder) == self._directory and stamp == self._events_stamp:
            return
        bad_lines = await threads.call(_count_bad_lines, folder)
        history = self.session.watcher.histories.get(run_id)
        if run_id == self.run_id and history is not None:
            self._directory, self._events_stamp, self._bad_lines = str(folder), stamp, bad_lines
            self._show(history)


class VerifyPage(RunPage):
    """The checks of the run's record, made anew once an epoch."""

    def __init__(self, session: Session, run_id: str, *, id: str) -> None:
        super().__init__(session, run_id, id=id)
        self._checked: tuple[object, ...] = ()
        self._checks: tuple[Check, ...] | str = _CHECKING
        self._checking = CoalescingWorker(self, self._check)

    def turn_to(self, run_id: str) -> None:
        """Forget the checks of one run; another one is shown next."""
        super().turn_to(run_id)
        self._checked, self._checks = (), _CHECKING

    def show_run(self, history: RunHistory, state: State) -> None:
        """Show the checks, and make them where there is more to check."""
        self._show()
        if (checked := (len(history.epochs), history.attempts, state)) != self._checked:
            self._checked = checked
            self._checking.request()

    def _show(self) -> None:
        checks, width = self._checks, self.line_width
        self.show(Content.styled(checks, "$text-muted") if isinstance(checks, str) else _verify_text(checks, width))

    async def _check(self) -> None:
        run_id = self.run_id
        checks: tuple[Check, ...] | str
        try:
            checks = await threads.call(_record_checks, self.session.store, run_id)
        except StoreError as error:
            checks = printable(str(error), 600)
        if run_id == self.run_id:
            self._checks = checks
            self._show()


def _config_text(history: RunHistory, width: int) -> Content:
    """Every hyperparameter; what differs from the variant's defaults comes first."""
    config, foreign = history.record.config, history.record.foreign
    if foreign:
        lines = [_heading(f"Another program trained this run: {foreign}")]
        lines += [Content(printable(f"  {column}  from {name}", 300)) for column, name in foreign.columns.items()]
        return Content("\n").join(lines)
    changes = config.changes()
    heading = f"Changed from the defaults of {config.variant} on {config.front_end}"
    lines = [_heading(heading)]
    for name, (default, value) in changes.items():
        lines += _setting(name, value, default, width)
    if not changes:
        lines.append(Content.styled("  nothing: these are the defaults", "$text-muted"))
    group = ""
    for name, spec in SPECS.items():
        if spec.group != group:
            group = spec.group
            lines += [Content(""), _heading(group.capitalize())]
        lines += _setting(name, getattr(config, name), None, width)
    return Content("\n").join(lines)


def _heading(text: str) -> Content:
    return Content.styled(text, "bold $accent")


def _setting(name: str, value: Value, default: Value | None, width: int) -> list[Content]:
    """One hyperparameter; what is to be said of it is below the value where it has no room beside it."""
    spec, label = SPECS[name], "  " + name.replace("_", " ").ljust(_NAME_CELLS)
    shown = printable(shown_value(name, value), 400)
    was = "" if default is None else f"default {printable(shown_value(name, default), 400)}"
    unit = "" if spec.unit in name.split("_") else spec.unit
    aside = " · ".join(part for part in (was, unit) if part)
    style = "bold" if default is not None else ""
    if len(label) + max(len(shown), _VALUE_CELLS) + 1 + len(aside) <= width:
        parts = ((label, "$text-muted"), (shown.ljust(_VALUE_CELLS), style), " ", (aside, "$text-muted"))
        return [Content.assemble(*parts)]
    lines = hanging(label, shown, width, label_style="$text-muted", style=style)
    return lines + (hanging(" " * len(label), aside, width, style="$text-muted") if aside else [])


def _count_bad_lines(folder: Path) -> int:
    """Lines of a run's record that are no events; 0 where it cannot be read."""
    reader = EventReader(folder / EVENTS_FILE, skip_steps=True)
    try:
        while reader.read_new(_SLICE_BYTES):
            pass
    except (StoreError, OSError):
        return 0
    return reader.bad_lines


def _system_text(history: RunHistory, notes: Notes, directory: str, bad_lines: int, width: int) -> Content:
    """What people said of the run, where and with what it was made, and everything out of the ordinary."""
    from_people = (("label", notes.label), ("tags", " ".join(f"#{tag}" for tag in notes.tags)), ("note", notes.note))
    lines = [_heading("Run")]
    lines += _rows(from_people, width)
    lines += _rows(_run_rows(history, directory, bad_lines), width)
    if history.started:
        lines += [Content(""), _heading("Machine and data")]
        lines += _rows(_started_rows(history), width)
    lines += [Content(""), _heading(f"Warnings: {len(history.warnings)}")]
    lines += [Content(f"  {printable(message, 400)}") for message in history.warnings[-50:]]
    lines += [Content(""), _heading(f"Checkpoints written: {len(history.checkpoints)}")]
    if history.checkpoints:
        lines.append(Content("  " + "  ".join(printable(name, 40) for name in history.checkpoints[-12:])))
    return Content("\n").join(lines)


def _rows(named: Iterable[tuple[str, str]], width: int) -> Iterator[Content]:
    """Names and values, without the empty ones."""
    for name, value in named:
        if value:
            yield from hanging(
                "  " + name.ljust(_NAME_CELLS), printable(value, _MAX_VALUE_CHARS), width, label_style="$text-muted"
            )


def _run_rows(history: RunHistory, directory: str, bad_lines: int) -> Iterator[tuple[str, str]]:
    record = history.record
    yield "id", record.id
    yield "folder", directory
    yield "made", time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(record.created))
    yield "host", record.host
    yield "command", " ".join(record.argv)
    yield "study", record.study
    yield "program", f"{record.package_version} {record.commit}".strip()
    yield "environment", "  ".join(f"{name}={value}" for name, value in record.environment.items())
    yield "attempts", str(history.attempts)
    yield "events", format_count(history.num_events)
    yield "missing events", format_count(history.missing_events) if history.missing_events else ""
    yield "steps shown", f"one in {format_count(history.step_stride)}" if history.step_stride > 1 else ""
    yield "lines skipped", f"{format_count(bad_lines)} that are no events" if bad_lines else ""
    is_exact = history.bit_exact and not history.epochs_changed
    yield "bit-exact", "yes" if is_exact else "no: a resume could not promise the same numbers"
    yield "format", "newer than this program; shown as far as it is known" if history.is_newer else ""


def _started_rows(history: RunHistory) -> Iterator[tuple[str, str]]:
    started = history.started
    assert started is not None
    kind = "" if started.device_class == started.device else f" ({started.device_class})"
    yield "device", f"{started.device}{kind}, {started.precision}"
    yield "threads", threads_text(started)
    yield "process", str(started.pid) if started.pid else ""
    yield "parameters", format_count(started.num_parameters)
    for name, version in started.versions.items():
        yield printable(name, _NAME_CELLS - 1), version
    yield "fingerprint", started.fingerprint
    yield "data", f"{started.data}, {started.num_classes} classes"
    yield "data sha256", started.data_sha256
    counts = {
        "train": started.num_train_images,
        "test": started.num_test_images,
        "validation": started.num_val_images,
        "train error on": started.num_train_eval_images,
    }
    yield "images", ", ".join(f"{name} {format_count(count)}" for name, count in counts.items() if count)
    system = history.system
    if system is not None:
        memory = format_bytes(system.memory_bytes) if system.memory_bytes is not None else ""
        yield "memory in use", memory
        yield "GPU", system.gpu_name or ""


def _record_checks(store: Store, run_id: str) -> tuple[Check, ...]:
    """The checks of a run's record by itself, read from the disk with every step; takes time.

    Raises:
        StoreError: The record cannot be read.
    """
    history, _ = load(store, run_id)
    return check_run(history)


def _verify_text(checks: Sequence[Check], width: int) -> Content:
    """What each check of a run's record found, and how many found what."""
    counts = Counter(check.result for check in checks)
    lines = [_heading(", ".join(f"{counts[result]} {result}" for result in Result)), Content("")]
    for check in checks:
        text = f"{check.name}: {check.sentence}" if check.sentence else check.name
        label = f"{check.result:<{_RESULT_CELLS}}"
        lines += hanging(label, printable(text, 600), width, label_style=_RESULT_STYLES[check.result])
    lines += [Content(""), *hanging("", _VERIFY_NOTE, width, style="$text-muted")]
    return Content("\n").join(lines)
