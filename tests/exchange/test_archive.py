"""Archives of runs: what comes back is what was packed, and nothing that a hostile one asks for."""

import bz2
import gzip
import io
import json
import os
import shutil
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from cli_caller import Run
from fake_runs import curve, open_writer, started, write_checkpoint, write_checkpointed, write_run
from msgspec.structs import replace

from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.errors import ArchiveError, StoreError
from alexnet_tui.exchange import archive_unpack
from alexnet_tui.exchange.archive_export import write_archive
from alexnet_tui.exchange.archive_import import import_archive
from alexnet_tui.runs import events as ev
from alexnet_tui.runs import store as runs_store
from alexnet_tui.runs.follow import load
from alexnet_tui.runs.notes import Notes
from alexnet_tui.runs.store import Store
from alexnet_tui.studies import bookkeeping, deletion, planned_runs, planning, study_files, study_queue
from alexnet_tui.studies.plan import Plan, load_plan, verify_hash

CONFIG = RunConfig(data="synthetic", epochs=2)
RECORD = b'{"v":1,"id":"mine","created":1,"config":{}}'


@pytest.fixture
def other(tmp_path: Path) -> Store:
    """Another runs folder."""
    return Store(tmp_path / "other" / "runs")


def files_of(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def packed(store: Store, tmp_path: Path, *names: str, **options: bool) -> Path:
    path = tmp_path / f"{len(list(tmp_path.iterdir()))}.tar.gz"
    write_archive(store, names, path, **options)
    return path


def make_study(store: Store, name: str = "mine", seeds: tuple[int, ...] = (0, 1)) -> Plan:
    """A study that was trained to its end, as a worker leaves it."""
    overrides = {"epochs": "6", "data": "synthetic"}
    plan = planning.plan_variants(store, name, variants=["baseline", "tanh"], seeds=list(seeds), overrides=overrides)
    for cell, run_id in enumerate(planned_runs.prepare(store, plan)):
        config = plan.configs[cell]
        with open_writer(store.path(run_id)) as writer:
            writer.write(started(config))
            for epoch in range(1, config.epochs + 1):
                writer.write(curve(epoch, config.epochs, name=f"{config.variant} {config.seed}"))
            writer.write(ev.Finished(epoch=6, step=60, train_seconds=12.0, elapsed_seconds=15.0))
        bookkeeping.update(store, plan, {run_id: cell})
    return plan


# --- what was packed comes back


def test_a_run_comes_back_byte_for_byte_and_is_marked(store: Store, other: Store, tmp_path: Path) -> None:
    run_id = write_run(store, CONFIG, label="first").id
    folder = store.path(run_id)
    store.change_notes(run_id, lambda _: Notes(label="mine", tags=["a"]))
    for number in range(1, 6):
        write_checkpoint(folder / "checkpoints" / f"e000{number}")
    (folder / "checkpoints/e0001/state.pt").write_bytes(b"weighty")
    (folder / "checkpoints/e0003/state.pt").write_bytes(b"weights2")
    (folder / "checkpoints/e0004/manifest.json").write_bytes(b"{}")
    (folder / "checkpoints/e0005/state.pt").unlink()
    write_checkpoint(folder / "checkpoints" / "e0006")
    manifest = folder / "checkpoints/e0006/manifest.json"
    manifest.write_bytes(manifest.read_bytes().replace(b"{", b'{"epoch":6,'))
    files = {"kernels/e0001.npz": b"k", "trainer.log": b"t"}
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    (folder / "predictions.npz").write_bytes(b"numbers")
    before = files_of(folder)

    archive = packed(store, tmp_path, run_id)
    assert import_archive(other, archive).runs == {run_id: run_id}
    after = files_of(other.path(run_id))
    mark = json.loads(after.pop("imported.json"))
    assert (mark["source"], mark["id"]) == (archive.name, run_id)
    assert len(mark["sha256"]) == 64
    assert after.keys() == {"run.json", "events.jsonl", "notes.json", "predictions.npz", "kernels/e0001.npz"}
    assert all(after[name] == before[name] for name in after if name != "notes.json")
    assert other.notes(run_id) == Notes(label="mine", tags=["a"])  # A pin is of one runs folder.

    third = Store(tmp_path / "third")
    found = import_archive(third, packed(store, tmp_path, run_id, with_checkpoints=True))
    assert (third.path(run_id) / "checkpoints/e0002/state.pt").read_bytes() == b"weights"
    assert third.checkpoints(run_id) == ("e0002",), "what a trainer would refuse is left out"
    assert found.left_out == {"damaged": [f"{run_id}/checkpoints/e000{number}/" for number in (1, 3, 4, 5, 6)]}


def test_a_line_that_a_trainer_is_writing_is_not_packed(store: Store, other: Store, tmp_path: Path) -> None:
    run_id = write_run(store, CONFIG, finish=False).id
    whole = (store.path(run_id) / "events.jsonl").read_bytes()
    with (store.path(run_id) / "events.jsonl").open("ab") as file:
        file.write(b'{"v":1,"kind":"st')
    import_archive(other, packed(store, tmp_path, run_id))
    assert (other.path(run_id) / "events.jsonl").read_bytes() == whole


def test_a_clash_is_renamed_and_the_same_run_is_not_doubled(store: Store, other: Store, tmp_path: Path) -> None:
    run_id = write_run(store, CONFIG).id
    archive = packed(store, tmp_path, run_id)
    import_archive(other, archive)
    assert import_archive(other, archive).present_runs == {run_id}
    assert other.ids() == [run_id]

    with open_writer(store.path(run_id), next_seq=99) as writer:  # Another content under the same name.
        writer.write(ev.Warned(code="x", message="more"))
    changed = packed(store, tmp_path, run_id)
    assert import_archive(other, changed).runs == {run_id: f"{run_id}-2"}
    assert json.loads((other.path(f"{run_id}-2") / "run.json").read_bytes())["id"] == run_id
    assert other.record(f"{run_id}-2").id == f"{run_id}-2"
    again = import_archive(other, changed)
    assert (again.runs, again.present_runs) == ({run_id: f"{run_id}-2"}, {run_id})
    assert other.ids() == [run_id, f"{run_id}-2"]


def test_a_folder_that_is_no_run_keeps_its_name(store: Store, other: Store, tmp_path: Path) -> None:
    run_id = write_run(store, CONFIG).id
    (other.root / run_id).mkdir(parents=True)
    archive = packed(store, tmp_path, run_id)
    assert import_archive(other, archive).runs == {run_id: f"{run_id}-2"}
    assert list((other.root / run_id).iterdir()) == []


def test_a_study_is_sound_where_it_was_unpacked(store: Store, other: Store, tmp_path: Path, run: Run) -> None:
    plan = make_study(store)
    before = [(one.state, one.run_id) for one in planned_runs.status(store, plan)]
    archive = packed(store, tmp_path, "mine")
    found = import_archive(other, archive)
    assert (found.studies, len(found.runs), found.left_out) == ({"mine": "mine"}, 4, {})
    here = load_plan(other, "mine")
    assert verify_hash(other, here) == ""
    assert [(one.state, one.run_id) for one in planned_runs.status(other, here)] == before
    ledger = bookkeeping.read(other, here)
    assert (ledger.problems, ledger.num_written, len(ledger.entries)) == ((), 13, 13)
    assert bookkeeping.changed_records(other, ledger) == []
    told = json.loads(run("verify", "mine", "--json", "--runs-dir", str(other.root)).out)
    assert told["is_sound"]
    assert told["studies"][0]["faults"] == []
    assert told["studies"][0]["excluded"] == {}
    assert import_archive(other, archive).present_studies == {"mine"}
    assert len(other.ids()) == 4


def test_what_was_cancelled_is_cancelled_where_it_was_unpacked(store: Store, other: Store, tmp_path: Path) -> None:
    plan = planning.plan_variants(store, "mine", variants=["baseline"], seeds=range(4), overrides={"epochs": "1"})
    planned_runs.prepare(store, plan)
    study_queue.cancel(store, "mine", 2)
    study_queue.shift(store, "mine", [0, 1, 3], 3, -1)
    study_queue.toggle_pause(store, "mine")
    study_queue.give_up(store, "mine", "this machine has no torch.")
    import_archive(other, packed(store, tmp_path, "mine"))
    assert [cell.state for cell in planned_runs.status(other, load_plan(other, "mine"))] == [
        "queued",
        "queued",
        "cancelled",
        "queued",
    ]
    assert study_queue.load(other, "mine") == study_queue.Queue(order=[0, 3, 1], cancelled=[2])


def test_runs_that_were_imported_before_their_study_are_its_runs_and_not_doubled(
    store: Store, other: Store, tmp_path: Path, run: Run
) -> None:
    make_study(store)
    ids = sorted(store.ids())
    taken = write_run(other, RunConfig(data="synthetic", epochs=2, seed=7)).id
    other.rename(taken, ids[0])  # One of them has another name here.
    import_archive(other, packed(store, tmp_path, *ids[:3]))
    found = import_archive(other, packed(store, tmp_path, "mine"))
    assert (found.present_runs, found.runs[ids[0]], found.released) == (set(ids[:3]), f"{ids[0]}-2", [])
    assert sorted(other.ids()) == sorted([*ids, f"{ids[0]}-2"])
    plan = load_plan(other, "mine")
    assert {one.run_id for one in planned_runs.status(other, plan)} == set(found.runs.values())
    assert {one.state for one in planned_runs.status(other, plan)} == {"finished"}
    ledger = bookkeeping.read(other, plan)
    assert (ledger.problems, bookkeeping.changed_records(other, ledger)) == ((), [])
    assert ledger.num_written == len(ledger.entries), "the ledger knows all of them"
    told = json.loads(run("verify", "mine", "--json", "--runs-dir", str(other.root)).out)
    assert (told["is_sound"], told["studies"][0]["excluded"]) == (True, {})


@pytest.mark.parametrize("field", ["study", "plan_sha256"])
def test_a_run_that_is_here_for_another_plan_is_not_taken_for_one_of_a_study(
    store: Store, other: Store, tmp_path: Path, field: str
) -> None:
    make_study(store)
    ids = store.ids()
    import_archive(other, packed(store, tmp_path, *ids))
    path = other.path(ids[0]) / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), field: "another"}))
    found = import_archive(other, packed(store, tmp_path, "mine"))
    assert (found.present_runs, found.runs[ids[0]]) == (set(ids[1:]), f"{ids[0]}-2")
    assert {one.state for one in planned_runs.status(other, load_plan(other, "mine"))} == {"finished"}


