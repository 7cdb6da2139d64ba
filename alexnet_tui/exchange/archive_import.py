"""`import_archive` joins runs and studies that somebody packed to those of a runs folder: all of them or none.

What `archive_unpack` takes out of the archive is staged beside the runs. Each run and study of it gets its name here,
is marked as imported, and is renamed into its place at the end.
"""

import hashlib
import itertools
import os
import time
import uuid
from collections.abc import Iterable, Iterator, Set
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from alexnet_tui.errors import ArchiveError, ConfigError, StoreError
from alexnet_tui.exchange.archive_files import ARRAY_BYTES, RUNS
from alexnet_tui.exchange.archive_unpack import PLAN, unpack
from alexnet_tui.files import reason_of
from alexnet_tui.folder import Folder
from alexnet_tui.json_io import UNDECODABLE, json_bytes, reason_of_damage
from alexnet_tui.runs.checkpoint_files import is_whole
from alexnet_tui.runs.origin import IMPORTED_FILE, Imported
from alexnet_tui.runs.record import RunRecord
from alexnet_tui.runs.run_files import CHECKPOINTS, EVENTS_FILE, RECORD_FILE
from alexnet_tui.runs.run_ids import RESERVED, STUDIES, free_ids
from alexnet_tui.runs.store import Store
from alexnet_tui.studies import planning, study_files
from alexnet_tui.studies.ledger import LEDGER_FILE
from alexnet_tui.studies.plan import Plan, decode_plan
from alexnet_tui.studies.planned_runs import CELLS_FILE, run_ids
from alexnet_tui.studies.study_files import exclusive, folder_path
from alexnet_tui.studies.study_queue import QUEUE_FILE, Queue
from alexnet_tui.text import printable

_STAGING = ".importing-"
_RELEASED = ("study", "plan_sha256")
"""What an import takes out of the record of a run that may not join the study it names."""
_Move = tuple[Folder, str, Folder, str]
"""A folder and a name in it, to be renamed to another folder and a name in that."""


class ImportResult(msgspec.Struct):
    """What an import did.

    Attributes:
        runs: Name of a run in the archive to its id here; of one that was here already, too.
        studies: The same of studies.
        present_runs: Names of those runs that were here already, with the same content.
        present_studies: The same of studies.
        left_out: What else the archive holds, by the reason why it was not taken.
        released: Names of runs that no longer belong to the study their record named, because a study of that name is
            here and does not change.
        untaken: Names of runs that were here already, to the checkpoints that only the archive has; they stay there.
        gone: Names of runs that a study here gave to runs of its own, which are gone.
    """

    runs: dict[str, str] = msgspec.field(default_factory=dict)
    studies: dict[str, str] = msgspec.field(default_factory=dict)
    present_runs: set[str] = msgspec.field(default_factory=set)
    present_studies: set[str] = msgspec.field(default_factory=set)
    left_out: dict[str, list[str]] = msgspec.field(default_factory=dict)
    released: list[str] = msgspec.field(default_factory=list)
    untaken: dict[str, list[str]] = msgspec.field(default_factory=dict)
    gone: set[str] = msgspec.field(default_factory=set)

    def leave_out(self, reason: str, name: str) -> None:
        """Count something that is not taken."""
        self.left_out.setdefault(reason, []).append(printable(name, 120))


def import_archive(store: Store, path: Path) -> ImportResult:
    """Unpack runs and studies into a runs folder: all of them or none.

    A run whose id is taken by another run, or by one that a study here had, gets a new one; one that is here already is
    left out. So it is with studies.
    Nothing of a study that is here is changed: its runs are not replaced, and no run joins it. Nor do weights from an
    archive join a run that is here, which this user may have trained and trusts.

    Raises:
        ArchiveError: It is damaged, too large, holds a link, a device or a name that leads elsewhere, or no record.
        StoreError: It or the runs folder cannot be read or written.
    """
    result = ImportResult()
    try:
        store.root.mkdir(0o755, parents=True, exist_ok=True)
        with exclusive(store), Folder.follow(store.root) as root, _staging(root) as staged:
            mark = Imported(source=printable(path.name, 200), sha256=_sha256(path), imported=max(0.0, time.time()))
            unpack(path, staged, result.leave_out)
            with staged.make_folder(RUNS) as runs, staged.make_folder(STUDIES) as studies:
                _Import(store, mark, result, runs, studies).put_in_place(root)
    except RecursionError as error:
        raise ArchiveError(f"{path} holds a file that is nested too deeply; nothing was imported.") from error
    except OSError as error:
        where = getattr(error, "filename", None) or path
        reason = f"it cannot be imported into {store.root} ({reason_of(error)})."
        raise StoreError(printable(os.fsdecode(where), 300), reason) from error
    return result


