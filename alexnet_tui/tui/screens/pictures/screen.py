"""The pictures of two runs beside each other; of one, they are a page of its own screen."""

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.screen import Screen

from alexnet_tui.tui.pictures.panel import PicturesPanel
from alexnet_tui.tui.session import RunsChanged, Session
from alexnet_tui.tui.widgets.bars import KeyBar, TopBar
from alexnet_tui.tui.workers import CoalescingWorker


class PicturesScreen(Screen[None]):
    """Two runs' kernels, matrices or mistakes.

    Args:
        session: The session.
        run_ids: The runs; `show` changes them.
    """

    AUTO_FOCUS = "PicturesPanel"

    def __init__(self, session: Session, run_ids: Sequence[str]) -> None:
        super().__init__()
        self.session = session
        self._run_ids = tuple(run_ids)
        self._turning = CoalescingWorker(self, self._turn)

    @property
    def panel(self) -> PicturesPanel:
        """The pictures."""
        return self.query_one(PicturesPanel)

    def compose(self) -> ComposeResult:
        """Places, pictures, keys."""
        yield TopBar("compare")
        yield PicturesPanel(self.session, self._run_ids)
        yield KeyBar()

    def show(self, run_ids: Sequence[str]) -> None:
        """Turn to other runs."""
        self._run_ids = tuple(run_ids)
        self._turning.request()

    async def _turn(self) -> None:
        await self.panel.show(self._run_ids)

    def on_screen_resume(self) -> None:
        """Catch up with what happened while another screen was on top."""
        if self.query(PicturesPanel):
            self.panel.update()

    def on_runs_changed(self, message: RunsChanged) -> None:
        """Read what is new of these runs."""
        if message.run_ids & set(self.panel.run_ids):
            self.panel.update()
