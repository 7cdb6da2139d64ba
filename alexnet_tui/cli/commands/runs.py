"""``runs`` and ``show``: what is on record, as tables and as JSON."""

import math
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from alexnet_tui.analysis.metrics import METRICS, SELECTED_MARK, SELECTED_ON_TEST
from alexnet_tui.cli import options
from alexnet_tui.cli.output import Json, can_draw, printing, say, write_json
from alexnet_tui.cli.tables import TONE_STYLES, Column, fill_lines, print_table
from alexnet_tui.config.first_run import FIRST_RUN_WORDS
from alexnet_tui.config.hyperparameters import SPECS, RunConfig, option_words, shown_value
from alexnet_tui.errors import ExitCode, LaunchError, StoreError
from alexnet_tui.launch import registry
from alexnet_tui.paths import commands_on, shell_command
from alexnet_tui.runs import events as ev
from alexnet_tui.runs import stop_request
from alexnet_tui.runs.follow import load
from alexnet_tui.runs.history import RunHistory, threads_text
from alexnet_tui.runs.liveness import silence
from alexnet_tui.runs.origin import explain_lost, foreign_origin, read_imported
from alexnet_tui.runs.state import STATE_TONES, State, would_fail_again
from alexnet_tui.runs.stop_request import STOPPING
from alexnet_tui.runs.store import EVENTS_FILE, Listing, RunRecord, Store
from alexnet_tui.text import (
    MISSING,
    counted,
    format_count,
    format_done,
    format_duration,
    format_loss,
    format_percent,
    format_points,
    printable,
    sparkline,
)

if TYPE_CHECKING:
    from rich.table import Table

_SHOWN_RUNS, _SHOWN_PROBLEMS = 50, 5
_SPARKLINE_WIDTH = 16


class Row(msgspec.Struct, frozen=True):
    """A run as a line of the table.

    Attributes:
        history: Without its steps, unless they alone say how far it is.
        state: What it is doing.
        label: The user's own name for it.
        is_reference: One of the shipped runs.
        is_stopping: It is running and has been asked to stop.
    """

    history: RunHistory
    state: State
    label: str
    is_reference: bool
    is_stopping: bool = False

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
    def age_seconds(self) -> float:
        """Seconds since it was created; 0 where the clock was behind."""
        return max(0.0, time.time() - self.history.record.created)

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
    Column("variant", 13, lambda row: row.setting("variant"), can_share=True),  # A run's id begins with it.
    Column("front end", 9, lambda row: row.setting("front_end"), can_share=True),
    Column("data", 10, lambda row: row.setting("data"), can_share=True),
    Column("seed", 12, lambda row: row.setting("seed"), right=True),
    Column(
        "state",
        1,
        lambda row: f"{STOPPING if row.is_stopping else row.state}{row.marks}",
        style=lambda row: TONE_STYLES[STATE_TONES[row.state]],
    ),
    Column("done", 2, lambda row: format_done(row.history.progress), right=True),
    Column(f"best{SELECTED_MARK}", 4, lambda row: format_percent(row.value("max_test")), right=True),
    Column("last", 3, lambda row: format_percent(row.value("last_test")), right=True),
    Column("gap", 7, lambda row: format_points(row.value("gap")), right=True),
    Column("T25", 11, lambda row: METRICS["t25"].mean_text(row.value("t25")), right=True),
    Column("time", 5, lambda row: format_duration(row.value("time")), right=True),
    Column("age", 8, lambda row: format_duration(row.age_seconds), right=True),
    Column("test accuracy", 14, lambda row: _curve(row.history, _SPARKLINE_WIDTH)),
)


def register(app: typer.Typer) -> None:
    """Mount the commands."""
    app.command("runs")(runs)
    app.command("show", short_help="Show one run, its results and its settings.")(show)


