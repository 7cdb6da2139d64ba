"""A launcher of the user's own: what a template becomes, and what happens to its run."""

import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import fake_trainer
import psutil
import pytest
import sshd
from cli_caller import Run
from fake_runs import a_step, open_writer, started
from waiting import has_ended, wait_for

from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.errors import ConfigError, RunBusyError, UsageError
from alexnet_tui.folder import Folder
from alexnet_tui.launch import command, local, registry, stopping
from alexnet_tui.launch.engine import HERE, Launch, StartOptions
from alexnet_tui.locks import is_locked, read_owner, take_lock
from alexnet_tui.runs import events as ev
from alexnet_tui.runs.event_log import EventReader, EventWriter
from alexnet_tui.runs.follow import load
from alexnet_tui.runs.liveness import CARRIER_FILE
from alexnet_tui.runs.run_files import EVENTS_FILE
from alexnet_tui.runs.state import State
from alexnet_tui.runs.store import Store
from alexnet_tui.studies import cluster_task, planning, worker
from alexnet_tui.studies.worker import start_worker


def fill(template: str) -> list[str]:
    return command.fill(template, ["/my env/python", "-m", "x", "it's"], run="run-1", name="mine")


LINE = "'/my env/python' -m x 'it'\"'\"'s'"
WORDS = {
    "ssh host -- {cmd}": ["ssh", "host", "--", LINE],
    "ssh host 'cd /x && exec {cmd}'": ["ssh", "host", f"cd /x && exec {LINE}"],
    'srun --job-name={run} sh -c "{cmd}"': ["srun", "--job-name=run-1", "sh", "-c", LINE],
    "sky exec {name} {cmd}": ["sky", "exec", "mine", LINE],
    "docker ps --format {{.ID}} {cmd}": ["docker", "ps", "--format", "{{.ID}}", LINE],
}
REFUSED = (
    "",
    "ssh host",
    "ssh {cmd} {cmd}",
    "{cmd}",
    "ssh 'host {cmd}",
    "ssh host \"sh -c '{cmd}'\"",
    "ssh host 'sh -c \"{cmd}\"'",
)


def test_a_template_becomes_words_and_the_command_one_line_for_another_shell() -> None:
    for template, words in WORDS.items():
        assert fill(template) == words, template


