"""A runs folder on disk: one directory a run, one writer a file.

Status is never stored. The last event decides; where there is none, the operating system's lock on the file
``lock`` distinguishes a running trainer from a lost one. A run directory from someone else is hostile input: symbolic
links and anything that is not a regular file are never followed.
"""

import errno
import os
import platform
import stat
import time
import uuid
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

import msgspec

from alexnet_tui.command_lines import quote_words, shell_command
from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.errors import AmbiguousRunError, RunBusyError, RunNotFoundError, StoreError
from alexnet_tui.files import read_tail, reason_of
from alexnet_tui.folder import PRIVATE_FOLDER, Folder
from alexnet_tui.json_io import json_bytes
from alexnet_tui.locks import LOCK_FILE, Owner, read_owner, take_lock
from alexnet_tui.paths import shipped_runs
from alexnet_tui.runs.event_log import EventReader
from alexnet_tui.runs.liveness import is_at_work
from alexnet_tui.runs.notes import Notes, change_notes, edit_notes, notes_problem, read_notes
from alexnet_tui.runs.provenance import package_commit, redact, safe_environment
from alexnet_tui.runs.record import Extension, Foreign, RunRecord, read_record
from alexnet_tui.runs.run_files import CHECKPOINTS, EVENTS_FILE, LOG_FILE, RECORD_FILE, checkpoint_names, log_bytes
from alexnet_tui.runs.run_ids import ID_RULE, LAST, REFERENCE, RESERVED, RUN_ID, free_ids, is_numbered_alike, usual_id
from alexnet_tui.text import printable, quoted

_DELETED = ".deleted-"


