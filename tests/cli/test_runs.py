"""The commands on runs that exist: runs, show, resume, stop, attach, delete."""

import json
import os
import pty
import re
import select
import shlex
import shutil
import sys
import time
from pathlib import Path

import fake_runs
import msgspec
import pytest
from cli_caller import Play, Run, on_a_terminal
from waiting import wait_for

from alexnet_tui.analysis.time_to_accuracy import time_to_accuracy
from alexnet_tui.config.first_run import FIRST_RUN_WORDS
from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.launch import local, registry
from alexnet_tui.launch.engine import Launch
from alexnet_tui.locks import take_lock
from alexnet_tui.runs import events as ev
from alexnet_tui.runs.follow import load
from alexnet_tui.runs.notes import Notes
from alexnet_tui.runs.origin import IMPORTED_FILE
from alexnet_tui.runs.state import State
from alexnet_tui.runs.store import Listing, Store
from alexnet_tui.text import MISSING
from alexnet_tui.tui.settings import change_settings

ROOT = Path(__file__).parents[2]


def test_runs_lists_every_run_with_its_figures(run: Run, store: Store) -> None:
    done = fake_runs.write_run(store, RunConfig(epochs=10, seed=3), label="mine", final=0.6, gap=0.3)
    queued = store.create(RunConfig(variant="tanh", activation="tanh", epochs=4))
    rows = {row["id"]: row for row in json.loads(run("runs", "--json").out)}
    assert set(rows) == {done.id, queued.id}
    row = rows[done.id]
    loaded = load(store, done.id)[0]
    assert (row["label"], row["variant"], row["seed"], row["state"]) == ("mine", "baseline", 3, "finished")
    assert row["best_test_accuracy"] == loaded.best_test_accuracy
    assert row["t25_epochs"] == time_to_accuracy(loaded).epochs
    assert (row["progress"], row["epoch"], row["elapsed_seconds"]) == (1.0, 10, 25.0)
    assert rows[queued.id]["state"] == "queued"
    assert rows[queued.id]["best_test_accuracy"] is None
    table = run("runs").out
    assert table.startswith("run ")
    assert all(line == line.rstrip() for line in table.splitlines())
    assert "──" not in table
    line = next(line for line in table.splitlines() if done.id in line)
    assert re.search(r"mine +baseline +literal32 +cifar10 +3 epochs 10 finished +100% +59\.\d\d% ", line)
    assert line.rstrip().endswith("█")


def test_scripts_filter_runs_by_their_settings_and_tags(run: Run, store: Store) -> None:
    config = RunConfig(epochs=1, learning_rate=0.03, lrn=True)
    tagged, other = (fake_runs.write_run(store, one).id for one in (config, RunConfig(epochs=1)))
    store.change_notes(tagged, lambda notes: msgspec.structs.replace(notes, tags=["best", "one"]))
    rows = {row["id"]: row for row in json.loads(run("runs", "--json").out)}
    assert (rows[tagged]["config"], rows[tagged]["tags"]) == (msgspec.to_builtins(config), ["best", "one"])
    assert (rows[other]["config"]["learning_rate"], rows[other]["tags"]) == (0.01, [])
    shown = json.loads(run("show", tagged, "--json").out)
    assert {name: shown[name] for name in rows[tagged]} == rows[tagged]


def test_a_run_whose_events_are_a_pipe_is_told_and_not_taken_for_one_without_events(run: Run, store: Store) -> None:
    record = fake_runs.write_run(store, RunConfig(epochs=1))
    events = store.path(record.id) / "events.jsonl"
    events.unlink()
    os.mkfifo(events)
    assert record.id not in run("runs").out
    shown = run("show", record.id)
    assert (shown.code, shown.out) == (3, "")
    assert "not a regular file" in shown.err


