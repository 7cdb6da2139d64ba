"""Start and stop a trainer on this machine, detached from the process that asks for it.

The run's lock is taken here and inherited by the trainer, so a second start is refused at
any moment. The trainer's stdout is ``events.jsonl`` itself: no pipe ties it to this process or to a terminal.
"""

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import msgspec
import psutil

from alexnet_tui.errors import LaunchError, RunBusyError, StoreError, UntrustedRunError, UsageError
from alexnet_tui.files import (
    LOCK_FILE,
    UNDECODABLE,
    Folder,
    Owner,
    is_locked,
    lock_status,
    read_owner,
    reason_of,
    sha256_of,
    take_lock,
    write_owner,
)
from alexnet_tui.launch.registry import PLAIN, Options, StartOptions
from alexnet_tui.launch.seal import is_sealed, seal
from alexnet_tui.paths import child_command, child_environment, shell_command
from alexnet_tui.runs.event_log import is_newer
from alexnet_tui.runs.follow import load
from alexnet_tui.runs.liveness import CARRIER_FILE, abandoned_group, elsewhere
from alexnet_tui.runs.origin import foreign_origin
from alexnet_tui.runs.state import State
from alexnet_tui.runs.stop_request import STOP_FILE, is_stop_requested
from alexnet_tui.runs.store import CHECKPOINTS, EVENTS_FILE, LOG_FILE, RECORD_FILE, Store
from alexnet_tui.text import printable, quoted

TRAINER_MODULE = "alexnet_tui.train"
TRAINER = child_command(TRAINER_MODULE)
LOCK_VARIABLE = "ALEXNET_TUI_LOCK_FD"
"""Environment variable with the descriptor of the lock that the launcher took for its trainer."""
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
"""Signals that make a trainer write a checkpoint and end; blocked in it until its handlers are set."""
TRUST_FILE = "trusted.json"
"""Holds this user's seal on a run from elsewhere that is trained all the same, as long as it is that very folder."""
NO_VARIABLES: Mapping[str, str] = MappingProxyType({})
_POLL_SECONDS, _REMOTE_POLL_SECONDS = 0.02, 0.5
_START_TOLERANCE_SECONDS, _NAME_PATIENCE_SECONDS = 1.5, 1.0


def check(options: Options) -> None:
    """There are no options of this launcher."""


def launch(store: Store, run_id: str, options: Options, how: StartOptions) -> None:
    """Start a run on this machine; see `Engine.launch`."""
    start(store, run_id, how)


def start(store: Store, run_id: str, how: StartOptions = PLAIN) -> int:
    """Start or resume a run in a process of its own that outlives this one; the number of that process.

    See `Engine.launch` for the errors.
    """
    check_startable(store, run_id)
    _check_or_note_trust(store, run_id, how)
    if (other := trainer_elsewhere(store, run_id)) is not None:
        where = f"process {other.pid} on {printable(other.host, 80)}"
        raise RunBusyError(f"run {run_id} is already being trained by {where}.")
    with store.folder(run_id) as folder:
        arguments = [*(how.command or TRAINER), str(folder.path.absolute())]
        arguments += ["--from-scratch"] if how.from_scratch else []
        descriptors = [take_lock(folder.path)]
        try:
            descriptors.append(folder.append(EVENTS_FILE))
            end_last_line(descriptors[1])
            descriptors.append(folder.append(LOG_FILE))
            if os.fstat(descriptors[-1]).st_size:  # The reason that an earlier attempt ended is not this one's.
                os.write(descriptors[-1], time.strftime("\n--- started again %Y-%m-%d %H:%M:%S ---\n").encode())
            variables = {**how.environment, LOCK_VARIABLE: str(descriptors[0])}
            with _stops_blocked(), held_to(how.cores):
                return spawn(arguments, lock=descriptors[0], stdout=descriptors[1], stderr=descriptors[2], **variables)
        except OSError as error:
            raise LaunchError(f"run {run_id}: the trainer could not be started ({reason_of(error)}).") from error
        finally:
            for descriptor in descriptors:
                os.close(descriptor)


def check_startable(store: Store, run_id: str) -> None:
    """Refuse a run that is only to be looked at.

    Raises:
        StoreError: The run is a reference run, or was made by a newer program.
    """
    directory = store.path(run_id)
    if store.is_reference(run_id):
        raise StoreError(directory, "this is a reference run; it is not trained again. Start a new run.")
    if foreign := store.record(run_id).foreign:
        source = quoted(foreign.source, 80)
        raise StoreError(directory, f"another program trained this run ({source}); it is only looked at and compared.")
    if store.record(run_id).is_newer or is_newer(directory / EVENTS_FILE):
        raise StoreError(directory, "a newer alexnet-tui wrote in this run; it can only be looked at.")


