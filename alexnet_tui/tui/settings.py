"""What the console remembers between sessions; a damaged or missing file means the defaults, and is kept.

Filter, sort order, marks and pin belong to a runs folder; theme and layout to the person. Several consoles may be
open: each writes only what was changed in it, into what the others have written.
"""

import contextlib
import queue
from collections.abc import Callable
from pathlib import Path

import msgspec

from alexnet_tui.errors import AlexnetTuiError, HomeError, StoreError
from alexnet_tui.files import read_small, write_atomic
from alexnet_tui.folder import Folder
from alexnet_tui.json_io import UNDECODABLE, json_bytes
from alexnet_tui.locks import locked
from alexnet_tui.paths import absolute, state_dir
from alexnet_tui.tui.threads import SerialExecutor

_MAX_FOLDERS = 50
_LOCK_SECONDS = 5.0


class FolderSettings(msgspec.Struct, kw_only=True):
    """How one runs folder is looked at.

    Attributes:
        filter: Text of the filter line.
        sort: Key of the column rows are sorted by.
        is_descending: Largest first.
        is_grouped: The runs of one experiment, which differ in their seed, are one row.
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
        new_run: Hyperparameters of the run that was started last from the form, to their texts; without the defaults.
        keymap: Id of a binding, such as ``runs.stop``, to the keys a person wants for it, with commas between.
        folders: Absolute path of a runs folder to how it is looked at.
    """

    v: int = 1
    theme: str = ""
    preview: str = "auto"
    new_run: dict[str, str] = {}
    keymap: dict[str, str] = {}
    folders: dict[str, FolderSettings] = {}

    def folder(self, root: Path) -> FolderSettings:
        """The settings of one runs folder, which becomes the last: the one used most recently."""
        key = str(absolute(root))
        settings = self.folders.pop(key, None) or FolderSettings()
        self.folders[key] = settings
        while len(self.folders) > _MAX_FOLDERS:
            self.folders.pop(next(iter(self.folders)))
        return settings


def settings_path() -> Path:
    """The file of the settings."""
    return state_dir() / "console.json"


def load_settings() -> Settings:
    """The settings of the last session; the defaults if there are none that can be read."""
    try:
        content = read_small(settings_path())
        return msgspec.json.decode(content, type=Settings) if content else Settings()
    except (HomeError, StoreError, OSError, *UNDECODABLE):
        return Settings()


def change_settings(change: Callable[[Settings], object]) -> None:
    """Change the settings as they are on disk now, one console after the other.

    Raises:
        HomeError: Nothing says where the user's files are.
        OSError: The folder cannot be written.
        StoreError: The lock cannot be taken.
    """
    target = settings_path()
    target.parent.mkdir(parents=True, exist_ok=True)
    with locked(target.with_suffix(".lock"), wait_seconds=_LOCK_SECONDS):
        settings, unknown = load_settings(), _unknown_fields(target)
        change(settings)
        write_atomic(target, json_bytes({**unknown, **msgspec.to_builtins(settings)}))


def _unknown_fields(path: Path) -> dict[str, object]:
    """What the file holds that this version does not know; a file that cannot be read is set aside first.

    People edit it by hand: a comma too many must not cost them their keys.
    """
    try:
        content = read_small(path) or b"{}"
        msgspec.json.decode(content, type=Settings)
        return msgspec.json.decode(content, type=dict[str, object])
    except StoreError:  # A link, or no file: it is replaced.
        return {}
    except UNDECODABLE:
        with Folder(path.parent) as folder:
            folder.set_aside(path.name, f"{path.name}.damaged-{{}}")
        return {}


class SettingsWriter:
    """Writes changes of the settings in an executor; those made while one is being written are written together.

    Changes that cannot be written are dropped: a full disk must not end the console.

    Args:
        executor: Where files are written.
    """

    def __init__(self, executor: SerialExecutor) -> None:
        self._executor = executor
        self._changes: queue.SimpleQueue[Callable[[Settings], object]] = queue.SimpleQueue()

    def submit(self, change: Callable[[Settings], object]) -> None:
        """Have a change written soon."""
        self._changes.put(change)
        self._executor.submit(self._write)

    def _write(self) -> None:
        changes = [self._changes.get_nowait() for _ in range(self._changes.qsize())]
        if changes:
            with contextlib.suppress(OSError, AlexnetTuiError):
                change_settings(lambda settings: [change(settings) for change in changes])
