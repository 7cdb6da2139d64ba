"""A runs folder on disk: one directory a run, one writer a file.

Status is never stored. The last event decides; where there is none, the operating system's lock on the file
``lock`` tells a running trainer from a lost one. A run directory from someone else is hostile input: symbolic
links and anything that is not a regular file are never followed.
"""

import errno
import fcntl
import os
import platform
import re
import shutil
import stat
import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from alexnet_tui import __version__
from alexnet_tui import paths as advice
from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.errors import ConfigError, RunBusyError, RunNotFoundError, StoreError
from alexnet_tui.files import LOCK_FILE, Owner, is_locked, open_regular, read_small, reason_of, take_lock, write_atomic
from alexnet_tui.paths import default_root as default_root
from alexnet_tui.runs.event_log import EventReader as EventReader
from alexnet_tui.runs.events import Seconds
from alexnet_tui.runs.provenance import package_commit, redact, safe_environment
from alexnet_tui.text import printable, quoted

RECORD_VERSION = 1
REFERENCE = "reference"
CHECKPOINT_NAME = re.compile(r"e[0-9]{4,}(-s[0-9]{8,})?")
_DELETED = ".deleted-"
RUN_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
EVENTS_FILE, LOG_FILE = "events.jsonl", "trainer.log"
_UNDECODABLE = (msgspec.MsgspecError, RecursionError, UnicodeDecodeError)


class RunRecord(msgspec.Struct, frozen=True, kw_only=True):
    """``run.json``: written once, when the run is made.

    Attributes:
        v: Version of the format; a newer one is shown read-only.
        id: Name of the directory.
        created: Seconds since 1970.
        label: The user's own name for the run, or empty.
        config: The complete configuration.
        package_version: Version of this program.
        commit: Its commit, where it runs from a checkout.
        argv: The command that made the run, secrets redacted.
        host: Where it was made.
        environment: The few variables that change results; nothing else is kept.
        study: Name of the study the run belongs to, or empty.
        plan_sha256: Hash of that study's plan, or empty.
    """

    v: int = RECORD_VERSION
    id: str
    created: Seconds
    label: str = ""
    config: RunConfig
    package_version: str = __version__
    commit: str = ""
    argv: list[str] = []
    host: str = ""
    environment: dict[str, str] = {}
    study: str = ""
    plan_sha256: str = ""


class _Versioned(msgspec.Struct, frozen=True):
    v: int


class Notes(msgspec.Struct, frozen=True, kw_only=True):
    """``notes.json``: what people say about a run; `label` overrides the record's."""

    label: str = ""
    tags: list[str] = []
    note: str = ""
    pinned: bool = False


@dataclass(frozen=True, slots=True)
class Listing:
    """What a runs folder holds.

    Attributes:
        runs: Records of its runs, newest first, reference runs last.
        problems: A sentence for each entry that looks like a run and cannot be read.
    """

    runs: list[RunRecord]
    problems: list[str] = field(default_factory=list)


