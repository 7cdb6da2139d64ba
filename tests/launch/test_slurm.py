"""SLURM by contract: what its commands are called with, and what is made of their answers. No cluster is needed."""

import json
import os
import signal
import subprocess
import threading
import time
from pathlib import Path

import fake_trainer
import pytest
from cli_caller import Run
from slurm_stub import Cluster
from waiting import wait_for

from alexnet_tui.errors import LaunchError, RunBusyError, StoreError, UsageError
from alexnet_tui.launch import local, registry, slurm, stopping
from alexnet_tui.launch.engine import REQUEUE_SIGNAL, WITHDRAW_SIGNAL, QueueStatus, StartOptions
from alexnet_tui.runs.follow import load
from alexnet_tui.runs.state import State
from alexnet_tui.runs.store import Store
from alexnet_tui.studies import bookkeeping, cluster_task, planned_runs, planning, study_files, worker
from alexnet_tui.studies.plan import Plan, load_plan

QUICK = {"epochs": "50", "data": "synthetic"}


@pytest.fixture
def plan(store: Store) -> Plan:
    return planning.plan_variants(store, "mine", variants=["baseline", "tanh"], seeds=[0, 1], overrides=QUICK)


def submit(store: Store, plan: Plan, **options: str) -> Path:
    """The folder in which a study's job is noted."""
    folder, run_ids = study_files.make_folder(store, plan.name), planned_runs.prepare(store, plan)
    given = {"slurm": [f"{name}={value}" for name, value in options.items()]}
    slurm.submit(folder, plan.name, store.root, run_ids, given, at_once=2)
    return folder


def queue(folder: Path) -> QueueStatus:
    found = slurm.queue(folder)
    assert found is not None
    return found


def test_an_array_job_has_a_task_a_run(cluster: Cluster, store: Store, plan: Plan) -> None:
    cluster.answers("sbatch", "77;north\n")
    job = slurm.load(submit(store, plan, partition="gpu", time="2:00:00", comment="a b; $(touch x)"))
    folder = store.root.absolute() / "studies" / "mine"
    assert cluster.calls("sbatch") == [
        [
            "--parsable",
            "--job-name=alexnet-mine",
            "--array=0-3%2",
            "--requeue",
            "--signal=B:USR1@120",
            "--open-mode=append",
            f"--output={folder}/slurm-%A_%a.log",
            "--partition=gpu",
            "--time=2:00:00",
            "--comment=a b; $(touch x)",
        ]
    ]
    assert job is not None
    assert (job.job, job.run_ids) == ("77", planned_runs.prepare(store, plan))
    assert all(run_id in (cluster.folder / "sbatch.input").read_text() for run_id in job.run_ids)


def test_the_script_becomes_the_task_so_that_signals_reach_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import subprocess

    monkeypatch.setattr(slurm, "child_command", lambda *words: ("printf", "%s\n", *words))
    text = slurm.script(tmp_path / "it's $(touch x)", ["a", "b", "c"])
    environment = {**os.environ, "SLURM_ARRAY_TASK_ID": "1"}
    done = subprocess.run(["sh"], input=text, capture_output=True, text=True, env=environment, check=True, cwd=tmp_path)
    assert done.stdout.splitlines() == ["alexnet_tui", "task", "--runs-dir", f"{tmp_path}/it's $(touch x)", "--", "b"]
    assert "exec " in text
    assert not (tmp_path / "x").exists()


