"""A runs folder to draw pictures of: five seeds of every variant, and runs that are live, stopped and failed.

The curves are drawn from formulas with noise of a fixed seed, not measured; ids, clocks and host are fixed, so
that every picture of them is the same on every machine and on every day.
"""

import itertools
import json
import math
import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import msgspec
import numpy as np
from fake_runs import started

from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.datasets import cache as pixel_cache
from alexnet_tui.datasets import catalog as data_catalog
from alexnet_tui.locks import take_lock
from alexnet_tui.runs import events as ev
from alexnet_tui.runs.notes import Notes
from alexnet_tui.runs.record import RunRecord
from alexnet_tui.runs.run_files import EVENTS_FILE, KERNELS, kernels_file
from alexnet_tui.runs.store import Store
from alexnet_tui.studies import planning
from alexnet_tui.studies.plan import Plan

NOW = 1_773_500_960.0  # 14 March 2026, 15:09:20 UTC
HOST = "workstation"
STUDY = "cifar10"
SEEDS = 5
_EPOCHS, _STEPS_PER_EPOCH, _TEST_IMAGES = 100, 391, 10_000
_IMAGES_PER_SECOND, _OTHER_SECONDS = 4600.0, 1.3
_FEW, _MANY = 2, 12


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """How a run of a kind learns.

    Attributes:
        t25: Epoch at which a quarter of the training images are still wrong.
        best: Test accuracy it settles at.
        pace: Epochs in which test accuracy makes most of its way.
        overfit: How much the test loss rises again.
        speed: Images per second, as a share of the baseline's.
    """

    t25: float
    best: float
    pace: float
    overfit: float
    speed: float = 1.0


SHAPES = {
    "baseline": Shape(t25=33, best=0.617, pace=6.5, overfit=1.3),
    "low-dropout": Shape(t25=12, best=0.601, pace=4.0, overfit=2.9, speed=1.02),
    "tanh": Shape(t25=42, best=0.574, pace=9.0, overfit=1.0, speed=0.97),
    "four-conv": Shape(t25=28, best=0.620, pace=5.5, overfit=1.2, speed=1.18),
}


class Curve:
    """The measurements of one run, epoch by epoch.

    Args:
        shape: How it learns.
        seed: Of the noise.
        epochs: Epochs it trains.
    """

    def __init__(self, shape: Shape, seed: int, epochs: int = _EPOCHS) -> None:
        self.shape, self.epochs = shape, epochs
        self.noise = random.Random(f"{shape} {seed}")
        self.luck = self.noise.gauss(0, 1)
        self.drift = 0.0
        self.train_seconds = self.elapsed_seconds = 0.0

    def train_share(self, epoch: float) -> float:
        """Training accuracy in evaluation mode, without its noise."""
        scale = self.shape.t25 * (1 + 0.04 * self.luck) / 1.413
        return 0.1 + 0.895 * (1 - math.exp(-((epoch / scale) ** 0.75)))

    def loss(self, epoch: float) -> float:
        """Training loss, without its noise."""
        return 0.02 + 2.42 * (1 - self.train_share(epoch) + 0.045)

    def rate(self) -> float:
        """Images a second, never twice the same."""
        return round(_IMAGES_PER_SECOND * self.shape.speed * (1 + self.noise.gauss(0, 0.012)), 1)

    def row(self, epoch: int, learning_rate: float) -> ev.Epoch:
        """The next epoch."""
        noise, shape = self.noise, self.shape
        self.drift = 0.5 * self.drift + noise.gauss(0, 0.0042)
        rise = 1 - math.exp(-((epoch / shape.pace) ** 0.8))
        test = 0.1 + (shape.best + 0.004 * self.luck - 0.1) * rise + self.drift * (1 + 3 / epoch)
        train = self.train_share(epoch) + noise.gauss(0, 0.003)
        overfit = shape.overfit * max(0.0, (epoch - 1.5 * shape.pace) / 90) ** 1.15
        rate = self.rate()
        seconds = _STEPS_PER_EPOCH * 128 / rate
        self.train_seconds += seconds
        self.elapsed_seconds += seconds + _OTHER_SECONDS
        return ev.Epoch(
            epoch=epoch,
            step=epoch * _STEPS_PER_EPOCH,
            train_loss=round(self.loss(epoch - 0.5) * (1 + noise.gauss(0, 0.008)), 4),
            train_accuracy=round(train - 0.035 - 0.04 * math.exp(-epoch / 12), 4),
            train_eval_loss=round(self.loss(epoch) * 0.86, 4),
            train_eval_accuracy=round(min(train, 0.9995), 4),
            test_loss=round(1.14 + 0.95 * math.exp(-epoch / shape.pace) + overfit + noise.gauss(0, 0.018), 4),
            test_accuracy=round(test * _TEST_IMAGES) / _TEST_IMAGES,
            learning_rate=learning_rate,
            train_seconds=round(self.train_seconds, 2),
            elapsed_seconds=round(self.elapsed_seconds, 2),
            images_per_second=rate,
        )

    def steps(self, epoch: int, count: int, learning_rate: float) -> Iterator[ev.Step]:
        """The reports within one epoch."""
        for index in range(1, count + 1):
            share = epoch - 1 + index / count
            yield ev.Step(
                epoch=epoch,
                step=round(share * _STEPS_PER_EPOCH),
                train_loss=round(self.loss(share) * (1 + self.noise.gauss(0, 0.07)), 4),
                train_accuracy=round(min(1.0, self.train_share(share) - 0.03 + self.noise.gauss(0, 0.03)), 4),
                learning_rate=learning_rate,
                images_per_second=self.rate(),
            )


