"""Registered studies: which runs count under a plan, and what a reader must know of the others.

A plan is written before its runs; `studies.bookkeeping` keeps the account of what became of them. Here that account,
the plan's hash and the checks of `integrity` decide which runs a verdict may rest on. Whatever does not count is named.
"""

import math
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress

import msgspec

from alexnet_tui.analysis.copies import check_together
from alexnet_tui.analysis.groups import Excluded, Group, Grouping, Missing, is_finished
from alexnet_tui.analysis.integrity import Result, check_run, failures
from alexnet_tui.analysis.metrics import quantity
from alexnet_tui.command_lines import shell_command
from alexnet_tui.config.claims import ALPHA, RULES_VERSION, group_config
from alexnet_tui.config.hyperparameters import RunConfig, Value, settings_text, training_key
from alexnet_tui.config.variants import VARIANTS
from alexnet_tui.datasets.catalog import Source, known_facts
from alexnet_tui.errors import ConfigError, StoreError
from alexnet_tui.runs.history import RunHistory
from alexnet_tui.runs.store import Store
from alexnet_tui.studies import bookkeeping, study_files
from alexnet_tui.studies.known_runs import known_runs
from alexnet_tui.studies.ledger import LEDGER_FILE, Entry, Ledger, read_file
from alexnet_tui.studies.plan import CLOCK_SECONDS, LEDGER_SINCE, Plan, family_of, verify_hash
from alexnet_tui.text import counted

_CLOCKS_APART_SECONDS = 600.0
"""How far the clocks of the machine that made a run and of the one that trained it may be apart."""


class Registration(msgspec.Struct, frozen=True, kw_only=True):
    """What a verdict rests on beside the runs: the plan that was written before them.

    Attributes:
        study: Name of the study.
        sha256: Hash of its plan.
        created: When it was registered, seconds since 1970.
        protocol: Name of the protocol it follows.
        alpha: Chance, over its claims, of calling one supported that is not.
        num_seeds: Runs planned in each group.
        look: How often these claims have been looked at once this plan is judged.
        extends: Name of the plan it adds seeds to, or empty.
        faults: What makes the registration void, as sentences.
        remarks: What a reader must know: failed, repeated and deleted runs, gaps of the ledger.
    """

    study: str
    sha256: str
    created: float
    protocol: str
    alpha: float
    num_seeds: int
    look: int = 1
    extends: str = ""
    faults: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


class PlannedStudy(msgspec.Struct, frozen=True, kw_only=True):
    """A plan with claims and the runs made for it.

    Attributes:
        plan: The plan.
        registration: What a verdict says of it.
        histories: The runs that may count, and those that are not finished.
        excluded: Runs made for it that do not count, and why.
        missing: Cells without a run that may count or go on.
    """

    plan: Plan
    registration: Registration
    histories: tuple[RunHistory, ...]
    excluded: tuple[Excluded, ...] = ()
    missing: tuple[Missing, ...] = ()

    @property
    def grouping(self) -> Grouping:
        """The plan's groups."""
        return plan_grouping(self.plan)


def plan_grouping(plan: Plan) -> Grouping:
    """The groups of a plan, told apart by the hyperparameters in which they differ from its base."""
    return Grouping(
        (
            Group(name=name, title=_title(name, settings), settings=dict(settings))
            for name, settings in plan.groups.items()
        ),
        base=group_config({}, plan.overrides),
    )


def _title(name: str, settings: Mapping[str, Value]) -> str:
    variant = VARIANTS.get(name)
    if variant and dict(variant.settings) == dict(settings):
        return variant.title
    text = settings_text(settings)
    return f"{text[:1].upper()}{text[1:]}" or name


def is_registered(plan: Plan) -> bool:
    """Whether a plan names its claims, as plans of earlier versions and of queues do not."""
    return plan.rules > 0 and bool(plan.claims)


