"""The Pictures page: kernels by epoch, the matrix and its cells, mistakes; whatever the terminal and the files are."""

import asyncio
from pathlib import Path

import numpy as np
import picture_runs
import pytest
from console_driver import Driver, console, driven
from fake_runs import write_run
from textual.events import MouseScrollDown, MouseScrollUp

from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.runs.follow import load
from alexnet_tui.runs.run_files import KERNELS, PREDICTIONS_FILE, kernels_file
from alexnet_tui.runs.store import Store
from alexnet_tui.tui.pictures.captions import image_captions, kernel_captions, matrix_captions
from alexnet_tui.tui.pictures.column import PictureColumn
from alexnet_tui.tui.pictures.confusion import Matrix, fit
from alexnet_tui.tui.pictures.gallery import cards_for
from alexnet_tui.tui.pictures.kernel_tiles import Grid, grid_for, kernel_lines
from alexnet_tui.tui.pictures.painter import Mode, Painter, resized
from alexnet_tui.tui.pictures.panel import PicturesPanel
from alexnet_tui.tui.pictures.source import Found, PictureFiles, Subject
from alexnet_tui.tui.screens.run.screen import RunScreen
from alexnet_tui.tui.session import OpenPictures, RunsChanged
from alexnet_tui.tui.widgets.bars import TabStrip

CONFIG = RunConfig(epochs=30, data="no-such-data")


def write_pictured(store: Store, config: RunConfig = CONFIG) -> str:
    run = write_run(store, config)
    picture_runs.write_pictures(store.path(run.id))
    return run.id


async def open_pictures(driver: Driver, run_id: str) -> PicturesPanel:
    driver.app.open_run(run_id)
    await driver.pilot.pause()
    await driver.press("right_square_bracket")
    await driver.wait_for(lambda: driver.app.screen.query(PicturesPanel) and panel(driver).columns[0].found)
    await driver.pilot.pause()
    return panel(driver)


def panel(driver: Driver) -> PicturesPanel:
    return driver.app.screen.query_one(PicturesPanel)


@pytest.mark.slow
@driven
async def test_kernels_are_scrubbed_by_epoch_and_the_newest_is_followed(store: Store) -> None:
    run_id = write_pictured(store)
    async with console(store) as driver:
        shown = await open_pictures(driver, run_id)
        assert "epoch 30 of 30" in driver.text()
        for key, words in (("left", "epoch 5 of 30"), ("home", "before training"), ("right", "epoch 1 of")):
            await driver.press(key)
            await driver.wait_for(lambda words=words: words in driver.text())  # type: ignore[misc]
        await driver.press("end")
        await driver.wait_for(lambda: "epoch 30 of 30" in driver.text())
        assert shown.view.epoch is None
        folder = store.path(run_id) / KERNELS
        (folder / kernels_file(30)).rename(folder / kernels_file(29))
        shown.update()
        await driver.wait_for(lambda: "epoch 29 of 30" in driver.text())


@pytest.mark.slow
@driven
async def test_kernels_that_are_reduced_say_so_until_they_are_enlarged(store: Store) -> None:
    run_id = write_pictured(store)
    async with console(store) as driver:
        shown = await open_pictures(driver, run_id)
        assert "11×11 as 7×7" in driver.text()
        await driver.press("plus", "plus")
        grid = shown.columns[0].grid
        assert grid is not None
        assert grid.side == 11
        assert "11×11" not in driver.text()


@pytest.mark.slow
@driven
async def test_kernels_for_which_there_is_no_room_are_scrolled_to(store: Store) -> None:
    run_id = write_pictured(store)
    async with console(store, size=(80, 20)) as driver:
        await open_pictures(driver, run_id)
        assert "1-" in driver.text()
        assert "of 96" in driver.text()
        before = driver.text()
        await driver.press("down")
        assert driver.text() != before
        await driver.press(*["down"] * 20)
        assert "-96 of 96" in driver.text()
        await driver.press("minus", "minus", "minus", "minus", "minus")
        assert "of 96" not in driver.text()


