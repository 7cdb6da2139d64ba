"""The layer table, memory and time of a run that does not exist yet."""

import platform
from collections.abc import Mapping
from types import MappingProxyType

import msgspec
import pytest
from fake_runs import write_run

from alexnet_tui.analysis import network_size, time_estimate
from alexnet_tui.config.architecture import Architecture, FrontEnd
from alexnet_tui.config.front_ends import FRONT_ENDS
from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.runs.follow import load
from alexnet_tui.runs.history import RunHistory
from alexnet_tui.runs.store import Store

PAPER = FrontEnd(image_size=224, conv1_padding=2, summary="the 2012 paper's")


def table(config: RunConfig) -> list[network_size.LayerRow]:
    return network_size.layer_table(config.architecture(10))


@pytest.mark.parametrize(("groups", "parameters"), [(2, 60_965_224), (1, 62_378_344)])
def test_parameters_of_the_paper(groups: int, parameters: int) -> None:
    rows = network_size.layer_table(Architecture(front_end=PAPER, groups=groups, num_classes=1000))
    assert sum(row.num_parameters for row in rows) == parameters


@pytest.mark.parametrize(
    ("front_end", "sides"),
    [
        ("literal32", [32, 6, 2, 2, 1, 1, 1, 1, 1]),
        ("same32", [32, 8, 8, 4, 4, 4, 2, 2, 2, 2, 1]),
        ("resize227", [227, 55, 55, 27, 27, 27, 13, 13, 13, 13, 6]),
        ("cifar3x3", [32, 32, 16, 16, 8, 8, 8, 8, 4]),
    ],
)
def test_maps_of_each_front_end(front_end: str, sides: list[int]) -> None:
    rows = table(RunConfig.from_text({"front_end": front_end}))
    assert [row.shape[1] for row in rows if len(row.shape) == 3] == sides


def test_layer_rows_name_what_they_do() -> None:
    rows = {row.name: row for row in table(RunConfig.from_text({"front_end": "same32"}))}
    assert rows["conv 2  5x5/1 x2"].shape == (256, 4, 4)
    assert rows["conv 2  5x5/1 x2"].num_parameters == 307_456
    assert rows["dense 8"].shape == (10,)
    assert rows["dense 8"].num_multiply_adds == 40_960


def test_multiply_adds_of_the_paper_are_its_known_figure() -> None:
    alexnet = Architecture(front_end=PAPER, groups=2, num_classes=1000)
    assert 700e6 < network_size.num_multiply_adds(alexnet) < 730e6


def test_a_removed_layer_leaves_no_row() -> None:
    names = [row.name for row in table(RunConfig(removed_conv_layer="4"))]
    assert [name for name in names if name.startswith("conv")] == [
        "conv 1  11x11/4",
        "conv 2  5x5/1",
        "conv 3  3x3/1",
        "conv 5  3x3/1",
    ]


def test_steps_and_images() -> None:
    assert time_estimate.steps_per_epoch(RunConfig(), 50_000) == 391
    assert time_estimate.num_train_images(RunConfig(split="holdout"), 50_000) == 45_000
    # The validation images are taken from all images, before a part of the rest is chosen for training.
    assert time_estimate.num_train_images(RunConfig(split="holdout", train_images=10_000), 50_000) == 10_000
    assert time_estimate.num_train_images(RunConfig(split="holdout", train_images=48_000), 50_000) == 45_000
    assert RunConfig(split="holdout", train_images=10_000).num_val_images(50_000) == 5_000
    assert RunConfig(split="paper").num_val_images(50_000) == 0
    assert time_estimate.num_train_images(RunConfig(train_images=1000), 50_000) == 1000
    assert time_estimate.num_train_images(RunConfig(train_images=10**6), 50_000) == 50_000


def test_memory_grows_with_the_batch_and_holds_three_copies_of_the_weights() -> None:
    small, large, largest = (
        network_size.memory_bytes(RunConfig(batch_size=size), 10, 1025) for size in (1, 1025, 65_536)
    )
    assert largest == large  # An update has the images that there are.
    assert small > 3 * 4 * sum(row.num_parameters for row in table(RunConfig()))
    units = sum(1 if len(row.shape) == 1 else row.shape[1] ** 2 for row in table(RunConfig()))
    assert large - small > 1024 * 8 * units


SIZES = {"num_train": 1280, "num_test": 10_000}
"""The data set of `write_run`, of which an epoch has ten steps and takes 2.5 seconds."""


def past(store: Store, config: RunConfig, epochs_done: int = 10, **changes: object) -> RunHistory:
    config = msgspec.structs.replace(config, epochs=epochs_done)
    return load(store, write_run(store, config, change_started=changes or None).id)[0]


def test_time_of_the_same_network_scales_with_images_and_epochs(store: Store) -> None:
    history = past(store, RunConfig(epochs=4))
    sizes = {"num_train": 2560, "num_test": 4_000}
    found = time_estimate.estimate_time(RunConfig(epochs=10), [history], host=platform.node(), **sizes)
    assert found is not None
    # An image that is only evaluated, of the test images or of those trained on, makes a third of the work.
    seconds = 2.5 * (2560 + (2560 + 4_000) / 3) / (1280 + (1280 + 10_000) / 3)
    assert found.seconds_per_epoch == pytest.approx(seconds)
    assert found.total_seconds == pytest.approx(10 * seconds)
    assert found.basis == "1 run of this network here"
    assert not found.is_rough


def test_dropout_and_seed_do_not_change_the_time(store: Store) -> None:
    runs = [past(store, RunConfig(epochs=4, seed=seed, dropout=0.1)) for seed in range(3)]
    found = time_estimate.estimate_time(RunConfig(), runs, host=platform.node(), **SIZES)
    assert found is not None
    assert found.basis == "3 runs of this network here"


