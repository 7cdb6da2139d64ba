"""CUDA graphs: work on a GPU recorded once, then replayed as one unit by a single launch.

An update of a small network is many short kernels; launching them one by one may take longer than they do. A recording
repeats the same kernels on the same memory, so its inputs are copied into tensors that stay, and nothing in it may read
a value on the host.
"""

from collections.abc import Callable
from functools import partial
from typing import Protocol

import torch
from torch import Generator, Tensor

_WARM_UP_CALLS = 3
"""Calls before the recording: libraries allocate their workspaces in the first."""
Act = Callable[[], None]


class CaptureError(Exception):
    """The work could not be recorded."""


class Recorder(Protocol):
    """Makes recordings; the tests use one that only calls the work again."""

    def warm_up(self, act: Act) -> None:
        """Do the work as it will be recorded."""

    def record(self, act: Act, generator: Generator | None) -> Act:
        """What does the work once more, each time it is called; recording it does not do it.

        Args:
            generator: Makes its random numbers; its seed at the time of a replay decides them.

        Raises:
            RuntimeError: Something in the work cannot be recorded.
        """


class CudaRecorder:
    """Records CUDA graphs on a stream of its own."""

    def __init__(self, device: torch.device) -> None:
        self._stream = torch.cuda.Stream(device)

    def warm_up(self, act: Act) -> None:
        """Do the work on the stream of the recording."""
        self._stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._stream):
            act()
        torch.cuda.current_stream().wait_stream(self._stream)

    def record(self, act: Act, generator: Generator | None) -> Act:
        """A replay of the work; see `Recorder.record`."""
        graph = torch.cuda.CUDAGraph()
        if generator is not None:
            graph.register_generator_state(generator)
        before = torch.cuda.current_stream()
        try:
            with torch.cuda.graph(graph, stream=self._stream, capture_error_mode="thread_local"):
                act()
        finally:
            torch.cuda.set_stream(before)  # A capture that breaks leaves its own stream behind.
        replay: Act = graph.replay
        return replay


class Replayed:
    """A function of tensors; on whole batches it is recorded after a few calls, and replayed from then on.

    Args:
        function: Writes its results into tensors that stay.
        size: Length of the first tensor in a whole batch; smaller batches are never recorded.
        recorder: Makes the recording; None calls the function as it is.
    """

    def __init__(
        self,
        function: Callable[..., None],
        size: int,
        recorder: Recorder | None,
        generator: Generator | None = None,
    ) -> None:
        self._function = function
        self._size = size
        self._recorder = recorder
        self._generator = generator
        self._inputs: tuple[Tensor, ...] = ()
        self._num_calls = 0
        self._replay: Act | None = None

    def __call__(self, *inputs: Tensor) -> None:
        """Apply the function.

        Raises:
            CaptureError: It could not be recorded; nothing was done, and later calls do not try again.
        """
        if self._recorder is None or len(inputs[0]) != self._size:
            self._function(*inputs)
            return
        if not self._inputs:
            self._inputs = tuple(torch.empty_like(tensor) for tensor in inputs)
        for own, given in zip(self._inputs, inputs, strict=True):
            own.copy_(given)
        if self._replay is None:
            act = partial(self._function, *self._inputs)
            self._num_calls += 1
            if self._num_calls <= _WARM_UP_CALLS:
                self._recorder.warm_up(act)
                return
            try:
                self._replay = self._recorder.record(act, self._generator)
            except RuntimeError as error:
                self._recorder = None
                raise CaptureError(str(error)) from error
        self._replay()
