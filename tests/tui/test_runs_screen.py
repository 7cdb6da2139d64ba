"""The home screen, driven by its keys."""

import math
import os
import time
from pathlib import Path

import fake_trainer
import pytest
from console_driver import console, driven
from fake_runs import curve, make_older, open_writer, started, write_run
from picture_runs import trained
from rich.cells import cell_len
from textual import events
from textual.geometry import Region
from textual.widgets import Input, Static

from alexnet_tui.analysis.metrics import METRICS
from alexnet_tui.analysis.seed_noise import deviation
from alexnet_tui.config.first_run import FIRST_RUN, FIRST_RUN_WORDS
from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.locks import take_lock
from alexnet_tui.runs import events as ev
from alexnet_tui.runs.notes import Notes
from alexnet_tui.runs.run_ids import REFERENCE
from alexnet_tui.runs.state import State
from alexnet_tui.runs.store import Store
from alexnet_tui.tui.charts.widget import MetricChart
from alexnet_tui.tui.screens.compare.screen import CompareScreen
from alexnet_tui.tui.screens.new_run.screen import NewRunScreen
from alexnet_tui.tui.screens.run.screen import RunScreen
from alexnet_tui.tui.screens.runs.columns import COLUMNS, Context, columns_for, delta_to, delta_tone, format_age
from alexnet_tui.tui.screens.runs.preview import RunPreview
from alexnet_tui.tui.screens.runs.rows import rows_of
from alexnet_tui.tui.session import Session
from alexnet_tui.tui.settings import load_settings
from alexnet_tui.tui.watch import watch_loop
from alexnet_tui.tui.widgets.columns import GAP, fit, hidden_text
from alexnet_tui.tui.widgets.dialogs import ChoiceScreen, ConfirmScreen, TextScreen
from alexnet_tui.tui.widgets.help import HelpScreen

HOSTILE = "x [/] [@click=app.quit]y[/] \x1b]0;P\x07\x1b[2J\u202e"
SHOWN_HOSTILE = "x [/] [@click=app.quit]y[/] \\x1b]0;P\\x07\\x1b[2J\\u202e"
FINALS = {"baseline": 0.59, "low-dropout": 0.57, "tanh": 0.51, "four-conv": 0.61}


def make(store: Store, variant: str, seed: int = 0, *, age: int = 0, **changes: object) -> str:
    """A run of twenty epochs, made `age` seconds before the others."""
    config = RunConfig.from_text({"variant": variant, "seed": str(seed), "epochs": "20"})
    record = write_run(store, config, final=FINALS[variant], **changes)  # type: ignore[arg-type]
    make_older(store, record.id, created=1_700_000_000 - age)
    return record.id


@pytest.fixture
def four(store: Store) -> list[str]:
    """One finished run of each variant, the newest first."""
    return [make(store, variant, age=10 * index) for index, variant in enumerate(FINALS)]


@driven
async def test_all_runs_newest_first_with_their_figures(store: Store, four: list[str]) -> None:
    async with console(store) as c:
        assert c.shown == four
        lines = [line for line in c.text().splitlines() if "finished" in line]
        assert [line[1:].split()[2:4] for line in lines] == [[variant, "s0"] for variant in FINALS]
        best = c.runs.shown[0].best
        assert best is not None
        assert f"{100 * best:.2f}" in lines[0]
        assert "4 runs" in c.text().splitlines()[0]


@driven
async def test_moving_the_cursor(store: Store, four: list[str]) -> None:
    async with console(store) as c:
        assert c.cursor == four[0]
        for keys, where in (
            (("down",), 1),
            (("j",), 2),
            (("up",), 1),
            (("k",), 0),
            (("end",), 3),
            (("down",), 3),
            (("home",), 0),
            (("pagedown",), 3),
            (("pageup",), 0),
        ):
            await c.press(*keys)
            assert c.cursor == four[where], keys


@driven
async def test_a_long_table_scrolls_with_the_cursor(store: Store) -> None:
    ids = [make(store, "baseline", seed, age=seed) for seed in range(40)]
    async with console(store) as c:
        await c.press("end")
        assert c.cursor == ids[39]
        assert " s39 " in c.text()
        assert " s0 " not in c.text()
        await c.press("home")
        assert " s39 " not in c.text()


@pytest.mark.slow
@driven
async def test_filter_while_typing_counts_hits_and_is_remembered(store: Store, four: list[str]) -> None:
    async with console(store) as c:
        await c.press("slash")
        await c.type("best>58")
        assert c.shown == [four[0], four[3]]
        assert "2 of 4" in c.text()
        await c.press("enter")
        assert "2 of 4" in c.text()
        c.app.session.close()
        assert load_settings().folder(store.root).filter == "best>58"
    async with console(store) as c:
        assert c.shown == [four[0], four[3]]
        await c.press("escape")
        assert c.shown == four
        assert "of 4" not in c.text()


@pytest.mark.slow
@driven
async def test_escape_in_the_filter_brings_the_old_one_back(store: Store, four: list[str]) -> None:
    async with console(store) as c:
        await c.press("slash")
        await c.type("tanh")
        await c.press("enter", "slash")
        await c.type(" is:failed")
        assert c.shown == []
        await c.press("escape")
        assert c.shown == [four[2]]
        await c.press("space")  # The table has the keys again.
        assert c.app.session.marked_run_ids == [four[2]]


@driven
async def test_where_no_run_fits_the_filter_it_says_which_key_shows_all_again(store: Store, four: list[str]) -> None:
    async with console(store) as c:
        await c.press("slash")
        await c.type("zzz")
        assert "No run fits the filter:  ^u clears it" in c.text()
        await c.press("enter")
        assert "No run fits the filter:  esc shows all runs again" in c.text()
        await c.press("escape")
        assert c.shown == four
        assert "No run fits" not in c.text()


@pytest.mark.slow
@driven
async def test_a_filter_that_means_nothing_says_so_and_keeps_the_rows(store: Store, four: list[str]) -> None:
    async with console(store) as c:
        await c.press("slash")
        await c.type("variant=tanh")
        await c.type(" lr>=x")
        assert "needs a number" in c.text()
        assert c.shown == [four[2]]
        await c.press("enter")
        assert "needs a number" in c.text()
        assert c.app.screen.query_one("#filter", Input).value == "variant=tanh lr>=x"
        await c.press("backspace")
        await c.type("0.001")
        await c.press("enter")
        assert "needs a number" not in c.text()
        c.app.session.close()
        assert load_settings().folder(store.root).filter == "variant=tanh lr>=0.001"