def runs(
    as_json: options.AsJson = False,
    show_all: Annotated[
        bool,
        options.option("--all", help=f"Show every run, not only the newest {_SHOWN_RUNS}."),
    ] = False,
    runs_dir: options.RunsDir = None,
) -> int:
    """List the runs, newest first, reference runs last.

    JSON lists every run; accuracies are fractions, times seconds.

    Example: alexnet-tui runs --json
    """
    store = options.open_store(runs_dir)
    listing = store.list()
    limit = None if as_json or show_all else _SHOWN_RUNS
    rows: list[Row] = []
    for record in listing.runs[:limit]:
        try:
            rows.append(_row(store, *_load(store, record.id)))
        except StoreError as error:  # Damaged, or deleted meanwhile.
            listing.problems.append(str(error))
    if as_json:
        write_json([summary(row) for row in rows])
    elif rows:
        print_table(_COLUMNS, rows, ", `show RUN` and --json have")
        if any(row.history.num_epochs_done for row in rows):
            say(f"{SELECTED_MARK.strip()} {SELECTED_ON_TEST}: the highest of all epochs.")
        for row in rows:
            _print_silence(store, row)
    if warning := store.access_warning():
        say(warning)
    _print_omissions(store, listing, limit)
    return ExitCode.DONE


def _print_silence(store: Store, row: Row) -> None:
    """Say of a run on another host for how long nothing came from there."""
    if row.state in {State.RUNNING, State.LOST}:
        with suppress(StoreError):  # Deleted meanwhile.
            if news := silence(store.path(row.history.id) / EVENTS_FILE):
                say(f"run {row.history.id}: {news}.")


def _load(store: Store, run_id: str) -> tuple[RunHistory, State]:
    """A run without its steps, unless they alone tell how far it is."""
    history, state = load(store, run_id, skip_steps=True, may_outline=True)
    is_enough = history.is_outline or state not in {State.RUNNING, State.LOST, State.COPY}
    return (history, state) if is_enough else load(store, run_id)


def _row(store: Store, history: RunHistory, state: State) -> Row:
    is_stopping = stop_request.is_stopping(store.path(history.id), state)
    return Row(history, state, label_of(store, history), store.is_reference(history.id), is_stopping)


def _print_omissions(store: Store, listing: Listing, limit: int | None) -> None:
    named = listing.problems if limit is None else listing.problems[:_SHOWN_PROBLEMS]
    for problem in named:
        say(f"not listed: {problem}")
    if num_more := len(listing.problems) - len(named):
        say(f"not listed: {counted(num_more, 'folder')} more; --all names them.")
    if limit is not None and len(listing.runs) > limit:
        say(f"{counted(len(listing.runs) - limit, 'older run')}; --all shows the rest.")
    if not listing.runs:
        start = shell_command(*FIRST_RUN_WORDS, root=store.root)
        where = f"no runs in {store.root}" if store.root.exists() else f"there is no folder {store.root}, so no runs"
        say(f"{where}; a first one, of about half a minute: {start}")


def show(run: options.RunName, as_json: options.AsJson = False, runs_dir: options.RunsDir = None) -> int:
    """Show one run: its state, its results, what was changed from the defaults, and what went wrong.

    Example: alexnet-tui show last
    """
    store = options.open_store(runs_dir)
    run_id = store.resolve(run)
    history, state = load(store, run_id, may_outline=True)
    if as_json:
        write_json({**summary(_row(store, history, state)), **_details(store, history)})
        return ExitCode.DONE
    with printing() as console:
        console.print(_facts_table(_facts(store, history, state), console.width))
        for title, lines in _paragraphs(store, history, state):
            console.print(f"\n{title}")
            for line in lines:
                console.print(f"  {line}", soft_wrap=title == _NEXT_TITLE)  # A command must stay one line to paste.
    return ExitCode.DONE


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


_SHOWN_SETTINGS = ("variant", "front_end", "data", "seed")


