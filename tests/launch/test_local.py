"""Starting and stopping detached trainers, played by `fake_trainer`."""

import errno
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import fake_trainer
import psutil
import pytest
from cli_caller import Play, Run
from fork_server import small_command
from waiting import has_ended, wait_for

from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.errors import DeviceError, LaunchError, RunBusyError, StoreError, UntrustedRunError
from alexnet_tui.launch import checks, local, stopping, trainer_process
from alexnet_tui.launch import probe as describe
from alexnet_tui.launch.engine import StartOptions
from alexnet_tui.launch.trust import check_trust
from alexnet_tui.locks import take_lock, write_owner
from alexnet_tui.runs import events as ev
from alexnet_tui.runs.follow import load
from alexnet_tui.runs.history import RunHistory
from alexnet_tui.runs.state import State
from alexnet_tui.runs.store import Store

pytestmark = pytest.mark.slow


@pytest.fixture
def run_id(store: Store) -> Iterator[str]:
    run_id = store.create(RunConfig(epochs=2)).id
    yield run_id
    if store.path(run_id).exists() and store.is_locked(run_id):
        owner = store.owner(run_id)
        if owner is not None and owner.pid not in {1, os.getpid()}:
            os.kill(owner.pid, signal.SIGKILL)


def begin(store: Store, run_id: str, script: str) -> int:
    return local.start(store, run_id, StartOptions(command=fake_trainer.command(script)))


def num_events(store: Store, run_id: str) -> int:
    return len(store.reader(run_id).read_new())


def test_start_trains_to_the_end_and_frees_the_lock(store: Store, run_id: str) -> None:
    before = time.time()
    pid = begin(store, run_id, "normal")
    owner = store.owner(run_id)
    assert owner is not None
    assert (owner.pid, owner.host) == (pid, platform.node())
    assert before - 5 < owner.start_seconds < time.time() + 5
    assert stopping.wait_free(store, run_id, 60)
    events = store.reader(run_id).read_new()
    assert [event.seq for event in events] == list(range(2 * 11 + 3))
    assert isinstance(events[-1], ev.Finished)
    assert store.log_tail(run_id) == "fake trainer plays normal\n"
    assert load(store, run_id)[1] is State.FINISHED


def test_the_log_tells_attempts_apart(store: Store, run_id: str) -> None:
    for _ in range(2):
        begin(store, run_id, "normal")
        assert stopping.wait_free(store, run_id, 60)
    first, again, second = (line for line in store.log_tail(run_id).splitlines() if line)
    assert first == second == "fake trainer plays normal"
    assert again.startswith("--- started again 20")


def test_the_lock_is_held_without_a_gap_and_a_second_start_is_refused(store: Store, run_id: str) -> None:
    pid = begin(store, run_id, "endless")
    assert store.is_locked(run_id)
    with pytest.raises(RunBusyError, match=str(pid)):
        begin(store, run_id, "endless")
    stopping.kill(store, run_id)
    assert {event.attempt for event in store.reader(run_id).read_new()} == {1}


def test_fault_10_of_many_starts_at_once_exactly_one_wins(store: Store, run_id: str) -> None:
    def attempt(_: int) -> int:
        try:
            return begin(store, run_id, "endless")
        except RunBusyError:
            return 0

    with ThreadPoolExecutor(6) as pool:
        pids = [pid for pid in pool.map(attempt, range(6)) if pid]
    assert len(pids) == 1
    wait_for(lambda: num_events(store, run_id) > 3)
    assert stopping.kill(store, run_id)
    sequence = [event.seq for event in store.reader(run_id).read_new()]
    assert sequence == list(range(len(sequence)))


def test_the_trainer_leads_its_own_session_and_reads_nothing(store: Store, run_id: str) -> None:
    pid = begin(store, run_id, "endless")
    assert os.getsid(pid) == pid
    assert os.readlink(f"/proc/{pid}/fd/0") == "/dev/null" if sys.platform == "linux" else True
    stopping.kill(store, run_id)


