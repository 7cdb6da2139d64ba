"""The Report place: what is reported, its pages, and its files, in the real console."""

import json
import re
import threading
from pathlib import Path

import pytest
from console_driver import Driver, console, driven
from fake_runs import curve, open_writer, write_run
from textual.widgets import Input

from alexnet_tui.analysis.contradictions import CONTRADICTIONS
from alexnet_tui.analysis.integrity import Check, Result
from alexnet_tui.analysis.published import EXPERIMENTS
from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.config.variants import VARIANTS
from alexnet_tui.errors import UsageError
from alexnet_tui.report.interval_plot import interval_plot
from alexnet_tui.runs import events as ev
from alexnet_tui.runs.follow import load
from alexnet_tui.runs.store import Store
from alexnet_tui.studies import planning
from alexnet_tui.text import MISSING
from alexnet_tui.tui.charts.widget import MetricChart
from alexnet_tui.tui.screens.report import curves as report_curves
from alexnet_tui.tui.screens.report import source as report_source
from alexnet_tui.tui.screens.report import text as report_view
from alexnet_tui.tui.screens.report.interval import interval_lines
from alexnet_tui.tui.screens.report.screen import ReportScreen
from alexnet_tui.tui.session import OpenReport
from alexnet_tui.tui.study_lookup import finder
from alexnet_tui.tui.widgets.dialogs import TextScreen

VALUES = {"baseline": (0.61, 0.30), "low-dropout": (0.60, 0.36), "tanh": (0.57, 0.29), "four-conv": (0.56, 0.30)}


def write_study(
    store: Store, name: str, *, seeds: int = 5, first: int = 0, epochs: int = 20, variants: tuple[str, ...] = ()
) -> None:
    plan = planning.plan_variants(
        store,
        name,
        variants=variants or tuple(VALUES),
        seeds=range(first, first + seeds),
        overrides={"epochs": str(epochs), "data": "synthetic"},
    )
    for config in plan.configs:
        final, gap = VALUES[config.variant]
        write_run(store, config, final=final + 0.001 * config.seed, gap=gap, study=name, plan_sha256=plan.sha256)


def screen_of(driver: Driver) -> ReportScreen:
    screen = driver.app.screen
    assert isinstance(screen, ReportScreen)
    return screen


async def opened(driver: Driver) -> ReportScreen:
    await driver.press("6")
    screen = screen_of(driver)
    await driver.wait_for(lambda: screen.report is not None)
    await driver.pilot.pause()
    return screen


@driven
async def test_while_the_runs_folder_is_away_the_report_says_so_and_goes_on_when_it_is_back(
    store: Store, tmp_path: Path
) -> None:
    write_run(store, RunConfig(epochs=20))
    async with console(store) as driver:
        await driver.wait_for(lambda: driver.app.session.watcher.states)
        store.root.rename(tmp_path / "away")
        await driver.wait_for(lambda: driver.app.session.watcher.problems)
        await driver.press("6")
        screen = screen_of(driver)
        await driver.wait_for(lambda: "the runs folder is gone" in driver.text())
        assert screen.report is None
        (tmp_path / "away").rename(store.root)
        await driver.wait_for(lambda: screen.report is not None and report_view.has_runs(screen.report.sections[0]))
        report = screen.report
        store.root.rename(tmp_path / "away")
        await driver.wait_for(lambda: driver.app.session.watcher.problems)
        await driver.pilot.pause()
        assert screen.report is report, "what is known stays"


@driven
async def test_three_verdicts_are_what_the_report_module_says(store: Store) -> None:
    write_study(store, "whole")
    async with console(store, size=(160, 45)) as driver:
        screen = await opened(driver)
        expected, _ = report_source.make(store, report_source.OWN)
        assert screen.section is not None
        assert [one.verdict for one in screen.section.claims] == [one.verdict for one in expected.claims]
        text = driver.text()
        for claim in expected.claims:
            assert claim.headline.upper() in text
        assert "✓ SUPPORTED" in text
        assert "├" in text
        assert "its 95% interval" in text, "the marks are explained"
        assert "Holm p" not in text, "statistics are folded"
        await driver.press("enter")
        text = driver.text()
        assert "one run, no seed" in text, "the report's own number carries its caveat"
        assert "P(A>B)" in text
        assert "Holm p" in text
        cards = list(screen.query(".card"))
        assert [
            card.has_class(report_view.css_class(claim.verdict))
            for card, claim in zip(cards, expected.claims, strict=True)
        ] == [True] * 3


