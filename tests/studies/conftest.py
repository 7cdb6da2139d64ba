"""A plan of four short runs."""

import contextlib
from collections.abc import Iterator

import pytest
from fake_work import QUICK

from alexnet_tui.errors import LaunchError
from alexnet_tui.launch import stopping
from alexnet_tui.runs.store import Store
from alexnet_tui.studies import planning
from alexnet_tui.studies.plan import Plan


@pytest.fixture
def plan(store: Store) -> Iterator[Plan]:
    plan = planning.plan_variants(store, "report", variants=["baseline", "tanh"], seeds=[0, 1], overrides=QUICK)
    yield plan
    for run_id in store.ids():
        with contextlib.suppress(LaunchError):  # It left by itself meanwhile.
            stopping.kill(store, run_id)
