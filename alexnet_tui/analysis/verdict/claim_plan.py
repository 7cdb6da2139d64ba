"""`register_claims`: claims that can be judged become the plan of a study."""

from collections.abc import Mapping, Sequence

from alexnet_tui.analysis.verdict.claim_checks import problems
from alexnet_tui.config.claims import find_claims
from alexnet_tui.errors import ClaimError
from alexnet_tui.runs.store import Store
from alexnet_tui.studies import planning
from alexnet_tui.studies.plan import Plan


def register_claims(
    store: Store, name: str, claims: str, *, seeds: Sequence[int], overrides: Mapping[str, str], label: str = ""
) -> Plan:
    """Write the plan of the groups of runs that a set or a file of claims needs.

    Raises:
        UsageError: There is no such set and no such file, or the name is no name or taken.
        ClaimError: Some of the claims cannot be judged; nothing was written.
        ConfigError: A setting is wrong.
        StoreError: The folder cannot be written.
    """
    found = find_claims(claims)
    if faults := problems(found, overrides):
        raise ClaimError(claims, faults)
    return planning.plan_claims(store, name, found, seeds=seeds, overrides=overrides, label=label)
