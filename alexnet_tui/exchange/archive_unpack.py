"""`unpack`: the files of records out of an archive into a staging folder, each in a place that is known beforehand.

An archive is hostile input: a list of names (`archive_files`) decides what is taken, everything else is left out and
told, and a single link, device or name that leads elsewhere refuses all of it.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path

from alexnet_tui.archive_reader import Kind, Limits, entries, inside
from alexnet_tui.datasets.left_out import is_hidden
from alexnet_tui.errors import ArchiveError
from alexnet_tui.exchange.archive_files import DEEPEST, JSON_BYTES, RUNS, STUDY_FILES, Parts, limit_of
from alexnet_tui.folder import Folder
from alexnet_tui.runs.run_ids import REFERENCE, RUN_ID, STUDIES
from alexnet_tui.studies.study_files import is_name
from alexnet_tui.text import quoted

LIMITS = Limits(least_bytes=1 << 24, ratio=50, entries=50_000)
"""The events of the reference runs shrink to a sixth."""
PLAN = "plan.json"


def unpack(path: Path, staged: Folder, leave_out: Callable[[str, str], None]) -> None:
    """Unpack what belongs to records: runs into ``runs/ID``, studies into ``studies/NAME``, each plan as `PLAN`.

    Args:
        path: The archive.
        staged: Where to, an empty folder.
        leave_out: Is told of everything else: the reason why it is not taken, and its name.

    Raises:
        ArchiveError: It is damaged, too large, or holds a link, a device or a name that leads elsewhere.
        OSError: It cannot be read, or the folder not written.
    """
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
            leave_out("hidden", entry.name)
            continue
        target = _target(parts)
        if target is None:
            leave_out("no part of a record", entry.name)
            continue
        place, limit = target
        if place in written:
            raise ArchiveError(f"{path} holds {quoted(entry.name, 120)} twice; nothing of it was imported.")
        written.add(place)
        _write(staged, place, _bounded(entry.pieces(), limit, f"{path}: {quoted(entry.name, 120)}"))


def _target(parts: Parts) -> tuple[Parts, int] | None:
    """Where a file of an archive is unpacked to, and how large it may be; None for one that is no part of a record.

    Records may be in folders of any names: ``runs/ID/run.json``, ``ID/run.json``, ``backup/runs/studies/NAME.json``.
    """
    match parts:
        case (*_, folder, file) if folder == STUDIES and file.endswith(".json") and is_name(file.removesuffix(".json")):
            return (STUDIES, file.removesuffix(".json"), PLAN), JSON_BYTES
        case (*_, folder, name, file) if folder == STUDIES and is_name(name) and file in STUDY_FILES:
            return (STUDIES, name, file), STUDY_FILES[file]
    for depth in range(1, DEEPEST + 1):
        run_id = parts[-depth - 1] if len(parts) > depth else ""
        limit = limit_of(parts[-depth:])
        if limit and RUN_ID.fullmatch(run_id) and run_id not in {STUDIES, REFERENCE}:
            return (RUNS, run_id, *parts[-depth:]), limit
    return None


def _bounded(pieces: Iterator[bytes], limit: int, name: str) -> Iterator[bytes]:
    size = 0
    for piece in pieces:
        size += len(piece)
        if size > limit:
            raise ArchiveError(f"{name} is larger than {limit:,} bytes; nothing of the archive was imported.")
        yield piece


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
