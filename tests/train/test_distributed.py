"""One run in several processes gives the numbers of one process; here the processes are threads joined by Gloo."""

import threading
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from small_training import newest, numbers, stop_before, trainer

from alexnet_tui.errors import PeerLostError
from alexnet_tui.runs import events as ev
from alexnet_tui.train.loop import Trainer
from alexnet_tui.train.update.distributed import ALONE, Ranks

pytestmark = pytest.mark.usefixtures("synthetic", "small_networks")
PRECISE = {"precision": "fp32", "augmentation": "paper", "init": "he", "schedule": "inverse-time", "rate_decay": "0.5"}


def in_ranks(size: int, act: Callable[[Ranks], None]) -> None:
    """Call a function in every rank of a group at once."""
    store = dist.HashStore()  # type: ignore[attr-defined]
    errors: list[BaseException] = []
    connected = threading.Barrier(size)  # One that left earlier would break the connecting of the others.

    def run(rank: int) -> None:
        try:
            group = dist.ProcessGroupGloo(store, rank, size, timedelta(seconds=120))
            connected.wait(120)
            act(Ranks(rank, size, group))  # type: ignore[arg-type]
        except BaseException as error:  # noqa: BLE001 - raised again below
            errors.append(error)

    threads = [threading.Thread(target=run, args=(rank,)) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


@pytest.mark.parametrize("count", [0, 1, 5, 128])
def test_parts_of_a_batch_are_the_batch(count: int) -> None:
    for size in (1, 2, 3, 7):
        rows = [row for rank in range(size) for row in range(count)[Ranks(rank, size, None).part(count)]]
        assert rows == list(range(count))


def test_a_sum_is_over_all_and_one_vote_is_enough() -> None:
    found: dict[int, tuple[list[float], bool, bool]] = {}

    def act(ranks: Ranks) -> None:
        tensor = torch.tensor([1.0, ranks.rank])
        ranks.add_up([tensor])
        found[ranks.rank] = tensor.tolist(), ranks.any(ranks.rank == 1), ranks.any(False)

    in_ranks(3, act)
    assert found == dict.fromkeys(range(3), ([3.0, 3.0], True, False))
    assert ALONE.any(True)
    assert not ALONE.any(False)


def test_a_rank_that_leaves_is_noticed() -> None:
    def act(ranks: Ranks) -> None:
        if ranks.rank == 0:
            with pytest.raises(PeerLostError):
                ranks.wait_for_all()

    in_ranks(2, act)


def flat(events: list[ev.Event]) -> list[float]:
    return [float(value) for row in numbers(events) for value in row if value is not None]  # type: ignore[arg-type]


def trained(folder: Path, ranks: Ranks = ALONE, fields: Mapping[str, str] = PRECISE) -> tuple[Trainer, list[ev.Event]]:
    subject = trainer(folder, ranks=ranks, fields={**PRECISE, **fields})
    return subject, list(subject.fit())


@pytest.mark.parametrize(
    ("size", "fields"),
    [
        (2, {"train_images": "33", "epochs": "1"}),  # One process has no image of the last batch.
        pytest.param(3, {"train_images": "96", "split": "holdout"}, marks=pytest.mark.slow),
    ],
)
def test_several_ranks_train_like_one(tmp_path: Path, size: int, fields: dict[str, str]) -> None:
    alone, expected = trained(tmp_path / "alone", fields=fields)
    found: dict[int, tuple[Trainer, list[ev.Event]]] = {}

    def act(ranks: Ranks) -> None:
        found[ranks.rank] = trained(tmp_path / "shared", ranks, fields)

    in_ranks(size, act)
    for subject, events in found.values():
        assert flat(events) == pytest.approx(flat(expected), abs=1e-4)
        for mine, theirs in zip(subject.optimizer.master_weights, alone.optimizer.master_weights, strict=True):
            torch.testing.assert_close(mine, theirs, atol=1e-4, rtol=0)
        assert numbers(events) == numbers(found[0][1]), "all take the same decisions"
    assert not any(isinstance(event, ev.Checkpoint) for event in found[1][1]), "one process writes"


@pytest.mark.slow
def test_one_rank_asked_to_stop_stops_all_at_the_same_update_and_resumes_to_the_same_weights(tmp_path: Path) -> None:
    whole: dict[int, Trainer] = {}
    ends: dict[int, ev.Event] = {}
    resumed: dict[int, Trainer] = {}

    def act(ranks: Ranks) -> None:
        whole[ranks.rank] = trained(tmp_path / "whole", ranks)[0]
        asked = stop_before(3) if ranks.rank == 1 else stop_before(1000)
        broken = trainer(tmp_path / "broken", asked, ranks=ranks, fields=PRECISE)
        ends[ranks.rank] = list(broken.fit())[-1]
        ranks.wait_for_all()
        again = resumed[ranks.rank] = trainer(tmp_path / "broken", ranks=ranks, fields=PRECISE)
        state = newest(tmp_path / "broken", again)
        assert state is not None
        again.restore(state)
        list(again.fit())

    in_ranks(2, act)
    assert [(type(event), event.step) for event in ends.values()] == [(ev.Stopped, 2)] * 2  # type: ignore[attr-defined]
    for mine, theirs in zip(resumed[1].optimizer.master_weights, whole[0].optimizer.master_weights, strict=True):
        assert torch.equal(mine, theirs)
