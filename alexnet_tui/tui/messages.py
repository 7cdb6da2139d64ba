"""Messages the app posts to its screens."""

from textual.message import Message


class RunsChanged(Message):
    """Something was read about runs; `run_ids` names them, deleted ones included."""

    def __init__(self, run_ids: frozenset[str]) -> None:
        super().__init__()
        self.run_ids = run_ids
