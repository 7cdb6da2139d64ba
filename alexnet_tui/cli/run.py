"""``run``: one option for each hyperparameter, all generated from `RunConfig`; and ``--dry-run``."""

import inspect
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from alexnet_tui.cli import options
from alexnet_tui.cli.console import open_console, progress_bar
from alexnet_tui.config.hyperparameters import (
    SPECS,
    TYPES,
    RunConfig,
    default_of,
    format_value,
    option_name,
    range_text,
    shown_value,
)
from alexnet_tui.errors import UsageError
from alexnet_tui.paths import command
from alexnet_tui.runs.store import Store
from alexnet_tui.text import format_count, printable

_HELP = """Train one variant of the network, and follow it.

The run goes on if this terminal goes away. With --headless, ctrl-c once stops it with a checkpoint,
twice leaves at once.

Example: alexnet-tui run low-dropout --data cifar10 --epochs 20 --seed 1 --headless
"""
POSITIONAL = "variant"
"""The one hyperparameter that `run` takes by its place."""
_COMPLETE = {"front_end": options.complete_front_end, "data": options.complete_data}


def register(app: typer.Typer) -> None:
    """Mount the command."""
    parameters = list(_parameters())
    run.__signature__ = inspect.Signature(parameters, return_annotation=int)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    app.command("run", help=_HELP, cls=_RunCommand)(run)


class GroupedCommand(TyperCommand):
    """Lists options under the headings of their hyperparameters; rich's help pages would cost 0.2 s."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the options, heading by heading."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            row = parameter.get_help_record(ctx)
            if row is not None:
                is_argument = parameter.param_type_name == "argument"
                panel = getattr(parameter, "rich_help_panel", None)
                heading = panel or ("Arguments" if is_argument else "Options")
                sections.setdefault(heading, []).append(row)
        for heading, rows in sections.items():
            with formatter.section(heading):
                formatter.write_dl(rows)


class _RunCommand(GroupedCommand):
    """Knows the one hyperparameter that is no option."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments; the variant as an option gets a sentence of its own."""
        option = option_name(POSITIONAL)
        for index, word in enumerate(args):
            if word == option or word.startswith(f"{option}="):
                value = word.partition("=")[2] or "".join(args[index + 1 : index + 2]) or "VARIANT"
                right = printable(command("run", value), 100)
                raise UsageError(f"there is no option {option}; the variant stands by itself: {right}")
        return super().parse_args(ctx, args)


def run(
    label: str,
    headless: bool,
    as_json: bool,
    dry_run: bool,
    runs_dir: Path | None,
    **fields: str | bool | None,
) -> int:
    """Train one variant; the signature typer sees is generated from `RunConfig`."""
    config = RunConfig.from_text(given_text(fields))
    check_device(config)
    if dry_run:
        return show_plan(config, as_json)
    store = options.open_store(runs_dir)
    store.check_writable()
    prepare_data(config)
    from alexnet_tui.launch import local

    record = store.create(config, label=label, argv=options.command_line())
    local.start(store, record.id)
    return follow_or_open(store, record.id, headless=headless, as_json=as_json, stop_on_interrupt=True)


def follow_or_open(
    store: Store,
    run_id: str,
    *,
    headless: bool,
    as_json: bool,
    stop_on_interrupt: bool,
    from_offset: int = 0,
) -> int:
    """Open the console on a run, or follow it here; returns the exit code."""
    if options.wants_console(headless, as_json):
        return open_console(store, run_id)
    from alexnet_tui.cli.follow import follow

    return follow(store, run_id, as_json=as_json, stop_on_interrupt=stop_on_interrupt, from_offset=from_offset)


def prepare_data(config: RunConfig) -> None:
    """Prepare the data set before there is a run, so that a missing one leaves none behind.

    Raises:
        DatasetError: The data set is unknown, missing or damaged.
    """
    from alexnet_tui.datasets import prepare as datasets

    size = config.architecture(10).front_end.image_size
    if not datasets.is_prepared(config.data, size):
        with progress_bar(f"data set {config.data}") as report:
            datasets.prepare(config.data, size, report)


def check_device(config: RunConfig) -> None:
    """Refuse a device that is not here before anything is written; auto and cpu always are.

    Raises:
        DeviceError: The device is not on this machine.
    """
    if config.device not in {"auto", "cpu"}:
        from alexnet_tui.launch.probe import describe

        describe(config)


