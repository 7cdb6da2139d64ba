"""The report as styled text for the console: cards, table, contradictions, provenance; pure."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

import msgspec
from textual.content import Content

from alexnet_tui.analysis.contradictions import Contradiction
from alexnet_tui.analysis.integrity import Result
from alexnet_tui.analysis.published import EXPERIMENTS, MARKS_LABEL
from alexnet_tui.analysis.verdict.judge import ClaimVerdict
from alexnet_tui.analysis.verdict.rules import Verdict
from alexnet_tui.report import wording as words
from alexnet_tui.report.content import Report, Section
from alexnet_tui.report.interval_text import LEGEND
from alexnet_tui.report.table import Row
from alexnet_tui.report.wording import (
    MORE_COLUMNS,
    SELECTED_NOTE,
    SIGNS,
    SPEED_NOTE,
    TABLE_COLUMNS,
    TONES,
    UNITS_NOTE,
    brief,
    heading,
    paper_results,
    provenance,
    published,
    section_title,
    time_ratio,
)
from alexnet_tui.text import counted, format_percent, printable, spelled_out
from alexnet_tui.tui.glyphs import cut
from alexnet_tui.tui.screens.report.curves import has_marks
from alexnet_tui.tui.screens.report.interval import interval_lines
from alexnet_tui.tui.screens.report.source import RunChecks
from alexnet_tui.tui.widgets.text import hanging

_STYLES = {"good": "$success", "bad": "$error", "open": "$warning", "quiet": "$text-muted"}
_LABEL_CELLS = 13
_PLOT_CELLS = 64
_MAX_FAILURES = 50
_NO_RUNS = (
    "No runs yet: the figures are the study's own, and no claim has numbers. 2 starts a run; 5 shows the studies, where"
    " r reproduces the whole one, n plans another, and ^r trains what is planned."
)
_RECORDS_NOTE = (
    "The numbers of updates are checked on a run's own page Verify, which reads each of them."
    " A run whose record fails a check counts for no verdict. Nobody can tell a forgery made with care: these checks"
    " find mix-ups, copies, damage, and numbers that cannot come from the run that is said to have made them."
)


def tone(verdict: Verdict) -> str:
    """Good, bad or open; exploratory numbers are quiet, for they judge nothing."""
    return "quiet" if verdict is Verdict.EXPLORATORY else TONES[verdict]


def css_class(verdict: Verdict) -> str:
    """The class of a verdict's card."""
    return f"-{tone(verdict)}"


def signs(section: Section) -> Content:
    """The three verdicts in a few cells: ``1 ✓  2 ✗  3 ?``."""
    parts = [
        Content.assemble((f"{one.number} ", "$text-muted"), (SIGNS[one.verdict], f"bold {_STYLES[tone(one.verdict)]}"))
        for one in section.claims
    ]
    return Content("  ").join(parts)


def head(report: Report, index: int, width: int) -> Content:
    """What is reported, and which of its comparable sets this is."""
    section = report.sections[index]
    count = len(report.sections)
    title, which = printable(section_title(section), 400), f"set {index + 1} of {count}: " if count > 1 else ""
    short = title.replace("Front end ", "", 1)
    forms = (which + title, which + short, which.removeprefix("set ") + short)
    shown = next((form for form in forms if len(form) <= width), forms[-1])
    lines = [Content.styled(cut(f"Report on {printable(report.title, 200)}", width), "bold")]
    lines += hanging("", shown, width, style="$text-muted")  # What sets it apart from others may be at the end.
    if report.problems:
        num = len(report.problems)
        lines.append(Content.styled(f"{counted(num, 'run')} could not be read; see Source.", "$warning"))
    return Content("\n").join(lines)


def has_runs(section: Section) -> bool:
    """Whether any run is behind a section, finished or not."""
    return bool(section.provenance.states)


