"""The notes at the right of the first line, and the lines of a message in the last."""

from rich.cells import cell_len
from textual.content import Content

from alexnet_tui.tui.widgets.bars import TopBar
from alexnet_tui.tui.widgets.text import hanging


def test_the_longest_forms_of_both_notes_are_tried_first_and_what_runs_is_the_last_to_go() -> None:
    bar = TopBar("runs")
    for live in (("1 running 64% ETA 7m", "64% 7m"), ("1 running 64% ETA 7m · cpu", "1 running 64% ETA 7m", "64% 7m")):
        bar._live, bar.note = live, (Content("9 runs · all literal32"), Content("9 runs"))
        tried = [note.plain for note in bar.notes()]
        assert tried[0] == f"{live[0]} · 9 runs · all literal32"
        assert tried[-1] == live[-1]
        assert tried.index(live[-2]) < tried.index(f"{live[-1]} · 9 runs"), "the shortest form comes last"
        assert len(tried) == len(live) * 3


def test_wide_characters_are_wrapped_by_cells_and_none_is_lost() -> None:
    text = f"Compared again: {'画像の実験を' * 5}. It was taken out with --train-images 250."
    for label in (" ", "画像 "):
        for width in (2, 20, 79):
            lines = hanging(label, text, width)
            assert max(line.cell_length for line in lines) <= max(width, 16 + cell_len(label))
            assert "".join(line.plain for line in lines).replace(" ", "").endswith(text.replace(" ", ""))
            assert all(line.plain.startswith(" " * cell_len(label)) for line in lines[1:])
            assert width < 20 or any("--train-images" in line.plain for line in lines)
