"""The words and numbers of the Run screen: pure functions from a history to short facts; no widget, no disk."""

import time
from collections.abc import Iterator

import msgspec

from alexnet_tui.analysis.metrics import METRICS, Metric, Unit
from alexnet_tui.runs import events as ev
from alexnet_tui.runs.history import RunHistory
from alexnet_tui.runs.state import State, would_fail_again
from alexnet_tui.text import (
    MISSING,
    format_bytes,
    format_count,
    format_duration,
    format_percent,
    format_rate,
    printable,
)
from alexnet_tui.tui.charts.series import Lead

_STALE_SECONDS = 30.0


class Fact(msgspec.Struct, frozen=True):
    """A name, a value, how it differs from the pinned run, and the colour of its value: a word of `TONE_STYLES`."""

    name: str
    value: str
    delta: str = ""
    style: str = ""


def identity_parts(history: RunHistory) -> list[str]:
    """The experiment: variant, seed, front end, data; the last are left out first where there is no room."""
    config, foreign = history.record.config, history.record.foreign
    if foreign:
        return ["foreign", str(foreign)]
    extends = history.record.extends
    further = [f"extends {printable(extends.runs[0], 64)}"] if extends else []
    return [config.variant, f"seed {config.seed}", *further, config.front_end, printable(config.data, 40)]


def status_message(history: RunHistory, state: State, silence: str = "") -> tuple[str, str]:
    """A sentence on why a run makes no progress, with a word for its colour; empty while it does, or is finished.

    Args:
        history: The run.
        state: What it is doing.
        silence: For how long nothing came from another host, or empty.
    """
    final = history.final
    if isinstance(final, ev.Failed) and state is State.FAILED:
        where = f" at epoch {final.epoch}" if final.epoch else ""
        reason = printable(final.reason, 40)
        hint = " d starts one with other settings." if would_fail_again(history) else ""
        return f"Failed ({reason}){where}: {printable(final.message, 600)}{hint}", "bad"
    if state is State.LOST:
        hint = "R resumes it" if history.checkpoints else "R starts it again; it has no checkpoint"
        if silence:
            return f"Crashed, or out of reach: {silence}. {hint}.", "bad"
        return f"Crashed: the trainer process disappeared (killed, or the machine stopped). {hint}.", "bad"
    if state is State.COPY:
        return "A copy: the run it was copied from may be training elsewhere; R resumes the copy.", "warn"
    if isinstance(final, ev.Stopped) and state is State.STOPPED:
        reason = printable(final.reason, 80)
        return f"Stopped at epoch {final.epoch} ({reason}); R resumes it.", "warn"
    if state is State.QUEUED:
        return "Queued: no trainer has started it yet; R starts it now.", "muted"
    if state is State.RUNNING and silence:
        return f"Running, but {silence}.", "warn"
    if state is State.RUNNING and not history.has_begun:
        return "Loading data and torch…", "muted"
    return "", ""


def empty_text(history: RunHistory, state: State) -> str:
    """The text of a chart without a point."""
    if state is State.RUNNING:
        return "no point yet: the first epoch runs" if history.num_events else "loading data and torch…"
    return "no point yet" if state is State.QUEUED else "no point was written"


def no_results_text(state: State) -> str:
    """What stands in place of the results of a run without any."""
    will_come = state in {State.RUNNING, State.QUEUED}
    return "results come with the end of the first epoch" if will_come else "no results were written"


def age(history: RunHistory, state: State, now: float | None = None) -> Fact:
    """How old the last event of a run that trains is; when it was, of any other."""
    if not history.last_wall:
        return Fact("", "")
    if state is not State.RUNNING:  # Nothing repaints an age here.
        return Fact("last event", time.strftime("%Y-%m-%d %H:%M", time.localtime(history.last_wall)))
    if not history.has_begun:
        return Fact("", "")
    seconds = max(0.0, (time.time() if now is None else now) - history.last_wall)
    shown = f"{format_duration(seconds if seconds < 10 else round(seconds))} ago"
    if not history.step:
        return Fact("started", shown)
    return Fact("last point", shown, style="warn" if seconds > _STALE_SECONDS else "")


