"""The number of CPU threads is timed once, recorded, and kept by a resume."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from fake_runs import open_writer

from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.cores import num_cores
from alexnet_tui.folder import Folder
from alexnet_tui.runs import events as ev
from alexnet_tui.runs.follow import load
from alexnet_tui.runs.history import threads_text
from alexnet_tui.runs.store import Store
from alexnet_tui.train import attempt, timing
from alexnet_tui.train.machine.device import DeviceSetup, select_device

pytestmark = pytest.mark.usefixtures("small_networks")
SMALL = {
    "data": "synthetic",
    "train_images": "64",
    "train_eval_images": "32",
    "batch_size": "8",
    "epochs": "1",
    "device": "cpu",
}


@pytest.fixture(autouse=True)
def _clean_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def started(store: Store, run_id: str) -> ev.Started:
    """The first event of the next attempt at a run."""
    with Folder(store.path(run_id)) as folder:
        opened = attempt.begin_attempt(load(store, run_id)[0], folder, should_stop=lambda: False)
    assert opened.trainer.setup.threads == torch.get_num_threads()
    event = opened.opening_events[0]
    assert isinstance(event, ev.Started)
    return event


@pytest.mark.skipif(num_cores() < 2, reason="one core: there is nothing to choose")
def test_every_core_half_of_them_and_one_are_timed() -> None:
    config = RunConfig.from_text(SMALL)
    found = timing.time_threads(config, select_device(config))
    assert set(found) == {num_cores(), num_cores() // 2 or 1, 1}
    assert min(found.values()) > 0


def test_a_hopeless_number_of_threads_is_given_up_at_once() -> None:
    steps = iter((0.1, 0.2, 0.3))
    assert timing._median_of_trial(lambda: next(steps), limit=150.0) == pytest.approx(0.15)
    assert list(steps) == [0.3]


def test_the_fastest_number_is_taken_recorded_and_kept(
    store: Store, synthetic: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempt, "num_cores", lambda: 3)
    monkeypatch.setattr(attempt, "time_threads", lambda *_: {3: 30.0, 2: 10.0, 1: 20.0})
    short, long = (
        store.create(RunConfig.from_text({**SMALL, "epochs": epochs})).id for epochs in ("1", str(timing.MIN_UPDATES))
    )
    assert not started(store, short).thread_milliseconds, "too short to be worth timing"
    first = started(store, long)
    assert (first.threads, first.thread_milliseconds) == (2, {3: 30.0, 2: 10.0, 1: 20.0})
    assert threads_text(first) == "2 threads (timed, an update with 1: 20 ms, 2: 10 ms, 3: 30 ms)"
    with open_writer(store.path(long)) as writer:
        writer.write(first)
    monkeypatch.setattr(attempt, "time_threads", lambda *_: {3: 1.0})
    again = started(store, long)
    assert (again.threads, again.thread_milliseconds) == (2, {}), "numbers depend on it"
    assert again.fingerprint == first.fingerprint
    monkeypatch.setattr(attempt, "num_cores", lambda: 1)
    monkeypatch.setattr(attempt, "time_threads", lambda *_: {1: 1.0})
    assert started(store, long).threads == 1, "it began on a larger machine"


def test_a_batch_of_more_images_than_there_are_is_timed_as_it_will_be(
    store: Store, synthetic: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    timed = []

    def note(config: RunConfig, setup: DeviceSetup) -> dict[int, float]:
        timed.append(config.batch_size)
        return {}

    monkeypatch.setattr(attempt, "time_threads", note)
    for batch_size in ("8", "65536"):
        started(store, store.create(RunConfig.from_text({**SMALL, "epochs": "500", "batch_size": batch_size})).id)
    assert timed == [8, 64]


def test_the_environment_and_the_configuration_decide_before_any_timing(
    store: Store, synthetic: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempt, "time_threads", lambda *_: pytest.fail("nothing to choose"))
    run_id = store.create(RunConfig.from_text({**SMALL, "epochs": "500", "threads": "1"})).id
    assert started(store, run_id).threads == 1
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    run_id = store.create(RunConfig.from_text({**SMALL, "epochs": "500", "threads": "auto"})).id
    assert started(store, run_id).threads == 2
