"""Whether a run that another user made, or that came from elsewhere, may be trained: only after this user said so."""

import contextlib
import os
from collections.abc import Sequence

import msgspec

from alexnet_tui.command_lines import shell_command
from alexnet_tui.errors import StoreError, UntrustedRunError
from alexnet_tui.files import sha256_of
from alexnet_tui.folder import Folder
from alexnet_tui.json_io import UNDECODABLE
from alexnet_tui.launch.engine import StartOptions
from alexnet_tui.launch.seal import is_sealed, seal
from alexnet_tui.runs.origin import origin_text
from alexnet_tui.runs.run_files import CHECKPOINTS, RECORD_FILE
from alexnet_tui.runs.store import Store
from alexnet_tui.text import printable

TRUST_FILE = "trusted.json"
"""Holds this user's seal on a run from elsewhere that is trained all the same, as long as it is that very folder."""


def check_trust(store: Store, run_id: str, *, command: Sequence[str] = ()) -> None:
    """Refuse a run of which anything the trainer reads belongs to another user, root aside, or came from elsewhere.

    What came from elsewhere is trusted once this user said so.

    Args:
        command: The words of the command that was to train it; by default one that goes on with it.

    Raises:
        UntrustedRunError: The message has the command that trains it all the same.
    """
    with store.folder(run_id) as folder:
        owners = {os.fstat(folder.fileno()).st_uid}
        owners |= {status.st_uid for name in folder.names() if (status := folder.stat(name))}
        with contextlib.suppress(StoreError):  # What is no folder, the trainer refuses itself.
            checkpoints = folder.folder(CHECKPOINTS)
            if checkpoints is not None:
                with checkpoints:
                    owners |= {status.st_uid for name in checkpoints.names() if (status := checkpoints.stat(name))}
        strangers = owners - {os.geteuid(), 0}
        if strangers:
            strangers.discard(_owner_of_new_files(folder))
    if strangers:
        names = ", ".join(_user_name(uid) for uid in sorted(strangers))
        origin = f"was made or changed by another user ({names})"
    else:
        origin = origin_text(store.path(run_id), store.record(run_id))
        if origin and _is_noted_as_trusted(store, run_id):
            return
    if origin:
        again = shell_command(*(command or ("resume", run_id)), "--trust", root=store.root)
        raise UntrustedRunError(f"run {run_id} {origin}. Training it reads what is there; if you trust that: {again}")


def check_or_note_trust(store: Store, run_id: str, how: StartOptions) -> None:
    """Check that a run is trusted; where a person has said so, write that down with this user's seal."""
    if not how.is_trusted:
        check_trust(store, run_id)
    elif origin_text(store.path(run_id), store.record(run_id)):
        # What cannot be written is asked again.
        with contextlib.suppress(OSError, StoreError), store.folder(run_id) as folder:
            folder.write(TRUST_FILE, msgspec.json.encode(seal(TRUST_FILE, _trusted_content(folder))))


def _is_noted_as_trusted(store: Store, run_id: str) -> bool:
    """Whether this user has trusted this very run before; the seal shows that nobody else wrote that into its folder.

    A run that was copied, or whose record was changed since, is not trusted; one whose folder was renamed is.
    """
    try:
        with store.folder(run_id) as folder:
            found = msgspec.json.decode(folder.read(TRUST_FILE) or b"", type=str)
            return is_sealed(found, TRUST_FILE, _trusted_content(folder))
    except (StoreError, *UNDECODABLE):
        return False


def _trusted_content(folder: Folder) -> tuple[str, int, int]:
    """What the seal of trust covers: the SHA-256 of the run's record, and the device and inode of its folder.

    A rename or a move within a file system keeps both; a copy has another inode.
    """
    status = os.fstat(folder.fileno())
    return sha256_of(folder.read(RECORD_FILE) or b""), status.st_dev, status.st_ino


def _owner_of_new_files(folder: Folder) -> int:
    """Who owns what this user makes in a folder: another one on a file system that maps users, as network drives do."""
    name = f".owner-{os.urandom(4).hex()}.tmp"
    try:
        descriptor = folder.create(name)
    except OSError:
        return os.geteuid()
    try:
        return os.fstat(descriptor).st_uid
    finally:
        os.close(descriptor)
        folder.remove(name)


def _user_name(uid: int) -> str:
    import pwd  # Hardly any run is a stranger's.

    try:
        return printable(pwd.getpwuid(uid).pw_name, 80)
    except KeyError:
        return f"uid {uid}"
