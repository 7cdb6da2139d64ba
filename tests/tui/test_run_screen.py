"""The Run screen, driven by keys in the real console: live, finished, lost, failed, stopped, queued, gone."""

import fcntl
import math
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
from console_driver import Driver, console, driven
from fake_runs import a_step, curve, open_writer, started, write_run
from textual.containers import VerticalScroll
from textual.content import Content
from textual.geometry import Region
from textual.widgets import Static

from alexnet_tui.analysis.integrity import check_run
from alexnet_tui.config.architecture import num_parameters
from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.files import file_stamp
from alexnet_tui.runs import events as ev
from alexnet_tui.runs.follow import load
from alexnet_tui.runs.history import RunHistory
from alexnet_tui.runs.liveness import silence_text
from alexnet_tui.runs.notes import Notes
from alexnet_tui.runs.record import RunRecord
from alexnet_tui.runs.run_files import EVENTS_FILE, LOG_FILE
from alexnet_tui.runs.state import State
from alexnet_tui.runs.store import Store
from alexnet_tui.tui.charts.model import View
from alexnet_tui.tui.charts.series import SMOOTHINGS, Lead, Method
from alexnet_tui.tui.charts.widget import MetricChart
from alexnet_tui.tui.screens.run import screen as run_screen
from alexnet_tui.tui.screens.run.facts import age, lead_text, number_facts, status_message
from alexnet_tui.tui.screens.run.header import Head, HeadView
from alexnet_tui.tui.screens.run.pace import StepsPace
from alexnet_tui.tui.screens.run.pages import LogPage
from alexnet_tui.tui.screens.run.screen import RunScreen
from alexnet_tui.tui.screens.run.side import SMALL_CHARTS
from alexnet_tui.tui.watch import watch_loop
from alexnet_tui.tui.widgets.bars import TabStrip
from alexnet_tui.tui.widgets.dialogs import ConfirmScreen
from alexnet_tui.tui.widgets.text import TextPage

CONFIG = RunConfig(epochs=20, data="synthetic")
HOSTILE = "[/] [b]x[/i] \x1b]0;PWNED\x07\x1b[2J \u202eRTL é漢字"


STEP = a_step(1, 10, train_loss=2.0, train_accuracy=0.1, images_per_second=9.0)


@contextmanager
def trained(store: Store, run_id: str) -> Iterator[None]:
    """The run's lock is held, as by a trainer."""
    with (store.path(run_id) / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def screen(driver: Driver) -> RunScreen:
    top = driver.app.screen
    assert isinstance(top, RunScreen)
    return top


def charts(driver: Driver) -> tuple[MetricChart, MetricChart]:
    return screen(driver).query_one("#loss", MetricChart), screen(driver).query_one("#accuracy", MetricChart)


async def open_run(driver: Driver, run_id: str) -> RunScreen:
    driver.app.open_run(run_id)
    await driver.wait_for(lambda: isinstance(driver.app.screen, RunScreen) and "Curves" in driver.text())
    return screen(driver)


def names(chart: MetricChart) -> list[str]:
    return [one.name for one in chart.curves]


@driven
async def test_a_finished_run_shows_its_results_and_curves(store: Store) -> None:
    run = write_run(store, CONFIG, label="my run")
    async with console(store, size=(160, 45)) as driver:
        await open_run(driver, run.id)
        loss, accuracy = charts(driver)
        await driver.wait_for(lambda: "train" in names(loss) and loss.curves[0].is_faint)
        assert names(accuracy) == ["train", "test"]
        assert names(loss) == ["train", "train", "test"], "steps faint, epochs, test"
        assert len(loss.curves[0].x) == 200
        assert loss.curves[0].x[-1] == pytest.approx(20), "steps stand between the ends of epochs"
        text = driver.text()
        for shown in ("finished", "my run", "20/20", "best test", "59.0", "@20", "T25", "gap", "200/200", "lr 0.01"):
            assert shown in text
        assert accuracy.rendered.viewport is not None
        assert loss.full_range == accuracy.full_range == (0, 20), "the same epochs are above each other"


@driven
async def test_another_run_opens_on_its_curves_under_a_head_that_fits(store: Store) -> None:
    first, second = write_run(store, CONFIG), write_run(store, CONFIG, label="a label of some length for a run " * 2)
    async with console(store) as driver:
        shown = await open_run(driver, first.id)
        await driver.press("right_square_bracket", "right_square_bracket")
        assert shown.page == "config"
        await open_run(driver, first.id)
        assert shown.page == "config", "the same run stays where it was"
        await open_run(driver, second.id)
        assert shown.page == "curves"
        lines = driver.text().splitlines()
        place = next(index for index, line in enumerate(lines) if "a label of some length" in line)
        assert "20/20" in lines[place + 1], "the title takes one line"
        assert "Resume" not in lines[-1], "there is nothing to resume"


@driven
async def test_a_live_run_moves_by_itself(store: Store) -> None:
    run = write_run(store, CONFIG, epochs_done=3, finish=False)
    with trained(store, run.id):
        async with console(store, size=(120, 30)) as driver:
            await open_run(driver, run.id)
            await driver.wait_for(lambda: "running" in driver.text() and "3/20" in driver.text())
            assert "last point" in driver.text()
            assert "ETA" in driver.text()
            with open_writer(store.path(run.id), next_seq=100) as writer:
                writer.write(curve(4, 20))
                writer.write(
                    ev.System(cpu_percent=87.0, memory_bytes=3 << 30, gpu_percent=55.0, gpu_memory_bytes=1 << 30)
                )
            await driver.wait_for(lambda: "4/20" in driver.text(), 5)
            await driver.wait_for(lambda: charts(driver)[1].curves[0].x[-1] == 4)
            facts = ("CPU 87%", "memory 3.0 GiB", "GPU 55%")
            await driver.wait_for(lambda: all(shown in driver.text() for shown in facts))


@pytest.mark.slow
@driven
async def test_steps_alone_move_the_loss_within_seconds(store: Store) -> None:
    run = store.create(CONFIG)
    with trained(store, run.id), open_writer(store.path(run.id)) as writer:
        async with console(store) as driver:
            await open_run(driver, run.id)
            await driver.wait_for(lambda: "Loading data and torch" in driver.text())
            assert "loading data and torch" in driver.text()
            writer.write(started(CONFIG))
            for step in range(1, 6):
                writer.write(a_step(1, step))
            await driver.wait_for(lambda: [len(one.x) for one in charts(driver)[0].curves] == [5])
            curve_ = charts(driver)[0].curves[0]
            assert not curve_.is_faint, "before the first epoch it is all there is"
            assert curve_.x.tolist() == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5])
            writer.write(ev.System(step=7, train_loss=1.9, images_per_second=4.0))
            await driver.wait_for(lambda: [len(one.x) for one in charts(driver)[0].curves] == [6])
            assert charts(driver)[0].curves[0].x[-1] == pytest.approx(0.7), "a slow update moves it too"


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        (
            ev.Failed(reason="diverged", message="The loss became nan at step 27.", epoch=3, step=27),
            "The loss became nan at step 27.",
        ),
        (ev.Stopped(epoch=3, step=30, reason="asked"), "Stopped at epoch 3 (asked); R resumes it."),
        (None, "Crashed: the trainer process disappeared"),
    ],
)
@driven
async def test_why_a_run_does_not_move_is_said_in_a_sentence(store: Store, end: ev.Event | None, expected: str) -> None:
    run = write_run(store, CONFIG, epochs_done=3, end=end, finish=False)
    async with console(store) as driver:
        await open_run(driver, run.id)
        await driver.wait_for(lambda: expected in " ".join(driver.text().split()))
        assert len(charts(driver)[1].curves[0].x) == 3


