"""The plan of a study: the runs and the claims that it fixes in advance. `studies.planning` writes new ones."""

import math
import os
import re
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from alexnet_tui import __version__
from alexnet_tui.command_lines import shell_command
from alexnet_tui.config.claims import ALPHA, Claim
from alexnet_tui.config.hyperparameters import RunConfig, Value
from alexnet_tui.config.protocols import REPORT, factors_of, size_text
from alexnet_tui.errors import RunNotFoundError, StoreError
from alexnet_tui.files import read_small, sha256_of
from alexnet_tui.json_io import version_of
from alexnet_tui.runs.events import Seconds
from alexnet_tui.runs.record import RunRecord
from alexnet_tui.runs.run_ids import STUDIES
from alexnet_tui.runs.store import Store
from alexnet_tui.studies.ledger import canonical
from alexnet_tui.studies.study_files import check_no_link, decode, folder_path, is_name, names, plan_path
from alexnet_tui.text import counted, quoted

HASH_SINCE = 2
PLAN_VERSION = 3
"""1 had no claims, no groups and no hash; 2 no ledger, and no groups but variants."""
LEDGER_SINCE = 3
MAX_CELLS = 1000
CLOCK_SECONDS = 2.0
"""By how much a run may be older than its plan: clocks are set a little now and then."""


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
        """Whether `planning.queue_plan` wrote it: nobody gave it a name."""
        return re.fullmatch(r"queue-\d{4}-\d{6}-\d{6}", self.name) is not None

    @property
    def group_names(self) -> list[str]:
        """Names of its groups, in order."""
        return list(dict.fromkeys(self.cell_groups)) or self.variants

    @property
    def factors(self) -> dict[str, int]:
        """The numbers of which its number of runs is the product; empty where its runs are no such product."""
        found = factors_of(self.protocol, len(self.group_names), len(self.seeds))
        return found if math.prod(found.values()) == len(self.configs) else {}

    @property
    def size_text(self) -> str:
        """How many groups, seeds and runs it has: ``7 variants x 5 seeds = 35 runs``."""
        return size_text(self.factors) if self.factors else counted(len(self.configs), "run")

    @property
    def one_of_each_image_size(self) -> list[RunConfig]:
        """A configuration for each data set and front end, whose images must be there before a run starts."""
        return list({(config.data, config.front_end): config for config in self.configs}.values())

    @property
    def cells(self) -> dict[RunConfig, int]:
        """The configuration of each cell to its position."""
        return {config: index for index, config in enumerate(self.configs)}

    @property
    def cells_of_a_seed(self) -> list[int]:
        """Positions of the runs of its first seed."""
        return [cell for cell, config in enumerate(self.configs) if config.seed == self.seeds[0]]

    @property
    def most_further_seeds(self) -> int:
        """How many seeds a plan that extends it can have; 0 where its seeds have other runs each."""
        return MAX_CELLS // len(self.cells_of_a_seed) if set(self.with_seeds(self.seeds)) == set(self.configs) else 0

    def with_seeds(self, seeds: Sequence[int]) -> list[RunConfig]:
        """The runs of its first seed, with other seeds."""
        cells = self.cells_of_a_seed
        return [msgspec.structs.replace(self.configs[cell], seed=seed) for seed in seeds for cell in cells]

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


def decode_plan(path: Path, content: bytes) -> Plan:
    """The plan that a file holds.

    Raises:
        StoreError: It is damaged, or a newer program wrote it in a way that is not understood.
    """
    try:
        return decode(path, content, Plan)
    except StoreError as error:
        if version_of(content) > PLAN_VERSION:
            raise StoreError(path, "a newer version of alexnet-tui wrote this plan; update to read it.") from error
        raise


def load_plan(store: Store, name: str) -> Plan:
    """The plan of a study.

    Raises:
        RunNotFoundError: There is no such study.
        StoreError: Its plan cannot be read, or the folder of its state leads elsewhere.
    """
    content = read_small(plan_path(store, name)) if is_name(name) else None
    if content is None:
        raise _not_found(store, name)
    check_no_link(folder_path(store, name))
    plan = decode_plan(plan_path(store, name), content)
    told = (set(plan.variants), set(plan.seeds))
    cells = ({one.variant for one in plan.configs}, {one.seed for one in plan.configs})
    is_whole = told == cells and len(plan.cell_groups) in {0, len(plan.configs)}
    if not is_whole or not 0 < len(plan.configs) <= MAX_CELLS:
        reason = "the study cannot be read: it has no runs, too many, or others than its variants and seeds say."
        raise StoreError(plan_path(store, name), reason)
    # The name is the file's, whatever a copied or forged plan says: folders are made after it.
    return msgspec.structs.replace(plan, name=name)


def check_is_planned(store: Store, name: str) -> None:
    """Refuse a study without a plan, be that readable or not; folders are made only for studies that there are.

    Raises:
        RunNotFoundError: There is no such study.
    """
    if not (is_name(name) and os.path.lexists(plan_path(store, name))):
        raise _not_found(store, name)


def check_is_current(store: Store, plan: Plan) -> None:
    """Refuse to go on with a plan that was removed, or in whose place another one was written.

    Raises:
        RunNotFoundError: There is no study of its name any more.
        StoreError: There is another one, or its plan cannot be read.
    """
    if load_plan(store, plan.name).sha256 != plan.sha256:
        raise StoreError(plan_path(store, plan.name), "another study of this name was planned meanwhile.")


def _not_found(store: Store, name: str) -> RunNotFoundError:
    known = names(store)
    hint = (
        f"the studies here are {', '.join(known[:8])}."
        if known
        else f"`{shell_command('study', 'new', 'mine', root=store.root)}` plans one."
    )
    return RunNotFoundError(store.root / STUDIES, f"there is no study {quoted(name, 80)}; {hint}")


def load_runnable_plan(store: Store, name: str) -> Plan:
    """The plan of a study that may be trained.

    Raises:
        RunNotFoundError: There is no such study.
        StoreError: It cannot be read, or a newer program wrote it.
    """
    plan = load_plan(store, name)
    if plan.is_newer:
        raise StoreError(plan_path(store, name), "a newer alexnet-tui wrote this plan; it can only be looked at.")
    return plan


def readable_plans(store: Store) -> list[Plan]:
    """Every plan of a folder that can be read."""
    found = []
    for name in names(store):
        with suppress(StoreError):
            found.append(load_plan(store, name))
    return found


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
            plan_path(store, plan.name),
            f"the plan was registered on {then}, and this machine's clock says {today}: runs made now would not count."
            " Set the clock; if it was wrong when the study was planned, plan it anew under another name.",
        )


def verify_hash(store: Store, plan: Plan) -> str:
    """What is wrong with a plan's hash: empty where the file still is what was registered.

    Raises:
        StoreError: The plan cannot be read.
    """
    path = plan_path(store, plan.name)
    content = decode(path, read_small(path) or b"", dict[str, object])
    if not plan.sha256:
        if plan.v >= HASH_SINCE:
            return "its hash was removed; plans of its version carry one."
        return "it carries no hash; an earlier version of alexnet-tui wrote it."
    if (found := plan_hash(content)) != plan.sha256:
        return f"it was changed after it was written: its content has the hash {found}, it says {plan.sha256}."
    return ""