def summary(row: Row) -> dict[str, Json]:
    """One run as a row of facts: accuracies are fractions, times seconds, null what is not known."""
    history, record, config = row.history, row.history.record, row.history.record.config
    return {
        "id": record.id,
        "label": row.label,
        **{name: getattr(config, name) if record.foreign is None else None for name in _SHOWN_SETTINGS},
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


def _details(store: Store, history: RunHistory) -> dict[str, Json]:
    """What `show` adds to the summary."""
    notes = store.notes(history.id)
    config = history.record.config
    columns = history.epochs.columns
    return {
        "config": None if history.record.foreign else {name: getattr(config, name) for name in SPECS},
        "final": _final(history),
        "device": history.started.device if history.started else None,
        "num_parameters": history.started.num_parameters if history.started else None,
        "checkpoints": list(store.checkpoints(history.id)),
        "warnings": list(history.warnings),
        "tags": list(notes.tags),
        "note": notes.note,
        "pinned": notes.pinned,
        "bit_exact": history.bit_exact,
        "bad_lines": history.bad_lines,
        "missing_events": history.missing_events,
        "argv": list(history.record.argv),
        "host": history.record.host,
        "commit": history.record.commit,
        "path": str(store.path(history.id)),
        "imported": _imported(store, history.id),
        "epochs_table": [
            {name: _finite(column[row]) for name, column in columns.items()} for row in range(len(history.epochs))
        ],
    }


def _final(history: RunHistory) -> Json:
    match history.final:
        case ev.Failed() as failed:
            return {"kind": "failed", "reason": failed.reason, "message": failed.message}
        case ev.Stopped() as stopped:
            return {"kind": "stopped", "reason": stopped.reason, "message": ""}
        case ev.Finished():
            return {"kind": "finished", "reason": "", "message": ""}
    return None


Fact = str | Sequence[str]
"""A text, or parts of one; a line ends between two parts and not within one."""


def _facts(store: Store, history: RunHistory, state: State) -> list[tuple[str, Fact]]:
    record, config, started = history.record, history.record.config, history.started
    facts: list[tuple[str, Fact]] = [
        ("run", record.id),
        ("label", label_of(store, history)),
        ("tags", [*store.notes(history.id).tags]),
        ("extends", _extends(record)),
        ("experiment", _experiment(record)),
        ("state", sentence(store, history, state)),
        ("format", "newer than this program: shown as far as it is known, not trained" if history.is_newer else ""),
        ("progress", f"epoch {history.num_epochs_done} of {config.epochs} ({format_done(history.progress)})"),
        ("test accuracy", _accuracies(history)),
        ("train accuracy", f"best {format_percent(history.best_train_accuracy)} (running mean, as trained)"),
        ("gap", f"{format_points(history.gap)} points (train - test, last five epochs)"),
        ("T25", f"{_time_to_mark(history, 't25')}; by running accuracy {_time_to_mark(history, 't25_running')}"),
        (
            "time",
            f"{format_duration(history.train_seconds)} of training,"
            f" {format_duration(history.elapsed_seconds)} in all{_rate_text(history)}",
        ),
        (
            "created",
            time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(record.created)) + f" on {record.host}",
        ),
    ]
    if started is not None:
        kind = "" if started.device_class == started.device else f" ({started.device_class})"
        facts += [
            ("device", f"{started.device}{kind}, {started.precision}, {threads_text(started)}"),
            ("versions", [f"{name} {version}" for name, version in started.versions.items()]),
            ("network", f"{format_count(started.num_parameters)} parameters"),
            (
                "data",
                f"{format_count(started.num_train_images)} training and"
                f" {format_count(started.num_test_images)} test images, sha256 {started.data_sha256[:16]}",
            ),
        ]
    facts += [
        ("record", _doubts(history)),
        ("origin", "" if store.is_reference(record.id) else foreign_origin(store.path(record.id), record)),
        ("folder", str(store.path(history.id))),
    ]
    if history.is_outline:
        facts.append(("log", "large: read in parts, so warnings in the middle of epochs are left out here"))
    return [(name, value) for name, value in facts if value]


def _imported(store: Store, run_id: str) -> Json:
    """Which archive a run came out of, or null."""
    with store.folder(run_id) as folder:
        found = read_imported(folder)
    if found is None:
        return None
    return {"source": found.source, "sha256": found.sha256, "imported": found.imported, "id": found.id}


