"""The Compare screen: curves, bands, deltas and keys, in the real console."""

import math
from pathlib import Path

import pytest
from console_driver import Driver, console, driven
from fake_runs import curve, open_writer, started, write_run

from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.runs import events as ev
from alexnet_tui.runs.history import RunHistory, load
from alexnet_tui.runs.store import Store
from alexnet_tui.tui.charts.axis import Measure
from alexnet_tui.tui.charts.model import ChartSpec, View, prepare
from alexnet_tui.tui.charts.render import draw
from alexnet_tui.tui.charts.series import Spread
from alexnet_tui.tui.charts.widget import MetricChart
from alexnet_tui.tui.screens.compare.comparison import (
    METRICS,
    RESULTS,
    columns_of,
    curve_of,
    differing,
    entries_of,
    fitting,
    known,
    layout,
    short_names,
)
from alexnet_tui.tui.screens.compare.screen import CompareScreen
from alexnet_tui.tui.screens.run.screen import RunScreen
from alexnet_tui.tui.session import OpenCompare


def config(**fields: str) -> RunConfig:
    return RunConfig.from_text({"epochs": "20", "data": "synthetic", **fields})


def histories(store: Store, *runs: tuple[RunConfig, float]) -> list[RunHistory]:
    return [load(store, write_run(store, one, final=final).id)[0] for one, final in runs]


def name_of(run_id: str) -> str:
    return f"name of {run_id}"


# What is compared


def test_only_what_differs_is_a_column(store: Store) -> None:
    found = histories(
        store, (config(), 0.6), (config(variant="low-dropout", learning_rate="0.05"), 0.5), (config(seed="3"), 0.6)
    )
    entries = entries_of(found, name_of, is_grouped=False, pinned_id=found[0].id)
    assert differing(entries, is_grouped=False) == ["variant", "seed", "dropout", "learning_rate"]
    assert [entry.is_pinned for entry in entries] == [True, False, False]
    columns = columns_of(entries, is_grouped=False)
    titles = [column.title for column in columns]
    assert titles[:4] == ["variant", "seed", "learning rate", "dropout"], "what the variant implies comes last"
    assert titles[4:] == [result.title for result in RESULTS]
    assert [cell.text for cell in columns[2].cells] == ["0.01", "0.05", "0.01"]


def test_runs_side_by_side_have_short_names_unless_these_leave_a_doubt(store: Store) -> None:
    records = [
        write_run(store, config(seed="3")),
        write_run(store, config(variant="tanh")),
        write_run(store, config(variant="tanh", learning_rate="0.003")),
        write_run(store, config(seed="4"), label="mine"),
    ]
    found = [load(store, record.id)[0] for record in records]
    names = short_names(found, lambda run_id: "mine" if run_id == records[3].id else run_id)
    assert list(names.values()) == ["baseline s3", records[1].id, records[2].id, "mine"]


def test_results_have_deltas_to_the_pinned_run(store: Store) -> None:
    found = histories(store, (config(), 0.6), (config(seed="1"), 0.5))
    entries = entries_of(found, name_of, is_grouped=False, pinned_id=found[0].id)
    columns = {column.title: column for column in columns_of(entries, is_grouped=False)}
    best = [100 * (found[index].best_test_accuracy or 0) for index in (0, 1)]
    first, second = columns["best %"].cells
    assert (first.text, first.delta) == (f"{best[0]:.2f}", "")
    assert (second.text, second.delta) == (f"{best[1]:.2f}", f"{best[1] - best[0]:+.2f}")
    assert columns["time"].cells[1].delta == "×1.00"


def test_a_pinned_run_that_is_not_compared_is_the_first_row(store: Store) -> None:
    pinned, other = histories(store, (config(dropout="0.2"), 0.6), (config(seed="1"), 0.5))
    for is_grouped in (False, True):
        entries = entries_of([other], name_of, is_grouped=is_grouped, pinned_id=pinned.id, guest=pinned)
        assert [(entry.histories, entry.is_pinned, entry.is_guest) for entry in entries] == [
            ((pinned,), True, True),
            ((other,), False, False),
        ]
        assert entries[1].slot == 0, "the runs compared keep their colours"
        columns = {column.title: column for column in columns_of(entries, is_grouped=is_grouped)}
        assert [cell.text for cell in columns["dropout"].cells] == ["0.2", "0.5"], "what differs from the baseline"
        best = [100 * (one.best_test_accuracy or 0) for one in (pinned, other)]
        assert [(cell.text, cell.delta) for cell in columns["best %"].cells] == [
            (f"{best[0]:.2f}", ""),
            (f"{best[1]:.2f}", f"{best[1] - best[0]:+.2f}"),
        ]


