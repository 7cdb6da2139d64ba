"""A worker that trains a study, and that may be killed at any moment."""

import contextlib
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import fake_trainer
import pytest
from fake_work import QUICK, assert_each_cell_finished_once, kinds, place_orders, serve, spawn_worker, states, work
from waiting import wait_for

from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.errors import RunBusyError, RunNotFoundError, StoreError
from alexnet_tui.launch import local, stopping
from alexnet_tui.launch.engine import StartOptions
from alexnet_tui.locks import take_lock
from alexnet_tui.runs import events as ev
from alexnet_tui.runs.follow import load
from alexnet_tui.runs.state import State
from alexnet_tui.runs.store import Store
from alexnet_tui.studies import bookkeeping, orders, planned_runs, planning, scheduler, study_files
from alexnet_tui.studies import worker as study_worker
from alexnet_tui.studies.plan import Plan, load_plan

pytestmark = pytest.mark.usefixtures("forked")


@pytest.mark.slow
@pytest.mark.parametrize("parallel", [1, 3])
def test_a_study_is_worked_through(store: Store, plan: Plan, parallel: int) -> None:
    said: list[str] = []
    cells = work(store, plan, parallel=parallel, say=said.append)
    assert [cell.state for cell in cells] == ["finished"] * 4
    assert_each_cell_finished_once(store, plan)
    assert sum("started as" in sentence for sentence in said) == 4
    assert sum("finished" in sentence for sentence in said) == 4
    assert {store.record(cell.run_id).study for cell in cells} == {"report"}


@pytest.mark.slow
def test_one_run_at_a_time_whoever_started_the_other(store: Store, plan: Plan) -> None:
    other = store.create(RunConfig(epochs=3))
    local.start(store, other.id, StartOptions(command=fake_trainer.command("slow")))
    seen: list[int] = []

    def count() -> bool:
        seen.append(sum(store.is_locked(run_id) for run_id in store.ids()))
        return False

    work(store, plan, should_stop=count)
    assert max(seen) == 1
    assert load(store, other.id)[1] is State.FINISHED
    assert_each_cell_finished_once(store, plan)


def test_finished_runs_are_skipped(store: Store, plan: Plan) -> None:
    work(store, plan)
    before = {run_id: (store.path(run_id) / "events.jsonl").read_bytes() for run_id in store.ids()}
    said: list[str] = []
    work(store, plan, say=said.append)
    assert said == []
    assert {run_id: (store.path(run_id) / "events.jsonl").read_bytes() for run_id in store.ids()} == before


def test_a_diverged_run_is_recorded_and_not_replaced(store: Store, plan: Plan) -> None:
    cells = work(store, plan, "diverge")
    assert {(cell.state, cell.reason) for cell in cells} == {("failed", "diverged")}
    work(store, plan)
    cells = planned_runs.status(store, plan)
    assert {(cell.state, cell.reason) for cell in cells} == {("failed", "diverged")}
    assert all(kinds(store, cell.run_id)[ev.Started] == 1 for cell in cells)


@pytest.mark.slow
def test_otherwise_failed_runs_are_tried_again_by_the_next_worker(store: Store, plan: Plan) -> None:
    cells = work(store, plan, "no-device")
    assert {(cell.state, cell.reason) for cell in cells} == {("failed", "error")}
    assert all(kinds(store, cell.run_id)[ev.Started] == 1 for cell in cells)
    work(store, plan)
    assert_each_cell_finished_once(store, plan)


@pytest.mark.slow
def test_a_trainer_that_dies_is_resumed_but_not_for_ever(store: Store, plan: Plan) -> None:
    cells = work(store, plan, "crash")
    assert {cell.state for cell in cells} == {"lost"}
    assert {kinds(store, cell.run_id)[ev.Started] for cell in cells} == {scheduler.MAX_STARTS}
    work(store, plan)
    assert_each_cell_finished_once(store, plan)


@pytest.mark.slow
def test_a_run_a_person_stops_is_left_until_the_next_worker(store: Store, plan: Plan) -> None:
    stopped: list[str] = []

    def stop_first() -> bool:
        running = [run_id for run_id in store.ids() if store.is_locked(run_id)]
        if running and not stopped and kinds(store, running[0])[ev.Step]:
            stopped.append(running[0])
            stopping.stop(store, running[0])
        return False

    work(store, plan, "slow", should_stop=stop_first)
    assert sorted(states(store, plan)) == ["finished", "finished", "finished", "stopped"]
    work(store, plan)
    assert_each_cell_finished_once(store, plan)


def test_stopping_the_worker_stops_its_runs_with_a_checkpoint(store: Store, plan: Plan) -> None:
    def once_training() -> bool:
        return any(kinds(store, run_id)[ev.Step] for run_id in store.ids())

    cells = work(store, plan, "endless", should_stop=once_training)
    assert [cell.state for cell in cells] == ["stopped", "queued", "queued", "queued"]
    work(store, plan)
    assert_each_cell_finished_once(store, plan)


@pytest.mark.slow
def test_a_run_that_was_asked_to_stop_is_not_asked_again(store: Store, plan: Plan) -> None:
    asked: list[str] = []

    def stop_one_by_hand() -> bool:
        running = [cell.run_id for cell in planned_runs.status(store, plan) if cell.state == State.RUNNING]
        if len(running) == 2 and not asked:
            wait_for(lambda: all(ev.Step in kinds(store, run_id) for run_id in running))
            asked.append(running[0])
            assert not stopping.was_asked_to_stop(store, running[0])
            stopping.stop(store, running[0])
            assert [stopping.was_asked_to_stop(store, run_id) for run_id in running] == [True, False]
        return bool(asked)

    work(store, plan, "endless", parallel=2, should_stop=stop_one_by_hand)
    logs = [store.log_tail(cell.run_id) for cell in planned_runs.status(store, plan) if cell.state == State.STOPPED]
    assert [log.count("asked to stop") for log in logs] == [1, 1]