@driven
async def test_records_are_checked_on_a_page_of_their_own(store: Store) -> None:
    write_study(store, "whole", seeds=2)
    forged = RunConfig.from_text({"variant": "tanh", "epochs": "20", "data": "synthetic", "seed": "7"})
    forged_id = write_run(store, forged, change_started={"num_parameters": 12}).id
    store.create(forged)  # Queued: nothing of its record can be checked.
    async with console(store, size=(120, 45)) as driver:
        screen = await opened(driver)
        await driver.press("left_square_bracket")
        assert screen.page == "verify"
        text = driver.text()
        assert "10 runs checked, 1 with a record" in text
        assert f"✗ {forged_id}  parameters" in text
        rows = [sum(map(int, numbers)) for numbers in re.findall(r"^\W*(\d+) +(\d+) +(\d+)  \w", text, re.MULTILINE)]
        assert set(rows) == {10}, "every run counts once in every row"
        assert "numbers of updates\n" not in text, "this page reads no updates"
        assert "The numbers of updates are checked on a run's own page" in text


@driven
async def test_numbers_without_a_plan_are_quiet(store: Store) -> None:
    for seed in range(5):
        for variant, (final, gap) in VALUES.items():
            config = RunConfig.from_text({"variant": variant, "epochs": "20", "data": "synthetic", "seed": str(seed)})
            write_run(store, config, final=final + 0.001 * seed, gap=gap)
    async with console(store, size=(160, 45)) as driver:
        screen = await opened(driver)
        assert all(card.has_class("-quiet") for card in screen.query(".card"))
        text = driver.text()
        assert text.count("EXPLORATORY") == 3
        assert "Exploratory: no plan registered these runs" in text
        assert "Holm p" not in text


@driven
async def test_without_a_run_no_claim_is_called_anything(store: Store) -> None:
    async with console(store) as driver:
        await opened(driver)
        text = driver.text()
        assert (text.count("NO RUNS YET"), text.count("EXPLORATORY"), text.count("alexnet-tui")) == (3, 0, 0)
        write_run(store, RunConfig(epochs=2), epochs_done=1)
        await driver.wait_for(lambda: driver.text().count("EXPLORATORY") == 3)


@pytest.mark.parametrize("width", [12, 30, 64])
def test_the_interval_plot_has_every_mark_at_its_place(store: Store, width: int) -> None:
    write_study(store, "whole")
    for verdict in report_source.make(store, report_source.OWN)[0].claims:
        lines = [line.plain for line in interval_lines(verdict, width, "")]
        if width < 16:
            assert lines == []
            continue
        plot = interval_plot(verdict)
        assert {len(line) for line in lines} == {width}
        assert plot.estimate is not None
        assert lines[1].index("●") == round(plot.estimate * (width - 1))
        assert 1 <= lines[0].count("•") <= len(verdict.larger.runs)
        assert 1 <= lines[2].count("•") <= len(verdict.smaller.runs)
        low, high = plot.interval
        assert low is not None
        assert high is not None
        drawn = [index for index, character in enumerate(lines[1]) if character in "├┤─●◇"]
        assert min(drawn) <= round(low * (width - 1)) <= round(high * (width - 1)) <= max(drawn)


def test_the_table_names_each_experiment_as_the_study_does(store: Store) -> None:
    write_study(store, "whole", seeds=1)
    report, _ = report_source.make(store, report_source.OWN)
    text = report_view.table(report.sections[0], 78).plain.replace("\n", " ")
    assert all(f"{variant.title} ({name})" in text for name, variant in VARIANTS.items())
    assert "1 seed a group" in text


@driven
async def test_three_seeds_are_not_assessed_and_it_says_why(store: Store) -> None:
    write_study(store, "small", seeds=3)
    async with console(store) as driver:
        await opened(driver)
        text = driver.text()
        assert "– NOT ASSESSED" in text
        assert "1 –  2 –  3 –" in text