@driven
async def test_a_resume_is_offered_where_it_can_mend_a_failure(store: Store) -> None:
    offered = {"error": True, "disk_full": True, "data_count": False, "diverged": False}
    runs = {
        reason: write_run(store, CONFIG, epochs_done=3, end=ev.Failed(reason=reason, message="Why."))
        for reason in offered
    }
    killed = write_run(store, CONFIG, epochs_done=3, finish=False)
    async with console(store) as driver:
        for reason, run in runs.items():
            screen_ = await open_run(driver, run.id)
            assert screen_.offers("resume") is offered[reason], reason
        session = driver.app.session
        assert session.end_note(runs["data_count"].id).endswith("failed (data_count): Why.")
        assert session.end_note(killed.id) == f"{killed.id} crashed: best test accuracy 32.56%.", "as on the screens"
        session.watcher.drop(runs["error"].id)
        assert session.end_note(runs["error"].id) == ""


@driven
async def test_a_queued_run_and_one_that_is_gone(store: Store) -> None:
    queued = store.create(CONFIG)
    other = write_run(store, CONFIG)
    async with console(store) as driver:
        await open_run(driver, queued.id)
        await driver.wait_for(lambda: "Queued" in driver.text())
        assert "no point yet" in driver.text()
        driver.app.open_run(other.id)
        await driver.wait_for(lambda: "finished" in driver.text())
        store.delete(other.id)
        await driver.wait_for(lambda: "No such run" in driver.text(), 15)
        driver.clear_notifications()
        await driver.press("R")
        await driver.wait_for(lambda: any("there is no run" in one for one in driver.notifications()))


@driven
async def test_a_page_of_text_scrolls_by_the_keys_that_help_names(store: Store) -> None:
    run = write_run(store, CONFIG)
    async with console(store) as driver:
        shown = await open_run(driver, run.id)
        await driver.press("right_square_bracket", "right_square_bracket")
        page = shown.query_one("#config", TextPage)
        await driver.wait_for(lambda: page.max_scroll_y > page.size.height)
        last, height = page.max_scroll_y, page.size.height
        places = {"j": 1, "down": 2, "k": 1, "up": 0, "pagedown": height, "pageup": 0, "end": last, "home": 0}
        for key, place in places.items():
            await driver.press(key)
            assert page.scroll_offset.y == place, key
        await driver.press("question_mark")
        await driver.type("line")
        assert "One line down." in driver.text()


@driven
async def test_no_page_shows_another_run_under_the_name_of_one_that_is_gone(store: Store) -> None:
    run, gone = write_run(store, CONFIG), write_run(store, CONFIG)
    async with console(store, size=(160, 45)) as driver:
        shown = await open_run(driver, run.id)
        for _ in range(len(shown.query(TextPage)) + 1):
            await driver.press("right_square_bracket")
        await driver.wait_for(lambda: "Run" in str(shown.query_one("#system #text", Static).content))
        store.delete(gone.id)
        await driver.wait_for(lambda: gone.id not in driver.app.session.watcher.histories)
        await open_run(driver, gone.id)
        texts = {page.id: str(page.query_one("#text", Static).content) for page in shown.query(TextPage)}
        assert texts == dict.fromkeys(texts, "")
        assert str(shown.query_one("#numbers", Static).content) == ""
        await driver.press("left_square_bracket", "left_square_bracket")
        assert shown.page == "system"
        assert "Machine and data" not in driver.text()


