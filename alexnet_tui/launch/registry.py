"""The launchers there are: each makes a running command of a prepared run, and none touches a run's numbers.

A launcher is a module of this package that fits `Engine` (or `QueueEngine`), and an entry of its name in `LAUNCHERS`.
Its options on the command line, and what checks and starts it, come from there; nothing else names it but the import
contract of the launchers.
"""

from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import cast

import msgspec

from alexnet_tui.config.variants import nearest
from alexnet_tui.datasets.catalog import check_num_images
from alexnet_tui.errors import LaunchError, StoreError, UsageError
from alexnet_tui.json_io import UNDECODABLE, json_bytes
from alexnet_tui.launch.engine import (
    DEFAULT_START,
    HERE,
    LOCAL,
    REQUEUE_SIGNAL,
    Engine,
    Launch,
    Options,
    QueueEngine,
    QueueStatus,
    StartOptions,
)
from alexnet_tui.launch.seal import is_sealed, seal
from alexnet_tui.runs.store import Store
from alexnet_tui.text import quoted

LAUNCH_FILE = "launch.json"


class _Noted(Launch, frozen=True, kw_only=True):
    """``launch.json``: how a run was started last, with this user's seal on that."""

    seal: str = ""


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


def option_words(launch: Launch) -> tuple[str, ...]:
    """The options of a command that ask for a launcher: ``--launcher torchrun --nproc 2``; none for this machine."""
    given = (word for option, texts in launch.options.items() for text in texts for word in (f"--{option}", text))
    return () if launch == HERE else ("--launcher", launch.launcher, *given)


def start(store: Store, run_id: str, launch: Launch = HERE, how: StartOptions = DEFAULT_START) -> None:
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


def noted_options(store: Store, run_id: str) -> tuple[str, ...]:
    """The options of a command that start a run again as this user started it last."""
    return option_words(noted(store, run_id))


def trains_here(launch: Launch) -> bool:
    """Whether runs train on this machine."""
    return LAUNCHERS[launch.launcher].trains_here


def queue_engine(launch: Launch) -> QueueEngine | None:
    """The engine of a launcher that takes all runs of a study at once, else None."""
    engine = _engine(launch.launcher)
    return engine if isinstance(engine, QueueEngine) else None


def queues(folder: Path) -> dict[str, tuple[QueueEngine, QueueStatus]]:
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
