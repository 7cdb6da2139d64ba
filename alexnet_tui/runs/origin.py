"""Whether a run was made here, copied from another machine, or unpacked from an archive.

A run's record names the machine that made it, its lock file the machine that trained it last. Machines that share a
disk, as the nodes of a cluster do, see files that nobody copied; a copy is known by its record, which is written once:
the disk has it for longer or shorter than its time of creation says.
"""

import platform
from contextlib import suppress
from pathlib import Path

import msgspec

from alexnet_tui.errors import StoreError
from alexnet_tui.folder import Folder
from alexnet_tui.json_io import UNDECODABLE
from alexnet_tui.locks import LOCK_FILE, Owner, read_owner
from alexnet_tui.runs.events import Seconds
from alexnet_tui.runs.record import RunRecord
from alexnet_tui.runs.run_files import RECORD_FILE
from alexnet_tui.text import quoted

IMPORTED_FILE = "imported.json"
IMPORT_VERSION = 1
_COPIED_SECONDS = 600.0


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """``imported.json`` in the folder of a run or a study: it was unpacked from an archive.

    Attributes:
        v: Version of the format.
        source: Name of the archive.
        sha256: Its hash.
        imported: When, in seconds since 1970.
        id: The name that the run or study had in it.
        study: The study that the run's record named in it, where it does so no more.
        runs: Of a study: the names that its runs have in its ledger, to those they have here, where these differ.
    """

    v: int = IMPORT_VERSION
    source: str = ""
    sha256: str = ""
    imported: Seconds = 0.0
    id: str = ""
    study: str = ""
    runs: dict[str, str] = {}


def origin_text(directory: Path, record: RunRecord) -> str:
    """Why a run counts as somebody else's: a clause without a subject; empty for one that was made here."""
    if is_imported(directory):
        return f"was imported from {_import_source(directory)}"
    if record.host != platform.node() and is_copied(directory, record):
        return f"was made on {quoted(record.host, 80)} and copied here"
    return ""


def is_imported(directory: Path) -> bool:
    """Whether a run came out of an archive.

    Raises:
        StoreError: The run is gone, or its folder may not be opened.
    """
    with Folder(directory) as folder:
        return folder.exists(IMPORTED_FILE)


def is_copy(directory: Path, record: RunRecord) -> bool:
    """Whether a run without a last event and without a trainer is the copy of one that may be training elsewhere.

    Raises:
        StoreError: The run's lock file is no regular file.
    """
    owner = read_owner(directory / LOCK_FILE)
    return owner is not None and (is_running(owner) if owner.host == platform.node() else is_copied(directory, record))


def is_copied(directory: Path, record: RunRecord) -> bool:
    """Whether a run's directory was copied here: the disk has its record for longer or shorter than that says."""
    with Folder(directory) as folder:
        status = folder.stat(RECORD_FILE)
    return status is not None and abs(status.st_ctime - record.created) > _COPIED_SECONDS


def is_running(owner: Owner) -> bool:
    """Whether the process that took a lock on this host is still there."""
    import psutil  # Hardly any run is lost.

    with suppress(psutil.Error, ValueError, OverflowError):
        process = psutil.Process(owner.pid)
        if process.status() == psutil.STATUS_ZOMBIE:  # It has ended; its parent has not asked yet how.
            return False
        return owner.has_started_at(process.create_time())
    return False


def read_imported(folder: Folder) -> Imported | None:
    """What a run's or a study's folder says of its import; a damaged mark only shows that there was one.

    Raises:
        StoreError: The mark is no regular file.
    """
    content = folder.read(IMPORTED_FILE)
    if content is None:
        return None
    try:
        return msgspec.json.decode(content, type=Imported)
    except UNDECODABLE:
        return Imported()


def _import_source(directory: Path) -> str:
    """What an imported run was unpacked from; a damaged mark only shows that there was something."""
    with suppress(StoreError), Folder(directory) as folder:
        if (found := read_imported(folder)) is not None and found.source:
            return quoted(found.source, 200)
    return "an archive"
