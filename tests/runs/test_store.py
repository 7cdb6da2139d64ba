"""A runs folder on disk: made by many at once, read from anybody, deleted with care."""

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from fake_runs import a_step, open_writer, started
from msgspec.structs import replace

from alexnet_tui import files
from alexnet_tui.analysis.selection import select_runs
from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.errors import RunBusyError, RunNotFoundError, StoreError
from alexnet_tui.locks import take_lock, write_owner
from alexnet_tui.paths import default_root
from alexnet_tui.runs import events as ev
from alexnet_tui.runs import store as store_module
from alexnet_tui.runs.follow import RunCache, load
from alexnet_tui.runs.lost import explain_lost
from alexnet_tui.runs.notes import Notes, NotesConflictError
from alexnet_tui.runs.outline import is_newer
from alexnet_tui.runs.provenance import package_commit, redact
from alexnet_tui.runs.run_files import EVENTS_FILE, LOG_FILE
from alexnet_tui.runs.run_ids import REFERENCE, RUN_ID
from alexnet_tui.runs.state import State
from alexnet_tui.runs.store import Store

RECORD_KEYS = [
    "v",
    "id",
    "created",
    "label",
    "config",
    "package_version",
    "commit",
    "argv",
    "host",
    "environment",
    "study",
    "plan_sha256",
    "extends",
    "foreign",
]


def plant(store: Store, run_id: str, **changes: object) -> str:
    """A run directory of a chosen name, copied from a fresh run."""
    made = store.create(RunConfig())
    target = store.root / run_id
    target.parent.mkdir(parents=True, exist_ok=True)
    store.path(made.id).rename(target)
    path = target / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    return target.name


# --- the record


def test_the_record_has_the_published_keys_and_survives_the_disk(store: Store) -> None:
    config = RunConfig.from_text({"variant": "tanh", "seed": "3"})
    record = store.create(config, label="first", argv=["alexnet-tui", "run", "tanh"], study="night")
    raw = json.loads((store.path(record.id) / "run.json").read_text())
    assert list(raw) == RECORD_KEYS
    assert list(raw["config"]) == list(RunConfig.__struct_fields__)
    assert store.record(record.id) == record
    assert (record.config, record.label, record.study, record.v) == (config, "first", "night", 1)
    assert record.id.startswith("tanh-s3-")
    assert record.commit == package_commit()
    assert store.notes(record.id) == Notes()
    assert store.owner(record.id) is None
    assert store.log_tail(record.id) == ""


CREATE = """
import sys
from pathlib import Path
from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.runs.store import Store
for _ in range(10):
    print(Store(Path(sys.argv[1])).create(RunConfig()).id)
"""


def test_ids_are_unique_when_fifty_are_made_at_once(store: Store) -> None:
    command = [sys.executable, "-c", CREATE, str(store.root)]
    makers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(5)]
    made = [run_id for maker in makers for run_id in maker.communicate(timeout=60)[0].split()]
    assert len(made) == len(set(made)) == 50
    assert all(RUN_ID.fullmatch(run_id) for run_id in made)
    assert sorted(record.id for record in store.list().runs) == sorted(made) == store.ids()


