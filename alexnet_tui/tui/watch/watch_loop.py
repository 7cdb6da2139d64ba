"""`WatchLoop`: the thread that polls the runs folder, so that the event loop sleeps until something changed."""

import os
import threading
import time
from collections.abc import Callable

from alexnet_tui.tui.threads import SerialExecutor
from alexnet_tui.tui.watch.batch import Batch
from alexnet_tui.tui.watch.watcher import RunsWatcher

_QUIET_SECONDS, _EAGER_SECONDS = 1.0, 10.0


class WatchLoop:
    """Follows a runs folder until the task that runs `follow` is cancelled.

    A poll that finds nothing costs the event loop nothing: only changes are handed to it.

    Args:
        watcher: What reads and applies.
        is_live: Whether some run is being trained, so that polls are frequent.
    """

    def __init__(self, watcher: RunsWatcher, is_live: Callable[[], bool]) -> None:
        self._watcher = watcher
        self._is_live = is_live
        is_remote = bool(os.environ.get("SSH_CONNECTION"))
        self._pause_seconds, self._busy_seconds = (0.5, 0.25) if is_remote else (0.2, 0.1)
        self._poll_requested = threading.Event()
        self._eager_until = 0.0
        self._is_closing = False

    def poll_now(self) -> None:
        """Poll at once."""
        self._poll_requested.set()

    def poll_eagerly(self) -> None:
        """Poll at once, and often for a while: something was asked of a run."""
        self._eager_until = time.monotonic() + _EAGER_SECONDS
        self._poll_requested.set()

    async def follow(self, notify: Callable[[set[str]], None]) -> None:
        """Apply what is read and report the ids of changed runs; a burst in slices, so that keys work."""
        pause, pending, notified_at = 0.0, set[str](), 0.0
        executor = SerialExecutor("watch")
        try:
            while True:
                batch = await executor.run(self._poll, pause)
                pending |= self._watcher.apply(batch)
                if pending and not (batch.has_more and time.monotonic() - notified_at < self._pause_seconds):
                    notify(pending)
                    pending, notified_at = set(), time.monotonic()
                pause = 0.0 if batch.has_more else self._pause_seconds if self._is_busy else _QUIET_SECONDS
        finally:
            self._is_closing = True
            self._poll_requested.set()
            executor.close(0.0)

    @property
    def _is_busy(self) -> bool:
        return self._is_live() or time.monotonic() < self._eager_until

    def _poll(self, pause: float) -> Batch:
        """In a thread: pause, then read until something changed."""
        while True:
            if pause:
                self._poll_requested.wait(pause)
            self._poll_requested.clear()
            if self._is_closing:
                return Batch()
            batch = self._watcher.read()
            if not batch.is_empty:
                return batch
            pause = self._busy_seconds if self._is_busy else _QUIET_SECONDS
