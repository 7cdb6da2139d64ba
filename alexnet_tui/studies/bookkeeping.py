"""A study's ledger, brought up to date from the records of its runs, and which runs count by it.

A run's record says when it was started, resumed and ended. The ledger repeats that line by line as it happens, so
that what is on disk later can be held against it: of every run, the lines of the ledger are the beginning of what
the record says. Whatever the ledger has not noted yet is added by the next who may write (`update`), or only shown
(`read`).
"""

import heapq
import os
from collections.abc import Collection, Iterator, Mapping
from operator import attrgetter

import msgspec

from alexnet_tui.errors import RunNotFoundError, StoreError
from alexnet_tui.files import open_regular
from alexnet_tui.runs import events as ev
from alexnet_tui.runs.run_files import EVENTS_FILE
from alexnet_tui.runs.store import Store
from alexnet_tui.studies import ledger, study_files
from alexnet_tui.studies.ledger import LEDGER_FILE, Entry, Kind, Ledger, Problem
from alexnet_tui.studies.plan import LEDGER_SINCE, Plan, check_is_current
from alexnet_tui.text import printable

FOUND_MISSING = "found missing"
"""Outcome of a deletion that nobody noted: the folder is gone."""
_FACTS = ("started", "resumed", "ended", "failed")
_PIECE_BYTES = 1 << 20


class Account(msgspec.Struct, frozen=True):
    """Which runs of a plan count, and what became of the others.

    Attributes:
        counted: Cell to the run that counts for it: the first that finished, whether it still exists or not.
        repeated: Runs that finished after another run of their cell had, to their cell. They do not count.
        deleted: Runs that were removed, to their state then; ``found missing`` where nobody noted it.
        failed: Runs whose last attempt failed, to the reason.
    """

    counted: Mapping[int, str]
    repeated: Mapping[str, int]
    deleted: Mapping[str, str]
    failed: Mapping[str, str]


def read(store: Store, plan: Plan) -> Ledger:
    """The ledger of a study, followed by what its runs' records say beyond it; nothing is written.

    Returns:
        `Ledger.entries` is the whole account so far, in order. For a study of an earlier version, which has no
        ledger, it is made from the runs' own records, and `Ledger.is_rebuilt` says so. `Ledger.problems` names
        each place where file, chain and records disagree; none of them is fatal.

    Raises:
        StoreError: The runs folder or the ledger cannot be read.
    """
    found = ledger.read_file(study_files.folder_path(store, plan.name) / LEDGER_FILE)
    members = _members(store, plan)
    facts = {run_id: _facts(store, run_id, cell) for run_id, cell in members.items()}
    new = _missing(store, plan, found, members, facts)
    returned = _finished_before_they_were_gone(found)
    new = [_with_hash(store, entry, returned) if entry.run in returned else entry for entry in new]
    problems = [*found.problems, *_problems_with_plan(plan, found), *_problems_with_records(found, facts)]
    return msgspec.structs.replace(
        found,
        entries=(*found.entries, *new),
        problems=tuple(problems),
        is_rebuilt=found.is_rebuilt or any(entry.kind == "rebuilt" for entry in new),
    )


def account(found: Ledger) -> Account:
    """Which runs count, by a study's whole ledger as `read` gives it."""
    counted: dict[int, str] = {}
    repeated: dict[str, int] = {}
    deleted: dict[str, str] = {}
    failed: dict[str, str] = {}
    known: dict[tuple[str, str], Entry] = {}  # Of every run, how it began and how it finished for the first time.
    for entry in found.entries:
        if entry.cell is None:
            continue
        if entry.is_finish or entry.kind == "started":
            before = known.setdefault((entry.run, entry.kind), entry)
            if entry.run in deleted and _is_back(before, entry, deleted[entry.run], known):
                del deleted[entry.run]
        # A run that was made anew under the id of a deleted one is another run.
        if entry.is_finish and (counted.setdefault(entry.cell, entry.run) != entry.run or entry.run in deleted):
            repeated[entry.run] = entry.cell
        if entry.kind == "deleted":
            deleted[entry.run] = entry.outcome
        failed.pop(entry.run, None)
        if entry.kind == "failed":
            failed[entry.run] = entry.outcome
    return Account(counted, repeated, deleted, failed)


def _is_back(before: Entry, entry: Entry, how_it_went: str, known: Mapping[tuple[str, str], Entry]) -> bool:
    """Whether a run whose folder was gone is there again as it was.

    By its record; of one that had not finished, and that nobody deleted, by its beginning.
    """
    if entry.is_finish:
        return entry is not before and entry.record_sha256 != "" and _record(entry) == _record(before)
    return how_it_went == FOUND_MISSING and (entry.run, "ended") not in known and entry.wall == before.wall


