"""`Lookout`: the thread that waits for news of the store, while the loop that draws sleeps."""

import asyncio
import os
import threading
import time
from collections.abc import Callable

from alexnet_tui.tui.watcher import Batch, RunsWatcher

_QUIET_SECONDS, _WOKEN_SECONDS = 1.0, 10.0


class Lookout:
    """Follows a store until the task that runs `follow` is cancelled.

    A look that finds nothing costs the loop nothing: it is woken only by news.

    Args:
        watcher: What reads and takes in.
        is_live: Whether some run is being trained, so that looks are many.
    """

    def __init__(self, watcher: RunsWatcher, is_live: Callable[[], bool]) -> None:
        self._watcher = watcher
        self._is_live = is_live
        is_far = bool(os.environ.get("SSH_CONNECTION"))
        self._news_seconds, self._busy_seconds = (0.5, 0.25) if is_far else (0.2, 0.1)
        self._woken = threading.Event()
        self._busy_until = 0.0
        self._is_leaving = False

    def wake(self, *, is_awaited: bool = False) -> None:
        """Look now, and often for a while if something was asked of a run."""
        if is_awaited:
            self._busy_until = time.monotonic() + _WOKEN_SECONDS
        self._woken.set()

    async def follow(self, tell: Callable[[set[str]], None]) -> None:
        """Take in what the store has to say and tell which runs it is about; a burst in slices, so that keys work."""
        rest, untold, told_at = 0.0, set[str](), 0.0
        try:
            while True:
                batch = await asyncio.to_thread(self._look_out, rest)
                untold |= self._watcher.apply(batch)
                if untold and not (batch.has_more and time.monotonic() - told_at < self._news_seconds):
                    tell(untold)
                    untold, told_at = set(), time.monotonic()
                rest = 0.0 if batch.has_more else self._news_seconds if self._is_busy else _QUIET_SECONDS
        finally:
            self._is_leaving = True
            self._woken.set()

    @property
    def _is_busy(self) -> bool:
        return self._is_live() or time.monotonic() < self._busy_until

    def _look_out(self, rest: float) -> Batch:
        """In a thread: rest for the eye, then look until there is news."""
        while True:
            if rest:
                self._woken.wait(rest)
            self._woken.clear()
            if self._is_leaving:
                return Batch()
            batch = self._watcher.read()
            if not batch.is_empty:
                return batch
            rest = self._busy_seconds if self._is_busy else _QUIET_SECONDS