@pytest.mark.slow
@driven
async def test_a_cell_of_the_matrix_opens_its_images_and_escape_leads_back(store: Store) -> None:
    run_id = write_pictured(store)
    async with console(store, size=(100, 40)) as driver:
        shown = await open_pictures(driver, run_id)
        await driver.press("m")
        matrix = shown.columns[0].matrix
        assert matrix is not None
        assert int(matrix.counts.sum()) == 1000
        row, column = matrix.most_confused(1)[0]
        await driver.press(*["down"] * row, *["right"] * column)
        count = int(matrix.counts[row, column])
        assert f"class{row} taken for class{column}: {count} of 100" in driver.text()
        assert str(count) in driver.text()
        await driver.press("enter")
        assert shown.view.cell == (row, column)
        assert len(shown.columns[0].image_indices) == count
        await driver.wait_for(lambda: "no-such-data" in driver.text())  # The images are not here; the answers are.
        assert f"class{row} taken for class{column}" in driver.text()
        assert "60%" in driver.text()
        await driver.press("escape")
        assert shown.view.subject == "confusion"
        await driver.press("escape")
        assert shown.screen is not driver.app.screen


@driven
async def test_a_click_goes_to_a_cell_of_the_matrix_and_a_second_one_opens_its_images(store: Store) -> None:
    run_ids = [write_pictured(store, RunConfig(epochs=30, seed=seed, data="no-such-data")) for seed in (0, 1)]
    async with console(store, size=(160, 24)) as driver:
        driver.app.on_open_pictures(OpenPictures(run_ids))
        await driver.wait_for(lambda: driver.text().count("after epoch 30") == 2)
        shown = panel(driver)
        await driver.press("m")
        lines = driver.text().splitlines()
        heads = next(line for line in lines if line.count("true") == 2)
        row = next(line for line in lines if line.count("4 class4") == 2)
        place = heads.rindex(" 6 ") + 1, lines.index(row)
        assert await driver.pilot.click(offset=place)
        await driver.wait_for(lambda: driver.text().count("class4 taken for class6") == 2)
        assert shown.view.cursor == (4, 6)
        assert await driver.pilot.click(offset=place, times=2)
        await driver.wait_for(lambda: "images" in driver.text() or "No test image" in driver.text())
        assert (shown.view.subject, shown.view.cell) == (Subject.MISTAKES, (4, 6))


@driven
async def test_the_wheel_over_a_picture_moves_through_it(store: Store) -> None:
    run_id = write_pictured(store)
    async with console(store) as driver:
        shown = await open_pictures(driver, run_id)
        await driver.press("m")
        for kind, cursor in ((MouseScrollDown, (1, 0)), (MouseScrollDown, (2, 0)), (MouseScrollUp, (1, 0))):
            column = shown.columns[0]
            column.post_message(kind(column, 1, 1, 0, 0, 0, shift=False, meta=False, ctrl=False))
            await driver.wait_for(lambda cursor=cursor: shown.view.cursor == cursor)  # type: ignore[misc]


def test_captions_are_in_forms_from_the_longest_to_the_shortest() -> None:
    found = Found(epochs=(0, 1, 5, 30), epoch=5, kernels=np.zeros((96, 3, 11, 11), np.float32))
    forms = [
        "".join(text for text, _ in form) for form in kernel_captions(found, 30, Grid(7, 12, 1), range(12, 48), "")
    ]
    part, size, slider = "13-48 of 96 ↑↓  ", "11×11 as 7×7  ", "◂━━━●──▸"
    assert forms == [
        *[f"after epoch 5 of 30  {part}{size}{slider}"] * 2,  # Four epochs fill neither of the two lengths.
        f"after epoch 5 of 30  {part}{size}",
        f"epoch 5 of 30  {part}{size}",
        f"after epoch 5 of 30  {part}{slider}",
        f"after epoch 5 of 30  {part}",
        "after epoch 5 of 30",
        "epoch 5",
    ]
    matrix = Matrix(np.array([[3, 1], [0, 4]]), ["cat", "dog"])
    assert matrix_captions(matrix) == [
        [(text, "muted")] for text in ("87.50% of 8 test images right", "87.50% right", "87.50%")
    ]
    cells = {
        None: "images 3-5 of the 5 worst mistakes",
        (0, 1): "images 3-5 of 5: cat taken for dog",
        (1, 1): "images 3-5 of 5: dog answered right",
    }
    for cell, words in cells.items():
        assert image_captions(matrix, cell, range(2, 6), 5) == [[(words, "muted")], [("images 3-5 of 5", "muted")]]
    assert image_captions(matrix, None, range(4, 8), 5)[1] == [("image 5 of 5", "muted")]


