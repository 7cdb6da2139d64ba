"""What is checked before a run is started: may it be trained at all, is it trusted, is it being trained already."""

from alexnet_tui.errors import RunBusyError, StoreError, UsageError
from alexnet_tui.launch.engine import StartOptions
from alexnet_tui.launch.trainer_process import is_training
from alexnet_tui.launch.trust import check_or_note_trust
from alexnet_tui.runs.outline import is_newer
from alexnet_tui.runs.run_files import EVENTS_FILE
from alexnet_tui.runs.store import Store
from alexnet_tui.text import quoted


def check_startable(store: Store, run_id: str) -> None:
    """Refuse a run that is only to be looked at.

    Raises:
        StoreError: The run is a reference run, or was made by a newer program.
    """
    directory = store.path(run_id)
    if store.is_reference(run_id):
        raise StoreError(directory, "this is a reference run; it is not trained again. Start a new run.")
    if foreign := store.record(run_id).foreign:
        source = quoted(foreign.source, 80)
        raise StoreError(directory, f"another program trained this run ({source}); it is only looked at and compared.")
    if store.record(run_id).is_newer or is_newer(directory / EVENTS_FILE):
        raise StoreError(directory, "a newer alexnet-tui wrote in this run; it can only be looked at.")


def check_handover(store: Store, run_id: str, how: StartOptions) -> None:
    """Refuse a run that must not be handed to a program which starts it elsewhere.

    Raises:
        RunBusyError: It is being trained, or is on its way.
        StoreError: It is only to be looked at.
        UntrustedRunError: Another user made it, or it came from another machine.
        UsageError: It is to begin from scratch, which the program at the other end cannot be told.
    """
    if how.from_scratch:
        raise UsageError("--from-scratch is for launchers that train on this machine.")
    check_startable(store, run_id)
    check_or_note_trust(store, run_id, how)
    if is_training(store, run_id):
        raise RunBusyError(f"run {run_id} is already being trained, or on its way.")
