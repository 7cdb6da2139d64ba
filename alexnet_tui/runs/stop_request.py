"""The request that a run's trainer write a checkpoint and end: a file in the run's folder that names the process.

Until that process has ended, views call the run `STOPPING`; its state stays running.
"""

import os
from pathlib import Path

import msgspec

from alexnet_tui.errors import StoreError
from alexnet_tui.folder import Folder
from alexnet_tui.locks import LOCK_FILE, Owner, decode_owner
from alexnet_tui.runs.state import State

STOP_FILE = "stop.json"
"""Holds the owner that was last asked to stop, so that a second request does not end it without its checkpoint."""
STOPPING = "stopping"


def request_stop(folder: Folder, owner: Owner) -> None:
    """Write down who is to stop; a trainer looks for that every few seconds, also where no signal reaches it.

    Raises:
        OSError: It cannot be written.
    """
    folder.write(STOP_FILE, msgspec.json.encode(owner))


def is_stop_requested(folder: Folder) -> bool:
    """Whether the stop file names the process that the lock file names; an old one names another."""
    try:
        wanted, owner = (decode_owner(folder.read(name)) for name in (STOP_FILE, LOCK_FILE))
    except StoreError:
        return False
    return wanted is not None and wanted == owner


def is_stopping(directory: Path, state: State | str) -> bool:
    """Whether a run that is in a state has been asked to stop; one that cannot be read has not."""
    if state != State.RUNNING or not os.path.lexists(directory / STOP_FILE):  # Hardly any run has one.
        return False
    try:
        with Folder(directory) as folder:
            return is_stop_requested(folder)
    except (OSError, StoreError):
        return False
