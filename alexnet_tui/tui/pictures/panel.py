"""`PicturesPanel`: the pictures of one run, or of two beside each other, and the keys that move through them."""

from collections.abc import Sequence
from typing import ClassVar

from rich.cells import cell_len
from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.color import Color
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.geometry import Size
from textual.strip import Strip
from textual.style import Style
from textual.widget import Widget

from alexnet_tui.errors import StoreError
from alexnet_tui.report.pictures.kernels import Kernels
from alexnet_tui.runs.history import RunHistory
from alexnet_tui.runs.state import State
from alexnet_tui.text import format_count, format_percent, is_ascii_terminal, printable
from alexnet_tui.tui import threads
from alexnet_tui.tui.keys import Keys
from alexnet_tui.tui.pictures.confusion import SIDE_CELLS, Fit, Matrix, fit, matrix_lines, pair_lines
from alexnet_tui.tui.pictures.gallery import Cards, card_lines, cards_for
from alexnet_tui.tui.pictures.kernel_tiles import Grid, grid_for, kernel_lines
from alexnet_tui.tui.pictures.painter import Mode, Painter, Words
from alexnet_tui.tui.pictures.source import Found, PictureFiles, Subject
from alexnet_tui.tui.run_names import cut_name, short_names
from alexnet_tui.tui.session import Session
from alexnet_tui.tui.widgets.bars import TabStrip
from alexnet_tui.tui.widgets.text import hanging
from alexnet_tui.tui.workers import CoalescingWorker

_key = Keys("pictures")
_STYLES = {
    "": "$foreground on $background",
    "muted": "$text-muted",
    "strong": "bold $foreground",
    "accent": "bold $accent",
    "faint": "$faint",
    "right": "$series-1",
    "wrong": "$series-2",
    "cursor": "bold reverse",
}
_MODES = {
    (False, False): Mode.HALVES,
    (False, True): Mode.GROUNDS,
    (True, False): Mode.SHADES,
    (True, True): Mode.STROKES,
}
"""By whether there are no colours but the terminal's own, and whether there are no characters but ASCII."""
_MOST_MISTAKES = 200
_SIDE_FROM = 120
_CAPTION_LINES = 2
_LONGEST_SLIDER, _SHORTEST_SLIDER = 24, 10
_READING = "Reading …"
_NO_KERNELS = "This run stored no kernels: it was trained by a program that kept none."
_NO_KERNELS_YET = "The first kernels are stored before the first update."
_NO_PREDICTIONS = (
    "A run writes its answers on the test images when it has finished; the matrix and the mistakes are made from them."
)
_NO_MISTAKE = "The network made no mistake on the test images."
_NO_IMAGES = "The images cannot be shown:"
_NO_IMAGE = "No test image of this class got this answer."