@pytest.mark.slow
@driven
async def test_pages_turn_with_brackets_and_tab(store: Store) -> None:
    write_study(store, "whole")
    async with console(store, size=(80, 40)) as driver:
        screen = await opened(driver)
        assert screen.page == "verdicts"
        await driver.press("right_square_bracket")
        assert screen.page == "table"
        text = driver.text()
        assert "59.33" in text
        assert "03:22:33" in text
        assert "selected on test" in text
        await driver.press("tab")
        assert screen.page == "curves"
        await driver.press("shift+tab")
        assert screen.page == "table"
        await driver.press("left_square_bracket", "left_square_bracket", "left_square_bracket")
        assert screen.page == "source"
        assert "20 started, 20 finished" in driver.text()
        await driver.press("left_square_bracket")
        assert screen.page == "contradictions"
        assert f"in {len(CONTRADICTIONS)} places" in driver.text()


@pytest.mark.slow
@driven
async def test_arrows_scroll_a_page(store: Store) -> None:
    write_study(store, "whole")
    async with console(store) as driver:
        screen = await opened(driver)
        await driver.press("left_square_bracket", "left_square_bracket", "left_square_bracket")
        page = screen.query_one("#contradictions")
        await driver.press("down", "j", "j")
        assert page.scroll_offset.y == 3
        await driver.press("k", "up")
        assert page.scroll_offset.y == 1
        await driver.press("end")
        last = CONTRADICTIONS[-1]
        await driver.wait_for(lambda: f"{last.number:>2}  {last.place[:20]}" in driver.text())


@pytest.mark.slow
@pytest.mark.parametrize("size", [(80, 24), (160, 45)])
@driven
async def test_verdicts_and_table_begin_with_how_the_runs_depart_from_the_reports(
    store: Store, size: tuple[int, int]
) -> None:
    write_study(store, "whole")
    async with console(store, size=size) as driver:
        await opened(driver)
        for _ in ("verdicts", "table"):
            text = driver.text()
            assert "These runs have 20 epochs; the study's have 100." in text
            assert "The data set is synthetic" in text
            await driver.press("right_square_bracket")


def test_no_speed_is_told_where_the_work_differs(store: Store) -> None:
    write_study(store, "whole")
    section = report_source.make(store, report_source.of_study("whole"))[0].sections[0]
    lines = report_view.table(section, 300).plain.splitlines()
    heading = next(line for line in lines if line.startswith("Experiment"))
    end = heading.index("Speed") + len("Speed")
    ours = [line[:end].split()[-1] for line in lines if " ours " in line]
    assert ours == [MISSING] * 4


def test_the_table_has_every_column_at_any_width(store: Store) -> None:
    write_study(store, "whole")
    section = report_source.make(store, report_source.of_study("whole"))[0].sections[0]
    for width in (76, 100, 156, 300):
        text = report_view.table(section, width).plain
        for title in ("Train max", "Test max *", "Test last 5", "Gap", "T25", "Time", "Speed", "Overfits from"):
            assert title in text, (width, title)
        assert max(len(line) for line in text.splitlines()) <= width
        before, _, after = text.partition("* selected on test")
        assert "Test max *" in before, "the caption follows the block with the starred numbers"
        assert after


def test_both_sides_of_every_contradiction_are_told() -> None:
    text = " ".join(report_view.contradictions(CONTRADICTIONS, 76).plain.split())
    for one in CONTRADICTIONS:
        assert " ".join(one.one.split()) in text
        assert " ".join(one.other.split()) in text


@driven
async def test_curves_are_means_with_bands_and_chart_keys_work_only_there(store: Store) -> None:
    write_study(store, "whole")
    async with console(store) as driver:
        screen = await opened(driver)
        await driver.press("G")
        assert not screen.view.log, "no chart is on show yet"
        await driver.press("tab", "tab")
        chart = screen.query_one("#test_accuracy", MetricChart)
        assert [curve.name for curve in chart.curves] == list(VALUES)
        baseline = chart.curves[0]
        last = baseline.y[-1]
        assert last == pytest.approx(sum(_last(0.61 + 0.001 * seed) for seed in range(5)) / 5)
        assert baseline.low is not None
        assert baseline.high is not None
        assert baseline.low[-1] < last < baseline.high[-1]
        await driver.press("G", "right", "plus")
        assert screen.view.log
        assert screen.view.crosshair is not None
        assert screen.view.x_low is not None
        await driver.press("escape", "escape")
        assert (screen.view.crosshair, screen.view.x_low) == (None, None)
        assert chart.display
        await driver.press("m")
        assert not chart.display
        assert screen.query_one("#train_accuracy").display
        await driver.press("escape")
        assert driver.app.screen is driver.runs


