"""``show``: all that is on record of one run."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from alexnet_tui.analysis.metrics import METRICS, SELECTED_ON_TEST
from alexnet_tui.cli import options
from alexnet_tui.cli.commands.runs import curve, label_of, row_of, summary
from alexnet_tui.cli.output import Json, printing, say, write_json
from alexnet_tui.cli.tables import fill_lines
from alexnet_tui.command_lines import commands_on
from alexnet_tui.config.hyperparameters import RunConfig, option_words, shown_value
from alexnet_tui.errors import ExitCode, LaunchError, StoreError
from alexnet_tui.launch import registry
from alexnet_tui.runs import events as ev
from alexnet_tui.runs import stop_request
from alexnet_tui.runs.follow import load
from alexnet_tui.runs.history import RunHistory, threads_text
from alexnet_tui.runs.liveness import silence_text
from alexnet_tui.runs.lost import explain_lost
from alexnet_tui.runs.origin import origin_text, read_imported
from alexnet_tui.runs.record import RunRecord
from alexnet_tui.runs.state import State, would_fail_again
from alexnet_tui.runs.stop_request import STOPPING
from alexnet_tui.runs.store import Store
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
)

if TYPE_CHECKING:
    from rich.table import Table

Fact = str | Sequence[str]
"""A text, or parts of one; a line ends between two parts and not within one."""

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


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command("show", short_help="Show one run, its results and its settings.")(show)


def show(run: options.RunName, as_json: options.AsJson = False, runs_dir: options.RunsDir = None) -> int:
    """Show one run: its state, its results, what was changed from the defaults, and what went wrong.

    Example: alexnet-tui show last
    """
    store = options.open_store(runs_dir)
    run_id = store.resolve(run)
    history, state = load(store, run_id, may_outline=True)
    if as_json:
        write_json({**summary(row_of(store, history, state)), **_details(store, history)})
        return ExitCode.DONE
    with printing() as console:
        console.print(_facts_table(_facts(store, history, state), console.width))
        for title, lines in _paragraphs(store, history, state):
            console.print(f"\n{title}")
            for line in lines:
                console.print(f"  {line}", soft_wrap=title == _NEXT_TITLE)  # A command must stay one line to paste.
    return ExitCode.DONE


def _details(store: Store, history: RunHistory) -> dict[str, Json]:
    """What `show` adds to the summary."""
    from alexnet_tui.tui.settings import load_settings

    columns = history.epochs.columns
    return {
        "final": _final(history),
        "device": history.started.device if history.started else None,
        "num_parameters": history.started.num_parameters if history.started else None,
        "checkpoints": list(store.checkpoints(history.id)),
        "warnings": list(history.warnings),
        "note": store.notes(history.id).note,
        "pinned": load_settings().folder(store.root).pinned == history.id,
        "bit_exact": history.bit_exact,
        "bad_lines": history.bad_lines,
        "missing_events": history.missing_events,
        "argv": list(history.record.argv),
        "host": history.record.host,
        "commit": history.record.commit,
        "path": str(store.path(history.id)),
        "imported": _imported(store, history.id),
        "epochs_table": [{name: column[row] for name, column in columns.items()} for row in range(len(history.epochs))],
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
        *_results(history),
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
        ("origin", "" if store.is_reference(record.id) else origin_text(store.path(record.id), record)),
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
    curves = _curves(history)
    failed = state in {State.FAILED, State.LOST}
    advise = commands_on(store.root)
    note, checkpoints = store.notes(history.id).note, store.checkpoints(history.id)
    paragraphs = [
        (" and ".join(curves) + ", by epoch", list(curves.values())),
        ("changed from the defaults", changes),
        ("checkpoints", [", ".join(checkpoints[-5:])] if checkpoints else []),
        ("warnings", history.warnings[-5:]),
        ("note", [line for line in (note, store.notes_problem(history.id)) if line]),
        ("end of trainer.log", store.log_tail(history.id).splitlines()[-8:] if failed else []),
        (_NEXT_TITLE, [advise(*words) for words in _next(store, history, state)]),
    ]
    return [(title, [printable(line, 500) for line in lines]) for title, lines in paragraphs if lines]


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
    if state is State.RUNNING and (news := silence_text(store.path(history.id))):
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


def _results(history: RunHistory) -> list[tuple[str, Fact]]:
    """What was measured; of what was not, there is no line."""
    results: list[tuple[str, Fact]] = []
    if history.best_test_accuracy is not None:
        results.append(("test accuracy", _accuracies(history)))
    if history.best_train_accuracy is not None:
        best = format_percent(history.best_train_accuracy)
        results.append(("train accuracy", f"best {best} (running mean, as trained)"))
    if history.gap is not None:
        results.append(("gap", f"{format_points(history.gap)} points (train - test, last five epochs)"))
    marks = [_time_to_mark(history, name) for name in ("t25", "t25_running")]
    if any(marks):
        results.append(("T25", f"{marks[0] or 'not known'}; by running accuracy {marks[1] or 'not known'}"))
    if history.elapsed_seconds:
        training, whole = format_duration(history.train_seconds), format_duration(history.elapsed_seconds)
        results.append(("time", f"{training} of training, {whole} in all{_rate_text(history)}"))
    return results


def _accuracies(history: RunHistory) -> list[str]:
    best = format_percent(history.best_test_accuracy)
    last, mean = format_percent(history.last_test_accuracy), format_percent(history.final_test_accuracy)
    where = f" (epoch {history.best_epoch}, {SELECTED_ON_TEST})" if history.best_epoch is not None else ""
    return [f"best {best}{where}", f"last {last}", f"mean of last five {mean}"]


def _time_to_mark(history: RunHistory, name: str) -> str:
    """When a mark was reached, or that it was not; empty where that is not known."""
    metric = METRICS[name]
    if (epochs := metric.value(history)) is not None:
        is_upper_bound = metric.is_upper_bound(history)
        return f"{'at most ' * is_upper_bound}{epochs:.1f} epochs"
    return "not reached" if metric.limit(history) is not None else ""


def _curves(history: RunHistory) -> dict[str, str]:
    """What is known of each epoch, and its curve."""
    accuracy, loss = curve(history, 60), curve(history, 60, "train_loss")
    lines = {"test accuracy": accuracy, "training loss": f"{loss}  {_last_loss(history)}" if loss.strip() else ""}
    return {name: line for name, line in lines.items() if line.strip()}


def _last_loss(history: RunHistory) -> str:
    losses = history.epochs["train_loss"]
    return format_loss(losses[-1]) if len(losses) else MISSING
