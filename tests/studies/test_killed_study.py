"""A real study on synthetic images that is killed again and again ends as one that nobody disturbed."""

import contextlib
import json
import os
import random
import re
import shutil
from pathlib import Path
from typing import Any

import psutil
import pytest
from cli_caller import Run
from fork_server import Forked
from waiting import wait_for

from alexnet_tui.command_lines import child_command
from alexnet_tui.runs import events as ev
from alexnet_tui.runs.follow import load as load_history
from alexnet_tui.runs.run_files import EVENTS_FILE
from alexnet_tui.runs.store import Store
from alexnet_tui.studies import bookkeeping
from alexnet_tui.studies.plan import Plan, load_plan

OPTIONS = ("--seeds", "1", "--data", "synthetic", "--train-images", "256", "--epochs", "4", "--threads", "1")
FAST = ("--train-eval-images", "64", "--checkpoint-epochs", "1", "--log-steps", "1", "--batch-size", "32")
METRIC_FIELDS = ("train_loss", "train_accuracy", "test_loss", "test_accuracy", "train_eval_accuracy")


def run_study(store: Store) -> Forked:
    with open(os.devnull, "wb") as nothing:
        command = [*child_command("alexnet_tui", "study", "run", "mine"), "--runs-dir", str(store.root)]
        return Forked(command, stdout=nothing.fileno(), stderr=nothing.fileno())


def kill_trainers(store: Store) -> None:
    for run_id in store.ids():
        owner = store.owner(run_id) if store.is_locked(run_id) else None
        if owner is not None and owner.pid > 1:
            with contextlib.suppress(psutil.NoSuchProcess):  # It left by itself a moment ago.
                process = psutil.Process(owner.pid)
                process.kill()
                process.wait(20)


def trains(store: Store) -> bool:
    return any(isinstance(event, ev.Step) for run_id in store.ids() for event in store.reader(run_id).read_new())


def num_bytes(store: Store) -> int:
    """Length of all event logs."""
    return sum(path.stat().st_size for path in store.root.glob(f"*/{EVENTS_FILE}"))


def numbers(store: Store, plan: Plan) -> dict[int, list[tuple[float, ...]]]:
    """Every epoch of the run that counts for each cell."""
    counted = bookkeeping.account(bookkeeping.read(store, plan)).counted
    epochs = {cell: load_history(store, run_id)[0].epochs for cell, run_id in counted.items()}
    return {cell: list(zip(*(series[name] for name in METRIC_FIELDS), strict=True)) for cell, series in epochs.items()}


def report(store: Store, run: Run) -> Any:
    """The report without what names runs, machines and seconds."""
    text = run("report", "mine", "--format", "json", "--runs-dir", str(store.root)).out
    plan = load_plan(store, "mine")
    for cell, run_id in bookkeeping.account(bookkeeping.read(store, plan)).counted.items():
        text = text.replace(run_id, f"cell-{cell}")
    text = re.sub(r"commit [0-9a-f]{7,}\+?", "commit", text)  # Somebody may commit while the test runs.
    return without_times(json.loads(text.replace(str(store.root), "RUNS")))


def without_times(value: Any) -> Any:
    if isinstance(value, dict):
        kept = {
            name: one for name, one in value.items() if not re.search("created|second|time|resum|bit_exact|speed", name)
        }
        return {name: without_times(one) for name, one in kept.items()}
    if isinstance(value, list):
        return [without_times(one) for one in value if not (isinstance(one, str) and re.search("resum|Code:", one))]
    return value


@pytest.mark.slow
@pytest.mark.usefixtures("synthetic", "forked", "small_networks")
def test_a_study_killed_at_random_moments_ends_like_an_unbroken_one(tmp_path: Path, run: Run) -> None:
    unbroken, broken = Store(tmp_path / "unbroken"), Store(tmp_path / "broken")
    new = ("study", "new", "mine", "--variants", "baseline,tanh", *OPTIONS, *FAST)
    assert run(*new, "--runs-dir", str(unbroken.root)).code == 0
    shutil.copytree(unbroken.root, broken.root)
    assert run_study(unbroken).wait(300) == 0

    chance = random.Random(2012)
    for life in range(4):
        worker = run_study(broken)
        if life == 0:  # In the middle of an epoch, for certain; then at any moment.
            wait_for(lambda: trains(broken), 60)
        else:
            rest = num_bytes(unbroken) - num_bytes(broken)
            moment = num_bytes(broken) + 0.5 * chance.random() * rest
            wait_for(lambda moment=moment: num_bytes(broken) >= moment)  # type: ignore[misc]
        worker.kill()
        worker.wait()
        if life % 3 != 2:  # Else the trainer goes on without a worker.
            kill_trainers(broken)
    assert run_study(broken).wait(300) == 0

    plans = [load_plan(store, "mine") for store in (unbroken, broken)]
    assert plans[0].sha256 == plans[1].sha256
    ledgers = [bookkeeping.read(store, plan) for store, plan in zip((unbroken, broken), plans, strict=True)]
    assert [ledger.problems for ledger in ledgers] == [(), ()]
    finished = [[entry.cell for entry in ledger.entries if entry.is_finish] for ledger in ledgers]
    assert finished[0] == finished[1] == [0, 1]
    assert [any(entry.kind == "resumed" for entry in ledger.entries) for ledger in ledgers] == [False, True]
    assert numbers(unbroken, plans[0]) == numbers(broken, plans[1])
    assert report(unbroken, run) == report(broken, run)
    for store in (unbroken, broken):
        assert run("study", "verify", "mine", "--runs-dir", str(store.root)).code == 0
