"""`write_archive` packs runs and studies into one file, for `archive_import` or for tar."""

import os
import stat
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from alexnet_tui.command_lines import shell_command
from alexnet_tui.config.first_run import FIRST_RUN_WORDS
from alexnet_tui.datasets.left_out import is_hidden
from alexnet_tui.errors import RunNotFoundError, StoreError
from alexnet_tui.exchange.archive_files import DEEPEST, RUNS, STUDY_FILES, Parts, limit_of
from alexnet_tui.files import reason_of, temporary_name
from alexnet_tui.folder import Folder
from alexnet_tui.runs.events import MAX_LINE_BYTES
from alexnet_tui.runs.run_files import CHECKPOINTS, EVENTS_FILE
from alexnet_tui.runs.run_ids import REFERENCE, STUDIES
from alexnet_tui.runs.store import Store
from alexnet_tui.studies import study_files
from alexnet_tui.studies.study_files import folder_path


class ExportResult(msgspec.Struct):
    """What was packed.

    Attributes:
        runs: Ids of the runs.
        left_out: A sentence for each run and each study that holds a file which cannot be read.
    """

    runs: list[str] = msgspec.field(default_factory=list)
    left_out: list[str] = msgspec.field(default_factory=list)


def write_archive(store: Store, names: Iterable[str], path: Path, *, with_checkpoints: bool = False) -> ExportResult:
    """Pack runs and studies into a ``.tar.gz``, whole or not at all.

    Where none is named, those are left out that hold a file which cannot be read.

    Args:
        names: Studies (with all their runs), runs, or ``reference``; none means every own run and study, or where there
            is none the reference runs.

    Raises:
        RunNotFoundError: A name is neither a study nor a run, or there is nothing to pack.
        StoreError: Something that is named, or all there is, cannot be read; or the file cannot be written.
    """
    names, result = list(names), ExportResult()
    runs, studies = _named(store, names)
    try:
        if path.is_dir() or (path.exists() and not path.is_file()):
            raise StoreError(path, "this is no file; name one that ends in .tar.gz.")
        runs = {
            run_id: directory
            for run_id, directory in runs.items()
            if _is_whole_to_read(_run_files(directory, with_checkpoints), result, is_needed=bool(names))
        }
        studies = {
            name: directory
            for name, directory in studies.items()
            if _is_whole_to_read(_study_files(directory), result, is_needed=bool(names))
        }
        if not runs and not studies:
            raise StoreError(store.root, f"there is nothing that can be packed. {result.left_out[0]}")
        temporary = path.with_name(temporary_name(path.name))
        try:
            with temporary.open("xb") as file, tarfile.open(fileobj=file, mode="w:gz", compresslevel=6) as archive:
                for directory in runs.values():
                    _pack_all(archive, _run_files(directory, with_checkpoints))
                for directory in studies.values():
                    _pack_all(archive, _study_files(directory))
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(path, f"the archive cannot be written ({reason_of(error)}).") from error
    result.runs = list(runs)
    return result


def _named(store: Store, names: list[str]) -> tuple[dict[str, Path], dict[str, Path]]:
    """The directories of the runs, and the plans' paths without their ending, by name."""
    runs, studies = dict[str, Path](), dict[str, Path]()
    shipped = Store(store.reference_root)
    records, own_studies = store.list().runs, study_files.names(store)
    own = [one for one in records if not store.is_reference(one.id)]
    if not names and (own or own_studies):
        return (
            {one.id: store.path(one.id) for one in own},
            {name: folder_path(store, name) for name in own_studies},
        )
    if not names:
        _check_fallback(store, has_runs=bool(records))
    for name in names or [REFERENCE]:
        if name in own_studies:
            studies[name] = folder_path(store, name)
            members = [one.id for one in own if one.study == name]
        elif name == REFERENCE:
            studies |= {one: folder_path(shipped, one) for one in study_files.names(shipped)}
            members = [one.id for one in records if store.is_reference(one.id)]
            if not members:
                raise RunNotFoundError(store.root, "there are no reference runs.")
        else:
            members = [store.resolve(name)]
        runs |= {run_id: store.path(run_id) for run_id in members}
    return runs, studies


