"""Runs whose numbers were known before a plan: a claim that is registered after its numbers decides nothing.

Runs of equal settings and seed train alike, so one that was trained before tells what a planned one will come to.
"""

import math
from collections.abc import Iterable

from alexnet_tui.config.hyperparameters import RunConfig, training_key
from alexnet_tui.errors import StoreError
from alexnet_tui.runs.follow import load
from alexnet_tui.runs.history import RunHistory
from alexnet_tui.runs.store import Store


def known_runs(
    store: Store, configs: Iterable[RunConfig], *, plan_sha256: str = "", before: float = math.inf
) -> dict[RunConfig, str]:
    """Planned run to the first run of its settings and seed that half of its epochs, or more, are known of.

    Args:
        configs: The planned runs.
        plan_sha256: Hash of their plan, whose own runs are left out.
        before: When the plan was registered, seconds since 1970.

    Raises:
        StoreError: The runs folder cannot be read.
    """
    planned = {training_key(config): config for config in configs}
    found: dict[RunConfig, str] = {}
    for record in reversed(store.list().runs):
        config = planned.get(training_key(record.config)) if record.foreign is None else None
        if config is None or config in found or record.created >= before:
            continue
        if plan_sha256 and record.plan_sha256 == plan_sha256:
            continue
        try:
            history = load(store, record.id, skip_steps=True)[0]
        except StoreError:  # What nobody can read tells nobody anything.
            continue
        if 2 * _epochs_done(history, before) >= config.epochs:
            found[config] = record.id
    return found


def _epochs_done(history: RunHistory, before: float) -> int:
    """Epochs that a run had done by a time; pauses between its attempts are not counted as time."""
    begin = next((place.wall for place in history.segments if place.wall), 0.0)
    return sum(begin + seconds < before for seconds in history.epochs["elapsed_seconds"] if not math.isnan(seconds))
