"""What a cluster runs on the node it chose: one run, trained until it ends, and noted in its study's ledger."""

import contextlib
import math
import signal
import time
from collections.abc import Callable, Sequence

from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.errors import ExitCode, LaunchError, StoreError
from alexnet_tui.launch import local, registry, stopping
from alexnet_tui.launch.engine import REQUEUE_SIGNAL, WITHDRAW_SIGNAL, StartOptions
from alexnet_tui.launch.trainer_process import TRAINER, trainer_elsewhere
from alexnet_tui.locks import LOCK_FILE, is_locked
from alexnet_tui.runs import liveness
from alexnet_tui.runs.follow import load as load_history
from alexnet_tui.runs.state import State, state_of
from alexnet_tui.runs.store import Store
from alexnet_tui.signals import handling
from alexnet_tui.studies import bookkeeping
from alexnet_tui.studies.plan import load_runnable_plan
from alexnet_tui.text import printable

_TERM_PATIENCE_SECONDS = 20.0
"""How long a trainer that the engine itself asked to stop has for its checkpoint before it is asked once more."""


def train(
    store: Store,
    run_id: str,
    *,
    say: Callable[[str], None] = lambda sentence: None,
    prepare: Callable[[RunConfig], None] = lambda config: None,
    command: Sequence[str] = TRAINER,
    poll_seconds: float = 1.0,
) -> int:
    """Train one run here, until it ends; the exit code.

    After `REQUEUE_SIGNAL` the run stops with a checkpoint and the task goes back into the queue; after
    `WITHDRAW_SIGNAL` it stays out, also where it was to go back. ``TERM`` may reach the trainer from the engine too;
    only a trainer that does not leave by itself is asked again, for a second request would cost its checkpoint.

    Args:
        prepare: Makes the data of the run ready.

    Raises:
        RunBusyError: Somebody else trains the run.
        LaunchError: The trainer cannot be started, or the task not be put back into the queue.
        StoreError: The run cannot be read or written.
    """
    caught: list[int] = []
    signals = (REQUEUE_SIGNAL, WITHDRAW_SIGNAL, signal.SIGTERM)
    with handling(signals, lambda number, _: caught.append(number)):
        record, state = store.record(run_id), load_history(store, run_id, skip_steps=True)[1]
        if state is not State.FINISHED:
            prepare(record.config)
            _wait_for_other_host(store, run_id, caught, say, poll_seconds)
            if not caught:
                # Whether it is trusted was checked where it was handed over.
                local.start(store, run_id, StartOptions(is_trusted=True, command=command))
                _wait(store, run_id, caught, poll_seconds)
        _note(store, record.study)
        state = _own_state(store, run_id)
        say(f"run {run_id}: {state}")
        if state is State.FINISHED:
            return ExitCode.DONE
        if REQUEUE_SIGNAL in caught and WITHDRAW_SIGNAL not in caught:
            registry.requeue_this_task()
            return ExitCode.DONE
        return ExitCode.TERMINATED if caught else ExitCode.TRAINING_FAILED


def _own_state(store: Store, run_id: str) -> State:
    """What a run is doing by its own lock: what carried it here still holds another one, which is not asked."""
    directory = store.path(run_id)
    is_held = is_locked(directory / LOCK_FILE)
    return state_of(load_history(store, run_id, skip_steps=True)[0], directory, is_held)


def _note(store: Store, name: str) -> None:
    """Bring the ledger of a run's study up to date; whoever looks at the study next does it where this cannot."""
    if name:
        with contextlib.suppress(StoreError):
            bookkeeping.update(store, load_runnable_plan(store, name))


def _wait_for_other_host(
    store: Store, run_id: str, caught: Sequence[int], say: Callable[[str], None], poll_seconds: float
) -> None:
    """Wait for a trainer on another host that may be dead: its lock is not seen, but its record grew just now."""
    deadline = time.monotonic() + 2 * liveness.SILENCE_SECONDS
    is_told = False
    while (other := trainer_elsewhere(store, run_id)) and not caught and time.monotonic() < deadline:
        if not is_told:
            say(f"run {run_id}: waiting until nothing comes from {printable(other.host, 80)} any more")
        is_told = True
        time.sleep(poll_seconds)


def _wait(store: Store, run_id: str, caught: Sequence[int], poll_seconds: float) -> None:
    """Wait until a run's trainer has left; pass a signal that was caught on to it, once."""
    asks_at = math.inf
    is_asked = False
    lock = store.path(run_id) / LOCK_FILE
    while is_locked(lock):
        if caught and not is_asked:
            patience = _TERM_PATIENCE_SECONDS if caught[0] == signal.SIGTERM else 0.0
            asks_at = min(asks_at, time.monotonic() + patience)
        if time.monotonic() >= asks_at and not is_asked:
            is_asked = True
            with contextlib.suppress(LaunchError):  # It has left meanwhile.
                stopping.stop(store, run_id)
        time.sleep(poll_seconds)