def _last(final: float) -> float:
    accuracy = curve(20, 20, final=final).test_accuracy
    assert isinstance(accuracy, float)
    return accuracy


@pytest.mark.slow
@driven
async def test_one_chooses_what_is_reported(store: Store) -> None:
    write_study(store, "older", seeds=2)
    write_study(store, "newer", seeds=1, first=5, variants=("tanh",))
    async with console(store) as driver:
        screen = await opened(driver)
        assert "all runs" in driver.text()
        await driver.press("f")
        await driver.wait_for(lambda: "Report on" in driver.text() and "Study newer" in driver.text())
        await driver.press("2")
        await driver.wait_for(lambda: screen.report is not None and screen.report.title == "newer")
        assert [row.num_runs for row in screen.report.sections[0].rows if row.group == "tanh"] == [1]  # type: ignore[union-attr]
        driver.app.on_open_report(OpenReport("older"))
        await driver.wait_for(lambda: screen.report is not None and screen.report.title == "older")
        driver.app.on_open_report(OpenReport())
        assert screen.source.names == ("older",), "no name keeps what is chosen"


@driven
async def test_marked_runs_can_be_reported(store: Store) -> None:
    write_study(store, "whole", seeds=2)
    async with console(store) as driver:
        await driver.press("space", "space")
        screen = await opened(driver)
        await driver.press("f")
        await driver.wait_for(lambda: "The 2 marked runs" in driver.text())
        await driver.press("2")
        await driver.wait_for(
            lambda: (
                screen.report is not None
                and screen.section is not None
                and sum(row.num_runs for row in screen.section.rows) == 2
            )
        )


@driven
async def test_other_protocols_are_another_set_never_mixed(store: Store) -> None:
    write_study(store, "whole", seeds=2)
    write_study(store, "short", seeds=1, first=5, epochs=8)
    async with console(store) as driver:
        screen = await opened(driver)
        assert "set 1 of 2" in driver.text()
        assert screen.section is not None
        assert screen.section.epochs == (20,)
        await driver.press("s")
        assert screen.section.epochs == (8,)
        assert "set 2 of 2" in driver.text()
        await driver.press("s")
        assert screen.section.epochs == (20,)


@driven
async def test_that_several_families_of_tests_are_looked_at_is_told(store: Store) -> None:
    write_study(store, "whole", seeds=2)
    async with console(store) as driver:
        await opened(driver)
        assert "families of tests" not in driver.text()
    write_study(store, "short", seeds=2, first=5, epochs=8)
    async with console(store) as driver:
        await opened(driver)
        await driver.wait_for(lambda: "2 families of tests" in driver.text())


@driven
async def test_a_run_that_ends_is_in_the_report_at_once(store: Store) -> None:
    write_run(store, RunConfig.from_text({"epochs": "20", "data": "synthetic", "variant": "tanh"}))
    config = RunConfig.from_text({"epochs": "20", "data": "synthetic", "variant": "tanh", "seed": "9"})
    record = write_run(store, config, finish=False)
    async with console(store) as driver:
        screen = await opened(driver)
        assert "2 started, 1 finished" in "".join(report_view.sources(screen.report, 0, 70).plain)  # type: ignore[arg-type]
        with open_writer(store.path(record.id), next_seq=1000) as writer:
            writer.write(ev.Finished(epoch=20, step=200, train_seconds=40.0, elapsed_seconds=50.0))
        await driver.wait_for(lambda: screen.section is not None and screen.section.rows[2].num_runs == 2)


