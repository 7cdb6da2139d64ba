"""The training loop: `Trainer.fit` yields events, and writes nothing but checkpoints.

Legend: N images, K classes.
"""

import math
import time
from collections.abc import Callable, Generator, Iterator

import msgspec
import torch
from torch import Tensor

from alexnet_tui.config.hyperparameters import RunConfig, settings_sha256
from alexnet_tui.errors import CheckpointError, StoreError
from alexnet_tui.files import reason_of
from alexnet_tui.folder import Folder
from alexnet_tui.runs import events as ev
from alexnet_tui.train import checkpoint, kernel_snapshots
from alexnet_tui.train.checkpoint import Position
from alexnet_tui.train.images.data import Data, Images, epoch_order
from alexnet_tui.train.machine.device import DeviceSetup, stream_seed
from alexnet_tui.train.machine.system import SystemSampler
from alexnet_tui.train.model import AlexNet
from alexnet_tui.train.update.cuda_graph import Recorder
from alexnet_tui.train.update.distributed import ALONE, Ranks
from alexnet_tui.train.update.optim import MasterSGD
from alexnet_tui.train.update.schedule import LearningRateSchedule
from alexnet_tui.train.update.step import RunningSums, Steps, recorder_for

_MAX_SILENCE_SECONDS = 2.0
_EVAL_BATCH = 1000
_EVAL_BATCH_LARGE_IMAGES = 125