@driven
async def test_the_worst_mistakes_are_in_order_and_none_is_passed_over(store: Store) -> None:
    run_id = write_pictured(store)
    async with console(store, size=(100, 40)) as driver:
        shown = await open_pictures(driver, run_id)
        await driver.press("m", "m")
        places = shown.columns[0].image_indices
        found = shown.columns[0].found
        assert found is not None
        predictions = found.predictions
        assert predictions is not None
        assert places == predictions.worst(200).tolist()
        for index in (0, 1):
            await driver.wait_for(lambda index=index: f"test image {places[index]}" in driver.text())  # type: ignore[misc]
            await driver.press("right")


def test_the_reference_runs_that_keep_pictures_are_those_of_seed_0() -> None:
    """As a run without pictures says."""
    store = Store(Path(__file__).parents[2] / "runs" / "reference")
    records = {run.id: run.config.seed for run in store.list().runs}
    assert {seed for run_id, seed in records.items() if (store.path(run_id) / PREDICTIONS_FILE).exists()} == {0}


@driven
async def test_runs_without_pictures_and_with_damaged_ones_say_why(store: Store) -> None:
    bare, stopped = write_run(store, CONFIG).id, write_run(store, RunConfig(epochs=30, seed=2), epochs_done=3).id
    damaged = write_pictured(store, RunConfig(epochs=30, seed=1))
    (store.path(damaged) / KERNELS / kernels_file(30)).write_bytes(b"no archive \x1b[2J")
    (store.path(damaged) / "predictions.npz").write_bytes(b"\x1b]0;x\x07")
    async with console(store, size=(200, 24)) as driver:  # No sentence is wrapped.
        await open_pictures(driver, bare)
        assert "No kernels are kept with this run. Runs that are trained here keep theirs, and so do" in driver.text()
        await driver.press("m")
        assert "No answers on the test images are kept with this run" in driver.text()
        await driver.press("left", "enter", "m", "down", "plus")  # Nothing to move in; nothing happens.
        driver.app.show_runs()
        await open_pictures(driver, stopped)
        await driver.press("m")
        await driver.wait_for(lambda: "writes its answers on the test images when it has finished" in driver.text())
        await driver.press("m", "m")
        driver.app.show_runs()
        await open_pictures(driver, damaged)
        await driver.wait_for(lambda: "holds no kernels" in driver.text())
        await driver.press("m")
        assert "holds no predictions" in driver.text()
        assert "\x1b" not in driver.text()


@pytest.mark.parametrize("size", [(40, 12), (20, 6)])
@driven
async def test_nothing_breaks_where_there_is_little_room(store: Store, size: tuple[int, int]) -> None:
    run_id = write_pictured(store)
    async with console(store, size=size) as driver:
        await open_pictures(driver, run_id)
        for words in ("Kernels", "Confusion", "Mistakes"):
            assert words in driver.text()
            await driver.press("down", "right", "plus", "m")
            if size == (20, 6):
                break
        assert driver.app.return_code is None


@driven
async def test_on_a_low_screen_the_answers_come_before_the_number_of_the_image(store: Store) -> None:
    run_id = write_pictured(store)
    async with console(store, size=(60, 12)) as driver:
        await open_pictures(driver, run_id)
        await driver.press("m", "m")
        await driver.wait_for(lambda: "60%" in driver.text())
        assert "20%" in driver.text()
        assert "test image" not in driver.text()


