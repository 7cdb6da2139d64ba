"""A runs folder that two hosts share; the other one is namespaces with a name and process numbers of their own."""

import errno
import fcntl
import json
import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import fake_runs
import fake_trainer
import image_sets
import pytest
from cli_caller import Run
from waiting import wait_for

from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.datasets.prepare import add_dataset, load_dataset
from alexnet_tui.errors import LaunchError, RunBusyError
from alexnet_tui.launch import local, stopping
from alexnet_tui.launch.engine import StartOptions
from alexnet_tui.locks import private_temporary_folder, take_lock
from alexnet_tui.paths import data_root
from alexnet_tui.runs import events as ev
from alexnet_tui.runs import liveness
from alexnet_tui.runs.follow import load
from alexnet_tui.runs.state import State
from alexnet_tui.runs.store import Store
from alexnet_tui.studies import bookkeeping, cluster_task, deletion, planned_runs
from alexnet_tui.studies.plan import load_plan
from alexnet_tui.tui.screens.run.facts import status_message
from alexnet_tui.tui.watch.watcher import RunsWatcher

pytestmark = pytest.mark.slow

OTHER = "other-host"
UNSHARE = ("unshare", "--uts", "--pid", "--mount", "--mount-proc", "--fork", "--kill-child")


@pytest.fixture(scope="module")
def namespaces() -> None:
    """Skips where this user may not have namespaces."""
    try:
        subprocess.run([*UNSHARE, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"unshare is not permitted here ({error})")


@pytest.fixture
def remote_run(store: Store, namespaces: None) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """A run that trains on the other host."""
    run_id = store.create(RunConfig(data="synthetic", epochs=100)).id
    directory = store.path(run_id)
    become = f'hostname {OTHER}; exec "$@" >> "{directory}/events.jsonl"'
    words = [*UNSHARE, "sh", "-c", become, "sh", *fake_trainer.command("endless"), str(directory)]
    process = subprocess.Popen(words, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: load(store, run_id)[0].step)
        yield run_id, process
    finally:
        process.kill()
        process.wait()


Remote = tuple[str, "subprocess.Popen[bytes]"]


def test_a_run_of_another_host_is_left_alone_and_stops_when_asked(
    store: Store, run: Run, remote_run: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stopping, "REMOTE_POLL_SECONDS", 0.05)
    run_id, process = remote_run
    owner = store.owner(run_id)
    assert owner is not None
    assert (owner.host, load(store, run_id)[1]) == (OTHER, State.RUNNING)
    with pytest.raises(RunBusyError):
        local.start(store, run_id, StartOptions(command=fake_trainer.command("normal")))
    with pytest.raises(RunBusyError):
        store.delete(run_id)
    with pytest.raises(LaunchError, match=OTHER):
        stopping.kill(store, run_id)
    assert process.poll() is None
    assert run("stop", run_id).code == 0
    assert load(store, run_id)[1] is State.STOPPED
    local.start(store, run_id, StartOptions(command=fake_trainer.command("normal")))
    wait_for(lambda: load(store, run_id)[1] is State.FINISHED)


def test_where_locks_are_seen_a_dead_trainer_is_lost_at_once(store: Store, run: Run, remote_run: Remote) -> None:
    run_id, process = remote_run
    process.kill()
    process.wait()
    wait_for(lambda: load(store, run_id)[1] is State.LOST)
    assert OTHER in run("show", run_id).out


@pytest.fixture
def unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The file system shows no locks of other hosts."""
    monkeypatch.setattr(liveness, "unseen_locks", lambda folder: "a drive")


def foreign_run(store: Store) -> tuple[str, Path]:
    """A run that another host trains, whose lock is not seen; its event log."""
    config = RunConfig(data="synthetic", epochs=20)
    run_id = fake_runs.write_run(store, config, epochs_done=1).id
    directory = store.path(run_id)
    (directory / "lock").write_text(f'{{"pid":1,"host":"{OTHER}","start_seconds":1.0}}')
    return run_id, directory / "events.jsonl"


def test_without_its_lock_a_run_is_at_work_while_its_record_grows(
    store: Store, run: Run, unseen: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id, events = foreign_run(store)
    assert load(store, run_id)[1] is State.RUNNING
    with pytest.raises(RunBusyError, match=OTHER):
        local.start(store, run_id, StartOptions(command=fake_trainer.command("normal")))
    monkeypatch.setattr(liveness, "SILENCE_SECONDS", 0.05)
    wait_for(lambda: load(store, run_id)[1] is State.LOST)
    with fake_runs.open_writer(store.path(run_id), next_seq=100) as writer:
        monkeypatch.setattr(liveness, "SILENCE_SECONDS", 300.0)
        writer.write(fake_runs.a_step(2, 11))
    assert load(store, run_id)[1] is State.RUNNING
    monkeypatch.setattr(liveness, "SILENCE_SECONDS", 0.05)
    wait_for(lambda: liveness.silent_seconds(events.parent) > 0.05)
    for told in (run("show", run_id).out, run("runs").err):
        assert f"no news for 0 minutes, on {OTHER}" in " ".join(told.split())


@pytest.mark.parametrize("ahead_seconds", [-86_400, 86_400])
def test_clocks_that_differ_do_not_matter(
    store: Store, unseen: None, monkeypatch: pytest.MonkeyPatch, ahead_seconds: float
) -> None:
    run_id, events = foreign_run(store)
    clock = time.time
    monkeypatch.setattr(time, "time", lambda: clock() + ahead_seconds)
    assert load(store, run_id)[1] is State.RUNNING
    dated = clock() + ahead_seconds  # A copy that keeps the other host's dates says nothing for long.
    os.utime(events, (dated, dated))
    monkeypatch.setattr(liveness, "SILENCE_SECONDS", 0.05)
    wait_for(lambda: load(store, run_id)[1] is State.LOST)


def test_a_task_waits_for_a_trainer_elsewhere_that_may_be_dead(
    store: Store, unseen: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id, _ = foreign_run(store)
    assert load(store, run_id)[1] is State.RUNNING
    said: list[str] = []

    def say(sentence: str) -> None:
        said.append(sentence)
        monkeypatch.setattr(liveness, "SILENCE_SECONDS", 0.05)

    command = fake_trainer.command("normal")
    assert cluster_task.train(store, run_id, say=say, command=command, poll_seconds=0.02) == 0
    assert OTHER in said[0]
    assert load(store, run_id)[1] is State.FINISHED


def test_a_task_goes_on_with_a_run_that_ended_elsewhere_while_its_carrier_waits(store: Store) -> None:
    run_id, _ = foreign_run(store)
    with fake_runs.open_writer(store.path(run_id), next_seq=100) as writer:
        writer.write(ev.Stopped(epoch=1, step=10, reason="SIGTERM"))
    carrier = take_lock(store.path(run_id), name=liveness.CARRIER_FILE)
    try:
        code = cluster_task.train(store, run_id, command=fake_trainer.command("normal"), poll_seconds=0.02)
    finally:
        os.close(carrier)
    assert (code, load(store, run_id)[1]) == (0, State.FINISHED)


def test_a_run_that_ended_elsewhere_has_ended(store: Store, unseen: None) -> None:
    run_id, _ = foreign_run(store)
    with fake_runs.open_writer(store.path(run_id), next_seq=100) as writer:
        writer.write(ev.Stopped(epoch=1, step=10, reason="SIGTERM"))
    assert load(store, run_id)[1] is State.STOPPED


def test_a_resume_elsewhere_is_seen_before_its_first_event(
    store: Store, run: Run, unseen: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id, events = foreign_run(store)
    lock, record = events.parent / "lock", events.parent / "run.json"
    with fake_runs.open_writer(store.path(run_id), next_seq=100) as writer:
        writer.write(ev.Stopped(epoch=1, step=10, reason="SIGTERM"))
    watcher = RunsWatcher(store)

    def watched() -> State:
        watcher.apply(watcher.read())
        return watcher.states[run_id]

    assert watched() is State.STOPPED
    now = time.time()
    os.utime(events, (now - 2, now - 2))
    os.utime(lock, (now - 1, now - 1))  # A trainer on the other host has just written its name into it.
    assert load(store, run_id)[1] is State.RUNNING
    wait_for(lambda: watched() is State.RUNNING)
    with pytest.raises(RunBusyError, match=OTHER):
        local.start(store, run_id, StartOptions(command=fake_trainer.command("normal")))
    assert run("resume", run_id).code == 75

    unmarked = record.read_bytes()
    record.write_text(json.dumps({**json.loads(unmarked), "created": 12.0}))  # The disk has it for less long: a copy.
    assert load(store, run_id)[1] is State.STOPPED
    record.write_bytes(unmarked)
    monkeypatch.setattr(liveness, "SILENCE_SECONDS", 0.05)
    wait_for(lambda: load(store, run_id)[1] is State.STOPPED)  # It ended before it wrote an event.


def test_a_crashed_run_that_is_resumed_elsewhere_is_at_work(store: Store, unseen: None) -> None:
    run_id, events = foreign_run(store)
    now = time.time()
    for path in (events, events.parent / "lock"):
        os.utime(path, (now - 900, now - 900))
    assert load(store, run_id)[1] is State.LOST
    os.utime(events.parent / "lock", (now, now))
    assert load(store, run_id)[1] is State.RUNNING


def test_the_console_s_watcher_sees_the_same(store: Store, unseen: None, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id, events = foreign_run(store)
    watcher = RunsWatcher(store)
    watcher.apply(watcher.read())
    assert watcher.states[run_id] is State.RUNNING
    monkeypatch.setattr(liveness, "SILENCE_SECONDS", 0.05)

    def look() -> bool:
        watcher.apply(watcher.read())
        return watcher.states[run_id] is State.LOST

    wait_for(look)
    news = liveness.silence_text(events.parent)
    assert OTHER in status_message(watcher.histories[run_id], State.LOST, news)[0]


MOUNTS = [
    ("nfs4", "rw,vers=4.2,local_lock=none", ""),
    ("nfs", "rw,vers=3,nolock,local_lock=all", "nfs, mounted with local_lock=all"),
    ("lustre", "rw,localflock", "lustre, mounted with localflock"),
    ("fuse.sshfs", "rw", "fuse.sshfs"),
    ("fuse.glusterfs", "rw", ""),
    ("9p", "rw", "9p"),
    ("ext4", "rw", ""),
]


def test_which_file_systems_show_locks_of_other_hosts() -> None:
    for kind, options, reason in MOUNTS:
        text = f"36 25 0:31 / /data rw,relatime shared:1 - {kind} server:/data {options}\n"
        assert liveness.reason_of_mount(text, "0:31") == reason, kind


@pytest.fixture
def stand_ins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Runs and data are on a file system without locks; the folder of what is locked in the place of their files."""
    temporary = tmp_path / "tmp"
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    temporary.mkdir()
    flock = fcntl.flock

    def refuse(descriptor: int, operation: int) -> None:
        path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        if path.is_relative_to(tmp_path) and not path.is_relative_to(temporary):
            raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))
        flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", refuse)
    return private_temporary_folder()