@dataclass(frozen=True, slots=True)
class Ended:
    """Where a run's record breaks off, and its last word; a live run has none."""

    epochs: int
    final: ev.Event | None = None
    steps: int = 0


def write(store: Store) -> list[str]:
    """Write all runs; returns their ids in the order they were made, the live one last."""
    found, minutes = [], 23 * 60.0
    with patch("time.time", lambda: NOW - 24 * 3600):
        plan = planning.plan_variants(store, STUDY, variants=tuple(SHAPES), seeds=range(SEEDS))
    for config in sorted(plan.configs, key=lambda config: config.seed):
        found.append(_write_run(store, config, NOW - 60 * minutes, plan=plan))
        minutes -= 20
    return found + list(_write_others(store))


def _write_others(store: Store) -> Iterator[str]:
    """Runs beside the study: one that diverged, one that was stopped, one that is being trained."""
    fast = RunConfig.from_text({"variant": "low-dropout", "learning_rate": "0.2", "seed": "7"})
    diverged = ev.Failed(
        reason="diverged",
        message="the loss is not finite at step 1,104; a smaller learning rate or batch may help.",
        epoch=2,
        step=1104,
    )
    yield _write_run(store, fast, NOW - 7200, label="does it still learn?", ended=Ended(2, diverged, 9))
    padded = RunConfig.from_text({"front_end": "same32", "schedule": "step", "seed": "7"})
    stopped = ev.Stopped(epoch=37, step=37 * _STEPS_PER_EPOCH, reason="SIGTERM")
    better = Shape(t25=16, best=0.708, pace=5, overfit=0.8, speed=0.42)
    notes = Notes(tags=["padded"], note="same network, padded: ten points more")
    yield _write_run(
        store, padded, NOW - 5400, label="padded front end", ended=Ended(37, stopped), shape=better, notes=notes
    )
    slow = RunConfig.from_text({"variant": "tanh", "learning_rate": "0.02", "seed": "0"})
    eager = Shape(t25=30, best=0.583, pace=6.2, overfit=1.2, speed=0.97)
    yield _write_run(store, slow, NOW - 790, label="tanh, twice the rate", ended=Ended(64, None, 7), shape=eager)


def _write_run(
    store: Store,
    config: RunConfig,
    created: float,
    *,
    label: str = "",
    plan: Plan | None = None,
    ended: Ended | None = None,
    shape: Shape | None = None,
    notes: Notes | None = None,
) -> str:
    stamp = time.strftime("%m%d-%H%M%S", time.gmtime(created))
    record = RunRecord(
        id=f"{config.variant}-s{config.seed}-{stamp}",
        created=created,
        label=label,
        config=config,
        package_version="0.1.0",
        commit="c0ffee123456",
        argv=["alexnet-tui", "run", config.variant, "--seed", str(config.seed)],
        host=HOST,
        study=plan.name if plan else "",
        plan_sha256=plan.sha256 if plan else "",
    )
    directory = store.root / record.id
    directory.mkdir(parents=True)
    (directory / "run.json").write_text(json.dumps(msgspec.to_builtins(record)))
    if notes is not None:
        (directory / "notes.json").write_bytes(msgspec.json.encode(notes))
    events = list(_events(config, shape or SHAPES[config.variant], ended or Ended(config.epochs)))
    # A run that goes on said its last word a moment ago.
    last = NOW - 1.4 if ended is not None and ended.final is None else created + 12.3 * config.epochs
    content = bytearray()
    for seq, event in enumerate(events):
        event.seq = seq
        event.wall = round(created + (last - created) * (seq + 1) / len(events), 3)
        event.t = round(event.wall - created, 3)
        content += ev.encode(event)
    (directory / EVENTS_FILE).write_bytes(content)
    return record.id


