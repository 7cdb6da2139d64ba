"""``study show`` and ``study verify``: what a study registered, and whether its plan, ledger and runs agree."""

import sys
import time
from collections.abc import Mapping, Sequence
from typing import Annotated

import msgspec

from alexnet_tui.analysis.metrics import heading_of
from alexnet_tui.cli import options
from alexnet_tui.cli.output import Json, write_json
from alexnet_tui.config.hyperparameters import Value, settings_text
from alexnet_tui.config.protocols import PROTOCOLS, REPORT
from alexnet_tui.errors import ExitCode
from alexnet_tui.runs.state import shown_word
from alexnet_tui.runs.store import Store
from alexnet_tui.studies import bookkeeping
from alexnet_tui.studies.ledger import Ledger
from alexnet_tui.studies.plan import HASH_SINCE, Plan, load_plan, load_runnable_plan, verify_hash
from alexnet_tui.text import counted, format_seeds, printable

NEWER_PLAN = "a newer alexnet-tui wrote this plan; it can only be looked at"


def show(name: options.StudyName, as_json: options.AsJson = False, runs_dir: options.RunsDir = None) -> int:
    """What a study registered: groups, seeds, claims, hash, ledger.

    Example: alexnet-tui study show mine
    """
    store = options.open_store(runs_dir)
    plan = load_plan(store, name)
    if as_json:
        content = msgspec.to_builtins(plan)
        kept = {name: value for name, value in content.items() if name not in {"configs", "cell_groups"}}
        write_json({**kept, **ledger_facts(store, plan)})
        return ExitCode.DONE
    lines = [
        f"study {plan.name}: {plan.size_text}, planned {time.strftime('%Y-%m-%d %H:%M', time.localtime(plan.created))}",
        *(f"group {group}: {settings_text(settings) or 'as all runs'}" for group, settings in plan.groups.items()),
        f"all runs{_exception(plan)}: {_settings_of_all(plan)}",
        f"seeds: {format_seeds(plan.seeds)}",
        *claim_lines(plan),
        f"plan's SHA-256: {plan.sha256}" if plan.sha256 else "",
        f"plan: {problem}" if (problem := verify_hash(store, plan)) else "",
        ledger_text(bookkeeping.read(store, plan)),
    ]
    if plan.extends:
        lines.append(f"extends study {plan.extends} (SHA-256 {plan.extends_sha256}); look {plan.look} at its claims")
    if plan.is_newer:
        lines.append(NEWER_PLAN)
    sys.stdout.write("".join(f"{printable(line, 400)}\n" for line in lines if line))
    return ExitCode.DONE


def verify(
    name: options.StudyName,
    rebuild: Annotated[
        bool,
        options.option(
            "--rebuild",
            help="First write what the ledger lacks, from the runs' own records; it says that it was rebuilt.",
        ),
    ] = False,
    as_json: options.AsJson = False,
    runs_dir: options.RunsDir = None,
) -> int:
    """Check a study's plan and ledger, and its runs against them.

    Recomputes the plan's hash and the ledger's chain of hashes; 0 where nothing is wrong, else 3.

    Example: alexnet-tui study verify mine --json
    """
    store = options.open_store(runs_dir)
    plan = load_plan(store, name)
    if rebuild:
        bookkeeping.update(store, load_runnable_plan(store, name))
    ledger = bookkeeping.read(store, plan)
    account = bookkeeping.account(ledger)
    plan_problem = verify_hash(store, plan)
    problems = bookkeeping.problems(store, ledger)
    is_sound = not problems and (not plan_problem or plan.v < HASH_SINCE)
    if as_json:
        write_json(
            {
                "name": name,
                "is_sound": is_sound,
                "plan_sha256": plan.sha256,
                "plan_problem": plan_problem,
                "ledger_problems": problems,
                "is_rebuilt": ledger.is_rebuilt,
                "num_entries": len(ledger.entries),
                "num_written": ledger.num_written,
                "counted": {str(cell): run_id for cell, run_id in account.counted.items()},
                "repeated": dict(account.repeated),
                "deleted": dict(account.deleted),
                "failed": dict(account.failed),
            }
        )
    else:
        sys.stdout.write("".join(f"{line}\n" for line in _verified(plan, plan_problem, ledger, problems, account)))
    return ExitCode.DONE if is_sound else ExitCode.STORE_OR_DATA


def _verified(
    plan: Plan, plan_problem: str, ledger: Ledger, problems: Sequence[str], account: bookkeeping.Account
) -> list[str]:
    """What `verify` found, a sentence a line."""
    lines = [
        f"plan: {plan_problem}" if plan_problem else f"plan: unchanged since it was written, SHA-256 {plan.sha256}"
    ]
    lines += [f"ledger: {problem}" for problem in problems]
    if ledger.is_rebuilt or not problems:
        lines.append(f"{ledger_text(ledger)}.")
    num_gone = sum(run_id in account.deleted for run_id in account.counted.values())
    lines.append(
        f"runs: {len(account.counted)} of {counted(len(plan.configs), 'planned run')} finished"
        + (f"; {num_gone} of them {'is' if num_gone == 1 else 'are'} gone." if num_gone else ".")
    )
    lines += [f"excluded: {run_id} is repeated; another run of its seed finished first." for run_id in account.repeated]
    lines += [f"deleted: {run_id} ({shown_word(state)})." for run_id, state in account.deleted.items()]
    lines += [f"failed: {run_id} ({reason})." for run_id, reason in account.failed.items()]
    return [printable(line, 400) for line in lines]


def ledger_facts(store: Store, plan: Plan) -> dict[str, Json]:
    """What JSON has of a study's ledger."""
    ledger = bookkeeping.read(store, plan)
    return {
        "ledger": {
            "num_entries": len(ledger.entries),
            "num_written": ledger.num_written,
            "is_rebuilt": ledger.is_rebuilt,
            "problems": [problem.text for problem in ledger.problems],
        }
    }


def ledger_text(ledger: Ledger) -> str:
    """The state of a ledger, a sentence without its full stop; of several faults the first."""
    if ledger.problems:
        return f"ledger: {ledger.problems[0].text}"
    if ledger.is_rebuilt:
        return "ledger: rebuilt from the runs' own records; it was not written as things happened"
    return f"ledger: {counted(ledger.num_written, 'line')}, an unbroken chain"


def _exception(plan: Plan) -> str:
    """Of which runs what is set for all is not true: what makes a group goes over it."""
    is_partly_set = any(not plan.overrides.keys().isdisjoint(settings) for settings in plan.groups.values())
    return ", where their group sets nothing else" if is_partly_set else ""


def _settings_of_all(plan: Plan) -> str:
    """What a plan and its protocol set for every run, and what its protocol tries each group and seed with."""
    protocol = PROTOCOLS.get(plan.protocol, PROTOCOLS[REPORT])
    tried = [f"{title} {' or '.join(options)}" for title, options in protocol.swept.items()]
    text = _settings_or_default({**protocol.settings, **plan.overrides})
    return f"{text}; each with {', with '.join(tried)}" if tried else text


def claim_lines(plan: Plan) -> list[str]:
    """What a plan registers, a sentence a claim."""
    return [
        printable(
            f"claim {one.name}: {heading_of(one.metric)} with {_settings_or_default(one.group)} is {one.direction}"
            f" than with {_settings_or_default(one.reference)}; {one.smallest_effect_text} or more matters",
            400,
        )
        for one in plan.claims
    ]


def _settings_or_default(settings: Mapping[str, Value]) -> str:
    return settings_text(settings) or "as by default"
