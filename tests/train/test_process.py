"""The trainer as a process: killed, stopped, started twice, and fed nonsense."""

import errno
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from fake_runs import open_writer
from fork_server import Forked, small_command
from waiting import has_ended, wait_for

import alexnet_tui
from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.datasets.prepare import load_dataset
from alexnet_tui.launch import local, stopping
from alexnet_tui.launch.engine import StartOptions
from alexnet_tui.launch.trainer_process import TRAINER, TRAINER_MODULE
from alexnet_tui.locks import is_locked
from alexnet_tui.runs import events as ev
from alexnet_tui.runs.event_log import EventWriteError
from alexnet_tui.runs.follow import load
from alexnet_tui.runs.history import RunHistory
from alexnet_tui.runs.run_files import EVENTS_FILE, checkpoint_place
from alexnet_tui.runs.state import State
from alexnet_tui.runs.store import Store
from alexnet_tui.train.__main__ import _explain, _fail_for_all, _reason_and_message
from alexnet_tui.train.__main__ import main as train
from alexnet_tui.train.images import data
from alexnet_tui.train.machine.device import select_device

PACKAGE = Path(alexnet_tui.__file__).parent
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("synthetic", "forked", "small_networks")]
SMALL = {
    "data": "synthetic",
    "train_images": "256",
    "train_eval_images": "32",
    "batch_size": "32",
    "epochs": "2",
    "log_steps": "1",
    "checkpoint_epochs": "1",
    "threads": "1",
}


def losses(history: RunHistory) -> list[float]:
    return [*history.steps["train_loss"], *history.epochs["test_loss"], *history.epochs["train_loss"]]


def finish(store: Store, run_id: str) -> RunHistory:
    wait_for(lambda: not store.is_locked(run_id))
    history, state = load(store, run_id)
    assert state is State.FINISHED, store.log_tail(run_id)
    return history


def test_fault_01_kill_and_resume_gives_the_numbers_of_an_unbroken_run(store: Store) -> None:
    config = RunConfig.from_text({**SMALL, "epochs": "10"})
    whole, broken = store.create(config).id, store.create(config).id
    local.start(store, whole)
    expected = finish(store, whole)
    pid = local.start(store, broken)
    wait_for(lambda: load(store, broken)[0].step >= 11)  # In epoch 2: the checkpoint of epoch 1 is there.
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: load(store, broken)[1] is State.LOST)
    local.start(store, broken)
    history = finish(store, broken)
    assert history.attempts == 2
    assert history.bit_exact
    assert history.missing_events == 0
    assert losses(history) == losses(expected)
    first, second = (
        (store.path(run_id) / "checkpoints" / "e0010" / "state.pt").read_bytes() for run_id in (whole, broken)
    )
    assert first == second


def test_fault_17_terminate_writes_a_checkpoint_and_frees_the_lock(store: Store) -> None:
    run_id = store.create(RunConfig.from_text({**SMALL, "epochs": "5000"})).id
    local.start(store, run_id)
    wait_for(lambda: load(store, run_id)[0].step >= 1)
    assert stopping.stop(store, run_id, patience_seconds=60)
    history, state = load(store, run_id)
    assert state is State.STOPPED
    assert len(history.checkpoints) >= 1
    assert isinstance(history.final, ev.Stopped)
    assert history.final.step == history.step


def test_fault_17_a_stop_in_the_first_moments_is_a_stop_with_a_checkpoint(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "subprocess", subprocess)  # Not forked: it is stopped while it loads torch.
    run_id = store.create(RunConfig.from_text({**SMALL, "epochs": "5000"})).id
    local.start(store, run_id, StartOptions(command=small_command(TRAINER_MODULE)))
    assert stopping.stop(store, run_id, patience_seconds=60)
    history, state = load(store, run_id)
    assert state is State.STOPPED
    assert isinstance(history.final, ev.Stopped)
    assert history.checkpoints == ["e0000"]


def test_fault_10_a_second_trainer_is_refused_and_writes_nothing(store: Store) -> None:
    run_id = store.create(RunConfig.from_text({**SMALL, "epochs": "5000"})).id
    local.start(store, run_id)
    command = [sys.executable, "-m", "alexnet_tui.train", str(store.path(run_id))]
    second = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    stopping.kill(store, run_id)
    assert second.returncode == 75
    assert second.stdout == ""
    assert "already being trained" in second.stderr
    assert "Traceback" not in second.stderr


def test_finished_run_is_left_alone(store: Store) -> None:
    run_id = store.create(RunConfig.from_text({**SMALL, "epochs": "1", "train_images": "32"})).id
    local.start(store, run_id)
    history = finish(store, run_id)
    before = history.num_events
    with np.load(store.path(run_id) / "predictions.npz") as stored:
        is_right = stored["top_classes"][:, 0] == stored["labels"]
    assert is_right.mean() == history.epochs["test_accuracy"][-1]
    local.start(store, run_id)
    wait_for(lambda: not store.is_locked(run_id))
    assert load(store, run_id)[0].num_events == before


