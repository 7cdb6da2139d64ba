"""Any other engine, by a command line of the user's own: ``ssh host -- {cmd}``.

A process of its own on this machine, the carrier, starts the command, waits until it ends, and holds the run's
``launch.lock`` meanwhile. What the command prints is in the run's ``command.log``. Where it ends without the run having
ended, the carrier writes that into the run's record, with the exit code and the last lines: unless a trainer on another
host has begun and may still be at work, for then the record is that trainer's.
"""

import contextlib
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from alexnet_tui.command_lines import child_command
from alexnet_tui.errors import LaunchError, StoreError, UsageError
from alexnet_tui.files import is_line_open, read_tail, reason_of
from alexnet_tui.folder import Folder
from alexnet_tui.launch import checks, local
from alexnet_tui.launch.engine import Options, StartOptions
from alexnet_tui.locks import take_lock
from alexnet_tui.runs import events as ev
from alexnet_tui.runs.follow import load
from alexnet_tui.runs.history import RunHistory
from alexnet_tui.runs.last_event import write_last_event
from alexnet_tui.runs.liveness import CARRIED_VARIABLE, CARRIER_FILE, owner_elsewhere, unseen_locks
from alexnet_tui.runs.store import Store
from alexnet_tui.text import printable, quoted

LOG_FILE = "command.log"
REASON = "launcher"
"""Reason of the ``failed`` event that the carrier writes."""
_COMMAND = "{cmd}"
_PLACEHOLDER = re.compile(r"\{(cmd|run|name)\}")
_TAIL_BYTES, _TAIL_LINES = 4096, 5
_CARRIER = child_command("alexnet_tui.launch.command")


def check(options: Options) -> None:
    """Refuse a template that makes no command line.

    Raises:
        UsageError: It is missing, ends within quotes, or has not exactly one ``{cmd}`` in a place it fits into.
    """
    fill(_template(options), ["x"], run="x", name="x")


def _template(options: Options) -> str:
    given = options.get("template", ())
    if not given:
        raise UsageError("--launcher command needs --template, such as --template 'ssh host -- {cmd}'.")
    return given[-1]


def fill(template: str, command: Sequence[str], *, run: str, name: str) -> list[str]:
    """The words of the command line that a template makes; no shell of this machine reads them.

    ``{cmd}`` becomes one line for the shell at the other end, quoted for it. ``{run}`` is the run's id, ``{name}`` that
    of its study, or again the run's id.

    Raises:
        UsageError: See `check`.
    """
    try:
        words = shlex.split(template)
    except ValueError as error:
        raise UsageError(f"--template: {quoted(template, 200)} is no command line ({error}).") from error
    places = [word for word in words for _ in range(word.count(_COMMAND))]
    if len(places) != 1:
        raise UsageError(f"--template: {_COMMAND} must be in it exactly once, not {len(places)} times.")
    if words[0] == places[0]:
        raise UsageError(f"--template: {_COMMAND} is for another program to run, as in 'ssh host -- {_COMMAND}'.")
    if _is_in_quotes(places[0]):
        raise UsageError(f"--template: {_COMMAND} is quoted already; leave out the quotes around it.")
    values = {"cmd": shlex.join(command), "run": run, "name": name}
    return [_PLACEHOLDER.sub(lambda found: values[found[1]], word) for word in words]


def _is_in_quotes(word: str) -> bool:
    """Whether the command would be within quotes of the shell at the other end, which would undo its own quoting."""
    before = word[: word.index(_COMMAND)]
    try:
        shlex.split(before)
    except ValueError:
        return True
    return False


def launch(store: Store, run_id: str, options: Options, how: StartOptions) -> None:
    """Start the carrier of a run; see `Engine.launch`."""
    checks.check_handover(store, run_id, how)
    directory = store.path(run_id).absolute()
    here, *rest = child_command("alexnet_tui", "task", "--runs-dir", str(store.root.absolute()), "--", run_id)
    task = [*options.get("python", [here]), *rest]
    words = fill(_template(options), task, run=run_id, name=store.record(run_id).study or run_id)
    lock = take_lock(directory, name=CARRIER_FILE)
    try:
        with Folder(directory) as folder:
            log = folder.append(LOG_FILE)
        try:
            local.spawn([*_CARRIER, str(lock), str(directory), *words], stdout=log, stderr=log, lock=lock)
        finally:
            os.close(log)
    except OSError as error:
        raise LaunchError(f"run {run_id}: its command could not be started ({reason_of(error)}).") from error
    finally:
        os.close(lock)


def main() -> int:
    """The carrier: ``LOCK_DESCRIPTOR RUN_DIRECTORY WORD...``; the command's exit code."""
    lock, directory, words = int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]
    os.set_inheritable(lock, False)
    store, run_id = Store(directory.parent), directory.name
    before = load(store, run_id, skip_steps=True)[0]
    stopped: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stopped.append(number))  # Until there is a process to end.
    log_start = os.fstat(2).st_size
    try:
        environment = {**os.environ, CARRIED_VARIABLE: str(directory)}
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, env=environment)
    except OSError as error:
        _conclude(store, run_id, before.attempts, f"{quoted(words[0], 80)} could not be started ({reason_of(error)})")
        return 1

    def stop(number: int, _: object) -> None:
        stopped.append(number)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.killpg(0, signal.SIGTERM)  # The carrier leads the group; a shell would leave alone what it started.

    signal.signal(signal.SIGTERM, stop)
    if stopped:
        stop(signal.SIGTERM, None)
    code = process.wait()
    with Folder(directory) as folder:
        carrier_file = folder.append(CARRIER_FILE)
    os.ftruncate(carrier_file, 0)  # What the command left behind, nobody has to end.
    os.close(carrier_file)
    how = f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"
    tail = _tail(directory, log_start)
    with contextlib.suppress(OSError):  # The record counts for more than the log.
        start = "\n" if is_line_open(2) else ""
        sys.stderr.write(f"{start}the command {how}\n")
    if not stopped:
        _conclude(store, run_id, before.attempts, f"its command {how} before the run did{f': {tail}' if tail else ''}")
    return code


def _tail(directory: Path, start: int) -> str:
    """The last lines that the command printed, as one line."""
    with Folder(directory) as folder:
        lines = read_tail(folder.open(LOG_FILE), _TAIL_BYTES, start).splitlines()
    return printable(" | ".join(line.strip() for line in lines[-_TAIL_LINES:] if line.strip()), 400)


def _conclude(store: Store, run_id: str, attempts: int, sentence: str) -> None:
    """End the record of a run that its trainer did not end, if no trainer can be at work on it."""
    directory = store.path(run_id)
    is_out_of_sight = owner_elsewhere(directory) is not None and unseen_locks(directory)
    failed = ev.Failed(reason=REASON, message=printable(f"{sentence[:1].upper()}{sentence[1:]}.", 600))

    def decide(history: RunHistory) -> ev.Failed | None:
        if history.attempts > attempts and (history.final is not None or is_out_of_sight):
            return None  # It ended its record, or only the connection was cut and it may go on there.
        return failed

    write_last_event(directory, decide, attempt=attempts + 1)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (StoreError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(1)
