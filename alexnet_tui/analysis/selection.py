"""From names to runs: studies, their groups, experiments, run ids, the reference runs, or whatever there is."""

from collections.abc import Iterable, Sequence

import msgspec

from alexnet_tui.analysis.groups import Missing
from alexnet_tui.analysis.verdict.registration import PlannedStudy, examine, is_registered
from alexnet_tui.command_lines import ShellCommand, commands_on, shell_command
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
        command: What makes command lines that mean the folder of these runs.
        foreign: Ids of runs that other programs trained, left out where runs are judged.
    """

    title: str
    histories: list[RunHistory]
    states: dict[str, State] = msgspec.field(default_factory=dict)
    problems: list[str] = msgspec.field(default_factory=list)
    missing: list[Missing] = msgspec.field(default_factory=list)
    planned: list[PlannedStudy] = msgspec.field(default_factory=list)
    train: str = shell_command(*_REPRODUCE)
    command: ShellCommand = shell_command
    foreign: list[str] = msgspec.field(default_factory=list)

    def need_runs(self) -> None:
        """Refuse a selection of nothing.

        Raises:
            UsageError: What was asked for has no run.
        """
        if not self.histories and self.foreign:
            raise UsageError(f"{printable(self.title)} has no run that this program trained; others are not judged.")
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
        names: Studies, experiments (``tanh``: all runs of it), groups of studies (``mine/dropout-0``, ``dropout-0``),
            run ids, or `reference`.
        skip_steps: Do without what happened between epochs.
        find: Where runs are known already; else they are read from the disk.
        has_foreign: Take runs that other programs trained, too: for showing, not for judging.
        needs_finished: Without a name, take own runs only where one has finished, as a report does.

    Raises:
        UsageError: There are no reference runs.
        RunNotFoundError: A name is neither a study nor a run.
        StoreError: The runs folder cannot be read.
    """
    reader = _Reader(store, find, skip_steps=skip_steps, has_foreign=has_foreign)
    if asked := list(dict.fromkeys(names)):
        return reader.read_named(asked)
    return reader.read_own(needs_finished=needs_finished) or reader.read_named([REFERENCE])