@driven
async def test_the_pinned_run_is_a_pace_line_with_epochs_ahead(store: Store) -> None:
    slow = write_run(store, CONFIG, final=0.5, label="the baseline")
    fast = write_run(store, CONFIG, final=0.6, epochs_done=5, finish=False, label="mine")
    async with console(store, size=(160, 40)) as driver:
        driver.toggle_pin(slow.id)
        await open_run(driver, fast.id)
        await driver.wait_for(lambda: "the baseline" in names(charts(driver)[1]))
        pace = charts(driver)[1].curves[-1]
        assert pace.is_baseline
        assert len(pace.x) == 20
        await driver.wait_for(lambda: "epochs ahead of the baseline" in driver.text())
        assert "+10.0" not in driver.text()
        assert "vs pinned" in driver.text()
        await driver.press("p")
        assert driver.app.session.pinned_run_id == fast.id
        await driver.wait_for(lambda: names(charts(driver)[1]) == ["train", "test"])
        assert driver.notifications() == ["mine is pinned: every screen compares others with it. p unpins it."]
        await driver.press("p")
        assert driver.notifications()[1:] == ["mine is pinned no longer."]


@driven
async def test_a_pinned_run_that_is_deleted_goes_from_the_screen(store: Store) -> None:
    base, run = (write_run(store, CONFIG, label=label) for label in ("the baseline", "mine"))
    async with console(store, size=(160, 40)) as driver:
        driver.toggle_pin(base.id)
        await open_run(driver, run.id)
        await driver.wait_for(lambda: "the baseline" in names(charts(driver)[1]) and "vs pinned" in driver.text())
        store.delete(base.id)
        await driver.wait_for(lambda: names(charts(driver)[1]) == ["train", "test"])
        await driver.wait_for(lambda: "vs pinned" not in driver.text())


@driven
async def test_losses_too_large_to_draw_are_gaps_and_end_nothing(store: Store) -> None:
    def explode(epoch: ev.Epoch) -> None:
        if epoch.epoch > 15:
            epoch.train_loss = epoch.test_loss = 1e307

    run = write_run(store, CONFIG, change_epoch=explode)
    async with console(store, size=(160, 40)) as driver:
        await open_run(driver, run.id)
        await driver.wait_for(lambda: all(len(curve.x) for curve in charts(driver)[0].curves))
        await driver.press("l")
        assert driver.app.return_code is None
        assert "Loss" in driver.text()


def without_test(epoch: ev.Epoch) -> None:
    epoch.test_accuracy = epoch.test_loss = ev.number(math.nan)


@driven
async def test_no_lead_is_told_of_a_run_without_a_value_or_of_one_that_is_gone(store: Store) -> None:
    base = write_run(store, CONFIG, final=0.5, label="the baseline")
    best = write_run(store, CONFIG, final=0.6)
    blind = write_run(store, CONFIG, change_epoch=without_test)
    async with console(store, size=(160, 40)) as driver:
        driver.toggle_pin(base.id)
        await open_run(driver, best.id)
        await driver.wait_for(lambda: "above the best of the baseline" in driver.text())
        await open_run(driver, blind.id)
        await driver.wait_for(lambda: names(charts(driver)[1]) == ["train", "the baseline"])
        assert screen(driver).query_one("#strip", TabStrip).note == ()
        await open_run(driver, best.id)
        await driver.wait_for(lambda: "above the best of the baseline" in driver.text())
        store.delete(best.id)
        await driver.wait_for(lambda: "No such run" in driver.text())
        assert screen(driver).query_one("#strip", TabStrip).note == ()


@driven
async def test_what_a_run_does_not_say_is_no_curve(store: Store) -> None:
    def with_loss_alone(epoch: ev.Epoch) -> None:
        without_test(epoch)
        epoch.train_accuracy = epoch.train_eval_accuracy = ev.number(math.nan)

    run = write_run(store, CONFIG, change_epoch=with_loss_alone)
    async with console(store, size=(80, 24)) as driver:
        await open_run(driver, run.id)
        loss, accuracy = charts(driver)
        await driver.wait_for(lambda: set(names(loss)) == {"train"})
        assert names(accuracy) == []
        assert "no point was written" in driver.text()


@driven
async def test_keys_of_the_charts_move_both(store: Store) -> None:
    run = write_run(store, CONFIG)
    async with console(store, size=(160, 30)) as driver:
        shown = await open_run(driver, run.id)
        loss, accuracy = charts(driver)
        await driver.wait_for(lambda: len(accuracy.x_positions()) == 20)
        await driver.press("left")
        assert (loss.view.crosshair, accuracy.view.crosshair) == (20, 20), "the last point, of both"
        await driver.press("left", "left", "right")
        assert shown.view.crosshair == 19
        await driver.wait_for(lambda: "Loss at epoch 19" in driver.text() and "Accuracy at epoch 19" in driver.text())
        await driver.press("plus")
        assert accuracy.view.x_low is not None
        low = accuracy.view.x_low
        await driver.press("shift+left")
        assert loss.view.x_low is not None
        assert loss.view.x_low < low
        await driver.press("shift+right", "shift+right")
        assert loss.view.x_low == accuracy.view.x_low
        await driver.press("minus", "minus")
        assert accuracy.view.x_low is None
        await driver.press("plus", "0")
        assert accuracy.view.x_low is None
        for hidden in ({"train"}, {"test"}, set()):
            await driver.press("h")
            assert loss.view.hidden == accuracy.view.hidden == hidden
        await driver.press("G")
        assert loss.view.log
        assert accuracy.view.log
        await driver.press("G", "S")
        assert loss.view.smoothing is SMOOTHINGS[1]
        await driver.press(*["S"] * (len(SMOOTHINGS) - 1))
        assert loss.view.smoothing.method is Method.NONE
        await driver.press("O")
        assert accuracy.view.clip
        assert "clip" in driver.text()