def test_attack_15_environment_and_command_line_keep_no_secret(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANARY_API", "canary-one")
    monkeypatch.setenv("HF_TOKEN", "canary-two")
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    argv = ["run", "--token", "canary-three", "--password=canary-four", "https://me:canary-five@host/x"]
    record = store.create(RunConfig(), argv=argv)
    assert record.environment == {
        name: os.environ[name]
        for name in ("CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "SLURM_JOB_ID", "WORLD_SIZE")
        if name in os.environ
    }
    assert record.environment["OMP_NUM_THREADS"] == "2"
    written = [path.read_bytes() for path in store.root.rglob("*") if path.is_file()]
    assert len(written) == 1
    assert b"canary" not in written[0]


@pytest.mark.parametrize(
    ("argv", "kept"),
    [
        (["--token", "x", "y"], ["--token", "***", "y"]),
        (["--API_KEY=x", "-v"], ["--API_KEY=***", "-v"]),
        (["HF_TOKEN=x"], ["HF_TOKEN=***"]),
        (["--password", "--secret", "x"], ["--password", "***", "x"]),
        (["--access-key", "x"], ["--access-key", "***"]),
        (["https://u:p@ss@host/d"], ["https://***@host/d"]),
        (["--url=https://u:p@host"], ["--url=https://***@host"]),
        (["https://host/?a=1&token=x&b=2"], ["https://host/?a=1&token=***&b=2"]),
        (["--label", "my token", "a@b"], ["--label", "my token", "a@b"]),
    ],
)
def test_attack_15_redact(argv: list[str], kept: list[str]) -> None:
    assert redact(argv) == kept


def test_arguments_that_are_no_utf8_are_kept_as_well_as_can_be(store: Store) -> None:
    record = store.create(RunConfig(), label="caf\udce9", argv=["--data-dir", "\udcff"])
    assert store.record(record.id).label == "caf?"
    store.change_notes(record.id, lambda _: Notes(note="x\udcffy"))
    assert store.notes(record.id).note == "x?y"


def test_a_runs_folder_that_cannot_be_is_said_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for root in (tmp_path / "file", tmp_path / "file" / "runs"):
        with pytest.raises(StoreError, match="a run cannot be created here .*Choose another folder with --runs-dir"):
            Store(root).create(RunConfig())
    assert Store(tmp_path / "nowhere").list().runs == []
    with pytest.raises(StoreError, match="cannot be read"):
        Store(tmp_path / "file").list()


def test_the_runs_folder_of_the_session(monkeypatch: pytest.MonkeyPatch) -> None:
    assert default_root() == Path("runs")
    monkeypatch.setenv("ALEXNET_TUI_RUNS", "/elsewhere")
    assert default_root() == Path("/elsewhere")


# --- finding runs


@pytest.mark.parametrize(
    "hostile", ["../x", "-rf", "", ".", "..", "/etc", "a/b", "x" * 300, "a\nb", "a\x00b", "A", "reference", "é", "\\"]
)
def test_attack_11_a_hostile_id_is_no_run(store: Store, hostile: str) -> None:
    store.create(RunConfig())
    outside = store.root.parent / "x"
    outside.mkdir()
    (outside / "run.json").write_text("{}")
    for act in (store.path, store.record, store.resolve, store.delete):
        with pytest.raises(RunNotFoundError, match="there is no run") as caught:
            act(hostile)
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 400
    assert (outside / "run.json").exists()


def test_messages_show_what_was_typed_as_it_was_typed(store: Store) -> None:
    lists = re.escape(f"`alexnet-tui runs --runs-dir {store.root}` lists them.")
    with pytest.raises(RunNotFoundError, match=rf"there is no run 'a\\b'; {lists}$"):
        store.resolve("a\\b")


def test_who_names_a_run_by_its_label_is_told_its_id(store: Store) -> None:
    labelled, renamed, other = (store.create(RunConfig(seed=seed), label="my run" * (seed < 2)).id for seed in range(3))
    store.change_notes(renamed, lambda notes: replace(notes, label="new name"))
    for label, run_id in (("my run", labelled), ("new name", renamed)):
        with pytest.raises(RunNotFoundError, match=f"there is no run '{label}'; {run_id} has that label\\.$"):
            store.resolve(label)
        with pytest.raises(RunNotFoundError, match=f"no study and no run '{label}'; {run_id} has that label\\.$"):
            select_runs(store, [label])
    store.change_notes(other, lambda notes: replace(notes, label="my run"))
    assert re.fullmatch(rf"({labelled}|{other}), ({labelled}|{other}) have that label\.", store.label_hint("my run"))
    assert store.label_hint("") == ""


def test_a_run_is_found_by_the_beginning_of_its_id(store: Store) -> None:
    for run_id in ("aa-1", "aa-12", "bb"):
        plant(store, run_id)
    assert store.resolve("aa-1") == "aa-1"
    assert store.resolve("b") == "bb"
    with pytest.raises(RunNotFoundError, match="2 runs begin with 'a': aa-1, aa-12\\. Name one of them\\.$"):
        store.resolve("a")


def test_a_run_with_a_number_at_its_end_is_no_longer_name_of_another(store: Store) -> None:
    day = "baseline-s0-20261126"
    for run_id in (f"{day}-074510-2", f"{day}-074510-22", "mine-2", "other-3"):
        plant(store, run_id)
    for gone in (f"{day}-074510", f"{day}-074510-1", f"{day}-074510-3", "mine", "mine-1", "other-33"):
        with pytest.raises(RunNotFoundError, match=f"there is no run '{gone}'"):
            store.resolve(gone)
    (store.root / f"{day}-074510-2").rename(store.root / "elsewhere")
    with pytest.raises(RunNotFoundError, match="there is no run"):
        store.resolve(f"{day}-074510-2")
    for beginning in ("baseline", "baseline-s0", day, f"{day}-0745", f"{day}-074510-22"):
        assert store.resolve(beginning) == f"{day}-074510-22"
    assert store.resolve("min") == "mine-2"


def test_a_run_is_found_by_its_day_alone(store: Store) -> None:
    plant(store, "baseline-s0-20261126-174510")
    assert store.resolve("baseline-s0-20261126") == "baseline-s0-20261126-174510"


def test_last_is_the_newest_readable_run_of_the_user(store: Store) -> None:
    with pytest.raises(RunNotFoundError):
        store.resolve("last")
    plant(store, "old", created=100)
    plant(store, "new", created=200)
    plant(store, "reference/shipped", created=300)
    broken = plant(store, "broken", created=400)
    (store.path(broken) / "run.json").write_text("{")
    assert store.resolve("last") == "new"


def test_a_run_that_a_study_plans_is_the_last_once_it_is_trained(store: Store) -> None:
    planned = store.create(RunConfig(), study="mine").id
    assert store.resolve("last") == planned, "there is no other"
    other = plant(store, "other", created=100)
    assert store.resolve("last") == other
    with open_writer(store.path(planned)) as writer:
        writer.write(started(RunConfig()))
    assert store.resolve("last") == planned


def test_attack_17_an_installed_package_brings_reference_runs_and_takes_none_from_a_runs_folder(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = Store(tmp_path / "site-packages" / "alexnet_tui")
    plant(package, "reference/shipped")
    for module in (store_module, files):
        monkeypatch.setattr(module, "shipped_runs", lambda: package.root / "reference")
    os.link(package.root / "reference" / "shipped" / "run.json", tmp_path / "in an installer's cache")
    assert store.ids() == ["shipped"]
    assert store.is_reference("shipped")
    assert store.record("shipped").id == "shipped"
    assert not store.root.exists()
    with pytest.raises(StoreError):
        store.change_notes("shipped", lambda _: Notes(label="x"))
    with pytest.raises(StoreError):
        store.delete("shipped")
    assert [path.name for path in store.path("shipped").iterdir()] == ["run.json"]
    plant(store, "reference/forged")
    plant(store, "reference/shipped", label="forged")
    plant(store, "mine")
    assert store.ids() == ["mine", "shipped"]
    assert store.record("shipped").label == ""
    assert "come with the program" in store.list().problems[0]


def test_a_runs_folder_may_be_called_as_that_of_the_reference_runs_is(tmp_path: Path) -> None:
    store = Store(tmp_path / "reference")
    run_id = store.create(RunConfig()).id
    assert (store.is_reference(run_id), store.is_in(run_id)) == (False, True)
    store.delete(run_id)
    assert store.ids() == []


def test_runs_come_newest_first_and_reference_runs_last(store: Store) -> None:
    for name, created in (("a", 1), ("b", 3), ("c", 2), ("reference/d", 9), ("reference/a", 8)):
        plant(store, name, created=created)
    assert [record.id for record in store.list().runs] == ["b", "c", "a", "d"]
    assert (store.is_reference("d"), store.is_reference("a")) == (True, False)
    assert store.ids() == ["a", "b", "c", "d"]


def test_attack_10_links_and_strangers_are_not_listed(store: Store, tmp_path: Path) -> None:
    real = plant(store, "real")
    elsewhere = Store(tmp_path / "elsewhere")
    plant(elsewhere, "other")
    (store.root / "linked").symlink_to(elsewhere.root / "other")
    (store.root / "loop").symlink_to(store.root / "loop")
    (store.root / "nowhere").symlink_to(tmp_path / "nothing")
    (store.root / "device").symlink_to("/dev/zero")
    os.mkfifo(store.root / "pipe")
    (store.root / "empty").mkdir()
    (store.root / "file").write_text("")
    (store.root / ".hidden").mkdir()
    listing = store.list()
    assert [record.id for record in listing.runs] == [real]
    assert [problem.split(": ")[0] for problem in listing.problems] == [f"{store.root}/linked"]
    assert store.ids() == [real]
    with pytest.raises(RunNotFoundError):
        store.path("linked")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "cannot be read"),
        (b"{", "cannot be read"),
        (b"\xff\xfe", "cannot be read"),
        (b"[" * 100_000, "cannot be read"),
        (b'{"id":"x","created":1,"config":{"dropout":7}}', "dropout: must be 0 to 0.95"),
        (b'{"id":"x","created":1,"config":{"seed":1' + b"0" * 400 + b"}}", "seed: must be at most"),
        (b'{"id":"x","created":1e300,"config":{}}', "cannot be read"),
        (b'{"id":"x\x1b[2J","created":"\x1b]0;pwned"}', "cannot be read"),
        (b'{"v":99,"config":{"variant":"vit"},"id":"x","created":1}', "newer version of alexnet-tui"),
        (b"x" * (2 << 20), "too large"),
    ],
)
def test_attack_13_a_damaged_record_is_a_problem_and_not_the_end(store: Store, content: bytes, reason: str) -> None:
    good, bad = plant(store, "good"), plant(store, "bad")
    (store.path(bad) / "run.json").write_bytes(content)
    listing = store.list()
    assert [record.id for record in listing.runs] == [good]
    assert len(listing.problems) == 1
    assert reason in listing.problems[0]
    assert "\x1b" not in listing.problems[0]


