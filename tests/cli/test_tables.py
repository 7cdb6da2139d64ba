"""The table of runs at every width of a terminal."""

import itertools

import fake_runs
import pytest
from rich.console import Console

from alexnet_tui.cli.tables import Row, runs_table
from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.runs import history
from alexnet_tui.runs.store import Store

ALL = "run label variant front end data seed state done best * last gap T25 time test accuracy"


@pytest.fixture
def rows(store: Store) -> list[Row]:
    """Two finished runs, one with a label of wide characters."""
    records = [fake_runs.write_run(store, RunConfig(epochs=10, seed=seed)) for seed in (1, 2)]
    loaded = [history.load(store, record.id) for record in records]
    return [Row(run, state, label, False) for (run, state), label in zip(loaded, ("網絡", ""), strict=True)]


def test_every_width_holds_whole_cells_and_what_is_left_out_is_named(rows: list[Row]) -> None:
    shown_before: set[str] = set()
    for width in range(40, 181, 4):
        table, left_out = runs_table(rows, width)
        headings = [str(column.header) for column in table.columns]
        assert sorted([*headings, *left_out]) == sorted(
            [str(column.header) for column in runs_table(rows, None)[0].columns]
        )
        assert shown_before <= set(headings), "a wider terminal shows at least as much"
        shown_before = set(headings)
        console = Console(width=width, legacy_windows=False)
        with console.capture() as captured:
            console.print(table)
        text = captured.get()
        assert "…" not in text
        for row in rows:
            assert sum(row.history.id in line for line in text.splitlines()) == 1
    assert not left_out


def test_eighty_columns_tell_state_progress_and_accuracy(rows: list[Row]) -> None:
    headings = [str(column.header) for column in runs_table(rows, 80)[0].columns]
    assert headings == ["run", "label", "state", "done", "best *", "last", "time"]


def test_a_column_without_content_takes_no_room(rows: list[Row]) -> None:
    without_label = [Row(row.history, row.state, "", False) for row in rows]
    table, left_out = runs_table(without_label, None)
    headings = [str(column.header) for column in table.columns]
    assert "label" not in headings
    assert not left_out
    assert " ".join(itertools.chain(["run", "label"], headings[1:])) == ALL
