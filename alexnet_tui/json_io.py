"""JSON as it is written, for people and in files, and why JSON that somebody else wrote cannot be read."""

import math

import msgspec

from alexnet_tui.text import printable, quoted
from alexnet_tui.validation_errors import Fault, fault_of

UNDECODABLE = (msgspec.MsgspecError, RecursionError, UnicodeDecodeError)
"""What decoding JSON that somebody else wrote may raise."""


class _Versioned(msgspec.Struct, frozen=True):
    v: int


def reason_of_damage(error: Exception) -> str:
    """Why JSON cannot be read, in plain words; `error` is one of `UNDECODABLE`, or has words of this program."""
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, UnicodeDecodeError):
        return "it is no UTF-8 text"
    if isinstance(error, msgspec.DecodeError) and not isinstance(error, msgspec.ValidationError):
        return "it is no JSON, or not all of it"
    text = _in_words(fault_of(error)) if isinstance(error, msgspec.ValidationError) else str(error)
    return printable(text.rstrip("."), 200)


def _in_words(fault: Fault) -> str:
    if fault.missing is not None:
        return f"{fault.place}.{fault.missing} is missing".lstrip(".")
    if fault.unknown is not None:
        return f"{fault.place or 'it'} has an unknown field, {quoted(fault.unknown)}"
    if fault.words:
        return fault.words
    return f"{fault.place} is of the wrong kind or out of range" if fault.place else "it is JSON of another kind"


def version_of(content: bytes) -> int:
    """Version of the format of a JSON object that may be of a newer program, or 0."""
    try:
        return msgspec.json.decode(content, type=_Versioned).v
    except UNDECODABLE:
        return 0


def json_bytes(value: object) -> bytes:
    """JSON for a file that people may open, in UTF-8; what of a file name is no Unicode becomes question marks."""
    return json_text(value, is_ascii=False).encode(errors="replace")


def json_text(value: object, *, is_ascii: bool = True) -> str:
    """JSON of several lines, with a newline at the end.

    Args:
        value: Plain values or structs; numbers that are not finite become null.
        is_ascii: Whether all other characters become escapes, so that a terminal finds nothing to obey in it.
    """
    import json  # The console and the lists begin without it.

    text = json.dumps(_without_nan(msgspec.to_builtins(value)), indent=1, allow_nan=False, ensure_ascii=is_ascii)
    return (text.replace("\x7f", "\\u007f") if is_ascii else text) + "\n"


def _without_nan(value: object) -> object:
    if isinstance(value, dict):
        return {name: _without_nan(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
