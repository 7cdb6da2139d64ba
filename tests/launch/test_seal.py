"""Seals: whose they are, and where their key is kept."""

import os
import stat
import tempfile
from pathlib import Path

import pytest

from alexnet_tui.launch import seal as seals
from alexnet_tui.launch.seal import is_sealed, seal
from alexnet_tui.locks import locked


def test_a_seal_is_of_one_name_one_content_and_one_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "mine"))
    mine = seal("run", ["a", "b"])
    assert is_sealed(mine, "run", ["a", "b"])
    assert not any((is_sealed(mine, "other", ["a", "b"]), is_sealed(mine, "run", ["ab"]), is_sealed("", "run", [])))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "theirs"))
    assert not is_sealed(mine, "run", ["a", "b"])


def test_without_a_home_the_key_is_in_a_private_folder_of_this_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a worker in the background could not tell the order of the command that started it from a stranger's."""
    monkeypatch.setenv("XDG_STATE_HOME", os.devnull + "/state")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert is_sealed(seal("run", "a"), "run", "a")
    (key,) = tmp_path.glob("*/seal.key")
    assert [stat.S_IMODE(path.stat().st_mode) for path in (key.parent, key)] == [0o700, 0o600]
    key.write_bytes(bytes(32))
    before = seal("run", "a")
    key.unlink()
    assert seal("run", "a") != before


def test_a_busy_lock_makes_a_seal_of_this_process_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(seals, "_LOCK_SECONDS", 0.0)
    folder = tmp_path / "state" / "alexnet-tui"
    folder.mkdir(parents=True)
    with locked(folder / "seal.lock"):
        made_meanwhile = seal("run", "a")
        assert is_sealed(made_meanwhile, "run", "a")
        assert not list(tmp_path.rglob("seal.key"))
    assert not is_sealed(made_meanwhile, "run", "a")
    assert list(tmp_path.rglob("seal.key")) == [folder / "seal.key"]


def test_a_key_that_cannot_be_read_for_a_moment_is_the_one_that_was_read_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a worker would take its own orders for a stranger's, and end."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "other"))
    (tmp_path / "other").mkdir()
    before, key = seal("run", "a"), tmp_path / "state" / "alexnet-tui" / "seal.key"
    for hidden in (key, tmp_path / "state"):
        hidden.rename(tmp_path / "aside")
        hidden.symlink_to(tmp_path / "aside") if hidden == key else hidden.touch()
        assert is_sealed(before, "run", "a")
        hidden.unlink()
        (tmp_path / "aside").rename(hidden)
    assert seal("run", "a") == before
    assert not list((tmp_path / "other").rglob("seal.key"))
