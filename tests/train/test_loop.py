"""The promises of the loop: same seed, same events; stop anywhere and resume, same weights."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from small_training import never, newest, numbers, stop_before, trainer

from alexnet_tui.errors import CheckpointError
from alexnet_tui.folder import Folder
from alexnet_tui.report.pictures.kernels import read_kernels, stored_epochs
from alexnet_tui.runs import events as ev
from alexnet_tui.train import kernel_snapshots, loop
from alexnet_tui.train.attempt import Attempt

pytestmark = pytest.mark.usefixtures("synthetic", "small_networks")


def test_events_of_a_run(tmp_path: Path) -> None:
    events = list(trainer(tmp_path, split="holdout").fit())
    epochs = [event for event in events if isinstance(event, ev.Epoch)]
    assert [(event.epoch, event.step) for event in epochs] == [(1, 3), (2, 6)]
    assert [event.step for event in events if isinstance(event, ev.Step)] == [2, 4, 6]
    last = epochs[-1]
    for value in (last.train_accuracy, last.train_eval_accuracy, last.test_accuracy, last.val_accuracy):
        assert value is not None
        assert 0 <= float(value) <= 1
    assert 0 < (last.train_seconds or 0) <= (last.elapsed_seconds or 0)
    assert isinstance(events[-1], ev.Finished)
    saved = [event for event in events if isinstance(event, ev.Checkpoint)]
    assert [(event.name, event.kernels) for event in saved] == [("e0002", "e0002.npz")]
    assert stored_epochs(tmp_path) == [0, 1, 2]


def test_slow_updates_are_reported_between_step_events_and_change_no_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "_MAX_SILENCE_SECONDS", math.inf)
    quiet = list(trainer(tmp_path / "quiet").fit())
    monkeypatch.setattr(loop, "_MAX_SILENCE_SECONDS", 0.0)
    told = list(trainer(tmp_path / "told").fit())
    assert numbers(told) == numbers(quiet)
    positions = [event for event in told if isinstance(event, ev.System) and event.step is not None]
    assert {event.step for event in positions} == {1, 3, 5}, "every update that no step event is about"
    assert all(math.isfinite(float(event.train_loss or "nan")) and event.images_per_second for event in positions)
    assert not any(event.step for event in quiet if isinstance(event, ev.System))


def test_a_long_evaluation_is_not_silent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a host that does not see its lock would take the run for a crashed one."""
    monkeypatch.setattr(loop, "_MAX_SILENCE_SECONDS", 0.0)
    trained, written = trainer(tmp_path), list[ev.Event]()
    kinds = [(event.step, type(event)) for event in trained.fit() if isinstance(event, (ev.Epoch, ev.System))]
    one, other = kinds.index((3, ev.Epoch)), kinds.index((6, ev.Epoch))
    # A batch of each of the two sets that are evaluated: in the midst of an interval of steps, and at its end.
    assert kinds[one - 2 : one] == [(3, ev.System)] * 2
    assert kinds[other - 2 : other] == [(None, ev.System)] * 2
    with Folder(tmp_path) as folder:
        Attempt(trained, []).save_predictions(folder, written.append)
    assert list(map(type, written)) == [ev.System]


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_same_seed_same_numbers_and_another_seed_other_numbers(tmp_path: Path, precision: str) -> None:
    runs = [
        numbers(list(trainer(tmp_path / name, seed=seed, precision=precision).fit()))
        for name, seed in (("a", "0"), ("b", "0"), ("c", "1"))
    ]
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


@pytest.mark.parametrize(("batch_size", "mean"), [("32", 32), ("50", 48), ("65536", 96)])
def test_the_images_of_an_update_are_no_more_than_there_are(tmp_path: Path, batch_size: str, mean: int) -> None:
    assert trainer(tmp_path, batch_size=batch_size).images_per_update == mean


@pytest.mark.slow
# Three updates, evaluation of two sets: polls 1-4 are in training, 5-7 in and around evaluation, 9 in epoch 2.
@pytest.mark.parametrize("poll", [2, 3, 5, 6, 9])
def test_stop_and_resume_ends_with_the_weights_of_an_unbroken_run(tmp_path: Path, poll: int) -> None:
    fields = {"schedule": "inverse-time", "rate_decay": "0.5"}  # Its rate depends on the number of the update.
    whole = trainer(tmp_path / "whole", never, fields=fields)
    expected = numbers(list(whole.fit()))
    broken = trainer(tmp_path / "broken", stop_before(poll), fields=fields)
    first_part = list(broken.fit())
    assert isinstance(first_part[-1], ev.Stopped)
    resumed = trainer(tmp_path / "broken", never, fields=fields)
    state = newest(tmp_path / "broken", resumed)
    assert state is not None
    resumed.restore(state)
    assert numbers(first_part) + numbers(list(resumed.fit())) == expected
    for mine, theirs in zip(resumed.optimizer.master_weights, whole.optimizer.master_weights, strict=True):
        assert torch.equal(mine, theirs)


