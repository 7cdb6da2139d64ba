"""The first and the last line of every screen, and the strip of pages: where one is, and what one can press."""

from collections import deque
from collections.abc import Iterable, Sequence
from itertools import chain

from textual.app import RenderResult
from textual.binding import ActiveBinding
from textual.content import Content
from textual.events import Click
from textual.message import Message
from textual.reactive import reactive
from textual.style import Style
from textual.timer import Timer
from textual.widget import Widget

from alexnet_tui.tui.keys import key_name
from alexnet_tui.tui.widgets.pressable import press_clicked, pressable
from alexnet_tui.tui.widgets.text import hanging

PLACES = (
    ("runs", "Runs"),
    ("new", "New run"),
    ("run", "Run"),
    ("compare", "Compare"),
    ("study", "Studies"),
    ("report", "Report"),
)
_STUDIES = [key for key, _ in PLACES].index("study")
_ALWAYS = ("app.command_palette", "app.help", "app.leave")
_PALETTE_FROM_WIDTH = 60
_MESSAGE_SECONDS, _ERROR_SECONDS = 5.0, 10.0
_MAX_MESSAGE_LINES, _MAX_MESSAGES = 4, 20


class TabStrip(Widget):
    """Names in one line, the open one lit, and a note at the right.

    Args:
        names: What the tabs are called.
        tab: Index of the open one.
        short_names: What the others shrink to where names and note have no room, or None where they stay.

    Attributes:
        note: Forms of the note, the longest first: the first that fits is shown, and none is cut.
    """

    tab: reactive[int] = reactive(0)
    note: reactive[tuple[Content, ...]] = reactive((), always_update=True)

    class Chosen(Message):
        """A tab was clicked."""

        def __init__(self, tab: int) -> None:
            self.tab = tab
            super().__init__()

    def __init__(
        self, names: Sequence[str], *, tab: int = 0, short_names: Sequence[str] | None = None, id: str | None = None
    ) -> None:
        super().__init__(id=id)
        self.names, self.short_names = tuple(names), short_names
        self.set_reactive(TabStrip.tab, tab)

    def render(self) -> RenderResult:
        """One line; where not even the shortest note fits, the names shrink, and where they may not, it is left out."""
        tabs, note, width = self._tabs(self.names), Content(""), self.size.width
        for names in (self.names, self.short_names or ()):
            if names:
                tabs, notes = self._tabs(names), self.notes()
                room = width - tabs.cell_length - 2
                note = next((note for note in notes if note.cell_length <= room), Content(""))
                if note.plain or (not notes and room >= 0):
                    break
        return tabs + Content(" " * max(0, width - 1 - tabs.cell_length - note.cell_length)) + note

    def notes(self) -> Sequence[Content]:
        """Forms of the note at the right, the longest first."""
        return self.note

    def _tabs(self, names: Sequence[str]) -> Content:
        """The tabs; where they are wider than the screen, the first ones give way until the open one is on it."""
        lit = "bold reverse" if self.app.no_color else "bold $accent on $panel"
        parts = [
            Content.styled(
                f" {self.names[index] if index == self.tab else name} ", lit if index == self.tab else "$text-muted"
            ).stylize(Style.from_meta({"tab": index}))
            for index, name in enumerate(names)
        ]
        first, cut = 0, Content("")
        while sum(part.cell_length for part in parts[first : self.tab + 1]) + cut.cell_length > self.size.width:
            if first == self.tab:
                break
            first, cut = first + 1, Content.styled("…", "$text-muted")
        return Content("").join([cut, *parts[first:]]).truncate(max(1, self.size.width), ellipsis=True)

    def on_click(self, event: Click) -> None:
        """A click on a name opens its tab."""
        tab = event.style.meta.get("tab")
        if isinstance(tab, int) and event.button == 1:
            self.post_message(self.Chosen(tab))


class TopBar(TabStrip):
    """The places as tabs.

    Args:
        place: Which of `PLACES` this screen is.
    """

    def __init__(self, place: str) -> None:
        numbers = [str(number) for number in range(1, len(PLACES) + 1)]
        names = [f"{number} {name}" for number, (_, name) in zip(numbers, PLACES, strict=True)]
        super().__init__(names, tab=[key for key, _ in PLACES].index(place), short_names=numbers)
        self._live: tuple[str, ...] = ()

    def on_mount(self) -> None:
        """Follow what the app says of live runs and of the study at work, on every screen."""
        if hasattr(self.app, "live_notes"):
            self.watch(self.app, "live_notes", self._show_live)
            self.watch(self.app, "study_note", self._show_study)

    def _show_live(self, live: tuple[str, ...]) -> None:
        self._live = live
        self.refresh()

    def _show_study(self, progress: str) -> None:
        name = f"{_STUDIES + 1} {PLACES[_STUDIES][1]} {progress}".rstrip()
        self.names = (*self.names[:_STUDIES], name, *self.names[_STUDIES + 1 :])
        self.refresh()

    def notes(self) -> Sequence[Content]:
        """What is running, and the screen's own note; where only one fits, what is running."""
        live = [Content.styled(text, "$running") for text in self._live]
        if not live or not self.note:
            return live or self.note
        both = [[Content.assemble(one, (" · ", "$text-muted"), note) for note in self.note] for one in live]
        return [*chain(*both[:-1]), *live[:-1], *both[-1], live[-1]]

    async def on_tab_strip_chosen(self, message: TabStrip.Chosen) -> None:
        """A click on a place goes there."""
        message.stop()
        await self.app.run_action(f"app.place('{PLACES[message.tab][0]}')")