@driven
async def test_every_pasted_line_narrows_and_a_filter_that_does_not_fit_is_refused(
    store: Store, four: list[str]
) -> None:
    async with console(store) as c:
        await c.press("slash")
        c.app.post_message(events.Paste("best>50\nbest<55\n"))
        await c.wait_for(lambda: c.shown == [four[2]])
        c.app.post_message(events.Paste("x" * 100_000))
        await c.wait_for(lambda: "Too long: the field holds 300 characters." in c.text())
        assert c.shown == [four[2]]
        await c.press("enter")
        assert "Too long" not in c.text()
        assert c.app.session.folder.filter == "best>50 best<55"


@pytest.mark.slow
@pytest.mark.parametrize("keys", [("escape",), ("enter",), ("t", "ctrl+u", "enter"), ("t", "escape")])
@driven
async def test_an_empty_filter_line_goes_when_it_is_left(store: Store, four: list[str], keys: tuple[str, ...]) -> None:
    async with console(store) as c:
        await c.wait_for(lambda: "Test accuracy" in c.text())
        await c.pilot.pause()
        before = c.text()
        for _ in range(3):
            await c.press("slash")
            assert c.text().splitlines()[1].startswith(" /")
            await c.press(*keys)
            await c.wait_for(lambda: c.text() == before)
        await c.press("slash")
        await c.type("tanh")
        await c.press("enter", "escape", "slash", "escape", "home")
        await c.wait_for(lambda: c.text() == before)


@driven
async def test_a_word_that_joins_others_is_answered_and_the_words_before_it_hold(store: Store, four: list[str]) -> None:
    async with console(store) as c:
        await c.press("slash")
        await c.type("tanh or")
        assert "words must all match; there is no 'or'." in c.text()
        assert c.shown == [four[2]]
        await c.press("ctrl+u")
        await c.type("best > 58")
        assert c.shown == [four[0], four[3]]


@driven
async def test_a_filter_line_left_by_tab_keeps_the_words_that_mean_something(store: Store, four: list[str]) -> None:
    async with console(store) as c:
        await c.press("slash")
        await c.type("variant=tanh foo=1")
        await c.press("tab")
        await c.wait_for(lambda: c.app.screen.focused is c.runs.table)
        await c.wait_for(lambda: "1 of 4" in c.text() and "foo" not in c.text())
        await c.press("escape", "slash")
        await c.type("foo=1")
        await c.press("tab")
        await c.wait_for(lambda: not c.text().splitlines()[1].startswith(" /"))
        assert c.shown == four
        await c.press("slash")
        await c.type("tanh")
        await c.press("tab")
        await c.wait_for(lambda: c.app.screen.focused is c.runs.table)
        c.app.session.close()
        assert load_settings().folder(store.root).filter == "tanh"


@driven
async def test_a_terminal_that_loses_the_focus_leaves_the_filter_line_open(store: Store, four: list[str]) -> None:
    async with console(store) as c:
        await c.press("slash")
        await c.type("variant=ta")
        c.app.post_message(events.AppBlur())
        await c.wait_for(lambda: not c.app.app_focus)
        await c.pilot.pause()
        c.app.post_message(events.AppFocus())
        await c.wait_for(lambda: c.app.app_focus)
        await c.type("nh")
        assert c.app.session.folder.filter == "variant=tanh"


@driven
async def test_the_cursor_moves_from_the_filter_line_too(store: Store, four: list[str]) -> None:
    async with console(store) as c:
        await c.press("slash", "down", "down")
        assert c.cursor == four[2]


@driven
async def test_runs_that_wait_come_after_those_begun_and_these_in_the_order_of_their_beginning(store: Store) -> None:
    planned = [store.create(RunConfig(), study="mine").id for _ in range(12)]
    second = make(store, "tanh", age=-20)
    for run_id in (planned[10], planned[1]):
        with open_writer(store.path(run_id)) as writer:
            writer.write(started(RunConfig()))
    make_older(store, planned[10], created=1_700_000_100)
    async with console(store) as c:
        assert c.shown == [planned[1], planned[10], second, *planned[:1], *planned[2:10], planned[11]]
        assert [row.begun is None for row in c.runs.shown] == 3 * [False] + 10 * [True]
        await c.press("3")
        assert isinstance(c.app.screen, RunScreen)
        assert c.app.screen.run_id == planned[1]


@pytest.mark.slow
@driven
async def test_sort_by_a_column_and_turn_it_round(store: Store, four: list[str]) -> None:
    best_first = [four[3], four[0], four[1], four[2]]
    async with console(store) as c:
        await c.press("s")
        assert isinstance(c.app.screen, ChoiceScreen)
        await c.press("9")
        assert c.shown == best_first
        assert "▼best %" in c.text()
        await c.press("s", "enter")
        assert c.shown == best_first[::-1]
    async with console(store) as c:
        assert c.shown == best_first[::-1]
        await c.press("s", "escape")
        assert c.shown == best_first[::-1]


@driven
async def test_runs_without_a_value_come_last_either_way(store: Store, four: list[str]) -> None:
    queued = store.create(RunConfig(seed=9)).id
    async with console(store) as c:
        for _ in range(2):
            await c.press("s", "9")
            assert c.shown[-1] == queued
            assert len(c.shown) == 5


@driven
async def test_the_order_is_told_by_a_head_at_any_width(store: Store, four: list[str]) -> None:
    async with console(store) as c:
        assert "t25" not in c.runs.table.columns
        await c.press("s", "e")
        assert "▲  T25" in c.text()
        await c.press("s", "b")
        assert c.notifications() == ["vs pin says nothing of these rows now; the newest are first."]
        assert "▼ age" in c.text()
        await c.press("p")
        assert "▼vs pin" in c.text()
        await c.press("p", "s", "1")
        assert "t25" not in c.runs.table.columns


@driven
async def test_a_click_on_a_head_sorts_by_it(store: Store, four: list[str]) -> None:
    async with console(store) as c:
        x = c.text().splitlines()[1].index("run")
        await c.pilot.click("RunsTable", offset=(x + 1, 0))
        await c.wait_for(lambda: c.shown == [four[0], four[3], four[1], four[2]])


