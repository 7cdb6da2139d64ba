"""``ledger.jsonl``: an append-only record of a study, each line carrying the hash of the one before.

A line is canonical JSON (sorted keys, no blanks). `Entry.previous` is the SHA-256 of the line before without its
newline, so that a line that was changed, removed or put in between breaks the chain for everyone who recomputes it.
The last line has nothing behind it: cutting lines off the end is not seen in the file alone.
"""

import errno
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from alexnet_tui.errors import StoreError
from alexnet_tui.files import open_regular, open_safely, read_small, reason_of, sha256_of
from alexnet_tui.folder import PRIVATE_FILE
from alexnet_tui.json_io import UNDECODABLE, reason_of_damage
from alexnet_tui.locks import locked
from alexnet_tui.runs.events import Seconds
from alexnet_tui.runs.origin import IMPORTED_FILE, Imported

LEDGER_FILE = "ledger.jsonl"
LEDGER_VERSION = 1
_MAX_BYTES, _MAX_LINES = 1 << 26, 200_000
Kind = Literal["registered", "rebuilt", "made", "started", "resumed", "ended", "failed", "deleted", "extended"]


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line.

    Attributes:
        v: Version of the format.
        seq: Number of the line, from 0.
        wall: When it happened, in seconds since 1970; of a run, by the clock of the machine that trained it.
        kind: ``registered``: the plan was written. ``rebuilt``: there was no ledger; what had happened by then was
            taken from the runs' own records. ``made``: a run was put into the queue. ``started``, ``resumed``: an
            attempt at a run began. ``ended``: it stopped on request, or finished. ``failed``: it cannot go on.
            ``deleted``: the run was removed. ``extended``: a later plan adds seeds to this one.
        cell: Position of the run in the plan, or None where the line is about no run.
        run: Id of the run, or empty.
        attempt: Which start of the run, from 1; 0 where the line is about none.
        outcome: Of a run that ended: ``finished`` or ``stopped``; of one that failed, why (``diverged``, ``oom``...);
            of one that was deleted, its state then.
        plan_sha256: Hash of the plan, on lines about a plan.
        record_bytes: Length of the run's ``events.jsonl`` when it finished.
        record_sha256: SHA-256 of that many bytes of it.
        study: Name of the plan that extends this one.
        previous: SHA-256 of the line before; empty on the first.
    """

    v: int = LEDGER_VERSION
    seq: int = 0
    wall: Seconds = 0.0
    kind: Kind
    cell: int | None = None
    run: str = ""
    attempt: int = 0
    outcome: str = ""
    plan_sha256: str = ""
    record_bytes: int = 0
    record_sha256: str = ""
    study: str = ""
    previous: str = ""

    @property
    def is_beginning(self) -> bool:
        """Whether the account of a plan begins here."""
        return self.kind in {"registered", "rebuilt"}

    @property
    def is_finish(self) -> bool:
        """Whether a run reached its last epoch."""
        return self.kind == "ended" and self.outcome == "finished"


class Problem(msgspec.Struct, frozen=True):
    """Where a ledger is damaged, or where it and the record of a run disagree.

    Attributes:
        sentence: What is wrong.
        run: Id of the run it is about, or empty.
    """

    sentence: str
    run: str = ""

    @property
    def text(self) -> str:
        """The sentence, behind the name of the run it is about."""
        return f"run {self.run}: {self.sentence}" if self.run else self.sentence


class Ledger(msgspec.Struct, frozen=True):
    """What a ledger says.

    Attributes:
        entries: Its lines, in order; those that cannot be read are left out and named in `problems`.
        problems: Each place where the file is damaged or its chain broken.
        is_rebuilt: It was made from the runs' own records after the fact, not line by line as things happened.
        num_written: How many of the entries are in the file; those after them are not noted yet.
    """

    entries: tuple[Entry, ...] = ()
    problems: tuple[Problem, ...] = ()
    is_rebuilt: bool = False
    num_written: int = 0


def canonical(content: Mapping[str, object]) -> bytes:
    """JSON with sorted keys and no blanks, in UTF-8: one text for one content.

    Raises:
        ValueError: It holds a number that is none, or nests too deeply.
    """
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8", "surrogatepass")


def read_file(path: Path) -> Ledger:
    """The lines of a ledger, each checked against the one before; without a file, none.

    Raises:
        StoreError: The file is no regular file, too large, or cannot be read.
    """
    return _parse(_read(path), _renamed(path.parent))


def _read(path: Path) -> bytes:
    descriptor = open_regular(path)
    if descriptor is None:
        return b""
    with os.fdopen(descriptor, "rb") as file:
        content = file.read(_MAX_BYTES + 1)
    if len(content) > _MAX_BYTES or content.count(b"\n") > _MAX_LINES:
        raise StoreError(path, "the file is too large to be what it should be.")
    return content


def _renamed(folder: Path) -> dict[str, str]:
    """New names of runs that an import had to rename; the ledger itself is left as it was written."""
    content = read_small(folder / IMPORTED_FILE)
    if content is None:
        return {}
    try:
        return msgspec.json.decode(content, type=Imported).runs
    except UNDECODABLE as error:
        raise StoreError(folder / IMPORTED_FILE, f"it cannot be read: {reason_of_damage(error)}.") from error


def _parse(content: bytes, renamed: Mapping[str, str]) -> Ledger:
    entries, problems, previous = list[Entry](), list[Problem](), ""
    *lines, rest = content.split(b"\n")
    for number, line in enumerate(lines, 1):
        try:
            entry = msgspec.json.decode(line, type=Entry)
        except UNDECODABLE as error:
            problems.append(Problem(f"line {number} cannot be read ({reason_of_damage(error)})."))
        else:
            new = renamed.get(entry.run)
            entries.append(msgspec.structs.replace(entry, run=new) if new else entry)
            if entry.previous != previous:
                sentence = f"line {number} does not follow from the line before it: one of them was changed."
                problems.append(Problem(sentence))
        previous = sha256_of(line)
    if rest:
        problems.append(Problem("the last line is torn; the next one written mends it."))
    is_rebuilt = any(entry.kind == "rebuilt" for entry in entries)
    return Ledger(tuple(entries), tuple(problems), is_rebuilt, len(entries))


def append(folder: Path, *entries: Entry) -> Ledger:
    """Add lines to a study's ledger, as `append_made` does."""
    return append_made(folder, lambda found: entries)