def test_attack_10_a_record_that_is_a_link_or_a_pipe_is_a_problem(store: Store, tmp_path: Path) -> None:
    for name in ("link", "dangling", "pipe"):
        plant(store, name)
        (store.root / name / "run.json").unlink()
    (tmp_path / "secret").write_text("s3cret")
    (store.root / "link" / "run.json").symlink_to(tmp_path / "secret")
    (store.root / "dangling" / "run.json").symlink_to(tmp_path / "nothing")
    os.mkfifo(store.root / "pipe" / "run.json")
    listing = store.list()
    assert listing.runs == []
    assert len(listing.problems) == 3
    assert "s3cret" not in "".join(listing.problems)


def test_a_newer_record_that_can_be_read_is(store: Store) -> None:
    run_id = plant(store, "newer", v=7, colour="blue")
    assert store.record(run_id).v == 7


def test_a_copied_record_does_not_speak_for_another_run(store: Store) -> None:
    plant(store, "original")
    plant(store, "copy", id="original")
    plant(store, "forged", id="../../etc")
    listing = store.list()
    assert sorted(record.id for record in listing.runs) == ["copy", "forged", "original"]
    assert listing.problems == []


@pytest.mark.parametrize("name", ["My best run", "..x", "[red]", "new\nline", "\x1b[31m", "日本", "x" * 65, "-rf"])
def test_a_folder_with_a_record_that_is_no_run_is_named_and_can_be_renamed(store: Store, name: str) -> None:
    good = plant(store, "good")
    (store.root / good).rename(store.root / name)
    listing = store.list()
    assert (listing.runs, len(listing.problems)) == ([], 1)
    assert list(store.scan()[1]) == [name]
    assert "alexnet-tui rename" in listing.problems[0]
    assert not set(listing.problems[0]) & {"\n", "\x1b"}
    run_id = store.rename(name)
    assert RUN_ID.fullmatch(run_id)
    assert [record.id for record in store.list().runs] == [run_id]
    assert store.scan()[1] == {}


