"""What the console remembers between sessions; a damaged or missing file means the defaults.

Filter, sort order, marks and pin belong to a runs folder; theme and layout to the person.
"""

from pathlib import Path

import msgspec

from alexnet_tui.errors import HomeError, StoreError
from alexnet_tui.files import read_small, write_atomic
from alexnet_tui.paths import state_dir

_MAX_FOLDERS = 50


class FolderSettings(msgspec.Struct, kw_only=True):
    """How one runs folder is looked at.

    Attributes:
        filter: Text of the filter line.
        sort: Key of the column rows are sorted by.
        is_descending: Largest first.
        is_grouped: Runs that differ only in their seed are one row.
        marked: Ids of marked runs.
        pinned: Id of the run all others are compared to, or empty.
    """

    filter: str = ""
    sort: str = "created"
    is_descending: bool = True
    is_grouped: bool = False
    marked: list[str] = []
    pinned: str = ""


class Settings(msgspec.Struct, kw_only=True):
    """``console.json``.

    Attributes:
        v: Version of the format.
        theme: Name of the theme, or empty for the default.
        preview: Whether the preview pane is shown: yes, no, or auto for where there is room.
        folders: Absolute path of a runs folder to how it is looked at.
    """

    v: int = 1
    theme: str = ""
    preview: str = "auto"
    folders: dict[str, FolderSettings] = {}

    def folder(self, root: Path) -> FolderSettings:
        """The settings of one runs folder; the folder used last stands last."""
        key = str(root.absolute())
        settings = self.folders.pop(key, None) or FolderSettings()
        self.folders[key] = settings
        while len(self.folders) > _MAX_FOLDERS:
            self.folders.pop(next(iter(self.folders)))
        return settings


def settings_path() -> Path:
    """The file of the settings."""
    return state_dir() / "console.json"


def load_settings(path: Path | None = None) -> Settings:
    """The settings of the last session; the defaults if there are none that can be read."""
    try:
        content = read_small(path or settings_path())
        return msgspec.json.decode(content, type=Settings) if content else Settings()
    except (HomeError, StoreError, OSError, msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return Settings()


def save_settings(settings: Settings, path: Path | None = None) -> None:
    """Remember the settings.

    Raises:
        HomeError: Nothing says where the user's files are.
        OSError: The folder cannot be written.
    """
    target = path or settings_path()
    target.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(target, msgspec.json.encode(settings))
