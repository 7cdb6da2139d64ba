"""What more than one screen knows of studies: their names, and their runs as far as they are read already."""

import threading
from collections.abc import Mapping

from alexnet_tui.errors import AlexnetTuiError
from alexnet_tui.runs.follow import RunCache
from alexnet_tui.runs.history import RunHistory
from alexnet_tui.runs.state import State
from alexnet_tui.runs.store import Store
from alexnet_tui.studies import planned_runs, study_files
from alexnet_tui.studies.plan import load_plan

MAX_STUDIES = 24


def newest_studies(store: Store) -> list[str]:
    """Names of all studies, the newest plan first."""
    created: dict[str, float] = {}
    for name in study_files.names(store):
        try:
            created[name] = load_plan(store, name).created
        except AlexnetTuiError:  # A damaged plan is still a name; choosing it says what is wrong.
            created[name] = 0.0
    return sorted(created, key=lambda name: (-created[name], name))


def finder(store: Store, histories: Mapping[str, RunHistory], states: Mapping[str, State]) -> planned_runs.Find:
    """Looks finished runs up among those read already; of the others it reads what is new since it last looked.

    Those grow under the watcher's hands, so they are not looked up there. Keep it: it knows how far it has read.
    """
    cache, turn = RunCache(store), threading.Lock()

    def find(run_id: str) -> tuple[RunHistory, State] | None:
        known, state = histories.get(run_id), states.get(run_id)
        with turn:  # A screen may look twice at a time.
            if known is not None and state is State.FINISHED:
                cache.drop(run_id)
                return known, state
            return cache.find(run_id)

    return find
