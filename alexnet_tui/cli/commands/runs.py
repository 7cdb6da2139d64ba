"""``runs``: the runs on record, as a table and as JSON."""

import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Annotated

import msgspec
import typer

from alexnet_tui.analysis.metrics import METRICS, SELECTED_MARK, SELECTED_ON_TEST
from alexnet_tui.cli import options
from alexnet_tui.cli.output import Json, can_draw, say, write_json
from alexnet_tui.cli.tables import TONE_STYLES, Column, print_table
from alexnet_tui.command_lines import shell_command
from alexnet_tui.config.first_run import FIRST_RUN_WORDS
from alexnet_tui.config.hyperparameters import SPECS, RunConfig, settings_text
from alexnet_tui.errors import ExitCode, StoreError
from alexnet_tui.runs import stop_request
from alexnet_tui.runs.follow import load
from alexnet_tui.runs.history import RunHistory
from alexnet_tui.runs.liveness import silence_text
from alexnet_tui.runs.notes import Notes
from alexnet_tui.runs.record import RunRecord
from alexnet_tui.runs.run_files import log_bytes
from alexnet_tui.runs.state import STATE_TONES, State, begun, shown_word
from alexnet_tui.runs.stop_request import STOPPING
from alexnet_tui.runs.store import Listing, Store
from alexnet_tui.sparkline import sparkline
from alexnet_tui.text import (
    MISSING,
    counted,
    format_done,
    format_duration,
    format_percent,
    format_points,
    natural_key,
    printable,
)
from alexnet_tui.tui.run_names import UNNAMED_FIELDS

_SHOWN_RUNS, _SHOWN_PROBLEMS = 50, 5
_SPARKLINE_WIDTH = 16
_SHOWN_SETTINGS = ("variant", "front_end", "data", "seed")
_SUMMARY = {
    "best_test_accuracy": "max_test",
    "last_test_accuracy": "last_test",
    "final_test_accuracy": "final_test",
    "best_train_accuracy": "max_train",
    "gap": "gap",
    "t25_epochs": "t25",
    "t25_train_seconds": "t25_seconds",
    "train_seconds": "train_time",
    "elapsed_seconds": "time",
    "images_per_second": "rate",
}
"""Names of metrics in the JSON of `runs` and `show`."""


class Row(msgspec.Struct, frozen=True):
    """A run as a line of the table.

    Attributes:
        history: Without its steps, unless they alone say how far it is.
        state: What it is doing.
        notes: What people say about it.
        is_reference: One of the shipped runs.
        is_stopping: It is running and has been asked to stop.
        settings: Those that are no defaults and no column, in which it differs from other runs of the list.
    """

    history: RunHistory
    state: State
    notes: Notes
    is_reference: bool
    is_stopping: bool = False
    settings: str = ""

    @property
    def label(self) -> str:
        """The user's own name for it; a later one overrides the first."""
        return self.notes.label or self.history.record.label

    @property
    def marks(self) -> str:
        """What sets it apart from a run that was trained here from the start, in brackets."""
        marks = {
            "ref": self.is_reference,
            "newer": self.history.is_newer,
            "extended": self.history.record.extends is not None,
            "foreign": self.history.record.foreign is not None,
        }
        return "".join(f" ({name})" for name, applies in marks.items() if applies)

    @property
    def begun(self) -> float | None:
        """When training began, in seconds since 1970; None where it waits."""
        return begun(self.history, self.state)

    @property
    def age_seconds(self) -> float | None:
        """Seconds since then; 0 where the clock was behind."""
        return None if self.begun is None else max(0.0, time.time() - self.begun)

    def setting(self, name: str) -> str:
        """A hyperparameter of it, safe to print; those of a foreign run are not known."""
        is_known = self.history.record.foreign is None
        return printable(str(getattr(self.config, name)), 40) if is_known else MISSING

    @property
    def config(self) -> RunConfig:
        """Its hyperparameters."""
        return self.history.record.config

    def value(self, metric: str) -> float | None:
        """A number of it, by the metric's name."""
        return METRICS[metric].value(self.history)


