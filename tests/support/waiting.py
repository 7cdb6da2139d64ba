"""Waiting for something to come true, in tests of processes."""

import contextlib
import time
from collections.abc import Callable

import psutil


def has_ended(pid: int) -> bool:
    """Whether a process runs no more; nobody need have collected its exit code, which takes seconds on some systems."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    return True


def wait_for(condition: Callable[[], object], seconds: float = 90) -> None:
    """Return when the condition holds; fail when it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)