def check_handover(store: Store, run_id: str, how: StartOptions) -> None:
    """Refuse a run that must not be handed to a program which starts it elsewhere.

    Raises:
        RunBusyError: It is being trained, or is on its way.
        StoreError: It is only to be looked at.
        UntrustedRunError: Another user made it, or it came from another machine.
        UsageError: It is to begin from scratch, which the program at the other end cannot be told.
    """
    if how.from_scratch:
        raise UsageError("--from-scratch is for launchers that train on this machine.")
    check_startable(store, run_id)
    _check_or_note_trust(store, run_id, how)
    if is_training(store, run_id):
        raise RunBusyError(f"run {run_id} is already being trained, or on its way.")


def check_trust(store: Store, run_id: str) -> None:
    """Refuse a run of which anything the trainer reads belongs to another user, root aside, or came from elsewhere.

    What came from elsewhere is trusted once this user said so.

    Raises:
        UntrustedRunError: The message has the command that trains it all the same.
    """
    with store.folder(run_id) as folder:
        owners = {os.fstat(folder.fileno()).st_uid}
        owners |= {status.st_uid for name in folder.names() if (status := folder.stat(name))}
        with contextlib.suppress(StoreError):  # What is no folder, the trainer refuses itself.
            checkpoints = folder.folder(CHECKPOINTS)
            if checkpoints is not None:
                with checkpoints:
                    owners |= {status.st_uid for name in checkpoints.names() if (status := checkpoints.stat(name))}
        strangers = owners - {os.geteuid(), 0}
        if strangers:
            strangers.discard(_owner_of_new_files(folder))
    if strangers:
        names = ", ".join(_user_name(uid) for uid in sorted(strangers))
        origin = f"was made or changed by another user ({names})"
    else:
        origin = foreign_origin(store.path(run_id), store.record(run_id))
        if origin and _is_noted_as_trusted(store, run_id):
            return
    if origin:
        again = shell_command("resume", run_id, "--trust", root=store.root)
        raise UntrustedRunError(f"run {run_id} {origin}. Training it reads what is there; if you trust that: {again}")


def _check_or_note_trust(store: Store, run_id: str, how: StartOptions) -> None:
    """Check that a run is trusted; where a person has said so, write that down with this user's seal."""
    if not how.is_trusted:
        check_trust(store, run_id)
    elif foreign_origin(store.path(run_id), store.record(run_id)):
        # What cannot be written is asked again.
        with contextlib.suppress(OSError, StoreError), store.folder(run_id) as folder:
            folder.write(TRUST_FILE, msgspec.json.encode(seal(TRUST_FILE, _trusted_content(folder))))


def _is_noted_as_trusted(store: Store, run_id: str) -> bool:
    """Whether this user has trusted this very run before; the seal shows that nobody else wrote that into its folder.

    A run that was copied, or whose record was changed since, is not trusted; one whose folder was renamed is.
    """
    try:
        with store.folder(run_id) as folder:
            found = msgspec.json.decode(folder.read(TRUST_FILE) or b"", type=str)
            return is_sealed(found, TRUST_FILE, _trusted_content(folder))
    except (StoreError, *UNDECODABLE):
        return False


def _trusted_content(folder: Folder) -> tuple[str, int, int]:
    """What the seal of trust covers: the SHA-256 of the run's record, and the device and inode of its folder.

    A rename or a move within a file system keeps both; a copy has another inode.
    """
    status = os.fstat(folder.fileno())
    return sha256_of(folder.read(RECORD_FILE) or b""), status.st_dev, status.st_ino


def _owner_of_new_files(folder: Folder) -> int:
    """Who owns what this user makes in a folder: another one on a file system that maps users, as network drives do."""
    name = f".owner-{os.urandom(4).hex()}.tmp"
    try:
        descriptor = folder.create(name)
    except OSError:
        return os.geteuid()
    try:
        return os.fstat(descriptor).st_uid
    finally:
        os.close(descriptor)
        folder.remove(name)


def _user_name(uid: int) -> str:
    import pwd  # Hardly any run is a stranger's.

    try:
        return printable(pwd.getpwuid(uid).pw_name, 80)
    except KeyError:
        return f"uid {uid}"


