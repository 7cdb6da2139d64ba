"""The keys of a screen, made from its bindings, with a line to search them."""

from collections.abc import Sequence

import msgspec
from textual.app import ComposeResult
from textual.binding import ActiveBinding
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.events import Resize
from textual.widgets import Input, Static

from alexnet_tui.tui.keys import Keys, key_name
from alexnet_tui.tui.widgets.bars import PLACES
from alexnet_tui.tui.widgets.dialogs import DialogScreen, KeysLine
from alexnet_tui.tui.widgets.line_input import LineInput
from alexnet_tui.tui.widgets.text import hanging

_key = Keys("help")
_MIN_TEXT_CELLS, _MAX_CHARS = 8, 200
_PLACE_NAMES = {**dict(PLACES), "chart": "Charts", "form": "Form", "app": "Everywhere"}


class HelpEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the help: an action and its keys, or a word and what it means.

    Attributes:
        group: Where it belongs.
        keys: What to press.
        text: What happens.
    """

    group: str
    keys: str
    text: str


WORDS = tuple(
    HelpEntry(group="Words", keys=word, text=text)
    for word, text in (
        ("best %", "The highest test accuracy of any epoch; chosen on the test set, as the study does."),
        ("last 5 %", "The mean test accuracy of the last five epochs."),
        (
            "gap",
            "Accuracy on the training set, in evaluation mode, minus that on the test set, in points, mean of the last"
            " five epochs: how far the run overfits.",
        ),
        (
            "T25",
            "Epochs of training until the error on the training set, in evaluation mode, first fell to 25%; between"
            " two epochs on a straight line.",
        ),
        (
            "T25 running",
            "The same by the error that Keras prints: averaged while an epoch trains, with dropout and augmentation.",
        ),
        ("*", "Beside a figure: chosen on the test set, as the study chose its own; too good to judge by."),
        (
            "vs pinned",
            "A run's figure minus the pinned run's, which is the baseline; in colour beyond what seeds alone make.",
        ),
    )
)
"""What the figures on the screens mean."""

FIRST_STEPS = tuple(
    HelpEntry(group="First steps", keys=keys, text=text)
    for keys, text in (
        (
            "1",
            "Runs: ↑ ↓ move, the chart below shows the run at the cursor. space marks, s sorts, / filters, g groups.",
        ),
        ("p", "Pins a run: it is the baseline behind all others, and a column says how far each is from it."),
        (
            "enter",
            "Opens a run: its curves live, results, settings and log; ] turns the pages, m shows one chart alone.",
        ),
        (
            "← →",
            "Move a crosshair over every chart; + zooms, 0 shows all, h hides a curve. With the mouse: click, drag, and"
            " double click to show all.",
        ),
        ("4", "Compare: mark two or more runs with space, then c. g makes means with bands over their seeds."),
        (
            "2",
            "New run: f5 fills in a first, small run, ^r starts it; that takes about half a minute and no download.",
        ),
        ("5", "Studies: r plans every variant with five seeds and starts them; they go on when the console is closed."),
        ("6", "Report: our table beside the published one, and a verdict on each claim, once its runs are finished."),
        ("^p", "Every action by name. t changes dark and light. q leaves; nothing that trains is stopped."),
    )
)


def help_entries(active: Sequence[ActiveBinding]) -> list[HelpEntry]:
    """One line for each action that has an id, in the order of the bindings; several keys of one action share it."""
    found: dict[str, tuple[list[str], ActiveBinding]] = {}
    for item in active:
        binding = item.binding
        if binding.id:
            keys, _ = found.setdefault(binding.id, ([], item))
            keys += [key_name(key) for key in binding.key.split(",")]
    lines = []
    for identifier, (keys, item) in found.items():
        place = identifier.partition(".")[0]
        lines.append(
            HelpEntry(
                group=_PLACE_NAMES.get(place, place.replace("-", " ").capitalize()),
                keys="  ".join(dict.fromkeys(keys)),
                text=item.binding.tooltip or item.binding.description,
            )
        )
    return lines


class HelpScreen(DialogScreen[None]):
    """Keys of the screen below.

    Args:
        lines: What to show; see `help_entries`.
        filter_words: The words of the filter line, with what they mean.
        messages: What was said in place of the keys, the newest last.
    """

    AUTO_FOCUS = "#help-search"
    BINDINGS = [
        _key("down", "scroll(1)", "Down", "Scroll down.", show=False),
        _key("up", "scroll(-1)", "Up", "Scroll up.", show=False),
        _key("pagedown", "page(1)", "Page down", "A page down.", show=False),
        _key("pageup", "page(-1)", "Page up", "A page up.", show=False),
    ]

    def __init__(
        self, lines: Sequence[HelpEntry], *, filter_words: Sequence[tuple[str, str]], messages: Sequence[str]
    ) -> None:
        super().__init__("")
        self._lines = [*lines, *WORDS, *FIRST_STEPS]
        self._lines += [HelpEntry(group="Filter words", keys=word, text=text) for word, text in filter_words]
        self._lines += [HelpEntry(group="Last messages here", keys="·", text=text) for text in reversed(messages)]

    def compose(self) -> ComposeResult:
        """A search line over the list."""
        search = LineInput(
            placeholder='type to search, such as "first steps" or "gap"',
            id="help-search",
            max_length=_MAX_CHARS,
            compact=True,
        )
        search.cursor_blink = False
        with Vertical(id="help-box"):
            yield search
            with VerticalScroll(id="help-list", can_focus=False):
                yield Static(self._content(""), id="help-text")
            yield KeysLine(("escape", "Close"))

    def on_input_changed(self, event: Input.Changed) -> None:
        """Narrow the list."""
        self.query_one("#help-text", Static).update(self._content(event.value))

    def matching(self, text: str) -> list[HelpEntry]:
        """The lines that hold every word of `text`."""
        words = text.casefold().split()
        return [
            line
            for line in self._lines
            if all(word in f"{line.group} {line.keys} {line.text}".casefold() for word in words)
        ]

    def on_resize(self, event: Resize) -> None:
        """Wrap again."""
        self.query_one("#help-text", Static).update(self._content(self.query_one(Input).value))

    def _content(self, text: str) -> Content:
        lines: list[Content] = []
        groups: dict[str, list[HelpEntry]] = {}
        for line in self.matching(text):
            groups.setdefault(line.group, []).append(line)
        for group, found in groups.items():
            lines += [Content(""), Content.styled(group, "bold")]
            lines += _wrapped(found, min(84, self.app.size.width) - 7)
        return Content("\n").join(lines) if lines else Content.styled("\nNo matches.", "$text-muted")

    def action_scroll(self, rows: int) -> None:
        """Scroll by rows."""
        self.query_one(VerticalScroll).scroll_relative(y=rows, animate=False)

    def action_page(self, pages: int) -> None:
        """Scroll by pages."""
        area = self.query_one(VerticalScroll)
        area.scroll_relative(y=pages * area.size.height, animate=False)


def _wrapped(entries: Sequence[HelpEntry], width: int) -> list[Content]:
    """Keys at the left, texts beside them, wrapped under themselves; on a few columns, texts below the keys."""
    keys_width = max(1, min(max(len(entry.keys) for entry in entries), width // 2))
    lines: list[Content] = []
    for entry in entries:
        label = f"  {entry.keys:<{keys_width}}  "
        if len(label) + _MIN_TEXT_CELLS > width:
            lines.append(Content.styled(f"  {entry.keys}", "bold $accent"))
            label = "    "
        lines += hanging(label, entry.text, max(len(label) + 1, width), label_style="bold $accent")
    return lines