def test_groups_are_all_but_the_seed_with_mean_and_deviation(store: Store) -> None:
    found = histories(
        store, (config(), 0.5), (config(variant="tanh"), 0.55), (config(seed="1"), 0.6), (config(seed="2"), 0.7)
    )
    entries = entries_of(found, name_of, is_grouped=True, pinned_id=None)
    assert [len(entry.histories) for entry in entries] == [3, 1]
    assert entries[0].name == "baseline n=3"
    assert entries[1].name == name_of(found[1].id)
    assert "seed" not in differing(entries, is_grouped=True)
    best = [100 * (found[index].best_test_accuracy or 0) for index in (0, 2, 3)]
    mean = sum(best) / 3
    deviation = math.sqrt(sum((value - mean) ** 2 for value in best) / 2)
    cell = {column.title: column for column in columns_of(entries, is_grouped=True)}["best %"].cells[0]
    assert cell.text == f"{mean:.2f}±{deviation:.2f}"


def test_a_seed_without_the_result_is_counted_out(store: Store) -> None:
    good = write_run(store, config())
    never = write_run(store, config(seed="1"), epochs_done=1, final=0.2, gap=0.0, finish=False)
    found = [load(store, run.id)[0] for run in (good, never)]
    entries = entries_of(found, name_of, is_grouped=True, pinned_id=None)
    cell = {column.title: column for column in columns_of(entries, is_grouped=True)}["T25 ep."].cells[0]
    assert cell.text.endswith("(1 of 2)")


def test_curves_stand_on_the_axis_one_asks_for(store: Store) -> None:
    (history,) = histories(store, (config(), 0.6))
    (entry,) = entries_of([history], name_of, is_grouped=False, pinned_id=None)
    ends = {}
    for axis in ("epoch", "step", "seconds"):
        drawn = curve_of(entry, METRICS[0], axis, Spread.RANGE)
        assert drawn is not None
        assert drawn.low is None
        ends[axis] = drawn.x[-1]
    assert ends == {"epoch": 20, "step": 200, "seconds": 40}
    gap = next(metric for metric in METRICS if metric.title == "Gap")
    drawn = curve_of(entry, gap, "epoch", Spread.RANGE)
    assert drawn is not None
    assert drawn.y[-1] == pytest.approx(history.epochs["train_eval_accuracy"][-1] - history.epochs["test_accuracy"][-1])


def test_a_group_is_a_mean_with_a_band(store: Store) -> None:
    found = histories(store, (config(), 0.5), (config(seed="1"), 0.7))
    (entry,) = entries_of(found, name_of, is_grouped=True, pinned_id=None)
    drawn = curve_of(entry, METRICS[0], "epoch", Spread.RANGE)
    assert drawn is not None
    assert drawn.low is not None
    assert drawn.high is not None
    low, high = (one.epochs["test_accuracy"][-1] for one in found)
    assert (drawn.low[-1], drawn.y[-1], drawn.high[-1]) == pytest.approx((low, (low + high) / 2, high))


@pytest.mark.parametrize(
    ("epochs", "axis", "note"),
    [
        ((20, 14, 17), "epoch", "mean to epoch 14, the shortest run"),
        ((20, 14, 17), "step", "mean to step 140, the shortest run"),
        ((20, 20, 20), "epoch", ""),
        ((20, 0, 20), "epoch", ""),  # It has no curve to end.
    ],
)
def test_a_mean_that_ends_before_some_of_its_runs_says_so(
    store: Store, epochs: tuple[int, ...], axis: str, note: str
) -> None:
    runs = [
        write_run(store, config(seed=str(seed)), epochs_done=done, finish=False) for seed, done in enumerate(epochs)
    ]
    (entry,) = entries_of([load(store, run.id)[0] for run in runs], name_of, is_grouped=True, pinned_id=None)
    drawn = curve_of(entry, METRICS[0], axis, Spread.RANGE)
    assert drawn is not None
    view = View()
    face = ChartSpec(title="Test accuracy", y=Measure.SHARE, x_title=axis)
    shown = draw(face, prepare([drawn], view), view, (80, 20))
    assert shown.notes == ((note,) if note else ())
    assert note in "".join(char for row in shown.buffer.chars for char in row)


