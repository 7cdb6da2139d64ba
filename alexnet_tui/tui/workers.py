"""Workers of screens and widgets, beyond those that Textual has.

`CoalescingWorker` is for work that is asked for more often than it can be done, as reading a file that grows;
`ask_once` for what looks something up before it asks.
"""

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from textual.dom import DOMNode
from textual.worker import Worker

ASKING = "asking"
"""Group of the workers that look something up before they open a dialog or a screen: the next key is for that."""


class CoalescingWorker:
    """Does the same work again and again, once at a time.

    All requests that come while it is being done are one: it is done once more, after that. Textual's exclusive workers
    would cancel it for the newer request, and finish nothing while the disk is slower than the requests.

    Args:
        node: Whose worker it is.
        act: The work.
    """

    def __init__(self, node: DOMNode, act: Callable[[], Awaitable[None]]) -> None:
        self._node = node
        self._act = act
        self._is_requested = False
        self._worker: Worker[None] | None = None

    @property
    def is_busy(self) -> bool:
        """Whether it is being done, or about to be."""
        return self._worker is not None and not self._worker.is_finished

    def request(self) -> None:
        """Have the work done, now or once more; nothing is done any more for a widget that is being removed."""
        self._is_requested = True
        if not self.is_busy and self._node.is_attached:
            self._worker = self._node.run_worker(self._work)

    async def _work(self) -> None:
        while self._is_requested:
            self._is_requested = False
            await self._act()


def ask_once(node: DOMNode, question: str, act: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Look something up and then ask, in a worker of `node`; a key pressed again meanwhile asks nothing more.

    Args:
        node: Who asks.
        question: Tells one question of it from the others.
        act: What looks something up and opens the dialog.
    """
    is_under_way = any(
        worker.node is node and (worker.group, worker.name) == (ASKING, question) and not worker.is_finished
        for worker in node.app.workers
    )
    if not is_under_way:
        node.run_worker(act(), name=question, group=ASKING)