@driven
async def test_escape_steps_out_of_crosshair_then_zoom_then_the_screen(store: Store) -> None:
    run = write_run(store, CONFIG)
    async with console(store) as driver:
        shown = await open_run(driver, run.id)
        await driver.wait_for(lambda: len(charts(driver)[1].x_positions()) == 20)
        await driver.press("left", "plus", "escape")
        assert shown.view.crosshair is None
        assert shown.view.x_low is not None
        await driver.press("escape")
        assert shown.view.x_low is None
        assert driver.app.screen is shown
        await driver.press("escape")
        await driver.wait_for(lambda: driver.app.screen is driver.runs)


@pytest.mark.slow
@driven
async def test_pages_follow_the_brackets_and_a_click(store: Store) -> None:
    config = RunConfig.from_text(
        {"variant": "low-dropout", "learning_rate": "0.05", "epochs": "2", "data": "synthetic"}
    )
    run = write_run(store, config)
    async with console(store, size=(100, 60)) as driver:
        shown = await open_run(driver, run.id)
        await driver.press("right_square_bracket", "right_square_bracket")
        assert shown.page == "config"
        text = driver.text()
        assert "Changed from the defaults of low-dropout on literal32" in text
        changed = text[text.index("Changed") : text.index("Experiment")]
        assert "learning rate" in changed
        assert "default 0.01" in changed
        assert "default 100\n" in changed, "epochs are epochs"
        assert "dropout   " not in changed, "the variant's own setting is no change"
        assert "weight decay" in text
        await driver.press("right_square_bracket", "right_square_bracket")
        assert shown.page == "system"
        for said in (
            str(store.path(run.id)),
            "torch",
            "2.9.0",
            "ab" * 32,
            f"{num_parameters(config.architecture(10)):,}",
            "fake",
        ):
            # Long ones are wrapped.
            await driver.wait_for(lambda said=said: said in "".join(driver.text().split()))  # type: ignore[misc]
        await driver.press("right_square_bracket", "right_square_bracket")
        assert shown.page == "curves"
        await driver.press("left_square_bracket", "left_square_bracket")
        assert shown.page == "system"
        await driver.pilot.click("#strip", offset=(2, 0))
        await driver.wait_for(lambda: shown.page == "curves")


@driven
async def test_the_pages_names_stay_on_one_line(store: Store) -> None:
    run = write_run(store, CONFIG)
    async with console(store, size=(80, 24), run_id=run.id) as driver:
        for page in ("pictures", "config", "log", "system", "verify", "curves"):
            await driver.press("right_square_bracket")
            assert "Curves  Pictures  Config" in driver.text().splitlines()[1], page


@driven
async def test_keys_of_the_charts_are_neither_named_nor_act_on_other_pages(store: Store) -> None:
    run = write_run(store, CONFIG)
    async with console(store, size=(160, 30)) as driver:
        shown = await open_run(driver, run.id)
        assert {"Crosshair", "Zoom", "Log", "Smooth", "Outliers"} <= set(driver.text().splitlines()[-1].split())
        await driver.press("right_square_bracket")
        for page in ("config", "log", "system", "verify"):
            await driver.press("right_square_bracket")
            assert shown.page == page
            bar = driver.text().splitlines()[-1]
            assert "Pages" in bar
            assert not {"Read", "Zoom", "Log", "Smooth", "Outliers"} & set(bar.split())
            await driver.press("G", "S", "O", "plus", "0", "m")
        assert shown.view == View()
        assert all(chart.display for chart in shown.charts()), "m means nothing where there are no charts"
        await driver.press("right_square_bracket", "G")
        assert shown.view.log
        assert "Zoom" in driver.text().splitlines()[-1]


@driven
async def test_small_charts_are_at_the_side_and_m_shows_one_alone(store: Store) -> None:
    run = store.create(CONFIG)
    with open_writer(store.path(run.id)) as writer:
        writer.write(started(CONFIG))
        for epoch in (1, 2, 3):
            writer.write(curve(epoch, 20))
            writer.write(ev.System(cpu_percent=80.0 + epoch, wall=100.0 * epoch))
    async with console(store, size=(160, 45)) as driver:
        shown = await open_run(driver, run.id)
        small = {name: driver.app.screen.query_one(f"#{name}", MetricChart) for name in SMALL_CHARTS}
        await driver.wait_for(lambda: all(chart.curves for chart in small.values()))
        assert small["learning-rate"].curves[0].x.tolist() == [1, 2, 3]
        assert small["machine"].curves[0].y.tolist() == [81, 82, 83]
        assert [one.name for one in small["machine"].curves] == ["CPU"], "no GPU was read"
        everything = (*shown.charts(), *small.values())
        alone = []
        for _ in range(5):
            await driver.press("m")
            alone += [chart.id for chart in everything if chart.is_on_screen]
        assert alone == ["loss", "accuracy", *SMALL_CHARTS]
        assert "Results" not in driver.text()
        await driver.press("m")
        assert "Results" in driver.text()
        small["machine"]._ask(x_low=0.0, x_high=1.0)
        await driver.pilot.pause()
        assert shown.view == View(), "seconds of the machine are no epochs"
    async with console(store, size=(50, 20)) as driver:
        shown = await open_run(driver, run.id)
        assert [chart.id for chart in shown.charts() if chart.is_on_screen] == ["accuracy"]
        await driver.press("m")
        assert [chart.id for chart in shown.charts() if chart.is_on_screen] == ["loss"]


