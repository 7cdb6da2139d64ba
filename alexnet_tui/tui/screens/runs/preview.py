"""The run under the cursor: its curve over the pinned run's, and its figures and what is unusual about it."""

from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Static

from alexnet_tui.analysis.metrics import METRICS
from alexnet_tui.analysis.seed_noise import Deviation
from alexnet_tui.config.hyperparameters import shown_value
from alexnet_tui.runs.events import Failed
from alexnet_tui.runs.history import RunHistory
from alexnet_tui.text import MISSING, counted, format_duration, format_percent, format_points, printable
from alexnet_tui.tui.screens.runs.columns import delta_to, delta_tone
from alexnet_tui.tui.screens.runs.rows import RunRow

if TYPE_CHECKING:
    from alexnet_tui.tui.charts.model import Curve
    from alexnet_tui.tui.charts.widget import MetricChart

_MAX_CHANGES = 4
_MAX_NOTE_CHARS = 160
"""Of a note; the results below it are to be seen, and the System page of the run has it whole."""
_TONES = {"good": "bold $success", "bad": "bold $error", "muted": "bold"}


class RunPreview(Horizontal):
    """A chart and a few lines; the chart's module is loaded only when there is something to draw."""

    def __init__(self) -> None:
        super().__init__()
        self._chart: MetricChart | None = None
        self.facts = Content("")

    def compose(self) -> ComposeResult:
        """The facts; the chart comes later."""
        yield Static(id="preview-facts")

    async def show(
        self, row: RunRow | None, pinned: RunRow | None, history: RunHistory | None, spread: Deviation | None = None
    ) -> None:
        """Show a row; the pinned run's curve is behind it. `spread` is that of the best accuracy over seeds."""
        self.facts = _facts(row, pinned, history, spread) if row else Content("")
        self.query_one("#preview-facts", Static).update(self.facts, layout=False)
        await self._draw(row, pinned)

    async def _draw(self, row: RunRow | None, pinned: RunRow | None) -> None:
        # Numpy and the chart cost a third of the start: not before the first frame.
        from alexnet_tui.tui.charts.axis import Measure
        from alexnet_tui.tui.charts.model import ChartSpec
        from alexnet_tui.tui.charts.widget import MetricChart

        if not self.is_attached:  # The console is closing: nothing can be mounted any more.
            return
        if self._chart is None:
            self._chart = MetricChart(ChartSpec(title=""))
            self._chart.can_focus = False
            await self.mount(self._chart, before=0)
        curves = []
        if pinned is not None and row is not None and pinned.id != row.id:
            curves.append(_curve(pinned, row, is_baseline=True))
        if row is not None:
            curves.append(_curve(row, pinned))
        empty = "no test accuracy is known" if row is not None and row.epochs_done else "no epoch has ended yet"
        self._chart.show(curves, ChartSpec(title="Test accuracy", y=Measure.SHARE, empty=empty))


def _name(row: RunRow, other: RunRow | None) -> str:
    """What to call a curve: the label, or variant and seed; the id where another curve would be called the same."""
    name = f"{row.config.variant} n={row.num_counted}" if row.is_group and not row.is_labelled else row.name
    return row.id if other is not None and other.id != row.id and other.name == row.name else name


def _curve(row: RunRow, other: RunRow | None, *, is_baseline: bool = False) -> "Curve":
    from alexnet_tui.tui.charts.model import Curve
    from alexnet_tui.tui.charts.series import copy_column

    values = copy_column(row.curve)
    return Curve(
        name=_name(row, other),
        x=copy_column([float(epoch) for epoch in range(1, len(values) + 1)]),
        y=values,
        is_baseline=is_baseline,
    )


def _facts(row: RunRow, pinned: RunRow | None, history: RunHistory | None, spread: Deviation | None) -> Content:
    """A heading, what people said of the run, what it is, its figures, and what is unusual about it."""
    lines = [Content.styled(row.name if row.is_labelled else row.id, "bold")]
    config = row.config
    if row.tags or row.note:
        tags = " ".join(f"#{tag}" for tag in row.tags)
        note = printable(row.note, _MAX_NOTE_CHARS)
        lines.append(Content.assemble((tags, "bold"), " " if tags and note else "", note))
    lines.append(Content.styled(_what(row), "$text-muted"))
    lines += [Content(""), _figures(row, pinned, spread)]
    if history is not None and isinstance(history.final, Failed):
        lines.append(Content.styled(printable(history.final.message, 200), "$error"))
    elif history is not None and history.remaining_seconds is not None:
        left = format_duration(history.remaining_seconds)
        lines.append(Content.styled(f"epoch {row.epochs_done} of {config.epochs}, {left} to go", "$running"))
    else:
        lines.append(Content.styled(f"epoch {row.epochs_done} of {config.epochs}", "$text-muted"))
    if changes := _changes(row):
        lines.append(Content.styled(changes, "$text-muted"))
    return Content("\n").join(lines)


def _what(row: RunRow) -> str:
    """What was trained, in lines, or where the history of a foreign run comes from."""
    if row.foreign:
        return f"foreign: {row.foreign}"
    config = row.config
    further = [f"extends {row.extends}"] if row.extends else []
    lines = (config.variant, _seeds(row)), (config.front_end, config.data), further
    return "\n".join(" · ".join(line) for line in lines if line)


def _seeds(row: RunRow) -> str:
    return counted(len({one.config.seed for one in row.runs}), "seed") if row.is_group else f"seed {row.config.seed}"


def _figures(row: RunRow, pinned: RunRow | None, spread: Deviation | None) -> Content:
    """Two figures a line, so that none is broken."""
    figures = [
        ("best", format_percent(row.best), "bold"),
        ("last", format_percent(row.last), "bold"),
        ("gap", METRICS["gap"].text(row.gap), "bold"),
        ("T25", MISSING if row.t25 is None else f"{METRICS['t25'].mean_text(row.t25)} epochs", "bold"),
        ("time", format_duration(row.seconds), "bold"),
    ]
    delta = delta_to(row, pinned)
    if delta is not None and pinned is not None and pinned.id != row.id:
        figures.append(("vs pinned", format_points(delta), _TONES[delta_tone(delta, row, pinned, spread)]))
    parts = [Content.assemble((f"{name} ", "$text-muted"), (text, style)) for name, text, style in figures]
    return Content("\n").join([Content("   ").join(parts[at : at + 2]) for at in range(0, len(parts), 2)])


def _changes(row: RunRow) -> str:
    """The settings that are no defaults; of a group those that all its runs have."""
    if row.foreign:
        return ""
    changed = [
        f"{name}={shown_value(name, value)}"
        for name, (_, value) in row.config.changes().items()
        if all(getattr(one.config, name) == value for one in row.runs)
    ]
    kept = [text for text in changed if not text.startswith(("seed=", "epochs=", "data="))]
    more = f" and {len(kept) - _MAX_CHANGES} more" if len(kept) > _MAX_CHANGES else ""
    return ", ".join(kept[:_MAX_CHANGES]) + more
