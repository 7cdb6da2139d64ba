"""The home screen: every run in one table, filtered, sorted, grouped, compared to a pinned one."""

import math
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar

import msgspec
from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.content import Content
from textual.events import Resize
from textual.screen import ModalScreen, Screen
from textual.timer import Timer
from textual.widgets import Static

from alexnet_tui.analysis.metrics import METRICS
from alexnet_tui.analysis.seed_noise import deviation
from alexnet_tui.config.first_run import FIRST_RUN
from alexnet_tui.text import counted, printable
from alexnet_tui.tui import note_edits, run_actions
from alexnet_tui.tui.keys import Keys, new_run_key, row_keys
from alexnet_tui.tui.notifications import notify
from alexnet_tui.tui.run_names import cut_name
from alexnet_tui.tui.screens.runs.columns import (
    BY_KEY,
    COLUMNS,
    CREATED,
    Context,
    columns_for,
    format_age,
    shown_order,
    sorted_rows,
)
from alexnet_tui.tui.screens.runs.filter_line import FilterLine
from alexnet_tui.tui.screens.runs.preview import RunPreview
from alexnet_tui.tui.screens.runs.rows import ROW_METRICS, RunRow, group_rows, rows_of
from alexnet_tui.tui.screens.runs.table import RunsTable
from alexnet_tui.tui.screens.runs.welcome import NO_HITS, NO_HITS_YET, NO_RUNS, ONLY_REFERENCES
from alexnet_tui.tui.session import OpenCompare, OpenNewRun, OpenPictures, OpenRun, RunsChanged, Session, StartRun
from alexnet_tui.tui.widgets.bars import KeyBar, TopBar
from alexnet_tui.tui.widgets.pressable import KeysText
from alexnet_tui.tui.widgets.table import LineTable

_key = Keys("runs")
_WITHOUT_RUNS = {"first_run", "app.place('new')", "help", "leave"}
_MOST_NAMED, _NAME_CELLS = 2, 20
_REFRESH_SECONDS = 0.5
_PREVIEW_SECONDS = 0.06
_AGE_SECONDS = 10.0
_PREVIEW_FROM_HEIGHT, _WISHED_FROM_HEIGHT = 34, 22
_LEAST_PREVIEW, _PREVIEW, _LARGEST_PREVIEW = 9, 15, 30
_GREETING_LINES = 5
_OTHER_LINES = 4  # Places, heads, columns left out, keys.


