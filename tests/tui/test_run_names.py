"""Names of runs: told apart by what differs, once, and cheaply for many."""

import itertools
import time

import msgspec
import pytest

from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.config.protocols import READINGS, plan_configs
from alexnet_tui.runs.history import RunHistory
from alexnet_tui.runs.record import Foreign, RunRecord
from alexnet_tui.tui.run_names import (
    Name,
    RunNames,
    cut_name,
    cut_settings,
    experiment_names,
    fewest_cells,
    names_beside,
)


def history(run_id: str, **settings: str) -> RunHistory:
    return RunHistory(RunRecord(id=run_id, created=0.0, config=RunConfig.from_text(settings)))


def test_namesakes_are_told_apart_by_the_settings_in_which_they_differ() -> None:
    known = {one.record.id: one for one in (history("a", seed="4"), history("b", seed="5"))}
    names = RunNames()
    assert names.update(known, ["a", "b"]) == {"a", "b"}
    assert (names["a"].full, names["b"].full) == ("baseline s4", "baseline s5")
    known["c"] = history("c", seed="4", weight_decay="0")
    assert names.update(known, ["c"]) == {"a", "c"}, "the older one may be called otherwise now, b is not"
    assert names["a"].full == "baseline s4"
    assert names["c"].full == "baseline s4 · weight decay 0"
    known["d"] = history("d", seed="4", weight_decay="0", learning_rate="0.1", log_steps="100")
    names.update(known, ["d"])
    assert names["d"].full == "baseline s4 · learning rate 0.1, weight decay 0"
    assert names.update(known, ["d", "a"]) == set()


def test_settings_are_compared_among_runs_of_one_data_set_and_front_end() -> None:
    planned = {f"p{seed}": history(f"p{seed}", data="cifar10-jpeg", seed=str(seed)) for seed in range(2)}
    own = history("own", data="synthetic", epochs="12", learning_rate="0.05", train_images="2500")
    known, names = {**planned, "own": own}, RunNames()
    names.update(known)
    assert [names[run_id].full for run_id in known] == [
        "baseline s0 · cifar10-jpeg",
        "baseline s1",
        "baseline s0 · synthetic",
    ]
    known["second"] = history("second", data="synthetic", epochs="24", learning_rate="0.05", train_images="2500")
    assert names.update(known, ["second"]) == {"own", "second"}
    assert names["own"].full == "baseline s0 · synthetic, epochs 12"
    assert names["second"].full == "baseline s0 · synthetic, epochs 24"
    known["other"] = history("other", data="synthetic", front_end="same32", epochs="24")
    assert names.update(known, ["other"]) == {"p0", "own", "second", "other"}
    assert names["other"].full == "baseline s0 · same32, synthetic"
    assert names["own"].full == "baseline s0 · synthetic, epochs 12"
    del known["second"], known["other"]
    assert names.update(known, ["second", "other"]) == {"p0", "own"}
    assert [names[run_id].full for run_id in known] == [
        "baseline s0 · cifar10-jpeg",
        "baseline s1",
        "baseline s0 · synthetic",
    ]


def test_a_name_is_short_again_once_its_namesakes_are_deleted() -> None:
    known = {one.record.id: one for one in (history("a"), history("b", dropout="0.1"), history("c"))}
    names = RunNames()
    names.update(known)
    del known["b"]
    assert names.update(known, ["b"]) == {"a", "c"}
    assert names["a"].full == names["c"].full == "baseline s0", (
        "a run repeated with the same settings has the same name"
    )
    assert names.update(known, ["b"]) == set()


def test_a_run_of_another_program_is_called_by_its_id_and_is_nobodys_namesake() -> None:
    own, theirs = history("own", epochs="12"), history("training", epochs="4")
    theirs.record = msgspec.structs.replace(
        theirs.record, foreign=Foreign(format="csv", source="training.log", columns={}, sha256="0" * 64)
    )
    known, names = {"own": own, "training": theirs}, RunNames()
    names.update(known)
    assert {run_id: names[run_id].full for run_id in known} == {"own": "baseline s0", "training": "training"}
    beside = names_beside(known.values(), lambda run_id: run_id)
    assert {run_id: name.full for run_id, name in beside.items()} == {"own": "baseline s0", "training": "training"}


def test_an_experiment_is_called_as_its_runs_are_but_for_the_seed() -> None:
    settings = [
        {"seed": "4", "device": "cpu", "threads": "1"},
        {"seed": "5", "precision": "fp32", "weight_decay": "0"},
        {"variant": "tanh", "seed": "9", "log_steps": "7"},
    ]
    configs = {str(number): RunConfig.from_text(one) for number, one in enumerate(settings)}
    name_of = experiment_names(configs)
    assert [name_of(run_id).full for run_id in configs] == ["baseline", "baseline · weight decay 0", "tanh"]


