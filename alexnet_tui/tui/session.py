"""What a screen may ask of the app that holds it, and what the app tells its screens."""

from typing import Protocol, cast

from textual.app import App
from textual.message import Message

from alexnet_tui.runs.store import Store
from alexnet_tui.tui.watcher import RunsWatcher


class Console(Protocol):
    """The app, as its screens see it."""

    store: Store
    watcher: RunsWatcher
    ascii_only: bool

    @property
    def pinned_run_id(self) -> str | None:
        """The run others are compared to."""

    @property
    def marked_run_ids(self) -> list[str]:
        """Marked runs, in the order they were marked."""

    def label_of(self, run_id: str) -> str:
        """What to call a run, safe to show."""

    def open_run(self, run_id: str) -> None:
        """Go to the Run screen."""

    def open_compare(self, run_ids: list[str]) -> None:
        """Go to the Compare screen."""

    def open_new_run(self, template_run_id: str | None = None) -> None:
        """Go to the form, filled in from a run."""

    def toggle_pin(self, run_id: str) -> None:
        """Make a run the baseline, or no longer."""

    def stop_run(self, run_id: str) -> None:
        """Ask a run to stop after a checkpoint."""

    def resume_run(self, run_id: str) -> None:
        """Start or resume a run."""

    def copy(self, text: str) -> None:
        """Put text on the clipboard."""


def console_of(app: App[object]) -> Console:
    """The app as a `Console`."""
    return cast(Console, app)


class RunsChanged(Message):
    """Something was read about runs; `run_ids` names them, deleted ones included."""

    def __init__(self, run_ids: frozenset[str]) -> None:
        super().__init__()
        self.run_ids = run_ids
