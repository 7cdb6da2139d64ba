"""Follow one run on a plain terminal, or hand its events on, one JSON line each.

A follower reads the same record as everybody else. It ends when nobody holds the run's lock any more: then the
last event says how the run ended, and where there is none the run is lost.
"""

import signal
import sys
import time
from collections.abc import Iterator
from types import FrameType
from typing import TYPE_CHECKING

from alexnet_tui.cli.output import can_draw, in_ascii, say, silence_stdout
from alexnet_tui.cli.tables import fit_line
from alexnet_tui.command_lines import commands_on, shell_command
from alexnet_tui.errors import ExitCode, LaunchError
from alexnet_tui.files import reason_of
from alexnet_tui.launch import registry, stopping
from alexnet_tui.runs import events as ev
from alexnet_tui.runs.follow import RunFollower
from alexnet_tui.runs.history import RunHistory
from alexnet_tui.runs.lost import explain_lost
from alexnet_tui.runs.state import is_training_elsewhere
from alexnet_tui.runs.store import Store
from alexnet_tui.signals import handling
from alexnet_tui.sparkline import sparkline
from alexnet_tui.text import format_done, format_duration, format_loss, format_percent, format_rate, printable

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.text import Text

_TERMINAL_POLL_SECONDS = 0.25
_JSON_POLL_SECONDS = 0.05
_CHUNK_BYTES = 1 << 22
_LOG_LINES = 15
_MIN_BAR = 4
_FAILURE_CODES = {
    "device": ExitCode.USAGE,
    "data": ExitCode.STORE_OR_DATA,
    "data_count": ExitCode.STORE_OR_DATA,
    "checkpoint": ExitCode.STORE_OR_DATA,
}
"""Exit codes of the reasons a trainer gives; every other one, as diverged, oom or disk_full, is a failed training."""


def follow(store: Store, run_id: str, *, as_json: bool, stop_on_interrupt: bool, from_offset: int = 0) -> int:
    """Follow a run until it ends, and return the exit code it stands for.

    Args:
        as_json: Print events as JSON lines even on a terminal.
        stop_on_interrupt: Ctrl-c stops the trainer with a checkpoint, twice ends it now; else it only leaves.
        from_offset: Bytes of the record that belong to earlier attempts: not printed, and not the outcome.

    Raises:
        StoreError: The run cannot be read.
    """
    follower = _Follower(store, run_id, from_offset, stops_trainer=stop_on_interrupt)
    with handling((signal.SIGINT, signal.SIGTERM), follower.on_interrupt):
        if as_json or not sys.stdout.isatty():
            for lines in follower.poll(_JSON_POLL_SECONDS):
                try:
                    _write_lines(lines)
                except OSError as error:
                    return _leave(follower, error)
        else:
            _draw(follower)
    return _conclude(follower)


class _Follower:
    """One run as it is being followed.

    Attributes:
        outcome: How the attempt that is followed ended.
        num_interrupts: How often ctrl-c was pressed.
        num_answered: How many of these were acted upon.
        signal_number: The last signal.
        stops_trainer: An interrupt is meant for the trainer, not only for us.
        is_detached: The user left; the run goes on.
    """

    def __init__(self, store: Store, run_id: str, from_offset: int, *, stops_trainer: bool) -> None:
        self.store, self.run_id = store, run_id
        self.outcome: ev.Event | None = None
        self.num_interrupts = self.num_answered = self.signal_number = 0
        self.stops_trainer, self.is_detached = stops_trainer, False
        self.run = RunFollower(store.path(run_id), keep_lines=True)
        for _ in self.run.read(until=from_offset):
            pass

    @property
    def history(self) -> RunHistory:
        """All attempts of the run so far."""
        return self.run.history

    def poll(self, pause_seconds: float) -> Iterator[list[bytes]]:
        """New complete lines of the record as they come, until the run ends or the user leaves."""
        while self._react():
            is_over = not self._is_at_work()  # Asked before reading: what comes after is no more.
            lines = self._read_all()
            yield lines
            if is_over:
                return
            if not lines:
                time.sleep(pause_seconds)

    def on_interrupt(self, number: int, _: FrameType | None) -> None:
        """Take note of ctrl-c or SIGTERM; `poll` acts upon it."""
        self.signal_number = number
        self.num_interrupts += 1
        if self.num_interrupts > 2:  # Even where a reader that does not read holds us up.
            raise KeyboardInterrupt

    def _is_at_work(self) -> bool:
        if self.store.is_locked(self.run_id):
            return True
        final, directory = self.history.final, self.store.path(self.run_id)
        if isinstance(final, ev.Finished):
            return False
        return is_training_elsewhere(directory, self.history.record, has_ended=final is not None)

    def _react(self) -> bool:
        """Do what new interrupts ask for; whether to go on following."""
        while self.num_answered < self.num_interrupts and not self.is_detached:
            self.num_answered += 1
            if not self.stops_trainer:
                self.is_detached = True
                continue
            try:
                self._stop()
            except LaunchError as error:  # It ended just now, or is not ours to stop.
                self.is_detached = self.store.is_locked(self.run_id)
                if self.is_detached:
                    say(str(error))
        return not self.is_detached

    def _stop(self) -> None:
        if self.num_answered == 1:
            say("stopping with a checkpoint... (once more leaves at once)")
            stopping.stop(self.store, self.run_id)
        else:
            say("leaving at once")
            self.is_detached = True
            stopping.kill(self.store, self.run_id)

    def _read_all(self) -> list[bytes]:
        lines: list[bytes] = []
        for events in self.run.read(_CHUNK_BYTES):
            self.outcome = next((e for e in reversed(events) if isinstance(e, ev.FINAL_EVENTS)), self.outcome)
            lines += self.run.lines
        return lines


