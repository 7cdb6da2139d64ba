"""Ask the trainer's side what it would do, in a short-lived process: only it may load torch."""

import subprocess
from collections.abc import Sequence
from typing import TypeVar

import msgspec

from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.errors import DeviceError, ExitCode, LaunchError
from alexnet_tui.paths import child_command, child_environment
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


def describe(config: RunConfig, command: Sequence[str] = COMMAND) -> Description:
    """What a configuration becomes on this machine.

    Raises:
        DeviceError: The device asked for is not here.
        LaunchError: The trainer could not be asked.
    """
    return _decode(_ask([*command, msgspec.json.encode(config).decode()]), Description)


def probe(config: RunConfig | None = None, command: Sequence[str] = COMMAND) -> Probe:
    """The device a run would take, and how fast a step is there: five are made.

    Args:
        config: The run; None takes the default one.
        command: What to ask.

    Raises:
        DeviceError: The device asked for is not here.
        LaunchError: The trainer could not be asked, or cannot train.
    """
    arguments = [] if config is None else [msgspec.json.encode(config).decode()]
    return _decode(_ask([*command, *arguments, "--probe"]), Probe)


def _ask(arguments: Sequence[str]) -> str:
    try:
        done = subprocess.run(
            arguments,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT_SECONDS,
            env=child_environment(),
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise LaunchError(f"the trainer gave no answer within {_TIMEOUT_SECONDS} seconds.") from error
    except OSError as error:
        raise LaunchError(f"the trainer could not be asked ({printable(str(error), 200)}).") from error
    if done.returncode == 0:
        return done.stdout
    lines = done.stderr.strip().splitlines() or [f"it left with code {done.returncode}"]
    sentence = printable(lines[-1], 500).removeprefix("alexnet-tui: ")
    if done.returncode == ExitCode.USAGE:
        raise DeviceError(sentence)
    raise LaunchError(f"the trainer could not be asked: {sentence}")


def _decode(text: str, kind: type[Answer]) -> Answer:
    lines = text.strip().splitlines()
    try:
        return msgspec.json.decode(lines[-1] if lines else "", type=kind)
    except msgspec.MsgspecError as error:
        raise LaunchError(f"the trainer gave no answer that makes sense ({error}).") from error
