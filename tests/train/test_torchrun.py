"""``--launcher torchrun``: one run in several real processes."""

import signal
import subprocess
from pathlib import Path

import psutil
import pytest
from waiting import has_ended, wait_for

from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.errors import RunBusyError, UsageError
from alexnet_tui.launch import local, registry, stopping, trainer_process
from alexnet_tui.launch.engine import Launch
from alexnet_tui.runs import events as ev
from alexnet_tui.runs.event_log import EventReader
from alexnet_tui.runs.follow import load
from alexnet_tui.runs.history import RunHistory, threads_text
from alexnet_tui.runs.run_files import EVENTS_FILE
from alexnet_tui.runs.state import State
from alexnet_tui.runs.store import Store

pytestmark = pytest.mark.usefixtures("synthetic", "forked")  # Whole networks: small ones end before they are stopped.
CONFIG = {
    "data": "synthetic",
    "train_images": "160",
    "train_eval_images": "32",
    "batch_size": "32",
    "epochs": "10",
    "log_steps": "1",
    "threads": "1",
    "precision": "fp32",
    "init": "he",
    "learning_rate": "0.0003",  # At 0.01 two threads in place of one already change losses by a thousandth.
}
TWO = Launch(launcher="torchrun", options={"nproc": ["2"]})


@pytest.mark.parametrize("given", [{}, {"nproc": ["0"]}, {"nproc": ["two"]}, {"nproc": ["65"]}, {"nproc": ["00640"]}])
def test_a_number_of_processes_is_needed(given: dict[str, list[str]]) -> None:
    with pytest.raises(UsageError, match="--nproc with a number"):
        registry.parse("torchrun", given)
    assert registry.parse("torchrun", {"nproc": ["2"]}) == TWO


def test_the_last_event_has_the_reason_that_a_failed_process_left(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from torch.distributed.elastic.multiprocessing.errors import ProcessFailure

    from alexnet_tui.train import torchrun
    from alexnet_tui.train.__main__ import _leave_reason

    history, _ = load(store, store.create(RunConfig()).id)
    monkeypatch.setenv("TORCHELASTIC_ERROR_FILE", str(tmp_path / "1.json"))
    _leave_reason("Out of memory.")
    first, second = (ProcessFailure(rank, 100 + rank, 1, str(tmp_path / f"{rank}.json")) for rank in range(2))
    killed = ProcessFailure(2, 102, -signal.SIGKILL, str(tmp_path / "2.json"))
    ended_by_torchrun = ProcessFailure(0, 100, -signal.SIGTERM, str(tmp_path / "0.json"))
    aborted = ProcessFailure(0, 100, -signal.SIGABRT, str(tmp_path / "0.json"))
    for failures, message in (
        ({0: aborted, 2: killed}, "Process 2 of 3 was ended by SIGKILL."),
        ({0: first, 1: second}, "Process 1 of 3 failed: Out of memory."),
        ({0: ended_by_torchrun, 2: killed}, "Process 2 of 3 was ended by SIGKILL."),
        ({0: first}, "Process 0 of 3 ended with code 1; the reason is in trainer.log."),
    ):
        final = torchrun._final(failures, 3, history, is_asked=False)
        assert isinstance(final, ev.Failed)
        assert final.message == message
    assert isinstance(torchrun._final({1: killed}, 3, history, is_asked=True), ev.Stopped)


def ended(store: Store, run_id: str) -> tuple[RunHistory, State]:
    wait_for(lambda: not store.is_locked(run_id), 120)
    return load(store, run_id)


def losses(history: RunHistory) -> list[float]:
    return [*history.steps["train_loss"], *history.epochs["test_loss"]]


def last_resume(store: Store, run_id: str) -> ev.Resumed:
    events = EventReader(store.path(run_id) / EVENTS_FILE).read_new()
    return [event for event in events if isinstance(event, ev.Resumed)][-1]


@pytest.mark.slow
def test_two_processes_that_are_stopped_and_resumed_train_like_one_over_fifty_updates(store: Store) -> None:
    one, two = (store.create(RunConfig.from_text(CONFIG)).id for _ in range(2))
    local.start(store, one)
    registry.start(store, two, TWO)
    with pytest.raises(RunBusyError):
        registry.start(store, two)
    wait_for(lambda: load(store, two)[0].step >= 3, 120)
    assert stopping.stop(store, two, 60)
    stopped, state = ended(store, two)
    assert state is State.STOPPED, store.log_tail(two)
    assert stopped.checkpoints == [f"e{stopped.num_epochs_done:04d}-s{stopped.step:08d}"]
    assert stopped.started is not None
    assert threads_text(stopped.started) == "2 processes with 1 thread"

    registry.start(store, two, TWO)
    history, state = ended(store, two)
    assert state is State.FINISHED, store.log_tail(two)
    assert last_resume(store, two).bit_exact
    assert history.step == 50
    assert losses(history) == pytest.approx(losses(ended(store, one)[0]), abs=1e-4)


@pytest.mark.slow
def test_fault_28_a_killed_process_of_two_is_named_and_the_run_goes_on(store: Store) -> None:
    run_id = store.create(RunConfig.from_text({**CONFIG, "checkpoint_epochs": "1"})).id
    registry.start(store, run_id, TWO)
    wait_for(lambda: load(store, run_id)[0].checkpoints, 120)
    launcher = psutil.Process(trainer_process.find_owner(store, run_id).pid)
    second = max(launcher.children(), key=lambda child: child.pid)  # It is started after the first.
    second.send_signal(signal.SIGKILL)
    history, state = ended(store, run_id)
    assert state is State.FAILED
    assert isinstance(history.final, ev.Failed)
    assert history.final.message == "Process 1 of 2 was ended by SIGKILL."

    registry.start(store, run_id)
    history, state = ended(store, run_id)
    assert state is State.FINISHED, store.log_tail(run_id)
    resumed = last_resume(store, run_id)
    assert not resumed.bit_exact
    assert "2 processes" in resumed.reason


@pytest.mark.slow
def test_no_process_outlives_its_killed_launcher(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "subprocess", subprocess)  # Not forked: all processes are started as a user's are.
    run_id = store.create(RunConfig.from_text({**CONFIG, "epochs": "100"})).id
    registry.start(store, run_id, TWO)
    wait_for(lambda: load(store, run_id)[0].step >= 1, 120)
    launcher = psutil.Process(trainer_process.find_owner(store, run_id).pid)
    trainers = launcher.children()
    launcher.kill()
    assert len(trainers) == 2
    wait_for(lambda: all(has_ended(trainer.pid) for trainer in trainers), 30)
    assert ended(store, run_id)[1] is State.LOST


@pytest.mark.slow
def test_all_processes_of_a_run_are_ended_at_once_on_request(store: Store) -> None:
    run_id = store.create(RunConfig.from_text({**CONFIG, "epochs": "100"})).id
    registry.start(store, run_id, TWO)
    wait_for(lambda: load(store, run_id)[0].step >= 1, 120)
    trainers = psutil.Process(trainer_process.find_owner(store, run_id).pid).children()
    assert len(trainers) == 2
    assert stopping.kill(store, run_id)
    assert all(has_ended(trainer.pid) for trainer in trainers)
    history, state = load(store, run_id)
    assert (state, history.checkpoints, history.missing_events) == (State.STOPPED, [], 0)
    assert isinstance(history.final, ev.Stopped)
    assert history.final.reason == stopping.ENDED_AT_ONCE
