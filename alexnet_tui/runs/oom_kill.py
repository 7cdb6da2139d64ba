"""Out-of-memory kills: whether the kernel killed a process for lack of memory. The process itself records nothing."""

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

_MAX_RECORDS = 100_000
_RECORD_BYTES = 8192


def oom_kill(pid: int, start_seconds: float) -> str:
    """What the system's log or the cgroup's counters say about the end of a process: half a sentence, or nothing.

    Args:
        start_seconds: Its start, in seconds since 1970: an older kill was of another process with that number.
    """
    if is_in_log(_kernel_log(), pid, start_seconds):
        return "the kernel ended its trainer for lack of memory"
    count = _cgroup_kills(Path("/sys/fs/cgroup"), Path("/proc/self/cgroup"))
    if count:
        times = "a process" if count == 1 else f"{count:,} processes"
        return f"the kernel has ended {times} here for lack of memory, perhaps its trainer"
    return ""


def is_in_log(records: Iterator[str], pid: int, start_seconds: float) -> bool:
    """Whether the kernel's log says that a process was ended for lack of memory.

    Args:
        records: As ``/dev/kmsg`` gives them: ``priority,number,microseconds since boot,flags;message``.
        start_seconds: Its start, in seconds since 1970.
    """
    kill = re.compile(rf"Killed process {pid}\b|oom-kill:.*\bpid={pid}\b")
    boot_seconds = time.time() - time.monotonic()  # Both without the time the machine slept, which only makes it later.

    def is_kill(record: str) -> bool:
        header, _, message = record.partition(";")
        fields = header.split(",")
        if not kill.search(message) or len(fields) <= 2 or not fields[2].isdecimal():
            return False
        return boot_seconds + int(fields[2]) / 1e6 > start_seconds - 1

    return any(map(is_kill, records))


def _kernel_log() -> Iterator[str]:
    """Records of the kernel's log, the oldest first; none where it may not be read."""
    try:
        descriptor = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return
    try:
        for _ in range(_MAX_RECORDS):
            try:
                yield os.read(descriptor, _RECORD_BYTES).decode(errors="replace")
            except BrokenPipeError:  # The oldest records were overwritten meanwhile.
                continue
    except OSError:  # The end: there is no record to wait for.
        return
    finally:
        os.close(descriptor)


def _cgroup_kills(mount: Path, membership: Path) -> int:
    """Processes that were ended in this process' control group, version 2 or 1."""
    try:
        lines = membership.read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0
    for line in lines:
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        if controllers == "":
            files = [mount / path.lstrip("/") / "memory.events", mount / "memory.events"]
        elif "memory" in controllers.split(","):
            memory = mount / "memory"
            files = [memory / path.lstrip("/") / "memory.oom_control", memory / "memory.oom_control"]
        else:
            continue
        for file in files:
            if (count := _counter(file, "oom_kill")) is not None:
                return count
    return 0


def _counter(file: Path, name: str) -> int | None:
    try:
        found = re.search(rf"^{name} (\d+)$", file.read_text(encoding="ascii"), re.MULTILINE)
    except (OSError, UnicodeDecodeError):
        return None
    return int(found[1]) if found else None
