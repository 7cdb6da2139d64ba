"""New studies: a plan is checked, registered in its ledger and written once."""

import itertools
import time
from collections.abc import Mapping, Sequence

import msgspec

from alexnet_tui import __version__
from alexnet_tui.command_lines import shell_command
from alexnet_tui.config.claims import ALPHA, RULES_VERSION, Claim, group_config, groups_of, load_claims
from alexnet_tui.config.hyperparameters import RunConfig, option_name, training_key
from alexnet_tui.config.protocols import CLAIMS, PROTOCOLS, REPORT, plan_configs
from alexnet_tui.config.variants import VARIANTS
from alexnet_tui.datasets.catalog import check_num_images
from alexnet_tui.errors import ConfigError, RunNotFoundError, UsageError
from alexnet_tui.runs.run_ids import LAST, REFERENCE
from alexnet_tui.runs.store import Store
from alexnet_tui.studies import ledger
from alexnet_tui.studies.known_runs import known_runs
from alexnet_tui.studies.ledger import Entry
from alexnet_tui.studies.plan import (
    MAX_CELLS,
    PLAN_VERSION,
    Plan,
    family_of,
    load_runnable_plan,
    plan_hash,
    readable_plans,
)
from alexnet_tui.studies.study_files import exclusive, is_name, make_folder, names, plan_path, write_json
from alexnet_tui.text import quoted

RESERVED = {
    REFERENCE: "the runs that come with the program",
    LAST: "the newest run",
    **{variant: "the runs of that variant" for variant in VARIANTS},
}
"""What else a name given to `report`, `compare` or `export` means: no names of new studies."""


def plan_variants(
    store: Store,
    name: str,
    *,
    variants: Sequence[str],
    seeds: Sequence[int],
    overrides: Mapping[str, str] | None = None,
    label: str = "",
    protocol: str = REPORT,
) -> Plan:
    """Write the plan of variants x seeds under a protocol, seed by seed so that a stopped study is balanced.

    Args:
        overrides: Other fields of every run, as a person would type them.

    Raises:
        UsageError: The name is no name or taken, or nothing is planned, or too much.
        ConfigError: An override is out of range, a variant or the protocol is not known, or a seed was trained already.
        TooFewImagesError: More training images are asked for than the data set has.
        StoreError: The folder cannot be written.
    """
    fields = dict(overrides or {})
    configs = plan_configs(protocol, variants, seeds, fields)
    claims = load_claims(PROTOCOLS[protocol].claims) if PROTOCOLS[protocol].claims else []
    return _write_plan(
        store,
        Plan(
            name=name,
            created=time.time(),
            variants=list(variants),
            seeds=list(seeds),
            overrides=fields,
            configs=configs,
            label=label,
            protocol=protocol,
            rules=RULES_VERSION if claims else 0,
            claims=claims,
            groups={one: dict(VARIANTS[one].settings) for one in variants},
        ),
    )


def plan_claims(
    store: Store,
    name: str,
    claims: Sequence[Claim],
    *,
    seeds: Sequence[int],
    overrides: Mapping[str, str] | None = None,
    label: str = "",
) -> Plan:
    """Write the plan of exactly the groups that some claims need, each once, with every seed.

    Whether the claims can be judged is not asked here; `analysis.verdict.claim_plan` does.

    Args:
        overrides: Fields of every run, as a person would type them; what makes a group goes over them.

    Raises:
        UsageError: The name is no name or taken, or nothing is planned, or too much.
        ConfigError: An override is out of range, settings contradict each other, or a seed was trained already.
        TooFewImagesError: More training images are asked for than the data set has.
        StoreError: The folder cannot be written.
    """
    fields = dict(overrides or {})
    groups = groups_of(claims, fields)
    for field in fields:
        if all(field in settings for settings in groups.values()):
            raise ConfigError(field, f"every group of these claims sets it; leave {option_name(field)} away.")
    cells = [(group, group_config(settings, fields, seed)) for seed in seeds for group, settings in groups.items()]
    return _write_plan(
        store,
        Plan(
            name=name,
            created=time.time(),
            variants=list(dict.fromkeys(config.variant for _, config in cells)),
            seeds=list(seeds),
            overrides=fields,
            configs=[config for _, config in cells],
            label=label,
            protocol=CLAIMS,
            rules=RULES_VERSION,
            claims=list(claims),
            groups=groups,
            cell_groups=[group for group, _ in cells],
        ),
    )


