"""Registered plans: what makes one void, and what a reader must know of it beside its runs.

A plan's hash and its ledger tell whether it is as it was registered; the other plans of a runs folder tell how often
the same was looked at.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress

from alexnet_tui.analysis.metrics import quantity
from alexnet_tui.command_lines import shell_command
from alexnet_tui.config.claims import ALPHA, RULES_VERSION, group_config
from alexnet_tui.config.hyperparameters import first_epoch_key, training_key
from alexnet_tui.datasets.catalog import Source, known_facts
from alexnet_tui.errors import ConfigError, StoreError
from alexnet_tui.runs.state import shown_word
from alexnet_tui.runs.store import Store
from alexnet_tui.studies import bookkeeping, study_files
from alexnet_tui.studies.known_runs import known_runs
from alexnet_tui.studies.ledger import LEDGER_FILE, Entry, Ledger, read_file
from alexnet_tui.studies.plan import LEDGER_SINCE, Plan, family_of, verify_hash
from alexnet_tui.text import counted


def plan_faults(store: Store, plan: Plan, ledger: Ledger) -> Iterator[str]:
    """What makes the registration of a plan void, as sentences."""
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


def plan_remarks(plan: Plan, ledger: Ledger, account: bookkeeping.Account, num_excluded: int) -> Iterator[str]:
    """What became of a plan's runs, and under which rules it was registered, where one must know it."""
    if 0 < plan.rules < RULES_VERSION:
        yield f"The plan was registered under version {plan.rules} of the rules; version {RULES_VERSION} judges it."
    failed = Counter(entry.outcome for entry in ledger.entries if entry.kind == "failed")
    if failed:
        kinds = ", ".join(f"{count} {kind}" for kind, count in failed.most_common())
        yield f"{counted(failed.total(), 'attempt')} at this plan's runs failed: {kinds}."
    if account.deleted:
        runs = ", ".join(f"{run_id} ({shown_word(state)})" for run_id, state in sorted(account.deleted.items()))
        yield f"{counted(len(account.deleted), 'run')} of this plan {_were(len(account.deleted))} deleted: {runs}."
    if num_excluded:
        yield f"{counted(num_excluded, 'run')} made for this plan {_do(num_excluded)} not count; Provenance says why."
    if ledger.is_rebuilt:
        yield "The ledger was made from the runs' own records: deletions before that are not known."
    yield from (f"Ledger: {problem.text}" for problem in ledger.problems)


def other_looks(store: Store, plan: Plan, plans: Sequence[Plan]) -> Iterator[str]:
    """Other plans of the folder that look at the same: those that extend this one, and those that do not say so.

    Args:
        store: The runs folder.
        plan: A plan.
        plans: Every plan of the folder.
    """
    yield from _extensions(store, plan, plans)
    yield from _other_studies(store, plan, plans)


def _other_studies(store: Store, plan: Plan, plans: Sequence[Plan]) -> Iterator[str]:
    """Other studies of the folder that test the same and can be looked at: a plan cannot say that one did so."""
    family, mine = {plan.name, *(one.name for one in family_of(plan, plans))}, set(_comparisons(plan))
    for other in plans:
        if other.name in family or mine.isdisjoint(_comparisons(other)):
            continue
        if begun := _begun(store, other, plan):
            what = "This plan" if other.sha256 == plan.sha256 else "A claim about the same groups and metric"
            yield f"{what} is registered as {other.name} too, of which {begun}."


def _extensions(store: Store, plan: Plan, plans: Sequence[Plan]) -> Iterator[str]:
    """Other looks at the same claims, with further seeds: each has a report and a verdict of its own."""
    for other in family_of(plan, plans):
        if other.look != plan.look and (begun := _begun(store, other, plan)):
            how = "was extended by" if other.look > plan.look else "extends"
            command = shell_command("report", other.name, root=store.root)
            yield f"This study {how} {other.name}, of which {begun}; `{command}` judges those."


def _begun(store: Store, plan: Plan, beside: Plan) -> str:
    """How many runs of a plan were started, or are known all the same, in words; empty for none.

    Args:
        store: The runs folder.
        plan: A plan.
        beside: Another one, whose own runs tell nothing of this one that it does not say itself.
    """
    entries = read_file(study_files.folder_path(store, plan.name) / LEDGER_FILE).entries
    started = {entry.run: entry.cell for entry in entries if entry.kind == "started"}
    own = {first_epoch_key(config) for config in beside.configs}
    cells = [cell for cell, config in enumerate(plan.configs) if first_epoch_key(config) not in own]
    open_cells = [plan.configs[cell] for cell in cells if cell not in started.values()]
    known = known_runs(store, open_cells, plan_sha256=plan.sha256) if open_cells else {}
    words = [f"{counted(len(started), 'run')} {_were(len(started))} started"] if started else []
    if known:
        words.append(f"{counted(len(known), 'run')} {_are(len(known))} known from runs with the same settings")
    return " and ".join(words)


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


def _were(count: int) -> str:
    return "was" if count == 1 else "were"


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _do(count: int) -> str:
    return "does" if count == 1 else "do"