def test_the_queue_s_word_goes_before_the_accounts(cluster: Cluster, store: Store, plan: Plan) -> None:
    job = submit(store, plan)
    cluster.answers("squeue", "1|RUNNING\n2|PENDING\n")
    cluster.answers("sacct", "77_0|COMPLETED\n77_1|REQUEUED\n77_[2-3%2]|PENDING\n77_0.batch|COMPLETED\n")
    states = dict(zip(range(4), queue(job).states.values(), strict=True))
    assert states == {0: "COMPLETED", 1: "RUNNING", 2: "PENDING", 3: "PENDING"}
    assert cluster.calls("squeue") == [["--noheader", "--array", "--jobs=77", "--name=alexnet-mine", "--format=%K|%T"]]
    assert cluster.calls("sacct") == [
        ["--noheader", "--parsable2", "--allocations", "--jobs=77", "--name=alexnet-mine", "--format=JobID,State"]
    ]
    assert queue(job).is_active
    cluster.answers("squeue", "", 1, "Invalid job id specified")
    cluster.answers("sacct", "77_0|COMPLETED\n77_1|CANCELLED by 0\n77_2|TIMEOUT\n")
    assert list(queue(job).states.values()) == ["COMPLETED", "CANCELLED", "TIMEOUT", "vanished"]
    assert not queue(job).is_active
    cluster.answers("squeue", "", 1, "Unable to contact slurm controller (connect failure)")
    with pytest.raises(LaunchError, match=r"Unable to contact.*mine/slurm\.json says that SLURM job 77 .*remove"):
        queue(job)


@pytest.mark.parametrize("how", ["it fails", "it is not there", "it cannot be started"])
def test_where_the_books_cannot_be_read_the_queue_alone_decides(
    cluster: Cluster, store: Store, plan: Plan, how: str
) -> None:
    job = submit(store, plan)
    cluster.answers("squeue", "0|RUNNING\n")
    cluster.answers("sacct", "", 1, "no accounting here")
    if how == "it is not there":
        (cluster.folder / "sacct").unlink()
    elif how == "it cannot be started":
        (cluster.folder / "sacct").write_bytes(b"\0\0\0\0")
    assert list(queue(job).states.values()) == ["RUNNING", "vanished", "vanished", "vanished"]


OVER = (
    "BOOT_FAIL CANCELLED COMPLETED DEADLINE FAILED LAUNCH_FAILED NODE_FAIL OUT_OF_MEMORY PREEMPTED RECONFIG_FAIL"
    " REVOKED TIMEOUT NO_SUCH_STATE"
)
LIVING = (
    "PENDING RUNNING SUSPENDED COMPLETING CONFIGURING EXPEDITING POWER_UP_NODE REQUEUED REQUEUE_FED REQUEUE_HOLD"
    " RESIZING RESV_DEL_HOLD SIGNALING SPECIAL_EXIT STAGE_OUT STOPPED"
)
"""With those above, the states and flags of jobs in the manual of squeue."""


@pytest.mark.parametrize(("words", "is_active"), [(OVER, False), (LIVING, True)])
def test_of_which_states_slurm_still_has_something_to_do(
    cluster: Cluster, store: Store, plan: Plan, words: str, is_active: bool
) -> None:
    job = submit(store, plan)
    cluster.answers("squeue", "")
    for word in words.split():
        cluster.answers("sacct", f"77_[0-3]|{word}\n")
        assert queue(job).is_active is is_active, word


