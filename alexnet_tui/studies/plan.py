"""A study: a plan that fixes its runs and its claims in advance, and its files.

``runs/studies/NAME.json`` is the plan, written once; the folder ``runs/studies/NAME/`` beside it holds what
changes, and is `studies.queue`'s.
"""

import itertools
import os
import re
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import msgspec

from alexnet_tui import __version__
from alexnet_tui.config import claims as registered_claims
from alexnet_tui.config.claims import ALPHA, RULES_VERSION, Claim
from alexnet_tui.config.hyperparameters import RunConfig, Value
from alexnet_tui.config.protocols import CLAIMS, PROTOCOLS, REPORT, plan_configs
from alexnet_tui.config.variants import VARIANTS, nearest
from alexnet_tui.datasets.catalog import check_num_images
from alexnet_tui.errors import ClaimError, ConfigError, RunNotFoundError, StoreError, UsageError
from alexnet_tui.files import (
    UNDECODABLE,
    Folder,
    json_bytes,
    read_small,
    reason_of,
    reason_of_damage,
    sha256_of,
    version_of,
    write_atomic,
)
from alexnet_tui.locks import locked
from alexnet_tui.paths import shell_command
from alexnet_tui.runs.events import Seconds
from alexnet_tui.runs.store import LAST, REFERENCE, RunRecord, Store
from alexnet_tui.studies import ledger
from alexnet_tui.studies.known_runs import known_runs
from alexnet_tui.studies.ledger import Entry, canonical
from alexnet_tui.text import quoted

STUDIES = "studies"
HASH_SINCE = 2
PLAN_VERSION = 3
"""1 had no claims, no groups and no hash; 2 no ledger, and no groups but variants."""
LEDGER_SINCE = 3
RESERVED = {
    REFERENCE: "the runs that come with the program",
    LAST: "the newest run",
    **{variant: "the runs of that variant" for variant in VARIANTS},
}
"""What else a name given to `report`, `compare` or `export` means: no names of new studies."""
MAX_CELLS = 1000
CLOCK_SECONDS = 2.0
"""By how much a run may be older than its plan: clocks are set a little now and then."""
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_T = TypeVar("_T")
_LOCK_OF_STUDIES = ".turn"


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """``NAME.json``: what a study runs; never changed once it is written.

    Attributes:
        v: Version of the format.
        name: Name of the study.
        created: Seconds since 1970.
        variants: The variants, in order.
        seeds: The seeds of each variant.
        overrides: Fields set for every run, as text, for people.
        configs: The complete configuration of every cell, in the order of the queue.
        label: Label of every run, or empty.
        package_version: Version of the program that wrote the plan.
        protocol: Name of the protocol it follows.
        rules: Version of the rules by which its claims are judged; 0 in plans that register none.
        alpha: Probability, over all its claims, of calling one supported that is not.
        claims: What is to be judged, in full.
        groups: Name of each group of runs to the hyperparameters that make it differ from the plan's base.
        cell_groups: The group of every cell, in the order of `configs`; empty where the groups are the variants.
        extends: Name of the plan to which this one adds seeds, or empty.
        extends_sha256: Hash of that plan.
        look: How often its claims have been looked at once this one is judged: 1, or one more than the plan it extends.
        sha256: Hash of all the rest; see `plan_hash`.
    """

    v: int = PLAN_VERSION
    name: str
    created: Seconds
    variants: list[str]
    seeds: list[int]
    overrides: dict[str, str] = {}
    configs: list[RunConfig]
    label: str = ""
    package_version: str = __version__
    protocol: str = REPORT
    rules: int = 0
    alpha: float = ALPHA
    claims: list[Claim] = []
    groups: dict[str, dict[str, Value]] = {}
    cell_groups: list[str] = []
    extends: str = ""
    extends_sha256: str = ""
    look: int = 1
    sha256: str = ""

    @property
    def is_newer(self) -> bool:
        """Whether a later version of this program wrote it: it can be looked at, and nothing else."""
        return self.v > PLAN_VERSION

    @property
    def is_of_queue(self) -> bool:
        """Whether `queue_plan` wrote it: nobody gave it a name."""
        return re.fullmatch(r"queue-\d{4}-\d{6}-\d{6}", self.name) is not None

    @property
    def group_names(self) -> list[str]:
        """Names of its groups, in order."""
        return list(dict.fromkeys(self.cell_groups)) or self.variants

    @property
    def one_of_each_image_size(self) -> list[RunConfig]:
        """A configuration for each data set and front end, whose images must be there before a run starts."""
        return list({(config.data, config.front_end): config for config in self.configs}.values())

    @property
    def cells(self) -> dict[RunConfig, int]:
        """The configuration of each cell to its position."""
        return {config: index for index, config in enumerate(self.configs)}

    def group_of(self, index: int) -> str:
        """Name of the group a cell belongs to."""
        return self.cell_groups[index] if self.cell_groups else self.configs[index].variant

    def has_made(self, record: RunRecord) -> bool:
        """Whether a run was made for this plan, not for an earlier one of its name: it carries its hash.

        Runs of plans of the first version carry none.
        """
        return record.study == self.name and record.plan_sha256 in {"", self.sha256}


