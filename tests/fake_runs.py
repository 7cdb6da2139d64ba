"""Runs written without a trainer: the record on disk, as any trainer would leave it. No torch."""

import math
import os
from collections.abc import Callable
from pathlib import Path

from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.runs import event_log
from alexnet_tui.runs import events as ev
from alexnet_tui.runs.store import EVENTS_FILE, RunRecord, Store


def started(config: RunConfig, **changes: object) -> ev.Started:
    """The first event of a run on the data set `fake` of 1,280 training images: ten steps an epoch."""
    steps_per_epoch = 10
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
        "num_train_images": 1280,
        "num_test_images": 256,
        "num_train_eval_images": 256,
        "num_parameters": 24_000_000,
        "steps_per_epoch": steps_per_epoch,
        "total_steps": steps_per_epoch * config.epochs,
        "epochs": config.epochs,
        "commit": "c0ffee",
        "pid": 1,
    }
    return ev.Started(**{**fields, **changes})  # type: ignore[arg-type]


def curve(epoch: int, epochs: int, *, final: float = 0.6, gap: float = 0.3) -> ev.Epoch:
    """A smooth epoch: test accuracy rises to `final`, training accuracy to `final + gap`."""
    share = 1 - math.exp(-4 * epoch / epochs)
    test, train = 0.1 + (final - 0.1) * share, 0.1 + (final + gap - 0.1) * share
    return ev.Epoch(
        epoch=epoch,
        step=epoch * 10,
        train_loss=2.3 * (1 - 0.9 * share),
        train_accuracy=train - 0.01,
        train_eval_loss=2.2 * (1 - 0.9 * share),
        train_eval_accuracy=train,
        test_loss=2.3 - 1.1 * share,
        test_accuracy=test,
        learning_rate=0.01,
        train_seconds=2.0 * epoch,
        elapsed_seconds=2.5 * epoch,
        images_per_second=640.0,
    )


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
    change_started: dict[str, object] | None = None,
    change_epoch: Callable[[ev.Epoch], None] = lambda epoch: None,
) -> RunRecord:
    """Create a run and write its events; finished unless the other arguments say otherwise."""
    record = store.create(config, label=label, study=study)
    done = config.epochs if epochs_done is None else epochs_done
    with open_writer(store.path(record.id)) as writer:
        writer.write(started(config, **(change_started or {})))
        for epoch in range(1, done + 1):
            for step in range(epoch * 10 - 9, epoch * 10 + 1):
                loss = 2.3 * math.exp(-step / (10 * config.epochs))
                writer.write(
                    ev.Step(
                        epoch=epoch,
                        step=step,
                        train_loss=loss,
                        train_accuracy=0.5,
                        learning_rate=0.01,
                        images_per_second=640.0,
                    )
                )
            row = curve(epoch, config.epochs, final=final, gap=gap)
            change_epoch(row)
            writer.write(row)
        if end is not None:
            writer.write(end)
        elif finish and done == config.epochs:
            writer.write(ev.Finished(epoch=done, step=10 * done, train_seconds=2.0 * done, elapsed_seconds=2.5 * done))
    return record


class open_writer:
    """An `EventWriter` on a run directory's events file, closed at the end of the block."""

    def __init__(self, directory: Path, *, attempt: int = 1, next_seq: int = 0) -> None:
        self._descriptor = os.open(directory / EVENTS_FILE, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        self._writer = event_log.EventWriter(self._descriptor, attempt=attempt, next_seq=next_seq)

    def __enter__(self) -> event_log.EventWriter:
        return self._writer

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)
