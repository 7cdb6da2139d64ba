"""An event loop that knows when it has nothing left to do, so that a test of the console waits exactly that long.

Textual's pilot waits for idleness by the clock: until the process used less than 1 ms of CPU in 20 ms, several times a
key, and up to a second where something else uses it.
"""

import asyncio
import selectors
import subprocess
import sys
import threading
import time
from typing import Any

import textual.app
import textual.pilot
from textual._context import active_app
from textual.screen import Screen

from alexnet_tui import locks
from alexnet_tui.tui import threads

# A thread that takes longer is not waited for, nor one that waits so long for another process.
_THREAD_SECONDS, _PROCESS_SECONDS, _LOOK_SECONDS = 10.0, 0.5, 0.002
_BEGINNINGS = frozenset((threading.Thread.run.__code__, threading.Thread._bootstrap_inner.__code__))  # type: ignore[attr-defined]
"""Where a thread is that was just started."""
_PROCESS_FILES = frozenset((subprocess.__file__, selectors.__file__))
"""Where a thread is that waits for another process."""
# Painting can make another painting necessary.
_MAX_FRAMES = 10


class _Selector(selectors.DefaultSelector):
    """Resolves the futures in `idle` when the loop is about to sleep and no thread of `threads` works for it."""

    def __init__(self) -> None:
        super().__init__()
        self.idle: list[asyncio.Future[None]] = []
        self.asked_at = 0.0

    def select(self, timeout: float | None = None) -> Any:
        if not self.idle or timeout == 0:
            return super().select(timeout)
        is_busy = _is_a_thread_busy(time.monotonic() - self.asked_at)
        longest = _LOOK_SECONDS if is_busy else 0.0
        found = super().select(longest if timeout is None else min(timeout, longest))
        if not found and not is_busy:
            for waiting in self.idle:
                if not waiting.done():
                    waiting.set_result(None)
            self.idle.clear()
        return found


def _is_a_thread_busy(seconds: float) -> bool:
    """Whether a thread of `threads` does anything but wait: for its next job, another thread, or another's lock.

    Args:
        seconds: For how long it has been waited for them.
    """
    frames = sys._current_frames() if seconds < _THREAD_SECONDS else {}
    for thread in threading.enumerate():
        target = getattr(thread, "_target", None)
        if target is None or target.__module__ != threads.__name__:
            continue
        frame = frames.get(thread.ident or 0)
        if frame is not None and frame.f_code in _BEGINNINGS:
            return True
        if frame is not None and frame.f_code.co_filename in _PROCESS_FILES and seconds >= _PROCESS_SECONDS:
            continue
        if frame is None or frame.f_code is locks._flock.__code__ or frame.f_code.co_filename == threading.__file__:
            continue
        if frame.f_code is not threads.SerialExecutor._work.__code__ or not target.__self__._jobs.empty():
            return True
    return False


class SettlingLoop(asyncio.SelectorEventLoop):
    """An event loop with `settled`."""

    def __init__(self) -> None:
        self._idle_selector = _Selector()
        super().__init__(self._idle_selector)

    async def settled(self) -> None:
        """Return when no callback is ready to run, no thread works, and the topmost screen is painted.

        Timers, those of Textual that paint and resize aside, are not waited for: a test names what they lead to.
        """
        app = active_app.get(None)
        for _ in range(_MAX_FRAMES):
            self._idle_selector.asked_at = time.monotonic()
            future: asyncio.Future[None] = self.create_future()
            self._idle_selector.idle.append(future)
            await future
            if app is None or not app._screen_stack:
                return
            if app._resize_timer is not None:  # Textual's own two timers: not in a moment, but now.
                app._check_resize()
            elif _is_unpainted(app.screen):
                app.screen._on_timer_update()
            else:
                return


def _is_unpainted(screen: Screen[Any]) -> bool:
    return bool(
        screen._layout_required
        or screen._scroll_required
        or screen._repaint_required
        or screen._recompose_required
        or screen._dirty_widgets
        or screen._callbacks
    )


async def _wait_for_idle(min_sleep: float = 0, max_sleep: float = 1) -> None:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, SettlingLoop), "the console is tested in a `SettlingLoop`: see `console_driver.driven`"
    await loop.settled()


# Textual's pilot waits for the loop in place of the clock.
textual.pilot.wait_for_idle = textual.app.wait_for_idle = _wait_for_idle  # type: ignore[attr-defined]