def _write_lines(lines: list[bytes]) -> None:
    """Events to stdout: unchanged into a pipe; in pure ASCII onto a terminal, which would obey the rest."""
    if not lines:
        return
    if sys.stdout.isatty():
        for line in lines:  # Not parsed again: what an event may not hold, a line may, in a field nobody knows.
            sys.stdout.write(in_ascii(line.decode(errors="replace")) + "\n")
    else:
        sys.stdout.buffer.write(b"\n".join(lines) + b"\n")
    sys.stdout.flush()


def _leave(follower: _Follower, error: OSError) -> int:
    """Stop following because stdout is closed or full; whoever closed it has seen enough."""
    silence_stdout()
    attach = shell_command("attach", follower.run_id, "--headless", root=follower.store.root)
    goes_on = f"; it goes on. Follow it again: {attach}" if follower.store.is_locked(follower.run_id) else ""
    say(f"left run {follower.run_id}: the output could not be written ({reason_of(error)}){goes_on}")
    return ExitCode.DONE if isinstance(error, BrokenPipeError) else ExitCode.STORE_OR_DATA


def _conclude(follower: _Follower) -> int:
    """Say how it ended, to stderr, and turn that into an exit code."""
    run_id, outcome, advise = follower.run_id, follower.outcome, commands_on(follower.store.root)
    resume = advise("resume", run_id, "--headless", *registry.noted_options(follower.store, run_id))
    interrupted = ExitCode.TERMINATED if follower.signal_number == signal.SIGTERM else ExitCode.INTERRUPTED
    if follower.is_detached:
        if follower.store.is_locked(run_id):
            say(f"left run {run_id}; it goes on. Follow it again: {advise('attach', run_id, '--headless')}")
        return interrupted
    match outcome:
        case ev.Finished():
            _summarise(follower)
            return ExitCode.DONE
        case ev.Stopped():
            say(f"run {run_id} stopped after step {outcome.step}; go on: {resume}")
            return interrupted if follower.num_interrupts else ExitCode.TERMINATED
        case ev.Failed():
            say(f"run {run_id} failed ({outcome.reason}): {outcome.message}")
            return _FAILURE_CODES.get(outcome.reason, ExitCode.TRAINING_FAILED)
    if follower.num_interrupts:
        say(f"run {run_id} ended before it could write a checkpoint.")
        return interrupted
    say(f"run {run_id} {explain_lost(follower.store.path(run_id), follower.history.record)} Go on: {resume}")
    tail = follower.store.log_tail(run_id).splitlines()[-_LOG_LINES:]
    for line in tail:
        say(f"  {line}")
    return ExitCode.TRAINING_FAILED


def _summarise(follower: _Follower) -> None:
    """Three lines for the person who waited."""
    history, run_id = follower.history, follower.run_id
    best, last = format_percent(history.best_test_accuracy), format_percent(history.last_test_accuracy)
    where = f" after epoch {history.best_epoch}" if history.best_epoch is not None else ""
    seconds = format_duration(history.elapsed_seconds)
    say(f"run {run_id} finished: test accuracy {last}, best {best}{where}, in {seconds}")
    say(f"record: {follower.store.path(run_id)}")
    advise = commands_on(follower.store.root)
    say(f"next: {advise('show', run_id)}; {advise('report')}; {advise()}")