def test_a_study_whose_name_is_taken_brings_its_own_runs(store: Store, other: Store, tmp_path: Path, run: Run) -> None:
    make_study(store)
    theirs = make_study(other, seeds=(5, 6))
    taken = store.ids()[0]
    other.rename(
        write_run(other, RunConfig(data="synthetic", epochs=2, seed=7)).id, taken
    )  # Another run has the id of one of them.
    ids = set(other.ids())
    found = import_archive(other, packed(store, tmp_path, "mine"))
    assert found.studies == {"mine": "mine-2"}
    assert found.runs[taken] == f"{taken}-2"
    assert not ids & set(found.runs.values())
    plan = load_plan(other, "mine-2")
    assert verify_hash(other, plan) == ""
    ledger = bookkeeping.read(other, plan)
    assert (ledger.problems, bookkeeping.changed_records(other, ledger)) == ((), [])
    assert set(bookkeeping.account(ledger).counted.values()) == set(found.runs.values())
    assert {one.state for one in planned_runs.status(other, plan)} == {"finished"}
    told = json.loads(run("verify", "mine-2", "--json", "--runs-dir", str(other.root)).out)
    assert (told["is_sound"], told["studies"][0]["excluded"]) == (True, {})
    assert bookkeeping.read(other, theirs).problems == ()
    again = import_archive(other, packed(store, tmp_path, "mine"))  # It is here already, under its new name.
    assert (again.studies, again.present_studies) == ({"mine": "mine-2"}, {"mine"})
    assert again.present_runs == set(found.runs)
    assert study_files.names(other) == ["mine", "mine-2"]

    # Packed again from there, it is sound in a third place too.
    third = Store(tmp_path / "third")
    import_archive(third, packed(other, tmp_path, "mine-2"))
    plan = load_plan(third, "mine-2")
    assert bookkeeping.read(third, plan).problems == ()
    assert {one.state for one in planned_runs.status(third, plan)} == {"finished"}


