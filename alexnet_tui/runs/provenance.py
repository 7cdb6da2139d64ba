"""What a run was made by, without secrets: its command line, its commit, its environment."""

import functools
import os
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

_SAFE_ENVIRONMENT = (
    "CUDA_VISIBLE_DEVICES",
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "SLURM_JOB_ID",
    "WORLD_SIZE",
)
_WORDS = r"token|secret|password|passwd|passphrase|api[-_]?key|access[-_]?key|private[-_]?key|credential"
_SECRET = re.compile(rf"(?i)({_WORDS})")
_USERINFO = re.compile(r"//[^/\s]*@")
_QUERY = re.compile(rf"(?i)([?&][^=&\s]*(?:{_WORDS})[^=&\s]*=)[^&\s]+")


def redact(argv: Iterable[str]) -> list[str]:
    """A command line without values that look like secrets and without credentials in addresses."""
    kept: list[str] = []
    hide_next = False
    for argument in argv:
        name, equals, _ = argument.partition("=")
        is_address = "//" in name
        secret = bool(_SECRET.search(name)) and not is_address
        if hide_next:
            kept.append("***")
        elif secret and equals:
            kept.append(f"{name}=***")
        else:
            kept.append(_QUERY.sub(r"\1***", _USERINFO.sub("//***@", argument)))
        hide_next = secret and not equals and argument.startswith("-") and not hide_next
    return kept


def safe_environment() -> dict[str, str]:
    """The few environment variables that change results; no other is ever kept."""
    return {name: os.environ[name] for name in _SAFE_ENVIRONMENT if name in os.environ}


@functools.cache
def package_commit(patience_seconds: float = 5.0) -> str:
    """The commit this program runs from, with ``+`` if its own files differ from it.

    Empty outside a checkout, and where git does not say whether they differ: then nobody knows what the program was.
    Other files of the checkout, such as the README, decide no number and are not looked at. Asked once a process.

    Args:
        patience_seconds: How long to wait for each of git's two answers.
    """
    package = Path(__file__).resolve().parents[1]
    if not (package.parent / ".git").exists():
        return ""
    commit = _git(package, patience_seconds, "rev-parse", "--short=12", "HEAD")
    changes = _git(package, patience_seconds, "status", "--porcelain", "--", str(package))
    if not commit or changes is None:
        return ""
    return f"{commit}+" if changes else commit


def _git(folder: Path, patience_seconds: float, *words: str) -> str | None:
    """What git answers, or None where it cannot, or not in time."""
    # Without this, looking at the checkout could make a commit under way fail on the index' lock.
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}
    command = ["git", "-C", str(folder), *words]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=patience_seconds, check=False, env=environment
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
