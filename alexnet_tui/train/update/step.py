"""One update and one measurement: what a trainer does with a batch, from the images' indices to sums on the device.

Legend: N images, K classes.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.text import printable
from alexnet_tui.train.images.data import Data
from alexnet_tui.train.machine.device import DeviceSetup
from alexnet_tui.train.model import AlexNet, Dropout
from alexnet_tui.train.update.cuda_graph import CaptureError, CudaRecorder, Recorder, Replayed
from alexnet_tui.train.update.distributed import Ranks
from alexnet_tui.train.update.optim import MasterSGD


class RunningSums:
    """Running means over images, kept as three sums: losses and right answers on the device, images on the host."""

    def __init__(self, device: torch.device) -> None:
        dtype = torch.float32 if device.type == "mps" else torch.float64
        self._sums_2 = torch.zeros(2, dtype=dtype, device=device)
        self.count = 0.0

    def add(self, measured_2: Tensor) -> None:
        """Add a batch's sum of losses and right answers; its images are added to `count`."""
        self._sums_2 += measured_2

    def reset(self, values: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> None:
        """Begin again, with the sum of losses, right answers and images so far."""
        self._sums_2.copy_(torch.tensor(values[:2], dtype=self._sums_2.dtype))
        self.count = values[2]

    def add_up(self, ranks: Ranks) -> None:
        """Make the sums those of all processes, where each has added its own images."""
        ranks.add_up([self._sums_2])

    def wait(self) -> None:
        """Wait for the device to finish the sums."""
        self._sums_2.tolist()

    def values(self) -> tuple[float, float, float]:
        """Sum of losses, right answers and images, as `reset` takes them."""
        loss_sum, right = self._sums_2.tolist()
        return loss_sum, right, self.count

    def means(self) -> tuple[float, float]:
        """Nats an image and share of right answers; (nan, 0) of no images."""
        loss_sum, right, count = self.values()
        return (loss_sum / count, right / count) if count else (math.nan, 0.0)


def recorder_for(setup: DeviceSetup, ranks: Ranks) -> Recorder | None:
    """What records a run's work: nothing on a CPU, and nothing where processes exchange sums in the midst of it."""
    return CudaRecorder(setup.device) if setup.device.type == "cuda" and ranks.is_alone else None


class Steps:
    """A trainer's work on batches; on a GPU recorded and replayed as one unit.

    Args:
        ranks: The processes that share each batch.
        recorder: Records the work; None does not.
        training_sums: What each update adds its losses and right answers to.

    Attributes:
        problem: Why the work is not recorded though it should be, or empty.
    """

    def __init__(
        self,
        config: RunConfig,
        network: AlexNet,
        optimizer: MasterSGD,
        data: Data,
        setup: DeviceSetup,
        ranks: Ranks,
        recorder: Recorder | None,
        training_sums: tuple[RunningSums, ...],
        evaluation_size: int,
    ) -> None:
        self.problem = ""
        self.evaluation_sums = RunningSums(setup.device)
        self._network, self._optimizer, self._data, self._ranks = network, optimizer, data, ranks
        self._training_sums = training_sums
        self._generator = torch.Generator(device=setup.device)
        self._dropout = Dropout(config.dropout, self._generator) if config.dropout else None
        self._reads_every_loss = setup.device.type == "cpu"
        self._measured_2 = torch.zeros(2, device=setup.device)
        rate_type = torch.float32 if setup.device.type == "mps" else torch.float64
        self._learning_rate = torch.zeros((), dtype=rate_type, device=setup.device)
        self._update = Replayed(self._update_batch, min(config.batch_size, len(data.train)), recorder, self._generator)
        self._measure = Replayed(self._measure_batch, evaluation_size, recorder)

    def update(self, index_N: Tensor, seed: int, learning_rate: float) -> Tensor:
        """One update on a batch of training images, given by their indices.

        On a CPU weights and sums stay as they are where the loss is not finite; elsewhere reading it would wait for the
        device at every step.

        Args:
            index_N: On the device.
            seed: Of the batch's random numbers.

        Returns:
            Sum of losses and right answers, (2,), on the device; the next update overwrites it.
        """
        self._generator.manual_seed(seed)
        self._learning_rate.fill_(learning_rate)
        try:
            self._update(index_N, self._learning_rate)
        except CaptureError as error:
            self._note(error)
            self._renew_generator()
            self._generator.manual_seed(seed)
            for parameter in self._optimizer.parameters:
                parameter.grad = None
            self._update(index_N, self._learning_rate)
        return self._measured_2

    @torch.no_grad()
    def measure(self, pixels_NCHW: Tensor, labels_N: Tensor) -> None:
        """Add a batch's losses and right answers in evaluation mode to `evaluation_sums`."""
        try:
            self._measure(pixels_NCHW, labels_N)
        except CaptureError as error:
            self._note(error)
            self._measure(pixels_NCHW, labels_N)

    @torch.no_grad()
    def logits(self, pixels_NCHW: Tensor) -> Tensor:
        """Float32 logits (N, K) in evaluation mode."""
        logits_NK: Tensor = self._network(self._data.batches.evaluation(pixels_NCHW)).float()
        return logits_NK

    def _note(self, error: CaptureError) -> None:
        self.problem = printable(str(error).partition("\n")[0], 200)

    def _renew_generator(self) -> None:
        """A generator that took part in a broken recording makes no numbers any more."""
        self._generator = torch.Generator(device=self._generator.device)
        if self._dropout is not None:
            self._dropout.generator = self._generator

    def _update_batch(self, index_N: Tensor, learning_rate: Tensor) -> None:
        part = self._ranks.part(len(index_N))
        labels_N = self._data.train.labels_N[index_N[part]]
        images = self._data.batches.training(self._data.train.pixels_NCHW[index_N], self._generator)[part]
        measured_2 = self._backward(images, labels_N, part.start, len(index_N))
        self._ranks.add_up([measured_2])
        self._measured_2.copy_(measured_2)
        if self._reads_every_loss and not math.isfinite(float(measured_2[0])):
            return
        self._optimizer.step(learning_rate, None if self._ranks.is_alone else self._ranks.add_up)
        for sums in self._training_sums:
            sums.add(measured_2)

    def _backward(self, images: Tensor, labels_N: Tensor, first: int, count: int) -> Tensor:
        """Gradients of a batch's mean loss.

        Args:
            images: The part of the batch that is computed here.
            labels_N: Their classes.
            first: Place of the first of them in the batch.
            count: Images of the whole batch.

        Returns:
            Sum of losses and right answers of the part, (2,).
        """
        if not len(labels_N):  # Fewer images than processes.
            for parameter in self._optimizer.parameters:
                parameter.grad = torch.zeros_like(parameter)
            return torch.zeros(2, device=labels_N.device)
        if self._dropout is not None:
            self._dropout.first, self._dropout.count = first, count
        logits_NK = self._network(images, self._dropout).float()
        loss = F.cross_entropy(logits_NK, labels_N)
        (loss if len(labels_N) == count else loss * (len(labels_N) / count)).backward()
        return _measured(loss.detach(), logits_NK.detach(), labels_N)

    def _measure_batch(self, pixels_NCHW: Tensor, labels_N: Tensor) -> None:
        logits_NK = self.logits(pixels_NCHW)
        self.evaluation_sums.add(_measured(F.cross_entropy(logits_NK, labels_N), logits_NK, labels_N))


def _measured(mean_loss: Tensor, logits_NK: Tensor, labels_N: Tensor) -> Tensor:
    """Sum of losses and number of right answers of a batch, (2,), on the device."""
    right = (logits_NK.argmax(1) == labels_N).sum()
    return torch.stack([mean_loss * len(labels_N), right.to(mean_loss.dtype)])