class KeyBar(Widget):
    """One line of keys, made from the bindings that are active now; palette, help and quit stay at the right.

    A message takes the place of the keys for some seconds, and more lines where it is long.

    Attributes:
        num_lines: Its height now.
        messages: The last messages, the newest last.
    """

    class HeightChanged(Message):
        """A message takes more lines than the keys, or its lines are free again."""

    def __init__(self) -> None:
        super().__init__()
        self.num_lines = 1
        self.messages: deque[str] = deque(maxlen=_MAX_MESSAGES)
        self._message: tuple[str, str] | None = None
        self._timer: Timer | None = None

    def show_message(self, text: str, *, is_error: bool = False) -> None:
        """Show a sentence, safe to print, in place of the keys."""
        if not self.messages or self.messages[-1] != text:
            self.messages.append(text)
        self._message = text, "bold $error" if is_error else "bold"
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.set_timer(_ERROR_SECONDS if is_error else _MESSAGE_SECONDS, self._show_keys)
        self._take_lines(min(_MAX_MESSAGE_LINES, len(self._message_lines())))

    def _message_lines(self) -> list[Content]:
        text, style = self._message or ("", "")
        return hanging(" ", text, max(2, self.size.width - 1), style=style)

    def _show_keys(self) -> None:
        self._message = self._timer = None
        self._take_lines(1)

    def _take_lines(self, count: int) -> None:
        if count != self.num_lines:
            self.num_lines = self.styles.height = count
            self.post_message(self.HeightChanged())
        self.refresh()

    def on_mount(self) -> None:
        """Follow the bindings."""
        self.screen.bindings_updated_signal.subscribe(self, self._redraw)

    def _redraw(self, _: object) -> None:
        self.refresh()

    def render(self) -> RenderResult:
        """Keys at the left, or a message, and palette, help and quit at the right, which a long message takes too."""
        theirs, ours = self._active()
        right = _line(_lasting(ours, has_palette=self.size.width >= _PALETTE_FROM_WIDTH))
        room = self.size.width - right.cell_length - 1
        if self._message is None:
            left = _fitting(theirs, ours, room)
        elif (left := Content("\n").join(self._message_lines())).cell_length > room:
            return left
        return left + Content(" " * max(1, self.size.width - left.cell_length - right.cell_length)) + right

    def _active(self) -> tuple[list[ActiveBinding], list[ActiveBinding]]:
        """The bindings to name: those of the screen and of what has the focus, and those of the app."""
        offers = getattr(self.screen, "offers", lambda action: True)
        active = [
            item
            for item in self.screen.active_bindings.values()
            if (item.binding.show and offers(item.binding.action)) or item.binding.id in _ALWAYS
        ]
        theirs, ours = (
            _distinct(item for item in active if (item.node is self.app) is is_ours) for is_ours in (False, True)
        )
        return theirs, ours

    def on_click(self, event: Click) -> None:
        """A click on a key presses it; on the ellipsis, the key of the help, which names all of them."""
        press_clicked(self, event)


def _lasting(ours: Iterable[ActiveBinding], *, has_palette: bool) -> list[ActiveBinding]:
    """The app's keys that are always named."""
    by_id = {item.binding.id: item for item in ours}
    return [by_id[one] for one in (_ALWAYS if has_palette else _ALWAYS[1:]) if one in by_id]


def _fitting(theirs: Sequence[ActiveBinding], ours: Sequence[ActiveBinding], room: int) -> Content:
    """As many other keys as there is room for, in the order they are declared; an ellipsis where some are left out."""
    names = {item.binding.description for item in theirs}
    extra = [item for item in ours if item.binding.id not in _ALWAYS and item.binding.description not in names]
    left, rest = Content(" "), [*theirs, *extra]
    while rest and (longer := left + _line(rest[:1])).cell_length <= room:
        left, rest = longer, rest[1:]
    if rest and left.cell_length < room:
        helps = next((item.binding.key for item in ours if item.binding.id == "app.help"), "")
        left += pressable(Content.styled("…", "$text-muted"), helps)
    return left


def _line(items: Sequence[ActiveBinding]) -> Content:
    parts: list[Content] = []
    for item in items:
        key = item.binding.key_display or key_name(item.binding.key)
        text = Content.assemble((key, "bold $accent"), " ", (item.binding.description, "$text-muted"))
        parts += (pressable(text, item.binding.key), Content("  "))
    return Content("").join(parts)


def _distinct(items: Iterable[ActiveBinding]) -> list[ActiveBinding]:
    """One entry for each action: several keys may do the same."""
    seen: set[str] = set()
    kept: list[ActiveBinding] = []
    for item in items:
        if item.binding.action not in seen:
            seen.add(item.binding.action)
            kept.append(item)
    return kept