_COLUMNS: tuple[Column[Row], ...] = (
    Column("run", 0, lambda row: row.history.id),
    Column("label", 6, lambda row: printable(row.label, 40)),
    Column("variant", 14, lambda row: row.setting("variant"), can_share=True),  # A run's id begins with it.
    Column("front end", 10, lambda row: row.setting("front_end"), can_share=True),
    Column("data", 11, lambda row: row.setting("data"), can_share=True),
    Column("seed", 13, lambda row: row.setting("seed"), right=True),
    Column("settings", 8, lambda row: row.settings),
    Column(
        "state",
        1,
        lambda row: f"{STOPPING if row.is_stopping else shown_word(row.state)}{row.marks}",
        style=lambda row: TONE_STYLES[STATE_TONES[row.state]],
    ),
    Column("done", 2, lambda row: format_done(row.history.progress), right=True),
    Column(f"best{SELECTED_MARK}", 4, lambda row: format_percent(row.value("max_test")), right=True),
    Column("last", 3, lambda row: format_percent(row.value("last_test")), right=True),
    Column("gap", 7, lambda row: format_points(row.value("gap")), right=True),
    Column("T25", 12, lambda row: METRICS["t25"].mean_text(row.value("t25")), right=True),
    Column("time", 5, lambda row: format_duration(row.value("time")), right=True),
    Column("age", 9, lambda row: format_duration(row.age_seconds), right=True),
    Column("test accuracy", 15, lambda row: curve(row.history, _SPARKLINE_WIDTH)),
)


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command("runs", short_help="List the runs, newest first.")(runs)


def runs(
    as_json: options.AsJson = False,
    show_all: Annotated[
        bool,
        options.option("--all", help=f"Show every run, not only the newest {_SHOWN_RUNS}."),
    ] = False,
    runs_dir: options.RunsDir = None,
) -> int:
    """List the runs: the newest first, then those that wait, and reference runs last.

    JSON lists every run, with its settings and tags; accuracies are fractions, times seconds.

    Example: alexnet-tui runs --json
    """
    store = options.open_store(runs_dir)
    listing = store.list()
    limit = None if as_json or show_all else _SHOWN_RUNS
    rows: list[Row] = []
    for record in _ranked(store, listing.runs)[:limit]:
        try:
            rows.append(row_of(store, *_load(store, record.id)))
        except StoreError as error:  # Damaged, or deleted meanwhile.
            listing.problems.append(str(error))
    rows.sort(key=lambda row: _rank(row.history.record, row.begun, is_reference=row.is_reference))
    if as_json:
        write_json([summary(row) for row in rows])
    elif rows:
        print_table(_COLUMNS, _with_settings(rows), ", `show RUN` and --json have")
        if any(row.history.num_epochs_done for row in rows):
            say(f"{SELECTED_MARK.strip()} {SELECTED_ON_TEST}: the highest of all epochs.")
        for row in rows:
            _print_silence(store, row)
    if warning := store.access_warning():
        say(warning)
    _print_omissions(store, listing, limit)
    return ExitCode.DONE


def _with_settings(rows: Sequence[Row]) -> list[Row]:
    """Rows that say what makes each another experiment than others of its variant."""
    hidden = UNNAMED_FIELDS.union(_SHOWN_SETTINGS)
    own = [row for row in rows if row.history.record.foreign is None]
    alike = {name for name in SPECS if len({getattr(row.config, name) for row in own}) == 1}
    told = []
    for row in rows:
        changes = {name: new for name, (_, new) in row.config.changes().items() if name not in hidden | alike}
        text = "" if row.history.record.foreign else printable(settings_text(changes), 60)
        told.append(msgspec.structs.replace(row, settings=text))
    return told


