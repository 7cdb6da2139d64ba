"""Which of the processes of its run this one is, and where it leaves the reason of a failure: as ``torchrun`` says."""

import os
from pathlib import Path

_ERROR_FILE_VARIABLE = "TORCHELASTIC_ERROR_FILE"


def is_one_of_many() -> bool:
    """Whether ``torchrun`` started this process."""
    return "TORCHELASTIC_RUN_ID" in os.environ


def rank() -> int:
    """The number of this process among those of its run, which are all on this machine."""
    return int(os.environ["RANK"]) if is_one_of_many() else 0


def error_file() -> Path | None:
    """Where ``torchrun`` looks for the reason why this process failed."""
    path = os.environ.get(_ERROR_FILE_VARIABLE)
    return Path(path) if path else None