def test_attack_12_no_name_and_no_value_is_read_by_a_shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run is started where every name is a command; so is the line that a shell at the other end reads."""
    evil = "-rf; touch $(touch executed) `touch executed` 'it''s' && touch executed"
    monkeypatch.chdir(tmp_path)
    store = Store(tmp_path / evil / "runs")
    for field in ("data", "device"):
        with pytest.raises(ConfigError, match="not valid"):
            RunConfig.from_text({field: evil})
    run_id = store.create(RunConfig(epochs=3), label=evil, argv=[evil], study=evil).id
    local.start(store, run_id, StartOptions(command=fake_trainer.command("normal")))
    assert stopping.wait_free(store, run_id, 20)
    assert load(store, run_id)[1] is State.FINISHED
    script = "import sys; print(sys.argv[1:])"
    words = command.fill("sh -c {cmd}", [sys.executable, "-c", script, evil, "--", "-x"], run=evil, name=evil)
    assert subprocess.check_output(words, text=True).strip() == str([evil, "--", "-x"])
    assert {path.name for path in tmp_path.rglob("executed")} == set()


def test_templates_that_make_no_command_line_are_refused() -> None:
    for template in REFUSED:
        with pytest.raises(UsageError, match="--template"):
            command.check({"template": [template]} if template else {})


def launch_with(template: str) -> Launch:
    return registry.parse("command", {"template": [template]})


@pytest.fixture
def run_id(store: Store) -> str:
    return store.create(RunConfig(data="synthetic", epochs=100)).id


def played(store: Store, run_id: str, script: str) -> Launch:
    """A command whose trainer plays a script in place of the task it is given."""
    folder = store.path(run_id)
    path = store.root.parent / f"{script}.sh"
    path.write_text(f"{shlex.join(fake_trainer.command(script))} {folder} >> {folder}/events.jsonl\n")
    return launch_with(f"sh {path} {{cmd}}")


@pytest.mark.slow
def test_a_run_is_carried_and_ends_as_its_record_says(store: Store, run_id: str) -> None:
    registry.start(store, run_id, played(store, run_id, "endless"))
    with pytest.raises(RunBusyError):
        registry.start(store, run_id, played(store, run_id, "endless"))
    assert load(store, run_id)[1] is State.RUNNING
    wait_for(lambda: load(store, run_id)[0].step)
    assert stopping.stop(store, run_id, 20.0)
    assert load(store, run_id)[1] is State.STOPPED
    assert registry.noted(store, run_id) == played(store, run_id, "endless")
    (store.path(run_id) / "launch.json").write_text('{"launcher": "command", "options": {"template": ["rm"]}}')
    assert registry.noted(store, run_id) == HERE, "a launcher that is none is not advised"
    forged = {"launcher": "command", "options": {"template": ["sh evil.sh {cmd}"]}, "seal": "0" * 64}
    (store.path(run_id) / "launch.json").write_text(json.dumps(forged))
    assert registry.noted(store, run_id) == HERE, "what somebody else wrote is no advice"
    registry.start(store, run_id, played(store, run_id, "normal"))
    wait_for(lambda: load(store, run_id)[1] is State.FINISHED)


ENDINGS = {
    "sh -c 'echo no such machine >&2; exit 7; {cmd}'": ("code 7", "before the run did: no such machine."),
    "sh -c 'echo one; printf no-end-of-line >&2; exit 8; {cmd}'": (
        "code 8",
        "before the run did: one | no-end-of-line.",
    ),
    "sh -c 'exit 0; {cmd}'": ("code 0", ""),
    "sh -c 'kill -9 $$; {cmd}'": ("signal 9", ""),
    "no-such-program {cmd}": ("no-such-program", "could not be started"),
}


def test_a_command_that_ends_before_its_run_makes_it_a_failed_one(store: Store) -> None:
    run_ids = [store.create(RunConfig(data="synthetic")).id for _ in ENDINGS]
    for run_id, template in zip(run_ids, ENDINGS, strict=True):
        registry.start(store, run_id, launch_with(template))
    for run_id, parts in zip(run_ids, ENDINGS.values(), strict=True):
        wait_for(lambda run_id=run_id: load(store, run_id)[1] is State.FAILED)  # type: ignore[misc]
        final = load(store, run_id)[0].final
        assert isinstance(final, ev.Failed)
        assert final.reason == command.REASON
        for part in parts:
            assert part in final.message
        last = (store.path(run_id) / command.LOG_FILE).read_text().splitlines()[-1:]
        assert last == [] or last[0].startswith("the command "), "on a line of its own"


def test_a_trainer_that_died_under_its_command_is_told_with_the_exit_code(store: Store, run_id: str) -> None:
    registry.start(store, run_id, played(store, run_id, "crash"))
    wait_for(lambda: load(store, run_id)[1] is State.FAILED)
    history = load(store, run_id)[0]
    assert (history.attempts, history.bad_lines, history.num_epochs_done) == (1, 1, 1)


def test_the_last_event_of_a_carrier_follows_the_trainers_steps(store: Store, run_id: str) -> None:
    steps = store.root.parent / "steps"
    with open_writer(store.root.parent, attempt=1) as writer:
        writer.write(started(store.record(run_id).config))
        for step in range(1, 8):
            writer.write(a_step(1, step))
    (store.root.parent / EVENTS_FILE).rename(steps)
    events = store.path(run_id) / EVENTS_FILE
    registry.start(store, run_id, launch_with(f"sh -c 'cat {steps} >> {events}; exit 3; {{cmd}}'"))
    wait_for(lambda: load(store, run_id)[1] is State.FAILED)
    written = EventReader(events).read_new()
    assert [event.seq for event in written] == list(range(9))
    history = load(store, run_id)[0]
    assert (history.missing_events, history.attempts) == (0, 1)


def test_a_task_tells_the_state_of_its_run_while_its_carrier_is_there(store: Store, run_id: str) -> None:
    carrier = take_lock(store.path(run_id), name=CARRIER_FILE)
    try:
        for script, code, state in (
            ("no-device", 1, State.FAILED),
            ("crash", 1, State.LOST),
            ("normal", 0, "finished"),
        ):
            said: list[str] = []
            trainer = fake_trainer.command(script)
            assert cluster_task.train(store, run_id, say=said.append, command=trainer, poll_seconds=0.02) == code
            assert said == [f"run {run_id}: {state}"]
    finally:
        os.close(carrier)


def test_the_task_of_a_run_that_is_gone_trains_no_other_one(store: Store, run: Run) -> None:
    run_id = store.create(RunConfig(data="no-such-set")).id
    store.path(run_id).rename(store.root / f"{run_id}-b")
    done = run("task", run_id)
    assert (done.code, f"there is no run '{run_id}'" in done.err) == (3, True)
    assert load(store, f"{run_id}-b")[1] is State.QUEUED


def test_a_stop_in_the_moment_a_connection_is_cut_stays_a_stop(store: Store, run_id: str) -> None:
    """The carrier learns of the cut while the trainer, which holds the run's lock, is about to write its last event."""
    cut = store.root.parent / "cut"
    registry.start(store, run_id, launch_with(f"sh -c 'until [ -e {cut} ]; do sleep 0.02; done; exit 255; {{cmd}}'"))
    directory = store.path(run_id)
    with Folder(directory) as folder:
        lock, events = take_lock(directory), folder.append(EVENTS_FILE)
    cut.touch()
    wait_for(lambda: "code 255" in (directory / command.LOG_FILE).read_text())
    EventWriter(events).write(ev.Stopped(epoch=0, step=1, reason="SIGTERM"))
    os.close(events)
    os.close(lock)
    wait_for(lambda: not is_locked(directory / CARRIER_FILE))
    history, state = load(store, run_id)
    assert (state, history.num_events) == (State.STOPPED, 1)


