"""The processor cores that this process may use."""

import os


def usable_cores() -> tuple[int, ...]:
    """Their numbers; where the system holds no process to a part of them, all."""
    if hasattr(os, "sched_getaffinity"):
        return tuple(sorted(os.sched_getaffinity(0)))
    return tuple(range(os.cpu_count() or 1))


def num_cores() -> int:
    """How many there are, at least 1."""
    return len(usable_cores())
