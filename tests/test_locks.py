"""Locks: one holder, released by its death, and who it is."""

import errno
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import msgspec
import pytest
from waiting import wait_for

from alexnet_tui.errors import RunBusyError, StoreError
from alexnet_tui.folder import Folder
from alexnet_tui.locks import (
    LOCK_FILE,
    Owner,
    is_locked,
    locked,
    locked_and_removed,
    locked_folder,
    take_lock,
    write_owner,
)

HOLD = """
import os, sys, time
from pathlib import Path
from alexnet_tui.locks import take_lock, write_owner
write_owner(take_lock(Path(sys.argv[1])), os.getpid(), 1.0)
print("held", flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize(("number", "is_advised"), [(errno.EROFS, True), (errno.EACCES, True), (errno.ENOSPC, False)])
def test_where_one_may_not_write_a_lock_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, is_advised: bool
) -> None:
    def refuse(*_: object, **__: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(StoreError, match="the lock cannot be taken") as caught:
        take_lock(tmp_path)
    assert ("use a copy of the folder" in str(caught.value)) == is_advised


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


def test_fault_13_a_killed_holder_holds_nothing(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        assert is_locked(tmp_path / LOCK_FILE)
        with pytest.raises(RunBusyError, match=f"already being trained by process {holder.pid} on "):
            take_lock(tmp_path, patience_seconds=0)
        holder.send_signal(signal.SIGKILL)
        holder.wait(60)
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
        taken = 0
        while taken < 200 or min(looks) < 100:
            os.close(take_lock(tmp_path))
            taken += 1
    finally:
        done.set()
        for thread in threads:
            thread.join()


def test_the_owner_can_be_read_and_replaced_by_a_shorter_one(tmp_path: Path) -> None:
    lock = take_lock(tmp_path)
    for pid, start_seconds in ((123_456_789, 1_700_000_000.25), (7, 1.0)):
        write_owner(lock, pid, start_seconds)
        owner = msgspec.json.decode((tmp_path / LOCK_FILE).read_bytes(), type=Owner)
        assert (owner.pid, owner.start_seconds) == (pid, start_seconds)
    os.close(lock)


def test_a_block_holds_its_lock(tmp_path: Path) -> None:
    path, turns = tmp_path / ".turn", list[int]()

    def take_turn() -> None:
        with locked(path):
            turns.append(2)

    with locked(path):
        assert is_locked(path)
        with pytest.raises(RunBusyError, match="held by an unknown process"), locked(path, wait_seconds=0):
            pass
        holder = threading.Thread(target=take_turn)
        holder.start()
        turns.append(1)
    holder.join(60)
    assert turns == [1, 2]
    assert not is_locked(path)


def test_a_folder_is_a_lock_too(tmp_path: Path) -> None:
    with Folder(tmp_path) as one, Folder(tmp_path) as other:
        with locked_folder(one), pytest.raises(RunBusyError), locked_folder(other, wait_seconds=0):
            pass
        with locked_folder(other, wait_seconds=0):
            pass


def test_a_lock_file_that_goes_with_its_lock_is_for_one_too(tmp_path: Path) -> None:
    path, waits, at_work, most = tmp_path / "lock", [], [], []
    with locked_and_removed(path):

        def take_turn() -> None:
            with locked_and_removed(path, on_wait=lambda: waits.append(1)):
                at_work.append(1)
                most.append(len(at_work) if path.exists() else 0)
                at_work.pop()

        threads = [threading.Thread(target=take_turn) for _ in range(4)]
        for thread in threads:
            thread.start()
        wait_for(lambda: len(waits) == 4)
        assert not most
    for thread in threads:
        thread.join(60)
    assert most == [1, 1, 1, 1]
    assert not path.exists()


def test_a_child_keeps_the_lock_that_it_inherits(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with locked_and_removed(path) as kept:
        child = subprocess.Popen(["sleep", "60"], pass_fds=kept)
        (tmp_path / "kept").hardlink_to(path)  # To look at it when the file itself is removed.
    try:
        assert is_locked(tmp_path / "kept")
    finally:
        child.kill()
        child.wait()
    assert not is_locked(tmp_path / "kept")
