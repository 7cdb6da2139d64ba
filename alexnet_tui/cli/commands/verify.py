"""``verify``: whether the records of runs agree with themselves, with each other and with their plan."""

import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import msgspec
import typer

from alexnet_tui.cli import options
from alexnet_tui.cli.output import Json, say, say_foreign, write_json
from alexnet_tui.errors import ExitCode, UsageError
from alexnet_tui.runs.run_ids import REFERENCE
from alexnet_tui.runs.store import Store
from alexnet_tui.studies import bookkeeping, study_files
from alexnet_tui.studies.plan import HASH_SINCE, Plan, readable_plans, verify_hash
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

    Of a study that is asked for, plan and ledger too, as `study verify` does. 0 where nothing is wrong, else 3. A run
    that fails a check counts for no verdict.

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
    studies = [*_studies(store, names or study_files.names(store), found.planned)]
    if any(store.is_reference(run.id) for run in found.histories) and (not names or REFERENCE in names):
        shipped = Store(store.reference_root)
        studies += _studies(shipped, study_files.names(shipped), found.planned)
    is_sound = not found.problems and not any(one.faults for one in studies)
    is_sound &= all(check.result is not Result.FAILED for one in checks.values() for check in one)
    if as_json:
        write_json(_as_json(is_sound, found.histories, checks, studies))
    else:
        lines = [*_study_lines(studies), *_run_lines(found.histories, checks)]
        sys.stdout.write("".join(f"{printable(line)}\n" for line in lines))
    return ExitCode.DONE if is_sound else ExitCode.STORE_OR_DATA


class _Study(msgspec.Struct, frozen=True):
    """A study that was asked for.

    Attributes:
        plan: Its plan.
        faults: What is wrong with its plan, its ledger, and the records of its runs by that.
        planned: What its report would rest on; None where it registers no claims, or has no run.
    """

    plan: Plan
    faults: tuple[str, ...]
    planned: "PlannedStudy | None" = None


def _studies(store: Store, names: Sequence[str], planned: "Sequence[PlannedStudy]") -> "Iterator[_Study]":
    """The studies of these names in a folder; plans that cannot be read were told when the runs were."""
    for plan in readable_plans(store):
        if plan.name in names:
            known = next((one for one in planned if (one.plan.name, one.plan.sha256) == (plan.name, plan.sha256)), None)
            wrong = verify_hash(store, plan) if plan.v >= HASH_SINCE and known is None else ""
            of_plan = known.registration.faults if known else (wrong,) if wrong else ()
            of_ledger = bookkeeping.problems(store, bookkeeping.read(store, plan))
            yield _Study(plan, (*of_plan, *of_ledger), known)


def _as_json(
    is_sound: bool,
    histories: "Sequence[RunHistory]",
    checks: "dict[str, list[Check]]",
    studies: "Sequence[_Study]",
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
                "faults": list(one.faults),
                "remarks": list(one.planned.registration.remarks) if one.planned else [],
                "excluded": {run.run_id: run.reason for run in one.planned.excluded} if one.planned else {},
            }
            for one in studies
        ],
    }


def _study_lines(studies: "Sequence[_Study]") -> Iterator[str]:
    for one in studies:
        count = f", {counted(len(one.planned.histories), 'run')} may count" if one.planned else ""
        yield f"study {one.plan.name}: plan {one.plan.sha256[:12] or 'without a hash'}{count}"
        for fault in one.faults:
            yield f"  FAILED  {fault}"
        if one.planned is None:
            continue
        for remark in one.planned.registration.remarks:
            if remark.removeprefix("Ledger: ") not in one.faults:
                yield f"  note    {remark}"
        for run in one.planned.excluded:
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