@driven
async def test_the_mouse_marks_and_finds_the_keys_that_have_no_room(store: Store, four: list[str]) -> None:
    async with console(store) as c:
        await c.pilot.click("RunsTable", offset=(1, 2))
        assert c.app.session.marked_run_ids == [c.shown[1]] == [c.cursor]
        await c.pilot.click("RunsTable", offset=(1, 2), times=2)
        assert c.app.session.marked_run_ids == [c.shown[1]], "marked and unmarked, and not opened"
        bar = c.text().splitlines()[-1]
        await c.pilot.click("KeyBar", offset=(bar.index("…"), 0))
        await c.wait_for(lambda: isinstance(c.app.screen, HelpScreen))


@driven
async def test_group_by_all_but_the_seed(store: Store) -> None:
    seeds = [make(store, "baseline", seed, age=seed) for seed in range(3)]
    cut = make(store, "baseline", 3, age=9, epochs_done=2)
    other = make(store, "tanh", age=99)
    async with console(store) as c:
        await c.press("g")
        assert c.shown == [seeds[0], other]
        group = c.runs.shown[0]
        assert group.members == (*seeds, cut)
        assert group.num_counted == 3  # The one cut short says nothing about the others.
        each = [c.app.session.watcher.histories[run_id].best_test_accuracy or 0 for run_id in seeds]
        assert group.best == pytest.approx(sum(each) / 3)
        await c.wait_for(lambda: "n=3" in c.text())
        assert "spread" in c.runs.table.columns
        await c.press("g")
        assert c.shown == [*seeds, cut, other]
        c.app.session.close()
        assert load_settings().folder(store.root).is_grouped is False


@driven
async def test_a_filter_chooses_among_groups_and_leaves_their_runs_together(store: Store) -> None:
    seeds = [
        write_run(store, RunConfig(epochs=20, seed=seed), final=final).id
        for seed, final in enumerate((0.6, 0.66, 0.62))
    ]
    other = make(store, "tanh", age=99)
    async with console(store, size=(120, 45)) as c:
        each = [c.app.session.watcher.histories[run_id].best_test_accuracy or 0 for run_id in seeds]
        await c.press("g", "slash")
        for text, kept in (
            ("best>60", seeds[-1:]),
            ("is:grouped", seeds[-1:]),
            ("seed=0", [seeds[-1], other]),
            ("-is:grouped", [other]),
        ):
            await c.type(text)
            assert c.shown == kept, text
            for row in c.runs.shown:
                if row.is_group:
                    assert row.members == tuple(seeds)
                    assert row.best == pytest.approx(sum(each) / 3)
            await c.press("ctrl+u")


@pytest.fixture
def five(store: Store) -> list[str]:
    """Five seeds of one experiment, the last of which failed."""
    runs = [write_run(store, RunConfig(epochs=20, seed=seed)).id for seed in range(4)]
    end = ev.Failed(reason="oom", message="Out of memory.")
    return [*runs, write_run(store, RunConfig(epochs=20, seed=4), epochs_done=1, end=end).id]


@driven
async def test_of_a_group_only_the_runs_that_the_filter_asks_for_are_deleted(store: Store, five: list[str]) -> None:
    *finished, failed = five
    async with console(store) as c:
        await c.press("g")
        (group,) = c.runs.shown
        await c.press("slash")
        await c.type("is:failed")
        await c.press("enter")
        assert [row.members for row in c.runs.shown] == [tuple(five)]
        assert (c.runs.shown[0].best, c.runs.shown[0].num_counted) == (group.best, 4), "the means are those of all"
        await c.wait_for(lambda: "1 of 5" in c.text())
        await c.press("D")
        assert f"Delete {failed}?" in c.text()
        await c.press("y")
        await c.wait_for(lambda: any("Deleted" in text for text in c.notifications()))
        await c.wait_for(lambda: c.shown == [])
    assert set(store.ids()) == set(finished)


@driven
async def test_of_a_group_keys_act_on_the_runs_that_the_filter_asks_for(store: Store, five: list[str]) -> None:
    async with console(store) as c:
        await c.press("g", "slash")
        await c.type("seed>1 is:finished")
        await c.press("enter")
        await c.wait_for(lambda: "2 of 5" in c.text())
        await c.press("y")
        await c.wait_for(lambda: c.app.clipboard.split() == [str(store.path(one)) for one in five[2:4]])
        for key in ("L", "N", "T"):
            await c.press(key)
            await c.type("x")
            await c.press("enter")
        done, bare = Notes(label="x", tags=["x"], note="x"), Notes()
        await c.wait_for(lambda: [store.notes(one) for one in five] == [bare, bare, done, done, bare])
        await c.press("p")
        assert c.app.session.pinned_run_id == five[3]
        await c.press("space")
        assert c.app.session.marked_run_ids == five[2:4]
        await c.press("space")
        assert c.app.session.marked_run_ids == []
        await c.pilot.click("RunsTable", offset=(1, 1))
        assert c.app.session.marked_run_ids == five[2:4]
        await c.press("u", "enter")
        await c.wait_for(lambda: isinstance(c.app.screen, CompareScreen))
        assert isinstance(c.app.screen, CompareScreen)
        assert list(c.app.screen.run_ids) == five[2:4]
        await c.press("escape", "slash", "ctrl+u")
        await c.type("is:failed")
        await c.press("enter", "enter")
        await c.wait_for(lambda: isinstance(c.app.screen, RunScreen))
        assert isinstance(c.app.screen, RunScreen)
        assert c.app.screen.run_id == five[4]


@driven
async def test_the_preview_of_a_group_counts_seeds_and_names_what_its_runs_share(store: Store) -> None:
    for seed, threads in ((0, 2), (0, 1), (1, 1)):
        config = {"epochs": "2", "seed": str(seed), "threads": str(threads), "dropout": "0.3"}
        other_seed = write_run(store, RunConfig.from_text(config)).id
    async with console(store, size=(160, 45)) as c:
        await c.press("g")
        assert [len(row.members) for row in c.runs.shown] == [3]
        preview = c.runs.query_one(RunPreview)
        await c.wait_for(lambda: "2 seeds" in str(preview.facts))
        assert "dropout=0.3" in str(preview.facts)
        assert "threads" not in str(preview.facts)
        store.delete(other_seed)
        await c.wait_for(lambda: "baseline · 1 seed\n" in str(preview.facts))