def extend(store: Store, name: str, num_seeds: int, *, new_name: str = "") -> Plan:
    """Write a plan of further seeds for a study: the same groups and claims, one more look at them.

    The new plan holds the new seeds alone and names the one it extends; that one's ledger says that it was extended.

    Args:
        num_seeds: How many more seeds each group gets, after the last one of the study and of those that extend it, and
            after those that were trained already.
        new_name: Name of the new plan; else the first of NAME-2, NAME-3... that is free.

    Raises:
        RunNotFoundError: There is no such study.
        UsageError: The name is no name or taken, or nothing is planned, or too much, or the study's seeds have other
            runs each.
        StoreError: The plan cannot be read or written.
    """
    old = load_runnable_plan(store, name)
    family = family_of(old, readable_plans(store))
    seeds = _further_seeds(store, old, num_seeds, after=max(seed for one in family for seed in one.seeds))
    taken = set(names(store))
    free = (candidate for number in itertools.count(2) if (candidate := f"{name[:60]}-{number}") not in taken)
    new = _write_plan(
        store,
        msgspec.structs.replace(
            old,
            v=PLAN_VERSION,
            package_version=__version__,
            rules=max(old.rules, RULES_VERSION) if old.claims else 0,
            alpha=ALPHA,
            name=new_name or next(free),
            created=time.time(),
            seeds=list(seeds),
            configs=old.with_seeds(seeds),
            cell_groups=[old.group_of(cell) for _ in seeds for cell in old.cells_of_a_seed] if old.cell_groups else [],
            extends=name,
            extends_sha256=old.sha256,
            look=max(one.look for one in family) + 1,
        ),
    )
    extended = Entry(kind="extended", study=new.name, plan_sha256=new.sha256)
    ledger.append(make_folder(store, name), extended)
    return new


def _further_seeds(store: Store, plan: Plan, count: int, *, after: int) -> range:
    """So many seeds after one; those of claims have no run yet that somebody made by hand.

    Raises:
        UsageError: The plan's seeds have other runs each.
    """
    if not plan.most_further_seeds:
        another = shell_command("study", "new", "another", root=store.root)
        raise UsageError(
            f"the seeds of study {quoted(plan.name)} do not all have the same runs: what a further one has to train is"
            f" not known. `{another}` plans another study."
        )
    seeds = range(after + 1, after + 1 + count)
    while plan.claims and (known := known_runs(store, plan.with_seeds(seeds))):
        first = max(config.seed for config in known) + 1
        seeds = range(first, first + count)
    return seeds


def queue_plan(store: Store, configs: Sequence[RunConfig], *, label: str = "") -> Plan:
    """Write a plan of given runs under a generated name, as the console's queue does.

    Raises:
        UsageError: Nothing is planned, or too much.
        StoreError: The folder cannot be written.
    """
    now = time.time_ns()
    name = f"{time.strftime('queue-%m%d-%H%M%S', time.gmtime(now // 10**9))}-{now // 1000 % 10**6:06d}"
    return _write_plan(
        store,
        Plan(
            name=name,
            created=time.time(),
            variants=list(dict.fromkeys(config.variant for config in configs)),
            seeds=list(dict.fromkeys(config.seed for config in configs)),
            configs=list(configs),
            label=label,
        ),
    )


def _write_plan(store: Store, plan: Plan) -> Plan:
    """Check a plan, register it in its ledger, and write it with its hash; the plan as it is then."""
    if not is_name(plan.name):
        raise UsageError(f"{quoted(plan.name)} is no name for a study: use small letters, digits, - and _.")
    if plan.name in RESERVED:
        raise UsageError(f"{quoted(plan.name)} stands for {RESERVED[plan.name]}; choose another name.")
    if not 0 < len(plan.configs) <= MAX_CELLS or len(set(plan.configs)) < len(plan.configs):
        raise UsageError(f"a study has 1 to {MAX_CELLS} runs, each variant and seed once, not {len(plan.configs)}.")
    for config in plan.configs:
        check_num_images(config)
    path = plan_path(store, plan.name)
    with exclusive(store):
        if path.exists():
            runs = shell_command("study", "run", plan.name, root=store.root)
            raise UsageError(
                f"there is a study {quoted(plan.name)} already, and plans do not change; `{runs}` trains it. Give"
                " another plan another name."
            )
        if plan.claims:
            _check_unknown(store, plan)
        plan = msgspec.structs.replace(plan, sha256=plan_hash(msgspec.to_builtins(plan)))
        # The ledger first: a plan without one was not registered.
        registered = Entry(kind="registered", plan_sha256=plan.sha256, wall=plan.created)
        ledger.append(make_folder(store, plan.name), registered)
        write_json(path, msgspec.to_builtins(plan))
    return plan


def _check_unknown(store: Store, plan: Plan) -> None:
    """Refuse claims about runs whose numbers are known already."""
    if known := known_runs(store, plan.configs):
        config, run_id = next(iter(known.items()))
        first = max(seed for seed in plan.seeds if any(one.seed == seed for one in known)) + 1
        others = f" ({len(known)} such runs)" if len(known) > 1 else ""
        try:
            is_same = training_key(store.record(run_id).config) == training_key(config)
            how = "is trained already by" if is_same else "begins with the first epoch of the trained run"
        except RunNotFoundError:
            how = "was trained already by the deleted run"
        raise ConfigError(
            "seeds",
            f"seed {config.seed} of {config.variant} {how} {run_id}{others}, and a claim that is"
            f" registered when its numbers are known is no test. Take new ones: --first-seed {first}, or"
            f" {first}-{first + len(plan.seeds) - 1} in the console.",
        )