def plan_hash(content: Mapping[str, object]) -> str:
    """SHA-256 over the canonical JSON of a plan without its ``sha256``: sorted keys, no blanks, UTF-8.

    Args:
        content: The plan as decoded JSON, fields unknown to this version included.
    """
    rest = {name: value for name, value in content.items() if name != "sha256"}
    return sha256_of(canonical(rest))


def plan(
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
    claims = registered_claims.load(PROTOCOLS[protocol].claims) if PROTOCOLS[protocol].claims else []
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
    known_metrics: Collection[str],
    overrides: Mapping[str, str] | None = None,
    label: str = "",
) -> Plan:
    """Write the plan of exactly the groups that some claims need, each once, with every seed.

    Args:
        known_metrics: Names a claim may decide by.
        overrides: Fields of every run, as a person would type them; what makes a group goes over them.

    Raises:
        UsageError: The name is no name or taken, or nothing is planned, or too much.
        ClaimError: A claim names a metric that is not known; with a sentence for each.
        ConfigError: An override is out of range, settings contradict each other, or a seed was trained already.
        TooFewImagesError: More training images are asked for than the data set has.
        StoreError: The folder cannot be written.
    """
    check_metrics(claims, known_metrics)
    fields = dict(overrides or {})
    groups = registered_claims.groups_of(claims, fields)
    cells = [
        (group, registered_claims.group_config(settings, fields, seed))
        for seed in seeds
        for group, settings in groups.items()
    ]
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


def check_metrics(claims: Sequence[Claim], known: Collection[str]) -> None:
    """Refuse claims that decide by a number no run has.

    Raises:
        ClaimError: With a sentence for each.
    """
    problems = [
        f"{claim.name}: there is no metric {quoted(metric)}; {nearest(metric, known)}"
        for claim in claims
        for metric in dict.fromkeys((claim.metric, *(one.metric for one in claim.precondition)))
        if metric not in known
    ]
    if problems:
        raise ClaimError("claims", problems)


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
    old = load_runnable(store, name)
    family = family_of(old, readable(store))
    first = max(seed for one in family for seed in one.seeds) + 1
    seeds = range(first, first + num_seeds)
    cells = [cell for cell, config in enumerate(old.configs) if config.seed == old.seeds[0]]

    def configs_of(seeds: Sequence[int]) -> list[RunConfig]:
        return [msgspec.structs.replace(old.configs[cell], seed=seed) for seed in seeds for cell in cells]

    if set(configs_of(old.seeds)) != set(old.configs):
        raise UsageError(
            f"the seeds of study {quoted(name)} do not all have the same runs: what a further one has to train is not"
            f" known. `{shell_command('study', 'new', 'another', root=store.root)}` plans another study."
        )
    while old.claims and (known := known_runs(store, configs_of(seeds))):  # Runs that somebody made by hand.
        first = max(config.seed for config in known) + 1
        seeds = range(first, first + num_seeds)
    taken = set(names(store))
    free = (candidate for number in itertools.count(2) if (candidate := f"{name[:60]}-{number}") not in taken)
    new = _write_plan(
        store,
        msgspec.structs.replace(
            old,
            v=PLAN_VERSION,
            package_version=__version__,
            name=new_name or next(free),
            created=time.time(),
            seeds=list(seeds),
            configs=configs_of(seeds),
            cell_groups=[old.group_of(cell) for _ in seeds for cell in cells] if old.cell_groups else [],
            extends=name,
            extends_sha256=old.sha256,
            look=max(one.look for one in family) + 1,
        ),
    )
    extended = Entry(kind="extended", study=new.name, plan_sha256=new.sha256)
    ledger.append(study_folder(store, name), lambda _: [extended])
    return new


