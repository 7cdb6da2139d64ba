"""Stochastic gradient descent with float32 master weights."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

# Elements updated at a time on a CPU: four arrays of this length stay in the last-level cache.
_CPU_CHUNK = 1 << 20


class MasterSGD:
    """v <- momentum * v - rate * (gradient + decay * w); w <- w + v, in float32; biases do not decay.

    The network may hold bfloat16 copies of the weights: each step reads their gradients, updates the float32
    master weights, and rounds the result back. Small updates are then not lost to rounding. On a CPU the arrays are
    walked in pieces that fit the cache, which halves the time of a step that is bound by memory.

    Source: Krizhevsky et al. 2012, section 5 (learning rate inside the velocity, decay inside the rate). The
    paper's rule is about weights; its code, cuda-convnet, and Keras' kernel regularisers leave biases alone.

    Args:
        parameters: The network's parameters, in the network's precision.
        master_weights: Their float32 values, in the same order.
        momentum: Share of the velocity kept.
        weight_decay: Decay of weights, tensors of two dimensions or more, per unit of learning rate.
    """

    def __init__(
        self, parameters: list[nn.Parameter], master_weights: list[Tensor], momentum: float, weight_decay: float
    ) -> None:
        self.parameters = parameters
        self.master_weights = master_weights
        self.velocities = [torch.zeros_like(weight) for weight in master_weights]
        self._momentum = momentum
        self._decays = [weight_decay if weight.dim() > 1 else 0.0 for weight in master_weights]
        self._walks_in_pieces = master_weights[0].device.type == "cpu"

    @torch.no_grad()
    def step(self, learning_rate: float | Tensor, add_up: Callable[[Sequence[Tensor]], None] | None = None) -> None:
        """Update every weight from its gradient and forget the gradients.

        Args:
            learning_rate: Of this update; on a GPU a tensor there lets it change where the update is replayed.
            add_up: Replaces gradients, in float32, by their sums over the processes that share a batch.
        """
        gradients = [parameter.grad for parameter in self.parameters if parameter.grad is not None]
        if add_up is not None:
            gradients = [gradient.float() for gradient in gradients]
            add_up(gradients)
        if self._walks_in_pieces:
            rate = float(learning_rate)
            for rows in zip(
                self.parameters, gradients, self.master_weights, self.velocities, self._decays, strict=True
            ):
                self._update(*rows, rate)
        else:
            device = self.master_weights[0].device
            self._update_at_once(gradients, torch.as_tensor(learning_rate, dtype=torch.float32, device=device))
        for parameter in self.parameters:
            parameter.grad = None

    @torch.no_grad()
    def load(self, master_weights: list[Tensor], velocities: list[Tensor]) -> None:
        """Take weights and velocities from a checkpoint, by value."""
        for own, loaded in zip((*self.master_weights, *self.velocities), (*master_weights, *velocities), strict=True):
            own.copy_(loaded)
        for parameter, weight in zip(self.parameters, self.master_weights, strict=True):
            parameter.copy_(weight)

    def _update_at_once(self, gradients: list[Tensor], learning_rate: Tensor) -> None:
        """A few launches for all weights together, as a GPU wants it; the rate is read there, not on the host."""
        downhill = -learning_rate
        torch._foreach_mul_(self.velocities, self._momentum)
        for velocity, gradient, weight, decay in zip(
            self.velocities, gradients, self.master_weights, self._decays, strict=True
        ):
            velocity.addcmul_(gradient, downhill)
            if decay:
                velocity.addcmul_(weight, downhill * decay)
        torch._foreach_add_(self.master_weights, self.velocities)
        if self.parameters[0].data_ptr() != self.master_weights[0].data_ptr():
            torch._foreach_copy_([parameter.data for parameter in self.parameters], self.master_weights)

    def _update(
        self, parameter: Tensor, gradient: Tensor, master: Tensor, velocity: Tensor, decay: float, learning_rate: float
    ) -> None:
        flat = [_flat(tensor, parameter) for tensor in (gradient, master, velocity, parameter)]
        for g, w, v, p in zip(*(tensor.split(_CPU_CHUNK) for tensor in flat), strict=True):
            v.mul_(self._momentum).add_(g, alpha=-learning_rate)
            if decay:
                v.add_(w, alpha=-learning_rate * decay)
            w.add_(v)
            if p.data_ptr() != w.data_ptr():
                p.copy_(w)


def _flat(tensor: Tensor, like: Tensor) -> Tensor:
    """One dimension in the memory order of `like`; a view unless the orders differ."""
    if like.dim() == 4 and like.is_contiguous(memory_format=torch.channels_last):
        return tensor.permute(0, 2, 3, 1).reshape(-1)
    return tensor.reshape(-1)
