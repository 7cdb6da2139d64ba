"""``verify``: whether the records of runs agree with themselves, with each other and with their plan."""

import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import typer

from alexnet_tui.cli import options
from alexnet_tui.cli.output import Json, say, say_foreign, write_json
from alexnet_tui.errors import ExitCode, UsageError
from alexnet_tui.text import counted, printable

if TYPE_CHECKING:
    from alexnet_tui.analysis.integrity import Check
    from alexnet_tui.analysis.verdict.registration import PlannedStudy
    from alexnet_tui.runs.history import RunHistory


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command("verify", short_help="Check that records of runs agree with themselves and with their plan.")(verify)


def verify(
    names: options.RunNames = None,
    as_json: options.AsJson = False,
    runs_dir: options.RunsDir = None,
) -> int:
    """Check every run's record: its start, numbers, times and accuracies, copies, and what its plan says of it.

    0 where nothing is wrong, else 3. A run that fails a check counts for no verdict.

    Example: alexnet-tui verify mine --json
    """
    from alexnet_tui.analysis.copies import check_together
    from alexnet_tui.analysis.integrity import Result, check_run
    from alexnet_tui.analysis.selection import select_runs

    store = options.open_store(runs_dir)
    found = select_runs(store, names or (), skip_steps=False, needs_finished=False)
    for problem in found.problems:
        say(f"not read: {problem}")
    say_foreign(found.foreign)
    if not found.histories:
        raise UsageError(f"there is no run to check; `{found.train}` trains some.")
    together = check_together(found.histories)
    checks = {run.id: [*check_run(run), *([together[run.id]] if run.id in together else [])] for run in found.histories}
    is_sound = not found.problems and not any(one.registration.faults for one in found.planned)
    is_sound &= all(check.result is not Result.FAILED for one in checks.values() for check in one)
    if as_json:
        write_json(_as_json(is_sound, found.histories, checks, found.planned))
    else:
        lines = [*_study_lines(found.planned), *_run_lines(found.histories, checks)]
        sys.stdout.write("".join(f"{printable(line)}\n" for line in lines))
    return ExitCode.DONE if is_sound else ExitCode.STORE_OR_DATA


def _as_json(
    is_sound: bool,
    histories: "Sequence[RunHistory]",
    checks: "dict[str, list[Check]]",
    planned: "Sequence[PlannedStudy]",
) -> Json:
    return {
        "is_sound": is_sound,
        "runs": [
            {
                "id": run.id,
                "checks": [
                    {"name": one.name, "result": one.result.value, "sentence": one.sentence} for one in checks[run.id]
                ],
            }
            for run in histories
        ],
        "studies": [
            {
                "name": one.plan.name,
                "plan_sha256": one.plan.sha256,
                "faults": list(one.registration.faults),
                "remarks": list(one.registration.remarks),
                "excluded": {run.run_id: run.reason for run in one.excluded},
            }
            for one in planned
        ],
    }


def _study_lines(planned: "Sequence[PlannedStudy]") -> Iterator[str]:
    for one in planned:
        yield f"study {one.plan.name}: plan {one.plan.sha256[:12]}, {counted(len(one.histories), 'run')} may count"
        for fault in one.registration.faults:
            yield f"  FAILED  {fault}"
        for remark in one.registration.remarks:
            yield f"  note    {remark}"
        for run in one.excluded:
            yield f"  does not count: {run.run_id}: {run.reason}"


def _run_lines(histories: "Sequence[RunHistory]", checks: "dict[str, list[Check]]") -> Iterator[str]:
    for run in histories:
        results = [one.result.value for one in checks[run.id]]
        kinds = ("passed", "failed", "not applicable")
        counts = ", ".join(f"{results.count(kind)} {kind}" for kind in kinds if kind in results)
        yield f"{run.id}: {counts}"
        for one in checks[run.id]:
            if one.sentence:
                yield f"  {'FAILED' if one.result == 'failed' else 'note  '}  {one.name}: {one.sentence}"
