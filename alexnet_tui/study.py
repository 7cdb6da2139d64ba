"""A study: a plan file that fixes its runs in advance, and where each of them stands.

``runs/studies/NAME.json`` is written once. ``runs/studies/NAME/`` holds what changes: which run serves which
cell (so that a deleted or failed run is never replaced in silence), the order of the queue, and the worker's
lock and log. `study_worker` works through it.
"""

import fcntl
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

import msgspec

from alexnet_tui import __version__
from alexnet_tui.config import RunConfig
from alexnet_tui.errors import ConfigError, RunNotFoundError, StoreError, UsageError
from alexnet_tui.events import Failed
from alexnet_tui.files import LOCK_FILE, is_locked, read_small, reason_of, write_atomic
from alexnet_tui.history import RunHistory, State
from alexnet_tui.protocols import REPORT, plan_configs, tried_text
from alexnet_tui.run_cache import RunCache
from alexnet_tui.store import Store
from alexnet_tui.text import printable, quoted

STUDIES = "studies"
PLAN_VERSION = 1
MAX_CELLS = 1000
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_T = TypeVar("_T")
_TURN_FILE, _CELLS_FILE, _QUEUE_FILE = ".turn", "cells.json", "queue.json"


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """``NAME.json``: what a study runs; never changed once it is written.

    Attributes:
        v: Version of the format.
        name: Name of the study.
        created: Seconds since 1970.
        variants: The variants, in order.
        seeds: The seeds of each variant.
        overrides: Fields set for every run, as text, for people.
        configs: The complete configuration of every cell, in the order of the queue.
        label: Label of every run, or empty.
        package_version: Version of the program that wrote the plan.
        protocol: Name of the protocol it follows.
    """

    v: int = PLAN_VERSION
    name: str
    created: float
    variants: list[str]
    seeds: list[int]
    overrides: dict[str, str] = {}
    configs: list[RunConfig]
    label: str = ""
    package_version: str = __version__
    protocol: str = REPORT


class Queue(msgspec.Struct, frozen=True, kw_only=True):
    """``queue.json``: what people change while the worker works.

    Attributes:
        is_paused: Start nothing more for now.
        order: Cells to start first, in this order; the others follow as planned.
        cancelled: Cells not to start any more.
    """

    is_paused: bool = False
    order: list[int] = []
    cancelled: list[int] = []


class CellState(StrEnum):
    """Where a cell stands that has no run to ask."""

    PLANNED = "planned"
    CANCELLED = "cancelled"
    DELETED = "deleted"
    UNREADABLE = "unreadable"


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """One run of the plan and where it stands.

    Attributes:
        index: Position in the plan.
        variant: The variant it trains.
        seed: Its seed.
        state: The run's state, or that of a cell without one.
        run_id: The run, or empty before there is one.
        reason: Why it failed or cannot be read, or empty.
        num_epochs_done: Whole epochs finished.
        epochs: Epochs planned.
        tried: What tells it from the other cells of its variant and seed, or empty.
    """

    index: int
    variant: str
    seed: int
    state: str
    run_id: str = ""
    reason: str = ""
    num_epochs_done: int = 0
    epochs: int = 0
    tried: str = ""

    @property
    def needs_training(self) -> bool:
        """Whether the worker has something to do here: a diverged run stays as it is."""
        return self.state in _UNFINISHED or (self.state == State.FAILED and self.reason != "diverged")


_UNFINISHED = frozenset((CellState.PLANNED, State.QUEUED, State.STOPPED, State.LOST))


def plan(
    store: Store,
    name: str,
    *,
    variants: Sequence[str],
    seeds: Sequence[int],
    overrides: Mapping[str, str] | None = None,
    label: str = "",
    protocol: str = REPORT,
) -> Plan:
    """Write the plan of variants x seeds under a protocol, seed by seed so that a stopped study is balanced.

    Args:
        store: The runs folder.
        name: Name of the study.
        variants: Which experiments.
        seeds: The seeds of each.
        overrides: Other fields of every run, as a person would type them.
        label: Label of every run.
        protocol: Name of the protocol.

    Raises:
        UsageError: The name is no name or taken, or nothing is planned, or too much.
        ConfigError: An override is out of range, or a variant or the protocol is not known.
        StoreError: The folder cannot be written.
    """
    fields = dict(overrides or {})
    configs = plan_configs(protocol, variants, seeds, fields)
    return _write_plan(
        store,
        Plan(
            name=name,
            created=time.time(),
            variants=list(variants),
            seeds=list(seeds),
            overrides=fields,
            configs=configs,
            label=label,
            protocol=protocol,
        ),
    )


