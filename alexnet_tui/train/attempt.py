"""An attempt at a run: its data loaded, its network built, its checkpoint restored, ready for the next update."""

import io
import math
import os
from collections.abc import Callable, Iterable, Iterator

import msgspec
import numpy as np
import torch
from torch import Tensor

from alexnet_tui import __version__
from alexnet_tui.config.architecture import num_parameters
from alexnet_tui.config.front_ends import FRONT_ENDS
from alexnet_tui.config.hyperparameters import DECIDING_FIELDS, RunConfig
from alexnet_tui.cores import num_cores
from alexnet_tui.datasets.prepare import Dataset, load_dataset
from alexnet_tui.folder import Folder
from alexnet_tui.runs import events as ev
from alexnet_tui.runs.history import RunHistory
from alexnet_tui.runs.provenance import package_commit
from alexnet_tui.runs.run_files import PREDICTIONS_FILE
from alexnet_tui.text import printable
from alexnet_tui.train import checkpoint
from alexnet_tui.train.images import data
from alexnet_tui.train.loop import Trainer
from alexnet_tui.train.machine.device import (
    ARITHMETIC,
    DeviceSetup,
    is_out_of_memory,
    select_device,
    threads_of_environment,
    versions,
)
from alexnet_tui.train.timing import MIN_UPDATES, time_threads
from alexnet_tui.train.update.distributed import ALONE, Ranks

_TOP = 5
_GIT_SECONDS = 60.0
"""On a busy machine or a slow disk git may take long, and of a run whose commit is not known nobody can say more."""


class Attempt(msgspec.Struct, frozen=True):
    """A trainer and the first events of its attempt."""

    trainer: Trainer
    opening_events: list[ev.Event]

    def save_predictions(self, folder: Folder, write: Callable[[ev.Event], None]) -> None:
        """Write ``predictions.npz``: the trained network's five likeliest classes of every test image.

        ``top_classes`` (N, 5) and ``top_probabilities`` (N, 5) are the five likeliest classes, ``labels`` (N,)
        the truth, ``conv1_filters`` (96, 3, k, k) the first layer's kernels.

        Args:
            folder: The run's.
            write: Gets an event now and then while the images are looked at.

        Raises:
            OSError: The disk is full or the folder cannot be written.
        """
        classes, probabilities, labels = [], [], []
        for logits_NK, labels_N in self.trainer.predict(self.trainer.data.test):
            top_NT = likeliest(logits_NK)
            classes.append(top_NT.to(torch.int32).cpu())
            probabilities.append(logits_NK.softmax(1).gather(1, top_NT).half().cpu())
            labels.append(labels_N.to(torch.int32).cpu())
            for event in self.trainer.due_position():
                write(event)
        buffer = io.BytesIO()
        np.savez_compressed(
            buffer,
            top_classes=torch.cat(classes).numpy(),
            top_probabilities=torch.cat(probabilities).numpy(),
            labels=torch.cat(labels).numpy(),
            conv1_filters=self.trainer.optimizer.master_weights[0].cpu().contiguous().numpy(),
        )
        folder.write(PREDICTIONS_FILE, buffer.getbuffer())


def likeliest(logits_NK: Tensor) -> Tensor:
    """The likeliest classes of each image, (N, at most 5); of equally likely ones the first, as accuracy takes them.

    Logits in bfloat16 are often equal, and ``topk`` gives equal ones in any order.
    """
    return logits_NK.argsort(dim=1, descending=True, stable=True)[:, :_TOP]


def begin_attempt(
    history: RunHistory,
    folder: Folder,
    *,
    should_stop: Callable[[], bool],
    from_scratch: bool = False,
    ranks: Ranks = ALONE,
) -> Attempt:
    """Load the data, build the network and restore the newest checkpoint that passes all checks.

    Args:
        history: What earlier attempts of the run wrote.
        should_stop: Called between updates.
        from_scratch: Set checkpoints and stored kernels aside, in folders beside the new ones.
        ranks: The processes that share each batch.

    Raises:
        PeerLostError: Another one of them has ended.
        DeviceError: The device is not there.
        DataTooLargeError: The images do not fit into memory.
        DatasetError: The data is not there or is not what it was.
        CheckpointError: There are checkpoints, and all are refused.
    """
    config = history.record.config
    # A resume with as many processes keeps the threads: numbers depend on them.
    threads = history.started.threads if history.started and history.started.processes == ranks.size else 0
    threads = threads if threads <= num_cores() else 0  # It began on a larger machine, or a stranger's record says so.
    setup = select_device(config, threads, ranks.size)
    dataset = load_dataset(config.data, FRONT_ENDS[config.front_end].image_size)
    prepared = _prepare(dataset, config, setup)
    thread_milliseconds: dict[int, float] = {}
    if not threads and _is_worth_timing(config, len(prepared.train)):
        # An update takes a batch, or all images where they are fewer.
        batch_size = min(config.batch_size, len(prepared.train))
        thread_milliseconds = time_threads(msgspec.structs.replace(config, batch_size=batch_size), setup)
        fastest = min(thread_milliseconds, key=thread_milliseconds.__getitem__, default=0)
        setup = select_device(config, fastest, ranks.size)
    trainer = Trainer(
        config,
        prepared,
        setup,
        num_classes=len(dataset.class_names),
        data_sha256=dataset.sha256,
        folder=folder if ranks.is_first else None,
        should_stop=should_stop,
        ranks=ranks,
    )
    started = _started(trainer, dataset, thread_milliseconds)
    problems: list[str] = []
    state = _newest_checkpoint(trainer, folder, problems, from_scratch=from_scratch)
    if state is not None:
        trainer.restore(state)
    opening: list[ev.Event] = [started, *_warnings(setup, problems)]
    if history.num_events:
        opening.append(_resumed(state, setup))
        again = range(trainer.epoch, history.num_epochs_done + 1)
        if again and not from_scratch:
            opening.append(ev.Warned(code="epochs_repeated", message=_repeated(again)))
    return Attempt(trainer, opening)


