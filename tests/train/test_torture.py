"""A few rounds of `torture`, which runs alone for hundreds of them."""

import random

import pytest
import torture

from alexnet_tui.runs.store import Store


@pytest.mark.slow
@pytest.mark.usefixtures("synthetic", "forked", "small_networks")
def test_fault_01_02_a_run_ended_at_random_moments_ends_as_an_unbroken_one(store: Store) -> None:
    subject = torture.Torture(store, random.Random(7), first_seconds=0.3)
    while subject.ends.total() < 3:  # A round may finish before its trainer is ended.
        assert subject.round()
