"""Acts on runs that somebody else changed a moment ago: deleted them, or wrote more than our fields hold."""

import asyncio
import json
import os
import resource
import shlex
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from console_driver import Driver, console, driven, running
from fake_runs import open_writer, write_run
from picture_runs import trained
from textual import events
from textual.widgets import Input
from waiting import wait_for

from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.launch import registry
from alexnet_tui.launch.engine import Launch
from alexnet_tui.locks import take_lock
from alexnet_tui.runs import events as ev
from alexnet_tui.runs.notes import Notes
from alexnet_tui.runs.store import Store
from alexnet_tui.studies import ledger, planning
from alexnet_tui.tui import note_edits, run_actions
from alexnet_tui.tui.app import ConsoleApp
from alexnet_tui.tui.screens.runs.screen import RunsScreen
from alexnet_tui.tui.watch import watch_loop
from alexnet_tui.tui.widgets import bars
from alexnet_tui.tui.widgets.dialogs import ChoiceScreen, TextScreen

_NOTE_RUN = "import sys; open(sys.argv[1], 'a').write(' '.join(sys.argv[2:]) + chr(10))"
"""In place of a trainer: adds a line with what it was told."""


@driven
async def test_marked_runs_and_the_one_under_the_cursor_are_asked_for_by_the_names_of_the_list(store: Store) -> None:
    for seed in range(4):
        write_run(store, RunConfig(epochs=1, seed=seed, learning_rate=0.1), label="" if seed else "mine")
    async with console(store) as c:
        await c.press("space", "space", "space", "D")
        for text in ("Delete which?", "3 marked runs: baseline s3; baseline s2; …", "mine, under the cursor"):
            assert text in c.text()


@driven
async def test_what_just_vanished_is_said_to_be_gone(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch_loop, "_QUIET_SECONDS", 60.0)  # The row is still there when the key is pressed.
    run_id = write_run(store, RunConfig(epochs=1)).id
    async with console(store) as c:
        shutil.rmtree(store.path(run_id))
        await c.press("D")
        await c.wait_for(lambda: f"{run_id} is gone." in c.text())
        await c.press("n")
        assert isinstance(c.app.screen, RunsScreen)
        for keys in (("y",), ("enter", "y")):
            await c.press(*keys)
            await c.wait_for(lambda: c.notifications() == [f"{run_id} is gone."])
            c.clear_notifications()


@driven
async def test_a_run_that_nobody_knows_any_more_gets_no_label(store: Store) -> None:
    run_id = write_run(store, RunConfig(epochs=1)).id
    async with console(store) as c:
        shutil.rmtree(store.path(run_id))
        c.app.session.watcher.drop(run_id)
        note_edits.edit_label(c.app.screen, c.app.session, [run_id])
        await c.pilot.pause()
        await c.type("mine")
        await c.press("enter")
        await c.wait_for(c.notifications)
        assert "there is no run" in c.notifications()[-1]


@driven
async def test_files_that_vanish_while_they_are_measured_count_for_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = write_run(store, RunConfig(epochs=1)).id
    async with console(store) as c:
        before = run_actions.deletion_summary(c.app.session, run_id)
        monkeypatch.setattr("os.walk", lambda top: [(str(top), [], ["nothing"])])
        assert run_actions.deletion_summary(c.app.session, run_id).endswith("0 B")
        assert not before.endswith("0 B")


@driven
async def test_a_planned_run_that_is_deleted_leaves_its_line_in_the_ledger(store: Store) -> None:
    plan = planning.plan_variants(
        store, "mine", variants=["tanh"], seeds=[0], overrides={"epochs": "1", "data": "synthetic"}
    )
    run_id = write_run(store, plan.configs[0], study=plan.name, plan_sha256=plan.sha256).id
    async with console(store) as c:
        await c.press("D", "y")
        await c.wait_for(lambda: not store.ids())
        await c.wait_for(lambda: any("Deleted" in one for one in c.notifications()))
    found = ledger.read_file(store.root / "studies" / "mine" / ledger.LEDGER_FILE)
    assert [(entry.kind, entry.run, entry.outcome) for entry in found.entries] == [
        ("registered", "", ""),
        ("started", run_id, ""),
        ("ended", run_id, "finished"),
        ("deleted", run_id, "finished"),
    ]


