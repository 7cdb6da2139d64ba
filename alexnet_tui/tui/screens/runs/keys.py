"""The keys of the runs table's screen."""

from textual.binding import Binding, BindingType

from alexnet_tui.tui.widgets.bars import new_run_key


def _binding(keys: str, action: str, name: str, tooltip: str, *, show: bool = True) -> Binding:
    identifier = action.partition("(")[0].replace("_", "-")
    return Binding(keys, action, name, id=f"runs.{identifier}", tooltip=tooltip, show=show)


RUNS_BINDINGS: tuple[BindingType, ...] = (
    _binding("enter", "open", "Open", "Open the run under the cursor."),
    new_run_key("runs"),
    _binding("slash", "filter", "Filter", "Filter the runs: variant=tanh lr>=0.01 best>60 is:running tag:x."),
    _binding("s", "sort", "Sort", "Choose a column to sort by; the same again turns the order round."),
    _binding("space", "mark", "Mark", "Mark or unmark the run, and go one down."),
    _binding("c", "compare", "Compare", "Lay the marked runs over each other."),
    Binding("w", "app.place('study')", "Studies", id="runs.studies", tooltip="Plans of many runs; their queue."),
    _binding("p", "pin", "Pin", "Make the run the baseline that all others are compared to, or not."),
    _binding("g", "group", "Group", "One row for runs that differ only in their seed, or not."),
    _binding("d", "duplicate", "Duplicate", "Start a run with the settings of this one."),
    _binding("x", "stop", "Stop", "Stop the run after a checkpoint."),
    _binding("R", "resume", "Resume", "Go on with a stopped, failed or lost run; begin a queued one."),
    _binding("L", "label", "Label", "Give the run a name."),
    _binding("T", "tags", "Tags", "Tag the run, or the marked runs."),
    _binding("N", "note", "Note", "Write a note on the run."),
    _binding("D,delete", "delete", "Delete", "Delete the run, or the marked runs; asks first."),
    _binding("u", "unmark_all", "Unmark", "Take away all marks.", show=False),
    _binding("v", "preview", "Preview", "Show or hide the preview.", show=False),
    _binding("y", "copy", "Copy", "Copy the path of the run.", show=False),
    _binding("escape", "back", "Back", "Show all runs again.", show=False),
    Binding("up,k", "move(-1)", "Up", id="runs.up", show=False, tooltip="One run up."),
    Binding("down,j", "move(1)", "Down", id="runs.down", show=False, tooltip="One run down."),
    Binding("pageup", "page(-1)", "Page up", id="runs.page-up", show=False, tooltip="A page up."),
    Binding("pagedown", "page(1)", "Page down", id="runs.page-down", show=False, tooltip="A page down."),
    Binding("home", "move(-1000000)", "First", id="runs.first", show=False, tooltip="The first run."),
    Binding("end", "move(1000000)", "Last", id="runs.last", show=False, tooltip="The last run."),
)
"""In the order of the key bar, the most wanted first."""
