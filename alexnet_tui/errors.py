"""Every error a person may see, each class with the exit code it ends the program with.

A message says what happened, where, and what to do; it is one or two sentences, never a traceback.
"""

from collections.abc import Sequence
from enum import IntEnum
from pathlib import Path


class ExitCode(IntEnum):
    """Exit codes of every command; part of the public interface."""

    DONE = 0
    TRAINING_FAILED = 1
    USAGE = 2
    STORE_OR_DATA = 3
    BUSY = 75
    HANGUP = 129
    INTERRUPTED = 130
    TERMINATED = 143


class AlexnetTuiError(Exception):
    """Something the user can understand and act on."""

    exit_code = ExitCode.TRAINING_FAILED


class ConfigError(AlexnetTuiError):
    """A hyperparameter is out of range, or two of them contradict each other."""

    exit_code = ExitCode.USAGE

    def __init__(self, field: str, reason: str) -> None:
        self.field = field
        self.reason = reason
        super().__init__(f"{field}: {reason}")


class ClaimError(AlexnetTuiError):
    """A file of claims cannot be used; every fault in it is named."""

    exit_code = ExitCode.USAGE

    def __init__(self, path: Path | str, problems: Sequence[str]) -> None:
        self.path = Path(path)
        self.problems = tuple(problems)
        super().__init__(f"{path}: {' '.join(problems)}")


class UsageError(AlexnetTuiError):
    """A command was asked for something it cannot mean."""

    exit_code = ExitCode.USAGE


class PeerLostError(AlexnetTuiError):
    """Another process of a run that several train has ended, and left the reason; this one cannot go on alone."""


class DeviceError(AlexnetTuiError):
    """The device asked for is not on this machine."""

    exit_code = ExitCode.USAGE


class StoreError(AlexnetTuiError):
    """A runs folder, or a run in it, cannot be read or written."""

    exit_code = ExitCode.STORE_OR_DATA

    def __init__(self, path: Path | str, reason: str) -> None:
        self.path = Path(path)
        self.reason = reason
        super().__init__(f"{path}: {reason}")


class HomeError(AlexnetTuiError):
    """Nothing says where this user's files are: no HOME, and no such user on this machine.

    Args:
        variable: The environment variable that names the place in question.
    """

    exit_code = ExitCode.STORE_OR_DATA

    def __init__(self, variable: str) -> None:
        super().__init__(f"no home folder is known for this user; set HOME, or {variable}.")


class RunNotFoundError(StoreError):
    """No run has the id, or more than one begins with it."""


class AmbiguousRunError(RunNotFoundError):
    """More than one run's id begins with a text.

    Args:
        text: What was typed.
        newest: The newest of these runs.
    """

    def __init__(self, path: Path | str, reason: str, *, text: str, newest: str) -> None:
        self.text = text
        self.newest = newest
        super().__init__(path, reason)


class UntrustedRunError(AlexnetTuiError):
    """Another user or another machine made the run, and nobody has agreed yet to train it."""

    exit_code = ExitCode.USAGE


class RunBusyError(AlexnetTuiError):
    """Another process holds the lock on a run, a study or a data set."""

    exit_code = ExitCode.BUSY


class ArchiveError(AlexnetTuiError):
    """A tar or zip archive is damaged, larger than it may be, or holds what it may not."""

    exit_code = ExitCode.STORE_OR_DATA


class DatasetError(AlexnetTuiError):
    """A data set is missing, corrupt, or not what it says it is."""

    exit_code = ExitCode.STORE_OR_DATA

    def __init__(self, name: str, reason: str) -> None:
        self.name = name
        super().__init__(f"data set {name}: {reason}")


class TooFewImagesError(DatasetError):
    """A run asks for more training images than its data set has."""

    def __init__(self, name: str, num_images: int, num_held_out: int, num_wanted: int) -> None:
        held_out = f", {num_held_out:,} of them held out" if num_held_out else ""
        super().__init__(name, f"has {num_images:,} training images{held_out}; --train-images asks for {num_wanted:,}.")


class LaunchError(AlexnetTuiError):
    """The training process could not be started or stopped."""


class CheckpointError(AlexnetTuiError):
    """No checkpoint of the run can be trusted."""

    exit_code = ExitCode.STORE_OR_DATA
