"""Validation errors of msgspec, taken apart: what is wrong with data that somebody else wrote, and where."""

import re

import msgspec

_BEFORE_PLACE = " - at `$"
_FIELD = re.compile(r"Object (missing required|contains unknown) field `(.*)`\Z", re.DOTALL)
_STEP = re.compile(r"\[(\d+)\]|(\w+)")


class Fault(msgspec.Struct, frozen=True):
    """What is wrong with data, and where; without any of the last three a value is of another kind or out of range.

    Attributes:
        place: The way to it from the outside, as ``configs[2].epochs``; empty for the whole.
        missing: Name of a field that is not there.
        unknown: Name of a field that does not belong there.
        words: What a check of this program says of it.
    """

    place: str = ""
    missing: str | None = None
    unknown: str | None = None
    words: str = ""

    @property
    def names(self) -> list[str]:
        """The fields on the way, from the outside in."""
        return [name for _, name in _STEP.findall(self.place) if name]

    @property
    def positions(self) -> list[int]:
        """The positions in lists on the way, from 0, from the outside in."""
        return [int(position) for position, _ in _STEP.findall(self.place) if position]


def fault_of(error: msgspec.ValidationError) -> Fault:
    """What a validation error says."""
    text, is_inside, rest = str(error).rpartition(_BEFORE_PLACE)  # The last: a name of a field may hold anything.
    text, place = (text, rest.removesuffix("`").removeprefix(".")) if is_inside else (rest, "")
    if field := _FIELD.match(text):
        kind, name = field.groups()
        return Fault(place, missing=name) if kind == "missing required" else Fault(place, unknown=name)
    return Fault(place) if text.startswith(("Expected ", "Invalid ")) else Fault(place, words=text)
