"""A claim that is registered when its numbers are known is no test: what counts as known, and what comes of it."""

import json

import pytest
from cli_caller import Run
from fake_runs import write_run

from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.errors import ConfigError
from alexnet_tui.runs.store import Store
from alexnet_tui.studies import deletion, planning, study_files
from alexnet_tui.studies.plan import Plan, load_plan

SETTINGS = {"epochs": "6", "data": "synthetic"}


def config(**fields: str) -> RunConfig:
    return RunConfig.from_text({**SETTINGS, **fields})


def plan(store: Store, seeds: range = range(5), **fields: str) -> Plan:
    return planning.plan_variants(
        store, "mine", variants=["baseline", "tanh"], seeds=seeds, overrides={**SETTINGS, **fields}
    )


@pytest.mark.parametrize(
    ("fields", "epochs_done"),
    [
        ({}, 6),
        ({}, 1),
        ({"schedule": "inverse-time", "rate_decay": "0"}, 6),  # The rate is constant.
        ({"threads": "1", "log_steps": "7", "precision": "fp32"}, 6),
        ({"epochs": "9"}, 9),
        ({"epochs": "4"}, 4),
        ({"rate_decay": "0.001"}, 6),  # Unused by a constant rate.
        ({"train_eval_images": "5000"}, 6),  # Decides what is measured alone.
        ({"train_images": "10000"}, 6),  # All there are.
        ({"momentum": "0.90000000001"}, 6),  # Float32 has them as one number.
        ({"learning_rate": "0.0100000000001", "weight_decay": "0.00050000000001"}, 6),
    ],
)
def test_a_run_of_the_settings_and_a_seed_of_a_plan_forbids_it(
    store: Store, fields: dict[str, str], epochs_done: int
) -> None:
    images: dict[str, object] = {"num_train_images": int(fields.get("train_images", "10000"))}
    wanted = config(variant="tanh", seed="2", **fields)
    run_id = write_run(store, wanted, epochs_done=epochs_done, change_started=images).id
    with pytest.raises(ConfigError, match=f"seed 2 of tanh is trained already by {run_id}.*--first-seed 3"):
        plan(store)
    assert study_files.names(store) == []
    assert plan(store, range(3, 8)).seeds == [3, 4, 5, 6, 7]


@pytest.mark.parametrize(
    ("fields", "epochs_done"),
    [
        ({"learning_rate": "0.05"}, 6),
        ({"seed": "7"}, 6),
        ({"train_images": "5000"}, 6),
        ({}, 0),
        ({"momentum": "0.900001"}, 6),
        ({"schedule": "inverse-time"}, 6),
    ],
)
def test_a_run_that_tells_nothing_of_a_plan_does_not(store: Store, fields: dict[str, str], epochs_done: int) -> None:
    write_run(store, config(**fields), epochs_done=epochs_done)
    assert len(plan(store).configs) == 10


@pytest.mark.parametrize("fields", [{"schedule": "plateau"}, {"schedule": "step", "epochs": "9"}])
def test_another_schedule_that_begins_alike_makes_no_known_number_unknown(store: Store, fields: dict[str, str]) -> None:
    run_id = write_run(store, config(**fields)).id
    with pytest.raises(ConfigError, match=f"baseline begins with the first epoch of the trained run {run_id},"):
        plan(store)
    with pytest.raises(ConfigError, match="--first-seed 1"):
        plan(store, schedule="step")


def test_a_plan_without_claims_may_repeat_runs(store: Store) -> None:
    write_run(store, config())
    assert planning.queue_plan(store, [config()]).claims == []


def test_the_command_an_exploratory_report_gives_takes_new_seeds(run: Run, store: Store) -> None:
    for seed in ("0", "1"):
        write_run(store, config(seed=seed))
    command = json.loads(run("report", "--format", "json").out)["sections"][0]["register"]
    assert "--first-seed 2" in command
    assert run(*command.split()[1:]).code == 0
    assert load_plan(store, "mine").seeds == [2, 3, 4, 5, 6]


def test_the_third_and_the_fourth_layer_are_one_network_where_maps_are_small(store: Store) -> None:
    write_run(store, config(removed_conv_layer="3"))
    with pytest.raises(ConfigError, match="seed 0 of four-conv"):
        planning.plan_variants(store, "mine", variants=["four-conv"], seeds=[0, 1], overrides=SETTINGS)


def test_runs_that_finished_for_a_study_and_were_deleted_stay_known(store: Store) -> None:
    first = plan(store, range(3))
    made = [write_run(store, one, study=first.name, plan_sha256=first.sha256).id for one in first.configs[:3]]
    for run_id in made:
        deletion.delete_run(store, run_id)

    def again(seeds: range, **fields: str) -> Plan:
        settings = {**SETTINGS, **fields}
        return planning.plan_variants(store, "again", variants=["baseline", "tanh"], seeds=seeds, overrides=settings)

    with pytest.raises(ConfigError, match=rf"seed 0 of baseline was trained already by the deleted run {made[0]} \(3"):
        again(range(3))
    assert planning.extend(store, "mine", 2).seeds == [3, 4], "what is left of a study is no hindrance to itself"
    assert again(range(3), learning_rate="0.02").seeds == [0, 1, 2]


def test_an_extension_takes_seeds_that_nobody_has_trained(store: Store) -> None:
    plan(store, range(2))
    write_run(store, config(seed="3"))
    assert planning.extend(store, "mine", 2).seeds == [4, 5]
