"""Tables and lines at every width of a terminal."""

import shutil
from pathlib import Path

import pytest
from cli_caller import on_a_terminal
from fake_runs import write_run
from rich.console import Console

from alexnet_tui.cli.commands.runs import _COLUMNS
from alexnet_tui.cli.tables import Column, fill_lines, fit_line, fitting, make_table
from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.runs.store import Store

ROOT = Path(__file__).parents[2]
ROWS = [("one", "網絡" * 5, "", "1.25"), ("two", "x", "", "12.5")]
COLUMNS: tuple[Column[tuple[str, ...]], ...] = (
    Column("name", 0, lambda row: row[0]),
    Column("label", 2, lambda row: row[1]),
    Column("empty", 1, lambda row: row[2]),
    Column("value", 3, lambda row: row[3], right=True),
)


def test_every_width_holds_whole_cells_and_what_is_left_out_is_named() -> None:
    shown_before: set[str] = set()
    for width in range(5, 50):
        table, left_out = make_table(COLUMNS, ROWS, width)
        headings = [str(column.header) for column in table.columns]
        assert sorted([*headings, *left_out]) == ["label", "name", "value"], "an empty column takes no room"
        assert shown_before <= set(headings), "a wider terminal shows at least as much"
        shown_before = set(headings)
        console = Console(width=width, legacy_windows=False)
        with console.capture() as captured:
            console.print(table)
        lines = captured.get().splitlines()
        assert "…" not in captured.get()
        assert [sum(row[0] in line for line in lines) for row in ROWS] == [1, 1]
    assert not left_out


def test_the_columns_of_runs_go_in_the_order_of_their_ranks() -> None:
    ranked = sorted(_COLUMNS, key=lambda column: column.rank)
    assert [column.heading for column in ranked[:6]] == ["run", "state", "done", "last", "best *", "time"]
    assert len({column.rank for column in _COLUMNS}) == len(_COLUMNS)


def test_parts_of_a_line_go_by_rank_and_the_first_stays() -> None:
    assert fitting([(1, 5), (0, 9), (2, 1)], 8) == [1]
    assert fitting([(1, 5), (0, 9), (2, 1)], 14) == [0, 1]
    assert fitting([(1, 5), (0, 9), (2, 1)], None) == [0, 1, 2]
    assert fit_line([(0, "run "), (2, "details"), (1, "x")], 9) == "run x"
    assert fill_lines(["aa", "bb", "c\x1b"], 8) == "aa, bb,\nc\\x1b"


@pytest.fixture
def reference_runs(tmp_path: Path) -> Path:
    """A runs folder with the reference runs alone, whatever was trained in this checkout."""
    shutil.copytree(ROOT / "runs" / "reference", tmp_path / "runs" / "reference")
    return tmp_path / "runs"


def test_a_terminal_without_unicode_gets_ascii_alone_and_whole_cells(reference_runs: Path) -> None:
    for words in (
        ("runs", "--runs-dir", str(reference_runs)),
        ("compare", "reference", "--runs-dir", str(reference_runs)),
    ):
        lines = on_a_terminal(*words, environment={"ALEXNET_TUI_ASCII": "1"})
        assert all(line.isascii() and len(line) <= 80 for line in lines)
        assert not any("~ " in line for line in lines)


def test_a_terminal_without_unicode_gets_signs_that_say_the_same_in_columns_that_are_as_wide(
    store: Store, reference_runs: Path
) -> None:
    for learning_rate in (0.01, 0.02):
        for seed in (0, 1):  # Training error is below 25% after the first epoch.
            write_run(store, RunConfig(learning_rate=learning_rate, seed=seed, epochs=1))
    ascii_only = {"ALEXNET_TUI_ASCII": "1"}
    compared = on_a_terminal("compare", "baseline", "--runs-dir", str(store.root), environment=ascii_only)
    results = compared[next(index for index, line in enumerate(compared) if line.startswith("Results")) :]
    (t25,) = (line for line in results if line.startswith("T25 "))
    assert t25.split() == ["T25", *["<=", "1.0", "+-0.0"] * 2]
    assert len({len(line) for line in results if line.startswith(("Results", "Train max", "T25 "))}) == 1
    report = on_a_terminal("report", "reference", "--runs-dir", str(reference_runs), environment=ascii_only)
    (heads,) = (line for line in report if line.startswith("Experiment "))
    ours = [line for line in report if line.startswith("  n=5")]
    assert "66.08 +-0.25" in ours[0]
    assert {len(line) for line in (heads, *ours)} == {len(heads)}
    words = ("report", "reference", "--runs-dir", str(reference_runs), "--output", str(store.root / "r.txt"))
    on_a_terminal(*words, environment=ascii_only)
    assert "66.08 ±0.25" in (store.root / "r.txt").read_text("utf-8"), "a file has every sign"


def test_what_all_runs_have_is_said_once_above_the_table_and_stays_in_a_pipe(reference_runs: Path) -> None:
    lines = [line for line in on_a_terminal("runs", "--runs-dir", str(reference_runs), columns=200) if line]
    count = len(list((reference_runs / "reference").glob("*/run.json")))
    assert lines[0].startswith(f"all {count}: front end literal32, data cifar10-jpeg")
    assert "front end" not in lines[1]
    assert {"variant", "age", "seed"} <= set(lines[1].split())