class RunsScreen(Screen[None]):
    """All runs of the store.

    Args:
        session: The session.

    Attributes:
        shown: The rows on show, in order.
    """

    AUTO_FOCUS = "RunsTable"
    BINDINGS: ClassVar[list[BindingType]] = [
        # In the order of the key bar, the most wanted first.
        _key("enter", "open", "Open", "Open the run under the cursor; of a group, compare its runs."),
        _key("f", "first_run", "First run", "Train a first, small network: about half a minute, no download."),
        new_run_key("runs"),
        _key("slash", "filter", "Filter", "Filter the runs: variant=tanh lr>=0.01 best>60 is:running tag:x."),
        _key("s", "sort", "Sort", "Choose a column to sort by; the same again reverses the order."),
        _key("space", "mark", "Mark", "Mark or unmark the run, and go one down."),
        _key("c", "compare", "Compare", "Overlay the marked runs."),
        _key("p", "pin", "Pin", "Make the run the baseline that all others are compared to; again, no longer."),
        _key(
            "g",
            "group",
            "Group",
            "One row for runs of one experiment, alike in all that a result depends on but the seed; again, one a run.",
        ),
        _key("i", "pictures", "Pictures", "Kernels, confusion matrix and mistakes of two runs beside each other."),
        _key("d", "duplicate", "Duplicate", "Start a run with the settings of this one."),
        _key("x", "stop", "Stop", "Stop the run, or the marked runs, after a checkpoint."),
        _key(
            "R",
            "resume",
            "Resume",
            "Continue stopped, failed or crashed runs, start queued ones: this or the marked.",
        ),
        _key("L", "label", "Label", "Give the run a name; of a group, all its runs."),
        _key("T", "tags", "Tags", "Tag the run, or the marked runs."),
        _key("N", "note", "Note", "Write a note on the run; of a group, on all its runs."),
        _key("D,delete", "delete", "Delete", "Delete the run, or the marked runs; asks first."),
        _key("u", "unmark_all", "Unmark", "Clear all marks.", show=False),
        _key("v", "preview", "Preview", "Show or hide the preview.", show=False),
        _key("y", "copy", "Copy", "Copy the path of the run; of a group, of all its runs.", show=False),
        _key("escape", "back", "Back", "Show all runs again.", show=False),
        *row_keys("runs", "run"),
    ]

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        self._rows: dict[str, RunRow] = {}
        self.shown: list[RunRow] = []
        self._dirty: set[str] = set()
        self._refreshed = 0.0
        self._now = 0.0
        self._is_stale = False
        self._refresh_timer: Timer | None = None
        self._preview_timer: Timer | None = None

    @property
    def table(self) -> RunsTable:
        """The table."""
        return self.query_one(RunsTable)

    def compose(self) -> ComposeResult:
        """Places, filter, table, preview, keys."""
        yield TopBar("runs")
        yield FilterLine(self.session.folder.filter)
        yield KeysText(id="empty")
        yield RunsTable()
        yield RunPreview()
        yield KeyBar()

    def on_mount(self) -> None:
        """Show what is known."""
        self.session.folder.filter = self.query_one(FilterLine).text  # Without what means nothing any more.
        self.set_interval(_AGE_SECONDS, self._grow_older)
        self.refresh_rows()

    def on_screen_suspend(self) -> None:
        """Another screen is on top and gets the changes; under a dialog they still come here."""
        self._is_stale = not isinstance(self.app.screen, ModalScreen)

    def on_screen_resume(self) -> None:
        """Runs changed while another screen was on top, or the cursor moved just before it came."""
        if self._is_stale:
            self.refresh_rows()
        self._preview_soon()

    def on_resize(self, event: Resize) -> None:
        """The preview needs room."""
        self._show_preview()

    def on_key_bar_height_changed(self) -> None:
        """A long message takes lines of the preview, not those of the rows."""
        self._show_preview()

    def on_runs_changed(self, message: RunsChanged) -> None:
        """Take in changed runs, at most twice a second."""
        self._dirty |= message.run_ids
        wait = self._refreshed + _REFRESH_SECONDS - time.monotonic()
        if wait <= 0:
            self._refresh_dirty()
        elif self._refresh_timer is None:
            self._refresh_timer = self.set_timer(wait, self._refresh_dirty)

    def refresh_rows(self, only: Iterable[str] | None = None) -> None:
        """Make the rows again, of all runs or of some, and show them."""
        watcher, self._refreshed = self.session.watcher, time.monotonic()
        self._is_stale &= only is not None  # Of the other runs nothing new is known yet.
        renamed = self.session.names.update(watcher.histories, only)
        only = None if only is None else {*only, *renamed}
        fresh = rows_of(watcher, self.session.names, only)
        if only is None:
            self._rows = fresh
        else:
            self._rows.update(fresh)
            for run_id in set(only) - set(fresh):
                self._rows.pop(run_id, None)
        self._arrange()

    def _refresh_dirty(self) -> None:
        if self._refresh_timer is not None:
            self._refresh_timer.stop()
            self._refresh_timer = None
        dirty, self._dirty = self._dirty, set()
        if dirty:
            self.refresh_rows(dirty)

    def _arrange(self) -> None:
        """Group, filter and sort the rows; paint only lines that changed where the order is the same."""
        session, folder = self.session, self.session.folder
        wanted = self.query_one(FilterLine).query_now
        wanted.marked, wanted.pinned = frozenset(folder.marked), session.pinned_run_id
        # A group is the mean of all its runs, whatever the filter shows; keys act on those that it asks for.
        every = group_rows(self._rows.values()) if folder.is_grouped else list(self._rows.values())
        pinned = next((row for row in every if session.pinned_run_id in row.members), None)
        rows = wanted.select(every)
        context = self._cell_context(rows, pinned, wanted.marked)
        rows = sorted_rows(rows, context, folder.sort, is_descending=folder.is_descending)
        sort = shown_order(folder.sort, context, is_descending=folder.is_descending)
        before = self.shown
        self.shown = rows
        columns = columns_for(rows, sort[0])
        if columns == self.table.all_columns and self.table.can_update(rows, context, sort=sort):
            self.table.update_rows([row for row, old in zip(rows, before, strict=True) if row != old])
        else:
            self.table.show(rows, context, sort=sort, columns=columns)
            self._show_preview()
        self._show_counts()

    def _cell_context(self, rows: Sequence[RunRow], pinned: RunRow | None, marked: frozenset[str]) -> Context:
        """What the cells of some rows have in common."""
        if abs(time.time() - self._now) >= _AGE_SECONDS:  # Not more often: a new age repaints its row.
            self._now = time.time()
        accuracies = [row.best for row in rows if row.best is not None] or [1.0]
        firsts = [row.curve[0] for row in rows if len(row.curve) and math.isfinite(row.curve[0])] or [0.0]
        constant = set()
        if len(rows) > 1:
            constant = {key for key in ("front_end", "data") if len({row.setting(key) or row.id for row in rows}) == 1}
        return Context(
            pinned=pinned,
            marked=marked,
            has_groups=any(row.is_group for row in rows),
            constant=frozenset(constant),
            spread=deviation(self.session.runs_like(self.session.pinned_run_id or ""), METRICS[ROW_METRICS["best"]]),
            # In coarse steps, so that not every epoch of a live run repaints all rows.
            curve_range=(math.floor(20 * min(firsts)) / 20, math.ceil(20 * max(accuracies)) / 20),
            now=self._now,
        )

    def _grow_older(self) -> None:
        """Show the ages of now; only rows whose age reads differently are painted again."""
        before, now = self.table.context.now, time.time()
        begun = [(row, row.begun) for row in self.shown if row.begun is not None]
        aged = [row for row, when in begun if format_age(before - when) != format_age(now - when)]
        if self.is_current and aged:
            self._now = now
            self.table.context = msgspec.structs.replace(self.table.context, now=now)
            self.table.update_rows(aged)

    def _show_counts(self) -> None:
        """How many runs there are, what to do where none are shown, and how many the filter lets through."""
        self._show_note()
        self._show_welcome()
        hits = sum(len(row.acted_on) for row in self.shown)
        self.query_one(FilterLine).show_count(hits, len(self._rows))

    def _show_note(self) -> None:
        """In the first line: how many runs, what all have in common, and what could not be read."""
        context = self.table.context
        shortest = count = counted(len(self._rows), "run")
        problems = self.session.watcher.problems
        if problems:  # The one without a name is that of the folder itself.
            shortest = "the runs folder cannot be read" if "" in problems else f"{len(problems)} unreadable"
            count += f" · {shortest}"
        notes = [count] if count == shortest else [count, shortest]
        if context.constant and self.shown:
            config = self.shown[0].config
            shared = [printable(str(getattr(config, key)), 20) for key in sorted(context.constant)[::-1]]
            notes[:0] = [f"{count} · all {', '.join(shared[:size])}" for size in range(len(shared), 0, -1)]
        self.query_one(TopBar).note = tuple(Content.styled(note, "$text-muted") for note in notes)

    def _show_welcome(self) -> None:
        """Above the rows: what a person without runs can do, or one whose filter lets none through."""
        rows, problems = self._rows.values(), self.session.watcher.problems
        is_bare = all(row.is_reference for row in rows)
        if self.table.has_class("-bare") is bool(rows):
            self.query_one(KeyBar).refresh()  # With the first run, more keys do something.
        empty = self.query_one("#empty", Static)
        self.table.set_class(not rows, "-bare")
        text = Content("")
        if rows and not self.shown:
            text = NO_HITS_YET if self.query_one(FilterLine).is_editing else NO_HITS
        # On a low terminal the runs that came with the program need the lines themselves.
        elif is_bare and (not rows or self.app.size.height >= _WISHED_FROM_HEIGHT):
            of_folder = Content.styled(printable(problems.get("", ""), 400), "$error")
            text = of_folder or (ONLY_REFERENCES if rows else NO_RUNS)
        empty.set_class(bool(text), "-shown")
        if text:
            empty.update(text)

    def offers(self, action: str) -> bool:
        """Whether the key bar names an action: without a run, only what starts one."""
        return bool(self._rows) or action in _WITHOUT_RUNS

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """The first run is offered until there is one."""
        return action != "first_run" or all(row.is_reference for row in self._rows.values())

    def action_first_run(self) -> None:
        """Train a first, small network."""
        self.post_message(StartRun(FIRST_RUN))

    # The filter line

    def on_filter_line_changed(self, message: FilterLine.Changed) -> None:
        """Narrow."""
        self.session.folder.filter = self.query_one(FilterLine).text
        self._arrange()

    def on_filter_line_left(self, message: FilterLine.Left) -> None:
        """Back to the table."""
        self.set_focus(self.table)
        self.session.change_folder(filter=self.session.folder.filter)
        self._show_counts()

    async def action_filter(self) -> None:
        """Go to the filter line."""
        await self.query_one(FilterLine).start()
        self._show_counts()

    def action_back(self) -> None:
        """One layer out: show all runs again."""
        if self.session.folder.filter:
            self.query_one(FilterLine).clear()

    # The cursor and the preview

    def action_move(self, rows: int) -> None:
        """Move the cursor."""
        self.table.move(rows)

    def action_page(self, pages: int) -> None:
        """Move the cursor by pages."""
        self.table.page(pages)

    @on(LineTable.CellClicked)
    def _mark_clicked(self, message: LineTable.CellClicked) -> None:
        """A click on the mark marks or unmarks."""
        self.session.toggle_marks(message.row.acted_on)
        self._arrange()

    @on(LineTable.HeadClicked)
    def _sort_by_head(self, message: LineTable.HeadClicked) -> None:
        self._sort_by(message.column)

    def _show_preview(self) -> None:
        preview, height = self.query_one(RunPreview), self._preview_height()
        preview.set_class(height > 0, "-shown")
        if height:
            preview.styles.height = height
        self._preview_soon()

    def _preview_height(self) -> int:
        """The lines the rows leave free, or a few more on a high terminal; 0 where those are too few."""
        height, wish = self.app.size.height, self.session.settings.preview
        if wish == "no" or not self.shown:
            return 0
        greeting = _GREETING_LINES if all(row.is_reference for row in self._rows.values()) else 0
        others = _OTHER_LINES + self.query_one(KeyBar).num_lines - 1 + greeting + 2 * bool(self.session.folder.filter)
        free = min(_LARGEST_PREVIEW, height - others - len(self.shown))
        if height >= (_WISHED_FROM_HEIGHT if wish == "yes" else _PREVIEW_FROM_HEIGHT):
            least = _PREVIEW if height >= _PREVIEW_FROM_HEIGHT else _LEAST_PREVIEW
            return max(least, free)
        return free if free >= _LEAST_PREVIEW else 0

    @on(LineTable.Highlighted)
    def _preview_soon(self) -> None:
        """Draw the preview once the cursor rests."""
        if self._preview_timer is not None:
            self._preview_timer.stop()
        self._preview_timer = self.set_timer(_PREVIEW_SECONDS, self._draw_preview)

    async def _draw_preview(self) -> None:
        preview = self.query_one(RunPreview)
        if preview.has_class("-shown") and self.is_current:
            row = self.table.row
            history = self.session.watcher.histories.get(row.id) if row else None
            context = self.table.context
            await preview.show(row, context.pinned, history, context.spread)

    def action_preview(self) -> None:
        """Show or hide the preview."""
        is_shown = self.query_one(RunPreview).has_class("-shown")
        self.session.change_settings(preview="no" if is_shown else "yes")
        self._show_preview()
        if self.table.row and not is_shown and not self._preview_height():
            notify(self, "There is no room for the preview here; it is shown where the window is higher.")

    # Order

    def action_sort(self) -> None:
        """Ask for a column."""
        from alexnet_tui.tui.widgets.dialogs import ChoiceScreen  # Not needed to start.

        folder = self.session.folder
        choices = [
            (column.key, f"{column.title}: {column.help}".rstrip("."))
            for column in sorted(COLUMNS, key=lambda column: column is not CREATED)
            if column.title
        ]

        def answer(key: str | None) -> None:
            if key is not None:
                self._sort_by(key)

        self.app.push_screen(ChoiceScreen("Sort by", choices, folder.sort), answer)

    def _sort_by(self, key: str) -> None:
        folder = self.session.folder
        is_descending = not folder.is_descending if folder.sort == key else BY_KEY[key].is_descending
        self.session.change_folder(sort=key, is_descending=is_descending)
        self._arrange()
        if self.table.sort[0] != key:
            notify(self, f"{BY_KEY[key].title} says nothing of these rows now; the newest are first.")

    def action_group(self) -> None:
        """Group by all that a result depends on but the seed, or not."""
        self.session.change_folder(is_grouped=not self.session.folder.is_grouped)
        self._arrange()
        if self.session.folder.is_grouped and not self.table.context.has_groups:
            notify(self, "Runs of one experiment would be one row, whatever their seeds; here are no two.")

    # Actions on runs

    def _with_chosen(self, action: str, then: Callable[[Screen[Any], Session, list[str]], object]) -> None:
        """Do something with the run under the cursor, or with the marked ones; asks where it is none of those.

        Args:
            action: What it is called in that question.
            then: Does it.
        """
        row, marked = self.table.row, self.session.marked_run_ids
        if row is None:
            return
        here = list(row.acted_on)
        if not marked or not set(marked).isdisjoint(here):
            then(self, self.session, marked or here)
            return
        from alexnet_tui.tui.widgets.dialogs import ChoiceScreen

        def answer(choice: str | None) -> None:
            if choice is not None:
                then(self, self.session, marked if choice == "marked" else here)

        rows = [self._rows[run_id] for run_id in marked if run_id in self._rows]
        names = [cut_name(one.short_name, _NAME_CELLS) for one in rows[:_MOST_NAMED]]
        listed = "; ".join([*names, *(["…"] if len(marked) > len(names) else [])])
        choices = [
            ("marked", f"{counted(len(marked), 'marked run')}: {listed}"),
            ("here", f"{cut_name(row.short_name, 2 * _NAME_CELLS)}, under the cursor"),
        ]
        self.app.push_screen(ChoiceScreen(f"{action} which?", choices), answer)

    @on(LineTable.Opened)
    def action_open(self) -> None:
        """Open the run; of a group, compare its runs."""
        row = self.table.row
        if row is None:
            return
        if len(row.acted_on) > 1:
            self.post_message(OpenCompare(row.acted_on))
        else:
            self.post_message(OpenRun(*row.acted_on))

    def action_duplicate(self) -> None:
        """Start a run like this one."""
        if row := self.table.row:
            self.post_message(OpenNewRun(row.newest_acted_on))

    def action_mark(self) -> None:
        """Mark or unmark, and move to the row below, also where this one leaves its place by it."""
        if row := self.table.row:
            below = self.table.rows[self.table.cursor + 1 :][:1]
            self.session.toggle_marks(row.acted_on)
            self._arrange()
            ids = [one.id for one in self.table.rows]
            if below and below[0].id in ids:
                self.table.move_to(ids.index(below[0].id))

    def action_unmark_all(self) -> None:
        """Clear all marks."""
        self.session.toggle_marks(self.session.folder.marked)
        self._arrange()

    def action_pin(self) -> None:
        """Pin or unpin."""
        if row := self.table.row:
            before = self.table.columns
            self.session.toggle_pin([row.newest_acted_on, *row.members])
            self._arrange()
            gone = [BY_KEY[key].title for key in before if key not in self.table.columns]
            if gone and self.session.pinned_run_id and not self.table.has_note:
                make = "makes" if len(gone) == 1 else "make"
                notify(self, f"{', '.join(gone)} {make} room for the differences to the pinned run.")

    def action_compare(self) -> None:
        """Compare the marked runs, or this one with the pinned one."""
        row = self.table.row
        if compared := self.session.comparison(row.acted_on if row else ()):
            self.post_message(OpenCompare(compared))
        else:
            notify(self, self.session.missing_to_compare())

    def action_pictures(self) -> None:
        """The pictures of the first two marked runs, or of this one and the pinned one."""
        row = self.table.row
        if compared := self.session.comparison(row.acted_on if row else ()):
            self.post_message(OpenPictures(compared[:2]))
        else:
            notify(self, "Mark two runs with space, then press i; of one run, pictures are a page of it.")

    def action_stop(self) -> None:
        """Stop the chosen runs."""
        self._with_chosen("Stop", run_actions.stop_runs)

    def action_resume(self) -> None:
        """Resume the chosen runs."""
        self._with_chosen("Resume", run_actions.resume_runs)

    def action_label(self) -> None:
        """Name the run, or all runs of the group."""
        if row := self.table.row:
            note_edits.edit_label(self, self.session, row.acted_on)

    def action_tags(self) -> None:
        """Tag the chosen runs."""
        self._with_chosen("Tag", note_edits.edit_tags)

    def action_note(self) -> None:
        """Write a note on the run, or on all runs of the group."""
        if row := self.table.row:
            note_edits.edit_note(self, self.session, row.acted_on)

    def action_delete(self) -> None:
        """Delete the chosen runs, after a question."""
        self._with_chosen("Delete", run_actions.delete_runs)

    def action_copy(self) -> None:
        """Copy the path of the run, or of all runs of the group."""
        if row := self.table.row:
            run_actions.copy_folders(self, self.session, row.acted_on)
