"""The processor cores that this process may use, and how busy the machine is."""

import os

import msgspec

from alexnet_tui.text import counted

_BUSY_SHARE = 0.4


def usable_cores() -> tuple[int, ...]:
    """Their numbers; where the system holds no process to a part of them, all."""
    if hasattr(os, "sched_getaffinity"):
        return tuple(sorted(os.sched_getaffinity(0)))
    return tuple(range(os.cpu_count() or 1))


def num_cores() -> int:
    """How many there are, at least 1."""
    return len(usable_cores())


class MachineLoad(msgspec.Struct, frozen=True):
    """How busy this machine is.

    Attributes:
        processes: Running or ready to run, mean of the last minute.
        cores: CPU cores.
    """

    processes: float
    cores: int

    @property
    def is_busy(self) -> bool:
        """Whether training notices: from one busy process on two cores on."""
        return self.processes >= _BUSY_SHARE * self.cores

    def __str__(self) -> str:
        return f"{self.processes:.1f} processes at work on {counted(self.cores, 'core')}"


def machine_load() -> MachineLoad:
    """How busy this machine is now."""
    return MachineLoad(os.getloadavg()[0], os.cpu_count() or 1)
