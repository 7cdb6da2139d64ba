"""The files of an archive of runs and studies: which belong to a record, and how large each may be.

An archive holds ``runs/ID/...`` and ``runs/studies/...``, as a runs folder does, so that tar alone can unpack it too.
"""

from alexnet_tui.runs.checkpoint_files import MANIFEST_FILE, WEIGHTS_FILE
from alexnet_tui.runs.notes import NOTES_FILE
from alexnet_tui.runs.origin import IMPORTED_FILE
from alexnet_tui.runs.run_files import (
    CHECKPOINT_NAME,
    CHECKPOINTS,
    EVENTS_FILE,
    KERNELS,
    PREDICTIONS_FILE,
    RECORD_FILE,
    is_kernels_file,
)
from alexnet_tui.studies.ledger import LEDGER_FILE
from alexnet_tui.studies.planned_runs import CELLS_FILE
from alexnet_tui.studies.study_queue import QUEUE_FILE

Parts = tuple[str, ...]
"""The components of a path."""
RUNS = "runs"
JSON_BYTES, ARRAY_BYTES = 1 << 20, 1 << 26
"""The most that a file of JSON, and one of arrays or of a ledger, may have."""
_LARGE_BYTES = 1 << 34
_RUN_FILES = {
    RECORD_FILE: JSON_BYTES,
    EVENTS_FILE: _LARGE_BYTES,
    NOTES_FILE: JSON_BYTES,
    PREDICTIONS_FILE: ARRAY_BYTES,
}
_CHECKPOINT_FILES = {MANIFEST_FILE: JSON_BYTES, WEIGHTS_FILE: _LARGE_BYTES}
STUDY_FILES = {LEDGER_FILE: ARRAY_BYTES, CELLS_FILE: JSON_BYTES, QUEUE_FILE: JSON_BYTES, IMPORTED_FILE: JSON_BYTES}
"""Each file in a study's folder that is packed, to the most bytes it may have."""
DEEPEST = 3
"""Components of the longest path in a run's folder: ``checkpoints/e0010/state.pt``."""


def limit_of(parts: Parts) -> int | None:
    """How large a file of a run's record may be, by its path from the run's folder; None for any other."""
    match parts:
        case (name,):
            return _RUN_FILES.get(name)
        case (folder, name) if folder == KERNELS and is_kernels_file(name):
            return ARRAY_BYTES
        case (folder, place, name) if folder == CHECKPOINTS and CHECKPOINT_NAME.fullmatch(place):
            return _CHECKPOINT_FILES.get(name)
    return None