def test_two_workers_do_not_fight(store: Store, plan: Plan) -> None:
    descriptor = take_lock(study_files.make_folder(store, plan.name))
    try:
        assert orders.has_worker(store, plan.name)
        with pytest.raises(RunBusyError, match="already being worked through"):
            work(store, plan)
        assert not study_worker.start_worker(store, plan.name)
    finally:
        os.close(descriptor)
    assert not orders.has_worker(store, plan.name)


def test_a_detached_worker_is_given_the_folder_and_finds_the_order(store: Store, plan: Plan) -> None:
    tell = (sys.executable, "-c", "import sys; print(sys.argv[1:])")
    assert study_worker.start_worker(store, plan.name, parallel=2, command=tell)
    log = orders.log_path(store)
    wait_for(lambda: log.exists() and log.read_text().endswith("\n"))
    assert log.read_text().strip() == str(["--runs-dir", str(store.root.absolute())])
    assert [(order.study, order.parallel) for order in orders.active(store)] == [("report", 2)]
    assert not orders.has_worker(store, plan.name), "the one that was started has ended"


def test_the_log_of_a_worker_is_not_written_through_a_link(store: Store, plan: Plan, tmp_path: Path) -> None:
    orders.worker_folder(store)
    orders.log_path(store).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreError, match=r"worker\.log"):
        study_worker.start_worker(store, plan.name, command=(sys.executable, "-c", "print()"))
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.slow
@pytest.mark.parametrize("parallel", [1, 2])
def test_killing_worker_and_trainers_at_any_moment_ends_with_each_cell_once(
    store: Store, plan: Plan, parallel: int
) -> None:
    chance = random.Random(parallel)
    for life in range(8):
        worker = spawn_worker(store, plan, "slow", parallel)
        time.sleep(0.4 * chance.random())  # Any moment: making runs, starting, training.
        worker.send_signal(signal.SIGKILL)
        worker.wait()
        if life % 2:
            for run_id in store.ids():
                owner = store.owner(run_id) if store.is_locked(run_id) else None
                if owner is not None and owner.pid > 1:
                    with contextlib.suppress(ProcessLookupError):  # It ended meanwhile.
                        os.kill(owner.pid, signal.SIGKILL)
    assert not orders.has_worker(store, plan.name)
    worker = spawn_worker(store, plan, "normal", parallel)
    assert worker.wait(60) == 0
    assert_each_cell_finished_once(store, plan)
    ledger = bookkeeping.read(store, plan)
    assert (ledger.problems, ledger.is_rebuilt) == ((), False)
    finished = [entry.cell for entry in ledger.entries if entry.is_finish]
    assert finished == [0, 1, 2, 3] if parallel == 1 else set(finished) == {0, 1, 2, 3}


def remove_plan(store: Store) -> None:
    (store.root / "studies" / "report.json").unlink()


def remove_study(store: Store) -> None:
    remove_plan(store)
    shutil.rmtree(store.root / "studies" / "report")


def plan_anew(store: Store) -> None:
    remove_study(store)
    planning.plan_variants(store, "report", variants=["tanh"], seeds=[7], overrides=QUICK)


def acting(said: list[str], act: Callable[[], object]) -> Callable[[], bool]:
    """What a worker polls: it acts once, when the first run was started."""
    acts = iter([act])

    def poll() -> bool:
        if said and (now := next(acts, None)):
            now()
        return False

    return poll


@pytest.mark.parametrize("remove", [remove_plan, remove_study])
def test_a_study_that_is_removed_while_it_trains_is_given_up(
    store: Store, plan: Plan, remove: Callable[[Store], None]
) -> None:
    said: list[str] = []
    place_orders(store, plan)
    serve(store, say=said.append, should_stop=acting(said, lambda: remove(store)))
    started, given_up = said
    assert started.startswith("study report: baseline seed 0: started")
    assert "study report: given up" in given_up
    assert "there is no study 'report'" in given_up
    assert sum(store.reader(run_id).read_new() != [] for run_id in store.ids()) <= 1
    assert (store.root / "studies" / "report").exists() is (remove is remove_plan), "it is not made anew"


def test_a_command_whose_study_is_removed_says_so(store: Store, plan: Plan) -> None:
    said: list[str] = []
    with pytest.raises(RunNotFoundError, match="there is no study 'report'"):
        work(store, plan, say=said.append, should_stop=acting(said, lambda: remove_study(store)))
    assert not (store.root / "studies" / "report").exists()


def test_a_study_that_is_planned_anew_under_its_name_is_trained_as_it_is_planned_now(store: Store, plan: Plan) -> None:
    said: list[str] = []
    place_orders(store, plan)
    serve(store, say=said.append, should_stop=acting(said, lambda: plan_anew(store)))
    now = load_plan(store, "report")
    assert [cell.state for cell in planned_runs.status(store, now)] == ["finished"]
    with pytest.raises(StoreError, match="another study of this name"):
        bookkeeping.update(store, plan)
    noted = {entry.run for entry in bookkeeping.read(store, now).entries if entry.run}
    assert noted == {planned_runs.status(store, now)[0].run_id}