@contextmanager
def _staging(root: Folder) -> Iterator[Folder]:
    """A folder for what is unpacked, removed in the end with what is left of it and of imports that died."""
    for name in root.names():
        if name.startswith(_STAGING):
            root.remove(name)
    name = f"{_STAGING}{uuid.uuid4().hex[:12]}"
    with root.make_folder(name) as staged:
        try:
            yield staged
        finally:
            with suppress(OSError):
                root.remove(name)


def _sha256(path: Path) -> str:
    if not path.is_file():
        raise StoreError(path, "this is no file." if path.exists() else "there is no such file.")
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class _Import:
    """One import, from the staged files to runs and studies in their places.

    Args:
        store: The runs folder that is imported into; nobody else changes its studies meanwhile.
        mark: What is noted in each run and study: the archive, and when.
        result: What is told of the import.
        runs: Staged folders of runs.
        studies: Staged folders of studies, each with its plan.

    Raises:
        ArchiveError: There is no record of a run and no study, or one of them cannot be read.
    """

    def __init__(self, store: Store, mark: Imported, result: ImportResult, runs: Folder, studies: Folder) -> None:
        self.store, self.mark, self.result = store, mark, result
        self.runs, self.studies = runs, studies
        self.records = dict(self._read_records())
        self.plans = dict(self._read_plans())
        if not self.records and not self.plans:
            raise ArchiveError(f"{mark.source} holds no record of a run and no study.")
        self.studies_here = set(study_files.names(store))
        self.ids_taken = set[str]()

    # --- what was unpacked

    def _read_records(self) -> Iterator[tuple[str, RunRecord]]:
        for run_id, content in self._contents(self.runs, RECORD_FILE, "without a record"):
            try:
                record = msgspec.json.decode(content, type=RunRecord)
                _fields(content)
            except (*UNDECODABLE, ConfigError) as error:
                raise ArchiveError(
                    f"{self.mark.source}: the record of run {run_id} cannot be read ({reason_of_damage(error)});"
                    " nothing was imported."
                ) from error
            yield run_id, record

    def _read_plans(self) -> Iterator[tuple[str, Plan]]:
        for name, content in self._contents(self.studies, PLAN, "without a plan"):
            try:
                yield name, decode_plan(Path(self.mark.source) / f"{name}.json", content)
            except StoreError as error:
                raise ArchiveError(f"{error} Nothing was imported.") from error

    def _contents(self, folder: Folder, file: str, reason: str) -> Iterator[tuple[str, bytes]]:
        """Each folder below one, and what a file in it holds; folders without that file are left out for a reason."""
        for name in folder.folders():
            with folder.make_folder(name) as below:
                content = below.read(file)
            if content is None:
                self.result.leave_out(reason, f"{folder.path.name}/{name}/")
            else:
                yield name, content

    # --- everything in its place

    def put_in_place(self, root: Folder) -> None:
        """Give everything its name here, mark it, and rename it out of the staging folder, plans last."""
        self._name_studies()
        self._name_runs()
        moves = list[_Move]()
        for run_id, record in self.records.items():
            checkpoints = self._whole_checkpoints(run_id)
            if run_id not in self.result.present_runs:
                self._mark_run(run_id, self._study_of(record))
                moves.append((self.runs, run_id, root, self.result.runs[run_id]))
            elif untaken := sorted(checkpoints - set(self.store.checkpoints(self.result.runs[run_id]))):
                self.result.untaken[run_id] = untaken
        with root.make_folder(STUDIES) as studies_here:
            for name in self.plans:
                if name not in self.result.present_studies:
                    new = self.result.studies[name]
                    self._mark_study(name)
                    with self.studies.make_folder(name) as state:
                        state.rename(PLAN, f"{name}.json", self.studies)
                    moves.append((self.studies, name, studies_here, new))
                    moves.append((self.studies, f"{name}.json", studies_here, f"{new}.json"))
            _move(moves)

    # --- studies

    def _name_studies(self) -> None:
        """Give each unpacked study its name here."""
        taken = set(self.plans)
        for name in self.plans:
            with self.studies.make_folder(name) as state:
                theirs = state.read(PLAN), state.read(LEDGER_FILE, ARRAY_BYTES) or b""
            for new in _like(name):
                if self._is_here(new, theirs):
                    self.result.present_studies.add(name)
                elif self._is_study_name_taken(new) or (new != name and new in taken):
                    continue
                self.result.studies[name] = new
                taken.add(new)
                break

    def _is_here(self, name: str, theirs: tuple[bytes | None, bytes]) -> bool:
        """Whether a study of this name, own or among the reference runs, is the one with this plan and this ledger."""
        found = (_study_content(root / STUDIES / name) for root in (self.store.root, self.store.reference_root))
        return any(plan == theirs[0] and ledger.startswith(theirs[1]) for plan, ledger in found)

    def _is_study_name_taken(self, name: str) -> bool:
        # What is left of a study whose plan was removed keeps its name, too.
        is_left = os.path.lexists(folder_path(self.store, name))
        return name in self.studies_here or name in planning.RESERVED or is_left

    def _mark_study(self, name: str) -> None:
        """Note where a study comes from, and give its runs the ids that they have here."""
        with self.studies.make_folder(name) as state:
            # A run of it that is gone must not be taken for one that is here.
            gone = sorted((_ids_in_study(state.path) & self.ids_taken) - self.result.runs.keys())
            new_ids = self.result.runs | {run_id: self._take_free_id(run_id) for run_id in gone}
            renamed = {old: new for old, new in new_ids.items() if old != new}
            # A study that was imported before it was packed: the first names of its runs are those in its ledger.
            earlier = study_files.decode(Path(name) / IMPORTED_FILE, state.read(IMPORTED_FILE) or b"{}", Imported).runs
            named = {first: renamed.get(run_id, run_id) for first, run_id in earlier.items()}
            if content := state.read(CELLS_FILE):
                cells = study_files.decode(Path(name) / CELLS_FILE, content, dict[str, str])
                cells = {cell: renamed.get(run_id, run_id) for cell, run_id in cells.items()}
                state.write(CELLS_FILE, json_bytes(cells))
            if content := state.read(QUEUE_FILE):
                queue = study_files.decode(Path(name) / QUEUE_FILE, content, Queue)
                # Which runs are wanted, and in which order; not what the worker that had them was told.
                state.write(QUEUE_FILE, json_bytes(Queue(order=queue.order, cancelled=queue.cancelled)))
            mark = msgspec.structs.replace(self.mark, id=name, runs=renamed | named)
            state.write(IMPORTED_FILE, json_bytes(mark))

    # --- runs

    def _name_runs(self) -> None:
        """Give each unpacked run its id here."""
        # What is no run keeps its name too; and studies name their runs, also those that are gone.
        here = {*self.store.ids(), *os.listdir(self.store.root), *RESERVED}
        folders = (folder_path(self.store, name) for name in study_files.names(self.store))
        gone = set[str]().union(*map(_ids_in_study, folders)) - here
        here |= gone
        self.ids_taken = here | set(self.records)
        for run_id in self.records:
            with self.runs.make_folder(run_id) as run:
                same = self._same_run(run_id, run, here)
            if same:
                self.result.runs[run_id] = same
                self.result.present_runs.add(run_id)
            elif run_id not in here:
                self.result.runs[run_id] = run_id
            else:
                self.result.runs[run_id] = self._take_free_id(run_id)
                if run_id in gone:
                    self.result.gone.add(run_id)

    def _take_free_id(self, run_id: str) -> str:
        """An id like one that is taken, which is then taken too."""
        new = next(new for new in free_ids(run_id) if new not in self.ids_taken)
        self.ids_taken.add(new)
        return new

    def _same_run(self, run_id: str, run: Folder, here: Set[str]) -> str:
        """The id here of a run with the same record and events, under this name or one made of it; or nothing."""
        known, key = set(self.store.ids()), _content_key(run)
        for candidate in itertools.takewhile(here.__contains__, _like(run_id)):
            if candidate in known:
                with suppress(StoreError, *UNDECODABLE), self.store.folder(candidate) as present:
                    if _content_key(present) == key and self._may_stay(candidate, self.records[run_id]):
                        return candidate
        return ""

    def _may_stay(self, candidate: str, record: RunRecord) -> bool:
        """Whether a run that is here can be the one that was unpacked; a new study's must belong to it as it is."""
        if not self._is_of_new_study(record):
            return True
        here = self.store.record(candidate)
        is_of_study = (here.study, here.plan_sha256) == (self.result.studies[record.study], record.plan_sha256)
        return is_of_study and self.store.is_in(candidate) and candidate not in self.result.runs.values()

    def _is_of_new_study(self, record: RunRecord) -> bool:
        """Whether the study of an unpacked run was unpacked with it, and is not here already."""
        return record.study in self.plans and record.study not in self.result.present_studies

    def _study_of(self, record: RunRecord) -> str:
        """The study that an imported run belongs to here; none where it would join one that is here already."""
        if self._is_of_new_study(record):
            return self.result.studies[record.study]
        return "" if record.study in self.studies_here else record.study

    def _mark_run(self, run_id: str, new_study: str) -> None:
        """Note where a run comes from, and name in its record the study that it belongs to here."""
        with self.runs.make_folder(run_id) as run:
            record = _fields(run.read(RECORD_FILE) or b"")
            old_study = str(record.get("study", ""))
            if new_study != old_study:
                record["study"] = new_study
                if not new_study:
                    record["plan_sha256"] = ""
                    self.result.released.append(run_id)
                run.write(RECORD_FILE, json_bytes(record))
            changed = old_study if new_study != old_study else ""
            run.write(IMPORTED_FILE, json_bytes(msgspec.structs.replace(self.mark, id=run_id, study=changed)))

    def _whole_checkpoints(self, run_id: str) -> set[str]:
        """Names of a run's checkpoints; one that a trainer would refuse is removed, as the run cannot go on from it."""
        whole = set[str]()
        with self.runs.make_folder(run_id) as run:
            checkpoints = run.folder(CHECKPOINTS)
            if checkpoints is None:
                return whole
            with checkpoints:
                for name in checkpoints.folders():
                    with checkpoints.make_folder(name) as folder:
                        is_usable = is_whole(folder)
                    if is_usable:
                        whole.add(name)
                    else:
                        checkpoints.remove(name)
                        self.result.leave_out("damaged", f"{run_id}/{CHECKPOINTS}/{name}/")
        return whole


