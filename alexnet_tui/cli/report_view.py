"""The report and a comparison on a terminal: rich tables and cards, fit for 80 columns and for more."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from alexnet_tui.analysis.compare import COMPARED, ComparedGroup, Comparison, shown_setting
from alexnet_tui.analysis.metrics import METRICS
from alexnet_tui.analysis.samples import sample_text
from alexnet_tui.analysis.verdict.judge import ClaimVerdict
from alexnet_tui.cli.output import as_written
from alexnet_tui.cli.tables import fitting
from alexnet_tui.report.content import Report, Section
from alexnet_tui.report.interval_text import LEGEND, Cells, Role, interval_lines
from alexnet_tui.report.table import Row
from alexnet_tui.report.wording import (
    SELECTED_NOTE,
    SIGNS,
    SPEED_NOTE,
    TABLE_COLUMNS,
    TONES,
    UNITS_NOTE,
    brief,
    card,
    experiment_names,
    families,
    heading,
    provenance,
    published,
    registered,
    section_title,
    time_ratio,
)
from alexnet_tui.text import format_seeds, printable

# Of the table's columns these are shown first where there is no room for all.
_FIRST_COLUMNS = ("max_train", "max_test", "final_test", "t25", "time")
_LABEL_WIDTH, _GROUP_WIDTH, _GAP = 20, 18, 2
_PLOT_CELLS, _PLOT_INDENT = 64, 2
_ROLE_STYLES = {Role.ZONE: "dim", Role.NO_EFFECT: "dim", Role.STUDY: "bold cyan", Role.LABEL: "dim"}
_STYLES = {"good": "green", "bad": "red", "open": "yellow"}

_BEGIN = re.compile(r" *(?:\d+\. )?")


def print_report(console: Console, report: Report) -> None:
    """Print every section, the contradictions and what could not be read."""
    _line(console, f"Report on {report.title}", "bold")
    if many := families(report):
        _line(console, many, "dim")
    for section in report.sections:
        _print_section(console, section)
    if report.contradictions:
        _line(console, f"\nThe study contradicts itself or its source in {len(report.contradictions)} places", "bold")
    for one in report.contradictions:
        _line(console, f"{one.number:>2}. [{one.place}] {one.one}")
        _line(console, f"    But: {one.other}", "dim")
    if report.problems:
        _line(console, "\nRuns that could not be read", "bold")
    for problem in report.problems:
        _line(console, problem)


def _print_section(console: Console, section: Section) -> None:
    _line(console, f"\n{section_title(section)}", "bold cyan")
    _line(console, registered(section))
    for note in section.notes:
        _line(console, note, "dim")
    console.print(_table(section.rows, console))
    if names := experiment_names(section):
        _line(console, names, "dim")
    _line(console, f"{UNITS_NOTE} {SPEED_NOTE}", "dim")
    _line(console, SELECTED_NOTE, "dim")
    for verdict in section.claims:
        _print_card(console, verdict)
    if any(verdict.larger.runs and verdict.smaller.runs for verdict in section.claims):
        _line(console, f"\n{LEGEND}.", "dim")
    _line(console, "\nProvenance", "bold")
    console.print(_pairs(provenance(section.provenance), console))


def _table(rows: Sequence[Row], console: Console) -> Table:
    """Our rows below the published ones, with as many metrics as fit."""
    lines = [line for row in rows for line in _lines(row, console)]
    ranked = (*_FIRST_COLUMNS, *(name for name in TABLE_COLUMNS if name not in _FIRST_COLUMNS))
    widths = {
        name: max(len(heading(name)), *(len(line.cells[name]) for line in lines)) + 1 if lines else 0
        for name in TABLE_COLUMNS
    }
    fixed = sum(
        max((len(text) for text in texts), default=0) + 1
        for texts in (
            ["Experiment", *(line.title for line in lines)],
            [line.source for line in lines],
            ["Speed", *(line.speed for line in lines)],
        )
    )
    sizes = [(ranked.index(name), widths[name]) for name in TABLE_COLUMNS]
    columns = [TABLE_COLUMNS[index] for index in fitting(sizes, console.width - fixed)]
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1, 0, 0))
    table.add_column("Experiment", no_wrap=True)
    table.add_column("")
    for name in columns:
        table.add_column(heading(name), justify="right", no_wrap=True)
    table.add_column("Speed", justify="right", no_wrap=True)
    for line in lines:
        cells = [Text(text, style=line.style) for text in (line.source, *(line.cells[name] for name in columns))]
        table.add_row(line.title, *cells, Text(line.speed, style=line.style))
    return table


class _Line(msgspec.Struct, frozen=True):
    """A line of the table: published figures, or ours."""

    title: str
    source: str
    cells: Mapping[str, str]
    speed: str
    style: str = ""


def _lines(row: Row, console: Console) -> Iterator[_Line]:
    title = row.group
    if row.is_published:
        yield _Line(title, "study", {name: published(row, name) for name in TABLE_COLUMNS}, "1x", "dim")
        title = f"  n={row.num_runs}"
    cells = {name: as_written(brief(row, name), console.file) for name in TABLE_COLUMNS}
    yield _Line(title, "ours", cells, time_ratio(row))


def _print_card(console: Console, verdict: ClaimVerdict) -> None:
    style = _STYLES[TONES[verdict.verdict]]
    _line(console, f"\nClaim {verdict.number}: {verdict.statement}", "bold")
    _line(console, f"{SIGNS[verdict.verdict]} {verdict.headline.upper()}", f"bold {style}")
    for reason in verdict.reasons:
        _line(console, f"  {reason}")
    for line in interval_lines(verdict, min(console.width - _PLOT_INDENT, _PLOT_CELLS)):
        _print_cells(console, line, style)
    console.print(_pairs(card(verdict), console))


def _print_cells(console: Console, line: Cells, style: str) -> None:
    styles = {**_ROLE_STYLES, Role.INTERVAL: style, Role.ESTIMATE: f"bold {style}"}
    console.print(Text(" " * _PLOT_INDENT) + Text.assemble(*((text, styles.get(role, "")) for text, role in line)))


def _pairs(pairs: Sequence[tuple[str, str]], console: Console) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for label, text in pairs:
        table.add_row(Text(f"  {label}", style="dim"), Text(as_written(printable(text), console.file)))
    return table


def print_comparison(console: Console, compared: Comparison) -> None:
    """Print the settings that differ, then the results, with differences to the pinned run, else to the first."""
    fits = max(2, (console.width - _LABEL_WIDTH) // _GROUP_WIDTH)
    for start in range(0, len(compared.groups), fits):
        part = compared.groups[start : start + fits]
        settings = [
            (name.replace("_", " "), [shown_setting(name, one.settings[name]) for one in part])
            for name in compared.differing
        ]
        results = list(_results(part, console))
        room = (console.width - _LABEL_WIDTH) // len(part) - _GAP
        names = [one.name for one in part]
        widths = [
            min(room, max(map(cell_len, cells)))
            for cells in zip(*(row for _, row in (*settings, *results, ("", names))), strict=True)
        ]
        if settings:
            console.print(_side_by_side("Differs in", part, names, widths, settings))
            _line(console, "")
        names = [
            as_written(f"{one.name} · {one.distinction}", console.file) if one.distinction else one.name for one in part
        ]
        console.print(_side_by_side("Results", part, names, widths, results))
        _line(console, "")
    for group in compared.groups:
        if group.alone:
            _line(console, f"{group.run_ids[0]} stands by itself: {group.alone}.", "dim")
    _line(console, SELECTED_NOTE, "dim")


def _side_by_side(
    title: str,
    groups: Sequence[ComparedGroup],
    names: Sequence[str],
    widths: Sequence[int],
    rows: Iterable[tuple[str, list[str]]],
) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, _GAP, 0, 0))
    table.add_column(title, min_width=_LABEL_WIDTH - _GAP)
    for group, name, width in zip(groups, names, widths, strict=True):
        shown = printable(name, 120) + (" (pinned)" if group.is_pinned else "")
        table.add_column(Text(shown), justify="right", overflow="fold", width=max(width, _GROUP_WIDTH - _GAP))
    for label, values in rows:
        table.add_row(label, *(Text(printable(value, 60)) for value in values), style="" if label else "dim")
    return table


def _results(groups: Sequence[ComparedGroup], console: Console) -> Iterator[tuple[str, list[str]]]:
    yield "runs", [f"{len(group.run_ids)}, {', '.join(dict.fromkeys(group.states))}" for group in groups]
    yield "seeds", [format_seeds(group.seeds) or "not known" for group in groups]
    for name in COMPARED:
        texts = [sample_text(group.cells[name], METRICS[name]) for group in groups]
        yield heading(name), [as_written(text, console.file) for text in texts]
        if any(not group.is_base for group in groups):
            text = METRICS[name].difference
            yield "", ["" if group.is_base else text(group.differences[name]) for group in groups]


def _line(console: Console, text: str, style: str = "") -> None:
    """Print a text; what goes on below it stands below its first word."""
    for line in as_written(printable(text, 4000, keep_newlines=True), console.file).split("\n"):
        begin = _BEGIN.match(line)
        indent = begin.end() if begin else 0
        parts = Text(line[indent:]).wrap(console, max(20, console.width - indent)) or [Text()]
        for index, part in enumerate(parts):
            console.print(Text(" " * indent if index else line[:indent], style=style) + Text(part.plain, style=style))
