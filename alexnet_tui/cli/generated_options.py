"""Options that are generated from tables: one for each hyperparameter, and those of the launchers."""

import functools
import inspect
from collections.abc import Callable, Collection, Mapping
from typing import Annotated, Any

from typer.core import TyperCommand

from alexnet_tui.cli.options import Outcome, argument, complete_data, completing, option
from alexnet_tui.config.front_ends import FRONT_ENDS
from alexnet_tui.config.hyperparameters import SPECS, TYPES, default_of, format_value, option_name, range_text
from alexnet_tui.config.variants import VARIANTS
from alexnet_tui.launch import registry
from alexnet_tui.launch.engine import LOCAL

POSITIONAL = "variant"
"""The one hyperparameter that `run` takes by its place."""
_COMPLETE = {"front_end": completing(FRONT_ENDS), "data": complete_data}


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


def _parameter(name: str, kind: Any, info: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind, info])