def _prepare(dataset: Dataset, config: RunConfig, setup: DeviceSetup) -> data.Data:
    """The images on the device.

    Raises:
        DataTooLargeError: They do not fit into memory.
    """
    try:
        return data.prepare(dataset, config, setup)
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        needed = dataset.train.images.nbytes + dataset.test.images.nbytes
        raise data.DataTooLargeError(dataset.name, needed, "memory does not suffice") from error


def _warnings(setup: DeviceSetup, problems: Iterable[str]) -> Iterator[ev.Warned]:
    """What keeps numbers from being repeatable, and the checkpoints that were passed over."""
    if not setup.is_deterministic:
        message = f"Numbers on {setup.device_class} may differ a little from run to run, with the same seed too."
        yield ev.Warned(code="not_deterministic", message=message)
    for problem in problems:
        yield ev.Warned(code="checkpoint_fallback", message=f"{problem}; an older one was taken.")


def _is_worth_timing(config: RunConfig, num_images: int) -> bool:
    """Whether trying numbers of CPU threads pays: nobody chose one, and the run is long."""
    updates = config.epochs * math.ceil(num_images / config.batch_size)
    return updates >= MIN_UPDATES and not (config.threads or threads_of_environment())


def _newest_checkpoint(
    trainer: Trainer, folder: Folder, problems: list[str], *, from_scratch: bool
) -> checkpoint.State | None:
    """The checkpoint to start from; see `checkpoint.load_newest`. Of several processes the first looks first."""
    ranks = trainer.ranks
    if not ranks.is_first:
        ranks.wait_for_all()  # Until the first has set aside what is not to be read.
    elif from_scratch:
        checkpoint.set_aside(folder)
    state = checkpoint.load_newest(folder, trainer.expected_checkpoint(), problems)
    if ranks.is_first:
        ranks.wait_for_all()
    return state


def _started(trainer: Trainer, dataset: Dataset, thread_milliseconds: dict[int, float]) -> ev.Started:
    config, setup, parts = trainer.config, trainer.setup, trainer.data
    return ev.Started(
        device=str(setup.device),
        device_class=setup.device_class,
        precision=setup.precision,
        threads=setup.threads,
        versions={**versions(), "alexnet_tui": __version__},
        fingerprint=setup.fingerprint,
        data=dataset.name,
        data_sha256=dataset.sha256,
        num_classes=len(dataset.class_names),
        class_names=[printable(name, 100) for name in dataset.class_names],
        num_train_images=len(parts.train),
        num_test_images=len(parts.test),
        num_val_images=len(parts.val) if parts.val else 0,
        num_train_eval_images=len(parts.train_eval),
        num_parameters=num_parameters(config.architecture(len(dataset.class_names))),
        steps_per_epoch=trainer.steps_per_epoch,
        total_steps=trainer.steps_per_epoch * config.epochs,
        epochs=config.epochs,
        commit=package_commit(_GIT_SECONDS),
        pid=os.getpid(),
        arithmetic=ARITHMETIC,
        thread_milliseconds=thread_milliseconds,
        processes=trainer.ranks.size,
        settings={name: getattr(config, name) for name in DECIDING_FIELDS},
    )


def _repeated(epochs: range) -> str:
    which = f"Epochs {epochs[0]} to {epochs[-1]} are" if len(epochs) > 1 else f"Epoch {epochs[0]} is"
    return f"{which} trained again: there is no later checkpoint to start from."


def _resumed(state: checkpoint.State | None, setup: DeviceSetup) -> ev.Resumed:
    """The checkpoint that an attempt after the first starts from; the start of training where there is none."""
    if state is None:
        return ev.Resumed(epoch=0, step=0, checkpoint="", bit_exact=setup.is_deterministic)
    position, same = state.manifest.position, state.manifest.fingerprint == setup.fingerprint
    return ev.Resumed(
        epoch=position.epoch - 1,
        step=position.step,
        checkpoint=state.name,
        bit_exact=same and setup.is_deterministic,
        reason="" if same else f"trained on {state.manifest.fingerprint}, now {setup.fingerprint}",
    )
