"""The notes at the right of the first line: which fit, and in which order they are tried."""

from textual.content import Content

from alexnet_tui.tui.widgets.bars import TopBar


def test_the_longest_forms_of_both_notes_are_tried_first_and_what_runs_is_the_last_to_go() -> None:
    bar = TopBar("runs")
    for live in (("1 running 64% ETA 7m", "64% 7m"), ("1 running 64% ETA 7m · cpu", "1 running 64% ETA 7m", "64% 7m")):
        bar._live, bar.note = live, (Content("9 runs · all literal32"), Content("9 runs"))
        tried = [note.plain for note in bar.notes()]
        assert tried[0] == f"{live[0]} · 9 runs · all literal32"
        assert tried[-1] == live[-1]
        assert tried.index(live[-2]) < tried.index(f"{live[-1]} · 9 runs"), "the shortest form comes last"
        assert len(tried) == len(live) * 3
