"""Which run serves which cell of a plan, and the state of each."""

import contextlib
import functools
import shutil

import fake_trainer
import pytest
from fake_runs import open_writer, started
from fake_work import place_orders, serve, states, work

from alexnet_tui.analysis.selection import select_runs
from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.launch import local, stopping
from alexnet_tui.launch.engine import StartOptions
from alexnet_tui.runs import events as ev
from alexnet_tui.runs.follow import load
from alexnet_tui.runs.store import Store
from alexnet_tui.studies import bookkeeping, planned_runs, planning, study_files
from alexnet_tui.studies import worker as study_worker
from alexnet_tui.studies.plan import Plan

pytestmark = pytest.mark.usefixtures("forked")


def test_runs_are_made_once_however_often_one_asks(store: Store, plan: Plan) -> None:
    first = planned_runs.prepare(store, plan)
    assert planned_runs.prepare(store, plan) == first
    assert sorted(store.ids()) == sorted(first)
    assert states(store, plan) == ["queued"] * 4
    (store.root / "studies" / "report" / "cells.json").unlink()  # As after a crash before it was written.
    assert planned_runs.prepare(store, plan) == first


def made_lines(store: Store, plan: Plan) -> list[tuple[int | None, str]]:
    entries = bookkeeping.read(store, plan).entries
    return [(entry.cell, entry.run) for entry in entries if entry.kind == "made"]


def test_the_ledger_names_each_run_once_wherever_the_making_of_runs_was_cut_off(store: Store, plan: Plan) -> None:
    planned = [
        store.create(plan.configs[cell], study=plan.name, plan_sha256=plan.sha256).id for cell in (0, 2)
    ]  # As after a crash before the ledger was written.
    first = planned_runs.prepare(store, plan)
    assert [first[0], first[2]] == planned
    assert made_lines(store, plan) == list(enumerate(first))
    (store.root / "studies" / "report" / "cells.json").unlink()
    assert planned_runs.prepare(store, plan) == first
    assert made_lines(store, plan) == list(enumerate(first))


def remove_behind_our_back(store: Store, *run_ids: str) -> None:
    for run_id in run_ids:
        shutil.rmtree(store.root / run_id)


def test_a_run_that_is_gone_with_the_list_of_cells_is_not_made_anew(store: Store, plan: Plan) -> None:
    first = planned_runs.prepare(store, plan)
    remove_behind_our_back(store, first[1])
    (store.root / "studies" / "report" / "cells.json").unlink()
    assert states(store, plan) == ["queued", "deleted", "queued", "queued"]
    assert [cell.state for cell in work(store, plan)] == ["finished", "deleted", "finished", "finished"]
    assert planned_runs.prepare(store, plan) == first
    account = bookkeeping.account(bookkeeping.read(store, plan))
    assert account.deleted == {first[1]: "found missing"}
    assert account.counted == {cell: first[cell] for cell in (0, 2, 3)}


def test_of_several_runs_of_a_cell_the_first_that_finished_serves_it(store: Store, plan: Plan) -> None:
    gone, *_ = planned_runs.prepare(store, plan)
    remove_behind_our_back(store, gone)
    first, second = (
        store.create(plan.configs[0], study=plan.name, plan_sha256=plan.sha256, label=label).id for label in "ab"
    )
    with contextlib.ExitStack() as stack:
        for run_id in (second, first):
            writer = stack.enter_context(open_writer(store.path(run_id)))
            writer.write(started(plan.configs[0]))
            writer.write(ev.Finished(epoch=2, step=2, train_seconds=1.0, elapsed_seconds=1.0))
            bookkeeping.update(store, plan)
    (store.root / "studies" / "report" / "cells.json").unlink()
    assert planned_runs.status(store, plan)[0].run_id == second
    remove_behind_our_back(store, second)
    assert (planned_runs.status(store, plan)[0].run_id, states(store, plan)[0]) == (second, "deleted")


def test_runs_whose_lines_were_lost_get_them_though_the_list_of_cells_is_whole(store: Store, plan: Plan) -> None:
    first = planned_runs.prepare(store, plan)
    ledger = store.root / "studies" / "report" / "ledger.jsonl"
    ledger.write_bytes(ledger.read_bytes().splitlines(keepends=True)[0])
    remove_behind_our_back(store, first[3])
    planned_runs.prepare(store, plan)
    assert made_lines(store, plan) == list(enumerate(first))
    assert bookkeeping.account(bookkeeping.read(store, plan)).deleted == {first[3]: "found missing"}


def test_a_cell_that_names_the_run_of_another_cell_writes_nothing_into_the_ledger(store: Store, plan: Plan) -> None:
    run_ids = planned_runs.prepare(store, plan)
    mine = store.create(RunConfig(epochs=50)).id
    swapped = {"0": mine, "1": run_ids[2], "2": run_ids[1], "3": run_ids[3]}
    study_files.write_json(store.root / "studies" / "report" / "cells.json", swapped)
    assert [cell.state for cell in work(store, plan)] == ["unreadable"] * 3 + ["finished"]
    assert made_lines(store, plan) == list(enumerate(run_ids))
    (store.root / "studies" / "report" / "cells.json").unlink()
    assert [cell.state for cell in work(store, plan)] == ["finished"] * 4
    account = bookkeeping.account(bookkeeping.read(store, plan))
    assert (account.counted, account.repeated) == (dict(enumerate(run_ids)), {})


