"""A run that trains another one further: what it begins with, and what cannot be extended."""

import pytest
from cli_caller import Run
from fake_runs import started, write_checkpointed
from msgspec.structs import replace

from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.errors import RunNotFoundError, StoreError, UsageError
from alexnet_tui.folder import Folder
from alexnet_tui.runs import extend
from alexnet_tui.runs.extend import create_extension
from alexnet_tui.runs.follow import load
from alexnet_tui.runs.state import State
from alexnet_tui.runs.store import Store
from alexnet_tui.tui.screens.run.facts import age, progress_facts, status_message

CONFIG = RunConfig(data="synthetic", epochs=2)


def test_what_cannot_be_extended_is_a_sentence(store: Store, run: Run) -> None:
    run_id = store.create(CONFIG).id
    for words in (
        (run_id,),  # How far is not said.
        (run_id, "--epochs", "2"),  # It has as many.
        (run_id, "--epochs", "200"),  # There is no checkpoint.
        (run_id, "--epochs", "200", "--learning-rate", "0.1"),
        (run_id, "--epochs", "none"),
    ):
        result = run("run", "--extend", *words)
        assert (result.code, result.err.count("\n")) == (2, 1), words
    assert run("run", "tanh", "--extend", run_id, "--epochs", "200").code == 2
    assert run("run", "--extend", "nothing", "--epochs", "200").code == 3
    with pytest.raises(RunNotFoundError):
        create_extension(store, "nothing", 200)
    assert store.ids() == [run_id]


def test_an_extension_begins_as_its_parent_was_at_the_checkpoint(store: Store) -> None:
    parent = write_checkpointed(store, CONFIG)
    made = create_extension(store, parent, 5)
    assert made.config == replace(CONFIG, epochs=5)
    history, state = load(store, made.id)
    assert (state, history.checkpoints, history.final) == (State.QUEUED, ["e0002"], None)
    log, copy = ((store.path(run_id) / "events.jsonl").read_bytes() for run_id in (parent, made.id))
    assert log.startswith(copy)
    assert copy.endswith(b"}\n")
    assert len(history.epochs) == 2
    assert (store.path(made.id) / "checkpoints/e0002/state.pt").read_bytes() == b"weights"
    assert sorted(path.name for path in store.path(made.id).iterdir()) == ["checkpoints", "events.jsonl", "run.json"]


def test_an_extension_begins_at_the_newest_checkpoint_that_is_not_damaged(store: Store, run: Run) -> None:
    parent = write_checkpointed(store, replace(CONFIG, epochs=4), checkpoints=(2, 3))
    folder = store.path(parent) / "checkpoints"
    (folder / "e0004/state.pt").write_bytes(b"weighty")
    (folder / "e0003/manifest.json").unlink()
    made = create_extension(store, parent, 9)
    history, _ = load(store, made.id)
    assert made.extends is not None
    assert (made.extends.checkpoint, history.checkpoints, store.checkpoints(made.id)) == (
        "e0002",
        ["e0002"],
        ("e0002",),
    )
    assert (store.path(made.id) / "checkpoints/e0002/state.pt").read_bytes() == b"weights"

    (folder / "e0002/state.pt").unlink()
    result = run("run", "--extend", parent, "--epochs", "9")
    assert (result.code, "no undamaged checkpoint here to go on from" in result.err) == (2, True)
    assert "--extend" not in run("resume", parent).err, "what cannot be done is not advised"


def test_an_extension_that_has_not_begun_is_as_far_as_its_parent_of_its_own_length(store: Store) -> None:
    made = create_extension(store, write_checkpointed(store, CONFIG), 5)
    history, _ = load(store, made.id)
    assert (history.has_begun, history.num_epochs_done, history.num_epochs) == (False, 2, 5)
    assert (history.step, history.total_steps, history.progress) == (20, 50, 0.4)
    assert history.remaining_seconds == pytest.approx(3 * 2.5)
    assert [fact.value for fact in progress_facts(history, State.RUNNING)][:2] == ["2/5", "7.5s"]
    assert age(history, State.RUNNING).value == "", "the last point is the parent's"
    assert status_message(history, State.RUNNING)[0].startswith("Loading")
    history.fold([started(made.config, seq=history.next_seq, attempt=2)])
    assert not history.is_untouched
    assert (history.has_begun, history.num_epochs, history.total_steps) == (True, 5, 50)
    assert status_message(history, State.RUNNING) == ("", "")


def test_nothing_is_left_of_an_extension_that_could_not_be_made(store: Store) -> None:
    parent = write_checkpointed(store, CONFIG)
    weights = store.path(parent) / "checkpoints/e0002/state.pt"
    weights.unlink()
    weights.symlink_to("/etc/passwd")
    with pytest.raises(UsageError):
        create_extension(store, parent, 5)
    (store.path(parent) / "kernels").write_bytes(b"no folder")
    weights.unlink()
    weights.write_bytes(b"weights")
    with pytest.raises(StoreError):
        create_extension(store, parent, 5)
    assert store.ids() == [parent]


def test_fault_02_an_extension_that_is_killed_while_it_is_copied_is_no_run(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    parent = write_checkpointed(store, CONFIG)
    (store.path(parent) / "kernels").mkdir()
    (store.path(parent) / "kernels" / "e0002.npz").write_bytes(b"kernels")
    seen = []
    copy = extend._copy

    def look(source: Folder, target: Folder, name: str, size: int | None = None) -> None:
        copy(source, target, name, size)
        seen.append((name, store.ids()))

    monkeypatch.setattr(extend, "_copy", look)
    made = create_extension(store, parent, 5).id
    assert {name for name, _ in seen} == {"events.jsonl", "e0002.npz", "state.pt", "manifest.json"}
    assert all(ids == [parent] for _, ids in seen), "a run is listed once all of it is there"
    assert sorted(store.ids()) == sorted([parent, made])


def test_a_run_of_another_machine_is_extended_only_where_it_is_trusted(run: Run, store: Store) -> None:
    parent = write_checkpointed(store, CONFIG)
    (store.path(parent) / "imported.json").write_text('{"source": "theirs.tar.gz"}')
    result = run("run", "--extend", parent, "--epochs", "5")
    assert (result.code, store.ids()) == (2, [parent])
    assert "theirs.tar.gz" in result.err
