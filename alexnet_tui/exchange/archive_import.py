"""`import_archive` unpacks runs and studies that somebody packed.

An archive is hostile input: a list of names (`archive_files`) decides what is taken, everything else is left out and
counted, and a single link, device or name that leads elsewhere refuses all of it. Import writes everything beside the
runs first and then renames it into place: all of it or nothing.
"""

import hashlib
import itertools
import os
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Set
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import msgspec

from alexnet_tui.archive_reader import Kind, Limits, entries, inside
from alexnet_tui.datasets.left_out import is_hidden
from alexnet_tui.errors import ArchiveError, ConfigError, StoreError
from alexnet_tui.exchange.archive_files import (
    ARRAY_BYTES,
    DEEPEST,
    JSON_BYTES,
    MANIFEST_FILE,
    RUNS,
    STUDY_FILES,
    WEIGHTS_FILE,
    Parts,
    limit_of,
)
from alexnet_tui.files import reason_of
from alexnet_tui.folder import Folder
from alexnet_tui.json_io import UNDECODABLE, json_bytes, reason_of_damage
from alexnet_tui.runs.notes import NOTES_FILE
from alexnet_tui.runs.origin import IMPORTED_FILE, Imported
from alexnet_tui.runs.record import RunRecord
from alexnet_tui.runs.run_files import CHECKPOINTS, EVENTS_FILE, RECORD_FILE
from alexnet_tui.runs.store import REFERENCE, RESERVED, RUN_ID, Store, free_ids
from alexnet_tui.studies import plan as study
from alexnet_tui.studies import planning, study_files
from alexnet_tui.studies import queue as study_queue
from alexnet_tui.studies.ledger import LEDGER_FILE
from alexnet_tui.studies.queue import CELLS_FILE
from alexnet_tui.studies.study_files import STUDIES, exclusive, folder_path, is_name
from alexnet_tui.text import printable, quoted

LIMITS = Limits(least_bytes=1 << 24, ratio=50, entries=50_000)
"""The events of the reference runs shrink to a sixth."""
_STAGING, _PLAN = ".importing-", "plan.json"
_RELEASED = ("study", "plan_sha256")
"""What an import takes out of the record of a run that may not join the study it names."""


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
            _stage(path, staged, result)
            _put_in_place(store, root, staged, mark, result)
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


def _stage(path: Path, staged: Folder, result: ImportResult) -> None:
    """Unpack what belongs to records: runs into ``runs/ID``, studies into ``studies/NAME``, each plan as PLAN."""
    written: set[Parts] = set()
    for entry in entries(path, LIMITS):
        parts = inside(entry.name)
        if parts is None or entry.kind in {Kind.LINK, Kind.SPECIAL}:
            what = {Kind.LINK: "a link", Kind.SPECIAL: "a device, a pipe or a sparse file"}.get(
                entry.kind, "a name that leads out of it"
            )
            raise ArchiveError(f"{path} holds {what}, {quoted(entry.name, 120)}; nothing of it was imported.")
        if entry.kind is Kind.FOLDER or not parts:
            continue
        if any(map(is_hidden, parts)):
            result.leave_out("hidden", entry.name)
            continue
        target = _target(parts)
        if target is None:
            result.leave_out("no part of a record", entry.name)
            continue
        place, limit = target
        if place in written:
            raise ArchiveError(f"{path} holds {quoted(entry.name, 120)} twice; nothing of it was imported.")
        written.add(place)
        _write(staged, place, _bounded(entry.pieces(), limit, f"{path}: {quoted(entry.name, 120)}"))


def _bounded(pieces: Iterator[bytes], limit: int, name: str) -> Iterator[bytes]:
    size = 0
    for piece in pieces:
        size += len(piece)
        if size > limit:
            raise ArchiveError(f"{name} is larger than {limit:,} bytes; nothing of the archive was imported.")
        yield piece


