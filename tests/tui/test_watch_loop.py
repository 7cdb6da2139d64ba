"""The watch loop: the event loop is woken by changes and by nothing else."""

import asyncio
import math
import os
import threading
import time
from collections.abc import Callable

import pytest
from fake_runs import curve, open_writer, write_run

from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.locks import take_lock
from alexnet_tui.runs.store import Store
from alexnet_tui.tui.watch import watch_loop
from alexnet_tui.tui.watch.batch import Batch
from alexnet_tui.tui.watch.watch_loop import WatchLoop
from alexnet_tui.tui.watch.watcher import RunsWatcher

_PATIENCE_SECONDS = 60.0


class Counting(RunsWatcher):
    """A watcher that counts, and knows where it is called."""

    num_reads = 0
    num_applied = 0

    def read(self) -> Batch:
        assert threading.current_thread() is not threading.main_thread()
        self.num_reads += 1
        return super().read()

    def apply(self, batch: Batch) -> set[str]:
        assert threading.current_thread() is threading.main_thread()
        self.num_applied += 1
        return super().apply(batch)


async def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


@pytest.mark.slow
def test_looks_that_find_nothing_do_not_wake_the_loop(store: Store) -> None:
    record = write_run(store, RunConfig(epochs=5), epochs_done=0, finish=False)
    lock = take_lock(store.path(record.id))
    watcher, told = Counting(store), list[set[str]]()

    async def follow() -> None:
        loop = WatchLoop(watcher, lambda: True)
        task = asyncio.create_task(loop.follow(told.append))
        await until(lambda: watcher.num_applied == 1)
        looked = watcher.num_reads
        await until(lambda: watcher.num_reads >= looked + 5)
        assert watcher.num_applied == 1
        with open_writer(store.path(record.id), next_seq=1) as writer:
            writer.write(curve(1, 5))
        await until(lambda: len(told) == 2)
        assert watcher.num_applied == 2
        task.cancel()

    asyncio.run(follow())  # Ends only if the thread does.
    os.close(lock)
    assert told == [{record.id}, {record.id}]
    assert watcher.histories[record.id].num_epochs_done == 1


def test_a_burst_is_told_of_now_and_then_and_to_its_end(store: Store) -> None:
    record = store.create(RunConfig(epochs=5000))
    lock = take_lock(store.path(record.id))
    watcher, told = Counting(store), list[int]()

    async def follow() -> None:
        loop = WatchLoop(watcher, lambda: False)
        loop._pause_seconds = math.inf  # However slow the machine: no slice lasts that long.
        task = asyncio.create_task(loop.follow(lambda _: told.append(watcher.histories[record.id].num_epochs_done)))
        await until(lambda: len(told) == 1)
        with open_writer(store.path(record.id)) as writer:
            for epoch in range(1, 5001):
                writer.write(curve(epoch, 5000))
        await until(lambda: told[-1] == 5000)
        task.cancel()

    asyncio.run(follow())
    os.close(lock)
    assert told == sorted(set(told))
    assert watcher.num_applied > 8
    assert len(told) < 5, "of most slices of a burst nobody is told"


def test_woken_it_looks_at_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch_loop, "_QUIET_SECONDS", 3600.0)
    watcher = Counting(store)

    async def follow() -> None:
        loop = WatchLoop(watcher, lambda: False)
        task = asyncio.create_task(loop.follow(lambda _: None))
        await until(lambda: watcher.num_reads == 1)
        for wanted in range(2, 30):
            loop.poll_now()
            await until(lambda wanted=wanted: watcher.num_reads >= wanted)  # type: ignore[misc]
        task.cancel()

    asyncio.run(follow())