def test_columns_give_way_by_rank(store: Store) -> None:
    found = histories(store, (config(), 0.6), (config(variant="tanh", learning_rate="0.05"), 0.5))
    columns = columns_of(entries_of(found, name_of, is_grouped=False, pinned_id=found[0].id), is_grouped=False)
    assert fitting(columns, 1000, 20) == columns
    few = fitting(columns, 60, 20)
    assert {"variant", "best %"} <= {column.title for column in few}
    assert 20 + sum(column.width + 2 for column in few) <= 60
    assert fitting(columns, 5, 20) == []


def test_runs_that_are_gone_are_left_out(store: Store) -> None:
    (history,) = histories(store, (config(), 0.6))
    assert known([history.id, "gone", history.id], {history.id: history}) == [history]


# The screen


def screen(driver: Driver) -> CompareScreen:
    top = driver.app.screen
    assert isinstance(top, CompareScreen)
    return top


def chart(driver: Driver, which: str = "first") -> MetricChart:
    return screen(driver).query_one(f"#{which}", MetricChart)


async def compare(driver: Driver, *run_ids: str) -> CompareScreen:
    driver.app.on_open_compare(OpenCompare(list(run_ids)))
    await driver.wait_for(
        lambda: (
            (isinstance(driver.app.screen, CompareScreen) and "deltas to" in driver.text()) or "p pins" in driver.text()
        )
    )
    return screen(driver)


def three(store: Store) -> list[str]:
    return [
        write_run(store, config(), final=0.6, label="base").id,
        write_run(store, config(seed="1"), final=0.62, label="").id,
        write_run(store, config(variant="tanh"), final=0.5, label="tanh run").id,
    ]


@driven
async def test_marked_runs_lie_over_each_other_with_their_table(store: Store) -> None:
    ids = three(store)
    async with console(store, size=(160, 45)) as driver:
        driver.toggle_pin(ids[0])
        await compare(driver, *ids)
        assert [one.name for one in chart(driver).curves] == ["base", "baseline s1", "tanh run"]
        assert [one.slot for one in chart(driver).curves] == [0, 1, 2]
        assert chart(driver).spec.title == "Test accuracy"
        assert chart(driver, "second").spec.title == "Test loss"
        text = driver.text()
        for shown in ("variant", "seed", "best %", "last 5 %", "gap", "T25", "time", "deltas to base", "3 runs"):
            assert shown in text
        assert "weight decay" not in text
        assert "-9" in next(
            line for line in text.splitlines() if "tanh run" in line and "relu" not in line and "tanh  " in line
        )


@driven
async def test_every_key_of_the_comparison(store: Store) -> None:
    ids = three(store)
    async with console(store, size=(160, 45)) as driver:
        shown = await compare(driver, *ids)
        first, second = chart(driver), chart(driver, "second")
        await driver.press("m")
        assert (first.spec.title, second.spec.title) == ("Train accuracy", "Train loss")
        await driver.press("m", "m")
        assert (first.spec.title, second.spec.title) == ("Test accuracy", "Test loss")
        await driver.press("left", "plus")
        assert first.view.crosshair == second.view.crosshair == 20
        assert first.view.x_low is not None
        await driver.press("X")
        assert shown.x_axis == "step"
        assert first.curves[0].x[-1] == 200
        assert first.view == View(), "a zoom in epochs means nothing in steps"
        await driver.press("X")
        assert first.curves[0].x[-1] == 40
        assert first.spec.x_title == "time"
        await driver.press("X", "g")
        assert shown.x_axis == "epoch"
        assert [one.name for one in first.curves] == ["base n=2", "tanh run"]
        low = first.curves[0].low
        assert low is not None
        await driver.press("b")
        assert shown.spread is Spread.DEVIATION
        other = first.curves[0].low
        assert other is not None
        assert other[-1] < low[-1], "two seeds: the deviation is wider than half their distance"
        await driver.press("g", "G", "S", "O")
        assert len(first.curves) == 3
        assert (first.view.log, first.view.clip, second.view.log) == (True, True, True)
        assert first.view.smoothing == shown.view.smoothing != type(shown).view.smoothing


@driven
async def test_the_row_under_the_cursor_is_on_top_opens_and_pins(store: Store) -> None:
    ids = three(store)
    async with console(store) as driver:
        shown = await compare(driver, *ids)
        assert [one.is_chosen for one in chart(driver).curves] == [True, False, False]
        await driver.press("down", "down", "down")
        assert shown.row == 2
        assert [one.is_chosen for one in chart(driver).curves] == [False, False, True]
        await driver.press("p")
        assert driver.app.session.pinned_run_id == ids[2]
        await driver.wait_for(lambda: "deltas to tanh run" in driver.text())
        await driver.press("up", "enter")
        await driver.wait_for(lambda: isinstance(driver.app.screen, RunScreen))
        run_screen = driver.app.screen
        assert isinstance(run_screen, RunScreen)
        assert run_screen.run_id == ids[1]