@driven
async def test_a_small_chart_that_is_alone_has_the_keys_of_the_charts_to_itself(store: Store) -> None:
    run, other = write_run(store, CONFIG), write_run(store, CONFIG)
    async with console(store) as driver:
        shown = await open_run(driver, run.id)
        await driver.press("plus")
        large = shown.view
        assert large.x_low is not None
        await driver.press("m", "m", "m")
        small = shown.query_one("#learning-rate", MetricChart)
        await driver.wait_for(lambda: len(small.x_positions()))
        assert small.is_on_screen
        await driver.press("left")
        last = small.full_range
        assert last is not None
        assert small.view.crosshair == last[1]
        await driver.press("plus", "G", "S", "O")
        assert small.view.x_low is not None
        assert (small.view.log, small.view.smoothing, small.view.clip) == (True, SMOOTHINGS[1], True)
        await driver.press("h")
        assert small.view.hidden == {small.curves[-1].name}
        await driver.press("h")
        assert {chart.view for chart in charts(driver)} == {large}, "what cannot be seen stays as it was"
        await driver.press("escape", "escape")
        assert small.view == View(log=True, smoothing=SMOOTHINGS[1], clip=True)
        assert driver.app.screen is shown
        await driver.press("plus", "m", "m", "m")
        assert shown.view == large
        assert small.view.x_low is not None
        await open_run(driver, other.id)
        assert {chart.view.x_low for chart in shown.query(MetricChart)} == {None}, "of another run nothing is zoomed"


@driven
async def test_another_runs_small_charts_are_drawn_without_a_wait(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_screen, "_SIDE_SECONDS", 600.0)
    long, short = write_run(store, CONFIG), write_run(store, CONFIG, epochs_done=3, finish=False)
    async with console(store, size=(160, 45)) as driver:
        shown = await open_run(driver, long.id)
        small = shown.query_one("#learning-rate", MetricChart)
        await driver.wait_for(lambda: small.curves and len(small.curves[0].x) == 200)
        driver.toggle_pin(short.id)  # Draws again; the small charts wait for more points.
        await driver.wait_for(lambda: shown._side_timer is not None)
        await open_run(driver, short.id)
        await driver.wait_for(lambda: len(small.curves[0].x) == 30)


@driven
async def test_a_small_chart_that_is_called_up_is_drawn_without_a_wait(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_screen, "_SIDE_SECONDS", 600.0)
    run = write_run(store, CONFIG)
    async with console(store, size=(80, 24)) as driver:
        shown = await open_run(driver, run.id)
        await driver.wait_for(lambda: shown._side_plotted)
        await driver.press("m", "m", "m", "m")
        small = shown.query_one("#throughput", MetricChart)
        while not small.display:
            await driver.press("m")
        assert small.curves, "it is not told that there is nothing"


@driven
async def test_small_charts_come_back_after_a_run_that_is_gone(store: Store) -> None:
    run, gone = write_run(store, CONFIG), write_run(store, CONFIG)
    async with console(store, size=(160, 45)) as driver:
        shown = await open_run(driver, run.id)
        small = shown.query_one("#learning-rate", MetricChart)
        await driver.wait_for(lambda: small.curves)
        store.delete(gone.id)
        await driver.wait_for(lambda: gone.id not in driver.app.session.watcher.histories)
        await open_run(driver, gone.id)
        assert all(not chart.curves for chart in shown.query(MetricChart))
        await open_run(driver, run.id)
        await driver.wait_for(lambda: small.curves)


@driven
async def test_a_run_without_a_log_says_so(store: Store) -> None:
    run = write_run(store, CONFIG)
    async with console(store) as driver:
        await open_run(driver, run.id)
        await driver.press("right_square_bracket", "right_square_bracket", "right_square_bracket")
        await driver.wait_for(lambda: "Libraries print here" in driver.text())


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        (State.QUEUED, "results come with the end of the first epoch"),
        (State.RUNNING, "results come with the end of the first epoch"),
        (State.FINISHED, "no results were written"),
        (State.FAILED, "no results were written"),
    ],
)
def test_results_are_announced_only_of_a_run_that_will_have_some(state: State, sentence: str) -> None:
    history = RunHistory(RunRecord(id="a", created=0.0, config=CONFIG))
    lines = Head(history, state, 80).lines("a", is_low=False, has_numbers=True)
    assert lines[-1].plain == sentence


@driven
async def test_what_fits_on_the_head_is_not_cut(store: Store) -> None:
    device: dict[str, object] = {"device": "NVIDIA GeForce RTX 4090 Laptop GPU", "precision": "bfloat16"}
    label = "a label as long as people write them when they have seen that nothing stops them from it"
    run = write_run(store, CONFIG, label=label, change_started=device)
    async with console(store, size=(160, 45)) as driver:
        await open_run(driver, run.id)
        await driver.wait_for(lambda: "NVIDIA GeForce RTX 4090 Laptop GPU bfloat16" in driver.text())
        assert label in driver.text()
        assert "…" not in driver.text().rpartition("\n")[0]


