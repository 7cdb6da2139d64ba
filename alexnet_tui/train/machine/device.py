"""The device a run uses and the arithmetic it gets there: precision, threads, random seeds, and their fingerprint."""

import ctypes
import hashlib
import os
import platform
import resource
import sys
from importlib.metadata import version
from pathlib import Path

import msgspec
import psutil
import torch

from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.cores import num_cores
from alexnet_tui.errors import DeviceError
from alexnet_tui.text import counted
from alexnet_tui.train.machine.process_rank import rank

ARITHMETIC = 3
"""Version of what decides numbers; raised whenever a change of this program changes losses or weights.

`tests/train/test_arithmetic.py` compares the losses of a few updates with stored ones.
"""
_MAX_THREADS = 4096
_CGROUP_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
_OUT_OF_MEMORY = ("outofmemoryerror", "out of memory", "can't allocate memory", "alloc_failed")


class DeviceSetup(msgspec.Struct, frozen=True, kw_only=True):
    """The device of one run and how it computes there.

    Attributes:
        device: Holds all tensors.
        dtype: Precision of weights and activations in the network; master weights are always float32.
        threads: CPU threads of one operation.
        device_class: What results may be compared within: ``cpu``, or the GPU's name.
        fingerprint: What exact numbers depend on; equal fingerprints promise equal numbers.
    """

    device: torch.device
    dtype: torch.dtype
    threads: int
    device_class: str
    fingerprint: str

    @property
    def is_deterministic(self) -> bool:
        """Whether equal fingerprints promise equal numbers; an Apple GPU lacks some deterministic kernels."""
        return self.device.type != "mps"

    @property
    def precision(self) -> str:
        """``bf16`` or ``fp32``."""
        return "bf16" if self.dtype is torch.bfloat16 else "fp32"


def select_device(config: RunConfig, threads: int = 0, processes: int = 1) -> DeviceSetup:
    """Choose the device and its settings, and apply those that are global to the process.

    Args:
        threads: CPU threads where the configuration leaves them open; 0 takes as many as ``OMP_NUM_THREADS`` says, or
            every core that this process may use.
        processes: How many share each batch of the run; numbers depend on it.

    Raises:
        DeviceError: The device asked for is not on this machine.
    """
    device = _choose_device(config.device, rank())
    if device.type == "cuda":
        torch.cuda.set_device(device)
    threads = config.threads or threads or threads_of_environment() or num_cores()
    torch.set_num_threads(threads)
    _make_deterministic(device)
    if device.type == "cpu":
        keep_freed_memory()
    dtype = _choose_dtype(config.precision, device)
    gpu = torch.cuda.get_device_name(device) if device.type == "cuda" else "Apple GPU"
    name = processor_name() if device.type == "cpu" else gpu
    parts = [device.type, name, f"{threads} threads", str(dtype).removeprefix("torch."), str(torch.__version__)]
    parts.append(f"arithmetic {ARITHMETIC}")
    if processes > 1:
        parts.append(f"{processes} processes")
    return DeviceSetup(
        device=device,
        dtype=dtype,
        threads=threads,
        device_class="cpu" if device.type == "cpu" else name,
        fingerprint=" / ".join(parts),
    )


def stream_seed(*parts: int | str) -> int:
    """The seed of one stream of random numbers, such as (seed, "shuffle", epoch): 63 bits of a SHA-256.

    Seeding every stream by its position in training makes the position the only state: a checkpoint holds no
    generator. NumPy and CUDA generators use all bits; torch's CPU generator uses the low 32 alone, so that among the
    streams of a long run a few share their numbers (about 5 of the 195,500 of five 100-epoch runs).
    """
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1


def threads_of_environment() -> int:
    """What ``OMP_NUM_THREADS`` asks for, or 0."""
    wanted = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    return int(wanted) if wanted.isdecimal() and int(wanted) <= _MAX_THREADS else 0


def versions() -> dict[str, str]:
    """Versions of what decides numbers."""
    found = {"python": platform.python_version(), "torch": str(torch.__version__)}
    found |= {name: version(name) for name in ("torchvision", "numpy", "pillow")}
    if torch.version.cuda:
        found["cuda"] = torch.version.cuda
    return found