def test_missing_data_is_a_failed_event_and_exit_code_three(store: Store, tmp_path: Path) -> None:
    run_id = store.create(RunConfig.from_text({"data": "no-such-set"})).id
    with (tmp_path / "events").open("wb") as out, (tmp_path / "log").open("wb") as log:
        trainer = Forked([*TRAINER, str(store.path(run_id))], stdout=out.fileno(), stderr=log.fileno())
        assert trainer.wait(60) == 3
    final = ev.decode((tmp_path / "events").read_bytes())
    assert isinstance(final, ev.Failed)
    assert final.reason == "data"
    assert "no-such-set" in final.message


def test_stdout_carries_nothing_but_events(store: Store) -> None:
    """Of a process that nobody forked."""
    run_id = store.create(RunConfig.from_text({**SMALL, "epochs": "1", "train_images": "32"})).id
    command = [*small_command(TRAINER_MODULE), str(store.path(run_id))]
    done = subprocess.run(command, capture_output=True, timeout=90, check=False)
    assert done.returncode == 0, done.stderr
    events = [ev.decode(line) for line in done.stdout.splitlines()]
    assert [type(event).__name__ for event in events if not isinstance(event, ev.System)] == [
        "Started",
        "Step",
        "Epoch",
        "Checkpoint",
        "Finished",
    ]
    assert [event.seq for event in events] == list(range(len(events)))


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("[x.cpp:1] DefaultCPUAllocator: can't allocate memory: you tried to allocate 2097152 bytes."),
        RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"),
        torch.OutOfMemoryError("CUDA out of memory."),
        MemoryError(),
    ],
)
def test_fault_21_out_of_memory_is_named(error: Exception) -> None:
    reason, message = _explain(error)
    assert reason == "oom"
    assert "smaller batch size" in message
    assert "iB of memory" in message  # The most this process has held.
    assert "()" not in message
    assert ("2.0 MiB more were needed" in message) == ("2097152" in str(error))


def test_only_events_that_cannot_be_written_are_called_so(tmp_path: Path) -> None:
    broken = EventWriteError(errno.EPIPE, os.strerror(errno.EPIPE))
    assert _reason_and_message(broken, tmp_path) == (
        "error",
        f"The run's events could not be written (broken pipe) in {tmp_path}.",
    )
    for error in (PermissionError(errno.EACCES, "Permission denied", "x.pt"), OSError("libcudart.so: cannot open")):
        reason, message = _reason_and_message(error, tmp_path)
        assert (reason, message) == ("error", f"{type(error).__name__}: {error}. The traceback is in trainer.log.")
    message = "AssertionError. The traceback is in trainer.log."
    assert _reason_and_message(AssertionError(), tmp_path) == ("error", message)


@pytest.mark.parametrize("processes", ["1", "2"])
def test_a_torch_that_cannot_be_loaded_is_the_reason_of_the_last_event(
    store: Store, tmp_path: Path, processes: str
) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "torch.py").write_text("import ctypes\nctypes.CDLL('libnot-there.so.9')\n")
    run_id = store.create(RunConfig.from_text(SMALL)).id
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}/broken:{PACKAGE.parent}"}
    command = [sys.executable, "-m", TRAINER_MODULE, str(store.path(run_id)), "--nproc", processes]
    with (store.path(run_id) / EVENTS_FILE).open("ab") as out:
        done = subprocess.run(command, stdout=out, stderr=subprocess.PIPE, env=environment, timeout=90, check=False)
    history, state = load(store, run_id)
    assert (done.returncode, state, history.num_events) == (1, State.FAILED, 1)
    assert isinstance(history.final, ev.Failed)
    assert history.final.message.startswith("OSError: libnot-there.so.9: ")
    assert b"Traceback" in done.stderr


def test_a_record_that_the_first_of_many_processes_has_ended_stays_as_it_is(store: Store) -> None:
    run_id = store.create(RunConfig()).id
    before = load(store, run_id)[0]
    with open_writer(store.path(run_id)) as writer:
        writer.write(ev.Stopped(epoch=0, step=1, reason="asked to stop"))
    with store.folder(run_id) as folder:
        descriptor = folder.append(EVENTS_FILE)
        assert _fail_for_all(folder, descriptor, before, OSError("too late")) == 1
        os.close(descriptor)
    history, state = load(store, run_id)
    assert (state, history.num_events) == (State.STOPPED, 1)


@pytest.mark.parametrize("processes", ["1", "2"])
def test_the_lock_is_held_for_as_long_as_the_trainer_is_there(store: Store, processes: str) -> None:
    """Else a run that is about to be lost or to fail would look like a copy of one that trains in another folder."""
    run_id = store.create(RunConfig.from_text(SMALL)).id
    record, lock = store.path(run_id) / "run.json", store.path(run_id) / "lock"
    record.write_text(record.read_text().replace('"v": 1', '"v": 99'))  # It ends at once, without an event.
    at_exit = (
        "import atexit, sys; from pathlib import Path; from alexnet_tui.locks import is_locked;"
        f"atexit.register(lambda: sys.stderr.write('held' if is_locked(Path({str(lock)!r})) else 'free'))"
    )
    command = [*small_command(TRAINER_MODULE, at_exit), str(store.path(run_id)), "--nproc", processes]
    done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 3
    assert "a newer alexnet-tui wrote in this run" in done.stderr
    assert done.stderr.endswith("held")
    assert not is_locked(lock)


