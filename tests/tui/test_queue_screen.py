"""Studies in the console: planning, the queue and its order, and a worker that outlives it all."""

import contextlib
import os
import re
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import fake_trainer
import msgspec
import pytest
from console_driver import Driver, console, driven
from fake_runs import curve, open_writer, started, write_run
from slurm_stub import Cluster
from textual import events
from textual.widgets import Input, Static

from alexnet_tui.analysis.metrics import METRICS
from alexnet_tui.analysis.time_estimate import step_settings
from alexnet_tui.config.claims import claim_sets, groups_of, load_claims, read_claim_file
from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.config.protocols import PROTOCOLS, plan_configs, swept_text
from alexnet_tui.errors import ConfigError, LaunchError
from alexnet_tui.launch import slurm, stopping
from alexnet_tui.locks import take_lock, write_owner
from alexnet_tui.runs import events as ev
from alexnet_tui.runs.state import State
from alexnet_tui.runs.store import Store
from alexnet_tui.studies import orders, planned_runs, planning, study_files, study_queue
from alexnet_tui.studies.orders import Order
from alexnet_tui.studies.plan import Plan, load_plan
from alexnet_tui.studies.planned_runs import PlannedRun, PlannedRunState
from alexnet_tui.tui.glyphs import PLANNED
from alexnet_tui.tui.screens.report.screen import ReportScreen
from alexnet_tui.tui.screens.run.screen import RunScreen
from alexnet_tui.tui.screens.studies import queue_view, source
from alexnet_tui.tui.screens.studies.request import StudyRequest, defaults, free_name
from alexnet_tui.tui.screens.studies.screen import StudiesScreen
from alexnet_tui.tui.screens.studies.study_form import StudyForm
from alexnet_tui.tui.terminal.driver import to_ascii
from alexnet_tui.tui.widgets.columns import fit
from alexnet_tui.tui.widgets.dialogs import ConfirmScreen, KeysLine
from alexnet_tui.tui.widgets.fields import ChoiceField

NO_WORKER = (sys.executable, "-c", "")


def worker(trainer: str = "normal") -> tuple[str, ...]:
    """A worker in a process of its own, with a trainer that needs no torch."""
    code = f"""
import os, sys
sys.path[:0] = {fake_trainer.SEARCH_PATH}
from pathlib import Path
import fake_trainer
from alexnet_tui.studies import worker as study_worker
from alexnet_tui.runs.store import Store
print("worker", os.getpid(), flush=True)
store = Store(Path(sys.argv[sys.argv.index("--runs-dir") + 1]))
study_worker.serve(store, command=fake_trainer.command({trainer!r}), poll_seconds=0.02)
"""
    return (sys.executable, "-c", code)


def plan_study(store: Store, name: str = "mine", *, seeds: int = 3, epochs: int = 2) -> Plan:
    return planning.plan_variants(
        store,
        name,
        variants=["baseline", "tanh"],
        seeds=range(seeds),
        overrides={"epochs": str(epochs), "data": "synthetic"},
    )


async def opened(driver: Driver, command: tuple[str, ...] = NO_WORKER) -> StudiesScreen:
    await driver.press("w")
    screen = driver.app.screen
    assert isinstance(screen, StudiesScreen)
    driver.app.session.commands.worker = command
    await driver.wait_for(lambda: not screen._reading.is_busy)
    await driver.pilot.pause()
    return screen


def order(screen: StudiesScreen) -> list[int]:
    assert screen.now is not None
    return [cell.index for cell in screen.now.waiting]


def said(driver: Driver) -> str:
    """What is on the screen, whatever the line breaks, the frame of the dialog and its scroll bar."""
    return " ".join(re.sub("[│▁-█]", " ", driver.text()).split())


async def fill(driver: Driver, **values: str) -> None:
    await driver.wait_for(lambda: isinstance(driver.app.screen, StudyForm))
    for name, value in values.items():
        if choices := driver.app.screen.query(f"#edit-{name}"):
            choices.only_one(ChoiceField).choose(value)
        else:
            driver.app.screen.query_one(f"#plan-{name}", Input).value = value
    await driver.pilot.pause()


# The queue


@driven
async def test_the_word_of_an_engine_is_beside_the_runs_own_states(store: Store, cluster: Cluster) -> None:
    plan = plan_study(store, seeds=1)
    run_ids = planned_runs.prepare(store, plan)
    slurm.submit(study_files.make_folder(store, plan.name), plan.name, store.root, run_ids, {}, at_once=0)
    cluster.answers("squeue", "0|RUNNING\n1|PENDING\n")
    async with console(store, size=(140, 40)) as driver:
        await opened(driver)
        await driver.wait_for(lambda: "SLURM job 77: 1 RUNNING, 1 PENDING." in driver.text())
        assert "slurm PENDING" in driver.text()
        await driver.press("ctrl+r")
        await driver.wait_for(lambda: any("is queued as SLURM job 77" in one for one in driver.notifications()))
        assert not orders.active(store)
        await driver.press("x")
        asked = ["--state=PENDING", "--name=alexnet-mine", "77_0"]
        await driver.wait_for(lambda: asked in cluster.calls("scancel"))


@pytest.mark.slow
@driven
async def test_an_engine_that_does_not_answer_holds_nothing_up(store: Store, cluster: Cluster) -> None:
    plan = plan_study(store, seeds=1)
    run_ids = planned_runs.prepare(store, plan)
    slurm.submit(study_files.make_folder(store, plan.name), plan.name, store.root, run_ids, {}, at_once=0)
    goes_on = cluster.folder / "goes-on"
    (cluster.folder / "squeue").write_text(f'#!/bin/sh\nuntil [ -e "{goes_on}" ]; do sleep 0.05; done\nexit 9\n')
    async with console(store, size=(140, 40)) as driver:
        await opened(driver)
        assert "SLURM job 77: asking for its state." in driver.text()
        goes_on.touch()
        await driver.wait_for(lambda: "SLURM job 77: squeue failed with code 9" in driver.text())


@driven
async def test_of_a_study_that_is_done_no_engine_s_silence_is_told(store: Store, cluster: Cluster) -> None:
    plan = plan_study(store, seeds=1)
    for config in plan.configs:
        write_run(store, config, study=plan.name, plan_sha256=plan.sha256)
    run_ids = planned_runs.prepare(store, plan)
    slurm.submit(study_files.make_folder(store, plan.name), plan.name, store.root, run_ids, {}, at_once=0)
    cluster.answers("squeue", "", 9)
    async with console(store, size=(140, 40)) as driver:
        await opened(driver)
        await driver.wait_for(lambda: "Nothing is left to do: v shows the report." in driver.text())