def queue_plan(store: Store, configs: Sequence[RunConfig], *, label: str = "") -> Plan:
    """Write a plan of given runs under a generated name, as the console's queue does.

    Raises:
        UsageError: Nothing is planned, or too much.
        StoreError: The folder cannot be written.
    """
    now = time.time_ns()
    name = f"{time.strftime('queue-%m%d-%H%M%S', time.gmtime(now // 10**9))}-{now // 1000 % 10**6:06d}"
    return _write_plan(
        store,
        Plan(
            name=name,
            created=time.time(),
            variants=list(dict.fromkeys(config.variant for config in configs)),
            seeds=list(dict.fromkeys(config.seed for config in configs)),
            configs=list(configs),
            label=label,
        ),
    )


def load(store: Store, name: str) -> Plan:
    """The plan of a study.

    Raises:
        RunNotFoundError: There is no such study.
        StoreError: Its plan cannot be read, or the folder of its state leads elsewhere.
    """
    content = read_small(_plan_path(store, name)) if _NAME.fullmatch(name) else None
    if content is None:
        known = names(store)
        hint = f"there are {', '.join(known[:8])}." if known else "`alexnet-tui study new NAME` makes one."
        raise RunNotFoundError(store.root / STUDIES, f"there is no study {quoted(name, 80)}; {hint}")
    _refuse_link(store.root / STUDIES / name)
    # The name is the file's, whatever a copied or forged plan says: folders are made after it.
    return msgspec.structs.replace(_decode(_plan_path(store, name), content, Plan), name=name)


def _refuse_link(folder: Path) -> None:
    if folder.is_symlink():
        raise StoreError(folder, "this is a link; a study's state is not read or written through it. Remove it.")


def names(store: Store) -> list[str]:
    """Names of all studies, in alphabetical order."""
    return sorted(path.stem for path in (store.root / STUDIES).glob("*.json") if _NAME.fullmatch(path.stem))


Find = Callable[[str], tuple[RunHistory, State] | None]
"""Where to look a run up: its history and state, None where it is gone; a StoreError makes it unreadable."""


def status(store: Store, plan: Plan, find: Find | None = None) -> list[Cell]:
    """Where every cell of a plan stands now.

    Args:
        store: The runs folder.
        plan: The plan.
        find: Where runs are known already; else they are read from the disk.
    """
    look = find or RunCache(store).find
    run_ids = _known_runs(store, plan)
    cancelled = set(queue(store, plan.name).cancelled)
    return [
        _cell(plan, index, run_ids.get(index, ""), look, is_cancelled=index in cancelled)
        for index in range(len(plan.configs))
    ]


def _cell(plan: Plan, index: int, run_id: str, find: Find, *, is_cancelled: bool) -> Cell:
    config, found, problem = plan.configs[index], None, ""
    try:
        found = find(run_id) if run_id else None
    except StoreError as error:  # One damaged run must not hide or hold up all others.
        problem = str(error).removeprefix(f"{error.path}: ")
    if found is not None:
        state: str = found[1]
    elif problem:
        state = CellState.UNREADABLE
    else:
        state = CellState.DELETED if run_id else CellState.PLANNED
    if is_cancelled and state in _UNFINISHED:
        state = CellState.CANCELLED
    final = found[0].final if found else None
    return Cell(
        index=index,
        variant=config.variant,
        seed=config.seed,
        state=str(state),
        run_id=run_id,
        reason=final.reason if isinstance(final, Failed) and state == State.FAILED else problem,
        num_epochs_done=found[0].num_epochs_done if found else 0,
        epochs=config.epochs,
        tried=tried_text(plan.protocol, config),
    )


def prepare_runs(store: Store, plan: Plan, argv: Sequence[str] = ()) -> list[str]:
    """Make the runs that are still missing, all queued; ids of the runs of all cells, in the plan's order.

    A cell whose run was deleted keeps that run's id: it is not replaced.

    Raises:
        StoreError: The runs folder cannot be written.
    """
    with turn(store):
        run_ids = _known_runs(store, plan)
        for index, config in enumerate(plan.configs):
            if index not in run_ids:
                command = argv or ("alexnet-tui", "study", "run", plan.name)
                run_ids[index] = store.create(config, label=plan.label, argv=command, study=plan.name).id
        folder = study_folder(store, plan.name)
        _write(folder / _CELLS_FILE, {str(index): run_id for index, run_id in sorted(run_ids.items())})
    return [run_ids[index] for index in range(len(plan.configs))]


