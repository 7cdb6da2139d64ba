"""How long an update takes here, and with how many CPU threads it is fastest.

Every core is the fastest only where nothing else runs: an operation ends with its slowest thread, and a thread whose
core is taken by another process holds up all others. `tests/benchmarks/bench_sharing.py` measures both; how much a
neighbour costs differs between machines and days, which is why it is timed and not known.
"""

import statistics
import time
from collections.abc import Callable

import torch

from alexnet_tui.config.front_ends import FRONT_ENDS
from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.cores import num_cores
from alexnet_tui.train.images.data import BatchMaker, Data, Images
from alexnet_tui.train.loop import Trainer
from alexnet_tui.train.machine.device import DeviceSetup

NUM_CLASSES = 10
MIN_UPDATES = 200
"""Of a run whose threads are worth timing: trying three numbers costs twelve updates."""
_WARM_UP_STEPS, _TIMED_STEPS = 2, 5
_STEPS_A_TRIAL = 3
_RATE_SECONDS = 3.0
_HOPELESS = 2.0
"""A number of threads is given up at a step that takes this many times the best median so far."""


class UpdateTimer:
    """The trainer's own update, on random images: it needs no data set and leaves the run's network alone."""

    def __init__(self, config: RunConfig, setup: DeviceSetup) -> None:
        size = FRONT_ENDS[config.front_end].image_size
        generator = torch.Generator().manual_seed(0)
        pixels = torch.randint(0, 256, (config.batch_size, 3, size, size), dtype=torch.uint8, generator=generator)
        pixels = pixels.to(setup.device)
        images = Images(pixels, torch.arange(config.batch_size, device=setup.device) % NUM_CLASSES)
        grey = (0.5, 0.5, 0.5)
        data = Data(images, images, images, None, BatchMaker(images, (grey, grey), config, setup))
        self._trainer = Trainer(config, data, setup, num_classes=NUM_CLASSES, data_sha256="", folder=None)
        self._batch = torch.arange(config.batch_size, device=setup.device)

    def step(self) -> float:
        """Seconds of one update."""
        start = time.perf_counter()
        measured_2 = self._trainer.update(self._batch, self._trainer.config.learning_rate)
        measured_2.tolist()  # Waits until the device is done.
        return time.perf_counter() - start

    def seconds(self) -> float:
        """Median seconds of an update, after a warm-up."""
        found = [self.step() for _ in range(_WARM_UP_STEPS + _TIMED_STEPS)]
        return statistics.median(found[_WARM_UP_STEPS:])

    def images_per_second(self) -> float:
        """Images trained on in a second, over a few seconds and at least one update."""
        start, num_steps = time.perf_counter(), 0
        while not num_steps or time.perf_counter() - start < _RATE_SECONDS:
            self.step()
            num_steps += 1
        return num_steps * len(self._batch) / (time.perf_counter() - start)


def time_threads(config: RunConfig, setup: DeviceSetup) -> dict[int, float]:
    """Number of CPU threads to median milliseconds of an update: every core, half of them, and one.

    Empty on a GPU and on a machine with one core: there is nothing to choose. The number of threads that torch uses
    is left at the last one tried.
    """
    candidates = sorted({num_cores(), max(1, num_cores() // 2), 1}, reverse=True)
    if setup.device.type != "cpu" or len(candidates) == 1:
        return {}
    timer, found = UpdateTimer(config, setup), dict[int, float]()
    for threads in candidates:
        torch.set_num_threads(threads)
        timer.step()
        found[threads] = round(
            1000 * _median_of_trial(timer.step, limit=_HOPELESS * min(found.values(), default=1e12)), 3
        )
    return found


def _median_of_trial(step: Callable[[], float], limit: float) -> float:
    """Median seconds of a few updates; fewer where one takes longer than `limit` milliseconds."""
    seconds: list[float] = []
    while len(seconds) < _STEPS_A_TRIAL and 1000 * max(seconds, default=0.0) < limit:
        seconds.append(step())
    return statistics.median(seconds)