@pytest.mark.slow
def test_a_rename_replaces_nothing_and_moves_no_run_at_work(store: Store) -> None:
    one, other = plant(store, "one"), plant(store, "other")
    for wanted in (other, "reference", "studies", "../x", "UPPER"):
        with pytest.raises(StoreError):
            store.rename(one, wanted)
    for name in ("nothing", "../x", ""):
        with pytest.raises(StoreError):
            store.rename(name, "new")
    lock = take_lock(store.path(one))
    with pytest.raises(RunBusyError):
        store.rename(one, "new")
    os.close(lock)
    planned = plant(store, "planned", study="night")
    with pytest.raises(StoreError, match="study"):
        store.rename(planned, "new")
    assert store.ids() == sorted([one, other, planned])
    assert store.rename(one, "new") == "new"
    assert store.ids() == ["new", other, planned]


def test_attack_10_reference_runs_are_not_read_from_behind_a_link(store: Store, tmp_path: Path) -> None:
    plant(store, "mine")
    plant(Store(tmp_path / "elsewhere"), "other")
    (store.root / REFERENCE).symlink_to(tmp_path / "elsewhere")
    assert store.ids() == ["mine"]
    with pytest.raises(RunNotFoundError):
        store.path("other")


def test_attack_17_a_run_is_private_and_a_folder_of_others_is_warned_of(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = store.create(RunConfig())
    store.change_notes(record.id, lambda _: Notes(label="x"))
    made = [store.path(record.id), *store.path(record.id).iterdir()]
    assert [path.name for path in made if path.lstat().st_mode & 0o077] == []
    store.root.chmod(0o755)
    assert store.access_warning() == ""
    store.root.chmod(0o777)
    assert f"chmod go-w {store.root}" in store.access_warning()
    status = store.root.stat()
    store.root.chmod(0o775)
    assert bool(store.access_warning()) == (status.st_gid != status.st_uid)
    store.root.chmod(0o755)
    monkeypatch.setattr(os, "getuid", lambda: store.root.stat().st_uid + 1)
    assert ("belongs to another user" in store.access_warning()) == (store.root.stat().st_uid != 0)
    assert Store(store.root / "nowhere").access_warning() == ""


def test_the_id_of_a_run_names_its_year_and_old_ids_stay_readable(store: Store) -> None:
    record = store.create(RunConfig())
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(record.created))
    assert record.id == f"baseline-s0-{stamp}"
    old = plant(store, "baseline-s0-1122-201540")
    assert store.record(old).id == old


