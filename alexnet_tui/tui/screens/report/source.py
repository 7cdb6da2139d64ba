"""What the Report screen asks for outside the screen's thread: a report built from the store, and its file."""

import threading
from collections.abc import Sequence
from pathlib import Path

import msgspec

from alexnet_tui.analysis.copies import check_together
from alexnet_tui.analysis.integrity import Check, check_run
from alexnet_tui.analysis.selection import select_runs
from alexnet_tui.errors import UsageError
from alexnet_tui.files import reason_of
from alexnet_tui.output_file import write_output
from alexnet_tui.paths import absolute, given
from alexnet_tui.report.build import build_selection
from alexnet_tui.report.content import Report
from alexnet_tui.report.formats import ENDINGS, render
from alexnet_tui.runs.run_ids import REFERENCE
from alexnet_tui.runs.store import Store
from alexnet_tui.studies import planned_runs
from alexnet_tui.text import counted, printable
from alexnet_tui.tui.study_lookup import MAX_STUDIES, newest_studies

_MAKING = threading.Lock()


class Source(msgspec.Struct, frozen=True):
    """Something to report on.

    Attributes:
        key: Names it among others.
        title: For people; not yet safe to print.
        names: Studies and run ids; none means all own runs, or else the reference runs.
        study: The study it is the runs of, or empty.
    """

    key: str
    title: str
    names: tuple[str, ...] = ()
    study: str = ""


OWN = Source("own", "Own runs, or the reference runs until one is finished")


def of_study(name: str) -> Source:
    """The runs of a study."""
    return Source(f"study {name}", f"Study {name}", (name,), name)


def sources(store: Store, marked: Sequence[str], *, has_references: bool) -> list[Source]:
    """All there is to report on, the newest studies first."""
    found = [OWN]
    if has_references:
        found.append(Source("reference", "Reference runs", (REFERENCE,)))
    if marked:
        found.append(Source("marked", f"The {counted(len(marked), 'marked run')}", tuple(marked)))
    return found + [of_study(name) for name in newest_studies(store)[:MAX_STUDIES]]


class RunChecks(msgspec.Struct, frozen=True):
    """What checking a run's record found.

    Attributes:
        run_id: The run.
        checks: Of its record by itself, and beside the records of the other runs.
    """

    run_id: str
    checks: tuple[Check, ...]


def make(store: Store, source: Source, find: planned_runs.Find | None = None) -> tuple[Report, list[RunChecks]]:
    """Read the runs, judge them, and check their records.

    Args:
        store: The runs folder.
        source: What to report on.
        find: Where runs are known already; else they are read from the disk.

    Raises:
        AlexnetTuiError: The runs or the plan cannot be read; the sentence says why.
    """
    with _MAKING:  # One that is asked for again is made by a second thread, out of runs that reading changes.
        found = select_runs(store, source.names, find=find)
        together = check_together(found.histories)
        checks = [
            RunChecks(run.id, (*check_run(run), *([together[run.id]] if run.id in together else [])))
            for run in found.histories
        ]
        return build_selection(found), checks


FORMATS_HINT = "The ending chooses the format: .html, .md, .tex or .json."


def target(text: str) -> Path:
    """The file a person named.

    Raises:
        UsageError: It has no ending of a known format, or begins with the home of nobody.
    """
    path = given(text.strip())
    if path.suffix.lower() not in ENDINGS:
        raise UsageError(f"{printable(text.strip(), 200)!r} names no format. {FORMATS_HINT}")
    return absolute(path)


def is_there(path: Path) -> bool:
    """Whether something would be replaced.

    Raises:
        UsageError: Nothing can be written there.
    """
    try:
        return path.exists()
    except OSError as error:
        raise UsageError(f"{printable(str(path), 200)!r} cannot be written ({reason_of(error)}).") from error


def write(report: Report, path: Path, store: Store) -> None:
    """Write the report in the format that the file's ending names.

    Raises:
        StoreError: The file cannot be written.
    """
    content = render(report, ENDINGS[path.suffix.lower()], store.path).encode("utf-8", errors="replace")
    write_output(path, content)