@driven
async def test_many_planned_runs_are_deleted_together_and_told_in_one_message(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = planning.plan_variants(
        store, "mine", variants=["tanh"], seeds=range(8), overrides={"epochs": "1", "data": "synthetic"}
    )
    runs = [write_run(store, one, study=plan.name, plan_sha256=plan.sha256).id for one in plan.configs]
    written, append = list[Path](), ledger.append_made

    def counted(folder: Path, make: Callable[[ledger.Ledger], Sequence[ledger.Entry]]) -> ledger.Ledger:
        written.append(folder)
        return append(folder, make)

    monkeypatch.setattr(ledger, "append_made", counted)
    async with console(store) as c:
        c.app.session.toggle_marks(runs)
        await c.press("D")
        await c.wait_for(lambda: "Study mine planned 8 of these runs" in c.text())
        lines = c.text().splitlines()
        (more,) = [number for number, line in enumerate(lines) if "and 2 more" in line]
        assert "tanh s5: 1 of 1 epoch, " in lines[more - 1], "as the list calls it"
        assert "Study mine planned" in lines[more + 1]
        locks = [take_lock(store.path(run_id)) for run_id in runs[1:4]]  # Trainers begin while one reads the question.
        try:
            await c.press("y")
            await c.wait_for(c.notifications)
        finally:
            for lock in locks:
                os.close(lock)
        (told,) = c.notifications()
        assert told.startswith("Deleted 5 runs. ")
        assert f"run {runs[1]} is being trained" in told
        assert told.endswith(" 2 more runs could not be deleted.")
    assert sorted(store.ids()) == sorted(runs[1:4])
    found = ledger.read_file(store.root / "studies" / "mine" / ledger.LEDGER_FILE)
    gone = {entry.run: entry.outcome for entry in found.entries if entry.kind == "deleted"}
    assert gone == dict.fromkeys([runs[0], *runs[4:]], "finished")
    assert len(written) == 2


@driven
async def test_what_became_of_several_runs_is_one_message(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch_loop, "_QUIET_SECONDS", 60.0)  # The rows are still there when the keys are pressed.
    runs = [store.create(RunConfig(epochs=1, seed=seed)).id for seed in range(4)]
    async with console(store) as c:
        c.app.session.toggle_marks(runs)
        for run_id in runs[1:]:
            shutil.rmtree(store.path(run_id))
        await c.press("T", "x", "enter")
        await c.wait_for(c.notifications)
        (told,) = c.notifications()
        assert told.startswith("Tags of 1 run saved. ")
        assert f"there is no run '{runs[1]}'" in told
        assert told.endswith(" 2 more runs could not be changed.")
        assert store.notes(runs[0]).tags == ["x"]
        c.clear_notifications()
        shutil.rmtree(store.path(runs[0]))
        await c.press("R")
        await c.wait_for(lambda: len(c.notifications()) == 2)
        starting, told = c.notifications()
        assert starting == "Starting 4 runs."
        assert f"there is no run '{runs[0]}'" in told
        assert told.endswith(" 3 more runs could not be started.")


@driven
async def test_text_longer_than_the_field_is_neither_cut_nor_rewritten(store: Store) -> None:
    run_id = write_run(store, RunConfig(epochs=1)).id
    notes = Notes(label="l" * 300, tags=["t" * 500], note="n" * 3000 + "\nsecond \x1b line")
    store.change_notes(run_id, lambda _: notes)
    async with console(store) as c:
        for key in ("L", "T", "N"):
            await c.press(key, "enter")
        assert store.notes(run_id) == notes
        await c.press("L", "home", "delete", "enter")
        await c.wait_for(lambda: store.notes(run_id).label == "l" * 299)
    assert json.loads((store.path(run_id) / "notes.json").read_text())["note"] == notes.note


@driven
async def test_a_paste_that_does_not_fit_is_refused_in_a_sentence_and_the_note_stays(store: Store) -> None:
    run_id = write_run(store, RunConfig(epochs=1)).id
    store.change_notes(run_id, lambda _: Notes(note="precious"))
    async with console(store) as c:
        await c.press("N")
        c.app.post_message(events.Paste("P" * 300_000))
        await c.wait_for(lambda: "Too long: the field holds 2,000 characters." in c.text())
        await c.press("x", "backspace")
        await c.wait_for(lambda: "Too long" not in c.text())
        await c.press("enter")
        assert store.notes(run_id) == Notes(note="precious")
        await c.press("N")
        c.app.post_message(events.Paste(" and\r\nof two\nlines"))
        await c.press("enter")
        await c.wait_for(lambda: store.notes(run_id).note == "precious and of two lines")


@driven
async def test_an_empty_label_leaves_the_name_that_the_dialog_tells_of(store: Store) -> None:
    plain = write_run(store, RunConfig(epochs=1, seed=7)).id
    made = write_run(store, RunConfig(epochs=1, seed=8), label="made so").id
    for run_id in (plain, made):
        store.change_notes(run_id, lambda _: Notes(label="mine"))
    async with console(store) as c:
        rows = {row.id: row for row in c.runs.shown}
        assert {row.name for row in rows.values()} == {"mine"}
        for _ in rows:
            await c.press("L")
            assert "Empty shows the label it was made with, or else variant and seed." in c.text()
            await c.press("end", "ctrl+u", "enter")
            await c.press("down")
        names = {plain: "baseline s7", made: "made so"}
        await c.wait_for(lambda: {row.id: row.name for row in c.runs.shown} == names)


@pytest.mark.slow
@driven
async def test_fault_07_a_note_that_does_not_fit_on_the_disk_is_asked_for_again_as_it_was_typed(store: Store) -> None:
    run_id = write_run(store, RunConfig(epochs=1)).id
    async with console(store) as c:
        for key, text in (("N", "a long story"), ("L", "mine"), ("T", "one")):
            await c.press(key)
            await c.type(text)
            with full_disk():
                await c.press("enter")
                await c.wait_for(lambda: "cannot be saved" in "".join(c.notifications()))
                await c.wait_for(lambda: isinstance(c.app.screen, TextScreen))
            c.clear_notifications()
            assert c.app.screen.query_one(Input).value == text
            await c.press("enter")
            await c.wait_for(c.notifications)
            c.clear_notifications()
        assert store.notes(run_id) == Notes(label="mine", tags=["one"], note="a long story")


@contextmanager
def full_disk() -> Iterator[None]:
    """No file of this process can grow."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)


def of_group(store: Store, count: int = 3) -> list[str]:
    return [write_run(store, RunConfig(epochs=1, seed=seed)).id for seed in range(count)]


@driven
async def test_tags_of_several_runs_change_by_what_was_added_and_removed(store: Store) -> None:
    first, second = of_group(store, 2)
    store.change_notes(first, lambda _: Notes(tags=["a", "both"]))
    store.change_notes(second, lambda _: Notes(tags=["b", "both"]))
    async with console(store) as c:
        note_edits.edit_tags(c.app.screen, c.app.session, [first, second])
        await c.pilot.pause()
        field = c.app.screen.query_one(Input)
        assert set(field.value.split()) == {"a", "b", "both"}
        field.value = field.value.replace("both", "c,d, e,")
        await c.press("enter")
        await c.wait_for(lambda: store.notes(second).tags == ["b", "c", "d", "e"])
        assert store.notes(first).tags == ["a", "c", "d", "e"]


@driven
async def test_a_label_that_is_saved_late_is_shown_to_who_went_on_to_the_run(store: Store) -> None:
    run_id = write_run(store, RunConfig(epochs=1)).id
    async with console(store) as c:
        await c.press("L")
        await c.type("mine")
        goes_on = threading.Event()
        c.app.session.executors["notes"].submit(goes_on.wait)  # Another viewer holds the lock.
        await c.press("enter", "enter")
        await c.wait_for(lambda: run_id in c.text().splitlines()[2])
        goes_on.set()
        await c.wait_for(lambda: "mine" in c.text().splitlines()[2])


@driven
async def test_typing_in_a_note_adds_to_it(store: Store) -> None:
    run_id = write_run(store, RunConfig(epochs=1)).id
    store.change_notes(run_id, lambda _: Notes(note="long precious note"))
    async with console(store) as c:
        await c.press("N", "exclamation_mark", "enter")
        await c.wait_for(lambda: store.notes(run_id).note == "long precious note!")


@pytest.mark.parametrize(
    ("answer", "kept"), [("1", "begun, mine"), ("2", "theirs"), ("3", "theirs / begun, mine"), ("escape", "theirs")]
)
@driven
async def test_two_consoles_on_one_note_lose_neither(store: Store, answer: str, kept: str) -> None:
    run_id = write_run(store, RunConfig(epochs=1)).id
    store.change_notes(run_id, lambda _: Notes(note="begun"))
    async with console(store) as c:
        await c.press("N")
        await c.type(", mine")
        store.change_notes(run_id, lambda _: Notes(note="theirs", label="kept"))
        await c.press("enter")
        await c.wait_for(lambda: isinstance(c.app.screen, ChoiceScreen))
        assert store.notes(run_id).note == "theirs"
        await c.press(answer)
        await c.wait_for(lambda: store.notes(run_id) == Notes(note=kept, label="kept"))


@pytest.mark.parametrize(
    ("answer", "kept"), [("1", "mine"), ("2", "theirs"), ("3", "theirs / mine"), ("escape", "theirs")]
)
@driven
async def test_a_note_of_a_group_is_saved_for_all_runs_but_the_one_that_another_viewer_changed(
    store: Store, answer: str, kept: str
) -> None:
    runs = of_group(store)
    for run_id in runs:
        store.change_notes(run_id, lambda _: Notes(note="old"))
    async with console(store) as c:
        await c.press("g", "N", "ctrl+u")
        await c.type("mine")
        store.change_notes(runs[1], lambda _: Notes(note="theirs"))
        await c.press("enter")
        await c.wait_for(lambda: isinstance(c.app.screen, ChoiceScreen))
        assert [store.notes(run_id).note for run_id in runs] == ["mine", "theirs", "mine"]
        await c.press(answer)
        await c.wait_for(lambda: isinstance(c.app.screen, RunsScreen))
        await c.wait_for(lambda: [store.notes(run_id).note for run_id in runs] == ["mine", kept, "mine"])
        assert isinstance(c.app.screen, RunsScreen), "nothing more is asked"


@driven
async def test_paths_are_copied_whole_and_as_words_of_a_shell(tmp_path: Path) -> None:
    store = Store(tmp_path / "my runs")
    runs = of_group(store, 60)
    async with console(store) as c:
        run_actions.copy_folders(c.app.screen, c.app.session, runs)
        await c.wait_for(lambda: c.app.clipboard)
        assert len(c.app.clipboard) > 4000
        assert shlex.split(c.app.clipboard) == [str(store.path(run_id)) for run_id in runs]


@pytest.mark.slow
@driven
async def test_keys_on_a_group_act_on_all_its_runs(store: Store) -> None:
    runs = of_group(store)
    async with console(store) as c:
        await c.press("g", "L")
        await c.type("trio")
        await c.press("enter")
        await c.wait_for(lambda: [store.notes(run_id).label for run_id in runs] == ["trio"] * 3)
        await c.wait_for(lambda: "trio" in c.text())
        await c.press("N")
        await c.type("all")
        await c.press("enter")
        await c.wait_for(lambda: [store.notes(run_id).note for run_id in runs] == ["all"] * 3)
        await c.press("y")
        await c.wait_for(lambda: len(c.app.clipboard.split()) == 3)
        c.clear_notifications()
        await c.press("x", "R")
        assert c.notifications() == [
            "3 runs are not running.",
            "3 runs are running or finished; there is nothing to resume.",
        ]
        store.change_notes(runs[1], lambda _: Notes(note="other"))
        c.app.session.watcher.set_notes(runs[1], Notes(note="other"))
        await c.press("N")
        assert "different notes" in c.notifications()[-1]
        await c.press("L")
        assert "They have different labels" in c.text()
        await c.press("escape", "D", "y")
        await c.wait_for(lambda: store.ids() == [])


@driven
async def test_stop_and_resume_act_on_the_marked_runs(store: Store, tmp_path: Path) -> None:
    runs = [store.create(RunConfig(epochs=1, seed=seed)).id for seed in range(3)]
    async with console(store) as c:
        await c.press("space", "space", "up")
        marked = set(c.app.session.marked_run_ids)
        assert len(marked) == 2
        await c.press("x")
        assert c.notifications() == ["2 runs are not running."]
        started = tmp_path / "started"
        c.app.session.commands.trainer = (sys.executable, "-c", _NOTE_RUN, str(started))
        await c.press("R")
        await c.wait_for(lambda: started.exists() and len(started.read_text().splitlines()) == 2)
        assert {run_id for run_id in runs if run_id in started.read_text()} == marked
    await asyncio.to_thread(wait_for, lambda: not any(map(store.is_locked, runs)))


@driven
async def test_a_run_is_resumed_by_the_launcher_that_started_it(store: Store, tmp_path: Path) -> None:
    run_id = store.create(RunConfig(epochs=1)).id
    registry.note(store, run_id, Launch(launcher="torchrun", options={"nproc": ["2"]}))
    trainer = (sys.executable, "-c", "import sys; open(sys.argv[1], 'w').write(' '.join(sys.argv[2:]))")
    async with console(store) as c:
        started = tmp_path / "started"
        c.app.session.commands.trainer = (*trainer, str(started))
        await c.press("R")
        await c.wait_for(lambda: started.exists() and "--nproc 2" in started.read_text())
        await c.wait_for(lambda: any("--launcher torchrun --nproc 2" in one for one in c.notifications()))
    await asyncio.to_thread(wait_for, lambda: not store.is_locked(run_id))


@driven
async def test_messages_cover_neither_buttons_nor_axes(store: Store) -> None:
    run_id = write_run(store, RunConfig(epochs=4), epochs_done=2, finish=False).id
    async with console(store) as c:
        with trained(store, run_id):
            await c.wait_for(lambda: "1 running" in c.text() or "50%" in c.text().splitlines()[0])
            await c.press("2")
            await c.wait_for(lambda: "Start" in c.text())
            buttons = next(line for line in c.text().splitlines() if "Start" in line)
            with open_writer(store.path(run_id), next_seq=100) as writer:
                writer.write(ev.Finished(epoch=4, step=40, train_seconds=8, elapsed_seconds=9))
        await c.wait_for(lambda: "finished: best test" in c.text().splitlines()[-1])
        assert buttons in c.text().splitlines()
        assert not c.app._notifications


@driven
async def test_a_message_of_a_dialog_is_above_it(store: Store) -> None:
    write_run(store, RunConfig(epochs=1))
    app = ConsoleApp(store)
    async with running(app, (80, 24), notifications=True) as pilot:
        c = Driver(app, pilot)
        await c.press("s")
        await c.wait_for(lambda: "Sort by" in c.text())
        box = c.app.screen.query_one(".dialog").region
        await c.press("ctrl+c")
        await c.wait_for(lambda: "runs continue" in c.text().splitlines()[0])
        assert all(not toast.region.overlaps(box) for toast in c.app.screen.query("Toast"))


@driven
async def test_a_message_takes_the_place_of_the_keys_and_goes(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in (0, 1):
        write_run(store, RunConfig(epochs=1, seed=seed))
    async with console(store) as c:
        await c.press("c")
        last = c.text().splitlines()[-1]
        assert "Mark two or more runs" in last
        assert not c.app._notifications, "nothing is covered"
        monkeypatch.setattr(bars, "_MESSAGE_SECONDS", 0.05)
        await c.press("c")
        await c.wait_for(lambda: "enter Open" in c.text().splitlines()[-1])
        bar = c.runs.query_one(bars.KeyBar)
        bar.show_message("word " * 30 + "--train-images 500 --" + "x" * 60, is_error=True)
        await c.wait_for(lambda: "word word" in c.text().splitlines()[-4])
        lines = c.text().splitlines()[-4:]
        assert any("--train-images" in line for line in lines), "an option is not broken at its hyphens"
        assert all(line.startswith(" ") and len(line) < 80 for line in lines)
        assert " finished " in c.text(), "the rows keep their lines"
        assert c.app.screen.max_scroll_y == 0
