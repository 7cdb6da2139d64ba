"""The head of the Run screen: who the run is, how far, how fast, on what, and why it may not move."""

import math
from collections.abc import Iterable, Sequence

import msgspec
from rich.cells import cell_len
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from alexnet_tui.runs.history import RunHistory
from alexnet_tui.runs.state import State
from alexnet_tui.sparkline import sparkline
from alexnet_tui.text import MISSING, format_done, is_ascii_terminal
from alexnet_tui.tui.glyphs import DONE, REST, STATE_SIGNS, TONES, shown_state
from alexnet_tui.tui.screens.run.facts import (
    Fact,
    age,
    identity_parts,
    machine_facts,
    no_results_text,
    number_facts,
    progress_facts,
    status_message,
)
from alexnet_tui.tui.widgets.text import TONE_STYLES

_WIDE, _LONGEST_SPARKLINE, _MAX_LINES = 100, 60, 5


class Head(msgspec.Struct, frozen=True):
    """A run, how many cells its lines may have, for how long nothing came from another host, and whether it stops."""

    history: RunHistory
    state: State
    width: int
    silence: str = ""
    is_stopping: bool = False

    def lines(self, label: str, *, is_low: bool, has_numbers: bool) -> list[Content]:
        """All of it; on a low screen only what one cannot do without."""
        title = self.title(label)
        sentence, tone = status_message(self.history, self.state, self.silence)
        if self.is_stopping:
            sentence, tone = "Stopping: it saves a checkpoint first.", "warn"
        lines = [title, self.progress(), Content.styled(sentence, TONE_STYLES[tone])]
        if not is_low:
            lines.append(self.activity())
        if has_numbers and not is_low:
            known = [fact for fact in number_facts(self.history, None) if fact.value != MISSING]
            none = Content.styled(no_results_text(self.state), "$text-muted")
            lines.append(line_of_facts(known, self.width) if known else none)
        return [line for line in lines if line.plain]

    def title(self, label: str) -> Content:
        """State and label, and as much of what the run is as one line has room for."""
        state = f"{STATE_SIGNS[self.state]} {shown_state(self.state, is_stopping=self.is_stopping)} "
        parts = identity_parts(self.history)
        while parts and len(state) + cell_len(label) + 2 + cell_len(" · ".join(parts)) > self.width:
            parts.pop()
        title = Content.assemble((state, f"bold {TONE_STYLES[TONES[self.state]]}"), (label, "bold"))
        if parts:
            title = Content.assemble(title, "  ", (" · ".join(parts), "$text-muted"))
        return title.truncate(self.width, ellipsis=True)

    def progress(self) -> Content:
        """The bar, and how far and how fast; the age of the last point is second and never left out."""
        share, size = self.history.progress, 12 if self.width < _WIDE else 32
        done = math.floor(share * size + 1e-9)
        bar = Content.assemble(
            (DONE * done, f"bold {TONE_STYLES[TONES[self.state]]}"),
            (REST * (size - done), "$faint"),
            f" {format_done(share):>4}  ",
        )
        first, *others = progress_facts(self.history, self.state)
        facts = [first, age(self.history, self.state), *others]
        return bar + line_of_facts(facts, self.width - bar.cell_length)

    def activity(self) -> Content:
        """The last steps as a sparkline, and the machine."""
        machine = line_of_facts(machine_facts(self.history, max(30, self.width // 3)), max(10, self.width - 24))
        room = min(_LONGEST_SPARKLINE, self.width - machine.cell_length - 16)
        losses = self.history.steps["train_loss"]
        recent = sparkline(losses[-room:], room, is_ascii_terminal()) if room > 4 else ""
        if not recent:
            return machine
        return Content.assemble(("last steps ", "$text-muted"), (recent, "$series-1"), "   ", machine)


class HeadView(Vertical):
    """The head on screen, a widget a line: a line that changed is repainted alone, and nothing is laid out again."""

    def compose(self) -> ComposeResult:
        """As many lines as there may be."""
        for _ in range(_MAX_LINES):
            yield Static(markup=False)

    def show(self, lines: Sequence[Content]) -> None:
        """Replace the lines; one that is too long is folded."""
        # The screen knows its size before this does.
        width = (self.screen.size or self.app.size).width - self.gutter.width
        for index, widget in enumerate(self.query(Static)):
            line = lines[index] if index < len(lines) else Content("")
            is_shown = index < len(lines)
            if widget.display != is_shown:
                widget.display = is_shown
            before = widget.content
            if not (isinstance(before, Content) and before.is_same(line)):
                was_folded = isinstance(before, Content) and before.cell_length > width
                widget.update(line, layout=was_folded or line.cell_length > width)


def summary_panel(history: RunHistory, pinned: RunHistory | None) -> Content:
    """Every number under the other, with its difference to the pinned run."""
    lines = [Content.styled("Results".ljust(24) + ("vs pinned" if pinned else ""), "bold")]
    for fact in number_facts(history, pinned):
        lines.append(
            Content.assemble(
                (fact.name.ljust(12), "$text-muted"),
                (fact.value.ljust(12), "bold"),
                (fact.delta.rjust(9), "$text-muted"),
            )
        )
    return Content("\n").join(lines)


def line_of_facts(facts: Iterable[Fact], width: int) -> Content:
    """As many facts, ``name value``, as fit on a line, the first ones first; empty values are left out."""
    gap = "   " if width >= _WIDE else "  "
    parts, used = list[str | tuple[str, str]](), 0
    for fact in facts:
        name = f"{fact.name} " if fact.name else ""
        before = gap if parts else ""
        cells = cell_len(before + name + fact.value)
        if fact.value and used + cells <= width:
            parts += [before, (name, "$text-muted"), (fact.value, TONE_STYLES[fact.style] or "bold")]
            used += cells
    return Content.assemble(*parts)
