"""The commands `verify` and `claims`, as a person calls them."""

import json
import math
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_caller import Run
from fake_runs import open_writer, write_run

from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.runs import events as ev
from alexnet_tui.runs.events import Epoch, Failed
from alexnet_tui.runs.run_files import EVENTS_FILE
from alexnet_tui.runs.store import Store
from alexnet_tui.studies import bookkeeping, planning, study_files
from alexnet_tui.studies.ledger import LEDGER_FILE
from alexnet_tui.studies.plan import Plan

CLAIM = """
[[claim]]
name = "decay"
statement = "Weight decay lowers the training error."
metric = "train_error"
group = { weight_decay = 0.0005 }
reference = { weight_decay = 0.0 }
direction = "lower"
unit = "points"
smallest_effect = 0.5
"""


def test_verify_names_the_check_that_fails_and_the_run(run: Run, store: Store) -> None:
    good = write_run(store, RunConfig(epochs=6, log_steps=1))
    assert run("verify").code == 0

    def odd(epoch: Epoch) -> None:
        epoch.test_accuracy = 0.123456

    bad = write_run(store, RunConfig(epochs=6, seed=1, log_steps=1), change_epoch=odd)
    done = run("verify")
    assert done.code == 3
    assert f"{good.id}: 14 passed" in done.out
    assert f"{bad.id}: 13 passed, 1 failed" in done.out
    assert "FAILED  accuracies: test accuracy 0.123456 of epoch 1 is no whole number of 10,000." in done.out
    done = run("verify", bad.id, "--json")
    (found,) = json.loads(done.out)["runs"]
    failed = [check for check in found["checks"] if check["result"] == "failed"]
    assert (done.code, found["id"], [check["name"] for check in failed]) == (3, bad.id, ["accuracies"])


def test_a_run_that_failed_before_its_start_is_no_false_record(run: Run, store: Store) -> None:
    record = store.create(RunConfig(epochs=6))
    with open_writer(store.path(record.id)) as writer:
        writer.write(Failed(reason="launcher", message="Its command ended with code 1 before the run did."))
    done = run("verify")
    assert done.code == 0
    assert "it ended before it started" in done.out
    forged = write_run(store, RunConfig(epochs=6))
    events = store.path(forged.id) / EVENTS_FILE
    events.write_bytes(b"".join(events.read_bytes().splitlines(keepends=True)[1:]))
    done = run("verify", forged.id)
    assert done.code == 3
    assert "there is no started event" in done.out


@pytest.mark.parametrize(
    ("reason", "epoch", "loss", "code"),
    [
        ("diverged", 4, math.nan, 0),
        ("diverged", 4, math.inf, 0),
        ("diverged", 3, math.nan, 3),
        ("diverged", 4, -math.inf, 3),
        ("oom", 4, math.nan, 3),
    ],
)
def test_a_run_that_says_that_it_diverged_is_no_false_record(
    run: Run, store: Store, reason: str, epoch: int, loss: float, code: int
) -> None:
    def break_down(row: Epoch) -> None:
        if row.epoch == epoch:
            row.test_loss = ev.number(loss)

    end = Failed(reason=reason, message="Training diverged.", epoch=4, step=40)
    config = RunConfig(epochs=6, log_steps=1)
    broken = write_run(store, config, epochs_done=4, change_epoch=break_down, end=end)
    done = run("verify")
    assert done.code == code
    assert f"{broken.id}: {14 if code == 0 else 13} passed" in done.out
    assert (f"note    losses: it diverged, and says so: test loss of epoch 4 is {loss:g}." in done.out) == (code == 0)


def test_verify_of_a_study_says_what_does_not_count(run: Run, store: Store) -> None:
    assert (
        run("study", "new", "mine", "--variants", "tanh", "--seeds", "1", "--epochs", "6", "--log-steps", "1").code == 0
    )
    write_run(store, RunConfig.from_text({"variant": "tanh", "epochs": "6", "log_steps": "1"}), study="mine")
    done = run("verify", "mine")
    assert done.code == 0
    assert "does not count" in done.out
    assert "not the hash of its plan" in done.out


def edit_events(store: Store, plan: Plan, run_id: str) -> None:
    log = store.path(run_id) / EVENTS_FILE
    log.write_text(log.read_text().replace('"learning_rate":0.01,', '"learning_rate":0.01000,'))


def edit_ledger(store: Store, plan: Plan, run_id: str) -> None:
    path = study_files.folder_path(store, plan.name) / LEDGER_FILE
    path.write_text(path.read_text().replace('"kind":"started"', '"kind":"resumed"'))


def edit_plan(store: Store, plan: Plan, run_id: str) -> None:
    path = study_files.plan_path(store, plan.name)
    path.write_text(path.read_text().replace('"label": ""', '"label": "x"'))


@pytest.mark.parametrize("has_claims", [True, False])
@pytest.mark.parametrize("edit", [edit_events, edit_ledger, edit_plan])
def test_verify_and_study_verify_agree_on_a_study(
    run: Run, store: Store, has_claims: bool, edit: Callable[[Store, Plan, str], None]
) -> None:
    config = RunConfig(epochs=6, log_steps=1)
    plan = (
        planning.plan_variants(
            store, "mine", variants=["baseline"], seeds=[0], overrides={"epochs": "6", "log_steps": "1"}
        )
        if has_claims
        else planning.queue_plan(store, [config])
    )
    made = write_run(store, config, study=plan.name, plan_sha256=plan.sha256)
    bookkeeping.update(store, plan)
    both = ("verify", plan.name), ("study", "verify", plan.name)
    assert [run(*words).code for words in both] == [0, 0]
    edit(store, plan, made.id)
    assert [run(*words).code for words in both] == [3, 3]
    assert "FAILED" in run("verify").out.splitlines()[1]
    (study,) = json.loads(run("verify", "--json").out)["studies"]
    assert study["name"] == plan.name
    assert study["faults"]
    assert run("verify", made.id).code == 0, "the run agrees with itself; its study was not asked for"