def test_all_tiles_fit_where_they_can_be_made_out() -> None:
    for width, height in ((158, 36), (100, 60), (300, 90)):
        grid = grid_for(96, 11, width, height)
        assert grid.columns * (grid.side + 1) - 1 <= width
        assert grid.whole_tiles(0, height, 96) == range(96)
        assert grid.side >= 7
    assert grid_for(96, 11, 78, 16).side == 7
    assert grid_for(96, 3, 158, 36).side == 9
    assert grid_for(96, 11, 158, 36, is_mixed=True).side % 2 == 0


def test_a_smaller_picture_has_the_means_of_the_pixels_and_a_larger_one_repeats_them() -> None:
    pixels = np.array([[[0] * 3, [100] * 3, [200] * 3, [40] * 3]] * 4, np.uint8)
    assert resized(pixels, 2)[..., 0].tolist() == [[50, 120]] * 2
    assert resized(pixels, 3)[0, :, 0].tolist() == [25, 150, 80]
    assert resized(pixels, 9).shape == (8, 8, 3)


def test_pixels_are_cells_by_what_the_terminal_can() -> None:
    from rich.style import Style

    pixels = np.array([[[248] * 3], [[0] * 3], [[0] * 3], [[0] * 3]], np.uint8)
    drawn = np.array([[True], [True], [False], [False]])
    symbols = {}
    for mode in Mode:
        lines = Painter(mode, {"": Style.null()}, (1, 2, 3)).picture(pixels, drawn)
        symbols[mode] = "".join(line[0].text for line in lines)
    assert symbols == {Mode.HALVES: "▀ ", Mode.GROUNDS: "  ", Mode.SHADES: "▒ ", Mode.STROKES: "= "}
    upper = Painter(Mode.HALVES, {"": Style.null()}).picture(pixels)[0][0].style
    assert upper is not None
    assert upper.color is not None
    assert upper.color.triplet == (255, 255, 255)


def test_a_matrix_larger_than_the_screen_is_shown_around_its_cursor() -> None:
    matrix = Matrix(np.eye(100, dtype=np.int64), [f"class {index}" for index in range(100)])
    for cursor in ((0, 0), (50, 99), (99, 3)):
        placed = fit(matrix, 80, 20, cursor)
        assert placed.top <= cursor[0] < placed.top + placed.rows
        assert placed.left <= cursor[1] < placed.left + placed.columns
        assert placed.names + placed.cell * placed.columns <= 80
        assert not placed.has_numbers
        place = placed.names + placed.cell * (cursor[1] - placed.left), cursor[0] - placed.top
        assert placed.at(*place) == cursor


@pytest.mark.slow
@driven
async def test_of_two_runs_names_and_what_is_shown_have_a_line_each(store: Store) -> None:
    ids = [write_pictured(store, RunConfig(epochs=epochs, data="no-such-data")) for epochs in (30, 31)]
    async with console(store) as driver:
        driver.app.on_open_pictures(OpenPictures(ids))
        await driver.wait_for(lambda: "after epoch 30 of 31" in driver.text())
        lines = driver.text().splitlines()
        assert [lines[2].count(name) for name in ("baseline s0 · epochs 30", "baseline s0 · epochs 31")] == [1, 1]
        assert lines[3].count("after epoch 30 of") == 2
        await driver.press("m", "enter")
        await driver.wait_for(lambda: driver.text().count("image 1 of 62: class0 answered right") == 2)