def progress_facts(history: RunHistory, state: State) -> Iterator[Fact]:
    """How far and how fast, the most important first."""
    yield Fact("epoch", f"{history.num_epochs_done}/{history.num_epochs}")
    if state is State.RUNNING:
        yield Fact("ETA", format_duration(history.remaining_seconds))
    elif history.elapsed_seconds is not None:
        yield Fact("elapsed", format_duration(history.elapsed_seconds))
    rate = history.images_per_second if history.has_begun else None
    if rate is not None:
        yield Fact("", f"{format_rate(rate).removesuffix('/s')} images/s")
    if history.total_steps:
        yield Fact("step", f"{format_count(history.step)}/{format_count(history.total_steps)}")
    for series in (history.steps, history.epochs):
        if len(series) and series["learning_rate"][-1] == series["learning_rate"][-1]:
            yield Fact("lr", f"{series['learning_rate'][-1]:g}")
            break
    if state is State.RUNNING and history.elapsed_seconds is not None:
        yield Fact("elapsed", format_duration(history.elapsed_seconds))


def machine_facts(history: RunHistory, device_cells: int) -> Iterator[Fact]:
    """The device, in so many cells, and the last reading of the machine; what was not measured is left out."""
    if history.started:
        yield Fact("", printable(f"{history.started.device} {history.started.precision}", device_cells))
    system = history.system
    if system is None:
        return
    if system.cpu_percent is not None:
        yield Fact("CPU", f"{system.cpu_percent:.0f}%")
    if system.memory_bytes is not None:
        yield Fact("memory", format_bytes(system.memory_bytes))
    if system.gpu_percent is not None:
        yield Fact("GPU", f"{system.gpu_percent:.0f}%")
    if system.gpu_memory_bytes is not None:
        yield Fact("GPU memory", format_bytes(system.gpu_memory_bytes))


_NUMBERS = (
    ("best test", "max_test"),
    ("last test", "last_test"),
    ("last five", "final_test"),
    ("gap", "gap"),
    ("T25", "t25"),
    ("T25 running", "t25_running"),
    ("train loss", "train_loss"),
    ("test loss", "test_loss"),
)
"""Names on this screen, and the metrics they stand for."""
_UNITS = {Unit.PERCENT: "%", Unit.EPOCHS: " epochs"}


def number_facts(history: RunHistory, pinned: RunHistory | None) -> list[Fact]:
    """The results, each with its difference to the pinned run."""
    facts = [_metric_fact(name, METRICS[metric], history, pinned) for name, metric in _NUMBERS]
    if history.best_epoch is not None:
        facts[0] = msgspec.structs.replace(facts[0], value=f"{facts[0].value} @{history.best_epoch}")
    return [*facts, Fact("time", format_duration(history.elapsed_seconds), _time_ratio(history, pinned))]


def _metric_fact(name: str, metric: Metric, history: RunHistory, pinned: RunHistory | None) -> Fact:
    own, other = metric.value(history), metric.value(pinned) if pinned else None
    text = metric.mean_text(own)
    value = text if text == MISSING else f"{text}{_UNITS.get(metric.unit, '')}"
    return Fact(name, value, "" if own is None or other is None else metric.difference(own - other))


def lead_text(lead: Lead, label: str) -> tuple[str, str]:
    """``3.2 epochs ahead of baseline``, and a word for its colour; `label` is what the other run is called."""
    if lead.ahead is None:
        return f"above the best of {label}", ""
    if abs(lead.ahead) < 0.05:
        return f"reached its {format_percent(lead.best)} as early as {label}", "muted"
    word = "ahead of" if lead.ahead > 0 else "behind"
    return f"{abs(lead.ahead):.1f} epochs {word} {label}", ""


def _time_ratio(history: RunHistory, pinned: RunHistory | None) -> str:
    own, other = history.elapsed_seconds, pinned.elapsed_seconds if pinned else None
    return "" if not own or not other else f"×{own / other:.2f}"
