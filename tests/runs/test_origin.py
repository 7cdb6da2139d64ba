"""Copies, imports, and runs that were made on another machine."""

import json
import os
import platform
import time
from typing import Any

import psutil

from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.locks import LOCK_FILE, take_lock
from alexnet_tui.runs.follow import load
from alexnet_tui.runs.lost import explain_lost
from alexnet_tui.runs.origin import origin_text
from alexnet_tui.runs.run_files import RECORD_FILE
from alexnet_tui.runs.state import State
from alexnet_tui.runs.stop_request import request_stop
from alexnet_tui.runs.store import Store
from alexnet_tui.tui.watch.watcher import RunsWatcher


def plant(store: Store, owner: dict[str, Any] | None = None, **changes: object) -> str:
    """A run whose record says otherwise, and whose lock somebody left."""
    run_id = store.create(RunConfig(epochs=3)).id
    record = store.path(run_id) / RECORD_FILE
    record.write_text(json.dumps({**json.loads(record.read_bytes()), **changes}))
    if owner is not None:
        (store.path(run_id) / LOCK_FILE).write_text(json.dumps({"pid": 2**22 + 1, "start_seconds": 1.0, **owner}))
    return run_id


def told(store: Store, run_id: str) -> str:
    return explain_lost(store.path(run_id), store.record(run_id))


def origin(store: Store, run_id: str) -> str:
    return origin_text(store.path(run_id), store.record(run_id))


def test_what_is_listed_as_a_copy_and_what_as_lost(store: Store) -> None:
    here, start = platform.node(), psutil.Process().create_time()
    copies = {
        plant(store, {"host": "far\x1b"}, created=12.0): f"copied: process {2**22 + 1} on far\\x1b ",
        plant(store, {"host": here, "pid": os.getpid(), "start_seconds": start}): "copied: ",
    }
    lost = {
        plant(store, {"host": "node-7"}): f"crashed: process {2**22 + 1} on node-7 ",  # A disk that machines share.
        **{plant(store, {"host": here, "pid": pid}): "crashed: " for pid in (-1, 10**30, 2**22 + 1)},
    }
    watcher = RunsWatcher(store)
    watcher.poll()
    for state, runs in ((State.COPY, copies), (State.LOST, lost)):
        for run_id, sentence in runs.items():
            assert load(store, run_id)[1] is state
            assert watcher.states[run_id] is state
            assert told(store, run_id).startswith(sentence)
    held = plant(store, {"host": "far"}, created=12.0)
    lock = take_lock(store.path(held))
    try:
        assert load(store, held)[1] is State.RUNNING
    finally:
        os.close(lock)


def test_a_lost_run_whose_trainer_was_asked_to_stop_says_so(store: Store) -> None:
    run_id = plant(store, {"host": platform.node()})
    assert told(store, run_id) == "crashed: its trainer ended without saying why."
    owner = store.owner(run_id)
    assert owner is not None
    with store.folder(run_id) as folder:
        request_stop(folder, owner)
    assert told(store, run_id) == "crashed: its trainer was asked to stop, and ended before it could say so."


def test_attack_05_a_run_is_foreign_by_its_mark_or_by_its_machine_whatever_its_lock_says(store: Store) -> None:
    imported = plant(store)
    mark = store.path(imported) / "imported.json"
    for content, source in (
        (b'{"source":"a\\u001b[2J.tar"}', "'a\\x1b[2J.tar'"),
        (b"\0", "an archive"),
        (b"[" * 9999, "an"),
    ):
        mark.write_bytes(content)
        assert origin(store, imported).startswith(f"was imported from {source}")
    mark.unlink()
    mark.symlink_to("/etc/passwd")
    assert origin(store, imported) == "was imported from an archive"
    (store.path(imported) / LOCK_FILE).write_text(
        json.dumps({"pid": 5, "host": platform.node(), "start_seconds": time.time()})
    )
    assert origin(store, imported) == "was imported from an archive"
    assert origin(store, plant(store, host="far", created=12.0)) == "was made on 'far' and copied here"
    assert origin(store, plant(store, host="node-7")) == ""  # On a disk that machines share.
    assert origin(store, plant(store, created=12.0)) == ""