def _move(moves: Iterable[_Move]) -> None:
    """Rename all or none."""
    done = list[_Move]()
    try:
        for source, old, target, new in moves:
            if target.exists(new):
                raise StoreError(target.path / new, "somebody else made this meanwhile; import again.")
            source.rename(old, new, target)
            done.append((source, old, target, new))
    except BaseException:  # Ctrl-c included.
        for source, old, target, new in reversed(done):
            with suppress(OSError):
                target.rename(new, old, source)
        raise
    for _, _, target, _ in done:
        target.sync()


def _like(name: str) -> Iterator[str]:
    """A name, and those made of it, without end."""
    yield name
    yield from (new for new in free_ids(name) if new != name)


def _study_content(path: Path) -> tuple[bytes | None, bytes]:
    """Plan and ledger of a study that is here; nothing of one that cannot be read."""
    try:
        with Folder(path.parent) as studies:
            content, state = studies.read(f"{path.name}.json"), studies.folder(path.name)
            if state is None:
                return content, b""
            with state:
                return content, state.read(LEDGER_FILE, ARRAY_BYTES) or b""
    except StoreError:
        return None, b""


def _ids_in_study(folder: Path) -> set[str]:
    """Ids that a study names as those of its runs; of one whose files are damaged, none."""
    with suppress(StoreError):
        return run_ids(folder)
    return set()


def _fields(content: bytes) -> dict[str, object]:
    """Every field of a run's record, those that are not known here included; raises one of `UNDECODABLE`."""
    return msgspec.json.decode(content, type=dict[str, object])


def _content_key(run: Folder) -> tuple[object, bytes]:
    """Equal for runs of the same content: the record, what an import changes of it aside, and a hash of the events."""
    record = _fields(run.read(RECORD_FILE) or b"{}")
    kept = {name: value for name, value in record.items() if name not in _RELEASED}
    descriptor = run.open(EVENTS_FILE)
    if descriptor is None:
        return kept, b""
    with os.fdopen(descriptor, "rb") as file:
        return kept, hashlib.file_digest(file, "sha256").digest()
