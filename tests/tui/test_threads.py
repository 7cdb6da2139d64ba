"""No call that may wait for a disk or a lock is made on the event loop."""

import asyncio
import threading

import pytest
from console_driver import console, driven
from fake_runs import write_run

from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.locks import locked, locked_folder
from alexnet_tui.runs.store import Store
from alexnet_tui.tui import threads
from alexnet_tui.tui.settings import change_settings, load_settings, settings_path
from alexnet_tui.tui.workers import CoalescingWorker


def test_leaving_waits_for_no_read_that_hangs() -> None:
    hangs = threading.Event()

    async def main() -> None:
        task = asyncio.create_task(threads.call(hangs.wait))
        await asyncio.sleep(0)
        task.cancel()

    leaving = threading.Thread(target=lambda: asyncio.run(main()), daemon=True)
    leaving.start()
    leaving.join(10)
    has_left = not leaving.is_alive()
    hangs.set()
    assert has_left


def test_a_serial_executor_makes_calls_in_order_also_those_nobody_waits_for_any_more() -> None:
    executor, begin, made = threads.SerialExecutor("test"), threading.Event(), list[int]()

    async def main() -> None:
        waiting = [asyncio.create_task(executor.run(begin.wait)), asyncio.create_task(executor.run(made.append, 0))]
        await asyncio.sleep(0)
        for task in waiting:
            task.cancel()
        later = [executor.run(made.append, number) for number in (1, 2)]
        begin.set()
        await asyncio.gather(*later)

    asyncio.run(main())
    assert made == [0, 1, 2]
    executor.close(1.0)
    assert executor.submit(len, "ab").result(1.0) == 2, "a closed executor begins again"
    executor.close(1.0)


def test_an_error_comes_to_who_waits() -> None:
    with pytest.raises(ZeroDivisionError):
        asyncio.run(threads.call(lambda: 1 // 0))


@driven
async def test_what_is_asked_for_faster_than_it_is_done_is_done_nevertheless(store: Store) -> None:
    asked, done, may_end = list[int](), list[int](), asyncio.Event()

    async def act() -> None:
        seen = len(asked)
        await may_end.wait()
        done.append(seen)

    async with console(store) as c:
        reading = CoalescingWorker(c.runs, act)
        for number in range(50):
            asked.append(number)
            reading.request()
            await asyncio.sleep(0)
        may_end.set()
        await c.wait_for(lambda: not reading.is_busy)
        assert len(done) == 2, "one at a time; what came meanwhile is done once, after it"
        assert done[-1] == 50
        reading.request()
        await c.wait_for(lambda: len(done) == 3)
        c.app.exit(0)
        reading.request()
        assert not reading.is_busy, "its widgets are being removed"


@driven
async def test_keys_are_answered_while_others_hold_the_locks(store: Store) -> None:
    runs = [write_run(store, RunConfig(epochs=1, seed=seed)).id for seed in range(3)]
    change_settings(lambda settings: None)
    async with console(store) as c:
        await c.press("home")
        first = c.cursor
        with store.folder(first) as folder, locked(settings_path().with_suffix(".lock")), locked_folder(folder):
            await c.press("T")
            await c.type("mine")
            await c.press("enter")
            await c.press("space", "p", "N")
            await c.type("held")
            await c.press("enter", "end")
            assert c.cursor != first
            assert c.notifications() == [], "nothing was saved, and no lock has been waited for in vain"
            assert load_settings().folder(store.root).marked == []
        await c.wait_for(lambda: c.notifications() == ["Tags saved.", "Note saved."])
        assert store.notes(first).tags == ["mine"]
        assert "held" in {store.notes(run_id).note for run_id in runs}
        await c.wait_for(lambda: load_settings().folder(store.root).marked)
