"""Timing steps of a run on this machine before it is started, in a thread."""

from collections.abc import Sequence

from textual.message import Message
from textual.widget import Widget

from alexnet_tui.analysis.time_estimate import step_settings
from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.cores import machine_load
from alexnet_tui.launch import probe as step_probe
from alexnet_tui.tui import threads
from alexnet_tui.tui.screens.new_run.launch import sentence_of

_WHOLE_MILLISECONDS = 99.5  # From here on, fractions are below the noise.


class StepsTimed(Message):
    """The steps of a run have been timed, or could not be: then `error` says why."""

    def __init__(self, config: RunConfig, step_seconds: float, error: str) -> None:
        super().__init__()
        self.config = config
        self.step_seconds = step_seconds
        self.error = error


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

    def begin(self, receiver: Widget, config: RunConfig, command: Sequence[str]) -> None:
        """Time the steps of a run in a thread; `receiver` gets `StepsTimed` and hands it to `take`.

        Args:
            receiver: Gets the message.
            config: The run.
            command: What is asked for the time.
        """
        self.is_busy = True

        def work() -> None:
            seconds, error = 0.0, ""
            try:
                seconds = step_probe.probe(config, command).step_milliseconds / 1000
            except Exception as problem:  # noqa: BLE001 - any error becomes a sentence on the form.
                error = sentence_of(problem)
            receiver.post_message(StepsTimed(config, seconds, error))

        threads.start(work)

    def take(self, done: StepsTimed) -> str:
        """Remember a result; a sentence about it."""
        self.is_busy = False
        if done.error:
            return f"No time: {done.error}"
        self._step_seconds[step_settings(done.config)] = done.step_seconds
        milliseconds = 1000 * done.step_seconds
        told = f"{milliseconds:,.0f}" if milliseconds >= _WHOLE_MILLISECONDS else f"{milliseconds:.3g}"
        load = machine_load()
        return f"Five steps were timed: {told} ms each" + (f", with {load}." if load.is_busy else ".")