def test_another_front_end_is_scaled_by_its_work_and_called_rough(store: Store) -> None:
    runs = [past(store, RunConfig(epochs=4))]
    config = RunConfig.from_text({"front_end": "cifar3x3", "epochs": "4"})
    found = time_estimate.estimate_time(config, runs, host=platform.node(), **SIZES)
    assert found is not None
    assert found.is_rough
    ratio = network_size.num_multiply_adds(config.architecture(10)) / network_size.num_multiply_adds(
        RunConfig().architecture(10)
    )
    assert found.seconds_per_epoch == pytest.approx(2.5 * ratio)
    assert "another network" in found.basis


def test_the_same_network_is_preferred(store: Store) -> None:
    runs = [past(store, RunConfig(activation="tanh", epochs=4)), past(store, RunConfig(epochs=4))]
    found = time_estimate.estimate_time(RunConfig(), runs, host=platform.node(), **SIZES)
    assert found is not None
    assert found.basis == "1 run of this network here"


def test_runs_of_a_few_steps_do_not_count(store: Store) -> None:
    short, steps = past(store, RunConfig(), epochs_done=2), past(store, RunConfig(seed=1), epochs_done=10)
    slow = past(store, RunConfig(seed=2), epochs_done=2)
    slow.epochs.columns["elapsed_seconds"][-1] = 60.0
    assert time_estimate.estimate_time(RunConfig(), [short, short], host=platform.node(), **SIZES) is None
    for runs, seconds in (([short, steps], 2.5), ([short, slow], 30.0)):
        found = time_estimate.estimate_time(RunConfig(), runs, host=platform.node(), **SIZES)
        assert found is not None
        assert found.basis == "1 run of this network here"
        assert found.seconds_per_epoch == pytest.approx(seconds)


@pytest.mark.parametrize("wanted", [RunConfig(precision="bf16"), RunConfig(threads=7), RunConfig(device="mps")])
def test_other_arithmetic_threads_or_device_do_not_count(store: Store, wanted: RunConfig) -> None:
    history = past(store, RunConfig(epochs=4))
    assert time_estimate.estimate_time(wanted, [history], host=platform.node(), **SIZES) is None


def test_what_auto_turned_out_to_be_counts(store: Store) -> None:
    history = past(store, RunConfig(epochs=4), precision="bf16", threads=8)
    wanted = RunConfig(precision="bf16", threads=8)
    assert time_estimate.estimate_time(wanted, [history], host=platform.node(), **SIZES) is not None


def test_runs_from_elsewhere_or_without_an_epoch_do_not_count(store: Store) -> None:
    history = past(store, RunConfig(epochs=4))
    assert time_estimate.estimate_time(RunConfig(), [history], host="elsewhere", **SIZES) is None
    empty = load(store, write_run(store, RunConfig(epochs=4), epochs_done=0).id)[0]
    assert time_estimate.estimate_time(RunConfig(), [empty], host=platform.node(), **SIZES) is None


def test_the_time_of_several_runs_is_said_to_come_from_all_that_it_comes_from(store: Store) -> None:
    relu = [past(store, RunConfig(epochs=4, seed=seed)) for seed in range(3)]
    tanh = [past(store, RunConfig(epochs=4, activation="tanh", seed=seed)) for seed in range(2)]
    known = relu + tanh

    def basis(*configs: RunConfig, step_seconds: Mapping[tuple[object, ...], float] = MappingProxyType({})) -> str:
        found = time_estimate.total_time(configs, known, host=platform.node(), step_seconds=step_seconds)
        assert found is not None
        return found[1]

    networks = RunConfig(), RunConfig(dropout=0.1), RunConfig(activation="tanh")
    assert basis(*networks[:2]) == "3 runs of this network here"
    assert basis(*networks) == "5 runs here"
    assert basis(*networks, RunConfig(removed_conv_layer="4")) == "5 runs here, some scaled"
    timed = {time_estimate.step_settings(networks[0]): 0.1}
    assert basis(networks[0], step_seconds=timed) == "five steps timed here"
    assert basis(*networks, step_seconds=timed) == "2 runs here and five steps timed here"


def test_time_of_steps_counts_evaluation_at_a_third() -> None:
    config = RunConfig(epochs=3, batch_size=100, split="holdout", train_images=10_000, train_eval_images=500)
    found = time_estimate.time_of_steps(config, 2.0, num_train=50_000, num_test=1_000)
    # 10,000 images trained; 500 of them, 5,000 held back and 1,000 test images evaluated.
    assert found.seconds_per_epoch == pytest.approx(2.0 / 100 * (10_000 + 6_500 / 3))
    assert found.total_seconds == pytest.approx(3 * found.seconds_per_epoch)
    assert found.is_rough


@pytest.mark.parametrize("change", [{"seed": 7}, {"epochs": 3}, {"learning_rate": 0.5}, {"data": "synthetic"}])
def test_runs_whose_steps_take_the_same(change: dict[str, object]) -> None:
    assert time_estimate.step_settings(RunConfig(**change)) == time_estimate.step_settings(RunConfig())  # type: ignore[arg-type]


@pytest.mark.parametrize("change", [{"batch_size": 7}, {"threads": 1}, {"precision": "bf16"}, {"lrn": True}])
def test_runs_whose_steps_take_another_time(change: dict[str, object]) -> None:
    assert time_estimate.step_settings(RunConfig(**change)) != time_estimate.step_settings(RunConfig())  # type: ignore[arg-type]


def test_every_front_end_has_a_table() -> None:
    for front_end in FRONT_ENDS.values():
        assert network_size.layer_table(Architecture(front_end=front_end))[-1].name == "dense 8"
