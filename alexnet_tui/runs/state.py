"""The state of a run: queued, running, finished, stopped, failed, lost or a copy.

Nobody writes it down: it follows from the run's last event, its lock, and where its folder comes from. People read
that a lost run has crashed.
"""

from contextlib import suppress
from enum import StrEnum
from pathlib import Path

from alexnet_tui.errors import StoreError
from alexnet_tui.locks import LOCK_FILE, read_owner
from alexnet_tui.runs import events as ev
from alexnet_tui.runs.history import RunHistory
from alexnet_tui.runs.liveness import is_heard_from
from alexnet_tui.runs.origin import is_copied, is_copy
from alexnet_tui.runs.record import RunRecord


class State(StrEnum):
    """What a run is doing, derived from its last event and its lock."""

    QUEUED = "queued"
    RUNNING = "running"
    FINISHED = "finished"
    STOPPED = "stopped"
    FAILED = "failed"
    LOST = "lost"
    COPY = "copy"


STATE_TONES = {
    State.QUEUED: "muted",
    State.RUNNING: "live",
    State.FINISHED: "good",
    State.STOPPED: "warn",
    State.FAILED: "bad",
    State.LOST: "bad",
    State.COPY: "warn",
}
"""How a state is coloured, in words that each front end turns into colours of its own."""
_SETTINGS_AT_FAULT = frozenset({ev.DIVERGED, "data_count"})
"""Reasons of a ``failed`` event that come from the run's settings, which a resume on no machine changes."""


def shown_word(state: str) -> str:
    """The word for a state that people read; `State.LOST` keeps its name in files and JSON."""
    return "crashed" if state == State.LOST else str(state)


def begun(history: RunHistory, state: State) -> float | None:
    """When training began, in seconds since 1970, or is about to; None for a run that waits for a trainer."""
    return history.begun if state is State.QUEUED else history.begun or history.record.created


def are_settings_at_fault(reason: str) -> bool:
    """Whether the reason of a ``failed`` event is one that a resume from the last checkpoint cannot mend."""
    return reason in _SETTINGS_AT_FAULT


def would_fail_again(history: RunHistory) -> bool:
    """Whether a run failed in a way that a resume from its last checkpoint cannot mend."""
    return isinstance(history.final, ev.Failed) and are_settings_at_fault(history.final.reason)


def state_of(history: RunHistory, directory: Path, is_locked: bool) -> State:
    """What a run is doing; a lock file with an owner means that it was started, also if it has no event.

    A run of another host, whose lock may not be seen here, is running while its record grows.
    """
    was_started = copied = False
    if history.final is None and not is_locked:
        with suppress(StoreError):
            was_started = read_owner(directory / LOCK_FILE) is not None
            copied = was_started and is_copy(directory, history.record)
    if not is_locked and (was_started or history.final is not None):
        is_locked = is_training_elsewhere(directory, history.record, has_ended=history.final is not None)
    return derive_state(history, is_locked=is_locked, was_started=was_started, is_copy=copied)


def is_training_elsewhere(directory: Path, record: RunRecord, *, has_ended: bool) -> bool:
    """Whether a run, whose lock is not seen, is at work on another host.

    Args:
        has_ended: It has a last event; what was copied only looks as if its lock had been taken since.
    """
    return is_heard_from(directory, has_ended=has_ended) and not (has_ended and is_copied(directory, record))


def derive_state(history: RunHistory, *, is_locked: bool, was_started: bool = False, is_copy: bool = False) -> State:
    """What a run is doing; pure.

    Args:
        is_locked: Whether a trainer holds its lock now.
        was_started: Whether one ever did; it may have died before its first event.
        is_copy: Whether the folder is a copy of one that may be training elsewhere.
    """
    match history.final:
        case ev.Finished():
            return State.FINISHED
        case _ if is_locked:
            return State.RUNNING
        case ev.Stopped():
            return State.STOPPED
        case ev.Failed():
            return State.FAILED
    if not was_started and history.is_untouched:
        return State.QUEUED
    return State.COPY if is_copy else State.LOST