def _target(parts: Parts) -> tuple[Parts, int] | None:
    """Where a file of an archive is unpacked to, and how large it may be; None for one that is no part of a record.

    Records may be in folders of any names: ``runs/ID/run.json``, ``ID/run.json``, ``backup/runs/studies/NAME.json``.
    """
    match parts:
        case (*_, study_files.STUDIES, file) if file.endswith(".json") and is_name(file.removesuffix(".json")):
            return (STUDIES, file.removesuffix(".json"), _PLAN), JSON_BYTES
        case (*_, study_files.STUDIES, name, file) if is_name(name) and file in STUDY_FILES:
            return (STUDIES, name, file), STUDY_FILES[file]
    for depth in range(1, DEEPEST + 1):
        run_id = parts[-depth - 1] if len(parts) > depth else ""
        limit = limit_of(parts[-depth:])
        if limit and RUN_ID.fullmatch(run_id) and run_id not in {STUDIES, REFERENCE}:
            return (RUNS, run_id, *parts[-depth:]), limit
    return None


def _write(top: Folder, place: Parts, pieces: Iterable[bytes]) -> None:
    with ExitStack() as opened:
        folder = top
        for name in place[:-1]:
            folder = opened.enter_context(folder.make_folder(name))
        with os.fdopen(folder.create(place[-1]), "wb") as file:
            for piece in pieces:
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())


def _put_in_place(store: Store, root: Folder, staged: Folder, mark: Imported, result: ImportResult) -> None:
    """Give everything its name here, mark it, and rename it out of the staging folder, plans last."""
    with staged.make_folder(RUNS) as runs, staged.make_folder(STUDIES) as studies:
        records = _records(runs, mark, result)
        plans = _plans(studies, mark, result)
        if not records and not plans:
            raise ArchiveError(f"{mark.source} holds no record of a run and no study.")
        known = set(study_files.names(store))
        _name_studies(store, studies, plans, known, result)
        taken = _name_runs(store, runs, records, plans, result)
        moves = list[tuple[Folder, str, Folder, str]]()
        for run_id, record in records.items():
            _leave_out_damaged_checkpoints(runs, run_id, result)
            if run_id in result.present_runs:
                _note_untaken(store, runs, run_id, result)
            else:
                _mark_run(runs, run_id, _study_of(record, plans, known, result), mark, result)
                moves.append((runs, run_id, root, result.runs[run_id]))
        here = root.make_folder(STUDIES)
        with here:
            for name in plans:
                if name not in result.present_studies:
                    new = result.studies[name]
                    _mark_study(studies, name, mark, result, taken)
                    with studies.make_folder(name) as state:
                        state.rename(_PLAN, f"{_PLAN}-{name}", staged)
                    moves.append((studies, name, here, new))
                    moves.append((staged, f"{_PLAN}-{name}", here, f"{new}.json"))
            _move(moves)


def _move(moves: Iterable[tuple[Folder, str, Folder, str]]) -> None:
    """Rename all or none."""
    done = list[tuple[Folder, str, Folder, str]]()
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


def _records(runs: Folder, mark: Imported, result: ImportResult) -> dict[str, RunRecord]:
    """The records of the unpacked runs; a folder without one is left out.

    Raises:
        ArchiveError: A record cannot be read.
    """
    records = {}
    for run_id, content in _contents(runs, RECORD_FILE, "without a record", result):
        try:
            records[run_id] = msgspec.json.decode(content, type=RunRecord)
            _fields(content)
        except (*UNDECODABLE, ConfigError) as error:
            raise ArchiveError(
                f"{mark.source}: the record of run {run_id} cannot be read ({reason_of_damage(error)});"
                " nothing was imported."
            ) from error
    return records


def _fields(content: bytes) -> dict[str, object]:
    """Every field of a run's record, those that are not known here included; raises one of `UNDECODABLE`."""
    return msgspec.json.decode(content, type=dict[str, object])


class _Manifest(msgspec.Struct, frozen=True):
    """What the manifest of a checkpoint says of its weights, in every version of the format."""

    size_bytes: int
    sha256: str


def _leave_out_damaged_checkpoints(runs: Folder, run_id: str, result: ImportResult) -> None:
    """Remove checkpoints that a trainer would refuse, so that a run is not taken for one that can go on."""
    with runs.make_folder(run_id) as run:
        checkpoints = run.folder(CHECKPOINTS)
        if checkpoints is None:
            return
        with checkpoints:
            for name in checkpoints.folders():
                with checkpoints.make_folder(name) as folder:
                    is_whole = _is_whole(folder)
                if not is_whole:
                    checkpoints.remove(name)
                    result.leave_out("damaged", f"{run_id}/{CHECKPOINTS}/{name}/")


