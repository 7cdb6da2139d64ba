"""What every command that trains a run does around it: trust, device and data before it, following it after."""

import sys

import typer

from alexnet_tui.cli import options
from alexnet_tui.cli.output import progress_bar, say
from alexnet_tui.command_lines import shell_command
from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.errors import ExitCode, UntrustedRunError
from alexnet_tui.launch import registry
from alexnet_tui.launch.engine import DEFAULT_START, Launch, StartOptions
from alexnet_tui.runs.store import Store


def is_trusted(store: Store, run_id: str, *command: str) -> bool:
    """Whether a run is this user's own, made here; another's is asked about on a terminal.

    Args:
        command: The words of the command that is to train it, without ``--trust``.

    Raises:
        UntrustedRunError: It is another's, and there is no terminal to ask on.
    """
    from alexnet_tui.launch.trust import check_trust

    try:
        check_trust(store, run_id, command=command)
    except UntrustedRunError as error:
        if not sys.stdin.isatty():
            raise
        say(str(error))
        return typer.confirm("Train it?", err=True)
    return True


def check_device(config: RunConfig) -> None:
    """Refuse a device that is not here before anything is written; auto and cpu always are.

    Raises:
        DeviceError: The device is not on this machine.
    """
    if config.device not in {"auto", "cpu"}:
        from alexnet_tui.launch.probe import describe

        describe(config)


def prepare_data(config: RunConfig) -> None:
    """Prepare the data set before there is a run, so that a missing one leaves none behind.

    Raises:
        DatasetError: The data set is unknown, missing or damaged.
    """
    from alexnet_tui.datasets import catalog as data_catalog
    from alexnet_tui.datasets.prepare import prepare_dataset

    size = config.architecture(10).front_end.image_size
    if not data_catalog.is_prepared(config.data, size):
        with progress_bar(f"data set {config.data}") as report:
            prepare_dataset(config.data, size, report)


def start_and_follow(
    store: Store,
    run_id: str,
    launch: Launch,
    how: StartOptions = DEFAULT_START,
    *,
    headless: bool,
    as_json: bool,
    from_offset: int = 0,
) -> options.Outcome:
    """Start a run and follow it; where it only goes into an engine's queue, say so and leave it."""
    registry.start(store, run_id, launch, how)
    engine = registry.queue_engine(launch)
    found = engine.queue(store.path(run_id)) if engine is not None else None
    if found is not None:
        shows = shell_command("show", run_id, root=store.root)
        say(f"run {run_id}: queued as {found.label}; `{shows}` shows it.")
        return ExitCode.DONE
    return follow_or_open(
        store, run_id, headless=headless, as_json=as_json, stop_on_interrupt=True, from_offset=from_offset
    )


def follow_or_open(
    store: Store,
    run_id: str,
    *,
    headless: bool,
    as_json: bool,
    stop_on_interrupt: bool,
    from_offset: int = 0,
) -> options.Outcome:
    """Open the console on a run, or follow it here."""
    if warning := store.access_warning():
        say(warning)
    if options.wants_console(headless, as_json):
        return options.ConsoleRequest(store, run_id)
    from alexnet_tui.cli.follow import follow

    return follow(store, run_id, as_json=as_json, stop_on_interrupt=stop_on_interrupt, from_offset=from_offset)
