"""The device a run gets: threads, and seeds of random streams."""

import os
from collections.abc import Iterator

import pytest
import torch

from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.train.machine.device import (
    is_out_of_memory,
    memory_bytes,
    peak_memory_bytes,
    select_device,
    stream_seed,
)


@pytest.fixture
def _threads_restored() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("_threads_restored")
def test_all_cores_are_used_unless_the_environment_or_the_run_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    for variable, wanted, threads in (
        ("", 0, cores),
        ("nonsense", 0, cores),
        ("-3", 0, cores),
        ("0", 0, cores),
        ("1", 0, 1),
        ("1,2", 0, 1),  # One number for each nested level.
        ("1", 2, 2),
    ):
        monkeypatch.setenv("OMP_NUM_THREADS", variable)
        setup = select_device(RunConfig(device="cpu", threads=wanted))
        assert (setup.threads, torch.get_num_threads()) == (threads, threads), variable
        assert f"{threads} threads" in setup.fingerprint


def test_streams_differ_by_every_part_of_their_position() -> None:
    positions = [(seed, name, epoch, step) for seed in (0, 1) for name in ("shuffle", "step") for epoch in (1, 2)
                 for step in (0, 1)]  # fmt: skip
    seeds = {stream_seed(*position) for position in positions}
    assert len(seeds) == len(positions)
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_lack_of_memory_is_known_by_any_library() -> None:
    for error in (
        MemoryError(),
        torch.OutOfMemoryError("x"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory"),
    ):
        assert is_out_of_memory(error)
    assert not is_out_of_memory(RuntimeError("shapes do not fit"))


def test_memory_held_is_no_more_than_there_is() -> None:
    peak, of_what = peak_memory_bytes()
    assert of_what == "memory" or torch.cuda.is_available()
    assert 0 < peak <= memory_bytes(torch.device("cpu")) or torch.cuda.is_available()


@pytest.mark.usefixtures("_threads_restored")
def test_what_would_give_other_bits_each_time_is_an_error() -> None:
    torch.set_deterministic_debug_mode("default")
    select_device(RunConfig(device="cpu"))
    assert torch.are_deterministic_algorithms_enabled()
    assert not torch.is_deterministic_algorithms_warn_only_enabled()
    assert not torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
