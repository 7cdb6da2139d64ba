"""What the commands share: options that mean the same everywhere, those of the hyperparameters, shell completion."""

import functools
import inspect
import os
import sys
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
from typer.core import TyperCommand

from alexnet_tui.config.front_ends import FRONT_ENDS
from alexnet_tui.config.hyperparameters import (
    SPECS,
    TYPES,
    default_of,
    format_value,
    option_name,
    range_text,
)
from alexnet_tui.config.variants import VARIANTS
from alexnet_tui.errors import AlexnetTuiError
from alexnet_tui.launch import registry
from alexnet_tui.launch.engine import LOCAL
from alexnet_tui.paths import default_root, given
from alexnet_tui.runs.store import Store

POSITIONAL = "variant"
"""The one hyperparameter that `run` takes by its place."""
option = functools.partial(typer.Option, show_default=False)
argument = functools.partial(typer.Argument, show_default=False)
"""An option, and an argument, whose help names its default itself."""
_runs_dir_of_program: Path | None = None


def set_default_runs_dir(runs_dir: Path | None) -> None:
    """Keep the --runs-dir that was given before the command."""
    global _runs_dir_of_program
    _runs_dir_of_program = runs_dir


def open_store(runs_dir: Path | None) -> Store:
    """The runs folder a command works on."""
    return Store(runs_dir or _runs_dir_of_program or default_root())


def _completed_store(context: typer.Context) -> Store:
    """The runs folder of a command line that is not yet whole: --runs-dir stands behind the command, or before it."""
    return open_store(context.params.get("runs_dir") or context.find_root().params.get("runs_dir"))


def complete_run(context: typer.Context, incomplete: str) -> list[str]:
    """Ids of runs that begin with what was typed."""
    try:
        ids = _completed_store(context).ids()
    except AlexnetTuiError:
        return []
    return [name for name in ("last", *ids) if name.startswith(incomplete)]


def completing(known: Mapping[str, Any]) -> Callable[[str], list[tuple[str, str]]]:
    """Completes the names of a table, with the ``summary`` of each entry."""
    return lambda incomplete: [(name, one.summary) for name, one in known.items() if name.startswith(incomplete)]


def complete_data(incomplete: str) -> list[str]:
    """Names of the data sets this machine knows."""
    from alexnet_tui.datasets.catalog import catalog

    try:
        names = [info.name for info in catalog()]
    except AlexnetTuiError:
        return []
    return [name for name in names if name.startswith(incomplete)]


RunsDir = Annotated[
    Path | None,
    option(
        "--runs-dir",
        metavar="DIR",
        parser=given,
        help="Folder that holds the runs (default: $ALEXNET_TUI_RUNS, else ./runs).",
    ),
]


def complete_study(context: typer.Context, incomplete: str) -> list[str]:
    """Names of studies that begin with what was typed."""
    from alexnet_tui.studies import study_files

    try:
        names = study_files.names(_completed_store(context))
    except AlexnetTuiError:
        return []
    return [name for name in names if name.startswith(incomplete)]


def complete_name(context: typer.Context, incomplete: str) -> list[str]:
    """Names of studies, variants and runs that begin with what was typed."""
    words = [name for name in (*VARIANTS, "reference") if name.startswith(incomplete)]
    return complete_study(context, incomplete) + words + complete_run(context, incomplete)


StudyName = Annotated[
    str,
    argument(metavar="NAME", help="Name of the study.", autocompletion=complete_study),
]
RunName = Annotated[
    str,
    argument(metavar="RUN", help="Id of a run, the letters it begins with, or `last`.", autocompletion=complete_run),
]
RunNames = Annotated[
    list[str] | None,
    argument(
        metavar="[STUDY_OR_RUN]...",
        help="Studies, variants, run ids, or `reference` (default: all own runs, else the reference runs).",
        autocompletion=complete_name,
    ),
]
Output = Annotated[
    Path | None,
    option("--output", "-o", metavar="FILE", parser=given, help="Write to this file, not to stdout."),
]
AsJson = Annotated[bool, option("--json", help="Print JSON instead of a table.")]
Headless = Annotated[
    bool,
    option("--headless", help="Follow the run here instead of opening the console."),
]
AsEvents = Annotated[
    bool,
    option("--json", help="Follow the run here, one JSON event per line (default in a pipe)."),
]


class ConsoleRequest(NamedTuple):
    """What a command returns to have the console opened in its place.

    Attributes:
        store: The runs folder.
        run_id: A run to open, or None for the table of runs.
    """

    store: Store
    run_id: str | None = None


Outcome = int | ConsoleRequest
"""What a command ends in: an exit code, or the console."""


def wants_console(headless: bool, as_json: bool) -> bool:
    """Whether a command that follows a run may open the console."""
    return not (headless or as_json) and sys.stdin.isatty() and sys.stdout.isatty()


