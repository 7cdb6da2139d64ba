"""Runs that are read again and again."""

import os

from fake_runs import curve, open_writer, started

from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.locks import take_lock
from alexnet_tui.runs import events as ev
from alexnet_tui.runs.follow import RunCache
from alexnet_tui.runs.state import State
from alexnet_tui.runs.store import Store


def test_a_cache_reads_only_what_is_new(store: Store) -> None:
    cache, config = RunCache(store), RunConfig(epochs=3)
    run_id = store.create(config).id

    def look() -> tuple[int, State]:
        found = cache.find(run_id)
        assert found is not None
        return found[0].num_events, found[1]

    assert cache.find("nobody") is None
    assert look() == (0, State.QUEUED)
    lock = take_lock(store.path(run_id))
    with open_writer(store.path(run_id)) as writer:
        writer.write(started(config))
        writer.write(curve(1, 3))
        assert look() == (2, State.RUNNING)
        first = cache.find(run_id)
        writer.write(curve(2, 3))
        assert look() == (3, State.RUNNING)
        os.close(lock)
        assert look() == (3, State.LOST)
        writer.write(ev.Finished(epoch=3, step=30, train_seconds=1.0, elapsed_seconds=1.0))
    assert look() == (4, State.FINISHED)
    last = cache.find(run_id)
    assert first is not None
    assert last is not None
    assert last[0] is first[0]
    (store.path(run_id) / "events.jsonl").write_bytes(b"")
    assert look() == (0, State.QUEUED)
    store.delete(run_id)
    assert cache.find(run_id) is None
