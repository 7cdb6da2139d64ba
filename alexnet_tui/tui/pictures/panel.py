"""`PicturesPanel`: the pictures of one run, or of two beside each other, and the keys that move through them."""

from collections.abc import Sequence
from typing import Any, ClassVar

import msgspec
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical

from alexnet_tui.tui.keys import Keys
from alexnet_tui.tui.pictures.column import PictureColumn
from alexnet_tui.tui.pictures.source import Subject
from alexnet_tui.tui.pictures.view import View
from alexnet_tui.tui.session import Session
from alexnet_tui.tui.widgets.bars import TabStrip

_key = Keys("pictures")


class PicturesPanel(Vertical, can_focus=True):
    """Kernels, confusion matrix and mistakes of runs beside each other.

    Args:
        session: The session.
        run_ids: One run or two; `show` changes them.

    Attributes:
        view: What is looked at, in every column.
    """

    DEFAULT_CSS = """
    PicturesPanel { height: 1fr; background: $background; }
    PicturesPanel #subjects { height: 1; }
    PicturesPanel #columns { height: 1fr; padding: 0 1; }
    PicturesPanel PictureColumn.-beside { margin-left: 3; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        _key("m", "subject", "Picture", "Kernels, confusion matrix, mistakes, in turn."),
        _key("left,h", "step(-1, 0)", "Move", "The epoch before, the cell or the image at the left.", display="←/→"),
        _key("right,l", "step(1, 0)", "Next", "The next epoch, the cell or the image at the right.", show=False),
        _key("up,k", "step(0, -1)", "Up", "A row up.", show=False),
        _key("down,j", "step(0, 1)", "Down", "A row down.", show=False),
        _key("home", "step(-1000000, 0)", "First", "The first epoch, cell or image.", show=False),
        _key("end", "step(1000000, 0)", "Last", "The last epoch, cell or image.", show=False),
        _key("plus,equals_sign", "zoom(1)", "Size", "Larger kernels.", display="+/-"),
        _key("minus", "zoom(-1)", "Smaller", "Smaller kernels.", show=False),
        _key("enter", "open", "Images", "The test images of this cell of the matrix."),
        _key("escape", "close", "Matrix", "Back to the matrix.", show=False),
    ]

    def __init__(self, session: Session, run_ids: Sequence[str]) -> None:
        super().__init__()
        self.session = session
        self.run_ids = tuple(run_ids)
        self.view = View()

    @property
    def columns(self) -> list[PictureColumn]:
        """One for each run."""
        return list(self.query(PictureColumn))

    def compose(self) -> ComposeResult:
        """The strip of subjects, and a column for each run."""
        yield TabStrip([subject.capitalize() for subject in Subject], id="subjects")
        with Horizontal(id="columns"):
            yield from self._new_columns()

    def _new_columns(self) -> list[PictureColumn]:
        return [PictureColumn(self.session, run_id, self.run_ids, self.view) for run_id in self.run_ids]

    def on_mount(self) -> None:
        """Read for the first time."""
        self.update()

    async def show(self, run_ids: Sequence[str]) -> None:
        """Turn to other runs, one call at a time; what was looked at of the old ones is forgotten."""
        if tuple(run_ids) != self.run_ids:
            self.run_ids = tuple(run_ids)
            self._set_view(self.view.of_other_runs())
        if tuple(column.run_id for column in self.columns) != self.run_ids:
            holder = self.query_one("#columns")
            await holder.remove_children()
            if not holder.is_attached:  # The console is closing.
                return
            await holder.mount(*self._new_columns())
        self.update()

    def update(self) -> None:
        """Read what is new of the runs."""
        for column in self.columns:
            column.read()

    def _set_view(self, view: View) -> None:
        self.view = view
        for column in self.columns:
            column.view = view

    def _look_at(self, **changes: Any) -> None:
        """Look at something else of what was read."""
        self._set_view(msgspec.structs.replace(self.view, **changes))
        for column in self.columns:
            column.redraw()
        self._show_note()

    def _show_note(self) -> None:
        """What is shown, beside the names of the subjects; of two runs each has it above its pictures."""
        columns = self.columns
        if columns:
            self.query_one("#subjects", TabStrip).note = columns[0].notes() if len(self.run_ids) == 1 else ()

    def on_picture_column_captions_changed(self, message: PictureColumn.CaptionsChanged) -> None:
        """A column has read something, or has another size."""
        message.stop()
        self._show_note()

    def on_picture_column_cell_clicked(self, message: PictureColumn.CellClicked) -> None:
        """A click on a cell of the matrix goes there, a second one opens its images."""
        message.stop()
        self._look_at(cursor=message.cell)
        if message.is_double:
            self._turn_to(Subject.MISTAKES, message.cell)

    def on_mouse_scroll_down(self) -> None:
        """The wheel moves down."""
        self.action_step(0, 1)

    def on_mouse_scroll_up(self) -> None:
        """The wheel moves up."""
        self.action_step(0, -1)

    def on_tab_strip_chosen(self, message: TabStrip.Chosen) -> None:
        """A subject was clicked."""
        message.stop()
        self._turn_to(list(Subject)[message.tab])

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keys that mean nothing for what is shown are left to the screen."""
        match action:
            case "open":
                return self.view.subject is Subject.CONFUSION
            case "close":
                return self.view.cell is not None and self.view.subject is Subject.MISTAKES
            case "zoom":
                return self.view.subject is Subject.KERNELS
        return True

    def _turn_to(self, subject: Subject, cell: tuple[int, int] | None = None) -> None:
        self.query_one("#subjects", TabStrip).tab = list(Subject).index(subject)
        self._look_at(subject=subject, cell=cell, first_image=0)
        self.update()
        self.refresh_bindings()

    def action_subject(self) -> None:
        """The next subject."""
        subjects = list(Subject)
        self._turn_to(subjects[(subjects.index(self.view.subject) + 1) % len(subjects)])

    def action_step(self, across: int, down: int) -> None:
        """Move: through epochs, cells or images."""
        match self.view.subject:
            case Subject.KERNELS:
                if across:
                    self._step_epoch(across)
                if down:
                    self._scroll_kernels(down)
            case Subject.CONFUSION:
                self._step_cursor(across, down)
            case Subject.MISTAKES:
                self._step_image(across, down)

    def _step_epoch(self, across: int) -> None:
        found = next((one.found for one in self.columns if one.found and len(one.found.epochs) > 1), None)
        if found is not None and found.epoch is not None:
            place = max(0, min(len(found.epochs) - 1, found.epochs.index(found.epoch) + across))
            is_newest = place == len(found.epochs) - 1
            self._set_view(msgspec.structs.replace(self.view, epoch=None if is_newest else found.epochs[place]))
            self.update()  # What is shown changes when its kernels have been read.

    def _scroll_kernels(self, rows: int) -> None:
        last = max((one.last_top for one in self.columns), default=0)
        lines = rows * max((one.grid.lines_a_row for one in self.columns if one.grid), default=0)
        self._look_at(scroll=max(0, min(last, min(self.view.scroll, last) + lines)))

    def _step_cursor(self, across: int, down: int) -> None:
        sizes = [matrix.size for one in self.columns if (matrix := one.matrix)]
        if sizes:
            last = min(sizes) - 1
            row, column = self.view.cursor
            self._look_at(cursor=(max(0, min(last, row + down)), max(0, min(last, column + across))))

    def _step_image(self, across: int, down: int) -> None:
        most = max((len(one.image_indices) for one in self.columns), default=0)
        cards = next((one.cards for one in self.columns if one.cards), None)
        if most and cards is not None:
            step = across + down * cards.columns
            self._look_at(first_image=max(0, min(most - 1, self.view.first_image + step)))

    def action_zoom(self, direction: int) -> None:
        """The next larger or smaller kernels, if there are any."""
        columns, zoom = self.columns, self.view.zoom
        before = [one.grid for one in columns]
        for change in range(2, 2 * max(self.size.width, 2), 2):  # A kernel is enlarged a whole number of times.
            if [one.grid_at(zoom + change * direction) for one in columns] != before:
                self._look_at(zoom=zoom + change * direction)
                return

    def action_open(self) -> None:
        """The images of the cell under the cursor."""
        self._turn_to(Subject.MISTAKES, self.view.cursor)

    def action_close(self) -> None:
        """Back to the matrix."""
        self._turn_to(Subject.CONFUSION)
