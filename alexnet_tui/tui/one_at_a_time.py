"""Work of a screen that is asked for more often than it can be done, as reading a file that grows."""

from collections.abc import Awaitable, Callable

from textual.dom import DOMNode
from textual.worker import Worker


class OneAtATime:
    """Does again and again what takes a while: one at a time, and none in vain.

    What is asked for while one is under way is done once, after it. Cancelling it for the newer one would show nothing
    for as long as the disk is slower than the asking.

    Args:
        act: What to do.
    """

    def __init__(self, act: Callable[[], Awaitable[None]]) -> None:
        self._act = act
        self._is_due = False
        self._worker: Worker[None] | None = None

    @property
    def is_busy(self) -> bool:
        """Whether one is under way, or about to be."""
        return self._worker is not None and not self._worker.is_finished

    def ask(self, node: DOMNode) -> None:
        """Have it done in a worker of `node`, now or after the one under way."""
        self._is_due = True
        if not self.is_busy:
            self._worker = node.run_worker(self._go_on)

    async def _go_on(self) -> None:
        while self._is_due:
            self._is_due = False
            await self._act()
