"""The launchers there are: each makes a running command of a prepared run, and none touches a run's numbers.

A launcher is a module of this package that fits `Engine` (or `QueueEngine`), and an entry of its name in `LAUNCHERS`.
Its options on the command line, and what checks and starts it, come from there; nothing else names it but the import
contract of the launchers.
"""

import signal
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Protocol, cast, runtime_checkable

import msgspec

from alexnet_tui.config.variants import nearest
from alexnet_tui.datasets.catalog import check_num_images
from alexnet_tui.errors import LaunchError, StoreError, UsageError
from alexnet_tui.files import UNDECODABLE, json_bytes
from alexnet_tui.launch.seal import is_sealed, seal
from alexnet_tui.runs.store import Store
from alexnet_tui.text import quoted

LOCAL = "local"
LAUNCH_FILE = "launch.json"
REQUEUE_SIGNAL, WITHDRAW_SIGNAL = signal.SIGUSR1, signal.SIGUSR2
"""What an engine with a queue sends to a task, which then stops its run with a checkpoint: the first comes before a
time limit, and the task goes back into the queue; after the second it stays out."""
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


class _Noted(Launch, frozen=True, kw_only=True):
    """``launch.json``: how a run was started last, with this user's seal on that."""

    seal: str = ""


VANISHED = "vanished"
"""State of a run that was handed to an engine which no longer knows it."""
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


PLAIN = StartOptions()
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

    def queue(self, folder: Path) -> "Queue | None":
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


class Queue(msgspec.Struct, frozen=True):
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


class LauncherOption(msgspec.Struct, frozen=True, kw_only=True):
    """An option on the command line that belongs to one launcher; without the dashes it is the key in `Options`."""

    name: str
    metavar: str
    help: str
    is_repeated: bool = False