class _Reader:
    """Reads the runs of a folder that are asked for, as `select_runs` says."""

    def __init__(self, store: Store, find: planned_runs.Find | None, *, skip_steps: bool, has_foreign: bool) -> None:
        self._store, self._find, self._has_foreign = store, find, has_foreign
        self._look: planned_runs.Find = find or (lambda run_id: load(store, run_id, skip_steps=skip_steps))
        self._advise = commands_on(store.root)
        listing = store.list()
        self._records, self._problems, self._foreign = listing.runs, list(listing.problems), list[str]()
        self._reference_ids = {record.id for record in listing.runs if store.is_reference(record.id)}

    def read_own(self, *, needs_finished: bool) -> Selection | None:
        """The user's own runs; None where the reference runs take their place."""
        ids = [record.id for record in self._records if record.id not in self._reference_ids]
        own = self._read(ids)
        is_enough = not needs_finished and len(ids) > len(own.foreign)
        if self._reference_ids and not is_enough and State.FINISHED not in own.states.values():
            return None
        planned = self._planned(self._store, study_files.names(self._store), own.histories)
        return msgspec.structs.replace(own, title="all runs", planned=planned, train=self._advise(*_REPRODUCE))

    def read_named(self, names: Sequence[str]) -> Selection:
        """The runs that studies, experiments and run ids name."""
        studies = set(study_files.names(self._store)) - {REFERENCE}
        ids, missing, train = dict[str, None](), list[Missing](), self._advise(*_REPRODUCE)
        for name in names:
            members = self._members(name, is_study=name in studies)
            if name in studies:
                missing += self._missing(self._store, name)
                train = train if members else self._advise("study", "run", name)
            elif not members:
                members = [_resolve(self._store, name)]
            ids.update(dict.fromkeys(members))
        found = self._read(ids)
        planned = self._planned(self._store, [name for name in names if name in studies], found.histories)
        if REFERENCE in names:
            shipped = Store(self._store.reference_root)
            planned += self._planned(shipped, study_files.names(shipped), found.histories)
        return msgspec.structs.replace(found, title=_title(names), missing=missing, planned=planned, train=train)

    def _members(self, name: str, *, is_study: bool) -> list[str]:
        """Ids of the runs of a study, of the reference runs, or of an experiment, the oldest first."""
        oldest_first = list(reversed(self._records))
        if name == REFERENCE:
            return [record.id for record in oldest_first if record.id in self._reference_ids]
        # A study of the same name may have made reference runs; they are not this user's.
        mine = [one for one in oldest_first if one.id not in self._reference_ids and one.foreign is None]
        if members := [record.id for record in mine if record.study == name]:
            return members
        if is_study:
            return []
        own = [record.id for record in mine if record.config.variant == name]
        return own or [record.id for record in oldest_first if record.config.variant == name] or self._group(name, mine)

    def _group(self, name: str, mine: Sequence[RunRecord]) -> list[str]:
        """Ids of the runs of a group of a plan, of all studies or of one: ``dropout-0``, ``mine/dropout-0``."""
        study, _, group = name.rpartition("/")
        made = [record for record in mine if record.study and study in {"", record.study}]
        planned = planned_runs.groups_of(self._store, made)
        return [record.id for record in made if record.id in planned and planned[record.id].name == group]

    def _read(self, ids: Iterable[str]) -> Selection:
        found = Selection("", [], {}, self._problems, command=self._advise, foreign=self._foreign)
        for run_id in ids:
            try:
                known = self._look(run_id)
            except StoreError as error:
                self._problems.append(str(error))
                continue
            if known is None:  # Deleted a moment ago.
                continue
            history, state = known
            if history.record.foreign and not self._has_foreign:
                self._foreign.append(run_id)
            else:
                found.histories.append(history)
                found.states[run_id] = state
        return found

    def _planned(self, store: Store, names: Iterable[str], histories: Sequence[RunHistory]) -> list[PlannedStudy]:
        """The registered studies of these names that have a run."""
        found, plans = list[PlannedStudy](), readable_plans(store)
        for name in names:
            members = [run for run in histories if run.record.study == name and store.is_in(run.id)]
            try:
                plan = load_plan(store, name) if members else None
                if plan and is_registered(plan):
                    found.append(examine(store, plan, members, self._missing(store, name), plans))
            except StoreError as error:
                self._problems.append(str(error))
        return found

    def _missing(self, store: Store, name: str) -> list[Missing]:
        """The planned runs of a study that are not there."""
        plan = load_plan(store, name)
        return [
            Missing(plan.configs[cell.index], cell.state)
            for cell in planned_runs.status(store, plan, self._find)
            if cell.state in tuple(planned_runs.PlannedRunState)
        ]


def _title(names: Sequence[str]) -> str:
    if list(names) == [REFERENCE]:
        return "the reference runs"
    return ", ".join(printable(name, 60) for name in names[:6]) + (" and more" if len(names) > 6 else "")


def _resolve(store: Store, name: str) -> str:
    """The id of the run that a name begins, or stands for."""
    if name == REFERENCE:
        raise UsageError(f"there are no reference runs under {store.reference_root}.")
    try:
        return store.resolve(name)
    except AmbiguousRunError:
        raise
    except StoreError as error:
        study, _, group = name.rpartition("/")
        if study in study_files.names(store):
            groups = ", ".join(load_plan(store, study).group_names[:8])
            reason = f"study {quoted(study)} has no run of a group {quoted(group, 80)}; its groups are {groups}."
            raise RunNotFoundError(store.root, reason) from error
        lists = f"`{shell_command('runs', root=store.root)}` lists the runs."
        reason = f"there is no study and no run {quoted(name, 80)}; {store.label_hint(name) or lists}"
        raise RunNotFoundError(store.root, reason) from error
