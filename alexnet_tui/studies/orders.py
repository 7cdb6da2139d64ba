"""Orders: the studies that a runs folder's worker is asked to work through, first come, first served.

``runs/studies/.worker/`` holds the list (``orders.json``), the lock of the one process that starts runs, and its log.
An order placed in the background stays until its study is done, also when the worker dies. One placed by a command
in the foreground ends with that command, which holds the lock in the study's own folder as long as it lives.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import msgspec

from alexnet_tui.errors import StoreError
from alexnet_tui.files import read_small
from alexnet_tui.launch.engine import HERE, Launch
from alexnet_tui.launch.seal import is_sealed, seal
from alexnet_tui.locks import LOCK_FILE, is_locked
from alexnet_tui.runs.store import Store
from alexnet_tui.studies import study_files
from alexnet_tui.studies.study_queue import MAX_AT_ONCE

ORDERS_FILE = "orders.json"
_WORKER_FOLDER, _LOG_FILE = ".worker", "worker.log"


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """A study to work through.

    Attributes:
        study: Its name.
        parallel: How many runs may train at once in the folder while it is this study's turn.
        placed: When, in seconds since 1970; distinguishes a new order from an old one of the same study.
        is_foreground: It ends with the command that placed it.
        launch: How its runs are started.
        seal: This user's seal on that.
    """

    study: str
    parallel: Annotated[int, msgspec.Meta(ge=1, le=MAX_AT_ONCE)] = 1
    placed: float = 0.0
    is_foreground: bool = False
    launch: Launch = HERE
    seal: str = ""

    @property
    def is_own(self) -> bool:
        """Whether this user placed it: whoever made the folder may have written the list."""
        return is_sealed(self.seal, self.study, self.launch)


class _File(msgspec.Struct, frozen=True):
    orders: list[Order]


def worker_folder(store: Store) -> Path:
    """The folder of the worker's files, made if need be.

    Raises:
        StoreError: It cannot be made, or is a link to another.
    """
    return study_files.make_folder(store, _WORKER_FOLDER)


def log_path(store: Store) -> Path:
    """Where a worker in the background writes what it does."""
    return study_files.folder_path(store, _WORKER_FOLDER) / _LOG_FILE


def orders_path(store: Store) -> Path:
    """The file of the list; it changes with every order."""
    return study_files.folder_path(store, _WORKER_FOLDER) / ORDERS_FILE


def active(store: Store) -> list[Order]:
    """The orders in force, the oldest first.

    Raises:
        StoreError: The list is damaged or cannot be read.
    """
    return [order for order in listed(store) if order.is_own]


def listed(store: Store) -> list[Order]:
    """The orders in force and those that somebody else placed, which are not served.

    Raises:
        StoreError: The list is damaged or cannot be read.
    """
    content = read_small(orders_path(store))
    found = study_files.decode(orders_path(store), content, _File).orders if content else []
    named = (order for order in found if study_files.is_name(order.study))
    return [order for order in named if not order.is_foreground or has_command(store, order.study)]


def place(store: Store, order: Order) -> None:
    """Put an order at the end of the list, in place of an older one of the same study.

    Raises:
        StoreError: The list cannot be read or written.
    """
    dated = msgspec.structs.replace(order, placed=time.time(), seal=seal(order.study, order.launch))
    _change(store, lambda found: [*(one for one in found if one.study != order.study), dated])


def withdraw(store: Store, name: str) -> None:
    """Take a study off the list.

    Raises:
        StoreError: The list cannot be read or written.
    """
    _change(store, lambda found: [one for one in found if one.study != name])


def take_back(store: Store, name: str) -> None:
    """Take a study off the list, if there is one, while nobody else changes it.

    Raises:
        StoreError: The list cannot be read or written.
    """
    if orders_path(store).exists():  # The runs folder may be gone: it is not made anew.
        with study_files.exclusive(store):
            withdraw(store, name)


def _change(store: Store, change: Callable[[list[Order]], list[Order]]) -> None:
    try:
        before = listed(store)
    except StoreError:
        if is_folder_served(store):  # Its worker knows the orders and writes them anew.
            raise
        study_files.set_aside(orders_path(store))
        before = []
    after = change(before)
    if after != before:
        write(store, after)


def write(store: Store, found: list[Order]) -> None:
    """Replace the list.

    Raises:
        StoreError: It cannot be written.
    """
    worker_folder(store)
    study_files.write_json(orders_path(store), _File(found))


def is_ordered(store: Store, name: str, *, if_unreadable: bool = False) -> bool:
    """Whether a study is on the list.

    Args:
        if_unreadable: The answer where the list cannot be read.
    """
    try:
        return any(order.study == name for order in active(store))
    except StoreError:
        return if_unreadable


def has_command(store: Store, name: str) -> bool:
    """Whether a command in the foreground works through a study now."""
    return is_locked(study_files.folder_path(store, name) / LOCK_FILE)


def is_folder_served(store: Store) -> bool:
    """Whether some process starts runs of studies in this folder now."""
    return is_locked(study_files.folder_path(store, _WORKER_FOLDER) / LOCK_FILE)


def has_worker(store: Store, name: str) -> bool:
    """Whether some process works through a study now, or will once it is the study's turn."""
    return has_command(store, name) or (is_folder_served(store) and is_ordered(store, name))
