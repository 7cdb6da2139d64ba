"""Which runs are one group, or train one network: known by their settings, not by a name; one run a seed."""

import msgspec
from fake_claims import own_claim, plan_of
from fake_histories import CLEAR, make_history, study, study_without

from alexnet_tui.analysis.copies import same_network
from alexnet_tui.analysis.groups import Group, GroupedRuns, Grouping, group_runs
from alexnet_tui.analysis.verdict.case import find_group
from alexnet_tui.analysis.verdict.judge import judge
from alexnet_tui.config.hyperparameters import RunConfig


def test_of_two_runs_of_a_seed_the_first_finished_counts() -> None:
    later = make_history("baseline", 0, final=0.61, created=1_800_000_000.0, run_id="later")
    runs = group_runs([later, *study(shift=CLEAR)])
    assert runs.runs("baseline").used[0].id == "baseline-literal32-s0"
    assert [one.reason for one in runs.excluded] == [
        "repeated; the finished run baseline-literal32-s0 of the same seed counts"
    ]


def test_groups_are_known_by_their_settings_and_not_by_the_variant_s_name() -> None:
    disguised = [
        make_history("baseline", seed, final=0.57 + seed / 1000, removed_conv_layer="4", run_id=f"other{seed}")
        for seed in range(5)
    ]
    runs = group_runs([*study_without("four-conv"), *disguised])
    assert len(runs.runs("four-conv").used) == 5
    odd = make_history("baseline", 0, dropout="0.3", run_id="odd")
    assert group_runs([odd]).excluded[0].reason.startswith("no experiment of the study")


def test_every_setting_of_a_claim_counts_and_not_only_what_the_study_varies() -> None:
    plan = plan_of(study(shift=CLEAR))
    (verdict,) = judge(group_runs(study(shift=CLEAR)), [own_claim()], plan.overrides)
    assert verdict.smaller.runs or verdict.larger.runs
    assert "There are no runs of 'weight decay 0' here." in verdict.reasons
    assert RunConfig().weight_decay == 0.0005


def test_a_group_without_runs_is_called_as_the_study_calls_it() -> None:
    runs = GroupedRuns(Grouping([Group(name="tanh", title="", settings={"activation": "tanh"})]), {})
    wanted: dict[str, dict[str, str | float]] = {
        "Original model": {"removed_conv_layer": "none"},
        "Reduced dropout": {"dropout": 0.01},
        "dropout 0.2": {"dropout": 0.2},
    }
    assert [find_group(runs, settings, {}).group.title for settings in wanted.values()] == [*wanted]


def test_a_setting_that_no_schedule_uses_makes_no_other_network() -> None:
    one, other = RunConfig(rate_decay=0.005), RunConfig()
    assert same_network(one, other)
    used = {"schedule": "inverse-time"}
    assert not same_network(msgspec.structs.replace(one, **used), msgspec.structs.replace(other, **used))