def keep_freed_memory() -> None:
    """Make glibc reuse freed memory instead of returning it to the system after every step.

    A gradient of 4096x4096 weights is otherwise mapped, zeroed by the kernel page by page, and unmapped each
    step: four times the cost of the product that fills it. Elsewhere than on glibc this does nothing.
    """
    if not sys.platform.startswith("linux") or platform.libc_ver()[0] != "glibc":
        return
    mallopt = ctypes.CDLL("libc.so.6").mallopt
    trim_threshold, top_pad, mmap_max = -1, -2, -4
    mallopt(mmap_max, 0)
    mallopt(trim_threshold, 2**31 - 1)
    mallopt(top_pad, 64 << 20)


def processor_name() -> str:
    """The processor's own name, such as ``AMD EPYC``."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        return platform.processor() or platform.machine()
    return platform.processor() or platform.machine()


def is_out_of_memory(error: BaseException) -> bool:
    """Whether torch, NumPy or Python could not allocate; torch has no one class for it."""
    text = f"{type(error).__name__} {error}".lower()
    return isinstance(error, MemoryError) or any(mark in text for mark in _OUT_OF_MEMORY)


def memory_bytes(device: torch.device) -> int:
    """All memory there is for a process: of the GPU, or of the machine within its cgroup's limit."""
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory)
    total = int(psutil.virtual_memory().total)
    limits = [_read_limit(path) for path in _CGROUP_LIMITS]
    return min([total, *(limit for limit in limits if limit)])


def _read_limit(path: Path) -> int | None:
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):  # No cgroups, or "max".
        return None


def peak_memory_bytes() -> tuple[int, str]:
    """The most memory this process has held, and of what: of the GPU if it used one."""
    if torch.cuda.is_available():
        peak = max(torch.cuda.max_memory_allocated(index) for index in range(torch.cuda.device_count()))
        if peak:
            return peak, "GPU memory"
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit, "memory"


def gpu_memory_bytes(device: torch.device) -> int | None:
    """Memory this process holds on a GPU, or None on a CPU."""
    return torch.cuda.memory_reserved(device) if device.type == "cuda" else None


def _choose_device(name: str, rank: int) -> torch.device:
    """The device by its name; of several processes each takes the GPU of its `rank`."""
    if name == "auto":
        # An Apple GPU only by name: nothing promises equal numbers there.
        if not torch.cuda.is_available():
            return torch.device("cpu")
        name = "cuda"
    if name.startswith("cuda"):
        count = torch.cuda.device_count()
        index = int(name.partition(":")[2] or 0) + rank
        if index >= count:
            there = counted(count, "CUDA device") if count else "no CUDA device"
            need = f" and process {rank} of the run needs its own" if rank else ""
            raise DeviceError(f"device {name}: torch sees {there} here{need}. Use --device auto or cpu.")
        return torch.device("cuda", index)
    if name == "mps" and not torch.backends.mps.is_available():
        raise DeviceError("device mps: torch sees no Apple GPU here. Use --device auto or cpu.")
    return torch.device(name)


def _choose_dtype(precision: str, device: torch.device) -> torch.dtype:
    if precision == "fp32":
        return torch.float32
    if precision == "bf16":
        return torch.bfloat16
    return torch.bfloat16 if has_fast_bf16(device) else torch.float32


def has_fast_bf16(device: torch.device) -> bool:
    """Whether the hardware itself multiplies bfloat16, so that it pays."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type != "cpu":
        return False
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


def _make_deterministic(device: torch.device) -> None:
    """Only algorithms that give the same bits each time."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    # As `use_deterministic_algorithms`, which also loads torch's compiler, at every start.
    torch.set_deterministic_debug_mode("warn" if device.type == "mps" else "error")
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.allow_tf32 = False  # fp32 means float32.
    # Filling fresh memory guards reads of uninitialised values; nothing here reads any, and it costs a pass.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