class Launcher(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of the table.

    Attributes:
        summary: Where runs train, for the help page.
        options: Its own options.
        has_queue: Whether it is a `QueueEngine`.
        trains_here: Whether it trains on this machine, which can then be asked what it has.
    """

    summary: str
    options: tuple[LauncherOption, ...] = ()
    has_queue: bool = False
    trains_here: bool = False


LAUNCHERS: Mapping[str, Launcher] = MappingProxyType(
    {
        LOCAL: Launcher(summary="on this machine", trains_here=True),
        "torchrun": Launcher(
            summary="on this machine, several processes with a part of each batch, on a GPU each where there are",
            trains_here=True,
            options=(
                LauncherOption(name="nproc", metavar="N", help="Processes of one run, with --launcher torchrun."),
            ),
        ),
        "slurm": Launcher(
            summary="on a cluster, a task of an array job each",
            has_queue=True,
            options=(
                LauncherOption(
                    name="slurm",
                    metavar="NAME=VALUE",
                    help="Option of sbatch, with --launcher slurm: partition=gpu,time=2:00:00.",
                    is_repeated=True,
                ),
            ),
        ),
        "command": Launcher(
            summary="wherever a command takes them",
            options=(
                LauncherOption(
                    name="template",
                    metavar="COMMAND",
                    help="With --launcher command: 'ssh host -- {cmd}'. {cmd} is one line for a shell at the other end;"
                    " {run} and {name} are the run's id and its study.",
                ),
                LauncherOption(
                    name="python",
                    metavar="PROGRAM",
                    help="With --launcher command: the Python in {cmd}, where it is another there than here.",
                ),
            ),
        ),
    }
)


def parse(name: str, given: Options) -> Launch:
    """A launcher with its options, checked.

    Args:
        given: The options that were given, of whatever launcher.

    Raises:
        UsageError: There is no such launcher, an option belongs to another, or is not what it should be.
    """
    if name not in LAUNCHERS:
        raise UsageError(f"--launcher: there is no {quoted(name)}; {nearest(name, LAUNCHERS)}")
    own = {option.name for option in LAUNCHERS[name].options}
    for option in given:
        if option not in own:
            owners = (one for one, entry in LAUNCHERS.items() if option in {known.name for known in entry.options})
            raise UsageError(f"--{option} is for --launcher {next(owners, 'nobody')}.")
    _engine(name).check(given)
    return Launch(launcher=name, options={option: list(texts) for option, texts in given.items()})


def words(launch: Launch) -> tuple[str, ...]:
    """The options of a command that ask for a launcher: ``--launcher torchrun --nproc 2``; none for this machine."""
    given = (word for option, texts in launch.options.items() for text in texts for word in (f"--{option}", text))
    return () if launch == HERE else ("--launcher", launch.launcher, *given)


def start(store: Store, run_id: str, launch: Launch = HERE, how: StartOptions = PLAIN) -> None:
    """Start or resume a run; see `Engine.launch` for what else it raises.

    Raises:
        TooFewImagesError: It asks for more training images than its data set has here.
    """
    check_num_images(store.record(run_id).config)
    _engine(launch.launcher).launch(store, run_id, launch.options, how)
    note(store, run_id, launch)


def note(store: Store, run_id: str, launch: Launch) -> None:
    """Write down how a run was started last; where that cannot be written, only advice is poorer."""
    with suppress(OSError, StoreError), store.folder(run_id) as folder:
        if launch != HERE or folder.exists(LAUNCH_FILE):
            fields = msgspec.structs.asdict(launch)
            folder.write(LAUNCH_FILE, json_bytes(_Noted(**fields, seal=seal(run_id, launch))))


def noted(store: Store, run_id: str) -> Launch:
    """How this user started a run last; on this machine where nothing that makes sense says otherwise.

    It becomes a command line to paste: what somebody else wrote is not repeated.
    """
    try:
        with store.folder(run_id) as folder:
            content = folder.read(LAUNCH_FILE)
        if content is None:  # So it is of most runs, whose launchers are not even loaded.
            return HERE
        found = msgspec.json.decode(content, type=_Noted)
        launch = parse(found.launcher, found.options)
        return launch if is_sealed(found.seal, run_id, launch) else HERE
    except (StoreError, UsageError, *UNDECODABLE):
        return HERE


def noted_words(store: Store, run_id: str) -> tuple[str, ...]:
    """The options of a command that start a run again as this user started it last."""
    return words(noted(store, run_id))


def trains_here(launch: Launch) -> bool:
    """Whether runs train on this machine."""
    return LAUNCHERS[launch.launcher].trains_here


def queue_engine(launch: Launch) -> QueueEngine | None:
    """The engine of a launcher that takes all runs of a study at once, else None."""
    engine = _engine(launch.launcher)
    return engine if isinstance(engine, QueueEngine) else None


def queues(folder: Path) -> dict[str, tuple[QueueEngine, Queue]]:
    """Each launcher that was handed the runs of a folder: its engine, and what that says of them.

    Raises:
        LaunchError: The engine is not here, or does not answer.
        StoreError: The note in the folder is damaged.
    """
    return {
        name: (engine, found)
        for name, engine in _queue_engines().items()
        if (found := engine.queue(folder)) is not None
    }


def handed_over(folder: Path) -> list[str]:
    """What to call that which engines were handed of the runs of a folder; they are not asked.

    Raises:
        StoreError: The note in the folder is damaged.
    """
    return [label for engine in _queue_engines().values() if (label := engine.label(folder))]


def requeue_this_task() -> None:
    """Put the task that this process is back into the queue of its engine.

    Raises:
        LaunchError: No engine started it, or its engine refuses.
    """
    if not any(engine.requeue_this_task() for engine in _queue_engines().values()):
        name = REQUEUE_SIGNAL.name.removeprefix("SIG")
        raise LaunchError(f"{name} asks a task of an engine to go back into its queue; this process is none.")


def _queue_engines() -> dict[str, QueueEngine]:
    engines = {name: _engine(name) for name, entry in LAUNCHERS.items() if entry.has_queue}
    return {name: engine for name, engine in engines.items() if isinstance(engine, QueueEngine)}


def _engine(name: str) -> Engine:
    """The module of a launcher, which most commands never import."""
    if name not in LAUNCHERS:  # An order of a newer program.
        raise UsageError(f"there is no launcher {quoted(name)}.")
    return cast(Engine, import_module(f"alexnet_tui.launch.{name}"))