def _known_runs(store: Store, plan: Plan) -> dict[int, str]:
    """Cell to run: as written down, else, after a crash, as the runs' own records say."""
    path = store.root / STUDIES / plan.name / _CELLS_FILE
    content = read_small(path)
    noted = _decode(path, content, dict[str, str]) if content else {}
    run_ids = {int(index): run_id for index, run_id in noted.items() if index.isdigit()}
    if len(run_ids) == len(plan.configs):
        return run_ids
    places = {config: index for index, config in enumerate(plan.configs)}
    taken = set(run_ids.values())
    for record in reversed(store.list().runs):  # The oldest run of a cell is the one that counts.
        index = places.get(record.config) if record.study == plan.name else None
        if index is not None and record.id not in taken:
            run_ids.setdefault(index, record.id)
    return run_ids


def queue(store: Store, name: str) -> Queue:
    """The queue of a study as people left it."""
    path = store.root / STUDIES / name / _QUEUE_FILE
    content = read_small(path)
    return _decode(path, content, Queue) if content else Queue()


def pause(store: Store, name: str, is_paused: bool = True) -> None:
    """Start no more runs of a study, or go on; what trains goes on in any case."""
    _change_queue(store, name, lambda now: msgspec.structs.replace(now, is_paused=is_paused))


def cancel(store: Store, name: str, index: int, is_cancelled: bool = True) -> None:
    """Take a cell out of the queue, or put it back; a run that trains is not stopped."""

    def change(now: Queue) -> Queue:
        others = [cell for cell in now.cancelled if cell != index]
        return msgspec.structs.replace(now, cancelled=sorted([*others, index] if is_cancelled else others))

    _change_queue(store, name, change)


def move_first(store: Store, name: str, *indices: int) -> None:
    """Put cells at the head of the queue, in this order."""

    def change(now: Queue) -> Queue:
        return msgspec.structs.replace(now, order=[*indices, *(cell for cell in now.order if cell not in indices)])

    _change_queue(store, name, change)


def _change_queue(store: Store, name: str, change: Callable[[Queue], Queue]) -> None:
    with turn(store):
        _write(study_folder(store, name) / _QUEUE_FILE, msgspec.to_builtins(change(queue(store, name))))


def has_worker(store: Store, name: str) -> bool:
    """Whether some process works through a study now."""
    return is_locked(store.root / STUDIES / name / LOCK_FILE)


def study_folder(store: Store, name: str) -> Path:
    """The folder of what changes in a study, made if need be.

    Raises:
        StoreError: It cannot be made, or is a link to another.
    """
    folder = store.root / STUDIES / name
    _refuse_link(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(folder, f"it cannot be made ({reason_of(error)}).") from error
    return folder


@contextmanager
def turn(store: Store) -> Iterator[None]:
    """Wait until nobody else makes or starts runs of studies in this folder."""
    path = study_folder(store, ".").resolve() / _TURN_FILE
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise StoreError(path, f"the file cannot be written ({reason_of(error)}).") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _plan_path(store: Store, name: str) -> Path:
    return store.root / STUDIES / f"{name}.json"


def _write_plan(store: Store, plan: Plan) -> Plan:
    if not _NAME.fullmatch(plan.name):
        raise UsageError(f"{quoted(plan.name)} is no name for a study: use small letters, digits, - and _.")
    if not 0 < len(plan.configs) <= MAX_CELLS or len(set(plan.configs)) < len(plan.configs):
        raise UsageError(f"a study has 1 to {MAX_CELLS} runs, each variant and seed once, not {len(plan.configs)}.")
    path = _plan_path(store, plan.name)
    with turn(store):
        if path.exists():
            raise UsageError(f"there is a study {quoted(plan.name)} already, and plans do not change.")
        _write(path, msgspec.to_builtins(plan))
    return plan


def _write(path: Path, content: object) -> None:
    try:
        write_atomic(path, msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n")
    except OSError as error:
        raise StoreError(path, f"the study cannot be written ({reason_of(error)}).") from error


def _decode(path: Path, content: bytes, kind: type[_T]) -> _T:
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.MsgspecError, ConfigError, RecursionError, UnicodeDecodeError) as error:
        raise StoreError(path, f"the study cannot be read: {printable(str(error), 200)}") from error