@driven
async def test_grouping_where_no_runs_differ_in_their_seed_alone_says_so(store: Store, four: list[str]) -> None:
    async with console(store) as c:
        await c.press("g")
        assert (c.shown, len(c.notifications())) == (four, 1)
        assert "spread" not in c.runs.table.columns
        await c.press("g")
        assert len(c.notifications()) == 1


@driven
async def test_names_have_the_room_they_need_and_no_more(store: Store) -> None:
    for settings in ({"epochs": "2", "train_images": "250"}, {"epochs": "12", "train_images": "500"}):
        write_run(store, RunConfig.from_text(settings))
    async with console(store, size=(160, 45)) as c:
        await c.wait_for(lambda: "baseline s0 · epochs 12, train images 500  " in c.text())
    name = next(column for column in columns_for([]) if column.key == "name")
    assert name.max_width == name.width


@driven
async def test_the_column_of_names_follows_a_new_label(store: Store, four: list[str]) -> None:
    async with console(store, size=(200, 30)) as c:
        for label in ("a label of forty characters, to the last", "画像の実験" * 4, "short"):
            c.app.session.watcher.notes[four[1]] = Notes(label=label)
            c.runs.refresh_rows([four[1]])
            assert label in c.text()
            name = next(column for column in c.runs.table.all_columns if column.key == "name")
            assert name.max_width == max(name.width, cell_len(label))


@driven
async def test_pin_shows_deltas_in_every_row(store: Store, four: list[str]) -> None:
    elsewhere = make(store, "tanh", 7, age=99)
    path = store.path(elsewhere) / "run.json"
    path.write_text(path.read_text().replace('"cifar10"', '"cifar100"'))
    async with console(store) as c:
        assert "vs pin" not in c.text()
        await c.press("p")
        assert c.app.session.pinned_run_id == four[0]
        rows = [line for line in c.text().splitlines() if "finished" in line and " s7 " not in line]
        lines = {variant: line for variant in FINALS for line in rows if f" {variant} " in line}
        best = {row.config.variant: row.best or 0 for row in c.runs.shown if row.id != elsewhere}
        for variant in ("low-dropout", "tanh", "four-conv"):
            delta = f"{100 * (best[variant] - best['baseline']):+.2f}"
            assert delta in lines[variant].split()
        assert "base" in lines["baseline"].split()
        # Accuracies on other data are not compared.
        assert "–" in next(line for line in c.text().splitlines() if " s7 " in line)
    async with console(store) as c:
        assert c.app.session.pinned_run_id == four[0]
        await c.press("p")
        assert c.app.session.pinned_run_id is None
        assert "vs pin" not in c.text()


@driven
async def test_mark_moves_on_and_is_remembered(store: Store, four: list[str]) -> None:
    async with console(store) as c:
        await c.press("space", "space")
        assert c.app.session.marked_run_ids == four[:2]
        assert c.cursor == four[2]
        await c.press("home", "space")
        assert c.app.session.marked_run_ids == [four[1]]
    async with console(store) as c:
        assert c.app.session.marked_run_ids == [four[1]]
        assert "◆" in c.text()
        await c.press("slash")
        await c.type("is:marked")
        assert c.shown == [four[1]]
        await c.press("escape", "u")
        assert c.app.session.marked_run_ids == []


@driven
async def test_the_key_that_unmarks_passes_no_row_over_where_the_row_leaves_its_place(
    store: Store, four: list[str]
) -> None:
    async with console(store) as c:
        c.app.session.toggle_marks(four)
        await c.press("slash")
        await c.type("is:marked")
        await c.press("enter", "home")
        for number, run_id in enumerate(four):
            assert c.cursor == run_id
            await c.press("space")
            assert c.shown == four[number + 1 :]


@pytest.mark.slow
@driven
async def test_label_tags_and_note(store: Store, four: list[str]) -> None:
    async with console(store) as c:
        await c.press("L")
        assert isinstance(c.app.screen, TextScreen)
        await c.type("my run")
        await c.press("enter")
        await c.wait_for(lambda: store.notes(four[0]).label == "my run")
        await c.wait_for(lambda: "my run" in c.text())
        await c.press("T")
        await c.type("paper night paper")
        await c.press("enter", "N")
        await c.type("the first")
        await c.press("enter")
        await c.wait_for(
            lambda: store.notes(four[0]) == Notes(label="my run", tags=["paper", "night"], note="the first")
        )
        await c.press("L", "escape")
        await c.wait_for(lambda: store.notes(four[0]).label == "my run")
        await c.press("slash")
        await c.type("tag:night the first")
        await c.wait_for(lambda: c.shown == [four[0]])


@driven
async def test_tags_of_marked_runs_go_on_all_of_them(store: Store, four: list[str]) -> None:
    async with console(store) as c:
        await c.press("space", "space", "up", "T")
        await c.type("both")
        await c.press("enter")
        await c.wait_for(lambda: [store.notes(run_id).tags for run_id in four] == [["both"], ["both"], [], []])


@pytest.mark.slow
@driven
async def test_delete_names_what_is_lost_and_asks(store: Store, four: list[str]) -> None:
    (store.path(four[1]) / "checkpoints" / "e0010").mkdir(parents=True)
    (store.path(four[1]) / "checkpoints" / "e0010" / "weights").write_bytes(b"x" * 3_000_000)
    async with console(store) as c:
        await c.press("down", "D")
        assert isinstance(c.app.screen, ConfirmScreen)
        question = c.app.screen.query_one(".dialog-text", Static)
        await c.wait_for(lambda: "20 of 20 epochs, 1 checkpoint, 2.9 MiB" in str(question.content))
        assert "cannot be undone" in c.text()
        await c.press("enter")  # Not enough for what cannot be undone.
        assert isinstance(c.app.screen, ConfirmScreen)
        await c.press("escape")
        assert four[1] in store.ids()
        await c.press("delete", "n")
        assert four[1] in store.ids()
        await c.press("D", "y")
        await c.wait_for(lambda: four[1] not in store.ids())
        await c.wait_for(lambda: c.shown == [four[0], four[2], four[3]])


@pytest.mark.slow
@driven
async def test_marked_runs_are_deleted_together_and_beside_them_a_question_is_asked(
    store: Store, four: list[str]
) -> None:
    async with console(store) as c:
        await c.press("space", "space", "D")  # The cursor is on the third, which is not marked.
        assert isinstance(c.app.screen, ChoiceScreen)
        await c.press("2")
        assert f"Delete {four[2]}?" in c.text()
        await c.press("n", "D", "1")
        assert "Delete 2 runs?" in c.text()
        await c.press("n", "D", "escape", "home", "D")
        assert "Delete 2 runs?" in c.text()
        await c.press("y")
        await c.wait_for(lambda: c.shown == four[2:])


