"""The queue of a study, ``queue.json``: what people change while its worker works, and in which order runs start."""

from collections.abc import Callable, Collection, Iterable
from typing import Annotated

import msgspec

from alexnet_tui.files import read_small
from alexnet_tui.runs.store import Store
from alexnet_tui.studies import study_files
from alexnet_tui.studies.plan import check_is_planned
from alexnet_tui.text import printable

MAX_AT_ONCE = 64
QUEUE_FILE = "queue.json"


class Queue(msgspec.Struct, frozen=True, kw_only=True):
    """How a study's runs are started, and why a worker gave the study up.

    Attributes:
        is_paused: Start nothing more for now.
        order: Cells to start first, in this order; the others follow as planned.
        cancelled: Cells not to start any more.
        at_once: How many runs may train at once when the console orders the study.
        given_up: Why the last worker started no more of its runs, a sentence; empty once the study is ordered again.
    """

    is_paused: bool = False
    order: list[int] = []
    cancelled: list[int] = []
    at_once: Annotated[int, msgspec.Meta(ge=1, le=MAX_AT_ONCE)] = 1
    given_up: str = ""

    def in_order(self, cells: Iterable[int]) -> list[int]:
        """Cells in the order in which they start."""
        rank = {cell: place for place, cell in enumerate(self.order)}
        return sorted(cells, key=lambda cell: (rank.get(cell, len(rank)), cell))


def load(store: Store, name: str) -> Queue:
    """The queue of a study as people left it."""
    path = study_files.folder_path(store, name) / QUEUE_FILE
    content = read_small(path)
    return study_files.decode(path, content, Queue) if content else Queue()


def toggle_pause(store: Store, name: str) -> None:
    """Start no more runs of a study, or go on where it is paused; what trains goes on in any case."""
    _change_queue(store, name, lambda now: msgspec.structs.replace(now, is_paused=not now.is_paused))


def set_at_once(store: Store, name: str, at_once: int) -> None:
    """How many runs of a study may train at once, from its next worker on."""
    _change_queue(store, name, lambda now: msgspec.structs.replace(now, at_once=at_once))


def give_up(store: Store, name: str, reason: str) -> None:
    """Write down why a worker starts no more runs of a study."""
    if reason != load(store, name).given_up:
        _change_queue(store, name, lambda now: msgspec.structs.replace(now, given_up=printable(reason, 2000)))


def begin_anew(store: Store, name: str) -> None:
    """End a study's pause and forget why it was given up: whoever orders it wants it to go on."""
    now = load(store, name)
    if now.is_paused or now.given_up:
        _change_queue(store, name, lambda now: msgspec.structs.replace(now, is_paused=False, given_up=""))


def cancel(store: Store, name: str, index: int, is_cancelled: bool = True) -> None:
    """Take a cell out of the queue, or put it back; a run that trains is not stopped."""

    def change(now: Queue) -> Queue:
        others = [cell for cell in now.cancelled if cell != index]
        return msgspec.structs.replace(now, cancelled=sorted([*others, index] if is_cancelled else others))

    _change_queue(store, name, change)


def shift(store: Store, name: str, waiting: Collection[int], index: int, step: int) -> None:
    """Start one of the cells that wait so many turns later, or earlier where `step` is negative."""

    def change(now: Queue) -> Queue:
        order = now.in_order(waiting)
        place = order.index(index)
        order.insert(max(0, min(place + step, len(order) - 1)), order.pop(place))
        return msgspec.structs.replace(now, order=[*order, *(cell for cell in now.order if cell not in order)])

    _change_queue(store, name, change)


def _change_queue(store: Store, name: str, change: Callable[[Queue], Queue]) -> None:
    check_is_planned(store, name)
    with study_files.exclusive(store):
        study_files.write_json(
            study_files.make_folder(store, name) / QUEUE_FILE, msgspec.to_builtins(change(load(store, name)))
        )