def show_plan(config: RunConfig, as_json: bool) -> int:
    """Print the resolved configuration and the layers of its network."""
    from alexnet_tui.analysis.estimate import layer_table
    from alexnet_tui.config.architecture import num_parameters

    architecture = config.architecture(_num_classes(config.data))
    rows, total = layer_table(architecture), num_parameters(architecture)
    if as_json:
        options.write_json(
            {
                "config": {name: getattr(config, name) for name in SPECS},
                "layers": [
                    {
                        "name": " ".join(row.name.split()),
                        "shape": list(row.shape),
                        "parameters": row.num_parameters,
                    }
                    for row in rows
                ],
                "num_parameters": total,
                "num_classes": architecture.num_classes,
            }
        )
        return 0
    from rich.table import Table

    settings = Table("setting", "value", "", box=options.table_box(), pad_edge=False)
    changes = config.changes()
    for name, spec in SPECS.items():
        shown = "VARIANT" if name == POSITIONAL else option_name(name)
        value = shown_value(name, getattr(config, name))
        value = value if value == spec.zero else f"{value} {spec.unit}".strip()
        settings.add_row(shown, value, "changed" if name in changes else "")
    network = Table("layer", "output", box=options.table_box(), pad_edge=False)
    network.add_column("parameters", justify="right")
    for row in rows:
        shape = "x".join(str(side) for side in row.shape)
        network.add_row(row.name, shape, format_count(row.num_parameters) if row.num_parameters else "")
    network.add_row("total", "", format_count(total))
    with options.printing() as console:
        console.print(settings)
        if not console.is_terminal:
            console.print()
        console.print(network)
    return 0


def _num_classes(data: str) -> int:
    """Classes of a data set this machine knows, else ten."""
    from alexnet_tui.datasets import prepare as datasets

    return next((info.num_classes for info in datasets.catalog() if info.name == data), 0) or 10


def given_text(fields: Mapping[str, str | bool | None]) -> dict[str, str]:
    """The options the user gave, as text; those left out must stay out, for the presets to apply."""
    given = {name: value for name, value in fields.items() if value is not None}
    return {name: value if isinstance(value, str) else format_value(value) for name, value in given.items()}


def _parameters() -> Iterator[inspect.Parameter]:
    """What typer sees of `run`: the variant, the other hyperparameters by group, and its own options."""
    yield _parameter(
        POSITIONAL,
        str | None,
        typer.Argument(
            metavar="[VARIANT]",
            help=f"{SPECS['variant'].help} ({range_text('variant')}; default {default_of('variant')})",
            autocompletion=options.complete_variant,
            show_default=False,
        ),
        None,
    )
    for name in SPECS:
        if name != POSITIONAL:
            yield field_option(name)
    text = typer.Option("--label", metavar="TEXT", help="Your own name for the run.", show_default=False)
    dry = typer.Option(
        "--dry-run",
        help="Print the resolved configuration and the layers; train nothing.",
        show_default=False,
    )
    yield _parameter("label", str, text, "")
    yield _parameter("headless", options.Headless, None, False)
    yield _parameter("as_json", options.AsEvents, None, False)
    yield _parameter("dry_run", bool, dry, False)
    yield _parameter("runs_dir", options.RunsDir, None, None)


def field_option(name: str) -> inspect.Parameter:
    """The option of one hyperparameter; text, so that a wrong value is told in our own sentence."""
    spec, option, is_switch = SPECS[name], option_name(name), TYPES[name] is bool
    facts = [
        "" if is_switch else range_text(name) if not spec.pattern else "",
        spec.unit,
        f"default {format_value(default_of(name))}",
    ]
    info = typer.Option(
        f"{option}/--no-{option[2:]}" if is_switch else option,
        metavar=None if is_switch else TYPES[name].__name__.upper().replace("STR", "TEXT"),
        help=f"{spec.help} ({'; '.join(fact for fact in facts if fact)})",
        rich_help_panel=spec.group.capitalize(),
        autocompletion=_COMPLETE.get(name),
        show_default=False,
    )
    return _parameter(name, bool | None if is_switch else str | None, info, None)


def _parameter(name: str, kind: Any, info: Any, default: Any) -> inspect.Parameter:
    annotation = kind if info is None else Annotated[kind, info]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