@pytest.mark.slow
@driven
async def test_the_report_is_written_to_the_file_named(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_study(store, "whole")
    async with console(store) as driver:
        screen = await opened(driver)
        for name, start in (("a.html", "<!"), ("a.md", "#"), ("a.tex", "% Needs in the preamble:"), ("a.json", "{")):
            await export(driver, name)
            path = tmp_path / name
            await told(driver, f"Wrote {path}")
            assert path.read_text().startswith(start)
        written = json.loads((tmp_path / "a.json").read_text())
        assert [claim["verdict"] for claim in written["claims"]] == [str(one.verdict) for one in screen.section.claims]  # type: ignore[union-attr]
        assert "59.33" in (tmp_path / "a.tex").read_text()


async def told(driver: Driver, sentence: str) -> None:
    await driver.wait_for(lambda: sentence in driver.notifications())


async def export(driver: Driver, name: str) -> None:
    await driver.press("e")
    await driver.wait_for(lambda: driver.app.screen.query(Input))
    driver.app.screen.query_one(Input).value = name
    await driver.press("enter")


@pytest.mark.slow
@driven
async def test_a_file_is_replaced_only_after_a_yes(store: Store, tmp_path: Path) -> None:
    write_study(store, "whole", seeds=1)
    target = tmp_path / "kept.md"
    target.write_text("mine")
    async with console(store) as driver:
        screen = await opened(driver)
        await export(driver, str(target))
        await driver.wait_for(lambda: "Replace this file?" in driver.text())
        await driver.press("escape")
        await driver.wait_for(lambda: driver.app.screen is screen)
        assert target.read_text() == "mine"
        await export(driver, str(target))
        await driver.wait_for(lambda: "Replace this file?" in driver.text())
        await driver.press("y")
        await driver.wait_for(lambda: target.read_text().startswith("#"))


@driven
async def test_choosing_what_to_report_on_ends_no_export_that_waits_for_the_disk(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_study(store, "whole", seeds=1)
    target, is_read, is_there = tmp_path / "new.md", threading.Event(), report_source.is_there

    def slow(path: Path) -> bool:
        is_read.wait(120)
        return is_there(path)

    async with console(store) as driver:
        await opened(driver)
        monkeypatch.setattr(report_source, "is_there", slow)
        await export(driver, str(target))
        await driver.press("f")
        await driver.wait_for(lambda: "Report on" in driver.text())
        is_read.set()
        await driver.wait_for(lambda: target.exists() and target.read_text().startswith("#"))


@pytest.mark.slow
@driven
async def test_a_name_without_a_format_and_a_folder_that_is_not_there_are_told(store: Store, tmp_path: Path) -> None:
    write_study(store, "whole", seeds=1)
    async with console(store) as driver:
        screen = await opened(driver)
        await export(driver, "report.pdf")
        await driver.wait_for(lambda: "names no format" in driver.text())
        await driver.press("escape")
        await export(driver, str(tmp_path / "nowhere" / "a.md"))
        await driver.wait_for(lambda: any("cannot be written" in one for one in driver.notifications()))
        assert driver.app.screen is screen


def test_an_ending_that_is_no_format_is_refused() -> None:
    with pytest.raises(UsageError, match="ending"):
        report_source.target("report.pdf")
    assert report_source.target("~/a.HTML").is_absolute()


@driven
async def test_without_runs_it_says_so(store: Store) -> None:
    async with console(store) as driver:
        await opened(driver)
        assert "Report on all runs" in driver.text()
        await driver.press("right_square_bracket")
        assert "59.33" in driver.text(), "the published table is there to be seen"


@driven
async def test_a_damaged_plan_is_a_sentence_and_not_an_end(store: Store) -> None:
    write_study(store, "whole", seeds=1)
    (store.root / "studies" / "broken.json").write_text("{")
    async with console(store) as driver:
        await opened(driver)
        driver.app.on_open_report(OpenReport("broken"))
        await driver.wait_for(lambda: "cannot be read" in driver.text())
        driver.app.on_open_report(OpenReport("whole"))
        await driver.wait_for(lambda: "Report on whole" in driver.text())


@driven
async def test_what_others_wrote_is_shown_and_not_obeyed(store: Store) -> None:
    config = RunConfig.from_text({"epochs": "5", "data": "synthetic"})
    write_run(store, config, change_started={"fingerprint": "cpu \x1b]52;c;aGk=\x07 [bold]x[/bold]"})
    async with console(store) as driver:
        await opened(driver)
        await driver.press("left_square_bracket", "left_square_bracket")
        text = driver.text()
        assert "\x1b" not in text
        assert "\\x1b]52" in text
        assert "[bold]x[/bold]" in text


@driven
async def test_w_opens_the_study_on_report(store: Store) -> None:
    write_study(store, "older", seeds=1)
    write_study(store, "newer", seeds=1, first=5)
    async with console(store) as driver:
        screen = await opened(driver)
        driver.app.on_open_report(OpenReport("older"))
        await driver.wait_for(lambda: screen.report is not None and screen.report.title == "older")
        await driver.press("w")
        await driver.wait_for(lambda: driver.text().splitlines()[1].startswith(" older"))


def curves_of(store: Store, column: str) -> list[tuple[int, list[float], float]]:
    """Slot, epochs and accuracy of each mark of the report."""
    section = report_source.make(store, report_source.OWN)[0].sections[0]
    found = report_curves.curves(section, column)
    return [(one.slot, [round(x, 6) for x in one.x], float(one.y[0])) for one in found if one.is_faint]


@driven
async def test_the_reports_own_points_are_drawn_in_the_colour_of_their_experiment(store: Store) -> None:
    write_study(store, "long", seeds=1, epochs=100)
    assert curves_of(store, "test_accuracy") == [
        (slot, [epoch - 1.5, epoch + 1.5], experiment.max_val_accuracy.value)
        for slot, experiment in enumerate(EXPERIMENTS.values())
        for epoch in [experiment.max_val_epoch.value]
    ]
    assert curves_of(store, "train_accuracy") == [(0, [40, 50], 0.75), (2, [50, 60], 0.75)]
    async with console(store, size=(160, 45)) as driver:
        screen = await opened(driver)
        await driver.press("right_square_bracket", "right_square_bracket")
        assert screen.page == "curves"
        assert "study (single run)" in driver.text()
        chart = screen.query_one("#test_accuracy", MetricChart)
        window, place = chart.rendered.viewport, chart.rendered
        assert window is not None
        row = place.top + round((window.y_high - 0.5933) / (window.y_high - window.y_low) * (window.rows - 1))
        column = place.left + round((48 - window.x_low) / (window.x_high - window.x_low) * (window.columns - 1))
        near = {place.buffer.styles[row + step][column] for step in (-1, 0, 1)}
        assert near & {"series-0-faint"}


def test_marks_beyond_our_last_epoch_are_left_out(store: Store) -> None:
    write_study(store, "short", seeds=1)
    assert curves_of(store, "test_accuracy") == []
    section = report_source.make(store, report_source.OWN)[0].sections[0]
    assert "single run" not in report_view.figures(section, 80).plain


@driven
@pytest.mark.parametrize(("name", "reason"), [("~nosuchuser/x.html", "home folder"), ("x" * 300 + ".html", "written")])
async def test_a_file_name_that_cannot_be_is_asked_for_again(store: Store, name: str, reason: str) -> None:
    async with console(store) as driver:
        await opened(driver)
        await driver.press("e")
        driver.app.screen.query_one(Input).value = name
        await driver.press("enter")
        await driver.wait_for(lambda: reason in " ".join(driver.text().split()))
        assert isinstance(driver.app.screen, TextScreen)


def test_a_run_that_still_grows_is_read_anew_and_a_finished_one_is_not(store: Store) -> None:
    live, done = (write_run(store, RunConfig(epochs=2, seed=seed), finish=seed == 1).id for seed in (0, 1))
    known = {run_id: load(store, run_id) for run_id in (live, done)}
    find = finder(
        store, {key: found[0] for key, found in known.items()}, {key: found[1] for key, found in known.items()}
    )
    assert find(done) == known[done]
    growing = find(live)
    assert growing is not None
    assert growing[0] is not known[live][0]
    assert len(growing[0].epochs) == 2


def test_what_is_wrong_with_many_records_is_said_once() -> None:
    uncommitted = Check("code", Result.FAILED, "it was trained by a program with uncommitted changes.")
    found = [
        report_source.RunChecks(f"run-{number}", (uncommitted, Check("losses", Result.PASSED))) for number in range(3)
    ]
    found.append(report_source.RunChecks("odd", (Check("losses", Result.FAILED, "epoch 3 has none."),)))
    lines = report_view.records(found, 100).plain.splitlines()
    assert lines[:6] == [
        "4 runs checked, 4 with a record that does not agree with itself",
        "",
        "✗ 3 runs  code: it was trained by a program with uncommitted changes.",
        "  run-0, run-1, run-2",
        "",
        "✗ odd  losses: epoch 3 has none.",
    ]
