"""Whether a run is at work, as far as this machine can see: by its locks, and elsewhere by the growth of its record.

The lock of a run whose trainer is on another host is not seen on every file system. Where it is not, a run that has no
last event, and whose owner is on another host, counts as at work while its record grows; so does one that has a last
event while that owner has taken it again since. Clocks of hosts are never compared: what counts is what this process
saw itself, and before that the file system's own time.
"""

import os
import platform
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from alexnet_tui.errors import StoreError
from alexnet_tui.locks import LOCK_FILE, Owner, has_locks, is_locked, read_owner
from alexnet_tui.runs.run_files import EVENTS_FILE
from alexnet_tui.text import counted, printable

CARRIER_FILE = "launch.lock"
"""Locked by the process that carries a run to another machine, for as long as its command runs."""
CARRIED_VARIABLE = "ALEXNET_TUI_CARRIED"
"""Environment variable with the directory of the run that a command carries."""
SILENCE_SECONDS = 300.0
"""After so long without an event a run on another host no longer counts as at work."""
_looks: dict[str, tuple[tuple[int, int], float, bool]] = {}
"""Run directory to the size of its log and the date of its lock file, since when this process has seen these, and
whether it saw them change."""
_LOCAL_LOCKS = frozenset(("9p", "virtiofs", "beegfs", "afs", "vboxsf", "prl_fs", "drvfs"))
_CLUSTER_FUSE = frozenset(("fuse.glusterfs", "fuseblk"))
_NETWORK = frozenset(("nfs", "nfs4", "lustre", "cifs", "smb3"))
_LOCAL_OPTIONS = frozenset(("nolock", "local_lock=flock", "local_lock=all", "localflock", "noflock", "nobrl"))
"""Options of mounts that keep locks on one host."""
_lock_reasons: dict[int, str] = {}
_clock_offsets: dict[int, float] = {}
"""Device number to the file system's time less `_now`."""
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""Goes on while the machine is suspended, unlike `time.monotonic`."""


def _now() -> float:
    return time.clock_gettime(_CLOCK)


def is_at_work(directory: Path) -> bool:
    """Whether a process holds the lock of a run, or carries it to another machine.

    Raises:
        StoreError: A lock is no regular file, or may not be read.
    """
    if is_locked(directory / LOCK_FILE):
        return True
    carrier_file = directory / CARRIER_FILE  # Hardly any run has one.
    return os.path.lexists(carrier_file) and (is_locked(carrier_file) or abandoned_group(directory) is not None)


def abandoned_group(directory: Path) -> int | None:
    """Process group of the command of a run whose carrier was killed before it; None where there is none.

    The carrier leads the group and takes its name out of the lock file when it ends by itself. The file is no proof:
    one of the processes must have the run's directory in its environment.

    Raises:
        StoreError: The lock file is no regular file, or may not be read.
    """
    carrier = read_owner(directory / CARRIER_FILE)
    if carrier is None or carrier.host != platform.node() or carrier.pid <= 1 or is_locked(directory / CARRIER_FILE):
        return None
    try:
        os.killpg(carrier.pid, 0)
    except (OSError, OverflowError):
        return None
    import psutil  # Hardly any carrier is killed.

    for pid in psutil.pids():
        with suppress(psutil.Error, OSError):
            if os.getpgid(pid) == carrier.pid:
                carried = psutil.Process(pid).environ().get(CARRIED_VARIABLE, "")
                if carried and os.path.samefile(carried, directory):
                    return carrier.pid
    return None


def owner_elsewhere(directory: Path) -> Owner | None:
    """Who last took a run's lock, if that was on another host."""
    try:
        owner = read_owner(directory / LOCK_FILE)
    except StoreError:
        return None
    return owner if owner is not None and owner.host != platform.node() else None


def is_heard_from(directory: Path, *, has_ended: bool = False) -> bool:
    """Whether a run whose lock is not seen is at work on another host.

    Args:
        has_ended: The run has a last event; it is at work where a trainer has taken its lock since.
    """
    if has_ended and not _was_taken_since(directory):
        return False
    if owner_elsewhere(directory) is None or not unseen_locks(directory):
        return False
    return silent_seconds(directory) < SILENCE_SECONDS


