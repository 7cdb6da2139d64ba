"""Acts on runs that somebody else changed a moment ago: deleted them, or wrote more than our fields hold."""

import json
import shutil

import pytest
from console_driver import console, driven
from fake_runs import write_run

from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.runs.notes import Notes
from alexnet_tui.runs.store import Store
from alexnet_tui.tui import run_actions
from alexnet_tui.tui.screens.runs.screen import RunsScreen


@driven
async def test_what_just_vanished_is_said_to_be_gone(store: Store) -> None:
    run_id = write_run(store, RunConfig(epochs=1)).id
    async with console(store) as c:
        shutil.rmtree(store.path(run_id))
        for key in ("D", "y"):
            await c.press(key)
            assert isinstance(c.app.screen, RunsScreen)
            assert c.notifications() == [f"{run_id} is gone."]
            c.app.clear_notifications()
        await c.press("enter", "y")
        assert c.notifications() == ["No such run: it was deleted, or its record cannot be read."]


@driven
async def test_a_run_that_nobody_knows_any_more_gets_no_label(store: Store) -> None:
    run_id = write_run(store, RunConfig(epochs=1)).id
    async with console(store) as c:
        shutil.rmtree(store.path(run_id))
        c.app.session.watcher.drop(run_id)
        run_actions.edit_label(c.app.screen, c.app.session, run_id)
        await c.pilot.pause()
        await c.type("mine")
        await c.press("enter")
        assert "there is no run" in c.notifications()[-1]


@driven
async def test_files_that_vanish_while_they_are_measured_count_for_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = write_run(store, RunConfig(epochs=1)).id
    folder = store.path(run_id)
    async with console(store) as c:
        before = run_actions.deletion_summary(c.app.session, run_id, folder)
        monkeypatch.setattr("os.walk", lambda top: [(str(top), [], ["nothing"])])
        assert run_actions.deletion_summary(c.app.session, run_id, folder).endswith("0 B")
        assert not before.endswith("0 B")


@driven
async def test_text_longer_than_the_field_is_neither_cut_nor_rewritten(store: Store) -> None:
    run_id = write_run(store, RunConfig(epochs=1)).id
    notes = Notes(label="l" * 300, tags=["t" * 500], note="n" * 3000 + "\nsecond \x1b line")
    store.save_notes(run_id, notes)
    async with console(store) as c:
        for key in ("L", "T", "N"):
            await c.press(key, "enter")
        assert store.notes(run_id) == notes
        await c.press("L", "home", "delete", "enter")
        assert store.notes(run_id).label == "l" * 299
    assert json.loads((store.path(run_id) / "notes.json").read_text())["note"] == notes.note
