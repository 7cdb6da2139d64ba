"""A run that trains another one further is the run of its length, bit for bit, where nothing depends on the length."""

import json
import platform

import pytest
from cli_caller import Run
from fake_runs import open_writer

from alexnet_tui.analysis.copies import check_together
from alexnet_tui.analysis.integrity import Result, check_run
from alexnet_tui.cli.commands import run as cli_run
from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.folder import Folder
from alexnet_tui.runs.extend import create_extension
from alexnet_tui.runs.follow import load
from alexnet_tui.runs.history import EPOCH_COLUMNS, RunHistory
from alexnet_tui.runs.record import RunRecord
from alexnet_tui.runs.state import State
from alexnet_tui.runs.store import Store
from alexnet_tui.train.attempt import begin_attempt
from alexnet_tui.tui.watch.watcher import RunsWatcher

SMALL = {
    "data": "synthetic",
    "train_images": "128",
    "train_eval_images": "64",
    "batch_size": "64",
    "threads": "1",
    "precision": "fp32",
    "log_steps": "1",
    "checkpoint_epochs": "100",
}
pytestmark = pytest.mark.usefixtures("synthetic", "small_networks")
TIMES = {"train_seconds", "elapsed_seconds", "images_per_second"}


def train(store: Store, record: RunRecord, *, steps: int = 1 << 30) -> RunHistory:
    """Train a run in this process, to its end or for so many updates."""
    history = load(store, record.id)[0]
    polls = iter(range(steps))
    with Folder(store.path(record.id)) as folder:
        attempt = begin_attempt(history, folder, should_stop=lambda: next(polls, None) is None)
        with open_writer(folder.path, attempt=history.attempts + 1, next_seq=history.next_seq) as writer:
            for event in (*attempt.opening_events, *attempt.trainer.fit()):
                writer.write(event)
    return load(store, record.id)[0]


def columns(history: RunHistory) -> list[list[float]]:
    return [list(history.epochs[name]) for name in EPOCH_COLUMNS if name not in TIMES and not name.startswith("val")]


def weights(store: Store, run_id: str, name: str) -> str:
    manifest = (store.path(run_id) / "checkpoints" / name / "manifest.json").read_bytes()
    return str(json.loads(manifest)["sha256"])


@pytest.mark.slow
def test_an_extended_run_is_the_run_of_its_length(store: Store, run: Run) -> None:
    config = RunConfig.from_text({**SMALL, "schedule": "inverse-time", "epochs": "1"})
    parent = store.create(config)
    train(store, parent)
    before = (store.path(parent.id) / "events.jsonl").read_bytes()
    whole = store.create(RunConfig.from_text({**SMALL, "schedule": "inverse-time", "epochs": "2"}))
    expected = train(store, whole)

    child = create_extension(store, parent.id, 2, label="longer")
    assert child.extends is not None
    assert (child.extends.runs, child.extends.epochs, child.extends.checkpoint) == ([parent.id], 1, "e0001")
    waiting, state = load(store, child.id)
    assert (state, waiting.num_epochs_done, len(waiting.epochs)) == (State.QUEUED, 1, 1)
    watcher = RunsWatcher(store)
    watcher.poll()
    assert watcher.states[child.id] is State.QUEUED
    (store.path(child.id) / "lock").write_text(f'{{"pid":1,"host":"{platform.node()}","start_seconds":1.0}}')
    assert load(store, child.id)[1] is State.LOST, "its trainer ended before its first event"
    history = train(store, child)
    assert (history.num_epochs_done, history.missing_events, history.bit_exact) == (2, 0, True)
    assert columns(history) == columns(expected)
    assert list(history.steps["train_loss"]) == list(expected.steps["train_loss"])
    assert weights(store, child.id, "e0002") == weights(store, whole.id, "e0002")
    assert (store.path(parent.id) / "events.jsonl").read_bytes() == before

    results = {check.name: check.result for check in check_run(history)}
    assert results["extension"] is Result.PASSED
    assert Result.FAILED not in {result for name, result in results.items() if name != "code"}
    parent_history = load(store, parent.id)[0]
    together = check_together([parent_history, history, expected])
    assert {check.result for check in together.values()} == {Result.PASSED}  # Equal to both, and a copy of neither.
    again = create_extension(store, child.id, 3)
    assert again.extends is not None
    assert again.extends.runs == [child.id, parent.id]
    shown = json.loads(run("show", child.id, "--json").out)
    assert (shown["extends"], shown["epoch"], shown["label"]) == (parent.id, 2, "longer")
    assert parent.id in run("show", child.id).out
    assert "(extended)" in run("runs").out


@pytest.mark.slow
def test_a_stopped_run_is_extended_from_the_middle_of_an_epoch(store: Store) -> None:
    fields = {**SMALL, "epochs": "2", "schedule": "step"}
    parent = store.create(RunConfig.from_text(fields))
    stopped = train(store, parent, steps=1)
    assert (stopped.step, stopped.checkpoints) == (1, ["e0000-s00000001"])
    history = train(store, create_extension(store, parent.id, 3))
    assert (history.num_epochs_done, len(history.epochs), history.missing_events) == (3, 3, 0)
    note = {check.name: check for check in check_run(history)}["extension"]
    assert note.result is Result.NOT_APPLICABLE  # Half of two epochs is not half of three.
    assert "not comparable" in note.sentence


def test_an_extension_elsewhere_does_not_need_its_device_here(
    store: Store, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    parent = store.create(RunConfig.from_text({**SMALL, "epochs": "1"}))
    train(store, parent, steps=1)
    monkeypatch.setattr(cli_run, "check_device", lambda config: pytest.fail("another machine has the device"))
    elsewhere = ("--launcher", "command", "--template", "ssh host -- {cmd}")
    assert run("run", "--extend", parent.id, "--epochs", "2", *elsewhere, "--dry-run").code == 0
    assert "--extend" in run("run", "--trust").err
