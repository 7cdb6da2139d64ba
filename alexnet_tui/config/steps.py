"""`stepped`: the next number of a hyperparameter on its own scale, for the keys of a form."""

import math

from alexnet_tui.config.hyperparameters import SPECS, TYPES, format_value, parse_field
from alexnet_tui.errors import ConfigError


def stepped(name: str, text: str, direction: int) -> str:
    """The next number of a field on its own scale; the text as it is where that is none, or the last one.

    Args:
        name: The field.
        text: A number.
        direction: 1 for the next larger one, -1 for the next smaller one.
    """
    spec = SPECS[name]
    try:
        value = float(parse_field(name, text))
    except (ConfigError, ValueError):
        return text
    if spec.low is None or spec.high is None:
        return text
    if spec.step:
        multiple = value / spec.step
        number = spec.step * (math.floor(multiple + 1e-9) + 1 if direction > 0 else math.ceil(multiple - 1e-9) - 1)
    elif spec.factor:
        number = value * spec.factor**direction
    else:
        number = _next_round(value, direction, spec.first)
    number = max(spec.low, min(spec.high, float(f"{number:.12g}")))
    if spec.low_open and number <= spec.low:
        return text
    return format_value(int(number) if TYPES[name] is int else number)


def _next_round(value: float, direction: int, first: float) -> float:
    """The next of 1, 2, 5, 10, 20, ... times powers of ten; 0 below the first."""
    if value < first or (direction < 0 and value <= first):
        return first if direction > 0 else 0.0
    decade = 10.0 ** math.floor(math.log10(value))
    rounds = [float(f"{mantissa * decade:.12g}") for mantissa in (0.5, 1, 2, 5, 10, 20)]
    if direction > 0:
        return next(one for one in rounds if one > value * (1 + 1e-9))
    return next(one for one in reversed(rounds) if one < value * (1 - 1e-9))
