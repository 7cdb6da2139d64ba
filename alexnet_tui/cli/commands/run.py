"""``run``: one option for each hyperparameter, all generated from `RunConfig`; and ``--dry-run``."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from alexnet_tui.cli import options
from alexnet_tui.cli.generated_options import (
    POSITIONAL,
    GroupedCommand,
    given_text,
    with_hyperparameters,
    with_launcher,
)
from alexnet_tui.cli.output import Json, printing, say, write_json
from alexnet_tui.cli.starting import check_device, is_trusted, prepare_data, start_and_follow
from alexnet_tui.cli.tables import table_box
from alexnet_tui.command_lines import shell_command
from alexnet_tui.config.architecture import Architecture, num_parameters
from alexnet_tui.config.hyperparameters import SPECS, RunConfig, option_name, parse_field, shown_value
from alexnet_tui.datasets.catalog import check_num_images
from alexnet_tui.errors import ExitCode, UsageError
from alexnet_tui.launch import registry
from alexnet_tui.launch.engine import Launch, StartOptions
from alexnet_tui.runs.run_files import log_bytes
from alexnet_tui.runs.store import Store
from alexnet_tui.text import format_count, printable

if TYPE_CHECKING:
    from rich.table import Table

    from alexnet_tui.analysis.network_size import LayerRow

_HELP = """Train one variant of the network, and follow it.

The run goes on if this terminal goes away. With --headless, ctrl-c once stops it with a checkpoint,
twice leaves at once.

Example: alexnet-tui run low-dropout --data cifar10 --epochs 20 --seed 1 --headless
"""


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command("run", help=_HELP, cls=_RunCommand)(with_hyperparameters(with_launcher(run), positional=True))


class _RunCommand(GroupedCommand):
    """Knows the one hyperparameter that is no option."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments; the variant as an option gets a sentence of its own."""
        option = option_name(POSITIONAL)
        for index, word in enumerate(args):
            if word == option or word.startswith(f"{option}="):
                value = word.partition("=")[2] or "".join(args[index + 1 : index + 2]) or "VARIANT"
                right = printable(shell_command("run", value), 100)
                raise UsageError(f"there is no option {option}; the variant stands by itself: {right}")
        return super().parse_args(ctx, args)


def run(
    label: Annotated[str, options.option("--label", metavar="TEXT", help="Your own name for the run.")] = "",
    headless: options.Headless = False,
    as_json: options.AsEvents = False,
    dry_run: Annotated[
        bool,
        options.option("--dry-run", help="Print the resolved configuration and the layers; train nothing."),
    ] = False,
    extend: Annotated[
        str,
        options.option(
            "--extend",
            metavar="RUN",
            help="Train this run further, as a new run with more --epochs; its settings are kept.",
            autocompletion=options.complete_run,
        ),
    ] = "",
    trust: Annotated[
        bool,
        options.option("--trust", help="With --extend, a run that another user or machine made."),
    ] = False,
    runs_dir: options.RunsDir = None,
    *,
    launch: Launch,
    **fields: str | bool | None,
) -> options.Outcome:
    """Train one variant; the parser gets an option for each hyperparameter, too."""
    if extend:
        store, epochs = options.open_store(runs_dir), _more_epochs(given_text(fields))
        return _extend(
            store, extend, epochs, launch, label=label, trust=trust, dry_run=dry_run, headless=headless, as_json=as_json
        )
    if trust:
        raise UsageError("--trust goes with --extend; a new run is your own.")
    config = RunConfig.from_text(given_text(fields))
    check_num_images(config)
    if registry.trains_here(launch):
        check_device(config)
    if dry_run:
        return show_plan(config, as_json)
    store = options.open_store(runs_dir)
    store.check_writable()
    prepare_data(config)
    record = store.create(config, label=label, argv=options.command_line())
    return start_and_follow(store, record.id, launch, headless=headless, as_json=as_json)


