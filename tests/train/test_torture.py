"""A few rounds of `torture`, which runs alone for hundreds of them."""

import random

import pytest
import torture

from alexnet_tui.runs.store import Store


@pytest.mark.slow
@pytest.mark.usefixtures("synthetic", "forked", "small_networks")
def test_fault_01_02_a_run_ended_at_random_moments_ends_as_an_unbroken_one(store: Store) -> None:
    subject = torture.Torture(store, random.Random(7), first_seconds=0.3)
    for _ in range(20):  # A run may finish before its trainer is ended.
        subject.round()
        if subject.ends.total() >= 3:
            return
    pytest.fail(f"only {subject.ends.total()} trainers were ended")
