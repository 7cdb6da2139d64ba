"""Download CIFAR-10 or CIFAR-100 and store it: ``python -m alexnet_tui.train.images.download NAME DATA_DIR``.

A process of its own, so that only it loads torchvision; the caller holds the data set's lock. Progress goes
to stderr; on failure the last line of stdout is the sentence for the user. An archive comes into its place only
whole, and one that is already there is checked against its published MD5 before anything parses it. If the caller
ends meanwhile, the download is finished and its messages are dropped.
"""

import hashlib
import io
import os
import shutil
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from alexnet_tui.datasets.build import store_arrays
from alexnet_tui.datasets.catalog import BUILT_IN, DOWNLOADS, BuiltIn
from alexnet_tui.errors import DatasetError, ExitCode
from alexnet_tui.files import reason_of
from alexnet_tui.text import printable

PARTIAL = ".partial"
"""Folder of a download under way, in the downloads folder; one left behind is thrown away by the next."""
_TIMEOUT_SECONDS = 15


class LossyOutput(io.TextIOBase):
    """A text stream that drops what is written after its reader has closed the pipe."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write text, or drop it."""
        try:
            self._stream.write(text)
            self._stream.flush()
        except BrokenPipeError:
            return len(text)
        return len(text)

    def isatty(self) -> bool:
        """Whether a terminal shows it."""
        return self._stream.isatty()


def main(arguments: list[str]) -> int:
    """Download and store one data set; returns the exit code."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # ctrl-c reaches the caller too, which prints the message.
    name, root = arguments[0], Path(arguments[1])
    sys.stderr = LossyOutput(sys.stderr)
    answer, code = "", ExitCode.DONE
    try:
        _store(name, root)
    except DatasetError as error:
        answer, code = str(error).partition(": ")[2] + "\n", error.exit_code
    try:
        sys.stdout.write(answer)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # Python would complain of it once more as it leaves.
    return int(code)


def _store(name: str, root: Path) -> None:
    built_in, downloads = BUILT_IN[name], root / DOWNLOADS
    _check_archive(name, downloads, built_in)
    socket.setdefaulttimeout(_TIMEOUT_SECONDS)
    # torchvision prints notes to stdout, where the caller waits for one sentence.
    reply = os.dup(1)
    os.dup2(2, 1)
    try:
        import numpy as np
        from torchvision import datasets as published

        try:
            kind = {"cifar10": published.CIFAR10, "cifar100": published.CIFAR100}[name]
            try:  # Unpacked earlier: every file is checked against its MD5.
                opened = _open(kind, downloads, download=False)
            except RuntimeError:
                if not (archive := downloads / built_in.archive).is_file():
                    fetch(kind.url, built_in.md5, archive)
                opened = _open(kind, downloads, download=True)
        except (OSError, RuntimeError) as error:
            raise DatasetError(name, _advice(name, downloads, built_in, error)) from error
        images = {split: np.ascontiguousarray(data.data.transpose(0, 3, 1, 2)) for split, data in opened.items()}
        labels = {split: np.asarray(data.targets, dtype=np.int64) for split, data in opened.items()}
        store_arrays(root, name, images, labels, tuple(opened["train"].classes))
    finally:
        os.dup2(reply, 1)
        os.close(reply)


def _open(kind: Callable[..., Any], downloads: Path, download: bool) -> dict[str, Any]:
    return {split: kind(root=str(downloads), train=split == "train", download=download) for split in ("train", "test")}


def fetch(url: str, md5: str, archive: Path) -> None:
    """Download a file beside its place, and move it there once it is whole.

    Raises:
        OSError: There is no way to it, or no room for it.
        RuntimeError: What came is not what was published, or broke off.
    """
    from torchvision.datasets.utils import download_url

    partial = archive.parent / f"{PARTIAL}-{archive.name}"  # Another data set may be on its way at the same time.
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    download_url(url, str(partial), filename=archive.name, md5=md5)
    (partial / archive.name).replace(archive)
    partial.rmdir()


def _check_archive(name: str, downloads: Path, built_in: BuiltIn) -> None:
    archive = downloads / built_in.archive
    if not archive.is_file():
        return
    with archive.open("rb") as file:
        found = hashlib.file_digest(file, "md5").hexdigest()
    if found != built_in.md5:
        raise DatasetError(
            name,
            f"{archive} is not the published archive: its MD5 is {found}, it must be {built_in.md5}."
            " Delete it and run the command again.",
        )


def _advice(name: str, downloads: Path, built_in: BuiltIn, error: Exception) -> str:
    cause = getattr(error, "reason", error)
    reason = printable(reason_of(cause) if isinstance(cause, OSError) else str(cause), 120)
    return (
        f"it is not on this disk and could not be downloaded ({reason}): connect once and run"
        f" `alexnet-tui data prepare {name}`, put {built_in.archive} into {downloads}, or add your own images"
        " with `alexnet-tui data add`."
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
