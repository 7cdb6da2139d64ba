"""Ask the trainer's side what it would do, in a short-lived process: only it may load torch."""

import subprocess
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import TypeVar

import msgspec

from alexnet_tui.command_lines import child_command, child_environment
from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.errors import DeviceError, ExitCode, LaunchError
from alexnet_tui.launch.local import cpu_affinity
from alexnet_tui.text import printable

COMMAND = child_command("alexnet_tui.train.probe")
_TIMEOUT_SECONDS = 180
Answer = TypeVar("Answer")


class Description(msgspec.Struct, frozen=True, kw_only=True):
    """What a configuration becomes on this machine."""

    device: str
    precision: str = ""
    num_parameters: int = 0


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """What this machine trains on, and how long one update of a run takes there."""

    device: str
    precision: str
    step_milliseconds: float
    threads: int = 0


class _Rate(msgspec.Struct, frozen=True):
    images_per_second: float


def describe(config: RunConfig, command: Sequence[str] = COMMAND) -> Description:
    """What a configuration becomes on this machine.

    Raises:
        DeviceError: The device asked for is not here.
        LaunchError: The trainer could not be asked.
    """
    return _ask([*command, msgspec.json.encode(config).decode()], Description)


def probe(config: RunConfig | None = None, command: Sequence[str] = COMMAND) -> Probe:
    """The device a run would take, and how fast a step is there: five are made.

    Args:
        config: The run; None takes the default one.

    Raises:
        DeviceError: The device asked for is not here.
        LaunchError: The trainer could not be asked, or cannot train.
    """
    arguments = [] if config is None else [msgspec.json.encode(config).decode()]
    return _ask([*command, *arguments, "--probe"], Probe)


def rate_together(
    config: RunConfig, places: Sequence[tuple[Collection[int], Mapping[str, str]]], command: Sequence[str] = COMMAND
) -> float:
    """Images a second of several runs like this one that train at the same time, all of them together.

    Args:
        places: For each of them, the CPU cores it is held to, and environment variables.

    Raises:
        DeviceError: The device asked for is not here.
        LaunchError: One of them could not train.
    """
    arguments = [*command, msgspec.json.encode(config).decode(), "--rate"]
    with ExitStack() as children:
        started = [children.enter_context(_asked(arguments, cores, variables)) for cores, variables in places]
        for child in started:
            assert child.stdout
            child.stdout.readline()  # "ready", or the end of a process that failed; it ends itself after minutes.
        for child in started:
            _let_go(child)
        return sum(_answer(child, _Rate).images_per_second for child in started)


@contextmanager
def _asked(
    arguments: Sequence[str], cores: Collection[int], variables: Mapping[str, str]
) -> Iterator["subprocess.Popen[str]"]:
    """A process that is asked for something; it ends with the block."""
    try:
        with cpu_affinity(cores):
            child = subprocess.Popen(
                arguments,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
                env=child_environment(**variables),
            )
    except OSError as error:
        raise LaunchError(f"the trainer could not be asked ({printable(str(error), 200)}).") from error
    with child:
        try:
            yield child
        finally:
            child.kill()


def _let_go(child: "subprocess.Popen[str]") -> None:
    assert child.stdin
    with suppress(BrokenPipeError):  # It has failed; its exit code says so.
        child.stdin.write("\n")
        child.stdin.flush()


def _ask(arguments: Sequence[str], kind: type[Answer]) -> Answer:
    with _asked(arguments, (), {}) as child:
        return _answer(child, kind)


def _answer(child: "subprocess.Popen[str]", kind: type[Answer]) -> Answer:
    """What a process that was asked answers.

    Raises:
        DeviceError: The device asked for is not here.
        LaunchError: It failed; the message has its last words.
    """
    try:
        stdout, stderr = child.communicate(timeout=_TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise LaunchError(f"the trainer gave no answer within {_TIMEOUT_SECONDS} seconds.") from error
    if child.returncode != 0:
        lines = stderr.strip().splitlines() or [f"it left with code {child.returncode}"]
        sentence = printable(lines[-1], 500).removeprefix("alexnet-tui: ")
        if child.returncode == ExitCode.USAGE:
            raise DeviceError(sentence)
        raise LaunchError(f"the trainer could not be asked: {sentence}")
    try:
        return msgspec.json.decode((stdout.strip().splitlines() or [""])[-1], type=kind)
    except msgspec.MsgspecError as error:
        raise LaunchError(f"the trainer gave no answer that makes sense ({error}).") from error