def _draw(follower: _Follower) -> None:
    """A display of a few lines that is redrawn when something new was said, and each second."""
    from rich.console import Console
    from rich.live import Live

    console = Console(markup=False, highlight=False, emoji=False)
    shown_at = 0.0
    with Live(console=console, auto_refresh=False, redirect_stdout=False, redirect_stderr=True) as live:
        for lines in follower.poll(_TERMINAL_POLL_SECONDS):
            if lines or time.monotonic() - shown_at > 1:
                label = follower.store.notes(follower.run_id).label
                drawing = render(follower.history, console, label=label, is_stopping=follower.num_interrupts > 0)
                live.update(drawing, refresh=True)
                shown_at = time.monotonic()


def render(history: RunHistory, console: "Console", *, label: str = "", is_stopping: bool = False) -> "RenderableType":
    """What a person sees of a run: who it is, how far, how well, and the shape of the loss.

    Args:
        label: A later name for the run than its record's, or empty.
    """
    from rich.console import Group
    from rich.text import Text

    width = max(20, min(console.width, 100))
    config, started = history.record.config, history.started
    name = label or history.record.label
    about = f"{config.variant}, {config.front_end}, {config.data}, seed {config.seed}: "
    title = [(2, about), (0, printable(history.id)), (1, f' "{printable(name, 60)}"' if name else "")]
    lines = [Text(fit_line(title, width), style="bold")]
    if started is None:
        lines.append(Text("starting: loading torch and the data"))
    else:
        lines.append(_progress_line(history, width))
        lines.append(Text(_numbers_line(history, width)))
        if len(losses := history.steps["train_loss"]):
            lines.append(Text("loss " + sparkline(losses[-8 * width :], width - 5, ascii_only=not can_draw())))
    if history.warnings:
        lines.append(Text(f"warning: {printable(history.warnings[-1], 300)}", style="yellow"))
    if is_stopping and history.final is None:
        lines.append(Text("stopping with a checkpoint", style="yellow"))
    for line in lines:
        line.no_wrap, line.overflow = True, "ellipsis"
    return Group(*lines)


def _progress_line(history: RunHistory, width: int) -> "Text":
    from rich.text import Text

    epochs = history.record.config.epochs
    epoch = min(history.num_epochs_done + (not isinstance(history.final, ev.Finished)), epochs)
    left = format_duration(history.remaining_seconds)
    before = f"epoch {epoch}/{epochs} "
    after = fit_line(
        [
            (0, f" {format_done(history.progress):>4}"),
            (2, f"  step {history.step:,}/{history.total_steps:,}"),
            (1, f"  ETA {left}" if history.final is None else ""),
        ],
        width - len(before) - _MIN_BAR,
    )
    room = max(_MIN_BAR, width - len(before) - len(after))
    full = round(room * history.progress)
    return Text.assemble(before, ("━" * full, "green"), ("─" * (room - full), "dim"), after)


def _numbers_line(history: RunHistory, width: int) -> str:
    """The latest numbers, as many as fit; a dash stands for what is not known yet."""
    best = format_percent(history.best_test_accuracy, 1)
    train_eval = history.epochs["train_eval_accuracy"]
    parts = (
        (0, f"loss {format_loss(_latest(history, 'train_loss'))}"),
        (2, f"  train {format_percent(_latest(history, 'train_accuracy'), 1)}"),
        (6, f" ({format_percent(train_eval[-1], 1)} at the end of the epoch)" if len(train_eval) else ""),
        (1, f"  test {format_percent(history.last_test_accuracy, 1)}"),
        (3, f" (best {best})"),
        (4, f"  {format_rate(history.images_per_second)}"),
        (5, f"  lr {_learning_rate(history):g}"),
    )
    return fit_line(parts, width)


def _learning_rate(history: RunHistory) -> float:
    """That of the newest updates; before there are any, the one that the first takes, whatever the schedule."""
    latest = _latest(history, "learning_rate")
    return history.record.config.learning_rate if latest is None else latest


def _latest(history: RunHistory, column: str) -> float | None:
    """The newest value of a column that steps and epochs share."""
    for series in (history.steps, history.epochs):
        if len(series):
            return series[column][-1]
    return None