def append_made(folder: Path, make: Callable[[Ledger], Sequence[Entry]]) -> Ledger:
    """Add lines to a study's ledger; a torn last line is cut off first.

    Args:
        make: From the ledger as it is now to the entries to add; called while nobody else can write. Numbers, hashes
            and a missing time are filled in.

    Returns:
        The ledger with the new lines.

    Raises:
        StoreError: The file is no regular file or cannot be written.
    """
    path, renamed = folder / LEDGER_FILE, _renamed(folder)
    with locked(path):
        content = _read(path)
        end = content.rfind(b"\n") + 1
        found = _parse(content[:end], renamed)
        *past, _ = content[:end].split(b"\n")
        previous = sha256_of(past[-1]) if past else ""
        lines: list[bytes] = []
        for entry in make(found):
            numbered = msgspec.structs.replace(
                entry, seq=len(past) + len(lines), wall=entry.wall or time.time(), previous=previous
            )
            line = canonical(msgspec.to_builtins(numbered) | {"v": numbered.v, "seq": numbered.seq})
            previous = sha256_of(line)
            lines.append(line + b"\n")
        if lines or end < len(content):
            try:
                _write(path, b"".join(lines), end)
            except OSError as error:
                raise StoreError(path, f"the ledger cannot be written ({reason_of(error)}).") from error
        return _parse(content[:end] + b"".join(lines), renamed)


def _write(path: Path, content: bytes, end: int) -> None:
    """All of the lines or none, behind the first `end` bytes of a ledger; what is there beyond these is cut off."""
    descriptor = open_safely(path, path, os.O_WRONLY | os.O_CREAT, mode=PRIVATE_FILE, writes=True)
    if descriptor is None:
        raise FileNotFoundError(errno.ENOENT, "its folder was removed")
    try:
        os.ftruncate(descriptor, end)
        try:
            if content and os.pwrite(descriptor, content, end) < len(content):
                raise OSError("only a part was written")
            os.fsync(descriptor)
        except OSError:
            os.ftruncate(descriptor, end)
            raise
    finally:
        os.close(descriptor)