def test_a_matrix_keeps_all_classes_by_cutting_names_first_and_then_leaving_out_numbers() -> None:
    matrix = Matrix(np.full((10, 10), 62), ["triangles"] * 10)
    layouts = {width: fit(matrix, width, 20, (0, 0)) for width in (78, 60, 44, 38, 28, 18)}
    assert {width: (one.columns, one.has_numbers, one.has_share) for width, one in layouts.items()} == {
        78: (10, True, True),
        60: (10, True, True),
        44: (10, True, False),
        38: (10, True, False),
        28: (10, False, False),
        18: (4, True, False),
    }
    assert layouts[44].names == 12, "an index, the name, blanks"
    assert layouts[38].names == 8
    without = fit(matrix, 28, 20, (0, 0), has_colours=False)
    assert without.has_numbers
    assert without.columns < 10
    for width, placed in layouts.items():
        assert placed.names + placed.cell * placed.columns + 7 * placed.has_share <= width


def test_cards_have_room_for_an_image_and_its_answers() -> None:
    assert (cards_for(158, 35).columns, cards_for(158, 35).rows) == (2, 2)
    assert (cards_for(78, 16).columns, cards_for(78, 16).rows) == (1, 1)


def test_kernels_of_epochs_a_resume_took_back_are_left_out(store: Store, tmp_path: Path) -> None:
    from alexnet_tui.runs.follow import load
    from alexnet_tui.tui.pictures.source import PictureFiles, Subject

    run = write_run(store, RunConfig(epochs=30), epochs_done=3)
    picture_runs.write_pictures(store.path(run.id))
    history, _ = load(store, run.id)
    found = PictureFiles(store.path(run.id)).read(history, Subject.KERNELS, None)
    assert (list(found.epochs), found.epoch) == ([0, 1], 1)


@driven
async def test_two_marked_runs_are_beside_each_other_and_move_together(store: Store) -> None:
    run_ids = [write_pictured(store, RunConfig(epochs=30, seed=seed)) for seed in (0, 1)]
    other = write_run(store, RunConfig(epochs=30, seed=2)).id
    async with console(store, size=(120, 40)) as driver:
        await driver.press("i")
        assert "Mark two runs" in "".join(driver.notifications())
        driver.app.session.toggle_marks(run_ids)
        await driver.press("i")
        await driver.wait_for(lambda: driver.text().count("after epoch 30") == 2)
        assert all(name in driver.text() for name in ("baseline s0", "baseline s1"))
        await driver.press("left")
        await driver.wait_for(lambda: driver.text().count("after epoch 5") == 2)
        await driver.press("m", "down", "right")
        assert driver.text().count("class1 right") == 2
        await driver.press("escape")
        driver.app.session.toggle_marks(run_ids[:1])
        driver.app.session.toggle_marks([other])
        await driver.press("i")
        await driver.wait_for(lambda: "No answers on the test images" in driver.text())


@driven
async def test_pictures_of_a_run_that_is_gone_give_way_to_a_sentence(store: Store) -> None:
    run_ids = [write_pictured(store, RunConfig(epochs=30, seed=seed)) for seed in (0, 1)]
    async with console(store, size=(120, 40)) as driver:
        driver.app.session.toggle_marks(run_ids)
        await driver.press("i")
        await driver.wait_for(lambda: driver.text().count("after epoch 30") == 2)
        store.delete(run_ids[1])
        await driver.wait_for(lambda: "No such run" in driver.text())


@driven
async def test_the_note_of_one_run_goes_where_two_are_shown(store: Store) -> None:
    run_ids = [write_pictured(store, RunConfig(epochs=30, seed=seed)) for seed in (0, 1)]
    async with console(store, size=(120, 40)) as driver:
        for ids, count in ((run_ids[:1], 1), (run_ids, 2), (run_ids[1:], 1)):
            driver.app.on_open_pictures(OpenPictures(ids))
            await driver.wait_for(lambda: driver.app.screen.query(PicturesPanel))
            await driver.wait_for(lambda ids=ids: [one.run_id for one in panel(driver).columns if one.found] == ids)  # type: ignore[misc]
            await driver.wait_for(lambda count=count: driver.text().count("after epoch 30 of 30") == count)  # type: ignore[misc]
            assert bool(panel(driver).query_one(TabStrip).note) is (count == 1)


