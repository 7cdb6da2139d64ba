"""Writes that are whole, and reads that follow no link."""

import os
import stat
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from alexnet_tui.errors import RunBusyError, StoreError
from alexnet_tui.files import open_regular, read_small, write_atomic
from alexnet_tui.folder import Folder
from alexnet_tui.locks import LOCK_FILE, is_locked, take_lock


def hard_link(path: Path) -> None:
    (path.parent / "precious").write_text("mine")
    os.link(path.parent / "precious", path)


HOSTILE: list[Callable[[Path], None]] = [
    lambda path: path.symlink_to("/etc/passwd"),
    lambda path: path.symlink_to(path),
    lambda path: path.symlink_to("/dev/zero"),
    os.mkfifo,
    os.mkdir,
    hard_link,
]
if sys.platform == "linux":  # Elsewhere only root may.
    HOSTILE.append(lambda path: os.mknod(path, stat.S_IFSOCK | 0o600))


@pytest.mark.parametrize("make", HOSTILE)
def test_attack_10_only_a_regular_file_is_read_or_locked(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / LOCK_FILE)
    for act in (read_small, is_locked, open_regular):
        with pytest.raises(StoreError):
            act(tmp_path / LOCK_FILE)
    with pytest.raises(StoreError, match="left alone|not followed"):
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


def test_attack_10_a_link_is_replaced_not_followed(tmp_path: Path) -> None:
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


# --- a folder of somebody else's


@pytest.mark.parametrize("make", HOSTILE)
def test_attack_10_only_regular_files_with_one_name_are_opened_in_a_folder(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    make(tmp_path / "file")
    before = sorted(os.listdir(tmp_path))
    with Folder(tmp_path) as folder:
        for act in (folder.open, folder.read, folder.append):
            with pytest.raises((StoreError, IsADirectoryError)):
                act("file")
        with pytest.raises(FileExistsError):
            folder.create("file")
        assert sorted(os.listdir(tmp_path)) == before
        if make is not os.mkdir:
            folder.write("file", b"new")  # The link or the second name goes; what it led to stays.
            assert folder.read("file") == b"new"
    if make is hard_link:
        assert (tmp_path / "precious").read_text() == "mine"


def test_attack_10_a_link_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "thesis").write_text("mine")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "checkpoints").symlink_to(tmp_path / "outside")
    (tmp_path / "linked-run").symlink_to(tmp_path / "run")
    for find in (Folder, Folder.find):
        with pytest.raises(StoreError, match="link"):
            find(tmp_path / "linked-run")
    with Folder(tmp_path / "run") as run:
        for act in (run.folder, run.make_folder):
            with pytest.raises(StoreError, match="link"):
                act("checkpoints")
        assert run.folders() == []
        run.remove("checkpoints")
        assert run.names() == []
    assert (tmp_path / "outside" / "thesis").read_text() == "mine"


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "/etc/passwd", "a\0b"])
def test_attack_11_a_name_is_one_component(tmp_path: Path, name: str) -> None:
    with Folder(tmp_path) as folder:
        acts: list[Callable[[str], object]] = [folder.read, folder.folder, folder.make_folder, folder.append]
        acts += [folder.create, folder.remove, folder.exists, lambda name: folder.write(name, b"")]
        acts += [lambda name: folder.rename("x", name)]
        for act in acts:
            with pytest.raises(StoreError, match="no name of a file"):
                act(name)


def test_fault_29_a_folder_that_moves_is_followed_by_its_descriptor(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    with Folder(tmp_path / "run") as run:
        assert run.is_in_place()
        assert run.current_path() == tmp_path / "run"
        (tmp_path / "run").rename(tmp_path / "moved")
        (tmp_path / "run").mkdir()  # Another folder under the old name is not the same folder.
        assert not run.is_in_place()
        assert run.current_path() == tmp_path / "moved"
        run.write("events", b"1")
        run.make_folder("checkpoints").close()
        assert sorted(os.listdir(tmp_path / "moved")) == ["checkpoints", "events"]
        assert os.listdir(tmp_path / "run") == []
        run.remove("checkpoints")
        run.remove("events")
        (tmp_path / "moved").rmdir()
        assert (run.is_in_place(), run.current_path()) == (False, None)
        with pytest.raises(FileNotFoundError):
            run.write("events", b"1")


def test_a_folder_reads_makes_replaces_and_removes(tmp_path: Path) -> None:
    with Folder(tmp_path) as folder:
        assert (folder.read("x"), folder.open("x"), folder.folder("x"), folder.stat("x")) == (None, None, None, None)
        with folder.make_folder("deep") as deep:
            os.close(deep.create("new"))
            descriptor = deep.append("log")
            for line in (b"one\n", b"two\n"):
                os.write(descriptor, line)
            os.close(descriptor)
            assert deep.read("log") == b"one\ntwo\n"
            with pytest.raises(StoreError, match="too large"):
                deep.read("log", limit_bytes=7)
            deep.rename("log", "log", folder)
            assert deep.names() == ["new"]
        assert folder.names() == ["deep", "log"]
        assert folder.folders() == ["deep"]
        folder.remove("deep")
        folder.remove("deep")
        assert folder.names() == ["log"]
    assert Folder.find(tmp_path / "nowhere") is None
    with pytest.raises(StoreError, match="no such folder"):
        Folder(tmp_path / "nowhere")


def test_attack_17_what_is_made_in_a_folder_is_private(tmp_path: Path) -> None:
    with Folder(tmp_path) as folder:
        folder.make_folder("made").close()
        folder.write("written", b"")
        os.close(folder.append("appended"))
        os.close(folder.create("created"))
        for name in folder.names():
            assert os.stat(tmp_path / name).st_mode & 0o077 == 0