def test_the_reference_study_is_here_already(store: Store, other: Store, tmp_path: Path) -> None:
    make_study(store)
    other.root.mkdir(parents=True)
    shutil.copytree(store.root, other.root / "reference")
    archive = packed(other, tmp_path, "reference")
    found = import_archive(other, archive)
    assert (found.present_studies, found.present_runs) == ({"mine"}, set(store.ids()))
    assert study_files.names(other) == []
    third = Store(tmp_path / "third")
    import_archive(third, archive)
    assert verify_hash(third, load_plan(third, "mine")) == ""


@pytest.mark.parametrize("word", ["reference", "last", "tanh"])
def test_a_study_called_as_other_runs_are_gets_another_name(
    store: Store, other: Store, tmp_path: Path, word: str
) -> None:
    make_study(store)
    (store.root / "studies" / "mine.json").rename(store.root / "studies" / f"{word}.json")
    (store.root / "studies" / "mine").rename(store.root / "studies" / word)
    for run_id in store.ids():
        record = store.path(run_id) / "run.json"
        record.write_text(record.read_text().replace('"study": "mine"', f'"study": "{word}"'))
    assert import_archive(other, packed(store, tmp_path, word)).studies == {word: f"{word}-2"}
    assert verify_hash(other, load_plan(other, f"{word}-2")) == ""
    assert {other.record(run_id).study for run_id in other.ids()} == {f"{word}-2"}