def test_a_finished_run_needs_no_lock(run: Run, store: Store) -> None:
    finished, stopped = (
        fake_runs.write_run(store, RunConfig(epochs=2), epochs_done=epochs, finish=epochs == 2).id for epochs in (2, 1)
    )
    for run_id in (finished, stopped):
        (store.path(run_id) / "lock").unlink(missing_ok=True)
        (store.path(run_id) / "lock").mkdir()
    listed = run("runs")
    assert (finished in listed.out, stopped in listed.out) == (True, False)
    assert f"{store.path(stopped) / 'lock'}: this is not a regular file" in listed.err
    assert run("show", finished).code == 0
    assert run("show", stopped).code == 3


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "it is no JSON, or not all of it."),
        ('{"id":' + "[" * 30_000, "id is of the wrong kind or out of range."),
        ("[]", "it is JSON of another kind."),
        ("{}", "id is missing."),
        ('{"id":"a","created":1e20,"config":{}}', "created is of the wrong kind or out of range."),
        ('{"id":"a","created":1,"config":{"epochs":"x"}}', "config.epochs is of the wrong kind or out of range."),
        ('{"id":"a","created":1,"config":{},"foreign":{}}', "foreign.format is missing."),
        ('{"id":"a","created":1,"config":{"epochs":0}}', "epochs: must be 1 or more, not 0."),
    ],
)
def test_why_a_record_cannot_be_read_is_told_in_plain_words(run: Run, store: Store, content: str, words: str) -> None:
    record = store.create(RunConfig(epochs=2))
    (store.path(record.id) / "run.json").write_text(content)
    assert run("show", record.id).err.strip().endswith(f"the run's record cannot be read: {words}")


def test_a_damaged_run_is_named_and_the_others_are_listed(run: Run, store: Store) -> None:
    good = fake_runs.write_run(store, RunConfig(epochs=1))
    bad = store.create(RunConfig(epochs=2))
    (store.path(bad.id) / "run.json").write_text("{")
    result = run("runs", "--json")
    assert [row["id"] for row in json.loads(result.out)] == [good.id]
    assert f"not listed: {store.root / bad.id}" in result.err
    assert result.code == 0


def test_the_table_is_cut_to_the_newest_and_says_so(run: Run, store: Store) -> None:
    for seed in range(52):
        store.create(RunConfig(seed=seed))
    result = run("runs")
    assert result.out.count("queued") == 50
    assert result.err == "2 more runs; --all shows them.\n"
    assert run("runs", "--all").out.count("queued") == 52


def test_runs_that_wait_are_listed_after_those_begun_and_have_no_age(run: Run, store: Store) -> None:
    begun = [fake_runs.write_run(store, RunConfig(epochs=1)).id for _ in range(2)]
    fake_runs.make_older(store, begun[1], created=1_700_000_000)
    waiting = [store.create(RunConfig(seed=seed)).id for seed in range(49)]
    assert [row["id"] for row in json.loads(run("runs", "--json").out)][:2] == begun
    lines = run("runs").out.splitlines()
    assert [line.split()[0] for line in lines[1:3]] == begun
    assert [line.split()[0] for line in lines[3:51]] == waiting[:48]
    assert lines[1].split()[-2] != lines[3].split()[-1] == MISSING