def _experiment(record: RunRecord) -> str | list[str]:
    """What was trained; of a foreign run, where its history comes from and what its curves were called there."""
    config, foreign = record.config, record.foreign
    if foreign is None:
        return f"{config.variant}, {config.front_end}, {config.data}, seed {config.seed}"
    names = [printable(f"{column} from {name}", 300) for column, name in foreign.columns.items()]
    return [f"foreign: {foreign}", *names]


def _foreign(record: RunRecord) -> Json:
    if record.foreign is None:
        return None
    return {
        "format": record.foreign.format,
        "source": record.foreign.source,
        "columns": dict(record.foreign.columns),
    }


def _extends(record: RunRecord) -> str:
    """What a run trains further, and whether that is what an unbroken run of its length would be."""
    if record.extends is None:
        return ""
    is_other = ", not comparable with a run of its own length: the schedule depends on it"
    what = f"{record.extends.runs[0]}, from its checkpoint {record.extends.checkpoint}"
    return f"{what}{is_other if record.config.depends_on_length else ''}"


def _doubts(history: RunHistory) -> list[str]:
    """What keeps the record from being whole, or the run from being what an unbroken one would be."""
    epochs = {int(number) for number in history.epochs["epoch"]}
    num_missing = history.num_epochs_done - len(epochs)
    doubts = {
        f"{counted(history.bad_lines, 'line')} of the log cannot be read": history.bad_lines,
        f"{counted(history.missing_events, 'event')} missing": history.missing_events,
        f"{counted(num_missing, 'epoch')} missing": num_missing,
        "not bit for bit what an unbroken run gives": not history.bit_exact,
    }
    return [text for text, applies in doubts.items() if applies]


def _facts_table(facts: Sequence[tuple[str, Fact]], width: int) -> "Table":
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2, 0, 0))
    room = width - max(len(name) for name, _ in facts) - 2
    for name, value in facts:
        text = printable(value) if isinstance(value, str) else fill_lines(value, room)
        table.add_row(Text(name, style="bold"), Text(text, overflow="fold"))
    return table


def _paragraphs(store: Store, history: RunHistory, state: State) -> list[tuple[str, list[str]]]:
    """What only some runs have to say."""
    changes = [
        f"{name} {shown_value(name, new)} (default {shown_value(name, old)})"
        for name, (old, new) in history.record.config.changes().items()
        if history.record.foreign is None
    ]
    shape = _curve(history, 60)
    loss = _curve(history, 60, "train_loss")
    failed = state in {State.FAILED, State.LOST}
    advise = commands_on(store.root)
    note, checkpoints = store.notes(history.id).note, store.checkpoints(history.id)
    paragraphs = [
        (
            "test accuracy and training loss, by epoch",
            [shape, f"{loss}  {_last_loss(history)}"] if shape else [],
        ),
        ("changed from the defaults", changes),
        ("checkpoints", [", ".join(checkpoints[-5:])] if checkpoints else []),
        ("warnings", history.warnings[-5:]),
        ("note", [line for line in (note, store.notes_problem(history.id)) if line]),
        ("end of trainer.log", store.log_tail(history.id).splitlines()[-8:] if failed else []),
        (_NEXT_TITLE, [advise(*words) for words in _next(store, history, state)]),
    ]
    return [(title, [printable(line, 500) for line in lines]) for title, lines in paragraphs if lines]


_NEXT_TITLE = "go on with"
_NEXT = {
    State.QUEUED: ("resume",),
    State.RUNNING: ("attach", "stop"),
    State.STOPPED: ("resume",),
    State.FAILED: ("resume",),
    State.LOST: ("resume",),
    State.COPY: ("resume",),
}
# What would fail again if it was only resumed: the field to divide in a new run, and by how much.
_LOWER = {"diverged": ("learning_rate", 10), "oom": ("batch_size", 2)}
_FROM_SCRATCH = ("data", "checkpoint")


