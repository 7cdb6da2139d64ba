"""Runs written without a trainer: the record on disk, as any trainer would leave it. No torch."""

import hashlib
import json
import math
import os
import random
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec

from alexnet_tui.config.architecture import num_parameters
from alexnet_tui.config.hyperparameters import DECIDING_FIELDS, RunConfig
from alexnet_tui.runs import event_log
from alexnet_tui.runs import events as ev
from alexnet_tui.runs.checkpoint_files import MANIFEST_FILE, WEIGHTS_FILE, sealed
from alexnet_tui.runs.record import RunRecord
from alexnet_tui.runs.run_files import EVENTS_FILE
from alexnet_tui.runs.store import Store

TRAIN_IMAGES, TEST_IMAGES = 1280, 10_000


def whole(accuracy: float, images: int) -> float:
    """An accuracy that so many images can have."""
    return round(accuracy * images) / images


def started(config: RunConfig, **changes: object) -> ev.Started:
    """The first event of a run on a data set of 1,280 training images: ten steps an epoch in batches of 128."""
    steps_per_epoch = math.ceil(TRAIN_IMAGES / config.batch_size)
    fields: dict[str, object] = {
        "device": "cpu",
        "device_class": "cpu",
        "precision": "fp32",
        "threads": 2,
        "versions": {"torch": "2.9.0", "python": "3.11.7", "alexnet_tui": "0.1.0"},
        "fingerprint": "cpu/fake/2",
        "data": config.data,
        "data_sha256": "ab" * 32,
        "num_classes": 10,
        "class_names": [f"class{index}" for index in range(10)],
        "num_train_images": TRAIN_IMAGES,
        "num_test_images": TEST_IMAGES,
        "num_val_images": TEST_IMAGES if config.split == "holdout" else 0,
        "num_train_eval_images": min(config.train_eval_images or TRAIN_IMAGES, TRAIN_IMAGES),
        "num_parameters": num_parameters(config.architecture(10)),
        "steps_per_epoch": steps_per_epoch,
        "total_steps": steps_per_epoch * config.epochs,
        "epochs": config.epochs,
        "commit": "c0ffee",
        "arithmetic": 3,
        "pid": 1,
    }
    fields["settings"] = {name: getattr(config, name) for name in DECIDING_FIELDS}
    return ev.Started(**{**fields, **changes})  # type: ignore[arg-type]


def a_step(epoch: int = 1, step: int = 1, **changes: object) -> ev.Step:
    """A step event of a run at its beginning."""
    fields: dict[str, object] = {
        "train_loss": 2.3,
        "train_accuracy": 0.5,
        "learning_rate": 0.01,
        "images_per_second": 640.0,
    }
    return ev.Step(epoch=epoch, step=step, **{**fields, **changes})  # type: ignore[arg-type]


def curve(epoch: int, epochs: int, *, final: float = 0.6, gap: float = 0.3, name: str = "") -> ev.Epoch:
    """A smooth epoch: test accuracy rises to `final`, training accuracy to `final + gap`; losses differ by `name`."""
    share = 1 - math.exp(-4 * epoch / epochs)
    extra = random.Random(f"{name} {epoch}").uniform(0, 1e-3) if name else 0.0
    test, train = 0.1 + (final - 0.1) * share, 0.1 + (final + gap - 0.1) * share
    return ev.Epoch(
        epoch=epoch,
        step=epoch * 10,
        train_loss=2.3 * (1 - 0.9 * share) + extra,
        train_accuracy=whole(train - 0.01, TRAIN_IMAGES),
        train_eval_loss=2.2 * (1 - 0.9 * share) + extra,
        train_eval_accuracy=whole(train, TRAIN_IMAGES),
        test_loss=2.3 - 1.1 * share + extra,
        test_accuracy=whole(test, TEST_IMAGES),
        learning_rate=0.01,
        train_seconds=2.0 * epoch,
        elapsed_seconds=2.5 * epoch,
        images_per_second=640.0,
    )


def make_older(store: Store, run_id: str, *, created: float) -> None:
    """Put a run's record and its events so far into the past that it was made at `created`."""
    record, log = (store.path(run_id) / name for name in ("run.json", EVENTS_FILE))
    content = json.loads(record.read_text())
    shift, content["created"] = created - content["created"], created
    record.write_text(json.dumps(content))
    events = [json.loads(line) for line in log.read_text().splitlines()]
    log.write_text("".join(json.dumps({**event, "wall": event["wall"] + shift}) + "\n" for event in events))


def write_run(
    store: Store,
    config: RunConfig,
    *,
    epochs_done: int | None = None,
    final: float = 0.6,
    gap: float = 0.3,
    end: ev.Event | None = None,
    finish: bool = True,
    label: str = "",
    study: str = "",
    plan_sha256: str = "",
    change_started: dict[str, object] | None = None,
    change_epoch: Callable[[ev.Epoch], None] = lambda epoch: None,
) -> RunRecord:
    """Create a run and write its events; finished unless the other arguments say otherwise."""
    record = store.create(config, label=label, study=study, plan_sha256=plan_sha256)
    done = config.epochs if epochs_done is None else epochs_done
    with open_writer(store.path(record.id)) as writer:
        writer.write(started(config, **(change_started or {})))
        for epoch in range(1, done + 1):
            for step in range(epoch * 10 - 9, epoch * 10 + 1):
                loss = 2.3 * math.exp(-step / (10 * config.epochs))
                writer.write(a_step(epoch, step, train_loss=loss))
            row = curve(epoch, config.epochs, final=final, gap=gap, name=f"{config.variant} {config.seed}")
            change_epoch(row)
            writer.write(row)
        if end is not None:
            writer.write(end)
        elif finish and done == config.epochs:
            writer.write(ev.Finished(epoch=done, step=10 * done, train_seconds=2.0 * done, elapsed_seconds=2.5 * done))
    return record


def write_checkpointed(
    store: Store, config: RunConfig, *, epochs_done: int | None = None, checkpoints: Iterable[int] = ()
) -> str:
    """A finished run with a checkpoint of its last epoch, and of those that are named; its id."""
    epochs = epochs_done or config.epochs
    run_id = write_run(store, config, epochs_done=epochs, finish=False).id
    with open_writer(store.path(run_id), next_seq=1 + 11 * epochs) as writer:
        for epoch in (*checkpoints, epochs):
            write_checkpoint(store.path(run_id) / "checkpoints" / f"e{epoch:04}")
            writer.write(ev.Checkpoint(epoch=epoch, step=10 * epoch, name=f"e{epoch:04}", size_bytes=7, seconds=0.1))
        writer.write(ev.Finished(epoch=epochs, step=10 * epochs, train_seconds=4.0, elapsed_seconds=5.0))
    return run_id


def write_checkpoint(folder: Path, weights: bytes = b"weights") -> None:
    """A checkpoint that is whole, of what are no weights."""
    folder.mkdir(parents=True)
    (folder / WEIGHTS_FILE).write_bytes(weights)
    manifest = {"seal": "", "size_bytes": len(weights), "sha256": hashlib.sha256(weights).hexdigest()}
    (folder / MANIFEST_FILE).write_bytes(sealed(msgspec.json.encode(manifest)))


class open_writer:
    """An `EventWriter` on a run directory's events file, closed at the end of the block."""

    def __init__(self, directory: Path, **options: Any) -> None:
        self._descriptor = os.open(directory / EVENTS_FILE, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        self._writer = event_log.EventWriter(self._descriptor, **options)

    def __enter__(self) -> event_log.EventWriter:
        return self._writer

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)