@driven
async def test_running_and_reference_runs_are_not_deleted(store: Store) -> None:
    make(Store(store.root / REFERENCE), "baseline", age=10)
    running = make(store, "tanh", epochs_done=3)
    lock = take_lock(store.path(running))
    try:
        async with console(store) as c:
            await c.wait_for(lambda: c.runs.shown[0].state is State.RUNNING)
            await c.press("home", "D")
            assert "stop it first" in c.notifications()[-1]
            await c.press("end", "D")
            assert "Reference runs are not deleted." in c.notifications()[-1]
            assert not isinstance(c.app.screen, ConfirmScreen)
    finally:
        os.close(lock)


@driven
async def test_a_run_that_failed_by_its_settings_is_not_resumed(store: Store) -> None:
    end = ev.Failed(reason="diverged", message="The loss is nan.", epoch=2, step=20)
    run_id = write_run(store, RunConfig(epochs=3), epochs_done=1, end=end).id
    async with console(store) as c:
        await c.wait_for(lambda: c.runs.shown and c.runs.shown[0].state is State.FAILED)
        await c.press("R")
        assert "failed by its settings" in c.notifications()[-1]
        assert not store.is_locked(run_id)


@driven
async def test_stop_and_resume_say_why_not(store: Store, four: list[str]) -> None:
    async with console(store) as c:
        await c.press("x")
        assert c.notifications() == [f"{four[0]} is not running."]
        await c.press("R")
        assert c.notifications()[-1] == f"{four[0]} is finished; there is nothing to resume."


@driven
async def test_compare_needs_two(store: Store, four: list[str]) -> None:
    async with console(store) as c:
        await c.press("c")
        assert "Mark two or more runs" in c.notifications()[-1]


@pytest.mark.slow
@driven
async def test_a_live_run_moves_by_itself_and_its_end_is_told(store: Store) -> None:
    config = RunConfig(epochs=4)
    record = store.create(config, label=HOSTILE)
    lock = take_lock(store.path(record.id))
    async with console(store, size=(160, 45)) as c:
        with open_writer(store.path(record.id)) as writer:
            writer.write(started(config))
            writer.write(curve(1, 4))
            await c.wait_for(lambda: c.runs.shown[0].epochs_done == 1)
            assert "● running" in c.text()
            assert "25%" in c.text()
            assert "1 running" in c.text().splitlines()[0]
            writer.write(curve(2, 4))
            await c.wait_for(lambda: "50%" in c.text())
            writer.write(ev.Finished(epoch=4, step=40, train_seconds=8, elapsed_seconds=9))
        os.close(lock)
        await c.wait_for(c.notifications)
        assert c.notifications()[0].startswith(f"{SHOWN_HOSTILE} finished: best test accuracy ")
        await c.wait_for(lambda: "✓ finished" in c.text())


@pytest.mark.slow
@driven
async def test_the_ends_of_runs_that_ended_together_are_one_message(store: Store) -> None:
    runs = [write_run(store, RunConfig(epochs=4, seed=seed), epochs_done=1, finish=False).id for seed in range(5)]
    locks = [take_lock(store.path(run_id)) for run_id in runs]
    async with console(store, size=(160, 45)) as c:
        await c.wait_for(lambda: c.app.session.num_running() == 5)
        watcher = c.app.session.watcher
        for lock in locks:
            os.close(lock)
        watcher.states.update(dict.fromkeys(runs, State.LOST))
        c.app._take_changes(set(runs))
        (told,) = c.notifications()
        assert [run_id in told for run_id in sorted(runs)] == [True, True, True, False, False]
        assert told.endswith(" 2 more runs ended.")
        c.app._take_changes(set(runs))
        assert c.notifications() == [told]


@driven
async def test_new_runs_appear(store: Store, four: list[str]) -> None:
    async with console(store) as c:
        fifth = make(store, "baseline", 5, age=-10)
        await c.wait_for(lambda: c.shown == [fifth, *four])
        assert c.cursor == four[0]  # The cursor stays on its run.


@driven
async def test_what_changed_under_another_screen_is_shown_also_after_a_late_refresh_of_one_run(
    store: Store, four: list[str]
) -> None:
    async with console(store) as c:
        await c.press("enter")
        assert isinstance(c.app.screen, RunScreen)
        c.runs.refresh_rows([four[0]])  # It was put off until now, as for a live run.
        fifth = make(store, "baseline", 5, age=-10)
        await c.wait_for(lambda: fifth in c.app.session.watcher.histories)
        await c.press("escape")
        await c.wait_for(lambda: c.shown == [fifth, *four])


@pytest.mark.slow
@driven
async def test_attack_02_03_hostile_labels_are_shown_and_not_obeyed(store: Store) -> None:
    record = write_run(store, RunConfig(epochs=2), label=HOSTILE)
    store.change_notes(record.id, lambda _: Notes(label=HOSTILE, tags=[HOSTILE], note=HOSTILE))
    async with console(store, size=(160, 45)) as c:
        await c.wait_for(lambda: "Test accuracy" in c.text())
        for keys in (("L",), ("T",), ("N",), ("D",), ("question_mark",)):
            await c.press(*keys)
            assert "\x1b" not in c.text()
            assert "\u202e" not in c.text()
            await c.press("escape")
            if isinstance(c.app.screen, HelpScreen):
                await c.press("escape")
        await c.press("R")
        assert c.notifications() == [f"{SHOWN_HOSTILE} is finished; there is nothing to resume."]
        await c.pilot.pause()
        assert "[@click=app.quit]" in c.text()
        assert "\x1b" not in c.text()
        assert c.app.is_running


@driven
async def test_the_preview_shows_the_run_under_the_cursor(store: Store, four: list[str]) -> None:
    async with console(store, size=(160, 45)) as c:
        preview = c.runs.query_one(RunPreview)
        await c.wait_for(lambda: four[0] in str(preview.facts))
        await c.press("down", "down", "p", "down")
        await c.wait_for(lambda: four[3] in str(preview.facts))
        delta = 100 * ((c.runs.shown[3].best or 0) - (c.runs.shown[2].best or 0))
        assert f"vs pinned {delta:+.2f}" in str(preview.facts)
        await c.press("v")
        assert preview.display is False
    async with console(store, size=(160, 45)) as c:
        assert c.runs.query_one(RunPreview).display is False