def _ranked(store: Store, records: Iterable[RunRecord]) -> list[RunRecord]:
    """Records in their order, as far as it can be told without reading logs: those begun by when they were made."""
    directories = store.scan()[0]

    def rank(record: RunRecord) -> tuple[object, ...]:
        directory = directories.get(record.id, store.root / record.id)  # It may be deleted meanwhile.
        begun = record.created if log_bytes(directory) else None
        return _rank(record, begun, is_reference=store.holds_reference(directory))

    return sorted(records, key=rank)


def _rank(record: RunRecord, begun: float | None, *, is_reference: bool) -> tuple[object, ...]:
    """Puts the newest first; those that wait behind those begun, in their order; and reference runs last."""
    order = (record.created, natural_key(record.id)) if begun is None else (-begun, [])
    return is_reference, begun is None, order


def _print_silence(store: Store, row: Row) -> None:
    """Say of a run on another host for how long nothing came from there."""
    if row.state in {State.RUNNING, State.LOST}:
        with suppress(StoreError):  # Deleted meanwhile.
            if news := silence_text(store.path(row.history.id)):
                say(f"run {row.history.id}: {news}.")


def _load(store: Store, run_id: str) -> tuple[RunHistory, State]:
    """A run without its steps, unless they alone tell how far it is."""
    history, state = load(store, run_id, skip_steps=True, may_outline=True)
    is_enough = history.is_outline or state not in {State.RUNNING, State.LOST, State.COPY}
    return (history, state) if is_enough else load(store, run_id)


def row_of(store: Store, history: RunHistory, state: State) -> Row:
    """A run as a line of the table."""
    is_stopping = stop_request.is_stopping(store.path(history.id), state)
    return Row(history, state, store.notes(history.id), store.is_reference(history.id), is_stopping)


def _print_omissions(store: Store, listing: Listing, limit: int | None) -> None:
    named = listing.problems if limit is None else listing.problems[:_SHOWN_PROBLEMS]
    for problem in named:
        say(f"not listed: {problem}")
    if num_more := len(listing.problems) - len(named):
        say(f"not listed: {counted(num_more, 'folder')} more; --all names them.")
    if limit is not None and len(listing.runs) > limit:
        say(f"{counted(len(listing.runs) - limit, 'more run')}; --all shows them.")
    if not listing.runs:
        start = shell_command(*FIRST_RUN_WORDS, root=store.root)
        where = f"no runs in {store.root}" if store.root.exists() else f"there is no folder {store.root}, so no runs"
        say(f"{where}; a first one, of about half a minute: {start}")


def summary(row: Row) -> dict[str, Json]:
    """One run as a row of facts: accuracies are fractions, times seconds, null what is not known."""
    history, record, config = row.history, row.history.record, row.history.record.config
    return {
        "id": record.id,
        "label": row.label,
        **{name: getattr(config, name) if record.foreign is None else None for name in _SHOWN_SETTINGS},
        "config": {name: getattr(config, name) for name in SPECS} if record.foreign is None else None,
        "tags": list(row.notes.tags),
        "state": str(row.state),
        "reference": row.is_reference,
        "study": record.study,
        "extends": record.extends.runs[0] if record.extends else None,
        "foreign": _foreign(record),
        "created": record.created,
        "epoch": history.num_epochs_done,
        "epochs": config.epochs,
        "progress": round(history.progress, 6),
        **{key: METRICS[name].value(history) for key, name in _SUMMARY.items()},
        "best_epoch": history.best_epoch,
        "attempts": history.attempts,
    }


def _foreign(record: RunRecord) -> Json:
    if record.foreign is None:
        return None
    return {
        "format": record.foreign.format,
        "source": record.foreign.source,
        "columns": dict(record.foreign.columns),
    }


def label_of(store: Store, history: RunHistory) -> str:
    """The user's own name for a run; a later one overrides the first."""
    return store.notes(history.id).label or history.record.label


def curve(history: RunHistory, width: int, column: str = "test_accuracy") -> str:
    """A column of a run's epochs as a sparkline of at most `width` characters."""
    return sparkline(history.epochs[column], width, ascii_only=not can_draw())