def family_of(plan: Plan, plans: Sequence[Plan]) -> list[Plan]:
    """A plan and, of others, those that it extends and those that extend any of these: looks at the same claims."""
    others = [one for one in plans if one.sha256]
    family, size = {plan.sha256: plan}, 0
    while size < len(family):
        size = len(family)
        extended = {one.extends_sha256 for one in family.values()}
        # A plan of the first version has no hash, and one that extends none names none: these are not one and the same.
        family |= {
            one.sha256: one
            for one in others
            if one.sha256 in extended or (one.extends_sha256 and one.extends_sha256 in family)
        }
    return list(family.values())


def readable(store: Store) -> list[Plan]:
    """Every plan of a folder that can be read."""
    found = []
    for name in names(store):
        with suppress(StoreError):
            found.append(load(store, name))
    return found


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


def load(store: Store, name: str) -> Plan:
    """The plan of a study.

    Raises:
        RunNotFoundError: There is no such study.
        StoreError: Its plan cannot be read, or the folder of its state leads elsewhere.
    """
    content = read_small(_plan_path(store, name)) if is_name(name) else None
    if content is None:
        known = names(store)
        hint = (
            f"the studies here are {', '.join(known[:8])}."
            if known
            else f"`{shell_command('study', 'new', 'mine', root=store.root)}` plans one."
        )
        raise RunNotFoundError(store.root / STUDIES, f"there is no study {quoted(name, 80)}; {hint}")
    _check_no_link(store.root / STUDIES / name)
    plan = decode(_plan_path(store, name), content, Plan)
    told = (set(plan.variants), set(plan.seeds))
    cells = ({one.variant for one in plan.configs}, {one.seed for one in plan.configs})
    is_whole = told == cells and len(plan.cell_groups) in {0, len(plan.configs)}
    if not is_whole or not 0 < len(plan.configs) <= MAX_CELLS:
        reason = "the study cannot be read: it has no runs, too many, or others than its variants and seeds say."
        raise StoreError(_plan_path(store, name), reason)
    # The name is the file's, whatever a copied or forged plan says: folders are made after it.
    return msgspec.structs.replace(plan, name=name)


def load_runnable(store: Store, name: str) -> Plan:
    """The plan of a study that may be trained.

    Raises:
        RunNotFoundError: There is no such study.
        StoreError: It cannot be read, or a newer program wrote it.
    """
    plan = load(store, name)
    if plan.is_newer:
        raise StoreError(_plan_path(store, name), "a newer alexnet-tui wrote this plan; it can only be looked at.")
    return plan


def check_clock(store: Store, plan: Plan) -> None:
    """Refuse to make or start a run of a plan that was registered later than this machine's clock says it is now.

    By its record such a run would be older than its plan, and it would count for nothing.

    Raises:
        StoreError: The clock was wrong then, or is now.
    """
    now = time.time()
    if now < plan.created - CLOCK_SECONDS:
        then, today = (time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at)) for at in (plan.created, now))
        raise StoreError(
            _plan_path(store, plan.name),
            f"the plan was registered on {then}, and this machine's clock says {today}: runs made now would not count."
            " Set the clock; if it was wrong when the study was planned, plan it anew under another name.",
        )


def _check_no_link(folder: Path) -> None:
    if folder.is_symlink():
        raise StoreError(folder, "this is a link; a study's state is not read or written through it. Remove it.")


def names(store: Store) -> list[str]:
    """Names of all studies, in alphabetical order.

    Raises:
        StoreError: Their folder cannot be read.
    """
    folder = store.root / STUDIES
    try:
        found = [Path(name) for name in os.listdir(folder)]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise StoreError(folder, f"the folder of the studies cannot be read ({reason_of(error)}).") from error
    return sorted(path.stem for path in found if path.suffix == ".json" and is_name(path.stem))


def folder_path(store: Store, name: str) -> Path:
    """Where the folder of what changes in a study is, if it is there."""
    return store.root / STUDIES / name


