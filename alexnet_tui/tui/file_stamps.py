"""Whether a file changed since it was read, without opening it."""

import os
from pathlib import Path

Stamp = tuple[int, int]


def file_stamp(path: Path | str) -> Stamp | None:
    """Time stamp and size of a file or folder itself, which change whenever it does; None where there is none."""
    try:
        status = os.stat(path, follow_symlinks=False)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size
