"""Ids of runs: what one looks like, which words are none, and what a new run is called."""

import itertools
import re
import time
from collections.abc import Iterator

from alexnet_tui.config.hyperparameters import RunConfig

REFERENCE, STUDIES = "reference", "studies"
"""Folders beside the runs: the reference runs, and the studies."""
RUN_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_NUMBER = re.compile(r"-[1-9][0-9]{0,3}\Z")
"""What an id that was taken ends with to become another: ``-2``, ``-3``."""
LAST = "last"
"""Stands for the newest run."""
RESERVED = frozenset((REFERENCE, STUDIES, LAST))
"""No ids of runs: two folders beside the runs, and a word for one of them."""
ID_RULE = "small letters, digits, - and _, at most 64."


def is_numbered_alike(text: str, name: str) -> bool:
    """Whether a text and a name differ only in the number that an id gets where another run has it already.

    The time of day at the end of an id is no such number: the day alone is an abbreviation.
    """
    return _NUMBER.sub("", text) == _NUMBER.sub("", name)


def usual_id(config: RunConfig, created: float) -> str:
    """What the id of a run begins with, often all of it: ``baseline-s0-20261126-074510``, in UTC."""
    return f"{config.variant}-s{config.seed}-{time.strftime('%Y%m%d-%H%M%S', time.gmtime(created))}"


def free_ids(name: str) -> Iterator[str]:
    """Ids as like a name as can be, without end: ``mine``, ``mine-2``, ``mine-3``; some may be taken."""
    stem = re.sub("[^a-z0-9_-]+", "-", name.lower()).strip("-_")[:56] or "run"
    if stem not in RESERVED:
        yield stem
    yield from (f"{stem}-{number}" for number in itertools.count(2))
