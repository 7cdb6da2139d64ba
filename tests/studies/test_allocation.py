"""How runs that train at once share cores and GPUs."""

import os
import sys

import fake_trainer
import psutil
import pytest
from cli_caller import Run
from fork_server import small_command

from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.errors import LaunchError
from alexnet_tui.launch.probe import rate_together
from alexnet_tui.runs.store import Store
from alexnet_tui.studies import planning
from alexnet_tui.studies import worker as study_worker
from alexnet_tui.studies.allocation import (
    Allocation,
    Machine,
    allocation_of_process,
    allocations,
    describe,
    least_loaded,
    max_parallel,
    measure_parallel,
    this_machine,
)

FOUR = Machine(cores=(0, 1, 2, 3), free_bytes=64 * 10**9)
GPUS = Machine(cores=tuple(range(16)), gpus=("2", "3"), free_bytes=64 * 10**9)


def cores(machine: Machine, parallel: int, threads: int = 0) -> list[tuple[int, ...]]:
    return [allocation.cores for allocation in allocations(machine, parallel, threads)]


def test_a_run_alone_gets_everything() -> None:
    assert allocations(GPUS, 1, 0) == [Allocation()]


def test_runs_at_once_get_equal_cores_of_their_own() -> None:
    assert cores(FOUR, 2) == [(0, 1), (2, 3)]
    assert cores(FOUR, 3) == [(0,), (1,), (2,)]
    assert cores(FOUR, 4) == [(0,), (1,), (2,), (3,)]


def test_the_threads_of_the_plan_decide_how_many_cores() -> None:
    assert cores(FOUR, 2, threads=1) == [(0,), (1,)]
    assert cores(FOUR, 2, threads=3) == [(), ()], "the system shares what is too little"
    assert cores(FOUR, 9) == [()] * 9


def test_runs_are_spread_over_the_gpus() -> None:
    assert [allocation.gpu for allocation in allocations(GPUS, 4, 0)] == ["2", "3", "2", "3"]
    assert [allocation.variables()["CUDA_VISIBLE_DEVICES"] for allocation in allocations(GPUS, 2, 0)] == ["2", "3"]
    assert allocations(FOUR, 2, 0)[0].gpu == ""


def test_a_run_gets_the_share_that_nobody_uses() -> None:
    offered = allocations(GPUS, 4, 0)
    taken = list[Allocation]()
    for _ in range(4):
        taken.append(least_loaded(offered, taken))
    assert sorted(taken, key=lambda allocation: allocation.cores) == offered
    del taken[2]
    assert least_loaded(offered, taken) not in taken
    everywhere = Allocation(cores=GPUS.cores)
    assert least_loaded(offered, [everywhere, offered[0]]) == offered[1]


def test_runs_fit_by_cores_gpus_and_memory() -> None:
    assert max_parallel(GPUS, 0, 20) == 20
    assert max_parallel(GPUS, 0, 500) == 32
    assert max_parallel(FOUR, 0, 20) == 4
    assert max_parallel(FOUR, 2, 20) == 2
    assert max_parallel(FOUR, 8, 20) == 1
    assert max_parallel(FOUR, 0, 3) == 3
    assert max_parallel(Machine(cores=FOUR.cores, free_bytes=4 * 10**9), 0, 20) == 2
    assert max_parallel(Machine(cores=(0,)), 0, 20) == 1
    assert describe(FOUR, 2, 0) == "2 runs at a time, each on 2 of 4 cores"


def rate_of(expression: str) -> tuple[str, ...]:
    """A probe that answers at once; `gpu` is what it was given."""
    code = (
        "import json, os, sys\ngpu = os.environ.get('CUDA_VISIBLE_DEVICES', '')\nprint('ready', flush=True)\n"
        f"sys.stdin.readline()\nprint(json.dumps({{'images_per_second': {expression}}}))"
    )
    return (sys.executable, "-c", code)


def test_the_number_of_runs_is_measured_until_more_gain_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(cores=FOUR.cores, gpus=("4", "7"), free_bytes=64 * 10**9)
    assert measure_parallel(machine, RunConfig(), 4, rate_of("int(gpu or 1)")) == {1: 1, 2: 11, 4: 22}
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "100")
    assert measure_parallel(FOUR, RunConfig(), 4, rate_of("100")) == {1: 100, 2: 200, 4: 400}
    with pytest.raises(LaunchError, match="ZeroDivisionError"):
        measure_parallel(FOUR, RunConfig(), 4, rate_of("1 / 0"))


def test_runs_that_do_not_fit_together_are_no_choice() -> None:
    """The second of two at a time fails, as for want of memory."""
    machine = Machine(cores=FOUR.cores, gpus=("4", "7"), free_bytes=64 * 10**9)
    assert measure_parallel(machine, RunConfig(), 4, rate_of("100 if gpu != '7' else 1 / 0")) == {1: 100}


def test_no_more_is_tried_once_more_runs_gain_nothing() -> None:
    machine = Machine(cores=FOUR.cores, gpus=("1", "0"), free_bytes=64 * 10**9)
    assert measure_parallel(machine, RunConfig(), 20, rate_of("int(gpu or 1)")) == {1: 1, 2: 1}


@pytest.mark.slow
def test_real_updates_are_counted() -> None:
    config = RunConfig(batch_size=2, threads=1, device="cpu")
    briefly = "from alexnet_tui.train import timing; timing._RATE_SECONDS = 0.1"
    assert 0 < rate_together(config, [((), {})], small_command("alexnet_tui.train.probe", briefly)) < 1e6


@pytest.mark.parametrize(
    ("named", "gpus"),
    [("", ()), ("-1", ()), ("1", ("1",)), ("3, 0", ("3", "0")), ("2,-1,0", ("2",)), ("GPU-ab", ("GPU-ab",))],
)
def test_only_gpus_this_process_may_see_are_shared(
    monkeypatch: pytest.MonkeyPatch, named: str, gpus: tuple[str, ...]
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", named)
    assert this_machine().gpus == gpus


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system holds no process to a core")
@pytest.mark.skipif(len(this_machine().cores) < 2, reason="one core cannot be shared")
def test_two_runs_at_once_have_different_cores(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,7")
    quick = {"epochs": "10", "data": "synthetic"}
    plan = planning.plan_variants(store, "report", variants=["baseline", "tanh"], seeds=[0, 1], overrides=quick)
    before, seen = os.sched_getaffinity(0), list[tuple[Allocation, Allocation]]()

    def look() -> bool:
        owners = [store.owner(run_id) for run_id in store.ids() if store.is_locked(run_id)]
        found = [allocation_of_process(owner.pid) for owner in owners if owner and psutil.pid_exists(owner.pid)]
        if len(found) == 2 and all(allocation.gpu for allocation in found):
            seen.append((found[0], found[1]))
        return False

    command = fake_trainer.command("slow")
    study_worker.work(store, plan, parallel=2, command=command, should_stop=look, poll_seconds=0.02)
    assert seen
    for one, other in seen:
        assert not set(one.cores) & set(other.cores)
        assert {one.gpu, other.gpu} == {"4", "7"}
    assert os.sched_getaffinity(0) == before


def test_the_command_takes_a_number_or_auto(run: Run, store: Store) -> None:
    run("study", "new", "mine", "--variants", "tanh", "--seeds", "1", "--data", "synthetic")
    for text in ("0", "65", "many", "-1", "1.5", "²", "9" * 5000):
        refused = run("study", "run", "mine", "--parallel", text)
        assert (refused.code, "--parallel: a number from 1 to 64" in refused.err) == (2, True)