@driven
async def test_cells_stand_in_the_order_of_work_beside_a_grid(store: Store) -> None:
    plan = plan_study(store)
    planned_runs.prepare(store, plan)
    async with console(store) as driver:
        screen = await opened(driver)
        assert order(screen) == [0, 1, 2, 3, 4, 5]
        text = driver.text()
        assert "mine · study 1 of 1" in text
        assert "2 variants x 3 seeds = 6 runs" in text
        assert "No worker is running: ^r starts one." in text
        lines = text.splitlines()
        assert [line.split()[:4] for line in lines if " queued" in line][-6:][1] == ["2", "tanh", "0", "○"]
        assert any(line.split()[:4] == ["tanh", *["○────"] * 3] for line in lines), "the grid"


@pytest.mark.slow
@driven
async def test_a_worker_that_waits_for_a_run_outside_says_which(store: Store) -> None:
    plan = plan_study(store)
    planned_runs.prepare(store, plan)
    other = write_run(store, RunConfig(epochs=9), epochs_done=2)
    locks = [take_lock(store.path(other.id)), take_lock(study_files.make_folder(store, plan.name))]
    try:
        async with console(store) as driver:
            await opened(driver)
            await driver.wait_for(lambda: f"Waiting: another run is training ({other.id})" in driver.text())
            os.close(locks.pop(0))
            await driver.wait_for(lambda: "A worker is running" in driver.text())
    finally:
        for lock in locks:
            os.close(lock)


@driven
async def test_k_and_j_change_the_order_and_f_puts_first(store: Store) -> None:
    plan = plan_study(store)
    async with console(store) as driver:
        screen = await opened(driver)
        await driver.press("down", "down")
        await driver.press("K")
        await driver.wait_for(lambda: order(screen) == [0, 2, 1, 3, 4, 5])
        assert screen.cell is not None
        assert screen.cell.index == 2, "the cursor goes with the cell"
        await driver.press("J")
        await driver.wait_for(lambda: order(screen) == [0, 1, 2, 3, 4, 5])
        await driver.press("shift+down")
        await driver.wait_for(lambda: order(screen) == [0, 1, 3, 2, 4, 5])
        await driver.press("shift+up")
        await driver.wait_for(lambda: order(screen) == [0, 1, 2, 3, 4, 5])
        await driver.press("end", "F")
        await driver.wait_for(lambda: order(screen) == [5, 0, 1, 2, 3, 4])
        assert study_queue.load(store, plan.name).order == [5, 0, 1, 2, 3, 4], "a worker reads the same"
        assert planned_runs.in_order(planned_runs.status(store, plan), study_queue.load(store, plan.name))[0].index == 5


@driven
async def test_moving_keys_stay_inside(store: Store) -> None:
    plan_study(store)
    async with console(store) as driver:
        screen = await opened(driver)
        for key, row in (("down", 1), ("j", 2), ("k", 1), ("up", 0), ("up", 0), ("end", 5), ("down", 5)):
            await driver.press(key)
            assert screen.table.cursor == row, key
        await driver.press("pageup")
        assert screen.table.cursor == 0
        await driver.press("pagedown")
        assert screen.table.cursor == 5
        await driver.press("home")
        assert screen.table.cursor == 0


@driven
async def test_x_takes_a_cell_out_and_r_puts_it_back(store: Store) -> None:
    plan = plan_study(store)
    async with console(store) as driver:
        screen = await opened(driver)
        with study_files.exclusive(store):  # The second key does not wait until the first one's change is shown.
            await driver.pilot.press("down", "x", "x")
        await driver.wait_for(lambda: order(screen) == [0, 3, 4, 5])
        assert study_queue.load(store, plan.name).cancelled == [1, 2]
        assert screen.cell is not None
        assert screen.cell.index == 3, "the cursor is where it was, on the next cell"
        await driver.press("R")
        assert any("This cell is planned; ^r starts a worker" in one for one in driver.notifications())
        await driver.press("end", "up")
        assert (screen.cell.index, screen.cell.state) == (1, PlannedRunState.CANCELLED)
        await driver.press("x")
        assert any("nothing to cancel" in one for one in driver.notifications())
        await driver.press("R", "R")
        await driver.wait_for(lambda: order(screen) == [0, 1, 2, 3, 4, 5])
        assert study_queue.load(store, plan.name).cancelled == []


