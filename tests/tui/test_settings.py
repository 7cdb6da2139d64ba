"""What the console remembers, and what it does when that is damaged."""

import os
from pathlib import Path

import pytest

from alexnet_tui.tui.settings import (
    FolderSettings,
    Settings,
    load_settings,
    save_settings,
    settings_path,
)


def test_what_is_saved_comes_back(tmp_path: Path) -> None:
    settings = Settings(theme="alexnet-light", preview="no")
    folder = settings.folder(tmp_path)
    folder.filter, folder.sort, folder.is_descending = "is:running", "best", False
    folder.marked, folder.pinned, folder.is_grouped = ["a", "b"], "a", True
    save_settings(settings)
    assert load_settings() == settings
    assert load_settings().folder(tmp_path) == folder


def test_each_folder_has_its_own(tmp_path: Path) -> None:
    settings = Settings()
    settings.folder(tmp_path / "a").filter = "tanh"
    assert settings.folder(tmp_path / "b") == FolderSettings()
    assert settings.folder(tmp_path / "a").filter == "tanh"


def test_only_the_folders_used_last_are_kept(tmp_path: Path) -> None:
    settings = Settings()
    for index in range(60):
        settings.folder(tmp_path / str(index)).filter = str(index)
    settings.folder(tmp_path / "10")
    assert len(settings.folders) == 50
    assert str(tmp_path / "9") not in settings.folders
    assert list(settings.folders)[-1] == str(tmp_path / "10")


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"theme": 3}', b'{"folders": {"/x": {"sort": null}}}', b"\xff\xfe", b"[" * 100_000]
)
def test_a_damaged_file_means_the_defaults(content: bytes) -> None:
    settings_path().parent.mkdir(parents=True)
    settings_path().write_bytes(content)
    assert load_settings() == Settings()


def test_unknown_fields_of_a_newer_version_do_no_harm() -> None:
    settings_path().parent.mkdir(parents=True)
    settings_path().write_text('{"v": 2, "theme": "alexnet-light", "sound": true}')
    assert load_settings().theme == "alexnet-light"


def test_no_file_means_the_defaults() -> None:
    assert load_settings() == Settings()


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "target").write_text('{"theme": "alexnet-light"}')
    settings_path().parent.mkdir(parents=True)
    settings_path().symlink_to(tmp_path / "target")
    assert load_settings() == Settings()


def test_saving_leaves_no_part_behind() -> None:
    save_settings(Settings(theme="alexnet-dark"))
    save_settings(Settings(theme="alexnet-light"))
    assert os.listdir(settings_path().parent) == ["console.json"]
