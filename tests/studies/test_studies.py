"""Studies: the plan, and a queue worker that may be killed at any moment."""

import contextlib
import functools
import hashlib
import itertools
import json
import os
import random
import re
import signal
import sys
import textwrap
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import fake_trainer
import msgspec
import pytest
from cli_caller import Run
from fake_runs import curve, open_writer, started
from fork_server import Forked
from waiting import wait_for

from alexnet_tui.analysis.selection import select_runs
from alexnet_tui.config.claims import RULES_VERSION
from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.errors import (
    ConfigError,
    DatasetError,
    LaunchError,
    RunBusyError,
    RunNotFoundError,
    StoreError,
    UsageError,
)
from alexnet_tui.files import FULL_DISK, write_atomic
from alexnet_tui.launch import local, seal, stopping
from alexnet_tui.launch.engine import Launch, StartOptions
from alexnet_tui.locks import take_lock
from alexnet_tui.runs import events as ev
from alexnet_tui.runs.follow import RunCache, load
from alexnet_tui.runs.run_files import LOG_FILE
from alexnet_tui.runs.state import State
from alexnet_tui.runs.store import Store
from alexnet_tui.studies import bookkeeping, orders, planned_runs, planning, scheduler, study_files, study_queue
from alexnet_tui.studies import worker as study_worker
from alexnet_tui.studies.plan import Plan, load_plan, plan_hash
from alexnet_tui.studies.planned_runs import PlannedRun

pytestmark = pytest.mark.usefixtures("forked")
QUICK = {"epochs": "2", "data": "synthetic"}


@pytest.fixture
def plan(store: Store) -> Iterator[Plan]:
    plan = planning.plan_variants(store, "report", variants=["baseline", "tanh"], seeds=[0, 1], overrides=QUICK)
    yield plan
    for run_id in store.ids():
        with contextlib.suppress(LaunchError):  # It left by itself meanwhile.
            stopping.kill(store, run_id)