def _record(entry: Entry) -> tuple[int, str]:
    return entry.record_bytes, entry.record_sha256


def update(store: Store, plan: Plan, members: Mapping[str, int] | None = None) -> Ledger:
    """Write what the ledger has not noted yet; the ledger as it is then.

    Args:
        members: Run to cell, of those that may have changed; None looks at all runs of the folder.

    Raises:
        RunNotFoundError: The study was removed.
        StoreError: Another one has its name now, or the ledger cannot be written.
    """
    check_is_current(store, plan)
    looked_at = _members(store, plan) if members is None else members
    facts = {run_id: _facts(store, run_id, cell) for run_id, cell in looked_at.items()}

    def make(found: Ledger) -> list[Entry]:
        returned = _finished_before_they_were_gone(found)
        return [_with_hash(store, entry, returned) for entry in _missing(store, plan, found, looked_at, facts)]

    return ledger.append_made(study_files.make_folder(store, plan.name), make)


def note_made(store: Store, plan: Plan, run_ids: Mapping[int, str], new: Collection[int]) -> None:
    """Write which runs were made for a plan, as far as its ledger does not name them: a crash may have lost lines.

    Args:
        run_ids: Cell to run.
        new: Cells whose runs were made just now; a new run may have the id of a deleted one.

    Raises:
        StoreError: The ledger cannot be written.
    """

    def make(found: Ledger) -> list[Entry]:
        named = {entry.run for entry in found.entries}
        made = [
            Entry(kind="made", cell=cell, run=run_id)
            for cell, run_id in sorted(run_ids.items())
            if cell in new or (run_id not in named and not _is_another(store, plan, cell, run_id))
        ]
        return _begun(found, plan, made)

    ledger.append_made(study_files.make_folder(store, plan.name), make)


def _is_another(store: Store, plan: Plan, cell: int, run_id: str) -> bool:
    """Whether a run is there, and was not made for a cell of a plan."""
    try:
        record = store.record(run_id)
    except StoreError:
        return False
    return not (plan.has_made(record) and record.config == plan.configs[cell])


def _begun(found: Ledger, plan: Plan, new: list[Entry]) -> list[Entry]:
    """Entries for a ledger, behind the line that it was rebuilt where it has no beginning."""
    if new and not any(entry.is_beginning for entry in found.entries):
        return [Entry(kind="rebuilt", plan_sha256=plan.sha256), *new]
    return new


def _finished_before_they_were_gone(found: Ledger) -> dict[str, Entry]:
    """Runs whose folder was gone when it was last looked for, to how they had finished."""
    gone = {entry.run for entry in found.entries if entry.kind == "deleted"}
    finishes = [entry for entry in reversed(found.entries) if entry.is_finish and entry.run in gone]
    return {entry.run: entry for entry in finishes}  # The first finish of each.


def _with_hash(store: Store, entry: Entry, returned: Mapping[str, Entry]) -> Entry:
    """A run's finish with the hash of its record, for `changed_records`.

    Args:
        store: The runs folder.
        entry: Any entry.
        returned: Runs that had finished, and were gone since, to that finish: as much is read of them as then.
    """
    if not entry.is_finish:
        return entry
    before = returned.get(entry.run)
    size, digest = _hash(store, entry.run, before.record_bytes if before else None)
    return msgspec.structs.replace(entry, record_bytes=size, record_sha256=digest)


def changed_records(store: Store, found: Ledger) -> list[Problem]:
    """Finished runs whose events are not those that were there when it finished."""
    problems = []
    finishes = [entry for entries in _noted(found).values() for entry in entries if entry.is_finish]
    for entry in finishes:
        if not entry.record_sha256:
            continue
        try:
            if _hash(store, entry.run, entry.record_bytes)[1] != entry.record_sha256:
                problems.append(Problem("its events were changed after it had finished.", entry.run))
        except RunNotFoundError:
            continue
        except StoreError as error:
            problems.append(Problem(str(error), entry.run))
    return problems


def problems(store: Store, found: Ledger) -> list[str]:
    """Where a study's ledger, as `read` gives it, is damaged, or its runs' records are not those it noted."""
    return [problem.text for problem in (*found.problems, *changed_records(store, found))]


def _members(store: Store, plan: Plan) -> dict[str, int]:
    """Run to cell, of all runs made for a plan, the oldest first."""
    cells = plan.cells
    return {
        record.id: cells[record.config]
        for record in reversed(store.list().runs)
        if plan.has_made(record) and record.config in cells and store.is_in(record.id)
    }