@pytest.mark.slow
def test_a_checkpoint_of_another_seed_or_of_other_settings_is_refused(tmp_path: Path) -> None:
    theirs = trainer(tmp_path / "theirs", stop_before(2), seed="1")
    list(theirs.fit())
    assert newest(tmp_path / "theirs", trainer(tmp_path / "theirs", seed="1", threads="2", epochs="3")) is not None
    for fields in ({}, {"seed": "1", "dropout": "0.1"}):
        with pytest.raises(CheckpointError, match="a run of other settings, or of another seed, wrote it"):
            newest(tmp_path / "theirs", trainer(tmp_path / "theirs", fields=fields))


def test_a_stop_that_is_taken_back_leaves_no_epoch_cut_short(tmp_path: Path) -> None:
    asked = iter([False, True])
    events = list(trainer(tmp_path, lambda: next(asked, False)).fit())
    assert not [event for event in events if isinstance(event, ev.Epoch)]
    assert isinstance(events[-1], ev.Stopped)
    assert events[-1].step == 1


def test_fault_20_a_loss_that_is_not_finite_stops_before_the_update(tmp_path: Path) -> None:
    subject = trainer(tmp_path, learning_rate="1e6", init="he")
    events = list(subject.fit())
    final = events[-1]
    assert isinstance(final, ev.Failed)
    assert final.reason == "diverged"
    assert "learning rate below 1e+06" in final.message
    assert all(bool(torch.isfinite(master).all()) for master in subject.optimizer.master_weights)
    for event in events:
        ev.encode(event)  # Every line is valid JSON.


def test_checkpoint_of_other_data_or_another_network_is_refused(tmp_path: Path) -> None:
    subject = trainer(tmp_path, stop_before(2))
    list(subject.fit())
    state = newest(tmp_path, subject)
    assert state is not None
    with pytest.raises(CheckpointError, match="other data"):
        trainer(tmp_path, data_sha256="e").restore(state)
    with pytest.raises(CheckpointError, match="no checkpoint can be trusted"):
        newest(tmp_path, trainer(tmp_path, removed_conv_layer="4"))


def test_stored_kernels_are_the_first_layers_weights_and_few_bytes(tmp_path: Path) -> None:
    subject = trainer(tmp_path, epochs="1")
    list(subject.fit())
    weights = subject.optimizer.master_weights[0].numpy()
    found = read_kernels(tmp_path, 1)
    assert found is not None
    step = np.abs(weights).max(axis=(1, 2, 3), keepdims=True) / 127
    assert (np.abs(found - weights) <= step * 0.501).all()
    assert (tmp_path / "kernels" / "e0001.npz").stat().st_size < weights.size + 2_000


def test_of_too_many_files_of_kernels_spread_ones_are_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel_snapshots, "MOST_FILES", 4)
    with Folder(tmp_path) as folder:
        for epoch in range(10):
            kernel_snapshots.save(folder, epoch, torch.zeros(2, 3, 3, 3))
    assert stored_epochs(tmp_path) == [0, 4, 7, 9]


def test_kernels_that_cannot_be_stored_are_one_warning(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "kernels").symlink_to("elsewhere")
    events = list(trainer(tmp_path).fit())
    assert [event.code for event in events if isinstance(event, ev.Warned)] == ["kernels_failed"]
    assert [event.kernels for event in events if isinstance(event, ev.Checkpoint)] == [""]
    assert not list((tmp_path / "elsewhere").iterdir())


def test_full_disk_at_a_checkpoint_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "checkpoints").write_text("a file where the folder should be")
    events = list(trainer(tmp_path, epochs="1").fit())
    warnings = [event for event in events if isinstance(event, ev.Warned)]
    assert [warning.code for warning in warnings] == ["checkpoint_failed", "weights_not_saved"]
    assert isinstance(events[-1], ev.Finished)


@pytest.mark.slow
def test_training_learns(tmp_path: Path) -> None:
    subject = trainer(
        tmp_path,
        train_images="64",
        epochs="100",
        dropout="0",
        init="he",
        augmentation="none",
        learning_rate="0.02",
        checkpoint_epochs="100",
    )
    events = list(subject.fit())
    losses = [float(event.train_loss) for event in events if isinstance(event, ev.Epoch)]
    assert losses[0] > math.log(10) - 0.5
    assert losses[-1] < 0.5