class PictureColumn(Widget):
    """The pictures of one run; what to show is the panel's choice.

    Args:
        panel: The panel.
        run_id: The run.
    """

    ALLOW_SELECT = False
    DEFAULT_CSS = "PictureColumn { width: 1fr; height: 1fr; }"

    def __init__(self, panel: "PicturesPanel", run_id: str) -> None:
        super().__init__()
        self.panel, self.run_id = panel, run_id
        self.set_class(run_id != panel.run_ids[0], "-beside")
        self.found: Found | None = None
        self.placed: Fit | None = None
        self.cards: Cards | None = None
        self._files: PictureFiles | None = None
        self._reading = CoalescingWorker(self, self._read)
        self._painter: Painter | None = None
        self._lines: list[Strip] | None = None
        self._drawn_size = Size()

    @property
    def history(self) -> RunHistory | None:
        """What is known of the run, or None if it is gone."""
        return self.panel.session.watcher.histories.get(self.run_id)

    @property
    def names(self) -> list[str]:
        """Names of the classes, safe to print."""
        history, found = self.history, self.found
        known = list(history.started.class_names) if history and history.started else []
        count = found.predictions.num_classes if found and found.predictions else 0
        count = max(count, len(known))
        return [printable(known[index], 40) if index < len(known) else f"class {index}" for index in range(count)]

    @property
    def matrix(self) -> Matrix | None:
        """The confusion matrix, where there are predictions."""
        found = self.found
        if found is None or found.predictions is None:
            return None
        return Matrix(found.predictions.confusion(), self.names[: found.predictions.num_classes])

    @property
    def image_indices(self) -> list[int]:
        """The test images to look through: the worst mistakes, or those of a cell of the matrix."""
        if self.found is None or self.found.predictions is None:
            return []
        cell, predictions = self.panel.cell, self.found.predictions
        chosen = predictions.worst(_MOST_MISTAKES) if cell is None else predictions.of_cell(*cell)
        return [int(index) for index in chosen]

    def read(self) -> None:
        """Read what is new, beside the loop that draws."""
        self._reading.request()

    async def _read(self) -> None:
        if (history := self.history) is None:
            return
        found = await threads.call(self._find, history, self.panel.subject, self.panel.epoch)
        if found is not self.found:
            self.found = found
            self.redraw()
            self.panel.show_note()

    def _find(self, history: RunHistory, subject: Subject, epoch: int | None) -> Found | None:
        """What the run's folder holds now; what it held before where the run is gone."""
        try:
            self._files = self._files or PictureFiles(self.panel.session.store.path(self.run_id))
        except StoreError:
            return self.found
        return self._files.read(history, subject, epoch)

    def redraw(self) -> None:
        """Draw again."""
        self._lines = None
        self.refresh()

    def notify_style_update(self) -> None:
        """The theme changed: colours are looked up again."""
        self._painter, self._lines = None, None
        super().notify_style_update()

    def on_resize(self) -> None:
        """Choose what fits."""
        self.panel.show_note()

    def render_line(self, y: int) -> Strip:
        """One line."""
        if self._lines is None or self._drawn_size != self.size:
            self._drawn_size = self.size  # The first lines are asked for before the resize is reported.
            self._lines = self._draw(self.size.width, self.size.height)
        if y < len(self._lines):
            return self._lines[y]
        return Strip.blank(self.size.width, self._styled().styles[""])

    def _styled(self) -> Painter:
        """Styles in the theme's colours, and how pixels are shown on this terminal."""
        if self._painter is None:
            app = self.app
            variables = app.theme_variables
            styles = {name: Style.parse(text, variables).rich_style for name, text in _STYLES.items()}
            is_plain = app.no_color or app.current_theme.ansi or app.console.color_system == "standard"
            mode = _MODES[is_plain, is_ascii_terminal()]
            ground = (0, 0, 0) if is_plain else Color.parse(variables["background"]).rgb
            self._painter = Painter(mode, styles, ground)
        return self._painter

    def _draw(self, width: int, height: int) -> list[Strip]:
        painter, lines = self._styled(), list[Strip]()
        if self.panel.is_pair:
            lines = [painter.line(width, *line) for line in self._caption(width)]
        height = self._room(height)
        problem = self._problem()
        if problem:
            text = hanging(" ", problem, max(10, min(width - 1, 160)))
            return [*lines, painter.line(width), *(painter.line(width, (line.plain, "muted")) for line in text)]
        match self.panel.subject:
            case Subject.KERNELS:
                return lines + self._draw_kernels(painter, width, height)
            case Subject.CONFUSION:
                return lines + self._draw_matrix(painter, width, height)
            case _:
                return lines + self._draw_cards(painter, width, height)

    def _problem(self) -> str:
        """Why there is no picture, or nothing."""
        found, history = self.found, self.history
        if history is None:
            return printable(self.panel.session.watcher.why_unknown(self.run_id), 400)
        if found is None:
            return _READING
        if self.panel.subject is Subject.KERNELS:
            is_new = not history.num_events or self.panel.session.state_of(self.run_id) is State.RUNNING
            missing = _NO_KERNELS_YET if is_new else _NO_KERNELS
            return "" if found.kernels is not None else found.kernels_problem or missing
        if found.predictions is None:
            return found.predictions_problem or _NO_PREDICTIONS
        if self.panel.subject is Subject.MISTAKES and not self.image_indices:
            return _NO_MISTAKE if self.panel.cell is None else _NO_IMAGE
        return ""

    @property
    def kernels(self) -> Kernels | None:
        """The first layer's kernels, where there are any."""
        return None if self.found is None else self.found.kernels

    @property
    def grid(self) -> Grid | None:
        """How the kernels are laid out, where there are any."""
        return None if self.kernels is None else self._grid_of(self.kernels)

    def _grid_of(self, kernels: Kernels) -> Grid:
        count, _, *sides = kernels.shape
        is_mixed = self._styled().mode is not Mode.HALVES
        height = self._room(self.size.height)
        return grid_for(count, max(sides), self.size.width, height, zoom=self.panel.zoom, is_mixed=is_mixed)

    @property
    def last_top(self) -> int:
        """The line of the kernels that is the first on show where the last one is; 0 where all have room."""
        kernels = self.kernels
        if kernels is None:
            return 0
        return max(0, self._grid_of(kernels).lines(len(kernels)) - self._room(self.size.height))

    def _room(self, height: int) -> int:
        """Lines below the caption."""
        return max(1, height - _CAPTION_LINES) if self.panel.is_pair else height

    def _draw_kernels(self, painter: Painter, width: int, height: int) -> list[Strip]:
        kernels = self.kernels
        assert kernels is not None
        lines = kernel_lines(kernels, self._grid_of(kernels), painter, width)
        top = min(self.panel.scroll, self.last_top)
        return lines[top : top + height]

    def _draw_matrix(self, painter: Painter, width: int, height: int) -> list[Strip]:
        matrix = self.matrix
        assert matrix is not None
        row, column = (min(place, matrix.size - 1) for place in self.panel.cursor)
        has_side = width >= _SIDE_FROM
        room = width - SIDE_CELLS if has_side else width
        placed = self.placed = fit(matrix, room, height - 3, (row, column), has_colours=painter.has_colours)
        lines = matrix_lines(matrix, placed, (row, column), painter, room)
        lines += [painter.line(room), painter.line(room, (f" {matrix.sentence(row, column)}", "strong"))]
        if has_side:
            side = [*pair_lines(matrix, painter), *[painter.line(SIDE_CELLS)] * len(lines)]
            lines = [Strip.join(pair) for pair in zip(lines, side, strict=False)]
        return lines

    def _draw_cards(self, painter: Painter, width: int, height: int) -> list[Strip]:
        found = self.found
        assert found is not None
        assert found.predictions is not None
        problem = f"{_NO_IMAGES} {found.images_problem}" if found.images_problem else _READING
        notice = [] if found.images is not None else hanging(" ", problem, width - 1)
        lines = [painter.line(width, (line.plain, "muted")) for line in notice]
        cards = self.cards = cards_for(width, max(1, height - len(lines)), has_images=not found.images_problem)
        first = self.panel.first
        images, names, indices = found.images, self.names, self.image_indices
        for start in range(first, first + cards.count, cards.columns):
            drawn = [
                card_lines(index, None if images is None else images[index], found.predictions, names, painter, cards)
                for index in indices[start : start + cards.columns]
            ]
            gap = painter.line(2)
            for parts in zip(*drawn, strict=True):
                joined = Strip.join([part for strip in parts for part in (strip, gap)])
                lines.append(joined.adjust_cell_length(width, painter.styles[""]))
            lines.append(painter.line(width))
        return lines

    def _caption(self, width: int) -> list[list[Words]]:
        """The run's name, and below it as much on what is shown as there is room for."""
        histories = self.panel.session.watcher.histories
        pair = [histories[run_id] for run_id in self.panel.run_ids if run_id in histories]
        name = short_names(pair, self.panel.session.label_of).get(self.run_id, self.run_id)
        fitting = (form for form in self.captions() if sum(cell_len(text) for text, _ in form) < width)
        return [[(f" {cut_name(name, width - 1)}", "strong")], [(" ", ""), *next(fitting, [])]]

    def captions(self) -> list[list[Words]]:
        """What is shown, in forms of which the longest comes first."""
        found, subject = self.found, self.panel.subject
        if found is None or self.history is None or self._problem():
            return []
        if subject is Subject.KERNELS and found.kernels is not None and found.epoch is not None:
            return self._kernel_captions(found.kernels, found.epochs, found.epoch, self.history.num_epochs)
        if (matrix := self.matrix) is None:
            return []
        texts = self._matrix_captions(matrix) if subject is Subject.CONFUSION else self._mistake_captions(matrix)
        return [[(text, "muted")] for text in texts]

    def _kernel_captions(
        self, kernels: Kernels, epochs: Sequence[int], epoch: int, num_epochs: int
    ) -> list[list[Words]]:
        """After which epoch, how much of the kernels is shown, and where that epoch is among those stored."""
        when = f"after epoch {epoch} of {num_epochs}" if epoch else "before training"
        style = "" if self.panel.is_pair else "strong"
        grid = self._grid_of(kernels)
        part = self._part_shown(kernels, grid)
        both, short = part + _size_shown(kernels, grid), when.removeprefix("after ")
        forms = [(when, both, _LONGEST_SLIDER), (when, both, _SHORTEST_SLIDER), (when, both, 0), (short, both, 0)]
        forms += [(when, part, cells) for cells in (_SHORTEST_SLIDER, 0)]
        return [
            *[[(f"{words}  ", style), (note, "muted"), *_slider(epochs, epoch, cells)] for words, note, cells in forms],
            [(when, style)],
            [(f"epoch {epoch}", style)],
        ]

    def _part_shown(self, kernels: Kernels, grid: Grid) -> str:
        """Which of the kernels there is room for, where that is not all."""
        count = len(kernels)
        tiles = grid.whole_tiles(min(self.panel.scroll, self.last_top), self._room(self.size.height), count)
        if len(tiles) == count:
            return ""
        arrows = "↑" * (tiles.start > 0) + "↓" * (tiles.stop < count)
        return f"{tiles.start + 1}-{tiles.stop} of {count} {arrows}  "

    def _matrix_captions(self, matrix: Matrix) -> list[str]:
        """How many answers are right."""
        right = format_percent(matrix.accuracy)
        return [f"{right} of {format_count(int(matrix.counts.sum()))} test images right", f"{right} right", right]

    def _mistake_captions(self, matrix: Matrix) -> list[str]:
        """Which of the images to look through are shown."""
        panel, num_images = self.panel, len(self.image_indices)
        last = min(num_images, panel.first + (self.cards.count if self.cards else 1))
        which = f"images {panel.first + 1}-{last}" if last > panel.first + 1 else f"image {panel.first + 1}"
        if panel.cell is None:
            return [f"{which} of the {num_images} worst mistakes", f"{which} of {num_images}"]
        row, column = panel.cell
        answer = "answered right" if row == column else f"taken for {matrix.names[column]}"
        return [f"{which} of {num_images}: {matrix.names[row]} {answer}", f"{which} of {num_images}"]

    def on_click(self, event: events.Click) -> None:
        """A click on a cell of the matrix goes there, a second one opens its images."""
        placed = self.placed
        if self.panel.subject is Subject.CONFUSION and placed is not None and not self._problem():
            heads = 1 + (_CAPTION_LINES if self.panel.is_pair else 0)
            if (cell := placed.at(event.x, event.y - heads)) is not None:
                self.panel.go_to(cell, opens=event.chain > 1)

    def on_mouse_scroll_down(self) -> None:
        """The wheel moves down."""
        self.panel.action_step(0, 1)

    def on_mouse_scroll_up(self) -> None:
        """The wheel moves up."""
        self.panel.action_step(0, -1)


