"""The file of a plan: damaged, forged, of an earlier and of a newer version."""

import json
from pathlib import Path

import pytest
from cli_caller import Run

from alexnet_tui.errors import StoreError
from alexnet_tui.runs.store import Store
from alexnet_tui.studies import planned_runs, study_queue
from alexnet_tui.studies.plan import Plan, load_plan

pytestmark = pytest.mark.usefixtures("forked")


def forge_plan(store: Store, **changes: object) -> None:
    path = store.root / "studies" / "report.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_plans_of_the_first_version_stay_readable(store: Store, plan: Plan) -> None:
    path = store.root / "studies" / "report.json"
    content = json.loads(path.read_text())
    old = {name: content[name] for name in ("name", "created", "variants", "seeds", "configs", "protocol")}
    path.write_text(json.dumps({**old, "v": 1}))
    found = load_plan(store, "report")
    assert (found.configs, found.claims, found.rules, found.sha256) == (plan.configs, [], 0, "")


@pytest.mark.parametrize("created", [-1e308, 1e300, "now"])
def test_a_plan_of_no_time_is_a_sentence(store: Store, plan: Plan, created: object) -> None:
    forge_plan(store, created=created)
    with pytest.raises(StoreError, match="cannot be read"):
        load_plan(store, "report")


@pytest.mark.parametrize("content", [b"{}", b"nonsense", b"[" * 100_000])
def test_a_damaged_plan_is_a_sentence(store: Store, plan: Plan, content: bytes) -> None:
    (store.root / "studies" / "report.json").write_bytes(content)
    with pytest.raises(StoreError, match="cannot be read"):
        load_plan(store, "report")


@pytest.mark.parametrize(
    "changes", [{"configs": []}, {"configs": [{}] * 1001}, {"variants": ["baseline", "four-conv"]}, {"seeds": [0, 7]}]
)
def test_a_plan_that_contradicts_itself_is_refused(store: Store, plan: Plan, changes: dict[str, list[object]]) -> None:
    forge_plan(store, **changes)
    with pytest.raises(StoreError, match="no runs, too many, or others than its variants and seeds say"):
        load_plan(store, plan.name)


def test_a_forged_name_in_a_plan_leads_nowhere(store: Store, plan: Plan) -> None:
    path = store.root / "studies" / "report.json"
    path.write_text(path.read_text().replace('"name": "report"', '"name": "../../elsewhere"'))
    forged = load_plan(store, "report")
    assert forged == plan
    study_queue.toggle_pause(store, forged.name)
    assert not (store.root.parent / "elsewhere").exists()


def test_a_study_whose_state_lies_elsewhere_is_refused(store: Store, plan: Plan, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    (store.root / "studies" / "report").rename(elsewhere)
    (store.root / "studies" / "report").symlink_to(elsewhere)
    with pytest.raises(StoreError, match="this is a link"):
        load_plan(store, "report")
    with pytest.raises(StoreError, match="this is a link"):
        planned_runs.prepare(store, plan)
    assert [path.name for path in elsewhere.iterdir()] == ["ledger.jsonl"]


def test_a_newer_plan_is_shown_and_not_trained(run: Run, store: Store, plan: Plan) -> None:
    forge_plan(store, v=99, wonder=1)
    assert load_plan(store, "report").is_newer
    shown = run("study", "status", "report")
    assert (shown.code, "a newer alexnet-tui wrote this plan" in shown.err) == (0, True)
    assert "it was changed" in shown.err, "its hash"
    for words in (("run", "report"), ("run", "report", "--detach")):
        refused = run("study", *words)
        assert refused.code == 3
        assert "a newer alexnet-tui" in refused.err
    assert store.ids() == []
    forge_plan(store, configs=[{"variant": "unheard-of"}])
    assert "a newer version" in run("study", "status", "report").err
