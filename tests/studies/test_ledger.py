"""The ledger: an append-only chain of hashes, and what the runs' own records add to it."""

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import fake_trainer
import pytest
from cli_caller import Run
from fake_runs import curve, open_writer, started, write_run
from fake_work import QUICK, work

from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.errors import ConfigError, RunNotFoundError, StoreError
from alexnet_tui.launch import local, stopping
from alexnet_tui.launch.engine import StartOptions
from alexnet_tui.runs import events as ev
from alexnet_tui.runs.store import Store
from alexnet_tui.studies import bookkeeping, deletion, orders, planned_runs, planning
from alexnet_tui.studies import ledger as file
from alexnet_tui.studies import worker as study_worker
from alexnet_tui.studies.ledger import Entry, Ledger
from alexnet_tui.studies.plan import Plan, load_plan, plan_hash
from alexnet_tui.studies.planned_runs import PlannedRun
from alexnet_tui.studies.scheduler import Scheduler

pytestmark = pytest.mark.usefixtures("forked")


def path_of(store: Store, plan: Plan) -> Path:
    return store.root / "studies" / plan.name / "ledger.jsonl"


def train(store: Store, plan: Plan) -> list[PlannedRun]:
    """What a worker leaves, without any process."""
    for cell, run_id in enumerate(planned_runs.prepare(store, plan)):
        config = plan.configs[cell]
        with open_writer(store.path(run_id)) as writer:
            writer.write(started(config))
            for epoch in range(1, config.epochs + 1):
                writer.write(curve(epoch, config.epochs))
            writer.write(ev.Finished(epoch=config.epochs, step=20, train_seconds=1.0, elapsed_seconds=1.2))
        bookkeeping.update(store, plan, {run_id: cell})
    return planned_runs.status(store, plan)


MADE = [("made", cell, "") for cell in range(4)]


def facts(store: Store, plan: Plan) -> list[tuple[str, int | None, str]]:
    return [(one.kind, one.cell, one.outcome) for one in bookkeeping.read(store, plan).entries]


@pytest.mark.slow
def test_a_worker_writes_what_happens_to_each_cell(store: Store, plan: Plan) -> None:
    assert facts(store, plan) == [("registered", None, "")]
    cells = work(store, plan)
    ledger = bookkeeping.read(store, plan)
    assert facts(store, plan)[1:] == [
        *MADE,
        *(fact for cell in range(4) for fact in (("started", cell, ""), ("ended", cell, "finished"))),
    ]
    assert (ledger.num_written, ledger.problems, ledger.is_rebuilt) == (13, (), False)
    assert bookkeeping.account(ledger).counted == {cell.index: cell.run_id for cell in cells}


def test_each_line_carries_the_hash_of_the_one_before(store: Store, plan: Plan) -> None:
    train(store, plan)
    lines = path_of(store, plan).read_bytes().splitlines()
    hashes = [hashlib.sha256(line).hexdigest() for line in lines]
    assert [json.loads(line).get("previous", "") for line in lines] == ["", *hashes[:-1]]
    assert [json.loads(line)["seq"] for line in lines] == list(range(13))
    assert json.loads(lines[0])["plan_sha256"] == plan.sha256


@pytest.mark.parametrize("number", range(1, 12))
def test_a_line_changed_removed_or_swapped_breaks_the_chain(store: Store, plan: Plan, number: int) -> None:
    train(store, plan)
    path = path_of(store, plan)
    lines = path.read_bytes().splitlines(keepends=True)
    changed = lines.copy()
    changed[number] = file.canonical(json.loads(changed[number]) | {"wall": 1.0}) + b"\n"
    removed = lines[:number] + lines[number + 1 :]
    swapped = [*lines[:number], lines[number + 1], lines[number], *lines[number + 2 :]]
    for forged in (changed, removed, swapped):
        path.write_bytes(b"".join(forged))
        assert any("does not follow" in problem.text for problem in bookkeeping.read(store, plan).problems)
        assert bookkeeping.update(store, plan).entries, "told, not fatal"


