"""From names to runs: studies, experiments, run ids, the reference runs, or whatever there is."""

from collections.abc import Collection, Iterable, Sequence

import msgspec

from alexnet_tui.analysis.groups import Missing
from alexnet_tui.analysis.verdict.registration import PlannedStudy, examine, is_registered
from alexnet_tui.command_lines import commands_on, shell_command
from alexnet_tui.errors import AmbiguousRunError, RunNotFoundError, StoreError, UsageError
from alexnet_tui.runs.follow import load
from alexnet_tui.runs.history import RunHistory
from alexnet_tui.runs.record import RunRecord
from alexnet_tui.runs.run_ids import REFERENCE
from alexnet_tui.runs.state import State
from alexnet_tui.runs.store import Store
from alexnet_tui.studies import planned_runs, study_files
from alexnet_tui.studies.plan import load_plan, readable_plans
from alexnet_tui.text import printable, quoted

_REPRODUCE = ("study", "reproduce")


class Selection(msgspec.Struct, frozen=True):
    """Runs read from a store.

    Attributes:
        title: What was asked for.
        histories: The runs.
        states: State of a run by its id.
        problems: A sentence for each run that could not be read.
        missing: Runs that a plan asks for and that are not there.
        planned: Registered studies that were asked for as a whole; their runs are among `histories` too.
        train: The command line that makes what is missing.
        foreign: Ids of runs that other programs trained, left out where runs are judged.
    """

    title: str
    histories: list[RunHistory]
    states: dict[str, State] = msgspec.field(default_factory=dict)
    problems: list[str] = msgspec.field(default_factory=list)
    missing: list[Missing] = msgspec.field(default_factory=list)
    planned: list[PlannedStudy] = msgspec.field(default_factory=list)
    train: str = shell_command(*_REPRODUCE)
    foreign: list[str] = msgspec.field(default_factory=list)

    def need_runs(self) -> None:
        """Refuse a selection of nothing.

        Raises:
            UsageError: What was asked for has no run.
        """
        if not self.histories:
            raise UsageError(f"{printable(self.title)} has no run yet; `{self.train}` trains what is planned.")


def select_runs(
    store: Store,
    names: Iterable[str] = (),
    *,
    skip_steps: bool = True,
    find: planned_runs.Find | None = None,
    has_foreign: bool = False,
    needs_finished: bool = True,
) -> Selection:
    """Read the runs that studies, experiments and run ids name; without a name all own runs, or the reference runs.

    Args:
        store: The runs folder.
        names: Studies, experiments (``tanh``: all runs of it), run ids, or `reference`.
        skip_steps: Do without what happened between epochs.
        find: Where runs are known already; else they are read from the disk.
        has_foreign: Take runs that other programs trained, too: for showing, not for judging.
        needs_finished: Without a name, take own runs only where one has finished, as a report does.

    Raises:
        UsageError: There are no reference runs.
        RunNotFoundError: A name is neither a study nor a run.
        StoreError: The runs folder cannot be read.
    """
    advise = commands_on(store.root)
    look = find or (lambda run_id: load(store, run_id, skip_steps=skip_steps))
    listing = store.list()
    problems, chosen = list(listing.problems), dict.fromkeys(names)
    reference = {record.id for record in listing.runs if store.is_reference(record.id)}
    passed_over = list[str]()
    if not chosen:
        own_ids = [record.id for record in listing.runs if record.id not in reference]
        own = _read(own_ids, problems, look, has_foreign)
        has_finished, passed_over = State.FINISHED in own.states.values(), own.foreign
        if has_finished or not reference or (not needs_finished and len(own_ids) > len(passed_over)):
            planned = _planned(store, study_files.names(store), own.histories, problems, find)
            return msgspec.structs.replace(own, title="all runs", planned=planned, train=advise(*_REPRODUCE))
        chosen = {REFERENCE: None}
    ids: dict[str, None] = {}
    plans, missing, train = set(study_files.names(store)) - {REFERENCE}, [], advise(*_REPRODUCE)
    for name in chosen:
        if name in plans:
            missing += _missing(store, name, find)
        members = _members(name, listing.runs, reference, is_study=name in plans)
        if name in plans and not members:
            train = advise("study", "run", name)
        ids.update(dict.fromkeys(members or ([] if name in plans else [_resolve(store, name)])))
    found = _read(ids, problems, look, has_foreign)
    planned = _planned(store, [name for name in chosen if name in plans], found.histories, problems, find)
    if REFERENCE in chosen:
        shipped = Store(store.reference_root)
        planned += _planned(shipped, study_files.names(shipped), found.histories, problems, find)
    foreign = [*passed_over, *found.foreign]
    return msgspec.structs.replace(
        found, title=_title(list(chosen)), missing=missing, planned=planned, train=train, foreign=foreign
    )


def _planned(
    store: Store,
    names: Iterable[str],
    histories: Sequence[RunHistory],
    problems: list[str],
    find: planned_runs.Find | None,
) -> list[PlannedStudy]:
    """The registered studies of these names that have a run."""
    found, plans = list[PlannedStudy](), readable_plans(store)
    for name in names:
        members = [run for run in histories if run.record.study == name and store.is_in(run.id)]
        try:
            plan = load_plan(store, name) if members else None
            if plan and is_registered(plan):
                found.append(examine(store, plan, members, _missing(store, name, find), plans))
        except StoreError as error:
            problems.append(str(error))
    return found


def _members(name: str, runs: Sequence[RunRecord], reference: Collection[str], *, is_study: bool) -> list[str]:
    """Ids of the runs of a study, of the reference runs, or of an experiment, the oldest first."""
    oldest_first = list(reversed(runs))
    if name == REFERENCE:
        return [record.id for record in oldest_first if record.id in reference]
    # A study of the same name may have made reference runs; they are not this user's.
    mine = [record for record in oldest_first if record.id not in reference and record.foreign is None]
    if members := [record.id for record in mine if record.study == name]:
        return members
    if is_study:
        return []
    own = [record.id for record in mine if record.config.variant == name]
    return own or [record.id for record in oldest_first if record.config.variant == name]


def _missing(store: Store, name: str, find: planned_runs.Find | None) -> list[Missing]:
    plan = load_plan(store, name)
    return [
        Missing(plan.configs[cell.index], cell.state)
        for cell in planned_runs.status(store, plan, find)
        if cell.state in tuple(planned_runs.PlannedRunState)
    ]


def _title(names: Sequence[str]) -> str:
    if list(names) == [REFERENCE]:
        return "the reference runs"
    return ", ".join(printable(name, 60) for name in names[:6]) + (" and more" if len(names) > 6 else "")


def _resolve(store: Store, name: str) -> str:
    if name == REFERENCE:
        raise UsageError(f"there are no reference runs under {store.reference_root}.")
    try:
        return store.resolve(name)
    except AmbiguousRunError:
        raise
    except StoreError as error:
        lists = shell_command("runs", root=store.root)
        reason = f"there is no study and no run {quoted(name, 80)}; `{lists}` lists the runs."
        raise RunNotFoundError(store.root, reason) from error


def _read(ids: Iterable[str], problems: list[str], look: planned_runs.Find, has_foreign: bool) -> Selection:
    found = Selection("", [], {}, problems)
    for run_id in ids:
        try:
            known = look(run_id)
        except StoreError as error:
            problems.append(str(error))
            continue
        if known is None:  # Deleted a moment ago.
            continue
        if known[0].record.foreign and not has_foreign:
            found.foreign.append(run_id)
        else:
            found.histories.append(known[0])
            found.states[run_id] = known[1]
    return found
