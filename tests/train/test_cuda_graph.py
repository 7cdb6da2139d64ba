"""Updates as one unit: on a CPU by a recorder that only calls the work again, on a GPU by a CUDA graph."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from small_training import newest, numbers, stop_before, trainer

from alexnet_tui.runs import events as ev
from alexnet_tui.train import loop
from alexnet_tui.train.loop import Trainer
from alexnet_tui.train.update.cuda_graph import Act, CaptureError, Recorder, Replayed

# The last batch of an epoch has four images; every update has another rate; every source of random numbers is in use.
FIELDS = {
    "train_images": "100",
    "train_eval_images": "40",
    "epochs": "2",
    "augmentation": "paper",
    "schedule": "inverse-time",
    "rate_decay": "0.5",
    "init": "he",
}


class CallingRecorder:
    """Records nothing: a replay is one more call, on the tensors that a recording would use."""

    def __init__(self) -> None:
        self.num_warm_ups = self.num_records = self.num_replays = 0

    def warm_up(self, act: Act) -> None:
        self.num_warm_ups += 1
        act()

    def record(self, act: Act, generator: torch.Generator | None) -> Act:
        self.num_records += 1

        def replay() -> None:
            self.num_replays += 1
            act()

        return replay


class RefusingRecorder(CallingRecorder):
    """Cannot record; the work has been begun by then, as in a capture that breaks in its midst."""

    def record(self, act: Act, generator: torch.Generator | None) -> Act:
        raise RuntimeError("operation not permitted when stream is capturing\nCUDA kernel errors might be ...")


def test_only_whole_batches_are_recorded_and_inputs_are_copied() -> None:
    seen: list[tuple[list[float], float]] = []
    recorder = CallingRecorder()
    act = Replayed(lambda batch, rate: seen.append((batch.tolist(), float(rate))), 2, recorder)
    rate = torch.zeros(())
    given = []
    for number in range(8):
        batch = torch.full((2 if number != 5 else 1,), float(number))
        given.append((batch.tolist(), float(rate.fill_(number / 2))))
        act(batch, rate)
    assert seen == given
    assert (recorder.num_warm_ups, recorder.num_records, recorder.num_replays) == (3, 1, 4)


def test_what_cannot_be_recorded_is_reported_once_and_called_from_then_on() -> None:
    seen: list[int] = []
    act = Replayed(lambda batch: seen.append(len(batch)), 2, RefusingRecorder())
    batch = torch.zeros(2)
    for _ in range(3):
        act(batch)
    with pytest.raises(CaptureError):
        act(batch)
    assert len(seen) == 3, "nothing was done"
    act(batch)
    assert len(seen) == 4


@pytest.fixture
def small_evaluation(monkeypatch: pytest.MonkeyPatch) -> None:
    """Evaluation has whole batches enough to be recorded."""
    monkeypatch.setattr(loop, "_EVAL_BATCH", 8)


def trained(folder: Path, recorder: Recorder | None, **fields: str) -> tuple[Trainer, list[ev.Event]]:
    subject = trainer(folder, make_recorder=lambda *_: recorder, fields={**FIELDS, **fields})
    return subject, list(subject.fit())


def assert_same_weights(one: Trainer, other: Trainer) -> None:
    for tensors in zip(one.optimizer.master_weights, other.optimizer.master_weights, strict=True):
        assert torch.equal(*tensors)


@pytest.mark.usefixtures("synthetic", "small_networks", "small_evaluation")
@pytest.mark.parametrize("make_recorder", [CallingRecorder, RefusingRecorder])
def test_replayed_updates_give_the_numbers_of_plain_ones(
    tmp_path: Path, make_recorder: Callable[[], CallingRecorder]
) -> None:
    plain, expected = trained(tmp_path / "plain", None)
    recorder = make_recorder()
    replayed, events = trained(tmp_path / "replayed", recorder)
    assert numbers(events) == numbers(expected)
    assert_same_weights(replayed, plain)
    warnings = [event.code for event in events if isinstance(event, ev.Warned)]
    assert warnings == (["not_recorded"] if isinstance(recorder, RefusingRecorder) else [])
    if not warnings:
        # Six whole updates and four small ones' worth of evaluation: nine whole batches of eight an epoch.
        assert recorder.num_records == 2
        assert recorder.num_replays == (6 - 3) + (2 * 9 - 3)


@pytest.mark.usefixtures("synthetic", "small_networks")
def test_all_images_are_recorded_as_one_batch_where_they_are_fewer_than_that(tmp_path: Path) -> None:
    recorder = CallingRecorder()
    trained(tmp_path, recorder, batch_size="128", epochs="6")
    assert (recorder.num_records, recorder.num_replays) == (1, 6 - 3)


@pytest.mark.slow
@pytest.mark.usefixtures("synthetic", "small_networks", "small_evaluation")
def test_replayed_updates_stop_and_resume_to_the_weights_of_an_unbroken_run(tmp_path: Path) -> None:
    whole, _ = trained(tmp_path / "whole", None)
    broken = trainer(tmp_path / "broken", stop_before(4), make_recorder=lambda *_: CallingRecorder(), fields=FIELDS)
    assert isinstance(list(broken.fit())[-1], ev.Stopped)
    resumed = trainer(tmp_path / "broken", make_recorder=lambda *_: CallingRecorder(), fields=FIELDS)
    state = newest(tmp_path / "broken", resumed)
    assert state is not None
    resumed.restore(state)  # Its first update is the small one that is never recorded.
    list(resumed.fit())
    assert_same_weights(resumed, whole)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device")
@pytest.mark.slow
@pytest.mark.usefixtures("synthetic")
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_cuda_graph_gives_the_numbers_of_separate_launches(tmp_path: Path, precision: str) -> None:
    fields = {"device": "cuda", "precision": precision, "epochs": "3"}
    plain, expected = trained(tmp_path / "plain", None, **fields)
    replayed = trainer(tmp_path / "replayed", fields={**FIELDS, **fields})
    events = list(replayed.fit())
    assert not [event.message for event in events if isinstance(event, ev.Warned)]
    assert numbers(events) == numbers(expected)
    assert_same_weights(replayed, plain)