@pytest.mark.parametrize("delete", [deletion.delete_run, lambda store, run_id: shutil.rmtree(store.path(run_id))])
def test_no_run_joins_a_study_that_is_here(
    store: Store, other: Store, tmp_path: Path, run: Run, delete: Callable[[Store, str], None]
) -> None:
    plan = make_study(store)
    archive = packed(store, tmp_path, "mine")
    import_archive(other, archive)
    deleted = planned_runs.status(other, plan)[0].run_id
    delete(other, deleted)
    before = [(one.state, one.run_id) for one in planned_runs.status(other, plan)]
    assert before[0] == ("deleted", deleted)
    told = run("import", str(archive), "--runs-dir", str(other.root)).err
    new = f"{deleted}-2"  # The study's deleted run and the one that comes in are two runs.
    assert f"run {deleted} is called {new} here: a study here had a run of that name, which was deleted.\n" in told
    assert f"run {new} belongs to no study here: the study it was made for is here and does not change.\n" in told
    assert (other.record(new).study, other.record(new).plan_sha256) == ("", "")
    assert json.loads((other.path(new) / "imported.json").read_bytes())["study"] == plan.name
    assert [(one.state, one.run_id) for one in planned_runs.status(other, plan)] == before
    ledger = bookkeeping.read(other, plan)
    assert (ledger.problems, list(bookkeeping.account(ledger).deleted)) == ((), [deleted])
    again = import_archive(other, archive)
    assert (again.present_runs, again.runs[deleted], len(other.ids())) == (set(again.runs), new, 4)


def test_a_study_that_lost_a_run_before_it_was_packed_takes_none_of_that_name_for_it(
    store: Store, other: Store, tmp_path: Path
) -> None:
    plan = make_study(store)
    import_archive(other, packed(store, tmp_path, "mine"))
    deleted = planned_runs.status(store, plan)[0].run_id
    deletion.delete_run(store, deleted)
    assert import_archive(other, packed(store, tmp_path, "mine")).studies == {"mine": "mine-2"}
    plan = load_plan(other, "mine-2")
    assert [one.state for one in planned_runs.status(other, plan)] == ["deleted"] + ["finished"] * 3
    ledger = bookkeeping.read(other, plan)
    assert (ledger.problems, list(bookkeeping.account(ledger).deleted)) == ((), [f"{deleted}-2"])
    assert [one.state for one in planned_runs.status(other, load_plan(other, "mine"))] == ["finished"] * 4


def test_the_commands_pack_and_unpack(run: Run, store: Store, other: Store, tmp_path: Path) -> None:
    run_id = write_run(store, CONFIG).id
    path = tmp_path / "mine.tar.gz"
    assert run("export", "--archive", run_id).code == 2
    assert run("export", "--archive", run_id, "-o", str(path)).code == 0
    assert json.loads(run("show", run_id, "--json").out)["imported"] is None
    for number in range(2):
        done = run("import", str(path), "--runs-dir", str(other.root))
        assert (done.code, done.out) == (0, "")
        assert ("is here already" in done.err) == (number == 1)
        assert ("nothing new in " in done.err, "imported " in done.err) == (number == 1, number == 0)
    shown = json.loads(run("show", run_id, "--json", "--runs-dir", str(other.root)).out)["imported"]
    assert (shown["source"], shown["id"], len(shown["sha256"])) == ("mine.tar.gz", run_id, 64)
    assert "mine.tar.gz" in run("show", run_id, "--runs-dir", str(other.root)).out
    assert run("import", str(tmp_path / "none.tar.gz")).code == 3