class Trainer:
    """One run: a network, its optimiser, its data and its position in training.

    Args:
        num_classes: Width of the last layer.
        data_sha256: Recorded in checkpoints, so that a resume on other data is refused.
        folder: The run's folder, which gets the checkpoints; None writes none.
        should_stop: Called before every update and every evaluation batch.
        ranks: The processes that share each batch; all yield the same losses and accuracies.
        make_recorder: Chooses what records the work on a batch, to be replayed as one unit.
    """

    def __init__(
        self,
        config: RunConfig,
        data: Data,
        setup: DeviceSetup,
        *,
        num_classes: int,
        data_sha256: str,
        folder: Folder | None,
        should_stop: Callable[[], bool] = lambda: False,
        ranks: Ranks = ALONE,
        make_recorder: Callable[[DeviceSetup, Ranks], Recorder | None] = recorder_for,
    ) -> None:
        self.config, self.data, self.setup, self.ranks = config, data, setup, ranks
        self.steps_per_epoch = math.ceil(len(data.train) / config.batch_size)
        self.network, self.optimizer = build(config, setup, num_classes)
        self.schedule = LearningRateSchedule(config)
        self.epoch, self.step, self.step_in_epoch = 1, 0, 0
        self.train_seconds = 0.0
        self._data_sha256 = data_sha256
        self._folder = folder
        self._saved_step = -1
        self._warned: set[str] = set()
        self._should_stop = lambda: ranks.any(should_stop())
        self._epoch_sums = RunningSums(setup.device)
        self._interval_sums = RunningSums(setup.device)
        self._interval_images, self._interval_seconds = 0, 0.0
        self._reported_at = time.monotonic()
        self._elapsed_before = 0.0
        self._clock_start = time.monotonic()
        self._evaluation_size = _EVAL_BATCH if data.batches.size <= 64 else _EVAL_BATCH_LARGE_IMAGES
        self._steps = Steps(
            config,
            self.network,
            self.optimizer,
            data,
            setup,
            ranks,
            make_recorder(setup, ranks),
            training_sums=(self._epoch_sums, self._interval_sums),
            evaluation_size=self._evaluation_size,
        )
        self._system = SystemSampler(setup.device)
        self._reads_every_loss = setup.device.type == "cpu"

    @property
    def images_per_update(self) -> float:
        """On the mean: the last update of an epoch may have fewer than a batch."""
        return len(self.data.train) / self.steps_per_epoch

    @property
    def elapsed_seconds(self) -> float:
        """Seconds of training, evaluation and checkpoints over all attempts."""
        return self._elapsed_before + time.monotonic() - self._clock_start

    @property
    def is_saved(self) -> bool:
        """Whether a checkpoint on disk holds the weights as they are now."""
        return self._saved_step == self.step

    def expected_checkpoint(self) -> checkpoint.Expected:
        """What a checkpoint of this run agrees with."""
        shapes = [weight.shape for weight in self.optimizer.master_weights]
        config = self.config
        return checkpoint.Expected(
            shapes, config.epochs, len(self.data.train), config.batch_size, settings_sha256(config)
        )

    def restore(self, state: checkpoint.State) -> None:
        """Go back to a checkpoint.

        Raises:
            CheckpointError: It belongs to other data.
        """
        if state.manifest.data_sha256 != self._data_sha256:
            raise CheckpointError(
                f"checkpoint {state.name}: it was trained on other data (hash {state.manifest.data_sha256[:12]}, "
                f"now {self._data_sha256[:12]}). Prepare the same data again, or start a new run."
            )
        self.optimizer.load(state.master_weights, state.velocities)
        position = state.manifest.position
        self.epoch, self.step, self.step_in_epoch = position.epoch, position.step, position.step_in_epoch
        self._saved_step = self.step
        self.train_seconds = position.train_seconds
        self._elapsed_before, self._clock_start = position.elapsed_seconds, time.monotonic()
        self.schedule = LearningRateSchedule(self.config, list(position.errors))
        self._epoch_sums.reset(position.epoch_sums)
        self._interval_sums.reset(position.interval_sums)

    def fit(self) -> Iterator[ev.Event]:
        """Train to the last epoch, or until asked to stop, or until the loss is not finite.

        The last event yielded is ``finished``, ``stopped`` or ``failed``.
        """
        if self.step == 0:
            yield from self._save_kernels()
        while self.epoch <= self.config.epochs:
            failure = yield from self._train_epoch()
            if failure is not None:
                yield failure
                return
            is_whole = self.step_in_epoch == self.steps_per_epoch  # Whoever asked for a stop may have taken it back.
            summary = (yield from self._evaluate_epoch()) if is_whole and not self._should_stop() else None
            if summary is None:
                yield from self._leave()
                return
            yield summary
            yield self._system.read()
            losses = (summary.train_loss, summary.train_eval_loss, summary.test_loss, summary.val_loss)
            if not all(math.isfinite(float(loss)) for loss in losses if loss is not None):
                yield self._diverged(f"a loss after epoch {self.epoch} is not finite")
                return
            self._next_epoch(1 - float(summary.test_accuracy if self.data.val is None else summary.val_accuracy or 0))
            done = self.epoch - 1
            if done % self.config.checkpoint_epochs == 0 or done == self.config.epochs:
                yield from self._save()
            elif done <= kernel_snapshots.EARLY_EPOCHS:
                yield from self._save_kernels()
        if self._folder is not None and not self.is_saved:
            yield ev.Warned(
                code="weights_not_saved",
                message="The run is complete, but its last weights are not on disk: no checkpoint could be written.",
            )
        yield ev.Finished(
            epoch=self.config.epochs,
            step=self.step,
            train_seconds=round(self.train_seconds, 3),
            elapsed_seconds=round(self.elapsed_seconds, 3),
        )

    def _train_epoch(self) -> Generator[ev.Event, None, ev.Failed | None]:
        """The updates left in this epoch; early out when asked to stop, or when it cannot go on."""
        order = epoch_order(len(self.data.train), self.config.seed, self.epoch).to(self.setup.device)
        while self.step_in_epoch < self.steps_per_epoch and not self._should_stop():
            start = time.perf_counter()
            first = self.step_in_epoch * self.config.batch_size
            learning_rate = self.schedule.learning_rate(self.epoch, self.step)
            index_N = order[first : first + self.config.batch_size]
            measured_2 = self.update(index_N, learning_rate)
            if self._reads_every_loss and not math.isfinite(float(measured_2[0])):
                return self._diverged(f"loss {float(measured_2[0])} in step {self.step + 1}, before the update")
            self.step += 1
            self.step_in_epoch += 1
            for sums in (self._epoch_sums, self._interval_sums):
                sums.count += len(index_N)
            is_due = self.step % self.config.log_steps == 0
            is_silent = self._is_silent()
            if is_due or is_silent or self.step_in_epoch == self.steps_per_epoch:
                self._interval_sums.wait()  # So that the seconds below are those of finished work.
            seconds = time.perf_counter() - start
            self.train_seconds += seconds
            self._interval_seconds += seconds
            self._interval_images += len(index_N)
            if self._steps.problem:
                yield from self._warn_once(
                    "not_recorded",
                    "Work on the GPU could not be recorded as a CUDA graph; it is launched piece by piece, which is"
                    f" slower ({self._steps.problem}).",
                )
            if is_due:
                event = self._step_event(learning_rate)
                yield event
                if not math.isfinite(float(event.train_loss)):
                    return self._diverged(f"loss {event.train_loss} at or before step {self.step}")
                yield from self._system.due()
            elif is_silent:
                yield self._position()
        return None

    def update(self, index_N: Tensor, learning_rate: float) -> Tensor:
        """One update on a batch of training images, given by their indices; see `Steps.update`."""
        seed = stream_seed(self.config.seed, "step", self.epoch, self.step_in_epoch)
        return self._steps.update(index_N, seed, learning_rate)

    def _warn_once(self, code: str, message: str) -> Iterator[ev.Event]:
        if code not in self._warned:
            self._warned.add(code)
            yield ev.Warned(code=code, message=message)

    def _step_event(self, learning_rate: float) -> ev.Step:
        loss, accuracy = self._interval_sums.means()
        event = ev.Step(
            epoch=self.epoch,
            step=self.step,
            train_loss=ev.number(loss),
            train_accuracy=accuracy,
            learning_rate=learning_rate,
            images_per_second=self._interval_rate(),
        )
        self._interval_sums.reset()
        self._interval_images, self._interval_seconds = 0, 0.0
        self._reported_at = time.monotonic()
        return event

    def _is_silent(self) -> bool:
        """Whether the last event on how far training is was long ago."""
        return time.monotonic() - self._reported_at >= _MAX_SILENCE_SECONDS

    def due_position(self) -> Iterator[ev.Event]:
        """How far training is, if no event was about that for long: a silent run may count as crashed elsewhere."""
        if self._is_silent():
            yield self._position()

    def _position(self) -> ev.System:
        """How far training is behind the last step event; changes no sum that they or an epoch are made of."""
        self._reported_at = time.monotonic()
        if not self._interval_sums.count:
            return self._system.read()
        return msgspec.structs.replace(
            self._system.read(),
            step=self.step,
            train_loss=ev.number(self._interval_sums.means()[0]),
            images_per_second=self._interval_rate(),
        )

    def _interval_rate(self) -> float:
        """Images a second since the last step event."""
        return round(self._interval_images / max(self._interval_seconds, 1e-9), 1)

    def _evaluate_epoch(self) -> Generator[ev.Event, None, ev.Epoch | None]:
        """Measure train, test and validation images; None when asked to stop meanwhile."""
        measured: dict[str, tuple[float, float]] = {}
        for name, images in (
            ("train_eval", self.data.train_eval),
            ("test", self.data.test),
            ("val", self.data.val),
        ):
            if images is not None:
                result = yield from self._evaluate(images)
                if result is None:
                    return None
                measured[name] = result
        val = measured.get("val")
        train_loss, train_accuracy = self._epoch_sums.means()
        seconds = max(self.train_seconds, 1e-9)
        return ev.Epoch(
            epoch=self.epoch,
            step=self.step,
            train_loss=ev.number(train_loss),
            train_accuracy=train_accuracy,
            train_eval_loss=ev.number(measured["train_eval"][0]),
            train_eval_accuracy=measured["train_eval"][1],
            test_loss=ev.number(measured["test"][0]),
            test_accuracy=measured["test"][1],
            val_loss=ev.number(val[0]) if val else None,
            val_accuracy=val[1] if val else None,
            learning_rate=self.schedule.learning_rate(self.epoch, self.step - 1),
            train_seconds=round(self.train_seconds, 3),
            elapsed_seconds=round(self.elapsed_seconds, 3),
            images_per_second=round(self.epoch * len(self.data.train) / seconds, 1),
        )

    def _evaluate(self, images: Images) -> Generator[ev.Event, None, tuple[float, float] | None]:
        """Mean loss and accuracy in evaluation mode, or None when asked to stop meanwhile."""
        sums = self._steps.evaluation_sums
        sums.reset()
        for batch in self._evaluation_batches(images):
            part = self.ranks.part(len(batch))
            if part.start < part.stop:
                self._steps.measure(batch.pixels_NCHW[part], batch.labels_N[part])
            if self._should_stop():
                return None
            yield from self.due_position()
        sums.add_up(self.ranks)
        sums.count = len(images)
        return sums.means()

    def predict(self, images: Images) -> Iterator[tuple[Tensor, Tensor]]:
        """Float32 logits (N, K) and labels (N,), a batch at a time."""
        for batch in self._evaluation_batches(images):
            yield self._steps.logits(batch.pixels_NCHW), batch.labels_N

    def _evaluation_batches(self, images: Images) -> Iterator[Images]:
        yield from map(
            Images,
            images.pixels_NCHW.split(self._evaluation_size),
            images.labels_N.split(self._evaluation_size),
        )

    def _next_epoch(self, error: float) -> None:
        self.schedule.add(error)
        self.epoch, self.step_in_epoch = self.epoch + 1, 0
        self._epoch_sums.reset()

    def _save(self) -> Iterator[ev.Event]:
        """Write a checkpoint; a full disk is a warning, and the last good checkpoint stays."""
        if self._folder is None:
            return
        start = time.perf_counter()
        position = Position(
            epoch=self.epoch,
            step=self.step,
            step_in_epoch=self.step_in_epoch,
            train_seconds=self.train_seconds,
            elapsed_seconds=self.elapsed_seconds,
            errors=self.schedule.errors,
            epoch_sums=self._epoch_sums.values(),
            interval_sums=self._interval_sums.values(),
        )
        master_weights = [weight.cpu() for weight in self.optimizer.master_weights]
        velocities = [velocity.cpu() for velocity in self.optimizer.velocities]
        try:
            name, size_bytes = checkpoint.save(
                self._folder,
                position,
                master_weights,
                velocities,
                self.setup.fingerprint,
                self._data_sha256,
                settings_sha256(self.config),
            )
        except (OSError, StoreError) as error:
            what = f"The checkpoint of epoch {self.epoch - 1} was not written ({_reason(error)}); any older one stays."
            yield ev.Warned(code="checkpoint_failed", message=what)
            return
        self._saved_step = self.step
        stored = "" if self.step_in_epoch else (yield from self._save_kernels())
        seconds = round(time.perf_counter() - start, 3)
        yield ev.Checkpoint(
            epoch=self.epoch - 1, step=self.step, name=name, size_bytes=size_bytes, seconds=seconds, kernels=stored
        )

    def _save_kernels(self) -> Generator[ev.Event, None, str]:
        """Store the kernels of the whole epochs done; returns their file, or nothing, with one warning."""
        if self._folder is None:
            return ""
        try:
            return kernel_snapshots.save(self._folder, self.epoch - 1, self.optimizer.master_weights[0])
        except (OSError, StoreError) as error:
            message = f"The kernels of epoch {self.epoch - 1} were not stored for pictures ({_reason(error)})."
            yield from self._warn_once("kernels_failed", message)
            return ""

    def _leave(self) -> Iterator[ev.Event]:
        """End on request; weights that are not finite are never saved."""
        if not math.isfinite(self._epoch_sums.means()[0]) and self.step_in_epoch:
            yield self._diverged(f"the loss of epoch {self.epoch} is not finite at step {self.step}")
            return
        saved = list(self._save())
        yield from saved
        repeats = "" if self.is_saved else "; no checkpoint was written, a resume repeats some steps"
        yield ev.Stopped(epoch=self.epoch - 1, step=self.step, reason=f"asked to stop{repeats}")

    def _diverged(self, what: str) -> ev.Failed:
        return ev.Failed(
            reason=ev.DIVERGED,
            message=f"Training diverged: {what}. Try a learning rate below {self.config.learning_rate:g}.",
            epoch=self.epoch,
            step=self.step,
        )


def _reason(error: OSError | StoreError) -> str:
    return reason_of(error) if isinstance(error, OSError) else str(error).rstrip(".")


def build(config: RunConfig, setup: DeviceSetup, num_classes: int) -> tuple[AlexNet, MasterSGD]:
    """The network in the run's precision, and the optimiser that holds its float32 master_weights."""
    generator = torch.Generator().manual_seed(stream_seed(config.seed, "init"))
    network = AlexNet(config.architecture(num_classes), config.init, generator)
    network = network.to(setup.device).to(memory_format=torch.channels_last)
    values = [parameter.detach().clone() for parameter in network.parameters()]
    network = network.to(setup.dtype)
    parameters = list(network.parameters())
    master_weights = [
        parameter.data if setup.dtype is torch.float32 else value
        for parameter, value in zip(parameters, values, strict=True)
    ]
    return network, MasterSGD(parameters, master_weights, config.momentum, config.weight_decay)