@pytest.mark.parametrize("version", [0, -5, None])
def test_fault_25_an_older_record_is_read(store: Store, version: int | None) -> None:
    """Version 1 is the oldest there is; what lacks a version or later fields is read with their defaults."""
    run_id = plant(store, "old")
    path = store.path(run_id) / "run.json"
    kept = {name: json.loads(path.read_text())[name] for name in ("id", "created", "config")}
    path.write_text(json.dumps(kept | ({} if version is None else {"v": version})))
    old_event = json.loads(ev.encode(ev.Warned(code="c", message="m")))
    del old_event["wall"]
    lines = [json.dumps(old_event | ({} if version is None else {"v": version})) + "\n"]
    (store.path(run_id) / EVENTS_FILE).write_text("".join(lines))
    history, state = load(store, run_id)
    assert (history.warnings, state, history.is_newer) == (["m"], State.LOST, False)


def test_fault_24_a_newer_run_is_named_as_newer(store: Store) -> None:
    newer_record = plant(store, "newer-record", v=99, colour="blue")
    newer_event = plant(store, "newer-event")
    newer_step = plant(store, "newer-step")
    same = plant(store, "same", colour="blue")
    for run_id, event in ((newer_event, ev.Warned(v=99, code="c", message="m")), (newer_step, a_step(v=99))):
        (store.path(run_id) / EVENTS_FILE).write_bytes(ev.encode(event))
    newer = {run_id for run_id in store.ids() if load(store, run_id)[0].is_newer}
    assert newer == {newer_record, newer_event, newer_step}
    assert is_newer(store.path(newer_event) / EVENTS_FILE)
    assert is_newer(store.path(newer_step) / EVENTS_FILE)
    assert not is_newer(store.path(same) / EVENTS_FILE)


# --- notes and logs