def _was_taken_since(directory: Path) -> bool:
    """Whether a run's lock was taken after its last event; the file system has dated both."""
    lock, log = _status(directory / LOCK_FILE), _status(directory / EVENTS_FILE)
    return lock is not None and log is not None and lock.st_mtime_ns > log.st_mtime_ns


def unseen_locks(folder: Path) -> str:
    """Why the locks of other hosts are not seen in a folder: its file system and what of it; empty where they are."""
    try:
        device = folder.stat().st_dev
    except OSError:
        return ""
    if device not in _lock_reasons:
        _lock_reasons[device] = _reason_of_unseen_locks(folder, device)
    return _lock_reasons[device]


def _reason_of_unseen_locks(folder: Path, device: int) -> str:
    with suppress(OSError):  # No Linux, where locks of a network drive are those of its server.
        mounts = Path("/proc/self/mountinfo").read_text(errors="replace")
        if reason := reason_of_mount(mounts, f"{os.major(device)}:{os.minor(device)}"):
            return reason
    with suppress(OSError), tempfile.NamedTemporaryFile(dir=folder, prefix=".lock-") as file:
        if not has_locks(file.fileno()):
            return "a file system without locks"
    return ""


def reason_of_mount(mounts: str, device: str) -> str:
    """Why a mounted file system shows no locks of other hosts, or nothing.

    Args:
        mounts: Lines of ``/proc/self/mountinfo``.
        device: ``MAJOR:MINOR``.
    """
    found = [words for line in mounts.splitlines() if (words := line.split())[2:3] == [device] and "-" in words]
    kind, _, options = (found[-1][found[-1].index("-") + 1 :] if found else ["", "", ""])[:3]
    if kind in _LOCAL_LOCKS or (kind.startswith("fuse") and kind not in _CLUSTER_FUSE):
        return kind
    kept_here = sorted(_LOCAL_OPTIONS.intersection(options.split(","))) if kind in _NETWORK else []
    return f"{kind}, mounted with {kept_here[0]}" if kept_here else ""


def silent_seconds(directory: Path) -> float:
    """For how long a run's event log has not grown, nor its lock been taken."""
    now, key = _now(), str(directory)
    log, lock = _status(directory / EVENTS_FILE), _status(directory / LOCK_FILE)
    seen = log.st_size if log else 0, lock.st_mtime_ns if lock else 0
    known = _looks.get(key)
    if known is None:
        known = _looks[key] = (seen, now, False)
    elif seen != known[0]:
        known = _looks[key] = (seen, now, True)
    _, since, has_changed = known
    if has_changed or log is None:
        return now - since
    dated = max(status.st_mtime for status in (log, lock) if status)
    return max(now - since, _file_system_time(directory, log.st_dev) - dated)


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.lstat()
    except OSError:
        return None


def _file_system_time(directory: Path, device: int) -> float:
    """The time by which a file system dates its files: it may be that of a server. A file made beside runs has it."""
    if device not in _clock_offsets:
        try:
            with tempfile.TemporaryFile(dir=directory.parent) as file:
                dated = os.fstat(file.fileno()).st_mtime
        except OSError:  # It is only to be read: this host's time is all there is.
            dated = time.time()
        _clock_offsets[device] = dated - _now()
    return _clock_offsets[device] + _now()


def silence_text(directory: Path) -> str:
    """``no news for 7 minutes, on HOST`` for a run whose trainer is on another host and is silent; else nothing."""
    owner = owner_elsewhere(directory)
    seconds = silent_seconds(directory) if owner is not None else 0.0
    if owner is None or seconds < SILENCE_SECONDS:
        return ""
    minutes = int(seconds // 60)
    duration = counted(minutes, "minute") if minutes < 120 else counted(minutes // 60, "hour")
    return f"no news for {duration}, on {printable(owner.host, 80)}"