def test_the_trainer_outlives_who_started_it(store: Store, run_id: str) -> None:
    command = fake_trainer.command("endless")
    code = (
        "import sys, os; from pathlib import Path; from alexnet_tui.launch import local;"
        "from alexnet_tui.launch.engine import StartOptions; from alexnet_tui.runs.store import Store;"
        f"local.start(Store(Path({str(store.root)!r})), {run_id!r}, StartOptions(command={command!r}));"
        "os.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -signal.SIGKILL
    assert store.is_locked(run_id)
    wait_for(lambda: num_events(store, run_id) > 20)
    stopping.kill(store, run_id)


def test_stop_leaves_a_checkpoint_and_start_resumes_after_it(store: Store, run_id: str) -> None:
    begin(store, run_id, "endless")
    wait_for(lambda: num_events(store, run_id) > 13)
    assert stopping.stop(store, run_id, patience_seconds=60)
    loaded, state = load(store, run_id)
    assert state is State.STOPPED
    assert loaded.checkpoints == ["e0001"]
    begin(store, run_id, "normal")
    assert stopping.wait_free(store, run_id, 60)
    loaded, state = load(store, run_id)
    assert (state, loaded.attempts, loaded.missing_events) == (State.FINISHED, 2, 0)
    assert list(loaded.epochs["epoch"]) == [1, 2]


def test_a_second_stop_is_the_same_request_and_costs_no_checkpoint(store: Store) -> None:
    run_id = store.create(RunConfig(epochs=20)).id
    begin(store, run_id, "stubborn")  # Would leave at a second signal; without one it trains to its end.
    wait_for(lambda: num_events(store, run_id) > 1)
    assert not stopping.stop(store, run_id)
    assert stopping.stop(store, run_id, patience_seconds=60)
    assert load(store, run_id)[1] is State.FINISHED


def test_a_trainer_whose_name_cannot_be_written_does_not_stay(
    store: Store, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(local, "write_owner", full)
    with pytest.raises(LaunchError, match="could not be started"):
        begin(store, run_id, "endless")
    assert not store.is_locked(run_id)


def test_kill_ends_a_trainer_that_ignores_the_first_request(store: Store) -> None:
    run_id = store.create(RunConfig(epochs=1000)).id
    begin(store, run_id, "stubborn")
    wait_for(lambda: num_events(store, run_id) > 1)
    assert not stopping.stop(store, run_id, patience_seconds=0.2)
    assert stopping.kill(store, run_id, patience_seconds=60)
    assert load(store, run_id)[1] is State.STOPPED


def test_kill_of_a_trainer_that_leaves_meanwhile_is_done(store: Store, run_id: str) -> None:
    assert stopping.kill(store, run_id)
    lock = take_lock(store.path(run_id))  # By nobody that can be known again.
    leave = threading.Timer(0.2, os.close, (lock,))
    leave.start()
    assert stopping.kill(store, run_id)
    leave.join()


def test_kill_ends_a_trainer_that_ignores_every_request(store: Store, run_id: str) -> None:
    begin(store, run_id, "deaf")
    wait_for(lambda: num_events(store, run_id) > 1)
    assert stopping.kill(store, run_id, patience_seconds=0.5)
    assert load(store, run_id)[1] is State.STOPPED


def test_stop_now_ends_a_run_that_was_not_asked_before_without_a_checkpoint(store: Store, run: Run) -> None:
    run_id = store.create(RunConfig(epochs=1)).id
    begin(store, run_id, "endless")
    wait_for(lambda: num_events(store, run_id) > 3)
    done = run("stop", run_id, "--now")
    assert done.code == 0
    history, state = load(store, run_id)
    assert (state, history.checkpoints, history.missing_events) == (State.STOPPED, [], 0)
    assert history.final == ev.Stopped(epoch=0, step=history.step, reason=stopping.ENDED_AT_ONCE, **stamps(history))
    assert f"stopped after step {history.step} ({stopping.ENDED_AT_ONCE})" in " ".join(done.err.split())
    begin(store, run_id, "normal")
    assert stopping.wait_free(store, run_id, 60)
    history, state = load(store, run_id)
    assert (state, history.attempts, history.missing_events) == (State.FINISHED, 2, 0)


def stamps(history: RunHistory) -> dict[str, Any]:
    assert history.final is not None
    return {name: getattr(history.final, name) for name in ("v", "seq", "attempt", "t", "wall")}


def test_the_processes_of_a_trainer_are_ended_with_it(store: Store, run_id: str) -> None:
    """As those of a run in several processes, which keep its lock."""
    code = (
        "import os, subprocess, sys;"
        f"lock = int(os.environ['{trainer_process.LOCK_VARIABLE}']);"
        "subprocess.run(['sh', '-c', 'sleep 60 & sleep 60'], stdin=lock, start_new_session=True)"
    )
    pid = local.start(store, run_id, StartOptions(command=(sys.executable, "-c", code)))
    wait_for(lambda: len(psutil.Process(pid).children(recursive=True)) == 3)
    processes = psutil.Process(pid).children(recursive=True)
    assert stopping.kill(store, run_id)
    # The first to be killed held the lock; one that does not may end a moment later.
    wait_for(lambda: all(has_ended(process.pid) for process in processes))
    final = load(store, run_id)[0].final
    assert isinstance(final, ev.Stopped)
    assert final.reason == stopping.ENDED_AT_ONCE


def test_a_kill_does_not_end_the_record_of_the_attempt_that_follows(store: Store, run_id: str) -> None:
    begin(store, run_id, "deaf")
    ended = store.owner(run_id)
    assert ended is not None
    assert stopping.kill(store, run_id)
    begin(store, run_id, "crash")
    assert stopping.wait_free(store, run_id, 60)
    stopping._end_record(store, run_id, ended)
    assert load(store, run_id)[1] is State.LOST


def test_a_torn_last_line_is_ended_not_deleted(store: Store, run_id: str) -> None:
    begin(store, run_id, "crash")
    assert stopping.wait_free(store, run_id, 60)
    path = store.path(run_id) / "events.jsonl"
    torn = path.read_bytes()
    assert not torn.endswith(b"\n")
    assert load(store, run_id)[1] is State.LOST
    begin(store, run_id, "normal")
    assert stopping.wait_free(store, run_id, 60)
    assert path.read_bytes().startswith(torn + b"\n")
    reader = store.reader(run_id)
    assert isinstance(reader.read_new()[-1], ev.Finished)
    assert reader.bad_lines == 1


def test_stop_says_when_nobody_trains(store: Store, run_id: str) -> None:
    with pytest.raises(LaunchError, match="is not being trained"):
        stopping.stop(store, run_id)


def test_fault_17_a_suspended_trainer_is_named_and_stops_with_a_checkpoint_once_it_goes_on(
    store: Store, run_id: str
) -> None:
    pid = begin(store, run_id, "endless")
    os.kill(pid, signal.SIGSTOP)
    try:
        wait_for(lambda: psutil.Process(pid).status() == psutil.STATUS_STOPPED)
        for _ in range(2):  # The second request must not cost the checkpoint.
            with pytest.raises(LaunchError, match=f"`kill -CONT {pid}` lets it go on"):
                stopping.stop(store, run_id)
        assert store.is_locked(run_id)
    finally:
        os.kill(pid, signal.SIGCONT)
    assert stopping.wait_free(store, run_id, 60)
    assert load(store, run_id)[1] is State.STOPPED


def test_fault_12_attack_17_stop_never_signals_a_process_that_is_not_the_trainer(
    store: Store, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody holds the lock and names in it a process of ours, with its true start or a wrong one."""
    monkeypatch.setattr(trainer_process, "_NAME_PATIENCE_SECONDS", 0.05)  # Nobody is about to write another name.
    directory = store.path(run_id)
    bystanders = {
        "any": [sys.executable, "-c", "import time; time.sleep(60)"],
        "one that names the folder": [sys.executable, "-c", "import time; time.sleep(60)", str(directory)],
        "one that names a trainer": [
            sys.executable,
            "-c",
            "import time; time.sleep(60)",
            trainer_process.TRAINER_MODULE,
        ],
    }
    for command in bystanders.values():
        for act, seconds_off in ((stopping.stop, 0), (stopping.kill, -100)):
            with subprocess.Popen(command) as bystander:
                lock = take_lock(directory)
                try:
                    write_owner(lock, bystander.pid, psutil.Process(bystander.pid).create_time() + seconds_off)
                    with pytest.raises(LaunchError, match="is not its trainer"):
                        act(store, run_id)
                    assert bystander.poll() is None
                finally:
                    os.close(lock)
                    bystander.kill()


def test_attack_17_a_lock_that_names_the_trainer_of_another_run_stops_nothing(store: Store, run_id: str) -> None:
    other = store.create(RunConfig(epochs=2)).id
    begin(store, other, "endless")
    lock = take_lock(store.path(run_id))
    try:
        os.pwrite(lock, (store.path(other) / "lock").read_bytes(), 0)
        with pytest.raises(LaunchError, match="is not its trainer"):
            stopping.kill(store, run_id)
        assert store.is_locked(other)
    finally:
        os.close(lock)
        stopping.kill(store, other)


def test_attack_17_a_hard_link_to_the_lock_of_another_run_stops_nothing(store: Store, run_id: str) -> None:
    other = store.create(RunConfig(epochs=2)).id
    begin(store, other, "endless")
    (store.path(run_id) / "lock").hardlink_to(store.path(other) / "lock")
    try:
        with pytest.raises((LaunchError, StoreError)):
            stopping.kill(store, run_id)
    finally:
        (store.path(run_id) / "lock").unlink()
        assert store.is_locked(other)
        stopping.kill(store, other)


def test_fault_29_a_moved_run_is_stopped_where_it_is(store: Store, run_id: str, tmp_path: Path) -> None:
    begin(store, run_id, "endless")
    wait_for(lambda: num_events(store, run_id) > 1)
    store.root.rename(tmp_path / "moved")
    moved = Store(tmp_path / "moved")
    assert moved.is_locked(run_id)
    with pytest.raises(RunBusyError):
        moved.delete(run_id)
    # The fake trainer's command line names the old path, as a real one's does too.
    assert stopping.kill(moved, run_id, 60) if sys.platform == "linux" else True
    moved.root.rename(store.root)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_attack_05_a_run_of_another_user_is_trained_after_a_yes_alone(store: Store, run_id: str) -> None:
    directory = store.path(run_id)
    (directory / "checkpoints" / "e0001").mkdir(parents=True)
    for stranger in (directory, directory / "run.json", directory / "checkpoints" / "e0001"):
        os.chown(stranger, 65534, 65534)
        with pytest.raises(UntrustedRunError, match=f"resume {run_id} --trust"):
            begin(store, run_id, "normal")
        assert not (directory / "events.jsonl").exists()
        os.chown(stranger, 0, 0)
    os.chown(directory, 65534, 65534)
    local.start(store, run_id, StartOptions(is_trusted=True, command=fake_trainer.command("normal")))
    assert stopping.wait_free(store, run_id, 60)


@pytest.mark.parametrize(
    ("mark", "origin"),
    [(b'{"source":"a\\u001b[2J.tar"}', r"imported from 'a\\x1b"), (b"\0", "imported from an archive"), (None, "host")],
)
def test_attack_05_a_run_from_elsewhere_is_trained_after_one_yes(
    store: Store, run_id: str, mark: bytes | None, origin: str
) -> None:
    folder = store.path(run_id)
    if mark is None:
        copied = {**json.loads((folder / "run.json").read_bytes()), "host": "host", "created": 12.0}
        (folder / "run.json").write_text(json.dumps(copied))
    else:
        (folder / "imported.json").write_bytes(mark)
    with pytest.raises(UntrustedRunError, match=origin):
        begin(store, run_id, "normal")
    assert not (folder / "events.jsonl").exists()
    forged = {"lock": {"pid": 5, "host": platform.node(), "start_seconds": 1.0}, "trusted.json": "0" * 64}
    for name, content in forged.items():
        (folder / name).write_text(json.dumps(content))
    with pytest.raises(UntrustedRunError, match=origin):
        begin(store, run_id, "normal")
    local.start(store, run_id, StartOptions(is_trusted=True, command=fake_trainer.command("crash")))
    assert stopping.wait_free(store, run_id, 60)
    begin(store, run_id, "normal")  # Not asked again.
    assert stopping.wait_free(store, run_id, 60)


def test_trust_stays_with_the_folder_and_its_record(store: Store, run_id: str, tmp_path: Path) -> None:
    folder = store.path(run_id)
    (folder / "imported.json").write_bytes(b"{}")
    checks.check_handover(store, run_id, StartOptions(is_trusted=True))
    check_trust(store, run_id)
    store.root.rename(tmp_path / "moved")
    check_trust(Store(tmp_path / "moved"), run_id)
    shutil.copytree(tmp_path / "moved", store.root)  # As one that was given away and came back.
    with pytest.raises(UntrustedRunError):
        check_trust(store, run_id)
    shutil.rmtree(store.root)
    (tmp_path / "moved").rename(store.root)
    check_trust(store, run_id)
    folder.rename(store.root / "renamed")
    check_trust(store, "renamed")
    (store.root / "renamed").rename(folder)
    with (folder / "run.json").open("ab") as record:
        record.write(b"\n")
    with pytest.raises(UntrustedRunError):
        check_trust(store, run_id)


def test_a_reused_number_does_not_forbid_a_new_start(store: Store, run_id: str) -> None:
    lock = take_lock(store.path(run_id))
    write_owner(lock, os.getpid(), psutil.Process().create_time() - 100)
    os.close(lock)
    begin(store, run_id, "normal")
    assert stopping.wait_free(store, run_id, 60)
    assert load(store, run_id)[1] is State.FINISHED


def test_fault_14_a_trainer_on_another_machine_is_asked_by_a_file_and_not_signalled(store: Store, run_id: str) -> None:
    lock = take_lock(store.path(run_id))
    try:
        os.pwrite(lock, b'{"pid":%d,"host":"far\\u001baway","start_seconds":1}' % os.getpid(), 0)
        assert not stopping.stop(store, run_id)
        assert stopping.was_asked_to_stop(store, run_id)
        with pytest.raises(LaunchError, match=r"on far\\x1baway "):
            stopping.kill(store, run_id)
    finally:
        os.close(lock)


@pytest.mark.parametrize("name", ["events.jsonl", "trainer.log"])
def test_a_link_in_the_way_is_not_followed(store: Store, run_id: str, tmp_path: Path, name: str) -> None:
    target = tmp_path / "precious"
    target.write_text("precious")
    (store.path(run_id) / name).symlink_to(target)
    with pytest.raises(StoreError, match=name):
        begin(store, run_id, "normal")
    assert target.read_text() == "precious"
    assert not store.is_locked(run_id)


def test_a_pipe_in_the_way_is_refused_without_waiting(store: Store, run_id: str) -> None:
    os.mkfifo(store.path(run_id) / "events.jsonl")
    with pytest.raises(StoreError, match="not a regular file"):
        begin(store, run_id, "normal")


def test_a_command_that_is_not_there_is_a_sentence_and_frees_the_lock(store: Store, run_id: str) -> None:
    with pytest.raises(LaunchError, match=f"run {run_id}: the trainer could not be started"):
        local.start(store, run_id, StartOptions(command=("/nonexistent/python",)))
    assert not store.is_locked(run_id)


def test_from_scratch_reaches_the_trainer(store: Store, run_id: str) -> None:
    show = "import sys; print(sys.argv[1:], file=sys.stderr)"
    local.start(store, run_id, StartOptions(from_scratch=True, command=(sys.executable, "-c", show)))
    assert stopping.wait_free(store, run_id, 60)
    assert store.log_tail(run_id) == f"{[str(store.path(run_id)), '--from-scratch']}\n"


def test_a_reference_run_is_never_trained(store: Store, run_id: str) -> None:
    (store.root / "reference").mkdir()
    store.path(run_id).rename(store.root / "reference" / run_id)
    with pytest.raises(StoreError, match="reference run"):
        begin(store, run_id, "normal")


def answering(code: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code)


def test_describe_reads_the_last_line_and_ignores_what_it_does_not_know() -> None:
    code = 'import sys; print(\'hello\'); print(\'{"device": "cpu", "num_parameters": 7, "new": [1]}\')'
    found = describe.describe(RunConfig(), answering(code))
    assert (found.device, found.num_parameters) == ("cpu", 7)


def test_describe_hands_the_configuration_over_whole() -> None:
    code = "import sys, json; print(json.dumps({'device': json.loads(sys.argv[1])['front_end'] + sys.argv[2:][0]}))"
    with pytest.raises(LaunchError, match="IndexError"):
        describe.describe(RunConfig(front_end="same32"), answering(code))
    code = code.replace(" + sys.argv[2:][0]", "")
    assert describe.describe(RunConfig(front_end="same32"), answering(code)).device == "same32"


@pytest.mark.parametrize(
    ("code", "kind", "sentence"),
    [
        (
            "import sys; sys.stderr.write('warning\\nno \\x1b[2Jcuda here\\n'); sys.exit(2)",
            DeviceError,
            r"no \\x1b\[2Jcuda here",
        ),
        ("import sys; sys.exit(1)", LaunchError, "it left with code 1"),
        ("print('{}')", LaunchError, "no answer that makes sense"),
        ("pass", LaunchError, "no answer that makes sense"),
    ],
)
def test_describe_turns_what_went_wrong_into_a_sentence(code: str, kind: type[Exception], sentence: str) -> None:
    with pytest.raises(kind, match=sentence):
        describe.describe(RunConfig(), answering(code))


def test_probe_hands_over_the_configuration_it_is_given_and_none_else() -> None:
    code = (
        "import sys, json; told = len(sys.argv) - 1 and json.loads(sys.argv[1])['batch_size'] if sys.argv[2:] else 0;"
        "assert sys.argv[-1] == '--probe';"
        "print(json.dumps({'device': 'cpu', 'precision': 'fp32', 'step_milliseconds': told}))"
    )
    assert describe.probe(RunConfig(batch_size=7), answering(code)).step_milliseconds == 7
    assert describe.probe(command=answering(code)).step_milliseconds == 0


def test_the_trainer_times_the_steps_of_the_configuration() -> None:
    config = RunConfig(batch_size=2, threads=1, dropout=0, device="cpu", precision="fp32")
    found = describe.probe(config, small_command(describe.COMMAND[-1]))
    assert (found.device, found.precision) == ("cpu", "fp32")
    assert 0 < found.step_milliseconds < 60_000


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_attack_05_resume_of_another_users_run_needs_a_word(run: Run, play: Play, store: Store) -> None:
    play("normal")
    run_id = store.create(RunConfig(epochs=3, data="synthetic")).id
    os.chown(store.path(run_id) / "run.json", 65534, 65534)
    refused = run("resume", run_id, "--headless")
    assert refused.code == 2
    assert "--trust" in refused.err
    assert not (store.path(run_id) / "events.jsonl").exists()
    assert run("resume", run_id, "--headless", "--trust").code == 0
