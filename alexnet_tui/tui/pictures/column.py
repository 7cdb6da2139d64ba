"""`PictureColumn`: the pictures of one run."""

from collections.abc import Sequence

from rich.cells import cell_len
from textual import events
from textual.color import Color
from textual.content import Content
from textual.geometry import Size
from textual.message import Message
from textual.strip import Strip
from textual.style import Style
from textual.widget import Widget

from alexnet_tui.errors import StoreError
from alexnet_tui.report.pictures.kernels import Kernels
from alexnet_tui.runs.history import RunHistory
from alexnet_tui.runs.state import State
from alexnet_tui.text import is_ascii_terminal, printable
from alexnet_tui.tui import threads
from alexnet_tui.tui.pictures.captions import image_captions, kernel_captions, matrix_captions
from alexnet_tui.tui.pictures.confusion import SIDE_CELLS, Fit, Matrix, fit, matrix_lines, pair_lines
from alexnet_tui.tui.pictures.gallery import Cards, card_lines, cards_for
from alexnet_tui.tui.pictures.kernel_tiles import Grid, grid_for, kernel_lines
from alexnet_tui.tui.pictures.painter import Mode, Painter, Words
from alexnet_tui.tui.pictures.source import Found, PictureFiles, Subject
from alexnet_tui.tui.pictures.view import View
from alexnet_tui.tui.run_names import cut_name, names_beside
from alexnet_tui.tui.session import Session
from alexnet_tui.tui.widgets.text import hanging
from alexnet_tui.tui.workers import CoalescingWorker

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
_READING = "Reading …"
_WHO_KEEPS = "Runs that are trained here keep theirs, and so do the reference runs of seed 0."
_NO_KERNELS = f"No kernels are kept with this run. {_WHO_KEEPS}"
_NO_KERNELS_YET = "The first kernels are stored before the first update."
_NO_PREDICTIONS = (
    "No answers on the test images are kept with this run; the matrix and the mistakes are made from them."
    f" {_WHO_KEEPS}"
)
_NO_PREDICTIONS_YET = (
    "A run writes its answers on the test images when it has finished; the matrix and the mistakes are made from them."
)
_NO_MISTAKE = "The network made no mistake on the test images."
_NO_IMAGES = "The images cannot be shown:"
_NO_IMAGE = "No test image of this class got this answer."


