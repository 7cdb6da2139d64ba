"""What the Runs screen says where a person has no runs yet, or where the filter leaves none."""

from textual.content import Content

from alexnet_tui.tui.widgets.pressable import pressable


def _key(shown: str, does: str, key: str = "") -> Content:
    """A key and what it does, which a click does as well."""
    return pressable(Content.assemble((shown, "bold $accent"), f" {does}"), key or shown)


NO_RUNS = Content("\n").join(
    [
        Content.styled("Train the study's AlexNet variants, compare them, judge its claims.", "bold"),
        Content(""),
        Content("No runs here yet."),
        Content(""),
        _key("  f ", "trains a first, small network: about half a minute, no download", "f"),
        _key("  n ", "starts a run with settings of your own", "n"),
        _key("  5 ", "reproduces the study: every variant with five seeds", "5"),
        _key("  6 ", "shows what the study published and claims", "6"),
        Content(""),
        _key("  ? ", "shows every key", "question_mark"),
        _key("  q ", "leaves; runs continue without the console", "q"),
    ]
)
ONLY_REFERENCES = Content("\n").join(
    [
        Content.styled("No runs of your own yet:  ", "bold")
        + Content("   ").join([_key("f", "trains a small one"), _key("n", "any other"), _key("5", "the study")]),
        Content.styled("These came with the program:  ", "bold")
        + Content("   ").join([_key("enter", "opens one"), _key("d", "starts one like it")]),
    ]
)
_NO_HITS = Content("No run fits the filter:  ")
NO_HITS = _NO_HITS + _key("esc", "shows all runs again", "escape")
NO_HITS_YET = _NO_HITS + _key("^u", "clears it", "ctrl+u")