def study_folder(store: Store, name: str) -> Path:
    """The folder of what changes in a study, made if need be.

    Raises:
        StoreError: It cannot be made, or is a link to another.
    """
    folder = folder_path(store, name)
    _check_no_link(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(folder, f"it cannot be made ({reason_of(error)}).") from error
    return folder


def is_name(name: str) -> bool:
    """Whether a study can be called so."""
    return _NAME.fullmatch(name) is not None


@contextmanager
def exclusive(store: Store) -> Iterator[None]:
    """Hold off everybody else who changes studies of this folder, or makes or starts their runs."""
    with locked(study_folder(store, ".").resolve() / _LOCK_OF_STUDIES):
        yield


def _plan_path(store: Store, name: str) -> Path:
    return store.root / STUDIES / f"{name}.json"


def _write_plan(store: Store, plan: Plan) -> Plan:
    if not is_name(plan.name):
        raise UsageError(f"{quoted(plan.name)} is no name for a study: use small letters, digits, - and _.")
    if plan.name in RESERVED:
        raise UsageError(f"{quoted(plan.name)} stands for {RESERVED[plan.name]}; choose another name.")
    if not 0 < len(plan.configs) <= MAX_CELLS or len(set(plan.configs)) < len(plan.configs):
        raise UsageError(f"a study has 1 to {MAX_CELLS} runs, each variant and seed once, not {len(plan.configs)}.")
    for config in plan.configs:
        check_num_images(config)
    path = _plan_path(store, plan.name)
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
        ledger.append(study_folder(store, plan.name), lambda _: [registered])
        write(path, msgspec.to_builtins(plan))
    return plan


def _check_unknown(store: Store, plan: Plan) -> None:
    """Refuse claims about runs whose numbers are known already."""
    if known := known_runs(store, plan.configs):
        config, run_id = next(iter(known.items()))
        first = max(seed for seed in plan.seeds if any(one.seed == seed for one in known)) + 1
        others = f" ({len(known)} such runs)" if len(known) > 1 else ""
        raise ConfigError(
            "seeds",
            f"seed {config.seed} of {config.variant} is trained already by {run_id}{others}, and a claim that is"
            f" registered when its numbers are known is no test. Take new ones: --first-seed {first}, or"
            f" {first}-{first + len(plan.seeds) - 1} in the console.",
        )


def write(path: Path, content: object) -> None:
    """Write one of a study's files.

    Raises:
        StoreError: It cannot be written.
    """
    write_text(path, json_bytes(content).decode())


def write_text(path: Path, text: str) -> None:
    """Write a file beside a study's own.

    Raises:
        StoreError: It cannot be written.
    """
    try:
        write_atomic(path, text.encode())
    except OSError as error:
        raise StoreError(path, f"the study cannot be written ({reason_of(error)}).") from error


def set_aside(path: Path) -> Path:
    """Rename a damaged file so that a new one can be written; where it is then.

    Raises:
        StoreError: It cannot be renamed.
    """
    try:
        with Folder(path.parent) as folder:
            return path.with_name(folder.set_aside(path.name, f"{path.name}.damaged-{{}}"))
    except FileNotFoundError:  # Somebody else was faster.
        return path
    except OSError as error:
        raise StoreError(path, f"the damaged file cannot be set aside ({reason_of(error)}).") from error


def decode(path: Path, content: bytes, kind: type[_T]) -> _T:
    """What one of a study's files says.

    Raises:
        StoreError: It is damaged.
    """
    try:
        return msgspec.json.decode(content, type=kind)
    except (*UNDECODABLE, ConfigError) as error:
        if kind is Plan and version_of(content) > PLAN_VERSION:
            raise StoreError(path, "a newer version of alexnet-tui wrote this plan; update to read it.") from error
        raise StoreError(path, f"the study cannot be read: {reason_of_damage(error)}.") from error


def verify_hash(store: Store, plan: Plan) -> str:
    """What is wrong with a plan's hash: empty where the file still is what was registered.

    Raises:
        StoreError: The plan cannot be read.
    """
    path = _plan_path(store, plan.name)
    content = decode(path, read_small(path) or b"", dict[str, object])
    if not plan.sha256:
        if plan.v >= HASH_SINCE:
            return "its hash was removed; plans of its version carry one."
        return "it carries no hash; an earlier version of alexnet-tui wrote it."
    if (found := plan_hash(content)) != plan.sha256:
        return f"it was changed after it was written: its content has the hash {found}, it says {plan.sha256}."
    return ""
