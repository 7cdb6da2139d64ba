"""Which pairs of runs have to be looked at to find every copy among many."""

import itertools
import math
import random

from fake_histories import make_history

from alexnet_tui.analysis.copies import _fault, check_together
from alexnet_tui.analysis.integrity import Result
from alexnet_tui.runs.history import RunHistory


def with_losses(number: int, chance: random.Random, earlier: list[RunHistory]) -> RunHistory:
    """A run with losses of its own, or half of those of an earlier one, shifted or not; some of them odd."""
    epochs, dropout = str(chance.randint(1, 6)), str(chance.randrange(9) / 10)
    run = make_history(seed=chance.randrange(4), run_id=f"run-{number}", epochs=epochs, dropout=dropout)
    for column in ("train_loss", "test_loss"):
        losses = run.epochs.columns[column]
        for epoch in range(len(losses)):
            losses[epoch] = chance.uniform(0.1, 2.3)
        if earlier and chance.random() < 0.4:
            model = chance.choice(earlier).epochs[column]
            shift = chance.choice((0.0, 0.25, -0.1))
            for epoch in range(min(len(model), len(losses))):
                if chance.random() < 0.7:
                    losses[epoch] = model[epoch] + shift + chance.choice((0.0, 4e-10, -4e-10))
        if chance.random() < 0.1:
            losses[chance.randrange(len(losses))] = chance.choice((math.nan, math.inf, 1e12))
    return run


def test_what_is_looked_for_by_changes_of_losses_is_what_comparing_every_pair_finds() -> None:
    num_copies = 0
    for case in range(60):
        chance = random.Random(case)
        runs: list[RunHistory] = []
        for number in range(10):
            runs.append(with_losses(number, chance, runs))
        faulty = {run.id for pair in itertools.combinations(runs, 2) if _fault(*pair) for run in pair}
        found = {run_id for run_id, check in check_together(runs).items() if check.result is Result.FAILED}
        assert found == faulty
        num_copies += len(faulty)
    assert 60 < num_copies < 540, "some runs are copies, some are not"
