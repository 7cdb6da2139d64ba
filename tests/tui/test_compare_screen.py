"""The Compare screen: curves, bands, deltas and keys, in the real console."""

import json
import math
from collections.abc import Sequence
from pathlib import Path

import pytest
from cli_caller import Run
from console_driver import Driver, console, driven
from fake_runs import curve, open_writer, started, write_run

from alexnet_tui.analysis.compare import Comparison
from alexnet_tui.analysis.time_to_accuracy import time_to_accuracy
from alexnet_tui.config.claims import load_claims
from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.config.protocols import READINGS, plan_configs
from alexnet_tui.json_io import json_text
from alexnet_tui.runs import events as ev
from alexnet_tui.runs.follow import load
from alexnet_tui.runs.history import RunHistory
from alexnet_tui.runs.notes import Notes
from alexnet_tui.runs.store import Store
from alexnet_tui.studies import planning
from alexnet_tui.tui.charts.model import View
from alexnet_tui.tui.charts.raster import DotMode
from alexnet_tui.tui.charts.series import Spread
from alexnet_tui.tui.charts.widget import MetricChart
from alexnet_tui.tui.screens.compare.comparison import (
    CHARTED,
    Entry,
    columns_of,
    curve_of,
    entries_of,
    histories_of,
)
from alexnet_tui.tui.screens.compare.screen import CompareScreen
from alexnet_tui.tui.screens.run.screen import RunScreen
from alexnet_tui.tui.session import OpenCompare
from alexnet_tui.tui.widgets.columns import fit

Made = tuple[Comparison, list[Entry]]


def config(**fields: str) -> RunConfig:
    return RunConfig.from_text({"epochs": "20", "data": "synthetic", **fields})


def histories(store: Store, *runs: tuple[RunConfig, float]) -> list[RunHistory]:
    return [load(store, write_run(store, one, final=final).id)[0] for one, final in runs]


def name_of(run_id: str) -> str:
    return f"name of {run_id}"


# What is compared


def rows_of(found: list[RunHistory], *, is_grouped: bool = False, pinned: str | None = None, **more: object) -> Made:
    return entries_of(found, name_of, is_grouped=is_grouped, pinned_id=pinned, states={}, **more)  # type: ignore[arg-type]


def cells(made: Made, key: str, alike: Sequence[RunHistory] = ()) -> list[tuple[str, str]]:
    """Text and style of a column, in all rows."""
    column = next(column for column in columns_of(*made, DotMode.BRAILLE, alike) if column.key == key)
    return [column.cell(entry, None, 60) for entry in made[1]]