def stop(store: Store, run_id: str, patience_seconds: float = 0.0) -> bool:
    """Ask a run's trainer to write a checkpoint and leave; one that was asked before is not asked again.

    Returns:
        Whether the trainer has left.

    Raises:
        LaunchError: Nobody trains the run, or its trainer cannot be identified; or it was asked, and is suspended.
    """
    is_asked = was_asked_to_stop(store, run_id)  # A second request would end it without its checkpoint.
    if (other := trainer_elsewhere(store, run_id)) is not None:
        if not is_asked:
            _request_stop(store, run_id, other)
    elif not _signal_carrier(store, run_id, signal.SIGTERM):
        owner = find_owner(store, run_id)
        if not is_asked:
            _signal(owner.pid, signal.SIGTERM)
            # Without the note the stop is a stop all the same.
            with contextlib.suppress(LaunchError):
                _request_stop(store, run_id, owner)
        if _is_suspended(owner.pid):
            raise LaunchError(
                f"run {run_id}: its trainer, process {owner.pid}, is suspended; `kill -CONT {owner.pid}` lets it go on,"
                " and then it stops with a checkpoint."
            )
    return wait_free(store, run_id, patience_seconds)


def _is_suspended(pid: int) -> bool:
    """Whether a process does nothing until it gets SIGCONT."""
    with contextlib.suppress(psutil.Error):  # It has left.
        return bool(psutil.Process(pid).status() == psutil.STATUS_STOPPED)
    return False


def _request_stop(store: Store, run_id: str, owner: Owner) -> None:
    """Write down who is to stop; a trainer looks for that every few seconds, also where no signal reaches it."""
    try:
        with store.folder(run_id) as folder:
            folder.write(STOP_FILE, msgspec.json.encode(owner))
    except (OSError, StoreError) as error:
        raise LaunchError(f"run {run_id} could not be asked to stop ({error}).") from error


def was_asked_to_stop(store: Store, run_id: str) -> bool:
    """Whether the process that holds a run's lock has been asked to stop already."""
    try:
        with store.folder(run_id) as folder:
            return is_stop_requested(folder)
    except StoreError:
        return False


def trainer_elsewhere(store: Store, run_id: str) -> Owner | None:
    """Who trains a run on another host now: its lock is seen to be held, or its record grows; else None."""
    directory = store.path(run_id)
    owner = elsewhere(directory)
    if owner is None:
        return None
    is_held = is_locked(directory / LOCK_FILE)
    return owner if is_held or load(store, run_id, skip_steps=True)[1] is State.RUNNING else None


def _signal_carrier(store: Store, run_id: str, number: signal.Signals) -> bool:
    """Signal what carries a run from this host to another, unless a trainer holds the run's lock; whether it was.

    A carrier hands SIGTERM on to its command; anything else, and what is left of a command whose carrier was killed,
    gets the signal as a process group.
    """
    directory = store.path(run_id)
    if is_locked(directory / LOCK_FILE):
        return False
    carrier = read_owner(directory / CARRIER_FILE) if is_locked(directory / CARRIER_FILE) else None
    if carrier is not None and _is_here(carrier) and _is_trainer(carrier, directory, CARRIER_FILE):
        target = carrier.pid if number == signal.SIGTERM else -carrier.pid
    elif (group := abandoned_group(directory)) is not None:
        target = -group
    else:
        return False
    _signal(target, number)
    return True


def is_training(store: Store, run_id: str) -> bool:
    """Whether a run is being trained, here or elsewhere, or is on its way to another machine."""
    return store.is_locked(run_id) or trainer_elsewhere(store, run_id) is not None


def kill(store: Store, run_id: str, patience_seconds: float = 2.0) -> bool:
    """Make a run's trainer, or what carries the run to one, leave now: a second request, and if need be the kernel's.

    Args:
        patience_seconds: How long to wait after each.

    Returns:
        Whether the trainer has left.

    Raises:
        LaunchError: Its trainer is on another machine or not to be known again.
    """
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            if not _signal_carrier(store, run_id, number):
                _signal(find_owner(store, run_id).pid, number)
        except LaunchError:
            if store.is_locked(run_id):
                raise
            return True  # It left by itself, before the look or during it.
        if wait_free(store, run_id, patience_seconds):
            return True
    return False


def wait_free(store: Store, run_id: str, patience_seconds: float) -> bool:
    """Wait until no process trains a run; whether that came true in time."""
    deadline = time.monotonic() + patience_seconds
    while is_training(store, run_id):
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL_SECONDS if elsewhere(store.path(run_id)) is None else _REMOTE_POLL_SECONDS)
    return True


def find_owner(store: Store, run_id: str) -> Owner:
    """The process that trains a run now, proven to be that process.

    The name in the lock file may be a moment old, hence the patience.

    Raises:
        LaunchError: Nobody trains the run, or its trainer is on another machine or cannot be identified.
    """
    deadline = time.monotonic() + _NAME_PATIENCE_SECONDS
    while True:
        if not store.is_locked(run_id):
            raise LaunchError(f"run {run_id} is not being trained.")
        owner = store.owner(run_id)
        if owner is not None and _is_here(owner) and _is_trainer(owner, store.path(run_id)):
            return owner
        if time.monotonic() >= deadline:
            raise LaunchError(_why_unknown(run_id, owner))
        time.sleep(_POLL_SECONDS)