class Store:
    """The runs under one folder.

    Args:
        root: The folder; made when the first run is created.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def create(
        self,
        config: RunConfig,
        *,
        label: str = "",
        argv: Iterable[str] = (),
        study: str = "",
        plan_sha256: str = "",
    ) -> RunRecord:
        """Make a run directory with its record; the run is then queued.

        Raises:
            StoreError: The runs folder cannot be written.
        """
        created, run_id = time.time(), ""
        stem = f"{config.variant}-s{config.seed}-{time.strftime('%m%d-%H%M%S', time.gmtime(created))}"
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            run_id = _make_directory(self.root, stem)
            record = RunRecord(
                id=run_id,
                created=created,
                label=label,
                config=config,
                commit=package_commit(),
                argv=redact(argv),
                host=platform.node(),
                environment=safe_environment(),
                study=study,
                plan_sha256=plan_sha256,
            )
            write_atomic(self.root / run_id / "run.json", _pretty(record))
        except OSError as error:
            if run_id:
                shutil.rmtree(self.root / run_id, ignore_errors=True)
            raise _not_creatable(self.root, reason_of(error)) from error
        return record

    def check_writable(self) -> None:
        """Refuse a folder in which no run can be made, before anything long is done for one; nothing is written.

        Raises:
            StoreError: The runs folder cannot be written.
        """
        present = next(path for path in (self.root, *self.root.absolute().parents) if os.path.lexists(path))
        if not present.is_dir():
            raise _not_creatable(self.root, f"{present} is not a folder")
        if not os.access(present, os.W_OK | os.X_OK):
            raise _not_creatable(self.root, f"{present} is read-only")

    def path(self, run_id: str) -> Path:
        """The directory of a run, one of its own or a reference run.

        Raises:
            RunNotFoundError: There is no such run.
        """
        if RUN_ID.fullmatch(run_id):
            for parent in (self.root, self.root / REFERENCE):
                directory = parent / run_id
                if _is_directory(directory) and os.path.lexists(directory / "run.json"):
                    return directory
        raise self._not_found(quoted(run_id, 80))

    def resolve(self, text: str) -> str:
        """The id of the one run whose id is `text`, or begins with it; ``last`` is the newest, own runs first.

        Raises:
            RunNotFoundError: No run, or several, fit.
        """
        names = self.ids()
        if text in names:
            return text
        if text == "last" and (runs := self.list().runs):
            return runs[0].id
        fits = [name for name in names if text and name.startswith(text)]
        if len(fits) == 1:
            return fits[0]
        shown = quoted(text, 80)
        if fits:
            more = ", …" if len(fits) > 5 else ""
            raise RunNotFoundError(self.root, f"{len(fits)} runs begin with {shown}: {', '.join(fits[:5])}{more}.")
        raise self._not_found(shown)

    def _not_found(self, shown: str) -> RunNotFoundError:
        lists = advice.command("runs", root=self.root)
        return RunNotFoundError(self.root, f"there is no run {shown}; `{lists}` lists them.")

    def ids(self) -> list[str]:
        """Ids of all runs, reference runs last; unreadable ones included."""
        return list(self.directories())

    def directories(self) -> dict[str, Path]:
        """The directory of every run by its id, reference runs last; unreadable ones included."""
        own = {name: self.root / name for name in _run_directories(self.root)}
        reference = self.root / REFERENCE
        return own | {name: reference / name for name in _run_directories(reference) if name not in own}

    def is_reference(self, run_id: str) -> bool:
        """Whether a run came with the program rather than from this user."""
        return self.path(run_id).parent.name == REFERENCE

    def record(self, run_id: str) -> RunRecord:
        """The record of a run; its id is the directory's name, whatever a copied or forged record says.

        Raises:
            StoreError: ``run.json`` is missing, damaged, or not what this program can read.
        """
        return read_record(self.path(run_id))

    def list(self) -> Listing:
        """All runs with a readable record, newest first, and a sentence for each other."""
        own, reference, problems = list[RunRecord](), list[RunRecord](), list[str]()
        for run_id in self.ids():
            try:
                (reference if self.is_reference(run_id) else own).append(self.record(run_id))
            except StoreError as error:
                problems.append(str(error))
        for runs in (own, reference):
            runs.sort(key=lambda record: record.created, reverse=True)
        return Listing(own + reference, problems)

    def reader(self, run_id: str, *, skip_steps: bool = False) -> EventReader:
        """A reader at the start of a run's events."""
        return EventReader(self.path(run_id) / EVENTS_FILE, skip_steps=skip_steps)

    def notes(self, run_id: str) -> Notes:
        """What people said about a run; damaged notes count as none."""
        path = self.path(run_id) / "notes.json"
        try:
            content = read_small(path)
            return msgspec.json.decode(content, type=Notes) if content else Notes()
        except (*_UNDECODABLE, StoreError):
            return Notes()

    def save_notes(self, run_id: str, notes: Notes) -> None:
        """Replace the notes of a run.

        Raises:
            StoreError: The run's directory cannot be written.
        """
        path = self.path(run_id) / "notes.json"
        try:
            write_atomic(path, _pretty(notes))
        except OSError as error:
            raise StoreError(path, f"the notes cannot be saved ({reason_of(error)}).") from error

    def change_notes(self, run_id: str, change: Callable[[Notes], Notes]) -> Notes:
        """Change the notes of a run as they are on disk now, one viewer after the other; the new notes.

        Raises:
            StoreError: The run's directory cannot be written.
        """
        directory = self.path(run_id)
        try:
            turn = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError as error:
            raise StoreError(directory, f"the notes cannot be saved ({reason_of(error)}).") from error
        try:
            fcntl.flock(turn, fcntl.LOCK_EX)
            notes = change(self.notes(run_id))
            self.save_notes(run_id, notes)
            return notes
        except OSError as error:
            raise StoreError(directory, f"the notes cannot be saved ({reason_of(error)}).") from error
        finally:
            os.close(turn)

    def checkpoints(self, run_id: str) -> tuple[str, ...]:
        """Names of the checkpoints on disk, the oldest first; older ones were removed in the course of training."""
        folder = self.path(run_id) / "checkpoints"
        return tuple(_checkpoint_names(folder)) if _is_directory(folder) else ()

    def is_locked(self, run_id: str) -> bool:
        """Whether some process holds the run's lock now."""
        return is_locked(self.path(run_id) / LOCK_FILE)

    def owner(self, run_id: str) -> Owner | None:
        """Who last took the run's lock, or None."""
        content = read_small(self.path(run_id) / LOCK_FILE)
        try:
            return msgspec.json.decode(content, type=Owner) if content else None
        except _UNDECODABLE:
            return None

    def log_tail(self, run_id: str, limit_bytes: int = 32_768) -> str:
        """The end of the trainer's log, made safe to print."""
        descriptor = open_regular(self.path(run_id) / LOG_FILE)
        if descriptor is None:
            return ""
        with os.fdopen(descriptor, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(max(0, size - limit_bytes))
            text = file.read(limit_bytes).decode("utf-8", errors="replace")
        return printable(text, limit=2 * limit_bytes, keep_newlines=True)

    def delete(self, run_id: str) -> None:
        """Remove a run and everything in it; what a deletion that died left is removed by the next.

        Raises:
            RunBusyError: A trainer is at work on it.
            StoreError: It is a reference run, or cannot be removed.
        """
        directory = self.path(run_id)
        if directory.parent.name == REFERENCE:
            raise StoreError(directory, "this is a reference run; it is not deleted.")
        try:
            lock = take_lock(directory)  # Held until it is out of reach, so that no trainer starts in between.
        except RunBusyError as error:
            stop = advice.command("stop", run_id, root=self.root)
            raise RunBusyError(f"run {run_id} is being trained; stop it first: {stop}") from error
        doomed = directory.with_name(f"{_DELETED}{uuid.uuid4().hex[:8]}-{run_id}")
        try:
            directory.rename(doomed)  # All of the run is gone from the list at once, or nothing.
        except OSError as error:
            raise StoreError(directory, f"the run cannot be deleted ({reason_of(error)}).") from error
        finally:
            os.close(lock)
        for rest in directory.parent.glob(f"{_DELETED}*"):
            shutil.rmtree(rest, ignore_errors=True)
        if doomed.exists():
            raise StoreError(doomed, "the run is off the list, but these files of it could not be deleted.")


def read_record(directory: Path) -> RunRecord:
    """The record in a run's directory; see `Store.record`."""
    path = directory / "run.json"
    content = read_small(path)
    if content is None:
        raise StoreError(path, "the run's record is missing.")
    try:
        record = msgspec.json.decode(content, type=RunRecord)
    except (*_UNDECODABLE, ConfigError) as error:
        if _version_of(content) > RECORD_VERSION:
            raise StoreError(path, "a newer version of alexnet-tui made this run; update to read it.") from error
        raise StoreError(path, f"the run's record cannot be read: {printable(str(error), 200)}") from error
    return record if record.id == directory.name else msgspec.structs.replace(record, id=directory.name)


def _not_creatable(root: Path, reason: str) -> StoreError:
    return StoreError(root, f"a run cannot be created here ({reason}). Choose another folder with --runs-dir.")


def _version_of(content: bytes) -> int:
    """The format version of a record this program cannot read, or 0."""
    try:
        return msgspec.json.decode(content, type=_Versioned).v
    except _UNDECODABLE:
        return 0


def _pretty(value: msgspec.Struct) -> bytes:
    import json  # Nobody who only reads needs it.

    text = json.dumps(msgspec.to_builtins(value), indent=2, ensure_ascii=False, allow_nan=False)
    return text.encode(errors="replace") + b"\n"  # An argument may be a file name that is no UTF-8.


def _make_directory(root: Path, stem: str) -> str:
    for attempt in range(1000):
        run_id = stem if attempt == 0 else f"{stem}-{attempt + 1}"
        try:
            (root / run_id).mkdir()
        except FileExistsError:
            continue
        return run_id
    raise OSError(errno.EEXIST, f"a thousand runs are called {stem}")


def _is_directory(path: Path) -> bool:
    """Whether `path` is a directory itself, not a link to one."""
    try:
        return stat.S_ISDIR(path.lstat().st_mode)
    except OSError:
        return False


def _checkpoint_names(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError as error:
        raise StoreError(folder, f"the checkpoints cannot be looked at ({reason_of(error)}).") from error
    return sorted(filter(CHECKPOINT_NAME.fullmatch, names), key=checkpoint_place)


def checkpoint_place(name: str) -> list[int]:
    """Epochs and steps done at a checkpoint, from its name; sorts."""
    return [int(digits) for digits in re.findall(r"\d+", name)]


def _run_directories(root: Path) -> list[str]:
    try:
        with os.scandir(root) as entries:
            names = [
                entry.name for entry in entries if RUN_ID.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False)
            ]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise StoreError(root, f"the runs folder cannot be read ({reason_of(error)}).") from error
    return sorted(name for name in names if os.path.lexists(f"{root}/{name}/run.json"))