def test_fault_21_images_that_do_not_fit_into_memory_are_told_from_a_batch_that_does_not(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = RunConfig.from_text(SMALL)
    dataset = load_dataset("synthetic", 32)
    monkeypatch.setattr(data, "memory_bytes", lambda device: 1 << 18)
    with pytest.raises(data.DataTooLargeError, match=r"--train-images.*smaller batch does not help"):
        data.prepare(dataset, config, select_device(config))


def test_fault_19_resume_says_which_epochs_are_trained_again(store: Store) -> None:
    run_id = store.create(
        RunConfig.from_text({**SMALL, "train_images": "64", "epochs": "30", "checkpoint_epochs": "30"})
    ).id
    pid = local.start(store, run_id)
    wait_for(lambda: load(store, run_id)[0].num_epochs_done >= 1)
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not store.is_locked(run_id))
    assert store.checkpoints(run_id) == ()
    local.start(store, run_id)
    history = finish(store, run_id)
    assert [warning for warning in history.warnings if re.search(r"Epochs? 1\b.* trained again", warning)]


def test_fault_29_a_run_that_is_moved_while_it_trains_stays_whole(store: Store, tmp_path: Path) -> None:
    run_id = store.create(RunConfig.from_text({**SMALL, "train_images": "64", "epochs": "5000"})).id
    local.start(store, run_id)
    wait_for(lambda: load(store, run_id)[0].num_epochs_done >= 1)
    moved = Store(tmp_path / "moved")
    store.root.rename(moved.root)
    seen = load(moved, run_id)[0].num_epochs_done
    wait_for(lambda: load(moved, run_id)[0].num_epochs_done > seen + 1)
    wait_for(lambda: any(str(moved.root) in warning for warning in load(moved, run_id)[0].warnings), 60)
    assert stopping.stop(moved, run_id, patience_seconds=60)
    history, state = load(moved, run_id)
    assert state is State.STOPPED
    assert not store.root.exists()  # Nothing was made anew where it had been.
    place = checkpoint_place(moved.checkpoints(run_id)[-1])
    assert place[0] == history.num_epochs_done  # The checkpoint of the last epoch, or one inside the next.
    local.start(moved, run_id)
    wait_for(lambda: load(moved, run_id)[0].num_epochs_done > history.num_epochs_done, 60)
    assert stopping.stop(moved, run_id, patience_seconds=60)
    [resumed] = [event for event in moved.reader(run_id).read_new() if isinstance(event, ev.Resumed)]
    assert (resumed.step, resumed.bit_exact) == (history.step, True)
    assert load(moved, run_id)[0].missing_events == 0
    moved.delete(run_id)
    assert moved.ids() == []


def test_fault_29_a_run_that_is_removed_while_it_trains_ends(store: Store) -> None:
    run_id = store.create(RunConfig.from_text({**SMALL, "train_images": "64", "epochs": "5000"})).id
    pid = local.start(store, run_id)
    wait_for(lambda: load(store, run_id)[0].num_epochs_done >= 1)
    directory = store.path(run_id)
    while directory.exists():  # The trainer may write into the folder while it is being emptied.
        shutil.rmtree(directory, ignore_errors=True)
    wait_for(lambda: has_ended(pid), 60)
    assert store.ids() == []
    assert list(store.root.iterdir()) == []


def test_fault_27_other_threads_at_a_resume_are_allowed_and_told(store: Store) -> None:
    run_id = store.create(RunConfig.from_text({**SMALL, "epochs": "5000", "threads": "2"})).id
    local.start(store, run_id)
    wait_for(lambda: load(store, run_id)[0].num_epochs_done >= 1)
    assert stopping.stop(store, run_id, patience_seconds=60)
    record = store.path(run_id) / "run.json"
    record.write_text(record.read_text().replace('"threads": 2', '"threads": 1'))
    local.start(store, run_id)
    wait_for(lambda: load(store, run_id)[0].attempts == 2 or not store.is_locked(run_id))
    assert stopping.stop(store, run_id, patience_seconds=60)
    [resumed] = [event for event in store.reader(run_id).read_new() if isinstance(event, ev.Resumed)]
    assert not resumed.bit_exact
    assert "2 threads" in resumed.reason
    assert "1 threads" in resumed.reason
    assert not load(store, run_id)[0].bit_exact


def test_wrong_arguments_are_usage(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in ([], ["a", "b", "c"], ["run", "--nonsense"]):
        monkeypatch.setattr(sys, "argv", ["train", *arguments])
        with pytest.raises(SystemExit) as end:
            train()
        assert end.value.code == 2
        assert "usage" in capsys.readouterr().err