def _more_epochs(given: Mapping[str, str]) -> int:
    """The number of epochs, the one setting that an extended run does not have from its parent.

    Raises:
        UsageError: There is none, or another setting is given.
        ConfigError: It is no number of epochs.
    """
    others = [option_name(name) for name in given if name not in {"epochs", POSITIONAL}]
    if POSITIONAL in given:
        others.insert(0, "VARIANT")
    if others:
        raise UsageError(f"--extend keeps the settings of the run; leave out {', '.join(others)}.")
    if "epochs" not in given:
        raise UsageError("--extend needs to know how far: --epochs 150 trains to the end of epoch 150.")
    return int(parse_field("epochs", given["epochs"]))


def _extend(
    store: Store,
    parent: str,
    epochs: int,
    launch: Launch,
    *,
    label: str,
    trust: bool,
    dry_run: bool,
    headless: bool,
    as_json: bool,
) -> options.Outcome:
    """Train a run further, as a new one."""
    from alexnet_tui.runs.extend import create_extension, extended_config

    parent_id = store.resolve(parent)
    config = extended_config(store, parent_id, epochs)
    check_num_images(config)
    if registry.trains_here(launch):
        check_device(config)
    if dry_run:
        return show_plan(config, as_json)
    labelled = ("--label", label) if label else ()
    words = ("run", "--extend", parent_id, "--epochs", str(epochs), *labelled, *registry.option_words(launch))
    if not (trust or is_trusted(store, parent_id, *words)):
        say("Nothing was started.")
        return ExitCode.DONE
    store.check_writable()
    prepare_data(config)
    record = create_extension(store, parent_id, epochs, label=label, argv=options.command_line())
    if config.depends_on_length:
        say(
            f"the schedule {config.schedule} depends on the number of epochs: this run is not comparable with one of"
            f" {config.epochs:,} epochs from the start."
        )
    say(f"run {record.id} trains {parent_id} further, to epoch {config.epochs:,}.")
    offset, how = log_bytes(store.path(record.id)), StartOptions(is_trusted=True)
    return start_and_follow(store, record.id, launch, how, headless=headless, as_json=as_json, from_offset=offset)


def show_plan(config: RunConfig, as_json: bool) -> int:
    """Print the resolved configuration and the layers of its network."""
    from alexnet_tui.analysis.network_size import layer_table

    architecture = config.architecture(_num_classes(config.data))
    layers = layer_table(architecture)
    if as_json:
        write_json(_plan_facts(config, architecture, layers))
        return ExitCode.DONE
    with printing() as console:
        console.print(_settings_table(config))
        if not console.is_terminal:
            console.print()
        console.print(_network_table(layers, num_parameters(architecture)))
    return ExitCode.DONE


def _plan_facts(config: RunConfig, architecture: Architecture, layers: Sequence["LayerRow"]) -> dict[str, Json]:
    """What JSON has of a run to be."""
    return {
        "config": {name: getattr(config, name) for name in SPECS},
        "layers": [
            {"name": " ".join(row.name.split()), "shape": list(row.shape), "parameters": row.num_parameters}
            for row in layers
        ],
        "num_parameters": num_parameters(architecture),
        "num_classes": architecture.num_classes,
    }


def _settings_table(config: RunConfig) -> "Table":
    from rich.table import Table

    table = Table("setting", "value", "", box=table_box(), pad_edge=False)
    changes = config.changes()
    for name, spec in SPECS.items():
        shown = "VARIANT" if name == POSITIONAL else option_name(name)
        value = shown_value(name, getattr(config, name))
        value = value if value == spec.zero else f"{value} {spec.unit}".strip()
        table.add_row(shown, value, "changed" if name in changes else "")
    return table


def _network_table(layers: Sequence["LayerRow"], total: int) -> "Table":
    from rich.table import Table

    table = Table("layer", "output", box=table_box(), pad_edge=False)
    table.add_column("parameters", justify="right")
    for row in layers:
        shape = "x".join(str(side) for side in row.shape)
        table.add_row(row.name, shape, format_count(row.num_parameters) if row.num_parameters else "")
    table.add_row("total", "", format_count(total))
    return table


def _num_classes(data: str) -> int:
    """Classes of a data set this machine knows, else ten."""
    from alexnet_tui.datasets.catalog import catalog

    return next((info.num_classes for info in catalog() if info.name == data), 0) or 10