@driven
async def test_compare_opens_the_pictures_of_its_row_beside_the_first_other(store: Store) -> None:
    run_ids = [write_pictured(store, RunConfig(epochs=30, seed=seed)) for seed in (0, 1)]
    async with console(store, size=(120, 40)) as driver:
        driver.app.session.toggle_marks(run_ids)
        await driver.press("c", "i")
        await driver.wait_for(lambda: driver.text().count("after epoch 30") == 2)
        assert set(panel(driver).run_ids) == set(run_ids)


@pytest.mark.parametrize("loops", [0, 1, 3, 6])
@driven
async def test_of_runs_asked_for_on_the_heels_of_others_all_columns_come(store: Store, loops: int) -> None:
    first, second, third = (write_pictured(store, RunConfig(epochs=30, seed=seed)) for seed in range(3))
    async with console(store, size=(120, 40)) as driver:
        driver.app.post_message(OpenPictures([first, second]))
        await driver.wait_for(lambda: driver.text().count("after epoch 30") == 2)
        for run_ids in ([second, third], [first, second]):
            driver.app.post_message(OpenPictures(run_ids))
            for _ in range(loops):
                await asyncio.sleep(0)
        await driver.pilot.pause()
        assert [column.run_id for column in panel(driver).columns] == [first, second]
        await driver.wait_for(lambda: driver.text().count("after epoch 30") == 2)


@pytest.mark.parametrize("loops", range(4))
@driven
async def test_a_run_that_changes_while_its_pictures_are_opened_has_them_once(store: Store, loops: int) -> None:
    run_id = write_pictured(store)
    async with console(store, run_id=run_id) as driver:
        screen = driver.app.screen
        assert isinstance(screen, RunScreen)
        screen.action_page(1)
        for _ in range(loops):
            await asyncio.sleep(0)
        screen.on_runs_changed(RunsChanged(frozenset([run_id])))
        await driver.wait_for(lambda: screen.query(PictureColumn))
        assert [column.run_id for column in panel(driver).columns] == [run_id]


@driven
async def test_kernels_are_as_large_and_as_far_scrolled_as_can_be_and_another_run_begins_anew(store: Store) -> None:
    run_id, other = write_pictured(store), write_pictured(store, RunConfig(epochs=30, seed=1, data="no-such-data"))
    async with console(store, size=(80, 20)) as driver:
        shown = await open_pictures(driver, run_id)

        def side() -> int:
            grid = shown.columns[0].grid
            assert grid is not None
            return grid.side

        at_first = side()
        for _ in range(20):
            shown.action_zoom(1)
        largest = side()
        assert largest == 33, "three times the eleven weights"
        shown.action_zoom(-1)
        assert side() < largest, "the first key the other way does something"
        shown.action_step(0, 1000)
        assert shown.view.scroll == shown.columns[0].last_top > 0
        shown.action_step(0, -1)
        assert shown.view.scroll < shown.columns[0].last_top
        await shown.show([other])
        await driver.wait_for(lambda: shown.columns[0].found)
        assert (shown.view.zoom, shown.view.scroll, side()) == (0, 0, at_first)


def test_the_lines_of_tiles_are_those_that_are_drawn() -> None:
    from rich.style import Style

    kernels = np.random.default_rng(0).standard_normal((96, 3, 11, 11))
    for mode in Mode:
        painter = Painter(mode, {"": Style.null()}, (1, 2, 3))
        for width in (60, 80, 158):
            grid = grid_for(96, 11, width, 20, is_mixed=mode is not Mode.HALVES)
            assert grid.lines(96) == len(kernel_lines(kernels, grid, painter, width))


def test_why_there_are_no_kernels_is_said_at_every_look(store: Store, tmp_path: Path) -> None:
    run = write_run(store, CONFIG)
    (store.path(run.id) / KERNELS).symlink_to(tmp_path)
    history, files = load(store, run.id)[0], PictureFiles(store.path(run.id))
    first, second = (files.read(history, Subject.KERNELS, None) for _ in range(2))
    assert first.kernels_problem
    assert second.kernels_problem == first.kernels_problem