def test_runs_of_an_earlier_plan_of_the_name_serve_no_cell_of_a_new_one(store: Store) -> None:
    def plan_anew() -> Plan:
        return planning.plan_variants(store, "mine", variants=["tanh"], seeds=[0], overrides={"epochs": "2"})

    old = planned_runs.prepare(store, plan_anew())
    (store.root / "studies" / "mine.json").unlink()
    plan = plan_anew()
    assert states(store, plan) == ["planned"]
    new = planned_runs.prepare(store, plan)
    assert set(new).isdisjoint(old)
    assert list(bookkeeping.account(bookkeeping.read(store, plan)).counted) == []
    assert [cell.run_id for cell in planned_runs.status(store, plan)] == new


@pytest.mark.parametrize("content", ['{"x": "a", "²": "b", "-1": "c", "9": "d"}', "{}"])
def test_cells_that_are_not_of_the_plan_count_for_nothing(store: Store, plan: Plan, content: str) -> None:
    run_ids = planned_runs.prepare(store, plan)
    (store.root / "studies" / "report" / "cells.json").write_text(content)
    assert planned_runs.prepare(store, plan) == run_ids


@pytest.mark.slow
def test_attack_12_a_cell_that_names_the_run_of_somebody_else_stops_nothing(store: Store, plan: Plan) -> None:
    mine = store.create(RunConfig(epochs=50)).id
    run_ids = planned_runs.prepare(store, plan)
    study_files.write_json(store.root / "studies" / "report" / "cells.json", {"0": mine, "1": run_ids[1]})
    cell = planned_runs.status(store, plan)[0]
    assert (cell.state, cell.run_id, mine in cell.reason) == ("unreadable", "", True)
    local.start(store, mine, StartOptions(command=fake_trainer.command("endless")))
    try:
        asked = iter([False] * 30)
        serve_order = functools.partial(serve, should_stop=lambda: next(asked, True))
        place_orders(store, plan)
        serve_order(store)
        study_worker.withdraw(store, plan, lambda _: None)
        assert store.is_locked(mine)
    finally:
        stopping.kill(store, mine)
    assert load(store, mine)[0].attempts == 1


def test_reference_runs_of_a_study_of_the_same_name_are_not_its_own(store: Store, plan: Plan) -> None:
    made = Store(store.root / "reference").create(plan.configs[0], study=plan.name).id
    (store.root / "reference" / made).rename(store.root / "reference" / "baseline-elsewhere")
    assert states(store, plan) == ["planned"] * 4
    run_ids = planned_runs.prepare(store, plan)
    assert "baseline-elsewhere" not in run_ids
    assert sorted(select_runs(store, [plan.name]).states) == sorted(run_ids)


@pytest.mark.parametrize(("reason", "needs_training"), [("diverged", False), ("data_count", False), ("oom", True)])
def test_what_a_resume_cannot_mend_needs_no_training(
    store: Store, plan: Plan, reason: str, needs_training: bool
) -> None:
    first, *_ = planned_runs.prepare(store, plan)
    with open_writer(store.path(first)) as writer:
        writer.write(started(plan.configs[0]))
        writer.write(ev.Failed(reason=reason, message="why"))
    assert planned_runs.status(store, plan)[0].needs_training is needs_training


def damage_first_run(store: Store, plan: Plan) -> str:
    run_id = planned_runs.prepare(store, plan)[0]
    (store.path(run_id) / "run.json").write_text("{")
    return run_id


def test_one_damaged_run_does_not_hide_the_others(store: Store, plan: Plan) -> None:
    run_id = damage_first_run(store, plan)
    cell, *others = planned_runs.status(store, plan)
    assert (cell.run_id, cell.state, cell.needs_training) == (run_id, "unreadable", False)
    assert cell.reason.startswith("the run's record cannot be read")
    assert [other.state for other in others] == ["queued"] * 3
    found = select_runs(store, ["report"])
    assert [(one.config, one.reason) for one in found.missing] == [(plan.configs[0], "unreadable")]
    assert len(found.histories) == 3


def test_a_damaged_run_is_left_alone_and_the_others_trained(store: Store, plan: Plan) -> None:
    damage_first_run(store, plan)
    cells = work(store, plan)
    assert [cell.state for cell in cells] == ["unreadable"] + ["finished"] * 3


def test_a_deleted_run_is_not_replaced_in_silence(store: Store, plan: Plan) -> None:
    work(store, plan)
    gone = planned_runs.status(store, plan)[2].run_id
    store.delete(gone)
    work(store, plan)
    assert states(store, plan) == ["finished", "finished", "deleted", "finished"]
    cells = planned_runs.status(store, plan)
    assert planned_runs.deleted_text(cells, "extend it").startswith("1 run was deleted and is not trained again: `ext")
    assert planned_runs.deleted_text(cells[:2], "extend it") == ""
    assert planned_runs.status(store, plan)[2].run_id == gone