def test_fault_11_notes_are_replaced_whole_under_parallel_writers(store: Store) -> None:
    run_id = plant(store, "run")
    failures: list[BaseException] = []

    def to(notes: Notes) -> Callable[[Notes], Notes]:
        return lambda _: notes

    def write(name: str) -> None:
        try:
            for index in range(20):
                store.change_notes(run_id, to(Notes(label=name * 300, tags=[name], note=str(index))))
        except StoreError as error:
            failures.append(error)

    store.change_notes(run_id, lambda _: Notes(label="z" * 300, tags=["z"]))
    threads = [threading.Thread(target=write, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        notes = store.notes(run_id)
        assert notes.tags
        assert notes.label == notes.tags[0] * 300
    assert failures == []
    assert sorted(os.listdir(store.path(run_id))) == ["notes.json", "run.json"]


def test_damaged_notes_count_as_none(store: Store, tmp_path: Path) -> None:
    run_id = plant(store, "run")
    path = store.path(run_id) / "notes.json"
    for content in (b"", b"{", b'{"tags":7}', b"[" * 100_000, b"x" * (2 << 20)):
        path.write_bytes(content)
        assert store.notes(run_id) == Notes()
    path.unlink()
    (tmp_path / "mine").write_text('{"note":"private"}')
    path.symlink_to(tmp_path / "mine")
    assert store.notes(run_id) == Notes()
    store.change_notes(run_id, lambda _: Notes(note="new"))
    assert store.notes(run_id).note == "new"
    assert (tmp_path / "mine").read_text() == '{"note":"private"}'


@pytest.mark.parametrize(
    ("content", "kept"),
    [
        (b'{"label": "tr', "notes.damaged-1.json"),
        (b'{"label":5,"future":1}', "notes.damaged-1.json"),
        (b"[1]", "notes.damaged-1.json"),
        (b" " * (2 << 20), "notes.damaged-1.json"),
        (b'{"v":2,"label":"newer"}', "notes.newer-1.json"),
    ],
)
def test_fault_11_notes_that_cannot_be_used_are_kept_aside(store: Store, content: bytes, kept: str) -> None:
    run_id = plant(store, "run")
    folder = store.path(run_id)
    (folder / "notes.json").write_bytes(content)
    assert "notes.json" in store.notes_problem(run_id)
    store.change_notes(run_id, lambda notes: replace(notes, tags=["new"]))
    assert store.notes_problem(run_id) == ""
    assert (folder / kept).read_bytes() == content
    assert store.notes(run_id).tags == ["new"]
    (folder / "notes.json").write_bytes(content)
    store.change_notes(run_id, lambda notes: replace(notes, tags=["newer"]))
    assert (folder / kept.replace("1", "2")).read_bytes() == content


def test_attack_13_notes_nested_too_deeply_to_be_written_again_are_kept_aside(store: Store) -> None:
    run_id = plant(store, "run")
    content = b'{"label":"old","later":' + b"[" * 900 + b"]" * 900 + b"}"
    (store.path(run_id) / "notes.json").write_bytes(content)
    store.change_notes(run_id, lambda notes: replace(notes, tags=["new"]))
    assert store.notes(run_id) == Notes(label="old", tags=["new"])
    assert (store.path(run_id) / "notes.damaged-1.json").read_bytes() == content


def test_fault_24_fields_of_a_newer_program_survive_a_change_of_the_notes(store: Store) -> None:
    run_id = plant(store, "run")
    path = store.path(run_id) / "notes.json"
    path.write_text('{"label":"keep","tags":["k"],"note":"kept","pinned":false,"future":{"a":1}}')
    store.change_notes(run_id, lambda notes: replace(notes, label="new"))
    assert json.loads(path.read_text()) == {
        "label": "new",
        "tags": ["k"],
        "note": "kept",
        "pinned": False,
        "future": {"a": 1},
    }


def test_fault_11_the_second_of_two_editors_sees_the_first(store: Store) -> None:
    run_id = plant(store, "run")
    seen = Notes(label="l0", note="n0", tags=["t"])
    store.change_notes(run_id, lambda _: seen)
    store.edit_notes(run_id, seen, replace(seen, note="BBBB", tags=["t", "bb"]))
    store.edit_notes(run_id, seen, replace(seen, label="AL", tags=["aa"]))  # Another field, and tags: both are kept.
    assert store.notes(run_id) == Notes(label="AL", note="BBBB", tags=["bb", "aa"])
    with pytest.raises(NotesConflictError) as caught:
        store.edit_notes(run_id, seen, replace(seen, note="AAAA"))
    assert caught.value.fields == ("note",)
    assert caught.value.current.note == store.notes(run_id).note == "BBBB"
    both = replace(caught.value.current, note="BBBB AAAA")
    assert store.edit_notes(run_id, caught.value.current, both).note == "BBBB AAAA"
    # The same text twice is no conflict, nor is a save of what was not changed.
    assert store.edit_notes(run_id, seen, replace(seen, note="BBBB AAAA")).note == "BBBB AAAA"
    assert store.edit_notes(run_id, seen, seen) == store.notes(run_id)


def test_notes_that_nobody_could_read_again_are_not_saved(store: Store) -> None:
    run_id = plant(store, "run")
    store.change_notes(run_id, lambda _: Notes(note="kept"))
    with pytest.raises(StoreError, match="too long"):
        store.change_notes(run_id, lambda _: Notes(note="x" * (1 << 20)))
    assert store.notes(run_id).note == "kept"


def test_attack_01_the_end_of_the_log_is_safe_to_print(store: Store) -> None:
    run_id = plant(store, "run")
    (store.path(run_id) / LOG_FILE).write_bytes(b"old\n" * 9000 + "é\n".encode() + b"\x1b]52;c;x\x07\xff end\n")
    tail = store.log_tail(run_id, limit_bytes=30)
    assert tail.endswith("\\x1b]52;c;x\\x07\ufffd end\n")
    assert tail.startswith("old\n") or tail.startswith("d\n")


# --- runs without a last event


def test_fault_01_a_run_that_died_before_its_first_event_is_lost(store: Store) -> None:
    run_id = plant(store, "run")
    assert load(store, run_id)[1] is State.QUEUED
    lock = take_lock(store.path(run_id))
    write_owner(lock, 2**22 + 1, 1.0)
    assert load(store, run_id)[1] is State.RUNNING
    os.close(lock)
    assert load(store, run_id)[1] is State.LOST
    found = RunCache(store).find(run_id)
    assert found is not None
    assert found[1] is State.LOST
    assert explain_lost(store.path(run_id), store.record(run_id)).startswith("crashed: ")


# --- deleting


def test_attack_10_a_run_is_deleted_with_all_it_has_and_nothing_behind_a_link(store: Store, tmp_path: Path) -> None:
    keep, gone = plant(store, "keep"), plant(store, "gone")
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").write_text("mine")
    (store.path(gone) / "checkpoints").symlink_to(tmp_path / "precious")
    store.delete(gone)
    assert store.ids() == [keep]
    assert (tmp_path / "precious" / "file").read_text() == "mine"


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: path.symlink_to("/etc/passwd")])
def test_a_run_whose_record_or_lock_is_no_file_can_be_deleted(store: Store, make: Callable[[Path], None]) -> None:
    for name in ("run.json", "lock"):
        gone = plant(store, "gone")
        (store.root / gone / name).unlink(missing_ok=True)
        make(store.root / gone / name)
        store.delete(gone)
        assert store.ids() == []
    assert Path("/etc/passwd").exists()