def test_a_torn_last_line_is_mended_and_what_it_said_is_written_again(store: Store, plan: Plan) -> None:
    train(store, plan)
    path, whole = path_of(store, plan), facts(store, plan)
    content = path.read_bytes()
    path.write_bytes(content[:-20])
    ledger = bookkeeping.read(store, plan)
    assert "torn" in ledger.problems[0].text
    assert facts(store, plan) == whole, "the run's own record says it"
    bookkeeping.update(store, plan)
    assert bookkeeping.read(store, plan).problems == ()
    assert path.read_bytes() == content


@pytest.mark.parametrize("garbage", [b"{}\n", b"\0\0\n", b"[" * 9999 + b"\n", b'{"kind":"x"}\n', b"[1]\n"])
def test_garbage_in_a_ledger_is_named_and_the_rest_is_read(store: Store, plan: Plan, garbage: bytes) -> None:
    path = path_of(store, plan)
    path.write_bytes(path.read_bytes() + garbage)
    train(store, plan)
    ledger = bookkeeping.read(store, plan)
    assert ledger.problems[0].text.startswith("line 2 cannot be read")
    assert len(ledger.problems) == 1
    assert len(bookkeeping.account(ledger).counted) == 4


def test_a_ledger_is_not_written_through_a_link(store: Store, plan: Plan, tmp_path: Path) -> None:
    path = path_of(store, plan)
    path.unlink()
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreError, match=r"ledger\.jsonl"):
        bookkeeping.update(store, plan)
    assert not (tmp_path / "elsewhere").exists()


def test_attack_13_a_ledger_of_empty_lines_is_refused_unread(store: Store, plan: Plan) -> None:
    path_of(store, plan).write_bytes(b"\n" * 200_001)
    with pytest.raises(StoreError, match="too large"):
        bookkeeping.read(store, plan)


def test_the_first_finished_run_of_a_cell_counts(store: Store, plan: Plan) -> None:
    cells = train(store, plan)
    again = write_run(store, plan.configs[2], study=plan.name, final=0.9).id
    account = bookkeeping.account(bookkeeping.update(store, plan))
    assert account.counted[2] == cells[2].run_id
    assert account.repeated == {again: 2}


def test_a_deleted_run_leaves_its_line_and_is_not_counted_anew(store: Store, plan: Plan) -> None:
    cells = train(store, plan)
    deletion.delete_run(store, cells[1].run_id)
    again = write_run(store, plan.configs[1], study=plan.name).id
    account = bookkeeping.account(bookkeeping.read(store, plan))
    assert account.deleted == {cells[1].run_id: "finished"}
    assert (account.counted[1], account.repeated) == (cells[1].run_id, {again: 1})


