"""A worker whose files are damaged, or whose disk is full."""

import contextlib
import errno
import os
from pathlib import Path

import pytest
from cli_caller import Run
from fake_work import QUICK, assert_each_cell_finished_once, place_orders, serve, states, work

from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.errors import StoreError
from alexnet_tui.files import FULL_DISK, write_atomic
from alexnet_tui.locks import take_lock
from alexnet_tui.runs.store import Store
from alexnet_tui.studies import orders, planned_runs, planning, scheduler, study_files
from alexnet_tui.studies.plan import Plan

pytestmark = pytest.mark.usefixtures("forked")


DAMAGED = [b'{"is_pau', b"\0" * 200 + b"[" * 100_000, b'{"order":"x","orders":[{}],"0":1}']


@pytest.mark.slow
@pytest.mark.parametrize("name", ["report/queue.json", "report/cells.json", ".worker/orders.json"])
def test_a_worker_outlives_a_damaged_file(store: Store, plan: Plan, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduler, "_DAMAGE_PATIENCE_SECONDS", 0.05)
    path = store.root / "studies" / name
    written: list[bytes] = []
    said: list[str] = []

    def damage() -> bool:
        num_finished = sum("finished" in sentence for sentence in said)
        if len(written) < min(num_finished, len(DAMAGED)):
            written.append(DAMAGED[len(written)])
            path.write_bytes(written[-1])
        return False

    work(store, plan, say=said.append, should_stop=damage)
    assert_each_cell_finished_once(store, plan)
    aside = sorted(path.parent.glob(f"{path.name}.damaged-*"))
    assert [one.read_bytes() for one in aside] == written == DAMAGED
    assert sum("it is kept as" in sentence for sentence in said) == 3


@pytest.mark.parametrize("content", DAMAGED)
def test_a_list_of_cells_that_is_damaged_before_a_worker_begins_is_mended_too(
    store: Store, plan: Plan, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduler, "_DAMAGE_PATIENCE_SECONDS", 0.05)
    run_ids = planned_runs.prepare(store, plan)
    path = store.root / "studies" / "report" / "cells.json"
    path.write_bytes(content)
    said: list[str] = []
    assert [cell.run_id for cell in work(store, plan, say=said.append)] == run_ids
    assert_each_cell_finished_once(store, plan)
    assert [one.read_bytes() for one in path.parent.glob("cells.json.damaged-*")] == [content]
    assert "given up" not in "".join(said)


def test_a_file_that_is_whole_again_is_not_set_aside(store: Store, plan: Plan) -> None:
    path = store.root / "studies" / "report" / "queue.json"
    said: list[str] = []

    def tear_and_mend() -> bool:
        if "finished" in states(store, plan) and not said[-1].endswith("tried again."):
            path.write_bytes(b'{"is_pau')
        elif said and said[-1].endswith("tried again."):
            path.write_bytes(b"{}")
        return False

    with contextlib.suppress(StoreError):  # The test itself may read the torn file.
        work(store, plan, say=said.append, should_stop=tear_and_mend)
    assert not list(path.parent.glob("*.damaged*"))


def test_a_damaged_older_study_holds_nobody_up(store: Store, plan: Plan) -> None:
    newer = planning.plan_variants(store, "newer", variants=["tanh"], seeds=[7], overrides=QUICK)
    lock = take_lock(study_files.make_folder(store, "report"))  # As if a worker were at work on it.
    (store.root / "studies" / "report.json").write_text("{")
    assert [cell.state for cell in work(store, newer)] == ["finished"]
    os.close(lock)


def test_a_study_that_cannot_be_read_is_given_up(store: Store, plan: Plan) -> None:
    younger = planning.queue_plan(store, [RunConfig(epochs=2, seed=9)])
    place_orders(store, plan, younger)
    (store.root / "studies" / "report.json").write_text("{")
    said: list[str] = []
    serve(store, say=said.append)
    assert "study report: given up" in said[0]
    assert states(store, younger) == ["finished"]


@pytest.mark.parametrize("number", FULL_DISK)
def test_a_full_disk_is_told_and_tried_again(
    store: Store, plan: Plan, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    said: list[str] = []
    failures = iter(range(3))

    def full(path: Path, content: bytes) -> None:
        if next(failures, None) is not None:
            raise OSError(number, os.strerror(number))
        write_atomic(path, content)

    monkeypatch.setattr(study_files, "write_atomic", full)
    work(store, plan, say=said.append)
    assert sum(os.strerror(number).lower() in sentence.lower() for sentence in said) == 1
    assert_each_cell_finished_once(store, plan)


def test_a_study_is_not_called_cancelled_where_its_order_cannot_be_taken_back(
    store: Store, plan: Plan, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, content: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    place_orders(store, plan)
    with monkeypatch.context() as patch:
        patch.setattr(study_files, "write_atomic", full)
        refused = run("study", "cancel", "report")
    assert (refused.code, "orders.json: the study cannot be written (no space left" in refused.err) == (3, True)
    assert "nothing more is started" not in refused.err
    assert run("study", "cancel", "report").code == 0
    assert orders.active(store) == []