def _note_untaken(store: Store, runs: Folder, run_id: str, result: ImportResult) -> None:
    """Note the checkpoints of an unpacked run that the same run here has not."""
    with runs.make_folder(run_id) as run:
        checkpoints = run.folder(CHECKPOINTS)
        if checkpoints is None:
            return
        with checkpoints:
            untaken = sorted(set(checkpoints.folders()) - set(store.checkpoints(result.runs[run_id])))
    if untaken:
        result.untaken[run_id] = untaken


def _is_whole(checkpoint: Folder) -> bool:
    """Whether the weights are those that the manifest was written for."""
    try:
        manifest = msgspec.json.decode(checkpoint.read(MANIFEST_FILE) or b"", type=_Manifest)
    except UNDECODABLE:
        return False
    descriptor = checkpoint.open(WEIGHTS_FILE)
    if descriptor is None:
        return False
    with os.fdopen(descriptor, "rb") as file:
        is_long_enough = os.fstat(descriptor).st_size == manifest.size_bytes
        return is_long_enough and hashlib.file_digest(file, "sha256").hexdigest() == manifest.sha256


def _plans(studies: Folder, mark: Imported, result: ImportResult) -> dict[str, study.Plan]:
    """The plans of the unpacked studies; a state without one is left out.

    Raises:
        ArchiveError: A plan cannot be read.
    """
    plans = {}
    for name, content in _contents(studies, _PLAN, "without a plan", result):
        try:
            plans[name] = study.decode_plan(Path(mark.source) / f"{name}.json", content)
        except StoreError as error:
            raise ArchiveError(f"{error} Nothing was imported.") from error
    return plans


def _contents(folder: Folder, file: str, reason: str, result: ImportResult) -> Iterator[tuple[str, bytes]]:
    """Each folder below one, and what a file in it holds; folders without that file are left out for a reason."""
    for name in folder.folders():
        with folder.make_folder(name) as below:
            content = below.read(file)
        if content is None:
            result.leave_out(reason, f"{folder.path.name}/{name}/")
        else:
            yield name, content


def _name_studies(
    store: Store, studies: Folder, plans: Mapping[str, study.Plan], known: Set[str], result: ImportResult
) -> None:
    taken = set(plans)
    for name in plans:
        with studies.make_folder(name) as state:
            theirs = state.read(_PLAN), state.read(LEDGER_FILE, ARRAY_BYTES) or b""
        for new in _like(name):
            if _is_here(store, new, theirs):
                result.studies[name] = new
                result.present_studies.add(name)
                break
            # What is left of a study whose plan was removed keeps its name, too.
            here = folder_path(store, new)
            is_taken = (
                new in known or new in planning.RESERVED or (new != name and new in taken) or os.path.lexists(here)
            )
            if not is_taken:
                result.studies[name] = new
                taken.add(new)
                break


def _like(name: str) -> Iterator[str]:
    """A name, and those made of it, without end."""
    yield name
    yield from (new for new in free_ids(name) if new != name)


def _is_here(store: Store, name: str, theirs: tuple[bytes | None, bytes]) -> bool:
    """Whether a study of this name, own or among the reference runs, is the one with this plan and this ledger."""
    found = (_study_content(root / STUDIES / name) for root in (store.root, store.reference_root))
    return any(plan == theirs[0] and ledger.startswith(theirs[1]) for plan, ledger in found)


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


def _name_runs(
    store: Store,
    runs: Folder,
    records: Mapping[str, RunRecord],
    plans: Mapping[str, study.Plan],
    result: ImportResult,
) -> set[str]:
    """Give each unpacked run its id here; all ids that are taken now."""
    # What is no run keeps its name too; and studies name their runs, also those that are gone.
    here = {*store.ids(), *os.listdir(store.root), *RESERVED}
    gone = set[str]().union(*(_ids_in_study(folder_path(store, name)) for name in study_files.names(store))) - here
    here |= gone
    taken = here | set(records)
    for run_id, record in records.items():
        is_of_new_study = record.study in plans and record.study not in result.present_studies
        with runs.make_folder(run_id) as run:
            same = None if is_of_new_study else _same_run(store, run_id, run, here)
        if same:
            result.runs[run_id] = same
            result.present_runs.add(run_id)
        elif run_id not in here:
            result.runs[run_id] = run_id
        else:
            result.runs[run_id] = _take_free_id(run_id, taken)
            if run_id in gone:
                result.gone.add(run_id)
    return taken


