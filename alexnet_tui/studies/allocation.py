"""The allocation of a machine to runs that train at once: which cores and which GPU each of them gets.

Two trainers that each use every core are slower than one after the other. So each run gets its own cores, as many as
its plan's ``threads`` or an equal share, and runs are spread over the GPUs there are.
"""

import os
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

import msgspec
import psutil

from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.cores import usable_cores
from alexnet_tui.errors import LaunchError
from alexnet_tui.launch.probe import COMMAND, rate_together
from alexnet_tui.studies.study_queue import MAX_AT_ONCE
from alexnet_tui.text import counted

_VISIBLE_GPUS = "CUDA_VISIBLE_DEVICES"
_GPU_FOLDER = Path("/proc/driver/nvidia/gpus")
_BYTES_A_RUN = 1_500_000_000
"""Memory that a run on 32-pixel images needs with room to spare: torch, weights, velocities, data."""
_RUNS_A_GPU = 16
"""No more are tried; a small network leaves room for several."""
_LEAST_GAIN = 1.02
"""More runs at once are tried as long as the last step gained this much."""


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """What runs may use here.

    Attributes:
        cores: Numbers of the CPU cores.
        gpus: The GPUs, as ``CUDA_VISIBLE_DEVICES`` names them.
        free_bytes: Memory that is free.
    """

    cores: tuple[int, ...]
    gpus: tuple[str, ...] = ()
    free_bytes: int = 0


class Allocation(msgspec.Struct, frozen=True, kw_only=True):
    """What one run gets.

    Attributes:
        cores: Its cores; empty leaves the choice to the system.
        gpu: Its GPU, or empty.
    """

    cores: tuple[int, ...] = ()
    gpu: str = ""

    def variables(self) -> dict[str, str]:
        """Environment variables that keep a trainer to its allocation."""
        found = {_VISIBLE_GPUS: self.gpu} if self.gpu else {}
        if self.cores and not hasattr(os, "sched_setaffinity"):  # Elsewhere a trainer counts the cores it is held to.
            found["OMP_NUM_THREADS"] = str(len(self.cores))
        return found


def this_machine() -> Machine:
    """The machine this process runs on, as far as it may use it."""
    return Machine(cores=usable_cores(), gpus=_visible_gpus(), free_bytes=psutil.virtual_memory().available)


def _visible_gpus() -> tuple[str, ...]:
    named = os.environ.get(_VISIBLE_GPUS)
    if named is not None:
        words = [word.strip() for word in named.split(",")]
        return tuple(words[: words.index("-1")] if "-1" in words else filter(None, words))
    try:
        return tuple(str(index) for index in range(len(list(_GPU_FOLDER.iterdir()))))
    except OSError:
        return ()


def max_parallel(machine: Machine, threads: int, num_runs: int) -> int:
    """The most runs that may train at once: as many as have cores (or a part of a GPU) and memory of their own.

    Args:
        threads: CPU threads of each run; 0 leaves that open.
    """
    places = len(machine.gpus) * _RUNS_A_GPU if machine.gpus else len(machine.cores) // max(1, threads)
    return max(1, min(places, machine.free_bytes // _BYTES_A_RUN, num_runs, MAX_AT_ONCE))


def measure_parallel(
    machine: Machine, config: RunConfig, num_runs: int, command: Sequence[str] = COMMAND
) -> dict[int, float]:
    """Number of runs at once to the images a second that all of them train on, for more and more runs.

    It ends where more runs gain nothing, or where one cannot be made, for want of memory for instance.

    Args:
        config: One of the runs; the others are taken to be like it.
        command: What is asked for the rate.

    Raises:
        DeviceError: The device asked for is not here.
        LaunchError: Not even one run could be made.
    """
    most = max_parallel(machine, config.threads, num_runs)
    steps = {2**power for power in range(most.bit_length())} | {most}
    found, best = dict[int, float](), 0.0
    for parallel in sorted(steps):
        places = [(one.cores, one.variables()) for one in allocations(machine, parallel, config.threads)]
        try:
            found[parallel] = rate_together(config, places, command)
        except LaunchError:
            if not found:
                raise
            break
        if found[parallel] < _LEAST_GAIN * best:
            break
        best = max(best, found[parallel])
    return found


def allocations(machine: Machine, parallel: int, threads: int) -> list[Allocation]:
    """The allocations of `parallel` runs.

    Args:
        parallel: How many runs train at once; a single one gets everything.
        threads: CPU threads of each run; 0 gives each an equal part of the cores.
    """
    if parallel == 1:
        return [Allocation()]
    width = threads or max(1, len(machine.cores) // parallel)
    is_enough = width * parallel <= len(machine.cores)
    return [
        Allocation(
            cores=machine.cores[index * width : (index + 1) * width] if is_enough else (),
            gpu=machine.gpus[index % len(machine.gpus)] if machine.gpus else "",
        )
        for index in range(parallel)
    ]


def least_loaded(offered: Sequence[Allocation], taken: Iterable[Allocation]) -> Allocation:
    """The allocation that collides least with those of the runs that train now."""
    on_core, on_gpu = Counter[int](), Counter[str]()
    for one in taken:
        on_core.update(one.cores)
        on_gpu[one.gpu] += 1
    return min(offered, key=lambda one: (on_gpu[one.gpu] if one.gpu else 0, _load(one.cores, on_core)))


def _load(cores: Collection[int], on_core: Mapping[int, int]) -> float:
    return sum(on_core[core] for core in cores) / len(cores) if cores else 0.0


def allocation_of_process(pid: int) -> Allocation:
    """The allocation a process has, as the system knows it; an empty one where it cannot be asked."""
    try:
        process = psutil.Process(pid)
        cores = tuple(process.cpu_affinity() or ()) if hasattr(process, "cpu_affinity") else ()
        return Allocation(cores=cores, gpu=process.environ().get(_VISIBLE_GPUS, ""))
    except (psutil.Error, OSError):
        return Allocation()


def describe(machine: Machine, parallel: int, threads: int) -> str:
    """What each run gets, for people: ``2 runs at a time, each on 1 of 2 cores``."""
    first = allocations(machine, parallel, threads)[0]
    total = len(machine.cores)
    cores = f"{len(first.cores)} of {total} cores" if first.cores else f"all {total} cores"
    gpus = f" and one of {len(machine.gpus)} GPUs" if machine.gpus else ""
    return f"{counted(parallel, 'run')} at a time, each on {cores}{gpus}"
