"""What is handed from the thread that reads the runs folder to the thread that draws."""

import msgspec

from alexnet_tui.runs.events import KnownEvent
from alexnet_tui.runs.history import RunHistory
from alexnet_tui.runs.notes import Notes


class Batch(msgspec.Struct):
    """What one `read` found.

    Attributes:
        fresh: Histories read from the start; they replace the old ones.
        events: New events of runs already known, oldest first.
        locks: Whether a trainer holds the lock, of the runs where that or anything else is new.
        stops: Whether a run that trains has been asked to stop, of the runs where that is new.
        orphans: Runs that were started once and have no trainer now.
        copies: Runs without a trainer here that are copies of others, which may be training.
        notes: Notes that were new or changed.
        gone: Runs whose directories are no longer there.
        missing: Runs that were opened and are not there.
        problems: A sentence for each run that cannot be read; "" is the folder itself.
        solved: Problems that are none any more.
        has_more: There was more to read than one call should take.
    """

    fresh: dict[str, RunHistory] = msgspec.field(default_factory=dict)
    events: dict[str, list[KnownEvent]] = msgspec.field(default_factory=dict)
    locks: dict[str, bool] = msgspec.field(default_factory=dict)
    stops: dict[str, bool] = msgspec.field(default_factory=dict)
    orphans: set[str] = msgspec.field(default_factory=set)
    copies: set[str] = msgspec.field(default_factory=set)
    notes: dict[str, Notes] = msgspec.field(default_factory=dict)
    gone: set[str] = msgspec.field(default_factory=set)
    missing: set[str] = msgspec.field(default_factory=set)
    problems: dict[str, str] = msgspec.field(default_factory=dict)
    solved: set[str] = msgspec.field(default_factory=set)
    has_more: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether nothing was found."""
        found = (self.fresh, self.events, self.locks, self.stops, self.notes, self.gone, self.missing)
        return not (self.has_more or any(found) or self.problems or self.solved)
