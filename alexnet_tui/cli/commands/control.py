"""Commands that start, stop, follow or delete a run that exists."""

import sys
from typing import Annotated

import typer

from alexnet_tui.cli import options
from alexnet_tui.cli.commands.runs import label_of
from alexnet_tui.cli.commands.show import sentence
from alexnet_tui.cli.generated_options import with_launcher
from alexnet_tui.cli.output import say
from alexnet_tui.cli.starting import check_device, follow_or_open, is_trusted, prepare_data, start_and_follow
from alexnet_tui.command_lines import quote_words, shell_command
from alexnet_tui.errors import (
    AlexnetTuiError,
    ExitCode,
    LaunchError,
    RunBusyError,
    StoreError,
    UsageError,
)
from alexnet_tui.launch import registry
from alexnet_tui.launch.engine import LOCAL, Launch, StartOptions
from alexnet_tui.runs.follow import load
from alexnet_tui.runs.record import RunRecord
from alexnet_tui.runs.run_files import log_bytes
from alexnet_tui.runs.state import State, shown_word
from alexnet_tui.runs.store import Store
from alexnet_tui.studies import deletion
from alexnet_tui.studies.cluster import withdraw_run
from alexnet_tui.text import counted, format_bytes, printable

_STOP_PATIENCE_SECONDS = 120.0


def register(app: typer.Typer) -> None:
    """Mount the commands."""
    app.command("resume", short_help="Go on with a run from its last checkpoint.")(with_launcher(resume))
    app.command("stop", short_help="Stop a run, with a checkpoint.")(stop)
    app.command("task", hidden=True)(task)
    app.command("attach", short_help="Follow a run that was started elsewhere.")(attach)
    app.command("rename", short_help="Give a folder that is not listed the name of a run.")(rename)
    app.command("delete", short_help="Delete a run and all it has, after asking.")(delete)


def resume(
    run: options.RunName,
    from_scratch: Annotated[
        bool,
        options.option("--from-scratch", help="Start again, ignoring checkpoints."),
    ] = False,
    trust: Annotated[
        bool,
        options.option("--trust", help="Train a run that another user or another machine made."),
    ] = False,
    headless: options.Headless = False,
    as_json: options.AsEvents = False,
    runs_dir: options.RunsDir = None,
    *,
    launch: Launch,
) -> options.Outcome:
    """Go on with a stopped, failed or crashed run from its last checkpoint, and follow it.

    Example: alexnet-tui resume last --headless
    """
    from alexnet_tui.launch.checks import check_startable

    store = options.open_store(runs_dir)
    run_id = store.resolve(run)
    record, state = store.record(run_id), load(store, run_id, skip_steps=True)[1]
    if state is State.RUNNING:
        raise RunBusyError(
            f"run {run_id} is already being trained; follow it: {shell_command('attach', run_id, root=store.root)}"
        )
    if state is State.FINISHED:
        what = f"Train it further: {longer}" if (longer := _longer(store, record)) else "Start a new run instead."
        raise UsageError(f"run {run_id} has finished; there is nothing to resume. {what}")
    check_startable(store, run_id)
    how_to_start = (*(["--from-scratch"] if from_scratch else []), *registry.option_words(launch))
    if not (trust or is_trusted(store, run_id, "resume", run_id, *how_to_start)):
        say("Nothing was started.")
        return ExitCode.DONE
    if registry.trains_here(launch):
        check_device(record.config)
    here = registry.LAUNCHERS[launch.launcher].summary
    if (before := registry.noted(store, run_id)).launcher not in {LOCAL, launch.launcher}:
        say(f"run {run_id} was started with `{quote_words(*registry.option_words(before))}`; now it trains {here}.")
    prepare_data(record.config)
    from_offset = log_bytes(store.path(run_id))
    how = StartOptions(from_scratch=from_scratch, is_trusted=True)
    return start_and_follow(store, run_id, launch, how, headless=headless, as_json=as_json, from_offset=from_offset)


def _longer(store: Store, record: RunRecord) -> str:
    """The command that trains a finished run further; empty where none can."""
    from alexnet_tui.runs.extend import extended_config

    epochs = 2 * record.config.epochs
    if record.foreign or store.is_reference(record.id):
        return ""
    try:
        extended_config(store, record.id, epochs)
    except AlexnetTuiError:  # It has no checkpoint, or no run may be so long.
        return ""
    return shell_command("run", "--extend", record.id, "--epochs", str(epochs), root=store.root)


def stop(
    run: options.RunName,
    wait: Annotated[
        bool,
        options.option("--wait/--no-wait", help="Wait until the checkpoint is written. (default: wait)"),
    ] = True,
    now: Annotated[
        bool,
        options.option("--now", help="End it at once, without a new checkpoint."),
    ] = False,
    runs_dir: options.RunsDir = None,
) -> int:
    """Stop a run at its next step, with a checkpoint it can resume from.

    Example: alexnet-tui stop last
    """
    from alexnet_tui.launch.trainer_process import is_training

    store = options.open_store(runs_dir)
    run_id = store.resolve(run)
    if not is_training(store, run_id):
        if label := withdraw_run(store, run_id):
            say(f"run {run_id} is taken out of {label}.")
            return ExitCode.DONE
        raise UsageError(f"run {run_id} is not being trained; there is nothing to stop.")
    if now:
        _kill(store, run_id)
    else:
        _ask_to_stop(store, run_id, wait=wait)
    if wait:
        history, state = load(store, run_id, skip_steps=True)
        resume = shell_command("resume", run_id, *registry.noted_options(store, run_id), root=store.root)
        again = f"; `{resume}` goes on" if state is State.STOPPED else ""
        say(f"run {run_id} {sentence(store, history, state)}{again}")
    return ExitCode.DONE