@driven
async def test_a_long_name_of_the_pinned_run_does_not_take_the_pace_away(store: Store) -> None:
    pinned = write_run(store, CONFIG, final=0.6, label="a label that is longer than the line of the pages has room")
    run = write_run(store, CONFIG, final=0.5)
    async with console(store) as driver:
        driver.toggle_pin(pinned.id)
        await open_run(driver, run.id)
        await driver.wait_for(lambda: "epochs behind pinned" in driver.text())


@pytest.mark.slow
@driven
async def test_the_log_is_made_safe_and_followed(store: Store) -> None:
    run = write_run(store, CONFIG)
    log = store.path(run.id) / LOG_FILE
    log.write_text("".join(f"line {index} [/red] \x1b]0;PWNED\x07\n" for index in range(100)))
    async with console(store) as driver:
        shown = await open_run(driver, run.id)
        await driver.press("right_square_bracket", "right_square_bracket", "right_square_bracket")
        await driver.wait_for(lambda: "line 99 [/red]" in driver.text())
        assert "\x1b" not in driver.text()
        assert "\\x1b]0;PWNED\\x07" in driver.text()
        with log.open("a") as file:
            file.write("the newest line\n")
        await driver.wait_for(lambda: "the newest line" in driver.text())
        page = shown.query_one("#log", VerticalScroll)
        page.scroll_home(animate=False)
        await driver.wait_for(lambda: "line 0 " in driver.text())
        with log.open("a") as file:
            file.write("one more\n")
        await driver.wait_for(lambda: shown.query_one(LogPage)._stamp == file_stamp(log))
        assert "line 0 " in driver.text(), "who reads above is not pulled down"


@driven
async def test_warnings_checkpoints_and_gaps_are_on_the_system_page(store: Store) -> None:
    run = store.create(CONFIG, label="[/] [b]x[/i] \x1b]0;PWNED")
    with open_writer(store.path(run.id)) as writer:
        writer.write(started(CONFIG, versions={"torch\x1b[2J": "[/]\x1b[31m"}, device="cuda\x1b]0;x\x07"))
        writer.write(ev.Warned(code="bf16", message="numbers \x1b[31mdiffer [/]"))
        writer.write(STEP)
        writer.write(ev.Checkpoint(epoch=1, step=10, name="e0001", size_bytes=1, seconds=0.1))
    with open_writer(store.path(run.id), attempt=2, next_seq=9) as writer:
        writer.write(started(CONFIG))
        writer.write(ev.Resumed(epoch=1, step=10, checkpoint="e0001", bit_exact=False))
    with (store.path(run.id) / "events.jsonl").open("a") as record:
        record.write("{broken\nalso broken\n")
    store.change_notes(run.id, lambda _: Notes(tags=["paper"], note="as in section 3 [/]"))
    async with console(store, size=(120, 50)) as driver:
        await open_run(driver, run.id)
        await driver.press("left_square_bracket", "left_square_bracket")
        await driver.wait_for(lambda: "2 that are no events" in driver.text())
        text = driver.text()
        for shown in (
            "differ [/]",
            "Warnings: 1",
            "e0001",
            "Checkpoints written: 1",
            "missing events",
            "a resume could not",
            "#paper",
            "as in section 3 [/]",
        ):
            assert shown in text
        assert "\x1b" not in text


@driven
async def test_the_checks_of_a_record_are_on_the_verify_page(store: Store) -> None:
    def odd(epoch: ev.Epoch) -> None:
        epoch.test_accuracy = 0.123456

    config = RunConfig(epochs=6, log_steps=1)
    good, bad = write_run(store, config), write_run(store, config, change_epoch=odd)
    not_started = store.create(config)
    async with console(store, size=(120, 40)) as driver:
        shown = await open_run(driver, bad.id)
        await driver.press("left_square_bracket")
        assert shown.page == "verify"
        await driver.wait_for(lambda: "1 failed" in driver.text())
        lines = [line.strip() for line in driver.text().splitlines()]
        found = [line for line in lines if line.startswith("failed")]
        assert found == [
            "failed          accuracies: test accuracy 0.123456 of epoch 1 is no whole number of 10,000.",
        ]
        checks = check_run(load(store, bad.id)[0])
        for check in checks:
            said = f"{check.result:<16}{check.name}"
            assert any(line.startswith(said) for line in lines), said
        await open_run(driver, good.id)
        await driver.press("left_square_bracket")
        assert "0.123456" not in driver.text(), "another run's checks are forgotten"
        await driver.wait_for(lambda: " 0 failed" in driver.text())
        await open_run(driver, not_started.id)
        await driver.press("left_square_bracket")
        await driver.wait_for(lambda: "it was not started yet." in driver.text())


@pytest.mark.parametrize("size", [(80, 24), (160, 45), (40, 12), (20, 6)])
@driven
async def test_hostile_words_and_numbers_break_nothing_at_any_size(store: Store, size: tuple[int, int]) -> None:
    def spoil(row: ev.Epoch) -> None:
        row.train_loss = "nan" if row.epoch % 2 else "inf"
        row.test_accuracy = "nan" if row.epoch < 3 else 7.0
        row.test_loss = -1.0

    failed = ev.Failed(reason="[/]\x1b[2J", message=HOSTILE * 5, epoch=4, step=40)
    run = write_run(store, CONFIG, epochs_done=4, end=failed, label="[/]\x1b[2J", change_epoch=spoil)
    async with console(store, size=size) as driver:
        await open_run_anyhow(driver, run.id)
        await driver.press("G", "S", "left", "O", "right_square_bracket", "right_square_bracket", "left_square_bracket")
        assert "\x1b" not in driver.text()
        assert "\u202e" not in driver.text()
        assert driver.app.return_code is None