def _why_unknown(run_id: str, owner: Owner | None) -> str:
    if owner is None:
        return f"run {run_id} is locked by a process that left no name; nothing was stopped."
    if not _is_here(owner):
        host = printable(owner.host, 80)
        return f"run {run_id} is being trained on {host} (process {owner.pid}); it can be ended at once only there."
    return f"run {run_id} is locked, but process {owner.pid} is not its trainer; nothing was stopped."


def _is_here(owner: Owner) -> bool:
    return owner.host == os.uname().nodename


def _is_trainer(owner: Owner, directory: Path, lock_name: str = LOCK_FILE) -> bool:
    """Whether a process is the trainer of a run, or holds another of its locks.

    The lock file alone is no proof: another user may have written it.

    It runs as this user (where this user is root: as root or the lock file's owner), has the lock file of this very
    folder open, and its command line names a trainer or the folder. Its start time must be the one in the lock file;
    that moves when somebody sets the clock, and a command line that names the folder is proof in its place.
    """
    if owner.pid <= 1:
        return False
    try:
        lock = lock_status(directory / lock_name)
        process = psutil.Process(owner.pid)
        if lock is None or process.uids().real not in _possible_users(lock.st_uid):
            return False
        command_line = process.cmdline()
        names_folder = any(_is_same_folder(argument, directory) for argument in command_line)
        if not names_folder and TRAINER_MODULE not in command_line:
            return False
        is_same_start = abs(process.create_time() - owner.start_seconds) < _START_TOLERANCE_SECONDS
        return (is_same_start or names_folder) and _has_open(process, lock)
    except (psutil.Error, StoreError):
        return False


def _possible_users(lock_uid: int) -> set[int]:
    """Users a trainer may run as; anybody but root can signal only their own processes."""
    return {os.getuid()} if os.getuid() else {0, lock_uid}


def _is_same_folder(argument: str, directory: Path) -> bool:
    try:
        return os.path.isabs(argument) and os.path.samefile(argument, directory)
    except (OSError, ValueError):
        return False


def _has_open(process: psutil.Process, file: os.stat_result) -> bool:
    """Whether a process has a file open, wherever the file has been moved to."""
    descriptors = Path(f"/proc/{process.pid}/fd")
    try:
        paths = list(descriptors.iterdir())
    except OSError:  # No Linux.
        paths = [Path(opened.path) for opened in process.open_files()]
    return any(_is_file(path, file) for path in paths)


def _is_file(path: Path, status: os.stat_result) -> bool:
    try:
        return os.path.samestat(path.stat(), status)
    except OSError:
        return False


def _signal(pid: int, number: signal.Signals) -> None:
    """Signal a process, or the process group of a negative number."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:  # It left between the look and the signal: what was asked for.
        return
    except OSError as error:
        raise LaunchError(f"process {abs(pid)} could not be stopped ({reason_of(error)}).") from error


def end_last_line(events: int) -> None:
    """End a line that a crash tore: one bad line that readers count, not the first half of another."""
    size = os.fstat(events).st_size
    if size and os.pread(events, 1, size - 1) != b"\n":
        os.write(events, b"\n")


@contextlib.contextmanager
def held_to(cores: Collection[int]) -> Iterator[None]:
    """Start processes that inherit a set of CPU cores; what cannot be set is left as it is."""
    if not cores or not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)  # Of this thread alone.
    with contextlib.suppress(OSError):
        os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextlib.contextmanager
def _stops_blocked() -> Iterator[None]:
    """Start processes in which stop signals are blocked until their handlers are set.

    A stop in the first moments of a trainer is then one with a checkpoint.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def spawn(arguments: Sequence[str], *, stdout: int, stderr: int, lock: int | None = None, **variables: str) -> int:
    """Start a process that outlives this one, in a session of its own; its number.

    Args:
        lock: A lock that it inherits, and that its name is written into.
        variables: Of its environment.

    Raises:
        OSError: It could not be started, or not be named.
    """
    process = subprocess.Popen(
        arguments,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        start_new_session=True,
        pass_fds=() if lock is None else (lock,),
        env=child_environment(**variables),
    )
    # A console may live longer than what it started; somebody must collect the exit status.
    threading.Thread(target=process.wait, daemon=True, name=f"reap-{process.pid}").start()
    if lock is not None:
        start_seconds = time.time()
        with contextlib.suppress(psutil.Error):  # It has already left; its log says why.
            start_seconds = psutil.Process(process.pid).create_time()
        try:
            write_owner(lock, process.pid, start_seconds)
        except OSError:
            process.kill()  # A process without a name in its lock could never be stopped.
            process.wait()
            raise
    return process.pid