@driven
async def test_no_key_makes_a_runs_folder_that_is_gone_anew(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan_study(store)
    async with console(store) as driver:
        screen = await opened(driver)
        monkeypatch.setattr(screen, "_read", lambda: None)  # The study is still on the screen when keys are pressed.
        store.root.rename(tmp_path / "away")
        for key in ("P", "J", "F", "x"):
            driver.clear_notifications()
            await driver.press(key)
            await driver.wait_for(lambda: any("there is no study 'mine'" in one for one in driver.notifications()))
        await driver.wait_for(lambda: driver.app.session.watcher.problems)
        await driver.press("n")
        await fill(driver, name="few", seeds="2", epochs="1", data="synthetic")
        await driver.press("ctrl+s")
        await driver.wait_for(lambda: "No study is planned." in said(driver))
        assert "the runs folder is gone" in said(driver)
        assert not store.root.exists()
        (tmp_path / "away").rename(store.root)
        await driver.wait_for(lambda: not driver.app.session.watcher.problems)
        await driver.press("ctrl+s")
        await driver.wait_for(lambda: study_files.names(store) == ["few", "mine"])


@driven
async def test_p_pauses_and_goes_on(store: Store) -> None:
    plan = plan_study(store)
    async with console(store) as driver:
        await opened(driver)
        await driver.press("P")
        await driver.wait_for(lambda: "Paused: nothing more is started" in driver.text())
        assert study_queue.load(store, plan.name).is_paused
        await driver.press("P")
        await driver.wait_for(lambda: "Paused" not in driver.text())
        assert not study_queue.load(store, plan.name).is_paused


@driven
async def test_keys_that_follow_at_once_all_count(store: Store) -> None:
    plan = plan_study(store)
    async with console(store) as driver:
        screen = await opened(driver)
        with study_files.exclusive(
            store
        ):  # As while a worker chooses: nothing is changed, nor shown, until all keys are in.
            await driver.pilot.press("J", "J", "J", "P", "P", "P")
        await driver.wait_for(lambda: order(screen) == [1, 2, 3, 0, 4, 5])
        await driver.wait_for(lambda: study_queue.load(store, plan.name).is_paused)
        await driver.wait_for(driver.app.session.executors["studies"].submit(int).done)
        assert study_queue.load(store, plan.name).is_paused


@driven
async def test_changes_made_elsewhere_appear(store: Store) -> None:
    plan = plan_study(store)
    async with console(store) as driver:
        screen = await opened(driver)
        study_queue.toggle_pause(store, plan.name)
        await driver.wait_for(lambda: "Paused" in driver.text())
        study_queue.shift(store, plan.name, range(6), 4, -4)
        await driver.wait_for(lambda: order(screen)[0] == 4)
        descriptor = take_lock(store.root / "studies" / plan.name)
        study_queue.toggle_pause(store, plan.name)
        await driver.wait_for(lambda: "A worker is running" in driver.text())
        os.close(descriptor)
        await driver.wait_for(lambda: "No worker is running" in driver.text())


@driven
async def test_brackets_and_f_turn_to_other_studies_and_v_reports(store: Store) -> None:
    plan_study(store, "older")
    plan_study(store, "newer")
    async with console(store) as driver:
        screen = await opened(driver)
        assert screen.study_name == "newer"
        await driver.press("right_square_bracket")
        await driver.wait_for(lambda: driver.text().splitlines()[1].startswith(" older · study 2 of 2"))
        await driver.press("left_square_bracket")
        await driver.wait_for(lambda: driver.text().splitlines()[1].startswith(" newer"))
        await driver.press("f", "2")
        await driver.wait_for(lambda: driver.text().splitlines()[1].startswith(" older"))
        await driver.press("v")
        report = driver.app.screen
        assert isinstance(report, ReportScreen)
        await driver.wait_for(lambda: report.report is not None and report.report.title == "older")
        await driver.press("w")
        assert driver.app.screen is screen
        await driver.press("w")
        assert driver.app.screen is not screen, "the same key leaves"


@driven
async def test_enter_opens_a_run_that_is_there(store: Store) -> None:
    plan = plan_study(store)
    async with console(store) as driver:
        screen = await opened(driver)
        await driver.press("enter")
        assert any("no run to look at" in one for one in driver.notifications())
        ids = planned_runs.prepare(store, plan)
        await driver.wait_for(lambda: ids[0] in driver.app.session.watcher.histories)
        await driver.wait_for(lambda: screen.cell is not None and screen.cell.run_id == ids[0])
        await driver.press("enter")
        run = driver.app.screen
        assert isinstance(run, RunScreen)
        assert run.run_id == ids[0]


@driven
async def test_a_deleted_run_stays_deleted(store: Store) -> None:
    plan = plan_study(store)
    ids = planned_runs.prepare(store, plan)
    async with console(store) as driver:
        screen = await opened(driver)
        store.delete(ids[3])
        driver.app.session.watcher.drop(ids[3])
        screen.show(None)
        await driver.wait_for(lambda: order(screen) == [0, 1, 2, 4, 5])
        states = {cell.index: cell.state for cell in screen.now.cells}  # type: ignore[union-attr]
        assert states[3] == PlannedRunState.DELETED


@driven
async def test_keys_act_on_no_study_while_another_one_is_being_read(store: Store) -> None:
    plan_study(store, "older")
    plan_study(store, "newer")
    async with console(store) as driver:
        screen = await opened(driver)
        for act in (screen.action_pause, screen.action_start):
            screen.action_turn(1)
            act()
            await driver.wait_for(lambda: screen.now is not None and screen.now.plan.name == screen.study_name)
            await driver.wait_for(lambda: not {"start", "change"} & {one.group for one in driver.app.workers})
            assert driver.notifications() == []
            assert not any(study_queue.load(store, name).is_paused for name in ("older", "newer"))
        await driver.press("P")
        await driver.wait_for(lambda: study_queue.load(store, "newer").is_paused)


@pytest.mark.parametrize("file", ["mine.json", "mine/queue.json", "mine/cells.json"])
def test_a_damaged_study_says_so_once_and_leaves_the_others_in_reach(store: Store, file: str) -> None:
    plan_study(store, "other")
    plan_study(store)
    study_queue.toggle_pause(store, "mine")
    path = store.root / "studies" / file
    before = path.read_text() if path.exists() else "{}"
    path.write_text("damaged")

    @driven
    async def body() -> None:
        async with console(store, size=(120, 40)) as driver:
            screen = await opened(driver)
            if screen.study_name != "mine":  # A damaged plan has no date, so it is not the newest.
                await driver.press("right_square_bracket")
            await driver.wait_for(lambda: screen.study_name == "mine" and screen.now is None)
            for _ in range(3):
                screen.show(None)
                await driver.wait_for(lambda: not screen._reading.is_busy)
            assert len([one for one in driver.notifications() if "cannot be read" in one]) == 1
            assert "the study cannot be read" in said(driver)
            await driver.press("f")
            await driver.wait_for(lambda: "Show a study" in driver.text())
            await driver.press("escape", "left_square_bracket")
            await driver.wait_for(lambda: driver.text().splitlines()[1].startswith(" other"))
            path.write_text(before)
            await driver.press("right_square_bracket")
            await driver.wait_for(lambda: driver.text().splitlines()[1].startswith(" mine"))

    body()


# Plans


@driven
async def test_an_unreadable_run_is_shown_and_not_started(store: Store) -> None:
    plan = plan_study(store)
    run_id = planned_runs.prepare(store, plan)[0]
    (store.path(run_id) / "run.json").write_text("{")
    async with console(store, size=(120, 40)) as driver:
        screen = await opened(driver)
        assert "unreadable" in driver.text()
        assert screen.now is not None
        for _ in plan.configs:
            if screen.cell is None or screen.cell.state != PlannedRunState.UNREADABLE:
                await driver.press("down")
        await driver.press("R")
        await driver.wait_for(lambda: any("This cell is unreadable" in said for said in driver.notifications()))
        assert not store.is_locked(run_id)


@driven
async def test_while_the_runs_folder_is_away_it_is_not_said_that_there_are_no_studies(
    store: Store, tmp_path: Path
) -> None:
    plan_study(store)
    write_run(store, RunConfig(epochs=1))
    async with console(store) as driver:
        await driver.wait_for(lambda: driver.app.session.watcher.states)
        store.root.rename(tmp_path / "away")
        await driver.wait_for(lambda: driver.app.session.watcher.problems)
        await opened(driver)
        await driver.wait_for(lambda: "the runs folder is gone" in " ".join(driver.text().split()))
        assert "No studies yet" not in driver.text()
        (tmp_path / "away").rename(store.root)
        await driver.wait_for(lambda: "planned" in driver.text())


@driven
async def test_without_studies_it_says_what_one_is_and_n_plans_one(store: Store) -> None:
    async with console(store) as driver:
        screen = await opened(driver)
        assert "No studies yet" in driver.text()
        await driver.press("n")
        await fill(driver, name="few", variants="tanh, baseline", seeds="4-5", epochs="7", data="synthetic")
        await driver.press("ctrl+s")
        await driver.wait_for(lambda: screen.study_name == "few" and screen.now is not None)
        plan = load_plan(store, "few")
        assert [(one.variant, one.seed, one.epochs, one.data) for one in plan.configs] == [
            ("tanh", 4, 7, "synthetic"),
            ("baseline", 4, 7, "synthetic"),
            ("tanh", 5, 7, "synthetic"),
            ("baseline", 5, 7, "synthetic"),
        ]
        assert plan.overrides == {"epochs": "7", "data": "synthetic"}
        assert not orders.has_worker(store, "few")
        assert store.ids() == []


@pytest.mark.slow
@driven
async def test_a_form_that_cannot_be_comes_back_with_the_reason(store: Store) -> None:
    async with console(store) as driver:
        await opened(driver)
        for field, value, sentence in (
            ("name", "No Name", "is no name for a study"),
            ("variants", "tahn", "tanh"),
            ("variants", " ", "name some"),
            ("seeds", "many", "from 1 to 1000"),
            ("seeds", "5-2", "from 1 to 1000"),
            ("epochs", "1e3x", "epochs"),
            ("train_images", "-1", "train_images"),
            ("at_once", "0", "from 1 to 64"),
        ):
            await driver.press("n")
            await fill(driver, **{field: value})
            await driver.press("ctrl+r")
            await driver.wait_for(lambda sentence=sentence: sentence in " ".join(driver.text().split()))  # type: ignore[misc]
            editor = driver.app.screen.query_one(f"#plan-{field}", Input)
            assert driver.app.screen.focused is editor
            assert editor.value == value, "nothing typed is lost"
            assert study_files.names(store) == []
            await driver.press("escape")
            assert isinstance(driver.app.screen, StudiesScreen)


@driven
async def test_a_long_refusal_is_read_to_its_last_word_on_a_small_terminal(store: Store) -> None:
    reason = f"{'settings of a long claim, ' * 13}and none of them can be judged."
    async with console(store) as driver:
        await opened(driver)
        driver.app.push_screen(StudyForm(defaults("mine"), error=reason))
        await driver.wait_for(lambda: reason in said(driver))
        assert driver.app.size == (80, 24)
        assert "Plan and start" in driver.text()
        await driver.press("pagedown")
        assert "Registers 3 claims:" in driver.text()


@driven
async def test_a_plan_is_never_replaced(store: Store) -> None:
    before = plan_study(store)
    async with console(store) as driver:
        await opened(driver)
        await driver.press("n")
        await fill(driver, name="mine", seeds="9")
        await driver.press("ctrl+s")
        await driver.wait_for(lambda: "plans do not change" in " ".join(driver.text().split()))
        assert load_plan(store, "mine") == before


@driven
async def test_enter_and_arrows_walk_through_the_form(store: Store) -> None:
    async with console(store) as driver:
        await opened(driver)
        await driver.press("n")
        await driver.wait_for(lambda: driver.app.screen.focused is not None)
        places = []
        for key in ("enter", "down", "tab", "up", "shift+tab"):
            await driver.press(key)
            places.append(driver.app.screen.focused.id)  # type: ignore[union-attr]
        assert places == ["edit-protocol", "plan-variants", "plan-seeds", "plan-variants", "edit-protocol"]
        assert driver.app.screen.query_one("#plan-name", Input).value == "reproduction"


@pytest.mark.slow
@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
def test_another_protocol_is_planned_by_keys_alone(store: Store, size: tuple[int, int]) -> None:
    @driven
    async def body() -> None:
        async with console(store, size=size) as driver:
            screen = await opened(driver)
            await driver.press("n")
            await driver.wait_for(lambda: "4 variants x 5 seeds = 20 runs" in driver.text())
            await driver.press("pagedown", "pagedown")
            assert "Its runs differ in variant (baseline, low-dropout, tanh, four-conv) and seed alone;" in said(driver)
            assert "everything else stays as each variant's preset." in said(driver)
            await driver.press("enter", "right")
            await driver.wait_for(lambda: "2 variants x 5 seeds x 3 learning rates = 30 runs" in driver.text())
            assert PROTOCOLS["best-learning-rate"].summary in said(driver)
            assert "variant (baseline, tanh), learning rate (0.003, 0.01, 0.03) and seed alone;" in said(driver)
            assert "all have dropout 0 and weight decay 0;" in said(driver)
            assert "Plan and start" in driver.text(), "the keys are on the screen too"
            await driver.press("down", "down", "backspace")
            await driver.type("4-5")
            await driver.wait_for(lambda: "2 variants x 2 seeds x 3 learning rates = 12 runs" in driver.text())
            await driver.press("ctrl+s")
            await driver.wait_for(lambda: screen.study_name == "best-learning-rate" and screen.now is not None)
            plan = load_plan(store, "best-learning-rate")
            assert (plan.protocol, plan.variants, plan.seeds) == ("best-learning-rate", ["baseline", "tanh"], [4, 5])
            assert [(one.variant, one.learning_rate) for one in plan.configs[:6]] == [
                (variant, rate) for variant in ("baseline", "tanh") for rate in (0.003, 0.01, 0.03)
            ]
            assert {(one.dropout, one.weight_decay) for one in plan.configs} == {(0.0, 0.0)}
            assert "2 variants x 2 seeds x 3 learning rates = 12 runs · 12 " in driver.text()
            await driver.wait_for(lambda: driver.text().count("learning rate 0.003") == 4)

    body()


@pytest.mark.parametrize("size", [(80, 8), (60, 10)])
@driven
async def test_on_a_low_terminal_the_keys_of_the_form_cover_no_field(store: Store, size: tuple[int, int]) -> None:
    async with console(store, size=size) as driver:
        await opened(driver)
        await driver.press("n")
        form = driver.app.screen
        keys = form.query_one(KeysLine).region
        for name in defaults("x"):
            assert form.focused is not None
            assert form.focused.id in {f"plan-{name}", f"edit-{name}"}
            await driver.wait_for(lambda: form.query_one(".dialog").region.contains_region(form.focused.region))  # type: ignore[union-attr]
            assert form.focused.region.bottom <= keys.y, name
            await driver.press("down")


@pytest.mark.slow
@driven
async def test_what_the_protocol_does_not_have_is_told_at_once(store: Store) -> None:
    async with console(store) as driver:
        await opened(driver)
        await driver.press("n")
        await fill(driver, name="mine", variants="tanh,four-conv")
        await driver.wait_for(lambda: "2 variants x 5 seeds = 10 runs" in driver.text())
        await driver.press("enter", "right")
        await driver.wait_for(lambda: "variants: there is no 'four-conv'" in said(driver))
        assert "10 runs" not in driver.text()
        assert driver.app.screen.query_one("#plan-name", Input).value == "mine", "a name somebody typed stays"
        await driver.press("ctrl+s")
        assert driver.app.screen.focused is driver.app.screen.query_one("#plan-variants")
        await driver.press("up", "left", "ctrl+s")
        await driver.wait_for(lambda: study_files.names(store) == ["mine"])
        assert load_plan(store, "mine").protocol == "report"


@driven
async def test_a_set_of_claims_is_chosen_shown_and_registered(store: Store) -> None:
    def sentences(name: str) -> list[str]:
        return [f"- {claim.name}: {METRICS[claim.metric].heading} {claim.direction}" for claim in load_claims(name)]

    async with console(store, size=(120, 40)) as driver:
        screen = await opened(driver)
        await driver.press("n")
        await fill(driver, name="mine", seeds="2", epochs="9", data="synthetic")
        await driver.wait_for(lambda: all(one in said(driver) for one in sentences("study")))
        driver.app.screen.query_one("#edit-claims").focus()
        await driver.press("right")
        await driver.wait_for(lambda: all(one in said(driver) for one in sentences("paper2012")))
        num_groups = len(groups_of(load_claims("paper2012"), {}))
        assert f"{num_groups} groups x 2 seeds = {2 * num_groups} runs" in said(driver)
        await fill(driver, variants="tanh")
        await driver.wait_for(lambda: "the claims decide the groups of runs" in said(driver))
        await fill(driver, variants="all")
        await driver.press("ctrl+s")
        await driver.wait_for(lambda: screen.now is not None)
        plan = load_plan(store, "mine")
        assert (plan.claims, len(plan.configs)) == (load_claims("paper2012"), 2 * num_groups)
        assert plan.overrides == {"epochs": "9", "data": "synthetic"}
        assert plan.sha256 in driver.text()
        assert any(plan.sha256 in one for one in driver.notifications())


OWN_CLAIMS = """
[[claim]]
name = "decay-lowers-the-gap"
statement = "Weight decay lowers the gap."
source = "ours"
metric = "gap"
unit = "points"
direction = "lower"
smallest_effect = 1.0
group = { weight_decay = 0.0005 }
reference = { weight_decay = 0 }
"""


@driven
async def test_a_file_of_own_claims_is_offered_shown_and_registered(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.toml").write_text(OWN_CLAIMS)
    (tmp_path / "wrong.toml").write_text(OWN_CLAIMS.replace('"gap"', '"gab"'))
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "x"\n')
    os.mkfifo(tmp_path / "pipe.toml")
    monkeypatch.chdir(tmp_path)
    async with console(store, size=(120, 40)) as driver:
        screen = await opened(driver)
        await driver.press("n")
        await fill(driver, name="decay", data="synthetic", epochs="9")
        field = driver.app.screen.query_one("#edit-claims", ChoiceField)
        await driver.wait_for(lambda: any(option.value == "mine.toml" for option in field.options))
        assert [option.value for option in field.options] == ["protocol", *claim_sets(), "mine.toml", "wrong.toml"]
        field.choose("wrong.toml")
        await driver.wait_for(lambda: "there is no metric 'gab'" in said(driver))
        await driver.press("ctrl+s")
        assert study_files.names(store) == []
        field.choose("mine.toml")
        await driver.wait_for(lambda: "2 groups x 5 seeds = 10 runs" in said(driver))
        assert "decay-lowers-the-gap: Gap lower with weight decay 0.0005 than 0, 1 point or more" in said(driver)
        await driver.press("ctrl+s")
        await driver.wait_for(lambda: screen.now is not None)
        assert load_plan(store, "decay").claims == read_claim_file(tmp_path / "mine.toml")


def test_a_file_of_claims_is_read_when_it_changes(tmp_path: Path) -> None:
    """The form asks for the claims several times with every key."""
    file = tmp_path / "mine.toml"
    file.write_text(OWN_CLAIMS)
    request = StudyRequest(texts=defaults("x") | {"claims": str(file)}, starts=True)
    assert request.claims == read_claim_file(file)
    assert request.claims is msgspec.structs.replace(request, may_download=True).claims
    file.write_text(OWN_CLAIMS.replace("1.0", "0.25"))
    assert request.claims[0].smallest_effect == 0.25
    file.write_text("claim = 1")
    for _ in range(2):
        with pytest.raises(ConfigError, match="must be|1 to 50 claims"):
            _ = request.claims
    file.unlink()
    with pytest.raises(ConfigError, match="no set of claims and no file"):
        _ = request.claims


@driven
async def test_a_small_study_is_planned_in_the_form_and_claims_without_runs_are_noted(
    store: Store, prepared_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALEXNET_TUI_DATA", str(prepared_data))
    async with console(store, size=(120, 45)) as driver:
        screen = await opened(driver)
        await driver.press("n")
        await fill(driver, name="mine", variants="tanh,four-conv", seeds="2", front_end="keras-valid")
        await driver.wait_for(lambda: "Note: a verdict needs 5 seeds, and this plan has 2." in said(driver))
        assert "no run of this plan has dropout 0.01" in said(driver)
        await fill(driver, data="synthetic", epochs="4", train_images="500", variants="all", seeds="5")
        await driver.wait_for(lambda: said(driver).count("Note:") == 1)
        assert "Note: a verdict needs 5 epochs, and this plan has 4." in said(driver)
        await fill(driver, epochs="5")
        await driver.wait_for(lambda: "Note:" not in said(driver))
        await driver.press("ctrl+s")
        await driver.wait_for(lambda: screen.now is not None)
        wanted = {"front_end": "keras-valid", "data": "synthetic", "epochs": "5", "train_images": "500"}
        assert load_plan(store, "mine").overrides == wanted


@driven
async def test_a_protocol_without_claims_registers_none(store: Store) -> None:
    async with console(store) as driver:
        await opened(driver)
        await driver.press("n", "enter", "right")
        await driver.wait_for(lambda: "Registers no claims." in said(driver))


def test_a_new_study_is_called_after_its_protocol() -> None:
    assert free_name("report", ()) == "reproduction"
    assert free_name("report", ("reproduction", "reproduction-2", "x")) == "reproduction-3"
    assert free_name("best-learning-rate", ("reproduction",)) == "best-learning-rate"


def test_the_form_begins_with_the_whole_report() -> None:
    whole = StudyRequest(texts=defaults("reproduction"), starts=True)
    assert whole.variants == ["baseline", "low-dropout", "tanh", "four-conv"]
    assert list(whole.seeds) == [0, 1, 2, 3, 4]
    assert (whole.overrides, whole.at_once) == ({}, 1)


@driven
async def test_without_a_folder_for_data_nothing_starts_and_the_console_says_why(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALEXNET_TUI_DATA", "~nobody-of-that-name/data")
    async with console(store) as driver:
        await opened(driver)
        await driver.press("r")
        await driver.wait_for(lambda: any("nobody-of-that-name" in one for one in driver.notifications()))
        await driver.press("2", "ctrl+r")
        await driver.wait_for(lambda: "nobody-of-that-name" in driver.text())
        assert study_files.names(store) == store.ids() == []


@driven
async def test_r_reproduces_the_whole_report_after_a_yes(store: Store) -> None:
    async with console(store) as driver:
        screen = await opened(driver)
        await driver.press("r")
        await driver.wait_for(lambda: isinstance(driver.app.screen, ConfirmScreen))
        text = " ".join(driver.text().split())
        assert "cifar10 is not here yet. Download it and start?" in text, "it asks as New run does"
        assert "170 MB to download" in text
        assert "4 variants x 5 seeds = 20 runs" in text
        assert "how long it takes is not known" in said(driver)
        await driver.press("enter")
        assert "cifar10 is not here yet" in driver.text(), "enter, pressed once too often, starts no hours of work"
        await driver.press("n")
        assert study_files.names(store) == []
        screen.session.step_seconds[step_settings(RunConfig())] = 0.1
        await driver.press("r")
        await driver.wait_for(lambda: isinstance(driver.app.screen, ConfirmScreen))
        assert "100 epochs each, about 1d 00h in all (five steps timed here)" in said(driver)
        await driver.press("n")
        await driver.press("r")
        await driver.wait_for(lambda: isinstance(driver.app.screen, ConfirmScreen))
        await driver.press("y")
        await driver.wait_for(lambda: screen.study_name == "reproduction" and screen.now is not None)
        plan = load_plan(store, "reproduction")
        assert (len(plan.configs), plan.overrides, plan.seeds) == (20, {}, [0, 1, 2, 3, 4])
        await driver.wait_for(
            lambda: any("A worker was started for study reproduction" in one for one in driver.notifications())
        )
        assert driver.app.screen is screen, "the download was agreed to"


@driven
async def test_no_study_starts_a_download_without_a_question(store: Store) -> None:
    planning.plan_variants(store, "mine", variants=["tanh"], seeds=[0])
    async with console(store) as driver:
        screen = await opened(driver)
        await driver.press("ctrl+r")
        await driver.wait_for(lambda: "cifar10 is not here yet" in said(driver))
        assert "Then study mine starts: 1 run" in said(driver)
        await driver.press("n")
        await driver.pilot.pause()
        assert orders.active(store) == []
        await driver.press("ctrl+r")
        await driver.wait_for(lambda: isinstance(driver.app.screen, ConfirmScreen))
        await driver.press("y")
        await driver.wait_for(lambda: [order.study for order in orders.active(store)] == ["mine"])
        await driver.wait_for(lambda: screen.now is not None and "A worker is starting." in driver.text())


@pytest.mark.parametrize("size", [(80, 24), (160, 45)])
def test_why_a_study_was_given_up_is_on_its_screen_to_the_last_word(store: Store, size: tuple[int, int]) -> None:
    @driven
    async def body() -> None:
        plan = plan_study(store)
        reason = "data set cifar10: no archive (" + "name or service not known, " * 12 + "the end)."
        async with console(store, size=size) as driver:
            await opened(driver)
            study_queue.give_up(store, plan.name, reason)
            await driver.wait_for(lambda: f"Given up: {reason} ^r tries again." in said(driver))
            await driver.press("ctrl+r")
            await driver.wait_for(lambda: "Given up" not in driver.text())

    body()


@driven
async def test_a_variant_that_is_named_twice_is_told_while_one_types(store: Store) -> None:
    async with console(store) as driver:
        await opened(driver)
        await driver.press("n")
        await fill(driver, name="mine", variants="tanh, baseline ,tanh")
        await driver.wait_for(lambda: "variants: 'tanh' is named more than once" in said(driver))
        assert "runs" not in str(driver.app.screen.query_one("#plan-result", Static).content)
        await fill(driver, variants="tanh, baseline")
        await driver.wait_for(lambda: "2 variants x 5 seeds = 10 runs" in driver.text())


@pytest.mark.parametrize(
    ("texts", "most", "runs_more"),
    [
        ({}, 250, "1,004"),
        ({"protocol": "best-learning-rate"}, 166, "1,002"),
        ({"claims": "study"}, 250, "1,004"),
    ],
)
def test_too_many_runs_are_told_while_one_types(texts: dict[str, str], most: int, runs_more: str) -> None:
    whole = defaults("x") | texts
    assert StudyRequest(texts=whole | {"seeds": str(most)}, starts=True).size()
    with pytest.raises(ConfigError, match=f"{most + 1} seeds make {runs_more} runs; a study has 1,000 at most"):
        StudyRequest(texts=whole | {"seeds": str(most + 1)}, starts=True).size()


@driven
async def test_every_pasted_line_is_in_a_field_of_the_form_and_what_does_not_fit_is_refused(store: Store) -> None:
    async with console(store) as driver:
        await opened(driver)
        await driver.press("n")
        field = driver.app.screen.query_one("#plan-variants", Input)
        field.focus()
        await driver.press("end", "ctrl+u")
        driver.app.post_message(events.Paste("tanh,\nfour-conv\n"))
        await driver.wait_for(lambda: field.value == "tanh, four-conv")
        await driver.wait_for(lambda: "2 variants x 5 seeds = 10 runs" in driver.text())
        driver.app.post_message(events.Paste("9" * 100_000))
        await driver.wait_for(lambda: "Too long: the field holds 200 characters." in driver.text())
        assert field.value == "tanh, four-conv"
        await driver.press("end", "backspace")
        await driver.wait_for(lambda: "Too long" not in driver.text())


def test_seeds_of_any_length_are_a_sentence() -> None:
    for text in ("9" * 19, f"0-{'9' * 19}", "9" * 5000):
        typed = StudyRequest(texts=defaults("x") | {"seeds": text}, starts=True)
        with pytest.raises(ConfigError, match="from 1 to 1000"):
            _ = typed.seeds


@driven
async def test_each_study_keeps_how_many_train_at_once(store: Store) -> None:
    plan_study(store)

    def ordered() -> dict[str, int]:
        return {order.study: order.parallel for order in orders.active(store)}

    async with console(store) as driver:
        screen = await opened(driver)
        await driver.press("n")
        await fill(driver, name="wide", data="synthetic", at_once="3")
        await driver.press("ctrl+s")
        await driver.wait_for(lambda: screen.now is not None and screen.now.plan.name == "wide")
    async with console(store) as driver:
        screen = await opened(driver)
        await driver.press("ctrl+r")
        await driver.wait_for(lambda: ordered() == {"wide": 3})
        screen.show("mine")
        await driver.wait_for(lambda: screen.now is not None and screen.now.plan.name == "mine")
        await driver.press("ctrl+r")
        await driver.wait_for(lambda: ordered() == {"wide": 3, "mine": 1})


@driven
async def test_start_tells_what_is_true(store: Store) -> None:
    plan_study(store, "reproduction", seeds=1)
    study_queue.toggle_pause(store, "reproduction")
    async with console(store) as driver:
        await opened(driver)
        await driver.press("r")
        await driver.wait_for(
            lambda: any("A worker was started for study rep" in one for one in driver.notifications())
        )
        assert not study_queue.load(store, "reproduction").is_paused, "a paused queue goes on"
        lock = take_lock(study_files.make_folder(store, "reproduction"))
        await driver.press("ctrl+r")
        await driver.wait_for(lambda: any("runs study rep" in one for one in driver.notifications()))
        os.close(lock)
        study_queue.cancel(store, "reproduction", 0)
        study_queue.cancel(store, "reproduction", 1)
        await driver.press("ctrl+r")
        await driver.wait_for(
            lambda: any("Nothing is left to do in study rep" in one for one in driver.notifications())
        )


# The worker


@pytest.mark.slow
@driven
async def test_a_worker_goes_on_when_the_console_is_closed(store: Store) -> None:
    plan = plan_study(store, seeds=2, epochs=8)
    async with console(store) as driver:
        await opened(driver, worker("slow"))
        await driver.press("ctrl+r")
        await driver.wait_for(lambda: "A worker is running" in driver.text())
        await driver.wait_for(lambda: driver.app.session.num_running())
    assert orders.has_worker(store, plan.name)
    async with console(store) as driver:
        screen = await opened(driver)
        assert screen.study_name == plan.name
        await driver.wait_for(lambda: "Nothing is left to do" in driver.text(), 60)
        assert [cell.state for cell in screen.now.cells] == [State.FINISHED] * 4  # type: ignore[union-attr]
        assert "4 finished" in driver.text()


@pytest.mark.slow
@driven
async def test_a_paused_worker_starts_nothing_and_x_stops_what_trains(store: Store) -> None:
    plan = plan_study(store, seeds=2, epochs=200)
    with ended_after(store):
        async with console(store) as driver:
            screen = await opened(driver, worker("slow"))
            await driver.press("ctrl+r")
            await driver.wait_for(lambda: screen.cell is not None and screen.cell.state == State.RUNNING)
            await driver.press("P")
            await driver.wait_for(lambda: study_queue.load(store, plan.name).is_paused)
            running = screen.cell
            assert running is not None
            await driver.wait_for(lambda: driver.app.session.watcher.states.get(running.run_id) is State.RUNNING)
            await driver.press("x")
            await driver.wait_for(lambda: driver.app.session.watcher.states.get(running.run_id) is State.STOPPED)
            await driver.wait_for(lambda: not driver.app.session.watcher.stopping)
            cells = {cell.index: cell for cell in planned_runs.status(store, plan)}
            assert cells[running.index].state == State.STOPPED
            assert [cells[index].state for index in range(4) if index != running.index] == [State.QUEUED] * 3
            assert orders.has_worker(store, plan.name)


@contextlib.contextmanager
def ended_after(store: Store) -> Iterator[None]:
    """End the worker of this test, by the id it wrote down, and what it started."""
    try:
        yield
    finally:
        words = orders.log_path(store).read_text().split()
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(words[words.index("worker") + 1]), signal.SIGKILL)
        for run_id in store.ids():
            with contextlib.suppress(LaunchError):  # It had ended.
                stopping.kill(store, run_id)


@driven
async def test_what_a_worker_said_last_is_told_and_not_obeyed(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "_START_SECONDS", 0.0)
    orders.place(store, Order(study=plan_study(store).name))
    orders.log_path(store).write_bytes(b"begin\nerror: no \x1b]0;evil\x07 [b]data[/b] \xff\n\n")
    async with console(store) as driver:
        await opened(driver)
        text = driver.text()
        assert "error: no \\x1b]0;evil\\x07 [b]d" in text
        assert "\x1b" not in text
        orders.withdraw(store, "mine")
        await driver.wait_for(lambda: "No worker is running" in driver.text() and "error" not in driver.text())


@pytest.mark.parametrize("make", ["link", "pipe"])
def test_a_log_that_is_no_regular_file_says_nothing(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: str
) -> None:
    monkeypatch.setattr(source, "_START_SECONDS", 0.0)
    plan = plan_study(store)
    orders.place(store, Order(study=plan.name))
    log = orders.log_path(store)
    (tmp_path / "private").write_text("secret")
    if make == "link":
        log.symlink_to(tmp_path / "private")
    else:
        os.mkfifo(log)
    now = source.load(store, source.Engines(), plan.name).now
    assert now is not None
    assert now.last_log_line == ""


# What is drawn


def texts_of(cells: list[PlannedRun], width: int, *, turn: int | None = None) -> list[dict[str, str]]:
    """What each row shows in a table of a width, by column."""
    fitted = fit(queue_view.columns_of(cells), width)
    row_texts = []
    for cell in cells:
        row = queue_view.QueueRow(cell, turn)
        row_texts.append({column.key: column.cell(row, None, room)[0] for column, room in fitted})
        assert all(len(column.cell(row, None, room)[0]) <= room for column, room in fitted)
    return row_texts


def test_groups_that_are_no_variants_are_called_groups_as_on_the_command_line() -> None:
    tanh = PlannedRun(index=0, variant="tanh", seed=0, state=State.FINISHED, group="tanh")
    fast = PlannedRun(index=1, variant="baseline", seed=0, state=State.FINISHED, group="learning-rate-0.05")
    titles = [[column.title for column in queue_view.columns_of(cells)] for cells in ([tanh], [tanh, fast])]
    assert [one[1] for one in titles] == ["variant", "group"]


def test_a_row_says_why_a_cell_failed_and_when_one_starts() -> None:
    failed = PlannedRun(index=1, variant="low-dropout", seed=12, state=State.FAILED, reason="diverged", epochs=100)
    values = {"turn": "", "group": "low-dropout", "seed": "12", "state": "✗ failed (diverged)", "epochs": "0/100"}
    assert texts_of([failed], 80) == [values]
    planned = PlannedRun(index=2, variant="tanh", seed=0, state=PlannedRunState.PLANNED, epochs=5)
    values = {"turn": "3", "group": "tanh", "seed": "0", "state": "∙ planned", "epochs": "0/5"}
    assert texts_of([planned], 80, turn=3) == [values]


def test_what_tells_cells_apart_is_shown_before_the_names_of_their_runs() -> None:
    def cell(variant: str, seed: int, done: int) -> PlannedRun:
        return PlannedRun(
            index=seed,
            variant=variant,
            seed=seed,
            state=State.STOPPED if done else PlannedRunState.PLANNED,
            run_id="some-run",
            num_epochs_done=done,
            epochs=5,
            swept="learning rate 0.003",
        )

    cells = [cell("tanh", 0, 2), cell("baseline", 1, 0)]
    for width, keys in (
        (120, {"turn", "group", "seed", "state", "epochs", "tried", "run"}),
        (74, {"turn", "group", "seed", "state", "epochs", "tried"}),
        (60, {"turn", "group", "seed", "state", "tried"}),
    ):
        assert texts_of(cells, width)[0].keys() == keys, width
        assert texts_of(cells, width)[0]["tried"] == "learning rate 0.003"


def test_what_all_cells_have_leaves_its_room_to_what_they_are_tried_with() -> None:
    configs = plan_configs("readings", ["baseline"], [0], {})
    cells = [
        PlannedRun(
            index=index,
            variant=config.variant,
            seed=config.seed,
            state=State.FINISHED,
            num_epochs_done=100,
            epochs=100,
            swept=swept_text("readings", config),
        )
        for index, config in enumerate(configs)
    ]
    rows = texts_of(cells, 78)
    assert [set(row) for row in rows] == [{"turn", "state", "tried"}] * 36
    assert rows[0]["tried"] == "literal32, decay of weights, mirroring yes, lr 0.003"
    assert rows[-1]["tried"] == "keras-same, decay of the rate, mirroring no, lr 0.01"
    assert texts_of(cells, 46)[0] == {"state": "✓ finished", "tried": "literal32, weights, yes, 0.003"}
    assert texts_of(cells, 38)[0] == {"tried": "literal32, weights, yes, 0.003"}


@pytest.mark.parametrize("protocol", [name for name, one in PROTOCOLS.items() if one.swept])
def test_what_tells_cells_apart_is_shown_at_80_columns(protocol: str) -> None:
    configs = plan_configs(protocol, list(PROTOCOLS[protocol].variants), [0], {})
    cells = [
        PlannedRun(
            index=index,
            variant=config.variant,
            seed=config.seed,
            state=State.FAILED,
            reason="diverged",
            swept=swept_text(protocol, config),
            epochs=100,
        )
        for index, config in enumerate(configs)
    ]
    rows = texts_of(cells, 80)
    assert len({(row["group"], row["tried"]) for row in rows}) == len(rows), "all have one seed"


@driven
async def test_of_a_study_of_several_front_ends_the_head_names_none(store: Store) -> None:
    planning.plan_variants(store, "mine", variants=["baseline"], seeds=[0], overrides={}, protocol="readings")
    async with console(store, size=(120, 30)) as driver:
        await opened(driver)
        assert "3 front ends on cifar10" in said(driver)
        assert "literal32 on" not in said(driver)


def test_the_legend_names_each_sign_once() -> None:
    states = (
        State.RUNNING,
        State.FINISHED,
        PlannedRunState.DELETED,
        State.FINISHED,
        PlannedRunState.CANCELLED,
        State.LOST,
    )
    cells = [PlannedRun(index=index, variant="tanh", seed=index, state=state) for index, state in enumerate(states)]
    assert queue_view.legend(cells).plain == "● running   ✓ finished   − deleted or cancelled   ? crashed"


def test_no_two_states_have_one_sign_on_a_terminal_without_unicode() -> None:
    alike = {State.LOST: PlannedRunState.UNREADABLE, PlannedRunState.CANCELLED: PlannedRunState.DELETED}
    states = {*State, *PlannedRunState} - {*alike.values()}
    cells = [PlannedRun(index=index, variant="tanh", seed=index, state=state) for index, state in enumerate(states)]
    assert len({to_ascii(queue_view.sign_of(cell)) for cell in cells}) == len(states) == 9


@driven
async def test_a_click_chooses_a_cell_and_the_wheel_scrolls(store: Store) -> None:
    plan_study(store, seeds=12)
    async with console(store) as driver:
        screen = await opened(driver)
        assert "∙ planned" in driver.text()
        await driver.pilot.click("#queue", offset=(4, 3))
        assert (screen.table.cursor, screen.cell and screen.cell.index) == (2, 2)
        screen.table.scroll_down(animate=False)
        await driver.wait_for(lambda: screen.table.scroll_offset.y > 0)
        await driver.pilot.click("#queue", offset=(4, 3), times=2)
        await driver.wait_for(lambda: any("no run to look at" in one for one in driver.notifications()))
        assert screen.table.cursor > 2


@driven
async def test_a_running_cell_has_a_bar_and_says_where_it_trains_and_the_tab_how_far_the_study_is(store: Store) -> None:
    plan = plan_study(store, epochs=4)
    first, second, *_ = planned_runs.prepare(store, plan)
    for run_id, done in ((first, 4), (second, 2)):
        with open_writer(store.path(run_id)) as writer:
            writer.write(started(plan.configs[0]))
            for epoch in range(1, done + 1):
                writer.write(curve(epoch, 4))
            if done == 4:
                writer.write(ev.Finished(epoch=4, step=40, train_seconds=4.0, elapsed_seconds=5.0))
    lock = take_lock(store.path(second))
    write_owner(lock, os.getpid(), 0.0)
    try:
        async with console(store, size=(120, 30)) as driver:
            screen = await opened(driver)
            lines = driver.text().splitlines()
            assert "5 Studies 1/6" in lines[0]
            assert any(line.split()[:3] == ["baseline", "✓━━━━", "○────"] for line in lines)
            assert any(line.split()[:2] == ["tanh", "●━━──"] for line in lines), lines
            row = next(line for line in lines if "● running" in line and "2/4" in line)
            assert socket.gethostname() in row
            assert "cpu · " in row
            assert "ETA" in row
            y = next(y for y, line in enumerate(lines) if "○────" in line and "tanh" in line)
            await driver.pilot.click(offset=(lines[y].index("○────") + 2, y))
            assert screen.cell is not None
            assert (screen.cell.group, screen.cell.seed) == ("tanh", 1), "a click on the grid chooses"
            narrow = queue_view.grid(screen.now, None, 20, cursor="bold").plain if screen.now else ""
            assert "━" not in narrow
            assert "●" in narrow, "the sign stays where there is no room for bars"
    finally:
        os.close(lock)


def test_only_whole_plans_have_a_grid(store: Store) -> None:
    assert queue_view.has_grid(plan_study(store), 78)
    config = plan_study(store, "other").configs[0]
    queued = planning.queue_plan(store, [config])
    assert not queue_view.has_grid(queued, 78)
    planning.plan_variants(store, "tried", variants=["baseline"], seeds=[0, 1], overrides={}, protocol="readings")
    for name, text in (
        ("tried", "1 variant x 2 seeds x 36 combinations = 72 runs · 72 planned · readings"),
        (queued.name, "1 run from the form New run"),
        ("other", "2 variants x 3 seeds = 6 runs"),
    ):
        assert text in queue_view.head(source.read(store, source.Engines(), name), (), 120, {}).plain
    assert not queue_view.has_grid(plan_study(store, "wide", seeds=40), 78)


def test_below_each_seed_of_the_grid_are_its_cells_or_there_is_none(store: Store) -> None:
    seeds = range(1000, 1010)
    plan = planning.plan_variants(store, "long", variants=["baseline", "tanh"], seeds=seeds, overrides={})
    now = source.read(store, source.Engines(), "long")
    head, *rows = queue_view.grid(now, None, 78, cursor="bold").plain.splitlines()
    for line in rows[: len(plan.group_names)]:
        assert [place for place, sign in enumerate(line) if sign == PLANNED] == [
            head.index(str(seed)) for seed in seeds
        ]
    assert queue_view.has_grid(plan, 78)
    assert not queue_view.has_grid(plan, 60)
    assert not queue_view.has_grid(msgspec.structs.replace(plan, seeds=[]), 78), "somebody wrote it by hand"


@pytest.mark.parametrize("name", ["mine/lock", ".worker/lock", ".worker/orders.json", "mine/slurm.json"])
def test_attack_10_a_file_of_a_study_that_is_a_link_or_a_pipe_ends_nothing(store: Store, name: str) -> None:
    planning.plan_variants(store, "mine", variants=["baseline"], seeds=[0])
    engines, place = source.Engines(), store.root / "studies" / name
    place.parent.mkdir(exist_ok=True)
    for is_link in (True, False):
        place.symlink_to("/etc/passwd") if is_link else os.mkfifo(place)
        assert source.stamp(store, engines, "mine") == source.stamp(store, engines, "mine")
        seen = source.load(store, engines, "mine")
        assert bool(seen.problem) == name.endswith("lock")
        place.unlink()
