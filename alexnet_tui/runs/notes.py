"""``notes.json``: what people say about a run, changed by several viewers at once without loss.

Every change is made to what is on disk at that moment, under the run folder's lock. Fields of newer programs survive a
change; a file that cannot be read, or is of a newer format, is renamed before a new one is written.
"""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from alexnet_tui.errors import StoreError
from alexnet_tui.files import reason_of
from alexnet_tui.folder import Folder
from alexnet_tui.json_io import UNDECODABLE, json_bytes
from alexnet_tui.locks import locked_folder

NOTES_FILE = "notes.json"
NOTES_VERSION = 1
_MAX_BYTES = 1 << 20
_LOCK_SECONDS = 10.0


class Notes(msgspec.Struct, frozen=True, kw_only=True):
    """What people say about a run; `label` overrides the record's."""

    label: str = ""
    tags: list[str] = []
    note: str = ""


class NotesConflictError(StoreError):
    """Somebody else changed the same field since it was shown.

    Attributes:
        fields: The fields in question.
        current: The notes as they are on disk.
    """

    def __init__(self, folder: Folder, fields: Sequence[str], current: Notes) -> None:
        self.fields, self.current = tuple(fields), current
        super().__init__(folder.path / NOTES_FILE, f"somebody else changed the {' and the '.join(fields)} meanwhile.")


def read_notes(folder: Folder) -> Notes:
    """The notes in a run's folder; damaged ones count as none."""
    return _load(folder)[0]


def notes_problem(folder: Folder) -> str:
    """A sentence if the notes are damaged or of a newer program; else nothing."""
    match _load(folder)[2]:
        case "damaged":
            return f"{NOTES_FILE} cannot be read; the next change keeps it under another name."
        case "newer":
            return f"a newer alexnet-tui wrote {NOTES_FILE}; the next change keeps it under another name."
    return ""


def change_notes(folder: Folder, change: Callable[[Notes], Notes]) -> Notes:
    """Change the notes as they are on disk now, one viewer after the other; the new notes.

    Raises:
        StoreError: They cannot be written, or are too long.
    """
    try:
        with locked_folder(folder, wait_seconds=_LOCK_SECONDS):
            notes, fields, unusable = _load(folder)
            changed = change(notes)
            if changed != notes:
                folder.sweep(NOTES_FILE)
                try:
                    content = json_bytes({**fields, **msgspec.to_builtins(changed)})
                except RecursionError:  # Of a field that no program of ours wrote.
                    content, unusable = json_bytes(changed), "damaged"
                if len(content) > _MAX_BYTES:
                    raise StoreError(folder.path / NOTES_FILE, "the notes are too long to be saved.")
                if unusable:
                    folder.set_aside(NOTES_FILE, f"notes.{unusable}-{{}}.json")
                folder.write(NOTES_FILE, content)
            return changed
    except OSError as error:
        raise StoreError(folder.path / NOTES_FILE, f"the notes cannot be saved ({reason_of(error)}).") from error


def edit_notes(folder: Folder, seen: Notes, wanted: Notes) -> Notes:
    """Save what a person made of the notes that were shown, unless somebody else changed the same text meanwhile.

    Tags are merged: those added and removed here, on top of what others did. To overwrite after a conflict, call it
    again with the error's `current` as `seen`; to keep both texts, put them into `wanted` as well.

    Args:
        seen: The notes as they were shown when the person began.
        wanted: The same with the person's changes.

    Returns:
        The notes as they are on disk now.

    Raises:
        NotesConflictError: A text field was changed here and, to something else, by somebody else.
        StoreError: The notes cannot be written.
    """

    def merge(current: Notes) -> Notes:
        fields = [
            name
            for name in ("label", "note")
            if getattr(seen, name) != getattr(wanted, name)
            and getattr(current, name) not in (getattr(seen, name), getattr(wanted, name))
        ]
        if fields:
            raise NotesConflictError(folder, fields, current)
        changes = {
            name: getattr(wanted, name) for name in ("label", "note") if getattr(seen, name) != getattr(wanted, name)
        }
        kept = [tag for tag in current.tags if tag in wanted.tags or tag not in seen.tags]
        added = [tag for tag in wanted.tags if tag not in seen.tags and tag not in kept]
        return msgspec.structs.replace(current, tags=kept + added, **changes)

    return change_notes(folder, merge)


def _load(folder: Folder) -> tuple[Notes, dict[str, Any], str]:
    """The notes, every field of the file, and in a word why the file must not be overwritten, or ""."""
    try:
        content = folder.read(NOTES_FILE, _MAX_BYTES)
        if content is None:
            return Notes(), {}, ""
        fields = msgspec.json.decode(content, type=dict[str, Any])
        version = fields.get("v", NOTES_VERSION)
        notes = msgspec.convert(fields, Notes)
    except (*UNDECODABLE, StoreError):
        return Notes(), {}, "damaged"
    is_newer = isinstance(version, int) and version > NOTES_VERSION
    return notes, {} if is_newer else fields, "newer" if is_newer else ""