def examine(
    store: Store,
    plan: Plan,
    histories: Sequence[RunHistory],
    missing: Sequence[Missing] = (),
    plans: Sequence[Plan] = (),
) -> PlannedStudy:
    """Sort the runs made for a plan into those that may count and those that do not.

    Args:
        store: The runs folder that holds the plan.
        plan: A plan with claims.
        histories: Runs that carry its name.
        missing: Cells without a run; those whose every run is excluded are added.
        plans: Every plan of the folder.

    Raises:
        StoreError: The runs folder or the ledger cannot be read.
    """
    ledger = bookkeeping.read(store, plan)
    account = bookkeeping.account(ledger)
    suspicious = [*ledger.problems, *bookkeeping.changed_records(store, ledger)]
    known = known_runs(store, plan.configs, plan_sha256=plan.sha256, before=plan.created)
    cells = plan.cells
    excluded = {}
    for run in histories:
        about = [one.removeprefix(f"run {run.id}: ") for one in suspicious if one.startswith(f"run {run.id}: ")]
        if reason := _unplanned(run, plan, cells) or _known_before(run, account, cells, known) or _unsound(run, about):
            excluded[run.id] = reason
    made_for_it = [run for run in histories if run.record.config in cells]
    excluded = {**_copies(made_for_it), **excluded}
    kept = {run.record.config for run in histories if run.id not in excluded}
    lacking = {one.config: one for one in missing}
    lacking |= {config: Missing(config, "excluded") for run in made_for_it if (config := run.record.config) not in kept}
    return PlannedStudy(
        plan=plan,
        registration=Registration(
            study=plan.name,
            sha256=plan.sha256,
            created=plan.created,
            protocol=plan.protocol,
            alpha=plan.alpha,
            num_seeds=len(set(plan.seeds)),
            look=plan.look,
            extends=plan.extends,
            faults=tuple(_faults(store, plan, ledger)),
            remarks=(
                *_remarks(plan, ledger, account, excluded),
                *_trained_twice([run for run in histories if run.id not in excluded]),
                *_extensions(store, plan, plans),
                *_other_looks(store, plan, plans),
            ),
        ),
        histories=tuple(run for run in histories if run.id not in excluded),
        excluded=tuple(Excluded(run_id, reason) for run_id, reason in excluded.items()),
        missing=tuple(lacking.values()),
    )


def _unplanned(run: RunHistory, plan: Plan, cells: Collection[RunConfig]) -> str:
    """Why a run is none of those that the plan says, or empty."""
    if run.record.plan_sha256 != plan.sha256:
        return "it carries the study's name, and not the hash of its plan."
    if run.record.extends:
        return f"it trains run {run.record.extends.runs[0]} further, which the plan does not say."
    if run.record.config not in cells:
        return "the plan has no such run."
    return "it was made before its plan was registered." if _is_older(run, plan) else ""


def _known_before(
    run: RunHistory, account: bookkeeping.Account, cells: Mapping[RunConfig, int], known: Mapping[RunConfig, str]
) -> str:
    """Why a planned run says nothing that was not known without it, or empty.

    Args:
        run: The run.
        account: What became of the plan's runs.
        cells: Each planned run to its position in the plan.
        known: Runs that tell the numbers of planned ones, and were there before the plan.
    """
    if before := known.get(run.record.config):
        return f"run {before} of its settings and seed was trained before the plan was registered."
    counts = account.counted.get(cells[run.record.config])
    if not is_finished(run) or (counts in (None, run.id) and run.id not in account.repeated):
        return ""
    if counts == run.id:
        return "it was made anew under the id of a run that had finished and was deleted."
    return f"repeated: {counts} of the same settings and seed finished first."


def _unsound(run: RunHistory, about: Sequence[str]) -> str:
    """What is wrong with a run's record, or empty.

    Args:
        run: The run.
        about: What the ledger has against it, as sentences.
    """
    if about:
        return " ".join(about)
    failed = failures(check_run(run)) if is_finished(run) else []
    return f"its record does not agree with itself. {' '.join(failed)}" if failed else ""


def _copies(histories: Sequence[RunHistory]) -> dict[str, str]:
    """Runs that are copies of others, or should equal others and do not, each with a sentence."""
    together = check_together(histories)
    return {run_id: check.sentence for run_id, check in together.items() if check.result is Result.FAILED}


def _is_older(run: RunHistory, plan: Plan) -> bool:
    """Whether a run was made or first trained before a plan was registered.

    Its record and the plan are dated by machines that prepare studies, and a worker starts no run while its clock is
    behind the plan. The start of training is dated by the trainer, perhaps on another machine.
    """
    first_trained = next((place.wall for place in run.segments if place.wall), math.inf)
    return run.record.created < plan.created - CLOCK_SECONDS or first_trained < plan.created - _CLOCKS_APART_SECONDS


def _faults(store: Store, plan: Plan, ledger: Ledger) -> Iterator[str]:
    """What makes a registration void."""
    try:
        if wrong := verify_hash(store, plan):
            yield f"The plan of {plan.name} is void: {wrong}"
    except StoreError as error:
        yield f"The plan of {plan.name} cannot be checked: {error}"
    if plan.is_newer or plan.rules > RULES_VERSION:
        yield f"The plan of {plan.name} asks for rules of a newer version of this program."
    if plan.alpha != ALPHA:
        yield f"The plan of {plan.name} asks for an alpha of {plan.alpha:g}; by the rules it is {ALPHA:g}."
    if not _is_named(plan, ledger.entries[: ledger.num_written]):
        yield f"The ledger of {plan.name} does not name this plan: it was not registered as it is now."
    try:
        group_config({}, plan.overrides)
    except ConfigError as error:
        yield f"The settings of {plan.name} are out of range: {error}."