@driven
async def test_the_preview_of_a_run_without_a_test_accuracy_says_so(store: Store) -> None:
    def without_test(epoch: ev.Epoch) -> None:
        epoch.test_accuracy = epoch.test_loss = ev.number(math.nan)

    write_run(store, RunConfig(epochs=2), change_epoch=without_test)
    async with console(store) as c:
        await c.wait_for(lambda: "no test accuracy is known" in c.text())
        store.create(RunConfig(epochs=2))
        await c.wait_for(lambda: len(c.shown) == 2)
        await c.press("end")
        await c.wait_for(lambda: "no epoch has ended yet" in c.text())


@driven
async def test_a_note_and_tags_are_read_on_a_small_terminal(store: Store) -> None:
    for seed in range(10):
        config = RunConfig.from_text({"seed": str(seed), "epochs": "20", "learning_rate": "0.02", "momentum": "0.5"})
        run_id = write_run(store, config).id
        store.change_notes(run_id, lambda _: Notes(tags=["paper"], note="odd curve"))
    async with console(store, size=(80, 24)) as c:
        await c.wait_for(lambda: "#paper odd curve" in c.text())


@driven
async def test_a_long_note_leaves_room_for_the_results_and_is_whole_on_the_page_of_the_run(
    store: Store, four: list[str]
) -> None:
    store.change_notes(four[0], lambda _: Notes(note=" ".join(f"word{number}" for number in range(200))))
    async with console(store, size=(160, 45)) as c:
        await c.wait_for(lambda: "word0 word1" in c.text())
        text = c.text()
        assert "word30" not in text
        assert "best " in text.partition("word22")[2]
        await c.press("enter", "]", "]", "]", "]")
        await c.wait_for(lambda: "word199" in c.text())


@driven
async def test_the_preview_follows_a_cursor_that_moved_just_before_another_screen_came(
    store: Store, four: list[str]
) -> None:
    async with console(store, size=(160, 45)) as c:
        preview = c.runs.query_one(RunPreview)
        await c.wait_for(lambda: four[0] in str(preview.facts))
        await c.press("enter")
        assert isinstance(c.app.screen, RunScreen)
        before = c.runs._preview_timer
        c.runs.table.move(1)
        await c.wait_for(lambda: c.runs._preview_timer is not before)
        timer = c.runs._preview_timer
        assert timer is not None
        await c.wait_for(lambda: timer._task is not None and timer._task.done())
        assert four[0] in str(preview.facts), "it is not drawn where nobody looks"
        await c.press("escape")
        await c.wait_for(lambda: four[1] in str(preview.facts))


@driven
async def test_two_runs_of_one_variant_and_seed_are_told_apart_in_the_preview(store: Store) -> None:
    make(store, "baseline", age=1)
    newest = make(store, "baseline")
    async with console(store, size=(160, 45)) as c:
        await c.press("down", "p", "up")
        await c.wait_for(lambda: newest in str(c.runs.query_one(RunPreview).facts))
        await c.wait_for(lambda: len(c.runs.query_one(MetricChart).curves) == 2)
        assert len({curve.name for curve in c.runs.query_one(MetricChart).curves}) == 2


@driven
async def test_wide_characters_leave_the_columns_where_they_are(store: Store) -> None:
    make(store, "baseline", age=1)
    wide = make(store, "tanh")
    store.change_notes(wide, lambda _: Notes(label="画像の実験" * 12))
    async with console(store, size=(120, 30)) as c:
        await c.wait_for(lambda: "画像" in c.text())
        rows = [line for line in c.text().splitlines() if "100%" in line]
        assert len(rows) == 2
        assert len({cell_len(row[: row.index("100%")]) for row in rows}) == 1


@driven
async def test_the_preview_takes_the_lines_that_rows_leave_free(store: Store, four: list[str]) -> None:
    async with console(store) as c:
        preview = c.runs.query_one(RunPreview)
        assert preview.display
        assert c.runs.table.size.height == len(four) + 2, "head, rows, and the line of hidden columns"
        await c.press("v")
        assert not preview.display
    for seed in range(20):
        make(store, "baseline", seed + 50)
    async with console(store) as c:
        preview = c.runs.query_one(RunPreview)
        await c.press("v")
        assert preview.display, "it is asked for"
        await c.press("v")
        assert not preview.display
        await c.pilot.resize_terminal(160, 45)
        await c.press("v")
        await c.wait_for(lambda: preview.size.height >= 14)


@driven
async def test_a_preview_for_which_there_is_no_room_says_so(store: Store) -> None:
    for seed in range(20):
        make(store, "baseline", seed)
    async with console(store, size=(80, 20)) as c:
        await c.press("v")
        assert c.notifications() == ["There is no room for the preview here; it is shown where the window is higher."]


@driven
async def test_a_long_seed_leaves_the_columns_where_they_are(store: Store) -> None:
    for seed in (1, 2**31 - 1):
        make(store, "baseline", seed)
    async with console(store, size=(140, 40)) as c:
        (head,) = (line for line in c.text().splitlines() if "best %" in line)
        rows = [line for line in c.text().splitlines() if "✓ finished" in line]
        assert [row.index("100%") for row in rows] == [head.index("done")] * 2


@pytest.mark.slow
@driven
async def test_no_runs_says_what_to_press(store: Store) -> None:
    async with console(store) as c:
        assert "No runs here yet." in c.text()
        for key in ("f", "n", "5", "6", "?", "q"):
            assert f"  {key}  " in c.text()
        assert c.text().splitlines()[-1].split()[:5] == ["f", "First", "run", "n", "New"]
        assert c.text().splitlines()[-1].split()[5:] == ["^p", "Palette", "?", "Help", "q", "Quit"]
        line = next(index for index, line in enumerate(c.text().splitlines()) if "settings of your own" in line)
        await c.pilot.click(offset=(10, line))
        await c.wait_for(lambda: isinstance(c.app.screen, NewRunScreen))
        await c.press("escape")
        make(store, "baseline")
        await c.wait_for(lambda: "No runs" not in c.text())
        assert "enter Open" in c.text().splitlines()[-1]
        assert "First run" not in c.text().splitlines()[-1]


