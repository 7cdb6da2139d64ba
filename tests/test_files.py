"""Locks that die with their holder, writes that are whole, and reads that follow no link."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from alexnet_tui.errors import RunBusyError, StoreError
from alexnet_tui.files import (
    LOCK_FILE,
    Owner,
    is_locked,
    open_regular,
    read_small,
    take_lock,
    write_atomic,
    write_owner,
)

HOLD = """
import os, sys, time
from pathlib import Path
from alexnet_tui.files import take_lock, write_owner
write_owner(take_lock(Path(sys.argv[1])), os.getpid(), 1.0)
print("held", flush=True)
time.sleep(60)
"""


def wait_until(condition: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def test_a_lock_is_for_one(tmp_path: Path) -> None:
    assert not is_locked(tmp_path / LOCK_FILE)
    lock = take_lock(tmp_path)
    assert is_locked(tmp_path / LOCK_FILE)
    with pytest.raises(RunBusyError, match="by an unknown process") as caught:
        take_lock(tmp_path, patience_seconds=0.02)
    assert int(caught.value.exit_code) == 75
    os.close(lock)
    assert not is_locked(tmp_path / LOCK_FILE)
    os.close(take_lock(tmp_path, patience_seconds=0))


def test_a_killed_holder_holds_nothing(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        assert is_locked(tmp_path / LOCK_FILE)
        with pytest.raises(RunBusyError, match=f"already being trained by process {holder.pid} on "):
            take_lock(tmp_path, patience_seconds=0)
        holder.send_signal(signal.SIGKILL)
        holder.wait(10)
    assert not is_locked(tmp_path / LOCK_FILE)
    os.close(take_lock(tmp_path, patience_seconds=0))


def test_a_child_inherits_the_lock(tmp_path: Path) -> None:
    lock = take_lock(tmp_path)
    assert not os.get_inheritable(lock)  # Only a child that is handed it.
    with subprocess.Popen(["sleep", "60"], pass_fds=[lock]) as child:
        try:
            os.close(lock)
            assert is_locked(tmp_path / LOCK_FILE)
        finally:
            child.kill()
    assert not is_locked(tmp_path / LOCK_FILE)


def test_those_who_look_never_make_a_starter_fail(tmp_path: Path) -> None:
    (tmp_path / LOCK_FILE).touch()
    done, looks = threading.Event(), [0, 0]

    def look(index: int) -> None:
        while not done.is_set():
            is_locked(tmp_path / LOCK_FILE)
            looks[index] += 1

    threads = [threading.Thread(target=look, args=(index,)) for index in (0, 1)]
    for thread in threads:
        thread.start()
    try:
        wait_until(lambda: min(looks) > 0)
        for _ in range(200):
            os.close(take_lock(tmp_path))
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert sum(looks) >= 200


def test_the_owner_can_be_read_and_replaced_by_a_shorter_one(tmp_path: Path) -> None:
    lock = take_lock(tmp_path)
    for pid, start_seconds in ((123_456_789, 1_700_000_000.25), (7, 1.0)):
        write_owner(lock, pid, start_seconds)
        owner = msgspec.json.decode((tmp_path / LOCK_FILE).read_bytes(), type=Owner)
        assert (owner.pid, owner.start_seconds) == (pid, start_seconds)
    os.close(lock)


@pytest.mark.parametrize("make", [lambda path: path.symlink_to("/etc/passwd"), os.mkfifo, os.mkdir])
def test_only_a_regular_file_is_read_or_locked(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / LOCK_FILE)
    for act in (read_small, is_locked, open_regular):
        with pytest.raises(StoreError):
            act(tmp_path / LOCK_FILE)
    with pytest.raises(StoreError, match="cannot be locked"):
        take_lock(tmp_path)


def test_devices_are_not_read() -> None:
    with pytest.raises(StoreError, match="not a regular file"):
        read_small(Path("/dev/zero"))


def test_a_small_file_has_a_bound(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    assert read_small(path) is None
    path.write_bytes(b"x" * (1 << 20))
    assert read_small(path) == b"x" * (1 << 20)
    path.write_bytes(b"x" * ((1 << 20) + 1))
    with pytest.raises(StoreError, match="too large"):
        read_small(path)


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    (tmp_path / "small").write_bytes(b"{}")
    os.mkfifo(tmp_path / "pipe")
    lock = take_lock(tmp_path)
    before = sorted(os.listdir("/dev/fd"))
    for _ in range(20):
        read_small(tmp_path / "small")
        is_locked(tmp_path / LOCK_FILE)
        with pytest.raises(StoreError):
            read_small(tmp_path / "pipe")
        with pytest.raises(RunBusyError):
            take_lock(tmp_path, patience_seconds=0)
        write_atomic(tmp_path / "small", b"{}")
    assert sorted(os.listdir("/dev/fd")) == before
    os.close(lock)


def test_a_file_is_replaced_whole_whoever_writes_at_once(tmp_path: Path) -> None:
    path = tmp_path / "notes.json"
    write_atomic(path, b"0" * 5000)
    contents = {bytes([digit]) * 5000 for digit in b"0123"}
    failures: list[BaseException] = []

    def write(digit: int) -> None:
        try:
            for _ in range(25):
                write_atomic(path, bytes([digit]) * 5000)
        except OSError as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(digit,)) for digit in b"123"]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        assert path.read_bytes() in contents
    assert failures == []
    assert os.listdir(tmp_path) == ["notes.json"]


def test_a_link_is_replaced_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_text("mine")
    (tmp_path / "notes.json").symlink_to(target)
    # The name an earlier version wrote to first; a stranger could foresee it.
    (tmp_path / f".notes.json.{os.getpid()}.tmp").symlink_to(target)
    write_atomic(tmp_path / "notes.json", b"{}")
    assert target.read_text() == "mine"
    assert not (tmp_path / "notes.json").is_symlink()
    assert (tmp_path / "notes.json").read_bytes() == b"{}"


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()  # A file cannot replace a folder.
    with pytest.raises(OSError, match="directory"):
        write_atomic(tmp_path / "target", b"{}")
    assert os.listdir(tmp_path) == ["target"]
