"""A round of `torture`, which runs alone for hundreds of them."""

import random

import pytest
import torture

from alexnet_tui.paths import data_root
from alexnet_tui.runs.store import Store


@pytest.mark.slow
def test_fault_01_02_a_run_ended_at_random_moments_ends_as_an_unbroken_one(store: Store) -> None:
    torture.prepare_few_images(data_root())
    subject = torture.Torture(store, random.Random(7))
    assert subject.round()
