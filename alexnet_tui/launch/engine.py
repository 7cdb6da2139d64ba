"""What a launcher's module has (`Engine`), and what it is told: options, how to start a run, what an engine answers."""

import signal
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

import msgspec

from alexnet_tui.runs.store import Store

LOCAL = "local"
REQUEUE_SIGNAL, WITHDRAW_SIGNAL = signal.SIGUSR1, signal.SIGUSR2
"""What an engine with a queue sends to a task, which then stops its run with a checkpoint: the first comes before a
time limit, and the task goes back into the queue; after the second it stays out."""
VANISHED = "vanished"
"""State of a run that was handed to an engine which no longer knows it."""
Options = Mapping[str, Sequence[str]]
"""Option of a launcher to the texts it was given, in order: ``{"slurm": ["partition=gpu", "gpus=1"]}``."""


class Launch(msgspec.Struct, frozen=True, kw_only=True):
    """How runs are to be started; kept in the order of a study, and in ``launch.json`` of a run.

    Attributes:
        launcher: Name of the launcher.
        options: Its options, as given.
    """

    launcher: str = LOCAL
    options: dict[str, list[str]] = {}


HERE = Launch()
"""On this machine, one process a run."""


class StartOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What a start of one run is told beside the launcher's own options.

    Attributes:
        from_scratch: Ignore the run's checkpoints.
        is_trusted: A person has agreed to train a run that another user made.
        command: The trainer, before the run's directory; none is this program's own.
        cores: The CPU cores it is held to where it trains on this machine; none leaves it all of them.
        environment: Variables for it alone, where it trains on this machine.
    """

    from_scratch: bool = False
    is_trusted: bool = False
    command: Sequence[str] = ()
    cores: Collection[int] = ()
    environment: Mapping[str, str] = msgspec.field(default_factory=dict)


DEFAULT_START = StartOptions()
"""A start as usual."""


class Engine(Protocol):
    """What a launcher's module has."""

    def check(self, options: Options) -> None:
        """Refuse options that cannot be right, before there is a run.

        Raises:
            UsageError: One is missing or malformed.
        """

    def launch(self, store: Store, run_id: str, options: Options, start: StartOptions) -> None:
        """Start a run, or hand it to what will start it; its trainer outlives this process.

        Raises:
            RunBusyError: A trainer is at work on the run, or one is on its way.
            StoreError: The run cannot be written, or is only to be looked at.
            UntrustedRunError: Another user made it, or a part of it.
            LaunchError: It could not be started.
            UsageError: It is to begin from scratch, which an engine elsewhere cannot be told.
        """


@runtime_checkable
class QueueEngine(Engine, Protocol):
    """A launcher whose engine has a queue of its own: it takes all runs of a study at once.

    What was handed over is noted in a folder: the study's, or that of a single run.
    """

    def submit(
        self, folder: Path, name: str, root: Path, run_ids: Sequence[str], options: Options, *, at_once: int
    ) -> str:
        """Hand runs over and note it in a folder; what to call that: ``SLURM job 77``.

        Args:
            folder: Where it is noted.
            name: What people shall see in the queue.
            at_once: How many may train at once; 0 leaves that to the engine.

        Raises:
            LaunchError: The engine is not here, or refuses.
            StoreError: The folder cannot be written.
        """

    def label(self, folder: Path) -> str:
        """What to call that which was handed over and noted in a folder; empty where nothing was.

        Raises:
            StoreError: The note is damaged.
        """

    def queue(self, folder: Path) -> "QueueStatus | None":
        """What the engine says of the runs that were noted in a folder; None where nothing was.

        Raises:
            LaunchError: The engine is not here, or does not answer.
            StoreError: The note is damaged.
        """

    def withdraw(self, folder: Path, run_id: str = "") -> None:
        """Take the runs that were noted in a folder, or one of them, out of the queue; what trains stops and saves.

        Raises:
            LaunchError: The engine is not here, or refuses.
        """

    def requeue_this_task(self) -> bool:
        """Put the task that this process is back into the queue; False where this process is no task of the engine.

        Raises:
            LaunchError: The engine is not here, or refuses.
        """


class QueueStatus(msgspec.Struct, frozen=True):
    """What an engine says of runs that were handed to it.

    Attributes:
        job: Its number or name there.
        label: What to call it: ``SLURM job 77``.
        states: Run to its state, in the engine's own word.
        is_active: Whether the engine still has something to do for any of them.
    """

    job: str
    label: str
    states: Mapping[str, str]
    is_active: bool
