"""What of a source is no image of the data set, counted by reason with the first names.

The counts are part of a data set's record, so that nothing is dropped without a trace.
"""

from collections.abc import Sequence
from enum import StrEnum

import msgspec

from alexnet_tui.text import printable

_NAMED = 5
_NAMED_IN_A_SENTENCE = 3
# Written by programs beside the files they look after. Folders of these names hold no classes, files no images.
_SYSTEM_NAMES = frozenset(
    {
        "__macosx",
        "@eadir",
        "#recycle",
        "lost+found",
        "$recycle.bin",
        "system volume information",
        "thumbs.db",
        "desktop.ini",
    }
)


class Reason(StrEnum):
    """Why an entry of a source was left out; the values are those of the record."""

    HIDDEN = "hidden"
    FORMAT = "format"
    DEEPER = "deeper"
    OUTSIDE = "outside"
    SPLIT = "split"
    LINK_OUTSIDE = "link_outside"
    LINK_BROKEN = "link_broken"
    SPECIAL = "special"
    UNSAFE_NAME = "unsafe_name"
    UNREADABLE = "unreadable"


_NOUNS = {
    Reason.HIDDEN: ("hidden or system entry", "hidden or system entries"),
    Reason.FORMAT: ("file of another format", "files of other formats"),
    Reason.DEEPER: ("folder below a class", "folders below a class"),
    Reason.OUTSIDE: (
        "entry outside the classes of train, test and val",
        "entries outside the classes of train, test and val",
    ),
    Reason.SPLIT: ("image of val, as there is a test", "images of val, as there is a test"),
    Reason.LINK_OUTSIDE: ("link out of the source, not followed", "links out of the source, not followed"),
    Reason.LINK_BROKEN: ("link that leads to no image", "links that lead to no image"),
    Reason.SPECIAL: ("device, pipe or socket", "devices, pipes or sockets"),
    Reason.UNSAFE_NAME: ("name that leads out of the archive", "names that lead out of the archive"),
    Reason.UNREADABLE: ("unreadable image", "unreadable images"),
}


class LeftOut(msgspec.Struct, frozen=True, kw_only=True):
    """Entries left out for one reason.

    Attributes:
        reason: One of `Reason`, or what a newer version wrote.
        count: How many entries; a folder left out as a whole is one.
        names: The first of them, safe to print; a folder's ends in a slash.
    """

    reason: str
    count: int
    names: list[str] = []

    def __str__(self) -> str:
        """For people: ``2 files of other formats (train/cat/a.gif, train/cat/b.txt)``."""
        try:
            nouns = _NOUNS[Reason(self.reason)]
        except ValueError:
            nouns = ("entry", "entries")
        return f"{self.count:,} {nouns[self.count != 1]}{named(self.names, self.count)}"


class LeftOutCounter:
    """Collects what is left out while a source is read; a folder counts once, whatever is in it."""

    def __init__(self) -> None:
        self._counts: dict[Reason, int] = {}
        self._names: dict[Reason, list[str]] = {}
        self._folders: set[tuple[str, ...]] = set()

    def add(self, reason: Reason, parts: Sequence[str], is_folder: bool = False) -> None:
        """Count an entry, given by the parts of its path inside the source."""
        if is_folder:
            if tuple(parts) in self._folders:
                return
            self._folders.add(tuple(parts))
        self.add_name(reason, "/".join(parts) + ("/" if is_folder else ""))

    def add_name(self, reason: Reason, name: str) -> None:
        """Count an entry by its name."""
        self._counts[reason] = self._counts.get(reason, 0) + 1
        names = self._names.setdefault(reason, [])
        if len(names) < _NAMED:
            names.append(printable(name, 200))

    def result(self) -> list[LeftOut]:
        """What was left out, in the order of `Reason`."""
        return [
            LeftOut(reason=reason, count=self._counts[reason], names=self._names[reason])
            for reason in Reason
            if reason in self._counts
        ]


def is_hidden(name: str) -> bool:
    """Whether a file or folder is none of the user's: hidden, or made by a system or a notebook."""
    return name.startswith(".") or name.lower() in _SYSTEM_NAMES


def named(names: Sequence[str], count: int) -> str:
    """The first names in brackets, or nothing: `` (a.gif, b.txt, ...)``."""
    if not names:
        return ""
    shown = names[:_NAMED_IN_A_SENTENCE]
    return f" ({', '.join(shown)}{', ...' if count > len(shown) else ''})"


def list_left_out(items: Sequence[LeftOut]) -> str:
    """All of it in one phrase; empty where nothing was left out."""
    return "; ".join(map(str, items))


def total(items: Sequence[LeftOut]) -> int:
    """How many entries were left out."""
    return sum(item.count for item in items)