def card(verdict: ClaimVerdict, width: int, *, has_runs: bool = True, has_details: bool = False) -> Content:
    """One claim, judged: the word, the effect as a picture, the reasons; on demand, every number."""
    style = _STYLES[tone(verdict.verdict)]
    headline = verdict.headline if has_runs else "no runs yet"
    lines = [
        Content.styled(f"{SIGNS[verdict.verdict]} {headline.upper()}", f"bold {style}"),
        *hanging(f"Claim {verdict.number}  ", verdict.statement, width, label_style="$text-muted", style="bold"),
    ]
    plot = interval_lines(verdict, min(width, _PLOT_CELLS), style)
    if verdict.effect is not None:
        text = f"{words.estimate(verdict)}  (95%: {words.interval(verdict)})"
        lines += [Content(""), *hanging("", text, width, style=f"bold {style}")]
    lines += plot
    if plot:
        lines.append(Content(""))
    if has_details or verdict.verdict not in {Verdict.SUPPORTED, Verdict.EXPLORATORY}:
        for reason in verdict.reasons:
            lines += hanging("", reason, width)
    if has_details:
        lines.append(Content(""))
        for label, text in words.card(verdict):
            lines += _pair(label, text, width)
    return Content("\n").join(lines)


def key(section: Section, width: int) -> Content:
    """What the marks of the cards' pictures mean; empty without a picture."""
    has_picture = any(interval_lines(verdict, _PLOT_CELLS, "") for verdict in section.claims)
    return Content("\n").join(hanging("", LEGEND, width, style="$text-muted")) if has_picture else Content("")


def table(section: Section, width: int) -> Content:
    """Our table beside the published one; what is too wide for one block continues in another."""
    lines = [*caveats(section, width), Content("")]
    for block in _blocks(section.rows, width):
        lines += _block_lines(section.rows, block)
        if any(column.heading.endswith("*") for column in block):
            lines += hanging("", SELECTED_NOTE, width, style="$text-muted")
        lines.append(Content(""))
    for note in (words.experiment_names(section), f"{UNITS_NOTE} {SPEED_NOTE}"):
        lines += hanging("", note, width, style="$text-muted") if note else []
    return Content("\n").join(lines)


def families(report: Report, width: int) -> list[Content]:
    """That several families of tests are looked at, of which this page shows one; nothing for a single one."""
    return hanging("", words.families(report), width) if report.num_families > 1 else []


def caveats(section: Section, width: int) -> list[Content]:
    """What the verdicts rest on, and how these runs depart from the study's, in the words of the report."""
    if section.registration is None and not has_runs(section):
        return hanging("", _NO_RUNS, width)
    lines = hanging("", words.registered(section), width, style="$text-muted")
    return lines + [line for note in section.notes for line in hanging("", note, width)]


class _Column(msgspec.Struct, frozen=True):
    """A column of the table: the study's and our cell of each row."""

    heading: str
    cells: list[tuple[str, str]]

    @property
    def width(self) -> int:
        return max(len(self.heading), *(len(text) for pair in self.cells for text in pair), 1)


def _columns(rows: Sequence[Row]) -> Iterator[_Column]:
    for name in (*TABLE_COLUMNS, *MORE_COLUMNS):
        yield _Column(heading(name), [(published(row, name), spelled_out(brief(row, name))) for row in rows])
        if name == "time":
            yield _Column("Speed", [("1x" if row.is_published else "", time_ratio(row)) for row in rows])


def _blocks(rows: Sequence[Row], width: int) -> list[list[_Column]]:
    room = width - _title_cells(rows) - len("  report")
    blocks: list[list[_Column]] = []
    used = width
    for column in _columns(rows):
        if used + 2 + column.width > room:
            blocks.append([])
            used = 0
        blocks[-1].append(column)
        used += 2 + column.width
    return blocks


def _block_lines(rows: Sequence[Row], block: Sequence[_Column]) -> Iterator[Content]:
    room = _title_cells(rows)
    titles = [column.heading.rjust(column.width) for column in block]
    yield _table_line("Experiment", "", titles, room).stylize("bold $text-muted")
    for index, row in enumerate(rows):
        report, own = ([column.cells[index][whose].rjust(column.width) for column in block] for whose in (0, 1))
        title = row.group
        if row.is_published:
            yield _table_line(title, "study", report, room).stylize("$text-muted")
            title = f"  n={row.num_runs}"
        yield _table_line(title, "ours", own, room)


def _title_cells(rows: Sequence[Row]) -> int:
    return max(len("Experiment"), *(len(row.group) for row in rows), 1)


def _table_line(title: str, whose: str, cells: Sequence[str], room: int) -> Content:
    return Content("  ".join([title.ljust(room), whose.ljust(6), *cells]))


