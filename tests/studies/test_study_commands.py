"""Studies from the command line."""

import functools
import json
import os
import re
import signal
import sys
import textwrap
from pathlib import Path

import fake_trainer
import pytest
from cli_caller import Run
from fake_work import kinds, states
from fork_server import Forked
from waiting import wait_for

from alexnet_tui.runs import events as ev
from alexnet_tui.runs.store import Store
from alexnet_tui.studies import scheduler
from alexnet_tui.studies import worker as study_worker
from alexnet_tui.studies.plan import Plan, load_plan

pytestmark = pytest.mark.usefixtures("forked")


@pytest.fixture
def fake_work(monkeypatch: pytest.MonkeyPatch, prepared_data: Path) -> None:
    """The worker of the command line starts trainers that are played."""
    monkeypatch.setenv("ALEXNET_TUI_DATA", str(prepared_data))
    quick = functools.partial(study_worker.work, command=fake_trainer.command("normal"), poll_seconds=0.02)
    monkeypatch.setattr(study_worker, "work", quick)


def test_a_study_that_is_done_needs_no_images_and_measures_nothing(
    run: Run, fake_work: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ("--data", "synthetic", "--epochs", "2", "--variants", "tanh", "--seeds", "1")
    assert (run("study", "new", "mine", *options).code, run("study", "run", "mine").code) == (0, 0)
    elsewhere = tmp_path / "no-images"
    monkeypatch.setenv("ALEXNET_TUI_DATA", str(elsewhere))
    again = run("study", "run", "mine", "--parallel", "auto")
    assert (again.code, again.err.splitlines()[-1]) == (0, "study mine: 1 finished.")
    assert ("measuring" in again.err, elsewhere.exists()) == (False, False)


@pytest.mark.parametrize("name", ["cells.json", "queue.json"])
def test_a_study_whose_file_is_damaged_is_mended_by_the_command_that_trains_it(
    run: Run, store: Store, fake_work: None, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(scheduler, "_DAMAGE_PATIENCE_SECONDS", 0.05)
    run("study", "new", "mine", "--data", "synthetic", "--epochs", "2", "--variants", "tanh", "--seeds", "1")
    path = store.root / "studies" / "mine" / name
    path.write_bytes(b'{"0')
    done = run("study", "run", "mine")
    assert (done.code, done.err.splitlines()[-1]) == (0, "study mine: 1 finished.")
    assert path.with_name(f"{name}.damaged-1").read_bytes() == b'{"0'


@pytest.mark.slow
def test_commands_plan_run_and_tell(run: Run, store: Store, fake_work: None) -> None:
    planned = run(
        *("study", "new", "mine", "--variants", "baseline,tanh", "--seeds", "2", "--first-seed", "3"),
        *("--epochs", "2", "--data", "synthetic", "--front-end", "same32", "--no-lrn", "--label", "x"),
    )
    assert (planned.code, planned.out) == (0, "")
    assert "2 variants x 2 seeds = 4 runs" in planned.err
    assert "a verdict needs 5 seeds, and this plan has 2" in planned.err
    assert [one for one in ("relu", "dropout-r", "removing") if re.search(f"note: .* as {one}", planned.err)] == [
        "dropout-r",
        "removing",
    ]
    plan = load_plan(store, "mine")
    assert {(config.seed, config.front_end, config.lrn) for config in plan.configs} == {
        (3, "same32", False),
        (4, "same32", False),
    }
    assert run("study", "run", "mine").code == 0
    status = run("study", "status", "mine", "--json")
    cells = json.loads(status.out)["cells"]
    assert {cell["state"] for cell in cells} == {"finished"}
    assert {store.record(cell["run_id"]).label for cell in cells} == {"x"}
    table = run("study", "status", "mine")
    assert "4 finished; no worker is at work" in table.err
    assert "2/2" in table.out
    assert table.out.startswith("variant ")
    assert run("study", "status").out == table.out
    assert json.loads(run("study", "list", "--json").out)[0]["states"] == {"finished": 4}
    assert "mine" in run("study", "list").out


def test_commands_refuse_in_sentences(run: Run, store: Store) -> None:
    assert (run("study", "run", "nothing").code, run("study", "status", "nothing").code) == (3, 3)
    assert run("study", "new", "Mine").code == 2
    wrong = run("study", "new", "mine", "--variants", "tahn")
    assert wrong.code == 2
    assert "--variants: there is no 'tahn'; did you mean tanh" in wrong.err
    assert run("study", "new", "mine", "--epochs", "0").code == 2
    of_variant = run("study", "new", "mine", "--dropout", "0.2")
    assert of_variant.code == 2
    assert "dropout 0.01 is what makes low-dropout; leave --dropout or that variant away" in of_variant.err
    assert "no studies yet" in run("study", "list").err


def test_a_study_with_a_diverged_run_says_so_by_its_exit_code(
    run: Run, store: Store, fake_work: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        study_worker, "work", functools.partial(study_worker.work, command=fake_trainer.command("diverge"))
    )
    run("study", "new", "mine", "--variants", "tanh", "--seeds", "1", "--epochs", "2", "--data", "synthetic")
    done = run("study", "run", "mine")
    assert done.code == 1
    assert "1 failed (diverged)" in done.err


def test_reproduce_plans_runs_and_judges_and_goes_on(run: Run, store: Store, fake_work: None) -> None:
    arguments = ("study", "reproduce", "--seeds", "1", "--epochs", "2", "--data", "synthetic")
    first = run(*arguments)
    assert first.code == 0
    assert "not assessed" in first.out.lower()
    assert "note: a verdict needs 5 seeds, and this plan has 1." in first.err
    assert "4 finished" in first.err
    again = run(*arguments)
    assert again.out == first.out
    assert len(store.ids()) == 4
    other = run("study", "reproduce", "--seeds", "2", "--epochs", "2", "--data", "synthetic")
    assert other.code == 2
    assert "plans do not change" in other.err


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_the_runs_with_a_checkpoint(
    store: Store, plan: Plan, prepared_data: Path, number: signal.Signals, code: int
) -> None:
    script = textwrap.dedent(
        f"""
        import functools, sys
        sys.path[:0] = {fake_trainer.SEARCH_PATH}
        import fake_trainer
        from alexnet_tui.cli import main as cli
        from alexnet_tui.studies import worker as study_worker
        study_worker.work = functools.partial(study_worker.work, command=fake_trainer.command("endless"))
        cli.main(["study", "run", "report", "--runs-dir", {str(store.root)!r}])
        """
    )
    environment = {**os.environ, "ALEXNET_TUI_DATA": str(prepared_data)}
    worker = Forked([sys.executable, "-c", script], env=environment)
    wait_for(lambda: any(kinds(store, run_id)[ev.Step] for run_id in store.ids()))
    worker.send_signal(number)
    assert worker.wait(30) == code
    assert states(store, plan)[0] in {"stopped", "finished"}
    assert not any(store.is_locked(run_id) for run_id in store.ids())
