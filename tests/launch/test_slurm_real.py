"""A real SLURM: ``python tests/slurm_node.py start`` makes one of one node; without one these tests are skipped."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import slurm_node
from cli_caller import Run
from waiting import wait_for

from alexnet_tui.launch import slurm
from alexnet_tui.runs.follow import load
from alexnet_tui.runs.state import State
from alexnet_tui.runs.store import Store
from alexnet_tui.studies import planning

pytestmark = [pytest.mark.slurm, pytest.mark.slow, pytest.mark.timeout(600)]
SMALL = {"data": "synthetic", "train_images": "256", "train_eval_images": "100", "batch_size": "64", "threads": "1"}
LAUNCHER = ("--launcher", "slurm", "--slurm", "time=10")
_LONG_SECONDS = 300.0


@pytest.fixture(scope="module", autouse=True)
def cluster() -> None:
    if not slurm_node.answers():
        pytest.skip("no slurmctld answers (python tests/slurm_node.py start makes one; export SLURM_CONF)")


@pytest.fixture(autouse=True)
def data(prepared_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALEXNET_TUI_DATA", str(prepared_data))


@pytest.fixture(autouse=True)
def leftovers(store: Store) -> Iterator[None]:
    """Takes out of the queue what a failed test left in it."""
    yield
    job = slurm.load(store.root / "studies" / "mine")
    if job is not None:
        subprocess.run(["scancel", job.job], check=False)


def planned(store: Store, *, epochs: int, variants: list[str], seeds: int = 1) -> None:
    overrides = {**SMALL, "epochs": str(epochs)}
    planning.plan_variants(store, "mine", variants=variants, seeds=range(seeds), overrides=overrides)


def task(store: Store, index: int) -> str:
    job = slurm.load(store.root / "studies" / "mine")
    assert job is not None
    return f"{job.job}_{index}"


def run_ids(store: Store) -> list[str]:
    job = slurm.load(store.root / "studies" / "mine")
    assert job is not None
    return job.run_ids


def state(store: Store, index: int = 0) -> State:
    return load(store, run_ids(store)[index], skip_steps=True)[1]


def trains(store: Store, attempt: int = 1) -> bool:
    """Whether the first run is at work in this attempt, and has made a step in it."""
    history, now = load(store, run_ids(store)[0])
    return now is State.RUNNING and history.attempts == attempt and bool(history.step)


def in_queue(run: Run) -> dict[str, str]:
    tasks: dict[str, str] = json.loads(run("study", "status", "mine", "--json").out)["slurm"]["tasks"]
    return tasks


def test_a_study_of_four_runs(run: Run, store: Store) -> None:
    planned(store, epochs=1, variants=["baseline", "tanh"], seeds=2)
    assert run("study", "run", "mine", *LAUNCHER).code == 0
    assert set(in_queue(run).values()) <= {"PENDING", "CONFIGURING", "RUNNING"}
    assert run("study", "run", "mine", *LAUNCHER).code == 75
    wait_for(lambda: all(state(store, index) is State.FINISHED for index in range(4)), seconds=_LONG_SECONDS)
    wait_for(lambda: "RUNNING" not in in_queue(run).values(), seconds=60)
    assert run("study", "verify", "mine").code == 0
    assert "4 of 4 planned runs finished" in run("study", "verify", "mine").out


def test_a_task_before_its_limit_and_a_preempted_one_go_on_from_their_checkpoints(run: Run, store: Store) -> None:
    planned(store, epochs=500, variants=["baseline"])
    assert run("study", "run", "mine", *LAUNCHER).code == 0
    wait_for(lambda: trains(store), seconds=_LONG_SECONDS)
    for attempt, ask in enumerate((["scancel", "--batch", "--signal=USR1"], ["scontrol", "requeue"]), 2):
        step = load(store, run_ids(store)[0])[0].step
        subprocess.run([*ask, task(store, 0)], check=True)
        wait_for(lambda: state(store) is State.STOPPED, seconds=60)
        wait_for(lambda attempt=attempt: trains(store, attempt), seconds=_LONG_SECONDS)  # type: ignore[misc]
        history = load(store, run_ids(store)[0])[0]
        assert history.step >= step
        assert history.bit_exact
    assert run("study", "cancel", "mine").code == 0
    wait_for(lambda: state(store) is State.STOPPED, seconds=60)
    wait_for(lambda: not in_queue(run), seconds=60)
    assert history.checkpoints


def test_one_run_and_one_that_waits_are_cancelled_by_stop(run: Run, store: Store) -> None:
    planned(store, epochs=500, variants=["baseline", "tanh"])
    assert run("study", "run", "mine", *LAUNCHER, "--parallel", "1").code == 0
    wait_for(lambda: trains(store), seconds=_LONG_SECONDS)
    first, second = run_ids(store)
    assert in_queue(run)[second] == "PENDING"
    assert run("stop", second).code == 0
    wait_for(lambda: second not in in_queue(run), seconds=60)
    assert run("stop", first).code == 0
    wait_for(lambda: in_queue(run)[first] != "RUNNING", seconds=60)
    assert (state(store, 0), state(store, 1)) == (State.STOPPED, State.QUEUED)


def test_a_job_that_vanished_is_told_and_goes_on(run: Run, store: Store) -> None:
    planned(store, epochs=500, variants=["baseline"])
    assert run("study", "run", "mine", *LAUNCHER).code == 0
    wait_for(lambda: trains(store), seconds=_LONG_SECONDS)
    subprocess.run(["scancel", "--full", "--signal=KILL", task(store, 0)], check=True)
    wait_for(lambda: state(store) in {State.LOST, State.STOPPED}, seconds=60)  # SLURM ends what its task left behind.
    wait_for(lambda: in_queue(run)[run_ids(store)[0]] == "vanished", seconds=60)
    assert "vanished" in run("study", "status", "mine").out
    assert run("study", "run", "mine", *LAUNCHER).code == 0
    wait_for(lambda: trains(store, 2), seconds=_LONG_SECONDS)
    assert run("study", "cancel", "mine").code == 0
    wait_for(lambda: state(store) is State.STOPPED, seconds=60)