def test_a_run_that_is_deleted_while_the_list_is_made_does_not_end_it(
    run: Run, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, gone = (fake_runs.write_run(store, RunConfig(epochs=1, seed=seed)).id for seed in range(2))
    listed = Store.list

    def list_and_delete(self: Store) -> Listing:
        listing = listed(self)
        shutil.rmtree(store.root / gone)
        return listing

    monkeypatch.setattr(Store, "list", list_and_delete)
    result = run("runs", "--json")
    assert (result.code, [row["id"] for row in json.loads(result.out)]) == (0, [kept])


def test_an_empty_folder_says_how_to_begin(run: Run, store: Store) -> None:
    result = run("runs", "--json")
    assert (result.code, json.loads(result.out)) == (0, [])
    assert f"there is no folder {store.root}, so no runs" in result.err
    assert " ".join(FIRST_RUN_WORDS) in result.err
    store.root.mkdir()
    assert f"no runs in {store.root};" in run("runs").err


def test_show_tells_all_of_one_run(run: Run, store: Store) -> None:
    record = fake_runs.write_run(
        store, RunConfig(epochs=10, dropout=0.25), label="mine", end=ev.Failed(reason="oom", message="too big")
    )
    shown = json.loads(run("show", "last", "--json").out)
    assert (shown["tags"], shown["note"], shown["pinned"]) == ([], "", False)
    assert "tags" not in run("show", "last").out
    store.change_notes(record.id, lambda _: Notes(tags=["paper", "odd curve"], note="see section 3"))
    change_settings(lambda settings: setattr(settings.folder(store.root), "pinned", record.id))
    text = run("show", record.id[:-1]).out
    assert re.search(r"tags +paper, odd curve\n", text)
    assert re.search(r"state +failed \(oom\): too big", text)
    assert "dropout 0.25 (default 0.5)" in text
    assert "21,622,154 parameters" in text
    shown = json.loads(run("show", "last", "--json").out)
    assert (shown["tags"], shown["note"], shown["pinned"]) == (["paper", "odd curve"], "see section 3", True)
    assert shown["final"] == {"kind": "failed", "reason": "oom", "message": "too big"}
    assert len(shown["epochs_table"]) == 10
    assert shown["config"]["dropout"] == 0.25


def test_numbers_that_are_none_are_null_in_json(run: Run, store: Store) -> None:
    def poison(epoch: ev.Epoch) -> None:
        epoch.train_loss, epoch.test_loss, epoch.test_accuracy = "nan", "inf", "nan"

    record = fake_runs.write_run(store, RunConfig(epochs=1), change_epoch=poison)
    shown = json.loads(run("show", record.id, "--json").out, parse_constant=lambda word: pytest.fail(word))
    assert shown["epochs_table"][0]["test_loss"] is None
    assert shown["last_test_accuracy"] is None


def test_attack_01_nothing_a_run_says_acts_on_the_terminal(run: Run, store: Store) -> None:
    evil = "\x1b]52;c;YQ==\x07\x9b2J\u202e[red]x[/]"
    record = fake_runs.write_run(
        store,
        RunConfig(epochs=1),
        label=evil,
        end=ev.Failed(reason=evil, message=evil),
        change_started={"device": evil, "versions": {evil: evil}},
    )
    store.change_notes(record.id, lambda _: Notes(note=evil))
    (store.path(record.id) / "trainer.log").write_text(evil)
    for arguments in (["show", record.id], ["runs"], ["show", record.id, "--json"], ["runs", "--json"]):
        result = run(*arguments)
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", result.out + result.err)
    assert r"\x1b]52;c;YQ==\x07\x9b2J\u202e[red]x[/]" in run("show", record.id).out


def test_resume_goes_on_and_prints_only_what_is_new(run: Run, play: Play, store: Store) -> None:
    stopped = ev.Stopped(epoch=1, step=10, reason="SIGTERM")
    record = fake_runs.write_run(store, RunConfig(epochs=2, data="synthetic"), epochs_done=1, end=stopped)
    before = (store.path(record.id) / "events.jsonl").read_text()
    play("normal")
    result = run("resume", record.id)
    assert result.code == 0
    assert before + result.out == (store.path(record.id) / "events.jsonl").read_text()
    assert load(store, record.id)[0].attempts == 2
    again = run("resume", record.id)
    assert (again.code, "has finished" in again.err) == (2, True)


def test_a_finished_run_is_not_resumed_and_what_trains_it_further_is_named(run: Run, store: Store) -> None:
    config = RunConfig(epochs=2, data="synthetic")
    run_id = fake_runs.write_checkpointed(store, config)
    done = run("resume", run_id)
    assert done.code == 2
    assert f"run --extend {run_id} --epochs 4" in done.err
    assert run("run", "--extend", run_id, "--epochs", "4", "--dry-run").code == 0

    shutil.rmtree(store.path(run_id) / "checkpoints")
    longest = fake_runs.write_checkpointed(store, RunConfig(epochs=60_000, data="synthetic", seed=1), epochs_done=1)
    for other in (run_id, longest):
        done = run("resume", other)
        assert (done.code, "--extend" in done.err, "Start a new run instead." in done.err) == (2, False, True)


def test_what_is_refused_for_want_of_trust_names_itself_with_trust(run: Run, play: Play, store: Store) -> None:
    config = RunConfig(epochs=2, data="synthetic")
    stopped = ev.Stopped(epoch=1, step=10, reason="SIGTERM")
    begun = fake_runs.write_run(store, config, epochs_done=1, end=stopped).id
    finished = fake_runs.write_checkpointed(store, config)
    for run_id in (finished, begun):
        (store.path(run_id) / IMPORTED_FILE).write_bytes(b"{}")
    for words in (
        ("run", "--extend", finished, "--epochs", "4"),
        ("run", "--extend", finished, "--epochs", "4", "--label", "a b", "--launcher", "torchrun", "--nproc", "2"),
        ("resume", begun),
        ("resume", begun, "--from-scratch", "--launcher", "torchrun", "--nproc", "2"),
    ):
        refused = run(*words)
        (advised,) = re.findall(r"if you trust that: alexnet-tui (.*)", refused.err)
        assert (refused.code, shlex.split(advised)) == (2, [*words, "--trust"])
    play("normal")
    assert run("run", "--extend", finished, "--epochs", "4", "--trust").code == 0


def test_a_run_at_work_is_neither_resumed_nor_deleted(run: Run, store: Store) -> None:
    record = fake_runs.write_run(store, RunConfig(epochs=2), epochs_done=1)
    lock = take_lock(store.path(record.id))
    try:
        assert run("resume", record.id).code == 75
        assert run("delete", record.id, "--yes").code == 75
    finally:
        os.close(lock)
    assert store.path(record.id).exists()


def test_stop_waits_for_the_checkpoint(run: Run, play: Play, store: Store) -> None:
    play("endless")
    run_id = store.create(RunConfig(epochs=100)).id
    local.start(store, run_id)
    wait_for(lambda: len(load(store, run_id)[0].steps))
    result = run("stop", run_id)
    assert result.code == 0
    assert load(store, run_id)[1] is State.STOPPED
    assert f"`alexnet-tui resume {run_id}` goes on" in result.err
    idle = run("stop", run_id)
    assert (idle.code, "is not being trained" in idle.err) == (2, True)


def test_a_stopped_run_has_the_same_progress_everywhere(run: Run, store: Store) -> None:
    config = RunConfig(epochs=4)
    stopped = fake_runs.write_run(store, config, epochs_done=1, end=ev.Stopped(epoch=1, step=17, reason="SIGTERM"))
    lost = store.create(RunConfig(epochs=4, seed=1))
    with fake_runs.open_writer(store.path(lost.id)) as writer:
        writer.write(fake_runs.started(config))
        writer.write(fake_runs.a_step(2, 17))
    for run_id in (stopped.id, lost.id):
        line = next(line for line in run("runs").out.splitlines() if run_id in line)
        assert " 42% " in line
        assert "(42%)" in run("show", run_id).out
        assert load(store, run_id)[0].progress == 17 / 40


def test_runs_of_one_variant_and_seed_are_told_apart_by_their_settings(run: Run, store: Store) -> None:
    plain = fake_runs.write_run(store, RunConfig(epochs=100))
    assert "settings" not in run("runs").out, "all are defaults"
    config = RunConfig(epochs=6, learning_rate=0.05, data="synthetic", threads=1, log_steps=5)
    record = fake_runs.write_run(store, config)
    head, *lines = run("runs").out.splitlines()
    line = next(line for line in lines if line.startswith(record.id))
    assert "epochs 6, learning rate 0.05" in line
    assert line.index("epochs 6") == head.index("settings")
    slow = fake_runs.write_run(store, RunConfig(epochs=6, learning_rate=0.02, data="synthetic"))
    assert run("delete", plain.id, "--yes").code == 0
    lines = [line for line in run("runs").out.splitlines() if line.startswith("baseline")]
    assert ["epochs 6" in line for line in lines] == [False, False], "what all have is not said of each"
    shown = {line.split()[0]: "learning rate 0.02" in line for line in lines}
    assert shown == {slow.id: True, record.id: False}


def test_a_run_whose_trainer_died_has_crashed_wherever_people_read_it(run: Run, store: Store) -> None:
    config = RunConfig(epochs=4)
    record = store.create(config)
    with fake_runs.open_writer(store.path(record.id)) as writer:
        writer.write(fake_runs.started(config))
    other = fake_runs.write_run(store, RunConfig(epochs=4, seed=1))
    shown = {
        "runs": run("runs").out,
        "show": run("show", record.id).out,
        "compare": run("compare", other.id, record.id).out,
        "delete": run("delete", record.id).err,
    }
    assert {command for command, text in shown.items() if "crashed" not in text or "lost" in text} == set()
    listed = {row["id"]: row["state"] for row in json.loads(run("runs", "--json").out)}
    assert listed == {record.id: "lost", other.id: "finished"}, "programs read the name of the state"


def test_stop_of_a_finished_run_says_only_that_it_is_not_trained(run: Run, store: Store) -> None:
    record = fake_runs.write_run(store, RunConfig(epochs=1))
    result = run("stop", record.id)
    assert (result.code, result.err) == (
        2,
        f"alexnet-tui: run {record.id} is not being trained; there is nothing to stop.\n",
    )


def test_show_says_what_its_numbers_are(run: Run, store: Store) -> None:
    record = fake_runs.write_run(store, RunConfig(epochs=1))
    text = run("show", record.id).out
    assert "(running mean, as trained)" in text


def test_show_fits_eighty_columns_without_breaking_a_fact_in_two(store: Store) -> None:
    versions = {
        "python": "3.11.7",
        "torch": "2.15.0+cu132",
        "torchvision": "0.29.2",
        "numpy": "2.4.6",
        "pillow": "13.0.0",
        "cuda": "13.2",
        "alexnet_tui": "0.1.0",
    }
    change: dict[str, object] = {"device": "cuda:0", "device_class": "NVIDIA H100 80GB HBM3", "versions": versions}
    record = fake_runs.write_run(store, RunConfig(epochs=100, threads=1), change_started=change)
    lines = on_a_terminal("show", record.id, "--runs-dir", str(store.root))
    facts = lines[: lines.index("")]
    assert max(map(len, facts[:-2])) <= 80  # The last is the folder, which may be as long as it likes.
    text = "\n".join(line[14:].strip() for line in facts)
    for whole in ("cuda:0 (NVIDIA H100 80GB HBM3), fp32, 2 threads", *(" ".join(pair) for pair in versions.items())):
        assert whole in text
    assert re.search(
        r"^best [\d.]+% \(epoch \d+, selected on test\), last [\d.]+%,\s+mean of last five [\d.]+%$", text, re.MULTILINE
    )
    assert "  threads 1 (default auto)" in lines


def test_a_mark_that_was_not_reached_is_said_in_words(run: Run, store: Store) -> None:
    record = fake_runs.write_run(store, RunConfig(epochs=2), gap=-0.1, final=0.3)
    text = run("show", record.id).out
    assert re.search(r"T25 +not reached; by running accuracy not reached\n", text)
    assert re.search(r"gap +-9\.\d\d points", text)  # A hyphen: what every terminal has.
    assert "\u2212" not in text + run("runs").out


def test_attach_prints_a_finished_run_and_leaves_with_its_code(run: Run, store: Store) -> None:
    record = fake_runs.write_run(store, RunConfig(epochs=1), end=ev.Failed(reason="diverged", message="nan"))
    result = run("attach", "last")
    assert result.code == 1
    assert result.out == (store.path(record.id) / "events.jsonl").read_text()


def test_attach_to_a_run_that_has_not_begun_says_how_to_start_it(run: Run, store: Store) -> None:
    run_id = store.create(RunConfig()).id
    result = run("attach", run_id)
    assert (result.code, result.out) == (2, "")
    assert f"start it: alexnet-tui resume {run_id}" in result.err


def test_delete_without_a_terminal_needs_yes_and_names_what_is_lost(run: Run, store: Store) -> None:
    end = ev.Checkpoint(epoch=3, step=30, name="e0003", size_bytes=1, seconds=1)
    record = fake_runs.write_run(store, RunConfig(epochs=9), epochs_done=3, label="mine", end=end)
    folder = store.path(record.id) / "checkpoints" / "e0003"
    folder.mkdir(parents=True)
    (folder / "weights").write_bytes(bytes(3 << 20))
    refused = run("delete", record.id)
    assert refused.code == 2
    assert re.search(r'"mine" \(crashed\): 3 epochs, 1 checkpoint, 3\.0 MiB on disk', refused.err)
    assert store.path(record.id) == store.root / record.id
    assert run("delete", record.id, "--yes").code == 0
    assert not (store.root / record.id).exists()


def test_several_runs_are_deleted_at_once_or_none(run: Run, store: Store) -> None:
    first, other, second = (
        fake_runs.write_run(store, RunConfig(epochs=2, seed=seed), epochs_done=1).id for seed in range(3)
    )
    refused = run("delete", first, second, "last")
    assert (refused.code, len(re.findall("1 epoch, 0 checkpoints", refused.err))) == (2, 2)
    assert run("delete", first, "nothing", "--yes").code == 3
    lock = take_lock(store.path(second))
    try:
        assert run("delete", first, second, "--yes").code == 75
    finally:
        os.close(lock)
    assert len(store.ids()) == 3
    done = run("delete", first, second, "--yes")
    assert (done.code, done.err.count("deleted run "), store.ids()) == (0, 2, [other])


def test_the_size_of_a_run_is_that_of_the_files_that_are_still_there(
    run: Run, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = fake_runs.write_run(store, RunConfig(epochs=1))
    directory = store.path(record.id)
    size = sum(path.lstat().st_size for path in directory.iterdir())
    assert store.size_on_disk(record.id) == size
    monkeypatch.setattr(os, "walk", lambda top: [(str(top), [], [*os.listdir(top), "removed-by-the-trainer"])])
    assert store.size_on_disk(record.id) == size
    assert run("delete", record.id, "--yes").code == 0


def test_attack_10_delete_never_follows_a_link(run: Run, store: Store, tmp_path: Path) -> None:
    record = fake_runs.write_run(store, RunConfig(epochs=1))
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").write_text("precious")
    (store.path(record.id) / "checkpoints").symlink_to(precious)
    (store.root / "linked").symlink_to(store.root / record.id)
    assert run("delete", "linked", "--yes").code == 3
    assert run("delete", record.id, "--yes").code == 0
    assert (precious / "file").read_text() == "precious"


def on_terminal(store: Store, arguments: list[str], keys: list[tuple[bytes, bytes]]) -> tuple[int, bytes]:
    """Run the program on a pseudo-terminal; press each key once its prompt has appeared."""
    pid, master = pty.fork()
    if pid == 0:
        os.environ.update(PYTHONPATH=str(ROOT), ALEXNET_TUI_RUNS=str(store.root), TERM="xterm")
        os.execv(sys.executable, [sys.executable, "-m", "alexnet_tui", *arguments])
    content, deadline, waiting = b"", time.monotonic() + 90, list(keys)
    while time.monotonic() < deadline:
        if select.select([master], [], [], 0.1)[0]:
            try:
                content += os.read(master, 65536)
            except OSError:
                break
        if waiting and waiting[0][0] in content:
            os.write(master, waiting.pop(0)[1])
    _, status = os.waitpid(pid, 0)
    os.close(master)
    return os.waitstatus_to_exitcode(status), content


def test_delete_asks_on_a_terminal(store: Store) -> None:
    record = fake_runs.write_run(store, RunConfig(epochs=2))
    code, screen = on_terminal(store, ["delete", "last"], [(b"[y/N]", b"n\n")])
    assert code == 0
    assert b"2 epochs, 0 checkpoints" in screen
    assert store.path(record.id).exists()
    code, screen = on_terminal(store, ["delete", "last"], [(b"[y/N]", b"y\n")])
    assert code == 0
    assert not (store.root / record.id).exists()


def test_show_names_the_checkpoints_that_are_left(run: Run, store: Store) -> None:
    saved = ev.Checkpoint(epoch=1, step=10, name="e0001", size_bytes=1, seconds=0.1)
    record = fake_runs.write_run(store, RunConfig(epochs=2), end=saved)
    (store.path(record.id) / "checkpoints" / "e0002").mkdir(parents=True)
    assert json.loads(run("show", record.id, "--json").out)["checkpoints"] == ["e0002"]
    shown = run("show", record.id).out
    assert "e0002" in shown
    assert "e0001" not in shown


def test_show_tells_what_is_missing_from_the_record(run: Run, store: Store) -> None:
    record = fake_runs.write_run(store, RunConfig(epochs=9))
    log = store.path(record.id) / "events.jsonl"
    lines = log.read_bytes().splitlines(keepends=True)
    gone = {b'"epoch":4,', b'"epoch":5,'}
    kept = [line for line in lines if not (b'"kind":"epoch"' in line and any(word in line for word in gone))]
    assert len(kept) < len(lines)
    log.write_bytes(b"".join([*kept[:5], b"garbage\n", b"\0" * 50 + b"\n", *kept[5:]]))
    text = " ".join(run("show", record.id).out.split())
    assert "2 lines of the log cannot be read" in text
    assert "2 epochs missing" in text
    shown = json.loads(run("show", record.id, "--json").out)
    assert (shown["bad_lines"], shown["missing_events"] > 0) == (2, True)


@pytest.mark.slow
def test_advice_after_a_failure_does_not_fail_again(run: Run, store: Store) -> None:
    config = RunConfig(variant="tanh", activation="tanh", epochs=4, learning_rate=0.02, batch_size=100, seed=3)
    expected = {
        "diverged": "run tanh --front-end literal32 --batch-size 100 --epochs 4 --seed 3 --learning-rate 0.002",
        "oom": "run tanh --front-end literal32 --batch-size 50 --epochs 4 --seed 3 --learning-rate 0.02",
        "data": "resume {id} --from-scratch",
        "checkpoint": "resume {id} --from-scratch",
        "error": "resume {id}",
        "data_size": "resume {id}",
    }
    for reason, words in expected.items():
        record = fake_runs.write_run(store, config, epochs_done=1, end=ev.Failed(reason=reason, message="x"))
        line = run("show", record.id).out.rstrip().splitlines()[-1].strip()
        assert sorted(line.split()) == sorted(f"alexnet-tui {words.format(id=record.id)}".split()), reason
    record = fake_runs.write_run(store, config, epochs_done=1, end=ev.Failed(reason="data_count", message="x"))
    assert "resume" not in run("show", record.id).out
    record = fake_runs.write_run(store, config, epochs_done=1, end=ev.Failed(reason="data", message="x"))
    for launch, more in (
        (Launch(launcher="torchrun", options={"nproc": ["2"]}), " --launcher torchrun --nproc 2"),
        (Launch(launcher="slurm"), ""),
    ):
        registry.note(store, record.id, launch)
        assert f"resume {record.id} --from-scratch{more}\n" in run("show", record.id).out


@pytest.mark.slow
def test_a_resume_that_its_data_cannot_serve_is_refused_before_it_writes(run: Run, store: Store) -> None:
    config = RunConfig(data="synthetic", epochs=4, train_images=10_001)
    failed = ev.Failed(reason="data_count", message="x")
    record = fake_runs.write_run(store, config, epochs_done=0, end=failed)
    before = (store.path(record.id) / "events.jsonl").read_bytes()
    for words in (("resume", record.id), ("resume", record.id, "--from-scratch")):
        result = run(*words)
        assert (result.code, result.out) == (3, "")
        assert "has 10,000 training images" in result.err
    assert (store.path(record.id) / "events.jsonl").read_bytes() == before


def test_an_ambiguous_name_gets_the_command_that_was_typed(run: Run, store: Store) -> None:
    old, new = (fake_runs.write_run(store, RunConfig(epochs=1, seed=seed)).id for seed in (1, 2))
    for words in (
        ("stop", "base", "--now"),
        ("compare", "last", "base"),
        ("delete", "base", "--yes"),
        ("show", "base"),
    ):
        result = run(*words)
        assert (result.code, result.out) == (3, "")
        assert f"{old}, {new}" in result.err
        assert f"`alexnet-tui {' '.join(words).replace('base', store.resolve('last'))}`" in result.err
    assert f"`alexnet-tui run --extend {new} --epochs 9`" in run("run", "--extend", "base", "--epochs", "9").err
    assert "The newest" not in run("run", "--extend=base", "--epochs", "9").err
    assert len(store.ids()) == 2


def test_one_line_about_any_number_of_unreadable_runs(run: Run, store: Store) -> None:
    good = fake_runs.write_run(store, RunConfig(epochs=2))
    for seed in range(30):
        (store.path(store.create(RunConfig(seed=seed)).id) / "run.json").write_text("{")
    for words in (("export", good.id), ("report", good.id)):
        result = run(*words)
        assert result.code == 0
        assert result.err.count("not read") == 1
        assert "30 runs" in result.err


def test_a_run_that_cannot_be_read_can_be_deleted(run: Run, store: Store) -> None:
    run_id = store.create(RunConfig()).id
    (store.path(run_id) / "run.json").write_text("{")
    refused = run("delete", run_id)
    assert (refused.code, "which cannot be read" in refused.err) == (2, True)
    assert run("delete", run_id, "--yes").code == 0
    assert not (store.root / run_id).exists()


def test_the_rate_of_a_finished_run_is_its_mean(run: Run, store: Store) -> None:
    record = fake_runs.write_run(store, RunConfig(epochs=4))
    loaded = load(store, record.id)[0]
    assert loaded.started is not None
    assert loaded.train_seconds
    mean = 4 * loaded.started.num_train_images / loaded.train_seconds
    assert json.loads(run("show", record.id, "--json").out)["images_per_second"] == pytest.approx(mean)
    assert f"; {mean:,.0f} images/s" in run("show", record.id).out


def test_output_that_names_a_folder_is_a_sentence(run: Run, store: Store) -> None:
    fake_runs.write_run(store, RunConfig(epochs=2))
    for output in (".", "/", str(store.root)):
        for command in (("export",), ("report", "--format", "json")):
            result = run(*command, "-o", output)
            assert (result.code, "this is a folder; name a file" in result.err) == (3, True)