async def open_run_anyhow(driver: Driver, run_id: str) -> None:
    driver.app.open_run(run_id)
    await driver.wait_for(lambda: isinstance(driver.app.screen, RunScreen) and screen(driver).run_id == run_id)
    await driver.pilot.pause()


@driven
async def test_one_chart_at_a_time_on_a_narrow_screen(store: Store) -> None:
    run = write_run(store, CONFIG)
    async with console(store, size=(50, 20)) as driver:
        await open_run_anyhow(driver, run.id)
        loss, accuracy = charts(driver)
        assert (loss.display, accuracy.display) == (False, True)
        await driver.press("m")
        assert (loss.display, accuracy.display) == (True, False)
        await driver.pilot.resize_terminal(100, 30)
        await driver.wait_for(lambda: loss.display and accuracy.display)


@driven
async def test_another_run_forgets_zoom_and_crosshair_but_not_taste(store: Store) -> None:
    first, second = write_run(store, CONFIG), write_run(store, CONFIG, epochs_done=7, finish=False)
    async with console(store) as driver:
        shown = await open_run(driver, first.id)
        await driver.wait_for(lambda: len(charts(driver)[1].x_positions()) == 20)
        await driver.press("left", "plus", "G")
        driver.app.open_run(second.id)
        await driver.wait_for(lambda: len(charts(driver)[1].curves[0].x) == 7)
        assert driver.app.screen is shown, "screens stay"
        assert (shown.view.crosshair, shown.view.x_low, shown.view.log) == (None, None, True)


@driven
async def test_a_failed_resume_and_stop_say_so_and_the_path_is_copied(store: Store) -> None:
    run = write_run(store, CONFIG)
    async with console(store) as driver:
        await open_run(driver, run.id)
        await driver.press("x")
        await driver.wait_for(lambda: driver.notifications())
        before = len(driver.notifications())
        await driver.press("o")
        await driver.wait_for(lambda: len(driver.notifications()) > before)
        assert str(store.path(run.id).absolute()) in driver.notifications()[-1]


@driven
async def test_delete_names_what_is_lost_asks_and_goes_back_to_the_runs(store: Store) -> None:
    kept, doomed = write_run(store, CONFIG), write_run(store, CONFIG, label="not needed")
    async with console(store, size=(160, 30)) as driver:
        shown = await open_run(driver, doomed.id)
        assert "Delete" in driver.text().splitlines()[-1]
        await driver.press("D")
        await driver.wait_for(lambda: isinstance(driver.app.screen, ConfirmScreen))
        assert "Delete not needed?" in driver.text()
        assert "20 of 20 epochs" in driver.text()
        await driver.press("n")
        assert screen(driver) is shown
        assert doomed.id in store.ids()
        await driver.press("delete")
        await driver.wait_for(lambda: isinstance(driver.app.screen, ConfirmScreen))
        await driver.press("y")
        await driver.wait_for(lambda: driver.app.screen is driver.runs)
        assert store.ids() == [kept.id]
        await driver.wait_for(lambda: driver.shown == [kept.id])
        assert "Deleted not needed." in driver.notifications()


@pytest.mark.parametrize(("place", "name"), [("1", "RunsScreen"), ("2", "NewRunScreen")])
@driven
async def test_who_went_elsewhere_while_a_run_was_deleted_stays_there_and_the_row_goes(
    store: Store, monkeypatch: pytest.MonkeyPatch, place: str, name: str
) -> None:
    kept, doomed = write_run(store, CONFIG), write_run(store, CONFIG)
    async with console(store) as driver:
        await open_run(driver, doomed.id)
        monkeypatch.setattr(watch_loop, "_QUIET_SECONDS", 60.0)  # Nobody else finds out that it is gone.
        goes_on = threading.Event()
        driver.app.session.executors["delete"].submit(goes_on.wait)  # A slow disk.
        await driver.press("D", "y", place)
        assert type(driver.app.screen).__name__ == name
        goes_on.set()
        await driver.wait_for(lambda: f"Deleted {doomed.id}." in driver.notifications())
        await driver.pilot.pause()
        assert type(driver.app.screen).__name__ == name
        driver.app.show_runs()
        await driver.wait_for(lambda: driver.shown == [kept.id])


@driven
async def test_another_run_that_was_turned_to_while_one_was_deleted_stays_on_show(store: Store) -> None:
    kept, doomed = write_run(store, CONFIG), write_run(store, CONFIG)
    async with console(store) as driver:
        shown = await open_run(driver, doomed.id)
        goes_on = threading.Event()
        driver.app.session.executors["delete"].submit(goes_on.wait)
        await driver.press("D", "y")
        await open_run(driver, kept.id)
        goes_on.set()
        await driver.wait_for(lambda: f"Deleted {doomed.id}." in driver.notifications())
        await driver.pilot.pause()
        assert (driver.app.screen, shown.run_id) == (shown, kept.id)