def _take_free_id(run_id: str, taken: set[str]) -> str:
    new = next(new for new in free_ids(run_id) if new not in taken)
    taken.add(new)
    return new


def _ids_in_study(folder: Path) -> set[str]:
    """Ids that a study names as those of its runs; of one whose files are damaged, none."""
    with suppress(StoreError):
        return study_queue.run_ids(folder)
    return set()


def _same_run(store: Store, run_id: str, run: Folder, here: Set[str]) -> str:
    """The id here of a run with the same record and the same events, under this name or one made of it; or nothing."""
    known, key = set(store.ids()), _content_key(run)
    for candidate in itertools.takewhile(here.__contains__, _like(run_id)):
        if candidate in known:
            with suppress(StoreError, *UNDECODABLE), store.folder(candidate) as present:
                if _content_key(present) == key:
                    return candidate
    return ""


def _content_key(run: Folder) -> tuple[object, bytes]:
    """Equal for runs of the same content: the record, what an import changes of it aside, and a hash of the events."""
    record = _fields(run.read(RECORD_FILE) or b"{}")
    kept = {name: value for name, value in record.items() if name not in _RELEASED}
    descriptor = run.open(EVENTS_FILE)
    if descriptor is None:
        return kept, b""
    with os.fdopen(descriptor, "rb") as file:
        return kept, hashlib.file_digest(file, "sha256").digest()


def _study_of(record: RunRecord, plans: Mapping[str, study.Plan], known: Set[str], result: ImportResult) -> str:
    """The study that an imported run belongs to here; none where it would join one that is here already."""
    if record.study in plans and record.study not in result.present_studies:
        return result.studies[record.study]
    return "" if record.study in known else record.study


def _mark_run(runs: Folder, run_id: str, new_study: str, mark: Imported, result: ImportResult) -> None:
    with runs.make_folder(run_id) as run:
        record = _fields(run.read(RECORD_FILE) or b"")
        old_study = str(record.get("study", ""))
        if new_study != old_study:
            record["study"] = new_study
            if not new_study:
                record["plan_sha256"] = ""
                result.released.append(run_id)
            run.write(RECORD_FILE, json_bytes(record))
        _unpin(run)
        changed = old_study if new_study != old_study else ""
        run.write(IMPORTED_FILE, json_bytes(msgspec.structs.replace(mark, id=run_id, study=changed)))


def _unpin(run: Folder) -> None:
    """Another person's pinned run is not this one's; notes that cannot be read stay as they are."""
    with suppress(*UNDECODABLE):
        notes = msgspec.json.decode(run.read(NOTES_FILE) or b"{}", type=dict[str, object])
        if notes.pop("pinned", False):
            run.write(NOTES_FILE, json_bytes(notes))


def _mark_study(studies: Folder, name: str, mark: Imported, result: ImportResult, taken: set[str]) -> None:
    with studies.make_folder(name) as state:
        # A run of it that is gone must not be taken for one that is here.
        gone = sorted((_ids_in_study(state.path) & taken) - result.runs.keys())
        new_ids = result.runs | {run_id: _take_free_id(run_id, taken) for run_id in gone}
        renamed = {old: new for old, new in new_ids.items() if old != new}
        # A study that was imported before it was packed: the first names of its runs are those in its ledger.
        earlier = study_files.decode(Path(name) / IMPORTED_FILE, state.read(IMPORTED_FILE) or b"{}", Imported).runs
        named = {first: renamed.get(run_id, run_id) for first, run_id in earlier.items()}
        if content := state.read(CELLS_FILE):
            cells = study_files.decode(Path(name) / CELLS_FILE, content, dict[str, str])
            state.write(CELLS_FILE, json_bytes({cell: renamed.get(run_id, run_id) for cell, run_id in cells.items()}))
        state.write(IMPORTED_FILE, json_bytes(msgspec.structs.replace(mark, id=name, runs=renamed | named)))
