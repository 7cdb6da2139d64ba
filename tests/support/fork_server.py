"""Python processes forked from one that has loaded torch and the program: a start costs milliseconds, not seconds.

A forked process has its own session, environment, working folder, signals and descriptors, as one that `subprocess`
starts, and its command line names the module of the trainer, as that of every trainer does. What it starts through
`launch.local` is forked by the same server.
"""

import contextlib
import fcntl
import importlib
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import NoReturn

import fake_trainer
import msgspec
import pytest

from alexnet_tui.config import architecture
from alexnet_tui.launch import local, trainer_process
from alexnet_tui.train.run_writer import RunWriter

ADDRESS, SMALL = "TEST_FORK_SERVER", "TEST_SMALL_NETWORKS"
SMALL_NETWORKS = {
    "_CONVOLUTIONS": tuple((row[0], row[1] // 8, *row[2:]) for row in architecture._CONVOLUTIONS),
    "_HIDDEN_UNITS": 64,
}
"""What `architecture` has in place of its own: an eighth of the channels, and few units."""
SHRINK = f"from alexnet_tui.config import architecture; vars(architecture).update({SMALL_NETWORKS!r})"
"""A line of Python with which a process has small networks."""
# Received descriptors are moved here first, out of the way of the numbers they are to have.
_FREE_DESCRIPTORS = 300
_CHECK_SECONDS = 0.2


class Request(msgspec.Struct):
    """A process to fork; standard output, standard error and the descriptors named by `kept` come with it."""

    arguments: Sequence[str]
    environment: dict[str, str]
    folder: str
    cores: list[int]
    blocked_signals: list[int]
    kept: Sequence[int]


class Forked:
    """What `launch.local` and tests use of `subprocess.Popen`, for a process that the server forks.

    Args:
        arguments: ``python [-P] -m MODULE ...`` or ``python [-P] -c CODE ...``.
        stdout: Descriptor of its standard output.
        stderr: Descriptor of its standard error.
        env: All of its environment.
        pass_fds: More descriptors that it inherits, under the same numbers.
        stdin: Not used: it reads nothing.
        start_new_session: Not used: it always has a session of its own.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        stdout: int = 1,
        stderr: int = 2,
        env: Mapping[str, str] | None = None,
        pass_fds: Sequence[int] = (),
        stdin: int = subprocess.DEVNULL,
        start_new_session: bool = True,
    ) -> None:
        request = Request(
            arguments=arguments,
            environment=dict(os.environ if env is None else env),
            folder=os.getcwd(),
            cores=list(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [],
            blocked_signals=[int(number) for number in signal.pthread_sigmask(signal.SIG_BLOCK, ())],
            kept=pass_fds,
        )
        self._connection = socket.socket(socket.AF_UNIX)
        self._connection.connect(os.environ[ADDRESS])
        socket.send_fds(self._connection, [b"."], [stdout, stderr, *pass_fds])
        self._connection.sendall(msgspec.json.encode(request) + b"\n")
        self._answers = self._connection.makefile("r")
        self.pid = int(self._answers.readline())
        self.returncode: int | None = None

    def wait(self, timeout: float | None = None) -> int:
        """Return its exit code once it has ended."""
        if self.returncode is None:
            self._connection.settimeout(timeout)
            self.returncode = int(self._answers.readline() or 1)  # Nothing: the server has ended.
            self._answers.close()
            self._connection.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send it a signal; none if it has left."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it."""
        self.send_signal(signal.SIGKILL)


class ForkedChild:
    """What ``torchrun`` uses of `subprocess.Popen`, for a process that the calling process forks: a child of its own.

    Args:
        args: ``python [-u] -m MODULE ...``.
        env: All of its environment.
        stdout: Not used: it has that of the caller.
        stderr: Not used.
        start_new_session: Not used: it always has a session of its own.
    """

    def __init__(
        self,
        args: Sequence[str],
        env: Mapping[str, str],
        stdout: object = None,
        stderr: object = None,
        start_new_session: bool = True,
    ) -> None:
        self.returncode: int | None = None
        self.pid = os.fork()
        if not self.pid:
            os.setsid()
            os.closerange(3, os.sysconf("SC_OPEN_MAX"))
            for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
                if callable(signal.getsignal(number)) and number != signal.SIGINT:
                    signal.signal(number, signal.SIG_DFL)
            os.environ.clear()
            os.environ.update(env)
            _run(args)

    def poll(self) -> int | None:
        """Its exit code, if it has ended."""
        if self.returncode is None and (gone := os.waitpid(self.pid, os.WNOHANG))[0]:
            self.returncode = os.waitstatus_to_exitcode(gone[1])
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Return its exit code once it has ended."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            if deadline is not None and time.monotonic() >= deadline:
                raise subprocess.TimeoutExpired("forked", timeout or 0)
            time.sleep(0.01)
        return code


_STAND_IN = SimpleNamespace(Popen=Forked, DEVNULL=subprocess.DEVNULL)
"""What `launch.local` finds in place of `subprocess`."""


@contextmanager
def running() -> Iterator[str]:
    """A running server; its address."""
    code = f"import sys; sys.path[:0] = {fake_trainer.SEARCH_PATH}; import fork_server; fork_server.serve()"
    with tempfile.TemporaryDirectory() as folder:
        address = f"{folder}/s"
        command = [sys.executable, "-P", "-c", code, trainer_process.TRAINER_MODULE, address]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
            assert server.stdout is not None
            assert server.stdout.readline() == b"ready\n"
            yield address
            server.communicate()  # It ends when its standard input does.


def install() -> None:
    """Have `launch.local` start its processes by the server of the environment."""
    vars(local)["subprocess"] = _STAND_IN


@pytest.fixture(scope="session")
def server_address() -> Iterator[str]:
    """The address of a running server."""
    with running() as address:
        yield address


def small_command(module: str, before: str = "") -> tuple[str, ...]:
    """The command that runs a module with a small network in a process that nobody forks.

    Args:
        module: Its name; the command line of a trainer names it.
        before: What Python runs before it.
    """
    run = "import runpy, sys; runpy.run_module(sys.argv.pop(1), run_name='__main__', alter_sys=True)"
    code = f"{SHRINK}\n{before}\n{run}"
    return (sys.executable, "-c", code, module)


@pytest.fixture
def forked(server_address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trainers of this test are forked from one process."""
    monkeypatch.setenv(ADDRESS, server_address)
    monkeypatch.setattr(local, "subprocess", _STAND_IN)


@pytest.fixture
def small_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks of this process and of processes that are forked are small: a twentieth of the time."""
    monkeypatch.setenv(SMALL, "1")
    for name, value in SMALL_NETWORKS.items():
        monkeypatch.setattr(architecture, name, value)


def serve() -> None:
    """Fork what is asked for, until standard input ends."""
    for module in ("alexnet_tui.cli.main", "alexnet_tui.train.attempt", "alexnet_tui.train.machine.slowdown"):
        importlib.import_module(module)
    vars(os)["fsync"] = lambda descriptor: None  # As in the tests' own process.
    # A trainer that is forked looks for its folder, and for a request to stop there, all the time.
    defaults = RunWriter.__init__.__kwdefaults__
    assert defaults is not None
    defaults["check_seconds"] = _CHECK_SECONDS
    signal.pthread_sigmask(signal.SIG_BLOCK, trainer_process.STOP_SIGNALS)  # Until the forked process has its own mask.
    signal.signal(signal.SIGCHLD, lambda *_: None)
    ended, ending = os.pipe()
    os.set_blocking(ending, False)
    signal.set_wakeup_fd(ending, warn_on_full_buffer=False)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(sys.argv[-1])
    listener.listen()
    os.write(1, b"ready\n")
    os.dup2(2, 1)
    asked: dict[int, socket.socket] = {}
    while True:
        found = select.select([0, ended, listener.fileno()], [], [])[0]
        if 0 in found:
            os._exit(0)
        if ended in found:
            os.read(ended, 4096)
        if listener.fileno() in found:
            connection = listener.accept()[0]
            _, descriptors, _, _ = socket.recv_fds(connection, 1, 8)
            line = connection.makefile("rb").readline()
            if line.endswith(b"\n"):  # Else who asked was killed meanwhile, and wants nothing.
                pid = os.fork()
                if not pid:
                    for one in (listener, connection, *asked.values()):
                        one.close()
                    os.close(ended)
                    os.close(ending)
                    _become(msgspec.json.decode(line, type=Request), descriptors)
                asked[pid] = connection
                with contextlib.suppress(OSError):  # Nobody waits for it.
                    connection.sendall(f"{pid}\n".encode())
            for descriptor in descriptors:
                os.close(descriptor)
        _report_ends(asked)


def _report_ends(asked: dict[int, socket.socket]) -> None:
    with contextlib.suppress(ChildProcessError):
        while (gone := os.waitpid(-1, os.WNOHANG))[0]:
            connection = asked.pop(gone[0])
            with contextlib.suppress(OSError):  # Nobody waits for it.
                connection.sendall(f"{os.waitstatus_to_exitcode(gone[1])}\n".encode())
            connection.close()


def _become(request: Request, descriptors: Sequence[int]) -> NoReturn:
    """In the forked process: be the program that was asked for."""
    try:
        _inherit(request, descriptors)
        install()
        if SMALL in os.environ:
            vars(architecture).update(SMALL_NETWORKS)
        if "--nproc" in request.arguments:
            torchrun = importlib.import_module("torch.distributed.elastic.multiprocessing.subprocess_handler")
            vars(importlib.import_module(f"{torchrun.__name__}.subprocess_handler"))["Popen"] = ForkedChild
    except BaseException:  # noqa: BLE001 - Python would print it.
        traceback.print_exc()
        os._exit(1)
    _run(request.arguments)


def _run(arguments: Sequence[str]) -> NoReturn:
    """Run what ``python`` would run with these arguments, and leave."""
    code: object = 1
    try:
        words = [word for word in arguments[1:] if word not in {"-P", "-u"}]
        sys.argv = ["-c", *words[2:]]
        if words[0] == "-m":
            runpy.run_module(words[1], run_name="__main__", alter_sys=True)
        else:
            exec(words[1], {"__name__": "__main__"})
        code = 0
    except SystemExit as end:
        code = 0 if end.code is None else end.code
    except BaseException:  # noqa: BLE001 - Python would print it.
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 1)


def _inherit(request: Request, descriptors: Sequence[int]) -> None:
    """Take over session, descriptors, environment, folder, cores and signals."""
    os.setsid()
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    moved = [fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, _FREE_DESCRIPTORS) for descriptor in descriptors]
    for descriptor in descriptors:
        os.close(descriptor)
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    for descriptor, number in zip(moved, [1, 2, *request.kept], strict=True):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.environ.clear()
    os.environ.update(request.environment)
    os.chdir(request.folder)
    if request.cores:
        os.sched_setaffinity(0, request.cores)
    signal.pthread_sigmask(signal.SIG_SETMASK, request.blocked_signals)