@driven
async def test_a_pinned_run_outside_is_the_pace_line(store: Store) -> None:
    ids = three(store)
    async with console(store) as driver:
        driver.toggle_pin(ids[0])
        await compare(driver, *ids[1:])
        assert [(one.name, one.is_baseline) for one in chart(driver).curves][-1] == ("base", True)
        shown = screen(driver)
        assert [entry.histories[0].id for entry in shown.entries] == [ids[0], *ids[1:]]
        lines = driver.text().splitlines()
        heading = next(index for index, line in enumerate(lines) if line.startswith(" run "))
        assert lines[heading + 1].split()[:2] == ["▸■", "base"], "the baseline is the first row, with its pin"
        assert "2 runs · deltas to base" in lines[heading - 1]
        assert shown.row == 1, "the cursor stands on a run that was asked for"
        await driver.press("up", "p")
        assert driver.app.session.pinned_run_id is None
        assert [entry.histories[0].id for entry in shown.entries] == ids[1:]
        assert not any(one.is_baseline for one in chart(driver).curves)


@driven
async def test_the_cursor_stays_on_its_run_when_the_baseline_comes_and_goes(store: Store) -> None:
    ids = three(store)
    async with console(store) as driver:
        shown = await compare(driver, *ids[1:])
        await driver.press("down")
        driver.toggle_pin(ids[0])
        await driver.wait_for(lambda: len(shown.entries) == 3)
        assert shown.entries[shown.row].histories[0].id == ids[2]
        driver.toggle_pin(ids[0])
        await driver.wait_for(lambda: len(shown.entries) == 2)
        assert shown.entries[shown.row].histories[0].id == ids[2]


@driven
async def test_a_live_baseline_moves_too(store: Store) -> None:
    ids = three(store)
    live = write_run(store, config(seed="9"), epochs_done=3, finish=False)
    async with console(store) as driver:
        driver.toggle_pin(live.id)
        await compare(driver, *ids)
        with open_writer(store.path(live.id), next_seq=200) as writer:
            writer.write(curve(4, 20))
        await driver.wait_for(lambda: len(chart(driver).curves[-1].x) == 4)


@driven
async def test_p_on_a_group_that_holds_the_pinned_run_takes_the_pin_away(store: Store) -> None:
    ids = three(store)
    async with console(store) as driver:
        driver.toggle_pin(ids[1])
        await compare(driver, *ids)
        await driver.press("g", "p")
        assert driver.app.session.pinned_run_id is None


def test_the_table_cuts_names_only_where_there_is_no_room(store: Store) -> None:
    long = "a label of about forty cells, all needed"
    found = histories(store, (config(), 0.6), (config(variant="tanh"), 0.5))
    entries = entries_of(found, lambda run_id: f"{long} {run_id[:4]}", is_grouped=False, pinned_id=None)
    wide, narrow = (layout(entries, width, is_grouped=False) for width in (150, 76))
    assert not wide.hidden
    assert wide.name_cells == len(entries[0].name)
    assert narrow.name_cells < len(long)
    assert narrow.hidden
    assert [column.title for column in narrow.shown if column.title == "best %"], "the last to go"
    for found_layout, width in ((wide, 150), (narrow, 76)):
        assert found_layout.name_cells + sum(column.width + 2 for column in found_layout.shown) <= width


@driven
async def test_what_has_no_room_in_the_table_is_named_where_the_line_allows(store: Store) -> None:
    ids = three(store)
    async with console(store, size=(100, 24)) as driver:
        driver.toggle_pin(ids[0])
        shown = await compare(driver, *ids)
        hidden = [column.title for column in layout(shown.entries, shown.size.width - 7, is_grouped=False).hidden]
        assert hidden
        noun = "column" if len(hidden) == 1 else "columns"
        assert f"{len(hidden)} {noun} hidden: {hidden[0]}" in driver.text()


@driven
async def test_a_live_run_moves_here_too_and_others_do_not_disturb(store: Store) -> None:
    ids = three(store)
    live = write_run(store, config(seed="9"), epochs_done=3, finish=False)
    async with console(store) as driver:
        await compare(driver, ids[0], live.id)
        drawn = screen(driver)._drawn
        with open_writer(store.path(live.id), next_seq=200) as writer:
            writer.write(curve(4, 20))
        await driver.wait_for(lambda: len(chart(driver).curves[1].x) == 4)
        assert screen(driver)._drawn != drawn


