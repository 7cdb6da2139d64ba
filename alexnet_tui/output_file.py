"""`write_output`: a file that a person named on the command line."""

import errno
import os
import re
import stat
from pathlib import Path

from alexnet_tui.errors import StoreError
from alexnet_tui.files import reason_of, write_atomic

_OPEN_DESCRIPTOR = re.compile(r"/dev/(std(?:in|out|err))|/(?:dev|proc/(?:self|\d+|thread-self))/fd/(\d+)")
_STANDARD = {"stdin": 0, "stdout": 1, "stderr": 2}


def write_output(path: Path, content: bytes) -> None:
    """Write a file that a person named with ``-o``, the way a shell's ``>`` would, but whole or not at all.

    A link is followed and its target replaced; a device, a pipe or an open descriptor (``/dev/null``, ``/dev/stdout``)
    is written to, never replaced.

    Raises:
        StoreError: It names a folder, or cannot be written.
    """
    try:
        target = _end_of_links(path)
        if (number := _descriptor_number(target)) is not None:
            _write_all(number, content)
        elif target.is_dir():
            raise StoreError(path, "this is a folder; name a file.")
        elif _is_replaceable(target):
            mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else None
            write_atomic(target, content, mode)
        else:
            descriptor = os.open(target, os.O_WRONLY | os.O_NOCTTY | os.O_CLOEXEC)
            try:
                _write_all(descriptor, content)
            finally:
                os.close(descriptor)
    except OSError as error:
        raise StoreError(path, f"the file cannot be written ({reason_of(error)}).") from error


def _end_of_links(path: Path) -> Path:
    """What a chain of links leads to; a link that stands for an open descriptor is the end of one."""
    for _ in range(40):
        if _descriptor_number(path) is not None or not path.is_symlink():
            return path
        path = path.parent / os.readlink(path)
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))


def _descriptor_number(path: Path) -> int | None:
    found = _OPEN_DESCRIPTOR.fullmatch(str(path))
    if found is None:
        return None
    return _STANDARD[found[1]] if found[1] else int(found[2])


def _is_replaceable(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except FileNotFoundError:
        return True


def _write_all(descriptor: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