def test_many_runs_are_deleted_with_each_plan_read_once_and_its_ledger_written_twice(
    store: Store, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = planning.plan_variants(store, "other", variants=["four-conv"], seeds=[0], overrides=QUICK)
    cells = planned_runs.prepare(store, plan)
    ended = [write_run(store, one, study=plan.name).id for one in (plan.configs[0], plan.configs[1], plan.configs[1])]
    own = write_run(store, RunConfig(epochs=1)).id
    of_other = write_run(store, other.configs[0], study=other.name).id
    loaded, written = list[str](), list[str]()
    append = file.append_made

    def counted_load(store: Store, name: str) -> Plan:
        loaded.append(name)
        return load_plan(store, name)

    def counted_append(folder: Path, make: Callable[[Ledger], Sequence[Entry]]) -> Ledger:
        written.append(folder.name)
        return append(folder, make)

    monkeypatch.setattr(deletion, "load_plan", counted_load)
    monkeypatch.setattr(file, "append_made", counted_append)
    gone = [*ended, own, of_other, cells[3]]
    done = list(deletion.delete_runs(store, [*gone[:2], "no-such-run", *gone[2:]]))
    assert [run_id for run_id, error in done if error is None] == gone
    assert [run_id for run_id, error in done if isinstance(error, RunNotFoundError)] == ["no-such-run"]
    assert sorted(loaded) == ["other", "report"]
    assert sorted(written) == ["other", "other", "report", "report"]
    assert set(store.ids()) == set(cells[:3])
    entries = file.read_file(path_of(store, plan)).entries
    assert [(one.kind, one.run, one.outcome) for one in entries if one.kind not in ("made", "started")] == [
        ("registered", "", ""),
        *(("ended", run_id, "finished") for run_id in ended),
        *(("deleted", run_id, "finished") for run_id in ended),
        ("deleted", cells[3], "queued"),
    ]
    assert [one.run for one in file.read_file(path_of(store, other)).entries][1:] == [of_other] * 3
    assert (bookkeeping.read(store, plan).problems, bookkeeping.read(store, other).problems) == ((), ())


def test_a_deletion_that_dies_between_two_runs_loses_no_line(store: Store, plan: Plan) -> None:
    runs = [write_run(store, one, study=plan.name).id for one in plan.configs[:3]]
    deletions = deletion.delete_runs(store, runs)
    assert next(deletions) == (runs[0], None)
    noted = file.read_file(path_of(store, plan)).entries
    assert [(one.kind, one.run) for one in noted[1:]] == [(kind, one) for one in runs for kind in ("started", "ended")]
    account = bookkeeping.account(bookkeeping.read(store, plan))  # What the next update writes.
    assert account.deleted == {runs[0]: "found missing"}
    assert list(account.counted.values()) == runs
    deletions.close()
    assert bookkeeping.account(file.read_file(path_of(store, plan))).deleted == {runs[0]: "finished"}
    assert store.ids() == sorted(runs[1:])


def test_a_run_that_ends_while_others_are_deleted_is_noted_before_it_goes_too(store: Store, plan: Plan) -> None:
    cells = planned_runs.prepare(store, plan)
    deletions = deletion.delete_runs(store, cells[:2])
    assert next(deletions) == (cells[0], None)
    with open_writer(store.path(cells[1])) as writer:
        writer.write(started(plan.configs[1]))
        writer.write(ev.Failed(reason="diverged", message=""))
    assert list(deletions) == [(cells[1], None)]
    assert facts(store, plan)[1:] == [
        *MADE,
        ("deleted", 0, "queued"),
        ("started", 1, ""),
        ("failed", 1, "diverged"),
        ("deleted", 1, "failed"),
    ]


def test_a_run_removed_behind_our_back_is_noted(store: Store, plan: Plan) -> None:
    cells = work(store, plan)
    shutil.rmtree(store.path(cells[0].run_id))
    work(store, plan)
    assert bookkeeping.account(file.read_file(path_of(store, plan))).deleted == {cells[0].run_id: "found missing"}


def test_runs_that_vanish_before_any_worker_saw_them_train_are_noted(store: Store, plan: Plan) -> None:
    run_ids = planned_runs.prepare(store, plan)
    for run_id in run_ids:
        shutil.rmtree(store.path(run_id))
    (store.root / "studies" / plan.name / planned_runs.CELLS_FILE).unlink()
    assert bookkeeping.account(bookkeeping.read(store, plan)).deleted == dict.fromkeys(run_ids, "found missing")


def test_a_run_that_is_deleted_before_it_was_noted_is_noted_first(store: Store, plan: Plan) -> None:
    run_id = planned_runs.prepare(store, plan)[3]
    local.start(store, run_id, StartOptions(command=fake_trainer.command("normal")))
    assert stopping.wait_free(store, run_id, 20)
    deletion.delete_run(store, run_id)
    assert facts(store, plan) == [
        ("registered", None, ""),
        *MADE,
        ("started", 3, ""),
        ("ended", 3, "finished"),
        ("deleted", 3, "finished"),
    ]


@pytest.mark.slow
def test_failures_and_resumes_are_told(store: Store, plan: Plan) -> None:
    work(store, plan, "no-device")
    assert set(bookkeeping.account(bookkeeping.read(store, plan)).failed.values()) == {"error"}
    work(store, plan)
    account = bookkeeping.account(bookkeeping.read(store, plan))
    assert account.failed == {}
    kinds = [kind for kind, cell, _ in facts(store, plan) if cell == 0]
    assert kinds == ["made", "started", "failed", "resumed", "ended"]


def test_a_study_of_an_earlier_version_gets_its_ledger_from_its_runs(run: Run, store: Store, plan: Plan) -> None:
    train(store, plan)
    whole = facts(store, plan)
    path_of(store, plan).unlink()
    plan_path = store.root / "studies" / "report.json"
    old = json.loads(plan_path.read_text()) | {"v": 2}
    old["sha256"] = plan_hash(old)
    plan_path.write_text(json.dumps(old))
    old_plan = load_plan(store, "report")
    for run_id in store.ids():  # As if they had been made for it.
        record = store.path(run_id) / "run.json"
        record.write_text(record.read_text().replace(plan.sha256, old_plan.sha256))
    ledger = bookkeeping.read(store, old_plan)
    assert (ledger.is_rebuilt, ledger.num_written, ledger.problems) == (True, 0, ())
    assert facts(store, old_plan) == [("rebuilt", None, ""), *(fact for fact in whole[1:] if fact not in MADE)]
    assert json.loads(run("study", "verify", "report", "--json").out)["num_written"] == 0
    found = json.loads(run("study", "verify", "report", "--rebuild", "--json").out)
    assert (found["is_sound"], found["is_rebuilt"], found["num_written"]) == (True, True, 9)
    assert bookkeeping.update(store, old_plan).num_written == 9


def test_a_ledger_that_was_taken_away_is_missed(store: Store, plan: Plan) -> None:
    train(store, plan)
    path_of(store, plan).unlink()
    assert "the ledger is missing" in bookkeeping.read(store, plan).problems[0].text


def test_registering_anew_after_a_look_at_the_runs_is_told(store: Store, plan: Plan) -> None:
    cells = train(store, plan)
    (store.root / "studies" / "report.json").unlink()
    with pytest.raises(ConfigError, match="when its numbers are known"):
        planning.plan_variants(store, "report", variants=["baseline", "tanh"], seeds=[0], overrides=QUICK)
    for cell in cells:
        store.delete(cell.run_id)
    again = planning.plan_variants(store, "report", variants=["baseline", "tanh"], seeds=[0], overrides=QUICK)
    assert "an earlier plan of this name" in bookkeeping.read(store, again).problems[0].text


def test_events_changed_after_the_end_are_seen(store: Store, plan: Plan) -> None:
    cells = train(store, plan)
    assert bookkeeping.changed_records(store, bookkeeping.read(store, plan)) == []
    events = store.path(cells[2].run_id) / "events.jsonl"
    events.write_bytes(events.read_bytes().replace(b'"test_accuracy":0.', b'"test_accuracy":0.9', 1))
    assert [one.run for one in bookkeeping.changed_records(store, bookkeeping.read(store, plan))] == [cells[2].run_id]
    events.write_bytes(b"")
    (problem,) = bookkeeping.read(store, plan).problems
    assert problem.text == f"run {cells[2].run_id}: its record no longer says what the ledger noted of it."


def test_foreign_text_in_a_record_is_escaped_in_the_ledger(store: Store, plan: Plan) -> None:
    run_id = planned_runs.prepare(store, plan)[0]
    with open_writer(store.path(run_id)) as writer:
        writer.write(started(plan.configs[0]))
        writer.write(ev.Failed(reason="\x1b]0;x\x07", message=""))
    bookkeeping.update(store, plan)
    assert b"\\u001b" not in path_of(store, plan).read_bytes()


def test_verify_recomputes_plan_and_ledger(run: Run, store: Store, plan: Plan) -> None:
    train(store, plan)
    good = run("study", "verify", "report")
    assert good.code == 0
    assert plan.sha256 in good.out
    found = json.loads(run("study", "verify", "report", "--json").out)
    assert (found["is_sound"], found["num_entries"], len(found["counted"])) == (True, 13, 4)
    path = store.root / "studies" / "report.json"
    path.write_text(path.read_text().replace('"smallest_effect": 1.0', '"smallest_effect": 0.1'))
    bad = run("study", "verify", "report", "--json")
    assert bad.code == 3
    assert "it was changed" in json.loads(bad.out)["plan_problem"]
    content = json.loads(path.read_text())
    path.write_text(json.dumps({name: value for name, value in content.items() if name != "sha256"}))
    bare = run("study", "verify", "report", "--json")
    assert bare.code == 3
    assert "hash was removed" in json.loads(bare.out)["plan_problem"]


def test_deleting_on_the_command_line_leaves_a_line(run: Run, store: Store, plan: Plan) -> None:
    cells = train(store, plan)
    assert run("delete", cells[0].run_id, "--yes").code == 0
    assert facts(store, plan)[-1] == ("deleted", 0, "finished")


def test_a_full_disk_leaves_no_half_line(store: Store, plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    path = path_of(store, plan)
    before = path.read_bytes()
    monkeypatch.setattr(os, "pwrite", lambda fd, content, at: os.write(fd, content[:7]))
    with pytest.raises(StoreError, match="cannot be written"):
        file.append(path.parent, Entry(kind="extended", study="more"))
    assert path.read_bytes() == before


def test_fault_23_a_clock_that_is_set_back_does_not_change_the_order_of_a_run(store: Store, plan: Plan) -> None:
    """The ledger is written only when a run has stopped and gone on, the clock a day back since its start."""
    run_id = planned_runs.prepare(store, plan)[0]
    now = plan.created + 10
    events = [
        (now, started(plan.configs[0])),
        (now - 86_400, ev.Stopped(epoch=1, step=10, reason="asked")),
        (now - 86_300, started(plan.configs[0])),
        (now + 86_400, ev.Failed(reason="diverged", message="")),
    ]
    clock = iter([wall for wall, _ in events])
    with open_writer(store.path(run_id), wall_clock=lambda: next(clock)) as writer:
        for _, event in events:
            writer.write(event)
    ledger = bookkeeping.update(store, plan)
    kinds = [entry.kind for entry in ledger.entries if entry.kind != "made"]
    assert kinds == ["registered", "started", "ended", "resumed", "failed"]
    assert bookkeeping.read(store, plan).problems == ()


def test_fault_23_no_run_is_made_or_started_by_a_clock_that_is_behind_the_plan(
    store: Store, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its record would say that it is older than its plan, and after hours of training it would not count."""
    real, hours = time.time, 0.0
    monkeypatch.setattr(time, "time", lambda: real() + 3600 * hours)
    hours = -1.0
    with pytest.raises(StoreError, match="Set the clock"):
        study_worker.work(store, plan)
    with pytest.raises(StoreError, match="Set the clock"):
        planned_runs.prepare(store, plan)
    assert not store.ids()
    hours = 0.0
    planned_runs.prepare(store, plan)
    said: list[str] = []
    scheduler = Scheduler(store, command=fake_trainer.command("normal"), say=said.append)
    orders.place(store, orders.Order(study=plan.name))
    hours = -1.0
    assert not scheduler.look()
    assert "Set the clock" in said[-1]
    assert {cell.state for cell in planned_runs.status(store, plan)} == {"queued"}
    hours = 0.0
    assert scheduler.look()


def test_before_a_planned_run_is_deleted_its_study_is_named(store: Store) -> None:
    mine = planning.plan_variants(store, "mine", variants=["tanh"], seeds=[0, 1], overrides={"epochs": "2"})
    first, second = planned_runs.prepare(store, mine)
    alone = store.create(RunConfig()).id
    assert deletion.deletion_warnings(store, [alone]) == []
    (one,) = deletion.deletion_warnings(store, [first])
    assert one == "Study mine planned this run and does not train it again; its claims lose a seed."
    (several,) = deletion.deletion_warnings(store, [first, alone, second])
    assert several.startswith("Study mine planned 2 of these runs and does not train them again")
