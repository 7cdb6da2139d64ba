"""`RunCache`: runs looked up again and again; of each only what changed since the last look is read."""

import os
from dataclasses import dataclass
from pathlib import Path

from alexnet_tui.errors import RunNotFoundError
from alexnet_tui.files import LOCK_FILE, is_locked
from alexnet_tui.runs import events as ev
from alexnet_tui.runs.event_log import EventReader
from alexnet_tui.runs.history import RunHistory, State
from alexnet_tui.runs.store import EVENTS_FILE, Store


@dataclass(slots=True)
class _Known:
    """A run as far as it was read."""

    directory: Path
    history: RunHistory
    reader: EventReader
    size: int = 0


class RunCache:
    """Histories without steps, kept up to date.

    Args:
        store: The runs folder.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[str, _Known] = {}

    def find(self, run_id: str) -> tuple[RunHistory, State] | None:
        """A run's history and state now, or None where it is gone.

        Raises:
            StoreError: The run cannot be read.
        """
        known = self._known.get(run_id)
        if known is not None and not os.path.lexists(known.directory / "run.json"):
            known = self._known.pop(run_id) and None
        if known is None:
            try:
                known = self._known[run_id] = self._begin(run_id)
            except RunNotFoundError:
                return None
        if isinstance(known.history.final, ev.Finished) and _size(known) == known.size:
            return known.history, State.FINISHED
        # Asked before reading: a trainer that ends in between leaves its last words, not a lost run.
        locked = is_locked(known.directory / LOCK_FILE)
        if _size(known) < known.size:  # Not the file it was.
            known = self._known[run_id] = self._begin(run_id)
        if _size(known) != known.size:
            _read(known)
        return known.history, known.history.state(is_locked=locked)

    def forget(self, run_id: str) -> None:
        """Keep a run no longer; looked up again, it is read from its start."""
        self._known.pop(run_id, None)

    def _begin(self, run_id: str) -> _Known:
        reader = self._store.reader(run_id, skip_steps=True)
        return _Known(self._store.path(run_id), RunHistory(self._store.record(run_id)), reader)


def _read(known: _Known) -> None:
    size = _size(known)
    while events := known.reader.read_new():
        known.history.fold(events)
    known.size = size  # Not before: what could not be read must be looked at again.


def _size(known: _Known) -> int:
    try:
        return (known.directory / EVENTS_FILE).lstat().st_size
    except OSError:
        return 0