def _is_named(plan: Plan, written: Sequence[Entry]) -> bool:
    """Whether a ledger is that of a plan; one of a version that had no ledger yet may have none."""
    if plan.v >= LEDGER_SINCE:
        return any(entry.kind == "registered" and entry.plan_sha256 == plan.sha256 for entry in written)
    named = {entry.plan_sha256 for entry in written if entry.kind in {"registered", "rebuilt"}}
    return not named or plan.sha256 in named


def _other_looks(store: Store, plan: Plan, plans: Sequence[Plan]) -> Iterator[str]:
    """Other studies of the folder that have begun to test the same: a plan cannot say that one looked there too."""
    family, mine = {plan.name, *(one.name for one in family_of(plan, plans))}, set(_comparisons(plan))
    for other in plans:
        if other.name in family or mine.isdisjoint(_comparisons(other)):
            continue
        if begun := _begun(store, other):
            what = "This plan" if other.sha256 == plan.sha256 else "A claim about the same groups and metric"
            yield f"{what} is registered as {other.name} too, of which {begun}."


def _extensions(store: Store, plan: Plan, plans: Sequence[Plan]) -> Iterator[str]:
    """Other looks at the same claims, with further seeds: each has a report and a verdict of its own."""
    for other in family_of(plan, plans):
        if other.look != plan.look and (begun := _begun(store, other)):
            how = "was extended by" if other.look > plan.look else "extends"
            command = shell_command("report", other.name, root=store.root)
            yield f"This study {how} {other.name}, of which {begun}; `{command}` judges those."


def _trained_twice(histories: Sequence[RunHistory]) -> Iterator[str]:
    """Epochs that were given up and came out otherwise when they were trained again: which of both was wanted?"""
    changed = [run for run in histories if run.epochs_changed]
    if changed:
        epochs, runs = counted(sum(run.epochs_changed for run in changed), "epoch"), counted(len(changed), "run")
        yield f"{epochs} of {runs} were given up and trained again, with other numbers."


def _begun(store: Store, plan: Plan) -> str:
    """How many runs of a plan were started, in words; empty for none."""
    entries = read_file(study_files.folder_path(store, plan.name) / LEDGER_FILE).entries
    runs = {entry.run for entry in entries if entry.kind == "started"}
    return f"{counted(len(runs), 'run')} {_were(len(runs))} started" if runs else ""


def _comparisons(plan: Plan) -> Iterator[tuple[object, ...]]:
    """What each claim of a plan measures, on which images, and its networks."""
    for claim in plan.claims:
        with suppress(ConfigError):
            configs = [group_config(one, plan.overrides) for one in claim.groups]
            images = frozenset(_images(config.data) for config in configs)
            yield quantity(claim.metric), images, frozenset(map(training_key, configs))


def _images(data: str) -> str:
    """What tells a data set from others: the hash of its images, or its name where they are not here."""
    facts = known_facts(data)
    return facts.sha256 if isinstance(facts, Source) else data


def _remarks(plan: Plan, ledger: Ledger, account: bookkeeping.Account, excluded: dict[str, str]) -> Iterator[str]:
    if 0 < plan.rules < RULES_VERSION:
        yield f"The plan was registered under version {plan.rules} of the rules; version {RULES_VERSION} judges it."
    failed = Counter(entry.outcome for entry in ledger.entries if entry.kind == "failed")
    if failed:
        kinds = ", ".join(f"{count} {kind}" for kind, count in failed.most_common())
        yield f"{counted(failed.total(), 'attempt')} at this plan's runs failed: {kinds}."
    if account.deleted:
        runs = ", ".join(f"{run_id} ({state})" for run_id, state in sorted(account.deleted.items()))
        yield f"{counted(len(account.deleted), 'run')} of this plan {_were(len(account.deleted))} deleted: {runs}."
    if excluded:
        yield f"{counted(len(excluded), 'run')} made for this plan {_do(len(excluded))} not count; Provenance says why."
    if ledger.is_rebuilt:
        yield "The ledger was made from the runs' own records: deletions before that are not known."
    yield from (f"Ledger: {problem}" for problem in ledger.problems)


def _were(count: int) -> str:
    return "was" if count == 1 else "were"


def _do(count: int) -> str:
    return "does" if count == 1 else "do"
