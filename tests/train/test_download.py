"""The downloading process, offline: what it says, and that it does not mind nobody listening."""

import hashlib
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from alexnet_tui.datasets.catalog import BUILT_IN, DOWNLOADS
from alexnet_tui.errors import DatasetError, ExitCode
from alexnet_tui.train.images.download import LossyOutput, _store, fetch

CONTENT = bytes(range(256)) * 64


def download_broken_archive(root: Path, stdout: int, stderr: int) -> subprocess.Popen[bytes]:
    archive = root / DOWNLOADS / BUILT_IN["cifar10"].archive
    archive.parent.mkdir(parents=True)
    archive.write_bytes(b"not the archive")
    command = [sys.executable, "-m", "alexnet_tui.train.images.download", "cifar10", str(root)]
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


@pytest.fixture
def server() -> Iterator[str]:
    """Serves `CONTENT` below /whole, and half of it elsewhere."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(CONTENT)))
            self.end_headers()
            self.wfile.write(CONTENT if self.path.startswith("/whole") else CONTENT[: len(CONTENT) // 2])

        def do_HEAD(self) -> None:
            self.send_response(200)
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

    listening = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=listening.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{listening.server_port}"
    listening.shutdown()
    listening.server_close()


@pytest.mark.slow
def test_a_download_that_broke_off_is_made_again(tmp_path: Path, server: str) -> None:
    archive, md5 = tmp_path / DOWNLOADS / "archive.tar.gz", hashlib.md5(CONTENT).hexdigest()
    with pytest.raises((OSError, RuntimeError)):
        fetch(f"{server}/half", md5, archive)
    assert not archive.exists(), "half an archive must not stand where a whole one is looked for"
    fetch(f"{server}/whole", md5, archive)
    assert archive.read_bytes() == CONTENT
    assert [path.name for path in archive.parent.iterdir()] == ["archive.tar.gz"]


def test_two_data_sets_are_downloaded_at_the_same_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = (tmp_path / DOWNLOADS / f"{name}.tar.gz" for name in ("first", "second"))

    def download(url: str, root: str, filename: str, md5: str) -> None:
        (Path(root) / filename).write_text(url)
        if filename == first.name:  # The other one comes and goes while this one is on its way.
            fetch("theirs", "", second)

    monkeypatch.setattr("torchvision.datasets.utils.download_url", download)
    fetch("mine", "", first)
    assert (first.read_text(), second.read_text()) == ("mine", "theirs")
    assert sorted(first.parent.iterdir()) == [first, second]


@pytest.mark.slow
def test_without_a_network_one_sentence_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`test_children` has the whole command do it."""
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.setattr(socket, "setdefaulttimeout", lambda seconds: None)  # It would stay.
    with pytest.raises(DatasetError) as caught:
        _store("cifar10", tmp_path)
    sentence = str(caught.value)
    assert "is not on this disk and could not be downloaded" in sentence
    assert "alexnet-tui data prepare cifar10" in sentence
    assert str(tmp_path / "downloads") in sentence
    assert caught.value.exit_code == ExitCode.STORE_OR_DATA


def test_talk_that_nobody_hears_is_dropped() -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "w", buffering=1) as stream:
        talk = LossyOutput(stream)
        assert talk.write("heard\n") == 6
        assert os.read(reading, 100) == b"heard\n"
        os.close(reading)
        assert talk.write("unheard\n") == 8
        print("unheard too", file=talk, flush=True)
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, writing)  # For the stream to close in peace.
        os.close(null)