def _missing(
    store: Store, plan: Plan, found: Ledger, members: Mapping[str, int], facts: Mapping[str, list[Entry]]
) -> list[Entry]:
    """The entries that a ledger lacks: what the runs' records say beyond it, and runs that are gone.

    Args:
        members: Run to cell, of the runs that are looked at.
        facts: Run to what its record says (`_facts`).
    """
    noted = _noted(found)
    unnoted = [every[len(noted.get(run_id, ())) :] for run_id, every in facts.items()]
    new = list(heapq.merge(*unnoted, key=attrgetter("wall")))  # A clock set back changes no order within a run.
    known = {**members, **{entry.run: entry.cell for entry in found.entries if entry.run}}
    last = {entry.run: entry.kind for entry in found.entries}
    new += [
        Entry(kind="deleted", cell=cell, run=run_id, outcome=FOUND_MISSING)
        for run_id, cell in known.items()
        if last.get(run_id) != "deleted" and not _exists(store, run_id)
    ]
    return _begun(found, plan, new)


def _noted(found: Ledger) -> dict[str, list[Entry]]:
    """What the ledger says of each run since its id was last given to one."""
    noted: dict[str, list[Entry]] = {}
    for entry in found.entries:
        if entry.kind in _FACTS:
            noted.setdefault(entry.run, []).append(entry)
        elif entry.kind == "deleted":
            noted.pop(entry.run, None)
    return noted


def _facts(store: Store, run_id: str, cell: int) -> list[Entry]:
    """What a run's own record says of its attempts, in order; nothing where it cannot be read."""
    facts = list[Entry]()
    try:
        reader = store.reader(run_id, skip_steps=True)
        while events := reader.read_new():
            for event in events:
                if fact := _fact(event, run_id, cell, is_first=not facts):
                    facts.append(fact)
    except StoreError:
        return []
    return facts


def _fact(event: ev.KnownEvent, run_id: str, cell: int, *, is_first: bool) -> Entry | None:
    kind: Kind
    match event:
        case ev.Started():
            kind, outcome = ("started" if is_first else "resumed"), ""
        case ev.Finished():
            kind, outcome = "ended", "finished"
        case ev.Stopped():
            kind, outcome = "ended", "stopped"
        case ev.Failed():
            kind, outcome = "failed", printable(event.reason, 40)
        case _:
            return None
    return Entry(kind=kind, cell=cell, run=run_id, attempt=event.attempt, outcome=outcome, wall=event.wall)


def _problems_with_plan(plan: Plan, found: Ledger) -> Iterator[Problem]:
    """Where a ledger is not that of a plan from its beginning."""
    if plan.v >= LEDGER_SINCE and not found.entries:
        yield Problem("the ledger is missing; this plan was written together with one.")
    plans = [entry for entry in found.entries if entry.is_beginning]
    if plans and plan.sha256 not in {entry.plan_sha256 for entry in plans}:
        yield Problem("the ledger was written for another plan: this plan's hash is not in it.")
    runs_before = [entry for entry in found.entries if entry.run and entry.seq < max((p.seq for p in plans), default=0)]
    if runs_before and len(plans) > 1:
        yield Problem("runs were trained under an earlier plan of this name before this one was registered.")


def _problems_with_records(found: Ledger, facts: Mapping[str, list[Entry]]) -> Iterator[Problem]:
    """Where the records of the runs no longer say what the ledger noted."""
    for run_id, entries in _noted(found).items():
        said = [(fact.kind, fact.attempt, fact.outcome) for fact in facts.get(run_id, ())]
        if run_id in facts and said[: len(entries)] != [(one.kind, one.attempt, one.outcome) for one in entries]:
            yield Problem("its record no longer says what the ledger noted of it.", run_id)


def _exists(store: Store, run_id: str) -> bool:
    try:
        store.path(run_id)
    except RunNotFoundError:
        return False
    except StoreError:
        return True
    return True


def _hash(store: Store, run_id: str, size: int | None = None) -> tuple[int, str]:
    """Length and SHA-256 of a run's events, or of the first `size` bytes of them."""
    import hashlib  # Loads OpenSSL.

    descriptor = open_regular(store.path(run_id) / EVENTS_FILE)
    if descriptor is None:
        return 0, ""
    digest = hashlib.sha256()
    with os.fdopen(descriptor, "rb") as events:
        left = os.fstat(descriptor).st_size if size is None else size
        total = left
        while left > 0 and (piece := events.read(min(left, _PIECE_BYTES))):
            digest.update(piece)
            left -= len(piece)
    return total, digest.hexdigest()