def _next(store: Store, history: RunHistory, state: State) -> list[tuple[str, ...]]:
    """The words of the commands that go on from here."""
    if history.is_newer:
        return []
    reason = history.final.reason if isinstance(history.final, ev.Failed) and state is State.FAILED else ""
    if reason in _LOWER:
        return [_run_again(history.record.config, *_LOWER[reason])]
    if reason and would_fail_again(history):  # How many images to train on is for a person to say.
        return []
    noted = registry.noted(store, history.id)
    launch = registry.option_words(noted)
    if reason in _FROM_SCRATCH:  # Only a launcher of this machine can be told so.
        return [("resume", history.id, "--from-scratch", *(launch if registry.trains_here(noted) else ()))]
    return [(verb, history.id, *(launch if verb == "resume" else ())) for verb in _NEXT.get(state, ())]


def _run_again(config: RunConfig, field: str, divisor: int) -> tuple[str, ...]:
    """The command of a run like this one but for one number."""
    settings = {name: new for name, (_, new) in config.changes().items()}
    settings["front_end"], old = config.front_end, getattr(config, field)
    settings[field] = max(1, old // divisor) if isinstance(old, int) else old / divisor
    return ("run", config.variant, *(word for name, value in settings.items() for word in option_words(name, value)))


def sentence(store: Store, history: RunHistory, state: State) -> str:
    """The state, and why."""
    final = history.final
    if state is State.FAILED and isinstance(final, ev.Failed):
        return f"failed ({final.reason}): {final.message}"
    if state is State.STOPPED and isinstance(final, ev.Stopped):
        return f"stopped after step {final.step} ({final.reason})"
    if state in {State.LOST, State.COPY}:
        return explain_lost(store.path(history.id), history.record).removesuffix(".")
    if state is State.QUEUED and (elsewhere := _state_in_queue(store, history.id)):
        return f"queued ({elsewhere})"
    if stop_request.is_stopping(store.path(history.id), state):
        return f"{STOPPING}: it was asked to, and saves a checkpoint first"
    if state is State.RUNNING and (news := silence(store.path(history.id) / EVENTS_FILE)):
        return f"running: {news}"
    if state is State.RUNNING:
        return f"running, about {format_duration(history.remaining_seconds)} left"
    return str(state)


def _state_in_queue(store: Store, run_id: str) -> str:
    """The state of a run in the queue of an engine; empty where that does not answer."""
    from alexnet_tui.studies.cluster import state_text

    try:
        return state_text(store, run_id)
    except LaunchError:
        return ""
    except StoreError as error:  # The note of what was handed over is damaged.
        say(str(error))
        return ""


def _rate_text(history: RunHistory) -> str:
    rate = METRICS["rate"].value(history) if history.final else history.images_per_second
    return "" if rate is None else f"; {format_count(rate)} images/s"


def _accuracies(history: RunHistory) -> list[str]:
    best = format_percent(history.best_test_accuracy)
    last, mean = format_percent(history.last_test_accuracy), format_percent(history.final_test_accuracy)
    where = f" (epoch {history.best_epoch}, {SELECTED_ON_TEST})" if history.best_epoch is not None else ""
    return [f"best {best}{where}", f"last {last}", f"mean of last five {mean}"]


def _time_to_mark(history: RunHistory, name: str) -> str:
    metric = METRICS[name]
    if (epochs := metric.value(history)) is not None:
        is_upper_bound = metric.is_upper_bound is not None and metric.is_upper_bound(history)
        return f"{'at most ' * is_upper_bound}{epochs:.1f} epochs"
    return "not reached" if metric.limit and metric.limit(history) is not None else "not known"


def _last_loss(history: RunHistory) -> str:
    losses = history.epochs["train_loss"]
    return format_loss(losses[-1]) if len(losses) else MISSING


def _curve(history: RunHistory, width: int, column: str = "test_accuracy") -> str:
    return sparkline(history.epochs[column], width, ascii_only=not can_draw())


def label_of(store: Store, history: RunHistory) -> str:
    """The user's own name for a run; a later one overrides the first."""
    return store.notes(history.id).label or history.record.label


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
