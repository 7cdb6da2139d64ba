"""What the console remembers, and what it does when that is damaged."""

import json
import os
from pathlib import Path

import pytest

from alexnet_tui.runs.store import Store
from alexnet_tui.tui.screens.report import source as report_source
from alexnet_tui.tui.session import Session
from alexnet_tui.tui.settings import (
    FolderSettings,
    Settings,
    SettingsWriter,
    change_settings,
    load_settings,
    settings_path,
)
from alexnet_tui.tui.threads import SerialExecutor


def test_what_is_changed_comes_back(tmp_path: Path) -> None:
    def change(settings: Settings) -> None:
        settings.theme, settings.preview = "alexnet-light", "no"
        folder = settings.folder(tmp_path)
        folder.filter, folder.sort, folder.is_descending = "is:running", "best", False
        folder.marked, folder.pinned, folder.is_grouped = ["a", "b"], "a", True

    expected = Settings()
    change(expected)
    change_settings(change)
    assert load_settings() == expected
    assert load_settings().folder(tmp_path) == expected.folder(tmp_path)


def test_two_consoles_keep_what_the_other_one_wrote(store: Store, tmp_path: Path) -> None:
    first, second = Session(store), Session(store)
    elsewhere = Session(Store(tmp_path / "elsewhere"))
    elsewhere.toggle_marks(["x"])
    first.toggle_marks(["a", "b"])
    first.close()
    second.toggle_marks(["c"])
    second.toggle_pin(["c"])
    second.close()
    first.toggle_marks(["b"])
    first.change_settings(theme="alexnet-light")
    for session in (first, second, elsewhere):
        session.close()
    settings = load_settings()
    assert settings.folder(store.root).marked == ["a", "c"]
    assert settings.folder(store.root).pinned == "c"
    assert settings.folder(tmp_path / "elsewhere").marked == ["x"]
    assert settings.theme == "alexnet-light"


def test_a_writer_writes_in_order_and_drops_what_cannot_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    executor = SerialExecutor("settings")
    writer = SettingsWriter(executor)
    for theme in ("a", "b", "c"):
        writer.submit(lambda settings, theme=theme: setattr(settings, "theme", settings.theme + theme))  # type: ignore[misc]
    executor.close(2.0)
    assert load_settings().theme == "abc"
    monkeypatch.setenv("XDG_STATE_HOME", "/dev/null/nowhere")
    writer.submit(lambda settings: setattr(settings, "theme", "d"))
    executor.close(2.0)
    monkeypatch.undo()


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


def test_a_damaged_file_is_kept_when_another_is_written() -> None:
    settings_path().parent.mkdir(parents=True)
    by_hand = '{"keymap": {"runs.stop": "s",}}'
    settings_path().write_text(by_hand)
    change_settings(lambda settings: setattr(settings, "theme", "alexnet-light"))
    assert load_settings().theme == "alexnet-light"
    assert settings_path().with_name("console.json.damaged-1").read_text() == by_hand


def test_unknown_fields_of_a_newer_version_do_no_harm_and_are_kept() -> None:
    settings_path().parent.mkdir(parents=True)
    settings_path().write_text('{"v": 2, "theme": "alexnet-light", "sound": true}')
    assert load_settings().theme == "alexnet-light"
    change_settings(lambda settings: setattr(settings, "preview", "no"))
    kept = json.loads(settings_path().read_text())
    assert (kept["sound"], kept["theme"], kept["preview"]) == (True, "alexnet-light", "no")


def test_no_file_means_the_defaults() -> None:
    assert load_settings() == Settings()


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "target").write_text('{"theme": "alexnet-light"}')
    settings_path().parent.mkdir(parents=True)
    settings_path().symlink_to(tmp_path / "target")
    assert load_settings() == Settings()


def test_writing_leaves_no_part_behind() -> None:
    for theme in ("alexnet-dark", "alexnet-light"):
        change_settings(lambda settings, theme=theme: setattr(settings, "theme", theme))  # type: ignore[misc]
    assert sorted(os.listdir(settings_path().parent)) == ["console.json", "console.lock"]


def test_what_is_chosen_in_a_folder_is_kept_also_after_the_current_folder_was_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    session = Session(Store(Path("runs")))
    here.rmdir()
    session.toggle_marks(["a"])
    session.change_folder(pinned="a")
    assert (session.folder.marked, session.folder.pinned) == (["a"], "a")
    session.close()
    assert load_settings().folder(here / "runs") == session.folder
    assert report_source.target("report.md") == Path("report.md"), "writing it says what is wrong"
