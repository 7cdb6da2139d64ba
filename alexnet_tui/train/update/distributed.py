"""One run in several processes: each computes a part of every batch, and sums over all of them make one update.

The processes ("ranks", numbered from 0) hold equal weights. Every random number of a batch is made in each of them for
the whole batch, by its position there, and each takes its part; sums of losses, right answers and gradients are the
same in all. So all take the same decisions in the same order, and rank 0 alone writes.
"""

import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
import torch.distributed as dist
from torch import Tensor

from alexnet_tui.errors import ExitCode, PeerLostError
from alexnet_tui.train.machine.process_rank import is_one_of_many

_POLL_SECONDS = 0.2


class Ranks:
    """This process among those of its run.

    Args:
        rank: Its number, from 0.
        size: How many there are.
        group: Connects them; None where there is only one.
    """

    def __init__(self, rank: int = 0, size: int = 1, group: "dist.ProcessGroup | None" = None) -> None:
        self.rank, self.size = rank, size
        self._group = group

    @property
    def is_first(self) -> bool:
        """Whether this process writes the run's record."""
        return self.rank == 0

    @property
    def is_alone(self) -> bool:
        """Whether there is no other process."""
        return self._group is None

    def part(self, count: int) -> slice:
        """The rows of a batch of `count` that this process computes: all of them where it is alone, maybe none."""
        return slice(count * self.rank // self.size, count * (self.rank + 1) // self.size)

    def add_up(self, tensors: Sequence[Tensor]) -> None:
        """Replace each tensor by its sum over all processes, which is the same in all, bit for bit.

        Raises:
            PeerLostError: Another process has ended.
        """
        if self._group is None:
            return
        try:
            for work in [self._group.allreduce([tensor]) for tensor in tensors]:
                work.wait()
        except RuntimeError as error:
            raise PeerLostError("Another process of this run has ended.") from error

    def any(self, is_true: bool) -> bool:
        """Whether it is true in any process; all must ask at the same point.

        Raises:
            PeerLostError: Another process has ended.
        """
        if self._group is None:
            return is_true
        votes = torch.tensor([int(is_true)])
        self.add_up([votes])
        return bool(votes.item())

    def wait_for_all(self) -> None:
        """Return when every process has come to this point.

        Raises:
            PeerLostError: Another process has ended.
        """
        self.any(False)


ALONE = Ranks()


@contextmanager
def joined() -> Iterator[Ranks]:
    """The ranks that ``torchrun`` started this process among, or this one alone.

    A process whose launcher has ended ends too: nobody would collect it, and the run's lock must not outlive it.
    """
    if not is_one_of_many():
        yield ALONE
        return
    threading.Thread(target=_end_with_parent, daemon=True, name="parent").start()
    dist.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo")
    yield Ranks(dist.get_rank(), dist.get_world_size(), dist.group.WORLD)
    dist.destroy_process_group()  # Not after an error: it may wait for a process that has ended.


def _end_with_parent() -> None:
    parent = os.getppid()
    while os.getppid() == parent:
        time.sleep(_POLL_SECONDS)
    os._exit(ExitCode.TERMINATED)
