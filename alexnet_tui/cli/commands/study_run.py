"""``study run`` and what goes with it: here, in the background, on a cluster, and how to stop it."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Annotated

import typer

from alexnet_tui.cli import options
from alexnet_tui.cli.generated_options import with_launcher
from alexnet_tui.cli.output import say
from alexnet_tui.cli.starting import prepare_data
from alexnet_tui.command_lines import shell_command
from alexnet_tui.errors import ExitCode, RunBusyError, StoreError, UsageError
from alexnet_tui.launch import registry
from alexnet_tui.launch.engine import HERE, Launch, QueueEngine
from alexnet_tui.runs.state import State
from alexnet_tui.runs.store import Store
from alexnet_tui.signals import handling
from alexnet_tui.studies import orders, planned_runs, study_files, study_queue
from alexnet_tui.studies.orders import Order
from alexnet_tui.studies.plan import Plan, load_plan, load_runnable_plan
from alexnet_tui.text import counted, format_count, quoted

Parallel = Annotated[
    str,
    options.option(
        "--parallel",
        metavar="N|auto",
        help="Runs that may train at once, each on its own cores and GPU; auto finds how many (default 1).",
    ),
]


def register(studies: typer.Typer) -> None:
    """Mount the commands."""
    studies.command("run")(with_launcher(run))
    studies.command("cancel")(cancel)
    studies.command("worker", hidden=True)(worker)


def run(
    name: options.StudyName,
    parallel: Parallel = "1",
    detach: Annotated[bool, options.option("--detach", help="Go on without this terminal.")] = False,
    headless: Annotated[
        bool, options.option("--headless", hidden=True, help="Follow it here, as without this option.")
    ] = False,
    runs_dir: options.RunsDir = None,
    *,
    launch: Launch,
) -> int:
    """Work through a study; the same command goes on after anything.

    Ctrl-c once stops its runs with a checkpoint, twice leaves at once and lets them train.

    Example: alexnet-tui study run mine --parallel 2

    Example: alexnet-tui study run mine --launcher slurm --slurm partition=gpu --slurm gpus=1
    """
    store = options.open_store(runs_dir)
    plan = load_runnable_plan(store, name)
    engine = registry.queue_engine(launch)
    if engine is not None:
        return _hand_over(store, plan, engine, launch, parallel)
    if detach:
        from alexnet_tui.studies.worker import start_worker

        _prepare_images(store, plan)  # A worker in the background has nobody to say that it cannot.
        is_new = start_worker(store, name, parallel=_num_parallel(plan, parallel, launch), launch=launch)
        verb = "goes on in the background" if is_new else "is already being worked through"
        say(f"study {name} {verb}; `{study_command(store, 'status', name)}` shows it.")
        return ExitCode.DONE if is_new else ExitCode.BUSY
    return work_through(store, plan, parallel, launch)


def _hand_over(store: Store, plan: Plan, engine: QueueEngine, launch: Launch, parallel: str) -> int:
    """Put what is left of a study into an engine's queue."""
    from alexnet_tui.launch.trust import check_trust
    from alexnet_tui.studies.worker import command_lock

    at_once = 0 if parallel == "auto" else _num_parallel(plan, parallel, launch)
    with command_lock(store, plan.name):  # Of two who ask at once only one may.
        _prepare_images(store, plan)
        planned_runs.prepare(store, plan)
        queue, cells = study_queue.load(store, plan.name), planned_runs.status(store, plan)
        run_ids = [cell.run_id for cell in planned_runs.in_order(cells, queue)]
        if not run_ids:
            say(f"study {plan.name}: nothing is left to train.")
            return ExitCode.DONE
        for run_id in run_ids:
            check_trust(store, run_id)
        folder = study_files.make_folder(store, plan.name)
        label = engine.submit(folder, plan.name, store.root, run_ids, launch.options, at_once=at_once)
    for run_id in run_ids:
        registry.note(store, run_id, launch)
    shows = study_command(store, "status", plan.name)
    say(f"study {plan.name}: {counted(len(run_ids), 'run')} queued as {label}; `{shows}` shows them.")
    return ExitCode.DONE


def cancel(name: options.StudyName, runs_dir: options.RunsDir = None) -> int:
    """Stop a study: its runs write a checkpoint and end.

    None of its other runs is started; `study run` goes on.

    Example: alexnet-tui study cancel mine
    """
    from alexnet_tui.studies.worker import withdraw

    store = options.open_store(runs_dir)
    plan = load_plan(store, name)
    if not planned_runs.are_left(store, plan):
        raise UsageError(f"every run of study {name} has ended; there is nothing to cancel.")
    folder = study_files.folder_path(store, name)
    for launcher, (engine, found) in registry.queues(folder).items():
        if found.is_active:
            engine.withdraw(folder)
            say(f"study {name}: {found.label} is taken out of the queue; what trains writes a checkpoint first.")
            say(f"`{_goes_on(store, name, 1, Launch(launcher=launcher))}` goes on.")
            return ExitCode.DONE
    if orders.has_command(store, name):
        raise RunBusyError(f"study {name} is worked through by a command in a terminal; ctrl-c there stops it.")
    found_orders = (order for order in orders.active(store) if order.study == name and order.is_own)
    order = next(found_orders, Order(study=name))
    withdraw(store, plan, say)
    say(f"study {name}: nothing more is started; `{_goes_on(store, name, order.parallel, order.launch)}` goes on.")
    return ExitCode.DONE