def test_an_archive_of_all_holds_own_runs_and_studies_else_the_reference_runs(
    run: Run, store: Store, other: Store, tmp_path: Path
) -> None:
    shipped = write_run(Store(store.root / "reference"), replace(CONFIG, seed=9)).id
    path = str(tmp_path / "all.tar.gz")
    told = run("export", "--archive", "-o", path)
    assert (told.code, "packed the reference runs: 1 run into" in told.err) == (0, True)
    assert import_archive(other, Path(path)).runs == {shipped: shipped}

    make_study(store)
    alone = write_run(store, CONFIG).id
    store.rename(alone, "mine")  # As the study is called.
    own = {run_id for run_id in store.ids() if not store.is_reference(run_id)}
    assert "packed 5 runs into" in run("export", "--archive", "-o", path).err
    found = import_archive(Store(tmp_path / "third"), Path(path))
    assert (set(found.runs), found.studies) == (own, {"mine": "mine"})


@pytest.mark.parametrize("odd", ["events.jsonl", "predictions.npz", "kernels/e0000.npz"])
def test_an_archive_of_all_leaves_out_and_names_what_holds_an_odd_file(
    run: Run, store: Store, other: Store, tmp_path: Path, odd: str
) -> None:
    whole, damaged = (write_run(store, replace(CONFIG, seed=seed)).id for seed in range(2))
    file = store.path(damaged) / odd
    file.unlink(missing_ok=True)
    file.mkdir(parents=True)
    path = tmp_path / "all.tar.gz"
    done = run("export", "--archive", "-o", str(path))
    assert done.code == 0
    assert f"left out: {file}: this is not a regular file" in done.err
    assert "packed 1 run (1 left out) into" in done.err
    assert import_archive(other, path).runs == {whole: whole}
    named = run("export", damaged, "--archive", "-o", str(tmp_path / "named.tar.gz"))
    assert (named.code, f"{file}: this is not a regular file" in named.err) == (3, True)
    store.delete(whole)
    alone = run("export", "--archive", "-o", str(tmp_path / "alone.tar.gz"))
    assert (alone.code, "there is nothing that can be packed" in alone.err) == (3, True)
    assert [one.name for one in tmp_path.glob("*.tar.gz*")] == ["all.tar.gz"]


def test_an_archive_of_all_leaves_out_a_study_with_an_odd_file(
    run: Run, store: Store, other: Store, tmp_path: Path
) -> None:
    make_study(store)
    ledger = store.root / "studies" / "mine" / "ledger.jsonl"
    ledger.rename(tmp_path / "ledger")
    ledger.symlink_to(tmp_path / "ledger")
    path = tmp_path / "all.tar.gz"
    done = run("export", "--archive", "-o", str(path))
    assert (done.code, f"left out: {ledger}: this is a link" in done.err) == (0, True)
    found = import_archive(other, path)
    assert (len(found.runs), found.studies) == (4, {})


def test_options_that_an_archive_or_another_format_has_no_use_for_are_refused(run: Run, tmp_path: Path) -> None:
    output = ("--output", str(tmp_path / "a.tar.gz"))
    for words, sentence in (
        (("--archive", "--format", "json", *output), "--archive is a format of its own; leave out --format."),
        (("--checkpoints", *output), "--checkpoints belongs to --archive; other formats hold no weights."),
    ):
        result = run("export", *words)
        assert (result.code, result.out) == (2, "")
        assert sentence in result.err
    assert list(tmp_path.glob("*.gz")) == []