@pytest.mark.slow
@driven
async def test_a_run_that_trains_is_not_deleted(store: Store) -> None:
    run = write_run(store, CONFIG, epochs_done=3, finish=False)
    with trained(store, run.id):
        async with console(store, size=(160, 30)) as driver:
            shown = await open_run(driver, run.id)
            await driver.wait_for(lambda: "running" in driver.text())
            assert "Delete" not in driver.text().splitlines()[-1]
            await driver.press("D")
            assert driver.notifications() == ["It is running: stop it first with x."]
            assert driver.app.screen is shown
            assert run.id in store.ids()


@driven
async def test_duplicate_and_compare_go_where_they_say(store: Store) -> None:
    from alexnet_tui.tui.screens.compare.screen import CompareScreen
    from alexnet_tui.tui.screens.new_run.screen import NewRunScreen

    run, pinned = write_run(store, CONFIG), write_run(store, CONFIG)
    async with console(store) as driver:
        screen = await open_run(driver, run.id)
        await driver.press("c")
        await driver.wait_for(driver.notifications)
        assert driver.app.screen is screen, "one run is no comparison"
        driver.toggle_pin(pinned.id)
        await driver.press("c")
        await driver.wait_for(lambda: isinstance(driver.app.screen, CompareScreen))
        compare = driver.app.screen
        assert isinstance(compare, CompareScreen)
        assert compare.run_ids == (run.id, pinned.id)
        await driver.press("escape")
        await driver.wait_for(lambda: isinstance(driver.app.screen, RunScreen))
        await driver.press("d")
        await driver.wait_for(lambda: isinstance(driver.app.screen, NewRunScreen))


def test_facts_say_ages_and_paces_in_words(store: Store, tmp_path: Path) -> None:
    record = write_run(store, CONFIG)
    history = RunHistory(record)
    assert age(history, State.RUNNING).value == ""
    history.last_wall, history.num_events = 1000.0, 1
    assert age(history, State.RUNNING, 1002.5).value == "2.5s ago"
    assert age(history, State.RUNNING, 1002.5).style == ""
    assert age(history, State.RUNNING, 1100).name == "started", "nothing is late while the data is prepared"
    assert age(history, State.FINISHED, 1100).name == "last event"
    assert lead_text(Lead(0.5, 3.21), "base") == ("3.2 epochs ahead of base", "")
    assert lead_text(Lead(0.5, -1.0), "base") == ("1.0 epochs behind base", "")
    assert lead_text(Lead(0.1075, 0.0), "base") == ("reached its 10.75% as early as base", "muted")
    assert lead_text(Lead(0.5, None), "base") == ("above the best of base", "")
    assert status_message(history, State.FINISHED) == ("", "")
    assert {fact.value for fact in number_facts(history, None)} == {"–"}
    history.fold([msgspec.structs.replace(STEP, wall=1000.0)])
    assert [(age(history, State.RUNNING, at).name, age(history, State.RUNNING, at).style) for at in (1002.5, 1100)] == [
        ("last point", ""),
        ("last point", "warn"),
    ]


@pytest.mark.slow
@driven
async def test_news_repaint_only_the_lines_of_the_head_that_they_change(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = store.create(CONFIG)
    with trained(store, run.id), open_writer(store.path(run.id)) as writer:
        writer.write(started(CONFIG, steps_per_epoch=100, total_steps=2000))
        async with console(store, size=(160, 45)) as driver:
            top = await open_run(driver, run.id)
            writer.write(STEP)
            await driver.wait_for(lambda: "10/2,000" in driver.text())
            head, repainted = top.query_one(HeadView), list[int]()
            for index, line in enumerate(head.query(Static)):

                def refresh(
                    *_: Region, layout: bool = False, line: Static = line, index: int = index, **__: bool
                ) -> Static:
                    assert not layout, "nothing moved"
                    repainted.append(index)
                    return line

                monkeypatch.setattr(line, "refresh", refresh)
            writer.write(msgspec.structs.replace(STEP, step=20))
            await driver.wait_for(lambda: repainted)
            assert 0 not in repainted, "not the title"
            repainted.clear()
            shown = [line.content for line in head.query(Static) if line.display]
            head.show([line for line in shown if isinstance(line, Content)])
            assert repainted == []


@driven
async def test_the_silence_of_another_host_is_shown_and_looked_for_outside_the_event_loop(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = write_run(store, CONFIG, epochs_done=3, finish=False)
    (store.path(run.id) / "lock").write_text('{"pid":1,"host":"node7","start_seconds":1.0}')
    before, threads = time.time() - 430, set[threading.Thread]()
    for name in (EVENTS_FILE, "lock"):
        os.utime(store.path(run.id) / name, (before, before))

    def looked(directory: Path) -> str:
        threads.add(threading.current_thread())
        return silence_text(directory)

    monkeypatch.setattr(run_screen, "silence_text", looked)
    async with console(store, size=(120, 30)) as driver:
        await open_run(driver, run.id)
        await driver.wait_for(lambda: "no news for 7 minutes, on node7" in driver.text())
        assert threading.current_thread() not in threads


def test_the_longer_a_drawing_takes_the_longer_its_chart_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = iter((0.0, 0.01, 5.0, 5.05, 9.0, 99.0))  # Of this thread, before and behind each drawing.
    monkeypatch.setattr(time, "thread_time", lambda: next(seconds))
    pace, now = StepsPace(), 100.0
    assert pace.is_due(1, now)
    for rest in (0.5, 1.0, 2.0):
        with pace.drawing(7, now):
            pass
        assert (pace.is_due(7, now + 60), pace.is_due(8, now + 0.99 * rest), pace.is_due(8, now + rest)) == (
            False,
            False,
            True,
        )