@pytest.mark.slow
@driven
async def test_a_first_run_is_one_key(store: Store, prepared_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALEXNET_TUI_DATA", str(prepared_data))
    async with console(store) as c:
        c.app.session.commands.trainer = fake_trainer.command("normal")
        await c.press("f")
        await c.wait_for(lambda: isinstance(c.app.screen, RunScreen))
        (run_id,) = store.ids()
        assert store.record(run_id).config == FIRST_RUN
        assert store.record(run_id).argv == ["alexnet-tui", *FIRST_RUN_WORDS]
        await c.wait_for(lambda: c.app.session.watcher.states.get(run_id) is State.FINISHED)


@driven
async def test_only_reference_runs_are_offered(store: Store) -> None:
    make(Store(store.root / REFERENCE), "baseline")
    async with console(store) as c:
        assert "These came with the program" in c.text()
        assert len(c.shown) == 1


@driven
async def test_more_columns_where_there_is_room(store: Store, four: list[str]) -> None:
    async with console(store) as c:
        narrow = c.runs.table.columns
    async with console(store, size=(160, 45)) as c:
        wide = c.runs.table.columns
    async with console(store, size=(40, 12)) as c:
        tiny = c.runs.table.columns
        assert all(len(line) <= 40 for line in c.text().splitlines())
    assert {"mark", "state", "name", "created", "best", "curve"} <= set(narrow)
    assert set(narrow) < set(wide) >= {"gap", "t25", "seconds", "last", "variant", "seed", "curve"}
    assert "front_end" not in wide, "all runs have the same"
    assert tiny == ["mark", "state", "name", "created", "best"]


@driven
async def test_on_a_narrow_screen_names_keep_their_seed_and_a_pin_leaves_the_state(store: Store) -> None:
    for seed in range(12):  # More than there are lines, so that a scroll bar takes its cells.
        make(store, "low-dropout" if seed % 2 else "four-conv", seed=seed + 40, age=seed)
    labelled = make(store, "tanh", age=-9)
    store.change_notes(labelled, lambda _: Notes(label="mine"))
    async with console(store, size=(40, 12)) as c:
        lines = c.text().splitlines()[2:-1]
        assert "mine" in lines[0]
        assert "tanh" not in lines[0], "a label is a name of a person's own"
        await c.press("down", "p")
        assert c.runs.table.columns == ["mark", "state", "name", "best", "delta"]
        lines = c.text().splitlines()[2:-2]  # The last two say which columns made room.
        assert all("✓" in line for line in lines)
        for seed, line in enumerate(lines[1:]):
            name, end = line.split("✓")[1].split()[:2]
            assert ("four-conv", "low-dropout")[seed % 2].startswith(name.rstrip("…"))
            assert end == f"s{seed + 40}"
        assert "base" in lines[1].split()


@pytest.mark.slow
@driven
async def test_what_all_runs_share_is_said_once(store: Store, four: list[str]) -> None:
    async with console(store, size=(180, 30)) as c:
        assert c.text().splitlines()[0].endswith("4 runs · all literal32, cifar10")
        assert "front end" not in c.text()
        write_run(store, RunConfig(epochs=1, seed=5, front_end="same32"))
        await c.wait_for(lambda: "front end" in c.text())
        assert "all cifar10" in c.text().splitlines()[0]


@driven
async def test_columns_there_is_no_room_for_are_named_below_the_rows(store: Store, four: list[str]) -> None:
    async with console(store) as c:
        note = next(line for line in c.text().splitlines() if "hidden" in line)
        before = set(note.split(": ")[1].split(", "))
        assert "variant" in before
        await c.press("p")
        note = next(line for line in c.text().splitlines() if "hidden" in line)
        assert before < set(note.split(": ")[1].split(", "))
        await c.pilot.resize_terminal(180, 24)
        await c.wait_for(lambda: "hidden" not in c.text())
        assert c.notifications() == []


@driven
async def test_where_rows_fill_the_table_a_message_says_what_a_pin_costs(store: Store) -> None:
    for seed in range(24):
        make(store, "baseline", seed)
    async with console(store) as c:
        assert "hidden" not in c.text()
        await c.press("p")
        assert c.notifications()[0].endswith("room for the differences to the pinned run.")
        await c.press("p")
        assert len(c.notifications()) == 1, "nothing is lost by taking the pin away"


@driven
async def test_marking_rebuilds_no_row(store: Store, four: list[str]) -> None:
    async with console(store) as c:
        before = dict(c.runs._rows)
        await c.press("space", "space", "s", "escape")
        assert len(c.app.session.marked_run_ids) == 2
        assert all(c.runs._rows[run_id] is row for run_id, row in before.items())


@driven
async def test_live_runs_are_told_on_every_screen(store: Store) -> None:
    record = write_run(store, RunConfig(epochs=10), epochs_done=4, finish=False)
    with trained(store, record.id):
        async with console(store, size=(120, 30)) as c:
            for place in ("1", "2", "3", "4", "5", "6"):
                await c.press(place)
                await c.wait_for(lambda: "● 1 running 40%" in c.text().splitlines()[0])


@driven
async def test_how_far_a_study_is_counts_no_run_that_was_deleted(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch_loop, "_QUIET_SECONDS", 60.0)
    for seed in range(3):
        store.create(RunConfig(epochs=1, seed=seed), study="mine")
    async with console(store) as c:
        assert "5 Studies 0/3 " in c.text()
        await c.press("D", "y")
        await c.wait_for(lambda: "5 Studies 0/2 " in c.text())


@driven
async def test_no_key_makes_runs_younger(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    created = write_run(store, RunConfig(epochs=2)).created
    monkeypatch.setattr(time, "time", lambda: created + 55)
    async with console(store) as c:
        monkeypatch.setattr(time, "time", lambda: created + 61)
        c.runs._grow_older()
        assert c.runs.table.context.now == created + 61
        await c.press("space", "down", "p")
        assert c.runs.table.context.now == created + 61
        assert c.runs.table.context.marked


@driven
async def test_an_age_grows_by_itself(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("alexnet_tui.tui.screens.runs.screen._AGE_SECONDS", 0.01)
    created = write_run(store, RunConfig(epochs=2)).created
    async with console(store) as c:
        for seconds, age in ((59, "<1m"), (61, "1m"), (179, "2m"), (7300, "2h")):
            monkeypatch.setattr(time, "time", lambda seconds=seconds: created + seconds)
            await c.wait_for(lambda age=age: f" {age} " in c.text())  # type: ignore[misc]


def test_ages_have_at_most_four_cells() -> None:
    ages = {0: "<1m", 59: "<1m", 60: "1m", 3599: "59m", 7200: "2h", 86400 * 15: "15d", 86400 * 1500: "4y", -5: "<1m"}
    assert {seconds: format_age(seconds) for seconds in ages} == ages


@pytest.mark.parametrize("has_pin", [False, True])
def test_the_best_accuracy_and_the_difference_to_the_pin_stay_longest(has_pin: bool) -> None:
    wanted = {"name", "best", "delta"} if has_pin else {"name", "best"}
    offered = [column for column in COLUMNS if column.key not in ({"spread"} if has_pin else {"spread", "delta"})]
    before: set[str] = set()
    for width in range(38, 200):
        chosen = fit(offered, width)
        keys = {column.key for column, _ in chosen}
        assert wanted <= keys
        assert before <= keys, "more room never costs a column"
        assert 1 + sum(cells for _, cells in chosen) + GAP * (len(chosen) - 1) <= width
        before = keys
    assert hidden_text(offered, sorted(before)) == ""


def test_hidden_columns_are_named_by_importance_and_in_the_singular_too() -> None:
    all_but = [column.key for column in COLUMNS if column.key != "t25"]
    without_gap = [key for key in all_but if key != "gap"]
    assert hidden_text(COLUMNS, all_but) == "1 column hidden (widen the terminal): T25"
    assert hidden_text(COLUMNS, without_gap) == "2 columns hidden (widen the terminal): gap, T25"


@driven
async def test_a_row_repaints_nothing_when_nothing_changed(store: Store, four: list[str]) -> None:
    async with console(store) as c:
        painted: list[object] = []
        table = c.runs.table
        refresh = table.refresh

        def counted(*regions: Region, repaint: bool = True, layout: bool = False) -> object:
            painted.append(regions)
            return refresh(*regions, repaint=repaint, layout=layout)

        table.refresh = counted  # type: ignore[method-assign,assignment]
        c.runs.refresh_rows()
        assert painted == []
        store.change_notes(four[1], lambda _: Notes(label="renamed"))
        c.app.session.watcher.notes[four[1]] = Notes(label="renamed")
        c.runs.refresh_rows([four[1]])
        assert len(painted) == 1
        assert "renamed" in c.text()


@driven
async def test_copy_gives_the_path(store: Store, four: list[str]) -> None:
    async with console(store) as c:
        await c.press("y")
        await c.wait_for(lambda: c.app.clipboard)
        assert Path(c.app.clipboard) == store.path(four[0]).resolve()


@driven
async def test_every_binding_has_an_id_and_a_sentence(store: Store, four: list[str]) -> None:
    async with console(store) as c:
        ours = [item.binding for item in c.runs.active_bindings.values() if item.binding.id]
        assert len({binding.id for binding in ours}) >= 30
        for binding in ours:
            assert binding.tooltip.endswith("."), binding
            assert len(binding.description) <= 10, binding


@driven
async def test_a_remembered_filter_that_means_nothing_any_more_is_forgotten(store: Store, four: list[str]) -> None:
    async with console(store) as c:
        c.app.session.change_folder(filter="colour=blue")
    async with console(store) as c:
        assert c.shown == four
        await c.press("escape")
        assert c.shown == four
        assert c.app.session.folder.filter == ""


def test_only_a_difference_beyond_the_spread_of_seeds_is_coloured(store: Store) -> None:
    for seed, final in enumerate((0.60, 0.61, 0.62)):
        write_run(store, RunConfig(seed=seed, epochs=3), final=final)
    for final in (0.63, 0.70, 0.50):
        write_run(store, RunConfig(variant="tanh", activation="tanh", epochs=3, seed=int(100 * final)), final=final)
    session = Session(store)
    session.watcher.poll()
    session.names.update(session.watcher.histories)
    rows = list(rows_of(session.watcher, session.names).values())
    base = next(row for row in rows if row.config.variant == "baseline" and row.config.seed == 1)
    alike = session.runs_like(base.id)
    spread = deviation(alike, METRICS["max_test"])
    assert spread is not None
    assert spread.value == pytest.approx(0.01, rel=0.2)
    assert spread.num_runs == 3
    tones = {
        row.config.seed: delta_tone(delta_to(row, base) or 0.0, row, base, spread)
        for row in rows
        if row.config.variant == "tanh"
    }
    assert tones == {63: "muted", 70: "good", 50: "bad"}
    assert delta_tone(0.5, rows[0], base, None) == "muted", "one seed says nothing"
    assert deviation(alike[:2], METRICS["max_test"]) is None


def test_runs_like_another_are_those_of_now(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second, third = (write_run(store, RunConfig(seed=seed, epochs=1)).id for seed in range(3))
    other = write_run(store, RunConfig(learning_rate=0.1, epochs=1)).id
    session = Session(store)
    session.watcher.poll()
    monkeypatch.setattr("alexnet_tui.tui.watch.watcher._SCAN_SECONDS", 0.0)

    def alike(run_id: str) -> list[str]:
        return [history.id for history in session.runs_like(run_id)]

    assert (alike(first), alike(other), alike("gone")) == ([first, second, third], [other], [])
    store.delete(second)
    session.watcher.poll()
    assert (alike(first), alike(second)) == ([first, third], [])
    fourth = write_run(store, RunConfig(seed=3, epochs=1)).id
    session.watcher.poll()
    assert alike(first) == [first, third, fourth]


def test_namesakes_say_in_the_table_in_what_they_differ(store: Store) -> None:
    for settings in ({}, {"weight_decay": "0"}, {"front_end": "same32"}):
        write_run(store, RunConfig.from_text({"epochs": "3", "seed": "4", **settings}))
    session = Session(store)
    session.watcher.poll()
    session.names.update(session.watcher.histories)
    rows = rows_of(session.watcher, session.names).values()
    name = next(column for column in COLUMNS if column.key == "name")
    shown = {name.cell(row, Context(), name.max_width)[0] for row in rows}
    assert shown == {"baseline s4", "baseline s4 · weight decay 0", "baseline s4 · same32"}
    assert {name.cell(row, Context(), 14)[0] for row in rows} == {"baseline s4", "bas… s4 · wd 0", "b… s4 · same32"}