class Listing(msgspec.Struct, frozen=True):
    """What a runs folder holds.

    Attributes:
        runs: Records of its runs, newest first, reference runs last.
        problems: A sentence for each folder that holds a record and is not among them.
    """

    runs: list[RunRecord]
    problems: list[str] = msgspec.field(default_factory=list)


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
        extends: Extension | None = None,
        foreign: Foreign | None = None,
        fill: Callable[[Folder], object] = lambda folder: None,
    ) -> RunRecord:
        """Make a run directory with its record; the run is then queued.

        Args:
            config: Its configuration.
            label: The user's own name for it.
            argv: The command that makes it.
            study: The study it belongs to.
            plan_sha256: Hash of that study's plan.
            extends: The run that it trains further.
            foreign: Where its history comes from, if another program trained it.
            fill: Puts into its directory what it begins with. The record comes last: before that there is no run, and
                where `fill` fails nothing is left.

        Raises:
            StoreError: The runs folder cannot be written; or what `fill` raises.
        """
        created, run_id = max(0.0, time.time()), ""
        try:
            self.root.mkdir(0o755, parents=True, exist_ok=True)  # Whatever the umask: not for others to write in.
            stem = self._free_name(label or foreign.source) if foreign else usual_id(config, created)
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
                extends=extends,
                foreign=foreign,
            )
            with Folder(self.root / run_id) as folder:
                fill(folder)
                folder.write(RECORD_FILE, json_bytes(record))
        except BaseException as error:
            if run_id:
                with suppress(OSError, StoreError), Folder.follow(self.root) as root:
                    root.remove(run_id)
            if not isinstance(error, OSError):
                raise
            raise _not_creatable(self.root, reason_of(error)) from error
        return record

    def _free_name(self, name: str) -> str:
        """An id like a name that no run has, reference runs included."""
        parents = self._parents()
        return next(
            run_id for run_id in free_ids(name) if not any(os.path.lexists(parent / run_id) for parent in parents)
        )

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

    def access_warning(self) -> str:
        """A sentence if somebody else can change what is in the runs folder, or owns it; else nothing."""
        try:
            status = self.root.stat()
        except OSError:
            return ""
        if status.st_uid not in {os.getuid(), 0}:
            return f"{self.root} belongs to another user (uid {status.st_uid}), who can change every run in it."
        is_shared = status.st_mode & stat.S_IWGRP and status.st_gid != status.st_uid  # Else a group of this user alone.
        if is_shared or status.st_mode & stat.S_IWOTH:
            close = quote_words("chmod", "go-w", str(self.root))
            return f"other users can write in {self.root} and so change or replace runs; `{close}` forbids it."
        return ""

    def folder(self, run_id: str) -> Folder:
        """The directory of a run, held open; see `Folder` for what it protects from.

        Raises:
            RunNotFoundError: There is no such run.
            StoreError: It cannot be opened.
        """
        return Folder(self.path(run_id))

    def path(self, run_id: str) -> Path:
        """The directory of a run, one of its own or a reference run.

        Raises:
            RunNotFoundError: There is no such run.
        """
        if RUN_ID.fullmatch(run_id):
            for parent in self._parents():
                directory = parent / run_id
                if _is_directory(directory) and os.path.lexists(directory / RECORD_FILE):
                    return directory
        raise self._not_found(quoted(run_id, 80))

    def resolve(self, text: str) -> str:
        """The id of the one run whose id is `text`, or begins with it; ``last`` is the newest, own runs first.

        Runs of a study that nothing has trained yet are the ``last`` only where there are no others.

        ``mine-2`` is another run than ``mine``, whose id was taken: neither is an abbreviation of the other.

        Raises:
            RunNotFoundError: No run fits.
            AmbiguousRunError: Several do.
        """
        names = self.ids()
        if text in names:
            return text
        if text == LAST and (runs := self.list().runs):
            begun = (run.id for run in runs if not run.study or log_bytes(self.path(run.id)))
            return next(begun, runs[0].id)
        fits = [name for name in names if text and name.startswith(text) and not is_numbered_alike(text, name)]
        if len(fits) == 1:
            return fits[0]
        shown = quoted(text, 80)
        if fits:
            more = ", ..." if len(fits) > 5 else ""
            newest = next((record.id for record in self.list().runs if record.id in fits), fits[0])
            reason = f"{len(fits)} runs begin with {shown}: {', '.join(fits[:5])}{more}. Name one of them."
            raise AmbiguousRunError(self.root, reason, text=text, newest=newest)
        raise self._not_found(shown, self.label_hint(text))

    def label_hint(self, text: str) -> str:
        """Which runs people call so, by the ids that commands take, in a sentence; or nothing."""
        found = [record.id for record in self.list().runs if text and text == self._label(record)]
        more = ", ..." if len(found) > 5 else ""
        return f"{', '.join(found[:5])}{more} {'has' if len(found) == 1 else 'have'} that label." if found else ""

    def _label(self, record: RunRecord) -> str:
        with suppress(StoreError):  # Deleted meanwhile.
            return self.notes(record.id).label or record.label
        return ""

    def _parents(self) -> tuple[Path, ...]:
        """The folders that hold runs; the reference runs come last, and not from behind a link."""
        reference = self.reference_root
        return (self.root, reference) if _is_directory(reference) else (self.root,)

    @property
    def reference_root(self) -> Path:
        """The folder of the reference runs: that of the installed package; in a checkout, this runs folder's own.

        An installed program takes none from a runs folder, which may be somebody else's.
        """
        shipped = shipped_runs()
        return shipped if _is_directory(shipped) else self.root / REFERENCE

    def _not_found(self, shown: str, hint: str = "") -> RunNotFoundError:
        lists = f"`{shell_command('runs', root=self.root)}` lists them."
        return RunNotFoundError(self.root, f"there is no run {shown}; {hint or lists}")

    def ids(self) -> list[str]:
        """Ids of all runs, reference runs last; unreadable ones included."""
        return list(self.scan()[0])

    def scan(self) -> tuple[dict[str, Path], dict[str, str]]:
        """The directory of every run by its id, and the folders with a record that are no runs, by name.

        Each of the latter has a sentence on why it is none and what to do: its name is no id, it is a link, or it may
        not be looked into.

        Raises:
            StoreError: The runs folder cannot be read.
        """
        runs, strays = dict[str, Path](), dict[str, str]()
        for parent in self._parents():
            names, others = _scan(parent)
            strays |= others
            for name in names:
                runs.setdefault(name, parent / name)
        own = self.root / REFERENCE
        if own != self.reference_root and _is_directory(own):
            strays[REFERENCE] = (
                f"{own}: reference runs come with the program; those in this folder are only listed under another name."
            )
        return runs, strays

    def is_reference(self, run_id: str) -> bool:
        """Whether a run came with the program rather than from this user."""
        return self.holds_reference(self.path(run_id))

    def holds_reference(self, directory: Path) -> bool:
        """Whether a run's directory is one of the reference runs'."""
        return directory.parent == self.reference_root

    def is_in(self, run_id: str) -> bool:
        """Whether this folder itself holds a run, and not the reference runs below or beside it."""
        return _is_directory(self.root / run_id)

    def record(self, run_id: str) -> RunRecord:
        """The record of a run; see `read_record`."""
        return read_record(self.path(run_id))

    def list(self) -> Listing:
        """All runs with a readable record, newest first, and a sentence for each other folder that holds one."""
        own, reference = list[RunRecord](), list[RunRecord]()
        directories, strays = self.scan()
        problems = list(strays.values())
        reference_root = self.reference_root
        for directory in directories.values():
            try:
                (reference if directory.parent == reference_root else own).append(read_record(directory))
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
        with self.folder(run_id) as folder:
            return read_notes(folder)

    def labels(self, run_ids: Iterable[str]) -> dict[str, str]:
        """People's own names for runs, where there are any."""
        return {run_id: label for run_id in run_ids if (label := self.notes(run_id).label)}

    def notes_problem(self, run_id: str) -> str:
        """A sentence if the notes of a run cannot be read as they are; else nothing."""
        with self.folder(run_id) as folder:
            return notes_problem(folder)

    def change_notes(self, run_id: str, change: Callable[[Notes], Notes]) -> Notes:
        """Change the notes of a run as they are on disk now; see `notes.change_notes`.

        Raises:
            StoreError: The run's directory cannot be written.
        """
        with self._noted_folder(run_id) as folder:
            return change_notes(folder, change)

    def edit_notes(self, run_id: str, seen: Notes, wanted: Notes) -> Notes:
        """Save an edit of the notes that were shown as `seen`; see `notes.edit_notes`.

        Raises:
            NotesConflictError: Somebody else changed the same text meanwhile.
            StoreError: The run's directory cannot be written.
        """
        with self._noted_folder(run_id) as folder:
            return edit_notes(folder, seen, wanted)

    def _noted_folder(self, run_id: str) -> Folder:
        """The directory of a run whose notes may be changed.

        Raises:
            StoreError: The run is part of the installed package.
        """
        path = self.path(run_id)
        if path.parent == shipped_runs():
            raise StoreError(path, "this run came with the program, and its notes do not change.")
        return Folder(path)

    def checkpoints(self, run_id: str) -> tuple[str, ...]:
        """Names of the checkpoints on disk, the oldest first; older ones were removed in the course of training."""
        with self.folder(run_id) as run:
            status = run.stat(CHECKPOINTS)
            if status is None or not stat.S_ISDIR(status.st_mode):
                return ()
            with Folder(run.path / CHECKPOINTS) as folder:
                return tuple(checkpoint_names(folder))

    def size_on_disk(self, run_id: str) -> int:
        """Bytes in all files of a run; those that vanish while they are looked at count for nothing.

        Raises:
            RunNotFoundError: There is no such run.
        """
        size_bytes = 0
        for folder, _, files in os.walk(self.path(run_id)):
            for name in files:
                with suppress(OSError):  # A trainer removes old checkpoints.
                    size_bytes += os.lstat(os.path.join(folder, name)).st_size
        return size_bytes

    def is_locked(self, run_id: str) -> bool:
        """Whether some process holds the run's lock now, or carries the run to another machine."""
        return is_at_work(self.path(run_id))

    def owner(self, run_id: str) -> Owner | None:
        """Who last took the run's lock, or None."""
        return read_owner(self.path(run_id) / LOCK_FILE)

    def log_tail(self, run_id: str, limit_bytes: int = 32_768) -> str:
        """The end of the trainer's log, made safe to print."""
        with self.folder(run_id) as folder:
            text = read_tail(folder.open(LOG_FILE), limit_bytes)
        return printable(text, limit=2 * limit_bytes, keep_newlines=True)

    def delete(self, run_id: str) -> None:
        """Remove a run and everything in it; what a deletion that died left is removed by the next.

        Raises:
            RunBusyError: A trainer is at work on it.
            StoreError: It is a reference run, or cannot be removed.
        """
        directory = self.path(run_id)
        if self.holds_reference(directory):
            raise StoreError(directory, "this is a reference run; it is not deleted.")
        with Folder(directory) as folder:
            status = folder.stat(LOCK_FILE)
        lock = None
        try:
            with suppress(StoreError):  # What is no file, nobody can lock.
                if is_at_work(directory):
                    raise RunBusyError
            # Held until it is out of reach, so that no trainer starts in between.
            if status is None or stat.S_ISREG(status.st_mode):
                lock = take_lock(directory)
        except RunBusyError as error:
            raise self.busy(run_id) from error
        deleted = f"{_DELETED}{uuid.uuid4().hex[:8]}-{run_id}"[:200]
        with Folder.follow(directory.parent) as parent:
            try:
                parent.rename(run_id, deleted)  # All of the run is gone from the list at once, or nothing.
            except OSError as error:
                raise StoreError(directory, f"the run cannot be deleted ({reason_of(error)}).") from error
            finally:
                if lock is not None:
                    os.close(lock)
            for name in parent.names():
                if name.startswith(_DELETED):
                    with suppress(OSError):
                        parent.remove(name)
            if parent.exists(deleted):
                raise StoreError(
                    parent.path / deleted, "the run is off the list, but these files of it could not be deleted."
                )

    def busy(self, run_id: str) -> RunBusyError:
        """The error that a run which is being trained must be stopped first."""
        stop = shell_command("stop", run_id, root=self.root)
        return RunBusyError(f"run {run_id} is being trained; stop it first: {stop}")

    def rename(self, name: str, new_id: str = "") -> str:
        """Give a folder that holds a record a name under which it is listed; the new id.

        Args:
            name: Its name in the runs folder.
            new_id: The new id; else one is made from the old name.

        Raises:
            RunBusyError: A trainer is at work on it.
            StoreError: There is no such folder, it is part of a study, or the new id is taken or none.
        """
        with Folder.follow(self.root) as root:
            directory = root.folder(name)
            if directory is None or not directory.exists(RECORD_FILE):
                raise self._not_found(quoted(name, 80))
            with directory:
                wanted = new_id or next(run_id for run_id in free_ids(name) if not root.exists(run_id))
                if not RUN_ID.fullmatch(wanted) or wanted in RESERVED:
                    raise StoreError(self.root, f"{quoted(wanted, 80)} is no id of a run: {ID_RULE}")
                if root.exists(wanted):
                    raise StoreError(self.root / wanted, "this name is taken; choose another.")
                if RUN_ID.fullmatch(name) and read_record(self.root / name).study:
                    raise StoreError(self.root / name, "this run belongs to a study, which knows it by its id.")
                lock = take_lock(self.root / name)
                try:
                    root.rename(name, wanted)
                except OSError as error:
                    raise StoreError(self.root / name, f"it cannot be renamed ({reason_of(error)}).") from error
                finally:
                    os.close(lock)
        return wanted


