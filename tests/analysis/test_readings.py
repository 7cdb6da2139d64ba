"""Readings of the study: the table of distances to its published figures."""

import json

import pytest
from cli_caller import Run
from fake_runs import write_run

from alexnet_tui.analysis import readings
from alexnet_tui.analysis.selection import select_runs
from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.runs.run_files import EVENTS_FILE
from alexnet_tui.runs.store import Store


def config(**fields: str) -> RunConfig:
    return RunConfig.from_text({"epochs": "100", **fields})


def read(store: Store) -> list[readings.Reading]:
    selection = select_runs(store)
    return readings.read(selection.histories, selection.states)


def test_the_nearest_reading_comes_first_and_seeds_are_averaged(store: Store) -> None:
    far = config(augmentation="none")
    for seed, final in ((0, 0.60), (1, 0.62)):
        write_run(store, RunConfig.from_text({**far.to_text(), "seed": str(seed)}), final=final, gap=0.2)
    write_run(store, config(), final=0.60, gap=0.37)
    write_run(store, config(learning_rate="0.5"), epochs_done=3, finish=False)
    near, other = read(store)
    assert (near.config.augmentation, near.seeds) == ("flip", (0,))
    assert (other.config.augmentation, other.seeds) == ("none", (0, 1))
    assert near.distance < other.distance
    by_name = {figure.metric.name: figure for figure in other.figures}
    best = 0.1 + 0.5 * (1 - 2.718281828**-4), 0.1 + 0.52 * (1 - 2.718281828**-4)
    assert by_name["max_test"].ours == pytest.approx(sum(best) / 2, abs=1e-4)
    assert by_name["max_test"].distance == pytest.approx(abs(sum(best) / 2 - 0.5933) / 0.01, abs=0.01)


def test_a_mark_nobody_reached_counts_as_the_epochs_trained(store: Store) -> None:
    write_run(store, config(), final=0.5, gap=0.0)
    (only,) = read(store)
    t25 = next(figure for figure in only.figures if figure.metric.name == "t25_running")
    assert (t25.ours, t25.is_bound, t25.published) == (100, True, 50)
    assert t25.distance == pytest.approx(10)


def test_a_bound_inside_the_published_range_tells_no_distance(store: Store) -> None:
    write_run(store, config(epochs="45"), final=0.5, gap=0.0)
    (only,) = read(store)
    t25 = next(figure for figure in only.figures if figure.metric.name == "t25_running")
    assert (t25.ours, t25.is_bound, t25.distance) == (45, True, None)
    assert only.num_missing == 2, "nor is it known when a loss that still falls will rise"


def test_a_range_is_no_distance_inside(store: Store) -> None:
    def slow(event: object) -> None:
        event.train_accuracy = 0.9 * event.epoch / 54  # type: ignore[attr-defined]

    write_run(
        store, config(), final=0.6, gap=0.3, change_epoch=lambda event: slow(event) if event.epoch <= 54 else None
    )
    (only,) = read(store)
    t25 = next(figure for figure in only.figures if figure.metric.name == "t25_running")
    assert t25.ours is not None
    assert 40 < t25.ours < 50
    assert t25.distance == 0


def test_a_run_repeated_with_its_seed_counts_once(store: Store) -> None:
    write_run(store, config(), final=0.6)
    write_run(store, config(), final=0.9, gap=0.05)
    (only,) = read(store)
    assert only.seeds == (0,)
    assert only.figures[0].ours == pytest.approx(0.59, abs=0.01)


def test_a_run_that_counts_in_no_table_of_results_counts_here_neither(store: Store) -> None:
    whole = write_run(store, config(), final=0.6)
    torn = write_run(store, config(learning_rate="0.003"), final=0.6)
    log = store.path(torn.id) / EVENTS_FILE
    lines = log.read_text().splitlines(keepends=True)
    log.write_text("".join(line for line in lines if '"kind":"epoch"' not in line or '"epoch":50,' not in line))
    (only,) = read(store)
    assert only.config == whole.config


def test_settings_that_are_not_tried_have_columns_where_they_are_not_as_by_default(run: Run, store: Store) -> None:
    def columns() -> list[str]:
        return readings.other_settings(read(store))

    write_run(store, config(learning_rate="0.003"), final=0.6)
    write_run(store, config(variant="tanh", front_end="same32"), final=0.6)
    assert columns() == [], "what the protocol tries and what a front end or an experiment brings is said already"
    write_run(store, config(data="cifar100"), final=0.6)
    write_run(store, config(momentum="0.5"), final=0.6)
    write_run(store, config(weight_decay="0.001"), final=0.6)
    assert columns() == ["data", "momentum", "weight_decay"]
    lines = run("study", "readings").out.splitlines()
    assert [word for word in ("data", "momentum", "weight") if word in lines[0] + lines[1]] == [
        "data",
        "momentum",
        "weight",
    ]
    assert sum("cifar100" in line for line in lines) == 1


def test_the_command_prints_the_table_and_says_that_it_proves_nothing(run: Run, store: Store) -> None:
    nothing = run("study", "readings").err
    assert " study new NAME --protocol readings --seeds 1` plans them" in nothing
    write_run(store, config(learning_rate="0.003"), final=0.6)
    write_run(store, config(variant="tanh"), final=0.6)
    shown = run("study", "readings")
    assert shown.code == 0
    assert "59.33" in shown.out
    assert "proves nothing" in shown.err
    found = json.loads(run("study", "readings", "--json").out)["readings"]
    assert [(one["experiment"], one["settings"]["learning rate"]) for one in found] == [
        ("baseline", "0.003"),
        ("tanh", "0.01"),
    ]
    assert found[0]["figures"]["max_test"]["published"] == 0.5933
