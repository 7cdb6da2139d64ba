"""Timing steps of a run on this machine before it is started."""

from collections.abc import Sequence

from alexnet_tui.analysis.time_estimate import step_settings
from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.cores import machine_load
from alexnet_tui.launch import probe as step_probe
from alexnet_tui.tui import threads

_WHOLE_MILLISECONDS = 99.5  # From here on, fractions are below the noise.


class StepTimer:
    """Times steps; one trial at a time.

    Args:
        step_seconds: What was timed since the console began; what is timed is added.

    Attributes:
        is_busy: A trial is going on.
    """

    def __init__(self, step_seconds: dict[tuple[object, ...], float]) -> None:
        self.is_busy = False
        self._step_seconds = step_seconds

    def step_seconds(self, config: RunConfig) -> float | None:
        """How long a step of a run takes here, or None where none like it was timed."""
        return self._step_seconds.get(step_settings(config))

    async def time(self, config: RunConfig, command: Sequence[str]) -> float:
        """Seconds that a step of a run takes; whatever goes wrong is raised.

        Args:
            config: The run.
            command: What is asked for the time.
        """
        self.is_busy = True
        try:
            measured = await threads.call(step_probe.probe, config, command)
        finally:
            self.is_busy = False
        seconds = self._step_seconds[step_settings(config)] = measured.step_milliseconds / 1000
        return seconds


def timed_sentence(step_seconds: float) -> str:
    """How long a step took that was timed just now."""
    milliseconds = 1000 * step_seconds
    shown = f"{milliseconds:,.0f}" if milliseconds >= _WHOLE_MILLISECONDS else f"{milliseconds:.3g}"
    load = machine_load()
    return f"Five steps were timed: {shown} ms each" + (f", with {load}." if load.is_busy else ".")
