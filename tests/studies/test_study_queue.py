"""The queue of a study: its order, what is cancelled, and pauses."""

import itertools
import os
import re

import fake_trainer
import pytest
from cli_caller import Run
from fake_work import assert_each_cell_finished_once, kinds, place_orders, serve, states, work
from waiting import wait_for

from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.locks import take_lock
from alexnet_tui.runs.state import State
from alexnet_tui.runs.store import Store
from alexnet_tui.studies import orders, planned_runs, planning, scheduler, study_queue
from alexnet_tui.studies.plan import Plan

pytestmark = pytest.mark.usefixtures("forked")


def test_the_queue_can_be_reordered_and_cells_cancelled(store: Store, plan: Plan) -> None:
    study_queue.shift(store, "report", range(4), 3, -3)
    study_queue.cancel(store, "report", 1)
    started: list[str] = []
    work(store, plan, say=started.append)
    assert states(store, plan) == ["finished", "cancelled", "finished", "finished"]
    assert "tanh seed 1: started" in started[0]
    study_queue.cancel(store, "report", 1, is_cancelled=False)
    work(store, plan)
    assert_each_cell_finished_once(store, plan)


def test_a_change_between_choosing_and_starting_counts(store: Store, plan: Plan) -> None:
    planned_runs.prepare(store, plan)
    chosen = planned_runs.status(store, plan)
    said: list[str] = []

    of_folder = scheduler.Scheduler(store, command=fake_trainer.command("normal"), say=said.append, own=plan.name)
    session = scheduler._Session(orders.Order(study=plan.name), plan, [cell.run_id for cell in chosen])

    def start() -> bool:
        return of_folder._start_next(session, chosen)

    for index in (2, 3):
        study_queue.shift(store, plan.name, range(4), index, -3)
    study_queue.cancel(store, plan.name, 3)
    assert start()
    assert said == [f"baseline seed 1: started as {chosen[2].run_id}"]
    for cell in chosen:
        study_queue.cancel(store, plan.name, cell.index)
    wait_for(lambda: states(store, plan)[2] == "finished")
    assert not start()


def test_a_failed_cell_that_was_cancelled_is_left_alone(store: Store, plan: Plan) -> None:
    work(store, plan, "no-device")
    study_queue.cancel(store, plan.name, 1)
    work(store, plan)
    assert states(store, plan) == ["finished", "failed", "finished", "finished"]


def test_a_cell_is_shifted_among_those_that_wait(store: Store, plan: Plan) -> None:
    for step, order in (
        (1, [0, 2, 1, 3]),
        (1, [0, 2, 3, 1]),
        (5, [0, 2, 3, 1]),
        (-2, [0, 1, 2, 3]),
        (-9, [1, 0, 2, 3]),
    ):
        study_queue.shift(store, plan.name, [0, 1, 2, 3], 1, step)
        assert study_queue.load(store, plan.name).order == order
    study_queue.shift(store, plan.name, [2, 3], 3, -1)
    assert study_queue.load(store, plan.name).order == [3, 2, 1, 0], "cells that do not wait come last"


def test_a_paused_queue_starts_nothing_until_it_goes_on(store: Store, plan: Plan) -> None:
    looks: list[int] = []

    def go_on_later() -> bool:
        if not looks:
            study_queue.toggle_pause(store, "report")
        looks.append(len([run_id for run_id in store.ids() if kinds(store, run_id)]))
        if len(looks) == 10:
            assert looks == [0] * 10
            study_queue.toggle_pause(store, "report")
        return False

    work(store, plan, should_stop=go_on_later)
    assert_each_cell_finished_once(store, plan)


def test_a_paused_study_holds_nobody_up(store: Store, plan: Plan) -> None:
    younger = planning.queue_plan(store, [RunConfig(epochs=2, seed=9)])
    place_orders(store, plan, younger)
    study_queue.toggle_pause(store, plan.name)
    serve(store, should_stop=lambda: states(store, younger) == ["finished"])
    assert states(store, plan) == ["queued"] * 4


def test_of_a_study_whose_runs_have_all_ended_nothing_can_be_cancelled(store: Store, plan: Plan, run: Run) -> None:
    work(store, plan)
    refused = run("study", "cancel", plan.name)
    assert (refused.code, "there is nothing to cancel" in refused.err) == (2, True)


@pytest.mark.parametrize("is_cancelled", [False, True])
def test_a_study_that_was_paused_goes_on_when_it_is_ordered_again(
    store: Store, plan: Plan, run: Run, is_cancelled: bool
) -> None:
    study_queue.toggle_pause(store, plan.name)
    if is_cancelled:
        place_orders(store, plan)
        assert f"alexnet-tui study run {plan.name}" in run("study", "cancel", plan.name).err
    looks = itertools.count()
    cells = work(store, plan, should_stop=lambda: not store.ids() and next(looks) > 20)
    assert {cell.state for cell in cells} == {State.FINISHED}
    assert not study_queue.load(store, plan.name).is_paused


def test_a_paused_study_is_called_paused_and_what_ends_it_is_named(store: Store, plan: Plan, run: Run) -> None:
    place_orders(store, plan)
    study_queue.toggle_pause(store, plan.name)
    lock = take_lock(orders.worker_folder(store))  # As if a worker served the folder.
    try:
        assert re.search(r"paused\s*$", run("study", "list").out.rstrip())
        status = run("study", "status", plan.name).err
        assert "; paused, nothing more is started." in status
        assert f"alexnet-tui study cancel {plan.name}" in status
        younger = planning.queue_plan(store, [RunConfig(epochs=2, seed=9)])
        said: list[str] = []
        work(store, younger, say=said.append, should_stop=lambda: bool(said))
        assert f"behind {plan.name} (`alexnet-tui study cancel {plan.name}" in said[0]
    finally:
        os.close(lock)