def test_a_bound_and_a_deviation_say_the_same_without_unicode(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [(config(variant=variant, seed=seed, epochs="1"), 0.6) for variant in ("tanh", "baseline") for seed in "01"]
    found = histories(store, *runs)
    for variable, text in (("", "≤ 1.0±0.0"), ("1", "<= 1.0+-0.0")):
        monkeypatch.setenv("ALEXNET_TUI_ASCII", variable)
        monkeypatch.setattr("locale.getencoding", lambda: "utf-8")
        made = rows_of(found, is_grouped=True)
        assert [shown for shown, _ in cells(made, "t25")] == [text, text]
        (column,) = (column for column in columns_of(*made, DotMode.BRAILLE) if column.key == "t25")
        assert column.width == len(text)


def test_only_what_differs_is_a_column(store: Store) -> None:
    found = histories(
        store, (config(), 0.6), (config(variant="low-dropout", learning_rate="0.05"), 0.5), (config(seed="3"), 0.6)
    )
    made = rows_of(found, pinned=found[0].id)
    assert [entry.group.is_base for entry in made[1]] == [True, False, False]
    by_rank = sorted(columns_of(*made, DotMode.BRAILLE), key=lambda column: column.rank)
    keys = [column.key for column in by_rank]
    assert keys[:7] == ["sign", "name", "max_test", "max_test difference", "variant", "seed", "learning rate"]
    assert keys[-1] == "dropout", "what the variant implies comes last"
    unlabelled = entries_of(found, lambda run_id: run_id, is_grouped=False, pinned_id=None, states={})
    by_rank = sorted(columns_of(*unlabelled, DotMode.BRAILLE), key=lambda column: column.rank)
    keys = [column.key for column in by_rank]
    assert keys[4] == "learning rate"
    assert keys[-3:] == ["variant", "seed", "dropout"], "the names tell the first two"
    assert [text for text, _ in cells(made, "learning rate")] == ["0.01", "0.05", "0.01"]


def test_the_console_compares_as_the_command_line_does(store: Store, run: Run) -> None:
    ids = [
        write_run(store, config(), final=0.6).id,
        write_run(store, config(seed="1"), final=0.5).id,
        write_run(store, config(variant="tanh"), final=0.4).id,
        write_run(store, config(seed="2"), epochs_done=3, finish=False).id,
    ]
    printed = json.loads(run("compare", *ids, "--json").out)
    found = {run_id: load(store, run_id) for run_id in ids}
    compared, entries = entries_of(
        [history for history, _ in found.values()],
        lambda run_id: run_id,
        is_grouped=True,
        pinned_id=None,
        states={run_id: state for run_id, (_, state) in found.items()},
    )
    assert json.loads(json_text(compared)) == printed
    assert [list(entry.group.run_ids) for entry in entries] == [ids[:2], ids[3:], ids[2:3]]
    assert "only finished runs are averaged" in entries[1].group.alone


def test_a_difference_of_images_is_a_column_and_of_code_too(store: Store) -> None:
    changes: list[dict[str, object]] = [{}, {"data_sha256": "f" * 64}, {"commit": "abcdef1"}]
    runs = [write_run(store, config(seed=str(seed)), change_started=change) for seed, change in enumerate(changes)]
    found = [load(store, one.id)[0] for one in runs]
    made = rows_of(found, is_grouped=True)
    keys = [column.key for column in columns_of(*made, DotMode.BRAILLE)]
    assert {"data", "code"} <= set(keys)
    assert "f" * 12 in cells(made, "data")[1][0]
    assert [len(entry.histories) for entry in made[1]] == [2, 1], "runs on other images are not averaged"


def test_differences_to_the_base_are_coloured_where_seeds_alone_make_less(store: Store) -> None:
    alike = histories(store, *((config(seed=str(seed)), 0.60 + 0.001 * seed) for seed in range(4)))
    others = histories(store, *((config(dropout="0.2", seed=str(seed)), 0.5) for seed in range(3)))
    found = [alike[0], others[0], alike[1]]
    made = rows_of(found, pinned=alike[0].id)
    best = [100 * (one.best_test_accuracy or 0) for one in found]
    assert [text for text, _ in cells(made, "max_test")] == [f"{value:.2f}" for value in best]
    worse, within = f"{best[1] - best[0]:+.2f}", f"{best[2] - best[0]:+.2f}"
    assert cells(made, "max_test difference", alike=alike) == [("", ""), (worse, "bad"), (within, "muted")]
    base, slower = (time_to_accuracy(one).epochs for one in found[:2])
    assert base is not None
    assert slower is not None
    assert cells(made, "t25 difference", alike=alike)[1][0] == f"{slower - base:+.1f}"
    made = rows_of(found, pinned=others[0].id)
    assert cells(made, "max_test difference", alike=others)[0][1] == "good"
    assert cells(made, "time difference", alike=others)[0][1] == "muted", "a time is no merit"
    unknown = {style for _, style in cells(made, "max_test difference", alike=alike[:2]) if style}
    assert unknown == {"muted"}, "two runs say nothing of the spread"
    grouped = rows_of([*alike, *others], is_grouped=True)
    assert cells(grouped, "max_test difference")[1][1] == "bad", "groups bring their own spread"


def test_a_difference_within_the_spread_of_seeds_has_no_colour(store: Store) -> None:
    found = histories(
        store,
        *((config(seed=str(seed)), 0.5 + 0.1 * seed) for seed in range(3)),
        *((config(variant="tanh", seed=str(seed)), 0.55 + 0.1 * seed) for seed in range(3)),
    )
    assert cells(rows_of(found, is_grouped=True), "max_test difference")[1][1] == "muted"


def test_a_pinned_run_that_is_not_compared_is_the_first_row(store: Store) -> None:
    pinned, other = histories(store, (config(dropout="0.2"), 0.6), (config(seed="1"), 0.5))
    for is_grouped in (False, True):
        made = rows_of([other], is_grouped=is_grouped, pinned=pinned.id, implicit=pinned)
        assert [(entry.histories, entry.group.is_base, entry.is_implicit) for entry in made[1]] == [
            ((pinned,), True, True),
            ((other,), False, False),
        ]
        assert made[1][1].slot == 0, "the runs compared keep their colours"
        assert [text for text, _ in cells(made, "dropout")] == ["0.2", "0.5"], "what differs from the baseline"


def test_readings_side_by_side_have_names_of_their_own_in_80_columns(store: Store) -> None:
    configs = plan_configs(READINGS, ["baseline"], [0], {"epochs": "2"})
    made = entries_of(
        histories(store, *((one, 0.5) for one in configs[10:26])),
        lambda run_id: run_id,
        is_grouped=False,
        pinned_id=None,
        states={},
    )
    fitted = {column.key: (column, cells) for column, cells in fit(columns_of(*made, DotMode.BRAILLE), 78)}
    column, cells = fitted["name"]
    assert len({column.cell(entry, None, cells)[0] for entry in made[1]}) == 16
    assert "max_test difference" in fitted


def test_settings_that_names_tell_leave_their_room_to_the_metrics(store: Store) -> None:
    found = histories(store, (config(), 0.5), (config(learning_rate="0.03", dropout="0.2"), 0.6))
    made = entries_of(found, lambda run_id: run_id, is_grouped=False, pinned_id=None, states={})
    by_rank = [column.key for column in sorted(columns_of(*made, DotMode.BRAILLE), key=lambda column: column.rank)]
    assert by_rank[2:6] == ["max_test", "max_test difference", "final_test", "final_test difference"]
    assert set(by_rank[-2:]) == {"learning rate", "dropout"}


@pytest.mark.parametrize(("labels", "name"), [("aa", "a n=2"), ("ab", "baseline n=2"), (("a", ""), "baseline n=2")])
def test_a_group_is_called_by_the_label_that_all_its_runs_have(store: Store, labels: str, name: str) -> None:
    found = histories(store, (config(), 0.5), (config(seed="1"), 0.6))
    known = {run.id: label or run.id for run, label in zip(found, labels, strict=True)}
    _, (group,) = entries_of(found, known.__getitem__, is_grouped=True, pinned_id=None, states={})
    assert group.name == name


def test_groups_of_one_variant_are_called_by_the_settings_that_differ(store: Store) -> None:
    found = histories(
        store, *((config(seed=seed, learning_rate=rate), 0.5) for rate in ("0.01", "0.03") for seed in ("0", "1"))
    )
    _, groups = rows_of(found, is_grouped=True)
    assert [entry.name for entry in groups] == ["baseline n=2", "baseline n=2 · learning rate 0.03"]


def test_groups_are_finished_runs_of_all_but_the_seed_with_mean_and_deviation(store: Store) -> None:
    found = histories(
        store, (config(), 0.5), (config(variant="tanh"), 0.55), (config(seed="1"), 0.6), (config(seed="2"), 0.7)
    )
    live = load(store, write_run(store, config(seed="3"), epochs_done=1, finish=False).id)[0]
    made = rows_of([*found, live], is_grouped=True)
    assert [len(entry.histories) for entry in made[1]] == [3, 1, 1]
    names = [entry.name for entry in made[1]]
    assert names[0] == "baseline n=3"
    assert len(set(names)) == 3
    assert made[1][1].histories == (live,)
    assert "only finished runs are averaged" in made[1][1].group.alone
    best = [100 * (found[index].best_test_accuracy or 0) for index in (0, 2, 3)]
    mean = sum(best) / 3
    deviation = math.sqrt(sum((value - mean) ** 2 for value in best) / 2)
    assert cells(made, "max_test")[0][0] == f"{mean:.2f}±{deviation:.2f}"


def test_a_seed_without_the_result_is_counted_out(store: Store) -> None:
    good = write_run(store, config())
    never = write_run(store, config(seed="1"), final=0.2, gap=0.0)
    made = rows_of([load(store, run.id)[0] for run in (good, never)], is_grouped=True)
    assert cells(made, "t25")[0][0].endswith("(1 of 2)")


def test_curves_stand_on_the_axis_one_asks_for(store: Store) -> None:
    (history,) = histories(store, (config(), 0.6))
    (entry,) = rows_of([history])[1]
    ends = {}
    for axis in ("epoch", "step", "train_seconds"):
        drawn = curve_of(entry, CHARTED[0], axis, Spread.RANGE)
        assert drawn is not None
        assert drawn.low is None
        ends[axis] = drawn.x[-1]
    assert ends == {"epoch": 20, "step": 200, "train_seconds": 40}
    gap = next(metric for metric in CHARTED if metric.title == "Gap")
    drawn = curve_of(entry, gap, "epoch", Spread.RANGE)
    assert drawn is not None
    assert drawn.y[-1] == pytest.approx(history.epochs["train_eval_accuracy"][-1] - history.epochs["test_accuracy"][-1])


def test_a_group_is_a_mean_with_a_band(store: Store) -> None:
    found = histories(store, (config(), 0.5), (config(seed="1"), 0.7))
    (entry,) = rows_of(found, is_grouped=True)[1]
    drawn = curve_of(entry, CHARTED[0], "epoch", Spread.RANGE)
    assert drawn is not None
    assert drawn.low is not None
    assert drawn.high is not None
    low, high = (one.epochs["test_accuracy"][-1] for one in found)
    assert (drawn.low[-1], drawn.y[-1], drawn.high[-1]) == pytest.approx((low, (low + high) / 2, high))


def test_runs_that_are_gone_are_left_out(store: Store) -> None:
    (history,) = histories(store, (config(), 0.6))
    assert histories_of([history.id, "gone", history.id], {history.id: history}) == [history]


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
            (isinstance(driver.app.screen, CompareScreen) and "differences to" in driver.text())
            or "marks more runs" in driver.text()
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
        for shown in ("variant", "seed", "Test max *", "Gap", "T25", "differences to base", "3 runs"):
            assert shown in text
        assert "weight decay" not in text
        assert "-9" in next(
            line for line in text.splitlines() if "tanh run" in line and "relu" not in line and "tanh  " in line
        )


@driven
async def test_groups_of_a_study_have_the_names_of_its_plan(store: Store) -> None:
    plan = planning.plan_claims(store, "mine", load_claims("paper2012"), seeds=range(2), overrides={"epochs": "2"})
    planned = [one for index, one in enumerate(plan.configs) if plan.group_of(index) in {"weight-decay-0", "baseline"}]
    ids = [write_run(store, one, study="mine", plan_sha256=plan.sha256).id for one in planned]
    async with console(store, size=(160, 45)) as driver:
        shown = await compare(driver, *ids)
        await driver.press("g")
        await driver.wait_for(lambda: {one.name for one in shown.entries} == {"baseline n=2", "weight-decay-0 n=2"})


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
        assert [one.name for one in first.curves] == ["baseline n=2", "tanh run"]
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
        assert first.view.smoothing == shown.view.smoothing != View().smoothing


@pytest.mark.slow
@driven
async def test_the_row_under_the_cursor_is_on_top_opens_and_pins(store: Store) -> None:
    ids = three(store)
    async with console(store) as driver:
        shown = await compare(driver, *ids)
        assert [one.is_chosen for one in chart(driver).curves] == [True, False, False]
        await driver.press("down", "down", "down")
        assert shown.table.cursor == 2
        assert [one.is_chosen for one in chart(driver).curves] == [False, False, True]
        await driver.press("p")
        assert driver.app.session.pinned_run_id == ids[2]
        await driver.wait_for(lambda: "differences to tanh run" in driver.text())
        await driver.press("up", "enter")
        await driver.wait_for(lambda: isinstance(driver.app.screen, RunScreen))
        run_screen = driver.app.screen
        assert isinstance(run_screen, RunScreen)
        assert run_screen.run_id == ids[1]


@driven
async def test_rows_that_were_scrolled_to_stay_when_there_is_news(store: Store) -> None:
    ids = [write_run(store, config(seed=str(seed))).id for seed in range(20)]
    async with console(store) as driver:
        shown = await compare(driver, *ids)
        shown.table.scroll_to(y=9, animate=False, immediate=True)
        driver.app.session.watcher.notes[ids[3]] = Notes(label="renamed")
        driver.app.post_runs_changed(ids)
        await driver.wait_for(lambda: any(entry.name == "renamed" for entry in shown.entries))
        assert (shown.table.cursor, shown.table.scroll_offset.y) == (0, 9)


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
        heading = next(index for index, line in enumerate(lines) if line.split()[:1] == ["run"])
        assert lines[heading + 1].split()[:2] == ["▸■", "base"], "the baseline is the first row, with its pin"
        assert "2 runs · differences to base" in lines[heading - 1]
        assert shown.table.cursor == 1, "the cursor stands on a run that was asked for"
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
        assert shown.entries[shown.table.cursor].histories[0].id == ids[2]
        driver.toggle_pin(ids[0])
        await driver.wait_for(lambda: len(shown.entries) == 2)
        assert shown.entries[shown.table.cursor].histories[0].id == ids[2]


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


@driven
async def test_the_mouse_chooses_a_row_and_opens_it(store: Store) -> None:
    ids = three(store)
    async with console(store) as driver:
        shown = await compare(driver, *ids)
        await driver.pilot.click("#table", offset=(10, 3))
        await driver.wait_for(lambda: [one.is_chosen for one in chart(driver).curves] == [False, False, True])
        await driver.pilot.click("#table", offset=(10, 2), times=2)
        await driver.wait_for(lambda: isinstance(driver.app.screen, RunScreen))
        assert shown.table.cursor == 1


@driven
async def test_a_row_is_taken_out_and_its_curve_hidden_by_a_key(store: Store) -> None:
    ids = three(store)
    async with console(store) as driver:
        shown = await compare(driver, *ids)
        await driver.press("down", "h")
        assert shown.view.hidden == {"baseline s1"}
        await driver.press("h", "x")
        assert shown.view.hidden == frozenset()
        assert [entry.id for entry in shown.entries] == [ids[0], ids[2]]
        await driver.press("x", "x")
        await driver.wait_for(lambda: "Nothing to compare yet" in driver.text())
        await driver.press("x", "h", "enter")
        assert driver.app.return_code is None
        assert all(store.path(run_id).exists() for run_id in ids)


@driven
async def test_rows_taken_out_are_named_and_brought_back_the_last_one_first(store: Store) -> None:
    ids = three(store)
    async with console(store) as driver:
        shown = await compare(driver, *ids[:2])
        driver.toggle_pin(ids[2])
        await driver.wait_for(lambda: len(shown.entries) == 3)
        await driver.press("x")
        assert driver.notifications() == ["Taken out: base. u brings it back."]
        await driver.press("home", "x")
        assert driver.app.session.pinned_run_id is None, "a pinned run that was not compared itself is unpinned"
        assert shown.run_ids == (ids[1],)
        await driver.press("u")
        assert [entry.id for entry in shown.entries] == [ids[2], ids[1]]
        await driver.press("u")
        assert shown.run_ids == tuple(ids[:2])
        driver.clear_notifications()
        await driver.press("u")
        assert driver.notifications() == [], "nothing is left to bring back"


@driven
async def test_the_pinned_run_among_those_compared_is_taken_out_by_one_key(store: Store) -> None:
    ids = three(store)
    async with console(store) as driver:
        shown = await compare(driver, *ids)
        driver.toggle_pin(ids[0])
        await driver.wait_for(lambda: shown.entries[0].group.is_pinned)
        await driver.press("home", "x")
        assert [entry.id for entry in shown.entries] == ids[1:]
        assert driver.app.session.pinned_run_id is None
        assert driver.notifications()[-1].startswith("Taken out and unpinned: ")
        await driver.press("u")
        assert driver.app.session.pinned_run_id == ids[0]


@driven
async def test_a_pinned_run_that_is_deleted_goes_from_the_comparison(store: Store) -> None:
    ids = three(store)
    async with console(store) as driver:
        shown = await compare(driver, *ids[:2])
        driver.toggle_pin(ids[2])
        await driver.wait_for(lambda: len(shown.entries) == 3)
        store.delete(ids[2])
        await driver.wait_for(lambda: [entry.id for entry in shown.entries] == ids[:2])


@driven
async def test_bringing_a_row_back_leaves_a_run_pinned_since_then_pinned(store: Store) -> None:
    ids = three(store)
    async with console(store) as driver:
        shown = await compare(driver, *ids)
        await driver.press("x", "p")
        pinned = driver.app.session.pinned_run_id
        assert pinned in ids[1:]
        await driver.press("u")
        assert shown.run_ids == tuple(ids)
        assert driver.app.session.pinned_run_id == pinned


@driven
async def test_keys_without_an_effect_say_why(store: Store) -> None:
    ids = [write_run(store, config(epochs="2", variant=variant)).id for variant in ("baseline", "tanh")]
    async with console(store) as driver:
        shown = await compare(driver, *ids)
        await driver.press("g")
        assert not shown.is_grouped
        assert all(not entry.group.seeds[1:] for entry in shown.entries)
        await driver.press("b")
        assert shown.spread is Spread.RANGE
        await driver.press("plus")
        assert chart(driver).view == View()
        assert len(driver.notifications()) == 3


@driven
async def test_columns_there_is_no_room_for_are_named(store: Store) -> None:
    ids = three(store)
    async with console(store, size=(100, 24)) as driver:
        await compare(driver, *ids)
        await driver.wait_for(lambda: "columns hidden (widen the terminal): " in driver.text())


@driven
async def test_a_live_run_moves_here_too_and_others_do_not_disturb(store: Store) -> None:
    ids = three(store)
    live = write_run(store, config(seed="9"), epochs_done=3, finish=False)
    async with console(store) as driver:
        await compare(driver, ids[0], live.id)
        drawn = screen(driver)._plotted
        with open_writer(store.path(live.id), next_seq=200) as writer:
            writer.write(curve(4, 20))
        await driver.wait_for(lambda: len(chart(driver).curves[1].x) == 4)
        assert screen(driver)._plotted != drawn


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
        assert "p compares" not in driver.text(), "there is no other run to compare with"
        await compare(driver, *ids)
        await driver.wait_for(lambda: "3 runs" in driver.text())
        assert "p compares all with the run of this row" in driver.text()
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
        assert "log · smoothed: EMA 0.6 · clip" in text
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
