"""Registered studies: which runs count under a plan, and what a reader must know of the others.

A plan is written before its runs; `studies.bookkeeping` keeps the account of what became of them. Here that account,
the plan's hash and the checks of `integrity` decide which runs a verdict may rest on. Whatever does not count is named.
"""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence

import msgspec

from alexnet_tui.analysis.copies import check_together
from alexnet_tui.analysis.groups import Excluded, Group, Grouping, Missing, is_finished
from alexnet_tui.analysis.integrity import Result, check_run, failures
from alexnet_tui.analysis.verdict.plan_checks import other_looks, plan_faults, plan_remarks
from alexnet_tui.config.claims import group_config
from alexnet_tui.config.hyperparameters import RunConfig, Value, settings_text
from alexnet_tui.config.variants import VARIANTS
from alexnet_tui.runs.history import RunHistory
from alexnet_tui.runs.store import Store
from alexnet_tui.studies import bookkeeping
from alexnet_tui.studies.known_runs import known_runs
from alexnet_tui.studies.plan import CLOCK_SECONDS, Plan
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
    cells = plan.cells
    made_for_it = [run for run in histories if run.record.config in cells]
    known = known_runs(store, plan.configs, plan_sha256=plan.sha256, before=plan.created, trained=made_for_it)
    excluded = dict[str, str]()
    for run in histories:
        about = [problem.sentence for problem in suspicious if problem.run == run.id]
        if reason := _unplanned(run, plan, cells) or _known_before(run, account, cells, known) or _unsound(run, about):
            excluded[run.id] = reason
    excluded = {**_copies(made_for_it), **excluded}
    kept = [run for run in histories if run.id not in excluded]
    kept_configs = {run.record.config for run in kept}
    lacking = {one.config: one for one in missing}
    lacking |= {
        config: Missing(config, "excluded") for run in made_for_it if (config := run.record.config) not in kept_configs
    }
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
            faults=tuple(plan_faults(store, plan, ledger)),
            remarks=(
                *plan_remarks(plan, ledger, account, len(excluded)),
                *_trained_twice(kept),
                *other_looks(store, plan, plans),
            ),
        ),
        histories=tuple(kept),
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
        known: Planned runs to those that had trained the same first epoch before the plan.
    """
    if before := known.get(run.record.config):
        return f"run {before} of its seed was trained alike before the plan was registered."
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


def _trained_twice(histories: Sequence[RunHistory]) -> Iterator[str]:
    """Epochs that were given up and came out otherwise when they were trained again: which of both was wanted?"""
    changed = [run for run in histories if run.epochs_changed]
    if changed:
        epochs, runs = counted(sum(run.epochs_changed for run in changed), "epoch"), counted(len(changed), "run")
        yield f"{epochs} of {runs} were given up and trained again, with other numbers."
