"""What is known of a run that has no last event and no trainer here."""

import platform
from pathlib import Path

from alexnet_tui.folder import Folder
from alexnet_tui.locks import LOCK_FILE, read_owner
from alexnet_tui.runs.liveness import silence_text
from alexnet_tui.runs.oom_kill import oom_kill
from alexnet_tui.runs.origin import is_copied, is_running
from alexnet_tui.runs.record import RunRecord
from alexnet_tui.runs.stop_request import is_stop_requested
from alexnet_tui.text import printable


def explain_lost(directory: Path, record: RunRecord) -> str:
    """What to say of a run that has no last event and no trainer here: a sentence without a subject.

    Raises:
        StoreError: The run's lock file is no regular file.
    """
    owner = read_owner(directory / LOCK_FILE)
    if owner is None:
        return "crashed: its trainer ended without saying why."
    who = f"process {owner.pid} on {printable(owner.host, 80)}"
    if owner.host != platform.node():
        what = "copied" if is_copied(directory, record) else "crashed"
        news = silence_text(directory)
        return f"{what}: {who} trained it{f' ({news})' if news else ''}; if that goes on, it goes on there."
    if is_running(owner):
        return f"copied: {who} trains the run in another folder."
    reason = oom_kill(owner.pid, owner.start_seconds)
    if reason:
        return f"crashed: {reason}. Try a smaller batch or fewer images."
    with Folder(directory) as folder:
        if is_stop_requested(folder):
            return "crashed: its trainer was asked to stop, and ended before it could say so."
    return "crashed: its trainer ended without saying why."