@driven
async def test_nothing_marked_says_what_to_press(store: Store) -> None:
    write_run(store, config())
    async with console(store) as driver:
        driver.app.on_open_compare(OpenCompare([]))
        await driver.wait_for(lambda: "Nothing to compare yet" in driver.text())
        assert "space" in driver.text()
        await driver.press("m", "g", "X", "left", "enter", "p", "down", "G", "S", "O", "plus", "b")
        assert driver.app.return_code is None


@driven
async def test_one_run_alone_says_how_to_mark_others(store: Store) -> None:
    ids = three(store)
    async with console(store) as driver:
        await compare(driver, ids[0])
        assert "space on Runs (1) marks more runs" in driver.text()
        assert "p pins a run to compare with" in driver.text()
        await compare(driver, *ids)
        await driver.wait_for(lambda: "3 runs" in driver.text())
        assert "marks more runs" not in driver.text()


@driven
async def test_a_small_screen_shows_the_chart_and_its_notes_or_says_why_not(store: Store) -> None:
    ids = three(store)
    async with console(store, size=(40, 12)) as driver:
        driver.app.on_open_compare(OpenCompare(ids))
        await driver.wait_for(lambda: isinstance(driver.app.screen, CompareScreen) and screen(driver).entries)
        await driver.press("G", "S", "O")
        assert chart(driver).rendered.viewport is not None
        text = driver.text()
        assert "log · EMA 0.6 · clip" in text
        assert any(0x2800 < ord(char) <= 0x28FF for char in text), "a curve is drawn"
        await driver.pilot.resize_terminal(40, 7)
        await driver.wait_for(lambda: "needs a larger window" in driver.text())


@driven
async def test_a_comparison_of_what_is_left_of_another_works_by_its_keys(store: Store) -> None:
    ids = three(store)
    async with console(store) as driver:
        shown = await compare(driver, *ids[:2])
        store.delete(ids[1])
        driver.app.session.watcher.drop(ids[1])
        driver.app.on_open_compare(OpenCompare(ids[:1]))
        await driver.press("p")
        await driver.wait_for(lambda: driver.app.session.pinned_run_id == ids[0])
        assert [entry.histories[0].id for entry in shown.entries] == ids[:1]


@driven
async def test_another_comparison_forgets_the_zoom(store: Store) -> None:
    ids = three(store)
    async with console(store) as driver:
        shown = await compare(driver, *ids[:2])
        await driver.press("left", "plus", "G")
        driver.app.on_open_compare(OpenCompare(ids[1:]))
        await driver.wait_for(lambda: [entry.histories[0].id for entry in shown.entries] == ids[1:])
        assert (shown.view.crosshair, shown.view.x_low, shown.view.log) == (None, None, True)


@pytest.mark.parametrize("size", [(80, 24), (160, 45), (40, 12), (20, 6)])
@driven
async def test_hostile_labels_and_numbers_at_any_size(store: Store, size: tuple[int, int]) -> None:
    def spoil(row: ev.Epoch) -> None:
        row.test_accuracy, row.test_loss = "nan", "inf"

    ids = [
        write_run(store, config(), label="[/] \x1b]0;PWNED\x07 é漢字\u202e", change_epoch=spoil).id,
        write_run(store, config(seed="1"), epochs_done=1, finish=False, label="[@click=app.bell]x[/]").id,
        store.create(config(seed="2")).id,
    ]
    empty = store.create(config(seed="3"))
    with open_writer(store.path(empty.id)) as writer:
        writer.write(started(config(seed="3")))
    async with console(store, size=size) as driver:
        driver.app.on_open_compare(OpenCompare([*ids, empty.id, "gone"]))
        await driver.wait_for(lambda: isinstance(driver.app.screen, CompareScreen) and len(screen(driver).entries) == 4)
        await driver.press("left", "m", "X", "g", "G", "S", "O", "b", "down", "plus")
        assert "\x1b" not in driver.text()
        assert "\u202e" not in driver.text()
        assert driver.app.return_code is None


def test_the_screens_need_no_torch(tmp_path: Path) -> None:
    import subprocess
    import sys

    code = (
        "import sys; import alexnet_tui.tui.screens.run.screen, alexnet_tui.tui.screens.compare.screen;"
        "sys.exit(any(name.split('.')[0] in {'torch', 'torchvision'} for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
