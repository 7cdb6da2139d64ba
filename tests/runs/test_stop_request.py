"""A running run that was asked to stop: every view says so until it has stopped, and none offers it again."""

import os
from collections.abc import Iterator

import pytest
from cli_caller import Run
from console_driver import console, driven
from fake_runs import curve, open_writer, started

from alexnet_tui.locks import LOCK_FILE, take_lock, write_owner
from alexnet_tui.runs.state import State
from alexnet_tui.runs.stop_request import STOP_FILE, is_stopping
from alexnet_tui.runs.store import Store
from alexnet_tui.studies import planned_runs, planning
from alexnet_tui.tui.screens.studies.screen import StudiesScreen


@pytest.fixture
def run_id(store: Store) -> Iterator[str]:
    """A run of the study `mine` that trains."""
    plan = planning.plan_variants(
        store, "mine", variants=["tanh"], seeds=[0], overrides={"epochs": "4", "data": "synthetic"}
    )
    (run_id,) = planned_runs.prepare(store, plan)
    with open_writer(store.path(run_id)) as writer:
        writer.write(started(plan.configs[0]))
        writer.write(curve(1, 4))
    lock = take_lock(store.path(run_id))
    write_owner(lock, os.getpid(), 1.0)
    yield run_id
    os.close(lock)


def ask_to_stop(store: Store, run_id: str) -> None:
    folder = store.path(run_id)
    (folder / STOP_FILE).write_bytes((folder / LOCK_FILE).read_bytes())


def test_only_the_process_that_was_asked_is_stopping(store: Store, run_id: str) -> None:
    folder = store.path(run_id)
    assert not is_stopping(folder, State.RUNNING)
    ask_to_stop(store, run_id)
    assert is_stopping(folder, State.RUNNING)
    assert not is_stopping(folder, State.STOPPED)
    for other in (b"{", b'{"pid":1,"host":"elsewhere","start_seconds":1.0}'):
        (folder / STOP_FILE).write_bytes(other)
        assert not is_stopping(folder, State.RUNNING)


def test_commands_say_so(store: Store, run_id: str, run: Run) -> None:
    commands = [("runs",), ("show", run_id), ("study", "status", "mine")]
    assert not any("stopping" in run(*command).out for command in commands)
    ask_to_stop(store, run_id)
    assert all("stopping" in run(*command).out for command in commands)


@pytest.mark.slow
@driven
async def test_screens_say_so_and_do_not_offer_it_again(store: Store, run_id: str) -> None:
    async with console(store, size=(120, 30)) as c:
        await c.wait_for(lambda: "● running" in c.text())
        await c.press("enter")
        await c.wait_for(lambda: "x Stop" in c.text())
        ask_to_stop(store, run_id)
        await c.wait_for(lambda: "● stopping" in c.text() and "x Stop" not in c.text())
        await c.press("x")
        await c.wait_for(lambda: any("is stopping already" in one for one in c.notifications()))
        await c.press("1")
        await c.wait_for(lambda: "● stopping" in c.text())
        await c.press("5")
        await c.wait_for(lambda: isinstance(c.app.screen, StudiesScreen) and "● stopping" in c.text())
        (store.path(run_id) / STOP_FILE).unlink()
        await c.wait_for(lambda: "● running" in c.text())
