"""What the machine is doing while it trains, a few times a minute."""

import time
from collections.abc import Iterator

import psutil
import torch

from alexnet_tui.runs import events as ev
from alexnet_tui.train.machine.device import gpu_memory_bytes

INTERVAL_SECONDS = 5.0


class SystemSampler:
    """Reads the trainer's own use of CPU, memory and GPU."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._process = psutil.Process()
        self._process.cpu_percent()  # The first reading has no interval to refer to.
        self._last_seconds = time.monotonic()
        self._reads_gpu = device.type == "cuda"

    def due(self) -> Iterator[ev.Event]:
        """A reading, if the last one is long enough ago."""
        if time.monotonic() - self._last_seconds >= INTERVAL_SECONDS:
            yield self.read()

    def read(self) -> ev.System:
        """A reading now; `cpu_percent` is of one core, so two busy cores are 200."""
        self._last_seconds = time.monotonic()
        on_gpu = self._device.type == "cuda"
        return ev.System(
            cpu_percent=round(self._process.cpu_percent(), 1),
            memory_bytes=self._process.memory_info().rss,
            gpu_percent=self._gpu_percent() if self._reads_gpu else None,
            gpu_memory_bytes=gpu_memory_bytes(self._device),
            gpu_name=torch.cuda.get_device_name(self._device) if on_gpu else None,
        )

    def _gpu_percent(self) -> float | None:
        """GPU utilisation, where NVIDIA's management library is there and allows it."""
        try:
            return float(torch.cuda.utilization(self._device))
        except Exception:  # noqa: BLE001 - its errors derive from Exception alone, and a reading must not end a run
            self._reads_gpu = False
            return None
