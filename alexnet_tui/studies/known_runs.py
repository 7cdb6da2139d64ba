"""Runs whose numbers were known before a plan: a claim that is registered after its numbers decides nothing.

Runs of equal settings, seed and images train alike, so one that was trained before tells what a planned one will come
to.
"""

import math
from collections.abc import Iterable

from alexnet_tui.config.hyperparameters import RunConfig, training_key
from alexnet_tui.datasets.catalog import Source, known_facts
from alexnet_tui.errors import StoreError
from alexnet_tui.runs import events as ev
from alexnet_tui.runs.follow import load
from alexnet_tui.runs.history import RunHistory
from alexnet_tui.runs.origin import read_imported
from alexnet_tui.runs.store import Store


def known_runs(
    store: Store, configs: Iterable[RunConfig], *, plan_sha256: str = "", before: float = math.inf
) -> dict[RunConfig, str]:
    """Planned run to the first run of its settings and seed of which an epoch, or more, is known.

    Args:
        configs: The planned runs.
        plan_sha256: Hash of their plan, whose own runs are left out.
        before: When the plan was registered, seconds since 1970. Of runs that came later from elsewhere, nobody knows
            whether they were known here by then: they are left out.

    Raises:
        StoreError: The runs folder cannot be read.
    """
    planned: dict[tuple[object, ...], list[RunConfig]] = {}
    for config in configs:
        planned.setdefault(training_key(config), []).append(config)
    found: dict[RunConfig, str] = {}
    for record in reversed(store.list().runs):
        is_own = bool(plan_sha256) and record.plan_sha256 == plan_sha256
        if is_own or record.foreign or record.created >= before:
            continue
        if not (alike := planned.get(training_key(record.config), ())):
            continue
        try:
            if before < math.inf and _came_from_elsewhere(store, record.id, before):
                continue
            history = load(store, record.id, skip_steps=True)[0]
            num_epochs = _epochs_done(store, history, before)
        except StoreError:  # What nobody can read tells nobody anything.
            continue
        for config in alike:
            if config not in found and num_epochs and _has_images_of(history, config):
                found[config] = record.id
    return found


def _came_from_elsewhere(store: Store, run_id: str, since: float) -> bool:
    """Whether a run was imported since a time, or came with the program."""
    with store.folder(run_id) as folder:
        imported = read_imported(folder)
    return store.is_reference(run_id) or (imported is not None and imported.imported > since)


def _epochs_done(store: Store, history: RunHistory, before: float) -> int:
    """Epochs that a run had done by a time."""
    if before == math.inf:
        return history.num_epochs_done
    done, reader = set[int](), store.reader(history.id, skip_steps=True)
    while events := reader.read_new():
        done |= {event.epoch for event in events if isinstance(event, ev.Epoch) and event.wall < before}
    return len(done)


def _has_images_of(history: RunHistory, config: RunConfig) -> bool:
    """Whether a run was trained on the images of a planned one, whatever the data set or their number is called."""
    mine, facts, started = history.record.config, known_facts(config.data), history.started
    if started is None:
        return False
    is_same_data = mine.data == config.data or (isinstance(facts, Source) and started.data_sha256 == facts.sha256)
    left = facts.num_train - config.num_val_images(facts.num_train) if facts else 0
    wanted = config.train_images or left
    is_same_number = mine.train_images == config.train_images or (wanted > 0 and started.num_train_images == wanted)
    return is_same_data and is_same_number
