"""The runs that come with the program are real, whole, and no more than a record."""

import json
import tomllib
import zlib
from pathlib import Path

import pytest
from cli_caller import Run

from alexnet_tui.config.variants import VARIANTS
from alexnet_tui.paths import shipped_runs
from alexnet_tui.runs.follow import load
from alexnet_tui.runs.history import RunHistory
from alexnet_tui.runs.run_ids import REFERENCE
from alexnet_tui.runs.state import State
from alexnet_tui.runs.store import Store

ROOT = Path(__file__).resolve().parents[2] / "runs"


@pytest.fixture(scope="module")
def runs() -> list[tuple[RunHistory, State]]:
    """Every reference run, read whole."""
    store = Store(ROOT)
    return [load(store, run_id) for run_id in store.ids() if store.is_reference(run_id)]


def test_every_variant_was_trained_to_the_report_s_last_epoch_on_the_same_images(
    runs: list[tuple[RunHistory, State]],
) -> None:
    assert {history.record.config.variant for history, _ in runs} >= set(VARIANTS)
    for history, state in runs:
        assert (state, history.num_epochs_done, len(history.epochs)) == (State.FINISHED, 100, 100)
        assert history.missing_events == 0
        assert history.bit_exact
    assert len({place.data_sha256 for history, _ in runs for place in history.segments}) == 1


def test_a_reference_run_is_a_record_without_weights_and_the_package_stays_small() -> None:
    files = [path for path in (ROOT / REFERENCE).rglob("*") if path.is_file()]
    assert {path.name for path in files} >= {"run.json", "events.jsonl"}
    assert not {path.name for path in files} & {"state.pt", "lock", "trainer.log"}
    assert sum(len(zlib.compress(path.read_bytes(), 1)) for path in files) < 11_000_000


def test_the_wheel_holds_them_where_an_installed_program_looks() -> None:
    project = tomllib.loads((ROOT.parent / "pyproject.toml").read_text())
    included = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert ROOT.parent / included["runs/reference"] == shipped_runs()
    assert "runs/reference" in project["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]


def test_every_verdict_on_them_names_the_runs_behind_it(run: Run, runs: list[tuple[RunHistory, State]]) -> None:
    ids = [history.id for history, _ in runs]
    result = run("report", *ids, "--format", "json", "--runs-dir", str(ROOT))
    assert result.code == 0
    claims = json.loads(result.out)["claims"]
    assert [claim["number"] for claim in claims] == [1, 2, 3]
    for claim in claims:
        for side in (claim["larger"], claim["smaller"]):
            assert side["runs"]
            assert {observation["run_id"] for observation in side["runs"]} <= set(ids)