@pytest.mark.parametrize("how", [(), ("--now",)])
def test_a_command_that_is_still_on_its_way_is_stopped(
    store: Store, run_id: str, run: Run, how: tuple[str, ...], tmp_path: Path
) -> None:
    started = tmp_path / "pid"
    registry.start(store, run_id, launch_with(f"sh -c 'sleep 600 & echo $! >{started}; wait; {{cmd}}'"))
    wait_for(lambda: started.exists() and started.read_text().endswith("\n"))
    assert run("stop", run_id, *how).code == 0
    assert load(store, run_id)[1] is State.QUEUED
    wait_for(lambda: has_ended(int(started.read_text())))  # What a shell started ends with it.


def test_a_command_whose_carrier_was_killed_is_known_and_ended(store: Store, run_id: str, run: Run) -> None:
    registry.start(store, run_id, launch_with("sh -c 'sleep 60 & wait; {cmd}'"))
    owner = read_owner(store.path(run_id) / CARRIER_FILE)
    assert owner is not None
    wait_for(lambda: len(psutil.Process(owner.pid).children(recursive=True)) == 2)
    left = psutil.Process(owner.pid).children(recursive=True)
    os.kill(owner.pid, signal.SIGKILL)
    wait_for(lambda: not is_locked(store.path(run_id) / CARRIER_FILE))
    assert load(store, run_id)[1] is State.RUNNING
    for words in (("resume", run_id, "--headless"), ("delete", run_id, "--yes")):
        assert run(*words).code == 75
    with pytest.raises(RunBusyError):
        store.delete(run_id)
    assert run("stop", run_id).code == 0
    wait_for(lambda: all(has_ended(process.pid) for process in left), 5)
    assert load(store, run_id)[1] is State.QUEUED
    store.delete(run_id)


def test_a_study_goes_by_a_command(store: Store) -> None:
    plan = planning.plan_variants(store, "mine", variants=["baseline"], seeds=[0, 1], overrides={"epochs": "1"})
    task = f"{sys.executable} -c pass"
    launch = launch_with(f"sh -c '{task}; exit 3; {{cmd}}'")
    cells = worker.work(store, plan, parallel=2, launch=launch, poll_seconds=0.05)
    assert [(cell.state, cell.reason) for cell in cells] == [("failed", command.REASON)] * 2


def test_a_worker_in_the_background_gets_its_launcher_from_the_order(store: Store) -> None:
    planning.plan_variants(store, "mine", variants=["baseline"], seeds=[0], overrides={"epochs": "1"})
    launch = launch_with("ssh host -- {cmd}")
    start_worker(store, "mine", launch=launch, command=[sys.executable, "-c", "pass"])
    content = json.loads((store.root / "studies" / ".worker" / "orders.json").read_bytes())
    assert content["orders"][0]["launch"] == {"launcher": "command", "options": {"template": ["ssh host -- {cmd}"]}}


@pytest.mark.ssh
@pytest.mark.slow
@pytest.mark.skipif(bool(sshd.why_not()), reason=sshd.why_not() or "sshd is here")
def test_over_a_real_ssh_a_run_trains_stops_and_survives_a_cut(
    store: Store, run: Run, tmp_path: Path, prepared_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALEXNET_TUI_DATA", str(prepared_data))
    folder = tmp_path / "ssh"
    folder.mkdir()
    with sshd.running(folder) as words:
        launch = launch_with(f"{' '.join(words)} -- env ALEXNET_TUI_DATA={prepared_data} {{cmd}}")
        small = {"epochs": "500", "train_images": "256", "train_eval_images": "100", "threads": "1"}
        config = RunConfig.from_text({"data": "synthetic", **small})
        run_id = store.create(config).id
        registry.start(store, run_id, launch)
        wait_for(lambda: load(store, run_id)[0].step, seconds=60)
        carrier = json.loads((store.path(run_id) / "launch.lock").read_bytes())["pid"]
        [ssh] = psutil.Process(carrier).children()
        ssh.kill()  # The connection is cut: the trainer goes on, and its record is left to it.
        wait_for(lambda: "signal 9" in (store.path(run_id) / "command.log").read_text())
        assert load(store, run_id)[1] is State.RUNNING
        assert run("stop", run_id).code == 0
        assert load(store, run_id)[1] is State.STOPPED