class PictureColumn(Widget):
    """The pictures of one run.

    Args:
        session: The session.
        run_id: The run.
        shown_ids: All runs that are shown beside each other, this one among them.
        view: What to show.

    Attributes:
        view: What to show; `redraw` shows another one, `read` reads what it takes.
        found: What was read of the run.
        cards: How test images were laid out last.
    """

    ALLOW_SELECT = False
    DEFAULT_CSS = "PictureColumn { width: 1fr; height: 1fr; }"

    class CaptionsChanged(Message):
        """There is something else to say of what is shown, or other room for it."""

    class CellClicked(Message):
        """A cell of the matrix was clicked.

        Attributes:
            cell: Row and column.
            is_double: It was clicked twice.
        """

        def __init__(self, cell: tuple[int, int], *, is_double: bool) -> None:
            self.cell, self.is_double = cell, is_double
            super().__init__()

    def __init__(self, session: Session, run_id: str, shown_ids: Sequence[str], view: View) -> None:
        super().__init__()
        self.session, self.run_id, self.shown_ids, self.view = session, run_id, tuple(shown_ids), view
        self.set_class(run_id != shown_ids[0], "-beside")
        self.found: Found | None = None
        self.cards: Cards | None = None
        self._matrix_fit: Fit | None = None
        self._files: PictureFiles | None = None
        self._reading = CoalescingWorker(self, self._read)
        self._painter: Painter | None = None
        self._lines: list[Strip] | None = None
        self._drawn_size = Size()

    @property
    def _has_caption(self) -> bool:
        """Whether the name and what is shown are above the picture, as they are of two runs."""
        return len(self.shown_ids) > 1

    @property
    def history(self) -> RunHistory | None:
        """What is known of the run, or None if it is gone."""
        return self.session.watcher.histories.get(self.run_id)

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
        cell, predictions = self.view.cell, self.found.predictions
        chosen = predictions.worst(_MOST_MISTAKES) if cell is None else predictions.of_cell(*cell)
        return [int(index) for index in chosen]

    def read(self) -> None:
        """Read what is new, beside the loop that draws."""
        self._reading.request()

    async def _read(self) -> None:
        if (history := self.history) is None:
            self.redraw()  # Why it is gone stands in place of what was there.
            self.post_message(self.CaptionsChanged())
            return
        found = await threads.call(self._find, history, self.view.subject, self.view.epoch)
        if found is not self.found:
            self.found = found
            self.redraw()
            self.post_message(self.CaptionsChanged())

    def _find(self, history: RunHistory, subject: Subject, epoch: int | None) -> Found | None:
        """What the run's folder holds now; what it held before where the run is gone."""
        try:
            self._files = self._files or PictureFiles(self.session.store.path(self.run_id))
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
        """Captions that fitted may not fit any more, and the other way round."""
        self.post_message(self.CaptionsChanged())

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
        if self._has_caption:
            lines = [painter.line(width, *line) for line in self._caption(width)]
        height = self._room(height)
        problem = self._problem()
        if problem:
            text = hanging(" ", problem, max(10, min(width - 1, 160)))
            return [*lines, painter.line(width), *(painter.line(width, (line.plain, "muted")) for line in text)]
        match self.view.subject:
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
            return printable(self.session.watcher.why_unknown(self.run_id), 400)
        if found is None:
            return _READING
        if self.view.subject is Subject.KERNELS:
            is_new = not history.num_events or self.session.state_of(self.run_id) is State.RUNNING
            missing = _NO_KERNELS_YET if is_new else _NO_KERNELS
            return "" if found.kernels is not None else found.kernels_problem or missing
        if found.predictions is None:
            is_over = self.session.state_of(self.run_id) is State.FINISHED  # They are written before that.
            return found.predictions_problem or (_NO_PREDICTIONS if is_over else _NO_PREDICTIONS_YET)
        if self.view.subject is Subject.MISTAKES and not self.image_indices:
            return _NO_MISTAKE if self.view.cell is None else _NO_IMAGE
        return ""

    @property
    def kernels(self) -> Kernels | None:
        """The first layer's kernels, where there are any."""
        return None if self.found is None else self.found.kernels

    @property
    def grid(self) -> Grid | None:
        """How the kernels are laid out, where there are any."""
        return self.grid_at(self.view.zoom)

    def grid_at(self, zoom: int) -> Grid | None:
        """How the kernels would be laid out in another size."""
        if (kernels := self.kernels) is None:
            return None
        count, _, *sides = kernels.shape
        is_mixed = self._styled().mode is not Mode.HALVES
        return grid_for(count, max(sides), self.size.width, self._room(self.size.height), zoom=zoom, is_mixed=is_mixed)

    @property
    def last_top(self) -> int:
        """The line of the kernels that is the first on show where the last one is; 0 where all have room."""
        kernels, grid = self.kernels, self.grid
        if kernels is None or grid is None:
            return 0
        return max(0, grid.lines(len(kernels)) - self._room(self.size.height))

    @property
    def _top(self) -> int:
        """The line of the kernels that is the first on show."""
        return min(self.view.scroll, self.last_top)

    def _room(self, height: int) -> int:
        """Lines below the caption."""
        return max(1, height - _CAPTION_LINES) if self._has_caption else height

    def _draw_kernels(self, painter: Painter, width: int, height: int) -> list[Strip]:
        kernels, grid = self.kernels, self.grid
        assert kernels is not None
        assert grid is not None
        top = self._top
        return kernel_lines(kernels, grid, painter, width)[top : top + height]

    def _draw_matrix(self, painter: Painter, width: int, height: int) -> list[Strip]:
        matrix = self.matrix
        assert matrix is not None
        row, column = (min(place, matrix.size - 1) for place in self.view.cursor)
        has_side = width >= _SIDE_FROM
        room = width - SIDE_CELLS if has_side else width
        placed = self._matrix_fit = fit(matrix, room, height - 3, (row, column), has_colours=painter.has_colours)
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
        first = self.view.first_image
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
        histories = self.session.watcher.histories
        pair = [histories[run_id] for run_id in self.shown_ids if run_id in histories]
        names = names_beside(pair, self.session.label_of)
        name = names[self.run_id].short if self.run_id in names else self.run_id
        fitting = (form for form in self.captions() if sum(cell_len(text) for text, _ in form) < width)
        return [[(f" {cut_name(name, width - 1)}", "strong")], [(" ", ""), *next(fitting, [])]]

    def captions(self) -> list[list[Words]]:
        """What is shown, in forms of which the longest comes first."""
        found, history, view = self.found, self.history, self.view
        if found is None or history is None or self._problem():
            return []
        if view.subject is Subject.KERNELS:
            kernels, grid = self.kernels, self.grid
            if kernels is None or grid is None:
                return []
            tiles = grid.whole_tiles(self._top, self._room(self.size.height), len(kernels))
            return kernel_captions(found, history.num_epochs, grid, tiles, "" if self._has_caption else "strong")
        if (matrix := self.matrix) is None:
            return []
        if view.subject is Subject.CONFUSION:
            return matrix_captions(matrix)
        shown = range(view.first_image, view.first_image + (self.cards.count if self.cards else 1))
        return image_captions(matrix, view.cell, shown, len(self.image_indices))

    def notes(self) -> tuple[Content, ...]:
        """The captions, for a line elsewhere."""
        return tuple(
            Content.assemble(*((text, _STYLES[name].partition(" on ")[0]) for text, name in form))
            for form in self.captions()
        )

    def on_click(self, event: events.Click) -> None:
        """A cell of the matrix is clicked."""
        shown = self._matrix_fit
        if self.view.subject is Subject.CONFUSION and shown is not None and not self._problem():
            heads = 1 + (_CAPTION_LINES if self._has_caption else 0)
            if (cell := shown.at(event.x, event.y - heads)) is not None:
                self.post_message(self.CellClicked(cell, is_double=event.chain > 1))