def _events(config: RunConfig, shape: Shape, ended: Ended) -> Iterator[ev.Event]:
    rate = config.learning_rate
    curve = Curve(shape, config.seed)
    count = _MANY if ended.final is None and ended.steps else _FEW
    yield started(
        config,
        steps_per_epoch=_STEPS_PER_EPOCH,
        total_steps=_STEPS_PER_EPOCH * config.epochs,
        device_class="cpu",
        threads=8,
        precision="bf16",
        data_sha256="5a" * 32,
        num_train_images=50_000,
        num_test_images=_TEST_IMAGES,
        num_train_eval_images=10_000,
        commit="c0ffee123456",
    )
    for epoch in range(1, ended.epochs + 1):
        yield from curve.steps(epoch, count, rate)
        yield curve.row(epoch, rate)
        if epoch % config.checkpoint_epochs == 0:
            step = epoch * _STEPS_PER_EPOCH
            yield ev.Checkpoint(epoch=epoch, step=step, name=f"e{epoch:04d}", size_bytes=490_000_000, seconds=0.4)
    yield from list(curve.steps(ended.epochs + 1, count, rate))[: ended.steps]
    yield ev.System(cpu_percent=782.0, memory_bytes=2_470_000_000)
    if ended.final is not None:
        yield ended.final
    elif ended.epochs == config.epochs:
        yield ev.Finished(
            epoch=config.epochs,
            step=config.epochs * _STEPS_PER_EPOCH,
            train_seconds=round(curve.train_seconds, 2),
            elapsed_seconds=round(curve.elapsed_seconds, 2),
        )


def write_pictures(run: Path, num_classes: int = 10) -> None:
    """Kernels of a few epochs, bars that turn out of noise, and answers on a few test images."""
    noise = random.Random(0)
    (run / KERNELS).mkdir()
    for epoch in (0, 1, 5, 30):
        steps = np.zeros((96, 3, 11, 11), np.int8)
        for index, tint in enumerate(noise.choices(((1, 1, 1), (1, 1, 1), (1, -1, 0), (-1, 0, 1)), k=96)):
            wide, is_across = 1 + index % 4, index // 4 % 2
            for down, across in itertools.product(range(11), range(11)):
                is_noise = noise.random() < 1 / (1 + epoch)
                sign = (
                    noise.choice((-127, 127)) if is_noise else 127 - 254 * ((across if is_across else down) // wide % 2)
                )
                steps[index, :, down, across] = [sign * part for part in tint]
        np.savez(run / KERNELS / kernels_file(epoch), kernels=steps, scale=np.full(96, 0.01, np.float32))
    labels, answers = [], []
    for label, _ in itertools.product(range(num_classes), range(100)):
        order = sorted(range(num_classes), key=lambda one: -noise.random() - 0.5 * (one == label))
        labels.append(label)
        answers.append(order[:5])
    shares = np.tile(np.array([0.6, 0.2, 0.1, 0.06, 0.04], np.float16), (len(labels), 1))
    np.savez_compressed(
        run / "predictions.npz",
        labels=np.array(labels, np.int32),
        top_classes=np.array(answers, np.int32),
        top_probabilities=shares,
        conv1_filters=np.zeros((96, 3, 11, 11), np.float32),
    )


def write_data(root: Path) -> None:
    """A data folder in which CIFAR-10 looks ready; there is nothing in it."""
    source = data_catalog.Source(
        kind="torchvision",
        added=NOW,
        sha256="5a" * 32,
        native_size=32,
        num_train=50_000,
        num_test=_TEST_IMAGES,
        num_classes=10,
    )
    data_catalog.write_source(root, "cifar10", source)
    cache = data_catalog.cache_path(root, "cifar10", source, 32)
    cache.mkdir()
    size = 60_000 * 32 * 32 * 3
    with (cache / "train-images.npy").open("wb") as file:
        file.truncate(size)  # A hole takes no room.
    manifest = pixel_cache.Manifest(
        sha256=source.sha256,
        image_size=32,
        class_names=[f"class{index}" for index in range(10)],
        num_train=source.num_train,
        num_test=source.num_test,
        mean=(0.5, 0.5, 0.5),
        std=(0.25, 0.25, 0.25),
        files={"train-images.npy": pixel_cache.FileRecord(sha256="5a" * 32, size_bytes=size)},
    )
    (cache / pixel_cache.MANIFEST_FILE).write_bytes(msgspec.json.encode(manifest))


@contextmanager
def trained(store: Store, run_id: str) -> Iterator[None]:
    """While it lasts, somebody holds the lock of a run."""
    descriptor = take_lock(store.path(run_id))
    try:
        yield
    finally:
        os.close(descriptor)