def _not_creatable(root: Path, reason: str) -> StoreError:
    return StoreError(root, f"a run cannot be created here ({reason}). Choose another folder with --runs-dir.")


def _make_directory(root: Path, stem: str) -> str:
    for attempt in range(1000):
        run_id = stem if attempt == 0 else f"{stem}-{attempt + 1}"
        try:
            (root / run_id).mkdir(PRIVATE_FOLDER)
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


def _scan(parent: Path) -> tuple[list[str], dict[str, str]]:
    """Names of the runs in a folder, sorted, and the folders with a record that are none, each with the reason."""
    try:
        with os.scandir(parent) as entries:
            found = [(entry.name, entry.is_symlink(), entry.is_dir(follow_symlinks=False)) for entry in entries]
    except FileNotFoundError:
        return [], {}
    except OSError as error:
        raise StoreError(parent, f"the runs folder cannot be read ({reason_of(error)}).") from error
    runs, strays = list[str](), dict[str, str]()
    for name, is_link, is_folder in sorted(found):
        if not (is_folder or is_link) or name.startswith(_DELETED):
            continue
        is_id = RUN_ID.fullmatch(name) is not None and name != LAST
        try:
            os.lstat(f"{parent}/{name}/{RECORD_FILE}")
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            if is_link:  # Its target is missing, a circle, or not accessible.
                continue
            strays[name] = _stray(parent, name, f"this folder cannot be looked into ({reason_of(error)}).")
            continue
        if is_link:
            strays[name] = _stray(parent, name, "this is a link to a run elsewhere, which is not followed; copy it.")
        elif is_id:
            runs.append(name)
        else:
            ends_options = ("--",) if name.startswith("-") else ()
            rename = shell_command("rename", *ends_options, name, root=parent)
            advise = f"; `{rename}` gives it one" if parent.name != REFERENCE else ""
            strays[name] = _stray(parent, name, f"the name is no id of a run{advise}.")
    return runs, strays


def _stray(parent: Path, name: str, reason: str) -> str:
    return f"{parent}/{printable(name, 200)}: {reason}"
