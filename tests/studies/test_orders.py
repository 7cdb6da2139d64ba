"""Several studies and commands in one runs folder: who starts which runs, and in which order."""

import json
import sys
from pathlib import Path

import msgspec
import pytest
from cli_caller import Run
from fake_work import assert_each_cell_finished_once, kinds, place_orders, serve, spawn, spawn_worker, states, work
from waiting import wait_for

from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.errors import DatasetError
from alexnet_tui.launch import seal
from alexnet_tui.launch.engine import Launch
from alexnet_tui.runs import events as ev
from alexnet_tui.runs.run_files import LOG_FILE
from alexnet_tui.runs.store import Store
from alexnet_tui.studies import orders, planned_runs, planning, study_files, study_queue
from alexnet_tui.studies import worker as study_worker
from alexnet_tui.studies.plan import Plan

pytestmark = pytest.mark.usefixtures("forked")


def test_one_worker_serves_every_order_of_the_folder_in_order(store: Store, plan: Plan) -> None:
    queued = [planning.queue_plan(store, [RunConfig(epochs=2, seed=seed)]) for seed in (9, 8)]
    place_orders(store, queued[0], plan, queued[1])
    said: list[str] = []
    serve(store, say=said.append)
    started = [sentence.split(":")[0] for sentence in said if "started as" in sentence]
    assert started == [f"study {one.name}" for one in (queued[0], *[plan] * 4, queued[1])]
    assert orders.active(store) == []
    assert_each_cell_finished_once(store, plan)


def test_attack_14_a_command_in_an_order_that_somebody_else_wrote_is_not_run(
    store: Store, plan: Plan, tmp_path: Path
) -> None:
    theirs = planning.queue_plan(store, [RunConfig(epochs=2)])
    launch = Launch(launcher="command", options={"template": [f"touch {tmp_path}/executed {{cmd}}"]})
    forged = {"study": theirs.name, "parallel": 9, "seal": seal.seal("another", launch)}
    orders.worker_folder(store)
    study_files.write_json(orders.orders_path(store), {"orders": [{**forged, "launch": msgspec.to_builtins(launch)}]})
    assert orders.active(store) == []
    said: list[str] = []
    work(store, plan, say=said.append)
    serve(store, say=said.append)
    assert_each_cell_finished_once(store, plan)
    assert states(store, theirs) == ["planned"]
    assert not (tmp_path / "executed").exists()
    assert sum("not served" in sentence and f"study run {theirs.name}" in sentence for sentence in said) == 2
    study_files.write_json(orders.orders_path(store), {"orders": [{"study": theirs.name}]})
    serve(store, say=said.append)
    assert states(store, theirs) == ["planned"], "not on this machine either"
    orders.place(store, orders.Order(study=theirs.name, launch=launch))
    assert [one.study for one in orders.active(store)] == [theirs.name], "this user's own is served"


def test_an_order_placed_while_a_worker_is_at_work_needs_no_other(store: Store, plan: Plan) -> None:
    younger = planning.queue_plan(store, [RunConfig(epochs=2, seed=9)])
    place_orders(store, plan)
    refused = (sys.executable, "-c", "raise SystemExit('a second worker')")
    placed: list[bool] = []

    def once_training() -> bool:
        if not placed and any(store.is_locked(run_id) for run_id in store.ids()):
            placed.append(study_worker.start_worker(store, younger.name, command=refused))
        return False

    serve(store, should_stop=once_training)
    assert placed == [True]
    assert states(store, younger) == ["finished"]
    assert not orders.log_path(store).exists()


def test_a_second_worker_leaves(store: Store, plan: Plan) -> None:
    place_orders(store, plan)
    service = study_worker.take_service(store)
    assert service is not None
    with service:
        serve(store)
        assert states(store, plan) == ["planned"] * 4
        assert orders.has_worker(store, plan.name)
    serve(store)
    assert_each_cell_finished_once(store, plan)


@pytest.mark.slow
def test_an_older_study_goes_first(store: Store, plan: Plan) -> None:
    younger = planning.queue_plan(store, [RunConfig(epochs=2, seed=9)])
    worker = spawn_worker(store, plan, "slow")
    wait_for(lambda: orders.is_folder_served(store) and orders.is_ordered(store, plan.name))
    work(store, younger)
    assert states(store, plan) == ["finished"] * 4
    assert states(store, younger) == ["finished"]
    assert worker.wait(90) == 0


