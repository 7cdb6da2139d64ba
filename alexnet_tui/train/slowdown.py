"""A warning, once, when training has been far below its own best rate for a minute: somebody else uses the machine."""

import os
from collections.abc import Iterable, Iterator

from alexnet_tui.runs import events as ev
from alexnet_tui.text import counted, format_count

_SLOW_FRACTION = 1 / 3
_SLOW_SECONDS = 60.0
_WINDOW_SECONDS = 5.0
"""Rates are averaged over at least this long; a single update may be fast or slow by chance."""


class SlowdownWatch:
    """Compares the rate of training with the best it has had.

    Args:
        threads: CPU threads of the run; part of the advice.
    """

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._images, self._seconds = 0.0, 0.0
        self._best, self._slow_seconds = 0.0, 0.0
        self._is_done = False

    def watch(self, events: Iterable[ev.Event], batch_size: int) -> Iterator[ev.Event]:
        """The events, with the warning after the step that shows it."""
        last_step: int | None = None
        for event in events:
            yield event
            if not isinstance(event, ev.Step):
                continue
            if last_step is not None:
                yield from self._add((event.step - last_step) * batch_size, event.images_per_second)
            last_step = event.step

    def _add(self, images: int, images_per_second: float) -> Iterator[ev.Event]:
        self._images += images
        self._seconds += images / max(images_per_second, 1e-9)
        if self._seconds < _WINDOW_SECONDS:
            return
        rate, seconds = self._images / self._seconds, self._seconds
        self._images, self._seconds = 0.0, 0.0
        self._best = max(self._best, rate)
        self._slow_seconds = self._slow_seconds + seconds if rate < self._best * _SLOW_FRACTION else 0.0
        if self._slow_seconds >= _SLOW_SECONDS and not self._is_done:
            self._is_done = True
            yield ev.Warned(code="slow", message=_message(rate, self._best, self._threads))


def _message(rate: float, best: float, threads: int) -> str:
    load = f"; the load of the machine is {os.getloadavg()[0]:.1f} on {counted(os.cpu_count() or 1, 'core')}"
    fewer = " A new run started now would choose fewer threads." if threads > 1 else ""
    return (
        f"Training has fallen to {format_count(rate)} images/s; its best was {format_count(best)}{load}."
        f" End other work on this machine, or start it with `nice -n 19`.{fewer}"
    )
