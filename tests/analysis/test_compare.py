"""Groups over seeds, what differs, and differences to the pinned run."""

from typing import Any

import pytest
from fake_histories import make_history, study
from msgspec.structs import replace

from alexnet_tui.analysis.compare import compare, shown_setting
from alexnet_tui.analysis.metrics import METRICS
from alexnet_tui.analysis.samples import best_cells, sample, sample_text
from alexnet_tui.report.build import build
from alexnet_tui.runs.history import RunHistory
from alexnet_tui.runs.record import Extension
from alexnet_tui.runs.state import State
from alexnet_tui.text import MISSING


def test_runs_that_differ_in_their_seed_alone_are_one_group() -> None:
    compared = compare(study(3, shift={"tanh": {"final": 0.58}}))
    assert [group.name for group in compared.groups] == ["baseline", "low-dropout", "tanh", "four-conv"]
    assert all(group.seeds == (0, 1, 2) for group in compared.groups)
    tanh = compared.groups[2]
    assert tanh.cells["final_test"].mean == pytest.approx(0.58)
    assert tanh.cells["final_test"].sd == pytest.approx(0.002)
    assert tanh.differences["final_test"] == pytest.approx(-0.02)


def test_an_extended_run_is_averaged_only_where_its_schedule_does_not_depend_on_its_length() -> None:
    for schedule, sizes in (("constant", [2]), ("step", [1, 1])):
        plain, longer = (make_history(seed=seed, schedule=schedule) for seed in (0, 1))
        extends = Extension(runs=["parent"], epochs=3, checkpoint="e0003")
        longer.record = replace(longer.record, extends=extends)
        groups = compare([plain, longer]).groups
        assert [len(group.run_ids) for group in groups] == sizes, schedule
        assert bool(groups[-1].alone) == (len(groups) == 2)


def test_times_that_were_reached_before_the_first_measurement_have_no_difference_and_no_best() -> None:
    quick, quicker = ([make_history(name, seed, t25=0.5) for seed in (0, 1)] for name in ("baseline", "tanh"))
    slow = [make_history("four-conv", seed, t25=9.0) for seed in (0, 1)]
    first, second, third = compare([*quick, *quicker, *slow]).groups
    metric = METRICS["t25"]
    assert sample_text(first.cells["t25"], metric) == "≤ 1.0 ±0.0"
    assert (second.differences["t25"], third.differences["t25"]) == (None, None)
    cells = [one.cells["t25"] for one in (first, second, third)]
    assert best_cells(metric, cells) == [False] * 3
    assert best_cells(metric, cells[1:]) == [True, False]
    partly = sample([make_history("low-dropout", seed, t25=t25) for seed, t25 in enumerate((0.5, 9.0))], metric)
    other = sample([make_history("tanh", seed, t25=4.9) for seed in (0, 1)], metric)
    assert (partly.mean, other.mean) == pytest.approx((5.0, 4.9), abs=1e-3)
    assert best_cells(metric, [partly, other]) == [False] * 2, "0.5 is known as at most 1: the first may be 4.5"


def test_groups_of_one_variant_are_told_apart_by_their_settings() -> None:
    def runs(variant: str, **settings: Any) -> list[RunHistory]:
        of = "".join(settings.values())
        return [make_history(variant, seed, run_id=f"{variant}-{of}-{seed}", **settings) for seed in (0, 1)]

    fast = runs("baseline", learning_rate="0.03")
    others = [*runs("baseline", learning_rate="0.1", momentum="0"), *runs("tanh", learning_rate="0.03")]
    groups = compare([*runs("baseline"), *fast, *others]).groups
    assert [(one.name, one.distinction) for one in groups] == [
        ("baseline", ""),
        ("baseline", "learning rate 0.03"),
        ("baseline", "learning rate 0.1, momentum 0"),
        ("tanh", ""),
    ]
    single = compare(fast, is_grouped=False).groups
    assert [one.distinction for one in single] == ["seed 0", "seed 1"]


def test_only_what_differs_is_listed() -> None:
    compared = compare(study(2))
    assert compared.differing == ("variant", "activation", "dropout", "removed_conv_layer")
    assert compared.groups[2].settings["activation"] == "tanh"
    mixed = compare([make_history(), make_history(seed=1, change_started={"device_class": "GPU"})])
    assert mixed.differing == ("device class",)
    assert [group.settings for group in mixed.groups] == [{"device class": "cpu"}, {"device class": "GPU"}]


def test_a_run_that_has_not_begun_differs_in_no_condition_and_reached_nothing_yet() -> None:
    queued = RunHistory(make_history(seed=1).record)
    compared = compare([make_history(), queued])
    assert not compared.differing
    cells = compared.groups[1].cells
    assert {sample_text(cells[name], METRICS[name]) for name in ("gap", "time", "final_test", "t25")} == {MISSING}
    changed = compare([make_history(), make_history(change_started={"device_class": "GPU"}), queued])
    assert [group.settings["device class"] for group in changed.groups] == ["cpu", "GPU", MISSING]