def test_what_a_deletion_that_died_left_goes_with_the_next(store: Store) -> None:
    rest = store.root / ".deleted-0123abcd-old"
    (rest / "checkpoints").mkdir(parents=True)
    gone = plant(store, "gone")
    assert store.ids() == [gone]
    store.delete(gone)
    assert list(store.root.iterdir()) == []


def test_a_training_run_and_a_reference_run_are_not_deleted(store: Store) -> None:
    busy = plant(store, "busy")
    lock = take_lock(store.path(busy))
    with pytest.raises(RunBusyError, match="stop it first: alexnet-tui stop busy"):
        store.delete(busy)
    os.close(lock)
    shipped = plant(store, f"{REFERENCE}/shipped")
    with pytest.raises(StoreError, match="reference run"):
        store.delete(shipped)
    assert store.ids() == [busy, shipped]
    store.delete(busy)
    assert store.ids() == [shipped]


def test_fault_11_two_viewers_change_different_notes_and_none_is_lost(store: Store) -> None:
    record = store.create(RunConfig())

    def tag(name: str) -> None:
        for index in range(20):
            store.change_notes(record.id, lambda old, word=f"{name}{index}": replace(old, tags=[*old.tags, word]))  # type: ignore[misc]

    viewers = [threading.Thread(target=tag, args=(name,)) for name in "ab"]
    for viewer in viewers:
        viewer.start()
    store.change_notes(record.id, lambda old: replace(old, label="pin"))
    for viewer in viewers:
        viewer.join()
    notes = store.change_notes(record.id, lambda old: replace(old, note="seen"))
    assert sorted(notes.tags) == sorted(f"{name}{index}" for name in "ab" for index in range(20))
    assert store.notes(record.id) == notes
    assert (notes.label, notes.note) == ("pin", "seen")


def test_checkpoints_are_those_on_the_disk(store: Store, tmp_path: Path) -> None:
    record = store.create(RunConfig())
    assert store.checkpoints(record.id) == ()
    folder = store.path(record.id) / "checkpoints"
    for name in ("e10000", "e0002", ".e0003.ab.tmp", ".damaged-e0001.cd"):
        (folder / name).mkdir(parents=True)
    (folder / "e0009").write_text("no folder")
    (folder / "backup-2024-07").mkdir()
    assert store.checkpoints(record.id) == ("e0002", "e10000")