def figures(section: Section, width: int) -> Content:
    """The report's own figures, to read the curves by, and how they are drawn there."""
    pairs = (
        f"{name} {format_percent(one.max_val_accuracy.value)} at {one.max_val_epoch.value:g}"
        for name, one in EXPERIMENTS.items()
    )
    marks = f"Short level lines: {MARKS_LABEL}, its test maximum and where training error fell to 25%. "
    text = f"{marks if has_marks(section) else ''}The study's test maxima (one run each, epochs): {' · '.join(pairs)}"
    return Content("\n").join(hanging("", text, width, style="$text-muted"))


def contradictions(found: Sequence[Contradiction], width: int) -> Content:
    """Where the study contradicts itself or its source, both sides of each."""
    title = f"The study contradicts itself or its source in {len(found)} places"
    if not found:
        title = "No claim of the study's text is judged here."
    lines = [Content.styled(cut(title, width), "bold")]
    for one in found:
        lines.append(Content(""))
        lines += hanging(f"{one.number:>2}  ", one.place, width, label_style="bold $accent", style="$text-muted")
        lines += hanging("    It says  ", one.one, width, label_style="$text-muted")
        lines += hanging("    But      ", one.other, width, label_style="$text-muted")
        if one.consequence:
            lines += hanging("    So       ", one.consequence, width, label_style="$text-muted")
    return Content("\n").join(lines)


def sources(report: Report, index: int, width: int) -> Content:
    """Where the numbers come from, and what the published ones are."""
    lines = [Content.styled("Runs behind this page", "bold")]
    for label, text in provenance(report.sections[index].provenance):
        lines += _pair(label, text, width)
    for problem in report.problems:
        lines += _pair("Not read", problem, width)
    lines += [Content(""), Content.styled("The 2012 paper's figures", "bold")]
    for what, figure, place in paper_results(report):
        lines += hanging("", f"{what}: {figure} ({place})", width)
    return Content("\n").join(lines)


def records(found: Sequence[RunChecks], width: int) -> Content:
    """Whether the records agree with themselves: the runs that do not, and what was checked in how many."""
    bad = [(one.run_id, check) for one in found for check in one.checks if check.result is Result.FAILED]
    num_bad = len({run_id for run_id, _ in bad})
    title = f"{counted(len(found), 'run')} checked, {num_bad or 'none'} with a record that does not agree with itself"
    lines = [Content.styled(cut(title, width), f"bold {'$error' if bad else '$success'}")]
    runs_of = defaultdict[str, list[str]](list)
    for run_id, check in bad:
        runs_of[f"{check.name}: {check.sentence}"].append(printable(run_id, 60))
    for fault, run_ids in list(runs_of.items())[:_MAX_FAILURES]:
        who = run_ids[0] if len(run_ids) == 1 else counted(len(run_ids), "run")
        lines += [Content(""), *hanging(f"✗ {who}  ", fault, width, label_style="$error")]
        lines += hanging("  ", ", ".join(run_ids), width, style="$text-muted") if len(run_ids) > 1 else []
    if len(runs_of) > _MAX_FAILURES:
        lines += [Content(""), Content.styled(f"and {len(runs_of) - _MAX_FAILURES} more", "$text-muted")]
    counts: dict[str, Counter[Result]] = {}
    for one in found:
        for check in one.checks:
            counts.setdefault(check.name, Counter())[check.result] += 1
    lines += [Content(""), Content.styled("passed  failed  not applicable", "bold $text-muted")]
    for name, results in counts.items():
        if set(results) == {Result.NOT_APPLICABLE}:
            continue
        passed, failed = results[Result.PASSED], results[Result.FAILED]
        numbers = f"{passed:>6}  {failed:>6}  {len(found) - passed - failed:>14}  "
        lines += hanging(numbers, name, width, label_style="$error" if results[Result.FAILED] else "$text-muted")
    lines += [Content(""), *hanging("", _RECORDS_NOTE, width, style="$text-muted")]
    return Content("\n").join(lines)


def _pair(label: str, text: str, width: int) -> list[Content]:
    return hanging(f"{printable(label, 20):<{_LABEL_CELLS}} ", text, width, label_style="$text-muted")
