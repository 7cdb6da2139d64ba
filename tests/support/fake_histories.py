"""Finished runs in memory with chosen values: gap, last test accuracy and T25. No disk."""

import math
import random

from fake_runs import started

from alexnet_tui.config.architecture import num_parameters
from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.runs import events as ev
from alexnet_tui.runs.history import EPOCH_COLUMNS, RunHistory
from alexnet_tui.runs.record import RunRecord

EPOCHS = 20
TRAIN_IMAGES, TEST_IMAGES = 50_000, 10_000


def make_history(
    variant: str = "baseline",
    seed: int = 0,
    *,
    final: float = 0.6,
    gap: float = 0.3,
    t25: float | None = 8.0,
    end: ev.Finished | ev.Failed | ev.Stopped | None = None,
    finish: bool = True,
    created: float = 1_700_000_000.0,
    run_id: str = "",
    change_started: dict[str, object] | None = None,
    **fields: str,
) -> RunHistory:
    """A run of `EPOCHS` epochs; `t25` None means that the training error never falls to 25%."""
    config = RunConfig.from_text(
        {"variant": variant, "seed": str(seed), "epochs": str(EPOCHS), "data": "cifar10", **fields}
    )
    record = RunRecord(
        id=run_id or f"{variant}-{config.front_end}-s{seed}", created=created, config=config, commit="c0ffee"
    )
    history = RunHistory(record).fold([started(config, **{**_sizes(config), **(change_started or {})})])
    count = config.epochs
    epochs = [float(epoch) for epoch in range(1, count + 1)]
    train = [_train_accuracy(epoch, final + gap, t25) for epoch in epochs]
    test = [final * (1 - math.exp(-epoch)) if epoch <= count - 5 else final for epoch in epochs]
    noise = random.Random(f"{history.id} {config.seed}")
    jitter = [noise.uniform(0, 0.01) for _ in epochs]
    steps = history.segments[-1].steps_per_epoch
    values = {
        "epoch": epochs,
        "step": [steps * epoch for epoch in epochs],
        "train_accuracy": [_whole(value - 0.02, TRAIN_IMAGES) for value in train],
        "train_eval_accuracy": [_whole(value, TEST_IMAGES) for value in train],
        "test_accuracy": [_whole(value, TEST_IMAGES) for value in test],
        "train_loss": [2.3 * math.exp(-epoch / 9) + extra for epoch, extra in zip(epochs, jitter, strict=True)],
        "train_eval_loss": [2.2 * math.exp(-epoch / 9) + extra for epoch, extra in zip(epochs, jitter, strict=True)],
        "test_loss": [1.0 + abs(epoch - 9) / 20 + extra / 1e4 for epoch, extra in zip(epochs, jitter, strict=True)],
        "train_seconds": [2 * epoch for epoch in epochs],
        "elapsed_seconds": [2.5 * epoch for epoch in epochs],
        "learning_rate": [config.learning_rate] * count,
        "images_per_second": [TRAIN_IMAGES / 2] * count,
    }
    for name in EPOCH_COLUMNS:
        history.epochs.columns[name].extend(values.get(name, [math.nan] * count))
    if end is None and finish:
        end = ev.Finished(epoch=count, step=steps * count, train_seconds=2.0 * count, elapsed_seconds=2.5 * count)
    return history.fold([end] if end else [])


def _sizes(config: RunConfig) -> dict[str, object]:
    """What a `started` event says of CIFAR-10 and of this architecture."""
    images = config.train_images or TRAIN_IMAGES
    steps = math.ceil(images / config.batch_size)
    return {
        "num_train_images": images,
        "num_test_images": TEST_IMAGES,
        "num_val_images": 5_000 if config.split == "holdout" else 0,
        "num_train_eval_images": min(config.train_eval_images or images, images),
        "num_parameters": num_parameters(config.architecture(10)),
        "steps_per_epoch": steps,
        "total_steps": steps * config.epochs,
    }


def _whole(accuracy: float, images: int) -> float:
    """An accuracy that so many images can have."""
    return round(accuracy * images) / images


def _train_accuracy(epoch: float, highest: float, t25: float | None) -> float:
    if epoch > EPOCHS - 5:
        return highest
    if t25 is None:
        return min(highest, 0.7)
    return min(highest, 0.75 + 0.02 * (epoch - t25))


def diverged() -> ev.Failed:
    """The end of a run whose loss became infinite."""
    return ev.Failed(reason="diverged", message="the loss is not finite", epoch=3, step=30)


def study(
    seeds: int = 5, *, spread: float = 0.001, shift: dict[str, dict[str, float]] | None = None, **options: str
) -> list[RunHistory]:
    """Runs of all four variants; `shift` sets keyword arguments of `make_history` for a variant."""
    histories = []
    for variant in ("baseline", "low-dropout", "tanh", "four-conv"):
        chosen = {"final": 0.6, "gap": 0.3, "t25": 8.0, **(shift or {}).get(variant, {})}
        for seed in range(seeds):
            wobble = spread * ((seed * 7) % 5 - 2)
            histories.append(
                make_history(
                    variant,
                    seed,
                    final=chosen["final"] + wobble,
                    gap=chosen["gap"] + wobble,
                    t25=chosen["t25"] * (1 + wobble),
                    **options,  # type: ignore[arg-type]
                )
            )
    return histories


CLEAR = {
    "baseline": {"final": 0.60, "gap": 0.25, "t25": 6.0},
    "low-dropout": {"final": 0.58, "gap": 0.30, "t25": 6.0},
    "tanh": {"final": 0.58, "gap": 0.25, "t25": 9.0},
    "four-conv": {"final": 0.57, "gap": 0.25, "t25": 6.0},
}
"""Values under which all three claims hold."""


def study_without(variant: str) -> list[RunHistory]:
    """Runs under which all claims hold, of all variants but one."""
    return [run for run in study(shift=CLEAR) if run.record.config.variant != variant]


def speeds(tanh: list[float | None], relu: list[float | None]) -> list[RunHistory]:
    """Runs of two activations, a seed for each T25."""
    groups = {"tanh": tanh, "baseline": relu}
    return [
        make_history(group, seed, t25=t25, final=0.5 + seed / 1000, gap=0.3 if t25 else 0.1)
        for group, values in groups.items()
        for seed, t25 in enumerate(values)
    ]
