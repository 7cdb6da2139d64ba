"""The downloading process, offline: what it says, and that it does not mind nobody listening."""

import os
import subprocess
import sys
from pathlib import Path

from alexnet_tui.data_catalog import BUILT_IN, DOWNLOADS
from alexnet_tui.train.download import Talk


def download_broken_archive(root: Path, stdout: int, stderr: int) -> subprocess.Popen[bytes]:
    archive = root / DOWNLOADS / BUILT_IN["cifar10"].archive
    archive.parent.mkdir(parents=True)
    archive.write_bytes(b"not the archive")
    command = [sys.executable, "-m", "alexnet_tui.train.download", "cifar10", str(root)]
    return subprocess.Popen(command, stdout=stdout, stderr=stderr)


def test_a_wrong_archive_is_one_sentence_on_stdout(tmp_path: Path) -> None:
    process = download_broken_archive(tmp_path, subprocess.PIPE, subprocess.PIPE)
    answer, talk = process.communicate(timeout=60)
    assert process.returncode == 3
    assert b"is not the published archive" in answer
    assert (answer.count(b"\n"), talk) == (1, b"")


def test_a_caller_who_went_away_is_no_traceback(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    process = download_broken_archive(tmp_path, writing, subprocess.PIPE)
    os.close(writing)
    _, talk = process.communicate(timeout=60)
    assert (process.returncode, talk) == (3, b"")


def test_talk_that_nobody_hears_is_dropped() -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "w", buffering=1) as stream:
        talk = Talk(stream)
        assert talk.write("heard\n") == 6
        assert os.read(reading, 100) == b"heard\n"
        os.close(reading)
        assert talk.write("unheard\n") == 8
        print("unheard too", file=talk, flush=True)
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, writing)  # For the stream to close in peace.
        os.close(null)