def _kill(store: Store, run_id: str) -> None:
    """End a run at once.

    Raises:
        LaunchError: Its process is still there.
    """
    from alexnet_tui.launch import stopping

    if not stopping.kill(store, run_id):
        process = f"process {owner.pid}" if (owner := store.owner(run_id)) else "its process"
        raise LaunchError(
            f"run {run_id}: {process} was killed and is still there; it waits for the system, such as a disk or a"
            " network drive that does not answer, and ends with that."
        )


def _ask_to_stop(store: Store, run_id: str, *, wait: bool) -> None:
    """Have a run write a checkpoint and end.

    Raises:
        LaunchError: It is still being trained when nobody waits any longer.
    """
    from alexnet_tui.launch import stopping

    stopping.stop(store, run_id)
    say(f"stopping {run_id} with a checkpoint...")
    if wait and not stopping.wait_free(store, run_id, _STOP_PATIENCE_SECONDS):
        at_once = shell_command("stop", run_id, "--now", root=store.root)
        raise LaunchError(
            f"run {run_id} is still being trained after {_STOP_PATIENCE_SECONDS:.0f} s; `{at_once}` ends it at"
            " once, without a new checkpoint."
        )


def task(run: options.RunName, runs_dir: options.RunsDir = None) -> int:
    """Train one run here until it ends; engines that were handed a run call it on the machine they chose.

    They name it in full: of a run that is gone meanwhile, no other one is trained in its place.
    """
    from alexnet_tui.studies.cluster_task import train

    store = options.open_store(runs_dir)
    return train(store, run, say=say, prepare=prepare_data)


def attach(
    run: options.RunName,
    headless: options.Headless = False,
    as_json: options.AsEvents = False,
    runs_dir: options.RunsDir = None,
) -> options.Outcome:
    """Follow a run that was started elsewhere; ctrl-c only leaves, the run goes on.

    Example: alexnet-tui attach last --headless
    """
    store = options.open_store(runs_dir)
    run_id = store.resolve(run)
    in_console = options.wants_console(headless, as_json)
    if not in_console and load(store, run_id, skip_steps=True)[1] is State.QUEUED:
        resumes = shell_command("resume", run_id, *registry.noted_options(store, run_id), root=store.root)
        raise UsageError(f"run {run_id} has not begun; start it: {resumes}")
    return follow_or_open(store, run_id, headless=headless, as_json=as_json, stop_on_interrupt=False)


def rename(
    folder: Annotated[str, options.argument(metavar="FOLDER", help="Name of a folder in the runs folder.")],
    new_id: Annotated[
        str,
        options.argument(metavar="[NEW_ID]", help="The id it gets; by default one like its name."),
    ] = "",
    runs_dir: options.RunsDir = None,
) -> int:
    """Rename a folder with a run's record in it, so that it is listed and can be opened.

    A run's id is the name of its folder: small letters, digits, - and _. A folder that was copied here under another
    name is not listed; `alexnet-tui runs` says so.

    Example: alexnet-tui rename "My best run" my-best-run
    """
    store = options.open_store(runs_dir)
    run_id = store.rename(folder, new_id)
    say(f"{printable(folder, 200)} is now run {run_id}: {shell_command('show', run_id, root=store.root)}")
    return ExitCode.DONE


def delete(
    runs: Annotated[
        list[str],
        list[str],
        options.argument(
            metavar="RUN...",
            help="Ids of runs, the letters they begin with, or `last`.",
            autocompletion=options.complete_run,
        ),
    ],
    yes: Annotated[bool, options.option("--yes", "-y", help="Do not ask.")] = False,
    runs_dir: options.RunsDir = None,
) -> int:
    """Delete runs with their records and their checkpoints, after asking.

    Example: alexnet-tui delete baseline-s0-20261122-195310
    """
    store = options.open_store(runs_dir)
    lost = {run_id: _describe(store, run_id) for run_id in map(store.resolve, runs)}
    if not yes:
        what = "; ".join(lost.values())
        if not sys.stdin.isatty():
            raise UsageError(f"this would delete {what}. --yes does it without asking.")
        say(" ".join((f"This deletes {what}.", *deletion.deletion_warnings(store, [*lost]), "It cannot be undone.")))
        if not typer.confirm(f"Delete {'it' if len(lost) == 1 else f'these {len(lost)} runs'}?", err=True):
            say("Nothing was deleted.")
            return ExitCode.DONE
    for run_id, described in lost.items():
        deletion.delete_run(store, run_id)
        say(f"deleted {described}.")
    return ExitCode.DONE


def _describe(store: Store, run_id: str) -> str:
    """What is lost with a run.

    Raises:
        RunBusyError: It is being trained.
    """
    try:
        history, state = load(store, run_id, skip_steps=True)
    except StoreError as error:
        reason = error.reason.rstrip(".")
        size = format_bytes(store.size_on_disk(run_id))
        return f"run {run_id}, which cannot be read ({reason}): {size} on disk"
    if state is State.RUNNING:
        raise store.busy(run_id)
    size = format_bytes(store.size_on_disk(run_id))
    epochs, checkpoints = history.num_epochs_done, len(store.checkpoints(run_id))
    label = f' "{printable(name, 60)}"' if (name := label_of(store, history)) else ""
    return (
        f"run {run_id}{label} ({shown_word(state)}): {counted(epochs, 'epoch')},"
        f" {counted(checkpoints, 'checkpoint')}, {size} on disk"
    )
