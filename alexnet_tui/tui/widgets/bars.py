"""The first and the last line of every screen, and the strip of pages: where one is, and what one can press."""

from collections.abc import Iterable, Sequence

from textual.app import RenderResult
from textual.binding import ActiveBinding
from textual.content import Content
from textual.events import Click
from textual.message import Message
from textual.reactive import reactive
from textual.style import Style
from textual.widget import Widget

from alexnet_tui.tui.widgets.keys import key_name

PLACES = (("runs", "Runs"), ("new", "New run"), ("run", "Run"), ("compare", "Compare"), ("report", "Report"))
_LEAST_NOTE = 12
_ALWAYS = ("app.help", "app.leave")


class TabStrip(Widget):
    """Names in one line, the open one lit, and a note at the right.

    Args:
        names: What the tabs are called.
        tab: Index of the open one.
        short_names: What the others shrink to where names and note have no room, or None where they stay.
    """

    tab: reactive[int] = reactive(0)
    note: reactive[Content] = reactive(Content(""), always_update=True)

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
        """One line; the note is cut where there is no room for it, and before it is lost, the names are."""
        tabs, notes = self._tabs(self.names), self.notes()
        free = self.size.width - tabs.cell_length - 2
        if self.short_names is not None and free < min(notes[-1].cell_length, _LEAST_NOTE):
            tabs = self._tabs(self.short_names)
        room = self.size.width - tabs.cell_length - 2
        note = next((note for note in notes if note.cell_length <= room), notes[-1])
        note = note.truncate(room, ellipsis=True) if room > 0 else Content("")
        return tabs + Content(" " * max(0, room + 1 - note.cell_length)) + note

    def notes(self) -> list[Content]:
        """What may be at the right, the longest first; the last one is cut where none fits."""
        return [self.note]

    def _tabs(self, names: Sequence[str]) -> Content:
        lit = "bold reverse" if self.app.no_color else "bold $accent on $panel"
        parts = [
            Content.styled(
                f" {self.names[index] if index == self.tab else name} ", lit if index == self.tab else "$text-muted"
            ).stylize(Style.from_meta({"tab": index}))
            for index, name in enumerate(names)
        ]
        return Content("").join(parts)

    def on_click(self, event: Click) -> None:
        """A click on a name opens its tab."""
        tab = event.style.meta.get("tab")
        if isinstance(tab, int):
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
        self._live = ""

    def on_mount(self) -> None:
        """Follow what the app says of live runs, on every screen."""
        if hasattr(self.app, "live_note"):
            self.watch(self.app, "live_note", self._show_live)

    def _show_live(self, live: str) -> None:
        self._live = live
        self.refresh()

    def notes(self) -> list[Content]:
        """What is running, and the screen's own note; where only one fits, what is running."""
        live = Content.styled(self._live, "$running")
        if not self._live or not self.note.plain:
            return [live if self._live else self.note]
        return [Content.assemble(live, (" · ", "$text-muted"), self.note), live]

    async def on_tab_strip_chosen(self, message: TabStrip.Chosen) -> None:
        """A click on a place goes there."""
        message.stop()
        await self.app.run_action(f"app.place('{PLACES[message.tab][0]}')")


class KeyBar(Widget):
    """One line of keys, made from the bindings that are active now; help and quit stay at the right."""

    def on_mount(self) -> None:
        """Follow the bindings."""
        self.screen.bindings_updated_signal.subscribe(self, self._redraw)

    def _redraw(self, _: object) -> None:
        self.refresh()

    def render(self) -> RenderResult:
        """As many keys as there is room for, in the order they are declared; an ellipsis where some are left out."""
        offers = getattr(self.screen, "offers", lambda action: True)
        active = [
            item for item in self.screen.active_bindings.values() if item.binding.show and offers(item.binding.action)
        ]
        ours = _distinct(item for item in active if item.node is self.app)
        right = _line([item for item in ours if item.binding.id in _ALWAYS])
        room = self.size.width - right.cell_length - 1
        theirs = _distinct(item for item in active if item.node is not self.app)
        names = {item.binding.description for item in theirs}
        extra = [item for item in ours if item.binding.id not in _ALWAYS and item.binding.description not in names]
        left, rest = Content(" "), [*theirs, *extra]
        while rest:
            longer = left + _line(rest[:1])
            if longer.cell_length > room:
                break
            left, rest = longer, rest[1:]
        if rest and left.cell_length < room:
            left += Content.styled("…", "$text-muted")
        return left + Content(" " * max(1, self.size.width - left.cell_length - right.cell_length)) + right

    def on_click(self, event: Click) -> None:
        """A click on a key presses it."""
        if key := event.style.meta.get("press"):
            self.app.simulate_key(str(key).partition(",")[0])


def _line(items: Sequence[ActiveBinding]) -> Content:
    parts: list[Content] = []
    for item in items:
        key = item.binding.key_display or key_name(item.binding.key)
        text = Content.assemble((key, "bold $accent"), " ", (item.binding.description, "$text-muted"))
        parts += (text.stylize(Style.from_meta({"press": item.binding.key})), Content("  "))
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