def _size_shown(kernels: Kernels, grid: Grid) -> str:
    """In how many pixels a kernel is shown, where it has more weights than that."""
    across = max(kernels.shape[2:])
    return f"{across}×{across} as {grid.side}×{grid.side}  " if grid.side < across else ""


def _slider(epochs: Sequence[int], epoch: int, width: int) -> list[Words]:
    """Where an epoch is among those that are stored, each as far from the others as any."""
    if width < 6 or len(epochs) < 2:
        return []
    cells = min(width - 2, max(6, len(epochs)))
    place = round(epochs.index(epoch) / (len(epochs) - 1) * (cells - 1)) if epoch in epochs else 0
    ends = ("muted" if place else "faint", "muted" if place < cells - 1 else "faint")
    return [
        ("◂", ends[0]),
        ("━" * place, "right"),
        ("●", "accent"),
        ("─" * (cells - 1 - place), "faint"),
        ("▸", ends[1]),
    ]


class PicturesPanel(Vertical, can_focus=True):
    """Kernels, confusion matrix and mistakes of runs beside each other.

    Args:
        session: The session.
        run_ids: One run or two; `show` changes them.
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
        self.subject = Subject.KERNELS
        self.epoch: int | None = None
        self.cursor = (0, 0)
        self.cell: tuple[int, int] | None = None
        self.first = self.zoom = self.scroll = 0

    @property
    def is_pair(self) -> bool:
        """Whether two runs are beside each other."""
        return len(self.run_ids) > 1

    @property
    def columns(self) -> list[PictureColumn]:
        """One for each run."""
        return list(self.query(PictureColumn))

    def compose(self) -> ComposeResult:
        """The strip of subjects, and a column for each run."""
        yield TabStrip([subject.capitalize() for subject in Subject], id="subjects")
        with Horizontal(id="columns"):
            for run_id in self.run_ids:
                yield PictureColumn(self, run_id)

    def on_mount(self) -> None:
        """Read for the first time."""
        self.update()

    async def show(self, run_ids: Sequence[str]) -> None:
        """Turn to other runs; what was looked at of the old ones is forgotten.

        A call may be cancelled while it waits; the next one finds what is still missing.
        """
        if tuple(run_ids) != self.run_ids:
            self.run_ids, self.epoch, self.cell = tuple(run_ids), None, None
            self.first = self.zoom = self.scroll = 0
        if tuple(column.run_id for column in self.columns) != self.run_ids:
            holder = self.query_one("#columns")
            await holder.remove_children()
            if not holder.is_attached:  # The console is closing.
                return
            await holder.mount(*(PictureColumn(self, run_id) for run_id in self.run_ids))
        self.update()

    def update(self) -> None:
        """Read what is new of the runs."""
        for column in self.columns:
            column.read()

    def redraw(self) -> None:
        """Draw every column again."""
        for column in self.columns:
            column.redraw()
        self.show_note()

    def show_note(self) -> None:
        """What is shown, beside the names of the subjects; of two runs each column says it."""
        columns = self.columns
        if not columns:
            return
        captions = [] if self.is_pair else columns[0].captions()
        forms = [[(text, _STYLES[name].partition(" on ")[0]) for text, name in form] for form in captions]
        self.query_one("#subjects", TabStrip).note = tuple(Content.assemble(*form) for form in forms)

    def on_tab_strip_chosen(self, message: TabStrip.Chosen) -> None:
        """A subject was clicked."""
        message.stop()
        self._turn_to(list(Subject)[message.tab])

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keys that mean nothing for what is shown are left to the screen."""
        match action:
            case "open":
                return self.subject is Subject.CONFUSION
            case "close":
                return self.cell is not None and self.subject is Subject.MISTAKES
            case "zoom":
                return self.subject is Subject.KERNELS
        return True

    def _turn_to(self, subject: Subject, cell: tuple[int, int] | None = None) -> None:
        self.subject, self.cell, self.first = subject, cell, 0
        self.query_one("#subjects", TabStrip).tab = list(Subject).index(subject)
        self.redraw()
        self.update()
        self.refresh_bindings()

    def action_subject(self) -> None:
        """The next subject."""
        subjects = list(Subject)
        self._turn_to(subjects[(subjects.index(self.subject) + 1) % len(subjects)])

    def action_step(self, across: int, down: int) -> None:
        """Move: through epochs, cells or images."""
        match self.subject:
            case Subject.KERNELS:
                self._step_epoch(across, down)
            case Subject.CONFUSION:
                self._step_cursor(across, down)
            case Subject.MISTAKES:
                self._step_image(across, down)

    def _step_epoch(self, across: int, down: int) -> None:
        column = next((one for one in self.columns if one.found and len(one.found.epochs) > 1), None)
        if across and column is not None and column.found is not None and column.found.epoch is not None:
            epochs = column.found.epochs
            place = max(0, min(len(epochs) - 1, epochs.index(column.found.epoch) + across))
            self.epoch = None if place == len(epochs) - 1 else epochs[place]  # At the end, follow the newest.
            self.update()
        if down:
            grids = [one.grid for one in self.columns if one.grid]
            last = max((one.last_top for one in self.columns), default=0)
            rows = down * max((grid.lines_a_row for grid in grids), default=0)
            self.scroll = max(0, min(last, min(self.scroll, last) + rows))
            self.redraw()

    def _step_cursor(self, across: int, down: int) -> None:
        sizes = [matrix.size for one in self.columns if (matrix := one.matrix)]
        if sizes:
            last = min(sizes) - 1
            row, column = self.cursor
            self.cursor = max(0, min(last, row + down)), max(0, min(last, column + across))
            self.redraw()

    def _step_image(self, across: int, down: int) -> None:
        counts = [len(one.image_indices) for one in self.columns]
        cards = next((one.cards for one in self.columns if one.cards), None)
        if not any(counts) or cards is None:
            return
        step = across + down * cards.columns
        self.first = max(0, min(max(counts) - 1, self.first + step))
        self.redraw()

    def action_zoom(self, direction: int) -> None:
        """The next larger or smaller kernels, if there are any."""
        before, zoom = [one.grid for one in self.columns], self.zoom
        for change in range(2, 2 * max(self.size.width, 2), 2):  # A kernel is enlarged a whole number of times.
            self.zoom = zoom + change * direction
            if [one.grid for one in self.columns] != before:
                self.redraw()
                return
        self.zoom = zoom

    def go_to(self, cell: tuple[int, int], *, opens: bool) -> None:
        """Put the cursor on a cell of the matrix; open its images too."""
        self.cursor = cell
        if opens:
            self._turn_to(Subject.MISTAKES, cell)
        else:
            self.redraw()

    def action_open(self) -> None:
        """The images of the cell under the cursor."""
        self._turn_to(Subject.MISTAKES, self.cursor)

    def action_close(self) -> None:
        """Back to the matrix."""
        self._turn_to(Subject.CONFUSION)
