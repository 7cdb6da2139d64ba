"""Runs whose numbers were known before a plan: a claim that is registered after its numbers decides nothing.

Runs of equal settings, seed and images train alike, so one that was trained before tells what a planned one will come
to. Settings may differ and change nothing, or nothing for many epochs: what counts is the first epoch, by the settings
before the planned runs are trained, and by its loss afterwards. A run that is gone is known by the ledger of its study.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress

import msgspec

from alexnet_tui.config.hyperparameters import RunConfig, first_epoch_key
from alexnet_tui.datasets.catalog import Source, known_facts
from alexnet_tui.errors import StoreError
from alexnet_tui.folder import Folder
from alexnet_tui.runs import events as ev
from alexnet_tui.runs.history import RunHistory
from alexnet_tui.runs.origin import read_imported
from alexnet_tui.runs.store import Store
from alexnet_tui.studies.ledger import LEDGER_FILE, read_file
from alexnet_tui.studies.plan import readable_plans
from alexnet_tui.studies.study_files import folder_path

_PIECE_BYTES = 1 << 16
"""So much of a log is read at a time on the way to its first epoch."""


def known_runs(
    store: Store,
    configs: Iterable[RunConfig],
    *,
    plan_sha256: str = "",
    before: float = math.inf,
    trained: Sequence[RunHistory] = (),
) -> dict[RunConfig, str]:
    """Planned run to the first run that trained the same first epoch: by its settings and seed, or by its loss.

    Args:
        configs: The planned runs.
        plan_sha256: Hash of their plan, whose own runs are left out.
        before: When the plan was registered, seconds since 1970. Of runs that came later from elsewhere, nobody knows
            whether they were known here by then: they are left out.
        trained: Runs made for the plan.

    Raises:
        StoreError: The runs folder cannot be read.
    """
    by_settings, by_loss = _by_first_epoch(configs), _by_first_loss(trained)
    seeds = {run.record.config.seed for run in trained}
    found: dict[RunConfig, str] = {}
    for record in reversed(store.list().runs):
        mine = record.config
        is_own = bool(plan_sha256) and record.plan_sha256 == plan_sha256
        if is_own or record.foreign or record.created >= before:
            continue
        alike = by_settings.get(first_epoch_key(mine), ())
        try:
            begun = _beginning(store, record.id, before) if alike or mine.seed in seeds else None
            if begun is None or (before < math.inf and _came_from_elsewhere(store, record.id, before)):
                continue
        except StoreError:  # What nobody can read tells nobody anything.
            continue
        told = [config for config in alike if _has_images_of(mine, begun.started, config)]
        told += by_loss.get((mine.seed, float(begun.epoch.train_loss)), ())
        for config in told:
            found.setdefault(config, record.id)
    for run_id, mine in _gone(store, plan_sha256, before):
        for config in by_settings.get(first_epoch_key(mine), ()):
            if (mine.data, mine.train_images) == (config.data, config.train_images):
                found.setdefault(config, run_id)
    return found


def _gone(store: Store, plan_sha256: str, before: float) -> Iterator[tuple[str, RunConfig]]:
    """Runs that had finished for another plan by a time, as its ledger says, and are no more."""
    for plan in readable_plans(store):
        state = Folder.find(folder_path(store, plan.name))
        if state is None or (plan_sha256 and plan.sha256 == plan_sha256):
            continue
        with state, suppress(StoreError):  # What nobody can read tells nobody anything.
            finished = () if _was_imported(state, before) else read_file(state.path / LEDGER_FILE).entries
            for entry in finished:
                is_planned = entry.cell is not None and 0 <= entry.cell < len(plan.configs)
                if is_planned and entry.is_finish and entry.wall < before and not store.is_in(entry.run):
                    yield entry.run, plan.configs[entry.cell or 0]


def _by_first_epoch(configs: Iterable[RunConfig]) -> Mapping[tuple[object, ...], list[RunConfig]]:
    found: dict[tuple[object, ...], list[RunConfig]] = {}
    for config in configs:
        found.setdefault(first_epoch_key(config), []).append(config)
    return found


def _by_first_loss(runs: Iterable[RunHistory]) -> Mapping[tuple[int, float], list[RunConfig]]:
    """Seed and training loss of the first epoch, a number of sixteen digits, to the runs that had it."""
    found: dict[tuple[int, float], list[RunConfig]] = {}
    for run in runs:
        if len(run.epochs) and math.isfinite(loss := run.epochs["train_loss"][0]):
            found.setdefault((run.record.config.seed, loss), []).append(run.record.config)
    return found


class _Beginning(msgspec.Struct, frozen=True):
    """A run's first epoch, and the start that led to it."""

    started: ev.Started
    epoch: ev.Epoch


def _beginning(store: Store, run_id: str, before: float) -> _Beginning | None:
    """How a run began; None where its first epoch had not ended by a time."""
    started, reader = None, store.reader(run_id, skip_steps=True)
    while events := reader.read_new(_PIECE_BYTES):
        for event in events:
            if isinstance(event, ev.Started):
                started = event
            elif isinstance(event, ev.Epoch):
                return _Beginning(started, event) if started and event.wall < before else None
    return None


def _came_from_elsewhere(store: Store, run_id: str, since: float) -> bool:
    """Whether a run was imported since a time, or came with the program."""
    with store.folder(run_id) as folder:
        return store.is_reference(run_id) or _was_imported(folder, since)


def _was_imported(folder: Folder, since: float) -> bool:
    """Whether a run or a study was imported since a time."""
    imported = read_imported(folder)
    return imported is not None and imported.imported > since


def _has_images_of(mine: RunConfig, started: ev.Started, config: RunConfig) -> bool:
    """Whether a run was trained on the images of a planned one, whatever the data set or their number is called.

    Args:
        mine: The run's configuration.
        started: What it found when it started.
        config: The planned run.
    """
    facts = known_facts(config.data)
    is_same_data = mine.data == config.data or (isinstance(facts, Source) and started.data_sha256 == facts.sha256)
    left = facts.num_train - config.num_val_images(facts.num_train) if facts else 0
    wanted = config.train_images or left
    is_same_number = mine.train_images == config.train_images or (wanted > 0 and started.num_train_images == wanted)
    return is_same_data and is_same_number
