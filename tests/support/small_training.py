"""A small real training run in this process, and what must repeat of it."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.datasets.prepare import load_dataset
from alexnet_tui.folder import Folder
from alexnet_tui.runs import events as ev
from alexnet_tui.train import checkpoint
from alexnet_tui.train.images import data
from alexnet_tui.train.loop import Trainer
from alexnet_tui.train.machine.device import DeviceSetup, select_device
from alexnet_tui.train.update.cuda_graph import Recorder
from alexnet_tui.train.update.distributed import ALONE, Ranks
from alexnet_tui.train.update.step import recorder_for

SMALL = {
    "data": "synthetic",
    "train_images": "96",
    "train_eval_images": "32",
    "batch_size": "32",
    "epochs": "2",
    "log_steps": "2",
    "threads": "1",
}


def trainer(
    folder: Path,
    should_stop: Callable[[], bool] = lambda: False,
    data_sha256: str = "d",
    ranks: Ranks = ALONE,
    make_recorder: Callable[[DeviceSetup, Ranks], Recorder | None] = recorder_for,
    fields: Mapping[str, str] = MappingProxyType({}),
    **more: str,
) -> Trainer:
    config = RunConfig.from_text({**SMALL, **fields, **more})
    setup = select_device(config)
    dataset = load_dataset("synthetic", 32)
    parts = data.prepare(dataset, config, setup)
    # 32 test images are enough to tell two networks apart.
    parts = data.Data(parts.train, parts.train_eval, cut(parts.test), parts.val and cut(parts.val), parts.batches)
    return Trainer(
        config,
        parts,
        setup,
        num_classes=10,
        data_sha256=data_sha256,
        folder=opened(folder) if ranks.is_first else None,
        should_stop=should_stop,
        ranks=ranks,
        make_recorder=make_recorder,
    )


def opened(path: Path) -> Folder:
    path.mkdir(exist_ok=True)
    return Folder(path)


def newest(path: Path, subject: Trainer) -> checkpoint.State | None:
    return checkpoint.load_newest(opened(path), subject.expected_checkpoint(), [])


def cut(images: data.Images) -> data.Images:
    return data.Images(images.pixels_NCHW[:32], images.labels_N[:32])


def numbers(events: list[ev.Event]) -> list[tuple[object, ...]]:
    """What must repeat: everything of steps and epochs but the clock."""
    rows: list[tuple[object, ...]] = []
    for event in events:
        if isinstance(event, ev.Step):
            rows.append((event.epoch, event.step, event.train_loss, event.train_accuracy, event.learning_rate))
        if isinstance(event, ev.Epoch):
            rows.append((event.epoch, event.step, event.train_loss, event.train_eval_loss, event.test_loss))
            rows.append((event.train_accuracy, event.train_eval_accuracy, event.test_accuracy, event.val_loss))
    return rows


def never() -> bool:
    """Asked to stop: no."""
    return False


def stop_before(poll: int) -> Callable[[], bool]:
    """Says stop from the `poll`-th time it is asked."""
    polls = iter(range(1, 10_000))
    return lambda: next(polls) >= poll