def _check_fallback(store: Store, *, has_runs: bool) -> None:
    """Refuse to pack the reference runs in place of own ones where there are none, or no runs folder."""
    if not store.root.is_dir():
        named = shell_command("export", REFERENCE, "--archive", "--output", "FILE.tar.gz")
        more = f"; `{named}` packs the reference runs" if has_runs else ""
        raise RunNotFoundError(store.root, f"there is no such folder; name the one with your runs by --runs-dir{more}.")
    if not has_runs:
        first = shell_command(*FIRST_RUN_WORDS, root=store.root)
        raise RunNotFoundError(store.root, f"there is no run and no study to pack; `{first}` trains a first run.")


def _is_whole_to_read(files: Iterator[tuple[Folder, Parts]], result: ExportResult, *, is_needed: bool) -> bool:
    """Whether all files of a run or a study can be read; one that is not needed is left out where they cannot."""
    try:
        for folder, parts in files:
            if (descriptor := folder.open(parts[-1])) is not None:
                os.close(descriptor)
    except StoreError as error:
        if is_needed:
            raise
        result.left_out.append(str(error))
        return False
    return True


def _run_files(directory: Path, with_checkpoints: bool) -> Iterator[tuple[Folder, Parts]]:
    """The files of a run, each with the folder it is in and its path in an archive."""
    with Folder(directory) as run:
        for folder, parts in _record_files(run, with_checkpoints=with_checkpoints):
            yield folder, (RUNS, directory.name, *parts)


def _record_files(folder: Folder, above: Parts = (), *, with_checkpoints: bool) -> Iterator[tuple[Folder, Parts]]:
    """The files of a run's record, each with the folder it is in and its path from the run's folder."""
    for name in folder.names():
        parts = (*above, name)
        status = folder.stat(name)
        if status is None or (parts == (CHECKPOINTS,) and not with_checkpoints):
            continue
        if limit_of(parts):
            yield folder, parts
        elif stat.S_ISDIR(status.st_mode) and len(parts) < DEEPEST and not is_hidden(name):
            below = folder.folder(name)
            if below is not None:  # A trainer may have removed an old checkpoint just now.
                with below:
                    yield from _record_files(below, parts, with_checkpoints=with_checkpoints)


def _study_files(path: Path) -> Iterator[tuple[Folder, Parts]]:
    """The files of a study, as `_run_files` gives those of a run."""
    with Folder(path.parent) as studies:
        yield studies, (RUNS, STUDIES, f"{path.name}.json")
        if state := studies.folder(path.name):
            with state:
                for name in STUDY_FILES:
                    yield state, (RUNS, STUDIES, path.name, name)


def _pack_all(archive: tarfile.TarFile, files: Iterator[tuple[Folder, Parts]]) -> None:
    for folder, parts in files:
        _pack(archive, folder, parts)


def _pack(archive: tarfile.TarFile, folder: Folder, parts: Parts) -> None:
    """Add a file, if it is there, without anything that names this user; of events only whole lines."""
    descriptor = folder.open(parts[-1])
    if descriptor is None:
        return
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        member = tarfile.TarInfo("/".join(parts))
        member.size, member.mtime, member.mode = status.st_size, int(status.st_mtime), 0o644
        if parts[-1] == EVENTS_FILE:
            member.size = _end_of_lines(descriptor, status.st_size)
        archive.addfile(member, file)


def _end_of_lines(descriptor: int, size: int) -> int:
    """Where the last whole line ends; a trainer may be writing the next."""
    start = max(0, size - MAX_LINE_BYTES)
    return start + os.pread(descriptor, size - start, start).rfind(b"\n") + 1
