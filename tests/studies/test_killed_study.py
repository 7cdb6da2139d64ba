"""A real study on synthetic images that is killed again and again ends as one that nobody disturbed."""

import json
import os
import random
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from waiting import wait_for

from alexnet_tui.paths import child_command
from alexnet_tui.runs import events as ev
from alexnet_tui.runs.follow import load as load_history
from alexnet_tui.runs.store import Store
from alexnet_tui.studies import plan as study
from alexnet_tui.studies import progress

pytestmark = pytest.mark.slow
OPTIONS = ("--seeds", "1", "--data", "synthetic", "--train-images", "256", "--epochs", "4", "--threads", "1")
FAST = ("--train-eval-images", "64", "--checkpoint-epochs", "1", "--log-steps", "1", "--precision", "fp32")
METRIC_FIELDS = ("train_loss", "train_accuracy", "test_loss", "test_accuracy", "train_eval_accuracy")


@pytest.fixture
def environment(prepared_data: Path) -> dict[str, str]:
    return {**os.environ, "ALEXNET_TUI_DATA": str(prepared_data)}


def command(store: Store, *words: str) -> list[str]:
    return [*child_command("alexnet_tui", *words), "--runs-dir", str(store.root)]


def run_study(store: Store, environment: dict[str, str]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(command(store, "study", "run", "mine"), env=environment, stderr=subprocess.DEVNULL)


def kill_trainers(store: Store) -> None:
    for run_id in store.ids():
        owner = store.owner(run_id) if store.is_locked(run_id) else None
        if owner is not None and owner.pid > 1:
            process = psutil.Process(owner.pid)
            process.kill()
            process.wait(20)


def trains(store: Store) -> bool:
    return any(isinstance(event, ev.Step) for run_id in store.ids() for event in store.reader(run_id).read_new())


def numbers(store: Store, plan: study.Plan) -> dict[int, list[tuple[float, ...]]]:
    """Every epoch of the run that counts for each cell."""
    counted = progress.account(progress.read(store, plan)).counted
    epochs = {cell: load_history(store, run_id)[0].epochs for cell, run_id in counted.items()}
    return {cell: list(zip(*(series[name] for name in METRIC_FIELDS), strict=True)) for cell, series in epochs.items()}


def report(store: Store, environment: dict[str, str]) -> Any:
    """The report without what names runs, machines and seconds."""
    words = command(store, "report", "mine", "--format", "json")
    text = subprocess.run(words, env=environment, capture_output=True, check=True, text=True).stdout
    plan = study.load(store, "mine")
    for cell, run_id in progress.account(progress.read(store, plan)).counted.items():
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
@pytest.mark.timeout(600)
def test_a_study_killed_at_random_moments_ends_like_an_unbroken_one(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    unbroken, broken = Store(tmp_path / "unbroken"), Store(tmp_path / "broken")
    subprocess.run(
        command(unbroken, "study", "new", "mine", "--variants", "baseline,tanh", *OPTIONS, *FAST),
        env=environment,
        check=True,
    )
    shutil.copytree(unbroken.root, broken.root)
    assert run_study(unbroken, environment).wait(300) == 0

    chance = random.Random(2012)
    for life in range(4):
        worker = run_study(broken, environment)
        if life == 0:  # In the middle of an epoch, for certain; then at any moment.
            wait_for(lambda: trains(broken), 60)
        else:
            time.sleep(1 + 5 * chance.random())
        worker.send_signal(signal.SIGKILL)
        worker.wait()
        if life % 3 != 2:  # Else the trainer goes on without a worker.
            kill_trainers(broken)
    assert run_study(broken, environment).wait(300) == 0

    plans = [study.load(store, "mine") for store in (unbroken, broken)]
    assert plans[0].sha256 == plans[1].sha256
    ledgers = [progress.read(store, plan) for store, plan in zip((unbroken, broken), plans, strict=True)]
    assert [ledger.problems for ledger in ledgers] == [(), ()]
    finished = [[entry.cell for entry in ledger.entries if entry.is_finish] for ledger in ledgers]
    assert finished[0] == finished[1] == [0, 1]
    assert [any(entry.kind == "resumed" for entry in ledger.entries) for ledger in ledgers] == [False, True]
    assert numbers(unbroken, plans[0]) == numbers(broken, plans[1])
    assert report(unbroken, environment) == report(broken, environment)
    for store in (unbroken, broken):
        assert subprocess.run(command(store, "study", "verify", "mine"), env=environment, check=False).returncode == 0
