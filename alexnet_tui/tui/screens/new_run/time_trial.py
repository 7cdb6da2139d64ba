"""The five-step trial of the New run form: how long a step takes here, where no past run can say."""

from collections.abc import Sequence

from textual.message import Message
from textual.widget import Widget

from alexnet_tui.analysis.estimate import step_settings
from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.launch import probe as describe
from alexnet_tui.tui.screens.new_run.launch import in_thread, sentence_of

_WHOLE_MILLISECONDS = 99.5  # From here on, a fraction of one says nothing.


class TrialDone(Message):
    """The steps of a run have been timed, or could not be: then `error` says why."""

    def __init__(self, config: RunConfig, step_seconds: float, error: str) -> None:
        super().__init__()
        self.config = config
        self.step_seconds = step_seconds
        self.error = error


class Trials:
    """What was timed since the console began; one trial at a time.

    Attributes:
        is_busy: A trial is going on.
    """

    def __init__(self) -> None:
        self.is_busy = False
        self._step_seconds: dict[tuple[object, ...], float] = {}

    def step_seconds(self, config: RunConfig) -> float | None:
        """How long a step of a run takes here, or None where none like it was timed."""
        return self._step_seconds.get(step_settings(config))

    def begin(self, receiver: Widget, config: RunConfig, command: Sequence[str]) -> None:
        """Time the steps of a run in a thread; `receiver` gets `TrialDone` and hands it to `take`.

        Args:
            receiver: Who wants to know.
            config: The run.
            command: What is asked for the time.
        """
        self.is_busy = True

        def work() -> None:
            seconds, error = 0.0, ""
            try:
                seconds = describe.probe(config, command).step_milliseconds / 1000
            except Exception as problem:  # noqa: BLE001 - whatever it was, the form waits for an answer.
                error = sentence_of(problem)
            receiver.post_message(TrialDone(config, seconds, error))

        in_thread(work, "trial")

    def take(self, done: TrialDone) -> str:
        """Remember a result; a sentence about it."""
        self.is_busy = False
        if done.error:
            return f"No time: {done.error}"
        self._step_seconds[step_settings(done.config)] = done.step_seconds
        milliseconds = 1000 * done.step_seconds
        told = f"{milliseconds:,.0f}" if milliseconds >= _WHOLE_MILLISECONDS else f"{milliseconds:.3g}"
        return f"Five steps were timed: {told} ms each."
