"""`RunsTable`: the table of the Runs screen, whose rows are runs or groups of runs."""

from alexnet_tui.tui.screens.runs.columns import COLUMNS, Context
from alexnet_tui.tui.screens.runs.rows import RunRow
from alexnet_tui.tui.widgets.table import LineTable


class RunsTable(LineTable[RunRow, Context]):
    """Runs in lines; marked ones have a background of their own."""

    acting_columns = frozenset({"mark"})

    def __init__(self) -> None:
        super().__init__(COLUMNS, Context())

    def line_class(self, row: RunRow) -> str:
        """Marked runs, and groups with a marked run, are lit."""
        return "" if self.context.marked.isdisjoint(row.members) else "marked"

    def is_same(self, before: RunRow, row: RunRow) -> bool:
        """A group shows what each of its runs showed."""
        return row.id == before.id or before.id in row.members
