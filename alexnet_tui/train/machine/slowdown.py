"""A warning, once, when training has been far below its own best rate for a minute: somebody else uses the machine."""

import os
from collections.abc import Iterable, Iterator

from alexnet_tui.runs import events as ev
from alexnet_tui.text import counted, format_count

_SLOW_FRACTION = 1 / 3
_SLOW_SECONDS = 60.0
_WINDOW_SECONDS = 5.0
"""Rates are averaged over at least this long; a single update may be fast or slow by chance."""


def watched(events: Iterable[ev.Event], *, threads: int, images_per_update: float) -> Iterator[ev.Event]:
    """The events of a trainer, with the warning after the step that shows it.

    Args:
        threads: CPU threads of the run; part of the advice.
        images_per_update: How many an update takes, on the mean.
    """
    images = seconds = best = slow_seconds = 0.0
    last_step, is_done = -1, False
    for event in events:
        yield event
        if not isinstance(event, ev.Step) or is_done:
            continue
        num_images = (event.step - last_step) * images_per_update if last_step >= 0 else 0
        last_step = event.step
        images += num_images
        seconds += num_images / max(event.images_per_second, 1e-9)
        if seconds < _WINDOW_SECONDS:
            continue
        best = max(best, images / seconds)
        slow_seconds = slow_seconds + seconds if images / seconds < best * _SLOW_FRACTION else 0.0
        if slow_seconds >= _SLOW_SECONDS:
            is_done = True
            yield ev.Warned(code="slow", message=_message(images / seconds, best, threads))
        images = seconds = 0.0


def _message(rate: float, best: float, threads: int) -> str:
    load = f"; the load of the machine is {os.getloadavg()[0]:.1f} on {counted(os.cpu_count() or 1, 'core')}"
    fewer = " A new run started now would choose fewer threads." if threads > 1 else ""
    return (
        f"Training has fallen to {format_count(rate)} images/s; its best was {format_count(best)}{load}."
        f" End other work on this machine, or start it with `nice -n 19`.{fewer}"
    )
