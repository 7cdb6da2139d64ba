"""``doctor``: what is installed, what trains how fast, where data and runs are, what the terminal can do."""

import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

import msgspec
import typer

import alexnet_tui
from alexnet_tui.cli import options
from alexnet_tui.cli.output import can_draw, printing, say, write_json
from alexnet_tui.cores import machine_load
from alexnet_tui.errors import AlexnetTuiError, ExitCode
from alexnet_tui.files import reason_of
from alexnet_tui.locks import take_lock
from alexnet_tui.runs.liveness import unseen_locks
from alexnet_tui.runs.store import Store
from alexnet_tui.text import counted, format_bytes, format_count, printable

_LIBRARIES = (
    "torch",
    "torchvision",
    "textual",
    "numpy",
    "pillow",
    "rich",
    "typer",
    "msgspec",
)
_LOW_DISK_BYTES = 1 << 30
_TRACES = {"tmux": "TMUX", "ssh": "SSH_CONNECTION", "NO_COLOR": "NO_COLOR"}


class Health(StrEnum):
    """How a check came out."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


class Check(msgspec.Struct, frozen=True):
    """One line of the doctor's answer."""

    name: str
    health: Health
    detail: str


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command("doctor", short_help="Check libraries, device, data and folders.")(doctor)


def doctor(as_json: options.AsJson = False, runs_dir: options.RunsDir = None) -> int:
    """Check this machine: libraries, device and its speed, data sets, runs folder, terminal.

    Leaves with 1 if training cannot work here.

    Example: alexnet-tui doctor --json
    """
    checks = list(_all_checks(options.open_store(runs_dir)))
    if as_json:
        write_json([{"check": check.name, "health": str(check.health), "detail": check.detail} for check in checks])
    else:
        _print(checks)
    has_problem = any(check.health is Health.PROBLEM for check in checks)
    return ExitCode.TRAINING_FAILED if has_problem else ExitCode.DONE


def _print(checks: list[Check]) -> None:
    from rich.table import Table
    from rich.text import Text

    styles = {Health.OK: "green", Health.WARNING: "yellow", Health.PROBLEM: "bold red"}
    table = Table.grid(padding=(0, 2, 0, 0))
    for check in checks:
        table.add_row(
            Text(str(check.health), style=styles[check.health]),
            Text(check.name),
            Text(printable(check.detail), overflow="fold"),
        )
    with printing() as console:
        console.print(table)


def _all_checks(store: Store) -> Iterator[Check]:
    yield Check("alexnet-tui", Health.OK, f"{alexnet_tui.__version__} in {Path(alexnet_tui.__file__).parent}")
    yield Check(
        "python",
        Health.OK if sys.version_info >= (3, 11) else Health.PROBLEM,
        f"{platform.python_version()} on {platform.system()} {platform.machine()}",
    )
    for name in _LIBRARIES:
        yield _library(name)
    yield _load()
    yield _device()
    yield _runs_folder(store)
    yield from _data_sets()
    yield _terminal()


def _library(name: str) -> Check:
    from importlib import metadata  # 20 ms that every command would pay.

    try:
        return Check(name, Health.OK, metadata.version(name))
    except metadata.PackageNotFoundError:
        return Check(name, Health.PROBLEM, "not installed; run: pip install alexnet-tui")


def _load() -> Check:
    """Other processes at work: training shares the cores with them."""
    load = machine_load()
    if load.is_busy:
        return Check("load", Health.WARNING, f"{load}; training gets what they leave, and the step below is timed now")
    return Check("load", Health.OK, str(load))


def _device() -> Check:
    """Ask the trainer's side; only it may load torch."""
    from alexnet_tui.launch.probe import probe

    say("timing a training step...")
    try:
        found = probe()
    except AlexnetTuiError as error:
        return Check("device", Health.PROBLEM, str(error))
    rate = 128_000 / found.step_milliseconds if found.step_milliseconds else 0
    return Check(
        "device",
        Health.OK,
        f"{found.device}, {found.precision}: {found.step_milliseconds:.1f} ms a step of 128 images"
        f" ({format_count(rate)} images/s), {os.cpu_count()} CPUs"
        + (f", fastest with {counted(found.threads, 'thread')}" if found.threads else ""),
    )


def _runs_folder(store: Store) -> Check:
    """Whether runs can be written and locked; leaves nothing behind."""
    root = store.root.absolute()
    existing = next(path for path in (root, *root.parents) if os.path.exists(path))
    if existing != root:
        can_write = os.access(existing, os.W_OK)
        detail = f"{root} is not there yet and {'can' if can_write else 'cannot'} be made in {existing}"
        return Check("runs folder", Health.OK if can_write else Health.PROBLEM, detail)
    try:
        with tempfile.TemporaryDirectory(prefix=".doctor-", dir=root) as directory:
            os.close(take_lock(Path(directory)))
        num_runs = len(store.ids())
    except OSError as error:
        return Check("runs folder", Health.PROBLEM, f"{root} cannot be written ({reason_of(error)})")
    except AlexnetTuiError as error:
        return Check("runs folder", Health.PROBLEM, str(error))
    free = shutil.disk_usage(root).free
    unseen = unseen_locks(root)
    health = Health.OK if free > _LOW_DISK_BYTES and not unseen else Health.WARNING
    facts = [f"{root}: {counted(num_runs, 'run')}, {format_bytes(free)} free"]
    if unseen:
        facts.append(f"{unseen}: locks of other hosts are not seen, their runs are judged by what they write")
    return Check("runs folder", health, "; ".join(facts))


def _data_sets() -> Iterator[Check]:
    from alexnet_tui.datasets.catalog import catalog

    try:
        for info in catalog():
            health = Health.OK if info.state == "ready" else Health.WARNING
            detail = f"{info.state}: {format_count(info.num_train)} + {format_count(info.num_test)} images"
            yield Check(f"data {printable(info.name, 64)}", health, detail)
    except AlexnetTuiError as error:
        yield Check("data", Health.PROBLEM, str(error))


def _terminal() -> Check:
    """What the console will be able to draw."""
    environment = os.environ
    size = shutil.get_terminal_size()
    facts = [
        f"{size.columns}x{size.lines}",
        f"TERM={environment.get('TERM', 'unset')}",
        f"{environment.get('COLORTERM') or '256 or fewer'} colours",
        sys.stdout.encoding,
        *(name for name, variable in _TRACES.items() if environment.get(variable)),
        "" if sys.stdout.isatty() else "stdout is no terminal",
    ]
    small = sys.stdout.isatty() and (size.columns < 80 or size.lines < 24)
    ready = can_draw() and not small
    advice = "" if ready else "; the console wants UTF-8 and 80x24"
    text = ", ".join(fact for fact in facts if fact) + advice
    return Check("terminal", Health.OK if ready else Health.WARNING, text)
