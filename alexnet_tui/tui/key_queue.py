"""A queue of keys and pastes: the next one is handled once all is done that the one before it led to.

Textual hands each key at once to what has the focus. A key's binding acts later, when the key has climbed to the app;
what opens, closes or moves the focus, later still. Of keys that arrive together, as after a stalled connection, the
letters would overtake those that say where they belong.
"""

import asyncio
import contextlib
import itertools
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from textual.app import App
from textual.dom import DOMNode
from textual.events import Key, Paste
from textual.screen import Screen
from textual.widget import Widget

from alexnet_tui.tui.workers import ASKING

_WAIT_SECONDS = 0.5
_LOOK_SECONDS = 0.01
# Far more than any key needs: opening the largest form takes fifty.
_MAX_LOOPS = 2000
_MAX_LOOPS_WITHOUT_WAITING = 50
_HELD_KEYS = frozenset(("up", "down", "left", "right", "pageup", "pagedown", "backspace", "delete"))
_MAX_HELD = 32


class KeyQueue:
    """Handles one key or paste after the other.

    A key is done once the event loop has nothing left to do, its messages are all taken, and the screen it led to has
    been drawn. Threads are waited for only by workers of the group `ASKING`. What never gets done holds up the keys
    behind it once, for half a second; until a key is done again, those are handled without any waiting.

    Letters that the focused field takes for itself go to it together. So do the next few of a key that is held down,
    once it has been seen to move neither the focus nor the screen: waiting for each would make a long burst slow.

    Args:
        app: The app.
        handle: What the app does with a key.
    """

    def __init__(self, app: App[Any], handle: Callable[[Key | Paste], Awaitable[None]]) -> None:
        self._app = app
        self._handle = handle
        self._waiting: deque[Key | Paste] = deque()
        self._wait: asyncio.Task[None] | None = None
        self._drawn: Screen[Any] | None = None
        self._receivers: Sequence[DOMNode] = ()
        self._last: tuple[str, Widget | None, Screen[Any]] | None = None
        self._may_wait = True

    async def put(self, event: Key | Paste) -> None:
        """Handle a key or a paste, now or after those before it."""
        self._waiting.append(event)
        if self._wait is None:
            if self._app.screen is self._drawn:
                await self._handle_next()
            else:  # Something else opened it a moment ago.
                self._begin_wait()

    async def _handle_next(self) -> None:
        self._wait = None
        if self._app._exit:
            self._waiting.clear()
        if not self._waiting:
            return
        self._receivers = (self._app.focused or self._app.screen).ancestors_with_self
        try:
            for _ in range(self._num_at_once()):
                await self._handle(self._waiting.popleft())
        finally:
            self._begin_wait()

    def _num_at_once(self) -> int:
        """How many keys can be handled at once."""
        first, focused, last = self._waiting[0], self._app.focused, self._last
        self._last = None
        if not isinstance(first, Key):
            return 1
        if focused is not None and _takes(focused, first):
            return sum(1 for _ in itertools.takewhile(lambda event: _takes(focused, event), self._waiting))
        self._last = first.key, focused, self._app.screen
        if first.key not in _HELD_KEYS or self._last != last:
            return 1
        held = itertools.takewhile(lambda event: isinstance(event, Key) and event.key == first.key, self._waiting)
        return sum(1 for _ in itertools.islice(held, _MAX_HELD))

    def _begin_wait(self) -> None:
        self._wait = asyncio.create_task(self._finish(), name="key queue")

    async def _finish(self) -> None:
        try:
            self._may_wait = await self._is_done()
        finally:
            if not (self._waiting and self._app.call_later(self._handle_next)):
                self._wait = None

    async def _is_done(self) -> bool:
        """Wait until the last key is done; False if it has not been for too long."""
        seconds_left = _WAIT_SECONDS if self._may_wait else 0.0
        for _ in range(_MAX_LOOPS if self._may_wait else _MAX_LOOPS_WITHOUT_WAITING):
            await asyncio.sleep(0)
            if self._app._exit or not self._app.screen_stack:
                return True
            if _is_busy():
                continue
            is_held = any(node.message_queue_size and node.is_attached for node in self._receivers) or self._is_asking()
            screen = self._app.screen
            if not (is_held or self._is_due(screen)):
                return True
            if seconds_left <= 0:
                return False
            begin = asyncio.get_running_loop().time()
            if is_held:
                await asyncio.sleep(_LOOK_SECONDS)
            else:
                self._drawn = screen
                await _draw(screen, seconds_left)
            seconds_left -= asyncio.get_running_loop().time() - begin
        return False

    def _is_asking(self) -> bool:
        return any(worker.group == ASKING and not worker.is_finished for worker in self._app.workers)

    def _is_due(self, screen: Screen[Any]) -> bool:
        """Whether a screen is new, or will move its focus when it is drawn."""
        calls = (getattr(call, "func", None) for call, _ in screen._callbacks)
        return screen is not self._drawn or any(getattr(call, "__func__", None) is Widget.focus for call in calls)


def _takes(widget: Widget, event: Key | Paste) -> bool:
    """Whether a widget takes a key as text, so that no binding sees it."""
    return isinstance(event, Key) and widget.check_consume_key(event.key, event.character)


def _is_busy() -> bool:
    """Whether the event loop has more to do than to wait; one of another kind never says so."""
    return bool(getattr(asyncio.get_running_loop(), "_ready", ()))


async def _draw(screen: Screen[Any], seconds: float) -> None:
    """Wait until a screen has been drawn, at most so long."""
    drawn = asyncio.Event()
    if screen.call_after_refresh(drawn.set):
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(drawn.wait(), seconds)