def test_a_name_is_cut_where_namesakes_are_the_same() -> None:
    settings = ("epochs 2, train images 250", "epochs 12, train images 250", "epochs 12, train images 500")
    names = [f"four-conv s0 · {text}" for text in settings]
    for width in range(11, 60):
        cut = [cut_name(name, width) for name in names]
        assert len(set(cut)) == len(names), width
        assert max(map(len, cut)) <= width
    assert cut_name(names[0], 36) == "four-conv s0 · epochs 2, images 250"
    assert cut_name("baseline s4 · learning rate 0.05", 29) == "baseline s4 · lr 0.05"
    assert cut_name(names[0], 31) == "four… s0 · epochs 2, images 250"
    assert cut_name(names[0], 19) == "four-c… s0 · 2, 250"
    assert cut_name(names[2], 13) == "fo… · 12, 500", "namesakes have one seed"
    many = [
        "baseline s0 · synthetic, epochs 12, learning rate 0.05, train images 2500",
        "baseline s0 · synthetic, epochs 2, train images 512",
        "baseline s0 · synthetic, epochs 2, learning rate 0.05, train images 512",
        "baseline s1 · synthetic, learning rate 0.05",
    ]
    assert [cut_name(name, 28) for name in many] == [
        "ba… s0 · syn…, 12, .05, 2500",
        "base… s0 · synthetic, 2, 512",
        "base… s0 · syn…, 2, .05, 512",
        "bas… s1 · synthetic, lr 0.05",
    ]
    assert all(len({cut_name(name, width) for name in many}) == len(many) for width in range(19, 60))
    assert cut_name("low-dropout s17", 11) == "low-dr… s17", "the seed is kept"
    assert cut_name("four-conv n=2 · synthetic, dropout 0.1", 24) == "four-co… · synthetic, .1"
    assert cut_name("baseline s0 · cifar10-jpeg", 21) == "baseline s0 · cifar1…"
    assert cut_name("baseline s0 · cifar10-jpeg", 16) == "basel… s0 · cif…"
    assert cut_name("baseline s0 · cifar10-jpeg", 13) == "baseline s0", "neither is known from a letter"
    assert cut_name("low-dropout-s0-1126-074510", 14) == "low…126-074510", "ids differ in when the runs were made"
    for name in ("a label of somebody", "x · y", "", " · ", "s0", "tanh s0", "tanh-s0-1126-074510-2"):
        assert all(len(cut_name(name, width)) <= width for width in range(1, 30)), name
        assert cut_name(name, 30) == name


def readings(variant: str = "baseline") -> dict[str, RunHistory]:
    """A run of each reading of the study."""
    configs = plan_configs(READINGS, [variant], [0], {})
    return {f"r{n}": RunHistory(RunRecord(id=f"r{n}", created=0.0, config=config)) for n, config in enumerate(configs)}


def test_every_reading_of_the_study_is_known_by_its_name_in_38_cells() -> None:
    known, names = readings(), RunNames()
    names.update(known)
    settings = "keras-same, schedule inverse-time, weight decay 0, augmentation none"
    assert names["r35"].full == f"baseline s0 · {settings}", "its rate is the default"
    assert cut_name(names["r34"].short, 38) == "ba… s0 · keras-same, .006, inv, no aug"
    assert cut_name(names["r23"].short, 38) == "baseline s0 · keras-valid, inv, no aug"
    for width in range(32, 80):
        shown = {cut_name(names[run_id].short, width) for run_id in known}
        assert len(shown) == len(known) == 36, width
        assert max(map(len, shown)) <= width
    assert max(fewest_cells(names[run_id].short) for run_id in known) == 38


def test_a_setting_that_another_one_tells_is_left_out_of_a_short_name_until_it_does_not() -> None:
    rate = {"schedule": "inverse-time", "weight_decay": "0"}
    known = {"a": history("a"), "b": history("b", **rate), "c": history("c", **rate, learning_rate="0.1")}
    names = RunNames()
    names.update(known)
    assert names["b"] == Name(
        "baseline s0 · schedule inverse-time, weight decay 0", "baseline s0 · schedule inverse-time"
    )
    known["d"] = history("d", weight_decay="0")
    assert names.update(known, ["d"]) == {"a", "b", "c", "d"}
    assert names["b"].short == names["b"].full == "baseline s0 · schedule inverse-time, weight decay 0"
    assert names["d"].short == "baseline s0 · weight decay 0"
    del known["d"]
    assert names.update(known, ["d"]) == {"a", "b", "c"}
    assert names["c"].short == "baseline s0 · learning rate 0.1, schedule inverse-time"


def test_settings_are_abbreviated_before_their_names_are_left_out() -> None:
    begin = "front end literal32, decay of the rate, mirroring"
    text, other = f"{begin} no, learning rate 0.01", f"{begin} yes, learning rate 0.01"
    short = "literal32, decay of the rate, mirroring"
    for width, first, second in (
        (80, text, other),
        (73, text, other),
        (72, f"{short} no, lr 0.01", f"{short} yes, lr 0.01"),
        (52, f"{short} no, lr 0.01", f"{short} yes, lr 0.01"),
        (51, "literal32, rate, no, 0.01", "literal32, rate, yes, 0.01"),
        (15, "literal32, rat…", "literal32, rat…"),
    ):
        assert cut_settings(frozenset({text, other}), width) == {text: first, other: second}, "all in one form"


@pytest.mark.slow
def test_names_of_ten_thousand_runs_are_cheap() -> None:
    settings = itertools.product(range(10), (0.0, 0.0005), (0.01, 0.1), range(250))
    known = {
        f"r{number}": RunHistory(
            RunRecord(id=f"r{number}", created=0.0, config=RunConfig(seed=seed, weight_decay=decay, learning_rate=rate))
        )
        for number, (seed, decay, rate, _) in enumerate(settings)
    }
    names, begin = RunNames(), time.thread_time()
    assert len(names.update(known)) == len(known) == 10_000
    assert all(names[run_id].full for run_id in known)
    assert time.thread_time() - begin < 0.1, "0.03 s on the reference machine"
    begin = time.thread_time()
    known["new"] = history("new", seed="3")
    assert names.update(known, ["new"]) == {"new"}
    assert time.thread_time() - begin < 0.005