def test_a_zero_that_stands_for_something_is_told_as_that() -> None:
    few = make_history(train_images="1000", threads="0")
    compared = compare([make_history(train_images="0", threads="4"), few])
    kept = [(group.settings["train_images"], group.settings["threads"]) for group in compared.groups]
    assert kept == [("0", "4"), ("1000", "0")], "what programs read stays a number"
    told = [tuple(map(shown_setting, ("train_images", "threads"), pair)) for pair in kept]
    assert told == [("all", "4"), ("1000", "auto")]
    assert compare([make_history(dropout="0"), make_history()]).groups[0].settings["dropout"] == "0"  # An amount.


def test_ungrouped_runs_stand_alone_and_show_their_seed() -> None:
    compared = compare([make_history(seed=0), make_history(seed=1)], is_grouped=False)
    assert [group.seeds for group in compared.groups] == [(0,), (1,)]
    assert compared.differing == ("seed",)


def test_differences_are_to_the_pinned_run_else_to_the_first() -> None:
    runs = [make_history(final=0.6), make_history("tanh", final=0.55)]
    first = compare(runs)
    assert [group.is_base for group in first.groups] == [True, False]
    assert not any(group.is_pinned for group in first.groups)
    assert first.groups[1].differences["last_test"] == pytest.approx(-0.05)
    pinned = compare(runs, pinned=runs[1].id)
    assert [(group.is_base, group.is_pinned) for group in pinned.groups] == [(False, False), (True, True)]
    assert pinned.groups[0].differences["last_test"] == pytest.approx(0.05)
    elsewhere = compare(runs, pinned="not among them").groups[0]
    assert (elsewhere.is_base, elsewhere.is_pinned) == (True, False)


def test_data_are_told_once_by_name_and_by_content_only_where_the_names_are_equal() -> None:
    named = compare([make_history(data="a"), make_history(data="b", change_started={"data_sha256": "cd" * 32})])
    assert named.differing == ("data",)
    assert [group.settings for group in named.groups] == [{"data": "a"}, {"data": "b"}]
    other = compare([make_history(data="a"), make_history(data="a", seed=1, change_started={"data_sha256": "cd" * 32})])
    assert other.differing == ("data",)
    assert [group.settings for group in other.groups] == [{"data": f"a {'ab' * 6}"}, {"data": f"a {'cd' * 6}"}]


def test_only_finished_runs_of_different_seeds_are_averaged_and_others_say_why_not() -> None:
    finished = [make_history(seed=seed, final=0.6 + seed / 100) for seed in range(2)]
    repeated = make_history(seed=1, final=0.9, run_id="repeated", created=1.8e9)
    live = make_history(seed=2, finish=False, run_id="live")
    averaged, *others = compare([*finished, repeated, live], {"live": State.RUNNING}).groups
    assert averaged.cells["final_test"].mean == pytest.approx(0.605)
    assert [(group.run_ids, group.alone) for group in others] == [
        (("repeated",), f"repeated; the finished run {finished[1].id} of the same seed counts"),
        (("live",), "running; only finished runs are averaged"),
    ]
    assert [group.alone for group in compare([finished[0], make_history("tanh", finish=False)]).groups] == ["", ""]


def test_a_comparison_averages_the_runs_that_a_report_counts() -> None:
    counted = study(3)
    late = make_history(seed=0, final=0.7, run_id="late", created=1.9e9)
    other = make_history(seed=1, final=0.9, run_id="other", batch_size="64")
    runs = [late, other, *counted]
    section = build(runs).sections[0]
    compared = {group.run_ids: group for group in compare(runs).groups}
    for row in section.rows:
        ours = row.cells["final_test"].ours
        assert compared[tuple(run.run_id for run in ours.runs)].cells["final_test"].mean == ours.mean
    assert len(compared) == len(section.rows) + 2
    assert compared["late",].alone == f"repeated; the finished run {counted[0].id} of the same seed counts"


def test_a_run_that_never_got_there_has_no_difference() -> None:
    compared = compare([make_history(), make_history("tanh", final=0.4, t25=None)])
    assert compared.groups[1].differences["t25"] is None
    assert compared.groups[1].cells["t25"].num_missing == 1


def test_a_single_run_goes_by_its_label() -> None:
    run = make_history()
    assert compare([run], labels={run.id: "mine"}).groups[0].name == "mine"
    assert compare([]).groups == ()


def test_a_mean_of_only_the_runs_that_reached_a_mark_makes_no_difference() -> None:
    runs = [make_history("baseline", seed, t25=8.0) for seed in range(2)]
    runs += [make_history("tanh", seed, t25=5.0 if seed else None, final=0.6 if seed else 0.4) for seed in range(2)]
    _, tanh = compare(runs, metrics=["t25", "final_test"]).groups
    assert (tanh.cells["t25"].num_missing, tanh.differences["t25"]) == (1, None)
    assert tanh.differences["final_test"] is not None
