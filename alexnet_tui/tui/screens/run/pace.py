"""How often a chart is drawn again for new steps alone."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

_LEAST_REST_SECONDS, _LONGEST_REST_SECONDS = 0.5, 2.0
_RESTS_A_DRAWING = 20


class StepsPace:
    """Lets a chart rest behind each drawing, the longer that took, so that the event loop is free for keys.

    Attributes:
        rest_seconds: How long the rest behind the last drawing is.
    """

    def __init__(self) -> None:
        self.rest_seconds = _LEAST_REST_SECONDS
        self._drawn_step, self._drawn_at = -1, 0.0

    def is_due(self, step: int, now: float) -> bool:
        """Whether there are new steps, and the chart has rested."""
        return step != self._drawn_step and now - self._drawn_at >= self.rest_seconds

    @contextmanager
    def drawing(self, step: int, now: float) -> Iterator[None]:
        """Around a drawing of all steps so far."""
        self._drawn_step, self._drawn_at, begin = step, now, time.thread_time()
        yield
        wanted = _RESTS_A_DRAWING * (time.thread_time() - begin)
        self.rest_seconds = min(max(_LEAST_REST_SECONDS, wanted), _LONGEST_REST_SECONDS)