def test_own_runs_that_have_not_finished_are_checked_and_exported_and_no_reference_runs(run: Run, store: Store) -> None:
    shipped = write_run(Store(store.root / "reference"), RunConfig(epochs=6, seed=9, log_steps=1))

    def checked() -> list[str]:
        return [one["id"] for one in json.loads(run("verify", "--json").out)["runs"]]

    def exported() -> list[str]:
        return [one["record"]["id"] for one in json.loads(run("export", "--format", "json").out)["runs"]]

    assert checked() == exported() == [shipped.id]
    queued = store.create(RunConfig(epochs=6))
    assert checked() == exported() == [queued.id]
    stopped = write_run(store, RunConfig(epochs=6, seed=1), epochs_done=2)
    assert set(checked()) == set(exported()) == {queued.id, stopped.id}
    assert "the reference runs" in run("report").out, "nothing of one's own to report on yet"


def test_verify_says_which_own_runs_it_passes_over_for_the_reference_runs(
    run: Run, store: Store, tmp_path: Path
) -> None:
    shipped = write_run(Store(store.root / "reference"), RunConfig(epochs=6, seed=9, log_steps=1))
    (tmp_path / "log.csv").write_text("epoch,loss\n1,2.0\n2,1.5\n")
    assert run("import", "--csv", str(tmp_path / "log.csv"), "--label", "theirs").code == 0
    done = run("verify")
    assert (done.code, done.out.split(":")[0]) == (0, shipped.id)
    assert "not counted: theirs: other programs trained them" in done.err


def test_verify_without_a_run_says_what_to_do(run: Run) -> None:
    done = run("verify")
    assert done.code == 2
    assert "there is no run to check" in done.err


def test_sets_of_claims_are_listed_and_shown(run: Run) -> None:
    listed = run("claims")
    assert listed.code == 0
    assert {"study: 3 claims", "paper2012: 9 claims"} <= set(listed.out.splitlines())
    assert re.search(
        r"^  final_test +Test last 5: Mean test accuracy of the last five epochs;", listed.out, re.MULTILINE
    )
    units = {line.split()[0]: line[line.index("[") :] for line in listed.out.splitlines() if line.endswith("]")}
    assert (units["gap"], units["t25"], units["test_loss"]) == ("[points]", "[ratio]", "[nats or ratio]")
    example = listed.err.split(" is written like ")[1].split("; ")[0]
    assert run("claims", "check", example).code == 0
    shown = run("claims", "show", "paper2012")
    assert "weight-decay-lowers-the-training-error" in shown.out
    study = run("claims", "show", "study").out
    assert "  Test last 5 of removed conv layer 4 is lower than of removed conv layer none\n" in study
    assert "the smallest effect that matters is 1 point\n" in study
    assert "the smallest effect that matters is 0.5 points\n" in study
    first, *_ = json.loads(run("claims", "show", "study", "--json").out)
    assert first["name"] == "dropout-reduces-overfitting"
    assert set(json.loads(run("claims", "--json").out)) == {"study", "paper2012"}
    assert run("claims", "show", "paper").code == 2


def test_what_is_to_be_known_of_claims_is_said_before_anything_is_registered(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(CLAIM)
    assert "note: " not in run("claims", "check", str(file)).err
    many = "".join(
        CLAIM.replace("0.0005", f"0.{number}").replace('"decay"', f'"decay-{number}"') for number in range(10, 23)
    )
    file.write_text(many.replace("train_error", "max_test", 1))
    checked = run("claims", "check", str(file))
    assert checked.code == 0
    selected = "note: decay-10: Test max goes by the epoch of the highest test accuracy: selected on the test images."
    seeds = "note: of 13 claims in one plan none can be supported or contradicted with fewer than 6 seeds a group"
    assert selected in checked.err
    assert seeds in checked.err
    assert run("claims", "show", str(file)).err == "".join(checked.err.splitlines(keepends=True)[1:])
    for count, is_told in ((5, True), (6, False)):
        planned = run("study", "new", f"mine-{count}", "--claims", str(file), "--seeds", str(count))
        assert planned.code == 0
        assert selected in planned.err
        assert (seeds in planned.err) is is_told
    extended = run("study", "extend", "mine-6", "--seeds", "2")
    assert "note: a verdict needs 5 seeds, and this plan has 2." in extended.err


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("train_error", "t25"), "T25 needs a ratio"),
        (("train_error", "speed"), "there is no metric 'speed'"),
        (("smallest_effect = 0.5", "smallest_effect = 100"), "above 0 and below 100, not 100."),
        (("0.0005", '"much"'), "weight_decay"),
        (("[[claim]]", "[[claims]]"), "each below a line [[claim]], and nothing else; take out 'claims'."),
    ],
)
def test_a_file_of_claims_is_refused_before_anything_runs(
    run: Run, tmp_path: Path, change: tuple[str, str], words: str
) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(CLAIM)
    assert run("claims", "check", str(file)).code == 0
    file.write_text(CLAIM.replace(*change))
    for command in (
        ("claims", "check", str(file)),
        ("claims", "show", str(file)),
        ("claims", "show", str(file), "--json"),
        ("study", "new", "mine", "--claims", str(file)),
    ):
        done = run(*command)
        assert done.code == 2, command
        assert words in done.err