@pytest.mark.slow
def test_a_foreground_command_and_the_background_worker_start_no_run_twice(store: Store, plan: Plan) -> None:
    younger = planning.queue_plan(store, [RunConfig(epochs=15, seed=9)])  # Three seconds, until it is asked too.
    place_orders(store, younger)
    worker = spawn(store, "study_worker.serve(store, command=fake_trainer.command('slow'), poll_seconds=0.02)")
    wait_for(lambda: orders.has_worker(store, younger.name))
    said: list[str] = []
    work(store, plan, say=said.append)
    assert worker.wait(90) == 0
    assert "another process starts the runs" in said[0]
    assert_each_cell_finished_once(store, plan)
    for run_id in store.ids():
        assert kinds(store, run_id)[ev.Started] == 1


@pytest.mark.slow
def test_a_command_goes_on_where_the_worker_that_served_it_is_killed(store: Store, plan: Plan) -> None:
    younger = planning.queue_plan(store, [RunConfig(epochs=2, seed=9)])
    place_orders(store, younger)
    worker = spawn(store, "study_worker.serve(store, command=fake_trainer.command('slow'), poll_seconds=0.02)")
    wait_for(lambda: orders.has_worker(store, younger.name))
    killed: list[int] = []

    def kill_once() -> bool:
        if not killed and any(kinds(store, run_id)[ev.Step] for run_id in store.ids()):
            worker.kill()
            killed.append(worker.wait())
        return False

    work(store, plan, should_stop=kill_once)
    assert killed
    assert_each_cell_finished_once(store, plan)
    assert states(store, younger) == ["finished"], "it was ordered before"


def test_a_command_that_ends_hands_the_other_orders_to_a_worker(store: Store, plan: Plan) -> None:
    younger = planning.queue_plan(store, [RunConfig(epochs=2, seed=9)])
    study_queue.toggle_pause(store, younger.name)
    place_orders(store, younger)
    tell = (sys.executable, "-c", "print('at your service')")
    work(store, plan, successor=tell)
    log = orders.log_path(store)
    wait_for(lambda: log.exists() and log.read_text() == "at your service\n")


def test_an_order_of_a_command_that_was_killed_is_void(store: Store, plan: Plan) -> None:
    worker = spawn_worker(store, plan, "slow")
    wait_for(lambda: orders.is_ordered(store, plan.name))
    worker.kill()
    worker.wait()
    wait_for(lambda: not orders.is_ordered(store, plan.name))  # A child just forked holds the lock for a moment.
    younger = planning.queue_plan(store, [RunConfig(epochs=2, seed=9)])
    work(store, younger)
    assert "finished" not in states(store, plan)[1:]


def test_a_worker_that_is_asked_to_stop_gives_its_orders_up(store: Store, plan: Plan) -> None:
    place_orders(store, plan)
    serve(store, "endless", should_stop=lambda: any(kinds(store, run_id)[ev.Step] for run_id in store.ids()))
    assert states(store, plan) == ["stopped", "queued", "queued", "queued"]
    assert orders.active(store) == []


def test_why_a_study_was_given_up_is_kept_whole_until_it_is_ordered_again(store: Store, plan: Plan, run: Run) -> None:
    reason = "its archive could not be downloaded (" + "name or service not known, " * 12 + "the end)."

    def prepare(config: RunConfig) -> None:
        raise DatasetError(config.data, reason)

    place_orders(store, plan)
    serve(store, prepare=prepare)
    assert orders.active(store) == []
    assert reason in study_queue.load(store, plan.name).given_up
    assert reason in run("study", "status", plan.name).err
    assert reason in json.loads(run("study", "status", plan.name, "--json").out)["given_up"]
    assert "given up" in run("study", "list").out
    work(store, plan)
    assert study_queue.load(store, plan.name).given_up == ""
    assert states(store, plan) == ["finished"] * 4


def test_a_study_whose_runs_cannot_be_started_keeps_the_reason(store: Store, plan: Plan) -> None:
    run_ids = planned_runs.prepare(store, plan)
    for run_id in run_ids:
        (store.path(run_id) / LOG_FILE).mkdir()
    place_orders(store, plan)
    serve(store)
    assert LOG_FILE in study_queue.load(store, plan.name).given_up
    assert states(store, plan) == ["queued"] * 4