def worker(runs_dir: options.RunsDir = None) -> int:
    """Work through the studies that were started in the background; ends when none is left."""
    from alexnet_tui.studies.worker import serve

    store = options.open_store(runs_dir)
    with _signals() as caught:
        serve(store, say=say, should_stop=lambda: bool(caught), prepare=prepare_data)
    return ExitCode.TERMINATED if caught else ExitCode.DONE


def _prepare_images(store: Store, plan: Plan) -> None:
    """Make the images ready that a plan still trains on; for one that is done, as an imported one, none are."""
    if _may_be_left(store, plan):
        for config in plan.one_of_each_image_size:
            prepare_data(config)


def _may_be_left(store: Store, plan: Plan) -> bool:
    """Whether a run has still to be trained; the worker mends a file that does not let us know."""
    try:
        return planned_runs.are_left(store, plan)
    except StoreError:
        return True


def _num_parallel(plan: Plan, text: str, launch: Launch) -> int:
    """How many runs may train at once, told where each gets a part of this machine.

    Raises:
        UsageError: The text is neither a number in range nor ``auto``, or that cannot be measured here.
    """
    is_here = registry.trains_here(launch)
    if text == "auto" and not is_here:
        raise UsageError(f"--parallel auto measures this machine; with --launcher {launch.launcher} give a number.")
    from alexnet_tui.studies.allocation import describe, this_machine

    threads = max(config.threads for config in plan.configs)
    if text == "auto":
        parallel = _fastest_parallel(plan)
    elif text.isascii() and text.isdigit() and 1 <= int(text[:6]) <= study_queue.MAX_AT_ONCE:
        parallel = int(text)
    else:
        raise UsageError(f"--parallel: a number from 1 to {study_queue.MAX_AT_ONCE}, or auto, not {quoted(text)}.")
    if is_here and (parallel > 1 or text == "auto"):
        say(f"study {plan.name}: {describe(this_machine(), parallel, threads)}.")
    return parallel


def _fastest_parallel(plan: Plan) -> int:
    """The number of runs at once that trains the most images a second here, measured.

    Raises:
        DeviceError: The device that the plan asks for is not here.
        LaunchError: The trainer cannot train here.
    """
    from alexnet_tui.studies.allocation import measure_parallel, this_machine

    say(f"study {plan.name}: measuring how many runs at a time are fastest here...")
    rates = measure_parallel(this_machine(), plan.configs[0], len(plan.configs))
    for parallel, rate in rates.items():
        say(f"  {counted(parallel, 'run')} at a time: {format_count(rate)} images/s in all")
    return max(rates, key=rates.__getitem__)


def work_through(store: Store, plan: Plan, parallel_text: str, launch: Launch = HERE) -> int:
    """Work through a plan from here; the exit code."""
    from alexnet_tui.studies.worker import work

    is_measured = parallel_text != "auto" or _may_be_left(store, plan)
    parallel = _num_parallel(plan, parallel_text, launch) if is_measured else 1
    _prepare_images(store, plan)
    with _signals() as caught:
        cells = work(
            store,
            plan,
            parallel=parallel,
            launch=launch,
            say=say,
            should_stop=lambda: bool(caught),
            prepare=prepare_data,
        )
    say(f"study {plan.name}: {planned_runs.counts_text(cells)}.")
    if deleted := planned_runs.deleted_text(cells, study_command(store, "extend", plan.name)):
        say(deleted)
    if caught:
        say(f"`{_goes_on(store, plan.name, parallel, launch)}` goes on.")
        return ExitCode.INTERRUPTED if caught[0] == signal.SIGINT else ExitCode.TERMINATED
    is_whole = all(cell.state in {State.FINISHED, planned_runs.PlannedRunState.CANCELLED} for cell in cells)
    return ExitCode.DONE if is_whole else ExitCode.TRAINING_FAILED


@contextmanager
def _signals() -> Iterator[list[int]]:
    """Collect SIGINT and SIGTERM instead of dying; a second one dies."""
    caught: list[int] = []

    def catch(number: int, _: FrameType | None) -> None:
        if caught:
            raise KeyboardInterrupt
        caught.append(number)
        say("stopping after a checkpoint; once more leaves at once and lets the runs train.")

    with handling((signal.SIGINT, signal.SIGTERM), catch):
        yield caught


def _goes_on(store: Store, name: str, parallel: int, launch: Launch) -> str:
    """The command that works through a study as it was worked through before."""
    at_once = ("--parallel", str(parallel)) if parallel > 1 else ()
    return shell_command("study", "run", name, *at_once, *registry.option_words(launch), root=store.root)


def study_command(store: Store, *words: str) -> str:
    """The command line of a study's command."""
    return shell_command("study", *words, root=store.root)