def test_a_process_that_is_no_task_is_not_put_back_into_the_queue(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(LaunchError, match="this process is none"):
        registry.requeue_this_task()
    assert cluster.calls("scontrol") == []


@pytest.mark.parametrize(
    "garbage",
    [
        *("|\n", "77_[1-|X\n", "77_[0-99999999999]|RUNNING\n", "\x1b[31m|x\n", "77_x|R\n", "77_0|  \n"),
        *("²|RUNNING\n", "77_[²]|RUNNING\n", f"{'1' * 5000}|RUNNING\n", f"77_{'1' * 5000}|RUNNING\n"),
    ],
    ids=range(10),
)
def test_strange_answers_do_no_harm(cluster: Cluster, garbage: str) -> None:
    cluster.answers("squeue", garbage)
    cluster.answers("sacct", garbage)
    assert len(slurm.states("77", "mine")) <= 100_001


@pytest.mark.parametrize("text", ["partition", "=x", "Partition=x", "array=0-9", "wrap=rm", "a=\x1b[m", "--x=1", "p="])
def test_options_that_are_none_or_ours_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--slurm"):
        slurm.parse_options([text])


def test_options_are_taken_apart_at_commas_before_a_name() -> None:
    assert slurm.parse_options(["partition=a,b,time=1:00", "gpus=1"]) == {
        "partition": "a,b",
        "time": "1:00",
        "gpus": "1",
    }


def test_attack_12_a_forged_note_decides_neither_what_runs_nor_whose_job_is_cancelled(
    cluster: Cluster, store: Store, plan: Plan
) -> None:
    note = submit(store, plan, partition="gpu") / slurm.JOB_FILE
    submit(store, plan)
    assert cluster.calls("sbatch")[1][-1] == "--partition=gpu", "this user's own options are kept"
    forged = json.loads(note.read_text())
    note.write_text(json.dumps({**forged, "options": {"export": "ALL,PYTHONPATH=/tmp/x"}}))
    with pytest.raises(LaunchError, match="not given here"):
        submit(store, plan)
    assert len(cluster.calls("sbatch")) == 2
    for job in ("--me", "77 78", "77\n", "-u root", ""):
        note.write_text(json.dumps({**forged, "job": job}))
        with pytest.raises(StoreError, match="damaged"):
            slurm.withdraw(note.parent)
    assert not cluster.calls("scancel")


def test_a_damaged_note_hides_nothing_else(run: Run, store: Store, plan: Plan) -> None:
    run_id = planned_runs.prepare(store, plan)[0]
    (store.root / "studies" / "mine" / slurm.JOB_FILE).write_text("{")
    for words in (("show", run_id), ("study", "status", "mine")):
        done = run(*words)
        assert (done.code, "slurm.json: the file is damaged" in done.err, "baseline" in done.out) == (0, True, True)


def test_refusals_of_slurm_are_sentences(cluster: Cluster, store: Store, plan: Plan) -> None:
    cluster.answers("sbatch", "", 1, "sbatch: error: invalid partition specified")
    with pytest.raises(LaunchError, match="invalid partition"):
        submit(store, plan)
    for answer in ("Submitted batch job 5", "²", "1" * 13, "77\nbye"):
        cluster.answers("sbatch", answer)
        with pytest.raises(LaunchError, match="no job number: .*`scancel --me --name=alexnet-mine` takes it out"):
            submit(store, plan)
    assert slurm.load(store.root / "studies" / "mine") is None


def test_the_number_of_a_job_is_in_the_last_line_of_the_answer(cluster: Cluster, store: Store, plan: Plan) -> None:
    cluster.answers("sbatch", "Your project has 12 hours left.\n78;west\n")
    job = slurm.load(submit(store, plan))
    assert job is not None
    assert job.job == "78"


def test_without_slurm_the_command_line_says_so(
    run: Run, store: Store, plan: Plan, prepared_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALEXNET_TUI_DATA", str(prepared_data))
    monkeypatch.setenv("PATH", "/nowhere")
    done = run("study", "run", "mine", "--launcher", "slurm")
    assert done.code == 1
    assert "sbatch is not here" in done.err
    assert run("study", "run", "mine", "--launcher", "slum").code == 2
    assert run("study", "run", "mine", "--slurm", "a=b").code == 2


def test_a_study_goes_to_the_cluster_and_back(
    run: Run, store: Store, plan: Plan, cluster: Cluster, prepared_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALEXNET_TUI_DATA", str(prepared_data))
    sent = run("study", "run", "mine", "--launcher", "slurm", "--slurm", "partition=gpu", "--parallel", "3")
    assert sent.code == 0
    assert "4 runs queued as SLURM job 77" in sent.err
    assert "--array=0-3%3" in cluster.calls("sbatch")[0]
    cluster.answers("squeue", "0|RUNNING\n1|PENDING\n2|PENDING\n3|PENDING\n")
    told = run("study", "status", "mine")
    assert "SLURM job 77: 3 PENDING, 1 RUNNING" in told.err
    assert "PENDING" in told.out
    for words in (("run", "mine"), ("run", "mine", "--launcher", "slurm"), ("run", "mine", "--detach")):
        assert run("study", *words).code == 75
    with pytest.raises(RunBusyError, match="queued as SLURM job 77"):
        worker.work(store, load_plan(store, "mine"))  # As `study reproduce` does.
    cluster.answers("squeue", "0|RUNNING\n")
    assert json.loads(run("study", "status", "mine", "--json").out)["slurm"]["tasks"].popitem()[1] == "vanished"
    cancelled = run("study", "cancel", "mine")
    assert (cancelled.code, "study run mine --launcher slurm" in cancelled.err) == (0, True)
    assert cluster.calls("scancel") == [
        ["--state=PENDING", "--name=alexnet-mine", "77"],
        ["--batch", "--signal=USR2", "--state=RUNNING", "--name=alexnet-mine", "77"],
    ]
    cluster.answers("squeue", "")
    (cluster.folder / "scancel").write_text(
        '#!/bin/sh\ncase "$*" in *--batch*) echo "Invalid job id specified" >&2; exit 1;; esac\n'
    )
    slurm.cancel("77_2", "mine")
    cluster.answers("squeue", "77_2")
    with pytest.raises(LaunchError, match="Invalid job id"):
        slurm.cancel("77_2", "mine")
    cluster.answers("squeue", "")
    states = json.loads(run("study", "status", "mine", "--json").out)["slurm"]["tasks"]
    assert not states, "nobody looks for tasks that were taken out of the queue"


def test_of_two_who_submit_a_study_at_once_one_is_refused(
    run: Run, store: Store, plan: Plan, cluster: Cluster, prepared_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALEXNET_TUI_DATA", str(prepared_data))
    words = ("study", "run", "mine", "--launcher", "slurm")
    with worker.command_lock(store, "mine"):
        assert run(*words).code == 75
    lock, second = study_files.make_folder(store, "mine") / "lock", cluster.folder / "second"
    (cluster.folder / "sbatch").write_text(f'#!/bin/sh\nflock --nonblock "{lock}" touch "{second}"\necho 77\n')
    assert run(*words).code == 0
    assert not second.exists(), "while one submits, the lock is held"
    subprocess.run(["flock", "--nonblock", lock, "touch", second], check=True)
    assert second.exists(), "then it is free"


def test_a_single_run_is_a_job_of_one_task(
    run: Run, store: Store, cluster: Cluster, prepared_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALEXNET_TUI_DATA", str(prepared_data))
    slurm_options = ("--launcher", "slurm", "--slurm", "partition=gpu")
    sent = run("run", "tanh", "--data", "synthetic", "--epochs", "1", *slurm_options)
    assert (sent.code, "queued as SLURM job 77" in sent.err) == (0, True)
    assert {"--array=0-0", "--partition=gpu"} <= set(cluster.calls("sbatch")[0])
    cluster.answers("squeue", "0|PENDING\n")
    assert run("resume", "last", *slurm_options).code == 75
    cluster.answers("squeue", "")
    assert run("resume", "last", *slurm_options).code == 0
    assert run("resume", "last", "--slurm", "partition=gpu").code == 2
    assert run("resume", "last", "--launcher", "slurm").code == 0
    assert "--partition=gpu" in cluster.calls("sbatch")[-1], "options are kept until others are given"
    assert run("resume", "last", *slurm_options, "--from-scratch").code == 2
    assert f"{store.ids()[0]} --launcher slurm" in run("show", "last").out


def train(store: Store, plan: Plan, script: str, number: signal.Signals | None = None) -> int:
    """A task in this thread; a signal reaches it once it trains."""
    run_id = planned_runs.prepare(store, plan)[0]

    def send() -> None:
        wait_for(lambda: store.is_locked(run_id) and load(store, run_id)[0].step)
        os.kill(os.getpid(), number or signal.SIGUSR1)

    sender = threading.Thread(target=send)
    if number is not None:
        sender.start()
    code = cluster_task.train(store, run_id, command=fake_trainer.command(script), poll_seconds=0.02)
    if number is not None:
        sender.join()
    return code


def state(store: Store, plan: Plan) -> State:
    return load(store, planned_runs.prepare(store, plan)[0])[1]


def test_a_task_trains_its_run_and_notes_it(cluster: Cluster, store: Store, plan: Plan) -> None:
    assert train(store, plan, "normal") == 0
    assert bookkeeping.account(bookkeeping.read(store, plan)).counted.keys() == {0}
    assert train(store, plan, "crash") == 0, "a finished run is not trained again"
    assert not cluster.calls("scontrol")


def test_fault_18_a_task_before_its_limit_goes_back_into_the_queue(
    cluster: Cluster, store: Store, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "77")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "0")
    assert train(store, plan, "endless", signal.SIGUSR1) == 0
    assert state(store, plan) is State.STOPPED
    assert cluster.calls("scontrol") == [["requeue", "77_0"]]
    assert train(store, plan, "normal") == 0
    assert state(store, plan) is State.FINISHED


def test_a_task_that_is_withdrawn_while_it_saves_before_its_limit_stays_out(
    cluster: Cluster, store: Store, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "77")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "0")
    stop = stopping.stop

    def stop_and_withdraw(store: Store, run_id: str) -> bool:
        os.kill(os.getpid(), WITHDRAW_SIGNAL)
        return stop(store, run_id)

    monkeypatch.setattr(stopping, "stop", stop_and_withdraw)
    assert train(store, plan, "endless", REQUEUE_SIGNAL) == 143
    assert state(store, plan) is State.STOPPED
    assert not cluster.calls("scontrol")


@pytest.mark.parametrize("number", [signal.SIGUSR2, signal.SIGTERM])
def test_a_cancelled_task_stops_with_a_checkpoint_and_stays_out(
    cluster: Cluster, store: Store, plan: Plan, number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster_task, "_TERM_PATIENCE_SECONDS", 0.1)
    assert train(store, plan, "endless", number) == 143
    assert state(store, plan) is State.STOPPED
    assert not cluster.calls("scontrol")


def test_a_trainer_that_slurm_asked_itself_is_not_asked_twice(
    cluster: Cluster, store: Store, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(stopping, "stop", lambda store, run_id: asked.append(run_id))
    run_id = planned_runs.prepare(store, plan)[0]

    def send() -> None:
        wait_for(lambda: store.is_locked(run_id) and load(store, run_id)[0].step)
        owner = store.owner(run_id)
        assert owner is not None
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(owner.pid, signal.SIGTERM)

    sender = threading.Thread(target=send)
    sender.start()
    begin = time.monotonic()
    code = cluster_task.train(store, run_id, command=fake_trainer.command("endless"), poll_seconds=0.02)
    sender.join()
    assert (code, state(store, plan), asked) == (143, State.STOPPED, [])
    assert time.monotonic() - begin < 60


def test_cancel_stops_a_study_of_this_machine_too(run: Run, store: Store, plan: Plan) -> None:
    run_id = planned_runs.prepare(store, plan)[0]
    local.start(store, run_id, StartOptions(command=fake_trainer.command("endless")))
    wait_for(lambda: load(store, run_id)[0].step)
    assert run("study", "cancel", "mine").code == 0
    assert state(store, plan) is State.STOPPED
    assert [one.outcome for one in bookkeeping.read(store, plan).entries if one.kind == "ended"] == ["stopped"]
    assert bookkeeping.read(store, plan).num_written == 7