def command_line() -> list[str]:
    """How this program was called, for the record."""
    return [os.path.basename(sys.argv[0]), *sys.argv[1:]]


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


def with_hyperparameters(
    command: Callable[..., Outcome], *, positional: bool = False, without: Collection[str] = ()
) -> Callable[..., Outcome]:
    """A command with an option for each hyperparameter before or behind its own, generated from `SPECS`.

    Args:
        command: Takes the fields that were given as keyword arguments, as text.
        positional: The variant is taken by its place; then it comes first and the command's own options last.
        without: Hyperparameters that get no option.
    """

    @functools.wraps(command)
    def generated(**given: Any) -> Outcome:
        return command(**given)

    own = _keywords(command)
    fields = [_field_option(name) for name in SPECS if name != POSITIONAL and name not in without]
    return _with_parameters(generated, [_variant_argument(), *fields, *own] if positional else [*own, *fields])


def with_launcher(command: Callable[..., Outcome]) -> Callable[..., Outcome]:
    """A command with ``--launcher`` and the options of every launcher behind its own, generated from the table.

    Args:
        command: Takes what was asked for as the keyword argument ``launch``.
    """
    known = [one for entry in registry.LAUNCHERS.values() for one in entry.options]

    @functools.wraps(command)
    def generated(*, launcher: str | None = None, **given: Any) -> Outcome:
        texts = {
            one.name: value if one.is_repeated else [value] for one in known if (value := given.pop(one.name, None))
        }
        return command(launch=registry.parse(launcher or LOCAL, texts), **given)

    own = [one for one in _keywords(command) if one.name != "launch"]
    fields = [one for one in inspect.signature(command).parameters.values() if one.kind is one.VAR_KEYWORD]
    options = [
        _parameter(
            one.name,
            list[str] | None if one.is_repeated else str | None,
            option(f"--{one.name}", metavar=one.metavar, help=one.help),
        )
        for one in known
    ]
    return _with_parameters(generated, [*own, _launcher_option(), *options, *fields])


def _keywords(command: Callable[..., Outcome]) -> list[inspect.Parameter]:
    """A command's own parameters."""
    own = inspect.signature(command, eval_str=True).parameters.values()
    return [one.replace(kind=one.KEYWORD_ONLY) for one in own if one.kind is not one.VAR_KEYWORD]


def _with_parameters(command: Callable[..., Outcome], parameters: list[inspect.Parameter]) -> Callable[..., Outcome]:
    """A command as typer is to see it."""
    command.__signature__ = inspect.Signature(parameters, return_annotation=Outcome)  # type: ignore[attr-defined]
    command.__annotations__ = {one.name: one.annotation for one in parameters}
    return command


def _launcher_option() -> inspect.Parameter:
    known = "; ".join(f"{name}: {entry.summary}" for name, entry in registry.LAUNCHERS.items())
    info = option(
        "--launcher",
        metavar="NAME",
        help=f"Where runs train ({known}; default {LOCAL}).",
        autocompletion=completing(registry.LAUNCHERS),
    )
    return _parameter("launcher", str | None, info)


def given_text(fields: Mapping[str, str | bool | None]) -> dict[str, str]:
    """The options the user gave, as text; those left out must stay out, for the presets to apply."""
    given = {name: value for name, value in fields.items() if value is not None}
    return {name: value if isinstance(value, str) else format_value(value) for name, value in given.items()}


def _variant_argument() -> inspect.Parameter:
    info = argument(
        metavar="[VARIANT]",
        help=f"{SPECS['variant'].help} ({range_text('variant')}; default {default_of('variant')})",
        autocompletion=completing(VARIANTS),
    )
    return _parameter(POSITIONAL, str | None, info)


def _field_option(name: str) -> inspect.Parameter:
    """The option of one hyperparameter; text, so that a wrong value is told in our own sentence."""
    spec, flag, is_switch = SPECS[name], option_name(name), TYPES[name] is bool
    facts = [
        "" if is_switch else range_text(name) if not spec.pattern else "",
        spec.unit if spec.unit != name else "",
        f"default {format_value(default_of(name))}",
    ]
    info = option(
        f"{flag}/--no-{flag[2:]}" if is_switch else flag,
        metavar=None if is_switch else TYPES[name].__name__.upper().replace("STR", "TEXT"),
        help=f"{spec.help} ({'; '.join(fact for fact in facts if fact)})",
        rich_help_panel=spec.group.capitalize(),
        autocompletion=_COMPLETE.get(name),
    )
    return _parameter(name, bool | None if is_switch else str | None, info)


_COMPLETE = {"front_end": completing(FRONT_ENDS), "data": complete_data}


def _parameter(name: str, kind: Any, info: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind, info])
