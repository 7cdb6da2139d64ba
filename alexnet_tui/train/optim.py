"""Stochastic gradient descent with float32 master weights, and the learning-rate schedules."""

import torch
from torch import Tensor, nn

from alexnet_tui.config.hyperparameters import RunConfig

# Elements updated at a time on a CPU: four arrays of this length stay in the last-level cache.
_CPU_CHUNK = 1 << 20
_PLATEAU_PATIENCE_EPOCHS = 10
_MAX_PLATEAUS = 3


class MasterSGD:
    """v <- momentum * v - rate * (gradient + decay * w); w <- w + v, in float32.

    The network may hold bfloat16 copies of the weights: each step reads their gradients, updates the float32
    masters, and rounds the result back. Small updates are then not lost to rounding. On a CPU the arrays are
    walked in pieces that fit the cache, which halves the time of a step that is bound by memory.

    Source: Krizhevsky et al. 2012, section 5 (learning rate inside the velocity, decay inside the rate).

    Args:
        parameters: The network's parameters, in the network's precision.
        masters: Their float32 values, in the same order.
        momentum: Share of the velocity kept.
        weight_decay: Decay per unit of learning rate.
    """

    def __init__(
        self, parameters: list[nn.Parameter], masters: list[Tensor], momentum: float, weight_decay: float
    ) -> None:
        self.parameters = parameters
        self.masters = masters
        self.velocities = [torch.zeros_like(master) for master in masters]
        self._momentum = momentum
        self._weight_decay = weight_decay
        self._walks_in_pieces = masters[0].device.type == "cpu"

    @torch.no_grad()
    def step(self, learning_rate: float) -> None:
        """Update every weight from its gradient and forget the gradients."""
        gradients = [parameter.grad for parameter in self.parameters if parameter.grad is not None]
        if self._walks_in_pieces:
            for rows in zip(self.parameters, gradients, self.masters, self.velocities, strict=True):
                self._update(*rows, learning_rate)
        else:
            self._update_at_once(gradients, learning_rate)
        for parameter in self.parameters:
            parameter.grad = None

    @torch.no_grad()
    def load(self, masters: list[Tensor], velocities: list[Tensor]) -> None:
        """Take weights and velocities from a checkpoint, by value."""
        for own, loaded in zip((*self.masters, *self.velocities), (*masters, *velocities), strict=True):
            own.copy_(loaded)
        for parameter, master in zip(self.parameters, self.masters, strict=True):
            parameter.copy_(master)

    def _update_at_once(self, gradients: list[Tensor], learning_rate: float) -> None:
        """A few launches for all weights together, as a GPU wants it."""
        full = [gradient.float() for gradient in gradients]
        torch._foreach_mul_(self.velocities, self._momentum)
        torch._foreach_add_(self.velocities, full, alpha=-learning_rate)
        torch._foreach_add_(self.velocities, self.masters, alpha=-learning_rate * self._weight_decay)
        torch._foreach_add_(self.masters, self.velocities)
        if self.parameters[0].data_ptr() != self.masters[0].data_ptr():
            torch._foreach_copy_([parameter.data for parameter in self.parameters], self.masters)

    def _update(
        self, parameter: Tensor, gradient: Tensor, master: Tensor, velocity: Tensor, learning_rate: float
    ) -> None:
        flat = [_flat(tensor, parameter) for tensor in (gradient, master, velocity, parameter)]
        decay = -learning_rate * self._weight_decay
        for g, w, v, p in zip(*(tensor.split(_CPU_CHUNK) for tensor in flat), strict=True):
            v.mul_(self._momentum).add_(g, alpha=-learning_rate).add_(w, alpha=decay)
            w.add_(v)
            if p.data_ptr() != w.data_ptr():
                p.copy_(w)


def _flat(tensor: Tensor, like: Tensor) -> Tensor:
    """One dimension in the memory order of `like`; a view unless the orders differ."""
    if like.dim() == 4 and like.is_contiguous(memory_format=torch.channels_last):
        return tensor.permute(0, 2, 3, 1).reshape(-1)
    return tensor.reshape(-1)


class Schedule:
    """The learning rate of each epoch.

    Args:
        config: Names the schedule and the first rate.
        errors: Errors after each epoch so far, on the data that `plateau` watches.
    """

    def __init__(self, config: RunConfig, errors: list[float] | None = None) -> None:
        self._config = config
        self.errors: list[float] = errors or []

    def add(self, error: float) -> None:
        """Tell the error after an epoch; `plateau` looks at nothing else."""
        self.errors.append(error)

    def learning_rate(self, epoch: int) -> float:
        """The rate during `epoch`, counted from 1."""
        drops = {
            "constant": lambda: 0,
            "step": lambda: sum(2 * epoch - 2 >= self._config.epochs * half for half in (1.0, 1.5)),
            "plateau": lambda: count_plateaus(self.errors[: epoch - 1]),
        }[self._config.schedule]()
        rate = self._config.learning_rate
        return rate / 10**drops if drops else rate


def count_plateaus(errors: list[float]) -> int:
    """How often the error went ten epochs without a new minimum, three at most (section 5: "three times")."""
    best, since, plateaus = float("inf"), 0, 0
    for error in errors:
        since = 0 if error < best else since + 1
        best = min(best, error)
        if since == _PLATEAU_PATIENCE_EPOCHS and plateaus < _MAX_PLATEAUS:
            plateaus, since = plateaus + 1, 0
    return plateaus
