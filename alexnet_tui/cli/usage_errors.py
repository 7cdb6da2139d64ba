"""What the parser did not understand, in our words, and what may have been meant."""

import difflib
import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

_OTHER_WORDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "train": ("run",),
        "start": ("run",),
        "fit": ("run",),
        "status": ("runs", "show"),
        "list": ("runs",),
        "ls": ("list", "runs"),
        "ps": ("runs",),
        "info": ("show",),
        "describe": ("show",),
        "follow": ("attach",),
        "watch": ("attach",),
        "logs": ("attach", "show"),
        "continue": ("resume",),
        "kill": ("stop", "cancel"),
        "abort": ("stop", "cancel"),
        "rm": ("delete", "remove"),
        "remove": ("delete",),
        "mv": ("rename",),
        "diff": ("compare",),
        "create": ("new", "run"),
        "plan": ("new", "study"),
        "datasets": ("data",),
    }
)
"""Commands of other programs to ours; those that a group of commands lacks do not count there."""
_LEAST_LIKE, _LEAST_BEGINNING = 0.65, 3
"""How like a name must be (`difflib`, 0 to 1), and letters from which on a beginning counts."""
_NEARLY_AS_LIKE = 0.05


def close_to(word: str, known: Iterable[str]) -> list[str]:
    """Names that a mistyped one may stand for: those it begins or has the initials of, else those most like it.

    Args:
        word: What was typed; the dashes before an option do not count.
        known: The names there are.
    """
    typed = word.lstrip("-").lower()
    bare = {name: name.lstrip("-") for name in known}
    begun = [name for name, own in bare.items() if len(typed) >= _LEAST_BEGINNING and own.startswith(typed)]
    initials = [name for name, own in bare.items() if "-" in own and _initials(own) == typed]
    if begun or initials:
        return begun or initials
    likeness = {name: difflib.SequenceMatcher(None, typed, own).ratio() for name, own in bare.items()}
    least = max(_LEAST_LIKE, max(likeness.values(), default=0) - _NEARLY_AS_LIKE)
    return [name for name, ratio in likeness.items() if ratio >= least]


def usage_sentence(error: Any) -> str:
    """A usage error of the parser, whichever the version of typer, as a sentence."""
    message = " ".join(error.format_message().split())
    context = getattr(error, "ctx", None)
    if context is None:
        return _reworded(message)
    if hasattr(error, "possibilities"):
        options = [option for one in context.command.params if not one.hidden for option in one.opts]
        long_options = [option for option in options if option.startswith("--")]
        return _with_hint(error.message, close_to(error.option_name, long_options))
    if unknown := re.match(r"(No such command '(.*?)')\.", message):
        visible = [name for name, command in context.command.commands.items() if not command.hidden]
        translated = [name for name in _OTHER_WORDS.get(unknown[2], ()) if name in visible]
        return _with_hint(unknown[1], translated or close_to(unknown[2], visible))
    return _reworded(message)


def _with_hint(message: str, meant: list[str]) -> str:
    return f"{message}. Did you mean {' or '.join(meant)}?" if meant else f"{message}."


def _initials(name: str) -> str:
    return "".join(part[:1] for part in name.split("-"))


def _reworded(message: str) -> str:
    """The parser's sentence on a number out of its range, worded as that on a hyperparameter; others as they are."""
    found = re.fullmatch(r"Invalid value for '([^' ]+)[^']*': (\S+) is not in the range (\S+)\.", message)
    if found is None:
        return message
    option, value, bounds = found.groups()
    low, _, high = bounds.replace("x>=", "").partition("<=x<=")
    return f"{option}: must be {f'{low} to {high}' if high else f'{low} or more'}, not {value}."