def test_an_archive_of_nothing_is_refused_before_a_file_is_written(run: Run, store: Store, tmp_path: Path) -> None:
    path = tmp_path / "all.tar.gz"
    done = run("export", "--archive", "-o", str(path))
    assert (done.code, f"{store.root}: there is no such folder" in done.err) == (3, True)
    store.root.mkdir()
    done = run("export", "--archive", "-o", str(path))
    assert (done.code, "there is no run and no study to pack; `alexnet-tui run baseline" in done.err) == (3, True)
    damaged = store.create(CONFIG).id
    (store.path(damaged) / "run.json").write_text("{")
    done = run("export", "--archive", "-o", str(path))
    assert (done.code, f"not read: {store.root / damaged}" in done.err) == (3, True)
    assert not path.exists()


def test_a_folder_that_is_not_there_is_not_taken_for_one_without_runs(
    run: Run, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_run(Store(tmp_path / "reference"), CONFIG)
    monkeypatch.setattr(runs_store, "shipped_runs", lambda: tmp_path / "reference")
    path = str(tmp_path / "all.tar.gz")
    done = run("export", "--archive", "-o", path)
    assert (done.code, "`alexnet-tui export reference --archive" in done.err) == (3, True)
    assert not Path(path).exists()
    assert run("export", "reference", "--archive", "-o", path).code == 0


def test_weights_for_a_run_that_is_here_are_not_taken_and_it_says_so(
    run: Run, store: Store, other: Store, tmp_path: Path
) -> None:
    run_id = write_checkpointed(store, CONFIG)
    import_archive(other, packed(store, tmp_path, run_id))
    archive = packed(store, tmp_path, run_id, with_checkpoints=True)
    assert import_archive(other, archive).untaken == {run_id: ["e0002"]}
    assert other.checkpoints(run_id) == ()
    told = run("import", str(archive), "--runs-dir", str(other.root)).err
    assert f"checkpoints not taken, of 1 run here already ({run_id})" in told
    assert f"`alexnet-tui import {archive} --runs-dir FOLDER` unpacks them" in told
    third = Store(tmp_path / "third")
    assert import_archive(third, archive).untaken == {}, "as it advises"
    assert third.checkpoints(run_id) == ("e0002",)
    assert "not taken" not in run("import", str(archive), "--runs-dir", str(third.root)).err, "they are here"


def test_a_new_name_is_said_to_be_for_a_name_that_is_taken_or_kept(run: Run, store: Store, tmp_path: Path) -> None:
    plan = planning.plan_variants(Store(tmp_path / "x"), "mine", variants=["tanh"], seeds=[0])
    members = [member(f"runs/{name}/run.json", RECORD) for name in ("last", "folder")]
    content = (tmp_path / "x/studies" / f"{plan.name}.json").read_bytes()
    archive = write_tar(tmp_path / "a.tar.gz", [*members, member("runs/studies/reference.json", content)])
    (store.root / "folder").mkdir(parents=True)
    told = run("import", str(archive)).err
    assert "run last is called last-2 here: alexnet-tui keeps that name for itself.\n" in told
    assert "run folder is called folder-2 here: that name is taken.\n" in told
    assert "study reference is called reference-2 here: alexnet-tui keeps that name for itself.\n" in told


def test_an_import_of_studies_alone_names_the_command_that_lists_them(
    run: Run, store: Store, other: Store, tmp_path: Path
) -> None:
    planning.plan_variants(store, "mine", variants=["tanh"], seeds=[0], overrides={"epochs": "1"})
    path = str(packed(store, tmp_path, "mine"))
    assert "alexnet-tui study list --runs-dir" in run("import", path, "--runs-dir", str(other.root)).err


def test_what_is_no_part_of_a_record_is_left_out_and_counted(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("backup/mine/run.json", "backup/mine/RUN.json", "backup/mine/._run.json", "__MACOSX/x/run.json"):
            archive.writestr(name, RECORD)
        for name in (
            "backup/mine/a\x1b[31m.txt",
            "Not-An-Id/run.json",
            "lost/events.jsonl",
            "backup/reference/run.json",
        ):
            archive.writestr(name, RECORD)
    found = import_archive(store, path)
    assert found.runs == {"mine": "mine"}
    assert {reason: len(names) for reason, names in found.left_out.items()} == {
        "hidden": 2,
        "no part of a record": 4,
        "without a record": 1,
    }
    assert not any("\x1b" in name for names in found.left_out.values() for name in names)
    assert files_of(store.root).keys() == {"mine/run.json", "mine/imported.json", "studies/.turn"}


def test_attack_11_a_run_called_like_a_word_for_runs_gets_another_name(store: Store, tmp_path: Path) -> None:
    newest = write_run(store, CONFIG).id
    archive = write_tar(tmp_path / "a.tar.gz", [member("runs/last/run.json", RECORD)])
    for present in (set(), {"last"}):
        found = import_archive(store, archive)
        assert (found.runs, found.present_runs) == ({"last": "last-2"}, present)
    store.path("last-2").rename(store.root / "last")
    assert store.resolve("last") == newest
    assert "rename last" in store.list().problems[0]


def test_attack_13_a_record_nested_too_deeply_to_be_written_again_is_refused(store: Store, tmp_path: Path) -> None:
    planning.plan_variants(store, "s", variants=["baseline"], seeds=[0])
    record = RECORD[:-1] + b',"study":"s","later":' + b"[" * 900 + b"]" * 900 + b"}"
    with pytest.raises(ArchiveError, match="too deeply"):
        import_archive(store, write_tar(tmp_path / "a.tar.gz", [member("runs/mine/run.json", record)]))
    assert store.ids() == []


# --- hostile archives

Member = tuple[tarfile.TarInfo, bytes]


def member(name: str, content: bytes = b"", kind: bytes = tarfile.REGTYPE, target: str = "") -> Member:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, target, len(content)
    return info, content


GOOD = [member("runs/mine/run.json", RECORD), member("runs/mine/events.jsonl", b"")]
HOSTILE: Mapping[str, list[Member]] = {
    "path escape": [member("runs/../../mine/run.json", RECORD)],
    "absolute path": [member("/tmp/mine/run.json", RECORD)],
    "link, then a write through it": [
        member("runs/yours", kind=tarfile.SYMTYPE, target="/tmp"),
        member("runs/yours/run.json", RECORD),
    ],
    "link inside": [member("runs/mine/notes.json", kind=tarfile.SYMTYPE, target="run.json")],
    "hard link": [member("runs/mine/notes.json", kind=tarfile.LNKTYPE, target="runs/mine/run.json")],
    "device": [member("runs/mine/notes.json", kind=tarfile.CHRTYPE)],
    "pipe": [member("runs/mine/notes.json", kind=tarfile.FIFOTYPE)],
    "duplicate": [member("runs/mine/run.json", RECORD)],
    "duplicate in another folder": [member("backup/mine/run.json", RECORD)],
    "a record too large": [member("runs/yours/run.json", b" " * ((1 << 20) + 1))],
    "a record that is none": [member("runs/yours/run.json", b"{}")],
    "a number too large": [member("runs/yours/run.json", RECORD[:-1] + b',"later":1e999}')],
    "nested too deeply": [member("runs/yours/run.json", RECORD[:-1] + b',"later":' + b"[" * 9999 + b"]" * 9999 + b"}")],
    "a plan that is none": [member("runs/studies/mine.json", b"{}")],
}


def write_tar(path: Path, members: list[Member]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for info, content in members:
            archive.addfile(info, io.BytesIO(content))
    return path


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_archive_leaves_nothing_behind(store: Store, tmp_path: Path, what: str) -> None:
    kept = write_run(store, CONFIG).id
    before = files_of(tmp_path)
    archive = write_tar(tmp_path / "bad.tar.gz", [*GOOD, *HOSTILE[what]])
    with pytest.raises((ArchiveError, StoreError)) as refused:
        import_archive(store, archive)
    assert refused.value.exit_code == 3
    archive.unlink()
    assert {name: content for name, content in files_of(tmp_path).items() if not name.endswith(".turn")} == before
    assert store.ids() == [kept]
    assert not list(store.root.glob(".importing*"))


def broken(change: Callable[[bytes], bytes]) -> Callable[[Path], Path]:
    def make(path: Path) -> Path:
        write_tar(path, GOOD)
        path.write_bytes(change(path.read_bytes()))
        return path

    return make


LIMITS = replace(archive_unpack.LIMITS, entries=500)


def bomb(path: Path) -> Path:
    with gzip.open(path, "wb", compresslevel=1) as file:
        info = member("runs/mine/events.jsonl")[0]
        info.size = 1 << 26
        file.write(info.tobuf())
        for _ in range(64):
            file.write(bytes(1 << 20))
    return path


def crowd(path: Path) -> Path:
    info = tarfile.TarInfo("x")
    path.write_bytes(gzip.compress(info.tobuf() * 100_000, 1))
    return path


def encrypted(path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("runs/mine/run.json", RECORD)
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    return path


def odd_header(path: Path) -> Path:
    info = member("runs/mine/run.json")[0]
    info.pax_headers = {"GNU.sparse.map": "x,y"}
    path.write_bytes(gzip.compress(info.tobuf(tarfile.PAX_FORMAT)))
    return path


def damaged_bz2(path: Path) -> Path:
    content = bytearray(bz2.compress(gzip.decompress(write_tar(path, GOOD).read_bytes())))
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    return path


def damaged_zip(method: int, mark: bytes, offset: int) -> Callable[[Path], Path]:
    """A zip archive with another byte so far behind the first place of some bytes."""

    def make(path: Path) -> Path:
        with zipfile.ZipFile(path, "w", method) as archive:
            archive.writestr("runs/mine/run.json", RECORD)
        content = bytearray(path.read_bytes())
        content[content.index(mark) + offset] ^= 0x7F
        path.write_bytes(content)
        return path

    return make


DAMAGED: Mapping[str, Callable[[Path], Path]] = {
    "damaged bz2": damaged_bz2,
    "damaged bz2 in a zip": damaged_zip(zipfile.ZIP_BZIP2, b"BZh9", 4),
    "a zip with a file before its start": damaged_zip(zipfile.ZIP_DEFLATED, b"PK\x05\x06", 17),
    "truncated gz": broken(lambda content: content[:-20]),
    "wrong checksum": broken(lambda content: content[:-8] + b"\0\0\0\0" + content[-4:]),
    "no archive": broken(lambda content: b"hello"),
    "empty": broken(lambda content: b""),
    "bomb": bomb,
    "100,000 entries": crowd,
    "encrypted": encrypted,
    "a number that is none": odd_header,
}


@pytest.mark.parametrize("what", DAMAGED)
def test_a_damaged_or_huge_archive_is_refused_whole(
    store: Store, tmp_path: Path, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive_unpack, "LIMITS", LIMITS)
    with pytest.raises(ArchiveError):
        import_archive(store, DAMAGED[what](tmp_path / "bad.tar.gz"))
    assert store.ids() == []
    assert files_of(store.root).keys() <= {"studies/.turn"}


@pytest.mark.parametrize(
    ("failure", "seen"),
    [(OSError(28, "No space left on device"), StoreError), (KeyboardInterrupt(), KeyboardInterrupt)],
)
def test_a_failure_while_renaming_takes_everything_back(
    store: Store,
    other: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    failure: BaseException,
    seen: type[BaseException],
) -> None:
    make_study(store)
    archive = packed(store, tmp_path, "mine")
    rename, calls = os.rename, list[str]()

    def fail(old: str, new: str, **places: int) -> None:
        calls.append(new)
        if new == "mine.json" and calls.count(new) == 1:
            raise failure
        rename(old, new, **places)

    monkeypatch.setattr(os, "rename", fail)
    with pytest.raises(seen):
        import_archive(other, archive)
    assert other.ids() == []
    assert study_files.names(other) == []
    assert files_of(other.root).keys() <= {"studies/.turn"}
    assert len(import_archive(other, archive).runs) == 4


def test_an_archive_links_of_the_packed_folder_are_not_followed(store: Store, tmp_path: Path) -> None:
    run_id = write_run(store, CONFIG).id
    (tmp_path / "secret").write_text("secret")
    (store.path(run_id) / "notes.json").symlink_to(tmp_path / "secret")
    with pytest.raises(StoreError):
        packed(store, tmp_path, run_id)
    assert not list(tmp_path.glob("*.gz"))
    assert load(store, run_id)[0].num_epochs_done == 2


def test_an_extended_run_counts_for_no_plan(store: Store, run: Run) -> None:
    make_study(store)
    run_id = store.ids()[0]
    path = store.path(run_id) / "run.json"
    extends = {"runs": ["parent"], "epochs": 3, "checkpoint": "e0003"}
    path.write_text(json.dumps({**json.loads(path.read_text()), "extends": extends}))
    (planned,) = json.loads(run("verify", "mine", "--json").out)["studies"]
    assert list(planned["excluded"]) == [run_id]
    assert "parent" in planned["excluded"][run_id]
