"""Threads for calls that may wait for a disk, a lock or another process: the event loop never waits for them.

What only reads is called in a thread of its own (`call`), so that a slow one holds up no other. What changes something
goes through a `SerialExecutor`, which makes one call after the other in the order they were asked for. All threads are
daemons: leaving the console waits for none but the executors, and for those not for ever, where Python's own executors
wait for every call.
"""

import asyncio
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import ParamSpec, TypeVar

_P = ParamSpec("_P")
_T = TypeVar("_T")
_Job = Callable[[], None]


def start(function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> "Future[_T]":
    """Make a call in a daemon thread of its own."""
    future, job = _job(partial(function, *args, **kwargs))
    threading.Thread(target=job, daemon=True, name=getattr(function, "__name__", "call")).start()
    return future


async def call(function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """What a call returns that is made in a daemon thread of its own.

    A call whose task is cancelled goes on in its thread, and its result is dropped.
    """
    return await asyncio.wrap_future(start(function, *args, **kwargs))


class SerialExecutor:
    """One daemon thread that makes calls one after the other, in the order they were asked for.

    Args:
        name: Name of the thread, which begins with the first call.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def submit(self, call: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> "Future[_T]":
        """Have a call made when those before it are done."""
        future, job = _job(partial(call, *args, **kwargs))
        self._jobs.put(job)
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, daemon=True, name=self._name)
            self._thread.start()
        return future

    async def run(self, call: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """What a call returns that is made when those before it are done.

        The call is made even if the task that waits for it is cancelled, as all are when the console is left.
        """
        return await asyncio.shield(asyncio.wrap_future(self.submit(call, *args, **kwargs)))

    def close(self, timeout_seconds: float) -> None:
        """Wait until every call so far is done, at most so long; the thread then ends, and another may begin."""
        if self._thread is not None:
            self._jobs.put(None)
            self._thread.join(max(0.0, timeout_seconds))
            self._thread = None

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()


class SerialExecutors:
    """The executors of a session by what they change: a slow deletion does not hold up a note."""

    def __init__(self) -> None:
        self._executors: dict[str, SerialExecutor] = {}

    def __getitem__(self, name: str) -> SerialExecutor:
        return self._executors.setdefault(name, SerialExecutor(name))

    def close(self, timeout_seconds: float) -> None:
        """Wait until everything asked for is done, at most so long."""
        deadline = time.monotonic() + timeout_seconds
        for executor in self._executors.values():
            executor.close(deadline - time.monotonic())


def _job(call: Callable[[], _T]) -> "tuple[Future[_T], _Job]":
    """A call that puts its result or its error into a future."""
    future: Future[_T] = Future()

    def job() -> None:
        if not future.set_running_or_notify_cancel():
            return
        try:
            result = call()
        except BaseException as error:  # noqa: BLE001 - whoever waits for the result gets it.
            future.set_exception(error)
        else:
            future.set_result(result)

    return future, job
