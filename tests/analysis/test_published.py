"""The published numbers are those of the sources, and each says where it stands."""

import msgspec
import pytest

from alexnet_tui.analysis import published as paper
from alexnet_tui.analysis.contradictions import CONTRADICTIONS
from alexnet_tui.config.claims import load_claims
from alexnet_tui.config.variants import VARIANTS


def test_every_variant_has_its_experiment() -> None:
    assert list(paper.EXPERIMENTS) == list(VARIANTS)


@pytest.mark.parametrize(
    ("name", "train", "val", "epoch", "seconds", "converged", "overfits"),
    [
        ("baseline", 0.9576, 0.5933, 48, 12_153, 20, 40),
        ("low-dropout", 0.9248, 0.5973, 92, 11_848, 30, 60),
        ("tanh", 0.9444, 0.5971, 65, 11_845, 40, 55),
        ("four-conv", 0.8562, 0.6102, 81, 6_539, 40, 60),
    ],
)
def test_the_report_s_table(
    name: str, train: float, val: float, epoch: int, seconds: int, converged: int, overfits: int
) -> None:
    experiment = paper.EXPERIMENTS[name]
    assert experiment.max_train_accuracy.value == train
    assert experiment.max_val_accuracy.value == val
    assert experiment.max_val_epoch.value == epoch
    assert experiment.seconds.value == seconds
    assert experiment.converged_epoch.value == converged
    assert experiment.overfitting_epoch.value == overfits
    assert all(
        number.place for number in (experiment.max_train_accuracy, experiment.max_val_accuracy, experiment.seconds)
    )


def test_t25_is_given_for_two_experiments_925_seconds_apart() -> None:
    known = {name: e.t25_seconds.value for name, e in paper.EXPERIMENTS.items() if e.t25_seconds}
    assert known == {"baseline": 5116, "tanh": 6041}
    assert known["tanh"] - known["baseline"] == 925


def test_the_report_s_own_effects() -> None:
    effects = {number: claim.effect for number, claim in paper.CLAIMS.items()}
    assert effects[1] == pytest.approx(-0.0368)
    assert effects[2] == pytest.approx(1.1808, abs=1e-4)
    assert effects[3] == pytest.approx(-0.0169)


def test_contradictions_have_two_sides_and_are_numbered() -> None:
    assert [one.number for one in CONTRADICTIONS] == list(range(1, 25))
    for one in CONTRADICTIONS:
        assert one.place
        assert one.one.endswith(".")
        assert one.other.endswith(".")
        assert one.one != one.other


def test_the_paper_s_error_rates() -> None:
    values = {result.what: result.value for result in paper.PAPER_RESULTS}
    assert values["ILSVRC-2012 validation, one CNN, top-1 error"] == 0.407
    assert values["ImageNet Fall 2009, six conv layers, top-5 error"] == 0.409
    assert values["Parameters, two groups, 1000 classes"] == 60_965_224


def test_a_claim_in_the_studys_words_that_tests_something_else_has_not_the_studys_figure() -> None:
    claim = load_claims("study")[1]
    assert paper.published_claim(claim) is not None
    changes: list[dict[str, object]] = [{"direction": "higher"}, {"metric": "train_error"}, {"unit": "points"}]
    assert [paper.published_claim(msgspec.structs.replace(claim, **change)) for change in changes] == [None] * 3