def test_a_study_on_a_file_system_without_locks_has_its_ledger_in_its_own_folder(
    store: Store, run: Run, stand_ins: Path
) -> None:
    planned = ("--variants", "baseline", "--seeds", "1", "--epochs", "1", "--data", "synthetic")
    assert run("study", "new", "mine", *planned).code == 0
    plan = load_plan(store, "mine")
    (run_id,) = planned_runs.prepare(store, plan)
    deletion.delete_run(store, run_id)
    ledger = bookkeeping.read(store, plan)
    assert [entry.kind for entry in ledger.entries] == ["registered", "made", "deleted"]
    assert (ledger.num_written, ledger.problems) == (3, ())
    assert list(stand_ins.iterdir())
    assert {path.stat().st_size for path in stand_ins.iterdir()} == {0}, "nothing is written into what is locked"


def test_data_are_prepared_on_a_file_system_without_locks(tmp_path: Path, stand_ins: Path) -> None:
    images = image_sets.write_folder(tmp_path / "images", image_sets.small_set())
    adding = threading.Thread(target=add_dataset, args=(images, "pets"), daemon=True)
    adding.start()
    adding.join(60)
    assert not adding.is_alive()
    assert load_dataset("pets", 32).class_names == image_sets.CLASSES
    [stand_in] = stand_ins.iterdir()
    assert stand_in.stat().st_size == 0
    assert not (data_root() / ".pets.lock").exists()
    told: list[str] = []
    again = threading.Thread(target=add_dataset, args=(images, "pets", lambda progress: told.append(progress.what)))
    with stand_in.open("rb") as held:
        fcntl.flock(held.fileno(), fcntl.LOCK_EX)
        again.start()
        wait_for(lambda: told)
        assert told == ["waiting for another process that prepares it"]
    again.join(60)
    assert not again.is_alive()