def test_a_plan_registers_its_claims_under_a_hash_that_anyone_can_recompute(store: Store, plan: Plan) -> None:
    content = json.loads((store.root / "studies" / "report.json").read_text())
    assert [claim["metric"] for claim in content["claims"]] == ["gap", "t25", "final_test"]
    assert (content["rules"], content["alpha"]) == (RULES_VERSION, 0.05)
    assert content["groups"] == {"baseline": {}, "tanh": {"activation": "tanh"}}
    rest = {name: value for name, value in content.items() if name != "sha256"}
    canonical = json.dumps(rest, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    assert content["sha256"] == plan.sha256 == hashlib.sha256(canonical).hexdigest() == plan_hash(content)
    content["claims"][2]["smallest_effect"] = 0.1
    assert plan_hash(content) != plan.sha256
    assert {store.record(one).plan_sha256 for one in planned_runs.prepare(store, plan)} == {plan.sha256}


def test_plans_of_the_first_version_stay_readable(store: Store, plan: Plan) -> None:
    path = store.root / "studies" / "report.json"
    content = json.loads(path.read_text())
    old = {name: content[name] for name in ("name", "created", "variants", "seeds", "configs", "protocol")}
    path.write_text(json.dumps({**old, "v": 1}))
    found = load_plan(store, "report")
    assert (found.configs, found.claims, found.rules, found.sha256) == (plan.configs, [], 0, "")


def work(store: Store, plan: Plan, script: str = "normal", **options: object) -> list[PlannedRun]:
    command = fake_trainer.command(script)
    return study_worker.work(store, plan, command=command, poll_seconds=0.02, **options)  # type: ignore[arg-type]


def states(store: Store, plan: Plan) -> list[str]:
    return [cell.state for cell in planned_runs.status(store, plan)]


def kinds(store: Store, run_id: str) -> Counter[type]:
    return Counter(type(event) for event in store.reader(run_id).read_new())


def assert_each_cell_finished_once(store: Store, plan: Plan) -> None:
    cells = planned_runs.status(store, plan)
    assert {cell.state for cell in cells} == {"finished"}
    assert len({cell.run_id for cell in cells}) == len(plan.configs)
    mine = [record for record in store.list().runs if record.study == plan.name]
    assert len(mine) == len(plan.configs)
    assert sorted(str(record.config) for record in mine) == sorted(map(str, plan.configs))
    for record in mine:
        assert kinds(store, record.id)[ev.Finished] == 1
        epochs = load(store, record.id)[0].epochs["epoch"]
        assert list(epochs) == [1, 2]


def spawn_worker(store: Store, plan: Plan, script: str, parallel: int = 1) -> Forked:
    """A worker in a process of its own, to be killed."""
    return spawn(
        store,
        f"study_worker.work(store, load_plan(store, {plan.name!r}), parallel={parallel},"
        f" command=fake_trainer.command({script!r}), poll_seconds=0.02)",
    )


def spawn(store: Store, statement: str) -> Forked:
    code = textwrap.dedent(
        f"""
        import sys
        sys.path[:0] = {fake_trainer.SEARCH_PATH}
        from pathlib import Path
        import fake_trainer
        from alexnet_tui.studies import planning, study_files
        from alexnet_tui.studies import worker as study_worker
        from alexnet_tui.studies.plan import load_plan
        from alexnet_tui.runs.store import Store
        store = Store(Path({str(store.root)!r}))
        {statement}
        """
    )
    return Forked([sys.executable, "-c", code])


# ----------------------------------------------------------------------- plan


def test_a_plan_is_variants_by_seeds_and_reads_back(store: Store, plan: Plan) -> None:
    assert [(config.variant, config.seed) for config in plan.configs] == [
        ("baseline", 0),
        ("tanh", 0),
        ("baseline", 1),
        ("tanh", 1),
    ]
    assert {config.epochs for config in plan.configs} == {2}
    assert plan.configs[1].activation == "tanh"
    assert load_plan(store, "report") == plan
    assert study_files.names(store) == ["report"]
    assert states(store, plan) == ["planned"] * 4
    assert store.ids() == []


def test_a_plan_is_written_once(store: Store, plan: Plan) -> None:
    with pytest.raises(UsageError, match="plans do not change"):
        planning.plan_variants(store, "report", variants=["tanh"], seeds=[0])
    assert load_plan(store, "report") == plan


@pytest.mark.parametrize("name", ["", "../x", "A", "a b", "x" * 65, "-x"])
def test_names_that_are_no_names_are_refused(store: Store, name: str) -> None:
    with pytest.raises(UsageError, match="no name for a study"):
        planning.plan_variants(store, name, variants=["tanh"], seeds=[0])
    with pytest.raises(RunNotFoundError):
        load_plan(store, name)


@pytest.mark.parametrize("word", ["reference", "last", "baseline", "four-conv"])
def test_a_word_for_other_runs_is_no_name_of_a_new_study(store: Store, word: str) -> None:
    with pytest.raises(UsageError, match=f"'{word}' stands for .*; choose another name"):
        planning.plan_variants(store, word, variants=["tanh"], seeds=[0])
    assert study_files.names(store) == []


def test_plans_without_sense_are_refused(store: Store) -> None:
    with pytest.raises(ConfigError, match="did you mean tanh"):
        planning.plan_variants(store, "x", variants=["tahn"], seeds=[0])
    with pytest.raises(ConfigError, match="epochs"):
        planning.plan_variants(store, "x", variants=["tanh"], seeds=[0], overrides={"epochs": "0"})
    with pytest.raises(UsageError, match="each variant and seed once"):
        planning.plan_variants(store, "x", variants=["tanh"], seeds=[0, 0])
    with pytest.raises(UsageError, match="not 0"):
        planning.plan_variants(store, "x", variants=["tanh"], seeds=[])
    assert study_files.names(store) == []


@pytest.mark.parametrize("created", [-1e308, 1e300, "now"])
def test_a_plan_of_no_time_is_a_sentence(store: Store, plan: Plan, created: object) -> None:
    forge_plan(store, created=created)
    with pytest.raises(StoreError, match="cannot be read"):
        load_plan(store, "report")


@pytest.mark.parametrize("content", [b"{}", b"nonsense", b"[" * 100_000])
def test_a_damaged_plan_is_a_sentence(store: Store, plan: Plan, content: bytes) -> None:
    (store.root / "studies" / "report.json").write_bytes(content)
    with pytest.raises(StoreError, match="cannot be read"):
        load_plan(store, "report")


def test_a_forged_name_in_a_plan_leads_nowhere(store: Store, plan: Plan) -> None:
    path = store.root / "studies" / "report.json"
    path.write_text(path.read_text().replace('"name": "report"', '"name": "../../elsewhere"'))
    forged = load_plan(store, "report")
    assert forged == plan
    study_queue.toggle_pause(store, forged.name)
    assert not (store.root.parent / "elsewhere").exists()


def test_a_study_whose_state_lies_elsewhere_is_refused(store: Store, plan: Plan, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    (store.root / "studies" / "report").rename(elsewhere)
    (store.root / "studies" / "report").symlink_to(elsewhere)
    with pytest.raises(StoreError, match="this is a link"):
        load_plan(store, "report")
    with pytest.raises(StoreError, match="this is a link"):
        planned_runs.prepare(store, plan)
    assert [path.name for path in elsewhere.iterdir()] == ["ledger.jsonl"]


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


def test_a_damaged_older_study_holds_nobody_up(store: Store, plan: Plan) -> None:
    newer = planning.plan_variants(store, "newer", variants=["tanh"], seeds=[7], overrides=QUICK)
    lock = take_lock(study_files.make_folder(store, "report"))  # As if a worker were at work on it.
    (store.root / "studies" / "report.json").write_text("{")
    assert [cell.state for cell in work(store, newer)] == ["finished"]
    os.close(lock)


def test_the_consoles_queue_names_its_plans(store: Store) -> None:
    plans = [planning.queue_plan(store, [RunConfig(seed=seed)]) for seed in range(3)]
    assert len({plan.name for plan in plans}) == 3
    assert study_files.names(store) == sorted(plan.name for plan in plans)


def test_runs_are_made_once_however_often_one_asks(store: Store, plan: Plan) -> None:
    first = planned_runs.prepare(store, plan)
    assert planned_runs.prepare(store, plan) == first
    assert sorted(store.ids()) == sorted(first)
    assert states(store, plan) == ["queued"] * 4
    (store.root / "studies" / "report" / "cells.json").unlink()  # As after a crash before it was written.
    assert planned_runs.prepare(store, plan) == first


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


def forge_plan(store: Store, **changes: object) -> None:
    path = store.root / "studies" / "report.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize(
    "changes", [{"configs": []}, {"configs": [{}] * 1001}, {"variants": ["baseline", "four-conv"]}, {"seeds": [0, 7]}]
)
def test_a_plan_that_contradicts_itself_is_refused(store: Store, plan: Plan, changes: dict[str, list[object]]) -> None:
    forge_plan(store, **changes)
    with pytest.raises(StoreError, match="no runs, too many, or others than its variants and seeds say"):
        load_plan(store, plan.name)


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
    local.start(store, mine, StartOptions(command=fake_trainer.command("slow")))
    try:
        asked = iter([False] * 30)
        serve_order = functools.partial(serve, should_stop=lambda: next(asked, True))
        order(store, plan)
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


# --------------------------------------------------------------------- worker


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


@pytest.mark.parametrize(("reason", "needs_training"), [("diverged", False), ("data_count", False), ("oom", True)])
def test_what_a_resume_cannot_mend_needs_no_training(
    store: Store, plan: Plan, reason: str, needs_training: bool
) -> None:
    first, *_ = planned_runs.prepare(store, plan)
    with open_writer(store.path(first)) as writer:
        writer.write(started(plan.configs[0]))
        writer.write(ev.Failed(reason=reason, message="why"))
    assert planned_runs.status(store, plan)[0].needs_training is needs_training


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


def test_stopping_the_worker_stops_its_runs_with_a_checkpoint(store: Store, plan: Plan) -> None:
    def once_training() -> bool:
        return any(kinds(store, run_id)[ev.Step] for run_id in store.ids())

    cells = work(store, plan, "slow", should_stop=once_training)
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

    work(store, plan, "counting", parallel=2, should_stop=stop_one_by_hand)
    logs = [store.log_tail(cell.run_id) for cell in planned_runs.status(store, plan) if cell.state == State.STOPPED]
    assert [log.count("asked to stop") for log in logs] == [1, 1]


def test_a_cache_reads_only_what_is_new(store: Store) -> None:
    cache, config = RunCache(store), RunConfig(epochs=3)
    run_id = store.create(config).id

    def look() -> tuple[int, State]:
        found = cache.find(run_id)
        assert found is not None
        return found[0].num_events, found[1]

    assert cache.find("nobody") is None
    assert look() == (0, State.QUEUED)
    lock = take_lock(store.path(run_id))
    with open_writer(store.path(run_id)) as writer:
        writer.write(started(config))
        writer.write(curve(1, 3))
        assert look() == (2, State.RUNNING)
        first = cache.find(run_id)
        writer.write(curve(2, 3))
        assert look() == (3, State.RUNNING)
        os.close(lock)
        assert look() == (3, State.LOST)
        writer.write(ev.Finished(epoch=3, step=30, train_seconds=1.0, elapsed_seconds=1.0))
    assert look() == (4, State.FINISHED)
    last = cache.find(run_id)
    assert first is not None
    assert last is not None
    assert last[0] is first[0]
    (store.path(run_id) / "events.jsonl").write_bytes(b"")
    assert look() == (0, State.QUEUED)
    store.delete(run_id)
    assert cache.find(run_id) is None


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


def serve(store: Store, script: str = "normal", **options: object) -> None:
    command = fake_trainer.command(script)
    study_worker.serve(store, command=command, poll_seconds=0.02, **options)  # type: ignore[arg-type]


def order(store: Store, *plans: Plan, parallel: int = 1) -> None:
    """Place orders as the console does, without a worker of their own."""
    for one in plans:
        orders.place(store, orders.Order(study=one.name, parallel=parallel))


def test_one_worker_serves_every_order_of_the_folder_in_order(store: Store, plan: Plan) -> None:
    queued = [planning.queue_plan(store, [RunConfig(epochs=2, seed=seed)]) for seed in (9, 8)]
    order(store, queued[0], plan, queued[1])
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
    order(store, plan)
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
    order(store, plan)
    service = study_worker.take_service(store)
    assert service is not None
    with service:
        serve(store)
        assert states(store, plan) == ["planned"] * 4
        assert orders.has_worker(store, plan.name)
    serve(store)
    assert_each_cell_finished_once(store, plan)


def test_a_paused_study_holds_nobody_up(store: Store, plan: Plan) -> None:
    younger = planning.queue_plan(store, [RunConfig(epochs=2, seed=9)])
    order(store, plan, younger)
    study_queue.toggle_pause(store, plan.name)
    serve(store, should_stop=lambda: states(store, younger) == ["finished"])
    assert states(store, plan) == ["queued"] * 4


@pytest.mark.slow
def test_a_foreground_command_and_the_background_worker_start_no_run_twice(store: Store, plan: Plan) -> None:
    younger = planning.queue_plan(store, [RunConfig(epochs=2, seed=9)])
    order(store, younger)
    worker = spawn(store, "study_worker.serve(store, command=fake_trainer.command('slow'), poll_seconds=0.02)")
    wait_for(lambda: orders.has_worker(store, younger.name))
    said: list[str] = []
    work(store, plan, say=said.append)
    assert worker.wait(20) == 0
    assert "another process starts the runs" in said[0]
    assert_each_cell_finished_once(store, plan)
    for run_id in store.ids():
        assert kinds(store, run_id)[ev.Started] == 1


@pytest.mark.slow
def test_a_command_goes_on_where_the_worker_that_served_it_is_killed(store: Store, plan: Plan) -> None:
    younger = planning.queue_plan(store, [RunConfig(epochs=2, seed=9)])
    order(store, younger)
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
    order(store, younger)
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
    order(store, plan)
    serve(store, "slow", should_stop=lambda: any(kinds(store, run_id)[ev.Step] for run_id in store.ids()))
    assert states(store, plan) == ["stopped", "queued", "queued", "queued"]
    assert orders.active(store) == []


def test_a_study_that_cannot_be_read_is_given_up(store: Store, plan: Plan) -> None:
    younger = planning.queue_plan(store, [RunConfig(epochs=2, seed=9)])
    order(store, plan, younger)
    (store.root / "studies" / "report.json").write_text("{")
    said: list[str] = []
    serve(store, say=said.append)
    assert "study report: given up" in said[0]
    assert states(store, younger) == ["finished"]


def test_why_a_study_was_given_up_is_kept_whole_until_it_is_ordered_again(store: Store, plan: Plan, run: Run) -> None:
    reason = "its archive could not be downloaded (" + "name or service not known, " * 12 + "the end)."

    def prepare(config: RunConfig) -> None:
        raise DatasetError(config.data, reason)

    order(store, plan)
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
    order(store, plan)
    serve(store)
    assert LOG_FILE in study_queue.load(store, plan.name).given_up
    assert states(store, plan) == ["queued"] * 4


@pytest.mark.parametrize("is_cancelled", [False, True])
def test_a_study_that_was_paused_goes_on_when_it_is_ordered_again(
    store: Store, plan: Plan, run: Run, is_cancelled: bool
) -> None:
    study_queue.toggle_pause(store, plan.name)
    if is_cancelled:
        order(store, plan)
        assert f"alexnet-tui study run {plan.name}" in run("study", "cancel", plan.name).err
    looks = itertools.count()
    cells = work(store, plan, should_stop=lambda: not store.ids() and next(looks) > 20)
    assert {cell.state for cell in cells} == {State.FINISHED}
    assert not study_queue.load(store, plan.name).is_paused


def test_a_paused_study_is_called_paused_and_what_ends_it_is_named(store: Store, plan: Plan, run: Run) -> None:
    order(store, plan)
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


DAMAGED = [b'{"is_pau', b"\0" * 200 + b"[" * 100_000, b'{"order":"x","orders":[{}],"0":1}']


@pytest.mark.slow
@pytest.mark.parametrize("name", ["report/queue.json", "report/cells.json", ".worker/orders.json"])
def test_a_worker_outlives_a_damaged_file(store: Store, plan: Plan, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduler, "_DAMAGE_PATIENCE_SECONDS", 0.05)
    path = store.root / "studies" / name
    written: list[bytes] = []
    said: list[str] = []

    def damage() -> bool:
        num_finished = sum("finished" in sentence for sentence in said)
        if len(written) < min(num_finished, len(DAMAGED)):
            written.append(DAMAGED[len(written)])
            path.write_bytes(written[-1])
        return False

    work(store, plan, say=said.append, should_stop=damage)
    assert_each_cell_finished_once(store, plan)
    aside = sorted(path.parent.glob(f"{path.name}.damaged-*"))
    assert [one.read_bytes() for one in aside] == written == DAMAGED
    assert sum("it is kept as" in sentence for sentence in said) == 3


def test_a_file_that_is_whole_again_is_not_set_aside(store: Store, plan: Plan) -> None:
    path = store.root / "studies" / "report" / "queue.json"
    said: list[str] = []

    def tear_and_mend() -> bool:
        if "finished" in states(store, plan) and not said[-1].endswith("tried again."):
            path.write_bytes(b'{"is_pau')
        elif said and said[-1].endswith("tried again."):
            path.write_bytes(b"{}")
        return False

    with contextlib.suppress(StoreError):  # The test itself may read the torn file.
        work(store, plan, say=said.append, should_stop=tear_and_mend)
    assert not list(path.parent.glob("*.damaged*"))


@pytest.mark.parametrize("number", FULL_DISK)
def test_a_full_disk_is_told_and_tried_again(
    store: Store, plan: Plan, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    said: list[str] = []
    failures = iter(range(3))

    def full(path: Path, content: bytes) -> None:
        if next(failures, None) is not None:
            raise OSError(number, os.strerror(number))
        write_atomic(path, content)

    monkeypatch.setattr(study_files, "write_atomic", full)
    work(store, plan, say=said.append)
    assert sum(os.strerror(number).lower() in sentence.lower() for sentence in said) == 1
    assert_each_cell_finished_once(store, plan)


def test_a_newer_plan_is_shown_and_not_trained(run: Run, store: Store, plan: Plan) -> None:
    forge_plan(store, v=99, wonder=1)
    assert load_plan(store, "report").is_newer
    shown = run("study", "status", "report")
    assert (shown.code, "a newer alexnet-tui wrote this plan" in shown.err) == (0, True)
    assert "it was changed" in shown.err, "its hash"
    for words in (("run", "report"), ("run", "report", "--detach")):
        refused = run("study", *words)
        assert refused.code == 3
        assert "a newer alexnet-tui" in refused.err
    assert store.ids() == []
    forge_plan(store, configs=[{"variant": "unheard-of"}])
    assert "a newer version" in run("study", "status", "report").err


@pytest.mark.slow
def test_an_older_study_goes_first(store: Store, plan: Plan) -> None:
    younger = planning.queue_plan(store, [RunConfig(epochs=2, seed=9)])
    worker = spawn_worker(store, plan, "slow")
    wait_for(lambda: orders.is_folder_served(store) and orders.is_ordered(store, plan.name))
    work(store, younger)
    assert states(store, plan) == ["finished"] * 4
    assert states(store, younger) == ["finished"]
    assert worker.wait(20) == 0


# ---------------------------------------------------------------------- queue


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


# -------------------------------------------------------------------- kill -9


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


# --------------------------------------------------------------- command line


@pytest.fixture
def fake_work(monkeypatch: pytest.MonkeyPatch, prepared_data: Path) -> None:
    """The worker of the command line starts trainers that are played."""
    monkeypatch.setenv("ALEXNET_TUI_DATA", str(prepared_data))
    quick = functools.partial(study_worker.work, command=fake_trainer.command("normal"), poll_seconds=0.02)
    monkeypatch.setattr(study_worker, "work", quick)


@pytest.mark.slow
def test_commands_plan_run_and_tell(run: Run, store: Store, fake_work: None) -> None:
    planned = run(
        *("study", "new", "mine", "--variants", "baseline,tanh", "--seeds", "2", "--first-seed", "3"),
        *("--epochs", "2", "--data", "synthetic", "--front-end", "same32", "--no-lrn", "--label", "x"),
    )
    assert (planned.code, planned.out) == (0, "")
    assert "2 variants x 2 seeds = 4 runs" in planned.err
    assert "a verdict needs 5 seeds, and this plan has 2" in planned.err
    assert [one for one in ("relu", "dropout-r", "removing") if re.search(f"note: .* as {one}", planned.err)] == [
        "dropout-r",
        "removing",
    ]
    plan = load_plan(store, "mine")
    assert {(config.seed, config.front_end, config.lrn) for config in plan.configs} == {
        (3, "same32", False),
        (4, "same32", False),
    }
    assert run("study", "run", "mine").code == 0
    status = run("study", "status", "mine", "--json")
    cells = json.loads(status.out)["cells"]
    assert {cell["state"] for cell in cells} == {"finished"}
    assert {store.record(cell["run_id"]).label for cell in cells} == {"x"}
    table = run("study", "status", "mine")
    assert "4 finished; no worker is at work" in table.err
    assert "2/2" in table.out
    assert table.out.startswith("variant ")
    assert run("study", "status").out == table.out
    assert json.loads(run("study", "list", "--json").out)[0]["states"] == {"finished": 4}
    assert "mine" in run("study", "list").out


def test_commands_refuse_in_sentences(run: Run, store: Store) -> None:
    assert (run("study", "run", "nothing").code, run("study", "status", "nothing").code) == (3, 3)
    assert run("study", "new", "Mine").code == 2
    wrong = run("study", "new", "mine", "--variants", "tahn")
    assert wrong.code == 2
    assert "--variants: there is no 'tahn'; did you mean tanh" in wrong.err
    assert run("study", "new", "mine", "--epochs", "0").code == 2
    assert "no studies yet" in run("study", "list").err


def test_a_study_with_a_diverged_run_says_so_by_its_exit_code(
    run: Run, store: Store, fake_work: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        study_worker, "work", functools.partial(study_worker.work, command=fake_trainer.command("diverge"))
    )
    run("study", "new", "mine", "--variants", "tanh", "--seeds", "1", "--epochs", "2", "--data", "synthetic")
    done = run("study", "run", "mine")
    assert done.code == 1
    assert "1 failed (diverged)" in done.err


def test_reproduce_plans_runs_and_judges_and_goes_on(run: Run, store: Store, fake_work: None) -> None:
    arguments = ("study", "reproduce", "--seeds", "1", "--epochs", "2", "--data", "synthetic")
    first = run(*arguments)
    assert first.code == 0
    assert "not assessed" in first.out.lower()
    assert "4 finished" in first.err
    again = run(*arguments)
    assert again.out == first.out
    assert len(store.ids()) == 4
    other = run("study", "reproduce", "--seeds", "2", "--epochs", "2", "--data", "synthetic")
    assert other.code == 2
    assert "plans do not change" in other.err


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_the_runs_with_a_checkpoint(
    store: Store, plan: Plan, prepared_data: Path, number: signal.Signals, code: int
) -> None:
    script = textwrap.dedent(
        f"""
        import functools, sys
        sys.path[:0] = {fake_trainer.SEARCH_PATH}
        import fake_trainer
        from alexnet_tui.cli import main as cli
        from alexnet_tui.studies import worker as study_worker
        study_worker.work = functools.partial(study_worker.work, command=fake_trainer.command("slow"))
        cli.main(["study", "run", "report", "--runs-dir", {str(store.root)!r}])
        """
    )
    environment = {**os.environ, "ALEXNET_TUI_DATA": str(prepared_data)}
    worker = Forked([sys.executable, "-c", script], env=environment)
    wait_for(lambda: any(kinds(store, run_id)[ev.Step] for run_id in store.ids()))
    worker.send_signal(number)
    assert worker.wait(30) == code
    assert states(store, plan)[0] in {"stopped", "finished"}
    assert not any(store.is_locked(run_id) for run_id in store.ids())