def test_a_file_system_without_locks_is_locked_on_this_host(
    store: Store, run: Run, stand_ins: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = store.create(RunConfig(data="synthetic", epochs=100)).id
    local.start(store, run_id, StartOptions(command=fake_trainer.command("endless")))
    wait_for(lambda: load(store, run_id)[0].step)
    assert load(store, run_id)[1] is State.RUNNING
    with pytest.raises(RunBusyError):
        local.start(store, run_id, StartOptions(command=fake_trainer.command("endless")))
    store.change_notes(run_id, lambda notes: notes)
    assert run("stop", run_id).code == 0
    assert load(store, run_id)[1] is State.STOPPED
    monkeypatch.setattr(liveness, "_lock_reasons", {})
    assert "without locks" in liveness.unseen_locks(store.root)


def test_fault_23_time_in_which_the_machine_was_suspended_counts(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    events = store.path(store.create(RunConfig()).id) / "events.jsonl"
    events.write_bytes(b"")
    assert liveness.silent_seconds(events.parent) < 60
    awake, clock = time.monotonic, time.clock_gettime
    monkeypatch.setattr(time, "clock_gettime", lambda which: clock(which) + 3600)  # As after an hour asleep.
    assert awake() < clock(liveness._CLOCK) + 60
    assert getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC) == liveness._CLOCK
    assert 3500 < liveness.silent_seconds(events.parent) < 3700
